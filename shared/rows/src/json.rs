//! JSON: the values of an object where they stand in its text, and documents that are not one object a line.

pub(crate) mod documents;
pub(crate) mod layout;
pub(crate) mod nan;
pub(crate) mod split;

//! JSON: finds the values of an object within its text, and reads documents that are not one object per line.

pub(crate) mod documents;
pub(crate) mod layout;
pub(crate) mod nan;
pub(crate) mod split;

//! What values that nobody has described look like.

pub(crate) mod inferred;
pub(crate) mod profile;

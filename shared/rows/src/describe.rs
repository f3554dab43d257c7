//! Descriptions of columns without metadata, inferred from their values.

pub(crate) mod inferred;
pub(crate) mod profile;

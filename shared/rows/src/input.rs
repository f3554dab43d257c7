//! From bytes to lines: a file's first bytes, archive, compression and encoding.

pub(crate) mod archive;
pub(crate) mod encoding;
pub(crate) mod inflate;
pub(crate) mod lines;
pub(crate) mod magic;
pub(crate) mod ranges;

//! Bytes in, lines out: what a file begins with, its archive, compression and encoding.

pub(crate) mod archive;
pub(crate) mod encoding;
pub(crate) mod inflate;
pub(crate) mod lines;
pub(crate) mod magic;
pub(crate) mod ranges;

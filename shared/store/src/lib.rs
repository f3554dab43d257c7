//! Access to the areas in S3: list, read, write once, copy one exact version, delete one exact version. Every failure
//! names the object.

mod client;
mod copy;
mod upload;

mod object;
mod patience;
mod write_token;

pub use client::{Store, blocking_reader};
pub use copy::Copied;
pub use object::{Object, Write, url};
pub use upload::{PART_BYTES, PARTS_AT_ONCE, Upload, Uploaded};

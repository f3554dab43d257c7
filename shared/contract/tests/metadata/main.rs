//! The reader of metadata, seen from outside.
//!
//! - `folder`: a metadata folder to read
//! - `other_programs`: what etl_manager and mojap-metadata write, or show their readers, is read as it is

#![expect(clippy::unwrap_used, reason = "a test that meets what it did not expect has failed")]

mod folder;
mod other_programs;

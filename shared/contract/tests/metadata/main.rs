//! The reader of metadata, through its public interface.
//!
//! - `folder`: writes and reads a metadata folder
//! - `other_programs`: metadata that etl_manager and mojap-metadata write or document

#![expect(clippy::unwrap_used, reason = "a test that meets what it did not expect has failed")]

mod folder;
mod other_programs;

//! The command line on local files: its output and its exit status.

#![expect(clippy::unwrap_used, reason = "a test that meets what it did not expect has failed")]

mod check;
mod deep;
mod describe;
mod desk;
mod terminal;

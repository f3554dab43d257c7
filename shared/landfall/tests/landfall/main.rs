//! The command line over files of this machine: what it prints, and how it ends.

#![expect(clippy::unwrap_used, reason = "a test that meets what it did not expect has failed")]

mod check;
mod deep;
mod describe;
mod desk;
mod terminal;

//! Shared parts of the benches: the data, the contestants, the measurement of whole processes, and the tables of
//! figures.
//!
//! Contestants are processes, started as their users start them. They run in turns: each round runs every contestant
//! once, so a machine that becomes slower for a while is slow for all. The medians and their ratios matter; the
//! absolute figures depend on the machine.

#![expect(clippy::missing_errors_doc, reason = "whatever goes wrong ends the bench")]

pub mod contestant;
pub mod curated;
pub mod dialects;
pub mod figures;
pub mod floor;
pub mod options;
pub mod postcodes;
pub mod process;

/// The error that stops a bench.
pub type Fault = Box<dyn std::error::Error + Send + Sync>;

/// The metadata of the tables that the benches read and write.
pub const META_DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/meta_data");
/// The root folder of the checkout.
pub const CHECKOUT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

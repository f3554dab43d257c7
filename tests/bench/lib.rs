//! What the benches share: the data, the contestants, the measuring of whole processes, and the tables of figures.
//!
//! Contestants are processes, as their users start them, and run in turns: each round runs every one of them once, so
//! that a machine that gets slower for a while is slow for all. Medians and the ratios between them count; the absolute
//! figures are the machine's.

#![expect(clippy::missing_errors_doc, reason = "whatever goes wrong ends the bench")]

pub mod contestant;
pub mod curated;
pub mod dialects;
pub mod figures;
pub mod floor;
pub mod options;
pub mod postcodes;
pub mod process;

/// Why a bench stops.
pub type Fault = Box<dyn std::error::Error + Send + Sync>;

/// The metadata of what the benches read and write.
pub const META_DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/meta_data");
/// The checkout.
pub const CHECKOUT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

//! What the benches share: the data, and the measuring of whole processes.
//!
//! Contestants are processes, as their users start them, and run in turns: each round runs every one of them once, so
//! that a machine that gets slower for a while is slow for all. Medians and the ratios between them count; the absolute
//! figures are the machine's.

pub mod postcodes;
pub mod process;

//! How the function works.

use std::thread::available_parallelism;
use std::time::{Duration, Instant};

/// How the function works.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The folder of the raw tables.
    pub base_folder: String,
    /// For the version column.
    pub dea_version: String,
    /// The function's memory.
    pub memory_bytes: usize,
    /// Files of a table that are decoded at once.
    pub cores: usize,
    /// How long there is for a run; `None` where time has no end.
    pub time: Option<Duration>,
    /// When nobody looks any more for the line that a query failed at; `None` where time has no end.
    pub until: Option<Instant>,
}

/// Those that this process may use.
pub fn cores() -> usize {
    available_parallelism().map_or(2, std::num::NonZero::get)
}

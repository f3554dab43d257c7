//! The settings of one deployment or local command.

use std::thread::available_parallelism;
use std::time::{Duration, Instant};

/// The settings that a stage works with.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The base folder: the prefix of the raw tables in each area.
    pub base_folder: String,
    /// The value of `${dea_version}` in the SQL, which the manifest records too.
    pub dea_version: String,
    /// The function's memory, which limits queries and the size of a run.
    pub memory_bytes: usize,
    /// The number of tasks that decode a table's files at once.
    pub cores: usize,
    /// The time that a run may take. `None` means no limit.
    pub time: Option<Duration>,
    /// The deadline for processing files and for finding the line at which a query failed. `None` means no limit.
    pub until: Option<Instant>,
}

/// Returns the number of cores that this process may use, or 2 if it is unknown.
pub fn cores() -> usize {
    available_parallelism().map_or(2, std::num::NonZero::get)
}

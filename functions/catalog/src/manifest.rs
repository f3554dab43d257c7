//! The part of a run's manifest that catalog uses. The rest, above all the list of every input, may exceed the
//! function's memory and is skipped while the manifest is read.

use contract::{Completed, OutputFile, PartitionOutput, Replaces, RunId};
use serde::Deserialize;

/// See [`contract::Manifest`].
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Manifest {
    pub run: RunId,
    /// The Glue database that the tables belong to.
    pub database: String,
    /// The version of the pipeline, as in the version column.
    pub dea_version: String,
    /// SHA-256 of the metadata and SQL that were used.
    pub metadata_sha256: String,
    /// The newest `file_land_timestamp` among the inputs, in Unix seconds.
    pub newest_file_land_timestamp: Option<u64>,
    /// When the newest of the inputs arrived in raw-hist, in Unix seconds.
    #[serde(default)]
    pub newest_arrival: Option<u64>,
    /// Every table that was written.
    pub tables: Vec<TableOutput>,
}

impl Manifest {
    /// When the newest input arrived, in Unix seconds.
    pub(crate) fn newest(&self) -> Option<u64> {
        self.newest_arrival.or(self.newest_file_land_timestamp)
    }
}

/// See [`contract::TableOutput`].
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct TableOutput {
    pub table: String,
    /// How much of the table this run replaces.
    pub replaces: Replaces,
    /// `s3://…/<run>/`
    pub location: String,
    /// Rows in all files.
    pub rows: u64,
    /// Every file written.
    pub files: Vec<OutputFile>,
    /// Every partition written.
    pub partitions: Vec<PartitionOutput>,
    /// Whether messages must not name its partitions.
    #[serde(default)]
    pub hides_partitions: bool,
    /// Set for a table to which runs append: the run that this one added to.
    #[serde(default)]
    pub appended: Option<Appended>,
    /// Set for a table of mode `partition` whose every run is complete: the partitions that this run copied.
    #[serde(default)]
    pub completed: Option<Completed>,
}

/// See [`contract::Appended`].
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Appended {
    /// The run that this one added to; null if it built the table from scratch.
    pub base: Option<RunId>,
}

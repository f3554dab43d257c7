//! A run's manifest as far as catalog goes by it. What else is in there, above all every file that was read, may be
//! more than the function's memory holds: it is passed over while the manifest is read.

use contract::{Completed, OutputFile, PartitionOutput, Replaces, RunId};
use serde::Deserialize;

/// See [`contract::Manifest`].
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Manifest {
    /// The run.
    pub run: RunId,
    /// The Glue database that the tables belong to.
    pub database: String,
    /// The version of the pipeline, as in the version column.
    pub dea_version: String,
    /// SHA-256 of the metadata and SQL that were used.
    pub metadata_sha256: String,
    /// The newest `file_land_timestamp` among the inputs, in Unix seconds.
    pub newest_file_land_timestamp: Option<u64>,
    /// When the newest of the inputs came to raw-hist, in Unix seconds.
    #[serde(default)]
    pub newest_arrival: Option<u64>,
    /// Every table that was written.
    pub tables: Vec<TableOutput>,
}

impl Manifest {
    /// When what it was made of was last added to, in Unix seconds.
    pub(crate) fn newest(&self) -> Option<u64> {
        self.newest_arrival.or(self.newest_file_land_timestamp)
    }
}

/// See [`contract::TableOutput`].
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct TableOutput {
    /// The curated table.
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
    /// Whether no message names a partition.
    #[serde(default)]
    pub hides_partitions: bool,
    /// Of a table to which runs append: what it was added to.
    #[serde(default)]
    pub appended: Option<Appended>,
    /// Of a table of mode `partition` of which each run is whole: what this one has copied.
    #[serde(default)]
    pub completed: Option<Completed>,
}

/// See [`contract::Appended`].
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Appended {
    /// The run that this one added to; null where it built the table from scratch.
    pub base: Option<RunId>,
}

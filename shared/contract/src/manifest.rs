//! The manifest of a run: its inputs, its outputs and their locations. It is the only message from curate to catalog.
//! Later `verify` and retention rely on it.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// The id of one attempt to build the tables. Ids sort by the time at which the attempt listed its inputs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(String);

/// The folder that is a table's location in Glue if its partitions are in the folders of several runs. It is beside
/// those folders and always empty. So a reader that uses only the table's location does not read a part of the table by
/// mistake. It fails, and the error contains this name.
const SEVERAL_RUNS: &str = "_several_runs_read_with_athena";

/// The parameter of a Glue table that names the table's run. Only tables of catalog have it.
pub const RUN_PARAMETER: &str = "landfall_run";

/// The format of a run's start within its id.
const RUN_TIME: &str = "%Y%m%dT%H%M%S%3fZ";

impl RunId {
    /// Creates an id from the run's start and a word that no other attempt has (a request id). Two attempts that start
    /// in the same millisecond must not share a prefix.
    ///
    /// ```
    /// use contract::RunId;
    ///
    /// let started = chrono::DateTime::from_timestamp_millis(1_700_000_000_001).ok_or("no time")?;
    /// let run = RunId::new(started, "4f1c9a02-request");
    /// assert_eq!(run.as_str(), "20231114T221320001Z-4f1c9a02");
    /// assert_eq!(RunId::of_location("s3://curated/base/orders/20231114T221320001Z-4f1c9a02/"), Some(run));
    /// # Ok::<(), &str>(())
    /// ```
    pub fn new(started: chrono::DateTime<chrono::Utc>, unique: &str) -> Self {
        let unique: String = unique.chars().filter(char::is_ascii_alphanumeric).take(8).collect();
        Self(format!("{}-{}", started.format(RUN_TIME), unique.to_ascii_lowercase()))
    }

    /// Parses a run id, and returns `None` if the text is not one.
    pub fn parse(text: &str) -> Option<Self> {
        Self::of_location(text).filter(|run| run.0 == text)
    }

    /// Returns the time at which the run started, to the millisecond.
    pub fn started(&self) -> chrono::DateTime<chrono::Utc> {
        let (time, _) = self.0.split_once('-').unwrap_or((&self.0, ""));
        chrono::NaiveDateTime::parse_from_str(time, RUN_TIME).map(|time| time.and_utc()).unwrap_or_default()
    }

    /// Returns the run of a table location `…/<run>/`, if its last folder is a run id.
    pub fn of_location(location: &str) -> Option<Self> {
        let last = location.trim_end_matches('/').rsplit('/').next()?;
        let (time, unique) = last.split_once('-')?;
        chrono::NaiveDateTime::parse_from_str(time, RUN_TIME).ok()?;
        (!unique.is_empty() && unique.bytes().all(|b| b.is_ascii_alphanumeric())).then(|| Self(last.into()))
    }

    /// Returns the run of a table in Glue. The location names it or, if the partitions are in the folders of several
    /// runs, the parameter `named`.
    pub fn of_table(location: &str, named: Option<&str>) -> Option<Self> {
        if is_of_several_runs(location) { Self::parse(named?) } else { Self::of_location(location) }
    }

    /// The id, as it appears in keys.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Returns the location of a table whose partitions are in the folders of several runs. `location` is the folder of one
/// of them, `…/<run>/`.
pub fn of_several_runs(location: &str) -> String {
    let above = location.trim_end_matches('/').rsplit_once('/').map_or("", |(above, _)| above);
    format!("{above}/{SEVERAL_RUNS}/")
}

/// Whether a location is that of a table whose partitions are in the folders of several runs.
pub fn is_of_several_runs(location: &str) -> bool {
    location.trim_end_matches('/').rsplit('/').next() == Some(SEVERAL_RUNS)
}

/// The inputs and outputs of one run of curate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The run that wrote the manifest.
    pub run: RunId,
    /// The Glue database that the tables belong to.
    pub database: String,
    /// The version of the pipeline, as written to the version column.
    pub dea_version: String,
    /// The date of the snapshot partition, `YYYY-MM-DD`.
    pub snapshot_date: String,
    /// SHA-256 of the metadata and SQL of the run, in hexadecimal.
    pub metadata_sha256: String,
    /// The bucket of the curated area.
    pub bucket: String,
    /// The newest `file_land_timestamp` among the inputs, in Unix seconds.
    pub newest_file_land_timestamp: Option<u64>,
    /// The time at which the newest input arrived in raw-hist, in Unix seconds. It is later than that input's
    /// `file_land_timestamp`, which the supplier or a schedule may have chosen. Absent in manifests of earlier
    /// versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newest_arrival: Option<u64>,
    /// Unix seconds. The run deliberately left out files that arrived in raw-hist later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of: Option<u64>,
    /// Every file that was read.
    pub inputs: Vec<InputFile>,
    /// Every table that was written, in the order of writing.
    pub tables: Vec<TableOutput>,
}

/// A file that a run read, identified exactly.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputFile {
    /// The raw table.
    pub table: String,
    /// The bucket of the area that it was read from.
    pub bucket: String,
    /// Object key.
    pub key: String,
    /// Object version, if the bucket is versioned.
    pub version_id: Option<String>,
    /// Entity tag, including its quotes.
    pub etag: String,
    /// The checksum that S3 stores, as `algorithm:base64`.
    pub checksum: Option<String>,
    /// The compressed size.
    pub bytes: u64,
    /// The number of rows read from it.
    pub rows: u64,
}

/// A table, as a run wrote it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableOutput {
    /// The curated table.
    pub table: String,
    /// How much of the table this run replaces.
    pub replaces: Replaces,
    /// The run's folder of this table, `s3://…/<run>/`.
    pub location: String,
    /// The number of rows in all files.
    pub rows: u64,
    /// The size of all files.
    pub bytes: u64,
    /// Every file of the run, whether written or copied.
    pub files: Vec<OutputFile>,
    /// Every partition written; empty for a table without partitions.
    pub partitions: Vec<PartitionOutput>,
    /// Whether a partition column is sensitive, or derived from a sensitive column. If so, no message names a
    /// partition.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub hides_partitions: bool,
    /// The content of the table after this run. Only for tables of mode `append`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub appended: Option<Appended>,
    /// The partitions that this run copied. Only for tables of mode `partition` that are `self_contained`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completed: Option<Completed>,
}

/// The partitions that a run copied so that its folder holds the whole table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Completed {
    /// The run that was published; null if there was none.
    pub base: Option<RunId>,
    /// The partitions of `base` that this run did not write itself.
    pub copied: Vec<CopiedPartition>,
}

/// A partition that a run copied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopiedPartition {
    /// A value for each partition column.
    pub values: Vec<String>,
    /// The location it was copied from: `s3://…/<run>/<column>=<value>/`.
    pub from: String,
    /// The run that wrote its rows.
    pub written_by: RunId,
}

/// The content of a table to which runs append.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Appended {
    /// The run that this one appended to; null if it built the table from scratch.
    pub base: Option<RunId>,
    /// SHA-256 of the table's description and SQL, in hexadecimal. A run with another definition does not append to
    /// these rows.
    pub definition_sha256: String,
    /// The keys of the files whose rows this run appended.
    pub added: Vec<String>,
    /// The keys of all files whose rows are in the table.
    pub holds: Vec<String>,
    /// The types of the raw table's columns, by name. A run with other types does not append to these rows. Empty if
    /// they were not recorded.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub raw_types: BTreeMap<String, String>,
    /// Files of earlier runs that stay where they are. They are in partitions to which this run appended nothing.
    pub kept: Vec<OutputFile>,
}

/// The part of a table that a run replaces when it is published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Replaces {
    /// The whole table.
    Table,
    /// The partitions that the run contains. The others stay.
    Partitions,
}

/// A Parquet file in the folder of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputFile {
    /// Object key in the curated area.
    pub key: String,
    /// The number of rows.
    pub rows: u64,
    /// The size.
    pub bytes: u64,
    /// SHA-256 of the content, in hexadecimal.
    pub sha256: String,
    /// The key of the earlier run's file of which this one is a copy. Absent if this run wrote it itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copied_from: Option<String>,
}

/// A partition that a run wrote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionOutput {
    /// A value for each partition column, in order, as Glue stores them (not escaped).
    pub values: Vec<String>,
    /// The partition's folder, `s3://…/<run>/<column>=<value>/`.
    pub location: String,
    /// The number of rows in its files.
    pub rows: u64,
}

#[cfg(test)]
mod tests {
    use chrono::{TimeZone, Utc};

    use super::*;

    #[test]
    fn runs_sort_by_time_and_are_found_in_locations() {
        let early = RunId::new(Utc.timestamp_millis_opt(1_700_000_000_001).unwrap(), "ffff-1");
        let late = RunId::new(Utc.timestamp_millis_opt(1_700_000_000_020).unwrap(), "0000-2");
        assert!(early < late);
        assert_eq!(early.as_str(), "20231114T221320001Z-ffff1");
        assert_eq!(RunId::of_location(&format!("s3://b/db/t/{late}/")), Some(late.clone()));
        assert_eq!(RunId::of_location("s3://b/db/t/"), None);
        assert_eq!(early.started().timestamp_millis(), 1_700_000_000_001);
        let several = of_several_runs(&format!("s3://b/db/t/{late}/"));
        assert_eq!(several, "s3://b/db/t/_several_runs_read_with_athena/");
        assert_eq!(RunId::of_table(several.trim_end_matches('/'), Some(late.as_str())), Some(late.clone()));
        assert_eq!(RunId::of_table("s3://b/db/t/", Some(late.as_str())), None, "somebody has pointed it elsewhere");
        assert_eq!(RunId::of_table(&format!("s3://b/db/t/{early}"), Some(late.as_str())), Some(early.clone()));
        assert_eq!(RunId::parse(early.as_str()), Some(early));
        assert_eq!(RunId::parse("t/20231114T221320001Z-ffff1"), None);
    }
}

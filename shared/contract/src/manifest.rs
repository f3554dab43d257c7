//! The manifest of a run: what was read, what was written, and where. It is the only message from curate to catalog,
//! and what `verify` and retention go by later.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// The name of one attempt to build the tables. Sorts by the time at which the attempt listed its inputs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(String);

/// The folder that a table is pointed at, beside those of its runs, whose partitions lie in several of these. Nothing
/// is ever in it: so whoever goes by the table's location alone finds no part of the table, but an error that names
/// this.
const SEVERAL_RUNS: &str = "_several_runs_read_with_athena";

/// The parameter of a table in Glue that names the run that it is at: only catalog's tables have it.
pub const RUN_PARAMETER: &str = "landfall_run";

/// A run's start, as it stands in its name.
const RUN_TIME: &str = "%Y%m%dT%H%M%S%3fZ";

impl RunId {
    /// From the moment of the run's start and a word that no other attempt has (a request id): two attempts that
    /// start in the same millisecond must not share a prefix.
    pub fn new(started: chrono::DateTime<chrono::Utc>, unique: &str) -> Self {
        let unique: String = unique.chars().filter(char::is_ascii_alphanumeric).take(8).collect();
        Self(format!("{}-{}", started.format(RUN_TIME), unique.to_ascii_lowercase()))
    }

    /// Reads a run's name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::of_location(text).filter(|run| run.0 == text)
    }

    /// When the run started, to the millisecond.
    pub fn started(&self) -> chrono::DateTime<chrono::Utc> {
        let (time, _) = self.0.split_once('-').unwrap_or((&self.0, ""));
        chrono::NaiveDateTime::parse_from_str(time, RUN_TIME).map(|time| time.and_utc()).unwrap_or_default()
    }

    /// Reads the run out of a table location `…/<run>/`, if it is one of ours.
    pub fn of_location(location: &str) -> Option<Self> {
        let last = location.trim_end_matches('/').rsplit('/').next()?;
        let (time, unique) = last.split_once('-')?;
        chrono::NaiveDateTime::parse_from_str(time, RUN_TIME).ok()?;
        (!unique.is_empty() && unique.bytes().all(|b| b.is_ascii_alphanumeric())).then(|| Self(last.into()))
    }

    /// The run of a table in Glue: by its location or, where its partitions lie in the folders of several runs, by the
    /// run that it names.
    pub fn of_table(location: &str, named: Option<&str>) -> Option<Self> {
        if is_of_several_runs(location) { Self::parse(named?) } else { Self::of_location(location) }
    }

    /// As it stands in keys.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The location of a table whose partitions lie in the folders of several runs: `location` is that of one, `…/<run>/`.
pub fn of_several_runs(location: &str) -> String {
    let above = location.trim_end_matches('/').rsplit_once('/').map_or("", |(above, _)| above);
    format!("{above}/{SEVERAL_RUNS}/")
}

/// Whether a location is that of a table whose partitions lie in the folders of several runs.
pub fn is_of_several_runs(location: &str) -> bool {
    location.trim_end_matches('/').rsplit('/').next() == Some(SEVERAL_RUNS)
}

/// What one run of curate read and wrote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// This run.
    pub run: RunId,
    /// The Glue database that the tables belong to.
    pub database: String,
    /// The version of the pipeline, as in the version column.
    pub dea_version: String,
    /// The date of the snapshot partition, `YYYY-MM-DD`.
    pub snapshot_date: String,
    /// SHA-256 of the metadata and SQL that were used.
    pub metadata_sha256: String,
    /// The bucket of the curated area.
    pub bucket: String,
    /// The newest `file_land_timestamp` among the inputs, in Unix seconds.
    pub newest_file_land_timestamp: Option<u64>,
    /// When the newest of the inputs came to raw-hist, in Unix seconds: later than its `file_land_timestamp`, which the
    /// supplier or a schedule may have named. Absent in manifests of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newest_arrival: Option<u64>,
    /// Unix seconds: files that came to raw-hist later were left out on purpose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of: Option<u64>,
    /// Every file that was read.
    pub inputs: Vec<InputFile>,
    /// Every table that was written, in the order of writing.
    pub tables: Vec<TableOutput>,
}

/// A file that a run read, exactly.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputFile {
    /// The raw table.
    pub table: String,
    /// The bucket.
    pub bucket: String,
    /// Object key.
    pub key: String,
    /// Object version, where the bucket is versioned.
    pub version_id: Option<String>,
    /// S3's entity tag, with its quotes.
    pub etag: String,
    /// The checksum that S3 keeps, as `algorithm:base64`.
    pub checksum: Option<String>,
    /// Compressed size.
    pub bytes: u64,
    /// Rows read from it.
    pub rows: u64,
}

/// A table as a run wrote it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableOutput {
    /// The curated table.
    pub table: String,
    /// How much of the table this run replaces.
    pub replaces: Replaces,
    /// `s3://…/<run>/`
    pub location: String,
    /// Rows in all files.
    pub rows: u64,
    /// Bytes in all files.
    pub bytes: u64,
    /// Every file written.
    pub files: Vec<OutputFile>,
    /// Every partition written; empty for a table without partitions.
    pub partitions: Vec<PartitionOutput>,
    /// Whether a partition column is sensitive, or made of a column that is: no message names a partition then.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub hides_partitions: bool,
    /// Of a table to which runs append: what is in it after this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub appended: Option<Appended>,
    /// Of a table of mode `partition` of which each run is whole: what this one has copied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completed: Option<Completed>,
}

/// What a run that writes some partitions has copied so that all of the table is in its folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Completed {
    /// The run that was published; null where there was none.
    pub base: Option<RunId>,
    /// Its partitions, as far as this run has not written them anew.
    pub copied: Vec<CopiedPartition>,
}

/// A partition that a run has copied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopiedPartition {
    /// A value for each partition column.
    pub values: Vec<String>,
    /// Where it was: `s3://…/<run>/<column>=<value>/`.
    pub from: String,
    /// The run that has written its rows.
    pub written_by: RunId,
}

/// What is in a table to which runs append.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Appended {
    /// The run that this one added to; null where it built the table from scratch.
    pub base: Option<RunId>,
    /// SHA-256 of the table's description and SQL, hexadecimal: rows that were made by another are not added to.
    pub definition_sha256: String,
    /// The keys of the files whose rows this run added.
    pub added: Vec<String>,
    /// The keys of all files whose rows are in the table.
    pub holds: Vec<String>,
    /// The types of the raw table's columns, by name: rows that were read by others are not added to. Empty where it
    /// was not recorded.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub raw_types: BTreeMap<String, String>,
    /// Files of earlier runs that stay where they are, in partitions to which this run added nothing.
    pub kept: Vec<OutputFile>,
}

/// How much of a table a run replaces when it is published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Replaces {
    /// Everything.
    Table,
    /// The partitions that it has; the others stay.
    Partitions,
}

/// A Parquet file that a run wrote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputFile {
    /// Object key in the curated area.
    pub key: String,
    /// Rows in it.
    pub rows: u64,
    /// Its size.
    pub bytes: u64,
    /// SHA-256 of its bytes, hexadecimal.
    pub sha256: String,
    /// The key that it was copied from: the file of an earlier run to which this one added.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copied_from: Option<String>,
}

/// A partition that a run wrote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionOutput {
    /// A value for each partition column, in order, as Glue holds them (not escaped).
    pub values: Vec<String>,
    /// `s3://…/<run>/<column>=<value>/`
    pub location: String,
    /// Rows in its files.
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

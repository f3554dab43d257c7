//! Requests to curate, and its answers.

use serde::{Deserialize, Serialize};

use crate::manifest::RunId;
use crate::message::outcome::{FailedTable, ObjectName, Outcome};
use crate::message::skip::is_false;

/// A request for a rebuild. It starts the state machine, which passes it to curate unchanged. All fields are optional.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RebuildRequest {
    /// The curated tables to build. If it is empty, all of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tables: Vec<String>,
    /// The date of the snapshot partition, `YYYY-MM-DD`. If it is absent, today in UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot_date: Option<String>,
    /// Unix seconds. Only files that were in raw-hist by then are read. If it is absent, all files are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of: Option<u64>,
    /// Builds appending tables from all files. Also replaces tables of mode `partition` as a whole, if `tables` names
    /// them.
    #[serde(default, skip_serializing_if = "is_false")]
    pub from_scratch: bool,
    /// RFC 3339. The state machine waits until then, so that all files of a window share one rebuild.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window_ends_at: Option<String>,
}

/// A request to curate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CurateRequest {
    /// Builds tables: every event without `stage` and `verify`.
    Rebuild(RebuildRequest),
    /// Processes the raw files that were not processed yet: `{"stage": "process"}`.
    Process,
    /// Builds a run again and compares: `{"verify": "<run>"}`.
    Verify(VerifyRequest),
}

/// A request to build a run again from the same inputs, and to compare the results.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VerifyRequest {
    /// The run; `latest` for the last one that was built.
    pub verify: String,
}

impl<'de> Deserialize<'de> for CurateRequest {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        let event = serde_json::Value::deserialize(from)?;
        if event.get("verify").is_some() {
            return VerifyRequest::deserialize(event).map(Self::Verify).map_err(Error::custom);
        }
        match event.get("stage").map(|stage| stage.as_str()) {
            None => RebuildRequest::deserialize(event).map(Self::Rebuild).map_err(Error::custom),
            Some(Some("process")) if event.as_object().is_some_and(|event| event.len() == 1) => Ok(Self::Process),
            Some(_) => Err(Error::custom("`stage` is `process`, alone, or is left out")),
        }
    }
}

/// The result of the process stage.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessResponse {
    /// The processed files, by table and key.
    pub files: Vec<ProcessedFile>,
    /// The raw files that could not be processed and are now in quarantine.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub quarantined: Vec<QuarantinedFile>,
    /// The text of the notification about the quarantined files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The tables of which no file was processed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failed: Vec<FailedTable>,
    /// The failure with which the execution ends if a table has failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Outcome>,
}

/// A raw file that could not be processed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuarantinedFile {
    /// The raw table.
    pub table: String,
    /// The key that the file had in raw.
    pub raw_key: String,
    /// The reason, in a sentence or two.
    pub summary: String,
    /// The location in quarantine, as `s3://…`.
    pub filed_at: String,
    /// The location of its report, as `s3://…`.
    pub report: String,
}

/// A raw file that was processed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessedFile {
    /// The raw table.
    pub table: String,
    /// The key of the raw file.
    pub raw_key: String,
    /// The key of the processed file.
    pub key: String,
    /// The number of rows in the processed file.
    pub rows: u64,
    /// Whether the raw file was deleted.
    pub raw_deleted: bool,
}

/// The result of building a run again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerifyResponse {
    /// The run that was built again.
    pub run: RunId,
    /// Whether every file is equal, to the byte.
    pub same: bool,
    /// The number of files compared.
    pub files: u64,
    /// The number of rows in these files.
    pub rows: u64,
    /// The differences, or the first of many.
    pub differences: Vec<String>,
    /// The location of the second build's files, as `s3://…`.
    pub built_at: String,
}

/// The result of a rebuild: curate's answer, which is catalog's event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CurateResponse {
    /// The run that was built.
    pub run: RunId,
    /// The location of the manifest, which holds everything that catalog needs.
    pub manifest: ObjectName,
    /// A summary of the tables, for people who look at the execution.
    #[serde(default)]
    pub tables: Vec<BuiltTable>,
    /// The requested tables that were not built. Their published state stays.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failed: Vec<FailedTable>,
    /// The failure with which the execution ends if a table has failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Outcome>,
    /// The raw tables without any file so far. A table made from them alone is empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub without_files: Vec<String>,
    /// The strays: objects among the raw tables' files that the pipeline did not write. They were skipped.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub strays: Vec<String>,
}

/// A table that curate wrote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuiltTable {
    /// The curated table.
    pub table: String,
    /// The number of rows written.
    pub rows: u64,
    /// The number of bytes written.
    pub bytes: u64,
    /// The number of Parquet files written.
    pub files: u64,
    /// The partitions written, as `column=value/…`.
    pub partitions: Vec<String>,
}

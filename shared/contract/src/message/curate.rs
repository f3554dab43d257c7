//! What curate is asked and answers.

use serde::{Deserialize, Serialize};

use crate::manifest::RunId;
use crate::message::outcome::{FailedTable, ObjectName, Outcome};
use crate::message::skip::is_false;

/// Starts the state machine, and reaches curate as it is. All fields may be left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RebuildRequest {
    /// The curated tables to build; all when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tables: Vec<String>,
    /// `YYYY-MM-DD` of the snapshot partition; today (UTC) when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot_date: Option<String>,
    /// Unix seconds: build from what was in raw-hist by then; from all that is there when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of: Option<u64>,
    /// Builds tables from all files to which runs otherwise only append; and tables of which runs replace some
    /// partitions whole, where they are named in `tables`.
    #[serde(default, skip_serializing_if = "is_false")]
    pub from_scratch: bool,
    /// RFC 3339: the machine waits until then, so that all files of a window are built together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window_ends_at: Option<String>,
}

/// Everything that curate can be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CurateRequest {
    /// To build tables: every event that asks for nothing else.
    Rebuild(RebuildRequest),
    /// To process the raw files that wait for it: `{"stage": "process"}`.
    Process,
    /// To build a run again and compare: `{"verify": "<run>"}`.
    Verify(VerifyRequest),
}

/// Asks curate to build a run again from the same inputs and to compare what it gets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VerifyRequest {
    /// The run; `latest` for the last that was built.
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

/// What the process stage made of raw files.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessResponse {
    /// The files, by table and key.
    pub files: Vec<ProcessedFile>,
    /// Raw files that could not be processed: they are in quarantine.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub quarantined: Vec<QuarantinedFile>,
    /// What is told of these, for a mail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Tables of which no file was processed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failed: Vec<FailedTable>,
    /// What the execution fails with in the end, where a table has failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Outcome>,
}

/// A raw file that could not be processed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuarantinedFile {
    /// The table.
    pub table: String,
    /// The key that it had in raw.
    pub raw_key: String,
    /// Why, in a sentence or two.
    pub summary: String,
    /// Where it is now, as `s3://…`.
    pub filed_at: String,
    /// Where its report is, as `s3://…`.
    pub report: String,
}

/// A raw file that was processed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessedFile {
    /// The table.
    pub table: String,
    /// The key of the raw file.
    pub raw_key: String,
    /// The key of what was made of it.
    pub key: String,
    /// Rows in that.
    pub rows: u64,
    /// Whether the raw file was deleted.
    pub raw_deleted: bool,
}

/// What building a run again has shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerifyResponse {
    /// The run.
    pub run: RunId,
    /// Whether every file came out the same, to the byte.
    pub same: bool,
    /// Files compared.
    pub files: u64,
    /// Rows in them.
    pub rows: u64,
    /// What is not the same; of many, the first.
    pub differences: Vec<String>,
    /// Where the files of the second build lie, as `s3://…`.
    pub built_at: String,
}

/// What curate built: its answer, and catalog's event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CurateResponse {
    /// The run.
    pub run: RunId,
    /// Where the manifest lies: everything catalog needs.
    pub manifest: ObjectName,
    /// The tables in short, for people who read the execution.
    #[serde(default)]
    pub tables: Vec<BuiltTable>,
    /// Tables that were asked for and not built: what was published of them stays.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failed: Vec<FailedTable>,
    /// What the execution fails with in the end, where a table has failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Outcome>,
    /// Raw tables that have no file yet: what is made of them alone is empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub without_files: Vec<String>,
    /// Objects among the raw tables' that the pipeline has not written: they were passed over.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub strays: Vec<String>,
}

/// A table that curate wrote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuiltTable {
    /// The curated table.
    pub table: String,
    /// Rows written.
    pub rows: u64,
    /// Bytes written.
    pub bytes: u64,
    /// Parquet files written.
    pub files: u64,
    /// Partitions written, as `column=value/…`.
    pub partitions: Vec<String>,
}

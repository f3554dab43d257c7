//! What extract is asked and answers.

use serde::{Deserialize, Serialize};

/// Asks extract to fetch a table. All fields may be left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExtractRequest {
    /// The raw table; may be left out when only one has a source.
    #[serde(default)]
    pub table: Option<String>,
    /// The time of the schedule, RFC 3339. Files are named after it, so that a retry writes the same keys; now when
    /// absent.
    #[serde(default)]
    pub scheduled_time: Option<String>,
    /// How many requests to make, in place of the metadata's number.
    #[serde(default)]
    pub requests: Option<u64>,
}

/// What extract did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExtractResponse {
    /// The raw table.
    pub table: String,
    /// Unix seconds, the partition that the files are in.
    pub file_land_timestamp: u64,
    /// Rows in all files.
    pub rows: u64,
    /// Compressed bytes in all files.
    pub bytes: u64,
    /// The files written.
    pub files: Vec<ExtractedFile>,
    /// An earlier attempt for the same time had finished: nothing was fetched.
    pub already_extracted: bool,
}

/// A file that extract wrote to land.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExtractedFile {
    /// The land bucket.
    pub bucket: String,
    /// The object key.
    pub key: String,
    /// Rows in it.
    pub rows: u64,
    /// Compressed bytes.
    pub bytes: u64,
}

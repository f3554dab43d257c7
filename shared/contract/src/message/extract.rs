//! Requests to extract, and its answers.

use serde::{Deserialize, Serialize};

/// A request to fetch a table. All fields are optional.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExtractRequest {
    /// The raw table. Optional if only one table has a source.
    #[serde(default)]
    pub table: Option<String>,
    /// The scheduled time, RFC 3339; now if it is absent. File names contain it, so a retry writes the same keys.
    #[serde(default)]
    pub scheduled_time: Option<String>,
    /// The number of requests to the source, instead of the metadata's.
    #[serde(default)]
    pub requests: Option<u64>,
}

/// The result of an extract.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExtractResponse {
    /// The raw table.
    pub table: String,
    /// The time of the partition that holds the files, in Unix seconds.
    pub file_land_timestamp: u64,
    /// The number of rows in all files.
    pub rows: u64,
    /// The compressed size of all files.
    pub bytes: u64,
    /// The files written.
    pub files: Vec<ExtractedFile>,
    /// Whether an earlier attempt for the same time had finished. Nothing was fetched then.
    pub already_extracted: bool,
}

/// A file that extract landed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExtractedFile {
    /// The land bucket.
    pub bucket: String,
    /// The object key.
    pub key: String,
    /// The number of rows.
    pub rows: u64,
    /// The compressed size.
    pub bytes: u64,
}

//! Types that the answers of several stages share.

use serde::{Deserialize, Serialize};

/// A table that was not built.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedTable {
    /// The table's name.
    pub table: String,
    /// The kind of the failure: the name of a [`FailureKind`](crate::FailureKind).
    pub error: String,
    /// What failed, where, and what was expected.
    pub message: String,
}

/// The failure of an execution that did only a part of its work, with the field names that Step Functions uses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Outcome {
    /// Always `TablesFailed`.
    pub error: String,
    /// The failures of all tables, and what was done nevertheless.
    pub cause: String,
}

/// Step Functions keeps 32,768 characters of an execution's cause. Both processing and building may have failed.
/// <https://docs.aws.amazon.com/step-functions/latest/apireference/API_ExecutionFailedEventDetails.html>
const CAUSE_CHARACTERS: usize = 14_000;

impl Outcome {
    /// Returns the outcome if any table has failed. `done` is a sentence about the others.
    pub fn of(failed: &[FailedTable], done: &str) -> Option<Self> {
        if failed.is_empty() {
            return None;
        }
        let lines = failed.iter().map(|failed| format!("`{}`: {}: {}", failed.table, failed.error, failed.message));
        let cause = format!("{}\n{done}", lines.collect::<Vec<_>>().join("\n"));
        Some(Self { error: "TablesFailed".into(), cause: cause.chars().take(CAUSE_CHARACTERS).collect() })
    }
}

/// The name of an object in S3.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectName {
    /// Bucket name.
    pub bucket: String,
    /// Key, not encoded.
    pub key: String,
}

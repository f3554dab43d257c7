//! Words that several stages share.

use serde::{Deserialize, Serialize};

/// A table that was not built.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedTable {
    /// The table.
    pub table: String,
    /// The kind of its failure: a name of [`FailureKind`](crate::FailureKind).
    pub error: String,
    /// What failed, where, and what was expected.
    pub message: String,
}

/// How an execution ends that has done only a part of what it was asked, in the words of the state machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Outcome {
    /// `TablesFailed`
    pub error: String,
    /// Every table's.
    pub cause: String,
}

/// Of what fails an execution Step Functions keeps 32,768 characters; processing and building may both have failed.
/// <https://docs.aws.amazon.com/step-functions/latest/apireference/API_ExecutionFailedEventDetails.html>
const CAUSE_CHARACTERS: usize = 14_000;

impl Outcome {
    /// Of tables of which some have failed; `None` where none has.
    pub fn of(failed: &[FailedTable], done: &str) -> Option<Self> {
        if failed.is_empty() {
            return None;
        }
        let lines = failed.iter().map(|failed| format!("`{}`: {}: {}", failed.table, failed.error, failed.message));
        let cause = format!("{}\n{done}", lines.collect::<Vec<_>>().join("\n"));
        Some(Self { error: "TablesFailed".into(), cause: cause.chars().take(CAUSE_CHARACTERS).collect() })
    }
}

/// An object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectName {
    /// Bucket name.
    pub bucket: String,
    /// Key, not encoded.
    pub key: String,
}

//! What validate is asked and answers.

use serde::{Deserialize, Serialize};

use crate::message::skip::is_zero;

/// Asks validate, by hand, to handle what lies in land. An S3 event asks the same for the objects that it names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ValidateRequest {
    /// The keys in land that begin so; the whole base folder when absent.
    #[serde(default)]
    pub prefix: Option<String>,
    /// Whether nothing goes to history unless every file passes. If one does not, all of them stay in land.
    #[serde(default)]
    pub all_must_pass: bool,
}

/// What validate did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ValidateResponse {
    /// The files, in the order in which they were handled.
    pub files: Vec<ValidatedFile>,
    /// The execution of the state machine that builds the files that passed; null when none did.
    pub execution: Option<String>,
    /// Files under the prefix for which no time was left: ask again.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub remaining: u64,
}

/// A file that validate looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ValidatedFile {
    /// The object key in land.
    pub key: String,
    /// What became of it.
    pub verdict: Verdict,
    /// Rows in it, as far as it could be read.
    pub rows: u64,
    /// Compressed bytes.
    pub bytes: u64,
    /// In one sentence or two.
    pub summary: String,
    /// Where the file went, as `s3://…`; null when it went nowhere.
    pub filed_at: Option<String>,
    /// Where the whole report is, as `s3://…`; null when there was nothing to report on.
    pub report: Option<String>,
}

/// What became of a file in land.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It is in raw-hist.
    Passed,
    /// It is in quarantine, with a report.
    Quarantined,
    /// It breaks its rules, and a report says how; it is still where it was, because all files had to pass.
    Failed,
    /// It passed its checks and is still in land, because all files had to pass and another one did not.
    Held,
    /// It is one of several files of an extract, and still in land: it is dealt with when the first of them is there,
    /// which lands last.
    Waiting,
    /// The version that the event names is no longer in land: an earlier event dealt with it.
    AlreadyHandled,
    /// No file that validate could look at: an object of another bucket, a folder's marker, a record it cannot read.
    Ignored,
}

/// An execution of the state machine asks validate whether it is its turn: rebuilds come one after another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TurnRequest {
    /// Its ARN.
    #[serde(rename = "turn_of")]
    pub execution: String,
    /// Its input.
    pub request: serde_json::Value,
}

/// Whether it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TurnResponse {
    /// What the execution is to do.
    pub turn: Turn,
    /// ARN of the execution because of which it isn't.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// After so many it may ask again.
    pub seconds: u64,
}

/// What an execution is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Turn {
    /// To go on: it is its turn until it ends.
    Take,
    /// To wait: another one has its turn.
    Wait,
    /// To end: another one waits that will do all that it would.
    Covered,
}

//! Requests to validate, and its answers.

use serde::{Deserialize, Serialize};

use crate::message::skip::is_zero;

/// A request, sent by hand, to handle the files in land. An S3 event requests the same for the objects that it names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ValidateRequest {
    /// The prefix of the keys to handle. If it is absent, the whole base folder.
    #[serde(default)]
    pub prefix: Option<String>,
    /// Whether files are promoted only if every file passes. If one does not, all of them stay in land.
    #[serde(default)]
    pub all_must_pass: bool,
}

/// The result of a validation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ValidateResponse {
    /// The files, in the order in which they were handled.
    pub files: Vec<ValidatedFile>,
    /// The execution that rebuilds tables from the files that passed; null if none passed.
    pub execution: Option<String>,
    /// The number of files under the prefix for which no time was left. Send the request again for these.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub remaining: u64,
}

/// A file that validate handled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ValidatedFile {
    /// The object key in land.
    pub key: String,
    /// What became of the file.
    pub verdict: Verdict,
    /// The number of rows, as far as the file could be read.
    pub rows: u64,
    /// The compressed size.
    pub bytes: u64,
    /// The verdict in a sentence or two.
    pub summary: String,
    /// The file's new location, as `s3://…`; null if it was not moved.
    pub filed_at: Option<String>,
    /// The location of the full report, as `s3://…`; null if there was nothing to report on.
    pub report: Option<String>,
}

/// What became of a file in land.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The file is in raw-hist.
    Passed,
    /// The file is in quarantine, with a report.
    Quarantined,
    /// The file breaks its rules, as a report describes. It is still in land, because all files had to pass.
    Failed,
    /// The file passed its checks but is still in land, because all files had to pass and another one did not.
    Held,
    /// The file is one of several of an extract and still in land. It is handled when the first of them is there, which
    /// lands last.
    Waiting,
    /// The version in the event is no longer in land. An earlier event handled it.
    AlreadyHandled,
    /// Not a file that validate can check: an object of another bucket, a folder marker, or an unreadable event record.
    Ignored,
}

/// A request of an execution for its turn. Rebuilds run one at a time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TurnRequest {
    /// The ARN of the execution.
    #[serde(rename = "turn_of")]
    pub execution: String,
    /// The input of the execution.
    pub request: serde_json::Value,
}

/// The answer to a [`TurnRequest`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TurnResponse {
    /// The next step of the execution.
    pub turn: Turn,
    /// The ARN of the other execution that is the reason for `wait` or `covered`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// The seconds to wait before the next request.
    pub seconds: u64,
}

/// The next step of an execution that asked for its turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Turn {
    /// Go on. The turn lasts until the execution ends.
    Take,
    /// Wait. Another execution has the turn.
    Wait,
    /// End. A waiting execution is going to do everything that this one would.
    Covered,
}

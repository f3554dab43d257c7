//! A failure of a stage: a stable kind and a message that names the object. Lambda reports the kind as `errorType`, and
//! the state machine's `Retry` and `Catch` match it.

use std::fmt;

use crate::visible_lines;

/// The reason why a stage stopped. Step Functions sees the names, so they are part of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FailureKind {
    /// The event or one of its parameters makes no sense.
    BadInput,
    /// The metadata or SQL of a dataset is wrong.
    BadMetadata,
    /// The data does not match its description.
    BadData,
    /// Something else is already in the place of the new object.
    Conflict,
    /// The run on which this one was built is no longer the published one. It must be built again.
    Stale,
    /// An object, table or database that must exist does not.
    NotFound,
    /// The work exceeds the function's memory or time. It is not begun.
    TooLarge,
    /// A service asked to slow down. Retried.
    Throttled,
    /// A service did not answer, or failed on its own account. Retried.
    Unavailable,
    /// A deadline passed. Retried.
    Timeout,
    /// A bug in this program.
    Internal,
}

impl FailureKind {
    /// Returns the `errorType` under which Lambda and Step Functions know this kind.
    pub fn name(self) -> &'static str {
        match self {
            Self::BadInput => "BadInput",
            Self::BadMetadata => "BadMetadata",
            Self::BadData => "BadData",
            Self::Conflict => "Conflict",
            Self::Stale => "Stale",
            Self::NotFound => "NotFound",
            Self::TooLarge => "TooLarge",
            Self::Throttled => "Throttled",
            Self::Unavailable => "Unavailable",
            Self::Timeout => "Timeout",
            Self::Internal => "Internal",
        }
    }

    /// Whether the same request may succeed if it is repeated.
    pub fn is_retryable(self) -> bool {
        matches!(self, Self::Throttled | Self::Unavailable | Self::Timeout)
    }
}

/// A failure: its kind, and a message that says what failed and what to do about it. Invisible characters are escaped
/// when it is displayed ([`visible_lines`]).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", visible_lines(message))]
pub struct Failure {
    /// The kind, which decides whether the failure is retried.
    pub kind: FailureKind,
    /// What failed, where, and what was expected. It may still contain invisible characters.
    pub message: String,
}

macro_rules! constructors {
    ($($name:ident => $kind:ident),* $(,)?) => {
        impl Failure {
            $(
                #[doc = concat!("A failure of the kind [`FailureKind::", stringify!($kind), "`].")]
                pub fn $name(message: impl fmt::Display) -> Self {
                    Self { kind: FailureKind::$kind, message: message.to_string() }
                }
            )*
        }
    };
}

constructors! {
    bad_input => BadInput,
    bad_metadata => BadMetadata,
    bad_data => BadData,
    conflict => Conflict,
    stale => Stale,
    not_found => NotFound,
    too_large => TooLarge,
    throttled => Throttled,
    unavailable => Unavailable,
    timeout => Timeout,
    internal => Internal,
}

impl Failure {
    /// Returns the failure of a column whose type differs from the files of partitions that stay.
    pub fn retyped(table: &str, column: &str, from: &str, to: &str, partitions: usize) -> Self {
        Self::bad_metadata(format!(
            "table `{table}`, column `{column}`: {to} now, and {from} in the files of {partitions} partitions that \
             stay: they could not be read as one table. Build it from scratch, by an execution with {{\"tables\": \
             [\"{table}\"], \"from_scratch\": true}}: then it has the partitions of that run, and further executions \
             add others. Or keep the type, and give the other one to a column of a new name"
        ))
    }

    /// Returns the failure of a table whose partition columns differ from those of the partitions that stay.
    pub fn repartitioned(table: &str, from: &[&str], to: &[String], partitions: usize) -> Self {
        Self::bad_metadata(format!(
            "table `{table}`: its partitions are by {to:?} now, and by {from:?} in the {partitions} that stay: they \
             could not be read as one table. Build it from scratch, by an execution with {{\"tables\": [\"{table}\"], \
             \"from_scratch\": true}} after the table was dropped in Glue (its files stay)"
        ))
    }
}

impl Failure {
    /// Prefixes the message with what was being done.
    ///
    /// ```
    /// use contract::Failure;
    ///
    /// let failure = Failure::not_found("s3://land/orders.csv").context("reading the sample");
    /// assert_eq!(failure.message, "reading the sample: s3://land/orders.csv");
    /// ```
    pub fn context(self, doing: impl fmt::Display) -> Self {
        Self { message: format!("{doing}: {}", self.message), ..self }
    }
}

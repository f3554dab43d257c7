//! A failure as the pipeline's users meet it: a stable kind, which Lambda reports as `errorType` and which the state
//! machine's `Retry` and `Catch` match, and a message that names the object.

use std::fmt;

use crate::visible_lines;

/// Why a stage stopped. The names are part of the contract: they are what Step Functions sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FailureKind {
    /// The event or a parameter of it does not make sense.
    BadInput,
    /// The metadata or SQL of a dataset is wrong.
    BadMetadata,
    /// The data does not fit its description.
    BadData,
    /// Something else is already where this was to go.
    Conflict,
    /// What it was built on is no longer what is published: it is to be built again.
    Stale,
    /// An object, table or database that must be there is not.
    NotFound,
    /// More than the function can hold or do in its time: it is not begun.
    TooLarge,
    /// A service asked to slow down. Retried.
    Throttled,
    /// A service did not answer, or answered with a fault of its own. Retried.
    Unavailable,
    /// A deadline passed. Retried.
    Timeout,
    /// A fault of this program.
    Internal,
}

impl FailureKind {
    /// The `errorType` under which Lambda and Step Functions know this kind.
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

    /// Whether the same request may succeed when it is made again.
    pub fn is_retryable(self) -> bool {
        matches!(self, Self::Throttled | Self::Unavailable | Self::Timeout)
    }
}

/// A failure with its kind and a message that names what failed and what to do about it. It is displayed with nothing
/// unseen in it ([`visible_lines`]).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", visible_lines(message))]
pub struct Failure {
    /// What sort of failure this is.
    pub kind: FailureKind,
    /// What failed, where, and what was expected.
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
    /// A column has another type than in the files of partitions of its table that stay.
    pub fn retyped(table: &str, column: &str, from: &str, to: &str, partitions: usize) -> Self {
        Self::bad_metadata(format!(
            "table `{table}`, column `{column}`: {to} now, and {from} in the files of {partitions} partitions that stay: \
             they could not be read as one table. Build it from scratch, by an execution with {{\"tables\": [\"{table}\"], \
             \"from_scratch\": true}}: then it has the partitions of that run, and further executions add others. Or keep \
             the type, and give the other one to a column of a new name"
        ))
    }

    /// A table that would have partitions by other columns than those that stay.
    pub fn repartitioned(table: &str, from: &[&str], to: &[String], partitions: usize) -> Self {
        Self::bad_metadata(format!(
            "table `{table}`: its partitions are by {to:?} now, and by {from:?} in the {partitions} that stay: they could not \
             be read as one table. Build it from scratch, by an execution with {{\"tables\": [\"{table}\"], \
             \"from_scratch\": true}} after the table was dropped in Glue (its files stay)"
        ))
    }
}

impl Failure {
    /// Puts what was being done in front of the message.
    pub fn context(self, doing: impl fmt::Display) -> Self {
        Self { message: format!("{doing}: {}", self.message), ..self }
    }
}

//! A failure of a query as data: table, column, place, reason and values. It becomes a message once, at the end, when
//! it is known which values may be shown.

use std::error::Error;
use std::io;

use contract::{ColumnType, Failure, FailureKind};
use datafusion::common::DataFusionError;
use tokio::task::JoinError;

use crate::align::unfit::Misfit;
use crate::refusal;
use crate::secrets::{Secret, Secrets};

/// See the [module](self).
#[derive(Clone, Debug, PartialEq)]
pub struct QueryFailure {
    /// The table whose query failed.
    pub table: String,
    /// The column at fault. `None` if it is unknown, or if no column is at fault.
    pub column: Option<String>,
    /// The place of the failure.
    pub place: Place,
    /// The reason of the failure.
    pub reason: Reason,
    /// The raw values that the row at fault is made from.
    pub made_of: Vec<RawValue>,
}

/// The place where a query failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// The place is not known.
    Unknown,
    /// A row of the query, counted from 0.
    Row(u64),
    /// A row that is made from a line of a raw file.
    Line {
        /// The location of the file.
        url: String,
        /// The line, counted from 1.
        line: u64,
    },
}

/// The reason why a query failed.
#[derive(Clone, Debug, PartialEq)]
pub enum Reason {
    /// A value does not fit the described type.
    Unfit {
        /// The value and its place inside the column.
        misfit: Misfit,
        /// The described type of that place.
        to: ColumnType,
    },
    /// A null in a column that is not nullable.
    Null,
    /// The engine failed. Its message may contain values.
    Engine {
        /// The kind of the failure, which says who is at fault.
        kind: FailureKind,
        /// The engine's message.
        words: String,
        /// The remedy, to be appended to the message, or an empty text.
        way: &'static str,
    },
    /// A failure whose message contains no value.
    Known(Failure),
}

/// A value of a raw row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawValue {
    /// The raw column.
    pub column: String,
    /// The value as text, or `None` for a null.
    pub value: Option<String>,
    /// Whether the raw column is marked sensitive.
    pub sensitive: bool,
}

const MORE_MEMORY: &str = "; raise the function's memory (the template's CurateMemory), or select fewer rows at once";
const MORE_DISK: &str = "; what does not fit into memory goes to /tmp, which is full: raise the template's CurateTmp \
                         or CurateMemory, or select fewer rows at once";

/// Whether a full disk caused the error.
fn is_disk_full(error: &DataFusionError) -> bool {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::StorageFull) {
            return true;
        }
        cause = error.source();
    }
    false
}

/// Returns the failure of a task that did not finish. A panic's message is left out, because it may contain values.
pub(crate) fn of_task(error: &JoinError) -> Failure {
    let why = if error.is_panic() { "it panicked: a fault of this program" } else { "it was stopped" };
    Failure::internal(format!("a task of the query has not come to its end: {why}"))
}

impl QueryFailure {
    /// Returns a failure of a table's query at an unknown place.
    pub fn new(table: &str, reason: Reason) -> Self {
        Self { table: table.into(), column: None, place: Place::Unknown, reason, made_of: Vec::new() }
    }

    /// Returns the failure for an error of the engine that ran a table's query.
    pub fn of_engine(table: &str, error: &DataFusionError) -> Self {
        let root = error.find_root();
        let kind = match root {
            _ if is_disk_full(error) => FailureKind::TooLarge,
            DataFusionError::ResourcesExhausted(_) => FailureKind::TooLarge,
            _ if refusal::is_of_sql(error) => FailureKind::BadMetadata,
            DataFusionError::ArrowError(_, _) | DataFusionError::Execution(_) => FailureKind::BadData,
            // a regular expression that is built from values
            DataFusionError::External(cause) if cause.is::<regex::Error>() => FailureKind::BadData,
            _ => FailureKind::Internal,
        };
        let way = match root {
            _ if is_disk_full(error) => MORE_DISK,
            DataFusionError::ResourcesExhausted(_) => MORE_MEMORY,
            _ => "",
        };
        Self::new(table, Reason::Engine { kind, words: refusal::reason(error), way })
    }

    /// The kind of the failure, which says who is at fault.
    pub fn kind(&self) -> FailureKind {
        match &self.reason {
            Reason::Unfit { .. } | Reason::Null => FailureKind::BadData,
            Reason::Engine { kind, .. } => *kind,
            Reason::Known(failure) => failure.kind,
        }
    }

    /// Returns the failure with a message for people, without the values that `secrets` hides.
    pub fn told(&self, secrets: &Secrets) -> Failure {
        if let Reason::Known(failure) = &self.reason {
            return failure.clone();
        }
        let reason = self.reason(secrets);
        let made_of = self.told_made_of(secrets);
        let table = &self.table;
        let column = self.column.as_ref().map(|column| format!(", column `{column}`")).unwrap_or_default();
        let message = match &self.place {
            Place::Unknown => format!("table `{table}`{column}: {reason}{made_of}"),
            Place::Row(row) => format!("table `{table}`{column}, row {row} of the query: {reason}{made_of}"),
            Place::Line { url, line } if self.column.is_none() => {
                format!("table `{table}`: {reason}{made_of}, at {url}, line {line}")
            }
            Place::Line { url, line } => format!("table `{table}`{column}, {url}, line {line}: {reason}{made_of}"),
        };
        Failure { kind: self.kind(), message }
    }

    fn reason(&self, secrets: &Secrets) -> String {
        match &self.reason {
            Reason::Unfit { misfit, to } => {
                let secret = self.column.as_ref().and_then(|column| secrets.column(column));
                let value = secret.map_or_else(|| format!("`{}`", misfit.value), |secret| secret.told().to_owned());
                let at = if misfit.path.is_empty() { String::new() } else { format!(" at `{}`", misfit.path) };
                format!("{value}{at} cannot become {to}{}", misfit.why.hint(to))
            }
            Reason::Null => "null in a column that is not nullable".into(),
            Reason::Engine { way, .. } if secrets.in_words() => {
                format!("the query fails at a value (hidden: a column that it reads is sensitive){way}")
            }
            Reason::Engine { words, way, .. } => format!("{words}{way}"),
            Reason::Known(failure) => failure.message.clone(),
        }
    }

    fn told_made_of(&self, secrets: &Secrets) -> String {
        if self.made_of.is_empty() {
            return String::new();
        }
        let none = self.column.as_ref().is_some_and(|column| secrets.hides_what_makes(column));
        let values = self.made_of.iter().map(|RawValue { column, value, sensitive }| match value {
            None => format!("`{column}` = null"),
            Some(_) if *sensitive || none => format!("`{column}` = {}", Secret::Marked.told()),
            Some(value) => format!("`{column}` = `{value}`"),
        });
        format!(" (made of {})", values.collect::<Vec<_>>().join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_a_panic_says_is_not_told() {
        let error = tokio::spawn(async { panic!("cannot read `canary`") }).await.unwrap_err();
        assert!(error.to_string().contains("canary"), "{error}");
        let failure = of_task(&error);
        assert_eq!(failure.kind, FailureKind::Internal);
        assert!(failure.message.contains("panicked") && !failure.message.contains("canary"), "{failure}");
    }
}

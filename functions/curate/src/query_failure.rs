//! A failure of a query as a value: which table and column, where, why, and at which values. It is told once, at the
//! end, when it is known what may be seen of it.

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
    /// The table whose query it is.
    pub table: String,
    /// The column at fault; none where it is not known, or none is.
    pub column: Option<String>,
    /// Where.
    pub place: Place,
    /// Why.
    pub reason: Reason,
    /// The raw values that the row at fault is made of.
    pub made_of: Vec<RawValue>,
}

/// Where a query has failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Nobody knows.
    Unknown,
    /// At a row of the query, counted from 0.
    Row(u64),
    /// At what a line of a raw file gives.
    Line {
        /// The file.
        url: String,
        /// From 1.
        line: u64,
    },
}

/// Why a query has failed.
#[derive(Clone, Debug, PartialEq)]
pub enum Reason {
    /// A value does not fit the described type.
    Unfit {
        /// The value and where inside of the column it is.
        misfit: Misfit,
        /// The described type of that place.
        to: ColumnType,
    },
    /// There is a null where none may be.
    Null,
    /// The engine has stopped; what it says may hold values.
    Engine {
        /// Whose fault it is.
        kind: FailureKind,
        /// What it says.
        words: String,
        /// What can be done, or nothing.
        way: &'static str,
    },
    /// What has no value in it.
    Known(Failure),
}

/// A value of a raw row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawValue {
    /// The raw column.
    pub column: String,
    /// The value; none for a null.
    pub value: Option<String>,
    /// Whether the raw column is marked sensitive.
    pub sensitive: bool,
}

const MORE_MEMORY: &str = "; raise the function's memory (the template's CurateMemory), or select fewer rows at once";
const MORE_DISK: &str = "; what does not fit into memory goes to /tmp, which is full: raise the template's CurateTmp or \
                         CurateMemory, or select fewer rows at once";

/// Whether the disk is full, somewhere below.
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

/// Of a task that did not come to its end. What a panic says may hold values.
pub(crate) fn of_task(error: &JoinError) -> Failure {
    let why = if error.is_panic() { "it panicked: a fault of this program" } else { "it was stopped" };
    Failure::internal(format!("a task of the query has not come to its end: {why}"))
}

impl QueryFailure {
    /// Of a table, at no known place.
    pub fn new(table: &str, reason: Reason) -> Self {
        Self { table: table.into(), column: None, place: Place::Unknown, reason, made_of: Vec::new() }
    }

    /// The engine's, while it ran the query of a table.
    pub fn of_engine(table: &str, error: &DataFusionError) -> Self {
        let root = error.find_root();
        let kind = match root {
            _ if is_disk_full(error) => FailureKind::TooLarge,
            DataFusionError::ResourcesExhausted(_) => FailureKind::TooLarge,
            _ if refusal::is_of_sql(error) => FailureKind::BadMetadata,
            DataFusionError::ArrowError(_, _) | DataFusionError::Execution(_) => FailureKind::BadData,
            // a regular expression that is made of values
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

    /// Whose fault it is.
    pub fn kind(&self) -> FailureKind {
        match &self.reason {
            Reason::Unfit { .. } | Reason::Null => FailureKind::BadData,
            Reason::Engine { kind, .. } => *kind,
            Reason::Known(failure) => failure.kind,
        }
    }

    /// For people: all that may be told of it.
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

//! The tables of a run that were not built, and why. A failed table does not stop the others.

use std::collections::BTreeMap;

use contract::message::FailedTable;
use contract::{Failure, FailureKind, visible_lines};

use crate::query::{Query, ReadTable};
use crate::refusal;

/// The number of tables whose messages are reported whole, up to [`WHOLE_CHARACTERS`]. The messages of further tables
/// are cut at [`TOLD_CHARACTERS`].
const TOLD_WHOLE: usize = 5;
const WHOLE_CHARACTERS: usize = 4_000;
/// The most characters of the message of a further table.
const TOLD_CHARACTERS: usize = 300;

/// See the [module](self).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Failed {
    tables: BTreeMap<String, Reason>,
}

/// Why a table was not built.
#[derive(Clone, Debug, PartialEq)]
enum Reason {
    /// Its own SQL, rows or files are at fault.
    Own(Failure),
    /// It reads this table, which was not built.
    Reads(String),
}

impl Failed {
    /// Records that a table was not built. A failure that a retry may overcome is returned instead, because the table
    /// is not at fault.
    pub fn add(&mut self, table: &str, failure: Failure) -> Result<(), Failure> {
        if failure.kind.is_retryable() {
            return Err(failure);
        }
        // the message may contain values, so only the answer has it
        tracing::error!(table, kind = failure.kind.name(), "table not built");
        self.tables.entry(table.to_owned()).or_insert(Reason::Own(failure));
        Ok(())
    }

    /// Records that a table was stopped. The reason is found later.
    pub fn leave_out(&mut self, table: &str) {
        let unknown = Reason::Own(Failure::internal("it was stopped"));
        self.tables.entry(table.to_owned()).or_insert(unknown);
    }

    /// Adds the tables that read one that was not built, directly or through others.
    pub fn spread<'a>(&mut self, queries: impl Iterator<Item = &'a Query> + Clone) {
        loop {
            let before = self.tables.len();
            for query in queries.clone() {
                let curated = query.reads.iter().filter(|(_, source)| **source == ReadTable::Curated);
                if let Some(read) = curated.map(|(name, _)| name).find(|name| self.has(name)).cloned() {
                    self.tables.entry(query.table.name.clone()).or_insert(Reason::Reads(read));
                }
            }
            if self.tables.len() == before {
                return;
            }
        }
    }

    /// Returns the root cause of a table's failure.
    pub fn of(&self, table: &str) -> Option<Failure> {
        self.root(table).cloned()
    }

    /// Whether a table was not built.
    pub fn has(&self, table: &str) -> bool {
        self.tables.contains_key(table)
    }

    /// Adds the tables of `other` that are not recorded yet.
    pub fn extend(&mut self, other: Self) {
        for (table, reason) in other.tables {
            self.tables.entry(table).or_insert(reason);
        }
    }

    /// Whether every table was built.
    pub fn is_empty(&self) -> bool {
        self.tables.is_empty()
    }

    /// Combines all failures into one, for when nothing was built. Returns `None` if nothing failed.
    pub fn whole(&self) -> Option<Failure> {
        let own = self.tables.iter().filter_map(|(table, reason)| match reason {
            Reason::Own(failure) => Some((table, failure)),
            Reason::Reads(_) => None,
        });
        let own: Vec<_> = own.collect();
        let (_, first) = own.first()?;
        if own.len() == 1 {
            return Some((*first).clone());
        }
        if own.iter().all(|(_, failure)| failure.kind == FailureKind::BadMetadata) {
            return refusal::all(own.into_iter().map(|(_, failure)| failure.clone()).collect());
        }
        let lines =
            own.iter().map(|(table, failure)| format!("`{table}`: {}: {}", failure.kind.name(), failure.message));
        let message = format!("{} tables were not built\n  {}", own.len(), lines.collect::<Vec<_>>().join("\n  "));
        Some(Failure { kind: first.kind, message })
    }

    /// Reports the requested tables that were not built.
    pub fn told(&self, asked: impl Fn(&str) -> bool) -> Vec<FailedTable> {
        let asked_for = self.tables.iter().filter(|(table, _)| asked(table));
        let told = asked_for.enumerate().map(|(n, (table, reason))| {
            let (kind, message) = match reason {
                Reason::Own(failure) => (failure.kind, failure.message.clone()),
                Reason::Reads(read) => {
                    let root = self.root(read);
                    let kind = root.map_or(FailureKind::Internal, |root| root.kind);
                    // the reason of a table that was not requested is reported nowhere else
                    let why = root.filter(|_| !asked(read)).map(|root| format!(": {}", root.message));
                    (kind, format!("reads `{read}`, which failed{}", why.unwrap_or_default()))
                }
            };
            let characters = if n < TOLD_WHOLE { WHOLE_CHARACTERS } else { TOLD_CHARACTERS };
            let message = visible_lines(&message).chars().take(characters).collect();
            FailedTable { table: table.clone(), error: kind.name().into(), message }
        });
        told.collect()
    }

    /// Returns the failure of the table at the end of the chain of reads.
    fn root(&self, table: &str) -> Option<&Failure> {
        let mut table = table;
        loop {
            match self.tables.get(table)? {
                Reason::Own(failure) => return Some(failure),
                Reason::Reads(read) => table = read,
            }
        }
    }
}

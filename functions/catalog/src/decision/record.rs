//! A decision as it is kept: what is published of each table, and where.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Duration, SecondsFormat, Utc};
use contract::{PartitionOutput, RunId};
use serde::{Deserialize, Serialize};

use crate::decision::places::Places;
use crate::definition::TableDefinition;

/// What is published of a database, and what was decided about it last.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Decision {
    /// How many decisions there have been; 0 of what was on record before there were any.
    #[serde(default)]
    pub sequence: u64,
    /// When it was made, RFC 3339: later than the one before.
    pub at: String,
    /// The run that was decided about last; null before the first.
    pub run: Option<RunId>,
    /// The tables, in the order in which they came.
    pub tables: Vec<Decided>,
    /// The entry of the journal to which `previous` leads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// Folders of runs that expiry deletes, or has deleted: nothing is pointed at them again.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub expired: BTreeSet<String>,
    /// Whether Glue has been brought in line with it, and counted. Says nothing in the journal.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub settled: bool,
}

/// A table as it is published.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Decided {
    /// Where it is, whole: with the partitions that other runs have written.
    #[serde(flatten)]
    pub state: TableState,
    /// How it is described.
    pub definition: TableDefinition,
    /// The run to which the last one has added; null where that made all of it, or replaced partitions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<RunId>,
    /// The newest run that was taken back by hand: neither it nor one before it comes by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rolled_back_from: Option<RunId>,
    /// Whether no message names a partition.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub hides_partitions: bool,
    /// Where a table of others is that has the name, and that somebody has said may be replaced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub takes_over: Option<String>,
    /// Types of columns, by name, that are in files of partitions that have stayed and are no longer described.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub undescribed: BTreeMap<String, String>,
}

impl Decided {
    /// The types of all columns, by name, that are in its files.
    pub(crate) fn types(&self) -> BTreeMap<String, String> {
        let described = self.definition.storage_descriptor.columns.iter().chain(&self.definition.partition_keys);
        let described = described.map(|column| (column.name.clone(), column.column_type.clone()));
        self.undescribed.clone().into_iter().chain(described).collect()
    }
}

/// Where a table is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TableState {
    /// The curated table.
    pub table: String,
    /// `s3://…/<run>/`
    pub location: String,
    /// Rows in the whole table; null where nobody has said.
    pub rows: Option<u64>,
    /// Every partition; of the manifest of a run that replaces some only, these.
    pub partitions: Vec<PartitionState>,
}

/// Where a partition is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PartitionState {
    /// A value for each partition column, in order, as Glue holds them.
    pub values: Vec<String>,
    /// `s3://…/<run>/<column>=<value>/`
    pub location: String,
    /// Rows in its files; null where nobody has said.
    pub rows: Option<u64>,
    /// The run that has written its rows, where these are copies in the folder of another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written_by: Option<RunId>,
}

impl From<PartitionOutput> for PartitionState {
    fn from(written: PartitionOutput) -> Self {
        Self { values: written.values, location: written.location, rows: Some(written.rows), written_by: None }
    }
}

impl PartitionState {
    /// The run that has written it; `None` where it is no run's.
    pub(crate) fn run(&self) -> Option<RunId> {
        if self.written_by.is_some() {
            return self.written_by.clone();
        }
        let folder = self.location.trim_end_matches('/');
        RunId::of_location(folder.rsplitn(self.values.len() + 1, '/').nth(self.values.len())?)
    }
}

impl TableState {
    /// The run that it is at; `None` where it is at no run's: it was made by hand or by another tool.
    pub(crate) fn run(&self) -> Option<RunId> {
        RunId::of_location(&self.location)
    }

    /// The newest run of which anything is in it.
    pub(crate) fn newest(&self) -> Option<RunId> {
        self.partitions.iter().filter_map(PartitionState::run).chain(self.run()).max()
    }

    /// Where Glue is to point: at the run's folder if that holds all of the table, and nothing else; or, where
    /// partitions lie in the folders of several runs, at a place where nothing is.
    pub(crate) fn pointed_at(&self) -> String {
        let holds = |partition: &PartitionState| partition.location.starts_with(&self.location);
        match self.run() {
            Some(_) if !self.partitions.iter().all(holds) => contract::of_several_runs(&self.location),
            _ => self.location.clone(),
        }
    }

    /// Whether two states are the same place: what somebody has counted meanwhile does not matter.
    pub(crate) fn is_at(&self, other: &Self) -> bool {
        let places = |state: &'_ Self| -> BTreeSet<(Vec<String>, String)> {
            let place = |one: &PartitionState| (one.values.clone(), one.location.trim_end_matches('/').to_owned());
            state.partitions.iter().map(place).collect()
        };
        same_location(&self.location, &other.location) && places(self) == places(other)
    }
}

impl Decision {
    /// A table of it.
    pub(crate) fn table(&self, name: &str) -> Option<&Decided> {
        self.tables.iter().find(|table| table.state.table == name)
    }

    /// When it was made.
    pub(crate) fn time(&self) -> DateTime<Utc> {
        DateTime::parse_from_rfc3339(&self.at).map(|at| at.to_utc()).unwrap_or_default()
    }

    /// What follows on it: the same, decided anew, and later.
    pub(crate) fn next(&self, now: DateTime<Utc>) -> Self {
        let at = now.max(self.time() + Duration::milliseconds(1));
        let at = at.to_rfc3339_opts(SecondsFormat::Millis, true);
        Self { sequence: self.sequence + 1, at, settled: false, ..self.clone() }
    }

    /// The name under which the journal keeps it; `None` of what was never decided.
    pub(crate) fn entry(&self) -> Option<String> {
        let run = self.run.as_ref()?;
        Some(format!("{}_{run}.json", self.time().format(ENTRY_TIME)))
    }

    /// Whether another one says the same of every table.
    pub(crate) fn says(&self, other: &Self) -> bool {
        self.tables == other.tables && self.expired == other.expired && self.run == other.run
    }

    /// All that it points at.
    pub(crate) fn places(&self) -> Places {
        let mut places = Places::default();
        for table in &self.tables {
            places.add(&table.state.location);
            table.state.partitions.iter().for_each(|partition| places.add(&partition.location));
        }
        places
    }

    pub(crate) fn set(&mut self, table: Decided) {
        match self.tables.iter_mut().find(|other| other.state.table == table.state.table) {
            Some(there) => *there = table,
            None => self.tables.push(table),
        }
    }

    pub(crate) fn remove(&mut self, name: &str) {
        self.tables.retain(|table| table.state.table != name);
    }
}

/// The moment of a decision, as it stands in the key of its entry: names sort by it.
pub(crate) const ENTRY_TIME: &str = "%Y%m%dT%H%M%S%3fZ";

/// `s3://b/t` and `s3://b/t/` are the same folder.
pub(crate) fn same_location(one: &str, other: &str) -> bool {
    one.trim_end_matches('/') == other.trim_end_matches('/')
}

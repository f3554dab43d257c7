//! A decision as it is stored: the location and definition of every published table.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Duration, SecondsFormat, Utc};
use contract::{PartitionOutput, RunId};
use serde::{Deserialize, Serialize};

use crate::decision::places::Places;
use crate::definition::TableDefinition;

/// The published state of a database, and the last decision about it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Decision {
    /// The number of decisions so far; 0 for a state that was recorded before decisions existed.
    #[serde(default)]
    pub sequence: u64,
    /// When it was made, in RFC 3339; always later than the decision before.
    pub at: String,
    /// The run that was last decided about; null before the first.
    pub run: Option<RunId>,
    /// The tables, in the order in which they were first published.
    pub tables: Vec<Decided>,
    /// The journal entry that `previous` rolls back to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// Folders of runs that expiry deletes or has deleted. Nothing points at them again.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub expired: BTreeSet<String>,
    /// Whether Glue was brought in line with it and its tables were counted. Has no meaning in a journal entry.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub settled: bool,
}

/// A published table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Decided {
    /// Its complete state, including partitions that other runs have written.
    #[serde(flatten)]
    pub state: TableState,
    pub definition: TableDefinition,
    /// The run that the last one was built on, by appending to it or by copying its partitions; null if there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<RunId>,
    /// The newest run that was rolled back. Neither it nor an older run is published unless a person asks for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rolled_back_from: Option<RunId>,
    /// Whether messages must not name its partitions.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub hides_partitions: bool,
    /// The location of a foreign table with this name that a person has allowed to be replaced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub takes_over: Option<String>,
    /// Types, by name, of columns that the metadata no longer describes and that files of remaining partitions still
    /// have.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub undescribed: BTreeMap<String, String>,
}

impl Decided {
    /// Returns the types of all columns in its files, by name.
    pub(crate) fn types(&self) -> BTreeMap<String, String> {
        let described = self.definition.storage_descriptor.columns.iter().chain(&self.definition.partition_keys);
        let described = described.map(|column| (column.name.clone(), column.column_type.clone()));
        self.undescribed.clone().into_iter().chain(described).collect()
    }
}

/// The locations of a table and of its partitions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TableState {
    pub table: String,
    /// `s3://…/<run>/`
    pub location: String,
    /// Rows in the whole table; null if unknown.
    pub rows: Option<u64>,
    /// Every partition. In the proposal of a run that replaces only some, these alone.
    pub partitions: Vec<PartitionState>,
}

/// The location of a partition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PartitionState {
    /// A value for each partition column, in order, as Glue holds them.
    pub values: Vec<String>,
    /// `s3://…/<run>/<column>=<value>/`
    pub location: String,
    /// Rows in its files; null if unknown.
    pub rows: Option<u64>,
    /// The run that wrote its rows, if this is a copy in the folder of another run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written_by: Option<RunId>,
}

impl From<PartitionOutput> for PartitionState {
    fn from(written: PartitionOutput) -> Self {
        Self { values: written.values, location: written.location, rows: Some(written.rows), written_by: None }
    }
}

impl PartitionState {
    /// Returns the run that wrote it; `None` if its location is not in a run's folder.
    pub(crate) fn run(&self) -> Option<RunId> {
        if self.written_by.is_some() {
            return self.written_by.clone();
        }
        let folder = self.location.trim_end_matches('/');
        RunId::of_location(folder.rsplitn(self.values.len() + 1, '/').nth(self.values.len())?)
    }
}

impl TableState {
    /// Returns the run that it points at; `None` if it was made by hand or by another tool.
    pub(crate) fn run(&self) -> Option<RunId> {
        RunId::of_location(&self.location)
    }

    /// Returns the newest run that wrote any of its files.
    pub(crate) fn newest(&self) -> Option<RunId> {
        self.partitions.iter().filter_map(PartitionState::run).chain(self.run()).max()
    }

    /// Returns the location that Glue points at. This is the run's folder if all partitions lie in it. If partitions
    /// lie in the folders of several runs, it is a location that has no files.
    pub(crate) fn pointed_at(&self) -> String {
        let holds = |partition: &PartitionState| partition.location.starts_with(&self.location);
        match self.run() {
            Some(_) if !self.partitions.iter().all(holds) => contract::of_several_runs(&self.location),
            _ => self.location.clone(),
        }
    }

    /// Whether two states have the same locations. Row counts are ignored.
    pub(crate) fn is_at(&self, other: &Self) -> bool {
        let places = |state: &'_ Self| -> BTreeSet<(Vec<String>, String)> {
            let place = |one: &PartitionState| (one.values.clone(), one.location.trim_end_matches('/').to_owned());
            state.partitions.iter().map(place).collect()
        };
        same_location(&self.location, &other.location) && places(self) == places(other)
    }
}

impl Decision {
    pub(crate) fn table(&self, name: &str) -> Option<&Decided> {
        self.tables.iter().find(|table| table.state.table == name)
    }

    pub(crate) fn time(&self) -> DateTime<Utc> {
        DateTime::parse_from_rfc3339(&self.at).map(|at| at.to_utc()).unwrap_or_default()
    }

    /// Returns a copy to change: the next in sequence, with a later time, and not settled.
    pub(crate) fn next(&self, now: DateTime<Utc>) -> Self {
        let at = now.max(self.time() + Duration::milliseconds(1));
        let at = at.to_rfc3339_opts(SecondsFormat::Millis, true);
        Self { sequence: self.sequence + 1, at, settled: false, ..self.clone() }
    }

    /// Returns the name of its journal entry; `None` if no run was ever decided about.
    pub(crate) fn entry(&self) -> Option<String> {
        let run = self.run.as_ref()?;
        Some(format!("{}_{run}.json", self.time().format(ENTRY_TIME)))
    }

    /// Whether another decision has the same tables, expired folders and run.
    pub(crate) fn says(&self, other: &Self) -> bool {
        self.tables == other.tables && self.expired == other.expired && self.run == other.run
    }

    /// Returns all locations that it points at.
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

/// The format of a decision's time in the key of its journal entry. Keys sort by it.
pub(crate) const ENTRY_TIME: &str = "%Y%m%dT%H%M%S%3fZ";

/// Whether two locations are the same folder, with or without a slash at the end.
pub(crate) fn same_location(one: &str, other: &str) -> bool {
    one.trim_end_matches('/') == other.trim_end_matches('/')
}

//! The journal: what analysts have seen of each table, and since when. Every publication leaves an entry beside the
//! manifests, which nobody changes afterwards: a run is brought back by it, and by it a run is known that nobody has seen
//! for long enough.

use chrono::{DateTime, SecondsFormat, Utc};
use contract::{Database, Failure, PartitionOutput, RunId};
use serde::{Deserialize, Serialize};
use store::{Store, Write};

use crate::table_input::TableDefinition;

/// What the catalog points at for one table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableState {
    /// The curated table.
    pub table: String,
    /// `s3://…/<run>/`
    pub location: String,
    /// Rows in the whole table.
    pub rows: u64,
    /// Every partition; of the manifest of a run that replaces some only, these.
    pub partitions: Vec<PartitionState>,
}

/// Where a partition is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionState {
    /// A value for each partition column, in order, as Glue holds them.
    pub values: Vec<String>,
    /// `s3://…/<run>/<column>=<value>/`
    pub location: String,
    /// Rows in its files; null where nobody has said.
    pub rows: Option<u64>,
}

impl From<PartitionOutput> for PartitionState {
    fn from(written: PartitionOutput) -> Self {
        Self { values: written.values, location: written.location, rows: Some(written.rows) }
    }
}

/// What one publication made of its tables.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// When it was done, RFC 3339.
    pub at: String,
    /// The run that was published.
    pub run: RunId,
    /// The tables.
    pub tables: Vec<Recorded>,
}

/// A table as it was published.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recorded {
    /// Where it was, whole: with the partitions that other runs have written.
    #[serde(flatten)]
    pub state: TableState,
    /// How it was described.
    pub definition: TableDefinition,
}

/// An entry by its key, which tells when it was made and of which run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryKey {
    /// When it was made.
    pub at: DateTime<Utc>,
    /// The run that was published.
    pub run: RunId,
    /// Object key.
    pub key: String,
}

/// The entries, in S3.
#[derive(Clone, Copy, Debug)]
pub struct Journal<'a> {
    /// S3.
    pub store: &'a Store,
    /// The curated bucket.
    pub bucket: &'a str,
    /// The database whose tables are published.
    pub database: &'a Database,
}

/// When an entry was made, as it stands in its key: names sort by it.
const TIME: &str = "%Y%m%dT%H%M%S%3fZ";

impl Journal<'_> {
    /// Writes down what is published from now on.
    pub async fn write(&self, at: DateTime<Utc>, run: &RunId, tables: Vec<Recorded>) -> Result<(), Failure> {
        let key = format!("{}{}_{run}.json", self.database.publications(), at.format(TIME));
        let entry = Entry { at: at.to_rfc3339_opts(SecondsFormat::Millis, true), run: run.clone(), tables };
        let text = serde_json::to_vec(&entry).map_err(Failure::internal)?;
        self.store.put(self.bucket, &key, text, "application/json", Write::IfAbsent).await
    }

    /// Every entry's key, the oldest first.
    pub async fn keys(&self) -> Result<Vec<EntryKey>, Failure> {
        let listed = self.store.list(self.bucket, &self.database.publications()).await?;
        let mut keys: Vec<EntryKey> = listed.into_iter().filter_map(|object| EntryKey::parse(&object.key)).collect();
        keys.sort_by(|one, other| (one.at, &one.key).cmp(&(other.at, &other.key)));
        Ok(keys)
    }

    /// An entry; `None` when it is gone.
    pub async fn read(&self, key: &str) -> Result<Option<Entry>, Failure> {
        let Some(text) = self.store.read_whole(self.bucket, key).await? else { return Ok(None) };
        let entry = serde_json::from_slice(&text);
        entry.map(Some).map_err(|error| {
            Failure::bad_data(format!("{} cannot be read as an entry: {error}", store::url(self.bucket, key)))
        })
    }

    /// What was last published of each of these tables, the newest first; of one that never was, nothing.
    pub async fn last(&self, tables: impl Iterator<Item = &str>) -> Result<Vec<Recorded>, Failure> {
        let mut missing: Vec<&str> = tables.collect();
        let mut found = Vec::new();
        for key in self.keys().await?.iter().rev() {
            if missing.is_empty() {
                break;
            }
            for then in self.read(&key.key).await?.into_iter().flat_map(|entry| entry.tables) {
                if let Some(at) = missing.iter().position(|table| *table == then.state.table) {
                    missing.swap_remove(at);
                    found.push(then);
                }
            }
        }
        Ok(found)
    }

    /// What the last publication of a run made of its tables; `None` when it was never published.
    pub async fn of_run(&self, run: &RunId) -> Result<Option<Entry>, Failure> {
        match self.keys().await?.into_iter().rev().find(|key| key.run == *run) {
            Some(found) => self.read(&found.key).await,
            None => Ok(None),
        }
    }
}

impl EntryKey {
    /// Of a key such as `…/<time>_<run>.json`.
    pub fn parse(key: &str) -> Option<Self> {
        let name = key.rsplit('/').next()?.strip_suffix(".json")?;
        let (time, run) = name.split_once('_')?;
        let at = chrono::NaiveDateTime::parse_from_str(time, TIME).ok()?.and_utc();
        Some(Self { at, run: RunId::parse(run)?, key: key.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_s_key_tells_when_it_was_made_and_of_which_run() {
        let key = "database/_publications/20261124T010203004Z_20261123T034500123Z-aaaa.json";
        let found = EntryKey::parse(key).unwrap();
        assert_eq!(found.at.to_rfc3339(), "2026-11-24T01:02:03.004+00:00");
        assert_eq!((found.run.as_str(), found.key.as_str()), ("20261123T034500123Z-aaaa", key));
        for other in ["database/_publications/x.json", "database/_publications/20261124T010203004Z_x.json"] {
            assert_eq!(EntryKey::parse(other), None);
        }
    }
}

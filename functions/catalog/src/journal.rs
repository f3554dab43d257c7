//! The decision and the earlier ones, in S3: `current.json`, and an entry for each decision that was replaced. An entry
//! is written once, before its decision is replaced, and never changes. Rollback reads entries to bring a run back.
//! Expiry reads them to find runs that have been unreachable for long enough.

use chrono::{DateTime, Utc};
use contract::{Database, Failure, FailureKind, RunId};
use store::{Store, Write};

use crate::decision::{Decided, Decision, ENTRY_TIME};

/// The object name of the decision.
const CURRENT: &str = "current.json";
const JSON: &str = "application/json";

/// The decision as it was read or written.
#[derive(Clone, Debug, Default)]
pub(crate) struct Current {
    pub decision: Decision,
    /// The entity tag of the object; `None` if the object does not exist yet.
    pub etag: Option<String>,
}

/// An entry's key, which contains the time of the decision and its run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EntryKey {
    /// When it was decided.
    pub at: DateTime<Utc>,
    /// The run that was decided about.
    pub run: RunId,
    /// Object key.
    pub key: String,
}

/// Reads and writes decisions in the curated bucket.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Journal<'a> {
    pub store: &'a Store,
    /// The curated bucket.
    pub bucket: &'a str,
    /// The database whose tables are published.
    pub database: &'a Database,
}

impl Journal<'_> {
    /// Returns the decision; `None` if nothing was published yet, or only by a version without decisions.
    pub(crate) async fn current(&self) -> Result<Option<Current>, Failure> {
        let key = self.key(CURRENT);
        let Some((text, etag)) = self.store.read_tagged(self.bucket, &key).await? else { return Ok(None) };
        Ok(Some(Current { decision: self.parse(&key, &text)?, etag: Some(etag) }))
    }

    /// Decides: writes a decision over the one that it follows. Returns `None` if another invocation was quicker.
    pub(crate) async fn write(&self, over: &Current, next: Decision) -> Result<Option<Current>, Failure> {
        if let Some(entry) = over.decision.entry().filter(|_| over.decision.tables != next.tables) {
            let text = serde_json::to_vec(&over.decision).map_err(Failure::internal)?;
            match self.store.put(self.bucket, &self.key(&entry), text, JSON, Write::IfAbsent).await {
                // an existing entry has the same content
                Err(failure) if failure.kind != FailureKind::Conflict => return Err(failure),
                _ => {}
            }
        }
        let text = serde_json::to_vec(&next).map_err(Failure::internal)?;
        match self.store.put_over(self.bucket, &self.key(CURRENT), text, JSON, over.etag.as_deref()).await {
            Ok(etag) => Ok(Some(Current { decision: next, etag: Some(etag) })),
            Err(failure) if failure.kind == FailureKind::Conflict => Ok(None),
            Err(failure) => Err(failure.context("deciding what is published")),
        }
    }

    /// Whether a decision is still the current one.
    pub(crate) async fn is_current(&self, current: &Current) -> Result<bool, Failure> {
        let found = self.store.head(self.bucket, &self.key(CURRENT), None).await?;
        Ok(found.map(|object| object.etag) == current.etag)
    }

    /// Returns the keys of all journal entries, the oldest first.
    pub(crate) async fn keys(&self) -> Result<Vec<EntryKey>, Failure> {
        let listed = self.store.list(self.bucket, &self.database.publications()).await?;
        let mut keys: Vec<EntryKey> = listed.into_iter().filter_map(|object| EntryKey::parse(&object.key)).collect();
        keys.sort_by(|one, other| (one.at, &one.key).cmp(&(other.at, &other.key)));
        Ok(keys)
    }

    /// Reads the entry with this key; `None` if it was deleted.
    pub(crate) async fn read(&self, key: &str) -> Result<Option<Decision>, Failure> {
        let Some(text) = self.store.read_whole(self.bucket, key).await? else { return Ok(None) };
        self.parse(key, &text).map(Some)
    }

    /// Reads the entry with this name; `None` if it was deleted.
    pub(crate) async fn entry(&self, name: &str) -> Result<Option<Decision>, Failure> {
        self.read(&self.key(name)).await
    }

    /// Returns the last recorded state of each of these tables, the newest first. Tables without a record are left out.
    pub(crate) async fn last(&self, tables: impl Iterator<Item = &str>) -> Result<Vec<Decided>, Failure> {
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

    /// Returns the last replaced decision about a run; `None` if there is none.
    pub(crate) async fn of_run(&self, run: &RunId) -> Result<Option<Decision>, Failure> {
        match self.keys().await?.into_iter().rev().find(|key| key.run == *run) {
            Some(found) => self.read(&found.key).await,
            None => Ok(None),
        }
    }

    fn key(&self, name: &str) -> String {
        format!("{}{name}", self.database.publications())
    }

    fn parse(&self, key: &str, text: &[u8]) -> Result<Decision, Failure> {
        serde_json::from_slice(text).map_err(|error| {
            Failure::bad_data(format!("{} cannot be read as a decision: {error}", store::url(self.bucket, key)))
        })
    }
}

impl EntryKey {
    /// Parses a key such as `…/<time>_<run>.json`.
    pub(crate) fn parse(key: &str) -> Option<Self> {
        let name = key.rsplit('/').next()?.strip_suffix(".json")?;
        let (time, run) = name.split_once('_')?;
        let at = chrono::NaiveDateTime::parse_from_str(time, ENTRY_TIME).ok()?.and_utc();
        Some(Self { at, run: RunId::parse(run)?, key: key.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_s_key_tells_when_it_was_decided_and_of_which_run() {
        let key = "database/_publications/20261124T010203004Z_20261123T034500123Z-aaaa.json";
        let found = EntryKey::parse(key).unwrap();
        assert_eq!(found.at.to_rfc3339(), "2026-11-24T01:02:03.004+00:00");
        assert_eq!((found.run.as_str(), found.key.as_str()), ("20261123T034500123Z-aaaa", key));
        let decision = Decision { at: found.at.to_rfc3339(), run: Some(found.run), ..Decision::default() };
        assert_eq!(decision.entry().as_deref(), key.rsplit('/').next());
        for other in ["current.json", "x.json", "20261124T010203004Z_x.json"] {
            assert_eq!(EntryKey::parse(&format!("database/_publications/{other}")), None);
        }
    }

    #[test]
    fn an_entry_of_a_version_without_decisions_is_read_as_one() {
        let entry = r#"{"at": "2026-11-24T01:02:03.004Z", "run": "20261123T034500123Z-aaaa", "tables": [
            {"table": "t", "location": "s3://b/t/", "rows": 1, "partitions": [], "definition": {"Name": "t"}}]}"#;
        let entry: Decision = serde_json::from_str(entry).unwrap();
        assert_eq!((entry.sequence, entry.tables[0].state.rows, &entry.before), (0, Some(1), &None));
    }
}

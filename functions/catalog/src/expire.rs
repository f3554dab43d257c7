//! Expiry: what a run wrote of a table is deleted when nothing points at it, and nothing has for a while. What points at
//! it is looked up in Glue at that moment; what did, in the journal. Whatever is not known to be unneeded stays.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_glue::Client;
use aws_sdk_glue::types::Table as GlueTable;
use chrono::{DateTime, SecondsFormat, Utc};
use contract::message::{ExpireResponse, ExpiredRun};
use contract::{Failure, RunId};
use futures::{StreamExt, TryStreamExt};
use store::Object;

use crate::journal::{EntryKey, Journal};
use crate::partitions;
use crate::plan::tables_of;
use crate::projection;
use crate::publication::location_of;
use crate::runs::{Runs, run_of_manifest};
use crate::table_input::PREVIOUS_LOCATION;

/// Deletions under way at once.
const AT_ONCE: usize = 16;

/// What a run wrote of one table.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Folder {
    /// `s3://…/<table>/<run>/`
    location: String,
    run: RunId,
    objects: Vec<Object>,
}

/// Deletes what nobody has been able to see since a moment, or says what would go.
pub async fn expire(
    glue: &Client,
    runs: Runs<'_>,
    unseen_since: DateTime<Utc>,
    dry_run: bool,
) -> Result<ExpireResponse, Failure> {
    // in this order: what is built or published meanwhile is not among the candidates, or is found in use
    let base = runs.metadata.database.base();
    let folders = folders(runs.bucket, runs.store.list(runs.bucket, &base).await?);
    let seen = seen_since(&runs.journal(), unseen_since).await?;
    let (old, young): (Vec<Folder>, Vec<Folder>) =
        folders.into_iter().partition(|folder| folder.run.started() < unseen_since && !seen.covers(&folder.location));
    let used = used(glue, &runs.metadata.database.name).await?;
    let (kept, expired): (Vec<Folder>, Vec<Folder>) = old.into_iter().partition(|folder| used.covers(&folder.location));
    let mut response = ExpireResponse {
        dry_run,
        unseen_since: unseen_since.to_rfc3339_opts(SecondsFormat::Secs, true),
        expired: Vec::new(),
        kept: (young.len() + kept.len()) as u64,
    };
    for folder in &expired {
        if !dry_run {
            let deletions = folder.objects.iter().map(|object| runs.store.delete(object));
            futures::stream::iter(deletions).buffer_unordered(AT_ONCE).try_collect::<()>().await?;
            tracing::info!(location = folder.location, objects = folder.objects.len(), "run expired");
        }
        response.expired.push(ExpiredRun {
            location: folder.location.clone(),
            objects: folder.objects.len() as u64,
            bytes: folder.objects.iter().map(|object| object.bytes).sum(),
        });
    }
    if !dry_run {
        let left = young.iter().chain(&kept).map(|folder| folder.run.clone()).collect();
        forget(runs, &left, &seen, unseen_since).await?;
    }
    Ok(response)
}

/// Manifests and entries of runs of which nothing is left. Last: whoever is stopped before comes again.
async fn forget(
    runs: Runs<'_>,
    left: &BTreeSet<RunId>,
    seen: &Seen,
    unseen_since: DateTime<Utc>,
) -> Result<(), Failure> {
    let is_over = |run: &RunId| run.started() < unseen_since && !left.contains(run);
    let manifests = runs.store.list(runs.bucket, &runs.metadata.database.manifests()).await?;
    for manifest in manifests.iter().filter(|object| run_of_manifest(&object.key).is_some_and(|run| is_over(&run))) {
        runs.store.delete(manifest).await?;
    }
    let entries = runs.store.list(runs.bucket, &runs.metadata.database.publications()).await?;
    let of_no_use = |object: &&Object| {
        let key = EntryKey::parse(&object.key);
        key.is_some_and(|key| key.at < unseen_since && is_over(&key.run) && !seen.entries.contains(&key.key))
    };
    for entry in entries.iter().filter(of_no_use) {
        runs.store.delete(entry).await?;
    }
    Ok(())
}

/// The folders of runs among all objects of the curated area. `_manifests/` and the like are none.
fn folders(bucket: &str, objects: Vec<Object>) -> Vec<Folder> {
    let mut found: BTreeMap<String, Folder> = BTreeMap::new();
    for object in objects {
        let Some((folder, run)) = run_folder(&object.key) else { continue };
        let location = store::url(bucket, folder);
        let folder = found.entry(location.clone()).or_insert_with(|| Folder { location, run, objects: Vec::new() });
        folder.objects.push(object);
    }
    found.into_values().collect()
}

/// `…/<table>/<run>/` of a key, and the run.
fn run_folder(key: &str) -> Option<(&str, RunId)> {
    let mut start = 0;
    for (end, _) in key.match_indices('/') {
        let segment = &key[start..end];
        if segment.starts_with('_') {
            return None;
        }
        if let Some(run) = RunId::parse(segment) {
            return Some((&key[..=end], run));
        }
        start = end + 1;
    }
    None
}

/// Places that something points at.
#[derive(Debug, Default)]
struct Places(BTreeSet<String>);

impl Places {
    fn add(&mut self, location: &str) {
        if !location.is_empty() {
            self.0.insert(format!("{}/", location.trim_end_matches('/')));
        }
    }

    /// Whether something points at a folder, at one within it, or at one that it is in.
    fn covers(&self, folder: &str) -> bool {
        let within = self.0.range(folder.to_owned()..).next().is_some_and(|place| place.starts_with(folder));
        let mut above = folder.match_indices('/').map(|(at, _)| &folder[..=at]);
        within || above.any(|folder| self.0.contains(folder))
    }
}

/// What analysts could see since a moment, by the journal.
#[derive(Debug, Default)]
struct Seen {
    places: Places,
    /// The keys of the entries that say so.
    entries: BTreeSet<String>,
}

impl Seen {
    fn covers(&self, folder: &str) -> bool {
        self.places.covers(folder)
    }
}

/// Of each table the entries since then, and the last one before: what was published at that moment.
async fn seen_since(journal: &Journal<'_>, since: DateTime<Utc>) -> Result<Seen, Failure> {
    let mut seen = Seen::default();
    let mut known: BTreeSet<String> = BTreeSet::new();
    for key in journal.keys().await?.into_iter().rev() {
        let Some(entry) = journal.read(&key.key).await? else { continue };
        for table in entry.tables {
            if key.at < since && !known.insert(table.state.table) {
                continue;
            }
            seen.places.add(&table.state.location);
            table.state.partitions.iter().for_each(|partition| seen.places.add(&partition.location));
            seen.entries.insert(key.key.clone());
        }
    }
    Ok(seen)
}

/// What the database's tables and partitions point at now, and did before the last publication.
async fn used(glue: &Client, database: &str) -> Result<Places, Failure> {
    let mut places = Places::default();
    for table in tables_of(glue, database).await?.unwrap_or_default() {
        places.add(location_of(&table));
        places.add(previous(table.parameters()));
        if has_partitions(&table) {
            partitions::visit(glue, database, table.name(), |partition| {
                places.add(partitions::location(&partition));
                places.add(previous(partition.parameters()));
            })
            .await?;
        }
    }
    Ok(places)
}

/// Whether queries look at the partitions that are registered.
fn has_partitions(table: &GlueTable) -> bool {
    let projected = projection::is_enabled(|name| table.parameters().and_then(|parameters| parameters.get(name)));
    !table.partition_keys().is_empty() && !projected
}

fn previous(parameters: Option<&std::collections::HashMap<String, String>>) -> &str {
    parameters.and_then(|parameters| parameters.get(PREVIOUS_LOCATION)).map_or("", String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_s_folder_is_found_wherever_the_table_is() {
        for (key, expected) in [
            ("db/t/20261123T034500123Z-aaaa/data-part-0.parquet", Some("db/t/20261123T034500123Z-aaaa/")),
            ("db/a/t/20261123T034500123Z-aaaa/d=1/data-part-0.parquet", Some("db/a/t/20261123T034500123Z-aaaa/")),
            ("t/20261123T034500123Z-aaaa/x", Some("t/20261123T034500123Z-aaaa/")),
            ("db/t/data-part-0.parquet", None),
            ("db/_manifests/20261123T034500123Z-aaaa.json", None),
            ("_verify/20261123T034500123Z-aaaa/20261123T034500123Z/db/t/x", None),
            ("db/_publications/20261123T034500123Z-aaaa/x", None),
            ("20261123T034500123Z-aaaa", None),
        ] {
            assert_eq!(run_folder(key).map(|(folder, _)| folder), expected, "{key}");
        }
    }

    #[test]
    fn what_points_anywhere_near_a_folder_keeps_it() {
        let mut places = Places::default();
        for location in ["s3://b/t/r1", "s3://b/t/r2/d=1/", "s3://b/u/", ""] {
            places.add(location);
        }
        for (folder, expected) in [
            ("s3://b/t/r1/", true),
            ("s3://b/t/r2/", true),
            ("s3://b/u/r1/", true),
            ("s3://b/t/r/", false),
            ("s3://b/t/r11/", false),
            ("s3://b/t/r3/", false),
            ("s3://b/v/r1/", false),
        ] {
            assert_eq!(places.covers(folder), expected, "{folder}");
        }
    }
}

//! Expiry: the files that a run wrote for a table are deleted once nothing has pointed at them for a while. The
//! decision and Glue show what points at them now, and the journal shows what did. Anything that is not known to be
//! unneeded stays. Before anything is deleted, a decision promises that nothing will point at it again.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_glue::Client;
use aws_sdk_glue::types::Table as GlueTable;
use chrono::{DateTime, SecondsFormat, Utc};
use contract::message::{ExpireResponse, ExpiredRun};
use contract::{Failure, RunId};
use futures::stream::{self, StreamExt, TryStreamExt};
use store::Object;

use crate::app::App;
use crate::decision::{self, Decision, Places};
use crate::definition::PREVIOUS_LOCATION;
use crate::journal::{Current, EntryKey, Journal};
use crate::lookup::tables_of;
use crate::partitions::{self, Told};
use crate::projection;
use crate::publication::location_of;
use crate::runs::{Runs, run_of_manifest};

/// Entries of the journal that are read at once. One entry may name thousands of partitions.
const ENTRIES_AT_ONCE: usize = 16;
/// Folders that are deleted at once.
const FOLDERS_AT_ONCE: usize = 4;
/// Objects of a folder that are deleted at once.
const AT_ONCE: usize = 16;

/// The files of one table that a run wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Folder {
    /// `s3://…/<table>/<run>/`
    location: String,
    run: RunId,
    objects: u64,
    bytes: u64,
}

/// How often the search starts again because another invocation has decided meanwhile.
const ATTEMPTS: u32 = 5;

/// The folders to delete and those to keep.
#[derive(Debug)]
struct Found {
    expired: Vec<Folder>,
    kept: Vec<Folder>,
    /// All locations that are in use, or were since the given time.
    needed: Places,
    /// The keys of the journal entries that name these locations.
    entries: BTreeSet<String>,
}

/// Deletes the folders that have been unreachable since a given time, or only lists them.
pub(crate) async fn expire(app: &App, unseen_since: DateTime<Utc>, dry_run: bool) -> Result<ExpireResponse, Failure> {
    let runs = app.runs();
    for _ in 0..ATTEMPTS {
        // first of all: if something is published meanwhile, the promise's conditional write over this decision fails
        let current = app.current().await?;
        let found = find(&app.glue, runs, &current.decision, unseen_since).await?;
        let response = ExpireResponse {
            dry_run,
            unseen_since: unseen_since.to_rfc3339_opts(SecondsFormat::Secs, true),
            expired: found.expired.iter().map(Folder::expired).collect(),
            kept: found.kept.len() as u64,
        };
        if dry_run {
            return Ok(response);
        }
        if !promise(&runs.journal(), &current, &found.expired).await? {
            continue;
        }
        let deletions = found.expired.iter().map(|folder| delete(runs, folder));
        futures::stream::iter(deletions).buffer_unordered(FOLDERS_AT_ONCE).try_collect::<()>().await?;
        forget(runs, &found, unseen_since).await?;
        return Ok(response);
    }
    Err(Failure::unavailable(format!("other publications intervened {ATTEMPTS} times: ask again")))
}

/// Deletes all objects of a run's folder. The folder is listed again, as the objects of all folders together may exceed
/// the memory.
async fn delete(runs: Runs<'_>, folder: &Folder) -> Result<(), Failure> {
    let prefix = folder.location.strip_prefix(&store::url(runs.bucket, "")).unwrap_or_default();
    if prefix.is_empty() {
        return Err(Failure::internal(format!("{} is not a folder of {}", folder.location, runs.bucket)));
    }
    let objects = runs.store.list(runs.bucket, prefix).await?;
    delete_all(runs, objects.iter()).await?;
    tracing::info!(location = folder.location, objects = objects.len(), "run expired");
    Ok(())
}

async fn delete_all(runs: Runs<'_>, objects: impl Iterator<Item = &Object>) -> Result<(), Failure> {
    let deletions = objects.map(|object| runs.store.delete(object));
    futures::stream::iter(deletions).buffer_unordered(AT_ONCE).try_collect::<()>().await
}

/// Decides that nothing points at these folders again. Returns whether no other invocation was quicker.
async fn promise(journal: &Journal<'_>, current: &Current, expired: &[Folder]) -> Result<bool, Failure> {
    let candidates: BTreeSet<String> = expired.iter().map(|folder| folder.location.clone()).collect();
    if candidates.iter().all(|folder| current.decision.expired.contains(folder)) {
        return journal.is_current(current).await;
    }
    let next = decision::expire(&current.decision, candidates);
    Ok(journal.write(current, next).await?.is_some())
}

async fn find(
    glue: &Client,
    runs: Runs<'_>,
    current: &Decision,
    unseen_since: DateTime<Utc>,
) -> Result<Found, Failure> {
    let base = runs.metadata.database.base();
    let mut folders = BTreeMap::new();
    runs.store.visit(runs.bucket, &base, |object| note(&mut folders, &object)).await?;
    let Seen { places: mut needed, entries } = seen_since(&runs.journal(), current, unseen_since).await?;
    needed.extend(used(glue, &runs.metadata.database.name).await?);
    let is_over = |folder: &Folder| folder.run.started() < unseen_since && !needed.covers(&folder.location);
    let (expired, kept) = folders.into_values().partition(is_over);
    Ok(Found { expired, kept, needed, entries })
}

impl Folder {
    fn expired(&self) -> ExpiredRun {
        ExpiredRun { location: self.location.clone(), objects: self.objects, bytes: self.bytes }
    }
}

/// Deletes the manifests and entries of runs that have no files left. Last, so that an interrupted expiry is completed
/// by the next one.
async fn forget(runs: Runs<'_>, found: &Found, unseen_since: DateTime<Utc>) -> Result<(), Failure> {
    // a run that added nothing has no folder, but may still be the published one
    let mut left = found.needed.runs();
    left.extend(found.kept.iter().map(|folder| folder.run.clone()));
    let is_over = |run: &RunId| run.started() < unseen_since && !left.contains(run);
    let manifests = runs.store.list(runs.bucket, &runs.metadata.database.manifests()).await?;
    let manifests = manifests.iter().filter(|object| run_of_manifest(&object.key).is_some_and(|run| is_over(&run)));
    delete_all(runs, manifests).await?;
    let entries = runs.store.list(runs.bucket, &runs.metadata.database.publications()).await?;
    let of_no_use = |object: &&Object| {
        let key = EntryKey::parse(&object.key);
        key.is_some_and(|key| key.at < unseen_since && is_over(&key.run) && !found.entries.contains(&key.key))
    };
    delete_all(runs, entries.iter().filter(of_no_use)).await
}

/// Adds an object to the folder of its run. Objects in `_manifests/` and similar prefixes are in no run's folder.
fn note(folders: &mut BTreeMap<String, Folder>, object: &Object) {
    let Some((folder, run)) = run_folder(&object.key) else { return };
    let location = store::url(&object.bucket, folder);
    let folder = folders.entry(location.clone()).or_insert_with(|| Folder { location, run, objects: 0, bytes: 0 });
    folder.objects += 1;
    folder.bytes += object.bytes;
}

/// Returns the prefix `…/<table>/<run>/` of a key, and the run.
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

/// The locations that analysts could reach since a given time, from the decision and the journal.
#[derive(Debug, Default)]
struct Seen {
    places: Places,
    /// The keys of the journal entries that name these locations.
    entries: BTreeSet<String>,
}

/// Returns the locations of the decision, of the entry that `previous` leads to, and of all entries since the given
/// time. For each table, the last entry before that time also counts, as it was published at that time.
async fn seen_since(journal: &Journal<'_>, current: &Decision, since: DateTime<Utc>) -> Result<Seen, Failure> {
    let mut seen = Seen { places: current.places(), entries: BTreeSet::new() };
    // the decision is not in the journal yet: its state has been published since its own time
    let mut known: BTreeSet<String> = BTreeSet::new();
    if current.time() < since {
        known.extend(current.tables.iter().map(|table| table.state.table.clone()));
    }
    let keys = journal.keys().await?.into_iter().rev();
    let entries = stream::iter(keys.map(|key| async move { Ok::<_, Failure>((journal.read(&key.key).await?, key)) }));
    let mut entries = entries.buffered(ENTRIES_AT_ONCE);
    while let Some(read) = entries.next().await {
        let (Some(entry), key) = read? else { continue };
        let is_before = current.before.as_ref().is_some_and(|before| key.key.ends_with(before.as_str()));
        if is_before {
            seen.places.extend(entry.places());
            seen.entries.insert(key.key.clone());
        }
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

/// Returns the locations of the database's tables and partitions, now and before the last publication.
async fn used(glue: &Client, database: &str) -> Result<Places, Failure> {
    let mut places = Places::default();
    for table in tables_of(glue, database).await?.unwrap_or_default() {
        places.add(location_of(&table));
        places.add(previous(table.parameters()));
        if has_partitions(&table) {
            partitions::visit(glue, database, table.name(), Told::Places, |partition| {
                places.add(partitions::location(&partition));
                places.add(previous(partition.parameters()));
            })
            .await?;
        }
    }
    Ok(places)
}

/// Whether queries read the registered partitions.
fn has_partitions(table: &GlueTable) -> bool {
    !table.partition_keys().is_empty() && !projection::is_of(table)
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
}

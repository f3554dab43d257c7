//! The raw history, for engineers: an optional database with a table for each raw table, over what landed of it in
//! raw-hist, a partition for each folder `file_land_timestamp=<Unix seconds>`.
//!
//! Folders are found by a listing of raw-hist, as curate finds its files, and not in the manifest: so that tables which no
//! curated table reads are there too, and all of the history when the database is new. raw-hist is immutable, so that
//! partitions are added and never removed; those that were registered with other columns get the columns of now.
//!
//! What goes wrong here touches no curated table: it is reported, and the next publication tries again.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_glue::types::{Partition, PartitionInput};
use boot::metrics::{self, Unit};
use contract::message::RawHistory;
use contract::{DataFormat, Database, Failure, FileFormat, LandKey, Table, key};
use tokio::time::Instant;

use crate::table_input::TableDefinition;
use crate::{App, partitions, sync};

/// How often partitions are read and registered: once, and again where others register them at the same moment.
const ROUNDS: usize = 3;

/// Brings the raw database in line with what has landed; `None` when the metadata has no such database.
pub async fn sync(app: &App, deadline: Instant) -> Option<RawHistory> {
    // where files lie is the stack's to say
    let database = app.metadata.raw_database.as_ref()?;
    let database = Database { base_folder: app.base_folder.trim_matches('/').to_owned(), ..database.clone() };
    let mut done = RawHistory { database: database.name.clone(), ..RawHistory::default() };
    match sync::ensure_database(&app.glue, &database, &app.raw_hist_bucket).await {
        Ok(()) => {
            for table in app.metadata.raw.values() {
                let syncing = Box::pin(sync_table(app, &database.name, table));
                let synced = tokio::time::timeout_at(deadline, syncing).await.unwrap_or_else(|_| {
                    Err(Failure::timeout(format!("no time was left for table `{}.{}`", database.name, table.name)))
                });
                note(&mut done, table, synced);
            }
        }
        Err(failure) => {
            tracing::error!(database = done.database, error = %failure, "raw database is not there");
            done.problems.push(failure.message);
        }
    }
    metrics::emit(None, &[("RawHistoryProblems", Unit::Count, done.problems.len() as f64)]);
    Some(done)
}

fn note(done: &mut RawHistory, table: &Table, synced: Result<Synced, Failure>) {
    match synced {
        Ok(synced) => {
            if let Some(example) = &synced.left_out_example {
                let folders = synced.left_out;
                tracing::warn!(table = table.name, folders, example, "folders with files of another format left out");
            }
            done.tables += 1;
            done.partitions_added += synced.added;
            done.folders_left_out += synced.left_out;
        }
        Err(failure) if failure.kind.is_retryable() => {
            tracing::warn!(table = table.name, error = %failure, "raw table is behind");
            done.problems.push(failure.message);
        }
        Err(failure) => {
            tracing::error!(table = table.name, error = %failure, "raw table is not as described");
            done.problems.push(failure.message);
        }
    }
}

/// What was done about a table.
#[derive(Debug, Default)]
struct Synced {
    added: u64,
    left_out: u64,
    left_out_example: Option<String>,
}

async fn sync_table(app: &App, database: &str, table: &Table) -> Result<Synced, Failure> {
    let definition = TableDefinition::raw(table, &app.raw_hist_bucket, &app.base_folder)?;
    sync::ensure_table(&app.glue, database, &definition).await?;
    let listed = app.store.list(&app.raw_hist_bucket, &key::table_prefix(&app.base_folder, &table.name)).await?;
    let folders = Folders::of(table, &app.base_folder, listed.iter().map(|object| object.key.as_str()));
    let mut done = Synced {
        added: 0,
        left_out: folders.mixed.len() as u64,
        left_out_example: folders.mixed.first_key_value().map(|(_, key)| key.clone()),
    };
    let mut refusals = Vec::new();
    for _ in 0..ROUNDS {
        let registered = partitions::list(&app.glue, database, &table.name).await?;
        let plan = plan(&registered, &folders.readable, &definition)?;
        let added = plan.add.len();
        let changed = plan.change.into_iter().map(partitions::update_entry).collect::<Result<_, _>>()?;
        refusals = partitions::update(&app.glue, database, &table.name, changed).await?;
        let refused = partitions::create(&app.glue, database, &table.name, plan.add).await?;
        done.added += (added - refused.len().min(added)) as u64;
        refusals.extend(refused);
        if refusals.is_empty() {
            return Ok(done);
        }
    }
    let refusals = refusals.join("; ");
    Err(Failure::unavailable(format!("table `{database}.{}`: not all folders are registered: {refusals}", table.name)))
}

/// The folders of a table in raw-hist, by the time of landing.
#[derive(Debug, Default, PartialEq)]
struct Folders {
    /// All files are of the table's format.
    readable: BTreeSet<u64>,
    /// With a file that is not: its key. Athena reads all files of a table by one format.
    mixed: BTreeMap<u64, String>,
}

impl Folders {
    fn of<'a>(table: &Table, base_folder: &str, keys: impl Iterator<Item = &'a str>) -> Self {
        let mut folders = Self::default();
        for key in keys {
            // Hive's and Athena's rule: such names are not data
            let hidden = key.rsplit('/').next().is_none_or(|name| name.is_empty() || name.starts_with(['_', '.']));
            let Some((land, at)) =
                LandKey::parse(base_folder, key).ok().and_then(|k| Some((k.format, k.file_land_timestamp?)))
            else {
                continue;
            };
            if hidden {
                continue;
            }
            if is_read_as(table, land) {
                folders.readable.insert(at);
            } else {
                folders.mixed.entry(at).or_insert_with(|| key.to_owned());
            }
        }
        folders.readable.retain(|at| !folders.mixed.contains_key(at));
        folders
    }
}

/// Whether the table's format reads files of this extension.
fn is_read_as(table: &Table, file: FileFormat) -> bool {
    match table.data_format {
        _ if table.lines => file != FileFormat::Parquet,
        DataFormat::Regex => file != FileFormat::Parquet,
        DataFormat::Json => file == FileFormat::JsonLines,
        DataFormat::Csv | DataFormat::CsvQuotedNodate => file == FileFormat::Csv,
        DataFormat::Parquet => file == FileFormat::Parquet,
        DataFormat::Orc | DataFormat::Avro => false,
    }
}

/// What is to be done about a table's partitions.
#[derive(Debug, Default)]
struct Plan {
    add: Vec<PartitionInput>,
    change: Vec<PartitionInput>,
}

fn plan(registered: &[Partition], wanted: &BTreeSet<u64>, definition: &TableDefinition) -> Result<Plan, Failure> {
    let registered: BTreeMap<&[String], &Partition> = registered.iter().map(|found| (found.values(), found)).collect();
    let storage = &definition.storage_descriptor;
    let mut plan = Plan::default();
    for at in wanted {
        let values = vec![at.to_string()];
        let location = format!("{}{}={at}/", storage.location, key::FILE_LAND_TIMESTAMP);
        let list = match registered.get(values.as_slice()) {
            None => &mut plan.add,
            Some(found) => {
                let as_described = |found| storage.describes_partition(found, &location);
                if found.storage_descriptor().is_some_and(as_described) {
                    continue;
                }
                &mut plan.change
            }
        };
        let input =
            PartitionInput::builder().set_values(Some(values)).storage_descriptor(storage.descriptor(&location)?);
        list.push(input.build());
    }
    Ok(plan)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example;

    fn table(data_format: DataFormat) -> Table {
        Table { data_format, ..example::metadata().raw["random_postcodes"].clone() }
    }

    #[test]
    fn folders_are_readable_when_all_their_files_are_of_the_table_s_format() {
        let folders = |table: &Table, keys: &[&str]| {
            let keys: Vec<String> = keys.iter().map(|key| format!("base/random_postcodes/{key}")).collect();
            let found = Folders::of(table, "base", keys.iter().map(String::as_str));
            (found.readable.into_iter().collect::<Vec<_>>(), found.mixed.into_keys().collect::<Vec<_>>())
        };
        let keys = [
            "file_land_timestamp=5/a_5.jsonl.gz",
            "file_land_timestamp=5/_a_5.csv",
            "file_land_timestamp=6/a_6.csv",
            "file_land_timestamp=7/a_0_7.jsonl",
            "file_land_timestamp=7/a_1_7.csv.gz",
            "file_land_timestamp=8/a_8.parquet",
            "file_land_timestamp=9/",
            "other=9/a_9.jsonl",
        ];
        assert_eq!(folders(&table(DataFormat::Json), &keys), (vec![5], vec![6, 7, 8]));
        assert_eq!(folders(&table(DataFormat::CsvQuotedNodate), &keys), (vec![6], vec![5, 7, 8]));
        assert_eq!(folders(&table(DataFormat::Parquet), &keys), (vec![8], vec![5, 6, 7]));
        assert_eq!(folders(&table(DataFormat::Regex), &keys), (vec![5, 6, 7], vec![8]));
        assert_eq!(folders(&table(DataFormat::Orc), &keys), (vec![], vec![5, 6, 7, 8]));
        let lines = Table { lines: true, ..table(DataFormat::Json) };
        assert_eq!(folders(&lines, &keys), (vec![5, 6, 7], vec![8]));
    }

    #[test]
    fn partitions_are_added_or_brought_to_the_columns_of_now() {
        let definition = TableDefinition::raw(&table(DataFormat::Json), "raw-hist", "base").unwrap();
        let mut older = definition.clone();
        older.storage_descriptor.columns.pop();
        let registered = |definition: &TableDefinition, at: u64, location: &str| {
            let storage = definition.storage_descriptor.descriptor(location).unwrap();
            Partition::builder().values(at.to_string()).storage_descriptor(storage).build()
        };
        let folder = |at: u64| format!("s3://raw-hist/base/random_postcodes/file_land_timestamp={at}/");
        let found = [
            registered(&definition, 5, &folder(5)),
            registered(&older, 6, &folder(6)),
            registered(&definition, 7, "s3://elsewhere/"),
            // its folder is gone, or holds what cannot be read by now
            registered(&older, 9, &folder(9)),
        ];
        let plan = plan(&found, &BTreeSet::from([5, 6, 7, 8]), &definition).unwrap();
        let of = |inputs: &[PartitionInput]| -> Vec<(String, String)> {
            let location = |input: &PartitionInput| input.storage_descriptor().unwrap().location().unwrap().to_owned();
            inputs.iter().map(|input| (input.values()[0].clone(), location(input))).collect()
        };
        assert_eq!(of(&plan.add), [("8".into(), folder(8))]);
        assert_eq!(of(&plan.change), [("6".into(), folder(6)), ("7".into(), folder(7))]);
    }
}

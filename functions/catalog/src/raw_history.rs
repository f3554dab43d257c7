//! The raw database, for engineers: an optional Glue database with a table for each raw table, over its files in
//! raw-hist. Each folder `file_land_timestamp=<Unix seconds>` is a partition.
//!
//! Folders are found by listing raw-hist, as curate finds its files, and not from the manifest. This includes tables
//! that no curated table reads, and all of the history when the database is new. raw-hist is immutable, so partitions
//! are added and never removed. Partitions that were registered with other columns get the current ones.
//!
//! A failure here does not affect any curated table: it is reported, and the next publication tries again.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_glue::types::{Partition, PartitionInput};
use boot::metrics::{self, Unit};
use contract::message::RawHistory;
use contract::{Compression, DataFormat, Database, Failure, FileFormat, LandKey, Table, key};
use tokio::time::Instant;

use crate::app::App;
use crate::definition::TableDefinition;
use crate::glue_table;
use crate::partitions;
use crate::partitions::Told;

/// How often partitions are read and registered. More than once is needed if others register them at the same moment.
const ROUNDS: usize = 3;
/// Partitions that are sent to Glue in a call.
const BATCH: usize = 100;

/// Brings the raw database in line with raw-hist; `None` if the metadata does not have a raw database.
pub(crate) async fn update(app: &App, deadline: Instant) -> Option<RawHistory> {
    // the stack determines the location of files, not the metadata
    let database = app.metadata.raw_database.as_ref()?;
    let database = Database { base_folder: app.base_folder.trim_matches('/').to_owned(), ..database.clone() };
    let mut done = RawHistory { database: database.name.clone(), ..RawHistory::default() };
    let ensuring =
        tokio::time::timeout_at(deadline, glue_table::ensure_database(&app.glue, &database, &app.raw_hist_bucket));
    let no_time = |of: &str| Failure::timeout(format!("no time was left for {of}"));
    match ensuring.await.unwrap_or_else(|_| Err(no_time(&format!("database `{}`", database.name)))) {
        Ok(()) => {
            for table in app.metadata.raw.values() {
                let syncing = Box::pin(update_table(app, &database.name, table));
                let synced = tokio::time::timeout_at(deadline, syncing)
                    .await
                    .unwrap_or_else(|_| Err(no_time(&format!("table `{}.{}`", database.name, table.name))));
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

fn note(done: &mut RawHistory, table: &Table, synced: Result<Updated, Failure>) {
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

/// What was done for one table.
#[derive(Debug, Default)]
struct Updated {
    added: u64,
    left_out: u64,
    left_out_example: Option<String>,
}

/// Brings one table in line. Neither all files nor all partitions are held at once, as a long history would exceed the
/// function's memory.
async fn update_table(app: &App, database: &str, table: &Table) -> Result<Updated, Failure> {
    let definition = TableDefinition::raw(table, &app.raw_hist_bucket, &app.base_folder)?;
    glue_table::ensure_table(&app.glue, database, &definition).await?;
    let mut folders = Folders::default();
    let prefix = key::table_prefix(&app.base_folder, &table.name);
    app.store.visit(&app.raw_hist_bucket, &prefix, |object| folders.note(table, &app.base_folder, object.key)).await?;
    let mut done = Updated {
        added: 0,
        left_out: folders.mixed.len() as u64,
        left_out_example: folders.mixed.first_key_value().map(|(_, key)| key.clone()),
    };
    let mut refusals = Vec::new();
    for _ in 0..ROUNDS {
        refusals.clear();
        let mut registered = BTreeMap::new();
        partitions::visit(&app.glue, database, &table.name, Told::Columns, |partition| {
            registered.extend(time_of(&partition).map(|at| (at, is_as_described(&partition, at, &definition))));
        })
        .await?;
        let plan = plan(&registered, &folders);
        for times in plan.change.chunks(BATCH) {
            let entries = times.iter().map(|at| partitions::update_entry(input(*at, &definition)?));
            let entries = entries.collect::<Result<_, _>>()?;
            refusals.extend(partitions::update(&app.glue, database, &table.name, entries).await?);
        }
        for times in plan.add.chunks(BATCH) {
            let inputs = times.iter().map(|at| input(*at, &definition)).collect::<Result<_, _>>()?;
            let refused = partitions::create(&app.glue, database, &table.name, inputs).await?;
            done.added += times.len().saturating_sub(refused.len()) as u64;
            refusals.extend(refused);
        }
        if refusals.is_empty() {
            return Ok(done);
        }
    }
    let refusals = refusals.join("; ");
    Err(Failure::unavailable(format!("table `{database}.{}`: not all folders are registered: {refusals}", table.name)))
}

/// The folders of a table in raw-hist, by landing time.
#[derive(Debug, Default, PartialEq)]
struct Folders {
    /// With a file of the table's format.
    found: BTreeSet<u64>,
    /// With a file of another format: its key. Athena reads all files of a table with one format.
    mixed: BTreeMap<u64, String>,
}

impl Folders {
    fn note(&mut self, table: &Table, base_folder: &str, key: String) {
        // Hive and Athena ignore files with such names
        if key.rsplit('/').next().is_none_or(|name| name.is_empty() || name.starts_with(['_', '.'])) {
            return;
        }
        let Ok(LandKey { file_land_timestamp: Some(at), format, compression, .. }) = LandKey::parse(base_folder, &key)
        else {
            return;
        };
        if is_read_as(table, format, compression) {
            self.found.insert(at);
        } else {
            self.mixed.entry(at).or_insert(key);
        }
    }

    /// Returns the folders in which all files are of the table's format.
    fn readable(&self) -> impl Iterator<Item = u64> {
        self.found.iter().copied().filter(|at| !self.mixed.contains_key(at))
    }
}

/// Whether the table's SerDe reads files with this extension and Athena reads their compression.
/// <https://docs.aws.amazon.com/athena/latest/ug/compression-formats.html>
fn is_read_as(table: &Table, file: FileFormat, compression: Compression) -> bool {
    let is_text = !matches!(file, FileFormat::Parquet | FileFormat::Excel);
    let is_read = match table.data_format {
        _ if table.lines => is_text,
        DataFormat::Regex => is_text,
        DataFormat::Json => file == FileFormat::JsonLines,
        DataFormat::Csv | DataFormat::CsvQuotedNodate => file == FileFormat::Csv,
        DataFormat::Parquet => file == FileFormat::Parquet,
        DataFormat::Orc | DataFormat::Avro => false,
    };
    is_read && compression != Compression::Zip && table.is_written_as_usual()
}

/// The changes to a table's partitions.
#[derive(Debug, Default, PartialEq)]
struct HistoryPlan {
    /// Not registered yet.
    add: Vec<u64>,
    /// Registered with former columns or at a former location.
    change: Vec<u64>,
}

/// Compares the folders with the registered partitions, whose value is whether they are as described.
fn plan(registered: &BTreeMap<u64, bool>, folders: &Folders) -> HistoryPlan {
    let mut plan = HistoryPlan::default();
    for at in folders.readable() {
        match registered.get(&at) {
            None => plan.add.push(at),
            Some(false) => plan.change.push(at),
            Some(true) => {}
        }
    }
    plan
}

fn time_of(partition: &Partition) -> Option<u64> {
    match partition.values() {
        [at] => at.parse().ok(),
        _ => None,
    }
}

fn is_as_described(partition: &Partition, at: u64, definition: &TableDefinition) -> bool {
    let described = |found| definition.storage_descriptor.describes_partition(found, &location(at, definition));
    partition.storage_descriptor().is_some_and(described)
}

fn input(at: u64, definition: &TableDefinition) -> Result<PartitionInput, Failure> {
    let storage = definition.storage_descriptor.descriptor(&location(at, definition))?;
    Ok(PartitionInput::builder().values(at.to_string()).storage_descriptor(storage).build())
}

fn location(at: u64, definition: &TableDefinition) -> String {
    format!("{}{}={at}/", definition.storage_descriptor.location, key::FILE_LAND_TIMESTAMP)
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
            let mut folders = Folders::default();
            keys.iter().for_each(|key| folders.note(table, "base", format!("base/random_postcodes/{key}")));
            (folders.readable().collect::<Vec<_>>(), folders.mixed.into_keys().collect::<Vec<_>>())
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
        let registered = |at: u64, input: PartitionInput| {
            let storage = input.storage_descriptor;
            let found = Partition::builder().set_values(input.values).set_storage_descriptor(storage).build();
            assert_eq!(time_of(&found), Some(at));
            (at, is_as_described(&found, at, &definition))
        };
        let mut elsewhere = input(7, &definition).unwrap();
        elsewhere.storage_descriptor.as_mut().unwrap().location = Some("s3://elsewhere/".into());
        let found = BTreeMap::from([
            registered(5, input(5, &definition).unwrap()),
            registered(6, input(6, &older).unwrap()),
            registered(7, elsewhere),
            // its folder was deleted, or now holds a file that cannot be read
            registered(9, input(9, &older).unwrap()),
        ]);
        let folders =
            Folders { found: BTreeSet::from([5, 6, 7, 8, 9]), mixed: BTreeMap::from([(9, "a_9.csv".into())]) };
        assert_eq!(plan(&found, &folders), HistoryPlan { add: vec![8], change: vec![6, 7] });
        let described = input(8, &definition).unwrap();
        let location = described.storage_descriptor().unwrap().location();
        assert_eq!(location, Some("s3://raw-hist/base/random_postcodes/file_land_timestamp=8/"));
    }
}

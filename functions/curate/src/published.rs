//! Looks up the published run of a table, which an appending run starts from, and its published partitions.

use std::collections::{BTreeMap, HashSet};

use aws_sdk_glue::Client;
use contract::{Failure, FailureKind, Manifest, MetaData, RUN_PARAMETER, RunId, Table, TableOutput};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::area::Area;

/// The place to look up the published run of a table.
#[derive(Clone, Debug)]
pub enum Published {
    /// The Glue catalog.
    Glue(Client),
    /// Local folders have no catalog, so the last run counts as published.
    LastRun,
}

impl Published {
    /// Returns the manifest of the run that a table points at, or `None` if it points at no run.
    ///
    /// # Errors
    /// Fails if Glue or S3 does not answer, or if the manifest cannot be read.
    pub async fn manifest(
        &self,
        metadata: &MetaData,
        curated: &Area,
        table: &str,
    ) -> Result<Option<Manifest>, Failure> {
        match self {
            Self::Glue(glue) => match run(glue, &metadata.database.name, table).await? {
                Some(run) => read(curated, &metadata.database.manifest(&run)).await,
                None => Ok(None),
            },
            Self::LastRun => {
                let mut keys: Vec<_> =
                    curated.list(&metadata.database.manifests()).await?.into_iter().map(|object| object.key).collect();
                keys.sort();
                for key in keys.iter().rev() {
                    let manifest: Option<Manifest> = read(curated, key).await?;
                    if manifest.as_ref().is_some_and(|found| found.tables.iter().any(|output| output.table == table)) {
                        return Ok(manifest);
                    }
                }
                Ok(None)
            }
        }
    }
}

impl Published {
    /// Returns a table as the decision has it, with the partitions of all runs. Returns `None` if the table is not
    /// published, or if it was published by a version that wrote no decisions.
    ///
    /// # Errors
    /// Fails if S3 does not answer, or if the decision cannot be read.
    pub async fn table(
        &self,
        metadata: &MetaData,
        curated: &Area,
        table: &str,
    ) -> Result<Option<PublishedTable>, Failure> {
        if let Self::LastRun = self {
            let manifest = self.manifest(metadata, curated, table).await?;
            let output = manifest.and_then(|manifest| manifest.tables.into_iter().find(|one| one.table == table));
            return Ok(output.map(PublishedTable::of_run));
        }
        let decision: Option<Decision> =
            read(curated, &format!("{}current.json", metadata.database.publications())).await?;
        Ok(decision.and_then(|decision| decision.tables.into_iter().find(|one| one.table == table)))
    }
}

/// The part of the decision that curate reads.
#[derive(Debug, Deserialize)]
struct Decision {
    tables: Vec<PublishedTable>,
}

/// A table as the decision has it.
#[derive(Debug, Deserialize)]
pub struct PublishedTable {
    table: String,
    location: String,
    /// Its partitions, which may be in the folders of several runs.
    pub partitions: Vec<PublishedPartition>,
    #[serde(default)]
    definition: Definition,
    /// The types of columns that are in files of partitions but are no longer described, by name.
    #[serde(default)]
    undescribed: BTreeMap<String, String>,
}

/// The table's definition in Glue.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Definition {
    storage_descriptor: Storage,
    partition_keys: Vec<GlueColumn>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Storage {
    columns: Vec<GlueColumn>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct GlueColumn {
    name: String,
    r#type: String,
}

/// A partition as the decision has it.
#[derive(Debug, Deserialize)]
pub struct PublishedPartition {
    /// A value for each partition column.
    pub values: Vec<String>,
    /// Its location, `s3://…/<run>/<column>=<value>/`.
    pub location: String,
    #[serde(default)]
    written_by: Option<RunId>,
}

impl PublishedTable {
    /// Returns the run that the table points at, or `None` if no run made it.
    pub fn run(&self) -> Option<RunId> {
        RunId::of_location(&self.location)
    }

    /// Refuses a run's table if a column's type differs from that in the files of partitions that stay. Catalog would
    /// refuse it too, but here only this table fails.
    ///
    /// # Errors
    /// Fails if the partition columns have changed, or at the first column whose type has.
    pub fn check_types(&self, table: &Table, output: &TableOutput) -> Result<(), Failure> {
        let written: HashSet<&Vec<String>> = output.partitions.iter().map(|partition| &partition.values).collect();
        let stay = self.partitions.iter().filter(|partition| !written.contains(&partition.values)).count();
        if stay == 0 || self.run().is_none() {
            return Ok(());
        }
        let keys: Vec<&str> = self.definition.partition_keys.iter().map(|column| column.name.as_str()).collect();
        if !keys.is_empty() && keys != table.partitions.iter().map(String::as_str).collect::<Vec<_>>() {
            return Err(Failure::repartitioned(&table.name, &keys, &table.partitions, stay));
        }
        let described = self.definition.storage_descriptor.columns.iter().chain(&self.definition.partition_keys);
        let described = described.map(|column| (column.name.as_str(), column.r#type.as_str()));
        let held = self.undescribed.iter().map(|(name, kind)| (name.as_str(), kind.as_str()));
        let held: BTreeMap<&str, &str> = held.chain(described).collect();
        for column in &table.columns {
            let to = column.column_type.glue();
            if let Some(from) = held.get(column.name.as_str()).filter(|from| **from != to) {
                return Err(Failure::retyped(&table.name, &column.name, from, &to, stay));
            }
        }
        Ok(())
    }

    fn of_run(output: TableOutput) -> Self {
        let copied = output.completed.into_iter().flat_map(|completed| completed.copied);
        let mut written_by: BTreeMap<_, _> = copied.map(|copy| (copy.values, copy.written_by)).collect();
        let partitions = output.partitions.into_iter().map(|partition| PublishedPartition {
            written_by: written_by.remove(&partition.values),
            values: partition.values,
            location: partition.location,
        });
        Self {
            table: output.table,
            location: output.location,
            partitions: partitions.collect(),
            definition: Definition::default(),
            undescribed: BTreeMap::new(),
        }
    }
}

impl PublishedPartition {
    /// Returns the run whose folder holds the partition, and the partition's folder within it: `day=2026-11-24/`.
    pub fn place(&self) -> Option<(RunId, String)> {
        let folders: Vec<&str> = self.location.trim_end_matches('/').split('/').collect();
        let above = folders.len().checked_sub(self.values.len() + 1)?;
        Some((RunId::parse(folders[above])?, format!("{}/", folders[above + 1..].join("/"))))
    }

    /// Returns the run that wrote its rows.
    pub fn written_by(&self) -> Option<RunId> {
        self.written_by.clone().or_else(|| Some(self.place()?.0))
    }
}

async fn run(glue: &Client, database: &str, table: &str) -> Result<Option<RunId>, Failure> {
    match glue.get_table().database_name(database).name(table).send().await {
        Ok(found) => {
            let table = found.table();
            let location = table.and_then(|table| table.storage_descriptor()).and_then(|storage| storage.location());
            let named = table.and_then(|table| table.parameters()).and_then(|parameters| parameters.get(RUN_PARAMETER));
            Ok(location.and_then(|location| RunId::of_table(location, named.map(String::as_str))))
        }
        Err(error) => match boot::aws::failure(&error) {
            failure if failure.kind == FailureKind::NotFound => Ok(None),
            failure => Err(failure.context(format!("asking where `{database}.{table}` is"))),
        },
    }
}

/// Reads a JSON object. Returns `None` if it does not exist.
///
/// # Errors
/// Fails if S3 does not answer, or if the object cannot be parsed.
pub async fn read<T: DeserializeOwned>(curated: &Area, key: &str) -> Result<Option<T>, Failure> {
    let Some(text) = curated.read_whole(key).await? else { return Ok(None) };
    let found = serde_json::from_slice(&text);
    found.map(Some).map_err(|error| Failure::bad_data(format!("{} cannot be read: {error}", curated.url(key))))
}

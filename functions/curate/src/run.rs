//! One run: every table that was asked for, built from one listing of the raw tables, and the manifest at the end.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, Utc};
use contract::message::{BuiltTable, CurateResponse, ObjectName, RebuildRequest};
use contract::{
    Column, Failure, Manifest, MetaData, Mode, PartitionOutput, ReadFrom, Replaces, RunId, Table, TableOutput,
};

use crate::Settings;
use crate::append::{Append, Base};
use crate::area::{Area, Areas};
use crate::complete;
use crate::secrets::{self, Secrets};
use crate::source::{self, RawTable};
use crate::tables::Tables;
use crate::transform::{self, Plan, Source, Variables};

/// A run that is about to begin.
pub struct Run<'a> {
    metadata: &'a MetaData,
    settings: &'a Settings,
    id: RunId,
    snapshot_date: String,
    as_of: Option<u64>,
    /// The only files to read, with their entity tags, by key.
    pinned: Option<BTreeMap<String, String>>,
    /// The only files to read for tables to which runs append, by table.
    added: Option<BTreeMap<String, HashSet<String>>>,
    from_scratch: bool,
    variables: Variables,
    plan: Plan,
}

impl<'a> Run<'a> {
    /// Decides all that can be decided without reading data: wrong SQL or a wrong request fail here.
    pub fn plan(
        metadata: &'a MetaData,
        settings: &'a Settings,
        request: &RebuildRequest,
        request_id: &str,
        now: DateTime<Utc>,
    ) -> Result<Self, Failure> {
        let snapshot_date = match &request.snapshot_date {
            None => now.format("%Y-%m-%d").to_string(),
            Some(text) => match NaiveDate::parse_from_str(text, "%Y-%m-%d") {
                Ok(date) if date.format("%Y-%m-%d").to_string() == *text => text.clone(),
                _ => {
                    return Err(Failure::bad_input(format!(
                        "snapshot_date is `{text}`, expected a date such as 2026-11-23"
                    )));
                }
            },
        };
        let variables = Variables::new(&settings.dea_version, &snapshot_date, now.timestamp())?;
        let plan = transform::plan(metadata, &request.tables, &variables)?;
        let id = RunId::new(now, request_id);
        let RebuildRequest { as_of, from_scratch, .. } = *request;
        Ok(Self {
            metadata,
            settings,
            id,
            snapshot_date,
            as_of,
            pinned: None,
            added: None,
            from_scratch,
            variables,
            plan,
        })
    }

    /// A run that was built before, to be built of the same files.
    pub fn again(
        metadata: &'a MetaData,
        settings: &'a Settings,
        request: &RebuildRequest,
        manifest: &Manifest,
    ) -> Result<Self, Failure> {
        let run = Self::plan(metadata, settings, request, "again", manifest.run.started())?;
        let pinned = manifest.inputs.iter().map(|file| (file.key.clone(), file.etag.clone())).collect();
        let added = manifest.tables.iter().filter_map(|output| {
            let appended = output.appended.as_ref()?;
            Some((output.table.clone(), appended.added.iter().cloned().collect()))
        });
        Ok(Self { pinned: Some(pinned), added: Some(added.collect()), ..run })
    }

    /// Builds the tables in a folder of their own, without a manifest: nothing can be published of it.
    /// Gives them, and the names of those of which no message may name a partition.
    pub async fn build_again(
        self,
        areas: &Areas,
        folder: &str,
    ) -> Result<(Vec<TableOutput>, HashSet<String>), Failure> {
        let raw = self.list(areas).await?;
        let base = self.metadata.database.base();
        let (tables, _) = self.tables(areas, &raw, |table| format!("{folder}{base}{}/", table.location)).await?;
        let hidden = self.hidden_partitions(&raw).await;
        let hidden = hidden.into_iter().filter(|(_, columns)| columns.contains(&true)).map(|(table, _)| table);
        Ok((tables, hidden.collect()))
    }

    /// Reads, transforms, writes.
    pub async fn build(self, areas: &Areas) -> Result<Built, Failure> {
        let raw = self.list(areas).await?;
        let base = self.metadata.database.base();
        let folder = |table: &Table| format!("{base}{}/{}/", table.location, self.id);
        let (tables, read) = self.tables(areas, &raw, folder).await?;
        let hidden = self.hidden_partitions(&raw).await;
        let manifest = self.publishable(&areas.curated, &raw, tables, &read);
        let key = self.write_manifest(&areas.curated, &manifest).await?;
        Ok(Built { manifest, key, hidden })
    }

    /// The tables that were asked for, in the order of the plan, and the raw tables that were read for them.
    async fn tables(
        &self,
        areas: &Areas,
        raw: &BTreeMap<String, Arc<RawTable>>,
        folder: impl Fn(&Table) -> String,
    ) -> Result<(Vec<TableOutput>, Vec<Arc<RawTable>>), Failure> {
        let (area, settings) = (&areas.curated, self.settings);
        let asked = self.plan.order.iter().filter(|query| self.plan.asked.contains(&query.table.name));
        let (appending, others): (Vec<_>, Vec<_>) = asked.partition(|query| query.table.mode == Mode::Append);
        let appending = appending.into_iter().map(|query| {
            let folder = folder(&query.table);
            Append { plan: &self.plan, query, raw, area, folder, settings }
        });
        let appending: Vec<_> = appending.collect();
        for append in &appending {
            append.raw_table().await?;
        }
        let mut read: Vec<_> = raw.values().cloned().collect();
        let mut outputs = BTreeMap::new();
        if !others.is_empty() {
            let asked = others.iter().map(|query| query.table.name.clone()).collect();
            let plan = Plan { asked, ..self.plan.clone() };
            let built = Tables { plan: &plan, raw, area, settings }.build(&folder).await?;
            for output in built {
                outputs.insert(output.table.clone(), self.whole(areas, &folder, output).await?);
            }
        }
        for append in appending {
            let table = &append.query.table;
            let (output, raw) = match self.added.as_ref().map(|added| added.get(&table.name)) {
                None => append.build(self.published(areas, table).await?).await?,
                Some(added) => append.build_only(|key| added.is_some_and(|added| added.contains(key))).await?,
            };
            read.push(raw);
            outputs.insert(table.name.clone(), output);
        }
        let in_order = self.plan.order.iter().filter_map(|query| outputs.remove(&query.table.name));
        Ok((in_order.collect(), read))
    }

    /// A table of which the run replaces some partitions: with the others, where each run is to be whole. Built from scratch
    /// it has no others.
    async fn whole(
        &self,
        areas: &Areas,
        folder: impl Fn(&Table) -> String,
        output: TableOutput,
    ) -> Result<TableOutput, Failure> {
        let table = self.metadata.curated_table(&output.table).map_err(Failure::bad_metadata)?;
        if self.from_scratch {
            return Ok(TableOutput { replaces: Replaces::Table, ..output });
        }
        // what is built again is compared as it was written
        if table.mode != Mode::Partition || self.pinned.is_some() {
            return Ok(output);
        }
        let published = areas.published.table(self.metadata, &areas.curated, &table.name).await?;
        if let Some(published) = &published {
            published.check_types(table, &output)?;
        }
        if !table.self_contained {
            return Ok(output);
        }
        complete::complete(&areas.curated, self.metadata, table, &folder(table), published, output).await
    }

    /// The partition columns whose values are told to nobody, by table.
    async fn hidden_partitions(&self, raw: &BTreeMap<String, Arc<RawTable>>) -> BTreeMap<String, Vec<bool>> {
        let mut hidden = BTreeMap::new();
        let asked = self.plan.order.iter().map(|query| &query.table);
        for table in asked.filter(|table| !table.partitions.is_empty() && self.plan.asked.contains(&table.name)) {
            let secrets = Secrets::of_table(&self.plan, raw, table).await;
            let columns = table.partitions.iter().map(|column| secrets.column(column).is_some());
            hidden.insert(table.name.clone(), columns.collect());
        }
        hidden
    }

    /// What the run may add to.
    async fn published(&self, areas: &Areas, table: &Table) -> Result<Option<Base>, Failure> {
        if self.from_scratch || self.as_of.is_some() {
            return Ok(None);
        }
        let manifest = areas.published.manifest(self.metadata, &areas.curated, &table.name).await?;
        Ok(manifest.and_then(|manifest| Base::of(manifest, table)))
    }

    /// Every raw table that some query reads, listed once. No files is a failure: there is nothing to build from.
    async fn list(&self, areas: &Areas) -> Result<BTreeMap<String, Arc<RawTable>>, Failure> {
        let mut raw = BTreeMap::new();
        for query in &self.plan.order {
            for (name, _) in query.reads.iter().filter(|(_, source)| **source == Source::Raw) {
                if !raw.contains_key(name) {
                    raw.insert(name.clone(), self.list_table(areas, name).await?);
                }
            }
        }
        Ok(raw)
    }

    async fn list_table(&self, areas: &Areas, name: &str) -> Result<Arc<RawTable>, Failure> {
        let read_from = self.metadata.raw_table(name).map_err(Failure::bad_metadata)?.read_from;
        let table = self.metadata.source_table(name).map_err(Failure::bad_metadata)?;
        let area = match read_from {
            ReadFrom::RawHist => &areas.raw_hist,
            ReadFrom::Raw => &areas.raw,
            ReadFrom::Processed => &areas.processed,
        };
        let base_folder = &self.settings.base_folder;
        // no key is written twice there, so that when a file was written tells whether it was there
        let wanted = |object: &store::Object| match &self.pinned {
            Some(pinned) => pinned.contains_key(&object.key),
            None => self.as_of.is_none_or(|as_of| object.last_modified <= as_of),
        };
        let files = source::list(area, base_folder, table, wanted).await?;
        let changed = self.pinned.iter().flat_map(|pinned| {
            files.iter().map(|file| &file.object).filter(|object| pinned.get(&object.key) != Some(&object.etag))
        });
        if let Some(object) = changed.into_iter().next() {
            let url = area.url(&object.key);
            return Err(Failure::conflict(format!("{url}: it is no longer the file that the run read")));
        }
        let prefix = contract::key::table_prefix(base_folder, name);
        let gone = self
            .pinned
            .iter()
            .flat_map(BTreeMap::keys)
            .find(|key| key.starts_with(&prefix) && !files.iter().any(|file| file.object.key == **key));
        if let Some(key) = gone {
            return Err(Failure::not_found(format!("{}: the run read it, and it is gone", area.url(key))));
        }
        // a run that is built again may have read none of its files, where nothing of them was asked for
        if files.is_empty() && self.pinned.is_none() {
            let place = area.url(&prefix);
            let then = match self.as_of {
                None => "land a file that passes validation, then run again".to_owned(),
                Some(as_of) => format!("none had come there by {as_of} (Unix seconds): ask for a later time"),
            };
            return Err(Failure::not_found(format!("table `{name}`: no files under {place}; {then}")));
        }
        let table = self.marked(area, table).await;
        Ok(RawTable::new(area, &table, files, self.settings.cores))
    }

    /// The table with the marks of the raw columns that its own are made of, where it is one that the process stage makes.
    async fn marked(&self, area: &Area, table: &Table) -> Table {
        let made_of = self.metadata.raw.get(&table.name);
        let Some(made_of) = made_of.filter(|raw| !std::ptr::eq(*raw, table) && secrets::has_secrets(raw)) else {
            return table.clone();
        };
        match transform::plan_processing(self.metadata, table, &self.variables) {
            Ok(plan) => secrets::marked(&plan, &RawTable::new(area, made_of, Vec::new(), 1), table).await,
            // its SQL is the business of the process stage; here nothing is known of its columns
            Err(_) => {
                let columns = table.columns.iter().map(|column| Column { sensitive: true, ..column.clone() });
                Table { columns: columns.collect(), ..table.clone() }
            }
        }
    }

    fn publishable(
        &self,
        curated: &Area,
        raw: &BTreeMap<String, Arc<RawTable>>,
        tables: Vec<TableOutput>,
        read: &[Arc<RawTable>],
    ) -> Manifest {
        // a file may have been read for several tables
        let inputs = read.iter().flat_map(|table| table.inputs());
        let inputs: BTreeMap<_, _> = inputs.map(|file| ((file.table.clone(), file.key.clone()), file)).collect();
        Manifest {
            run: self.id.clone(),
            database: self.metadata.database.name.clone(),
            dea_version: self.settings.dea_version.clone(),
            snapshot_date: self.snapshot_date.clone(),
            metadata_sha256: self.metadata.sha256.clone(),
            bucket: curated.name(),
            as_of: self.as_of,
            newest_file_land_timestamp: raw.values().filter_map(|table| table.newest()).max(),
            inputs: inputs.into_values().collect(),
            tables,
        }
    }

    async fn write_manifest(&self, curated: &Area, manifest: &Manifest) -> Result<String, Failure> {
        let key = format!("{}{}.json", self.metadata.database.manifests(), self.id);
        let body = serde_json::to_vec_pretty(manifest).map_err(Failure::internal)?;
        curated.put(&key, body, "application/json").await?;
        Ok(key)
    }
}

/// A run that is whole, with its manifest.
#[derive(Clone, Debug)]
pub struct Built {
    /// What was read and written.
    pub manifest: Manifest,
    /// The manifest's key.
    pub key: String,
    /// Of tables with partitions, for each partition column whether its values are told to nobody.
    hidden: BTreeMap<String, Vec<bool>>,
}

impl Built {
    /// In short, for catalog and for people.
    pub fn answer(&self) -> CurateResponse {
        let tables = self.manifest.tables.iter().map(|table| BuiltTable {
            table: table.table.clone(),
            rows: table.rows,
            bytes: table.bytes,
            files: table.files.len() as u64,
            partitions: table.partitions.iter().map(|partition| self.in_table(partition, table)).collect(),
        });
        let manifest = ObjectName { bucket: self.manifest.bucket.clone(), key: self.key.clone() };
        CurateResponse { run: self.manifest.run.clone(), manifest, tables: tables.collect() }
    }

    /// `column=value/…`
    fn in_table(&self, partition: &PartitionOutput, table: &TableOutput) -> String {
        let folder = partition.location.strip_prefix(&table.location).unwrap_or(&partition.location);
        let hidden = self.hidden.get(&table.table).into_iter().flatten().chain(std::iter::repeat(&false));
        let parts =
            folder.trim_end_matches('/').split('/').zip(hidden).map(|(part, hidden)| match part.split_once('=') {
                Some((column, _)) if *hidden => format!("{column}=(hidden: sensitive)"),
                _ => part.to_owned(),
            });
        parts.collect::<Vec<_>>().join("/")
    }
}

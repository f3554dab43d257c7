//! Builds one run: every requested table, from one listing of the raw tables, and the manifest at the end.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, Utc};
use contract::message::{BuiltTable, CurateResponse, FailedTable, ObjectName, Outcome, RebuildRequest};
use contract::{
    Column, Failure, Manifest, MetaData, Mode, PartitionOutput, ReadFrom, Replaces, RunId, Table, TableOutput, quoted,
};

use crate::append::{Append, Base};
use crate::area::Area;
use crate::areas::Areas;
use crate::complete;
use crate::failed::Failed;
use crate::query::ReadTable;
use crate::secrecy;
use crate::settings::Settings;
use crate::size;
use crate::source::{self, RawTable};
use crate::tables::Tables;
use crate::transform::{self, BuildPlan, Variables};

/// A run that is planned but has not started.
pub struct Run<'a> {
    metadata: &'a MetaData,
    settings: &'a Settings,
    id: RunId,
    snapshot_date: String,
    as_of: Option<u64>,
    /// If set, the only files to read: their entity tags by key.
    pinned: Option<BTreeMap<String, String>>,
    /// If set, the only files to read for tables of mode `append`: their keys by table.
    added: Option<BTreeMap<String, HashSet<String>>>,
    from_scratch: bool,
    /// Whether the request names its tables.
    named: bool,
    variables: Variables,
    plan: BuildPlan,
}

impl<'a> Run<'a> {
    /// Plans the run without reading data. Wrong SQL and wrong requests fail here.
    ///
    /// # Errors
    /// Fails if the request is wrong, or if the SQL of no requested table can be planned.
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
        plan.check_any_left()?;
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
            named: !request.tables.is_empty(),
            variables,
            plan,
        })
    }

    /// Plans an earlier run again, with the same files.
    ///
    /// # Errors
    /// Fails like [`Run::plan`].
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

    /// Builds the tables under `folder`, without a manifest, so that they cannot be published. Returns them, and the
    /// names of the tables whose partitions no message may name.
    ///
    /// # Errors
    /// Fails if a table cannot be built.
    pub async fn build_again(
        self,
        areas: &Areas,
        folder: &str,
    ) -> Result<(Vec<TableOutput>, HashSet<String>), Failure> {
        let Listed { raw, plan, .. } = self.list(areas).await?;
        let base = self.metadata.database.base();
        let folder = |table: &Table| format!("{folder}{base}{}/", table.location);
        let Outputs { tables, failed, .. } = self.tables(areas, &plan, &raw, folder).await?;
        if let Some(failure) = failed.whole() {
            return Err(failure);
        }
        let hidden = self.hidden_partitions(&plan, &raw).await;
        let hidden = hidden.into_iter().filter(|(_, columns)| columns.contains(&true)).map(|(table, _)| table);
        Ok((tables, hidden.collect()))
    }

    /// Builds the tables and writes the manifest. A table that fails is left out, and so are the tables that read it.
    ///
    /// # Errors
    /// Fails if no table can be built, or if a service does not answer. Failures of single tables are in the answer.
    pub async fn build(self, areas: &Areas) -> Result<Built, Failure> {
        let Listed { raw, plan, without_files, strays } = self.list(areas).await?;
        let base = self.metadata.database.base();
        let folder = |table: &Table| format!("{base}{}/{}/", table.location, self.id);
        let Outputs { mut tables, read, mut failed } = self.tables(areas, &plan, &raw, folder).await?;
        self.check_emptied(areas, &plan, &without_files, &tables, &mut failed).await?;
        tables.retain(|output| !failed.has(&output.table));
        if let Some(failure) = failed.whole().filter(|_| tables.is_empty()) {
            return Err(failure);
        }
        let hidden = self.hidden_partitions(&plan, &raw).await;
        let manifest = self.publishable(&areas.curated, &raw, tables, &read);
        let key = self.write_manifest(&areas.curated, &manifest).await?;
        let failed = failed.told(|table| self.plan.asked.contains(table));
        let without_files = without_files.into_keys().collect();
        Ok(Built { manifest, key, hidden, failed, without_files, strays })
    }

    /// Builds the requested tables of the plan.
    async fn tables(
        &self,
        areas: &Areas,
        plan: &BuildPlan,
        raw: &BTreeMap<String, Arc<RawTable>>,
        folder: impl Fn(&Table) -> String,
    ) -> Result<Outputs, Failure> {
        let (area, settings) = (&areas.curated, self.settings);
        let mut failed = plan.failed.clone();
        let asked = plan.order.iter().filter(|query| plan.asked.contains(&query.table.name));
        let (appending, others): (Vec<_>, Vec<_>) = asked.partition(|query| query.table.mode == Mode::Append);
        let appending = appending.into_iter().map(|query| {
            let folder = folder(&query.table);
            Append { plan, query, raw, area, folder, settings }
        });
        let appending: Vec<_> = appending.collect();
        let mut read: Vec<_> = raw.values().cloned().collect();
        let mut outputs = BTreeMap::new();
        if !others.is_empty() {
            let asked = others.iter().map(|query| query.table.name.clone()).collect();
            let plan = BuildPlan { asked, ..plan.clone() };
            let names: BTreeSet<_> = others.iter().flat_map(|query| plan.raw_tables(&query.table.name)).collect();
            size::check(raw.iter().filter(|(name, _)| names.contains(name.as_str())).map(|(_, raw)| raw), settings)?;
            let built = Tables { plan: &plan, raw, area, settings }.build(&folder).await?;
            failed.extend(built.failed);
            for output in built.outputs {
                let table = output.table.clone();
                match self.whole(areas, &folder, output).await {
                    Ok(output) => drop(outputs.insert(table, output)),
                    Err(failure) => failed.add(&table, failure)?,
                }
            }
        }
        for append in &appending {
            if failed.has(&append.query.table.name) {
                continue;
            }
            match self.add_to(areas, append).await {
                Ok((output, raw)) => {
                    read.push(raw);
                    outputs.insert(output.table.clone(), output);
                }
                Err(failure) => failed.add(&append.query.table.name, failure)?,
            }
        }
        // a table that reads one of mode `append` runs its query, so it fails with it
        failed.spread(plan.order.iter());
        let built = plan.order.iter().map(|query| &query.table.name).filter(|table| !failed.has(table));
        let tables = built.filter_map(|table| outputs.remove(table)).collect();
        Ok(Outputs { tables, read, failed })
    }

    /// Adds the missing rows to a table. Returns the table, and the raw table reduced to the files that were read.
    async fn add_to(&self, areas: &Areas, append: &Append<'_>) -> Result<(TableOutput, Arc<RawTable>), Failure> {
        let table = &append.query.table;
        match self.added.as_ref().map(|added| added.get(&table.name)) {
            None => append.build(self.published(areas, table).await?).await,
            Some(added) => append.build_only(|key| added.is_some_and(|added| added.contains(key))).await,
        }
    }

    /// Keeps a published table with rows from being replaced by an empty one because a raw table has no files. That raw
    /// table may be new, but it may also have been renamed or have lost its files. The empty table is wanted only if
    /// the request names it and is `from_scratch`.
    async fn check_emptied(
        &self,
        areas: &Areas,
        plan: &BuildPlan,
        without_files: &BTreeMap<String, String>,
        tables: &[TableOutput],
        failed: &mut Failed,
    ) -> Result<(), Failure> {
        let emptied = tables.iter().filter(|output| output.rows == 0 && output.replaces == Replaces::Table);
        for output in emptied.filter(|_| !(self.from_scratch && self.named)) {
            let raw = plan.raw_tables(&output.table);
            let Some((name, place)) = without_files.iter().find(|(name, _)| raw.contains(name.as_str())) else {
                continue;
            };
            let published = areas.published.manifest(self.metadata, &areas.curated, &output.table).await?;
            let rows = published.map_or(0, |manifest| rows_of(&manifest, &output.table));
            if rows > 0 {
                failed.add(
                    &output.table,
                    Failure::not_found(format!(
                        "table `{}` would be empty, as raw table `{name}` has no files under {place}{}; the {rows} \
                         rows that it has stay. If they are to go, ask for it with {{\"tables\": [\"{}\"], \
                         \"from_scratch\": true}}",
                        output.table,
                        self.by_then(),
                        output.table
                    )),
                )?;
            }
        }
        failed.spread(plan.order.iter());
        Ok(())
    }

    fn by_then(&self) -> String {
        self.as_of.map(|as_of| format!(" that had come by {as_of} (Unix seconds)")).unwrap_or_default()
    }

    /// Completes a table of mode `partition`: if it is `self_contained`, the partitions that the run did not write are
    /// copied. A named table that is built from scratch has no other partitions.
    async fn whole(
        &self,
        areas: &Areas,
        folder: impl Fn(&Table) -> String,
        output: TableOutput,
    ) -> Result<TableOutput, Failure> {
        let table = self.metadata.curated_table(&output.table).map_err(Failure::bad_metadata)?;
        // only a request that names the table drops its other partitions, because some may be impossible to rebuild
        if self.from_scratch && self.named {
            return Ok(TableOutput { replaces: Replaces::Table, ..output });
        }
        // a verified run is compared as it was written, without copied partitions
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

    /// Returns, by table, whether the values of each partition column are hidden from messages.
    async fn hidden_partitions(
        &self,
        plan: &BuildPlan,
        raw: &BTreeMap<String, Arc<RawTable>>,
    ) -> BTreeMap<String, Vec<bool>> {
        let mut hidden = BTreeMap::new();
        let asked = plan.order.iter().map(|query| &query.table);
        for table in asked.filter(|table| !table.partitions.is_empty() && plan.asked.contains(&table.name)) {
            let secrets = secrecy::of_table(plan, raw, table).await;
            let columns = table.partitions.iter().map(|column| secrets.column(column).is_some());
            hidden.insert(table.name.clone(), columns.collect());
        }
        hidden
    }

    /// Returns the published run that a run may add rows to, if there is one.
    async fn published(&self, areas: &Areas, table: &Table) -> Result<Option<Base>, Failure> {
        if self.from_scratch || self.as_of.is_some() {
            return Ok(None);
        }
        let manifest = areas.published.manifest(self.metadata, &areas.curated, &table.name).await?;
        Ok(manifest.and_then(|manifest| Base::of(manifest, table)))
    }

    /// Lists every raw table that a query reads, once. A query is left out if one of its raw tables cannot be listed,
    /// for example a `required` one without files.
    async fn list(&self, areas: &Areas) -> Result<Listed, Failure> {
        let mut listed = Listed::of(self.plan.clone());
        let mut missing: BTreeMap<&String, Failure> = BTreeMap::new();
        for query in &self.plan.order {
            for (name, _) in query.reads.iter().filter(|(_, source)| **source == ReadTable::Raw) {
                if !listed.raw.contains_key(name) && !missing.contains_key(name) {
                    match self.list_table(areas, name, &mut listed).await {
                        Ok(table) => {
                            listed.raw.insert(name.clone(), table);
                        }
                        Err(failure) => {
                            missing.insert(name, failure);
                        }
                    }
                }
                if let Some(failure) = missing.get(name) {
                    listed.plan.failed.add(&query.table.name, failure.clone())?;
                }
            }
        }
        // on local folders, no file at all means that the folder is wrong
        let nothing = listed.without_files.len() == listed.raw.len() && !self.from_scratch;
        if let (true, Area::Folder(_), Some((name, place))) =
            (nothing, &areas.raw_hist, listed.without_files.first_key_value())
        {
            return Err(Failure::not_found(format!(
                "no raw table has a file; those of `{name}`, for example, are looked for under {place}{}",
                self.by_then()
            )));
        }
        listed.plan.leave_out_failed();
        listed.plan.check_any_left()?;
        Ok(listed)
    }

    async fn list_table(&self, areas: &Areas, name: &str, listed: &mut Listed) -> Result<Arc<RawTable>, Failure> {
        let raw_table = self.metadata.raw_table(name).map_err(Failure::bad_metadata)?;
        let read_from = raw_table.read_from;
        let table = self.metadata.source_table(name).map_err(Failure::bad_metadata)?;
        let area = match read_from {
            ReadFrom::RawHist => &areas.raw_hist,
            ReadFrom::Raw => &areas.raw,
            ReadFrom::Processed => &areas.processed,
        };
        let base_folder = &self.settings.base_folder;
        // keys are never overwritten there, so the time of a file's last change is the time of its arrival
        let wanted = |object: &store::Object| match &self.pinned {
            Some(pinned) => pinned.contains_key(&object.key),
            None => self.as_of.is_none_or(|as_of| object.last_modified <= as_of),
        };
        let source::Listing { files, strays } = source::list(area, base_folder, table, wanted).await?;
        listed.strays.extend(strays);
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
        // a verified run may have read none of this table's files
        if files.is_empty() && self.pinned.is_none() {
            let place = area.url(&prefix);
            if raw_table.checks.required {
                return Err(Failure::not_found(format!(
                    "raw table `{name}` is `required` and has no files under {place}{}; land a file that passes \
                     validation",
                    self.by_then()
                )));
            }
            tracing::warn!(table = name, place, as_of = self.as_of, "no files: the table is empty");
            listed.without_files.insert(name.to_owned(), place);
        }
        let table = self.marked(area, table).await;
        Ok(RawTable::new(area, &table, files, self.settings.cores))
    }

    /// Returns the table. If the process stage makes it, its columns are marked sensitive wherever they are made from
    /// sensitive raw columns.
    async fn marked(&self, area: &Area, table: &Table) -> Table {
        let made_of = self.metadata.raw.get(&table.name);
        let Some(made_of) = made_of.filter(|raw| !std::ptr::eq(*raw, table) && secrecy::has_secrets(raw)) else {
            return table.clone();
        };
        match transform::plan_processing(self.metadata, table, &self.variables) {
            Ok(plan) => secrecy::marked(&plan, &RawTable::new(area, made_of, Vec::new(), 1), table).await,
            // the process stage reports wrong SQL; until then every column counts as sensitive
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
            newest_arrival: raw.values().filter_map(|table| table.newest_arrival()).max(),
            inputs: inputs.into_values().collect(),
            tables,
        }
    }

    async fn write_manifest(&self, curated: &Area, manifest: &Manifest) -> Result<String, Failure> {
        let key = self.metadata.database.manifest(&self.id);
        let body = serde_json::to_vec_pretty(manifest).map_err(Failure::internal)?;
        curated.put(&key, body, "application/json").await?;
        Ok(key)
    }
}

/// The listed raw tables, and the queries that can run over them.
struct Listed {
    raw: BTreeMap<String, Arc<RawTable>>,
    plan: BuildPlan,
    /// Raw tables without files, with the location where the files are expected.
    without_files: BTreeMap<String, String>,
    /// Objects that the pipeline did not write, and that were skipped.
    strays: Vec<String>,
}

impl Listed {
    fn of(plan: BuildPlan) -> Self {
        Self { raw: BTreeMap::new(), plan, without_files: BTreeMap::new(), strays: Vec::new() }
    }
}

/// The tables that were built, and those that failed.
struct Outputs {
    /// In the order of the plan.
    tables: Vec<TableOutput>,
    /// The raw tables that were read.
    read: Vec<Arc<RawTable>>,
    failed: Failed,
}

/// Counts the rows that a table had in a run, with those of the files that it kept.
fn rows_of(manifest: &Manifest, table: &str) -> u64 {
    let outputs = manifest.tables.iter().filter(|output| output.table == table);
    let rows = outputs.map(|output| {
        let kept = output.appended.iter().flat_map(|appended| &appended.kept).map(|file| file.rows);
        output.rows + kept.sum::<u64>()
    });
    rows.sum()
}

/// A finished run.
#[derive(Clone, Debug)]
pub struct Built {
    /// The run's inputs and outputs.
    pub manifest: Manifest,
    /// The manifest's key.
    pub key: String,
    /// For each table with partitions, whether the values of each partition column are hidden from messages.
    hidden: BTreeMap<String, Vec<bool>>,
    /// Requested tables that were not built.
    pub failed: Vec<FailedTable>,
    /// Raw tables without files.
    without_files: Vec<String>,
    /// Objects that the pipeline did not write, and that were skipped.
    strays: Vec<String>,
}

impl Built {
    /// Returns a summary for catalog and for people.
    pub fn answer(&self) -> CurateResponse {
        let tables = self.manifest.tables.iter().map(|table| BuiltTable {
            table: table.table.clone(),
            rows: table.rows,
            bytes: table.bytes,
            files: table.files.len() as u64,
            partitions: table.partitions.iter().map(|partition| self.in_table(partition, table)).collect(),
        });
        let manifest = ObjectName { bucket: self.manifest.bucket.clone(), key: self.key.clone() };
        let tables: Vec<_> = tables.collect();
        let built = quoted(tables.iter().map(|table| &table.table));
        let done = format!("Their published state stays. Built: {built}.");
        CurateResponse {
            run: self.manifest.run.clone(),
            manifest,
            tables,
            failure: Outcome::of(&self.failed, &done),
            failed: self.failed.clone(),
            without_files: self.without_files.clone(),
            strays: self.strays.clone(),
        }
    }

    /// Returns the partition's folder within the table, `column=value/…`, without hidden values.
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

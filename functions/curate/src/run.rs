//! One run: every table that was asked for, built from one listing of raw-hist, and the manifest at the end.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use boot::metrics::{self, Unit};
use chrono::{DateTime, NaiveDate, Utc};
use contract::message::{BuiltTable, CurateResponse, ObjectName, RebuildRequest};
use contract::{Failure, Manifest, MetaData, PartitionOutput, RunId, Table, TableOutput};
use datafusion::dataframe::DataFrame;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::logical_expr::{Expr, cast, ident};
use datafusion::prelude::{SessionConfig, SessionContext};
use futures::StreamExt;
use store::{Store, Write};

use crate::Settings;
use crate::align::Align;
use crate::source::RawTable;
use crate::transform::{self, Plan, Query, Source, Variables};
use crate::write::TableWriter;

/// What DataFusion may hold, as a share of the function's memory; readers, writers and the runtime need the rest.
const QUERY_MEMORY_SHARE: f64 = 0.5;

/// A run that is about to begin.
pub struct Run<'a> {
    metadata: &'a MetaData,
    settings: &'a Settings,
    id: RunId,
    snapshot_date: String,
    as_of: Option<u64>,
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
        Ok(Self { metadata, settings, id, snapshot_date, as_of: request.as_of, plan })
    }

    /// Reads, transforms, writes.
    pub async fn build(self, store: &Store) -> Result<CurateResponse, Failure> {
        let started = Instant::now();
        let runtime = RuntimeEnvBuilder::new()
            .with_memory_limit(self.settings.memory_bytes, QUERY_MEMORY_SHARE)
            .build_arc()
            .map_err(Failure::internal)?;
        let raw = self.list(store).await?;
        let mut built: BTreeMap<String, DataFrame> = BTreeMap::new();
        let mut tables = Vec::new();
        for query in &self.plan.order {
            let name = &query.table.name;
            let wrong = |error| transform::failure(name, error);
            let context = self.context(&runtime, query, &raw, &built)?;
            let frame = context.sql(&query.sql).await.map_err(wrong)?;
            if self.plan.asked.contains(name) {
                tables.push(self.write(store, &query.table, frame.clone()).await?);
            }
            let aligned = frame.select(described(&query.table)).map_err(wrong)?;
            built.insert(name.clone(), aligned);
        }
        let manifest = self.publishable(&raw, tables);
        let key = self.write_manifest(store, &manifest).await?;
        self.report(&manifest, started);
        Ok(answer(&manifest, ObjectName { bucket: self.settings.curated_bucket.clone(), key }))
    }

    /// Every raw table that some query reads, listed once.
    async fn list(&self, store: &Store) -> Result<BTreeMap<String, Arc<RawTable>>, Failure> {
        let mut raw = BTreeMap::new();
        for query in &self.plan.order {
            for (name, _) in query.reads.iter().filter(|(_, source)| **source == Source::Raw) {
                if !raw.contains_key(name) {
                    let table = self.metadata.raw_table(name).map_err(Failure::bad_metadata)?;
                    let Settings { raw_hist_bucket, base_folder, .. } = self.settings;
                    let listed = RawTable::list(store, raw_hist_bucket, base_folder, table, self.as_of).await?;
                    raw.insert(name.clone(), listed);
                }
            }
        }
        Ok(raw)
    }

    /// A session in which the query's names, and only those, stand for what they mean to it.
    fn context(
        &self,
        runtime: &Arc<RuntimeEnv>,
        query: &Query,
        raw: &BTreeMap<String, Arc<RawTable>>,
        built: &BTreeMap<String, DataFrame>,
    ) -> Result<SessionContext, Failure> {
        // One partition keeps rows in the order of the files, so that the same inputs give the same bytes. Decoding and
        // encoding run on threads of their own all the same.
        let config = SessionConfig::new().with_target_partitions(1);
        let context = SessionContext::new_with_config_rt(config, Arc::clone(runtime));
        for (name, source) in &query.reads {
            let registered = match source {
                Source::Raw => raw
                    .get(name)
                    .map(|table| table.provider())
                    .transpose()?
                    .map(|table| context.register_table(name.as_str(), Arc::new(table))),
                Source::Curated => {
                    built.get(name).map(|frame| context.register_table(name.as_str(), frame.clone().into_view()))
                }
            };
            registered.transpose().map_err(|error| transform::failure(&query.table.name, error))?;
        }
        Ok(context)
    }

    async fn write(&self, store: &Store, table: &Table, frame: DataFrame) -> Result<TableOutput, Failure> {
        let started = Instant::now();
        let wrong = |error| transform::failure(&table.name, error);
        let mut align = Align::new(table, frame.schema().as_arrow())?;
        let mut rows = frame.execute_stream().await.map_err(wrong)?;
        let base_folder = &self.metadata.database.base_folder;
        let bucket = &self.settings.curated_bucket;
        let mut writer = TableWriter::new(store, bucket, base_folder, &self.id, table, align.schema())?;
        while let Some(batch) = rows.next().await {
            writer.write(&align.batch(&batch.map_err(wrong)?)?).await?;
        }
        let output = writer.finish().await?;
        tracing::info!(
            table = table.name,
            rows = output.rows,
            bytes = output.bytes,
            files = output.files.len(),
            location = output.location,
            millis = started.elapsed().as_millis() as u64,
            "table written"
        );
        Ok(output)
    }

    fn publishable(&self, raw: &BTreeMap<String, Arc<RawTable>>, tables: Vec<TableOutput>) -> Manifest {
        Manifest {
            run: self.id.clone(),
            database: self.metadata.database.name.clone(),
            dea_version: self.settings.dea_version.clone(),
            snapshot_date: self.snapshot_date.clone(),
            metadata_sha256: self.metadata.sha256.clone(),
            bucket: self.settings.curated_bucket.clone(),
            as_of: self.as_of,
            newest_file_land_timestamp: raw.values().filter_map(|table| table.newest()).max(),
            inputs: raw.values().flat_map(|table| table.inputs()).collect(),
            tables,
        }
    }

    async fn write_manifest(&self, store: &Store, manifest: &Manifest) -> Result<String, Failure> {
        let base_folder = &self.metadata.database.base_folder;
        let base = if base_folder.is_empty() { String::new() } else { format!("{base_folder}/") };
        let key = format!("{base}_manifests/{}.json", self.id);
        let body = serde_json::to_vec_pretty(manifest).map_err(Failure::internal)?;
        store.put(&self.settings.curated_bucket, &key, body, "application/json", Write::IfAbsent).await?;
        Ok(key)
    }

    fn report(&self, manifest: &Manifest, started: Instant) {
        let seconds = started.elapsed().as_secs_f64();
        let rows: u64 = manifest.inputs.iter().map(|file| file.rows).sum();
        let bytes: u64 = manifest.inputs.iter().map(|file| file.bytes).sum();
        let metrics = [
            ("RowsRead", Unit::Count, rows as f64),
            ("BytesRead", Unit::Bytes, bytes as f64),
            ("RowsPerSecond", Unit::CountPerSecond, rows as f64 / seconds.max(1e-6)),
            ("RebuildSeconds", Unit::Seconds, seconds),
        ];
        metrics::emit(None, &metrics);
        tracing::info!(run = %self.id, files = manifest.inputs.len(), rows, bytes, seconds, "run built");
    }
}

/// The described columns as the metadata types them: how later tables of the run see this one.
fn described(table: &Table) -> Vec<Expr> {
    let column = |column: &contract::Column| {
        cast(ident(&column.name), rows::arrow_type(&column.column_type)).alias(&column.name)
    };
    table.columns.iter().map(column).collect()
}

fn answer(manifest: &Manifest, object: ObjectName) -> CurateResponse {
    let tables = manifest.tables.iter().map(|table| BuiltTable {
        table: table.table.clone(),
        rows: table.rows,
        bytes: table.bytes,
        files: table.files.len() as u64,
        partitions: table.partitions.iter().map(|partition| in_table(partition, table)).collect(),
    });
    CurateResponse { run: manifest.run.clone(), manifest: object, tables: tables.collect() }
}

/// `column=value/…`
fn in_table(partition: &PartitionOutput, table: &TableOutput) -> String {
    let folder = partition.location.strip_prefix(&table.location).unwrap_or(&partition.location);
    folder.trim_end_matches('/').to_owned()
}

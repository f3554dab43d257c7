//! The process stage: raw → processed. If a table has metadata (and SQL) in `processed/`, each of its raw files becomes
//! one clean file under the same key. If the format changes, the key gets the new extension as well. A raw file is
//! processed only once. To process it again, delete its processed file.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

use contract::alert::{Rejected, describe};
use contract::message::{Outcome, ProcessResponse, ProcessedFile, QuarantinedFile};
use contract::{Compression, DataFormat, Failure, FailureKind, FileFormat, MetaData, Table};
use futures::StreamExt;

use crate::align::Align;
use crate::area::Area;
use crate::areas::Areas;
use crate::failed::Failed;
use crate::json_file::{self, JsonFile};
use crate::locate;
use crate::parquet_file::{ParquetFile, SAMPLE_ROWS, properties};
use crate::queries::{self, from_files, nothing_written};
use crate::settings::Settings;
use crate::size;
use crate::source::{self, RawFile, RawTable};
use crate::tables::Stopped;
use crate::transform::{self, BuildPlan, Variables};

/// Processes every waiting raw file. A file that cannot be processed goes to quarantine. A table that fails does not
/// hold up the others.
///
/// # Errors
/// Fails if S3 does not answer. Without a quarantine, as on local folders, it also fails if a file cannot be processed.
pub async fn process(
    metadata: &MetaData,
    settings: &Settings,
    areas: &Areas,
    variables: &Variables,
) -> Result<ProcessResponse, Failure> {
    let mut response = ProcessResponse::default();
    let mut failed = Failed::default();
    for table in metadata.processed.values() {
        if let Err(failure) = process_table(metadata, settings, areas, variables, table, &mut response).await {
            failed.add(&table.name, failure)?;
        }
    }
    let (processed, quarantined) = (response.files.len(), response.quarantined.len());
    tracing::info!(processed, quarantined, failed = !failed.is_empty(), "raw files processed");
    response.message = message(&response.quarantined);
    response.failed = failed.told(|_| true);
    let done = format!("Their raw files wait. Of other tables {processed} files were processed.");
    response.failure = Outcome::of(&response.failed, &done);
    match failed.whole().filter(|_| areas.quarantine.is_none()) {
        Some(failure) => Err(failure),
        None => Ok(response),
    }
}

async fn process_table(
    metadata: &MetaData,
    settings: &Settings,
    areas: &Areas,
    variables: &Variables,
    table: &Table,
    response: &mut ProcessResponse,
) -> Result<(), Failure> {
    let raw_table = metadata.raw_table(&table.name).map_err(Failure::bad_metadata)?;
    let plan = transform::plan_processing(metadata, table, variables)?;
    if table.data_format == DataFormat::Json {
        json_file::check(table)?;
    }
    let raw = source::list(&areas.raw, &settings.base_folder, raw_table, |_| true).await?.files;
    let done = source::list(&areas.processed, &settings.base_folder, table, |_| true).await?.files;
    let done: HashSet<String> = done.into_iter().map(|file| file.object.key).collect();
    let mut failures = Vec::new();
    for file in raw {
        let stage = Stage { settings, areas, table, plan: &plan };
        let failure = match stage.file(raw_table, &file, &done).await {
            Ok(processed) => {
                response.files.extend(processed);
                continue;
            }
            // a fault of the service or the metadata affects every file
            Err(failure) if failure.kind != FailureKind::BadData => return Err(failure),
            Err(failure) => failure,
        };
        tracing::error!(table = table.name, key = file.object.key, "raw file not processed");
        match &areas.quarantine {
            Some(quarantine) => {
                let quarantined = quarantine.take(table, &file.object, &failure, &metadata.sha256).await?;
                response.quarantined.push(quarantined);
            }
            None => failures.push(failure),
        }
    }
    let messages: Vec<_> = failures.iter().map(|failure| failure.message.as_str()).collect();
    match messages.as_slice() {
        [] => Ok(()),
        messages => Err(Failure::bad_data(messages.join("\n"))),
    }
}

/// Composes the message about quarantined files, if there are any.
fn message(quarantined: &[QuarantinedFile]) -> Option<String> {
    let described =
        quarantined.iter().map(|file| Rejected { key: &file.raw_key, summary: &file.summary, report: &file.report });
    (!quarantined.is_empty()).then(|| describe(described))
}

struct Stage<'a> {
    settings: &'a Settings,
    areas: &'a Areas,
    table: &'a Table,
    plan: &'a BuildPlan,
}

impl Stage<'_> {
    /// Processes a file unless that is done, then deletes the raw one if the table has `delete_raw`. After a crash at
    /// any point, the next call continues from there.
    async fn file(
        &self,
        raw_table: &Table,
        file: &RawFile,
        done: &HashSet<String>,
    ) -> Result<Option<ProcessedFile>, Failure> {
        let key = processed_key(self.table, file);
        let was_done = done.contains(&key);
        let rows = if was_done { 0 } else { self.transform(raw_table, file, &key).await? };
        if self.table.delete_raw {
            self.areas.raw.delete(&file.object).await?;
        }
        Ok((!was_done).then(|| ProcessedFile {
            table: self.table.name.clone(),
            raw_key: file.object.key.clone(),
            key,
            rows,
            raw_deleted: self.table.delete_raw,
        }))
    }

    async fn transform(&self, raw_table: &Table, file: &RawFile, key: &str) -> Result<u64, Failure> {
        let raw = RawTable::new(&self.areas.raw, raw_table, vec![file.clone()], self.settings.cores);
        let raw = BTreeMap::from([(raw_table.name.clone(), raw)]);
        size::check(raw.values(), self.settings)?;
        match self.in_time(self.run(&raw, key), file).await {
            // another execution was faster: it has written the processed file, and may have deleted the raw one
            Err(Stopped::Elsewhere(failure))
                if matches!(failure.kind, FailureKind::Conflict | FailureKind::NotFound)
                    && self.exists(key).await? =>
            {
                Ok(0)
            }
            Err(Stopped::InQuery(failure)) => {
                let explained = locate::explain(self.plan, &raw, *failure, self.settings.until).await;
                let failure = explained.told();
                match failure.kind {
                    FailureKind::BadData if !explained.has_line() => {
                        Err(failure.context(self.areas.raw.url(&file.object.key)))
                    }
                    _ => Err(failure),
                }
            }
            Err(Stopped::Elsewhere(failure)) => Err(failure),
            Ok(rows) => Ok(rows),
        }
    }

    /// Limits the work to the time that is left. A file that had nearly all of the function's time would time out at
    /// every retry, so it is `TooLarge`. A file that was started later times out, and the next attempt processes it.
    async fn in_time(&self, work: impl Future<Output = Result<u64, Stopped>>, file: &RawFile) -> Result<u64, Stopped> {
        let (Some(time), Some(until)) = (self.settings.time, self.settings.until) else { return work.await };
        let left = until.saturating_duration_since(Instant::now());
        let done = tokio::time::timeout(left, work).await;
        done.unwrap_or_else(|_| {
            let what =
                format!("{} was not processed within {} s", self.areas.raw.url(&file.object.key), left.as_secs());
            Err(Stopped::Elsewhere(if left > time.mul_f64(0.9) {
                Failure::too_large(format!("{what}: raise the template's CurateTimeout or CurateMemory"))
            } else {
                Failure::timeout(what)
            }))
        })
    }

    async fn exists(&self, key: &str) -> Result<bool, Failure> {
        Ok(self.areas.processed.list(key).await?.iter().any(|object| object.key == key))
    }

    async fn run(&self, raw: &BTreeMap<String, Arc<RawTable>>, key: &str) -> Result<u64, Stopped> {
        let elsewhere = Stopped::Elsewhere;
        let in_query = |error| Stopped::of_query(&self.table.name, &error);
        let memory = queries::query_memory(self.settings.memory_bytes, 1);
        let planned = queries::frames(self.plan, from_files(raw), nothing_written, memory).await.map_err(elsewhere)?;
        let Some(frame) = planned.take(&self.table.name).map_err(elsewhere)? else { return Ok(0) };
        let mut align = Align::new(self.table, frame.schema().as_arrow()).map_err(elsewhere)?;
        let mut rows = frame.execute_stream().await.map_err(in_query)?;
        let mut output = Output::create(&self.areas.processed, self.table, key).await.map_err(elsewhere)?;
        while let Some(batch) = rows.next().await {
            let aligned = align.batch(&batch.map_err(in_query)?).map_err(Stopped::InQuery)?;
            output.write(aligned).await.map_err(elsewhere)?;
        }
        output.finish(&align).await.map_err(elsewhere)
    }
}

/// Returns the key of the processed file. Two raw files never share one.
fn processed_key(table: &Table, file: &RawFile) -> String {
    let key = &file.object.key;
    match (table.data_format, file.key.format, file.key.compression) {
        (DataFormat::Json, FileFormat::JsonLines, Compression::Gzip) => key.clone(),
        (DataFormat::Json, _, _) => format!("{key}.jsonl.gz"),
        (_, FileFormat::Parquet, _) => key.clone(),
        _ => format!("{key}.parquet"),
    }
}

/// A processed file that is being written.
enum Output<'a> {
    Json(Box<JsonFile>),
    /// The first rows are held back until there are enough to choose the encodings.
    Parquet {
        area: &'a Area,
        table: &'a Table,
        key: &'a str,
        sample: Vec<arrow::array::RecordBatch>,
        file: Option<Box<ParquetFile>>,
    },
}

impl<'a> Output<'a> {
    async fn create(area: &'a Area, table: &'a Table, key: &'a str) -> Result<Self, Failure> {
        Ok(match table.data_format {
            DataFormat::Json => Self::Json(Box::new(JsonFile::create(area, key).await?)),
            _ => Self::Parquet { area, table, key, sample: Vec::new(), file: None },
        })
    }

    async fn write(&mut self, rows: arrow::array::RecordBatch) -> Result<(), Failure> {
        match self {
            Self::Json(file) => file.write(&rows).await,
            Self::Parquet { file: Some(file), .. } => file.write(vec![rows]).await,
            Self::Parquet { sample, .. } => {
                let schema = rows.schema();
                sample.push(rows);
                let enough = sample.iter().map(arrow::array::RecordBatch::num_rows).sum::<usize>() >= SAMPLE_ROWS;
                if enough { self.begin(&schema).await } else { Ok(()) }
            }
        }
    }

    async fn begin(&mut self, schema: &arrow::datatypes::SchemaRef) -> Result<(), Failure> {
        let Self::Parquet { area, table, key, sample, file } = self else { return Ok(()) };
        let properties = properties(table.compression, schema, sample)?;
        let mut begun = ParquetFile::create(area, (*key).to_owned(), schema, &properties).await?;
        begun.write(std::mem::take(sample)).await?;
        *file = Some(Box::new(begun));
        Ok(())
    }

    async fn finish(mut self, align: &Align) -> Result<u64, Failure> {
        if matches!(self, Self::Parquet { file: None, .. }) {
            self.begin(align.schema()).await?;
        }
        match self {
            Self::Json(file) => file.finish().await,
            Self::Parquet { file: Some(file), .. } => file.finish().await.map(|file| file.rows),
            Self::Parquet { .. } => Ok(0),
        }
    }
}

//! The function's own work on files of this machine, for the person who writes the SQL: what `landfall tables`,
//! `process`, `verify` and `check` do.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::datatypes::{Field, Schema};
use chrono::{DateTime, Utc};
use contract::message::{FailedTable, RebuildRequest};
use contract::{DataKey, Failure, MetaData, ReadFrom, Table};
use parquet::arrow::ArrowWriter;
use serde::Serialize;
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::area::Area;
use crate::areas::Areas;
use crate::process;
use crate::published::Published;
use crate::run::Run;
use crate::settings::{Settings, cores};
use crate::stack;
use crate::transform::Variables;
use crate::verify;

/// The folders of this machine that stand for the buckets; one that is not named has nothing in it.
#[derive(Clone, Debug, Default)]
pub struct Folders {
    /// Holds `<table>/file_land_timestamp=<unix seconds>/<file>`.
    pub raw_hist: Option<PathBuf>,
    /// For tables that are read from the raw area.
    pub raw: Option<PathBuf>,
    /// For tables that are read from the processed area.
    pub processed: Option<PathBuf>,
    /// Where the tables go, each run into folders of its own.
    pub curated: Option<PathBuf>,
}

/// What is worked on, and with what.
#[derive(Clone, Debug)]
pub struct Work {
    /// Where files are.
    pub folders: Folders,
    /// The metadata and the SQL.
    pub meta_data: PathBuf,
    /// For the version column.
    pub dea_version: String,
    /// What may be used, as the function's memory setting.
    pub memory_megabytes: usize,
    /// As many as there are cores where it is not said.
    pub threads: Option<usize>,
}

/// What has become of it.
#[derive(Debug)]
pub struct Answer {
    /// As the function would answer.
    pub json: Value,
    /// Whether all is well.
    pub well: bool,
    /// What is wrong with which table.
    pub told: Vec<String>,
    /// Of the metadata.
    pub warnings: Vec<String>,
}

/// Builds the curated tables.
///
/// # Errors
/// Where none can be built, or the metadata is wrong.
pub fn build(work: &Work, request: &RebuildRequest) -> Result<Answer, Failure> {
    stack::with_room(|| {
        let (metadata, settings, runtime) = work.begin()?;
        let run = Run::plan(&metadata, &settings, request, &std::process::id().to_string(), Utc::now())?;
        let built = runtime.block_on(run.build(&work.folders.areas()))?;
        let told = built
            .failed
            .iter()
            .map(|one| format!("table `{}` was not built: {}: {}", one.table, one.error, one.message));
        let (well, told) = (built.failed.is_empty(), told.collect());
        Ok(Answer { json: json(built.answer())?, well, told, warnings: metadata.warnings.lines() })
    })?
}

/// Makes processed files of raw ones.
///
/// # Errors
/// Where a raw file cannot be processed.
pub fn process(work: &Work) -> Result<Answer, Failure> {
    stack::with_room(|| {
        let (metadata, settings, runtime) = work.begin()?;
        let now = Utc::now();
        let today = now.format("%Y-%m-%d").to_string();
        let variables = Variables::new(&settings.dea_version, &today, now.timestamp())?;
        let areas = work.folders.areas();
        let processed = runtime.block_on(process::process(&metadata, &settings, &areas, &variables))?;
        Ok(Answer { json: json(processed)?, well: true, told: Vec::new(), warnings: metadata.warnings.lines() })
    })?
}

/// Builds a run again, and compares.
///
/// # Errors
/// Where it cannot be built again.
pub fn verify(work: &Work, run: &str) -> Result<Answer, Failure> {
    stack::with_room(|| {
        let (metadata, settings, runtime) = work.begin()?;
        let verified = runtime.block_on(verify::verify(&metadata, &settings, &work.folders.areas(), run))?;
        let well = verified.same;
        Ok(Answer { json: json(verified)?, well, told: Vec::new(), warnings: metadata.warnings.lines() })
    })?
}

/// Plans all SQL of a folder of metadata, or that of some curated tables.
///
/// # Errors
/// Where the metadata is wrong.
pub fn check(meta_data: &Path, tables: &[String]) -> Result<Checked, Failure> {
    let work = Work {
        folders: Folders::default(),
        meta_data: meta_data.to_owned(),
        dea_version: "local".into(),
        memory_megabytes: 2048,
        threads: None,
    };
    stack::with_room(|| {
        let (metadata, settings, runtime) = work.begin()?;
        let request = RebuildRequest { tables: tables.to_vec(), ..RebuildRequest::default() };
        without_files(metadata, &settings, &request, &runtime, Utc::now())
    })?
}

impl Folders {
    fn areas(&self) -> Areas {
        let area = |folder: &Option<PathBuf>| Area::Folder(folder.clone().unwrap_or_else(|| "nowhere".into()));
        Areas {
            raw_hist: area(&self.raw_hist),
            raw: area(&self.raw),
            processed: area(&self.processed),
            curated: area(&self.curated),
            quarantine: None,
            published: Published::LastRun,
        }
    }
}

impl Work {
    fn begin(&self) -> Result<(MetaData, Settings, Runtime), Failure> {
        let settings = Settings {
            base_folder: String::new(),
            dea_version: self.dea_version.clone(),
            memory_bytes: self.memory_megabytes.saturating_mul(1 << 20),
            cores: self.threads.unwrap_or_else(cores),
            time: None,
            until: None,
        };
        let runtime = stack::runtime(Some(settings.cores))?;
        Ok((MetaData::read(&self.meta_data)?, settings, runtime))
    }
}

fn json(answer: impl Serialize) -> Result<Value, Failure> {
    serde_json::to_value(answer).map_err(Failure::internal)
}

/// What [`check`] says.
#[derive(Debug, Default)]
pub struct Checked {
    /// Tables whose SQL gives what their metadata describes.
    pub tables: Vec<String>,
    /// The others.
    pub failed: Vec<FailedTable>,
}

impl Checked {
    /// How many tables are right.
    pub fn said(&self) -> String {
        format!("{} tables: the SQL gives what the metadata describes", self.tables.len())
    }

    /// What is wrong with each of the others.
    pub fn problems(&self) -> Vec<String> {
        self.failed.iter().map(|failed| format!("table `{}`: {}", failed.table, failed.message)).collect()
    }
}

/// Plans and runs all SQL over raw tables that have no rows: what is wrong with it whatever the rows is wrong then.
fn without_files(
    mut metadata: MetaData,
    settings: &Settings,
    request: &RebuildRequest,
    runtime: &Runtime,
    now: DateTime<Utc>,
) -> Result<Checked, Failure> {
    // that no file is there is no fault here
    metadata.raw.values_mut().for_each(|table| table.checks.required = false);
    let folder = tempfile::tempdir().map_err(|error| Failure::unavailable(format!("a folder for a while: {error}")))?;
    let area = |name: &str| Some(folder.path().join(name));
    let folders = Folders {
        raw_hist: area("raw-hist"),
        raw: area("raw"),
        processed: area("processed"),
        curated: area("curated"),
    };
    let areas = folders.areas();
    // a file without rows in each: SQL that makes files clean runs once for each, and something must have landed
    for table in metadata.raw.values() {
        let area = if table.read_from == ReadFrom::RawHist { "raw-hist" } else { "raw" };
        let written = without_rows(table, &folder.path().join(area));
        written.map_err(|error| Failure::internal(format!("table `{}`: a file without rows: {error}", table.name)))?;
    }
    let today = now.format("%Y-%m-%d").to_string();
    let variables = Variables::new(&settings.dea_version, &today, now.timestamp())?;
    let mut checked = Checked::default();
    match runtime.block_on(process::process(&metadata, settings, &areas, &variables)) {
        Ok(processed) => {
            checked.tables.extend(processed.files.into_iter().map(|file| format!("processed/{}", file.table)));
            checked.failed.extend(processed.failed);
        }
        Err(failure) => checked.failed.push(failed("processed", &failure)),
    }
    let run = Run::plan(&metadata, settings, request, "check", now)?;
    match runtime.block_on(run.build(&areas)) {
        Ok(built) => {
            checked.tables.extend(built.manifest.tables.iter().map(|table| table.table.clone()));
            checked.failed.extend(built.failed);
        }
        Err(failure) => checked.failed.push(failed("curated", &failure)),
    }
    Ok(checked)
}

fn failed(table: &str, failure: &Failure) -> FailedTable {
    FailedTable { table: table.into(), error: failure.kind.name().into(), message: failure.message.clone() }
}

/// Lands a file of a table that has its columns and no rows.
fn without_rows(table: &Table, area: &Path) -> Result<(), Box<dyn Error>> {
    // two columns of one name are told apart by their place in a record
    let in_records = table.columns.iter().any(|column| column.source_position.is_some());
    let file = area.join(DataKey::new(&table.name, 1, None, if in_records { "csv" } else { "parquet" }).format(""));
    fs::create_dir_all(file.parent().unwrap_or(area))?;
    let file = fs::File::create(&file)?;
    if !in_records {
        let named = rows::schema(table);
        let fields = named.fields().iter().zip(table.data_columns());
        let fields: Vec<Field> =
            fields.map(|(field, column)| field.as_ref().clone().with_name(column.name_in_files())).collect();
        ArrowWriter::try_new(file, Arc::new(Schema::new(fields)), None)?.close()?;
    }
    Ok(())
}

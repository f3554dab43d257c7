//! Runs the function's code on local files, for the person who writes the SQL: `landfall tables`, `process`, `verify`
//! and `check`.

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

/// Local folders in place of the buckets. A folder that is `None` counts as empty.
#[derive(Clone, Debug, Default)]
pub struct Folders {
    /// Holds `<table>/file_land_timestamp=<unix seconds>/<file>`.
    pub raw_hist: Option<PathBuf>,
    /// Holds the files of tables that are read from the raw area.
    pub raw: Option<PathBuf>,
    /// Holds the files of tables that are read from the processed area.
    pub processed: Option<PathBuf>,
    /// Receives the tables. Each run writes to folders of its own.
    pub curated: Option<PathBuf>,
}

/// The folders, metadata and limits that a command works with.
#[derive(Clone, Debug)]
pub struct Work {
    /// The folders that files are read from and written to.
    pub folders: Folders,
    /// The folder of the metadata and the SQL.
    pub meta_data: PathBuf,
    /// The value of `${dea_version}` in the SQL.
    pub dea_version: String,
    /// The memory to use, in MiB, like the function's memory setting.
    pub memory_megabytes: usize,
    /// The number of threads. `None` means one per core.
    pub threads: Option<usize>,
}

/// The outcome of a command.
#[derive(Debug)]
pub struct Answer {
    /// The function's answer.
    pub json: Value,
    /// Whether every table was built, or the run was reproduced.
    pub well: bool,
    /// One line for each table that was not built.
    pub told: Vec<String>,
    /// Warnings about the metadata.
    pub warnings: Vec<String>,
}

/// Builds the curated tables.
///
/// # Errors
/// Fails if no table can be built, or if the metadata is wrong.
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

/// Makes processed files from raw ones.
///
/// # Errors
/// Fails if a raw file cannot be processed, or if the metadata is wrong.
pub fn process(work: &Work) -> Result<Answer, Failure> {
    if let Some(raw) = work.folders.raw.as_ref().filter(|raw| !raw.is_dir()) {
        return Err(Failure::not_found(format!("{} is not a folder of raw files", raw.display())));
    }
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

/// Builds a run again and compares the files with those of the run.
///
/// # Errors
/// Fails if the run cannot be built again.
pub fn verify(work: &Work, run: &str) -> Result<Answer, Failure> {
    stack::with_room(|| {
        let (metadata, settings, runtime) = work.begin()?;
        let verified = runtime.block_on(verify::verify(&metadata, &settings, &work.folders.areas(), run))?;
        let well = verified.same;
        Ok(Answer { json: json(verified)?, well, told: Vec::new(), warnings: metadata.warnings.lines() })
    })?
}

/// Checks all SQL in a folder of metadata, or only that of the named curated tables, by running it without rows.
///
/// # Errors
/// Fails if the metadata is wrong, or if no SQL can be planned. Other problems with the SQL are in the answer.
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

/// The outcome of [`check`].
#[derive(Debug, Default)]
pub struct Checked {
    /// Tables whose SQL returns what their metadata describes.
    pub tables: Vec<String>,
    /// Tables whose SQL does not.
    pub failed: Vec<FailedTable>,
}

impl Checked {
    /// Returns a summary with the number of correct tables.
    pub fn said(&self) -> String {
        format!("{} tables: the SQL gives what the metadata describes", self.tables.len())
    }

    /// Returns one line for each failed table.
    pub fn problems(&self) -> Vec<String> {
        self.failed.iter().map(|failed| format!("table `{}`: {}", failed.table, failed.message)).collect()
    }
}

/// Plans and runs all SQL over raw tables without rows. This reveals every error that does not depend on the rows.
fn without_files(
    mut metadata: MetaData,
    settings: &Settings,
    request: &RebuildRequest,
    runtime: &Runtime,
    now: DateTime<Utc>,
) -> Result<Checked, Failure> {
    // missing files are expected here
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
    // each raw table gets a file without rows: the process stage runs its SQL once per file, and a rebuild needs a file
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

/// Writes a file with the table's columns and no rows.
fn without_rows(table: &Table, area: &Path) -> Result<(), Box<dyn Error>> {
    // columns with the same name can only be told apart by position, so the file must consist of records
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

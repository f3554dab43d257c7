//! The function's own work on files of this machine, for the person who writes the SQL:
//!
//! ```text
//! bootstrap build --raw-hist FOLDER --curated FOLDER [--table NAME]… [--meta-data FOLDER] …
//! bootstrap check [--meta-data FOLDER]
//! ```
//!
//! Ends with 0 when all went well, 1 when it did not, and 2 for a wrong command.

use std::error::Error;
use std::ffi::OsString;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use arrow::datatypes::{Field, Schema};
use chrono::{DateTime, Utc};
use contract::message::{FailedTable, RebuildRequest};
use contract::{DataKey, Failure, MetaData, ReadFrom, Table};
use parquet::arrow::ArrowWriter;
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

const USAGE: &str = "\
usage: bootstrap build   --raw-hist FOLDER --curated FOLDER [OPTION]…
       bootstrap process --raw FOLDER --processed FOLDER [OPTION]…
       bootstrap verify  --raw-hist FOLDER --curated FOLDER [--run RUN] [OPTION]…
       bootstrap check   [--meta-data FOLDER] [--table NAME]…

Works on files of this machine exactly as the function does on those in S3: `build` makes the curated tables, `process`
the processed files of raw ones, and `verify` builds a run again and compares the two. `check` needs no files: it reads the
metadata, plans all SQL against it, and says all that is wrong at once.

  --raw-hist FOLDER       holds <table>/file_land_timestamp=<unix seconds>/<file>
  --curated FOLDER        where the tables go, each run into folders of its own
  --raw FOLDER            as --raw-hist, for tables that are read from the raw area
  --processed FOLDER      as --raw-hist, for tables that are read from the processed area
  --meta-data FOLDER      the metadata and the SQL; meta_data when left out
  --run RUN               the run to verify; the last one when left out
  --table NAME            only this curated table; may be given more than once
  --snapshot-date DATE    YYYY-MM-DD; today (UTC) when left out
  --as-of SECONDS         only files that were there at this time (Unix seconds)
  --from-scratch yes      tables of mode append too, of all files
  --dea-version VERSION   for the version column; `local` when left out
  --memory MB             what may be used, as the function's memory setting; 2048 when left out
  --threads N             as many cores as there are when left out

Prints the answer as JSON. Ends with 0 if all went well, 1 if it did not, 2 if the command is wrong.
";

/// What was asked on the command line.
#[derive(Debug)]
struct Command {
    verb: Verb,
    areas: Areas,
    meta_data: PathBuf,
    request: RebuildRequest,
    settings: Settings,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Verb {
    Build,
    Process,
    Verify(String),
    Check,
}

/// Does what the arguments ask, which come after the program's name.
pub fn run(arguments: &[OsString]) -> ExitCode {
    if arguments.iter().any(|argument| argument == "--help" || argument == "-h") || arguments == ["help"] {
        print!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    let command = match Command::read(arguments) {
        Ok(command) => command,
        Err(message) => {
            eprintln!("{message}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let printed = command.run().and_then(|(well, answer)| {
        if answer.is_null() {
            return Ok(well);
        }
        let text = serde_json::to_string_pretty(&answer).map_err(Failure::internal)?;
        let printed = writeln!(std::io::stdout(), "{text}");
        printed.map_err(|error| Failure::unavailable(format!("the answer cannot be printed: {error}")))?;
        Ok(well)
    });
    match printed {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(failure) => {
            eprintln!("{}: {failure}", failure.kind.name());
            ExitCode::FAILURE
        }
    }
}

impl Command {
    fn read(arguments: &[OsString]) -> Result<Self, String> {
        let mut rest = arguments.iter();
        let mut verb = match rest.next().and_then(|word| word.to_str()) {
            Some("build") => Verb::Build,
            Some("process") => Verb::Process,
            Some("verify") => Verb::Verify("latest".into()),
            Some("check") => Verb::Check,
            _ => return Err("the first argument must be `build`, `process`, `verify` or `check`".into()),
        };
        let (mut raw_hist, mut raw, mut processed, mut curated) = (None, None, None, None);
        let mut meta_data = PathBuf::from("meta_data");
        let mut request = RebuildRequest::default();
        let mut settings = Settings {
            base_folder: String::new(),
            dea_version: "local".into(),
            memory_bytes: 2048 << 20,
            cores: cores(),
            time: None,
            until: None,
        };
        while let Some(option) = rest.next().map(|option| option.to_string_lossy()) {
            let value = rest.next().ok_or_else(|| format!("{option} needs a value"))?;
            let text = || value.to_str().map(str::to_owned).ok_or_else(|| format!("{option}: the value is not UTF-8"));
            let number = || {
                let number = text()?.parse().ok().filter(|number: &u64| *number > 0);
                number.ok_or_else(|| format!("{option}: expected a number above 0"))
            };
            match option.as_ref() {
                "--raw-hist" => raw_hist = Some(PathBuf::from(value)),
                "--raw" => raw = Some(PathBuf::from(value)),
                "--processed" => processed = Some(PathBuf::from(value)),
                "--curated" => curated = Some(PathBuf::from(value)),
                "--run" if verb != Verb::Build && verb != Verb::Process => verb = Verb::Verify(text()?),
                "--meta-data" => meta_data = value.into(),
                "--table" => request.tables.push(text()?),
                "--snapshot-date" => request.snapshot_date = Some(text()?),
                "--as-of" => request.as_of = Some(number()?),
                "--from-scratch" => request.from_scratch = text()? == "yes",
                "--dea-version" => settings.dea_version = text()?,
                "--memory" => settings.memory_bytes = usize::try_from(number()?).unwrap_or(usize::MAX >> 20) << 20,
                "--threads" => settings.cores = usize::try_from(number()?).unwrap_or(usize::MAX),
                _ => return Err(format!("unknown option `{option}`")),
            }
        }
        let needed = match verb {
            Verb::Build | Verb::Verify(_) => [("--raw-hist", &raw_hist), ("--curated", &curated)],
            Verb::Process => [("--raw", &raw), ("--processed", &processed)],
            Verb::Check => [("", &None), ("", &None)],
        };
        let missing = needed.iter().find(|(_, folder)| folder.is_none()).filter(|_| verb != Verb::Check);
        if let Some((option, _)) = missing {
            return Err(format!("{option} is missing"));
        }
        // an area that is not named has nothing in it
        let folder = |folder: Option<PathBuf>| Area::Folder(folder.unwrap_or_else(|| "nowhere".into()));
        let areas = Areas {
            raw_hist: folder(raw_hist),
            raw: folder(raw),
            processed: folder(processed),
            curated: folder(curated),
            quarantine: None,
            published: Published::LastRun,
        };
        Ok(Self { verb, areas, meta_data, request, settings })
    }

    /// Gives the answer, and whether it is good news.
    fn run(&self) -> Result<(bool, Value), Failure> {
        let metadata = MetaData::read(&self.meta_data)?;
        for warning in &metadata.warnings.0 {
            eprintln!("warning: {warning}");
        }
        let runtime = stack::runtime(Some(self.settings.cores))?;
        let now = Utc::now();
        let (well, answer) = match &self.verb {
            Verb::Build => {
                let process = std::process::id().to_string();
                let run = Run::plan(&metadata, &self.settings, &self.request, &process, now)?;
                let built = runtime.block_on(run.build(&self.areas))?;
                for failed in &built.failed {
                    eprintln!("table `{}` was not built: {}: {}", failed.table, failed.error, failed.message);
                }
                (built.failed.is_empty(), serde_json::to_value(built.answer()))
            }
            Verb::Process => {
                let today = now.format("%Y-%m-%d").to_string();
                let variables = Variables::new(&self.settings.dea_version, &today, now.timestamp())?;
                let processing = process::process(&metadata, &self.settings, &self.areas, &variables);
                (true, serde_json::to_value(runtime.block_on(processing)?))
            }
            Verb::Verify(run) => {
                let verified = verify::verify(&metadata, &self.settings, &self.areas, run);
                let verified = runtime.block_on(verified)?;
                (verified.same, serde_json::to_value(verified))
            }
            Verb::Check => {
                let checked = check(metadata, &self.settings, &self.request, &runtime, now)?;
                for failed in &checked.failed {
                    eprintln!("table `{}`: {}", failed.table, failed.message);
                }
                println!("{} tables: the SQL gives what the metadata describes", checked.tables.len());
                (checked.failed.is_empty(), Ok(Value::Null))
            }
        };
        Ok((well, answer.map_err(Failure::internal)?))
    }
}

/// What [`check`] says.
#[derive(Debug, Default)]
struct Checked {
    /// Tables whose SQL gives what their metadata describes.
    tables: Vec<String>,
    /// The others.
    failed: Vec<FailedTable>,
}

/// Plans and runs all SQL over raw tables that have no rows: what is wrong with it whatever the rows is wrong then.
fn check(
    mut metadata: MetaData,
    settings: &Settings,
    request: &RebuildRequest,
    runtime: &Runtime,
    now: DateTime<Utc>,
) -> Result<Checked, Failure> {
    // that no file is there is no fault here
    metadata.raw.values_mut().for_each(|table| table.checks.required = false);
    let folder = tempfile::tempdir().map_err(|error| Failure::unavailable(format!("a folder for a while: {error}")))?;
    let area = |name: &str| Area::Folder(folder.path().join(name));
    let areas = Areas {
        raw_hist: area("raw-hist"),
        raw: area("raw"),
        processed: area("processed"),
        curated: area("curated"),
        quarantine: None,
        published: Published::LastRun,
    };
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

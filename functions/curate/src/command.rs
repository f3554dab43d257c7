//! The function's own build of the tables, from files of this machine, for the person who writes the SQL:
//!
//! ```text
//! bootstrap build --raw-hist FOLDER --curated FOLDER [--table NAME]… [--meta-data FOLDER] …
//! ```
//!
//! Ends with 0 when the tables are built, 1 when they cannot be, and 2 for a wrong command.

use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use chrono::Utc;
use contract::message::{CurateResponse, RebuildRequest};
use contract::{Failure, MetaData};
use tokio::runtime::Builder;

use crate::area::{Area, Areas};
use crate::run::Run;
use crate::{Settings, cores};

const USAGE: &str = "\
usage: bootstrap build --raw-hist FOLDER --curated FOLDER [OPTION]…

Builds the curated tables from files of this machine exactly as the function builds them from S3.

  --raw-hist FOLDER       holds <table>/file_land_timestamp=<unix seconds>/<file>
  --curated FOLDER        where the tables go, each run into folders of its own
  --raw FOLDER            as --raw-hist, for tables that are read from the raw area
  --processed FOLDER      as --raw-hist, for tables that are read from the processed area
  --meta-data FOLDER      the metadata and the SQL; meta_data when left out
  --table NAME            only this curated table; may be given more than once
  --snapshot-date DATE    YYYY-MM-DD; today (UTC) when left out
  --as-of SECONDS         only files that were there at this time (Unix seconds)
  --dea-version VERSION   for the version column; `local` when left out
  --memory MB             what may be used, as the function's memory setting; 2048 when left out
  --threads N             as many cores as there are when left out

Prints the answer as JSON. Ends with 0 if the tables are built, 1 if they cannot be, 2 if the command is wrong.
";

/// What was asked on the command line.
#[derive(Debug)]
struct Command {
    areas: Areas,
    meta_data: PathBuf,
    request: RebuildRequest,
    settings: Settings,
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
    let printed = command.build().and_then(|answer| {
        let text = serde_json::to_string_pretty(&answer).map_err(Failure::internal)?;
        writeln!(std::io::stdout(), "{text}")
            .map_err(|error| Failure::unavailable(format!("the answer cannot be printed: {error}")))
    });
    match printed {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{}: {failure}", failure.kind.name());
            ExitCode::FAILURE
        }
    }
}

impl Command {
    fn read(arguments: &[OsString]) -> Result<Self, String> {
        let mut rest = arguments.iter();
        match rest.next().and_then(|word| word.to_str()) {
            Some("build") => {}
            _ => return Err("the first argument must be `build`".into()),
        }
        let (mut raw_hist, mut raw, mut processed, mut curated) = (None, None, None, None);
        let mut meta_data = PathBuf::from("meta_data");
        let mut request = RebuildRequest::default();
        let mut settings = Settings {
            base_folder: String::new(),
            dea_version: "local".into(),
            memory_bytes: 2048 << 20,
            cores: cores(),
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
                "--meta-data" => meta_data = value.into(),
                "--table" => request.tables.push(text()?),
                "--snapshot-date" => request.snapshot_date = Some(text()?),
                "--as-of" => request.as_of = Some(number()?),
                "--dea-version" => settings.dea_version = text()?,
                "--memory" => settings.memory_bytes = usize::try_from(number()?).unwrap_or(usize::MAX >> 20) << 20,
                "--threads" => settings.cores = usize::try_from(number()?).unwrap_or(usize::MAX),
                _ => return Err(format!("unknown option `{option}`")),
            }
        }
        let raw_hist = raw_hist.ok_or("--raw-hist is missing")?;
        let folder = |folder: Option<PathBuf>| Area::Folder(folder.unwrap_or_else(|| raw_hist.clone()));
        let areas = Areas {
            raw: folder(raw),
            processed: folder(processed),
            curated: Area::Folder(curated.ok_or("--curated is missing")?),
            raw_hist: Area::Folder(raw_hist),
        };
        Ok(Self { areas, meta_data, request, settings })
    }

    fn build(&self) -> Result<CurateResponse, Failure> {
        let metadata = MetaData::read(&self.meta_data)?;
        let runtime = Builder::new_multi_thread().worker_threads(self.settings.cores).enable_all().build();
        let runtime = runtime.map_err(Failure::internal)?;
        let process = std::process::id().to_string();
        let run = Run::plan(&metadata, &self.settings, &self.request, &process, Utc::now())?;
        runtime.block_on(run.build(&self.areas)).map(|built| built.answer())
    }
}

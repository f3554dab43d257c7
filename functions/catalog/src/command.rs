//! What Glue is told about the tables of a metadata folder, for the person who wants to see it before it is published:
//!
//! ```text
//! bootstrap define [--table NAME] [--raw] [--meta-data FOLDER]
//! ```
//!
//! Ends with 0, or with 2 where it cannot be told.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use contract::{Database, Failure, MetaData, Table};
use serde::Serialize;

use crate::definition::TableDefinition;

const USAGE: &str = "\
usage: bootstrap define [--table NAME] [--raw] [--meta-data FOLDER]

Prints what Glue is told about a table, as `aws glue create-table --cli-input-json` takes it.

  --table NAME        the table; a list of all tables when left out
  --raw               the raw database (raw/database.json) in place of the curated one
  --meta-data FOLDER  the metadata; meta_data when left out

Locations are in the bucket and base folder of database.json. A deployed stack has buckets of its own, and each run has a
folder of its own, which here is called <run>.

Ends with 0, or with 2 if the metadata cannot be read or there is no such table.
";

/// Stands for what only a run knows.
const OF_RUN: &str = "<run>";
const OF_VERSION: &str = "<version>";

/// What was asked on the command line.
#[derive(Debug, PartialEq, Eq)]
struct Request {
    table: Option<String>,
    raw: bool,
    meta_data: PathBuf,
}

/// The input of Glue's CreateTable.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct CreateTable {
    database_name: String,
    table_input: TableDefinition,
}

/// Does what the arguments ask, which come after the program's name.
pub fn run(arguments: &[OsString]) -> ExitCode {
    if arguments.iter().any(|argument| argument == "--help" || argument == "-h") || arguments == ["help"] {
        print!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    let printed = Request::read(arguments).and_then(|request| define(&request)).and_then(|text| {
        std::io::stdout().write_all(text.as_bytes()).map_err(|error| format!("it cannot be printed: {error}"))
    });
    match printed {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::from(2)
        }
    }
}

impl Request {
    fn read(arguments: &[OsString]) -> Result<Self, String> {
        let fail = |what: String| format!("{what}\n\n{USAGE}");
        let mut rest = arguments.iter();
        match rest.next().and_then(|word| word.to_str()) {
            Some("define") => {}
            _ => return Err(fail("the first argument must be `define`".into())),
        }
        let (mut table, mut raw, mut meta_data) = (None, false, None);
        while let Some(argument) = rest.next() {
            let slot = match argument.to_str() {
                Some("--raw") => {
                    raw = true;
                    continue;
                }
                Some("--table") => &mut table,
                Some("--meta-data") => &mut meta_data,
                _ => return Err(fail(format!("unknown argument `{}`", argument.display()))),
            };
            let value = rest.next().ok_or_else(|| fail(format!("{} needs a value", argument.display())))?;
            *slot = Some(value.clone());
        }
        let table =
            table.map(|name| name.into_string().map_err(|_| fail("--table is not UTF-8".into()))).transpose()?;
        Ok(Self { table, raw, meta_data: meta_data.map_or_else(|| "meta_data".into(), PathBuf::from) })
    }
}

fn define(request: &Request) -> Result<String, String> {
    let metadata = MetaData::read(&request.meta_data).map_err(|problems| problems.to_string())?;
    for warning in &metadata.warnings.0 {
        eprintln!("warning: {warning}");
    }
    let no_raw_database =
        || format!("there is no raw/database.json in {}: raw tables are not in Glue", request.meta_data.display());
    let (database, tables) = match request.raw {
        true => (metadata.raw_database.as_ref().ok_or_else(no_raw_database)?, &metadata.raw),
        false => (&metadata.database, &metadata.curated),
    };
    let text = match &request.table {
        Some(name) if request.raw => json(&create(database, metadata.raw_table(name)?, true)?),
        Some(name) => json(&create(database, metadata.curated_table(name)?, false)?),
        None => json(&all(database, tables, request.raw)?),
    };
    text.map_err(|error| error.to_string())
}

fn all(database: &Database, tables: &BTreeMap<String, Table>, raw: bool) -> Result<Vec<CreateTable>, String> {
    tables.values().map(|table| create(database, table, raw)).collect()
}

fn create(database: &Database, table: &Table, raw: bool) -> Result<CreateTable, String> {
    let bucket = &database.bucket;
    let definition: Result<_, Failure> = if raw {
        TableDefinition::raw(table, bucket, &database.base_folder)
    } else {
        let location = format!("s3://{bucket}/{}{}/{OF_RUN}/", database.base(), table.location);
        TableDefinition::curated(table, &location, OF_RUN, OF_VERSION)
    };
    let table_input = definition.map_err(|failure| failure.message)?;
    Ok(CreateTable { database_name: database.name.clone(), table_input })
}

fn json(value: &impl Serialize) -> serde_json::Result<String> {
    serde_json::to_string_pretty(value).map(|text| text + "\n")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn request(arguments: &[&str]) -> Result<Request, String> {
        Request::read(&arguments.iter().map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn arguments() {
        let read = request(&["define", "--table", "t", "--raw", "--meta-data", "m"]).unwrap();
        assert_eq!(read, Request { table: Some("t".into()), raw: true, meta_data: "m".into() });
        let read = request(&["define"]).unwrap();
        assert_eq!(read, Request { table: None, raw: false, meta_data: "meta_data".into() });
        for (arguments, message) in [
            (&["defin"][..], "must be `define`"),
            (&["define", "t"], "unknown argument `t`"),
            (&["define", "--table"], "--table needs a value"),
        ] {
            let error = request(arguments).unwrap_err();
            assert!(error.contains(message) && error.contains("usage:"), "{error}");
        }
    }

    #[test]
    fn what_is_not_described_is_named() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../meta_data");
        let ask =
            |table: &str, raw: bool| define(&Request { table: Some(table.into()), raw, meta_data: folder.clone() });
        assert!(ask("calculatd", false).unwrap_err().contains("did you mean `calculated`?"));
        assert!(ask("calculated", true).unwrap_err().contains("no raw table `calculated`"));
        let nowhere = Request { table: None, raw: false, meta_data: "nowhere".into() };
        assert!(define(&nowhere).unwrap_err().contains("nowhere"));
    }
}

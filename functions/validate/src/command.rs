//! The function's own checks on a file of this machine, for the person who has to repair it or who is about to send it:
//!
//! ```text
//! bootstrap check FILE [--table NAME] [--meta-data FOLDER] [--key KEY] [--json]
//! bootstrap describe FILE [--table NAME] [--meta-data FOLDER] [--dry-run]
//! bootstrap metadata [--meta-data FOLDER]
//! ```
//!
//! Ends with 0 for a file that passes, 1 for one that does not, and 2 where that could not be found out.

use std::ffi::OsString;
use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::UNIX_EPOCH;

use contract::message::Verdict;
use contract::{LandKey, MetaData, Table, key, visible_lines};
use rows::{Input, Ranges};

use crate::check::{Dataset, datasets};
use crate::describe;
use crate::local::{LocalFile, examine, local_key};
use crate::report::{Report, Violation};

const USAGE: &str = "\
usage: bootstrap check FILE [--table NAME] [--meta-data FOLDER] [--key KEY] [--json]
       bootstrap describe FILE [--table NAME] [--meta-data FOLDER] [--dry-run]
       bootstrap metadata [--meta-data FOLDER]

`check` checks a file of this machine exactly as the function checks one that lands; `describe` writes the metadata of
a new table that reads it; `metadata` checks all metadata by itself.

  FILE                of any format in docs/files.md; for `describe` also a Table Schema or Data Package of Frictionless,
                      an ODCS data contract in JSON, or what `aws glue get-table` prints
  --table NAME        the raw table; may be left out when the file's name begins with one's name
  --meta-data FOLDER  the metadata; meta_data when left out
  --key KEY           the key under which the file is to land: its name is checked too
  --json              the report as the function writes it, in place of a table
  --dry-run           shows what was found, and writes nothing

Ends with 0 if the file passes, 1 if it does not, 2 if it cannot be checked.
";

/// What was asked on the command line.
#[derive(Debug, PartialEq, Eq)]
struct Request {
    file: PathBuf,
    table: Option<String>,
    meta_data: PathBuf,
    key: Option<String>,
    json: bool,
}

/// Does what the arguments ask, which come after the program's name.
pub fn run(arguments: &[OsString]) -> ExitCode {
    if arguments.iter().any(|argument| argument == "--help" || argument == "-h") || arguments == ["help"] {
        print!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    if arguments.first().is_some_and(|word| word == "metadata") {
        return match check_metadata(&arguments[1..]) {
            Ok(text) => {
                println!("{text}");
                ExitCode::SUCCESS
            }
            Err((code, message)) => {
                eprintln!("{}", visible_lines(&message));
                ExitCode::from(code)
            }
        };
    }
    if arguments.first().is_some_and(|word| word == "describe") {
        let answer = describe_request(arguments).and_then(|request| describe::run(&request));
        return match answer {
            Ok((text, verdict)) => {
                print!("{}", visible_lines(&text));
                if verdict == Verdict::Passed { ExitCode::SUCCESS } else { ExitCode::from(1) }
            }
            Err(message) => {
                eprintln!("{}", visible_lines(&message));
                ExitCode::from(2)
            }
        };
    }
    let answer = Request::read(arguments).and_then(|request| Ok((check(&request)?, request.json)));
    let printed = answer.and_then(|(report, json)| {
        let text =
            if json { report.json().map_err(|failure| failure.to_string())? } else { report.to_string().into_bytes() };
        std::io::stdout().write_all(&text).map_err(|error| format!("the report cannot be printed: {error}"))?;
        Ok(report.verdict)
    });
    match printed {
        Ok(Verdict::Passed) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::from(1),
        Err(message) => {
            eprintln!("{}", visible_lines(&message));
            ExitCode::from(2)
        }
    }
}

impl Request {
    fn read(arguments: &[OsString]) -> Result<Self, String> {
        let fail = |what: String| format!("{what}\n\n{USAGE}");
        let mut rest = arguments.iter();
        match rest.next().and_then(|word| word.to_str()) {
            Some("check") => {}
            _ => return Err(fail("the first argument must be `check`, `describe` or `metadata`".into())),
        }
        let (mut file, mut table, mut meta_data, mut key, mut json) = (None, None, None, None, false);
        while let Some(argument) = rest.next() {
            let slot = match argument.to_str() {
                Some("--json") => {
                    json = true;
                    continue;
                }
                Some("--table") => &mut table,
                Some("--meta-data") => &mut meta_data,
                Some("--key") => &mut key,
                Some(other) if other.starts_with("--") => return Err(fail(format!("unknown option `{other}`"))),
                _ if file.is_none() => {
                    file = Some(PathBuf::from(argument));
                    continue;
                }
                _ => return Err(fail(format!("more than one file: {}", argument.display()))),
            };
            let value = rest.next().ok_or_else(|| fail(format!("{} needs a value", argument.display())))?;
            *slot = Some(value.clone());
        }
        let text = |value: Option<OsString>, of: &str| {
            let text = value.map(|value| value.into_string().map_err(|_| fail(format!("{of} is not UTF-8"))));
            text.transpose()
        };
        Ok(Self {
            file: file.ok_or_else(|| fail("no file is given".into()))?,
            table: text(table, "--table")?,
            meta_data: meta_data.map_or_else(|| "meta_data".into(), PathBuf::from),
            key: text(key, "--key")?,
            json,
        })
    }
}

/// Reads all metadata, and tries every rule of it. Fails with the exit status and all that is wrong.
fn check_metadata(arguments: &[OsString]) -> Result<String, (u8, String)> {
    let folder = match arguments {
        [] => PathBuf::from("meta_data"),
        [option, folder] if option == "--meta-data" => PathBuf::from(folder),
        _ => return Err((2, format!("expected no more than --meta-data FOLDER\n\n{USAGE}"))),
    };
    let metadata = MetaData::read(&folder).map_err(|problems| (1, problems.to_string()))?;
    for warning in &metadata.warnings.0 {
        eprintln!("warning: {}", visible_lines(&warning.to_string()));
    }
    datasets(&metadata).map_err(|problems| (1, problems.to_string()))?;
    let (raw, processed, curated) = (metadata.raw.len(), metadata.processed.len(), metadata.curated.len());
    Ok(format!("{raw} raw, {processed} processed and {curated} curated tables: the metadata is right by itself"))
}

fn describe_request(arguments: &[OsString]) -> Result<describe::Request, String> {
    let is_dry_run = |argument: &&OsString| *argument == "--dry-run";
    let dry_run = arguments.iter().any(|argument| is_dry_run(&argument));
    // the others are those of `check`
    let mut others = vec![OsString::from("check")];
    others.extend(arguments[1..].iter().filter(|argument| !is_dry_run(argument)).cloned());
    let Request { file, table, meta_data, key, json } = Request::read(&others)?;
    if key.is_some() || json {
        return Err(format!("--key and --json are for `check`\n\n{USAGE}"));
    }
    Ok(describe::Request { file, table, meta_data, dry_run })
}

fn check(request: &Request) -> Result<Report, String> {
    let path = &request.file;
    let metadata = MetaData::read(&request.meta_data).map_err(|problems| problems.to_string())?;
    for warning in &metadata.warnings.0 {
        eprintln!("{}", visible_lines(&format!("warning: {warning}")));
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let key = request.key.as_deref().map(|key| LandKey::parse(base_folder(key), key));
    let named = match &key {
        Some(Ok(key)) => Some(key.table.as_str()),
        _ => None,
    };
    let table = table(&metadata, request.table.as_deref().or(named), &name)?;
    let dataset = Dataset::new(table.clone()).map_err(|problems| problems.to_string())?;
    let local = local_key(table, &name)?;
    let mut failures = Vec::new();
    match &key {
        Some(Ok(key)) => failures.extend(dataset.check_name(key)),
        Some(Err(error)) => failures.push(Violation::whole("key", error.reason.clone())),
        None => {}
    }

    let cannot_read = |error: std::io::Error| format!("{}: {error}", path.display());
    let file = File::open(path).map_err(cannot_read)?;
    let about = file.metadata().map_err(cannot_read)?;
    if !about.is_file() {
        return Err(format!("{} is not a file", path.display()));
    }
    let time = about.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let file_here = LocalFile {
        shown: path.display().to_string(),
        bytes: about.len(),
        last_modified: time.map_or(0, |time| time.as_secs()),
    };
    let input = match rows::needs_ranges(local.format, local.compression) {
        true => Input::from(Ranges::file(path).map_err(cannot_read)?),
        false => Input::from(file),
    };
    examine(&dataset, &local, file_here, input, failures, &metadata.sha256)
}

/// What comes before the table in a key: of a stack whose settings are not known here.
fn base_folder(key: &str) -> &str {
    let mut segments = key.rsplitn(4, '/');
    let folder = segments.nth(1).unwrap_or_default();
    let table = if folder.starts_with(key::FILE_LAND_TIMESTAMP) { segments.next().unwrap_or_default() } else { folder };
    let end = key.rfind(&format!("{table}/{}", if table == folder { "" } else { folder })).unwrap_or(0);
    &key[..end]
}

/// The table that is named, or whose name the file's begins with; a hyphen or a space counts as an underscore.
fn table<'a>(metadata: &'a MetaData, named: Option<&str>, file_name: &str) -> Result<&'a Table, String> {
    if let Some(named) = named {
        return metadata.raw_table(named);
    }
    let plain = file_name.to_lowercase().replace(|c: char| !c.is_alphanumeric(), "_");
    let begins = |table: &&Table| {
        let rest = plain.strip_prefix(table.name.as_str());
        rest.is_some_and(|rest| !rest.starts_with(char::is_alphanumeric))
    };
    metadata.raw.values().filter(begins).max_by_key(|table| table.name.len()).ok_or_else(|| {
        let names: Vec<String> = metadata.raw.keys().map(|name| format!("`{name}`")).collect();
        format!("`{file_name}` begins with no table's name; name one by --table: {}", names.join(", "))
    })
}

#[cfg(test)]
mod tests;

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
use store::Object;

use crate::check::{Dataset, datasets};
use crate::describe;
use crate::report::{Broken, Findings, Report};

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

/// What `check` says of a file, by a description of its table.
///
/// # Errors
/// Where it cannot be found out.
pub fn report(table: &Table, name: &str, ranges: Ranges) -> Result<Report, String> {
    let dataset = Dataset::new(table.clone()).map_err(|problems| problems.to_string())?;
    let key = local_key(table, name)?;
    let file = LocalFile { shown: name.to_owned(), bytes: ranges.length(), last_modified: 0 };
    examine(&dataset, &key, file, Input::from(ranges), dataset.check_name(&key).into_iter().collect(), "")
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
        Some(Err(error)) => failures.push(Broken::whole("key", error.reason.clone())),
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

/// A file of this machine, as a report names it.
struct LocalFile {
    shown: String,
    bytes: u64,
    last_modified: u64,
}

/// A key of no place in land.
fn local_key(table: &Table, name: &str) -> Result<LandKey, String> {
    let (format, compression) =
        key::extension(name).ok_or_else(|| format!("{name}: none of the extensions {}", key::extensions()))?;
    let file_name = name.to_owned();
    Ok(LandKey { table: table.name.clone(), file_land_timestamp: None, file_name, format, compression })
}

/// What the function's checks find, besides what is wrong already.
fn examine(
    dataset: &Dataset,
    key: &LandKey,
    file: LocalFile,
    input: Input,
    mut failures: Vec<Broken>,
    metadata_sha256: &str,
) -> Result<Report, String> {
    failures.extend(dataset.check_size(file.bytes));
    let read = dataset.check_rows(input, key).map_err(|failure| format!("{}: {failure}", file.shown))?;
    failures.extend(read.failures);
    let findings = Findings { failures, ..read };
    let object = Object {
        bucket: String::new(),
        key: file.shown,
        version_id: None,
        etag: String::new(),
        bytes: file.bytes,
        last_modified: file.last_modified,
        checksum: None,
    };
    Ok(Report::new(&object, Some(&key.table), &findings, Verdict::Failed, None, metadata_sha256))
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
mod tests {
    use std::fs;
    use std::path::Path;

    use serde_json::{Value, json};

    use super::*;

    fn request(arguments: &[&str]) -> Result<Request, String> {
        Request::read(&arguments.iter().map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn arguments() {
        let read = request(&["check", "--table", "t", "a.jsonl", "--json", "--meta-data", "m", "--key", "k"]).unwrap();
        let expected = Request {
            file: "a.jsonl".into(),
            table: Some("t".into()),
            meta_data: "m".into(),
            key: Some("k".into()),
            json: true,
        };
        assert_eq!(read, expected);
        let read = request(&["check", "a"]).unwrap();
        assert_eq!((read.meta_data, read.table, read.json), ("meta_data".into(), None, false));
        for (arguments, message) in [
            (&["chek"][..], "must be `check`, `describe` or `metadata`"),
            (&["check"], "no file"),
            (&["check", "a", "b"], "more than one file: b"),
            (&["check", "a", "--table"], "--table needs a value"),
            (&["check", "a", "--tabel", "t"], "unknown option `--tabel`"),
        ] {
            let error = request(arguments).unwrap_err();
            assert!(error.contains(message) && error.contains("usage:"), "{error}");
        }
    }

    #[test]
    fn the_base_folder_is_what_comes_before_the_table() {
        for (key, base) in [
            ("a/b/t/file_land_timestamp=7/t_7.jsonl", "a/b/"),
            ("t/file_land_timestamp=7/t_7.jsonl", ""),
            ("a/t/t_7.jsonl", "a/"),
            ("t/t_7.jsonl", ""),
            ("t_7.jsonl", ""),
        ] {
            assert_eq!(base_folder(key), base, "{key}");
        }
    }

    #[test]
    fn a_file_is_checked_as_the_function_checks_it() {
        let folder = tempfile::tempdir().unwrap();
        let write = |file: &str, text: &str| {
            let file = folder.path().join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(&file, text).unwrap();
            file
        };
        let columns = json!([
            {"name": "n", "type": "int", "maximum": 100},
            {"name": "who", "type": "character", "enum": ["a|b"], "sensitivity": "personal_data"},
        ]);
        for name in ["t", "t_long"] {
            let table = json!({"name": name, "data_format": "json", "location": "t", "columns": columns});
            write(&format!("m/raw/{name}.json"), &table.to_string());
        }
        let database = json!({"name": "d", "bucket": "b", "base_folder": "f", "description": "d"});
        write("m/curated/database.json", &database.to_string());
        let good = write("t_long-1.jsonl", "{\"n\":1,\"who\":\"a|b\"}\n");
        let bad = write("t_7.jsonl", "{\"n\":101,\"who\":\"\\u001b[2J\",\"new\":[1]}\n{\"n\":102,\"who\":null}\n");
        let other = write("other.jsonl", "{\"n\":1,\"who\":null}\n");
        let meta_data = folder.path().join("m");
        let ask = |file: &Path, table: Option<&str>, key: Option<&str>| {
            let (table, key) = (table.map(str::to_owned), key.map(str::to_owned));
            check(&Request { file: file.to_owned(), table, meta_data: meta_data.clone(), key, json: false })
        };

        let report = ask(&good, None, None).unwrap();
        assert_eq!((report.verdict, report.table.as_deref()), (Verdict::Passed, Some("t_long")));
        let report = ask(&bad, None, None).unwrap();
        let written: Value = serde_json::from_slice(&report.json().unwrap()).unwrap();
        assert_eq!((&written["verdict"], &written["filed_at"]), (&json!("failed"), &Value::Null));
        let text = report.to_string().replace(&bad.display().to_string(), "t_7.jsonl");
        let expected = "\
t_7.jsonl does not pass as `t`: 3 rules are broken
2 rows, 2 lines, 59 bytes of text, 59 bytes in the file

RULE               COLUMN  ROWS  SHARE  EXPECTED                                       FIRST ROWS
-----------------  ------  ----  -----  ---------------------------------------------  ----------------------------
unexpected_column  new        1    50%  no column that the metadata does not describe  line 1
maximum            n          2   100%  at most 100                                    line 1: `101`; line 2: `102`
enum               who        1    50%  one of `a|b`                                   line 1

New columns, to paste among the table's columns in the metadata:
  {\"name\":\"new\",\"type\":\"array<int>\",\"description\":\"\",\"nullable\":true}
";
        assert_eq!(text, expected);

        assert!(ask(&other, None, None).unwrap_err().contains("name one by --table: `t`, `t_long`"));
        assert_eq!(ask(&other, Some("t"), None).unwrap().verdict, Verdict::Passed);
        let hyphen = write("T-Long 2.jsonl", &fs::read_to_string(&good).unwrap());
        assert_eq!(ask(&hyphen, None, None).unwrap().table.as_deref(), Some("t_long"));
        let key = "base/t/file_land_timestamp=7/t_8.jsonl";
        assert_eq!(ask(&other, None, Some(key)).unwrap().failures[0].rule, "file_name");
        assert_eq!(ask(&other, Some("t"), Some("base/t/..//t_8.jsonl")).unwrap().failures[0].rule, "key");
        assert!(ask(&other, Some("u"), None).unwrap_err().contains("no raw table `u`"));
        assert!(ask(&folder.path().join("t_none.jsonl"), None, None).unwrap_err().contains("t_none.jsonl"));
        assert!(ask(&write("t.xls", ""), None, None).unwrap_err().contains("extensions"));
    }
}

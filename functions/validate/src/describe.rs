//! A new table out of a sample: how the file is written, what its columns are called and of which types they are, as
//! metadata that reads it. What `landfall new-table` does.

mod columns;
mod sample;
mod schemas;
mod sniffed;
mod written;

use std::path::{Path, PathBuf};

use contract::message::Verdict;
use contract::{MetaData, key};

use crate::describe::columns::Found;
use crate::describe::sample::Sample;
use crate::describe::schemas::Schema;
use crate::describe::sniffed::Sniffed;
use crate::figures::counted;
use crate::report::Report;

/// What is asked.
#[derive(Debug, PartialEq, Eq)]
pub struct Request {
    /// The sample.
    pub file: PathBuf,
    /// The table's name; made of the file's where it is left out.
    pub table: Option<String>,
    /// Where metadata is written to.
    pub meta_data: PathBuf,
    /// Whether nothing is written.
    pub dry_run: bool,
}

/// Describes the sample, writes the metadata, and says what was found and what is still to do. Returns what people
/// read, and whether the sample passes.
///
/// # Errors
/// Where the sample cannot be read, or a table of the name is there.
pub fn run(request: &Request) -> Result<(String, bool), String> {
    if let Some(table) = request.table.as_ref().filter(|table| !key::is_table_name(table)) {
        return Err(format!("`{table}` is not a table name: lower-case letters, digits and `_`"));
    }
    if let Some(schema) = schemas::read(&request.file, request.table.as_deref())? {
        return Ok((of_schema(request, schema)?, true));
    }
    let sample = Sample::open(&request.file)?;
    let table = request.table.clone().unwrap_or_else(|| table_name(&sample.name));
    let files = written::Files::of(&request.meta_data, &table);
    if !request.dry_run {
        files.check_free()?;
    }
    let mut sniffed = Sniffed::of(&sample)?;
    let mut found = columns::find(&sample, &sniffed)?;
    // some byte behind what was looked at is not of UTF-8
    if found.not_utf8 && !sniffed.has_encoding() {
        sniffed.set_encoding("windows-1252");
        found = columns::find(&sample, &sniffed)?;
    }
    let mut tried = try_out(&sample, &table, &sniffed, &found)?;
    if tried.1.verdict != Verdict::Passed {
        // where all that is wrong is that some numbers are none
        let mut with_nan = sniffed.clone();
        with_nan.take_nan();
        let again = try_out(&sample, &table, &with_nan, &found)?;
        if again.1.verdict == Verdict::Passed {
            (sniffed, tried) = (with_nan, again);
        }
    }
    let (raw, report) = tried;
    found.notes.splice(0..0, sniffed.notes.clone());
    let mut said = written::shown(&request.file, None, &table, &sniffed, &found);
    let verdict = report.verdict;
    said.push_str(&match verdict {
        Verdict::Passed => format!("\nThe sample passes: {}.\n", counted(report.rows, "row")),
        _ => format!("\nThe sample does not pass yet:\n\n{report}"),
    });
    if !request.dry_run {
        files.write(&raw, &written::curated(&table, &found), &written::sql(&table, &found))?;
        said.push_str(&files.next_steps(&table, Some(&request.file)));
    }
    Ok((said, verdict == Verdict::Passed))
}

/// The metadata, and what the checks say of the sample by it.
fn try_out(sample: &Sample<'_>, table: &str, sniffed: &Sniffed, found: &Found) -> Result<(String, Report), String> {
    let raw = written::raw(table, Some(&sample.name), sniffed, found);
    let described = MetaData::parse_raw_table(Path::new(table), &raw).map_err(|problems| problems.to_string())?;
    let report = crate::local::report(&described, &sample.name, sample.ranges.clone())?;
    Ok((raw, report))
}

/// The same out of another program's description of a table.
fn of_schema(request: &Request, schema: Schema) -> Result<String, String> {
    let Schema { name, of, sniffed, found } = schema;
    let of_file = || table_name(&request.file.file_name().unwrap_or_default().to_string_lossy());
    let table = request.table.clone().or(name).unwrap_or_else(of_file);
    let files = written::Files::of(&request.meta_data, &table);
    let raw = written::raw(&table, None, &sniffed, &found);
    MetaData::parse_raw_table(&files.raw, &raw).map_err(|problems| problems.to_string())?;
    let mut said = written::shown(&request.file, Some(of), &table, &sniffed, &found);
    if !request.dry_run {
        files.check_free()?;
        files.write(&raw, &written::curated(&table, &found), &written::sql(&table, &found))?;
        said.push_str(&files.next_steps(&table, None));
    }
    Ok(said)
}

/// Of a file's name, without the numbers and dates that each file of a table has of its own.
fn table_name(file: &str) -> String {
    let stem = file.split('.').next().unwrap_or_default();
    let words: Vec<&str> = stem.split(|c: char| !c.is_alphanumeric()).collect();
    let numbered = |word: &&&str| word.is_empty() || word.bytes().all(|byte| byte.is_ascii_digit());
    let own = words.iter().rev().take_while(numbered).count();
    let kept = if own < words.len() { words[..words.len() - own].join("_") } else { stem.to_owned() };
    key::described_name(&kept, |_| false)
}

#[cfg(test)]
mod tests;

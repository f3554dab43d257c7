//! Description: derives the metadata of a new table from a sample. It covers how the file is written, and the names and
//! types of its columns. `landfall new-table` uses it.

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

/// A request to describe a sample.
#[derive(Debug, PartialEq, Eq)]
pub struct Request {
    /// The sample, or another program's description of a table.
    pub file: PathBuf,
    /// The table's name; if `None`, it is derived from the file's name.
    pub table: Option<String>,
    /// The metadata folder to write to.
    pub meta_data: PathBuf,
    /// Whether nothing is written.
    pub dry_run: bool,
}

/// Describes the sample, writes the metadata, and lists findings and open steps. Returns this text, and whether the
/// sample passes its own description.
///
/// # Errors
/// If the sample cannot be read, or a table with this name already exists.
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
    // a byte beyond the part that was sniffed is not UTF-8
    if found.not_utf8 && !sniffed.has_encoding() {
        sniffed.set_encoding("windows-1252");
        found = columns::find(&sample, &sniffed)?;
    }
    let mut tried = try_out(&sample, &table, &sniffed, &found)?;
    if tried.1.verdict != Verdict::Passed {
        // perhaps the only misfits are NaN and infinities
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

/// Returns the metadata, and the report on the sample by it.
fn try_out(sample: &Sample<'_>, table: &str, sniffed: &Sniffed, found: &Found) -> Result<(String, Report), String> {
    let raw = written::raw(table, Some(&sample.name), sniffed, found);
    let described = MetaData::parse_raw_table(Path::new(table), &raw).map_err(|problems| problems.to_string())?;
    let report = crate::local::report(&described, &sample.name, sample.ranges.clone())?;
    Ok((raw, report))
}

/// Does the same from another program's description of a table.
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

/// Derives a table's name from a file's name, without the numbers and dates that differ between files of a table.
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

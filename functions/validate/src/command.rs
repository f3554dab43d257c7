//! The function's own checks on a local file, for a person who repairs it or is about to send it. `landfall validate`
//! and `landfall check` use them.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::UNIX_EPOCH;

use contract::message::Verdict;
use contract::{LandKey, MetaData, Table, key, quoted};
use rows::{Input, Ranges};

use crate::check::{Dataset, datasets};
use crate::local::{LocalFile, examine, local_key};
use crate::report::{Report, Violation};

/// A request to check a file.
#[derive(Debug, PartialEq, Eq)]
pub struct Request {
    /// The local file.
    pub file: PathBuf,
    /// The raw table; if `None`, it is derived from the key or from the file's name.
    pub table: Option<String>,
    /// The metadata folder.
    pub meta_data: PathBuf,
    /// The key under which the file is to land: its name is checked too.
    pub key: Option<String>,
}

/// The result of checking a file.
#[derive(Debug)]
pub struct Checked {
    /// Whether the file satisfies all rules.
    pub passed: bool,
    /// The report as text for a terminal.
    pub text: String,
    /// The report as the function writes it.
    pub json: String,
    /// Warnings about the metadata.
    pub warnings: Vec<String>,
}

/// Checks a file exactly as the function checks one that lands. `read` counts the bytes as they are read.
///
/// # Errors
/// If the metadata is invalid, the table cannot be determined, or the file cannot be read.
pub fn check(request: &Request, read: &Arc<AtomicU64>) -> Result<Checked, String> {
    let metadata = MetaData::read(&request.meta_data).map_err(|problems| problems.to_string())?;
    let report = report_on(request, &metadata, read)?;
    let json = report.json().map_err(|failure| failure.to_string())?;
    Ok(Checked {
        passed: report.verdict == Verdict::Passed,
        text: report.to_string(),
        json: String::from_utf8_lossy(&json).into_owned(),
        warnings: metadata.warnings.lines(),
    })
}

/// Reads all metadata and prepares every rule. Returns a summary and the warnings.
///
/// # Errors
/// All errors in the metadata.
pub fn check_metadata(folder: &Path) -> Result<(String, Vec<String>), String> {
    let metadata = MetaData::read(folder).map_err(|problems| problems.to_string())?;
    datasets(&metadata).map_err(|problems| problems.to_string())?;
    let (raw, processed, curated) = (metadata.raw.len(), metadata.processed.len(), metadata.curated.len());
    let text =
        format!("{raw} raw, {processed} processed and {curated} curated tables: the metadata is right by itself");
    Ok((text, metadata.warnings.lines()))
}

fn report_on(request: &Request, metadata: &MetaData, read: &Arc<AtomicU64>) -> Result<Report, String> {
    let path = &request.file;
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let key = request.key.as_deref().map(|key| LandKey::parse(base_folder(key), key));
    let named = match &key {
        Some(Ok(key)) => Some(key.table.as_str()),
        _ => None,
    };
    let table = table(metadata, request.table.as_deref().or(named), &name)?;
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
    let input = if rows::needs_ranges(local.format, local.compression) {
        Input::from(Ranges::file(path).map_err(cannot_read)?)
    } else {
        Input::from(Counted { file, read: Arc::clone(read) })
    };
    examine(&dataset, &local, file_here, input, failures, &metadata.sha256)
}

/// A reader that counts the bytes of a file while they are read.
struct Counted {
    file: File,
    read: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.read.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

/// Returns the part of a key before the table, as the stack's base folder is not known here.
fn base_folder(key: &str) -> &str {
    let mut segments = key.rsplitn(4, '/');
    let folder = segments.nth(1).unwrap_or_default();
    let table = if folder.starts_with(key::FILE_LAND_TIMESTAMP) { segments.next().unwrap_or_default() } else { folder };
    let end = key.rfind(&format!("{table}/{}", if table == folder { "" } else { folder })).unwrap_or(0);
    &key[..end]
}

/// Returns the named table, or else the one with whose name the file's name begins. A hyphen or a space counts as an
/// underscore.
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
        let names = quoted(metadata.raw.keys());
        format!("`{file_name}` begins with no table's name; name one by --table (TABLE= of make): {names}")
    })
}

#[cfg(test)]
mod tests;

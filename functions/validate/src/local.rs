//! The function's own checks, on a local file.

use contract::message::Verdict;
use contract::{LandKey, Table, key};
use rows::{Input, Ranges};
use store::Object;

use crate::check::Dataset;
use crate::report::{Findings, Report, Violation};

/// Returns the report on a local file, checked against a table's description.
///
/// # Errors
/// If the description is invalid, or the file cannot be read.
pub(crate) fn report(table: &Table, name: &str, ranges: Ranges) -> Result<Report, String> {
    let dataset = Dataset::new(table.clone()).map_err(|problems| problems.to_string())?;
    let key = local_key(table, name)?;
    let file = LocalFile { shown: name.to_owned(), bytes: ranges.length(), last_modified: 0 };
    examine(&dataset, &key, file, Input::from(ranges), dataset.check_name(&key).into_iter().collect(), "")
}

/// A local file, as a report names it.
pub(crate) struct LocalFile {
    /// Its name or path, as shown.
    pub shown: String,
    pub bytes: u64,
    /// Unix seconds.
    pub last_modified: u64,
}

/// Returns a key for a file that is not in land.
pub(crate) fn local_key(table: &Table, name: &str) -> Result<LandKey, String> {
    let (format, compression) =
        key::extension(name).ok_or_else(|| format!("{name}: none of the extensions {}", key::extensions()))?;
    let file_name = name.to_owned();
    Ok(LandKey { table: table.name.clone(), file_land_timestamp: None, file_name, format, compression })
}

/// Applies the function's checks and adds their findings to `failures`.
pub(crate) fn examine(
    dataset: &Dataset,
    key: &LandKey,
    file: LocalFile,
    input: Input,
    mut failures: Vec<Violation>,
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

//! All checks of one file: its name, its size, and every row in a single read.

use std::collections::BTreeMap;

use std::sync::Arc;

use contract::{Anchor, Failure, LandKey, MetaData, Problems, Table};
use regex::Regex;
use rows::{Input, MisfitKind, Options, ReadError, RowReader, Tally};

use crate::drift::{Drift, Empty};
use crate::figures::{counted, grouped};
use crate::report::{Example, Findings, Violation};
use crate::rules::{Rules, anchored};

/// Larger files take longer than a function may run. extract closes its files at 1 GB.
const MAXIMUM_FILE_BYTES: u64 = 5_000_000_000;

/// A raw table with its compiled rules.
#[derive(Debug)]
pub(crate) struct Dataset {
    /// The table's description.
    pub table: Table,
    rules: Rules,
    file_name: Option<Regex>,
    /// The table as it was before each given time, the earliest first.
    earlier: Vec<(u64, Dataset)>,
}

impl Dataset {
    /// Compiles a table's rules. Fails with everything in its metadata that cannot be checked.
    pub(crate) fn new(table: Table) -> Result<Self, Problems> {
        let mut problems = Problems::default();
        let rules = Rules::new(&table, &mut problems);
        let file_name = match table.checks.file_name_pattern.as_ref().map(|pattern| anchored(pattern, Anchor::Whole)) {
            Some(Err(message)) => {
                problems.add(&table.file, "checks.file_name_pattern", message);
                None
            }
            Some(Ok((regex, _))) => Some(regex),
            None => None,
        };
        for column in table.data_columns() {
            if let Some(Err(message)) = column.datetime_format.as_deref().map(rows::check_datetime_format) {
                problems.add(&table.file, format!("datetime_format of column `{}`", column.name), message);
            }
        }
        if let Some(Err(message)) = table.file_dialect.encoding.as_deref().map(rows::check_encoding) {
            problems.add(&table.file, "dialect.encoding", message);
        }
        let mut earlier = Vec::new();
        for before in table.changed_at() {
            let mut then = table.at(before.saturating_sub(1)).into_owned();
            then.columns.iter_mut().for_each(|column| column.earlier_types.clear());
            earlier.push((before, Self::new(then)?));
        }
        if problems.is_empty() { Ok(Self { table, rules, file_name, earlier }) } else { Err(problems) }
    }

    /// Checks a file's name.
    pub(crate) fn check_name(&self, key: &LandKey) -> Option<Violation> {
        let wrong = match (&self.file_name, &self.table.checks.file_name_pattern) {
            (Some(regex), Some(pattern)) => (!regex.is_match(&key.file_name))
                .then(|| format!("file name `{}`: expected one that is `{pattern}`", key.file_name)),
            _ => key.check_name().err(),
        };
        wrong.map(|expected| Violation::whole("file_name", expected))
    }

    /// Checks a file's size.
    pub(crate) fn check_size(&self, bytes: u64) -> Option<Violation> {
        let checks = &self.table.checks;
        let (rule, expected) = if bytes == 0 && checks.minimum_bytes > 0 {
            ("size", "the file is empty".to_owned())
        } else if bytes > MAXIMUM_FILE_BYTES {
            let most = counted(MAXIMUM_FILE_BYTES, "byte");
            ("size", format!("found {}; a file has at most {most}: split it", counted(bytes, "byte")))
        } else if bytes < checks.minimum_bytes {
            ("minimum_bytes", expected("least", checks.minimum_bytes, bytes, "byte"))
        } else {
            let most = checks.maximum_bytes.filter(|most| bytes > *most)?;
            ("maximum_bytes", expected("most", most, bytes, "byte"))
        };
        Some(Violation::whole(rule, expected))
    }

    /// Reads a file to its end, or as far as it can be read, and applies every rule. Fails only if the bytes cannot be
    /// fetched, or if there is no room to remember unique values. Neither says anything about the file.
    pub(crate) fn check_rows(&self, input: impl Into<Input>, key: &LandKey) -> Result<Findings, Failure> {
        let landed = key.file_land_timestamp;
        if let Some((_, then)) = self.earlier.iter().find(|(before, _)| landed.is_some_and(|landed| landed < *before)) {
            return then.check_rows(input, key);
        }
        let options = Options { examples: self.table.checks.examples, ..Options::default() };
        let mut reader = match RowReader::new(input, key.format, key.compression, &self.table, options) {
            Ok(reader) => reader,
            Err(error) => return Ok(Findings { failures: vec![unreadable(error)?], ..Findings::default() }),
        };
        let (mut tallies, mut empty) = (self.rules.start(), Empty::new(&self.table));
        let end = loop {
            match reader.next_batch() {
                Ok(Some(batch)) => {
                    tallies.add(&batch)?;
                    empty.add(&batch);
                }
                Ok(None) => break None,
                Err(error) => break Some(unreadable(error)?),
            }
        };
        let read = reader.summary();
        let whole = end.is_none();
        let mut failures: Vec<Violation> = end.into_iter().collect();
        failures.extend(read.tallies.iter().filter(|tally| !self.is_allowed(tally.kind)).map(|tally| {
            let of = if tally.column.is_none() && is_of_lines(tally.kind) { read.lines } else { read.rows };
            misfit(tally, of)
        }));
        failures.extend(tallies.broken(read.rows)?);
        if whole {
            // the row count is unknown if the file cannot be read to its end
            failures.extend(self.row_count(read.rows));
        }
        let drift = Drift::new(&self.table, &read, &empty);
        failures.extend(self.foreign(&drift));
        Ok(Findings { rows: read.rows, lines: read.lines, inflated_bytes: read.bytes, failures, drift })
    }

    fn is_allowed(&self, kind: MisfitKind) -> bool {
        match kind {
            MisfitKind::MissingColumn => self.table.checks.allow_missing_columns,
            MisfitKind::UnexpectedColumn => self.table.checks.allow_unexpected_columns,
            _ => false,
        }
    }

    /// If missing and unexpected columns are allowed, a file of another table would pass as rows of nulls.
    fn foreign(&self, drift: &Drift) -> Option<Violation> {
        let none = drift.gone.len() == self.table.data_columns().len();
        (none && self.table.checks.allow_missing_columns)
            .then(|| Violation::whole("columns", "no row has any column of the table: is it a file of another table?"))
    }

    fn row_count(&self, rows: u64) -> Option<Violation> {
        let checks = &self.table.checks;
        if rows < checks.minimum_rows {
            return Some(Violation::whole("minimum_rows", expected("least", checks.minimum_rows, rows, "row")));
        }
        let most = checks.maximum_rows.filter(|most| rows > *most)?;
        Some(Violation::whole("maximum_rows", expected("most", most, rows, "row")))
    }
}

/// `expected at least 2 rows, found 1`
fn expected(which: &str, bound: u64, found: u64, thing: &str) -> String {
    format!("expected at {which} {}, found {}", counted(bound, thing), grouped(found))
}

/// Compiles the rules of every raw table. Fails with everything in the metadata that cannot be checked.
pub(crate) fn datasets(metadata: &MetaData) -> Result<BTreeMap<String, Arc<Dataset>>, Problems> {
    let mut problems = Problems::default();
    let mut datasets = BTreeMap::new();
    for (name, table) in &metadata.raw {
        match Dataset::new(table.clone()) {
            Ok(dataset) => drop(datasets.insert(name.clone(), Arc::new(dataset))),
            Err(more) => problems.0.extend(more.0),
        }
    }
    if problems.is_empty() { Ok(datasets) } else { Err(problems) }
}

fn unreadable(error: ReadError) -> Result<Violation, Failure> {
    let message = error.to_string();
    match error {
        ReadError::Format { .. } => Ok(Violation::whole("format", message)),
        ReadError::Compressed { format, .. } => Ok(Violation::whole(format, message)),
        ReadError::Json { .. } => Ok(Violation::whole("json", message)),
        ReadError::Workbook { .. } => Ok(Violation::whole("workbook", message)),
        ReadError::Header { .. } | ReadError::LineEnds { .. } => Ok(Violation::whole("header", message)),
        ReadError::Parquet { .. } => Ok(Violation::whole("parquet", message)),
        ReadError::LineTooLong { .. } => Ok(Violation::whole("line_length", message)),
        ReadError::TooLarge { .. } => Ok(Violation::whole("text_size", message)),
        ReadError::Io { .. } => Err(Failure::unavailable(message)),
        ReadError::DatetimeFormat { .. } | ReadError::Encoding { .. } => Err(Failure::bad_metadata(message)),
    }
}

fn is_of_lines(kind: MisfitKind) -> bool {
    use MisfitKind::{NotAnObject, NotCsv, NotJson, NotUtf8, RaggedRow};
    matches!(kind, NotUtf8 | NotJson | NotAnObject | NotCsv | RaggedRow)
}

fn misfit(tally: &Tally, of: u64) -> Violation {
    let rule = match tally.kind {
        MisfitKind::NotUtf8 => "utf8",
        MisfitKind::NotJson => "json",
        MisfitKind::NotAnObject => "json_object",
        MisfitKind::NotCsv => "csv",
        MisfitKind::RaggedRow => "fields",
        MisfitKind::MissingColumn => "missing_column",
        MisfitKind::UnexpectedColumn => "unexpected_column",
        MisfitKind::DuplicateColumn => "duplicate_column",
        MisfitKind::WrongType => "type",
    };
    let expected = tally.examples.first().map(|misfit| misfit.expected.as_str()).unwrap_or_default();
    let column = match tally.kind {
        MisfitKind::UnexpectedColumn => Some(tally.column.as_deref().unwrap_or("(more)")),
        _ => tally.column.as_deref(),
    };
    let examples = tally.examples.iter().map(|misfit| Example {
        line: misfit.line,
        first_line: None,
        path: (!misfit.path.is_empty()).then(|| misfit.path.clone()),
        value: misfit.text.clone(),
    });
    if tally.count == 0 {
        let examples = Vec::new();
        return Violation {
            column: column.map(str::to_owned),
            examples,
            ..Violation::whole(rule, format!("expected {expected}"))
        };
    }
    Violation::counted(rule, column, expected, tally.count, of, examples.collect())
}

#[cfg(test)]
pub(crate) mod tests;

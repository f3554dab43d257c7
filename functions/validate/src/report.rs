//! The report on a file: its checks, its findings and its verdict. It is in the reports bucket for every file, and also
//! beside the file if that is in quarantine.
//!
//! ```json
//! {
//!   "report_version": 1,
//!   "verdict": "quarantined",
//!   "summary": "quarantined: 2 rules are broken in 1,000 rows: …",
//!   "table": "random_postcodes",
//!   "object": {"bucket": "…", "key": "…", "version_id": "…", "etag": "…", "bytes": 81923, "checksum": "crc64nvme:…",
//!              "landed_at": "2026-11-23T06:00:04Z"},
//!   "filed_at": {"bucket": "…", "key": "…"},
//!   "rows": 1000, "lines": 1000, "inflated_bytes": 1812345,
//!   "failures": [
//!     {"rule": "enum", "column": "country", "expected": "one of `England`, …", "count": 2, "percent": 0.2,
//!      "examples": [{"line": 17, "value": "Narnia"}, {"line": 40, "value": "Mordor"}]},
//!     {"rule": "unique", "column": "id", "expected": "a value that no earlier row has", "count": 1, "percent": 0.1,
//!      "examples": [{"line": 33, "first_line": 4, "value": "1007"}]}
//!   ],
//!   "drift": {
//!     "new": [{"column": "ward_2026", "count": 1000, "percent": 100.0,
//!              "snippet": {"name": "ward_2026", "type": "character", "description": "", "nullable": false}}],
//!     "gone": [{"column": "parish", "count": 1000}],
//!     "always_null": []
//!   },
//!   "metadata_sha256": "…"
//! }
//! ```
//!
//! Version 1. Without a new version, fields may be added, but none is renamed, removed or given another meaning.
//!
//! - `verdict` is `passed` or `quarantined`, or `failed` for a file that stays where it is. That is in land, because
//!   all files of the request had to pass, or on the machine where `landfall validate` read it. `filed_at` is the
//!   file's current location. It is null for a file that is not in a bucket: the `key` of its `object` is a path, and
//!   its `landed_at` is the time of its last change.
//! - `repeats` is present for a file that was already in history, under the time of an earlier landing. It is the
//!   location of that file, and this landing has changed nothing.
//! - `rows` counts rows. `lines` also counts blank lines and lines that are not rows. After a failure that ends the
//!   reading, both count what was read before it. Such failures are `gzip`, `zip`, `zstd`, `bzip2`, `json` of a
//!   document as a whole, `workbook`, `parquet`, `header`, `line_length` and `text_size`.
//! - `rule` is the metadata's key (`nullable`, `enum`, `pattern`, `minimum`, `maximum`, `minLength`, `maxLength`,
//!   `unique`, `unique_primary_key`, `minimum_rows`, `maximum_rows`, `minimum_bytes`, `maximum_bytes`) or one of `key`,
//!   `table`, `file_name`, `size`, `format`, `gzip`, `zip`, `zstd`, `bzip2`, `workbook`, `parquet`, `header`,
//!   `line_length`, `text_size`, `utf8`, `json`, `json_object`, `csv`, `fields`, `columns`, `missing_column`,
//!   `unexpected_column`, `duplicate_column`, `type`, `history`, `extract`. It is `process` in the report of a raw file
//!   that the process stage could not repair, which does not have `rows`, `lines` and `drift`.
//! - `count` is the number of rows that break the rule (of lines for `utf8`, `json`, `json_object`, `csv` and
//!   `fields`), and `percent` is its share of all rows or lines. A rule about the file as a whole has neither. `column`
//!   is null for a rule about the file or its lines.
//! - `examples` are the first rows that break the rule. `line` counts from 1. `value` is cut. For `type` it is the JSON
//!   text, so that `1` and `"1"` differ. It is absent for a null and for a sensitive column. `path` is the place inside
//!   a struct or array. `first_line` is the line on which a repeated value occurs first. The repeated value is absent
//!   if the file has too many values to keep them in memory.
//! - `drift` lists columns, whether or not the metadata allows them to differ. `new` columns are not described, `gone`
//!   columns are in no row, and `always_null` columns are in some row but never have a value. `count` is the number of
//!   rows with the new column, and the number of all rows for the others. A `snippet` is the new column in the
//!   vocabulary of the table's own metadata file, with the type that all its values have. There is no snippet for a
//!   field inside a column, for a name that metadata cannot have, and if no single type reads all values.
//!
//! Invisible characters (control characters, direction marks, zero-width characters, unusual spaces) are escaped. In
//! texts for people this is `\u{202e}`. In values it is JSON's own `\u202e`, so that they remain the file's values.
//!
//! The same file and metadata give the same bytes. A report that is written again after a crash therefore replaces
//! itself.

use std::fmt::Write;

use chrono::{DateTime, SecondsFormat};
use contract::key::with_suffix;
use contract::message::{ObjectName, Verdict};
use contract::{visible, visible_json};
use serde::Serialize;
use store::Object;

use crate::drift::Drift;
use crate::figures::{broken, counted, percent};

/// The version of the report's schema.
const REPORT_VERSION: u32 = 1;
/// The most violations that the summary names.
const SUMMARISED: usize = 3;

/// See the [module](self).
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Report {
    report_version: u32,
    /// The verdict on the file.
    pub verdict: Verdict,
    /// One paragraph, for people.
    pub summary: String,
    /// The raw table, if the file belongs to one.
    pub table: Option<String>,
    pub object: ObjectFacts,
    filed_at: Option<ObjectName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    repeats: Option<ObjectName>,
    /// Rows read.
    pub rows: u64,
    /// Lines read.
    pub lines: u64,
    /// Bytes of text read.
    pub inflated_bytes: u64,
    /// Every rule that the file breaks.
    pub failures: Vec<Violation>,
    /// How the columns differ from the metadata's.
    pub drift: Drift,
    metadata_sha256: String,
}

/// The file as it landed.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ObjectFacts {
    bucket: String,
    /// The key; for a local file, its path.
    pub key: String,
    version_id: Option<String>,
    etag: String,
    /// Its size, compressed or not.
    pub bytes: u64,
    checksum: Option<String>,
    landed_at: Option<String>,
}

/// What the checks found in a file.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Findings {
    /// Rows read.
    pub rows: u64,
    /// Lines read.
    pub lines: u64,
    /// Bytes of text read.
    pub inflated_bytes: u64,
    /// Every rule that the file breaks; empty if it passes.
    pub failures: Vec<Violation>,
    /// How the columns differ from the metadata's.
    pub drift: Drift,
}

/// A rule that a file breaks.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Violation {
    /// The rule's name.
    pub rule: &'static str,
    /// The column, if the rule is about one.
    pub column: Option<String>,
    /// The expectation; for a rule about the whole file, the whole finding.
    pub expected: String,
    /// Rows or lines that break it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// The count as a percentage of all rows or lines.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub percent: Option<f64>,
    /// The first rows or lines that break it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub examples: Vec<Example>,
}

/// A row that breaks a rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Example {
    /// The line, from 1.
    pub line: u64,
    /// The line on which the repeated value occurs first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_line: Option<u64>,
    /// The path inside the column's value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The value found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
}

impl Violation {
    /// Creates a violation of a rule about the file as a whole.
    pub(crate) fn whole(rule: &'static str, expected: impl Into<String>) -> Self {
        Self { rule, column: None, expected: expected.into(), count: None, percent: None, examples: Vec::new() }
    }

    /// Creates a violation of a rule about rows or lines; `of` is the number of all rows or lines.
    pub(crate) fn counted(
        rule: &'static str,
        column: Option<&str>,
        expected: &str,
        count: u64,
        of: u64,
        examples: Vec<Example>,
    ) -> Self {
        Self {
            rule,
            column: column.map(str::to_owned),
            expected: expected.to_owned(),
            count: Some(count),
            percent: Some(percent(count, of)),
            examples,
        }
    }

    /// Describes the violation briefly, for the summary.
    pub(crate) fn describe(&self) -> String {
        let mut text = format!("`{}`", self.rule);
        if let Some(column) = &self.column {
            let _ = write!(text, " of `{column}`");
        }
        if let (Some(count), Some(percent)) = (self.count, self.percent) {
            let _ = write!(text, " in {} ({percent}%)", counted(count, self.thing()));
        }
        let _ = write!(text, ": {}", if self.count.is_some() { "expected " } else { "" });
        text.push_str(&self.expected);
        match self.examples.first() {
            Some(Example { line, path, value: Some(value), .. }) => {
                let path = path.as_ref().map(|path| format!(" at `{path}`")).unwrap_or_default();
                let _ = write!(text, ", found `{value}`{path} on line {line}");
            }
            Some(Example { line, .. }) => {
                let _ = write!(text, ", first on line {line}");
            }
            None => {}
        }
        if let Some(first) = self.examples.first().and_then(|example| example.first_line) {
            let _ = write!(text, " as on line {first}");
        }
        visible(&text).into_owned()
    }

    fn thing(&self) -> &'static str {
        if matches!(self.rule, "utf8" | "json" | "json_object" | "csv" | "fields") { "line" } else { "row" }
    }
}

impl Report {
    /// Creates the report on a file that is now at `filed_at`. `broken` is the verdict if the file breaks a rule.
    pub(crate) fn new(
        object: &Object,
        table: Option<&str>,
        findings: &Findings,
        broken: Verdict,
        filed_at: Option<ObjectName>,
        metadata_sha256: &str,
    ) -> Self {
        let verdict = if findings.failures.is_empty() { Verdict::Passed } else { broken };
        let landed = i64::try_from(object.last_modified).ok().and_then(|time| DateTime::from_timestamp(time, 0));
        Self {
            report_version: REPORT_VERSION,
            verdict,
            summary: summary(findings, verdict),
            table: table.map(str::to_owned),
            object: ObjectFacts {
                bucket: object.bucket.clone(),
                key: object.key.clone(),
                version_id: object.version_id.clone(),
                etag: object.etag.clone(),
                bytes: object.bytes,
                checksum: object.checksum.clone(),
                landed_at: landed.map(|time| time.to_rfc3339_opts(SecondsFormat::Secs, true)),
            },
            filed_at,
            repeats: None,
            rows: findings.rows,
            lines: findings.lines,
            inflated_bytes: findings.inflated_bytes,
            failures: findings.failures.clone(),
            drift: findings.drift.clone(),
            metadata_sha256: metadata_sha256.to_owned(),
        }
    }

    /// Adds that the file was already in history.
    pub(crate) fn repeats(&mut self, other: ObjectName) {
        let same = visible(&other.key);
        let _ = write!(self.summary, "; the same file as {same}, in history already: its rows count once");
        self.repeats = Some(other);
    }

    /// Returns the JSON text of the report, as it is stored.
    pub(crate) fn json(&self) -> Result<Vec<u8>, contract::Failure> {
        let json = serde_json::to_string_pretty(self).map_err(contract::Failure::internal)?;
        Ok(format!("{}\n", visible_json(&json)).into_bytes())
    }
}

fn summary(findings: &Findings, verdict: Verdict) -> String {
    let rows = counted(findings.rows, "row");
    let drift = findings.drift.describe();
    if findings.failures.is_empty() {
        let drift = drift.map(|drift| format!("; columns differ from the metadata: {}", visible(&drift)));
        let drift = drift.unwrap_or_default();
        return format!("passed: {rows}, {} of text{drift}", counted(findings.inflated_bytes, "byte"));
    }
    let verdict = if verdict == Verdict::Quarantined { "quarantined" } else { "failed" };
    let described: Vec<String> = findings.failures.iter().take(SUMMARISED).map(Violation::describe).collect();
    let more = findings.failures.len() - described.len();
    let more = if more > 0 { format!("; and {more} more, see the report") } else { String::new() };
    let read = if findings.lines > 0 { format!(" in a file of {rows}") } else { String::new() };
    // new or missing columns are rules of their own; mention only the suggested metadata
    let snippets = match findings.drift.snippets().count() {
        0 => String::new(),
        1 => ". The report describes the new column for the metadata".into(),
        new => format!(". The report describes the {new} new columns for the metadata"),
    };
    format!("{verdict}: {}{read}: {}{more}{snippets}", broken(findings.failures.len()), described.join("; "))
}

/// Returns the key of the report in the reports bucket.
pub(crate) fn report_key(object: &Object) -> String {
    with_suffix(&format!("validation/{}", object.key), &format!(".{}.json", object.version_word()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_good_file_s_summary() {
        let findings = Findings { rows: 1_000, lines: 1_000, inflated_bytes: 1_812_345, ..Findings::default() };
        assert_eq!(summary(&findings, Verdict::Passed), "passed: 1,000 rows, 1,812,345 bytes of text");
    }
}

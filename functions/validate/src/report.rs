//! The report on a file: what was checked, what was found, what became of it. It lies in the reports bucket for every
//! file, and beside the file in quarantine.
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
//! Version 1. Fields may be added; none is renamed or removed, and none changes its meaning, without a new version.
//!
//! - `verdict` is `passed`, `quarantined`, or `failed` for a file that stays where it is: in land, because all files of
//!   the request had to pass, or on the machine where `landfall validate` read it. `filed_at` is where the file is now,
//!   and null for one that is in no bucket: its `object` has a path as its `key`, and was written rather than
//!   `landed_at`.
//! - `repeats` is there for a file that was in history before, under the time of an earlier landing: it is the one
//!   there, and this landing has changed nothing.
//! - `rows` makes rows; `lines` counts blank lines and those that make no row too. After a failure that ends the
//!   reading (`gzip`, `parquet`, `header`, `line_length`, `text_size`) both count what came before it.
//! - `rule` is the metadata's word (`nullable`, `enum`, `pattern`, `minimum`, `maximum`, `minLength`, `maxLength`,
//!   `unique`, `unique_primary_key`, `minimum_rows`, `maximum_rows`, `minimum_bytes`, `maximum_bytes`) or one of `key`,
//!   `table`, `file_name`, `size`, `format`, `gzip`, `parquet`, `header`, `line_length`, `text_size`, `utf8`, `json`,
//!   `json_object`, `csv`, `fields`, `columns`, `missing_column`, `unexpected_column`, `duplicate_column`, `type`,
//!   `history`, `extract`; or `process`, in the report of a raw file that the process stage could not repair, which has
//!   no `rows`, `lines` and `drift`.
//! - `count` is rows (lines for `utf8`, `json`, `json_object`, `csv` and `fields`) and `percent` that of all of them; a
//!   rule about the file as a whole has neither. `column` is null for a rule about the file or its lines.
//! - `examples` are the first rows that break the rule. `line` counts from 1. `value` is cut; it is the JSON text for
//!   `type`, so that `1` and `"1"` differ, and it is absent for a null and for a sensitive column. `path` is the place
//!   inside a struct or array. `first_line` is where the value was first that a row repeats; the repeated value is
//!   absent where the file has too many values to keep them in memory.
//! - `drift` lists columns, whether or not the metadata allows them to differ: `new` ones are not described, `gone`
//!   ones are in no row, `always_null` ones are in some row and have no value in any. `count` is the rows with the new
//!   column; for the others it is all rows. A `snippet` is the new column in the words of the table's own metadata
//!   file, its type inferred from all its values. There is none for a field inside a column, for a name that metadata
//!   cannot have, and where no one type reads all values.
//!
//! What cannot be seen (control characters, marks of direction, zero-width characters, spaces of other kinds) is
//! escaped: in texts for people as `\u{202e}`, in values as JSON's own `\u202e`, so that they are the file's.
//!
//! The same file and metadata give the same bytes: a report that is written again after a crash replaces itself.

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
/// Violation rules that the summary names.
const SUMMARISED: usize = 3;

/// See the [module](self).
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Report {
    report_version: u32,
    /// What becomes of the file.
    pub verdict: Verdict,
    /// In one paragraph.
    pub summary: String,
    /// The raw table, if the file is one of a table.
    pub table: Option<String>,
    /// The file.
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
    /// Every rule that is broken.
    pub failures: Vec<Violation>,
    /// How the columns differ from the metadata's.
    pub drift: Drift,
    metadata_sha256: String,
}

/// The file as it landed.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ObjectFacts {
    bucket: String,
    /// The key; of a local file its path.
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
    /// Every rule that is broken; none when the file is good.
    pub failures: Vec<Violation>,
    /// How the columns differ from the metadata's.
    pub drift: Drift,
}

/// A rule that a file breaks.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Violation {
    /// The rule's name.
    pub rule: &'static str,
    /// The column, if it is a rule of one.
    pub column: Option<String>,
    /// What should have been there.
    pub expected: String,
    /// Rows or lines that break it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// That of all rows or lines.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub percent: Option<f64>,
    /// The first of them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub examples: Vec<Example>,
}

/// A row that breaks a rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Example {
    /// From 1.
    pub line: u64,
    /// Where the value that it repeats was first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_line: Option<u64>,
    /// Where inside the column's value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// What is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
}

impl Violation {
    /// A rule about the file as a whole.
    pub(crate) fn whole(rule: &'static str, expected: impl Into<String>) -> Self {
        Self { rule, column: None, expected: expected.into(), count: None, percent: None, examples: Vec::new() }
    }

    /// A rule about rows or lines, of which there are `of` in all.
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

    /// In a few words, for the summary.
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
    /// The report on a file that is at `filed_at` now. A file that breaks a rule has the verdict that is given.
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

    /// The file was in history before.
    pub(crate) fn repeats(&mut self, other: ObjectName) {
        let same = visible(&other.key);
        let _ = write!(self.summary, "; the same file as {same}, in history already: its rows count once");
        self.repeats = Some(other);
    }

    /// As it is written.
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

/// The key of the report in the reports bucket.
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

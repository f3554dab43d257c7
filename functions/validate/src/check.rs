//! All checks of one file: its key and size, and every row of it, read once.

use std::io::Read;

use contract::{Failure, KeyError, LandKey, Table};
use regex::Regex;
use rows::{MisfitKind, Options, ReadError, RowReader, Tally};

use crate::report::{Broken, Example, Findings};
use crate::rules::{EXAMPLES, Rules};

/// Larger files take longer than a function may run. extract closes its files at 1 GB.
const MAXIMUM_FILE_BYTES: u64 = 5_000_000_000;

/// A raw table with its rules, made once.
#[derive(Debug)]
pub struct Dataset {
    /// The description.
    pub table: Table,
    rules: Rules,
    file_name: Option<Regex>,
}

impl Dataset {
    /// Fails when the metadata asks for what cannot be checked.
    pub fn new(table: Table) -> Result<Self, Failure> {
        let rules = Rules::new(&table)?;
        let file_name = table.checks.file_name_pattern.as_ref().map(|pattern| {
            Regex::new(&format!(r"\A(?:{pattern})\z")).map_err(|error| {
                Failure::bad_metadata(format!("{}: checks.file_name_pattern: {error}", table.file.display()))
            })
        });
        Ok(Self { file_name: file_name.transpose()?, rules, table })
    }

    /// What can be said of a file before it is read.
    pub fn check_name_and_size(&self, key: &LandKey, bytes: u64) -> Vec<Broken> {
        let name = match (&self.file_name, &self.table.checks.file_name_pattern) {
            (Some(regex), Some(pattern)) if !regex.is_match(&key.file_name) => {
                Some(format!("file name `{}`: expected one that is `{pattern}`", key.file_name))
            }
            (Some(_), _) => None,
            (None, _) => key.check_name().err(),
        };
        let size = match bytes {
            0 => Some("the file is empty".to_owned()),
            1..=MAXIMUM_FILE_BYTES => None,
            _ => Some(format!("{bytes} bytes; a file has at most {MAXIMUM_FILE_BYTES}: split it")),
        };
        let name = name.map(|expected| Broken::whole("file_name", expected));
        name.into_iter().chain(size.map(|expected| Broken::whole("size", expected))).collect()
    }

    /// Reads a file to its end, or as far as it goes, and applies every rule. Fails only when the bytes cannot be
    /// fetched: that says nothing about the file.
    pub fn check_rows(&self, source: impl Read + Send + 'static, key: &LandKey) -> Result<Findings, Failure> {
        let options = Options { examples: EXAMPLES, ..Options::default() };
        let mut reader = match RowReader::new(source, key.format, key.compression, &self.table, options) {
            Ok(reader) => reader,
            Err(error) => return Ok(Findings { failures: vec![unreadable(error)?], ..Findings::default() }),
        };
        let mut tallies = self.rules.start();
        let end = loop {
            match reader.next_batch() {
                Ok(Some(batch)) => tallies.add(&batch),
                Ok(None) => break None,
                Err(error) => break Some(unreadable(error)?),
            }
        };
        let read = reader.summary();
        let whole = end.is_none();
        let mut failures: Vec<Broken> = end.into_iter().collect();
        failures.extend(read.tallies.iter().filter(|tally| !self.is_allowed(tally.kind)).map(|tally| {
            let of = if tally.column.is_none() && is_of_lines(tally.kind) { read.lines } else { read.rows };
            misfit(tally, of)
        }));
        failures.extend(tallies.broken(read.rows));
        if whole {
            // of a file that cannot be read to its end nobody knows the rows
            failures.extend(self.row_count(read.rows));
        }
        Ok(Findings { rows: read.rows, lines: read.lines, inflated_bytes: read.bytes, failures })
    }

    fn is_allowed(&self, kind: MisfitKind) -> bool {
        match kind {
            MisfitKind::MissingColumn => self.table.checks.allow_missing_columns,
            MisfitKind::UnexpectedColumn => self.table.checks.allow_unexpected_columns,
            _ => false,
        }
    }

    fn row_count(&self, rows: u64) -> Option<Broken> {
        let checks = &self.table.checks;
        if rows < checks.minimum_rows {
            let expected = format!("expected at least {} rows, found {rows}", checks.minimum_rows);
            return Some(Broken::whole("minimum_rows", expected));
        }
        let most = checks.maximum_rows.filter(|most| rows > *most)?;
        Some(Broken::whole("maximum_rows", format!("expected at most {most} rows, found {rows}")))
    }
}

/// A key that is not one of ours.
pub fn wrong_key(error: &KeyError) -> Broken {
    Broken::whole("key", error.reason.clone())
}

fn unreadable(error: ReadError) -> Result<Broken, Failure> {
    let message = error.to_string();
    match error {
        ReadError::UnsupportedFormat { .. } => Ok(Broken::whole("format", message)),
        ReadError::Gzip { .. } => Ok(Broken::whole("gzip", message)),
        ReadError::Header { .. } => Ok(Broken::whole("header", message)),
        ReadError::Parquet { .. } => Ok(Broken::whole("parquet", message)),
        ReadError::LineTooLong { .. } => Ok(Broken::whole("line_length", message)),
        ReadError::TooLarge { .. } => Ok(Broken::whole("text_size", message)),
        ReadError::Io { .. } => Err(Failure::unavailable(message)),
        ReadError::DatetimeFormat { .. } => Err(Failure::bad_metadata(message)),
    }
}

fn is_of_lines(kind: MisfitKind) -> bool {
    use MisfitKind::{NotAnObject, NotCsv, NotJson, NotUtf8, RaggedRow};
    matches!(kind, NotUtf8 | NotJson | NotAnObject | NotCsv | RaggedRow)
}

fn misfit(tally: &Tally, of: u64) -> Broken {
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
        path: (!misfit.path.is_empty()).then(|| misfit.path.clone()),
        value: misfit.text.clone(),
    });
    Broken::counted(rule, column, expected, tally.count, of, examples.collect())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::{self, Write};

    use contract::message::ObjectName;
    use contract::{LandKey, MetaData};
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use serde_json::{Value, json};
    use store::Object;

    use super::*;
    use crate::report::Report;

    /// The table `t`, described by its columns and checks.
    fn dataset(columns: &Value, checks: &Value) -> Result<Dataset, Failure> {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("raw")).unwrap();
        fs::create_dir_all(folder.path().join("curated")).unwrap();
        let table = json!({"name": "t", "data_format": "json", "location": "t", "columns": columns, "checks": checks});
        let database = json!({"name": "d", "bucket": "b", "base_folder": "f", "description": "d"});
        fs::write(folder.path().join("raw/t.json"), table.to_string()).unwrap();
        fs::write(folder.path().join("curated/database.json"), database.to_string()).unwrap();
        let metadata = MetaData::read(folder.path()).unwrap();
        Dataset::new(metadata.raw["t"].clone())
    }

    fn key(file: &str) -> LandKey {
        LandKey::parse("b", &format!("b/t/file_land_timestamp=7/{file}")).unwrap()
    }

    fn check(dataset: &Dataset, text: &str) -> Findings {
        dataset.check_rows(std::io::Cursor::new(text.to_owned()), &key("t_7.jsonl")).unwrap()
    }

    /// `rule(column) × count`
    fn broken(columns: Value, checks: Value, text: &str) -> Vec<String> {
        let findings = check(&dataset(&columns, &checks).unwrap(), text);
        let short = |broken: &Broken| match (&broken.column, broken.count) {
            (Some(column), Some(count)) => format!("{}({column}) × {count}", broken.rule),
            (_, Some(count)) => format!("{} × {count}", broken.rule),
            _ => broken.rule.to_owned(),
        };
        findings.failures.iter().map(short).collect()
    }

    fn lines(rows: &[Value]) -> String {
        rows.iter().map(|row| format!("{row}\n")).collect()
    }

    #[test]
    fn every_rule_is_counted_over_all_rows() {
        let columns = json!([
            {"name": "id", "type": "int", "nullable": false, "minimum": 1, "maximum": 9},
            {"name": "country", "type": "character", "enum": ["England", "Wales"], "minLength": 2, "maxLength": 7},
            {"name": "code", "type": "character", "pattern": "[A-Z]{2}[0-9]"},
        ]);
        let rows = lines(&[
            json!({"id": 1, "country": "England", "code": "AB1 and more"}),
            json!({"id": 0, "country": "Narnia", "code": "xAB1"}),
            json!({"id": 10, "country": null, "code": null}),
            json!({"id": null, "country": "é", "code": "AB"}),
            json!({"id": "1", "country": "Wales", "code": "AB1"}),
        ]);
        assert_eq!(
            broken(columns, json!({}), &rows),
            [
                "type(id) × 1",
                "nullable(id) × 1",
                "minimum(id) × 1",
                "maximum(id) × 1",
                "enum(country) × 2",
                "minLength(country) × 1",
                "pattern(code) × 2",
            ]
        );
    }

    #[test]
    fn rules_reach_across_batches() {
        let columns = json!([{"name": "n", "type": "long", "maximum": 4999}]);
        let text: String = (0..10_000).map(|n| format!("{{\"n\":{n}}}\n")).collect();
        let findings = check(&dataset(&columns, &json!({})).unwrap(), &text);
        let [failure] = &findings.failures[..] else { panic!("{findings:?}") };
        assert_eq!((failure.count, failure.percent), (Some(5_000), Some(50.0)));
        let examples: Vec<_> = failure.examples.iter().map(|e| (e.line, e.value.as_deref().unwrap())).collect();
        assert_eq!(examples, [(5001, "5000"), (5002, "5001"), (5003, "5002"), (5004, "5003"), (5005, "5004")]);
    }

    #[test]
    fn values_of_every_type_compare_exactly() {
        for (column, fitting, breaking) in [
            (json!({"type": "decimal(9,2)", "minimum": 0.1, "maximum": 0.3}), "0.1", "0.09"),
            (json!({"type": "decimal(9,2)", "maximum": 0.305}), "0.30", "0.31"),
            (json!({"type": "long", "maximum": 9007199254740992_i64}), "9007199254740992", "9007199254740993"),
            (json!({"type": "int", "minimum": -1.5}), "-1", "-2"),
            (json!({"type": "float", "maximum": 0.1}), "0.1", "0.2"),
            (json!({"type": "double", "minimum": -9.0}), "-9", "-9.000001"),
            (json!({"type": "int", "enum": [1, "2"]}), "2", "3"),
            (json!({"type": "double", "enum": [1, 2.5]}), "1.0", "1.5"),
            (json!({"type": "decimal(5,2)", "enum": ["1.5"]}), "1.50", "1.51"),
            (json!({"type": "boolean", "enum": [true]}), "true", "false"),
            (json!({"type": "date", "enum": ["2024-02-29"]}), "\"2024-02-29\"", "\"2024-03-01\""),
            (
                json!({"type": "datetime", "enum": ["2024-02-29 00:00:00"]}),
                "\"2024-02-29T00:00:00\"",
                "\"2024-02-29 00:00:01\"",
            ),
            (json!({"type": "character", "pattern": "a|b", "enum": []}), "null", "\"a\""),
            (json!({"type": "character", "pattern": "a|b"}), "\"bc\"", "\"cb\""),
            (json!({"type": "character", "maxLength": 2}), "\"éé\"", "\"ééé\""),
        ] {
            let mut column = column;
            column["name"] = "c".into();
            let columns = json!([column]);
            assert_eq!(broken(columns.clone(), json!({}), &format!("{{\"c\":{fitting}}}")), [""; 0], "{columns}");
            assert_eq!(broken(columns.clone(), json!({}), &format!("{{\"c\":{breaking}}}")).len(), 1, "{columns}");
        }
        let whole = json!({"pattern_anchor": "whole"});
        let columns = json!([{"name": "c", "type": "character", "pattern": "a|ab"}]);
        assert_eq!(broken(columns.clone(), whole.clone(), "{\"c\":\"ab\"}"), [""; 0]);
        assert_eq!(broken(columns, whole, "{\"c\":\"abc\"}"), ["pattern(c) × 1"]);
    }

    #[test]
    fn an_enum_that_no_value_can_meet_is_a_fault_of_the_metadata() {
        let columns = json!([{"name": "c", "type": "int", "enum": [1, "two"]}]);
        let failure = dataset(&columns, &json!({})).unwrap_err();
        assert_eq!(failure.kind, contract::FailureKind::BadMetadata);
        assert!(failure.message.contains("enum of column `c`: `two` is not a value of the column"), "{failure}");
        let columns = json!([{"name": "c", "type": "array<int>", "enum": ["[1]"]}]);
        assert!(dataset(&columns, &json!({})).unwrap_err().message.contains("cannot be compared"));
    }

    #[test]
    fn the_column_set_is_strict_unless_it_may_differ() {
        let columns = json!([
            {"name": "a", "type": "int", "nullable": false},
            {"name": "b", "type": "int"},
        ]);
        let rows = lines(&[json!({"a": 1, "b": 1}), json!({"b": 1}), json!({"a": 1}), json!({"a": 1, "b": 1, "z": 1})]);
        assert_eq!(
            broken(columns.clone(), json!({}), &rows),
            ["missing_column(a) × 1", "missing_column(b) × 1", "unexpected_column(z) × 1"]
        );
        let missing = json!({"allow_missing_columns": true});
        // a column that may be missing reads as null, which this one may not be
        assert_eq!(broken(columns.clone(), missing, &rows), ["unexpected_column(z) × 1", "nullable(a) × 1"]);
        let unexpected = json!({"allow_unexpected_columns": true});
        assert_eq!(broken(columns, unexpected, &rows), ["missing_column(a) × 1", "missing_column(b) × 1"]);
    }

    #[test]
    fn rows_are_counted_only_in_a_file_that_is_whole() {
        let columns = json!([{"name": "a", "type": "int"}]);
        let bounds = json!({"minimum_rows": 2, "maximum_rows": 3});
        for (rows, expected) in [(0, "minimum_rows"), (1, "minimum_rows"), (2, ""), (3, ""), (4, "maximum_rows")] {
            let failures = broken(columns.clone(), bounds.clone(), &"{\"a\":1}\n".repeat(rows));
            assert_eq!(failures.join(","), expected, "{rows}");
        }
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(b"{\"a\":\"x\"}\n").unwrap();
        let whole = encoder.finish().unwrap();
        let dataset = dataset(&columns, &bounds).unwrap();
        let findings =
            dataset.check_rows(std::io::Cursor::new(whole[..whole.len() - 1].to_vec()), &key("t_7.jsonl.gz")).unwrap();
        let rules: Vec<_> = findings.failures.iter().map(|failure| failure.rule).collect();
        assert_eq!((rules, findings.rows), (vec!["gzip", "type"], 1));
    }

    #[test]
    fn what_the_reader_cannot_read_is_said() {
        let columns = json!([{"name": "a", "type": "int"}]);
        assert_eq!(broken(columns.clone(), json!({}), "{\"a\":1\n[]\n{\"a\":2}"), ["json × 1", "json_object × 1"]);
        let dataset = dataset(&columns, &json!({})).unwrap();
        let csv = dataset.check_rows(&b"a\n1\n"[..], &key("t_7.csv")).unwrap();
        assert_eq!((csv.rows, csv.failures.len()), (1, 0));
        let csv = dataset.check_rows(&b"a\n1\n1,2\n\"\n"[..], &key("t_7.csv")).unwrap();
        assert_eq!((csv.failures[0].rule, csv.failures[1].rule), ("csv", "fields"));

        struct Lost;
        impl io::Read for Lost {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::ErrorKind::ConnectionReset.into())
            }
        }
        let failure = dataset.check_rows(Lost, &key("t_7.jsonl.gz")).unwrap_err();
        assert!(failure.kind.is_retryable());
    }

    #[test]
    fn names_and_sizes() {
        let columns = json!([{"name": "a", "type": "int"}]);
        let strict = dataset(&columns, &json!({})).unwrap();
        let rules = |dataset: &Dataset, file: &str, bytes| -> Vec<&str> {
            dataset.check_name_and_size(&key(file), bytes).iter().map(|broken| broken.rule).collect()
        };
        assert_eq!(rules(&strict, "t_7.jsonl", 1), [""; 0]);
        assert_eq!(rules(&strict, "t_0_7.jsonl.gz", 5_000_000_000), [""; 0]);
        assert_eq!(rules(&strict, "u_8.jsonl", 0), ["file_name", "size"]);
        assert_eq!(rules(&strict, "t_8.jsonl", 5_000_000_001), ["file_name", "size"]);
        let own = dataset(&columns, &json!({"file_name_pattern": "u.*|v\\.jsonl"})).unwrap();
        assert_eq!(rules(&own, "u_8.jsonl", 1), [""; 0]);
        assert_eq!(rules(&own, "xu_8.jsonl", 1), ["file_name"]);
        assert_eq!(rules(&own, "v.jsonl.gz", 1), ["file_name"]);
    }

    #[test]
    fn a_report_says_everything_and_no_sensitive_value() {
        let columns = json!([
            {"name": "who", "type": "character", "sensitivity": "personal_data", "pattern": "[A-Z]", "enum": ["A"]},
            {"name": "age", "type": "int", "sensitivity": "personal_data", "maximum": 150},
            {"name": "country", "type": "character", "enum": ["England"], "nullable": false},
            {"name": "n", "type": "int"},
        ]);
        let rows = lines(&[
            json!({"who": "secret-1", "age": 200, "country": "Narnia", "n": 1.0}),
            json!({"who": "A", "age": "secret-2", "country": null, "n": 1}),
            json!({"who": "A", "age": 1, "country": "England", "n": 1}),
        ]) + "{\"who\": \"secret-3\"\n";
        let findings = check(&dataset(&columns, &json!({})).unwrap(), &rows);
        let object = Object {
            bucket: "land".into(),
            key: "b/t/t_7.jsonl".into(),
            version_id: Some("v".into()),
            etag: "\"e\"".into(),
            bytes: 10,
            last_modified: 1_795_413_604,
            checksum: Some("crc64nvme:AA==".into()),
        };
        let filed_at = ObjectName { bucket: "quarantine".into(), key: object.key.clone() };
        let report = Report::new(&object, Some("t"), &findings, filed_at, "abc");
        let text = String::from_utf8(report.json().unwrap()).unwrap();
        assert!(!text.contains("secret"), "{text}");
        let written: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            written,
            json!({
                "report_version": 1,
                "verdict": "quarantined",
                "summary": "quarantined: 8 rules are broken in a file of 3 rows: `json` in 1 line (25%): expected JSON: \
                    EOF while parsing an object at character 18, first on line 4; `type` of `age` in 1 row (33.3333%): \
                    expected int: a whole number from -2147483648 to 2147483647, first on line 2; `type` of `n` in \
                    1 row (33.3333%): expected int: a whole number from -2147483648 to 2147483647, found `1.0` on \
                    line 1; and 5 more, see the report",
                "table": "t",
                "object": {
                    "bucket": "land", "key": "b/t/t_7.jsonl", "version_id": "v", "etag": "\"e\"", "bytes": 10,
                    "checksum": "crc64nvme:AA==", "landed_at": "2026-11-23T06:00:04Z",
                },
                "filed_at": {"bucket": "quarantine", "key": "b/t/t_7.jsonl"},
                "rows": 3,
                "lines": 4,
                "inflated_bytes": rows.len(),
                "failures": [
                    {"rule": "json", "column": null, "count": 1, "percent": 25.0, "examples": [{"line": 4}],
                     "expected": "JSON: EOF while parsing an object at character 18"},
                    {"rule": "type", "column": "age", "count": 1, "percent": 33.3333, "examples": [{"line": 2}],
                     "expected": "int: a whole number from -2147483648 to 2147483647"},
                    {"rule": "type", "column": "n", "count": 1, "percent": 33.3333,
                     "examples": [{"line": 1, "value": "1.0"}],
                     "expected": "int: a whole number from -2147483648 to 2147483647"},
                    {"rule": "enum", "column": "who", "count": 1, "percent": 33.3333, "examples": [{"line": 1}],
                     "expected": "one of `A`"},
                    {"rule": "pattern", "column": "who", "count": 1, "percent": 33.3333, "examples": [{"line": 1}],
                     "expected": "a text that begins with `[A-Z]`"},
                    {"rule": "maximum", "column": "age", "count": 1, "percent": 33.3333, "examples": [{"line": 1}],
                     "expected": "at most 150"},
                    {"rule": "nullable", "column": "country", "count": 1, "percent": 33.3333, "examples": [{"line": 2}],
                     "expected": "a value: the column may not be null"},
                    {"rule": "enum", "column": "country", "count": 1, "percent": 33.3333,
                     "examples": [{"line": 1, "value": "Narnia"}], "expected": "one of `England`"},
                ],
                "metadata_sha256": "abc",
            })
        );
    }

    #[test]
    fn the_example_s_own_metadata_can_be_checked() {
        let metadata = MetaData::read(concat!(env!("CARGO_MANIFEST_DIR"), "/../../meta_data").as_ref()).unwrap();
        for table in metadata.raw.into_values() {
            Dataset::new(table).unwrap();
        }
    }
}

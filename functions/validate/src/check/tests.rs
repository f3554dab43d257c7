use std::fs;
use std::io::{self, Write};

use contract::message::{ObjectName, Verdict};
use contract::{LandKey, MetaData};
use flate2::Compression;
use flate2::write::GzEncoder;
use rows::Ranges;
use serde_json::{Value, json};
use store::Object;

use super::*;
use crate::report::Report;

/// The table `t`, described by its columns and checks.
fn dataset(columns: &Value, checks: &Value) -> Result<Dataset, Failure> {
    dataset_of(&json!({"columns": columns, "checks": checks}))
}

/// The table `t`, in etl_manager's vocabulary unless it has a `file_format`.
pub(crate) fn dataset_of(described: &Value) -> Result<Dataset, Failure> {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("raw")).unwrap();
    fs::create_dir_all(folder.path().join("curated")).unwrap();
    let mut table = json!({"name": "t"});
    if described.get("file_format").is_none() {
        (table["data_format"], table["location"]) = ("json".into(), "t".into());
    }
    for (key, value) in described.as_object().unwrap() {
        table[key] = value.clone();
    }
    let database = json!({"name": "d", "bucket": "b", "base_folder": "f", "description": "d"});
    fs::write(folder.path().join("raw/t.json"), table.to_string()).unwrap();
    fs::write(folder.path().join("curated/database.json"), database.to_string()).unwrap();
    let metadata = MetaData::read(folder.path())?;
    Ok(Dataset::new(metadata.raw["t"].clone())?)
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
    let short = |broken: &Violation| match (&broken.column, broken.count) {
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
    assert!(dataset(&columns, &json!({})).unwrap_err().message.contains("not compared"));
}

#[test]
fn what_the_metadata_asks_must_be_possible() {
    for (column, message) in [
        (json!({"type": "date", "minimum": "2024-02-30"}), "minimum of column `c`: `2024-02-30` is not a value"),
        (json!({"type": "decimal(5,2)", "maximum": "1,5"}), "maximum of column `c`: `1,5` is not a number"),
        (json!({"type": "int", "minimum": 1e21}), "minimum of column `c`: no int is as great as `1e+21`"),
        (json!({"type": "decimal(3,1)", "maximum": -100}), "maximum of column `c`: no decimal(3,1) is as small as"),
        (json!({"type": "float", "minimum": 1e39}), "minimum of column `c`: no float is as great as"),
        (json!({"type": "int", "minimum": 0.2, "maximum": 0.8}), "minimum of column `c`: is more than the maximum"),
        (json!({"type": "double", "minimum": 2, "maximum": 1}), "minimum of column `c`: is more than the maximum"),
        (json!({"type": "date", "minimum": "2024-02-02", "maximum": "2024-02-01"}), "is more than the maximum"),
        (json!({"type": "date", "datetime_format": "%Q", "minimum": "x"}), "datetime_format of column `c`: "),
        (json!({"type": "date", "datetime_format": "%d/%m/%Y", "maximum": "2024-02-29"}), "is not a value"),
        (json!({"type": "binary", "enum": ["AQI="]}), "enum of column `c`: values of type binary are not compared"),
        (json!({"type": "character", "pattern": "(?x) a # b"}), "pattern of column `c`: `(?x) a # b` cannot be used"),
    ] {
        let mut column = column;
        column["name"] = "c".into();
        let failure = dataset(&json!([column]), &json!({})).unwrap_err();
        assert_eq!(failure.kind, contract::FailureKind::BadMetadata);
        assert!(failure.message.contains(message), "{column}: {failure}");
    }
    // all problems are reported at once
    let columns = json!([
        {"name": "a", "type": "int", "enum": ["x"], "minimum": 1e99},
        {"name": "b", "type": "date", "maximum": "soon"},
    ]);
    let failure = dataset(&columns, &json!({"file_name_pattern": "(?x)a # b"})).unwrap_err();
    assert!(failure.message.starts_with("4 problems"), "{failure}");
}

#[test]
fn times_and_great_decimals_have_bounds_too() {
    for (column, fitting, breaking) in [
        (json!({"type": "date", "minimum": "2024-02-29"}), "\"2024-02-29\"", "\"2024-02-28\""),
        (
            json!({"type": "date", "datetime_format": "%d/%m/%Y", "minimum": "29/02/2024", "maximum": "01/03/2024"}),
            "\"29/02/2024\"",
            "\"02/03/2024\"",
        ),
        (
            json!({"type": "datetime", "maximum": "2024-02-29 12:00:00.5"}),
            "\"2024-02-29 12:00:00.5\"",
            "\"2024-02-29 12:00:00.501\"",
        ),
        (json!({"type": "decimal(38,0)", "maximum": 1e21}), "1e21", "1000000000000000000001"),
        (
            json!({"type": "decimal(38,2)", "minimum": "-12345678901234567890.12"}),
            "-12345678901234567890.12",
            "-12345678901234567890.13",
        ),
    ] {
        let mut column = column;
        column["name"] = "c".into();
        let columns = json!([column]);
        // null is neither below nor above a bound
        for (value, count) in [(fitting, 0), (breaking, 1)] {
            let text = format!("{{\"c\":null}}\n{{\"c\":{value}}}\n");
            assert_eq!(broken(columns.clone(), json!({}), &text).len(), count, "{columns} {value}");
        }
    }
}

#[test]
fn what_must_be_unique_is_looked_up_in_the_whole_file() {
    let columns = json!([
        {"name": "id", "type": "long", "unique": true},
        {"name": "who", "type": "character", "sensitivity": "personal_data", "unique": true},
        {"name": "x", "type": "double", "unique": true},
    ]);
    let rows: Vec<Value> = (0..3_000)
        .map(|n| json!({"id": n % 2_999, "who": format!("secret-{}", n.max(1)), "x": if n < 2 { -0.0 * n as f64 } else { n as f64 }}))
        .chain([json!({"id": null, "who": null, "x": null}), json!({"id": null, "who": null, "x": null})])
        .collect();
    let findings = check(&dataset(&columns, &json!({})).unwrap(), &lines(&rows));
    let found: Vec<_> = findings.failures.iter().map(|f| (f.rule, f.column.as_deref(), f.count)).collect();
    assert_eq!(
        found,
        [("unique", Some("id"), Some(1)), ("unique", Some("who"), Some(1)), ("unique", Some("x"), Some(1))]
    );
    let example = |n: usize| findings.failures[n].examples[0].clone();
    let shown = |line, first, value: Option<&str>| Example {
        line,
        first_line: Some(first),
        path: None,
        value: value.map(str::to_owned),
    };
    assert_eq!(example(0), shown(3_000, 1, Some("0")));
    assert_eq!(example(1), shown(2, 1, None));
    assert_eq!((example(2).line, example(2).first_line), (2, Some(1)));
}

#[test]
fn a_primary_key_is_whole_and_unique_where_that_is_asked() {
    let table = json!({
        "primary_key": ["a", "b"],
        "checks": {"unique_primary_key": true},
        "columns": [
            {"name": "a", "type": "character"},
            {"name": "b", "type": "date", "sensitivity": "personal_data"},
            {"name": "n", "type": "int"},
        ],
    });
    let rows = lines(&[
        json!({"a": "x", "b": "2024-01-01", "n": 1}),
        json!({"a": "x", "b": "2024-01-02", "n": 2}),
        json!({"a": null, "b": "2024-01-01", "n": 3}),
        json!({"a": null, "b": "2024-01-01", "n": 4}),
        json!({"a": "x", "b": "2024-01-01", "n": 5}),
    ]);
    let dataset = dataset_of(&table).unwrap();
    let described: Vec<_> = check(&dataset, &rows).failures.iter().map(Violation::describe).collect();
    assert_eq!(
        described,
        [
            "`nullable` of `a` in 2 rows (40%): expected a value: the column is a part of the primary key, first on \
             line 3",
            "`unique_primary_key` in 1 row (20%): expected a primary key (`a`, `b`) that no earlier row has, found \
             `a: x` on line 5 as on line 1",
        ]
    );
}

#[test]
fn drift_is_told_whether_it_is_allowed_or_not() {
    let columns = json!([
        {"name": "a", "type": "int"},
        {"name": "gone", "type": "int"},
        {"name": "empty", "type": "int"},
        {"name": "wrong", "type": "int"},
    ]);
    let rows = lines(&[
        json!({"a": 1, "empty": null, "wrong": "x", "new": 1, "Odd name": 1}),
        json!({"a": 2, "empty": null, "new": 3_000_000_000_u64, "when": {"day": "2024-02-29", "n": [1.5]}}),
        json!({"a": 3, "new": 3}),
    ]);
    let allowed = json!({"allow_unexpected_columns": true, "allow_missing_columns": true});
    let findings = check(&dataset(&columns, &allowed).unwrap(), &rows);
    assert_eq!(findings.failures.len(), 1);
    let drift = serde_json::to_value(&findings.drift).unwrap();
    assert_eq!(
        drift,
        json!({
            "new": [
                {"column": "new", "count": 3, "percent": 100.0,
                 "snippet": {"name": "new", "type": "long", "description": "", "nullable": false}},
                {"column": "Odd name", "count": 1, "percent": 33.3333,
                 "snippet": {"name": "odd_name", "source_name": "Odd name", "type": "int", "description": "",
                             "nullable": true}},
                {"column": "when", "count": 1, "percent": 33.3333,
                 "snippet": {"name": "when", "type": "struct<day:date,n:array<double>>", "description": "",
                             "nullable": true}},
            ],
            "gone": [{"column": "gone", "count": 3}],
            "always_null": [{"column": "empty", "count": 3}],
        })
    );
    assert_eq!(
        findings.drift.describe().unwrap(),
        "new: `new`, `Odd name`, `when`; gone: `gone`; always null: `empty`"
    );
    assert_eq!(check(&dataset(&columns, &json!({})).unwrap(), &rows).drift, findings.drift);

    // in CSV, a column of mixed values is text
    let csv = dataset(&columns, &json!({"ignore_header_case": true})).unwrap();
    let text = "a,Shop,since,mixed,none\n1,3,2024-02-29,1,\n2,4000000000,,x,\n";
    let drift = csv.check_rows(io::Cursor::new(text), &key("t_7.csv")).unwrap().drift;
    let described: Vec<String> = drift.snippets().collect();
    let snippet = |name, type_name, nullable| {
        format!(r#"{{"name":"{name}","type":"{type_name}","description":"","nullable":{nullable}}}"#)
    };
    assert_eq!(
        described,
        [
            snippet("shop", "long", false),
            snippet("since", "date", true),
            snippet("mixed", "character", false),
            snippet("none", "character", true),
        ]
    );

    // with the snippets in the metadata, the file passes
    let mut table = json!({"columns": [{"name": "a", "type": "int64"}], "file_format": "json"});
    let text = "{\"a\":1,\"b\":true,\"c\":[1.25,null]}\n{\"a\":1,\"b\":null,\"c\":[]}\n";
    let drift = check(&dataset_of(&table).unwrap(), text).drift;
    let snippets = drift.snippets().map(|snippet| serde_json::from_str::<Value>(&snippet).unwrap());
    table["columns"].as_array_mut().unwrap().extend(snippets);
    assert_eq!(table["columns"][2]["type"], "list<float64>");
    assert_eq!(check(&dataset_of(&table).unwrap(), text).failures, []);
}

#[test]
fn the_number_of_examples_is_the_metadata_s() {
    let columns = json!([{"name": "n", "type": "int", "maximum": 0}]);
    for examples in [0, 7] {
        let dataset = dataset(&columns, &json!({"examples": examples})).unwrap();
        let findings = check(&dataset, &"{\"n\":1,\"z\":2}\n{\"n\":\"x\"}\n".repeat(10));
        let shown: Vec<_> = findings.failures.iter().map(|failure| failure.examples.len()).collect();
        assert_eq!(shown, [examples; 3], "{findings:?}");
    }
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
    // a missing column that is allowed reads as null, which this one must not be
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
    let text = rows::Ranges::from(b"a\n1\n".to_vec());
    let parquet = dataset.check_rows(text, &key("t_7.parquet")).unwrap();
    assert_eq!((parquet.failures.len(), parquet.failures[0].rule), (1, "parquet"));

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
fn a_datetime_format_that_nothing_can_be_read_by_is_a_fault_of_the_metadata() {
    let columns = json!([{"name": "d", "type": "date", "datetime_format": "%d/%m/%Y %Z"}]);
    let failure = dataset(&columns, &json!({})).unwrap_err();
    assert!(failure.to_string().contains("datetime_format of column `d`: `%Z` is a time zone"), "{failure}");
}

#[test]
fn names_and_sizes() {
    let columns = json!([{"name": "a", "type": "int"}]);
    let strict = dataset(&columns, &json!({})).unwrap();
    let rules = |dataset: &Dataset, file: &str, bytes| -> Vec<&str> {
        let found = [dataset.check_name(&key(file)), dataset.check_size(bytes)];
        found.into_iter().flatten().map(|broken| broken.rule).collect()
    };
    assert_eq!(rules(&strict, "t_7.jsonl", 1), [""; 0]);
    assert_eq!(rules(&strict, "t_0_7.jsonl.gz", 5_000_000_000), [""; 0]);
    assert_eq!(rules(&strict, "u_8.jsonl", 0), ["file_name", "size"]);
    assert_eq!(rules(&strict, "t_8.jsonl", 5_000_000_001), ["file_name", "size"]);
    let own = dataset(&columns, &json!({"file_name_pattern": "u.*|v\\.jsonl"})).unwrap();
    assert_eq!(rules(&own, "u_8.jsonl", 1), [""; 0]);
    assert_eq!(rules(&own, "xu_8.jsonl", 1), ["file_name"]);
    assert_eq!(rules(&own, "v.jsonl.gz", 1), ["file_name"]);
    let sized = dataset(&columns, &json!({"minimum_bytes": 10, "maximum_bytes": 20})).unwrap();
    for (bytes, expected) in
        [(0, "size"), (9, "minimum_bytes"), (10, ""), (20, ""), (21, "maximum_bytes"), (6_000_000_000, "size")]
    {
        assert_eq!(rules(&sized, "t_7.jsonl", bytes).join(","), expected, "{bytes}");
    }
    let empty = dataset(&columns, &json!({"minimum_bytes": 0, "minimum_rows": 0})).unwrap();
    assert_eq!(rules(&empty, "t_7.jsonl", 0), [""; 0]);
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
        json!({"who": "secret-1", "age": 200, "country": "Narnia", "n": 1.5}),
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
    let report = Report::new(&object, Some("t"), &findings, Verdict::Quarantined, Some(filed_at), "abc");
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
                1 row (33.3333%): expected int: a whole number from -2147483648 to 2147483647, found `1.5` on \
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
                 "examples": [{"line": 1, "value": "1.5"}],
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
            "drift": {"new": [], "gone": [], "always_null": []},
            "metadata_sha256": "abc",
        })
    );
}

#[test]
fn what_does_not_fit_into_memory_is_compared_on_disk() {
    let columns = json!([{"name": "n", "type": "long", "unique": true}]);
    let text: String = (0..300_000).map(|n| format!("{{\"n\":{}}}\n", n % 299_999)).collect();
    let findings = check(&dataset(&columns, &json!({})).unwrap(), &text);
    let [failure] = &findings.failures[..] else { panic!("{findings:?}") };
    // beyond what memory holds, the lines are known but the value is not
    let example = Example { line: 300_000, first_line: Some(1), path: None, value: None };
    assert_eq!((failure.count, &failure.examples[..]), (Some(1), &[example][..]));
}

/// Returns the rows of all tables in the documents that have this heading, each with the code spans of its cells.
fn documented(heading: &str) -> Vec<Vec<Vec<String>>> {
    let text = concat!(include_str!("../../../../docs/rules.md"), include_str!("../../../../docs/files.md"));
    let tables = text.split(heading).skip(1);
    let rows = tables.flat_map(|table| table.lines().skip(2).take_while(|line| line.starts_with('|')));
    rows.map(|row| row.trim_matches('|').split(" | ").map(spans).collect()).collect()
}

/// Returns the texts between backticks.
fn spans(cell: &str) -> Vec<String> {
    let (mut found, mut rest) = (Vec::new(), cell);
    while let Some(start) = rest.find('`') {
        let fence = if rest[start..].starts_with("``") { "``" } else { "`" };
        let inner = &rest[start + fence.len()..];
        let end = inner.find(fence).unwrap_or_else(|| panic!("no end of {inner}"));
        let inner_text = if fence == "``" { inner[..end].trim() } else { &inner[..end] };
        found.push(inner_text.replace("\\|", "|"));
        rest = &inner[end + fence.len()..];
    }
    found
}

/// Returns a table's description, given a column, several columns, or the whole table.
fn described(json: &str) -> Value {
    let value: Value = serde_json::from_str(json).unwrap_or_else(|error| panic!("{json}: {error}"));
    match value {
        Value::Array(columns) => json!({"columns": columns}),
        table if table.get("columns").is_some() => table,
        column if column.get("name").is_some() => json!({"columns": [column]}),
        checks => json!({"columns": [{"name": "a", "type": "int"}], "checks": checks}),
    }
}

/// Returns what a row of the documents should say, if it says something else.
fn difference(row: &[Vec<String>], report: &[String], found: &[Violation]) -> Option<String> {
    let lines: Vec<String> = found.iter().map(Violation::describe).collect();
    let lines = if lines.is_empty() { vec!["passed".into()] } else { lines };
    (lines != report).then(|| format!("{row:?}\n  should say {lines:?}"))
}

#[test]
fn every_rule_of_the_documents_says_what_they_say() {
    let rows = documented("| rule | metadata | file | report |");
    assert!(rows.len() > 50, "{}", rows.len());
    let mut wrong = Vec::new();
    for row in rows {
        let [rule, metadata, file, report] = &row[..] else { panic!("{row:?}") };
        let dataset = dataset_of(&described(&metadata[0])).unwrap_or_else(|failure| panic!("{row:?}: {failure}"));
        // binary content is written in hexadecimal, after the file's name
        let (name, bytes) = match &file[..] {
            [name, hexadecimal] if hexadecimal.starts_with("0x") => {
                let digit = |n: usize| u8::from_str_radix(&hexadecimal[n..n + 2], 16).unwrap();
                (name.as_str(), (2..hexadecimal.len()).step_by(2).map(digit).collect::<Vec<u8>>())
            }
            [name, lines @ ..] if name.starts_with("t_7.") => (name.as_str(), bytes_of(&lines.join("\n"))),
            lines => ("t_7.jsonl", lines.iter().flat_map(|line| [line, "\n"].concat().into_bytes()).collect()),
        };
        let findings = dataset.check_rows(Ranges::from(bytes), &key(name)).unwrap();
        wrong.extend(difference(&row, report, &findings.failures));
        let is_named = findings.failures.iter().all(|broken| rule.iter().any(|rule| rule == broken.rule));
        assert!(is_named, "{row:?}: {:?}", findings.failures);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Returns the bytes of a text in which a tab is written as `\t`, a carriage return as `\r`, and a byte as `\x..`.
fn bytes_of(text: &str) -> Vec<u8> {
    let (mut bytes, mut rest) = (Vec::new(), text);
    while let Some(at) = rest.find('\\') {
        bytes.extend_from_slice(&rest.as_bytes()[..at]);
        let (escaped, length) = match &rest[at..] {
            tail if tail.starts_with("\\t") && !tail.starts_with("\\te") => (b'\t', 2),
            tail if tail.starts_with("\\r") => (b'\r', 2),
            tail if tail.starts_with("\\x") => (u8::from_str_radix(&tail[2..4], 16).unwrap(), 4),
            _ => (b'\\', 1),
        };
        bytes.push(escaped);
        rest = &rest[at + length..];
    }
    bytes.extend_from_slice(rest.as_bytes());
    bytes
}

#[test]
fn every_dialect_of_the_documents_is_read_as_they_say() {
    let rows = documented("| dialect | columns | file | rows |");
    assert!(rows.len() > 30, "{}", rows.len());
    let mut wrong = Vec::new();
    for row in rows {
        let [dialect, columns, file, expected] = &row[..] else { panic!("{row:?}") };
        let value = |json: &str| serde_json::from_str::<Value>(json).unwrap_or_else(|error| panic!("{json}: {error}"));
        let format = if file[0].contains("json") { "json" } else { "csv" };
        let checks = json!({"minimum_rows": 0});
        let described = json!({"columns": value(&columns[0]), "dialect": value(&dialect[0]), "checks": checks,
                               "data_format": format, "location": "t"});
        let dataset = dataset_of(&described).unwrap_or_else(|failure| panic!("{row:?}: {failure}"));
        let (name, bytes) = (&file[0], bytes_of(&file[1..].join("\n")));
        let found = shown_rows(&dataset, name, &bytes);
        if found != *expected {
            wrong.push(format!("{row:?}\n  should say {found:?}"));
        }
        // the file also passes the checks
        let findings = dataset.check_rows(Ranges::from(bytes), &key(name)).unwrap();
        wrong.extend(difference(&row, &["passed".into()], &findings.failures));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Returns the rows of a file as the reader reads them, each as its values.
fn shown_rows(dataset: &Dataset, name: &str, bytes: &[u8]) -> Vec<String> {
    let key = key(name);
    let (input, options) = (Ranges::from(bytes.to_vec()), Options::default());
    let mut reader = RowReader::new(input, key.format, key.compression, &dataset.table, options).unwrap();
    let mut rows = Vec::new();
    while let Some(batch) = reader.next_batch().unwrap() {
        for row in 0..batch.batch.num_rows() {
            let value = |column: &arrow::array::ArrayRef| {
                if column.is_null(row) {
                    "null".to_owned()
                } else {
                    rows::shown_value(column, row).replace('\n', "⏎")
                }
            };
            rows.push(batch.batch.columns().iter().map(value).collect::<Vec<_>>().join(", "));
        }
    }
    rows
}

#[test]
fn every_rule_of_names_and_sizes_says_what_the_documents_say() {
    let mut wrong = Vec::new();
    let rows = documented("| rule | checks | file | report |");
    assert!(rows.len() >= 10, "{}", rows.len());
    for row in rows {
        let [_, checks, file, report] = &row[..] else { panic!("{row:?}") };
        let dataset = dataset_of(&described(&checks[0])).unwrap();
        let bytes = file.get(1).map_or(1, |bytes| bytes.parse().unwrap());
        let found = [dataset.check_name(&key(&file[0])), dataset.check_size(bytes)];
        wrong.extend(difference(&row, report, &found.into_iter().flatten().collect::<Vec<_>>()));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_example_s_own_metadata_can_be_checked() {
    let metadata = MetaData::read(concat!(env!("CARGO_MANIFEST_DIR"), "/../../meta_data").as_ref()).unwrap();
    for table in metadata.raw.into_values() {
        Dataset::new(table).unwrap();
    }
}

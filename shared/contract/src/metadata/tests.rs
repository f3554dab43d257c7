//! Metadata by example.

use serde_json::json;

use std::fs;

use super::*;
use crate::table::{DataFormat, Mode, Sensitivity};

const DATABASE: &str = r#"{"name": "d", "bucket": "b", "base_folder": "/f/", "description": "d"}"#;

fn read(files: &[(&str, &str)]) -> Result<MetaData, Vec<String>> {
    let folder = tempfile::tempdir().unwrap();
    for name in ["raw", "curated"] {
        fs::create_dir(folder.path().join(name)).unwrap();
    }
    for (path, text) in files {
        fs::write(folder.path().join(path), text).unwrap();
    }
    MetaData::read(folder.path()).map_err(|problems| {
        let inside = |problem: &crate::Problem| {
            let file = problem.file.strip_prefix(folder.path()).unwrap();
            format!("{}: {}: {}", file.display(), problem.path, problem.message)
        };
        problems.0.iter().map(inside).collect()
    })
}

fn one_raw(table: &str) -> Result<Table, Vec<String>> {
    let files = [("curated/database.json", DATABASE), ("raw/t.json", table)];
    read(&files).map(|metadata| metadata.raw["t"].clone())
}

fn one_curated(table: &str) -> Result<Table, Vec<String>> {
    let files = [("curated/database.json", DATABASE), ("curated/t.json", table), ("curated/t.sql", "SELECT 1")];
    read(&files).map(|metadata| metadata.curated["t"].clone())
}

#[test]
fn the_example_reads() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../meta_data");
    let metadata = MetaData::read(&folder).unwrap();
    let raw = &metadata.raw["random_postcodes"];
    assert_eq!(raw.columns.len(), 71);
    assert_eq!(raw.columns[70].name, "index");
    assert_eq!(raw.checks.minimum_rows, 10);
    let calculated = &metadata.curated["calculated"];
    assert_eq!(
        (calculated.mode, calculated.partition_columns()[0].name.as_str()),
        (Mode::Partition, "dea_snapshot_date")
    );
    assert!(calculated.sql.is_some());
}

#[test]
fn etl_manager_tables_read_and_partitions_go_last() {
    let table = one_curated(
        r#"{"$schema": "https://x", "name": "t", "location": "t/", "data_format": "parquet", "description": "d",
            "columns": [
                {"name": "p2", "type": "character", "description": "", "sensitivity": "personal_data"},
                {"name": "a", "type": "struct<longitude:double>", "description": "", "nullable": false},
                {"name": "p1", "type": "date", "description": "", "enum": ["x", 1, null]}],
            "partitions": ["p1", "p2"], "primary_key": ["a"], "other_program": {"its": "own"}}"#,
    )
    .unwrap();
    let names: Vec<_> = table.columns.iter().map(|column| column.name.as_str()).collect();
    assert_eq!(names, ["a", "p1", "p2"]);
    assert_eq!(table.data_columns().len(), 1);
    assert_eq!(table.columns[0].column_type.glue(), "struct<longitude:double>");
    assert!(!table.columns[0].nullable && table.columns[2].sensitive);
    assert_eq!(table.columns[1].enumeration.as_deref(), Some(&["x".to_owned(), "1".to_owned()][..]));
}

#[test]
fn mojap_tables_read() {
    let table = one_raw(
        r#"{"name": "t", "file_format": "jsonl", "sensitive": true, "partitions": [],
            "columns": [
                {"name": "a", "type_category": "integer", "minimum": 1, "maximum": 9},
                {"name": "b", "type": "timestamp(ns)"},
                {"name": "c", "type": "large_string", "minLength": 2, "maxLength": 3, "pattern": "^x"}]}"#,
    )
    .unwrap();
    let types: Vec<_> = table.columns.iter().map(|column| column.column_type.glue()).collect();
    assert_eq!(types, ["bigint", "timestamp", "string"]);
    assert_eq!((table.columns[0].minimum.clone(), table.columns[2].max_length), (Some("1".to_owned()), Some(3)));
    assert!(table.columns.iter().all(|column| column.sensitive));
    assert_eq!(table.data_format, DataFormat::Json);
}

#[test]
fn only_partitions_of_one_run_are_projected_and_only_of_some_types() {
    let table = |mode: &str, partitions: &str| {
        let text = format!(
            r#"{{"name": "c", "location": "c", "data_format": "parquet", "mode": "{mode}", "partition_projection": true,
                "columns": [
                    {{"name": "a", "type": "int", "description": ""}}, {{"name": "d", "type": "date", "description": ""}},
                    {{"name": "r", "type": "character", "description": ""}}, {{"name": "x", "type": "double", "description": ""}}],
                "partitions": {partitions}}}"#
        );
        let sql = ("curated/c.sql", "SELECT 1");
        let database = r#"{"name": "db", "bucket": "b", "base_folder": "f", "description": "d"}"#;
        read(&[("curated/database.json", database), ("curated/c.json", &text), sql, ("raw/.keep", "")])
    };
    assert!(table("rebuild", r#"["d", "r"]"#).unwrap().curated["c"].partition_projection);
    let problems = table("partition", r#"["d", "x"]"#).unwrap_err();
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert!(
        problems[0].contains("partition_projection: needs `partitions`, and the mode `rebuild` or `self_contained`"),
        "{problems:?}"
    );
    assert!(problems[1].contains("partitions[1]: column `x` cannot be projected"), "{problems:?}");
    assert!(table("rebuild", "[]").unwrap_err()[0].contains("partition_projection: needs `partitions`"));
}

#[test]
fn what_is_said_of_a_table_is_said_of_each_of_its_columns() {
    let (personal, special) = (Some(Sensitivity::PersonalData), Some(Sensitivity::SpecialCategoryData));
    for (said, expected) in [
        (r#""sensitive": true"#, [(true, None), (true, special)]),
        (r#""sensitive": false"#, [(false, None), (true, special)]),
        (r#""sensitivity": "personal_data""#, [(true, personal), (true, special)]),
        (r#""sensitivity": ["personal_data"]"#, [(true, personal), (true, special)]),
        (r#""sensitivity": ["special_category_data", "personal_data"]"#, [(true, special), (true, special)]),
        (r#""sensitivity": []"#, [(false, None), (true, special)]),
        (r#""sensitivity": null, "sensitive": null"#, [(false, None), (true, special)]),
    ] {
        let table = |words: &str| {
            format!(
                r#"{{"name": "t", "location": "t", "data_format": "json", {words}, "columns": [
                    {{"name": "a", "type": "int"}},
                    {{"name": "b", "type": "int", "sensitivity": ["special_category_data"]}}]}}"#
            )
        };
        let found = one_raw(&table(said)).unwrap();
        let found: Vec<_> = found.columns.iter().map(|column| (column.sensitive, column.sensitivity)).collect();
        assert_eq!(found, expected, "{said}");
    }
    for (said, problem) in [
        (r#""sensitivity": "secret""#, "sensitivity: expected `personal_data` or `special_category_data`"),
        (r#""sensitivity": ["personal_data", 1]"#, "sensitivity: expected `personal_data` or"),
        (r#""sensitive": "yes""#, "sensitive: expected true or false, found \"yes\""),
    ] {
        let text = format!(
            r#"{{"name": "t", "location": "t", "data_format": "json", {said},
                "columns": [{{"name": "a", "type": "int"}}]}}"#
        );
        let problems = read(&[("raw/t.json", &text), ("curated/.keep", "")]).unwrap_err();
        assert!(problems.iter().any(|found| found.contains(&format!("raw/t.json: {problem}"))), "{problems:?}");
    }
}

#[test]
fn the_words_for_personal_data_are_kept() {
    let table = one_raw(
        r#"{"name": "t", "location": "t", "data_format": "json", "columns": [
            {"name": "a", "type": "int", "sensitivity": "special_category_data"},
            {"name": "b", "type": "int", "redacted": true, "sensitivity": null},
            {"name": "c", "type": "int", "sensitive": true},
            {"name": "d", "type": "int", "sensitive": false, "redacted": false}]}"#,
    )
    .unwrap();
    let found: Vec<_> = table.columns.iter().map(|c| (c.sensitive, c.sensitivity, c.redacted)).collect();
    let special = Some(Sensitivity::SpecialCategoryData);
    assert_eq!(found, [(true, special, false), (true, None, true), (true, None, false), (false, None, false)]);
}

#[test]
fn a_column_has_the_type_of_the_time() {
    let table = |earlier: &str| {
        one_raw(&format!(
            r#"{{"name": "t", "location": "t", "data_format": "json", "columns": [
                {{"name": "a", "type": "character", "pattern": "x", "earlier_types": {earlier}}},
                {{"name": "b", "type": "int", "minimum": 1}}]}}"#
        ))
    };
    let earlier = r#"[{"before": 20, "type": "date", "datetime_format": "%d/%m/%Y"}, {"before": 10, "type": "long"}]"#;
    let found = table(earlier).unwrap();
    let at = |time: u64| {
        let then = found.at(time);
        let column = &then.columns[0];
        (column.column_type.glue().clone(), column.datetime_format.clone(), column.pattern.is_some())
    };
    assert_eq!(at(9), ("bigint".into(), None, false));
    assert_eq!(at(10), ("date".into(), Some("%d/%m/%Y".into()), false));
    assert_eq!(at(20), ("string".into(), None, true));
    assert_eq!(found.at(9).columns[1], found.columns[1], "the others are as they are");
    assert_eq!(found.changed_at().into_iter().collect::<Vec<_>>(), [10, 20]);
    for (earlier, part) in [
        ("{}", "expected a list such as"),
        (r#"[{"type": "long"}]"#, "earlier_types[0]: expected `before`"),
        (r#"[{"before": 1, "type": "lnog"}]"#, "earlier_types[0].type: "),
        (r#"[{"before": 1, "tpye": "long", "type": "long"}]"#, "tpye"),
        (r#"[{"before": 1, "type": "long"}, {"before": 1, "type": "int"}]"#, "two types before the same time"),
    ] {
        let problems = table(earlier).unwrap_err();
        assert!(problems[0].contains(part), "{problems:?}");
    }
    let curated = r#"{"name": "c", "location": "c", "data_format": "parquet", "columns": [
        {"name": "a", "type": "int", "earlier_types": [{"before": 1, "type": "long"}]}]}"#;
    let files = [("curated/database.json", DATABASE), ("curated/c.json", curated), ("curated/c.sql", "SELECT 1")];
    assert!(read(&files).unwrap_err()[0].contains("is for columns of raw tables"));
}

#[test]
fn only_what_replaces_some_partitions_can_be_self_contained() {
    let table = |mode: &str, more: &str| {
        let table = format!(
            r#"{{"name": "c", "location": "c", "data_format": "parquet", "mode": "{mode}", "self_contained": true{more},
                "partitions": ["d"], "columns": [{{"name": "a", "type": "int"}}, {{"name": "d", "type": "int"}}]}}"#
        );
        read(&[("curated/database.json", DATABASE), ("curated/c.json", &table), ("curated/c.sql", "SELECT 1")])
    };
    for mode in ["partition", "append"] {
        assert!(table(mode, "").unwrap().curated["c"].self_contained);
        assert!(table(mode, r#", "partition_projection": true"#).unwrap().curated["c"].partition_projection);
    }
    assert!(table("rebuild", "").unwrap_err()[0].contains("self_contained: is for the modes `partition` and `append`"));
}

#[test]
fn what_is_said_for_glue_alone_is_kept() {
    let specific = |keys: &str| {
        one_raw(&format!(r#"{{"name": "t", "columns": [{{"name": "a", "type": "int64"}}]{keys}}}"#))
            .map(|table| table.glue_specific)
    };
    assert_eq!(specific("").unwrap(), serde_json::json!({}));
    assert_eq!(specific(r#", "glue_specific": null"#).unwrap(), serde_json::json!({}));
    let both = r#", "glue_table_properties": {"owner": "x", "team": "y", "classification": "z"},
                    "glue_specific": {"Owner": "o", "Parameters": {"owner": "w"}}"#;
    let expected = serde_json::json!({"Owner": "o", "Parameters": {"owner": "w", "team": "y"}});
    assert_eq!(specific(both).unwrap(), expected);
    let wrong = r#", "glue_table_properties": {"n": 1}, "glue_specific": []"#;
    let problems = specific(wrong).unwrap_err();
    assert_eq!(problems[0], "raw/t.json: glue_specific: expected an object, found []");
    assert_eq!(problems[1], "raw/t.json: glue_table_properties.n: expected a text, found 1");
}

#[test]
fn a_raw_database_is_optional_and_has_its_own_name() {
    let table =
        |columns: &str| format!(r#"{{"name": "t", "location": "t", "data_format": "json", "columns": [{columns}]}}"#);
    let a = table(r#"{"name": "a", "type": "int"}"#);
    let raw_database = DATABASE.replace(r#""d", "bucket""#, r#""raw_d", "bucket""#);
    let with = |raw_database: &str, table: &str| {
        read(&[("curated/database.json", DATABASE), ("raw/database.json", raw_database), ("raw/t.json", table)])
    };
    assert_eq!(read(&[("curated/database.json", DATABASE), ("raw/t.json", &a)]).unwrap().raw_database, None);
    let metadata = with(&raw_database, &a).unwrap();
    let database = metadata.raw_database.unwrap();
    assert_eq!((database.name.as_str(), database.base_folder.as_str()), ("raw_d", "f"));
    assert_eq!(metadata.raw.len(), 1);

    let problems = with(DATABASE, &table(r#"{"name": "file_land_timestamp", "type": "long"}"#)).unwrap_err();
    assert!(problems[0].starts_with("raw/database.json: name: `d` is the curated database"), "{problems:?}");
    assert!(problems[1].starts_with("raw/t.json: columns: there is a column `file_land_timestamp`"), "{problems:?}");
    assert_eq!(problems.len(), 2);
    let problems = with("{}", &a).unwrap_err();
    assert_eq!(problems[0], "raw/database.json: name: is missing");
}

#[test]
fn every_problem_of_every_file_is_reported_at_once() {
    let problems = read(&[
        ("curated/database.json", r#"{"name": "My-Db", "bucket": "b", "base_folder": "f"}"#),
        (
            "curated/c.json",
            r#"{"name": "c", "location": "/c", "data_format": "parquett", "mode": "partition",
                "columns": [{"name": "a", "type": "string", "nulable": true}], "partitions": ["b"]}"#,
        ),
        ("curated/lost.sql", "SELECT 1"),
        ("raw/r.json", "{"),
        (
            "raw/s.json",
            r#"{"name": "S", "location": "s", "data_format": "json", "checks": {"minimum_row": 1},
                "source": {"url": "https://x", "requests": 0, "index_column": "indx", "records": "result"},
                "columns": [
                    {"name": "index", "type": "int", "pattern": "(?=x)", "sensitivity": "secret"},
                    {"name": "index", "type": "decimal(3)", "minimum": "1", "nullable": "yes"},
                    {"name": "t", "type": "character", "maximum": 3, "minLength": -1},
                    {"name": "u", "type": "int", "minimum": "1", "maxLength": 3},
                    {"name": "v", "type": "character", "minLength": 3, "maxLength": 2, "datetime_format": "%Y"},
                    {"name": "w", "type": "array<int>", "unique": true, "enum": [[1]]},
                    {"name": "x", "type": "character", "pattern": "(\\w{500}){500}"}]}"#,
        ),
        (
            "raw/k.json",
            r#"{"name": "k", "location": "k", "data_format": "json", "primary_key": ["p", "l"], "partitions": ["p"],
                "checks": {"minimum_rows": 3, "maximum_rows": 2, "maximum_bytes": 0, "examples": 101,
                           "unique_primary_key": true},
                "columns": [{"name": "l", "type": "array<int>"}, {"name": "p", "type": "int"}]}"#,
        ),
        (
            "raw/n.json",
            r#"{"name": "n", "location": "n", "data_format": "json", "checks": {"unique_primary_key": true},
                "columns": [{"name": "a", "type": "int"}]}"#,
        ),
    ])
    .unwrap_err();
    for expected in [
        "raw/r.json: : is not JSON",
        "raw/s.json: name: `S` is not a Glue name",
        "raw/s.json: checks: unknown field `minimum_row`, expected one of `minimum_rows`",
        "raw/s.json: columns[0].pattern: is not a regular expression that the checks can use: look-around",
        "raw/s.json: columns[0].sensitivity: expected `personal_data` or `special_category_data`, found \"secret\"",
        "raw/s.json: columns[1].type: `,` was expected after `decimal`, found `)`",
        "raw/s.json: columns[1].name: `index` is already the name of columns[0]",
        "raw/s.json: columns[1].nullable: expected true or false, found \"yes\"",
        "raw/s.json: columns[2].maximum: bounds are for numbers, dates and timestamps; the column's type is string",
        "raw/s.json: columns[3].minimum: expected a number, found \"1\"",
        "raw/s.json: columns[4].minLength: is 3, more than the maxLength of 2: no value can pass",
        "raw/s.json: columns[4].datetime_format: is for dates and timestamps; the column's type is string",
        "raw/s.json: columns[5].unique: the column's type is array<int>, whose values are not compared",
        "raw/s.json: columns[5].enum: the column's type is array<int>, whose values are not compared",
        "raw/s.json: columns[6].pattern: is not a regular expression that the checks can use: Compiled regex exceeds",
        "raw/k.json: checks.minimum_rows: is 3, more than the maximum of 2: no file can pass",
        "raw/k.json: checks.minimum_bytes: is 1, more than the maximum of 0: no file can pass",
        "raw/k.json: checks.examples: must be at most 100, found 101",
        "raw/k.json: checks.unique_primary_key: values of `l` (array<int>) are not compared",
        "raw/n.json: checks.unique_primary_key: needs a `primary_key` of columns that are in the files",
        "raw/s.json: columns[2].minLength: expected a whole number that is not negative, found -1",
        "raw/s.json: source.requests: must be at least 1",
        "raw/s.json: source.index_column: there is no column `indx`; did you mean `index`?",
        "raw/s.json: source.records: `result` is not a JSON pointer",
        "curated/c.json: columns[0].type: unknown type `string`; did you mean `character`?",
        "curated/c.json: location: must not begin with `/`",
        "curated/c.json: data_format: unknown format `parquett`; did you mean `parquet`?",
        "curated/c.json: partitions[0]: there is no column \"b\"; the columns are `a`",
        "curated/lost.sql: : there is no `lost.json` beside it",
        "curated/database.json: description: is missing",
        "curated/database.json: name: `My-Db` is not a Glue name",
    ] {
        assert!(
            problems.iter().any(|problem| problem.starts_with(expected)),
            "{expected}\nin\n{}",
            problems.join("\n")
        );
    }
}

#[test]
fn a_curated_table_needs_sql_or_a_raw_table_of_its_name() {
    let table =
        r#"{"name": "c", "location": "c", "data_format": "parquet", "columns": [{"name": "a", "type": "int"}]}"#;
    let problems = read(&[("curated/database.json", DATABASE), ("curated/c.json", table)]).unwrap_err();
    assert_eq!(problems.len(), 1);
    assert!(problems[0].contains("no `c.sql` beside it"), "{}", problems[0]);
    let raw = table.replace("parquet", "json");
    assert!(read(&[("curated/database.json", DATABASE), ("curated/c.json", table), ("raw/c.json", &raw)]).is_ok());
}

fn table(name: &str, format: &str) -> String {
    format!(
        r#"{{"name": "{name}", "location": "{name}", "data_format": "{format}", "columns": [{{"name": "a", "type": "int"}}]}}"#
    )
}

#[test]
fn files_that_are_not_read_are_named() {
    let problems = read(&[
        ("curated/database.json", DATABASE),
        ("curated/t.json", &table("t", "parquet")),
        ("curated/t.SQL", "SELECT 1"),
        ("curated/t_old.sql.bak", "SELECT 1"),
        ("curated/.DS_Store", ""),
        ("curated/README.md", "notes"),
        ("raw/t.json", &table("t", "json")),
        ("raw/t.sql", "SELECT 1"),
        ("raw/u.JSON", "{}"),
    ])
    .unwrap_err();
    assert_eq!(
        problems,
        [
            "raw/t.sql: : raw tables have no SQL; that of a curated table lies in `curated`",
            "raw/u.JSON: : is not read under this name; call it `u.json`",
            "curated/t.SQL: : is not read under this name; call it `t.sql`",
            "curated/t_old.sql.bak: : is neither `.json` nor `.sql`, and is not read; move it out of here",
        ]
    );
    let folder = tempfile::tempdir().unwrap();
    for name in ["raw", "curated/old", "procesed", "notes"] {
        fs::create_dir_all(folder.path().join(name)).unwrap();
    }
    fs::write(folder.path().join("curated/database.json"), DATABASE).unwrap();
    let problems = MetaData::read(folder.path()).unwrap_err().to_string();
    assert!(problems.contains("procesed: the folder is not read; did you mean `processed`?"), "{problems}");
    assert!(problems.contains("old: is a folder, and folders in here are not read"), "{problems}");
    assert!(problems.starts_with("2 problems"), "{problems}");
}

#[test]
fn one_mistake_is_one_problem() {
    let misspelt = table("t", "parquett");
    let files = [
        ("curated/database.json", DATABASE),
        ("curated/t.json", misspelt.as_str()),
        ("curated/t.sql", "SELECT 1"),
        ("curated/r.json", &table("r", "parquet")),
        ("raw/r.json", "{"),
    ];
    let problems = read(&files).unwrap_err();
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert!(problems[0].starts_with("raw/r.json: : is not JSON"), "{problems:?}");
    assert!(problems[1].starts_with("curated/t.json: data_format: "), "{problems:?}");
    // without any name there is nothing to suggest
    let lost = read(&[("curated/database.json", DATABASE), ("curated/lost.sql", "SELECT 1")]).unwrap_err();
    assert_eq!(lost, ["curated/lost.sql: : there is no `lost.json` beside it"]);
}

#[test]
fn a_byte_order_mark_is_no_part_of_a_file_and_other_encodings_are_one_problem() {
    let database = format!("\u{feff}{DATABASE}");
    let t = format!("\u{feff}{}", table("t", "parquet"));
    let files = [
        ("curated/database.json", database.as_str()),
        ("curated/t.json", &t),
        ("curated/t.sql", "\u{feff}SELECT 1 AS a"),
    ];
    assert_eq!(read(&files).unwrap().curated["t"].sql.as_deref(), Some("SELECT 1 AS a"));

    let folder = tempfile::tempdir().unwrap();
    for name in ["raw", "curated"] {
        fs::create_dir(folder.path().join(name)).unwrap();
    }
    for name in ["t", "u"] {
        fs::write(folder.path().join(format!("curated/{name}.json")), table(name, "parquet")).unwrap();
    }
    fs::write(folder.path().join("curated/database.json"), DATABASE).unwrap();
    fs::write(folder.path().join("curated/t.sql"), b"SELECT 1 AS a\n-- \xa3").unwrap();
    fs::write(folder.path().join("curated/u.sql"), b"\xff\xfeS\0").unwrap();
    let problems = MetaData::read(folder.path()).unwrap_err();
    let messages: Vec<_> = problems.0.iter().map(|problem| problem.message.as_str()).collect();
    let expected = ["is not UTF-8: line 2 has the byte 0xA3; save it as UTF-8", "is UTF-16; save it as UTF-8"];
    assert_eq!(messages, expected);
}

#[test]
fn two_tables_in_one_folder_and_folders_that_are_not_what_they_say_are_refused() {
    let database =
        |folder: &str| json!({"name": "d", "bucket": "b", "base_folder": folder, "description": "d"}).to_string();
    let curated = |name: &str, location: &str| {
        let columns = json!([{"name": "a", "type": "int", "description": ""}]);
        let table = json!({"name": name, "location": location, "data_format": "parquet", "columns": columns});
        table.to_string()
    };
    let problems = |folder: &str, one: &str, other: &str| {
        let files = [
            ("curated/database.json", database(folder)),
            ("curated/one.json", curated("one", one)),
            ("curated/one.sql", "SELECT 1 AS a".to_owned()),
            ("curated/other.json", curated("other", other)),
            ("curated/other.sql", "SELECT 1 AS a".to_owned()),
        ];
        let files: Vec<_> = files.iter().map(|(path, text)| (*path, text.as_str())).collect();
        read(&files).err().unwrap_or_default().join("\n")
    };
    assert_eq!(problems("f/g_1/", "one", "other/new/"), "");
    assert_eq!(problems("/", "one", "one/new"), "");
    for (one, other) in [("one", "one"), ("one/x", "one/x/")] {
        let found = problems("f", one, other);
        assert!(found.contains("other.json: location: `") && found.contains("of curated table `one`"), "{found}");
    }
    for location in ["_manifests", "_publications/x", "x/_y"] {
        let found = problems("f", location, "other");
        assert!(found.contains("one.json: location: ") && found.contains("begin with `_`"), "{found}");
    }
    for folder in ["../x", "a/../b", "a//b", "a/./b", "x\n", "x\u{202e}y"] {
        let found = problems(folder, "one", "other");
        assert!(found.contains("curated/database.json: base_folder: `"), "{folder:?}: {found}");
        assert!(!found.contains(|c: char| c != '\n' && c.is_control() || c == '\u{202e}'), "{found:?}");
    }
}

#[test]
fn a_name_whose_folder_nobody_would_look_into_is_refused() {
    let problems = one_raw(&table("_t", "json")).unwrap_err();
    assert!(problems[0].contains("files in folders that begin with `_` are skipped"), "{problems:?}");
}

//! Valid and invalid files.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::judge::{Kind, database, json_file, repository};
use crate::unsaid::RULES;

/// Valid files, including those of the repository.
pub fn good() -> Vec<(Kind, Value)> {
    let mut files = vec![
        (Kind::Database, database()),
        (Kind::Database, json!({"name": "d", "bucket": "b", "base_folder": "", "description": "", "owner": 1})),
        (Kind::Raw, etl_manager()),
        (Kind::Raw, mojap()),
        (Kind::Raw, json!({"name": "t", "columns": [{"name": "a", "type": "int8"}]})),
        (
            Kind::Raw,
            json!({"name": "t", "location": "t", "data_format": "csv", "lines": true,
            "columns": [{"name": "line", "type": "character"}, {"name": "n", "type": "long"}]}),
        ),
        (
            Kind::Curated,
            json!({"name": "t", "location": "x/ü-1/t_2/", "data_format": "parquet", "mode": "partition",
            "self_contained": true, "partition_projection": true, "compression": "zstd", "partitions": ["d", "p"],
            "columns": [{"name": "p", "type": "int", "enum": [1, 2, null]}, {"name": "a", "type": "array<struct<b:int>>"},
                {"name": "d", "type": "date", "nullable": null, "partitioned": true}]}),
        ),
    ];
    for path in metadata_of_the_examples() {
        let mut file = json_file(&path);
        if path.ends_with("database.json") {
            files.push((Kind::Database, file));
        } else {
            file["name"] = json!("t");
            let kind = match path.parent().and_then(Path::file_name).and_then(|area| area.to_str()) {
                Some("raw") => Kind::Raw,
                Some("processed") => continue, // one is judged beside its raw table
                _ => Kind::Curated,
            };
            files.push((kind, file));
        }
    }
    files
}

/// Lists the metadata files of examples/ and those of the postcodes, but not those that a user has added.
pub fn metadata_of_the_examples() -> Vec<PathBuf> {
    let postcodes = ["raw/random_postcodes.json", "curated/random_postcodes.json", "curated/calculated.json"];
    let mut found: Vec<PathBuf> = postcodes.iter().map(|file| repository("meta_data").join(file)).collect();
    for example in fs::read_dir(repository("examples")).unwrap() {
        for area in ["raw", "processed", "curated"] {
            let files = fs::read_dir(example.as_ref().unwrap().path().join("meta_data").join(area));
            let paths = files.into_iter().flatten().map(|entry| entry.unwrap().path());
            found.extend(paths.filter(|path| path.extension().is_some_and(|extension| extension == "json")));
        }
    }
    found
}

/// A table with every key of etl_manager's vocabulary.
pub fn etl_manager() -> Value {
    json!({"$schema": "x", "name": "t", "description": "d", "location": "t/", "data_format": "json", "partitions": null,
        "primary_key": ["a"], "sensitivity": ["personal_data"], "glue_specific": {"Parameters": {"a": "b"}},
        "checks": {"minimum_rows": 0, "maximum_rows": 9, "minimum_bytes": 1, "maximum_bytes": null, "required": true,
            "allow_missing_columns": true, "allow_unexpected_columns": true, "ignore_header_case": true, "header": true,
            "unique_primary_key": true, "file_name_pattern": "x", "repeated_files": "keep", "pattern_anchor": "whole", "examples": 100},
        "source": {"url": "https://x", "requests": 2, "records": "/r", "flatten_separator": "_", "index_column": "b",
            "concurrency": 1, "requests_per_second": 1, "attempts": 1, "timeout_seconds": 1, "maximum_file_bytes": 1},
        "dialect": {"delimiter": ";", "quoteChar": "'", "doubleQuote": false, "escapeChar": "\\", "skipInitialSpace": true,
            "header": true, "headerRows": [2, 3], "headerJoin": "/", "commentChar": "#", "commentRows": [7, 1],
            "lineTerminator": "\r", "encoding": "latin-1", "nan": "null", "sheetName": "Sales", "nullValues": ["-"],
            "decimalChar": ",", "groupChar": ".", "bareNumber": false, "trueValues": ["Y"], "falseValues": ["N"]},
        "copy_to_raw": true, "read_from": "raw", "delete_raw": false, "lines": false, "compression": "snappy", "mode": "rebuild",
        "self_contained": false, "partition_projection": false,
        "columns": [
            {"name": "a", "type": "character", "description": "", "pattern": "x", "minLength": 1, "maxLength": 2.0, "unique": true,
                "source_name": "A (old)", "proposed": {"enum": ["x"]}},
            {"name": "b", "type": "int", "nullable": false, "minimum": 1, "maximum": 2.5, "pattern": "x",
                "source_name": "B", "source_position": 2, "nullValues": ["?"], "decimalChar": ".", "groupChar": "\u{a0}"},
            {"name": "c", "type": " decimal( 10 , 2 ) ", "minimum": "1.5", "maximum": 2,
                "source_name": "B", "source_position": 3, "bareNumber": true, "trueValues": [], "falseValues": ["x"]},
            {"name": "d", "type": "datetime", "datetime_format": "%Y", "minimum": "2020", "sensitivity": "personal_data", "redacted": true},
            {"name": "e", "type": "struct<x:array<struct<z:long>>, y:date>", "source_names": {"x": "X 1", "x.z": ""}, "enum": null, "unique": false, "alias": 7},
            {"name": "f", "type": "timestamp(us)", "earlier_types": [
                {"before": 20, "type": "date", "datetime_format": "%Y"}, {"before": 10, "type": "long", "datetime_format": null}]}],
        "other_program": {"its": "own"}})
}

/// A table with every key of mojap-metadata's vocabulary.
pub fn mojap() -> Value {
    json!({"name": "t", "file_format": "jsonl", "sensitive": true, "primary_key": [], "partitions": [],
        "dialect": {"property": "rows", "sheetNumber": 2, "groupChar": ""},
        "database_name": "d", "table_location": "s3://b/t/", "glue_table_properties": {"team": "x"}, "columns": [
            {"name": "a", "type_category": "integer", "minimum": 1, "maximum": null, "sensitive": false},
            {"name": "b", "type": "timestamp(s)", "datetime_format": "%Y", "maximum": "2020"},
            {"name": "c", "type": "large_string", "minLength": 2, "maxLength": 3, "pattern": "^x"},
            {"name": "d", "type": "list_<decimal128(38,0)>"},
            {"name": "e", "type_category": "timestamp", "datetime_format": null, "earlier_types": [{"before": 1, "type_category": "integer"}]},
            {"name": "f", "type": "decimal128(3,2)", "type_category": "float", "maximum": "9.99"}]})
}

/// Columns whose type or category decides whether a rule is allowed beside it, and whether each column is valid.
pub fn typed() -> Vec<(bool, Value)> {
    vec![
        (true, json!({"type_category": "integer", "minimum": 1, "unique": true, "enum": [1]})),
        (true, json!({"type_category": "float", "maximum": 1.5})),
        (true, json!({"type_category": "timestamp", "minimum": "2020", "datetime_format": "%Y"})),
        (true, json!({"type_category": "datetime", "maximum": "2020", "datetime_format": "%Y"})),
        (true, json!({"type": "int8", "type_category": "string", "minimum": 1})),
        (true, json!({"type": "decimal128(3,1)", "type_category": "string", "minimum": "1.5", "maximum": 2})),
        (true, json!({"type": "date32", "type_category": "no such", "minimum": "2020", "datetime_format": "%Y"})),
        (false, json!({"type_category": "integer", "minimum": "1"})),
        (false, json!({"type_category": "float", "maximum": "x"})),
        (false, json!({"type_category": "integer", "datetime_format": "%Y"})),
        (false, json!({"type_category": "timestamp", "minimum": 1})),
        (false, json!({"type_category": "datetime", "minimum": 1})),
        (false, json!({"type_category": "string", "minimum": 1})),
        (false, json!({"type_category": "string", "minimum": "x"})),
        (false, json!({"type_category": "string", "datetime_format": "%Y"})),
        (false, json!({"type_category": "boolean", "maximum": 1})),
        (false, json!({"type": "string", "type_category": "integer", "minimum": 1})),
        (false, json!({"type": "string", "type_category": "timestamp", "maximum": "2020"})),
        (false, json!({"type": "string", "type_category": "timestamp", "datetime_format": "%Y"})),
        (false, json!({"type": "int8", "type_category": "timestamp", "datetime_format": "%Y"})),
        (false, json!({"type": "list<int8>", "type_category": "integer", "unique": true})),
        (false, json!({"type": "binary", "enum": [1], "minimum": 1})),
    ]
}

/// Files that break one rule that only the reader checks, each with the rule's index in [`RULES`].
pub fn unsaid() -> Vec<(usize, Kind, Value)> {
    let with = |more: Value| {
        let mut table = json!({"name": "t", "location": "t", "data_format": "json",
            "columns": [{"name": "a", "type": "int"}, {"name": "b", "type": "character"}, {"name": "l", "type": "array<int>"}]});
        table.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        table
    };
    let column = |column: Value| with(json!({"columns": [column]}));
    let two = |one: Value, other: Value| {
        let mut columns = json!([{"name": "a", "type": "int"}, {"name": "b", "type": "int"}]);
        for (n, more) in [one, other].iter().enumerate() {
            columns[n].as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        }
        with(json!({"columns": columns}))
    };
    let curated = |more: Value| {
        let mut table = with(json!({"data_format": "parquet"}));
        table.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        table
    };
    let mut invisible = database();
    invisible["base_folder"] = json!("x\u{202e}y");
    let files = vec![
        (0, Kind::Raw, with(json!({"name": "u"}))),
        (1, Kind::Raw, with(json!({"columns": [{"name": "a", "type": "int"}, {"name": "a", "type": "int"}]}))),
        (2, Kind::Raw, with(json!({"primary_key": ["x"]}))),
        (2, Kind::Curated, curated(json!({"partitions": ["x"]}))),
        (2, Kind::Raw, with(json!({"source": {"url": "https://x", "index_column": "x"}}))),
        (3, Kind::Curated, curated(json!({"partitions": ["l"]}))),
        (3, Kind::Curated, curated(json!({"partitions": ["a"], "columns": [{"name": "a", "type": "int"}]}))),
        (4, Kind::Raw, column(json!({"name": "a", "type": "character", "pattern": "(?=x)"}))),
        (4, Kind::Raw, with(json!({"checks": {"file_name_pattern": "("}}))),
        (5, Kind::Raw, column(json!({"name": "a", "type": "decimal(3,4)"}))),
        (5, Kind::Raw, column(json!({"name": "a", "type": "array<string>"}))),
        (5, Kind::Raw, column(json!({"name": "a", "type": format!("{}int{}", "array<".repeat(32), ">".repeat(32))}))),
        (6, Kind::Raw, column(json!({"name": "a", "type": "character", "minLength": 3, "maxLength": 2}))),
        (6, Kind::Raw, with(json!({"checks": {"minimum_rows": 3, "maximum_rows": 2}}))),
        (6, Kind::Raw, with(json!({"checks": {"minimum_bytes": 3, "maximum_bytes": 2}}))),
        (7, Kind::Raw, with(json!({"checks": {"unique_primary_key": true}}))),
        (7, Kind::Raw, with(json!({"primary_key": ["l"], "checks": {"unique_primary_key": true}}))),
        (
            8,
            Kind::Raw,
            column(json!({"name": "a", "type": "int",
            "earlier_types": [{"before": 1, "type": "long"}, {"before": 1, "type": "date"}]})),
        ),
        (9, Kind::Raw, with(json!({"checks": {"minimum_rows": 3.0}}))),
        (9, Kind::Raw, column(json!({"name": "a", "type": "int", "earlier_types": [{"before": 3.0, "type": "long"}]}))),
        (10, Kind::Raw, with(json!({"location": "a–b"}))),
        (10, Kind::Database, invisible),
        (11, Kind::Raw, with(json!({"partitions": ["a"]}))),
        (11, Kind::Raw, with(json!({"lines": true}))),
        (11, Kind::Raw, with(json!({"read_from": "raw"}))),
        (11, Kind::Raw, with(json!({"read_from": "processed"}))),
        (11, Kind::Curated, curated(json!({"data_format": "csv"}))),
        (11, Kind::Curated, curated(json!({"mode": "partition"}))),
        (11, Kind::Curated, curated(json!({"self_contained": true}))),
        (11, Kind::Curated, curated(json!({"partition_projection": true}))),
        (
            11,
            Kind::Curated,
            curated(
                json!({"columns": [{"name": "a", "type": "int", "earlier_types": [{"before": 1, "type": "long"}]}]}),
            ),
        ),
        (9, Kind::Raw, column(json!({"name": "a", "type": "int", "source_position": 3.0}))),
        (9, Kind::Raw, with(json!({"dialect": {"headerRows": [3.0]}}))),
        (10, Kind::Raw, with(json!({"dialect": {"decimalChar": "é"}}))),
        (10, Kind::Raw, with(json!({"dialect": {"groupChar": "٣"}}))),
        (11, Kind::Curated, curated(json!({"dialect": {"delimiter": ";"}}))),
        (11, Kind::Curated, curated(json!({"columns": [{"name": "a", "type": "int", "source_name": "A"}]}))),
        (12, Kind::Raw, with(json!({"dialect": {"delimiter": "\""}}))),
        (12, Kind::Raw, with(json!({"dialect": {"commentChar": "\t"}}))),
        (12, Kind::Raw, with(json!({"dialect": {"groupChar": "."}}))),
        (12, Kind::Raw, with(json!({"dialect": {"nullValues": ["N"], "falseValues": ["N"]}}))),
        (12, Kind::Raw, with(json!({"dialect": {"trueValues": ["False"]}}))),
        (12, Kind::Raw, with(json!({"dialect": {"falseValues": ["TRUE"]}}))),
        (12, Kind::Raw, column(json!({"name": "a", "type": "double", "decimalChar": "'", "groupChar": "'"}))),
        (13, Kind::Raw, with(json!({"dialect": {"headerRows": [1, 3]}}))),
        (13, Kind::Raw, with(json!({"dialect": {"headerRows": [2], "commentRows": [1, 2]}}))),
        (13, Kind::Raw, with(json!({"dialect": {"headerRows": [2]}, "checks": {"header": false}}))),
        (13, Kind::Raw, with(json!({"dialect": {"header": true}, "checks": {"header": false}}))),
        (14, Kind::Raw, two(json!({"source_name": "x"}), json!({"source_name": "x"}))),
        (14, Kind::Raw, two(json!({"source_name": "b"}), json!({}))),
        (14, Kind::Raw, two(json!({"source_position": 1}), json!({"source_position": 1}))),
        (
            14,
            Kind::Raw,
            with(
                json!({"dialect": {"header": false}, "columns": [{"name": "a", "type": "int", "source_position": 1}]}),
            ),
        ),
        (
            14,
            Kind::Raw,
            with(json!({"checks": {"header": false}, "columns": [{"name": "a", "type": "int", "source_position": 1}]})),
        ),
        (15, Kind::Raw, with(json!({"columns": [{"name": "a", "type": "struct<b:int>", "source_names": {"c": "B"}}]}))),
        (
            15,
            Kind::Raw,
            with(json!({"columns": [{"name": "a", "type": "array<struct<b:int,c:int>>", "source_names": {"c": "b"}}]})),
        ),
        (
            14,
            Kind::Raw,
            with(json!({"checks": {"ignore_header_case": true},
                "columns": [{"name": "a", "type": "int", "source_name": "Ä"}, {"name": "b", "type": "int", "source_name": "ä"}]})),
        ),
    ];
    assert!((0..RULES.len()).all(|rule| files.iter().any(|(broken, ..)| *broken == rule)), "a rule without an example");
    files
}

/// Changes to a valid file that schema and reader both refuse: a place and its new value, or null to remove it.
pub fn bad() -> Vec<(Kind, &'static str, Value)> {
    let mut bad = Vec::new();
    for (place, values) in [
        ("/name", vec![json!("T"), json!("_t"), json!(""), json!("a-b"), json!(7), Value::Null]),
        ("/description", vec![json!(7), json!(["x"])]),
        (
            "/location",
            vec![
                json!("/t"),
                json!("a//b"),
                json!("_t"),
                json!("t/_x"),
                json!("a b"),
                json!("../t"),
                json!(""),
                json!(7),
                Value::Null,
            ],
        ),
        ("/data_format", vec![json!("par"), json!("parquett"), json!(""), json!(7), Value::Null]),
        ("/columns", vec![json!([]), json!({}), json!([7]), Value::Null]),
        ("/partitions", vec![json!("a"), json!([7]), json!(["file_land_timestamp", "file_land_timestamp"])]),
        ("/primary_key", vec![json!("a"), json!(["a", "a"]), json!([null])]),
        ("/sensitivity", vec![json!("secret"), json!(["personal_data", 1]), json!(true)]),
        ("/sensitive", vec![json!("yes"), json!(1)]),
        ("/glue_specific", vec![json!([]), json!("x")]),
        ("/checks", vec![json!([]), json!(true)]),
        ("/checks/minimum_row", vec![json!(1)]),
        ("/checks/minimum_rows", vec![json!(-1), json!(1.5), json!("1"), json!([1])]),
        ("/checks/maximum_rows", vec![json!("1"), json!(-1)]),
        ("/checks/header", vec![json!("yes"), json!(0)]),
        ("/checks/examples", vec![json!(101), json!(-1)]),
        ("/checks/repeated_files", vec![json!("kept"), json!({"keep": null}), json!(1)]),
        ("/checks/file_name_pattern", vec![json!(7)]),
        ("/dialect", vec![json!([]), json!(";"), json!(true)]),
        (
            "/dialect/delimiter",
            vec![json!(";;"), json!(""), json!("a"), json!("\n"), json!("é"), json!(7), json!([";"])],
        ),
        ("/dialect/quoteChar", vec![json!("\r"), json!("''"), json!("q"), json!(false)]),
        ("/dialect/escapeChar", vec![json!("\\\\"), json!("0"), json!("\u{a0}")]),
        ("/dialect/doubleQuote", vec![json!("yes"), json!(1)]),
        ("/dialect/skipInitialSpace", vec![json!("yes"), json!([true])]),
        ("/dialect/header", vec![json!("yes"), json!(0)]),
        (
            "/dialect/headerRows",
            vec![json!([]), json!([0]), json!([-1]), json!([1.5]), json!([5000000000_u64]), json!(3), json!(["3"])],
        ),
        ("/dialect/headerJoin", vec![json!(7), json!([])]),
        ("/dialect/commentChar", vec![json!("#\n"), json!("\r"), json!(["#"])]),
        ("/dialect/commentRows", vec![json!([0]), json!([5000000000_u64]), json!(3), json!({})]),
        ("/dialect/lineTerminator", vec![json!(""), json!("\n\r"), json!("x"), json!("é"), json!("\r\n\r\n")]),
        ("/dialect/encoding", vec![json!(""), json!(1252)]),
        ("/dialect/nan", vec![json!("drop"), json!({"keep": null}), json!(["keep"]), json!(true)]),
        ("/dialect/property", vec![json!(""), json!(7), json!(["a"])]),
        ("/dialect/sheetName", vec![json!(""), json!(2)]),
        ("/dialect/sheetNumber", vec![json!(2), json!(0), json!("2")]),
        ("/dialect/nullValues", vec![json!("-"), json!([7]), json!([null]), json!({"a": "b"})]),
        (
            "/dialect/decimalChar",
            vec![
                json!(""),
                json!("x"),
                json!("7"),
                json!("+"),
                json!("-"),
                json!("\""),
                json!("\t"),
                json!(",,"),
                json!(1),
            ],
        ),
        ("/dialect/groupChar", vec![json!("x"), json!("7"), json!("  "), json!("\n"), json!(false)]),
        ("/dialect/bareNumber", vec![json!("no")]),
        ("/dialect/trueValues", vec![json!("Y"), json!([true])]),
        ("/dialect/falseValues", vec![json!("N"), json!([0])]),
        ("/dialect/sheet_name", vec![json!("x")]),
        ("/source", vec![json!([]), json!("https://x"), json!({})]),
        ("/source/records", vec![json!("r"), json!(7)]),
        ("/source/requests", vec![json!(0), json!(-1), json!("2")]),
        ("/source/attempts", vec![json!(0), json!(4294967296_u64)]),
        ("/source/team", vec![json!("x")]),
        ("/copy_to_raw", vec![json!("yes"), json!(1)]),
        ("/read_from", vec![json!("raw_hist"), json!({"raw": null})]),
        ("/mode", vec![json!("replace"), json!(["append"])]),
        ("/compression", vec![json!("gzip")]),
        ("/columns/0/name", vec![json!("A"), json!("first name"), json!(""), json!(7), Value::Null]),
        (
            "/columns/0/type",
            vec![
                json!("string"),
                json!("charcter"),
                json!("struct"),
                json!("array<>"),
                json!("struct<a:int>x"),
                json!("decimal(39,0)"),
                json!("decimal(0,0)"),
                json!("decimal(10,-2)"),
                json!("timestamp(ms)"),
                json!("binary(8)"),
                json!("list<int>"),
                json!(7),
                Value::Null,
            ],
        ),
        ("/columns/0/enum", vec![json!("x"), json!({})]),
        ("/columns/0/source_name", vec![json!(7), json!(["x"])]),
        ("/columns/0/source_names", vec![json!("x"), json!({"x": 7}), json!([])]),
        (
            "/columns/0/source_position",
            vec![json!(0), json!(-1), json!(1.5), json!("1"), json!(1_000_001), json!(1e20)],
        ),
        ("/columns/0/nullValues", vec![json!("-"), json!([7])]),
        ("/columns/0/decimalChar", vec![json!(""), json!("é "), json!(".."), json!(7)]),
        ("/columns/0/groupChar", vec![json!("-"), json!("0"), json!(7)]),
        ("/columns/0/bareNumber", vec![json!("no"), json!(0)]),
        ("/columns/0/trueValues", vec![json!("Y"), json!([true])]),
        ("/columns/0/falseValues", vec![json!({}), json!([null])]),
        ("/columns/0/pattern", vec![json!(7), json!(["x"])]),
        ("/columns/0/minimum", vec![json!(1), json!("x")]),
        ("/columns/0/maximum", vec![json!(1), json!("x")]),
        ("/columns/1/minimum", vec![json!("1"), json!(true)]),
        ("/columns/2/minimum", vec![json!(true), json!([1])]),
        ("/columns/3/minimum", vec![json!(1), json!(false)]),
        ("/columns/0/datetime_format", vec![json!("%Y"), json!(7)]),
        ("/columns/3/datetime_format", vec![json!(7)]),
        ("/columns/0/minLength", vec![json!(-1), json!(1.5), json!("1")]),
        ("/columns/4/unique", vec![json!(true), json!("yes")]),
        ("/columns/4/enum", vec![json!([1])]),
        ("/columns/0/nullable", vec![json!("yes"), json!(0)]),
        (
            "/columns/0/earlier_types",
            vec![
                json!({}),
                json!([7]),
                json!([{"type": "long"}]),
                json!([{"before": 1}]),
                json!([{"before": -1, "type": "long"}]),
                json!([{"before": 1, "type": "lnog"}]),
                json!([{"before": 1, "type": "long", "reason": "x"}]),
                json!([{"before": 1, "type": "long", "datetime_format": "%Y"}]),
            ],
        ),
    ] {
        bad.extend(values.into_iter().map(|value| (Kind::Raw, place, value)));
    }
    for (place, values) in [
        ("/name", vec![json!("D"), json!("a b"), json!(""), Value::Null]),
        ("/bucket", vec![json!(""), json!(7), Value::Null]),
        (
            "/base_folder",
            vec![json!("../x"), json!("a/../b"), json!("a//b"), json!("a/./b"), json!("x\n"), json!(7), Value::Null],
        ),
        ("/description", vec![json!(7), Value::Null]),
    ] {
        bad.extend(values.into_iter().map(|value| (Kind::Database, place, value)));
    }
    bad
}

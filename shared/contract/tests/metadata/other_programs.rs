//! Metadata that etl_manager 9.0.2 and mojap-metadata 1.16.0 write, or show in their READMEs, examples and tests, is
//! read unchanged. docs/metadata.md lists the exceptions and their reasons.

use contract::{DataFormat, Table};
use serde_json::{Value, json};

use crate::folder::{database, read, read_table};

const ETL_MANAGER_SCHEMA: &str = "https://moj-analytical-services.github.io/metadata_schema/table/v1.4.0.json";

/// Returns the tables of etl_manager's README and `example/meta_data/db1`.
fn workforce() -> [Value; 3] {
    [
        json!({"$schema": ETL_MANAGER_SCHEMA, "name": "employees", "description": "Employees", "data_format": "parquet",
            "location": "employees/", "columns": [
                {"name": "employee_id", "type": "int", "description": "ID"},
                {"name": "employee_name", "type": "character", "description": "Name"},
                {"name": "employee_dob", "type": "date", "description": "Date of birth"}]}),
        json!({"$schema": ETL_MANAGER_SCHEMA, "name": "pay", "description": "Pay", "data_format": "csv",
            "location": "pay/", "columns": [
                {"name": "employee_id", "type": "int", "description": "ID"},
                {"name": "annual_salary", "type": "float", "description": "Salary"}],
            "glue_specific": {
                "Parameters": {"skip.header.line.count": "1"},
                "StorageDescriptor": {"Parameters": {"skip.header.line.count": "1"}}}}),
        json!({"$schema": ETL_MANAGER_SCHEMA, "name": "teams", "description": "Who is in which team", "data_format": "parquet",
            "location": "teams/", "columns": [
                {"name": "team_id", "type": "int", "description": "ID", "nullable": false},
                {"name": "team_name", "type": "character", "description": "Name"},
                {"name": "employee_id", "type": "int", "description": "Key of employees", "pattern": "\\d+"},
                {"name": "snapshot_year", "type": "int", "description": "Year"},
                {"name": "snapshot_month", "type": "int", "description": "Month", "enum": [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]}],
            "partitions": ["snapshot_year", "snapshot_month"]}),
    ]
}

fn glue(table: &Table) -> Vec<String> {
    table.columns.iter().map(|column| column.column_type.glue()).collect()
}

#[test]
fn the_example_of_etl_manager_is_read() {
    let [employees, pay, teams] = workforce();
    let database = json!({"description": "", "name": "workforce", "bucket": "my-bucket", "base_folder": ""});
    let sql = json!("SELECT 1");
    let metadata = read(&[
        ("curated/database.json", &database),
        ("curated/employees.json", &employees),
        ("curated/employees.sql", &sql),
        ("curated/teams.json", &teams),
        ("curated/teams.sql", &sql),
        ("raw/pay.json", &pay),
    ])
    .unwrap();
    assert!(metadata.warnings.is_empty(), "{:?}", metadata.warnings);
    assert_eq!((metadata.database.base().as_str(), metadata.database.description.as_str()), ("", ""));
    assert_eq!(metadata.curated["teams"].partitions, ["snapshot_year", "snapshot_month"]);
    assert_eq!(metadata.curated["teams"].columns[2].pattern, None, "it is applied to nothing");
    assert_eq!(glue(&metadata.raw["pay"]), ["int", "float"]);
    assert_eq!(metadata.raw["pay"].glue_specific["Parameters"]["skip.header.line.count"], "1");
}

#[test]
fn what_a_database_must_have_it_must_have_still() {
    for (key, wrong, problem) in [
        ("base_folder", json!(7), "expected a text, found 7"),
        ("description", Value::Null, "expected a text, found null"),
        ("bucket", json!(""), "expected a text that is not empty, found \"\""),
        ("name", json!(""), "expected a text that is not empty, found \"\""),
    ] {
        let mut changed = database();
        changed[key] = wrong;
        let expected = format!("curated/database.json: {key}: {problem}");
        assert_eq!(read(&[("curated/database.json", &changed)]).unwrap_err(), [expected]);
        changed.as_object_mut().unwrap().remove(key);
        let expected = format!("curated/database.json: {key}: is missing");
        assert_eq!(read(&[("curated/database.json", &changed)]).unwrap_err(), [expected]);
    }
}

/// Values of other types have no text of their own: JSON may write 1.0 or 1e0 for the same number, and Parquet has no
/// text.
#[test]
fn a_rule_for_texts_is_applied_to_no_other_column() {
    let table = json!({"name": "t", "location": "t", "data_format": "json", "columns": [
        {"name": "id", "type": "int", "pattern": "\\d{3}", "minLength": 3, "maxLength": null},
        {"name": "born", "type": "date", "maxLength": 10},
        {"name": "code", "type": "character", "pattern": "x", "minLength": 1, "maxLength": 2}]});
    let (raw, warnings) = read_table("raw", &table).unwrap();
    let id = &raw.columns[0];
    assert_eq!((&id.pattern, id.min_length, raw.columns[1].max_length), (&None, None, None));
    let code = &raw.columns[2];
    assert_eq!((code.pattern.as_deref(), code.min_length, code.max_length), (Some("x"), Some(1), Some(2)));
    assert_eq!(
        warnings,
        [
            "raw/t.json: columns[0].pattern: is not checked: the column's type is int, and only texts have a pattern; \
             for numbers and times there are `minimum`, `maximum` and `enum`",
            "raw/t.json: columns[0].minLength: is not checked: the column's type is int, and only texts have a \
             length; for numbers and times there are `minimum`, `maximum` and `enum`",
            "raw/t.json: columns[1].maxLength: is not checked: the column's type is date, and only texts have a \
             length; for numbers and times there are `minimum`, `maximum` and `enum`",
        ]
    );
    // the columns of a curated table are not checked, whatever their type
    let curated = json!({"name": "t", "location": "t", "data_format": "parquet", "columns": table["columns"]});
    assert_eq!(read_table("curated", &curated).unwrap().1, [""; 0]);
    // an invalid rule is a problem in any table
    for (key, wrong) in [("pattern", json!("(")), ("pattern", json!(7)), ("minLength", json!(-1))] {
        let mut table = table.clone();
        table["columns"][0][key] = wrong;
        let problems = read_table("raw", &table).unwrap_err();
        assert!(problems.len() == 1 && problems[0].contains(&format!("columns[0].{key}: ")), "{problems:?}");
    }
}

/// `tests/data/data_types/test_table.json` of etl_manager, with keys that its extraction from Oracle writes.
#[test]
fn keys_of_other_programs_are_theirs() {
    let table = json!({"$schema": ETL_MANAGER_SCHEMA, "name": "test_table", "description": "Each type",
        "data_format": "json", "location": "TEST_TABLE/", "columns": [
            {"name": "entity_id", "type": "int", "description": "", "formats": ["x"]},
            {"name": "test_array_structs", "type": "array<struct<num:int,desc:character>>", "description": ""},
            {"name": "test_struct", "type": "struct<num:int,desc:character>", "description": "", "alias": "nomis_id"},
            {"name": "test_decimal", "type": "decimal(38,0)", "description": "", "nulable": false}],
        "partition": ["entity_id"], "primary_key": ["entity_id"], "primary_key_fields": null});
    let (table, warnings) = read_table("raw", &table).unwrap();
    assert_eq!(glue(&table)[1], "array<struct<num:int,desc:string>>");
    assert_eq!((table.partitions.len(), table.columns[3].nullable), (0, true));
    assert_eq!(
        warnings,
        [
            "raw/test_table.json: partition: is not read; did you mean `partitions`?",
            "raw/test_table.json: columns[3].nulable: is not read; did you mean `nullable`?",
        ]
    );
}

#[test]
fn an_unknown_key_among_ours_is_a_problem() {
    let table = json!({"name": "t", "location": "t", "data_format": "json",
        "checks": {"owner": "x"}, "source": {"url": "https://x", "team": "y"},
        "columns": [{"name": "a", "type": "int", "earlier_types": [{"before": 1, "type": "long", "reason": "z"}]}]});
    let problems = read_table("raw", &table).unwrap_err();
    assert_eq!(problems.len(), 3, "{problems:?}");
    assert!(
        problems[0].contains("columns[0].earlier_types[0].reason: unknown key; valid are `before`"),
        "{problems:?}"
    );
    assert!(problems[1].contains("checks: unknown field `owner`, expected one of `minimum_rows`"), "{problems:?}");
    assert!(problems[2].contains("source: unknown field `team`, expected one of `url`"), "{problems:?}");
}

/// mojap-metadata writes all of its keys, even empty ones. Its README describes further keys.
#[test]
fn tables_of_mojap_metadata_are_read() {
    let written = json!({
        "$schema": "https://moj-analytical-services.github.io/metadata_schema/mojap_metadata/v1.4.0.json",
        "name": "employees", "description": "", "file_format": "", "sensitive": false, "primary_key": [], "partitions": [],
        "columns": [
            {"name": "employee_id", "type": "int64", "type_desc": "integer", "description": "ID", "minimum": 1000, "maximum": 9999},
            {"name": "employee_name", "type": "string", "type_string": "string", "description": "Name"},
            {"name": "employee_dob", "type": "date64", "type_desc": "date", "description": "Date of birth",
             "pattern": "^\\d{4}-([0]\\d|1[0-2])-([0-2]\\d|3[01])$"}]});
    let (table, warnings) = read_table("raw", &written).unwrap();
    assert_eq!((table.data_format, glue(&table).join(" ")), (DataFormat::Parquet, "bigint string date".to_owned()));
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains("columns[2].pattern: is not checked: the column's type is date"), "{warnings:?}");

    let described = json!({"name": "test", "database_name": "test_db", "table_location": "s3://bucket/test_db/test/",
        "file_format": "jsonl", "glue_table_properties": {"checkpoint_col": "c1"}, "columns": [
            {"name": "c1", "type": "int64", "foreign_key": [{"table": "x", "columns": ["y"]}]},
            {"name": "c2", "type_category": "string"},
            {"name": "c3", "type": "struct<k1: string, k2:list<int64>>"}]});
    let (table, warnings) = read_table("raw", &described).unwrap();
    assert_eq!(glue(&table), ["bigint", "string", "struct<k1:string,k2:array<bigint>>"]);
    assert_eq!((table.location.as_str(), warnings), ("test", vec![]));
}

/// mojap-metadata's converter keeps the `location` of etl_manager's tables.
#[test]
fn a_table_that_mojap_metadata_has_converted_keeps_its_place() {
    let columns = json!([{"name": "a", "type": "timestamp(s)", "description": ""}]);
    let converted = json!({"name": "t", "file_format": "parquet", "columns": columns, "_converted_from": "etl_manager",
        "location": "hmpps/t/", "primary_key": [], "sensitive": false});
    assert_eq!(read_table("curated", &converted).unwrap().0.location, "hmpps/t");
    let mixed = json!({"name": "t", "location": "t", "data_format": "csv", "columns": [{"name": "a", "type_category": "integer"}]});
    assert_eq!(read_table("raw", &mixed).unwrap().0.data_format, DataFormat::Csv);
}

/// A partition column is in the name of a folder. Raw files have one such folder, and its value is not in the rows.
#[test]
fn a_raw_table_has_no_partitions_of_its_own() {
    let table = |partitions: Value| {
        json!({"name": "t", "location": "t", "data_format": "json", "partitions": partitions, "columns": [
            {"name": "a", "type": "int"}, {"name": "year", "type": "int"}, {"name": "file_land_timestamp", "type": "long"}]})
    };
    assert_eq!(
        read_table("raw", &table(json!(["year"]))).unwrap_err(),
        ["raw/t.json: partitions: `year`: of a raw table only `file_land_timestamp` is in the folders' names; if \
             the files hold the column, take it out of `partitions` (the curated table may list it there), else out \
             of `columns` too"]
    );
    for partitions in [json!(["file_land_timestamp"]), json!([]), Value::Null] {
        assert!(read_table("raw", &table(partitions)).is_ok());
    }
}

/// A value of the wrong kind is not reinterpreted as another one.
#[test]
fn a_value_of_another_kind_is_a_problem() {
    for (key, wrong, problem) in [
        ("checks", json!([]), "expected an object, found []"),
        ("checks", Value::Null, "expected an object, found null"),
        (
            "checks",
            json!({"repeated_files": {"keep": null}}),
            "repeated_files: expected a plain value, found {\"keep\":null}",
        ),
        ("source", json!(["https://x"]), "expected an object, found [\"https://x\"]"),
        ("mode", json!({"append": null}), "expected a plain value, found {\"append\":null}"),
        ("description", json!(7), "expected a text, found 7"),
    ] {
        let mut table =
            json!({"name": "t", "location": "t", "data_format": "json", "columns": [{"name": "a", "type": "int"}]});
        table[key] = wrong.clone();
        let problems = read_table("raw", &table).unwrap_err();
        assert!(
            problems.len() == 1 && problems[0].contains(problem) && problems[0].contains(key),
            "{wrong}: {problems:?}"
        );
    }
    let table = json!({"name": "t", "location": "t", "data_format": "json",
        "columns": [{"name": "a", "type": "int", "description": ["x"]}]});
    assert_eq!(
        read_table("raw", &table).unwrap_err(),
        ["raw/t.json: columns[0].description: expected a text, found [\"x\"]"]
    );
}

/// Everything that docs/metadata.md lists as not accepted.
#[test]
fn what_is_not_taken_is_told_with_what_to_write() {
    let typed = |column: Value| json!({"name": "t", "file_format": "csv", "columns": [column]});
    let a = |kind: &str| typed(json!({"name": "a", "type": kind}));
    let etl_manager = |kind: &str| {
        let columns = json!([{"name": "a", "type": kind}]);
        json!({"name": "t", "location": "t", "data_format": "csv", "columns": columns})
    };
    for (table, problem) in [
        (typed(json!({"name": "First Name", "type": "string"})), "lower-case letters, digits and `_`"),
        (etl_manager("decimal(0,-127)"), "a number was expected in `decimal(…)`"),
        (etl_manager("decimal<precision:int,scale:int>"), "`(` was expected after `decimal`, found `<`"),
        (etl_manager("struct<a:int>x"), "`x` after the end of the type"),
        (a("decimal128(0,38)"), "precision is 1 to 38 and scale at most the precision"),
        (a("uint64"), "does not fit Glue's bigint; use `int64` or `decimal128(20,0)`"),
        (a("time32(s)"), "`time32` has no Glue type; use `string`"),
        (a("time64(us)"), "`time64` has no Glue type; use `string`"),
        (a("null"), "`null` has no Glue type; use `string`"),
        (a("map_<string>"), "unknown type `map_`"),
        (typed(json!({"name": "a", "type_category": "list"})), "its fields cannot be guessed"),
        (typed(json!({"name": "a", "type_category": "struct"})), "its fields cannot be guessed"),
        (typed(json!({"name": "a", "type_category": "null"})), "unknown type_category `null`; valid are `integer`"),
        (typed(json!({"name": "a", "type": "string", "minimum": 1})), "bounds are for numbers, dates and timestamps"),
        (typed(json!({"name": "a", "type": "list<int8>", "unique": true})), "whose values are not compared"),
        (typed(json!({"name": "a", "type": "list<int8>", "enum": [1]})), "whose values are not compared"),
        (typed(json!({"name": "a", "type": "string", "datetime_format": "%Y"})), "is for dates and timestamps"),
        (typed(json!({"name": "a", "type": "string", "pattern": "(?=x)"})), "look-around"),
        (
            json!({"name": "t", "file_format": "textfile", "columns": [{"name": "a", "type": "int8"}]}),
            "unknown format `textfile`",
        ),
        (
            json!({"name": "t", "location": "t", "data_format": "par", "columns": [{"name": "a", "type": "int"}]}),
            "did you mean `parquet`?",
        ),
        (json!({"name": "t", "columns": []}), "expected at least one column"),
    ] {
        let problems = read_table("raw", &table).unwrap_err();
        assert!(problems.len() == 1 && problems[0].contains(problem), "{table}: {problems:?}");
    }
    // seconds are read as milliseconds
    assert_eq!(glue(&read_table("raw", &a("timestamp(s)")).unwrap().0), ["timestamp"]);
}

//! Which values may be stored as which types: a value is stored unchanged, or its table fails.

use contract::FailureKind;
use serde_json::json;

use crate::place::Place;

/// Creates a curated table from a query over one row.
fn place(sql: &str, column: &str) -> Place {
    let place = Place::new();
    place.table("raw", "t", &["id long", "x double", "s character", "d decimal(10,4)"], json!({}));
    place.raw("t", 100, "jsonl", r#"{"id": 1, "x": 3.5, "s": "x7", "d": "1.0050"}"#);
    place.table("curated", "c", &[column], json!({}));
    place.sql("curated", "c", sql);
    place
}

fn fails(sql: &str, column: &str, kind: FailureKind, parts: &[&str]) {
    let failure = place(sql, column).build().unwrap_err();
    assert_eq!(failure.kind, kind, "{sql}: {failure}");
    for part in parts {
        assert!(failure.message.contains(part), "{sql} as {column}: {failure}");
    }
}

fn gives(sql: &str, column: &str, value: &str) {
    let place = place(sql, column);
    let built = place.build().unwrap_or_else(|failure| panic!("{sql} as {column}: {failure}"));
    assert_eq!(place.rows(&built, "c"), [value], "{sql} as {column}");
}

#[test]
fn what_does_not_fit_inside_is_an_error_and_no_null() {
    for (sql, column, parts) in [
        ("SELECT ['1', 'x'] AS v FROM t", "v array<int>", ["column `v`", "`x` at `[1]` cannot become int"]),
        ("SELECT ['1', s] AS v FROM t", "v array<int>", ["column `v`", "`x7` at `[1]` cannot become int"]),
        (
            "SELECT named_struct('a', s, 'b', 5) AS v FROM t",
            "v struct<a:int,b:int>",
            ["column `v`", "`x7` at `.a` cannot become int"],
        ),
        (
            "SELECT [named_struct('price', '1'), named_struct('price', '12,50')] AS v FROM t",
            "v array<struct<price:decimal(10,2)>>",
            ["column `v`", "`12,50` at `[1].price` cannot become decimal(10,2)"],
        ),
    ] {
        fails(sql, column, FailureKind::BadData, &parts);
    }
    gives("SELECT ['1', NULL, '3'] AS v FROM t", "v array<int>", "[1, null, 3]");
}

#[test]
fn types_that_mean_something_else_are_refused_with_what_to_write() {
    for (sql, column, part) in [
        ("SELECT id AS v FROM t", "v datetime", "`to_timestamp_seconds(…)`"),
        ("SELECT 20240131 AS v FROM t", "v date", "`to_date(CAST(… AS STRING), '%Y%m%d')`"),
        ("SELECT 7 AS v FROM t", "v boolean", "`… <> 0`"),
        ("SELECT DATE '2024-01-01' AS v FROM t", "v long", "`date_part('epoch', …)`"),
        ("SELECT TIMESTAMP '2024-01-01 23:59:59.999' AS v FROM t", "v long", "`date_part('epoch', …)`"),
        ("SELECT id = 1 AS v FROM t", "v int", "CASE WHEN"),
        ("SELECT [id] AS v FROM t", "v array<datetime>", "column `v[]` is Int64"),
        ("SELECT s AS v FROM t", "v binary", "`decode(…, 'base64')`"),
        ("SELECT named_struct('a', 1, 'b', 2) AS v FROM t", "v struct<b:int,y:int>", "has no field `y`"),
        ("SELECT [named_struct('prise', 1)] AS v FROM t", "v array<struct<price:int>>", "did you mean `prise`?"),
        ("SELECT named_struct('a', 1, 'b', 2) AS v FROM t", "v struct<a:int>", "`b` that isn't described"),
    ] {
        fails(sql, column, FailureKind::BadMetadata, &["column `v", part]);
    }
    gives("SELECT named_struct('a', 1, 'b', 2) AS v FROM t", "v struct<b:int,a:int>", "{b: 2, a: 1}");
}

#[test]
fn no_digit_is_cut_without_sql_that_says_so() {
    for (sql, column, part) in [
        ("SELECT x AS v FROM t", "v long", "`3.5` cannot become bigint: it has digits that would be lost"),
        ("SELECT d AS v FROM t", "v decimal(10,2)", "`1.0050` cannot become decimal(10,2): it has digits"),
        ("SELECT CAST(12345678.91 AS DECIMAL(12,2)) AS v FROM t", "v decimal(9,1)", "digits that would be lost"),
        ("SELECT CAST('1.005' AS DOUBLE) AS v FROM t", "v decimal(10,2)", "CAST(… AS DECIMAL(10,2))"),
        ("SELECT CAST('1e300' AS DOUBLE) AS v FROM t", "v float", "beyond the numbers of the type"),
        ("SELECT CAST('0.123456789' AS DOUBLE) AS v FROM t", "v float", "more digits than the type holds"),
        ("SELECT CAST('NaN' AS DOUBLE) AS v FROM t", "v decimal(10,2)", "not a finite number"),
        ("SELECT CAST('NaN' AS DOUBLE) AS v FROM t", "v int", "not a finite number"),
        ("SELECT 9007199254740993 AS v FROM t", "v double", "more digits than the type holds"),
        ("SELECT 2147483648 AS v FROM t", "v int", "beyond the numbers of the type"),
        ("SELECT TIMESTAMP '2024-01-01 10:00:00' AS v FROM t", "v date", "it isn't midnight"),
        ("SELECT '2024-01-01 10:00:00.123456' AS v FROM t", "v datetime", "digits below the column's unit"),
        ("SELECT '2024-01-01 10:00:00.123Z' AS v FROM t", "v datetime", "cannot become timestamp"),
        ("SELECT '1.9' AS v FROM t", "v int", "`1.9` cannot become int"),
        ("SELECT DATE '9999-12-31' + INTERVAL '1' DAY AS v FROM t", "v date", "outside of the years 0001 to 9999"),
    ] {
        fails(sql, column, FailureKind::BadData, &[part]);
    }
    for (sql, column, value) in [
        ("SELECT x + 0.5 AS v FROM t", "v long", "4"),
        ("SELECT d - CAST('0.0050' AS DECIMAL(10,4)) AS v FROM t", "v decimal(10,2)", "1.00"),
        ("SELECT CAST('0.29' AS DOUBLE) AS v FROM t", "v decimal(10,2)", "0.29"),
        ("SELECT CAST('0.1' AS DOUBLE) AS v FROM t", "v float", "0.1"),
        ("SELECT CAST(0.1 AS DECIMAL(3,1)) AS v FROM t", "v double", "0.1"),
        ("SELECT row_number() OVER (ORDER BY id) AS v FROM t", "v int", "1"),
        ("SELECT '2024-01-01 10:00:00.123000' AS v FROM t", "v datetime", "2024-01-01T10:00:00.123"),
        ("SELECT TIMESTAMP '2024-01-01 00:00:00' AS v FROM t", "v date", "2024-01-01"),
        ("SELECT DATE '2024-01-01' AS v FROM t", "v datetime", "2024-01-01T00:00:00"),
        ("SELECT NULL AS v FROM t", "v array<int>", "null"),
    ] {
        gives(sql, column, value);
    }
}

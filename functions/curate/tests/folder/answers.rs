//! Queries that DataFusion alone would answer wrongly.

use contract::FailureKind;
use serde_json::{Value, json};

use crate::place::Place;

/// Creates the raw tables `t`, with the given columns and rows, and `u`.
fn place(columns: &[&str], rows: &[Value]) -> Place {
    let place = Place::new();
    place.table("raw", "t", columns, json!({}));
    place.raw("t", 100, "jsonl", &rows.iter().map(Value::to_string).collect::<Vec<_>>().join("\n"));
    place.table("raw", "u", &["id int", "w character"], json!({}));
    place.raw("u", 100, "jsonl", "{\"id\": 2, \"w\": \"B\"}\n{\"id\": 3, \"w\": \"C\"}\n");
    place
}

fn answer(place: &Place, columns: &[&str], sql: &str) -> Result<Vec<String>, String> {
    place.table("curated", "o", columns, json!({}));
    place.sql("curated", "o", sql);
    let manifest = place.build().map_err(|failure| format!("{:?}: {}", failure.kind, failure.message))?;
    Ok(place.rows(&manifest, "o"))
}

fn refused(place: &Place, columns: &[&str], sql: &str, part: &str) {
    let message = answer(place, columns, sql).expect_err(sql);
    assert!(message.starts_with(&format!("{:?}", FailureKind::BadMetadata)), "{sql}: {message}");
    assert!(message.contains(part), "{sql}: {message}");
}

#[test]
fn outer_joins_with_using_have_their_keys() {
    let place = place(&["id int", "k character"], &[json!({"id": 1, "k": "a"}), json!({"id": 2, "k": "b"})]);
    let columns = &["id int", "k character", "w character"];
    for (join, expected) in [
        ("FULL JOIN u USING (id)", ["1 a null", "2 b B", "3 null C"].as_slice()),
        ("NATURAL FULL JOIN u", &["1 a null", "2 b B", "3 null C"]),
        ("RIGHT JOIN u USING (id)", &["2 b B", "3 null C"]),
        ("NATURAL RIGHT JOIN u", &["2 b B", "3 null C"]),
        ("LEFT JOIN u USING (id)", &["1 a null", "2 b B"]),
    ] {
        for select in ["id, k, w", "*"] {
            let sql = format!("SELECT {select} FROM t {join} ORDER BY id");
            assert_eq!(answer(&place, columns, &sql).unwrap(), expected, "{sql}");
        }
        let sql = format!("SELECT id, max(k) AS k, max(w) AS w FROM t {join} GROUP BY id ORDER BY id");
        assert_eq!(answer(&place, columns, &sql).unwrap(), expected, "{sql}");
    }
    // nor does `*` take the column of the table that sorts first
    let sql = "SELECT * FROM t AS z LEFT JOIN u AS a USING (id) ORDER BY k";
    assert_eq!(answer(&place, columns, sql).unwrap(), ["1 a null", "2 b B"]);
    let sql = "SELECT id, k, w FROM t LEFT JOIN u USING (id) WHERE u.id IS NULL";
    assert_eq!(answer(&place, columns, sql).unwrap(), ["1 a null"]);
    for join in ["FULL JOIN u USING (id)", "RIGHT JOIN u USING (id)"] {
        refused(&place, columns, &format!("SELECT t.id, k, w FROM t {join}"), "coalesce(t.id, u.id) AS id");
    }
}

#[test]
fn moving_windows_are_of_what_is_in_them() {
    let rows =
        |values: &[f64]| -> Vec<Value> { values.iter().enumerate().map(|(id, x)| json!({"id": id, "x": x})).collect() };
    let over = "OVER (ORDER BY id ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)";
    let large = place(&["id int", "x double"], &rows(&[1e16, 1.0, 2.0, 2.0]));
    let of = |place: &Place, call: &str| {
        answer(place, &["value double"], &format!("SELECT {call} {over} AS value FROM t ORDER BY id")).unwrap()
    };
    assert_eq!(of(&large, "sum(x)")[2..], ["3.0", "4.0"]);
    assert_eq!(of(&large, "avg(x)")[2..], ["1.5", "2.0"]);
    assert_eq!(of(&large, "var_pop(x)")[2..], ["0.25", "0.0"]);
    assert_eq!(of(&large, "stddev_pop(x)")[2..], ["0.5", "0.0"]);
    let nan = place(&["id int", "x double"], &rows(&[0.0, 2.0, 2.0, 2.0]));
    let not = "CASE WHEN id = 0 THEN CAST('NaN' AS DOUBLE) ELSE x END";
    for (call, expected) in [("sum", "4.0"), ("avg", "2.0"), ("stddev_pop", "0.0")] {
        let values = of(&nan, &format!("{call}({not})"));
        assert_eq!(values[2..], [expected, expected], "{call}");
    }
    // 200 rows of whole numbers: the same as over a table of the window's rows alone
    let many: Vec<f64> = (0..200).map(|n| f64::from((n * 37) % 19 - 9)).collect();
    let place = place(&["id int", "x double"], &rows(&many));
    let frame = "OVER (ORDER BY id ROWS BETWEEN 99 PRECEDING AND 97 PRECEDING)";
    let sql = format!("SELECT var_pop(x) {frame} AS value FROM t ORDER BY id");
    let values = answer(&place, &["value double"], &sql).unwrap();
    for (row, value) in values.iter().enumerate().skip(97) {
        let window = &many[row.saturating_sub(99)..=row - 97];
        let mean = window.iter().sum::<f64>() / window.len() as f64;
        let variance = window.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / window.len() as f64;
        assert!((value.parse::<f64>().unwrap() - variance).abs() < 1e-9, "{row}: {value} {variance}");
    }
}

#[test]
fn nothing_wraps_around() {
    let nines = "9".repeat(38);
    let place = place(
        &["id int", "d character", "l long"],
        &[json!({"id": 1, "d": nines, "l": i64::MAX}), json!({"id": 2, "d": nines, "l": i64::MIN})],
    );
    let d = "CAST(d AS DECIMAL(38,0))";
    let moving = "OVER (ORDER BY id ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)";
    for value in [
        format!("{d} + 1"),
        format!("-{d} - 1"),
        format!("{d} * 2"),
        format!("sum({d}) OVER ()"),
        format!("sum({d}) {moving}"),
        "-l".into(),
        "abs(l)".into(),
        "l << 1".into(),
        format!("sum(DISTINCT CASE WHEN id = 1 THEN l ELSE 5 END) {moving}"),
    ] {
        let message = answer(&place, &["value decimal(38,0)"], &format!("SELECT {value} AS value FROM t")).unwrap_err();
        assert!(message.starts_with("BadData"), "{value}: {message}");
    }
    let sums = format!("SELECT sum({d}) AS value FROM t");
    assert!(answer(&place, &["value decimal(38,0)"], &sums).is_err());
    let none = format!("SELECT sum(CASE WHEN id = 1 THEN {d} ELSE -{d} END) AS value FROM t");
    assert_eq!(answer(&place, &["value decimal(38,0)"], &none).unwrap(), ["0"]);
}

#[test]
fn values_are_those_of_spark() {
    let place = place(
        &["id int", "x double", "s character", "ts datetime", "a boolean", "b boolean", "c boolean"],
        &[json!({"id": 1, "x": 1.005, "s": "12kg", "ts": "1969-12-31 23:59:59.5", "b": false, "c": false})],
    );
    for (sql, column, expected) in [
        ("CAST(x AS DECIMAL(10,2))", "decimal(10,2)", "1.01"),
        ("TRY_CAST(x AS DECIMAL(10,2))", "decimal(10,2)", "1.01"),
        ("CAST(0.285 AS DECIMAL(10,2))", "decimal(10,2)", "0.29"),
        ("round(x, 2)", "double", "1.01"),
        ("round(-0.4)", "double", "0.0"),
        ("trunc(8.41, 2)", "double", "8.41"),
        ("CAST(2 AS DECIMAL(10,2)) / CAST(3 AS DECIMAL(10,2))", "decimal(23,13)", "0.6666666666667"),
        ("regexp_replace(s, '([0-9]+)kg', '$1g')", "character", "12g"),
        ("regexp_replace(s, '([0-9]+)kg', '${1}_kg')", "character", "12_kg"),
        ("a IS DISTINCT FROM b AND c", "boolean", "false"),
        ("CAST(ts AS BIGINT)", "long", "-1"),
        ("CAST(CAST(CAST(ts AS DATE) AS TIMESTAMP) AS BIGINT)", "long", "-86400"),
        ("unix_millis(ts)", "long", "-500"),
        ("unix_micros(ts)", "long", "-500000"),
        ("unix_seconds(timestamp_seconds(id))", "long", "1"),
        ("unix_millis(timestamp_millis(id))", "long", "1"),
        ("unix_micros(timestamp_micros(id))", "long", "1"),
        ("unix_seconds(CAST(id AS TIMESTAMP))", "long", "1"),
        ("1 + 2 || 'x'", "character", "3x"),
        ("5 & 1 << 2", "long", "4"),
    ] {
        let found = answer(&place, &[&format!("value {column}")], &format!("SELECT {sql} AS value FROM t"));
        assert_eq!(found.as_deref(), Ok([expected.to_owned()].as_slice()), "{sql}");
    }
    let average = "SELECT avg(CAST(v AS DECIMAL(10,0))) AS value FROM (VALUES (0), (1), (1)) AS z (v)";
    assert_eq!(answer(&place, &["value decimal(14,4)"], average).unwrap(), ["0.6667"]);
    for (sql, part) in [
        ("CAST(CAST(ts AS DATE) AS INT)", "DATE '1970-01-01'"),
        ("CAST(id AS DATE)", "make_date"),
        ("CAST(x AS TIMESTAMP)", "timestamp_micros"),
        ("CAST(ts AS DECIMAL(20,0))", "unix_micros"),
        ("CAST(ts - ts AS BIGINT)", "unix_micros"),
    ] {
        refused(&place, &["value long"], &format!("SELECT {sql} AS value FROM t"), part);
    }
}

/// Creates rows with every null and zero that may go wrong.
fn nulls() -> Place {
    let place = place(
        &["id int", "g int", "i int", "x double", "n decimal(38,0)", "s character", "b boolean"],
        &[
            json!({"id": 1, "g": 1, "i": 7, "x": 0.0, "n": "9".repeat(38), "s": "abc", "b": true}),
            json!({"id": 2, "g": 1, "x": -0.0, "s": "a_b%c", "b": false}),
            json!({"id": 3, "g": 2, "i": -7, "x": 2.5, "n": "5"}),
        ],
    );
    // keys that include a null
    place.table("raw", "k", &["id int", "g int"], json!({}));
    place.raw("k", 100, "jsonl", "{\"id\": 1, \"g\": 1}\n{\"g\": 2}\n{\"id\": 3, \"g\": 2}\n");
    place
}

#[test]
fn nulls_and_zeros_mean_what_they_mean_in_spark() {
    let place = nulls();
    let nines = "9".repeat(38);
    let moving = "OVER (ORDER BY id ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)";
    for (sql, column, expected) in [
        ("nvl(n, n)", "decimal(38,0)", [nines.as_str(), "null", "5"]),
        ("ifnull(n, CAST(0 AS DECIMAL(38,0)))", "decimal(38,0)", [&nines, "0", "5"]),
        ("nvl2(s, i, g)", "int", ["7", "null", "2"]),
        ("nvl2(s, true, false)", "boolean", ["true", "true", "false"]),
        ("nullif(x, 0)", "double", ["null", "null", "2.5"]),
        ("nullif(i, 7.0)", "int", ["null", "null", "-7"]),
        ("i IN (1) AND i IN (2)", "boolean", ["false", "null", "false"]),
        ("NOT (i IN (1) AND b AND i IN (2))", "boolean", ["true", "true", "true"]),
        ("i NOT IN (1) OR i NOT IN (2)", "boolean", ["true", "null", "true"]),
        ("i IN (1) AND i IN (2) AND i IN (3)", "boolean", ["false", "null", "false"]),
        ("s ~ '.*'", "boolean", ["true", "true", "null"]),
        ("regexp_like(s, '.*')", "boolean", ["true", "true", "null"]),
        ("s LIKE 'a!_b!%c' ESCAPE '!'", "boolean", ["false", "true", "null"]),
        ("s NOT LIKE 'a!_%' ESCAPE '!'", "boolean", ["true", "false", "null"]),
        ("CASE x WHEN 0.0 THEN 1 ELSE 2 END", "long", ["1", "1", "2"]),
        ("CASE -x WHEN 0 THEN 1 WHEN -2.5 THEN 2 END", "long", ["1", "1", "2"]),
        ("count(*) OVER (PARTITION BY x)", "long", ["2", "2", "1"]),
        ("rank() OVER (ORDER BY x)", "int", ["1", "1", "3"]),
        ("row_number() OVER (PARTITION BY x ORDER BY id)", "int", ["1", "2", "1"]),
        ("b IS TRUE", "boolean", ["true", "false", "false"]),
        ("CAST(CAST(id AS DECIMAL(10,2)) / 2 AS INT) = 1", "boolean", ["false", "true", "true"]),
        ("CAST(CAST(id AS DECIMAL(10,2)) / 2 AS BIGINT) IN (1, 5)", "boolean", ["false", "true", "true"]),
        ("CAST(CAST(id + 0.05 AS DECIMAL(10,2)) AS DECIMAL(10,1)) = 3.1", "boolean", ["false", "false", "true"]),
        ("TRY_CAST(CAST(id + 0.25 AS DECIMAL(10,2)) AS INT) = id", "boolean", ["true", "true", "true"]),
        ("array_to_string(array_remove([g, id, g], 1), ',')", "character", ["", "2", "2,3,2"]),
        ("b IS NOT TRUE", "boolean", ["false", "true", "true"]),
        ("b IS FALSE", "boolean", ["false", "true", "false"]),
        ("b IS NOT FALSE", "boolean", ["true", "false", "true"]),
    ] {
        let found =
            answer(&place, &["id int", &format!("value {column}")], &format!("SELECT id, {sql} AS value FROM t"));
        let mut found = found.unwrap_or_else(|message| panic!("{sql}: {message}"));
        found.sort();
        let expected: Vec<_> = expected.iter().enumerate().map(|(row, value)| format!("{} {value}", row + 1)).collect();
        assert_eq!(found, expected, "{sql}");
    }
    for (call, column, expected) in [
        ("bool_and(b)", "boolean", ["true", "false", "false"]),
        ("bool_or(b)", "boolean", ["true", "true", "false"]),
        ("bit_and(g)", "int", ["1", "1", "0"]),
        ("bit_or(g)", "int", ["1", "1", "3"]),
        ("bit_xor(g)", "int", ["1", "0", "3"]),
    ] {
        let sql = format!("SELECT {call} {moving} AS value FROM t ORDER BY id");
        assert_eq!(answer(&place, &[&format!("value {column}")], &sql).unwrap(), expected, "{call}");
    }
}

#[test]
fn totals_windows_and_limits_are_of_all_rows() {
    let place = nulls();
    for (sql, expected) in [
        ("SELECT count(*) OVER () AS value FROM t GROUP BY g ORDER BY g LIMIT 1", ["2"].as_slice()),
        ("SELECT lead(i) IGNORE NULLS OVER (ORDER BY id) AS value FROM t ORDER BY id LIMIT 1", &["-7"]),
        (
            "SELECT sum(CASE WHEN b IS TRUE THEN 1 ELSE 0 END) + count(CASE WHEN b IS TRUE THEN 1 END) AS value FROM t",
            &["2"],
        ),
        ("SELECT DISTINCT CAST(b IS FALSE AS INT) AS value FROM t ORDER BY 1", &["0", "1"]),
        ("SELECT count(*) AS value FROM t GROUP BY b IS TRUE ORDER BY 1", &["1", "2"]),
        ("SELECT t.id AS value FROM t WHERE NOT EXISTS (SELECT 1 FROM k WHERE k.id = t.id) OR i = 7", &["1", "2"]),
        ("SELECT t.id AS value FROM t WHERE id IN (SELECT id FROM k) AND g = 1 OR i = -7", &["1", "3"]),
        ("SELECT t.id AS value FROM t WHERE NOT id IN (SELECT id FROM k WHERE id IS NOT NULL)", &["2"]),
        ("SELECT t.id AS value FROM t WHERE id NOT IN (SELECT id FROM k)", &[]),
        ("SELECT t.id AS value FROM t WHERE g <> 1 AND id NOT IN (SELECT id FROM k)", &[]),
        ("SELECT t.id AS value FROM t WHERE CASE WHEN id IN (SELECT id FROM k) THEN false ELSE true END", &["2"]),
        ("SELECT t.id AS value FROM t WHERE (SELECT count(*) FROM k WHERE k.id = t.id) = 0", &["2"]),
        ("SELECT t.id AS value FROM t WHERE EXISTS (SELECT max(g) FROM k WHERE k.id = t.id GROUP BY id)", &["1", "3"]),
    ] {
        assert_eq!(
            answer(&place, &["value long"], sql).as_deref(),
            Ok(expected.iter().map(|v| (*v).to_owned()).collect::<Vec<_>>().as_slice()),
            "{sql}"
        );
    }
}

#[test]
fn a_bin_is_there_or_is_an_error() {
    let place = place(&["id int", "ts datetime"], &[json!({"id": 1, "ts": "2024-02-29 12:34:56"}), json!({"id": 2})]);
    let bins = |ts: &str| {
        let sql = format!("SELECT date_bin(INTERVAL '1' HOUR, {ts}) AS value FROM t ORDER BY id");
        answer(&place, &["value datetime"], &sql)
    };
    assert_eq!(bins("ts").unwrap(), ["2024-02-29T12:00:00", "null"]);
    let message = bins("ts + INTERVAL '7000' YEAR").unwrap_err();
    assert!(message.starts_with("BadData") && message.contains("date_trunc"), "{message}");
}

#[test]
fn what_would_be_wrong_is_refused_with_the_way() {
    let place = nulls();
    for (sql, part) in [
        ("SELECT g AS value FROM t EXCEPT ALL SELECT g FROM k", "row_number()"),
        ("SELECT g AS value FROM t INTERSECT ALL SELECT g FROM k", "row_number()"),
        ("SELECT id AS value FROM t WHERE 3 NOT IN (SELECT k.id FROM k WHERE k.g = t.g)", "NOT EXISTS"),
        ("SELECT id AS value FROM t WHERE i NOT IN (SELECT k.id FROM k WHERE k.g = t.g)", "NOT EXISTS"),
        ("SELECT id AS value FROM t WHERE 9 NOT IN (SELECT id FROM k) OR id = 1", "NOT EXISTS"),
        ("SELECT id AS value FROM t WHERE (9 NOT IN (SELECT id FROM k)) IS NULL", "NOT EXISTS"),
        ("SELECT id AS value FROM t WHERE (id IN (SELECT id FROM k)) IS NULL", "EXISTS"),
        ("SELECT id AS value FROM t WHERE NOT (id IN (SELECT id FROM k) AND g = 1)", "EXISTS"),
        ("SELECT id AS value FROM t WHERE CASE WHEN id NOT IN (SELECT id FROM k) THEN true END", "NOT EXISTS"),
        ("SELECT id AS value FROM t WHERE EXISTS (SELECT count(*) FROM k WHERE k.id = t.id)", "> 0"),
        ("SELECT id AS value FROM t WHERE NOT EXISTS (SELECT max(g) FROM k WHERE k.id = t.id)", "> 0"),
        ("SELECT id AS value FROM t WHERE 0 IN (SELECT count(*) FROM k WHERE k.id = t.id)", "> 0"),
        (
            "SELECT (SELECT max(n) FROM (SELECT row_number() OVER (ORDER BY id) AS n, g FROM k WHERE k.g = t.g) AS z) \
             AS value FROM t",
            "PARTITION BY",
        ),
        ("SELECT id AS value FROM t WHERE EXISTS (SELECT 1 FROM k WHERE k.g = t.g OFFSET 1)", "OFFSET"),
        ("SELECT lead(i, 2) IGNORE NULLS OVER (ORDER BY id) AS value FROM t", "nth_value"),
        ("SELECT lag(i, 1, id) OVER (ORDER BY id) AS value FROM t", "row_number()"),
        ("SELECT lead(i, 1, id) OVER (ORDER BY id) AS value FROM t", "row_number()"),
        // y would lose something as a value of x's type
        ("SELECT lag(i, 1, 0.5) OVER (ORDER BY id) AS value FROM t", "would lose something"),
        ("SELECT lead(i, 1, -0.5e0) OVER (ORDER BY id) AS value FROM t", "would lose something"),
        ("SELECT lag(i, 1, 3000000000) OVER (ORDER BY id) AS value FROM t", "would lose something"),
        ("SELECT lag(CAST(i AS DECIMAL(4, 1)), 1, 0.55) OVER (ORDER BY id) AS value FROM t", "would lose something"),
        (
            "SELECT lag(to_timestamp_seconds(i), 1, TIMESTAMP '2024-01-01 00:00:00.5') OVER (ORDER BY id) AS value \
             FROM t",
            "would lose something",
        ),
        (
            "SELECT lag(DATE '2024-01-01', 1, TIMESTAMP '2024-01-01 12:00:00') OVER (ORDER BY id) AS value FROM t",
            "would lose something",
        ),
        ("SELECT string_agg(s, ',') OVER (ORDER BY id ROWS 1 PRECEDING) AS value FROM t", "array_agg"),
        (
            "SELECT count(*) OVER (ORDER BY CAST('2024-01-01' AS DATE) RANGE BETWEEN INTERVAL '-1' DAY PRECEDING AND \
             CURRENT ROW) AS value FROM t",
            "not negative",
        ),
    ] {
        refused(&place, &["value int"], sql, part);
    }
}

#[test]
fn what_is_never_null_is_no_reason_to_stop() {
    let rows = [json!({"id": 1, "b": true}), json!({"id": 1, "b": null}), json!({"id": 2, "b": false})];
    let place = place(&["id int", "b boolean"], &rows);
    for (sql, expected) in [
        (
            "SELECT bool_or(DATE '2026-01-31' IS DISTINCT FROM DATE '1969-12-31' AND b) AS value FROM t GROUP BY id",
            ["true", "false"],
        ),
        ("SELECT bool_or(id IS NOT DISTINCT FROM 1 AND b) AS value FROM t GROUP BY id", ["true", "false"]),
        ("SELECT DISTINCT b IS TRUE AS value FROM t", ["true", "false"]),
    ] {
        assert_eq!(answer(&place, &["value boolean"], sql).unwrap(), expected, "{sql}");
    }
}

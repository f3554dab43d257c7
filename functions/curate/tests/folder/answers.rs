//! Answers that the engine alone would give wrongly.

use contract::FailureKind;
use serde_json::{Value, json};

use crate::place::Place;

/// Tables `t` and `u` and, of the SQL, a table with one text column `value`.
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
    // `*` takes neither the table that sorts first
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
    // whole numbers, 200 rows, every function: as over a table of the window alone
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

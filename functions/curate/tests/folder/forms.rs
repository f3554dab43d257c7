//! Forms of SQL that files need every day: the end of time, hashes, time zones, JSON in a text, and arrays beside other
//! columns.

use contract::FailureKind;
use serde_json::{Value, json};

use crate::place::Place;

fn place(columns: &[&str], rows: &[Value]) -> Place {
    let place = Place::new();
    place.table("raw", "t", columns, json!({}));
    place.raw("t", 100, "jsonl", &rows.iter().map(Value::to_string).collect::<Vec<_>>().join("\n"));
    place
}

fn answer(place: &Place, columns: &[&str], sql: &str) -> Result<Vec<String>, String> {
    place.table("curated", "o", columns, json!({}));
    place.sql("curated", "o", sql);
    let manifest = place.build().map_err(|failure| format!("{:?}: {}", failure.kind, failure.message))?;
    Ok(place.rows(&manifest, "o"))
}

fn is(place: &Place, value: &str, column: &str, expected: &str) {
    let found = answer(place, &[&format!("value {column}")], &format!("SELECT {value} AS value FROM t"));
    assert_eq!(found.as_deref(), Ok([expected.to_owned()].as_slice()), "{value}");
}

fn refused(place: &Place, columns: &[&str], sql: &str, part: &str) {
    let message = answer(place, columns, sql).expect_err(sql);
    assert!(message.starts_with(&format!("{:?}", FailureKind::BadMetadata)), "{sql}: {message}");
    assert!(message.contains(part), "{sql}: {message}");
}

#[test]
fn timestamps_reach_to_the_end_of_time() {
    let columns = &["id int", "s character", "d date", "ts datetime", "none datetime", "ns timestamp(ns)"];
    let row = json!({"id": 1, "s": "9999-12-31 00:00:00", "d": "9999-12-31", "ts": "1600-01-15 12:34:56.789",
        "ns": "2024-01-01 00:00:00.123456789"});
    let place = place(columns, &[row]);
    let end = "9999-12-31T00:00:00";
    for (value, column, expected) in [
        ("coalesce(none, TIMESTAMP '9999-12-31 00:00:00')", "datetime", end),
        ("coalesce(none, d)", "datetime", end),
        ("greatest(ts, d)", "datetime", end),
        ("least(ts, d)", "datetime", "1600-01-15T12:34:56.789"),
        ("CASE WHEN none IS NULL THEN d ELSE ts END", "datetime", end),
        ("nvl2(none, ts, d)", "datetime", end),
        ("date_trunc('month', d)", "datetime", "9999-12-01T00:00:00"),
        ("date_trunc('month', DATE '9999-12-31')", "datetime", "9999-12-01T00:00:00"),
        ("date_trunc('month', TIMESTAMP '1600-01-15 00:00:00')", "datetime", "1600-01-01T00:00:00"),
        ("CAST('9999-12-31 00:00:00' AS TIMESTAMP)", "datetime", end),
        ("'9999-12-31 00:00:00'::TIMESTAMP", "datetime", end),
        ("TRY_CAST(s AS TIMESTAMP)", "datetime", end),
        ("CAST(d AS TIMESTAMP)", "datetime", end),
        ("CAST(DATE '1600-01-01' AS TIMESTAMP)", "datetime", "1600-01-01T00:00:00"),
        ("to_timestamp(s)", "datetime", end),
        ("to_timestamp(253402214400)", "datetime", end),
        ("CAST(253402214400 AS TIMESTAMP)", "datetime", end),
        ("TIMESTAMP '9999-12-31 00:00:00' - INTERVAL '1' DAY", "datetime", "9999-12-30T00:00:00"),
        ("none = '9999-12-31 00:00:00'", "boolean", "null"),
        ("ts = '1600-01-15 12:34:56.789'", "boolean", "true"),
        ("ts < '9999-12-31 00:00:00'", "boolean", "true"),
        ("ts < s", "boolean", "true"),
        ("ts > d", "boolean", "false"),
        ("d > ts", "boolean", "true"),
        ("ts BETWEEN DATE '1600-01-15' AND d", "boolean", "true"),
        ("ts IN (DATE '9999-12-31', TIMESTAMP '1600-01-15 12:34:56.789')", "boolean", "true"),
        ("CAST(d AS TIMESTAMP) = TIMESTAMP '9999-12-31 00:00:00'", "boolean", "true"),
        ("unix_seconds(CAST(d AS TIMESTAMP)) - unix_seconds(ts)", "long", "265077055504"),
        // more digits than the column has
        ("ts = TIMESTAMP '1600-01-15 12:34:56.7891'", "boolean", "false"),
        ("ts < TIMESTAMP '1600-01-15 12:34:56.7891'", "boolean", "true"),
        ("TIMESTAMP '1600-01-15 12:34:56.7891' > ts", "boolean", "true"),
        ("ts = TIMESTAMP '1600-01-15 12:34:56.789' + INTERVAL '1' MICROSECOND", "boolean", "false"),
        // nanoseconds, if they are asked for
        ("ns = TIMESTAMP '2024-01-01 00:00:00.123456789'", "boolean", "true"),
        ("ns = '2024-01-01 00:00:00.123456789'", "boolean", "true"),
        ("ns = TIMESTAMP '2024-01-01 00:00:00.123456'", "boolean", "false"),
        ("coalesce(ns, DATE '2024-01-01')", "timestamp(ns)", "2024-01-01T00:00:00.123456789"),
        ("CAST('2024-01-05 10:30:00.123456' AS TIMESTAMP)", "timestamp(us)", "2024-01-05T10:30:00.123456"),
        ("CAST('2024-01-05 10:30:00.123456789' AS TIMESTAMP)", "timestamp(ns)", "2024-01-05T10:30:00.123456789"),
    ] {
        is(&place, value, column, expected);
    }
    let text = "SELECT coalesce(none, '9999-12-31 00:00:00') AS value FROM t";
    refused(&place, &["value datetime"], text, "coalesce(ts, TIMESTAMP '9999-12-31 00:00:00')");
    let union = "SELECT none AS value FROM t WHERE id = 2 UNION ALL SELECT d FROM t UNION ALL SELECT ts FROM t";
    let rows = answer(&place, &["value datetime"], union).unwrap();
    assert_eq!(rows, [end, "1600-01-15T12:34:56.789"]);
    let joined = "SELECT a.id AS value FROM t AS a JOIN t AS b ON CAST(a.d AS TIMESTAMP) = b.d AND a.d > b.ts";
    assert_eq!(answer(&place, &["value int"], joined).unwrap(), ["1"]);
}

#[test]
fn hashes() {
    let place = place(&["id int", "s character", "none character"], &[json!({"id": 1, "s": "Ynys Môn"})]);
    for (value, expected) in [
        ("md5('')", "d41d8cd98f00b204e9800998ecf8427e"),
        ("md5(s)", "7e6ce3586462de9aef434e646bf5cd37"),
        ("md5('abc')", "900150983cd24fb0d6963f7d28e17f72"),
        ("sha2('abc', 256)", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        ("sha2('abc', 0)", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        ("sha2('abc', 224)", "23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7"),
        ("md5(none)", "null"),
        ("sha2(none, 256)", "null"),
        ("length(sha2(s, 512))", "128"),
    ] {
        is(&place, &format!("CAST({value} AS STRING)"), "character", expected);
    }
    let key = "SELECT md5(coalesce(CAST(id AS STRING), '_null_') || '-' || coalesce(none, '_null_')) AS value FROM t";
    assert_eq!(answer(&place, &["value character"], key).unwrap().len(), 1);
    for (value, part) in [("md5(id)", "CAST(… AS STRING)"), ("sha2(s)", "sha2(s, 256)"), ("sha2(s, 1)", "224, 256")] {
        refused(&place, &["value character"], &format!("SELECT {value} AS value FROM t"), part);
    }
}

#[test]
fn time_zones() {
    let row = json!({"id": 1, "july": "2024-07-01 12:00:00.5", "gap": "2024-03-31 01:30:00",
        "twice": "2024-10-27 01:30:00", "end": "9999-12-31 00:00:00", "zone": "Europe/London", "d": "2024-07-01"});
    let columns =
        ["id int", "july datetime", "gap datetime", "twice datetime", "end datetime", "zone character", "d date"];
    let place = place(&columns, &[row]);
    for (value, expected) in [
        ("from_utc_timestamp(july, 'Europe/London')", "2024-07-01T13:00:00.500"),
        ("to_utc_timestamp(july, 'Europe/London')", "2024-07-01T11:00:00.500"),
        ("from_utc_timestamp(july, zone)", "2024-07-01T13:00:00.500"),
        ("from_utc_timestamp(d, 'Europe/London')", "2024-07-01T01:00:00"),
        ("to_utc_timestamp(gap, 'Europe/London')", "2024-03-31T01:30:00"),
        ("to_utc_timestamp(twice, 'Europe/London')", "2024-10-27T00:30:00"),
        ("from_utc_timestamp(gap, 'Europe/London')", "2024-03-31T02:30:00"),
        ("to_utc_timestamp(`end`, 'Europe/London')", "9999-12-31T00:00:00"),
        ("from_utc_timestamp(july, '+05:30')", "2024-07-01T17:30:00.500"),
        ("from_utc_timestamp(july, CAST(NULL AS STRING))", "null"),
    ] {
        is(&place, value, "datetime", expected);
    }
    for function in ["from_utc_timestamp", "to_utc_timestamp"] {
        let sql = format!("SELECT {function}(july, 'Europe/Londn') AS value FROM t");
        refused(&place, &["value datetime"], &sql, "`Europe/Londn` is not a time zone");
    }
    let message = answer(&place, &["value datetime"], "SELECT from_utc_timestamp(july, zone || 'x') AS value FROM t");
    assert!(message.clone().unwrap_err().starts_with("BadData"), "{message:?}");
    // no value of a sensitive column is shown
    let hidden = ["id int", "july datetime", "zone character sensitive"];
    let place = self::place(&hidden, &[json!({"id": 1, "july": "2024-07-01 12:00:00", "zone": "Canary/Bird"})]);
    let message =
        answer(&place, &["value datetime"], "SELECT from_utc_timestamp(july, zone) AS value FROM t").unwrap_err();
    assert!(message.starts_with("BadData") && !message.contains("Canary"), "{message}");
}

#[test]
fn json_in_a_text() {
    let text = r#"{"a": {"b": [10, 1.10]}, "name": "Ynys Môn", "none": null, "o": {"x": 1, "y": [ ]}}"#;
    let place = place(&["id int", "s character"], &[json!({"id": 1, "s": text})]);
    for (path, expected) in [
        ("$.a.b[0]", "10"),
        ("$.a.b[1]", "1.10"),
        ("$.name", "Ynys Môn"),
        ("$.o", r#"{"x":1,"y":[]}"#),
        ("$.none", "null"),
        ("$.missing.x", "null"),
    ] {
        let value = format!("get_json_object(s, '{path}')");
        is(&place, &value, "character", expected);
    }
    is(&place, "CAST(get_json_object(s, '$.a.b[0]') AS INT) + 1", "int", "11");
    is(&place, "get_json_object('[1', '$[0]')", "character", "null");
    for path in ["$.a.b[*]", "a.b"] {
        let sql = format!("SELECT get_json_object(s, '{path}') AS value FROM t");
        refused(&place, &["value character"], &sql, "is no path here");
    }
}

#[test]
fn arrays_beside_other_columns() {
    let items = |skus: &[&str]| skus.iter().map(|sku| json!({"sku": sku, "n": sku.len()})).collect::<Vec<_>>();
    let rows = [
        json!({"id": 1, "v": "x", "tags": ["a", null, "b"], "items": items(&["s", "tt"])}),
        json!({"id": 2, "v": "y", "tags": [], "items": null}),
        json!({"id": 3, "v": "z", "items": items(&["u"])}),
    ];
    let columns = ["id int", "v character", "tags array<character>", "items array<struct<sku:character,n:int>>"];
    let place = place(&columns, &rows);
    let two = &["id int", "value character"];
    for from in [
        "t CROSS JOIN UNNEST(tags) AS u(w)",
        "t CROSS JOIN UNNEST(t.tags) AS u(w)",
        "t, UNNEST(t.tags) AS u(w)",
        "t JOIN UNNEST(t.tags) AS u(w) ON true",
        "t LATERAL VIEW explode(tags) u AS w",
        "t, LATERAL explode(tags) AS u(w)",
    ] {
        let rows = answer(&place, two, &format!("SELECT id, w AS value FROM {from}"));
        assert_eq!(rows.as_deref(), Ok(["1 a", "1 null", "1 b"].map(String::from).as_slice()), "{from}");
    }
    for from in ["t LEFT JOIN UNNEST(t.tags) AS u(w) ON true", "t LATERAL VIEW OUTER explode(tags) u AS w"] {
        let rows = answer(&place, two, &format!("SELECT t.id, u.w AS value FROM {from}"));
        assert_eq!(
            rows.as_deref(),
            Ok(["1 a", "1 null", "1 b", "2 null", "3 null"].map(String::from).as_slice()),
            "{from}"
        );
    }
    // a name that the table has as well
    let sql = "SELECT t.id, t.v || u.v AS value FROM t CROSS JOIN UNNEST(t.tags) AS u(v) WHERE u.v <> 'b'";
    assert_eq!(answer(&place, two, sql).unwrap(), ["1 xa"]);
    // structs, with joins before and after
    let sql = "SELECT t.id, i.item.sku || CAST(i.item.n AS STRING) || z.v AS value \
               FROM t CROSS JOIN UNNEST(t.items) AS i(item) JOIN t AS z ON z.id = t.id";
    assert_eq!(answer(&place, two, sql).unwrap(), ["1 s1x", "1 tt2x", "3 u1z"]);
    let sql = "SELECT a.id, i.item.sku || u.w AS value FROM t AS a JOIN t AS b ON a.id = b.id \
               CROSS JOIN UNNEST(a.items) AS i(item) CROSS JOIN UNNEST(b.tags) AS u(w) WHERE i.item.n = 2";
    assert_eq!(answer(&place, two, sql).unwrap(), ["1 tta", "1 null", "1 ttb"]);
    let sql = "SELECT id, count(w) AS n FROM (SELECT * FROM t CROSS JOIN UNNEST(t.tags) AS u(w)) AS z GROUP BY id";
    assert_eq!(answer(&place, &["id int", "n long"], sql).unwrap(), ["1 2"]);
    let sql = "SELECT id, (SELECT max(w) FROM UNNEST(t.tags) AS u(w)) AS value FROM t";
    refused(&place, two, sql, "docs/sql.md");
    let sql = "SELECT id, explode(tags) AS value FROM t";
    assert_eq!(answer(&place, two, sql).unwrap(), ["1 a", "1 null", "1 b"]);
    refused(
        &place,
        two,
        "SELECT id, w AS value FROM t CROSS JOIN UNNEST(t.tags) WITH ORDINALITY AS u(w, n)",
        "docs/sql.md",
    );
    let sql = "SELECT id, CAST(n AS STRING) || tags[n] AS value FROM (SELECT id, tags, \
               unnest(generate_series(1, CAST(cardinality(tags) AS BIGINT))) AS n FROM t) AS z";
    assert_eq!(answer(&place, two, sql).unwrap(), ["1 1a", "1 null", "1 3b"]);
    refused(&place, two, "SELECT id, w AS value FROM t LATERAL VIEW posexplode(tags) u AS n, w", "explode(…)");
}

#[test]
fn arrays_in_other_places() {
    let rows = [
        json!({"id": 1, "tags": ["a", "b"], "more": ["x", "y", "z"], "deep": [["p"], [], ["q", "r"]]}),
        json!({"id": 2, "tags": ["c"], "more": []}),
    ];
    let place =
        place(&["id int", "tags array<character>", "more array<character>", "deep array<array<character>>"], &rows);
    let two = &["id int", "value character"];
    for (sql, expected) in [
        // two of them, the second over the result of the first, and names in any case
        (
            "SELECT id, v || w AS value FROM t LATERAL VIEW explode(tags) A AS V LATERAL VIEW explode(more) B AS W",
            "1 ax,1 ay,1 az,1 bx,1 by,1 bz",
        ),
        (
            "SELECT id, w AS value FROM t LATERAL VIEW explode(deep) a AS v LATERAL VIEW explode(a.v) b AS w",
            "1 p,1 q,1 r",
        ),
        (
            "SELECT id, w AS value FROM t LATERAL VIEW explode(deep) a AS v LATERAL VIEW OUTER explode(v) b AS w",
            "1 p,1 null,1 q,1 r",
        ),
        ("SELECT T.id, X.v AS value FROM t AS T CROSS JOIN UNNEST(T.tags) AS X(v) WHERE X.v <> 'a'", "1 b,2 c"),
        // two arrays side by side
        (
            "SELECT id, coalesce(v, '-') || w AS value FROM t CROSS JOIN UNNEST(tags, more) AS u(v, w)",
            "1 ax,1 by,1 -z,2 null",
        ),
        // with a filter, over an expression, without an alias of the column
        ("SELECT id, v AS value FROM t JOIN UNNEST(t.tags) AS u(v) ON u.v > 'a'", "1 b,2 c"),
        ("SELECT id, v AS value FROM t CROSS JOIN UNNEST(array_reverse(t.tags)) AS u(v)", "1 b,1 a,2 c"),
        ("SELECT id, value FROM (SELECT * FROM t CROSS JOIN UNNEST(t.tags) AS u(value)) AS z", "1 a,1 b,2 c"),
        // in a WITH, a UNION, a subquery, and under an aggregate
        (
            "WITH z AS (SELECT id, v FROM t, UNNEST(t.tags) AS u(v)) SELECT id, max(v) AS value FROM z GROUP BY id",
            "1 b,2 c",
        ),
        (
            "SELECT id, v AS value FROM t, UNNEST(t.tags) AS u(v) UNION ALL SELECT id, v FROM t, UNNEST(t.more) AS \
             u(v)",
            "1 a,1 b,2 c,1 x,1 y,1 z",
        ),
        (
            "SELECT id, tags[1] AS value FROM t WHERE 'b' IN (SELECT v FROM t AS y CROSS JOIN UNNEST(y.tags) AS u(v))",
            "1 a,2 c",
        ),
        (
            "SELECT t.id, z.v AS value FROM t JOIN (SELECT id, explode(tags) AS v FROM t) AS z ON z.id = t.id",
            "1 a,1 b,2 c",
        ),
        ("SELECT id, string_agg(v, '+') AS value FROM t CROSS JOIN UNNEST(t.tags) AS u(v) GROUP BY id", "1 a+b,2 c"),
        ("SELECT 1 AS id, v AS value FROM UNNEST(make_array('m', 'n')) AS u(v)", "1 m,1 n"),
    ] {
        let found = answer(&place, two, sql).map(|rows| rows.join(","));
        assert_eq!(found.as_deref(), Ok(expected), "{sql}");
    }
    for sql in [
        "SELECT t.id, u.v AS value FROM t LEFT JOIN UNNEST(t.tags) AS u(v) ON u.v > 'a'",
        "SELECT id, 'x' AS value FROM t WHERE EXISTS (SELECT 1 FROM UNNEST(t.tags) AS u(v) WHERE v = 'b')",
    ] {
        refused(&place, two, sql, "docs/sql.md");
    }
}

#[test]
fn timestamps_of_all_units_meet() {
    let row = json!({"id": 1, "ms": "2024-01-01 00:00:00.123", "us": "2024-01-01 00:00:00.123456", "d": "2024-01-01",
        "ns": "2024-01-01 00:00:00.123456789", "s": "2024-01-01 00:00:00.123456"});
    let columns = ["id int", "ms datetime", "us timestamp(us)", "ns timestamp(ns)", "d date", "s character"];
    let place = place(&columns, &[row]);
    for (value, expected) in [
        ("ms = us", "false"),
        ("ms < us AND us < ns", "true"),
        ("us = s", "true"),
        ("ms <> s", "true"),
        ("ns > s", "true"),
        ("us = TIMESTAMP '2024-01-01 00:00:00.1234567'", "false"),
        ("us < TIMESTAMP '2024-01-01 00:00:00.1234567'", "true"),
        ("ms IN (TIMESTAMP '2024-01-01 00:00:00.1234')", "false"),
        ("ms BETWEEN TIMESTAMP '2024-01-01 00:00:00.1225' AND TIMESTAMP '2024-01-01 00:00:00.1235'", "true"),
        ("ms BETWEEN TIMESTAMP '2024-01-01 00:00:00.1231' AND TIMESTAMP '2024-01-01 00:00:00.1235'", "false"),
        ("ms IS DISTINCT FROM TIMESTAMP '2024-01-01 00:00:00.1231'", "true"),
        ("nullif(ms, TIMESTAMP '2024-01-01 00:00:00.1231') IS NULL", "false"),
        ("CASE ms WHEN TIMESTAMP '2024-01-01 00:00:00.1231' THEN true ELSE false END", "false"),
        ("greatest(ms, us, ns) = ns", "true"),
        ("coalesce(ms, us) = ms", "true"),
        ("ms - d = ms - CAST(d AS TIMESTAMP)", "true"),
    ] {
        is(&place, value, "boolean", expected);
    }
    for filter in [
        "ms = TIMESTAMP '2024-01-01 00:00:00.1231'",
        "ms IN (TIMESTAMP '2024-01-01 00:00:00.1231', CAST(d AS TIMESTAMP))",
    ] {
        let rows = answer(&place, &["value int"], &format!("SELECT id AS value FROM t WHERE {filter}"));
        assert_eq!(rows.as_deref(), Ok([].as_slice()), "{filter}");
    }
}

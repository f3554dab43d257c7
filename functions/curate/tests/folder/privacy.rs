//! Values of sensitive columns, and values computed from them, are in no message and in no line of the log.

use std::io::Write;
use std::sync::{Mutex, Once};

use contract::FailureKind;
use contract::message::RebuildRequest;
use serde_json::json;
use tracing_subscriber::fmt::MakeWriter;

use crate::place::Place;

/// Parts of the sensitive values that occur nowhere else.
const CANARIES: &[&str] =
    &["qzxvkw", "hgpf", "7391842", "14783685", "1973-09", "8264917", "6183927", "66526583932564616313"];
/// A value that may be shown.
const OPEN: &str = "open-77";

/// Everything that any test has logged so far.
static LOG: Mutex<Vec<u8>> = Mutex::new(Vec::new());

struct Log;

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        LOG.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        Self
    }
}

fn place(marked: bool) -> Place {
    static STARTED: Once = Once::new();
    STARTED.call_once(|| tracing_subscriber::fmt().with_writer(Log).with_ansi(false).init());
    let place = Place::new();
    let mark = if marked { " sensitive" } else { "" };
    let columns = [
        ("id", "long"),
        ("k", "character"),
        ("s", "character"),
        ("l", "long"),
        ("d", "date"),
        ("x", "double"),
        ("n", "decimal(10,2)"),
        ("tags", "array<character>"),
        ("part", "struct<a:long,b:character>"),
    ];
    let described: Vec<String> = columns
        .iter()
        .map(|(name, kind)| format!("{name} {kind}{}", if matches!(*name, "id" | "k") { "" } else { mark }))
        .collect();
    let described: Vec<&str> = described.iter().map(String::as_str).collect();
    place.table("raw", "t", &described, json!({}));
    place.table("raw", "o", &["oid long", "ok character"], json!({}));
    let row = |id: i32| {
        json!({
            "id": id, "k": OPEN, "s": "qzxvkwjy(hgpf", "l": 7_391_842_659_173_846_257_i64, "d": "1973-09-18",
            "x": 6_183_927_461.75, "n": "8264917.35", "tags": ["qzxvkwjy(hgpf"],
            "part": {"a": 7_391_842_659_173_846_257_i64, "b": "qzxvkwjy(hgpf"},
        })
        .to_string()
    };
    place.raw("t", 100, "jsonl", &[row(1), row(2)].join("\n"));
    place.raw("o", 100, "jsonl", "{\"oid\": 1, \"ok\": \"x\"}\n{\"oid\": 2, \"ok\": null}");
    // a table in between, none of whose columns are marked
    let plain: Vec<String> = columns.iter().map(|(name, kind)| format!("{name} {kind}")).collect();
    let plain: Vec<&str> = plain.iter().map(String::as_str).collect();
    place.table("curated", "copy", &plain, json!({}));
    place.sql("curated", "copy", "SELECT * FROM t");
    place
}

/// Returns the message of a build of `c`, which must fail.
fn fails(place: &Place, sql: &str, column: &str) -> String {
    place.table("curated", "c", &[column], json!({}));
    place.sql("curated", "c", sql);
    let request = RebuildRequest { tables: vec!["c".into()], ..RebuildRequest::default() };
    let built = place.build_with(&request, 2);
    let failure = built.expect_err(&format!("{sql} as {column}"));
    assert_eq!(failure.kind, FailureKind::BadData, "{sql} as {column}: {failure}");
    failure.message
}

fn assert_hidden(message: &str, of: &str) {
    assert!(!CANARIES.iter().any(|canary| message.to_lowercase().contains(canary)), "{of}: {message}");
}

/// `{e}` is an expression over `t`. Its value is stored in the column `v`.
const SHAPES: &[&str] = &[
    "SELECT {e} AS v FROM t",
    "SELECT v FROM (SELECT {e} AS v, id FROM t) AS z WHERE id > 0 ORDER BY id",
    "SELECT max(v) AS v FROM (SELECT {e} AS v, id FROM t) AS z GROUP BY id",
    "SELECT v, count(*) AS n FROM (SELECT {e} AS v FROM t) AS z GROUP BY v",
    "SELECT v, count(*) AS n FROM (SELECT {e} AS v, id FROM t) AS z GROUP BY ROLLUP (v, id)",
    "SELECT first_value(v) OVER (ORDER BY id) AS v FROM (SELECT {e} AS v, id FROM t) AS z",
    "SELECT lag(v, 0) OVER (ORDER BY id) AS v FROM (SELECT {e} AS v, id FROM t) AS z",
    "SELECT {e} AS v FROM t JOIN o ON t.id = o.oid",
    "SELECT z.v FROM o LEFT JOIN (SELECT {e} AS v, id FROM t) AS z ON z.id = o.oid",
    "SELECT a.v FROM (SELECT {e} AS v, id FROM t) AS a JOIN t AS b USING (id)",
    "WITH w AS (SELECT {e} AS v FROM t) SELECT v FROM w UNION ALL SELECT v FROM w",
    "SELECT {e} AS v FROM t UNION SELECT {e} AS v FROM t",
    "SELECT DISTINCT {e} AS v FROM t",
    "SELECT DISTINCT ON (id) {e} AS v FROM t ORDER BY id",
    "SELECT (SELECT max({e}) FROM t) AS v FROM o",
    "SELECT CASE WHEN oid = 1 THEN v END AS v FROM o, (SELECT {e} AS v FROM t) AS z",
    "SELECT coalesce(v, v) AS v FROM (SELECT {e} AS v FROM t LIMIT 1) AS z",
];

fn in_shapes(expression: &str) -> impl Iterator<Item = String> {
    SHAPES.iter().map(move |shape| shape.replace("{e}", expression))
}

#[test]
fn what_is_made_of_a_sensitive_column_is_not_shown_and_all_else_is() {
    let place = place(true);
    for sql in in_shapes("s") {
        for sql in [sql.clone(), sql.replace("FROM t", "FROM copy AS t").replace("JOIN t AS b", "JOIN copy AS b")] {
            let message = fails(&place, &sql, "v int");
            assert_hidden(&message, &sql);
            assert!(message.contains("column `v`") && message.contains("cannot become int"), "{sql}: {message}");
            let of_open = sql.replace("s AS v", "k AS v").replace("max(s)", "max(k)");
            let message = fails(&place, &of_open, "v int");
            assert_hidden(&message, &of_open);
            assert!(message.contains("`open-77` cannot become int"), "{of_open}: {message}");
        }
    }
}

#[test]
fn what_the_engine_says_of_sensitive_values_is_not_shown_and_all_else_is() {
    let place = place(true);
    for sql in in_shapes("CAST(s AS INT)") {
        let message = fails(&place, &sql, "v long");
        assert_hidden(&message, &sql);
        assert!(message.contains("hidden"), "{sql}: {message}");
        let of_open = sql.replace("CAST(s AS INT)", "CAST(k AS INT)");
        assert!(fails(&place, &of_open, "v long").contains("'open-77'"), "{of_open}");
    }
}

#[test]
fn whatever_an_expression_fails_at() {
    let place = place(true);
    for (expression, column) in [
        ("CAST(s AS DATE)", "v date"),
        ("CAST(s AS TIMESTAMP)", "v datetime"),
        ("CAST(upper(s) || 'hgpf of the query: x' AS DOUBLE)", "v double"),
        ("CAST(s || ' not nullable' AS BOOLEAN)", "v boolean"),
        ("to_date(s)", "v date"),
        ("regexp_replace(k, s, 'b')", "v character"),
        ("CAST(regexp_like(k, s) AS STRING)", "v character"),
        ("l + l", "v long"),
        ("l * 9", "v long"),
        ("CAST(l AS INT)", "v int"),
        ("CAST(l AS DECIMAL(5,2))", "v decimal(5,2)"),
        ("CAST(n AS DECIMAL(4,2))", "v decimal(4,2)"),
        ("CAST(x AS INT)", "v int"),
        ("CAST(tags[1] AS INT)", "v int"),
        ("part['a'] + part['a']", "v long"),
        ("CAST(part['b'] AS DATE)", "v date"),
        // values that do not fit the description
        ("l", "v int"),
        ("x", "v long"),
        ("n", "v decimal(5,2)"),
        ("CAST(d AS STRING)", "v int"),
        ("tags", "v array<int>"),
        ("part", "v struct<a:int,b:character>"),
        ("named_struct('a', s)", "v struct<a:int>"),
        ("substr(s, 3) || k", "v int"),
        ("CASE WHEN s IS NULL THEN 'a' ELSE s END", "v int"),
        ("to_hex(l)", "v date"),
    ] {
        for sql in [
            format!("SELECT {expression} AS v FROM t"),
            format!("SELECT {expression} AS v FROM copy AS t JOIN o ON oid = id"),
            format!("SELECT v FROM (SELECT {expression} AS v FROM t) AS z GROUP BY v"),
        ] {
            assert_hidden(&fails(&place, &sql, column), &sql);
        }
    }
}

#[test]
fn whatever_else_a_query_fails_at() {
    let place = place(true);
    for (sql, column) in [
        ("SELECT sum(l) AS v FROM t", "v long"),
        ("SELECT sum(l) OVER (ORDER BY id) AS v FROM t", "v long"),
        ("SELECT array_agg(s) AS v FROM t", "v array<int>"),
        ("SELECT string_agg(s, ',' ORDER BY id) AS v FROM t", "v int"),
        ("SELECT unnest(tags) AS v FROM t", "v int"),
        ("SELECT id AS v FROM t WHERE CAST(s AS INT) > 0", "v int"),
        ("SELECT oid AS v FROM o WHERE oid IN (SELECT CAST(s AS BIGINT) FROM t)", "v int"),
        ("SELECT oid AS v FROM o WHERE EXISTS (SELECT 1 FROM t WHERE t.id = o.oid AND CAST(s AS INT) > 0)", "v int"),
        ("SELECT oid AS v FROM o JOIN t ON CAST(t.s AS BIGINT) = o.oid", "v int"),
        ("SELECT count(*) AS v FROM t GROUP BY CAST(s AS INT)", "v long"),
        ("SELECT id AS v FROM t ORDER BY CAST(s AS INT)", "v int"),
        ("SELECT max(id) AS v FROM t HAVING max(CAST(s AS INT)) > 0", "v int"),
        ("SELECT CASE WHEN id > 5 THEN s END AS v FROM t", "v character not null"),
    ] {
        assert_hidden(&fails(&place, sql, column), sql);
    }
}

#[test]
fn a_mark_of_a_curated_column_counts_too() {
    let place = place(false);
    // the column itself is marked: not even the value that it is computed from is shown
    let message = fails(&place, "SELECT s AS v FROM t", "v int sensitive");
    assert_hidden(&message, "marked");
    assert!(message.contains("`s` = a value (hidden"), "{message}");
    // no column is marked
    let message = fails(&place, "SELECT s AS v FROM copy", "v int");
    assert!(message.contains("`qzxvkwjy(hgpf` cannot become int (made of `s` = `qzxvkwjy(hgpf`)"), "{message}");
    // computed from a marked column of another table
    place.table("curated", "copy", &["id long", "s character sensitive"], json!({}));
    for sql in [
        "SELECT s AS v FROM copy",
        "SELECT max(s) AS v FROM copy AS other GROUP BY id",
        "SELECT CAST(s AS INT) AS v FROM copy",
        "SELECT CAST(a.s AS INT) AS v FROM copy AS a JOIN o ON a.id = o.oid",
    ] {
        assert_hidden(&fails(&place, sql, "v int"), sql);
    }
}

#[test]
fn in_every_mode_and_stage() {
    let place = place(true);
    for more in [json!({"mode": "append"}), json!({"mode": "partition", "partitions": ["v"]})] {
        place.table("curated", "c", &["id long", "v int"], more.clone());
        place.sql("curated", "c", "SELECT id, s AS v FROM t");
        assert_hidden(&place.build().unwrap_err().message, &more.to_string());
    }
    for column in ["line character sensitive", "line character"] {
        let place = Place::new();
        place.table("raw", "w", &[column], json!({"data_format": "csv", "copy_to_raw": true, "lines": true}));
        place.table("processed", "w", &["v int"], json!({}));
        place.write("raw/w/file_land_timestamp=100/w_100.csv", "qzxvkwjy(hgpf\n");
        for sql in ["SELECT line AS v FROM w", "SELECT max(line) AS v FROM w", "SELECT CAST(line AS INT) AS v FROM w"] {
            place.sql("processed", "w", sql);
            let message = place.process().unwrap_err().message;
            assert!(message.contains("w_100.csv"), "{sql}: {message}");
            assert_eq!(message.contains("qzxvkw"), !column.ends_with("sensitive"), "{sql}: {message}");
        }
    }
}

#[test]
fn a_table_that_is_marked_as_a_whole() {
    for mark in
        [json!({"sensitivity": "personal_data"}), json!({"sensitivity": ["personal_data"]}), json!({"sensitive": true})]
    {
        let place = place(false);
        place.table("raw", "t", &["id long", "s character"], mark.clone());
        place.raw("t", 100, "jsonl", "{\"id\": 1, \"s\": \"qzxvkwjy(hgpf\"}");
        for sql in ["SELECT s AS v FROM t", "SELECT max(s) AS v FROM t", "SELECT CAST(s AS INT) AS v FROM t"] {
            assert_hidden(&fails(&place, sql, "v int"), sql);
        }
    }
}

#[test]
fn folders_of_partitions_are_not_told() {
    let place = place(true);
    place.table("curated", "c", &["id long", "day date", "who character"], json!({"partitions": ["day", "who"]}));
    place.sql("curated", "c", "SELECT id, DATE '2026-11-24' AS day, s || k AS who FROM t");
    let request = RebuildRequest::default();
    let built = place.run(&request, 2).unwrap();
    let answer = serde_json::to_string(&built.answer()).unwrap();
    assert_hidden(&answer, "answer");
    assert!(answer.contains("\"day=2026-11-24/who=(hidden: sensitive)\""), "{answer}");
    // verify does not show the value in the name of a file that differs
    let output = built.manifest.tables.iter().find(|output| output.table == "c").unwrap();
    let key = &output.files[0].key;
    assert!(key.contains("qzxvkw") && output.hides_partitions, "{key}");
    let manifest = place.path("curated").join(&built.key);
    let text = std::fs::read_to_string(&manifest).unwrap().replace(&output.files[0].sha256, "0");
    std::fs::write(&manifest, text).unwrap();
    let verified = place.verify(built.manifest.run.as_str()).unwrap();
    assert_eq!((verified.same, verified.differences.len()), (false, 1));
    assert_hidden(&verified.differences[0], "verify");
    // nor does a failure to write a file show it
    let folder = place.path("curated").join(output.location.split("/curated/").last().unwrap());
    let runs = folder.parent().unwrap().to_owned();
    std::fs::remove_dir_all(&runs).unwrap();
    std::fs::write(&runs, "in the way").unwrap();
    let failure = place.build().unwrap_err();
    assert_hidden(&failure.message, "write");
}

#[test]
fn marks_go_through_the_process_stage() {
    let place = Place::new();
    place.table(
        "raw",
        "w",
        &["line character sensitive"],
        json!({"data_format": "csv", "copy_to_raw": true, "lines": true, "read_from": "processed"}),
    );
    place.table("processed", "w", &["id long", "name character"], json!({}));
    place.sql("processed", "w", "SELECT 1 AS id, upper(line) AS name FROM w");
    place.write("raw/w/file_land_timestamp=100/w_100.csv", "qzxvkwjy(hgpf\n");
    place.process().unwrap();
    for sql in ["SELECT name AS v FROM w", "SELECT max(name) AS v FROM w", "SELECT CAST(name AS INT) AS v FROM w"] {
        assert_hidden(&fails(&place, sql, "v int"), sql);
    }
}

#[test]
fn nothing_is_logged() {
    let place = place(true);
    place.build().unwrap();
    fails(&place, "SELECT max(s) AS v FROM copy", "v int");
    let log = String::from_utf8(LOG.lock().unwrap().clone()).unwrap();
    assert!(log.contains("table written"), "{log}");
    for line in log.lines() {
        // another test logs values that may be seen
        assert!(line.contains("raw file not processed") || !CANARIES.iter().any(|c| line.contains(c)), "{line}");
    }
}

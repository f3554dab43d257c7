//! SQL that cannot run is a fault of the metadata. The message names the place and what to write instead.

use contract::FailureKind;
use contract::message::RebuildRequest;
use serde_json::json;

use crate::place::Place;

fn place(sql: &str) -> Place {
    let place = Place::new();
    place.table("raw", "t", &["id long", "s character", "d date", "tags array<character>"], json!({}));
    place.table("raw", "u", &["id long", "k long"], json!({}));
    place.raw("t", 100, "jsonl", &json!({"id": 1, "s": "a", "d": "2024-01-01", "tags": ["x"]}).to_string());
    place.raw("u", 100, "jsonl", &json!({"id": 1, "k": 1}).to_string());
    place.table("curated", "c", &["v character"], json!({}));
    place.sql("curated", "c", sql);
    place
}

#[test]
fn nobody_is_asked_to_report_that_the_sql_is_wrong() {
    for (sql, part) in [
        ("SELECT CAST(sum(s) AS STRING) AS v FROM t", "'sum'"),
        ("SELECT CAST(round(s, 2) AS STRING) AS v FROM t", "round"),
        ("SELECT substr(id, 1, 2) AS v FROM t", "substr"),
        ("SELECT CAST(avg(s) OVER () AS STRING) AS v FROM t", "'avg'"),
        ("SELECT regexp_replace(s, '(?=a)b', 'c') AS v FROM t", "look-around"),
        ("SELECT s AS v FROM t WHERE s ~ '(a)\\1'", "backreferences"),
        ("SELECT s AS v FROM t WHERE regexp_like(s, '[a')", "unclosed character class"),
        ("SELECT s AS v FROM t WHERE id IN (1) BETWEEN true AND 3", "cast both sides"),
        (
            "SELECT CAST(count(*) OVER (ORDER BY tags[1] || 'a', id RANGE BETWEEN 1 PRECEDING AND CURRENT ROW) AS \
             STRING) AS v FROM t",
            "RANGE",
        ),
        ("SELECT s AS v FROM t WHERE d + s = d", "Date32"),
        ("SELECT s AS v FROM t WHERE tags > 5", "c.sql"),
        ("SELECT s AS v FROM t WHERE s LIKE d", "c.sql"),
        ("SELECT s AS v FROM t WHERE NOT s", "c.sql"),
        ("SELECT s AS v FROM t WHERE d > 5", "a date and a number"),
        ("SELECT s AS v FROM t WHERE d IN (20240101)", "a date and a number"),
        ("SELECT s AS v FROM t WHERE id BETWEEN d AND 3", "a date and a number"),
        ("SELECT CASE d WHEN 5 THEN s END AS v FROM t", "a date and a number"),
        ("SELECT CAST(greatest(d, 3) AS STRING) AS v FROM t", "a date and a number"),
        (
            "SELECT CAST(d AS STRING) AS v FROM t UNION ALL SELECT CAST(max(d) AS STRING) FROM t GROUP BY nullif(d, 5)",
            "a date and a number",
        ),
        ("SELECT s AS v FROM t JOIN u ON t.d = u.k", "a date and a number"),
        ("SELECT CAST(d AS STRING) AS v FROM (SELECT d FROM t UNION ALL SELECT k FROM u) AS z", "a date and a number"),
        ("SELECT CASE WHEN id THEN s END AS v FROM t", "CASE WHEN takes a condition"),
        ("SELECT CAST(sum(id) FILTER (WHERE id) AS STRING) AS v FROM t", "FILTER takes a condition"),
        ("SELECT s AS v FROM t GROUP BY s HAVING count(*) FILTER (WHERE s) > 0", "FILTER takes a condition"),
        ("SELECT CAST(sum(id) FILTER (WHERE id) OVER () AS STRING) AS v FROM t", "FILTER takes a condition"),
        ("SELECT nobody(s) AS v FROM t", "nobody"),
        ("SELECT\n  nothing AS v\nFROM t", "nothing"),
        ("SELECT s AS v\nFRM t", "line 2, column 1: "),
    ] {
        let failure = place(sql).build().map(|_| sql).unwrap_err();
        assert_eq!(failure.kind, FailureKind::BadMetadata, "{sql}: {failure}");
        assert!(failure.message.contains(part), "{sql}: {failure}");
        for word in ["bug", "Internal error", "Error during planning", "ParserError(", "Field {"] {
            assert!(!failure.message.contains(word), "{sql}: {failure}");
        }
    }
}

#[test]
fn rows_are_not_told_apart_by_a_constant_array_of_arrays() {
    let sql = "SELECT CAST(a AS STRING) AS v FROM (SELECT DISTINCT t.id, [[1], [2]] AS a FROM t CROSS JOIN u) AS z";
    let place = place(sql);
    let rows = [json!({"id": 1}), json!({"id": 2})].map(|row| row.to_string()).join("\n");
    place.raw("t", 200, "jsonl", &rows);
    let failure = place.build().unwrap_err();
    assert_eq!(failure.kind, FailureKind::BadMetadata, "{failure}");
    assert!(failure.message.contains("leave it out of the inner query"), "{failure}");
}

#[test]
fn wrong_sql_of_one_table_does_not_stop_the_others() {
    let place = place("SELECT s AS v FRM t");
    place.table("curated", "e", &["v character"], json!({}));
    place.sql("curated", "e", "SELECT nothing AS v FROM t");
    place.table("curated", "u", &["id long", "k long", "dea_version character"], json!({}));
    let only = |name: &str| RebuildRequest { tables: vec![name.into()], ..RebuildRequest::default() };
    let manifest = place.build_with(&only("u"), 2).unwrap();
    assert_eq!(place.rows(&manifest, "u"), ["1 1 v1"]);
    let message = place.build_with(&only("e"), 2).unwrap_err().message;
    assert!(message.contains("e.sql: ") && message.contains("nothing") && !message.contains("c.sql"), "{message}");
}

#[test]
fn all_that_is_wrong_is_told_at_once() {
    let place = place("SELECT nothing AS v FROM t");
    place.table("curated", "e", &["v character"], json!({}));
    place.sql("curated", "e", "SELECT v FROM c");
    place.table("curated", "f", &["v character"], json!({}));
    place.sql("curated", "f", "SELECT never AS v FROM t");
    let message = place.build().unwrap_err().message;
    assert!(message.starts_with("2 problems in the SQL\n"), "{message}");
    assert!(message.contains("c.sql: ") && message.contains("f.sql: ") && !message.contains("e.sql"), "{message}");
}

#[test]
fn tables_whose_names_are_words_of_sql_are_copied() {
    for name in ["2024_orders", "table", "lateral", "unnest", "select"] {
        let place = Place::new();
        place.table("raw", name, &["id long"], json!({}));
        place.table("curated", name, &["id long", "dea_version character"], json!({}));
        place.raw(name, 100, "jsonl", "{\"id\": 1}");
        assert_eq!(place.rows(&place.build().unwrap(), name), ["1 v1"], "{name}");
    }
}

#[test]
fn comments_and_groups_of_regular_expressions_are_left_alone() {
    let place = place("SELECT regexp_replace(s, '(a)', '${1}g') || '[${]' AS v -- ${5}\nFROM t /* ${x} */");
    assert_eq!(place.rows(&place.build().unwrap(), "c"), ["ag[${]"]);
}

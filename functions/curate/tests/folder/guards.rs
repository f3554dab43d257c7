//! A condition guards a value: the value cannot fail for rows that the condition keeps away from it.

use serde_json::json;

use crate::place::Place;

/// Returns the rows of the query, or the failure's message.
fn rows(sql: &str) -> Result<Vec<String>, String> {
    let place = Place::new();
    place.table("raw", "t", &["id long", "i long", "j long", "s character", "more character"], json!({}));
    let lines = [(7, 2, "12"), (7, 0, "x"), (1, 1, "3")].into_iter().enumerate();
    let lines: Vec<_> = lines.map(|(n, (i, j, s))| json!({"id": n + 1, "i": i, "j": j, "s": s}).to_string()).collect();
    place.raw("t", 100, "jsonl", &lines.join("\n"));
    place.table("raw", "u", &["id long", "w long"], json!({}));
    place.raw("u", 100, "jsonl", "{\"id\": 1, \"w\": 12}\n{\"id\": 3, \"w\": 3}\n");
    place.table("curated", "o", &["id long", "v long"], json!({}));
    place.sql("curated", "o", sql);
    match place.build() {
        Ok(manifest) => Ok(place.rows(&manifest, "o")),
        Err(failure) => Err(failure.message),
    }
}

#[test]
fn the_cases_of_others_run() {
    for (sql, expected) in [
        ("SELECT id, i / j AS v FROM t WHERE j <> 0 AND i / j > 0", vec!["1 3", "3 1"]),
        ("SELECT id, CASE WHEN j = 0 OR i / j > 2 THEN 1 ELSE 0 END AS v FROM t", vec!["1 1", "2 1", "3 0"]),
        ("SELECT id, j AS v FROM t WHERE CASE WHEN j = 0 THEN false ELSE i / j > 1 END", vec!["1 2"]),
        (
            "SELECT id, v FROM (SELECT id, CAST(s AS INT) AS v FROM t WHERE regexp_like(s, '^[0-9]+$')) AS z WHERE v \
             > 5",
            vec!["1 12"],
        ),
        (
            "WITH z AS (SELECT id, CAST(s AS INT) AS v FROM t WHERE regexp_like(s, '^[0-9]+$')) SELECT z.id, v FROM z \
             JOIN u ON z.id = u.id WHERE v > 5",
            vec!["1 12"],
        ),
        ("SELECT id, CASE WHEN id > 100 THEN CAST('abc' AS INT) ELSE 1 END AS v FROM t", vec!["1 1", "2 1", "3 1"]),
        (
            "SELECT id, v FROM (SELECT s, id, CAST(s AS INT) AS v FROM t WHERE s <> 'x') AS z WHERE s <> ''",
            vec!["1 12", "3 3"],
        ),
        (
            "SELECT id, length(s) + v AS v FROM (SELECT s, id, CAST(s AS INT) AS v FROM t WHERE s <> 'x') AS z",
            vec!["1 14", "3 4"],
        ),
        ("SELECT id, i / j AS v FROM t WHERE j <> 0 ORDER BY id DESC", vec!["3 1", "1 3"]),
        ("SELECT id, i / j AS v FROM t WHERE j <> 0 ORDER BY id LIMIT 1", vec!["1 3"]),
        ("SELECT id, i / j + i / j AS v FROM t WHERE j <> 0 ORDER BY i / j", vec!["3 2", "1 6"]),
        ("SELECT id, sum(i / j) OVER (ORDER BY id) AS v FROM t WHERE j <> 0", vec!["1 3", "3 4"]),
        ("SELECT DISTINCT i / j AS id, 1 AS v FROM t WHERE j <> 0 ORDER BY id", vec!["1 1", "3 1"]),
        ("SELECT id, coalesce(nullif(j, 0), 7 / j) AS v FROM t WHERE j <> 0 ORDER BY id", vec!["1 2", "3 1"]),
        (
            "SELECT t.id, i / j AS v FROM t LEFT JOIN u ON t.id = u.id WHERE w IS NOT NULL ORDER BY t.id",
            vec!["1 3", "3 1"],
        ),
        ("SELECT id, i / j AS v FROM t WHERE id IN (SELECT id FROM u) ORDER BY id", vec!["1 3", "3 1"]),
        ("SELECT t.id, w AS v FROM t JOIN u ON t.s <> 'x' AND CAST(t.s AS INT) = u.w", vec!["1 12", "3 3"]),
        ("SELECT max(id) AS id, sum(i / j) FILTER (WHERE j <> 0) AS v FROM t", vec!["3 4"]),
        (
            "SELECT j AS id, sum(i / j) FILTER (WHERE j <> 0) AS v FROM t GROUP BY j HAVING j <> 0 AND 6 / j > 4",
            vec!["1 1"],
        ),
    ] {
        assert_eq!(
            rows(sql).as_deref(),
            Ok(&expected.iter().map(ToString::to_string).collect::<Vec<_>>()[..]),
            "{sql}"
        );
    }
}

/// A guard, a value that fails where the guard does not hold, and a comparison that is true wherever it holds.
const GUARDED: &[(&str, &str, &str)] = &[
    ("j <> 0", "i / j", "i / j > 0"),
    ("j > 0", "i % j", "i % j < 100"),
    ("s <> 'x'", "CAST(s AS INT)", "CAST(s AS INT) > 0"),
    ("regexp_like(s, '^[0-9]+$')", "CAST(s AS INT)", "CAST(s AS INT) IN (3, 12)"),
    ("s NOT LIKE 'x%'", "CAST(s AS DECIMAL(5,1))", "CAST(s AS DECIMAL(5,1)) BETWEEN 1 AND 99"),
    ("id <> 2", "CAST(s AS INT) + 10 / j", "CAST(s AS INT) + 10 / j IS NOT NULL"),
    ("id <> 2", "CAST('1' || s AS INT) / j", "CAST('1' || s AS BIGINT) / j > 0"),
];

#[test]
fn each_guard_guards_each_value_in_each_place() {
    let mut failed = Vec::new();
    for (guard, value, holds) in GUARDED {
        let not = format!("({guard}) IS NOT TRUE");
        for place in [
            format!("SELECT id, 0 AS v FROM t WHERE {guard} AND {holds}"),
            format!("SELECT id, 0 AS v FROM t WHERE {holds} AND {guard}"),
            format!("SELECT id, 0 AS v FROM t WHERE NOT ({not} OR NOT ({holds}))"),
            format!("SELECT id, 0 AS v FROM t WHERE id > 0 AND ({guard}) AND ({holds}) AND ({holds} OR i = 0)"),
            format!("SELECT id, 0 AS v FROM t WHERE CASE WHEN {not} THEN false ELSE {holds} END"),
            format!("SELECT id, 0 AS v FROM t WHERE CASE WHEN {guard} THEN {holds} END"),
            format!("SELECT id, 0 AS v FROM t WHERE CASE WHEN {guard} THEN {holds} ELSE 1 = 2 END"),
            format!("SELECT id, 0 AS v FROM (SELECT * FROM t WHERE {guard}) AS z WHERE {holds}"),
            format!("SELECT id, 0 AS v FROM (SELECT *, {holds} AS h FROM t WHERE {guard}) AS z WHERE h"),
            format!(
                "WITH z AS (SELECT * FROM t WHERE {guard}), y AS (SELECT * FROM z WHERE {holds}) SELECT id, 0 AS v \
                 FROM y"
            ),
            format!(
                "SELECT t.id, 0 AS v FROM t JOIN u AS k ON {guard} AND {holds} AND k.w = 3",
                guard = of_t(guard),
                holds = of_t(holds)
            ),
            format!(
                "SELECT id, 0 AS v FROM (SELECT id, count(*) FILTER (WHERE {guard} AND {holds}) AS n FROM t GROUP BY \
                 id) AS z WHERE n > 0"
            ),
            format!("SELECT id, 0 AS v FROM t WHERE {guard} AND {holds} UNION ALL SELECT id, 0 FROM t WHERE id > 9"),
        ] {
            match rows(&place) {
                Ok(rows) if rows == ["1 0", "3 0"] => {}
                other => failed.push(format!("{place}: {other:?}")),
            }
        }
        let value = format!("SELECT id, CASE WHEN {guard} THEN CAST({value} AS BIGINT) * 0 END AS v FROM t");
        let expected = ["1 0", "2 null", "3 0"];
        match rows(&value) {
            Ok(rows) if rows == expected => {}
            other => failed.push(format!("{value}: {other:?}")),
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

/// Qualifies the columns with the table's name.
fn of_t(sql: &str) -> String {
    let mut out = sql.to_owned();
    for column in ["id", "s", "i", "j"] {
        let words: Vec<String> = out.split(' ').map(|word| replaced(word, column)).collect();
        out = words.join(" ");
    }
    out
}

fn replaced(word: &str, column: &str) -> String {
    if word.trim_matches(['(', ')', ',']) == column {
        word.replace(column, &format!("t.{column}"))
    } else {
        word.replace(&format!("({column},"), &format!("(t.{column},"))
    }
}

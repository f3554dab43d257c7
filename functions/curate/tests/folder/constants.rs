//! Conditions that are the same for every row, or become so during planning. Nothing is computed from the rows that
//! they remove.

use serde_json::json;

use crate::place::Place;

/// Answers queries over `t`, with the ids 1 and 2, and `u`, which is empty.
fn answers(queries: &[String]) -> Vec<Vec<String>> {
    let place = Place::new();
    for name in ["t", "u"] {
        place.table("raw", name, &["id long", "s character"], json!({"checks": {"minimum_rows": 0}}));
    }
    place.raw("t", 100, "jsonl", "{\"id\": 1, \"s\": \"a\"}\n{\"id\": 2, \"s\": \"b\"}");
    place.raw("u", 100, "jsonl", "");
    place.answers(queries)
}

#[test]
fn joins_on_what_is_never_or_always_so() {
    let never = ["false", "1 = 2", "CAST(NULL AS BOOLEAN)", "z.k = 'y'", "z.k IS NULL", "z.k = 'y' AND true"];
    let always = ["true", "z.k = 'x'", "z.k IS NOT NULL", "1 = 1"];
    // a subquery to join, and its number of rows
    let joined = [
        ("(SELECT 'x' AS k, count(*) AS c FROM t)", 1),
        ("(SELECT 'x' AS k, count(*) AS c FROM u)", 1),
        ("(SELECT 'x' AS k, id, count(*) AS c FROM t GROUP BY ROLLUP (id))", 3),
        ("(SELECT 'x' AS k, id, count(*) AS c FROM u GROUP BY GROUPING SETS ((id), ()))", 1),
        ("(SELECT 'x' AS k, id AS c FROM t)", 2),
        ("(SELECT 'x' AS k, id AS c FROM u)", 0),
    ];
    let (mut queries, mut expected) = (Vec::new(), Vec::new());
    for (conditions, so) in [(never.as_slice(), false), (always.as_slice(), true)] {
        for condition in conditions {
            for (of, rows) in joined {
                for (join, shown, count) in [
                    ("LEFT JOIN", "t.s || coalesce(z.k, '-')", if so && rows > 0 { 2 * rows } else { 2 }),
                    ("RIGHT JOIN", "coalesce(t.s, '-') || z.k", if so { 2 * rows } else { rows }),
                    (
                        "FULL JOIN",
                        "coalesce(t.s, '-') || coalesce(z.k, '-')",
                        match (so, rows) {
                            (true, 0) => 2,
                            (true, rows) => 2 * rows,
                            (false, rows) => 2 + rows,
                        },
                    ),
                    ("JOIN", "t.s || z.k", if so { 2 * rows } else { 0 }),
                    ("LEFT SEMI JOIN", "t.s", if so && rows > 0 { 2 } else { 0 }),
                    ("LEFT ANTI JOIN", "t.s", if so && rows > 0 { 0 } else { 2 }),
                ] {
                    queries.push(format!("SELECT {shown} AS v FROM t {join} {of} AS z ON {condition}"));
                    expected.push(count);
                }
            }
        }
    }
    for ((query, rows), expected) in queries.iter().zip(answers(&queries)).zip(expected) {
        assert_eq!(rows.len(), expected, "{query}: {rows:?}");
    }
}

#[test]
fn totals_of_a_label_that_nobody_asked_for() {
    let labels = "SELECT 'a' AS label, count(*) AS n FROM t UNION ALL SELECT 'b', count(*) FROM u";
    let rolled = "SELECT 'a' AS label, id, count(*) AS n FROM t GROUP BY ROLLUP (id)";
    let cases = [
        (format!("SELECT label || n AS v FROM ({labels}) AS z WHERE label = 'a'"), vec!["a2"]),
        (format!("SELECT label || n AS v FROM ({labels}) AS z WHERE label = 'b' AND n = 0"), vec!["b0"]),
        (format!("SELECT label || n AS v FROM ({labels}) AS z WHERE label = 'c'"), vec![]),
        (
            format!("SELECT label || n AS v FROM (SELECT * FROM ({labels}) AS y WHERE n >= 0) AS z WHERE label = 'a'"),
            vec!["a2"],
        ),
        (format!("SELECT label || n AS v FROM ({rolled}) AS z WHERE label = 'b'"), vec![]),
        (format!("SELECT label || n AS v FROM ({rolled}) AS z WHERE label = 'a' AND id = 1"), vec!["a1"]),
        ("SELECT CAST(count(*) AS STRING) AS v FROM t HAVING 1 = 2".into(), vec![]),
        ("SELECT CAST(count(*) AS STRING) AS v FROM t HAVING count(*) = 2 AND 1 = 1".into(), vec!["2"]),
        (
            "SELECT CAST(n AS STRING) AS v FROM (SELECT count(*) AS n FROM t) AS z WHERE CAST(NULL AS BOOLEAN)".into(),
            vec![],
        ),
    ];
    let queries: Vec<String> = cases.iter().map(|(query, _)| query.clone()).collect();
    for ((query, expected), rows) in cases.iter().zip(answers(&queries)) {
        assert_eq!(rows, *expected, "{query}");
    }
}

#[test]
fn what_is_sorted_by_may_be_null_above_grouping_sets_and_outer_joins() {
    let sets = "SELECT k, grouping(k) AS g FROM (SELECT 'x' AS k, id FROM t) AS z GROUP BY GROUPING SETS ((k), ())";
    let equal = "SELECT id, j FROM (SELECT id, id AS j FROM t WHERE id = 1) AS z GROUP BY GROUPING SETS ((id), (j))";
    let joined =
        |join: &str| format!("SELECT z.k FROM t {join} (SELECT 'x' AS k, id FROM t WHERE id = 2) AS z ON t.id = z.id");
    let first =
        |of: &str, order: &str| format!("SELECT coalesce(k, '-') AS v FROM ({of}) AS y ORDER BY {order} LIMIT 1");
    let ids = |order: &str| {
        format!("SELECT coalesce(CAST(id AS STRING), '-') AS v FROM ({equal}) AS y ORDER BY {order} LIMIT 1")
    };
    let cases = [
        (first(sets, "k NULLS FIRST"), "-"),
        (first(sets, "k NULLS LAST"), "x"),
        (first(sets, "k DESC NULLS FIRST"), "-"),
        (first(sets, "k DESC NULLS LAST, g"), "x"),
        (ids("id NULLS FIRST"), "-"),
        (ids("id NULLS LAST"), "1"),
        (ids("j NULLS FIRST, id"), "1"),
        (ids("j NULLS LAST, id"), "-"),
        (first(&joined("LEFT JOIN"), "k NULLS FIRST"), "-"),
        (first(&joined("LEFT JOIN"), "k NULLS LAST"), "x"),
        (first(&joined("FULL JOIN"), "k NULLS FIRST"), "-"),
        (first(&joined("FULL JOIN"), "k NULLS LAST"), "x"),
    ];
    let queries: Vec<String> = cases.iter().map(|(query, _)| query.clone()).collect();
    for ((query, expected), rows) in cases.iter().zip(answers(&queries)) {
        assert_eq!(rows, [*expected], "{query}");
    }
}

#[test]
fn windows_in_an_order_of_bytes_structs_and_times() {
    let cases: Vec<(String, Vec<&str>)> = ["CAST(s AS BINARY)", "named_struct('s', s)", "make_array(s)", "s", "id = 2"]
        .into_iter()
        .flat_map(|key| {
            let over = |what: &str, frame: &str| {
                format!("SELECT CAST({what} OVER (ORDER BY {key} NULLS LAST{frame}) AS STRING) AS v FROM t")
            };
            [
                (over("rank()", ""), vec!["1", "2"]),
                (over("count(*)", ""), vec!["1", "2"]),
                (over("sum(id)", " RANGE BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING"), vec!["2", "3"]),
                (over("sum(id)", " RANGE BETWEEN CURRENT ROW AND CURRENT ROW"), vec!["1", "2"]),
            ]
        })
        .collect();
    let queries: Vec<String> = cases.iter().map(|(query, _)| query.clone()).collect();
    for ((query, expected), rows) in cases.iter().zip(answers(&queries)) {
        assert_eq!(rows, *expected, "{query}");
    }
}

/// Evaluates `IN` or `NOT IN` as SQL does. Null is `None`.
fn is_in(value: Option<i64>, list: &[Option<i64>], negated: bool) -> Option<bool> {
    let value = value?;
    let found = match list.contains(&Some(value)) {
        true => Some(true),
        false if list.contains(&None) => None,
        false => Some(false),
    };
    found.map(|found| found != negated)
}

fn both(one: Option<bool>, other: Option<bool>) -> Option<bool> {
    match (one, other) {
        (Some(false), _) | (_, Some(false)) => Some(false),
        (Some(true), Some(true)) => Some(true),
        _ => None,
    }
}

#[test]
fn two_lists_of_one_value_beside_each_other() {
    let lists: [&[Option<i64>]; 5] = [
        &[Some(1)],
        &[Some(2), None],
        &[Some(1), Some(3), Some(4), Some(5), Some(6)],
        &[Some(2), Some(3), Some(4), Some(5), None],
        &[None],
    ];
    let text = |value: &Option<i64>| value.map_or_else(|| "NULL".to_owned(), |value| value.to_string());
    let (mut queries, mut expected) = (Vec::new(), Vec::new());
    for (of, values) in [("id", [Some(1), Some(2)]), ("nullif(id, 2)", [Some(1), None])] {
        for (one, other, not) in (0..100).map(|n| (lists[n % 5], lists[n / 5 % 5], n / 25)) {
            let (not_one, not_other) = (not & 1 == 1, not & 2 == 2);
            let word = |list: &[Option<i64>], not: bool| {
                let list: Vec<String> = list.iter().map(text).collect();
                format!("{of} {}IN ({})", if not { "NOT " } else { "" }, list.join(", "))
            };
            for operator in ["AND", "OR"] {
                let condition = format!("{} {operator} {}", word(one, not_one), word(other, not_other));
                queries.push(format!("SELECT id || coalesce(CAST(({condition}) AS STRING), 'null') AS v FROM t"));
                let answer = |value: &Option<i64>| {
                    let (one, other) = (is_in(*value, one, not_one), is_in(*value, other, not_other));
                    match operator {
                        "AND" => both(one, other),
                        _ => both(one.map(|so| !so), other.map(|so| !so)).map(|so| !so),
                    }
                };
                let shown = values.iter().map(answer).map(|so| so.map_or_else(|| "null".into(), |so| so.to_string()));
                expected.push(shown.zip(1..).map(|(so, id)| format!("{id}{so}")).collect::<Vec<String>>());
            }
        }
    }
    for (queries, expected) in queries.chunks(100).zip(expected.chunks(100)) {
        for ((query, rows), expected) in queries.iter().zip(answers(queries)).zip(expected) {
            assert_eq!(rows, *expected, "{query}");
        }
    }
}

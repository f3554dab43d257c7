//! Clauses of SQL that DataFusion's planner would drop, or confuse with others.

use serde_json::json;

use crate::place::Place;

/// `t` has (1, A), (2, A), (3, B); `u` has (2, A), (4, C).
fn place() -> Place {
    let place = Place::new();
    for table in ["t", "u"] {
        place.table("raw", table, &["id long", "k character"], json!({}));
    }
    place.raw("t", 100, "jsonl", "{\"id\": 1, \"k\": \"A\"}\n{\"id\": 2, \"k\": \"A\"}\n{\"id\": 3, \"k\": \"B\"}");
    place.raw("u", 100, "jsonl", "{\"id\": 2, \"k\": \"A\"}\n{\"id\": 4, \"k\": \"C\"}");
    place
}

fn assert_answers(asked: &[(String, Vec<String>)]) {
    let queries: Vec<String> = asked.iter().map(|(query, _)| query.clone()).collect();
    for ((query, expected), found) in asked.iter().zip(place().answers(&queries)) {
        assert_eq!(&found, expected, "{query}");
    }
}

#[test]
fn comparisons_with_all_and_any_rows_of_a_query() {
    let (t, u): (&[i64], &[i64]) = (&[1, 2, 3], &[2, 4]);
    type Holds = fn(i64, i64) -> bool;
    let operators: [(&str, Holds); 6] = [
        ("=", |a, b| a == b),
        ("<>", |a, b| a != b),
        (">", |a, b| a > b),
        (">=", |a, b| a >= b),
        ("<", |a, b| a < b),
        ("<=", |a, b| a <= b),
    ];
    let mut asked = Vec::new();
    for (operator, holds) in operators {
        for (of, rows) in [("t", t), ("u", u)] {
            // with the same names inside and outside, in WHERE and HAVING, and for a table that is read twice
            for inner in [
                format!("SELECT id FROM {of}"),
                format!("SELECT {of}.id FROM {of}"),
                format!("SELECT t.id FROM {of} AS t"),
                format!("SELECT max(id) AS id FROM {of} GROUP BY id"),
                format!("SELECT id FROM {of} ORDER BY id LIMIT 9"),
                format!("WITH t AS (SELECT id FROM {of}) SELECT id FROM t"),
            ] {
                for (quantifier, all) in [("ALL", true), ("ANY", false), ("SOME", false)] {
                    let is_in = |id: &&i64| {
                        if all {
                            rows.iter().all(|other| holds(**id, *other))
                        } else {
                            rows.iter().any(|other| holds(**id, *other))
                        }
                    };
                    let expected: Vec<String> = t.iter().filter(is_in).map(i64::to_string).collect();
                    for query in [
                        format!("SELECT CAST(id AS STRING) AS v FROM t WHERE id {operator} {quantifier} ({inner})"),
                        format!(
                            "SELECT CAST(id AS STRING) AS v FROM t GROUP BY id HAVING id {operator} {quantifier} \
                             ({inner})"
                        ),
                    ] {
                        asked.push((query, expected.clone()));
                    }
                }
            }
        }
    }
    assert_answers(&asked);
}

#[test]
fn groups_with_rollup_are_those_of_rollup() {
    let answer = |rows: &[&str]| rows.iter().map(|row| (*row).to_owned()).collect::<Vec<_>>();
    let asked = |sql: &str, rows: &[&str]| {
        (format!("SELECT concat_ws(':', k, CAST(count(*) AS STRING)) AS v FROM t {sql}"), answer(rows))
    };
    let all = ["3", "A:2", "B:1"];
    assert_answers(&[
        asked("GROUP BY k WITH ROLLUP", &all),
        asked("GROUP BY k WITH CUBE", &all),
        asked("GROUP BY ROLLUP (k)", &all),
        asked("GROUP BY k GROUPING SETS ((k), ())", &all),
        asked("GROUP BY k", &all[1..]),
    ]);
}

#[test]
fn a_recursive_query_needs_no_table() {
    let recursive = "WITH RECURSIVE z AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM z WHERE n < 3)";
    let numbers = |rows: &[&str]| rows.iter().map(|row| (*row).to_owned()).collect::<Vec<_>>();
    assert_answers(&[
        (format!("{recursive} SELECT CAST(n AS STRING) AS v FROM z"), numbers(&["1", "2", "3"])),
        (format!("{recursive} SELECT CAST(n AS STRING) AS v FROM z WHERE n > 1"), numbers(&["2", "3"])),
        (format!("{recursive} SELECT k AS v FROM z JOIN t ON t.id = z.n"), numbers(&["A", "A", "B"])),
    ]);
}

#[test]
fn text_is_made_as_long_as_memory_holds_and_no_longer() {
    for call in [
        "lpad(k, 1000000000, 'x')",
        "rpad(k, CAST(id * 1000000000 AS INT))",
        "repeat(k, 2000000000)",
        "repeat(repeat(k, 1000000), 1000)",
    ] {
        let place = place();
        place.table("curated", "q", &["v character"], json!({}));
        place.sql("curated", "q", &format!("SELECT {call} AS v FROM t"));
        place.table("curated", "sound", &["v character"], json!({}));
        place.sql("curated", "sound", "SELECT k AS v FROM t");
        let built = place.run(&contract::message::RebuildRequest::default(), 2).unwrap();
        assert_eq!(built.failed.iter().map(|failed| failed.table.as_str()).collect::<Vec<_>>(), ["q"], "{call}");
        assert!(built.failed[0].message.contains("MiB of text"), "{call}: {}", built.failed[0].message);
    }
    let long = "SELECT CAST(length(repeat(lpad(k, 1000, '-'), 1000)) AS STRING) AS v FROM t WHERE id = 1";
    assert_answers(&[(long.to_owned(), vec!["1000000".into()])]);
}

#[test]
fn rows_are_in_the_order_of_the_column_that_is_named() {
    // `id` is a column of `t`, and also the name of a column of the query, which has the opposite order. A CAST of
    // `t.id` itself is refused, because DataFusion cannot tell the two apart.
    let mut asked = Vec::new();
    for made in ["0 - t.id", "t.id + 1", "t.id", "CAST(t.id + 0 AS INT)"] {
        for group in ["", " GROUP BY 1, 2", " GROUP BY t.k, t.id"] {
            for (order, expected) in [("id DESC", "-1"), ("id", "-3"), ("id DESC NULLS LAST, n", "-1"), ("1", "-3")] {
                let query = format!("SELECT 0 - t.id AS id, {made} AS n FROM t{group} ORDER BY {order} LIMIT 1");
                asked.push((format!("SELECT CAST(id AS STRING) AS v FROM ({query}) AS q"), vec![expected.to_owned()]));
            }
        }
    }
    assert_answers(&asked);
}

#[test]
fn conditions_on_both_sides_of_an_outer_join_are_kept() {
    // `t` joined with itself by k: (1, 1), (1, 2), (2, 1), (2, 2), (3, 3)
    let mut asked = Vec::new();
    for join in ["JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"] {
        for condition in [
            "a.id IS NOT DISTINCT FROM b.id",
            "b.id IS NOT DISTINCT FROM a.id",
            "NOT (a.id IS DISTINCT FROM b.id)",
            "coalesce(a.id = b.id, false)",
            "a.id = b.id",
        ] {
            for more in
                ["", " AND b.id > 0", " AND a.id > 0", " AND b.k IS NOT NULL", " AND a.k IS NOT NULL AND b.id < 9"]
            {
                let on = "a.k = b.k";
                let query = format!(
                    "SELECT CAST(a.id AS STRING) AS v FROM t AS a {join} t AS b ON {on} WHERE {condition}{more}"
                );
                asked.push((query, ["1", "2", "3"].map(str::to_owned).to_vec()));
            }
        }
    }
    assert_answers(&asked);
}

//! What DataFusion takes for sorted, for one value, or for the same in all rows. From that it drops sorts and whole
//! comparisons.

use serde_json::json;

use crate::place::Place;

/// Runs queries that return one text per row. Returns the sorted rows of each.
fn answers(queries: &[String]) -> Vec<Vec<String>> {
    let place = Place::new();
    place.table("raw", "t", &["id long", "s character"], json!({}));
    place.raw("t", 100, "jsonl", "{\"id\": 1, \"s\": \"a\"}\n{\"id\": 2}");
    place.answers(queries)
}

#[test]
fn a_condition_that_many_values_meet_leaves_no_single_one() {
    // a condition on x, and values that meet it, in ascending order
    let conditions: &[(&str, &[&str])] = &[
        (
            "CAST(x AS DATE) = DATE '2026-01-01'",
            &["TIMESTAMP '2026-01-01 01:00:00'", "TIMESTAMP '2026-01-01 02:00:00'"],
        ),
        (
            "CAST(x AS DATE) IN (DATE '2026-01-01')",
            &["TIMESTAMP '2026-01-01 01:00:00'", "TIMESTAMP '2026-01-01 02:00:00'"],
        ),
        (
            "date_trunc('day', x) = TIMESTAMP '2026-01-01 00:00:00'",
            &["TIMESTAMP '2026-01-01 01:00:00'", "TIMESTAMP '2026-01-01 02:00:00'"],
        ),
        ("CAST(x AS INT) = 1", &["1.2e0", "1.7e0"]),
        ("CAST(x AS INT) = 1", &["1.2", "1.4"]),
        ("TRY_CAST(x AS INT) = 1", &["'01'", "'1'"]),
        ("CAST(x AS BOOLEAN)", &["1", "8"]),
        ("CAST(x AS BOOLEAN)", &["1.0e0", "8.0e0"]),
        ("CAST(x AS BOOLEAN) = true AND x > 0", &["1", "8"]),
        ("NOT (CAST(x AS BOOLEAN) = false)", &["1", "8"]),
        ("CAST(x AS BOOLEAN)", &["'t'", "'true'"]),
        ("x / 10 = 0", &["1", "8"]),
        ("x % 10 >= 0 AND x / 10 = 0", &["1", "8"]),
        ("x * 0 = 0", &["1", "8"]),
        ("x + 1e0 = 1e0", &["0.0e0", "1.0e-30"]),
        ("x * 1e-300 = 0e0", &["1e-40", "1e-30"]),
        ("CAST(x AS FLOAT) = CAST(1 AS FLOAT)", &["1.0e0", "1.0000000001e0"]),
        ("CAST(x AS DECIMAL(10, 0)) = 1", &["0.75", "1.25"]),
        ("x BETWEEN 1 AND 1.4e0 AND CAST(x AS BIGINT) = 1", &["1.2e0", "1.3e0"]),
    ];
    let (mut queries, mut expected) = (Vec::new(), Vec::new());
    for (condition, values) in conditions {
        for reversed in [false, true] {
            for descending in [false, true] {
                let mut rows: Vec<_> = values.iter().enumerate().map(|(n, value)| format!("({value}, {n})")).collect();
                if reversed {
                    rows.reverse();
                }
                let order = if descending { "DESC" } else { "ASC" };
                let from = format!("(VALUES {}) AS z (x, n) WHERE {condition}", rows.join(", "));
                let place = |n: usize| if descending { values.len() - n } else { n + 1 };
                let all: Vec<_> = (0..values.len()).map(|n| format!("{n} is {}", place(n))).collect();
                let shown = "CAST(n AS STRING) || ' is ' || CAST(r AS STRING) AS v";
                for rank in ["row_number()", "rank()"] {
                    queries.push(format!(
                        "SELECT {shown} FROM (SELECT n, {rank} OVER (ORDER BY x {order}) AS r FROM {from}) AS y"
                    ));
                    expected.push(all.clone());
                }
                let first = if descending { values.len() - 1 } else { 0 };
                queries.push(format!("SELECT CAST(n AS STRING) AS v FROM {from} ORDER BY x {order} LIMIT 1"));
                expected.push(vec![first.to_string()]);
                queries.push(format!("SELECT CAST(first_value(n ORDER BY x {order}) AS STRING) AS v FROM {from}"));
                expected.push(vec![first.to_string()]);
            }
        }
    }
    let answers = answers(&queries);
    for ((query, expected), answer) in queries.iter().zip(expected).zip(answers) {
        assert_eq!(answer, expected, "{query}");
    }
}

#[test]
fn what_is_one_value_below_an_outer_join_is_null_beside_it() {
    let one = "(SELECT 6 AS c, id FROM t) AS a";
    let (mut queries, mut expected) = (Vec::new(), Vec::new());
    // the rows that have a partner, by id: none, the first, both
    for (condition, matched) in [("CAST(NULL AS BOOLEAN)", 0), ("a.id = b.id AND a.id = 1", 1), ("a.id = b.id", 2)] {
        for (join, left, right) in [("LEFT", true, false), ("RIGHT", false, true), ("FULL", true, true)] {
            let alone = 2 - matched;
            let sixes = matched + if left { alone } else { 0 };
            let nulls = if right { alone } else { 0 };
            for (order, nulls_first) in
                [("c NULLS FIRST", true), ("c DESC NULLS LAST", false), ("c DESC NULLS FIRST", true)]
            {
                let from = format!("{one} {join} JOIN t AS b ON {condition}");
                let text = "coalesce(CAST(c AS STRING), 'null') AS v";
                queries.push(format!("SELECT {text} FROM {from} ORDER BY {order} LIMIT 1"));
                let null_is_first = nulls > 0 && (nulls_first || sixes == 0);
                expected.push(vec![if null_is_first { "null" } else { "6" }.to_owned()]);
                let row = "CAST(row_number() OVER (ORDER BY {order}) AS STRING)".replace("{order}", order);
                queries.push(format!("SELECT coalesce(CAST(c AS STRING), 'null') || ' ' || {row} AS v FROM {from}"));
                let (first, second) =
                    if nulls_first { (("null", nulls), ("6", sixes)) } else { (("6", sixes), ("null", nulls)) };
                let all = std::iter::repeat_n(first.0, first.1).chain(std::iter::repeat_n(second.0, second.1));
                expected.push(all.enumerate().map(|(n, text)| format!("{text} {}", n + 1)).collect());
            }
        }
    }
    for ((query, mut found), mut expected) in queries.iter().zip(answers(&queries)).zip(expected) {
        found.sort();
        expected.sort();
        assert_eq!(found, expected, "{query}");
    }
}

#[test]
fn what_a_window_gives_is_sorted_where_it_is_asked_for() {
    let frames = [
        "ROWS BETWEEN 2 PRECEDING AND 1 PRECEDING",
        "ROWS BETWEEN 1 FOLLOWING AND 2 FOLLOWING",
        "ROWS BETWEEN 1 PRECEDING AND CURRENT ROW",
        "ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING",
        "ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW",
        "ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING",
        "ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING",
        "ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING",
    ];
    let rows = "(VALUES (1, 5), (2, NULL), (3, 2), (4, 7), (5, NULL)) AS z (n, x)";
    let (mut queries, mut checked) = (Vec::new(), Vec::new());
    for of in ["max(x)", "min(x)", "sum(x)", "count(x)", "max(3.25)", "min(3)", "count(*)", "first_value(x)", "avg(n)"]
    {
        for frame in frames {
            for by in ["ORDER BY n", "PARTITION BY n > 2 ORDER BY n DESC"] {
                let of = format!("SELECT n, CAST({of} OVER ({by} {frame}) AS DOUBLE) AS w FROM {rows}");
                for (order, descending, nulls_first) in [
                    ("ASC NULLS LAST", false, false),
                    ("ASC NULLS FIRST", false, true),
                    ("DESC NULLS LAST", true, false),
                ] {
                    let number = format!("row_number() OVER (ORDER BY w {order}, n)");
                    let shown = "coalesce(CAST(w AS STRING), 'null') || ' ' || CAST(n AS STRING)";
                    queries.push(format!(
                        "SELECT lpad(CAST({number} AS STRING), 2, '0') || ' ' || {shown} AS v FROM ({of}) AS y"
                    ));
                    checked.push((descending, nulls_first));
                }
            }
        }
    }
    for (query, (answer, (descending, nulls_first))) in queries.iter().zip(answers(&queries).into_iter().zip(checked)) {
        let rows = answer.iter().map(|row| {
            let mut parts = row.split(' ').skip(1);
            let value: Option<f64> = parts.next().and_then(|value| value.parse().ok());
            (value, parts.next().and_then(|n| n.parse::<i64>().ok()))
        });
        let rows: Vec<_> = rows.collect();
        let mut sorted = rows.clone();
        sorted.sort_by(|(one, n), (other, m)| {
            let of_values = match (one, other) {
                (Some(one), Some(other)) if descending => other.total_cmp(one),
                (Some(one), Some(other)) => one.total_cmp(other),
                (one, other) if nulls_first => one.is_some().cmp(&other.is_some()),
                (one, other) => one.is_none().cmp(&other.is_none()),
            };
            of_values.then(n.cmp(m))
        });
        assert_eq!(rows, sorted, "{query}");
    }
}

#[test]
fn an_item_of_a_list_is_what_it_is_in_each_row() {
    // an item that is 7 where id is 1, and its value where id is 2
    let items = [
        ("CASE id WHEN 1 THEN 7 END", None),
        ("CASE WHEN id = 1 THEN 7 END", None),
        ("CASE id WHEN id THEN 7 END", Some(7)),
        ("CASE id WHEN 1 THEN 7 ELSE 8 END", Some(8)),
        ("nullif(id + 6, 8)", None),
        ("nullif(6 + id, 100)", Some(8)),
        ("coalesce(CASE id WHEN 1 THEN 7 END, 9)", Some(9)),
        ("7 / nullif(2 - id, 0)", None),
        ("CAST(CASE id WHEN 1 THEN '7' END AS BIGINT)", None),
        ("id + 6", Some(8)),
        ("nvl2(s, 7, 1)", Some(1)),
        ("CAST(nullif(CAST(id AS DOUBLE) + 6e0, 8e0) AS BIGINT)", None),
    ];
    let (mut queries, mut expected) = (Vec::new(), Vec::new());
    for (item, of_second) in items {
        for of in [4, 7, 8] {
            for other in [Some(9), None] {
                for negated in [false, true] {
                    for first in [false, true] {
                        let other_item = other.map_or("NULL".to_owned(), |other: i64| other.to_string());
                        let list =
                            if first { format!("{item}, {other_item}") } else { format!("{other_item}, {item}") };
                        let not = if negated { "NOT " } else { "" };
                        let condition = format!("CAST({of} AS BIGINT) {not}IN ({list})");
                        let mut rows = Vec::new();
                        for (id, item) in [(1, Some(7)), (2, of_second)] {
                            let is_in = if [item, other].contains(&Some(of)) {
                                Some(true)
                            } else {
                                (item.is_some() && other.is_some()).then_some(false)
                            };
                            rows.push((id, is_in.map(|is_in| is_in != negated)));
                        }
                        let told = |is: Option<bool>| is.map_or("null".to_owned(), |is| is.to_string());
                        queries.push(format!(
                            "SELECT CAST(id AS STRING) || coalesce(CAST(({condition}) AS STRING), 'null') AS v FROM t"
                        ));
                        expected.push(rows.iter().map(|(id, is)| format!("{id}{}", told(*is))).collect::<Vec<_>>());
                        queries.push(format!("SELECT CAST(id AS STRING) AS v FROM t WHERE {condition}"));
                        let met = rows.iter().filter(|(_, is)| *is == Some(true)).map(|(id, _)| id.to_string());
                        expected.push(met.collect());
                    }
                }
            }
        }
    }
    for ((query, expected), answer) in queries.iter().zip(expected).zip(answers(&queries)) {
        assert_eq!(answer, expected, "{query}");
    }
}

#[test]
fn a_nan_that_is_made_is_greater_than_all_numbers_and_one_value() {
    // x is infinite, z is 0
    let made = [
        "z / z",
        "x - x",
        "x * z",
        "x % z",
        "-(z / z)",
        "ln(-1e0 - z)",
        "acos(2e0 + z)",
        "-CAST('NaN' AS DOUBLE) - z",
        "power(-8e0 + z, 0.5e0)",
        "sin(x)",
        "x + -x",
        "CAST(z / z AS FLOAT)",
    ];
    let from = "(VALUES (CAST('Infinity' AS DOUBLE), 0e0, 1), (CAST('Infinity' AS DOUBLE), 0e0, 2)) AS t (x, z, n)";
    let aggregated = ["sum(CASE WHEN n = 1 THEN x ELSE -x END)", "avg(CASE WHEN n = 1 THEN x ELSE -x END)"];
    let (mut queries, mut expected) = (Vec::new(), Vec::new());
    let mut ask = |sql: String, answer: &[&str]| {
        queries.push(sql);
        expected.push(answer.iter().map(|row| (*row).to_owned()).collect::<Vec<_>>());
    };
    let made = made.map(|made| format!("SELECT {made} AS d, n FROM {from}"));
    let aggregated = aggregated.map(|of| format!("SELECT {of} AS d, 1 AS n FROM {from}"));
    for of in made.iter().chain(&aggregated) {
        let and_one = format!(
            "SELECT CAST(d AS DOUBLE) AS d, n FROM ({of}) AS a WHERE n = 1 UNION ALL SELECT 1e0 AS d, 2 AS n FROM t"
        );
        let number = "row_number() OVER (ORDER BY d DESC, n)";
        ask(
            format!(
                "SELECT CAST(n AS STRING) AS v FROM (SELECT n, {number} AS r FROM ({and_one}) AS b) AS c WHERE r = 1"
            ),
            &["1"],
        );
        ask(format!("SELECT CAST(n AS STRING) AS v FROM ({and_one}) AS b ORDER BY d DESC, n LIMIT 1"), &["1"]);
        ask(format!("SELECT CAST(n AS STRING) AS v FROM ({of}) AS a WHERE n = 1 AND d > 1e300"), &["1"]);
        ask(
            format!("SELECT CAST(n AS STRING) AS v FROM ({of}) AS a WHERE n = 1 AND d = CAST('NaN' AS DOUBLE)"),
            &["1"],
        );
        ask(format!("SELECT CAST(max(d) AS STRING) AS v FROM ({and_one}) AS b"), &["NaN"]);
        ask(
            format!(
                "SELECT CAST(count(*) AS STRING) AS v FROM (SELECT DISTINCT d FROM (SELECT CAST(d AS DOUBLE) AS d \
                 FROM ({of}) AS a UNION ALL SELECT CAST('NaN' AS DOUBLE) AS d FROM t) AS b) AS c"
            ),
            &["1"],
        );
    }
    for ((query, expected), answer) in queries.iter().zip(expected).zip(answers(&queries)) {
        assert_eq!(answer, expected, "{query}");
    }
}

#[test]
fn a_cast_that_has_no_answer_is_null_in_each_comparison() {
    // `t.s` is `a` in one row and null in the other
    let (mut queries, mut expected) = (Vec::new(), Vec::new());
    for to in ["DATE", "BIGINT", "INT", "DOUBLE", "BOOLEAN", "TIMESTAMP", "DECIMAL(10, 2)"] {
        let null = format!("CAST(NULL AS {to})");
        for of in [
            format!("TRY_CAST(s AS {to})"),
            format!("TRY_CAST(s || '' AS {to})"),
            format!("TRY_CAST(concat(s, s) AS {to})"),
        ] {
            for (condition, is) in [
                (format!("{of} IS DISTINCT FROM {null}"), Some(false)),
                (format!("{null} IS DISTINCT FROM {of}"), Some(false)),
                (format!("{of} IS DISTINCT FROM NULL"), Some(false)),
                (format!("{of} IS NOT DISTINCT FROM {null}"), Some(true)),
                (format!("{of} IS NULL"), Some(true)),
                (format!("{of} = {null}"), None),
                (format!("{of} <> {null}"), None),
                (format!("{of} IN ({null})"), None),
                (format!("({of} = {null}) IS NULL"), Some(true)),
                (format!("coalesce({of}, {null}) IS NULL"), Some(true)),
                (format!("nullif({of}, {null}) IS NULL"), Some(true)),
            ] {
                let told = is.map_or("null".to_owned(), |is| is.to_string());
                queries.push(format!("SELECT coalesce(CAST(({condition}) AS STRING), 'null') AS v FROM t"));
                expected.push(vec![told.clone(), told]);
                queries.push(format!("SELECT CAST(id AS STRING) AS v FROM t WHERE {condition}"));
                expected.push(if is == Some(true) { vec!["1".to_owned(), "2".to_owned()] } else { Vec::new() });
            }
        }
    }
    for ((query, expected), answer) in queries.iter().zip(expected).zip(answers(&queries)) {
        assert_eq!(answer, expected, "{query}");
    }
}

#[test]
fn a_decimal_beside_a_double_is_a_double() {
    let third = "1e0 / 3e0";
    let n = "CAST('0.05' AS DECIMAL(10, 2))";
    let (mut queries, mut expected) = (Vec::new(), Vec::new());
    let mut ask = |sql: String, answer: &[&str]| {
        queries.push(sql);
        expected.push(answer.iter().map(|row| (*row).to_owned()).collect::<Vec<_>>());
    };
    let from = format!("(SELECT {third} AS x, {n} AS n, id FROM t) AS a");
    for of in [
        "coalesce(nullif(n, n), x)",
        "coalesce(x, n)",
        "nvl(x, n)",
        "nvl2(id, x, n)",
        "CASE WHEN id = 1 THEN x ELSE n END",
        "CASE id WHEN 2 THEN n ELSE x END",
        "greatest(x, n)",
        "least(x, n + 1)",
        "make_array(x, n)[1]",
        "coalesce(coalesce(CAST(NULL AS DECIMAL(4, 1)), n * NULL), x)",
    ] {
        ask(format!("SELECT CAST({of} AS STRING) AS v FROM {from} WHERE id = 1"), &["0.3333333333333333"]);
    }
    // a value computed from it is a double too, however far away
    let made = format!("(SELECT id, coalesce(nullif(n, n), x) AS v, n FROM {from} WHERE id = 1) AS b");
    for query in [
        format!("SELECT v FROM {made} UNION SELECT v FROM {made}"),
        format!("SELECT v FROM {made} UNION ALL SELECT v FROM {made} WHERE id > 1"),
        format!("SELECT v FROM (SELECT v FROM {made} UNION SELECT x FROM {from} WHERE id = 1) AS c GROUP BY v"),
        format!("SELECT v FROM {made} INTERSECT SELECT x FROM {from}"),
        format!("SELECT v FROM {made} EXCEPT SELECT n FROM {from}"),
        format!("SELECT (SELECT max(a.x) FROM {from} WHERE a.x = b.v) AS v FROM {made}"),
        format!("SELECT v FROM {made} WHERE EXISTS (SELECT 1 FROM {from} WHERE a.x = b.v)"),
        format!("SELECT v FROM {made} WHERE v IN (SELECT x FROM {from})"),
        format!("SELECT v FROM {made} WHERE v IN (SELECT a.x FROM {from} WHERE a.x = b.v)"),
        format!("SELECT max(v) OVER (ORDER BY v) AS v FROM {made}"),
        format!("SELECT lag(v, 0) OVER (ORDER BY id) AS v FROM {made}"),
        format!("SELECT a.v FROM {made} JOIN (SELECT v FROM {made}) AS a ON a.v = b.v"),
        format!("SELECT v FROM {made} FULL JOIN (SELECT v FROM {made}) AS a USING (v)"),
        format!("WITH c AS (SELECT v FROM {made}), d AS (SELECT v FROM c UNION SELECT v FROM c) SELECT v FROM d"),
        format!("SELECT w AS v FROM {made} CROSS JOIN UNNEST(make_array(v)) AS u (w)"),
        format!("SELECT CASE WHEN id = 2 THEN n ELSE v END AS v FROM {made}"),
    ] {
        ask(format!("SELECT CAST(v AS STRING) AS v FROM ({query}) AS q"), &["0.3333333333333333"]);
    }
    for union in ["UNION ALL", "UNION"] {
        ask(
            format!(
                "SELECT CAST(c AS STRING) AS v FROM (SELECT n AS c FROM {from} WHERE id = 1 {union} SELECT x FROM \
                 {from} WHERE id = 1) AS b"
            ),
            &["0.05", "0.3333333333333333"],
        );
        ask(
            format!(
                "SELECT CAST(c AS STRING) AS v FROM (SELECT x AS c FROM {from} WHERE id = 1 {union} SELECT n FROM \
                 {from} WHERE id = 1) AS b"
            ),
            &["0.05", "0.3333333333333333"],
        );
    }
    // a literal takes the type that the decimal needs
    ask(
        format!(
            "SELECT CAST(CAST(coalesce(nullif(n, n), 0.0) AS DECIMAL(10, 2)) AS STRING) AS v FROM {from} WHERE id = 1"
        ),
        &["0.00"],
    );
    ask(
        format!(
            "SELECT CAST(CAST(c AS DECIMAL(10, 2)) AS STRING) AS v FROM (SELECT n AS c FROM {from} WHERE id = 1 UNION \
             ALL SELECT -0.5 AS c) AS b"
        ),
        &["-0.50", "0.05"],
    );
    for ((query, expected), answer) in queries.iter().zip(expected).zip(answers(&queries)) {
        assert_eq!(answer, expected, "{query}");
    }
}

#[test]
fn both_zeros_are_one_where_rows_are_sorted() {
    let rows = "(VALUES (-0e0, 2), (0e0, 1), (-0e0, 3), (1e0, 0), (0e0, 4)) AS z (x, n)";
    let mut queries = Vec::new();
    for order in ["x, n", "x DESC, n", "x NULLS FIRST, n"] {
        let first = if order.contains("DESC") { "0" } else { "1" };
        queries.push((format!("SELECT CAST(n AS STRING) AS v FROM {rows} ORDER BY {order} LIMIT 1"), first));
        queries.push((format!("SELECT CAST(first_value(n ORDER BY {order}) AS STRING) AS v FROM {rows}"), first));
        let all = if order.contains("DESC") { "0,1,2,3,4" } else { "1,2,3,4,0" };
        queries.push((format!("SELECT string_agg(CAST(n AS STRING), ',' ORDER BY {order}) AS v FROM {rows}"), all));
        queries.push((format!("SELECT array_to_string(array_agg(n ORDER BY {order}), ',') AS v FROM {rows}"), all));
    }
    for (of, is) in [
        ("count(DISTINCT x)", "2"),
        ("array_length(array_agg(DISTINCT x))", "2"),
        ("sum(DISTINCT x + 1)", "3.0"),
        ("count(DISTINCT ceil(x - 0.5e0))", "2"),
        ("count(DISTINCT -x)", "2"),
    ] {
        queries.push((format!("SELECT CAST({of} AS STRING) AS v FROM {rows}"), is));
        queries.push((format!("SELECT CAST({of} AS STRING) AS v FROM {rows} GROUP BY n > 9"), is));
    }
    for distinct in ["SELECT DISTINCT x", "SELECT x FROM", "SELECT max(x) AS x"] {
        let of = match distinct {
            "SELECT DISTINCT x" => format!("SELECT DISTINCT x FROM {rows}"),
            "SELECT x FROM" => format!("SELECT x FROM {rows} UNION SELECT -x FROM {rows}"),
            _ => format!("SELECT max(n) AS x FROM {rows} GROUP BY x"),
        };
        let count = if distinct == "SELECT x FROM" { "3" } else { "2" };
        queries.push((format!("SELECT CAST(count(*) AS STRING) AS v FROM ({of}) AS a"), count));
    }
    let asked: Vec<_> = queries.iter().map(|(query, _)| query.clone()).collect();
    for ((query, expected), answer) in queries.iter().zip(answers(&asked)) {
        assert_eq!(answer, [*expected], "{query}");
    }
}

#[test]
fn the_extremes_of_doubles_are_any_double() {
    // in ascending order
    let doubles = [
        "CAST('-Infinity' AS DOUBLE)",
        "-1.7976931348623157e308",
        "-1e0",
        "0e0",
        "5e-324",
        "1.7976931348623157e308",
        "CAST('Infinity' AS DOUBLE)",
        "CAST('NaN' AS DOUBLE)",
    ];
    let (mut queries, mut expected) = (Vec::new(), Vec::new());
    for (least, one) in doubles.iter().enumerate() {
        for other in &doubles[least..] {
            for null in ["", ", (CAST(NULL AS DOUBLE), 1)"] {
                for to in ["DOUBLE", "FLOAT"] {
                    if to == "FLOAT" && [one, other].iter().any(|of| of.contains("308") || of.contains("324")) {
                        continue;
                    }
                    let from = format!(
                        "(SELECT CAST(x AS {to}) AS x, n FROM (VALUES ({other}, 1), ({one}, 1){null}) AS z (x, n)) AS y"
                    );
                    for group in ["", " GROUP BY n", " GROUP BY ROLLUP (n)"] {
                        for (of, is) in [("min(x)", one), ("max(x)", other)] {
                            queries.push(format!("SELECT CAST({of} AS STRING) AS v FROM {from}{group} LIMIT 1"));
                            expected
                                .push(format!("SELECT CAST(CAST({is} AS {to}) AS STRING) AS v FROM t WHERE id = 1"));
                        }
                    }
                }
            }
        }
    }
    let (answers, expected) = (answers(&queries), answers(&expected));
    for ((query, expected), answer) in queries.iter().zip(expected).zip(answers) {
        assert_eq!(answer, expected, "{query}");
    }
}

#[test]
fn a_null_equals_a_null_only_where_it_is_said() {
    // each table has all pairs of 1, 2 and null
    let rows = "(VALUES (1, 1), (1, 2), (1, NULL), (2, 1), (2, 2), (2, NULL), (NULL, 1), (NULL, 2), (NULL, NULL))";
    let values = [Some(1), Some(2), None];
    let pairs: Vec<_> = values.iter().flat_map(|x| values.iter().map(move |y| (*x, *y))).collect();
    let same = |of: &str, one: Option<i32>, other: Option<i32>| match of {
        "=" => one.is_some() && one == other,
        _ => one == other,
    };
    let operators = ["=", "IS NOT DISTINCT FROM"];
    let (mut queries, mut expected) = (Vec::new(), Vec::new());
    for first in operators {
        for second in operators {
            // two tables, two conditions
            let count = pairs.iter().flat_map(|a| pairs.iter().map(move |b| (a, b)));
            let count = count.filter(|((x, y), (v, w))| same(first, *x, *v) && same(second, *y, *w)).count();
            let (on, and) = (format!("a.x {first} b.x"), format!("a.y {second} b.y"));
            for from in [
                format!("{rows} AS a (x, y) JOIN {rows} AS b (x, y) ON {on} AND {and}"),
                format!("{rows} AS a (x, y) JOIN {rows} AS b (x, y) ON {on} WHERE {and}"),
                format!("{rows} AS a (x, y) CROSS JOIN {rows} AS b (x, y) WHERE {on} AND {and}"),
                format!("{rows} AS a (x, y), {rows} AS b (x, y) WHERE {and} AND {on}"),
                format!("{rows} AS a (x, y) LEFT SEMI JOIN {rows} AS b (x, y) ON {on} AND {and}"),
            ] {
                let semi = from.contains("SEMI");
                let some = |x, y| pairs.iter().any(|(v, w)| same(first, x, *v) && same(second, y, *w));
                let count = if semi { pairs.iter().filter(|(x, y)| some(*x, *y)).count() } else { count };
                queries.push(format!("SELECT CAST(count(*) AS STRING) AS v FROM {from}"));
                expected.push(count);
            }
            // three tables
            for third in operators {
                let mut count = 0;
                for (x, y) in &pairs {
                    for (_, w) in pairs.iter().filter(|(v, _)| same(first, *x, *v)) {
                        count += pairs.iter().filter(|(p, q)| same(second, *y, *p) && same(third, *w, *q)).count();
                    }
                }
                let (one, two) = (format!("a.y {second} c.x"), format!("b.y {third} c.y"));
                for from in [
                    format!(
                        "{rows} AS a (x, y) JOIN {rows} AS b (x, y) ON {on} JOIN {rows} AS c (x, y) ON {one} AND {two}"
                    ),
                    format!(
                        "{rows} AS a (x, y) JOIN {rows} AS b (x, y) ON {on} JOIN {rows} AS c (x, y) ON {one} WHERE \
                         {two}"
                    ),
                    format!(
                        "{rows} AS a (x, y), {rows} AS b (x, y), {rows} AS c (x, y) WHERE {two} AND {on} AND {one}"
                    ),
                    format!(
                        "{rows} AS a (x, y) JOIN ({rows} AS b (x, y) JOIN {rows} AS c (x, y) ON {two}) ON {on} AND \
                         {one}"
                    ),
                ] {
                    queries.push(format!("SELECT CAST(count(*) AS STRING) AS v FROM {from}"));
                    expected.push(count);
                }
            }
        }
    }
    for ((query, expected), answer) in queries.iter().zip(expected).zip(answers(&queries)) {
        assert_eq!(answer, [expected.to_string()], "{query}");
    }
}

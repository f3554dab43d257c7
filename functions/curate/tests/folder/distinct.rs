//! `count(DISTINCT …)` of every type, by group, next to sets that the test keeps itself.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::place::{Place, random};

/// A column: its name, its type, and a value of it for a number.
type Column = (&'static str, &'static str, fn(u64) -> Value);

const COLUMNS: &[Column] = &[
    ("text", "character", |n| json!(format!("value {n} of a text that is longer than twelve bytes"))),
    ("short", "character", |n| json!(if n % 3 == 0 { String::new() } else { format!("{}", n % 50) })),
    ("day", "date", |n| json!(format!("20{:02}-0{}-1{}", n % 40, 1 + n % 9, n % 10))),
    ("at", "timestamp(us)", |n| json!(format!("2026-11-28 10:00:{:02}.{:06}", n % 60, n % 1_000))),
    ("money", "decimal(38,9)", |n| json!(format!("{}.{:09}", n % 100, n % 7))),
    ("yes", "boolean", |n| json!(n % 2 == 0)),
    ("bytes", "binary", |n| json!(["AAAA", "AAEC", "/w==", "", "YWJj"][(n % 5) as usize])),
    ("number", "int", |n| json!(n % 300)),
    ("double", "double", |n| json!([0.0, -0.0, 0.1, 1.5, 2e300][(n % 5) as usize])),
];

/// Rows in groups, with nulls in the groups and in the values.
fn rows(count: usize, groups: u64, values: u64) -> Vec<Value> {
    let mut state = 7;
    let row = |_| {
        let group = (random(&mut state) >> 33) % groups;
        let mut row =
            json!({"g": if group == 0 { Value::Null } else { json!(group) }, "f": (random(&mut state) >> 33) % 4});
        for (name, _, value) in COLUMNS {
            let n = (random(&mut state) >> 33) % values;
            row[name] = if n % 11 == 1 { Value::Null } else { value(n) };
        }
        row
    };
    (0..count).map(row).collect()
}

/// The distinct values of each group, of rows that a filter takes.
fn expected(rows: &[Value], column: &str, takes: impl Fn(&Value) -> bool) -> BTreeMap<String, usize> {
    let mut sets: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for row in rows {
        let set = sets.entry(row["g"].to_string()).or_default();
        let value = if row[column].as_f64() == Some(0.0) { json!(0) } else { row[column].clone() };
        if !value.is_null() && takes(row) {
            set.insert(value.to_string());
        }
    }
    sets.into_iter().map(|(group, set)| (group, set.len())).collect()
}

fn place(rows: &[Value]) -> Place {
    let place = Place::new();
    let columns: Vec<String> = COLUMNS.iter().map(|(name, kind, _)| format!("{name} {kind}")).collect();
    let columns: Vec<&str> = ["g int", "f int"].into_iter().chain(columns.iter().map(String::as_str)).collect();
    place.table("raw", "t", &columns, json!({}));
    place.raw("t", 100, "jsonl", &rows.iter().map(Value::to_string).collect::<Vec<_>>().join("\n"));
    place
}

/// Builds a table of counts and compares it, group by group.
fn compare(place: &Place, rows: &[Value], columns: &[&str], filter: &str, takes: impl Fn(&Value) -> bool) {
    let counts = columns.iter().map(|name| format!("count(DISTINCT {name}){filter} AS c_{name}"));
    let counts: Vec<String> = counts.collect();
    let described: Vec<String> = columns.iter().map(|name| format!("c_{name} long")).collect();
    let described: Vec<&str> = ["g int"].into_iter().chain(described.iter().map(String::as_str)).collect();
    place.table("curated", "o", &described, json!({}));
    place.sql("curated", "o", &format!("SELECT g, {} FROM t GROUP BY g", counts.join(", ")));
    let mut found = place.rows(&place.build().unwrap(), "o");
    let expected: Vec<_> = columns.iter().map(|name| expected(rows, name, &takes)).collect();
    let mut right: Vec<String> = Vec::new();
    for group in expected[0].keys() {
        let counts: Vec<String> = expected.iter().map(|counts| counts[group].to_string()).collect();
        right.push(format!("{group} {}", counts.join(" ")));
    }
    found.sort();
    right.sort();
    assert_eq!(found, right, "{filter}");
}

#[test]
fn distinct_values_of_every_type_are_counted_by_group() {
    let rows = rows(20_000, 300, 2_000);
    let place = place(&rows);
    let all: Vec<&str> = COLUMNS.iter().map(|(name, ..)| *name).collect();
    compare(&place, &rows, &all, "", |_| true);
    compare(&place, &rows, &all, " FILTER (WHERE f > 1)", |row| row["f"].as_u64() > Some(1));
    compare(&place, &rows, &all, " FILTER (WHERE f > 9)", |_| false);
}

#[test]
fn distinct_values_that_memory_does_not_hold_are_counted_on_disk() {
    let rows = rows(120_000, 60_000, 400_000);
    let mut place = place(&rows);
    place.settings.memory_bytes = 1 << 20;
    compare(&place, &rows, &["day", "money", "short"], "", |_| true);
}

#[test]
fn distinct_values_are_counted_without_groups_and_in_windows() {
    let rows = rows(3_000, 40, 500);
    let place = place(&rows);
    let one_group = |row: &Value| {
        let mut row = row.clone();
        row["g"] = json!(1);
        row
    };
    let together: Vec<Value> = rows.iter().map(one_group).collect();
    for (name, ..) in COLUMNS {
        let count = expected(&together, name, |_| true)["1"];
        let of_groups: BTreeSet<usize> = expected(&rows, name, |_| true).into_values().collect();
        let answers = place.answers(&[
            format!("SELECT CAST(count(DISTINCT {name}) AS STRING) AS v FROM t"),
            format!(
                "SELECT DISTINCT CAST(n AS STRING) AS v
                 FROM (SELECT count(DISTINCT {name}) OVER (PARTITION BY g) AS n FROM t) AS z"
            ),
        ]);
        let mut right: Vec<String> = of_groups.iter().map(ToString::to_string).collect();
        right.sort();
        assert_eq!(answers, [vec![count.to_string()], right], "{name}");
    }
}

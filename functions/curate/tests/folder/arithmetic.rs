//! Every arithmetic operator with boundary values on both sides, compared with wide arithmetic: the right value, or an
//! error.

use serde_json::{Value, json};

use crate::place::Place;

/// Numbers around the ends of the types and around zero.
const INTS: &[i64] = &[i32::MIN as i64, -7, -1, 0, 1, 2, 3, 46_341, i32::MAX as i64];
const LONGS: &[i64] = &[i64::MIN, i64::MIN + 1, -3_037_000_500, -1, 0, 1, 2, 3, 63, 3_037_000_500, i64::MAX];

/// Creates a table with one row for every pair of the numbers.
fn pairs(of: &str, numbers: &[i64]) -> (Place, Vec<(i64, i64)>) {
    let pairs: Vec<(i64, i64)> = numbers.iter().flat_map(|a| numbers.iter().map(move |b| (*a, *b))).collect();
    let place = Place::new();
    place.table("raw", "t", &["id int", &format!("a {of}"), &format!("b {of}")], json!({}));
    land(&place, &pairs);
    (place, pairs)
}

fn land(place: &Place, pairs: &[(i64, i64)]) {
    let rows = pairs.iter().enumerate().map(|(id, (a, b))| json!({"id": id, "a": a, "b": b}).to_string());
    place.raw("t", 100, "jsonl", &rows.collect::<Vec<_>>().join("\n"));
}

/// Compares the call with the right values: over all pairs that have one, and over some that must fail.
fn compare(place: &Place, pairs: &[(i64, i64)], call: &str, column: &str, right: impl Fn(i128, i128) -> Option<i128>) {
    place.table("curated", "o", &[&format!("value {column}")], json!({}));
    place.sql("curated", "o", &format!("SELECT {call} AS value FROM t ORDER BY id"));
    let of = |pairs: &[(i64, i64)]| {
        land(place, pairs);
        place.build().map(|manifest| place.rows(&manifest, "o")).map_err(|failure| failure.message)
    };
    let value = |(a, b): &(i64, i64)| right((*a).into(), (*b).into());
    let (fit, beyond): (Vec<_>, Vec<_>) = pairs.iter().copied().partition(|pair| value(pair).is_some());
    let values: Vec<String> = fit.iter().filter_map(value).map(|value| value.to_string()).collect();
    assert_eq!(of(&fit).as_ref(), Ok(&values), "{call}");
    for pair in beyond.iter().step_by(5) {
        let found = of(&[*pair]);
        assert!(found.is_err(), "{call} of {pair:?}: {found:?}");
    }
    land(place, pairs);
}

#[test]
fn operators_of_whole_numbers_are_exact_or_an_error() {
    for (of, numbers, min, max) in [
        ("int", INTS, i128::from(i32::MIN), i128::from(i32::MAX)),
        ("long", LONGS, i128::from(i64::MIN), i128::from(i64::MAX)),
    ] {
        let fits = |value: i128| (min..=max).contains(&value).then_some(value);
        let (place, pairs) = pairs(of, numbers);
        compare(&place, &pairs, "a + b", of, |a, b| fits(a + b));
        compare(&place, &pairs, "a - b", of, |a, b| fits(a - b));
        compare(&place, &pairs, "a * b", of, |a, b| fits(a * b));
        compare(&place, &pairs, "a / b", of, |a, b| a.checked_div(b).and_then(fits));
        compare(&place, &pairs, "a % b", of, |a, b| a.checked_rem(b).and_then(fits));
        compare(&place, &pairs, "-a", of, |a, _| fits(-a));
        compare(&place, &pairs, "abs(b)", of, |_, b| fits(b.abs()));
        let bits = if of == "int" { 32 } else { 64 };
        compare(&place, &pairs, "a << b", of, |a, b| {
            u32::try_from(b).ok().filter(|b| *b < bits).and_then(|b| fits(a << b))
        });
    }
}

#[test]
fn functions_of_whole_numbers_are_exact_or_an_error() {
    let fits = |value: i128| (i128::from(i64::MIN)..=i128::from(i64::MAX)).contains(&value).then_some(value);
    let (place, pairs) = pairs("long", LONGS);
    fn gcd(a: i128, b: i128) -> i128 {
        if b == 0 { a.abs() } else { gcd(b, a % b) }
    }
    compare(&place, &pairs, "gcd(a, b)", "long", |a, b| fits(gcd(a, b)));
    compare(&place, &pairs, "lcm(a, b)", "long", |a, b| {
        if a == 0 || b == 0 { Some(0) } else { fits((a / gcd(a, b) * b).abs()) }
    });
    compare(&place, &pairs, "round(a, -1)", "long", |a, _| fits((a + 5 * a.signum()) / 10 * 10));
    compare(&place, &pairs, "greatest(a, b)", "long", |a, b| Some(a.max(b)));
    compare(&place, &pairs, "CAST(a AS INT)", "long", |a, _| i32::try_from(a).ok().map(i128::from));
    compare(&place, &pairs, "CAST(a AS DECIMAL(18,0))", "long", |a, _| (a.abs() < 10_i128.pow(18)).then_some(a));
    compare(&place, &pairs, "CAST(CAST(a AS DECIMAL(19,0)) AS BIGINT)", "long", |a, _| Some(a));
    compare(&place, &pairs, "CAST(a AS DECIMAL(38,0)) * b", "decimal(38,0)", |a, b| {
        a.checked_mul(b).filter(|value| value.abs() < 10_i128.pow(38))
    });
    compare(&place, &pairs, "CAST(a AS DECIMAL(19,0)) + CAST(b AS DECIMAL(19,0))", "decimal(38,0)", |a, b| Some(a + b));
    // totals over a moving window, as if recomputed for each row
    let sums: Vec<Option<i128>> = (0..pairs.len())
        .map(|row| fits(pairs[row.saturating_sub(2)..=row].iter().map(|(_, b)| i128::from(*b)).sum()))
        .collect();
    let frame = "OVER (ORDER BY id ROWS BETWEEN 2 PRECEDING AND CURRENT ROW)";
    place.table("curated", "o", &["value decimal(38,0)"], json!({}));
    place.sql("curated", "o", &format!("SELECT sum(CAST(b AS DECIMAL(20,0))) {frame} AS value FROM t ORDER BY id"));
    let found = place.rows(&place.build().unwrap(), "o");
    for (row, (found, sum)) in found.iter().zip(&sums).enumerate() {
        let exact: i128 = pairs[row.saturating_sub(2)..=row].iter().map(|(_, b)| i128::from(*b)).sum();
        assert_eq!(found.parse::<i128>().unwrap(), sum.unwrap_or(exact), "{row}");
    }
    place.sql("curated", "o", &format!("SELECT sum(b) {frame} AS value FROM t ORDER BY id"));
    assert_eq!(place.build().is_ok(), sums.iter().all(Option::is_some));
    // each number counts once
    for call in ["sum(DISTINCT CAST(b AS DECIMAL(20,0)))", "sum(DISTINCT b)"] {
        place.sql("curated", "o", &format!("SELECT {call} AS value FROM t"));
        let sum: i128 = LONGS.iter().map(|b| i128::from(*b)).sum();
        assert_eq!(place.rows(&place.build().unwrap(), "o"), [sum.to_string()], "{call}");
    }
}

#[test]
fn neighbours_that_are_not_null_are_found_across_batches() {
    let value = |id: usize| (id % 7 == 3 && id % 5 != 1).then_some(id);
    let rows: Vec<Value> = (0..20_000).map(|id| json!({"id": id, "v": value(id)})).collect();
    let place = Place::new();
    place.table("raw", "t", &["id int", "v int"], json!({}));
    place.raw("t", 100, "jsonl", &rows.iter().map(Value::to_string).collect::<Vec<_>>().join("\n"));
    let known: Vec<usize> = (0..20_000).filter_map(value).collect();
    let shown = |value: Option<&usize>| value.map_or("null".to_owned(), ToString::to_string);
    let after = |id: usize, n: usize| shown(known.get(known.partition_point(|v| *v <= id) + n - 1));
    let before = |id: usize, n: usize| shown(known.partition_point(|v| *v < id).checked_sub(n).map(|at| &known[at]));
    let over = "OVER (ORDER BY id ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING)";
    place.table("curated", "o", &["value int"], json!({}));
    for (call, right) in [
        ("lead(v) IGNORE NULLS OVER (ORDER BY id)".to_owned(), &(|id| after(id, 1)) as &dyn Fn(usize) -> String),
        ("lag(v) IGNORE NULLS OVER (ORDER BY id)".to_owned(), &|id| before(id, 1)),
        ("lag(v, 3) IGNORE NULLS OVER (ORDER BY id)".to_owned(), &|id| before(id, 3)),
        (format!("nth_value(v, 2) IGNORE NULLS {over}"), &|id| after(id, 2)),
    ] {
        // `nth_value` gets few rows, because its window reaches to the end for each of them
        let rows = if call.starts_with("nth_value") { "WHERE id >= 18000" } else { "" };
        place.sql("curated", "o", &format!("SELECT {call} AS value FROM t {rows} ORDER BY id"));
        let found = place.rows(&place.build().unwrap(), "o");
        let first = 20_000 - found.len();
        for (row, found) in found.iter().enumerate() {
            assert_eq!(*found, right(first + row), "{call}: row {}", first + row);
        }
    }
}

//! Curated tables that read other curated tables of the run. They read exactly what the other tables hold.

use contract::FailureKind;
use contract::message::RebuildRequest;
use serde_json::{Value, json};

use crate::place::Place;

/// Creates `a` from raw rows, and `b` from `a`.
fn place(a: &str, columns: &[&str], more: Value, b: &str, columns_of_b: &[&str]) -> Place {
    let place = Place::new();
    let raw = ["id long", "x double", "s character", "day date", "ts timestamp(us)", "tags array<character>"];
    place.table("raw", "t", &raw, json!({}));
    for (seconds, rows) in [(100, 0..1_500), (200, 1_500..1_504)] {
        let line = |id: i64| {
            let day = format!("2024-01-0{}", 1 + id % 3);
            let tags = if id % 5 == 0 { json!(null) } else { json!([id.to_string(), null]) };
            let s = if id % 7 == 0 { String::new() } else { format!("s{}", id % 11) };
            json!({"id": id, "x": id as f64 / 8.0, "s": s, "day": day, "ts": "2024-01-01 10:00:00.000001", "tags": tags})
                .to_string()
        };
        place.raw("t", seconds, "jsonl", &rows.map(line).collect::<Vec<_>>().join("\n"));
    }
    place.table("curated", "a", columns, more);
    place.sql("curated", "a", a);
    place.table("curated", "b", columns_of_b, json!({}));
    place.sql("curated", "b", b);
    place
}

/// Returns the rows of `b`, which must be the same whether built with `a` or alone.
fn both_ways(place: &Place) -> Vec<String> {
    let together = place.build().unwrap();
    let alone = place.build_with(&RebuildRequest { tables: vec!["b".into()], ..RebuildRequest::default() }, 2).unwrap();
    let rows = place.rows(&together, "b");
    let mut sorted = [rows.clone(), place.rows(&alone, "b")];
    sorted.iter_mut().for_each(|rows| rows.sort());
    assert_eq!(sorted[0], sorted[1]);
    assert!(place.verify(together.run.as_str()).unwrap().same);
    rows
}

#[test]
fn every_type_is_read_as_it_was_written() {
    let all = "SELECT id, x, s, day, ts, tags, CAST(id AS DECIMAL(9,2)) / 4 AS d, id % 2 = 0 AS b, \
               CAST('NaN' AS DOUBLE) AS nan, named_struct('p', id, 'q', s) AS pair FROM t";
    let columns = [
        "id int",
        "x double",
        "s character",
        "day date",
        "ts timestamp(us)",
        "tags array<character>",
        "d decimal(12,2)",
        "b boolean",
        "nan double",
        "pair struct<p:int,q:character>",
    ];
    let sql =
        all.replace("CAST(id AS DECIMAL(9,2)) / 4 AS d", "CAST(CAST(id AS DECIMAL(9,2)) / 4 AS DECIMAL(12,2)) AS d");
    let place = place(&sql, &columns, json!({}), "SELECT * FROM a", &columns);
    let built = place.build().unwrap();
    assert_eq!(place.rows(&built, "a").len(), 1_504);
    assert_eq!(place.rows(&built, "b"), place.rows(&built, "a"));
    both_ways(&place);
}

#[test]
fn partitions_are_read_with_their_values() {
    let place = place(
        "SELECT id, s, day, x FROM t",
        &["id long", "s character", "day date", "x double"],
        json!({"partitions": ["s", "day", "x"]}),
        "SELECT s, day, count(*) AS n, sum(x) AS x FROM a GROUP BY s, day ORDER BY s NULLS FIRST, day",
        &["s character", "day date", "n long", "x double"],
    );
    let rows = both_ways(&place);
    assert_eq!(rows.len(), 12 * 3, "{rows:?}");
    // an empty text is in the partition of null
    assert!(rows[0].starts_with("null 2024-01-01 "), "{rows:?}");
}

#[test]
fn tables_of_one_run_agree_on_which_rows_there_are() {
    let place = place(
        "SELECT id, s FROM (SELECT id, s FROM t UNION ALL SELECT -id, 'u' FROM t) AS z LIMIT 1600",
        &["id long", "s character"],
        json!({}),
        "SELECT s = 'u' AS u, count(*) AS n FROM a GROUP BY s = 'u' ORDER BY u",
        &["u boolean", "n long"],
    );
    assert_eq!(both_ways(&place), ["false 1504", "true 96"]);
}

#[test]
fn a_chain_is_built_in_order_whatever_the_names() {
    let place = place("SELECT id FROM b", &["id long"], json!({}), "SELECT id + 1 AS id FROM c", &["id long"]);
    place.table("curated", "c", &["id long"], json!({}));
    place.sql("curated", "c", "SELECT sum(id) AS id FROM t");
    let built = place.build().unwrap();
    let total = (0..1_504).sum::<i64>();
    assert_eq!(place.rows(&built, "a"), [(total + 1).to_string()]);
    let only = RebuildRequest { tables: vec!["a".into(), "c".into()], ..RebuildRequest::default() };
    let built = place.build_with(&only, 2).unwrap();
    assert_eq!(place.rows(&built, "a"), [(total + 1).to_string()]);
}

#[test]
fn a_value_that_the_first_cannot_hold_stops_the_second_too() {
    let place = place("SELECT id / 3.0 AS id FROM t", &["id int"], json!({}), "SELECT id FROM a", &["id int"]);
    for tables in [vec![], vec!["b".to_owned()]] {
        let failure = place.build_with(&RebuildRequest { tables, ..RebuildRequest::default() }, 2).unwrap_err();
        assert_eq!(failure.kind, FailureKind::BadData, "{failure}");
        assert!(failure.message.contains("cannot become int: it has digits that would be lost"), "{failure}");
    }
}

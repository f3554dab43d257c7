//! The tables that a run builds.

use contract::message::RebuildRequest;
use serde_json::json;

use crate::place::{Place, random};

#[test]
fn rows_go_to_their_partitions_by_any_number_of_columns() {
    let place = Place::new();
    place.table("raw", "t", &["id int", "day date", "name character", "at datetime"], json!({}));
    let line = |id: i32, day: Option<&str>, name: Option<&str>| {
        json!({"id": id, "day": day, "name": name, "at": "1969-12-31 23:59:59.5"}).to_string()
    };
    place.raw(
        "t",
        100,
        "jsonl",
        &[
            line(1, Some("1969-12-31"), Some("a/b=c d%é:")),
            line(2, None, Some("")),
            line(3, Some("1969-12-31"), Some("a/b=c d%é:")),
            line(4, Some("2026-11-24"), None),
        ]
        .join("\n"),
    );
    place.table(
        "curated",
        "t",
        &["day date", "name character", "at datetime", "id int"],
        json!({"partitions": ["at", "day", "name"]}),
    );
    let manifest = place.build().unwrap();
    let at = "at=1969-12-31 23%3A59%3A59.5";
    assert_eq!(
        place.rows(&manifest, "t"),
        [
            format!("{at}/day=1969-12-31/name=a%2Fb%3Dc d%25é%3A: 1"),
            format!("{at}/day=1969-12-31/name=a%2Fb%3Dc d%25é%3A: 3"),
            format!("{at}/day=2026-11-24/name=__HIVE_DEFAULT_PARTITION__: 4"),
            format!("{at}/day=__HIVE_DEFAULT_PARTITION__/name=__HIVE_DEFAULT_PARTITION__: 2"),
        ]
    );
    let values: Vec<_> = manifest.tables[0].partitions.iter().map(|partition| partition.values.join("|")).collect();
    assert_eq!(values[0], "1969-12-31 23:59:59.5|1969-12-31|a/b=c d%é:");
}

#[test]
fn a_table_of_no_rows_is_an_empty_table() {
    let place = Place::new();
    place.table("raw", "t", &["id int"], json!({}));
    place.raw("t", 100, "jsonl", "{\"id\": 1}\n");
    place.table("curated", "t", &["id int"], json!({}));
    place.sql("curated", "t", "SELECT id FROM t WHERE id > 1");
    place.table("curated", "p", &["id int", "x int"], json!({"partitions": ["x"]}));
    place.sql("curated", "p", "SELECT id, id AS x FROM t");
    let manifest = place.build().unwrap();
    assert_eq!(place.rows(&manifest, "t"), Vec::<String>::new());
    assert_eq!(manifest.tables[0].files.len(), 1);
    assert_eq!((manifest.tables[1].rows, manifest.tables[1].files.len()), (0, 0));
}

#[test]
fn a_table_may_be_read_twice_and_joined_with_itself() {
    let place = Place::new();
    place.table("raw", "t", &["id int", "parent int"], json!({}));
    let line = |id: i32| json!({"id": id, "parent": id / 2}).to_string();
    place.raw("t", 100, "jsonl", &(0..20_000).map(line).collect::<Vec<_>>().join("\n"));
    place.table("curated", "t", &["id int", "parent int"], json!({}));
    place.table("curated", "n", &["n long"], json!({}));
    place.sql("curated", "n", "SELECT count(*) AS n FROM t c JOIN t p ON c.parent = p.id");
    place.table("curated", "m", &["n long"], json!({}));
    place.sql("curated", "m", "SELECT count(*) AS n FROM t WHERE id IN (SELECT parent FROM t)");
    place.table("curated", "first", &["id int"], json!({}));
    place.sql("curated", "first", "SELECT id FROM t LIMIT 3");
    for (name, condition) in [("none", "LIMIT 0"), ("never", "WHERE 1 = 0"), ("neither", "WHERE id < 0 AND id > 0")] {
        place.table("curated", name, &["id int"], json!({}));
        place.sql("curated", name, &format!("SELECT id FROM t {condition}"));
    }
    let manifest = place.build().unwrap();
    assert!(["none", "never", "neither"].iter().all(|name| place.rows(&manifest, name).is_empty()));
    assert_eq!(place.rows(&manifest, "n"), ["20000"]);
    assert_eq!(place.rows(&manifest, "m"), ["10000"]);
    assert_eq!(place.rows(&manifest, "first"), ["0", "1", "2"]);
    assert_eq!(manifest.tables.iter().find(|table| table.table == "t").map(|table| table.rows), Some(20_000));
}

#[test]
fn more_partitions_than_memory_holds_open_go_on_in_further_parts() {
    let place = Place::new();
    place.table("raw", "t", &["p int", "text character"], json!({}));
    // incompressible texts, for 40 partitions in turn
    let mut state = 7;
    let mut text = || (0..60).map(|_| format!("{:016x}", random(&mut state))).collect::<String>();
    for file in 0..5 {
        let lines: Vec<String> = (0..40_000).map(|n| json!({"p": n % 40, "text": text()}).to_string()).collect();
        place.raw("t", 100 + file, "jsonl", &lines.join("\n"));
    }
    place.table("curated", "t", &["text character", "p int"], json!({"partitions": ["p"]}));
    let manifest = place.build().unwrap();
    let table = &manifest.tables[0];
    assert_eq!((table.rows, table.partitions.len()), (200_000, 40));
    assert!(table.files.len() > 40, "{}", table.files.len());
    assert!(table.partitions.iter().all(|partition| partition.rows == 5_000));
    let again = place.build_with(&RebuildRequest::default(), 8).unwrap();
    let digests =
        |table: &contract::TableOutput| table.files.iter().map(|file| file.sha256.clone()).collect::<Vec<_>>();
    assert_eq!(digests(&again.tables[0]), digests(table));
}

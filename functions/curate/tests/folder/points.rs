//! Dates and timestamps, from the raw files through SQL to the tables.

use arrow::datatypes::{DataType, TimeUnit};
use contract::FailureKind;
use serde_json::json;

use crate::place::Place;

#[test]
fn a_fine_timestamp_keeps_every_digit_into_the_table() {
    let place = Place::new();
    let columns = ["id int", "us timestamp(us)", "ns timestamp(ns)"];
    place.table("raw", "t", &columns, json!({}));
    let lines = [
        json!({"id": 1, "us": "0001-01-01 00:00:00.000001", "ns": "1969-12-31 23:59:59.999999999"}),
        json!({"id": 2, "us": "9999-12-31T23:59:59.999999", "ns": "2024-02-29 23:59:59.123456789"}),
        json!({"id": 3, "us": "2024-02-29 23:59:59.123456", "ns": null}),
        json!({"id": 4, "us": "2024-02-29 23:59:59.123455", "ns": "2024-02-29 23:59:59"}),
    ];
    place.raw("t", 100, "jsonl", &lines.map(|line| line.to_string()).join("\n"));
    place.table("curated", "t", &columns, json!({}));
    place.table("curated", "later", &columns, json!({}));
    place.sql("curated", "later", "SELECT id, us, ns FROM t WHERE us > TIMESTAMP '2024-02-29 23:59:59.123455'");
    let manifest = place.build().unwrap();
    let expected = [
        "1 0001-01-01T00:00:00.000001 1969-12-31T23:59:59.999999999",
        "2 9999-12-31T23:59:59.999999 2024-02-29T23:59:59.123456789",
        "3 2024-02-29T23:59:59.123456 null",
        "4 2024-02-29T23:59:59.123455 2024-02-29T23:59:59",
    ];
    assert_eq!(place.rows(&manifest, "t"), expected);
    assert_eq!(place.rows(&manifest, "later"), expected[1..3]);
    let table = manifest.tables.iter().find(|table| table.table == "t").unwrap();
    let schema = place.batches(&table.files[0].key)[0].schema();
    assert_eq!(schema.field(1).data_type(), &DataType::Timestamp(TimeUnit::Microsecond, None));
    assert_eq!(schema.field(2).data_type(), &DataType::Timestamp(TimeUnit::Nanosecond, None));
}

#[test]
fn no_partition_is_named_after_a_day_beyond_the_year_9999() {
    let place = Place::new();
    place.table("raw", "t", &["id int", "day date"], json!({}));
    place.raw("t", 100, "jsonl", &json!({"id": 1, "day": "9999-12-31"}).to_string());
    place.table("curated", "t", &["id int", "day date"], json!({"partitions": ["day"]}));
    let manifest = place.build().unwrap();
    assert_eq!(place.rows(&manifest, "t"), ["day=9999-12-31: 1"]);
    place.sql("curated", "t", "SELECT id, CAST(day + INTERVAL '1' DAY AS DATE) AS day FROM t");
    let failure = place.build().unwrap_err();
    assert_eq!(failure.kind, FailureKind::BadData, "{failure}");
    assert!(failure.message.contains("`t`") && failure.message.contains("`day`"), "{failure}");
}

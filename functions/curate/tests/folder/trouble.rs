//! Tables that fail, beside others that do not.

use std::time::Duration;

use contract::FailureKind;
use contract::message::RebuildRequest;
use serde_json::json;

use crate::place::Place;

fn place(sql: &[(&str, &str)]) -> Place {
    let place = Place::new();
    for name in ["a", "b"] {
        place.table("raw", name, &["id long", "text character"], json!({}));
    }
    let rows = |from: i32, to: i32| {
        let rows = (from..to).map(|id| json!({"id": id, "text": id.to_string()}).to_string());
        rows.collect::<Vec<_>>().join("\n")
    };
    place.raw("a", 100, "jsonl", &rows(0, 20_000));
    place.raw("a", 200, "jsonl", &format!("{}\n{}", rows(20_000, 25_000), json!({"id": 25_000, "text": "x"})));
    for (name, sql) in sql {
        place.table("curated", name, &["v long"], json!({}));
        place.sql("curated", name, sql);
    }
    place
}

/// The tables that were built, with their rows, and the tables that failed, with the kind of failure.
type Outcome = (Vec<(String, u64)>, Vec<(String, String)>);

fn outcome(place: &Place, request: &RebuildRequest) -> Outcome {
    let built = place.run(request, 2).unwrap();
    let tables = built.manifest.tables.iter().map(|output| (output.table.clone(), output.rows));
    let failed = built.failed.iter().map(|failed| (failed.table.clone(), failed.error.clone()));
    (tables.collect(), failed.collect())
}

fn named<T: Clone>(of: &[(&str, T)]) -> Vec<(String, T)> {
    of.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
}

#[test]
fn of_one_reading_some_tables_fail_and_others_have_all_rows() {
    let place = place(&[
        ("all", "SELECT id AS v FROM a"),
        ("at_once", "SELECT CAST(concat('x', text) AS BIGINT) AS v FROM a"),
        ("first", "SELECT id AS v FROM a LIMIT 3"),
        ("grouped", "SELECT sum(id) AS v FROM a GROUP BY id % 7"),
        ("late", "SELECT CAST(text AS BIGINT) AS v FROM a"),
        ("of_late", "SELECT v FROM late WHERE v < 10"),
        ("of_of_late", "SELECT count(*) AS v FROM of_late"),
        ("of_all", "SELECT max(all_rows.v) AS v FROM all_rows JOIN first ON true"),
        ("all_rows", "SELECT v FROM \"all\""),
        ("too_long", "SELECT text AS v FROM a"),
    ]);
    let (tables, failed) = outcome(&place, &RebuildRequest::default());
    let expected = [("all", 25_001), ("all_rows", 25_001), ("first", 3), ("grouped", 7), ("of_all", 1)];
    assert_eq!(tables.into_iter().collect::<std::collections::BTreeSet<_>>(), named(&expected).into_iter().collect());
    let data = "BadData".to_owned();
    let names = ["at_once", "late", "of_late", "of_of_late", "too_long"];
    assert_eq!(failed, named(&names.map(|name| (name, data.clone()))));
}

#[test]
fn a_raw_file_that_cannot_be_read_keeps_those_tables_that_read_it() {
    let place = place(&[
        ("of_a", "SELECT id AS v FROM a"),
        ("first", "SELECT id AS v FROM a LIMIT 1"),
        ("of_b", "SELECT id AS v FROM b"),
        ("both", "SELECT b.id AS v FROM b LEFT JOIN a ON a.id = b.id"),
    ]);
    place.raw("b", 100, "jsonl", "{\"id\": 1}");
    place.raw("a", 300, "jsonl", "{\"id\": \"one\"}");
    let (tables, failed) = outcome(&place, &RebuildRequest::default());
    assert!(
        tables.contains(&("of_b".into(), 1)) && !tables.iter().any(|(table, _)| table == "of_a" || table == "both")
    );
    assert!(failed.contains(&("of_a".into(), "BadData".into())) && failed.contains(&("both".into(), "BadData".into())));
}

#[test]
fn no_table_with_rows_gives_way_to_an_empty_one_because_files_are_not_where_they_were() {
    let place = place(&[
        ("t", "SELECT id AS v FROM a"),
        ("joined", "SELECT a.id AS v FROM a LEFT JOIN b ON a.id = b.id"),
        ("always_empty", "SELECT id AS v FROM b"),
        ("reads", "SELECT v FROM t WHERE v > 5"),
    ]);
    let (tables, failed) = outcome(&place, &RebuildRequest::default());
    assert_eq!((tables.len(), failed.len()), (4, 0));
    assert!(tables.contains(&("always_empty".into(), 0)), "{tables:?}");

    // as if the raw table had been renamed
    place.sql("curated", "t", "SELECT id AS v FROM b");
    let built = place.run(&RebuildRequest::default(), 2).unwrap();
    let failed: Vec<_> = built.failed.iter().map(|failed| failed.table.as_str()).collect();
    assert_eq!(failed, ["reads", "t"]);
    let message = &built.failed[1].message;
    assert!(message.starts_with("table `t` would be empty, as raw table `b` has no files under "), "{message}");
    assert!(message.contains("the 25001 rows that it has stay"), "{message}");

    // an empty table can be built on request
    let wanted = RebuildRequest { tables: vec!["t".into()], from_scratch: true, ..RebuildRequest::default() };
    assert_eq!(outcome(&place, &wanted), (named(&[("t", 0)]), Vec::new()));
    let (tables, failed) = outcome(&place, &RebuildRequest::default());
    let reads = vec![("reads".to_owned(), "NotFound".to_owned())];
    assert!(tables.contains(&("t".into(), 0)) && failed == reads, "{tables:?} {failed:?}");
}

#[test]
fn a_folder_without_any_file_is_a_wrong_one() {
    let place = Place::new();
    place.table("raw", "a", &["id long"], json!({}));
    place.table("curated", "a", &["id long", "dea_version character"], json!({}));
    let failure = place.run(&RebuildRequest::default(), 1).unwrap_err();
    assert_eq!(failure.kind, FailureKind::NotFound);
    assert!(failure.message.contains("no raw table has a file; those of `a`"), "{failure}");
}

#[test]
fn more_than_can_be_read_in_the_time_is_not_begun() {
    let mut place = place(&[("of_a", "SELECT id AS v FROM a"), ("of_b", "SELECT id AS v FROM b")]);
    place.raw("b", 100, "jsonl", "{\"id\": 1}");
    place.settings.time = Some(Duration::ZERO);
    let failure = place.run(&RebuildRequest::default(), 2).unwrap_err();
    assert_eq!(failure.kind, FailureKind::TooLarge);
    assert!(failure.message.contains("`a` 0.0 GB in 2 files, `b` 0.0 GB in 1 files"), "{failure}");
    assert!(place.curated().is_empty(), "{:?}", place.curated());
    // an appending table can be too large only by its new files
    place.table("curated", "of_a", &["v long"], json!({"mode": "append"}));
    place.settings.time = None;
    place.run(&RebuildRequest::default(), 2).unwrap();
    place.settings.time = Some(Duration::ZERO);
    let added = RebuildRequest { tables: vec!["of_a".into()], ..RebuildRequest::default() };
    assert_eq!(outcome(&place, &added), (vec![("of_a".to_owned(), 25_001)], Vec::new()));
    place.raw("a", 300, "jsonl", "{\"id\": 1}");
    assert_eq!(place.run(&added, 2).unwrap_err().kind, FailureKind::TooLarge);
}

#[test]
fn a_partition_whose_key_is_too_long_for_s3_is_named() {
    let place = Place::new();
    place.table("raw", "a", &["id long", "text character"], json!({}));
    place.raw("a", 100, "jsonl", &format!("{{\"id\": 1, \"text\": \"{}\"}}", "é ".repeat(400)));
    place.table("curated", "t", &["id long", "text character"], json!({"partitions": ["text"]}));
    place.sql("curated", "t", "SELECT id, text FROM a");
    let failure = place.run(&RebuildRequest::default(), 1).unwrap_err();
    assert_eq!(failure.kind, FailureKind::BadData);
    assert!(failure.message.contains("and S3 takes 1024; partition by something shorter"), "{failure}");
    // for a sensitive column, the message does not show the value
    place.table("raw", "a", &["id long", "text character sensitive"], json!({}));
    let failure = place.run(&RebuildRequest::default(), 1).unwrap_err();
    assert!(failure.kind == FailureKind::BadData && !failure.message.contains('é'), "{failure}");
}

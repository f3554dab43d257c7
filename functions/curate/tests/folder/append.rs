//! Mode `append`: only the rows of new files are read, and the table is the same as if built from scratch.

use std::collections::HashSet;

use contract::message::RebuildRequest;
use contract::{FailureKind, Manifest, Replaces};
use serde_json::json;

use crate::place::Place;

fn place(partitions: &[&str]) -> Place {
    let place = Place::new();
    place.table("raw", "t", &["id int", "day date"], json!({}));
    let columns = ["id int", "dea_version character", "day date"];
    place.table("curated", "t", &columns, json!({"mode": "append", "partitions": partitions}));
    place.sql("curated", "t", "SELECT id, day, '${dea_version}' AS dea_version FROM t WHERE id > 0");
    land(&place, 100, &[0, 1, 2]);
    land(&place, 200, &[3, 4]);
    place
}

/// Lands a file. The day of a row is the last digit of its id.
fn land(place: &Place, seconds: u64, ids: &[i32]) {
    let line = |id: &i32| json!({"id": id, "day": format!("2026-11-1{}", id % 10)}).to_string();
    place.raw("t", seconds, "jsonl", &ids.iter().map(line).collect::<Vec<_>>().join("\n"));
}

fn read(manifest: &Manifest) -> Vec<&str> {
    manifest.inputs.iter().map(|file| file.key.rsplit('/').next().unwrap()).collect()
}

#[test]
fn only_new_files_are_read_and_nothing_is_lost() {
    let mut place = place(&[]);
    let first = place.build().unwrap();
    assert_eq!(place.rows(&first, "t"), ["1 v1 2026-11-11", "2 v1 2026-11-12", "3 v1 2026-11-13", "4 v1 2026-11-14"]);
    assert_eq!(read(&first), ["t_100.jsonl.gz", "t_200.jsonl.gz"]);

    place.settings.dea_version = "v2".into();
    // one is later, and one is earlier by its name: what counts is which files the table has
    land(&place, 300, &[5]);
    land(&place, 50, &[6]);
    let second = place.build().unwrap();
    assert_eq!(read(&second), ["t_300.jsonl.gz", "t_50.jsonl.gz"]);
    let appended = second.tables[0].appended.as_ref().unwrap();
    assert_eq!((appended.base.as_ref(), appended.holds.len(), appended.added.len()), (Some(&first.run), 4, 2));
    assert_eq!(second.tables[0].replaces, Replaces::Table);
    let rows: HashSet<String> = place.rows(&second, "t").into_iter().collect();
    let expected = [
        "5 v2 2026-11-15",
        "6 v2 2026-11-16",
        "1 v1 2026-11-11",
        "2 v1 2026-11-12",
        "3 v1 2026-11-13",
        "4 v1 2026-11-14",
    ];
    assert_eq!(rows, expected.map(str::to_owned).into());

    // without new files, the table keeps all its rows, and later runs can append to it
    let third = place.build().unwrap();
    assert_eq!((read(&third).len(), place.rows(&third, "t").len()), (0, 6));
    land(&place, 400, &[7]);
    let fourth = place.build().unwrap();
    assert_eq!((read(&fourth), place.rows(&fourth, "t").len()), (vec!["t_400.jsonl.gz"], 7));
    let names: HashSet<&str> = fourth.tables[0].files.iter().map(|file| file.key.rsplit('/').next().unwrap()).collect();
    assert_eq!(names.len(), fourth.tables[0].files.len());
    // earlier runs are unchanged
    assert_eq!(place.rows(&first, "t").len(), 4);
    for run in [&fourth, &third, &second] {
        let verified = place.verify(run.run.as_str()).unwrap();
        assert!(verified.same, "{verified:?}");
    }

    let request = RebuildRequest { from_scratch: true, ..RebuildRequest::default() };
    let scratch = place.build_with(&request, 2).unwrap();
    assert_eq!((read(&scratch).len(), place.rows(&scratch, "t").len(), scratch.tables[0].files.len()), (5, 7, 1));
}

#[test]
fn of_partitions_only_those_with_new_rows_are_written() {
    let place = place(&["day"]);
    let first = place.build().unwrap();
    assert_eq!(first.tables[0].partitions.len(), 4);
    land(&place, 300, &[14, 24, 5]);
    let second = place.build().unwrap();
    let output = &second.tables[0];
    assert_eq!(output.replaces, Replaces::Partitions);
    let partitions: Vec<_> =
        output.partitions.iter().map(|partition| (partition.values[0].as_str(), partition.rows)).collect();
    assert_eq!(partitions, [("2026-11-14", 3), ("2026-11-15", 1)]);
    let mut rows = place.rows(&second, "t");
    rows.sort();
    assert_eq!(
        rows,
        ["day=2026-11-14: 14 v1", "day=2026-11-14: 24 v1", "day=2026-11-14: 4 v1", "day=2026-11-15: 5 v1"]
    );
    assert_eq!(output.appended.as_ref().unwrap().kept.len(), 3);
    // a partition that the last run left alone
    land(&place, 400, &[11]);
    let third = place.build().unwrap();
    let mut rows = place.rows(&third, "t");
    rows.sort();
    assert_eq!(rows, ["day=2026-11-11: 1 v1", "day=2026-11-11: 11 v1"]);
    let nothing_new = place.build().unwrap();
    assert_eq!(
        (nothing_new.tables[0].files.len(), nothing_new.tables[0].appended.as_ref().unwrap().kept.len()),
        (0, 7)
    );
}

#[test]
fn rows_of_another_definition_are_not_added_to() {
    let place = place(&[]);
    place.build().unwrap();
    land(&place, 300, &[5]);
    place.sql("curated", "t", "SELECT 2 * id AS id, day, '${dea_version}' AS dea_version FROM t");
    let manifest = place.build().unwrap();
    assert_eq!((manifest.inputs.len(), place.rows(&manifest, "t").len()), (3, 6));
    assert_eq!(manifest.tables[0].appended.as_ref().unwrap().base, None);
}

#[test]
fn the_history_of_a_time_is_built_from_scratch() {
    let place = place(&[]);
    place.build().unwrap();
    let request = RebuildRequest { as_of: Some(9_999_999_999), ..RebuildRequest::default() };
    assert_eq!(place.build_with(&request, 2).unwrap().inputs.len(), 2);
}

#[test]
fn sql_that_makes_a_row_of_several_cannot_append() {
    let place = place(&[]);
    for sql in [
        "SELECT max(id) AS id, day, 'v' AS dea_version FROM t GROUP BY day",
        "SELECT id, day, 'v' AS dea_version FROM t ORDER BY id",
        "SELECT id, day, 'v' AS dea_version FROM t LIMIT 1",
        "SELECT id, day, 'v' AS dea_version FROM t WHERE id IN (SELECT id FROM t)",
        "SELECT a.id, a.day, 'v' AS dea_version FROM t a, t b",
    ] {
        place.sql("curated", "t", sql);
        let failure = place.build().unwrap_err();
        assert_eq!(failure.kind, FailureKind::BadMetadata, "{sql}");
        assert!(failure.message.contains("t.sql: to a table of mode `append`"), "{failure}");
    }
}

//! `landfall check` plans all SQL without any data and reports all problems at once, table by table.

use serde_json::json;

use crate::desk::Desk;

fn check(place: &Desk) -> (Option<i32>, String, String) {
    let ended = place.run(&["check"]);
    (ended.status, ended.out, ended.err)
}

#[test]
fn sql_is_checked_without_a_file() {
    let place = Desk::new();
    place.table("raw", "t", &["id long not null", "s character"], json!({"checks": {"required": true}}));
    let source = json!({"columns": [{"name": "first_name", "source_name": "First Name", "type": "character"},
        {"name": "net", "source_name": "A", "source_position": 2, "type": "int"},
        {"name": "gross", "source_name": "A", "source_position": 3, "type": "int"}], "data_format": "csv"});
    place.table("raw", "odd", &["a int"], source);
    place.table("raw", "messy", &["line character"], json!({"lines": true, "copy_to_raw": true, "data_format": "csv"}));
    place.table("processed", "messy", &["n int"], json!({}));
    place.sql("processed", "messy", "SELECT CAST(line AS INT) AS n FROM messy");
    place.table("curated", "good", &["id long", "first_name character"], json!({}));
    place.sql("curated", "good", "SELECT t.id, odd.first_name FROM t JOIN odd ON t.id = odd.net");
    place.table("curated", "clean", &["n int"], json!({}));
    place.sql("curated", "clean", "SELECT n FROM messy");
    let (status, said, wrong) = check(&place);
    assert_eq!((status, wrong.as_str()), (Some(0), ""), "{said}");
    assert!(said.contains("\n3 tables: the SQL"), "{said}");

    place.table("curated", "misspelt", &["id long"], json!({}));
    place.sql("curated", "misspelt", "SELECT idd AS id FROM t");
    place.table("curated", "another_type", &["s date"], json!({}));
    place.sql("curated", "another_type", "SELECT id AS s FROM t");
    place.table("curated", "reader", &["id long"], json!({}));
    place.sql("curated", "reader", "SELECT id FROM misspelt");
    place.sql("processed", "messy", "SELECT nope AS n FROM messy");
    let (status, said, wrong) = check(&place);
    assert_eq!(status, Some(1), "{said} {wrong}");
    for (table, part) in [("misspelt", "idd"), ("another_type", "date"), ("reader", "misspelt")] {
        let told = wrong.lines().find(|line| line.starts_with(&format!("error: table `{table}`: ")));
        assert!(told.is_some_and(|line| line.contains(part)), "{table}: {wrong}");
    }
    let of_processed = wrong.lines().find(|line| line.contains("processed/messy.sql"));
    assert!(of_processed.is_some_and(|line| line.contains("nope")), "{wrong}");
    assert!(!wrong.contains("table `good`"), "{wrong}");
}

#[test]
fn metadata_that_is_wrong_ends_with_1_and_warnings_are_told_once() {
    let place = Desk::new();
    place.table("raw", "t", &["id long"], json!({"locations": "a slip"}));
    let (status, said, told) = check(&place);
    assert_eq!(status, Some(0), "{said} {told}");
    assert_eq!(told.matches("locations").count(), 1, "{told}");
    assert!(told.starts_with("warning: "), "{told}");
    place.table("raw", "t", &["id lng"], json!({}));
    let (status, said, told) = check(&place);
    assert_eq!((status, said.as_str()), (Some(1), ""), "{told}");
    assert!(told.starts_with("error: ") && told.contains("lng"), "{told}");
}

#[test]
fn a_folder_that_is_not_there_and_too_many_threads_are_refused() {
    let place = Desk::new();
    place.table("raw", "t", &["id long"], json!({}));
    place.table("curated", "t", &["id long"], json!({}));
    let processed = place.run(&["process", "--raw", "nowhere", "--processed", "processed"]);
    assert_eq!(processed.status, Some(1), "{processed:?}");
    assert!(processed.err.contains("nowhere is not a folder of raw files"), "{processed:?}");
    place.write("raw-hist/t/file_land_timestamp=100/t_100.jsonl", "{\"id\": 1}\n");
    let build = ["tables", "--raw-hist", "raw-hist", "--curated", "curated", "--threads"];
    let with = |threads: &'static str| place.run(&[&build[..], &[threads]].concat());
    assert_eq!(with("256").status, Some(0));
    let refused = with("1000000");
    assert_eq!(refused.status, Some(2), "{refused:?}");
    assert!(refused.err.contains("1..=256"), "{refused:?}");
}

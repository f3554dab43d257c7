//! A run can be built again, byte for byte.

use contract::FailureKind;
use serde_json::json;

use crate::place::Place;

fn place() -> Place {
    let place = Place::new();
    place.table("raw", "t", &["id int", "day date"], json!({}));
    let line = |id: i32| json!({"id": id, "day": format!("2026-11-{:02}", 1 + id % 28)}).to_string();
    for file in 0..3 {
        place.raw("t", 100 + file, "jsonl", &(0..500).map(line).collect::<Vec<_>>().join("\n"));
    }
    place.table("curated", "t", &["id int", "day date", "dea_version character"], json!({}));
    let columns = ["n long", "built long", "snapshot date", "day date"];
    place.table("curated", "days", &columns, json!({"mode": "partition", "partitions": ["snapshot", "day"]}));
    place.sql("curated", "days", "SELECT day, count(*) AS n, ${run_timestamp} AS built, CAST('${snapshot_date}' AS DATE) AS snapshot FROM t GROUP BY day");
    place
}

#[test]
fn a_run_is_the_same_again_whatever_landed_since() {
    let place = place();
    let manifest = place.build().unwrap();
    place.raw("t", 99, "jsonl", "{\"id\": 1, \"day\": null}\n");
    let later = place.build().unwrap();
    let runs_before = place.curated().len();
    for (run, files, rows) in
        [(manifest.run.as_str(), 29, 1_528), (later.run.as_str(), 30, 1_530), ("latest", 30, 1_530)]
    {
        let verified = place.verify(run).unwrap();
        assert!(verified.same, "{verified:?}");
        assert_eq!((verified.files, verified.rows, verified.differences.len()), (files, rows, 0));
    }
    let scratch = place.curated().into_iter().filter(|key| key.starts_with("_verify/")).count();
    assert_eq!((scratch, place.curated().len()), (89, runs_before + 89));
}

#[test]
fn a_run_that_needed_no_file_of_a_table_is_the_same_again() {
    let place = place();
    place.table("curated", "none", &["id int"], json!({}));
    place.sql("curated", "none", "SELECT id FROM t LIMIT 0");
    let manifest = place.build().unwrap();
    let verified = place.verify(manifest.run.as_str()).unwrap();
    assert!(verified.same, "{verified:?}");
}

#[test]
fn what_is_not_the_same_is_named() {
    let place = place();
    let mut manifest = place.build().unwrap();
    let key = format!("db/_manifests/{}.json", manifest.run);
    manifest.tables[1].files[0].sha256 = "0".repeat(64);
    let gone = manifest.tables[0].files.remove(0);
    place.write(&format!("curated/{key}"), serde_json::to_string(&manifest).unwrap());
    let verified = place.verify(manifest.run.as_str()).unwrap();
    assert!(!verified.same);
    assert_eq!(verified.differences.len(), 2, "{verified:?}");
    assert!(verified.differences.iter().any(|difference| difference.contains(&"0".repeat(64))), "{verified:?}");
    let name = gone.key.rsplit('/').next().unwrap();
    assert!(
        verified.differences.iter().any(|told| told.contains(name) && told.ends_with("not in the run")),
        "{verified:?}"
    );
}

#[test]
fn a_run_that_cannot_be_built_again_is_told() {
    let mut place = place();
    let run = place.build().unwrap().run;
    let kind = |place: &Place, run: &str| place.verify(run).unwrap_err();
    assert_eq!(kind(&place, "20261124T000000000Z-none").kind, FailureKind::NotFound);
    place.raw("t", 101, "jsonl", "{\"id\": 1, \"day\": null}\n");
    let failure = kind(&place, run.as_str());
    assert!(failure.message.ends_with("t_101.jsonl.gz: it is no longer the file that the run read"), "{failure}");
    std::fs::remove_dir_all(place.path("raw-hist/t/file_land_timestamp=101")).unwrap();
    let failure = kind(&place, run.as_str());
    assert!(failure.message.ends_with("t_101.jsonl.gz: the run read it, and it is gone"), "{failure}");
    place.settings.dea_version = "v2".into();
    let failure = kind(&place, run.as_str());
    assert!(failure.message.contains("was built with version v1, this is v2"), "{failure}");
}

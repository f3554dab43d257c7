//! Extracts of several files: all of their files are in history, or none.

use contract::message::Verdict;
use serde_json::{Value, json};

use crate::landing::{World, gzip};

const RECORD: &str = "extracts/base/fetched/file_land_timestamp=7.json";

fn file(n: u32) -> String {
    format!("base/fetched/file_land_timestamp=7/fetched_{n}_7.jsonl.gz")
}

/// Writes the record of an extract of three files.
fn record(world: &World, landed: bool) {
    let file = |n| json!({"key": file(n), "staged": format!("_extracts/x/{n}"), "rows": 1, "bytes": one(n).len()});
    let record = json!({"table": "fetched", "file_land_timestamp": 7, "attempt": "a", "landed": landed,
        "files": [file(0), file(1), file(2)]});
    world.aws.account().put("reports", RECORD, record.to_string());
}

/// Lands a file of a table that requires three rows and 80 bytes. A single file has too few, the extract has enough.
fn land(world: &World, n: u32, row: u32) -> Value {
    world.land(&file(n), one(row))
}

fn one(row: u32) -> Vec<u8> {
    gzip(&format!("{{\"n\":{row}}}\n"))
}

fn all() -> Vec<String> {
    (0..3).map(file).collect()
}

#[tokio::test]
async fn files_wait_until_the_extract_is_whole_and_go_together() {
    use Verdict::{Passed, Waiting};
    let world = World::new().await;
    record(&world, false);
    for n in [2, 1] {
        let event = land(&world, n, n);
        assert_eq!(world.verdicts(vec![event.clone()]).await, [Waiting]);
        // the same by hand, and if all must pass
        for sweep in [json!({}), json!({"all_must_pass": true})] {
            let answer = world.handle(sweep).await.unwrap();
            assert!(answer.files.iter().all(|file| file.verdict == Waiting) && answer.execution.is_none());
        }
    }
    assert_eq!((world.keys("land"), world.keys("raw-hist").len()), (vec![file(1), file(2)], 0));
    assert_eq!(world.keys("reports"), [RECORD]);
    assert_eq!(world.aws.account().executions.len(), 0);

    let event = land(&world, 0, 0);
    assert_eq!(world.verdicts(vec![event.clone()]).await, [Passed; 3]);
    assert_eq!((world.keys("land"), world.keys("raw-hist")), (vec![], all()));
    assert_eq!(world.aws.account().executions.len(), 1);
    let order = |operation, bucket: &str| -> Vec<String> {
        let done = world.aws.account().done_of(operation);
        done.iter().filter_map(|place| place.strip_prefix(&format!("{bucket}/"))).map(str::to_owned).collect()
    };
    // the first file leaves last: until then, every event repeats all of it
    assert_eq!(order("copy", "raw-hist"), [file(1), file(2), file(0)]);
    assert_eq!(order("delete", "land"), [file(1), file(2), file(0)]);
    assert_eq!(world.verdicts(vec![event]).await, [Verdict::AlreadyHandled]);
}

#[tokio::test]
async fn one_bad_file_keeps_the_whole_extract_out_of_history() {
    let world = World::new().await;
    record(&world, true);
    land(&world, 1, 101);
    land(&world, 2, 2);
    let event = land(&world, 0, 0);
    assert_eq!(world.verdicts(vec![event]).await, [Verdict::Quarantined; 3]);
    assert_eq!((world.keys("land").len(), world.keys("raw-hist").len()), (0, 0));
    for (n, rule) in [(0, "extract"), (1, "maximum"), (2, "extract")] {
        let report = world.json("quarantine", &format!("{}.report.json", file(n)));
        assert_eq!(report["failures"][0]["rule"], rule, "{report:#}");
        assert_eq!(report["failures"].as_array().unwrap().len(), 1, "{report:#}");
    }
    let report = world.json("quarantine", &format!("{}.report.json", file(0)));
    assert_eq!(
        report["summary"],
        "quarantined: 1 rule is broken in a file of 1 row: `extract`: `fetched_1_7.jsonl.gz` of the same extract does \
         not pass, and an extract goes to history whole or not at all"
    );
    // a copy that arrives late is quarantined too
    let late = land(&world, 2, 2);
    assert_eq!(world.verdicts(vec![late]).await, [Verdict::Quarantined]);
    assert_eq!((world.keys("land").len(), world.keys("raw-hist").len()), (0, 0));
}

#[tokio::test]
async fn a_copy_that_comes_late_changes_nothing() {
    let world = World::new().await;
    record(&world, true);
    land(&world, 1, 1);
    land(&world, 2, 2);
    let event = land(&world, 0, 0);
    assert_eq!(world.verdicts(vec![event]).await, [Verdict::Passed; 3]);
    let late = land(&world, 2, 2);
    assert_eq!(world.verdicts(vec![late]).await, [Verdict::Passed]);
    assert_eq!((world.keys("land").len(), world.keys("raw-hist")), (0, all()));
    assert!(world.aws.account().inventory().iter().all(|(place, n)| !place.starts_with("raw-hist/") || *n == 1));
}

#[tokio::test]
async fn history_in_the_way_of_one_file_keeps_all_out() {
    let world = World::new().await;
    record(&world, false);
    world.aws.account().put("raw-hist", &file(2), one(9));
    land(&world, 1, 1);
    land(&world, 2, 2);
    let event = land(&world, 0, 0);
    assert_eq!(world.verdicts(vec![event]).await, [Verdict::Quarantined; 3]);
    assert_eq!((world.keys("land").len(), world.keys("raw-hist")), (0, vec![file(2)]));
    let report = world.json("quarantine", &format!("{}.report.json", file(2)));
    assert_eq!(report["failures"][0]["rule"], "history");
}

#[tokio::test]
async fn a_sweep_takes_an_extract_as_one() {
    use Verdict::{Failed, Held, Passed};
    for (bad, sweep, expected) in [
        (false, json!({}), vec![Passed; 4]),
        (false, json!({"all_must_pass": true}), vec![Passed; 4]),
        (true, json!({"all_must_pass": true}), vec![Failed, Failed, Failed, Held]),
    ] {
        let world = World::new().await;
        record(&world, true);
        (0..3).for_each(|n| drop(land(&world, n, if bad && n == 2 { 101 } else { n })));
        world.land("base/t/file_land_timestamp=7/t_7.jsonl.gz", gzip("{\"n\":1}\n"));
        let staged = "_extracts/base/fetched/file_land_timestamp=8/x/fetched_8.jsonl.gz";
        world.land(staged, gzip("{\"n\":1}\n"));
        let answer = world.handle(sweep.clone()).await.unwrap();
        assert_eq!(answer.files.iter().map(|file| file.verdict).collect::<Vec<_>>(), expected, "{sweep}");
        assert_eq!(world.keys("raw-hist").len(), if bad { 0 } else { 4 });
        // staged files are ignored, whatever is asked for
        let answer = world.handle(json!({"prefix": "_"})).await.unwrap();
        assert_eq!(answer.files.iter().map(|file| file.verdict).collect::<Vec<_>>(), [Verdict::Ignored]);
        assert!(world.keys("land").contains(&staged.to_owned()));
    }
}

#[tokio::test]
async fn files_that_only_look_like_an_extract_s_are_handled_one_by_one() {
    let world = World::new().await;
    // the record is not looked up for a table that is not extracted
    let event = world.land("base/t/file_land_timestamp=7/t_1_7.jsonl.gz", one(1));
    assert_eq!(world.verdicts(vec![event]).await, [Verdict::Passed]);
    assert!(!world.aws.account().requests.iter().any(|step| step.contains("reports/extracts/")));
    // without a record, or not listed in it
    let three = || gzip(&(0..100).map(|n| format!("{{\"n\":{n}}}\n")).collect::<String>());
    for (n, name) in [(1, file(1)), (3, file(3)), (9, "base/fetched/file_land_timestamp=9/fetched_9.jsonl.gz".into())] {
        if n == 3 {
            record(&world, false);
        }
        let event = world.land(&name, three());
        assert_eq!(world.verdicts(vec![event]).await, [Verdict::Passed], "{name}");
    }
    // a single file with too few rows
    let event = world.land("base/fetched/file_land_timestamp=8/fetched_8.jsonl.gz", one(1));
    assert_eq!(world.verdicts(vec![event]).await, [Verdict::Quarantined]);
}

#[tokio::test]
async fn too_little_is_too_little_of_an_extract_too() {
    let world = World::new().await;
    let files: Vec<Value> =
        [0, 1].map(|n| json!({"key": file(n), "staged": "", "rows": 1, "bytes": one(n).len()})).to_vec();
    let record = json!({"table": "fetched", "file_land_timestamp": 7, "attempt": "a", "landed": true, "files": files});
    world.aws.account().put("reports", RECORD, record.to_string());
    land(&world, 1, 1);
    let event = land(&world, 0, 0);
    assert_eq!(world.verdicts(vec![event]).await, [Verdict::Quarantined; 2]);
    let report = world.json("quarantine", &format!("{}.report.json", file(0)));
    let rules: Vec<&Value> = report["failures"].as_array().unwrap().iter().map(|broken| &broken["rule"]).collect();
    assert_eq!(rules, ["minimum_bytes", "minimum_rows"]);
}

/// The process dies at every request in turn while it handles the extract, and the event arrives again.
#[tokio::test]
async fn a_process_may_die_at_any_point_of_an_extract() {
    for bad in [false, true] {
        for late in [false, true] {
            for requests in 0.. {
                let world = World::new().await;
                record(&world, false);
                let events: Vec<Value> =
                    [2, 1, 0].map(|n| land(&world, n, if bad && n == 1 { 101 } else { n })).to_vec();
                (world.aws.account().stop_after, world.aws.account().stop_late) = (Some(requests), late);
                let mut died = false;
                for event in &events {
                    let event = json!({"Records": [event]});
                    let dies = tokio::select! {
                        answer = world.handle(event.clone()) => { answer.unwrap(); false }
                        () = world.aws.stopped() => true,
                    };
                    if dies {
                        world.handle(event).await.unwrap();
                    }
                    died |= dies;
                }
                world.aws.account().stop_after = None;
                let (history, quarantine) = (world.keys("raw-hist"), world.keys("quarantine"));
                let place = format!("bad {bad}, late {late}, after {requests} requests: {history:?} {quarantine:?}");
                assert_eq!(world.keys("land"), [""; 0], "{place}");
                assert_eq!((history.len(), quarantine.len()), if bad { (0, 6) } else { (3, 0) }, "{place}");
                let account = world.aws.account();
                let is_once = |(place, n): (String, usize)| n == 1 || place.ends_with(".json");
                assert!(account.inventory().into_iter().all(is_once), "{place}");
                assert!(bad || account.executions.len() == 1, "{place}");
                if !died {
                    assert!(requests > 30, "{requests}");
                    break;
                }
            }
        }
    }
}

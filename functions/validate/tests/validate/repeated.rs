//! Files without a folder that land again: a repeated file counts once.

use contract::message::Verdict::{Passed, Quarantined};
use serde_json::{Value, json};

use crate::landing::{World, gzip};

const NAME: &str = "base/t/t_9.jsonl.gz";
/// The time at which the account writes its first objects.
const CLOCK: u64 = 1_795_413_604;

fn filed(time: u64) -> String {
    format!("base/t/file_land_timestamp={time}/t_9.jsonl.gz")
}

/// Returns the files in history, without the markers.
fn history(world: &World) -> Vec<String> {
    world.keys("raw-hist").into_iter().filter(|key| key.starts_with("base/")).collect()
}

fn land(world: &World, row: u32) -> Value {
    world.land(NAME, gzip(&format!("{{\"n\":{row}}}\n")))
}

fn later(world: &World, seconds: u64) {
    world.aws.account().clock += seconds;
}

#[tokio::test]
async fn the_same_file_counts_once_and_the_report_says_of_which() {
    for checksums in [true, false] {
        let world = World::new().await;
        world.aws.account().checksums = checksums;
        let first = land(&world, 1);
        assert_eq!(world.verdicts(vec![first]).await, [Passed]);
        later(&world, 3);
        let second = land(&world, 1);
        let answer = world.handle(json!({"Records": [second]})).await.unwrap();
        assert_eq!(answer.files[0].verdict, Passed);
        let summary = format!(
            "passed: 1 row, 8 bytes of text; the same file as {}, in history already: its rows count once",
            filed(CLOCK)
        );
        assert_eq!(answer.files[0].summary, summary);
        assert_eq!(answer.files[0].filed_at, Some(format!("s3://raw-hist/{}", filed(CLOCK))));
        assert_eq!((history(&world), world.keys("land")), (vec![filed(CLOCK)], vec![]));
        let report = answer.files[0].report.clone().unwrap();
        let report = world.json("reports", report.strip_prefix("s3://reports/").unwrap());
        assert_eq!(report["repeats"], json!({"bucket": "raw-hist", "key": filed(CLOCK)}));
        // other bytes make another file
        later(&world, 3);
        let third = land(&world, 2);
        assert_eq!(world.verdicts(vec![third]).await, [Passed]);
        assert_eq!(history(&world), [filed(CLOCK), filed(CLOCK + 6)]);
        // the first file once more, although it is not the latest
        later(&world, 3);
        let fourth = land(&world, 1);
        assert_eq!(world.verdicts(vec![fourth]).await, [Passed]);
        assert_eq!(history(&world), [filed(CLOCK), filed(CLOCK + 6)]);
        // the same bytes under another name, or in another table, are another file
        for other in ["base/t/t_10.jsonl.gz", "base/messy/messy_9.jsonl.gz"] {
            let event = world.land(other, gzip("{\"n\":1}\n"));
            assert_eq!(world.verdicts(vec![event]).await, [Passed]);
        }
        assert_eq!(history(&world).len(), 4);
    }
}

#[tokio::test]
async fn a_source_may_mean_it() {
    let world = World::with_checks(json!({"repeated_files": "keep"})).await;
    for _ in 0..2 {
        let event = land(&world, 1);
        assert_eq!(world.verdicts(vec![event]).await, [Passed]);
        later(&world, 3);
    }
    assert_eq!(world.keys("raw-hist"), [filed(CLOCK), filed(CLOCK + 3)]);
}

#[tokio::test]
async fn a_file_that_had_its_folder_is_known_without_it() {
    let world = World::new().await;
    let event = world.land(&filed(9), gzip("{\"n\":1}\n"));
    assert_eq!(world.verdicts(vec![event]).await, [Passed]);
    let event = land(&world, 1);
    assert_eq!(world.verdicts(vec![event]).await, [Passed]);
    assert_eq!(world.keys("raw-hist"), [filed(9)]);
    // with other rows it is another file, filed under the time at which it landed
    let event = land(&world, 2);
    assert_eq!(world.verdicts(vec![event]).await, [Passed]);
    assert_eq!(history(&world), [filed(CLOCK), filed(9)]);
}

#[tokio::test]
async fn it_costs_two_requests_more_and_four_for_a_file_that_comes_again() {
    let of = async |world: &World, event: Value| {
        world.aws.account().requests.clear();
        assert_eq!(world.verdicts(vec![event]).await, [Passed]);
        let requests = world.aws.account().requests.clone();
        // requests for a rebuild are not counted
        let of_file = requests.iter().filter(|step| !step.starts_with("start ") && !step.contains("rebuilds/"));
        of_file.map(|step| step.split('/').next().unwrap_or_default().to_owned()).collect::<Vec<_>>()
    };
    let world = World::new().await;
    let event = world.land("base/t/file_land_timestamp=7/t_7.jsonl.gz", gzip("{\"n\":1}\n"));
    let plain = of(&world, event).await;
    assert_eq!(
        plain,
        ["head land", "get land", "head raw-hist", "copy raw-hist", "head raw-hist", "put reports", "delete land"]
    );
    let event = land(&world, 1);
    let first = of(&world, event).await;
    assert_eq!(first[..4], ["head land", "get land", "head raw-hist", "put raw-hist"]);
    assert_eq!(first[4..], plain[2..]);
    later(&world, 3);
    let event = land(&world, 1);
    let again = of(&world, event).await;
    // checks whether the refused write was its own, reads the marker, and copies nothing
    assert_eq!(again[..4], first[..4]);
    assert_eq!(again[4..6], ["head raw-hist", "get raw-hist"]);
    assert_eq!(again[6..], ["head raw-hist", "head raw-hist", "put reports", "delete land"]);
}

#[tokio::test]
async fn two_files_of_a_name_within_a_second_stay_two_and_the_second_may_land_again() {
    let world = World::new().await;
    for (row, verdict) in [(1, Passed), (2, Quarantined)] {
        let event = land(&world, row);
        assert_eq!(world.verdicts(vec![event]).await, [verdict]);
    }
    for _ in 0..2 {
        later(&world, 3);
        let event = land(&world, 2);
        assert_eq!(world.verdicts(vec![event]).await, [Passed]);
        assert_eq!(history(&world), [filed(CLOCK), filed(CLOCK + 3)]);
    }
}

/// The file has landed twice. The process dies at every request in turn, and the events arrive again, in either order.
#[tokio::test]
async fn a_process_may_die_at_any_point() {
    for late in [false, true] {
        for turned in [false, true] {
            for requests in 0.. {
                let world = World::new().await;
                let mut events = vec![land(&world, 1)];
                later(&world, 3);
                events.push(land(&world, 1));
                if turned {
                    events.reverse();
                }
                (world.aws.account().stop_after, world.aws.account().stop_late) = (Some(requests), late);
                let mut died = None;
                for (n, event) in events.iter().enumerate() {
                    tokio::select! {
                        answer = world.handle(json!({"Records": [event]})) => { answer.unwrap(); }
                        () = world.aws.stopped() => died = Some(n),
                    }
                }
                world.aws.account().stop_after = None;
                if let Some(n) = died {
                    // the other landing has been handled in the meantime
                    world.handle(json!({"Records": [events[n]]})).await.unwrap();
                }
                let place = format!("late {late}, turned {turned}, after {requests} requests");
                assert_eq!((world.keys("land").len(), world.keys("quarantine").len()), (0, 0), "{place}");
                let history = history(&world);
                assert!(history.len() == 1 && history[0].ends_with("/t_9.jsonl.gz"), "{place}: {history:?}");
                assert_eq!(world.aws.account().executions.len(), 1, "{place}");
                if died.is_none() {
                    assert!(requests > 15, "{place}");
                    break;
                }
            }
        }
    }
}

/// One invocation is held at every request in turn while another handles the other landing.
#[tokio::test]
async fn two_invocations_may_meet_anywhere() {
    for late in [false, true] {
        for requests in 0.. {
            let world = World::new().await;
            let first = land(&world, 1);
            later(&world, 3);
            let second = land(&world, 1);
            world.aws.account().hold_after = Some((requests, late));
            let one = world.handle(json!({"Records": [first]}));
            tokio::pin!(one);
            let held = tokio::select! {
                answer = &mut one => { answer.unwrap(); false }
                () = world.aws.held() => true,
            };
            world.aws.account().hold_after = None;
            world.handle(json!({"Records": [second]})).await.unwrap();
            if held {
                world.aws.release();
                one.await.unwrap();
            }
            let place = format!("late {late}, held at request {requests}");
            assert_eq!((world.keys("land").len(), world.keys("quarantine").len()), (0, 0), "{place}");
            assert_eq!(history(&world).len(), 1, "{place}");
            if !held {
                assert!(requests > 8, "{place}");
                break;
            }
        }
    }
}

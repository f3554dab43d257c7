//! The memory that a source can make extract use. The tests run in their own process. The function has 256 MB.

#[expect(dead_code, reason = "only a part of what the other tests share")]
#[path = "../extract/server.rs"]
mod server;
#[expect(dead_code, reason = "only a part of what the other tests share")]
#[path = "../extract/world.rs"]
mod world;

use contract::FailureKind;
use serde_json::json;

use server::{Asked, Reply};
use world::World;

/// The most bytes of a body.
const BODY_BYTES: usize = 6 << 20;

/// Returns as many copies of `item` as fit in a body.
fn filled(start: &str, item: &str, end: &str) -> String {
    let count = (BODY_BYTES - start.len() - end.len()) / (item.len() + 1);
    format!("{start}{}{end}", vec![item; count].join(","))
}

/// Returns this process's peak memory since the last call, in MB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
    std::fs::write("/proc/self/clear_refs", "5").expect("the peak is forgotten");
    peak.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") / 1024
}

/// The stand-ins for the source and S3 run in the same process, and use about 40 MB of it.
#[test]
fn hostile_answers_are_held_one_by_one() {
    let keys = |count: usize| (0..count).map(|n| format!("\"k{n}\":1")).collect::<Vec<_>>().join(",");
    let repeated = format!("{{\"{}\":{{{}}}}}", "n".repeat(250), keys(999));
    let million = format!("{{\"result\":[{{{}}}]}}", keys(490_000));
    assert!((BODY_BYTES * 9 / 10..BODY_BYTES).contains(&million.len()), "{}", million.len());
    let no_record = filled("{\"result\":[{\"a\":1},", "1", "]}");
    for (what, body, refused) in [
        ("many small records", filled("{\"result\":[", "{\"a\":1}", "]}"), None),
        ("names that repeat", filled("{\"result\":[", &repeated, "]}"), None),
        ("a record of many columns", million, Some("record 0: it has more than 10000 columns")),
        ("many values that are no record", no_record, Some("record 1: expected an object")),
        ("many names beside the record", filled("{", "\"a\":1", ",\"result\":{\"a\":1}}"), None),
        ("a list that is walked through", filled("{\"result\":[{\"a\":[", "1", "]}]}"), None),
    ] {
        // a runtime for each, so that nothing of the previous one is left
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let (answer, peak) = runtime.block_on(async {
            let source = json!({"requests": 4, "concurrency": 4, "index_column": null});
            let world = World::answering(source, move |_: &Asked| Reply::new(200, body.clone())).await;
            peak();
            (world.extract_as(1).await, peak())
        });
        drop(runtime);
        println!("{what}: {peak} MB");
        assert!(peak < 200, "{what}: {peak} MB");
        match (answer, refused) {
            (Ok(response), None) => assert!(response.rows >= 4, "{what}"),
            (Err(failure), Some(reason)) => {
                assert_eq!(failure.kind, FailureKind::BadData);
                assert!(failure.message.contains(reason), "{what}: {failure}");
            }
            (answer, _) => panic!("{what}: {answer:?}"),
        }
    }
}

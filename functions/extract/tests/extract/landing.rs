use contract::FailureKind;
use contract::message::ExtractResponse;
use fake_aws::Fault;
use serde_json::{Value, json};

use crate::server::Reply;
use crate::world::{World, noise};

const PREFIX: &str = "base/t/file_land_timestamp=7";
const RECORD: &str = "extracts/base/t/file_land_timestamp=7.json";

fn files(response: &ExtractResponse) -> Vec<(&str, u64)> {
    response.files.iter().map(|file| (file.key.rsplit('/').next().unwrap_or_default(), file.rows)).collect()
}

fn indexes(rows: &[Value]) -> Vec<u64> {
    rows.iter().map(|row| row["index"].as_u64().expect("an index")).collect()
}

#[tokio::test]
async fn a_small_extract_is_one_object_and_always_the_same_bytes() {
    let mut bodies = Vec::new();
    for _ in 0..2 {
        // the same for each request, because they arrive at the server in any order
        let world = World::new(json!({"requests": 25}), |_| noise(7, 10)).await;
        let response = world.extract().await.unwrap();
        assert_eq!((response.rows, response.file_land_timestamp, response.already_extracted), (25, 7, false));
        assert_eq!(files(&response), [("t_7.jsonl.gz", 25)]);
        let key = format!("{PREFIX}/t_7.jsonl.gz");
        assert_eq!(world.objects(), [format!("land/{key}"), format!("reports/{RECORD}")]);
        assert_eq!(indexes(&world.rows()), (0..25).collect::<Vec<_>>());
        assert!(world.done("create").is_empty());
        let body = world.aws.account().read("land", &key).unwrap();
        assert_eq!((body.len() as u64, response.files[0].bytes), (response.bytes, response.bytes));
        assert_eq!(body[4..8], [0; 4], "no time in the header");
        bodies.push(body);
    }
    assert_eq!(bodies[0], bodies[1]);
}

#[tokio::test]
async fn chunks_land_when_all_are_staged_and_chunk_0_last() {
    let source = json!({"requests": 50, "maximum_file_bytes": 300_000});
    let world = World::new(source, |n| noise(n, 20_000)).await;
    let response = world.extract().await.unwrap();
    let names: Vec<String> = (0..response.files.len()).map(|n| format!("t_{n}_7.jsonl.gz")).collect();
    assert!(names.len() > 2, "{names:?}");
    assert_eq!(files(&response).iter().map(|(name, _)| *name).collect::<Vec<_>>(), names);
    assert_eq!(files(&response).iter().map(|(_, rows)| rows).sum::<u64>(), 50);
    assert!(
        response.files[..names.len() - 1].iter().all(|f| (300_000..400_000).contains(&f.bytes)),
        "{:?}",
        response.files
    );
    assert_eq!(indexes(&world.rows()), (0..50).collect::<Vec<_>>());

    // nothing lands before everything is staged and decided on, and the first chunk lands last
    let done = world.aws.account().done.clone();
    let at = |step: &str| done.iter().position(|done| done == step).expect("it was done");
    let staged = done.iter().rposition(|step| step.starts_with("complete ")).unwrap();
    let decided = at(&format!("put reports/{RECORD}"));
    let landed = done.iter().rposition(|step| *step == format!("put reports/{RECORD}")).unwrap();
    let copies: Vec<usize> = names.iter().map(|name| at(&format!("copy land/{PREFIX}/{name}"))).collect();
    assert!(staged < decided && copies.iter().all(|copy| (decided..landed).contains(copy)), "{done:?}");
    assert_eq!(copies.iter().max(), copies.first());
    assert!(
        done[..decided].iter().all(|step| step.contains(" land/_extracts/base/t/file_land_timestamp=7/")),
        "{done:?}"
    );
    assert!(done[landed + 1..].iter().all(|step| step.starts_with("delete land/_extracts/")), "{done:?}");
    let record: Value = serde_json::from_slice(&world.aws.account().read("reports", RECORD).unwrap()).unwrap();
    assert_eq!((&record["landed"], record["files"].as_array().unwrap().len()), (&json!(true), names.len()));
}

#[tokio::test]
async fn a_file_that_is_just_full_has_no_empty_chunk_after_it() {
    // one row fills the file, and no more rows come
    let world = World::new(json!({"requests": 1, "maximum_file_bytes": 10_000}), |n| noise(n, 200_000)).await;
    assert_eq!(files(&world.extract().await.unwrap()), [("t_7.jsonl.gz", 1)]);
}

#[tokio::test]
async fn what_does_not_fit_in_a_part_goes_up_while_rows_come_in() {
    let world = World::new(json!({"requests": 28}), |n| noise(n, 500_000)).await;
    let response = world.extract().await.unwrap();
    assert_eq!(files(&response), [("t_0_7.jsonl.gz", 28)]);
    assert!(response.bytes > 8 << 20);
    assert_eq!(world.done("part").len(), 2);
    assert_eq!(indexes(&world.rows()), (0..28).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_time_is_extracted_once() {
    // by history alone, if the record is gone
    for found in ["t_7.jsonl.gz", "t_0_7.jsonl.gz"] {
        let world = World::new(json!({"requests": 3}), |n| noise(n, 10)).await;
        world.aws.account().put("raw-hist", &format!("{PREFIX}/{found}"), "");
        let response = world.extract().await.unwrap();
        assert!(response.already_extracted && response.files.is_empty() && response.rows == 0);
        assert_eq!((world.source.asked().len(), world.objects().len()), (0, 1), "{found}");
    }
    // by its record, whatever happened to the file
    let world = World::new(json!({"requests": 3}), |n| noise(n, 10)).await;
    world.extract().await.unwrap();
    world.aws.account().remove("land", &format!("{PREFIX}/t_7.jsonl.gz"));
    assert!(world.extract().await.unwrap().already_extracted);
    assert_eq!((world.source.asked().len(), world.objects()), (3, vec![format!("reports/{RECORD}")]));
}

#[tokio::test]
async fn history_never_gets_the_rest_of_another_extract() {
    let world = World::new(json!({"requests": 3}), |n| noise(n, 10)).await;
    world.aws.account().put("raw-hist", &format!("{PREFIX}/t_1_7.jsonl.gz"), "");
    let failure = world.extract().await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Conflict);
    assert!(failure.message.contains("t_1_7.jsonl.gz is there, and the file with the first rows is not"), "{failure}");
    assert_eq!(world.source.asked().len(), 0);
    // a file that only looks similar is a supplier's
    for other in ["t_1_7.csv", "t_1_77.jsonl.gz", "u_1_7.jsonl.gz"] {
        let world = World::new(json!({"requests": 3}), |n| noise(n, 10)).await;
        world.aws.account().put("raw-hist", &format!("{PREFIX}/{other}"), "");
        assert!(!world.extract().await.unwrap().already_extracted, "{other}");
    }
}

#[tokio::test]
async fn a_file_that_is_in_the_way_is_not_replaced_and_the_rows_stay_staged() {
    let source = json!({"requests": 6, "maximum_file_bytes": 20_000});
    let world = World::new(source, |n| noise(n, 20_000)).await;
    let key = format!("{PREFIX}/t_1_7.jsonl.gz");
    world.aws.account().put("land", &key, "theirs");
    let failure = world.extract().await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Conflict);
    assert!(failure.message.contains("t_1_7.jsonl.gz is there, with other rows"), "{failure}");
    assert_eq!(world.aws.account().read("land", &key).unwrap(), b"theirs");
    // validate has moved it
    world.aws.account().remove("land", &key);
    let response = world.extract().await.unwrap();
    assert_eq!((response.rows, response.already_extracted, world.source.asked().len()), (6, false, 6));
    assert_eq!(indexes(&world.rows()), (0..6).collect::<Vec<_>>());
    assert!(world.aws.account().keys("land").iter().all(|key| key.starts_with(PREFIX)));
}

#[tokio::test]
async fn a_failure_of_the_source_lands_nothing() {
    let source = json!({"requests": 40, "maximum_file_bytes": 100_000});
    let world = World::new(source, |n| if n < 30 { noise(n, 20_000) } else { Reply::new(500, "") }).await;
    let failure = world.extract().await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Unavailable);
    assert!(failure.message.starts_with("extracting `t`: request 31 of 40, GET http://127.0.0.1:"), "{failure}");
    assert!(world.done("abort").len() > 1);
    world.assert_nothing_landed();
}

#[tokio::test]
async fn the_deadline_lands_nothing() {
    let source = json!({"requests": 40, "maximum_file_bytes": 100_000, "concurrency": 1});
    let world = World::new(source, |n| noise(n, 20_000).after(if n < 30 { 0 } else { 60_000 })).await;
    let failure = world.extract_within(3).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Timeout);
    assert!(failure.message.contains("30 of 40 requests"), "{failure}");
    world.assert_nothing_landed();
}

#[tokio::test]
async fn an_extract_without_rows_is_bad_data() {
    let world = World::new(json!({"requests": 3}), |_| Reply::new(200, "{\"result\":[]}")).await;
    let failure = world.extract().await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::BadData);
    assert!(failure.message.contains("no record in 3 answers"), "{failure}");
    world.assert_nothing_landed();
}

#[tokio::test]
async fn a_failure_of_s3_while_staging_lands_nothing() {
    for step in ["create", "part", "complete"] {
        let source = json!({"requests": 20, "maximum_file_bytes": 80_000});
        let world = World::new(source, |n| noise(n, 20_000)).await;
        let staged = |key: &String| key.contains("/t_1_7.jsonl.gz");
        let refused = format!("{step} land/_extracts/{PREFIX}/");
        world.aws.account().fail_step(&refused, Fault::refused(403).for_good());
        let failure = world.extract().await.unwrap_err();
        assert!(failure.message.contains("_7.jsonl.gz: AccessDenied: as the test has it"), "{failure}");
        assert!(world.aws.account().uploads().is_empty(), "{step}");
        assert!(world.objects().iter().all(|key| key.starts_with("land/_extracts/")), "{step}: {:?}", world.objects());
        assert!(!world.objects().iter().any(staged) || step == "complete");
        // the retry is complete
        world.aws.account().heal();
        assert_eq!(world.extract().await.unwrap().rows, 20);
        assert_eq!(indexes(&world.landed()), (0..20).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn a_small_extract_costs_no_more_requests_of_the_dear_kind_than_it_did() {
    let world = World::new(json!({"requests": 3}), |n| noise(n, 10)).await;
    world.extract().await.unwrap();
    let account = world.aws.account();
    let operations: Vec<&str> = account.requests.iter().filter_map(|step| step.split(' ').next()).collect();
    let expected = ["get", "list", "put", "put", "head", "head", "copy", "put", "head", "delete"];
    assert_eq!(operations, expected, "{:?}", account.requests);
    // PUT, COPY and LIST cost 12 times as much as GET and HEAD. It used to be four lists and a put.
    let dear = operations.iter().filter(|operation| ["list", "put", "copy"].contains(*operation));
    assert_eq!(dear.count(), 5);
}

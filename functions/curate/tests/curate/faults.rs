use std::time::Duration;

use contract::message::CurateResponse;
use contract::{Failure, FailureKind};
use fake_aws::{Account, Fault};
use tokio::sync::OnceCell;

use crate::world::{Outputs, World, gzip, key, landed};

/// The number of attempts that the client makes at a request.
const ATTEMPTS: u32 = 3;

/// The account after a run without faults, and the output of that run.
struct Published {
    account: Account,
    outputs: Outputs,
    /// The number of requests of that run.
    requests: usize,
}

/// Returns the result of that run, which all tests share.
async fn published() -> &'static Published {
    static PUBLISHED: OnceCell<Published> = OnceCell::const_new();
    let publish = || async {
        let world = World::over(landed(), 1).await;
        let response = world.rebuild().await.expect("a run without faults");
        let outputs = world.outputs(&response);
        let account = world.aws.account().clone();
        let parts = account.done_of("part").len();
        assert!(parts >= 2, "{parts} parts, of {:#?}", account.requests);
        assert_eq!(account.uploads(), [""; 0]);
        let requests = account.requests.len();
        Published { account, outputs, requests }
    };
    PUBLISHED.get_or_init(publish).await
}

/// The outcome of a run with a fault.
#[derive(Clone, Copy, PartialEq)]
enum Then {
    Heals,
    Fails,
    /// Depends on the request.
    Either,
}

/// Makes a run fail at every request in turn. The run after it has no faults.
async fn every_request_in_turn(fault: Fault, then: Then) {
    let published = published().await;
    let before = published.account.versions();
    for n in 0..published.requests {
        let world = World::over(published.account.clone(), ATTEMPTS).await;
        world.aws.account().fail_request(n, fault);
        let result = world.rebuild().await;
        let failed = world.aws.account().failed_step().map(str::to_owned);
        let case = format!("{fault:?} at request {n}, {failed:?}");

        // published objects and raw-hist are unchanged
        let after = world.aws.account().versions();
        assert!(before.iter().all(|version| after.contains(version)), "{case}");
        match &result {
            Ok(response) => {
                assert!(then != Then::Fails || failed.is_none(), "{case}: it succeeded");
                assert_eq!(world.outputs(response), published.outputs, "{case}");
                continue;
            }
            Err(failure) => {
                assert!(then != Then::Heals, "{case}: {failure}");
                assert!(failure.kind.is_retryable(), "{case}: {:?} {failure}", failure.kind);
                let (operation, place) = failed.as_deref().and_then(|step| step.split_once(' ')).expect("a step");
                assert!(failure.message.contains(&format!("s3://{place}")), "{case}: {failure}");
                // a manifest whose answer was lost exists although the run failed, and so does an upload
                let answerless = [Fault::lost().for_good(), Fault::cut().for_good()].contains(&fault);
                let manifest = operation == "put" && place.starts_with("curated/f/_manifests/");
                assert!(world.manifests().len() == 1 || manifest && answerless, "{case}");
                if operation != "create" || !answerless {
                    no_upload_is_left(&world).await;
                }
            }
        }

        world.aws.account().heal();
        let again = world.rebuild().await.unwrap_or_else(|failure| panic!("after {case}: {failure}"));
        assert_eq!(world.outputs(&again), published.outputs, "after {case}");
        let after = world.aws.account().versions();
        assert!(before.iter().all(|version| after.contains(version)), "after {case}");
    }
}

/// Waits until no upload is left. A run that gives up aborts its uploads in the background.
async fn no_upload_is_left(world: &World) {
    for _ in 0..500 {
        if world.aws.account().uploads().is_empty() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{:?} is left", world.aws.account().uploads());
}

#[tokio::test]
async fn an_error_that_lasts_fails_the_run() {
    every_request_in_turn(Fault::refused(500).for_good(), Then::Fails).await;
}

#[tokio::test]
async fn a_service_that_goes_on_asking_to_slow_down_fails_the_run() {
    every_request_in_turn(Fault::refused(503).for_good(), Then::Fails).await;
}

#[tokio::test]
async fn one_error_is_healed_by_the_next_attempt() {
    every_request_in_turn(Fault::refused(503), Then::Heals).await;
}

#[tokio::test]
async fn one_connection_that_is_closed_is_healed_by_the_next_attempt() {
    every_request_in_turn(Fault::closed(), Then::Heals).await;
}

#[tokio::test]
async fn connections_that_are_always_closed_fail_the_run() {
    every_request_in_turn(Fault::closed().for_good(), Then::Fails).await;
}

#[tokio::test]
async fn one_answer_that_is_lost_is_healed_by_the_next_attempt() {
    every_request_in_turn(Fault::lost(), Then::Heals).await;
}

#[tokio::test]
async fn answers_that_are_always_lost_fail_the_run() {
    every_request_in_turn(Fault::lost().for_good(), Then::Fails).await;
}

#[tokio::test]
async fn a_body_that_is_cut_off_is_never_taken_for_the_whole() {
    every_request_in_turn(Fault::cut().for_good(), Then::Either).await;
}

/// Runs over an account in which something is wrong.
async fn rebuild(account: Account) -> Result<CurateResponse, Failure> {
    World::over(account, 1).await.rebuild().await
}

#[tokio::test]
async fn an_object_that_is_overwritten_after_it_was_listed_is_a_conflict() {
    for (n, extension) in [(1, "jsonl.gz"), (3, "parquet")] {
        let mut account = landed();
        let key = key(n, extension);
        account.put_after("list raw-hist/base/letters/", "raw-hist", &key, "other bytes");
        let world = World::over(account, 1).await;
        // a second page of the listing would show the new object
        world.aws.account().page_size = 1000;
        let failure = world.rebuild().await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::Conflict, "{failure}");
        assert!(failure.message.contains(&format!("s3://raw-hist/{key}")), "{failure}");
        assert_eq!(world.manifests(), [""; 0]);
    }
}

#[tokio::test]
async fn a_gzip_stream_that_is_cut_off_in_raw_hist_is_bad_data() {
    let mut account = landed();
    let whole = gzip("{\"id\":1,\"shelf\":\"low\",\"body\":\"Dear Sir\"}\n");
    account.put("raw-hist", &key(7, "jsonl.gz"), whole[..whole.len() - 9].to_vec());
    let failure = rebuild(account).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::BadData, "{failure}");
    assert!(failure.message.contains(&format!("s3://raw-hist/{}", key(7, "jsonl.gz"))), "{failure}");
}

#[tokio::test]
async fn a_body_that_is_cut_off_says_nothing_about_the_file() {
    for (n, extension) in [(1, "jsonl.gz"), (3, "parquet")] {
        let mut account = landed();
        let key = key(n, extension);
        account.fail_step(&format!("get raw-hist/{key}"), Fault::cut().for_good());
        let failure = rebuild(account).await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::Unavailable, "{failure}");
        assert!(failure.message.contains(&format!("s3://raw-hist/{key}")), "{failure}");
    }
}

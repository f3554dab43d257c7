//! Attempts at one scheduled time that die or meet at any point. The source returns other rows each time.

use std::time::Duration;

use serde_json::{Value, json};

use crate::server::{Asked, Reply};
use crate::world::{World, noise};

const REQUESTS: u64 = 5;
const RECORD: &str = "extracts/base/t/file_land_timestamp=7.json";

/// The most bytes of a file, for an extract of several files and for one of a single file.
const SIZES: [u64; 2] = [20_000, 1_000_000];

struct Attempts {
    world: World,
}

impl Attempts {
    /// Every row names the attempt that asked for it.
    async fn new(maximum_file_bytes: u64) -> Self {
        let source = json!({"requests": REQUESTS, "maximum_file_bytes": maximum_file_bytes});
        let answer = |asked: &Asked| {
            let (_, attempt) = asked.path.split_once("attempt=").expect("an attempt");
            let mut body: Value = serde_json::from_slice(&noise(asked.number, 20_000).body).expect("JSON");
            body["result"]["attempt"] = attempt.into();
            Reply::new(200, body.to_string())
        };
        Self { world: World::answering(source, answer).await }
    }

    /// Does what validate does: moves all files of the extract to history once the first is there. Fails if history has
    /// other bytes.
    fn promote(&self) {
        let mut account = self.world.aws.account();
        let keys: Vec<String> = account.keys("land").into_iter().filter(|key| key.starts_with("base/")).collect();
        let is_first = |key: &String| key.ends_with("/t_7.jsonl.gz") || key.ends_with("/t_0_7.jsonl.gz");
        let is_whole = |keys: &[String]| keys.iter().any(is_first);
        if !is_whole(&keys) && !is_whole(&account.keys("raw-hist")) {
            return;
        }
        for key in keys {
            let bytes = account.read("land", &key).expect("an object");
            match account.read("raw-hist", &key) {
                None => drop(account.put("raw-hist", &key, bytes)),
                Some(there) => assert!(there == bytes, "{key} is in history with other bytes"),
            }
            account.remove("land", &key);
        }
    }

    /// Checks that history has every row of one attempt once, and that nothing is left anywhere.
    fn assert_whole(&self, place: &str) {
        self.promote();
        let rows = self.world.rows_in("raw-hist", "");
        let mut indexes: Vec<u64> = rows.iter().filter_map(|row| row["index"].as_u64()).collect();
        indexes.sort_unstable();
        assert_eq!(indexes, (0..REQUESTS).collect::<Vec<_>>(), "{place}");
        let of_one = rows.iter().all(|row| row["attempt"] == rows[0]["attempt"]);
        assert!(of_one, "{place}: {:?}", rows.iter().map(|row| &row["attempt"]).collect::<Vec<_>>());
        let account = self.world.aws.account();
        assert_eq!(account.keys("land").into_iter().filter(|key| key.starts_with("base/")).count(), 0, "{place}");
        assert_eq!(account.keys("reports"), [RECORD], "{place}");
    }

    /// Waits until no part is being uploaded in the background. It would be taken for a part of another attempt.
    async fn is_quiet(&self) {
        let requests = || self.world.aws.account().requests.len();
        loop {
            let before = requests();
            tokio::time::sleep(Duration::from_millis(25)).await;
            if requests() == before {
                return;
            }
        }
    }

    fn staged(&self) -> usize {
        let account = self.world.aws.account();
        account.keys("land").iter().filter(|key| key.starts_with("_extracts/")).count() + account.uploads().len()
    }

    fn is_decided(&self) -> bool {
        !self.world.aws.account().keys("reports").is_empty()
    }
}

#[tokio::test]
async fn an_attempt_may_die_at_any_request_and_the_next_finishes_or_replaces_it() {
    for bytes in SIZES {
        for (late, promote) in [(false, false), (true, false), (false, true), (true, true)] {
            for requests in 0.. {
                let place = format!("{bytes} bytes a file, after {requests} requests, late {late}, promoted {promote}");
                let attempts = Attempts::new(bytes).await;
                let world = &attempts.world;
                (world.aws.account().stop_after, world.aws.account().stop_late) = (Some(requests), late);
                let died = tokio::select! {
                    answer = world.extract_as(1) => { answer.unwrap(); false }
                    () = world.aws.stopped() => true,
                };
                world.aws.account().stop_after = None;
                if promote {
                    attempts.promote();
                }
                let (asked, decided) = (world.source.asked().len(), attempts.is_decided());
                let response = world.extract_as(2).await.unwrap_or_else(|failure| panic!("{place}: {failure}"));
                assert_eq!(world.source.asked().len() > asked, !decided, "{place}: the source is asked again");
                assert!(response.already_extracted || response.rows == REQUESTS, "{place}: {response:?}");
                attempts.assert_whole(&place);
                // a further attempt changes nothing
                assert!(world.extract_as(3).await.unwrap().already_extracted, "{place}");
                attempts.assert_whole(&place);
                if !died {
                    assert_eq!(attempts.staged(), 0, "{place}");
                    assert!(requests >= 10, "{place}");
                    break;
                }
            }
        }
    }
}

/// Another attempt runs to its end while one is held at each of its requests in turn.
#[tokio::test]
async fn two_at_once_end_as_one() {
    for bytes in SIZES {
        for (late, promote) in [(false, false), (true, false), (false, true), (true, true)] {
            for requests in 0.. {
                let place =
                    format!("{bytes} bytes a file, held at request {requests}, late {late}, promoted {promote}");
                let attempts = Attempts::new(bytes).await;
                let world = &attempts.world;
                world.aws.account().hold_after = Some((requests, late));
                let first = world.extract_as(1);
                tokio::pin!(first);
                let held = tokio::select! {
                    answer = &mut first => { answer.unwrap(); false }
                    () = world.aws.held() => true,
                };
                if held {
                    world.extract_as(2).await.unwrap_or_else(|failure| panic!("{place}: {failure}"));
                    if promote {
                        attempts.promote();
                    }
                    world.aws.release();
                    first.await.unwrap_or_else(|failure| panic!("{place}: {failure}"));
                }
                attempts.assert_whole(&place);
                assert_eq!(attempts.staged(), 0, "{place}");
                if !held {
                    assert!(requests >= 10, "{place}");
                    break;
                }
            }
        }
    }
}

/// The attempt that dies was overtaken by the other, or had overtaken it. The retry of either finds one extract.
#[tokio::test]
async fn one_of_two_may_die_while_the_other_is_at_it() {
    for requests in 0.. {
        let mut died = false;
        for held_at in [2, 9, 15] {
            let place = format!("held at request {held_at}, the other dead after {requests}");
            let attempts = Attempts::new(SIZES[0]).await;
            let world = &attempts.world;
            world.aws.account().hold_after = Some((held_at, true));
            let first = world.extract_as(1);
            tokio::pin!(first);
            let held = tokio::select! {
                answer = &mut first => { answer.unwrap(); false }
                () = world.aws.held() => true,
            };
            assert!(held, "{place}");
            attempts.is_quiet().await;
            world.aws.account().stop_after = Some(requests);
            tokio::select! {
                answer = world.extract_as(2) => { answer.unwrap(); }
                () = world.aws.stopped() => died = true,
            }
            world.aws.account().stop_after = None;
            attempts.promote();
            world.aws.release();
            first.await.unwrap_or_else(|failure| panic!("{place}: {failure}"));
            assert!(world.extract_as(3).await.unwrap().already_extracted, "{place}");
            attempts.assert_whole(&place);
        }
        if !died {
            assert!(requests > 10);
            break;
        }
    }
}

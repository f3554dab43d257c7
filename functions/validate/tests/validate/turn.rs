//! Rebuilds run one at a time, and no more often than needed.

use std::time::{Duration, SystemTime};

use boot::Invocation;
use contract::Failure;
use serde_json::{Value, json};

use crate::landing::{World, file, gzip};

const MACHINE: &str = "arn:aws:states:eu-west-2:1:execution:m";

impl World {
    /// Promotes a file. Returns the names of all executions that were started.
    async fn promote(&self, number: u32) -> Vec<String> {
        let record = self.land(&file(number), gzip("{\"n\":1}\n"));
        self.verdicts(vec![record]).await;
        self.aws.account().executions.keys().cloned().collect()
    }

    /// Adds an execution that somebody has started.
    fn start(&self, name: &str) {
        self.aws.account().executions.insert(name.into(), "{}".into());
    }

    fn end(&self, name: &str) {
        self.aws.account().closed.push(name.into());
    }

    async fn ask(&self, name: &str, request: &Value) -> Result<Value, Failure> {
        let deadline = SystemTime::now() + Duration::from_mins(1);
        let event = json!({"turn_of": format!("{MACHINE}:{name}"), "request": request});
        self.app.answer(event, &Invocation { request_id: "r".into(), deadline }).await
    }

    /// Returns the answer to an execution that asks for its turn.
    async fn turn(&self, name: &str, request: Value) -> String {
        self.ask(name, &request).await.expect("an answer")["turn"].as_str().expect("a turn").to_owned()
    }

    /// Returns the input of an execution that was started for files.
    fn input(&self, name: &str) -> Value {
        serde_json::from_str(&self.aws.account().executions[name]).expect("JSON")
    }
}

#[tokio::test]
async fn one_rebuild_runs_and_one_waits_however_many_files_land() {
    let world = World::new().await;
    let [first] = &world.promote(0).await[..] else { panic!("one execution") };
    assert_eq!(world.turn(first, world.input(first)).await, "take");
    // asked again, because the answer was lost
    assert_eq!(world.turn(first, world.input(first)).await, "take");
    // the first execution may have listed the files already
    let started = world.promote(1).await;
    let second = started.iter().find(|name| *name != first).unwrap();
    for number in 2..20 {
        assert_eq!(world.promote(number).await.len(), 2);
        assert_eq!(world.turn(second, world.input(second)).await, "wait");
    }
    world.end(first);
    // the second execution has not listed the files yet, so it will list a file that is promoted now
    assert_eq!(world.promote(20).await.len(), 2);
    assert_eq!(world.turn(second, world.input(second)).await, "take");
    assert_eq!(world.promote(21).await.len(), 3);
}

#[tokio::test]
async fn who_asks_by_hand_waits_too_or_is_covered() {
    let world = World::new().await;
    world.start("first");
    assert_eq!(world.turn("first", json!({})).await, "take");
    // no other execution would do its work
    world.start("second");
    assert_eq!(world.turn("second", json!({})).await, "wait");
    let waits = world.promote(0).await.into_iter().find(|name| name.starts_with("d-")).unwrap();
    let covered = world.ask("second", &json!({})).await.unwrap();
    assert_eq!((&covered["turn"], &covered["by"]), (&json!("covered"), &json!(format!("{MACHINE}:{waits}"))));
    for part in [json!({"tables": ["t"]}), json!({"as_of": 5}), json!({"from_scratch": true}), json!({"what": 1})] {
        assert_eq!(world.turn("second", part.clone()).await, "wait", "{part}");
    }
    // Somebody stopped the execution that waits for its window. It covers nothing, and the next file gets its own.
    world.end(&waits);
    assert_eq!(world.turn("second", json!({})).await, "wait");
    // for a moment, a process assumes that an execution it just started is running
    tokio::time::sleep(Duration::from_millis(2_100)).await;
    let others = world.promote(1).await;
    assert_eq!(others.iter().filter(|name| name.starts_with("d-")).count(), 2, "{others:?}");
    world.end("first");
    assert_eq!(world.turn("second", json!({"tables": ["t"]})).await, "take");
    // the execution that waited before keeps waiting
    assert_eq!(world.promote(2).await.len(), others.len());
}

#[tokio::test]
async fn an_execution_that_nobody_knows_any_more_keeps_nobody_waiting() {
    let world = World::new().await;
    assert_eq!(world.turn("forgotten", json!({})).await, "take");
    world.start("next");
    assert_eq!(world.turn("next", json!({})).await, "take");
}

/// The process that asks for the turn dies at every request, before or after the request took effect.
#[tokio::test]
async fn who_asks_may_die_at_any_point() {
    for late in [false, true] {
        for requests in 0.. {
            let world = World::new().await;
            world.start("first");
            world.turn("first", json!({})).await;
            world.end("first");
            world.start("second");
            world.start("third");
            {
                let mut account = world.aws.account();
                (account.stop_after, account.stop_late) = (Some(requests), late);
            }
            let nothing = json!({});
            let died = tokio::select! {
                answer = world.ask("second", &nothing) => { answer.unwrap(); false }
                () = world.aws.stopped() => true,
            };
            world.aws.account().stop_after = None;
            assert_eq!(world.turn("second", json!({})).await, "take");
            assert_eq!(world.turn("third", json!({})).await, "wait");
            if !died {
                assert!(requests >= 3, "{requests}");
                break;
            }
        }
    }
}

#[tokio::test]
async fn one_of_many_that_ask_at_once_has_its_turn() {
    let world = World::new().await;
    let names: Vec<String> = (0..8).map(|n| format!("e{n}")).collect();
    names.iter().for_each(|name| world.start(name));
    let ask = |n: usize| world.turn(&names[n], json!({}));
    let answers = tokio::join!(ask(0), ask(1), ask(2), ask(3), ask(4), ask(5), ask(6), ask(7));
    let answers: [String; 8] = answers.into();
    assert_eq!(answers.iter().filter(|turn| *turn == "take").count(), 1, "{answers:?}");
}

/// Otherwise, 10,000 files at once would make more requests to Step Functions than an account may make.
#[tokio::test]
async fn an_execution_that_was_just_started_is_not_started_again_for_each_file() {
    let world = World::new().await;
    for number in 0..20 {
        world.promote(number).await;
    }
    let requests = world.aws.account().requests.clone();
    let started = requests.iter().filter(|request| request.starts_with("start ")).count();
    assert_eq!(started, 1, "{requests:?}");
    // every file checks whether an execution is waiting
    let asked = requests.iter().filter(|request| request.starts_with("get reports/rebuilds/")).count();
    assert!(asked >= 20, "{requests:?}");
}

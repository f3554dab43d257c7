//! Calls that AWS refuses, and calls that take effect although their answer is lost. Transient failures are tried
//! again, others are reported and reverted.

use std::collections::HashMap;

use aws_sdk_lambda::types::Environment;
use serde_json::{Value, json};
use tests::{Api, Options, Stack};

/// Deploys a pipeline that has published ten rows.
async fn published(name: &str, api: &Api) -> Stack {
    let parameters = vec![("SourceOrigin", api.origin.clone())];
    let stack = Stack::deploy(name, Options { parameters, ..Options::default() }).await;
    stack.fire("2026-10-01T06:00:00Z").await;
    stack.settled(1).await;
    stack
}

/// Returns the id of the run that the postcodes table points at.
async fn run(stack: &Stack) -> String {
    let found = stack.glue.get_table().database_name(stack.database()).name("random_postcodes").send().await.unwrap();
    let location = found.table().and_then(|table| table.storage_descriptor()).and_then(|s| s.location()).unwrap();
    location.trim_end_matches('/').rsplit('/').next().unwrap().to_owned()
}

fn fault(operation: &str, error: &str) -> Value {
    json!({"operation": operation, "error": error})
}

fn lost(operation: &str) -> Value {
    json!({"operation": operation, "lost": true})
}

#[tokio::test(flavor = "multi_thread")]
async fn catalog_publishes_in_the_face_of_what_passes() {
    let api = Api::start(&[]);
    let stack = published("passing", &api).await;
    let throttled = json!({"operation": "UpdateTable", "error": "ThrottlingException", "times": 3});
    let too_many = json!({"operation": "StartQueryExecution", "error": "TooManyRequestsException", "status": 429});
    let down = json!({"operation": "GetQueryResults", "error": "InternalServerException", "status": 500, "times": 2});
    for fault in [
        throttled,
        too_many,
        down,
        // others changed or dropped the table between catalog's read and its call
        fault("UpdateTable", "ConcurrentModificationException"),
        fault("UpdateTable", "EntityNotFoundException"),
        fault("BatchUpdatePartition", "ConcurrentModificationException"),
        lost("UpdateTable"),
        lost("BatchUpdatePartition"),
        lost("StartQueryExecution"),
        json!({"operation": "GetTable"}),
    ] {
        stack.fault("catalog", fault.clone()).await;
        let event = stack.invoke("curate", json!({})).await.unwrap();
        let answer = stack.invoke("catalog", event.clone()).await;
        assert!(answer.is_ok(), "{fault}: {answer:?}");
        assert_eq!(stack.faults_left("catalog").await, 0, "{fault}");
        assert_eq!(run(&stack).await, event["run"], "{fault}");
        assert_eq!(stack.count("random_postcodes").await, 10, "{fault}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn files_move_once_though_answers_are_lost() {
    let api = Api::start(&[]);
    let stack = published("lost", &api).await;
    let faults = [
        ("extract", lost("PutObject")),
        ("validate", lost("CopyObject")),
        // S3 may send status 200 before it knows whether the copy succeeds
        ("validate", json!({"operation": "CopyObject", "error": "InternalError", "status": 200})),
        ("validate", lost("StartExecution")),
        ("validate", lost("DeleteObject")),
        ("curate", json!({"operation": "GetObject", "error": "SlowDown", "status": 503, "times": 2})),
        ("curate", json!({"operation": "PutObject", "lost": true, "after": 2})),
    ];
    for (n, (function, fault)) in (2..).zip(faults) {
        stack.fault(function, fault.clone()).await;
        stack.fire(&format!("2026-10-{n:02}T06:00:00Z")).await;
        stack.landed(n).await;
        stack.settled(1).await;
        assert_eq!(stack.faults_left(function).await, 0, "{function}: {fault}");
        assert_eq!(stack.count("random_postcodes").await, 10 * n as u64, "{function}: {fault}");
        assert_eq!(stack.keys("quarantine").await, [""; 0], "{function}: {fault}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn throttling_that_stays_is_told_and_taken_back() {
    let api = Api::start(&[]);
    let stack = published("throttled", &api).await;
    let before = run(&stack).await;
    // the first table is at the new run by then
    let fault = json!({"operation": "UpdateTable", "error": "ThrottlingException", "times": 5, "after": 1});
    stack.fault("catalog", fault).await;
    let event = stack.invoke("curate", json!({})).await.unwrap();
    let (kind, message) = stack.invoke("catalog", event.clone()).await.unwrap_err();
    assert_eq!(kind, "Throttled", "{message}");
    assert!(message.contains("ThrottlingException") && message.ends_with("is back in place"), "{message}");
    assert_eq!(run(&stack).await, before);
    assert_eq!(stack.count("random_postcodes").await, 10);

    stack.invoke("catalog", event.clone()).await.unwrap();
    assert_eq!(run(&stack).await, event["run"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_change_or_drop_every_time_is_told() {
    let api = Api::start(&[]);
    let stack = published("raced", &api).await;
    let before = run(&stack).await;
    for (fault, kind, part) in [
        // reverting the first table is a separate UpdateTable call, which is not refused
        (
            json!({"operation": "UpdateTable", "error": "ConcurrentModificationException", "times": 6, "after": 1}),
            "Unavailable",
            "others changed it 6 times in between",
        ),
        (fault("BatchUpdatePartition", "EntityNotFoundException"), "NotFound", "moving partitions"),
        (fault("GetPartitions", "GlueEncryptionException"), "Internal", "reading the partitions of table"),
    ] {
        stack.fault("catalog", fault.clone()).await;
        let event = stack.invoke("curate", json!({})).await.unwrap();
        let (found, message) = stack.invoke("catalog", event).await.unwrap_err();
        assert_eq!((found.as_str(), message.contains(part)), (kind, true), "{fault}: {message}");
        assert_eq!(stack.faults_left("catalog").await, 0, "{fault}");
        assert_eq!(run(&stack).await, before, "{fault}");
        assert_eq!(stack.count("random_postcodes").await, 10, "{fault}");
    }
    // a database that is gone when its tables are going to be created
    let event = stack.invoke("curate", json!({})).await.unwrap();
    stack.glue.delete_database().name(stack.database()).send().await.unwrap();
    stack.fault("catalog", fault("CreateTable", "EntityNotFoundException")).await;
    let (kind, message) = stack.invoke("catalog", event.clone()).await.unwrap_err();
    assert_eq!((kind.as_str(), message.contains("publishing table")), ("NotFound", true), "{message}");
    stack.invoke("catalog", event.clone()).await.unwrap();
    assert_eq!(run(&stack).await, event["run"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_that_stays_queued_is_stopped_and_the_run_taken_back() {
    let api = Api::start(&[]);
    let stack = published("queued", &api).await;
    let before = run(&stack).await;
    let name = stack.function("catalog");
    let settings = stack.lambda.get_function_configuration().function_name(&name).send().await.unwrap();
    let variables = settings.environment().and_then(|environment| environment.variables()).unwrap().clone();
    let patience: HashMap<String, String> = [("ATHENA_TIMEOUT_SECONDS".into(), "2".into())].into();
    let environment = Environment::builder().set_variables(Some(variables.into_iter().chain(patience).collect()));
    let change = stack.lambda.update_function_configuration().function_name(&name).environment(environment.build());
    change.send().await.unwrap();

    stack.hold_queries().await;
    let event = stack.invoke("curate", json!({})).await.unwrap();
    let (kind, message) = stack.invoke("catalog", event.clone()).await.unwrap_err();
    assert_eq!(kind, "Timeout", "{message}");
    for part in ["was still QUEUED when its time was up", "what was published before is back in place"] {
        assert!(message.contains(part), "{message}");
    }
    assert_eq!(run(&stack).await, before);
    assert!(stack.calls("catalog").await["StopQueryExecution"] > 0);
    stack.release_queries().await;
    assert_eq!(stack.count("random_postcodes").await, 10);

    stack.invoke("catalog", event.clone()).await.unwrap();
    assert_eq!(run(&stack).await, event["run"]);
}

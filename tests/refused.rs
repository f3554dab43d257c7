//! Glue and Athena refuse what catalog asks, or let it wait: it tries again where that may help, and where it does not the
//! tables are as before and the failure has its name.

use std::collections::HashMap;

use aws_sdk_lambda::types::Environment;
use serde_json::{Value, json};
use tests::{Api, Options, Stack};

/// A pipeline that has published a run, and the event of another one.
async fn built(name: &str) -> (Stack, Value) {
    let api = Api::start(&[]);
    let parameters = vec![("SourceOrigin", api.origin.clone())];
    let stack = Stack::deploy(name, Options { parameters, ..Options::default() }).await;
    stack.fire("2026-11-01T06:00:00Z").await;
    stack.settled(1).await;
    let event = stack.invoke("curate", json!({})).await.unwrap();
    (stack, event)
}

/// Where the tables and their partitions are.
async fn places(stack: &Stack) -> Vec<String> {
    let mut places = Vec::new();
    for name in ["calculated", "random_postcodes"] {
        let table = stack.glue.get_table().database_name(stack.database()).name(name).send().await.unwrap();
        let storage = table.table().and_then(|table| table.storage_descriptor());
        places.push(storage.and_then(|storage| storage.location()).unwrap().to_owned());
    }
    let partitions = stack.glue.get_partitions().database_name(stack.database()).table_name("calculated").send().await;
    let partitions = partitions.unwrap().partitions.unwrap_or_default().into_iter();
    places.extend(partitions.filter_map(|partition| partition.storage_descriptor?.location));
    places
}

async fn is_published(stack: &Stack, event: &Value) {
    let run = event["run"].as_str().unwrap();
    let places = places(stack).await;
    assert!(places.len() == 3 && places.iter().all(|place| place.contains(run)), "{run}: {places:?}");
    assert_eq!(stack.count("random_postcodes").await, 10);
}

/// Catalog gets over so many faults, and its event is published.
async fn overcome(stack: &Stack, event: &Value, fault: Value) {
    stack.fault("catalog", fault.clone()).await;
    let answer = stack.invoke("catalog", event.clone()).await;
    assert!(answer.is_ok(), "{fault}: {answer:?}\n{}", stack.logs());
    assert_eq!(stack.faults_left("catalog").await, 0, "{fault}: not all of them struck");
    is_published(stack, event).await;
}

/// Catalog fails with this name, these words in its message, and everything is where it was.
async fn fails(stack: &Stack, event: &Value, fault: Value, kind: &str, words: &str) {
    let before = places(stack).await;
    stack.fault("catalog", fault.clone()).await;
    let (found, message) = stack.invoke("catalog", event.clone()).await.unwrap_err();
    assert_eq!((found.as_str(), message.contains(words)), (kind, true), "{fault}: {message}");
    stack.forget_faults("catalog").await;
    assert_eq!(places(stack).await, before, "{fault}");
    assert_eq!(stack.count("random_postcodes").await, 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_throttled_waits_and_asks_again() {
    let (stack, event) = built("throttled").await;
    // as often as the client asks: five times
    for (operation, error) in [
        ("GetTable", "ThrottlingException"),
        ("UpdateTable", "ThrottlingException"),
        ("BatchUpdatePartition", "ThrottlingException"),
        ("StartQueryExecution", "TooManyRequestsException"),
    ] {
        let fault = json!({"operation": operation, "error": error, "status": 400, "times": 5});
        fails(&stack, &event, fault, "Throttled", error).await;
    }
    for (operation, error, status) in [
        ("UpdateTable", "ThrottlingException", 400),
        ("BatchUpdatePartition", "ThrottlingException", 400),
        ("StartQueryExecution", "TooManyRequestsException", 429),
    ] {
        let fault = json!({"operation": operation, "error": error, "status": status, "times": 2});
        let event = stack.invoke("curate", json!({})).await.unwrap();
        overcome(&stack, &event, fault).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_loses_a_race_looks_again() {
    let (stack, event) = built("raced").await;
    let concurrent =
        |times: u32| json!({"operation": "UpdateTable", "error": "ConcurrentModificationException", "times": times});
    // the ways back are not refused: only the tries of the first table are
    fails(&stack, &event, concurrent(6), "Unavailable", "others changed it 6 times in between").await;
    overcome(&stack, &event, concurrent(5)).await;

    let event = stack.invoke("curate", json!({})).await.unwrap();
    let not_found = |operation: &str, after: u32| json!({"operation": operation, "error": "EntityNotFoundException", "times": 1, "after": after});
    // a table that somebody deletes, and makes again before catalog does
    overcome(&stack, &event, not_found("GetTable", 0)).await;
    let event = stack.invoke("curate", json!({})).await.unwrap();
    overcome(&stack, &event, not_found("UpdateTable", 0)).await;
    // a table that is gone when its partitions are to be moved
    let event = stack.invoke("curate", json!({})).await.unwrap();
    fails(&stack, &event, not_found("BatchUpdatePartition", 0), "NotFound", "EntityNotFoundException").await;
    // a database that is gone when its tables are to be made
    stack.glue.delete_database().name(stack.database()).send().await.unwrap();
    stack.fault("catalog", not_found("CreateTable", 0)).await;
    let (kind, message) = stack.invoke("catalog", event.clone()).await.unwrap_err();
    assert_eq!((kind.as_str(), message.contains("publishing table")), ("NotFound", true), "{message}");
    stack.invoke("catalog", event.clone()).await.unwrap();
    is_published(&stack, &event).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_lost_is_found_out_about() {
    let (stack, _) = built("lost-answers").await;
    for operation in ["UpdateTable", "BatchUpdatePartition", "StartQueryExecution"] {
        let event = stack.invoke("curate", json!({})).await.unwrap();
        overcome(&stack, &event, json!({"operation": operation, "lost": true, "times": 1})).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_that_stays_in_the_queue_is_given_up() {
    let (stack, event) = built("queued").await;
    let name = stack.function("catalog");
    let settings = stack.lambda.get_function_configuration().function_name(&name).send().await.unwrap();
    let mut settings: HashMap<String, String> = settings.environment.and_then(|e| e.variables).unwrap_or_default();
    settings.insert("ATHENA_TIMEOUT_SECONDS".into(), "2".into());
    let settings = Environment::builder().set_variables(Some(settings)).build();
    stack.lambda.update_function_configuration().function_name(&name).environment(settings).send().await.unwrap();

    let before = places(&stack).await;
    stack.hold_queries().await;
    let (kind, message) = stack.invoke("catalog", event.clone()).await.unwrap_err();
    assert_eq!(kind, "Timeout", "{message}");
    assert!(message.contains("was still QUEUED when its time was up; Athena was asked to stop it"), "{message}");
    assert!(message.contains("what was published before is back in place"), "{message}");
    stack.release_queries().await;
    assert_eq!(places(&stack).await, before);
    stack.invoke("catalog", event.clone()).await.unwrap();
    is_published(&stack, &event).await;
}

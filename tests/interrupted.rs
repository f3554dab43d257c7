//! Processes killed in the middle of their work: the platform tries again, and the counts come out right.

use tests::{Api, Options, Stack};

/// Runs the pipeline once and kills the first process of a function that is seen at work.
async fn killed(name: &str, function: &str) {
    // a slow API keeps extract at work long enough to be caught
    let api = Api::start(&[]);
    let parameters = vec![("SourceOrigin", api.origin.clone())];
    let stack = Stack::deploy(name, Options { parameters, ..Options::default() }).await;
    let firing = stack.fire("2026-11-01T06:00:00Z");
    let killing = async {
        let pid = stack.eventually("a process at work", async || stack.busy(function).await.first().copied()).await;
        let killed = std::process::Command::new("kill").args(["-KILL", &pid.to_string()]).status().unwrap();
        assert!(killed.success());
    };
    tokio::join!(firing, killing);
    let crashed = stack
        .eventually("the crash is on record", async || {
            let seen = stack.invocations(function).await;
            seen.into_iter().find(|invocation| invocation["ok"] == false)
        })
        .await;
    assert!(crashed["error"].to_string().contains("Runtime.ExitError"), "{crashed}");

    stack.eventually("an extract in history", async || (stack.keys("raw-hist").await.len() == 1).then_some(())).await;
    stack.settled(1).await;
    stack.eventually("land is empty", async || stack.keys("land").await.is_empty().then_some(())).await;
    stack.settled(1).await;
    assert_eq!(stack.count("random_postcodes").await, 10);
    let sum = stack.query(&format!("SELECT SUM(n) FROM {}.calculated", stack.database())).await;
    assert_eq!(sum, [["10"]]);
    assert_eq!(stack.keys("quarantine").await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn extract_killed() {
    killed("killed-extract", "extract").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn validate_killed() {
    killed("killed-validate", "validate").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn curate_killed() {
    killed("killed-curate", "curate").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn catalog_killed() {
    killed("killed-catalog", "catalog").await;
}

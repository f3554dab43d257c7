//! Processes killed in the middle of their work, at one of their calls to AWS: before the call takes effect, or after
//! it did and before the process knows. The platform tries again, and the counts are correct.

use serde_json::json;
use tests::{Api, Options, Stack};

/// Dies before or after the given call of an operation.
type Crash = (&'static str, u64, &'static str);

/// Runs the pipeline once for each crash of a function, with ten new rows each time.
async fn killed(name: &str, function: &str, crashes: &[Crash]) {
    let api = Api::start(&[]);
    let parameters = vec![("SourceOrigin", api.origin.clone())];
    let stack = Stack::deploy(name, Options { parameters, ..Options::default() }).await;
    for (n, (when, at_call, operation)) in (1..).zip(crashes) {
        let crash = json!({"when": when, "at_call": at_call, "operation": operation});
        stack.crash(function, crash.clone()).await;
        stack.fire(&format!("2026-11-{n:02}T06:00:00Z")).await;
        let struck = stack.eventually(&format!("the crash {crash}"), async || stack.struck(function).await).await;
        let crashed = stack
            .eventually("the crash is on record", async || {
                let seen = stack.invocations(function).await;
                seen.into_iter().find(|one| one["request_id"] == struck["request_id"] && one["ok"] == false)
            })
            .await;
        assert_eq!(crashed["error"], "Runtime.ExitError", "{crashed}");

        stack.landed(n).await;
        stack.settled(1).await;
        let rows = 10 * n as u64;
        assert_eq!(stack.count("random_postcodes").await, rows, "{crash}");
        // the newest snapshot, in case midnight passed during the test
        let database = stack.database();
        let sql = format!(
            "SELECT SUM(n) FROM {database}.calculated GROUP BY dea_snapshot_date ORDER BY dea_snapshot_date DESC \
             LIMIT 1"
        );
        assert_eq!(stack.query(&sql).await, [[rows.to_string()]], "{crash}");
    }
    assert_eq!(stack.keys("quarantine").await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn extract_killed() {
    let crashes = [
        ("before", 1, "PutObject"),
        ("after", 1, "PutObject"),
        ("after", 2, "PutObject"),
        ("before", 1, "CopyObject"),
        ("after", 1, "CopyObject"),
        ("after", 3, "PutObject"),
        ("after", 1, "DeleteObject"),
    ];
    killed("killed-extract", "extract", &crashes).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn validate_killed() {
    let crashes = [
        ("after", 1, "CopyObject"),
        ("before", 1, "StartExecution"),
        ("after", 1, "StartExecution"),
        ("after", 1, "DeleteObject"),
    ];
    killed("killed-validate", "validate", &crashes).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn curate_killed() {
    // the last object is the manifest
    let crashes = [("before", 1, "GetObject"), ("before", 2, "PutObject"), ("after", 3, "PutObject")];
    killed("killed-curate", "curate", &crashes).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn catalog_killed() {
    // the first run creates the tables, the others find them
    let crashes = [
        ("after", 1, "CreateTable"),
        ("before", 2, "UpdateTable"),
        ("after", 1, "BatchUpdatePartition"),
        ("before", 1, "GetQueryResults"),
    ];
    killed("killed-catalog", "catalog", &crashes).await;
}

//! From schedule to query, as a user sees it.

use std::collections::BTreeMap;

use serde_json::json;
use tests::{Api, Options, Stack};

pub(crate) const TABLE: &str = "open_data/postcodes_example/random_postcodes";

pub(crate) async fn deployed(name: &str, api: &Api) -> Stack {
    let parameters = vec![("SourceOrigin", api.origin.clone())];
    Stack::deploy(name, Options { parameters, ..Options::default() }).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scheduled_extract_becomes_tables_in_athena() {
    let api = Api::start(&[]);
    let stack = deployed("journey", &api).await;
    stack.fire("2022-10-10T18:17:44Z").await;
    stack.settled(1).await;

    // the landed file is in raw-hist, byte for byte, and nowhere else
    let key = format!("{TABLE}/file_land_timestamp=1665425864/random_postcodes_1665425864.jsonl.gz");
    assert_eq!(stack.keys("raw-hist").await, std::slice::from_ref(&key));
    assert_eq!(stack.keys("land").await, [""; 0]);
    assert_eq!(stack.keys("quarantine").await, [""; 0]);
    let rows: Vec<serde_json::Value> =
        stack.read_gzip("raw-hist", &key).await.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows.len(), 10);
    assert!(rows.iter().enumerate().all(|(n, row)| row["index"] == n && row["codes"].is_null()));

    // every row and value reached Athena
    let database = stack.database();
    let sql = format!(
        "SELECT index, postcode, codes_ccg_id, longitude, file_land_timestamp, dea_version FROM \
         {database}.random_postcodes ORDER BY index"
    );
    for (found, row) in stack.query(&sql).await.iter().zip(&rows) {
        assert_eq!(found[1], row["postcode"].as_str().unwrap());
        assert_eq!(found[2], row["codes_ccg_id"].as_str().unwrap_or("NULL"));
        assert_eq!(found[3].parse::<f64>().ok(), row["longitude"].as_f64());
        assert_eq!((found[4].as_str(), found[5].as_str()), ("1665425864", "v0.1.0"));
    }
    assert_eq!(stack.count("random_postcodes").await, 10);

    // the calculated table counts the same rows, in today's partition
    let mut expected: BTreeMap<String, u64> = BTreeMap::new();
    for row in &rows {
        let region = row["european_electoral_region"].as_str().map_or("NULL".into(), str::to_lowercase);
        *expected.entry(region).or_default() += 1;
    }
    let sql = format!("SELECT european_electoral_region, n, dea_snapshot_date FROM {database}.calculated");
    let counted = stack.query(&sql).await;
    let found: BTreeMap<String, u64> = counted.iter().map(|row| (row[0].clone(), row[1].parse().unwrap())).collect();
    assert_eq!(found, expected);
    let partitions = stack.glue.get_partitions().database_name(database).table_name("calculated").send().await.unwrap();
    let values: Vec<_> = partitions.partitions().iter().map(|partition| partition.values().join("/")).collect();
    assert_eq!(values, [counted[0][2].clone()]);

    // the catalog agrees with the metadata
    let table = stack.glue.get_table().database_name(database).name("random_postcodes").send().await.unwrap();
    let descriptor = table.table().and_then(|table| table.storage_descriptor()).unwrap().clone();
    let types: BTreeMap<&str, &str> = descriptor.columns().iter().map(|c| (c.name(), c.r#type().unwrap())).collect();
    assert_eq!(types.len(), 73);
    for (column, glue) in
        [("quality", "int"), ("latitude", "double"), ("codes_ccg_id", "string"), ("file_land_timestamp", "bigint")]
    {
        assert_eq!(types[column], glue, "{column}");
    }

    // the manifest accounts for all of it
    let manifests: Vec<_> = stack.keys("curated").await.into_iter().filter(|key| key.contains("_manifests/")).collect();
    assert_eq!(manifests.len(), 1);
    let manifest = stack.read_json("curated", &manifests[0]).await;
    assert_eq!(manifest["inputs"][0]["key"], key);
    assert_eq!(manifest["inputs"][0]["rows"], 10);
    assert!(descriptor.location().unwrap().contains(manifest["run"].as_str().unwrap()));
}

#[tokio::test(flavor = "multi_thread")]
async fn history_accumulates_and_the_same_time_counts_once() {
    let api = Api::start(&[]);
    let stack = deployed("history", &api).await;
    for (n, time) in ["2026-11-01T06:00:00Z", "2026-11-02T06:00:00Z", "2026-11-02T06:00:00Z", "2026-11-03T06:00:00Z"]
        .iter()
        .enumerate()
    {
        let answer = stack.invoke("extract", json!({"scheduled_time": time})).await.unwrap();
        assert_eq!(answer["already_extracted"], n == 2);
        // a scheduler that fires twice finds the file of the first time, in land or beyond
        stack.eventually("land is empty", async || stack.keys("land").await.is_empty().then_some(())).await;
    }
    stack.settled(1).await;
    assert_eq!(stack.keys("raw-hist").await.len(), 3);
    stack
        .eventually("three extracts are in the table", async || {
            (stack.count("random_postcodes").await == 30).then_some(())
        })
        .await;
    assert_eq!(stack.keys("quarantine").await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_machine_starts_from_the_console_with_an_empty_input() {
    let api = Api::start(&[]);
    let stack = deployed("console", &api).await;
    stack.fire("2026-11-01T06:00:00Z").await;
    stack.settled(1).await;
    for input in ["{}", r#"{"tables": ["calculated"], "snapshot_date": "2026-01-31"}"#] {
        stack.start_execution(input).await;
    }
    stack.settled(3).await;
    assert_eq!(stack.count("random_postcodes").await, 10);
    // a snapshot of another date is a partition beside today's
    let sql = format!("SELECT DISTINCT dea_snapshot_date FROM {}.calculated ORDER BY 1", stack.database());
    let dates = stack.query(&sql).await;
    assert_eq!((dates.len(), dates[0][0].as_str()), (2, "2026-01-31"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tables_are_built_as_of_an_earlier_time() {
    let api = Api::start(&[]);
    let stack = deployed("as-of", &api).await;
    stack.fire("2026-11-01T06:00:00Z").await;
    stack.settled(1).await;
    let key = &stack.keys("raw-hist").await[0];
    let head = stack.s3.head_object().bucket(stack.bucket("raw-hist")).key(key).send().await.unwrap();
    let first = head.last_modified().unwrap().secs();
    // S3 reports the time of a write to the second
    tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    stack.fire("2026-11-02T06:00:00Z").await;
    stack.settled(2).await;
    assert_eq!(stack.count("random_postcodes").await, 20);

    stack.start_execution(&json!({"as_of": first}).to_string()).await;
    stack.settled(3).await;
    assert_eq!(stack.count("random_postcodes").await, 10);
    stack.start_execution("{}").await;
    stack.settled(4).await;
    assert_eq!(stack.count("random_postcodes").await, 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_execution_that_fails_says_why() {
    let stack = Stack::deploy("nothing", Options::default()).await;
    for (input, error, part) in [
        (r#"{"tables": ["calculate"]}"#, "BadInput", "did you mean `calculated`?"),
        (r#"{"snapshot_date": "today"}"#, "BadInput", "expected a date"),
        (r#"{"table": "calculated"}"#, "BadInput", "unknown field `table`"),
        (r#"{"as_of": "2026-11-01"}"#, "BadInput", "expected u64"),
    ] {
        let arn = &stack.start_execution(input).await;
        let ended = stack
            .eventually("the execution ends", async || {
                let execution = stack.sfn.describe_execution().execution_arn(arn).send().await.unwrap();
                (execution.status().as_str() != "RUNNING").then_some(execution)
            })
            .await;
        assert_eq!(ended.status().as_str(), "FAILED", "{input}");
        assert_eq!(ended.error(), Some(error), "{input}");
        assert!(ended.cause().unwrap().contains(part), "{input}: {:?}", ended.cause());
    }
}

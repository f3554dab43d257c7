//! The number of calls that it takes to publish many partitions, for each kind of table. For the thousand of
//! docs/catalog.md: `PARTITIONS=1000 cargo test --workspace --test end_to_end -- --nocapture many_partitions`, after a
//! `make functions`.

use std::collections::BTreeMap;
use std::time::Instant;

use serde_json::{Value, json};
use tests::{Options, Stack, gzip};

/// Enough for more than one batch. 1,000 take minutes on the local cloud.
const FEW: u64 = 150;
/// The most partitions that BatchUpdatePartition accepts in one call.
const BATCH: u64 = 100;

const DAYS: &str = "SELECT n, day FROM days";
const BY_DAY: &str =
    "SELECT n, day FROM days WHERE CAST('${snapshot_date}' AS DATE) > DATE '2026-01-01' OR day IN (1, 5000)";

/// Metadata of three tables of the same rows: one that a run replaces completely, one with partition projection, and
/// one whose runs replace single partitions.
fn metadata() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| tests::write(folder.path(), path, text);
    let columns = json!([
        {"name": "n", "type": "long", "description": "A number"},
        {"name": "day", "type": "int", "description": "Its day"}
    ]);
    let table =
        |name: &str, format: &str| json!({"name": name, "location": name, "data_format": format, "columns": columns});
    let database = json!({"name": "many", "bucket": "b", "base_folder": "many", "description": "Many"});
    write("curated/database.json", &database.to_string());
    write("raw/days.json", &table("days", "json").to_string());
    for (name, sql, key, value) in [
        ("whole", DAYS, "mode", json!("rebuild")),
        ("projected", DAYS, "partition_projection", json!(true)),
        ("by_day", BY_DAY, "mode", json!("partition")),
    ] {
        let mut table = table(name, "parquet");
        table["partitions"] = json!(["day"]);
        table[key] = value;
        write(&format!("curated/{name}.json"), &table.to_string());
        write(&format!("curated/{name}.sql"), sql);
    }
    folder
}

/// Publishes a run and returns the number of catalog's calls by operation.
async fn published(stack: &Stack, what: &str, input: Value) -> BTreeMap<String, u64> {
    let event = stack.invoke("curate", input).await.unwrap();
    stack.forget_calls("catalog").await;
    let started = Instant::now();
    stack.invoke("catalog", event).await.unwrap();
    let took = started.elapsed();
    let mut calls = stack.calls("catalog").await;
    // polling: the number of calls depends on time
    calls.remove("GetQueryExecution");
    println!("{what}: {:.1} s, {calls:?}", took.as_secs_f64());
    calls
}

fn of(calls: &BTreeMap<String, u64>, operations: &[&str]) -> Vec<u64> {
    operations.iter().map(|operation| calls.get(*operation).copied().unwrap_or_default()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn many_partitions_take_few_calls() {
    let partitions = option_env!("PARTITIONS").map_or(FEW, |number| number.parse().unwrap());
    let folder = metadata();
    let stack =
        Stack::deploy("partitions", Options { metadata: Some(folder.path().into()), ..Options::default() }).await;
    let land = async |file: u64, days: std::ops::Range<u64>| {
        let rows: String = days.map(|day| format!("{{\"n\":{file},\"day\":{day}}}\n")).collect();
        let key = format!("open_data/postcodes_example/days/file_land_timestamp={file}/days_{file}.jsonl.gz");
        stack.put_history(&key, gzip(&rows)).await;
    };
    land(1, 0..partitions).await;
    const CHANGES: &[&str] =
        &["CreateTable", "UpdateTable", "BatchUpdatePartition", "BatchCreatePartition", "BatchDeletePartition"];

    // MSCK registers the new partitions with calls of Athena, not of catalog
    let tables = |name: &str| json!({"tables": [name], "snapshot_date": "2026-11-25"});
    let first = published(&stack, "first publication", tables("whole")).await;
    assert_eq!(of(&first, CHANGES), [1, 0, 0, 0, 0]);
    // MSCK, the count and the sample
    assert_eq!(of(&first, &["StartQueryExecution"]), [3]);
    let moved = published(&stack, "all moved", tables("whole")).await;
    assert_eq!(of(&moved, CHANGES), [0, 1, partitions.div_ceil(BATCH), 0, 0]);
    land(2, partitions..partitions + 1).await;
    let moved = published(&stack, "all moved, one new", tables("whole")).await;
    assert_eq!(of(&moved, CHANGES), [0, 1, partitions.div_ceil(BATCH), 0, 0]);

    let first = published(&stack, "projected, first publication", tables("projected")).await;
    assert_eq!(of(&first, CHANGES), [1, 0, 0, 0, 0]);
    let moved = published(&stack, "projected, all moved", tables("projected")).await;
    assert_eq!(of(&moved, CHANGES), [0, 1, 0, 0, 0]);

    published(&stack, "partition mode, first publication", tables("by_day")).await;
    land(3, 1..2).await;
    let one =
        published(&stack, "partition mode, one moved", json!({"tables": ["by_day"], "snapshot_date": "2025-01-01"}))
            .await;
    assert_eq!(of(&one, CHANGES), [0, 1, 1, 0, 0]);
    land(4, 5000..5001).await;
    let new = json!({"tables": ["by_day"], "snapshot_date": "2025-01-01"});
    let new = published(&stack, "partition mode, one moved, one new", new).await;
    // no MSCK: the table has no run's location, because its partitions belong to several runs
    assert_eq!((of(&new, CHANGES), of(&new, &["StartQueryExecution"])), (vec![0, 1, 1, 1, 0], vec![2]));

    for (table, rows) in [("whole", partitions + 1), ("projected", partitions + 1), ("by_day", partitions + 3)] {
        assert_eq!(stack.count(table).await, rows, "{table}");
    }

    // partition projection would make Athena look into thousands of folders because one value is far off: catalog
    // registers all partitions before it switches projection off
    let event = stack.invoke("curate", tables("projected")).await.unwrap();
    stack.crash("catalog", json!({"operation": "UpdateTable", "at_call": 1, "when": "after"})).await;
    assert_eq!(stack.invoke("catalog", event.clone()).await.unwrap_err().0, "Runtime.ExitError");
    assert_eq!(stack.count("projected").await, partitions + 3);
    let table = stack.glue.get_table().database_name(stack.database()).name("projected").send().await.unwrap();
    assert!(!table.table().unwrap().parameters().unwrap().contains_key("projection.enabled"));
    stack.invoke("catalog", event).await.unwrap();
    assert_eq!(stack.count("projected").await, partitions + 3);
}

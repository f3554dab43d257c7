//! Analysts' libraries read tables of every mode. They return all rows of the published table or an error, never a
//! part.

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::{Value, json};
use tests::{Options, Stack, gzip};

/// The curated tables: every mode, with partitions and without. After the second day, `by_day` and `log_by_day` have
/// partitions of two runs.
const TABLES: [(&str, &str); 8] = [
    ("whole", r"{}"),
    ("whole_by_day", r#"{"partitions": ["day"]}"#),
    ("projected", r#"{"partitions": ["day"], "partition_projection": true}"#),
    ("by_day", r#"{"partitions": ["day"], "mode": "partition"}"#),
    ("by_day_whole", r#"{"partitions": ["day"], "mode": "partition", "self_contained": true}"#),
    ("log", r#"{"mode": "append"}"#),
    ("log_by_day", r#"{"partitions": ["day"], "mode": "append"}"#),
    ("log_by_day_whole", r#"{"partitions": ["day"], "mode": "append", "self_contained": true}"#),
];
/// The location at which no library finds a file.
const ELSEWHERE: &str = "_several_runs_read_with_athena";
/// The number of ways to read a table by its location alone, and of the snippets in docs/reading.md.
const BY_LOCATION: usize = 15;
const SNIPPETS: usize = 6;

fn metadata() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| tests::write(folder.path(), path, text);
    let column = |name: &str, column_type: &str| json!({"name": name, "type": column_type, "description": ""});
    let table = |name: &str, format: &str| json!({"name": name, "location": name, "data_format": format, "columns": [column("n", "long"), column("day", "date")]});
    let database = json!({"name": "reading", "bucket": "b", "base_folder": "reading", "description": "Reading"});
    write("curated/database.json", &database.to_string());
    write("raw/visits.json", &table("visits", "json").to_string());
    for (name, more) in TABLES {
        let mut table = table(name, "parquet");
        let more: Value = serde_json::from_str(more).unwrap();
        for (key, value) in more.as_object().unwrap() {
            table[key] = value.clone();
        }
        write(&format!("curated/{name}.json"), &table.to_string());
        let only = if more["mode"] == "partition" { " WHERE day = CAST('${snapshot_date}' AS DATE)" } else { "" };
        write(&format!("curated/{name}.sql"), &format!("SELECT n, day FROM visits{only}"));
    }
    folder
}

async fn land(stack: &Stack, n: u64, day: &str) {
    let key = format!("open_data/postcodes_example/visits/file_land_timestamp={n}/visits_{n}.jsonl.gz");
    let row = format!("{{\"n\":{n},\"day\":\"{day}\"}}\n");
    stack.put_history(&key, gzip(&row.repeat(3))).await;
}

async fn publish(stack: &Stack, snapshot_date: &str) {
    let event = stack.invoke("curate", json!({"snapshot_date": snapshot_date})).await.unwrap();
    stack.invoke("catalog", event).await.unwrap();
}

/// Reads each of these tables in every way. Returns rows and sum, or an error, by table and way.
fn read(stack: &Stack, tables: &[&str]) -> BTreeMap<String, BTreeMap<String, Value>> {
    let root = tests::repository();
    let python = root.join(".venv-readers/bin/python");
    assert!(python.exists(), "{} is missing: run the tests with `make test`", python.display());
    let output = Command::new(python)
        .arg(root.join("tests/reading/read.py"))
        .args([&tables.join(","), "docs/reading.md", stack.database(), &stack.name])
        .current_dir(&root)
        .env("AWS_ENDPOINT_URL", stack.endpoint())
        .env("AWS_ALLOW_HTTP", "true")
        .env("AWS_ACCESS_KEY_ID", "local")
        .env("AWS_SECRET_ACCESS_KEY", "local")
        .env("AWS_REGION", "eu-west-2")
        .env("AWS_DEFAULT_REGION", "eu-west-2")
        .output()
        .unwrap();
    let problem = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{problem}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {problem}"))
}

/// Checks that every way returns all rows. For the tables in `elsewhere`, a way that uses the location alone must
/// return an error that names [`ELSEWHERE`].
fn check(found: &BTreeMap<String, BTreeMap<String, Value>>, expected: &Value, elsewhere: &[&str]) {
    for (table, ways) in found {
        let of_page = ways.keys().filter(|way| way.starts_with("snippet")).count();
        assert_eq!((of_page, ways.len() - of_page), (SNIPPETS, BY_LOCATION), "{table}: {:?}", ways.keys());
        let by_location = |way: &str| !way.starts_with("snippet") || way == "snippet 6";
        for (way, told) in ways {
            if elsewhere.contains(&table.as_str()) && by_location(way) {
                let error = told.as_str().unwrap_or_else(|| panic!("{table}, {way} gives {told}: a part"));
                assert!(error.contains(ELSEWHERE), "{table}, {way}: {error}");
            } else {
                assert_eq!(told, expected, "{table}, {way}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_gets_all_rows_or_an_error() {
    let folder = metadata();
    let stack = Stack::deploy("reading", Options { metadata: Some(folder.path().into()), ..Options::default() }).await;
    land(&stack, 1, "2026-11-24").await;
    publish(&stack, "2026-11-24").await;
    let all = TABLES.map(|(table, _)| table);
    check(&read(&stack, &all), &json!([3, 3]), &[]);

    land(&stack, 2, "2026-11-25").await;
    publish(&stack, "2026-11-25").await;
    check(&read(&stack, &all), &json!([6, 9]), &["by_day", "log_by_day"]);

    // back, forward, and in the next run, which adds nothing
    stack.invoke("catalog", json!({"publish": "previous"})).await.unwrap();
    check(&read(&stack, &["by_day", "log_by_day_whole"]), &json!([3, 3]), &[]);
    stack.invoke("catalog", json!({"publish": "latest"})).await.unwrap();
    check(&read(&stack, &["log_by_day"]), &json!([6, 9]), &["log_by_day"]);
    publish(&stack, "2026-11-25").await;
    for (table, _) in TABLES {
        assert_eq!(stack.count(table).await, 6, "{table}");
    }
    // curate verify does not build again what a run has copied
    let verified = stack.invoke("curate", json!({"verify": "latest"})).await.unwrap();
    assert_eq!(verified["same"], true, "{verified}");
}

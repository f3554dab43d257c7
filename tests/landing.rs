//! Landing files and their verdicts.

use std::time::{Duration, Instant};

use futures::StreamExt;
use serde_json::{Value, json};
use tests::{Api, Options, Stack, gzip};

const TABLE: &str = "open_data/postcodes_example/random_postcodes";

/// Ten rows of the postcodes API in the shape of an extract's rows.
pub(crate) async fn rows(stack: &Stack, api: &Api) -> Vec<Value> {
    let mut rows = Vec::new();
    for n in 0..10 {
        let answer: Value =
            serde_json::from_str(&stack.get(&format!("{}/random/postcodes", api.origin)).await).unwrap();
        let mut row = answer["result"].as_object().unwrap().clone();
        let codes = row.remove("codes").unwrap();
        for (name, value) in codes.as_object().unwrap() {
            row.insert(format!("codes_{name}"), value.clone());
        }
        row.insert("index".into(), n.into());
        rows.push(Value::Object(row));
    }
    rows
}

pub(crate) fn lines(rows: &[Value]) -> Vec<u8> {
    gzip(&rows.iter().map(|row| format!("{row}\n")).collect::<String>())
}

fn key(seconds: u64) -> String {
    format!("{TABLE}/file_land_timestamp={seconds}/random_postcodes_{seconds}.jsonl.gz")
}

async fn report(stack: &Stack, key: &str) -> Value {
    // beside the file; if the key would be too long for S3, it is cut
    let begins: String = key.chars().take(400).collect();
    let is_report = |found: &String| found.starts_with(&begins) && found.ends_with(".report.json");
    let report = stack.eventually("the report", async || stack.keys("quarantine").await.into_iter().find(is_report));
    let report = report.await;
    stack.eventually("land is empty", async || stack.keys("land").await.is_empty().then_some(())).await;
    stack.read_json("quarantine", &report).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_file_goes_to_quarantine_with_a_report_and_history_stays_as_it_was() {
    let api = Api::start(&[]);
    let stack = Stack::deploy("quarantine", Options::default()).await;
    let good = rows(&stack, &api).await;

    let mut bad = good.clone();
    bad[3]["postcode"] = "not a postcode".into();
    bad[4]["quality"] = "1".into();
    bad[5]["country"] = "France".into();
    bad[6]["quality"] = Value::Null;
    bad[7]["latitude"] = json!(91.5);
    bad[8].as_object_mut().unwrap().remove("parish");
    bad[9]["surprise"] = json!(1);
    let bytes = lines(&bad);
    stack.land(&key(1_700_000_000), bytes.clone()).await;

    let report = report(&stack, &key(1_700_000_000)).await;
    assert_eq!(report["verdict"], "quarantined");
    let text = report.to_string();
    for part in ["not a postcode", "France", "91.5", "parish", "surprise", "quality", "\"1\""] {
        assert!(text.contains(part) || text.contains(&part.replace('"', "\\\"")), "{part} is not in {report:#}");
    }
    // the file is kept unchanged
    assert_eq!(stack.read("quarantine", &key(1_700_000_000)).await, bytes);
    assert_eq!(stack.keys("raw-hist").await, [""; 0]);
    assert_eq!(stack.executions().await, []);

    // the same rows without the faults pass
    stack.land(&key(1_700_000_001), lines(&good)).await;
    stack.settled(1).await;
    assert_eq!(stack.keys("raw-hist").await, [key(1_700_000_001)]);
    assert_eq!(stack.count("random_postcodes").await, 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_are_no_data_are_quarantined_under_their_own_keys() {
    let stack = Stack::deploy("strays", Options::default()).await;
    let base = "open_data/postcodes_example";
    // S3 accepts keys of up to 1,024 bytes; the report's key is cut
    let mut longest = format!("{base}/random_postcodes/");
    longest += &"é".repeat((1024 - longest.len()) / 2);
    let strays = [
        (
            format!("{base}/random_postcodes/file_land_timestamp=2018-01-01T00:00:00/random_postcodes_1.jsonl.gz"),
            "Unix seconds",
        ),
        (
            format!("{base}/random_postcode/file_land_timestamp=1/random_postcode_1.jsonl.gz"),
            "did you mean `random_postcodes`?",
        ),
        (format!("{base}/random_postcodes/file_land_timestamp=1/read me+%41.pdf"), "extensions"),
        (key(1), "gzip"),
        (format!("{base}/random_postcodes/../../random_postcodes_1.jsonl.gz"), "`..` segment"),
        (format!("{base}/random_postcodes/file_land_timestamp=1/100% Steòrnabhagh + 😀.jsonl.gz"), "Steòrnabhagh"),
        (longest, "`file_name`"),
    ];
    for (key, _) in &strays {
        stack.land(key, b"no gzip at all".to_vec()).await;
    }
    for (key, part) in &strays {
        let report = report(&stack, key).await;
        assert!(report["summary"].as_str().unwrap_or_default().contains(part), "{key}: {report:#}");
    }
    assert_eq!(stack.keys("raw-hist").await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_is_not_the_pipeline_s_stops_no_rebuild() {
    let stack = Stack::deploy("astray", Options::default()).await;
    let api = Api::start(&[]);
    let rows = rows(&stack, &api).await;
    stack.land(&key(1_700_000_000), lines(&rows)).await;
    stack.settled(1).await;
    for name in ["notes.txt", "file_land_timestamp=soon/random_postcodes_1.jsonl.gz"] {
        stack.put_history(&format!("{TABLE}/{name}"), b"by hand".to_vec()).await;
    }
    let built = stack.invoke("curate", json!({})).await.unwrap();
    let strays = built["strays"].as_array().unwrap();
    assert_eq!(strays.len(), 2, "{built:#}");
    assert!(strays[1].as_str().unwrap().contains(&format!("{TABLE}/notes.txt: ")), "{built:#}");
    stack.invoke("catalog", built).await.unwrap();
    assert_eq!(stack.count("random_postcodes").await, 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_supplier_may_leave_the_partition_folder_out() {
    let api = Api::start(&[]);
    let stack = Stack::deploy("supplier", Options::default()).await;
    let rows = rows(&stack, &api).await;
    let name = "random_postcodes_1700000000.jsonl.gz";
    let history = async || {
        let keys = stack.keys("raw-hist").await.into_iter();
        keys.filter(|key| key.starts_with(TABLE)).collect::<Vec<String>>()
    };
    stack.land(&format!("{TABLE}/{name}"), lines(&rows)).await;
    stack.settled(1).await;
    let keys = history().await;
    assert_eq!(keys.len(), 1);
    assert!(keys[0].starts_with(&format!("{TABLE}/file_land_timestamp=")), "{keys:?}");
    assert!(keys[0].ends_with(&format!("/{name}")), "{keys:?}");
    assert_eq!(stack.count("random_postcodes").await, 10);

    // an upload that a client repeats because it lost the answer counts once
    for _ in 0..2 {
        tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
        stack.land(&format!("{TABLE}/{name}"), lines(&rows)).await;
    }
    stack.eventually("land is empty", async || stack.keys("land").await.is_empty().then_some(())).await;
    stack.settled(2).await;
    assert_eq!(history().await, keys);
    assert_eq!(stack.count("random_postcodes").await, 10);
    assert_eq!(stack.keys("quarantine").await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn history_is_written_once() {
    let api = Api::start(&[]);
    let stack = Stack::deploy("once", Options::default()).await;
    let rows = rows(&stack, &api).await;
    let first = lines(&rows);
    stack.land(&key(5), first.clone()).await;
    stack.settled(1).await;

    // the same bytes again: there is nothing to do, and nothing to report
    stack.land(&key(5), first.clone()).await;
    stack.eventually("land is empty", async || stack.keys("land").await.is_empty().then_some(())).await;
    assert_eq!(stack.keys("quarantine").await, [""; 0]);

    // other bytes conflict with history, which stays unchanged
    let mut other = rows.clone();
    other[0]["parish"] = "Another".into();
    stack.land(&key(5), lines(&other)).await;
    let report = report(&stack, &key(5)).await;
    assert!(report["summary"].as_str().unwrap().contains("immutable"), "{report:#}");
    assert_eq!(stack.read("raw-hist", &key(5)).await, first);
    stack.settled(1).await;
    assert_eq!(stack.count("random_postcodes").await, 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_comes_twice_does_its_work_once() {
    let api = Api::start(&[]);
    let stack = Stack::deploy("twice", Options::default()).await;
    stack.land(&key(7), lines(&rows(&stack, &api).await)).await;
    stack.settled(1).await;
    let event = json!({"Records": [{
        "eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": "eu-west-2", "eventTime": "2026-11-01T06:00:00.000Z",
        "eventName": "ObjectCreated:Put", "userIdentity": {"principalId": "AWS:X"},
        "requestParameters": {"sourceIPAddress": "127.0.0.1"}, "responseElements": {},
        "s3": {"s3SchemaVersion": "1.0", "configurationId": "x",
            "bucket": {"name": stack.bucket("land"), "ownerIdentity": {"principalId": "X"}, "arn": format!("arn:aws:s3:::{}", stack.bucket("land"))},
            "object": {"key": key(7).replace('=', "%3D"), "size": 1, "eTag": "0", "versionId": "gone", "sequencer": "0"}}}]});
    let answer = stack.invoke("validate", event).await.unwrap();
    assert_eq!(answer["files"][0]["verdict"], "already_handled");
    // a test event from S3 has no records
    assert!(
        stack.invoke("validate", json!({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "b"})).await.is_ok()
    );
    stack.settled(1).await;
    assert_eq!(stack.count("random_postcodes").await, 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_land_together_are_rebuilt_together() {
    // more files by hand: `FILES=2000 cargo test --workspace --test end_to_end -- --nocapture together`, after a `make
    // functions`
    let files = option_env!("FILES").map_or(40, |files| files.parse().unwrap());
    let started = Instant::now();
    let api = Api::start(&[]);
    let stack = Stack::deploy("together", Options::default()).await;
    let rows = rows(&stack, &api).await;
    let bytes = lines(&rows);
    let landing = (0..files).map(|n| {
        let (stack, bytes) = (&stack, bytes.clone());
        async move { stack.land(&key(1_000 + n), bytes).await }
    });
    futures::stream::iter(landing).buffer_unordered(16).collect::<Vec<()>>().await;
    let all_is_built = async {
        loop {
            let executions = stack.executions().await;
            let alive = executions.iter().filter(|(_, status)| status == "RUNNING").count();
            // one execution has the turn, and one waits
            assert!(alive <= 2, "{executions:?}");
            if alive == 0 && stack.keys("land").await.is_empty() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(120 + files), all_is_built).await.unwrap();
    let executions = stack.settled(1).await;
    assert_eq!(stack.keys("raw-hist").await.len() as u64, files);
    assert_eq!(stack.count("random_postcodes").await, 10 * files);
    // at most one execution per window of one second: far fewer than one per file, however slow the machine
    assert!((executions.len() as u64) < files, "{} executions for {files} files", executions.len());
    let rebuilds = stack.invocations("curate").await.len();
    let peaks = ["validate", "curate", "catalog"].map(|function| (function, stack.peak_memory(function)));
    println!("peak memory in MB: {peaks:?}");
    println!(
        "{files} files: {} executions, {rebuilds} invocations of curate, {:?}",
        executions.len(),
        started.elapsed()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_extract_of_several_files_that_dies_while_it_lands_is_finished_and_never_mixed() {
    let folder = tempfile::tempdir().unwrap();
    tests::postcodes(folder.path());
    let mut table: Value =
        serde_json::from_slice(&std::fs::read(folder.path().join("raw/random_postcodes.json")).unwrap()).unwrap();
    table["source"]["requests"] = 1000.into();
    table["source"]["requests_per_second"] = 10_000.into();
    table["source"]["maximum_file_bytes"] = 50_000.into();
    tests::write(folder.path(), "raw/random_postcodes.json", &table.to_string());

    let api = Api::start(&[]);
    let parameters = vec![("SourceOrigin", api.origin.clone())];
    let stack = Stack::deploy("attempts", Options { parameters, metadata: Some(folder.path().to_owned()) }).await;
    for (n, crash) in [
        json!({"when": "before", "at_call": 1, "operation": "CopyObject"}),
        json!({"when": "after", "at_call": 2, "operation": "CopyObject"}),
    ]
    .iter()
    .enumerate()
    {
        stack.crash("extract", crash.clone()).await;
        // 2023-11-14
        let key = |place: &str| format!("{TABLE}/file_land_timestamp={}{place}", 1_700_000_000 + n);
        stack.fire(&format!("2023-11-14T22:13:2{n}Z")).await;
        stack.eventually("the crash", async || stack.struck("extract").await).await;
        let record = stack
            .eventually("the extract has landed", async || {
                let record = format!("extracts/{}", key(".json"));
                if !stack.keys("reports").await.contains(&record) {
                    return None;
                }
                Some(stack.read_json("reports", &record).await).filter(|record| record["landed"] == true)
            })
            .await;
        let files: Vec<String> =
            record["files"].as_array().unwrap().iter().map(|file| file["key"].as_str().unwrap().to_owned()).collect();
        assert!(files.len() > 2, "{record:#}");
        stack
            .eventually("all files are in history", async || {
                let history = stack.keys("raw-hist").await;
                files.iter().all(|file| history.contains(file)).then_some(())
            })
            .await;
        stack.eventually("land is empty", async || stack.keys("land").await.is_empty().then_some(())).await;
        stack.settled(1).await;
        let sql = format!("SELECT COUNT(*), COUNT(DISTINCT index) FROM {}.random_postcodes", stack.database());
        let rows = 1000 * (n + 1);
        assert_eq!(stack.query(&sql).await, [[rows.to_string(), "1000".to_owned()]]);
    }
    assert_eq!(stack.keys("quarantine").await, [""; 0]);
}

//! Services that do not answer, or only in part. The pipeline asks again, and only the duration shows it.

use std::fmt::Write;

use serde_json::json;
use tests::{Api, Options, Stack, gzip};

use crate::journey::{TABLE, deployed};
use crate::landing::{lines, rows};

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_never_answers_is_asked_again() {
    let api = Api::start(&[]);
    let stack = deployed("silent", &api).await;
    for (function, operation) in [
        ("extract", "ListObjectsV2"),
        ("validate", "HeadObject"),
        ("validate", "StartExecution"),
        ("curate", "ListObjectsV2"),
        ("catalog", "GetTable"),
        ("catalog", "StartQueryExecution"),
    ] {
        stack.fault(function, json!({"operation": operation, "never": true})).await;
    }
    stack.fire("2022-10-10T18:17:44Z").await;
    stack.settled(1).await;
    assert_eq!(stack.count("random_postcodes").await, 10);
    for function in ["extract", "validate", "curate", "catalog"] {
        assert_eq!(stack.faults_left(function).await, 0, "{function}");
        stack.forget_faults(function).await;
    }
    // each call was answered in the end: no invocation was tried again
    let invocations = stack.invocations("extract").await;
    assert!(
        invocations.iter().all(|invocation| invocation["attempt"] == 1 && invocation["ok"] == true),
        "{invocations:#?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_breaks_off_is_never_taken_for_a_whole_one() {
    let stack = Stack::deploy("broken_off", Options::default()).await;
    let api = Api::start(&[]);
    let rows = rows(&stack, &api).await;
    // in the file itself, and in the answers that hold the run's location
    stack.fault("validate", json!({"operation": "GetObject", "breaks_off_after": 100})).await;
    stack.fault("curate", json!({"operation": "GetObject", "breaks_off_after": 100})).await;
    stack.fault("curate", json!({"operation": "ListObjectsV2", "breaks_off_after": 50})).await;
    stack.fault("catalog", json!({"operation": "GetObject", "breaks_off_after": 100})).await;
    stack.fault("catalog", json!({"operation": "GetTables", "breaks_off_after": 5})).await;
    let key = format!("{TABLE}/file_land_timestamp=1700000000/random_postcodes_1700000000.jsonl.gz");
    stack.land(&key, lines(&rows)).await;
    stack.settled(1).await;
    assert_eq!(stack.keys("raw-hist").await, [key]);
    assert_eq!(stack.keys("quarantine").await, [""; 0]);
    assert_eq!(stack.count("random_postcodes").await, 10);
    for function in ["validate", "curate", "catalog"] {
        assert_eq!(stack.faults_left(function).await, 0, "{function}");
    }
}

/// Texts that hardly compress.
fn noise(rows: u64) -> String {
    let mut text = String::new();
    for row in 0..rows {
        let _ = write!(text, "{{\"n\":{row},\"noise\":\"");
        for word in 0..6 {
            let _ = write!(text, "{:x}", (row * 6 + word + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 8);
        }
        text.push_str("\"}\n");
    }
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_table_goes_up_in_parts_with_the_checksum_of_the_whole() {
    const ROWS: u64 = 200_000;
    let folder = tempfile::tempdir().unwrap();
    let table = json!({"name": "noise", "location": "noise", "description": "Noise", "columns": [
        {"name": "n", "type": "long", "description": "Row"}, {"name": "noise", "type": "character", "description": "Noise"}
    ]});
    let of = |format: &str| {
        let mut table = table.clone();
        table["data_format"] = format.into();
        table.to_string()
    };
    let database = json!({"name": "large", "bucket": "b", "base_folder": "large", "description": "Large"});
    tests::write(folder.path(), "curated/database.json", &database.to_string());
    tests::write(folder.path(), "raw/noise.json", &of("json"));
    tests::write(folder.path(), "curated/noise.json", &of("parquet"));
    tests::write(folder.path(), "curated/noise.sql", "SELECT n, noise FROM noise");
    let stack = Stack::deploy("large", Options { metadata: Some(folder.path().into()), ..Options::default() }).await;
    let key = "open_data/postcodes_example/noise/file_land_timestamp=1/noise_1.jsonl.gz";
    stack.land(key, gzip(&noise(ROWS))).await;
    stack.settled(1).await;
    assert_eq!(stack.count("noise").await, ROWS);
    let calls = stack.calls("curate").await;
    assert!(calls["UploadPart"] > 1 && calls["CompleteMultipartUpload"] == 1, "{calls:?}");
    let keys = stack.keys("curated").await;
    let key = keys.iter().find(|key| key.ends_with(".parquet")).unwrap();
    let head = stack.s3.head_object().bucket(stack.bucket("curated")).key(key).checksum_mode("ENABLED".into());
    let head = head.send().await.unwrap();
    assert_eq!(head.checksum_type().unwrap().as_str(), "FULL_OBJECT");
    assert!(head.checksum_crc64_nvme().is_some_and(|sum| !sum.contains('-')), "{head:?}");
}

//! A supplier's broken CSV: land → raw → processed → a table to which runs append → Athena.

use serde_json::json;
use tests::{Options, Stack};

const REPAIR: &str = "
SELECT
  CAST(split_part(line, ',', 1) AS BIGINT) AS id,
  trim(regexp_replace(regexp_replace(line, '^[^,]*,', ''), '[\",]', '', 'g')) AS name,
  '${dea_version}' AS dea_version
FROM orders
WHERE line_number > 1 AND line <> ''";

#[tokio::test(flavor = "multi_thread")]
async fn a_messy_supplier_is_processed_appended_and_verified() {
    let folder = tempfile::tempdir().unwrap();
    let write = |path: &str, text: String| tests::write(folder.path(), path, &text);
    let column = |name: &str, column_type: &str| json!({"name": name, "type": column_type, "description": ""});
    let table = |format: &str, columns: Vec<serde_json::Value>, more: serde_json::Value| {
        let mut table = json!({"name": "orders", "location": "orders", "data_format": format, "columns": columns});
        for (key, value) in more.as_object().unwrap() {
            table[key] = value.clone();
        }
        table.to_string()
    };
    let database = json!({"name": "trade", "bucket": "b", "base_folder": "trade", "description": "Trade"});
    write("curated/database.json", database.to_string());
    let lines = vec![column("line", "character"), column("line_number", "long")];
    write("raw/orders.json", table("csv", lines, json!({"lines": true, "copy_to_raw": true})));
    let columns = vec![column("id", "long"), column("name", "character"), column("dea_version", "character")];
    write("processed/orders.json", table("json", columns.clone(), json!({"delete_raw": true})));
    write("processed/orders.sql", REPAIR.into());
    write("curated/orders.json", table("parquet", columns, json!({"mode": "append"})));

    let stack =
        Stack::deploy("stages", Options { metadata: Some(folder.path().to_owned()), ..Options::default() }).await;
    let key = |n: u32| format!("open_data/postcodes_example/orders/file_land_timestamp={n}/orders_{n}.csv");
    let messy = "id,name\r\n1,\"Ash\r\n2,Bar\"\"ton,,,\r\n\r\n";
    stack.land(&key(5), messy.into()).await;
    stack.settled(1).await;
    assert_eq!(stack.keys("quarantine").await, [""; 0]);
    let processed = |n: u32| format!("{}.jsonl.gz", key(n));
    assert_eq!(stack.keys("processed").await, [processed(5)]);
    assert!(stack.read_gzip("processed", &processed(5)).await.starts_with(r#"{"id":1,"name":"Ash","dea_version":""#));
    // history keeps what landed, and the transient copy is gone
    assert_eq!(stack.read("raw-hist", &key(5)).await, messy.as_bytes());
    assert_eq!(stack.keys("raw").await, [""; 0]);

    stack.land(&key(6), "id,name\n3,Cam".into()).await;
    stack.settled(2).await;
    let sql = format!("SELECT id, name FROM {}.orders ORDER BY id", stack.database());
    assert_eq!(stack.query(&sql).await, [["1", "Ash"], ["2", "Barton"], ["3", "Cam"]]);
    let manifests = stack.keys("curated").await.into_iter().filter(|key| key.contains("_manifests/"));
    let last = stack.read_json("curated", &manifests.max().unwrap()).await;
    let read: Vec<_> = last["inputs"].as_array().unwrap().iter().map(|file| file["key"].as_str().unwrap()).collect();
    assert_eq!(read, [processed(6)]);
    assert_eq!(last["tables"][0]["appended"]["holds"], json!([processed(5), processed(6)]));

    let verified = stack.invoke("curate", json!({"verify": "latest"})).await.unwrap();
    assert_eq!((&verified["same"], &verified["rows"]), (&json!(true), &json!(1)), "{verified}");
    let failure = stack.invoke("curate", json!({"stage": "proces"})).await.unwrap_err();
    assert_eq!(failure, ("BadInput".into(), "the event: `stage` is `process`, alone, or is left out".into()));

    // a file that cannot be processed goes to quarantine, and a file that lands later is published
    let raw_hist = stack.keys("raw-hist").await.len();
    stack.land(&key(7), "id,name\nseven,Dee".into()).await;
    stack.landed(raw_hist + 1).await;
    stack.settled(3).await;
    stack.land(&key(8), "id,name\n8,Eve".into()).await;
    stack.settled(4).await;
    assert_eq!(stack.count("orders").await, 4);
    assert_eq!(stack.keys("raw").await, [""; 0]);
    let beside = format!("{}.report.json", key(7));
    assert_eq!(stack.keys("quarantine").await, [key(7), beside.clone()]);
    assert_eq!(stack.read("quarantine", &key(7)).await, b"id,name\nseven,Dee");
    let report = stack.read_json("quarantine", &beside).await;
    assert_eq!((&report["verdict"], &report["table"]), (&json!("quarantined"), &json!("orders")), "{report}");
    let summary = report["summary"].as_str().unwrap();
    assert!(summary.contains("orders_7.csv, line 2: ") && summary.contains("seven"), "{summary}");
    let reports = stack.keys("reports").await;
    let filed = reports.iter().find(|key| key.starts_with("processing/")).unwrap();
    assert_eq!(stack.read_json("reports", filed).await, report);

    // a file that is moved to land again goes to raw again, whether the SQL was corrected or not
    let source = format!("{}/{}", stack.bucket("quarantine"), key(7));
    let again = stack.s3.copy_object().copy_source(source).bucket(stack.bucket("land")).key(key(7));
    again.send().await.unwrap();
    stack.settled(5).await;
    assert_eq!(stack.keys("quarantine").await, [key(7), beside]);
    assert_eq!((stack.keys("raw").await, stack.keys("land").await), (Vec::new(), Vec::new()));
    assert_eq!(stack.count("orders").await, 4);
}

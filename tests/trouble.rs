//! One table's trouble does not affect others. Some tables never had a file, have wrong SQL or wrong rows, or read such
//! a table. The others are published.

use serde_json::{Value, json};
use tests::{Options, Stack};

/// Metadata of the raw tables `a` (whose column is a text), `fresh` (no files at first) and `needed` (`required`, never
/// a file), and of tables made from them.
fn metadata() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| tests::write(folder.path(), path, text);
    let table = |name: &str, format: &str, columns: &[(&str, &str)], more: Value| {
        let columns: Vec<_> =
            columns.iter().map(|(name, of)| json!({"name": name, "type": of, "description": ""})).collect();
        let mut table = json!({"name": name, "location": name, "data_format": format, "columns": columns});
        table.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        table.to_string()
    };
    let database = json!({"name": "trouble", "bucket": "b", "base_folder": "trouble", "description": "Trouble"});
    write("curated/database.json", &database.to_string());
    let raw = [("id", "long"), ("text", "character")];
    for (name, more) in [("a", json!({})), ("fresh", json!({})), ("needed", json!({"checks": {"required": true}}))] {
        write(&format!("raw/{name}.json"), &table(name, "json", &raw, more));
    }
    let curated = |name: &str, of: &[(&str, &str)], more: Value, sql: &str| {
        write(&format!("curated/{name}.json"), &table(name, "parquet", of, more));
        write(&format!("curated/{name}.sql"), sql);
    };
    let id = [("id", "long")];
    curated("copied", &raw, json!({}), "SELECT id, text FROM a");
    curated("of_fresh", &raw, json!({}), "SELECT id, text FROM fresh");
    curated(
        "in_parts",
        &[("id", "long"), ("text", "character")],
        json!({"partitions": ["text"]}),
        "SELECT id, text FROM fresh",
    );
    curated("joined", &id, json!({}), "SELECT a.id FROM a LEFT JOIN fresh ON a.id = fresh.id");
    curated("counted", &id, json!({}), "SELECT count(*) AS id FROM fresh");
    curated("added", &raw, json!({"mode": "append"}), "SELECT id, text FROM a");
    curated("of_needed", &id, json!({}), "SELECT id FROM needed");
    curated("wrong", &id, json!({}), "SELECT idd AS id FROM a");
    curated("typed", &id, json!({}), "SELECT CAST(text AS BIGINT) AS id FROM a");
    curated("reads_typed", &id, json!({}), "SELECT max(id) AS id FROM typed");
    folder
}

/// Waits until the execution ends and returns its error and cause, which are empty if it has succeeded.
async fn ended(stack: &Stack, arn: &str) -> (String, String) {
    let ended = stack
        .eventually("the execution ends", async || {
            let execution = stack.sfn.describe_execution().execution_arn(arn).send().await.unwrap();
            (execution.status().as_str() != "RUNNING").then_some(execution)
        })
        .await;
    (ended.error().unwrap_or_default().into(), ended.cause().unwrap_or_default().into())
}

async fn counts<const N: usize>(stack: &Stack, tables: [&str; N]) -> [u64; N] {
    let mut counts = [0; N];
    for (count, table) in counts.iter_mut().zip(tables) {
        *count = stack.count(table).await;
    }
    counts
}

#[tokio::test(flavor = "multi_thread")]
async fn one_table_s_trouble_is_its_own() {
    let metadata = metadata();
    let options = Options { metadata: Some(metadata.path().to_owned()), ..Options::default() };
    let stack = Stack::deploy("trouble", options).await;
    let key = |table: &str, n: u32| {
        format!("open_data/postcodes_example/{table}/file_land_timestamp={n}/{table}_{n}.jsonl.gz")
    };
    let sql = |columns: &str, table: &str| format!("SELECT {columns} FROM {}.{table}", stack.database());
    let history = async |table: &str, n: u32, rows: &str| {
        stack.put_history(&key(table, n), tests::gzip(rows)).await;
    };
    history("a", 1, "{\"id\": 1, \"text\": \"1\"}\n").await;

    // tables without a file exist and are empty; the required one is reported
    let (error, cause) = ended(&stack, &stack.start_execution("{}").await).await;
    assert_eq!(error, "TablesFailed", "{cause}");
    let lines: Vec<_> = cause.lines().collect();
    assert_eq!(lines.len(), 4, "{cause}");
    assert!(
        lines[0].starts_with("`of_needed`: NotFound: raw table `needed` is `required` and has no files under s3://"),
        "{cause}"
    );
    assert!(lines[1].starts_with("`wrong`: BadMetadata: ") && lines[1].contains("idd"), "{cause}");
    let built = "`added`, `copied`, `counted`, `in_parts`, `joined`, `of_fresh`, `typed`, `reads_typed`";
    assert_eq!(lines[3], format!("Their published state stays. Built: {built}."));
    let tables = ["copied", "of_fresh", "in_parts", "joined", "counted", "added", "typed", "reads_typed"];
    assert_eq!(counts(&stack, tables).await, [1, 0, 0, 1, 1, 1, 1, 1]);
    let columns = stack.query(&sql("id, text", "of_fresh")).await;
    assert_eq!(columns, Vec::<Vec<String>>::new());
    assert_eq!(stack.query(&sql("id", "counted")).await, [["0"]]);

    // a row that does not fit leaves its table, and those that read it, unchanged
    history("a", 2, "{\"id\": 2, \"text\": \"x\"}\n").await;
    history("fresh", 3, "{\"id\": 2, \"text\": \"p\"}\n").await;
    let (error, cause) = ended(&stack, &stack.start_execution("{}").await).await;
    assert_eq!(error, "TablesFailed", "{cause}");
    let line = |table: &str| cause.lines().find(|line| line.starts_with(&format!("`{table}`: "))).unwrap_or_default();
    assert!(line("typed").contains("BadData: ") && line("typed").contains("a_2.jsonl.gz, line 1"), "{cause}");
    assert_eq!(line("reads_typed"), "`reads_typed`: BadData: reads `typed`, which failed", "{cause}");
    assert_eq!(counts(&stack, tables).await, [2, 1, 1, 2, 1, 2, 1, 1]);
    assert_eq!(stack.query(&sql("id", "typed")).await, [["1"]]);

    // if it is requested alone, the whole request fails
    let (error, cause) = ended(&stack, &stack.start_execution(r#"{"tables": ["typed", "reads_typed"]}"#).await).await;
    assert!(error == "BadData" && cause.contains("a_2.jsonl.gz, line 1"), "{error} {cause}");
    let (error, cause) = ended(&stack, &stack.start_execution(r#"{"tables": ["copied"]}"#).await).await;
    assert_eq!((error.as_str(), cause.as_str()), ("", ""));
}

//! Tables of other owners that have the name of a described table. They are not changed until somebody allows that.

use aws_sdk_glue::types::{
    Column, DatabaseInput, PartitionInput, SerDeInfo, StorageDescriptor, Table, TableIdentifier, TableInput,
};
use serde_json::{Value, json};
use tests::{Options, Stack, gzip};

fn metadata() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| tests::write(folder.path(), path, text);
    let column = |name: &str| json!({"name": name, "type": "long", "description": ""});
    let table = |name: &str, format: &str| json!({"name": name, "location": name, "data_format": format, "columns": [column("n"), column("day")]});
    let database = json!({"name": "others", "bucket": "b", "base_folder": "others", "description": "Others"});
    write("curated/database.json", &database.to_string());
    let raw = json!({"name": "others_raw", "bucket": "b", "base_folder": "x", "description": "Raw"});
    write("raw/database.json", &raw.to_string());
    write("raw/visits.json", &table("visits", "json").to_string());
    write("curated/flat.json", &table("flat", "parquet").to_string());
    write("curated/flat.sql", "SELECT n, day FROM visits");
    let mut by_day = table("by_day", "parquet");
    by_day["partitions"] = json!(["day"]);
    by_day["mode"] = "partition".into();
    write("curated/by_day.json", &by_day.to_string());
    write("curated/by_day.sql", "SELECT n, day FROM visits");
    folder
}

async fn deployed(name: &str) -> (Stack, tempfile::TempDir) {
    let folder = metadata();
    let stack = Stack::deploy(name, Options { metadata: Some(folder.path().into()), ..Options::default() }).await;
    let key = "open_data/postcodes_example/visits/file_land_timestamp=1/visits_1.jsonl.gz";
    stack.put_history(key, gzip("{\"n\":1,\"day\":1}\n")).await;
    for database in [stack.database(), stack.raw_database()] {
        let database = DatabaseInput::builder().name(database).build().unwrap();
        stack.glue.create_database().database_input(database).send().await.unwrap();
    }
    (stack, folder)
}

/// A table that somebody makes by hand.
fn theirs(stack: &Stack, name: &str) -> TableInput {
    let serde = SerDeInfo::builder()
        .serialization_library("org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe")
        .build();
    let storage = StorageDescriptor::builder()
        .location(format!("s3://{}/theirs/{name}/", stack.bucket("curated")))
        .columns(Column::builder().name("x").r#type("string").build().unwrap())
        .serde_info(serde)
        .build();
    let table = TableInput::builder().name(name).table_type("EXTERNAL_TABLE").storage_descriptor(storage);
    let table = if name == "by_day" {
        table.partition_keys(Column::builder().name("day").r#type("bigint").build().unwrap())
    } else {
        table
    };
    table.parameters("EXTERNAL", "TRUE").build().unwrap()
}

async fn create(stack: &Stack, database: &str, table: TableInput) {
    stack.glue.create_table().database_name(database).table_input(table).send().await.unwrap();
}

async fn found(stack: &Stack, name: &str) -> Table {
    let found = stack.glue.get_table().database_name(stack.database()).name(name).send().await.unwrap();
    found.table().unwrap().clone()
}

fn location(table: &Table) -> &str {
    table.storage_descriptor().and_then(|storage| storage.location()).unwrap()
}

fn is_published(keys: &[String]) -> bool {
    keys.iter().any(|key| key.ends_with("_publications/current.json"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_of_others_is_left_until_it_is_taken_over() {
    let (stack, _metadata) = deployed("others").await;
    for name in ["flat", "by_day"] {
        create(&stack, stack.database(), theirs(&stack, name)).await;
    }
    let partition = theirs(&stack, "by_day").storage_descriptor.unwrap();
    let partition = PartitionInput::builder().values("7").storage_descriptor(partition).build();
    let register = stack.glue.create_partition().database_name(stack.database()).table_name("by_day");
    register.partition_input(partition).send().await.unwrap();

    let event = stack.invoke("curate", json!({})).await.unwrap();
    let refused = async |event: Value| {
        let (kind, message) = stack.invoke("catalog", event).await.unwrap_err();
        assert_eq!(kind, "Conflict", "{message}");
        message
    };
    let message = refused(event.clone()).await;
    assert!(message.contains("by_day`: a table that the pipeline did not make has this name"), "{message}");
    let message = refused(json!({"take_over": ["by_day"]})).await;
    assert!(
        message.contains("flat`: a table that the pipeline did not make")
            && message.contains("{\"take_over\": [\"flat\"]}"),
        "{message}"
    );
    refused(json!({"publish": "latest"})).await;
    for name in ["flat", "by_day"] {
        assert!(location(&found(&stack, name).await).contains("/theirs/"), "{name}");
    }
    assert!(!is_published(&stack.keys("curated").await));

    // a takeover that fails is reverted
    let both = json!({"take_over": ["flat", "by_day"]});
    let fault = json!({"operation": "StartQueryExecution", "error": "InvalidRequestException"});
    stack.fault("catalog", fault).await;
    stack.invoke("catalog", both.clone()).await.unwrap_err();
    assert_eq!(stack.faults_left("catalog").await, 0);
    for name in ["flat", "by_day"] {
        let table = found(&stack, name).await;
        assert!(location(&table).contains("/theirs/"), "{name}");
        assert_eq!(table.storage_descriptor().unwrap().columns()[0].name(), "x", "{name}");
    }
    refused(event.clone()).await;

    let answer = stack.invoke("catalog", both).await.unwrap();
    assert!(answer["plan"].to_string().contains("a table of others is taken over; its files stay"), "{answer}");
    assert_eq!((stack.count("flat").await, stack.count("by_day").await), (1, 1));
    // from then on it is the pipeline's table
    let event = stack.invoke("curate", json!({})).await.unwrap();
    stack.invoke("catalog", event).await.unwrap();

    // somebody has made another table in its place
    stack.glue.delete_table().database_name(stack.database()).name("flat").send().await.unwrap();
    create(&stack, stack.database(), theirs(&stack, "flat")).await;
    for event in [json!({"publish": "latest"}), json!({"recreate": true}), json!({"publish": "previous"})] {
        refused(event).await;
    }
    assert!(location(&found(&stack, "flat").await).contains("/theirs/"));
    assert_eq!(stack.count("by_day").await, 1);
    let (kind, message) = stack.invoke("catalog", json!({"take_over": ["flt"]})).await.unwrap_err();
    assert_eq!(kind, "BadInput", "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn iceberg_tables_links_and_views_are_never_replaced() {
    let (stack, _metadata) = deployed("iceberg").await;
    let mut iceberg = theirs(&stack, "flat");
    let metadata = "s3://theirs/flat/metadata/00001.metadata.json".to_owned();
    iceberg.parameters =
        Some([("table_type".to_owned(), "ICEBERG".to_owned()), ("metadata_location".into(), metadata.clone())].into());
    create(&stack, stack.database(), iceberg).await;
    let event = stack.invoke("curate", json!({"tables": ["flat"]})).await.unwrap();
    for event in [event.clone(), json!({"take_over": ["flat"]}), json!({"publish": "latest"})] {
        let (kind, message) = stack.invoke("catalog", event).await.unwrap_err();
        assert_eq!(kind, "Conflict");
        assert!(message.contains("flat`: a table of the format `ICEBERG` has this name"), "{message}");
    }
    let parameters = found(&stack, "flat").await.parameters.unwrap();
    assert_eq!(parameters["metadata_location"], metadata);
    stack.glue.delete_table().database_name(stack.database()).name("flat").send().await.unwrap();

    let target = TableIdentifier::builder().catalog_id("111122223333").database_name("shared").name("flat").build();
    let link = TableInput::builder().name("flat").target_table(target).build().unwrap();
    create(&stack, stack.database(), link).await;
    for event in [event.clone(), json!({"take_over": ["flat"]})] {
        let (kind, message) = stack.invoke("catalog", event).await.unwrap_err();
        assert_eq!(kind, "Conflict");
        assert!(message.contains("a resource link to `shared.flat` has this name"), "{message}");
    }
    stack.glue.delete_table().database_name(stack.database()).name("flat").send().await.unwrap();

    // a table over raw-hist is not replaced either: the curated tables are published anyway, and the answer reports it
    create(&stack, stack.raw_database(), theirs(&stack, "visits")).await;
    let answer = stack.invoke("catalog", event).await.unwrap();
    let problems = answer["raw_history"]["problems"].to_string();
    assert!(problems.contains("visits`: a table that the pipeline did not make has this name"), "{answer}");
    assert_eq!(stack.count("flat").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_table_of_others_stops_no_other_table() {
    let (stack, _metadata) = deployed("beside_others").await;
    create(&stack, stack.database(), theirs(&stack, "flat")).await;
    let execution = stack.start_execution("{}").await;
    let ended = async || {
        let execution = stack.sfn.describe_execution().execution_arn(&execution).send().await.unwrap();
        (execution.status().as_str() != "RUNNING").then_some(execution)
    };
    let ended = stack.eventually("the execution has ended", ended).await;
    assert_eq!((ended.status().as_str(), ended.error()), ("FAILED", Some("TablesFailed")));
    let cause = ended.cause().unwrap();
    assert!(
        cause.contains("`flat`: Conflict: ") && cause.contains("a table that the pipeline did not make has this name"),
        "{cause}"
    );
    assert_eq!(stack.count("by_day").await, 1);
    assert!(location(&found(&stack, "flat").await).contains("/theirs/"));
    // once it is gone, the next run publishes both
    stack.glue.delete_table().database_name(stack.database()).name("flat").send().await.unwrap();
    let event = stack.invoke("curate", json!({})).await.unwrap();
    let answer = stack.invoke("catalog", event).await.unwrap();
    assert!(answer["failed"].is_null() && answer["failure"].is_null(), "{answer}");
    assert_eq!((stack.count("flat").await, stack.count("by_day").await), (1, 1));
}

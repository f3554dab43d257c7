//! The raw database: what landed can be queried, and a problem with it never affects the curated tables.

use aws_sdk_glue::types::TableInput;
use serde_json::json;
use tests::{Options, Stack, gzip};

/// Metadata of one raw table that is curated, and two that no curated table reads.
fn dataset() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |path: &str, value: serde_json::Value| tests::write(folder.path(), path, &value.to_string());
    let database = |name: &str| json!({"name": name, "bucket": "b", "base_folder": "f", "description": "Shop"});
    write("curated/database.json", database("shop"));
    write("raw/database.json", database("shop_raw"));
    let columns = json!([
        {"name": "id", "type": "long", "description": "", "nullable": false},
        {"name": "buyer", "type": "character", "description": "Who", "sensitivity": "personal_data"},
        {"name": "sold", "type": "datetime", "description": ""},
        {"name": "place", "type": "struct<longitude:double,names:array<character>>", "description": ""}]);
    let table = json!({"name": "orders", "location": "orders", "data_format": "json", "columns": columns});
    write("raw/orders.json", table.clone());
    let mut curated = table;
    curated["data_format"] = "parquet".into();
    let version = json!({"name": "dea_version", "type": "character", "description": ""});
    curated["columns"].as_array_mut().unwrap().push(version);
    write("curated/orders.json", curated);
    let columns = json!([
        {"name": "id", "type": "long", "description": ""},
        {"name": "name", "type": "character", "description": ""}]);
    for (name, data_format) in [("shops", "csv_quoted_nodate"), ("visits", "json")] {
        write(
            &format!("raw/{name}.json"),
            json!({"name": name, "location": name, "data_format": data_format, "columns": columns}),
        );
    }
    folder
}

async fn deploy(name: &str) -> Stack {
    let metadata = dataset();
    Stack::deploy(name, Options { metadata: Some(metadata.path().to_owned()), ..Options::default() }).await
}

async fn land(stack: &Stack, file: &str, text: &str) {
    stack.land(&format!("open_data/postcodes_example/{file}"), gzip(text)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_landed_can_be_queried() {
    let stack = deploy("raw-history").await;
    let text = "{\"id\":1,\"buyer\":\"a\",\"sold\":\"2026-11-01 06:07:08\",\"place\":{\"longitude\":-6.4,\"names\":[\"x\",\"y\"]}}\n\
                {\"id\":2,\"buyer\":null,\"sold\":null,\"place\":null}\n";
    land(&stack, "orders/file_land_timestamp=5/orders_5.jsonl.gz", text).await;
    stack.settled(1).await;

    let raw = stack.raw_database();
    let sql = format!(
        "SELECT id, buyer, sold, place.longitude, place.names, file_land_timestamp FROM {raw}.orders ORDER BY id"
    );
    let expected =
        [["1", "a", "2026-11-01 06:07:08.000", "-6.4", "[x, y]", "5"], ["2", "NULL", "NULL", "NULL", "NULL", "5"]];
    assert_eq!(stack.query(&sql).await, expected);
    let table = stack.glue.get_table().database_name(raw).name("orders").send().await.unwrap().table.unwrap();
    let storage = table.storage_descriptor().unwrap();
    let location = format!("s3://{}/open_data/postcodes_example/orders/", stack.bucket("raw-hist"));
    assert_eq!(storage.location(), Some(location.as_str()));
    assert_eq!(storage.columns()[1].parameters().unwrap()["sensitivity"], "personal_data");

    // tables that no curated table reads are there too; a folder is left out if it has a file of another format
    land(&stack, "shops/file_land_timestamp=6/shops_6.csv.gz", "id,name\n1,\"a, b\"\n2,\"c \"\"d\"\"\"\n").await;
    land(&stack, "visits/file_land_timestamp=6/visits_6.jsonl.gz", "{\"id\":7,\"name\":\"z\"}\n").await;
    land(&stack, "visits/file_land_timestamp=7/visits_7.csv.gz", "id,name\n8,y\n").await;
    land(
        &stack,
        "orders/file_land_timestamp=8/orders_8.jsonl.gz",
        "{\"id\":3,\"buyer\":\"c\",\"sold\":null,\"place\":null}\n",
    )
    .await;
    stack.eventually("land is empty", async || stack.keys("land").await.is_empty().then_some(())).await;
    assert_eq!(stack.keys("quarantine").await, [""; 0]);
    stack.settled(2).await;
    stack.start_execution("{}").await;
    stack.settled(3).await;
    assert_eq!(
        stack.query(&format!("SELECT id, name FROM {raw}.shops ORDER BY id")).await,
        [["1", "a, b"], ["2", "c \"d\""]]
    );
    assert_eq!(stack.query(&format!("SELECT id, file_land_timestamp FROM {raw}.visits")).await, [["7", "6"]]);
    let sql = format!("SELECT file_land_timestamp, COUNT(*) FROM {raw}.orders GROUP BY 1 ORDER BY 1");
    assert_eq!(stack.query(&sql).await, [["5", "2"], ["8", "1"]]);
    assert_eq!(stack.count("orders").await, 3);

    let answer = stack.invocations("catalog").await.pop().unwrap()["response"]["raw_history"].clone();
    let expected = json!({"database": raw, "tables": 3, "partitions_added": 0, "folders_left_out": 1, "problems": []});
    assert_eq!(answer, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn folders_get_the_columns_of_now() {
    let stack = deploy("raw-columns").await;
    let (raw, row) = (stack.raw_database().to_owned(), "{\"id\":1,\"name\":\"z\"}\n");
    let order = "{\"id\":1,\"buyer\":\"a\",\"sold\":null,\"place\":null}\n";
    land(&stack, "orders/file_land_timestamp=5/orders_5.jsonl.gz", order).await;
    stack.settled(1).await;
    land(&stack, "visits/file_land_timestamp=6/visits_6.jsonl.gz", row).await;
    stack.settled(2).await;
    // as an older version of the metadata described it: the name was a number, in the table and in the partition
    let table = stack.glue.get_table().database_name(&raw).name("visits").send().await.unwrap().table.unwrap();
    let mut storage = table.storage_descriptor.clone().unwrap();
    storage.columns.as_mut().unwrap()[1].r#type = Some("int".into());
    let keys = table.partition_keys.clone();
    let older = TableInput::builder().name("visits").storage_descriptor(storage.clone()).set_partition_keys(keys);
    let older = older.set_parameters(table.parameters.clone()).table_type("EXTERNAL_TABLE").build().unwrap();
    stack.glue.update_table().database_name(&raw).table_input(older).send().await.unwrap();
    storage.location = Some(format!("{}file_land_timestamp=6/", storage.location.unwrap()));
    let partition = aws_sdk_glue::types::PartitionInput::builder().values("6").storage_descriptor(storage).build();
    let update = stack.glue.update_partition().database_name(&raw).table_name("visits").partition_value_list("6");
    update.partition_input(partition).send().await.unwrap();
    assert_eq!(stack.query(&format!("SELECT name FROM {raw}.visits")).await, [["NULL"]]);

    stack.start_execution("{}").await;
    stack.settled(3).await;
    assert_eq!(stack.query(&format!("SELECT name FROM {raw}.visits")).await, [["z"]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_raw_table_that_cannot_be_described_leaves_the_curated_ones_published() {
    let stack = deploy("raw-refused").await;
    let raw = stack.raw_database();
    let database = aws_sdk_glue::types::DatabaseInput::builder().name(raw).build().unwrap();
    stack.glue.create_database().database_input(database).send().await.unwrap();
    let view = TableInput::builder().name("orders").table_type("VIRTUAL_VIEW").build().unwrap();
    stack.glue.create_table().database_name(raw).table_input(view).send().await.unwrap();
    let row = "{\"id\":1,\"buyer\":\"a\",\"sold\":null,\"place\":null}\n";
    land(&stack, "orders/file_land_timestamp=5/orders_5.jsonl.gz", row).await;
    land(&stack, "visits/file_land_timestamp=5/visits_5.jsonl.gz", "{\"id\":7,\"name\":\"z\"}\n").await;
    stack.settled(1).await;
    stack.start_execution("{}").await;
    stack.settled(2).await;
    assert_eq!(stack.count("orders").await, 1);
    assert_eq!(stack.query(&format!("SELECT COUNT(*) FROM {raw}.visits")).await, [["1"]]);
    let answer = stack.invocations("catalog").await.pop().unwrap()["response"]["raw_history"].clone();
    assert_eq!(answer["tables"], 2);
    let problem = answer["problems"][0].as_str().unwrap();
    assert!(
        problem.starts_with(&format!("describing table `{raw}.orders`: something else, of the type `VIRTUAL_VIEW`")),
        "{problem}"
    );
}

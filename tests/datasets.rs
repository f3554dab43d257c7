//! A new dataset needs metadata only, no program: one raw JSON, one curated JSON, one SQL.

use serde_json::json;
use tests::{Options, Stack, gzip};

#[tokio::test(flavor = "multi_thread")]
async fn a_dataset_with_every_type_needs_no_rust() {
    let folder = tempfile::tempdir().unwrap();
    let write = |path: &str, value: String| tests::write(folder.path(), path, &value);
    let database = json!({"name": "trade", "bucket": "b", "base_folder": "trade", "description": "Trade"});
    write("curated/database.json", database.to_string());
    let columns = json!([
        {"name": "id", "type": "long", "description": "", "nullable": false},
        {"name": "name", "type": "character", "description": ""},
        {"name": "price", "type": "decimal(10,2)", "description": ""},
        {"name": "weight", "type": "float", "description": ""},
        {"name": "sold", "type": "date", "description": ""},
        {"name": "at", "type": "datetime", "description": ""},
        {"name": "open", "type": "boolean", "description": ""},
        {"name": "tags", "type": "array<character>", "description": ""},
        {"name": "place", "type": "struct<lat:double,lon:double>", "description": ""}]);
    // the files that curate writes have one more column than those that land
    let checks = json!({"allow_unexpected_columns": true});
    let mut table =
        json!({"name": "orders", "location": "orders", "data_format": "json", "columns": columns, "checks": checks});
    write("raw/orders.json", table.to_string());
    table["data_format"] = "parquet".into();
    let version = json!({"name": "dea_version", "type": "character", "description": ""});
    table["columns"].as_array_mut().unwrap().push(version);
    write("curated/orders.json", table.to_string());
    let totals = json!({"name": "totals", "location": "totals", "data_format": "parquet", "partitions": ["year", "sold"], "columns": [
        {"name": "year", "type": "int", "description": ""},
        {"name": "sold", "type": "date", "description": ""},
        {"name": "price", "type": "decimal(12,2)", "description": ""}]});
    write("curated/totals.json", totals.to_string());
    let sql =
        "SELECT CAST(date_part('year', sold) AS INT) AS year, sold, sum(price) AS price FROM orders GROUP BY sold";
    write("curated/totals.sql", sql.into());

    let options = Options { metadata: Some(folder.path().to_owned()), ..Options::default() };
    let stack = Stack::deploy("datasets", options).await;
    let rows = [
        r#"{"id":9007199254740993,"name":"Steòrnabhagh","price":10.10,"weight":1.5,"sold":"1969-12-31","at":"2026-11-01 06:07:08","open":true,"tags":["a","b"],"place":{"lat":58.2,"lon":-6.4}}"#,
        r#"{"id":2,"name":null,"price":0.15,"weight":null,"sold":"1969-12-31","at":null,"open":false,"tags":[],"place":null}"#,
        r#"{"id":3,"name":"012","price":null,"weight":2,"sold":null,"at":null,"open":null,"tags":null,"place":{"lat":null,"lon":0.5}}"#,
    ];
    let bytes = gzip(&format!("{}\n", rows.join("\n")));
    stack.land("open_data/postcodes_example/orders/file_land_timestamp=5/orders_5.jsonl.gz", bytes).await;
    stack.settled(1).await;

    let sql = format!("SELECT id, name, price, sold, at, open FROM {}.orders ORDER BY id DESC", stack.database());
    let found = stack.query(&sql).await;
    assert_eq!(
        found[0],
        ["9007199254740993", "Steòrnabhagh", "10.10", "1969-12-31", "2026-11-01 06:07:08.000", "true"]
    );
    assert_eq!(found[1], ["3", "012", "NULL", "NULL", "NULL", "NULL"]);
    let sql = format!("SELECT place.lat, cardinality(tags) FROM {}.orders WHERE open", stack.database());
    assert_eq!(stack.query(&sql).await, [["58.2", "2"]]);
    let sql = format!("SELECT year, price FROM {}.totals WHERE sold = DATE '1969-12-31'", stack.database());
    assert_eq!(stack.query(&sql).await, [["1969", "10.25"]]);
    assert_eq!(stack.count("totals").await, 2);

    // the same rows as CSV, and as the Parquet file that was just written
    let csv = r#"place,id,name,price,weight,sold,at,open,tags
"{""lat"":58.2,""lon"":-6.4}",9007199254740993,Steòrnabhagh,10.10,1.5,1969-12-31,2026-11-01 06:07:08,true,"[""a"",""b""]"
,2,,0.15,,1969-12-31,,false,[]
"{""lat"":null,""lon"":0.5}",3,"012",,2,,,,
"#;
    let parquet = stack.keys("curated").await.into_iter().find(|key| key.contains("/orders/")).unwrap();
    let parquet = stack.read("curated", &parquet).await;
    stack.land("open_data/postcodes_example/orders/file_land_timestamp=6/orders_6.csv.gz", gzip(csv)).await;
    stack.land("open_data/postcodes_example/orders/file_land_timestamp=7/orders_7.parquet", parquet).await;
    stack.eventually("land is empty", async || stack.keys("land").await.is_empty().then_some(())).await;
    assert_eq!(stack.keys("quarantine").await, [""; 0]);
    stack.settled(2).await;
    assert_eq!(stack.count("orders").await, 9);
    let columns = "id, name, price, weight, sold, at, open, tags, place";
    let sql = format!("SELECT id, count(*) FROM {}.orders GROUP BY {columns} ORDER BY id", stack.database());
    assert_eq!(stack.query(&sql).await, [["2", "3"], ["3", "3"], ["9007199254740993", "3"]]);
}

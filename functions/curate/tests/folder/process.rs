//! The process stage: messy raw files become clean ones under the same keys.

use contract::FailureKind;
use serde_json::json;

use crate::place::Place;

/// A supplier's messy CSV: unclosed quotes, rows too long and too short, a header in the middle, a comma inside a name.
const MESSY: &str =
    "id,name,amount\r\n1,\"Ash,10.50\r\n2,Bar\"ton,7\r\n3,Cam, the great,3.25,,\r\nid,name,amount\r\n4,Dale\r\n\r\n";

/// Repairs it: the first field is the id, the last number the amount, and the text between them the name.
const REPAIR: &str = r#"
WITH lines AS (
  SELECT line_number, regexp_replace(regexp_replace(line, '"', '', 'g'), ',+$', '') AS line FROM orders
),
fields AS (
  SELECT
    line_number,
    split_part(line, ',', 1) AS id,
    CASE WHEN regexp_like(line, ',[0-9.]+$') THEN regexp_replace(line, '^.*,', '') END AS amount,
    line
  FROM lines
  WHERE line <> '' AND line NOT LIKE 'id,%'
)
SELECT
  CAST(id AS BIGINT) AS id,
  regexp_replace(regexp_replace(line, '^[^,]*,', ''), ',[0-9.]+$', '') AS name,
  CAST(amount AS DECIMAL(10, 2)) AS amount,
  line_number,
  '${dea_version}' AS dea_version
FROM fields
"#;

const COLUMNS: &[&str] =
    &["id long not null", "name character", "amount decimal(10,2)", "line_number long", "dea_version character"];

fn supplier(format: &str, delete: bool) -> Place {
    let place = Place::new();
    let columns = ["line character", "line_number long"];
    place.table("raw", "orders", &columns, json!({"lines": true, "copy_to_raw": true, "data_format": "csv"}));
    place.table("processed", "orders", COLUMNS, json!({"data_format": format, "delete_raw": delete}));
    place.sql("processed", "orders", REPAIR);
    place.table("curated", "orders", COLUMNS, json!({}));
    place.write("raw/orders/file_land_timestamp=100/orders_100.csv", MESSY);
    place.write("raw/orders/file_land_timestamp=200/orders_200.csv", "5,\"Elm\",1\n");
    place
}

#[test]
fn a_corrupted_csv_is_repaired_by_sql() {
    for (format, extension) in [("json", "jsonl.gz"), ("parquet", "parquet")] {
        let mut place = supplier(format, false);
        let processed = place.process().unwrap();
        let made: Vec<_> =
            processed.files.iter().map(|file| (file.key.as_str(), file.rows, file.raw_deleted)).collect();
        let key = |n: u32| format!("orders/file_land_timestamp={n}/orders_{n}.csv.{extension}");
        assert_eq!(made, [(key(100).as_str(), 4, false), (key(200).as_str(), 1, false)]);

        // a file is processed once, with the version of that time
        place.settings.dea_version = "v2".into();
        assert_eq!(place.process().unwrap().files, []);
        let manifest = place.build().unwrap();
        assert_eq!(
            place.rows(&manifest, "orders"),
            [
                "1 Ash 10.50 2 v1",
                "2 Barton 7.00 3 v1",
                "3 Cam, the great 3.25 4 v1",
                "4 Dale null 6 v1",
                "5 Elm 1.00 1 v1",
            ]
        );
        assert_eq!(manifest.inputs[0].bucket, place.path("processed").display().to_string());
    }
}

#[test]
fn the_raw_file_goes_where_the_table_says_so() {
    let place = supplier("json", true);
    // as if the process had died before it deleted the raw file
    let died = supplier("json", false);
    died.process().unwrap();
    let made = "processed/orders/file_land_timestamp=100/orders_100.csv.jsonl.gz";
    place.write(made, std::fs::read(died.path(made)).unwrap());
    let processed = place.process().unwrap();
    assert_eq!(
        processed.files.iter().map(|file| file.raw_key.as_str()).collect::<Vec<_>>(),
        ["orders/file_land_timestamp=200/orders_200.csv"]
    );
    assert_eq!(place.files("raw"), Vec::<String>::new());
    assert_eq!(place.build().unwrap().tables[0].rows, 5);
}

#[test]
fn a_file_that_cannot_be_processed_stays_and_does_not_keep_others() {
    let place = supplier("json", true);
    place.write("raw/orders/file_land_timestamp=150/orders_150.csv", "6,Fir,1\nseven,Gum,2\n");
    let failure = place.process().unwrap_err();
    assert_eq!(failure.kind, FailureKind::BadData);
    let expected = "table `orders`, column `id`, ";
    assert!(failure.message.starts_with(expected), "{failure}");
    assert!(
        failure.message.contains("orders_150.csv, line 2: ") && failure.message.contains("`seven,Gum,2`"),
        "{failure}"
    );
    assert_eq!(place.files("raw"), ["orders/file_land_timestamp=150/orders_150.csv"]);
    assert_eq!(place.build().unwrap().tables[0].rows, 5);
}

#[test]
fn every_type_survives_json_lines() {
    let place = Place::new();
    let columns = [
        "text character",
        "small int",
        "big long",
        "ratio double",
        "half float",
        "price decimal(38,18)",
        "day date",
        "at datetime",
        "yes boolean",
        "bytes binary",
        "inner struct<a:int,b:array<character>>",
    ];
    place.table("raw", "t", &columns, json!({"copy_to_raw": true}));
    place.table("processed", "t", &columns, json!({"data_format": "json"}));
    let row = json!({
        "text": "é\" \u{1}\n", "small": -5, "big": i64::MIN, "ratio": 5e-324, "half": 0.1, "price": "-0.000000000000000001",
        "day": "0099-02-28", "at": "1899-12-31 23:59:59.001", "yes": true, "bytes": "AP8=", "inner": {"a": null, "b": ["x", null]},
    });
    let null: serde_json::Map<_, _> = row.as_object().unwrap().keys().map(|key| (key.clone(), json!(null))).collect();
    let lines = format!("{row}\n{}\n", serde_json::Value::from(null));
    place.write("raw/t/file_land_timestamp=100/t_100.jsonl", &lines);
    place.raw("t", 100, "jsonl", &lines);
    place.process().unwrap();
    place.table("curated", "t", &columns, json!({}));
    let processed = place.build().unwrap();
    // the same table without the process stage
    std::fs::remove_dir_all(place.path("meta_data/processed")).unwrap();
    let direct = place.build().unwrap();
    assert_eq!(place.rows(&processed, "t"), place.rows(&direct, "t"));
    assert_eq!(place.rows(&direct, "t").len(), 2);
    assert_eq!(processed.tables[0].files[0].sha256, direct.tables[0].files[0].sha256);
}

#[test]
fn a_processed_file_is_made_of_one_raw_file() {
    let place = supplier("json", false);
    place.table("raw", "other", &["x int"], json!({}));
    place.sql("processed", "orders", "SELECT x AS id FROM other");
    let failure = place.process().unwrap_err();
    assert!(failure.message.contains("orders.sql: a processed file is made of one raw file of `orders`"), "{failure}");
}

//! From a sample file to built tables, with `landfall` alone.

use serde_json::Value;

use crate::desk::Desk;

#[test]
fn a_sample_becomes_a_table_of_files() {
    let desk = Desk::new();
    desk.write("orders_2024.csv", "id,total\n1,2.50\n2,3.25\n");
    let dry = desk.run(&["new-table", "orders_2024.csv", "--dry-run"]);
    assert_eq!(dry.status, Some(0), "{dry:?}");
    assert!(!desk.path("meta_data/raw/orders.json").exists());
    let made = desk.run(&["new-table", "orders_2024.csv"]);
    assert_eq!(made.status, Some(0), "{made:?}");
    desk.write("hist/orders/file_land_timestamp=7/orders_2024.csv", "id,total\n1,2.50\n2,3.25\n");
    let built = desk.run(&["tables", "--raw-hist", "hist", "--curated", "curated"]);
    assert_eq!(built.status, Some(0), "{built:?}");
    let answer: Value = serde_json::from_str(&built.out).unwrap();
    assert_eq!(answer["tables"][0]["rows"], 2, "{answer}");
    let verified = desk.run(&["verify", "--raw-hist", "hist", "--curated", "curated"]);
    assert_eq!(verified.status, Some(0), "{verified:?}");
    let definition = desk.run(&["define", "--table", "orders"]);
    assert_eq!(definition.status, Some(0), "{definition:?}");
    assert_eq!(serde_json::from_str::<Value>(&definition.out).unwrap()["TableInput"]["Name"], "orders");
    let unknown = desk.run(&["define", "--table", "order"]);
    assert_eq!((unknown.status, unknown.out.as_str()), (Some(2), ""), "{unknown:?}");
    assert!(unknown.err.contains("did you mean `orders`?"), "{unknown:?}");
}

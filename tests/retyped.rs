//! Columns whose type changes: of a curated table that keeps partitions, and of a raw table that keeps its history.

use serde_json::{Value, json};
use tests::{Options, Stack, gzip};

const SQL: &str = "SELECT n, day FROM visits";
const OF_DAY: &str = "SELECT n, day FROM visits WHERE day = CAST('${snapshot_date}' AS DATE)";
const TABLES: [(&str, &str); 4] = [
    ("whole", r"{}"),
    ("by_day", r#"{"partitions": ["day"], "mode": "partition"}"#),
    ("by_day_whole", r#"{"partitions": ["day"], "mode": "partition", "self_contained": true}"#),
    ("log", r#"{"partitions": ["day"], "mode": "append"}"#),
];

fn column(name: &str, column_type: &str) -> Value {
    json!({"name": name, "type": column_type, "description": ""})
}

/// The raw table, with the given description of `n`.
fn raw(n: Value) -> Value {
    json!({"name": "visits", "location": "visits", "data_format": "json", "columns": [n, column("day", "date")]})
}

/// A curated table whose `n` has the given type.
fn curated(name: &str, more: &str, n: &str) -> Value {
    let columns = json!([column("n", n), column("day", "date")]);
    let mut table = json!({"name": name, "location": name, "data_format": "parquet", "columns": columns});
    for (key, value) in serde_json::from_str::<Value>(more).unwrap().as_object().unwrap() {
        table[key] = value.clone();
    }
    table
}

struct World {
    stack: Stack,
    _metadata: tempfile::TempDir,
}

impl World {
    /// Deploys and publishes the tables of a first day, with `n` as an integer.
    async fn new(name: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| tests::write(folder.path(), path, text);
        let database = json!({"name": "retyped", "bucket": "b", "base_folder": "retyped", "description": "Retyped"});
        write("curated/database.json", &database.to_string());
        write("raw/visits.json", &raw(column("n", "long")).to_string());
        for (name, more) in TABLES {
            write(&format!("curated/{name}.json"), &curated(name, more, "long").to_string());
            write(&format!("curated/{name}.sql"), if more.contains("\"partition\"") { OF_DAY } else { SQL });
        }
        let stack = Stack::deploy(name, Options { metadata: Some(folder.path().into()), ..Options::default() }).await;
        let world = Self { stack, _metadata: folder };
        world.land(1, "7", "2026-11-24").await;
        for (table, _) in TABLES {
            world.publish(table, json!({"snapshot_date": "2026-11-24"})).await.unwrap();
        }
        world
    }

    async fn land(&self, at: u64, n: &str, day: &str) {
        let key = format!("open_data/postcodes_example/visits/file_land_timestamp={at}/visits_{at}.jsonl.gz");
        let row = format!("{{\"n\":{n},\"day\":\"{day}\"}}\n");
        self.stack.put_history(&key, gzip(&row)).await;
    }

    async fn publish(&self, table: &str, mut request: Value) -> Result<Value, (String, String)> {
        request["tables"] = json!([table]);
        let event = self.stack.invoke("curate", request).await?;
        self.stack.invoke("catalog", event).await
    }

    async fn rows(&self, table: &str) -> Vec<Vec<String>> {
        let sql = format!("SELECT n, CAST(day AS varchar) FROM {}.{table} ORDER BY day", self.stack.database());
        self.stack.query(&sql).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_column_of_another_type_is_never_beside_files_of_the_old_one() {
    let world = World::new("retyped").await;
    world.land(2, "8", "2026-11-25").await;
    for (table, more) in TABLES {
        let described = curated(table, more, "character").to_string();
        world.stack.describe(&format!("curated/{table}.json"), &described).await;
    }
    let today = json!({"snapshot_date": "2026-11-25"});
    let both = [["7", "2026-11-24"], ["8", "2026-11-25"]];
    for table in ["by_day", "by_day_whole"] {
        let (kind, message) = world.publish(table, today.clone()).await.unwrap_err();
        assert_eq!(kind, "BadMetadata", "{message}");
        let told =
            format!("table `{table}`, column `n`: string now, and bigint in the files of 1 partitions that stay");
        assert!(message.contains(&told) && message.contains("\"from_scratch\": true"), "{message}");
        // the published state is unchanged
        assert_eq!(world.rows(table).await, [both[0]], "{table}");
        // the way to change the type: from scratch, and then the other days
        world.publish(table, json!({"snapshot_date": "2026-11-25", "from_scratch": true})).await.unwrap();
        assert_eq!(world.rows(table).await, [both[1]], "{table}");
        world.publish(table, json!({"snapshot_date": "2026-11-24"})).await.unwrap();
        assert_eq!(world.rows(table).await, both, "{table}");
    }
    // these tables are built from scratch without being asked
    for table in ["whole", "log"] {
        world.publish(table, today.clone()).await.unwrap();
        assert_eq!(world.rows(table).await, both, "{table}");
    }
    for (table, _) in TABLES {
        let kind = world.stack.query(&format!("SELECT max(typeof(n)) FROM {}.{table}", world.stack.database())).await;
        assert!(kind[0][0].to_lowercase().starts_with("varchar"), "{table}: {kind:?}");
    }

    // built before its description changed, and published after: catalog checks too
    let event =
        world.stack.invoke("curate", json!({"tables": ["by_day"], "snapshot_date": "2026-11-25"})).await.unwrap();
    let (name, more) = TABLES[1];
    world.stack.describe("curated/by_day.json", &curated(name, more, "long").to_string()).await;
    let (kind, message) = world.stack.invoke("catalog", event).await.unwrap_err();
    assert_eq!(kind, "BadMetadata", "{message}");
    assert!(message.contains("column `n`: bigint now, and string in the files of 1 partitions"), "{message}");
    assert_eq!(world.rows("by_day").await, both);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_raw_column_of_another_type_has_a_history() {
    let world = World::new("retyped-raw").await;
    let stack = &world.stack;
    let describe = async |n: Value| {
        stack.describe("raw/visits.json", &raw(n).to_string()).await;
    };
    for (table, more) in TABLES {
        stack.describe(&format!("curated/{table}.json"), &curated(table, more, "character").to_string()).await;
    }
    // the supplier writes texts from file 10 on: without `earlier_types`, none of the files before it can be read
    describe(column("n", "character")).await;
    world.land(10, "\"A8\"", "2026-11-25").await;
    let today = json!({"snapshot_date": "2026-11-25"});
    let (kind, message) = world.publish("whole", today.clone()).await.unwrap_err();
    assert_eq!(kind, "BadData");
    for part in ["visits_1.jsonl.gz: line 1, column `n`: expected string", "found `7`", "earlier_types"] {
        assert!(message.contains(part), "{message}");
    }
    let mut n = column("n", "character");
    n["earlier_types"] = json!([{"before": 10, "type": "long"}]);
    describe(n.clone()).await;
    let both = [["7", "2026-11-24"], ["A8", "2026-11-25"]];
    for table in ["whole", "log"] {
        world.publish(table, today.clone()).await.unwrap();
        assert_eq!(world.rows(table).await, both, "{table}");
    }

    // a landing file is checked by the type of its time
    let key = |at: u64| format!("open_data/postcodes_example/visits/file_land_timestamp={at}/visits_{at}.jsonl.gz");
    for (at, value) in [(9, "9"), (11, "\"B\""), (8, "\"C\""), (12, "12")] {
        stack.land(&key(at), gzip(&format!("{{\"n\":{value},\"day\":\"2026-11-25\"}}\n"))).await;
    }
    stack.landed(4).await;
    let mut refused = stack.keys("quarantine").await;
    refused.retain(|key| key.ends_with(".jsonl.gz"));
    assert_eq!(refused, [key(12), key(8)]);
    world.publish("log", today.clone()).await.unwrap();
    let sum = format!("SELECT count(*), max(n), min(n) FROM {}.log", stack.database());
    assert_eq!(stack.query(&sum).await, [["4", "B", "7"]]);

    // a change of `earlier_types` changes rows that the table already has, so it is built from scratch
    n["earlier_types"] = json!([{"before": 10, "type": "double"}]);
    describe(n.clone()).await;
    world.publish("log", today.clone()).await.unwrap();
    assert_eq!(stack.query(&sum).await, [["4", "B", "7.0"]]);

    // a value that does not fit the current type stops the run, which reports its location
    let mut n = column("n", "long");
    n["earlier_types"] = json!([{"before": 12, "type": "character"}, {"before": 10, "type": "long"}]);
    describe(n).await;
    let (kind, message) = world.publish("whole", today).await.unwrap_err();
    assert_eq!(kind, "BadData");
    let told = "visits_10.jsonl.gz: line 1, column `n`: `\"A8\"` of string, which the column was by its `earlier_types`, \
                cannot become bigint";
    assert!(message.contains(told), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn partitions_by_other_columns_are_never_beside_the_old_ones() {
    let world = World::new("repartitioned").await;
    world.land(2, "8", "2026-11-25").await;
    let tables = ["by_day", "by_day_whole"];
    let by_n = |name: &str| {
        let more = TABLES.iter().find(|(table, _)| *table == name).unwrap().1.replace("[\"day\"]", "[\"n\"]");
        let mut table = curated(name, &more, "long");
        table["columns"].as_array_mut().unwrap().reverse();
        table
    };
    for table in tables {
        world.stack.describe(&format!("curated/{table}.json"), &by_n(table).to_string()).await;
        world.stack.describe(&format!("curated/{table}.sql"), &OF_DAY.replace("n, day", "day, n")).await;
    }
    let today = json!({"snapshot_date": "2026-11-25"});
    for table in tables {
        for dropped in [false, true] {
            if dropped {
                let drop = world.stack.glue.delete_table().database_name(world.stack.database()).name(table);
                drop.send().await.unwrap();
            }
            let (kind, message) = world.publish(table, today.clone()).await.unwrap_err();
            assert_eq!(kind, "BadMetadata", "{message}");
            assert!(message.contains(r#"by ["n"] now, and by ["day"] in the 1 that stay"#), "{message}");
        }
        let from_scratch = json!({"snapshot_date": "2026-11-25", "from_scratch": true});
        world.publish(table, from_scratch).await.unwrap();
        assert_eq!(world.rows(table).await, [["8", "2026-11-25"]], "{table}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollback_is_counted_by_the_partitions_of_then() {
    let world = World::new("counted").await;
    let described = |by: &str| {
        let more = json!({"partitions": [by]}).to_string();
        let mut table = curated("whole", &more, "long");
        if by == "n" {
            table["columns"].as_array_mut().unwrap().reverse();
        }
        table.to_string()
    };
    let drop = world.stack.glue.delete_table().database_name(world.stack.database()).name("whole");
    drop.send().await.unwrap();
    world.stack.describe("curated/whole.json", &described("day")).await;
    for at in [2, 3] {
        world.land(at, "8", "2026-11-25").await;
        world.publish("whole", json!({})).await.unwrap();
    }
    // described differently, but that description was never published
    world.stack.describe("curated/whole.json", &described("n")).await;
    world.stack.describe("curated/whole.sql", "SELECT day, n FROM visits").await;
    let (kind, message) = world.publish("whole", json!({})).await.unwrap_err();
    assert_eq!(kind, "Conflict", "{message}");
    world.stack.invoke("catalog", json!({"publish": "previous"})).await.unwrap();
    assert_eq!(world.rows("whole").await.len(), 2);
}

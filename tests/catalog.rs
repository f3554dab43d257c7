//! Publishing by hand: plans, rollback, dropping, recreating, expiry.

use std::collections::BTreeMap;

use aws_sdk_glue::types::{DatabaseInput, StorageDescriptor, TableInput};
use aws_sdk_s3::primitives::ByteStream;
use serde_json::{Value, json};
use tests::{Api, Options, Stack};

/// Deploys a pipeline that has published a run of 10 rows and one of 20. Returns the runs, the older one first.
async fn published_twice(name: &str, api: &Api) -> (Stack, [String; 2]) {
    let parameters = vec![("SourceOrigin", api.origin.clone())];
    let stack = Stack::deploy(name, Options { parameters, ..Options::default() }).await;
    stack.fire("2026-11-01T06:00:00Z").await;
    stack.settled(1).await;
    stack.fire("2026-11-02T06:00:00Z").await;
    stack.settled(2).await;
    let mut runs: Vec<String> = manifests(&stack).await.into_keys().collect();
    assert_eq!(runs.len(), 2);
    let newer = runs.pop().unwrap();
    (stack, [runs.pop().unwrap(), newer])
}

/// Returns the manifests' keys by run.
async fn manifests(stack: &Stack) -> BTreeMap<String, String> {
    let keys = stack.keys("curated").await.into_iter().filter(|key| key.contains("_manifests/"));
    keys.map(|key| (key.rsplit('/').next().unwrap().trim_end_matches(".json").to_owned(), key)).collect()
}

async fn counts(stack: &Stack) -> (u64, String) {
    let sum = stack.query(&format!("SELECT SUM(n) FROM {}.calculated", stack.database())).await;
    (stack.count("random_postcodes").await, sum[0][0].clone())
}

async fn location(stack: &Stack, table: &str) -> String {
    let found = stack.glue.get_table().database_name(stack.database()).name(table).send().await.unwrap();
    found.table().and_then(|table| table.storage_descriptor()).and_then(|s| s.location()).unwrap().to_owned()
}

fn lines(answer: &Value) -> Vec<String> {
    answer["plan"].as_array().unwrap().iter().map(|line| line.as_str().unwrap().to_owned()).collect()
}

fn actions(answer: &Value) -> Vec<&str> {
    answer["tables"].as_array().unwrap().iter().map(|table| table["action"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_taken_back_and_stays_away() {
    let api = Api::start(&[]);
    let (stack, [older, newer]) = published_twice("rollback", &api).await;
    assert_eq!(counts(&stack).await, (20, "20".into()));
    let answer = stack.invoke("catalog", json!({"publish": "previous"})).await.unwrap();
    assert_eq!((answer["run"].as_str(), actions(&answer)), (Some(older.as_str()), vec!["updated"; 2]));
    assert_eq!(counts(&stack).await, (10, "10".into()));

    // the newer run is not published if its event arrives again
    let key = &manifests(&stack).await[&newer];
    let event = json!({"run": newer, "manifest": {"bucket": stack.bucket("curated"), "key": key}});
    let answer = stack.invoke("catalog", event.clone()).await.unwrap();
    assert_eq!(actions(&answer), ["withdrawn"; 2]);
    assert_eq!(counts(&stack).await, (10, "10".into()));
    let (kind, message) = stack.invoke("catalog", json!({"publish": "previous"})).await.unwrap_err();
    assert_eq!(kind, "NotFound");
    assert!(message.contains(&format!("no older run than {older}")), "{message}");

    // nor after everything was recreated
    stack.invoke("catalog", json!({"recreate": true})).await.unwrap();
    assert_eq!(actions(&stack.invoke("catalog", event).await.unwrap()), ["withdrawn"; 2]);
    assert_eq!(counts(&stack).await, (10, "10".into()));

    // it is published again if it is named
    let answer = stack.invoke("catalog", json!({"publish": newer})).await.unwrap();
    assert_eq!(actions(&answer), ["updated"; 2]);
    assert_eq!(counts(&stack).await, (20, "20".into()));

    // after a rollback the next run is published as usual
    stack.invoke("catalog", json!({"publish": older})).await.unwrap();
    stack.fire("2026-11-03T06:00:00Z").await;
    stack.settled(3).await;
    assert_eq!(counts(&stack).await, (30, "30".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn partitions_come_back_as_they_were() {
    let api = Api::start(&[]);
    let (stack, [_, newer]) = published_twice("restored", &api).await;
    let calculated = "SELECT CAST(dea_snapshot_date AS varchar), SUM(n) FROM";
    let calculated = format!("{calculated} {}.calculated GROUP BY 1 ORDER BY 1", stack.database());
    let before = stack.query(&calculated).await;
    assert_eq!(before.len(), 1);
    // one run that adds a partition, and two that each replace one
    for date in ["2026-01-31", &before[0][0], "2026-01-31"] {
        let executions = stack.executions().await.len();
        let input = json!({"tables": ["calculated"], "snapshot_date": date});
        stack.start_execution(&input.to_string()).await;
        stack.settled(executions + 1).await;
    }
    assert_eq!(stack.query(&calculated).await.len(), 2);
    let third = manifests(&stack).await.into_keys().nth(2).unwrap();

    let answer = stack.invoke("catalog", json!({"publish": newer})).await.unwrap();
    assert!(lines(&answer).iter().any(|line| line == "  partitions: move here 1, remove 1"), "{answer}");
    assert_eq!(stack.query(&calculated).await, before);
    // including the partition that the run itself had not written
    stack.invoke("catalog", json!({"publish": third})).await.unwrap();
    let both = stack.query(&calculated).await;
    assert_eq!(both, [vec!["2026-01-31".into(), "20".into()], before[0].clone()]);
    let partitions = stack.glue.get_partitions().database_name(stack.database()).table_name("calculated").send().await;
    let runs: Vec<String> = partitions
        .unwrap()
        .partitions()
        .iter()
        .map(|partition| {
            let location = partition.storage_descriptor().and_then(|storage| storage.location()).unwrap();
            location.trim_end_matches('/').rsplit('/').nth(1).unwrap().to_owned()
        })
        .collect();
    assert_eq!(runs.iter().collect::<std::collections::BTreeSet<_>>(), [&newer, &third].into());

    // a run whose files are gone is not published
    for key in stack.keys("curated").await.iter().filter(|key| key.contains(&newer) && key.contains("calculated")) {
        stack.s3.delete_object().bucket(stack.bucket("curated")).key(key).send().await.unwrap();
    }
    let (kind, message) = stack.invoke("catalog", json!({"publish": newer})).await.unwrap_err();
    assert_eq!(kind, "NotFound");
    assert!(message.contains("of the files of table `calculated` are gone"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_changes_nothing_and_nothing_is_dropped_unasked() {
    let api = Api::start(&[]);
    let (stack, [older, newer]) = published_twice("planned", &api).await;
    let database = stack.database();
    let at = location(&stack, "random_postcodes").await;
    for (name, run) in [("obsolete", Some(newer.as_str())), ("foreign", None)] {
        let parameters = run.map(|run| [("landfall_run".to_owned(), run.to_owned())].into());
        let storage = StorageDescriptor::builder().location("s3://elsewhere/").build();
        let table = TableInput::builder().name(name).table_type("EXTERNAL_TABLE").storage_descriptor(storage);
        let table = table.set_parameters(parameters).build().unwrap();
        stack.glue.create_table().database_name(database).table_input(table).send().await.unwrap();
    }
    let plan = stack.invoke("catalog", json!({"publish": older, "plan_only": true, "drop": true})).await.unwrap();
    assert_eq!(plan["tables"], json!([]));
    let expected = [
        format!("database {database}: leave"),
        format!("table random_postcodes: flip from {at} to {}", at.replace(&newer, &older)),
        "table calculated: flip from".into(),
        "  partitions: move here 1".into(),
        "table obsolete: drop, the metadata does not describe it (its files stay)".into(),
        "table foreign: leave, it is not the pipeline's".into(),
    ];
    for (line, expected) in lines(&plan).iter().zip(&expected) {
        assert!(line.starts_with(expected.as_str()), "{line}");
    }
    assert_eq!(lines(&plan).len(), expected.len());
    assert_eq!(location(&stack, "random_postcodes").await, at);
    let tables = async || {
        let found = stack.glue.get_tables().database_name(database).send().await.unwrap();
        let mut names: Vec<String> = found.table_list().iter().map(|table| table.name().to_owned()).collect();
        names.sort();
        names
    };
    assert_eq!(tables().await, ["calculated", "foreign", "obsolete", "random_postcodes"]);

    let answer = stack.invoke("catalog", json!({"publish": "latest"})).await.unwrap();
    assert_eq!((actions(&answer), answer["dropped"].is_null()), (vec!["unchanged"; 2], true));
    assert_eq!(tables().await.len(), 4);
    let answer = stack.invoke("catalog", json!({"publish": "latest", "drop": true})).await.unwrap();
    assert_eq!(answer["dropped"], json!(["obsolete"]));
    assert_eq!(tables().await, ["calculated", "foreign", "random_postcodes"]);

    // recreated around another owner's table
    let answer = stack.invoke("catalog", json!({"recreate": true})).await.unwrap();
    assert_eq!(actions(&answer), ["created"; 2]);
    assert_eq!(lines(&answer)[0], format!("database {database}: leave, as others have tables in it"));
    assert_eq!(tables().await, ["calculated", "foreign", "random_postcodes"]);
    assert_eq!(counts(&stack).await, (20, "20".into()));
    // recreated completely
    stack.glue.delete_table().database_name(database).name("foreign").send().await.unwrap();
    let answer = stack.invoke("catalog", json!({"recreate": true})).await.unwrap();
    assert_eq!(lines(&answer)[0], format!("database {database}: delete and create"));
    assert_eq!(counts(&stack).await, (20, "20".into()));
    // recreated even after somebody else has deleted everything
    stack.glue.delete_database().name(database).send().await.unwrap();
    stack.invoke("catalog", json!({"recreate": true})).await.unwrap();
    assert_eq!(counts(&stack).await, (20, "20".into()));

    for (event, kind, part) in [
        (json!({"publish": "20201231"}), "BadInput", "expected a run such as"),
        (json!({"publish": "20200101T000000000Z-aaaa"}), "NotFound", "was not finished, or has expired"),
        (json!({}), "BadInput", "expected curate's answer"),
    ] {
        let (found, message) = stack.invoke("catalog", event).await.unwrap_err();
        assert_eq!(found, kind);
        assert!(message.contains(part), "{message}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_earlier_version_has_published_is_taken_over() {
    let api = Api::start(&[]);
    let (stack, runs) = published_twice("adopted", &api).await;
    // as an older version left it: an entry for each run, and no decision
    let folder = "database/_publications/";
    let bucket = stack.bucket("curated");
    let mut entries = Vec::new();
    for key in stack.keys("curated").await.into_iter().filter(|key| key.starts_with(folder)) {
        entries.push(stack.read_json("curated", &key).await);
        stack.s3.delete_object().bucket(&bucket).key(key).send().await.unwrap();
    }
    assert_eq!(entries.len(), 2);
    for (n, run) in (1..).zip(&runs) {
        let entry = entries.iter().find(|entry| entry["run"] == **run).unwrap();
        let tables = entry["tables"].as_array().unwrap().iter().map(|table| {
            let known = ["table", "location", "rows", "partitions", "definition"];
            known.map(|name| (name.to_owned(), table[name].clone())).into_iter().collect::<serde_json::Value>()
        });
        let entry = json!({"at": entry["at"], "run": run, "tables": tables.collect::<Vec<_>>()});
        let put = stack.s3.put_object().bucket(&bucket).key(format!("{folder}2026110{n}T060000000Z_{run}.json"));
        put.body(ByteStream::from(entry.to_string().into_bytes())).send().await.unwrap();
    }

    // the event of the published run again, then the next run
    let key = &manifests(&stack).await[&runs[1]];
    let event = json!({"run": runs[1], "manifest": {"bucket": bucket, "key": key}});
    assert_eq!(actions(&stack.invoke("catalog", event).await.unwrap()), ["unchanged"; 2]);
    for key in stack.keys("curated").await.into_iter().filter(|key| key.ends_with("current.json")) {
        stack.s3.delete_object().bucket(&bucket).key(key).send().await.unwrap();
    }
    stack.fire("2026-11-03T06:00:00Z").await;
    stack.settled(3).await;
    assert_eq!(counts(&stack).await, (30, "30".into()));
    stack.invoke("catalog", json!({"publish": "previous"})).await.unwrap();
    assert_eq!(counts(&stack).await, (20, "20".into()));
    stack.invoke("catalog", json!({"publish": "previous"})).await.unwrap();
    assert_eq!(counts(&stack).await, (10, "10".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_has_seen_for_a_week_goes() {
    let api = Api::start(&[]);
    let (stack, runs) = published_twice("expire", &api).await;
    let put = async |key: &str, text: String| {
        let put = stack.s3.put_object().bucket(stack.bucket("curated")).key(key);
        put.body(ByteStream::from(text.into_bytes())).send().await.unwrap();
    };
    let run = |n: u8| format!("2020010{n}T000000000Z-aaaa");
    let file = |n: u8| format!("database/random_postcodes/{}/data-part-0.parquet", run(n));
    let manifest = |n: u8| format!("database/_manifests/{}.json", run(n));
    for n in 1..=5 {
        put(&file(n), "x".into()).await;
        put(&manifest(n), "{}".into()).await;
    }
    // run 2 was published in 2020, and run 3 was published until yesterday
    let definition = json!({"Name": "random_postcodes"});
    let entry = |n: u8, at: &str| {
        let location = format!("s3://{}/database/random_postcodes/{}/", stack.bucket("curated"), run(n));
        let table = json!({"table": "random_postcodes", "location": location, "rows": 1, "partitions": [],
            "definition": definition});
        json!({"at": at, "run": run(n), "tables": [table]}).to_string()
    };
    let yesterday = "SELECT date_format(current_timestamp - INTERVAL '1' DAY, '%Y%m%dT%H%i%S000Z')";
    let yesterday = &stack.query(yesterday).await[0][0];
    let entry_of = |at: &str, n: u8| format!("database/_publications/{at}_{}.json", run(n));
    put(&entry_of("20200102T000000000Z", 2), entry(2, "2020-01-02T00:00:00Z")).await;
    put(&entry_of("20200103T000000000Z", 3), entry(3, "2020-01-03T00:00:00Z")).await;
    put(&entry_of(yesterday, 4), entry(4, "yesterday")).await;
    // run 5 was never published, but somebody has made a table from it
    let storage = StorageDescriptor::builder().location(format!("s3://{}/{}", stack.bucket("curated"), file(5)));
    let table = TableInput::builder().name("mine").storage_descriptor(storage.build()).build().unwrap();
    stack.glue.create_table().database_name(stack.database()).table_input(table).send().await.unwrap();

    let would_go = [1, 2].map(|n| {
        let location = format!("s3://{}/database/random_postcodes/{}/", stack.bucket("curated"), run(n));
        json!({"location": location, "objects": 1, "bytes": 1})
    });
    let before = stack.keys("curated").await;
    let answer = stack.invoke("catalog", json!({"expire": true, "dry_run": true})).await.unwrap();
    assert_eq!((&answer["expired"], answer["kept"].as_u64()), (&json!(would_go), Some(7)), "{answer}");
    assert_eq!(stack.keys("curated").await, before);

    // the schedule expires them
    stack.fire_schedule("expire", json!({})).await;
    let gone = [file(1), manifest(1), file(2), manifest(2), entry_of("20200102T000000000Z", 2)];
    let left: Vec<String> = before.into_iter().filter(|key| !gone.contains(key)).collect();
    stack
        .eventually("only what has expired is gone", async || (stack.keys("curated").await == left).then_some(()))
        .await;
    assert_eq!(counts(&stack).await, (20, "20".into()));
    // a kept run can be published again
    stack.invoke("catalog", json!({"publish": runs[0]})).await.unwrap();
    assert_eq!(counts(&stack).await, (10, "10".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_others_is_not_touched() {
    let api = Api::start(&[]);
    let parameters = vec![("SourceOrigin", api.origin.clone())];
    let stack = Stack::deploy("shared", Options { parameters, ..Options::default() }).await;
    let database = DatabaseInput::builder().name(stack.database()).description("ours").build().unwrap();
    stack.glue.create_database().database_input(database).send().await.unwrap();
    stack.fire("2026-11-01T06:00:00Z").await;
    stack.settled(1).await;
    let found = stack.glue.get_database().name(stack.database()).send().await.unwrap();
    assert_eq!(found.database().and_then(|database| database.description()), Some("ours"));
    assert_eq!(counts(&stack).await, (10, "10".into()));
}

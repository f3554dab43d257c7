//! Publications, rollbacks and expiry at the same time. Each invocation is held at one of its calls while another one
//! runs to its end. Afterwards every table matches one decision and holds each of its rows once.

use std::collections::HashMap;

use aws_sdk_lambda::types::Environment;
use serde_json::{Value, json};
use tests::{Options, Stack, gzip};

/// The curated tables. All hold the same rows: `whole` and `log` have a partition for each day, and runs append to
/// `log`.
const TABLES: [&str; 3] = ["whole", "log", "flat"];

/// Metadata of three tables of the same rows: with partitions, with appending runs, and without partitions.
fn metadata() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| tests::write(folder.path(), path, text);
    let column = |name: &str| json!({"name": name, "type": "long", "description": ""});
    let table = |name: &str, format: &str| json!({"name": name, "location": name, "data_format": format, "columns": [column("n"), column("day")]});
    let database = json!({"name": "overlap", "bucket": "b", "base_folder": "overlap", "description": "Overlap"});
    write("curated/database.json", &database.to_string());
    write("raw/visits.json", &table("visits", "json").to_string());
    for name in TABLES {
        let mut table = table(name, "parquet");
        if name != "flat" {
            table["partitions"] = json!(["day"]);
        }
        if name == "log" {
            table["mode"] = "append".into();
        }
        write(&format!("curated/{name}.json"), &table.to_string());
        write(&format!("curated/{name}.sql"), "SELECT n, day FROM visits");
    }
    folder
}

fn key(file: u64) -> String {
    format!("open_data/postcodes_example/visits/file_land_timestamp={file}/visits_{file}.jsonl.gz")
}

struct World {
    stack: Stack,
    _metadata: tempfile::TempDir,
}

impl World {
    /// Deploys a pipeline and publishes a row for each of two days.
    async fn new(name: &str) -> Self {
        let world = Self::unpublished(name).await;
        world.publish(world.build(json!({})).await).await.unwrap();
        world
    }

    /// Deploys a pipeline that has a row for each of two days in raw-hist and has published nothing.
    async fn unpublished(name: &str) -> Self {
        let metadata = metadata();
        let options = Options { metadata: Some(metadata.path().to_owned()), ..Options::default() };
        let world = Self { stack: Stack::deploy(name, options).await, _metadata: metadata };
        world.land(1, &[1, 2]).await;
        world
    }

    /// Adds a file to raw-hist that has a row for each of these days.
    async fn land(&self, file: u64, days: &[u64]) {
        let rows: String = days.iter().map(|day| format!("{{\"n\":{file},\"day\":{day}}}\n")).collect();
        self.stack.put_history(&key(file), gzip(&rows)).await;
    }

    async fn build(&self, request: Value) -> Value {
        self.stack.invoke("curate", request).await.unwrap()
    }

    async fn publish(&self, event: Value) -> Result<Value, (String, String)> {
        self.stack.invoke("catalog", event).await
    }

    /// Counts the rows of each table.
    async fn counts(&self) -> [u64; 3] {
        let mut counts = [0; 3];
        for (count, table) in counts.iter_mut().zip(TABLES) {
            *count = self.stack.count(table).await;
        }
        counts
    }

    /// Returns the decision. Panics if Glue differs from it.
    async fn decision(&self) -> Value {
        let decision = self.stack.read_json("curated", "overlap/_publications/current.json").await;
        assert_eq!(decision["settled"], true, "{decision}");
        for table in decision["tables"].as_array().unwrap() {
            let name = table["table"].as_str().unwrap();
            let found =
                self.stack.glue.get_table().database_name(self.stack.database()).name(name).send().await.unwrap();
            let location = found.table().and_then(|table| table.storage_descriptor()).and_then(|s| s.location());
            let of_run = table["location"].as_str().unwrap();
            let partitions = table["partitions"].as_array().unwrap();
            let holds_all = partitions.iter().all(|one| one["location"].as_str().unwrap().starts_with(of_run));
            let of_several = contract::of_several_runs(of_run);
            assert_eq!(location.unwrap(), if holds_all { of_run } else { &of_several }, "{name}");
            let found = self.stack.glue.get_partitions().database_name(self.stack.database()).table_name(name);
            let found = found.send().await.unwrap();
            let at = |location: Option<&str>| location.unwrap().trim_end_matches('/').to_owned();
            let mut registered: Vec<String> = found
                .partitions()
                .iter()
                .map(|partition| at(partition.storage_descriptor().and_then(|storage| storage.location())))
                .collect();
            let decided = table["partitions"].as_array().unwrap().iter();
            let mut decided: Vec<String> = decided.map(|partition| at(partition["location"].as_str())).collect();
            registered.sort();
            decided.sort();
            assert_eq!(registered, decided, "{name}");
        }
        decision
    }
}

fn actions(answer: &Value) -> Vec<&str> {
    answer["tables"].as_array().unwrap().iter().map(|table| table["action"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_whose_base_was_taken_back_is_built_again() {
    let world = World::new("stale").await;
    world.land(2, &[2; 5]).await;
    let second = world.build(json!({})).await;
    world.publish(second.clone()).await.unwrap();
    world.land(3, &[1; 7]).await;
    let third = world.build(json!({})).await;
    world.publish(json!({"publish": "previous"})).await.unwrap();
    assert_eq!(world.counts().await, [2; 3]);

    let (kind, message) = world.publish(third).await.unwrap_err();
    assert_eq!(kind, "Stale", "{message}");
    assert!(message.contains("table `log`: the run adds to run"), "{message}");
    assert_eq!(world.counts().await, [2; 3], "no table of it is published");
    world.publish(world.build(json!({})).await).await.unwrap();
    assert_eq!(world.counts().await, [14; 3]);

    // the state machine rebuilds a stale run itself: here somebody has pointed the table elsewhere, and curate builds
    // on that
    world.land(4, &[1]).await;
    let glue = &world.stack.glue;
    let found = glue.get_table().database_name(world.stack.database()).name("log").send().await.unwrap();
    let table = found.table().unwrap();
    let mut storage = table.storage_descriptor().unwrap().clone();
    storage.location =
        Some(storage.location().unwrap().replace(&run_of(&world).await, second["run"].as_str().unwrap()));
    let input = aws_sdk_glue::types::TableInput::builder().name("log").table_type("EXTERNAL_TABLE");
    let input = input.storage_descriptor(storage).set_partition_keys(table.partition_keys.clone());
    let input = input.set_parameters(table.parameters.clone()).build().unwrap();
    glue.update_table().database_name(world.stack.database()).table_input(input).send().await.unwrap();
    world.stack.start_execution("{}").await;
    let ends = world.stack.settled(1).await;
    assert_eq!(ends[0].1, "SUCCEEDED", "{}", world.stack.logs());
    assert_eq!(world.counts().await, [15; 3]);
    world.decision().await;
}

/// Returns the id of the published run.
async fn run_of(world: &World) -> String {
    world.stack.read_json("curated", "overlap/_publications/current.json").await["run"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_built_from_scratch_is_all_of_the_table() {
    let world = World::new("scratch").await;
    let head = world.stack.s3.head_object().bucket(world.stack.bucket("raw-hist")).key(key(1)).send().await.unwrap();
    let as_of = head.last_modified().unwrap().secs();
    // S3 reports the time of a write to the second
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    world.land(2, &[3, 3]).await;
    world.publish(world.build(json!({})).await).await.unwrap();
    assert_eq!(world.counts().await, [4; 3]);
    world.publish(world.build(json!({"as_of": as_of})).await).await.unwrap();
    assert_eq!(world.counts().await, [2; 3]);
    world.publish(world.build(json!({"from_scratch": true})).await).await.unwrap();
    assert_eq!(world.counts().await, [4; 3]);
    world.decision().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_run_that_is_slow_ends_at_the_newer_one() {
    let world = World::new("slow").await;
    let mut rows = 2;
    for (n, place) in (2..).step_by(2).zip([
        ("UpdateTable", 1),
        ("UpdateTable", 3),
        ("BatchUpdatePartition", 1),
        ("BatchUpdatePartition", 2),
        ("StartQueryExecution", 1),
        // writing the decision
        ("PutObject", 1),
        ("PutObject", 2),
        ("PutObject", 3),
    ]) {
        world.land(n, &[1, 2]).await;
        let older = world.build(json!({"from_scratch": true})).await;
        world.land(n + 1, &[1, 2]).await;
        let newer = world.build(json!({"from_scratch": true})).await;
        rows += 4;
        let (older, newer) = world.stack.held("catalog", older, place, world.publish(newer)).await;
        assert_eq!(actions(&newer.unwrap()), ["updated"; 3], "{place:?}");
        assert_eq!(actions(&older.unwrap()), ["superseded"; 3], "{place:?}");
        assert_eq!(world.counts().await, [rows; 3], "{place:?}");
        world.decision().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollback_and_a_run_at_once_end_at_one_of_them() {
    let world = World::new("torn").await;
    let mut rows = 2;
    for (n, place) in (2..).zip([
        ("UpdateTable", 1),
        ("UpdateTable", 2),
        ("BatchUpdatePartition", 1),
        ("StartQueryExecution", 2),
        ("PutObject", 3),
    ]) {
        // the run is decided but slow; the rollback overtakes it
        world.land(n, &[1, 2]).await;
        let event = world.build(json!({"from_scratch": true})).await;
        let back = world.publish(json!({"publish": "previous"}));
        let (answer, back) = world.stack.held("catalog", event.clone(), place, back).await;
        // the tables that the run had not changed in Glue yet are unchanged
        let told = actions(&back.unwrap()).iter().all(|action| ["updated", "unchanged"].contains(action));
        assert!(told, "{place:?}");
        assert_eq!(actions(&answer.unwrap()), ["superseded"; 3], "{place:?}");
        assert_eq!(world.counts().await, [rows; 3], "{place:?}");
        world.decision().await;
        // the run is not published if its event arrives again
        assert_eq!(actions(&world.publish(event).await.unwrap()), ["withdrawn"; 3], "{place:?}");

        // the rollback is decided but slow; the next run overtakes it
        world.publish(world.build(json!({"from_scratch": true})).await).await.unwrap();
        let event = world.build(json!({"from_scratch": true})).await;
        let (back, answer) =
            world.stack.held("catalog", json!({"publish": "previous"}), place, world.publish(event)).await;
        rows += 2;
        assert_eq!(actions(&answer.unwrap()), ["updated"; 3], "{place:?}");
        assert_eq!(actions(&back.unwrap()), ["superseded"; 3], "{place:?}");
        assert_eq!(world.counts().await, [rows; 3], "{place:?}");
        world.decision().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_died_after_it_was_decided_is_brought_in_line_by_whoever_comes() {
    let world = World::new("died").await;
    let mut rows = 2;
    for (n, (operation, at_call)) in (2..).zip([
        // writing the decision
        ("PutObject", 2),
        ("UpdateTable", 2),
        ("BatchUpdatePartition", 1),
        ("StartQueryExecution", 1),
    ]) {
        world.land(n, &[1, 2]).await;
        rows += 2;
        let event = world.build(json!({"from_scratch": true})).await;
        world.stack.crash("catalog", json!({"operation": operation, "at_call": at_call, "when": "after"})).await;
        let (kind, _) = world.publish(event).await.unwrap_err();
        assert_eq!(kind, "Runtime.ExitError", "{operation}");
        // nobody retries; a run of one table comes next
        let flat = world.build(json!({"tables": ["flat"]})).await;
        assert_eq!(world.publish(flat).await.unwrap()["tables"].as_array().unwrap().len(), 1);
        assert_eq!(world.counts().await, [rows; 3], "{operation}");
        world.decision().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_before_anything_was_published_is_taken_back_each_time() {
    let world = World::unpublished("unpublished").await;
    let key = |event: &Value| event["manifest"]["key"].as_str().unwrap().to_owned();
    let tables = async || {
        let found = world.stack.glue.get_tables().database_name(world.stack.database()).send().await.unwrap();
        found.table_list().len()
    };
    for dies in [false, true] {
        let event = world.build(json!({})).await;
        let mut manifest = world.stack.read_json("curated", &key(&event)).await;
        for table in manifest["tables"].as_array_mut().unwrap() {
            table["rows"] = 9.into();
        }
        let put = world.stack.s3.put_object().bucket(world.stack.bucket("curated")).key(key(&event));
        put.body(manifest.to_string().into_bytes().into()).send().await.unwrap();
        if dies {
            // the decision is made, by an earlier invocation than the one that finds the fault
            let crash = json!({"operation": "CreateTable", "at_call": 1, "when": "after"});
            world.stack.crash("catalog", crash).await;
            assert_eq!(world.publish(event.clone()).await.unwrap_err().0, "Runtime.ExitError");
        }
        let (kind, message) = world.publish(event).await.unwrap_err();
        assert_eq!(kind, "BadData", "{message}");
        assert!(message.contains("what was published before is back in place"), "{message}");
        assert_eq!((tables().await, world.decision().await["tables"].clone()), (0, json!([])), "{dies}");
    }
    world.publish(world.build(json!({})).await).await.unwrap();
    assert_eq!(world.counts().await, [2; 3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn previous_is_what_was_shown_before_of_all_tables() {
    let world = World::new("positions").await;
    world.land(2, &[1]).await;
    world.publish(world.build(json!({"tables": ["whole"]})).await).await.unwrap();
    world.land(3, &[1]).await;
    world.publish(world.build(json!({})).await).await.unwrap();
    assert_eq!(world.counts().await, [4; 3]);
    world.publish(json!({"publish": "previous"})).await.unwrap();
    assert_eq!(world.counts().await, [3, 2, 2]);
    world.publish(json!({"publish": "previous"})).await.unwrap();
    assert_eq!(world.counts().await, [2; 3]);
    world.publish(json!({"publish": "latest"})).await.unwrap();
    assert_eq!(world.counts().await, [4; 3]);

    // if the decision cannot be written, nothing is published
    world.land(4, &[1]).await;
    let event = world.build(json!({})).await;
    let refused = json!({"operation": "PutObject", "error": "AccessDenied", "status": 403});
    world.stack.fault("catalog", refused).await;
    world.publish(event.clone()).await.unwrap_err();
    assert_eq!(world.counts().await, [4; 3]);
    world.publish(event).await.unwrap();
    assert_eq!(world.counts().await, [5; 3]);
    world.decision().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_pointed_at_what_expires() {
    let world = World::new("expiring").await;
    let first = run_of(&world).await;
    for n in 2..4 {
        world.land(n, &[1]).await;
        world.publish(world.build(json!({})).await).await.unwrap();
    }
    // the appended table has nothing new, so its run has no file of its own
    world.publish(world.build(json!({"tables": ["log"]})).await).await.unwrap();
    keep_no_runs(&world.stack).await;
    let back = world.publish(json!({"publish": first}));
    let (expired, back) = world.stack.held("catalog", json!({"expire": true}), ("DeleteObject", 1), back).await;
    assert!(!expired.unwrap()["expired"].as_array().unwrap().is_empty());
    let (kind, message) = back.unwrap_err();
    assert_eq!((kind.as_str(), message.contains("has expired")), ("NotFound", true), "{message}");
    assert_eq!(world.counts().await, [4; 3]);
    world.decision().await;

    // the other way round: a run that was published again is no longer a candidate for expiry
    world.publish(json!({"recreate": true})).await.unwrap();
    world.publish(world.build(json!({"from_scratch": true})).await).await.unwrap();
    let candidate = run_of(&world).await;
    for n in 4..6 {
        world.land(n, &[1]).await;
        world.publish(world.build(json!({"from_scratch": true})).await).await.unwrap();
    }
    let back = world.publish(json!({"publish": candidate}));
    let (_, back) = world.stack.held("catalog", json!({"expire": true}), ("PutObject", 1), back).await;
    back.unwrap();
    assert_eq!(world.counts().await, [4; 3]);
    world.publish(world.build(json!({})).await).await.unwrap();
    assert_eq!(world.counts().await, [6; 3]);
    world.decision().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_comes_after_all_others_is_put_right() {
    let world = World::new("late").await;
    world.land(2, &[1, 2]).await;
    let older = world.build(json!({"from_scratch": true})).await;
    world.land(3, &[1, 2]).await;
    let newer = world.build(json!({"from_scratch": true})).await;
    // the client gives up the call and repeats it: everything else is done long before the call takes effect
    let hold = json!({"operation": "BatchUpdatePartition", "at_call": 1, "when": "hold"});
    world.stack.crash("catalog", hold).await;
    world.publish(older).await.unwrap();
    world.publish(newer).await.unwrap();
    assert_eq!(world.counts().await, [6; 3]);
    world.stack.go_on("catalog").await;
    world.stack.eventually("the late call", async || (world.counts().await != [6; 3]).then_some(())).await;

    world.stack.fire_schedule("expire", json!({})).await;
    world.stack.eventually("the tables are in line", async || (world.counts().await == [6; 3]).then_some(())).await;
    world.decision().await;
}

/// Makes runs expire at once.
async fn keep_no_runs(stack: &Stack) {
    let name = stack.function("catalog");
    let settings = stack.lambda.get_function_configuration().function_name(&name).send().await.unwrap();
    let variables = settings.environment().and_then(|environment| environment.variables()).unwrap().clone();
    let keep: HashMap<String, String> = [("KEEP_RUNS_DAYS".into(), "0".into())].into();
    let environment = Environment::builder().set_variables(Some(variables.into_iter().chain(keep).collect()));
    let change = stack.lambda.update_function_configuration().function_name(&name).environment(environment.build());
    change.send().await.unwrap();
}

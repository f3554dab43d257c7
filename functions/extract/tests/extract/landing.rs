use std::collections::BTreeMap;
use std::io::Read as _;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use boot::Invocation;
use contract::message::{ExtractRequest, ExtractResponse};
use contract::{Checks, DataFormat, Database, Failure, FailureKind, MetaData, Mode, Table};
use extract::App;
use extract::api::Api;
use extract::config::Settings;
use fake_aws::{Aws, Fault};
use flate2::read::GzDecoder;
use serde_json::{Value, json};
use store::Store;

use crate::server::{Reply, Server};

struct World {
    aws: Aws,
    source: Server,
    app: App,
}

impl World {
    async fn new(source: Value, answer: impl Fn(usize) -> Reply + Send + Sync + 'static) -> Self {
        let aws = Aws::start().await;
        let server = Server::start(move |asked| answer(asked.number)).await;
        let mut whole = json!({
            "url": "https://source.example/t", "records": "/result", "index_column": "index", "attempts": 1,
            "requests_per_second": 100_000,
        });
        for (key, value) in source.as_object().expect("an object") {
            whole[key] = value.clone();
        }
        let settings = Settings {
            base_folder: "base".into(),
            land_bucket: "land".into(),
            raw_hist_bucket: "raw-hist".into(),
            source_origin: Some(server.origin.clone()),
        };
        let app = App {
            settings,
            metadata: metadata(serde_json::from_value(whole).expect("a source")),
            store: Store::new(&aws.config().await),
            api: Api::new().expect("a client"),
        };
        Self { aws, source: server, app }
    }

    async fn extract(&self) -> Result<ExtractResponse, Failure> {
        self.extract_within(60).await
    }

    async fn extract_within(&self, seconds: u64) -> Result<ExtractResponse, Failure> {
        let request = ExtractRequest { scheduled_time: Some("1970-01-01T00:00:07Z".into()), ..Default::default() };
        let deadline = SystemTime::now() + Duration::from_secs(seconds);
        self.app.extract(request, &Invocation { request_id: "r".into(), deadline }).await
    }

    /// Every object, as `bucket/key`.
    fn objects(&self) -> Vec<String> {
        self.aws.account().inventory().into_iter().map(|(place, _)| place).collect()
    }

    /// The steps of one operation, by the file that they were about.
    fn done(&self, operation: &str) -> Vec<String> {
        let places = self.aws.account().done_of(operation);
        places.iter().filter_map(|place| place.rsplit('/').next()).map(str::to_owned).collect()
    }

    fn rows(&self) -> Vec<Value> {
        let account = self.aws.account();
        let mut text = String::new();
        for key in account.keys("land") {
            let object = account.read("land", &key).expect("an object");
            GzDecoder::new(&object[..]).read_to_string(&mut text).expect("gzip");
        }
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }

    /// Nothing is to be seen, and nothing is left behind.
    fn assert_nothing_landed(&self) {
        assert_eq!(self.objects(), Vec::<String>::new());
        assert_eq!(self.aws.account().uploads(), Vec::<String>::new());
    }
}

fn metadata(source: contract::Source) -> MetaData {
    let table = Table {
        file: "meta_data/raw/t.json".into(),
        dialect: contract::Dialect::EtlManager,
        name: "t".into(),
        description: String::new(),
        location: "t".into(),
        data_format: DataFormat::Json,
        columns: Vec::new(),
        partitions: Vec::new(),
        primary_key: Vec::new(),
        glue_specific: Value::Null,
        checks: Checks::default(),
        source: Some(source),
        copy_to_raw: false,
        delete_raw: false,
        read_from: Default::default(),
        lines: false,
        compression: Default::default(),
        mode: Mode::Rebuild,
        partition_projection: false,
        sql: None,
    };
    let database =
        Database { name: "d".into(), bucket: "b".into(), base_folder: "f".into(), description: String::new() };
    let raw = [("t".into(), table)].into();
    let (processed, curated) = (BTreeMap::new(), BTreeMap::new());
    MetaData { database, raw_database: None, raw, processed, curated, sha256: String::new() }
}

/// A record whose text gzip makes little of: about 3/4 of `bytes` remain.
fn noise(n: usize, bytes: usize) -> Reply {
    let mut seed = n as u64 + 1;
    let text: String = (0..bytes)
        .map(|_| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            char::from(b'0' + (seed >> 58) as u8)
        })
        .map(|c| if c == '\\' { 'z' } else { c })
        .collect();
    Reply::new(200, json!({"result": {"n": n, "text": text}}).to_string())
}

const PREFIX: &str = "base/t/file_land_timestamp=7";

fn files(response: &ExtractResponse) -> Vec<(&str, u64)> {
    response.files.iter().map(|file| (file.key.rsplit('/').next().unwrap_or_default(), file.rows)).collect()
}

fn indexes(rows: &[Value]) -> Vec<u64> {
    rows.iter().map(|row| row["index"].as_u64().expect("an index")).collect()
}

#[tokio::test]
async fn a_small_extract_is_one_object_and_always_the_same_bytes() {
    let mut bodies = Vec::new();
    for _ in 0..2 {
        // the same for each request: in which order they come to the server is chance
        let world = World::new(json!({"requests": 25}), |_| noise(7, 10)).await;
        let response = world.extract().await.unwrap();
        assert_eq!((response.rows, response.file_land_timestamp, response.already_extracted), (25, 7, false));
        assert_eq!(files(&response), [("t_7.jsonl.gz", 25)]);
        let key = format!("{PREFIX}/t_7.jsonl.gz");
        assert_eq!(world.objects(), [format!("land/{key}")]);
        assert_eq!(indexes(&world.rows()), (0..25).collect::<Vec<_>>());
        assert!(world.done("create").is_empty());
        let body = world.aws.account().read("land", &key).unwrap();
        assert_eq!((body.len() as u64, response.files[0].bytes), (response.bytes, response.bytes));
        assert_eq!(body[4..8], [0; 4], "no time in the header");
        bodies.push(body);
    }
    assert_eq!(bodies[0], bodies[1]);
}

#[tokio::test]
async fn chunks_appear_together_at_the_end_and_chunk_0_last() {
    let source = json!({"requests": 50, "maximum_file_bytes": 300_000});
    let world = World::new(source, |n| noise(n, 20_000)).await;
    let response = world.extract().await.unwrap();
    let names: Vec<String> = (0..response.files.len()).map(|n| format!("t_{n}_7.jsonl.gz")).collect();
    assert!(names.len() > 2, "{names:?}");
    assert_eq!(files(&response).iter().map(|(name, _)| *name).collect::<Vec<_>>(), names);
    assert_eq!(files(&response).iter().map(|(_, rows)| rows).sum::<u64>(), 50);
    assert!(
        response.files[..names.len() - 1].iter().all(|f| (300_000..400_000).contains(&f.bytes)),
        "{:?}",
        response.files
    );
    assert_eq!(indexes(&world.rows()), (0..50).collect::<Vec<_>>());

    let last_first: Vec<String> = names.iter().rev().cloned().collect();
    assert_eq!(world.done("complete"), last_first);
    let done = world.aws.account().done.clone();
    let first_complete = done.iter().position(|step| step.starts_with("complete")).unwrap();
    assert!(done[first_complete..].iter().all(|step| step.starts_with("complete")), "{done:?}");
    assert_eq!(world.done("put"), Vec::<String>::new());
}

#[tokio::test]
async fn a_file_that_is_just_full_has_no_empty_chunk_after_it() {
    // one row fills the file, and no more come
    let world = World::new(json!({"requests": 1, "maximum_file_bytes": 10_000}), |n| noise(n, 200_000)).await;
    assert_eq!(files(&world.extract().await.unwrap()), [("t_7.jsonl.gz", 1)]);
}

#[tokio::test]
async fn what_does_not_fit_in_a_part_goes_up_while_rows_come_in() {
    let world = World::new(json!({"requests": 28}), |n| noise(n, 500_000)).await;
    let response = world.extract().await.unwrap();
    assert_eq!(files(&response), [("t_0_7.jsonl.gz", 28)]);
    assert!(response.bytes > 8 << 20);
    assert_eq!(world.done("part").len(), 2);
    assert_eq!(indexes(&world.rows()), (0..28).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_time_is_extracted_once() {
    for found in
        ["land/{}/t_7.jsonl.gz", "land/{}/t_0_7.jsonl.gz", "raw-hist/{}/t_7.jsonl.gz", "raw-hist/{}/t_0_7.jsonl.gz"]
    {
        let world = World::new(json!({"requests": 3}), |n| noise(n, 10)).await;
        let (bucket, key) = found.split_once('/').unwrap();
        world.aws.account().put(bucket, &key.replace("{}", PREFIX), "");
        let response = world.extract().await.unwrap();
        assert!(response.already_extracted && response.files.is_empty() && response.rows == 0);
        assert_eq!((world.source.asked().len(), world.objects().len()), (0, 1), "{found}");
    }
}

#[tokio::test]
async fn what_an_attempt_left_without_chunk_0_is_no_extract() {
    let world = World::new(json!({"requests": 3}), |n| noise(n, 10)).await;
    world.aws.account().put("land", &format!("{PREFIX}/t_1_7.jsonl.gz"), "");
    world.aws.account().put("land", "base/t/file_land_timestamp=77/t_0_77.jsonl.gz", "");
    assert!(!world.extract().await.unwrap().already_extracted);
}

#[tokio::test]
async fn another_invocation_that_was_quicker_wins() {
    let aws: Arc<Mutex<Option<Aws>>> = Arc::default();
    let theirs = Arc::clone(&aws);
    let world = World::new(json!({"requests": 20, "maximum_file_bytes": 30_000}), move |n| {
        if n == 10 {
            let aws = theirs.lock().unwrap().clone().unwrap();
            aws.account().put("land", &format!("{PREFIX}/t_7.jsonl.gz"), "theirs");
        }
        noise(n, 20_000)
    })
    .await;
    *aws.lock().unwrap() = Some(world.aws.clone());
    assert!(world.extract().await.unwrap().already_extracted);
    assert!(!world.done("create").is_empty() && world.aws.account().uploads().is_empty());
    assert_eq!(world.objects(), [format!("land/{PREFIX}/t_7.jsonl.gz")]);
}

#[tokio::test]
async fn a_failure_of_the_source_lands_nothing() {
    let source = json!({"requests": 40, "maximum_file_bytes": 100_000});
    let world = World::new(source, |n| if n < 30 { noise(n, 20_000) } else { Reply::new(500, "") }).await;
    let failure = world.extract().await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Unavailable);
    assert!(failure.message.starts_with("extracting `t`: request 31 of 40, GET http://127.0.0.1:"), "{failure}");
    assert!(world.done("abort").len() > 1);
    world.assert_nothing_landed();
}

#[tokio::test]
async fn the_deadline_lands_nothing() {
    let source = json!({"requests": 40, "maximum_file_bytes": 100_000, "concurrency": 1});
    let world = World::new(source, |n| noise(n, 20_000).after(if n < 30 { 0 } else { 60_000 })).await;
    let failure = world.extract_within(3).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Timeout);
    assert!(failure.message.contains("30 of 40 requests"), "{failure}");
    world.assert_nothing_landed();
}

#[tokio::test]
async fn an_extract_without_rows_is_bad_data() {
    let world = World::new(json!({"requests": 3}), |_| Reply::new(200, "{\"result\":[]}")).await;
    let failure = world.extract().await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::BadData);
    assert!(failure.message.contains("no record in 3 answers"), "{failure}");
    world.assert_nothing_landed();
}

#[tokio::test]
async fn a_failure_of_s3_never_leaves_chunk_0() {
    for (step, left) in [("create", 0), ("part", 0), ("complete", 1)] {
        let source = json!({"requests": 20, "maximum_file_bytes": 80_000});
        let world = World::new(source, |n| noise(n, 20_000)).await;
        let refused = format!("{step} land/{PREFIX}/t_1_7.jsonl.gz");
        world.aws.account().fail_step(&refused, Fault::refused(403).for_good());
        let failure = world.extract().await.unwrap_err();
        assert!(failure.message.contains("t_1_7.jsonl.gz: AccessDenied: as the test has it"), "{failure}");
        let keys = world.objects();
        assert!(world.aws.account().uploads().is_empty(), "{step}");
        assert!(keys.len() == left && !keys.iter().any(|key| key.contains("t_0_")), "{step}: {keys:?}");
        // the retry is whole
        world.aws.account().heal();
        let response = world.extract().await.unwrap();
        assert_eq!((response.rows, response.files.len()), (20, world.objects().len()));
    }
}

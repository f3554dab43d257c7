//! extract, its own AWS account and a source.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::sync::LazyLock;
use std::time::{Duration, SystemTime};

use boot::Invocation;
use contract::message::{ExtractRequest, ExtractResponse};
use contract::{Checks, DataFormat, Database, Failure, MetaData, Mode, Problems, Table};
use extract::App;
use extract::api::Api;
use extract::config::Settings;
use fake_aws::Aws;
use flate2::read::GzDecoder;
use serde_json::{Value, json};
use store::Store;

use crate::server::{Asked, Reply, Server};

pub(crate) struct World {
    pub aws: Aws,
    pub source: Server,
    app: App,
}

impl World {
    pub(crate) async fn new(source: Value, answer: impl Fn(usize) -> Reply + Send + Sync + 'static) -> Self {
        Self::answering(source, move |asked| answer(asked.number)).await
    }

    pub(crate) async fn answering(source: Value, answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        let aws = Aws::start().await;
        let server = Server::start(answer).await;
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
            reports_bucket: "reports".into(),
            source_origin: Some(server.origin.clone()),
        };
        let app = App {
            settings,
            metadata: metadata(serde_json::from_value(whole).expect("a source")),
            store: Store::new(&aws.config().await),
            api: api(),
        };
        Self { aws, source: server, app }
    }

    /// Extracts as another process would, whose requests name it to the source.
    pub(crate) async fn extract_as(&self, attempt: u64) -> Result<ExtractResponse, Failure> {
        let App { settings, metadata, store, api } = &self.app;
        let mut metadata = metadata.clone();
        let source = metadata.raw.get_mut("t").and_then(|table| table.source.as_mut()).expect("a source");
        source.url = format!("{}?attempt={attempt}", source.url);
        let app = App { settings: settings.clone(), metadata, store: store.clone(), api: api.clone() };
        app.extract(request(), &invocation(60)).await
    }

    pub(crate) async fn extract(&self) -> Result<ExtractResponse, Failure> {
        self.extract_within(60).await
    }

    pub(crate) async fn extract_within(&self, seconds: u64) -> Result<ExtractResponse, Failure> {
        self.app.extract(request(), &invocation(seconds)).await
    }

    /// Returns every object as `bucket/key`.
    pub(crate) fn objects(&self) -> Vec<String> {
        self.aws.account().inventory().into_iter().map(|(place, _)| place).collect()
    }

    /// Returns the completed steps of one operation, by the name of their file.
    pub(crate) fn done(&self, operation: &str) -> Vec<String> {
        let places = self.aws.account().done_of(operation);
        places.iter().filter_map(|place| place.rsplit('/').next()).map(str::to_owned).collect()
    }

    pub(crate) fn rows(&self) -> Vec<Value> {
        self.rows_in("land", "")
    }

    /// Returns the rows that validate sees.
    pub(crate) fn landed(&self) -> Vec<Value> {
        self.rows_in("land", "base/")
    }

    /// Returns the rows of the files under a prefix, in the order of the keys.
    pub(crate) fn rows_in(&self, bucket: &str, prefix: &str) -> Vec<Value> {
        let account = self.aws.account();
        let mut text = String::new();
        for key in account.keys(bucket).into_iter().filter(|key| key.starts_with(prefix)) {
            let object = account.read(bucket, &key).expect("an object");
            GzDecoder::new(&object[..]).read_to_string(&mut text).expect("gzip");
        }
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }

    /// Checks that there is no object and no upload.
    pub(crate) fn assert_nothing_landed(&self) {
        assert_eq!(self.objects(), Vec::<String>::new());
        assert_eq!(self.aws.account().uploads(), Vec::<String>::new());
    }
}

/// Created once, because it reads the system's certificates.
fn api() -> Api {
    static API: LazyLock<Api> = LazyLock::new(|| Api::new().expect("a client"));
    API.clone()
}

fn request() -> ExtractRequest {
    ExtractRequest { scheduled_time: Some("1970-01-01T00:00:07Z".into()), ..Default::default() }
}

fn invocation(seconds: u64) -> Invocation {
    Invocation { request_id: "r".into(), deadline: SystemTime::now() + Duration::from_secs(seconds) }
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
        file_dialect: Default::default(),
        compression: Default::default(),
        mode: Mode::Rebuild,
        self_contained: false,
        partition_projection: false,
        sql: None,
    };
    let database =
        Database { name: "d".into(), bucket: "b".into(), base_folder: "f".into(), description: String::new() };
    let raw = [("t".into(), table)].into();
    let (processed, curated) = (BTreeMap::new(), BTreeMap::new());
    let (sha256, warnings) = (String::new(), Problems::default());
    MetaData { database, raw_database: None, raw, processed, curated, sha256, warnings }
}

/// A record whose text gzip hardly compresses: about 3/4 of `bytes` remain.
pub(crate) fn noise(n: usize, bytes: usize) -> Reply {
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

//! A small run of curate: the raw table `letters`, its straight copy, and a partitioned table that is computed from it.
//! The files of `letters` have both formats, and their copy is larger than one part of an upload.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arrow::array::{ArrayRef, Int32Array, RecordBatch, StringArray};
use boot::{Boot, Env, Invocation, env};
use contract::message::{CurateResponse, RebuildRequest};
use contract::{Failure, Manifest};
use curate::App;
use fake_aws::{Account, Aws};
use flate2::Compression;
use flate2::write::GzEncoder;
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;
use serde_json::{Value, json};

/// Rows per file of `letters`.
const ROWS: usize = 20;
/// Bytes per letter. The straight copy of four files is somewhat larger than one part of an upload.
const BODY_BYTES: usize = 110_000;
/// Rows per row group of the Parquet file.
const ROW_GROUP_ROWS: usize = 10;

/// curate over its own AWS account.
pub(crate) struct World {
    pub aws: Aws,
    curate: App,
}

/// The output of a run: the SHA-256 and row count of each file, by its key without the run.
pub(crate) type Outputs = BTreeMap<String, (String, u64)>;

impl World {
    /// Starts curate over the account. The client makes at most `attempts` attempts at each request.
    pub(crate) async fn over(account: Account, attempts: u32) -> Self {
        let aws = Aws::start_with(account).await;
        let folder = tempfile::tempdir().expect("a folder");
        let write = |file: &str, text: &str| {
            let file = folder.path().join(file);
            fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
            fs::write(file, text).expect("a file");
        };
        let column = |name: &str, column_type: &str| json!({"name": name, "type": column_type});
        let letters = [column("id", "int"), column("shelf", "character"), column("body", "character")];
        let table = |name: &str, format: &str, columns: &[Value]| json!({"name": name, "data_format": format, "location": name, "columns": columns});
        write("raw/letters.json", &table("letters", "json", &letters).to_string());
        let mut copied = letters.to_vec();
        copied.extend([column("file_land_timestamp", "long"), column("dea_version", "character")]);
        write("curated/letters.json", &table("letters", "parquet", &copied).to_string());
        let counts =
            [column("remainder", "long"), column("n", "long"), column("day", "date"), column("shelf", "character")];
        let mut counts = table("counts", "parquet", &counts);
        counts["partitions"] = json!(["day", "shelf"]);
        counts["mode"] = json!("partition");
        write("curated/counts.json", &counts.to_string());
        write(
            "curated/counts.sql",
            "SELECT id % 7 AS remainder, count(*) AS n, CAST('${snapshot_date}' AS DATE) AS day, shelf
             FROM letters GROUP BY id % 7, shelf",
        );
        let database = json!({"name": "d", "bucket": "b", "base_folder": "f", "description": "d"});
        write("curated/database.json", &database.to_string());
        let metadata = folder.path().to_string_lossy().into_owned();
        let env = Env::new(move |name| {
            let value = match name {
                env::META_DATA => metadata.as_str(),
                env::BASE_FOLDER => "base",
                env::RAW_HIST_BUCKET => "raw-hist",
                env::RAW_BUCKET => "raw",
                env::PROCESSED_BUCKET => "processed",
                env::QUARANTINE_BUCKET => "quarantine",
                env::REPORTS_BUCKET => "reports",
                env::CURATED_BUCKET => "curated",
                env::DEA_VERSION => "v0.1.0",
                env::AWS_LAMBDA_FUNCTION_MEMORY_SIZE => "1024",
                _ => return None,
            };
            Some(value.to_owned())
        });
        let aws_config = aws.config_with_attempts(attempts).await;
        let curate = App::new(&mut Boot { env, aws: aws_config }).expect("the function starts");
        Self { aws, curate }
    }

    /// Builds all tables in a new run.
    pub(crate) async fn rebuild(&self) -> Result<CurateResponse, Failure> {
        let request = RebuildRequest { snapshot_date: Some("2026-11-23".into()), ..Default::default() };
        // the first eight characters distinguish the runs of a world
        let request_id = format!("{:08x}", self.aws.account().requests.len());
        let deadline = SystemTime::now() + Duration::from_mins(2);
        self.curate.handle(request, Invocation { request_id, deadline }).await
    }

    /// Returns the output of a run as its manifest lists it, and checks that the objects match.
    pub(crate) fn outputs(&self, response: &CurateResponse) -> Outputs {
        let account = self.aws.account();
        let manifest = account.read(&response.manifest.bucket, &response.manifest.key).expect("a manifest");
        let manifest: Manifest = serde_json::from_slice(&manifest).expect("a manifest");
        let written: BTreeMap<String, String> =
            account.versions().into_iter().map(|version| (version.place, version.sha256)).collect();
        let run = format!("/{}/", manifest.run);
        let mut outputs = Outputs::new();
        for file in manifest.tables.iter().flat_map(|table| &table.files) {
            assert_eq!(written.get(&format!("curated/{}", file.key)), Some(&file.sha256), "{}", file.key);
            outputs.insert(file.key.replace(&run, "/"), (file.sha256.clone(), file.rows));
        }
        outputs
    }

    pub(crate) fn manifests(&self) -> Vec<String> {
        let keys = self.aws.account().keys("curated");
        keys.into_iter().filter(|key| key.starts_with("f/_manifests/")).collect()
    }
}

/// Returns the key of a file of `letters`.
pub(crate) fn key(n: usize, extension: &str) -> String {
    format!("base/letters/file_land_timestamp={n}/letters_{n}.{extension}")
}

/// Returns an account whose raw-hist is as validate left it.
pub(crate) fn landed() -> Account {
    let mut account = Account::default();
    account.page_size = 3;
    for n in 0..3 {
        let mut lines = String::new();
        for (id, shelf, body) in (0..ROWS).map(|row| letter(n * ROWS + row)) {
            lines += &format!("{}\n", json!({"id": id, "shelf": shelf, "body": body}));
        }
        account.put("raw-hist", &key(n, "jsonl.gz"), gzip(&lines));
    }
    account.put("raw-hist", &key(3, "parquet"), parquet((3 * ROWS..4 * ROWS).map(letter)));
    account
}

/// Returns a letter that hardly compresses: three quarters of it remain.
fn letter(id: usize) -> (i32, &'static str, String) {
    let mut seed = id as u64 + 1;
    let body = (0..BODY_BYTES).map(|_| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[(seed >> 58) as usize])
    });
    (id as i32, ["low", "middle", "top"][id % 3], body.collect())
}

pub(crate) fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text.as_bytes()).expect("memory");
    encoder.finish().expect("memory")
}

fn parquet(letters: impl Iterator<Item = (i32, &'static str, String)>) -> Vec<u8> {
    let letters: Vec<_> = letters.collect();
    let ids: ArrayRef = Arc::new(Int32Array::from_iter_values(letters.iter().map(|letter| letter.0)));
    let shelves: ArrayRef = Arc::new(StringArray::from_iter_values(letters.iter().map(|letter| letter.1)));
    let bodies: ArrayRef = Arc::new(StringArray::from_iter_values(letters.iter().map(|letter| &letter.2)));
    let batch = RecordBatch::try_from_iter([("id", ids), ("shelf", shelves), ("body", bodies)]).expect("a batch");
    let properties = WriterProperties::builder().set_max_row_group_row_count(Some(ROW_GROUP_ROWS)).build();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties)).expect("a writer");
    writer.write(&batch).expect("memory");
    writer.into_inner().expect("memory")
}

//! A folder with metadata and raw files, and the runs that are built from it.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use chrono::{TimeZone, Utc};
use contract::message::{ProcessResponse, RebuildRequest, VerifyResponse};
use contract::{Failure, FailureKind, Manifest, MetaData};
use curate::area::Area;
use curate::areas::Areas;
use curate::published::Published;
use curate::run::{Built, Run};
use curate::settings::Settings;
use curate::transform::Variables;
use curate::{process, verify};
use flate2::Compression;
use flate2::write::GzEncoder;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::{Value, json};

/// The time of the first run. Each run is a second later than the one before.
const NOW: i64 = 1_795_000_000;

pub(crate) struct Place {
    folder: tempfile::TempDir,
    runs: std::cell::Cell<i64>,
    pub settings: Settings,
}

impl Place {
    pub(crate) fn new() -> Self {
        let place = Self {
            folder: tempfile::tempdir().unwrap(),
            runs: std::cell::Cell::new(0),
            settings: Settings {
                base_folder: String::new(),
                dea_version: "v1".into(),
                memory_bytes: 512 << 20,
                cores: 2,
                time: None,
                until: None,
            },
        };
        let database = json!({"name": "d", "bucket": "b", "base_folder": "db", "description": "d"});
        place.write("meta_data/curated/database.json", database.to_string());
        fs::create_dir_all(place.path("meta_data/raw")).unwrap();
        place
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    pub(crate) fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// Writes the metadata of a table of `stage` (raw, processed, curated). A column is `name type`, optionally
    /// followed by ` sensitive` or ` not null`. `more` is merged in.
    pub(crate) fn table(&self, stage: &str, name: &str, columns: &[&str], more: Value) {
        let column = |text: &&str| {
            let (name, rest) = text.split_once(' ').unwrap();
            let sensitive = rest.ends_with(" sensitive");
            let nullable = !rest.ends_with(" not null");
            let column_type = rest.trim_end_matches(" sensitive").trim_end_matches(" not null");
            json!({"name": name, "type": column_type, "description": "", "nullable": nullable, "redacted": sensitive})
        };
        let columns: Vec<Value> = columns.iter().map(column).collect();
        let format = if stage == "curated" { "parquet" } else { "json" };
        let mut table =
            json!({"name": name, "description": "", "location": name, "data_format": format, "columns": columns});
        for (key, value) in more.as_object().into_iter().flatten() {
            table[key] = value.clone();
        }
        self.write(&format!("meta_data/{stage}/{name}.json"), table.to_string());
    }

    pub(crate) fn sql(&self, stage: &str, name: &str, sql: &str) {
        self.write(&format!("meta_data/{stage}/{name}.sql"), sql);
    }

    /// Writes a gzipped file of a raw table. `extension` is jsonl or csv.
    pub(crate) fn raw(&self, table: &str, seconds: u64, extension: &str, text: &str) {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        gzip.write_all(text.as_bytes()).unwrap();
        let path = format!("raw-hist/{table}/file_land_timestamp={seconds}/{table}_{seconds}.{extension}.gz");
        self.write(&path, gzip.finish().unwrap());
    }

    pub(crate) fn areas(&self) -> Areas {
        let area = |name: &str| Area::Folder(self.path(name));
        Areas {
            raw_hist: area("raw-hist"),
            raw: area("raw"),
            processed: area("processed"),
            quarantine: None,
            curated: area("curated"),
            published: Published::LastRun,
        }
    }

    pub(crate) fn build(&self) -> Result<Manifest, Failure> {
        self.build_with(&RebuildRequest::default(), 2)
    }

    /// Builds on a number of worker threads. Fails if any table fails.
    pub(crate) fn build_with(&self, request: &RebuildRequest, threads: usize) -> Result<Manifest, Failure> {
        let built = self.run(request, threads)?;
        let Some(first) = built.failed.first() else { return Ok(built.manifest) };
        let kinds = [FailureKind::BadData, FailureKind::BadMetadata, FailureKind::Conflict, FailureKind::NotFound];
        let kind = kinds.into_iter().find(|kind| kind.name() == first.error).unwrap_or(FailureKind::Internal);
        let messages: Vec<_> = built.failed.iter().map(|failed| failed.message.as_str()).collect();
        Err(Failure { kind, message: messages.join("\n") })
    }

    /// Runs queries that return one text per row. Returns the sorted rows of each.
    pub(crate) fn answers(&self, queries: &[String]) -> Vec<Vec<String>> {
        let name = |n: usize| format!("q{n}");
        for (n, sql) in queries.iter().enumerate() {
            self.table("curated", &name(n), &["v character"], json!({}));
            self.sql("curated", &name(n), sql);
        }
        let built = self.build().unwrap();
        let mut answers: Vec<_> = (0..queries.len()).map(|n| self.rows(&built, &name(n))).collect();
        answers.iter_mut().for_each(|rows| rows.sort());
        answers
    }

    /// Builds a run, and checks that its manifest was stored.
    pub(crate) fn run(&self, request: &RebuildRequest, threads: usize) -> Result<Built, Failure> {
        let metadata = MetaData::read(&self.path("meta_data"))?;
        let settings = Settings { cores: threads, ..self.settings.clone() };
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build().unwrap();
        let run = self.runs.replace(self.runs.get() + 1);
        let now = Utc.timestamp_opt(NOW + run, 0).unwrap();
        let run = Run::plan(&metadata, &settings, request, &format!("run{run}"), now)?;
        let built = runtime.block_on(run.build(&self.areas()))?;
        assert_eq!(built.manifest, self.manifest(&built.key));
        Ok(built)
    }

    pub(crate) fn process(&self) -> Result<ProcessResponse, Failure> {
        let metadata = MetaData::read(&self.path("meta_data"))?;
        let variables = Variables::new(&self.settings.dea_version, "2026-11-24", NOW)?;
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(process::process(&metadata, &self.settings, &self.areas(), &variables))
    }

    pub(crate) fn verify(&self, run: &str) -> Result<VerifyResponse, Failure> {
        let metadata = MetaData::read(&self.path("meta_data"))?;
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(verify::verify(&metadata, &self.settings, &self.areas(), run))
    }

    pub(crate) fn manifest(&self, key: &str) -> Manifest {
        serde_json::from_slice(&fs::read(self.path("curated").join(key)).unwrap()).unwrap()
    }

    /// Returns the paths of all files in the curated area.
    pub(crate) fn curated(&self) -> Vec<String> {
        self.files("curated")
    }

    /// Returns the paths of all files in an area.
    pub(crate) fn files(&self, area: &str) -> Vec<String> {
        let root = self.path(area);
        let mut files = Vec::new();
        walk(&root, &mut files);
        let mut names: Vec<_> =
            files.iter().map(|file| file.strip_prefix(&root).unwrap().display().to_string()).collect();
        names.sort();
        names
    }

    /// Returns the rows of a run's table as texts, in the order of its files. A row in a partition begins with the
    /// partition's folder.
    pub(crate) fn rows(&self, manifest: &Manifest, table: &str) -> Vec<String> {
        let output = manifest.tables.iter().find(|output| output.table == table).unwrap();
        let mut rows = Vec::new();
        for file in &output.files {
            let inside = file.key.split('/').skip(3).collect::<Vec<_>>().join("/");
            let folder = inside.rsplit_once('/').map_or(String::new(), |(folder, _)| format!("{folder}: "));
            for batch in self.batches(&file.key) {
                let options = FormatOptions::default().with_null("null");
                let columns: Vec<_> =
                    batch.columns().iter().map(|column| ArrayFormatter::try_new(column, &options).unwrap()).collect();
                for row in 0..batch.num_rows() {
                    let values: Vec<_> = columns.iter().map(|column| column.value(row).to_string()).collect();
                    rows.push(format!("{folder}{}", values.join(" ")));
                }
            }
        }
        assert_eq!(rows.len() as u64, output.rows);
        rows
    }

    pub(crate) fn batches(&self, key: &str) -> Vec<RecordBatch> {
        let file = fs::File::open(self.path("curated").join(key)).unwrap();
        ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap().map(Result::unwrap).collect()
    }
}

/// Returns the next number of a linear congruential generator, the same for the same `state`. The high bits are the
/// better ones.
pub(crate) fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *state
}

fn walk(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() { walk(&path, into) } else { into.push(path) }
    }
}

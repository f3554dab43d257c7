//! raw-hist → curated. Data goes through the modules in this order: [`source`] reads the files of the raw tables,
//! [`transform`] says what the tables' SQL makes of them, [`tables`] runs it, [`align`] makes the rows fit the metadata,
//! [`write`] makes Parquet of them under the run's own prefix. [`run`] does so for every table and ends with the
//! manifest. Where a row does not fit, [`blame`] finds its file and line.

pub mod align;
pub mod area;
pub mod blame;
pub mod command;
pub mod parquet_file;
pub mod partition;
pub mod run;
pub mod source;
pub mod tables;
pub mod transform;
pub mod write;

use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use boot::metrics::{self, Unit};
use boot::{Boot, Invocation, env};
use contract::message::{CurateResponse, RebuildRequest};
use contract::{Failure, Manifest, MetaData};
use futures::FutureExt;
use store::Store;

use crate::area::{Area, Areas};

/// What is left of the invocation's time for the answer.
const RESERVE: Duration = Duration::from_secs(5);

/// The function, set up.
pub struct Curate {
    metadata: MetaData,
    areas: Areas,
    settings: Settings,
}

/// How the function works.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The folder of the raw tables.
    pub base_folder: String,
    /// For the version column.
    pub dea_version: String,
    /// The function's memory.
    pub memory_bytes: usize,
    /// Files of a table that are decoded at once.
    pub cores: usize,
}

impl Curate {
    /// Reads settings and metadata.
    pub fn new(boot: &mut Boot) -> Result<Self, Failure> {
        let store = Store::new(&boot.aws);
        let megabytes: usize = boot.env.number(env::AWS_LAMBDA_FUNCTION_MEMORY_SIZE);
        let areas = Areas {
            raw_hist: Area::bucket(&store, &boot.env.text(env::RAW_HIST_BUCKET)),
            raw: Area::bucket(&store, &boot.env.text(env::RAW_BUCKET)),
            processed: Area::bucket(&store, &boot.env.text(env::PROCESSED_BUCKET)),
            curated: Area::bucket(&store, &boot.env.text(env::CURATED_BUCKET)),
        };
        let settings = Settings {
            base_folder: boot.env.text(env::BASE_FOLDER),
            dea_version: boot.env.text(env::DEA_VERSION),
            memory_bytes: megabytes << 20,
            cores: cores(),
        };
        Ok(Self { metadata: boot.metadata()?, areas, settings })
    }

    /// One rebuild. What it wrote before a failure stays unseen: nothing points at a run without a manifest.
    pub async fn handle(&self, request: RebuildRequest, invocation: Invocation) -> Result<CurateResponse, Failure> {
        let run = run::Run::plan(&self.metadata, &self.settings, &request, &invocation.request_id, chrono::Utc::now())?;
        let (started, limit) = (Instant::now(), invocation.time_left(RESERVE));
        // boxed: the compiler gives up on the layout of a future this deep
        match tokio::time::timeout(limit, run.build(&self.areas).boxed()).await {
            Ok(built) => built.map(|built| {
                report(&built.manifest, started.elapsed());
                built.answer()
            }),
            Err(_) => Err(Failure::timeout(format!(
                "the rebuild was not done within the function's time ({} s): raise the function's timeout or memory",
                limit.as_secs()
            ))),
        }
    }
}

fn report(manifest: &Manifest, took: Duration) {
    let seconds = took.as_secs_f64();
    let rows: u64 = manifest.inputs.iter().map(|file| file.rows).sum();
    let bytes: u64 = manifest.inputs.iter().map(|file| file.bytes).sum();
    let metrics = [
        ("RowsRead", Unit::Count, rows as f64),
        ("BytesRead", Unit::Bytes, bytes as f64),
        ("RowsPerSecond", Unit::CountPerSecond, rows as f64 / seconds.max(1e-6)),
        ("RebuildSeconds", Unit::Seconds, seconds),
    ];
    metrics::emit(None, &metrics);
    tracing::info!(run = %manifest.run, files = manifest.inputs.len(), rows, bytes, seconds, "run built");
}

fn cores() -> usize {
    available_parallelism().map_or(2, std::num::NonZero::get)
}

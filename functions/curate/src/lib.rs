//! Builds the curated tables from raw-hist. Data passes through the modules in this order: [`source`] reads the files
//! of the raw tables, [`transform`] parses and orders the tables' SQL, [`tables`] runs it, [`align`] converts the rows
//! to the types of the metadata, and [`mod@write`] writes them as Parquet under the run's own prefix. [`run`] does this
//! for every table and ends with the manifest. If a row does not fit, [`locate`] finds its file and line. The raw
//! columns that a value is made from decide whether a message may show it ([`query_failure`], [`secrets`],
//! [`lineage`]).

pub mod settings;

pub mod run;

mod depth;
mod dialect;
mod query;
mod syntax;
mod template;
pub mod transform;

pub mod area;
pub mod areas;
pub mod published;
mod quarantine;

mod size;
mod source;

mod engine;
mod queries;
pub mod stack;
mod tables;
mod written;

pub mod align;

pub mod parquet_file;
mod partition;
mod row_group;
mod write;

mod append;
mod complete;
mod failed;

mod json_file;
pub mod process;

pub mod verify;

mod lineage;
mod locate;
mod query_failure;
mod refusal;
mod secrecy;
pub mod secrets;

pub mod command;

use std::time::{Duration, Instant};

use boot::metrics::{self, Unit};
use boot::{Boot, Invocation, env};
use contract::message::{
    CurateRequest, CurateResponse, ProcessResponse, RebuildRequest, VerifyRequest, VerifyResponse,
};
use contract::{Failure, FailureKind, Manifest, MetaData};
use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::Value;
use store::Store;

use crate::area::Area;
use crate::areas::Areas;
use crate::published::Published;
use crate::quarantine::Quarantine;
use crate::settings::{Settings, cores};
use crate::transform::Variables;

/// The time that is reserved at the end of an invocation for the answer.
const RESERVE: Duration = Duration::from_secs(5);
/// The search for the line of a failure ends this long before [`RESERVE`] begins, so that the failure can still be
/// reported.
const TO_TELL: Duration = Duration::from_secs(1);

/// The function with its settings and metadata, ready for invocations.
pub struct App {
    metadata: MetaData,
    areas: Areas,
    settings: Settings,
}

impl App {
    /// Reads settings and metadata.
    ///
    /// # Errors
    /// Fails with all problems of the settings or, if there are none, of the metadata.
    pub fn new(boot: &mut Boot) -> Result<Self, Failure> {
        let store = Store::new(&boot.aws);
        let megabytes: usize = boot.env.number(env::AWS_LAMBDA_FUNCTION_MEMORY_SIZE);
        let areas = Areas {
            raw_hist: Area::bucket(&store, &boot.env.text(env::RAW_HIST_BUCKET)),
            raw: Area::bucket(&store, &boot.env.text(env::RAW_BUCKET)),
            processed: Area::bucket(&store, &boot.env.text(env::PROCESSED_BUCKET)),
            curated: Area::bucket(&store, &boot.env.text(env::CURATED_BUCKET)),
            quarantine: Some(Quarantine {
                store: store.clone(),
                bucket: boot.env.text(env::QUARANTINE_BUCKET),
                reports: boot.env.text(env::REPORTS_BUCKET),
            }),
            published: Published::Glue(aws_sdk_glue::Client::new(&boot.aws)),
        };
        let settings = Settings {
            base_folder: boot.env.text(env::BASE_FOLDER),
            dea_version: boot.env.text(env::DEA_VERSION),
            memory_bytes: megabytes << 20,
            cores: cores(),
            time: None,
            until: None,
        };
        Ok(Self { metadata: boot.metadata()?, areas, settings })
    }

    /// Carries out the event's request and returns the answer as JSON.
    ///
    /// # Errors
    /// Fails if the request as a whole cannot be carried out. Failures of single tables are in the answer.
    pub async fn answer(&self, request: CurateRequest, invocation: Invocation) -> Result<Value, Failure> {
        let answer = match request {
            CurateRequest::Rebuild(request) => serde_json::to_value(self.handle(request, invocation).await?),
            CurateRequest::Process => serde_json::to_value(self.process(invocation).await?),
            CurateRequest::Verify(request) => serde_json::to_value(self.verify(request, invocation).await?),
        };
        answer.map_err(Failure::internal)
    }

    /// Makes processed files from the raw ones that are waiting.
    ///
    /// # Errors
    /// Fails if S3 does not answer, or if the time runs out. Failures of single tables are in the answer.
    pub async fn process(&self, invocation: Invocation) -> Result<ProcessResponse, Failure> {
        let now = chrono::Utc::now();
        let today = now.format("%Y-%m-%d").to_string();
        let variables = Variables::new(&self.settings.dea_version, &today, now.timestamp())?;
        let settings = self.settings(&invocation);
        let processing = process::process(&self.metadata, &settings, &self.areas, &variables);
        in_time(invocation, processing.boxed()).await
    }

    /// Builds a run again and compares the files with those of the run.
    ///
    /// # Errors
    /// Fails if the run cannot be built again, or if the time runs out.
    pub async fn verify(&self, request: VerifyRequest, invocation: Invocation) -> Result<VerifyResponse, Failure> {
        let settings = self.settings(&invocation);
        let verifying = verify::verify(&self.metadata, &settings, &self.areas, &request.verify);
        in_time(invocation, verifying.boxed()).await
    }

    /// Carries out one rebuild. Files that it wrote before a failure stay invisible, because nothing points at a run
    /// without a manifest.
    ///
    /// # Errors
    /// Fails if no table could be built, or if the time runs out.
    pub async fn handle(&self, request: RebuildRequest, invocation: Invocation) -> Result<CurateResponse, Failure> {
        let settings = self.settings(&invocation);
        let run = run::Run::plan(&self.metadata, &settings, &request, &invocation.request_id, chrono::Utc::now())?;
        let started = Instant::now();
        let built = in_time(invocation, run.build(&self.areas).boxed()).await.map_err(too_large)?;
        report(&built.manifest, started.elapsed());
        Ok(built.answer())
    }

    fn settings(&self, invocation: &Invocation) -> Settings {
        let time = invocation.time_left(RESERVE + TO_TELL);
        Settings { time: Some(time), until: Some(Instant::now() + time), ..self.settings.clone() }
    }
}

/// Awaits the work, but keeps enough time to answer. The future is boxed because it nests too deeply for rustc to
/// compute its layout.
async fn in_time<T>(invocation: Invocation, work: BoxFuture<'_, Result<T, Failure>>) -> Result<T, Failure> {
    invocation.in_time(RESERVE, work, ": raise the template's CurateTimeout or CurateMemory").await
}

/// Turns a timeout into `TooLarge`, which is not retried. A rebuild starts over each time, so a retry would time out
/// too.
fn too_large(failure: Failure) -> Failure {
    match failure.kind {
        FailureKind::Timeout => Failure { kind: FailureKind::TooLarge, ..failure },
        _ => failure,
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

//! raw-hist → curated. Data goes through the modules in this order: [`source`] reads the files of the raw tables,
//! [`transform`] says what the tables' SQL makes of them, [`tables`] runs it, [`align`] makes the rows fit the
//! metadata, [`write`] makes Parquet of them under the run's own prefix. [`run`] does so for every table and ends with
//! the manifest. Where a row does not fit, [`locate`] finds its file and line; what is told of it is decided by the raw
//! columns that it is made of ([`query_failure`], [`secrets`], [`lineage`]).

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

/// What is left of the invocation's time for the answer.
const RESERVE: Duration = Duration::from_secs(5);
/// What is left before that when the search for the line of a failure ends: the failure itself must still be told.
const TO_TELL: Duration = Duration::from_secs(1);

/// The function, set up.
pub struct App {
    metadata: MetaData,
    areas: Areas,
    settings: Settings,
}

impl App {
    /// Reads settings and metadata.
    ///
    /// # Errors
    /// All that is wrong with settings and metadata.
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

    /// Whatever an event asks for.
    ///
    /// # Errors
    /// Why nothing was built.
    pub async fn answer(&self, request: CurateRequest, invocation: Invocation) -> Result<Value, Failure> {
        let answer = match request {
            CurateRequest::Rebuild(request) => serde_json::to_value(self.handle(request, invocation).await?),
            CurateRequest::Process => serde_json::to_value(self.process(invocation).await?),
            CurateRequest::Verify(request) => serde_json::to_value(self.verify(request, invocation).await?),
        };
        answer.map_err(Failure::internal)
    }

    /// Makes processed files of the raw ones that wait for it.
    ///
    /// # Errors
    /// Where S3 does not answer in time, or all tables fail.
    pub async fn process(&self, invocation: Invocation) -> Result<ProcessResponse, Failure> {
        let now = chrono::Utc::now();
        let today = now.format("%Y-%m-%d").to_string();
        let variables = Variables::new(&self.settings.dea_version, &today, now.timestamp())?;
        let settings = self.settings(&invocation);
        let processing = process::process(&self.metadata, &settings, &self.areas, &variables);
        in_time(invocation, processing.boxed()).await
    }

    /// Builds a run again and compares.
    ///
    /// # Errors
    /// Where the run cannot be built again.
    pub async fn verify(&self, request: VerifyRequest, invocation: Invocation) -> Result<VerifyResponse, Failure> {
        let settings = self.settings(&invocation);
        let verifying = verify::verify(&self.metadata, &settings, &self.areas, &request.verify);
        in_time(invocation, verifying.boxed()).await
    }

    /// One rebuild. What it wrote before a failure stays unseen: nothing points at a run without a manifest.
    ///
    /// # Errors
    /// Where no table could be built, in the end or in time.
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

/// Waits for the work as long as there is time to answer. Boxed: the future nests too deeply for rustc to compute its
/// layout.
async fn in_time<T>(invocation: Invocation, work: BoxFuture<'_, Result<T, Failure>>) -> Result<T, Failure> {
    invocation.in_time(RESERVE, work, ": raise the template's CurateTimeout or CurateMemory").await
}

/// A rebuild begins anew each time: one that has taken all of its time would take it again.
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

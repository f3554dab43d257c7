//! raw-hist → curated. Data goes through the modules in this order: [`source`] reads the files of the raw tables,
//! [`transform`] runs the tables' SQL over them, [`align`] makes the rows fit the metadata, [`write`] makes Parquet of
//! them under the run's own prefix. [`run`] does so for every table and ends with the manifest.

pub mod align;
pub mod run;
pub mod source;
pub mod transform;
pub mod write;

use std::time::Duration;

use boot::{Boot, Invocation, env};
use contract::message::{CurateResponse, RebuildRequest};
use contract::{Failure, MetaData};
use futures::FutureExt;
use store::Store;

/// What is left of the invocation's time for the answer.
const RESERVE: Duration = Duration::from_secs(5);

/// The function, set up.
pub struct Curate {
    metadata: MetaData,
    store: Store,
    settings: Settings,
}

/// Where the function reads and writes.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The folder of the raw tables.
    pub base_folder: String,
    /// The immutable history.
    pub raw_hist_bucket: String,
    /// What catalog points at.
    pub curated_bucket: String,
    /// For the version column.
    pub dea_version: String,
    /// The function's memory.
    pub memory_bytes: usize,
}

impl Curate {
    /// Reads settings and metadata.
    pub fn new(boot: &mut Boot) -> Result<Self, Failure> {
        let megabytes: usize = boot.env.number(env::AWS_LAMBDA_FUNCTION_MEMORY_SIZE);
        let settings = Settings {
            base_folder: boot.env.text(env::BASE_FOLDER),
            raw_hist_bucket: boot.env.text(env::RAW_HIST_BUCKET),
            curated_bucket: boot.env.text(env::CURATED_BUCKET),
            dea_version: boot.env.text(env::DEA_VERSION),
            memory_bytes: megabytes << 20,
        };
        Ok(Self { metadata: boot.metadata()?, store: Store::new(&boot.aws), settings })
    }

    /// One rebuild. What it wrote before a failure stays unseen: nothing points at a run without a manifest.
    pub async fn handle(&self, request: RebuildRequest, invocation: Invocation) -> Result<CurateResponse, Failure> {
        let run = run::Run::plan(&self.metadata, &self.settings, &request, &invocation.request_id, chrono::Utc::now())?;
        let limit = invocation.time_left(RESERVE);
        // boxed: the compiler gives up on the layout of a future this deep
        match tokio::time::timeout(limit, run.build(&self.store).boxed()).await {
            Ok(built) => built,
            Err(_) => Err(Failure::timeout(format!(
                "the rebuild was not done within the function's time ({} s): raise the function's timeout or memory",
                limit.as_secs()
            ))),
        }
    }
}

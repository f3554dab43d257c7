//! The function's set-up: settings, metadata and clients, shared by all invocations.

use std::time::Duration;

use aws_sdk_glue::config::timeout::TimeoutConfig;
use boot::{Boot, env};
use contract::{Failure, MetaData};
use store::Store;

use crate::adopt;
use crate::athena::Athena;
use crate::decision::Decision;
use crate::journal::Current;
use crate::publication::Publication;
use crate::runs::Runs;

/// How long one attempt of a call to Glue or Athena may take before it is retried. The clients have no limit of their
/// own.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a call may take, including all its attempts.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);
/// Settings, metadata and clients, which every invocation uses.
pub struct App {
    pub(crate) metadata: MetaData,
    pub(crate) base_folder: String,
    pub(crate) raw_hist_bucket: String,
    pub(crate) curated_bucket: String,
    /// How long a run is kept after it became unreachable.
    pub(crate) keep_runs: Duration,
    pub(crate) store: Store,
    pub(crate) glue: aws_sdk_glue::Client,
    pub(crate) athena: Athena,
}

impl App {
    /// Reads environment and metadata.
    ///
    /// # Errors
    /// All errors in settings and metadata.
    pub fn new(boot: &mut Boot) -> Result<Self, Failure> {
        let base_folder = boot.env.text(env::BASE_FOLDER);
        let raw_hist_bucket = boot.env.text(env::RAW_HIST_BUCKET);
        let curated_bucket = boot.env.text(env::CURATED_BUCKET);
        let workgroup = boot.env.text(env::ATHENA_WORKGROUP);
        let timeout = Duration::from_secs(boot.env.number(env::ATHENA_TIMEOUT_SECONDS));
        let keep_days: u32 = boot.env.number(env::KEEP_RUNS_DAYS);
        let metadata = boot.metadata()?;
        let timeouts = boot.aws.timeout_config().map_or_else(TimeoutConfig::builder, TimeoutConfig::to_builder);
        let timeouts = timeouts.operation_attempt_timeout(ATTEMPT_TIMEOUT).operation_timeout(CALL_TIMEOUT).build();
        let glue = aws_sdk_glue::config::Builder::from(&boot.aws).timeout_config(timeouts.clone()).build();
        let athena = aws_sdk_athena::config::Builder::from(&boot.aws).timeout_config(timeouts).build();
        Ok(Self {
            metadata,
            base_folder,
            raw_hist_bucket,
            curated_bucket,
            keep_runs: Duration::from_secs(u64::from(keep_days) * 24 * 60 * 60),
            store: Store::new(&boot.aws),
            glue: aws_sdk_glue::Client::from_conf(glue),
            athena: Athena { client: aws_sdk_athena::Client::from_conf(athena), workgroup, timeout },
        })
    }

    /// Returns publications for the decision's tables that are at a run, are not in `publications`, and are described
    /// by the metadata.
    pub(crate) fn others(
        &self,
        decision: &Decision,
        publications: &[Publication],
    ) -> Result<Vec<Publication>, Failure> {
        let is_other = |name: &str| !publications.iter().any(|publication| publication.wanted.table == name);
        let others = decision.tables.iter().filter(|table| is_other(&table.state.table));
        let others = others.filter(|table| self.metadata.curated.contains_key(&table.state.table));
        let others = others.filter_map(|table| Some((table, table.state.run()?)));
        others.map(|(table, run)| Publication::new(&self.metadata, table, &run, None)).collect()
    }

    /// Returns the decision. If the database has none yet, it is derived from Glue and the journal.
    pub(crate) async fn current(&self) -> Result<Current, Failure> {
        match self.runs().journal().current().await? {
            Some(current) => Ok(current),
            None => Ok(Current { decision: adopt::adopt(&self.glue, self.runs()).await?, etag: None }),
        }
    }

    pub(crate) fn runs(&self) -> Runs<'_> {
        Runs { store: &self.store, metadata: &self.metadata, bucket: &self.curated_bucket }
    }
}

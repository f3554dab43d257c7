//! extract: fetches a raw table from its source and lands it, as its metadata describes.
//!
//! The modules are in the order in which data passes through them: [`config`] (what to fetch, and where it lands),
//! [`api`] (requests and answers), [`row`] (answers to rows), [`land`] (rows to objects), [`decide`] (which attempt
//! lands).

pub mod api;
pub mod config;
pub mod decide;
pub mod land;
pub mod row;

use std::time::Duration;

use boot::metrics::Unit;
use boot::{Boot, Invocation};
use chrono::Utc;
use contract::message::{ExtractRequest, ExtractResponse, ExtractedFile};
use contract::{Extract, Failure, MetaData};
use store::Store;
use tokio::time::{Instant, timeout_at};

use crate::api::{Api, Fetch};
use crate::config::{FetchPlan, Settings};
use crate::decide::Decision;
use crate::land::{Destination, Landing};

/// The time kept back for landing or abandoning the files, and for answering.
const RESERVE: Duration = Duration::from_secs(10);

/// The function, as set up once per process.
#[derive(Debug)]
pub struct App {
    /// The locations of the tables and of their sources.
    pub settings: Settings,
    /// The description of all tables.
    pub metadata: MetaData,
    /// The store of all areas.
    pub store: Store,
    /// The HTTP client of all sources.
    pub api: Api,
}

/// The counts of a fetch so far.
#[derive(Debug, Default)]
struct Tally {
    answers: u64,
    rows: u64,
    bytes: u64,
}

impl App {
    /// Sets the function up.
    ///
    /// # Errors
    /// Fails with all problems of the settings or, if there are none, of the metadata.
    pub fn new(boot: &mut Boot) -> Result<Self, Failure> {
        let settings = Settings::read(&mut boot.env);
        let metadata = boot.metadata()?;
        Ok(Self { settings, metadata, store: Store::new(&boot.aws), api: Api::new()? })
    }

    /// Lands a table once for its scheduled time, either completely or not at all.
    ///
    /// # Errors
    /// Fails if the source or S3 does not answer, or if an answer cannot become rows. A failed fetch leaves nothing in
    /// land. If landing fails halfway, the next invocation for the same time completes it.
    pub async fn extract(&self, request: ExtractRequest, invocation: &Invocation) -> Result<ExtractResponse, Failure> {
        let plan = FetchPlan::new(&self.settings, &self.metadata, request, Utc::now())?;
        // boxed, because the SDK's futures nest too deeply for rustc to compute the layout of yet another level
        Box::pin(self.land(&plan, working_time(invocation)))
            .await
            .map_err(|failure| failure.context(format!("extracting `{}`", plan.table)))
    }

    async fn land(&self, plan: &FetchPlan, working_time: Duration) -> Result<ExtractResponse, Failure> {
        let started = Instant::now();
        let deadline = started + working_time;
        let destination = Destination {
            land: self.settings.land_bucket.clone(),
            raw_hist: self.settings.raw_hist_bucket.clone(),
            reports: self.settings.reports_bucket.clone(),
            base_folder: self.settings.base_folder.clone(),
            table: plan.table.clone(),
            file_land_timestamp: plan.file_land_timestamp,
        };
        if let Some(extract) = destination.decided(&self.store).await? {
            return self.go_by(&destination, &extract).await;
        }
        if let Some(found) = destination.in_history(&self.store).await? {
            return Ok(already_extracted(plan, &found.url()));
        }
        plan.check_time(working_time)?;

        let mut fetch = self.api.fetch(plan, deadline);
        let mut landing = Landing::new(&self.store, destination.clone(), plan.source.maximum_file_bytes);
        let mut tally = Tally::default();
        let filled = match timeout_at(deadline, fill(&mut fetch, &mut landing, &mut tally)).await {
            Ok(filled) => filled.and_then(|()| tally.check(plan)),
            Err(_) => Err(out_of_time(plan, &tally, working_time)),
        };
        let retries = fetch.retries();
        drop(fetch);
        if let Err(failure) = filled {
            landing.abandon().await;
            return Err(failure);
        }
        let attempt = landing.finish().await?;
        // the schedule delivers at least once, so another invocation may be at the same point
        let extract = match destination.decide(&self.store, attempt).await? {
            Decision::Ours(extract) => extract,
            Decision::Theirs(extract) => return self.go_by(&destination, &extract).await,
        };
        destination.land(&self.store, &extract, true).await?;

        let seconds = started.elapsed().as_secs_f64();
        let response = self.response(&extract);
        boot::metrics::emit(
            Some(&plan.table),
            &[
                ("RowsExtracted", Unit::Count, tally.rows as f64),
                ("BytesRead", Unit::Bytes, tally.bytes as f64),
                ("RowsPerSecond", Unit::CountPerSecond, tally.rows as f64 / seconds),
            ],
        );
        tracing::info!(
            table = plan.table,
            file_land_timestamp = plan.file_land_timestamp,
            rows = tally.rows,
            bytes_read = tally.bytes,
            bytes_written = response.bytes,
            files = response.files.len(),
            requests = plan.requests,
            retries,
            seconds,
            "table extracted"
        );
        Ok(response)
    }

    /// Lands the files of another attempt for the same time, as far as they have not landed yet.
    async fn go_by(&self, destination: &Destination, extract: &Extract) -> Result<ExtractResponse, Failure> {
        let copied = destination.land(&self.store, extract, false).await?;
        let (table, file_land_timestamp, attempt) = (&extract.table, extract.file_land_timestamp, &extract.attempt);
        if copied == 0 {
            tracing::info!(table, file_land_timestamp, attempt, "table already extracted");
            return Ok(ExtractResponse {
                rows: 0,
                bytes: 0,
                files: Vec::new(),
                already_extracted: true,
                ..self.response(extract)
            });
        }
        tracing::info!(table, file_land_timestamp, attempt, copied, "extract of an earlier attempt landed");
        Ok(self.response(extract))
    }

    fn response(&self, extract: &Extract) -> ExtractResponse {
        let bucket = &self.settings.land_bucket;
        let files = extract.files.iter().map(|file| ExtractedFile {
            bucket: bucket.clone(),
            key: file.key.clone(),
            rows: file.rows,
            bytes: file.bytes,
        });
        ExtractResponse {
            table: extract.table.clone(),
            file_land_timestamp: extract.file_land_timestamp,
            rows: extract.rows(),
            bytes: extract.bytes(),
            files: files.collect(),
            already_extracted: false,
        }
    }
}

impl Tally {
    /// Refuses an empty extract: the source is broken then, and validate would only find an empty file.
    fn check(&self, plan: &FetchPlan) -> Result<(), Failure> {
        if self.rows > 0 {
            return Ok(());
        }
        Err(Failure::bad_data(format!(
            "{} held no record in {} answers, expected at least one; nothing has landed",
            plan.url, self.answers
        )))
    }
}

/// Passes rows from the source to the files until the source has no more.
async fn fill(fetch: &mut Fetch, landing: &mut Landing<'_>, tally: &mut Tally) -> Result<(), Failure> {
    while let Some(answer) = fetch.next().await {
        let mut answer = answer?;
        tally.answers += 1;
        tally.bytes += answer.bytes();
        while let Some(row) = answer.next_row() {
            landing.write(&row?.line(tally.rows)).await?;
            tally.rows += 1;
        }
    }
    Ok(())
}

/// Returns the time left to Lambda's timeout, less the reserve. The reserve is at most a tenth, for functions with a
/// short timeout.
fn working_time(invocation: &Invocation) -> Duration {
    let left = invocation.time_left(Duration::ZERO);
    left.saturating_sub(RESERVE.min(left / 10))
}

fn out_of_time(plan: &FetchPlan, tally: &Tally, working_time: Duration) -> Failure {
    Failure::timeout(format!(
        "{} of {} requests to {} were answered within {} s, all that the function's timeout leaves; ask for fewer \
         requests, or raise `concurrency` and `requests_per_second` in {}, or the timeout; nothing has landed",
        tally.answers,
        plan.requests,
        plan.url,
        working_time.as_secs(),
        plan.file.display()
    ))
}

fn already_extracted(plan: &FetchPlan, found: &str) -> ExtractResponse {
    let (table, file_land_timestamp) = (plan.table.clone(), plan.file_land_timestamp);
    tracing::info!(table, file_land_timestamp, found, "table already extracted");
    ExtractResponse { table, file_land_timestamp, rows: 0, bytes: 0, files: Vec::new(), already_extracted: true }
}

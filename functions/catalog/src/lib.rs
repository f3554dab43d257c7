//! catalog: from the manifest of a run to what analysts query. Database and tables in Glue, partitions, and the review
//! through Athena; what the review refuses is taken back.
//!
//! The order of a publication:
//!
//! 1. Everything is read and checked, and the plan of what is to be done is logged; a run of which anything is wrong
//!    changes nothing.
//! 2. All tables are pointed at the run, one call each. A table without partitions is published with that. Glue has no
//!    call for several tables: between the first and the last of these calls a join may meet two runs.
//! 3. Partitions are moved, added and, in `rebuild` mode, removed.
//! 4. Every table is counted and read through Athena.
//! 5. What is published now is written into the journal.
//! 6. The raw database, if there is one, is brought in line with what has landed.
//!
//! A failure in 2 to 4 takes every table back to what it was; after that what is published stays. Each step looks at what
//! is there before it acts, so that the same event can be handled again after a crash at any point: the way back is kept
//! in Glue itself.

mod athena;
pub mod command;
mod diff;
mod expire;
mod journal;
mod partitions;
mod plan;
mod projection;
mod publication;
mod raw_history;
mod recreate;
mod review;
mod runs;
mod sync;
mod table_input;

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_sdk_glue::config::timeout::TimeoutConfig;
use boot::metrics::{self, Unit};
use boot::{Boot, Invocation, env};
use contract::message::{
    CatalogRequest, CatalogResponse, ExpireRequest, ExpireResponse, PublishAction, PublishedTable, SyncRequest,
};
use contract::{Failure, FailureKind, MetaData, Replaces, RunId};
use futures::StreamExt;
use serde_json::Value;
use store::Store;
use tokio::time::Instant;

use crate::athena::Athena;
use crate::journal::Recorded;
use crate::plan::Plan;
use crate::publication::Publication;
use crate::review::Finding;
use crate::runs::Runs;

/// Kept of an invocation's time to take a publication back and to answer.
const RESERVE: Duration = Duration::from_secs(60);
/// Queries end this much earlier: a last answer is waited for, and one to the request to stop.
const STOPPING: Duration = Duration::from_secs(2 * athena::LAST_ANSWER.as_secs());
/// Until a call to Glue or Athena that is not answered is made again. The clients know no bound of their own.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);
/// Until a call is given up, all its attempts included.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);
/// Tables under review at once: Athena runs 20 queries of an account at once and queues the others.
const REVIEWS_AT_ONCE: usize = 5;

/// The function, set up.
pub struct App {
    metadata: MetaData,
    base_folder: String,
    raw_hist_bucket: String,
    curated_bucket: String,
    /// How long a run stays that nobody can see any more.
    keep_runs: Duration,
    store: Store,
    glue: aws_sdk_glue::Client,
    athena: Athena,
}

impl App {
    /// From environment and metadata.
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

    /// Whatever an event asks for.
    pub async fn answer(&self, request: CatalogRequest, invocation: &Invocation) -> Result<Value, Failure> {
        let answer = match request {
            CatalogRequest::Sync(request) => serde_json::to_value(self.sync(request, invocation).await?),
            CatalogRequest::Expire(request) => serde_json::to_value(self.expire(request, invocation).await?),
        };
        answer.map_err(Failure::internal)
    }

    /// Brings Glue in line with a run.
    async fn sync(&self, request: SyncRequest, invocation: &Invocation) -> Result<CatalogResponse, Failure> {
        let (now, left) = (Instant::now(), invocation.time_left(RESERVE));
        let runs = self.runs();
        let (run, mut publications) = match request.recreate {
            true => (None, runs.last_published().await?),
            false => runs.publications(&request.run).await.map(|(run, publications)| (Some(run), publications))?,
        };
        let plan = Plan::new(&self.glue, &self.metadata, &publications, request.drop, request.recreate).await?;
        let lines = plan.lines();
        lines.iter().for_each(|line| tracing::info!(run = run.as_ref().map(RunId::as_str), line, "plan"));
        let mut response = CatalogResponse {
            run,
            database: self.metadata.database.name.clone(),
            plan: lines,
            tables: Vec::new(),
            dropped: Vec::new(),
            raw_history: None,
        };
        if request.plan_only {
            return Ok(response);
        }
        response.dropped = plan.dropped().to_vec();
        // boxed: with the SDK's own layers the futures nest deeper than the compiler follows
        let publishing = Box::pin(self.publish(&mut publications, plan, now + left.saturating_sub(STOPPING)));
        let published = tokio::time::timeout_at(now + left, publishing)
            .await
            .unwrap_or_else(|_| Err(Failure::timeout("not all was published within the function's time")));
        match published {
            Ok(findings) => {
                self.record(&publications, &findings).await?;
                recreate::drop_tables(&self.glue, &response.database, &response.dropped).await?;
                response.tables = self.report(&publications, findings);
                response.raw_history = Box::pin(raw_history::sync(self, now + left)).await;
                Ok(response)
            }
            Err(failure) if request.recreate => Err(Failure {
                message: format!(
                    "{}; tables may be missing until {{\"recreate\": true}} has succeeded",
                    failure.message
                ),
                ..failure
            }),
            Err(failure) => Err(Box::pin(self.put_back(&publications, failure)).await),
        }
    }

    /// Publishes and reviews; queries end at the deadline. Gives a finding for each table.
    async fn publish(
        &self,
        publications: &mut [Publication],
        plan: Plan,
        deadline: Instant,
    ) -> Result<Vec<Finding>, Failure> {
        let recreate = plan.recreate;
        if recreate {
            recreate::delete_all(&self.glue, &self.metadata).await?;
        }
        if recreate || !plan.database_exists {
            sync::ensure_database(&self.glue, &self.metadata.database, &self.curated_bucket).await?;
        }
        for (publication, seen) in publications.iter_mut().zip(plan.tables) {
            publication.rolled_back_from = seen.found.as_ref().and_then(publication::rolled_back_from);
            sync::publish(&self.glue, publication, Some(seen.found).filter(|_| !recreate)).await?;
        }
        // looked at again: nothing guards a partition against a run that is newer than the plan
        for publication in publications.iter_mut().filter(|publication| publication.is_partitioned()) {
            match publication.action {
                PublishAction::Withdrawn => {}
                _ if publication.is_projected() => publication.holds_all(),
                _ => {
                    partitions::publish(&self.glue, &self.athena, publication, deadline).await?;
                    partitions::give_back(&self.glue, self.runs(), publication).await?;
                }
            }
        }
        let reviews = publications.iter().map(|one| review::review(&self.glue, &self.athena, one, deadline));
        let findings: Vec<_> = futures::stream::iter(reviews).buffered(REVIEWS_AT_ONCE).collect().await;
        all(findings)
    }

    /// Writes down what is published now. Without that a run could not be brought back whole, so it is a failure; what is
    /// published stays.
    async fn record(&self, publications: &[Publication], findings: &[Finding]) -> Result<(), Failure> {
        let journal = self.runs().journal();
        let published: Vec<_> = publications
            .iter()
            .zip(findings)
            .filter_map(|(publication, finding)| match finding {
                Finding::Agrees(rows) => Some((publication, *rows)),
                Finding::Superseded(_) => None,
            })
            .collect();
        let mut by_run: BTreeMap<&RunId, Vec<Recorded>> = BTreeMap::new();
        let partial = |publication: &Publication| publication.replaces == Replaces::Partitions;
        let partial = published.iter().filter(|(one, _)| partial(one)).map(|(one, _)| one.wanted.table.as_str());
        let before = journal.last(partial).await?;
        for (publication, rows) in published {
            let before = before.iter().find(|before| before.state.table == publication.wanted.table);
            by_run.entry(&publication.run).or_default().push(publication.recorded(rows, before));
        }
        for (run, tables) in by_run {
            let written = journal.write(chrono::Utc::now(), run, tables).await;
            written.map_err(|failure| failure.context(format!("run {run} is published, but not on record")))?;
        }
        Ok(())
    }

    /// Deletes the runs that nobody needs any more.
    async fn expire(&self, request: ExpireRequest, invocation: &Invocation) -> Result<ExpireResponse, Failure> {
        let since = chrono::Utc::now() - self.keep_runs;
        let expiring = Box::pin(expire::expire(&self.glue, self.runs(), since, request.dry_run));
        let expired = tokio::time::timeout(invocation.time_left(RESERVE), expiring).await.unwrap_or_else(|_| {
            Err(Failure::timeout("not all that has expired was deleted within the function's time: ask again"))
        })?;
        let (runs, bytes) = (expired.expired.len(), expired.expired.iter().map(|run| run.bytes).sum::<u64>());
        tracing::info!(runs, bytes, kept = expired.kept, dry_run = expired.dry_run, "runs expired");
        Ok(expired)
    }

    fn runs(&self) -> Runs<'_> {
        Runs { store: &self.store, metadata: &self.metadata, bucket: &self.curated_bucket }
    }

    /// Takes back what was published, and says so.
    async fn put_back(&self, publications: &[Publication], failure: Failure) -> Failure {
        // a failure that says nothing about the data undoes no more than this invocation did
        let wrong = failure.kind == FailureKind::BadData;
        let mut problems = Vec::new();
        for publication in publications {
            if let Err(problem) = self.put_table_back(publication, wrong).await {
                let location = publication.location_before();
                tracing::error!(table = publication.wanted.table, error = %problem, location, "table was not put back");
                problems.push(format!("`{}` (was at {location}): {problem}", publication.name()));
            }
        }
        let outcome = match problems.as_slice() {
            _ if publications.iter().all(|publication| publication.table_before.is_none()) => return failure,
            [] => "what was published before is back in place".into(),
            _ => format!("and what was published before could not be put back: {}", problems.join("; ")),
        };
        Failure { message: format!("{}; {outcome}", failure.message), ..failure }
    }

    async fn put_table_back(&self, publication: &Publication, wrong: bool) -> Result<(), Failure> {
        // before the table: one that this run created is deleted, and its partitions would outlive it for a while
        partitions::put_back(&self.glue, publication, wrong).await?;
        let only_location_known = sync::put_back(&self.glue, publication, wrong).await?;
        if only_location_known && publication.is_partitioned() && publication.replaces == Replaces::Table {
            // partitions that the earlier invocation removed are forgotten, but they all lie under that location
            partitions::repair(&self.athena, publication, Instant::now() + RESERVE / 2).await?;
        }
        Ok(())
    }

    fn report(&self, publications: &[Publication], findings: Vec<Finding>) -> Vec<PublishedTable> {
        let mut freshest = None;
        let mut tables = Vec::new();
        for (publication, finding) in publications.iter().zip(findings) {
            let table = published(publication, finding);
            let (name, run, location) = (&table.table, publication.run.as_str(), &table.location);
            match table.action {
                PublishAction::Superseded => tracing::warn!(table = name, run, location, "table left at a newer run"),
                PublishAction::Withdrawn => {
                    tracing::warn!(table = name, run, location, "table left alone: the run was taken back");
                }
                PublishAction::Created | PublishAction::Updated | PublishAction::Unchanged => {
                    let (rows, partitions) = (table.rows, table.partitions);
                    tracing::info!(table = name, run, action = ?table.action, rows, partitions, location, "table published");
                    metrics::emit(Some(name), &[("RowsPublished", Unit::Count, rows as f64)]);
                    freshest = freshest.max(publication.newest_file_land_timestamp);
                }
            }
            tables.push(table);
        }
        if let Some(newest) = freshest {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
            metrics::emit(None, &[("FreshnessSeconds", Unit::Seconds, now.saturating_sub(newest) as f64)]);
        }
        tables
    }
}

fn published(publication: &Publication, finding: Finding) -> PublishedTable {
    let (action, location, rows) = match finding {
        Finding::Agrees(rows) => (publication.action, publication.wanted.location.clone(), rows),
        Finding::Superseded(location) => match publication.action {
            PublishAction::Withdrawn => (PublishAction::Withdrawn, location, 0),
            _ => (PublishAction::Superseded, location, 0),
        },
    };
    PublishedTable {
        table: publication.wanted.table.clone(),
        location,
        action,
        rows,
        partitions: publication.wanted.partitions.len() as u64,
    }
}

/// All findings, or one failure that tells of every table that failed. Wrong data counts more than a query that failed.
fn all(findings: Vec<Result<Finding, Failure>>) -> Result<Vec<Finding>, Failure> {
    let failures: Vec<&Failure> = findings.iter().filter_map(|finding| finding.as_ref().err()).collect();
    let worst = failures.iter().find(|failure| failure.kind == FailureKind::BadData).or(failures.first());
    if let Some(worst) = worst {
        let messages: Vec<&str> = failures.iter().map(|failure| failure.message.as_str()).collect();
        return Err(Failure { kind: worst.kind, message: messages.join("; ") });
    }
    findings.into_iter().collect()
}

/// The example's metadata and a run of it, for the tests of all modules.
#[cfg(test)]
mod example {
    use std::path::Path;

    use aws_sdk_glue::types::{Table as GlueTable, TableInput};
    use contract::{Manifest, MetaData, Table};

    use crate::publication::{Publication, publications};

    pub fn metadata() -> MetaData {
        MetaData::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../meta_data")).unwrap()
    }

    pub fn table(name: &str) -> Table {
        metadata().curated[name].clone()
    }

    pub fn manifest() -> Manifest {
        let run = "20261123T034500123Z-aaaa";
        serde_json::from_value(serde_json::json!({
            "run": run,
            "database": "example_postcodes_db",
            "dea_version": "v0.1.0",
            "snapshot_date": "2026-11-23",
            "metadata_sha256": "",
            "bucket": "curated",
            "newest_file_land_timestamp": 1_795_000_000,
            "inputs": [],
            "tables": [
                {
                    "table": "random_postcodes",
                    "replaces": "table",
                    "location": format!("s3://curated/database/random_postcodes/{run}/"),
                    "rows": 10,
                    "bytes": 1000,
                    "files": [],
                    "partitions": []
                },
                {
                    "table": "calculated",
                    "replaces": "partitions",
                    "location": format!("s3://curated/database/calculated/{run}/"),
                    "rows": 3,
                    "bytes": 300,
                    "files": [],
                    "partitions": [{
                        "values": ["2026-11-23"],
                        "location": format!("s3://curated/database/calculated/{run}/dea_snapshot_date=2026-11-23/"),
                        "rows": 3
                    }]
                }
            ]
        }))
        .unwrap()
    }

    pub fn publication(table: &str) -> Publication {
        let all = publications(&metadata(), &manifest(), "curated").unwrap();
        all.into_iter().find(|publication| publication.wanted.table == table).unwrap()
    }

    /// What Glue answers about a table that was created like this.
    pub fn glue_table(input: &TableInput, version: &str) -> GlueTable {
        GlueTable::builder()
            .name(input.name())
            .database_name("example_postcodes_db")
            .version_id(version)
            .set_description(input.description.clone())
            .set_owner(input.owner.clone())
            .retention(input.retention())
            .set_storage_descriptor(input.storage_descriptor.clone())
            .set_partition_keys(input.partition_keys.clone())
            .set_table_type(input.table_type.clone())
            .set_parameters(input.parameters.clone())
            .build()
            .unwrap()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_that_failed_is_told_of() {
        let failed = |failure| Err::<Finding, _>(failure);
        assert_eq!(all(vec![Ok(Finding::Agrees(1))]), Ok(vec![Finding::Agrees(1)]));
        let failure =
            all(vec![failed(Failure::throttled("a")), Ok(Finding::Agrees(2)), failed(Failure::bad_data("b"))]);
        assert_eq!(failure, Err(Failure::bad_data("a; b")));
    }
}

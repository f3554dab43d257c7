//! catalog: from the manifest of a run to what analysts query. Database and tables in Glue, partitions, and the review
//! through Athena; what the review refuses is taken back.
//!
//! The order of a publication:
//!
//! 1. Everything is read and checked; a run of which anything is wrong changes nothing.
//! 2. All tables are pointed at the run, one call each. A table without partitions is published with that. Glue has no
//!    call for several tables: between the first and the last of these calls a join may meet two runs.
//! 3. Partitions are moved, added and, in `rebuild` mode, removed.
//! 4. Every table is counted through Athena.
//!
//! 5. The raw database, if there is one, is brought in line with what has landed.
//!
//! A failure in 2 to 4 takes every table back to what it was; one in 5 is reported, and no more. Each step looks at what is there before it acts, so that
//! the same event can be handled again after a crash at any point: the way back is kept in Glue itself.

mod athena;
pub mod command;
mod partitions;
mod publication;
mod raw_history;
mod review;
mod sync;
mod table_input;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_sdk_glue::config::timeout::TimeoutConfig;
use boot::metrics::{self, Unit};
use boot::{Boot, Invocation, env};
use contract::message::{CatalogResponse, CurateResponse, PublishAction, PublishedTable, RawHistory};
use contract::{Failure, FailureKind, Manifest, MetaData, Replaces};
use futures::StreamExt;
use store::Store;
use tokio::time::Instant;

use crate::athena::Athena;
use crate::publication::{Publication, TableBefore, location_of};
use crate::review::Finding;

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
            store: Store::new(&boot.aws),
            glue: aws_sdk_glue::Client::from_conf(glue),
            athena: Athena { client: aws_sdk_athena::Client::from_conf(athena), workgroup, timeout },
        })
    }

    /// Publishes the run that the event names.
    pub async fn handle(&self, event: CurateResponse, invocation: &Invocation) -> Result<CatalogResponse, Failure> {
        let (now, left) = (Instant::now(), invocation.time_left(RESERVE));
        let manifest = publication::read_manifest(&self.store, &event).await?;
        let mut publications = publication::publications(&self.metadata, &manifest, &self.curated_bucket)?;
        // boxed: with the SDK's own layers the futures nest deeper than the compiler follows
        let publishing = Box::pin(self.publish(&mut publications, now + left.saturating_sub(STOPPING)));
        let published = tokio::time::timeout_at(now + left, publishing).await.unwrap_or_else(|_| {
            Err(Failure::timeout(format!("run {} was not published within the function's time", manifest.run)))
        });
        match published {
            Ok(findings) => {
                let raw_history = Box::pin(raw_history::sync(self, now + left)).await;
                Ok(self.report(&manifest, &publications, findings, raw_history))
            }
            Err(failure) => Err(Box::pin(self.put_back(&publications, failure)).await),
        }
    }

    /// Publishes and reviews; queries end at the deadline. Gives a finding for each table.
    async fn publish(&self, publications: &mut [Publication], deadline: Instant) -> Result<Vec<Finding>, Failure> {
        sync::ensure_database(&self.glue, &self.metadata.database, &self.curated_bucket).await?;
        for publication in &mut *publications {
            sync::publish(&self.glue, publication).await?;
        }
        for publication in publications.iter_mut().filter(|publication| publication.is_partitioned()) {
            partitions::publish(&self.glue, &self.athena, publication, deadline).await?;
        }
        let reviews = publications.iter().map(|one| review::review(&self.glue, &self.athena, one, deadline));
        let findings: Vec<_> = futures::stream::iter(reviews).buffered(REVIEWS_AT_ONCE).collect().await;
        all(findings)
    }

    /// Takes back what was published, and says so.
    async fn put_back(&self, publications: &[Publication], failure: Failure) -> Failure {
        // a failure that says nothing about the data undoes no more than this invocation did
        let wrong = failure.kind == FailureKind::BadData;
        let mut problems = Vec::new();
        for publication in publications {
            if let Err(problem) = self.put_table_back(publication, wrong).await {
                let location = match &publication.table_before {
                    Some(TableBefore::Was(table)) => location_of(table),
                    _ => "nothing",
                };
                tracing::error!(table = publication.output.table, error = %problem, location, "table was not put back");
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
        if only_location_known && publication.is_partitioned() && publication.output.replaces == Replaces::Table {
            // partitions that the earlier invocation removed are forgotten, but they all lie under that location
            partitions::repair(&self.athena, publication, Instant::now() + RESERVE / 2).await?;
        }
        Ok(())
    }

    fn report(
        &self,
        manifest: &Manifest,
        publications: &[Publication],
        findings: Vec<Finding>,
        raw_history: Option<RawHistory>,
    ) -> CatalogResponse {
        let tables: Vec<_> = publications.iter().zip(findings).map(|(one, finding)| published(one, finding)).collect();
        for table in &tables {
            let (name, run, location) = (&table.table, manifest.run.as_str(), &table.location);
            if table.action == PublishAction::Superseded {
                tracing::warn!(table = name, run, location, "table left at a newer run");
                continue;
            }
            let (rows, partitions) = (table.rows, table.partitions);
            tracing::info!(table = name, run, action = ?table.action, rows, partitions, location, "table published");
            metrics::emit(Some(name), &[("RowsPublished", Unit::Count, rows as f64)]);
        }
        let published_any = tables.iter().any(|table| table.action != PublishAction::Superseded);
        if let Some(newest) = manifest.newest_file_land_timestamp.filter(|_| published_any) {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
            metrics::emit(None, &[("FreshnessSeconds", Unit::Seconds, now.saturating_sub(newest) as f64)]);
        }
        CatalogResponse { run: manifest.run.clone(), database: manifest.database.clone(), tables, raw_history }
    }
}

fn published(publication: &Publication, finding: Finding) -> PublishedTable {
    let (action, location, rows) = match finding {
        Finding::Agrees(rows) => (publication.action, publication.output.location.clone(), rows),
        Finding::Superseded(location) => (PublishAction::Superseded, location, 0),
    };
    PublishedTable {
        table: publication.output.table.clone(),
        location,
        action,
        rows,
        partitions: publication.output.partitions.len() as u64,
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
        all.into_iter().find(|publication| publication.output.table == table).unwrap()
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

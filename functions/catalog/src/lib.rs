//! catalog: publishes a run. It turns the run's manifest into the database, tables and partitions in Glue that analysts
//! query, and reviews them through Athena. A publication that the review refuses is reverted.
//!
//! The order of a publication:
//!
//! 1. Everything is read and checked, and the plan of changes is logged. A run with any error changes nothing.
//! 2. The publication is decided: one object states what is published, and it is overwritten only if it is unchanged
//!    since it was read. If another invocation was quicker, everything starts again.
//! 3. Glue is brought in line with the decision. First all tables are pointed at their runs, with one call each. Then
//!    partitions are moved, added and removed.
//! 4. Every table of the run is counted and sampled through Athena.
//! 5. The decision is settled, by a write conditional on the same decision. If there is another one by then, Glue is
//!    brought in line with that.
//! 6. The raw database, if there is one, is brought in line with the landed files.
//!
//! If step 3 or 4 fails, a further decision publishes the former state again, and Glue is brought in line with that.
//! After a crash at any point, the next invocation that finds an unsettled decision brings all tables in line.

mod app;

mod manifest;
mod runs;

mod adopt;
mod decision;
mod journal;

mod definition;
mod foreign;
mod projection;
mod publication;

mod diff;
mod plan;

mod publish;
mod watch;

mod glue_table;
mod lookup;
mod partitions;
mod recreate;

mod athena;
mod review;

mod raw_history;

mod expire;

pub mod command;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use boot::Invocation;
use boot::metrics::{self, Unit};
use contract::message::{
    CatalogRequest, CatalogResponse, CurateResponse, ExpireRequest, ExpireResponse, FailedTable, PublishAction,
    PublishRequest, PublishedTable, Target,
};
use contract::{Failure, FailureKind, RunId};
use serde_json::Value;
use tokio::time::Instant;

pub use crate::app::App;
use crate::decision::Outcome;
use crate::journal::Current;
use crate::plan::PublicationPlan;
use crate::publication::Publication;
use crate::publish::Publishing;
use crate::runs::{Proposed, Wish};

/// The part of an invocation's time that is reserved for reverting a publication and answering.
const RESERVE: Duration = Duration::from_mins(1);
/// Queries end this much earlier, which leaves time for one last status request and one request to stop.
const STOPPING: Duration = Duration::from_secs(2 * athena::LAST_ANSWER.as_secs());
/// How often a publication starts again because another invocation has decided meanwhile.
const ATTEMPTS: u32 = 6;

impl App {
    /// Publishes a run or expires old ones, as the event requests.
    ///
    /// # Errors
    /// The reason why the request failed. A failed publication has been reverted, except one with `recreate`.
    pub async fn answer(&self, request: CatalogRequest, invocation: &Invocation) -> Result<Value, Failure> {
        let answer = match request {
            CatalogRequest::Publish(request) => serde_json::to_value(self.publish(*request, invocation).await?),
            CatalogRequest::Expire(request) => serde_json::to_value(self.expire(request, invocation).await?),
        };
        answer.map_err(Failure::internal)
    }

    /// Decides that a run is published, and brings Glue in line with that decision.
    async fn publish(&self, request: PublishRequest, invocation: &Invocation) -> Result<CatalogResponse, Failure> {
        let (now, left) = (Instant::now(), invocation.time_left(RESERVE));
        let mut wish = self.runs().wish(&request).await?;
        let built = match &request.run {
            Target::Built(built) => Some(built),
            Target::Named(_) | Target::Latest => None,
        };
        // tables that cannot be published, in addition to those that curate could not build; they do not stop the
        // others
        let mut failed = Vec::new();
        for attempt in 0..ATTEMPTS {
            if attempt > 0 {
                tokio::time::sleep(Duration::from_millis(50 << attempt)).await;
            }
            let looked = Box::pin(self.look(&wish, &request)).await;
            let (current, proposed, publications, plan) = match looked {
                // Glue names the run that curate builds on next, so it must be in line with the decision first
                Err(failure) if failure.kind == FailureKind::Stale && !request.plan_only => {
                    Box::pin(Publishing::reconcile(self)).await?;
                    return Err(failure);
                }
                looked => looked?,
            };
            if let Some((_, first)) = plan.conflicts.first() {
                let rest = wish.without(&plan.conflicts).filter(|_| built.is_some());
                wish = rest.ok_or_else(|| first.clone())?;
                failed.extend(plan.conflicts.iter().map(|(table, failure)| FailedTable {
                    table: table.clone(),
                    error: failure.kind.name().into(),
                    message: failure.message.clone(),
                }));
                continue;
            }
            let lines = plan.lines();
            let run = proposed.run.as_ref().map(RunId::as_str);
            lines.iter().for_each(|line| tracing::info!(run, line, "plan"));
            let mut response = CatalogResponse {
                run: proposed.run.clone(),
                database: self.metadata.database.name.clone(),
                plan: lines,
                tables: Vec::new(),
                dropped: Vec::new(),
                raw_history: None,
                failure: failure(built, &failed),
                failed: failed.clone(),
            };
            if request.plan_only {
                return Ok(response);
            }
            response.dropped = plan.dropped().to_vec();
            let Some(mut publishing) = Publishing::decide(self, current, &proposed, publications).await? else {
                tracing::info!(run, "another publication was quicker: starting again");
                continue;
            };
            let deadline = now + left.saturating_sub(STOPPING);
            // boxed: with the SDK's own layers, the futures nest too deeply for rustc to compute their layout
            let published = tokio::time::timeout_at(now + left, Box::pin(publishing.publish(plan, deadline)))
                .await
                .unwrap_or_else(|_| Err(Failure::timeout("not all was published within the function's time")));
            if let Err(failure) = published {
                return Err(if request.recreate {
                    failed_to_recreate(failure)
                } else {
                    Box::pin(publishing.take_back(failure)).await
                });
            }
            recreate::drop_tables(&self.glue, &response.database, &response.dropped).await?;
            response.tables = self.report(&publishing, &proposed);
            response.raw_history = Box::pin(raw_history::update(self, now + left)).await;
            return Ok(response);
        }
        Err(Failure::unavailable(format!("other publications intervened {ATTEMPTS} times")))
    }

    /// Reads what is published and plans the publication. Foreign tables in Glue are read after the decision and before
    /// the new one is written.
    async fn look(
        &self,
        wish: &Wish,
        request: &PublishRequest,
    ) -> Result<(Current, Proposed, Vec<Publication>, PublicationPlan), Failure> {
        let mut current = self.current().await?;
        let taken_over = foreign::found(&self.glue, &self.metadata, &mut current.decision, &request.take_over).await?;
        let mut proposed = self.runs().proposed(wish, &current).await?;
        proposed.next = decision::take_over(&proposed.next, &taken_over, chrono::Utc::now());
        if request.drop {
            let tables = proposed.next.tables.iter().map(|table| table.state.table.clone());
            let obsolete: Vec<_> = tables.filter(|table| !self.metadata.curated.contains_key(table)).collect();
            proposed.next = decision::drop_tables(&proposed.next, &obsolete, chrono::Utc::now());
        }
        let publications = self.publications(&current, &proposed)?;
        let plan =
            PublicationPlan::new(&self.glue, &self.metadata, &publications, request.drop, request.recreate).await?;
        Ok((current, proposed, publications, plan))
    }

    /// Returns a publication for each table of the run, and for all other tables if the current decision is not
    /// settled.
    fn publications(&self, current: &Current, proposed: &Proposed) -> Result<Vec<Publication>, Failure> {
        let mut publications = Vec::new();
        for (name, outcome) in &proposed.tables {
            let Some(decided) = proposed.next.table(name) else { continue };
            let run = proposed.run.clone().or_else(|| decided.state.run());
            let run = run.ok_or_else(|| Failure::internal(format!("table `{name}` is at no run")))?;
            publications.push(Publication::new(&self.metadata, decided, &run, Some(*outcome))?);
        }
        if current.etag.is_some() && !current.decision.settled {
            publications.extend(self.others(&proposed.next, &publications)?);
        }
        Ok(publications)
    }

    /// Brings Glue in line, then deletes the runs that have been unreachable for `KeepRunsDays`.
    async fn expire(&self, request: ExpireRequest, invocation: &Invocation) -> Result<ExpireResponse, Failure> {
        let since = chrono::Utc::now() - self.keep_runs;
        if !request.dry_run {
            // once a day: if an invocation's last call arrived late, no other invocation may have corrected it
            let reconciling = tokio::time::timeout(invocation.time_left(RESERVE) / 2, Publishing::reconcile(self));
            let reconciled = Box::pin(reconciling).await;
            let reconciled = reconciled.unwrap_or_else(|_| Err(Failure::timeout("not all tables were looked at")));
            if let Err(failure) = reconciled {
                tracing::error!(error = %failure, "tables are not in line with what is decided");
            }
        }
        let expiring = Box::pin(expire::expire(self, since, request.dry_run));
        let expired = tokio::time::timeout(invocation.time_left(RESERVE), expiring).await.unwrap_or_else(|_| {
            Err(Failure::timeout("not all that has expired was deleted within the function's time: ask again"))
        })?;
        let (runs, bytes) = (expired.expired.len(), expired.expired.iter().map(|run| run.bytes).sum::<u64>());
        tracing::info!(runs, bytes, kept = expired.kept, dry_run = expired.dry_run, "runs expired");
        Ok(expired)
    }

    fn report(&self, publishing: &Publishing<'_>, proposed: &Proposed) -> Vec<PublishedTable> {
        let mut freshest = None;
        let mut tables = Vec::new();
        for publication in &publishing.publications {
            let Some(outcome) = publication.outcome else { continue };
            let rows = publishing.rows.get(&publication.wanted.table).copied().unwrap_or_default();
            let table = published(publication, outcome, rows, proposed);
            let (name, run, location) = (&table.table, publication.run.as_str(), &table.location);
            match table.action {
                PublishAction::Superseded => tracing::warn!(table = name, run, location, "table left at a newer run"),
                PublishAction::Withdrawn => {
                    tracing::warn!(table = name, run, location, "table left alone: the run was taken back");
                }
                PublishAction::Created | PublishAction::Updated | PublishAction::Unchanged => {
                    let (rows, partitions) = (table.rows, table.partitions);
                    let action = &table.action;
                    tracing::info!(table = name, run, ?action, rows, partitions, location, "table published");
                    metrics::emit(Some(name), &[("RowsPublished", Unit::Count, rows as f64)]);
                    freshest = freshest.max(proposed.newest);
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

fn published(publication: &Publication, outcome: Outcome, rows: u64, proposed: &Proposed) -> PublishedTable {
    let wanted = &publication.wanted;
    let written = proposed.written.get(&wanted.table).copied();
    PublishedTable {
        table: wanted.table.clone(),
        location: wanted.location.clone(),
        action: match outcome {
            Outcome::Published => publication.action,
            Outcome::Superseded => PublishAction::Superseded,
            Outcome::Withdrawn => PublishAction::Withdrawn,
        },
        rows,
        partitions: written.unwrap_or(wanted.partitions.len() as u64),
    }
}

/// Returns the failure that ends the execution if tables could not be built or published.
fn failure(built: Option<&CurateResponse>, failed: &[FailedTable]) -> Option<contract::message::Outcome> {
    if failed.is_empty() {
        return built?.failure.clone();
    }
    let all = built.map_or_else(Vec::new, |built| built.failed.clone());
    let all = [all.as_slice(), failed].concat();
    contract::message::Outcome::of(&all, "What was published of these stays; the others are published.")
}

fn failed_to_recreate(failure: Failure) -> Failure {
    let advice = "tables may be missing until {\"recreate\": true} has succeeded";
    Failure { message: format!("{}; {advice}", failure.message), ..failure }
}

/// The example's metadata and a run of it, for the tests of all modules.
#[cfg(test)]
mod example {
    use std::path::Path;

    use aws_sdk_glue::types::{Table as GlueTable, TableInput};
    use contract::{MetaData, Table};

    use crate::decision::Outcome;
    use crate::manifest::Manifest;
    use crate::publication::{Publication, proposal};

    pub(crate) fn metadata() -> MetaData {
        MetaData::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../meta_data")).unwrap()
    }

    pub(crate) fn table(name: &str) -> Table {
        metadata().curated[name].clone()
    }

    pub(crate) fn manifest() -> Manifest {
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

    pub(crate) fn publication(table: &str) -> Publication {
        let proposal = proposal(&metadata(), &manifest(), "curated", false).unwrap();
        let proposed = proposal.tables.into_iter().find(|proposed| proposed.table.state.table == table).unwrap();
        Publication::new(&metadata(), &proposed.table, &proposal.run, Some(Outcome::Published)).unwrap()
    }

    /// Returns Glue's answer for a table that was created from this input.
    pub(crate) fn glue_table(input: &TableInput, version: &str) -> GlueTable {
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

//! Publishing: a decision is written, and Glue is brought in line with it. An invocation that is overtaken by another
//! decision brings Glue in line with that one. Glue therefore ends at the newest decision, complete, whichever call
//! comes last.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::Utc;
use contract::{Failure, FailureKind, RunId};
use futures::StreamExt;
use tokio::time::Instant;

use crate::app::App;
use crate::decision::{self, Decision};
use crate::glue_table;
use crate::journal::Current;
use crate::lookup;
use crate::lookup::tables_of;
use crate::partitions;
use crate::plan::PublicationPlan;
use crate::projection;
use crate::publication::Publication;
use crate::recreate;
use crate::review;
use crate::runs::Proposed;
use crate::watch::{Progress, Watch};

/// Tables under review at once. Athena runs 20 queries of an account at once and queues the others.
const REVIEWS_AT_ONCE: usize = 5;
/// How often Glue is brought in line if other invocations decide meanwhile.
const ROUNDS: u32 = 10;

/// A decision on its way into Glue.
pub(crate) struct Publishing<'a> {
    app: &'a App,
    /// The current decision.
    current: Current,
    /// The decision that was made here, and the one before it, for a revert. `None` if nothing changed.
    decided: Option<(Decision, Decision)>,
    /// The run that is published.
    run: Option<RunId>,
    /// The tables that are brought in line.
    pub publications: Vec<Publication>,
    /// The rows that were counted, by table.
    pub rows: BTreeMap<String, u64>,
}

impl<'a> Publishing<'a> {
    /// Writes the proposed decision. Returns `None` if another invocation was quicker.
    pub(crate) async fn decide(
        app: &'a App,
        before: Current,
        proposed: &Proposed,
        publications: Vec<Publication>,
    ) -> Result<Option<Self>, Failure> {
        let changes = proposed.next.sequence != before.decision.sequence;
        let (current, decided) = match changes {
            true => match app.runs().journal().write(&before, proposed.next.clone()).await? {
                Some(current) => (current, Some((proposed.next.clone(), before.decision))),
                None => return Ok(None),
            },
            // Glue was read after the decision, which must still be the current one
            false if !app.runs().journal().is_current(&before).await? => return Ok(None),
            false => (before, None),
        };
        let run = proposed.run.clone();
        Ok(Some(Self { app, current, decided, run, publications, rows: BTreeMap::new() }))
    }

    /// Brings all existing tables in line with the decision, whichever invocation made it. Counts nothing.
    pub(crate) async fn reconcile(app: &'a App) -> Result<(), Failure> {
        let current = app.current().await?;
        let found = tables_of(&app.glue, &app.metadata.database.name).await?.unwrap_or_default();
        let mut publications = app.others(&current.decision, &[])?;
        publications.retain(|one| found.iter().any(|table| table.name() == one.wanted.table));
        let mut all = Self { app, current, decided: None, run: None, publications, rows: BTreeMap::new() };
        for round in 0..ROUNDS {
            pause(round).await;
            if all.bring_in_line(None, None).await? != Progress::Overtaken {
                return Ok(());
            }
            all.follow().await?;
        }
        Err(Failure::unavailable(format!("other publications intervened {ROUNDS} times")))
    }

    /// Brings Glue in line with the decision, counts the tables and settles. Queries end at the deadline.
    pub(crate) async fn publish(&mut self, plan: PublicationPlan, deadline: Instant) -> Result<(), Failure> {
        let app = self.app;
        if plan.recreate {
            recreate::delete_all(&app.glue, &app.metadata).await?;
        }
        if plan.recreate || !plan.database_exists {
            glue_table::ensure_database(&app.glue, &app.metadata.database, &app.curated_bucket).await?;
        }
        let mut seen = Some(plan).filter(|plan| !plan.recreate);
        let mut counted_wrong = false;
        for round in 0..ROUNDS {
            pause(round).await;
            match self.bring_in_line(seen.take(), Some(deadline)).await? {
                Progress::Overtaken => {
                    counted_wrong = false;
                    self.follow().await?;
                    continue;
                }
                Progress::Changed => counted_wrong = false,
                Progress::InLine => {}
            }
            match self.review(deadline).await {
                Ok(()) if self.settle().await? => return Ok(()),
                // a slow invocation may have changed Glue during the count, and corrected it since: the tables are
                // counted once more
                Err(failure) if failure.kind == FailureKind::BadData && !counted_wrong => {
                    tracing::warn!(error = %failure, "looking and counting again");
                    counted_wrong = true;
                    continue;
                }
                Err(failure) if app.runs().journal().is_current(&self.current).await? => return Err(failure),
                Ok(()) | Err(_) => {}
            }
            counted_wrong = false;
            self.follow().await?;
        }
        Err(Failure::unavailable(format!("other publications intervened {ROUNDS} times")))
    }

    /// Brings Glue in line with the current decision. `seen` is Glue's state as the plan read it, before that decision
    /// was written.
    async fn bring_in_line(
        &mut self,
        seen: Option<PublicationPlan>,
        deadline: Option<Instant>,
    ) -> Result<Progress, Failure> {
        let app = self.app;
        let watch = Watch::new(app.runs().journal(), &self.current);
        let athena = deadline.map(|deadline| (&app.athena, deadline));
        let seen: Vec<_> = match seen {
            Some(plan) => plan.tables.into_iter().map(|table| (Some(table.found), Some(table.registered))).collect(),
            None => self.publications.iter().map(|_| (None, None)).collect(),
        };
        let mut progress = Progress::InLine;
        let mut registered = Vec::new();
        for (publication, (table, mut partitions)) in self.publications.iter_mut().zip(seen) {
            // while Athena computes a table's partitions, it ignores registered ones; they are registered before
            // projection ends
            if publication.has_registered_partitions() {
                let is_computed = match &table {
                    Some(found) => found.as_ref().is_some_and(projection::is_of),
                    None => lookup::get_table(&app.glue, publication).await?.as_ref().is_some_and(projection::is_of),
                };
                if is_computed
                    && partitions::publish(&app.glue, None, publication, partitions.take(), &watch).await?
                        == Progress::Overtaken
                {
                    return Ok(Progress::Overtaken);
                }
            }
            match glue_table::publish(&app.glue, publication, table, &watch).await? {
                Progress::Overtaken => return Ok(Progress::Overtaken),
                Progress::Changed => progress = Progress::Changed,
                Progress::InLine => {}
            }
            registered.push(partitions);
        }
        for (publication, registered) in self.publications.iter_mut().zip(registered) {
            if !publication.has_registered_partitions() {
                continue;
            }
            match partitions::publish(&app.glue, athena, publication, registered, &watch).await? {
                Progress::Overtaken => return Ok(Progress::Overtaken),
                Progress::Changed => progress = Progress::Changed,
                Progress::InLine => {}
            }
        }
        Ok(progress)
    }

    /// Counts the tables of the run that no other decision has replaced.
    async fn review(&mut self, deadline: Instant) -> Result<(), Failure> {
        let app = self.app;
        let wanted =
            self.publications.iter().filter(|one| one.is_published() && !self.rows.contains_key(&one.wanted.table));
        let reviews = wanted.map(|publication| async move {
            let rows = review::review(&app.athena, publication, deadline).await;
            rows.map(|rows| (publication.wanted.table.clone(), rows))
        });
        let findings: Vec<_> = futures::stream::iter(reviews).buffered(REVIEWS_AT_ONCE).collect().await;
        self.rows.extend(findings.iter().filter_map(|finding| finding.as_ref().ok().cloned()));
        all(findings)
    }

    /// Records that Glue is in line with the decision. Returns whether it is still the current one.
    async fn settle(&mut self) -> Result<bool, Failure> {
        let journal = self.app.runs().journal();
        if self.current.decision.settled && self.current.etag.is_some() {
            return journal.is_current(&self.current).await;
        }
        let settled = Decision { settled: true, ..self.current.decision.clone() };
        match journal.write(&self.current, settled).await? {
            Some(current) => {
                self.current = current;
                Ok(true)
            }
            None => Ok(false),
        }
    }

    /// Follows the decision that another invocation has made meanwhile.
    async fn follow(&mut self) -> Result<(), Failure> {
        let current = self.app.current().await?;
        for publication in &mut self.publications {
            publication.after(&current.decision);
        }
        self.publications.retain(|publication| current.decision.table(&publication.wanted.table).is_some());
        if !current.decision.settled {
            let others = self.app.others(&current.decision, &self.publications)?;
            self.publications.extend(others);
        }
        self.current = current;
        Ok(())
    }

    /// Reverts the publication, and adds the result to the failure's message.
    pub(crate) async fn take_back(mut self, failure: Failure) -> Failure {
        let undone = match self.undo(&failure).await {
            Ok(false) => return failure,
            Ok(true) => self.restore().await,
            Err(problem) => Err(problem),
        };
        let outcome = match undone {
            Ok(()) => "what was published before is back in place".to_owned(),
            Err(problem) => {
                tracing::error!(error = %problem, "not all was put back");
                format!("and what was published before could not be put back: {problem}")
            }
        };
        Failure { message: format!("{}; {outcome}", failure.message), ..failure }
    }

    /// Decides that the former state is published again. Returns whether there was anything to revert.
    async fn undo(&mut self, failure: &Failure) -> Result<bool, Failure> {
        let Some((ours, before)) = self.to_undo(failure).await? else { return Ok(false) };
        for round in 0..ROUNDS {
            pause(round).await;
            let current = self.app.current().await?;
            let next = decision::take_back(&current.decision, &ours, &before, Utc::now());
            if next.sequence == current.decision.sequence {
                // later decisions have left nothing of it
                self.current = current;
                return Ok(true);
            }
            if let Some(current) = self.app.runs().journal().write(&current, next).await? {
                self.current = current;
                return Ok(true);
            }
        }
        Err(Failure::unavailable(format!("other publications intervened {ROUNDS} times")))
    }

    /// Returns the decision to revert, and the one before it. An earlier invocation's decision about the run is
    /// reverted only if the run's data is wrong. Any other failure reverts only what this invocation decided.
    async fn to_undo(&self, failure: &Failure) -> Result<Option<(Decision, Decision)>, Failure> {
        if self.decided.is_some() || failure.kind != FailureKind::BadData {
            return Ok(self.decided.clone());
        }
        let Some(run) = &self.run else { return Ok(None) };
        let (runs, current) = (self.app.runs(), self.app.current().await?);
        let Some(ours) = runs.of_run(run, &current).await? else { return Ok(None) };
        let before = match &ours.before {
            Some(entry) => runs.journal().entry(entry).await?,
            None => Some(Decision::default()).filter(|_| follows_on_nothing(&ours)),
        };
        Ok(before.map(|before| (ours, before)))
    }

    /// Brings Glue in line with the former state.
    async fn restore(&mut self) -> Result<(), Failure> {
        for round in 0..ROUNDS {
            pause(round).await;
            let tables: Vec<String> = self.publications.iter().map(|one| one.wanted.table.clone()).collect();
            let gone = tables.into_iter().filter(|table| self.current.decision.table(table).is_none());
            let gone: Vec<String> = gone.collect();
            self.publications.retain(|publication| !gone.contains(&publication.wanted.table));
            for publication in &mut self.publications {
                publication.after(&self.current.decision);
            }
            if !gone.is_empty() && !self.app.runs().journal().is_current(&self.current).await? {
                self.current = self.app.current().await?;
                continue;
            }
            // the partitions of a deleted table may outlive it for a while
            recreate::drop_with_partitions(&self.app.glue, &self.app.metadata.database.name, &gone).await?;
            if self.bring_in_line(None, None).await? != Progress::Overtaken && self.settle().await? {
                tracing::warn!(run = ?self.run, "what was published before is back in place");
                return Ok(());
            }
            self.current = self.app.current().await?;
            // a table that was deleted here may belong to another decision by now
            let others = self.app.others(&self.current.decision, &self.publications)?;
            self.publications.extend(others);
        }
        Err(Failure::unavailable(format!("other publications intervened {ROUNDS} times")))
    }
}

/// Whether nothing was published before a decision without a `before`: it is the first, or follows a reverted first
/// one. A rollback to the first decision has no `before` either, but follows another run. A takeover follows a foreign
/// table.
fn follows_on_nothing(decision: &Decision) -> bool {
    decision.tables.iter().all(|table| table.rolled_back_from.is_none() && table.takes_over.is_none())
}

/// Returns success, or one failure with the messages of all tables that failed. Wrong data outranks a query that
/// failed.
fn all<T>(findings: Vec<Result<T, Failure>>) -> Result<(), Failure> {
    let failures: Vec<&Failure> = findings.iter().filter_map(|finding| finding.as_ref().err()).collect();
    let worst = failures.iter().find(|failure| failure.kind == FailureKind::BadData).or(failures.first());
    match worst {
        Some(worst) => {
            let messages: Vec<&str> = failures.iter().map(|failure| failure.message.as_str()).collect();
            Err(Failure { kind: worst.kind, message: messages.join("; ") })
        }
        None => Ok(()),
    }
}

async fn pause(round: u32) {
    if round > 0 {
        tokio::time::sleep(Duration::from_millis(25 << round.min(6))).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_that_failed_is_told_of() {
        assert_eq!(all(vec![Ok(1)]), Ok(()));
        let failure = all(vec![Err(Failure::throttled("a")), Ok(2), Err(Failure::bad_data("b"))]);
        assert_eq!(failure, Err(Failure::bad_data("a; b")));
    }
}

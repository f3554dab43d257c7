//! Builds the tables of a run from their queries. Tables that only read one raw table, once, are built in parallel from
//! a single reading of it. The others are built one after another. Each table is built after those that it reads.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use arrow::array::RecordBatch;
use contract::{Failure, Table, TableOutput};
use datafusion::common::DataFusionError;
use datafusion::common::runtime::SpawnedTask;
use datafusion::dataframe::DataFrame;
use futures::StreamExt;
use futures::future::{join, join_all};
use tokio::sync::mpsc::{Receiver, channel};
use tokio::task::JoinError;

use crate::align::Align;
use crate::area::Area;
use crate::failed::Failed;
use crate::locate;
use crate::queries::{Frames, Optimized, Planned, TOGETHER, copies_rows, frames, from_files, query_memory};
use crate::query::{Query, ReadTable};
use crate::query_failure::{QueryFailure, of_task};
use crate::secrecy;
use crate::settings::Settings;
use crate::source::RawTable;
use crate::transform::{self, BuildPlan};
use crate::write::TableWriter;
use crate::written::Written;

/// Batches of a query that may wait to be encoded while the query goes on.
const ALIGNED_AHEAD: usize = 4;

/// The queries and raw tables that tables are built from, and their destination.
pub(crate) struct Tables<'a> {
    /// The queries.
    pub plan: &'a BuildPlan,
    /// Every raw table that they read.
    pub raw: &'a BTreeMap<String, Arc<RawTable>>,
    /// The area that the tables are written to.
    pub area: &'a Area,
    pub settings: &'a Settings,
}

impl Tables<'_> {
    /// Builds the requested tables, each in the folder (a key that ends with `/`) that `folder` returns. A table that
    /// fails only stops the tables that read it.
    pub(crate) async fn build(&self, folder: impl Fn(&Table) -> String) -> Result<Built, Failure> {
        let memory = query_memory(self.settings.memory_bytes, self.plan.asked.len());
        let read_by_others = self.read_by_others(&folder);
        let written = |query: &Query, frame: &DataFrame| {
            if copies_rows(query, frame) {
                Ok(None)
            } else {
                read_by_others.get(&query.table.name).map(Written::provider).transpose()
            }
        };
        let Planned { frames, mut failed } = frames(self.plan, from_files(self.raw), written, memory).await?;
        let after = self.after(&frames);
        let mut rounds: BTreeMap<usize, Round> = BTreeMap::new();
        for query in self.plan.order.iter().filter(|query| self.plan.asked.contains(&query.table.name)) {
            let Some(frame) = frames.get(&query.table.name) else { continue };
            let (build, only) = match self.prepare(query, frame, folder(&query.table)).await {
                Ok(prepared) => prepared,
                Err(failure) => {
                    failed.add(&query.table.name, failure)?;
                    continue;
                }
            };
            let round = rounds.entry(after.get(&query.table.name).copied().unwrap_or_default()).or_default();
            match only {
                Some(raw) => round.together.entry(raw).or_default().push(build),
                None => round.alone.push(build),
            }
        }
        let mut outputs = BTreeMap::new();
        // the reasons are searched for only after the other tables are written, because that may take a while
        let mut stopped = Vec::new();
        let mut broken = failed.clone();
        for mut round in rounds.into_values() {
            broken.spread(self.plan.order.iter());
            round.retain(|build| !broken.has(&build.table));
            for (table, built) in self.build_round(round).await? {
                match built {
                    Ok(output) => {
                        if let Some(written) = read_by_others.get(&table) {
                            written.is_there(&output);
                        }
                        outputs.insert(table, output);
                    }
                    Err(reason) => {
                        broken.leave_out(&table);
                        stopped.push((table, reason));
                    }
                }
            }
        }
        let patience = Instant::now() + locate::PATIENCE;
        let until = self.settings.until.map_or(patience, |until| until.min(patience));
        for (table, reason) in stopped {
            // the table ran the query of a failed one, so it failed for the same reason
            if self.curated_of(&table).any(|read| broken.has(read)) {
                continue;
            }
            failed.add(&table, self.explain(reason, until).await)?;
        }
        failed.spread(self.plan.order.iter());
        // a table that ran the query of a failed one may have succeeded
        let built = self.plan.order.iter().map(|query| &query.table.name).filter(|table| !failed.has(table));
        let outputs = built.filter_map(|table| outputs.remove(table)).collect();
        Ok(Built { outputs, failed })
    }

    /// Prepares the build of a table. Also returns the raw table whose reading it may share with other tables.
    async fn prepare(
        &self,
        query: &Query,
        frame: &DataFrame,
        folder: String,
    ) -> Result<(Build, Option<String>), Failure> {
        let table = &query.table;
        let align = Align::new(table, frame.schema().as_arrow())?;
        let optimized = Optimized::of(query, frame)?;
        let reads = optimized.reads()?;
        let hides_partitions = !table.partitions.is_empty()
            && secrecy::of_table(self.plan, self.raw, table).await.any_of(table.partitions.iter());
        let writer = TableWriter::new(self.area, folder, table, align.schema(), hides_partitions)?;
        Ok((Build { writer, align, table: table.name.clone(), query: optimized }, reads.only))
    }

    /// Returns the curated tables that a table's query reads.
    fn curated_of(&self, table: &str) -> impl Iterator<Item = &String> {
        let query = self.plan.order.iter().find(|query| query.table.name == table);
        let reads = query.into_iter().flat_map(|query| &query.reads);
        reads.filter(|(_, source)| **source == ReadTable::Curated).map(|(name, _)| name)
    }

    /// Returns the tables to build that other tables of the run read.
    fn read_by_others(&self, folder: impl Fn(&Table) -> String) -> BTreeMap<String, Arc<Written>> {
        let read = self.plan.order.iter().flat_map(|query| &query.reads);
        let read: BTreeSet<&String> =
            read.filter(|(_, source)| **source == ReadTable::Curated).map(|(n, _)| n).collect();
        let tables = self.plan.order.iter().map(|query| &query.table);
        let tables = tables.filter(|table| self.plan.asked.contains(&table.name) && read.contains(&table.name));
        tables.map(|table| (table.name.clone(), Written::new(self.area, folder(table), table))).collect()
    }

    /// Returns after how many rounds each table can be built.
    fn after(&self, frames: &Frames) -> BTreeMap<String, usize> {
        let mut after = BTreeMap::new();
        let copies = self
            .plan
            .order
            .iter()
            .filter(|query| frames.get(&query.table.name).is_some_and(|frame| copies_rows(query, frame)));
        let copies: BTreeSet<&String> = copies.map(|query| &query.table.name).collect();
        for query in &self.plan.order {
            let curated = query.reads.iter().filter(|(_, source)| **source == ReadTable::Curated);
            let rounds = curated.map(|(name, _)| {
                let waits = self.plan.asked.contains(name) && !copies.contains(name);
                after.get(name).copied().unwrap_or_default() + usize::from(waits)
            });
            let rounds = rounds.max().unwrap_or_default();
            after.insert(query.table.name.clone(), rounds);
        }
        after
    }

    async fn build_round(&self, round: Round) -> Result<Vec<(String, Outcome)>, Failure> {
        let mut outcomes = Vec::new();
        for (raw, mut builds) in round.together {
            while !builds.is_empty() {
                let some: Vec<_> = builds.drain(..builds.len().min(TOGETHER)).collect();
                let some = self.build_together(&raw, some).await?;
                end_if_in_vain(&some)?;
                outcomes.extend(some);
            }
        }
        for build in round.alone {
            let table = build.table.clone();
            let outcome = [(table, ended(SpawnedTask::spawn(build.run()).await))];
            end_if_in_vain(&outcome)?;
            outcomes.extend(outcome);
        }
        Ok(outcomes)
    }

    async fn build_together(&self, raw: &str, builds: Vec<Build>) -> Result<Vec<(String, Outcome)>, Failure> {
        let Some(raw) = self.raw.get(raw) else { return Err(Failure::internal(format!("`{raw}` was not listed"))) };
        let reading = SpawnedTask::spawn(raw.share(builds.len()));
        let left = &AtomicUsize::new(builds.len());
        let writing = builds.into_iter().map(|build| async move {
            let table = build.table.clone();
            let outcome = ended(SpawnedTask::spawn(build.run()).await);
            raw.shared_by_at_most(left.fetch_sub(1, Ordering::Relaxed) - 1);
            (table, outcome)
        });
        let (mut outcomes, read) = join(join_all(writing), reading).await;
        // if the reading fails, the rows of every table end early
        if let Err(failure) = read.map_err(|error| of_task(&error)).and_then(|read| read) {
            for (_, outcome) in outcomes.iter_mut().filter(|(_, outcome)| outcome.is_ok()) {
                *outcome = Err(Stopped::Elsewhere(failure.clone()));
            }
        }
        Ok(outcomes)
    }

    /// Returns the failure to report. That of a query gets the file and line that it comes from, if they can be found.
    async fn explain(&self, stopped: Stopped, until: Instant) -> Failure {
        match stopped {
            Stopped::InQuery(failure) => locate::explain(self.plan, self.raw, *failure, Some(until)).await.told(),
            Stopped::Elsewhere(failure) => failure,
        }
    }
}

/// The tables that were built, and those that were not.
pub(crate) struct Built {
    /// In the order of the plan.
    pub outputs: Vec<TableOutput>,
    /// Tables that were not written, or whose files must not be used.
    pub failed: Failed,
}

/// The outcome of building a table.
type Outcome = Result<TableOutput, Stopped>;

/// Returns the outcome of a task, which may have panicked.
fn ended(task: Result<Outcome, JoinError>) -> Outcome {
    task.map_err(|error| Stopped::Elsewhere(of_task(&error)))?
}

/// Fails at once with a failure that a retry of the run may overcome.
fn end_if_in_vain(outcomes: &[(String, Outcome)]) -> Result<(), Failure> {
    let mut failures = outcomes.iter().filter_map(|(_, outcome)| match outcome {
        Err(Stopped::Elsewhere(failure)) if failure.kind.is_retryable() => Some(failure.clone()),
        _ => None,
    });
    failures.next().map_or(Ok(()), Err)
}

/// Tables that can be built at the same time.
#[derive(Default)]
struct Round {
    /// Tables that only read one raw table, once, by that raw table.
    together: BTreeMap<String, Vec<Build>>,
    alone: Vec<Build>,
}

impl Round {
    /// Drops the builds that are not wanted.
    fn retain(&mut self, wanted: impl Fn(&Build) -> bool) {
        self.together.values_mut().for_each(|builds| builds.retain(&wanted));
        self.alone.retain(wanted);
    }
}

/// A table about to be built.
struct Build {
    table: String,
    query: Optimized,
    align: Align,
    writer: TableWriter,
}

/// Encodes rows while the query goes on. `None` marks the end of the rows. If the channel closes without it, the query
/// has failed, and the files are not finished.
async fn write(mut writer: TableWriter, mut rows: Receiver<Option<RecordBatch>>) -> Result<TableOutput, Failure> {
    while let Some(batch) = rows.recv().await {
        match batch {
            Some(batch) => writer.write(batch).await?,
            None => return writer.finish().await,
        }
    }
    Err(Failure::internal("the rows of the query have not come to an end"))
}

/// Why a table was not built.
pub(crate) enum Stopped {
    /// The query or its rows are at fault.
    InQuery(Box<QueryFailure>),
    /// The source or the destination is at fault.
    Elsewhere(Failure),
}

impl Stopped {
    /// Returns the reason behind an error of a running query.
    pub(crate) fn of_query(table: &str, error: &DataFusionError) -> Self {
        match transform::own_failure(error) {
            Some(failure) => Self::Elsewhere(failure),
            None => Self::InQuery(Box::new(QueryFailure::of_engine(table, error))),
        }
    }
}

impl Build {
    async fn run(mut self) -> Result<TableOutput, Stopped> {
        let started = Instant::now();
        let table = self.table;
        let of_query = |error| Stopped::of_query(&table, &error);
        let (to, aligned) = channel(ALIGNED_AHEAD);
        let writing = SpawnedTask::spawn(write(self.writer, aligned));
        let mut rows = self.query.run().await.map_err(of_query)?;
        while let Some(batch) = rows.next().await {
            let aligned = self.align.batch(&batch.map_err(of_query)?).map_err(Stopped::InQuery)?;
            if to.send(Some(aligned)).await.is_err() {
                break;
            }
        }
        // a writer that has failed has hung up
        let _ = to.send(None).await;
        let output =
            writing.await.map_err(|error| of_task(&error)).and_then(|output| output).map_err(Stopped::Elsewhere)?;
        tracing::info!(
            table,
            rows = output.rows,
            bytes = output.bytes,
            files = output.files.len(),
            location = output.location,
            millis = started.elapsed().as_millis() as u64,
            "table written"
        );
        Ok(output)
    }
}

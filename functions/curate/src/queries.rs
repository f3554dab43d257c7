//! Plans the queries of a run over its tables: what each reads, and how much memory it may take. Planning reads no
//! data.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Schema};
use contract::{Column, ColumnType, Failure, Table};
use datafusion::catalog::TableProvider;
use datafusion::catalog::cte_worktable::CteWorkTable;
use datafusion::catalog::default_table_source::source_as_provider;
use datafusion::common::DataFusionError;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::dataframe::DataFrame;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::session_state::SessionState;
use datafusion::functions::core::expr_fn::nullif;
use datafusion::logical_expr::{Expr, LogicalPlan, ident, lit};
use datafusion::physical_plan::execute_stream;
use datafusion::prelude::SessionContext;

use crate::align::{Align, assignment};
use crate::engine;
use crate::failed::Failed;
use crate::query::{Query, ReadTable};
use crate::refusal;
use crate::source::RawTable;
use crate::transform::{self, BuildPlan};
use crate::written::WrittenTable;

/// The part of the function's memory that readers, writers and the runtime need.
const OWN_BYTES: usize = 256 << 20;
/// While sorting, DataFusion holds up to this many times the memory that it accounts for (measured with 5 million wide
/// rows).
const HELD_FOR_ACCOUNTED: usize = 3;
/// The least memory of a query, however little there is.
const LEAST_BYTES: usize = 16 << 20;
/// The most tables that are built at once from one reading. They share the memory.
pub(crate) const TOGETHER: usize = 4;

/// Returns the memory that each of several queries may account for. Whatever exceeds it goes to disk.
pub(crate) fn query_memory(memory_bytes: usize, queries: usize) -> usize {
    let accounted = memory_bytes.saturating_sub(OWN_BYTES) / HELD_FOR_ACCOUNTED;
    (accounted / queries.clamp(1, TOGETHER)).max(LEAST_BYTES)
}

/// The planned queries of a run, by curated table.
pub(crate) type Frames = BTreeMap<String, DataFrame>;

/// The curated tables that a query may read, by name.
type Described = BTreeMap<String, Arc<dyn TableProvider>>;

/// The queries that can be run, and the tables whose queries cannot.
pub(crate) struct Planned {
    pub frames: Frames,
    /// Tables whose SQL is wrong, or that read one of these.
    pub failed: Failed,
}

impl Planned {
    /// Returns a table's query, or `None` if the plan does not have it. Fails if the query could not be planned.
    pub(crate) fn take(mut self, table: &str) -> Result<Option<DataFrame>, Failure> {
        match self.failed.of(table) {
            Some(failure) => Err(failure),
            None => Ok(self.frames.remove(table)),
        }
    }
}

/// Plans the queries over these raw tables, each with the same memory. Wrong SQL is recorded here, before anything is
/// read. Tables that read a curated table get what `written` returns, or its query if that is `None`.
pub(crate) async fn frames(
    plan: &BuildPlan,
    raw: impl Fn(&str) -> Result<Arc<dyn TableProvider>, Failure>,
    written: impl Fn(&Query, &DataFrame) -> Result<Option<Arc<dyn TableProvider>>, Failure>,
    memory_bytes: usize,
) -> Result<Planned, Failure> {
    let mut frames = Frames::new();
    let mut described = Described::new();
    let mut failed = Failed::default();
    for query in &plan.order {
        let unplanned =
            |(name, source): (&String, &ReadTable)| *source == ReadTable::Curated && !described.contains_key(name);
        if query.reads.iter().any(unplanned) {
            continue;
        }
        let planned = async {
            let frame = frame(query, &raw, &described, memory_bytes).await?;
            let seen_by_others = if let Some(written) = written(query, &frame)? {
                written
            } else {
                let aligned = frame.clone().select(as_described(&query.table, frame.schema().as_arrow()));
                aligned.map_err(|error| transform::planning_failure(query, error))?.into_view()
            };
            Ok((frame, seen_by_others))
        };
        match planned.await {
            Ok((frame, seen_by_others)) => {
                described.insert(query.table.name.clone(), seen_by_others);
                frames.insert(query.table.name.clone(), frame);
            }
            Err(failure) => failed.add(&query.table.name, failure)?,
        }
    }
    failed.spread(plan.order.iter());
    Ok(Planned { frames, failed })
}

/// Plans one query, and checks everything that does not need data.
async fn frame(
    query: &Query,
    raw: impl Fn(&str) -> Result<Arc<dyn TableProvider>, Failure>,
    described: &Described,
    memory_bytes: usize,
) -> Result<DataFrame, Failure> {
    let context = context(query, raw, described, memory_bytes)?;
    let wrong = |error| transform::planning_failure(query, error);
    let plan = context.state().statement_to_plan(query.statement.clone()).await.map_err(wrong)?;
    let plan = engine::mend(plan, &query.said).map_err(wrong)?;
    let frame = context.execute_logical_plan(plan).await.map_err(wrong)?;
    transform::check_reproducible(query, frame.logical_plan())?;
    refusal::check_regexes(query, frame.logical_plan())?;
    Align::new(&query.table, frame.schema().as_arrow())?;
    Ok(frame)
}

/// Provides the raw tables as their files have them.
pub(crate) fn from_files(
    raw: &BTreeMap<String, Arc<RawTable>>,
) -> impl Fn(&str) -> Result<Arc<dyn TableProvider>, Failure> + '_ {
    |name| match raw.get(name) {
        Some(raw) => Ok(Arc::new(raw.provider()?)),
        None => Err(Failure::internal(format!("`{name}` was not listed"))),
    }
}

/// For queries that are only planned: no curated table was written.
pub(crate) fn nothing_written(_: &Query, _: &DataFrame) -> Result<Option<Arc<dyn TableProvider>>, Failure> {
    Ok(None)
}

/// Creates a session that has exactly the tables that the query names.
fn context(
    query: &Query,
    raw: impl Fn(&str) -> Result<Arc<dyn TableProvider>, Failure>,
    described: &Described,
    memory_bytes: usize,
) -> Result<SessionContext, Failure> {
    let context = engine::session(memory_bytes)?;
    for (name, source) in &query.reads {
        let provider = match source {
            ReadTable::Raw => Some(raw(name)?),
            ReadTable::Curated => described.get(name).map(Arc::clone),
        };
        if let Some(provider) = provider {
            let registered = context.register_table(name.as_str(), provider);
            registered.map_err(|error| transform::planning_failure(query, error))?;
        }
    }
    Ok(context)
}

/// Returns the described columns as they would be written, for tables of the run that read this query.
fn as_described(table: &Table, query: &Schema) -> Vec<Expr> {
    let column = |column: &Column| {
        let found = query.field_with_name(&column.name).map_or(&DataType::Null, |field| field.data_type());
        let stored = assignment::stored(ident(&column.name), found, column);
        // in a folder's name, an empty text cannot be told from a null
        let in_folder = table.partitions.contains(&column.name) && column.column_type == ColumnType::String;
        let stored = if in_folder { nullif(stored, lit("")) } else { stored };
        // a redundant alias breaks DataFusion's elimination of common subexpressions
        if stored == ident(&column.name) { stored } else { stored.alias(&column.name) }
    };
    table.columns.iter().map(column).collect()
}

/// The tables that a query reads, and how.
#[derive(Debug)]
pub(crate) struct Reads {
    /// The raw table, if the query reads it once and nothing else.
    pub only: Option<String>,
    /// Whether the query makes each row from one raw row alone.
    pub row_by_row: bool,
}

impl Reads {
    fn of(plan: &LogicalPlan) -> Result<Self, Failure> {
        let (mut scans, mut row_by_row, mut written) = (Vec::new(), true, false);
        let seen = plan.apply_with_subqueries(|node| {
            match node {
                // the working table of a recursive query is not one of our tables
                LogicalPlan::TableScan(scan) if source_as_provider(&scan.source)?.is::<CteWorkTable>() => {
                    row_by_row = false;
                }
                LogicalPlan::TableScan(scan) => {
                    written |= source_as_provider(&scan.source)?.is::<WrittenTable>();
                    scans.push(scan.table_name.table().to_owned());
                }
                LogicalPlan::Projection(_) | LogicalPlan::Filter(_) | LogicalPlan::SubqueryAlias(_) => {}
                _ => row_by_row = false,
            }
            Ok(TreeNodeRecursion::Continue)
        });
        seen.map_err(Failure::internal)?;
        let only = if scans.len() == 1 && !written { scans.pop() } else { None };
        Ok(Self { row_by_row: row_by_row && only.is_some(), only })
    }
}

/// Whether each row of a table is made from one raw row alone. Other tables then run its query themselves, over the
/// same reading of the raw table, and still see exactly what is written.
pub(crate) fn copies_rows(query: &Query, frame: &DataFrame) -> bool {
    // rows of a table with partitions are written in another order
    query.table.partitions.is_empty()
        && Reads::of(frame.logical_plan()).is_ok_and(|reads| reads.row_by_row && reads.only.is_some())
}

/// A table's query, optimised.
#[derive(Debug)]
pub(crate) struct Optimized {
    state: SessionState,
    plan: LogicalPlan,
}

impl Optimized {
    /// Optimises the query of a table once, both to see what it reads and to run it.
    pub(crate) fn of(query: &Query, frame: &DataFrame) -> Result<Self, Failure> {
        let (state, plan) = frame.clone().into_parts();
        let plan = state.optimize(&plan).map_err(|error| transform::planning_failure(query, error))?;
        Ok(Self { state, plan })
    }

    /// Returns the tables that the query reads, and how.
    pub(crate) fn reads(&self) -> Result<Reads, Failure> {
        Reads::of(&self.plan)
    }

    /// Runs the query and returns its rows.
    pub(crate) async fn run(self) -> Result<SendableRecordBatchStream, DataFusionError> {
        let plan = self.state.query_planner().create_physical_plan(&self.plan, &self.state).await?;
        execute_stream(plan, self.state.task_ctx())
    }
}

//! Finds out which line of which file a failed query failed at. A query that makes each row of one row of a raw table is
//! run again, over a few rows at a time, until it fails; of any other there is no one line to name.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{Array, RecordBatch};
use contract::{Failure, FailureKind, Table};
use datafusion::catalog::TableProvider;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::dataframe::DataFrame;
use datafusion::datasource::MemTable;
use datafusion::logical_expr::{LogicalPlan, ident};
use futures::StreamExt;
use tokio::time::timeout;

use crate::align::{Align, shown};
use crate::source::{RawTable, Rows};
use crate::tables::{self, Frames, Optimized, from_files, nothing_written};
use crate::transform::{self, Plan};

/// The search ends after this long at the latest: a failure without its line is better than none.
const PATIENCE: Duration = Duration::from_secs(60);
/// For the few rows that are looked at.
const MEMORY_BYTES: usize = 64 << 20;
/// Columns of a raw row that are shown at most.
const SHOWN_COLUMNS: usize = 3;

/// The failure of a table's query, with file, line, column and values where they can be found out by then.
pub async fn explain(
    plan: &Plan,
    raw: &BTreeMap<String, Arc<RawTable>>,
    table: &str,
    failure: Failure,
    until: Option<Instant>,
) -> Failure {
    let search = Search { plan, raw, table };
    let left = until.map_or(PATIENCE, |until| until.saturating_duration_since(Instant::now()).min(PATIENCE));
    let found = match left.is_zero() {
        true => Ok(None),
        false => timeout(left, search.find()).await.unwrap_or(Ok(None)),
    };
    let found = match found {
        Ok(Some(found)) => found,
        Ok(None) | Err(_) => search.without_values(failure),
    };
    // what failed once and not a second time is told as it was
    Failure { kind: FailureKind::BadData, message: found.message }
}

struct Search<'a> {
    plan: &'a Plan,
    raw: &'a BTreeMap<String, Arc<RawTable>>,
    table: &'a str,
}

impl Search<'_> {
    async fn find(&self) -> Result<Option<Failure>, Failure> {
        let Some(raw) = self.only_raw().await? else { return Ok(None) };
        let mut rows = Box::pin(raw.rows());
        while let Some(rows) = rows.next().await {
            let rows = rows?;
            if self.run(&raw, &rows.batch).await.is_err() {
                return self.name(&raw, &rows).await;
            }
        }
        Ok(None)
    }

    /// The raw table that the query reads, if it makes every row of one row of it.
    async fn only_raw(&self) -> Result<Option<Arc<RawTable>>, Failure> {
        let frames = tables::frames(self.plan, from_files(self.raw), nothing_written, MEMORY_BYTES).await?;
        let Some(frame) = frames.get(self.table) else { return Ok(None) };
        let reads = Optimized::of(self.table, frame)?.reads()?;
        let raw = reads.only.filter(|_| reads.row_by_row).and_then(|name| self.raw.get(&name));
        Ok(raw.map(Arc::clone))
    }

    /// The queries over a few rows of the raw table.
    async fn frames(&self, raw: &RawTable, rows: &RecordBatch) -> Result<Frames, Failure> {
        let provider = |name: &str| {
            let schema = self.raw.get(name).map_or_else(|| rows.schema(), |raw| Arc::clone(raw.schema()));
            let rows = if name == raw.table().name { vec![rows.clone()] } else { Vec::new() };
            let table = MemTable::try_new(schema, vec![rows]).map_err(Failure::internal)?;
            Ok(Arc::new(table) as Arc<dyn TableProvider>)
        };
        tables::frames(self.plan, provider, nothing_written, MEMORY_BYTES).await
    }

    /// Runs the query over a few rows of the raw table.
    async fn run(&self, raw: &RawTable, rows: &RecordBatch) -> Result<(), Failure> {
        let frames = self.frames(raw, rows).await?;
        let (Some(frame), Some(table)) = (frames.get(self.table), self.table()) else { return Ok(()) };
        run(table, frame.clone()).await
    }

    fn table(&self) -> Option<&Table> {
        self.plan.order.iter().map(|query| &query.table).find(|table| table.name == self.table)
    }

    /// Names the first row at fault of rows that are.
    async fn name(&self, raw: &RawTable, rows: &Rows) -> Result<Option<Failure>, Failure> {
        // the first row at fault is always among those from `row` on, `count` of them
        let (mut row, mut count) = (0, rows.batch.num_rows());
        while count > 1 {
            let half = count / 2;
            if self.run(raw, &rows.batch.slice(row, half)).await.is_err() {
                count = half;
            } else {
                row += half;
                count -= half;
            }
        }
        let one = rows.batch.slice(row, count.max(1));
        let frames = self.frames(raw, &one).await?;
        let (Some(frame), Some(table)) = (frames.get(self.table), self.table()) else { return Ok(None) };
        let place = format!("{}, line {}", raw.url(rows.file), rows.line(row));
        for column in &table.columns {
            let only = Table { columns: vec![column.clone()], partitions: Vec::new(), ..table.clone() };
            let of_column = frame.clone().select(vec![ident(&column.name)]).map_err(Failure::internal)?;
            let Err(failure) = run(&only, of_column.clone()).await else { continue };
            let read = read_columns(&of_column)?;
            let hidden = column.sensitive || read.iter().any(|name| is_sensitive(raw, name));
            let values: Vec<_> = read.iter().take(SHOWN_COLUMNS).filter_map(|name| value(raw, &one, name)).collect();
            let values = if values.is_empty() { String::new() } else { format!(" (made of {})", values.join(", ")) };
            let reason = if hidden { reason_without_values() } else { reason(&failure.message) };
            return Ok(Some(Failure::bad_data(format!(
                "table `{}`, column `{}`, {place}: {reason}{values}",
                table.name, column.name
            ))));
        }
        // no column: a filter
        let failure = self.run(raw, &one).await.err().map(|failure| self.without_values(failure));
        Ok(failure.map(|failure| Failure::bad_data(format!("{}, at {place}", failure.message))))
    }

    /// The failure without what DataFusion says of values, where some may not be seen.
    fn without_values(&self, failure: Failure) -> Failure {
        let sensitive = |table: &Table| table.columns.iter().any(|column| column.sensitive);
        let read = self.raw.values().any(|raw| sensitive(raw.table())) || self.table().is_some_and(sensitive);
        match failure.message.split_once(": ") {
            Some((place, _))
                if read && !failure.message.ends_with(SHOWN_BY_ALIGN) && !is_of_align(&failure.message) =>
            {
                Failure { message: format!("{place}: {}", reason_without_values()), ..failure }
            }
            _ => failure,
        }
    }
}

/// Align hides values by itself.
const SHOWN_BY_ALIGN: &str = "not nullable";

fn is_of_align(message: &str) -> bool {
    message.contains("of the query: ")
}

fn reason_without_values() -> String {
    "the query fails at a value (hidden: a column that it reads is sensitive)".into()
}

/// What went wrong, without the place in the query.
fn reason(message: &str) -> String {
    let (_, reason) = message.split_once(": ").unwrap_or(("", message));
    reason.to_owned()
}

/// Runs a query and aligns its rows.
async fn run(table: &Table, frame: DataFrame) -> Result<(), Failure> {
    let mut align = Align::new(table, frame.schema().as_arrow())?;
    let wrong = |error| transform::failure(&table.name, error);
    for batch in frame.collect().await.map_err(wrong)? {
        align.batch(&batch)?;
    }
    Ok(())
}

/// The columns of the raw table that a query reads.
fn read_columns(frame: &DataFrame) -> Result<Vec<String>, Failure> {
    let plan = frame.clone().into_optimized_plan().map_err(Failure::internal)?;
    let mut columns = Vec::new();
    let seen = plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node {
            columns.extend(scan.projected_schema.fields().iter().map(|field| field.name().clone()));
        }
        Ok(TreeNodeRecursion::Continue)
    });
    seen.map_err(Failure::internal)?;
    Ok(columns)
}

fn is_sensitive(raw: &RawTable, column: &str) -> bool {
    raw.table().column(column).is_some_and(|column| column.sensitive)
}

/// `name` = `value`
fn value(raw: &RawTable, row: &RecordBatch, name: &str) -> Option<String> {
    let array = row.column_by_name(name)?;
    let column = raw.table().column(name)?;
    Some(match array.is_null(0) {
        true => format!("`{name}` = null"),
        false => format!("`{name}` = {}", shown(column, array, 0)),
    })
}

//! Finds the input line that made a query fail. A query that makes each row from one row of a raw table is run again,
//! over a few rows at a time, until it fails. For any other query there is no single line to name.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{Array, RecordBatch};
use contract::{Failure, FailureKind, Table};
use datafusion::catalog::TableProvider;
use datafusion::dataframe::DataFrame;
use datafusion::datasource::MemTable;
use datafusion::logical_expr::ident;
use futures::StreamExt;
use tokio::time::timeout;

use crate::align::{Align, unfit};
use crate::queries::{self, Optimized, from_files, nothing_written};
use crate::query_failure::{Place, QueryFailure, RawValue, Reason};
use crate::secrecy;
use crate::secrets::Secrets;
use crate::source::{RawTable, Rows};
use crate::transform::{self, BuildPlan};

/// The longest time that the search may take. A failure without its line is better than none.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);
/// Enough for the few rows that a query runs over.
const MEMORY_BYTES: usize = 64 << 20;
/// The most columns of a raw row that are shown.
const SHOWN_COLUMNS: usize = 3;

/// A failure of a query with everything that was found out about it, and the values that must stay hidden.
pub(crate) struct Explained {
    failure: QueryFailure,
    secrets: Secrets,
}

impl Explained {
    /// Returns the failure with a message for people.
    pub(crate) fn told(&self) -> Failure {
        self.failure.told(&self.secrets)
    }

    /// Whether file and line are known.
    pub(crate) fn has_line(&self) -> bool {
        matches!(self.failure.place, Place::Line { .. })
    }
}

/// Adds file, line, column and values to the failure of a table's query, if they can be found by `until`.
pub(crate) async fn explain(
    plan: &BuildPlan,
    raw: &BTreeMap<String, Arc<RawTable>>,
    failure: QueryFailure,
    until: Option<Instant>,
) -> Explained {
    let Some(table) = plan.order.iter().map(|query| &query.table).find(|table| table.name == failure.table) else {
        return Explained { failure, secrets: Secrets::default() };
    };
    let search = Search { plan, raw, table };
    let left = until.map_or(PATIENCE, |until| until.saturating_duration_since(Instant::now()).min(PATIENCE));
    let found = match failure.kind() {
        FailureKind::BadData if !left.is_zero() => timeout(left, search.find()).await.unwrap_or(Ok(None)),
        _ => Ok(None),
    };
    match found {
        Ok(Some(found)) => found,
        // a failure that does not recur is reported unchanged
        Ok(None) | Err(_) => Explained { failure, secrets: search.secrets().await },
    }
}

struct Search<'a> {
    plan: &'a BuildPlan,
    raw: &'a BTreeMap<String, Arc<RawTable>>,
    table: &'a Table,
}

impl Search<'_> {
    async fn find(&self) -> Result<Option<Explained>, Failure> {
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

    /// Returns the raw table that the query reads, if each of its rows is made from one row of that table.
    async fn only_raw(&self) -> Result<Option<Arc<RawTable>>, Failure> {
        let planned = queries::frames(self.plan, from_files(self.raw), nothing_written, MEMORY_BYTES).await?;
        let query = self.plan.order.iter().find(|query| query.table.name == self.table.name);
        let (Some(query), Some(frame)) = (query, planned.take(&self.table.name)?) else { return Ok(None) };
        let reads = Optimized::of(query, &frame)?.reads()?;
        let raw = reads.only.filter(|_| reads.row_by_row).and_then(|name| self.raw.get(&name));
        Ok(raw.map(Arc::clone))
    }

    /// Returns the values of the table's rows that must stay hidden.
    async fn secrets(&self) -> Secrets {
        secrecy::of_table(self.plan, self.raw, self.table).await
    }

    /// Plans the table's query over a few rows of the raw table.
    async fn frame(&self, raw: &RawTable, rows: &RecordBatch) -> Result<Option<DataFrame>, Failure> {
        let provider = |name: &str| {
            let schema = self.raw.get(name).map_or_else(|| rows.schema(), |raw| Arc::clone(raw.schema()));
            let rows = if name == raw.table().name { vec![rows.clone()] } else { Vec::new() };
            let table = MemTable::try_new(schema, vec![rows]).map_err(Failure::internal)?;
            Ok(Arc::new(table) as Arc<dyn TableProvider>)
        };
        queries::frames(self.plan, provider, nothing_written, MEMORY_BYTES).await?.take(&self.table.name)
    }

    /// Runs the query over a few rows of the raw table.
    async fn run(&self, raw: &RawTable, rows: &RecordBatch) -> Result<(), Box<QueryFailure>> {
        let known = |failure| Box::new(QueryFailure::new(&self.table.name, Reason::Known(failure)));
        match self.frame(raw, rows).await.map_err(known)? {
            Some(frame) => run(self.table, frame).await,
            None => Ok(()),
        }
    }

    /// Finds the first row at fault in a batch that fails, and its column.
    async fn name(&self, raw: &RawTable, rows: &Rows) -> Result<Option<Explained>, Failure> {
        // the first row at fault is always within `row..row + count`
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
        let Some(frame) = self.frame(raw, &one).await? else { return Ok(None) };
        let place = Place::Line { url: raw.url(rows.file), line: rows.line(row) };
        for column in &self.table.columns {
            let only = Table { columns: vec![column.clone()], partitions: Vec::new(), ..self.table.clone() };
            let of_column = frame.clone().select(vec![ident(&column.name)]).map_err(Failure::internal)?;
            let Err(failure) = run(&only, of_column.clone()).await else { continue };
            let secrets = secrecy::of_query(self.plan, self.raw, &only, &of_column);
            let read = secrecy::read_columns(&of_column);
            let made_of = read.iter().take(SHOWN_COLUMNS).filter_map(|name| value(raw, &one, name)).collect();
            let failure = QueryFailure { column: Some(column.name.clone()), made_of, ..of_data(*failure, place) };
            return Ok(Some(Explained { failure, secrets }));
        }
        // no column is at fault, so a filter is
        let Err(failure) = self.run(raw, &one).await else { return Ok(None) };
        Ok(Some(Explained { failure: of_data(*failure, place), secrets: self.secrets().await }))
    }
}

/// Blames the data for a failure at one row, whatever kind the engine reports.
fn of_data(failure: QueryFailure, place: Place) -> QueryFailure {
    let reason = match failure.reason {
        Reason::Engine { words, way, .. } => Reason::Engine { kind: FailureKind::BadData, words, way },
        reason => reason,
    };
    QueryFailure { place, reason, ..failure }
}

/// Runs a query and aligns its rows.
async fn run(table: &Table, frame: DataFrame) -> Result<(), Box<QueryFailure>> {
    let known = |failure| Box::new(QueryFailure::new(&table.name, Reason::Known(failure)));
    let mut align = Align::new(table, frame.schema().as_arrow()).map_err(known)?;
    let batches = frame.collect().await.map_err(|error| match transform::own_failure(&error) {
        Some(failure) => known(failure),
        None => Box::new(QueryFailure::of_engine(&table.name, &error)),
    })?;
    batches.iter().try_for_each(|batch| align.batch(batch).map(drop))
}

/// Returns a value of a raw row, if the column exists.
fn value(raw: &RawTable, row: &RecordBatch, name: &str) -> Option<RawValue> {
    let array = row.column_by_name(name)?;
    let column = raw.table().column(name)?;
    let value = (!array.is_null(0)).then(|| unfit::shown(array, 0));
    Some(RawValue { column: name.to_owned(), value, sensitive: column.sensitive })
}

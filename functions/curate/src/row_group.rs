//! A row group that is being written. Its columns do not depend on each other, so they are encoded in parallel. Any
//! number of threads gives the same bytes.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{FieldRef, SchemaRef};
use datafusion::common::runtime::SpawnedTask;
use parquet::arrow::arrow_writer::{ArrowColumnChunk, ArrowColumnWriter, ArrowRowGroupWriterFactory, compute_leaves};
use parquet::errors::ParquetError;
use parquet::schema::types::SchemaDescriptor;

/// The number of columns that one task encodes.
const COLUMNS_TOGETHER: usize = 4;
/// With fewer rows than this, all columns are encoded before another thread has woken up.
const ROWS_TO_SHARE: usize = 256;

/// The limits of a row group.
#[derive(Clone, Copy)]
pub(crate) struct Limits {
    /// The most rows.
    pub rows: usize,
    /// The most bytes, encoded, as far as they can be estimated beforehand.
    pub bytes: usize,
}

/// A row group that is being written.
pub(crate) struct RowGroup {
    limits: Limits,
    rows: usize,
    bytes: usize,
    /// The columns in the order of the schema, grouped by task.
    columns: Vec<Vec<Column>>,
}

struct Column {
    /// The index in the schema.
    place: usize,
    field: FieldRef,
    /// One writer for each leaf. A nested column has several leaves.
    writers: Vec<ArrowColumnWriter>,
}

impl RowGroup {
    /// Begins the `n`-th row group of a file, from 0. `parquet` is the file's schema for rows of `schema`.
    pub(crate) fn begin(
        factory: &ArrowRowGroupWriterFactory,
        n: usize,
        schema: &SchemaRef,
        parquet: &SchemaDescriptor,
        limits: Limits,
    ) -> Result<Self, ParquetError> {
        let mut leaves = factory.create_column_writers(n)?.into_iter().enumerate().peekable();
        let mut columns: Vec<Vec<Column>> = Vec::with_capacity(schema.fields().len().div_ceil(COLUMNS_TOGETHER));
        for (place, field) in schema.fields().iter().enumerate() {
            let mut column = Column { place, field: Arc::clone(field), writers: Vec::new() };
            while let Some((_, writer)) = leaves.next_if(|(leaf, _)| parquet.get_column_root_idx(*leaf) == place) {
                column.writers.push(writer);
            }
            match columns.last_mut() {
                Some(together) if together.len() < COLUMNS_TOGETHER => together.push(column),
                _ => columns.push(vec![column]),
            }
        }
        Ok(Self { limits, rows: 0, bytes: 0, columns })
    }

    /// Returns how many more rows fit, if they are like those before.
    pub(crate) fn room(&self) -> usize {
        let rows = self.limits.rows.saturating_sub(self.rows);
        match self.bytes.checked_div(self.rows) {
            None | Some(0) => rows,
            Some(bytes_each) => rows.min(self.limits.bytes.saturating_sub(self.bytes) / bytes_each),
        }
    }

    pub(crate) async fn write(&mut self, batches: Vec<RecordBatch>) -> Result<(), ParquetError> {
        let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
        if rows < ROWS_TO_SHARE {
            self.columns.iter_mut().flatten().try_for_each(|column| column.write(&batches))?;
        } else {
            let batches = Arc::new(batches);
            let columns = std::mem::take(&mut self.columns);
            self.columns = side_by_side(columns, |mut columns| {
                let batches = Arc::clone(&batches);
                move || columns.iter_mut().try_for_each(|column| column.write(&batches)).map(|()| columns)
            })
            .await?;
        }
        self.rows += rows;
        self.bytes = self.writers().map(ArrowColumnWriter::get_estimated_total_bytes).sum();
        Ok(())
    }

    /// Returns the encoded bytes so far, an estimate.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Estimates the bytes that are held in memory.
    pub(crate) fn held_bytes(&self) -> usize {
        self.writers().map(ArrowColumnWriter::memory_size).sum()
    }

    /// Finishes the columns. Returns their chunks in the order of the schema.
    pub(crate) async fn close(self) -> Result<impl Iterator<Item = ArrowColumnChunk>, ParquetError> {
        let chunks = side_by_side(self.columns, |columns| {
            let writers = columns.into_iter().flat_map(|column| column.writers);
            move || writers.map(ArrowColumnWriter::close).collect::<Result<Vec<_>, _>>()
        });
        Ok(chunks.await?.into_iter().flatten())
    }

    fn writers(&self) -> impl Iterator<Item = &ArrowColumnWriter> {
        self.columns.iter().flatten().flat_map(|column| &column.writers)
    }
}

impl Column {
    /// Writes the values of all batches in one go, so that the column's dictionary stays in the processor's cache.
    fn write(&mut self, batches: &[RecordBatch]) -> Result<(), ParquetError> {
        for batch in batches {
            let leaves = compute_leaves(&self.field, batch.column(self.place))?;
            if leaves.len() != self.writers.len() {
                let what = format!("column `{}` is not of the file's schema", self.field.name());
                return Err(ParquetError::General(what));
            }
            for (leaf, writer) in leaves.iter().zip(&mut self.writers) {
                writer.write(leaf)?;
            }
        }
        Ok(())
    }
}

/// Does the work for each item in parallel, on this thread too. Returns the results in the order of the items.
async fn side_by_side<T, R, F>(each: Vec<T>, work: impl Fn(T) -> F) -> Result<Vec<R>, ParquetError>
where
    F: FnOnce() -> Result<R, ParquetError> + Send + 'static,
    R: Send + 'static,
{
    let mut works: Vec<F> = each.into_iter().map(work).collect();
    let last = works.pop();
    let elsewhere: Vec<_> = works.into_iter().map(|work| SpawnedTask::spawn(async move { work() })).collect();
    let last = last.map(|work| work());
    let mut done = Vec::with_capacity(elsewhere.len() + 1);
    for task in elsewhere {
        done.push(task.await.map_err(|error| ParquetError::External(Box::new(error)))??);
    }
    done.extend(last.transpose()?);
    Ok(done)
}

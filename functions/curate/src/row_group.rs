//! A row group under way. Its columns do not depend on each other: they are encoded side by side, and give the same bytes
//! by however many threads.

use arrow::array::RecordBatch;
use arrow::datatypes::{FieldRef, SchemaRef};
use datafusion::common::runtime::SpawnedTask;
use parquet::arrow::arrow_writer::{ArrowColumnChunk, ArrowColumnWriter, ArrowRowGroupWriterFactory, compute_leaves};
use parquet::errors::ParquetError;
use parquet::schema::types::SchemaDescriptor;

/// Columns that are encoded by one task.
const COLUMNS_TOGETHER: usize = 4;
/// Of fewer rows, all columns are encoded before another thread has woken up.
const ROWS_TO_SHARE: usize = 256;

/// What a row group may hold.
#[derive(Clone, Copy)]
pub struct Limits {
    /// Rows at most.
    pub rows: usize,
    /// Bytes at most, encoded, as well as that can be told beforehand.
    pub bytes: usize,
}

/// A row group under way.
pub struct RowGroup {
    limits: Limits,
    rows: usize,
    bytes: usize,
    columns: Vec<Columns>,
}

/// Columns of a row group that stand together.
struct Columns {
    /// The first one's place in the schema.
    first: usize,
    fields: Vec<FieldRef>,
    /// Of each of their leaves: a nested column has several.
    writers: Vec<ArrowColumnWriter>,
}

impl RowGroup {
    /// The `n`-th row group of a file, from 0; `parquet` is the file's schema for rows of `schema`.
    pub fn begin(
        factory: &ArrowRowGroupWriterFactory,
        n: usize,
        schema: &SchemaRef,
        parquet: &SchemaDescriptor,
        limits: Limits,
    ) -> Result<Self, ParquetError> {
        let mut columns: Vec<Columns> = Vec::with_capacity(schema.fields().len().div_ceil(COLUMNS_TOGETHER));
        for (first, fields) in (0..).step_by(COLUMNS_TOGETHER).zip(schema.fields().chunks(COLUMNS_TOGETHER)) {
            columns.push(Columns { first, fields: fields.to_vec(), writers: Vec::new() });
        }
        for (leaf, writer) in factory.create_column_writers(n)?.into_iter().enumerate() {
            let of = columns.get_mut(parquet.get_column_root_idx(leaf) / COLUMNS_TOGETHER);
            of.ok_or_else(too_many_leaves)?.writers.push(writer);
        }
        Ok(Self { limits, rows: 0, bytes: 0, columns })
    }

    /// How many more rows there is room for, if they are like those before.
    pub fn room(&self) -> usize {
        let rows = self.limits.rows.saturating_sub(self.rows);
        match self.bytes.checked_div(self.rows) {
            None | Some(0) => rows,
            Some(bytes_each) => rows.min(self.limits.bytes.saturating_sub(self.bytes) / bytes_each),
        }
    }

    /// Adds rows.
    pub async fn write(&mut self, rows: &RecordBatch) -> Result<(), ParquetError> {
        if rows.num_rows() < ROWS_TO_SHARE {
            self.columns.iter_mut().try_for_each(|columns| columns.write(rows))?;
        } else {
            let columns = std::mem::take(&mut self.columns);
            self.columns = side_by_side(columns, |mut columns| {
                let rows = rows.clone();
                move || columns.write(&rows).map(|()| columns)
            })
            .await?;
        }
        self.rows += rows.num_rows();
        self.bytes = self.writers().map(ArrowColumnWriter::get_estimated_total_bytes).sum();
        Ok(())
    }

    /// Bytes so far, encoded: an estimate.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Bytes that are held in memory, more or less.
    pub fn held_bytes(&self) -> usize {
        self.writers().map(ArrowColumnWriter::memory_size).sum()
    }

    /// Its columns, for the file.
    pub async fn close(self) -> Result<impl Iterator<Item = ArrowColumnChunk>, ParquetError> {
        let chunks = side_by_side(self.columns, |columns| {
            move || columns.writers.into_iter().map(ArrowColumnWriter::close).collect::<Result<Vec<_>, _>>()
        });
        Ok(chunks.await?.into_iter().flatten())
    }

    fn writers(&self) -> impl Iterator<Item = &ArrowColumnWriter> {
        self.columns.iter().flat_map(|columns| &columns.writers)
    }
}

impl Columns {
    fn write(&mut self, rows: &RecordBatch) -> Result<(), ParquetError> {
        let mut writers = self.writers.iter_mut();
        for (field, values) in self.fields.iter().zip(&rows.columns()[self.first..]) {
            for leaf in compute_leaves(field, values)? {
                writers.next().ok_or_else(too_many_leaves)?.write(&leaf)?;
            }
        }
        Ok(())
    }
}

fn too_many_leaves() -> ParquetError {
    ParquetError::General("a column has more leaves than the file's schema".into())
}

/// What becomes of each, in their order; this thread takes part.
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

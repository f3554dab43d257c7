//! A curated table as other tables of the run read it: the rows that were written, in the order of its files. It is
//! built once, so that two tables of a run cannot disagree.

use std::io::{self, Read};
use std::sync::{Arc, OnceLock};

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::datatypes::{Field, Schema, SchemaRef};
use async_trait::async_trait;
use bytes::{Buf, Bytes};
use contract::{Failure, NULL_PARTITION, OutputFile, Table, TableOutput};
use datafusion::catalog::streaming::StreamingTable;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::runtime::SpawnedTask;
use datafusion::common::{DataFusionError, Result as PlanResult, ScalarValue};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::PartitionStream;
use futures::stream::{self, StreamExt, TryStreamExt};
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::errors::ParquetError;
use parquet::file::metadata::RowGroupMetaData;
use parquet::file::reader::{ChunkReader, Length};
use rows::{Input, Ranges};
use tokio::sync::mpsc::{Sender, channel};

use crate::align;
use crate::area::Area;

/// The most rows of a batch.
const BATCH_ROWS: usize = 8_192;
/// Batches that may wait for their consumer.
const BATCHES_AHEAD: usize = 4;

/// A table of this run that others read.
#[derive(Debug)]
pub(crate) struct Written {
    table: Table,
    area: Area,
    /// Key of the table's folder in this run, ending with `/`.
    folder: String,
    schema: SchemaRef,
    output: OnceLock<TableOutput>,
}

impl Written {
    /// Returns a table that will be written to the folder, a key that ends with `/`.
    pub(crate) fn new(area: &Area, folder: String, table: &Table) -> Arc<Self> {
        let fields = table.columns.iter().map(|column| {
            // in a folder's name, an empty text cannot be told from a null
            let nullable = column.nullable || table.partitions.contains(&column.name);
            Field::new(&column.name, rows::arrow_type(&column.column_type), nullable)
        });
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        Arc::new(Self { table: table.clone(), area: area.clone(), folder, schema, output: OnceLock::new() })
    }

    /// Makes the table readable, once it is written.
    pub(crate) fn is_there(&self, output: &TableOutput) {
        // never set before, because a table is built once in a run
        let _ = self.output.set(output.clone());
    }

    /// Returns the table for DataFusion.
    pub(crate) fn provider(self: &Arc<Self>) -> Result<Arc<dyn TableProvider>, Failure> {
        let partition: Arc<dyn PartitionStream> = Arc::new(WrittenRows(Arc::clone(self)));
        let rows = StreamingTable::try_new(Arc::clone(&self.schema), vec![partition]).map_err(Failure::internal)?;
        Ok(Arc::new(WrittenTable(rows)))
    }

    /// Sends every row.
    async fn send(self: Arc<Self>, to: &Sender<Result<RecordBatch, Failure>>) -> Result<(), Failure> {
        let name = &self.table.name;
        let output = self.output.get().ok_or_else(|| Failure::internal(format!("`{name}` was not built yet")))?;
        let listed = self.area.list(&self.folder).await?;
        for file in &output.files {
            let object = listed.iter().find(|object| object.key == file.key);
            let gone = || Failure::not_found(format!("{}: it was written, and is gone", self.area.url(&file.key)));
            let (_, input) = self.area.open_ranges(object.ok_or_else(gone)?).await?;
            let Input::Ranges(ranges) = input else { return Err(Failure::internal("a file without ranges")) };
            let values = self.values(output, file)?;
            let (table, to, url) = (Arc::clone(&self), to.clone(), self.area.url(&file.key));
            let decode = move || table.decode(&url, ranges, &values, &to);
            SpawnedTask::spawn_blocking(decode).await.map_err(Failure::internal)??;
        }
        Ok(())
    }

    /// Returns the values of a file's partition, with the types of their columns.
    fn values(&self, output: &TableOutput, file: &OutputFile) -> Result<Vec<ScalarValue>, Failure> {
        let url = self.area.url(&file.key);
        let partition = output.partitions.iter().find(|partition| url.starts_with(&partition.location));
        let texts = partition.map(|partition| partition.values.as_slice()).unwrap_or_default();
        let fields = &self.schema.fields()[self.table.data_columns().len()..];
        let value = |(text, field): (&String, &Arc<Field>)| {
            let text = (text != NULL_PARTITION).then_some(text.as_str());
            let text: ArrayRef = Arc::new(StringArray::from(vec![text]));
            let unread = || Failure::bad_data(format!("{url}: the partition column `{}` cannot be read", field.name()));
            let value = align::stored(&text, field.data_type()).ok_or_else(unread)?;
            ScalarValue::try_from_array(&value, 0).map_err(Failure::internal)
        };
        texts.iter().zip(fields).map(value).collect()
    }

    /// Reads one file, row group by row group.
    fn decode(
        &self,
        url: &str,
        ranges: Ranges,
        values: &[ScalarValue],
        to: &Sender<Result<RecordBatch, Failure>>,
    ) -> Result<(), Failure> {
        let unread = |error: &dyn std::fmt::Display| Failure::unavailable(format!("reading {url}: {error}"));
        let data: Vec<usize> = (0..self.table.data_columns().len()).collect();
        let schema = Arc::new(self.schema.project(&data).map_err(Failure::internal)?);
        let options = ArrowReaderOptions::new().with_schema(schema);
        let metadata = ArrowReaderMetadata::load(&Pieces::of_footer(&ranges), options).map_err(|e| unread(&e))?;
        for (n, group) in metadata.metadata().row_groups().iter().enumerate() {
            let pieces = Pieces::of_group(&ranges, group).map_err(|error| unread(&error))?;
            let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(pieces, metadata.clone());
            let batches = builder.with_row_groups(vec![n]).with_batch_size(BATCH_ROWS).build();
            for batch in batches.map_err(|error| unread(&error))? {
                let batch = batch.map_err(|error| unread(&error))?;
                let mut columns = batch.columns().to_vec();
                for value in values {
                    columns.push(value.to_array_of_size(batch.num_rows()).map_err(Failure::internal)?);
                }
                let batch = RecordBatch::try_new(Arc::clone(&self.schema), columns).map_err(Failure::internal)?;
                // a consumer that wants no more rows has hung up
                if to.blocking_send(Ok(batch)).is_err() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}

/// A [`Written`] table for DataFusion. A type of its own distinguishes it from a raw table of the same name.
#[derive(Debug)]
pub(crate) struct WrittenTable(StreamingTable);

#[async_trait]
impl TableProvider for WrittenTable {
    fn schema(&self) -> SchemaRef {
        self.0.schema()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> PlanResult<Arc<dyn ExecutionPlan>> {
        self.0.scan(state, projection, filters, limit).await
    }
}

#[derive(Debug)]
struct WrittenRows(Arc<Written>);

impl PartitionStream for WrittenRows {
    fn schema(&self) -> &SchemaRef {
        &self.0.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let table = Arc::clone(&self.0);
        let (to, rows) = channel(BATCHES_AHEAD);
        let reading = SpawnedTask::spawn(async move {
            if let Err(failure) = table.send(&to).await {
                // a consumer that has hung up does not need the failure
                let _ = to.send(Err(failure)).await;
            }
        });
        let rows = stream::unfold((rows, reading), |(mut rows, reading)| async move {
            let next = rows.recv().await?;
            Some((next, (rows, reading)))
        });
        let rows = rows.boxed().map_err(|failure| DataFusionError::External(Box::new(failure)));
        Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.0.schema), rows))
    }
}

/// The bytes of a file, with one piece fetched in a single request, because every request has its cost.
struct Pieces {
    ranges: Ranges,
    at: u64,
    fetched: Bytes,
}

impl Pieces {
    fn of_footer(ranges: &Ranges) -> Self {
        Self { ranges: ranges.clone(), at: 0, fetched: Bytes::new() }
    }

    fn of_group(ranges: &Ranges, group: &RowGroupMetaData) -> io::Result<Self> {
        let chunks = group.columns().iter().map(parquet::file::metadata::ColumnChunkMetaData::byte_range);
        let ends = chunks.map(|(at, length)| (at, at + length));
        let (at, end) = ends.reduce(|one, other| (one.0.min(other.0), one.1.max(other.1))).unwrap_or((0, 0));
        let length = usize::try_from(end - at).map_err(io::Error::other)?;
        Ok(Self { ranges: ranges.clone(), at, fetched: ranges.get(at, length)? })
    }
}

impl Length for Pieces {
    fn len(&self) -> u64 {
        self.ranges.length()
    }
}

impl ChunkReader for Pieces {
    type T = Box<dyn Read + Send>;

    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        let length = usize::try_from(self.ranges.length().saturating_sub(start)).unwrap_or(usize::MAX);
        let within = start.checked_sub(self.at).and_then(|from| usize::try_from(from).ok());
        Ok(match within.filter(|from| *from < self.fetched.len()) {
            Some(from) => Box::new(self.fetched.slice(from..).reader()),
            None => Box::new(self.get_bytes(start, length)?.reader()),
        })
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        let within = start.checked_sub(self.at).and_then(|from| usize::try_from(from).ok());
        match within.filter(|from| from + length <= self.fetched.len()) {
            Some(from) => Ok(self.fetched.slice(from..from + length)),
            None => Ok(self.ranges.get(start, length)?),
        }
    }
}

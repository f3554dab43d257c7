//! A raw table as DataFusion reads it: every file of it in raw-hist, in the order of the keys, streamed from S3 through
//! the reader that validate used too. Its columns are those of the metadata and `file_land_timestamp`.

use std::sync::{Arc, Mutex};

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use contract::{Failure, FileFormat, InputFile, LandKey, Table, key};
use datafusion::catalog::streaming::StreamingTable;
use datafusion::common::DataFusionError;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::stream::RecordBatchReceiverStream;
use datafusion::physical_plan::streaming::PartitionStream;
use rows::{Input, Misfit, Ranges, ReadError, RowReader};
use store::{Object, Store};
use tokio::sync::mpsc::Sender;

/// Batches decoded ahead of whoever consumes them.
const BATCHES_AHEAD: usize = 2;

/// The files of a raw table, listed once, so that every table of a run is built from the same ones.
#[derive(Debug)]
pub struct RawTable {
    table: Table,
    files: Vec<RawFile>,
    schema: SchemaRef,
    store: Store,
    read: Mutex<Vec<Option<InputFile>>>,
}

#[derive(Clone, Debug)]
struct RawFile {
    object: Object,
    key: LandKey,
    file_land_timestamp: u64,
}

impl RawTable {
    /// Lists the table's files: those that were there at `as_of` (Unix seconds), or all. raw-hist writes no key twice,
    /// so that when a file was written tells whether it was there. No files is a failure: there is nothing to build
    /// from.
    pub async fn list(
        store: &Store,
        bucket: &str,
        base_folder: &str,
        table: &Table,
        as_of: Option<u64>,
    ) -> Result<Arc<Self>, Failure> {
        let prefix = key::table_prefix(base_folder, &table.name);
        let mut files = Vec::new();
        for object in store.list(bucket, &prefix).await? {
            // Hive's and Athena's rule: such names are not data
            let name = object.key.rsplit('/').next().unwrap_or_default();
            if name.is_empty() || name.starts_with(['_', '.']) {
                continue;
            }
            if as_of.is_none_or(|as_of| object.last_modified <= as_of) {
                files.push(RawFile::of(base_folder, object)?);
            }
        }
        if files.is_empty() {
            let place = store::url(bucket, &prefix);
            let then = match as_of {
                None => "land a file that passes validation, then run again".to_owned(),
                Some(as_of) => format!("none had come there by {as_of} (Unix seconds): ask for a later time"),
            };
            return Err(Failure::not_found(format!("table `{}`: no files under {place}; {then}", table.name)));
        }
        let mut fields = rows::schema(table).fields().to_vec();
        fields.push(Arc::new(Field::new(key::FILE_LAND_TIMESTAMP, DataType::Int64, false)));
        let read = Mutex::new(vec![None; files.len()]);
        let schema = Arc::new(Schema::new(fields));
        Ok(Arc::new(Self { table: table.clone(), files, schema, store: store.clone(), read }))
    }

    /// As a table for SQL. One partition: the rows keep the order of the files, and so the output is the same every
    /// time.
    pub fn provider(self: &Arc<Self>) -> Result<StreamingTable, Failure> {
        let partition: Arc<dyn PartitionStream> = Arc::new(RawPartition(Arc::clone(self)));
        StreamingTable::try_new(Arc::clone(&self.schema), vec![partition]).map_err(Failure::internal)
    }

    /// The files that were read to their end.
    pub fn inputs(&self) -> Vec<InputFile> {
        self.read.lock().map(|read| read.iter().flatten().cloned().collect()).unwrap_or_default()
    }

    /// The newest `file_land_timestamp` of all files.
    pub fn newest(&self) -> Option<u64> {
        self.files.iter().map(|file| file.file_land_timestamp).max()
    }

    async fn send_all(self: Arc<Self>, to: Sender<Result<RecordBatch, DataFusionError>>) -> Result<(), Failure> {
        for (n, file) in self.files.iter().enumerate() {
            let (opened, input) = self.open(file).await?;
            let (table, file, to) = (Arc::clone(&self), file.clone(), to.clone());
            let decode = move || table.send_file(input, &file, &to);
            let rows = tokio::task::spawn_blocking(decode).await.map_err(Failure::internal)??;
            let Some(rows) = rows else { return Ok(()) };
            if let Ok(mut read) = self.read.lock() {
                read[n] = Some(InputFile {
                    table: self.table.name.clone(),
                    key: opened.key,
                    version_id: opened.version_id,
                    etag: opened.etag,
                    checksum: opened.checksum,
                    bytes: opened.bytes,
                    rows,
                });
            }
        }
        Ok(())
    }

    /// The object with its version and checksum, and its bytes: of Parquet, whose description comes last, any piece.
    async fn open(&self, file: &RawFile) -> Result<(Object, Input), Failure> {
        let listed = &file.object;
        if file.key.format != FileFormat::Parquet {
            let (opened, body) = self.store.open(listed).await?;
            return Ok((opened, store::blocking_reader(body).into()));
        }
        let head = self.store.head(&listed.bucket, &listed.key, listed.version_id.as_deref()).await?;
        let opened = head
            .filter(|head| head.etag == listed.etag)
            .ok_or_else(|| Failure::conflict(format!("{}: it has changed since it was listed", listed.url())))?;
        let ranges = Ranges::new(opened.bytes, self.store.ranges(&opened));
        Ok((opened, ranges.into()))
    }

    /// Decodes one file; gives its rows, or `None` when nobody wants more.
    fn send_file(
        &self,
        input: Input,
        file: &RawFile,
        to: &Sender<Result<RecordBatch, DataFusionError>>,
    ) -> Result<Option<u64>, Failure> {
        let url = file.object.url();
        let place = |what: String| Failure::bad_data(format!("table `{}`, {url}: {what}", self.table.name));
        let broken = |error: ReadError| match error {
            // says nothing about the file
            ReadError::Io { .. } => Failure::unavailable(format!("reading {url}: {error}")),
            error => place(error.to_string()),
        };
        let mut rows = RowReader::new(input, file.key.format, file.key.compression, &self.table, Default::default())
            .map_err(broken)?;
        let mut count = 0;
        while let Some(batch) = rows.next_batch().map_err(broken)? {
            if let Some(misfit) = batch.misfits.iter().find(|misfit| !self.is_history(misfit)) {
                return Err(place(format!("{misfit}; the metadata no longer fits this file of raw-hist")));
            }
            count += batch.batch.num_rows() as u64;
            let batch = self.with_timestamp(&batch.batch, file.file_land_timestamp).map_err(Failure::internal)?;
            if to.blocking_send(Ok(batch)).is_err() {
                return Ok(None);
            }
        }
        Ok(Some(count))
    }

    /// Metadata moves on and raw-hist does not: a column that is new since a file landed reads as null in it, where it
    /// may, and one that is no longer described is not read.
    fn is_history(&self, misfit: &Misfit) -> bool {
        misfit.is_unexpected_column()
            || misfit.is_missing_column()
                && misfit.column().and_then(|name| self.table.column(name)).is_some_and(|column| column.nullable)
    }

    fn with_timestamp(&self, batch: &RecordBatch, seconds: u64) -> Result<RecordBatch, arrow::error::ArrowError> {
        let mut columns = batch.columns().to_vec();
        let timestamps: ArrayRef = Arc::new(Int64Array::from_value(seconds as i64, batch.num_rows()));
        columns.push(timestamps);
        RecordBatch::try_new(Arc::clone(&self.schema), columns)
    }
}

impl RawFile {
    fn of(base_folder: &str, object: Object) -> Result<Self, Failure> {
        let unfit = |reason: &str| {
            Failure::bad_data(format!("{}: {reason}; only validate writes to raw-hist: take it out", object.url()))
        };
        let key = LandKey::parse(base_folder, &object.key).map_err(|error| unfit(&error.reason))?;
        let folder = key.file_land_timestamp.ok_or_else(|| unfit("it is not in a partition folder"))?;
        Ok(Self { file_land_timestamp: folder, key, object })
    }
}

#[derive(Debug)]
struct RawPartition(Arc<RawTable>);

impl PartitionStream for RawPartition {
    fn schema(&self) -> &SchemaRef {
        &self.0.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let mut stream = RecordBatchReceiverStream::builder(Arc::clone(&self.0.schema), BATCHES_AHEAD);
        let (table, to) = (Arc::clone(&self.0), stream.tx());
        stream.spawn(async move {
            table.send_all(to).await.map_err(|failure| DataFusionError::External(Box::new(failure)))
        });
        stream.build()
    }
}

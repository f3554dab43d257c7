//! A raw table as DataFusion reads it: all of its files in the order of their keys, streamed through the reader that
//! validate also uses. Its columns are those of the metadata and `file_land_timestamp`.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use boot::metrics::{self, Unit};
use contract::{Failure, InputFile, LandKey, Table, key};
use datafusion::catalog::streaming::StreamingTable;
use datafusion::common::DataFusionError;
use datafusion::common::runtime::SpawnedTask;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::PartitionStream;
use futures::FutureExt;
use futures::future::{BoxFuture, ready};
use futures::stream::{self, BoxStream, Fuse, Stream, StreamExt, TryStreamExt};
use rows::{Input, Misfit, ReadError, RowReader};
use store::Object;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use crate::align;
use crate::area::Area;
use crate::query_failure::of_task;

/// Batches of a decoding task that may wait for their consumer. Files are consumed in order, and later ones are decoded
/// meanwhile.
const BATCHES_AHEAD: usize = 16;
/// Batches that may wait for each query that shares a reading.
const FEED_AHEAD: usize = 4;
/// The most files that are opened or decoded at once. A small file costs a round trip to S3, and hardly any memory.
const FILES_AHEAD: usize = 16;
/// Beyond one per core, files are opened ahead only while their total size stays below this.
const BYTES_AHEAD: u64 = 4 << 20;
/// The most small files that one task decodes in sequence. Starting a task costs more than decoding ten rows.
const FILES_TOGETHER: usize = FILES_AHEAD / 2;
/// The most bytes of files that one task decodes in sequence. A larger file has a task of its own.
const BYTES_TOGETHER: u64 = 256 << 10;
/// Small batches are merged until they have this many rows or bytes. A batch of ten rows costs a query hardly less than
/// one of a thousand. Only the rows decide where batches end, so that the output is the same every time.
const LEAST_ROWS: usize = 512;
const LEAST_BYTES: u64 = 1 << 20;

/// The files of a raw table, listed once, so that every table of a run is built from the same ones.
#[derive(Debug)]
pub(crate) struct RawTable {
    table: Table,
    area: Area,
    files: Vec<RawFile>,
    schema: SchemaRef,
    cores: usize,
    read: Mutex<Vec<Option<InputFile>>>,
    /// The receivers of a shared reading, one for each of the next queries that read the table.
    feeds: Mutex<Vec<Receiver<Result<RecordBatch, Failure>>>>,
}

#[derive(Clone, Debug)]
pub(crate) struct RawFile {
    /// The object as it was listed.
    pub object: Object,
    /// The key, parsed.
    pub key: LandKey,
    /// Unix seconds.
    pub file_land_timestamp: u64,
}

/// Rows of one file.
#[derive(Debug)]
pub(crate) struct Rows {
    /// The values, with `file_land_timestamp`.
    pub batch: RecordBatch,
    /// The index of the file within the table.
    pub file: usize,
    decoded: rows::Batch,
}

impl Rows {
    /// Returns the line of a row, counted from 1.
    pub(crate) fn line(&self, row: usize) -> u64 {
        self.decoded.line(row)
    }
}

/// The objects in a table's folder.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    /// The table's files, sorted by key.
    pub files: Vec<RawFile>,
    /// The locations of objects that the pipeline did not write, each with the reason.
    pub strays: Vec<String>,
}

/// Lists the files of a table in an area that `wanted` accepts. Strays are skipped and reported. Nobody may remove them
/// from raw-hist, so a failure would block the table for good. In a local folder a stray is a failure.
pub(crate) async fn list(
    area: &Area,
    base_folder: &str,
    table: &Table,
    wanted: impl Fn(&Object) -> bool,
) -> Result<Listing, Failure> {
    let Listing { mut files, mut strays } = Listing::default();
    for object in area.list(&key::table_prefix(base_folder, &table.name)).await? {
        // by the rule of Hive and Athena, such names are not data
        let name = object.key.rsplit('/').next().unwrap_or_default();
        if !name.is_empty() && !name.starts_with(['_', '.']) && wanted(&object) {
            match RawFile::of(area, base_folder, object) {
                Ok(file) => files.push(file),
                Err(stray) if matches!(area, Area::Folder(_)) => {
                    return Err(Failure::bad_data(format!("{stray}; only the pipeline writes there: take it out")));
                }
                Err(stray) => strays.push(stray),
            }
        }
    }
    for stray in &strays {
        tracing::warn!(table = table.name, stray, "an object that the pipeline has not written is passed over");
    }
    if !strays.is_empty() {
        metrics::emit(Some(&table.name), &[("StrayObjects", Unit::Count, strays.len() as f64)]);
    }
    files.sort_by(|one, other| one.object.key.cmp(&other.object.key));
    Ok(Listing { files, strays })
}

impl RawTable {
    /// Returns a table of these files. Up to `cores` tasks decode them at once.
    pub(crate) fn new(area: &Area, table: &Table, files: Vec<RawFile>, cores: usize) -> Arc<Self> {
        let mut fields = rows::schema(table).fields().to_vec();
        fields.push(Arc::new(Field::new(key::FILE_LAND_TIMESTAMP, DataType::Int64, false)));
        Arc::new(Self {
            table: table.clone(),
            area: area.clone(),
            read: Mutex::new(vec![None; files.len()]),
            files,
            schema: Arc::new(Schema::new(fields)),
            cores,
            feeds: Mutex::default(),
        })
    }

    /// Returns the table reduced to the files whose keys are wanted.
    pub(crate) fn only(&self, wanted: impl Fn(&str) -> bool) -> Arc<Self> {
        let files = self.files.iter().filter(|file| wanted(&file.object.key)).cloned().collect();
        Self::new(&self.area, &self.table, files, self.cores)
    }

    pub(crate) fn keys(&self) -> Vec<String> {
        self.files.iter().map(|file| file.object.key.clone()).collect()
    }

    /// Returns the total size of the files as stored.
    pub(crate) fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.object.bytes).sum()
    }

    /// Returns the table's metadata.
    pub(crate) fn table(&self) -> &Table {
        &self.table
    }

    /// Returns the columns, `file_land_timestamp` last.
    pub(crate) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Returns the table for DataFusion. It has a single partition, so that the rows keep the order of the files and
    /// the output is the same every time.
    pub(crate) fn provider(self: &Arc<Self>) -> Result<StreamingTable, Failure> {
        let partition: Arc<dyn PartitionStream> = Arc::new(RawPartition(Arc::clone(self)));
        StreamingTable::try_new(Arc::clone(&self.schema), vec![partition]).map_err(Failure::internal)
    }

    /// Shares one reading among the next `readers` queries that scan the table, once each. The reading goes on while
    /// the returned future is awaited. The queries must run concurrently, because the slowest holds up the others.
    pub(crate) fn share(
        self: &Arc<Self>,
        readers: usize,
    ) -> impl Future<Output = Result<(), Failure>> + Send + 'static + use<> {
        let (senders, receivers): (Vec<_>, Vec<_>) = (0..readers).map(|_| channel(FEED_AHEAD)).unzip();
        if let Ok(mut feeds) = self.feeds.lock() {
            feeds.extend(receivers);
        }
        let table = Arc::clone(self);
        async move {
            let mut batches = Box::pin(table.batches());
            while let Some(batch) = batches.next().await {
                let mut wanted = false;
                for sender in &senders {
                    // a receiver that has enough has hung up
                    wanted |= sender.send(batch.clone()).await.is_ok();
                }
                batch?;
                if !wanted {
                    break;
                }
            }
            Ok(())
        }
    }

    /// Drops the feeds that no query will take, as at most `readers` queries are still running. A query that ended
    /// without taking its feed would otherwise hold up the others forever.
    pub(crate) fn shared_by_at_most(&self, readers: usize) {
        if let Ok(mut feeds) = self.feeds.lock() {
            feeds.truncate(readers);
        }
    }

    /// Streams every row, in the order of the files and of their lines.
    pub(crate) fn rows(self: &Arc<Self>) -> impl Stream<Item = Result<Rows, Failure>> + Send + 'static + use<> {
        let reading =
            Reading { table: Arc::clone(self), begun: 0, opening: VecDeque::new(), decoding: VecDeque::new() };
        stream::try_unfold(reading, |mut reading| async move {
            let rows = reading.next().await?;
            Ok(rows.map(|rows| (rows, reading)))
        })
    }

    /// Like [`RawTable::rows`], with small batches merged.
    fn batches(self: &Arc<Self>) -> impl Stream<Item = Result<RecordBatch, Failure>> + Send + 'static + use<> {
        let gathering = Gathering { schema: Arc::clone(&self.schema), rows: self.rows().boxed().fuse(), failure: None };
        stream::try_unfold(gathering, |mut gathering| async move {
            let batch = gathering.next().await?;
            Ok(batch.map(|batch| (batch, gathering)))
        })
    }

    /// Returns the files that were read to their end.
    pub(crate) fn inputs(&self) -> Vec<InputFile> {
        self.read.lock().map(|read| read.iter().flatten().cloned().collect()).unwrap_or_default()
    }

    /// Returns the newest `file_land_timestamp` of all files.
    pub(crate) fn newest(&self) -> Option<u64> {
        self.files.iter().map(|file| file.file_land_timestamp).max()
    }

    /// Returns when the newest file arrived in the area that it is read from, in Unix seconds.
    pub(crate) fn newest_arrival(&self) -> Option<u64> {
        self.files.iter().map(|file| file.object.last_modified).max()
    }

    /// Returns the location of a file, for messages.
    pub(crate) fn url(&self, file: usize) -> String {
        self.files.get(file).map(|file| self.area.url(&file.object.key)).unwrap_or_default()
    }

    /// Opens a file. Returns the object with its version and checksum, and its bytes. A format that is not read from
    /// its start, such as Parquet, is opened for random access.
    async fn open(&self, file: &RawFile) -> Result<(Object, Input), Failure> {
        if rows::needs_ranges(file.key.format, file.key.compression) {
            self.area.open_ranges(&file.object).await
        } else {
            self.area.open(&file.object).await
        }
    }

    /// Decodes one file; returns its number of rows.
    fn decode(&self, n: usize, input: Input, to: &Sender<Rows>) -> Result<u64, Failure> {
        let file = &self.files[n];
        let url = self.url(n);
        let place = |what: String| Failure::bad_data(format!("table `{}`, {url}: {what}", self.table.name));
        let broken = |error: ReadError| match error {
            // a failed read says nothing about the file
            ReadError::Io { .. } => Failure::unavailable(format!("reading {url}: {error}")),
            error => place(error.to_string()),
        };
        let then = self.table.at(file.file_land_timestamp);
        let mut rows =
            RowReader::new(input, file.key.format, file.key.compression, &then, Default::default()).map_err(broken)?;
        let mut count = 0;
        while let Some(decoded) = rows.next_batch().map_err(broken)? {
            if let Some(misfit) = decoded.misfits.iter().find(|misfit| !self.is_history(misfit)) {
                return Err(place(format!(
                    "{misfit}; the metadata no longer fits this file. Where a column had another type then, its \
                     `earlier_types` say so"
                )));
            }
            count += decoded.batch.num_rows() as u64;
            let columns = match &then {
                Cow::Borrowed(_) => decoded.batch.columns().to_vec(),
                Cow::Owned(then) => self.of_now(then, &decoded).map_err(place)?,
            };
            let batch = self.with_timestamp(columns, file.file_land_timestamp, decoded.batch.num_rows());
            let batch = batch.map_err(Failure::internal)?;
            if to.blocking_send(Rows { batch, file: n, decoded }).is_err() {
                return Err(Failure::internal("the consumer hung up"));
            }
        }
        Ok(count)
    }

    /// Whether a misfit only shows that the metadata has changed since the file landed. A nullable column that the file
    /// does not have reads as null. A column that is no longer described is not read.
    fn is_history(&self, misfit: &Misfit) -> bool {
        misfit.is_unexpected_column()
            || misfit.is_missing_column()
                && misfit.column().and_then(|name| self.table.column(name)).is_some_and(|column| column.nullable)
    }

    /// Converts columns whose type was different when the file landed to their present type.
    fn of_now(&self, then: &Table, decoded: &rows::Batch) -> Result<Vec<ArrayRef>, String> {
        let columns = decoded.batch.columns().iter().zip(self.schema.fields()).zip(self.table.data_columns());
        let columns = columns.map(|((values, field), column)| {
            let wanted = field.data_type();
            if values.data_type() == wanted {
                return Ok(Arc::clone(values));
            }
            align::stored(values, wanted).ok_or_else(|| {
                let is_unfit = |row: &usize| align::stored(&values.slice(*row, 1), wanted).is_none();
                let row = (0..values.len()).find(is_unfit).unwrap_or_default();
                let value = if column.sensitive {
                    "the value (hidden: the column is sensitive)".to_owned()
                } else {
                    format!("`{}`", contract::visible(&rows::shown_value(values, row)))
                };
                let was = then.column(&column.name).unwrap_or(column);
                format!(
                    "line {}, column `{}`: {value} of {}, which the column was by its `earlier_types`, cannot become \
                     {}",
                    decoded.line(row),
                    column.name,
                    was.column_type,
                    column.column_type
                )
            })
        });
        columns.collect()
    }

    fn with_timestamp(&self, mut columns: Vec<ArrayRef>, seconds: u64, rows: usize) -> Result<RecordBatch, ArrowError> {
        let timestamps: ArrayRef = Arc::new(Int64Array::from_value(seconds as i64, rows));
        columns.push(timestamps);
        RecordBatch::try_new(Arc::clone(&self.schema), columns)
    }
}

impl RawFile {
    /// Parses the object's key. The error says why it is not the key of a landed file.
    fn of(area: &Area, base_folder: &str, object: Object) -> Result<Self, String> {
        let unfit = |reason: &str| format!("{}: {reason}", area.url(&object.key));
        let key = LandKey::parse(base_folder, &object.key).map_err(|error| unfit(&error.reason))?;
        let folder = key.file_land_timestamp.ok_or_else(|| unfit("it is not in a partition folder"))?;
        Ok(Self { file_land_timestamp: folder, key, object })
    }
}

/// Merges the small batches of a table's rows.
struct Gathering {
    schema: SchemaRef,
    rows: Fuse<BoxStream<'static, Result<Rows, Failure>>>,
    /// The failure that ended the reading. It is returned after the rows that precede it.
    failure: Option<Failure>,
}

impl Gathering {
    async fn next(&mut self) -> Result<Option<RecordBatch>, Failure> {
        if let Some(failure) = self.failure.take() {
            return Err(failure);
        }
        let (mut held, mut rows, mut bytes) = (Vec::new(), 0, 0);
        while rows < LEAST_ROWS && bytes < LEAST_BYTES {
            match self.rows.next().await {
                None => break,
                Some(Ok(more)) => {
                    rows += more.batch.num_rows();
                    bytes += more.decoded.bytes;
                    held.push(more.batch);
                }
                Some(Err(failure)) if held.is_empty() => return Err(failure),
                Some(Err(failure)) => {
                    self.failure = Some(failure);
                    break;
                }
            }
        }
        match held.len() {
            0 | 1 => Ok(held.pop()),
            _ => concat_batches(&self.schema, &held).map(Some).map_err(Failure::internal),
        }
    }
}

/// One pass over a table's files. Files are opened and decoded ahead, several at once, and return their rows in order.
struct Reading {
    table: Arc<RawTable>,
    /// The number of files that were requested so far.
    begun: usize,
    opening: VecDeque<Opening>,
    decoding: VecDeque<Decoding>,
}

/// A file that is being opened.
struct Opening {
    number: usize,
    opened: BoxFuture<'static, Result<(Object, Input), Failure>>,
}

/// Files that one task decodes in sequence.
struct Decoding {
    files: Vec<(usize, Object)>,
    rows: Receiver<Rows>,
    /// Returns the number of rows of each file.
    task: SpawnedTask<Result<Vec<u64>, Failure>>,
}

impl Reading {
    async fn next(&mut self) -> Result<Option<Rows>, Failure> {
        loop {
            self.open();
            self.decode().await?;
            let Some(first) = self.decoding.front_mut() else { return Ok(None) };
            if let Some(rows) = first.rows.recv().await {
                return Ok(Some(rows));
            }
            let Some(ended) = self.decoding.pop_front() else { return Ok(None) };
            let counts = ended.task.await.map_err(|error| of_task(&error))??;
            if let Ok(mut read) = self.table.read.lock() {
                for ((number, opened), rows) in ended.files.into_iter().zip(counts) {
                    read[number] = Some(InputFile {
                        table: self.table.table.name.clone(),
                        bucket: self.table.area.name(),
                        key: opened.key,
                        version_id: opened.version_id,
                        etag: opened.etag,
                        checksum: opened.checksum,
                        bytes: opened.bytes,
                        rows,
                    });
                }
            }
        }
    }

    /// Opens further files, within the limits on files and bytes ahead.
    fn open(&mut self) {
        let mut under_way = self.opening.len() + self.decoding.iter().map(|task| task.files.len()).sum::<usize>();
        let files = &self.table.files[self.begun - under_way..self.begun];
        let mut bytes: u64 = files.iter().map(|file| file.object.bytes).sum();
        while let Some(next) = self.table.files.get(self.begun) {
            bytes += next.object.bytes;
            if under_way >= FILES_AHEAD || under_way >= self.table.cores && bytes > BYTES_AHEAD {
                return;
            }
            let (table, number) = (Arc::clone(&self.table), self.begun);
            let mut opened = async move { table.open(&table.files[number]).await }.boxed();
            // a local file is ready at once
            let opened = if let Some(opened) = (&mut opened).now_or_never() {
                ready(opened).boxed()
            } else {
                let task = SpawnedTask::spawn(opened);
                async move { task.await.map_err(Failure::internal)? }.boxed()
            };
            self.opening.push_back(Opening { number, opened });
            under_way += 1;
            self.begun += 1;
        }
    }

    /// Starts tasks that decode the open files, up to one per core. A task gets one file or a few small ones. If no
    /// task is running, this waits for the next file. Afterwards a task is running, unless all files were read.
    async fn decode(&mut self) -> Result<(), Failure> {
        while self.decoding.len() < self.table.cores {
            let (mut files, mut inputs, mut bytes) = (Vec::new(), Vec::new(), 0);
            while let Some(first) = self.opening.front_mut() {
                bytes += self.table.files[first.number].object.bytes;
                if !files.is_empty() && (files.len() >= FILES_TOGETHER || bytes > BYTES_TOGETHER) {
                    break;
                }
                let opened = if self.decoding.is_empty() && files.is_empty() {
                    (&mut first.opened).await
                } else {
                    match (&mut first.opened).now_or_never() {
                        Some(Ok(opened)) => Ok(opened),
                        // is reported after the rows of the files before it
                        Some(Err(failure)) => {
                            first.opened = ready(Err(failure)).boxed();
                            break;
                        }
                        None => break,
                    }
                };
                let number = first.number;
                self.opening.pop_front();
                let (opened, input) = opened?;
                files.push((number, opened));
                inputs.push((number, input));
            }
            if files.is_empty() {
                return Ok(());
            }
            let table = Arc::clone(&self.table);
            let (to, rows) = channel(BATCHES_AHEAD);
            let decode = move || inputs.into_iter().map(|(number, input)| table.decode(number, input, &to)).collect();
            self.decoding.push_back(Decoding { files, rows, task: SpawnedTask::spawn_blocking(decode) });
        }
        Ok(())
    }
}

#[derive(Debug)]
struct RawPartition(Arc<RawTable>);

impl PartitionStream for RawPartition {
    fn schema(&self) -> &SchemaRef {
        &self.0.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let feed = self.0.feeds.lock().ok().and_then(|mut feeds| feeds.pop());
        let rows = match feed {
            Some(feed) => stream::unfold(feed, |mut feed| async move { Some((feed.recv().await?, feed)) }).boxed(),
            None => self.0.batches().boxed(),
        };
        let rows = rows.map_err(|failure| DataFusionError::External(Box::new(failure)));
        Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.0.schema), rows))
    }
}

//! Writes aligned rows to Parquet files under a run's own prefix. Files are written as the rows arrive, never over an
//! older one, and nothing points at them until the run is published.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use contract::key::MAXIMUM_KEY;
use contract::{Failure, Mode, OutputFile, PartitionOutput, Replaces, Table, TableOutput};
use parquet::file::properties::WriterProperties;

use crate::area::Area;
use crate::parquet_file::{ParquetFile, SAMPLE_ROWS, properties};
use crate::partition;

/// A file that reaches this size is closed, and the next part begins. Athena reads files of 128 MB to 1 GB best.
const FILE_BYTES: usize = 512 << 20;
/// The most memory that the open files of a table with many partitions may hold in total. Beyond it the largest is
/// closed, and its partition continues in another part. It is not a share of the function's memory, so that the same
/// rows give the same files with any amount of it.
const HELD_BYTES: usize = 128 << 20;

/// This many rows, or [`WAITING_BYTES`] of them, are written together. The first ones decide how the table's files are
/// written.
const WAITING_ROWS: usize = SAMPLE_ROWS;
const WAITING_BYTES: usize = 16 << 20;

/// Writes one table of one run.
pub(crate) struct TableWriter {
    area: Area,
    /// Key of the table's folder in this run, ending with `/`.
    folder: String,
    table: Table,
    data_schema: SchemaRef,
    /// Rows that wait to be written together.
    waiting: Vec<RecordBatch>,
    waiting_rows: usize,
    waiting_bytes: usize,
    properties: Option<Arc<WriterProperties>>,
    /// By folder within the table's folder (`a=1/b=2/`, or empty), so that files come in the same order every time.
    partitions: BTreeMap<String, PartitionWriter>,
    held_bytes: usize,
    /// Whether the values of the partition columns must stay hidden.
    hides_partitions: bool,
}

struct PartitionWriter {
    values: Vec<String>,
    open: Option<ParquetFile>,
    held_bytes: usize,
    rows: u64,
    files: Vec<OutputFile>,
}

impl TableWriter {
    /// `schema` is that of the aligned rows, partition columns last. `folder` is the key of the table's folder in this
    /// run, ending with `/`. If `hides_partitions`, no message names a partition's folder.
    pub(crate) fn new(
        area: &Area,
        folder: String,
        table: &Table,
        schema: &SchemaRef,
        hides_partitions: bool,
    ) -> Result<Self, Failure> {
        let data: Vec<usize> = (0..table.data_columns().len()).collect();
        let data_schema = Arc::new(schema.project(&data).map_err(Failure::internal)?);
        let mut partitions = BTreeMap::new();
        if table.partitions.is_empty() {
            // the one folder exists even without rows: a table of an empty query is an empty table, not a missing one
            partitions.insert(String::new(), PartitionWriter::new(Vec::new()));
        }
        Ok(Self {
            area: area.clone(),
            folder,
            table: table.clone(),
            data_schema,
            waiting: Vec::new(),
            waiting_rows: 0,
            waiting_bytes: 0,
            properties: None,
            partitions,
            held_bytes: 0,
            hides_partitions,
        })
    }

    /// Adds rows, each to its partition. They are regrouped by [`WAITING_ROWS`], however they arrive.
    pub(crate) async fn write(&mut self, batch: RecordBatch) -> Result<(), Failure> {
        let mut from = 0;
        while from < batch.num_rows() {
            let rows = batch.slice(from, (batch.num_rows() - from).min(WAITING_ROWS - self.waiting_rows));
            from += rows.num_rows();
            self.waiting_rows += rows.num_rows();
            self.waiting_bytes += bytes(&rows)?;
            self.waiting.push(rows);
            if self.waiting_rows == WAITING_ROWS || self.waiting_bytes >= WAITING_BYTES {
                self.flush().await?;
            }
        }
        Ok(())
    }

    /// Writes the waiting rows. The first ones decide how all are written.
    async fn flush(&mut self) -> Result<(), Failure> {
        if self.waiting.is_empty() && self.properties.is_some() {
            return Ok(());
        }
        (self.waiting_rows, self.waiting_bytes) = (0, 0);
        let waiting = std::mem::take(&mut self.waiting);
        let data: Vec<usize> = (0..self.data_schema.fields().len()).collect();
        let properties = if let Some(properties) = &self.properties {
            Arc::clone(properties)
        } else {
            let columns = waiting.iter().map(|batch| batch.project(&data)).collect::<Result<Vec<_>, _>>();
            let columns = columns.map_err(Failure::internal)?;
            let properties = properties(self.table.compression, &self.data_schema, &columns)?;
            Arc::clone(self.properties.insert(Arc::new(properties)))
        };
        if self.table.partitions.is_empty() {
            return self.add(Vec::new(), waiting, &properties).await;
        }
        for batch in &waiting {
            for (values, rows) in partition::split(&self.table.name, batch, data.len())? {
                self.add(values, vec![rows], &properties).await?;
            }
            self.close_some().await?;
        }
        Ok(())
    }

    async fn add(
        &mut self,
        values: Vec<String>,
        rows: Vec<RecordBatch>,
        properties: &WriterProperties,
    ) -> Result<(), Failure> {
        let added = self.add_to_file(values, rows, properties).await;
        added.map_err(|failure| self.of_partition(failure))
    }

    /// Hides the partition in a failure, because the message names the file.
    fn of_partition(&self, failure: Failure) -> Failure {
        if self.hides_partitions { without_partition(&self.table, &failure) } else { failure }
    }

    async fn add_to_file(
        &mut self,
        values: Vec<String>,
        rows: Vec<RecordBatch>,
        properties: &WriterProperties,
    ) -> Result<(), Failure> {
        let folder = partition::folder(&self.table.partitions, &values);
        let partition = self.partitions.entry(folder.clone()).or_insert_with(|| PartitionWriter::new(values));
        let mut file = if let Some(file) = partition.open.take() {
            file
        } else {
            let key = format!("{}{folder}data-part-{}.parquet", self.folder, partition.files.len());
            if key.len() > MAXIMUM_KEY {
                return Err(Failure::bad_data(format!(
                    "table `{}`: partition `{folder}` makes a key of {} bytes, and S3 takes {MAXIMUM_KEY}; partition \
                     by something shorter",
                    self.table.name,
                    key.len()
                )));
            }
            ParquetFile::create(&self.area, key, &self.data_schema, properties).await?
        };
        partition.rows += rows.iter().map(|batch| batch.num_rows() as u64).sum::<u64>();
        file.write(rows).await?;
        self.held_bytes += file.held_bytes();
        self.held_bytes -= std::mem::replace(&mut partition.held_bytes, file.held_bytes());
        let full = file.bytes() >= FILE_BYTES;
        partition.open = Some(file);
        if full {
            self.held_bytes -= partition.close().await?;
        }
        Ok(())
    }

    /// Closes the largest files until the open ones together hold no more than [`HELD_BYTES`].
    async fn close_some(&mut self) -> Result<(), Failure> {
        while self.held_bytes > HELD_BYTES && self.partitions.len() > 1 {
            let largest = self.partitions.values_mut().max_by_key(|partition| partition.held_bytes);
            let Some(largest) = largest.filter(|largest| largest.open.is_some()) else { break };
            let closed = largest.close().await;
            self.held_bytes -= closed.map_err(|failure| self.of_partition(failure))?;
        }
        Ok(())
    }

    /// Closes all files. They are then complete, but nothing points at them yet.
    pub(crate) async fn finish(mut self) -> Result<TableOutput, Failure> {
        // also for a table without rows, which has its one file all the same
        self.flush().await?;
        let mut output = no_files(&self.area, &self.folder, &self.table);
        output.hides_partitions = self.hides_partitions;
        for (folder, mut partition) in std::mem::take(&mut self.partitions) {
            partition.close().await.map_err(|failure| self.of_partition(failure))?;
            output.rows += partition.rows;
            output.bytes += partition.files.iter().map(|file| file.bytes).sum::<u64>();
            output.files.append(&mut partition.files);
            if !self.table.partitions.is_empty() {
                output.partitions.push(PartitionOutput {
                    values: partition.values,
                    location: self.area.url(&format!("{}{folder}", self.folder)),
                    rows: partition.rows,
                });
            }
        }
        Ok(output)
    }
}

/// Returns a failure that does not name the partition of the file.
pub(crate) fn without_partition(table: &Table, failure: &Failure) -> Failure {
    let message = format!(
        "table `{}`: a file of a partition cannot be written ({}; no more is told: a partition column is sensitive)",
        table.name,
        failure.kind.name()
    );
    Failure { kind: failure.kind, message }
}

/// The output of a table before any row is written.
pub(crate) fn no_files(area: &Area, folder: &str, table: &Table) -> TableOutput {
    TableOutput {
        table: table.name.clone(),
        replaces: match table.mode {
            Mode::Rebuild => Replaces::Table,
            Mode::Partition | Mode::Append if !table.partitions.is_empty() => Replaces::Partitions,
            Mode::Partition | Mode::Append => Replaces::Table,
        },
        location: area.url(folder),
        rows: 0,
        bytes: 0,
        files: Vec::new(),
        partitions: Vec::new(),
        hides_partitions: false,
        appended: None,
        completed: None,
    }
}

/// Returns the bytes of a batch's values, which are the same for the same rows, wherever they lie in memory.
fn bytes(batch: &RecordBatch) -> Result<usize, Failure> {
    let bytes = batch.columns().iter().map(|column| column.to_data().get_slice_memory_size());
    bytes.sum::<Result<usize, _>>().map_err(Failure::internal)
}

impl PartitionWriter {
    fn new(values: Vec<String>) -> Self {
        Self { values, open: None, held_bytes: 0, rows: 0, files: Vec::new() }
    }

    /// Closes the open file. Returns the bytes of memory that it held.
    async fn close(&mut self) -> Result<usize, Failure> {
        if let Some(file) = self.open.take() {
            self.files.push(file.finish().await?);
        }
        Ok(std::mem::take(&mut self.held_bytes))
    }
}

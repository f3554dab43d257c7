//! Aligned rows → Parquet files under a run's own prefix. Files are written as the rows come, never over an older one,
//! and nothing points at them until the run is published.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use contract::{Failure, Mode, OutputFile, PartitionOutput, Replaces, Table, TableOutput};
use parquet::file::properties::WriterProperties;

use crate::area::Area;
use crate::parquet_file::{ParquetFile, SAMPLE_ROWS, properties};
use crate::partition;

/// A file is closed, and the next part begun, from this size on: Athena reads files of 128 MB to 1 GB best.
const FILE_BYTES: usize = 512 << 20;
/// What the files under way of a table with many partitions may hold in memory, all together. Past that the largest is
/// closed, and its partition goes on in another part. Not a share of the function's memory: the same rows are to give the
/// same files however much there is.
const HELD_BYTES: usize = 128 << 20;

/// Writes one table of one run.
pub struct TableWriter {
    area: Area,
    /// Key of the table's folder in this run, ending with `/`.
    folder: String,
    table: Table,
    data_schema: SchemaRef,
    /// The first rows, until there are enough of them to tell how the files are best written.
    sample: Vec<RecordBatch>,
    properties: Option<WriterProperties>,
    /// By folder within the run (`a=1/b=2/`, or empty), so that files come in the same order every time.
    partitions: BTreeMap<String, PartitionWriter>,
    held_bytes: usize,
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
    /// run, ending with `/`.
    pub fn new(area: &Area, folder: String, table: &Table, schema: &SchemaRef) -> Result<Self, Failure> {
        let data: Vec<usize> = (0..table.data_columns().len()).collect();
        let data_schema = Arc::new(schema.project(&data).map_err(Failure::internal)?);
        let mut partitions = BTreeMap::new();
        if table.partitions.is_empty() {
            // the one folder is there even for no rows: a table of an empty query is an empty table, not a missing one
            partitions.insert(String::new(), PartitionWriter::new(Vec::new()));
        }
        Ok(Self {
            area: area.clone(),
            folder,
            table: table.clone(),
            data_schema,
            sample: Vec::new(),
            properties: None,
            partitions,
            held_bytes: 0,
        })
    }

    /// Adds rows, each to its partition.
    pub async fn write(&mut self, batch: RecordBatch) -> Result<(), Failure> {
        if let Some(properties) = self.properties.take() {
            self.add(&batch, &properties).await?;
            self.properties = Some(properties);
            return Ok(());
        }
        self.sample.push(batch);
        let rows: usize = self.sample.iter().map(RecordBatch::num_rows).sum();
        if rows >= SAMPLE_ROWS { self.begin().await } else { Ok(()) }
    }

    /// Writes the first rows, of which the rest is to be like.
    async fn begin(&mut self) -> Result<(), Failure> {
        let sample = std::mem::take(&mut self.sample);
        let data: Vec<usize> = (0..self.data_schema.fields().len()).collect();
        let columns = sample.iter().map(|batch| batch.project(&data)).collect::<Result<Vec<_>, _>>();
        let columns = columns.map_err(Failure::internal)?;
        let properties = properties(self.table.compression, &self.data_schema, &columns)?;
        for batch in &sample {
            self.add(batch, &properties).await?;
        }
        self.properties = Some(properties);
        Ok(())
    }

    async fn add(&mut self, batch: &RecordBatch, properties: &WriterProperties) -> Result<(), Failure> {
        for (values, rows) in partition::split(batch, self.data_schema.fields().len())? {
            let folder = partition::folder(&self.table.partitions, &values);
            let partition = self.partitions.entry(folder.clone()).or_insert_with(|| PartitionWriter::new(values));
            let mut file = match partition.open.take() {
                Some(file) => file,
                None => {
                    let key = format!("{}{folder}data-part-{}.parquet", self.folder, partition.files.len());
                    ParquetFile::create(&self.area, key, &self.data_schema, properties).await?
                }
            };
            file.write(&rows).await?;
            partition.rows += rows.num_rows() as u64;
            self.held_bytes += file.held_bytes();
            self.held_bytes -= std::mem::replace(&mut partition.held_bytes, file.held_bytes());
            let full = file.bytes() >= FILE_BYTES;
            partition.open = Some(file);
            if full {
                self.held_bytes -= partition.close().await?;
            }
        }
        while self.held_bytes > HELD_BYTES && self.partitions.len() > 1 {
            let largest = self.partitions.values_mut().max_by_key(|partition| partition.held_bytes);
            let Some(largest) = largest.filter(|largest| largest.open.is_some()) else { break };
            self.held_bytes -= largest.close().await?;
        }
        Ok(())
    }

    /// Closes all files. From here on they are whole, and still unseen.
    pub async fn finish(mut self) -> Result<TableOutput, Failure> {
        if self.properties.is_none() {
            self.begin().await?;
        }
        if self.table.partitions.is_empty()
            && let (Some(only), Some(properties)) = (self.partitions.get_mut(""), &self.properties)
            && only.open.is_none()
            && only.files.is_empty()
        {
            let key = format!("{}data-part-0.parquet", self.folder);
            only.open = Some(ParquetFile::create(&self.area, key, &self.data_schema, properties).await?);
        }
        let mut output = no_files(&self.area, &self.folder, &self.table);
        for (folder, mut partition) in self.partitions {
            partition.close().await?;
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

/// A table of a run, as long as there is nothing in it.
pub fn no_files(area: &Area, folder: &str, table: &Table) -> TableOutput {
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
        appended: None,
    }
}

impl PartitionWriter {
    fn new(values: Vec<String>) -> Self {
        Self { values, open: None, held_bytes: 0, rows: 0, files: Vec::new() }
    }

    /// Closes the open file; gives the bytes that it held.
    async fn close(&mut self) -> Result<usize, Failure> {
        if let Some(file) = self.open.take() {
            self.files.push(file.finish().await?);
        }
        Ok(std::mem::take(&mut self.held_bytes))
    }
}

//! Aligned rows → Parquet files under a run's own prefix. Files are written as the rows come, never over an older one,
//! and nothing points at them until the run is published.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, UInt64Array};
use arrow::compute::{concat_batches, take_record_batch};
use arrow::datatypes::SchemaRef;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use bytes::Bytes;
use contract::{Failure, OutputFile, PartitionOutput, RunId, Table, TableOutput};
use futures::FutureExt;
use futures::future::BoxFuture;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::arrow::async_writer::{AsyncArrowWriter, AsyncFileWriter};
use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use sha2::{Digest, Sha256};
use store::{Store, Upload, Write};

/// A file is closed, and the next part begun, from this size on: Athena reads files of 128 MB to 1 GB best.
const FILE_BYTES: usize = 512 << 20;
/// Rows of a row group. What one writer holds in memory is one row group.
const ROW_GROUP_ROWS: usize = 262_144;
/// The folder value of a null, as Hive writes it.
const NULL_PARTITION: &str = "__HIVE_DEFAULT_PARTITION__";

/// Writes one table of one run.
pub struct TableWriter {
    store: Store,
    bucket: String,
    /// Key of the table's folder in this run, ending with `/`.
    folder: String,
    table: Table,
    data_schema: SchemaRef,
    /// By folder within the run (`a=1/b=2/`, or empty), so that files come in the same order every time.
    partitions: BTreeMap<String, PartitionWriter>,
}

struct PartitionWriter {
    values: Vec<String>,
    folder: String,
    open: Option<AsyncArrowWriter<ObjectWriter>>,
    rows: u64,
    open_rows: u64,
    files: Vec<OutputFile>,
}

impl TableWriter {
    /// `schema` is that of the aligned rows, partition columns last.
    pub fn new(
        store: &Store,
        bucket: &str,
        base_folder: &str,
        run: &RunId,
        table: &Table,
        schema: &SchemaRef,
    ) -> Result<Self, Failure> {
        let data: Vec<usize> = (0..table.data_columns().len()).collect();
        let data_schema = Arc::new(schema.project(&data).map_err(Failure::internal)?);
        let base = if base_folder.is_empty() { String::new() } else { format!("{base_folder}/") };
        let folder = format!("{base}{}/{run}/", table.location);
        let mut writer = Self {
            store: store.clone(),
            bucket: bucket.into(),
            folder,
            table: table.clone(),
            data_schema,
            partitions: BTreeMap::new(),
        };
        if table.partitions.is_empty() {
            // the one folder is there even for no rows: a table of an empty query is an empty table, not a missing one
            let mut partition = writer.partition(Vec::new(), String::new());
            partition.open_file(&writer.store, &writer.bucket, &writer.data_schema)?;
            writer.partitions.insert(String::new(), partition);
        }
        Ok(writer)
    }

    fn partition(&self, values: Vec<String>, folder: String) -> PartitionWriter {
        PartitionWriter {
            values,
            folder: format!("{}{folder}", self.folder),
            open: None,
            rows: 0,
            open_rows: 0,
            files: Vec::new(),
        }
    }

    /// Adds rows, each to its partition.
    pub async fn write(&mut self, batch: &RecordBatch) -> Result<(), Failure> {
        for (values, rows) in self.split(batch)? {
            let folder = folder(&self.table.partitions, &values);
            if !self.partitions.contains_key(&folder) {
                let partition = self.partition(values, folder.clone());
                self.partitions.insert(folder.clone(), partition);
            }
            let Some(partition) = self.partitions.get_mut(&folder) else { continue };
            partition.write(&self.store, &self.bucket, &self.data_schema, &rows).await?;
        }
        Ok(())
    }

    /// Closes all files. From here on they are whole, and still unseen.
    pub async fn finish(self) -> Result<TableOutput, Failure> {
        let mut output = TableOutput {
            table: self.table.name.clone(),
            mode: self.table.mode,
            location: store::url(&self.bucket, &self.folder),
            rows: 0,
            bytes: 0,
            files: Vec::new(),
            partitions: Vec::new(),
        };
        for mut partition in self.partitions.into_values() {
            partition.close_file().await?;
            output.rows += partition.rows;
            output.bytes += partition.files.iter().map(|file| file.bytes).sum::<u64>();
            output.files.append(&mut partition.files);
            if !self.table.partitions.is_empty() {
                output.partitions.push(PartitionOutput {
                    values: partition.values,
                    location: store::url(&self.bucket, &partition.folder),
                    rows: partition.rows,
                });
            }
        }
        Ok(output)
    }

    /// The rows of each partition, without the partition columns.
    fn split(&self, batch: &RecordBatch) -> Result<Vec<(Vec<String>, RecordBatch)>, Failure> {
        let count = self.table.data_columns().len();
        let data: Vec<usize> = (0..count).collect();
        let data = batch.project(&data).map_err(Failure::internal)?;
        if self.table.partitions.is_empty() {
            return Ok(vec![(Vec::new(), data)]);
        }
        let mut groups: BTreeMap<Vec<String>, Vec<u64>> = BTreeMap::new();
        let texts: Vec<Vec<String>> = batch.columns()[count..].iter().map(texts).collect::<Result<_, _>>()?;
        for row in 0..batch.num_rows() {
            let values = texts.iter().map(|column| column[row].clone()).collect();
            groups.entry(values).or_default().push(row as u64);
        }
        let mut parts = Vec::with_capacity(groups.len());
        for (values, rows) in groups {
            let rows = take_record_batch(&data, &UInt64Array::from(rows)).map_err(Failure::internal)?;
            parts.push((values, concat_batches(&self.data_schema, [&rows]).map_err(Failure::internal)?));
        }
        Ok(parts)
    }
}

impl PartitionWriter {
    async fn write(
        &mut self,
        store: &Store,
        bucket: &str,
        schema: &SchemaRef,
        rows: &RecordBatch,
    ) -> Result<(), Failure> {
        self.open_file(store, bucket, schema)?;
        let Some(open) = &mut self.open else { return Ok(()) };
        open.write(rows).await.map_err(failure)?;
        self.rows += rows.num_rows() as u64;
        self.open_rows += rows.num_rows() as u64;
        if open.bytes_written() + open.in_progress_size() >= FILE_BYTES {
            self.close_file().await?;
        }
        Ok(())
    }

    fn open_file(&mut self, store: &Store, bucket: &str, schema: &SchemaRef) -> Result<(), Failure> {
        if self.open.is_some() {
            return Ok(());
        }
        let key = format!("{}data-part-{}.parquet", self.folder, self.files.len());
        let upload = store.upload(bucket, &key, "application/vnd.apache.parquet");
        let object = ObjectWriter { key, upload: Some(upload), digest: Sha256::new(), bytes: 0 };
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
            .set_created_by("landfall".into())
            .build();
        // Athena reads Parquet's own schema; a copy of Arrow's in the footer would only be one more thing to differ
        let options = ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
        self.open = Some(AsyncArrowWriter::try_new_with_options(object, Arc::clone(schema), options).map_err(failure)?);
        Ok(())
    }

    async fn close_file(&mut self) -> Result<(), Failure> {
        let Some(mut open) = self.open.take() else { return Ok(()) };
        open.finish().await.map_err(failure)?;
        let object = open.into_inner();
        let sha256 = object.digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        self.files.push(OutputFile { key: object.key, rows: self.open_rows, bytes: object.bytes, sha256 });
        self.open_rows = 0;
        Ok(())
    }
}

/// A Parquet file on its way to S3.
struct ObjectWriter {
    key: String,
    upload: Option<Upload>,
    digest: Sha256,
    bytes: u64,
}

impl AsyncFileWriter for ObjectWriter {
    fn write(&mut self, bytes: Bytes) -> BoxFuture<'_, Result<(), ParquetError>> {
        async move {
            self.digest.update(&bytes);
            self.bytes += bytes.len() as u64;
            match &mut self.upload {
                Some(upload) => upload.write(&bytes).await.map_err(|failure| ParquetError::External(Box::new(failure))),
                None => Err(ParquetError::General("written after its end".into())),
            }
        }
        .boxed()
    }

    fn complete(&mut self) -> BoxFuture<'_, Result<(), ParquetError>> {
        async move {
            let Some(upload) = self.upload.take() else { return Ok(()) };
            let finished = upload.finish(Write::IfAbsent).await;
            finished.map(drop).map_err(|failure| ParquetError::External(Box::new(failure)))
        }
        .boxed()
    }
}

fn failure(error: ParquetError) -> Failure {
    match error {
        ParquetError::External(inner) => match inner.downcast::<Failure>() {
            Ok(failure) => *failure,
            Err(other) => Failure::internal(other),
        },
        other => Failure::internal(other),
    }
}

/// The values of a partition column as Glue holds them.
fn texts(column: &ArrayRef) -> Result<Vec<String>, Failure> {
    let options = FormatOptions::default().with_timestamp_format(Some("%Y-%m-%d %H:%M:%S%.f"));
    let formatter = ArrayFormatter::try_new(column, &options).map_err(Failure::internal)?;
    let text = |row| if column.is_null(row) { NULL_PARTITION.to_owned() } else { formatter.value(row).to_string() };
    Ok((0..column.len()).map(text).collect())
}

/// `a=1/b=2/`, escaped as Hive does it.
fn folder(names: &[String], values: &[String]) -> String {
    names.iter().zip(values).map(|(name, value)| format!("{name}={}/", escape(value))).collect()
}

/// Hive's escaping of a partition value in a path: the characters of `FileUtils.charToEscape` as `%XX`.
/// <https://github.com/apache/hive/blob/master/common/src/java/org/apache/hadoop/hive/common/FileUtils.java>
fn escape(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for c in value.chars() {
        match c {
            '"'
            | '#'
            | '%'
            | '\''
            | '*'
            | '/'
            | ':'
            | '='
            | '?'
            | '\\'
            | '\x7f'
            | '{'
            | '['
            | ']'
            | '^'
            | '\x01'..='\x1f' => {
                out.push_str(&format!("%{:02X}", c as u32));
            }
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_escaped_as_hive_does_it() {
        let names = ["a".to_owned(), "b".to_owned()];
        let values = ["2018-01-01 00:00:00".to_owned(), "x/y=é 100%".to_owned()];
        assert_eq!(folder(&names, &values), "a=2018-01-01 00%3A00%3A00/b=x%2Fy%3Dé 100%25/");
    }
}

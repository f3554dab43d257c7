//! Writes one Parquet file. Rows are encoded as they arrive, and finished row groups are uploaded one after another.

use std::collections::{HashSet, VecDeque};
use std::hash::Hash;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use arrow::array::{ArrayRef, AsArray, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, SchemaRef};
use arrow::row::{RowConverter, SortField};
use contract::{Failure, OutputFile, ParquetCompression, hexadecimal};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::{ArrowRowGroupWriterFactory, ArrowWriterOptions};
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::ColumnPath;
use sha2::{Digest, Sha256};
use store::PART_BYTES;

use crate::area::{Area, NewFile};
use crate::row_group::{Limits, RowGroup};

/// The limits of each row group. A file that is being written holds one row group in memory.
const ROW_GROUP: Limits = Limits { rows: 262_144, bytes: 64 << 20 };
/// The number of rows that decide how a table's columns are encoded.
pub const SAMPLE_ROWS: usize = 8_192;
/// A column gets a dictionary if at least one in this many values of the sample repeats an earlier one. Other columns
/// are faster to write without a dictionary, and hardly larger.
const REPEATED: usize = 5;

/// Returns how a table's files are written. This depends only on its metadata and its first rows, so that the same rows
/// give the same bytes.
///
/// # Errors
/// Fails if the batches of the sample do not have the schema.
pub fn properties(
    compression: ParquetCompression,
    schema: &SchemaRef,
    sample: &[RecordBatch],
) -> Result<WriterProperties, Failure> {
    let compression = match compression {
        ParquetCompression::Snappy => Compression::SNAPPY,
        ParquetCompression::Zstd => Compression::ZSTD(ZstdLevel::try_new(3).map_err(Failure::internal)?),
    };
    let mut properties = WriterProperties::builder()
        .set_compression(compression)
        // statistics of each row group, by which Athena skips it
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_created_by("landfall".into());
    let rows: usize = sample.iter().map(RecordBatch::num_rows).sum();
    if rows > 0 {
        let sample = concat_batches(schema, sample).map_err(Failure::internal)?;
        for (field, column) in schema.fields().iter().zip(sample.columns()) {
            if field.data_type().is_nested() || *field.data_type() == DataType::Boolean {
                continue;
            }
            if !repeats(column)? {
                let path = ColumnPath::new(vec![field.name().clone()]);
                properties = properties.set_column_dictionary_enabled(path, false);
            }
        }
    }
    Ok(properties.build())
}

/// Whether enough of a column's values repeat earlier ones. Stops as soon as there are enough.
fn repeats(column: &ArrayRef) -> Result<bool, Failure> {
    if let Some(texts) = column.as_string_opt::<i32>() {
        return Ok(repeat(texts.iter()));
    }
    let field = SortField::new(column.data_type().clone());
    let converter = RowConverter::new(vec![field]).map_err(Failure::internal)?;
    let values = converter.convert_columns(&[Arc::clone(column)]).map_err(Failure::internal)?;
    Ok(repeat(values.iter()))
}

fn repeat<T: Eq + Hash>(values: impl ExactSizeIterator<Item = T>) -> bool {
    let (rows, mut again) = (values.len(), 0);
    let mut seen = HashSet::with_capacity_and_hasher(rows, ahash::RandomState::new());
    values.into_iter().any(|value| {
        again += usize::from(!seen.insert(value));
        again * REPEATED >= rows
    })
}

/// A Parquet file that is being written.
pub struct ParquetFile {
    schema: SchemaRef,
    encoder: SerializedFileWriter<Encoded>,
    factory: ArrowRowGroupWriterFactory,
    row_group: Option<RowGroup>,
    rows: u64,
    sink: Sink,
}

impl ParquetFile {
    /// Starts a file. Nothing is visible under the key until [`ParquetFile::finish`].
    ///
    /// # Errors
    /// Fails if S3 or the disk refuses or does not answer.
    pub async fn create(
        area: &Area,
        key: String,
        schema: &SchemaRef,
        properties: &WriterProperties,
    ) -> Result<Self, Failure> {
        let file = area.create(&key, "application/vnd.apache.parquet").await?;
        let encoded = Encoded::default();
        // Athena reads Parquet's own schema; a copy of Arrow's in the footer could only differ from it
        let options = ArrowWriterOptions::new().with_properties(properties.clone()).with_skip_arrow_metadata(true);
        let writer = ArrowWriter::try_new_with_options(encoded.clone(), Arc::clone(schema), options);
        let (encoder, factory) = writer.and_then(ArrowWriter::into_serialized_writer).map_err(Failure::internal)?;
        let sink = Sink { encoded, key, file, digest: Sha256::new() };
        Ok(Self { schema: Arc::clone(schema), encoder, factory, row_group: None, rows: 0, sink })
    }

    /// Adds rows. Adding many at once takes less time, because columns are encoded in parallel.
    ///
    /// # Errors
    /// Fails if S3 or the disk refuses or does not answer.
    pub async fn write(&mut self, rows: Vec<RecordBatch>) -> Result<(), Failure> {
        let mut left = VecDeque::from(rows);
        // empty batches must not begin a row group
        left.retain(|batch| batch.num_rows() > 0);
        while !left.is_empty() {
            let mut row_group = match self.row_group.take() {
                Some(row_group) => row_group,
                None => self.begin_row_group().map_err(Failure::internal)?,
            };
            let now = first_rows(&mut left, row_group.room());
            self.rows += now.iter().map(|batch| batch.num_rows() as u64).sum::<u64>();
            row_group.write(now).await.map_err(Failure::internal)?;
            match row_group.room() {
                0 => self.end_row_group(row_group).await?,
                _ => self.row_group = Some(row_group),
            }
        }
        Ok(())
    }

    fn begin_row_group(&self) -> Result<RowGroup, ParquetError> {
        let n = self.encoder.flushed_row_groups().len();
        RowGroup::begin(&self.factory, n, &self.schema, self.encoder.schema_descr(), ROW_GROUP)
    }

    async fn end_row_group(&mut self, row_group: RowGroup) -> Result<(), Failure> {
        let columns = row_group.close().await.map_err(Failure::internal)?;
        let mut row_group = self.encoder.next_row_group().map_err(Failure::internal)?;
        for column in columns {
            column.append_to_row_group(&mut row_group).map_err(Failure::internal)?;
            self.sink.send().await?;
        }
        row_group.close().map(drop).map_err(Failure::internal)
    }

    /// Returns the encoded bytes so far, an estimate.
    pub fn bytes(&self) -> usize {
        self.encoder.bytes_written() + self.row_group.as_ref().map_or(0, RowGroup::bytes)
    }

    /// Estimates the bytes that are held in memory: a row group, and the part of the upload that is not full yet.
    pub fn held_bytes(&self) -> usize {
        self.encoder.bytes_written() % PART_BYTES + self.row_group.as_ref().map_or(0, RowGroup::held_bytes)
    }

    /// Makes the complete file visible. Returns its rows, bytes and digest.
    ///
    /// # Errors
    /// Fails if S3 or the disk refuses or does not answer.
    pub async fn finish(mut self) -> Result<OutputFile, Failure> {
        if let Some(row_group) = self.row_group.take() {
            self.end_row_group(row_group).await?;
        }
        self.encoder.finish().map_err(Failure::internal)?;
        self.sink.send().await?;
        let Sink { key, file, digest, .. } = self.sink;
        file.finish().await?;
        let bytes = self.encoder.bytes_written() as u64;
        Ok(OutputFile { key, rows: self.rows, bytes, sha256: hexadecimal(&digest.finalize()), copied_from: None })
    }
}

/// Takes up to `room` rows from the front.
fn first_rows(from: &mut VecDeque<RecordBatch>, mut room: usize) -> Vec<RecordBatch> {
    let mut taken = Vec::with_capacity(from.len());
    while room > 0
        && let Some(batch) = from.pop_front()
    {
        let rows = batch.num_rows();
        if rows > room {
            taken.push(batch.slice(0, room));
            from.push_front(batch.slice(room, rows - room));
            room = 0;
        } else {
            taken.push(batch);
            room -= rows;
        }
    }
    taken
}

/// The encoded bytes that are not uploaded yet: at most one column chunk.
#[derive(Clone, Default)]
struct Encoded(Arc<Mutex<Vec<u8>>>);

impl Encoded {
    fn bytes(&self) -> io::Result<MutexGuard<'_, Vec<u8>>> {
        self.0.lock().map_err(|_| io::Error::other("the encoder has stopped"))
    }
}

impl io::Write for Encoded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes()?.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The upload of the encoded bytes.
struct Sink {
    encoded: Encoded,
    key: String,
    file: NewFile,
    digest: Sha256,
}

impl Sink {
    async fn send(&mut self) -> Result<(), Failure> {
        let mut bytes = std::mem::take(&mut *self.encoded.bytes().map_err(Failure::internal)?);
        self.digest.update(&bytes);
        self.file.write(&bytes).await?;
        bytes.clear();
        *self.encoded.bytes().map_err(Failure::internal)? = bytes;
        Ok(())
    }
}

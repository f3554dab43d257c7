//! One Parquet file under way: encoded as the rows come, and on its way out row group by row group.

use std::collections::HashSet;
use std::hash::Hash;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, SchemaRef};
use arrow::row::{RowConverter, SortField};
use bytes::Bytes;
use contract::{Failure, OutputFile, ParquetCompression};
use futures::FutureExt;
use futures::future::BoxFuture;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::arrow::async_writer::{AsyncArrowWriter, AsyncFileWriter};
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;
use sha2::{Digest, Sha256};
use store::PART_BYTES;

use crate::area::{Area, NewFile};

/// Rows of a row group at most.
const ROW_GROUP_ROWS: usize = 262_144;
/// Bytes of a row group, encoded, at most: a file under way holds that much in memory.
const ROW_GROUP_BYTES: usize = 64 << 20;
/// How many rows tell how a table's columns are best encoded.
pub const SAMPLE_ROWS: usize = 8_192;
/// A column of which fewer values of the sample than one in so many have come before is quicker without a dictionary,
/// and hardly larger.
const REPEATED: usize = 5;

/// How a table's files are written: by its metadata and its first rows, so that the same rows give the same bytes.
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
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_max_row_group_bytes(Some(ROW_GROUP_BYTES))
        // of each row group: what Athena passes over it by
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

/// Whether enough of a column's values have come before. Looks no further than it must.
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

/// A Parquet file under way.
pub struct ParquetFile {
    writer: AsyncArrowWriter<Sink>,
    rows: u64,
}

impl ParquetFile {
    /// Nothing is visible under the key until [`ParquetFile::finish`].
    pub async fn create(
        area: &Area,
        key: String,
        schema: &SchemaRef,
        properties: &WriterProperties,
    ) -> Result<Self, Failure> {
        let file = area.create(&key, "application/vnd.apache.parquet").await?;
        let sink = Sink { key, file: Some(file), digest: Sha256::new(), bytes: 0 };
        // Athena reads Parquet's own schema; a copy of Arrow's in the footer would only be one more thing to differ
        let options = ArrowWriterOptions::new().with_properties(properties.clone()).with_skip_arrow_metadata(true);
        let writer = AsyncArrowWriter::try_new_with_options(sink, Arc::clone(schema), options).map_err(failure)?;
        Ok(Self { writer, rows: 0 })
    }

    /// Adds rows.
    pub async fn write(&mut self, rows: &RecordBatch) -> Result<(), Failure> {
        self.rows += rows.num_rows() as u64;
        self.writer.write(rows).await.map_err(failure)
    }

    /// Bytes so far.
    pub fn bytes(&self) -> usize {
        self.writer.bytes_written() + self.writer.in_progress_size()
    }

    /// Bytes that are held in memory, more or less: a row group, and the part of the upload that is not full.
    pub fn held_bytes(&self) -> usize {
        self.writer.memory_size() + self.writer.bytes_written() % PART_BYTES
    }

    /// Makes the file visible, whole.
    pub async fn finish(mut self) -> Result<OutputFile, Failure> {
        self.writer.finish().await.map_err(failure)?;
        let sink = self.writer.into_inner();
        let sha256 = hexadecimal(sink.digest);
        Ok(OutputFile { key: sink.key, rows: self.rows, bytes: sink.bytes, sha256, copied_from: None })
    }
}

/// A digest's text.
pub fn hexadecimal(digest: Sha256) -> String {
    digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The file's bytes on their way out.
struct Sink {
    key: String,
    file: Option<NewFile>,
    digest: Sha256,
    bytes: u64,
}

impl AsyncFileWriter for Sink {
    fn write(&mut self, bytes: Bytes) -> BoxFuture<'_, Result<(), ParquetError>> {
        async move {
            self.digest.update(&bytes);
            self.bytes += bytes.len() as u64;
            match &mut self.file {
                Some(file) => file.write(&bytes).await.map_err(|failure| ParquetError::External(Box::new(failure))),
                None => Err(ParquetError::General("written after its end".into())),
            }
        }
        .boxed()
    }

    fn complete(&mut self) -> BoxFuture<'_, Result<(), ParquetError>> {
        async move {
            let Some(file) = self.file.take() else { return Ok(()) };
            file.finish().await.map_err(|failure| ParquetError::External(Box::new(failure)))
        }
        .boxed()
    }
}

/// The failure of ours behind an error, which is wrapped more than once.
fn failure(error: ParquetError) -> Failure {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&error);
    while let Some(error) = cause {
        if let Some(failure) = error.downcast_ref::<Failure>() {
            return failure.clone();
        }
        cause = error.source();
    }
    Failure::internal(error)
}

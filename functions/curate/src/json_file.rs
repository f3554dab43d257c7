//! Writes one gzipped JSON Lines file as the file reader expects it: every column in every row, with nulls written out.

use std::io::Write as _;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Float32Type, Float64Type, Schema};
use arrow_json::writer::{LineDelimited, WriterBuilder};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use contract::{ColumnType, Failure, Table};
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::area::{Area, NewFile};

/// A JSON Lines file that is being written.
pub(crate) struct JsonFile {
    url: String,
    file: NewFile,
    gzip: GzEncoder<Vec<u8>>,
    rows: u64,
}

/// Fails if a column of the table cannot be written as JSON Lines.
pub(crate) fn check(table: &Table) -> Result<(), Failure> {
    let nested =
        table.columns.iter().find(|column| !column.column_type.is_scalar() && holds_binary(&column.column_type));
    match nested {
        None => Ok(()),
        Some(column) => Err(Failure::bad_metadata(format!(
            "{}: column `{}` has bytes inside of a {}: write the table as `parquet`",
            table.file.display(),
            column.name,
            column.column_type
        ))),
    }
}

fn holds_binary(column_type: &ColumnType) -> bool {
    match column_type {
        ColumnType::Binary => true,
        ColumnType::Struct(fields) => fields.iter().any(|(_, field)| holds_binary(field)),
        ColumnType::List(item) => holds_binary(item),
        _ => false,
    }
}

impl JsonFile {
    /// Starts a file. Nothing is visible under the key until [`JsonFile::finish`].
    pub(crate) async fn create(area: &Area, key: &str) -> Result<Self, Failure> {
        let file = area.create(key, "application/gzip").await?;
        Ok(Self { url: area.url(key), file, gzip: GzEncoder::new(Vec::new(), Compression::default()), rows: 0 })
    }

    pub(crate) async fn write(&mut self, rows: &RecordBatch) -> Result<(), Failure> {
        let rows = self.writable(rows)?;
        self.rows += rows.num_rows() as u64;
        let mut writer = WriterBuilder::new().with_explicit_nulls(true).build::<_, LineDelimited>(&mut self.gzip);
        writer.write(&rows).and_then(|()| writer.finish()).map_err(Failure::internal)?;
        drop(writer);
        let bytes = std::mem::take(self.gzip.get_mut());
        self.file.write(&bytes).await
    }

    /// Makes the complete file visible. Returns its number of rows.
    pub(crate) async fn finish(mut self) -> Result<u64, Failure> {
        self.gzip.flush().map_err(Failure::internal)?;
        let bytes = self.gzip.finish().map_err(Failure::internal)?;
        self.file.write(&bytes).await?;
        self.file.finish().await?;
        Ok(self.rows)
    }

    /// Encodes bytes as base64. Refuses numbers that JSON cannot represent, and dates and timestamps outside of the
    /// years 1 to 9999.
    fn writable(&self, batch: &RecordBatch) -> Result<RecordBatch, Failure> {
        let schema = batch.schema();
        let (mut fields, mut columns) = (Vec::new(), Vec::new());
        for (field, column) in schema.fields().iter().zip(batch.columns()) {
            let finite = match field.data_type() {
                DataType::Float32 => column.as_primitive::<Float32Type>().iter().flatten().all(f32::is_finite),
                DataType::Float64 => column.as_primitive::<Float64Type>().iter().flatten().all(f64::is_finite),
                _ => true,
            };
            if !finite {
                return Err(Failure::bad_data(format!(
                    "{}: column `{}` has a number that is not finite, which JSON cannot represent: write the table as \
                     `parquet`, or make it null",
                    self.url,
                    field.name()
                )));
            }
            if !rows::is_in_range(column) {
                return Err(Failure::bad_data(format!(
                    "{}: column `{}` has a day or a point in time outside of the years 1 to 9999",
                    self.url,
                    field.name()
                )));
            }
            if *field.data_type() == DataType::Binary {
                let texts =
                    column.as_binary::<i32>().iter().map(|bytes| bytes.map(|bytes| BASE64_STANDARD.encode(bytes)));
                let texts: ArrayRef = Arc::new(texts.collect::<StringArray>());
                fields.push(Arc::new(Field::new(field.name(), DataType::Utf8, true)));
                columns.push(texts);
            } else {
                fields.push(Arc::clone(field));
                columns.push(Arc::clone(column));
            }
        }
        RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).map_err(Failure::internal)
    }
}

//! The reader: turns a file into batches.

use arrow::datatypes::SchemaRef;
use contract::{Compression, FileFormat, Table};

use crate::batch::{Batch, Options, Rows};
use crate::cells::csv::Csv;
use crate::input::encoding::Charset;
use crate::input::lines::Lines;
use crate::input::ranges::Input;
use crate::json::documents::{Documents, Opened};
use crate::misfit::Tally;
use crate::open::{as_ranges, charset_of, records, resolve, text};
use crate::parquet::reader::Parquet;
use crate::read_error::ReadError;

/// The most values, rows times columns, in a batch. A table with thousands of columns gets fewer rows per batch.
const MAXIMUM_CELLS: usize = 1 << 20;

/// Reads the rows of one file of a table.
#[derive(Debug)]
pub struct RowReader {
    source: FileRows,
    rows: Rows,
    options: Options,
    failed: Option<ReadError>,
    told_without_rows: bool,
}

#[derive(Debug)]
enum FileRows {
    Json(Lines),
    /// JSON that is not one object per line.
    Documents(Documents),
    Csv(Box<Csv>),
    /// Each line is a row.
    Text(Lines),
    Parquet(Box<Parquet>),
}

/// What the reader has seen of a file so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Rows read.
    pub rows: u64,
    /// Lines read, including blank ones and those that make no row; for Parquet, rows.
    pub lines: u64,
    /// Bytes of text, or of Parquet pages, read after decompression.
    pub bytes: u64,
    /// The misfits: first whole lines, then columns in the metadata's order, then unexpected columns.
    pub tallies: Vec<Tally>,
}

impl RowReader {
    /// Opens a file without reading a row. Text comes from any [`Input`]; Parquet, workbooks and ZIP archives need
    /// [`Ranges`](crate::Ranges).
    ///
    /// # Errors
    /// If the file cannot be fetched, does not have its format, or the metadata cannot be applied.
    ///
    /// ```
    /// use contract::{Compression, FileFormat, MetaData};
    /// use rows::{Options, RowReader};
    ///
    /// let text = r#"{"name": "orders", "location": "orders", "data_format": "csv",
    ///     "columns": [{"name": "id", "type": "long"}]}"#;
    /// let table = MetaData::parse_raw_table("raw/orders.json".as_ref(), text)?;
    /// let file = &b"id\n1\n007\n"[..];
    /// let mut rows = RowReader::new(file, FileFormat::Csv, Compression::None, &table, Options::default())?;
    /// while let Some(batch) = rows.next_batch()? {
    ///     assert_eq!(batch.batch.num_rows(), 2);
    ///     // `007` is not a whole number in a CSV file
    ///     assert_eq!(batch.line(1), 3);
    ///     assert_eq!(batch.misfits.len(), 1);
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn new(
        input: impl Into<Input>,
        format: FileFormat,
        compression: Compression,
        table: &Table,
        options: Options,
    ) -> Result<Self, ReadError> {
        let (input, format, compression) = resolve(input.into(), format, compression, table)?;
        let charset = charset_of(table)?;
        let mut rows = Rows::new(table, options.examples)?;
        rows.charset = charset.map_or("UTF-8", Charset::name);
        let lines = |input: Input| text(input, format, compression, table, charset, &options);
        let source = match format {
            FileFormat::Parquet | FileFormat::Excel if compression != Compression::None => {
                let reason = format!("{format} is already compressed: land it without further compression");
                return Err(ReadError::Format { reason });
            }
            FileFormat::Parquet => {
                let Input::Ranges(ranges) = input else { return Err(as_ranges("parquet")) };
                let most_rows = most_rows(&options, &rows);
                FileRows::Parquet(Box::new(Parquet::open(ranges, table, &mut rows, &options, most_rows)?))
            }
            _ if table.lines && format != FileFormat::Excel => FileRows::Text(lines(input)?),
            FileFormat::JsonLines => FileRows::Json(lines(input)?),
            FileFormat::Json => match Documents::open(lines(input)?, table, options.maximum_line_bytes)? {
                Opened::Lines(lines) => FileRows::Json(lines),
                Opened::Documents(documents) => FileRows::Documents(documents),
            },
            FileFormat::Csv | FileFormat::Tsv | FileFormat::Excel | FileFormat::Described => {
                let records = records(input, format, compression, table, &options)?;
                let of_cells = format == FileFormat::Excel;
                rows.columns.iter_mut().for_each(|column| column.of_cells = of_cells);
                FileRows::Csv(Box::new(Csv::new(records, table, rows.charset)))
            }
        };
        Ok(Self { source, rows, options, failed: None, told_without_rows: false })
    }

    /// Returns the schema of every batch.
    pub fn schema(&self) -> SchemaRef {
        SchemaRef::clone(&self.rows.schema)
    }

    /// Returns the next rows, or `None` after the last. Rows read before an error are returned first. Every later call
    /// returns the error.
    ///
    /// # Errors
    /// If the rest of the file is unreadable.
    pub fn next_batch(&mut self) -> Result<Option<Batch>, ReadError> {
        let most_rows = most_rows(&self.options, &self.rows);
        let bytes = self.source.bytes();
        let mut ended = false;
        // a batch is never empty: any number of blank lines does not end the file
        while self.failed.is_none()
            && !ended
            && self.rows.lines.len() < most_rows
            && (self.is_empty() || self.source.bytes() - bytes < self.options.batch_bytes as u64)
        {
            match self.source.take(&mut self.rows, &self.options) {
                Ok(More::Yes) => {}
                Ok(More::AfterThisBatch | More::No) => ended = true,
                Err(error) => self.failed = Some(error),
            }
        }
        if ended && self.failed.is_none() && self.rows.count == 0 && !self.told_without_rows {
            self.told_without_rows = true;
            self.source.without_rows(&mut self.rows);
        }
        if !self.is_empty() {
            let bytes = self.source.bytes() - bytes;
            return self.rows.finish(bytes).map(Some).map_err(|error| ReadError::Io {
                line: self.source.lines(),
                byte: self.source.bytes(),
                kind: std::io::ErrorKind::Other,
                message: error.to_string(),
            });
        }
        match &self.failed {
            Some(error) => Err(error.clone()),
            None => Ok(None),
        }
    }

    /// Whether the current batch has neither rows nor misfits.
    fn is_empty(&self) -> bool {
        self.rows.lines.is_empty() && !self.rows.tallies.has_fresh()
    }

    /// Returns what was seen so far, which is the whole file once [`Self::next_batch`] has ended.
    pub fn summary(&self) -> Summary {
        Summary {
            rows: self.rows.count,
            lines: self.source.lines(),
            bytes: self.source.bytes(),
            tallies: self.rows.tallies.all().cloned().collect(),
        }
    }
}

/// Returns the most rows in a batch.
fn most_rows(options: &Options, rows: &Rows) -> usize {
    options.batch_rows.min(MAXIMUM_CELLS / rows.columns.len().max(1)).max(1)
}

/// Whether the batch and the file go on.
enum More {
    Yes,
    /// The batch ends here: rows that were decoded together stay together.
    AfterThisBatch,
    No,
}

impl FileRows {
    /// Reads the next line, record or batch.
    fn take(&mut self, rows: &mut Rows, options: &Options) -> Result<More, ReadError> {
        let taken = match self {
            Self::Json(lines) => lines.next()?.map(|line| rows.take(line)).is_some(),
            Self::Documents(documents) => documents.next()?.map(|line| rows.take(line)).is_some(),
            Self::Csv(csv) => csv.take(rows)?,
            Self::Text(lines) => lines.next()?.map(|line| rows.take_text(line)).is_some(),
            Self::Parquet(parquet) => {
                return Ok(if parquet.take(rows, options)? { More::AfterThisBatch } else { More::No });
            }
        };
        Ok(if taken { More::Yes } else { More::No })
    }

    /// Reports the columns that are wrong in a file without rows.
    fn without_rows(&self, rows: &mut Rows) {
        match self {
            Self::Csv(csv) => csv.without_rows(rows),
            Self::Parquet(parquet) => parquet.without_rows(rows),
            Self::Json(_) | Self::Documents(_) | Self::Text(_) => {}
        }
    }

    fn lines(&self) -> u64 {
        match self {
            Self::Json(lines) | Self::Text(lines) => lines.lines(),
            Self::Documents(documents) => documents.lines(),
            Self::Csv(csv) => csv.lines(),
            Self::Parquet(parquet) => parquet.rows(),
        }
    }

    fn bytes(&self) -> u64 {
        match self {
            Self::Json(lines) | Self::Text(lines) => lines.bytes(),
            Self::Documents(documents) => documents.bytes(),
            Self::Csv(csv) => csv.bytes(),
            Self::Parquet(parquet) => parquet.bytes(),
        }
    }
}

//! The reader: lines in, batches out.

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use contract::{Column, Compression, DataFormat, FileFormat, Nan, Table};

use crate::archive;
use crate::column::{ColumnBuilder, Fault, Place};
use crate::csv::{self, Csv, Records, Sheet};
use crate::datetime::DatetimeFormat;
use crate::documents::Documents;
use crate::encoding::Charset;
use crate::layout::Layout;
use crate::lines::{Form, Line, Lines};
use crate::magic::{MAGIC_BYTES, Magic};
use crate::misfit::Tallies;
use crate::parquet::Parquet;
use crate::split::{Names, Slot, Unexpected, split, with_nan_as_number};
use crate::workbook::SheetRows;
use crate::{Input, Misfit, MisfitKind, ReadError, Tally, schema};

/// The limits of a reader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Rows in a batch at most.
    pub batch_rows: usize,
    /// A batch ends once it has taken this many bytes of text.
    pub batch_bytes: usize,
    /// A longer line ends the reading.
    pub maximum_line_bytes: usize,
    /// More text, inflated, ends the reading: bounds what a decompression bomb can cost.
    pub maximum_bytes: u64,
    /// Examples kept for each kind of misfit in each column.
    pub examples: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            batch_rows: 1024,
            batch_bytes: 2 << 20,
            maximum_line_bytes: contract::MAXIMUM_ROW_BYTES,
            maximum_bytes: 64 << 30,
            examples: 5,
        }
    }
}

/// A batch's values, rows times columns, at most: a table of thousands of columns gets fewer rows a batch.
const MAXIMUM_CELLS: usize = 1 << 20;

/// Reads the rows of one file of a table.
#[derive(Debug)]
pub struct RowReader {
    source: Source,
    rows: Rows,
    options: Options,
    failed: Option<ReadError>,
    told_without_rows: bool,
}

#[derive(Debug)]
pub(crate) enum Source {
    Json(Lines),
    /// JSON that is not one object a line.
    Documents(Documents),
    Csv(Box<Csv>),
    /// Each line as it is.
    Text(Lines),
    Parquet(Box<Parquet>),
}

/// Rows of a file in its order.
#[derive(Clone, Debug)]
pub struct Batch {
    /// The values, by [`schema()`].
    pub batch: RecordBatch,
    /// What did not fit since the batch before. Every kind of misfit in every column is here when it is first seen, and
    /// a few times more ([`Options::examples`]); how often in all is in [`Summary::tallies`].
    pub misfits: Vec<Misfit>,
    /// Bytes of text, or of pages, that it was made of, after inflating.
    pub bytes: u64,
    lines: Vec<u64>,
    gaps: Vec<Vec<Gap>>,
}

/// A null that is not in the file: the reader put it there because the value was missing or did not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The row in the batch.
    pub row: usize,
    /// The column is not in the row at all.
    pub missing: bool,
}

/// What was seen of a file so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Rows read.
    pub rows: u64,
    /// Lines read, with blank ones and those that make no row; of a Parquet file its rows.
    pub lines: u64,
    /// Bytes of text read, or of pages, after inflating.
    pub bytes: u64,
    /// What did not fit: lines as a whole first, then by column in the metadata's order, then what was unexpected.
    pub tallies: Vec<Tally>,
}

impl Batch {
    /// The line of a row of the batch, from 1.
    pub fn line(&self, row: usize) -> u64 {
        self.lines[row]
    }

    /// The rows whose null in a column is the reader's and not the file's, in order.
    pub fn gaps(&self, column: usize) -> &[Gap] {
        &self.gaps[column]
    }
}

impl RowReader {
    /// Nothing of the rows is read yet. Text comes from any [`Input`], Parquet from [`Ranges`](crate::Ranges).
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
                let reason = format!("{format} compresses inside: land it without a compression around it");
                return Err(ReadError::Format { reason });
            }
            FileFormat::Parquet => {
                let Input::Ranges(ranges) = input else { return Err(as_ranges("parquet")) };
                let most_rows = most_rows(&options, &rows);
                Source::Parquet(Box::new(Parquet::open(ranges, table, &mut rows, &options, most_rows)?))
            }
            _ if table.lines && format != FileFormat::Excel => Source::Text(lines(input)?),
            FileFormat::JsonLines => Source::Json(lines(input)?),
            FileFormat::Json => Documents::open(lines(input)?, table, options.maximum_line_bytes)?,
            FileFormat::Csv | FileFormat::Tsv | FileFormat::Excel | FileFormat::Described => {
                let records = records(input, format, compression, table, &options)?;
                let of_cells = format == FileFormat::Excel;
                rows.columns.iter_mut().for_each(|column| column.of_cells = of_cells);
                Source::Csv(Box::new(Csv::new(records, table, rows.charset)))
            }
        };
        Ok(Self { source, rows, options, failed: None, told_without_rows: false })
    }

    /// The columns of the batches.
    pub fn schema(&self) -> SchemaRef {
        SchemaRef::clone(&self.rows.schema)
    }

    /// The next rows, or `None` after the last. What was read before an error comes out before it; the error then comes
    /// at every call.
    pub fn next_batch(&mut self) -> Result<Option<Batch>, ReadError> {
        let most_rows = most_rows(&self.options, &self.rows);
        let bytes = self.source.bytes();
        let mut ended = false;
        // a batch has something in it: blank lines, however many, do not end the file
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

    /// Whether there is nothing to make a batch of.
    fn is_empty(&self) -> bool {
        self.rows.lines.is_empty() && !self.rows.tallies.has_fresh()
    }

    /// What was seen so far; of the whole file once [`Self::next_batch`] has ended.
    pub fn summary(&self) -> Summary {
        Summary {
            rows: self.rows.count,
            lines: self.source.lines(),
            bytes: self.source.bytes(),
            tallies: self.rows.tallies.all().cloned().collect(),
        }
    }
}

/// The text of a file.
pub(crate) fn text(
    input: Input,
    format: FileFormat,
    compression: Compression,
    table: &Table,
    charset: Option<Charset>,
    options: &Options,
) -> Result<Lines, ReadError> {
    let extension = if format == FileFormat::Described { "txt" } else { format.extension() };
    let newline = table.file_dialect.line_terminator;
    let form = Form { newline, charset, extension, any_text: table.lines };
    let reader = match (compression, input) {
        (Compression::Zip, Input::Ranges(ranges)) => archive::single(ranges)?,
        (Compression::Zip, Input::Stream(_)) => return Err(as_ranges("zip")),
        (_, input) => input.into_reader(),
    };
    Lines::new(reader, compression, form, options.maximum_line_bytes, options.maximum_bytes)
}

/// The records of a file of delimited values, or of a sheet.
pub(crate) fn records(
    input: Input,
    format: FileFormat,
    compression: Compression,
    table: &Table,
    options: &Options,
) -> Result<csv::Source, ReadError> {
    let dialect = &table.file_dialect;
    if format == FileFormat::Excel {
        let Input::Ranges(ranges) = input else { return Err(as_ranges("xlsx")) };
        return Ok(csv::Source::Sheet(Sheet::new(SheetRows::open(ranges, &dialect.sheet, options)?, dialect)));
    }
    let delimiter = if format == FileFormat::Tsv { b'\t' } else { b',' };
    let lines = text(input, format, compression, table, charset_of(table)?, options)?;
    Ok(csv::Source::Text(Records::new(lines, options.maximum_line_bytes, dialect, delimiter)))
}

fn charset_of(table: &Table) -> Result<Option<Charset>, ReadError> {
    let charset = table.file_dialect.encoding.as_deref().map(Charset::named).transpose();
    charset.map_err(|reason| ReadError::Encoding { reason })
}

/// How a file whose name does not say it is written: by what it begins with, and for text as the metadata has it.
pub(crate) fn resolve(
    input: Input,
    format: FileFormat,
    compression: Compression,
    table: &Table,
) -> Result<(Input, FileFormat, Compression), ReadError> {
    if format != FileFormat::Described {
        return Ok((input, format, compression));
    }
    let described = match table.data_format {
        DataFormat::Json => FileFormat::Json,
        DataFormat::Parquet if compression == Compression::None => FileFormat::Parquet,
        _ => FileFormat::Csv,
    };
    let (Input::Ranges(ranges), Compression::None) = (&input, compression) else {
        return Ok((input, described, compression));
    };
    let length = usize::try_from(ranges.length()).unwrap_or(usize::MAX).min(MAGIC_BYTES);
    let first = ranges.get(0, length).map_err(|error| ReadError::Io {
        line: 1,
        byte: 0,
        kind: error.kind(),
        message: error.to_string(),
    })?;
    let (format, compression) = match Magic::of(&first) {
        Some(Magic::Gzip) => (described, Compression::Gzip),
        Some(Magic::Zip) => (described, Compression::Zip),
        Some(Magic::Zstd) => (described, Compression::Zstd),
        Some(Magic::Bzip2) => (described, Compression::Bzip2),
        Some(Magic::Parquet) => (FileFormat::Parquet, Compression::None),
        Some(Magic::Excel) => (FileFormat::Excel, Compression::None),
        // it is text then, whatever the table's usual files are
        _ if described == FileFormat::Parquet && !first.is_empty() => {
            let reason = "expected a Parquet file, as the table's data_format has it: it does not begin like one";
            return Err(ReadError::Format { reason: reason.into() });
        }
        Some(Magic::OldExcel | Magic::Other(_)) | None => (described, Compression::None),
    };
    Ok((input, format, compression))
}

/// Whether a file must be readable at any place, as its description comes last or its name does not say what it is.
pub fn needs_ranges(format: FileFormat, compression: Compression) -> bool {
    let anywhere = matches!(format, FileFormat::Parquet | FileFormat::Excel | FileFormat::Described);
    anywhere || compression == Compression::Zip
}

fn as_ranges(format: &str) -> ReadError {
    let reason = format!("{format}: its description is at its end: it must come as ranges, not as a stream");
    ReadError::Format { reason }
}

/// Rows in a batch at most.
fn most_rows(options: &Options, rows: &Rows) -> usize {
    options.batch_rows.min(MAXIMUM_CELLS / rows.columns.len().max(1)).max(1)
}

/// Whether there is more to take.
enum More {
    Yes,
    /// Rows that come as a batch stay one.
    AfterThisBatch,
    No,
}

impl Source {
    /// Takes the next line, record or batch.
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

    /// Of a file without rows: tells which columns are wrong all the same.
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

/// The rows of the batch under way.
#[derive(Debug)]
pub(crate) struct Rows {
    schema: SchemaRef,
    pub(crate) names: Names,
    layout: Layout,
    slots: Vec<Slot>,
    pub(crate) columns: Vec<ColumnBuilder>,
    /// The columns that came as they are, in place of what was built.
    pub(crate) ready: Vec<Option<ArrayRef>>,
    pub(crate) tallies: Tallies,
    /// The name of the encoding that text is expected in.
    charset: &'static str,
    /// Whether JSON may have numbers that are none.
    nan: Nan,
    /// The line of each row.
    lines: Vec<u64>,
    gaps: Vec<Vec<Gap>>,
    count: u64,
}

impl Rows {
    fn new(table: &Table, examples: usize) -> Result<Self, ReadError> {
        let columns = table.data_columns();
        let names = Names::new(columns.iter().map(Column::name_in_files));
        let builder = |column: &Column| {
            let wrong = |reason| ReadError::DatetimeFormat { column: column.name.clone(), reason };
            let format = column.datetime_format.as_deref().map(DatetimeFormat::new).transpose().map_err(wrong)?;
            let builder = ColumnBuilder::new(&column.column_type).with_format(format);
            let builder = builder.with_field_names(&column.source_names);
            Ok(builder.with_written(&column.written).with_nan(table.file_dialect.nan))
        };
        Ok(Self {
            schema: schema(table),
            slots: vec![Slot::Absent; names.len()],
            names: if table.checks.ignore_header_case { names.in_any_case() } else { names },
            layout: Layout::default(),
            columns: columns.iter().map(builder).collect::<Result<_, _>>()?,
            ready: vec![None; columns.len()],
            tallies: Tallies::new(columns, examples),
            charset: "UTF-8",
            nan: table.file_dialect.nan,
            lines: Vec::new(),
            gaps: vec![Vec::new(); columns.len()],
            count: 0,
        })
    }

    /// Makes a row of a line, or a misfit.
    fn take(&mut self, line: Line<'_>) {
        let number = line.number;
        if line.bytes.is_empty() {
            return;
        }
        let Ok(text) = std::str::from_utf8(line.bytes) else {
            self.tallies.line(MisfitKind::NotUtf8, number, line.bytes, self.charset);
            return;
        };
        if self.layout.follow(text, &mut self.slots) {
            self.append(number, text);
            return;
        }
        if self.nan != Nan::Refuse
            && let Some(text) = with_nan_as_number(text)
        {
            return self.take_object(number, &text, line.bytes);
        }
        self.take_object(number, text, line.bytes);
    }

    /// Makes a row of a line's text, or a misfit, of which the line as it is is shown.
    fn take_object(&mut self, number: u64, text: &str, bytes: &[u8]) {
        match text.trim_ascii_start().as_bytes().first() {
            None => return,
            Some(b'{') => {}
            Some(_) => {
                self.tallies.line(MisfitKind::NotAnObject, number, bytes, "a JSON object on every line");
                return;
            }
        }
        let tallies = &mut self.tallies;
        let mut surprise = false;
        let mut unexpected = |unexpected: Unexpected<'_>| match unexpected {
            Unexpected::Name(name) => {
                surprise = true;
                tallies.unexpected(number, name);
            }
            Unexpected::Value(json) => tallies.unexpected_value(text, json),
        };
        if let Err(error) = split(text, &mut self.names, &mut self.slots, &mut unexpected) {
            self.tallies.line(MisfitKind::NotJson, number, bytes, JsonError(&error));
            return;
        }
        if !surprise {
            self.layout.learn(text, &self.slots);
        }
        self.append(number, text);
    }

    /// Makes a row of a line as it is: its text and, where a second column is described, its number.
    fn take_text(&mut self, line: Line<'_>) {
        let bytes = line.bytes.strip_suffix(b"\r").unwrap_or(line.bytes);
        let Ok(text) = std::str::from_utf8(bytes) else {
            self.tallies.line(MisfitKind::NotUtf8, line.number, line.bytes, self.charset);
            return;
        };
        let mut columns = self.columns.iter_mut();
        if let Some(column) = columns.next() {
            column.append_plain(text);
        }
        for column in columns {
            column.append(&line.number.to_string(), Place::Value, &mut |_| ());
        }
        self.row(line.number, text);
    }

    fn append(&mut self, line: u64, text: &str) {
        let (row, tallies) = (self.lines.len(), &mut self.tallies);
        for (n, (column, slot)) in self.columns.iter_mut().zip(&self.slots).enumerate() {
            let json = match slot {
                Slot::Text(range) if column.append_plain(&text[range.clone()]) => continue,
                Slot::Text(range) => Some(range.start - 1..range.end + 1),
                Slot::Value(range) => Some(range.clone()),
                Slot::Absent | Slot::Twice => None,
            };
            if let Some(json) = json {
                let mut tell = |fault: Fault<'_>| tallies.fault(line, n, fault);
                if column.append(&text[json], Place::Value, &mut tell) {
                    continue;
                }
            } else {
                column.append_null();
            }
            match slot {
                Slot::Absent => tallies.missing(line, n),
                Slot::Twice => tallies.duplicate(line, n),
                Slot::Value(_) | Slot::Text(_) => {}
            }
            let missing = *slot == Slot::Absent;
            self.gaps[n].push(Gap { row, missing });
        }
        self.row(line, text);
    }

    /// The columns are one value longer: a row of a line.
    pub(crate) fn row(&mut self, line: u64, text: &str) {
        self.tallies.row(line, text);
        self.lines.push(line);
        self.count += 1;
    }

    /// A column's latest value is a null that the reader put there.
    pub(crate) fn gap(&mut self, column: usize, missing: bool) {
        self.gaps[column].push(Gap { row: self.lines.len(), missing });
    }

    fn finish(&mut self, bytes: u64) -> Result<Batch, ArrowError> {
        let arrays = self.columns.iter_mut().zip(&mut self.ready).map(|(column, ready)| match ready.take() {
            Some(array) => Ok(array),
            None => column.finish(),
        });
        let arrays = arrays.collect::<Result<Vec<_>, _>>()?;
        let rows = RecordBatchOptions::new().with_row_count(Some(self.lines.len()));
        Ok(Batch {
            batch: RecordBatch::try_new_with_options(SchemaRef::clone(&self.schema), arrays, &rows)?,
            misfits: self.tallies.take_fresh(),
            bytes,
            lines: std::mem::take(&mut self.lines),
            gaps: self.gaps.iter_mut().map(std::mem::take).collect(),
        })
    }
}

/// serde_json counts lines from the start of its text, which is one line here.
struct JsonError<'a>(&'a serde_json::Error);

impl std::fmt::Display for JsonError<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let message = self.0.to_string();
        let what = message.split(" at line ").next().unwrap_or_default();
        write!(f, "JSON: {what} at character {}", self.0.column())
    }
}

//! The reader: lines in, batches out.

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use contract::{Column, Compression, FileFormat, Table};

use crate::column::{ColumnBuilder, Fault, Place};
use crate::csv::{Csv, Records};
use crate::datetime::DatetimeFormat;
use crate::layout::Layout;
use crate::lines::{Line, Lines};
use crate::misfit::Tallies;
use crate::parquet::Parquet;
use crate::split::{Names, Slot, Unexpected, split};
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
enum Source {
    Json(Lines),
    Csv(Csv),
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
        let lines = |input: Input| {
            Lines::new(input.into_reader(), compression, options.maximum_line_bytes, options.maximum_bytes)
        };
        let mut rows = Rows::new(table, options.examples)?;
        let source = match format {
            FileFormat::JsonLines | FileFormat::Csv if table.lines => Source::Text(lines(input.into())?),
            FileFormat::JsonLines => Source::Json(lines(input.into())?),
            FileFormat::Csv => {
                let records = Records::new(lines(input.into())?, options.maximum_line_bytes);
                Source::Csv(Csv::new(records, table.checks.header, rows.columns.len()))
            }
            FileFormat::Parquet if compression != Compression::None => {
                return Err(ReadError::UnsupportedFormat { format: format!("{format}.gz") });
            }
            FileFormat::Parquet => {
                let Input::Ranges(ranges) = input.into() else {
                    let reason = "its description is at its end: it must come as ranges, not as a stream".into();
                    return Err(ReadError::Parquet { row: 1, reason });
                };
                let most_rows = most_rows(&options, &rows);
                Source::Parquet(Box::new(Parquet::open(ranges, table, &mut rows, &options, most_rows)?))
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
            Self::Json(_) | Self::Text(_) => {}
        }
    }

    fn lines(&self) -> u64 {
        match self {
            Self::Json(lines) | Self::Text(lines) => lines.lines(),
            Self::Csv(csv) => csv.lines().lines(),
            Self::Parquet(parquet) => parquet.rows(),
        }
    }

    fn bytes(&self) -> u64 {
        match self {
            Self::Json(lines) | Self::Text(lines) => lines.bytes(),
            Self::Csv(csv) => csv.lines().bytes(),
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
    /// The line of each row.
    lines: Vec<u64>,
    gaps: Vec<Vec<Gap>>,
    count: u64,
}

impl Rows {
    fn new(table: &Table, examples: usize) -> Result<Self, ReadError> {
        let columns = table.data_columns();
        let names = Names::new(columns.iter().map(|column| column.name.as_str()));
        let builder = |column: &Column| {
            let wrong = |reason| ReadError::DatetimeFormat { column: column.name.clone(), reason };
            let format = column.datetime_format.as_deref().map(DatetimeFormat::new).transpose().map_err(wrong)?;
            Ok(ColumnBuilder::new(&column.column_type).with_format(format))
        };
        Ok(Self {
            schema: schema(table),
            slots: vec![Slot::Absent; names.len()],
            names: if table.checks.ignore_header_case { names.in_any_case() } else { names },
            layout: Layout::default(),
            columns: columns.iter().map(builder).collect::<Result<_, _>>()?,
            ready: vec![None; columns.len()],
            tallies: Tallies::new(columns, examples),
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
            self.tallies.line(MisfitKind::NotUtf8, number, line.bytes, "UTF-8");
            return;
        };
        if self.layout.follow(text, &mut self.slots) {
            self.append(number, text);
            return;
        }
        match text.trim_ascii_start().as_bytes().first() {
            None => return,
            Some(b'{') => {}
            Some(_) => {
                self.tallies.line(MisfitKind::NotAnObject, number, line.bytes, "a JSON object on every line");
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
            self.tallies.line(MisfitKind::NotJson, number, line.bytes, JsonError(&error));
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
            self.tallies.line(MisfitKind::NotUtf8, line.number, line.bytes, "UTF-8");
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

//! A batch of rows: its limits, how it is filled, and the result.

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use contract::{Column, Nan, Table};

use crate::input::lines::Line;
use crate::json::layout::Layout;
use crate::json::split::{Names, Slot, Unexpected, split, with_nan_as_number};
use crate::misfit::{Misfit, MisfitKind, Tallies};
use crate::read_error::ReadError;
use crate::values::column::{ColumnBuilder, Fault, Place};
use crate::values::datetime::DatetimeFormat;
use crate::values::schema::schema;

/// The limits of a reader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// The most rows in a batch.
    pub batch_rows: usize,
    /// A batch ends once it has consumed this many bytes of text.
    pub batch_bytes: usize,
    /// The most bytes of a line or a row. A longer one ends reading.
    pub maximum_line_bytes: usize,
    /// The most bytes of decompressed text. More ends reading, which bounds the cost of a decompression bomb.
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

/// Rows of a file, in file order.
#[derive(Clone, Debug)]
pub struct Batch {
    /// The values, with the types of [`schema()`].
    pub batch: RecordBatch,
    /// The misfits since the previous batch, but only the first few of each kind and column ([`Options::examples`]).
    /// The totals are in [`Summary::tallies`](crate::Summary::tallies).
    pub misfits: Vec<Misfit>,
    /// Bytes of text, or of Parquet pages, that the batch was made from, after decompression.
    pub bytes: u64,
    lines: Vec<u64>,
    gaps: Vec<Vec<Gap>>,
}

/// A null that is not in the file: the reader put it there because a value was missing or did not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The row's index in the batch.
    pub row: usize,
    /// Whether the row lacks the column.
    pub missing: bool,
}

impl Batch {
    /// Returns the line of a row of the batch, from 1.
    pub fn line(&self, row: usize) -> u64 {
        self.lines[row]
    }

    /// Returns the rows, in order, in which a column's null is the reader's and not the file's.
    pub fn gaps(&self, column: usize) -> &[Gap] {
        &self.gaps[column]
    }
}

/// The rows of the current batch.
#[derive(Debug)]
pub(crate) struct Rows {
    pub(crate) schema: SchemaRef,
    pub(crate) names: Names,
    layout: Layout,
    slots: Vec<Slot>,
    pub(crate) columns: Vec<ColumnBuilder>,
    /// Arrays that are used unchanged, in place of what the column's builder holds.
    pub(crate) ready: Vec<Option<ArrayRef>>,
    pub(crate) tallies: Tallies,
    /// The name of the encoding that text is expected in.
    pub(crate) charset: &'static str,
    /// How NaN and the infinities in JSON are treated.
    nan: Nan,
    /// The line of each row.
    pub(crate) lines: Vec<u64>,
    gaps: Vec<Vec<Gap>>,
    /// The rows so far, in all batches.
    pub(crate) count: u64,
}

impl Rows {
    pub(crate) fn new(table: &Table, examples: usize) -> Result<Self, ReadError> {
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

    /// Appends a row for a line of JSON, or reports a misfit.
    pub(crate) fn take(&mut self, line: Line<'_>) {
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

    /// Appends a row for a line's JSON, or reports a misfit that shows `bytes`, the line as the file has it.
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

    /// Appends a line of text as a row: its text and, if a second column is described, its number.
    pub(crate) fn take_text(&mut self, line: Line<'_>) {
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

    /// Completes a row, once every column has one more value.
    pub(crate) fn row(&mut self, line: u64, text: &str) {
        self.tallies.row(line, text);
        self.lines.push(line);
        self.count += 1;
    }

    /// Records that a column's value in the current row is a null put there by the reader.
    pub(crate) fn gap(&mut self, column: usize, missing: bool) {
        self.gaps[column].push(Gap { row: self.lines.len(), missing });
    }

    pub(crate) fn finish(&mut self, bytes: u64) -> Result<Batch, ArrowError> {
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

/// Displays an error without its line number: serde_json counts lines within its input, which is a single line here.
struct JsonError<'a>(&'a serde_json::Error);

impl std::fmt::Display for JsonError<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let message = self.0.to_string();
        let what = message.split(" at line ").next().unwrap_or_default();
        write!(f, "JSON: {what} at character {}", self.0.column())
    }
}

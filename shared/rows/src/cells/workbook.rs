//! The rows of a workbook's sheet (Office Open XML), read on a thread of their own because the library's reader of
//! cells borrows the workbook.

use std::io::{BufReader, Read};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::vec;

use calamine::{DataRef, ExcelDateTime, Reader, Xlsx, XlsxError};
use contract::Sheet;
use zip::ZipArchive;

use crate::batch::Options;
use crate::input::archive::Seekable;
use crate::input::inflate::{BOMB_BYTES, BOMB_RATIO, CHUNK_BYTES};
use crate::input::ranges::Ranges;
use crate::read_error::ReadError;

/// Rows that are sent at once, and the most such groups that wait.
const ROWS_AT_ONCE: usize = 256;
const AHEAD: usize = 4;
/// The most bytes of a workbook's texts and styles, which are held in memory.
const MOST_TEXT_BYTES: u64 = 256 << 20;
/// The longest way to write a character of a text: `&#x10ffff;`.
const LONGEST_ESCAPE: usize = 10;
/// Excel's own limit.
const MOST_COLUMNS: usize = 16_384;
/// 2^53. From here on, 64 bits of floating point do not hold every whole number.
const LARGEST_EXACT: f64 = 9_007_199_254_740_992.0;
/// 10000-01-01, as Excel counts days.
const END_OF_DAYS: f64 = 2_958_466.0;

/// A row that is not empty.
#[derive(Debug)]
pub(crate) struct SheetRow {
    /// Excel's number of the row, from 1.
    pub(crate) number: u64,
    /// From the first column to the last that is not empty.
    pub(crate) cells: Vec<Cell>,
}

/// A value as text.
#[derive(Debug, Default)]
pub(crate) struct Cell {
    /// Dates and times in the style of ISO 8601; empty for an empty cell.
    pub(crate) text: String,
    pub(crate) kind: CellKind,
}

/// The kind of value that a cell holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum CellKind {
    /// A text, which the dialect describes.
    #[default]
    Text,
    /// A number, a boolean, a date or a time, to which the dialect does not apply.
    Value,
    /// A whole number that Excel may have rounded, as it keeps 53 bits.
    Rounded,
    /// A formula that failed, or whose value is not in the file.
    Error,
}

/// The rows of a sheet, in order.
#[derive(Debug)]
pub(crate) struct SheetRows {
    pieces: Receiver<Result<Vec<SheetRow>, ReadError>>,
    rows: vec::IntoIter<SheetRow>,
    failed: Option<ReadError>,
    ended: bool,
}

impl SheetRows {
    pub(crate) fn open(ranges: Ranges, sheet: &Sheet, options: &Options) -> Result<Self, ReadError> {
        check_size(&ranges, options)?;
        let (filled, pieces) = sync_channel(AHEAD);
        let (sheet, limits) = (sheet.clone(), (options.maximum_line_bytes, options.maximum_bytes));
        let read = move || {
            if let Err(error) = send(ranges, &sheet, limits, &filled) {
                // a receiver that has hung up does not need the error
                drop(filled.send(Err(error)));
            }
        };
        let started = thread::Builder::new().name("workbook".into()).spawn(read);
        started.map_err(|error| ReadError::Io { line: 1, byte: 0, kind: error.kind(), message: error.to_string() })?;
        Ok(Self::of(pieces))
    }

    /// An empty group of rows marks the end, so that a dead thread is not mistaken for it.
    fn of(pieces: Receiver<Result<Vec<SheetRow>, ReadError>>) -> Self {
        Self { pieces, rows: Vec::new().into_iter(), failed: None, ended: false }
    }

    pub(crate) fn next(&mut self) -> Result<Option<SheetRow>, ReadError> {
        loop {
            if let Some(row) = self.rows.next() {
                return Ok(Some(row));
            }
            if let Some(error) = &self.failed {
                return Err(error.clone());
            }
            if self.ended {
                return Ok(None);
            }
            match self.pieces.recv() {
                Ok(Ok(rows)) => {
                    self.ended = rows.is_empty();
                    self.rows = rows.into_iter();
                }
                Ok(Err(error)) => self.failed = Some(error),
                Err(_) => {
                    let reason = "the workbook cannot be read to its end: land it as .csv".into();
                    self.failed = Some(ReadError::Workbook { reason });
                }
            }
        }
    }
}

/// Refuses a workbook that would take too much memory. The library holds all of its texts in memory, and each cell as a
/// whole, whatever their size. So all of it is decompressed once in advance: the sizes in the archive may be wrong.
fn check_size(ranges: &Ranges, options: &Options) -> Result<(), ReadError> {
    let mut archive = ZipArchive::new(Seekable::new(ranges.clone())).map_err(|error| failed(XlsxError::Zip(error)))?;
    let longest = options.maximum_line_bytes.saturating_mul(LONGEST_ESCAPE);
    let (mut texts, mut all) = (0_u64, 0_u64);
    let mut chunk = vec![0; CHUNK_BYTES];
    for n in 0..archive.len() {
        let mut file = archive.by_index(n).map_err(|error| failed(XlsxError::Zip(error)))?;
        let name = file.name().unwrap_or_default();
        let is_sheet = name.contains("worksheets/");
        if name.contains("media/") {
            continue;
        }
        let mut without_tag = 0;
        loop {
            let read = match file.read(&mut chunk) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) => return Err(failed(XlsxError::Io(error))),
            };
            let found = &chunk[..read];
            without_tag = memchr::memrchr(b'<', found).map_or(without_tag + read, |at| read - at);
            all += read as u64;
            texts += if is_sheet { 0 } else { read as u64 };
            if texts > MOST_TEXT_BYTES {
                let reason = format!("its texts have more than {MOST_TEXT_BYTES} bytes: land it as .csv");
                return Err(ReadError::Workbook { reason });
            }
            if without_tag > longest {
                let reason = format!("a cell has more than {} bytes: land it as .csv", options.maximum_line_bytes);
                return Err(ReadError::Workbook { reason });
            }
            if all > BOMB_BYTES && all / ranges.length().max(1) > BOMB_RATIO {
                let reason = format!("it inflates to more than {BOMB_RATIO} times its size: a decompression bomb");
                return Err(ReadError::Workbook { reason });
            }
        }
    }
    Ok(())
}

fn send(
    ranges: Ranges,
    sheet: &Sheet,
    (row_bytes, all_bytes): (usize, u64),
    to: &SyncSender<Result<Vec<SheetRow>, ReadError>>,
) -> Result<(), ReadError> {
    let mut workbook = Xlsx::new(BufReader::new(Seekable::new(ranges))).map_err(failed)?;
    let name = name_of(&workbook.sheet_names(), sheet)?;
    let mut cells = workbook.worksheet_cells_reader(&name).map_err(failed)?;
    let (mut rows, mut row): (Vec<SheetRow>, Option<SheetRow>) = (Vec::new(), None);
    let (mut bytes_of_row, mut bytes_of_all) = (0, 0);
    while let Some(record) = cells.next_cell_with_formula_metadata().map_err(failed)? {
        let (number, column) = (u64::from(record.pos.0) + 1, record.pos.1 as usize);
        if column >= MOST_COLUMNS {
            let reason = format!("row {number}: a cell in column {}, and Excel has {MOST_COLUMNS}", column + 1);
            return Err(ReadError::Workbook { reason });
        }
        if row.as_ref().is_some_and(|row| row.number != number) {
            rows.extend(row.take());
            bytes_of_row = 0;
            if rows.len() >= ROWS_AT_ONCE && to.send(Ok(std::mem::take(&mut rows))).is_err() {
                return Ok(());
            }
        }
        let cell = match (&record.value, &record.formula) {
            (DataRef::Empty, Some(_)) => Cell { text: "a formula without a value".into(), kind: CellKind::Error },
            (value, _) => cell_of(value),
        };
        if cell.text.is_empty() {
            continue;
        }
        (bytes_of_row, bytes_of_all) = (bytes_of_row + cell.text.len(), bytes_of_all + cell.text.len() as u64);
        if bytes_of_row > row_bytes {
            return Err(ReadError::LineTooLong { line: number, byte: bytes_of_all, limit: row_bytes });
        }
        if bytes_of_all > all_bytes {
            return Err(ReadError::TooLarge { line: number, limit: all_bytes });
        }
        let row = row.get_or_insert_with(|| SheetRow { number, cells: Vec::new() });
        if row.cells.len() <= column {
            row.cells.resize_with(column + 1, Cell::default);
        }
        row.cells[column] = cell;
    }
    rows.extend(row);
    let more = rows.is_empty() || to.send(Ok(rows)).is_ok();
    // a receiver that has hung up does not need the end either
    if more {
        drop(to.send(Ok(Vec::new())));
    }
    Ok(())
}

/// Returns the name of the described sheet.
fn name_of(names: &[String], sheet: &Sheet) -> Result<String, ReadError> {
    let found = match sheet {
        Sheet::Number(number) => names.get(number - 1),
        Sheet::Name(name) => names.iter().find(|other| *other == name),
    };
    found.cloned().ok_or_else(|| {
        let asked = match sheet {
            Sheet::Number(number) => format!("{number}"),
            Sheet::Name(name) => format!("`{}`", contract::visible(name)),
        };
        let there: Vec<String> = names.iter().map(|name| format!("`{}`", contract::visible(name))).collect();
        ReadError::Workbook { reason: format!("there is no sheet {asked}; the sheets are {}", there.join(", ")) }
    })
}

fn cell_of(value: &DataRef<'_>) -> Cell {
    let (text, kind) = match value {
        DataRef::Empty => (String::new(), CellKind::Text),
        DataRef::Int(number) => (number.to_string(), CellKind::Value),
        // the shortest text that reads as the same number
        DataRef::Float(number) if number.abs() >= LARGEST_EXACT => (number.to_string(), CellKind::Rounded),
        DataRef::Float(number) => (number.to_string(), CellKind::Value),
        DataRef::String(text) => (text.clone(), CellKind::Text),
        DataRef::SharedString(text) => ((*text).to_owned(), CellKind::Text),
        DataRef::DateTimeIso(text) | DataRef::DurationIso(text) => (text.clone(), CellKind::Value),
        DataRef::Bool(truth) => (truth.to_string(), CellKind::Value),
        DataRef::DateTime(time) => (time_text(time), CellKind::Value),
        DataRef::Error(error) => (error.to_string(), CellKind::Error),
    };
    Cell { text, kind }
}

/// Returns a day with its time, a time of day, or a length of time, in the style of ISO 8601. A number that Excel shows
/// as `####` stays a number.
fn time_text(time: &ExcelDateTime) -> String {
    let days = time.as_f64();
    if time.is_duration() {
        let milliseconds = (days * 86_400_000.0).round() as i64;
        let (sign, milliseconds) = if milliseconds < 0 { ("-", -milliseconds) } else { ("", milliseconds) };
        let (seconds, rest) = (milliseconds / 1_000, milliseconds % 1_000);
        let fraction = if rest == 0 { String::new() } else { format!(".{rest:03}") };
        return format!("{sign}{:02}:{:02}:{:02}{fraction}", seconds / 3_600, seconds / 60 % 60, seconds % 60);
    }
    if !(0.0..END_OF_DAYS).contains(&days) {
        return days.to_string();
    }
    let (year, month, day, hour, minute, second, millisecond) = time.to_ymd_hms_milli();
    let fraction = if millisecond == 0 { String::new() } else { format!(".{millisecond:03}") };
    let clock = format!("{hour:02}:{minute:02}:{second:02}{fraction}");
    if days < 1.0 { clock } else { format!("{year:04}-{month:02}-{day:02} {clock}") }
}

fn failed(error: XlsxError) -> ReadError {
    use std::io::ErrorKind::{InvalidData, InvalidInput, UnexpectedEof};
    match error {
        XlsxError::Io(error) | XlsxError::Zip(zip::result::ZipError::Io(error))
            if !matches!(error.kind(), InvalidData | InvalidInput | UnexpectedEof) =>
        {
            ReadError::Io { line: 1, byte: 0, kind: error.kind(), message: error.to_string() }
        }
        XlsxError::Password => ReadError::Workbook { reason: "it has a password: save it without one".into() },
        error => ReadError::Workbook { reason: format!("the workbook is damaged: {error}") },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_stops_has_not_read_the_file() {
        let row = || SheetRow { number: 1, cells: Vec::new() };
        let (to, pieces) = sync_channel(2);
        to.send(Ok(vec![row()])).unwrap();
        drop(to);
        let mut rows = SheetRows::of(pieces);
        assert!(rows.next().unwrap().is_some());
        for _ in 0..2 {
            assert!(matches!(rows.next(), Err(ReadError::Workbook { .. })));
        }
        let (to, pieces) = sync_channel(2);
        to.send(Ok(vec![row()])).unwrap();
        to.send(Ok(Vec::new())).unwrap();
        drop(to);
        let mut rows = SheetRows::of(pieces);
        assert!(rows.next().unwrap().is_some());
        for _ in 0..2 {
            assert!(rows.next().unwrap().is_none());
        }
    }
}

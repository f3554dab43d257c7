//! Records of comma-separated values (RFC 4180) out of lines of text, each in one pass over its bytes. The parser is
//! our own because it must know which fields were in quotes: `""` is an empty text and nothing at all is a null.

use std::fmt;

use crate::column::{Fault, Place};
use crate::lines::Lines;
use crate::reader::Rows;
use crate::{MisfitKind, ReadError};

const COMMA: u8 = b',';
const QUOTE: u8 = b'"';
/// As much of a record as a misfit shows of it: 80 characters and one more, of at most four bytes.
const HEAD_BYTES: usize = 324;

/// The records of a file.
#[derive(Debug)]
pub(crate) struct Records {
    lines: Lines,
    maximum_record_bytes: usize,
    /// An empty line is a record: of one field, without a value.
    empty_lines: bool,
    record: Record,
}

/// One record. Its buffers serve the next one too.
#[derive(Debug, Default)]
pub(crate) struct Record {
    /// The line on which it begins, from 1.
    pub(crate) line: u64,
    /// Its first bytes as the file has them.
    pub(crate) head: Vec<u8>,
    /// Why it is none.
    pub(crate) fault: Option<RecordFault>,
    /// The values, one after the other, without quotes.
    text: String,
    /// Where each field ends in the text, and in the highest bit whether it was in quotes. It begins where the one
    /// before ends. Small, as a hostile record is nothing but commas.
    fields: Vec<u32>,
}

const QUOTED: u32 = 1 << 31;
/// So that the end of a field fits.
const MAXIMUM_RECORD_BYTES: usize = 1 << 30;

/// Why something is not a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RecordFault {
    NotUtf8,
    /// What should have been there.
    NotCsv(&'static str),
}

impl Record {
    /// The number of fields.
    pub(crate) fn len(&self) -> usize {
        self.fields.len()
    }

    /// The values in order, and whether each was in quotes.
    pub(crate) fn fields(&self) -> impl Iterator<Item = (&str, bool)> {
        let mut from = 0;
        self.fields.iter().map(move |field| {
            let end = (field & !QUOTED) as usize;
            (&self.text[std::mem::replace(&mut from, end)..end], field & QUOTED != 0)
        })
    }

    /// Whether a carriage return lies outside of quotes: at the end of a line it is a part of the line's end.
    fn has_carriage_return(&self) -> bool {
        self.fields().any(|(text, quoted)| !quoted && text.contains('\r'))
    }

    fn start(&mut self, line: u64) {
        self.line = line;
        self.head.clear();
        self.fault = None;
        self.text.clear();
        self.fields.clear();
    }

    fn end_field(&mut self, quoted: u32) {
        self.fields.push(self.text.len() as u32 | quoted);
    }

    /// Takes a line's fields. Gives true when the line ends within quotes, so that the record goes on.
    fn take(&mut self, line: &str, mut within_quotes: bool) -> bool {
        let mut rest = line;
        loop {
            if within_quotes {
                let Some(after) = self.take_quoted(rest) else { return self.fault.is_none() };
                rest = after;
                within_quotes = false;
                self.end_field(QUOTED);
            } else if let Some(inner) = rest.strip_prefix('"') {
                rest = inner;
                within_quotes = true;
                continue;
            } else {
                let end = memchr::memchr2(COMMA, QUOTE, rest.as_bytes()).unwrap_or(rest.len());
                if rest.as_bytes().get(end) == Some(&QUOTE) {
                    self.fault = Some(RecordFault::NotCsv("a field with a quote in it to be in quotes"));
                    return false;
                }
                let (value, after) = rest.split_at(end);
                self.text.push_str(if after.is_empty() { value.strip_suffix('\r').unwrap_or(value) } else { value });
                self.end_field(0);
                rest = after;
            }
            // here a field has ended: with the line, or with a comma that another one follows
            match rest.strip_prefix(',') {
                Some(next) => rest = next,
                None => return false,
            }
        }
    }

    /// Takes what is in quotes and gives what comes after them; None where they do not end, or not as they should.
    fn take_quoted<'a>(&mut self, mut rest: &'a str) -> Option<&'a str> {
        loop {
            let Some(quote) = memchr::memchr(QUOTE, rest.as_bytes()) else {
                self.text.push_str(rest);
                return None;
            };
            self.text.push_str(&rest[..quote]);
            rest = &rest[quote + 1..];
            match rest.as_bytes() {
                [] | [COMMA, ..] => return Some(rest),
                b"\r" => return Some(""),
                [QUOTE, ..] => {
                    self.text.push('"');
                    rest = &rest[1..];
                }
                _ => {
                    self.fault = Some(RecordFault::NotCsv("a comma or the end of the line after closing quotes"));
                    return None;
                }
            }
        }
    }
}

impl Records {
    pub(crate) fn new(lines: Lines, maximum_record_bytes: usize) -> Self {
        let maximum_record_bytes = maximum_record_bytes.min(MAXIMUM_RECORD_BYTES);
        Self { lines, maximum_record_bytes, empty_lines: false, record: Record::default() }
    }

    /// The next record. One that is at fault ends with the line of the fault.
    pub(crate) fn next(&mut self) -> Result<Option<&Record>, ReadError> {
        let mut byte = self.lines.bytes();
        let (mut within_quotes, mut bytes, mut utf8) = (false, 0, true);
        let record = &mut self.record;
        loop {
            let Some(line) = self.lines.next()? else {
                if !within_quotes {
                    return Ok(None);
                }
                record.fault = Some(RecordFault::NotCsv("closing quotes before the end of the file"));
                break;
            };
            let first = bytes == 0;
            if first {
                if !self.empty_lines && matches!(line.bytes, b"" | b"\r") {
                    byte = self.lines.bytes();
                    continue;
                }
                record.start(line.number);
            }
            bytes += line.bytes.len() + 1;
            if bytes > self.maximum_record_bytes + 1 {
                return Err(ReadError::LineTooLong { line: record.line, byte, limit: self.maximum_record_bytes });
            }
            if !first {
                push_head(&mut record.head, b"\n");
            }
            push_head(&mut record.head, line.bytes.strip_suffix(b"\r").unwrap_or(line.bytes));
            let lossy;
            let text = match std::str::from_utf8(line.bytes) {
                Ok(text) => text,
                // commas and quotes are where they are, whatever is between them
                Err(_) => {
                    utf8 = false;
                    lossy = String::from_utf8_lossy(line.bytes);
                    &lossy
                }
            };
            within_quotes = record.take(text, within_quotes);
            if !within_quotes {
                break;
            }
            record.text.push('\n');
        }
        if !utf8 {
            record.fault = Some(RecordFault::NotUtf8);
        }
        Ok(Some(record))
    }
}

fn push_head(head: &mut Vec<u8>, bytes: &[u8]) {
    let room = HEAD_BYTES.saturating_sub(head.len());
    head.extend_from_slice(&bytes[..bytes.len().min(room)]);
}

/// A CSV file under way: what its header says of the fields, and its records.
#[derive(Debug)]
pub(crate) struct Csv {
    records: Records,
    /// Absent until the first record has said it.
    header: Option<Header>,
    /// The first record is still to come.
    first: bool,
}

/// Which field is which column.
#[derive(Debug)]
struct Header {
    fields: Vec<Use>,
    missing: Vec<usize>,
    twice: Vec<usize>,
}

/// What a field is for. Small, as a hostile header is nothing but commas.
#[derive(Clone, Copy, Debug)]
struct Use(u32);

impl Use {
    /// Not read.
    const NOTHING: Self = Self(u32::MAX);
    /// Not described: the rest is its place among the unexpected columns.
    const UNEXPECTED: u32 = 1 << 31;

    fn column(self) -> Option<usize> {
        (self.0 & Self::UNEXPECTED == 0).then_some(self.0 as usize)
    }

    fn unexpected(self) -> Option<usize> {
        (self.0 & Self::UNEXPECTED != 0 && self.0 != u32::MAX).then_some((self.0 & !Self::UNEXPECTED) as usize)
    }
}

impl Csv {
    pub(crate) fn new(records: Records, with_header: bool, columns: usize) -> Self {
        let in_order =
            || Header { fields: (0..columns as u32).map(Use).collect(), missing: Vec::new(), twice: Vec::new() };
        let mut csv = Self { records, header: (!with_header).then(in_order), first: true };
        csv.records.empty_lines = !with_header && columns == 1;
        csv
    }

    pub(crate) fn lines(&self) -> &Lines {
        &self.records.lines
    }

    /// Makes a row, a misfit or the header of the next record. Gives false when there is none.
    pub(crate) fn take(&mut self, rows: &mut Rows) -> Result<bool, ReadError> {
        let first = std::mem::replace(&mut self.first, false);
        let whole_file = |records: &Records| records.lines.is_unended() && records.record.line == records.lines.lines();
        if self.records.next()?.is_none() {
            return Ok(false);
        }
        let record = &self.records.record;
        // a file of old Macs is a single line
        if first && (self.header.is_none() || whole_file(&self.records)) && record.has_carriage_return() {
            return Err(ReadError::LineEnds { line: record.line });
        }
        let Some(header) = &self.header else {
            let header = Header::read(record, rows)?;
            // where there is but one field, nothing at all is a null of it
            self.records.empty_lines = header.fields.len() == 1;
            self.header = Some(header);
            return Ok(true);
        };
        match record.fault {
            Some(RecordFault::NotUtf8) => {
                rows.tallies.line(MisfitKind::NotUtf8, record.line, &record.head, "UTF-8");
            }
            Some(RecordFault::NotCsv(expected)) => {
                rows.tallies.line(MisfitKind::NotCsv, record.line, &record.head, format_args!("CSV: {expected}"));
            }
            None if record.len() != header.fields.len() => {
                let expected = Fields { expected: header.fields.len(), found: record.len() };
                rows.tallies.line(MisfitKind::RaggedRow, record.line, &record.head, expected);
            }
            None => header.append(record, rows),
        }
        Ok(true)
    }
}

impl Csv {
    /// A file without rows: what is wrong with its header.
    pub(crate) fn without_rows(&self, rows: &mut Rows) {
        if let Some(header) = &self.header {
            header.missing.iter().for_each(|column| rows.tallies.missing_without_rows(*column));
            header.twice.iter().for_each(|column| rows.tallies.duplicate_without_rows(*column));
            rows.tallies.unexpected_without_rows();
        }
    }
}

impl Header {
    fn read(record: &Record, rows: &mut Rows) -> Result<Self, ReadError> {
        let expected = match record.fault {
            None => None,
            Some(RecordFault::NotUtf8) => Some("UTF-8".to_owned()),
            Some(RecordFault::NotCsv(expected)) => Some(expected.to_owned()),
        };
        if let Some(expected) = expected {
            return Err(ReadError::Header { line: record.line, expected });
        }
        let mut fields = Vec::with_capacity(record.len());
        let mut places = vec![None; rows.columns.len()];
        let mut twice = Vec::new();
        let names_shown = rows.tallies.shows_names(record.fields().map(|(name, _)| name));
        for (nth, (name, _)) in record.fields().enumerate() {
            let found = rows.names.find(nth, name);
            fields.push(match found {
                None => {
                    let place = match names_shown && !name.contains(char::is_control) || rows.tallies.shows_lines() {
                        true => rows.tallies.unexpected_everywhere(name),
                        false => rows.tallies.unexpected_everywhere(&format!("(field {})", nth + 1)),
                    };
                    Use(place as u32 | Use::UNEXPECTED)
                }
                Some(column) => {
                    match places[column] {
                        None => places[column] = Some(nth),
                        Some(_) => twice.push(column),
                    }
                    Use(column as u32)
                }
            });
        }
        twice.sort_unstable();
        twice.dedup();
        for field in &mut fields {
            if field.column().is_some_and(|column| twice.binary_search(&column).is_ok()) {
                *field = Use::NOTHING;
            }
        }
        let missing = places.iter().enumerate().filter(|(_, place)| place.is_none()).map(|(n, _)| n).collect();
        Ok(Self { fields, missing, twice })
    }

    fn append(&self, record: &Record, rows: &mut Rows) {
        let line = record.line;
        for ((text, quoted), field) in record.fields().zip(&self.fields) {
            let Some(n) = field.column() else {
                if let Some(place) = field.unexpected() {
                    rows.tallies.unexpected_field(place, text, quoted);
                }
                continue;
            };
            let (column, tallies) = (&mut rows.columns[n], &mut rows.tallies);
            if text.is_empty() && !(quoted && column.has_empty_value()) {
                column.append_null();
                continue;
            }
            let mut tell = |fault: Fault<'_>| tallies.fault(line, n, fault);
            if !column.append_field(text, Place::Value, &mut tell) {
                rows.gap(n, false);
            }
        }
        for n in &self.missing {
            rows.columns[*n].append_null();
            rows.tallies.missing(line, *n);
            rows.gap(*n, true);
        }
        for n in &self.twice {
            rows.columns[*n].append_null();
            rows.tallies.duplicate(line, *n);
            rows.gap(*n, false);
        }
        rows.row(line, "");
    }
}

/// How many fields a record should have, and has.
struct Fields {
    expected: usize,
    found: usize,
}

impl fmt::Display for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let s = |n| if n == 1 { "" } else { "s" };
        write!(f, "{} field{}, as the header has; here are {}", self.expected, s(self.expected), self.found)
    }
}

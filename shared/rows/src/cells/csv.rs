//! Splits lines of text into records of delimited values (RFC 4180, or a dialect), in one pass over their bytes. The
//! parser is our own because it must know which fields were in quotes: `""` is the empty string, and an empty field
//! without quotes is null.

use std::collections::BTreeSet;
use std::fmt;

use contract::{Column, FileDialect, Table, plural};

use crate::batch::Rows;
use crate::cells::workbook::{CellKind, SheetRow, SheetRows};
use crate::input::lines::Lines;
use crate::misfit::MisfitKind;
use crate::read_error::ReadError;
use crate::values::column::{Fault, Place};

/// The most bytes of a record that a misfit shows: 80 characters and one more, of at most four bytes.
const HEAD_BYTES: usize = 324;

/// The records of a text file.
#[derive(Debug)]
pub(crate) struct Records {
    lines: Lines,
    maximum_record_bytes: usize,
    /// Whether an empty line is a record: a single field that is null.
    empty_lines: bool,
    signs: Signs,
    left_out: LeftOut,
    record: Record,
}

/// The characters that structure a record. Each is ASCII.
#[derive(Clone, Copy, Debug)]
struct Signs {
    delimiter: u8,
    quote: Option<u8>,
    /// Whether a quote inside quotes is written twice.
    double_quote: bool,
    escape: Option<u8>,
    skip_initial_space: bool,
}

/// Lines that belong to no record.
#[derive(Debug)]
struct LeftOut {
    /// Lines with a smaller number are above the header.
    before: u64,
    rows: BTreeSet<u64>,
    comment: Option<Box<[u8]>>,
}

impl LeftOut {
    fn new(dialect: &FileDialect) -> Self {
        Self {
            before: dialect.header_rows.first().copied().unwrap_or(0),
            rows: dialect.comment_rows.clone(),
            comment: dialect.comment.as_ref().map(|comment| comment.as_bytes().into()),
        }
    }

    fn has(&self, line: u64, bytes: &[u8]) -> bool {
        line < self.before
            || self.comment.as_ref().is_some_and(|comment| bytes.starts_with(comment))
            || !self.rows.is_empty() && self.rows.contains(&line)
    }
}

/// Whether a record goes on after the end of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Open {
    /// The record ends.
    No,
    /// It goes on inside quotes.
    Quoted,
    /// A field without quotes goes on: the end of the line is escaped and belongs to it.
    Escaped,
}

/// One record. Its buffers are reused for the next one.
#[derive(Debug, Default)]
pub(crate) struct Record {
    /// The line on which it begins, from 1.
    pub(crate) line: u64,
    /// Its first bytes, as the file has them.
    pub(crate) head: Vec<u8>,
    /// Why this is not a record.
    pub(crate) fault: Option<RecordFault>,
    /// The values without their quotes, concatenated.
    text: String,
    /// Where each field ends in the text; the highest bit is set if the field was in quotes. A field begins where the
    /// previous one ends. The entries are small because a hostile record may be nothing but commas.
    fields: Vec<u32>,
    /// The kind of each field, if the fields are cells of a workbook.
    cells: Vec<CellKind>,
    /// Whether the current field has an escape in it, so that it cannot be a word for null.
    escaped: bool,
}

const QUOTED: u32 = 1 << 31;
/// Keeps the end of a field below the [`QUOTED`] bit.
const MAXIMUM_RECORD_BYTES: usize = 1 << 30;

/// Why something is not a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RecordFault {
    NotUtf8,
    NotCsv(NotCsv),
}

/// What is malformed in a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotCsv {
    QuoteInside,
    AfterQuotes { delimiter: u8 },
    NotClosed,
    Escape { escape: u8 },
}

impl fmt::Display for NotCsv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::QuoteInside => f.write_str("a field with a quote in it to be in quotes"),
            Self::AfterQuotes { delimiter: b',' } => f.write_str("a comma or the end of the line after closing quotes"),
            Self::AfterQuotes { delimiter } => {
                write!(f, "`{}` or the end of the line after closing quotes", char::from(*delimiter).escape_default())
            }
            Self::NotClosed => f.write_str("closing quotes before the end of the file"),
            Self::Escape { escape } => {
                let escape = char::from(*escape);
                write!(f, "a delimiter, a quote, a line's end or `{escape}` after `{escape}`")
            }
        }
    }
}

impl Record {
    /// Returns the number of fields.
    pub(crate) fn len(&self) -> usize {
        self.fields.len()
    }

    /// Returns the values in order, and whether each was in quotes.
    pub(crate) fn fields(&self) -> impl Iterator<Item = (&str, bool)> {
        let mut from = 0;
        self.fields.iter().map(move |field| {
            let end = (field & !QUOTED) as usize;
            (&self.text[std::mem::replace(&mut from, end)..end], field & QUOTED != 0)
        })
    }

    /// Whether a carriage return is outside of quotes. One at the end of a line belongs to the line's end.
    fn has_carriage_return(&self) -> bool {
        self.fields().any(|(text, quoted)| !quoted && text.contains('\r'))
    }

    fn start(&mut self, line: u64) {
        self.line = line;
        self.head.clear();
        self.fault = None;
        self.text.clear();
        self.fields.clear();
        self.cells.clear();
        self.escaped = false;
    }

    fn end_field(&mut self, quoted: u32) {
        self.fields.push(self.text.len() as u32 | quoted);
    }

    /// Takes a line's fields. Returns whether the record goes on.
    fn take(&mut self, line: &str, signs: &Signs, open: Open) -> Open {
        let mut rest = line;
        let (mut within_quotes, mut begun) = (open == Open::Quoted, open == Open::Escaped);
        if open == Open::No && signs.escape.is_none() && !signs.skip_initial_space {
            match self.take_before_quotes(line, signs) {
                Some(after) => rest = after,
                None => return Open::No,
            }
        }
        loop {
            if within_quotes {
                let Some(after) = self.take_quoted(rest, signs) else {
                    return if self.fault.is_none() { Open::Quoted } else { Open::No };
                };
                rest = after;
                within_quotes = false;
                self.end_field(QUOTED);
            } else {
                if !begun {
                    if signs.skip_initial_space {
                        rest = rest.trim_start_matches(' ');
                    }
                    if signs.quote.is_some() && rest.as_bytes().first() == signs.quote.as_ref() {
                        rest = &rest[1..];
                        within_quotes = true;
                        continue;
                    }
                }
                begun = false;
                match self.take_plain(rest, signs) {
                    Some(after) => rest = after,
                    None => return if self.fault.is_none() { Open::Escaped } else { Open::No },
                }
                let escaped = std::mem::take(&mut self.escaped);
                self.end_field(if escaped { QUOTED } else { 0 });
            }
            // a field has ended here: either the line ends too, or a delimiter and another field follow
            match rest.as_bytes() {
                [first, ..] if *first == signs.delimiter => rest = &rest[1..],
                _ => return Open::No,
            }
        }
    }

    /// Takes the fields of a line before the first one that contains a quote, and returns the rest of the line. Returns
    /// `None` if there is no quote. One search over the line costs less than one for each field.
    fn take_before_quotes<'a>(&mut self, line: &'a str, signs: &Signs) -> Option<&'a str> {
        let mut from = 0;
        for at in memchr::memchr2_iter(signs.delimiter, signs.quote.unwrap_or(signs.delimiter), line.as_bytes()) {
            if line.as_bytes()[at] != signs.delimiter {
                return Some(&line[from..]);
            }
            self.text.push_str(&line[from..at]);
            self.end_field(0);
            from = at + 1;
        }
        let last = &line[from..];
        self.text.push_str(last.strip_suffix('\r').unwrap_or(last));
        self.end_field(0);
        None
    }

    /// Takes a field without quotes and returns what follows it. Returns `None` if the field goes on after the line, or
    /// is malformed.
    #[inline]
    fn take_plain<'a>(&mut self, rest: &'a str, signs: &Signs) -> Option<&'a str> {
        if signs.escape.is_some() {
            return self.take_escaping(rest, signs);
        }
        let quote = signs.quote.unwrap_or(signs.delimiter);
        let Some(end) = memchr::memchr2(signs.delimiter, quote, rest.as_bytes()) else {
            self.text.push_str(rest.strip_suffix('\r').unwrap_or(rest));
            return Some("");
        };
        if rest.as_bytes()[end] != signs.delimiter {
            self.fault = Some(RecordFault::NotCsv(NotCsv::QuoteInside));
            return None;
        }
        let (value, after) = rest.split_at(end);
        self.text.push_str(value);
        Some(after)
    }

    /// Like [`Self::take_plain`], but with an escape character.
    fn take_escaping<'a>(&mut self, mut rest: &'a str, signs: &Signs) -> Option<&'a str> {
        let quote = signs.quote.unwrap_or(signs.delimiter);
        if let Some(after) = self.null_of_databases(rest, signs) {
            self.text.push_str(&rest[..2]);
            return Some(after);
        }
        loop {
            let end = match signs.escape {
                None => memchr::memchr2(signs.delimiter, quote, rest.as_bytes()),
                Some(escape) => memchr::memchr3(signs.delimiter, quote, escape, rest.as_bytes()),
            };
            let end = end.unwrap_or(rest.len());
            let (value, after) = rest.split_at(end);
            match after.as_bytes() {
                [] => {
                    self.text.push_str(value.strip_suffix('\r').unwrap_or(value));
                    return Some(after);
                }
                [sign, ..] if *sign == signs.delimiter => {
                    self.text.push_str(value);
                    return Some(after);
                }
                [sign, escaped @ ..] if Some(*sign) == signs.escape => {
                    self.text.push_str(value);
                    rest = self.take_escaped(&after[1..], escaped, *sign, signs)?;
                }
                _ => {
                    self.fault = Some(RecordFault::NotCsv(NotCsv::QuoteInside));
                    return None;
                }
            }
        }
    }

    /// Returns what follows a field that is exactly `\N`. Databases that escape with `\` write it for null.
    fn null_of_databases<'a>(&self, rest: &'a str, signs: &Signs) -> Option<&'a str> {
        let escape = signs.escape?;
        let after = rest.strip_prefix(char::from(escape))?.strip_prefix('N')?;
        let begins = self.fields.last().map_or(0, |end| (end & !QUOTED) as usize) == self.text.len();
        let ends = matches!(after.as_bytes(), [] | b"\r") || after.as_bytes().first() == Some(&signs.delimiter);
        (begins && ends).then_some(if after == "\r" { "" } else { after })
    }

    /// Takes the character after an escape character. Returns `None` if that is the end of the line, or a character
    /// that needs no escape.
    fn take_escaped<'a>(&mut self, rest: &'a str, bytes: &[u8], escape: u8, signs: &Signs) -> Option<&'a str> {
        self.escaped = true;
        match bytes {
            [] => None,
            b"\r" => {
                self.text.push('\r');
                None
            }
            [sign, ..] if [Some(signs.delimiter), signs.quote, signs.escape].contains(&Some(*sign)) => {
                self.text.push(char::from(*sign));
                Some(&rest[1..])
            }
            _ => {
                self.fault = Some(RecordFault::NotCsv(NotCsv::Escape { escape }));
                None
            }
        }
    }

    /// Takes text in quotes and returns what follows the closing quote. Returns `None` if the quotes do not close on
    /// this line, or are misplaced.
    fn take_quoted<'a>(&mut self, mut rest: &'a str, signs: &Signs) -> Option<&'a str> {
        let quote = signs.quote?;
        loop {
            let found = match signs.escape {
                None => memchr::memchr(quote, rest.as_bytes()),
                Some(escape) => memchr::memchr2(quote, escape, rest.as_bytes()),
            };
            let Some(at) = found else {
                self.text.push_str(rest);
                return None;
            };
            self.text.push_str(&rest[..at]);
            let sign = rest.as_bytes()[at];
            rest = &rest[at + 1..];
            if sign != quote {
                rest = self.take_escaped(rest, rest.as_bytes(), sign, signs)?;
                continue;
            }
            match rest.as_bytes() {
                [] => return Some(rest),
                [next, ..] if *next == signs.delimiter => return Some(rest),
                b"\r" => return Some(""),
                [next, ..] if *next == quote && signs.double_quote => {
                    self.text.push(char::from(quote));
                    rest = &rest[1..];
                }
                _ => {
                    let delimiter = signs.delimiter;
                    self.fault = Some(RecordFault::NotCsv(NotCsv::AfterQuotes { delimiter }));
                    return None;
                }
            }
        }
    }
}

impl Records {
    pub(crate) fn new(lines: Lines, maximum_record_bytes: usize, dialect: &FileDialect, delimiter: u8) -> Self {
        let signs = Signs {
            delimiter: dialect.delimiter.unwrap_or(delimiter),
            quote: dialect.quote,
            double_quote: dialect.double_quote,
            escape: dialect.escape,
            skip_initial_space: dialect.skip_initial_space,
        };
        let left_out = LeftOut::new(dialect);
        let maximum_record_bytes = maximum_record_bytes.min(MAXIMUM_RECORD_BYTES);
        Self { lines, maximum_record_bytes, empty_lines: false, signs, left_out, record: Record::default() }
    }

    /// Returns the next record. A malformed one ends with the line of its fault.
    pub(crate) fn next(&mut self) -> Result<Option<&Record>, ReadError> {
        let mut byte = self.lines.bytes();
        let (mut open, mut bytes, mut utf8) = (Open::No, 0, true);
        let record = &mut self.record;
        loop {
            let Some(line) = self.lines.next()? else {
                match open {
                    Open::No => return Ok(None),
                    Open::Quoted => record.fault = Some(RecordFault::NotCsv(NotCsv::NotClosed)),
                    Open::Escaped => {
                        let escape = self.signs.escape.unwrap_or_default();
                        record.fault = Some(RecordFault::NotCsv(NotCsv::Escape { escape }));
                    }
                }
                break;
            };
            let first = bytes == 0;
            if first {
                let blank = !self.empty_lines && matches!(line.bytes, b"" | b"\r");
                if blank || self.left_out.has(line.number, line.bytes) {
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
                // replacing invalid bytes leaves delimiters and quotes where they are
                Err(_) => {
                    utf8 = false;
                    lossy = String::from_utf8_lossy(line.bytes);
                    &lossy
                }
            };
            open = record.take(text, &self.signs, open);
            if open == Open::No {
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

/// The rows of a sheet, as records.
#[derive(Debug)]
pub(crate) struct Sheet {
    cells: SheetRows,
    left_out: LeftOut,
    record: Record,
    /// The number of fields in a record. A shorter row is padded, because empty cells at its end are not in the file.
    width: Option<usize>,
    rows: u64,
    bytes: u64,
}

impl Sheet {
    pub(crate) fn new(cells: SheetRows, dialect: &FileDialect) -> Self {
        Self { cells, left_out: LeftOut::new(dialect), record: Record::default(), width: None, rows: 0, bytes: 0 }
    }

    fn next(&mut self) -> Result<Option<&Record>, ReadError> {
        while let Some(SheetRow { number, cells }) = self.cells.next()? {
            self.rows = number;
            let first = cells.first().map(|cell| cell.text.as_bytes()).unwrap_or_default();
            if cells.is_empty() || self.left_out.has(number, first) {
                continue;
            }
            let record = &mut self.record;
            record.start(number);
            for (nth, cell) in cells.iter().enumerate() {
                push_head(&mut record.head, if nth > 0 { b" | " } else { b"" });
                push_head(&mut record.head, cell.text.as_bytes());
                record.text.push_str(&cell.text);
                record.end_field(0);
                record.cells.push(cell.kind);
            }
            for _ in cells.len()..self.width.unwrap_or(0) {
                record.end_field(0);
            }
            self.bytes += record.text.len() as u64;
            return Ok(Some(&self.record));
        }
        Ok(None)
    }
}

/// The source of records.
#[derive(Debug)]
pub(crate) enum RecordSource {
    Text(Records),
    Sheet(Sheet),
}

impl RecordSource {
    pub(crate) fn next(&mut self) -> Result<Option<&Record>, ReadError> {
        match self {
            Self::Text(records) => records.next(),
            Self::Sheet(sheet) => sheet.next(),
        }
    }

    /// Returns the record that [`Self::next`] returned last.
    fn record(&self) -> &Record {
        match self {
            Self::Text(records) => &records.record,
            Self::Sheet(sheet) => &sheet.record,
        }
    }

    /// Sets how many fields a record has from now on.
    fn set_width(&mut self, fields: usize) {
        match self {
            // with a single field, an empty line is a null
            Self::Text(records) => records.empty_lines = fields == 1,
            Self::Sheet(sheet) => sheet.width = Some(fields),
        }
    }

    /// Whether the current record, if it is the first, is the whole file: a single line without a newline.
    fn is_whole_file(&self) -> bool {
        match self {
            Self::Text(records) => records.lines.is_unended() && records.record.line == records.lines.lines(),
            Self::Sheet(_) => false,
        }
    }
}

/// A CSV file being read: its header and its records.
#[derive(Debug)]
pub(crate) struct Csv {
    records: RecordSource,
    /// Absent until the first record has been read.
    header: Option<Header>,
    /// Whether the first record is still to come.
    first: bool,
    /// The number of records that name the columns, and the text that joins their names.
    header_rows: usize,
    header_join: String,
    /// The column of each field whose position is described.
    positions: Vec<Option<usize>>,
    charset: &'static str,
}

/// The columns that the fields belong to.
#[derive(Debug)]
struct Header {
    fields: Vec<Use>,
    missing: Vec<usize>,
    twice: Vec<usize>,
}

/// The use of a field. Small because a hostile header may be nothing but commas.
#[derive(Clone, Copy, Debug)]
struct Use(u32);

impl Use {
    /// The field is not read.
    const NOTHING: Self = Self(u32::MAX);
    /// The field is not described. The other bits are its place among the unexpected columns.
    const UNEXPECTED: u32 = 1 << 31;

    fn column(self) -> Option<usize> {
        (self.0 & Self::UNEXPECTED == 0).then_some(self.0 as usize)
    }

    fn unexpected(self) -> Option<usize> {
        (self.0 & Self::UNEXPECTED != 0 && self.0 != u32::MAX).then_some((self.0 & !Self::UNEXPECTED) as usize)
    }
}

impl Csv {
    pub(crate) fn new(mut records: RecordSource, table: &Table, charset: &'static str) -> Self {
        let (columns, with_header) = (table.data_columns(), table.checks.header);
        let in_order =
            || Header { fields: (0..columns.len() as u32).map(Use).collect(), missing: Vec::new(), twice: Vec::new() };
        if !with_header {
            records.set_width(columns.len());
        }
        Self {
            records,
            header: (!with_header).then(in_order),
            first: true,
            header_rows: table.file_dialect.header_rows.len().max(1),
            header_join: table.file_dialect.header_join.clone(),
            positions: positions(columns),
            charset,
        }
    }

    /// Lines, or rows of a sheet, read so far.
    pub(crate) fn lines(&self) -> u64 {
        match &self.records {
            RecordSource::Text(records) => records.lines.lines(),
            RecordSource::Sheet(sheet) => sheet.rows,
        }
    }

    /// Bytes of text read so far.
    pub(crate) fn bytes(&self) -> u64 {
        match &self.records {
            RecordSource::Text(records) => records.lines.bytes(),
            RecordSource::Sheet(sheet) => sheet.bytes,
        }
    }

    /// Turns the next record into a row, a misfit or the header. Returns false at the end.
    pub(crate) fn take(&mut self, rows: &mut Rows) -> Result<bool, ReadError> {
        let first = std::mem::replace(&mut self.first, false);
        if self.records.next()?.is_none() {
            return Ok(false);
        }
        let record = self.records.record();
        // a file from an old Mac is a single line
        if first && (self.header.is_none() || self.records.is_whole_file()) && record.has_carriage_return() {
            return Err(ReadError::LineEnds { line: record.line });
        }
        let Some(header) = &self.header else {
            let names = self.names()?;
            self.check_delimiter(&names, rows)?;
            let header = Header::read(&names, &self.positions, rows);
            self.records.set_width(header.fields.len());
            self.header = Some(header);
            return Ok(true);
        };
        match record.fault {
            Some(RecordFault::NotUtf8) => {
                rows.tallies.line(MisfitKind::NotUtf8, record.line, &record.head, self.charset);
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

/// Returns the column of each field whose position is described.
fn positions(columns: &[Column]) -> Vec<Option<usize>> {
    let described = columns.iter().enumerate().filter_map(|(n, column)| Some((n, column.source_position?)));
    let mut positions = Vec::new();
    for (column, position) in described {
        if positions.len() < position {
            positions.resize(position, None);
        }
        positions[position - 1] = Some(column);
    }
    positions
}

impl Csv {
    /// Refuses a header that is a single field but would name several columns with another delimiter. No column of the
    /// table would be found.
    fn check_delimiter(&self, names: &[String], rows: &mut Rows) -> Result<(), ReadError> {
        let [name] = names else { return Ok(()) };
        if rows.columns.len() < 2 || rows.names.find(0, name).is_some() {
            return Ok(());
        }
        let parts = |sign: &char| name.split(*sign).filter(|part| rows.names.has(part.trim_matches('"'))).count();
        let Some(sign) = [';', '\t', '|', ','].into_iter().find(|sign| parts(sign) > 1) else { return Ok(()) };
        let expected = format!(
            "{} fields, found one: `{sign}` is what parts them, which the table's dialect says by \"delimiter\": \
             \"{sign}\"",
            rows.columns.len(),
            sign = sign.escape_default()
        );
        Err(ReadError::Header { line: self.records.record().line, expected })
    }

    /// Returns the names of the fields, from the current record and, if the header has several records, from those
    /// after it.
    fn names(&mut self) -> Result<Vec<String>, ReadError> {
        let mut names: Vec<String> = Vec::new();
        for n in 0..self.header_rows {
            if n > 0 && self.records.next()?.is_none() {
                break;
            }
            let record = self.records.record();
            let expected = match record.fault {
                None => None,
                Some(RecordFault::NotUtf8) => Some(self.charset.to_owned()),
                Some(RecordFault::NotCsv(expected)) => Some(expected.to_string()),
            };
            if let Some(expected) = expected {
                return Err(ReadError::Header { line: record.line, expected });
            }
            for (nth, (part, _)) in record.fields().enumerate() {
                match names.get_mut(nth) {
                    None => names.push(part.to_owned()),
                    Some(_) if part.is_empty() => {}
                    Some(name) if name.is_empty() => *name = part.to_owned(),
                    Some(name) => *name = format!("{name}{}{part}", self.header_join),
                }
            }
        }
        Ok(names)
    }

    /// Reports what is wrong with the header of a file without rows.
    pub(crate) fn without_rows(&self, rows: &mut Rows) {
        if let Some(header) = &self.header {
            header.missing.iter().for_each(|column| rows.tallies.missing_without_rows(*column));
            header.twice.iter().for_each(|column| rows.tallies.duplicate_without_rows(*column));
            rows.tallies.unexpected_without_rows();
        }
    }
}

impl Header {
    fn read(names: &[String], positions: &[Option<usize>], rows: &mut Rows) -> Self {
        let mut fields = Vec::with_capacity(names.len());
        let mut places = vec![None; rows.columns.len()];
        let mut twice = Vec::new();
        let names_shown = rows.tallies.shows_names(names.iter().map(String::as_str));
        for (nth, name) in names.iter().enumerate() {
            let found = match positions.get(nth).copied().flatten() {
                Some(column) => rows.names.is(column, name).then_some(column),
                // a column with a described position is not found by name
                None => rows.names.find(nth, name).filter(|column| !positions.contains(&Some(*column))),
            };
            fields.push(match found {
                None => {
                    let place = if names_shown && !name.contains(char::is_control) || rows.tallies.shows_lines() {
                        rows.tallies.unexpected_everywhere(name)
                    } else {
                        rows.tallies.unexpected_everywhere(&format!("(field {})", nth + 1))
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
        Self { fields, missing, twice }
    }

    fn append(&self, record: &Record, rows: &mut Rows) {
        let line = record.line;
        for (nth, ((text, quoted), field)) in record.fields().zip(&self.fields).enumerate() {
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
            let fits = match record.cells.get(nth) {
                None | Some(CellKind::Text) if column.written.is_none() => {
                    column.append_field(text, Place::Value, &mut tell)
                }
                None | Some(CellKind::Text) => column.append_written(text, quoted, Place::Value, &mut tell),
                Some(CellKind::Value) => column.append_field(text, Place::Value, &mut tell),
                Some(CellKind::Rounded) => column.append_rounded(text, Place::Value, &mut tell),
                Some(CellKind::Error) => column.append_error(text, Place::Value, &mut tell),
            };
            if !fits {
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

/// The number of fields that a record should have, and the number that it has.
struct Fields {
    expected: usize,
    found: usize,
}

impl fmt::Display for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, as the header has; here are {}", plural(self.expected, "field"), self.found)
    }
}

//! JSON that is not one object per line. It may be an array of objects, a sequence of objects with any whitespace
//! between them or none, or an array under a key of an object (a dialect's `property`). Line breaks may be anywhere. A
//! document may have any length; a row may not.

use contract::Table;
use serde_json::value::RawValue;

use crate::input::lines::{Line, Lines};
use crate::read_error::ReadError;

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";
/// How many more bytes each attempt to find the end of the first line examines.
const PEEKED_BYTES: usize = 64 << 10;

/// A JSON file, opened as lines or as a document.
pub(crate) enum Opened {
    /// One object per line.
    Lines(Lines),
    Documents(Documents),
}

/// The rows of a document.
#[derive(Debug)]
pub(crate) struct Documents {
    lines: Lines,
    maximum_row_bytes: usize,
    state: State,
    /// The length of the row returned last, which is still in the buffer.
    given: usize,
    /// The key of the object under which the array of rows is.
    property: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Before the first row.
    Start,
    /// In the array: before its `first` row, or after a row.
    InArray { first: bool },
    /// In a sequence of objects.
    InSequence,
    /// After the array, and after the object around it.
    After,
}

impl Documents {
    /// Opens a file as lines if it has one object per line after all, as many `.json` files do. Lines are read faster,
    /// and a broken line does not affect the next.
    pub(crate) fn open(mut lines: Lines, table: &Table, maximum_row_bytes: usize) -> Result<Opened, ReadError> {
        if lines.peek(BYTE_ORDER_MARK.len())?.starts_with(BYTE_ORDER_MARK) {
            lines.skip(BYTE_ORDER_MARK.len());
        }
        let property = table.file_dialect.property.clone();
        if property.is_none() && has_object_a_line(&mut lines, maximum_row_bytes)? {
            return Ok(Opened::Lines(lines));
        }
        Ok(Opened::Documents(Self { lines, maximum_row_bytes, state: State::Start, given: 0, property }))
    }

    pub(crate) fn lines(&self) -> u64 {
        self.lines.lines()
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.lines.bytes()
    }

    /// Returns the text of the next row and the line on which it begins.
    pub(crate) fn next(&mut self) -> Result<Option<Line<'_>>, ReadError> {
        self.lines.skip(std::mem::take(&mut self.given));
        if !self.find_row()? {
            return Ok(None);
        }
        let number = self.lines.lines() + 1;
        self.given = self.value()?;
        let bytes = &self.lines.peek(self.given)?[..self.given];
        Ok(Some(Line { number, bytes }))
    }

    /// Skips to the start of the next row. Returns false if there is none.
    fn find_row(&mut self) -> Result<bool, ReadError> {
        loop {
            let byte = self.next_byte()?;
            match (self.state, byte) {
                (State::Start, None) if self.property.is_some() => return Err(self.broken("an object")),
                (State::Start | State::InSequence | State::After, None) => return Ok(false),
                (State::InArray { .. }, None) => {
                    return Err(self.broken("the array to end; the file is cut off"));
                }
                (State::Start, Some(byte)) => self.start(byte)?,
                (State::InArray { .. }, Some(b']')) => {
                    self.lines.skip(1);
                    if self.property.is_some() {
                        self.rest_of_object()?;
                    }
                    self.state = State::After;
                }
                (State::InArray { first: false }, Some(b',')) => {
                    self.lines.skip(1);
                    if matches!(self.next_byte()?, None | Some(b']' | b',')) {
                        return Err(self.broken("a row after the comma"));
                    }
                    return Ok(true);
                }
                (State::InArray { first: false }, Some(_)) => {
                    return Err(self.broken("a comma, or the array's end, after a row"));
                }
                (State::InArray { first: true }, Some(_)) => {
                    self.state = State::InArray { first: false };
                    return Ok(true);
                }
                (State::InSequence, Some(_)) => return Ok(true),
                (State::After, Some(_)) => return Err(self.broken("nothing after the document's end")),
            }
        }
    }

    /// Determines from the first byte where the rows are.
    fn start(&mut self, byte: u8) -> Result<(), ReadError> {
        self.state = match (byte, self.property.clone()) {
            (b'{', Some(property)) => {
                self.find_array(&property)?;
                State::InArray { first: true }
            }
            (_, Some(property)) => {
                let property = contract::visible(&property).into_owned();
                return Err(self.broken(&format!("an object with `{property}`, as the dialect's property says")));
            }
            (b'[', None) => {
                self.lines.skip(1);
                State::InArray { first: true }
            }
            (_, None) => State::InSequence,
        };
        Ok(())
    }

    /// Enters the array under the key `property` of the object that comes next.
    fn find_array(&mut self, property: &str) -> Result<(), ReadError> {
        self.lines.skip(1);
        let mut first = true;
        while let Some(key) = self.member(first)? {
            first = false;
            if key != property {
                self.skip_value()?;
            } else if self.next_byte()? == Some(b'[') {
                self.lines.skip(1);
                return Ok(());
            } else {
                return Err(self.broken(&format!("an array under `{}`", contract::visible(property))));
            }
        }
        Err(self.broken(&format!("an object with `{}`, as the dialect's property says", contract::visible(property))))
    }

    /// Skips the rest of the object after the array. The key must not occur again.
    fn rest_of_object(&mut self) -> Result<(), ReadError> {
        while let Some(key) = self.member(false)? {
            if self.property.as_ref() == Some(&key) {
                return Err(self.broken(&format!("`{}` once", contract::visible(&key))));
            }
            self.skip_value()?;
        }
        Ok(())
    }

    /// Consumes the next key and its colon, so that its value comes next. Returns `None` at the object's end.
    fn member(&mut self, first: bool) -> Result<Option<String>, ReadError> {
        match self.next_byte()? {
            Some(b'}') => {
                self.lines.skip(1);
                return Ok(None);
            }
            Some(b',') if !first => self.lines.skip(1),
            Some(b'"') if first => {}
            _ => return Err(self.broken("a comma, or the object's end, after a value")),
        }
        if self.next_byte()? != Some(b'"') {
            return Err(self.broken("a key"));
        }
        let length = self.value()?;
        let key: Option<String> = serde_json::from_slice(&self.lines.peek(length)?[..length]).ok();
        let key = key.ok_or_else(|| self.broken("a key"))?;
        self.lines.skip(length);
        if self.next_byte()? != Some(b':') {
            return Err(self.broken("a colon after a key"));
        }
        self.lines.skip(1);
        if self.next_byte()?.is_none() {
            return Err(self.broken("a value after a key"));
        }
        Ok(Some(key))
    }

    fn broken(&self, expected: &str) -> ReadError {
        ReadError::Json { line: self.lines.lines() + 1, reason: format!("expected {expected}") }
    }

    /// Skips whitespace, and returns the next byte without consuming it.
    fn next_byte(&mut self) -> Result<Option<u8>, ReadError> {
        loop {
            let pending = self.lines.peek(1)?;
            if pending.is_empty() {
                return Ok(None);
            }
            let spaces = pending.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
            let found = pending.get(spaces).copied();
            self.lines.skip(spaces);
            if found.is_some() {
                return Ok(found);
            }
        }
    }

    /// Returns the length of the next value, or of the rest of the file if the value does not end.
    fn value(&mut self) -> Result<usize, ReadError> {
        let mut scan = Scan::default();
        loop {
            let pending = self.lines.peek(scan.at + 1)?;
            let end = scan.end(pending);
            let (length, more) = (end.unwrap_or(scan.at), !self.lines.is_all());
            if length > self.maximum_row_bytes {
                let (line, byte) = (self.lines.lines() + 1, self.lines.bytes());
                return Err(ReadError::LineTooLong { line, byte, limit: self.maximum_row_bytes });
            }
            if end.is_some() || !more {
                return Ok(length);
            }
        }
    }

    /// Skips the next value, whatever its length.
    fn skip_value(&mut self) -> Result<(), ReadError> {
        let mut scan = Scan::default();
        loop {
            let pending = self.lines.peek(1)?;
            if pending.is_empty() {
                return Err(self.broken("a value to end; the file is cut off"));
            }
            let (end, all) = (scan.end(pending), pending.len());
            self.lines.skip(end.unwrap_or(all));
            if end.is_some() {
                return Ok(());
            }
            scan.at = 0;
        }
    }
}

/// Whether the first line is a JSON object that ends with a newline.
fn has_object_a_line(lines: &mut Lines, maximum_row_bytes: usize) -> Result<bool, ReadError> {
    let mut bytes = PEEKED_BYTES;
    loop {
        let pending = lines.peek(bytes)?;
        let (length, text) = (pending.len(), pending.trim_ascii_start());
        let first = memchr::memchr(b'\n', text).map(|end| &text[..end]);
        if let Some(first) = first {
            let object = first.starts_with(b"{") && serde_json::from_slice::<&RawValue>(first).is_ok();
            return Ok(object);
        }
        let other = text.first().is_some_and(|byte| *byte != b'{');
        if other || length > maximum_row_bytes || lines.is_all() {
            return Ok(false);
        }
        bytes = length + PEEKED_BYTES;
    }
}

/// Finds the end of a JSON value. Knows no more of the grammar than that: the value is parsed later.
#[derive(Debug, Default)]
struct Scan {
    /// Bytes examined.
    at: usize,
    depth: usize,
    in_text: bool,
    escaped: bool,
    /// In a number or a word, which ends before the first byte that cannot belong to it.
    in_word: bool,
}

impl Scan {
    /// Examines `bytes` from `at` on. Returns the value's end if it is among them.
    fn end(&mut self, bytes: &[u8]) -> Option<usize> {
        while let Some(byte) = bytes.get(self.at) {
            if self.in_text {
                if std::mem::take(&mut self.escaped) {
                    self.at += 1;
                    continue;
                }
                let rest = &bytes[self.at..];
                self.at += memchr::memchr2(b'"', b'\\', rest).unwrap_or(rest.len());
                match bytes.get(self.at) {
                    Some(b'"') => self.in_text = false,
                    Some(_) => self.escaped = true,
                    None => break,
                }
                self.at += 1;
                if !self.in_text && self.depth == 0 {
                    return Some(self.at);
                }
                continue;
            }
            match byte {
                b'"' if !self.in_word => self.in_text = true,
                b'{' | b'[' if !self.in_word => self.depth += 1,
                b'}' | b']' if self.depth > 0 => {
                    self.depth -= 1;
                    if self.depth == 0 {
                        self.at += 1;
                        return Some(self.at);
                    }
                }
                _ if self.depth > 0 => {}
                b'"' | b'{' | b'[' | b'}' | b']' | b',' | b':' => return Some(self.at.max(1)),
                byte if byte.is_ascii_whitespace() => return Some(self.at),
                _ => self.in_word = true,
            }
            self.at += 1;
        }
        None
    }
}

//! JSON that is not one object a line: an array of objects, one object after the other with any space between them or
//! none, over several lines or all on one, or an array somewhere in an object (a dialect's `property`). A document may
//! be as long as it likes; a row may not.

use contract::Table;
use serde_json::value::RawValue;

use crate::input::lines::{Line, Lines};
use crate::read_error::ReadError;

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";
/// What is asked for at once.
const PEEKED_BYTES: usize = 64 << 10;

/// A file of JSON.
pub(crate) enum Opened {
    /// One object a line.
    Lines(Lines),
    Documents(Documents),
}

/// The rows of a document.
#[derive(Debug)]
pub(crate) struct Documents {
    lines: Lines,
    maximum_row_bytes: usize,
    state: State,
    /// What was given out last, and is still in the buffer.
    given: usize,
    /// Under which key of an object the array is that has the rows.
    property: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Before the first row.
    Start,
    /// After an array's bracket, or a row of it.
    InArray { first: bool },
    /// One row after the other.
    InSequence,
    /// After the array, and the object that it is in.
    After,
}

impl Documents {
    /// Looks whether the file is one object a line after all, as many programs call `.json`: that is read quicker, and
    /// a line that is broken is no harm to the next.
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

    /// The text of the next row, with the line on which it begins.
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

    /// Goes to where the next row begins, if there is one.
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

    /// Finds out by the first byte where the rows are.
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

    /// Goes into the array under a key of the object that comes first.
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

    /// What comes after the array, up to the object's end: it has no second one.
    fn rest_of_object(&mut self) -> Result<(), ReadError> {
        while let Some(key) = self.member(false)? {
            if self.property.as_ref() == Some(&key) {
                return Err(self.broken(&format!("`{}` once", contract::visible(&key))));
            }
            self.skip_value()?;
        }
        Ok(())
    }

    /// The key of the next member, whose value comes first then; `None` at the object's end.
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

    /// The next byte that is no space. It comes first then.
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

    /// How long the value is that comes first: up to the file's end where it has none.
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

    /// Leaves out the value that comes first, however long.
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

/// Whether the first line is an object, and not all of the file.
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

/// Where a JSON value ends. Knows no more of its grammar than that: what is inside is read as JSON later.
#[derive(Debug, Default)]
struct Scan {
    /// Bytes looked at.
    at: usize,
    depth: usize,
    in_text: bool,
    escaped: bool,
    /// A number or a word, which ends before what is no part of it.
    in_word: bool,
}

impl Scan {
    /// Looks at more bytes of the value, which begin where it does.
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

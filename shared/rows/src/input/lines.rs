//! Splits a stream of bytes, compressed or not, into lines. Its one buffer grows to the longest line.

use std::fmt;
use std::io::{self, Read};

use contract::Compression;

use crate::input::encoding::{Charset, Decoding};
use crate::input::inflate::{CHUNK_BYTES, FIRST_CHUNK_BYTES, GROWTH, HEADROOM, Inflating, damage};
use crate::input::magic::{MAGIC_BYTES, Magic};
use crate::read_error::ReadError;

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

pub(crate) struct Lines {
    input: Input,
    form: Form,
    /// Whether the first bytes are still to be examined.
    unseen: bool,
    /// Why there are no more bytes. Returned once the buffered ones are used up.
    failed: Option<ReadError>,
    maximum_line_bytes: usize,
    maximum_bytes: u64,
    buffer: Vec<u8>,
    /// `buffer[start..end]` is not yet returned.
    start: usize,
    end: usize,
    ended: bool,
    unended: bool,
    /// Lines returned.
    lines: u64,
    /// Decompressed bytes received.
    bytes: u64,
}

/// A line without its newline.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Line<'a> {
    /// Counted from 1.
    pub(crate) number: u64,
    pub(crate) bytes: &'a [u8],
}

/// How the text is written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Form {
    /// The byte that ends a line. A `\r` before `\n` stays in the line; the caller drops it.
    pub(crate) newline: u8,
    /// The metadata's encoding; `None` for UTF-8.
    pub(crate) charset: Option<Charset>,
    /// The extension of the expected text, for messages.
    pub(crate) extension: &'static str,
    /// Whether HTML and XML are accepted.
    pub(crate) any_text: bool,
}

enum Input {
    Plain(Decoding<Box<dyn Read + Send>>),
    Compressed(Inflating, Compression),
}

impl fmt::Debug for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lines").field("lines", &self.lines).field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

impl Lines {
    pub(crate) fn new(
        reader: Box<dyn Read + Send>,
        compression: Compression,
        form: Form,
        maximum_line_bytes: usize,
        maximum_bytes: u64,
    ) -> Result<Self, ReadError> {
        let input = match compression {
            Compression::None => Input::Plain(Decoding::new(reader, form.charset)),
            compression => {
                let inflating = Inflating::start(reader, compression, form.charset);
                Input::Compressed(inflating.map_err(|error| not_fetched(1, 0, &error))?, compression)
            }
        };
        Ok(Self {
            input,
            form,
            unseen: true,
            failed: None,
            maximum_line_bytes,
            maximum_bytes,
            buffer: Vec::new(),
            start: 0,
            end: 0,
            ended: false,
            unended: false,
            lines: 0,
            bytes: 0,
        })
    }

    /// Returns the next line, which may be blank.
    pub(crate) fn next(&mut self) -> Result<Option<Line<'_>>, ReadError> {
        if self.unseen {
            self.look()?;
        }
        let mut searched = self.start;
        let (from, to) = loop {
            if let Some(newline) = memchr::memchr(self.form.newline, &self.buffer[searched..self.end]) {
                let line = (self.start, searched + newline);
                self.start = line.1 + 1;
                break line;
            }
            if self.ended {
                if self.start == self.end {
                    return Ok(None);
                }
                let line = (self.start, self.end);
                self.start = self.end;
                self.unended = true;
                break line;
            }
            let pending = self.end - self.start;
            if pending > self.maximum_line_bytes {
                return Err(self.too_long());
            }
            self.fill()?;
            searched = self.start + pending;
        };
        if to - from > self.maximum_line_bytes {
            self.start = from;
            return Err(self.too_long());
        }
        self.lines += 1;
        let bytes = &self.buffer[from..to];
        let bytes = if self.lines == 1 { bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes) } else { bytes };
        Ok(Some(Line { number: self.lines, bytes }))
    }

    /// Whether the line returned last was the file's last, and had no newline.
    pub(crate) fn is_unended(&self) -> bool {
        self.unended
    }

    /// Lines returned so far.
    pub(crate) fn lines(&self) -> u64 {
        self.lines
    }

    /// Decompressed bytes of the lines returned so far.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes - (self.end - self.start) as u64
    }

    fn too_long(&self) -> ReadError {
        ReadError::LineTooLong { line: self.lines + 1, byte: self.bytes(), limit: self.maximum_line_bytes }
    }

    /// Puts a decompressed chunk after the pending text, and returns the length of the chunk's text.
    fn append(&mut self, mut chunk: Vec<u8>) -> usize {
        let (pending, length) = (self.end - self.start, chunk.len() - HEADROOM);
        if pending <= HEADROOM {
            // move the little pending text, not the chunk
            chunk[HEADROOM - pending..HEADROOM].copy_from_slice(&self.buffer[self.start..self.end]);
            std::mem::swap(&mut self.buffer, &mut chunk);
            (self.start, self.end) = (HEADROOM - pending, HEADROOM);
        } else {
            self.buffer.truncate(self.end);
            self.buffer.drain(..self.start);
            self.buffer.extend_from_slice(&chunk[HEADROOM..]);
            (self.start, self.end) = (0, pending);
        }
        if let Input::Compressed(inflating, _) = &mut self.input {
            inflating.give_back(chunk);
        }
        length
    }

    /// Adds a chunk after the pending text.
    fn fill(&mut self) -> Result<(), ReadError> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        let (line, byte) = (self.lines + 1, self.bytes);
        let length = match &mut self.input {
            Input::Plain(reader) => {
                self.buffer.copy_within(self.start..self.end, 0);
                self.end -= self.start;
                self.start = 0;
                let room = (self.buffer.len() * GROWTH).clamp(FIRST_CHUNK_BYTES, CHUNK_BYTES);
                if self.buffer.len() < self.end + room {
                    self.buffer.resize(self.end + room, 0);
                }
                read_some(reader, &mut self.buffer[self.end..]).map_err(|error| not_fetched(line, byte, &error))?
            }
            Input::Compressed(inflating, compression) => {
                let compression = *compression;
                let chunk = inflating.next().map_err(|torn| {
                    if torn.source_failed {
                        not_fetched(line, byte, &torn.error)
                    } else {
                        let format = name(compression);
                        ReadError::Compressed { format, line, byte, reason: damage(&torn.error, format, byte) }
                    }
                })?;
                chunk.map_or(0, |chunk| self.append(chunk))
            }
        };
        match length {
            0 => self.ended = true,
            length => {
                self.end += length;
                self.bytes += length as u64;
            }
        }
        if self.bytes > self.maximum_bytes {
            return Err(ReadError::TooLarge { line: self.lines + 1, limit: self.maximum_bytes });
        }
        Ok(())
    }

    /// Checks that the file begins like text.
    fn look(&mut self) -> Result<(), ReadError> {
        while self.end - self.start < MAGIC_BYTES && !self.ended && self.failed.is_none() {
            self.failed = self.fill().err();
        }
        self.unseen = false;
        let first = &self.buffer[self.start..self.end.min(self.start + MAGIC_BYTES)];
        let found = if self.form.any_text { Magic::of(first) } else { Magic::of_text(first) };
        found.map_or(Ok(()), |found| Err(ReadError::Format { reason: found.inside(self.form.extension) }))
    }

    /// Returns the text that is buffered but not consumed: at least `bytes`, unless the file ends before that.
    pub(crate) fn peek(&mut self, bytes: usize) -> Result<&[u8], ReadError> {
        if self.unseen {
            self.look()?;
        }
        while self.end - self.start < bytes && !self.ended {
            self.fill()?;
        }
        Ok(&self.buffer[self.start..self.end])
    }

    /// Whether nothing follows the text that [`Self::peek`] returned.
    pub(crate) fn is_all(&self) -> bool {
        self.ended
    }

    /// Consumes text that [`Self::peek`] returned.
    pub(crate) fn skip(&mut self, bytes: usize) {
        let taken = &self.buffer[self.start..self.start + bytes];
        self.lines += memchr::memchr_iter(self.form.newline, taken).count() as u64;
        self.start += bytes;
    }
}

/// Returns the name of a compression, for messages.
fn name(compression: Compression) -> &'static str {
    match compression {
        Compression::None => "plain",
        Compression::Gzip => "gzip",
        Compression::Zip => "zip",
        Compression::Zstd => "zstd",
        Compression::Bzip2 => "bzip2",
    }
}

fn read_some(reader: &mut impl Read, into: &mut [u8]) -> io::Result<usize> {
    loop {
        match reader.read(into) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            read => return read,
        }
    }
}

fn not_fetched(line: u64, byte: u64, error: &io::Error) -> ReadError {
    ReadError::Io { line, byte, kind: error.kind(), message: error.to_string() }
}

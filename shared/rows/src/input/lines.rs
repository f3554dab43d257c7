//! Lines of text out of a stream of bytes, compressed or not, through one buffer that grows to the longest line.

use std::fmt;
use std::io::{self, Read};

use contract::Compression;

use crate::input::encoding::{Charset, Decoding};
use crate::input::inflate::{CHUNK_BYTES, FIRST_CHUNK_BYTES, GROWTH, HEADROOM, Inflating};
use crate::input::magic::{MAGIC_BYTES, Magic};
use crate::read_error::ReadError;

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

pub(crate) struct Lines {
    input: Input,
    form: Form,
    /// The first bytes are still to be looked at.
    unseen: bool,
    /// Why there are no more bytes: for whoever has taken those that there are.
    failed: Option<ReadError>,
    maximum_line_bytes: usize,
    maximum_bytes: u64,
    buffer: Vec<u8>,
    /// The part of the buffer that holds text not yet given out.
    start: usize,
    end: usize,
    ended: bool,
    unended: bool,
    /// Lines given out.
    lines: u64,
    /// Inflated bytes received.
    bytes: u64,
}

/// One line without its newline.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Line<'a> {
    /// From 1.
    pub(crate) number: u64,
    pub(crate) bytes: &'a [u8],
}

/// How the text is written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Form {
    /// Ends a line. Before `\n` a `\r` is a part of the end.
    pub(crate) newline: u8,
    /// What the metadata says; `None` for UTF-8.
    pub(crate) charset: Option<Charset>,
    /// What the text should be, as an extension.
    pub(crate) extension: &'static str,
    /// Whether text in tags may be it too.
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

    /// The next line, blank ones too.
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

    /// Whether the line given out last was the file's last, and had no newline.
    pub(crate) fn is_unended(&self) -> bool {
        self.unended
    }

    /// Lines given out so far.
    pub(crate) fn lines(&self) -> u64 {
        self.lines
    }

    /// Inflated bytes of the lines given out so far.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes - (self.end - self.start) as u64
    }

    fn too_long(&self) -> ReadError {
        ReadError::LineTooLong { line: self.lines + 1, byte: self.bytes(), limit: self.maximum_line_bytes }
    }

    /// Puts an inflated chunk after what is pending, and tells how much text it has.
    fn append(&mut self, mut chunk: Vec<u8>) -> usize {
        let (pending, length) = (self.end - self.start, chunk.len() - HEADROOM);
        if pending <= HEADROOM {
            // the little that is pending is moved, not the chunk
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

    /// Adds a chunk after what is pending.
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

    /// Looks whether what comes first is text at all.
    fn look(&mut self) -> Result<(), ReadError> {
        while self.end - self.start < MAGIC_BYTES && !self.ended && self.failed.is_none() {
            self.failed = self.fill().err();
        }
        self.unseen = false;
        let first = &self.buffer[self.start..self.end.min(self.start + MAGIC_BYTES)];
        let found = if self.form.any_text { Magic::of(first) } else { Magic::of_text(first) };
        found.map_or(Ok(()), |found| Err(ReadError::Format { reason: found.inside(self.form.extension) }))
    }

    /// The text that is there and not given out, at least so much of it as is asked for, or all that there is.
    pub(crate) fn peek(&mut self, bytes: usize) -> Result<&[u8], ReadError> {
        if self.unseen {
            self.look()?;
        }
        while self.end - self.start < bytes && !self.ended {
            self.fill()?;
        }
        Ok(&self.buffer[self.start..self.end])
    }

    /// Whether nothing comes after what [`Self::peek`] gives.
    pub(crate) fn is_all(&self) -> bool {
        self.ended
    }

    /// Takes what was looked at.
    pub(crate) fn skip(&mut self, bytes: usize) {
        let taken = &self.buffer[self.start..self.start + bytes];
        self.lines += memchr::memchr_iter(self.form.newline, taken).count() as u64;
        self.start += bytes;
    }
}

/// The name of a compression that is one.
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

fn damage(error: &io::Error, format: &str, byte: u64) -> String {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => {
            format!("the {format} stream does not come to its end: the file is cut off or damaged")
        }
        io::ErrorKind::InvalidInput if error.to_string() == "invalid gzip header" && byte > 0 => {
            "something that is not gzip follows the end of the gzip stream".into()
        }
        io::ErrorKind::FileTooLarge => error.to_string(),
        _ => format!("the {format} stream is damaged: {error}"),
    }
}

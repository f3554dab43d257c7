//! Lines of text out of a stream of bytes, compressed or not, through one buffer that grows to the longest line.

use std::io::{self, BufReader, Read};

use contract::Compression;
use flate2::bufread::MultiGzDecoder;

use crate::ReadError;

/// Bytes that are fetched, and inflated, at once.
const CHUNK_BYTES: usize = 256 << 10;
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

#[derive(Debug)]
pub(crate) struct Lines<R> {
    input: Input<R>,
    maximum_line_bytes: usize,
    maximum_bytes: u64,
    buffer: Vec<u8>,
    /// The part of the buffer that holds text not yet given out.
    start: usize,
    end: usize,
    ended: bool,
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

#[derive(Debug)]
enum Input<R> {
    Plain(Source<R>),
    Gzip(Box<MultiGzDecoder<BufReader<Source<R>>>>),
}

/// Remembers whether it was the source that failed: a decoder's errors look the same.
#[derive(Debug)]
struct Source<R> {
    reader: R,
    failed: bool,
}

impl<R: Read> Lines<R> {
    pub(crate) fn new(reader: R, compression: Compression, maximum_line_bytes: usize, maximum_bytes: u64) -> Self {
        let source = Source { reader, failed: false };
        let input = match compression {
            Compression::None => Input::Plain(source),
            Compression::Gzip => {
                Input::Gzip(Box::new(MultiGzDecoder::new(BufReader::with_capacity(CHUNK_BYTES, source))))
            }
        };
        Self {
            input,
            maximum_line_bytes,
            maximum_bytes,
            buffer: Vec::new(),
            start: 0,
            end: 0,
            ended: false,
            lines: 0,
            bytes: 0,
        }
    }

    /// The next line, blank ones too.
    pub(crate) fn next(&mut self) -> Result<Option<Line<'_>>, ReadError> {
        let mut searched = self.start;
        let (from, to) = loop {
            if let Some(newline) = memchr::memchr(b'\n', &self.buffer[searched..self.end]) {
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

    /// Moves what is pending to the front, so that `start` is 0 afterwards, and adds a chunk after it.
    fn fill(&mut self) -> Result<(), ReadError> {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        if self.buffer.len() < self.end + CHUNK_BYTES {
            self.buffer.resize(self.end + CHUNK_BYTES, 0);
        }
        match self.input.read(&mut self.buffer[self.end..]) {
            Ok(0) => self.ended = true,
            Ok(n) => {
                self.end += n;
                self.bytes += n as u64;
            }
            Err(error) => return Err(self.failure(&error)),
        }
        if self.bytes > self.maximum_bytes {
            return Err(ReadError::TooLarge { line: self.lines + 1, limit: self.maximum_bytes });
        }
        Ok(())
    }

    fn failure(&self, error: &io::Error) -> ReadError {
        let (line, byte) = (self.lines + 1, self.bytes);
        let gzip = match &self.input {
            Input::Plain(_) => None,
            Input::Gzip(decoder) => Some(decoder.get_ref().get_ref()),
        };
        match gzip {
            Some(source) if !source.failed => {
                let reason = match error.kind() {
                    io::ErrorKind::UnexpectedEof => {
                        "the gzip stream does not come to its end: the file is cut off or damaged".into()
                    }
                    io::ErrorKind::InvalidInput if error.to_string() == "invalid gzip header" && byte > 0 => {
                        "something that is not gzip follows the end of the gzip stream".into()
                    }
                    _ => format!("the gzip stream is damaged: {error}"),
                };
                ReadError::Gzip { line, byte, reason }
            }
            _ => ReadError::Io { line, byte, kind: error.kind(), message: error.to_string() },
        }
    }
}

impl<R: Read> Input<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = match self {
                Self::Plain(source) => source.read(into),
                Self::Gzip(decoder) => decoder.read(into),
            };
            match read {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => return read,
            }
        }
    }
}

impl<R: Read> Read for Source<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(into);
        self.failed |= read.as_ref().is_err_and(|error| error.kind() != io::ErrorKind::Interrupted);
        read
    }
}

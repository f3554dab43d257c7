//! Where the bytes of a file come from: one after the other, or any piece of them.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

use crate::inflate::CHUNK_BYTES;

/// The bytes of a file.
pub enum Input {
    /// From the first to the last. Enough for text.
    Stream(Box<dyn Read + Send>),
    /// Any piece of them: what Parquet needs, whose description comes last. Text is read from these in order.
    Ranges(Ranges),
}

/// Random access to the bytes of a file.
#[derive(Clone)]
pub struct Ranges {
    length: u64,
    fetch: Arc<Fetch>,
}

type Fetch = dyn Fn(u64, usize) -> io::Result<Bytes> + Send + Sync;

impl Ranges {
    /// `fetch` is asked for an offset and a length that lie within the file, and blocks until it has all of them.
    pub fn new(length: u64, fetch: impl Fn(u64, usize) -> io::Result<Bytes> + Send + Sync + 'static) -> Self {
        Self { length, fetch: Arc::new(fetch) }
    }

    /// The bytes of a local file.
    pub fn file(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        Ok(Self::new(length, move |offset, length| {
            use std::os::unix::fs::FileExt;
            let mut bytes = vec![0; length];
            file.read_exact_at(&mut bytes, offset)?;
            Ok(bytes.into())
        }))
    }

    /// The size of the file.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Exactly the bytes asked for, which lie within the file.
    pub(crate) fn get(&self, offset: u64, length: usize) -> io::Result<Bytes> {
        if length == 0 {
            return Ok(Bytes::new());
        }
        if offset.checked_add(length as u64).is_none_or(|end| end > self.length) {
            let what = format!("{length} bytes at {offset} of a file of {}", self.length);
            return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
        }
        let bytes = (self.fetch)(offset, length)?;
        if bytes.len() != length {
            let what = format!("{} bytes came of the {length} at {offset}", bytes.len());
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, what));
        }
        Ok(bytes)
    }
}

impl From<Bytes> for Ranges {
    fn from(bytes: Bytes) -> Self {
        Self::new(bytes.len() as u64, move |offset, length| {
            let offset = usize::try_from(offset).map_err(io::Error::other)?;
            Ok(bytes.slice(offset..offset + length))
        })
    }
}

impl<R: Read + Send + 'static> From<R> for Input {
    fn from(reader: R) -> Self {
        Self::Stream(Box::new(reader))
    }
}

impl From<Ranges> for Input {
    fn from(ranges: Ranges) -> Self {
        Self::Ranges(ranges)
    }
}

impl Input {
    /// The bytes in order.
    pub(crate) fn into_reader(self) -> Box<dyn Read + Send> {
        match self {
            Self::Stream(reader) => reader,
            Self::Ranges(ranges) => Box::new(InOrder { ranges, at: 0, chunk: Bytes::new() }),
        }
    }
}

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stream(_) => f.write_str("Stream"),
            Self::Ranges(ranges) => ranges.fmt(f),
        }
    }
}

impl fmt::Debug for Ranges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ranges").field("length", &self.length).finish_non_exhaustive()
    }
}

/// Ranges read from the first byte to the last, some chunks at a time: a request has its price.
struct InOrder {
    ranges: Ranges,
    at: u64,
    chunk: Bytes,
}

const CHUNKS_AT_ONCE: usize = 32;

impl Read for InOrder {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.chunk.is_empty() {
            let rest = self.ranges.length() - self.at;
            let length = usize::try_from(rest).unwrap_or(usize::MAX).min(CHUNKS_AT_ONCE * CHUNK_BYTES);
            self.chunk = self.ranges.get(self.at, length)?;
            self.at += length as u64;
        }
        let length = into.len().min(self.chunk.len());
        into[..length].copy_from_slice(&self.chunk.split_to(length));
        Ok(length)
    }
}

//! The source of a file's bytes: in sequence, or by random access.

use std::collections::HashMap;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::{Arc, Mutex};

use bytes::{Bytes, BytesMut};

use crate::input::inflate::CHUNK_BYTES;

/// The bytes of a file.
pub enum Input {
    /// From the first to the last, which is enough for text.
    Stream(Box<dyn Read + Send>),
    /// By random access, which Parquet needs because its footer comes last. Text is read from them in sequence.
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
    /// Wraps a file of `length` bytes. `fetch` receives an offset and a length that lie within the file, and blocks
    /// until it has all of the bytes.
    pub fn new(length: u64, fetch: impl Fn(u64, usize) -> io::Result<Bytes> + Send + Sync + 'static) -> Self {
        Self { length, fetch: Arc::new(fetch) }
    }

    /// Opens a local file.
    ///
    /// # Errors
    /// If the file cannot be opened.
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

    /// Returns the size of the file in bytes.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Returns exactly the bytes asked for.
    ///
    /// # Errors
    /// If the bytes cannot be fetched, or do not lie within the file.
    pub fn get(&self, offset: u64, length: usize) -> io::Result<Bytes> {
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

impl From<Vec<u8>> for Ranges {
    fn from(bytes: Vec<u8>) -> Self {
        Self::from(Bytes::from(bytes))
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
    /// Returns a reader of the bytes in sequence.
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

/// Reads ranges from the first byte to the last, several chunks per request because each request has a cost.
struct InOrder {
    ranges: Ranges,
    at: u64,
    chunk: Bytes,
}

const CHUNKS_AT_ONCE: usize = 16;

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

/// The pieces of a file that were used last, as aligned blocks. Neighbouring small reads share one request.
#[derive(Debug)]
pub(crate) struct Blocks {
    ranges: Ranges,
    block_bytes: usize,
    most: usize,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    blocks: HashMap<u64, (Bytes, u64)>,
    clock: u64,
}

/// The most bytes of all blocks together.
const HELD_BYTES: usize = 64 << 20;
const SMALLEST_BLOCK_BYTES: usize = 64 << 10;
const LARGEST_BLOCK_BYTES: usize = 1 << 20;

impl Blocks {
    /// `places` is the number of places in the file that are read side by side.
    pub(crate) fn new(ranges: Ranges, places: usize) -> Self {
        let block_bytes = (HELD_BYTES / (places + 8)).clamp(SMALLEST_BLOCK_BYTES, LARGEST_BLOCK_BYTES);
        Self { ranges, block_bytes, most: HELD_BYTES / block_bytes, held: Mutex::default() }
    }

    pub(crate) fn length(&self) -> u64 {
        self.ranges.length()
    }

    /// Returns exactly the bytes asked for.
    pub(crate) fn get(&self, offset: u64, length: usize) -> io::Result<Bytes> {
        let size = self.block_bytes as u64;
        let end = offset.checked_add(length as u64).filter(|end| *end <= self.length());
        let Some(end) = end else { return self.ranges.get(offset, length) };
        let first = offset / size;
        let inside = (offset - first * size) as usize;
        if end <= (first + 1) * size {
            return Ok(self.block(first)?.slice(inside..inside + length));
        }
        if length > 2 * self.block_bytes {
            // too large to be worth a second copy
            return self.ranges.get(offset, length);
        }
        let mut bytes = BytesMut::with_capacity(length);
        let mut at = offset;
        while at < end {
            let n = at / size;
            let block = self.block(n)?;
            let from = (at - n * size) as usize;
            let to = block.len().min(from + (end - at) as usize);
            bytes.extend_from_slice(&block[from..to]);
            at = n * size + to as u64;
        }
        Ok(bytes.freeze())
    }

    fn block(&self, n: u64) -> io::Result<Bytes> {
        let mut held = self.held.lock().map_err(|_| io::Error::other("a reader of the same file has panicked"))?;
        held.clock += 1;
        let clock = held.clock;
        if let Some((bytes, used)) = held.blocks.get_mut(&n) {
            *used = clock;
            return Ok(bytes.clone());
        }
        let start = n * self.block_bytes as u64;
        let length = (self.length() - start).min(self.block_bytes as u64) as usize;
        let bytes = self.ranges.get(start, length)?;
        if held.blocks.len() >= self.most {
            let oldest = held.blocks.iter().min_by_key(|(_, (_, used))| *used).map(|(n, _)| *n);
            oldest.and_then(|oldest| held.blocks.remove(&oldest));
        }
        held.blocks.insert(n, (bytes.clone(), clock));
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_give_what_is_there_and_fetch_it_once() {
        let bytes: Vec<u8> = (0..3_000_001_u32).map(|n| (n % 251) as u8).collect();
        let (whole, fetched) = (Bytes::from(bytes), Arc::new(Mutex::new(0)));
        let (from, counted) = (whole.clone(), Arc::clone(&fetched));
        let ranges = Ranges::new(whole.len() as u64, move |offset, length| {
            *counted.lock().unwrap() += length;
            Ok(from.slice(offset as usize..offset as usize + length))
        });
        let blocks = Blocks::new(ranges, 1);
        let block = LARGEST_BLOCK_BYTES as u64;
        for (offset, length) in
            [(0, 1), (5, 10), (block - 1, 2), (2 * block - 1, 1), (2 * block - 7, 99), (3_000_000, 1), (100, 0)]
        {
            let got = blocks.get(offset, length).unwrap();
            assert_eq!(got, whole.slice(offset as usize..offset as usize + length), "{offset}");
        }
        assert_eq!(*fetched.lock().unwrap(), whole.len());
        assert_eq!(blocks.get(1, 2_999_999).unwrap(), whole.slice(1..3_000_000));
        for (offset, length) in [(3_000_001, 1), (0, 3_000_002), (u64::MAX, 1), (u64::MAX, usize::MAX)] {
            assert!(blocks.get(offset, length).is_err(), "{offset}");
        }
    }

    #[test]
    fn blocks_are_held_up_to_a_bound() {
        let ranges = Ranges::new(1 << 40, |_, length| Ok(vec![0; length].into()));
        let blocks = Blocks::new(ranges, 10_000);
        for n in 0..3_000 {
            blocks.get(n << 20, 1).unwrap();
        }
        let held = blocks.held.lock().unwrap();
        assert_eq!(held.blocks.values().map(|(bytes, _)| bytes.len()).sum::<usize>(), HELD_BYTES);
    }

    #[test]
    fn text_is_read_from_ranges_in_order() {
        let bytes: Bytes = (0..9_000_000_u32).map(|n| (n % 253) as u8).collect::<Vec<_>>().into();
        let mut read = Vec::new();
        Input::from(Ranges::from(bytes.clone())).into_reader().read_to_end(&mut read).unwrap();
        assert_eq!(read, bytes);
        let short = Ranges::new(9, |_, length| Ok(vec![0; length - 1].into()));
        let error = Input::from(short).into_reader().read_to_end(&mut read).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }
}

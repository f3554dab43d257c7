//! Uniqueness: finds values that occur more than once in a file, in bounded memory for any file.
//!
//! A value is identified by a keyed hash of 128 bits. With 10 billion rows, the probability that two different values
//! have one hash is below 1 in 10^18, and nobody can craft a file that makes it happen. The hashes are kept in memory
//! with their lines. When there are too many, they are written to a temporary file as a sorted run. The runs are merged
//! at the end.

use std::cmp::Reverse;
use std::collections::hash_map::{Entry, RandomState};
use std::collections::{BinaryHeap, HashMap};
use std::fs::File;
use std::hash::{BuildHasher, BuildHasherDefault, Hash, Hasher};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::FileExt;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
};
use siphasher::sip128::{Hasher128, SipHasher13};

use crate::bounds::bits;
use crate::report::Example;

/// The most hashes in memory for all rules of a table together: 16 MiB, including the copy that is sorted before it is
/// written.
pub(crate) const MAXIMUM_HASHES: usize = 1 << 18;
/// Runs are read back in pieces, which together hold this many hashes.
const MERGED_HASHES: usize = 1 << 18;

/// Computes the hashes of one file with its own keys.
#[derive(Clone, Debug)]
pub(crate) struct Keyed {
    keys: (u64, u64),
}

/// A value's hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Digest(u64, u64);

/// The distinct values that one rule has seen.
#[derive(Debug)]
pub(crate) struct Distinct {
    /// The first line of each value since the last run was written.
    seen: HashMap<Digest, u64, BuildHasherDefault<Itself>>,
    limit: usize,
    runs: Option<Runs>,
    repeats: Repeats,
}

/// The rows that repeat an earlier value.
#[derive(Debug)]
struct Repeats {
    count: u64,
    most: usize,
    /// The first of those that were found while reading.
    examples: Vec<(Digest, Example)>,
}

/// Sorted runs, one after the other in an unnamed file.
#[derive(Debug)]
struct Runs {
    file: File,
    /// The number of hashes in each run.
    lengths: Vec<usize>,
}

impl Keyed {
    /// Draws random keys.
    pub(crate) fn new() -> Self {
        let key = || RandomState::new().build_hasher().finish();
        Self { keys: (key(), key()) }
    }

    /// Calls `row` with the hash of each row that has a value in all of the columns.
    pub(crate) fn each(
        &self,
        columns: &[ArrayRef],
        mut row: impl FnMut(usize, Digest) -> io::Result<()>,
    ) -> io::Result<()> {
        let feeders: Vec<_> = columns.iter().map(feeder).collect();
        let rows = columns.first().map_or(0, arrow::array::Array::len);
        let has_nulls = columns.iter().any(|column| column.null_count() > 0);
        for n in 0..rows {
            if has_nulls && columns.iter().any(|column| column.is_null(n)) {
                continue;
            }
            let mut hasher = SipHasher13::new_with_keys(self.keys.0, self.keys.1);
            feeders.iter().for_each(|feed| feed(n, &mut hasher));
            let (one, other) = hasher.finish128().as_u64();
            row(n, Digest(one, other))?;
        }
        Ok(())
    }
}

type Feeder<'a> = Box<dyn Fn(usize, &mut SipHasher13) + 'a>;

/// Returns a function that feeds a row's value to the hasher. The bytes of a value are never the beginning of the bytes
/// of another value of the same column.
fn feeder(array: &ArrayRef) -> Feeder<'_> {
    match array.data_type() {
        DataType::Int8 => primitive::<Int8Type>(array, |value, hasher| hasher.write_i8(value)),
        DataType::Int16 => primitive::<Int16Type>(array, |value, hasher| hasher.write_i16(value)),
        DataType::Int32 => primitive::<Int32Type>(array, |value, hasher| hasher.write_i32(value)),
        DataType::Int64 => primitive::<Int64Type>(array, |value, hasher| hasher.write_i64(value)),
        DataType::Float32 => primitive::<Float32Type>(array, |value, hasher| hasher.write_u64(bits(value.into()))),
        DataType::Float64 => primitive::<Float64Type>(array, |value, hasher| hasher.write_u64(bits(value))),
        DataType::Decimal128(..) => primitive::<Decimal128Type>(array, |value, hasher| hasher.write_i128(value)),
        DataType::Date32 => primitive::<Date32Type>(array, |value, hasher| hasher.write_i32(value)),
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            primitive::<TimestampMicrosecondType>(array, |value, hasher| hasher.write_i64(value))
        }
        DataType::Timestamp(TimeUnit::Nanosecond, _) => {
            primitive::<TimestampNanosecondType>(array, |value, hasher| hasher.write_i64(value))
        }
        DataType::Timestamp(..) => {
            primitive::<TimestampMillisecondType>(array, |value, hasher| hasher.write_i64(value))
        }
        DataType::Boolean => {
            let array = array.as_boolean();
            Box::new(move |row, hasher| hasher.write_u8(array.value(row).into()))
        }
        DataType::Binary => {
            let array = array.as_binary::<i32>();
            Box::new(move |row, hasher| write(array.value(row), hasher))
        }
        // the metadata does not allow uniqueness for nested columns
        _ => {
            let array = array.as_string::<i32>();
            Box::new(move |row, hasher| write(array.value(row).as_bytes(), hasher))
        }
    }
}

fn write(bytes: &[u8], hasher: &mut SipHasher13) {
    hasher.write_u64(bytes.len() as u64);
    hasher.write(bytes);
}

fn primitive<T: ArrowPrimitiveType>(
    array: &ArrayRef,
    feed: impl Fn(T::Native, &mut SipHasher13) + 'static,
) -> Feeder<'_> {
    let values = array.as_primitive::<T>().values();
    Box::new(move |row, hasher| feed(values[row], hasher))
}

impl Distinct {
    /// Keeps at most `hashes` in memory, or a few more.
    pub(crate) fn new(hashes: usize, examples: usize) -> Self {
        Self {
            seen: HashMap::default(),
            // the load up to which the hash table does not grow
            limit: (1 << hashes.max(64).ilog2()) / 8 * 7,
            runs: None,
            repeats: Repeats { count: 0, most: examples, examples: Vec::new() },
        }
    }

    /// Takes a row's value into account. `value` returns it for an example.
    pub(crate) fn see(&mut self, digest: Digest, line: u64, value: impl FnOnce() -> Option<String>) -> io::Result<()> {
        match self.seen.entry(digest) {
            Entry::Occupied(first) => {
                self.repeats.count += 1;
                if self.repeats.examples.len() < self.repeats.most {
                    let example = Example { line, first_line: Some(*first.get()), path: None, value: value() };
                    self.repeats.examples.push((digest, example));
                }
            }
            Entry::Vacant(place) => {
                place.insert(line);
                if self.seen.len() >= self.limit {
                    self.write_run()?;
                }
            }
        }
        Ok(())
    }

    /// Returns the number of rows that repeat an earlier value, and the first of them.
    pub(crate) fn finish(mut self) -> io::Result<(u64, Vec<Example>)> {
        if self.runs.is_some() {
            self.write_run()?;
        }
        match self.runs {
            Some(runs) => runs.merge(self.repeats),
            None => Ok((self.repeats.count, self.repeats.examples.into_iter().map(|(_, example)| example).collect())),
        }
    }

    fn write_run(&mut self) -> io::Result<()> {
        let mut run: Vec<(Digest, u64)> = self.seen.drain().collect();
        run.sort_unstable();
        if self.runs.is_none() {
            self.runs = Some(Runs { file: tempfile::tempfile()?, lengths: Vec::new() });
        }
        let Some(runs) = &mut self.runs else { return Ok(()) };
        let mut file = BufWriter::with_capacity(1 << 18, &runs.file);
        for (Digest(one, other), line) in &run {
            for part in [one, other, line] {
                file.write_all(&part.to_le_bytes())?;
            }
        }
        file.flush()?;
        runs.lengths.push(run.len());
        Ok(())
    }
}

impl Runs {
    /// Merges the runs. A value that is in several runs is repeated in all but the first.
    fn merge(self, mut repeats: Repeats) -> io::Result<(u64, Vec<Example>)> {
        let piece = (MERGED_HASHES / self.lengths.len().max(1)).max(16);
        let mut start = 0;
        let mut runs: Vec<Run<'_>> = Vec::with_capacity(self.lengths.len());
        for length in &self.lengths {
            let bytes = (length * Run::HASH_BYTES) as u64;
            runs.push(Run { file: &self.file, next: start, end: start + bytes, piece, read: Vec::new(), at: 0 });
            start += bytes;
        }
        let mut heads = BinaryHeap::with_capacity(runs.len());
        for (n, run) in runs.iter_mut().enumerate() {
            heads.extend(run.next()?.map(|(digest, line)| Reverse((digest, line, n))));
        }
        // the examples with the lowest lines: the greatest of them is dropped first
        let mut later = BinaryHeap::new();
        let mut first: Option<(Digest, u64)> = None;
        while let Some(Reverse((digest, line, n))) = heads.pop() {
            heads.extend(runs[n].next()?.map(|(digest, line)| Reverse((digest, line, n))));
            match first {
                Some((same, first_line)) if same == digest => {
                    repeats.count += 1;
                    later.push((line, first_line));
                    if later.len() > repeats.most {
                        later.pop();
                    }
                }
                _ => {
                    first = Some((digest, line));
                    for (_, example) in repeats.examples.iter_mut().filter(|(known, _)| *known == digest) {
                        // until now, this was the first line within its run
                        example.first_line = Some(line);
                    }
                }
            }
        }
        let later = later.into_iter().map(|(line, first_line)| {
            // its value was not kept
            Example { line, first_line: Some(first_line), path: None, value: None }
        });
        let mut examples: Vec<Example> =
            repeats.examples.into_iter().map(|(_, example)| example).chain(later).collect();
        examples.sort_by_key(|example| example.line);
        examples.truncate(repeats.most);
        Ok((repeats.count, examples))
    }
}

/// A sorted run that is being read back.
struct Run<'a> {
    file: &'a File,
    next: u64,
    end: u64,
    /// Hashes that are read at once.
    piece: usize,
    read: Vec<u8>,
    at: usize,
}

impl Run<'_> {
    const HASH_BYTES: usize = 24;

    fn next(&mut self) -> io::Result<Option<(Digest, u64)>> {
        if self.at == self.read.len() {
            let left = usize::try_from(self.end - self.next).unwrap_or(usize::MAX);
            if left == 0 {
                return Ok(None);
            }
            self.read.resize(left.min(self.piece * Self::HASH_BYTES), 0);
            self.file.read_exact_at(&mut self.read, self.next)?;
            self.next += self.read.len() as u64;
            self.at = 0;
        }
        let mut part = || {
            let mut bytes = [0; 8];
            bytes.copy_from_slice(&self.read[self.at..self.at + 8]);
            self.at += 8;
            u64::from_le_bytes(bytes)
        };
        Ok(Some((Digest(part(), part()), part())))
    }
}

impl Hash for Digest {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0);
    }
}

/// A hasher that returns a digest's first half unchanged, as it is already a hash.
#[derive(Debug, Default)]
struct Itself(u64);

impl Hasher for Itself {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64((*byte).into());
        }
    }

    fn write_u64(&mut self, part: u64) {
        self.0 = part;
    }
}

#[cfg(test)]
mod tests;

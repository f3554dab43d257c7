//! The pages of a Parquet file as the parquet crate gets them: checked, decompressed and rewritten.
//!
//! The crate trusts what pages say about themselves. It slices by their lengths, reserves what they claim, and panics
//! on some impossible values. A landed file may say anything. So every page that the crate sees is written here: not
//! compressed, of version 1, with PLAIN values or with indices within the dictionary, with levels in range, and with
//! nothing after them. The memory that a page takes is known, and counted, before anything decodes it.

use std::io::{self, Read};
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use flate2::bufread::MultiGzDecoder;
use parquet::basic::{Compression, ConvertedType, LogicalType, Type};
use parquet::errors::ParquetError;
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::reader::{ChunkReader, Length};
use parquet::schema::types::{ColumnDescPtr, ColumnDescriptor};

use crate::input::ranges::Blocks;
use crate::parquet::packed::{self, Run};
use crate::parquet::thrift::{HeaderWriter, PageHeader, PageKind, Torn};

/// Larger pages are refused. Writers close a page at about one megabyte.
const LARGEST_PAGE_BYTES: usize = 64 << 20;
const LARGEST_HEADER_BYTES: u64 = 1 << 20;
const FIRST_HEADER_BYTES: u64 = 256;
const BROTLI_BUFFER_BYTES: usize = 4096;
/// The most bytes of the pages that one batch is made from.
const LARGEST_BATCH_BYTES: u64 = 512 << 20;
/// The most items of arrays that one batch is made from.
const MOST_BATCH_ITEMS: u64 = 32 << 20;
/// The most values of a page in a delta encoding.
const MOST_DELTAS: usize = 16 << 20;
/// A file is a decompression bomb once it has produced more than [`BOMB_BYTES`] and this many times its own size.
const BOMB_RATIO: u64 = 1000;
const BOMB_BYTES: u64 = 1 << 30;

/// The distance between column chunks in the crate's view of the file, as a power of two.
const SPACE_BITS: u32 = 40;
/// The size of a chunk in the crate's view. A page claims to take no bytes after its header, except the last, which
/// claims what is left.
const SPACE_BYTES: u64 = 1 << 30;

const PLAIN: i32 = 0;
const PLAIN_DICTIONARY: i32 = 2;
const RLE: i32 = 3;
const DELTA_BINARY_PACKED: i32 = 5;
const DELTA_LENGTH_BYTE_ARRAY: i32 = 6;
const DELTA_BYTE_ARRAY: i32 = 7;
const RLE_DICTIONARY: i32 = 8;
const BYTE_STREAM_SPLIT: i32 = 9;

/// The reason why a file cannot be read further.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The bytes could not be fetched.
    Io(io::Error),
    /// The file exceeds the reader's limit of bytes.
    TooLarge,
    /// The file is damaged or not supported.
    File(String),
}

impl Failure {
    /// Adds the name of the file's column.
    pub(crate) fn in_column(self, column: &ColumnDescriptor) -> Self {
        match self {
            Self::File(reason) => Self::File(in_column(&column.path().string()) + &reason),
            other => other,
        }
    }
}

/// Returns what precedes the reason in a message about a column.
pub(crate) fn in_column(name: &str) -> String {
    let shown: String = name.chars().take(SHOWN_CHARACTERS).collect();
    format!("column `{}`: ", contract::visible(&shown))
}

/// The most characters shown of a column's name.
const SHOWN_CHARACTERS: usize = 80;

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<&str> for Failure {
    fn from(what: &str) -> Self {
        Self::File(what.into())
    }
}

impl From<String> for Failure {
    fn from(what: String) -> Self {
        Self::File(what)
    }
}

impl From<Torn> for Failure {
    fn from(torn: Torn) -> Self {
        match torn {
            Torn::End => "it ends too early".into(),
            Torn::Bad(what) => what.into(),
        }
    }
}

/// The cost of a file so far, and why reading it failed: an error that passes through the crate loses its type.
#[derive(Debug)]
pub(crate) struct Ledger {
    file_bytes: u64,
    maximum_bytes: u64,
    /// Whether some columns are encrypted. Which ones is known only when they cannot be read.
    encrypted: bool,
    spent: Mutex<Spent>,
}

#[derive(Debug, Default)]
struct Spent {
    bytes: u64,
    batch_bytes: u64,
    batch_items: u64,
    failure: Option<Failure>,
}

impl Ledger {
    pub(crate) fn new(file_bytes: u64, maximum_bytes: u64, encrypted: bool) -> Self {
        Self { file_bytes, maximum_bytes, encrypted, spent: Mutex::default() }
    }

    /// Adds the name of the column to a failure and, if columns are encrypted, the likely cause.
    pub(crate) fn failure_of(&self, failure: Failure, column: &ColumnDescriptor) -> Failure {
        let failure = match failure {
            Failure::File(reason) if self.encrypted => {
                Failure::File(format!("it cannot be read, most likely as it is encrypted: {reason}"))
            }
            other => other,
        };
        failure.in_column(column)
    }

    fn spent(&self) -> MutexGuard<'_, Spent> {
        self.spent.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Decompressed bytes so far. A value counts as at least one.
    pub(crate) fn bytes(&self) -> u64 {
        self.spent().bytes
    }

    /// Resets the counts of a batch: the pages of the previous one are no longer held.
    pub(crate) fn start_batch(&self) {
        let mut spent = self.spent();
        (spent.batch_bytes, spent.batch_items) = (0, 0);
    }

    /// Takes the first failure, unless the crate itself found it.
    pub(crate) fn failure(&self) -> Option<Failure> {
        self.spent().failure.take()
    }

    fn fail(&self, failure: Failure) {
        self.spent().failure.get_or_insert(failure);
    }

    fn charge(&self, bytes: u64, values: usize, items: usize) -> Result<(), Failure> {
        let mut spent = self.spent();
        spent.bytes = spent.bytes.saturating_add(bytes.max(values as u64));
        spent.batch_bytes = spent.batch_bytes.saturating_add(bytes);
        spent.batch_items = spent.batch_items.saturating_add(items as u64);
        if spent.bytes > self.maximum_bytes {
            return Err(Failure::TooLarge);
        }
        if spent.bytes > BOMB_BYTES && spent.bytes / self.file_bytes.max(1) > BOMB_RATIO {
            let what = format!("the file inflates to more than {BOMB_RATIO} times its size: a decompression bomb");
            return Err(what.into());
        }
        if spent.batch_bytes > LARGEST_BATCH_BYTES || spent.batch_items > MOST_BATCH_ITEMS {
            return Err("the next few rows take more memory than there is for them: write smaller pages".into());
        }
        Ok(())
    }
}

/// A column chunk: one column of one row group.
#[derive(Debug)]
pub(crate) struct Chunk {
    column: ColumnDescPtr,
    blocks: Arc<Blocks>,
    ledger: Arc<Ledger>,
    /// `at..end` are the bytes not yet read.
    at: u64,
    end: u64,
    /// Values not yet passed on, including nulls.
    left: u64,
    compression: Compression,
    physical: Type,
    /// Bytes of a value; 0 for booleans and for byte arrays of any length.
    width: usize,
    /// The least and the greatest length of a byte array that the crate can take.
    text_bytes: (usize, usize),
    definition_levels: Levels,
    repetition_levels: Levels,
    dictionary: Option<Dictionary>,
    started: bool,
    ready: Option<Page>,
    given: Option<Given>,
    /// Bytes of the chunk's space that are in use.
    taken: u64,
}

#[derive(Clone, Copy, Debug)]
struct Levels {
    greatest: u32,
    bits: u8,
}

#[derive(Debug)]
struct Dictionary {
    values: usize,
    /// The length of each value, if they are byte arrays of any length.
    lengths: Vec<u32>,
}

/// A rewritten page.
#[derive(Debug)]
struct Page {
    data: Bytes,
    values: usize,
    /// The encoding of a data page; `None` for a dictionary, which is PLAIN.
    encoding: Option<i32>,
}

/// A page whose data the crate is about to request.
#[derive(Debug)]
struct Given {
    start: u64,
    header: Bytes,
    data: Bytes,
}

impl Levels {
    fn new(greatest: i16) -> Self {
        let greatest = u32::from(greatest.unsigned_abs());
        Self { greatest, bits: (u32::BITS - greatest.leading_zeros()) as u8 }
    }

    /// Returns the bytes that so many levels take, and how many of them are the greatest.
    fn check(self, bytes: &[u8], values: usize, first: bool) -> Result<(usize, usize), packed::Fault> {
        let (mut full, mut beyond, mut first_level) = (0, false, None);
        let used = packed::runs(bytes, self.bits, values, |run| {
            run.each(|level, count| {
                first_level.get_or_insert(level);
                beyond |= level > self.greatest;
                full += if level == self.greatest { count } else { 0 };
            });
        })?;
        if beyond {
            return Err("a level beyond the greatest of the column");
        }
        if first && first_level.is_some_and(|level| level > 0) {
            return Err("a row that begins in the middle");
        }
        Ok((used, full))
    }
}

impl Chunk {
    pub(crate) fn new(
        metadata: &ColumnChunkMetaData,
        blocks: &Arc<Blocks>,
        ledger: &Arc<Ledger>,
    ) -> Result<Self, Failure> {
        let negative = |_| Failure::from("a column chunk with a negative place or size");
        let data = metadata.data_page_offset();
        // some writers store 0 if there is no dictionary
        let start = metadata.dictionary_page_offset().filter(|place| *place > 0 && *place < data).unwrap_or(data);
        let start = u64::try_from(start).map_err(negative)?;
        let bytes = u64::try_from(metadata.compressed_size()).map_err(negative)?;
        let left = u64::try_from(metadata.num_values()).map_err(negative)?;
        let end = start.checked_add(bytes).filter(|end| *end <= blocks.length());
        let end = end.ok_or("a column chunk that reaches beyond the end of the file")?;
        if metadata.file_path().is_some() {
            return Err("a column chunk in another file".into());
        }
        let column = metadata.column_descr();
        let decimal = matches!(column.logical_type_ref(), Some(LogicalType::Decimal(..)))
            || column.converted_type() == ConvertedType::DECIMAL;
        let width = match metadata.column_type() {
            Type::INT32 | Type::FLOAT => 4,
            Type::INT64 | Type::DOUBLE => 8,
            Type::INT96 => 12,
            Type::FIXED_LEN_BYTE_ARRAY => usize::try_from(column.type_length()).map_err(|_| "a negative length")?,
            Type::BOOLEAN | Type::BYTE_ARRAY => 0,
        };
        Ok(Self {
            column: metadata.column_descr_ptr(),
            blocks: Arc::clone(blocks),
            ledger: Arc::clone(ledger),
            at: start,
            end,
            left,
            compression: metadata.compression(),
            physical: metadata.column_type(),
            width,
            text_bytes: match decimal {
                true if column.type_precision() > 38 => (1, 32),
                true => (1, 16),
                false => (0, LARGEST_PAGE_BYTES),
            },
            definition_levels: Levels::new(column.max_def_level()),
            repetition_levels: Levels::new(column.max_rep_level()),
            dictionary: None,
            started: false,
            ready: None,
            given: None,
            taken: 0,
        })
    }

    /// Returns the place and the size of the chunk in the crate's view.
    pub(crate) fn space(&self, leaf: usize) -> (u64, u64) {
        ((leaf as u64) << SPACE_BITS, if self.left == 0 { 0 } else { SPACE_BYTES })
    }

    /// Returns the length of the longest text in the dictionary, which every row may have.
    pub(crate) fn longest_text(&mut self) -> Result<usize, Failure> {
        if self.ready.is_none() && self.left > 0 {
            self.ready = Some(self.read_page()?);
        }
        let lengths = self.dictionary.iter().flat_map(|dictionary| &dictionary.lengths);
        Ok(lengths.max().map_or(0, |longest| *longest as usize))
    }

    /// Returns the header of the page at `start` in the chunk's space, or nothing if the page's data is there.
    fn header_at(&mut self, start: u64) -> Result<Bytes, Failure> {
        if let Some(given) = &self.given {
            return Ok(if start == given.start { given.header.clone() } else { Bytes::new() });
        }
        let page = match self.ready.take() {
            Some(page) => page,
            None if self.left == 0 => return Err("a column chunk has no more pages".into()),
            None => self.read_page()?,
        };
        if page.encoding.is_some() {
            self.left -= page.values as u64;
        }
        let space = SPACE_BYTES - self.taken;
        let header = match self.left {
            0 => (0..8).find_map(|more| {
                let rest = u32::try_from(space.checked_sub(page.header(0).len() as u64 + more)?).ok()?;
                let header = page.header(rest);
                (header.len() as u64 + u64::from(rest) == space).then_some(header)
            }),
            _ => Some(page.header(0)).filter(|header| header.len() as u64 + 100 < space),
        };
        let header = Bytes::from(header.ok_or("a column chunk of too many pages")?);
        self.taken += header.len() as u64;
        self.given = Some(Given { start, header: header.clone(), data: page.data });
        Ok(header)
    }

    /// Reads the next page that has a dictionary or values.
    fn read_page(&mut self) -> Result<Page, Failure> {
        loop {
            let header = self.read_header()?;
            let body = self.at + header.bytes as u64;
            if header.compressed as u64 > self.end - body {
                return Err("a page that reaches beyond its column chunk".into());
            }
            if header.uncompressed > LARGEST_PAGE_BYTES || header.compressed > LARGEST_PAGE_BYTES {
                return Err(too_large());
            }
            self.at = body + header.compressed as u64;
            let values = match header.kind {
                PageKind::Other => continue,
                PageKind::Dictionary { values, .. } => values,
                PageKind::Data { values, .. } | PageKind::DataV2 { values, .. } if values as u64 <= self.left => values,
                _ => return Err("a page with more values than its column chunk".into()),
            };
            if values == 0 && !matches!(header.kind, PageKind::Dictionary { .. }) {
                continue;
            }
            let items = if self.repetition_levels.greatest > 0 { values } else { 0 };
            self.ledger.charge(header.uncompressed as u64, values, items)?;
            let body = self.blocks.get(body, header.compressed)?;
            if header.checksum.is_some_and(|checksum| checksum != crc32(&body)) {
                return Err("a page whose checksum does not match its bytes: the file is damaged".into());
            }
            return self.page(header, &body);
        }
    }

    fn read_header(&self) -> Result<PageHeader, Failure> {
        let mut length = FIRST_HEADER_BYTES;
        loop {
            let there = self.end - self.at;
            if there == 0 {
                return Err("a column chunk that ends before its values".into());
            }
            let bytes = self.blocks.get(self.at, length.min(there) as usize)?;
            match PageHeader::read(&bytes) {
                Err(Torn::End) if length < there && length < LARGEST_HEADER_BYTES => length *= 16,
                Err(Torn::End) => return Err("a page header that does not end".into()),
                read => return Ok(read?),
            }
        }
    }

    fn page(&mut self, header: PageHeader, body: &Bytes) -> Result<Page, Failure> {
        match header.kind {
            PageKind::Dictionary { values, encoding } => {
                if self.dictionary.is_some() || self.started {
                    return Err("a dictionary that is not at the start of its column chunk".into());
                }
                if !matches!(encoding, PLAIN | PLAIN_DICTIONARY) || self.physical == Type::BOOLEAN {
                    return Err("a dictionary in an encoding that no dictionary has".into());
                }
                let data = self.inflate(body, header.uncompressed)?;
                let mut lengths = Vec::new();
                let used = self.check_plain(&data, values, |length| lengths.push(length))?;
                self.dictionary = Some(Dictionary { values, lengths });
                Ok(Page { data: data.slice(..used), values, encoding: None })
            }
            PageKind::Data { values, encoding, definition_encoding, repetition_encoding } => {
                let data = self.inflate(body, header.uncompressed)?;
                let mut at = 0;
                let mut level = |levels: Levels, encoding: i32| -> Result<Bytes, Failure> {
                    if levels.greatest == 0 {
                        return Ok(Bytes::new());
                    }
                    if encoding != RLE {
                        return Err("levels in an encoding that is not supported: expected RLE".into());
                    }
                    let (bytes, end) = prefixed(&data, at)?;
                    at = end;
                    Ok(bytes)
                };
                let repetition = level(self.repetition_levels, repetition_encoding)?;
                let definition = level(self.definition_levels, definition_encoding)?;
                self.data_page(values, encoding, &repetition, &definition, &data.slice(at..))
            }
            PageKind::DataV2 { values, encoding, definition_bytes, repetition_bytes, compressed } => {
                let levels = definition_bytes.saturating_add(repetition_bytes);
                if levels > body.len() || levels > header.uncompressed {
                    return Err("a page with levels that are longer than it is".into());
                }
                let rest = body.slice(levels..);
                let size = header.uncompressed - levels;
                let rest = if compressed { self.inflate(&rest, size)? } else { rest };
                let repetition = body.slice(..repetition_bytes);
                self.data_page(values, encoding, &repetition, &body.slice(repetition_bytes..levels), &rest)
            }
            PageKind::Other => Err("a page that is none".into()),
        }
    }

    fn data_page(
        &mut self,
        values: usize,
        encoding: i32,
        repetition: &[u8],
        definition: &[u8],
        data: &Bytes,
    ) -> Result<Page, Failure> {
        let first = !std::mem::replace(&mut self.started, true);
        let mut levels = Vec::new();
        let mut there = values;
        if self.repetition_levels.greatest > 0 {
            let (used, _) = self.repetition_levels.check(repetition, values, first)?;
            push_prefixed(&mut levels, &repetition[..used]);
        }
        if self.definition_levels.greatest > 0 {
            let (used, full) = self.definition_levels.check(definition, values, false)?;
            push_prefixed(&mut levels, &definition[..used]);
            there = full;
        }
        let (encoding, data) = self.values(encoding, data, there)?;
        let data = if levels.is_empty() { data } else { [&levels, &data[..]].concat().into() };
        Ok(Page { data, values, encoding: Some(encoding) })
    }

    /// Returns the values of a data page, as PLAIN or as indices of the dictionary.
    fn values(&self, encoding: i32, data: &Bytes, count: usize) -> Result<(i32, Bytes), Failure> {
        if count == 0 {
            return Ok((PLAIN, Bytes::new()));
        }
        let plain = match (encoding, self.physical) {
            (PLAIN, _) => data.slice(..self.check_plain(data, count, |_| ())?),
            (PLAIN_DICTIONARY | RLE_DICTIONARY, _) => {
                return Ok((RLE_DICTIONARY, data.slice(..self.check_indices(data, count)?)));
            }
            (RLE, Type::BOOLEAN) => {
                let (data, _) = prefixed(data, 0)?;
                let mut bits = vec![0_u8; count.div_ceil(8)];
                let mut at = 0;
                packed::runs(&data, 1, count, |run: Run<'_>| {
                    run.each(|value, count| {
                        for n in at..at + count {
                            bits[n / 8] |= (value as u8 & 1) << (n % 8);
                        }
                        at += count;
                    });
                })?;
                bits.into()
            }
            (DELTA_BINARY_PACKED | DELTA_LENGTH_BYTE_ARRAY | DELTA_BYTE_ARRAY, _) if count > MOST_DELTAS => {
                return Err("a page of too many values in a delta encoding".into());
            }
            (DELTA_BINARY_PACKED, Type::INT32) => {
                packed::deltas(data, count)?.0.iter().flat_map(|value| (*value as i32).to_le_bytes()).collect()
            }
            (DELTA_BINARY_PACKED, Type::INT64) => {
                packed::deltas(data, count)?.0.iter().flat_map(|value| value.to_le_bytes()).collect()
            }
            (DELTA_LENGTH_BYTE_ARRAY, Type::BYTE_ARRAY) => {
                let (lengths, used) = packed::deltas(data, count)?;
                self.undo_deltas(&[], &lengths, &data[used..])?
            }
            (DELTA_BYTE_ARRAY, Type::BYTE_ARRAY | Type::FIXED_LEN_BYTE_ARRAY) => {
                let (prefixes, used) = packed::deltas(data, count)?;
                let (lengths, more) = packed::deltas(&data[used..], count)?;
                self.undo_deltas(&prefixes, &lengths, &data[used + more..])?
            }
            (BYTE_STREAM_SPLIT, _) if self.width > 0 => {
                if count.checked_mul(self.width) != Some(data.len()) {
                    return Err("a page with more or fewer bytes than its values take".into());
                }
                (0..count).flat_map(|n| (0..self.width).map(move |byte| data[byte * count + n])).collect()
            }
            (4..=9, _) => return Err(format!("encoding {encoding} of values of the type {}", self.physical).into()),
            _ => return Err(format!("encoding {encoding} of values is not supported").into()),
        };
        if encoding != PLAIN {
            self.check_plain(&plain, count, |_| ())?;
        }
        Ok((PLAIN, plain))
    }

    /// Converts delta encodings to PLAIN. Each value is a prefix of the previous one, if there are prefixes, and the
    /// bytes that follow it.
    fn undo_deltas(&self, prefixes: &[i64], lengths: &[i64], data: &[u8]) -> Result<Bytes, Failure> {
        const WRONG: &str = "a page of texts with lengths that cannot be";
        let size = |number: i64| usize::try_from(number).ok().filter(|size| *size <= LARGEST_PAGE_BYTES);
        let mut plain: Vec<u8> = Vec::new();
        let (mut rest, mut last) = (data, 0..0);
        for (n, length) in lengths.iter().enumerate() {
            let prefix = size(prefixes.get(n).copied().unwrap_or_default()).ok_or(WRONG)?;
            let (suffix, after) = size(*length).and_then(|length| rest.split_at_checked(length)).ok_or(WRONG)?;
            rest = after;
            if prefix > last.len() {
                return Err(WRONG.into());
            }
            if plain.len() + 4 + prefix + suffix.len() > LARGEST_PAGE_BYTES {
                return Err(too_large());
            }
            if self.width == 0 {
                plain.extend_from_slice(&((prefix + suffix.len()) as u32).to_le_bytes());
            }
            let start = plain.len();
            plain.extend_from_within(last.start..last.start + prefix);
            plain.extend_from_slice(suffix);
            last = start..plain.len();
            if self.width > 0 && last.len() != self.width {
                return Err(WRONG.into());
            }
        }
        Ok(plain.into())
    }

    /// Returns the bytes that `count` PLAIN values take, and passes the length of each byte array to `length`.
    fn check_plain(&self, data: &[u8], count: usize, mut length: impl FnMut(u32)) -> Result<usize, Failure> {
        const CUT_OFF: &str = "a page ends before its values";
        let used = match self.physical {
            Type::BOOLEAN => count.div_ceil(8),
            Type::BYTE_ARRAY => {
                let mut at = 0;
                for _ in 0..count {
                    let bytes = *data.get(at..).and_then(<[u8]>::first_chunk::<4>).ok_or(CUT_OFF)?;
                    let bytes = u32::from_le_bytes(bytes);
                    let (least, most) = self.text_bytes;
                    if !(least..=most).contains(&(bytes as usize)) {
                        return Err("a value of a length that its type does not have".into());
                    }
                    at += 4 + bytes as usize;
                    if at > data.len() {
                        return Err(CUT_OFF.into());
                    }
                    length(bytes);
                }
                at
            }
            _ => count.checked_mul(self.width).ok_or(CUT_OFF)?,
        };
        if used <= data.len() { Ok(used) } else { Err(CUT_OFF.into()) }
    }

    /// Returns the bytes that `count` indices take.
    fn check_indices(&self, data: &[u8], count: usize) -> Result<usize, Failure> {
        let dictionary = self.dictionary.as_ref().ok_or("a page of indices without a dictionary")?;
        let (width, indices) = data.split_first().ok_or("a page ends before its values")?;
        let repeated = self.repetition_levels.greatest > 0;
        let (mut greatest, mut text_bytes) = (0, 0_u64);
        let used = packed::runs(indices, *width, count, |run| {
            run.each(|index, count| {
                greatest = greatest.max(index);
                // in a repeated column, a batch may take all of the page's values
                if repeated && let Some(length) = dictionary.lengths.get(index as usize) {
                    text_bytes = text_bytes.saturating_add(u64::from(*length).saturating_mul(count as u64));
                }
            });
        })?;
        if greatest as usize >= dictionary.values {
            return Err("an index beyond the end of the dictionary".into());
        }
        self.ledger.charge(text_bytes, 0, 0)?;
        Ok(used + 1)
    }

    fn inflate(&self, packed: &Bytes, size: usize) -> Result<Bytes, Failure> {
        let damaged = |what: String| Failure::from(format!("a page cannot be inflated: {what}"));
        let other_size = || damaged("its size differs from the declared one".into());
        let inflated = match self.compression {
            Compression::UNCOMPRESSED => packed.clone(),
            _ if size == 0 => Bytes::new(),
            Compression::SNAPPY => {
                if snap::raw::decompress_len(packed).ok() != Some(size) {
                    return Err(other_size());
                }
                snap::raw::Decoder::new().decompress_vec(packed).map_err(|error| damaged(error.to_string()))?.into()
            }
            Compression::GZIP(_) => {
                let mut bytes = Vec::new();
                let mut inflating = MultiGzDecoder::new(&packed[..]).take(size as u64 + 1);
                inflating.read_to_end(&mut bytes).map_err(|error| damaged(error.to_string()))?;
                bytes.into()
            }
            Compression::ZSTD(_) => {
                zstd::bulk::decompress(packed, size).map_err(|error| damaged(error.to_string()))?.into()
            }
            Compression::BROTLI(_) => {
                let mut bytes = Vec::new();
                let inflating = brotli_decompressor::Decompressor::new(&packed[..], BROTLI_BUFFER_BYTES);
                inflating.take(size as u64 + 1).read_to_end(&mut bytes).map_err(|error| damaged(error.to_string()))?;
                bytes.into()
            }
            Compression::LZ4_RAW => lz4_block(packed, size).ok_or_else(|| damaged("LZ4".into()))?.into(),
            Compression::LZ4 => lz4_frames(packed, size)
                .or_else(|| lz4_block(packed, size))
                .ok_or_else(|| damaged("LZ4".into()))?
                .into(),
            other => {
                let name = other.to_string();
                let name = name.split('(').next().unwrap_or_default();
                let supported = "UNCOMPRESSED, SNAPPY, GZIP, BROTLI, ZSTD, LZ4 and LZ4_RAW";
                return Err(format!("compression {name} is not supported; supported are {supported}").into());
            }
        };
        if inflated.len() == size { Ok(inflated) } else { Err(other_size()) }
    }
}

impl Page {
    /// Returns its header for the crate, with the size that the crate is to skip.
    fn header(&self, compressed: u32) -> Vec<u8> {
        let mut header = HeaderWriter::new();
        let kind = if self.encoding.is_some() { 0 } else { 2 };
        header.number(1, kind);
        header.number(2, self.data.len() as u32);
        header.number(3, compressed);
        header.open(if self.encoding.is_some() { 5 } else { 7 });
        header.number(1, self.values as u32);
        header.number(2, self.encoding.unwrap_or(PLAIN) as u32);
        if self.encoding.is_some() {
            header.number(3, RLE as u32);
            header.number(4, RLE as u32);
        }
        header.close();
        header.finish()
    }
}

fn too_large() -> Failure {
    let way = "write smaller ones: with pyarrow by a smaller `write_batch_size`, elsewhere by smaller row groups";
    format!("a page of more than {LARGEST_PAGE_BYTES} bytes; {way}").into()
}

/// Returns the CRC-32 that gzip uses.
fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    crc.sum()
}

/// Returns the bytes that follow their length, and where they end.
fn prefixed(data: &Bytes, at: usize) -> Result<(Bytes, usize), packed::Fault> {
    const CUT_OFF: packed::Fault = "a page ends before its values";
    let length = *data.get(at..).and_then(<[u8]>::first_chunk::<4>).ok_or(CUT_OFF)?;
    let end = (u32::from_le_bytes(length) as usize).checked_add(at + 4).filter(|end| *end <= data.len());
    let end = end.ok_or(CUT_OFF)?;
    Ok((data.slice(at + 4..end), end))
}

fn push_prefixed(into: &mut Vec<u8>, bytes: &[u8]) {
    into.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
    into.extend_from_slice(bytes);
}

fn lz4_block(packed: &[u8], size: usize) -> Option<Vec<u8>> {
    let mut bytes = vec![0; size];
    (lz4_flex::block::decompress_into(packed, &mut bytes).ok()? == size).then_some(bytes)
}

/// Decompresses Hadoop's format: blocks, each after its two sizes.
fn lz4_frames(mut packed: &[u8], size: usize) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    while !packed.is_empty() {
        let (sizes, rest) = packed.split_first_chunk::<8>()?;
        let [i0, i1, i2, i3, p0, p1, p2, p3] = *sizes;
        let inflated = u32::from_be_bytes([i0, i1, i2, i3]) as usize;
        let (block, rest) = rest.split_at_checked(u32::from_be_bytes([p0, p1, p2, p3]) as usize)?;
        if inflated > size - bytes.len() {
            return None;
        }
        bytes.extend(lz4_block(block, inflated)?);
        packed = rest;
    }
    Some(bytes)
}

/// The column chunks of a row group, which the crate reads as a file.
#[derive(Debug)]
pub(crate) struct Pages {
    ledger: Arc<Ledger>,
    /// By leaf; `None` if a column is not read.
    chunks: Vec<Option<Mutex<Chunk>>>,
}

impl Pages {
    pub(crate) fn new(ledger: &Arc<Ledger>, chunks: Vec<Option<Chunk>>) -> Self {
        let chunks = chunks.into_iter().map(|chunk| chunk.map(Mutex::new)).collect();
        Self { ledger: Arc::clone(ledger), chunks }
    }

    fn chunk(&self, start: u64) -> Result<MutexGuard<'_, Chunk>, Failure> {
        let chunk = self.chunks.get((start >> SPACE_BITS) as usize).and_then(Option::as_ref);
        let chunk = chunk.ok_or("a column that is not read")?;
        Ok(chunk.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }

    fn failed(&self, failure: Failure) -> ParquetError {
        self.ledger.fail(failure);
        ParquetError::General("the file cannot be read on".into())
    }
}

impl Length for Pages {
    fn len(&self) -> u64 {
        (self.chunks.len() as u64) << SPACE_BITS
    }
}

impl ChunkReader for Pages {
    type T = io::Cursor<Bytes>;

    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        let header = self.chunk(start).and_then(|mut chunk| {
            let header = chunk.header_at(start);
            header.map_err(|failure| self.ledger.failure_of(failure, &chunk.column))
        });
        header.map(io::Cursor::new).map_err(|failure| self.failed(failure))
    }

    /// Returns the page whose header was read last. Its length is not the one asked for, which the header states only
    /// to make the crate skip the right number of bytes.
    fn get_bytes(&self, start: u64, _: usize) -> Result<Bytes, ParquetError> {
        let page = self.chunk(start).and_then(|mut chunk| {
            let given = chunk.given.take();
            let given = given.filter(|given| given.start + given.header.len() as u64 == start);
            given.map(|given| given.data).ok_or_else(|| "a page without its header".into())
        });
        page.map_err(|failure| self.failed(failure))
    }
}

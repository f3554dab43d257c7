//! The first part of a file as it is, for whoever has to find out how it is written.

use contract::{Compression, FileFormat, Table};

use crate::batch::Options;
use crate::input::ranges::Ranges;
use crate::open::{records, resolve, text};
use crate::read_error::ReadError;

/// Text that is looked at.
const PEEKED_BYTES: usize = 1 << 20;

/// A record of delimited values, or a row of a sheet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peeked {
    /// The line on which it begins, from 1.
    pub line: u64,
    /// Its values; none where it is no record.
    pub fields: Vec<String>,
}

/// How a file is written as far as its name and its first bytes say it: the format, and the compression.
///
/// # Errors
/// Where the bytes cannot be read.
pub fn peek_format(
    ranges: &Ranges,
    format: FileFormat,
    compression: Compression,
    table: &Table,
) -> Result<(FileFormat, Compression), ReadError> {
    resolve(ranges.clone().into(), format, compression, table).map(|(_, format, compression)| (format, compression))
}

/// The first mebibyte of a file's text, inflated and, but for UTF-16 with its mark, not decoded.
///
/// # Errors
/// Where it is no text.
pub fn peek_text(
    ranges: &Ranges,
    format: FileFormat,
    compression: Compression,
    table: &Table,
) -> Result<Vec<u8>, ReadError> {
    let mut lines = text(ranges.clone().into(), format, compression, table, None, &Options::default())?;
    let bytes = lines.peek(PEEKED_BYTES)?;
    Ok(bytes[..bytes.len().min(PEEKED_BYTES)].to_vec())
}

/// The first records of a file, by the table's dialect.
///
/// # Errors
/// Where the file cannot be read so far.
pub fn peek_records(
    ranges: &Ranges,
    format: FileFormat,
    compression: Compression,
    table: &Table,
    most: usize,
) -> Result<Vec<Peeked>, ReadError> {
    let mut records = records(ranges.clone().into(), format, compression, table, &Options::default())?;
    let mut peeked = Vec::new();
    while peeked.len() < most
        && let Some(record) = records.next()?
    {
        let fields = match record.fault {
            None => record.fields().map(|(text, _)| text.to_owned()).collect(),
            Some(_) => Vec::new(),
        };
        peeked.push(Peeked { line: record.line, fields });
    }
    Ok(peeked)
}

//! The first part of a file, as text or as records, from which a caller infers how the file is written.

use contract::{Compression, FileFormat, Table};

use crate::batch::Options;
use crate::input::ranges::Ranges;
use crate::open::{records, resolve, text};
use crate::read_error::ReadError;

/// The most text that [`peek_text`] returns.
const PEEKED_BYTES: usize = 1 << 20;

/// A record of delimited values, or a row of a sheet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peeked {
    /// The line or row on which it begins, from 1.
    pub line: u64,
    /// Its values; empty if it is not a valid record.
    pub fields: Vec<String>,
}

/// Returns the format and compression of a file, by its name and its first bytes.
///
/// # Errors
/// If the first bytes cannot be read, or the metadata expects Parquet and they are not Parquet's.
pub fn peek_format(
    ranges: &Ranges,
    format: FileFormat,
    compression: Compression,
    table: &Table,
) -> Result<(FileFormat, Compression), ReadError> {
    resolve(ranges.clone().into(), format, compression, table).map(|(_, format, compression)| (format, compression))
}

/// Returns the first mebibyte of a file's decompressed text. It is decoded only if it is UTF-16 with a byte order mark.
///
/// # Errors
/// If the file cannot be read or decompressed, or is not text.
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

/// Returns at most `most` records from the start of a file, read with the table's dialect.
///
/// # Errors
/// If the file cannot be read up to the last of them.
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

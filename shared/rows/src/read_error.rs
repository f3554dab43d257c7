//! The errors that stop a file from being read to its end.

use std::io;

/// An error that ends reading. Lines count from 1. Bytes are those of the decompressed text before the fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The file does not have the format that its name implies, or that format cannot be read this way.
    #[error("{reason}")]
    Format {
        /// What was found, and the remedy.
        reason: String,
    },
    /// A compressed stream is torn, damaged, or followed by other data.
    #[error("line {line}, byte {byte}: {reason}")]
    Compressed {
        /// The name of the compression.
        format: &'static str,
        /// The line that was being read, or that would have come next.
        line: u64,
        /// Decompressed bytes before the fault.
        byte: u64,
        /// The cause.
        reason: String,
    },
    /// A JSON document is not valid from some point on, or its rows are not where they are expected.
    #[error("line {line}: {reason}")]
    Json {
        /// The line of the fault.
        line: u64,
        /// What was expected.
        reason: String,
    },
    /// A workbook is damaged, too large or protected, or lacks the described sheet.
    #[error("{reason}")]
    Workbook {
        /// The cause.
        reason: String,
    },
    /// The record that names the columns of a CSV file cannot be read, so no other record can.
    #[error("line {line}: the header cannot be read: expected {expected}")]
    Header {
        /// The line on which the header begins.
        line: u64,
        /// What was expected in its place.
        expected: String,
    },
    /// Lines end with a lone carriage return.
    #[error(
        "line {line}: carriage returns (CR, \\r) alone end its lines, as on old Macs: expected LF (\\n) or CRLF \
         (\\r\\n); if it is always so, the table's dialect says \"lineTerminator\": \"\\r\""
    )]
    LineEnds {
        /// The line of the record that contains it.
        line: u64,
    },
    /// A Parquet file is damaged, cut off, or uses an unsupported feature.
    #[error("row {row}: {reason}")]
    Parquet {
        /// The row that would have come next, from 1. It is 1 for a fault in the footer, too.
        row: u64,
        /// The cause.
        reason: String,
    },
    /// A column's `datetime_format` is not valid.
    #[error("datetime_format of column `{column}`: {reason}")]
    DatetimeFormat {
        /// The column's name in the metadata.
        column: String,
        /// What is wrong with the format.
        reason: String,
    },
    /// A line, or the text of one row, exceeds the limit.
    #[error("line {line}, byte {byte}: longer than {limit} bytes; is there no newline after each row?")]
    LineTooLong {
        /// The line on which it begins.
        line: u64,
        /// The byte at which it begins.
        byte: u64,
        /// The limit in bytes.
        limit: usize,
    },
    /// The text exceeds the limit: most likely a decompression bomb.
    #[error("line {line}: more than {limit} bytes of text; split the file")]
    TooLarge {
        /// The line, or the row of a Parquet file, at which the limit was reached.
        line: u64,
        /// The limit in bytes of decompressed text.
        limit: u64,
    },
    /// The metadata names an unknown encoding.
    #[error("dialect.encoding: {reason}")]
    Encoding {
        /// What is wrong with the name, and which names are known.
        reason: String,
    },
    /// The bytes could not be fetched. This says nothing about the file.
    #[error("line {line}, byte {byte}: {message}")]
    Io {
        /// The line that was being read.
        line: u64,
        /// Decompressed bytes before it.
        byte: u64,
        /// The kind of failure.
        kind: io::ErrorKind,
        /// The message of the file's source.
        message: String,
    },
}

//! Why a file cannot be read to its end.

use std::io;

/// Ends the reading. Lines count from 1; bytes are those of the inflated text before the place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The file is not of the format that its name says, or the format cannot be read so.
    #[error("{reason}")]
    Format {
        /// What it is, and what to do.
        reason: String,
    },
    /// A compressed stream is torn, damaged, or followed by something else.
    #[error("line {line}, byte {byte}: {reason}")]
    Compressed {
        /// How it is compressed.
        format: &'static str,
        /// The line that would have come next, or was under way.
        line: u64,
        /// Inflated bytes that came before.
        byte: u64,
        /// What is wrong.
        reason: String,
    },
    /// A JSON document is none from a place on.
    #[error("line {line}: {reason}")]
    Json {
        /// Where.
        line: u64,
        /// What is wrong.
        reason: String,
    },
    /// A workbook is damaged, or has not what is asked of it.
    #[error("{reason}")]
    Workbook {
        /// What is wrong.
        reason: String,
    },
    /// The record that names the columns of a CSV file cannot be read, and so no other.
    #[error("line {line}: the header cannot be read: expected {expected}")]
    Header {
        /// Where it begins.
        line: u64,
        /// What should have been there.
        expected: String,
    },
    /// Lines end with a carriage return alone.
    #[error(
        "line {line}: carriage returns (CR, \\r) alone end its lines, as on old Macs: expected LF (\\n) or CRLF (\\r\\n); if it is always so, \
         the table's dialect says \"lineTerminator\": \"\\r\""
    )]
    LineEnds {
        /// Where it was seen.
        line: u64,
    },
    /// A Parquet file is damaged, cut off, or asks for what cannot be done.
    #[error("row {row}: {reason}")]
    Parquet {
        /// The row that would have come next, from 1; 1 also for the file's own description.
        row: u64,
        /// What is wrong.
        reason: String,
    },
    /// The metadata describes dates or timestamps in a way that nothing can be read by.
    #[error("datetime_format of column `{column}`: {reason}")]
    DatetimeFormat {
        /// The column.
        column: String,
        /// What is wrong.
        reason: String,
    },
    /// A line that does not end within the limit.
    #[error("line {line}, byte {byte}: longer than {limit} bytes; is there no newline after each row?")]
    LineTooLong {
        /// The line.
        line: u64,
        /// Where it begins.
        byte: u64,
        /// The limit.
        limit: usize,
    },
    /// More text than the limit: most likely a decompression bomb.
    #[error("line {line}: more than {limit} bytes of text; split the file")]
    TooLarge {
        /// Where the limit was reached.
        line: u64,
        /// The limit.
        limit: u64,
    },
    /// The metadata names an encoding that is none.
    #[error("dialect.encoding: {reason}")]
    Encoding {
        /// What is wrong.
        reason: String,
    },
    /// The bytes could not be fetched. Says nothing about the file.
    #[error("line {line}, byte {byte}: {message}")]
    Io {
        /// The line under way.
        line: u64,
        /// Inflated bytes that came before.
        byte: u64,
        /// The sort of failure.
        kind: io::ErrorKind,
        /// What the source said.
        message: String,
    },
}

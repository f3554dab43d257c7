//! The one reader: a landed file of a described table becomes Arrow batches of the metadata's types. `validate` checks
//! the batches and `curate` builds tables of them, so what the one accepts the other can read.
//!
//! The reader streams and its memory is bounded, whatever the file: batches are limited in rows, cells and bytes, lines
//! and pages in length, and what does not fit is counted, with the first few examples of each kind and column.
//!
//! What does not fit does not stop the reading: the value becomes null and a [`Misfit`] says where it was and what was
//! expected. Only what makes the rest unreadable (a torn gzip stream, an endless line, a damaged page) is a
//! [`ReadError`].
//!
//! # What a value may be
//!
//! The same rows as JSON Lines, CSV and Parquet give the same batches and the same misfits. Values of text are read
//! from their text, never by way of another type; those of Parquet as their JSON text would be.
//!
//! | type | JSON | a CSV field | Parquet |
//! |---|---|---|---|
//! | string | a text | its text | UTF-8, or bytes without a type that are UTF-8; DATE, TIMESTAMP and TIME as ISO 8601 text; UUID |
//! | tinyint … bigint | a whole number in range, in any way that loses nothing: `1`, `1.0`, `1e0`, not `1.5` or `"1"` | the same, without zeros before it: not `007` or `+1` | numbers that are whole, in range |
//! | float, double | any number that is finite in the type: `1` and `1.5`, not `1e400` | the same, and `.5`, `5.`: not `NaN` or `1,5` | any number; NaN and infinities are misfits |
//! | decimal(p,s) | a number, or a text that holds one, that needs no rounding: `1.50`, `"1.50"`, `15e-1` | the same | any number (a float by its shortest text), or a text, that needs no rounding |
//! | date | a text `YYYY-MM-DD`, or as the column's `datetime_format`; a time of day of midnight is no loss | the same | DATE, a timestamp at midnight, or a text as in JSON |
//! | timestamp | a text `YYYY-MM-DD HH:MM:SS`, with `T` in place of the space if you like, and a fraction with nothing but zeros below the column's unit; no zone; or as the column's `datetime_format` | the same | TIMESTAMP in any unit, or INT96, that has nothing below the column's unit; one in UTC is taken as it is, without its zone; or a text as in JSON |
//! | boolean | `true` or `false` | the same, in any letter case | BOOLEAN |
//! | binary | a text in base64 (standard alphabet, padded) | the same | bytes, or a text in base64 |
//! | struct | an object; a field that is absent is null, one that is not described is an unexpected column `a.b` | an object as JSON | a group, by the names of its fields |
//! | array | an array | an array as JSON | a list; a map as a list of structs of `key` and `value` |
//!
//! Days and points in time lie in the years 1 to 9999; what is in nanoseconds in those of 1677 to 2262.
//!
//! Whether a column may be null is for the caller to check. A key that a row has twice has no value that could be
//! trusted: it reads as null and is a misfit. Where `checks.ignore_header_case` says so, the names of columns are found
//! in any letter case; those of fields inside of structs never are. NUL is a character of a text like any other.
//!
//! What a table's metadata says of its files (a dialect, an encoding, other names) is in docs/files.md, with an example
//! each.
//!
//! **JSON Lines**: one object per line, UTF-8. A byte order mark at the start, `\r\n`, blank lines, and a last line
//! without its newline are fine. `null` is null.
//!
//! **CSV** (RFC 4180): comma, quotes, doubled quotes inside of quotes, newlines inside of quotes, `\r\n` or `\n`, UTF-8
//! with or without a byte order mark; a `\r` alone is a character like any other, and a file whose lines end with it is
//! refused. Blank lines are no records, but where a record has a single field: there an empty line is a null. Nothing
//! is trimmed. A field without quotes that is empty is null. `""` is the empty text in a string column, no bytes in a
//! binary one, and null in the others. The first record names the columns, in any order, or where `checks.header` says
//! that there is none, they come in the metadata's order. A column that is missing or not described is so in every row;
//! of a file without rows it is told all the same. Another number of fields than the header's
//! ([`MisfitKind::RaggedRow`]), a quote inside of a field without quotes, and text after closing quotes
//! ([`MisfitKind::NotCsv`]) make no row; the next record begins on the next line. Quotes that do not end are one such
//! record up to the end of the file. A misfit tells the line on which its record begins.
//!
//! **Parquet**: needs [`Ranges`]. Columns are found by name, and only those described are read. The types are
//! those of Parquet itself: the Arrow schema that some writers add is not looked at, as Athena does not either. So
//! arrow-rs' timestamps in seconds and its 64-bit dates are the plain integers that the file has. INT96 is read to the
//! nanosecond. A value of a type that does not go with the column's is a misfit in every row that has one. A misfit's
//! line is its row, from 1. Pages may be compressed with Snappy, gzip, Zstandard or LZ4, in all encodings but the
//! bit-packed levels that the format gave up in 2013.
//!
//! **Lines** (a table's `lines`): the files of a table, whatever their extension, as text: each line is a row, blank
//! ones too, its text without `\n` or `\r\n`. A second column, if described, is the line's number, from 1.
//!
//! **`datetime_format`** is in the words of strptime, as Python reads them: `%Y %y %m %b %B %d %j %a %A %H %I %p %M %S
//! %f %z %F %T %R %%`, or a word: `iso8601`, `epoch_seconds` and finer ones. English names, in any letter case. A
//! weekday must be the right one. A fraction (`%f`) has up to nine digits, and is left out together with a point before
//! it; one finer than the column is a misfit, and a time of day other than midnight is one in a date column.

mod reader;

mod peek;

mod open;

mod batch;
mod misfit;
mod read_error;

mod cells;
mod json;
mod parquet;

mod describe;
mod input;
mod values;

#[cfg(test)]
mod tests;

pub use batch::{Batch, Gap, Options};
pub use describe::inferred::Inferred;
pub use describe::profile::{Described, Profile};
pub use input::encoding::check_encoding;
pub use input::ranges::{Input, Ranges};
pub use misfit::{Misfit, MisfitKind, Tally};
pub use open::needs_ranges;
pub use peek::{Peeked, peek_format, peek_records, peek_text};
pub use read_error::ReadError;
pub use reader::{RowReader, Summary};
pub use values::datetime::check_datetime_format;
pub use values::schema::{arrow_type, schema};
pub use values::shown::{is_in_range, shown_value};
pub use values::spelling;

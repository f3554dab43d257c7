//! The reader: turns a landed file of a described table into Arrow record batches of the metadata's types. `validate`
//! checks the batches and `curate` builds tables from them, so `curate` can read every file that `validate` accepts.
//!
//! The reader streams, and its memory is bounded whatever the file contains. Batches are limited in rows, cells and
//! bytes. Lines and pages are limited in length. Misfits are counted, and only the first few examples of each kind and
//! column are kept.
//!
//! A value that does not fit does not stop the reader. It becomes null, and a [`Misfit`] records where it was and what
//! was expected. Only a fault that makes the rest of the file unreadable is a [`ReadError`]: a torn gzip stream, an
//! endless line, a damaged page.
//!
//! # Accepted values
//!
//! The same rows as JSON Lines, CSV and Parquet produce the same batches and the same misfits. A value in a text format
//! is parsed directly into its column's type, never through another type. A Parquet value is read as its JSON text
//! would be.
//!
//! - **string**
//!   - JSON: a string.
//!   - CSV: the field's text.
//!   - Parquet: UTF-8; bytes without a logical type that are UTF-8; DATE, TIMESTAMP and TIME as ISO 8601 text; UUID.
//! - **tinyint … bigint**
//!   - JSON: a whole number in range, in any spelling that loses nothing: `1`, `1.0` and `1e0`, but not `1.5` or `"1"`.
//!   - CSV: the same, without leading zeros or a plus sign: not `007` or `+1`.
//!   - Parquet: a whole number in range, of any numeric type.
//! - **float, double**
//!   - JSON: any number that is finite in the type: `1` and `1.5`, but not `1e400`.
//!   - CSV: the same, and also `.5` and `5.`, but not `1,5`.
//!   - Parquet: any number.
//!   - NaN and the infinities are misfits, unless the dialect's `nan` accepts them.
//! - **decimal(p,s)**
//!   - JSON: a number, or a string that holds one, that needs no rounding: `1.50`, `"1.50"`, `15e-1`.
//!   - CSV: the same.
//!   - Parquet: any number (a float by its shortest text) or string that needs no rounding.
//! - **date**
//!   - JSON: a string `YYYY-MM-DD`, or one in the column's `datetime_format`. A time of day is accepted if it is
//!     midnight.
//!   - CSV: the same.
//!   - Parquet: DATE, a timestamp at midnight, or a string as in JSON.
//! - **timestamp**
//!   - JSON: a string `YYYY-MM-DD HH:MM:SS` (or with `T` in place of the space) without a zone, or one in the column's
//!     `datetime_format`. Digits of the fraction below the column's unit must be zeros.
//!   - CSV: the same.
//!   - Parquet: TIMESTAMP in any unit, or INT96, with nothing below the column's unit; or a string as in JSON. A
//!     timestamp in UTC keeps its value and loses its zone.
//! - **boolean**
//!   - JSON: `true` or `false`.
//!   - CSV: the same, in any letter case.
//!   - Parquet: BOOLEAN.
//! - **binary**
//!   - JSON: a base64 string (standard alphabet, padded).
//!   - CSV: the same.
//!   - Parquet: bytes, or a base64 string.
//! - **struct**
//!   - JSON: an object. A missing field is null. A field that is not described is an unexpected column `a.b`.
//!   - CSV: a JSON object.
//!   - Parquet: a group, matched by the names of its fields.
//! - **array**
//!   - JSON: an array.
//!   - CSV: a JSON array.
//!   - Parquet: a list, or a map as a list of structs of `key` and `value`.
//!
//! Dates and timestamps lie in the years 1 to 9999; timestamps in nanoseconds lie in the years 1677 to 2262.
//!
//! The caller checks whether a column may be null. If a row has a key twice, neither value can be trusted: the column
//! reads as null and is a misfit. With `checks.ignore_header_case`, column names match in any letter case; names of
//! fields inside structs never do. NUL is a character like any other.
//!
//! docs/files.md describes, with an example each, what a table's metadata can say about its files: a dialect, an
//! encoding, other names.
//!
//! **JSON Lines**: one object per line, in UTF-8. A byte order mark at the start, `\r\n`, blank lines and a last line
//! without a newline are accepted. `null` is null.
//!
//! **CSV** (RFC 4180): commas, quotes, doubled quotes and newlines inside quotes, `\r\n` or `\n`, UTF-8 with or without
//! a byte order mark. A lone `\r` is an ordinary character, but a file whose lines end with it is refused. Blank lines
//! are not records, except where a record has a single field: there an empty line is a null. Nothing is trimmed. An
//! empty field without quotes is null. `""` is the empty string in a string column, no bytes in a binary one, and null
//! in any other. The first record names the columns, in any order. If `checks.header` is false, they come in the
//! metadata's order. A missing or undescribed column counts in every row; it is reported even if the file has no rows.
//! A record makes no row if it has another number of fields than the header ([`MisfitKind::RaggedRow`]), a quote inside
//! an unquoted field, or text after a closing quote ([`MisfitKind::NotCsv`]). The next record then begins on the next
//! line. Quotes that never close make one such record up to the end of the file. A misfit's line is the one on which
//! its record begins.
//!
//! **Parquet**: needs [`Ranges`]. Columns are found by name, and only described ones are read. Types are Parquet's own:
//! the Arrow schema that some writers embed is ignored, as Athena ignores it. So arrow-rs' timestamps in seconds and
//! its 64-bit dates read as the plain integers that the file holds. INT96 is read to the nanosecond. If a column's type
//! cannot become the described one, every value in it is a misfit. A misfit's line is its row, from 1. Pages may be
//! compressed with Snappy, gzip, Brotli, Zstandard or LZ4. All encodings are supported, except the bit-packed levels
//! that the format deprecated in 2013.
//!
//! **Lines** (a table's `lines`): text files are read line by line, whatever their extension. Each line is a row, blank
//! lines included, and its text excludes `\n` or `\r\n`. A second column, if described, holds the line number, counted
//! from 1.
//!
//! **`datetime_format`** uses strptime's directives, read as Python reads them:
//! `%Y %y %m %b %B %d %j %a %A %H %I %p %M %S %f %z %F %T %R %%`. It may also be a single word: `iso8601`,
//! `epoch_seconds` or a finer epoch unit. Names are English, in any letter case. A weekday must match its date. A
//! fraction (`%f`) has up to nine digits, and may be omitted together with a point before it. A fraction finer than the
//! column is a misfit, and so is a time of day other than midnight in a date column.

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

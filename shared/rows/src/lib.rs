//! The one reader: a landed file of a described table becomes Arrow batches of the metadata's types. `validate` checks
//! the batches and `curate` builds tables of them, so what the one accepts the other can read.
//!
//! The reader streams and its memory is bounded, whatever the file: batches are limited in rows, cells and bytes, lines
//! in length, and what does not fit is counted, with the first few examples of each kind and column.
//!
//! What does not fit does not stop the reading: the value becomes null and a [`Misfit`] says where it was and what was
//! expected. Only what makes the rest unreadable (a torn gzip stream, an endless line) is a [`ReadError`].
//!
//! # What a JSON value may be
//!
//! One object per line, UTF-8. A byte order mark at the start, `\r\n`, blank lines, and a last line without its newline
//! are fine. Values are read from their text, never by way of another type:
//!
//! | type | JSON |
//! |---|---|
//! | string | a text |
//! | tinyint … bigint | a number without fraction or exponent, in range: `1`, not `1.0`, `1e0` or `"1"` |
//! | float, double | any number that is finite in the type: `1` and `1.5`, not `1e400` |
//! | decimal(p,s) | a number, or a text that holds one, that needs no rounding: `1.50`, `"1.50"`, `15e-1` |
//! | date | a text `YYYY-MM-DD` |
//! | timestamp | a text `YYYY-MM-DD HH:MM:SS`, with `T` in place of the space if you like, and up to three digits of a fraction; no zone |
//! | boolean | `true` or `false` |
//! | binary | a text in base64 (standard alphabet, padded) |
//! | struct | an object; a field that is absent is null, one that is not described is an unexpected column `a.b` |
//! | array | an array |
//!
//! `null` fits every type: whether a column may be null is for the caller to check. A key that a line has twice has no
//! value that could be trusted: it reads as null and is a misfit.

mod column;
mod convert;
mod csv;
mod datetime;
mod inferred;
mod inflate;
mod layout;
mod lines;
mod misfit;
mod pages;
mod parquet;
mod ranges;
mod read_error;
mod reader;
mod runs;
mod scalar;
mod schema;
mod split;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_csv;
#[cfg(test)]
mod tests_parquet;
mod thrift;

pub use datetime::check_datetime_format;
pub use inferred::Inferred;
pub use misfit::{Misfit, MisfitKind, Tally};
pub use ranges::{Input, Ranges};
pub use read_error::ReadError;
pub use reader::{Batch, Gap, Options, RowReader, Summary};
pub use schema::{arrow_type, schema};

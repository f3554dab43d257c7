//! The dialect of a raw table's files: how a supplier's program writes them. The keys are those of Frictionless' Table
//! Dialect (<https://specs.frictionlessdata.io/table-dialect>) and, for values, of its Table Schema. The defaults
//! follow RFC 4180 and JSON.

use std::collections::BTreeSet;

use serde::Deserialize;

mod said;
#[cfg(test)]
mod tests;

pub(crate) use said::{SaidOfFiles, SaidOfValues};

/// The dialect of a raw table's files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileDialect {
    /// The ASCII character that separates fields. If it is `None`, the extension decides: a tab in `.tsv`, otherwise a
    /// comma.
    pub delimiter: Option<u8>,
    /// Encloses a field that holds a delimiter, a quote or a line end. `None` if fields are never quoted.
    pub quote: Option<u8>,
    /// Whether a quote within quotes is doubled.
    pub double_quote: bool,
    /// Removes the special meaning of a following delimiter, quote, line end or escape.
    pub escape: Option<u8>,
    /// Whether spaces after a delimiter are ignored.
    pub skip_initial_space: bool,
    /// The lines of the header, from 1 and consecutive. Lines above them are skipped. If it is empty, the first record
    /// is the header.
    pub header_rows: Vec<u64>,
    /// Joins the parts of a column name if the header has several lines.
    pub header_join: String,
    /// The prefix of lines that are skipped.
    pub comment: Option<String>,
    /// The numbers of lines that are skipped, from 1.
    pub comment_rows: BTreeSet<u64>,
    /// Ends a line: `
    /// `, optionally after `\r`, or another single character.
    pub line_terminator: u8,
    /// The encoding's WHATWG name. If it is `None`, a byte order mark decides, otherwise UTF-8.
    pub encoding: Option<String>,
    /// How NaN and the infinities are read in numbers.
    pub nan: Nan,
    /// The key in a JSON document that holds the array of rows.
    pub property: Option<String>,
    /// The sheet that is read of a workbook.
    pub sheet: Sheet,
}

/// How NaN and the infinities are read in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Nan {
    /// As a misfit.
    #[default]
    Refuse,
    /// As null.
    Null,
    /// As themselves, in a `float` or `double`.
    Keep,
}

/// A sheet of a workbook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sheet {
    /// The position, from 1.
    Number(usize),
    /// The name.
    Name(String),
}

impl Default for FileDialect {
    fn default() -> Self {
        Self {
            delimiter: None,
            quote: Some(b'"'),
            double_quote: true,
            escape: None,
            skip_initial_space: false,
            header_rows: Vec::new(),
            header_join: " ".into(),
            comment: None,
            comment_rows: BTreeSet::new(),
            line_terminator: b'\n',
            encoding: None,
            nan: Nan::Refuse,
            property: None,
            sheet: Sheet::Number(1),
        }
    }
}

/// The notation of a column's values in text files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Texts that mean null. In a text column, a quoted one is a value nevertheless.
    pub null_values: Vec<String>,
    /// Separates the whole part of a number from the fraction.
    pub decimal: char,
    /// Separates the thousands of a number.
    pub group: Option<char>,
    /// Whether a number stands alone. Otherwise a currency or percent sign may precede or follow it.
    pub bare_number: bool,
    /// Texts that mean true.
    pub true_values: Vec<String>,
    /// Texts that mean false.
    pub false_values: Vec<String>,
}

impl Default for Written {
    fn default() -> Self {
        Self {
            null_values: Vec::new(),
            decimal: '.',
            group: None,
            bare_number: true,
            true_values: Vec::new(),
            false_values: Vec::new(),
        }
    }
}

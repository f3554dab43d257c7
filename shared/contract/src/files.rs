//! How a supplier's program writes a raw table's files: in the words of Frictionless' Table Dialect
//! (<https://specs.frictionlessdata.io/table-dialect>), and for values in those of its Table Schema. What is not said
//! is as RFC 4180 and JSON have it.

use std::collections::BTreeSet;

use serde::Deserialize;

mod said;
#[cfg(test)]
mod tests;

pub(crate) use said::{SaidOfFiles, SaidOfValues};

/// How the files of a raw table are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileDialect {
    /// Ends a field: one ASCII character. `None` for what the extension says: a tab in `.tsv`, else a comma.
    pub delimiter: Option<u8>,
    /// Stands around a field that holds a delimiter, a quote or a line's end; `None` where nothing does.
    pub quote: Option<u8>,
    /// Whether a quote inside of quotes is written twice.
    pub double_quote: bool,
    /// Takes the meaning from the delimiter, the quote, the line's end or itself that follows.
    pub escape: Option<u8>,
    /// Whether spaces after a delimiter are left out.
    pub skip_initial_space: bool,
    /// The lines of the header, from 1, one after the other; what is above them is left out. Empty for the first
    /// record.
    pub header_rows: Vec<u64>,
    /// Joins the names of several lines.
    pub header_join: String,
    /// A line that begins so is left out.
    pub comment: Option<String>,
    /// Lines that are left out, from 1.
    pub comment_rows: BTreeSet<u64>,
    /// Ends a line: `\n`, before which a `\r` may stand, or another single character.
    pub line_terminator: u8,
    /// The name of the encoding, as the WHATWG has them; `None` for UTF-8, or what a byte order mark says.
    pub encoding: Option<String>,
    /// What NaN and the infinities are where a number is expected.
    pub nan: Nan,
    /// The key of a JSON document under which the array of its rows is.
    pub property: Option<String>,
    /// The sheet of a workbook.
    pub sheet: Sheet,
}

/// What numbers that are none are taken for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Nan {
    /// No number: the value breaks its type.
    #[default]
    Refuse,
    /// No value.
    Null,
    /// The value of a `float` or `double` that it is.
    Keep,
}

/// A sheet of a workbook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sheet {
    /// By its place, from 1.
    Number(usize),
    /// By its name.
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

/// How a column's values are written in text files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Texts that stand for no value. In quotes, one of them is a value of a text column all the same.
    pub null_values: Vec<String>,
    /// Stands between a number's whole and its fraction.
    pub decimal: char,
    /// Stands between the thousands of a number.
    pub group: Option<char>,
    /// Whether a number has nothing around it; else a currency or a percent sign may stand before or after it.
    pub bare_number: bool,
    /// Texts for true.
    pub true_values: Vec<String>,
    /// Texts for false.
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

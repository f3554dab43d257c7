//! How a supplier's program writes a raw table's files: in the words of Frictionless' Table Dialect
//! (<https://specs.frictionlessdata.io/table-dialect>), and for values in those of its Table Schema. What is not said is
//! as RFC 4180 and JSON have it.

use std::collections::BTreeSet;

use serde::Deserialize;

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
    /// The lines of the header, from 1, one after the other; what is above them is left out. Empty for the first record.
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

/// What metadata says of values, of a table or of a column.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct SaidOfValues {
    null_values: Option<Vec<String>>,
    decimal_char: Option<String>,
    group_char: Option<String>,
    bare_number: Option<bool>,
    true_values: Option<Vec<String>>,
    false_values: Option<Vec<String>>,
}

impl SaidOfValues {
    /// The keys, as they stand in a column.
    pub(crate) const KEYS: &[&str] =
        &["nullValues", "decimalChar", "groupChar", "bareNumber", "trueValues", "falseValues"];

    /// What is said here, and for the rest what is said of the table.
    pub(crate) fn over(self, table: &Self) -> Self {
        Self {
            null_values: self.null_values.or_else(|| table.null_values.clone()),
            decimal_char: self.decimal_char.or_else(|| table.decimal_char.clone()),
            group_char: self.group_char.or_else(|| table.group_char.clone()),
            bare_number: self.bare_number.or(table.bare_number),
            true_values: self.true_values.or_else(|| table.true_values.clone()),
            false_values: self.false_values.or_else(|| table.false_values.clone()),
        }
    }

    /// As the reader needs it. Tells what is wrong by the key.
    pub(crate) fn resolve(self, problem: &mut dyn FnMut(&str, String)) -> Written {
        let usual = Written::default();
        let mut letter = |key: &str, said: Option<String>| {
            let said = said.filter(|said| !said.is_empty())?;
            let mut letters = said.chars();
            match (letters.next(), letters.next()) {
                (Some(one), None) if !one.is_ascii_alphanumeric() && !"+-\"".contains(one) => Some(one),
                _ => {
                    problem(key, format!("expected a single character that is no letter and no digit, found `{said}`"));
                    None
                }
            }
        };
        let decimal = letter("decimalChar", self.decimal_char).unwrap_or(usual.decimal);
        let group = letter("groupChar", self.group_char);
        if group == Some(decimal) {
            let message = format!("is `{decimal}`, as decimalChar is: a number could be read in two ways");
            problem("groupChar", message);
        }
        let (true_values, false_values) = (self.true_values.unwrap_or_default(), self.false_values.unwrap_or_default());
        if let Some(both) = true_values.iter().find(|text| false_values.contains(text)) {
            problem("falseValues", format!("`{both}` is one of trueValues too"));
        }
        Written {
            null_values: self.null_values.unwrap_or_default(),
            decimal,
            group,
            bare_number: self.bare_number.unwrap_or(usual.bare_number),
            true_values,
            false_values,
        }
    }
}

/// What metadata says under `dialect`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct SaidOfFiles {
    delimiter: Option<String>,
    quote_char: Option<String>,
    double_quote: Option<bool>,
    escape_char: Option<String>,
    skip_initial_space: Option<bool>,
    pub(crate) header: Option<bool>,
    header_rows: Option<Vec<u64>>,
    header_join: Option<String>,
    comment_char: Option<String>,
    comment_rows: Option<BTreeSet<u64>>,
    line_terminator: Option<String>,
    encoding: Option<String>,
    nan: Option<Nan>,
    property: Option<String>,
    sheet_name: Option<String>,
    sheet_number: Option<usize>,
    null_values: Option<Vec<String>>,
    decimal_char: Option<String>,
    group_char: Option<String>,
    bare_number: Option<bool>,
    true_values: Option<Vec<String>>,
    false_values: Option<Vec<String>>,
}

impl SaidOfFiles {
    /// The keys under `dialect`.
    pub(crate) const KEYS: &[&str] = &[
        "delimiter",
        "quoteChar",
        "doubleQuote",
        "escapeChar",
        "skipInitialSpace",
        "header",
        "headerRows",
        "headerJoin",
        "commentChar",
        "commentRows",
        "lineTerminator",
        "encoding",
        "nan",
        "property",
        "sheetName",
        "sheetNumber",
        "nullValues",
        "decimalChar",
        "groupChar",
        "bareNumber",
        "trueValues",
        "falseValues",
    ];

    /// What it says of the values of all columns.
    pub(crate) fn of_values(&self) -> SaidOfValues {
        SaidOfValues {
            null_values: self.null_values.clone(),
            decimal_char: self.decimal_char.clone(),
            group_char: self.group_char.clone(),
            bare_number: self.bare_number,
            true_values: self.true_values.clone(),
            false_values: self.false_values.clone(),
        }
    }

    /// As the reader needs it. Tells what is wrong by the key.
    pub(crate) fn resolve(self, problem: &mut dyn FnMut(&str, String)) -> FileDialect {
        let usual = FileDialect::default();
        let mut byte = |key: &str, said: Option<String>| {
            let said = said.filter(|said| !said.is_empty())?;
            match said.as_bytes() {
                [byte] if byte.is_ascii() && !byte.is_ascii_alphanumeric() && !b"\r\n".contains(byte) => Some(*byte),
                _ => {
                    problem(
                        key,
                        format!(
                            "expected a single ASCII character that is no letter, no digit and no line's \
                                          end, found `{}`; what it cannot say can be read with `lines`",
                            crate::visible(&said)
                        ),
                    );
                    None
                }
            }
        };
        let delimiter = byte("delimiter", self.delimiter);
        let quote = match self.quote_char {
            None => usual.quote,
            said => byte("quoteChar", said),
        };
        let escape = byte("escapeChar", self.escape_char);
        let line_terminator = match self.line_terminator.as_deref() {
            None | Some("\n" | "\r\n") => b'\n',
            Some(said) => match said.as_bytes() {
                [byte] if byte.is_ascii() && !byte.is_ascii_alphanumeric() => *byte,
                _ => {
                    let message = format!(
                        "expected \"\\n\", \"\\r\\n\", \"\\r\" or another single ASCII character, \
                                           found `{}`",
                        crate::visible(said)
                    );
                    problem("lineTerminator", message);
                    b'\n'
                }
            },
        };
        let signs = [
            ("delimiter", delimiter.or(Some(b','))),
            ("quoteChar", quote),
            ("escapeChar", escape),
            ("lineTerminator", Some(line_terminator)),
        ];
        for (n, (key, sign)) in signs.iter().enumerate() {
            if let Some((other, _)) = signs[..n].iter().find(|(_, other)| sign.is_some() && other == sign) {
                problem(key, format!("is the same character as {other}"));
            }
        }
        let header_rows = self.header_rows.unwrap_or_default();
        if header_rows.first() == Some(&0) || header_rows.windows(2).any(|two| two[1] != two[0] + 1) {
            problem("headerRows", "expected the numbers of lines, from 1, one after the other, such as [3]".into());
        }
        if self.header == Some(false) && !header_rows.is_empty() {
            problem("headerRows", "says where the header is, and `header` that there is none".into());
        }
        if self.comment_rows.as_ref().is_some_and(|rows| rows.contains(&0)) {
            problem("commentRows", "lines are counted from 1".into());
        }
        if let Some(both) = self.comment_rows.iter().flatten().find(|row| header_rows.contains(row)) {
            problem("commentRows", format!("line {both} is one of headerRows"));
        }
        let sheet = match (self.sheet_name, self.sheet_number) {
            (Some(_), Some(_)) => {
                problem("sheetNumber", "says which sheet it is, and `sheetName` too: one of them is enough".into());
                usual.sheet
            }
            (Some(name), None) => Sheet::Name(name),
            (None, Some(0)) => {
                problem("sheetNumber", "sheets are counted from 1".into());
                usual.sheet
            }
            (None, Some(number)) => Sheet::Number(number),
            (None, None) => usual.sheet,
        };
        FileDialect {
            delimiter,
            quote,
            double_quote: self.double_quote.unwrap_or(usual.double_quote),
            escape,
            skip_initial_space: self.skip_initial_space.unwrap_or(usual.skip_initial_space),
            header_rows,
            header_join: self.header_join.unwrap_or(usual.header_join),
            comment: self.comment_char.filter(|comment| !comment.is_empty()),
            comment_rows: self.comment_rows.unwrap_or_default(),
            line_terminator,
            encoding: self.encoding,
            nan: self.nan.unwrap_or_default(),
            property: self.property,
            sheet,
        }
    }
}

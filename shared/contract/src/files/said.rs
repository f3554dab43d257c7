//! The metadata's statements about files and values, and their problems.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::{FileDialect, Nan, Sheet, Written};
use crate::visible;

/// Reports a problem at a key.
type Tell<'a> = &'a mut dyn FnMut(&str, String);

/// Deserializes the keys that are valid, and reports the others.
fn read<T: DeserializeOwned + Default>(said: Map<String, Value>, problem: Tell) -> T {
    let mut good = Map::new();
    for (key, value) in said {
        let wrong = match &value {
            // null could mean "none" or "the default"
            Value::Null => Some("expected a value, found null; without the key it is as usual".into()),
            Value::Object(_) => Some(format!("expected no object, found {value}")),
            _ => {
                let alone = Map::from_iter([(key.clone(), value.clone())]);
                T::deserialize(Value::Object(alone)).err().map(|error| error.to_string())
            }
        };
        match wrong {
            Some(wrong) => problem(&key, wrong),
            None => drop(good.insert(key, value)),
        }
    }
    T::deserialize(Value::Object(good)).unwrap_or_default()
}

/// The statements about values, of a table or of a column.
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
    /// The keys in a column.
    pub(crate) const KEYS: &[&str] =
        &["nullValues", "decimalChar", "groupChar", "bareNumber", "trueValues", "falseValues"];

    /// Reads a column's statements.
    pub(crate) fn read(column: &Map<String, Value>, problem: Tell) -> Self {
        let said = Self::KEYS.iter().filter_map(|key| Some(((*key).to_owned(), column.get(*key)?.clone())));
        read(said.collect(), problem)
    }

    /// Fills the gaps with the table's statements.
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

    /// Applies the defaults and checks the result.
    pub(crate) fn resolve(self, problem: Tell) -> Written {
        let usual = Written::default();
        let mut sign = |key: &str, said: String| {
            let mut letters = said.chars();
            match (letters.next(), letters.next()) {
                (Some(one), None) if !one.is_alphanumeric() && !one.is_control() && !"+-\"".contains(one) => Some(one),
                _ => {
                    let message = format!(
                        "expected a single character that is no letter, no digit, no sign, no quote and no control \
                         character, found `{}`",
                        visible(&said)
                    );
                    problem(key, message);
                    None
                }
            }
        };
        let decimal = self.decimal_char.and_then(|said| sign("decimalChar", said)).unwrap_or(usual.decimal);
        let group = self.group_char.filter(|said| !said.is_empty()).and_then(|said| sign("groupChar", said));
        if group == Some(decimal) {
            let message = format!("is `{decimal}`, as decimalChar is: a number could be read in two ways");
            problem("groupChar", message);
        }
        let (nulls, yes, no) = (
            self.null_values.unwrap_or_default(),
            self.true_values.unwrap_or_default(),
            self.false_values.unwrap_or_default(),
        );
        let is_yes = |text: &&String| yes.contains(text) || yes.is_empty() && text.eq_ignore_ascii_case("true");
        if let Some(both) = no.iter().find(is_yes) {
            problem("falseValues", format!("`{}` is one of trueValues too", visible(both)));
        } else if let Some(both) = yes.iter().find(|text| no.is_empty() && text.eq_ignore_ascii_case("false")) {
            problem("trueValues", format!("`{}` is one of falseValues too", visible(both)));
        }
        for (key, texts) in [("trueValues", &yes), ("falseValues", &no)] {
            if let Some(both) = texts.iter().find(|text| nulls.contains(text)) {
                problem(key, format!("`{}` is one of nullValues too", visible(both)));
            }
        }
        Written {
            null_values: nulls,
            decimal,
            group,
            bare_number: self.bare_number.unwrap_or(usual.bare_number),
            true_values: yes,
            false_values: no,
        }
    }
}

/// The statements under `dialect`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct SaidOfFiles {
    delimiter: Option<String>,
    quote_char: Option<String>,
    double_quote: Option<bool>,
    escape_char: Option<String>,
    skip_initial_space: Option<bool>,
    pub(crate) header: Option<bool>,
    header_rows: Option<Vec<u32>>,
    header_join: Option<String>,
    comment_char: Option<String>,
    comment_rows: Option<BTreeSet<u32>>,
    line_terminator: Option<String>,
    encoding: Option<String>,
    nan: Option<Nan>,
    property: Option<String>,
    sheet_name: Option<String>,
    sheet_number: Option<u32>,
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

    /// Reads a table's statements. The caller reports unknown keys.
    pub(crate) fn read(dialect: &Map<String, Value>, problem: Tell) -> Self {
        let known = dialect.iter().filter(|(key, _)| Self::KEYS.contains(&key.as_str()));
        read(known.map(|(key, value)| (key.clone(), value.clone())).collect(), problem)
    }

    /// Returns the statements about the values of all columns.
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

    /// Applies the defaults and checks the result. `header` is whether the files have a header, wherever the metadata
    /// states it.
    pub(crate) fn resolve(self, header: bool, problem: Tell) -> FileDialect {
        self.signs(problem);
        let usual = FileDialect::default();
        let header_rows: Vec<u64> = self.header_rows.iter().flatten().copied().map(u64::from).collect();
        let follow = header_rows.windows(2).all(|two| two[1] == two[0] + 1);
        if self.header_rows.is_some() && (header_rows.first().is_none_or(|first| *first == 0) || !follow) {
            problem("headerRows", "expected the numbers of lines, from 1, one after the other, such as [3]".into());
        }
        if !header && self.header_rows.is_some() {
            problem("headerRows", "says where the header is, and `header` that there is none".into());
        }
        let comment_rows: BTreeSet<u64> = self.comment_rows.iter().flatten().copied().map(u64::from).collect();
        if comment_rows.contains(&0) {
            problem("commentRows", "lines are counted from 1".into());
        }
        if let Some(both) = header_rows.iter().find(|row| comment_rows.contains(row)) {
            problem("commentRows", format!("line {both} is one of headerRows"));
        }
        for (key, said) in [("encoding", &self.encoding), ("property", &self.property), ("sheetName", &self.sheet_name)]
        {
            if said.as_ref().is_some_and(String::is_empty) {
                problem(key, "expected a text that is not empty".into());
            }
        }
        if self.sheet_number == Some(0) {
            problem("sheetNumber", "sheets are counted from 1".into());
        }
        if self.sheet_name.is_some() && self.sheet_number.is_some() {
            problem("sheetNumber", "says which sheet it is, and `sheetName` too: one of them is enough".into());
        }
        let sheet = match (self.sheet_name, self.sheet_number) {
            (Some(name), _) => Sheet::Name(name),
            (None, Some(number)) => usize::try_from(number).map_or(usual.sheet, Sheet::Number),
            (None, None) => usual.sheet,
        };
        let byte = |said: &Option<String>| said.as_ref().and_then(|said| said.bytes().next());
        FileDialect {
            delimiter: byte(&self.delimiter),
            quote: if self.quote_char.is_some() { byte(&self.quote_char) } else { usual.quote },
            double_quote: self.double_quote.unwrap_or(usual.double_quote),
            escape: byte(&self.escape_char),
            skip_initial_space: self.skip_initial_space.unwrap_or(usual.skip_initial_space),
            header_rows,
            header_join: self.header_join.unwrap_or(usual.header_join),
            line_terminator: match self.line_terminator.as_deref() {
                Some("\r\n") | None => usual.line_terminator,
                Some(said) => said.bytes().next().unwrap_or(usual.line_terminator),
            },
            comment: self.comment_char.filter(|comment| !comment.is_empty()),
            comment_rows,
            encoding: self.encoding,
            nan: self.nan.unwrap_or_default(),
            property: self.property,
            sheet,
        }
    }

    /// Checks that each special character is a single character with one meaning.
    fn signs(&self, problem: Tell) {
        let single = |said: &str| said.len() == 1 && said.is_ascii() && !said.as_bytes()[0].is_ascii_alphanumeric();
        let is_line_end = |said: &str| said.contains(['\r', '\n']);
        for (key, said, may_be_none) in [
            ("delimiter", &self.delimiter, false),
            ("quoteChar", &self.quote_char, true),
            ("escapeChar", &self.escape_char, true),
        ] {
            let Some(said) = said else { continue };
            if !(single(said) && !is_line_end(said) || may_be_none && said.is_empty()) {
                let message = format!(
                    "expected a single ASCII character that is no letter, no digit and no line's end, found `{}`; what \
                     it cannot say can be read with `lines`",
                    visible(said)
                );
                problem(key, message);
            }
        }
        if let Some(said) = self.line_terminator.as_deref().filter(|said| !single(said) && *said != "\r\n") {
            let message = format!(
                "expected \"\\n\", \"\\r\\n\", \"\\r\" or another single ASCII character that is no letter and no \
                 digit, found `{}`",
                visible(said)
            );
            problem("lineTerminator", message);
        }
        if self.comment_char.as_deref().is_some_and(is_line_end) {
            problem("commentChar", "expected what a line begins with, found a line's end".into());
        }
        // defaults come first, so that a conflict is reported at a key that is present
        let mut signs: Vec<(&str, &str)> = Vec::new();
        match &self.delimiter {
            Some(said) => signs.push(("delimiter", said)),
            // the extension decides between these
            None => signs.extend([("delimiter", ","), ("delimiter", "\t")]),
        }
        if self.quote_char.is_none() {
            signs.insert(0, ("quoteChar", "\""));
        }
        for (key, said) in [
            ("quoteChar", &self.quote_char),
            ("escapeChar", &self.escape_char),
            ("lineTerminator", &self.line_terminator),
            ("commentChar", &self.comment_char),
        ] {
            signs.extend(said.as_deref().filter(|said| !said.is_empty()).map(|said| (key, said)));
        }
        for (n, (key, sign)) in signs.iter().enumerate() {
            if let Some((other, _)) = signs[..n].iter().find(|(_, other)| other == sign) {
                problem(key, format!("is the same character as {other}"));
            }
        }
    }
}

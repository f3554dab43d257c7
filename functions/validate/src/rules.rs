//! Rules: the conditions that a table's metadata sets for its values, applied to record batches. Every violation is
//! counted over the whole file.
//!
//! The reader determines the type of a value, and whether its column is missing (`check` adds these findings). A null
//! that stands for such a value does not also break `nullable`. A column that may be missing but not null breaks
//! `nullable` in every row without it. Rules apply to columns, not to the fields and items inside them.

use std::io;

use arrow::array::{Array, ArrayRef, AsArray};
use contract::{Anchor, Column, Failure, Problems, Table, plural};
use regex::Regex;
use rows::{Batch, check_datetime_format, shown_value};

use crate::bounds::{Allowed, Bound, End, bits, each_above, each_below};
use crate::columns::{each_number, each_text, each_whole};
use crate::report::{Example, Violation};
use crate::unique::{Distinct, Keyed, MAXIMUM_HASHES};

/// The longest value that a report shows, in characters.
const SHOWN_CHARACTERS: usize = 80;
/// The most allowed values that a report lists.
const SHOWN_VALUES: usize = 10;

/// The rules of one table.
#[derive(Debug)]
pub(crate) struct Rules {
    rules: Vec<Rule>,
    unique: Vec<Unique>,
    allow_missing_columns: bool,
    examples: usize,
}

/// One rule of one column.
#[derive(Debug)]
struct Rule {
    /// The rule's key in the metadata.
    name: &'static str,
    /// The expectation, for people.
    expected: String,
    place: usize,
    column: String,
    sensitive: bool,
    test: Test,
}

#[derive(Debug)]
enum Test {
    NotNull,
    OneOf(Allowed),
    Matches(Regex),
    AtLeast(Bound),
    AtMost(Bound),
    CharactersAtLeast(usize),
    CharactersAtMost(usize),
}

/// Columns in which no two rows may have the same values.
#[derive(Debug)]
struct Unique {
    /// The rule's key in the metadata.
    name: &'static str,
    /// The expectation, for people.
    expected: String,
    /// The column; `None` for the primary key.
    column: Option<String>,
    parts: Vec<Part>,
}

#[derive(Debug)]
struct Part {
    place: usize,
    column: String,
    sensitive: bool,
}

/// The violations of each rule in the part of a file that has been read.
#[derive(Debug)]
pub(crate) struct Tallies<'a> {
    rules: &'a Rules,
    tallies: Vec<(u64, Vec<Example>)>,
    keyed: Keyed,
    distinct: Vec<Distinct>,
}

impl Rules {
    /// Compiles the rules of a table. Those that cannot be checked are added to the problems.
    pub(crate) fn new(table: &Table, problems: &mut Problems) -> Self {
        let checks = &table.checks;
        let mut rules = Vec::new();
        let mut unique = Vec::new();
        let key = |column: &Column| checks.unique_primary_key && table.primary_key.contains(&column.name);
        for (place, column) in table.data_columns().iter().enumerate() {
            let mut problem =
                |rule, message| problems.add(&table.file, format!("{rule} of column `{}`", column.name), message);
            let mut add = |name, expected: String, test| {
                let (column, sensitive) = (column.name.clone(), column.sensitive);
                rules.push(Rule { name, expected, place, column, sensitive, test });
            };
            if key(column) {
                add("nullable", "a value: the column is a part of the primary key".into(), Test::NotNull);
            } else if !column.nullable {
                add("nullable", "a value: the column may not be null".into(), Test::NotNull);
            }
            if let Some(Err(message)) = column.datetime_format.as_deref().map(check_datetime_format) {
                problem("datetime_format", message);
                // none of the column's values could be read
                continue;
            }
            if let Some(texts) = &column.enumeration {
                match Allowed::new(table, column, texts) {
                    Ok(allowed) => add("enum", one_of(texts), Test::OneOf(allowed)),
                    Err(message) => problem("enum", message),
                }
            }
            if let Some(pattern) = &column.pattern {
                match anchored(pattern, checks.pattern_anchor) {
                    Ok((regex, expected)) => add("pattern", expected, Test::Matches(regex)),
                    Err(message) => problem("pattern", message),
                }
            }
            let mut bound = |name, text: &Option<String>, end| match Bound::new(table, column, text.as_ref()?, end) {
                Ok(bound) => Some(bound),
                Err(message) => {
                    problem(name, message);
                    None
                }
            };
            let least = bound("minimum", &column.minimum, End::Least);
            let most = bound("maximum", &column.maximum, End::Greatest);
            if let (Some(least), Some(most)) = (least, most)
                && least > most
            {
                problem("minimum", "is more than the maximum: no value can pass".into());
            }
            let said = |text: &Option<String>| text.clone().unwrap_or_default();
            if let Some(least) = least {
                add("minimum", format!("at least {}", said(&column.minimum)), Test::AtLeast(least));
            }
            if let Some(most) = most {
                add("maximum", format!("at most {}", said(&column.maximum)), Test::AtMost(most));
            }
            if let Some(least) = column.min_length {
                add("minLength", format!("at least {}", characters(least)), Test::CharactersAtLeast(least as usize));
            }
            if let Some(most) = column.max_length {
                add("maxLength", format!("at most {}", characters(most)), Test::CharactersAtMost(most as usize));
            }
            if column.unique {
                unique.push(Unique {
                    name: "unique",
                    expected: "a value that no earlier row has".into(),
                    column: Some(column.name.clone()),
                    parts: vec![Part::new(place, column)],
                });
            }
        }
        if checks.unique_primary_key {
            let parts = table.data_columns().iter().enumerate().filter(|(_, column)| key(column));
            let parts: Vec<Part> = parts.map(|(place, column)| Part::new(place, column)).collect();
            let names: Vec<String> = parts.iter().map(|part| format!("`{}`", part.column)).collect();
            let expected = format!("a primary key ({}) that no earlier row has", names.join(", "));
            unique.push(Unique { name: "unique_primary_key", expected, column: None, parts });
        }
        Self { rules, unique, allow_missing_columns: checks.allow_missing_columns, examples: checks.examples }
    }

    /// Starts the counts for one file.
    pub(crate) fn start(&self) -> Tallies<'_> {
        let hashes = MAXIMUM_HASHES / self.unique.len().max(1);
        Tallies {
            rules: self,
            tallies: self.rules.iter().map(|_| (0, Vec::new())).collect(),
            keyed: Keyed::new(),
            distinct: self.unique.iter().map(|_| Distinct::new(hashes, self.examples)).collect(),
        }
    }
}

/// Returns a pattern as it is applied, and its expectation as text.
pub(crate) fn anchored(pattern: &str, anchor: Anchor) -> Result<(Regex, String), String> {
    let (regex, expected) = match anchor {
        Anchor::Start => (format!(r"\A(?:{pattern})"), format!("a text that begins with `{pattern}`")),
        Anchor::Whole => (format!(r"\A(?:{pattern})\z"), format!("a text that is `{pattern}`")),
    };
    let regex = Regex::new(&regex).map_err(|error| format!("`{pattern}` cannot be used: {error}"))?;
    Ok((regex, expected))
}

impl Part {
    fn new(place: usize, column: &Column) -> Self {
        Self { place, column: column.name.clone(), sensitive: column.sensitive }
    }
}

impl Tallies<'_> {
    /// Applies every rule to every row of a batch. Fails if there is no room to remember the values that must be
    /// unique.
    pub(crate) fn add(&mut self, batch: &Batch) -> Result<(), Failure> {
        let most = self.rules.examples;
        for (rule, (count, examples)) in self.rules.rules.iter().zip(&mut self.tallies) {
            let array = batch.batch.column(rule.place);
            rule.each_breach(batch, array, self.rules.allow_missing_columns, |row| {
                *count += 1;
                if examples.len() < most {
                    let value = (!rule.sensitive && array.is_valid(row)).then(|| shown(array, row));
                    examples.push(Example { line: batch.line(row), first_line: None, path: None, value });
                }
            });
        }
        for (unique, distinct) in self.rules.unique.iter().zip(&mut self.distinct) {
            let columns: Vec<ArrayRef> =
                unique.parts.iter().map(|part| ArrayRef::clone(batch.batch.column(part.place))).collect();
            let seen = self
                .keyed
                .each(&columns, |row, digest| distinct.see(digest, batch.line(row), || unique.shown(&columns, row)));
            seen.map_err(|error| unique.no_room(&error))?;
        }
        Ok(())
    }

    /// Returns the rules that are broken, in the order of the columns. `rows` is the number of all rows.
    pub(crate) fn broken(self, rows: u64) -> Result<Vec<Violation>, Failure> {
        let mut all = Vec::new();
        for (rule, (count, examples)) in self.rules.rules.iter().zip(self.tallies) {
            if count > 0 {
                all.push(Violation::counted(rule.name, Some(&rule.column), &rule.expected, count, rows, examples));
            }
        }
        for (unique, distinct) in self.rules.unique.iter().zip(self.distinct) {
            let (count, examples) = distinct.finish().map_err(|error| unique.no_room(&error))?;
            if count > 0 {
                let column = unique.column.as_deref();
                all.push(Violation::counted(unique.name, column, &unique.expected, count, rows, examples));
            }
        }
        Ok(all)
    }
}

impl Unique {
    /// Returns a row's values, except those of sensitive columns.
    fn shown(&self, columns: &[ArrayRef], row: usize) -> Option<String> {
        let open = self.parts.iter().zip(columns).filter(|(part, _)| !part.sensitive);
        let shown: Vec<String> = match self.column {
            Some(_) => open.map(|(_, array)| shown(array, row)).collect(),
            None => open.map(|(part, array)| format!("{}: {}", part.column, shown(array, row))).collect(),
        };
        (!shown.is_empty()).then(|| shown.join(", "))
    }

    fn no_room(&self, error: &io::Error) -> Failure {
        let of = self.column.as_ref().map(|column| format!(" of column `{column}`")).unwrap_or_default();
        Failure::internal(format!(
            "`{}`{of}: its values do not fit into memory, and the temporary folder does not take them ({error}): raise \
             the function's EphemeralStorage",
            self.name
        ))
    }
}

impl Rule {
    fn each_breach(&self, batch: &Batch, array: &ArrayRef, allow_missing: bool, mut breach: impl FnMut(usize)) {
        match &self.test {
            Test::NotNull => {
                if array.null_count() == 0 {
                    return;
                }
                let mut gaps = batch.gaps(self.place).iter().filter(|gap| !(gap.missing && allow_missing)).peekable();
                for row in (0..array.len()).filter(|row| array.is_null(*row)) {
                    if gaps.next_if(|gap| gap.row == row).is_none() {
                        breach(row);
                    }
                }
            }
            Test::OneOf(Allowed::Nothing) => (0..array.len()).filter(|row| array.is_valid(*row)).for_each(breach),
            Test::OneOf(Allowed::Texts(allowed)) => each_text(array, |row, text| {
                if !allowed.has(text) {
                    breach(row);
                }
            }),
            Test::OneOf(Allowed::Whole(allowed)) => each_whole(array, |row, value| {
                if !allowed.holds(value) {
                    breach(row);
                }
            }),
            Test::OneOf(Allowed::Numbers(allowed)) => each_number(array, |row, value| {
                if !allowed.holds(bits(value)) {
                    breach(row);
                }
            }),
            Test::Matches(regex) => each_text(array, |row, text| {
                if !regex.is_match(text) {
                    breach(row);
                }
            }),
            // a character has one to four bytes, so most texts need no counting
            Test::CharactersAtLeast(least) => each_text(array, |row, text| {
                if text.len() < *least || (text.len() < least.saturating_mul(4) && text.chars().count() < *least) {
                    breach(row);
                }
            }),
            Test::CharactersAtMost(most) => each_text(array, |row, text| {
                if text.len() > *most && (text.len() > most.saturating_mul(4) || text.chars().count() > *most) {
                    breach(row);
                }
            }),
            Test::AtLeast(bound) => each_below(array, *bound, breach),
            Test::AtMost(bound) => each_above(array, *bound, breach),
        }
    }
}

fn one_of(allowed: &[String]) -> String {
    let listed: Vec<_> = allowed.iter().take(SHOWN_VALUES).map(|value| format!("`{value}`")).collect();
    let more = allowed.len() - listed.len();
    match (listed.is_empty(), more) {
        (true, _) => "no value".into(),
        (_, 0) => format!("one of {}", listed.join(", ")),
        _ => format!("one of {} or {more} more", listed.join(", ")),
    }
}

fn characters(number: u64) -> String {
    plural(number as usize, "character")
}

fn shown(array: &dyn Array, row: usize) -> String {
    // a text is shown as it is, without quotes
    let text = array.as_string_opt::<i32>().map(|texts| texts.value(row).to_owned());
    let text = text.unwrap_or_else(|| shown_value(array, row));
    match text.char_indices().nth(SHOWN_CHARACTERS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use contract::FailureKind;

    use super::*;

    #[test]
    fn a_full_disk_is_no_fault_of_the_file() {
        let unique = Unique { name: "unique", expected: String::new(), column: Some("id".into()), parts: Vec::new() };
        let failure = unique.no_room(&io::ErrorKind::StorageFull.into());
        assert_eq!(failure.kind, FailureKind::Internal);
        let message = failure.message;
        assert!(message.contains("`unique` of column `id`") && message.contains("EphemeralStorage"), "{message}");
    }

    #[test]
    fn long_values_and_long_lists_are_cut() {
        let allowed: Vec<String> = (0..12).map(|n| n.to_string()).collect();
        let listed = "one of `0`, `1`, `2`, `3`, `4`, `5`, `6`, `7`, `8`, `9` or 2 more";
        assert_eq!(one_of(&allowed), listed);
        assert_eq!((one_of(&allowed[..1]), one_of(&[])), ("one of `0`".into(), "no value".into()));
        let text = arrow::array::StringArray::from(vec!["é".repeat(81)]);
        assert_eq!(shown(&text, 0), "é".repeat(80) + "…");
    }
}

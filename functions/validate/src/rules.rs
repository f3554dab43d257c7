//! The rules that a table's metadata sets for its values, over batches of rows. Every rule is counted over the whole
//! file.
//!
//! The type of a value, and whether its column is there, are the reader's findings (`check` adds them): a null that
//! stands for such a value does not break `nullable` as well. A column that may be missing and may not be null breaks
//! `nullable` in every row without it.

use std::collections::HashSet;

use arrow::array::{Array, AsArray, PrimitiveArray};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, TimeUnit, TimestampMillisecondType,
};
use arrow::util::display::array_value_to_string;
use contract::{Anchor, Column, ColumnType, Compression, Failure, FileFormat, Table};
use regex::Regex;
use rows::{Batch, Options, RowReader};

use crate::report::{Broken, Example};

/// Rows that a report shows for each rule of each column.
pub const EXAMPLES: usize = 5;
/// Longest value that a report shows, in characters.
const SHOWN_CHARACTERS: usize = 80;
/// Allowed values that a report lists.
const SHOWN_VALUES: usize = 10;

/// The rules of one table.
#[derive(Debug)]
pub struct Rules {
    rules: Vec<Rule>,
    allow_missing_columns: bool,
}

/// One rule of one column.
#[derive(Debug)]
struct Rule {
    /// As in the metadata.
    name: &'static str,
    /// What a value must be, for people.
    expected: String,
    place: usize,
    column: String,
    sensitive: bool,
    test: Test,
}

#[derive(Debug)]
enum Test {
    NotNull,
    OneOf(Values),
    Matches(Regex),
    AtLeast(Bound),
    AtMost(Bound),
    CharactersAtLeast(usize),
    CharactersAtMost(usize),
}

/// Allowed values of a column.
#[derive(Debug)]
enum Values {
    Texts(HashSet<String>),
    /// Whole numbers; units of the last digit of a decimal, days, milliseconds, 0 and 1 of a boolean.
    Whole(HashSet<i128>),
    Numbers(Vec<f64>),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Bound {
    /// In units of the column's last digit.
    Whole(i128),
    Float32(f32),
    Float64(f64),
}

/// How often each rule is broken in a file, as far as it was read.
#[derive(Debug)]
pub struct Tallies<'a> {
    rules: &'a Rules,
    tallies: Vec<(u64, Vec<Example>)>,
}

impl Rules {
    /// The rules that a table's metadata sets.
    pub fn new(table: &Table) -> Result<Self, Failure> {
        let mut rules = Vec::new();
        for (place, column) in table.data_columns().iter().enumerate() {
            let mut add = |name, expected: String, test| {
                let (column, sensitive) = (column.name.clone(), column.sensitive);
                rules.push(Rule { name, expected, place, column, sensitive, test });
            };
            if !column.nullable {
                add("nullable", "a value: the column may not be null".into(), Test::NotNull);
            }
            if let Some(allowed) = &column.enumeration {
                add("enum", one_of(allowed), Test::OneOf(Values::new(table, column, allowed)?));
            }
            let is_text = column.column_type == ColumnType::String;
            if let Some(pattern) = column.pattern.as_ref().filter(|_| is_text) {
                let (anchored, expected) = match table.checks.pattern_anchor {
                    Anchor::Start => (format!(r"\A(?:{pattern})"), format!("a text that begins with `{pattern}`")),
                    Anchor::Whole => (format!(r"\A(?:{pattern})\z"), format!("a text that is `{pattern}`")),
                };
                let regex = Regex::new(&anchored).map_err(|error| {
                    let place = format!("{}: pattern of column `{}`", table.file.display(), column.name);
                    Failure::bad_metadata(format!("{place}: {error}"))
                })?;
                add("pattern", expected, Test::Matches(regex));
            }
            let bound = |bound: &str, round| {
                let parsed = bound.parse().map_err(|_| {
                    let place = format!("{}: bound of column `{}`", table.file.display(), column.name);
                    Failure::bad_metadata(format!("{place}: `{bound}` is not a number"))
                });
                parsed.map(|bound| Bound::new(bound, column, round))
            };
            if let Some(least) = &column.minimum {
                add("minimum", format!("at least {least}"), Test::AtLeast(bound(least, Round::Up)?));
            }
            if let Some(most) = &column.maximum {
                add("maximum", format!("at most {most}"), Test::AtMost(bound(most, Round::Down)?));
            }
            if let Some(least) = column.min_length.filter(|_| is_text) {
                add("minLength", format!("at least {least} characters"), Test::CharactersAtLeast(least as usize));
            }
            if let Some(most) = column.max_length.filter(|_| is_text) {
                add("maxLength", format!("at most {most} characters"), Test::CharactersAtMost(most as usize));
            }
        }
        Ok(Self { rules, allow_missing_columns: table.checks.allow_missing_columns })
    }

    /// Counts for one file.
    pub fn start(&self) -> Tallies<'_> {
        Tallies { rules: self, tallies: self.rules.iter().map(|_| (0, Vec::new())).collect() }
    }
}

impl Tallies<'_> {
    /// Applies every rule to every row of a batch.
    pub fn add(&mut self, batch: &Batch) {
        for (rule, (count, examples)) in self.rules.rules.iter().zip(&mut self.tallies) {
            let array = batch.batch.column(rule.place);
            rule.each_breach(batch, array, self.rules.allow_missing_columns, |row| {
                *count += 1;
                if examples.len() < EXAMPLES {
                    let value = (!rule.sensitive && array.is_valid(row)).then(|| shown(array, row));
                    examples.push(Example { line: batch.line(row), path: None, value });
                }
            });
        }
    }

    /// The rules that are broken, in the order of the columns. `rows` is how many there are in all.
    pub fn broken(self, rows: u64) -> Vec<Broken> {
        let broken = self.rules.rules.iter().zip(self.tallies).filter(|(_, (count, _))| *count > 0);
        let broken = broken.map(|(rule, (count, examples))| {
            Broken::counted(rule.name, Some(&rule.column), &rule.expected, count, rows, examples)
        });
        broken.collect()
    }
}

impl Rule {
    fn each_breach(&self, batch: &Batch, array: &dyn Array, allow_missing: bool, mut breach: impl FnMut(usize)) {
        match &self.test {
            Test::NotNull => {
                let mut gaps = batch.gaps(self.place).iter().filter(|gap| !(gap.missing && allow_missing)).peekable();
                if array.null_count() == 0 {
                    return;
                }
                for row in (0..array.len()).filter(|row| array.is_null(*row)) {
                    if gaps.next_if(|gap| gap.row == row).is_none() {
                        breach(row);
                    }
                }
            }
            Test::OneOf(Values::Texts(allowed)) => each_text(array, |row, text| {
                if !allowed.contains(text) {
                    breach(row);
                }
            }),
            Test::OneOf(Values::Whole(allowed)) => each_whole(array, |row, value| {
                if !allowed.contains(&value) {
                    breach(row);
                }
            }),
            Test::OneOf(Values::Numbers(allowed)) => each_number(array, |row, value| {
                if !allowed.contains(&value) {
                    breach(row);
                }
            }),
            Test::Matches(regex) => each_text(array, |row, text| {
                if !regex.is_match(text) {
                    breach(row);
                }
            }),
            Test::CharactersAtLeast(least) => each_text(array, |row, text| {
                if text.len() < *least || text.chars().count() < *least {
                    breach(row);
                }
            }),
            Test::CharactersAtMost(most) => each_text(array, |row, text| {
                if text.len() > *most && text.chars().count() > *most {
                    breach(row);
                }
            }),
            Test::AtLeast(bound) => each_beyond(array, *bound, |value, bound| value < bound, breach),
            Test::AtMost(bound) => each_beyond(array, *bound, |value, bound| value > bound, breach),
        }
    }
}

/// Values are compared in their own type, so that none is rounded on the way.
fn each_beyond(
    array: &dyn Array,
    bound: Bound,
    beyond: impl Fn(Number, Number) -> bool,
    mut breach: impl FnMut(usize),
) {
    match bound {
        Bound::Whole(bound) => each_whole(array, |row, value| {
            if beyond(Number::Whole(value), Number::Whole(bound)) {
                breach(row);
            }
        }),
        Bound::Float32(bound) => each::<Float32Type>(array, |row, value| {
            if beyond(Number::Float(value.into()), Number::Float(bound.into())) {
                breach(row);
            }
        }),
        Bound::Float64(bound) => each::<Float64Type>(array, |row, value| {
            if beyond(Number::Float(value), Number::Float(bound)) {
                breach(row);
            }
        }),
    }
}

#[derive(Clone, Copy, PartialEq, PartialOrd)]
enum Number {
    Whole(i128),
    Float(f64),
}

fn each<T: ArrowPrimitiveType>(array: &dyn Array, mut value: impl FnMut(usize, T::Native)) {
    let Some(array) = array.as_any().downcast_ref::<PrimitiveArray<T>>() else { return };
    if array.null_count() == 0 {
        array.values().iter().enumerate().for_each(|(row, found)| value(row, *found));
    } else {
        array
            .iter()
            .enumerate()
            .filter_map(|(row, found)| Some((row, found?)))
            .for_each(|(row, found)| value(row, found));
    }
}

fn each_text(array: &dyn Array, mut value: impl FnMut(usize, &str)) {
    let Some(array) = array.as_string_opt::<i32>() else { return };
    array.iter().enumerate().filter_map(|(row, found)| Some((row, found?))).for_each(|(row, found)| value(row, found));
}

fn each_whole(array: &dyn Array, mut value: impl FnMut(usize, i128)) {
    match array.data_type() {
        DataType::Int8 => each::<Int8Type>(array, |row, found| value(row, found.into())),
        DataType::Int16 => each::<Int16Type>(array, |row, found| value(row, found.into())),
        DataType::Int32 => each::<Int32Type>(array, |row, found| value(row, found.into())),
        DataType::Int64 => each::<Int64Type>(array, |row, found| value(row, found.into())),
        DataType::Date32 => each::<Date32Type>(array, |row, found| value(row, found.into())),
        DataType::Timestamp(TimeUnit::Millisecond, _) => {
            each::<TimestampMillisecondType>(array, |row, found| value(row, found.into()));
        }
        DataType::Decimal128(..) => each::<Decimal128Type>(array, value),
        DataType::Boolean => {
            let array = array.as_boolean();
            for (row, found) in array.iter().enumerate() {
                if let Some(found) = found {
                    value(row, found.into());
                }
            }
        }
        _ => {}
    }
}

fn each_number(array: &dyn Array, mut value: impl FnMut(usize, f64)) {
    match array.data_type() {
        DataType::Float32 => each::<Float32Type>(array, |row, found| value(row, found.into())),
        _ => each::<Float64Type>(array, value),
    }
}

impl Values {
    /// Reads the allowed values as the reader reads those of a file, so that the two compare equal.
    fn new(table: &Table, column: &Column, allowed: &[String]) -> Result<Self, Failure> {
        let fail = |what: String| {
            let place = format!("{}: enum of column `{}`", table.file.display(), column.name);
            Failure::bad_metadata(format!("{place}: {what}"))
        };
        let quoted = matches!(column.column_type, ColumnType::String | ColumnType::Date | ColumnType::Timestamp);
        let line = |value: &String| {
            let value = if quoted { serde_json::Value::from(value.as_str()).to_string() } else { value.clone() };
            format!("{{\"{}\":{value}}}\n", column.name)
        };
        let text: String = allowed.iter().map(line).collect();
        let alone = Table { columns: vec![column.clone()], partitions: Vec::new(), ..table.clone() };
        let options = Options { batch_rows: usize::MAX, batch_bytes: usize::MAX, ..Options::default() };
        let reader =
            RowReader::new(std::io::Cursor::new(text), FileFormat::JsonLines, Compression::None, &alone, options);
        let read = reader.and_then(|mut reader| reader.next_batch()).map_err(|error| fail(error.to_string()))?;
        // a list without values allows null alone
        let Some(batch) = read else { return Ok(Self::Texts(HashSet::new())) };
        if let Some(misfit) = batch.misfits.first() {
            let value = allowed.get(misfit.line as usize - 1).map_or("", String::as_str);
            return Err(fail(format!("`{value}` is not a value of the column: expected {}", misfit.expected)));
        }
        let array = batch.batch.column(0);
        let (mut texts, mut whole, mut numbers) = (HashSet::new(), HashSet::new(), Vec::new());
        each_text(array, |_, value| {
            texts.insert(value.to_owned());
        });
        each_whole(array, |_, value| {
            whole.insert(value);
        });
        each_number(array, |_, value| numbers.push(value));
        match column.column_type {
            ColumnType::String => Ok(Self::Texts(texts)),
            ColumnType::Float32 | ColumnType::Float64 => Ok(Self::Numbers(numbers)),
            ColumnType::Binary | ColumnType::Struct(_) | ColumnType::List(_) => {
                Err(fail(format!("a {} cannot be compared with a list of values", column.column_type)))
            }
            _ => Ok(Self::Whole(whole)),
        }
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Round {
    Up,
    Down,
}

impl Bound {
    fn new(bound: f64, column: &Column, round: Round) -> Self {
        match column.column_type {
            ColumnType::Float32 => Self::Float32(bound as f32),
            ColumnType::Float64 => Self::Float64(bound),
            ColumnType::Decimal { scale, .. } => Self::Whole(units(bound, scale, round)),
            _ => Self::Whole(units(bound, 0, round)),
        }
    }
}

/// A bound in units of the last of `scale` digits after the point, towards the inside of the range where it lies
/// between two. Goes by the bound's text: 0.1 in the metadata means a tenth, not the double next to it.
fn units(bound: f64, scale: u8, round: Round) -> i128 {
    let text = bound.abs().to_string();
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let (kept, cut) = fraction.split_at(fraction.len().min(scale.into()));
    let digits = format!("{whole}{kept:0<width$}", width = usize::from(scale));
    // beyond 38 digits, and so beyond every value of a column
    let magnitude: i128 = digits.parse().unwrap_or(i128::MAX);
    let between = cut.bytes().any(|digit| digit != b'0');
    match (bound < 0.0, round) {
        (false, Round::Up) => magnitude.saturating_add(between.into()),
        (false, Round::Down) => magnitude,
        (true, Round::Up) => -magnitude,
        (true, Round::Down) => (-magnitude).saturating_sub(between.into()),
    }
}

fn one_of(allowed: &[String]) -> String {
    let listed: Vec<_> = allowed.iter().take(SHOWN_VALUES).map(|value| format!("`{value}`")).collect();
    let more = allowed.len() - listed.len();
    let more = if more > 0 { format!(" or {more} more") } else { String::new() };
    format!("one of {}{more}", listed.join(", "))
}

fn shown(array: &dyn Array, row: usize) -> String {
    // only a type that Arrow cannot show fails, and a column has none such
    let text = array_value_to_string(array, row).unwrap_or_default();
    match text.char_indices().nth(SHOWN_CHARACTERS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_is_the_number_that_is_written() {
        for (bound, scale, up, down) in [
            (0.1, 1, 1, 1),
            (0.1, 3, 100, 100),
            (0.1, 0, 1, 0),
            (-0.1, 0, 0, -1),
            (-9.5, 0, -9, -10),
            (7.0, 2, 700, 700),
            (0.0, 0, 0, 0),
            (1e21, 0, 10_i128.pow(21), 10_i128.pow(21)),
        ] {
            assert_eq!(
                (units(bound, scale, Round::Up), units(bound, scale, Round::Down)),
                (up, down),
                "{bound} {scale}"
            );
        }
        assert!(units(1e300, 38, Round::Up) > 10_i128.pow(38) && units(-1e300, 0, Round::Down) < -10_i128.pow(37));
    }
}

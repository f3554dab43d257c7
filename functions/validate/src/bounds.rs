//! Bounds and allowed values, which the metadata has as text. They are parsed like a file's values, so they are
//! compared in the column's own type and nothing is rounded.

use std::collections::HashSet;
use std::hash::Hash;
use std::io::Cursor;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
};
use contract::{Column, ColumnType, Compression, FileFormat, Table};
use rows::{Options, RowReader};

use crate::columns::{each_number, each_text, each_whole};

/// Up to this many values are compared one by one, which is faster than a hash.
const FEW: usize = 16;

/// The allowed values of a column.
#[derive(Debug)]
pub(crate) enum Allowed {
    Texts(Set<Box<str>>),
    /// Integers; decimals and timestamps in units of their last digit, dates in days, and booleans as 0 and 1.
    Whole(Set<i128>),
    /// The bits of doubles; zero has only one sign.
    Numbers(Set<u64>),
    /// No value; only null passes.
    Nothing,
}

/// A set that is searched once for each value of a file.
#[derive(Debug)]
pub(crate) enum Set<T> {
    /// Compared one by one.
    Few(Vec<T>),
    /// By hash.
    Many(HashSet<T, ahash::RandomState>),
}

impl<T: Hash + Eq> Set<T> {
    fn new(values: Vec<T>) -> Self {
        if values.len() <= FEW { Self::Few(values) } else { Self::Many(values.into_iter().collect()) }
    }
}

impl Set<Box<str>> {
    /// Whether the set contains a text.
    pub(crate) fn has(&self, text: &str) -> bool {
        match self {
            Self::Few(values) => values.iter().any(|value| **value == *text),
            Self::Many(values) => values.contains(text),
        }
    }
}

impl<T: Hash + Eq + Copy> Set<T> {
    /// Whether the set contains a value.
    pub(crate) fn holds(&self, value: T) -> bool {
        match self {
            Self::Few(values) => values.contains(&value),
            Self::Many(values) => values.contains(&value),
        }
    }
}

/// Returns the bits by which a double is compared with the allowed ones.
pub(crate) fn bits(number: f64) -> u64 {
    // adding zero turns -0.0 into 0.0
    (number + 0.0).to_bits()
}

/// A bound, in the type of the column's values.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub(crate) enum Bound {
    /// For integers, dates in days, and timestamps in units of their last digit.
    Whole(i64),
    /// In units of the column's last digit.
    Decimal(i128),
    /// Of single precision: the nearest to the metadata's text, as the column's values are.
    Float32(f32),
    /// Of double precision.
    Float64(f64),
}

/// The end of a range. A bound that lies between two values of the column's type is rounded into the range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The minimum.
    Least,
    /// The maximum.
    Greatest,
}

impl Allowed {
    /// Parses the allowed values. Fails with the first text that is not a value of the column.
    pub(crate) fn new(table: &Table, column: &Column, texts: &[String]) -> Result<Self, String> {
        let (mut strings, mut whole, mut numbers) = (Vec::new(), Vec::new(), Vec::new());
        for array in read(table, column, texts)? {
            each_text(&array, |_, value| strings.push(value.into()));
            each_whole(&array, |_, value| whole.push(value));
            each_number(&array, |_, value| numbers.push(bits(value)));
        }
        Ok(match column.column_type {
            _ if texts.is_empty() => Self::Nothing,
            ColumnType::String => Self::Texts(Set::new(strings)),
            ColumnType::Float32 | ColumnType::Float64 => Self::Numbers(Set::new(numbers)),
            ColumnType::Binary | ColumnType::Struct(_) | ColumnType::List(_) => {
                return Err(format!("values of type {} are not compared with a list", column.column_type));
            }
            _ => Self::Whole(Set::new(whole)),
        })
    }
}

impl Bound {
    /// Parses a bound. Fails if the text is not a value, or if no value of the column's type could be within the bound.
    pub(crate) fn new(table: &Table, column: &Column, text: &str, end: End) -> Result<Self, String> {
        let column_type = &column.column_type;
        let outside = || {
            let side = if end == End::Least { "great" } else { "small" };
            format!("no {column_type} is as {side} as `{text}`: no value can pass")
        };
        let no_number = || format!("`{text}` is not a number");
        match column_type {
            ColumnType::Date | ColumnType::Timestamp(_) => {
                let mut bound = None;
                for array in read(table, column, &[text.to_owned()])? {
                    each_whole(&array, |_, value| bound = i64::try_from(value).ok());
                }
                bound.map(Self::Whole).ok_or_else(|| format!("`{text}` is not a value of the column"))
            }
            ColumnType::Float32 => {
                let bound = text.parse::<f32>().map_err(|_| no_number())?;
                let reached = if end == End::Least { bound < f32::INFINITY } else { bound > f32::NEG_INFINITY };
                if reached { Ok(Self::Float32(bound)) } else { Err(outside()) }
            }
            ColumnType::Float64 => text.parse().map(Self::Float64).map_err(|_| no_number()),
            ColumnType::Decimal { precision, scale } => {
                let greatest = 10_i128.pow(u32::from(*precision)) - 1;
                let units = units(text, *scale, end).ok_or_else(no_number)?;
                within(units, (-greatest, greatest), end).map(Self::Decimal).ok_or_else(outside)
            }
            _ => {
                let units = units(text, 0, end).ok_or_else(no_number)?;
                let (least, greatest): (i64, i64) = match column_type {
                    ColumnType::Int8 => (i8::MIN.into(), i8::MAX.into()),
                    ColumnType::Int16 => (i16::MIN.into(), i16::MAX.into()),
                    ColumnType::Int32 => (i32::MIN.into(), i32::MAX.into()),
                    _ => (i64::MIN, i64::MAX),
                };
                let bound = within(units, (least.into(), greatest.into()), end).ok_or_else(outside)?;
                // fits: clamped to i64 above
                Ok(Self::Whole(bound as i64))
            }
        }
    }
}

/// Calls `breach` for the rows whose value is below a bound. NaN is outside every bound.
pub(crate) fn each_below(array: &dyn Array, bound: Bound, breach: impl FnMut(usize)) {
    match bound {
        Bound::Whole(least) => each_whole_outside(array, move |value| value >= least, breach),
        Bound::Decimal(least) => each_outside::<Decimal128Type>(array, move |value| value >= least, breach),
        Bound::Float32(least) => each_outside::<Float32Type>(array, move |value| value >= least, breach),
        Bound::Float64(least) => each_outside::<Float64Type>(array, move |value| value >= least, breach),
    }
}

/// Calls `breach` for the rows whose value is above a bound.
pub(crate) fn each_above(array: &dyn Array, bound: Bound, breach: impl FnMut(usize)) {
    match bound {
        Bound::Whole(most) => each_whole_outside(array, move |value| value <= most, breach),
        Bound::Decimal(most) => each_outside::<Decimal128Type>(array, move |value| value <= most, breach),
        Bound::Float32(most) => each_outside::<Float32Type>(array, move |value| value <= most, breach),
        Bound::Float64(most) => each_outside::<Float64Type>(array, move |value| value <= most, breach),
    }
}

fn each_whole_outside(array: &dyn Array, fits: impl Fn(i64) -> bool, breach: impl FnMut(usize)) {
    match array.data_type() {
        DataType::Int8 => each_outside::<Int8Type>(array, |value| fits(value.into()), breach),
        DataType::Int16 => each_outside::<Int16Type>(array, |value| fits(value.into()), breach),
        DataType::Int32 => each_outside::<Int32Type>(array, |value| fits(value.into()), breach),
        DataType::Int64 => each_outside::<Int64Type>(array, fits, breach),
        DataType::Date32 => each_outside::<Date32Type>(array, |value| fits(value.into()), breach),
        DataType::Timestamp(TimeUnit::Microsecond, _) => each_outside::<TimestampMicrosecondType>(array, fits, breach),
        DataType::Timestamp(TimeUnit::Nanosecond, _) => each_outside::<TimestampNanosecondType>(array, fits, breach),
        _ => each_outside::<TimestampMillisecondType>(array, fits, breach),
    }
}

fn each_outside<T: ArrowPrimitiveType>(
    array: &dyn Array,
    fits: impl Fn(T::Native) -> bool,
    mut breach: impl FnMut(usize),
) {
    let Some(array) = array.as_primitive_opt::<T>() else { return };
    let values = array.values();
    // without a branch, so that several values are compared at once; values under a null are excluded below
    if values.iter().fold(true, |all, value| all & fits(*value)) {
        return;
    }
    for (row, value) in values.iter().enumerate() {
        if !fits(*value) && array.is_valid(row) {
            breach(row);
        }
    }
}

/// Clamps a bound to the type's range; `None` if no value of the type can be within it.
fn within(units: i128, (least, greatest): (i128, i128), end: End) -> Option<i128> {
    let reached = if end == End::Least { units <= greatest } else { units >= least };
    reached.then_some(units.clamp(least, greatest))
}

/// Returns a number in units of the last of `scale` decimal places; `None` if the text is not a number. It is computed
/// from the text: 0.1 in the metadata means a tenth, not the nearest double.
fn units(text: &str, scale: u8, end: End) -> Option<i128> {
    let (negative, rest) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let (mantissa, exponent) = rest.split_once(['e', 'E']).unwrap_or((rest, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !(is_digits(whole) && is_digits(fraction) && is_digits(exponent.strip_prefix(['-', '+']).unwrap_or(exponent))) {
        return None;
    }
    let digits = format!("{whole}{fraction}");
    let significant = digits.trim_start_matches('0');
    if significant.is_empty() {
        return Some(0);
    }
    // an exponent that overflows an i64 counts as the greatest or least
    let exponent = exponent.parse::<i64>().unwrap_or(if exponent.starts_with('-') { i64::MIN } else { i64::MAX });
    // the number of significant digits before the point, after scaling
    let zeros = digits.len() - significant.len();
    let kept = exponent.saturating_add(whole.len() as i64 - zeros as i64 + i64::from(scale));
    let magnitude = match usize::try_from(kept) {
        // more than 38 digits, and so beyond every value of a column
        Ok(kept) if kept > 38 => i128::MAX,
        Ok(kept) => format!("0{:0<kept$}", &significant[..significant.len().min(kept)]).parse().unwrap_or(i128::MAX),
        Err(_) => 0,
    };
    let cut = significant.get(usize::try_from(kept).unwrap_or(0)..).unwrap_or_default();
    let between = cut.bytes().any(|digit| digit != b'0');
    Some(match (negative, end) {
        (false, End::Least) => magnitude.saturating_add(between.into()),
        (false, End::Greatest) => magnitude,
        (true, End::Least) => -magnitude,
        (true, End::Greatest) => (-magnitude).saturating_sub(between.into()),
    })
}

/// Reads texts as values of the column. Fails with the first that is not one.
fn read(table: &Table, column: &Column, texts: &[String]) -> Result<Vec<ArrayRef>, String> {
    let quoted = column.column_type.is_time() || matches!(column.column_type, ColumnType::String | ColumnType::Binary);
    let line = |value: &String| {
        let value = if quoted { serde_json::Value::from(value.as_str()).to_string() } else { value.clone() };
        format!("{{\"{}\":{value}}}\n", column.name)
    };
    let lines: String = texts.iter().map(line).collect();
    // in the metadata's own notation, whatever the files have
    let column = Column { source_name: None, source_position: None, written: Default::default(), ..column.clone() };
    let file_dialect = Default::default();
    let alone = Table { columns: vec![column], partitions: Vec::new(), file_dialect, ..table.clone() };
    let mut reader =
        RowReader::new(Cursor::new(lines), FileFormat::JsonLines, Compression::None, &alone, Options::default())
            .map_err(|error| error.to_string())?;
    let mut arrays = Vec::new();
    while let Some(batch) = reader.next_batch().map_err(|error| error.to_string())? {
        if let Some(misfit) = batch.misfits.first() {
            let value = texts.get(misfit.line as usize - 1).map_or("", String::as_str);
            return Err(format!("`{value}` is not a value of the column: expected {}", misfit.expected));
        }
        arrays.push(ArrayRef::clone(batch.batch.column(0)));
    }
    let read: usize = arrays.iter().map(|array| array.len() - array.null_count()).sum();
    if read == texts.len() { Ok(arrays) } else { Err("null is not a value of the column".into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_is_the_number_that_is_written() {
        let quintillion = 10_i128.pow(21);
        for (text, scale, least, greatest) in [
            ("0.1", 1, 1, 1),
            ("0.1", 3, 100, 100),
            ("0.1", 0, 1, 0),
            ("-0.1", 0, 0, -1),
            ("-9.5", 0, -9, -10),
            ("7.0", 2, 700, 700),
            ("007", 0, 7, 7),
            ("0", 0, 0, 0),
            ("-0.000", 2, 0, 0),
            ("1e21", 0, quintillion, quintillion),
            ("1.5E+21", 0, quintillion * 3 / 2, quintillion * 3 / 2),
            ("12345e-2", 2, 12345, 12345),
            ("12345e-2", 1, 1235, 1234),
            ("1e-400", 2, 1, 0),
            ("-1e-99999999999999999999", 2, 0, -1),
            ("9007199254740993", 0, 9_007_199_254_740_993, 9_007_199_254_740_993),
            ("1e99999999999999999999", 0, i128::MAX, i128::MAX),
        ] {
            let found = (units(text, scale, End::Least), units(text, scale, End::Greatest));
            assert_eq!(found, (Some(least), Some(greatest)), "{text} {scale}");
        }
        for text in ["", "-", "1.", ".5", "1e", "NaN", "inf", "0x1", "1 ", "+1", "1.5.2", "--1"] {
            assert_eq!(units(text, 2, End::Least), None, "{text}");
        }
    }
}

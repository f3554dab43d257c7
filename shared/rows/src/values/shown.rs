//! The text of a value of an Arrow array, for people and for columns of strings. Arrow's own formatter cuts a decimal
//! to its declared precision, and writes an error in place of a day that it cannot name.

use std::fmt::{self, Write};

use arrow::array::{Array, AsArray};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, Date64Type, Decimal128Type, Decimal256Type, Int64Type,
    Time32MillisecondType, Time32SecondType, Time64MicrosecondType, Time64NanosecondType, TimeUnit,
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
};
use arrow::util::display::{ArrayFormatter, FormatOptions};

use contract::visible;

use crate::values::points::{Clock, Day, Point, day, range};

/// The most characters shown of a string. A whole value may have at most four times as many.
const SHOWN_CHARACTERS: usize = 100;

/// Returns a value's text for people: long values cut, strings quoted as in JSON, invisible characters escaped.
pub fn shown_value(array: &dyn Array, row: usize) -> String {
    let mut text = Cut(String::new());
    // an error only means that the text was cut
    let _ = write_value(&mut text, array, row);
    visible(&text.0).into_owned()
}

/// Whether all dates and timestamps of an array, at any depth, lie in the years 1 to 9999.
pub fn is_in_range(array: &dyn Array) -> bool {
    let within = |values: arrow::array::Int64Array, (least, greatest): (i64, i64)| {
        values.iter().flatten().all(|value| (least..=greatest).contains(&value))
    };
    match array.data_type() {
        DataType::Date32 => array.as_primitive::<Date32Type>().iter().flatten().all(|value| day(value).is_ok()),
        DataType::Timestamp(..) => units(array).is_none_or(|(values, per_second)| within(values, range(per_second))),
        DataType::Struct(_) => array.as_struct().columns().iter().all(|child| is_in_range(child)),
        DataType::List(_) => is_in_range(array.as_list::<i32>().values()),
        _ => true,
    }
}

/// A text that refuses more once it is long enough.
struct Cut(String);

impl Write for Cut {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let there = self.0.chars().count();
        self.0.extend(text.chars().take((4 * SHOWN_CHARACTERS).saturating_sub(there)));
        if there > 3 * SHOWN_CHARACTERS { Err(fmt::Error) } else { Ok(()) }
    }
}

fn write_value(to: &mut dyn Write, array: &dyn Array, row: usize) -> fmt::Result {
    if array.is_null(row) {
        return to.write_str("null");
    }
    match array.data_type() {
        DataType::Utf8 => write_text(to, array.as_string::<i32>().value(row)),
        DataType::LargeUtf8 => write_text(to, array.as_string::<i64>().value(row)),
        DataType::Utf8View => write_text(to, array.as_string_view().value(row)),
        DataType::Date32 => write!(to, "{}", Day(array.as_primitive::<Date32Type>().value(row).into())),
        DataType::Date64 => write!(to, "{}", Point::of(array.as_primitive::<Date64Type>().value(row), 1000)),
        DataType::Timestamp(..) => match point(array, row) {
            Some(point) => write!(to, "{point}"),
            None => Ok(()),
        },
        DataType::Time32(_) | DataType::Time64(_) => match clock(array, row) {
            Ok(clock) => write!(to, "{clock}"),
            Err(units) => write!(to, "{units}"),
        },
        DataType::Decimal128(..) | DataType::Decimal256(..) => to.write_str(&decimal(array, row).unwrap_or_default()),
        DataType::Struct(fields) => {
            to.write_char('{')?;
            for (n, (field, child)) in fields.iter().zip(array.as_struct().columns()).enumerate() {
                write!(to, "{}{}: ", if n == 0 { "" } else { ", " }, field.name())?;
                write_value(to, child, row)?;
            }
            to.write_char('}')
        }
        DataType::List(_) | DataType::Map(..) => {
            let Some((items, range)) = items(array, row) else { return Ok(()) };
            to.write_char('[')?;
            for (n, item) in range.enumerate() {
                if n > 0 {
                    to.write_str(", ")?;
                }
                write_value(to, items, item)?;
            }
            to.write_char(']')
        }
        _ => match ArrayFormatter::try_new(array, &FormatOptions::default()) {
            Ok(formatter) => write!(to, "{}", formatter.value(row)),
            Err(_) => Ok(()),
        },
    }
}

fn write_text(to: &mut dyn Write, value: &str) -> fmt::Result {
    let start = value.char_indices().nth(SHOWN_CHARACTERS).map_or(value, |(end, _)| &value[..end]);
    to.write_str(&serde_json::to_string(start).unwrap_or_default())
}

/// Returns the items of a list or the entries of a map, with the range of a row's own.
pub(crate) fn items(array: &dyn Array, row: usize) -> Option<(&dyn Array, std::ops::Range<usize>)> {
    let (items, offsets): (&dyn Array, &[i32]) = match (array.as_list_opt::<i32>(), array.as_map_opt()) {
        (Some(list), _) => (list.values(), list.value_offsets()),
        (_, Some(map)) => (map.entries(), map.value_offsets()),
        _ => return None,
    };
    Some((items, offsets[row] as usize..offsets[row + 1] as usize))
}

/// Returns how many of a unit make a second.
pub(crate) fn per_second(unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Second => 1,
        TimeUnit::Millisecond => 1000,
        TimeUnit::Microsecond => 1_000_000,
        TimeUnit::Nanosecond => 1_000_000_000,
    }
}

/// Returns the values of a timestamp array, and how many of their unit make a second.
pub(crate) fn units(array: &dyn Array) -> Option<(arrow::array::Int64Array, i64)> {
    fn cast<T: ArrowPrimitiveType<Native = i64>>(array: &dyn Array) -> Option<arrow::array::Int64Array> {
        Some(array.as_primitive_opt::<T>()?.reinterpret_cast::<Int64Type>())
    }
    let DataType::Timestamp(unit, _) = array.data_type() else { return None };
    let values = match unit {
        TimeUnit::Second => cast::<TimestampSecondType>(array),
        TimeUnit::Millisecond => cast::<TimestampMillisecondType>(array),
        TimeUnit::Microsecond => cast::<TimestampMicrosecondType>(array),
        TimeUnit::Nanosecond => cast::<TimestampNanosecondType>(array),
    };
    Some((values?, per_second(*unit)))
}

/// Returns a timestamp. One in UTC is read as one without a zone, because Spark writes those as UTC.
pub(crate) fn point(array: &dyn Array, row: usize) -> Option<Point> {
    let DataType::Timestamp(unit, _) = array.data_type() else { return None };
    let value = match unit {
        TimeUnit::Second => array.as_primitive_opt::<TimestampSecondType>()?.value(row),
        TimeUnit::Millisecond => array.as_primitive_opt::<TimestampMillisecondType>()?.value(row),
        TimeUnit::Microsecond => array.as_primitive_opt::<TimestampMicrosecondType>()?.value(row),
        TimeUnit::Nanosecond => array.as_primitive_opt::<TimestampNanosecondType>()?.value(row),
    };
    Some(Point::of(value, per_second(*unit)))
}

/// Returns a time of day, or the count of units if it is outside of a day.
pub(crate) fn clock(array: &dyn Array, row: usize) -> Result<Clock, i64> {
    let (value, unit) = match array.data_type() {
        DataType::Time32(TimeUnit::Second) => {
            (array.as_primitive::<Time32SecondType>().value(row).into(), TimeUnit::Second)
        }
        DataType::Time32(unit) => (array.as_primitive::<Time32MillisecondType>().value(row).into(), *unit),
        DataType::Time64(TimeUnit::Microsecond) => {
            (array.as_primitive::<Time64MicrosecondType>().value(row), TimeUnit::Microsecond)
        }
        _ => (array.as_primitive::<Time64NanosecondType>().value(row), TimeUnit::Nanosecond),
    };
    Clock::of(value, per_second(unit)).ok_or(value)
}

/// Returns a decimal with all of its digits, even those beyond its declared precision.
pub(crate) fn decimal(array: &dyn Array, row: usize) -> Option<String> {
    Some(match array.data_type() {
        DataType::Decimal128(_, scale) => {
            with_point(&array.as_primitive::<Decimal128Type>().value(row).to_string(), *scale)
        }
        DataType::Decimal256(_, scale) => {
            with_point(&array.as_primitive::<Decimal256Type>().value(row).to_string(), *scale)
        }
        _ => return None,
    })
}

/// Inserts a decimal point before the last `scale` digits of a whole number.
fn with_point(number: &str, scale: i8) -> String {
    let (sign, digits) = number.strip_prefix('-').map_or(("", number), |digits| ("-", digits));
    match usize::try_from(scale) {
        Ok(0) => number.to_owned(),
        Ok(scale) => {
            let digits = format!("{digits:0>width$}", width = scale + 1);
            let (whole, fraction) = digits.split_at(digits.len() - scale);
            format!("{sign}{whole}.{fraction}")
        }
        Err(_) if digits == "0" => digits.to_owned(),
        Err(_) => format!("{number}{}", "0".repeat(usize::from(scale.unsigned_abs()))),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{
        ArrayRef, Date32Array, Decimal128Array, Decimal256Array, ListArray, Time64NanosecondArray,
        TimestampMillisecondArray, TimestampSecondArray,
    };
    use arrow::buffer::OffsetBuffer;
    use arrow::datatypes::{Field, i256};

    use super::*;

    #[test]
    fn no_value_is_shown_as_an_error_or_with_fewer_digits() {
        let days: ArrayRef = Arc::new(Date32Array::from(vec![0, i32::MAX, i32::MIN]));
        let item = Arc::new(Field::new_list_field(DataType::Date32, true));
        let list = ListArray::new(item, OffsetBuffer::from_lengths([1, 2]), Arc::clone(&days), None);
        let decimals = Decimal128Array::from(vec![1_234_567, -5]).with_data_type(DataType::Decimal128(5, 2));
        let large = Decimal256Array::from(vec![i256::from(-1_234_567)]).with_data_type(DataType::Decimal256(3, 3));
        for (array, expected) in [
            (days, vec!["1970-01-01", "+5881580-07-11", "-5877641-06-23"]),
            (Arc::new(list) as ArrayRef, vec!["[1970-01-01]", "[+5881580-07-11, -5877641-06-23]"]),
            (Arc::new(TimestampMillisecondArray::from(vec![i64::MAX])), vec!["+292278994-08-17T07:12:55.807"]),
            (Arc::new(TimestampSecondArray::from(vec![0])), vec!["1970-01-01T00:00:00"]),
            (Arc::new(Time64NanosecondArray::from(vec![1, -1])), vec!["00:00:00.000000001", "-1"]),
            (Arc::new(decimals), vec!["12345.67", "-0.05"]),
            (Arc::new(large), vec!["-1234.567"]),
        ] {
            let found: Vec<String> = (0..array.len()).map(|row| shown_value(&array, row)).collect();
            assert_eq!(found, expected);
        }
        assert_eq!(
            (with_point("-12", -2), with_point("0", -2), with_point("7", 0)),
            ("-1200".into(), "0".into(), "7".into())
        );
    }
}

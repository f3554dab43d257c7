//! Iteration over the values of a column of a record batch. Nulls are skipped.

use arrow::array::{Array, AsArray};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
};

/// Calls `value` for every value with its row.
pub(crate) fn each<T: ArrowPrimitiveType>(array: &dyn Array, mut value: impl FnMut(usize, T::Native)) {
    let Some(array) = array.as_primitive_opt::<T>() else { return };
    let values = array.values().iter().enumerate();
    match array.nulls().filter(|nulls| nulls.null_count() > 0) {
        None => values.for_each(|(row, found)| value(row, *found)),
        Some(nulls) => values.filter(|(row, _)| nulls.is_valid(*row)).for_each(|(row, found)| value(row, *found)),
    }
}

/// Calls `value` for every text with its row.
pub(crate) fn each_text(array: &dyn Array, mut value: impl FnMut(usize, &str)) {
    let Some(array) = array.as_string_opt::<i32>() else { return };
    if array.null_count() == 0 {
        (0..array.len()).for_each(|row| value(row, array.value(row)));
    } else {
        let found = array.iter().enumerate().filter_map(|(row, found)| Some((row, found?)));
        found.for_each(|(row, found)| value(row, found));
    }
}

/// Calls `value` for every integer, decimal, timestamp, date and boolean with its row. Decimals and timestamps are in
/// units of their last digit, dates are in days, and booleans are 0 and 1.
pub(crate) fn each_whole(array: &dyn Array, mut value: impl FnMut(usize, i128)) {
    match array.data_type() {
        DataType::Int8 => each::<Int8Type>(array, |row, found| value(row, found.into())),
        DataType::Int16 => each::<Int16Type>(array, |row, found| value(row, found.into())),
        DataType::Int32 => each::<Int32Type>(array, |row, found| value(row, found.into())),
        DataType::Int64 => each::<Int64Type>(array, |row, found| value(row, found.into())),
        DataType::Date32 => each::<Date32Type>(array, |row, found| value(row, found.into())),
        DataType::Timestamp(TimeUnit::Millisecond, _) => {
            each::<TimestampMillisecondType>(array, |row, found| value(row, found.into()));
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            each::<TimestampMicrosecondType>(array, |row, found| value(row, found.into()));
        }
        DataType::Timestamp(TimeUnit::Nanosecond, _) => {
            each::<TimestampNanosecondType>(array, |row, found| value(row, found.into()));
        }
        DataType::Decimal128(..) => each::<Decimal128Type>(array, value),
        DataType::Boolean => {
            let found = array.as_boolean().iter().enumerate().filter_map(|(row, found)| Some((row, found?)));
            found.for_each(|(row, found)| value(row, found.into()));
        }
        _ => {}
    }
}

/// Calls `value` for every floating-point number with its row.
pub(crate) fn each_number(array: &dyn Array, mut value: impl FnMut(usize, f64)) {
    match array.data_type() {
        DataType::Float32 => each::<Float32Type>(array, |row, found| value(row, found.into())),
        _ => each::<Float64Type>(array, value),
    }
}

//! The values of a batch's column, one by one or all at once. Nulls have none.

use arrow::array::{Array, AsArray};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
};

use crate::literal::Bound;

/// Every value with its row.
pub fn each<T: ArrowPrimitiveType>(array: &dyn Array, mut value: impl FnMut(usize, T::Native)) {
    let Some(array) = array.as_primitive_opt::<T>() else { return };
    let values = array.values().iter().enumerate();
    match array.nulls().filter(|nulls| nulls.null_count() > 0) {
        None => values.for_each(|(row, found)| value(row, *found)),
        Some(nulls) => values.filter(|(row, _)| nulls.is_valid(*row)).for_each(|(row, found)| value(row, *found)),
    }
}

/// Every text with its row.
pub fn each_text(array: &dyn Array, mut value: impl FnMut(usize, &str)) {
    let Some(array) = array.as_string_opt::<i32>() else { return };
    if array.null_count() == 0 {
        (0..array.len()).for_each(|row| value(row, array.value(row)));
    } else {
        let found = array.iter().enumerate().filter_map(|(row, found)| Some((row, found?)));
        found.for_each(|(row, found)| value(row, found));
    }
}

/// Every whole number, decimal and timestamp (in units of its last digit), day and boolean (0 and 1) with its row.
pub fn each_whole(array: &dyn Array, mut value: impl FnMut(usize, i128)) {
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

/// Every floating-point number with its row.
pub fn each_number(array: &dyn Array, mut value: impl FnMut(usize, f64)) {
    match array.data_type() {
        DataType::Float32 => each::<Float32Type>(array, |row, found| value(row, found.into())),
        _ => each::<Float64Type>(array, value),
    }
}

/// The rows whose value is below a bound. A number that is none (NaN) is on neither side of any bound, and so outside.
pub fn each_below(array: &dyn Array, bound: Bound, breach: impl FnMut(usize)) {
    match bound {
        Bound::Whole(least) => each_whole_outside(array, move |value| value >= least, breach),
        Bound::Decimal(least) => each_outside::<Decimal128Type>(array, move |value| value >= least, breach),
        Bound::Float32(least) => each_outside::<Float32Type>(array, move |value| value >= least, breach),
        Bound::Float64(least) => each_outside::<Float64Type>(array, move |value| value >= least, breach),
    }
}

/// The rows whose value is above a bound.
pub fn each_above(array: &dyn Array, bound: Bound, breach: impl FnMut(usize)) {
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
    // without a branch, so that several are compared at once; what lies under a null is sorted out below
    if values.iter().fold(true, |all, value| all & fits(*value)) {
        return;
    }
    for (row, value) in values.iter().enumerate() {
        if !fits(*value) && array.is_valid(row) {
            breach(row);
        }
    }
}

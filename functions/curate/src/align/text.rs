//! Texts as values in the spellings that the reader takes, and values as the texts that CAST makes of them.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray, PrimitiveArray};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    TimeUnit, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
};
use rows::spelling;

use crate::align::kernel::{Kernel, Stop};
use crate::align::time;
use crate::align::unfit::Why;

/// What reads texts as values of a type; none for bytes, which a text may spell in more than one way.
pub fn reader(to: &DataType) -> Option<Kernel> {
    let kernel: Kernel = match to {
        DataType::Int8 => |from, to| read::<Int8Type>(from, to, |text| spelling::integer(text).ok_or(Why::Spelling)),
        DataType::Int16 => |from, to| read::<Int16Type>(from, to, |text| spelling::integer(text).ok_or(Why::Spelling)),
        DataType::Int32 => |from, to| read::<Int32Type>(from, to, |text| spelling::integer(text).ok_or(Why::Spelling)),
        DataType::Int64 => |from, to| read::<Int64Type>(from, to, |text| spelling::integer(text).ok_or(Why::Spelling)),
        DataType::Float32 => {
            |from, to| read::<Float32Type>(from, to, |text| spelling::float(text).ok_or(Why::Spelling))
        }
        DataType::Float64 => {
            |from, to| read::<Float64Type>(from, to, |text| spelling::double(text).ok_or(Why::Spelling))
        }
        DataType::Date32 => |from, to| read::<Date32Type>(from, to, |text| spelling::date(text).ok_or(Why::Spelling)),
        DataType::Decimal128(..) => decimals,
        DataType::Timestamp(..) => timestamps,
        DataType::Boolean => booleans,
        _ => return None,
    };
    Some(kernel)
}

fn read<T: ArrowPrimitiveType>(
    from: &ArrayRef,
    to: &DataType,
    value: impl Fn(&str) -> Result<T::Native, Why>,
) -> Result<ArrayRef, Stop> {
    let texts = from.as_string::<i32>();
    let mut values = Vec::with_capacity(texts.len());
    for (row, text) in texts.iter().enumerate() {
        let value = text.map_or(Ok(T::Native::default()), &value);
        values.push(value.map_err(|why| Stop::Unfit(row, why))?);
    }
    let array = PrimitiveArray::<T>::try_new(values.into(), texts.nulls().cloned())?;
    Ok(Arc::new(array.with_data_type(to.clone())))
}

fn decimals(from: &ArrayRef, to: &DataType) -> Result<ArrayRef, Stop> {
    let DataType::Decimal128(precision, scale) = *to else { return Ok(ArrayRef::clone(from)) };
    let scale = scale.unsigned_abs();
    let value = |text: &str| spelling::decimal(text, precision, scale).ok_or(Why::Spelling);
    read::<Decimal128Type>(from, to, value)
}

fn booleans(from: &ArrayRef, _: &DataType) -> Result<ArrayRef, Stop> {
    let texts = from.as_string::<i32>();
    let value = |(row, text): (usize, Option<&str>)| match text.map(spelling::boolean) {
        None => Ok(None),
        Some(Some(value)) => Ok(Some(value)),
        Some(None) => Err(Stop::Unfit(row, Why::Spelling)),
    };
    Ok(Arc::new(texts.iter().enumerate().map(value).collect::<Result<BooleanArray, _>>()?))
}

fn timestamps(from: &ArrayRef, to: &DataType) -> Result<ArrayRef, Stop> {
    let DataType::Timestamp(unit, _) = to else { return Ok(ArrayRef::clone(from)) };
    let nanoseconds = 1_000_000_000 / i128::from(time::in_second(*unit));
    let value = |text: &str| {
        let point = spelling::timestamp(text).ok_or(Why::Spelling)?;
        match point.rem_euclid(nanoseconds) {
            0 => i64::try_from(point.div_euclid(nanoseconds)).map_err(|_| Why::Range),
            _ => Err(Why::Finer),
        }
    };
    match unit {
        TimeUnit::Second => read::<TimestampSecondType>(from, to, value),
        TimeUnit::Millisecond => read::<TimestampMillisecondType>(from, to, value),
        TimeUnit::Microsecond => read::<TimestampMicrosecondType>(from, to, value),
        TimeUnit::Nanosecond => read::<TimestampNanosecondType>(from, to, value),
    }
}

/// Values as CAST writes them.
pub fn written(from: &ArrayRef, to: &DataType) -> Result<ArrayRef, Stop> {
    time::check_years(from)?;
    Ok(cast_with_options(from, to, &CastOptions { safe: false, ..CastOptions::default() })?)
}

/// Bytes that are UTF-8.
pub fn of_bytes(from: &ArrayRef, to: &DataType) -> Result<ArrayRef, Stop> {
    let bytes = from.as_binary::<i32>();
    let wrong = bytes.iter().position(|bytes| bytes.is_some_and(|bytes| std::str::from_utf8(bytes).is_err()));
    match wrong {
        Some(row) => Err(Stop::Unfit(row, Why::NotUtf8)),
        None => written(from, to),
    }
}

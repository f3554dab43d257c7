//! Converts texts to values, in the spellings that the file reader accepts, and values to the texts that CAST produces.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray, PrimitiveArray, StringArray};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    TimeUnit, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
};
use rows::spelling;

use crate::align::kernel::{Kernel, Stop};
use crate::align::time;
use crate::align::unfit::Why;

/// Returns the kernel that reads texts as values of a type. There is none for bytes, which a text may spell in several
/// ways.
pub(super) fn reader(to: &DataType) -> Option<Kernel> {
    let kernel: Kernel = match to {
        DataType::Int8 => |from, to| read::<Int8Type>(from, to, |text| spelling::integer(text).ok_or(Why::Spelling)),
        DataType::Int16 => |from, to| read::<Int16Type>(from, to, |text| spelling::integer(text).ok_or(Why::Spelling)),
        DataType::Int32 => |from, to| read::<Int32Type>(from, to, |text| spelling::integer(text).ok_or(Why::Spelling)),
        DataType::Int64 => |from, to| read::<Int64Type>(from, to, |text| spelling::integer(text).ok_or(Why::Spelling)),
        DataType::Float32 => |from, to| {
            read::<Float32Type>(from, to, |text| {
                let float = spelling::float(text).ok_or(Why::Spelling)?;
                holds_all(text, f32::DIGITS, || format!("{float:e}")).then_some(float).ok_or(Why::Digits)
            })
        },
        DataType::Float64 => |from, to| {
            read::<Float64Type>(from, to, |text| {
                let double = spelling::double(text).ok_or(Why::Spelling)?;
                holds_all(text, f64::DIGITS, || format!("{double:e}")).then_some(double).ok_or(Why::Digits)
            })
        },
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

/// Whether a number keeps all digits of its text. Up to `any_has` digits are always kept.
fn holds_all(text: &str, any_has: u32, written: impl FnOnce() -> String) -> bool {
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    // with an exponent, the number may be too small for the type
    let plain = digits <= any_has as usize && !text.contains(['e', 'E']);
    plain || significant(text) == significant(&written())
}

/// Returns whether a number is negative, its digits without the zeros around them, and the power of ten of the last
/// digit. Returns `None` for zero.
fn significant(text: &str) -> Option<(bool, String, i64)> {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, fraction) =
        mantissa.trim_start_matches('-').split_once('.').unwrap_or((mantissa.trim_start_matches('-'), ""));
    let all = format!("{whole}{fraction}");
    let digits = all.trim_end_matches('0');
    let power = exponent.parse::<i64>().ok()? + (all.len() - digits.len()) as i64 - fraction.len() as i64;
    let digits = digits.trim_start_matches('0');
    (!digits.is_empty()).then(|| (text.starts_with('-'), digits.to_owned(), power))
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

/// Converts values to text as CAST does.
pub(super) fn written(from: &ArrayRef, to: &DataType) -> Result<ArrayRef, Stop> {
    time::check_years(from)?;
    Ok(cast_with_options(from, to, &CastOptions { safe: false, ..CastOptions::default() })?)
}

/// Converts bytes to text if they are UTF-8.
pub(super) fn of_bytes(from: &ArrayRef, _: &DataType) -> Result<ArrayRef, Stop> {
    let bytes = from.as_binary::<i32>();
    let text = |(row, bytes): (usize, Option<&'_ [u8]>)| {
        bytes
            .map(|bytes| str::from_utf8(bytes).map(str::to_owned))
            .transpose()
            .map_err(|_| Stop::Unfit(row, Why::NotUtf8))
    };
    Ok(Arc::new(bytes.iter().enumerate().map(text).collect::<Result<StringArray, _>>()?))
}

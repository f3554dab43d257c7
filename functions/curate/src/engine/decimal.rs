//! Converts doubles to decimals by their shortest text, rounded half up, as people and Spark see them. 1.005 becomes
//! 1.01, though the double is slightly less than that. Arrow and DataFusion would make it 1.00.

use std::fmt::Write;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Decimal128Array};
use arrow::compute::cast;
use arrow::datatypes::{DECIMAL128_MAX_PRECISION, DataType, Decimal128Type, Float64Type, i256};
use arrow::error::ArrowError;

/// Converts doubles (or floats) to decimals of at most 38 digits. A value that does not fit the type becomes null if
/// `safe`, and is an error otherwise.
pub(crate) fn of_floats(floats: &dyn Array, precision: u8, scale: i8, safe: bool) -> Result<ArrayRef, ArrowError> {
    let doubles = cast(floats, &DataType::Float64)?;
    let doubles = doubles.as_primitive::<Float64Type>();
    let limit = power_of_ten(precision.min(DECIMAL128_MAX_PRECISION) as u32).unwrap_or(i128::MAX);
    let convert = |double: f64| scaled(double, scale).filter(|value| value.unsigned_abs() < limit.unsigned_abs());
    let decimals: Decimal128Array = if safe {
        doubles.unary_opt::<_, Decimal128Type>(convert)
    } else {
        doubles.try_unary(|double| {
            convert(double).ok_or_else(|| {
                ArrowError::CastError(format!("Cannot cast {double} to decimal({precision},{scale}): it does not fit"))
            })
        })?
    };
    Ok(Arc::new(decimals.with_precision_and_scale(precision, scale)?))
}

/// Returns the double times 10^scale, rounded to an integer. `None` if it is not finite or overflows 128 bits.
pub(crate) fn scaled(double: f64, scale: i8) -> Option<i128> {
    if let Some(quick) = scaled_quickly(double, scale, Round::HalfUp) {
        return Some(i128::from(quick));
    }
    let (digits, exponent) = shortest(double)?;
    let digits = i128::from(digits);
    let shift = exponent + i32::from(scale);
    if digits == 0 {
        return Some(0);
    }
    if shift >= 0 {
        return digits.checked_mul(power_of_ten(shift as u32)?);
    }
    Some(without(digits, shift.unsigned_abs(), Round::HalfUp))
}

/// Rounds the double to a number of decimal places. Negative places round before the decimal point.
pub(crate) fn round(double: f64, places: i32, how: Round) -> f64 {
    if !double.is_finite() {
        return double;
    }
    if let Some(quick) = i8::try_from(places).ok().and_then(|places| scaled_quickly(double, places, how)) {
        let quick = quick as f64;
        let power = f64::powi(10.0, places.abs());
        return if places >= 0 { quick / power } else { quick * power };
    }
    let Some((digits, exponent)) = shortest(double) else { return double };
    let shift = i64::from(exponent) + i64::from(places);
    if shift >= 0 {
        return double;
    }
    let digits = without(i128::from(digits), u32::try_from(-shift).unwrap_or(u32::MAX), how);
    match digits {
        0 => 0.0,
        digits => format!("{digits}e{}", -i64::from(places)).parse().unwrap_or(double),
    }
}

/// What happens to excess digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Round {
    /// Rounds to the nearest; ties go away from zero.
    HalfUp,
    /// Cuts them off.
    Down,
}

/// Scales the double without its shortest text. Returns `None` if the result could differ: the product's error must be
/// smaller than its distance to the next number at which the result changes.
fn scaled_quickly(double: f64, scale: i8, how: Round) -> Option<i64> {
    // larger powers of ten are not exact as doubles
    if !(-22..=22).contains(&scale) {
        return None;
    }
    let power = f64::powi(10.0, i32::from(scale).abs());
    let product = if scale >= 0 { double * power } else { double / power };
    let size = product.abs();
    // NaN, or too large for a reliable fraction
    if size.is_nan() || size >= (1_u64 << 50) as f64 {
        return None;
    }
    let whole = size.floor();
    let (rest, off) = (size - whole, size * f64::EPSILON * 4.0);
    let up = match how {
        Round::HalfUp if (rest - 0.5).abs() > off => rest > 0.5,
        Round::Down if rest > off && 1.0 - rest > off => false,
        _ => return None,
    };
    let size = whole as i64 + i64::from(up);
    Some(if product < 0.0 { -size } else { size })
}

/// Returns the digits of the double's shortest text as a signed integer, and the power of ten of the last digit.
fn shortest(double: f64) -> Option<(i64, i32)> {
    if !double.is_finite() {
        return None;
    }
    let mut text = Text::default();
    write!(text, "{double:e}").ok()?;
    let (number, exponent) = text.as_str().split_once('e')?;
    let exponent: i32 = exponent.parse().ok()?;
    let (mut digits, mut places, mut after) = (0_i64, 0, false);
    for byte in number.bytes() {
        match byte {
            b'.' => after = true,
            b'0'..=b'9' => {
                digits = digits * 10 + i64::from(byte - b'0');
                places += i32::from(after);
            }
            _ => {}
        }
    }
    Some((if double < 0.0 { -digits } else { digits }, exponent - places))
}

/// A short text on the stack.
#[derive(Default)]
struct Text {
    bytes: [u8; 32],
    length: usize,
}

impl Text {
    fn as_str(&self) -> &str {
        str::from_utf8(&self.bytes[..self.length]).unwrap_or_default()
    }
}

impl Write for Text {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        let end = self.length + text.len();
        self.bytes.get_mut(self.length..end).ok_or(std::fmt::Error)?.copy_from_slice(text.as_bytes());
        self.length = end;
        Ok(())
    }
}

/// Removes the last digits of a number.
fn without(number: i128, digits: u32, how: Round) -> i128 {
    let Some(power) = power_of_ten(digits) else { return 0 };
    let (whole, rest) = (number / power, number % power);
    let up = how == Round::HalfUp && rest.unsigned_abs() >= power.unsigned_abs().div_ceil(2);
    whole + if up { number.signum() } else { 0 }
}

/// Divides and rounds half up, away from zero. Returns `None` for a division by zero or an overflow.
pub(crate) fn divide_half_up(number: i256, by: i256) -> Option<i256> {
    let (whole, rest) = (number.checked_div(by)?, number.checked_rem(by)?);
    let size = |number: i256| number.checked_abs();
    // the remainder is smaller than the divisor, so this does not overflow
    let up = size(rest)? >= size(by)?.checked_sub(size(rest)?)?;
    let step = if number.is_negative() == by.is_negative() { i256::ONE } else { i256::MINUS_ONE };
    if up && rest != i256::ZERO { whole.checked_add(step) } else { Some(whole) }
}

/// Returns `None` if the power overflows 128 bits.
pub(crate) fn power_of_ten(exponent: u32) -> Option<i128> {
    10_i128.checked_pow(exponent)
}

#[cfg(test)]
mod tests;

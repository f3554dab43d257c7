//! Conversions between numeric types. The number stays the same, or it does not fit. A whole number or a decimal is the
//! same as a floating-point number if both are equal, or if the floating-point number's shortest text spells it. So
//! `0.1` fits, although no double is exactly 0.1.

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, PrimitiveArray};
use arrow::datatypes::{
    DataType, Decimal128Type, Decimal256Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, i256,
};
use rows::spelling;

use crate::align::kernel::{Stop, checked, each};
use crate::align::unfit::Why;

/// A double represents every whole number up to this one.
const WHOLE_IN_DOUBLE: u64 = 1 << 53;
/// A float represents every whole number up to this one.
const WHOLE_IN_FLOAT: u64 = 1 << 24;
/// Decimals of at most this many digits have distinct doubles.
const DIGITS_IN_DOUBLE: u32 = 15;
/// A double represents the powers of ten up to this exponent exactly.
const POWERS_IN_DOUBLE: i8 = 22;

/// Converts whole numbers to whole numbers.
pub(super) fn whole_as_whole(from: &ArrayRef, to: &DataType) -> Result<ArrayRef, Stop> {
    narrowed(from.as_primitive::<Int64Type>(), to, Ok)
}

/// Converts decimals to whole numbers.
pub(super) fn decimal_as_whole(from: &ArrayRef, to: &DataType) -> Result<ArrayRef, Stop> {
    let scale = scale(from.data_type());
    let unit = power(scale.max(0))?;
    narrowed(from.as_primitive::<Decimal128Type>(), to, move |units| {
        let whole = match scale {
            0.. if units % unit != 0 => return Err(Why::Fraction),
            0.. => units / unit,
            below => 10_i128
                .checked_pow(below.unsigned_abs().into())
                .and_then(|tens| units.checked_mul(tens))
                .ok_or(Why::Range)?,
        };
        i64::try_from(whole).map_err(|_| Why::Range)
    })
}

/// Converts doubles and floats to whole numbers.
pub(super) fn double_as_whole(from: &ArrayRef, to: &DataType) -> Result<ArrayRef, Stop> {
    match from.data_type() {
        DataType::Float32 => narrowed(from.as_primitive::<Float32Type>(), to, |value| whole(value.into())),
        _ => narrowed(from.as_primitive::<Float64Type>(), to, whole),
    }
}

fn whole(value: f64) -> Result<i64, Why> {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    if !value.is_finite() {
        return Err(Why::NotFinite);
    }
    if value.fract() != 0.0 {
        return Err(Why::Fraction);
    }
    if (-LIMIT..LIMIT).contains(&value) { Ok(value as i64) } else { Err(Why::Range) }
}

fn narrowed<S: ArrowPrimitiveType>(
    from: &PrimitiveArray<S>,
    to: &DataType,
    whole: impl Fn(S::Native) -> Result<i64, Why>,
) -> Result<ArrayRef, Stop> {
    match to {
        DataType::Int8 => each::<S, Int8Type>(from, to, |value| fit(whole(value)?)),
        DataType::Int16 => each::<S, Int16Type>(from, to, |value| fit(whole(value)?)),
        DataType::Int32 => each::<S, Int32Type>(from, to, |value| fit(whole(value)?)),
        _ => each::<S, Int64Type>(from, to, whole),
    }
}

fn fit<T: TryFrom<i64>>(value: i64) -> Result<T, Why> {
    T::try_from(value).map_err(|_| Why::Range)
}

/// Converts whole numbers to doubles or floats.
pub(super) fn whole_as_double(from: &ArrayRef, to: &DataType) -> Result<ArrayRef, Stop> {
    let from = from.as_primitive::<Int64Type>();
    match to {
        DataType::Float32 => each::<Int64Type, Float32Type>(from, to, |value| {
            let float = value as f32;
            let same = value.unsigned_abs() <= WHOLE_IN_FLOAT || float as i128 == i128::from(value);
            same.then_some(float).ok_or(Why::Digits)
        }),
        _ => each::<Int64Type, Float64Type>(from, to, |value| {
            let double = value as f64;
            let same = value.unsigned_abs() <= WHOLE_IN_DOUBLE || double as i128 == i128::from(value);
            same.then_some(double).ok_or(Why::Digits)
        }),
    }
}

/// Converts decimals to doubles or floats.
pub(super) fn decimal_as_double(from: &ArrayRef, to: &DataType) -> Result<ArrayRef, Stop> {
    let scale = scale(from.data_type());
    let from = from.as_primitive::<Decimal128Type>();
    if to == &DataType::Float32 {
        each::<Decimal128Type, Float32Type>(from, to, |units| {
            let float: f32 = format!("{units}e{}", -i32::from(scale)).parse().map_err(|_| Why::Digits)?;
            let same = is_written(&format!("{float:e}"), units, scale) || is_whole(float.into(), units, scale);
            same.then_some(float).ok_or(Why::Digits)
        })
    } else {
        let most = 10_u128.pow(DIGITS_IN_DOUBLE);
        let (quick, unit) = ((0..=POWERS_IN_DOUBLE).contains(&scale), 10_f64.powi(scale.into()));
        each::<Decimal128Type, Float64Type>(from, to, |units| {
            if quick && units.unsigned_abs() < most {
                // both are exact doubles, so only the quotient is rounded
                return Ok(units as i64 as f64 / unit);
            }
            let double: f64 = format!("{units}e{}", -i32::from(scale)).parse().map_err(|_| Why::Digits)?;
            let same = is_written(&format!("{double:e}"), units, scale) || is_whole(double, units, scale);
            same.then_some(double).ok_or(Why::Digits)
        })
    }
}

/// Whether the text of a number spells this decimal.
fn is_written(text: &str, units: i128, scale: i8) -> bool {
    u8::try_from(scale).is_ok_and(|scale| spelling::decimal(text, 38, scale) == Some(units))
}

/// Whether a decimal is a whole number that the double equals exactly.
fn is_whole(double: f64, units: i128, scale: i8) -> bool {
    let unit = 10_i128.pow(scale.max(0).unsigned_abs().into());
    scale >= 0 && units % unit == 0 && double.fract() == 0.0 && double as i128 == units / unit
}

/// Converts doubles and floats to doubles or floats. A double fits a float if both are equal or have the same shortest
/// text.
pub(super) fn double_as_double(from: &ArrayRef, to: &DataType) -> Result<ArrayRef, Stop> {
    match (from.data_type(), to) {
        (DataType::Float32, DataType::Float64) => {
            each::<Float32Type, Float64Type>(from.as_primitive(), to, |value| Ok(value.into()))
        }
        (DataType::Float64, DataType::Float32) => each::<Float64Type, Float32Type>(from.as_primitive(), to, |value| {
            let float = value as f32;
            if f64::from(float) == value || value.is_nan() {
                return Ok(float);
            }
            if float.is_infinite() {
                return Err(Why::Range);
            }
            (format!("{float:e}") == format!("{value:e}")).then_some(float).ok_or(Why::Digits)
        }),
        _ => Ok(ArrayRef::clone(from)),
    }
}

/// Converts whole numbers to decimals.
pub(super) fn whole_as_decimal(from: &ArrayRef, to: &DataType) -> Result<ArrayRef, Stop> {
    let rescale = Rescale::new(0, to)?;
    each::<Int64Type, Decimal128Type>(from.as_primitive(), to, |value| rescale.of(value.into()))
}

/// Converts doubles and floats to decimals, by their shortest text.
pub(super) fn double_as_decimal(from: &ArrayRef, to: &DataType) -> Result<ArrayRef, Stop> {
    let (precision, scale) = decimal(to);
    let read = |text: String| {
        let units = u8::try_from(scale).ok().and_then(|scale| spelling::decimal(&text, precision, scale));
        units.ok_or_else(|| {
            let all = u8::try_from(scale).ok().and_then(|scale| spelling::decimal(&text, 38, scale));
            if all.is_some() || !text.contains("e-") && !text.contains('.') { Why::Range } else { Why::Fraction }
        })
    };
    if *from.data_type() == DataType::Float32 {
        return each::<Float32Type, Decimal128Type>(from.as_primitive(), to, |value| {
            if value.is_finite() { read(format!("{value:e}")) } else { Err(Why::NotFinite) }
        });
    }
    let most = 10_f64.powi(i32::from(precision).min(DIGITS_IN_DOUBLE as i32));
    let (quick, unit) = ((0..=POWERS_IN_DOUBLE).contains(&scale), 10_f64.powi(scale.into()));
    each::<Float64Type, Decimal128Type>(from.as_primitive(), to, |value| {
        if !value.is_finite() {
            return Err(Why::NotFinite);
        }
        let units = (value * unit).round();
        // no other decimal of so few digits rounds to this double
        if quick && units.abs() < most && units / unit == value {
            return Ok((units as i64).into());
        }
        read(format!("{value:e}"))
    })
}

/// Converts decimals to decimals of another precision and scale.
pub(super) fn decimal_as_decimal(from: &ArrayRef, to: &DataType) -> Result<ArrayRef, Stop> {
    let rescale = Rescale::new(scale(from.data_type()), to)?;
    if from.data_type() == to {
        return checked(from.as_primitive::<Decimal128Type>(), Why::Range, |units| rescale.fits(units));
    }
    each::<Decimal128Type, Decimal128Type>(from.as_primitive(), to, |units| rescale.of(units))
}

/// Converts 256-bit decimals to 128-bit ones of 38 digits. The scale stays, up to 38.
pub(super) fn wide_decimal(from: &ArrayRef) -> Result<ArrayRef, Stop> {
    let DataType::Decimal256(_, scale) = *from.data_type() else { return Ok(ArrayRef::clone(from)) };
    let to = DataType::Decimal128(38, scale.min(38));
    // digits after the 38th decimal place must be zeros
    let beyond = i256::from_i128(10).wrapping_pow(u32::from(scale.saturating_sub(38).max(0).unsigned_abs()));
    let limit = 10_i128.pow(38);
    each::<Decimal256Type, Decimal128Type>(from.as_primitive(), &to, |units| {
        if units.wrapping_rem(beyond) != i256::ZERO {
            return Err(Why::Fraction);
        }
        units.wrapping_div(beyond).to_i128().filter(|units| units.abs() < limit).ok_or(Why::Range)
    })
}

/// Converts unscaled values of one scale to those of another.
#[derive(Clone, Copy, Debug)]
struct Rescale {
    times: i128,
    divided: i128,
    /// The smallest unscaled value that has too many digits.
    limit: u128,
}

impl Rescale {
    fn new(from: i8, to: &DataType) -> Result<Self, Stop> {
        let (precision, scale) = decimal(to);
        let by = i16::from(scale) - i16::from(from);
        // beyond 38 digits only 0 fits
        let power = |digits: i16| power(i8::try_from(digits.clamp(0, 38)).unwrap_or(38));
        Ok(Self { times: power(by)?, divided: power(-by)?, limit: 10_u128.pow(precision.min(38).into()) })
    }

    fn of(self, units: i128) -> Result<i128, Why> {
        if units % self.divided != 0 {
            return Err(Why::Fraction);
        }
        (units / self.divided).checked_mul(self.times).filter(|units| self.fits(*units)).ok_or(Why::Range)
    }

    fn fits(self, units: i128) -> bool {
        units.unsigned_abs() < self.limit
    }
}

fn power(digits: i8) -> Result<i128, Stop> {
    let digits = u32::from(digits.unsigned_abs());
    10_i128.checked_pow(digits).ok_or(Stop::Unfit(0, Why::Range))
}

fn decimal(data_type: &DataType) -> (u8, i8) {
    match data_type {
        DataType::Decimal128(precision, scale) | DataType::Decimal256(precision, scale) => (*precision, *scale),
        _ => (38, 0),
    }
}

fn scale(data_type: &DataType) -> i8 {
    decimal(data_type).1
}

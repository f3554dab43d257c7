//! Conversions between dates and timestamps of the years 1 to 9999. The point in time stays the same, or it does not
//! fit.

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray};
use arrow::datatypes::{
    ArrowTimestampType, DataType, Date32Type, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType,
};

use crate::align::kernel::{Stop, checked, each};
use crate::align::unfit::Why;

/// 0001-01-01 to 9999-12-31, in days since 1970-01-01.
const DAYS: std::ops::RangeInclusive<i32> = -719_162..=2_932_896;
/// From the first second of the year 1 to that of the year 10000, in seconds since 1970-01-01.
const SECONDS: std::ops::Range<i64> = -62_135_596_800..253_402_300_800;
const SECONDS_IN_DAY: i64 = 86_400;

/// Returns the number of units in a second.
pub(super) fn in_second(unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Second => 1,
        TimeUnit::Millisecond => 1_000,
        TimeUnit::Microsecond => 1_000_000,
        TimeUnit::Nanosecond => 1_000_000_000,
    }
}

/// Returns dates unchanged if all are within the years 1 to 9999.
pub(super) fn days(from: &ArrayRef, _: &DataType) -> Result<ArrayRef, Stop> {
    checked(from.as_primitive::<Date32Type>(), Why::Years, |day| DAYS.contains(&day))
}

/// Converts dates to timestamps at midnight.
pub(super) fn day_as_point(from: &ArrayRef, to: &DataType) -> Result<ArrayRef, Stop> {
    days(from, to)?;
    let from = from.as_primitive::<Date32Type>();
    match to {
        DataType::Timestamp(TimeUnit::Second, _) => midnights::<TimestampSecondType>(from, to),
        DataType::Timestamp(TimeUnit::Microsecond, _) => midnights::<TimestampMicrosecondType>(from, to),
        DataType::Timestamp(TimeUnit::Nanosecond, _) => midnights::<TimestampNanosecondType>(from, to),
        _ => midnights::<TimestampMillisecondType>(from, to),
    }
}

fn midnights<T: ArrowTimestampType>(
    from: &arrow::array::PrimitiveArray<Date32Type>,
    to: &DataType,
) -> Result<ArrayRef, Stop> {
    let in_day = SECONDS_IN_DAY * in_second(T::UNIT);
    each::<Date32Type, T>(from, to, |day| i64::from(day).checked_mul(in_day).ok_or(Why::Range))
}

/// Converts timestamps at midnight to dates.
pub(super) fn point_as_day(from: &ArrayRef, to: &DataType) -> Result<ArrayRef, Stop> {
    match from.data_type() {
        DataType::Timestamp(TimeUnit::Second, _) => as_day::<TimestampSecondType>(from, to),
        DataType::Timestamp(TimeUnit::Microsecond, _) => as_day::<TimestampMicrosecondType>(from, to),
        DataType::Timestamp(TimeUnit::Nanosecond, _) => as_day::<TimestampNanosecondType>(from, to),
        _ => as_day::<TimestampMillisecondType>(from, to),
    }
}

fn as_day<T: ArrowTimestampType>(from: &ArrayRef, to: &DataType) -> Result<ArrayRef, Stop> {
    within_years::<T>(from)?;
    let in_day = SECONDS_IN_DAY * in_second(T::UNIT);
    each::<T, Date32Type>(from.as_primitive(), to, |point| match point.rem_euclid(in_day) {
        0 => i32::try_from(point.div_euclid(in_day)).map_err(|_| Why::Years),
        _ => Err(Why::TimeOfDay),
    })
}

/// Converts timestamps to another unit, or returns them unchanged.
pub(super) fn point_as_point(from: &ArrayRef, to: &DataType) -> Result<ArrayRef, Stop> {
    match from.data_type() {
        DataType::Timestamp(TimeUnit::Second, _) => as_point::<TimestampSecondType>(from, to),
        DataType::Timestamp(TimeUnit::Microsecond, _) => as_point::<TimestampMicrosecondType>(from, to),
        DataType::Timestamp(TimeUnit::Nanosecond, _) => as_point::<TimestampNanosecondType>(from, to),
        _ => as_point::<TimestampMillisecondType>(from, to),
    }
}

fn as_point<S: ArrowTimestampType>(from: &ArrayRef, to: &DataType) -> Result<ArrayRef, Stop> {
    within_years::<S>(from)?;
    match to {
        _ if from.data_type() == to => Ok(ArrayRef::clone(from)),
        DataType::Timestamp(TimeUnit::Second, _) => in_unit::<S, TimestampSecondType>(from, to),
        DataType::Timestamp(TimeUnit::Microsecond, _) => in_unit::<S, TimestampMicrosecondType>(from, to),
        DataType::Timestamp(TimeUnit::Nanosecond, _) => in_unit::<S, TimestampNanosecondType>(from, to),
        _ => in_unit::<S, TimestampMillisecondType>(from, to),
    }
}

fn in_unit<S: ArrowTimestampType, T: ArrowTimestampType>(from: &ArrayRef, to: &DataType) -> Result<ArrayRef, Stop> {
    let (here, there) = (in_second(S::UNIT), in_second(T::UNIT));
    let (divided, times) = ((here / there).max(1), (there / here).max(1));
    each::<S, T>(from.as_primitive(), to, |point| match point.rem_euclid(divided) {
        0 => point.div_euclid(divided).checked_mul(times).ok_or(Why::Range),
        _ => Err(Why::Finer),
    })
}

fn within_years<T: ArrowTimestampType + ArrowPrimitiveType<Native = i64>>(from: &ArrayRef) -> Result<ArrayRef, Stop> {
    // 64-bit nanoseconds only cover the years 1677 to 2262, so their bounds saturate
    let unit = in_second(T::UNIT);
    let (first, end) = (SECONDS.start.saturating_mul(unit), SECONDS.end.saturating_mul(unit));
    checked(from.as_primitive::<T>(), Why::Years, |point| point >= first && (point < end || end == i64::MAX))
}

/// Checks that dates and timestamps are within the years 1 to 9999. Arrays of other types pass.
pub(super) fn check_years(from: &ArrayRef) -> Result<(), Stop> {
    match from.data_type() {
        DataType::Date32 => days(from, &DataType::Date32)?,
        DataType::Timestamp(TimeUnit::Second, _) => within_years::<TimestampSecondType>(from)?,
        DataType::Timestamp(TimeUnit::Millisecond, _) => within_years::<TimestampMillisecondType>(from)?,
        DataType::Timestamp(TimeUnit::Microsecond, _) => within_years::<TimestampMicrosecondType>(from)?,
        _ => return Ok(()),
    };
    Ok(())
}

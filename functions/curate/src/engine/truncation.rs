//! `date_trunc` of timestamps of any year. DataFusion computes in nanoseconds, which range from 1677 to 2262.

use arrow::array::{ArrayRef, AsArray, Int64Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type, TimeUnit};
use chrono::{Datelike, NaiveDate};
use datafusion::common::{Result, ScalarValue, exec_err};
use datafusion::functions::datetime;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF};

use crate::engine::scalar::called;

pub(super) fn function() -> ScalarUDF {
    called(datetime::date_trunc(), truncate)
}

fn truncate(function: &ScalarUDF, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
    let [ColumnarValue::Scalar(ScalarValue::Utf8(Some(part)) | ScalarValue::Utf8View(Some(part))), of] =
        arguments.args.as_slice()
    else {
        return function.invoke_with_args(arguments);
    };
    let (Some(part), DataType::Timestamp(unit, None)) = (Part::parse(part), of.data_type()) else {
        return function.invoke_with_args(arguments);
    };
    let of = of.to_array(arguments.number_rows)?;
    Ok(ColumnarValue::Array(part.begins(&of, a_second(unit))?))
}

fn a_second(unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Second => 1,
        TimeUnit::Millisecond => 1_000,
        TimeUnit::Microsecond => 1_000_000,
        TimeUnit::Nanosecond => 1_000_000_000,
    }
}

/// The unit that a time is truncated to.
#[derive(Clone, Copy)]
enum Part {
    Year,
    Quarter,
    Month,
    Week,
    /// A unit of this many seconds.
    Seconds(i64),
}

const A_DAY: i64 = 24 * 3600;
/// The number of 1970-01-01, if 0001-01-01 is day 1.
const FIRST_DAY: i64 = 719_163;

impl Part {
    fn parse(text: &str) -> Option<Self> {
        Some(match text.to_ascii_lowercase().as_str() {
            "year" => Self::Year,
            "quarter" => Self::Quarter,
            "month" => Self::Month,
            "week" => Self::Week,
            "day" => Self::Seconds(A_DAY),
            "hour" => Self::Seconds(3600),
            "minute" => Self::Seconds(60),
            "second" => Self::Seconds(1),
            _ => return None,
        })
    }

    /// Returns the start of the unit that each timestamp is in.
    fn begins(self, of: &ArrayRef, a_second: i64) -> Result<ArrayRef> {
        let ticks = cast(of, &DataType::Int64)?;
        let ticks = ticks.as_primitive::<Int64Type>();
        let a_day = A_DAY * a_second;
        let begins: Int64Array = match self {
            Self::Seconds(seconds) => {
                let length = seconds * a_second;
                ticks.try_unary(|tick| within(tick.checked_sub(tick.rem_euclid(length))))?
            }
            _ => ticks.try_unary(|tick| {
                within(self.first_day(tick.div_euclid(a_day)).and_then(|day| day.checked_mul(a_day)))
            })?,
        };
        Ok(cast(&begins, of.data_type())?)
    }

    /// Returns the first day of the unit that the day is in, in days since 1970.
    fn first_day(self, day: i64) -> Option<i64> {
        if let Self::Week = self {
            // 1970 began on a Thursday
            return day.checked_sub((day + 3).rem_euclid(7));
        }
        let date = NaiveDate::from_num_days_from_ce_opt(i32::try_from(day + FIRST_DAY).ok()?)?;
        let month = match self {
            Self::Year => 1,
            Self::Quarter => date.month0() / 3 * 3 + 1,
            _ => date.month(),
        };
        let first = NaiveDate::from_ymd_opt(date.year(), month, 1)?;
        Some(i64::from(first.num_days_from_ce()) - FIRST_DAY)
    }
}

fn within(begin: Option<i64>) -> Result<i64> {
    if let Some(begin) = begin { Ok(begin) } else { exec_err!("a point in time beyond the calendar") }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, NaiveDateTime};

    use std::sync::Arc;

    use super::*;

    #[test]
    fn parts_begin_where_they_do_in_the_calendar() {
        for (part, of, begin) in [
            ("year", "9999-12-31 23:59:59.999", "9999-01-01 00:00:00"),
            ("quarter", "0001-03-31 00:00:00.001", "0001-01-01 00:00:00"),
            ("quarter", "2024-12-01 00:00:00", "2024-10-01 00:00:00"),
            ("MONTH", "1969-12-31 23:59:59.999", "1969-12-01 00:00:00"),
            ("week", "2024-02-29 12:00:00", "2024-02-26 00:00:00"),
            ("week", "1969-12-31 12:00:00", "1969-12-29 00:00:00"),
            ("day", "1600-02-29 23:59:59.999", "1600-02-29 00:00:00"),
            ("hour", "1969-12-31 23:59:59.999", "1969-12-31 23:00:00"),
            ("second", "1969-12-31 23:59:59.999", "1969-12-31 23:59:59"),
        ] {
            let millis = |text: &str| {
                let point = NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f").unwrap();
                (point.and_utc() - DateTime::UNIX_EPOCH).num_milliseconds()
            };
            let of: ArrayRef = Arc::new(arrow::array::TimestampMillisecondArray::from(vec![Some(millis(of)), None]));
            let begins = Part::parse(part).unwrap().begins(&of, 1_000).unwrap();
            let expected = arrow::array::TimestampMillisecondArray::from(vec![Some(millis(begin)), None]);
            assert_eq!(begins.as_ref(), &expected as &dyn arrow::array::Array, "{part} {begin}");
        }
    }
}

//! Spark's time zone functions. `from_utc_timestamp(ts, 'Europe/London')` is what clocks in London show at a time in
//! UTC. `to_utc_timestamp(ts, 'Europe/London')` is the time in UTC at which they show it. If clocks show a time twice,
//! the first one counts. A time that they skip is moved by as much as the clocks go forward.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef, Int64Type, TimeUnit};
use chrono::{DateTime, Datelike, FixedOffset, MappedLocalTime, NaiveDate, NaiveDateTime, Offset, TimeDelta, TimeZone};
use chrono_tz::Tz;
use datafusion::common::{DataFusionError, Result, ScalarValue, exec_err, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use crate::engine::micros::MICROS;

pub(super) fn functions() -> [ScalarUDF; 2] {
    let signature = || Signature::user_defined(Volatility::Immutable);
    [true, false].map(|from_utc| ScalarUDF::from(Shift { from_utc, signature: signature() }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Shift {
    from_utc: bool,
    signature: Signature,
}

impl ScalarUDFImpl for Shift {
    fn name(&self) -> &str {
        if self.from_utc { "from_utc_timestamp" } else { "to_utc_timestamp" }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let of = match types {
            [of @ DataType::Timestamp(_, None), _] => of.clone(),
            [
                DataType::Date32
                | DataType::Date64
                | DataType::Utf8
                | DataType::LargeUtf8
                | DataType::Utf8View
                | DataType::Null,
                _,
            ] => MICROS,
            _ => return plan_err!("{0}() is of a timestamp and a time zone: {0}(ts, 'Europe/London')", self.name()),
        };
        Ok(vec![of, DataType::Utf8])
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        Ok(types.first().cloned().unwrap_or(MICROS))
    }

    fn return_field_from_args(&self, arguments: ReturnFieldArgs) -> Result<FieldRef> {
        if let Some(Some(ScalarValue::Utf8(Some(zone)) | ScalarValue::Utf8View(Some(zone)))) =
            arguments.scalar_arguments.get(1)
            && let Err(message) = Zone::parse(zone)
        {
            return plan_err!("{message}");
        }
        let types: Vec<_> = arguments.arg_fields.iter().map(|field| field.data_type().clone()).collect();
        Ok(Arc::new(Field::new(self.name(), self.return_type(&types)?, true)))
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [of, zone] = arguments.args.as_slice() else {
            return Err(DataFusionError::Internal("a timestamp and a time zone".into()));
        };
        let of = of.to_array(arguments.number_rows)?;
        let shifted = match zone {
            ColumnarValue::Scalar(ScalarValue::Utf8(Some(zone))) => {
                let mut clock = Clock::new(zone)?;
                shift(&of, |_, point| clock.shift(point, self.from_utc).map(Some))?
            }
            zone => {
                let zones = zone.to_array(arguments.number_rows)?;
                let zones: &StringArray = zones.as_string();
                let mut clocks = HashMap::new();
                shift(&of, |row, point| {
                    let Some(zone) = (!zones.is_null(row)).then(|| zones.value(row)) else { return Ok(None) };
                    if !clocks.contains_key(zone) {
                        clocks.insert(zone.to_owned(), Clock::new(zone)?);
                    }
                    let clock = clocks.get_mut(zone);
                    clock.map(|clock| clock.shift(point, self.from_utc)).transpose()
                })?
            }
        };
        Ok(ColumnarValue::Array(shifted))
    }
}

/// Moves each timestamp by the number of seconds that `by` returns, or makes it null.
fn shift(of: &ArrayRef, mut by: impl FnMut(usize, NaiveDateTime) -> Result<Option<i64>>) -> Result<ArrayRef> {
    let DataType::Timestamp(unit, None) = of.data_type() else {
        return Err(DataFusionError::Internal("no timestamp".into()));
    };
    let a_second: i64 = match unit {
        TimeUnit::Second => 1,
        TimeUnit::Millisecond => 1_000,
        TimeUnit::Microsecond => 1_000_000,
        TimeUnit::Nanosecond => 1_000_000_000,
    };
    let ticks = cast(of, &DataType::Int64)?;
    let shifted = ticks.as_primitive::<Int64Type>().iter().enumerate().map(|(row, tick)| {
        let Some(tick) = tick else { return Ok(None) };
        let Some(point) = DateTime::from_timestamp(tick.div_euclid(a_second), 0) else {
            return exec_err!("a point in time beyond the calendar");
        };
        let Some(seconds) = by(row, point.naive_utc())? else { return Ok(None) };
        if let Some(tick) = seconds.checked_mul(a_second).and_then(|by| tick.checked_add(by)) {
            Ok(Some(tick))
        } else {
            exec_err!("a point in time beyond the calendar")
        }
    });
    let shifted = shifted.collect::<Result<Int64Array>>()?;
    Ok(cast(&shifted, of.data_type())?)
}

#[derive(Clone, Copy, Debug)]
enum Zone {
    Named(Tz),
    Fixed(FixedOffset),
}

impl Zone {
    fn parse(text: &str) -> Result<Self, String> {
        if let Ok(zone) = text.parse() {
            return Ok(Self::Named(zone));
        }
        let offset = text.strip_prefix("UTC").or(text.strip_prefix("GMT")).unwrap_or(text);
        let well_formed = matches!(offset.as_bytes(), [b'+' | b'-', b'0'..=b'9', b'0'..=b'9', b':', _, _]);
        match offset.parse() {
            Ok(offset) if well_formed => Ok(Self::Fixed(offset)),
            _ => Err(format!(
                "`{text}` is not a time zone: use an IANA name such as `Europe/London`, or an offset such as `+01:00`"
            )),
        }
    }

    /// Returns how many seconds its clocks are ahead of UTC at a time in UTC.
    fn at(self, utc: NaiveDateTime) -> i64 {
        let offset = match self {
            Self::Fixed(offset) => offset,
            Self::Named(zone) => zone.offset_from_utc_datetime(&utc).fix(),
        };
        offset.local_minus_utc().into()
    }

    /// Returns how many seconds its clocks are ahead of UTC when they show a time. At a change of the clocks, the
    /// offset before it counts.
    fn when(self, local: NaiveDateTime) -> i64 {
        let zone = match self {
            Self::Fixed(offset) => return offset.local_minus_utc().into(),
            Self::Named(zone) => zone,
        };
        // clocks skip at most a day
        for hours in 0..=25 {
            let Some(before) = local.checked_sub_signed(TimeDelta::hours(hours)) else { break };
            let offset = match zone.offset_from_local_datetime(&before) {
                MappedLocalTime::None => continue,
                MappedLocalTime::Single(offset) => offset,
                MappedLocalTime::Ambiguous(first, second) if hours == 0 => {
                    return first.fix().local_minus_utc().max(second.fix().local_minus_utc()).into();
                }
                MappedLocalTime::Ambiguous(_, second) => second,
            };
            return offset.fix().local_minus_utc().into();
        }
        self.at(local)
    }
}

/// The last year whose clock changes the time zone data lists. Later years follow the same rules.
const LAST_YEAR: i32 = 2037;

/// A time zone, and for each later year the listed year that stands for it.
struct Clock {
    zone: Zone,
    years: HashMap<i32, i32>,
}

impl Clock {
    fn new(zone: &str) -> Result<Self> {
        match Zone::parse(zone) {
            Ok(zone) => Ok(Self { zone, years: HashMap::new() }),
            // A zone in the SQL was checked while planning. This one is a value, which may be sensitive, and is not
            // shown.
            Err(_) => exec_err!("an unknown time zone; use an IANA name, as `Europe/London`"),
        }
    }

    /// Returns the seconds to add.
    fn shift(&mut self, point: NaiveDateTime, from_utc: bool) -> Result<i64> {
        let point = self.known(point)?;
        Ok(if from_utc { self.zone.at(point) } else { -self.zone.when(point) })
    }

    /// Moves the time to a year whose clock changes are listed.
    fn known(&mut self, point: NaiveDateTime) -> Result<NaiveDateTime> {
        let year = point.year();
        if year <= LAST_YEAR || matches!(self.zone, Zone::Fixed(_)) {
            return Ok(point);
        }
        let known = if let Some(known) = self.years.get(&year) {
            *known
        } else {
            let Some(known) = like(self.zone, year) else {
                return exec_err!("the clock changes of this time zone after {LAST_YEAR} is not known");
            };
            self.years.insert(year, known);
            known
        };
        if let Some(point) = point.with_year(known) {
            Ok(point)
        } else {
            exec_err!("a point in time beyond the calendar")
        }
    }
}

/// Returns a listed year with the same weekdays, in which the clocks changed as they do in the last year.
fn like(zone: Zone, year: i32) -> Option<i32> {
    let first = NaiveDate::from_ymd_opt(year, 1, 1)?;
    (LAST_YEAR - 27..=LAST_YEAR).rev().find(|known| {
        let Some(of_known) = NaiveDate::from_ymd_opt(*known, 1, 1) else { return false };
        of_known.weekday() == first.weekday()
            && of_known.leap_year() == first.leap_year()
            && (1..=12).all(|month| {
                // clocks change at the beginning or the end of a month
                let on = |year: i32| Some(zone.at(NaiveDate::from_ymd_opt(year, month, 18)?.and_hms_opt(12, 0, 0)?));
                on(*known) == on(LAST_YEAR)
            })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> NaiveDateTime {
        NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M").unwrap()
    }

    #[test]
    fn clocks_of_java() {
        for (zone, local, utc) in [
            ("Europe/London", "2024-07-01 13:00", "2024-07-01 12:00"),
            // skipped: read as 02:30, an hour later
            ("Europe/London", "2024-03-31 01:30", "2024-03-31 01:30"),
            // shown twice: the first counts
            ("Europe/London", "2024-10-27 01:30", "2024-10-27 00:30"),
            ("Europe/London", "1970-01-01 12:00", "1970-01-01 11:00"),
            ("Europe/London", "2100-07-01 13:00", "2100-07-01 12:00"),
            ("Europe/London", "9999-12-31 00:00", "9999-12-31 00:00"),
            ("Asia/Kolkata", "9999-12-31 05:30", "9999-12-31 00:00"),
            // a day was skipped
            ("Pacific/Apia", "2011-12-30 12:00", "2011-12-30 22:00"),
            ("+01:00", "2024-07-01 13:00", "2024-07-01 12:00"),
            ("UTC-05:00", "2024-07-01 07:00", "2024-07-01 12:00"),
        ] {
            let mut clock = Clock::new(zone).unwrap();
            let seconds = clock.shift(at(local), false).unwrap();
            assert_eq!(at(local) + TimeDelta::seconds(seconds), at(utc), "{zone} {local}");
        }
        let mut london = Clock::new("Europe/London").unwrap();
        for (utc, seconds) in [("2024-03-31 00:59", 0), ("2024-03-31 01:00", 3600), ("2050-10-30 00:59", 3600)] {
            assert_eq!(london.shift(at(utc), true).unwrap(), seconds, "{utc}");
        }
        for zone in ["Europe/Londn", "1:00", "", "+1:00", "+01:0"] {
            assert!(Clock::new(zone).is_err(), "{zone}");
        }
    }
}

//! Days and points in time: the range that a column may hold, lossless conversion between units, and their text.
//!
//! Both lie in the years 1 to 9999, whatever their format and type. That is the range of their text, of SQL's dates,
//! and of every reader of the tables. Nanoseconds in 64 bits reach only from 1677 to 2262.

use std::fmt;

use contract::TimestampUnit;

use crate::values::why::Why;

/// 0001-01-01, in days since 1970-01-01.
pub(crate) const FIRST_DAY: i32 = -719_162;
/// 9999-12-31, in days since 1970-01-01.
pub(crate) const LAST_DAY: i32 = 2_932_896;
const SECONDS_OF_A_DAY: i64 = 86_400;
const NANOSECONDS_OF_A_SECOND: i64 = 1_000_000_000;
/// 1970-01-01 as a Julian day, which INT96 counts.
const JULIAN_EPOCH: i64 = 2_440_588;

/// Returns the day, if a column may hold it.
pub(crate) fn day(days: i32) -> Result<i32, Why> {
    if (FIRST_DAY..=LAST_DAY).contains(&days) { Ok(days) } else { Err(Why::OutOfRange) }
}

/// Returns the least and the greatest point in time, in units of which `per_second` make a second.
pub(crate) fn range(per_second: i64) -> (i64, i64) {
    let units = |day: i32| i128::from(day) * i128::from(SECONDS_OF_A_DAY) * i128::from(per_second);
    let within = |units: i128| units.clamp(i64::MIN.into(), i64::MAX.into()) as i64;
    (within(units(FIRST_DAY)), within(units(LAST_DAY + 1) - 1))
}

/// A point in time, to the nanosecond, in the range of any file format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Point {
    /// Seconds since 1970-01-01 00:00:00.
    pub(crate) seconds: i64,
    /// Less than a second.
    pub(crate) nanoseconds: u32,
}

impl Point {
    /// Converts a count of units since 1970-01-01 00:00:00.
    pub(crate) fn of(value: i64, per_second: i64) -> Self {
        let nanoseconds = value.rem_euclid(per_second) * (NANOSECONDS_OF_A_SECOND / per_second);
        Self { seconds: value.div_euclid(per_second), nanoseconds: nanoseconds as u32 }
    }

    /// Converts Parquet's INT96: nanoseconds of a day, and a Julian day. Returns `None` if they exceed a day.
    pub(crate) fn of_int96(bytes: &[u8]) -> Option<Self> {
        let (nanoseconds, rest) = bytes.split_first_chunk::<8>()?;
        let nanoseconds = i64::from_le_bytes(*nanoseconds);
        let days = i64::from(i32::from_le_bytes(*rest.first_chunk::<4>()?)) - JULIAN_EPOCH;
        let of_day = (0..SECONDS_OF_A_DAY * NANOSECONDS_OF_A_SECOND).contains(&nanoseconds);
        of_day.then(|| {
            let point = Self::of(nanoseconds, NANOSECONDS_OF_A_SECOND);
            Self { seconds: point.seconds + days * SECONDS_OF_A_DAY, ..point }
        })
    }

    /// Converts to a column's unit, if nothing is lost.
    pub(crate) fn in_unit(self, unit: TimestampUnit) -> Result<i64, Why> {
        day(self.days()?)?;
        let per_second = unit.per_second();
        let nanoseconds_of_one = NANOSECONDS_OF_A_SECOND / per_second;
        let fraction = i64::from(self.nanoseconds);
        if fraction % nanoseconds_of_one != 0 {
            return Err(Why::TooFine);
        }
        // the seconds alone may exceed 64 bits of nanoseconds, although the sum does not
        let value = i128::from(self.seconds) * i128::from(per_second) + i128::from(fraction / nanoseconds_of_one);
        i64::try_from(value).map_err(|_| Why::OutOfRange)
    }

    /// Returns the day that begins at this point.
    pub(crate) fn midnight(self) -> Result<i32, Why> {
        let days = day(self.days()?)?;
        let begins = self.nanoseconds == 0 && self.seconds % SECONDS_OF_A_DAY == 0;
        if begins { Ok(days) } else { Err(Why::TimeOfDay) }
    }

    /// Returns the point, if a column of some unit could hold it.
    pub(crate) fn in_range(self) -> Result<Self, Why> {
        day(self.days()?).map(|_| self)
    }

    fn days(self) -> Result<i32, Why> {
        i32::try_from(self.seconds.div_euclid(SECONDS_OF_A_DAY)).map_err(|_| Why::OutOfRange)
    }
}

/// `YYYY-MM-DDTHH:MM:SS`, with as many decimals as needed: 0, 3, 6 or 9.
impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let second = self.seconds.rem_euclid(SECONDS_OF_A_DAY);
        write!(f, "{}T", Day(self.seconds.div_euclid(SECONDS_OF_A_DAY)))?;
        write!(f, "{}", Clock { second, nanoseconds: self.nanoseconds })
    }
}

/// A time of day, displayed as `HH:MM:SS` with as many decimals as needed.
pub(crate) struct Clock {
    second: i64,
    nanoseconds: u32,
}

impl Clock {
    /// Converts a count of units. Returns `None` outside of a day.
    pub(crate) fn of(value: i64, per_second: i64) -> Option<Self> {
        let Point { seconds: second, nanoseconds } = Point::of(value, per_second);
        (0..SECONDS_OF_A_DAY).contains(&second).then_some(Self { second, nanoseconds })
    }
}

impl fmt::Display for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}:{:02}", self.second / 3600, self.second / 60 % 60, self.second % 60)?;
        match self.nanoseconds {
            0 => Ok(()),
            n if n.is_multiple_of(1_000_000) => write!(f, ".{:03}", n / 1_000_000),
            n if n.is_multiple_of(1000) => write!(f, ".{:06}", n / 1000),
            n => write!(f, ".{n:09}"),
        }
    }
}

/// Days since 1970-01-01, displayed as `YYYY-MM-DD`. Years outside of 0 to 9999 have a sign and, if needed, more
/// digits, as in ISO 8601.
pub(crate) struct Day(pub(crate) i64);

impl fmt::Display for Day {
    /// Counts in eras of 400 years that begin in March:
    /// <https://howardhinnant.github.io/date_algorithms.html#civil_from_days>
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let days = self.0 + 719_468;
        let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
        let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * of_year + 2) / 153;
        let day = of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
        let year = era * 400 + year_of_era + i64::from(month <= 2);
        match year {
            0..=9999 => write!(f, "{year:04}-{month:02}-{day:02}"),
            _ => write!(f, "{year:+05}-{month:02}-{day:02}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::{Datelike, NaiveDate};

    use super::*;

    #[test]
    fn every_day_has_chrono_s_name() {
        for days in (-800_000..3_000_000).step_by(17).chain([FIRST_DAY, LAST_DAY, FIRST_DAY - 1, LAST_DAY + 1]) {
            let date = NaiveDate::from_num_days_from_ce_opt(days + 719_163).unwrap();
            let expected = match date.year() {
                0..=9999 => date.format("%Y-%m-%d").to_string(),
                _ => format!("{:+05}-{:02}-{:02}", date.year(), date.month(), date.day()),
            };
            assert_eq!(Day(days.into()).to_string(), expected);
            assert_eq!(day(days).is_ok(), (1..=9999).contains(&date.year()), "{date}");
        }
        assert_eq!(Day(i32::MAX.into()).to_string(), "+5881580-07-11");
        assert_eq!(Day(i32::MIN.into()).to_string(), "-5877641-06-23");
    }

    #[test]
    fn a_point_keeps_every_digit_or_says_why_not() {
        use TimestampUnit::{Microsecond, Millisecond, Nanosecond};
        for unit in [Millisecond, Microsecond, Nanosecond] {
            let per_second = unit.per_second();
            let (least, greatest) = range(per_second);
            for value in [least, least + 1, -1, 0, 1, greatest - 1, greatest] {
                assert_eq!(Point::of(value, per_second).in_unit(unit), Ok(value), "{unit:?} {value}");
            }
            if unit != Nanosecond {
                for value in [least - 1, greatest + 1, i64::MIN, i64::MAX] {
                    assert_eq!(Point::of(value, per_second).in_unit(unit), Err(Why::OutOfRange), "{unit:?} {value}");
                }
            }
        }
        assert_eq!(range(1_000_000_000), (i64::MIN, i64::MAX));
        assert_eq!(Point::of(-1, 1_000_000).in_unit(Millisecond), Err(Why::TooFine));
        assert_eq!(Point::of(-1000, 1_000_000).in_unit(Millisecond), Ok(-1));
        assert_eq!(Point::of(9_223_372_037, 1).in_unit(Nanosecond), Err(Why::OutOfRange));
        assert_eq!(Point::of(9_223_372_036, 1).in_unit(Nanosecond), Ok(9_223_372_036_000_000_000));
        assert_eq!(Point::of(86_400, 1).midnight(), Ok(1));
        assert_eq!(Point::of(-1, 1000).midnight(), Err(Why::TimeOfDay));
        for (value, per_second, text) in [
            (0, 1, "1970-01-01T00:00:00"),
            (-1, 1000, "1969-12-31T23:59:59.999"),
            (1, 1_000_000, "1970-01-01T00:00:00.000001"),
            (1, 1_000_000_000, "1970-01-01T00:00:00.000000001"),
            (i64::MAX, 1_000_000_000, "2262-04-11T23:47:16.854775807"),
            (i64::MAX, 1000, "+292278994-08-17T07:12:55.807"),
            (i64::MIN, 1_000_000, "-290308-12-21T19:59:05.224192"),
        ] {
            assert_eq!(Point::of(value, per_second).to_string(), text);
        }
        assert_eq!(Point::of(i64::MAX, 1).to_string().split_once('T').map(|(_, time)| time), Some("15:30:07"));
    }
}

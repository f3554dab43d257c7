//! Days and points in time from text in the style of ISO 8601.

use chrono::{Datelike, NaiveDate};

use crate::values::points::{self, Point};
use crate::values::why::Why;

/// Whether a text is a day without a time.
pub(crate) fn is_day(text: &str) -> bool {
    text.len() == 10 && days_of(text.as_bytes()).is_ok()
}

/// Parses a day, alone or with a time of midnight, as days since 1970-01-01. pandas writes a date with midnight, and so
/// does a program that had it as a point in time.
pub(crate) fn day(text: &str) -> Result<i32, Why> {
    let (day, time) = text.as_bytes().split_at_checked(10).ok_or(Why::Other)?;
    if time.is_empty() {
        return days_of(day);
    }
    match time_of_day(time).ok_or(Why::Other)? {
        (0, Fraction { nanoseconds: 0, finer: false }) => days_of(day),
        _ => Err(Why::Other),
    }
}

/// Parses a day with a time, to the nanosecond. Also returns whether a finer digit is not zero.
pub(crate) fn point(text: &str) -> Result<(Point, bool), Why> {
    let (day, time) = text.as_bytes().split_at_checked(10).ok_or(Why::Other)?;
    let (second, Fraction { nanoseconds, finer }) = time_of_day(time).ok_or(Why::Other)?;
    let seconds = i64::from(days_of(day)?) * 86_400 + i64::from(second);
    Ok((Point { seconds, nanoseconds }, finer))
}

/// Parses exactly `YYYY-MM-DD`. There was no year 0.
fn days_of(text: &[u8]) -> Result<i32, Why> {
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = text else { return Err(Why::Other) };
    let year = digits_of(&[*y1, *y2, *y3, *y4]).ok_or(Why::Other)?;
    let month_and_day = digits_of(&[*m1, *m2]).zip(digits_of(&[*d1, *d2]));
    let (month, day) = month_and_day.ok_or(Why::Other)?;
    let day = NaiveDate::from_ymd_opt(year as i32, month, day).ok_or(Why::Other)?;
    // checks the years 1 to 9999
    let days = day.num_days_from_ce() - DAYS_TO_1970;
    points::day(days)
}

/// The fraction of a second.
#[derive(Clone, Copy, Default)]
struct Fraction {
    nanoseconds: u32,
    /// Whether a digit below the nanosecond is not zero.
    finer: bool,
}

/// Parses ` HH:MM:SS` or `THH:MM:SS`, with any number of decimals, as seconds and their fraction.
fn time_of_day(text: &[u8]) -> Option<(u32, Fraction)> {
    let [b' ' | b'T', h1, h2, b':', m1, m2, b':', s1, s2, fraction @ ..] = text else { return None };
    let below = |digits: [u8; 2], limit: u32| digits_of(&digits).filter(|number| *number < limit);
    let (hour, minute, second) = (below([*h1, *h2], 24)?, below([*m1, *m2], 60)?, below([*s1, *s2], 60)?);
    let fraction = match fraction {
        [] => Fraction::default(),
        [b'.', digits @ ..] if !digits.is_empty() && digits.iter().all(u8::is_ascii_digit) => {
            let (kept, rest) = digits.split_at(digits.len().min(9));
            let nanoseconds = digits_of(kept)? * 10_u32.pow(9 - kept.len() as u32);
            Fraction { nanoseconds, finer: rest.iter().any(|digit| *digit != b'0') }
        }
        _ => return None,
    };
    Some((hour * 3600 + minute * 60 + second, fraction))
}

/// The number of the day 1970-01-01, where 0001-01-01 is day 1.
const DAYS_TO_1970: i32 = 719_163;

fn digits_of(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |number, digit| digit.is_ascii_digit().then(|| number * 10 + u32::from(digit - b'0')))
}

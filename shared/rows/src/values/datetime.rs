//! Dates and timestamps in a `datetime_format`: strptime's directives, read as Python reads them, or a single word of
//! our own. Unlike in Python, a number directly beside another must have all of its digits: `%d%m%Y` does not read
//! `1022024`, which may be two different days. A value with a zone is converted to UTC.

use std::fmt;

use chrono::{Datelike, NaiveDate, Weekday};

use crate::values::points::Point;
use crate::values::{number, time};

/// A checked `datetime_format`.
#[derive(Clone, Debug)]
pub(crate) struct DatetimeFormat {
    text: Box<str>,
    form: Form,
}

#[derive(Clone, Debug)]
enum Form {
    /// Each part, and whether it must have all of its digits because another number is directly beside it.
    Parts(Vec<(Part, bool)>),
    /// `iso8601`: RFC 3339's profile, in which seconds and the fraction are optional.
    Iso8601,
    /// `epoch_seconds` and finer ones: the number of units since 1970-01-01 00:00:00 UTC. Holds the unit's decimals of
    /// a second.
    Epoch(u8),
}

/// The words of [`Form::Epoch`].
const EPOCHS: [(&str, u8); 4] =
    [("epoch_seconds", 0), ("epoch_milliseconds", 3), ("epoch_microseconds", 6), ("epoch_nanoseconds", 9)];
const ISO_8601: &str = "iso8601";
const NANOSECONDS: i128 = 1_000_000_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// One or more whitespace characters.
    Space,
    Letter(char),
    Year,
    ShortYear,
    Month,
    MonthName,
    MonthShort,
    Day,
    DayOfYear,
    WeekdayName,
    WeekdayShort,
    Hour,
    Hour12,
    HalfDay,
    Minute,
    Second,
    Fraction,
    /// A point and a fraction, or neither: Python's `isoformat` omits a fraction of zero.
    PointFraction,
    /// `Z`, or the hours and minutes that local time is ahead of UTC.
    Zone,
}

impl Part {
    fn begins_with_digits(self) -> bool {
        use Part::{Day, DayOfYear, Fraction, Hour, Hour12, Minute, Month, Second, ShortYear, Year};
        matches!(self, Year | ShortYear | Month | Day | DayOfYear | Hour | Hour12 | Minute | Second | Fraction)
    }
}

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];
const WEEKDAYS: [(&str, Weekday); 7] = [
    ("monday", Weekday::Mon),
    ("tuesday", Weekday::Tue),
    ("wednesday", Weekday::Wed),
    ("thursday", Weekday::Thu),
    ("friday", Weekday::Fri),
    ("saturday", Weekday::Sat),
    ("sunday", Weekday::Sun),
];
const KNOWN: &str = "%Y %y %m %b %B %d %j %a %A %H %I %p %M %S %f %z %F %T %R %%, and the words \
                     iso8601, epoch_seconds, epoch_milliseconds, epoch_microseconds and epoch_nanoseconds";

/// Checks that the reader supports a column's `datetime_format`.
///
/// # Errors
/// The reason, if it does not.
pub fn check_datetime_format(format: &str) -> Result<(), String> {
    DatetimeFormat::new(format).map(drop)
}

impl fmt::Display for DatetimeFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.form {
            Form::Parts(_) => write!(f, "`{}`", self.text),
            Form::Iso8601 => write!(f, "`YYYY-MM-DDTHH:MM:SS[.f]` with `Z` or an offset such as `+01:00`"),
            Form::Epoch(_) => write!(f, "`{}`, a number", self.text),
        }
    }
}

impl DatetimeFormat {
    pub(crate) fn new(format: &str) -> Result<Self, String> {
        let word = EPOCHS.iter().find(|(word, _)| *word == format).map(|(_, decimals)| Form::Epoch(*decimals));
        if let Some(form) = word.or_else(|| (format == ISO_8601).then_some(Form::Iso8601)) {
            return Ok(Self { text: format.into(), form });
        }
        let mut parts = Vec::new();
        let mut letters = format.chars();
        while let Some(letter) = letters.next() {
            if letter.is_whitespace() {
                if parts.last() != Some(&Part::Space) {
                    parts.push(Part::Space);
                }
                continue;
            }
            if letter != '%' {
                parts.push(Part::Letter(letter));
                continue;
            }
            match letters.next() {
                Some('%') => parts.push(Part::Letter('%')),
                Some('Y') => parts.push(Part::Year),
                Some('y') => parts.push(Part::ShortYear),
                Some('m') => parts.push(Part::Month),
                Some('B') => parts.push(Part::MonthName),
                Some('b') => parts.push(Part::MonthShort),
                Some('d') => parts.push(Part::Day),
                Some('j') => parts.push(Part::DayOfYear),
                Some('A') => parts.push(Part::WeekdayName),
                Some('a') => parts.push(Part::WeekdayShort),
                Some('H') => parts.push(Part::Hour),
                Some('I') => parts.push(Part::Hour12),
                Some('p') => parts.push(Part::HalfDay),
                Some('M') => parts.push(Part::Minute),
                Some('S') => parts.push(Part::Second),
                Some('f') => match parts.last_mut() {
                    Some(point @ Part::Letter('.')) => *point = Part::PointFraction,
                    _ => parts.push(Part::Fraction),
                },
                Some('F') => {
                    parts.extend([Part::Year, Part::Letter('-'), Part::Month, Part::Letter('-'), Part::Day]);
                }
                Some('R') => parts.extend([Part::Hour, Part::Letter(':'), Part::Minute]),
                Some('T') => {
                    parts.extend([Part::Hour, Part::Letter(':'), Part::Minute, Part::Letter(':'), Part::Second]);
                }
                Some('z') => parts.push(Part::Zone),
                Some('Z') => {
                    let what = "`%Z` is a time zone's name, which may be that of several: where it is always the same, \
                                write it as it is";
                    return Err(what.into());
                }
                Some(other) => return Err(format!("`%{other}` is not known; known are {KNOWN}")),
                None => return Err("ends with a single `%`".into()),
            }
        }
        complete(&parts)?;
        let is_number = |n: Option<usize>| n.and_then(|n| parts.get(n)).is_some_and(|part| part.begins_with_digits());
        let whole = |n: usize| is_number(n.checked_sub(1)) || is_number(Some(n + 1));
        let parts = parts.iter().enumerate().map(|(n, part)| (*part, whole(n))).collect();
        Ok(Self { text: format.into(), form: Form::Parts(parts) })
    }

    /// Whether values are numbers rather than strings.
    pub(crate) fn is_number(&self) -> bool {
        matches!(self.form, Form::Epoch(_))
    }

    /// Returns the point in time that a text stands for.
    pub(crate) fn read(&self, text: &str) -> Option<Point> {
        let parts = match &self.form {
            Form::Parts(parts) => parts,
            Form::Iso8601 => return iso_8601(text),
            Form::Epoch(decimals) => return epoch(text, *decimals),
        };
        let mut found = Found::default();
        let mut rest = text;
        for (part, whole) in parts {
            rest = found.take(*part, *whole, rest)?;
        }
        if rest.is_empty() { found.point() } else { None }
    }
}

/// Parses `YYYY-MM-DDTHH:MM[:SS[.f]]` and a zone.
fn iso_8601(text: &str) -> Option<Point> {
    let (day, rest) = text.split_at_checked(10)?;
    let rest = rest.strip_prefix(['T', 't', ' '])?;
    let (clock, zone) = rest.split_at(rest.find(['Z', 'z', '+', '-'])?);
    let offset = offset_of(zone)?;
    let seconds = if clock.len() == 5 { ":00" } else { "" };
    let local = format!("{day} {clock}{seconds}");
    let (point, finer) = time::point(&local).ok()?;
    (!finer).then_some(Point { seconds: point.seconds - offset, ..point })
}

/// Parses a number of units since 1970-01-01 00:00:00 UTC.
fn epoch(text: &str, decimals: u8) -> Option<Point> {
    let nanoseconds = number::decimal_of(number::number(text)?, 38, 9 - decimals)?;
    let seconds = i64::try_from(nanoseconds.div_euclid(NANOSECONDS)).ok()?;
    Some(Point { seconds, nanoseconds: nanoseconds.rem_euclid(NANOSECONDS) as u32 })
}

/// Returns the seconds that local time is ahead of UTC, from `Z`, `+HH:MM`, `+HHMM` or `+HH`.
fn offset_of(zone: &str) -> Option<i64> {
    if zone.eq_ignore_ascii_case("z") {
        return Some(0);
    }
    let (sign, rest) = match zone.as_bytes().first()? {
        b'+' => (1, &zone[1..]),
        b'-' => (-1, &zone[1..]),
        _ => return None,
    };
    let number = |digits: &str, limit: i64| {
        let is_number = digits.len() == 2 && digits.bytes().all(|digit| digit.is_ascii_digit());
        is_number.then(|| digits.parse::<i64>().ok())?.filter(|number| *number < limit)
    };
    let (hours, minutes) = match rest.len() {
        2 => (rest, "00"),
        4 => rest.split_at_checked(2)?,
        _ => rest.split_once(':')?,
    };
    Some(sign * (number(hours, 24)? * 3600 + number(minutes, 60)? * 60))
}

/// Checks that no part occurs twice, and that the parts determine a day.
fn complete(parts: &[Part]) -> Result<(), String> {
    use Part::{
        Day, DayOfYear, Fraction, HalfDay, Hour, Hour12, Minute, Month, MonthName, MonthShort, PointFraction, Second,
        ShortYear, WeekdayName, WeekdayShort, Year, Zone,
    };
    let count = |some: &[Part]| parts.iter().filter(|part| some.contains(part)).count();
    let day = (count(&[Month, MonthName, MonthShort]), count(&[Day]), count(&[DayOfYear]));
    for (what, some) in [
        ("the year", &[Year, ShortYear][..]),
        ("the month", &[Month, MonthName, MonthShort]),
        ("the day", &[Day, DayOfYear]),
        ("the weekday", &[WeekdayName, WeekdayShort]),
        ("the hour", &[Hour, Hour12]),
        ("AM or PM", &[HalfDay]),
        ("the minute", &[Minute]),
        ("the second", &[Second]),
        ("the fraction of a second", &[Fraction, PointFraction]),
        ("the zone", &[Zone]),
    ] {
        if count(some) > 1 {
            return Err(format!("says {what} twice"));
        }
    }
    if count(&[Year, ShortYear]) == 0 {
        return Err("says no year (%Y or %y)".into());
    }
    if !matches!(day, (1, 1, 0) | (0, 0, 1)) {
        return Err("says no day: expected a month (%m, %b or %B) and a day (%d), or the day of the year (%j)".into());
    }
    if count(&[Hour12]) != count(&[HalfDay]) {
        return Err("has one of %I and %p without the other".into());
    }
    Ok(())
}

#[derive(Debug)]
struct Found {
    year: i32,
    month: u32,
    day: u32,
    day_of_year: Option<u32>,
    weekday: Option<Weekday>,
    hour: u32,
    half_day: Option<u32>,
    minute: u32,
    second: u32,
    nanoseconds: u32,
    /// Seconds ahead of UTC.
    offset: i64,
}

impl Default for Found {
    fn default() -> Self {
        Self {
            year: 0,
            month: 1,
            day: 1,
            day_of_year: None,
            weekday: None,
            hour: 0,
            half_day: None,
            minute: 0,
            second: 0,
            nanoseconds: 0,
            offset: 0,
        }
    }
}

impl Found {
    /// Takes one part off the front of a text and returns the rest.
    fn take<'a>(&mut self, part: Part, whole: bool, text: &'a str) -> Option<&'a str> {
        let number = |least: u32, greatest: u32| {
            digits(text, 2, least, greatest).filter(|(_, rest)| !whole || text.len() - rest.len() == 2)
        };
        let (into, (value, rest)) = match part {
            Part::Space => {
                let rest = text.trim_start();
                return (rest.len() < text.len()).then_some(rest);
            }
            Part::Letter(letter) => return letter_off(text, letter),
            Part::Year => {
                // four digits, as in Python; there was no year 0
                let (year, rest) = digits(text, 4, 1, 9999).filter(|(_, rest)| text.len() - rest.len() == 4)?;
                self.year = year as i32;
                return Some(rest);
            }
            Part::ShortYear => {
                let (year, rest) = digits(text, 2, 0, 99).filter(|(_, rest)| text.len() - rest.len() == 2)?;
                // as in POSIX: 69 to 99 are in the 1900s, 00 to 68 in the 2000s
                self.year = year as i32 + if year < 69 { 2000 } else { 1900 };
                return Some(rest);
            }
            Part::MonthName | Part::MonthShort => {
                let short = part == Part::MonthShort;
                let (n, rest) = name(text, MONTHS.iter().map(|name| if short { &name[..3] } else { name }))?;
                (&mut self.month, (n as u32 + 1, rest))
            }
            Part::WeekdayName | Part::WeekdayShort => {
                let short = part == Part::WeekdayShort;
                let (n, rest) = name(text, WEEKDAYS.iter().map(|(name, _)| if short { &name[..3] } else { name }))?;
                self.weekday = Some(WEEKDAYS[n].1);
                return Some(rest);
            }
            Part::HalfDay => {
                let (n, rest) = name(text, ["am", "pm"].into_iter())?;
                self.half_day = Some(n as u32);
                return Some(rest);
            }
            Part::DayOfYear => {
                let day = digits(text, 3, 1, 366);
                let (day, rest) = day.filter(|(_, rest)| !whole || text.len() - rest.len() == 3)?;
                self.day_of_year = Some(day);
                return Some(rest);
            }
            Part::PointFraction if !text.starts_with('.') => return Some(text),
            Part::Fraction | Part::PointFraction => {
                let text = if part == Part::PointFraction { &text[1..] } else { text };
                let (fraction, rest) = digits(text, 9, 0, 999_999_999)?;
                let written = (text.len() - rest.len()) as u32;
                (&mut self.nanoseconds, (fraction * 10_u32.pow(9 - written), rest))
            }
            Part::Zone => {
                let digits = text.bytes().skip(1).take_while(|byte| byte.is_ascii_digit() || *byte == b':').count();
                let is_offset = text.starts_with(['+', '-']);
                let (zone, rest) = text.split_at_checked(if is_offset { 1 + digits } else { 1 })?;
                self.offset = offset_of(zone)?;
                return Some(rest);
            }
            Part::Month => (&mut self.month, number(1, 12)?),
            Part::Day => (&mut self.day, number(1, 31)?),
            Part::Hour => (&mut self.hour, number(0, 23)?),
            Part::Hour12 => (&mut self.hour, number(1, 12)?),
            Part::Minute => (&mut self.minute, number(0, 59)?),
            Part::Second => (&mut self.second, number(0, 59)?),
        };
        *into = value;
        Some(rest)
    }

    fn point(self) -> Option<Point> {
        let day = match self.day_of_year {
            Some(day) => NaiveDate::from_yo_opt(self.year, day)?,
            None => NaiveDate::from_ymd_opt(self.year, self.month, self.day)?,
        };
        // a value that contradicts itself cannot be trusted
        if self.weekday.is_some_and(|weekday| weekday != day.weekday()) {
            return None;
        }
        let hour = self.half_day.map_or(self.hour, |half| self.hour % 12 + 12 * half);
        let point = day.and_hms_opt(hour, self.minute, self.second)?.and_utc();
        Some(Point { seconds: point.timestamp() - self.offset, nanoseconds: self.nanoseconds })
    }
}

/// Takes the longest number of at most `most` digits that is in range. Returns it and the rest.
fn digits(text: &str, most: usize, least: u32, greatest: u32) -> Option<(u32, &str)> {
    let there = text.bytes().take(most).take_while(u8::is_ascii_digit).count();
    (1..=there).rev().find_map(|length| {
        let (digits, rest) = text.split_at(length);
        digits.parse().ok().filter(|number| (least..=greatest).contains(number)).map(|number| (number, rest))
    })
}

/// Returns the index of the name that a text begins with, in any letter case, and the rest.
fn name<'a, 'n>(text: &'a str, mut names: impl Iterator<Item = &'n str>) -> Option<(usize, &'a str)> {
    let begins = |name: &str| text.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name));
    let mut length = 0;
    let n = names.position(|name| {
        length = name.len();
        begins(name)
    })?;
    Some((n, &text[length..]))
}

fn letter_off(text: &str, letter: char) -> Option<&str> {
    let mut letters = text.chars();
    let found = letters.next()?;
    (found == letter || found.eq_ignore_ascii_case(&letter)).then_some(letters.as_str())
}

#[cfg(test)]
mod tests;

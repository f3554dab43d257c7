//! Single values from their JSON text. `None` where the text is not a value of the type.

use std::borrow::Cow;
use std::str::FromStr;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use chrono::{Datelike, NaiveDate};
use contract::{TimestampUnit, Written};
use serde_json::value::RawValue;

use crate::datetime::DatetimeFormat;
use crate::expected::Why;
use crate::layout::number_end;
use crate::points::{self, Point};

/// A JSON text without its quotes and escapes.
pub(crate) fn text(json: &str) -> Option<Cow<'_, str>> {
    let inner = json.strip_prefix('"')?.strip_suffix('"')?;
    match memchr::memchr(b'\\', inner.as_bytes()) {
        None => Some(Cow::Borrowed(inner)),
        // half a surrogate pair is JSON, but no text
        Some(_) => serde_json::from_str(json).ok().map(Cow::Owned),
    }
}

/// A text that is a number: by JSON's grammar, and without the zero before or the digits after the point as programs
/// leave them out (`.5`, `-.25`, `5.`).
pub(crate) fn number(text: &str) -> Option<&str> {
    json_number(text).or_else(|| parts(text).map(|_| text))
}

/// A text that is a number by JSON's grammar.
pub(crate) fn json_number(text: &str) -> Option<&str> {
    (!text.is_empty() && number_end(text.as_bytes(), 0)? == text.len()).then_some(text)
}

/// The parts of a number.
struct Parts<'a> {
    negative: bool,
    whole: &'a str,
    fraction: &'a str,
    exponent: Option<&'a str>,
}

fn parts(text: &str) -> Option<Parts<'_>> {
    let (negative, rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (mantissa, exponent) = match rest.find(['e', 'E']) {
        Some(e) => (&rest[..e], Some(&rest[e + 1..])),
        None => (rest, None),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let leading_zero = whole.len() > 1 && whole.starts_with('0');
    let exponent_digits = exponent.map(|e| e.strip_prefix(['+', '-']).unwrap_or(e));
    let fits = digits(whole)
        && digits(fraction)
        && !(whole.is_empty() && fraction.is_empty())
        && !leading_zero
        && exponent_digits.is_none_or(|e| !e.is_empty() && digits(e));
    fits.then_some(Parts { negative, whole, fraction, exponent })
}

/// A number as another dialect writes it, as JSON and the like do: with a point, and without what parts its thousands
/// or stands around it.
pub(crate) fn plain_number<'a>(text: &'a str, written: &Written) -> Option<Cow<'a, str>> {
    let text = if written.bare_number { Cow::Borrowed(text) } else { bare(text)? };
    if written.decimal == '.' && written.group.is_none() {
        return Some(text);
    }
    let text = &*text;
    let (mantissa, exponent) = text.find(['e', 'E']).map_or((text, ""), |e| text.split_at(e));
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or(("", mantissa), |rest| ("-", rest));
    let (whole, fraction) = match mantissa.split_once(written.decimal) {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let whole: Cow<'_, str> = match written.group.filter(|group| whole.contains(*group)) {
        None => whole.into(),
        Some(group) => {
            // the last group has three digits; those before have two in India
            let groups: Vec<&str> = whole.split(group).collect();
            let (first, rest) = groups.split_first()?;
            let (last, middle) = rest.split_last()?;
            let length = |group: &str, lengths: &[usize]| lengths.contains(&group.len());
            if !length(first, &[1, 2, 3]) || !length(last, &[3]) || !middle.iter().all(|group| length(group, &[2, 3])) {
                return None;
            }
            groups.concat().into()
        }
    };
    // a point that is not the decimal sign is nothing that a number has
    if whole.contains('.') || fraction.is_some_and(|fraction| fraction.contains('.')) {
        return None;
    }
    Some(match fraction {
        Some(fraction) => format!("{sign}{whole}.{fraction}{exponent}").into(),
        None => format!("{sign}{whole}{exponent}").into(),
    })
}

/// A number without the currency, or the percent sign, that stands before or after it. A sign comes before both, or
/// right before the number: `-£5`, `£-5`, `5 %`, `EUR 5`.
fn bare(text: &str) -> Option<Cow<'_, str>> {
    with_unit(text).map(|(number, _)| number)
}

/// A number as [`bare`] gives it, and what stood beside it.
pub(crate) fn with_unit(text: &str) -> Option<(Cow<'_, str>, &str)> {
    let is_unit = |unit: &str| {
        let mut letters = unit.chars();
        let sign =
            letters.next().is_some_and(|letter| "%$£€¥₹₽₩₺₪₫₴₦₱฿¢₿¤".contains(letter)) && letters.next().is_none();
        sign || CURRENCIES.binary_search(&unit).is_ok()
    };
    let text = text.trim();
    let (sign, rest) = text.strip_prefix('-').map_or(("", text), |rest| ("-", rest));
    let begins = |letter: char| letter.is_ascii_digit() || matches!(letter, '-' | '.' | ',');
    let start = rest.find(begins)?;
    let end = rest.rfind(|letter: char| letter.is_ascii_digit() || letter == '.')? + 1;
    let (before, number, after) = (rest[..start].trim(), rest.get(start..end)?, rest[end..].trim());
    let mut units = [before, after].into_iter().filter(|unit| !unit.is_empty());
    let unit = units.next().unwrap_or_default();
    let is_one = unit.is_empty() || is_unit(unit);
    if units.next().is_some() || !is_one || !sign.is_empty() && number.starts_with('-') {
        return None;
    }
    Some((if sign.is_empty() { number.into() } else { format!("{sign}{number}").into() }, unit))
}

/// The codes of ISO 4217 for what people pay with, in order.
const CURRENCIES: &[&str] = &[
    "AED", "AFN", "ALL", "AMD", "ANG", "AOA", "ARS", "AUD", "AWG", "AZN", "BAM", "BBD", "BDT", "BGN", "BHD", "BIF",
    "BMD", "BND", "BOB", "BRL", "BSD", "BTN", "BWP", "BYN", "BZD", "CAD", "CDF", "CHF", "CLP", "CNY", "COP", "CRC",
    "CUP", "CVE", "CZK", "DJF", "DKK", "DOP", "DZD", "EGP", "ERN", "ETB", "EUR", "FJD", "FKP", "GBP", "GEL", "GHS",
    "GIP", "GMD", "GNF", "GTQ", "GYD", "HKD", "HNL", "HRK", "HTG", "HUF", "IDR", "ILS", "INR", "IQD", "IRR", "ISK",
    "JMD", "JOD", "JPY", "KES", "KGS", "KHR", "KMF", "KPW", "KRW", "KWD", "KYD", "KZT", "LAK", "LBP", "LKR", "LRD",
    "LSL", "LYD", "MAD", "MDL", "MGA", "MKD", "MMK", "MNT", "MOP", "MRU", "MUR", "MVR", "MWK", "MXN", "MYR", "MZN",
    "NAD", "NGN", "NIO", "NOK", "NPR", "NZD", "OMR", "PAB", "PEN", "PGK", "PHP", "PKR", "PLN", "PYG", "QAR", "RON",
    "RSD", "RUB", "RWF", "SAR", "SBD", "SCR", "SDG", "SEK", "SGD", "SHP", "SLE", "SOS", "SRD", "SSP", "STN", "SYP",
    "SZL", "THB", "TJS", "TMT", "TND", "TOP", "TRY", "TTD", "TWD", "TZS", "UAH", "UGX", "USD", "UYU", "UZS", "VES",
    "VND", "VUV", "WST", "XAF", "XCD", "XOF", "XPF", "YER", "ZAR", "ZMW", "ZWL",
];

/// A text that is an object or an array as JSON, with nothing around it.
pub(crate) fn nested(text: &str) -> Option<&str> {
    let json: &RawValue = text.starts_with(['{', '[']).then(|| serde_json::from_str(text).ok())??;
    (json.get().len() == text.len()).then_some(text)
}

/// A whole number, however it is written: `10`, `10.0` and `1e1` are the same one.
pub(crate) fn integer<T: FromStr + TryFrom<i128>>(json: &str) -> Option<T> {
    match json.as_bytes() {
        // Rust takes a plus sign and zeros before the number, which may mean something: the number is a code then
        [b'+', ..] | [b'0', _, ..] | [b'-', b'0', _, ..] => T::try_from(decimal_of(json, 38, 0)?).ok(),
        _ => json.parse().ok().or_else(|| T::try_from(decimal_of(json, 38, 0)?).ok()),
    }
}

/// A number, rounded to the nearest that the type has.
pub(crate) fn double(json: &str) -> Option<f64> {
    json.parse().ok().filter(|number: &f64| number.is_finite())
}

/// As [`double`], rounded once.
pub(crate) fn float(json: &str) -> Option<f32> {
    json.parse().ok().filter(|number: &f32| number.is_finite())
}

/// Numbers that JSON has not, and what stands for each once a line is JSON: a number beyond every type.
pub(crate) const NANS: [(&str, &str); 3] = [
    ("NaN", "9.8765432101e999999999"),
    ("Infinity", "8.7654321098e999999999"),
    ("-Infinity", "-8.7654321098e999999999"),
];

/// As a line has it that a value of [`NANS`] was made of.
pub(crate) fn as_in_line(json: &str) -> &str {
    NANS.iter().find(|(_, number)| *number == json).map_or(json, |(token, _)| token)
}

/// A number that is none, as programs write it: Python, JavaScript, R, databases and spreadsheets.
pub(crate) fn nan(text: &str) -> Option<f64> {
    let (negative, name) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let is = |names: &[&str]| names.iter().any(|one| name.eq_ignore_ascii_case(one));
    if is(&["nan"]) {
        Some(f64::NAN)
    } else if is(&["inf", "infinity"]) {
        Some(if negative { f64::NEG_INFINITY } else { f64::INFINITY })
    } else {
        None
    }
}

pub(crate) fn boolean(json: &str) -> Option<bool> {
    match json {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}

/// As [`boolean`], in any letter case.
pub(crate) fn boolean_of(text: &str) -> Option<bool> {
    match text {
        _ if text.eq_ignore_ascii_case("true") => Some(true),
        _ if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

pub(crate) fn binary(json: &str) -> Option<Vec<u8>> {
    binary_of(&text(json)?)
}

/// From base64.
pub(crate) fn binary_of(text: &str) -> Option<Vec<u8>> {
    BASE64_STANDARD.decode(text.as_bytes()).ok()
}

/// A number, or a text that holds one, as units of the last digit. Never rounds.
pub(crate) fn decimal(json: &str, precision: u8, scale: u8) -> Option<i128> {
    decimal_of(&if json.starts_with('"') { text(json)? } else { Cow::Borrowed(json) }, precision, scale)
}

/// As [`decimal`], from a text that is not JSON but just the number.
pub(crate) fn decimal_of(text: &str, precision: u8, scale: u8) -> Option<i128> {
    let Parts { negative, whole, fraction, exponent } = parts(text)?;
    // the digits that count, as one text: without zeros before, and with those after as part of the exponent
    let significant: Cow<'_, str> = match fraction.trim_end_matches('0') {
        "" => Cow::Borrowed(whole),
        fraction => Cow::Owned(format!("{whole}{fraction}")),
    };
    let fraction_digits = significant.len() - whole.len();
    let trimmed = significant.trim_end_matches('0');
    let trailing_zeros = significant.len() - trimmed.len();
    let trimmed = trimmed.trim_start_matches('0');
    if trimmed.is_empty() {
        return Some(0);
    }
    let exponent: i64 = exponent.map_or(Ok(0), |e| e.strip_prefix('+').unwrap_or(e).parse()).ok()?;
    let shift = exponent
        .checked_add(trailing_zeros as i64)?
        .checked_sub(fraction_digits as i64)?
        .checked_add(i64::from(scale))?;
    let shift = u32::try_from(shift).ok()?;
    if trimmed.len() as u64 + u64::from(shift) > u64::from(precision) {
        return None;
    }
    let units = trimmed.parse::<i128>().ok()?.checked_mul(10_i128.checked_pow(shift)?)?;
    Some(if negative { -units } else { units })
}

/// Days since 1970-01-01.
pub(crate) fn date(json: &str, format: Option<&DatetimeFormat>) -> Result<i32, Why> {
    date_of(&time_text(json, format).ok_or(Why::Other)?, format)
}

/// The text of a date or timestamp; by some formats it is a number.
fn time_text<'a>(json: &'a str, format: Option<&DatetimeFormat>) -> Option<Cow<'a, str>> {
    let is_number = format.is_some_and(DatetimeFormat::is_number) && !json.starts_with('"');
    if is_number { Some(Cow::Borrowed(json)) } else { text(json) }
}

/// As [`date`], from a text that is not JSON. A time of day must be midnight.
pub(crate) fn date_of(text: &str, format: Option<&DatetimeFormat>) -> Result<i32, Why> {
    let text = match format {
        None => text.as_bytes(),
        Some(format) => return format.read(text).ok_or(Why::Other)?.midnight().map_err(|_| Why::Other),
    };
    let (day, time) = text.split_at_checked(10).ok_or(Why::Other)?;
    match time {
        [] => days_of(day),
        // as pandas writes a date, and as one that was a point in time is written
        time => match time_of_day(time).ok_or(Why::Other)? {
            (0, Fraction { nanoseconds: 0, finer: false }) => days_of(day),
            _ => Err(Why::Other),
        },
    }
}

/// Whether a text is a day and nothing else.
pub(crate) fn is_day(text: &str) -> bool {
    text.len() == 10 && days_of(text.as_bytes()).is_ok()
}

/// Units of a second since 1970-01-01 00:00:00.
pub(crate) fn timestamp(json: &str, format: Option<&DatetimeFormat>, unit: TimestampUnit) -> Result<i64, Why> {
    timestamp_of(&time_text(json, format).ok_or(Why::Other)?, format, unit)
}

/// As [`timestamp`], from a text that is not JSON. Zeros beyond the unit's last digit are no loss.
pub(crate) fn timestamp_of(text: &str, format: Option<&DatetimeFormat>, unit: TimestampUnit) -> Result<i64, Why> {
    if let Some(format) = format {
        return format.read(text).ok_or(Why::Other)?.in_unit(unit);
    }
    let (day, time) = text.as_bytes().split_at_checked(10).ok_or(Why::Other)?;
    let (second, Fraction { nanoseconds, finer }) = time_of_day(time).ok_or(Why::Other)?;
    let seconds = i64::from(days_of(day)?) * 86_400 + i64::from(second);
    let value = Point { seconds, nanoseconds }.in_unit(unit)?;
    if finer { Err(Why::TooFine) } else { Ok(value) }
}

/// A day and a time of it as [`timestamp_of`] reads them, to the nanosecond.
pub(crate) fn point_of(text: &str) -> Option<Point> {
    let (day, time) = text.as_bytes().split_at_checked(10)?;
    let (second, Fraction { nanoseconds, finer }) = time_of_day(time)?;
    let seconds = i64::from(days_of(day).ok()?) * 86_400 + i64::from(second);
    (!finer).then_some(Point { seconds, nanoseconds })
}

/// `YYYY-MM-DD` to the letter. There was no year 0.
fn days_of(text: &[u8]) -> Result<i32, Why> {
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = text else { return Err(Why::Other) };
    let year = digits_of(&[*y1, *y2, *y3, *y4]).ok_or(Why::Other)?;
    let month_and_day = digits_of(&[*m1, *m2]).zip(digits_of(&[*d1, *d2]));
    let (month, day) = month_and_day.ok_or(Why::Other)?;
    let day = NaiveDate::from_ymd_opt(year as i32, month, day).ok_or(Why::Other)?;
    // from year 1 on, and to 9999
    let days = day.num_days_from_ce() - DAYS_TO_1970;
    points::day(days)
}

/// What follows the seconds.
#[derive(Clone, Copy, Default)]
struct Fraction {
    nanoseconds: u32,
    /// There is something below.
    finer: bool,
}

/// ` HH:MM:SS` or `THH:MM:SS`, with any number of decimals, as seconds and what follows them.
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

/// The days before 1970-01-01, from the first of year 1, which is 1.
const DAYS_TO_1970: i32 = 719_163;

fn digits_of(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |number, digit| digit.is_ascii_digit().then(|| number * 10 + u32::from(digit - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decimal_is_exact_or_refused() {
        for (json, expected) in [
            ("1", Some(100)),
            ("-1.5", Some(-150)),
            ("\"1.50\"", Some(150)),
            ("1.5000000000000000000000000000000000000000000000000", Some(150)),
            ("15e-1", Some(150)),
            ("1.5E+2", Some(15000)),
            ("0e99999999999999999999", Some(0)),
            ("-0.00", Some(0)),
            ("99999999.99", Some(9_999_999_999)),
            ("100000000", None),
            ("1.505", None),
            ("1e99", None),
            ("1e99999999999999999999", None),
            ("0.1e-9223372036854775808", None),
            ("\"\"", None),
            ("\"1.\"", Some(100)),
            ("\".5\"", Some(50)),
            ("\"-.25\"", Some(-25)),
            ("\".\"", None),
            ("\"-\"", None),
            ("\".e1\"", None),
            ("\"01\"", None),
            ("\"+1\"", None),
            ("\" 1\"", None),
            ("\"1e\"", None),
            ("\"NaN\"", None),
            ("true", None),
        ] {
            assert_eq!(decimal(json, 10, 2), expected, "{json}");
        }
        let largest = "9".repeat(38);
        assert_eq!(decimal(&largest, 38, 0), Some(10_i128.pow(38) - 1));
        // one that a double cannot hold
        assert_eq!(decimal("9007199254740993", 38, 0), Some(9_007_199_254_740_993));
    }

    #[test]
    fn days_and_times() {
        use Why::{Other, OutOfRange, TooFine};
        for (text, expected) in [
            ("1970-01-02", Ok(1)),
            ("1969-12-31", Ok(-1)),
            ("2024-02-29", Ok(19_782)),
            ("0001-01-01", Ok(-719_162)),
            ("9999-12-31", Ok(2_932_896)),
            ("2024-02-29T00:00:00.000", Ok(19_782)),
            ("2024-02-29 00:00:00", Ok(19_782)),
            ("2024-02-29 00:00:00.0000000000", Ok(19_782)),
            ("2024-02-29 00:00:00.0000000001", Err(Other)),
            ("2024-02-29 00:00:01", Err(Other)),
            ("2024-02-29T00:00:00Z", Err(Other)),
            ("2024-02-29 ", Err(Other)),
            ("2023-02-29", Err(Other)),
            ("2023-2-9", Err(Other)),
            ("20230209", Err(Other)),
            ("0000-01-01", Err(OutOfRange)),
            ("10000-01-01", Err(Other)),
            ("", Err(Other)),
        ] {
            assert_eq!(date_of(text, None), expected, "{text}");
            assert_eq!(date(&format!("\"{text}\""), None), expected, "{text}");
            assert_eq!(is_day(text), expected.is_ok() && text.len() == 10, "{text}");
        }
        assert_eq!(date("20230209", None), Err(Other));
        let per_second = [1_000, 1_000_000, 1_000_000_000];
        let all = |seconds: i64| per_second.map(|units| Ok(seconds * units));
        for (text, expected) in [
            ("1970-01-01 00:00:01", all(1)),
            ("1970-01-01T00:00:01", all(1)),
            ("1969-12-31 23:59:59.000000000000", all(-1)),
            ("1970-01-01 00:00:00.5", [Ok(500), Ok(500_000), Ok(500_000_000)]),
            ("1970-01-01 00:00:00.123", [Ok(123), Ok(123_000), Ok(123_000_000)]),
            ("1970-01-01 00:00:00.123000000", [Ok(123), Ok(123_000), Ok(123_000_000)]),
            ("1970-01-01 00:00:00.1234", [Err(TooFine), Ok(123_400), Ok(123_400_000)]),
            ("1970-01-01 00:00:00.123456000", [Err(TooFine), Ok(123_456), Ok(123_456_000)]),
            ("1970-01-01 00:00:00.123456789", [Err(TooFine), Err(TooFine), Ok(123_456_789)]),
            ("1970-01-01 00:00:00.1234567891", [Err(TooFine); 3]),
            ("1970-01-01 00:00:00.1230000001", [Err(TooFine); 3]),
            ("0001-01-01 00:00:00", [Ok(-62_135_596_800_000), Ok(-62_135_596_800_000_000), Err(OutOfRange)]),
            ("9999-12-31 23:59:59.999", [Ok(253_402_300_799_999), Ok(253_402_300_799_999_000), Err(OutOfRange)]),
            ("1677-09-21 00:12:43.145224192", [Err(TooFine), Err(TooFine), Ok(i64::MIN)]),
            ("2262-04-11 23:47:16.854775807", [Err(TooFine), Err(TooFine), Ok(i64::MAX)]),
            ("2262-04-11 23:47:16.854775808", [Err(TooFine), Err(TooFine), Err(OutOfRange)]),
            ("0000-12-31 23:59:59", [Err(OutOfRange); 3]),
            ("1970-01-01 00:00:00.", [Err(Other); 3]),
            ("1970-01-01 00:00:00.1x", [Err(Other); 3]),
            ("1970-01-01 00:00:00Z", [Err(Other); 3]),
            ("1970-01-01 24:00:00", [Err(Other); 3]),
            ("1970-01-01 00:00:60", [Err(Other); 3]),
            ("1970-01-01", [Err(Other); 3]),
            ("é970-01-01 00:00:00", [Err(Other); 3]),
        ] {
            use TimestampUnit::{Microsecond, Millisecond, Nanosecond};
            let found = [Millisecond, Microsecond, Nanosecond].map(|unit| timestamp_of(text, None, unit));
            assert_eq!(found, expected, "{text}");
        }
        assert_eq!(timestamp("0", None, TimestampUnit::Millisecond), Err(Other));
    }

    #[test]
    fn numbers_are_what_they_are_written_as() {
        assert_eq!(integer::<i32>("2147483647"), Some(i32::MAX));
        assert_eq!(integer::<i32>("2147483648"), None);
        assert_eq!(integer::<i32>("-0"), Some(0));
        for (written, number) in [("1.0", 1), ("1e0", 1), ("-20e-1", -2), ("1.50e2", 150), ("0.0", 0), ("-0.00", 0)] {
            assert_eq!(integer::<i64>(written), Some(number), "{written}");
        }
        assert_eq!(integer::<i8>("128.0"), None);
        assert_eq!(integer::<i64>("9223372036854775807.0"), Some(i64::MAX));
        for wrong in ["1.5", "1e-1", "1e99", "007", "-01", "+1", "00", "\"1\"", "true", "null", "[]", "", "-"] {
            assert_eq!(integer::<i64>(wrong), None, "{wrong}");
        }
        assert_eq!(double("1"), Some(1.0));
        assert_eq!(double("1e400"), None);
        assert_eq!(double("1e-400"), Some(0.0));
        assert_eq!(double("0.1").map(f64::to_bits), Some(0.1_f64.to_bits()));
        assert_eq!(float("1e39"), None);
        for wrong in ["\"NaN\"", "true", "\"1\"", "{}"] {
            assert_eq!(double(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn texts_lose_quotes_and_escapes() {
        assert_eq!(text(r#""Steòrnabhagh""#).as_deref(), Some("Steòrnabhagh"));
        assert_eq!(text(r#""a\"\u00e9\ud83d\ude00""#).as_deref(), Some("a\"é😀"));
        assert_eq!(text(r#""\ud83d""#), None);
        assert_eq!(text("012"), None);
        assert_eq!(binary("\"AQI=\""), Some(vec![1, 2]));
        assert_eq!(binary("\"AQI\""), None);
    }
}

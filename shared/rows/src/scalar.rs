//! Single values from their JSON text. `None` where the text is not a value of the type.

use std::borrow::Cow;
use std::str::FromStr;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use chrono::{NaiveDate, NaiveDateTime, NaiveTime};
use serde_json::value::RawValue;

use crate::datetime::DatetimeFormat;
use crate::layout::number_end;

/// A JSON text without its quotes and escapes.
pub(crate) fn text(json: &str) -> Option<Cow<'_, str>> {
    let inner = json.strip_prefix('"')?.strip_suffix('"')?;
    match memchr::memchr(b'\\', inner.as_bytes()) {
        None => Some(Cow::Borrowed(inner)),
        // half a surrogate pair is JSON, but no text
        Some(_) => serde_json::from_str(json).ok().map(Cow::Owned),
    }
}

/// A text that is a number by JSON's grammar.
pub(crate) fn number(text: &str) -> Option<&str> {
    (!text.is_empty() && number_end(text.as_bytes(), 0)? == text.len()).then_some(text)
}

/// A text that is an object or an array as JSON, with nothing around it.
pub(crate) fn nested(text: &str) -> Option<&str> {
    let json: &RawValue = text.starts_with(['{', '[']).then(|| serde_json::from_str(text).ok())??;
    (json.get().len() == text.len()).then_some(text)
}

/// A whole number. JSON's own grammar has excluded what Rust would accept besides (`+1`, `007`).
pub(crate) fn integer<T: FromStr>(json: &str) -> Option<T> {
    json.parse().ok()
}

/// A number, rounded to the nearest that the type has.
pub(crate) fn double(json: &str) -> Option<f64> {
    json.parse().ok().filter(|number: &f64| number.is_finite())
}

/// As [`double`], rounded once.
pub(crate) fn float(json: &str) -> Option<f32> {
    json.parse().ok().filter(|number: &f32| number.is_finite())
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
    let (negative, rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (mantissa, exponent) = match rest.find(['e', 'E']) {
        Some(e) => (&rest[..e], Some(&rest[e + 1..])),
        None => (rest, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let leading_zero = whole.len() > 1 && whole.starts_with('0');
    let exponent_digits = exponent.map(|e| e.strip_prefix(['+', '-']).unwrap_or(e));
    if !digits(whole) || leading_zero || !fraction.is_none_or(digits) || !exponent_digits.is_none_or(digits) {
        return None;
    }

    let fraction = fraction.unwrap_or_default();
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
pub(crate) fn date(json: &str, format: Option<&DatetimeFormat>) -> Option<i32> {
    date_of(&text(json)?, format)
}

/// As [`date`], from a text that is not JSON. A format's time of day must be midnight.
pub(crate) fn date_of(text: &str, format: Option<&DatetimeFormat>) -> Option<i32> {
    let day = match format {
        None => calendar_date(text.as_bytes())?,
        Some(format) => {
            let point = format.read(text)?;
            (point.time() == NaiveTime::MIN).then(|| point.date())?
        }
    };
    i32::try_from(day.signed_duration_since(NaiveDate::default()).num_days()).ok()
}

/// Milliseconds since 1970-01-01 00:00:00.
pub(crate) fn timestamp(json: &str, format: Option<&DatetimeFormat>) -> Option<i64> {
    timestamp_of(&text(json)?, format)
}

/// As [`timestamp`], from a text that is not JSON.
pub(crate) fn timestamp_of(text: &str, format: Option<&DatetimeFormat>) -> Option<i64> {
    if let Some(format) = format {
        return Some(format.read(text)?.and_utc().timestamp_millis());
    }
    let text = text.as_bytes();
    let (day, time) = (text.get(..10)?, text.get(10..)?);
    let [b' ' | b'T', h1, h2, b':', m1, m2, b':', s1, s2, fraction @ ..] = time else { return None };
    let milliseconds = match fraction {
        [] => 0,
        [b'.', digits @ ..] if (1..=3).contains(&digits.len()) => {
            digits_of(digits)? * 10_u32.pow(3 - digits.len() as u32)
        }
        _ => return None,
    };
    let (hour, minute, second) = (digits_of(&[*h1, *h2])?, digits_of(&[*m1, *m2])?, digits_of(&[*s1, *s2])?);
    let point: NaiveDateTime = calendar_date(day)?.and_hms_milli_opt(hour, minute, second, milliseconds)?;
    Some(point.and_utc().timestamp_millis())
}

/// `YYYY-MM-DD` to the letter. There was no year 0.
fn calendar_date(text: &[u8]) -> Option<NaiveDate> {
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = text else { return None };
    let year = digits_of(&[*y1, *y2, *y3, *y4]).filter(|year| *year > 0)?;
    NaiveDate::from_ymd_opt(year as i32, digits_of(&[*m1, *m2])?, digits_of(&[*d1, *d2])?)
}

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
            ("\"1.\"", None),
            ("\".5\"", None),
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
        assert_eq!(date("\"1970-01-02\"", None), Some(1));
        assert_eq!(date("\"1969-12-31\"", None), Some(-1));
        assert_eq!(date("\"2024-02-29\"", None), Some(19_782));
        for wrong in
            ["\"2023-02-29\"", "\"2023-2-9\"", "\"20230209\"", "\"2023-02-09 00:00:00\"", "20230209", "\"0000-01-01\""]
        {
            assert_eq!(date(wrong, None), None, "{wrong}");
        }
        for (json, expected) in [
            ("\"1970-01-01 00:00:01\"", Some(1000)),
            ("\"1970-01-01T00:00:01\"", Some(1000)),
            ("\"1970-01-01 00:00:00.5\"", Some(500)),
            ("\"1970-01-01 00:00:00.123\"", Some(123)),
            ("\"1970-01-01 00:00:00.1234\"", None),
            ("\"1970-01-01 00:00:00.\"", None),
            ("\"1970-01-01 00:00:00Z\"", None),
            ("\"1970-01-01 24:00:00\"", None),
            ("\"1970-01-01 00:00:60\"", None),
            ("\"1970-01-01\"", None),
            ("0", None),
        ] {
            assert_eq!(timestamp(json, None), expected, "{json}");
        }
    }

    #[test]
    fn numbers_are_what_they_are_written_as() {
        assert_eq!(integer::<i32>("2147483647"), Some(i32::MAX));
        assert_eq!(integer::<i32>("2147483648"), None);
        assert_eq!(integer::<i32>("-0"), Some(0));
        for wrong in ["1.0", "1e0", "\"1\"", "true", "null", "[]"] {
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

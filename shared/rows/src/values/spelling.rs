//! Values from their text alone, as JSON spells them, and dates and times as files do. Functions return `None` if a
//! text is not a value of the type. Nothing is trimmed, cut or rounded, except a number that a floating-point type
//! cannot hold.

use std::str::FromStr;

use contract::TimestampUnit;

use crate::values::{number, scalar};

/// Parses a whole number: `7`, but not `007`, `+7`, `7.0` or `7e0`.
pub fn integer<T: FromStr>(text: &str) -> Option<T> {
    number::json_number(text)?.parse().ok()
}

/// Parses a number that is finite in 64 bits.
pub fn double(text: &str) -> Option<f64> {
    number::double(number::json_number(text)?)
}

/// Parses a number that is finite in 32 bits.
pub fn float(text: &str) -> Option<f32> {
    number::float(number::json_number(text)?)
}

/// Parses a number as an integer scaled by 10^`scale`, if it needs no rounding.
pub fn decimal(text: &str, precision: u8, scale: u8) -> Option<i128> {
    number::decimal_of(number::json_number(text)?, precision, scale)
}

/// Parses `true` or `false`, in any letter case.
pub fn boolean(text: &str) -> Option<bool> {
    scalar::boolean_of(text)
}

/// Parses `YYYY-MM-DD`, alone or with midnight after it, as days since 1970-01-01.
pub fn date(text: &str) -> Option<i32> {
    scalar::date_of(text, None).ok()
}

/// Parses `YYYY-MM-DD HH:MM:SS`, or with `T`, and up to nine decimals, as nanoseconds since 1970-01-01 00:00:00.
pub fn timestamp(text: &str) -> Option<i128> {
    let (whole, fraction) = text.split_at_checked(19)?;
    let seconds = scalar::timestamp_of(whole, None, TimestampUnit::Millisecond).ok()? / 1_000;
    let nanoseconds = match fraction.strip_prefix('.') {
        None if fraction.is_empty() => 0,
        Some(digits) if (1..=9).contains(&digits.len()) && digits.bytes().all(|digit| digit.is_ascii_digit()) => {
            digits.parse::<i128>().ok()? * 10_i128.pow(9 - digits.len() as u32)
        }
        _ => return None,
    };
    Some(i128::from(seconds) * 1_000_000_000 + nanoseconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_values_only_in_the_spellings_of_the_reader() {
        assert_eq!(integer::<i32>("-7"), Some(-7));
        for wrong in ["", " 7", "7 ", "+7", "007", "7.0", "7e0", "2147483648", "seven"] {
            assert_eq!(integer::<i32>(wrong), None, "{wrong}");
        }
        assert_eq!((double("1e300"), double("1e400"), double("NaN")), (Some(1e300), None, None));
        assert_eq!((float("0.1"), float("1e300")), (Some(0.1), None));
        assert_eq!((boolean("TRUE"), boolean("t"), boolean("1")), (Some(true), None, None));
        assert_eq!((date("1970-01-02"), date("1970-01-02 00:00:00"), date("19700102")), (Some(1), Some(1), None));
    }

    #[test]
    fn a_timestamp_is_read_to_the_nanosecond() {
        assert_eq!(timestamp("1970-01-01 00:00:01"), Some(1_000_000_000));
        assert_eq!(timestamp("1970-01-01T00:00:00.5"), Some(500_000_000));
        assert_eq!(timestamp("1969-12-31 23:59:59.999999999"), Some(-1));
        assert_eq!(timestamp("0001-01-01 00:00:00"), Some(-62_135_596_800_000_000_000));
        for wrong in ["1970-01-01", "1970-01-01 00:00:00.", "1970-01-01 00:00:00.0123456789", "1970-01-01 00:00:00Z"] {
            assert_eq!(timestamp(wrong), None, "{wrong}");
        }
        assert_eq!(timestamp("1970-01-01 00:00:0é"), None);
    }
}

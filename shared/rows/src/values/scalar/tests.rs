use super::*;
use crate::values::number::{double, float, integer};
use crate::values::time::is_day;

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
    // a number that a double cannot hold
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

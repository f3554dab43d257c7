use super::*;

fn read(format: &str, text: &str) -> Option<String> {
    let point = DatetimeFormat::new(format).unwrap().read(text)?;
    let point = chrono::DateTime::from_timestamp(point.seconds, point.nanoseconds).unwrap();
    Some(point.format("%Y-%m-%d %H:%M:%S%.9f").to_string().trim_end_matches("000000").to_owned())
}

#[test]
fn texts_are_read_as_python_reads_them() {
    for (format, text, expected) in [
        ("%d/%m/%Y", "29/02/2024", "2024-02-29 00:00:00.000"),
        ("%d/%m/%Y", "1/2/2024", "2024-02-01 00:00:00.000"),
        ("%Y%m%d", "20240229", "2024-02-29 00:00:00.000"),
        ("%Y-%m-%dT%H:%M:%S.%f", "2024-02-29T01:02:03.123", "2024-02-29 01:02:03.123"),
        ("%Y-%m-%dT%H:%M:%S.%f", "2024-02-29T01:02:03.120000", "2024-02-29 01:02:03.120"),
        ("%Y-%m-%dT%H:%M:%S.%f", "2024-02-29T01:02:03.123456789", "2024-02-29 01:02:03.123456789"),
        ("%F %T.%f", "2024-02-29 01:02:03.5", "2024-02-29 01:02:03.500"),
        // Python's isoformat omits a fraction of zero
        ("%F %T.%f", "2024-02-29 01:02:03", "2024-02-29 01:02:03.000"),
        ("%F %T.%f UTC", "2024-02-29 01:02:03 UTC", "2024-02-29 01:02:03.000"),
        ("%F %T,%f", "2024-02-29 01:02:03,123", "2024-02-29 01:02:03.123"),
        ("%d %b %y", "29 Feb 24", "2024-02-29 00:00:00.000"),
        ("%d %b %y", "01  jan  69", "1969-01-01 00:00:00.000"),
        ("%A, %B %d, %Y", "thursday, FEBRUARY 29, 2024", "2024-02-29 00:00:00.000"),
        ("%a %d.%m.%Y", "Thu 29.02.2024", "2024-02-29 00:00:00.000"),
        ("%Y %j", "2024 060", "2024-02-29 00:00:00.000"),
        ("%F %I:%M %p", "2024-02-29 12:30 AM", "2024-02-29 00:30:00.000"),
        ("%F %I:%M %p", "2024-02-29 12:30 pm", "2024-02-29 12:30:00.000"),
        ("%F %T", "2024-02-29 23:59:59", "2024-02-29 23:59:59.000"),
        ("%F %H%M", "2024-02-29 0930", "2024-02-29 09:30:00.000"),
        ("%F 100%%", "2024-02-29 100%", "2024-02-29 00:00:00.000"),
        ("%FT%T%z", "2024-02-29T23:30:00Z", "2024-02-29 23:30:00.000"),
        ("%FT%T.%f%z", "2024-02-29T23:30:00.5-0130", "2024-03-01 01:00:00.500"),
        ("%F %H:%M %z", "2024-02-29 23:30 +05:45", "2024-02-29 17:45:00.000"),
        ("iso8601", "2024-02-29T23:30:00Z", "2024-02-29 23:30:00.000"),
        ("iso8601", "2024-02-29t23:30:00.123456z", "2024-02-29 23:30:00.123456000"),
        ("iso8601", "2024-01-01 00:30+01", "2023-12-31 23:30:00.000"),
        ("iso8601", "2024-02-29T23:30:00.000000000+00:00", "2024-02-29 23:30:00.000"),
        ("epoch_seconds", "1709249400", "2024-02-29 23:30:00.000"),
        ("epoch_seconds", "-0.5", "1969-12-31 23:59:59.500"),
        ("epoch_seconds", "1.7092494e9", "2024-02-29 23:30:00.000"),
        ("epoch_milliseconds", "1709249400001", "2024-02-29 23:30:00.001"),
        ("epoch_microseconds", "1709249400000001", "2024-02-29 23:30:00.000001000"),
        ("epoch_nanoseconds", "1", "1970-01-01 00:00:00.000000001"),
    ] {
        assert_eq!(read(format, text).as_deref(), Some(expected), "{format}: {text}");
    }
    for (format, text) in [
        ("%d/%m/%Y", "30/02/2024"),
        // either 1 or 10 February; either 1 November or 11 January
        ("%d%m%Y", "1022024"),
        ("%Y%m%d", "2024111"),
        ("%F %H%M", "2024-02-29 930"),
        ("%d/%m/%Y", "29/02/24"),
        ("%d/%m/%Y", "29/02/2024 "),
        ("%d/%m/%Y", " 29/02/2024"),
        ("%d/%m/%Y", "2024-02-29"),
        ("%d/%m/%Y", "+1/02/2024"),
        ("%d/%m/%Y", "01/02/0000"),
        ("%d/%m/%Y", ""),
        ("%d %b %Y", "29 Février 2024"),
        ("%d %b %Y", "29Feb2024"),
        ("%a %F", "Mon 2024-02-29"),
        ("%F %T", "2024-02-29 24:00:00"),
        ("%F %T", "2024-02-29 23:59:60"),
        ("%F %T.%f", "2024-02-29 23:59:59.1234567890"),
        ("%F %T.%f", "2024-02-29 23:59:59."),
        ("%F %T.%f", "2024-02-29 23:59:59.x"),
        ("%F %T,%f", "2024-02-29 23:59:59"),
        ("%F %I:%M %p", "2024-02-29 13:30 PM"),
        ("%Y %j", "2023 366"),
        ("%FT%T%z", "2024-02-29T23:30:00"),
        ("%FT%T%z", "2024-02-29T23:30:00+1:00"),
        ("%FT%T%z", "2024-02-29T23:30:00+24:00"),
        ("%FT%T%z", "2024-02-29T23:30:00 UTC"),
        ("iso8601", "2024-02-29T23:30:00"),
        ("iso8601", "2024-02-29"),
        ("iso8601", "2024-02-30T23:30:00Z"),
        ("iso8601", "2024-02-29T23:30:00.Z"),
        ("iso8601", "2024-02-29T23:30:00+01:00:00"),
        ("epoch_seconds", "2024-02-29"),
        ("epoch_seconds", ""),
        ("epoch_seconds", "1e40"),
        ("epoch_nanoseconds", "0.5"),
    ] {
        assert_eq!(read(format, text), None, "{format}: {text}");
    }
}

#[test]
fn a_format_that_cannot_be_read_by_is_refused() {
    for (format, reason) in [
        ("%F %T%z%z", "says the zone twice"),
        ("%F %Z", "`%Z` is a time zone"),
        ("epoch", "says no year"),
        ("%F %Q", "`%Q` is not known; known are %Y %y"),
        ("%F %", "ends with a single `%`"),
        ("%d/%m", "says no year"),
        ("%Y-%m", "says no day"),
        ("%Y", "says no day"),
        ("%Y %j %d", "says the day twice"),
        ("%F %d", "says the day twice"),
        ("%F %y", "says the year twice"),
        ("%F %f.%f", "says the fraction of a second twice"),
        ("%F %I:%M", "has one of %I and %p without the other"),
        ("%F %H %p", "has one of %I and %p without the other"),
    ] {
        let refused = check_datetime_format(format).unwrap_err();
        assert!(refused.starts_with(reason), "{format}: {refused}");
    }
    assert_eq!(check_datetime_format("%d/%m/%Y"), Ok(()));
}

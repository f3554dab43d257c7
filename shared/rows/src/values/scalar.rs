//! Scalar values from their JSON text. Functions return `None` or an error if the text is not a value of the type.

use std::borrow::Cow;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use contract::TimestampUnit;
use serde_json::value::RawValue;

use crate::values::datetime::DatetimeFormat;
use crate::values::number::decimal_of;
use crate::values::time;
use crate::values::why::Why;

/// Returns a JSON string without its quotes and escapes.
pub(crate) fn text(json: &str) -> Option<Cow<'_, str>> {
    let inner = json.strip_prefix('"')?.strip_suffix('"')?;
    match memchr::memchr(b'\\', inner.as_bytes()) {
        None => Some(Cow::Borrowed(inner)),
        // half of a surrogate pair is valid JSON, but not valid text
        Some(_) => serde_json::from_str(json).ok().map(Cow::Owned),
    }
}

/// Returns the text if it is a JSON object or array with nothing around it.
pub(crate) fn nested(text: &str) -> Option<&str> {
    let json: &RawValue = text.starts_with(['{', '[']).then(|| serde_json::from_str(text).ok())??;
    (json.get().len() == text.len()).then_some(text)
}

pub(crate) fn boolean(json: &str) -> Option<bool> {
    match json {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}

/// Like [`boolean`], but in any letter case.
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

/// Decodes base64.
pub(crate) fn binary_of(text: &str) -> Option<Vec<u8>> {
    BASE64_STANDARD.decode(text.as_bytes()).ok()
}

/// Parses a number, or a string that holds one, as an integer scaled by 10^`scale`. Never rounds.
pub(crate) fn decimal(json: &str, precision: u8, scale: u8) -> Option<i128> {
    decimal_of(&if json.starts_with('"') { text(json)? } else { Cow::Borrowed(json) }, precision, scale)
}

/// Parses a date as days since 1970-01-01.
pub(crate) fn date(json: &str, format: Option<&DatetimeFormat>) -> Result<i32, Why> {
    date_of(&time_text(json, format).ok_or(Why::Other)?, format)
}

/// Returns the text of a date or timestamp. In some formats it is a number rather than a string.
fn time_text<'a>(json: &'a str, format: Option<&DatetimeFormat>) -> Option<Cow<'a, str>> {
    let is_number = format.is_some_and(DatetimeFormat::is_number) && !json.starts_with('"');
    if is_number { Some(Cow::Borrowed(json)) } else { text(json) }
}

/// Like [`date`], but from a text that is not JSON. A time of day must be midnight.
pub(crate) fn date_of(text: &str, format: Option<&DatetimeFormat>) -> Result<i32, Why> {
    match format {
        None => time::day(text),
        Some(format) => format.read(text).ok_or(Why::Other)?.midnight().map_err(|_| Why::Other),
    }
}

/// Parses a timestamp as a count of units since 1970-01-01 00:00:00.
pub(crate) fn timestamp(json: &str, format: Option<&DatetimeFormat>, unit: TimestampUnit) -> Result<i64, Why> {
    timestamp_of(&time_text(json, format).ok_or(Why::Other)?, format, unit)
}

/// Like [`timestamp`], but from a text that is not JSON. Zeros below the unit are no loss.
pub(crate) fn timestamp_of(text: &str, format: Option<&DatetimeFormat>, unit: TimestampUnit) -> Result<i64, Why> {
    if let Some(format) = format {
        return format.read(text).ok_or(Why::Other)?.in_unit(unit);
    }
    let (point, finer) = time::point(text)?;
    let value = point.in_unit(unit)?;
    if finer { Err(Why::TooFine) } else { Ok(value) }
}

#[cfg(test)]
mod tests;

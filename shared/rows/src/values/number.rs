//! Numbers from their text. Functions return `None` if the text is not a value of the type.

use std::borrow::Cow;
use std::str::FromStr;

use contract::Written;

use crate::json::layout::number_end;

/// Returns the text if it is a number: by JSON's grammar, or without the zero before or the digits after the point, as
/// some programs write it (`.5`, `-.25`, `5.`).
pub(crate) fn number(text: &str) -> Option<&str> {
    json_number(text).or_else(|| parts(text).map(|_| text))
}

/// Returns the text if it is a number by JSON's grammar.
pub(crate) fn json_number(text: &str) -> Option<&str> {
    (!text.is_empty() && number_end(text.as_bytes(), 0)? == text.len()).then_some(text)
}

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

/// Rewrites a number of a dialect in the default one: with a decimal point, and without group separators or a unit
/// around it.
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
            // the last group has three digits; in India, those before it have two
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
    // a point that is not the decimal sign does not belong in a number
    if whole.contains('.') || fraction.is_some_and(|fraction| fraction.contains('.')) {
        return None;
    }
    Some(match fraction {
        Some(fraction) => format!("{sign}{whole}.{fraction}{exponent}").into(),
        None => format!("{sign}{whole}{exponent}").into(),
    })
}

/// Removes the currency or percent sign before or after a number. A minus sign comes before both, or right before the
/// number: `-£5`, `£-5`, `5 %`, `EUR 5`.
fn bare(text: &str) -> Option<Cow<'_, str>> {
    with_unit(text).map(|(number, _)| number)
}

/// Returns the number as [`bare`] does, and the unit beside it.
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

/// The ISO 4217 codes of currencies that people pay with, sorted.
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

/// Parses a whole number in any spelling: `10`, `10.0` and `1e1` are the same.
pub(crate) fn integer<T: FromStr + TryFrom<i128>>(json: &str) -> Option<T> {
    match json.as_bytes() {
        // Rust's parser accepts a plus sign and leading zeros, but a text with them may be a code rather than a number
        [b'+', ..] | [b'0', _, ..] | [b'-', b'0', _, ..] => T::try_from(decimal_of(json, 38, 0)?).ok(),
        _ => json.parse().ok().or_else(|| T::try_from(decimal_of(json, 38, 0)?).ok()),
    }
}

/// Parses a number, rounded to the nearest `f64`.
pub(crate) fn double(json: &str) -> Option<f64> {
    json.parse().ok().filter(|number: &f64| number.is_finite())
}

/// Parses a number, rounded once to the nearest `f32`, not by way of `f64`.
pub(crate) fn float(json: &str) -> Option<f32> {
    json.parse().ok().filter(|number: &f32| number.is_finite())
}

/// Parses NaN or an infinity, as Python, JavaScript, R, databases and spreadsheets write it.
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

/// Parses a number as an integer, scaled by 10^`scale`. Never rounds.
pub(crate) fn decimal_of(text: &str, precision: u8, scale: u8) -> Option<i128> {
    let Parts { negative, whole, fraction, exponent } = parts(text)?;
    // the significant digits as one text: leading zeros are dropped, trailing zeros become part of the exponent
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

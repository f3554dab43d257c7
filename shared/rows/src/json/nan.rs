//! NaN and the infinities in JSON, as Python and JavaScript write them.

/// Tokens that JSON lacks, and the numbers that replace them to make a line valid JSON. No type can hold these numbers.
pub(crate) const NANS: [(&str, &str); 3] = [
    ("NaN", "9.8765432101e999999999"),
    ("Infinity", "8.7654321098e999999999"),
    ("-Infinity", "-8.7654321098e999999999"),
];

/// Returns the token that a number of [`NANS`] has replaced, or any other text unchanged.
pub(crate) fn as_in_line(json: &str) -> &str {
    NANS.iter().find(|(_, number)| *number == json).map_or(json, |(token, _)| token)
}

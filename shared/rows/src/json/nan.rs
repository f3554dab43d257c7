//! NaN and the infinities in JSON, as Python and JavaScript write them.

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

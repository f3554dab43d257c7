//! Lists, numbers and digests for messages.

use std::fmt::{Display, Write};

/// Joins words as in `` `a`, `b`, `c` ``.
///
/// ```
/// assert_eq!(contract::quoted(["orders", "customers"]), "`orders`, `customers`");
/// ```
pub fn quoted(words: impl IntoIterator<Item: Display>) -> String {
    let mut text = String::new();
    for word in words {
        let comma = if text.is_empty() { "" } else { ", " };
        let _ = write!(text, "{comma}`{word}`");
    }
    text
}

/// Counts things as in `1 file`, `2 files`.
///
/// ```
/// assert_eq!(contract::plural(2, "file"), "2 files");
/// ```
pub fn plural(number: usize, thing: &str) -> String {
    format!("{number} {thing}{}", if number == 1 { "" } else { "s" })
}

/// Writes bytes in hexadecimal, two digits each.
///
/// ```
/// assert_eq!(contract::hexadecimal(&[0, 171]), "00ab");
/// ```
pub fn hexadecimal(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_read_well() {
        assert_eq!(quoted(["a", "b"]), "`a`, `b`");
        assert_eq!(quoted([""; 0]), "");
        assert_eq!((plural(1, "file"), plural(0, "file")), ("1 file".into(), "0 files".into()));
        assert_eq!(hexadecimal(&[0, 171]), "00ab");
    }
}

//! Makes text from files and keys safe to show in notifications, reports and terminals. Part of it is chosen by whoever
//! can put a file into land. So it must not end a line, control a terminal, reverse the direction of the text around
//! it, or be invisible.

use std::borrow::Cow;

/// Escapes text within a line. Invisible characters, and spaces other than the usual one, become escapes as in Rust (`
/// `, `\u{202e}`).
pub fn visible(text: &str) -> Cow<'_, str> {
    escaped(text, is_unseen)
}

/// Escapes text of several lines: like [`visible`], but keeps line feeds.
pub fn visible_lines(text: &str) -> Cow<'_, str> {
    escaped(text, |c| c != '\n' && is_unseen(c))
}

/// Escapes a JSON document: the same characters become JSON escapes, and its value stays the same.
pub fn visible_json(json: &str) -> Cow<'_, str> {
    // of these characters, valid JSON has only line feeds outside of strings, and none below a space inside of them
    let is_unseen = |c| c != '\n' && is_unseen(c);
    if !json.contains(is_unseen) {
        return Cow::Borrowed(json);
    }
    let mut shown = String::with_capacity(json.len() + 64);
    for c in json.chars() {
        if is_unseen(c) {
            c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| shown.push_str(&format!("\\u{unit:04x}")));
        } else {
            shown.push(c);
        }
    }
    Cow::Owned(shown)
}

fn escaped(text: &str, is_unseen: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&is_unseen) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_unseen(c) { shown.extend(c.escape_default()) } else { shown.push(c) }
    }
    Cow::Owned(shown)
}

/// Whether a character is invisible, changes the text around it, or looks like a space without being one.
fn is_unseen(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_control();
    }
    c.is_control()
        || c.is_whitespace()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' // zero width, and marks of direction
            | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' // embeddings, overrides, isolates
            | '\u{2800}' | '\u{3164}' | '\u{ffa0}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}') // tags and selectors
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    #[test]
    fn nothing_unseen_stays_and_nothing_seen_goes() {
        for (text, shown) in [
            ("a\u{1b}[2J\r\n\t\u{9b}\u{7f}\0é", "a\\u{1b}[2J\\r\\n\\t\\u{9b}\\u{7f}\\u{0}é"),
            ("name\u{a0}", "name\\u{a0}"),
            ("\u{feff}\u{feff}id", "\\u{feff}\\u{feff}id"),
            ("na\u{200b}me\u{200d}\u{2060}", "na\\u{200b}me\\u{200d}\\u{2060}"),
            ("gpj.\u{202e}exe\u{2066}x\u{2069}", "gpj.\\u{202e}exe\\u{2066}x\\u{2069}"),
            ("a\u{2028}b\u{2029}c\u{85}d\u{3000}", "a\\u{2028}b\\u{2029}c\\u{85}d\\u{3000}"),
            ("\u{e0041}\u{ad}\u{3164}", "\\u{e0041}\\u{ad}\\u{3164}"),
        ] {
            assert_eq!(visible(text), shown);
            assert_eq!(visible(shown), shown, "once is enough");
        }
        let seen = "Steòrnabhagh “£12” 東京 שלום 😀 \\n `x`  y";
        assert!(matches!(visible(seen), Cow::Borrowed(same) if same == seen));
        assert_eq!(visible_lines("a\n\u{1b}b\r\n"), "a\n\\u{1b}b\\r\n");
    }

    proptest! {
        #[test]
        fn json_keeps_its_value(text in any::<String>(), name in "\\PC*") {
            let value = serde_json::json!({name: [text]});
            let json = serde_json::to_string_pretty(&value).unwrap();
            let shown = visible_json(&json);
            prop_assert!(!shown.contains(|c| c != '\n' && is_unseen(c)));
            prop_assert_eq!(serde_json::from_str::<Value>(&shown).unwrap(), value);
        }

        #[test]
        fn a_text_is_one_line(text in any::<String>()) {
            prop_assert_eq!(visible(&text).lines().count().max(1), 1);
            prop_assert!(!visible(&text).contains(is_unseen));
        }
    }
}

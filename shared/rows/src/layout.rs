//! The quick way of taking a line apart. A program writes its rows alike: the same keys in the same order with the same
//! spaces. So what is between the values of one row is expected between those of the next, byte for byte, and only the
//! values are looked at. A line with any surprise is left to [`split`](crate::split::split), which a line that is as
//! expected would leave with the same slots: what lies between its values was JSON in the row that it was learnt from,
//! and the values are held to JSON's grammar here.

use serde_json::value::RawValue;

use crate::split::Slot;

/// What is expected between the values of a row.
#[derive(Debug, Default)]
pub(crate) struct Layout {
    /// The text before each value, one after the other.
    between: Vec<u8>,
    values: Vec<Expected>,
    /// The text after the last value.
    after: Vec<u8>,
    /// Rows in a row that were not as expected.
    surprises: u32,
}

#[derive(Debug)]
struct Expected {
    /// Where in `between` the text before the value ends; it begins where the one before ends.
    end: usize,
    place: usize,
}

/// After so many surprises in a row the rows are most likely not alike, and not every one is worth learning from.
const SURPRISES: u32 = 16;
const SELDOM: u32 = 64;

impl Layout {
    /// Finds the value of every name, if the line is as expected; the slots mean nothing else.
    pub(crate) fn follow(&mut self, text: &str, slots: &mut [Slot]) -> bool {
        let followed = self.find(text, slots).is_some();
        self.surprises = if followed { 0 } else { self.surprises.saturating_add(1) };
        followed
    }

    fn find(&self, text: &str, slots: &mut [Slot]) -> Option<()> {
        if self.values.is_empty() {
            return None;
        }
        slots.fill(Slot::Absent);
        let bytes = text.as_bytes();
        let (mut at, mut from) = (0, 0);
        for expected in &self.values {
            let before = &self.between[from..expected.end];
            if !begins_with(&bytes[at..], before) {
                return None;
            }
            at += before.len();
            from = expected.end;
            let (slot, end) = value(text, at)?;
            slots[expected.place] = slot;
            at = end;
        }
        (bytes[at..] == *self.after).then_some(())
    }

    /// Expects the next rows to be like this one, of which nothing was unexpected.
    pub(crate) fn learn(&mut self, text: &str, slots: &[Slot]) {
        if self.surprises > SURPRISES && !self.surprises.is_multiple_of(SELDOM) {
            return;
        }
        self.between.clear();
        self.values.clear();
        let mut found = Vec::with_capacity(slots.len());
        for (place, slot) in slots.iter().enumerate() {
            match slot {
                Slot::Absent => {}
                Slot::Value(range) | Slot::Text(range) => found.push((range.clone(), place)),
                Slot::Twice => return,
            }
        }
        found.sort_unstable_by_key(|(range, _)| range.start);
        let mut at = 0;
        for (range, place) in found {
            self.between.extend_from_slice(&text.as_bytes()[at..range.start]);
            self.values.push(Expected { end: self.between.len(), place });
            at = range.end;
        }
        self.after.clear();
        self.after.extend_from_slice(&text.as_bytes()[at..]);
    }
}

/// What `starts_with` tells, without a call: between two values are few bytes.
fn begins_with(bytes: &[u8], expected: &[u8]) -> bool {
    let Some(bytes) = bytes.get(..expected.len()) else { return false };
    let (words, rest) = bytes.as_chunks::<8>();
    let (expected_words, expected_rest) = expected.as_chunks::<8>();
    let same = words.iter().zip(expected_words).all(|(a, b)| u64::from_ne_bytes(*a) == u64::from_ne_bytes(*b));
    // the last eight bytes once more in place of the rest
    same && match (bytes.last_chunk::<8>(), expected.last_chunk::<8>()) {
        (Some(a), Some(b)) => u64::from_ne_bytes(*a) == u64::from_ne_bytes(*b),
        _ => rest.iter().eq(expected_rest),
    }
}

/// The value that begins at a place, and where it ends. What follows it is for the caller to look at.
fn value(text: &str, at: usize) -> Option<(Slot, usize)> {
    let bytes = text.as_bytes();
    let whole = |end: usize| Some((Slot::Value(at..end), end));
    match bytes.get(at)? {
        b'"' => {
            let (end, plain) = text_end(bytes, at + 1)?;
            let slot = if plain { Slot::Text(at + 1..end) } else { Slot::Value(at..end + 1) };
            Some((slot, end + 1))
        }
        b'-' | b'0'..=b'9' => whole(number_end(bytes, at)?),
        b'n' if bytes[at..].starts_with(b"null") => whole(at + 4),
        b't' if bytes[at..].starts_with(b"true") => whole(at + 4),
        b'f' if bytes[at..].starts_with(b"false") => whole(at + 5),
        b'{' | b'[' => {
            let mut values = serde_json::Deserializer::from_str(&text[at..]).into_iter::<&RawValue>();
            whole(at + values.next()?.ok()?.get().len())
        }
        _ => None,
    }
}

/// The place of the quote that ends a text, and whether there is no escape in it.
fn text_end(bytes: &[u8], mut at: usize) -> Option<(usize, bool)> {
    let mut plain = true;
    loop {
        at += plain_length(&bytes[at..]);
        match bytes.get(at)? {
            b'"' => return Some((at, plain)),
            b'\\' => plain = false,
            // a control character is no JSON
            _ => return None,
        }
        at += match bytes.get(at + 1)? {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => 2,
            b'u' if bytes.get(at + 2..at + 6)?.iter().all(u8::is_ascii_hexdigit) => 6,
            _ => return None,
        };
    }
}

/// How many bytes come before a quote, a backslash or a control character: eight at a time.
fn plain_length(bytes: &[u8]) -> usize {
    const ONES: u64 = u64::MAX / 255;
    const HIGHS: u64 = ONES << 7;
    // the lowest bit set is right; bits above it may not be, as each looks at what the one below has borrowed
    let zeros = |word: u64| word.wrapping_sub(ONES) & !word & HIGHS;
    let (words, rest) = bytes.as_chunks::<8>();
    for (n, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let controls = word.wrapping_sub(ONES * 0x20) & !word & HIGHS;
        let ends = zeros(word ^ (ONES * u64::from(b'"'))) | zeros(word ^ (ONES * u64::from(b'\\'))) | controls;
        if ends != 0 {
            return n * 8 + ends.trailing_zeros() as usize / 8;
        }
    }
    let in_rest = rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20));
    bytes.len() - rest.len() + in_rest.unwrap_or(rest.len())
}

/// Where a number that begins at a place of the bytes ends, if it is one by JSON's grammar.
pub(crate) fn number_end(bytes: &[u8], mut at: usize) -> Option<usize> {
    let digits = |at: usize| at + bytes[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    at += usize::from(bytes[at] == b'-');
    let whole = digits(at);
    if whole == at || (bytes[at] == b'0' && whole > at + 1) {
        return None;
    }
    at = whole;
    if bytes.get(at) == Some(&b'.') {
        let fraction = digits(at + 1);
        if fraction == at + 1 {
            return None;
        }
        at = fraction;
    }
    if matches!(bytes.get(at), Some(b'e' | b'E')) {
        let first = at + 1 + usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
        let exponent = digits(first.min(bytes.len()));
        if exponent == first {
            return None;
        }
        at = exponent;
    }
    Some(at)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::split::{Names, split};

    /// The pieces of a line for `names`, as the general way finds them.
    fn general(text: &str, names: &mut Names) -> Option<(Vec<Slot>, bool)> {
        let mut slots = vec![Slot::Absent; names.len()];
        let mut surprise = false;
        split(text, names, &mut slots, &mut |_| surprise = true).ok()?;
        Some((slots, surprise))
    }

    /// A plain text is the same piece without its quotes.
    fn quoted(slots: &[Slot]) -> Vec<Slot> {
        let quoted = |slot: &Slot| match slot {
            Slot::Text(range) => Slot::Value(range.start - 1..range.end + 1),
            other => other.clone(),
        };
        slots.iter().map(quoted).collect()
    }

    fn names() -> Names {
        Names::new(["a", "b", "c\"d"].into_iter())
    }

    /// Follows a line after learning another; None where that cannot be learnt from.
    fn follow(learnt: &str, line: &str) -> Option<Option<Vec<Slot>>> {
        let (slots, surprise) = general(learnt, &mut names())?;
        if surprise {
            return None;
        }
        let mut layout = Layout::default();
        layout.learn(learnt, &slots);
        let mut slots = vec![Slot::Absent; 3];
        Some(layout.follow(line, &mut slots).then_some(slots))
    }

    #[test]
    fn a_row_like_the_last_one_is_followed() {
        let learnt = r#" {"a": "x", "c\"d": 1.5e-7 ,"b":[{"a":1}]} "#;
        for line in [
            learnt,
            r#" {"a": "Steòrnabhagh a\u00e9\\ \/", "c\"d": null ,"b":{}} "#,
            r#" {"a": -0, "c\"d": "" ,"b":[[[]]]} "#,
            r#" {"a": false, "c\"d": "0123456789abcdefghijklmnopqrstuvwxyz" ,"b":true} "#,
        ] {
            let followed = follow(learnt, line).unwrap().expect(line);
            assert_eq!(quoted(&followed), general(line, &mut names()).unwrap().0, "{line}");
        }
    }

    #[test]
    fn a_surprise_is_left_to_the_general_way() {
        let learnt = r#"{"a":1,"b":2}"#;
        for line in [
            r#"{"b":1,"a":2}"#,
            r#"{"a":1, "b":2}"#,
            r#"{"a":1}"#,
            r#"{"a":1,"b":2,"c":3}"#,
            r#"{"a":1,"b":2} x"#,
            r#"{"a":01,"b":2}"#,
            r#"{"a":1.,"b":2}"#,
            r#"{"a":-,"b":2}"#,
            r#"{"a":1e,"b":2}"#,
            r#"{"a":1"#,
            r#"{"a":"#,
            r#"{"a":"x"#,
            r#"{"a":"\x","b":2}"#,
            r#"{"a":"\u12g4","b":2}"#,
            "{\"a\":\"\u{1f}\",\"b\":2}",
            "{\"a\":\"1234567\u{0}\",\"b\":2}",
            r#"{"a":[1,],"b":2}"#,
            r#"{"a":nul,"b":2}"#,
            "",
        ] {
            assert_eq!(follow(learnt, line), Some(None), "{line}");
        }
    }

    #[test]
    fn the_end_of_plain_text_is_found_at_every_place() {
        for end in [b'"', b'\\', 0, 0x1f, b'\n'] {
            for at in 0..40 {
                for filler in [b' ', b'!', b'#', b'[', b']', 0x7f, 0x80, 0xa2, 0xdc, 0xff] {
                    let mut bytes = vec![filler; 40];
                    assert_eq!(plain_length(&bytes), 40);
                    bytes[at] = end;
                    assert_eq!(plain_length(&bytes), at, "{end} after {filler}");
                }
            }
        }
    }

    proptest! {
        #[test]
        fn the_beginning_is_compared_to_the_byte(bytes in prop::collection::vec(0_u8..2, 0..40), length in 0_usize..40, flip in any::<bool>(), at in any::<prop::sample::Index>()) {
            let mut expected = bytes[..length.min(bytes.len())].to_vec();
            if flip && !expected.is_empty() {
                let at = at.index(expected.len());
                expected[at] ^= 1;
            }
            prop_assert_eq!(begins_with(&bytes, &expected), bytes.starts_with(&expected));
            expected.push(0);
            prop_assert_eq!(begins_with(&bytes, &expected), bytes.starts_with(&expected));
        }
    }

    fn value_text() -> impl Strategy<Value = String> {
        prop_oneof![
            5 => any::<String>().prop_map(|text| serde_json::to_string(&text).unwrap()),
            5 => any::<f64>().prop_map(|number| serde_json::to_string(&number).unwrap()),
            2 => "null|true|false|-?[1-9][0-9]{0,9}|[\\[][\\]]",
            1 => r#""([a-z"\\é😀/u0-9\x00-\x20]|\\u[0-9a-f]{3,4}|\\.){0,12}""#,
            1 => "-?(0|[1-9][0-9]{0,3})?[0-9]?([.][0-9]{0,3})?([eE][+-]?[0-9]{0,3})?",
            1 => "null|true|false|nul|truee|NaN|Infinity| |",
            1 => r#"[\[{]{0,3}("a":)?1?,?[\]}]{0,3}"#,
        ]
    }

    proptest! {
        #[test]
        fn what_is_followed_is_split_the_same(
            spaces in prop::collection::vec("[ \t\r]{0,2}", 8),
            values in prop::collection::vec((value_text(), value_text()), 3),
            order in Just(vec!["a", "b", r#"c\"d"#]).prop_shuffle(),
            dropped in 0_usize..3,
        ) {
            let line = |second: bool| {
                let pairs: Vec<String> = order.iter().zip(&values).zip(&spaces).skip(dropped).map(|((name, value), space)| {
                    format!("{space}\"{name}\"{}:{}{}", spaces[3], spaces[4], if second { &value.1 } else { &value.0 })
                }).collect();
                format!("{}{{{}{}}}{}", spaces[5], pairs.join(&format!("{},", spaces[6])), spaces[7], spaces[0])
            };
            let (one, other) = (line(false), line(true));
            // a row like itself is always followed, unless it cannot be learnt from
            if let Some(itself) = follow(&one, &one) {
                prop_assert!(itself.is_some(), "{}", one);
            }
            if let Some(Some(followed)) = follow(&one, &other) {
                let (slots, surprise) = general(&other, &mut names()).expect(&other);
                prop_assert!(!surprise);
                prop_assert_eq!(quoted(&followed), slots);
            }
        }
    }
}

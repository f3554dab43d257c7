//! The fast way to split a line. A program writes its rows alike: the same keys in the same order with the same
//! whitespace. So the text between the values of one row is expected in the next row, byte for byte, and only the
//! values are parsed. A line that deviates is left to [`split`](crate::json::split::split). For any other line, both
//! ways return the same slots: the text between its values was valid JSON in the row that it was learnt from, and the
//! values are checked against JSON's grammar here.

use serde_json::value::RawValue;

use crate::json::split::Slot;

/// The text that is expected between the values of a row.
#[derive(Debug, Default)]
pub(crate) struct Layout {
    /// The text before each value, concatenated.
    between: Vec<u8>,
    values: Vec<Expected>,
    /// The text after the last value.
    after: Vec<u8>,
    /// Consecutive rows that were not as expected.
    surprises: u32,
}

#[derive(Debug)]
struct Expected {
    /// The end, in `between`, of the text before the value. It begins where the previous one ends.
    end: usize,
    place: usize,
}

/// After more than this many consecutive surprises, the rows are most likely not alike. Then only every [`SELDOM`]th
/// surprise is learnt from.
const SURPRISES: u32 = 16;
const SELDOM: u32 = 64;

impl Layout {
    /// Finds the value of every name and returns true, if the line is as expected. Otherwise the slots are meaningless.
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

    /// Expects the next rows to be like this one, which must not have an unexpected name.
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

/// Does what `starts_with` does, but without a call: there are only a few bytes between two values.
fn begins_with(bytes: &[u8], expected: &[u8]) -> bool {
    let Some(bytes) = bytes.get(..expected.len()) else { return false };
    let (words, rest) = bytes.as_chunks::<8>();
    let (expected_words, expected_rest) = expected.as_chunks::<8>();
    let same = words.iter().zip(expected_words).all(|(a, b)| u64::from_ne_bytes(*a) == u64::from_ne_bytes(*b));
    // compare the last eight bytes once more in place of the remainder
    same && match (bytes.last_chunk::<8>(), expected.last_chunk::<8>()) {
        (Some(a), Some(b)) => u64::from_ne_bytes(*a) == u64::from_ne_bytes(*b),
        _ => rest.iter().eq(expected_rest),
    }
}

/// Returns the value that begins at `at`, and where it ends. The caller checks what follows.
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

/// Returns the position of the quote that ends a string, and whether the string is without escapes.
fn text_end(bytes: &[u8], mut at: usize) -> Option<(usize, bool)> {
    let mut plain = true;
    loop {
        at += plain_length(&bytes[at..]);
        match bytes.get(at)? {
            b'"' => return Some((at, plain)),
            b'\\' => plain = false,
            // JSON does not allow a control character in a string
            _ => return None,
        }
        at += match bytes.get(at + 1)? {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => 2,
            b'u' if bytes.get(at + 2..at + 6)?.iter().all(u8::is_ascii_hexdigit) => 6,
            _ => return None,
        };
    }
}

/// Returns how many bytes come before a quote, a backslash or a control character. Compares eight at a time.
fn plain_length(bytes: &[u8]) -> usize {
    const ONES: u64 = u64::MAX / 255;
    const HIGHS: u64 = ONES << 7;
    // only the lowest set bit is reliable: a borrow from a lower byte may set the bits above it
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

/// Returns the end of the number that begins at `at`, if JSON's grammar allows it.
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
mod tests;

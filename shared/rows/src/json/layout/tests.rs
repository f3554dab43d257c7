use proptest::prelude::*;

use super::*;
use crate::json::split::{Names, split};

/// Returns the slots of a line for [`names`], as [`split`] finds them, and whether it has an unexpected name.
fn general(text: &str, names: &mut Names) -> Option<(Vec<Slot>, bool)> {
    let mut slots = vec![Slot::Absent; names.len()];
    let mut surprise = false;
    split(text, names, &mut slots, &mut |_| surprise = true).ok()?;
    Some((slots, surprise))
}

/// Turns the slot of a plain string into the same slot with its quotes.
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

/// Follows `line` after learning `learnt`. Returns the outer `None` if `learnt` cannot be learnt from.
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
        // a row always follows itself, unless it cannot be learnt from
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

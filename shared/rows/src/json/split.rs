//! Splits a line of JSON: finds the part of its text that is each column's value. The values are parsed from these
//! parts by `column`, so the faster way to find the parts (`layout`) cannot read them differently.

use std::collections::HashMap;
use std::fmt;
use std::ops::Range;

use serde::de::{DeserializeSeed, Deserializer as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::json::nan::NANS;

/// The place of a column's value in the text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Slot {
    #[default]
    Absent,
    /// The key occurs more than once.
    Twice,
    /// A value as JSON.
    Value(Range<usize>),
    /// The text between the quotes of a string without escapes.
    Text(Range<usize>),
}

/// The names that an object may have, and the order in which the previous object had them. The next object most likely
/// has the same order.
#[derive(Debug)]
pub(crate) struct Names {
    names: Vec<Box<str>>,
    places: HashMap<Box<str>, usize>,
    order: Vec<usize>,
    /// Whether `places` has the names in lower case.
    any_case: bool,
}

/// A longer name is not looked up if letter case is ignored. Glue's names have up to 255 bytes.
const LONGEST_NAME_BYTES: usize = 1 << 10;

impl Names {
    pub(crate) fn new<'a>(names: impl Iterator<Item = &'a str>) -> Self {
        let names: Vec<Box<str>> = names.map(Box::from).collect();
        let places = names.iter().enumerate().map(|(n, name)| (name.clone(), n)).collect();
        Self { order: (0..names.len()).collect(), names, places, any_case: false }
    }

    /// Matches names regardless of letter case.
    pub(crate) fn in_any_case(mut self) -> Self {
        self.any_case = true;
        self.places = self.names.iter().enumerate().map(|(n, name)| (name.to_lowercase().into(), n)).collect();
        self
    }

    pub(crate) fn len(&self) -> usize {
        self.names.len()
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.places.contains_key(name) || self.any_case && self.places.contains_key(&*name.to_lowercase())
    }

    /// Whether `name` is the name at `place`.
    pub(crate) fn is(&self, place: usize, name: &str) -> bool {
        let known = &self.names[place];
        **known == *name || self.any_case && known.to_lowercase() == name.to_lowercase()
    }

    /// Returns the place of a name, which belongs to the `nth` key of its object.
    pub(crate) fn find(&mut self, nth: usize, name: &str) -> Option<usize> {
        if let Some(expected) = self.order.get(nth)
            && *self.names[*expected] == *name
        {
            return Some(*expected);
        }
        let found = match self.any_case {
            false => *self.places.get(name)?,
            true if name.len() > LONGEST_NAME_BYTES => return None,
            true => *self.places.get(&*name.to_lowercase())?,
        };
        if let Some(expected) = self.order.get_mut(nth) {
            *expected = found;
        }
        Some(found)
    }
}

/// A member of an object whose name is not known.
pub(crate) enum Unexpected<'a> {
    /// A name.
    Name(&'a str),
    /// The value that belongs to the preceding name, a part of the object's text.
    Value(&'a str),
}

/// Finds the value of every name in an object's text. Checks all of the text, and reports unknown names. Does not
/// recurse, so only a value's length limits how deeply it is nested.
pub(crate) fn split(
    text: &str,
    names: &mut Names,
    slots: &mut [Slot],
    unexpected: &mut dyn FnMut(Unexpected<'_>),
) -> Result<(), serde_json::Error> {
    slots.fill(Slot::Absent);
    let mut json = serde_json::Deserializer::from_str(text);
    json.deserialize_map(Object { text, names, slots, unexpected })?;
    json.end()
}

/// Replaces numbers that JSON lacks (`NaN`, `Infinity`, `-Infinity`), as Python and others write them, by numbers that
/// no type holds ([`NANS`]). So only a column that accepts them reads them. Returns `None` if there are none.
pub(crate) fn with_nan_as_number(text: &str) -> Option<String> {
    let mut quoted = String::new();
    let (mut rest, mut found) = (text, false);
    while let Some(at) = rest.find(['"', 'N', 'I', '-']) {
        let (before, from) = rest.split_at(at);
        quoted.push_str(before);
        let length = if from.starts_with('"') {
            let mut escaped = false;
            let end = from.bytes().skip(1).position(|byte| {
                let ends = byte == b'"' && !escaped;
                escaped = byte == b'\\' && !escaped;
                ends
            });
            end? + 2
        } else if let Some((token, number)) = NANS.iter().find(|(token, _)| from.starts_with(token)) {
            found = true;
            quoted.push_str(number);
            rest = &from[token.len()..];
            continue;
        } else {
            1
        };
        quoted.push_str(&from[..length]);
        rest = &from[length..];
    }
    quoted.push_str(rest);
    found.then_some(quoted)
}

struct Object<'a> {
    text: &'a str,
    names: &'a mut Names,
    slots: &'a mut [Slot],
    unexpected: &'a mut dyn FnMut(Unexpected<'_>),
}

impl<'de> Visitor<'de> for Object<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut nth = 0;
        while let Some(found) =
            map.next_key_seed(Key { nth, names: &mut *self.names, unexpected: &mut *self.unexpected })?
        {
            match found {
                None => (self.unexpected)(Unexpected::Value(map.next_value::<&'de RawValue>()?.get())),
                Some(column) => {
                    let value = map.next_value::<&'de RawValue>()?.get();
                    let start = value.as_ptr().addr() - self.text.as_ptr().addr();
                    let slot = &mut self.slots[column];
                    *slot = match slot {
                        Slot::Absent => Slot::Value(start..start + value.len()),
                        Slot::Twice | Slot::Value(_) | Slot::Text(_) => Slot::Twice,
                    };
                }
            }
            nth += 1;
        }
        Ok(())
    }
}

struct Key<'a> {
    nth: usize,
    names: &'a mut Names,
    unexpected: &'a mut dyn FnMut(Unexpected<'_>),
}

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = Option<usize>;

    fn deserialize<D: serde::Deserializer<'de>>(self, key: D) -> Result<Self::Value, D::Error> {
        key.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        let found = self.names.find(self.nth, name);
        if found.is_none() {
            (self.unexpected)(Unexpected::Name(name));
        }
        Ok(found)
    }
}

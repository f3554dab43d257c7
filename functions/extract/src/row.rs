//! A row: one record of an answer as a line of JSON, flat, with the column that numbers it. Values are taken over as
//! they were written, to the digit: reading `1.10` or a number of 30 digits into a float and printing it again would
//! change it, so values stay text here.

use std::collections::HashMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// Levels of nested objects in a record. Each is a part of a column's name; real ones have two or three.
const MAX_DEPTH: usize = 32;
/// Glue takes no longer names. A limit is needed in any case: a long name is repeated for all that is nested in it.
const MAX_NAME_BYTES: usize = 255;
/// A row of a body of the permitted size cannot be larger, unless it is made to be.
const MAX_ROW_BYTES: usize = 16 << 20;
/// What of a body a message shows.
const EXCERPT_BYTES: usize = 200;

/// How records become rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    /// JSON pointer to the record or the array of records in an answer.
    pub records: String,
    /// Joins the names of nested objects.
    pub separator: String,
    /// The column that numbers the rows.
    pub index_column: Option<String>,
}

/// A row that has yet to be numbered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// An object that lacks its end, from the index on.
    open: String,
    has_index: bool,
}

/// Why an answer has no rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BodyError {
    /// Not an answer of the source: a proxy's page, a body cut short.
    NotJson(String),
    /// The source answered that it has none, for now.
    NoRecord(String),
    /// What is there can never be a row.
    BadRecord(String),
}

impl Row {
    /// The row as a line, with its line feed.
    pub fn line(self, index: u64) -> String {
        let mut line = self.open;
        if self.has_index {
            line.push_str(&index.to_string());
        }
        line.push_str("}\n");
        line
    }
}

impl Shape {
    /// The rows of an answer.
    pub fn rows(&self, body: &[u8]) -> Result<Vec<Row>, BodyError> {
        let text = std::str::from_utf8(body).map_err(|error| BodyError::NotJson(error.to_string()))?;
        let whole: &RawValue = serde_json::from_str(text).map_err(|error| BodyError::NotJson(error.to_string()))?;
        let found = self.find(whole)?;
        if !found.get().starts_with('[') {
            return Ok(vec![self.flatten(found).map_err(BodyError::BadRecord)?]);
        }
        let records: Vec<&RawValue> =
            serde_json::from_str(found.get()).map_err(|error| BodyError::BadRecord(error.to_string()))?;
        let number = |(n, record): (usize, &&RawValue)| {
            self.flatten(record).map_err(|reason| BodyError::BadRecord(format!("record {n}: {reason}")))
        };
        records.iter().enumerate().map(number).collect()
    }

    /// Follows the pointer (RFC 6901).
    fn find<'a>(&self, whole: &'a RawValue) -> Result<&'a RawValue, BodyError> {
        let mut found = whole;
        let mut walked = String::new();
        for token in self.records.split('/').skip(1) {
            let key = token.replace("~1", "/").replace("~0", "~");
            let next = match found.get().as_bytes().first() {
                Some(b'{') => {
                    let members = members(found).map_err(BodyError::NotJson)?;
                    let names: Vec<_> = members.iter().take(10).map(|(name, _)| format!("`{name}`")).collect();
                    members.into_iter().find(|(name, _)| *name == key).map(|(_, value)| value).ok_or_else(|| {
                        let there = if names.is_empty() { "nothing".to_owned() } else { names.join(", ") };
                        format!("no `{walked}/{token}`: there is {there}")
                    })
                }
                Some(b'[') => {
                    let items: Vec<&RawValue> =
                        serde_json::from_str(found.get()).map_err(|error| BodyError::NotJson(error.to_string()))?;
                    let item = key.parse().ok().and_then(|n: usize| items.get(n).copied());
                    item.ok_or_else(|| format!("no `{walked}/{token}`: there is an array of {}", items.len()))
                }
                _ => Err(format!("no `{walked}/{token}`: `{walked}` is {}", kind(found))),
            };
            found = next.map_err(BodyError::NoRecord)?;
            walked = format!("{walked}/{token}");
        }
        let place = if walked.is_empty() { "the body" } else { &walked };
        if found.get() == "null" {
            return Err(BodyError::NoRecord(format!("{place} is null")));
        }
        // with the whole body as the record, an error would make a row
        if self.records.is_empty() && is_error(found) {
            return Err(BodyError::NoRecord("the body is an error".into()));
        }
        Ok(found)
    }

    fn flatten(&self, record: &RawValue) -> Result<Row, String> {
        if !record.get().starts_with('{') {
            return Err(format!("expected an object, found {}", kind(record)));
        }
        let mut flat = Flat { separator: &self.separator, text: String::new(), paths: HashMap::new() };
        flat.object("", "", record, 0)?;
        if flat.text.is_empty() {
            return Err("the object holds no value".into());
        }
        if let Some(index) = &self.index_column {
            if let Some(path) = flat.paths.get(index) {
                return Err(format!("`{path}` and the index column both become column `{index}`"));
            }
            flat.name(index);
        }
        Ok(Row { open: flat.text, has_index: self.index_column.is_some() })
    }
}

/// A row in the making.
struct Flat<'a> {
    separator: &'a str,
    text: String,
    /// Where each column comes from.
    paths: HashMap<String, String>,
}

impl Flat<'_> {
    fn object(&mut self, prefix: &str, path: &str, object: &RawValue, depth: usize) -> Result<(), String> {
        if depth == MAX_DEPTH {
            return Err(format!("`{path}` is nested more than {MAX_DEPTH} levels deep"));
        }
        for (key, value) in members(object)? {
            let name = if depth == 0 { key.clone() } else { format!("{prefix}{}{key}", self.separator) };
            if name.len() > MAX_NAME_BYTES {
                let start: String = name.chars().take(40).collect();
                return Err(format!("column `{start}…` has a name of more than {MAX_NAME_BYTES} bytes"));
            }
            let path = format!("{path}/{key}");
            match value.get().as_bytes().first() {
                Some(b'{') => self.object(&name, &path, value, depth + 1)?,
                first => {
                    if let Some(other) = self.paths.get(&name) {
                        return Err(format!("`{other}` and `{path}` both become column `{name}`"));
                    }
                    self.name(&name);
                    match first {
                        // the only values that may hold line feeds, which would end the line
                        Some(b'[') => compact(value.get(), &mut self.text),
                        _ => self.text.push_str(value.get()),
                    }
                    self.paths.insert(name, path);
                    if self.text.len() > MAX_ROW_BYTES {
                        return Err(format!("the row is larger than {MAX_ROW_BYTES} bytes"));
                    }
                }
            }
        }
        Ok(())
    }

    fn name(&mut self, name: &str) {
        self.text.push(if self.text.is_empty() { '{' } else { ',' });
        self.text.push_str(&serde_json::Value::from(name).to_string());
        self.text.push(':');
    }
}

/// JSON without the space between its tokens.
fn compact(json: &str, out: &mut String) {
    let (mut in_string, mut escaped) = (false, false);
    out.extend(json.chars().filter(|c| {
        if in_string {
            in_string = escaped || *c != '"';
            escaped = !escaped && *c == '\\';
            return true;
        }
        in_string = *c == '"';
        !c.is_ascii_whitespace()
    }));
}

/// The members of an object in their order, values as they are written. Doubles stay, for the caller to find.
fn members(object: &RawValue) -> Result<Vec<(String, &RawValue)>, String> {
    struct Members<'a>(Vec<(String, &'a RawValue)>);
    struct InOrder;
    impl<'de> Visitor<'de> for InOrder {
        type Value = Members<'de>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut members = Vec::new();
            while let Some(member) = map.next_entry()? {
                members.push(member);
            }
            Ok(Members(members))
        }
    }
    impl<'de> Deserialize<'de> for Members<'de> {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            deserializer.deserialize_map(InOrder)
        }
    }
    serde_json::from_str(object.get()).map(|Members(members)| members).map_err(|error| error.to_string())
}

/// An error as APIs answer it: a status, a message, and nothing else.
fn is_error(body: &RawValue) -> bool {
    let Ok(members) = members(body) else { return false };
    let mut names: Vec<&str> = members.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    names == ["error"] || names == ["error", "status"]
}

fn kind(value: &RawValue) -> &'static str {
    match value.get().as_bytes().first() {
        Some(b'{') => "an object",
        Some(b'[') => "an array",
        Some(b'"') => "a text",
        Some(b't' | b'f') => "a boolean",
        Some(b'n') => "null",
        _ => "a number",
    }
}

/// The beginning of a body, in one line, for a message.
pub fn excerpt(body: &[u8]) -> String {
    let start = String::from_utf8_lossy(&body[..body.len().min(EXCERPT_BYTES)]);
    let start: String = start.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    match body.len() {
        0 => "the body is empty".into(),
        n if n <= EXCERPT_BYTES => format!("the body is `{start}`"),
        _ => format!("the body begins `{}…`", start.trim_end_matches('\u{fffd}')),
    }
}

//! A row: one record of an answer as a flat line of JSON, with an optional index column. Values stay text, exactly as
//! they were written. Parsing `1.10` or a number of 30 digits into a float and printing it again would change it.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::ops::Range;

use contract::{MAXIMUM_ROW_BYTES, quoted, visible};
use serde::de::{Deserializer as _, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The deepest nesting of objects in a record. Each level is part of a column's name. Real records have two or three.
const MAX_DEPTH: usize = 32;
/// Glue's limit for a name. A limit is needed in any case, because a long name is repeated for every value nested below
/// it.
const MAX_NAME_BYTES: usize = 255;
/// More columns than any table has. Each column takes memory, and a body has room for a million of them.
const MAX_COLUMNS: usize = 10_000;
/// How much of a body a message shows.
const EXCERPT_BYTES: usize = 200;

/// How records become rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    /// JSON pointer to the record or to the array of records in an answer.
    pub records: String,
    /// Joins the names of nested objects.
    pub separator: String,
    /// The column that numbers the rows.
    pub index_column: Option<String>,
}

/// The records of an answer, which become rows one by one. All of them at once could take forty times the memory of the
/// answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Records {
    body: String,
    /// The range of the body that holds the remaining records.
    rest: Range<usize>,
    /// The position of the next record in the array. `None` if there is only one record, outside of an array.
    number: Option<u64>,
}

/// A row without its index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The row's JSON object without its end: without the closing brace, and without the value of the index if there is
    /// one.
    open: String,
    has_index: bool,
}

/// The reason why an answer has no rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BodyError {
    /// The body is not the source's answer: a proxy's page, or a body that was cut short.
    NotJson(String),
    /// The source answered that it has no record for now.
    NoRecord(String),
    /// A record can never be a row.
    BadRecord(String),
}

impl Row {
    /// Returns the row as a line, including the line feed.
    pub fn line(self, index: u64) -> String {
        let mut line = self.open;
        if self.has_index {
            line.push_str(&index.to_string());
        }
        line.push_str("}\n");
        line
    }
}

impl Records {
    /// The size of the body, in bytes.
    pub fn bytes(&self) -> u64 {
        self.body.len() as u64
    }

    /// The whole body.
    pub fn body(&self) -> &str {
        &self.body
    }

    /// Returns the next record as a row, or the reason why it can never be one.
    pub fn next_row(&mut self, shape: &Shape) -> Option<Result<Row, String>> {
        let mut items = Items { rest: &self.body[self.rest.clone()] };
        let record = items.next()?;
        let end = self.rest.end - items.rest.len();
        let row = shape.flatten(record).map_err(|reason| match self.number {
            Some(number) => format!("record {number}: {reason}"),
            None => reason,
        });
        self.rest.start = end;
        self.number = self.number.map(|number| number + 1);
        Some(row)
    }
}

impl Shape {
    /// Finds the records in the body of an answer.
    ///
    /// # Errors
    /// Returns the reason why there are no records, and the body.
    pub fn records(&self, body: Vec<u8>) -> Result<Records, (BodyError, Vec<u8>)> {
        let body = match String::from_utf8(body) {
            Ok(body) => body,
            Err(error) => return Err((BodyError::NotJson(error.utf8_error().to_string()), error.into_bytes())),
        };
        match self.range(&body) {
            Ok((rest, number)) => Ok(Records { body, rest, number }),
            Err(error) => Err((error, body.into_bytes())),
        }
    }

    /// Returns the range of the body that holds the records, and the number of the first one if they are in an array.
    fn range(&self, body: &str) -> Result<(Range<usize>, Option<u64>), BodyError> {
        let whole: &RawValue = serde_json::from_str(body).map_err(|error| BodyError::NotJson(error.to_string()))?;
        let found = self.find(whole)?.get();
        let start = found.as_ptr() as usize - body.as_ptr() as usize;
        let is_list = found.starts_with('[');
        Ok((start + usize::from(is_list)..start + found.len(), is_list.then_some(0)))
    }

    /// Follows the JSON pointer (RFC 6901).
    fn find<'a>(&self, whole: &'a RawValue) -> Result<&'a RawValue, BodyError> {
        let mut found = whole;
        let mut walked = String::new();
        for token in self.records.split('/').skip(1) {
            let key = token.replace("~1", "/").replace("~0", "~");
            let next = match found.get().as_bytes().first() {
                Some(b'{') => member(found, &key).map_err(BodyError::NotJson)?.map_err(|names| {
                    let there = if names.is_empty() { "nothing".to_owned() } else { quoted(&names) };
                    format!("no `{walked}/{token}`: there is {there}")
                }),
                Some(b'[') => {
                    let items = || Items { rest: &found.get()[1..] };
                    let item = key.parse().ok().and_then(|n: usize| items().nth(n));
                    item.ok_or_else(|| format!("no `{walked}/{token}`: there is an array of {}", items().count()))
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
        // if the whole body is the record, an error would become a row
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

/// A row that is being built.
struct Flat<'a> {
    separator: &'a str,
    text: String,
    /// The JSON path of each column.
    paths: HashMap<String, String>,
}

impl Flat<'_> {
    fn object(&mut self, prefix: &str, path: &str, object: &RawValue, depth: usize) -> Result<(), String> {
        if depth == MAX_DEPTH {
            return Err(format!("`{path}` is nested more than {MAX_DEPTH} levels deep"));
        }
        let members = members(object)?;
        if members.len() + self.paths.len() > MAX_COLUMNS {
            return Err(format!("it has more than {MAX_COLUMNS} columns"));
        }
        for (key, value) in members {
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
                        // only arrays can hold line feeds, which would end the line
                        Some(b'[') => compact(value.get(), &mut self.text),
                        _ => self.text.push_str(value.get()),
                    }
                    self.paths.insert(name, path);
                    if self.text.len() > MAXIMUM_ROW_BYTES {
                        return Err(format!("the row is larger than {MAXIMUM_ROW_BYTES} bytes"));
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

/// Copies JSON without the whitespace between its tokens.
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

/// Iterates over the items of a valid JSON array, given the text after its bracket, or over a single value.
struct Items<'a> {
    rest: &'a str,
}

impl<'a> Iterator for Items<'a> {
    type Item = &'a RawValue;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.rest.trim_start_matches([',', ' ', '\t', '\r', '\n']);
        if rest.is_empty() || rest.starts_with(']') {
            return None;
        }
        let mut values = serde_json::Deserializer::from_str(rest).into_iter();
        let item = values.next()?.ok()?;
        self.rest = &rest[values.byte_offset()..];
        Some(item)
    }
}

/// Returns the members of an object in their order, with values as they are written. Duplicates are kept, for the
/// caller to find. If there are more members than a row can have, one too many is returned.
fn members(object: &RawValue) -> Result<Vec<(String, &RawValue)>, String> {
    let mut members = Vec::new();
    visit(object, |name, value| {
        if members.len() <= MAX_COLUMNS {
            members.push((name.into_owned(), value));
        }
    })?;
    Ok(members)
}

/// Returns the first member of this name, or up to ten of the names that exist.
fn member<'a>(object: &'a RawValue, wanted: &str) -> Result<Result<&'a RawValue, Vec<String>>, String> {
    let (mut found, mut names) = (None, Vec::new());
    visit(object, |name, value| {
        if found.is_none() && name == wanted {
            found = Some(value);
        } else if names.len() < 10 {
            names.push(name.into_owned());
        }
    })?;
    Ok(found.ok_or(names))
}

fn visit<'a>(object: &'a RawValue, member: impl FnMut(Cow<'a, str>, &'a RawValue)) -> Result<(), String> {
    struct Visit<F>(F);
    impl<'de, F: FnMut(Cow<'de, str>, &'de RawValue)> Visitor<'de> for Visit<F> {
        type Value = ();

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
            while let Some((name, value)) = map.next_entry()? {
                (self.0)(name, value);
            }
            Ok(())
        }
    }
    let mut json = serde_json::Deserializer::from_str(object.get());
    json.deserialize_map(Visit(member)).map_err(|error| error.to_string())
}

/// Whether the body is an API's error: an object with `error`, possibly `status`, and nothing else.
fn is_error(body: &RawValue) -> bool {
    let mut names: Vec<String> = Vec::new();
    let read = visit(body, |name, _| {
        if names.len() < 3 {
            names.push(name.into_owned());
        }
    });
    names.sort_unstable();
    read.is_ok() && (names == ["error"] || names == ["error", "status"])
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

/// Returns the beginning of a body in one line, for a message.
pub fn excerpt(body: &[u8]) -> String {
    let start = String::from_utf8_lossy(&body[..body.len().min(EXCERPT_BYTES)]);
    // a body that is laid out over several lines reads well in one
    let start: String = start.chars().map(|c| if matches!(c, '\r' | '\n' | '\t') { ' ' } else { c }).collect();
    let start = visible(&start);
    match body.len() {
        0 => "the body is empty".into(),
        n if n <= EXCERPT_BYTES => format!("the body is `{start}`"),
        _ => format!("the body begins `{}…`", start.trim_end_matches('\u{fffd}')),
    }
}

#[cfg(test)]
mod tests;

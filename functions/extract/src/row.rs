//! A row: one record of an answer as a line of JSON, flat, with the column that numbers it. Values are taken over as
//! they were written, to the digit: reading `1.10` or a number of 30 digits into a float and printing it again would
//! change it, so values stay text here.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::ops::Range;

use contract::{MAXIMUM_ROW_BYTES, visible};
use serde::de::{Deserializer as _, MapAccess, Visitor};
use serde_json::value::RawValue;

/// Levels of nested objects in a record. Each is a part of a column's name; real ones have two or three.
const MAX_DEPTH: usize = 32;
/// Glue takes no longer names. A limit is needed in any case: a long name is repeated for all that is nested in it.
const MAX_NAME_BYTES: usize = 255;
/// More columns than any table has: each takes memory of its own, and a body has room for a million.
const MAX_COLUMNS: usize = 10_000;
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

/// The records of an answer, which become rows one by one: all at once they may take forty times the room of the
/// answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Records {
    body: String,
    /// Where in the body the next record is looked for, and where they end.
    rest: Range<usize>,
    /// Where in the list it is; `None` where the record is the only one.
    number: Option<u64>,
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

impl Records {
    /// The size of the body.
    pub fn bytes(&self) -> u64 {
        self.body.len() as u64
    }

    /// The body.
    pub fn body(&self) -> &str {
        &self.body
    }

    /// The next record as a row, or why it can never be one.
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
    /// The records of an answer; or why there are none, and the body again.
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

    /// Where in a body the records are, and the number of the first if it is a list of them.
    fn range(&self, body: &str) -> Result<(Range<usize>, Option<u64>), BodyError> {
        let whole: &RawValue = serde_json::from_str(body).map_err(|error| BodyError::NotJson(error.to_string()))?;
        let found = self.find(whole)?.get();
        let start = found.as_ptr() as usize - body.as_ptr() as usize;
        let is_list = found.starts_with('[');
        Ok((start + usize::from(is_list)..start + found.len(), is_list.then_some(0)))
    }

    /// Follows the pointer (RFC 6901).
    fn find<'a>(&self, whole: &'a RawValue) -> Result<&'a RawValue, BodyError> {
        let mut found = whole;
        let mut walked = String::new();
        for token in self.records.split('/').skip(1) {
            let key = token.replace("~1", "/").replace("~0", "~");
            let next = match found.get().as_bytes().first() {
                Some(b'{') => member(found, &key).map_err(BodyError::NotJson)?.map_err(|names| {
                    let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
                    let there = if names.is_empty() { "nothing".to_owned() } else { names.join(", ") };
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
                        // the only values that may hold line feeds, which would end the line
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

/// The items of an array that is JSON, from behind its bracket; or the only value that there is.
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

/// The members of an object in their order, values as they are written. Doubles stay, for the caller to find. Of more
/// than a row can have there is one too many.
fn members(object: &RawValue) -> Result<Vec<(String, &RawValue)>, String> {
    let mut members = Vec::new();
    visit(object, |name, value| {
        if members.len() <= MAX_COLUMNS {
            members.push((name.into_owned(), value));
        }
    })?;
    Ok(members)
}

/// The first member of a name, or the first names that there are.
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

/// An error as APIs answer it: a status, a message, and nothing else.
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

/// The beginning of a body, in one line, for a message.
pub fn excerpt(body: &[u8]) -> String {
    let start = String::from_utf8_lossy(&body[..body.len().min(EXCERPT_BYTES)]);
    // laid out over lines or not
    let start: String = start.chars().map(|c| if matches!(c, '\r' | '\n' | '\t') { ' ' } else { c }).collect();
    let start = visible(&start);
    match body.len() {
        0 => "the body is empty".into(),
        n if n <= EXCERPT_BYTES => format!("the body is `{start}`"),
        _ => format!("the body begins `{}…`", start.trim_end_matches('\u{fffd}')),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Map, Value, json};

    use super::*;

    fn shape(records: &str) -> Shape {
        Shape { records: records.into(), separator: "_".into(), index_column: Some("index".into()) }
    }

    fn rows(shape: &Shape, body: &[u8]) -> Result<Vec<Row>, BodyError> {
        let mut records = shape.records(body.to_vec()).map_err(|(error, _)| error)?;
        let mut rows = Vec::new();
        while let Some(row) = records.next_row(shape) {
            rows.push(row.map_err(BodyError::BadRecord)?);
        }
        Ok(rows)
    }

    fn lines(records: &str, body: &str) -> Result<Vec<String>, BodyError> {
        let rows = rows(&shape(records), body.as_bytes())?;
        Ok(rows.into_iter().enumerate().map(|(n, row)| row.line(n as u64)).collect())
    }

    fn line(body: &str) -> String {
        lines("/result", body).unwrap().concat()
    }

    #[test]
    fn an_answer_of_the_example() {
        let body =
            r#"{"status":200,"result":{"postcode":"HS1 2BB","parish":null,"codes":{"ccg":"S03","ccg_id":"012"}}}"#;
        assert_eq!(
            line(body),
            "{\"postcode\":\"HS1 2BB\",\"parish\":null,\"codes_ccg\":\"S03\",\"codes_ccg_id\":\"012\",\"index\":0}\n"
        );
    }

    #[test]
    fn values_are_written_as_they_came() {
        let values = [
            "1.10",
            "-0",
            "-0.0",
            "1E400",
            "1e-7",
            "18446744073709551616",
            "123456789012345678901234567890.123456789012345678901234567890",
            r#""Steòrnabhagh ""#,
            r#""\u00f2\n\"\\\/""#,
            r#""\ud800""#,
            "true",
            "null",
            "[]",
            r#"["a b","\" ]",{"c":1.0}]"#,
        ];
        for value in values {
            let body = format!("{{\"result\":{{\"a\":{value}}}}}");
            assert_eq!(line(&body), format!("{{\"a\":{value},\"index\":0}}\n"));
        }
    }

    #[test]
    fn a_row_is_one_line_however_the_answer_is_laid_out() {
        let body = "{\r\n \"result\" : {\n\t\"a\" : [ 1 ,\n [ \"x \\\" y\" , { \"b\" : 2 } ] ] ,\n \"c\" : { \"d\" : 1 }\n } }\n";
        assert_eq!(line(body), "{\"a\":[1,[\"x \\\" y\",{\"b\":2}]],\"c_d\":1,\"index\":0}\n");
        let body = "{\"result\":{\"a\":\"line\nfeed\"}}";
        assert!(matches!(lines("/result", body), Err(BodyError::NotJson(_))), "no line feed in a JSON text");
    }

    #[test]
    fn an_array_of_records_makes_a_row_each() {
        let expected = vec!["{\"a\":1,\"index\":0}\n".to_owned(), "{\"a\":2,\"index\":1}\n".to_owned()];
        assert_eq!(lines("/result", r#"{"result":[{"a":1},{"a":2}]}"#), Ok(expected.clone()));
        assert_eq!(lines("", r#"[{"a":1},{"a":2}]"#), Ok(expected.clone()));
        assert_eq!(lines("/result/1/a~1b~0c", r#"{"result":[0,{"a/b~c":[{"a":1},{"a":2}]}]}"#), Ok(expected));
        assert_eq!(lines("/result", r#"{"result":[]}"#), Ok(vec![]));
        let found = lines("/result", r#"{"result":[{"a":1},[{"a":2}]]}"#).unwrap_err();
        assert_eq!(found, BodyError::BadRecord("record 1: expected an object, found an array".into()));
    }

    #[test]
    fn no_index_column_no_index() {
        let shape = Shape { index_column: None, ..shape("") };
        let row = rows(&shape, br#"{"a":1}"#).unwrap().remove(0);
        assert_eq!(row.line(7), "{\"a\":1}\n");
    }

    #[test]
    fn a_body_without_a_record_says_what_is_there() {
        for (records, body, reason) in [
            ("/result", r#"{"status":200,"result":null}"#, "/result is null"),
            ("/result", r#"{"status":404,"error":"Postcode not found"}"#, "no `/result`: there is `status`, `error`"),
            ("/result", "{}", "no `/result`: there is nothing"),
            ("/result/a", r#"{"result":"text"}"#, "no `/result/a`: `/result` is a text"),
            ("/2", "[1,2]", "no `/2`: there is an array of 2"),
            ("/2", " [ 1 , [2, 3] ] ", "no `/2`: there is an array of 2"),
            ("/x", "[]", "no `/x`: there is an array of 0"),
            ("", "null", "the body is null"),
            ("", r#"{"status":500,"error":"down"}"#, "the body is an error"),
        ] {
            assert_eq!(lines(records, body), Err(BodyError::NoRecord(reason.into())), "{body}");
        }
    }

    #[test]
    fn what_is_not_json_is_not_an_answer() {
        for body in [&b""[..], b"<html>", b"{\"result\":{\"a\":1}", b"{\"result\":{}}x", b"{\"result\":\"\xff\"}"] {
            assert!(matches!(rows(&shape("/result"), body), Err(BodyError::NotJson(_))), "{body:?}");
        }
    }

    #[test]
    fn what_cannot_be_a_row_says_why() {
        let deep = format!("{}1{}", "{\"a\":".repeat(40), "}".repeat(40));
        let long = format!("{{\"{}\":1}}", "n".repeat(256));
        let columns = |count: usize| (0..count).map(|n| format!("\"{n}\":1")).collect::<Vec<_>>().join(",");
        assert_eq!(line(&format!("{{\"result\":{{{}}}}}", columns(10_000))).matches(':').count(), 10_001);
        let many = format!("{{{}}}", columns(10_001));
        let many_in_all = format!("{{\"a\":{{{0}}},\"b\":{{{0}}}}}", columns(5_001));
        for (record, reason) in [
            ("\"text\"", "expected an object, found a text"),
            ("12", "expected an object, found a number"),
            ("{}", "the object holds no value"),
            ("{\"a\":{\"b\":{}}}", "the object holds no value"),
            (r#"{"codes":{"ccg":1},"codes_ccg":2}"#, "`/codes/ccg` and `/codes_ccg` both become column `codes_ccg`"),
            (r#"{"a":1,"a":2}"#, "`/a` and `/a` both become column `a`"),
            (r#"{"index":1}"#, "`/index` and the index column both become column `index`"),
            (&deep, "is nested more than 32 levels deep"),
            (&long, "has a name of more than 255 bytes"),
            (&many, "it has more than 10000 columns"),
            (&many_in_all, "it has more than 10000 columns"),
        ] {
            let found = lines("/result", &format!("{{\"result\":{record}}}")).unwrap_err();
            assert!(matches!(&found, BodyError::BadRecord(message) if message.contains(reason)), "{found:?}");
        }
    }

    /// 6 MB of brackets: neither the stack nor much time.
    #[test]
    fn hostile_nesting_is_bounded() {
        let brackets = format!("{{\"result\":{{\"a\":{}{}}}}}", "[".repeat(3_000_000), "]".repeat(3_000_000));
        assert_eq!(line(&brackets).len(), 6_000_000 + "{\"a\":,\"index\":0}\n".len());
        let braces = format!("{{\"result\":{}1{}}}", "{\"a\":".repeat(500_000), "}".repeat(500_000));
        assert!(matches!(lines("/result", &braces), Err(BodyError::BadRecord(_))));
        let names = vec!["\"\":1"; 1_000].join(",");
        assert!(matches!(lines("/result", &format!("{{\"result\":{{{names}}}}}")), Err(BodyError::BadRecord(_))));
    }

    #[test]
    fn an_excerpt_is_short_and_in_one_line() {
        assert_eq!(excerpt(b""), "the body is empty");
        assert_eq!(excerpt(b"<html>\r\n\x1b[0m"), "the body is `<html>  \\u{1b}[0m`");
        let long = "ò".repeat(101) + "x";
        assert_eq!(excerpt(long.as_bytes()), format!("the body begins `{}…`", "ò".repeat(100)));
        let split = format!("x{long}");
        assert_eq!(excerpt(split.as_bytes()), format!("the body begins `x{}…`", "ò".repeat(99)));
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            // serde_json reads other fractions only to the last bit but one
            any::<i32>().prop_map(|n| Value::from(f64::from(n) / 8.0)),
            "\\PC{0,8}".prop_map(Value::from),
        ];
        let name = "[a-c_]{1,2}|\\PC{0,4}";
        leaf.prop_recursive(4, 40, 5, move |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::vec((name, inner), 0..5)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    /// What flattening means, over parsed values. `None` where two values meet in one column.
    fn flat(prefix: &str, object: &Map<String, Value>, out: &mut Map<String, Value>) -> Option<()> {
        for (key, value) in object {
            let name = format!("{prefix}{key}");
            match value {
                Value::Object(inner) => flat(&format!("{name}_"), inner, out)?,
                other => match out.insert(name, other.clone()) {
                    Some(_) => return None,
                    None => continue,
                },
            }
        }
        Some(())
    }

    proptest! {
        #[test]
        fn flattening_is_what_it_means(record in any_json(), index in any::<u64>(), pretty in any::<bool>()) {
            let body = json!({"status": 200, "result": [record]});
            let body = if pretty { serde_json::to_string_pretty(&body) } else { serde_json::to_string(&body) }.unwrap();
            let rows = rows(&shape("/result"), body.as_bytes());
            let mut expected = Map::new();
            let fits = record.as_object().and_then(|record| flat("", record, &mut expected)).is_some();
            match rows {
                Ok(mut rows) => {
                    prop_assert!(fits && rows.len() == 1);
                    let line = rows.remove(0).line(index);
                    prop_assert_eq!(line.matches('\n').count(), 1);
                    let found: Map<String, Value> = serde_json::from_str(&line).unwrap();
                    expected.insert("index".into(), index.into());
                    // as lists: the order counts
                    prop_assert_eq!(found.iter().collect::<Vec<_>>(), expected.iter().collect::<Vec<_>>());
                }
                Err(error) => prop_assert!(!fits || expected.is_empty(), "{:?}", error),
            }
        }

        #[test]
        fn any_body_is_read_or_refused_without_a_panic(
            body in "(\\PC|[{}\\[\\]\",:\\\\]){0,40}",
            records in "(/(\\PC|~){0,3}){0,3}",
        ) {
            let _ = rows(&shape(&records), body.as_bytes());
        }
    }
}

//! `get_json_object(s, '$.a.b[0]')` for JSON in a text, as in Spark. A string is returned without quotes, anything else
//! as JSON without spaces. Numbers keep their digits. A missing value, a null member and invalid JSON are null.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{DataFusionError, Result, ScalarValue, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use serde::de::{Deserialize, Deserializer as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Deserializer;
use serde_json::value::RawValue;

pub(super) fn function() -> ScalarUDF {
    ScalarUDF::from(GetJsonObject(Signature::user_defined(Volatility::Immutable)))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct GetJsonObject(Signature);

impl ScalarUDFImpl for GetJsonObject {
    fn name(&self) -> &'static str {
        "get_json_object"
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let text =
            |of: &DataType| matches!(of, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Null);
        match types {
            [json, path] if text(json) && text(path) => Ok(vec![DataType::Utf8, DataType::Utf8]),
            _ => plan_err!("get_json_object() is of a text and a path: get_json_object(s, '$.a.b[0]')"),
        }
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn return_field_from_args(&self, arguments: ReturnFieldArgs) -> Result<FieldRef> {
        let Some(Some(ScalarValue::Utf8(path) | ScalarValue::Utf8View(path))) = arguments.scalar_arguments.get(1)
        else {
            return plan_err!("the path of get_json_object() is a text in the SQL: get_json_object(s, '$.a.b[0]')");
        };
        path.as_deref().map(steps).transpose()?;
        Ok(Arc::new(Field::new(self.name(), DataType::Utf8, true)))
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [json, ColumnarValue::Scalar(ScalarValue::Utf8(path))] = arguments.args.as_slice() else {
            return Err(DataFusionError::Internal("a text and a path".into()));
        };
        let Some(path) = path else { return Ok(ColumnarValue::Scalar(ScalarValue::Utf8(None))) };
        let path = steps(path)?;
        let json = cast(&json.to_array(arguments.number_rows)?, &DataType::Utf8)?;
        let found: StringArray =
            json.as_string::<i32>().iter().map(|json| json.and_then(|json| find(json, &path))).collect();
        let found: ArrayRef = Arc::new(found);
        Ok(ColumnarValue::Array(found))
    }
}

/// A step of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Key(String),
    Index(usize),
}

fn steps(path: &str) -> Result<Vec<Step>> {
    let wrong = |part: &str| {
        plan_err!(
            "`{path}` is no path here, from `{part}` on: there are $.key, $['key'] and [n], as in `$.a.b[0]`; \
             take several elements apart by a column of its own each"
        )
    };
    let Some(mut rest) = path.strip_prefix('$') else { return wrong(path) };
    let mut steps = Vec::new();
    while !rest.is_empty() {
        let (step, after) = if let Some(name) = rest.strip_prefix('.') {
            let end = name.find(['.', '[']).unwrap_or(name.len());
            let (name, after) = name.split_at(end);
            (Some(Step::Key(name.to_owned())).filter(|_| !matches!(name, "" | "*")), after)
        } else if let Some((name, after)) = rest.strip_prefix("['").and_then(|rest| rest.split_once("']")) {
            (Some(Step::Key(name.to_owned())).filter(|_| !matches!(name, "" | "*")), after)
        } else if let Some((index, after)) = rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            (index.parse().ok().map(Step::Index), after)
        } else {
            (None, "")
        };
        match step {
            Some(step) => steps.push(step),
            None => return wrong(rest),
        }
        rest = after;
    }
    Ok(steps)
}

/// Returns the value at the end of the path.
fn find(json: &str, path: &[Step]) -> Option<String> {
    let [step, further @ ..] = path else { return written(json) };
    let mut reader = Deserializer::from_str(json);
    let found = match step {
        Step::Key(key) => reader.deserialize_map(Member(key)),
        Step::Index(index) => reader.deserialize_seq(Element(*index)),
    };
    let found = found.ok()??.get();
    match further {
        // a null member counts as missing
        [] if matches!(step, Step::Key(_)) && found == "null" => None,
        _ => find(found, further),
    }
}

/// Finds the value of a key. If the key is repeated, the first value that is not null counts.
struct Member<'a>(&'a str);

impl<'de> Visitor<'de> for Member<'_> {
    type Value = Option<&'de RawValue>;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let mut found: Self::Value = None;
        while let Some(Key(key)) = members.next_key()? {
            if key == self.0 && found.is_none_or(|found| found.get() == "null") {
                found = Some(members.next_value()?);
            } else {
                members.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }
}

/// A key, copied only if it has escapes.
struct Key<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: serde::Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        struct Text;
        impl<'de> Visitor<'de> for Text {
            type Value = Key<'de>;
            fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
                formatter.write_str("a key")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Key(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Key(Cow::Owned(text.to_owned())))
            }
        }
        reader.deserialize_str(Text)
    }
}

/// Finds the value at an index.
struct Element(usize);

impl<'de> Visitor<'de> for Element {
    type Value = Option<&'de RawValue>;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Self::Value, A::Error> {
        for _ in 0..self.0 {
            if elements.next_element::<IgnoredAny>()?.is_none() {
                return Ok(None);
            }
        }
        let found = elements.next_element()?;
        while elements.next_element::<IgnoredAny>()?.is_some() {}
        Ok(found)
    }
}

/// Returns the value as text: a string without quotes, anything else as JSON without spaces.
fn written(json: &str) -> Option<String> {
    let mut values = Deserializer::from_str(json).into_iter::<&RawValue>();
    let value = values.next()?.ok()?.get();
    if value.starts_with('"') {
        return serde_json::from_str(value).ok();
    }
    let mut text = String::with_capacity(value.len());
    let mut rest = value;
    while let Some(quote) = rest.find('"') {
        text.extend(rest[..quote].chars().filter(|c| !c.is_ascii_whitespace()));
        let inner: String = first_text(&rest[quote..])?;
        text.push_str(&serde_json::to_string(&inner).ok()?);
        rest = &rest[quote + length_of_text(&rest[quote..])..];
    }
    text.extend(rest.chars().filter(|c| !c.is_ascii_whitespace()));
    Some(text)
}

/// Returns the string that the JSON begins with.
fn first_text(json: &str) -> Option<String> {
    Deserializer::from_str(json).into_iter::<String>().next()?.ok()
}

/// Returns the length in bytes of the string that the JSON begins with, including its quotes.
fn length_of_text(json: &str) -> usize {
    let mut escaped = false;
    let end = json.bytes().skip(1).position(|byte| match byte {
        _ if escaped => {
            escaped = false;
            false
        }
        b'\\' => {
            escaped = true;
            false
        }
        byte => byte == b'"',
    });
    end.map_or(json.len(), |end| end + 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_spark() {
        let json = r#" {"a": {"b": [1.10, {"c": "x\"y\u00e9"}], "n": null}, "t": true, "d e": 12345678901234567890.5,
            "s": "\ttab", "e": {}, "k\u0065y": 1, "twice": null, "twice": 2} "#;
        for (path, expected) in [
            ("$.a.b[0]", Some("1.10")),
            ("$.a.b[1].c", Some("x\"yé")),
            ("$.a.b[1]", Some(r#"{"c":"x\"yé"}"#)),
            ("$.a.b", Some(r#"[1.10,{"c":"x\"yé"}]"#)),
            ("$.a.b[2]", None),
            ("$.a.n", None),
            ("$.t", Some("true")),
            ("$['d e']", Some("12345678901234567890.5")),
            ("$.s", Some("\ttab")),
            ("$.e", Some("{}")),
            ("$.key", Some("1")),
            ("$.twice", Some("2")),
            ("$.t.x", None),
            ("$.a[0]", None),
            ("$.none", None),
        ] {
            assert_eq!(find(json, &steps(path).unwrap()).as_deref(), expected, "{path}");
        }
        for json in ["", "no JSON", "{\"a\": ", "{\"a\": 1", "[1]", "1"] {
            assert_eq!(find(json, &steps("$.a").unwrap()), None, "{json}");
        }
        assert_eq!(find("[null]", &steps("$[0]").unwrap()).as_deref(), Some("null"));
        for path in ["", "a", "$a", "$.", "$.a[*]", "$..a", "$.*", "$.a[", "$.a[-1]", "$['a"] {
            assert!(steps(path).is_err(), "{path}");
        }
    }
}

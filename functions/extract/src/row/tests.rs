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
    let body = r#"{"status":200,"result":{"postcode":"HS1 2BB","parish":null,"codes":{"ccg":"S03","ccg_id":"012"}}}"#;
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
    let body =
        "{\r\n \"result\" : {\n\t\"a\" : [ 1 ,\n [ \"x \\\" y\" , { \"b\" : 2 } ] ] ,\n \"c\" : { \"d\" : 1 }\n } }\n";
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

/// Deep nesting neither overflows the stack nor takes long.
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
        // serde_json may change the last bit of other fractions
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

/// A reference implementation of flattening, on parsed values. Returns `None` if two values meet in one column.
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
                // compared as lists, because the order matters
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

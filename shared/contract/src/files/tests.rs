use std::path::Path;

use serde_json::{Value, json};

use super::{FileDialect, Nan, Sheet, Written};
use crate::MetaData;
use crate::Table;

/// Reads a raw table with a dialect, more keys, and columns.
fn table(dialect: &Value, more: &Value, columns: &Value) -> Result<Table, Vec<String>> {
    let mut table = json!({"name": "t", "location": "t", "data_format": "csv", "dialect": dialect, "columns": columns});
    table.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    MetaData::parse_raw_table(Path::new("t.json"), &table.to_string())
        .map_err(|problems| problems.0.iter().map(|problem| format!("{}: {}", problem.path, problem.message)).collect())
}

fn of_dialect(dialect: &Value) -> Result<Table, Vec<String>> {
    table(dialect, &json!({}), &json!([{"name": "a", "type": "character"}]))
}

/// Returns the only problem.
#[track_caller]
fn one_problem(read: Result<Table, Vec<String>>) -> String {
    let problems = read.map(|table| (table.file_dialect, table.columns)).unwrap_err();
    assert_eq!(problems.len(), 1, "{problems:?}");
    problems.into_iter().next().unwrap()
}

#[test]
fn each_key_of_a_dialect_is_read() {
    let read = of_dialect(&json!({
        "delimiter": "|", "quoteChar": "'", "doubleQuote": false, "escapeChar": "\\", "skipInitialSpace": true,
        "headerRows": [3, 4], "headerJoin": "", "commentChar": "//", "commentRows": [9, 6], "lineTerminator": ";",
        "encoding": "shift_jis", "nan": "keep", "property": "rows", "sheetNumber": 2}));
    let expected = FileDialect {
        delimiter: Some(b'|'),
        quote: Some(b'\''),
        double_quote: false,
        escape: Some(b'\\'),
        skip_initial_space: true,
        header_rows: vec![3, 4],
        header_join: String::new(),
        comment: Some("//".into()),
        comment_rows: [6, 9].into(),
        line_terminator: b';',
        encoding: Some("shift_jis".into()),
        nan: Nan::Keep,
        property: Some("rows".into()),
        sheet: Sheet::Number(2),
    };
    assert_eq!(read.unwrap().file_dialect, expected);
}

#[test]
fn good_dialects() {
    let usual = FileDialect::default;
    for (said, expected) in [
        (json!({}), usual()),
        (json!({"quoteChar": ""}), FileDialect { quote: None, ..usual() }),
        (json!({"escapeChar": "", "commentChar": "", "commentRows": []}), usual()),
        (json!({"lineTerminator": "\r\n"}), usual()),
        (json!({"lineTerminator": "\r"}), FileDialect { line_terminator: b'\r', ..usual() }),
        (json!({"delimiter": "\u{1}"}), FileDialect { delimiter: Some(1), ..usual() }),
        (
            json!({"delimiter": "\t", "quoteChar": ","}),
            FileDialect { delimiter: Some(b'\t'), quote: Some(b','), ..usual() },
        ),
        (
            json!({"delimiter": "\"", "quoteChar": "'"}),
            FileDialect { delimiter: Some(b'"'), quote: Some(b'\''), ..usual() },
        ),
        // only a comment of a single character can conflict with another sign
        (json!({"commentChar": "\"#"}), FileDialect { comment: Some("\"#".into()), ..usual() }),
        (json!({"headerRows": [1]}), FileDialect { header_rows: vec![1], ..usual() }),
        (json!({"headerRows": [4_294_967_295_u32]}), FileDialect { header_rows: vec![4_294_967_295], ..usual() }),
        (json!({"sheetName": "Größen"}), FileDialect { sheet: Sheet::Name("Größen".into()), ..usual() }),
        (json!({"nan": "null"}), FileDialect { nan: Nan::Null, ..usual() }),
        // keys of another file format are ignored
        (json!({"sheetNumber": 1, "property": "x"}), FileDialect { property: Some("x".into()), ..usual() }),
    ] {
        assert_eq!(of_dialect(&said).map(|table| table.file_dialect), Ok(expected), "{said}");
    }
    assert!(!of_dialect(&json!({"header": false})).unwrap().checks.header);
    assert!(of_dialect(&json!({"header": true})).unwrap().checks.header);
}

#[test]
fn what_is_wrong_with_a_dialect_is_told_at_its_key() {
    let character = "expected a single ASCII character that is no letter, no digit and no line's end, found";
    for (said, place, message) in [
        (json!({"delimiter": ""}), "delimiter", character),
        (json!({"delimiter": "||"}), "delimiter", character),
        (json!({"delimiter": "§"}), "delimiter", character),
        (json!({"delimiter": "\n"}), "delimiter", character),
        (json!({"quoteChar": "Q"}), "quoteChar", character),
        (json!({"escapeChar": "0"}), "escapeChar", character),
        (json!({"lineTerminator": "\n\r"}), "lineTerminator", r#"expected "\n", "\r\n", "\r" or another single"#),
        (json!({"lineTerminator": ""}), "lineTerminator", r#"expected "\n""#),
        (json!({"lineTerminator": "x"}), "lineTerminator", r#"expected "\n""#),
        (json!({"commentChar": "#\n"}), "commentChar", "expected what a line begins with, found a line's end"),
        // a conflict is reported at the key that is present
        (json!({"delimiter": "\""}), "delimiter", "is the same character as quoteChar"),
        (json!({"quoteChar": ","}), "quoteChar", "is the same character as delimiter"),
        (json!({"quoteChar": "\t"}), "quoteChar", "is the same character as delimiter"),
        (json!({"delimiter": ";", "escapeChar": ";"}), "escapeChar", "is the same character as delimiter"),
        (json!({"escapeChar": "\""}), "escapeChar", "is the same character as quoteChar"),
        (json!({"delimiter": ";", "lineTerminator": ";"}), "lineTerminator", "is the same character as delimiter"),
        // these would skip lines whose first field is empty or quoted
        (json!({"commentChar": ","}), "commentChar", "is the same character as delimiter"),
        (json!({"commentChar": "\""}), "commentChar", "is the same character as quoteChar"),
        (json!({"headerRows": []}), "headerRows", "expected the numbers of lines, from 1, one after the other"),
        (json!({"headerRows": [0, 1]}), "headerRows", "expected the numbers of lines, from 1, one after the other"),
        (json!({"headerRows": [1, 3]}), "headerRows", "expected the numbers of lines, from 1, one after the other"),
        (json!({"headerRows": [2, 1]}), "headerRows", "expected the numbers of lines, from 1, one after the other"),
        (json!({"headerRows": [u64::MAX, 0]}), "headerRows", "invalid value: integer `18446744073709551615`"),
        (json!({"headerRows": 3}), "headerRows", "invalid type: integer `3`, expected a sequence"),
        (json!({"headerRows": [3.0]}), "headerRows", "invalid type: floating point `3.0`"),
        (json!({"header": false, "headerRows": [1]}), "headerRows", "says where the header is"),
        (json!({"commentRows": [0]}), "commentRows", "lines are counted from 1"),
        (json!({"headerRows": [2], "commentRows": [1, 2]}), "commentRows", "line 2 is one of headerRows"),
        (json!({"encoding": ""}), "encoding", "expected a text that is not empty"),
        (json!({"property": ""}), "property", "expected a text that is not empty"),
        (json!({"sheetName": ""}), "sheetName", "expected a text that is not empty"),
        (json!({"sheetNumber": 0}), "sheetNumber", "sheets are counted from 1"),
        (json!({"sheetNumber": -1}), "sheetNumber", "invalid value: integer `-1`"),
        (json!({"sheetName": "x", "sheetNumber": 1}), "sheetNumber", "says which sheet it is, and `sheetName` too"),
        (json!({"nan": "drop"}), "nan", "unknown variant `drop`, expected one of `refuse`, `null`, `keep`"),
        // serde would accept the object's key as the word
        (json!({"nan": {"keep": null}}), "nan", "expected no object"),
        (json!({"doubleQuote": "no"}), "doubleQuote", "invalid type: string \"no\", expected a boolean"),
        (json!({"quotechar": "'"}), "quotechar", "unknown key; did you mean `quoteChar`?"),
        (json!({"nullValues": ["-", 7]}), "nullValues", "invalid type: integer `7`, expected a string"),
        (json!({"nullValues": "-"}), "nullValues", "invalid type: string \"-\", expected a sequence"),
    ] {
        let problem = one_problem(of_dialect(&said));
        assert!(problem.starts_with(&format!("dialect.{place}: {message}")), "{said}: {problem}");
    }
    for said in [json!([]), json!([";"]), json!(";"), Value::Null, json!(true)] {
        assert_eq!(one_problem(of_dialect(&said)), format!("dialect: expected an object, found {said}"));
    }
}

/// null could mean "none" or "the default", so it is refused.
#[test]
fn null_is_no_value_of_any_key() {
    for key in super::SaidOfFiles::KEYS {
        let problem = one_problem(of_dialect(&json!({*key: null})));
        assert_eq!(problem, format!("dialect.{key}: expected a value, found null; without the key it is as usual"));
    }
    for key in super::SaidOfValues::KEYS.iter().chain(&["source_name", "source_position"]) {
        let problem = one_problem(table(&json!({}), &json!({}), &json!([{"name": "a", "type": "int", *key: null}])));
        assert!(problem.starts_with(&format!("columns[0].{key}: expected ")), "{problem}");
        assert!(problem.contains("found null"), "{problem}");
    }
}

#[test]
fn a_header_is_said_once() {
    let columns = json!([{"name": "a", "type": "int"}]);
    let with = |dialect: Value, header: bool| table(&dialect, &json!({"checks": {"header": header}}), &columns);
    assert!(!with(json!({"header": false}), false).unwrap().checks.header);
    assert!(!with(json!({}), false).unwrap().checks.header);
    for header in [true, false] {
        let problem = one_problem(with(json!({"header": header}), !header));
        assert_eq!(problem, format!("dialect.header: is {header}, and checks.header is {}", !header));
    }
    let problem = one_problem(with(json!({"headerRows": [2]}), false));
    assert_eq!(problem, "dialect.headerRows: says where the header is, and `header` that there is none");
}

/// Returns the notation of the first column's values.
fn written(dialect: &Value, column: &Value) -> Result<Written, Vec<String>> {
    let mut one = json!({"name": "a", "type": "double"});
    one.as_object_mut().unwrap().extend(column.as_object().unwrap().clone());
    table(dialect, &json!({}), &json!([one])).map(|mut table| table.columns.remove(0).written)
}

#[test]
fn a_column_says_over_its_table_how_values_are_written() {
    let dialect = json!({"nullValues": ["-"], "decimalChar": ",", "groupChar": ".", "bareNumber": false,
        "trueValues": ["Y"], "falseValues": ["N"]});
    let of_the_table = Written {
        null_values: vec!["-".into()],
        decimal: ',',
        group: Some('.'),
        bare_number: false,
        true_values: vec!["Y".into()],
        false_values: vec!["N".into()],
    };
    let own = |column: Value| written(&dialect, &column);
    assert_eq!(written(&json!({}), &json!({})), Ok(Written::default()));
    assert_eq!(own(json!({})), Ok(of_the_table.clone()));
    assert_eq!(own(json!({"nullValues": []})), Ok(Written { null_values: Vec::new(), ..of_the_table.clone() }));
    assert_eq!(own(json!({"groupChar": ""})), Ok(Written { group: None, ..of_the_table.clone() }));
    assert_eq!(own(json!({"groupChar": "\u{202f}"})), Ok(Written { group: Some('\u{202f}'), ..of_the_table.clone() }));
    assert_eq!(
        own(json!({"decimalChar": ".", "groupChar": "'"})),
        Ok(Written { decimal: '.', group: Some('\''), ..of_the_table.clone() })
    );
    assert_eq!(own(json!({"bareNumber": true})), Ok(Written { bare_number: true, ..of_the_table.clone() }));
    assert_eq!(
        own(json!({"trueValues": ["1"]})),
        Ok(Written { true_values: vec!["1".into()], ..of_the_table.clone() })
    );
    // wrong only in combination with the table's statement
    let twice = "columns[0].groupChar: is `.`, as decimalChar is: a number could be read in two ways";
    assert_eq!(own(json!({"decimalChar": "."})), Err(vec![twice.to_owned()]));
}

#[test]
fn what_is_wrong_with_values_is_told_once_and_where_it_is_said() {
    let sign =
        "expected a single character that is no letter, no digit, no sign, no quote and no control character, found";
    for (said, place, message) in [
        (json!({"decimalChar": ""}), "decimalChar", sign),
        (json!({"decimalChar": ",,"}), "decimalChar", sign),
        (json!({"decimalChar": "e"}), "decimalChar", sign),
        (json!({"decimalChar": "é"}), "decimalChar", sign),
        (json!({"decimalChar": "٣"}), "decimalChar", sign),
        (json!({"decimalChar": "-"}), "decimalChar", sign),
        (json!({"decimalChar": "\""}), "decimalChar", sign),
        (json!({"groupChar": "0"}), "groupChar", sign),
        (json!({"groupChar": "\n"}), "groupChar", sign),
        (json!({"groupChar": "\u{85}"}), "groupChar", sign),
        (json!({"groupChar": "."}), "groupChar", "is `.`, as decimalChar is"),
        (json!({"decimalChar": ",", "groupChar": ","}), "groupChar", "is `,`, as decimalChar is"),
        (json!({"bareNumber": "no"}), "bareNumber", "invalid type: string \"no\", expected a boolean"),
        (json!({"trueValues": ["Y"], "falseValues": ["N", "Y"]}), "falseValues", "`Y` is one of trueValues too"),
        (json!({"falseValues": ["TRUE"]}), "falseValues", "`TRUE` is one of trueValues too"),
        (json!({"trueValues": ["False"]}), "trueValues", "`False` is one of falseValues too"),
        (json!({"nullValues": ["N"], "falseValues": ["N"]}), "falseValues", "`N` is one of nullValues too"),
        (json!({"nullValues": ["Y"], "trueValues": ["Y"]}), "trueValues", "`Y` is one of nullValues too"),
    ] {
        // a column with a statement of its own does not repeat the table's problem
        for column in [json!({}), json!({"nullValues": ["?"]})] {
            let problems = written(&said, &column).unwrap_err();
            assert_eq!(problems.len(), 1, "{said} {column}: {problems:?}");
            assert!(problems[0].starts_with(&format!("dialect.{place}: {message}")), "{said}: {}", problems[0]);
        }
        let problems = written(&json!({}), &said).unwrap_err();
        assert_eq!(problems.len(), 1, "{said}: {problems:?}");
        assert!(problems[0].starts_with(&format!("columns[0].{place}: {message}")), "{said}: {}", problems[0]);
    }
    // the table's text for false is null in one column: fine for texts, a conflict for booleans
    let dialect = json!({"trueValues": ["Y"], "falseValues": ["N"]});
    assert!(written(&dialect, &json!({"type": "character", "nullValues": ["N"]})).is_ok());
    let problems = written(&dialect, &json!({"type": "boolean", "nullValues": ["N"]})).unwrap_err();
    assert_eq!(problems, ["columns[0].falseValues: `N` is one of nullValues too"]);
}

#[test]
fn columns_are_found_by_names_and_places_that_are_theirs_alone() {
    let two = |dialect: Value, checks: Value, one: Value, other: Value| {
        let mut columns = json!([{"name": "a", "type": "int"}, {"name": "b", "type": "int"}]);
        for (n, more) in [one, other].iter().enumerate() {
            columns[n].as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        }
        table(&dialect, &json!({"checks": checks}), &columns)
    };
    let none = || json!({});
    let x = |position: Option<u64>| {
        position.map_or(json!({"source_name": "X"}), |n| json!({"source_name": "X", "source_position": n}))
    };
    let read = two(none(), none(), x(Some(1)), x(Some(1_000_000))).unwrap();
    assert_eq!(read.columns[1].source_position, Some(1_000_000));
    assert_eq!(read.columns[1].name_in_files(), "X");
    // swapped names, an empty name, and names that differ only in case
    let swapped = two(none(), none(), json!({"source_name": "b"}), json!({"source_name": "a"}));
    assert_eq!(swapped.unwrap().columns[0].name_in_files(), "b");
    assert_eq!(two(none(), none(), json!({"source_name": ""}), none()).unwrap().columns[0].name_in_files(), "");
    assert!(two(none(), none(), json!({"source_name": "É"}), json!({"source_name": "é"})).is_ok());

    let any_case = json!({"ignore_header_case": true});
    for (dialect, checks, one, other, expected) in [
        (none(), none(), x(None), x(None), "source_name of column `b`: column `X` of the file is `a` already"),
        (none(), none(), x(Some(1)), x(None), "source_name of column `b`: column `X` of the file is `a` already"),
        (
            none(),
            none(),
            json!({"source_name": "b"}),
            none(),
            "source_name of column `b`: column `b` of the file is `a`",
        ),
        (
            none(),
            any_case,
            json!({"source_name": "É"}),
            json!({"source_name": "é"}),
            "source_name of column `b`: column `é` of the file is `a` already",
        ),
        (none(), none(), x(Some(2)), x(Some(2)), "source_position of column `b`: is that of column `a` too"),
        (
            json!({"header": false}),
            none(),
            x(Some(2)),
            none(),
            "source_position of column `a`: tells fields of one name",
        ),
        (
            none(),
            json!({"header": false}),
            x(Some(2)),
            none(),
            "source_position of column `a`: tells fields of one name",
        ),
        (none(), none(), json!({"source_name": 7}), none(), "columns[0].source_name: expected the column's name"),
        (none(), none(), x(Some(0)), none(), "columns[0].source_position: expected the number of the field, from 1"),
        // this would cost memory for every field before it
        (none(), none(), x(Some(1_000_001)), none(), "columns[0].source_position: expected the number of the field"),
        (none(), none(), x(Some(u64::MAX)), none(), "columns[0].source_position: expected the number of the field"),
    ] {
        let problem = one_problem(two(dialect, checks, one, other));
        assert!(problem.starts_with(expected), "{problem}");
    }
}

/// Rules that `make new-table` proposes have no effect until a person adopts them.
#[test]
fn what_is_proposed_is_not_read() {
    for proposed in [json!({"unique": true, "enum": ["x"]}), json!({"pattern": "("}), json!(7), Value::Null] {
        let column = json!([{"name": "a", "type": "character", "proposed": proposed}]);
        let read = table(&json!({}), &json!({}), &column).unwrap();
        assert_eq!(read, of_dialect(&json!({})).unwrap(), "{proposed}");
    }
}

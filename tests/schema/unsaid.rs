//! The rules that no schema expresses. docs/metadata.md lists each in these words.

use std::sync::LazyLock;

use contract::Problem;
use regex::Regex;
use serde_json::Value;

/// Each rule, with parts of the reader's messages when a file breaks it.
pub const RULES: &[(&str, &[&str])] = &[
    ("the `name` of a table is that of its file", &["the two must agree"]),
    ("no two columns have one name", &["is already the name of columns"]),
    ("`partitions`, `primary_key` and `source.index_column` name columns", &["there is no column"]),
    (
        "a partition column is of a type that may partition, and at least one column is none",
        &["which cannot partition a table", "every column is a partition column"],
    ),
    (
        "`pattern` and `file_name_pattern` are [regular expressions](https://docs.rs/regex/latest/regex/#syntax) \
         without look-around and back-references",
        &["is not a regular expression that the checks can use"],
    ),
    (
        "the scale of a decimal is its precision at most, and what stands in `<…>` is of types",
        &["scale at most the precision"],
    ),
    ("a least length, number of rows or size is not above the greatest", &["no value can pass", "no file can pass"]),
    (
        "`unique_primary_key` needs a `primary_key` of columns that are in the files and can be compared",
        &["needs a `primary_key` of columns", ") are not compared"],
    ),
    ("no two `earlier_types` end at one time", &["two types before the same time"]),
    (
        "a whole number of Landfall's own keys is written without a point: `3`, not `3.0`",
        &["invalid type: floating point"],
    ),
    (
        "beyond ASCII a `location` has letters and digits only, a `base_folder` nothing that cannot be seen, and \
         `decimalChar` and `groupChar` are neither letter nor digit",
        &[
            "letters, digits, `_`, `-` and single `/` only",
            "nothing that cannot be seen",
            "a single character that is no letter, no digit",
        ],
    ),
    (
        "what is for raw, processed or curated tables alone, and what two files must agree in",
        &[
            "is in the folders' names",
            "needs one column, a text: the line",
            "where nothing comes without `copy_to_raw`",
            "is `processed`, but there is no",
            "curated tables are written as `parquet`",
            "`partition` needs `partitions`",
            "is for columns of raw tables",
            "is for the modes `partition` and `append`",
            "needs `partitions`, and the mode",
            "cannot be projected",
            "it says how a supplier's files are written",
            "is for its raw table to say",
        ],
    ),
    (
        "no character of a `dialect` has two meanings, and no text stands for two of null, true and false",
        &[
            "is the same character as",
            "a number could be read in two ways",
            "is one of trueValues too",
            "is one of falseValues too",
            "is one of nullValues too",
        ],
    ),
    (
        "`headerRows` follow each other, none is one of `commentRows`, there are none without a header, and `checks` \
         says the same of `header`",
        &["one after the other", "is one of headerRows", "and `header` that there is none", "and checks.header is"],
    ),
    (
        "two columns that files call the same have a `source_position` each; no two have the same, and without a \
         header none has one",
        &["say by `source_position` which", "is that of column", "and `header` says that fields have no names"],
    ),
    (
        "`source_names` are of fields of the column's structs, and no two of one struct are called the same",
        &["there is no field", "in the files"],
    ),
];

/// Returns the rule that the problem is about, if only the reader checks it.
pub fn rule(problem: &Problem, file: &Value) -> Option<&'static str> {
    let message = &problem.message;
    if is_nested(problem, file) {
        return Some(RULES[5].0);
    }
    // JSON Schema accepts 3.0 as an integer
    if message.starts_with("expected `before`") {
        let before = value(file, &problem.path)?.get("before")?.as_f64()?;
        return (before >= 0.0 && before.fract() == 0.0).then_some(RULES[9].0);
    }
    if message.starts_with("expected the number of the field") {
        let position = value(file, &problem.path)?.as_f64()?;
        return (position >= 1.0 && position.fract() == 0.0).then_some(RULES[9].0);
    }
    RULES.iter().find(|(_, messages)| messages.iter().any(|part| message.contains(part))).map(|(rule, _)| *rule)
}

/// Whether the problem is about the inner part of a nested type.
fn is_nested(problem: &Problem, file: &Value) -> bool {
    static OUTSIDE: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"^\s*(?:struct|array|list_?|large_list)\s*<[\s\S]+>\s*$").unwrap());
    problem.path.ends_with(".type")
        && value(file, &problem.path).and_then(Value::as_str).is_some_and(|kind| OUTSIDE.is_match(kind))
}

/// Returns the value at a place such as `columns[0].type`.
fn value<'a>(file: &'a Value, path: &str) -> Option<&'a Value> {
    file.pointer(&format!("/{}", path.replace("].", "/").replace(['.', '['], "/").replace(']', "")))
}

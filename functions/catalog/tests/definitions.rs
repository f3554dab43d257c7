//! The complete Glue definition of every table of `golden/meta_data`, as `landfall define` prints it. `make golden`
//! writes the definitions in `golden/` with the same command, and a change to them is reviewed as their diff.

#![expect(clippy::unwrap_used, reason = "a test that meets what it did not expect has failed")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use catalog::command::{Request, define as define_all};
use serde_json::Value;

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

fn define(table: Option<&str>, raw: bool) -> Result<String, String> {
    let meta_data = golden().join("meta_data");
    define_all(&Request { table: table.map(str::to_owned), raw, meta_data }).map(|(text, _)| text)
}

/// Returns the definitions of a database, by file name.
fn definitions(raw: bool) -> BTreeMap<String, Value> {
    let all: Vec<Value> = serde_json::from_str(&define(None, raw).unwrap()).unwrap();
    let name = |one: &Value| {
        format!("{}.{}.json", one["DatabaseName"].as_str().unwrap(), one["TableInput"]["Name"].as_str().unwrap())
    };
    all.into_iter().map(|one| (name(&one), one)).collect()
}

#[test]
fn every_definition_is_as_it_was_reviewed() {
    let mut all = definitions(false);
    all.extend(definitions(true));
    let files: BTreeSet<String> = fs::read_dir(golden())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".json"))
        .collect();
    if option_env!("UPDATE_GOLDEN").is_some() {
        files.iter().for_each(|name| fs::remove_file(golden().join(name)).unwrap());
        for (name, definition) in &all {
            fs::write(golden().join(name), serde_json::to_string_pretty(definition).unwrap() + "\n").unwrap();
        }
        return;
    }
    assert_eq!(files, all.keys().cloned().collect(), "`make golden` writes them");
    for (name, definition) in all {
        let reviewed: Value = serde_json::from_slice(&fs::read(golden().join(&name)).unwrap()).unwrap();
        assert_eq!(definition, reviewed, "{name}: `make golden` writes it as it is now, if that is meant");
    }
}

#[test]
fn one_table_is_printed_alone_and_what_is_wrong_is_told() {
    let printed: Value = serde_json::from_str(&define(Some("in_json"), true).unwrap()).unwrap();
    assert_eq!(printed["TableInput"]["StorageDescriptor"]["Location"], "s3://raw-hist-bucket/raw_base/in_json/");
    assert!(define(Some("in_jsn"), true).unwrap_err().contains("did you mean `in_json`?"));
}

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use regex::Regex;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{TYPES, page, properties};
use crate::Checks;
use crate::ColumnType;
use crate::Dialect;
use crate::MetaData;
use crate::Problems;
use crate::Source;
use crate::column_type::{ETL_MANAGER, MOJAP};
use crate::files::SaidOfFiles;
use crate::metadata::keys::{COLUMN_KEYS, DATABASE_KEYS, EARLIER_KEYS, TABLE_KEYS};

fn docs(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(name)
}

fn schema(name: &str) -> Value {
    serde_json::from_str(&fs::read_to_string(docs("schema").join(name)).unwrap()).unwrap()
}

fn names(schema: &Value) -> BTreeSet<String> {
    properties(schema).map(|(name, _)| name.to_owned()).collect()
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(ToString::to_string).collect()
}

/// Returns the keys of one of our objects, as serde's error message lists them.
fn fields<T: for<'a> Deserialize<'a> + std::fmt::Debug>() -> BTreeSet<String> {
    let message = serde_json::from_value::<T>(json!({"?": 1})).unwrap_err().to_string();
    let (_, expected) = message.split_once("expected one of ").unwrap();
    expected.split(", ").map(|name| name.trim_matches('`').to_owned()).collect()
}

#[test]
fn the_page_is_as_the_schemas_have_it() {
    let written = fs::read_to_string(docs("metadata.md")).unwrap();
    let made = page(&written, &schema("database.json"), &schema("table.json")).unwrap();
    assert!(written == made, "docs/metadata.md is not as docs/schema has it: `make reference` writes it anew");
    for name in ["database", "table", "column", "earlier_type", "checks", "dialect", "source", "types"] {
        assert!(written.contains(&format!("<!-- table: {name} -->")), "the page has no table `{name}`");
    }
}

#[test]
fn the_schemas_have_the_keys_that_the_reader_has() {
    let table = schema("table.json");
    let part = |name: &str| names(&table["$defs"][name]);
    assert_eq!(names(&table), set(TABLE_KEYS));
    assert_eq!(part("column"), set(COLUMN_KEYS));
    assert_eq!(part("earlier_type"), set(EARLIER_KEYS));
    assert_eq!(part("checks"), fields::<Checks>());
    assert_eq!(part("dialect"), fields::<SaidOfFiles>());
    assert_eq!(part("dialect"), set(SaidOfFiles::KEYS));
    assert_eq!(part("source"), fields::<Source>());
    assert_eq!(names(&schema("database.json")), set(DATABASE_KEYS));
    let parts = ["column", "earlier_type", "checks", "dialect", "source"].map(|part| &table["$defs"][part]);
    for key in parts.into_iter().chain([&table]).flat_map(properties) {
        for part in ["description", "x-holds", "x-of", "x-used-by"] {
            assert!(key.1[part].as_str().is_some_and(|said| !said.is_empty()), "`{}` has no `{part}`", key.0);
        }
    }
}

/// A key that the reader uses but no list contains would be missing from the page.
#[test]
fn the_reader_asks_for_no_other_key() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/metadata");
    let read = |file: &str| fs::read_to_string(folder.join(file)).unwrap();
    let source = ["folder.rs", "table_file.rs", "column.rs"].map(read).concat();
    let asked = r#"(?:get|contains_key|own|flag|bound|number|length|names|text|required_text)\((?:&?(?:self|item|object|one|reader), )?"([^"]+)""#;
    let found: BTreeSet<String> =
        Regex::new(asked).unwrap().captures_iter(&source).map(|found| found[1].to_owned()).collect();
    assert!(found.len() > 35, "the search finds too few: {found:?}");
    let mut known: BTreeSet<String> =
        [TABLE_KEYS, COLUMN_KEYS, EARLIER_KEYS, DATABASE_KEYS].iter().flat_map(|keys| set(keys)).collect();
    known.extend(fields::<Checks>());
    let unknown: Vec<_> = found.difference(&known).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}

/// Returns the paths of the problems of a table with one column.
fn problems(table: &Value, column: &Value) -> Vec<String> {
    let mut whole = json!({"name": "t", "location": "t", "data_format": "json"});
    let mut only = json!({"name": "a", "type": "int"});
    for (object, more) in [(&mut whole, table), (&mut only, column)] {
        object.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    }
    if whole.get("columns").is_none() {
        whole["columns"] = json!([only]);
    }
    match read(&whole) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.0.into_iter().map(|problem| problem.path).collect(),
    }
}

fn read(table: &Value) -> Result<MetaData, Problems> {
    let folder = tempfile::tempdir().unwrap();
    for (file, content) in [
        ("curated/database.json", &json!({"name": "d", "bucket": "b", "base_folder": "", "description": ""})),
        ("raw/t.json", table),
    ] {
        let file = folder.path().join(file);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, content.to_string()).unwrap();
    }
    MetaData::read(folder.path())
}

/// Gives each key a value that no key accepts. Only a reader of the key reports it.
#[test]
fn each_key_of_the_page_is_read() {
    let wrong = json!({"?": [7]});
    let table = schema("table.json");
    let is_read = |key: &Value| !["not read", "editors"].contains(&key["x-used-by"].as_str().unwrap());
    let untyped = |name: &str| name == "glue_specific"; // takes any object
    for (name, _) in properties(&table).filter(|(name, key)| is_read(key) && !untyped(name)) {
        let found = problems(&json!({name: wrong}), &json!({}));
        assert!(found.iter().any(|path| path.starts_with(name)), "`{name}` of a table: {found:?}");
    }
    assert_eq!(problems(&json!({"glue_specific": 7}), &json!({})), ["glue_specific"]);
    for (name, _) in properties(&table["$defs"]["column"]).filter(|(_, key)| is_read(key)) {
        let mut column = json!({name: wrong});
        if name == "type_category" {
            column["type"] = json!("int");
            let found = problems(&json!({"columns": [{"name": "a", "type_category": "integr"}]}), &column);
            assert_eq!(found, ["columns[0].type_category"]);
            continue;
        }
        let found = problems(&json!({}), &column);
        assert!(found.iter().any(|path| path.starts_with(&format!("columns[0].{name}"))), "`{name}`: {found:?}");
    }
    for (name, _) in properties(&table["$defs"]["earlier_type"]).filter(|(name, _)| *name != "type_category") {
        let mut earlier = json!({"before": 1, "type": "date"});
        earlier[name] = wrong.clone();
        let found = problems(&json!({}), &json!({"earlier_types": [earlier]}));
        assert!(found[0].starts_with("columns[0].earlier_types[0]"), "`{name}`: {found:?}");
    }
    for (object, least) in [("checks", json!({})), ("dialect", json!({})), ("source", json!({"url": "https://x"}))] {
        for (name, _) in properties(&table["$defs"][object]) {
            let mut value = least.clone();
            value[name] = wrong.clone();
            let found = problems(&json!({object: value}), &json!({}));
            assert_eq!(found, [format!("{object}.{name}")]);
        }
    }
}

#[test]
fn a_default_is_what_holds_where_nothing_is_said() {
    let table = schema("table.json");
    let defaults = |schema: &Value| -> BTreeMap<String, Value> {
        let said = properties(schema).filter_map(|(name, key)| Some((name.to_owned(), key.get("default")?.clone())));
        said.collect()
    };
    let base = json!({"name": "t", "location": "t", "data_format": "json",
        "columns": [{"name": "a", "type": "character"}],
        "checks": {}, "dialect": {}, "source": {"url": "https://x"}});
    let expected = read(&base).unwrap().raw;
    let mut seen = 0;
    // each table is read from a folder of its own
    let check = |changed: Value, what: &str| {
        let mut found = read(&changed).unwrap().raw;
        for (name, table) in &mut found {
            table.file.clone_from(&expected[name].file);
        }
        assert_eq!(found, expected, "{what}");
    };
    for (pointer, schema) in [
        ("", &table),
        ("/columns/0", &table["$defs"]["column"]),
        ("/checks", &table["$defs"]["checks"]),
        ("/dialect", &table["$defs"]["dialect"]),
        ("/source", &table["$defs"]["source"]),
    ] {
        for (name, default) in defaults(schema) {
            let mut changed = base.clone();
            // its presence decides the table's vocabulary
            if name == "glue_table_properties" {
                continue;
            }
            changed.pointer_mut(pointer).unwrap()[&name] = default;
            check(changed, &format!("{pointer}/{name}"));
            seen += 1;
        }
    }
    assert!(seen > 30, "{seen}");
}

#[test]
fn each_name_of_a_type_is_read_and_none_is_left_out() {
    let filled = |name: &str, dialect: Dialect| {
        let inner = if dialect == Dialect::EtlManager { "int" } else { "int32" };
        name.replace("(p,s)", "(10,2)")
            .replace("(n)", "(8)")
            .replace(",…", "")
            .replace(":type", &format!(":{inner}"))
            .replace("<type>", &format!("<{inner}>"))
    };
    for one in TYPES {
        let expected =
            one.glue.replace("(p,s)", "(10,2)").replace(",…", "").replace(":type", ":int").replace("<type>", "<int>");
        for (names, dialect) in [(one.etl_manager, Dialect::EtlManager), (one.mojap, Dialect::Mojap)] {
            for name in names {
                let read = ColumnType::parse(&filled(name, dialect), dialect).unwrap();
                assert_eq!(read.glue(), expected, "{name}");
            }
        }
    }
    let of = |names: fn(&super::TypeNames) -> &'static [&'static str]| -> BTreeSet<&str> {
        TYPES.iter().flat_map(names).copied().collect()
    };
    assert_eq!(of(|one| one.etl_manager), ETL_MANAGER.iter().copied().collect());
    let left_out: Vec<_> = MOJAP.iter().filter(|name| !of(|one| one.mojap).contains(**name)).collect();
    assert!(left_out.is_empty(), "{left_out:?}");
}

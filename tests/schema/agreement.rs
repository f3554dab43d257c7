//! Tests that the schema and the reader agree.

use std::collections::BTreeSet;
use std::fs;

use contract::reference::{TYPES, properties};
use contract::{ColumnType, Dialect};
use fastrand::Rng;
use serde_json::{Map, Value, json};

use crate::examples::{bad, etl_manager, good, metadata_of_the_examples, mojap, typed, unsaid};
use crate::judge::{Kind, Verdict, database, json_file, judge, repository, schema};
use crate::unsaid::RULES;

#[test]
fn good_files_are_taken_by_both() {
    for (kind, file) in good() {
        assert_eq!(judge(kind, &file), Ok(Verdict::Taken), "{file}");
    }
}

#[test]
fn bad_files_are_refused_by_both_and_at_the_same_place() {
    for (kind, place, value) in bad() {
        let mut file = if kind == Kind::Database { database() } else { etl_manager() };
        let (parent, key) = place.rsplit_once('/').unwrap();
        let parent = file.pointer_mut(parent).unwrap().as_object_mut().unwrap();
        match &value {
            Value::Null => drop(parent.shift_remove(key).unwrap()),
            value => drop(parent.insert(key.to_owned(), value.clone())),
        }
        assert_eq!(judge(kind, &file), Ok(Verdict::Refused), "{value} at {place}");
    }
}

#[test]
fn the_type_decides_which_rules_there_may_be() {
    for (is_good, mut column) in typed() {
        column["name"] = json!("a");
        let expected = if is_good { Verdict::Taken } else { Verdict::Refused };
        assert_eq!(
            judge(Kind::Raw, &json!({"name": "t", "file_format": "csv", "columns": [column]})),
            Ok(expected),
            "{column}"
        );
    }
}

#[test]
fn what_only_the_reader_knows_is_on_the_page() {
    for (rule, kind, file) in unsaid() {
        assert_eq!(judge(kind, &file), Ok(Verdict::Unsaid(vec![RULES[rule].0])), "{file}");
    }
    let page = fs::read_to_string(repository("docs/metadata.md")).unwrap();
    let (_, list) = page.split_once("## What no schema says\n\n").unwrap();
    let (list, _) = list.split_once("\n\n").unwrap();
    let listed: Vec<_> = list.lines().map(|line| line.trim_start_matches("- ")).collect();
    assert_eq!(listed, RULES.iter().map(|(rule, _)| *rule).collect::<Vec<_>>());
}

#[test]
fn every_name_of_a_type_is_taken_and_others_are_not() {
    let mut taken = 0;
    let others = [
        "",
        "String",
        "varchar",
        "bigint",
        "int 32",
        "timestamp",
        "timestamp(m)",
        "decimal",
        "decimal(1)",
        "binary()",
        "x<int>",
    ];
    let names = TYPES.iter().flat_map(|one| [one.etl_manager, one.mojap].concat());
    for name in names.chain(others) {
        let name = name.replace("(p,s)", "(10,2)").replace("(n)", "(8)").replace(",…", "");
        for (dialect, inner) in [(Dialect::EtlManager, "long"), (Dialect::Mojap, "int64")] {
            let name = name.replace("type", inner);
            for name in [name.clone(), format!(" {} ", name.replace('(', " ( ").replace(',', " ,"))] {
                let mut table = json!({"name": "t", "columns": [{"name": "a", "type": name}]});
                if dialect == Dialect::EtlManager {
                    table["location"] = json!("t");
                    table["data_format"] = json!("csv");
                }
                let parsed = ColumnType::parse(&name, dialect);
                assert_eq!(schema(Kind::Raw, &table).is_empty(), parsed.is_ok(), "{dialect:?} {name}: {parsed:?}");
                taken += usize::from(parsed.is_ok());
            }
        }
    }
    assert!(taken > 70, "{taken}");
}

/// Every path in `$schema`, which editors follow, leads to the right schema.
#[test]
fn the_examples_name_their_schemas() {
    let mut found = BTreeSet::new();
    for path in metadata_of_the_examples() {
        let name = json_file(&path)["$schema"].as_str().unwrap().to_owned();
        let named = path.parent().unwrap().join(name).canonicalize().unwrap();
        let expected = if path.ends_with("database.json") { "database.json" } else { "table.json" };
        assert_eq!(named, repository("docs/schema").join(expected).canonicalize().unwrap(), "{}", path.display());
        found.insert(named);
    }
    assert_eq!(found.len(), 2);
}

/// The tests change the values of these examples, so a key that neither has would not be tested.
#[test]
fn the_two_examples_have_every_key() {
    let table = json_file(&repository("docs/schema/table.json"));
    let both = [etl_manager(), mojap()];
    for (schema, pointers) in [
        (&table, vec![""]),
        (
            &table["$defs"]["column"],
            vec!["/columns/0", "/columns/1", "/columns/2", "/columns/3", "/columns/4", "/columns/5"],
        ),
        (&table["$defs"]["checks"], vec!["/checks"]),
        (&table["$defs"]["dialect"], vec!["/dialect"]),
        (&table["$defs"]["source"], vec!["/source"]),
        (&table["$defs"]["earlier_type"], vec!["/columns/4/earlier_types/0", "/columns/5/earlier_types/0"]),
    ] {
        for (key, _) in properties(schema) {
            let has = |file: &Value| {
                pointers.iter().any(|at| file.pointer(at).is_some_and(|object| object.get(key).is_some()))
            };
            assert!(both.iter().any(has), "`{key}`");
        }
    }
}

/// Replaces every value, object and list of the two complete examples with one value of each kind in turn.
#[test]
fn they_agree_on_values_of_every_kind_in_every_place() {
    let kinds =
        json!([null, true, 0, -1, 1, 2.5, 3.0, 5000000000_u64, "", "x", "int", "float", [], [1], ["a"], {}, {"x": 1}]);
    let mut judged = 0;
    for good in [etl_manager(), mojap()] {
        let mut places = Vec::new();
        places_of(&good, String::new(), &mut places);
        for place in places {
            for kind in kinds.as_array().unwrap() {
                let mut file = good.clone();
                *file.pointer_mut(&place).unwrap() = kind.clone();
                judge(Kind::Raw, &file).unwrap();
                judged += 1;
            }
        }
    }
    assert!(judged > 2_000, "{judged}");
}

fn places_of(value: &Value, place: String, places: &mut Vec<String>) {
    match value {
        Value::Object(object) => {
            object.iter().for_each(|(key, value)| places_of(value, format!("{place}/{key}"), places))
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(n, value)| places_of(value, format!("{place}/{n}"), places));
        }
        _ => {}
    }
    if !place.is_empty() {
        places.push(place);
    }
}

/// Values of every kind, valid and invalid.
fn values() -> Vec<Value> {
    let texts = [
        "",
        "t",
        "a",
        "b",
        "x/",
        "/x",
        "../x",
        "x//y",
        "a/b",
        "_x",
        "X",
        "ü",
        "a b",
        "(",
        "%Y",
        "2020-01-01",
        "1.5",
        "/r",
        "https://x",
        "personal_data",
        "special_category_data",
        "csv",
        "json",
        "jsonl",
        "parquet",
        "par",
        "rebuild",
        "partition",
        "append",
        "raw",
        "raw-hist",
        "processed",
        "zstd",
        "ignore",
        "keep",
        "whole",
        "integer",
        "float",
        "string",
        "timestamp",
        "boolean",
        "list",
        "character",
        "int",
        "long",
        "double",
        "date",
        "datetime",
        "binary",
        "timestamp(us)",
        "timestamp(s)",
        "decimal(10,2)",
        " decimal ( 5 , 9 ) ",
        "decimal(39,1)",
        "decimal128(3,1)",
        "int64",
        "int8",
        "uint32",
        "uint64",
        "float64",
        "date32",
        "bool",
        "large_string",
        "binary(8)",
        "array<int>",
        "array<x>",
        "struct<a:int>",
        "struct<a:int>x",
        "list<int8>",
        "large_list<string>",
        "null",
        ";",
        "\"",
        "\r",
        "\u{a0}",
        "٣",
        "true",
    ];
    let mut values: Vec<Value> = texts.iter().map(|text| json!(text)).collect();
    let others = json!([null, true, false, 0, 1, -1, 3, 3.0, 2.5, 200, 5000000000_u64, [], ["a"], ["a", "a"], ["x"], [1, "1", null],
        [null], [2], [1, 2], [2, 1], ["true"], ["personal_data"], ["file_land_timestamp"], {}, {"a": "b"}, {"a": 1}, {"url": "https://x"}, {"name": "z", "type": "int"},
        [{"name": "a", "type": "int"}], [{"name": "a", "type": "int8"}], [{"name": "a", "type_category": "string"}],
        [{"before": 1, "type": "date"}], [{"before": 1, "type": "int64"}, {"before": 1.0, "type": "int64"}], {"before": 7}]);
    values.extend(others.as_array().unwrap().iter().cloned());
    values
}

/// Returns a known key, a misspelt one, or one of another program.
fn key(rng: &mut Rng, keys: &[String]) -> String {
    let mut key = keys[rng.usize(..keys.len())].clone();
    match rng.u8(..10) {
        0 => drop(key.pop()),
        1 => key.push('x'),
        2 => key = "other_program".into(),
        _ => {}
    }
    key
}

/// Changes one place in the file: replaces, removes or adds a value.
fn change(rng: &mut Rng, value: &mut Value, keys: &[String], values: &[Value]) {
    let other = values[rng.usize(..values.len())].clone();
    match value {
        Value::Object(object) => change_object(rng, object, keys, values, other),
        Value::Array(items) if !items.is_empty() => match rng.u8(..8) {
            0 => drop(items.remove(rng.usize(..items.len()))),
            1 => items.push(other),
            2 => items.push(items[rng.usize(..items.len())].clone()),
            _ => {
                let at = rng.usize(..items.len());
                change(rng, &mut items[at], keys, values);
            }
        },
        _ => *value = other,
    }
}

fn change_object(rng: &mut Rng, object: &mut Map<String, Value>, keys: &[String], values: &[Value], other: Value) {
    let names: Vec<String> = object.keys().cloned().collect();
    match rng.u8(..10) {
        0..3 => drop(object.insert(key(rng, keys), other)),
        _ if names.is_empty() => {}
        3 => drop(object.shift_remove(&names[rng.usize(..names.len())])),
        4 => drop(object.insert(names[rng.usize(..names.len())].clone(), other)),
        _ => {
            let inside = object.get_mut(&names[rng.usize(..names.len())]).unwrap();
            change(rng, inside, keys, values);
        }
    }
}

/// Judges thousands of files that were valid before one to three changes.
#[test]
fn they_agree_on_files_that_nobody_has_thought_of() {
    let table = json_file(&repository("docs/schema/table.json"));
    let objects = ["column", "earlier_type", "checks", "dialect", "source"].map(|name| &table["$defs"][name]);
    let of = |schema: &Value| properties(schema).map(|(name, _)| name.to_owned()).collect::<Vec<_>>();
    let keys: Vec<String> = objects.into_iter().chain([&table]).flat_map(of).collect();
    let values = values();
    // short files only: in a file of 71 columns, most changes would hit a column
    let mut files: Vec<_> =
        good().into_iter().filter(|(_, file)| file["columns"].as_array().is_none_or(|all| all.len() < 10)).collect();
    for file in [etl_manager(), mojap()] {
        files.extend(vec![(Kind::Raw, file); 4]);
    }
    let mut rng = Rng::with_seed(14);
    let (mut taken, mut refused, mut differences) = (0, 0, Vec::new());
    for _ in 0..4_000 {
        let (kind, mut file) = files[rng.usize(..files.len())].clone();
        for _ in 0..rng.usize(1..=3) {
            change(&mut rng, &mut file, &keys, &values);
        }
        if !file.is_object() {
            continue;
        }
        match judge(kind, &file) {
            Ok(Verdict::Taken) => taken += 1,
            Ok(_) => refused += 1,
            Err(difference) => differences.push(difference),
        }
    }
    differences.sort_by_key(String::len);
    assert!(
        differences.is_empty(),
        "{} differences, the shortest:\n{}",
        differences.len(),
        differences[..differences.len().min(5)].join("\n\n")
    );
    assert!(taken > 400 && refused > 1_000, "{taken} taken, {refused} refused");
}

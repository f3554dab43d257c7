use super::*;

fn variables() -> Variables {
    Variables::new("v0.1.0", "2026-11-23", 1_700_000_000).unwrap()
}

/// Returns metadata of raw tables `a` and `b`, and of curated tables with the SQL given.
fn metadata(curated: &[(&str, Option<&str>)]) -> MetaData {
    let folder = tempfile::tempdir().unwrap();
    let write = |path: String, text: &str| {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    let table = |name: &str, format: &str| {
        format!(
            r#"{{"name": "{name}", "location": "{name}", "data_format": "{format}",
                "columns": [{{"name": "x", "type": "int", "description": ""}}]}}"#
        )
    };
    write("curated/database.json".into(), r#"{"name": "d", "bucket": "b", "base_folder": "f", "description": "d"}"#);
    for raw in ["a", "b"] {
        write(format!("raw/{raw}.json"), &table(raw, "json"));
    }
    for (name, sql) in curated {
        write(format!("curated/{name}.json"), &table(name, "parquet"));
        if let Some(sql) = sql {
            write(format!("curated/{name}.sql"), sql);
        }
    }
    MetaData::read(folder.path()).unwrap()
}

fn order(curated: &[(&str, Option<&str>)], asked: &[&str]) -> Result<Vec<String>, String> {
    let asked: Vec<String> = asked.iter().map(|name| (*name).to_owned()).collect();
    plan(&metadata(curated), &asked, &variables())
        .and_then(|plan| match plan.failed.whole() {
            Some(failure) => Err(failure),
            None => Ok(plan.order.into_iter().map(|query| query.table.name).collect()),
        })
        .map_err(|failure| failure.message)
}

#[test]
fn tables_come_after_those_they_read() {
    let tables =
        [("z", Some("SELECT x FROM a")), ("m", Some("WITH q AS (SELECT x FROM z) SELECT x FROM q, b")), ("a", None)];
    assert_eq!(order(&tables, &[]).unwrap(), ["a", "z", "m"]);
    assert_eq!(order(&tables, &["m"]).unwrap(), ["a", "z", "m"]);
    assert_eq!(order(&tables, &["z"]).unwrap(), ["a", "z"]);
}

#[test]
fn a_circle_an_unknown_table_and_what_is_no_select_are_named() {
    let circle = order(&[("p", Some("SELECT x FROM q")), ("q", Some("SELECT x FROM p"))], &[]).unwrap_err();
    assert!(circle.contains("p → q → p"), "{circle}");
    let unknown = order(&[("p", Some("SELECT x FROM aa"))], &[]).unwrap_err();
    assert!(unknown.contains("p.sql: no raw table `aa` in the metadata; did you mean `a`?"), "{unknown}");
    for (sql, part) in [
        ("DROP TABLE a", "expected one SELECT"),
        ("SELECT x FROM a; SELECT x FROM b", "expected one SELECT"),
        ("SELECT x FRM a WHERE", "p.sql"),
        ("SELECT x FROM other.a", "without database"),
        ("SELECT '${version}' FROM a", "`${version}` is unknown"),
    ] {
        let message = order(&[("p", Some(sql))], &[]).unwrap_err();
        assert!(message.contains(part), "{sql}: {message}");
    }
    assert!(order(&[("a", None)], &["b"]).unwrap_err().contains("no curated table `b`"));
}

#[test]
fn what_is_wrong_with_other_tables_does_not_matter() {
    let tables = [
        ("a", None),
        ("broken", Some("SELECT x FRM a WHERE")),
        ("reads_broken", Some("SELECT x FROM broken")),
        ("unknown", Some("SELECT x\nFROM nowhere")),
    ];
    assert_eq!(order(&tables, &["a"]).unwrap(), ["a"]);
    let message = order(&tables, &["reads_broken"]).unwrap_err();
    assert!(message.contains("broken.sql: line 1, column ") && !message.contains("nowhere"), "{message}");
    let message = order(&tables, &[]).unwrap_err();
    assert!(message.starts_with("2 problems in the SQL\n  "), "{message}");
    assert!(message.contains("broken.sql: ") && message.contains("unknown.sql: no raw table `nowhere`"), "{message}");
    let plan = plan(&metadata(&tables), &[], &variables()).unwrap();
    let order: Vec<_> = plan.order.iter().map(|query| query.table.name.as_str()).collect();
    assert_eq!(order, ["a"]);
    let told = plan.failed.told(|_| true);
    let told: Vec<_> = told.iter().map(|failed| (failed.table.as_str(), failed.error.as_str())).collect();
    let wrong = "BadMetadata";
    assert_eq!(told, [("broken", wrong), ("reads_broken", wrong), ("unknown", wrong)]);
}

#[test]
fn who_reads_a_circle_is_out_and_the_others_are_not() {
    let tables = [
        ("a", None),
        ("p", Some("SELECT x FROM q")),
        ("q", Some("SELECT x FROM r")),
        ("r", Some("SELECT x FROM p")),
        ("reads_q", Some("SELECT x FROM q")),
        ("reads_a", Some("SELECT x FROM a")),
    ];
    let plan = plan(&metadata(&tables), &[], &variables()).unwrap();
    let order: Vec<_> = plan.order.iter().map(|query| query.table.name.as_str()).collect();
    assert_eq!(order, ["a", "reads_a"]);
    let told: Vec<_> = plan.failed.told(|_| true).into_iter().map(|failed| failed.message).collect();
    assert_eq!(told[0], "curated tables read each other in a circle: p → q → r → p");
    assert_eq!(told[1..], ["r", "p", "q"].map(|read| format!("reads `{read}`, which failed")));
    // the table at fault was not requested, so its failure is reported with the table that reads it
    let told = plan.failed.told(|table| table == "reads_q");
    assert!(told[0].message.starts_with("reads `q`, which failed: curated tables read each other in a circle"));
}

#[test]
fn a_copy_of_a_table_of_any_name() {
    let metadata = metadata(&[("a", None)]);
    for name in ["2024_orders", "table", "lateral", "unnest", "select"] {
        let mut metadata = metadata.clone();
        let table = Table { name: name.into(), ..metadata.curated["a"].clone() };
        metadata.raw.insert(name.into(), Table { name: name.into(), ..metadata.raw["a"].clone() });
        metadata.curated = BTreeMap::from([(name.to_owned(), table)]);
        let plan = plan(&metadata, &[], &variables()).unwrap();
        assert_eq!(plan.order[0].reads, BTreeMap::from([(name.to_owned(), ReadTable::Raw)]), "{name}");
    }
}

#[test]
fn a_value_that_could_leave_its_literal_is_refused() {
    assert!(Variables::new("v1'; DROP TABLE a --", "2026-11-23", 0).is_err());
    let sql = variables().substitute("SELECT '${dea_version}', ${run_timestamp}").unwrap();
    assert_eq!(sql, "SELECT 'v0.1.0', 1700000000");
    // groups of regular expressions
    let sql = variables().substitute("SELECT '${1}g${12}', '${run_timestamp}' -- ${").unwrap();
    assert_eq!(sql, "SELECT '${1}g${12}', '1700000000' -- ${");
}

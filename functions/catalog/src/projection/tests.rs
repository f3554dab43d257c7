use std::collections::BTreeMap;

use contract::PartitionOutput;

use super::*;
use crate::example;

fn projected(types: &[(&str, ColumnType)], partitions: &[&[&str]]) -> BTreeMap<String, String> {
    let mut table = example::table("calculated");
    table.partition_projection = true;
    table.columns.truncate(1);
    table.partitions = types.iter().map(|(name, _)| (*name).to_owned()).collect();
    for (name, column_type) in types {
        let like = table.columns[0].clone();
        table.columns.push(Column { name: (*name).into(), column_type: column_type.clone(), ..like });
    }
    let mut output = example::manifest().tables[1].clone();
    output.location = "s3://b/t/r/".into();
    output.partitions = partitions
        .iter()
        .map(|values| PartitionOutput {
            values: values.iter().map(|value| (*value).into()).collect(),
            location: String::new(),
            rows: 1,
        })
        .collect();
    parameters(&table, &output).into_iter().collect()
}

#[test]
fn each_type_says_its_values_in_its_way() {
    let types = [("day", ColumnType::Date), ("shop", ColumnType::String), ("n", ColumnType::Int32)];
    let partitions: [&[&str]; 6] = [
        &["2026-11-23", "b", "10"],
        &["2026-11-01", "a", "9"],
        &["2026-11-23", "b", "8"],
        &["2026-11-23", "a", "9"],
        &["2026-11-01", "b", "10"],
        &["2026-11-01", "a", "8"],
    ];
    let found = projected(&types, &partitions);
    let expected = [
        ("projection.enabled", "true"),
        ("storage.location.template", "s3://b/t/r/day=${day}/shop=${shop}/n=${n}/"),
        ("projection.day.type", "date"),
        ("projection.day.format", "yyyy-MM-dd"),
        ("projection.day.range", "2026-11-01,2026-11-23"),
        ("projection.day.interval", "22"),
        ("projection.day.interval.unit", "DAYS"),
        ("projection.shop.type", "enum"),
        ("projection.shop.values", "a,b"),
        ("projection.n.type", "integer"),
        ("projection.n.range", "8,10"),
    ];
    assert_eq!(found, expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
    assert_eq!(projected(&types, &[]), BTreeMap::new());
}

/// Returns range, interval and unit of one column's projection; `None` if there is no projection.
fn computed(of: ColumnType, values: &[&str]) -> Option<[String; 3]> {
    let partitions: Vec<[&str; 1]> = values.iter().map(|value| [*value]).collect();
    let partitions: Vec<&[&str]> = partitions.iter().map(<[&str; 1]>::as_slice).collect();
    let found = projected(&[("p", of)], &partitions);
    let of = |name: &str| found.get(&format!("projection.p.{name}")).cloned().unwrap_or_default();
    (!found.is_empty()).then(|| [of("range"), of("interval"), of("interval.unit")])
}

#[test]
fn no_more_than_twice_the_partitions_are_computed() {
    let expected = |range: &str, interval: &str, unit: &str| Some([range, interval, unit].map(str::to_owned));
    use ColumnType::{Date, Int64};
    assert_eq!(computed(Int64, &["1700000000", "1795000000"]), expected("1700000000,1795000000", "95000000", ""));
    assert_eq!(computed(Int64, &["1700000000", "1700000001", "1795000000"]), None);
    assert_eq!(computed(Int64, &["-9223372036854775808", "9223372036854775807", "0"]), None);
    assert_eq!(computed(Int64, &["1", "2", "4", "6"]), expected("1,6", "", ""));
    assert_eq!(computed(Int64, &["1", "2", "10"]), None);
    assert_eq!(computed(Int64, &["20260101", "20260201", "20260301"]), expected("20260101,20260301", "100", ""));
    assert_eq!(computed(Date, &["2026-11-23"]), expected("2026-11-23,2026-11-23", "1", "DAYS"));
    assert_eq!(
        computed(Date, &["2026-11-02", "2026-11-09", "2026-11-23"]),
        expected("2026-11-02,2026-11-23", "7", "DAYS")
    );
    assert_eq!(
        computed(Date, &["2025-12-01", "2026-01-01", "2026-02-01", "2026-05-01"]),
        expected("2025-12-01,2026-05-01", "1", "MONTHS")
    );
    assert_eq!(computed(Date, &["2026-01-31", "2026-03-31", "2026-05-31"]), None);
    assert_eq!(computed(Date, &["1900-01-01", "2026-11-22", "2026-11-23"]), None);
    // each column is dense, but their combinations are not
    let types = [("day", Date), ("n", Int64)];
    let diagonal = [["2026-11-01", "1"], ["2026-11-02", "2"], ["2026-11-03", "3"]];
    let diagonal: Vec<&[&str]> = diagonal.iter().map(<[&str; 2]>::as_slice).collect();
    assert_eq!(projected(&types, &diagonal), BTreeMap::new());
}

#[test]
fn values_that_cannot_be_computed_are_registered() {
    for value in ["a/b", "a,b", "", "__HIVE_DEFAULT_PARTITION__", "Steòrnabhagh", "King's Lynn"] {
        assert_eq!(projected(&[("shop", ColumnType::String)], &[&[value]]), BTreeMap::new(), "{value}");
    }
}

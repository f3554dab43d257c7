use contract::Dialect;

use super::*;

fn inferred(values: &[&str]) -> String {
    let mut inferred = Inferred::default();
    values.iter().for_each(|value| inferred.see(value));
    inferred.column_type().map_or("none".into(), |found| found.name(Dialect::EtlManager))
}

#[test]
fn the_narrowest_type_that_reads_every_value() {
    for (values, expected) in [
        (&["1", "-2147483648"][..], "int"),
        (&["1", "2147483648"], "long"),
        (&["1", "9223372036854775808"], "decimal(19,0)"),
        (&["1", "1.5"], "double"),
        (&["1.50", "1e400"], "double"),
        (&["-0.1275", "51.5074"], "double"),
        (&["12345678901234567.89"], "decimal(19,2)"),
        (&["12345678901234567.89", "1e3"], "double"),
        (&["true", "null", "false"], "boolean"),
        (&["\"2024-02-29\"", "\"2024-03-01\""], "date"),
        (&["\"2024-02-29 10:00:00\"", "\"2024-02-29T10:00:00.5\""], "datetime"),
        (&["\"2024-02-29 10:00:00.123000\""], "datetime"),
        (&["\"2024-02-29 10:00:00.123456\"", "\"2024-02-29T10:00:00\""], "timestamp(us)"),
        (&["\"2024-02-29T10:00:00\"", "\"2024-02-29 10:00:00.1234567\""], "timestamp(ns)"),
        // one is too fine for microseconds, the other too early for nanoseconds
        (&["\"2024-02-29 10:00:00.1234567\"", "\"1600-01-01 00:00:00\""], "character"),
        (&["\"1600-01-01 00:00:00.123456\"", "\"1600-01-01 00:00:00\""], "timestamp(us)"),
        (&["\"2024-02-29\"", "\"2024-02-30\""], "character"),
        (&["\"2024-02-29\"", "\"2024-02-29 10:00:00\""], "character"),
        (&["\"012\""], "character"),
        (&["null"], "character"),
        (&["[]", "[1]", "[null,2147483648]"], "array<long>"),
        (&["{\"a\":1}", "{\"a\":null,\"b\":[{\"c\":\"x\"}]}"], "struct<a:int,b:array<struct<c:character>>>"),
        (&["1", "\"1\""], "none"),
        (&["true", "1"], "none"),
        (&["{}", "[]"], "none"),
        (&["{}"], "none"),
        (&["{\"a b\":1}"], "struct<a_b:int>"),
        (&["{\"a\":1,\"A\":1}"], "struct<a:int,a_2:int>"),
        (&["[[[[[[[[[1]]]]]]]]]"], "none"),
    ] {
        assert_eq!(inferred(values), expected, "{values:?}");
    }
}

#[test]
fn a_field_is_a_text_unless_all_of_them_look_alike() {
    for (fields, expected) in [
        (&["1", "2147483648", ""][..], "long"),
        (&["1", "1.5"], "double"),
        (&["012"], "character"),
        (&["TRUE", "false"], "boolean"),
        (&["true", "1"], "character"),
        (&["2024-02-29"], "date"),
        (&["2024-02-29 00:00:00", ""], "datetime"),
        (&["2024-02-29 00:00:00", "2024-02-29 00:00:00.000001", ""], "timestamp(us)"),
        (&["2024-02-29", "x", "2024-02-29"], "character"),
        (&["[1]"], "character"),
        (&[""], "character"),
    ] {
        let mut inferred = Inferred::default();
        fields.iter().for_each(|field| inferred.see_field(field, false));
        assert_eq!(inferred.column_type().unwrap().name(Dialect::EtlManager), expected, "{fields:?}");
        assert_eq!(inferred.saw_null(), fields.contains(&""));
    }
    let mut inferred = Inferred::default();
    inferred.see_field("", true);
    assert!(!inferred.saw_null());
}

#[test]
fn its_size_is_bounded() {
    let fields: Vec<String> = (0..10_000).map(|n| format!("\"f{n}\":{{\"g\":[{n}]}}")).collect();
    let mut inferred = Inferred::default();
    inferred.see(&format!("{{{}}}", fields.join(",")));
    assert_eq!((inferred.column_type(), &inferred.root.kind), (None, &Kind::Mixed));
    assert!(inferred.nodes <= MAXIMUM_NODES + 1, "{}", inferred.nodes);
    inferred.see("null");
    assert!(inferred.saw_null());
}

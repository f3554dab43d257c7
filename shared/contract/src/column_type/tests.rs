use super::*;
use Dialect::{EtlManager, Mojap};

fn glue(text: &str, dialect: Dialect) -> String {
    ColumnType::parse(text, dialect).map_or_else(|e| format!("error: {e}"), |t| t.glue())
}

#[test]
fn each_name_has_its_glue_type() {
    for (text, expected) in [
        ("character", "string"),
        ("int", "int"),
        ("long", "bigint"),
        ("float", "float"),
        ("double", "double"),
        ("decimal(10, 2)", "decimal(10,2)"),
        ("date", "date"),
        ("datetime", "timestamp"),
        ("timestamp(us)", "timestamp"),
        ("array<timestamp( ns )>", "array<timestamp>"),
        ("boolean", "boolean"),
        ("binary", "binary"),
        // etl_manager replaces substrings, and turns this field name into `bigintitude`
        ("struct<longitude:double,interval:int>", "struct<longitude:double,interval:int>"),
        ("array<struct<a:array<long>, b:character>>", "array<struct<a:array<bigint>,b:string>>"),
    ] {
        assert_eq!(glue(text, EtlManager), expected, "{text}");
    }
    for (text, expected) in [
        ("string", "string"),
        ("large_utf8", "string"),
        ("int8", "tinyint"),
        ("uint8", "smallint"),
        ("uint16", "int"),
        ("uint32", "bigint"),
        ("float16", "float"),
        ("decimal128(38,0)", "decimal(38,0)"),
        ("date64", "date"),
        ("timestamp(us)", "timestamp"),
        ("bool_", "boolean"),
        ("binary(16)", "binary"),
        ("large_list<struct<x:float64>>", "array<struct<x:double>>"),
        ("list_<int64>", "array<bigint>"),
    ] {
        assert_eq!(glue(text, Mojap), expected, "{text}");
    }
}

#[test]
fn a_type_s_name_reads_back_as_the_type() {
    for text in [
        "character",
        "int",
        "long",
        "float",
        "double",
        "decimal(10,2)",
        "date",
        "datetime",
        "timestamp(us)",
        "timestamp(ns)",
        "boolean",
        "binary",
        "struct<a:array<long>,b:struct<c:character>>",
    ] {
        assert_eq!(ColumnType::parse(text, EtlManager).unwrap().name(EtlManager), text);
        let parsed = ColumnType::parse(text, EtlManager).unwrap();
        assert_eq!(ColumnType::parse(&parsed.name(Mojap), Mojap).unwrap(), parsed);
    }
    for text in ["int8", "int16", "decimal128(3,1)", "timestamp(ms)", "timestamp(us)", "timestamp(ns)", "bool"] {
        assert_eq!(ColumnType::parse(text, Mojap).unwrap().name(Mojap), text);
    }
    assert_eq!(ColumnType::Int8.name(EtlManager), "int");
    // seconds are read as milliseconds, since Parquet has no seconds
    assert_eq!(ColumnType::parse("timestamp(s)", Mojap).unwrap().name(Mojap), "timestamp(ms)");
}

#[test]
fn people_see_the_glue_name_and_the_unit_of_a_fine_timestamp() {
    for (text, expected) in [
        ("datetime", "timestamp"),
        ("timestamp(us)", "timestamp(us)"),
        ("array<struct<a:timestamp(ns),b:character>>", "array<struct<a:timestamp(ns),b:string>>"),
    ] {
        assert_eq!(ColumnType::parse(text, EtlManager).unwrap().to_string(), expected);
    }
    assert!(ColumnType::parse("datetime", EtlManager).unwrap().may_partition());
    assert!(!ColumnType::parse("timestamp(us)", EtlManager).unwrap().may_partition());
}

#[test]
fn a_wrong_name_gets_the_nearest_valid_one() {
    for (text, dialect, expected) in [
        ("string", EtlManager, "unknown type `string`; did you mean `character`?"),
        ("charcter", EtlManager, "unknown type `charcter`; did you mean `character`?"),
        ("integer", Mojap, "unknown type `integer`; did you mean `int32`?"),
        ("timestamp", Mojap, "`(` was expected after `timestamp`, found the end"),
        ("timestamp", EtlManager, "unknown type `timestamp`; did you mean `datetime`?"),
        ("timestamp(ms)", EtlManager, "a timestamp to the millisecond is `datetime` here"),
        ("timestamp(m)", EtlManager, "unknown timestamp unit `m`; valid are `s`, `ms`, `us`, `ns`"),
        ("intx", EtlManager, "unknown type `intx`; did you mean `int`?"),
        ("int garbage", EtlManager, "`garbage` after the end of the type in `int garbage`"),
        ("decimal(39,2)", EtlManager, "decimal(39,2): precision is 1 to 38 and scale at most the precision"),
        ("struct<a:int,a:int>", EtlManager, "the struct has two fields named `a`"),
        ("array<int", EtlManager, "`>` was expected after `array`, found the end"),
    ] {
        assert_eq!(ColumnType::parse(text, dialect).unwrap_err(), expected, "{text}");
    }
    assert!(ColumnType::parse("uint64", Mojap).unwrap_err().contains("does not fit"));
    assert!(ColumnType::parse("time32(s)", Mojap).unwrap_err().contains("no Glue type"));
    assert!(ColumnType::parse(&"array<".repeat(10_000), EtlManager).unwrap_err().contains("nested deeper"));
}

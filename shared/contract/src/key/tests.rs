use proptest::prelude::*;

use super::*;

const BASE: &str = "open_data/postcodes_example";

fn parse(inside: &str) -> Result<LandKey, String> {
    LandKey::parse(BASE, &format!("{BASE}/{inside}")).map_err(|e| e.reason)
}

#[test]
fn the_grammar_by_example() {
    let key = parse("random_postcodes/file_land_timestamp=1665425864/random_postcodes_1665425864.jsonl.gz").unwrap();
    assert_eq!(key.table, "random_postcodes");
    assert_eq!(key.file_land_timestamp, Some(1_665_425_864));
    assert_eq!((key.format, key.compression), (FileFormat::JsonLines, Compression::Gzip));
    assert_eq!(key.check_name(), Ok(()));

    let loose = parse("t/t_0_5.csv").unwrap();
    assert_eq!(loose.filed(77).format(BASE), format!("{BASE}/t/file_land_timestamp=77/t_0_5.csv"));
    assert_eq!(loose.check_name(), Ok(()));
}

#[test]
fn what_is_not_a_key_says_why() {
    for (inside, reason) in [
        ("t/../t_1.csv", "segment"),
        ("t//t_1.csv", "segment"),
        ("T/t_1.csv", "not a table name"),
        ("t/file_land_timestamp=2018-01-01T00:00:00/t_1.csv", "Unix seconds"),
        ("t/file_land_timestamp=1534978800000/t_1.csv", "Unix seconds"),
        ("t/file_land_timestamp=007/t_1.csv", "Unix seconds"),
        ("t/year=2018/t_1.csv", "expected a folder"),
        ("t/file_land_timestamp=1/t_1.xls", "extensions .jsonl, .ndjson, .json, .csv, "),
        ("t/file_land_timestamp=1/t_1.cvs", "extensions"),
        ("t/file_land_timestamp=1/t_1.parquet.gz", "extensions"),
        ("t/file_land_timestamp=1/.jsonl", "extensions"),
        ("t/a/b/c.csv", "expected `"),
        ("t/file_land_timestamp=1/t\n_1.csv", "control character"),
    ] {
        let found = parse(inside).unwrap_err();
        assert!(found.contains(reason), "{inside}: {found}");
    }
    assert!(LandKey::parse(BASE, "open_data/postcodes_example_old/t/t_1.csv").is_err());
    assert!(parse("t/file_land_timestamp=1/t_2.csv").unwrap().check_name().unwrap_err().contains("must agree"));
    assert!(parse("t/file_land_timestamp=1/data_1.csv").unwrap().check_name().is_err());
    assert!(parse("t/file_land_timestamp=1/t_x_1.csv").unwrap().check_name().is_err());
    for other in ["t/t_0_1.csv", "t/file_land_timestamp=1/t_0_2.csv", "t/file_land_timestamp=1/t_00_1.csv"] {
        assert_eq!(parse(other).unwrap().chunk(), None, "{other}");
    }
    assert_eq!(parse("t/t_3_1.csv").unwrap().named(), Some((Some(3), 1)));
    assert_eq!(parse("t/export.csv").unwrap().named(), None);
}

#[test]
fn extensions_by_example() {
    use {Compression as C, FileFormat as F};
    for (name, expected) in [
        ("t_1.CSV", (F::Csv, C::None)),
        ("t_1.Csv.GZ", (F::Csv, C::Gzip)),
        ("t_1.tsv.zst", (F::Tsv, C::Zstd)),
        ("t_1.json.bz2", (F::Json, C::Bzip2)),
        ("t_1.ndjson", (F::JsonLines, C::None)),
        ("t_1.zip", (F::Described, C::Zip)),
        ("t_1.2024.zip", (F::Described, C::Zip)),
        ("t_1.gz", (F::Described, C::Gzip)),
        ("t_1.txt", (F::Described, C::None)),
        ("stream-1-2024-01-01-00-00-00-abc", (F::Described, C::None)),
        ("part-00000-0a1b.c000.snappy.parquet", (F::Parquet, C::None)),
        ("t_1.xlsx", (F::Excel, C::None)),
    ] {
        assert_eq!(extension(name), Some(expected), "{name}");
    }
    for name in [".csv", ".gz", ".csv.gz", "t_1.xlsx.gz", "t_1.pdf", "t_1.csv.rar", "t.", ""] {
        assert_eq!(extension(name), None, "{name}");
    }
}

#[test]
fn what_programs_leave_beside_data_is_told_from_it() {
    for key in [
        "b/t/_SUCCESS",
        "b/t/.part-00000-a.snappy.parquet.crc",
        "b/t/_committed_123",
        "b/t_$folder$",
        "b/t/",
        "b/t/_temporary/0/part-0.parquet",
        "b/t/.DS_Store",
        "b/t/._t_1.csv",
        "b/t/~$t_1.xlsx",
        "b/t/t_1.csv.filepart",
    ] {
        assert!(is_no_data(key).is_some(), "{key}");
    }
    for key in ["b/t/t_1.csv", "b/t/_t_1.csv", "b/t/t.crc", "b/t/_SUCCESS.csv", "b/t/.part", "b/_SUCCESS/t_1.csv"] {
        assert_eq!(is_no_data(key), None, "{key}");
    }
}

#[test]
fn names_are_made_for_columns_that_are_called_otherwise() {
    for (name, expected) in [
        ("First Name", "first_name"),
        (" Amount (£) ", "amount"),
        ("ISO3166-1-Alpha-3", "iso3166_1_alpha_3"),
        ("c_customer_sk:", "c_customer_sk"),
        ("primaryLanguage.id", "primarylanguage_id"),
        ("", "column"),
        ("Größe", "gr_e"),
        ("id", "id_2"),
    ] {
        assert_eq!(described_name(name, |name| name == "id"), expected, "{name}");
    }
}

#[test]
fn keys_stay_within_s3_s_limit() {
    assert_eq!(with_suffix("a/b", ".json"), "a/b.json");
    let long = "é".repeat(512);
    let (one, other) = (with_suffix(&long, ".report.json"), with_suffix(&format!("{}e", &long[2..]), ".report.json"));
    assert!(one.len() <= MAXIMUM_KEY && one.ends_with(".report.json") && one != other, "{one}");
}

#[test]
fn event_keys_are_form_encoded() {
    assert_eq!(decode_event_key("a/file_land_timestamp%3D1/b+c%2B.gz").unwrap(), "a/file_land_timestamp=1/b c+.gz");
    assert!(decode_event_key("a%3").is_err());
    assert!(decode_event_key("a%ff").is_err());
}

proptest! {
    #[test]
    fn format_then_parse_is_the_same(
        table in "[a-z][a-z0-9_]{0,20}",
        seconds in 0u64..=MAX_TIMESTAMP,
        chunk in proptest::option::of(0u32..5_000),
        extension in proptest::sample::select(vec!["jsonl", "jsonl.gz", "csv", "CSV.zip", "parquet", "xlsx", "gz"]),
        base in proptest::sample::select(vec!["", "a", "a/b/c"]),
    ) {
        let key = DataKey::new(&table, seconds, chunk, extension);
        let parsed = LandKey::parse(base, &key.format(base)).unwrap();
        prop_assert_eq!(parsed.check_name(), Ok(()));
        prop_assert_eq!((parsed.chunk(), parsed.named()), (chunk, Some((chunk, seconds))));
        prop_assert_eq!(parsed.filed(1), key);
    }

    #[test]
    fn any_key_is_parsed_or_refused_without_a_panic(key in "\\PC{0,60}") {
        if let Ok(parsed) = LandKey::parse(BASE, &format!("{BASE}/{key}"))
            && parsed.file_land_timestamp.is_some()
        {
            prop_assert_eq!(parsed.filed(0).format(BASE), format!("{BASE}/{key}"));
        }
        let _ = decode_event_key(&key);
    }
}

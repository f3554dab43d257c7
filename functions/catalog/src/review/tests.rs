use contract::TimestampUnit;

use super::*;
use crate::example;

fn column(name: &str, column_type: ColumnType) -> Column {
    Column { name: name.into(), column_type, ..example::table("calculated").columns[0].clone() }
}

fn partition(values: &[&str], rows: u64) -> PartitionState {
    let values = values.iter().map(|&value| value.to_owned()).collect();
    PartitionState { values, location: "s3://curated/p/".into(), rows: Some(rows), written_by: None }
}

/// Returns Athena's answer: a row for each partition, or for the table.
fn answer(rows: &[&[Option<&str>]]) -> Vec<Vec<Option<String>>> {
    rows.iter().map(|row| row.iter().map(|value| value.map(str::to_owned)).collect()).collect()
}

#[test]
fn a_table_is_counted_whole_and_read() {
    let publication = example::publication("random_postcodes");
    assert_eq!(sql(&publication), r#"SELECT COUNT(*) FROM "example_postcodes_db"."random_postcodes""#);
    let read = r#"SELECT * FROM "example_postcodes_db"."random_postcodes" LIMIT 10"#;
    assert_eq!(sample(&publication), read);
    let found = counts(&publication, answer(&[&[Some("10")]])).unwrap();
    assert_eq!((found.table, disagreement(&publication, &found)), (10, None));
    for wrong in [&[Some("ten")][..], &[None], &[], &[Some("a"), Some("10")]] {
        assert!(counts(&publication, answer(&[wrong])).is_err(), "{wrong:?}");
    }
}

#[test]
fn every_type_of_partition_is_known_again() {
    let mut publication = example::publication("calculated");
    publication.partition_columns = [
        ColumnType::Date,
        ColumnType::String,
        ColumnType::Timestamp(TimestampUnit::Millisecond),
        ColumnType::Float64,
        ColumnType::Decimal { precision: 10, scale: 2 },
        ColumnType::Boolean,
        ColumnType::Int32,
    ]
    .into_iter()
    .enumerate()
    .map(|(n, column_type)| column(&format!("c{n}"), column_type))
    .collect();
    assert!(sql(&publication).starts_with(r#"SELECT "c0", "c1", "c2", "c3", "c4", "c5", "c6", COUNT(*) FROM "#));
    assert!(sql(&publication).ends_with(r#" GROUP BY "c0", "c1", "c2", "c3", "c4", "c5", "c6""#));
    publication.wanted.partitions = vec![
        partition(&["2026-11-23", "King's Lynn", "2026-11-23 01:02:03", "0.5", "1.5", "true", "07"], 3),
        partition(&[NULL_PARTITION, "00", "2026-11-23 01:02:03.5", "100000000", "20", "false", "-8"], 4),
    ];
    publication.wanted.rows = Some(7);
    let rows = answer(&[
        &[
            None,
            Some("00"),
            Some("2026-11-23 01:02:03.500"),
            Some("1.0E8"),
            Some("20.00"),
            Some("false"),
            Some("-8"),
            Some("4"),
        ],
        &[
            Some("2026-11-23"),
            Some("King's Lynn"),
            Some("2026-11-23 01:02:03.000"),
            Some("5.0E-1"),
            Some("1.50"),
            Some("true"),
            Some("7"),
            Some("3"),
        ],
    ]);
    let found = counts(&publication, rows).unwrap();
    assert_eq!((found.table, disagreement(&publication, &found)), (7, None));
}

#[test]
fn a_partition_that_is_hidden_is_not_named() {
    let mut publication = example::publication("calculated");
    publication.wanted.partitions = vec![partition(&["ada@example.org"], 3)];
    let none = Counts::default();
    let told = disagreement(&publication, &none).unwrap();
    assert!(told.contains("rows in partition [\"ada@example.org\"]"), "{told}");
    publication.hides_partitions = true;
    let told = disagreement(&publication, &none).unwrap();
    assert!(told.contains("answers 0 rows in partition (hidden: ") && !told.contains("ada"), "{told}");
}

#[test]
fn the_sample_is_of_what_is_new() {
    let mut publication = example::publication("calculated");
    let new = publication.wanted.partitions[0].clone();
    publication.wanted.partitions = vec![partition(&["2026-11-22"], 3), new];
    assert!(sample(&publication).ends_with("WHERE \"dea_snapshot_date\" = DATE '2026-11-23' LIMIT 10"));
    publication.wanted.partitions.pop();
    assert!(sample(&publication).ends_with("WHERE \"dea_snapshot_date\" = DATE '2026-11-22' LIMIT 10"));
}

#[test]
fn each_type_has_its_literal() {
    for (column_type, value, expected) in [
        (ColumnType::String, "it's", "'it''s'"),
        (ColumnType::Int32, "7", "CAST('7' AS integer)"),
        (ColumnType::Int64, "7", "CAST('7' AS bigint)"),
        (ColumnType::Int8, "7", "CAST('7' AS tinyint)"),
        (ColumnType::Float32, "0.5", "CAST('0.5' AS real)"),
        (ColumnType::Decimal { precision: 10, scale: 2 }, "1.50", "CAST('1.50' AS decimal(10,2))"),
        (ColumnType::Date, "2026-11-23", "DATE '2026-11-23'"),
        (ColumnType::Timestamp(TimestampUnit::Millisecond), "2026-11-23 01:02:03", "TIMESTAMP '2026-11-23 01:02:03'"),
        (ColumnType::Boolean, "true", "CAST('true' AS boolean)"),
    ] {
        assert_eq!(literal(&column_type, value), expected);
    }
    assert_eq!(identifier("a\"b"), "\"a\"\"b\"");
}

fn counted(publication: &Publication, days: &[(&str, &str)]) -> Option<String> {
    let rows: Vec<Vec<Option<&str>>> = days.iter().map(|(day, rows)| vec![Some(*day), Some(*rows)]).collect();
    let rows: Vec<&[Option<&str>]> = rows.iter().map(Vec::as_slice).collect();
    disagreement(publication, &counts(publication, answer(&rows)).unwrap())
}

#[test]
fn a_disagreement_names_both_numbers() {
    let publication = example::publication("random_postcodes");
    let found = counts(&publication, answer(&[&[Some("9")]])).unwrap();
    let problem = disagreement(&publication, &found).unwrap();
    assert!(problem.contains("answers 9 rows, the manifest of run 20261123T034500123Z-aaaa says 10"), "{problem}");
}

#[test]
fn partitions_must_agree_each_for_itself() {
    let mut publication = example::publication("calculated");
    publication.wanted.partitions = vec![partition(&["2026-11-22"], 3), partition(&["2026-11-23"], 4)];
    let others = ("2026-01-01", "92");
    // the row count of a partition of earlier versions may be unknown
    publication.wanted.rows = None;
    assert_eq!(counted(&publication, &[("2026-11-22", "3"), ("2026-11-23", "4"), others]), None);
    let problem = counted(&publication, &[("2026-11-22", "3"), ("2026-11-23", "5"), others]).unwrap();
    assert!(problem.contains("answers 5 rows in partition [\"2026-11-23\"]"), "{problem}");
    assert!(problem.contains("says 4"), "{problem}");
    // as many rows in total, but in the wrong partitions
    publication.wanted.rows = Some(7);
    let problem = counted(&publication, &[("2026-11-22", "3"), ("2026-11-23", "4"), others]).unwrap();
    assert!(problem.contains("answers 99 rows") && problem.contains("says 7"), "{problem}");
    assert_eq!(counted(&publication, &[("2026-11-22", "3"), ("2026-11-23", "4")]), None);
    let problem = counted(&publication, &[("2026-11-22", "4"), ("2026-11-23", "3")]).unwrap();
    assert!(problem.contains("answers 4 rows in partition [\"2026-11-22\"]"), "{problem}");
    let problem = counted(&publication, &[("2026-11-22", "7")]).unwrap();
    assert!(problem.contains("answers 7 rows in partition [\"2026-11-22\"]"), "{problem}");
    publication.wanted.partitions[0].rows = None;
    assert_eq!(counted(&publication, &[("2026-11-22", "3"), ("2026-11-23", "4")]), None);
}

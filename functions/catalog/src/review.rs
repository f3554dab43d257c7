//! Review: what Athena answers to `SELECT COUNT(*)`, of a table and of each of its partitions, must be what the
//! manifest says, and a few rows are read with every column. It is asked the way an analyst would ask, so it also finds
//! files and partitions that Athena cannot read.

use std::collections::HashMap;

use contract::{Column, ColumnType, Failure};
use tokio::time::Instant;

use crate::athena::Athena;
use crate::decision::PartitionState;
use crate::publication::{HIDDEN, Publication};

/// How Hive, and with it Glue, writes a partition value that is null.
const NULL_PARTITION: &str = "__HIVE_DEFAULT_PARTITION__";
/// Rows that are read with every column.
const SAMPLE_ROWS: u64 = 10;

/// Counts a published table through Athena, compares it with what was decided, and reads a few rows. Gives the rows of
/// the whole table.
pub async fn review(athena: &Athena, publication: &Publication, deadline: Instant) -> Result<u64, Failure> {
    let reviewed = async {
        let counts = count(athena, publication, deadline).await?;
        if let Some(problem) = disagreement(publication, &counts) {
            return Err(Failure::bad_data(problem));
        }
        athena.run(&publication.database, &sample(publication), deadline).await?;
        Ok(counts.table)
    };
    let name = publication.name();
    reviewed.await.map_err(|problem: Failure| problem.context(format!("the review of table `{name}`")))
}

/// The values of a partition, each as [`canonical`] has it.
type Values = Vec<Option<String>>;

/// What Athena counted.
#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    table: u64,
    /// Of each partition that has rows.
    partitions: HashMap<Values, u64>,
}

async fn count(athena: &Athena, publication: &Publication, deadline: Instant) -> Result<Counts, Failure> {
    let sql = sql(publication);
    let rows = athena.rows(&publication.database, &sql, deadline).await?;
    counts(publication, rows).map_err(|row| Failure::internal(format!("`{sql}` answers {row:?}, expected a count")))
}

/// Reads the answer to [`sql`]; fails with the first row that is none.
fn counts(publication: &Publication, rows: Vec<Vec<Option<String>>>) -> Result<Counts, Vec<Option<String>>> {
    let mut counts = Counts::default();
    for row in rows {
        let number = row.last().and_then(|last| last.as_deref()?.parse::<u64>().ok());
        let (Some(number), Some((_, values))) = (number, row.split_last()) else { return Err(row) };
        if values.len() != publication.partition_columns.len() {
            return Err(row);
        }
        counts.table += number;
        let columns = publication.partition_columns.iter();
        let values = columns.zip(values).map(|(column, value)| Some(canonical(&column.column_type, value.as_deref()?)));
        counts.partitions.insert(values.collect(), number);
    }
    Ok(counts)
}

/// A value of a partition in one spelling: Athena prints `1.0E0` and `00:00:00.000` where the partition says `1` and
/// `00:00:00`.
fn canonical(column_type: &ColumnType, text: &str) -> String {
    match column_type {
        ColumnType::Float32 | ColumnType::Float64 => {
            text.parse::<f64>().map_or_else(|_| text.to_owned(), |number| number.to_string())
        }
        ColumnType::Int8 | ColumnType::Int16 | ColumnType::Int32 | ColumnType::Int64 => {
            text.parse::<i64>().map_or_else(|_| text.to_owned(), |number| number.to_string())
        }
        ColumnType::Timestamp(_) | ColumnType::Decimal { .. } if text.contains('.') => {
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        }
        _ => text.to_owned(),
    }
}

/// The values of a partition as Glue holds them.
fn values(publication: &Publication, partition: &PartitionState) -> Values {
    let columns = publication.partition_columns.iter().zip(&partition.values);
    let value =
        |(column, value): (&Column, &String)| (value != NULL_PARTITION).then(|| canonical(&column.column_type, value));
    columns.map(value).collect()
}

/// Where the counts are not the manifest's, in words.
fn disagreement(publication: &Publication, counts: &Counts) -> Option<String> {
    let (run, wanted) = (&publication.run, &publication.wanted);
    if wanted.rows.is_some_and(|rows| rows != counts.table) && !publication.is_partitioned() {
        return Some(whole(publication, counts.table));
    }
    // of a partition that an earlier run has written the rows may be unknown
    let differs = wanted.partitions.iter().find_map(|held| {
        let counted = counts.partitions.get(&values(publication, held)).copied().unwrap_or_default();
        held.rows.filter(|expected| *expected != counted).map(|expected| (held, counted, expected))
    });
    let Some((partition, counted, expected)) = differs else {
        // rows in partitions that nobody has decided about
        let differs = wanted.rows.is_some_and(|rows| rows != counts.table);
        return differs.then(|| whole(publication, counts.table));
    };
    let (name, place) = match publication.hides_partitions {
        true => (HIDDEN.to_owned(), &wanted.location),
        false => (format!("{:?}", partition.values), &partition.location),
    };
    Some(format!(
        "SELECT COUNT(*) answers {counted} rows in partition {name}, the manifest of run {run} says {expected} ({place})"
    ))
}

fn whole(publication: &Publication, counted: u64) -> String {
    let (run, wanted) = (&publication.run, &publication.wanted);
    format!(
        "SELECT COUNT(*) answers {counted} rows, the manifest of run {run} says {} ({})",
        wanted.rows.unwrap_or_default(),
        wanted.location
    )
}

/// Reads every column of a few rows: of a partition that is new, if there is one.
fn sample(publication: &Publication) -> String {
    let run = &publication.wanted.location;
    let partitions = &publication.wanted.partitions;
    let new = partitions.iter().find(|partition| partition.location.starts_with(run.as_str()));
    let condition = new.or(partitions.first()).map(|partition| partition_condition(publication, partition));
    let condition = condition.map(|condition| format!(" WHERE {condition}")).unwrap_or_default();
    format!("SELECT * FROM {}{condition} LIMIT {SAMPLE_ROWS}", table(publication))
}

/// The rows of each partition; of a table without, all of them. One query, as Athena reads no more for it than for the
/// count of the whole table.
fn sql(publication: &Publication) -> String {
    let columns: Vec<String> = publication.partition_columns.iter().map(|column| identifier(&column.name)).collect();
    if columns.is_empty() {
        return format!("SELECT COUNT(*) FROM {}", table(publication));
    }
    let columns = columns.join(", ");
    format!("SELECT {columns}, COUNT(*) FROM {} GROUP BY {columns}", table(publication))
}

fn table(publication: &Publication) -> String {
    format!("{}.{}", identifier(&publication.database), identifier(&publication.wanted.table))
}

fn partition_condition(publication: &Publication, partition: &PartitionState) -> String {
    let columns = publication.partition_columns.iter().zip(&partition.values);
    columns.map(|(column, value)| condition(column, value)).collect::<Vec<_>>().join(" AND ")
}

fn condition(column: &Column, value: &str) -> String {
    let name = identifier(&column.name);
    if value == NULL_PARTITION {
        return format!("{name} IS NULL");
    }
    format!("{name} = {}", literal(&column.column_type, value))
}

/// A name in Athena's SELECT statements.
fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A partition's value in Athena's SELECT statements, of the column's type: Athena compares nothing to a text but
/// texts.
fn literal(column_type: &ColumnType, value: &str) -> String {
    let text = format!("'{}'", value.replace('\'', "''"));
    let cast = |name: &str| format!("CAST({text} AS {name})");
    match column_type {
        ColumnType::String => text,
        ColumnType::Date => format!("DATE {text}"),
        ColumnType::Timestamp(_) => format!("TIMESTAMP {text}"),
        ColumnType::Int32 => cast("integer"),
        ColumnType::Float32 => cast("real"),
        // the metadata allows no partition by a binary or nested column
        ColumnType::Int8
        | ColumnType::Int16
        | ColumnType::Int64
        | ColumnType::Float64
        | ColumnType::Decimal { .. }
        | ColumnType::Boolean
        | ColumnType::Binary
        | ColumnType::Struct(_)
        | ColumnType::List(_) => cast(&column_type.glue()),
    }
}

#[cfg(test)]
mod tests {
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

    /// Athena's answer: a row for each partition, or for the table.
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
            (
                ColumnType::Timestamp(TimestampUnit::Millisecond),
                "2026-11-23 01:02:03",
                "TIMESTAMP '2026-11-23 01:02:03'",
            ),
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
        // of a partition of earlier versions the rows may be unknown
        publication.wanted.rows = None;
        assert_eq!(counted(&publication, &[("2026-11-22", "3"), ("2026-11-23", "4"), others]), None);
        let problem = counted(&publication, &[("2026-11-22", "3"), ("2026-11-23", "5"), others]).unwrap();
        assert!(problem.contains("answers 5 rows in partition [\"2026-11-23\"]"), "{problem}");
        assert!(problem.contains("says 4"), "{problem}");
        // as many rows in all, but not where they belong
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
}

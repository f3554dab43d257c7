//! Review: what Athena answers to `SELECT COUNT(*)`, of a table and of each of its partitions, must be what the manifest
//! says, and a few rows are read with every column. It is asked the way an analyst would ask, so it also finds files and
//! partitions that Athena cannot read.

use aws_sdk_glue::Client;
use contract::{Column, ColumnType, Failure, Replaces};
use tokio::time::Instant;

use crate::athena::Athena;
use crate::journal::PartitionState;
use crate::publication::{Publication, location_of};
use crate::{partitions, sync};

/// How Hive, and with it Glue, writes a partition value that is null.
const NULL_PARTITION: &str = "__HIVE_DEFAULT_PARTITION__";
/// Partitions that one query counts: far below Athena's limit on a query's length.
const PARTITIONS_PER_QUERY: usize = 200;
/// Rows that are read with every column.
const SAMPLE_ROWS: u64 = 10;

/// What the review of a table found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// The counts agree; so many rows in the whole table.
    Agrees(u64),
    /// Another run, at this location, was published: there is nothing left of this one to count.
    Superseded(String),
}

/// Counts a published table through Athena, compares it with the manifest, and reads a few rows.
pub async fn review(
    glue: &Client,
    athena: &Athena,
    publication: &Publication,
    deadline: Instant,
) -> Result<Finding, Failure> {
    if publication.is_left_alone() {
        return superseded(glue, publication).await;
    }
    let problem = match count(athena, publication, deadline).await {
        Ok(counts) => match disagreement(publication, &counts) {
            None => match athena.run(&publication.database, &sample(publication), deadline).await {
                Ok(_) => return Ok(Finding::Agrees(counts.table)),
                Err(failure) => failure,
            },
            Some(problem) => Failure::bad_data(problem),
        },
        Err(failure) => failure,
    };
    match is_still_published(glue, publication).await {
        Ok(false) => superseded(glue, publication).await,
        _ => Err(problem.context(format!("the review of table `{}`", publication.name()))),
    }
}

async fn superseded(glue: &Client, publication: &Publication) -> Result<Finding, Failure> {
    let table = sync::get_table(glue, publication).await?;
    Ok(Finding::Superseded(table.as_ref().map(location_of).unwrap_or_default().into()))
}

/// Another run may have been published over this one between its publication and the count.
async fn is_still_published(glue: &Client, publication: &Publication) -> Result<bool, Failure> {
    match publication.replaces {
        Replaces::Table => {
            let table = sync::get_table(glue, publication).await?;
            Ok(!table.is_some_and(|table| publication.is_replaced(&table)))
        }
        Replaces::Partitions => partitions::are_held(glue, publication).await,
    }
}

/// What Athena counted.
#[derive(Debug, PartialEq, Eq)]
struct Counts {
    table: u64,
    /// Of each partition of [`to_count`].
    partitions: Vec<u64>,
}

/// The partitions whose rows are known.
fn to_count(publication: &Publication) -> Vec<&PartitionState> {
    publication.held.iter().filter(|partition| partition.rows.is_some()).collect()
}

async fn count(athena: &Athena, publication: &Publication, deadline: Instant) -> Result<Counts, Failure> {
    let to_count = to_count(publication);
    let mut counts = Counts { table: 0, partitions: Vec::with_capacity(to_count.len()) };
    let batches = to_count.chunks(PARTITIONS_PER_QUERY).collect::<Vec<_>>();
    for (n, batch) in [&[][..]].into_iter().filter(|_| batches.is_empty()).chain(batches.iter().copied()).enumerate() {
        let sql = sql(publication, batch, n == 0);
        let mut numbers = athena.numbers(&publication.database, &sql, deadline).await?;
        let expected = batch.len() + usize::from(n == 0);
        if numbers.len() != expected {
            let message = format!("`{sql}` answers {} numbers, expected {expected}", numbers.len());
            return Err(Failure::internal(message));
        }
        counts.partitions.extend(numbers.drain(..batch.len()));
        counts.table = numbers.pop().unwrap_or(counts.table);
    }
    Ok(counts)
}

/// Where the counts are not the manifest's, in words.
fn disagreement(publication: &Publication, counts: &Counts) -> Option<String> {
    let (run, wanted) = (&publication.run, &publication.wanted);
    if publication.replaces == Replaces::Table && counts.table != wanted.rows {
        return Some(format!(
            "SELECT COUNT(*) answers {} rows, the manifest of run {run} says {} ({})",
            counts.table, wanted.rows, wanted.location
        ));
    }
    let counted = to_count(publication).into_iter().zip(&counts.partitions);
    let (partition, counted, expected) = counted
        .filter_map(|(partition, counted)| Some((partition, *counted, partition.rows?)))
        .find(|(_, counted, expected)| counted != expected)?;
    Some(format!(
        "SELECT COUNT(*) answers {counted} rows in partition {:?}, the manifest of run {run} says {expected} ({})",
        partition.values, partition.location
    ))
}

/// Reads every column of a few rows: of a partition that is new, if there is one.
fn sample(publication: &Publication) -> String {
    let run = &publication.wanted.location;
    let new = publication.held.iter().find(|partition| partition.location.starts_with(run.as_str()));
    let condition = new.or(publication.held.first()).map(|partition| partition_condition(publication, partition));
    let condition = condition.map(|condition| format!(" WHERE {condition}")).unwrap_or_default();
    format!("SELECT * FROM {}{condition} LIMIT {SAMPLE_ROWS}", table(publication))
}

/// One row: the rows of each of the partitions and then, if they are asked for, those of the whole table.
fn sql(publication: &Publication, partitions: &[&PartitionState], whole: bool) -> String {
    let conditions: Vec<String> =
        partitions.iter().map(|partition| partition_condition(publication, partition)).collect();
    let mut select: Vec<String> =
        conditions.iter().map(|condition| format!("COUNT(*) FILTER (WHERE {condition})")).collect();
    let mut from = table(publication);
    if whole {
        select.push("COUNT(*)".into());
    } else {
        // the others need not be looked at again
        let any: Vec<String> = conditions.iter().map(|condition| format!("({condition})")).collect();
        from = format!("{from} WHERE {}", any.join(" OR "));
    }
    format!("SELECT {} FROM {from}", select.join(", "))
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

/// A partition's value in Athena's SELECT statements, of the column's type: Athena compares nothing to a text but texts.
fn literal(column_type: &ColumnType, value: &str) -> String {
    let text = format!("'{}'", value.replace('\'', "''"));
    let cast = |name: &str| format!("CAST({text} AS {name})");
    match column_type {
        ColumnType::String => text,
        ColumnType::Date => format!("DATE {text}"),
        ColumnType::Timestamp => format!("TIMESTAMP {text}"),
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
    use super::*;
    use crate::example;

    fn column(name: &str, column_type: ColumnType) -> Column {
        Column { name: name.into(), column_type, ..example::table("calculated").columns[0].clone() }
    }

    fn partition(values: &[&str], rows: u64) -> PartitionState {
        let values = values.iter().map(|&value| value.to_owned()).collect();
        PartitionState { values, location: "s3://curated/p/".into(), rows: Some(rows) }
    }

    fn counts(table: u64, partitions: &[u64]) -> Counts {
        Counts { table, partitions: partitions.into() }
    }

    #[test]
    fn a_table_is_counted_whole_and_read() {
        let publication = example::publication("random_postcodes");
        assert_eq!(sql(&publication, &[], true), r#"SELECT COUNT(*) FROM "example_postcodes_db"."random_postcodes""#);
        let read = r#"SELECT * FROM "example_postcodes_db"."random_postcodes" LIMIT 10"#;
        assert_eq!(sample(&publication), read);
    }

    #[test]
    fn partitions_are_counted_by_values_of_their_type() {
        let mut publication = example::publication("calculated");
        publication.database = "db".into();
        publication.wanted.table = "t".into();
        publication.partition_columns = vec![column("day", ColumnType::Date), column("region", ColumnType::String)];
        let partitions = [partition(&["2026-11-23", "King's Lynn"], 1), partition(&[NULL_PARTITION, "a\"b"], 1)];
        let partitions: Vec<&PartitionState> = partitions.iter().collect();
        let counted = "COUNT(*) FILTER (WHERE \"day\" = DATE '2026-11-23' AND \"region\" = 'King''s Lynn'), \
                       COUNT(*) FILTER (WHERE \"day\" IS NULL AND \"region\" = 'a\"b')";
        assert_eq!(sql(&publication, &partitions, true), format!("SELECT {counted}, COUNT(*) FROM \"db\".\"t\""));
        assert_eq!(
            sql(&publication, &partitions, false),
            format!(
                "SELECT {counted} FROM \"db\".\"t\" WHERE (\"day\" = DATE '2026-11-23' AND \"region\" = 'King''s Lynn') \
                 OR (\"day\" IS NULL AND \"region\" = 'a\"b')"
            )
        );
    }

    #[test]
    fn the_sample_is_of_what_is_new() {
        let mut publication = example::publication("calculated");
        let new = publication.wanted.partitions[0].clone();
        publication.held = vec![partition(&["2026-11-22"], 3), new];
        assert!(sample(&publication).ends_with("WHERE \"dea_snapshot_date\" = DATE '2026-11-23' LIMIT 10"));
        publication.held.pop();
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
            (ColumnType::Timestamp, "2026-11-23 01:02:03", "TIMESTAMP '2026-11-23 01:02:03'"),
            (ColumnType::Boolean, "true", "CAST('true' AS boolean)"),
        ] {
            assert_eq!(literal(&column_type, value), expected);
        }
        assert_eq!(identifier("a\"b"), "\"a\"\"b\"");
    }

    #[test]
    fn a_disagreement_names_both_numbers() {
        let publication = example::publication("random_postcodes");
        assert_eq!(disagreement(&publication, &counts(10, &[])), None);
        let problem = disagreement(&publication, &counts(9, &[])).unwrap();
        assert!(problem.contains("answers 9 rows, the manifest of run 20261123T034500123Z-aaaa says 10"), "{problem}");
    }

    #[test]
    fn partitions_must_agree_each_for_itself() {
        let mut publication = example::publication("calculated");
        publication.held = vec![partition(&["2026-11-22"], 3), partition(&["2026-11-23"], 4)];
        assert_eq!(disagreement(&publication, &counts(99, &[3, 4])), None, "the others are not this run's");
        let problem = disagreement(&publication, &counts(99, &[3, 5])).unwrap();
        assert!(problem.contains("answers 5 rows in partition [\"2026-11-23\"]"), "{problem}");
        assert!(problem.contains("says 4"), "{problem}");
        // as many rows in all, but not where they belong
        publication.replaces = Replaces::Table;
        publication.wanted.rows = 7;
        assert_eq!(disagreement(&publication, &counts(7, &[3, 4])), None);
        let problem = disagreement(&publication, &counts(7, &[4, 3])).unwrap();
        assert!(problem.contains("partition [\"2026-11-22\"]"), "{problem}");
        // of a partition that an earlier run has written the rows may be unknown
        publication.held[0].rows = None;
        assert_eq!(disagreement(&publication, &counts(7, &[4])), None);
    }
}

//! Review: what Athena answers to `SELECT COUNT(*)` must be what the manifest says. It is asked the way an analyst would
//! ask, so it also finds files and partitions that Athena cannot read.

use aws_sdk_glue::Client;
use contract::{Column, ColumnType, Failure, PartitionOutput, Replaces};
use tokio::time::Instant;

use crate::athena::Athena;
use crate::publication::{Publication, location_of};
use crate::{partitions, sync};

/// How Hive, and with it Glue, writes a partition value that is null.
const NULL_PARTITION: &str = "__HIVE_DEFAULT_PARTITION__";
/// Partitions that one query counts: far below Athena's limit on a query's length.
const PARTITIONS_PER_QUERY: usize = 200;

/// What the review of a table found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// The counts agree; so many rows in the whole table.
    Agrees(u64),
    /// A newer run, at this location, was published: there is nothing left of this one to count.
    Superseded(String),
}

/// Counts a published table through Athena and compares it with the manifest.
pub async fn review(
    glue: &Client,
    athena: &Athena,
    publication: &Publication,
    deadline: Instant,
) -> Result<Finding, Failure> {
    if publication.is_superseded() {
        return superseded(glue, publication).await;
    }
    let problem = match count(athena, publication, deadline).await {
        Ok(counts) => match disagreement(publication, &counts) {
            None => return Ok(Finding::Agrees(counts.table)),
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
    match publication.output.replaces {
        Replaces::Table => {
            let table = sync::get_table(glue, publication).await?;
            Ok(!table.is_some_and(|table| publication.is_older_than(&table)))
        }
        Replaces::Partitions => partitions::are_held(glue, publication).await,
    }
}

/// What Athena counted.
#[derive(Debug, PartialEq, Eq)]
struct Counts {
    table: u64,
    /// Of each partition in [`Publication::held`], in `partition` mode only.
    partitions: Vec<u64>,
}

async fn count(athena: &Athena, publication: &Publication, deadline: Instant) -> Result<Counts, Failure> {
    let held = match publication.output.replaces {
        Replaces::Table => &[],
        Replaces::Partitions => publication.held.as_slice(),
    };
    let mut counts = Counts { table: 0, partitions: Vec::with_capacity(held.len()) };
    let mut batches: Vec<&[PartitionOutput]> = held.chunks(PARTITIONS_PER_QUERY).collect();
    if batches.is_empty() {
        batches.push(&[]);
    }
    for batch in batches {
        let sql = sql(&publication.database, &publication.output.table, &publication.partition_columns, batch);
        let numbers = athena.numbers(&publication.database, &sql, deadline).await?;
        match numbers.split_first() {
            Some((table, partitions)) if partitions.len() == batch.len() => {
                counts.table = *table;
                counts.partitions.extend_from_slice(partitions);
            }
            _ => {
                let message = format!("`{sql}` answers {} numbers, expected {}", numbers.len(), batch.len() + 1);
                return Err(Failure::internal(message));
            }
        }
    }
    Ok(counts)
}

/// Where the counts are not the manifest's, in words.
fn disagreement(publication: &Publication, counts: &Counts) -> Option<String> {
    let (run, output) = (&publication.run, &publication.output);
    if output.replaces == Replaces::Table {
        return (counts.table != output.rows).then(|| {
            format!(
                "SELECT COUNT(*) answers {} rows, the manifest of run {run} says {} ({})",
                counts.table, output.rows, output.location
            )
        });
    }
    let (partition, counted) =
        publication.held.iter().zip(&counts.partitions).find(|(partition, counted)| partition.rows != **counted)?;
    Some(format!(
        "SELECT COUNT(*) answers {counted} rows in partition {:?}, the manifest of run {run} says {} ({})",
        partition.values, partition.rows, partition.location
    ))
}

/// One row: the rows of the whole table, then those of each of the partitions.
fn sql(database: &str, table: &str, columns: &[Column], partitions: &[PartitionOutput]) -> String {
    let mut select = vec!["COUNT(*)".to_owned()];
    select.extend(partitions.iter().map(|partition| {
        let conditions: Vec<String> =
            columns.iter().zip(&partition.values).map(|(column, value)| condition(column, value)).collect();
        format!("COUNT(*) FILTER (WHERE {})", conditions.join(" AND "))
    }));
    format!("SELECT {} FROM {}.{}", select.join(", "), identifier(database), identifier(table))
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

    fn partition(values: &[&str], rows: u64) -> PartitionOutput {
        let values = values.iter().map(|&value| value.to_owned()).collect();
        PartitionOutput { values, location: "s3://curated/p/".into(), rows }
    }

    #[test]
    fn a_table_is_counted_whole() {
        assert_eq!(sql("db", "t", &[], &[]), r#"SELECT COUNT(*) FROM "db"."t""#);
    }

    #[test]
    fn partitions_are_counted_by_values_of_their_type() {
        let columns = [column("day", ColumnType::Date), column("region", ColumnType::String)];
        let partitions = [partition(&["2026-11-23", "King's Lynn"], 1), partition(&[NULL_PARTITION, "a\"b"], 1)];
        assert_eq!(
            sql("db", "t", &columns, &partitions),
            "SELECT COUNT(*), \
             COUNT(*) FILTER (WHERE \"day\" = DATE '2026-11-23' AND \"region\" = 'King''s Lynn'), \
             COUNT(*) FILTER (WHERE \"day\" IS NULL AND \"region\" = 'a\"b') \
             FROM \"db\".\"t\""
        );
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
        let counts = |table| Counts { table, partitions: Vec::new() };
        assert_eq!(disagreement(&publication, &counts(10)), None);
        let problem = disagreement(&publication, &counts(9)).unwrap();
        assert!(problem.contains("answers 9 rows, the manifest of run 20261123T034500123Z-aaaa says 10"), "{problem}");
    }

    #[test]
    fn in_partition_mode_only_this_runs_partitions_count() {
        let mut publication = example::publication("calculated");
        publication.held = vec![partition(&["2026-11-22"], 3), partition(&["2026-11-23"], 4)];
        assert_eq!(disagreement(&publication, &Counts { table: 99, partitions: vec![3, 4] }), None);
        let problem = disagreement(&publication, &Counts { table: 99, partitions: vec![3, 5] }).unwrap();
        assert!(problem.contains("answers 5 rows in partition [\"2026-11-23\"]"), "{problem}");
        assert!(problem.contains("says 4"), "{problem}");
    }
}

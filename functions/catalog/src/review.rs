//! Review: `SELECT COUNT(*)` through Athena must return the decided row counts, for a table and for each of its
//! partitions. A few rows are also read with every column. These are an analyst's queries, so the review also finds
//! files and partitions that Athena cannot read.

use std::collections::HashMap;

use contract::{Column, ColumnType, Failure, NULL_PARTITION};
use tokio::time::Instant;

use crate::athena::Athena;
use crate::decision::PartitionState;
use crate::publication::{HIDDEN, Publication};

/// Rows that are read with every column.
const SAMPLE_ROWS: u64 = 10;

/// Counts a published table through Athena, compares the counts with the decision, and reads a few rows. Returns the
/// rows of the whole table.
pub(crate) async fn review(athena: &Athena, publication: &Publication, deadline: Instant) -> Result<u64, Failure> {
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

/// The values of a partition in the form that [`canonical`] returns; `None` is null.
type Values = Vec<Option<String>>;

/// Athena's row counts.
#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    table: u64,
    /// For each partition that has rows.
    partitions: HashMap<Values, u64>,
}

async fn count(athena: &Athena, publication: &Publication, deadline: Instant) -> Result<Counts, Failure> {
    let sql = sql(publication);
    let rows = athena.rows(&publication.database, &sql, deadline).await?;
    counts(publication, rows).map_err(|row| Failure::internal(format!("`{sql}` answers {row:?}, expected a count")))
}

/// Reads the answer to [`sql`]. Fails with the first row that is not a count.
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

/// Returns a partition's value in one spelling. Athena prints `1.0E0` and `00:00:00.000` where the partition has `1`
/// and `00:00:00`.
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

/// Returns the values of a partition in canonical form.
fn values(publication: &Publication, partition: &PartitionState) -> Values {
    let columns = publication.partition_columns.iter().zip(&partition.values);
    let value =
        |(column, value): (&Column, &String)| (value != NULL_PARTITION).then(|| canonical(&column.column_type, value));
    columns.map(value).collect()
}

/// Describes the first difference between the counts and the decision; `None` if they agree.
fn disagreement(publication: &Publication, counts: &Counts) -> Option<String> {
    let (run, wanted) = (&publication.run, &publication.wanted);
    if wanted.rows.is_some_and(|rows| rows != counts.table) && !publication.is_partitioned() {
        return Some(whole(publication, counts.table));
    }
    // the row count of a partition of an earlier run may be unknown
    let differs = wanted.partitions.iter().find_map(|held| {
        let counted = counts.partitions.get(&values(publication, held)).copied().unwrap_or_default();
        held.rows.filter(|expected| *expected != counted).map(|expected| (held, counted, expected))
    });
    let Some((partition, counted, expected)) = differs else {
        // rows in partitions that are not in the decision
        let differs = wanted.rows.is_some_and(|rows| rows != counts.table);
        return differs.then(|| whole(publication, counts.table));
    };
    let (name, place) = if publication.hides_partitions {
        (HIDDEN.to_owned(), &wanted.location)
    } else {
        (format!("{:?}", partition.values), &partition.location)
    };
    Some(format!(
        "SELECT COUNT(*) answers {counted} rows in partition {name}, the manifest of run {run} says {expected} \
         ({place})"
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

/// Returns the query that reads every column of a few rows, from a new partition if there is one.
fn sample(publication: &Publication) -> String {
    let run = &publication.wanted.location;
    let partitions = &publication.wanted.partitions;
    let new = partitions.iter().find(|partition| partition.location.starts_with(run.as_str()));
    let condition = new.or(partitions.first()).map(|partition| partition_condition(publication, partition));
    let condition = condition.map(|condition| format!(" WHERE {condition}")).unwrap_or_default();
    format!("SELECT * FROM {}{condition} LIMIT {SAMPLE_ROWS}", table(publication))
}

/// Returns the query that counts the rows of each partition, or of a table without partitions. One query is enough, as
/// Athena does not read more for it than for the count of the whole table.
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

/// Quotes a name for Athena's SELECT statements.
fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Returns a partition's value as a literal of the column's type for Athena's SELECT statements. Athena compares text
/// only with text.
fn literal(column_type: &ColumnType, value: &str) -> String {
    let text = format!("'{}'", value.replace('\'', "''"));
    let cast = |name: &str| format!("CAST({text} AS {name})");
    match column_type {
        ColumnType::String => text,
        ColumnType::Date => format!("DATE {text}"),
        ColumnType::Timestamp(_) => format!("TIMESTAMP {text}"),
        ColumnType::Int32 => cast("integer"),
        ColumnType::Float32 => cast("real"),
        // the metadata does not allow partitions by a binary or nested column
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
mod tests;

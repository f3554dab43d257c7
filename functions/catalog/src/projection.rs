//! Partition projection: Athena computes the partitions of a table, and where they are, from the table's own
//! parameters. So a run with any number of partitions is published by one UpdateTable, and no query meets two runs.
//! <https://docs.aws.amazon.com/athena/latest/ug/partition-projection-setting-up.html>

use aws_sdk_glue::types::Table as GlueTable;
use chrono::{Datelike, NaiveDate};
use contract::{Column, ColumnType, NULL_PARTITION, Table};

use crate::manifest::TableOutput;

const ENABLED: &str = "projection.enabled";
/// What Glue takes in one parameter of a table, in characters.
const PARAMETER_LENGTH: usize = 512_000;
/// Partitions that Athena may compute for each one that there is. AWS advises against projection where more than half
/// of them are empty. <https://docs.aws.amazon.com/athena/latest/ug/partition-projection.html>
const MOST_COMPUTED: u128 = 2;

/// Whether Athena computes the partitions of a table that has such a parameter, given how to look one up.
pub(crate) fn is_enabled<'a>(parameter: impl FnOnce(&str) -> Option<&'a String>) -> bool {
    parameter(ENABLED).is_some_and(|enabled| enabled == "true")
}

/// Whether Athena computes the partitions of a table in Glue.
pub(crate) fn is_of(table: &GlueTable) -> bool {
    is_enabled(|name| table.parameters().and_then(|parameters| parameters.get(name)))
}

/// The parameters of a table that asks for it; none for others, nor for a table without any partition, of which there
/// is nothing to compute, nor where Athena would compute more than twice the partitions that there are: queries would
/// look into each of these, and find nothing. Such partitions are registered.
pub(crate) fn parameters(table: &Table, output: &TableOutput) -> Vec<(String, String)> {
    if !table.partition_projection || output.partitions.is_empty() {
        return Vec::new();
    }
    let folders = table.partition_columns().iter().map(|column| format!("{0}=${{{0}}}/", column.name));
    let template = format!("{}{}", output.location, folders.collect::<String>());
    let mut parameters = vec![(ENABLED.to_owned(), "true".to_owned()), ("storage.location.template".into(), template)];
    let mut computed: u128 = 1;
    for (n, column) in table.partition_columns().iter().enumerate() {
        let mut values: Vec<&str> = output.partitions.iter().map(|partition| partition.values[n].as_str()).collect();
        values.sort_unstable();
        values.dedup();
        let Some(computing) = of_column(column, &values) else {
            let (table, column) = (&table.name, &column.name);
            tracing::warn!(table, column, "partitions registered: Athena could not compute all values of the column");
            return Vec::new();
        };
        computed = computed.saturating_mul(computing.values);
        for (name, value) in computing.parameters {
            parameters.push((format!("projection.{}.{name}", column.name), value));
        }
    }
    let partitions = output.partitions.len();
    if computed > MOST_COMPUTED * partitions as u128 {
        let (table, computed) = (&table.name, computed.to_string());
        tracing::warn!(
            table,
            partitions,
            computed,
            "partitions registered: of those that Athena would compute most are empty"
        );
        return Vec::new();
    }
    parameters
}

/// How Athena computes the values of a column.
struct Computing {
    parameters: Vec<(&'static str, String)>,
    /// How many.
    values: u128,
}

/// What is said about a column: which values it has. `None` where Athena could not compute the folder of one, or where
/// they are more than one parameter of Glue takes.
fn of_column(column: &Column, values: &[&str]) -> Option<Computing> {
    if !values.iter().all(|value| is_plain(value)) {
        return None;
    }
    match column.column_type {
        ColumnType::Date => {
            let dates: Result<Vec<_>, _> = values.iter().map(|value| value.parse::<NaiveDate>()).collect();
            dates.ok().map(|dates| of_dates(&dates))
        }
        ColumnType::Int8 | ColumnType::Int16 | ColumnType::Int32 | ColumnType::Int64 => {
            let numbers: Result<Vec<i64>, _> = values.iter().map(|value| value.parse::<i64>()).collect();
            let mut numbers = numbers.ok()?;
            numbers.sort_unstable();
            let (least, greatest) = (numbers[0], numbers[numbers.len() - 1]);
            let (interval, values) = steps(numbers.iter().map(|number| i128::from(*number)));
            let mut parameters = vec![("type", "integer".into()), ("range", format!("{least},{greatest}"))];
            if interval > 1 {
                parameters.push(("interval", interval.to_string()));
            }
            Some(Computing { parameters, values })
        }
        _ => {
            let all = values.join(",");
            let parameters = vec![("type", "enum".into()), ("values", all)];
            let fits = parameters[1].1.len() <= PARAMETER_LENGTH;
            fits.then_some(Computing { parameters, values: values.len() as u128 })
        }
    }
}

/// Dates in their order, as days or as months of one day, whichever are fewer.
fn of_dates(dates: &[NaiveDate]) -> Computing {
    let (days, count) = steps(dates.iter().map(|date| i128::from(date.num_days_from_ce())));
    // each month has such a day
    let is_monthly = dates.iter().all(|date| date.day() == dates[0].day() && date.day() <= 28);
    let months = dates.iter().map(|date| i128::from(date.year()) * 12 + i128::from(date.month()));
    let (interval, unit, values) = match steps(months) {
        (months, fewer) if is_monthly && fewer < count => (months, "MONTHS", fewer),
        _ => (days, "DAYS", count),
    };
    let parameters = vec![
        ("type", "date".into()),
        ("format", "yyyy-MM-dd".into()),
        ("range", format!("{},{}", dates[0], dates[dates.len() - 1])),
        ("interval", interval.to_string()),
        ("interval.unit", unit.into()),
    ];
    Computing { parameters, values }
}

/// The greatest step that leads from the first of ascending numbers to each of them, and how many numbers it passes.
fn steps(ascending: impl Iterator<Item = i128>) -> (i128, u128) {
    let numbers: Vec<i128> = ascending.collect();
    let (first, last) = (numbers[0], numbers[numbers.len() - 1]);
    let step = numbers.iter().fold(0, |step, number| greatest_divisor(step, number - first)).max(1);
    (step, ((last - first) / step) as u128 + 1)
}

fn greatest_divisor(mut one: i128, mut other: i128) -> i128 {
    while other != 0 {
        (one, other) = (other, one % other);
    }
    one
}

/// Whether a value is in a path as it is, and can be one of a list with commas. A null is not.
fn is_plain(value: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    !value.is_empty() && value.chars().all(plain) && value != NULL_PARTITION
}

#[cfg(test)]
mod tests;

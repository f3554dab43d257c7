//! Partition projection: Athena computes a table's partitions and their locations from parameters of the table. A
//! single UpdateTable then publishes a run with any number of partitions, and no query sees two runs.
//! <https://docs.aws.amazon.com/athena/latest/ug/partition-projection-setting-up.html>

use aws_sdk_glue::types::Table as GlueTable;
use chrono::{Datelike, NaiveDate};
use contract::{Column, ColumnType, NULL_PARTITION, Table};

use crate::manifest::TableOutput;

const ENABLED: &str = "projection.enabled";
/// The most characters that Glue accepts in one parameter of a table.
const PARAMETER_LENGTH: usize = 512_000;
/// The most partitions that Athena may compute for each existing one. AWS advises against projection if more than half
/// of the partitions are empty. <https://docs.aws.amazon.com/athena/latest/ug/partition-projection.html>
const MOST_COMPUTED: u128 = 2;

/// Whether Athena computes the partitions of a table, given a function that looks up a parameter.
pub(crate) fn is_enabled<'a>(parameter: impl FnOnce(&str) -> Option<&'a String>) -> bool {
    parameter(ENABLED).is_some_and(|enabled| enabled == "true")
}

/// Whether Athena computes the partitions of a table in Glue.
pub(crate) fn is_of(table: &GlueTable) -> bool {
    is_enabled(|name| table.parameters().and_then(|parameters| parameters.get(name)))
}

/// Returns the projection parameters of a table. There are none, and partitions are registered instead, if the table
/// does not ask for projection, has no partition, or has values that Athena cannot compute. The same holds if Athena
/// would compute more than twice the existing partitions, as queries would look into each empty one.
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

/// The parameters by which Athena computes the values of a column.
struct Computing {
    parameters: Vec<(&'static str, String)>,
    /// The number of values that Athena computes.
    values: u128,
}

/// Returns the parameters for a column's values. Returns `None` if Athena could not compute a folder's name, or if the
/// values exceed Glue's limit for one parameter.
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

/// Describes ascending dates as days, or as months on a fixed day if these are fewer.
fn of_dates(dates: &[NaiveDate]) -> Computing {
    let (days, count) = steps(dates.iter().map(|date| i128::from(date.num_days_from_ce())));
    // every month has this day
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

/// Returns the greatest step that leads from the first of ascending numbers to each of them, and the count of numbers
/// on the way, including both ends.
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

/// Whether a value is unescaped in a path and can stand in a list with commas. The null partition does not qualify.
fn is_plain(value: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    !value.is_empty() && value.chars().all(plain) && value != NULL_PARTITION
}

#[cfg(test)]
mod tests;

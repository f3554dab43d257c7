//! Partition projection: Athena computes the partitions of a table, and where they are, from the table's own parameters.
//! So a run with any number of partitions is published by one UpdateTable, and no query meets two runs.
//! <https://docs.aws.amazon.com/athena/latest/ug/partition-projection-setting-up.html>

use contract::{Column, ColumnType, Failure, Table, TableOutput};

use crate::publication::{HIDDEN, hides_partitions};

const ENABLED: &str = "projection.enabled";
/// What Glue takes in one parameter of a table, in characters.
const PARAMETER_LENGTH: usize = 512_000;

/// Whether Athena computes the partitions of a table that has such a parameter, given how to look one up.
pub fn is_enabled<'a>(parameter: impl FnOnce(&str) -> Option<&'a String>) -> bool {
    parameter(ENABLED).is_some_and(|enabled| enabled == "true")
}

/// The parameters of a table that asks for it; none for others, nor for a table without any partition, of which there is
/// nothing to compute.
pub fn parameters(table: &Table, output: &TableOutput) -> Result<Vec<(String, String)>, Failure> {
    if !table.partition_projection || output.partitions.is_empty() {
        return Ok(Vec::new());
    }
    let folders = table.partition_columns().iter().map(|column| format!("{0}=${{{0}}}/", column.name));
    let template = format!("{}{}", output.location, folders.collect::<String>());
    let mut parameters = vec![(ENABLED.to_owned(), "true".to_owned()), ("storage.location.template".into(), template)];
    for (n, column) in table.partition_columns().iter().enumerate() {
        let mut values: Vec<&str> = output.partitions.iter().map(|partition| partition.values[n].as_str()).collect();
        values.sort_unstable();
        values.dedup();
        let wrong = |reason: String| {
            let file = table.file.display();
            Failure::bad_data(format!("{file}: partition_projection: column `{}`: {reason}", column.name))
        };
        let hidden = hides_partitions(table, output);
        for (name, value) in of_column(column, &values, hidden).map_err(wrong)? {
            parameters.push((format!("projection.{}.{name}", column.name), value));
        }
    }
    Ok(parameters)
}

/// What is said about a column: which values it has.
fn of_column(column: &Column, values: &[&str], hidden: bool) -> Result<Vec<(&'static str, String)>, String> {
    if let Some(strange) = values.iter().find(|value| !is_plain(value)) {
        let strange = if hidden { HIDDEN.to_owned() } else { format!("`{strange}`") };
        return Err(format!(
            "Athena cannot compute the folder of the value {strange}: it may have letters, digits, `_`, `-` and `.` only"
        ));
    }
    Ok(match column.column_type {
        ColumnType::Date => vec![
            ("type", "date".into()),
            ("format", "yyyy-MM-dd".into()),
            ("range", format!("{},{}", values[0], values[values.len() - 1])),
            ("interval", "1".into()),
            ("interval.unit", "DAYS".into()),
        ],
        ColumnType::Int8 | ColumnType::Int16 | ColumnType::Int32 | ColumnType::Int64 => {
            let numbers: Result<Vec<i64>, _> = values.iter().map(|value| value.parse::<i64>()).collect();
            let found = if hidden { HIDDEN.to_owned() } else { format!("{values:?}") };
            let numbers = numbers.map_err(|_| format!("expected whole numbers, found {found}"))?;
            let (least, greatest) = (numbers.iter().min(), numbers.iter().max());
            let range = format!("{},{}", least.copied().unwrap_or_default(), greatest.copied().unwrap_or_default());
            vec![("type", "integer".into()), ("range", range)]
        }
        _ => {
            let all = values.join(",");
            if all.len() > PARAMETER_LENGTH {
                return Err(format!("its {} values are more than one parameter of Glue takes", values.len()));
            }
            vec![("type", "enum".into()), ("values", all)]
        }
    })
}

/// Whether a value is in a path as it is, and can be one of a list with commas. A null is not.
fn is_plain(value: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    !value.is_empty() && value.chars().all(plain) && value != "__HIVE_DEFAULT_PARTITION__"
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use contract::PartitionOutput;

    use super::*;
    use crate::example;

    fn projected(types: &[(&str, ColumnType)], partitions: &[&[&str]]) -> Result<BTreeMap<String, String>, String> {
        let mut table = example::table("calculated");
        table.partition_projection = true;
        table.columns.truncate(1);
        table.partitions = types.iter().map(|(name, _)| (*name).to_owned()).collect();
        for (name, column_type) in types {
            let like = table.columns[0].clone();
            table.columns.push(Column { name: (*name).into(), column_type: column_type.clone(), ..like });
        }
        let mut output = example::manifest().tables[1].clone();
        output.location = "s3://b/t/r/".into();
        output.partitions = partitions
            .iter()
            .map(|values| PartitionOutput {
                values: values.iter().map(|value| (*value).into()).collect(),
                location: String::new(),
                rows: 1,
            })
            .collect();
        let told = parameters(&table, &output).map(|pairs| pairs.into_iter().collect());
        output.hides_partitions = true;
        if let Err(failure) = parameters(&table, &output) {
            let values = partitions.iter().flat_map(|values| values.iter()).filter(|value| !value.is_empty());
            assert!(!values.into_iter().any(|value| failure.message.contains(value)), "{failure}");
        }
        told.map_err(|failure| failure.message)
    }

    #[test]
    fn each_type_says_its_values_in_its_way() {
        let types = [("day", ColumnType::Date), ("shop", ColumnType::String), ("n", ColumnType::Int32)];
        let found =
            projected(&types, &[&["2026-11-23", "b", "10"], &["2026-11-01", "a", "9"], &["2026-11-23", "b", "2"]]);
        let expected = [
            ("projection.enabled", "true"),
            ("storage.location.template", "s3://b/t/r/day=${day}/shop=${shop}/n=${n}/"),
            ("projection.day.type", "date"),
            ("projection.day.format", "yyyy-MM-dd"),
            ("projection.day.range", "2026-11-01,2026-11-23"),
            ("projection.day.interval", "1"),
            ("projection.day.interval.unit", "DAYS"),
            ("projection.shop.type", "enum"),
            ("projection.shop.values", "a,b"),
            ("projection.n.type", "integer"),
            ("projection.n.range", "2,10"),
        ];
        assert_eq!(found.unwrap(), expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
        assert_eq!(projected(&types, &[]).unwrap(), BTreeMap::new());
    }

    #[test]
    fn values_that_cannot_be_computed_are_refused() {
        for value in ["a/b", "a,b", "", "__HIVE_DEFAULT_PARTITION__", "Steòrnabhagh", "King's Lynn"] {
            let problem = projected(&[("shop", ColumnType::String)], &[&[value]]).unwrap_err();
            assert!(
                problem.contains(&format!("column `shop`: Athena cannot compute the folder of the value `{value}`"))
            );
        }
    }
}

//! The difference between two definitions of a table, one line for each change, for a person to read before it is
//! applied.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::definition::{ColumnDefinition, TableDefinition};

/// Lists the changes from one definition to another. The location, the run, the version and parameters that only `from`
/// has are ignored.
pub(crate) fn changes(from: &TableDefinition, to: &TableDefinition) -> Vec<String> {
    let mut lines = columns(&from.storage_descriptor.columns, &to.storage_descriptor.columns);
    let mut from = without_columns(from);
    let mut to = without_columns(to);
    from.parameters.retain(|name, _| to.parameters.contains_key(name));
    from = from.at_run_of(&to);
    to = to.at_run_of(&from);
    let (from, to) = (leaves(&from), leaves(&to));
    for (path, now) in &to {
        match from.get(path) {
            None => lines.push(format!("+ {path}: {now}")),
            Some(before) if before != now => lines.push(format!("~ {path}: {before} -> {now}")),
            Some(_) => {}
        }
    }
    let gone = from.iter().filter(|(path, _)| !to.contains_key(*path));
    lines.extend(gone.map(|(path, before)| format!("- {path}: {before}")));
    lines
}

fn without_columns(definition: &TableDefinition) -> TableDefinition {
    let mut rest = definition.clone();
    rest.storage_descriptor.columns.clear();
    rest
}

fn columns(from: &[ColumnDefinition], to: &[ColumnDefinition]) -> Vec<String> {
    let find = |columns: &'_ [ColumnDefinition], name: &str| columns.iter().find(|column| column.name == name).cloned();
    let mut lines = Vec::new();
    for now in to {
        match find(from, &now.name) {
            None => lines.push(format!("+ column {} {}", now.name, now.column_type)),
            Some(before) if before.column_type != now.column_type => {
                lines.push(format!("~ column {}: {} -> {}", now.name, before.column_type, now.column_type));
            }
            Some(before) if before != *now => lines.push(format!("~ column {}: described otherwise", now.name)),
            Some(_) => {}
        }
    }
    let gone = from.iter().filter(|before| find(to, &before.name).is_none());
    lines.extend(gone.map(|before| format!("- column {} {}", before.name, before.column_type)));
    let names = |columns: &[ColumnDefinition]| columns.iter().map(|column| column.name.clone()).collect::<Vec<_>>();
    if lines.is_empty() && names(from) != names(to) {
        lines.push("~ columns: in another order".into());
    }
    lines
}

/// Returns every value of a definition, as JSON, by its path.
fn leaves(definition: &TableDefinition) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    collect(&serde_json::to_value(definition).unwrap_or_default(), String::new(), &mut found);
    found
}

fn collect(value: &Value, path: String, found: &mut BTreeMap<String, String>) {
    let below = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    match value {
        Value::Object(fields) => fields.iter().for_each(|(name, value)| collect(value, below(name), found)),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(n, value)| collect(value, format!("{path}[{n}]"), found));
        }
        value => {
            found.insert(path, value.to_string());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example;

    #[test]
    fn only_what_changes_is_told() {
        let definition = example::publication("calculated").definition;
        assert_eq!(changes(&definition, &definition), [""; 0]);

        let mut now = definition.clone();
        now.storage_descriptor.location = "s3://elsewhere/".into();
        now.description = "new".into();
        now.parameters.insert("projection.enabled".into(), "true".into());
        now.storage_descriptor.columns[0].comment = "otherwise".into();
        let mut before = definition.clone();
        before.parameters.insert("transient_lastDdlTime".into(), "1".into());
        assert_eq!(
            changes(&before, &now),
            [
                "~ column european_electoral_region: described otherwise".to_owned(),
                format!("~ Description: {:?} -> \"new\"", definition.description),
                "+ Parameters.projection.enabled: \"true\"".into(),
            ]
        );
        let mut turned = definition.clone();
        turned.storage_descriptor.columns.reverse();
        assert_eq!(changes(&definition, &turned), ["~ columns: in another order"]);
    }
}

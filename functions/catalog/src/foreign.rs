//! Foreign tables: tables in Glue that the pipeline did not make. If one has the name of a described table, it is left
//! as it is and the publication is refused, until a person allows its replacement.

use std::collections::BTreeMap;

use aws_sdk_glue::Client;
use aws_sdk_glue::types::Table as GlueTable;
use contract::{Failure, MetaData};

use crate::adopt::as_in_glue;
use crate::decision::{Decision, same_location};
use crate::definition::{EXTERNAL_TABLE, RUN, TableDefinition};
use crate::lookup;
use crate::lookup::is_ours;
use crate::publication::location_of;

/// Parameter: the table format, such as Iceberg, if the table's own files describe its data.
const FORMAT: &str = "table_type";

/// Checks that a table in Glue may be updated to a definition. It must be the pipeline's, or at the location that may
/// be taken over.
pub(crate) fn check(table: &GlueTable, wanted: &TableDefinition, takes_over: Option<&str>) -> Result<(), Failure> {
    if let Some(kind) = of_another_kind(table) {
        return Err(Failure::conflict(format!(
            "{kind} has this name, and is left as it is: rename or drop it, or rename the table in the metadata"
        )));
    }
    let location = location_of(table);
    let is_at = |place: &str| same_location(location, place);
    // a raw table, or a restored foreign table, has no run and is recognised by its location
    let is_there = !wanted.parameters.contains_key(RUN) && is_at(&wanted.storage_descriptor.location);
    if is_ours(table) || is_there || takes_over.is_some_and(is_at) {
        return Ok(());
    }
    let name = table.name();
    let or_replaced = if wanted.parameters.contains_key(RUN) {
        format!(", or let it be replaced by {{\"take_over\": [\"{name}\"]}} to catalog; its files stay")
    } else {
        String::new()
    };
    Err(Failure::conflict(format!(
        "a table that the pipeline did not make has this name (it has no parameter `{RUN}`; its files are at \
         {location}), and is left as it is: rename or drop it, rename the table in the metadata{or_replaced}"
    )))
}

/// Describes a table that no update can turn into the pipeline's, such as a view or a resource link. Returns `None` for
/// any other table.
fn of_another_kind(table: &GlueTable) -> Option<String> {
    if let Some(target) = table.target_table() {
        let part = |text: Option<&str>| text.unwrap_or_default().to_owned();
        return Some(format!("a resource link to `{}.{}`", part(target.database_name()), part(target.name())));
    }
    if let Some(format) = table.parameters().and_then(|parameters| parameters.get(FORMAT)) {
        return Some(format!("a table of the format `{format}`"));
    }
    let kind = table.table_type().unwrap_or_default();
    (kind != EXTERNAL_TABLE)
        .then(|| format!("something else, of the type `{kind}` where `{EXTERNAL_TABLE}` was expected,"))
}

/// Returns the locations of foreign tables that may be replaced, by name. A table that is not in the decision yet is
/// added to it as it is in Glue, so that it is restored if the publication fails.
pub(crate) async fn found(
    glue: &Client,
    metadata: &MetaData,
    decision: &mut Decision,
    names: &[String],
) -> Result<BTreeMap<String, String>, Failure> {
    let mut places = BTreeMap::new();
    for name in names {
        let table =
            metadata.curated_table(name).map_err(|reason| Failure::bad_input(format!("take_over: {reason}")))?;
        let found = lookup::find_table(glue, &metadata.database.name, name).await?;
        let Some(found) = found.filter(|found| !is_ours(found) && of_another_kind(found).is_none()) else { continue };
        if decision.table(name).is_none() {
            decision.tables.push(as_in_glue(glue, &metadata.database.name, table, &found, None).await?);
        }
        places.insert(name.clone(), location_of(&found).to_owned());
    }
    Ok(places)
}

#[cfg(test)]
mod tests {
    use aws_sdk_glue::types::TableIdentifier;
    use contract::FailureKind;

    use super::*;
    use crate::example;

    fn foreign() -> (GlueTable, TableDefinition) {
        let wanted = example::publication("random_postcodes").definition;
        let mut definition = wanted.clone();
        definition.parameters.remove(RUN);
        definition.storage_descriptor.location = "s3://others/t".into();
        (example::glue_table(&definition.input().unwrap(), "7"), wanted)
    }

    #[test]
    fn a_table_of_others_is_replaced_only_where_it_was_said() {
        let (table, wanted) = foreign();
        let failure = check(&table, &wanted, None).unwrap_err();
        assert_eq!(failure.kind, FailureKind::Conflict);
        for part in
            ["a table that the pipeline did not make", "s3://others/t)", "{\"take_over\": [\"random_postcodes\"]}"]
        {
            assert!(failure.message.contains(part), "{failure}");
        }
        assert_eq!(check(&table, &wanted, Some("s3://others/t/")), Ok(()));
        // another foreign table has the name by now
        check(&table, &wanted, Some("s3://others/t2/")).unwrap_err();
        // restored, or over raw-hist
        assert_eq!(check(&table, &TableDefinition::of(&table), None), Ok(()));
    }

    #[test]
    fn what_is_of_another_kind_is_never_replaced() {
        let refused = |change: &dyn Fn(&mut GlueTable)| {
            let (mut table, wanted) = foreign();
            change(&mut table);
            check(&table, &wanted, Some("s3://others/t")).unwrap_err().message
        };
        let iceberg = refused(&|table| {
            table.parameters = Some([("table_type".to_owned(), "ICEBERG".to_owned())].into());
        });
        assert!(iceberg.starts_with("a table of the format `ICEBERG` has this name"), "{iceberg}");
        let link = TableIdentifier::builder().database_name("theirs").name("t").build();
        let link = refused(&|table| table.target_table = Some(link.clone()));
        assert!(link.starts_with("a resource link to `theirs.t` has this name"), "{link}");
        let view = refused(&|table| table.table_type = Some("VIRTUAL_VIEW".into()));
        assert!(view.contains("`VIRTUAL_VIEW`"), "{view}");
    }
}

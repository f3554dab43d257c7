//! Adoption: the derivation of a decision for a database that was published by versions without decisions. Locations of
//! tables and partitions come from Glue, which was changed last. Row counts come from the journal, and so do tables
//! that Glue has lost.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_glue::Client;
use aws_sdk_glue::types::Table as GlueTable;
use chrono::Duration;
use contract::{Failure, RunId, Table};

use crate::decision::{Decided, Decision, PartitionState, TableState, same_location};
use crate::definition::{PREVIOUS_LOCATION, ROLLED_BACK_FROM, TableDefinition};
use crate::lookup::{is_ours, tables_of};
use crate::partitions;
use crate::partitions::Told;
use crate::projection;
use crate::publication::run_location_of;
use crate::runs::Runs;

/// Derives the published state of a database that has no decision. It is not stored until the next decision is written.
pub(crate) async fn adopt(glue: &Client, runs: Runs<'_>) -> Result<Decision, Failure> {
    let (journal, metadata) = (runs.journal(), runs.metadata);
    let keys = journal.keys().await?;
    let found = tables_of(glue, &metadata.database.name).await?.unwrap_or_default();
    let on_record =
        if keys.is_empty() { Vec::new() } else { journal.last(metadata.curated.keys().map(String::as_str)).await? };
    let mut tables = Vec::new();
    for table in metadata.curated.values() {
        let recorded = on_record.iter().find(|recorded| recorded.state.table == table.name);
        match found.iter().find(|found| found.name() == table.name && is_ours(found)) {
            Some(found) => tables.push(as_in_glue(glue, &metadata.database.name, table, found, recorded).await?),
            None => tables.extend(recorded.cloned()),
        }
    }
    let last = keys.last();
    let run = tables.iter().filter_map(|table: &Decided| table.state.run()).max();
    let before = keys.iter().rev().find(|key| run.as_ref().is_some_and(|run| key.run < *run));
    let at = match (last, &run) {
        (Some(last), _) => last.at + Duration::milliseconds(1),
        (None, Some(run)) => run.started(),
        (None, None) => return Ok(Decision { tables, ..Decision::default() }),
    };
    Ok(Decision {
        at: at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true),
        run,
        tables,
        before: before.and_then(|key| key.key.rsplit('/').next()).map(str::to_owned),
        ..Decision::default()
    })
}

/// Returns a table as Glue has it: its locations and its definition.
pub(crate) async fn as_in_glue(
    glue: &Client,
    database: &str,
    table: &Table,
    found: &GlueTable,
    recorded: Option<&Decided>,
) -> Result<Decided, Failure> {
    let parameter = |name: &str| found.parameters().and_then(|parameters| parameters.get(name));
    let location = run_location_of(found);
    let location = location.as_str();
    let recorded = recorded.filter(|recorded| same_location(&recorded.state.location, location));
    let mut state = TableState {
        table: table.name.clone(),
        location: location.to_owned(),
        rows: recorded.and_then(|recorded| recorded.state.rows),
        partitions: Vec::new(),
    };
    let of_record = recorded.into_iter().flat_map(|recorded| &recorded.state.partitions);
    if projection::is_of(found) {
        state.partitions = of_record.cloned().collect();
    } else if !found.partition_keys().is_empty() {
        let rows: HashMap<&str, u64> =
            of_record.filter_map(|one| Some((one.location.trim_end_matches('/'), one.rows?))).collect();
        partitions::visit(glue, database, &table.name, Told::Places, |partition| {
            let location = partitions::location(&partition).to_owned();
            let rows = rows.get(location.trim_end_matches('/')).copied();
            state.partitions.push(PartitionState {
                values: partition.values().to_vec(),
                location,
                rows,
                written_by: None,
            });
        })
        .await?;
        state.rows = state.partitions.iter().map(|partition| partition.rows).sum();
    }
    let mut definition = TableDefinition::of(found);
    definition.storage_descriptor.location = location.to_owned();
    definition.parameters.retain(|name, _| ![PREVIOUS_LOCATION, ROLLED_BACK_FROM].contains(&name.as_str()));
    Ok(Decided {
        state,
        definition,
        base: None,
        rolled_back_from: parameter(ROLLED_BACK_FROM).and_then(|run| RunId::parse(run)),
        hides_partitions: table.partition_columns().iter().any(|column| column.sensitive),
        takes_over: None,
        undescribed: BTreeMap::new(),
    })
}

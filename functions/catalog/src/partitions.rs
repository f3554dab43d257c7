//! Partitions: brings the registered partitions of a table to the decided ones. Glue changes partitions in batches and
//! not atomically, so a concurrent query may see some partitions of the old run and some of the new one. For partitions
//! that move, this lasts a few calls. New ones wait for `MSCK REPAIR TABLE`.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_glue::Client;
use aws_sdk_glue::types::{
    BatchUpdatePartitionFailureEntry, BatchUpdatePartitionRequestEntry, Partition, PartitionError, PartitionInput,
    PartitionValueList, StorageDescriptor,
};
use contract::message::PublishAction;
use contract::{Failure, FailureKind};
use tokio::time::Instant;

use crate::athena::Athena;
use crate::decision::{PartitionState, same_location};
use crate::publication::{HIDDEN, Publication};
use crate::watch::{Progress, Watch};

/// The most partitions that BatchCreatePartition and BatchUpdatePartition accept in a call.
const BATCH: usize = 100;
/// The most partitions that BatchDeletePartition accepts in a call.
const DELETE_BATCH: usize = 25;
/// How often the registered partitions are read and brought in line: once to change them and once to verify. More
/// rounds are needed if MSCK leaves some out or another invocation intervenes.
const ROUNDS: u32 = 5;

/// A registered partition. Everything that Glue holds about many partitions would need too much memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Registered {
    /// A value for each partition column.
    pub values: Vec<String>,
    pub location: String,
}

/// The changes to a table's partitions.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct PartitionPlan<'a> {
    /// Not registered yet.
    pub add: Vec<&'a PartitionState>,
    /// Registered at another location.
    pub move_here: Vec<&'a PartitionState>,
    /// Registered, but not wanted.
    pub remove: Vec<&'a Registered>,
    /// The number of partitions that are registered at the right location.
    pub held: usize,
}

impl PartitionPlan<'_> {
    fn is_done(&self) -> bool {
        self.add.is_empty() && self.move_here.is_empty() && self.remove.is_empty()
    }
}

/// Compares the registered partitions with the wanted ones.
pub(crate) fn plan<'a>(registered: &'a [Registered], wanted: &'a [PartitionState]) -> PartitionPlan<'a> {
    let mut others: BTreeMap<&[String], &Registered> = registered.iter().map(|p| (p.values.as_slice(), p)).collect();
    let mut plan = PartitionPlan::default();
    for wanted in wanted {
        match others.remove(wanted.values.as_slice()) {
            None => plan.add.push(wanted),
            Some(found) if same_location(&found.location, &wanted.location) => plan.held += 1,
            Some(_) => plan.move_here.push(wanted),
        }
    }
    plan.remove = others.into_values().collect();
    plan
}

/// Returns the location of a partition in Glue; empty if it has none.
pub(crate) fn location(partition: &Partition) -> &str {
    partition.storage_descriptor().and_then(|storage| storage.location()).unwrap_or_default()
}

/// Brings the partitions of a table in line with the decision. `seen` are the partitions as they were read before the
/// decision was written. If `athena` is given, it registers new ones until the deadline.
pub(crate) async fn publish(
    glue: &Client,
    athena: Option<(&Athena, Instant)>,
    publication: &mut Publication,
    mut seen: Option<Vec<Registered>>,
    watch: &Watch<'_>,
) -> Result<Progress, Failure> {
    let doing = format!("publishing the partitions of table `{}`", publication.name());
    let mut refusals = Vec::new();
    for round in 0..ROUNDS {
        let was_seen = seen.is_some();
        let registered = match seen.take() {
            Some(registered) => registered,
            None => list(glue, publication).await?,
        };
        let plan = plan(&registered, &publication.wanted.partitions);
        if plan.is_done() {
            return Ok(if round == 0 { Progress::InLine } else { Progress::Changed });
        }
        // in this order: Glue is not changed according to a decision that is no longer current
        if !was_seen && !watch.is_current().await? {
            return Ok(Progress::Overtaken);
        }
        // if partitions lie in the folders of several runs, MSCK does not find any
        let root = &publication.definition.storage_descriptor.location;
        let is_found = |partition: &&PartitionState| partition.location.starts_with(root.as_str());
        let (database, table) = (&publication.database, &publication.wanted.table);
        refusals.clear();
        // Moves before MSCK, which then does not find a folder whose partition is registered elsewhere.
        for batch in plan.move_here.chunks(BATCH) {
            if !watch.was_current().await? {
                return Ok(Progress::Overtaken);
            }
            let moves = batch.iter().map(|to| update_entry(input(publication, to)?)).collect::<Result<_, _>>()?;
            let refused = update(glue, database, table, moves).await.map_err(|failure| failure.context(&doing))?;
            refusals.extend(refused);
        }
        match athena {
            Some((athena, deadline)) if round == 0 && plan.add.iter().any(is_found) => {
                repair(athena, publication, deadline).await.map_err(|failure| failure.context(&doing))?;
            }
            _ => {
                for batch in plan.add.chunks(BATCH) {
                    if !watch.was_current().await? {
                        return Ok(Progress::Overtaken);
                    }
                    let added = batch.iter().map(|to| input(publication, to)).collect::<Result<_, _>>()?;
                    let refused =
                        create(glue, database, table, added).await.map_err(|failure| failure.context(&doing))?;
                    refusals.extend(refused);
                }
            }
        }
        // Last: a concurrent query should rather see a row twice than not at all.
        for batch in plan.remove.chunks(DELETE_BATCH) {
            if !watch.was_current().await? {
                return Ok(Progress::Overtaken);
            }
            let removed = batch.iter().map(|found| found.values.clone()).collect();
            refusals.extend(delete(glue, database, table, removed).await.map_err(|failure| failure.context(&doing))?);
        }
        if publication.action != PublishAction::Created {
            publication.action = PublishAction::Updated;
        }
        if round > 0 {
            tokio::time::sleep(Duration::from_millis(100 << round)).await;
        }
    }
    let refusals = if refusals.is_empty() { "others change them too".into() } else { told(publication, &refusals) };
    Err(Failure::unavailable(format!("{doing}: not all are at their location after {ROUNDS} rounds: {refusals}")))
}

/// Lets Athena register the partitions that it finds under the table's location.
pub(crate) async fn repair(athena: &Athena, publication: &Publication, deadline: Instant) -> Result<(), Failure> {
    let sql = format!("MSCK REPAIR TABLE `{}`", publication.wanted.table);
    athena.run(&publication.database, &sql, deadline).await.map(drop)
}

/// Returns Glue's input for a partition, with the table's current schema.
fn input(publication: &Publication, to: &PartitionState) -> Result<PartitionInput, Failure> {
    let storage: StorageDescriptor = publication.definition.storage_descriptor.descriptor(&to.location)?;
    Ok(PartitionInput::builder().set_values(Some(to.values.clone())).storage_descriptor(storage).build())
}

/// Returns BatchUpdatePartition's entry for a partition.
pub(crate) fn update_entry(input: PartitionInput) -> Result<BatchUpdatePartitionRequestEntry, Failure> {
    BatchUpdatePartitionRequestEntry::builder()
        .set_partition_value_list(input.values.clone())
        .partition_input(input)
        .build()
        .map_err(Failure::internal)
}

/// Returns every registered partition of a publication's table; none if the table does not exist.
pub(crate) async fn list(glue: &Client, publication: &Publication) -> Result<Vec<Registered>, Failure> {
    let mut partitions = Vec::new();
    let (database, table) = (&publication.database, &publication.wanted.table);
    visit(glue, database, table, Told::Places, |partition| {
        let location = location(&partition).to_owned();
        partitions.push(Registered { values: partition.values.unwrap_or_default(), location });
    })
    .await?;
    Ok(partitions)
}

/// The detail in which Glue returns partitions.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Told {
    /// Without columns, which every answer would repeat for each partition.
    Places,
    /// With columns.
    Columns,
}

/// Calls `visit` for every registered partition of a table; for none if the table does not exist.
pub(crate) async fn visit(
    glue: &Client,
    database: &str,
    table: &str,
    told: Told,
    mut visit: impl FnMut(Partition),
) -> Result<(), Failure> {
    let get = glue.get_partitions().database_name(database).table_name(table);
    let get = get.exclude_column_schema(told == Told::Places);
    let mut pages = get.into_paginator().send();
    while let Some(page) = pages.next().await {
        match page {
            Ok(page) => page.partitions.unwrap_or_default().into_iter().for_each(&mut visit),
            Err(error) => match boot::aws::failure(&error) {
                failure if failure.kind == FailureKind::NotFound => return Ok(()),
                failure => return Err(failure.context(format!("reading the partitions of table `{database}.{table}`"))),
            },
        }
    }
    Ok(())
}

// The following functions return what Glue refused of the batches. Partitions that another invocation created, moved or
// deleted meanwhile are among these, and the next round compares them again.

/// Changes registered partitions.
pub(crate) async fn update(
    glue: &Client,
    database: &str,
    table: &str,
    entries: Vec<BatchUpdatePartitionRequestEntry>,
) -> Result<Vec<String>, Failure> {
    let mut refusals = Vec::new();
    for batch in entries.chunks(BATCH) {
        let answer = glue
            .batch_update_partition()
            .database_name(database)
            .table_name(table)
            .set_entries(Some(batch.to_vec()))
            .send()
            .await;
        let answer = match answer.map_err(|error| boot::aws::failure(&error).context("moving partitions")) {
            Ok(answer) => answer,
            Err(failure) if failure.kind == FailureKind::Conflict => {
                refusals.push(failure.message);
                continue;
            }
            Err(failure) => return Err(failure),
        };
        refusals.extend(answer.errors().iter().map(|refused: &BatchUpdatePartitionFailureEntry| {
            refusal("moving", refused.partition_value_list(), refused.error_detail())
        }));
    }
    Ok(refusals)
}

/// Registers partitions.
pub(crate) async fn create(
    glue: &Client,
    database: &str,
    table: &str,
    inputs: Vec<PartitionInput>,
) -> Result<Vec<String>, Failure> {
    let mut refusals = Vec::new();
    for batch in inputs.chunks(BATCH) {
        let answer = glue
            .batch_create_partition()
            .database_name(database)
            .table_name(table)
            .set_partition_input_list(Some(batch.to_vec()))
            .send()
            .await;
        let answer = match answer.map_err(|error| boot::aws::failure(&error).context("adding partitions")) {
            Ok(answer) => answer,
            Err(failure) if failure.kind == FailureKind::Conflict => {
                refusals.push(failure.message);
                continue;
            }
            Err(failure) => return Err(failure),
        };
        refusals.extend(
            answer
                .errors()
                .iter()
                .map(|refused: &PartitionError| refusal("adding", refused.partition_values(), refused.error_detail())),
        );
    }
    Ok(refusals)
}

/// Unregisters all partitions of a table.
pub(crate) async fn remove_all(glue: &Client, database: &str, table: &str) -> Result<(), Failure> {
    let mut registered = Vec::new();
    visit(glue, database, table, Told::Places, |partition| registered.push(partition.values().to_vec())).await?;
    match delete(glue, database, table, registered).await?.as_slice() {
        [] => Ok(()),
        refused => Err(Failure::unavailable(format!("{} partitions of table `{table}` are left", refused.len()))),
    }
}

async fn delete(
    glue: &Client,
    database: &str,
    table: &str,
    partitions: Vec<Vec<String>>,
) -> Result<Vec<String>, Failure> {
    let mut refusals = Vec::new();
    for batch in partitions.chunks(DELETE_BATCH) {
        let values = |values: &Vec<String>| PartitionValueList::builder().set_values(Some(values.clone())).build();
        let batch = batch.iter().map(values).collect::<Result<_, _>>().map_err(Failure::internal)?;
        let answer = glue
            .batch_delete_partition()
            .database_name(database)
            .table_name(table)
            .set_partitions_to_delete(Some(batch))
            .send()
            .await;
        let answer = match answer.map_err(|error| boot::aws::failure(&error).context("removing partitions")) {
            Ok(answer) => answer,
            Err(failure) if failure.kind == FailureKind::Conflict => {
                refusals.push(failure.message);
                continue;
            }
            Err(failure) => return Err(failure),
        };
        refusals.extend(
            answer
                .errors()
                .iter()
                .filter(|refused| {
                    refused.error_detail().and_then(|e| e.error_code()) != Some("EntityNotFoundException")
                })
                .map(|refused| refusal("removing", refused.partition_values(), refused.error_detail())),
        );
    }
    Ok(refusals)
}

/// Returns Glue's refusals as text.
fn told(publication: &Publication, refusals: &[String]) -> String {
    if publication.hides_partitions { format!("{} refused {HIDDEN}", refusals.len()) } else { refusals.join("; ") }
}

fn refusal(doing: &str, values: &[String], error: Option<&aws_sdk_glue::types::ErrorDetail>) -> String {
    let code = error.and_then(|error| error.error_code()).unwrap_or("no code");
    let message = error.and_then(|error| error.error_message()).unwrap_or("no message");
    format!("{doing} partition {values:?}: {code}: {message}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example;

    const OLDER: &str = "20261122T034500123Z-zzzz";

    fn registered(run: &str, date: &str) -> Registered {
        let location = format!("s3://curated/database/calculated/{run}/dea_snapshot_date={date}");
        Registered { values: vec![date.into()], location }
    }

    fn dates(found: &[&PartitionState]) -> Vec<String> {
        found.iter().map(|partition| partition.values[0].clone()).collect()
    }

    #[test]
    fn partitions_are_added_moved_removed_or_left() {
        let publication = example::publication("calculated");
        let wanted = ["d1", "d2", "d4"].map(|date| PartitionState {
            values: vec![date.into()],
            location: format!("{}dea_snapshot_date={date}/", publication.wanted.location),
            rows: Some(1),
            written_by: None,
        });
        let ours = publication.run.as_str();
        let found = [registered(ours, "d1"), registered(OLDER, "d2"), registered(OLDER, "d8")];
        let plan = plan(&found, &wanted);
        assert_eq!((plan.held, dates(&plan.move_here), dates(&plan.add)), (1, vec!["d2".into()], vec!["d4".into()]));
        assert_eq!(plan.remove, [&found[2]]);
        assert!(!plan.is_done());
    }

    #[test]
    fn a_partition_moves_with_the_schema_of_now() {
        let publication = example::publication("calculated");
        let input = input(&publication, &publication.wanted.partitions[0]).unwrap();
        let entry = update_entry(input).unwrap();
        assert_eq!(entry.partition_value_list(), ["2026-11-23"]);
        let storage = entry.partition_input().unwrap().storage_descriptor().unwrap();
        assert!(storage.location().unwrap().ends_with("-aaaa/dea_snapshot_date=2026-11-23/"));
        assert_eq!(storage.columns().len(), 3);
    }
}

//! Partitions: each of this run's is registered at its location, and in `rebuild` mode no other. Glue changes
//! partitions in batches and not atomically: a query that runs meanwhile may see some of the old run's and some of the
//! new one's. The window is a few calls long for partitions that move; new ones wait for `MSCK REPAIR TABLE`.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use aws_sdk_glue::Client;
use aws_sdk_glue::types::{
    BatchUpdatePartitionFailureEntry, BatchUpdatePartitionRequestEntry, Partition, PartitionError, PartitionInput,
    PartitionValueList, StorageDescriptor,
};
use contract::message::PublishAction;
use contract::{Failure, FailureKind, Replaces, RunId};
use tokio::time::Instant;

use crate::athena::Athena;
use crate::journal::PartitionState;
use crate::publication::{self, HIDDEN, Publication, same_location};
use crate::runs::Runs;
use crate::sync;
use crate::table_input::PREVIOUS_LOCATION;

/// Partitions that BatchCreatePartition and BatchUpdatePartition take in a call.
const BATCH: usize = 100;
/// Partitions that BatchDeletePartition takes in a call.
const DELETE_BATCH: usize = 25;
/// How often the registered partitions are read and brought in line: once to do it, once to see that it is done, and
/// again where MSCK left some out or another run came in between.
const ROUNDS: u32 = 5;

/// What is to be done about a table's partitions.
#[derive(Debug, Default, PartialEq)]
pub struct Plan<'a> {
    /// Not registered yet.
    pub add: Vec<&'a PartitionState>,
    /// Registered at another run's location.
    pub move_here: Vec<(&'a PartitionState, &'a Partition)>,
    /// Registered, but not to be.
    pub remove: Vec<&'a Partition>,
    /// Registered at their location.
    pub held: Vec<&'a PartitionState>,
    /// Registered, and none of this publication's business: of another run, which stays.
    pub others: usize,
}

impl Plan<'_> {
    fn is_done(&self) -> bool {
        self.add.is_empty() && self.move_here.is_empty() && self.remove.is_empty()
    }
}

/// Compares what is registered with what is wanted. A partition that a newer run has taken is left to it, unless somebody
/// asked for this very run.
pub fn plan<'a>(registered: &'a [Partition], publication: &'a Publication) -> Plan<'a> {
    let stays = |found: &Partition| !publication.asked_for && is_newer(found, &publication.run);
    let mut others: BTreeMap<&[String], &Partition> = registered.iter().map(|p| (p.values(), p)).collect();
    let mut plan = Plan::default();
    for wanted in &publication.wanted.partitions {
        match others.remove(wanted.values.as_slice()) {
            None => plan.add.push(wanted),
            Some(found) if same_location(location(found), &wanted.location) => plan.held.push(wanted),
            Some(found) if stays(found) => plan.others += 1,
            Some(found) => plan.move_here.push((wanted, found)),
        }
    }
    if publication.replaces == Replaces::Table {
        plan.remove = others.values().copied().filter(|found| !stays(found)).collect();
    }
    plan.others += others.len() - plan.remove.len();
    plan
}

/// Where a partition is, as Glue has it.
pub fn location(partition: &Partition) -> &str {
    partition.storage_descriptor().and_then(|storage| storage.location()).unwrap_or_default()
}

/// Whether a partition, at `…/<run>/<column>=<value>/…/`, is a newer run's.
fn is_newer(partition: &Partition, run: &RunId) -> bool {
    let folder = location(partition).trim_end_matches('/');
    let run_folder = folder.rsplitn(partition.values().len() + 1, '/').nth(partition.values().len());
    run_folder.is_some_and(|folder| publication::is_newer(folder, run))
}

/// Brings the partitions of a table in line with the run.
pub async fn publish(
    glue: &Client,
    athena: &Athena,
    publication: &mut Publication,
    deadline: Instant,
) -> Result<(), Failure> {
    let doing = format!("publishing the partitions of table `{}`", publication.name());
    let mut refusals = Vec::new();
    for round in 0..ROUNDS {
        if round > 0 && publication.replaces == Replaces::Table && is_replaced(glue, publication).await? {
            publication.action = PublishAction::Superseded;
            return Ok(());
        }
        let registered = list(glue, publication).await?;
        publication.partitions_before.get_or_insert_with(|| registered.clone());
        let plan = plan(&registered, publication);
        if plan.is_done() {
            let held: Vec<PartitionState> = plan.held.into_iter().cloned().collect();
            publication.registered = states(&registered, &held);
            publication.held = held;
            return Ok(());
        }
        // The run's older partitions of a table that points at a newer run already: they still belong into the table.
        let points_here = publication.action != PublishAction::Superseded;
        let root = &publication.wanted.location;
        let is_found = |partition: &&PartitionState| partition.location.starts_with(root.as_str());
        // Moves before MSCK: so it finds no folder whose partition is registered elsewhere.
        let moves = plan.move_here.iter().map(|(to, from)| update_entry(input(publication, to, Some(from))?));
        let moves = moves.collect::<Result<_, _>>()?;
        refusals = update(glue, &publication.database, &publication.wanted.table, moves)
            .await
            .map_err(|failure| failure.context(&doing))?;
        if round == 0 && points_here && plan.add.iter().any(is_found) {
            repair(athena, publication, deadline).await.map_err(|failure| failure.context(&doing))?;
        } else {
            let added = plan.add.iter().map(|to| input(publication, to, None)).collect::<Result<_, _>>()?;
            refusals.extend(
                create(glue, &publication.database, &publication.wanted.table, added)
                    .await
                    .map_err(|failure| failure.context(&doing))?,
            );
        }
        // Last: a query in between rather sees a row twice than a table with a hole.
        let removed = plan.remove.iter().map(|found| found.values().to_vec()).collect();
        refusals.extend(delete(glue, publication, removed).await.map_err(|failure| failure.context(&doing))?);
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

/// Gives partitions to a newer run that has written them too. Nothing guards a partition between the look at it and its
/// move: the newer run may have moved it in between, and have looked again before ours came.
pub async fn give_back(glue: &Client, runs: Runs<'_>, publication: &mut Publication) -> Result<(), Failure> {
    if publication.replaces == Replaces::Table {
        return Ok(());
    }
    let mut given_to = None;
    for _ in 0..ROUNDS {
        let table = sync::get_table(glue, publication).await?.filter(|table| publication.is_older_than(table));
        let newer = table.as_ref().and_then(|table| RunId::of_location(publication::location_of(table)));
        let Some(newer) = newer.filter(|newer| given_to.as_ref() != Some(newer)) else { return Ok(()) };
        let manifest = runs.manifest(&newer).await?;
        let output = manifest.tables.into_iter().find(|output| output.table == publication.wanted.table);
        let theirs = output.into_iter().flat_map(|output| output.partitions).map(PartitionState::from);
        let theirs: HashMap<Vec<String>, PartitionState> =
            theirs.map(|theirs| (theirs.values.clone(), theirs)).collect();
        let moves = publication.held.iter().filter_map(|held| theirs.get(&held.values));
        let moves = moves.map(|to| update_entry(input(publication, to, None)?)).collect::<Result<Vec<_>, _>>()?;
        if !moves.is_empty() {
            tracing::warn!(table = publication.wanted.table, run = %newer, partitions = moves.len(), "given to a newer run");
        }
        let refusals = update(glue, &publication.database, &publication.wanted.table, moves).await?;
        if !refusals.is_empty() {
            continue;
        }
        publication.held.retain(|held| !theirs.contains_key(&held.values));
        for registered in &mut publication.registered {
            if let Some(theirs) = theirs.get(&registered.values) {
                registered.clone_from(theirs);
            }
        }
        given_to = Some(newer);
    }
    Err(Failure::unavailable(format!("other runs of table `{}` came in between {ROUNDS} times", publication.name())))
}

/// Registered partitions, with the rows of those that are known.
fn states(registered: &[Partition], known: &[PartitionState]) -> Vec<PartitionState> {
    let known: HashMap<&[String], &PartitionState> = known.iter().map(|p| (p.values.as_slice(), p)).collect();
    let state = |found: &Partition| match known.get(found.values()) {
        Some(known) => (*known).clone(),
        None => PartitionState { values: found.values().to_vec(), location: location(found).to_owned(), rows: None },
    };
    registered.iter().map(state).collect()
}

/// Lets Athena register the partitions that it finds under the table's location.
pub async fn repair(athena: &Athena, publication: &Publication, deadline: Instant) -> Result<(), Failure> {
    let sql = format!("MSCK REPAIR TABLE `{}`", publication.wanted.table);
    athena.run(&publication.database, &sql, deadline).await.map(drop)
}

/// Whether another publication has replaced this one by now.
async fn is_replaced(glue: &Client, publication: &Publication) -> Result<bool, Failure> {
    Ok(sync::get_table(glue, publication).await?.is_some_and(|table| publication.is_replaced(&table)))
}

/// Whether all partitions that were published are still at their location, and not at that of a newer run.
pub async fn are_held(glue: &Client, publication: &Publication) -> Result<bool, Failure> {
    let registered = list(glue, publication).await?;
    let now = plan(&registered, publication).held.len();
    Ok(now == publication.held.len())
}

/// Takes the partitions back to what they were, except those that a newer run has taken meanwhile. For `wrong` see
/// [`sync::put_back`].
pub async fn put_back(glue: &Client, publication: &Publication, wrong: bool) -> Result<(), Failure> {
    let Some(before) = &publication.partitions_before else { return Ok(()) };
    if publication.replaces == Replaces::Table && is_replaced(glue, publication).await? {
        return Ok(());
    }
    let mut refusals = Vec::new();
    for round in 0..ROUNDS {
        if round > 0 {
            tokio::time::sleep(Duration::from_millis(100 << round)).await;
        }
        let now = list(glue, publication).await?;
        let undo = undo(before, &now, publication, wrong);
        if undo == Undo::default() {
            return Ok(());
        }
        let moves = undo.move_back.into_iter().map(update_entry).collect::<Result<_, _>>()?;
        refusals = update(glue, &publication.database, &publication.wanted.table, moves).await?;
        refusals.extend(create(glue, &publication.database, &publication.wanted.table, undo.add_again).await?);
        refusals.extend(delete(glue, publication, undo.remove).await?);
    }
    Err(Failure::unavailable(format!(
        "not all partitions are back after {ROUNDS} rounds: {}",
        told(publication, &refusals)
    )))
}

/// The way back from a publication.
#[derive(Debug, Default, PartialEq)]
struct Undo {
    move_back: Vec<PartitionInput>,
    add_again: Vec<PartitionInput>,
    remove: Vec<Vec<String>>,
}

fn undo(before: &[Partition], now: &[Partition], publication: &Publication, wrong: bool) -> Undo {
    let mut undo = Undo::default();
    let now: HashMap<&[String], &Partition> = now.iter().map(|p| (p.values(), p)).collect();
    let before: BTreeMap<&[String], &Partition> = before.iter().map(|p| (p.values(), p)).collect();
    for ours in &publication.wanted.partitions {
        let here = |partition: &Partition| same_location(location(partition), &ours.location);
        let Some(found) = now.get(ours.values.as_slice()).filter(|found| here(found)) else { continue };
        match before.get(ours.values.as_slice()) {
            None => undo.remove.push(ours.values.clone()),
            Some(earlier) if !here(earlier) => undo.move_back.push(input_of(earlier)),
            // an earlier invocation had published it
            Some(_) if !wrong => {}
            Some(_) => match found.parameters().and_then(|parameters| parameters.get(PREVIOUS_LOCATION)) {
                Some(location) => undo.move_back.push(at_previous(found, location)),
                None => undo.remove.push(ours.values.clone()),
            },
        }
    }
    // one that an earlier invocation had published at this run's location does not come back when the run is wrong
    let goes = |partition: &Partition| {
        let ours = publication.wanted.partitions.iter().find(|ours| ours.values == partition.values());
        wrong && ours.is_some_and(|ours| same_location(location(partition), &ours.location))
    };
    let gone = before.into_values().filter(|partition| !now.contains_key(partition.values()));
    undo.add_again = gone.filter(|partition| !goes(partition)).map(input_of).collect();
    undo
}

/// A partition that Glue holds, as Glue takes it back.
fn input_of(partition: &Partition) -> PartitionInput {
    PartitionInput::builder()
        .set_values(partition.values.clone())
        .set_last_access_time(partition.last_access_time)
        .set_storage_descriptor(partition.storage_descriptor.clone())
        .set_parameters(partition.parameters.clone())
        .set_last_analyzed_time(partition.last_analyzed_time)
        .build()
}

fn at_previous(partition: &Partition, location: &str) -> PartitionInput {
    let mut input = input_of(partition);
    if let Some(storage) = &mut input.storage_descriptor {
        storage.location = Some(location.to_owned());
    }
    if let Some(parameters) = &mut input.parameters {
        parameters.remove(PREVIOUS_LOCATION);
    }
    input
}

/// A partition of the run as Glue takes it: with the schema of now, and the way back.
fn input(publication: &Publication, to: &PartitionState, from: Option<&Partition>) -> Result<PartitionInput, Failure> {
    let storage: StorageDescriptor = publication.definition.storage_descriptor.descriptor(&to.location)?;
    let way_back = from.map(|from| (PREVIOUS_LOCATION.to_owned(), location(from).to_owned()));
    Ok(PartitionInput::builder()
        .set_values(Some(to.values.clone()))
        .storage_descriptor(storage)
        .set_parameters(way_back.map(|pair| HashMap::from([pair])))
        .build())
}

/// A partition as BatchUpdatePartition takes it.
pub fn update_entry(input: PartitionInput) -> Result<BatchUpdatePartitionRequestEntry, Failure> {
    BatchUpdatePartitionRequestEntry::builder()
        .set_partition_value_list(input.values.clone())
        .partition_input(input)
        .build()
        .map_err(Failure::internal)
}

/// Every partition of a publication's table that is registered; none of a table that is not there.
pub async fn list(glue: &Client, publication: &Publication) -> Result<Vec<Partition>, Failure> {
    let mut partitions = Vec::new();
    visit(glue, &publication.database, &publication.wanted.table, |partition| partitions.push(partition)).await?;
    Ok(partitions)
}

/// Shows every partition of a table that is registered. With their columns, all of them at once may need much memory.
pub async fn visit(
    glue: &Client,
    database: &str,
    table: &str,
    mut visit: impl FnMut(Partition),
) -> Result<(), Failure> {
    let get = glue.get_partitions().database_name(database).table_name(table);
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

// Each of these gives what Glue refused of the batches: a partition that another run created, moved or deleted
// meanwhile shows there, and is decided about again in the next round.

/// Changes registered partitions.
pub async fn update(
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
pub async fn create(
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

async fn delete(
    glue: &Client,
    publication: &Publication,
    partitions: Vec<Vec<String>>,
) -> Result<Vec<String>, Failure> {
    let mut refusals = Vec::new();
    for batch in partitions.chunks(DELETE_BATCH) {
        let values = |values: &Vec<String>| PartitionValueList::builder().set_values(Some(values.clone())).build();
        let batch = batch.iter().map(values).collect::<Result<_, _>>().map_err(Failure::internal)?;
        let answer = glue
            .batch_delete_partition()
            .database_name(&publication.database)
            .table_name(&publication.wanted.table)
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

/// What Glue has refused, in words.
fn told(publication: &Publication, refusals: &[String]) -> String {
    match publication.hides_partitions {
        true => format!("{} refused {HIDDEN}", refusals.len()),
        false => refusals.join("; "),
    }
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
    const NEWER: &str = "20261124T034500123Z-0000";

    fn publication(replaces: Replaces, dates: &[&str]) -> Publication {
        let mut publication = example::publication("calculated");
        publication.replaces = replaces;
        publication.wanted.partitions = dates
            .iter()
            .map(|date| PartitionState {
                values: vec![(*date).into()],
                location: format!("{}dea_snapshot_date={date}/", publication.wanted.location),
                rows: Some(1),
            })
            .collect();
        publication
    }

    fn registered(run: &str, date: &str) -> Partition {
        let location = format!("s3://curated/database/calculated/{run}/dea_snapshot_date={date}");
        Partition::builder()
            .values(date)
            .storage_descriptor(StorageDescriptor::builder().location(location).build())
            .build()
    }

    fn dates(found: &[&PartitionState]) -> Vec<String> {
        found.iter().map(|partition| partition.values[0].clone()).collect()
    }

    #[test]
    fn partitions_are_added_moved_removed_or_left() {
        let publication = publication(Replaces::Table, &["d1", "d2", "d3", "d4"]);
        let ours = publication.run.as_str();
        let found = [
            registered(ours, "d1"),
            registered(OLDER, "d2"),
            registered(NEWER, "d3"),
            registered(OLDER, "d8"),
            registered(NEWER, "d9"),
        ];
        let plan = plan(&found, &publication);
        assert_eq!(dates(&plan.held), ["d1"]);
        assert_eq!(plan.move_here, [(&publication.wanted.partitions[1], &found[1])]);
        assert_eq!(dates(&plan.add), ["d4"]);
        assert_eq!(plan.remove, [&found[3]], "and what a newer run holds is left to it");
        assert_eq!(plan.others, 2);
        assert!(!plan.is_done());
    }

    #[test]
    fn a_run_that_is_asked_for_takes_partitions_of_newer_ones_back() {
        let mut publication = publication(Replaces::Table, &["d1"]);
        publication.asked_for = true;
        let found = [registered(NEWER, "d1"), registered(NEWER, "d2"), registered(OLDER, "d3")];
        let plan = plan(&found, &publication);
        assert_eq!(plan.move_here, [(&publication.wanted.partitions[0], &found[0])]);
        assert_eq!(plan.remove, [&found[1], &found[2]]);
    }

    #[test]
    fn in_partition_mode_the_others_stay() {
        let publication = publication(Replaces::Partitions, &["d1"]);
        let found = [registered(publication.run.as_str(), "d1"), registered(OLDER, "d8")];
        let plan = plan(&found, &publication);
        assert!(plan.is_done());
        assert_eq!(dates(&plan.held), ["d1"]);
    }

    #[test]
    fn a_partition_moves_with_the_schema_of_now_and_the_way_back() {
        let publication = publication(Replaces::Partitions, &["d1"]);
        let from = registered(OLDER, "d1");
        let input = input(&publication, &publication.wanted.partitions[0], Some(&from)).unwrap();
        let entry = update_entry(input).unwrap();
        assert_eq!(entry.partition_value_list(), ["d1"]);
        let input = entry.partition_input().unwrap();
        let storage = input.storage_descriptor().unwrap();
        assert!(storage.location().unwrap().ends_with("-aaaa/dea_snapshot_date=d1/"));
        assert_eq!(storage.columns().len(), 3);
        assert_eq!(input.parameters().unwrap()[PREVIOUS_LOCATION], location(&from));
    }

    #[test]
    fn undo_takes_back_what_this_run_did_and_nothing_else() {
        let publication = publication(Replaces::Table, &["moved", "added", "held", "taken"]);
        let ours = publication.run.as_str();
        let before = [
            registered(OLDER, "moved"),
            registered(ours, "held"),
            registered(OLDER, "taken"),
            registered(OLDER, "removed"),
            registered(OLDER, "untouched"),
        ];
        let now = [
            registered(ours, "moved"),
            registered(ours, "added"),
            registered(ours, "held"),
            registered(NEWER, "taken"),
            registered(OLDER, "untouched"),
        ];
        let found = undo(&before, &now, &publication, false);
        assert_eq!(found.move_back, [input_of(&before[0])]);
        assert_eq!(found.remove, [["added"]]);
        assert_eq!(found.add_again, [input_of(&before[3])]);

        // what an earlier invocation published goes too when the data is wrong
        let found = undo(&before, &now, &publication, true);
        assert_eq!(found.remove, [["added"], ["held"]]);
        let undone = [before[0].clone(), before[3].clone(), now[3].clone(), now[4].clone()];
        assert_eq!(undo(&before, &undone, &publication, true), Undo::default(), "and once undone it stays undone");
        let mut now = now;
        now[2].parameters = Some(HashMap::from([(PREVIOUS_LOCATION.to_owned(), "s3://curated/older/".to_owned())]));
        let found = undo(&before, &now, &publication, true);
        assert_eq!(found.remove, [["added"]]);
        assert_eq!(found.move_back.len(), 2);
        assert_eq!(found.move_back[1].storage_descriptor().unwrap().location(), Some("s3://curated/older/"));
        assert_eq!(found.move_back[1].parameters(), Some(&HashMap::new()));
    }

    #[test]
    fn the_run_of_a_partition_is_above_its_columns() {
        let run = example::publication("calculated").run;
        let is_newer = |location: &str, values: &[&str]| {
            let partition = Partition::builder()
                .set_values(Some(values.iter().map(|&value| value.to_owned()).collect()))
                .storage_descriptor(StorageDescriptor::builder().location(location).build());
            is_newer(&partition.build(), &run)
        };
        assert!(is_newer(&format!("s3://b/t/{NEWER}/y=2026/m=11%2F1/"), &["2026", "11/1"]));
        assert!(is_newer(&format!("s3://b/t/{NEWER}/y=2026"), &["2026"]));
        assert!(!is_newer(&format!("s3://b/t/{OLDER}/y=2026/"), &["2026"]));
        assert!(!is_newer("s3://b/t/y=2026/", &["2026"]));
        assert!(!is_newer("", &["2026"]));
    }
}

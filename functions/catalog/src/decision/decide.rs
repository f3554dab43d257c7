//! The rules of decisions: each function returns the next decision for a request, or why it is refused.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use contract::{Failure, Replaces, RunId};

use crate::decision::places::Places;
use crate::decision::record::{Decided, Decision, PartitionState, same_location};

/// A run that is to be published.
#[derive(Clone, Debug)]
pub(crate) struct Proposal {
    pub run: RunId,
    /// Whether a person asked for this run by name. It is then published over any other run.
    pub asked_for: bool,
    pub tables: Vec<Proposed>,
}

/// A table as a run has written it.
#[derive(Clone, Debug)]
pub(crate) struct Proposed {
    /// The table as the run wrote it.
    pub table: Decided,
    /// How much of the table the run replaces.
    pub replaces: Replaces,
    /// The locations that the run copied partitions from, by partition values, if the run makes the table whole by
    /// copying. `None` if it has copied none, or appends.
    pub copied: Option<BTreeMap<Vec<String>, String>>,
}

/// The outcome of a publication for one table of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The table is published, or some of its partitions are.
    Published,
    /// A newer run is published, and stays.
    Superseded,
    /// The run, or a newer one, was rolled back.
    Withdrawn,
}

/// The reason why nothing is decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The run was built on another run than the published one, so partitions that it left out may differ or be
    /// missing.
    Stale {
        table: String,
        /// The run that it was built on.
        base: Option<RunId>,
        /// The published run.
        now: Option<RunId>,
    },
    /// A column has a different type in the files of partitions that stay.
    Retyped {
        table: String,
        column: String,
        /// Its type in existing files.
        from: String,
        /// Its type in the run's files.
        to: String,
        /// How many partitions stay.
        partitions: usize,
    },
    /// Its files are being deleted, or no longer exist.
    Expired {
        table: String,
        /// The location that the decision would have pointed at.
        location: String,
    },
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Stale { table, base, now } => {
                let told = |run: Option<RunId>| run.map_or_else(|| "no run".to_owned(), |run| format!("run {run}"));
                let (base, now) = (told(base), told(now));
                Self::stale(format!("table `{table}`: the run adds to {base}, and {now} is published: build it again"))
            }
            Refusal::Retyped { table, column, from, to, partitions } => {
                Self::retyped(&table, &column, &from, &to, partitions)
            }
            Refusal::Expired { table, location } => {
                Self::not_found(format!("table `{table}`: {location} has expired; its files are being deleted"))
            }
        }
    }
}

/// Returns the decision that publishes a run, and the outcome for each table. If nothing changes, this is the current
/// decision.
pub(crate) fn publish(
    current: &Decision,
    proposal: &Proposal,
    now: DateTime<Utc>,
) -> Result<(Decision, BTreeMap<String, Outcome>), Refusal> {
    let mut next = current.next(now);
    let mut outcomes = BTreeMap::new();
    let mut moved = false;
    for proposed in &proposal.tables {
        let name = &proposed.table.state.table;
        let before = current.table(name);
        let (table, outcome) = match before {
            Some(before) => published_over(before, proposed, proposal)?,
            None => (new(proposed)?, Outcome::Published),
        };
        moved |= before.is_none_or(|before| !before.state.is_at(&table.state));
        check_files(current, &table)?;
        next.set(table);
        outcomes.insert(name.clone(), outcome);
    }
    if moved {
        next.before = current.entry();
        next.run = Some(proposal.run.clone());
    }
    // a new definition alone is not a state to roll back to, so it leaves `before` and `run` as they are
    Ok((if next.says(current) { current.clone() } else { next }, outcomes))
}

fn new(proposed: &Proposed) -> Result<Decided, Refusal> {
    match &proposed.table.base {
        Some(base) => Err(stale(proposed, Some(base), None)),
        None => Ok(proposed.table.clone()),
    }
}

fn stale(proposed: &Proposed, base: Option<&RunId>, now: Option<RunId>) -> Refusal {
    Refusal::Stale { table: proposed.table.state.table.clone(), base: base.cloned(), now }
}

fn published_over(before: &Decided, proposed: &Proposed, proposal: &Proposal) -> Result<(Decided, Outcome), Refusal> {
    let (run, at) = (&proposal.run, before.state.run());
    let is_there = at.as_ref() == Some(run);
    let is_older = !proposal.asked_for && at.as_ref().is_some_and(|at| at > run);
    let is_withdrawn = before.rolled_back_from.as_ref().is_some_and(|taken_back| taken_back >= run);
    if !proposal.asked_for && !is_there && is_withdrawn {
        return Ok((before.clone(), Outcome::Withdrawn));
    }
    // a table that no run has made is replaced whole
    let whole = proposed.replaces == Replaces::Table || at.is_none();
    let base = proposed.table.base.as_ref();
    if is_older && (whole || base.is_some()) {
        return if has_partitions_of_its_own(before, proposed, run) {
            Err(stale(proposed, base, at))
        } else {
            Ok((before.clone(), Outcome::Superseded))
        };
    }
    let is_complete = at.is_none() || is_complete(before, proposed);
    if !is_there && (base.is_some_and(|base| at.as_ref() != Some(base)) || !is_complete) {
        return Err(stale(proposed, base, at));
    }
    let mut table = if is_older { before.clone() } else { proposed.table.clone() };
    let mut taken = !is_older;
    let copies = proposed.copied.as_ref().is_some_and(|copied| !copied.is_empty());
    if whole && copies && !is_there {
        table.undescribed = held_types(before, &proposed.table, proposed.copied.iter().map(BTreeMap::len).sum())?;
    }
    if !whole {
        let (partitions, any) = merged(&before.state.partitions, proposed, proposal);
        taken |= any;
        let of_run = |partition: &&PartitionState| partition.run().as_ref() == Some(run);
        let stay = partitions.len() - partitions.iter().filter(of_run).count();
        if any && stay > 0 {
            let held = held_types(before, &proposed.table, stay)?;
            table.undescribed = if is_older {
                let described = table.types();
                let ours = proposed.table.types().into_iter().filter(|(column, _)| !described.contains_key(column));
                before.undescribed.clone().into_iter().chain(ours).collect()
            } else {
                held
            };
        }
        table.state.rows = partitions.iter().map(|partition| partition.rows).sum();
        table.state.partitions = partitions;
    }
    let newest = at.into_iter().chain(before.rolled_back_from.clone()).max();
    table.rolled_back_from = newest.filter(|newest| newest > run);
    if is_older {
        table.rolled_back_from.clone_from(&before.rolled_back_from);
    }
    Ok((table, if taken { Outcome::Published } else { Outcome::Superseded }))
}

/// Returns the types of columns that exist only in the files of partitions that stay. A column that the run has too
/// must have the same type.
fn held_types(before: &Decided, ours: &Decided, partitions: usize) -> Result<BTreeMap<String, String>, Refusal> {
    let mut held = before.types();
    for (column, to) in ours.types() {
        match held.remove(&column) {
            Some(from) if from != to => {
                return Err(Refusal::Retyped { table: before.state.table.clone(), column, from, to, partitions });
            }
            _ => {}
        }
    }
    Ok(held)
}

/// Whether an older run that makes the table whole wrote partitions that no newer run has written. These must not be
/// lost.
fn has_partitions_of_its_own(before: &Decided, proposed: &Proposed, run: &RunId) -> bool {
    let Some(copied) = &proposed.copied else { return false };
    let is_newer = |there: &PartitionState| there.run().is_some_and(|there| there >= *run);
    let newer: BTreeSet<_> =
        before.state.partitions.iter().filter(|there| is_newer(there)).map(|one| &one.values).collect();
    let ours = proposed.table.state.partitions.iter().map(|partition| &partition.values);
    ours.into_iter().any(|values| !copied.contains_key(values) && !newer.contains(values))
}

/// Whether a run that makes the table whole has every published partition: written by itself, or copied from the
/// location where it is published.
fn is_complete(before: &Decided, proposed: &Proposed) -> bool {
    let Some(copied) = &proposed.copied else { return true };
    let ours: BTreeSet<_> = proposed.table.state.partitions.iter().map(|partition| &partition.values).collect();
    let mut left: BTreeMap<_, _> = copied.iter().collect();
    let all = before.state.partitions.iter().all(|there| match left.remove(&there.values) {
        Some(from) => same_location(from, &there.location),
        None => ours.contains(&there.values),
    });
    all && left.is_empty()
}

/// Merges a run's partitions into those of a table, except where a newer run has written a partition. Also returns
/// whether any of the run's partitions was used.
fn merged(before: &[PartitionState], proposed: &Proposed, proposal: &Proposal) -> (Vec<PartitionState>, bool) {
    let by_values = |partition: &PartitionState| (partition.values.clone(), partition.clone());
    let mut partitions: BTreeMap<Vec<String>, PartitionState> = before.iter().map(by_values).collect();
    let mut any = false;
    for ours in &proposed.table.state.partitions {
        let there = partitions.get(&ours.values).and_then(PartitionState::run);
        if proposal.asked_for || there.is_none_or(|there| there <= proposal.run) {
            partitions.insert(ours.values.clone(), ours.clone());
            any = true;
        }
    }
    (partitions.into_values().collect(), any)
}

/// Refuses a table that would point at a folder that expiry deletes.
fn check_files(current: &Decision, table: &Decided) -> Result<(), Refusal> {
    if current.expired.is_empty() {
        return Ok(());
    }
    let expired = current.expired.iter().map(String::as_str).collect::<Places>();
    let state = &table.state;
    let locations = std::iter::once(&state.location).chain(state.partitions.iter().map(|one| &one.location));
    match locations.map(|location| format!("{}/", location.trim_end_matches('/'))).find(|one| expired.holds(one)) {
        Some(location) => Err(Refusal::Expired { table: state.table.clone(), location }),
        None => Ok(()),
    }
}

/// Returns the decision that takes tables back, or forward, to an earlier state. Tables that `then` does not have stay.
pub(crate) fn roll_back(
    current: &Decision,
    then: &Decision,
    is_described: impl Fn(&str) -> bool,
    now: DateTime<Utc>,
) -> Result<Decision, Refusal> {
    let mut next = current.next(now);
    for table in then.tables.iter().filter(|table| is_described(&table.state.table)) {
        let mut table = table.clone();
        table.rolled_back_from = None;
        // the permission applied to the foreign table of that time
        table.takes_over = None;
        if let Some(before) = current.table(&table.state.table) {
            let (newest, there) = (before.state.newest(), table.state.newest());
            let newest = newest.into_iter().chain(before.rolled_back_from.clone()).max();
            let changes = !before.state.is_at(&table.state) && before.rolled_back_from.is_none();
            table.rolled_back_from = newest
                .filter(|newest| there.as_ref().is_none_or(|there| newest > there || (newest == there && changes)));
        }
        check_files(current, &table)?;
        next.set(table);
    }
    next.run.clone_from(&then.run);
    next.before.clone_from(&then.before);
    Ok(if next.says(current) { current.clone() } else { next })
}

/// Returns the decision that reverts `ours` to `before`, except where a later decision has changed a table since.
pub(crate) fn take_back(current: &Decision, ours: &Decision, before: &Decision, now: DateTime<Utc>) -> Decision {
    let mut next = current.next(now);
    for table in &ours.tables {
        let name = &table.state.table;
        let (was, is) = (before.table(name), current.table(name));
        if was == Some(table) {
            continue;
        }
        match (is, was) {
            (Some(is), Some(was)) if is == table => next.set(was.clone()),
            (Some(is), None) if is == table => next.remove(name),
            // a newer run has replaced other partitions: only those that `ours` set are reverted
            (Some(is), _) if is.base.is_none() && table.base.is_none() => next.set(without(is, table, was)),
            _ => {}
        }
    }
    if current.sequence == ours.sequence {
        next.before.clone_from(&before.before);
        next.run.clone_from(&before.run);
    } else if current.before == ours.entry() {
        next.before.clone_from(&ours.before);
    }
    if next.tables == current.tables { current.clone() } else { next }
}

/// Returns a table in which each partition that `ours` set goes back to its state in `was`, or is removed if it had
/// none.
fn without(is: &Decided, ours: &Decided, was: Option<&Decided>) -> Decided {
    let find = |table: &'_ Decided, values: &[String]| {
        table.state.partitions.iter().find(|partition| partition.values == values).cloned()
    };
    let mut table = is.clone();
    table.state.partitions = is
        .state
        .partitions
        .iter()
        .filter_map(|partition| {
            let given = find(ours, &partition.values);
            let same = |one: &PartitionState| same_location(&one.location, &partition.location);
            match given.filter(same) {
                Some(_) => was.and_then(|was| find(was, &partition.values)),
                None => Some(partition.clone()),
            }
        })
        .collect();
    if !is.state.partitions.is_empty() {
        table.state.rows = table.state.partitions.iter().map(|partition| partition.rows).sum();
    }
    table
}

/// Returns the decision that lets the pipeline replace foreign tables, given by name and location.
pub(crate) fn take_over(current: &Decision, places: &BTreeMap<String, String>, now: DateTime<Utc>) -> Decision {
    let mut next = current.next(now);
    for table in &mut next.tables {
        if let Some(place) = places.get(&table.state.table) {
            table.takes_over = Some(place.clone());
        }
    }
    if next.says(current) { current.clone() } else { next }
}

/// Returns the decision without the given tables.
pub(crate) fn drop_tables(current: &Decision, names: &[String], now: DateTime<Utc>) -> Decision {
    let mut next = current.next(now);
    names.iter().for_each(|name| next.remove(name));
    if next.says(current) { current.clone() } else { next }
}

/// Returns the decision that promises never to point at these folders again. It leaves out folders that are in use.
pub(crate) fn expire(current: &Decision, candidates: BTreeSet<String>) -> Decision {
    let used = current.places();
    let expired: BTreeSet<String> = candidates.into_iter().filter(|folder| !used.covers(folder)).collect();
    // no table changes, so neither the journal nor Glue needs an update
    let sequence = current.sequence + u64::from(expired != current.expired);
    Decision { sequence, expired, ..current.clone() }
}

//! What may be decided: what follows from a decision and a wish.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use contract::{Failure, Replaces, RunId};

use crate::decision::places::Places;
use crate::decision::record::{Decided, Decision, PartitionState, same_location};

/// A run that is to be published.
#[derive(Clone, Debug)]
pub(crate) struct Proposal {
    /// The run.
    pub run: RunId,
    /// Whether somebody asked for this very run: it is published whatever is there now.
    pub asked_for: bool,
    /// Its tables.
    pub tables: Vec<Proposed>,
}

/// A table as a run has written it.
#[derive(Clone, Debug)]
pub(crate) struct Proposed {
    /// What the run has made of it.
    pub table: Decided,
    /// How much of the table that is.
    pub replaces: Replaces,
    /// Where a run that makes the table whole has copied partitions from, by values; `None` where it has copied none,
    /// or adds to them.
    pub copied: Option<BTreeMap<Vec<String>, String>>,
}

/// What became of a table of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It is published, or some of its partitions are.
    Published,
    /// A newer run is there, and stays.
    Superseded,
    /// The run, or one after it, was taken back by hand.
    Withdrawn,
}

/// Why nothing is decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The run is built on another one than is published: what it has left out is not there.
    Stale {
        /// The table.
        table: String,
        /// The run that it is built on.
        base: Option<RunId>,
        /// The run that is published.
        now: Option<RunId>,
    },
    /// A column has another type than in the files of partitions that stay.
    Retyped {
        /// The table.
        table: String,
        /// The column.
        column: String,
        /// Its type in files that are there.
        from: String,
        /// Its type in those of the run.
        to: String,
        /// How many partitions stay.
        partitions: usize,
    },
    /// Its files are being deleted, or are gone.
    Expired {
        /// The table.
        table: String,
        /// Where it was.
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

/// What is published when a run is: the same decision where nothing changes.
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
    // a table that is only described anew is no place to come back to
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
    // of a table that no run has made nothing stays
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

/// The types of columns that are in the files of a table besides those that it describes, where partitions stay beside
/// a run's: none has two.
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

/// Whether an older run that makes the table whole has written partitions that no newer one has: they are not to be
/// lost.
fn has_partitions_of_its_own(before: &Decided, proposed: &Proposed, run: &RunId) -> bool {
    let Some(copied) = &proposed.copied else { return false };
    let is_newer = |there: &PartitionState| there.run().is_some_and(|there| there >= *run);
    let newer: BTreeSet<_> =
        before.state.partitions.iter().filter(|there| is_newer(there)).map(|one| &one.values).collect();
    let ours = proposed.table.state.partitions.iter().map(|partition| &partition.values);
    ours.into_iter().any(|values| !copied.contains_key(values) && !newer.contains(values))
}

/// Whether a run that makes the table whole has every partition: those that are published, but for its own, copied from
/// where they are.
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

/// The partitions of a table of which a run replaces some; one that a newer run has written stays. Whether any is the
/// run's.
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

/// Nothing is pointed at what expiry deletes.
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

/// What is published when tables go back, or forward, to what they were once: those that `then` does not have stay.
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
        // it was said of the table that was there then
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

/// What is published when a decision turns out wrong: what was before it, as far as nobody has decided otherwise since.
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
            // a newer run has replaced other partitions: ours among its own go back alone
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

/// A table without those partitions that a decision has given it, and which were otherwise before.
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

/// What is published when tables of others, each at a place, are replaced by the pipeline's.
pub(crate) fn take_over(current: &Decision, places: &BTreeMap<String, String>, now: DateTime<Utc>) -> Decision {
    let mut next = current.next(now);
    for table in &mut next.tables {
        if let Some(place) = places.get(&table.state.table) {
            table.takes_over = Some(place.clone());
        }
    }
    if next.says(current) { current.clone() } else { next }
}

/// What is published when tables are dropped.
pub(crate) fn drop_tables(current: &Decision, names: &[String], now: DateTime<Utc>) -> Decision {
    let mut next = current.next(now);
    names.iter().for_each(|name| next.remove(name));
    if next.says(current) { current.clone() } else { next }
}

/// The promise that nothing is pointed at these folders again; those at which something points are not among them.
pub(crate) fn expire(current: &Decision, candidates: BTreeSet<String>) -> Decision {
    let used = current.places();
    let expired: BTreeSet<String> = candidates.into_iter().filter(|folder| !used.covers(folder)).collect();
    // no table changes: neither the journal nor Glue has anything to learn
    let sequence = current.sequence + u64::from(expired != current.expired);
    Decision { sequence, expired, ..current.clone() }
}

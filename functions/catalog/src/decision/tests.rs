//! Tests of the rules of decisions, request by request. [`super::model`] tests concurrent requests.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use contract::{Replaces, RunId};

use super::decide::{Outcome, Proposal, Proposed, Refusal, drop_tables, expire, publish, roll_back, take_back};
use super::{Decided, Decision, PartitionState, TableState};
use crate::definition::{ColumnDefinition, TableDefinition};

const NOW: DateTime<Utc> = DateTime::UNIX_EPOCH;

fn run(n: u8) -> RunId {
    RunId::parse(&format!("2026112{n}T034500123Z-aaaa")).unwrap()
}

fn partition(n: u8, day: &str) -> PartitionState {
    PartitionState {
        values: vec![day.into()],
        location: format!("s3://b/t/{}/d={day}/", run(n)),
        rows: Some(1),
        written_by: None,
    }
}

/// Returns a run that wrote these partitions, and that was built on another run or on none.
fn proposal(n: u8, base: Option<u8>, replaces: Replaces, days: &[&str]) -> Proposal {
    let partitions: Vec<_> = days.iter().map(|day| partition(n, day)).collect();
    let state = TableState {
        table: "t".into(),
        location: format!("s3://b/t/{}/", run(n)),
        rows: Some(partitions.len() as u64),
        partitions,
    };
    let definition = TableDefinition { description: run(n).to_string(), ..TableDefinition::default() };
    let base = base.map(run);
    let table = Decided {
        state,
        definition,
        base,
        rolled_back_from: None,
        hides_partitions: false,
        takes_over: None,
        undescribed: BTreeMap::new(),
    };
    Proposal { run: run(n), asked_for: false, tables: vec![Proposed { table, replaces, copied: None }] }
}

fn decided(current: &Decision, proposal: &Proposal) -> (Decision, Outcome) {
    let (next, outcomes) = publish(current, proposal, NOW).unwrap();
    (next, outcomes["t"])
}

/// Returns the run of each day's partition.
fn days(decision: &Decision) -> Vec<(&str, Option<RunId>)> {
    let partitions = &decision.table("t").unwrap().state.partitions;
    partitions.iter().map(|partition| (partition.values[0].as_str(), partition.run())).collect()
}

#[test]
fn a_run_is_published_once_and_none_before_it() {
    let whole = |n| proposal(n, None, Replaces::Table, &["1"]);
    let (first, outcome) = decided(&Decision::default(), &whole(2));
    assert_eq!((first.sequence, outcome, &first.before), (1, Outcome::Published, &None));
    assert_eq!(decided(&first, &whole(2)), (first.clone(), Outcome::Published));
    assert_eq!(decided(&first, &whole(1)), (first.clone(), Outcome::Superseded));
    let (next, _) = decided(&first, &whole(3));
    assert_eq!((next.sequence, &next.before), (2, &first.entry()));
    assert!(next.time() > first.time(), "also where the clock stands still");

    // a new definition alone is not a state to roll back to
    let mut described = whole(3);
    described.tables[0].table.definition.description = "otherwise".into();
    let (again, _) = decided(&next, &described);
    assert_eq!((again.sequence, &again.before), (3, &next.before));
}

#[test]
fn an_older_run_keeps_the_partitions_that_no_newer_one_has_written() {
    let some = |n, days: &[&str]| proposal(n, None, Replaces::Partitions, days);
    let (first, _) = decided(&Decision::default(), &some(1, &["1", "2"]));
    let (newer, _) = decided(&first, &some(3, &["2", "3"]));
    let (both, outcome) = decided(&newer, &some(2, &["2", "4"]));
    assert_eq!(outcome, Outcome::Published);
    assert_eq!(days(&both), [("1", Some(run(1))), ("2", Some(run(3))), ("3", Some(run(3))), ("4", Some(run(2)))]);
    let table = both.table("t").unwrap();
    assert_eq!((table.state.run(), table.state.rows), (Some(run(3)), Some(4)));
    assert_eq!(table.definition.description, run(3).to_string());
    assert_eq!(decided(&newer, &some(2, &["2"])), (newer.clone(), Outcome::Superseded));

    // if a newer run has replaced other partitions, only the failed run's partitions are reverted
    let (newest, _) = decided(&both, &some(4, &["1"]));
    let back = take_back(&newest, &both, &newer, NOW);
    assert_eq!(days(&back), [("1", Some(run(4))), ("2", Some(run(3))), ("3", Some(run(3)))]);
    assert_eq!(back.before, both.before, "nothing leads to it any more");
}

#[test]
fn a_run_adds_to_what_is_published_or_is_stale() {
    let (first, _) = decided(&Decision::default(), &proposal(1, None, Replaces::Table, &["1", "2"]));
    let second = proposal(2, Some(1), Replaces::Partitions, &["2"]);
    let (next, _) = decided(&first, &second);
    assert_eq!(days(&next), [("1", Some(run(1))), ("2", Some(run(2)))]);
    assert_eq!(decided(&next, &second), (next.clone(), Outcome::Published), "handled once more");
    let third = proposal(3, Some(2), Replaces::Partitions, &["1"]);
    let back = take_back(&next, &next, &first, NOW);
    assert_eq!((&back.tables, &back.run, &back.before), (&first.tables, &first.run, &first.before));
    for (current, now) in [(&back, Some(run(1))), (&Decision::default(), None)] {
        let stale = Refusal::Stale { table: "t".into(), base: Some(run(2)), now };
        assert_eq!(publish(current, &third, NOW), Err(stale));
    }
    // if another run has appended to it, it cannot be reverted alone
    let (third, _) = decided(&next, &third);
    assert_eq!(take_back(&third, &next, &first, NOW).tables, third.tables);
    assert_eq!(decided(&third, &second).1, Outcome::Superseded);
}

/// Returns a run that wrote some partitions and copied the others from their published locations.
fn completed(n: u8, on: &Decision, written: &[&str]) -> Proposal {
    let before = on.table("t").map(|table| table.state.clone());
    let kept: Vec<_> = before.iter().flat_map(|state| state.partitions.clone()).collect();
    let kept: Vec<_> = kept.into_iter().filter(|one| !written.contains(&one.values[0].as_str())).collect();
    let mut proposal = proposal(n, None, Replaces::Table, written);
    let proposed = &mut proposal.tables[0];
    proposed.copied = Some(kept.iter().map(|one| (one.values.clone(), one.location.clone())).collect());
    proposed.table.base = before.and_then(|state| state.run());
    let copies = kept.iter().map(|one| PartitionState { written_by: one.run(), ..partition(n, &one.values[0]) });
    proposed.table.state.partitions.extend(copies);
    proposal
}

#[test]
fn a_run_that_makes_a_table_whole_has_all_of_what_is_published() {
    // the published partitions are in several folders
    let some = |n, days: &[&str]| proposal(n, None, Replaces::Partitions, days);
    let (first, _) = decided(&Decision::default(), &some(1, &["1", "2"]));
    let (several, _) = decided(&first, &some(3, &["2"]));
    let at = |decision: &Decision| decision.table("t").unwrap().state.pointed_at();
    assert_eq!((at(&first), at(&several)), (format!("s3://b/t/{}/", run(1)), contract::of_several_runs("s3://b/t/x/")));
    let (whole, outcome) = decided(&several, &completed(5, &several, &["3"]));
    assert_eq!((outcome, at(&whole)), (Outcome::Published, format!("s3://b/t/{}/", run(5))));
    let by_day = [("1", Some(run(1))), ("2", Some(run(3))), ("3", Some(run(5)))];
    let mut found = days(&whole);
    found.sort();
    assert_eq!(found, by_day, "by who has written them");

    // another run was published meanwhile, or the run that it was built on was reverted
    let late = completed(6, &several, &["4"]);
    let stale = |base, now| Err(Refusal::Stale { table: "t".into(), base: Some(run(base)), now: Some(run(now)) });
    assert_eq!(publish(&whole, &late, NOW), stale(3, 5));
    // an older run of another kind has added a partition, and the table's location stays at the same run
    let built = completed(6, &several, &["4"]);
    let (grown, _) = decided(&several, &some(2, &["9"]));
    assert_eq!((grown.table("t").unwrap().state.run(), publish(&grown, &built, NOW)), (Some(run(3)), stale(3, 3)));
    assert_eq!(
        publish(&Decision::default(), &built, NOW),
        Err(Refusal::Stale { table: "t".into(), base: Some(run(3)), now: None })
    );

    // an older run is built again if it has partitions that no newer run has
    assert_eq!(publish(&whole, &completed(4, &several, &["4"]), NOW), stale(3, 5));
    assert_eq!(publish(&whole, &completed(4, &several, &["2"]), NOW), stale(3, 5));
    assert_eq!(decided(&whole, &completed(4, &several, &["3"])).1, Outcome::Superseded);
    assert_eq!(decided(&whole, &completed(5, &several, &["3"])), (whole.clone(), Outcome::Published), "once more");
    // from then on, each run also copies the partitions that the run before has copied
    let (next, _) = decided(&whole, &completed(7, &whole, &["1"]));
    let mut found = days(&next);
    found.sort();
    assert_eq!(found, [("1", Some(run(7))), ("2", Some(run(3))), ("3", Some(run(5)))]);
    assert_eq!(take_back(&next, &next, &whole, NOW).tables, whole.tables);
}

/// Returns the same run of a table with these columns.
fn of_columns(mut proposal: Proposal, columns: &[(&str, &str)]) -> Proposal {
    let described = columns.iter().map(|(name, kind)| ColumnDefinition {
        name: (*name).into(),
        column_type: (*kind).into(),
        ..ColumnDefinition::default()
    });
    proposal.tables[0].table.definition.storage_descriptor.columns = described.collect();
    proposal
}

#[test]
fn a_column_has_one_type_in_all_partitions() {
    let some =
        |n, days: &[&str], columns: &[(&str, &str)]| of_columns(proposal(n, None, Replaces::Partitions, days), columns);
    let retyped_of = |column: &str, from: &str, to: &str, partitions| {
        let (table, column) = ("t".into(), column.into());
        Err(Refusal::Retyped { table, column, from: from.into(), to: to.into(), partitions })
    };
    let retyped = |from: &str, to: &str, partitions| retyped_of("x", from, to, partitions);
    let (first, _) = decided(&Decision::default(), &some(1, &["1", "2"], &[("x", "int"), ("y", "string")]));
    let wider = &[("x", "bigint")];
    assert_eq!(publish(&first, &some(2, &["1"], wider), NOW), retyped("int", "bigint", 1));
    // no partition stays if the run writes all of them or replaces the table
    decided(&first, &some(2, &["1", "2"], wider));
    decided(&first, &of_columns(proposal(2, None, Replaces::Table, &["1"]), wider));
    assert_eq!(publish(&first, &of_columns(completed(2, &first, &["1"]), wider), NOW), retyped("int", "bigint", 1));

    // a column that is no longer described is still in the files that stay, until none stays
    let (without, _) = decided(&first, &some(3, &["1"], &[("y", "string")]));
    let again = some(4, &["3"], &[("x", "string")]);
    assert_eq!(publish(&without, &again, NOW), retyped("int", "string", 2));
    let (with, _) = decided(&without, &some(4, &["3"], &[("x", "int")]));
    assert_eq!(
        publish(&with, &some(5, &["3"], &[("y", "date")]), NOW).unwrap_err(),
        Refusal::Retyped {
            table: "t".into(),
            column: "y".into(),
            from: "string".into(),
            to: "date".into(),
            partitions: 2
        }
    );
    let (copied, _) = decided(&without, &of_columns(completed(4, &without, &["3"]), &[("y", "string")]));
    assert_eq!(
        publish(&copied, &of_columns(completed(5, &copied, &["3"]), &[("x", "date")]), NOW),
        retyped("int", "date", 2)
    );
    let (fresh, _) = decided(&without, &of_columns(proposal(5, None, Replaces::Table, &["1"]), &[("x", "string")]));
    assert_eq!(fresh.table("t").unwrap().undescribed, BTreeMap::new());
    // a late run has the old type, or a column that is no longer described
    let (late, _) = decided(&fresh, &some(4, &["8"], &[("z", "int")]));
    assert_eq!(publish(&late, &some(6, &["9"], &[("z", "date")]), NOW), retyped_of("z", "int", "date", 2));
    assert_eq!(publish(&fresh, &some(4, &["7"], &[("x", "int")]), NOW), retyped("string", "int", 1));
}

#[test]
fn a_run_that_was_taken_back_stays_away_until_it_is_asked_for() {
    let whole = |n| proposal(n, None, Replaces::Table, &["1"]);
    let (first, _) = decided(&Decision::default(), &whole(1));
    let (second, _) = decided(&first, &whole(3));
    let all = |_: &str| true;
    let back = roll_back(&second, &first, all, NOW).unwrap();
    assert_eq!((days(&back), &back.before), (days(&first), &None));
    for n in [2, 3] {
        assert_eq!(decided(&back, &whole(n)), (back.clone(), Outcome::Withdrawn));
    }
    assert_eq!(roll_back(&back, &first, all, NOW).unwrap().tables, back.tables);
    let forward = roll_back(&back, &second, all, NOW).unwrap();
    assert_eq!((days(&forward), forward.before.as_ref()), (days(&second), first.entry().as_ref()));
    assert_eq!(forward.table("t").unwrap().rolled_back_from, None);
    let (next, outcome) = decided(&back, &whole(4));
    assert_eq!((outcome, &next.table("t").unwrap().rolled_back_from), (Outcome::Published, &None));
    let asked = Proposal { asked_for: true, ..whole(2) };
    assert_eq!(decided(&back, &asked).1, Outcome::Published);
}

#[test]
fn nothing_is_pointed_at_what_expires_and_nothing_expires_that_is_published() {
    let whole = |n| proposal(n, None, Replaces::Table, &["1"]);
    let (first, _) = decided(&Decision::default(), &whole(1));
    let (second, _) = decided(&first, &whole(2));
    let folder = |n: u8| format!("s3://b/t/{}/", run(n));
    let over = expire(&second, [folder(1), folder(2)].into());
    assert_eq!((over.sequence, &over.expired), (3, &BTreeSet::from([folder(1)])));
    assert_eq!((&over.tables, over.entry()), (&second.tables, second.entry()));
    let refused = Refusal::Expired { table: "t".into(), location: folder(1) };
    assert_eq!(roll_back(&over, &first, |_| true, NOW), Err(refused.clone()));
    let asked = Proposal { asked_for: true, ..whole(1) };
    assert_eq!(publish(&over, &asked, NOW), Err(refused));
    assert_eq!(expire(&over, [folder(1)].into()), over);
    // a dropped table no longer keeps folders from expiring
    assert_eq!(drop_tables(&over, &["t".into()], NOW).tables, []);
}

//! The world that actors share: S3, Glue and the output of runs.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use chrono::{DateTime, Utc};
use contract::{Replaces, RunId};

use super::task::{End, Task};
use crate::decision::{self, Decided, Decision, PartitionState, Proposal, Proposed, TableState};
use crate::definition::TableDefinition;

/// How runs build the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Mode {
    /// Without partitions, built from all files.
    Whole,
    /// With partitions, built from all files.
    Rebuild,
    /// With partitions; runs append.
    Append,
    /// With partitions; a run writes one of them.
    Partition,
    /// The same, but the run copies the other partitions.
    Completed,
}

/// The number of decisions before a scenario begins.
pub(super) const FIRST: u64 = 2;
pub(super) const TABLE: &str = "t";
/// The time of every decision. Decisions make sure themselves that each is later than the one before.
pub(super) const NOW: DateTime<Utc> = DateTime::UNIX_EPOCH;

/// The output of a run.
#[derive(Clone, Debug)]
pub(super) struct Manifest {
    pub proposal: Proposal,
    /// The files whose rows are in the table after this run.
    holds: BTreeSet<u8>,
    /// Every partition of the table as the run sees it.
    all: BTreeMap<String, String>,
}

/// Glue's table.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Glue {
    pub version: u32,
    pub location: String,
    /// Location by value.
    pub partitions: BTreeMap<String, String>,
}

#[derive(Clone, Debug)]
pub(super) struct World {
    pub mode: Mode,
    pub current: Rc<Decision>,
    pub etag: u32,
    pub journal: BTreeMap<String, Rc<Decision>>,
    pub glue: Glue,
    /// The files whose rows are in each folder.
    pub folders: Rc<BTreeMap<String, BTreeSet<u8>>>,
    pub manifests: Rc<BTreeMap<RunId, Manifest>>,
    /// The number of files that have landed. They are numbered from 1.
    landed: u8,
    runs: u32,
    /// Whether any run was rolled back or reverted.
    pub taken_back: bool,
}

impl std::hash::Hash for World {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        (self.etag, &self.glue, &self.folders, self.landed, self.runs).hash(state);
        self.current.before.hash(state);
        self.current.expired.hash(state);
        for decision in self.journal.values().chain([&self.current]) {
            (decision.sequence, decision.settled, &decision.run).hash(state);
            for table in &decision.tables {
                (&table.state.location, &table.rolled_back_from, &table.base).hash(state);
                table.state.partitions.iter().for_each(|partition| partition.location.hash(state));
            }
        }
    }
}

impl World {
    /// Starts with two published runs, one after the other.
    pub(super) fn new(mode: Mode) -> Self {
        let mut world = Self {
            mode,
            current: Rc::default(),
            etag: 0,
            journal: BTreeMap::new(),
            glue: Glue::default(),
            folders: Rc::default(),
            manifests: Rc::default(),
            landed: 2,
            runs: 0,
            taken_back: false,
        };
        for _ in 0..FIRST {
            let run = world.start();
            let base = RunId::of_location(&world.glue.location);
            let on = Rc::clone(&world.current);
            world.build(&run, base.as_ref(), &on);
            let proposal = world.manifests[&run].proposal.clone();
            let (next, _) = decision::publish(&world.current, &proposal, NOW).expect("a fresh run");
            if let Some(entry) = world.current.entry() {
                world.journal.insert(entry, Rc::clone(&world.current));
            }
            world.current = Rc::new(Decision { settled: true, ..next });
            world.etag += 1;
            world.glue = world.decided();
        }
        world
    }

    /// Lands a file and begins a run.
    pub(super) fn start(&mut self) -> RunId {
        self.landed += 1;
        self.runs += 1;
        RunId::parse(&format!("20261123T0345{:02}000Z-r{}", self.runs, self.landed)).expect("a run's name")
    }

    /// Returns the files that a run reads: those that had landed when it began.
    fn files(run: &RunId) -> BTreeSet<u8> {
        let (_, landed) = run.as_str().split_once("-r").expect("a run of the model");
        (1..=landed.parse().expect("a number")).collect()
    }

    /// Builds a run. An appending run starts from `base`, and a completed one copies from the decision `on`. Returns
    /// whether the partitions to copy still existed.
    pub(super) fn build(&mut self, run: &RunId, base: Option<&RunId>, on: &Decision) -> bool {
        let files = Self::files(run);
        let location = format!("s3://b/t/{run}/");
        let base = base.filter(|_| self.mode == Mode::Append).and_then(|base| self.manifests.get(base).cloned());
        let of = |value: u8| -> BTreeSet<u8> { files.iter().copied().filter(|file| file % 2 == value).collect() };
        let newest = *files.last().expect("a file");
        let written: BTreeMap<u8, BTreeSet<u8>> = match (self.mode, &base) {
            (Mode::Whole, _) => BTreeMap::new(),
            (Mode::Rebuild, _) | (Mode::Append, None) => [0, 1].map(|value| (value, of(value))).into(),
            (Mode::Partition | Mode::Completed, _) => [(newest % 2, of(newest % 2))].into(),
            (Mode::Append, Some(base)) => {
                let new = files.difference(&base.holds).map(|file| file % 2).collect::<BTreeSet<u8>>();
                let all = |value: u8| {
                    let held = base.holds.iter().chain(&files).copied().filter(|file| file % 2 == value).collect();
                    (value, held)
                };
                new.into_iter().map(all).collect()
            }
        };
        let folder = |value: u8| format!("{location}p={value}/");
        let mut all = base.as_ref().map(|base| base.all.clone()).unwrap_or_default();
        all.extend(written.keys().map(|value| (value.to_string(), folder(*value))));
        let partitions = written.iter().map(|(value, files)| PartitionState {
            values: vec![value.to_string()],
            location: folder(*value),
            rows: Some(files.len() as u64),
            written_by: None,
        });
        let mut partitions: Vec<PartitionState> = partitions.collect();
        let mut copied = None;
        let mut base_run = base.as_ref().map(|base| base.proposal.run.clone());
        if self.mode == Mode::Completed {
            let before = on.table(TABLE).map(|table| &table.state);
            base_run = before.and_then(TableState::run);
            let kept = before.into_iter().flat_map(|state| &state.partitions);
            let kept: Vec<_> = kept.filter(|one| one.values != partitions[0].values).cloned().collect();
            copied = Some(kept.iter().map(|one| (one.values.clone(), one.location.clone())).collect());
            for one in kept {
                let location = format!("{location}p={}/", one.values[0]);
                let Some(files) = self.folders.get(&one.location).cloned() else { return false };
                Rc::make_mut(&mut self.folders).insert(location.clone(), files);
                partitions.push(PartitionState { written_by: one.run(), location, ..one });
            }
        }
        let rows = match self.mode {
            Mode::Whole => files.len() as u64,
            _ => partitions.iter().filter_map(|partition| partition.rows).sum(),
        };
        let state = TableState { table: TABLE.into(), location: location.clone(), rows: Some(rows), partitions };
        let definition = TableDefinition::default();
        let replaces = match (self.mode, &base) {
            (Mode::Whole | Mode::Rebuild | Mode::Completed, _) | (Mode::Append, None) => Replaces::Table,
            (Mode::Append, Some(_)) | (Mode::Partition, _) => Replaces::Partitions,
        };
        let table = Decided {
            state,
            definition,
            base: base_run,
            rolled_back_from: None,
            hides_partitions: false,
            takes_over: None,
            undescribed: BTreeMap::new(),
        };
        let proposal =
            Proposal { run: run.clone(), asked_for: false, tables: vec![Proposed { table, replaces, copied }] };
        let holds = base.map(|base| base.holds).unwrap_or_default().union(&files).copied().collect();
        if self.mode == Mode::Whole {
            Rc::make_mut(&mut self.folders).insert(location.clone(), files.clone());
        }
        Rc::make_mut(&mut self.folders).extend(written.into_iter().map(|(value, files)| (folder(value), files)));
        Rc::make_mut(&mut self.manifests).insert(run.clone(), Manifest { proposal, holds, all });
        true
    }

    /// Returns the table that Glue should hold.
    pub(super) fn decided(&self) -> Glue {
        let table = self.current.table(TABLE).expect("the table");
        let partitions = table.state.partitions.iter();
        Glue {
            version: self.glue.version + 1,
            location: table.state.location.clone(),
            partitions: partitions.map(|one| (one.values[0].clone(), one.location.clone())).collect(),
        }
    }

    /// Returns the folders that a query reads.
    fn queried(&self) -> Vec<&String> {
        match self.mode {
            Mode::Whole => vec![&self.glue.location],
            _ => self.glue.partitions.values().collect(),
        }
    }

    /// Returns the count of a query: the rows of each folder that exists.
    pub(super) fn count(&self) -> u64 {
        self.queried().into_iter().filter_map(|folder| self.folders.get(folder)).map(|files| files.len() as u64).sum()
    }

    /// Checks what holds after every call: the table is never empty, its files exist, and it goes back only after a
    /// rollback or a revert.
    pub(super) fn check_step(&self, before: &str, task: &Task) {
        assert!(self.count() > 0, "{task:?} has emptied the table: {:?}", self.glue);
        for folder in self.queried() {
            assert!(self.folders.contains_key(folder), "{task:?}: Glue points at {folder}, which is gone");
        }
        let is_back = self.glue.location.as_str() < before;
        assert!(!is_back || self.taken_back, "{task:?}: back from {before} to {}", self.glue.location);
    }

    /// Checks what holds after all actors have ended: Glue equals the decision, which has every row of every file once.
    pub(super) fn check_rest(&self, ends: &[End]) {
        let (glue, decided) = (&self.glue, self.decided());
        assert_eq!((&glue.location, &glue.partitions), (&decided.location, &decided.partitions), "{ends:?}");
        assert!(self.current.settled, "{ends:?}");
        let run = RunId::of_location(&glue.location).expect("a run");
        let manifest = &self.manifests[&run];
        let queried = self.queried();
        match self.mode {
            Mode::Whole | Mode::Rebuild | Mode::Append => {
                let mut rows: Vec<u8> = queried.into_iter().flat_map(|folder| &self.folders[folder]).copied().collect();
                rows.sort_unstable();
                let held: Vec<u8> = manifest.holds.iter().copied().collect();
                assert_eq!(rows, held, "{ends:?}: the table is at {run}: {glue:?}");
            }
            // each partition belongs to a published run
            Mode::Partition | Mode::Completed => assert!(glue.partitions.len() <= 2, "{glue:?}"),
        }
        let published = ends.iter().filter_map(|end| match end {
            End::Published(run) => Some(run),
            _ => None,
        });
        if matches!(self.mode, Mode::Partition | Mode::Completed) && !self.taken_back {
            for run in published.clone() {
                let files = Self::files(run);
                let value = files.last().expect("a file") % 2;
                let written: BTreeSet<u8> = files.into_iter().filter(|file| file % 2 == value).collect();
                let there = &self.folders[&glue.partitions[&value.to_string()]];
                assert!(there.is_superset(&written), "{ends:?}: of {run} something is lost: {glue:?}");
            }
        }
        if let (Some(newest), false) = (published.max(), self.taken_back) {
            assert_eq!(run, *newest, "{ends:?}");
        }
    }
}

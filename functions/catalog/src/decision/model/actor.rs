//! Who makes the calls. An actor is what it was told: its calls follow from the answers so far, so that it is run again
//! from the start for each call more.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash, Hasher};

use contract::RunId;

use super::world::{Glue, NOW, TABLE, World};
use super::super::Refusal;
use crate::decision::{self, Decision};

/// What an actor does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Task {
    /// Curate, and catalog.
    Run,
    /// The same, and the review fails, for no reason that lies in the data.
    RunThatFails,
    /// Back to the first run.
    RollBack,
    /// Deletes what is not published.
    Expire,
}

/// How it has ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum End {
    Published(RunId),
    LeftAlone,
    Failed,
    RolledBack,
    Refused,
    Expired,
}

/// A call, and all that it takes.
#[derive(Clone, Debug)]
enum Call {
    Start,
    Build(RunId, Option<RunId>),
    Read,
    Entry,
    Archive(Decision),
    Write(Box<Decision>, u32),
    Table,
    Partitions,
    Update(u32, String),
    Move(String, String),
    Remove(String),
    Count,
    Folders,
    Delete(String),
}

/// What a call has told.
#[derive(Clone, Debug)]
enum Answer {
    Started(RunId),
    Done(bool),
    Decision(Box<Decision>, u32),
    Table(Glue),
    Partitions(BTreeMap<String, String>),
    Counted(u64),
    Folders(BTreeSet<String>),
}

/// The call that waits for its answer.
struct Waiting(Call);

type Told<T> = Result<T, Waiting>;

/// An actor.
#[derive(Clone, Debug)]
pub struct Actor {
    pub task: Task,
    pub crashes: u8,
    pub end: Option<End>,
    /// What curate has built: catalog's event.
    event: Option<RunId>,
    answers: Vec<Answer>,
}

impl Hash for Actor {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (&self.task, self.crashes, &self.end, &self.event, self.answers.len()).hash(state);
        for answer in &self.answers {
            match answer {
                Answer::Started(run) => run.hash(state),
                Answer::Done(done) => done.hash(state),
                // no two decisions have an entity tag
                Answer::Decision(_, etag) => etag.hash(state),
                Answer::Table(glue) => (glue.version, &glue.location).hash(state),
                Answer::Partitions(partitions) => partitions.hash(state),
                Answer::Counted(rows) => rows.hash(state),
                Answer::Folders(folders) => folders.hash(state),
            }
        }
    }
}

impl Actor {
    pub fn new(task: Task, crashes: u8) -> Self {
        Self { task, crashes, end: None, event: None, answers: Vec::new() }
    }

    /// Whether it has done nothing yet.
    pub fn is_new(&self) -> bool {
        self.answers.is_empty() && self.event.is_none()
    }

    /// It dies, and somebody starts it again with the same event.
    pub fn die(&mut self) {
        self.crashes -= 1;
        self.answers.clear();
    }

    /// Makes its next call.
    pub fn step(&mut self, world: &mut World) {
        if let Err(Waiting(call)) = self.play(world) {
            self.answers.push(made(call, world));
        }
        // what follows from the answer is no call
        if let Ok(end) = self.play(world) {
            match end {
                Step::Built(run) => self.event = Some(run),
                Step::Stale => self.event = None,
                Step::End(end) => self.end = Some(end),
            }
            self.answers.clear();
        }
        world.taken_back |= matches!(self.task, Task::RollBack | Task::RunThatFails);
    }

    fn play(&self, world: &World) -> Told<Step> {
        let mut calls = Calls { answers: self.answers.iter(), world };
        match (self.task, &self.event) {
            (Task::Run | Task::RunThatFails, None) => calls.curate(),
            (Task::Run, Some(run)) => calls.catalog(run, false),
            (Task::RunThatFails, Some(run)) => calls.catalog(run, true),
            (Task::RollBack, _) => calls.roll_back(),
            (Task::Expire, _) => calls.expire(),
        }
    }
}

enum Step {
    Built(RunId),
    Stale,
    End(End),
}

/// A decision as it was read or written.
struct Current(Decision, u32);

struct Calls<'a> {
    answers: std::slice::Iter<'a, Answer>,
    /// For manifests alone, which nobody changes.
    world: &'a World,
}

impl Calls<'_> {
    fn call(&mut self, call: Call) -> Told<Answer> {
        self.answers.next().cloned().ok_or(Waiting(call))
    }

    fn curate(&mut self) -> Told<Step> {
        let Answer::Started(run) = self.call(Call::Start)? else { unreachable!("a run") };
        let base = RunId::of_location(&self.table()?.location);
        self.call(Call::Build(run.clone(), base))?;
        Ok(Step::Built(run))
    }

    fn catalog(&mut self, run: &RunId, fails: bool) -> Told<Step> {
        let proposal = &self.world.manifests[run].proposal;
        loop {
            let before = self.read()?;
            let next = match decision::publish(&before.0, proposal, NOW) {
                Ok((next, _)) => next,
                Err(Refusal::Stale { .. }) => return Ok(Step::Stale),
                Err(Refusal::Expired { .. }) => return Ok(Step::End(End::Refused)),
            };
            let seen = self.look()?;
            let Some(current) = self.decide(&before, next)? else { continue };
            let undo = fails.then(|| (current.0.clone(), before.0.clone()));
            let is_ours = |decision: &Decision| {
                decision.table(TABLE).is_some_and(|table| table.state.newest().as_ref() == Some(run))
            };
            let changes = current.0.sequence != before.0.sequence;
            let last = self.settle(current, Some(seen), undo.filter(|_| changes))?;
            return Ok(Step::End(match last {
                None => End::Failed,
                Some(last) if is_ours(&last) => End::Published(run.clone()),
                Some(_) => End::LeftAlone,
            }));
        }
    }

    fn roll_back(&mut self) -> Told<Step> {
        loop {
            let before = self.read()?;
            let Answer::Decision(then, _) = self.call(Call::Entry)? else { unreachable!("an entry") };
            let Ok(next) = decision::roll_back(&before.0, &then, |_| true, NOW) else {
                return Ok(Step::End(End::Refused));
            };
            let Answer::Folders(folders) = self.call(Call::Folders)? else { unreachable!("folders") };
            let state = &then.tables[0].state;
            let needed: Vec<&String> = match state.partitions.as_slice() {
                [] => vec![&state.location],
                partitions => partitions.iter().map(|partition| &partition.location).collect(),
            };
            if needed.iter().any(|folder| !folders.contains(*folder)) {
                return Ok(Step::End(End::Refused));
            }
            let seen = self.look()?;
            let Some(current) = self.decide(&before, next)? else { continue };
            self.settle(current, Some(seen), None)?;
            return Ok(Step::End(End::RolledBack));
        }
    }

    fn expire(&mut self) -> Told<Step> {
        loop {
            let before = self.read()?;
            let Answer::Folders(folders) = self.call(Call::Folders)? else { unreachable!("folders") };
            let seen = self.look()?;
            let mut used = before.0.places();
            used.add(&seen.location);
            seen.partitions.values().for_each(|location| used.add(location));
            // runs that are on their way are too young
            let is_old = |folder: &&String| folder.contains("-r3/") || folder.contains("-r4/");
            let candidates: BTreeSet<String> =
                folders.iter().filter(is_old).filter(|folder| !used.covers(folder)).cloned().collect();
            let next = decision::expire(&before.0, candidates.clone());
            if self.decide(&before, next)?.is_none() {
                continue;
            }
            for folder in candidates {
                self.call(Call::Delete(folder))?;
            }
            return Ok(Step::End(End::Expired));
        }
    }

    /// Brings Glue in line and settles: what is decided at the end; `None` where it was taken back.
    fn settle(
        &mut self,
        mut current: Current,
        mut seen: Option<Glue>,
        mut undo: Option<(Decision, Decision)>,
    ) -> Told<Option<Decision>> {
        let failed = undo.is_some();
        loop {
            if self.bring_in_line(&current, seen.take())? {
                let rows = self.count()?;
                let expected = current.0.table(TABLE).and_then(|table| table.state.rows);
                if undo.is_some() || Some(rows) != expected {
                    let now = self.read()?;
                    if now.1 == current.1 {
                        assert!(failed, "{rows} rows were counted, {expected:?} decided");
                    }
                    match undo.take() {
                        Some((ours, before)) => current = self.take_back(now, &ours, &before)?,
                        None => current = now,
                    }
                    continue;
                }
                if current.0.settled {
                    let now = self.read()?;
                    if now.1 == current.1 {
                        return Ok(Some(current.0).filter(|_| !failed));
                    }
                } else {
                    let settled = Decision { settled: true, ..current.0.clone() };
                    if let Some(settled) = self.write(settled, current.1)? {
                        return Ok(Some(settled.0).filter(|_| !failed));
                    }
                }
            }
            current = self.read()?;
        }
    }

    fn take_back(&mut self, now: Current, ours: &Decision, before: &Decision) -> Told<Current> {
        let mut now = now;
        loop {
            let next = decision::take_back(&now.0, ours, before, NOW);
            match self.decide(&now, next)? {
                Some(current) => return Ok(current),
                None => now = self.read()?,
            }
        }
    }

    fn bring_in_line(&mut self, current: &Current, seen: Option<Glue>) -> Told<bool> {
        let decided = current.0.table(TABLE).expect("the table").state.clone();
        let mut seen = seen;
        let mut partitions = seen.as_ref().map(|seen| seen.partitions.clone());
        loop {
            let found = match seen.take() {
                Some(found) => found,
                None => {
                    let found = self.table()?;
                    if self.read()?.1 != current.1 {
                        return Ok(false);
                    }
                    found
                }
            };
            if found.location == decided.location || self.done(Call::Update(found.version, decided.location.clone()))? {
                break;
            }
        }
        loop {
            let was_seen = partitions.is_some();
            let found = match partitions.take() {
                Some(found) => found,
                None => self.partitions()?,
            };
            let wanted: BTreeMap<String, String> =
                decided.partitions.iter().map(|one| (one.values[0].clone(), one.location.clone())).collect();
            if found == wanted {
                return Ok(true);
            }
            if !was_seen && self.read()?.1 != current.1 {
                return Ok(false);
            }
            for (value, location) in wanted.iter().filter(|(value, location)| found.get(*value) != Some(*location)) {
                self.call(Call::Move(value.clone(), location.clone()))?;
            }
            for value in found.keys().filter(|value| !wanted.contains_key(*value)) {
                self.call(Call::Remove(value.clone()))?;
            }
        }
    }

    /// Writes a decision over another one; `None` when somebody was quicker.
    fn decide(&mut self, before: &Current, next: Decision) -> Told<Option<Current>> {
        if next.sequence == before.0.sequence {
            return Ok(Some(Current(before.0.clone(), before.1)));
        }
        if next.tables != before.0.tables {
            self.call(Call::Archive(before.0.clone()))?;
        }
        self.write(next, before.1)
    }

    fn write(&mut self, next: Decision, over: u32) -> Told<Option<Current>> {
        match self.call(Call::Write(Box::new(next.clone()), over))? {
            Answer::Decision(decision, etag) => Ok(Some(Current(*decision, etag))),
            _ => Ok(None),
        }
    }

    fn look(&mut self) -> Told<Glue> {
        let table = self.table()?;
        let partitions = self.partitions()?;
        Ok(Glue { partitions, ..table })
    }

    fn read(&mut self) -> Told<Current> {
        let Answer::Decision(decision, etag) = self.call(Call::Read)? else { unreachable!("a decision") };
        Ok(Current(*decision, etag))
    }

    fn table(&mut self) -> Told<Glue> {
        let Answer::Table(glue) = self.call(Call::Table)? else { unreachable!("a table") };
        Ok(glue)
    }

    fn partitions(&mut self) -> Told<BTreeMap<String, String>> {
        let Answer::Partitions(partitions) = self.call(Call::Partitions)? else { unreachable!("partitions") };
        Ok(partitions)
    }

    fn count(&mut self) -> Told<u64> {
        let Answer::Counted(rows) = self.call(Call::Count)? else { unreachable!("a count") };
        Ok(rows)
    }

    fn done(&mut self, call: Call) -> Told<bool> {
        let Answer::Done(done) = self.call(call)? else { unreachable!("done or not") };
        Ok(done)
    }
}

/// S3, Glue and Athena.
fn made(call: Call, world: &mut World) -> Answer {
    let done = match call {
        Call::Start => return Answer::Started(world.start()),
        Call::Read => return Answer::Decision(Box::new(world.current.clone()), world.etag),
        Call::Entry => {
            let first = world.journal.values().next().expect("the first run");
            return Answer::Decision(Box::new(first.clone()), 0);
        }
        Call::Table => return Answer::Table(Glue { partitions: BTreeMap::new(), ..world.glue.clone() }),
        Call::Partitions => return Answer::Partitions(world.glue.partitions.clone()),
        Call::Count => return Answer::Counted(world.count()),
        Call::Folders => return Answer::Folders(world.folders.keys().cloned().collect()),
        Call::Write(next, over) if over == world.etag => {
            world.etag += 1;
            world.current = (*next).clone();
            return Answer::Decision(next, world.etag);
        }
        Call::Write(..) => false,
        Call::Archive(decision) => {
            let entry = decision.entry().expect("an entry");
            let there = world.journal.entry(entry).or_insert_with(|| decision.clone());
            assert_eq!(there.tables, decision.tables, "an entry is written once");
            true
        }
        Call::Build(run, base) => {
            world.build(&run, base.as_ref());
            true
        }
        Call::Update(version, _) if version != world.glue.version => false,
        Call::Update(_, location) => {
            world.glue.version += 1;
            world.glue.location = location;
            true
        }
        Call::Move(value, location) => {
            world.glue.partitions.insert(value, location);
            true
        }
        Call::Remove(value) => world.glue.partitions.remove(&value).is_some(),
        Call::Delete(folder) => world.folders.remove(&folder).is_some(),
    };
    Answer::Done(done)
}

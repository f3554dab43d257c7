//! Who makes the calls. An actor is what it was told: its calls follow from the answers so far, so that it is run again
//! from the start for each call more.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash, Hasher};
use std::rc::Rc;

use contract::RunId;

use super::super::Refusal;
use super::world::{FIRST, Glue, NOW, TABLE, World};
use crate::decision::{self, Decision, Places};
use crate::watch::Progress;

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
    Archive(Rc<Decision>),
    Write(Rc<Decision>, u32),
    Table,
    Partitions,
    Update(u32, String),
    Move(String, String),
    Remove(String),
    Count,
    Folders,
    Seen,
    Delete(String),
}

/// What a call has told.
#[derive(Clone, Debug)]
enum Answer {
    Started(RunId),
    Done(bool),
    Decision(Rc<Decision>, u32),
    Table(Glue),
    Partitions(BTreeMap<String, String>),
    Counted(u64),
    Folders(Rc<BTreeMap<String, BTreeSet<u8>>>),
    Places(Places),
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
                Answer::Places(places) => places.runs().hash(state),
                Answer::Folders(folders) => folders.keys().for_each(|folder| folder.hash(state)),
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
#[derive(Debug)]
struct Current(Rc<Decision>, u32);

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
                Err(Refusal::Stale { .. }) => {
                    // what it is built on next is what Glue says
                    let mut current = before;
                    while self.bring_in_line(&current, None)? == Progress::Overtaken {
                        current = self.read()?;
                    }
                    return Ok(Step::Stale);
                }
                Err(Refusal::Expired { .. }) => return Ok(Step::End(End::Refused)),
            };
            let seen = self.look()?;
            let Some(current) = self.decide(&before, next)? else { continue };
            let undo = fails.then(|| (Rc::clone(&current.0), Rc::clone(&before.0)));
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
            if needed.iter().any(|folder| !folders.contains_key(*folder)) {
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
            let Answer::Places(seen) = self.call(Call::Seen)? else { unreachable!("places") };
            let glue = self.look()?;
            let mut used = before.0.places();
            used.extend(seen);
            used.add(&glue.location);
            glue.partitions.values().for_each(|location| used.add(location));
            // runs that are on their way are too young
            let is_old = |folder: &&String| folder.contains("-r3/") || folder.contains("-r4/");
            let candidates: BTreeSet<String> =
                folders.keys().filter(is_old).filter(|folder| !used.covers(folder)).cloned().collect();
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
        mut undo: Option<(Rc<Decision>, Rc<Decision>)>,
    ) -> Told<Option<Rc<Decision>>> {
        let failed = undo.is_some();
        let mut counted_wrong = false;
        loop {
            let progress = self.bring_in_line(&current, seen.take())?;
            if progress != Progress::Overtaken {
                if let Some((ours, before)) = undo.take() {
                    let now = self.read()?;
                    current = self.take_back(now, &ours, &before)?;
                    continue;
                }
                counted_wrong &= progress == Progress::InLine;
                let rows = self.count()?;
                let expected = current.0.table(TABLE).and_then(|table| table.state.rows);
                if Some(rows) != expected {
                    let now = self.read()?;
                    assert!(!counted_wrong || now.1 != current.1, "{rows} rows were counted, and decided {current:?}");
                    counted_wrong = now.1 == current.1;
                    current = now;
                    continue;
                }
                if current.0.settled {
                    let now = self.read()?;
                    if now.1 == current.1 {
                        return Ok(Some(current.0).filter(|_| !failed));
                    }
                } else {
                    let settled = Decision { settled: true, ..(*current.0).clone() };
                    if let Some(settled) = self.write(settled, current.1)? {
                        return Ok(Some(settled.0).filter(|_| !failed));
                    }
                }
            }
            counted_wrong = false;
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

    fn bring_in_line(&mut self, current: &Current, seen: Option<Glue>) -> Told<Progress> {
        let mut progress = Progress::InLine;
        let decided = current.0.table(TABLE).expect("the table").state.clone();
        let mut seen = seen;
        let mut partitions = seen.as_ref().map(|seen| seen.partitions.clone());
        loop {
            let found = match seen.take() {
                Some(found) => found,
                None => {
                    let found = self.table()?;
                    if self.read()?.1 != current.1 {
                        return Ok(Progress::Overtaken);
                    }
                    found
                }
            };
            if found.location == decided.location {
                break;
            }
            progress = Progress::Changed;
            if self.done(Call::Update(found.version, decided.location.clone()))? {
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
                return Ok(progress);
            }
            if !was_seen && self.read()?.1 != current.1 {
                return Ok(Progress::Overtaken);
            }
            progress = Progress::Changed;
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
            // what Glue says was seen after the decision was read
            let now = self.read()?;
            return Ok(Some(now).filter(|now| now.1 == before.1));
        }
        if next.tables != before.0.tables {
            self.call(Call::Archive(Rc::clone(&before.0)))?;
        }
        self.write(next, before.1)
    }

    fn write(&mut self, next: Decision, over: u32) -> Told<Option<Current>> {
        match self.call(Call::Write(Rc::new(next), over))? {
            Answer::Decision(decision, etag) => Ok(Some(Current(decision, etag))),
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
        Ok(Current(decision, etag))
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
        Call::Read => return Answer::Decision(Rc::clone(&world.current), world.etag),
        Call::Entry => {
            let first = world.journal.values().next().expect("the first run");
            return Answer::Decision(Rc::clone(first), 0);
        }
        Call::Table => return Answer::Table(Glue { partitions: BTreeMap::new(), ..world.glue.clone() }),
        Call::Partitions => return Answer::Partitions(world.glue.partitions.clone()),
        Call::Count => return Answer::Counted(world.count()),
        // what was decided long ago nobody sees any more
        Call::Seen => {
            let mut seen = Places::default();
            let recent = world.journal.values().filter(|entry| entry.sequence > FIRST);
            recent.for_each(|entry| seen.extend(entry.places()));
            return Answer::Places(seen);
        }
        Call::Folders => return Answer::Folders(Rc::clone(&world.folders)),
        Call::Write(next, over) if over == world.etag => {
            world.etag += 1;
            world.current = Rc::clone(&next);
            return Answer::Decision(next, world.etag);
        }
        Call::Write(..) => false,
        Call::Archive(decision) => {
            let entry = decision.entry().expect("an entry");
            let there = world.journal.entry(entry).or_insert_with(|| Rc::clone(&decision));
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
        Call::Delete(folder) => Rc::make_mut(&mut world.folders).remove(&folder).is_some(),
    };
    Answer::Done(done)
}

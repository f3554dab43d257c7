//! Actors, which make the calls. An actor's state is the list of answers that it has received. For each further call it
//! is replayed from the start with these answers.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash, Hasher};
use std::rc::Rc;

use contract::RunId;

use super::task::{End, Task};
use super::world::{FIRST, Glue, World};
use crate::decision::{Decision, Places};

/// A call with its arguments.
#[derive(Clone, Debug)]
pub(super) enum Call {
    Start,
    Build(RunId, Option<RunId>, Rc<Decision>),
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

/// The answer to a call.
#[derive(Clone, Debug)]
pub(super) enum Answer {
    Started(RunId),
    Done(bool),
    Decision(Rc<Decision>, u32),
    Table(Glue),
    Partitions(BTreeMap<String, String>),
    Counted(u64),
    Folders(Rc<BTreeMap<String, BTreeSet<u8>>>),
    Places(Places),
}

/// The call whose answer is still missing.
pub(super) struct Waiting(pub Call);

pub(super) type Told<T> = Result<T, Waiting>;

#[derive(Clone, Debug)]
pub(super) struct Actor {
    pub task: Task,
    pub crashes: u8,
    pub end: Option<End>,
    /// The run that curate has built, which is catalog's event.
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
                // an entity tag identifies a decision
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
    pub(super) fn new(task: Task, crashes: u8) -> Self {
        Self { task, crashes, end: None, event: None, answers: Vec::new() }
    }

    /// Whether it has not made any call yet.
    pub(super) fn is_new(&self) -> bool {
        self.answers.is_empty() && self.event.is_none()
    }

    /// Lets it die and start again with the same event.
    pub(super) fn die(&mut self) {
        self.crashes -= 1;
        self.answers.clear();
    }

    /// Makes its next call.
    pub(super) fn step(&mut self, world: &mut World) {
        if let Err(Waiting(call)) = self.play(world) {
            self.answers.push(made(call, world));
        }
        // the invocation may end with this answer, without another call
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

/// The end of an invocation.
pub(super) enum Step {
    Built(RunId),
    Stale,
    End(End),
}

/// A decision as it was read or written, with its entity tag.
#[derive(Debug)]
pub(super) struct Current(pub Rc<Decision>, pub u32);

/// An invocation that is replayed with the answers so far.
pub(super) struct Calls<'a> {
    pub answers: std::slice::Iter<'a, Answer>,
    /// Only for the mode and the manifests, which never change.
    pub world: &'a World,
}

/// Makes a call to the model's S3, Glue or Athena.
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
        // entries from before the scenario count as expired
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
        Call::Build(run, base, on) => world.build(&run, base.as_ref(), &on),
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

//! The calls of an invocation, in the order in which [`crate::publish`] makes them.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use contract::RunId;

use super::super::Refusal;
use super::actor::{Answer, Call, Calls, Current, Step, Told, Waiting};
use super::task::End;
use super::world::{Glue, Mode, NOW, TABLE};
use crate::decision::{self, Decision};
use crate::watch::Progress;

impl Calls<'_> {
    fn call(&mut self, call: Call) -> Told<Answer> {
        self.answers.next().cloned().ok_or(Waiting(call))
    }

    pub(super) fn curate(&mut self) -> Told<Step> {
        let Answer::Started(run) = self.call(Call::Start)? else { unreachable!("a run") };
        let (base, on) = match self.world.mode {
            Mode::Completed => (None, self.read()?.0),
            _ => (RunId::of_location(&self.table()?.location), Rc::default()),
        };
        Ok(if self.done(Call::Build(run.clone(), base, on))? { Step::Built(run) } else { Step::End(End::Refused) })
    }

    pub(super) fn catalog(&mut self, run: &RunId, fails: bool) -> Told<Step> {
        let proposal = &self.world.manifests[run].proposal;
        loop {
            let before = self.read()?;
            let next = match decision::publish(&before.0, proposal, NOW) {
                Ok((next, _)) => next,
                Err(Refusal::Stale { .. }) => {
                    // curate builds the next run on the one that Glue names
                    let mut current = before;
                    while self.bring_in_line(&current, None)? == Progress::Overtaken {
                        current = self.read()?;
                    }
                    return Ok(Step::Stale);
                }
                Err(Refusal::Expired { .. } | Refusal::Retyped { .. }) => return Ok(Step::End(End::Refused)),
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

    pub(super) fn roll_back(&mut self) -> Told<Step> {
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

    pub(super) fn expire(&mut self) -> Told<Step> {
        loop {
            let before = self.read()?;
            let Answer::Folders(folders) = self.call(Call::Folders)? else { unreachable!("folders") };
            let Answer::Places(seen) = self.call(Call::Seen)? else { unreachable!("places") };
            let glue = self.look()?;
            let mut used = before.0.places();
            used.extend(seen);
            used.add(&glue.location);
            glue.partitions.values().for_each(|location| used.add(location));
            // runs that are still being published are too young
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

    /// Brings Glue in line and settles. Returns the decision at the end; `None` if the publication was reverted.
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
            let found = if let Some(found) = seen.take() {
                found
            } else {
                let found = self.table()?;
                if self.read()?.1 != current.1 {
                    return Ok(Progress::Overtaken);
                }
                found
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

    /// Writes a decision over another one; `None` if another actor was quicker.
    fn decide(&mut self, before: &Current, next: Decision) -> Told<Option<Current>> {
        if next.sequence == before.0.sequence {
            // Glue was read after the decision, which must still be the current one
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

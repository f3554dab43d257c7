//! The invariants: conditions that must hold after every schedule.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::explorer::schedule::{Error, Happened, Invocation, Schedule, Trouble};
use crate::explorer::world::{Beginning, Rows, Seen, Table, World};

/// `Err` describes a violated invariant.
pub(super) type Problem = Result<(), String>;

impl World {
    /// Checks that readers have seen only allowed states, that Glue, decision and journal agree, and that the next
    /// rebuild makes the tables complete.
    pub(super) async fn check(&self, schedule: &Schedule, happened: &Happened) -> Problem {
        self.answers(schedule, happened)?;
        self.readers(schedule, happened)?;
        // an invocation that died for good or was refused leaves the rest to the next one
        let gave_up = happened.answers.iter().any(|(who, answer)| match answer {
            // a wrong run that is refused has been reverted
            Err((kind, _)) => *who != Invocation::WRONG || kind != "BadData",
            Ok(_) => false,
        });
        if !gave_up && !self.current().await.is_null() {
            self.agree().await?;
        }
        let answer = self.run(Invocation::Rebuild).await;
        answer.map_err(|failure| format!("the next rebuild fails: {failure:?}"))?;
        self.agree().await?;
        let seen = self.look().await?;
        same("after the next rebuild, expected every row once", &self.everything(), &seen)?;
        let before = self.before().await;
        self.journal().await?;
        let back = self.run(Invocation::Previous).await;
        match (back, before) {
            (Ok(_), Some(before)) => {
                let (wanted, current) = (self.decided(&before), self.current().await);
                let is = self.decided(&current);
                same("going back, expected what was before", &is, &wanted)?;
                self.agree().await
            }
            // the published run is the first one
            (Err((kind, _)), None) if kind == "NotFound" && schedule.beginning == Beginning::Empty => Ok(()),
            (back, before) => Err(format!("going back: {back:?}, from {:?}", before.is_some())),
        }
    }

    /// Checks that only invocations that may fail have failed, and with an expected kind.
    fn answers(&self, schedule: &Schedule, happened: &Happened) -> Problem {
        let expires = |invocation: Invocation| invocation == Invocation::Expire;
        let with_expiry = happened.answers.iter().any(|(invocation, _)| expires(*invocation));
        let with_recreate = happened.answers.iter().any(|(invocation, _)| *invocation == Invocation::Recreate);
        let unlucky = match schedule.trouble {
            Trouble::Meanwhile(_) => None,
            // nobody repeats it
            Trouble::Dies { .. } => Some(schedule.outer).filter(|outer| *outer == Invocation::Previous),
            // the client makes the call again
            Trouble::Lost => None,
            Trouble::Refused { error, times } => Some(schedule.outer).filter(|_| times > 1 || error == Error::Denied),
        };
        for (invocation, answer) in &happened.answers {
            let Err((kind, message)) = answer else { continue };
            // two rollbacks can go further back than there are runs
            let is_last =
                happened.answers.iter().all(|(one, _)| matches!(one, Invocation::Previous | Invocation::First));
            let is_first = schedule.beginning == Beginning::Empty;
            let is_expected = *invocation == Invocation::WRONG && kind == "BadData"
                || is_first && kind == "NotFound" && by_hand(*invocation)
                // the first run has a table that is no longer described
                || is_first && kind == "BadMetadata" && *invocation == Invocation::First
                || is_last && kind == "NotFound"
                || unlucky == Some(*invocation)
                || with_expiry && kind == "NotFound"
                // tables are missing meanwhile
                || with_recreate && ["NotFound", "Internal", "Unavailable", "BadData"].contains(&kind.as_str());
            if !is_expected {
                return Err(format!("{invocation:?} fails: {kind}: {message}"));
            }
        }
        Ok(())
    }

    /// Checks that no reader saw an empty table, a mix of runs within one table, or older rows after newer ones.
    fn readers(&self, schedule: &Schedule, happened: &Happened) -> Problem {
        let others = match schedule.trouble {
            Trouble::Meanwhile(inner) | Trouble::Dies { then: Some(inner), .. } => Some(inner),
            _ => None,
        };
        let involved: Vec<Invocation> = others.into_iter().chain([schedule.outer]).collect();
        // tables are missing or incomplete
        if involved.contains(&Invocation::Recreate) || schedule.beginning == Beginning::Empty {
            return Ok(());
        }
        let is_taken_back = matches!(schedule.trouble, Trouble::Refused { .. });
        let may_go_back = is_taken_back || involved.iter().any(|one| one.goes_back());
        let mut before: BTreeMap<&str, Rows> = BTreeMap::new();
        for seen in &happened.seen {
            let seen = seen.as_ref().map_err(|reason| format!("a reader's query fails: {reason}"))?;
            for table in Table::ALL {
                let rows = &seen[table.name];
                let known = self.known(table);
                let is_whole = known.contains(rows);
                let is_moving = table.moves_in_steps() && of_several(rows, &known);
                if !is_whole && !is_moving {
                    return Err(format!("a reader of {table:?} sees {rows:?}, no run has that: {known:?}"));
                }
                let less = before.get(table.name).filter(|before| sum(rows) < sum(before));
                if let Some(before) = less.filter(|_| !may_go_back) {
                    return Err(format!("a reader of {table:?} sees {rows:?}, and before {before:?}"));
                }
                before.insert(table.name, rows.clone());
            }
        }
        Ok(())
    }

    /// Checks that the decision is settled and that Glue and the queries' results match it.
    async fn agree(&self) -> Problem {
        let decision = self.current().await;
        // expiry before the first run makes a decision without tables
        if decision["run"].is_null() && decision["tables"] == json!([]) {
            return Ok(());
        }
        if decision["settled"] != true {
            return Err(format!("not settled: decision {} of {}", decision["sequence"], decision["run"]));
        }
        for table in decision["tables"].as_array().unwrap() {
            self.in_glue(table).await?;
        }
        // the first run may have had some of the tables only
        let decided = self.decided(&decision);
        let tables: Vec<Table> = Table::ALL.into_iter().filter(|table| decided.contains_key(table.name)).collect();
        same("expected what is decided", &decided, &self.look_at(&tables).await?)
    }

    async fn in_glue(&self, table: &Value) -> Problem {
        let name = table["table"].as_str().unwrap();
        if !Table::ALL.iter().any(|described| described.name == name) {
            return Ok(());
        }
        let (glue, database) = (&self.stack.glue, self.stack.database());
        let found = glue.get_table().database_name(database).name(name).send().await.unwrap();
        let storage = found.table().and_then(|table| table.storage_descriptor());
        let location = storage.and_then(|storage| storage.location()).unwrap_or_default();
        let of_run = table["location"].as_str().unwrap();
        let mut partitions = table["partitions"].as_array().unwrap().iter();
        let holds_all = partitions.all(|one| one["location"].as_str().unwrap().starts_with(of_run));
        let pointed_at = if holds_all { of_run.to_owned() } else { contract::of_several_runs(of_run) };
        if location != pointed_at {
            return Err(format!("{name} is at {location}, decided is {pointed_at}"));
        }
        let found = glue.get_partitions().database_name(database).table_name(name).send().await.unwrap();
        let at = |location: &str| location.trim_end_matches('/').to_owned();
        let registered: BTreeSet<String> = found
            .partitions()
            .iter()
            .map(|partition| at(partition.storage_descriptor().and_then(|one| one.location()).unwrap_or_default()))
            .collect();
        let decided: BTreeSet<String> = match name {
            "projected" => BTreeSet::new(),
            _ => table["partitions"]
                .as_array()
                .unwrap()
                .iter()
                .map(|one| at(one["location"].as_str().unwrap()))
                .collect(),
        };
        if registered != decided {
            return Err(format!("partitions of {name} are at {registered:?}, decided are {decided:?}"));
        }
        Ok(())
    }

    /// Checks that the journal has every replaced decision once, and that each is later than the one before.
    async fn journal(&self) -> Problem {
        let current = self.current().await;
        let mut entries = BTreeMap::new();
        for key in self.stack.keys("curated").await {
            let Some(name) = key.strip_prefix("explored/_publications/").filter(|name| *name != "current.json") else {
                continue;
            };
            let entry = self.stack.read_json("curated", &key).await;
            let sequence = entry["sequence"].as_u64().unwrap();
            if let Some((other, _)) = entries.insert(sequence, (name.to_owned(), entry)) {
                return Err(format!("the journal has decision {sequence} twice: {other} and {name}"));
            }
        }
        let mut at = String::new();
        for (sequence, (name, entry)) in &entries {
            let then = entry["at"].as_str().unwrap();
            if *sequence >= current["sequence"].as_u64().unwrap() || then <= at.as_str() {
                return Err(format!(
                    "{name}: decision {sequence} of {then}, after {at}; now is {}",
                    current["sequence"]
                ));
            }
            at = then.to_owned();
        }
        Ok(())
    }

    /// Returns the decision to which `previous` leads.
    async fn before(&self) -> Option<Value> {
        let current = self.current().await;
        let name = current["before"].as_str()?.to_owned();
        Some(self.stack.read_json("curated", &format!("explored/_publications/{name}")).await)
    }
}

/// Whether the invocation is a request by hand for a run that may not exist yet.
fn by_hand(invocation: Invocation) -> bool {
    matches!(invocation, Invocation::Previous | Invocation::Recreate)
}

/// Whether each partition matches one run, and no partition that all runs have is missing.
fn of_several(rows: &Rows, known: &[Rows]) -> bool {
    let of_one = |(partition, rows): (&String, &(u64, u64))| known.iter().any(|run| run.get(partition) == Some(rows));
    let everywhere = |partition: &&String| known.iter().all(|run| run.contains_key(*partition));
    let mut wanted = known.iter().flat_map(Rows::keys).filter(everywhere);
    rows.iter().all(of_one) && wanted.all(|partition| rows.contains_key(partition))
}

fn sum(rows: &Rows) -> u64 {
    rows.values().map(|(_, sum)| sum).sum()
}

fn same(what: &str, expected: &Seen, found: &Seen) -> Problem {
    let differs = found.iter().filter(|(table, rows)| expected.get(*table).is_none_or(|expected| expected != *rows));
    let differs: Vec<String> =
        differs.map(|(table, rows)| format!("{table}: {rows:?} and not {:?}", expected.get(table))).collect();
    if differs.is_empty() { Ok(()) } else { Err(format!("{what}: {}", differs.join("; "))) }
}

//! validate: checks each landed file and moves it from land to raw-hist, or to quarantine with a report.
//!
//! For every object that an event names: key → table → name and size → one streaming read of exactly that version →
//! every rule over every row → report → copy to raw-hist or quarantine. Then, once for all files of the invocation, an
//! alert lists those that did not pass, and a rebuild is requested. Only then are the files deleted from land. A
//! process that dies earlier leaves them there, and the event's retry repeats every step with the same result.
//!
//! An invalid file is never a failure of the function. A service that does not answer is: Lambda then retries.

mod app;

mod event;

mod extracts;

mod filing;

mod bounds;
mod check;
mod columns;
mod hashed;
mod rules;
mod unique;

mod drift;
mod figures;
mod report;

mod promote;
mod repeated_files;

mod notify;
mod rebuild;

pub mod command;
pub mod describe;
mod local;
mod terminal;

#[cfg(test)]
mod fuzz;

use std::collections::BTreeSet;
use std::time::Duration;

use boot::Invocation;
use contract::message::{ValidateRequest, ValidateResponse};
use contract::{Failure, key};
use serde_json::Value;
use store::Object;

pub use app::App;
use event::{Event, Notice, Record};
use extracts::Part;
use filing::{Checked, Inspection, Outcome, Pending};

/// Time reserved at the end of an invocation to request the rebuild and delete from land. No file is begun in it.
const RESERVE: Duration = Duration::from_mins(1);

impl App {
    /// Answers an execution that asks for its turn, or handles files.
    ///
    /// # Errors
    /// If a service does not answer, or the event is invalid. An invalid file is not an error.
    pub async fn answer(&self, payload: Value, invocation: &Invocation) -> Result<Value, Failure> {
        let answer = match payload.get("turn_of") {
            Some(_) => {
                let asked =
                    serde_json::from_value(payload).map_err(|e| Failure::bad_input(format!("the event: {e}")))?;
                let answer = self.rebuild.turn(&asked).await?;
                tracing::info!(execution = asked.execution, turn = ?answer.turn, by = answer.by, "turn");
                serde_json::to_value(answer)
            }
            None => serde_json::to_value(self.handle(payload, invocation).await?),
        };
        answer.map_err(Failure::internal)
    }

    /// Handles everything that the event names. A failure on one file does not stop the others: it is returned after
    /// them.
    ///
    /// # Errors
    /// The first failure, retryable ones before others. Everything that could be done is done.
    pub async fn handle(&self, payload: Value, invocation: &Invocation) -> Result<ValidateResponse, Failure> {
        let event = Event::read(payload, &self.land)?;
        let mut missing = Vec::new();
        let mut request = None;
        let records = match event {
            Event::Objects(records) => records,
            Event::Sweep(asked) => {
                let prefix = asked.prefix.clone().unwrap_or_else(|| self.base());
                let records = self.list(&prefix).await?;
                missing = self.missing_tables(&prefix, &records);
                request = Some(asked);
                records
            }
            Event::Test => {
                tracing::info!("test event of the bucket notification");
                Vec::new()
            }
        };

        let reserve = RESERVE.min(invocation.time_left(Duration::ZERO) / 4);
        let mut work = Work::default();
        let many = records.len();
        if matches!(request, Some(ValidateRequest { all_must_pass: true, .. })) {
            let is_late = || invocation.time_left(reserve).is_zero();
            work = self.all_or_none(records, missing.is_empty(), is_late).await?;
        } else {
            for (n, record) in records.into_iter().enumerate() {
                if n > 0 && invocation.time_left(reserve).is_zero() {
                    work.response.remaining = (many - n) as u64;
                    break;
                }
                if work.has(&record) {
                    continue; // already handled with its extract
                }
                let looked = match self.part(&record).await {
                    Ok(Part::None) => self.look(record).await,
                    Ok(Part::Late(extract)) => self.look_at_late(record, &extract).await,
                    Ok(Part::Rejected) => self.look_at_rejected(record).await,
                    Ok(Part::Waits) => Ok(Self::wait(record)),
                    Ok(Part::First(extract)) => {
                        let outcomes = self.settle_extract(&extract, record).await;
                        outcomes.into_iter().for_each(|outcome| work.note(outcome));
                        continue;
                    }
                    Err(failure) => Err(failure),
                };
                work.note(match looked {
                    Ok(looked) => self.settle_looked(looked).await,
                    Err(failure) => Err(failure),
                });
            }
        }
        let Work { mut response, leaves, mut failures, .. } = work;

        self.notify.publish(&response.files).await;
        let mut asked = Ok(());
        if leaves.iter().any(|leaves| leaves.promoted) {
            match self.rebuild.request().await {
                Ok(execution) => {
                    tracing::info!(execution, "rebuild asked for");
                    response.execution = Some(execution);
                }
                Err(failure) => asked = Err(failure),
            }
        }
        for Pending { object, promoted, is_last } in &leaves {
            // a promoted file stays in land until a rebuild is certain: the retry then requests it again
            if (asked.is_ok() || !promoted) && (failures.is_empty() || !is_last) {
                failures.extend(self.delete(object).await.err());
            }
        }
        failures.extend(asked.err());
        if response.remaining > 0 && request.is_none() {
            let what = format!("no time left for {} of {many} objects of the event", response.remaining);
            failures.push(Failure::timeout(what));
        }
        if !missing.is_empty() {
            failures.push(Failure::not_found(format!("no file in land of required tables: {}", missing.join(", "))));
        }
        for failure in &failures {
            tracing::error!(error_type = failure.kind.name(), error = %failure, "not done, left for the next attempt");
        }
        // a retryable failure first, so that Lambda and the caller retry
        failures.sort_by_key(|failure| !failure.kind.is_retryable());
        failures.into_iter().next().map_or(Ok(response), Err)
    }

    /// Promotes every file, or none if one does not pass or is missing. Fails, with nothing done, if not every file
    /// could be checked.
    async fn all_or_none(
        &self,
        records: Vec<Record>,
        is_complete: bool,
        is_late: impl Fn() -> bool,
    ) -> Result<Work, Failure> {
        let mut work = Work::default();
        let many = records.len();
        let mut checked = Vec::with_capacity(many);
        for (n, record) in records.into_iter().enumerate() {
            if n > 0 && is_late() {
                let what = format!("no time left for {} of {many} files that must all pass, so that none", many - n);
                return Err(Failure::timeout(format!("{what} was promoted; ask for a smaller prefix")));
            }
            let is_seen =
                |checked: &Checked| matches!(&record, Record::Created(notice) if notice.key == checked.object.key);
            if work.has(&record) || checked.iter().any(is_seen) {
                continue; // already handled with its extract
            }
            let looked = match self.part(&record).await? {
                Part::None => vec![self.look(record).await?],
                Part::Late(extract) => vec![self.look_at_late(record, &extract).await?],
                Part::Rejected => vec![self.look_at_rejected(record).await?],
                Part::Waits => vec![Self::wait(record)],
                Part::First(extract) => self.look_at_extract(&extract, record).await?,
            };
            for one in looked {
                match one {
                    Inspection::Done(file) => work.note(Ok(Outcome { file, leaves: None })),
                    Inspection::Checked(mut file) => {
                        self.find_conflict(&mut file).await?;
                        checked.push(*file);
                    }
                }
            }
        }
        let all_pass = is_complete && checked.iter().all(|file| file.findings.failures.is_empty());
        for file in checked {
            work.note(if all_pass { self.settle(file).await } else { self.leave(file).await });
        }
        if !work.failures.is_empty() {
            // all of them stay in land: the next attempt repeats them and requests the rebuild for all
            work.leaves.clear();
        }
        Ok(work)
    }

    /// The base folder as a prefix.
    fn base(&self) -> String {
        match self.base_folder.trim_matches('/') {
            "" => String::new(),
            base => format!("{base}/"),
        }
    }

    /// Returns the required tables whose folder is under the prefix and has no file.
    fn missing_tables(&self, prefix: &str, records: &[Record]) -> Vec<String> {
        let required = self.metadata.raw.values().filter(|table| table.checks.required).filter(|table| {
            let folder = key::table_prefix(&self.base_folder, &table.name);
            let is_file = |key: &str| key.starts_with(&folder) && key::is_no_data(key).is_none();
            let found = records.iter().any(|r| matches!(r, Record::Created(notice) if is_file(&notice.key)));
            folder.starts_with(prefix) && !found
        });
        required.map(|table| format!("`{}`", table.name)).collect()
    }

    async fn list(&self, prefix: &str) -> Result<Vec<Record>, Failure> {
        let objects = self.areas.store.list(&self.land, prefix).await?;
        let notice = |object: Object| Record::Created(Notice { key: object.key, version_id: None, etag: None });
        Ok(objects.into_iter().map(notice).collect())
    }
}

/// The progress of an invocation.
#[derive(Default)]
struct Work {
    response: ValidateResponse,
    /// The keys in the response.
    keys: BTreeSet<String>,
    leaves: Vec<Pending>,
    failures: Vec<Failure>,
}

impl Work {
    /// Whether a listed file has already been handled with its extract. A version that an event names is a file of its
    /// own.
    fn has(&self, record: &Record) -> bool {
        matches!(record, Record::Created(Notice { key, version_id: None, .. }) if self.keys.contains(key))
    }

    fn note(&mut self, outcome: Result<Outcome, Failure>) {
        match outcome {
            Ok(Outcome { file, leaves }) => {
                self.leaves.extend(leaves);
                self.keys.insert(file.key.clone());
                self.response.files.push(file);
            }
            Err(failure) => self.failures.push(failure),
        }
    }
}

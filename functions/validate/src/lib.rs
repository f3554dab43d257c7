//! validate: land → raw-hist, or quarantine with a report.
//!
//! For every object that an event names: key → table → name and size → one streaming read of exactly that version →
//! every rule over every row → report → copy to raw-hist or quarantine. Then, once for all files of the invocation,
//! people are told of those that did not pass, a rebuild is asked for, and only then are the files deleted from land. A
//! process that dies anywhere before leaves them there, and the event's retry repeats every step to the same end.
//!
//! What is wrong with a file is never a failure of the function. Services that do not answer are: Lambda retries then.

mod areas;
mod check;
pub mod command;
pub mod describe;
mod drift;
mod event;
mod extracts;
#[cfg(test)]
mod fuzz;
mod hashed;
mod literal;
mod notify;
mod printed;
mod rebuild;
mod repeated;
mod report;
mod rules;
mod unique;
mod values;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use boot::metrics::{self, Unit};
use boot::{Boot, Invocation, env};
use contract::message::{ObjectName, ValidateRequest, ValidateResponse, ValidatedFile, Verdict};
use contract::{Failure, LandKey, MetaData, RepeatedFiles, STAGED, key};
use rows::{Input, Ranges};
use serde_json::Value;
use store::{Object, Store};

use areas::{Areas, Filed};
use check::Dataset;
use event::{Event, Notice, Record};
use extracts::Part;
use hashed::Hashed;
use notify::Notify;
use rebuild::Rebuild;
use report::{Broken, Findings, Report};

/// Time kept for asking for the rebuild and deleting from land; no file is begun after.
const RESERVE: Duration = Duration::from_secs(60);

/// The function.
#[derive(Debug)]
pub struct App {
    areas: Areas,
    rebuild: Rebuild,
    notify: Notify,
    land: String,
    base_folder: String,
    metadata: MetaData,
    datasets: BTreeMap<String, Arc<Dataset>>,
}

/// Where in the bucket of reports it is written down which rebuild has its turn.
fn turn_key(base_folder: &str) -> String {
    match base_folder.trim_matches('/') {
        "" => "rebuilds/turn.json".into(),
        base => format!("rebuilds/{base}/turn.json"),
    }
}

/// What became of one file, and what is left to do.
struct Outcome {
    file: ValidatedFile,
    leaves: Option<Leaves>,
}

/// A file that is where it belongs, and still in land.
struct Leaves {
    object: Object,
    /// Whether a rebuild must be asked for first.
    promoted: bool,
    /// Whether it stays unless all others have left.
    is_last: bool,
}

/// A file before anything was done with it.
enum Looked {
    /// Nothing is to be done.
    Done(ValidatedFile),
    /// It was read.
    Checked(Box<Checked>),
}

/// A file with what was found in it.
struct Checked {
    object: Object,
    /// Where it belongs, if it is a file of a table.
    belongs: Option<(LandKey, Arc<Dataset>)>,
    findings: Findings,
    took: Duration,
    /// SHA-256 of its bytes, as far as reading it gave that by the way.
    sha256: Option<[u8; 32]>,
    /// Whether it is to leave land last.
    is_last: bool,
}

impl App {
    /// Sets the function up from its environment and metadata.
    pub fn new(boot: &mut Boot) -> Result<Self, Failure> {
        let land = boot.env.text(env::LAND_BUCKET);
        let base_folder = boot.env.text(env::BASE_FOLDER);
        let state_machine = boot.env.text(env::STATE_MACHINE_ARN);
        let window_seconds = boot.env.number(env::REBUILD_WINDOW_SECONDS);
        let topic = boot.env.text(env::ALERTS_TOPIC_ARN);
        let areas = Areas {
            store: Store::new(&boot.aws),
            raw_hist: boot.env.text(env::RAW_HIST_BUCKET),
            raw: boot.env.text(env::RAW_BUCKET),
            quarantine: boot.env.text(env::QUARANTINE_BUCKET),
            reports: boot.env.text(env::REPORTS_BUCKET),
        };
        let metadata = boot.metadata()?;
        if window_seconds == 0 {
            let what = format!("the function's environment: {} is 0, expected at least 1", env::REBUILD_WINDOW_SECONDS);
            return Err(Failure::bad_input(what));
        }
        let datasets = check::datasets(&metadata)?;
        let rebuild = Rebuild {
            client: aws_sdk_sfn::Client::new(&boot.aws),
            state_machine,
            database: metadata.database.name.clone(),
            window_seconds,
            store: areas.store.clone(),
            place: (areas.reports.clone(), turn_key(&base_folder)),
        };
        let notify = Notify::new(aws_sdk_sns::Client::new(&boot.aws), topic);
        Ok(Self { areas, rebuild, notify, land, base_folder, metadata, datasets })
    }

    /// Answers an execution that asks for its turn, or handles files.
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

    /// Handles everything that the event names. One file's failure does not keep the others from being handled: it is
    /// returned after them.
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
                    continue; // with its extract
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

        self.notify.tell(&response.files).await;
        let mut asked = Ok(());
        if leaves.iter().any(|leaves| leaves.promoted) {
            match self.rebuild.ask().await {
                Ok(execution) => {
                    tracing::info!(execution, "rebuild asked for");
                    response.execution = Some(execution);
                }
                Err(failure) => asked = Err(failure),
            }
        }
        for Leaves { object, promoted, is_last } in &leaves {
            // what was promoted stays in land until a rebuild is sure: the retry asks again
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
        // a retryable one first: then Lambda's and the caller's retries make sense
        failures.sort_by_key(|failure| !failure.kind.is_retryable());
        failures.into_iter().next().map_or(Ok(response), Err)
    }

    /// Promotes every file, or none when one does not pass or is missing. Fails, with nothing done, when not every file
    /// could be looked at.
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
                continue; // with its extract
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
                    Looked::Done(file) => work.note(Ok(Outcome { file, leaves: None })),
                    Looked::Checked(mut file) => {
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
            // all of them stay in land: the next attempt does them again, and asks for the rebuild of all
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

    /// Required tables whose whole folder is under the prefix, and of which there is no file.
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

    /// Reads what a record names and changes nothing.
    async fn look(&self, record: Record) -> Result<Looked, Failure> {
        match record {
            Record::Created(notice) => self.look_at(notice).await,
            Record::Unusable { key, reason } => {
                tracing::error!(key, reason, "record of the event ignored");
                Ok(unread(key, Verdict::Ignored, 0, &reason))
            }
        }
    }

    async fn look_at(&self, notice: Notice) -> Result<Looked, Failure> {
        let found = self.areas.store.head(&self.land, &notice.key, notice.version_id.as_deref()).await?;
        let Some(object) = found.filter(|object| is_named(&notice, object)) else {
            tracing::info!(key = notice.key, version = notice.version_id, "already handled");
            return Ok(unread(notice.key, Verdict::AlreadyHandled, 0, GONE));
        };
        if object.key.starts_with(STAGED) {
            return Ok(unread(
                object.key,
                Verdict::Ignored,
                object.bytes,
                "what extract has fetched, and is to land itself",
            ));
        }
        if let Some(what) = key::is_no_data(&object.key).filter(|_| !object.key.ends_with('/') || object.bytes == 0) {
            tracing::info!(key = object.key, what, "no data, ignored");
            return Ok(unread(object.key, Verdict::Ignored, object.bytes, what));
        }

        let started = Instant::now();
        let mut hashing = None;
        let broken = |rule, reason: String| (None, Findings::of(Broken::whole(rule, reason)));
        let (belongs, findings) = match LandKey::parse(&self.base_folder, &object.key) {
            Err(error) => broken("key", error.reason),
            Ok(key) => match self.metadata.raw_table(&key.table).map(|table| self.datasets.get(&table.name)) {
                Ok(Some(dataset)) => match self.check(&object, &key, dataset, &mut hashing).await? {
                    Some(findings) => (Some((key, Arc::clone(dataset))), findings),
                    None => return Ok(unread(object.key, Verdict::AlreadyHandled, object.bytes, GONE)),
                },
                Ok(None) => broken("table", format!("no raw table `{}`", key.table)),
                Err(reason) => broken("table", reason),
            },
        };
        let took = started.elapsed();
        let sha256 = hashing.and_then(|hashing: Hashed| hashing.of(object.bytes));
        Ok(Looked::Checked(Box::new(Checked { object, belongs, findings, took, sha256, is_last: false })))
    }

    async fn settle_looked(&self, looked: Looked) -> Result<Outcome, Failure> {
        match looked {
            Looked::Checked(checked) => self.settle(*checked).await,
            Looked::Done(file) => Ok(Outcome { file, leaves: None }),
        }
    }

    /// Files a file where it belongs, with its report.
    async fn settle(&self, mut checked: Checked) -> Result<Outcome, Failure> {
        let object = &checked.object;
        let mut filed = None;
        if let (Some((key, dataset)), true) = (&checked.belongs, checked.findings.failures.is_empty()) {
            match self.promote(object, key, dataset, checked.sha256).await? {
                Filed::Taken(other) => checked.findings.failures.push(conflict(&other)),
                promoted => filed = Some(promoted),
            }
        }
        let filed = match filed {
            Some(filed) => filed,
            None => self.areas.quarantine(object).await?,
        };
        match filed {
            Filed::There(filed_at) => self.report(checked, Verdict::Quarantined, filed_at).await,
            Filed::Gone => {
                let file = unhandled(object.key.clone(), Verdict::AlreadyHandled, object.bytes, GONE);
                Ok(Outcome { file, leaves: None })
            }
            Filed::Taken(other) => {
                let what = format!("{} cannot go to quarantine: {} is there", object.url(), other.url());
                Err(Failure::conflict(what))
            }
        }
    }

    async fn promote(
        &self,
        object: &Object,
        key: &LandKey,
        dataset: &Dataset,
        sha256: Option<[u8; 32]>,
    ) -> Result<Filed, Failure> {
        let to_raw = dataset.table.copy_to_raw;
        if !is_counted_once(key, dataset) {
            let target = key.filed(object.last_modified).format(&self.base_folder);
            return self.areas.promote(object, &target, to_raw).await;
        }
        let sha256 = match sha256 {
            Some(sha256) => Some(sha256),
            None => self.areas.digest(object).await?,
        };
        let Some(sha256) = sha256 else { return Ok(Filed::Gone) };
        self.areas.promote_once(object, &self.base_folder, key, sha256, to_raw).await
    }

    /// Leaves a file in land, because not all of the files pass that must; with its report if it is one that does not.
    async fn leave(&self, checked: Checked) -> Result<Outcome, Failure> {
        let Checked { object, findings, .. } = &checked;
        if findings.failures.is_empty() {
            let summary = "passed its checks, and stays in land: not every file of the request passed";
            tracing::info!(key = object.key, version = object.version_id, "file held");
            let file = unhandled(object.key.clone(), Verdict::Held, object.bytes, summary);
            return Ok(Outcome { file: ValidatedFile { rows: findings.rows, ..file }, leaves: None });
        }
        let filed_at = ObjectName { bucket: object.bucket.clone(), key: object.key.clone() };
        self.report(checked, Verdict::Failed, filed_at).await
    }

    /// Writes the report on a file, and tells the log. `broken` is the verdict on a file that breaks a rule.
    async fn report(&self, checked: Checked, broken: Verdict, filed_at: ObjectName) -> Result<Outcome, Failure> {
        let Checked { object, belongs, findings, took, is_last, .. } = checked;
        let table = belongs.as_ref().map(|(_, dataset)| dataset.table.name.as_str());
        let mut report = Report::new(&object, table, &findings, broken, Some(filed_at.clone()), &self.metadata.sha256);
        if let (Some((key, _)), Verdict::Passed) = (&belongs, report.verdict)
            && repeated::repeats(&object, &self.base_folder, key, &filed_at)
        {
            report.repeats(filed_at.clone());
        }
        let place = self.areas.report(&object, &report, &filed_at).await?;
        tell(&object, table, &findings, &report, &place, took);
        let verdict = report.verdict;
        let file = ValidatedFile {
            key: object.key.clone(),
            verdict,
            rows: findings.rows,
            bytes: object.bytes,
            summary: report.summary,
            filed_at: Some(store::url(&filed_at.bucket, &filed_at.key)),
            report: Some(place),
        };
        let promoted = verdict == Verdict::Passed;
        let leaves = (verdict != Verdict::Failed).then_some(Leaves { object, promoted, is_last });
        Ok(Outcome { file, leaves })
    }

    /// Finds before anything is done what would be a conflict with history.
    async fn find_conflict(&self, checked: &mut Checked) -> Result<(), Failure> {
        let Checked { object, belongs: Some((key, _)), findings, .. } = checked else { return Ok(()) };
        if findings.failures.is_empty() {
            let target = key.filed(object.last_modified).format(&self.base_folder);
            let other = self.areas.other_in_history(object, &target).await?;
            findings.failures.extend(other.map(|other| conflict(&other)));
        }
        Ok(())
    }

    /// All checks of the table; `None` when the version went away meanwhile.
    async fn check(
        &self,
        object: &Object,
        key: &LandKey,
        dataset: &Arc<Dataset>,
        hashed: &mut Option<Hashed>,
    ) -> Result<Option<Findings>, Failure> {
        let mut failures: Vec<Broken> = dataset.check_name(key).into_iter().collect();
        failures.extend(dataset.check_size(object.bytes));
        if failures.iter().any(|broken| matches!(broken.rule, "size" | "maximum_bytes")) {
            return Ok(Some(Findings { failures, ..Findings::default() }));
        }
        let input = match rows::needs_ranges(key.format, key.compression) {
            true => Ok(Ranges::new(object.bytes, self.areas.store.ranges(object)).into()),
            false => {
                let body = self.areas.store.read(object).await.map(store::blocking_reader);
                body.map(|body| match is_counted_once(key, dataset) {
                    true => Input::from(hashed.insert(Hashed::default()).reader(body)),
                    false => Input::from(body),
                })
            }
        };
        let findings = match input {
            Ok(input) => {
                let (dataset, key) = (Arc::clone(dataset), key.clone());
                let check = tokio::task::spawn_blocking(move || dataset.check_rows(input, &key)).await;
                let check = check.map_err(|error| Failure::internal(format!("checking {}: {error}", object.url())))?;
                check.map_err(|failure| failure.context(format!("reading {}", object.url())))
            }
            Err(failure) => Err(failure),
        };
        let mut findings = match findings {
            Ok(findings) => findings,
            Err(failure) => return if self.areas.is_in_land(object).await? { Err(failure) } else { Ok(None) },
        };
        failures.append(&mut findings.failures);
        Ok(Some(Findings { failures, ..findings }))
    }

    async fn delete(&self, object: &Object) -> Result<(), Failure> {
        match self.areas.store.delete(object).await {
            // without versions: it was overwritten, and the new one has an event of its own
            Err(_) if !self.areas.is_in_land(object).await? => Ok(()),
            deleted => deleted,
        }
    }
}

const GONE: &str = "this version is no longer in land: an earlier event dealt with it";

/// What an invocation has done so far.
#[derive(Default)]
struct Work {
    response: ValidateResponse,
    /// The keys in the response.
    keys: BTreeSet<String>,
    leaves: Vec<Leaves>,
    failures: Vec<Failure>,
}

impl Work {
    /// Whether a listed file has been handled with others; an event's version is a file of its own.
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

impl Findings {
    fn of(broken: Broken) -> Self {
        Self { failures: vec![broken], ..Self::default() }
    }
}

/// Whether the object is still the one that the event names. Where versions are kept, its version says so.
fn is_named(notice: &Notice, object: &Object) -> bool {
    notice.version_id.is_some() || notice.etag.as_ref().is_none_or(|etag| etag == object.etag.trim_matches('"'))
}

/// Other bytes have the file's key in history.
fn conflict(other: &Object) -> Broken {
    let what = "is there with other bytes, and history is immutable: land the file under another time";
    Broken::whole("history", format!("{} {what}", other.url()))
}

/// Whether a file is told from others by its bytes, as it has no time of its own.
fn is_counted_once(key: &LandKey, dataset: &Dataset) -> bool {
    key.file_land_timestamp.is_none() && dataset.table.checks.repeated_files == RepeatedFiles::Ignore
}

/// A file that nothing is done with.
fn unhandled(key: String, verdict: Verdict, bytes: u64, summary: &str) -> ValidatedFile {
    ValidatedFile { key, verdict, rows: 0, bytes, summary: summary.into(), filed_at: None, report: None }
}

fn unread(key: String, verdict: Verdict, bytes: u64, summary: &str) -> Looked {
    Looked::Done(unhandled(key, verdict, bytes, summary))
}

/// The log line and the metrics of a file.
fn tell(object: &Object, table: Option<&str>, findings: &Findings, report: &Report, place: &str, took: Duration) {
    let (key, version, bytes) = (&object.key, &object.version_id, object.bytes);
    let (rows, text, seconds) = (findings.rows, findings.inflated_bytes, took.as_secs_f64());
    let passed = findings.failures.is_empty();
    if passed {
        let drift = findings.drift.describe();
        tracing::info!(key, version, table, rows, bytes, text, seconds, drift, report = place, "file passed");
    } else {
        let reason = &report.summary;
        if report.verdict == Verdict::Failed {
            tracing::warn!(key, version, table, rows, bytes, text, seconds, reason, report = place, "file failed");
        } else {
            tracing::warn!(key, version, table, rows, bytes, text, seconds, reason, report = place, "file quarantined");
        }
    }
    let outcome = match report.verdict {
        Verdict::Passed => "FilesPassed",
        Verdict::Failed => "FilesFailed",
        _ => "FilesQuarantined",
    };
    let mut values = vec![
        (outcome, Unit::Count, 1.0),
        ("RowsRead", Unit::Count, rows as f64),
        ("BytesRead", Unit::Bytes, bytes as f64),
    ];
    if rows > 0 && seconds > 0.0 {
        values.push(("RowsPerSecond", Unit::CountPerSecond, rows as f64 / seconds));
    }
    metrics::emit(table, &values);
}

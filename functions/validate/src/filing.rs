//! Filing: the path of one file. It is read and checked, copied to history or quarantine, reported, and deleted from
//! land.

use std::sync::Arc;
use std::time::{Duration, Instant};

use boot::metrics::{self, Unit};
use contract::message::{ObjectName, ValidatedFile, Verdict};
use contract::{Failure, LandKey, RepeatedFiles, STAGED, key};
use rows::{Input, Ranges};
use store::Object;

use crate::app::App;
use crate::check::Dataset;
use crate::event::{Notice, Record};
use crate::hashed::Hashed;
use crate::promote::Filed;
use crate::repeated_files;
use crate::report::{Findings, Report, Violation};

const GONE: &str = "this version is no longer in land: an earlier event dealt with it";

/// The verdict on one file, and what remains to be done with it.
pub(crate) struct Outcome {
    pub(crate) file: ValidatedFile,
    pub(crate) leaves: Option<Pending>,
}

/// A file that was copied to its destination and is still in land.
pub(crate) struct Pending {
    pub(crate) object: Object,
    /// Whether a rebuild must be requested before it is deleted.
    pub(crate) promoted: bool,
    /// Whether it is deleted only after all other files.
    pub(crate) is_last: bool,
}

/// A file before anything was changed.
pub(crate) enum Inspection {
    /// Nothing remains to be done.
    Done(ValidatedFile),
    /// It was read and checked.
    Checked(Box<Checked>),
}

/// A file with its findings.
pub(crate) struct Checked {
    pub(crate) object: Object,
    /// Its parsed key and its table's rules, if it is a file of a table.
    pub(crate) belongs: Option<(LandKey, Arc<Dataset>)>,
    pub(crate) findings: Findings,
    pub(crate) took: Duration,
    /// SHA-256 of its bytes, if it was computed while the file was read.
    pub(crate) sha256: Option<[u8; 32]>,
    /// Whether it is deleted from land last.
    pub(crate) is_last: bool,
}

impl App {
    /// Reads and checks the object that a record names. Changes nothing.
    pub(crate) async fn look(&self, record: Record) -> Result<Inspection, Failure> {
        match record {
            Record::Created(notice) => self.look_at(notice).await,
            Record::Unusable { key, reason } => {
                tracing::error!(key, reason, "record of the event ignored");
                Ok(unread(key, Verdict::Ignored, 0, &reason))
            }
        }
    }

    async fn look_at(&self, notice: Notice) -> Result<Inspection, Failure> {
        let found = self.areas.store.head(&self.land, &notice.key, notice.version_id.as_deref()).await?;
        let Some(object) = found.filter(|object| is_named(&notice, object)) else {
            tracing::info!(key = notice.key, version = notice.version_id, "already handled");
            return Ok(unread(notice.key, Verdict::AlreadyHandled, 0, GONE));
        };
        if object.key.starts_with(STAGED) {
            return Ok(unread(object.key, Verdict::Ignored, object.bytes, "a staged file, which extract lands itself"));
        }
        if let Some(what) = key::is_no_data(&object.key).filter(|_| !object.key.ends_with('/') || object.bytes == 0) {
            tracing::info!(key = object.key, what, "no data, ignored");
            return Ok(unread(object.key, Verdict::Ignored, object.bytes, what));
        }

        let started = Instant::now();
        let mut hashing = None;
        let broken = |rule, reason: String| (None, Findings::of(Violation::whole(rule, reason)));
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
        Ok(Inspection::Checked(Box::new(Checked { object, belongs, findings, took, sha256, is_last: false })))
    }

    pub(crate) async fn settle_looked(&self, looked: Inspection) -> Result<Outcome, Failure> {
        match looked {
            Inspection::Checked(checked) => self.settle(*checked).await,
            Inspection::Done(file) => Ok(Outcome { file, leaves: None }),
        }
    }

    /// Copies a file to history or quarantine, and writes its report.
    pub(crate) async fn settle(&self, mut checked: Checked) -> Result<Outcome, Failure> {
        let object = &checked.object;
        let mut filed = None;
        if let (Some((key, dataset)), true) = (&checked.belongs, checked.findings.failures.is_empty()) {
            match self.promote(object, key, dataset, checked.sha256).await? {
                Filed::Conflict(other) => checked.findings.failures.push(conflict(&other)),
                promoted => filed = Some(promoted),
            }
        }
        let filed = match filed {
            Some(filed) => filed,
            None => self.areas.quarantine(object).await?,
        };
        match filed {
            Filed::Done(filed_at) => self.report(checked, Verdict::Quarantined, filed_at).await,
            Filed::SourceGone => {
                let file = unhandled(object.key.clone(), Verdict::AlreadyHandled, object.bytes, GONE);
                Ok(Outcome { file, leaves: None })
            }
            Filed::Conflict(other) => {
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
        let Some(sha256) = sha256 else { return Ok(Filed::SourceGone) };
        self.areas.promote_once(object, &self.base_folder, key, sha256, to_raw).await
    }

    /// Leaves a file in land, because not all files that must pass do. If it is one that does not pass, its report is
    /// written.
    pub(crate) async fn leave(&self, checked: Checked) -> Result<Outcome, Failure> {
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

    /// Writes the report on a file, and logs the result. `broken` is the verdict if the file breaks a rule.
    async fn report(&self, checked: Checked, broken: Verdict, filed_at: ObjectName) -> Result<Outcome, Failure> {
        let Checked { object, belongs, findings, took, is_last, .. } = checked;
        let table = belongs.as_ref().map(|(_, dataset)| dataset.table.name.as_str());
        let mut report = Report::new(&object, table, &findings, broken, Some(filed_at.clone()), &self.metadata.sha256);
        if let (Some((key, _)), Verdict::Passed) = (&belongs, report.verdict)
            && repeated_files::repeats(&object, &self.base_folder, key, &filed_at)
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
        let leaves = (verdict != Verdict::Failed).then_some(Pending { object, promoted, is_last });
        Ok(Outcome { file, leaves })
    }

    /// Adds a conflict with history to the findings before anything is changed.
    pub(crate) async fn find_conflict(&self, checked: &mut Checked) -> Result<(), Failure> {
        let Checked { object, belongs: Some((key, _)), findings, .. } = checked else { return Ok(()) };
        if findings.failures.is_empty() {
            let target = key.filed(object.last_modified).format(&self.base_folder);
            let other = self.areas.other_in_history(object, &target).await?;
            findings.failures.extend(other.map(|other| conflict(&other)));
        }
        Ok(())
    }

    /// Applies all checks of the table; `None` if the version was deleted meanwhile.
    async fn check(
        &self,
        object: &Object,
        key: &LandKey,
        dataset: &Arc<Dataset>,
        hashed: &mut Option<Hashed>,
    ) -> Result<Option<Findings>, Failure> {
        let mut failures: Vec<Violation> = dataset.check_name(key).into_iter().collect();
        failures.extend(dataset.check_size(object.bytes));
        if failures.iter().any(|broken| matches!(broken.rule, "size" | "maximum_bytes")) {
            return Ok(Some(Findings { failures, ..Findings::default() }));
        }
        let input = if rows::needs_ranges(key.format, key.compression) {
            Ok(Ranges::new(object.bytes, self.areas.store.ranges(object)).into())
        } else {
            let body = self.areas.store.read(object).await.map(store::blocking_reader);
            body.map(|body| {
                if is_counted_once(key, dataset) {
                    Input::from(hashed.insert(Hashed::default()).reader(body))
                } else {
                    Input::from(body)
                }
            })
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

    pub(crate) async fn delete(&self, object: &Object) -> Result<(), Failure> {
        match self.areas.store.delete(object).await {
            // in a bucket without versions, it was overwritten, and the new object has its own event
            Err(_) if !self.areas.is_in_land(object).await? => Ok(()),
            deleted => deleted,
        }
    }
}

impl Findings {
    fn of(broken: Violation) -> Self {
        Self { failures: vec![broken], ..Self::default() }
    }
}

/// Whether the object is still the one that the event names. In a bucket with versions, its version identifies it.
fn is_named(notice: &Notice, object: &Object) -> bool {
    notice.version_id.is_some() || notice.etag.as_ref().is_none_or(|etag| etag == object.etag.trim_matches('"'))
}

/// The violation of a file whose key another object, with other bytes, has in history.
fn conflict(other: &Object) -> Violation {
    let what = "already exists with different bytes, and history is immutable: land the file with another time";
    Violation::whole("history", format!("{} {what}", other.url()))
}

/// Whether a file is identified by its bytes, because its key has no landing time.
fn is_counted_once(key: &LandKey, dataset: &Dataset) -> bool {
    key.file_land_timestamp.is_none() && dataset.table.checks.repeated_files == RepeatedFiles::Ignore
}

/// Returns the result for a file that is left as it is.
fn unhandled(key: String, verdict: Verdict, bytes: u64, summary: &str) -> ValidatedFile {
    ValidatedFile { key, verdict, rows: 0, bytes, summary: summary.into(), filed_at: None, report: None }
}

pub(crate) fn unread(key: String, verdict: Verdict, bytes: u64, summary: &str) -> Inspection {
    Inspection::Done(unhandled(key, verdict, bytes, summary))
}

/// Writes the log line and the metrics of a file.
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

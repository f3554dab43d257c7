//! validate: land → raw-hist, or quarantine with a report.
//!
//! For every object that an event names: key → table → name and size → one streaming read of exactly that version →
//! every rule over every row → report → copy to raw-hist or quarantine. Then, once for all files of the invocation, a
//! rebuild is asked for, and only then are the files deleted from land. A process that dies anywhere before leaves them
//! there, and the event's retry repeats every step to the same end.
//!
//! What is wrong with a file is never a failure of the function. Services that do not answer are: Lambda retries then.

mod areas;
mod check;
mod drift;
mod event;
mod literal;
mod rebuild;
mod report;
mod rules;
mod unique;
mod values;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use boot::metrics::{self, Unit};
use boot::{Boot, Invocation, env};
use contract::message::{ValidateResponse, ValidatedFile, Verdict};
use contract::{Failure, LandKey, MetaData};
use serde_json::Value;
use store::{Object, Store};

use areas::{Areas, Filed};
use check::Dataset;
use event::{Event, Notice, Record};
use rebuild::Rebuild;
use report::{Broken, Findings, Report};

/// Time kept for asking for the rebuild and deleting from land; no file is begun after.
const RESERVE: Duration = Duration::from_secs(60);

/// The function.
#[derive(Debug)]
pub struct App {
    areas: Areas,
    rebuild: Rebuild,
    land: String,
    base_folder: String,
    metadata: MetaData,
    datasets: BTreeMap<String, Arc<Dataset>>,
}

/// What became of one file, and what is left to do once a rebuild has been asked for.
struct Outcome {
    file: ValidatedFile,
    promoted: Option<Object>,
}

impl App {
    /// Sets the function up from its environment and metadata.
    pub fn new(boot: &mut Boot) -> Result<Self, Failure> {
        let land = boot.env.text(env::LAND_BUCKET);
        let base_folder = boot.env.text(env::BASE_FOLDER);
        let state_machine = boot.env.text(env::STATE_MACHINE_ARN);
        let window_seconds = boot.env.number(env::REBUILD_WINDOW_SECONDS);
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
        let client = aws_sdk_sfn::Client::new(&boot.aws);
        let rebuild = Rebuild::new(client, state_machine, metadata.database.name.clone(), window_seconds);
        Ok(Self { areas, rebuild, land, base_folder, metadata, datasets })
    }

    /// Handles everything that the event names. One file's failure does not keep the others from being handled: it is
    /// returned after them.
    pub async fn handle(&self, payload: Value, invocation: &Invocation) -> Result<ValidateResponse, Failure> {
        let event = Event::read(payload, &self.land)?;
        let by_hand = matches!(event, Event::Sweep(_));
        let records = match event {
            Event::Objects(records) => records,
            Event::Sweep(request) => self.list(request.prefix).await?,
            Event::Test => {
                tracing::info!("test event of the bucket notification");
                Vec::new()
            }
        };

        let reserve = RESERVE.min(invocation.time_left(Duration::ZERO) / 4);
        let mut response = ValidateResponse::default();
        let mut promoted = Vec::new();
        let mut failures: Vec<Failure> = Vec::new();
        let many = records.len();
        for (n, record) in records.into_iter().enumerate() {
            if n > 0 && invocation.time_left(reserve).is_zero() {
                response.remaining = (many - n) as u64;
                break;
            }
            match self.record(record).await {
                Ok(outcome) => {
                    promoted.extend(outcome.promoted);
                    response.files.push(outcome.file);
                }
                Err(failure) => failures.push(failure),
            }
        }

        if !promoted.is_empty() {
            match self.rebuild.ask().await {
                Ok(execution) => {
                    tracing::info!(execution, files = promoted.len(), "rebuild asked for");
                    response.execution = Some(execution);
                    for object in &promoted {
                        failures.extend(self.delete(object).await.err());
                    }
                }
                Err(failure) => failures.push(failure),
            }
        }
        if response.remaining > 0 && !by_hand {
            let what = format!("no time left for {} of {many} objects of the event", response.remaining);
            failures.push(Failure::timeout(what));
        }
        for failure in &failures {
            tracing::error!(error_type = failure.kind.name(), error = %failure, "not done, left for the next attempt");
        }
        // a retryable one first: then Lambda's and the caller's retries make sense
        failures.sort_by_key(|failure| !failure.kind.is_retryable());
        failures.into_iter().next().map_or(Ok(response), Err)
    }

    async fn list(&self, prefix: Option<String>) -> Result<Vec<Record>, Failure> {
        let base = match self.base_folder.trim_matches('/') {
            "" => String::new(),
            base => format!("{base}/"),
        };
        let objects = self.areas.store.list(&self.land, &prefix.unwrap_or(base)).await?;
        let notice = |object: Object| Record::Created(Notice { key: object.key, version_id: None, etag: None });
        Ok(objects.into_iter().map(notice).collect())
    }

    async fn record(&self, record: Record) -> Result<Outcome, Failure> {
        match record {
            Record::Created(notice) => self.file(notice).await,
            Record::Unusable { key, reason } => {
                tracing::error!(key, reason, "record of the event ignored");
                Ok(unread(key, Verdict::Ignored, 0, &reason))
            }
        }
    }

    async fn file(&self, notice: Notice) -> Result<Outcome, Failure> {
        let found = self.areas.store.head(&self.land, &notice.key, notice.version_id.as_deref()).await?;
        let Some(object) = found.filter(|object| is_named(&notice, object)) else {
            tracing::info!(key = notice.key, version = notice.version_id, "already handled");
            return Ok(unread(notice.key, Verdict::AlreadyHandled, 0, GONE));
        };
        if object.key.ends_with('/') && object.bytes == 0 {
            // the console makes these
            tracing::info!(key = object.key, "folder marker ignored");
            return Ok(unread(object.key, Verdict::Ignored, 0, "the marker of a folder, not a file"));
        }

        let started = Instant::now();
        let key = LandKey::parse(&self.base_folder, &object.key);
        let (dataset, findings) = match &key {
            Err(error) => (None, Findings::of(check::wrong_key(error))),
            Ok(key) => match self.metadata.raw_table(&key.table).map(|table| self.datasets.get(&table.name)) {
                Ok(Some(dataset)) => match self.check(&object, key, dataset).await? {
                    Some(findings) => (Some(dataset), findings),
                    None => return Ok(unread(object.key, Verdict::AlreadyHandled, object.bytes, GONE)),
                },
                Ok(None) => (None, Findings::of(Broken::whole("table", format!("no raw table `{}`", key.table)))),
                Err(reason) => (None, Findings::of(Broken::whole("table", reason))),
            },
        };
        let checked = started.elapsed();

        let table = dataset.map(|dataset| dataset.table.name.as_str());
        let (filed, findings) = match (&key, dataset) {
            (Ok(key), Some(dataset)) if findings.failures.is_empty() => {
                self.promote(&object, key, dataset, findings).await?
            }
            _ => (self.areas.quarantine(&object).await?, findings),
        };
        let filed_at = match filed {
            Filed::There(filed_at) => filed_at,
            Filed::Gone => return Ok(unread(object.key, Verdict::AlreadyHandled, object.bytes, GONE)),
            Filed::Taken(other) => {
                return Err(Failure::conflict(format!(
                    "{} cannot go to quarantine: {} is there",
                    object.url(),
                    other.url()
                )));
            }
        };
        let passed = findings.failures.is_empty();
        let report =
            Report::new(&object, table, &findings, Verdict::Quarantined, Some(filed_at.clone()), &self.metadata.sha256);
        let place = self.areas.report(&object, &report, &filed_at).await?;
        tell(&object, table, &findings, &report, &place, checked);
        if !passed {
            self.delete(&object).await?;
        }
        let file = ValidatedFile {
            key: object.key.clone(),
            verdict: if passed { Verdict::Passed } else { Verdict::Quarantined },
            rows: findings.rows,
            bytes: object.bytes,
            summary: report.summary,
            filed_at: Some(store::url(&filed_at.bucket, &filed_at.key)),
            report: Some(place),
        };
        Ok(Outcome { file, promoted: passed.then_some(object) })
    }

    /// All checks of the table; `None` when the version went away meanwhile.
    async fn check(&self, object: &Object, key: &LandKey, dataset: &Arc<Dataset>) -> Result<Option<Findings>, Failure> {
        let mut failures: Vec<Broken> = dataset.check_name(key).into_iter().collect();
        failures.extend(dataset.check_size(object.bytes));
        if failures.iter().any(|broken| matches!(broken.rule, "size" | "maximum_bytes")) {
            return Ok(Some(Findings { failures, ..Findings::default() }));
        }
        let body = match self.areas.store.read(object).await {
            Ok(body) => body,
            Err(failure) => return if self.areas.is_in_land(object).await? { Err(failure) } else { Ok(None) },
        };
        let source = store::blocking_reader(body);
        let (dataset, key) = (Arc::clone(dataset), key.clone());
        let check = tokio::task::spawn_blocking(move || dataset.check_rows(source, &key)).await;
        let findings = check.map_err(|error| Failure::internal(format!("checking {}: {error}", object.url())))?;
        let mut findings = findings.map_err(|failure| failure.context(format!("reading {}", object.url())))?;
        failures.append(&mut findings.failures);
        Ok(Some(Findings { failures, ..findings }))
    }

    /// To history; to quarantine when history has the key with other bytes.
    async fn promote(
        &self,
        object: &Object,
        key: &LandKey,
        dataset: &Dataset,
        mut findings: Findings,
    ) -> Result<(Filed, Findings), Failure> {
        let target = key.filed(object.last_modified).format(&self.base_folder);
        let filed = self.areas.promote(object, &target, dataset.table.copy_to_raw).await?;
        let Filed::Taken(other) = filed else { return Ok((filed, findings)) };
        findings.failures.push(Broken::whole(
            "history",
            format!(
                "{} is there with other bytes, and history is immutable: land the file under another time",
                other.url()
            ),
        ));
        Ok((self.areas.quarantine(object).await?, findings))
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

impl Findings {
    fn of(broken: Broken) -> Self {
        Self { failures: vec![broken], ..Self::default() }
    }
}

/// Whether the object is still the one that the event names. Where versions are kept, its version says so.
fn is_named(notice: &Notice, object: &Object) -> bool {
    notice.version_id.is_some() || notice.etag.as_ref().is_none_or(|etag| etag == object.etag.trim_matches('"'))
}

fn unread(key: String, verdict: Verdict, bytes: u64, summary: &str) -> Outcome {
    let file = ValidatedFile { key, verdict, rows: 0, bytes, summary: summary.into(), filed_at: None, report: None };
    Outcome { file, promoted: None }
}

/// The log line and the metrics of a file.
fn tell(object: &Object, table: Option<&str>, findings: &Findings, report: &Report, place: &str, took: Duration) {
    let (key, version, bytes) = (&object.key, &object.version_id, object.bytes);
    let (rows, text, seconds) = (findings.rows, findings.inflated_bytes, took.as_secs_f64());
    let passed = findings.failures.is_empty();
    if passed {
        tracing::info!(key, version, table, rows, bytes, text, seconds, report = place, "file passed");
    } else {
        let reason = &report.summary;
        tracing::warn!(key, version, table, rows, bytes, text, seconds, reason, report = place, "file quarantined");
    }
    let outcome = if passed { "FilesPassed" } else { "FilesQuarantined" };
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

//! The events and answers of the functions: what passes between schedule, functions and state machine.

use serde::{Deserialize, Serialize};

use crate::RunId;

/// Asks extract to fetch a table. All fields may be left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExtractRequest {
    /// The raw table; may be left out when only one has a source.
    #[serde(default)]
    pub table: Option<String>,
    /// The time of the schedule, RFC 3339. Files are named after it, so that a retry writes the same keys; now when
    /// absent.
    #[serde(default)]
    pub scheduled_time: Option<String>,
    /// How many requests to make, in place of the metadata's number.
    #[serde(default)]
    pub requests: Option<u64>,
}

/// What extract did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExtractResponse {
    /// The raw table.
    pub table: String,
    /// Unix seconds, the partition that the files are in.
    pub file_land_timestamp: u64,
    /// Rows in all files.
    pub rows: u64,
    /// Compressed bytes in all files.
    pub bytes: u64,
    /// The files written.
    pub files: Vec<ExtractedFile>,
    /// An earlier attempt for the same time had finished: nothing was fetched.
    pub already_extracted: bool,
}

/// A file that extract wrote to land.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExtractedFile {
    /// The land bucket.
    pub bucket: String,
    /// The object key.
    pub key: String,
    /// Rows in it.
    pub rows: u64,
    /// Compressed bytes.
    pub bytes: u64,
}

/// Asks validate, by hand, to handle what lies in land. An S3 event asks the same for the objects that it names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ValidateRequest {
    /// The keys in land that begin so; the whole base folder when absent.
    #[serde(default)]
    pub prefix: Option<String>,
    /// Whether nothing goes to history unless every file passes. If one does not, all of them stay in land.
    #[serde(default)]
    pub all_must_pass: bool,
}

/// What validate did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ValidateResponse {
    /// The files, in the order in which they were handled.
    pub files: Vec<ValidatedFile>,
    /// The execution of the state machine that builds the files that passed; null when none did.
    pub execution: Option<String>,
    /// Files under the prefix for which no time was left: ask again.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub remaining: u64,
}

fn is_false(flag: &bool) -> bool {
    !flag
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// A file that validate looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ValidatedFile {
    /// The object key in land.
    pub key: String,
    /// What became of it.
    pub verdict: Verdict,
    /// Rows in it, as far as it could be read.
    pub rows: u64,
    /// Compressed bytes.
    pub bytes: u64,
    /// In one sentence or two.
    pub summary: String,
    /// Where the file went, as `s3://…`; null when it went nowhere.
    pub filed_at: Option<String>,
    /// Where the whole report is, as `s3://…`; null when there was nothing to report on.
    pub report: Option<String>,
}

/// What became of a file in land.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It is in raw-hist.
    Passed,
    /// It is in quarantine, with a report.
    Quarantined,
    /// It breaks its rules, and a report says how; it is still where it was, because all files had to pass.
    Failed,
    /// It passed its checks and is still in land, because all files had to pass and another one did not.
    Held,
    /// It is one of several files of an extract, and still in land: it is dealt with when the first of them is there,
    /// which lands last.
    Waiting,
    /// The version that the event names is no longer in land: an earlier event dealt with it.
    AlreadyHandled,
    /// No file that validate could look at: an object of another bucket, a folder's marker, a record it cannot read.
    Ignored,
}

/// Starts the state machine, and reaches curate as it is. All fields may be left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RebuildRequest {
    /// The curated tables to build; all when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tables: Vec<String>,
    /// `YYYY-MM-DD` of the snapshot partition; today (UTC) when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot_date: Option<String>,
    /// Unix seconds: build from what was in raw-hist by then; from all that is there when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of: Option<u64>,
    /// Builds tables from all files to which runs otherwise only append; and tables of which runs replace some
    /// partitions whole, where they are named in `tables`.
    #[serde(default, skip_serializing_if = "is_false")]
    pub from_scratch: bool,
    /// RFC 3339: the machine waits until then, so that all files of a window are built together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window_ends_at: Option<String>,
}

/// An execution of the state machine asks validate whether it is its turn: rebuilds come one after another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TurnRequest {
    /// Its ARN.
    #[serde(rename = "turn_of")]
    pub execution: String,
    /// Its input.
    pub request: serde_json::Value,
}

/// Whether it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TurnResponse {
    /// What the execution is to do.
    pub turn: Turn,
    /// ARN of the execution because of which it isn't.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// After so many it may ask again.
    pub seconds: u64,
}

/// What an execution is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Turn {
    /// To go on: it is its turn until it ends.
    Take,
    /// To wait: another one has its turn.
    Wait,
    /// To end: another one waits that will do all that it would.
    Covered,
}

/// Everything that curate can be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CurateRequest {
    /// To build tables: every event that asks for nothing else.
    Rebuild(RebuildRequest),
    /// To process the raw files that wait for it: `{"stage": "process"}`.
    Process,
    /// To build a run again and compare: `{"verify": "<run>"}`.
    Verify(VerifyRequest),
}

/// Asks curate to build a run again from the same inputs and to compare what it gets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VerifyRequest {
    /// The run; `latest` for the last that was built.
    pub verify: String,
}

impl<'de> Deserialize<'de> for CurateRequest {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        let event = serde_json::Value::deserialize(from)?;
        if event.get("verify").is_some() {
            return VerifyRequest::deserialize(event).map(Self::Verify).map_err(Error::custom);
        }
        match event.get("stage").map(|stage| stage.as_str()) {
            None => RebuildRequest::deserialize(event).map(Self::Rebuild).map_err(Error::custom),
            Some(Some("process")) if event.as_object().is_some_and(|event| event.len() == 1) => Ok(Self::Process),
            Some(_) => Err(Error::custom("`stage` is `process`, alone, or is left out")),
        }
    }
}

/// What the process stage made of raw files.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessResponse {
    /// The files, by table and key.
    pub files: Vec<ProcessedFile>,
    /// Raw files that could not be processed: they are in quarantine.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub quarantined: Vec<QuarantinedFile>,
    /// What is told of these, for a mail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Tables of which no file was processed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failed: Vec<FailedTable>,
    /// What the execution fails with in the end, where a table has failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Outcome>,
}

/// A raw file that could not be processed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuarantinedFile {
    /// The table.
    pub table: String,
    /// The key that it had in raw.
    pub raw_key: String,
    /// Why, in a sentence or two.
    pub summary: String,
    /// Where it is now, as `s3://…`.
    pub filed_at: String,
    /// Where its report is, as `s3://…`.
    pub report: String,
}

/// A raw file that was processed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessedFile {
    /// The table.
    pub table: String,
    /// The key of the raw file.
    pub raw_key: String,
    /// The key of what was made of it.
    pub key: String,
    /// Rows in that.
    pub rows: u64,
    /// Whether the raw file was deleted.
    pub raw_deleted: bool,
}

/// What building a run again has shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerifyResponse {
    /// The run.
    pub run: RunId,
    /// Whether every file came out the same, to the byte.
    pub same: bool,
    /// Files compared.
    pub files: u64,
    /// Rows in them.
    pub rows: u64,
    /// What is not the same; of many, the first.
    pub differences: Vec<String>,
    /// Where the files of the second build lie, as `s3://…`.
    pub built_at: String,
}

/// What curate built: its answer, and catalog's event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CurateResponse {
    /// The run.
    pub run: RunId,
    /// Where the manifest lies: everything catalog needs.
    pub manifest: ObjectName,
    /// The tables in short, for people who read the execution.
    #[serde(default)]
    pub tables: Vec<BuiltTable>,
    /// Tables that were asked for and not built: what was published of them stays.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failed: Vec<FailedTable>,
    /// What the execution fails with in the end, where a table has failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Outcome>,
    /// Raw tables that have no file yet: what is made of them alone is empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub without_files: Vec<String>,
    /// Objects among the raw tables' that the pipeline has not written: they were passed over.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub strays: Vec<String>,
}

/// A table that was not built.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedTable {
    /// The table.
    pub table: String,
    /// The kind of its failure: a name of [`FailureKind`](crate::FailureKind).
    pub error: String,
    /// What failed, where, and what was expected.
    pub message: String,
}

/// How an execution ends that has done only a part of what it was asked, in the words of the state machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Outcome {
    /// `TablesFailed`
    pub error: String,
    /// Every table's.
    pub cause: String,
}

/// Of what fails an execution Step Functions keeps 32,768 characters; processing and building may both have failed.
/// <https://docs.aws.amazon.com/step-functions/latest/apireference/API_ExecutionFailedEventDetails.html>
const CAUSE_CHARACTERS: usize = 14_000;

impl Outcome {
    /// Of tables of which some have failed; `None` where none has.
    pub fn of(failed: &[FailedTable], done: &str) -> Option<Self> {
        if failed.is_empty() {
            return None;
        }
        let lines = failed.iter().map(|failed| format!("`{}`: {}: {}", failed.table, failed.error, failed.message));
        let cause = format!("{}\n{done}", lines.collect::<Vec<_>>().join("\n"));
        Some(Self { error: "TablesFailed".into(), cause: cause.chars().take(CAUSE_CHARACTERS).collect() })
    }
}

/// An object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectName {
    /// Bucket name.
    pub bucket: String,
    /// Key, not encoded.
    pub key: String,
}

/// A table that curate wrote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuiltTable {
    /// The curated table.
    pub table: String,
    /// Rows written.
    pub rows: u64,
    /// Bytes written.
    pub bytes: u64,
    /// Parquet files written.
    pub files: u64,
    /// Partitions written, as `column=value/…`.
    pub partitions: Vec<String>,
}

/// Everything that catalog can be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CatalogRequest {
    /// To bring Glue in line with a run: curate's answer, or by hand `{"publish": "<run>"}`.
    Sync(Box<SyncRequest>),
    /// To delete the runs that nobody needs any more: `{"expire": true}`.
    Expire(ExpireRequest),
}

/// Asks catalog to bring Glue in line with a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyncRequest {
    /// Which run.
    pub run: SyncTo,
    /// Whether to say what would be done, and do nothing.
    pub plan_only: bool,
    /// Whether the tables go that an earlier metadata described and this one does not.
    pub drop: bool,
    /// Whether to delete the database and its tables first, and make all of it again.
    pub recreate: bool,
    /// Tables of others that have the names of described ones, and may be replaced.
    pub take_over: Vec<String>,
}

/// The run that Glue is brought in line with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SyncTo {
    /// One that curate has just built: it is not published over a newer one.
    Built(CurateResponse),
    /// One that somebody asks for by its name, or `previous` or `latest`: it is published whatever is there now.
    Asked(String),
    /// The last that was built, as if curate had just done so; with `recreate`, what is published.
    Unsaid,
}

/// Asks catalog to delete the runs that nobody needs any more.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpireRequest {
    /// Always true: what is asked for.
    pub expire: bool,
    /// Whether to say what would go, and delete nothing.
    #[serde(default)]
    pub dry_run: bool,
}

/// A request as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SyncEvent {
    publish: Option<String>,
    run: Option<RunId>,
    manifest: Option<ObjectName>,
    tables: Option<Vec<BuiltTable>>,
    #[serde(default)]
    failed: Vec<FailedTable>,
    failure: Option<Outcome>,
    #[serde(default)]
    without_files: Vec<String>,
    #[serde(default)]
    strays: Vec<String>,
    // of lists that are too long for an answer, what is left out
    #[serde(default, rename = "more_tables")]
    _more_tables: u64,
    #[serde(default, rename = "more_failed")]
    _more_failed: u64,
    #[serde(default, rename = "more_without_files")]
    _more_without_files: u64,
    #[serde(default, rename = "more_strays")]
    _more_strays: u64,
    #[serde(default)]
    plan_only: bool,
    #[serde(default)]
    drop: bool,
    #[serde(default)]
    recreate: bool,
    #[serde(default)]
    take_over: Vec<String>,
}

impl<'de> Deserialize<'de> for CatalogRequest {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        let event = serde_json::Value::deserialize(from)?;
        if event.get("expire").is_some() {
            let request = ExpireRequest::deserialize(event).map_err(Error::custom)?;
            return match request.expire {
                true => Ok(Self::Expire(request)),
                false => Err(Error::custom("`expire` is `true`, or is left out")),
            };
        }
        let event = SyncEvent::deserialize(event).map_err(Error::custom)?;
        let run = match (event.publish, event.run, event.manifest) {
            (None, Some(run), Some(manifest)) => SyncTo::Built(CurateResponse {
                run,
                manifest,
                tables: event.tables.unwrap_or_default(),
                failed: event.failed,
                failure: event.failure,
                without_files: event.without_files,
                strays: event.strays,
            }),
            (Some(run), None, None) => SyncTo::Asked(run),
            (None, None, None) if event.plan_only || event.drop || event.recreate || !event.take_over.is_empty() => {
                SyncTo::Unsaid
            }
            _ => {
                return Err(Error::custom(
                    "expected curate's answer (`run` and `manifest`), or one of `publish`, `plan_only`, `drop`, \
                     `recreate`, `take_over` and `expire`",
                ));
            }
        };
        if event.recreate && (run != SyncTo::Unsaid || event.drop || !event.take_over.is_empty()) {
            return Err(Error::custom("`recreate` makes again what is published: it goes with `plan_only` alone"));
        }
        let SyncEvent { plan_only, drop, recreate, take_over, .. } = event;
        Ok(Self::Sync(Box::new(SyncRequest { run, plan_only, drop, recreate, take_over })))
    }
}

/// What catalog published, or with `plan_only` would publish.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CatalogResponse {
    /// The run; null where several are made again.
    pub run: Option<RunId>,
    /// The Glue database.
    pub database: String,
    /// What was to be done, a line each, for people.
    pub plan: Vec<String>,
    /// The tables; empty with `plan_only`.
    pub tables: Vec<PublishedTable>,
    /// What was done about the raw database; absent where the metadata has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raw_history: Option<RawHistory>,
    /// Tables that were dropped.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dropped: Vec<String>,
    /// Tables of the run that could not be published: what was published of them stays.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failed: Vec<FailedTable>,
    /// What the execution fails with in the end, where a table has failed, be it here or in curate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Outcome>,
}

/// What catalog deleted of runs that nobody needs any more, or with `dry_run` would delete.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExpireResponse {
    /// Whether nothing was deleted, because only that was asked for.
    pub dry_run: bool,
    /// Runs that nobody has seen since then go, RFC 3339.
    pub unseen_since: String,
    /// The folders of tables in runs, as `s3://…/<table>/<run>/`.
    pub expired: Vec<ExpiredRun>,
    /// Folders of runs that stay.
    pub kept: u64,
}

/// What a run wrote of one table, and is no longer needed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExpiredRun {
    /// `s3://…/<table>/<run>/`
    pub location: String,
    /// Objects in it.
    pub objects: u64,
    /// Their size.
    pub bytes: u64,
}

/// The raw database after a publication. What goes wrong about it does not touch the curated tables.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RawHistory {
    /// The Glue database.
    pub database: String,
    /// Tables that are as described, with all their folders.
    pub tables: u64,
    /// Folders that can be queried now and could not before.
    pub partitions_added: u64,
    /// Folders that cannot be queried: they hold files of another format than the table's.
    pub folders_left_out: u64,
    /// What went wrong, a sentence for each table. The next publication tries again.
    pub problems: Vec<String>,
}

/// A table as Athena sees it now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublishedTable {
    /// The curated table.
    pub table: String,
    /// Where its files are.
    pub location: String,
    /// What was done to the definition in Glue.
    pub action: PublishAction,
    /// What `SELECT COUNT(*)` answered.
    pub rows: u64,
    /// Partitions of this run.
    pub partitions: u64,
}

/// What became of a table's definition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PublishAction {
    /// The table was new.
    Created,
    /// The definition or its location changed.
    Updated,
    /// It already pointed at this run.
    Unchanged,
    /// A newer run was already published: left alone.
    Superseded,
    /// The run, or one after it, was taken back by hand: left alone.
    Withdrawn,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn catalog(event: serde_json::Value) -> Result<CatalogRequest, String> {
        serde_json::from_value(event).map_err(|error| error.to_string())
    }

    fn sync(event: serde_json::Value) -> SyncRequest {
        match catalog(event) {
            Ok(CatalogRequest::Sync(request)) => *request,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn catalog_is_asked_by_curate_and_by_hand() {
        let built = json!({
            "run": "20261123T034500123Z-aaaa",
            "manifest": {"bucket": "curated", "key": "database/_manifests/20261123T034500123Z-aaaa.json"},
            "tables": []
        });
        assert!(matches!(sync(built.clone()).run, SyncTo::Built(_)));
        let mut plan = built;
        plan["plan_only"] = true.into();
        assert!(sync(plan).plan_only);
        assert_eq!(sync(json!({"publish": "previous"})).run, SyncTo::Asked("previous".into()));
        assert_eq!(sync(json!({"plan_only": true})).run, SyncTo::Unsaid);
        assert!(sync(json!({"publish": "latest", "drop": true})).drop);
        assert!(sync(json!({"recreate": true})).recreate);
        let taking = sync(json!({"take_over": ["t"]}));
        assert_eq!((taking.run, taking.take_over), (SyncTo::Unsaid, vec!["t".to_owned()]));
        let dry = ExpireRequest { expire: true, dry_run: true };
        assert_eq!(catalog(json!({"expire": true, "dry_run": true})), Ok(CatalogRequest::Expire(dry)));
    }

    #[test]
    fn catalog_is_not_asked_for_nothing_or_for_two_things() {
        for (event, part) in [
            (json!({}), "expected curate's answer"),
            (json!({"run": "20261123T034500123Z-aaaa"}), "expected curate's answer"),
            (json!({"publish": "latest", "recreate": true}), "`recreate` makes again what is published"),
            (json!({"recreate": true, "drop": true}), "`recreate` makes again what is published"),
            (json!({"recreate": true, "take_over": ["t"]}), "`recreate` makes again what is published"),
            (json!({"expire": false}), "`expire` is `true`"),
            (json!({"expire": true, "publish": "latest"}), "unknown field `publish`"),
            (json!({"plan": true}), "unknown field `plan`"),
        ] {
            let problem = catalog(event).unwrap_err();
            assert!(problem.contains(part), "{problem}");
        }
    }
}

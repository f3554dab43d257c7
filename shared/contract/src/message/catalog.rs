//! Requests to catalog, and its answers.

use serde::{Deserialize, Serialize};

use crate::manifest::RunId;
use crate::message::curate::{BuiltTable, CurateResponse};
use crate::message::outcome::{FailedTable, ObjectName, Outcome};

/// A request to catalog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CatalogRequest {
    /// Brings Glue in line with a run: curate's answer or, sent by hand, `{"publish": "<run>"}`.
    Publish(Box<PublishRequest>),
    /// Deletes the runs that are no longer needed: `{"expire": true}`.
    Expire(ExpireRequest),
}

/// A request to bring Glue in line with a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishRequest {
    /// The run to publish.
    pub run: Target,
    /// Whether only to report the plan, without any change.
    pub plan_only: bool,
    /// Whether to drop tables that earlier metadata described and the current metadata does not.
    pub drop: bool,
    /// Whether first to delete the database and its tables, and then to create all of it again.
    pub recreate: bool,
    /// The described tables that may replace tables which the pipeline did not make.
    pub take_over: Vec<String>,
}

/// The run that Glue is brought in line with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A run that curate has just built. It is not published over a newer one.
    Built(CurateResponse),
    /// A run that a person asks for, by its id or as `previous` or `latest`. It is published whatever is published now.
    Named(String),
    /// The last run that was built, treated as if curate had just built it. With `recreate`, the published runs.
    Latest,
}

/// A request to delete the runs that are no longer needed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpireRequest {
    /// Always true. It marks the request.
    pub expire: bool,
    /// Whether only to report what would be deleted.
    #[serde(default)]
    pub dry_run: bool,
}

/// The JSON form of a publish request.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Event {
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
    // the lengths of what was cut from lists that were too long for an answer
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
            return if request.expire {
                Ok(Self::Expire(request))
            } else {
                Err(Error::custom("`expire` is `true`, or is left out"))
            };
        }
        let event = Event::deserialize(event).map_err(Error::custom)?;
        let run = match (event.publish, event.run, event.manifest) {
            (None, Some(run), Some(manifest)) => Target::Built(CurateResponse {
                run,
                manifest,
                tables: event.tables.unwrap_or_default(),
                failed: event.failed,
                failure: event.failure,
                without_files: event.without_files,
                strays: event.strays,
            }),
            (Some(run), None, None) => Target::Named(run),
            (None, None, None) if event.plan_only || event.drop || event.recreate || !event.take_over.is_empty() => {
                Target::Latest
            }
            _ => {
                return Err(Error::custom(
                    "expected curate's answer (`run` and `manifest`), or one of `publish`, `plan_only`, `drop`, \
                     `recreate`, `take_over` and `expire`",
                ));
            }
        };
        if event.recreate && (run != Target::Latest || event.drop || !event.take_over.is_empty()) {
            return Err(Error::custom("`recreate` makes again what is published: it goes with `plan_only` alone"));
        }
        let Event { plan_only, drop, recreate, take_over, .. } = event;
        Ok(Self::Publish(Box::new(PublishRequest { run, plan_only, drop, recreate, take_over })))
    }
}

/// What catalog published or, with `plan_only`, would publish.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CatalogResponse {
    /// The run; null if tables of several runs are recreated.
    pub run: Option<RunId>,
    /// The Glue database.
    pub database: String,
    /// The planned changes, one line each, for people.
    pub plan: Vec<String>,
    /// The published tables; empty with `plan_only`.
    pub tables: Vec<PublishedTable>,
    /// The changes of the raw database. Absent if the metadata has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raw_history: Option<RawHistory>,
    /// The tables that were dropped.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dropped: Vec<String>,
    /// The tables of the run that could not be published. Their published state stays.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failed: Vec<FailedTable>,
    /// The failure with which the execution ends if a table has failed, whether here or in curate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Outcome>,
}

/// What catalog deleted or, with `dry_run`, would delete.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExpireResponse {
    /// Whether only a report was requested, and nothing was deleted.
    pub dry_run: bool,
    /// Runs that have been unreachable since this time expire, RFC 3339.
    pub unseen_since: String,
    /// The expired folders, each with one table of one run.
    pub expired: Vec<ExpiredRun>,
    /// The number of folders that stay.
    pub kept: u64,
}

/// The files of one table of an expired run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExpiredRun {
    /// The folder, `s3://…/<table>/<run>/`.
    pub location: String,
    /// The number of objects in it.
    pub objects: u64,
    /// The size of these objects.
    pub bytes: u64,
}

/// The raw database after a publication. A problem with it does not affect the curated tables.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RawHistory {
    /// The Glue database.
    pub database: String,
    /// The number of tables that are as described, with all their folders.
    pub tables: u64,
    /// The number of folders that can be queried since this publication.
    pub partitions_added: u64,
    /// The number of folders that cannot be queried, because they hold files of another format than the table's.
    pub folders_left_out: u64,
    /// The problems, one sentence for each table. The next publication tries again.
    pub problems: Vec<String>,
}

/// A table, as Athena now sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublishedTable {
    /// The curated table.
    pub table: String,
    /// The location of its files.
    pub location: String,
    /// The change of its definition in Glue.
    pub action: PublishAction,
    /// The result of `SELECT COUNT(*)`.
    pub rows: u64,
    /// The number of partitions of this run.
    pub partitions: u64,
}

/// The change of a table's definition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PublishAction {
    /// The table is new.
    Created,
    /// The definition or the location changed.
    Updated,
    /// The table already pointed at this run.
    Unchanged,
    /// A newer run was already published, so the table was left alone.
    Superseded,
    /// The run, or a later one, was rolled back by hand, so the table was left alone.
    Withdrawn,
}

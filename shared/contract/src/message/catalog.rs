//! What catalog is asked and answers.

use serde::{Deserialize, Serialize};

use crate::manifest::RunId;
use crate::message::curate::{BuiltTable, CurateResponse};
use crate::message::outcome::{FailedTable, ObjectName, Outcome};

/// Everything that catalog can be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CatalogRequest {
    /// To bring Glue in line with a run: curate's answer, or by hand `{"publish": "<run>"}`.
    Publish(Box<PublishRequest>),
    /// To delete the runs that nobody needs any more: `{"expire": true}`.
    Expire(ExpireRequest),
}

/// Asks catalog to bring Glue in line with a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishRequest {
    /// Which run.
    pub run: Target,
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
pub enum Target {
    /// One that curate has just built: it is not published over a newer one.
    Built(CurateResponse),
    /// One that somebody asks for by its name, or `previous` or `latest`: it is published whatever is there now.
    Named(String),
    /// The last that was built, as if curate had just done so; with `recreate`, what is published.
    Latest,
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

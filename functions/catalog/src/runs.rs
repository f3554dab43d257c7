//! The run to be published: the one that curate has just built, or one that a person names. A named run is looked up in
//! the journal: all tables go back to their state when it was published, and their files must still exist.

use std::collections::{BTreeMap, BTreeSet};

use chrono::Utc;
use contract::message::{PublishRequest, Target};
use contract::{Failure, MetaData, RunId};
use store::Store;

use crate::decision::{self, Decided, Decision, Outcome, TableState};
use crate::journal::{Current, Journal};
use crate::manifest::{Manifest, TableOutput};
use crate::publication::proposal;

/// Reads runs from the curated bucket.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Runs<'a> {
    pub store: &'a Store,
    /// The descriptions of the tables.
    pub metadata: &'a MetaData,
    /// The curated bucket.
    pub bucket: &'a str,
}

/// A request for what is to be published.
#[derive(Clone, Debug)]
pub(crate) enum Wish {
    /// A run, unless a newer one is published.
    Run(Manifest),
    /// A run, whatever is published.
    ThisRun(Manifest),
    /// The state before the current one.
    Previous,
    /// The current state, created again.
    Again,
}

impl Wish {
    /// Returns the wish for a run without some of its tables. Returns `None` if no table remains, if one of `tables` is
    /// not the run's, or for any other wish, which is all or nothing.
    pub(crate) fn without(&self, tables: &[(String, Failure)]) -> Option<Self> {
        let Self::Run(manifest) = self else { return None };
        let is_left_out = |table: &str| tables.iter().any(|(name, _)| name == table);
        let mut rest = manifest.clone();
        rest.tables.retain(|output| !is_left_out(&output.table));
        let all_are_its = rest.tables.len() + tables.len() == manifest.tables.len();
        (all_are_its && !rest.tables.is_empty()).then_some(Self::Run(rest))
    }
}

/// A decision that is proposed.
#[derive(Clone, Debug)]
pub(crate) struct Proposed {
    /// The run; `None` if all tables, at whatever run, are created again.
    pub run: Option<RunId>,
    /// The decision; if nothing changes, it is the current one.
    pub next: Decision,
    /// The tables that the wish is about.
    pub tables: Vec<(String, Outcome)>,
    /// When the newest input of the run arrived, in Unix seconds.
    pub newest: Option<u64>,
    /// The number of partitions that the run wrote, by table.
    pub written: BTreeMap<String, u64>,
}

impl<'a> Runs<'a> {
    /// Returns the journal of earlier decisions.
    pub(crate) fn journal(&self) -> Journal<'a> {
        Journal { store: self.store, bucket: self.bucket, database: &self.metadata.database }
    }

    /// Returns the wish that a request expresses, and reads the manifest of a named run.
    pub(crate) async fn wish(&self, request: &PublishRequest) -> Result<Wish, Failure> {
        Ok(match &request.run {
            _ if request.recreate => Wish::Again,
            Target::Built(event) => {
                Wish::Run(self.read(&event.manifest.bucket, &event.manifest.key, &event.run).await?)
            }
            Target::Latest => Wish::Run(self.manifest(&self.latest().await?).await?),
            Target::Named(name) if name == "previous" => Wish::Previous,
            Target::Named(name) if name == "latest" => Wish::ThisRun(self.manifest(&self.latest().await?).await?),
            Target::Named(name) => {
                let run = RunId::parse(name).ok_or_else(|| {
                    Failure::bad_input(format!(
                        "publish: expected a run such as `20261123T034500123Z-1a2b3c4d`, `previous` or `latest`, found \
                         `{name}`"
                    ))
                })?;
                Wish::ThisRun(self.manifest(&run).await?)
            }
        })
    }

    /// Returns the decision that fulfils a wish.
    pub(crate) async fn proposed(&self, wish: &Wish, current: &Current) -> Result<Proposed, Failure> {
        match wish {
            Wish::Run(manifest) => self.published(manifest, &current.decision, false),
            Wish::ThisRun(manifest) => {
                if let Some(then) = self.of_run(&manifest.run, current).await? {
                    let newest = manifest.newest();
                    let back = self.rolled_back(&current.decision, &then).await?;
                    Ok(Proposed { newest, ..back })
                } else {
                    let proposed = self.published(manifest, &current.decision, true)?;
                    self.check_files(&proposed.next, Some(&current.decision)).await?;
                    Ok(proposed)
                }
            }
            Wish::Previous => {
                let then = match &current.decision.before {
                    Some(entry) => self.journal().entry(entry).await?,
                    None => None,
                };
                let then = then.ok_or_else(|| {
                    Failure::not_found(match &current.decision.run {
                        Some(run) => format!("no older run than {run} was ever published"),
                        None => "no run was ever published".into(),
                    })
                })?;
                self.rolled_back(&current.decision, &then).await
            }
            Wish::Again => self.again(&current.decision).await,
        }
    }

    fn published(&self, manifest: &Manifest, current: &Decision, asked_for: bool) -> Result<Proposed, Failure> {
        let proposal = proposal(self.metadata, manifest, self.bucket, asked_for)?;
        let (next, outcomes) = decision::publish(current, &proposal, Utc::now())?;
        let tables = manifest.tables.iter().filter_map(|output| outcomes.get_key_value(&output.table));
        let written = manifest.tables.iter().map(|output| (output.table.clone(), output.partitions.len() as u64));
        Ok(Proposed {
            run: Some(manifest.run.clone()),
            next,
            tables: tables.map(|(table, outcome)| (table.clone(), *outcome)).collect(),
            newest: manifest.newest(),
            written: written.collect(),
        })
    }

    async fn rolled_back(&self, current: &Decision, then: &Decision) -> Result<Proposed, Failure> {
        let is_described = |table: &str| self.metadata.curated.contains_key(table);
        let next = decision::roll_back(current, then, is_described, Utc::now())?;
        self.check_files(&next, Some(current)).await?;
        let tables = then.tables.iter().map(|table| &table.state.table).filter(|table| is_described(table));
        let tables = tables.map(|table| (table.clone(), Outcome::Published)).collect();
        Ok(Proposed { run: then.run.clone(), next, tables, newest: None, written: BTreeMap::new() })
    }

    /// Returns every published table, unchanged, to be created again.
    async fn again(&self, current: &Decision) -> Result<Proposed, Failure> {
        let tables = current.tables.iter().map(|table| &table.state.table);
        let tables: Vec<_> = tables
            .filter(|table| self.metadata.curated.contains_key(*table))
            .map(|table| (table.clone(), Outcome::Published))
            .collect();
        if tables.is_empty() {
            return Err(Failure::not_found(format!(
                "nothing was ever published from {}: there is nothing to make again; publish a run first",
                store::url(self.bucket, &self.metadata.database.base())
            )));
        }
        self.check_files(current, None).await?;
        Ok(Proposed { run: None, next: current.clone(), tables, newest: None, written: BTreeMap::new() })
    }

    /// Returns the last decision about a run; `None` if it was never published.
    pub(crate) async fn of_run(&self, run: &RunId, current: &Current) -> Result<Option<Decision>, Failure> {
        if current.decision.run.as_ref() == Some(run) {
            return Ok(Some(current.decision.clone()));
        }
        self.journal().of_run(run).await
    }

    /// Returns the newest run that is complete, i.e. that has a manifest.
    async fn latest(&self) -> Result<RunId, Failure> {
        let folder = self.metadata.database.manifests();
        let listed = self.store.list(self.bucket, &folder).await?;
        listed.iter().filter_map(|object| run_of_manifest(&object.key)).max().ok_or_else(|| {
            Failure::not_found(format!("no run under {}: start the machine once", store::url(self.bucket, &folder)))
        })
    }

    pub(crate) async fn manifest(&self, run: &RunId) -> Result<Manifest, Failure> {
        self.read(self.bucket, &self.metadata.database.manifest(run), run).await
    }

    async fn read(&self, bucket: &str, key: &str, run: &RunId) -> Result<Manifest, Failure> {
        let url = store::url(bucket, key);
        let manifest: Manifest = self.store.read_json(bucket, key, "a manifest").await?.ok_or_else(|| {
            Failure::not_found(format!("there is no manifest {url}: run {run} was not finished, or has expired"))
        })?;
        if manifest.run != *run {
            let message = format!("the event is about run {run}, {url} is the manifest of run {}", manifest.run);
            return Err(Failure::bad_input(message));
        }
        Ok(manifest)
    }

    /// Checks that all files exist at the locations that tables are about to point at. A table that already points
    /// there is not checked.
    async fn check_files(&self, next: &Decision, current: Option<&Decision>) -> Result<(), Failure> {
        let is_there = |table: &Decided| {
            let there = current.and_then(|current| current.table(&table.state.table));
            there.is_some_and(|there| there.state.is_at(&table.state))
        };
        let mut manifests: BTreeMap<RunId, Manifest> = BTreeMap::new();
        for Decided { state, .. } in next.tables.iter().filter(|table| !is_there(table)) {
            let Ok(table) = self.metadata.curated_table(&state.table) else { continue };
            let prefix = format!("{}{}/", self.metadata.database.base(), table.location);
            let listed = self.store.list(self.bucket, &prefix).await?;
            let there: BTreeSet<(&str, u64)> =
                listed.iter().map(|object| (object.key.as_str(), object.bytes)).collect();
            let mut missing: Vec<String> = missing_partitions(state, self.bucket, &there).collect();
            if let Some(run) = state.run() {
                if !manifests.contains_key(&run) {
                    manifests.insert(run.clone(), self.manifest(&run).await?);
                }
                let outputs = manifests[&run].tables.iter().filter(|output| output.table == state.table);
                missing.extend(outputs.flat_map(|output| missing_files(output, &there)));
            }
            if let Some(first) = missing.first() {
                return Err(Failure::not_found(format!(
                    "{} cannot be published: {} of the files of table `{}` are gone, the first is {}; runs expire when \
                     nobody has seen them for a while",
                    state.location,
                    missing.len(),
                    state.table,
                    store::url(self.bucket, first)
                )));
            }
        }
        Ok(())
    }
}

fn missing_files<'a>(output: &'a TableOutput, there: &'a BTreeSet<(&str, u64)>) -> impl Iterator<Item = String> + 'a {
    let files = output.files.iter().filter(|file| !there.contains(&(file.key.as_str(), file.bytes)));
    files.map(|file| file.key.clone())
}

/// Returns the folders of partitions that hold no file. If another run wrote a partition, only its folder is known.
fn missing_partitions<'a>(
    table: &'a TableState,
    bucket: &'a str,
    there: &'a BTreeSet<(&str, u64)>,
) -> impl Iterator<Item = String> + 'a {
    let root = store::url(bucket, "");
    let folders = table.partitions.iter().filter_map(move |partition| {
        let folder = partition.location.strip_prefix(root.as_str())?;
        Some(format!("{}/", folder.trim_end_matches('/')))
    });
    folders.filter(|folder| {
        let next = there.range((folder.as_str(), 0)..).next();
        !next.is_some_and(|(key, _)| key.starts_with(folder.as_str()))
    })
}

/// Returns the run of a manifest from its key, `…/<run>.json`.
pub(crate) fn run_of_manifest(key: &str) -> Option<RunId> {
    RunId::parse(key.rsplit('/').next()?.strip_suffix(".json")?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example;

    #[test]
    fn a_file_that_is_gone_or_cut_is_missed() {
        let mut output = example::manifest().tables[0].clone();
        let file = |key: &str| contract::OutputFile {
            key: key.into(),
            rows: 1,
            bytes: 10,
            sha256: String::new(),
            copied_from: None,
        };
        output.files = vec![file("t/r/data-part-0.parquet"), file("t/r/data-part-1.parquet")];
        let there = [("t/r/data-part-0.parquet", 10), ("t/r/data-part-1.parquet", 9)].into();
        assert_eq!(missing_files(&output, &there).collect::<Vec<_>>(), ["t/r/data-part-1.parquet"]);
    }

    #[test]
    fn a_partition_without_files_is_missed() {
        let table = example::publication("calculated").wanted;
        let folder = "database/calculated/20261123T034500123Z-aaaa/dea_snapshot_date=2026-11-23/";
        let file = format!("{folder}data-part-0.parquet");
        let other = folder.replace("11-23/", "11-230/data-part-0.parquet");
        let missing = |there: &[&str]| -> Vec<String> {
            missing_partitions(&table, "curated", &there.iter().map(|key| (*key, 1)).collect()).collect()
        };
        assert_eq!(missing(&[&file]), [""; 0]);
        assert_eq!(missing(&[&other]), [folder]);
        assert_eq!(missing(&[]), [folder]);
    }

    #[test]
    fn only_manifests_name_runs() {
        let run = run_of_manifest("database/_manifests/20261123T034500123Z-aaaa.json");
        assert_eq!(run.unwrap().as_str(), "20261123T034500123Z-aaaa");
        assert_eq!(run_of_manifest("database/_manifests/readme.json"), None);
    }
}

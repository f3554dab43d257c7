//! The run that is to be published: the one that curate has just built, or one that somebody names. Of the latter its
//! files must still be there, and tables of which it wrote some partitions come back whole, as they were then.

use std::collections::{BTreeMap, BTreeSet};

use contract::message::{CurateResponse, SyncTo};
use contract::{Failure, Manifest, MetaData, Replaces, RunId, TableOutput};
use store::Store;

use crate::journal::{Journal, Recorded};
use crate::publication::{Publication, publication, publications};

/// Where runs are: S3, and what describes them.
#[derive(Clone, Copy, Debug)]
pub struct Runs<'a> {
    /// S3.
    pub store: &'a Store,
    /// What the tables are.
    pub metadata: &'a MetaData,
    /// The curated bucket.
    pub bucket: &'a str,
}

impl<'a> Runs<'a> {
    /// What was published before.
    pub fn journal(&self) -> Journal<'a> {
        Journal { store: self.store, bucket: self.bucket, database: &self.metadata.database }
    }

    /// The tables of the run that is asked for, all checked.
    pub async fn publications(&self, run: &SyncTo) -> Result<(RunId, Vec<Publication>), Failure> {
        match run {
            SyncTo::Built(event) => self.built(event).await,
            SyncTo::Unsaid => {
                let manifest = self.manifest(&self.latest().await?).await?;
                Ok((manifest.run.clone(), publications(self.metadata, &manifest, self.bucket)?))
            }
            SyncTo::Asked(name) => self.asked_for(name).await,
        }
    }

    async fn built(&self, event: &CurateResponse) -> Result<(RunId, Vec<Publication>), Failure> {
        let manifest = self.read(&event.manifest.bucket, &event.manifest.key, &event.run).await?;
        Ok((manifest.run.clone(), publications(self.metadata, &manifest, self.bucket)?))
    }

    async fn asked_for(&self, name: &str) -> Result<(RunId, Vec<Publication>), Failure> {
        let run = match name {
            "latest" => self.latest().await?,
            "previous" => self.previous().await?,
            name => RunId::parse(name).ok_or_else(|| {
                Failure::bad_input(format!(
                    "publish: expected a run such as `20261123T034500123Z-1a2b3c4d`, `previous` or `latest`, found `{name}`"
                ))
            })?,
        };
        let manifest = self.manifest(&run).await?;
        let recorded = self.journal().of_run(&run).await?.map(|entry| entry.tables).unwrap_or_default();
        let mut tables = publications(self.metadata, &manifest, self.bucket)?;
        for table in &mut tables {
            table.asked_for = true;
            if let Some(then) = recorded.iter().find(|then| then.state.table == table.wanted.table) {
                as_it_was(table, then);
            }
        }
        self.check_files(&[manifest], &tables).await?;
        Ok((run, tables))
    }

    /// Every table as it was last published, to be made again.
    pub async fn last_published(&self) -> Result<Vec<Publication>, Failure> {
        let names = self.metadata.curated.keys().map(String::as_str);
        let mut manifests: BTreeMap<RunId, Manifest> = BTreeMap::new();
        let mut tables = Vec::new();
        for then in self.journal().last(names).await? {
            let Some(run) = RunId::of_location(&then.state.location) else { continue };
            if !manifests.contains_key(&run) {
                manifests.insert(run.clone(), self.manifest(&run).await?);
            }
            let manifest = &manifests[&run];
            let output = manifest.tables.iter().find(|output| output.table == then.state.table);
            let output = output.ok_or_else(|| {
                Failure::bad_input(format!("the manifest of run {run} does not have table `{}`", then.state.table))
            })?;
            let mut table = publication(self.metadata, manifest, self.bucket, output)?;
            table.asked_for = true;
            as_it_was(&mut table, &then);
            tables.push(table);
        }
        if tables.is_empty() {
            return Err(Failure::not_found(format!(
                "nothing was ever published from {}: there is nothing to make again; publish a run first",
                store::url(self.bucket, &self.metadata.database.base())
            )));
        }
        let manifests: Vec<Manifest> = manifests.into_values().collect();
        self.check_files(&manifests, &tables).await?;
        Ok(tables)
    }

    /// The newest run that is whole.
    async fn latest(&self) -> Result<RunId, Failure> {
        let folder = self.metadata.database.manifests();
        let listed = self.store.list(self.bucket, &folder).await?;
        listed.iter().filter_map(|object| run_of_manifest(&object.key)).max().ok_or_else(|| {
            Failure::not_found(format!("no run under {}: start the machine once", store::url(self.bucket, &folder)))
        })
    }

    /// The newest run that analysts have seen before the one that they see now.
    async fn previous(&self) -> Result<RunId, Failure> {
        let entries = self.journal().keys().await?;
        let now = entries.last().map(|entry| &entry.run);
        let before = entries.iter().map(|entry| &entry.run).filter(|run| now.is_some_and(|now| *run < now)).max();
        before.cloned().ok_or_else(|| {
            Failure::not_found(match now {
                Some(run) => format!("no older run than {run} was ever published"),
                None => "no run was ever published".into(),
            })
        })
    }

    /// The manifest of a run.
    pub async fn manifest(&self, run: &RunId) -> Result<Manifest, Failure> {
        self.read(self.bucket, &format!("{}{run}.json", self.metadata.database.manifests()), run).await
    }

    async fn read(&self, bucket: &str, key: &str, run: &RunId) -> Result<Manifest, Failure> {
        let url = store::url(bucket, key);
        let text = self.store.read_whole(bucket, key).await?.ok_or_else(|| {
            Failure::not_found(format!("there is no manifest {url}: run {run} was not finished, or has expired"))
        })?;
        let manifest: Manifest = serde_json::from_slice(&text)
            .map_err(|error| Failure::bad_input(format!("{url} cannot be read as a manifest: {error}")))?;
        if manifest.run != *run {
            let message = format!("the event is about run {run}, {url} is the manifest of run {}", manifest.run);
            return Err(Failure::bad_input(message));
        }
        Ok(manifest)
    }

    /// Nothing is pointed at files that are gone.
    async fn check_files(&self, manifests: &[Manifest], tables: &[Publication]) -> Result<(), Failure> {
        for table in tables {
            let prefix = self.metadata.curated_table(&table.wanted.table).map_err(Failure::bad_metadata)?;
            let prefix = format!("{}{}/", self.metadata.database.base(), prefix.location);
            let listed = self.store.list(self.bucket, &prefix).await?;
            let there: BTreeSet<(&str, u64)> =
                listed.iter().map(|object| (object.key.as_str(), object.bytes)).collect();
            let of_table = |manifest: &'_ &Manifest| manifest.run == table.run;
            let outputs = manifests.iter().filter(of_table).flat_map(|manifest| &manifest.tables);
            let output = outputs.filter(|output| output.table == table.wanted.table);
            let missing = output.flat_map(|output| missing_files(output, &there)).chain(missing_partitions(
                table,
                self.bucket,
                &there,
            ));
            let missing: Vec<String> = missing.collect();
            if let Some(first) = missing.first() {
                return Err(Failure::not_found(format!(
                    "run {} cannot be published: {} of the files of table `{}` are gone, the first is {}; runs expire \
                     when nobody has seen them for a while",
                    table.run,
                    missing.len(),
                    table.wanted.table,
                    store::url(self.bucket, first)
                )));
            }
        }
        Ok(())
    }
}

/// A table as the journal has it.
fn as_it_was(table: &mut Publication, then: &Recorded) {
    table.replaces = Replaces::Table;
    table.wanted = then.state.clone();
    table.definition = then.definition.clone();
}

fn missing_files<'a>(output: &'a TableOutput, there: &'a BTreeSet<(&str, u64)>) -> impl Iterator<Item = String> + 'a {
    let files = output.files.iter().filter(|file| !there.contains(&(file.key.as_str(), file.bytes)));
    files.map(|file| file.key.clone())
}

/// Of a partition that another run has written it is only known where its files were.
fn missing_partitions<'a>(
    table: &'a Publication,
    bucket: &'a str,
    there: &'a BTreeSet<(&str, u64)>,
) -> impl Iterator<Item = String> + 'a {
    let root = store::url(bucket, "");
    let folders = table.wanted.partitions.iter().filter_map(move |partition| {
        let folder = partition.location.strip_prefix(root.as_str())?;
        Some(format!("{}/", folder.trim_end_matches('/')))
    });
    folders.filter(|folder| {
        let next = there.range((folder.as_str(), 0)..).next();
        !next.is_some_and(|(key, _)| key.starts_with(folder.as_str()))
    })
}

/// The run of a manifest by its key, `…/<run>.json`.
pub fn run_of_manifest(key: &str) -> Option<RunId> {
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
        let table = example::publication("calculated");
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

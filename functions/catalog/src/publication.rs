//! A publication: one table of a run on its way into Glue, with what was there before. Made of the manifest, which is
//! checked here before anything is touched.

use aws_sdk_glue::types::{Partition, Table as GlueTable};
use contract::message::{CurateResponse, PublishAction};
use contract::{Column, Failure, Manifest, MetaData, PartitionOutput, Replaces, RunId, TableOutput};
use store::Store;

use crate::table_input::TableDefinition;

/// One table of a run on its way into Glue.
#[derive(Clone, Debug)]
pub struct Publication {
    /// The run.
    pub run: RunId,
    /// The Glue database.
    pub database: String,
    /// What the run wrote.
    pub output: TableOutput,
    /// What Glue is to say.
    pub definition: TableDefinition,
    /// The columns that are in the path.
    pub partition_columns: Vec<Column>,
    /// What has become of the table so far.
    pub action: PublishAction,
    /// The table before the first change; `None` until it was looked at.
    pub table_before: Option<TableBefore>,
    /// The partitions before the first change; `None` until they were looked at.
    pub partitions_before: Option<Vec<Partition>>,
    /// The partitions of this run that are registered at their location: all but those that a newer run has taken.
    pub held: Vec<PartitionOutput>,
}

/// A table as it was before the first change.
#[derive(Clone, Debug)]
pub enum TableBefore {
    /// There was none.
    Absent,
    /// As Glue had it.
    Was(Box<GlueTable>),
}

impl Publication {
    /// `database.table`, for messages.
    pub fn name(&self) -> String {
        format!("{}.{}", self.database, self.output.table)
    }

    /// Whether the table has partitions.
    pub fn is_partitioned(&self) -> bool {
        !self.partition_columns.is_empty()
    }

    /// Whether the run leaves nothing of this table to publish: a newer run is there already.
    pub fn is_superseded(&self) -> bool {
        self.action == PublishAction::Superseded && (self.output.replaces == Replaces::Table || self.held.is_empty())
    }

    /// Whether a table in Glue points at this run.
    pub fn is_at(&self, table: &GlueTable) -> bool {
        same_location(location_of(table), &self.output.location)
    }

    /// Whether a table in Glue points at a newer run, which must not be replaced.
    pub fn is_older_than(&self, table: &GlueTable) -> bool {
        is_newer(location_of(table), &self.run)
    }
}

/// Where a table's files are, as Glue has it.
pub fn location_of(table: &GlueTable) -> &str {
    table.storage_descriptor().and_then(|storage| storage.location()).unwrap_or_default()
}

/// Whether the location of a table is that of a newer run. One that is no run's is older than all: the table was made by
/// hand or by another tool.
pub fn is_newer(location: &str, run: &RunId) -> bool {
    RunId::of_location(location).is_some_and(|found| found > *run)
}

/// `s3://b/t` and `s3://b/t/` are the same folder.
pub fn same_location(one: &str, other: &str) -> bool {
    one.trim_end_matches('/') == other.trim_end_matches('/')
}

/// Reads the manifest that curate named.
pub async fn read_manifest(store: &Store, event: &CurateResponse) -> Result<Manifest, Failure> {
    let (bucket, key) = (&event.manifest.bucket, &event.manifest.key);
    let url = store::url(bucket, key);
    let text = store.read_whole(bucket, key).await?.ok_or_else(|| {
        Failure::not_found(format!("there is no manifest {url}: run {} was not finished, or was deleted", event.run))
    })?;
    let manifest: Manifest = serde_json::from_slice(&text)
        .map_err(|error| Failure::bad_input(format!("{url} cannot be read as a manifest: {error}")))?;
    if manifest.run != event.run {
        let message = format!("the event is about run {}, {url} is the manifest of run {}", event.run, manifest.run);
        return Err(Failure::bad_input(message));
    }
    Ok(manifest)
}

/// The tables of a run, all checked: nothing is published of a run of which anything is wrong.
pub fn publications(metadata: &MetaData, manifest: &Manifest, bucket: &str) -> Result<Vec<Publication>, Failure> {
    let run = &manifest.run;
    if manifest.database != metadata.database.name {
        return Err(Failure::bad_input(format!(
            "the manifest of run {run} is of database `{}`, this pipeline publishes `{}`",
            manifest.database, metadata.database.name
        )));
    }
    if manifest.metadata_sha256 != metadata.sha256 {
        // a deployment between curate and catalog; the review finds out whether the two still fit
        tracing::warn!(run = run.as_str(), "the metadata is not the one that the run was built with");
    }
    manifest.tables.iter().map(|output| publication(metadata, manifest, bucket, output)).collect()
}

fn publication(
    metadata: &MetaData,
    manifest: &Manifest,
    bucket: &str,
    output: &TableOutput,
) -> Result<Publication, Failure> {
    let run = &manifest.run;
    let table = metadata
        .curated_table(&output.table)
        .map_err(|reason| Failure::bad_metadata(format!("the manifest of run {run}: {reason}")))?;
    let wrong = |what: String| Failure::bad_input(format!("the manifest of run {run}, table `{}`: {what}", table.name));
    let (location, root) = (&output.location, format!("s3://{bucket}/"));
    if !location.starts_with(&root) || !location.ends_with('/') || RunId::of_location(location).as_ref() != Some(run) {
        return Err(wrong(format!("location `{location}`, expected `{root}…/{run}/`")));
    }
    for partition in &output.partitions {
        if partition.values.len() != table.partitions.len() {
            return Err(wrong(format!(
                "partition {:?}, expected a value for each of {:?}",
                partition.values, table.partitions
            )));
        }
        if !partition.location.starts_with(location.as_str()) {
            return Err(wrong(format!("partition at `{}`, expected it under `{location}`", partition.location)));
        }
    }
    Ok(Publication {
        run: run.clone(),
        database: manifest.database.clone(),
        output: output.clone(),
        definition: TableDefinition::new(table, output, manifest)?,
        partition_columns: table.partition_columns().to_vec(),
        action: PublishAction::Unchanged,
        table_before: None,
        partitions_before: None,
        held: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use contract::FailureKind;

    use super::*;
    use crate::example;

    fn refused(change: impl Fn(&mut Manifest)) -> Failure {
        let mut manifest = example::manifest();
        change(&mut manifest);
        publications(&example::metadata(), &manifest, "curated").unwrap_err()
    }

    #[test]
    fn a_manifest_that_does_not_fit_is_refused_whole() {
        let failure = refused(|manifest| manifest.database = "other_db".into());
        assert_eq!(failure.kind, FailureKind::BadInput);
        assert!(failure.message.contains("is of database `other_db`"), "{failure}");

        let failure = refused(|manifest| manifest.tables[1].table = "calculatd".into());
        assert_eq!(failure.kind, FailureKind::BadMetadata);
        assert!(failure.message.contains("no curated table `calculatd`"), "{failure}");

        for location in [
            "s3://elsewhere/database/calculated/20261123T034500123Z-aaaa/",
            "s3://curated/database/calculated/20261123T034500123Z-aaaa",
            "s3://curated/database/calculated/20261123T034500123Z-bbbb/",
            "s3://curated/database/calculated/",
        ] {
            let failure = refused(|manifest| manifest.tables[1].location = location.into());
            assert_eq!(failure.kind, FailureKind::BadInput);
            assert!(failure.message.contains(location), "{failure}");
        }

        let failure = refused(|manifest| manifest.tables[1].partitions[0].values.clear());
        assert!(failure.message.contains("a value for each of [\"dea_snapshot_date\"]"), "{failure}");
        let failure = refused(|manifest| manifest.tables[1].partitions[0].location = "s3://curated/x/".into());
        assert!(failure.message.contains("expected it under"), "{failure}");
    }
}

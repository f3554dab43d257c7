//! A publication: one table of a run on its way into Glue, with what was there before. Made of the manifest, which is
//! checked here before anything is touched.

use std::collections::HashMap;

use aws_sdk_glue::types::{Partition, Table as GlueTable};
use contract::message::PublishAction;
use contract::{Column, Failure, Manifest, MetaData, Replaces, RunId, Table, TableOutput};

use crate::journal::{PartitionState, Recorded, TableState};
use crate::projection;
use crate::table_input::{ROLLED_BACK_FROM, TableDefinition};

/// One table of a run on its way into Glue.
#[derive(Clone, Debug)]
pub struct Publication {
    /// The run.
    pub run: RunId,
    /// The Glue database.
    pub database: String,
    /// Whether somebody asked for this very run: it is published whatever is there now.
    pub asked_for: bool,
    /// How much of the table is replaced.
    pub replaces: Replaces,
    /// The newest run that was taken back by hand, of a table that is made again.
    pub rolled_back_from: Option<RunId>,
    /// What the catalog is to point at.
    pub wanted: TableState,
    /// What Glue is to say.
    pub definition: TableDefinition,
    /// The newest file that the run read, in Unix seconds.
    pub newest_file_land_timestamp: Option<u64>,
    /// The columns that are in the path.
    pub partition_columns: Vec<Column>,
    /// Whether no message names a partition.
    pub hides_partitions: bool,
    /// What has become of the table so far.
    pub action: PublishAction,
    /// The table before the first change; `None` until it was looked at.
    pub table_before: Option<TableBefore>,
    /// The partitions before the first change; `None` until they were looked at.
    pub partitions_before: Option<Vec<Partition>>,
    /// The wanted partitions that are registered at their location: all but those that a newer run has taken.
    pub held: Vec<PartitionState>,
    /// Every partition that is registered when the publication is done, of other runs too.
    pub registered: Vec<PartitionState>,
}

/// A table as it was before the first change.
#[derive(Clone, Debug)]
pub enum TableBefore {
    /// There was none.
    Absent,
    /// As Glue had it.
    Was(Box<GlueTable>),
}

/// In place of a partition's name.
pub const HIDDEN: &str = "(hidden: a partition column is sensitive)";

/// Whether no message names a partition of a table.
pub fn hides_partitions(table: &Table, output: &TableOutput) -> bool {
    output.hides_partitions || table.partition_columns().iter().any(|column| column.sensitive)
}

impl Publication {
    /// `database.table`, for messages.
    pub fn name(&self) -> String {
        format!("{}.{}", self.database, self.wanted.table)
    }

    /// Whether the table has partitions.
    pub fn is_partitioned(&self) -> bool {
        !self.partition_columns.is_empty()
    }

    /// Whether Athena computes where the partitions are.
    pub fn is_projected(&self) -> bool {
        projection::is_enabled(|name| self.definition.parameters.get(name))
    }

    /// All partitions came with the table.
    pub fn holds_all(&mut self) {
        self.held.clone_from(&self.wanted.partitions);
        self.registered.clone_from(&self.wanted.partitions);
    }

    /// Whether nothing of this table is published: another run is there, and stays.
    pub fn is_left_alone(&self) -> bool {
        match self.action {
            PublishAction::Withdrawn => true,
            PublishAction::Superseded => self.replaces == Replaces::Table || self.held.is_empty(),
            PublishAction::Created | PublishAction::Updated | PublishAction::Unchanged => false,
        }
    }

    /// Whether a table in Glue points at this run.
    pub fn is_at(&self, table: &GlueTable) -> bool {
        same_location(location_of(table), &self.wanted.location)
    }

    /// Whether a table in Glue points at a newer run, which only a run that is asked for replaces.
    pub fn is_older_than(&self, table: &GlueTable) -> bool {
        !self.asked_for && is_newer(location_of(table), &self.run)
    }

    /// Whether this run, or one after it, was taken back by hand: it does not come again by itself.
    pub fn is_withdrawn(&self, table: &GlueTable) -> bool {
        !self.asked_for && !self.is_at(table) && rolled_back_from(table).is_some_and(|run| run >= self.run)
    }

    /// Whether another publication has replaced this one, after it was made.
    pub fn is_replaced(&self, table: &GlueTable) -> bool {
        let other = RunId::of_location(location_of(table)).filter(|run| *run != self.run);
        other.is_some_and(|other| self.asked_for || other > self.run || self.is_withdrawn(table))
    }

    /// The table as it is published, for the journal: with what was on record before of partitions that stay where they
    /// are.
    pub fn recorded(&self, rows: u64, before: Option<&Recorded>) -> Recorded {
        let mut state = TableState { rows, ..self.wanted.clone() };
        if self.is_partitioned() {
            let before: HashMap<&str, u64> = before
                .iter()
                .flat_map(|before| &before.state.partitions)
                .filter_map(|partition| Some((partition.location.trim_end_matches('/'), partition.rows?)))
                .collect();
            state.partitions = self.registered.clone();
            for partition in state.partitions.iter_mut().filter(|partition| partition.rows.is_none()) {
                partition.rows = before.get(partition.location.trim_end_matches('/')).copied();
            }
        }
        Recorded { state, definition: self.definition.clone() }
    }

    /// Where the table was before, for messages.
    pub fn location_before(&self) -> &str {
        match &self.table_before {
            Some(TableBefore::Was(table)) => location_of(table),
            _ => "nothing",
        }
    }
}

/// The newest run that was taken back by hand.
pub fn rolled_back_from(table: &GlueTable) -> Option<RunId> {
    table.parameters().and_then(|parameters| parameters.get(ROLLED_BACK_FROM)).and_then(|run| RunId::parse(run))
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

/// One table of a run.
pub fn publication(
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
        let named = |name: String| if hides_partitions(table, output) { HIDDEN.to_owned() } else { name };
        if partition.values.len() != table.partitions.len() {
            return Err(wrong(format!(
                "partition {}, expected a value for each of {:?}",
                named(format!("{:?}", partition.values)),
                table.partitions
            )));
        }
        if !partition.location.starts_with(location.as_str()) {
            let at = named(format!("`{}`", partition.location));
            return Err(wrong(format!("partition at {at}, expected it under `{location}`")));
        }
    }
    Ok(Publication {
        run: run.clone(),
        database: manifest.database.clone(),
        asked_for: false,
        rolled_back_from: None,
        replaces: output.replaces,
        wanted: TableState {
            table: output.table.clone(),
            location: output.location.clone(),
            rows: output.rows,
            partitions: output.partitions.iter().cloned().map(PartitionState::from).collect(),
        },
        definition: TableDefinition::new(table, output, manifest)?,
        newest_file_land_timestamp: manifest.newest_file_land_timestamp,
        partition_columns: table.partition_columns().to_vec(),
        hides_partitions: hides_partitions(table, output),
        action: PublishAction::Unchanged,
        table_before: None,
        partitions_before: None,
        held: Vec::new(),
        registered: Vec::new(),
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
    fn a_partition_that_is_hidden_is_not_named() {
        let ill = |hidden: bool| {
            let failure = refused(|manifest| {
                let output = &mut manifest.tables[1];
                output.hides_partitions = hidden;
                output.partitions[0].location = "s3://curated/who=ada/".into();
            });
            failure.message
        };
        assert!(ill(false).contains("partition at `s3://curated/who=ada/`"), "{}", ill(false));
        assert!(ill(true).contains("partition at (hidden: ") && !ill(true).contains("ada"), "{}", ill(true));
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

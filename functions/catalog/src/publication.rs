//! A publication: one table as it is decided, on its way into Glue. This module also checks a manifest's proposal
//! before anything is changed.

use std::collections::BTreeMap;

use aws_sdk_glue::types::Table as GlueTable;
use contract::message::PublishAction;
use contract::{Column, ColumnType, Failure, MetaData, Replaces, RunId, Table};

use crate::decision::{Decided, Decision, Outcome, Proposal, Proposed, TableState};
use crate::definition::{RUN, TableDefinition};
use crate::manifest::{Manifest, TableOutput};
use crate::projection;

/// One table on its way into Glue.
#[derive(Clone, Debug)]
pub(crate) struct Publication {
    /// The Glue database.
    pub database: String,
    /// The run that is published, or that was superseded or rolled back.
    pub run: RunId,
    /// The outcome for a table of the run; `None` for a table that is only brought in line with an earlier decision.
    pub outcome: Option<Outcome>,
    /// The state that Glue should point at.
    pub wanted: TableState,
    /// The definition that Glue should have.
    pub definition: TableDefinition,
    /// The columns in the path.
    pub partition_columns: Vec<Column>,
    /// Whether messages must not name its partitions.
    pub hides_partitions: bool,
    /// The location of a foreign table that may be replaced.
    pub takes_over: Option<String>,
    /// What has been done to the table in Glue so far.
    pub action: PublishAction,
}

/// Replaces a partition's name in messages.
pub(crate) const HIDDEN: &str = "(hidden: a partition column is sensitive)";

/// Whether messages must not name the partitions of a table.
pub(crate) fn hides_partitions(table: &Table, output: &TableOutput) -> bool {
    output.hides_partitions || table.partition_columns().iter().any(|column| column.sensitive)
}

impl Publication {
    /// Creates the publication of a table as it is decided.
    ///
    /// # Errors
    /// `BadMetadata` if the metadata does not describe the table.
    pub(crate) fn new(
        metadata: &MetaData,
        decided: &Decided,
        run: &RunId,
        outcome: Option<Outcome>,
    ) -> Result<Self, Failure> {
        let table = metadata
            .curated_table(&decided.state.table)
            .map_err(|reason| Failure::bad_metadata(format!("run {run}: {reason}")))?;
        Ok(Self {
            database: metadata.database.name.clone(),
            run: run.clone(),
            outcome,
            wanted: decided.state.clone(),
            definition: definition(decided),
            partition_columns: partition_columns(table, decided),
            hides_partitions: decided.hides_partitions,
            takes_over: decided.takes_over.clone(),
            action: PublishAction::Unchanged,
        })
    }

    /// `database.table`, for messages.
    pub(crate) fn name(&self) -> String {
        format!("{}.{}", self.database, self.wanted.table)
    }

    /// Whether the table has partitions.
    pub(crate) fn is_partitioned(&self) -> bool {
        !self.partition_columns.is_empty()
    }

    /// Whether Athena computes the partitions and their locations.
    pub(crate) fn is_projected(&self) -> bool {
        projection::is_enabled(|name| self.definition.parameters.get(name))
    }

    /// Whether its partitions are registered in Glue.
    pub(crate) fn has_registered_partitions(&self) -> bool {
        self.is_partitioned() && !self.is_projected()
    }

    /// Whether the run is in the table, which then has to be counted.
    pub(crate) fn is_published(&self) -> bool {
        self.outcome == Some(Outcome::Published)
    }

    /// Follows a later decision. If the table is elsewhere in it, the run counts as superseded.
    pub(crate) fn after(&mut self, decision: &Decision) {
        let decided = decision.table(&self.wanted.table);
        let stays = decided.is_some_and(|decided| decided.state.is_at(&self.wanted));
        if !stays && self.is_published() {
            self.outcome = Some(Outcome::Superseded);
        }
        if let Some(decided) = decided {
            self.wanted = decided.state.clone();
            self.definition = definition(decided);
            self.hides_partitions = decided.hides_partitions;
            self.takes_over.clone_from(&decided.takes_over);
        }
    }
}

/// Returns the columns in the path of the published files. The metadata may have changed since the decision.
fn partition_columns(table: &Table, decided: &Decided) -> Vec<Column> {
    let described = table.partition_columns();
    let keys = &decided.definition.partition_keys;
    if keys.iter().map(|key| &key.name).eq(described.iter().map(|column| &column.name)) {
        return described.to_vec();
    }
    let like = table.columns.first();
    let columns = keys.iter().filter_map(|key| {
        let text =
            || like.map(|like| Column { name: key.name.clone(), column_type: ColumnType::String, ..like.clone() });
        table.column(&key.name).cloned().or_else(text)
    });
    columns.collect()
}

/// Returns the definition that Glue should have.
fn definition(decided: &Decided) -> TableDefinition {
    let mut definition = decided.definition.clone();
    definition.storage_descriptor.location = decided.state.pointed_at();
    definition
}

/// Returns the location of a table in Glue; empty if it has none.
pub(crate) fn location_of(table: &GlueTable) -> &str {
    table.storage_descriptor().and_then(|storage| storage.location()).unwrap_or_default()
}

/// Returns the folder of the run that a table in Glue points at. If its partitions lie in the folders of several runs,
/// its run parameter names the run.
pub(crate) fn run_location_of(table: &GlueTable) -> String {
    let location = location_of(table);
    let named = table.parameters().and_then(|parameters| parameters.get(RUN));
    match (contract::is_of_several_runs(location), named) {
        (true, Some(run)) => {
            let above = location.trim_end_matches('/').rsplit_once('/').map_or("", |(above, _)| above);
            format!("{above}/{run}/")
        }
        _ => location.to_owned(),
    }
}

/// Checks all tables of a run and returns its proposal. A run with any error is refused as a whole.
pub(crate) fn proposal(
    metadata: &MetaData,
    manifest: &Manifest,
    bucket: &str,
    asked_for: bool,
) -> Result<Proposal, Failure> {
    let run = &manifest.run;
    if manifest.database != metadata.database.name {
        return Err(Failure::bad_input(format!(
            "the manifest of run {run} is of database `{}`, this pipeline publishes `{}`",
            manifest.database, metadata.database.name
        )));
    }
    if manifest.metadata_sha256 != metadata.sha256 {
        // the stack was deployed between curate and catalog; the review finds out whether run and metadata still match
        tracing::warn!(run = run.as_str(), "the metadata is not the one that the run was built with");
    }
    let tables = manifest.tables.iter().map(|output| proposed(metadata, manifest, bucket, output));
    Ok(Proposal { run: run.clone(), asked_for, tables: tables.collect::<Result<_, _>>()? })
}

/// Checks one table of a run.
fn proposed(metadata: &MetaData, manifest: &Manifest, bucket: &str, output: &TableOutput) -> Result<Proposed, Failure> {
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
    let appended = output.appended.as_ref();
    let completed = output.completed.as_ref();
    let mut state = TableState {
        table: output.table.clone(),
        location: output.location.clone(),
        rows: Some(output.rows),
        partitions: output.partitions.iter().cloned().map(Into::into).collect(),
    };
    let copied: Option<BTreeMap<_, _>> =
        completed.map(|completed| completed.copied.iter().map(|one| (one.values.clone(), one)).collect());
    for partition in &mut state.partitions {
        let copy = copied.as_ref().and_then(|copied| copied.get(&partition.values));
        partition.written_by = copy.map(|copy| copy.written_by.clone());
    }
    let of_completed = completed.and_then(|completed| completed.base.clone());
    let table = Decided {
        state,
        definition: TableDefinition::new(table, output, manifest)?,
        base: appended.and_then(|appended| appended.base.clone()).or(of_completed),
        rolled_back_from: None,
        hides_partitions: hides_partitions(table, output),
        takes_over: None,
        undescribed: BTreeMap::new(),
    };
    // a table built from scratch is replaced whole, even if its manifest says otherwise
    let from_scratch = appended.is_some_and(|appended| appended.base.is_none());
    let copied = copied.map(|copied| copied.into_iter().map(|(values, copy)| (values, copy.from.clone())).collect());
    Ok(Proposed { table, replaces: if from_scratch { Replaces::Table } else { output.replaces }, copied })
}

#[cfg(test)]
mod tests {
    use contract::FailureKind;

    use super::*;
    use crate::example;

    fn refused(change: impl Fn(&mut Manifest)) -> Failure {
        let mut manifest = example::manifest();
        change(&mut manifest);
        proposal(&example::metadata(), &manifest, "curated", false).unwrap_err()
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

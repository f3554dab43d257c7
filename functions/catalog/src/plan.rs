//! The plan of a publication: the changes to database, tables and partitions that bring the current state of Glue in
//! line with the decision. The plan is logged before anything is done. With `plan_only`, nothing else is done.

use aws_sdk_glue::Client;
use aws_sdk_glue::types::Table as GlueTable;
use contract::{Failure, FailureKind, MetaData};

use crate::decision::Outcome;
use crate::definition::TableDefinition;
use crate::diff;
use crate::foreign;
use crate::glue_table::{Change, change};
use crate::lookup;
use crate::lookup::{is_ours, tables_of};
use crate::partitions;
use crate::partitions::Registered;
use crate::publication::{Publication, run_location_of};

/// The changes to be made.
#[derive(Debug)]
pub(crate) struct PublicationPlan {
    /// The Glue database.
    pub database: String,
    /// Whether the database exists.
    pub database_exists: bool,
    /// Whether the database and its tables are deleted first.
    pub recreate: bool,
    /// The plan of each publication, in the same order.
    pub tables: Vec<TablePlan>,
    /// Tables that cannot be updated as wanted, and why. A plan with conflicts is not carried out.
    pub conflicts: Vec<(String, Failure)>,
    /// Tables that an earlier metadata described and this one does not.
    pub obsolete: Vec<String>,
    /// Whether obsolete tables are dropped.
    pub drop: bool,
    /// Foreign tables, which are left alone.
    pub foreign: Vec<String>,
}

/// The change of one table, and the state of Glue that it was derived from.
#[derive(Debug)]
pub(crate) struct TablePlan {
    /// The table in Glue.
    pub found: Option<GlueTable>,
    /// Its partitions, if they are registered in Glue.
    pub registered: Vec<Registered>,
    change: Change,
    lines: Vec<String>,
}

impl PublicationPlan {
    /// Reads Glue and derives the plan. Changes nothing.
    pub(crate) async fn new(
        glue: &Client,
        metadata: &MetaData,
        publications: &[Publication],
        drop: bool,
        recreate: bool,
    ) -> Result<Self, Failure> {
        let database = metadata.database.name.clone();
        let all = tables_of(glue, &database).await?;
        let mut plan = Self {
            database,
            database_exists: all.is_some(),
            recreate,
            tables: Vec::new(),
            conflicts: Vec::new(),
            obsolete: Vec::new(),
            drop,
            foreign: Vec::new(),
        };
        for table in all.iter().flatten().filter(|table| !metadata.curated.contains_key(table.name())) {
            if is_ours(table) { &mut plan.obsolete } else { &mut plan.foreign }.push(table.name().to_owned());
        }
        for publication in publications {
            match TablePlan::new(glue, publication, recreate).await {
                Ok(table) => plan.tables.push(table),
                Err(failure) if failure.kind == FailureKind::Conflict => {
                    plan.conflicts.push((publication.wanted.table.clone(), failure));
                }
                Err(failure) => return Err(failure),
            }
        }
        Ok(plan)
    }

    /// Returns a line for each thing that is changed or left.
    pub(crate) fn lines(&self) -> Vec<String> {
        let database = match (self.database_exists, self.recreate) {
            (false, _) => "create",
            (true, false) => "leave",
            (true, true) if self.foreign.is_empty() => "delete and create",
            (true, true) => "leave, as others have tables in it",
        };
        let mut lines = vec![format!("database {}: {database}", self.database)];
        lines.extend(self.tables.iter().flat_map(|table| table.lines.clone()));
        for table in &self.obsolete {
            lines.push(if self.drop || self.recreate {
                format!("table {table}: drop, the metadata does not describe it (its files stay)")
            } else {
                format!("table {table}: leave, though the metadata does not describe it; {{\"drop\": true}} drops it")
            });
        }
        lines.extend(self.foreign.iter().map(|table| format!("table {table}: leave, it is not the pipeline's")));
        lines
    }

    /// Returns the tables to be dropped.
    pub(crate) fn dropped(&self) -> &[String] {
        if self.drop { &self.obsolete } else { &[] }
    }
}

impl TablePlan {
    async fn new(glue: &Client, publication: &Publication, recreate: bool) -> Result<Self, Failure> {
        let found = lookup::get_table(glue, publication).await?;
        let registered = if found.is_some() && publication.has_registered_partitions() {
            partitions::list(glue, publication).await?
        } else {
            Vec::new()
        };
        // a table that is deleted first needs no comparison
        let change = match (recreate, &found) {
            (true, Some(found)) => {
                foreign::check(found, &publication.definition, None)
                    .map_err(|failure| failure.context(format!("publishing table `{}`", publication.name())))?;
                Change::Create
            }
            (true, None) => Change::Create,
            (false, found) => change(found.as_ref(), publication)?,
        };
        let mut plan = Self { found, registered, change, lines: Vec::new() };
        plan.lines = plan.describe(publication);
        Ok(plan)
    }

    fn describe(&self, publication: &Publication) -> Vec<String> {
        let name = &publication.wanted.table;
        let to = &publication.wanted.location;
        let from = self.found.as_ref().map(run_location_of).unwrap_or_default();
        let mut lines = vec![match (publication.outcome, self.change) {
            (Some(Outcome::Superseded), _) => format!("table {name}: leave at {to}, which is newer"),
            (Some(Outcome::Withdrawn), _) => {
                format!("table {name}: leave at {to}: run {} was taken back, or one after it", publication.run)
            }
            (_, Change::Create) if self.found.is_some() => format!("table {name}: delete and create at {to}"),
            (_, Change::Create) => format!("table {name}: create at {to}"),
            (_, Change::Update | Change::Flip) if from == *to => format!("table {name}: update at {to}"),
            (_, Change::Flip) => format!("table {name}: flip from {from} to {to}"),
            (_, Change::Update) => format!("table {name}: update, and flip from {from} to {to}"),
            (_, Change::Leave) => format!("table {name}: leave at {to}"),
        }];
        if self.change != Change::Create && self.found.as_ref().is_some_and(|found| !is_ours(found)) {
            lines.push("  a table of others is taken over; its files stay".into());
        }
        if let (Change::Update, Some(found)) = (self.change, &self.found) {
            let changes = diff::changes(&TableDefinition::of(found), &publication.definition);
            lines.extend(changes.into_iter().map(|change| format!("  {change}")));
        }
        if publication.is_projected() {
            lines.push(format!("  partitions: {}, computed by Athena", publication.wanted.partitions.len()));
        } else if publication.is_partitioned() {
            let registered = if self.change == Change::Create { &[] } else { self.registered.as_slice() };
            let plan = partitions::plan(registered, &publication.wanted.partitions);
            let parts = [
                (plan.add.len(), "add"),
                (plan.move_here.len(), "move here"),
                (plan.remove.len(), "remove"),
                (plan.held, "leave"),
            ];
            let parts = parts.into_iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{what} {n}"));
            let parts: Vec<String> = parts.collect();
            lines.push(format!("  partitions: {}", if parts.is_empty() { "none".into() } else { parts.join(", ") }));
            let pointed_at = &publication.definition.storage_descriptor.location;
            if contract::is_of_several_runs(pointed_at) {
                lines.push(format!("  location: {pointed_at}, as the partitions lie in the folders of several runs"));
            }
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example;

    fn table(publication: &Publication, found: Option<GlueTable>, registered: Vec<Registered>) -> Vec<String> {
        let change = change(found.as_ref(), publication).unwrap();
        TablePlan { found, registered, change, lines: Vec::new() }.describe(publication)
    }

    #[test]
    fn a_plan_says_what_is_done_to_a_table() {
        let publication = example::publication("calculated");
        let to = &publication.wanted.location;
        let create = table(&publication, None, Vec::new());
        assert_eq!(create, [format!("table calculated: create at {to}"), "  partitions: add 1".into()]);

        let from = "s3://curated/database/calculated/20261122T034500123Z-zzzz/";
        let mut earlier = publication.definition.clone();
        earlier.storage_descriptor.location = from.into();
        earlier.storage_descriptor.columns[1].column_type = "int".into();
        earlier.storage_descriptor.columns[0].name = "region".into();
        let found = example::glue_table(&earlier.input().unwrap(), "1");
        let update = table(&publication, Some(found), Vec::new());
        assert_eq!(
            update,
            [
                format!("table calculated: update, and flip from {from} to {to}"),
                "  + column european_electoral_region string".into(),
                "  ~ column n: int -> bigint".into(),
                "  - column region string".into(),
                "  partitions: add 1".into(),
            ]
        );
    }

    #[test]
    fn a_plan_says_what_is_left_and_what_may_go() {
        let mut plan = PublicationPlan {
            database: "db".into(),
            database_exists: true,
            recreate: false,
            tables: Vec::new(),
            conflicts: Vec::new(),
            obsolete: vec!["orders".into()],
            drop: false,
            foreign: vec!["other".into()],
        };
        assert_eq!(
            plan.lines(),
            [
                "database db: leave",
                "table orders: leave, though the metadata does not describe it; {\"drop\": true} drops it",
                "table other: leave, it is not the pipeline's",
            ]
        );
        assert_eq!(plan.dropped(), [""; 0]);
        plan.drop = true;
        assert_eq!(plan.dropped(), ["orders"]);
        assert!(plan.lines()[1].starts_with("table orders: drop"));
    }
}

//! A table in Glue: brings the database and its tables to their decided definitions. Each table takes one call, which
//! succeeds only if nobody else has changed the table meanwhile.

use std::time::Duration;

use aws_sdk_glue::Client;
use aws_sdk_glue::types::{DatabaseInput, Table as GlueTable, TableInput};
use contract::message::PublishAction;
use contract::{Database, Failure, FailureKind};

use crate::decision::same_location;
use crate::definition::{self, TableDefinition};
use crate::foreign;
use crate::lookup::{find_table, get_table};
use crate::publication::Publication;
use crate::watch::{Progress, Watch};

/// How often a table is read and compared again if others change it at the same moment.
const ATTEMPTS: u32 = 6;

/// The change that a table needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// The table does not exist.
    Create,
    /// Its definition differs.
    Update,
    /// Only its location and run differ.
    Flip,
    /// It is as wanted.
    Leave,
}

/// Creates the database if it does not exist. An existing one is not changed, as others may keep tables in it.
pub(crate) async fn ensure_database(glue: &Client, database: &Database, bucket: &str) -> Result<(), Failure> {
    let context = |failure: Failure, doing: &str| failure.context(format!("{doing} database `{}`", database.name));
    match glue.get_database().name(&database.name).send().await {
        Ok(_) => return Ok(()),
        Err(error) => match boot::aws::failure(&error) {
            failure if failure.kind == FailureKind::NotFound => {}
            failure => return Err(context(failure, "reading")),
        },
    }
    let location = store::url(bucket, &database.base());
    let input = DatabaseInput::builder()
        .name(&database.name)
        .description(definition::description(&database.description))
        .location_uri(location)
        .build()
        .map_err(Failure::internal)?;
    match glue.create_database().database_input(input).send().await {
        Ok(_) => {
            tracing::info!(database = database.name, "created database");
            Ok(())
        }
        Err(error) => match boot::aws::failure(&error) {
            // another invocation was quicker
            failure if failure.kind == FailureKind::Conflict => Ok(()),
            failure => Err(context(failure, "creating")),
        },
    }
}

/// Brings a table that no decision covers, such as a raw table, to its definition.
pub(crate) async fn ensure_table(glue: &Client, database: &str, wanted: &TableDefinition) -> Result<(), Failure> {
    let doing = format!("describing table `{database}.{}`", wanted.name);
    for attempt in 0..ATTEMPTS {
        pause(attempt).await;
        let found = find_table(glue, database, &wanted.name).await?;
        let changed = match &found {
            None => create(glue, database, wanted.input()?).await,
            Some(table) => match compare(table, wanted, None).map_err(|failure| failure.context(&doing))? {
                Change::Leave => return Ok(()),
                _ => update(glue, database, wanted.input()?, table.version_id()).await,
            },
        };
        match changed {
            Ok(()) => return Ok(()),
            // the database does not exist
            Err(failure) if found.is_none() && failure.kind == FailureKind::NotFound => {
                return Err(failure.context(doing));
            }
            Err(failure) if is_lost_race(&failure) => {}
            Err(failure) => return Err(failure.context(doing)),
        }
    }
    Err(Failure::unavailable(format!("{doing}: others changed it {ATTEMPTS} times in between")))
}

/// Brings a table in line with the decision. `seen` is the table as it was read before the decision was written. If
/// others have changed the table, it may belong to a later decision by now and is left alone.
pub(crate) async fn publish(
    glue: &Client,
    publication: &mut Publication,
    mut seen: Option<Option<GlueTable>>,
    watch: &Watch<'_>,
) -> Result<Progress, Failure> {
    let doing = format!("publishing table `{}`", publication.name());
    for attempt in 0..ATTEMPTS {
        pause(attempt).await;
        let found = if let Some(found) = seen.take() {
            found
        } else {
            let found = get_table(glue, publication).await?;
            // in this order: if a later decision changes the table after this read, the version in the update no longer
            // matches
            if !watch.is_current().await? {
                return Ok(Progress::Overtaken);
            }
            found
        };
        let change = change(found.as_ref(), publication)?;
        let changed = match change {
            Change::Leave if attempt == 0 => return Ok(Progress::InLine),
            // our own change, whose answer was lost, or another invocation's
            Change::Leave => return Ok(Progress::Changed),
            Change::Create => {
                publication.action = PublishAction::Created;
                create(glue, &publication.database, publication.definition.input()?).await
            }
            Change::Update | Change::Flip => {
                if publication.action != PublishAction::Created {
                    publication.action = PublishAction::Updated;
                }
                let version = found.as_ref().and_then(|table| table.version_id());
                update(glue, &publication.database, publication.definition.input()?, version).await
            }
        };
        match changed {
            Ok(()) => return Ok(Progress::Changed),
            // the database does not exist
            Err(failure) if change == Change::Create && failure.kind == FailureKind::NotFound => {
                return Err(failure.context(doing));
            }
            Err(failure) if is_lost_race(&failure) => {
                let table = &publication.wanted.table;
                tracing::info!(table, error = %failure, "table changed meanwhile, reading it again");
            }
            Err(failure) => return Err(failure.context(doing)),
        }
    }
    Err(Failure::unavailable(format!("{doing}: others changed it {ATTEMPTS} times in between")))
}

/// Returns the change that brings a table in Glue in line.
pub(crate) fn change(found: Option<&GlueTable>, publication: &Publication) -> Result<Change, Failure> {
    let Some(table) = found else { return Ok(Change::Create) };
    compare(table, &publication.definition, publication.takes_over.as_deref())
        .map_err(|failure| failure.context(format!("publishing table `{}`", publication.name())))
}

/// Compares a table in Glue with the wanted definition. Fails if it cannot be updated to it.
fn compare(table: &GlueTable, wanted: &TableDefinition, takes_over: Option<&str>) -> Result<Change, Failure> {
    foreign::check(table, wanted, takes_over)?;
    let conflict = |reason| Err(Failure::conflict(reason));
    let mut current = TableDefinition::of(table);
    // Registered partitions have values for the partition columns that the table had.
    let keys = |definition: &TableDefinition| -> Vec<String> {
        definition.partition_keys.iter().map(|column| column.name.clone()).collect()
    };
    if keys(&current) != keys(wanted) {
        return conflict(format!(
            "its partition columns are {:?} in Glue and {:?} in the run; drop the table in Glue (its files stay) and \
             run again (a table of mode `partition` with {{\"tables\": […], \"from_scratch\": true}}), or give the \
             new one another name",
            keys(&current),
            keys(wanted)
        ));
    }
    if same_location(&current.storage_descriptor.location, &wanted.storage_descriptor.location) {
        current.storage_descriptor.location.clone_from(&wanted.storage_descriptor.location);
    }
    Ok(if wanted.describes(&current) {
        Change::Leave
    } else if wanted.describes(&current.at_run_of(wanted)) {
        Change::Flip
    } else {
        Change::Update
    })
}

async fn create(glue: &Client, database: &str, input: TableInput) -> Result<(), Failure> {
    let create = glue.create_table().database_name(database).table_input(input);
    create.send().await.map(drop).map_err(|error| boot::aws::failure(&error))
}

async fn update(glue: &Client, database: &str, input: TableInput, version: Option<&str>) -> Result<(), Failure> {
    let update = glue
        .update_table()
        .database_name(database)
        .table_input(input)
        .set_version_id(version.map(str::to_owned))
        // one archived version per run would reach Glue's limit of versions
        .skip_archive(true);
    update.send().await.map(drop).map_err(|error| boot::aws::failure(&error))
}

/// Whether somebody else created, changed or deleted the table since it was read.
fn is_lost_race(failure: &Failure) -> bool {
    matches!(failure.kind, FailureKind::Conflict | FailureKind::NotFound)
}

async fn pause(attempt: u32) {
    if attempt > 0 {
        tokio::time::sleep(Duration::from_millis(50 << attempt)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example;

    const OLDER: &str = "s3://curated/database/random_postcodes/20261122T034500123Z-zzzz/";

    /// Returns a table in Glue like the wanted one, at another location.
    fn table_at(publication: &Publication, location: &str) -> GlueTable {
        let mut definition = publication.definition.clone();
        definition.storage_descriptor.location = location.into();
        example::glue_table(&definition.input().unwrap(), "7")
    }

    #[test]
    fn a_table_is_created_updated_or_left() {
        let publication = example::publication("random_postcodes");
        let change = |table: Option<GlueTable>| change(table.as_ref(), &publication).unwrap();
        let ours = publication.wanted.location.clone();
        assert_eq!(change(None), Change::Create);
        assert_eq!(change(Some(table_at(&publication, OLDER))), Change::Flip);
        assert_eq!(change(Some(table_at(&publication, &ours))), Change::Leave);
        assert_eq!(change(Some(table_at(&publication, ours.trim_end_matches('/')))), Change::Leave);
        assert_eq!(change(Some(table_at(&publication, "s3://curated/database/random_postcodes/"))), Change::Flip);

        let mut described_otherwise = table_at(&publication, &ours);
        described_otherwise.description = Some("by hand".into());
        assert_eq!(change(Some(described_otherwise)), Change::Update);
    }

    #[test]
    fn what_glue_adds_is_no_change() {
        let publication = example::publication("random_postcodes");
        let mut table = table_at(&publication, &publication.wanted.location);
        table.created_by = Some("arn:aws:sts::1:assumed-role/x".into());
        table.partition_keys = None;
        let storage = table.storage_descriptor.as_mut().unwrap();
        storage.sort_columns = None;
        storage.bucket_columns = None;
        table.parameters.as_mut().unwrap().insert("transient_lastDdlTime".into(), "1".into());
        assert_eq!(change(Some(&table), &publication), Ok(Change::Leave));
    }

    #[test]
    fn what_cannot_be_replaced_is_refused() {
        let publication = example::publication("calculated");
        let refused = |table: &GlueTable| {
            let failure = change(Some(table), &publication).unwrap_err();
            assert_eq!(failure.kind, FailureKind::Conflict);
            failure.message
        };
        let mut view = table_at(&publication, "");
        view.table_type = Some("VIRTUAL_VIEW".into());
        assert!(refused(&view).contains("`VIRTUAL_VIEW`"));

        let mut other_keys = table_at(&publication, "s3://curated/database/calculated/");
        other_keys.partition_keys = None;
        assert!(refused(&other_keys).contains("[] in Glue and [\"dea_snapshot_date\"] in the run"));
    }
}

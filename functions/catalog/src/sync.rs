//! Sync: what Glue says about the database and its tables is brought to what is described, each table by one call that
//! succeeds only if nobody else changed the table meanwhile.

use std::time::Duration;

use aws_sdk_glue::Client;
use aws_sdk_glue::types::{DatabaseInput, Table as GlueTable, TableInput};
use contract::message::PublishAction;
use contract::{Database, Failure, FailureKind, RunId};

use crate::publication::{Publication, TableBefore, location_of, rolled_back_from, same_location};
use crate::table_input::{self, EXTERNAL_TABLE, PREVIOUS_LOCATION, ROLLED_BACK_FROM, TableDefinition};

/// How often a table that others change at the same moment is read and decided about again.
const ATTEMPTS: u32 = 6;

/// What is to be done about a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// There is none.
    Create,
    /// It is described otherwise.
    Update,
    /// It is described so, and points elsewhere.
    Flip,
    /// It is as it is to be.
    Leave,
    /// It points at a newer run: never publish an older one over it.
    LeaveNewer,
    /// This run, or one after it, was taken back by hand.
    LeaveWithdrawn,
}

/// Creates the database if there is none. It is never changed nor deleted: others may keep tables in it.
pub async fn ensure_database(glue: &Client, database: &Database, bucket: &str) -> Result<(), Failure> {
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
        .description(table_input::description(&database.description))
        .location_uri(location)
        .build()
        .map_err(Failure::internal)?;
    match glue.create_database().database_input(input).send().await {
        Ok(_) => {
            tracing::info!(database = database.name, "created database");
            Ok(())
        }
        Err(error) => match boot::aws::failure(&error) {
            // another run was quicker
            failure if failure.kind == FailureKind::Conflict => Ok(()),
            failure => Err(context(failure, "creating")),
        },
    }
}

/// A table, or `None` when there is none.
pub async fn get_table(glue: &Client, publication: &Publication) -> Result<Option<GlueTable>, Failure> {
    find_table(glue, &publication.database, &publication.wanted.table).await
}

async fn find_table(glue: &Client, database: &str, table: &str) -> Result<Option<GlueTable>, Failure> {
    match glue.get_table().database_name(database).name(table).send().await {
        Ok(found) => Ok(found.table),
        Err(error) => match boot::aws::failure(&error) {
            failure if failure.kind == FailureKind::NotFound => Ok(None),
            failure => Err(failure.context(format!("reading table `{database}.{table}`"))),
        },
    }
}

/// Brings a table that no run moves to its definition.
pub async fn ensure_table(glue: &Client, database: &str, wanted: &TableDefinition) -> Result<(), Failure> {
    let doing = format!("describing table `{database}.{}`", wanted.name);
    for attempt in 0..ATTEMPTS {
        pause(attempt).await;
        let found = find_table(glue, database, &wanted.name).await?;
        let changed = match &found {
            None => create(glue, database, wanted.input(None)?).await,
            Some(table) => match compare(table, wanted).map_err(|failure| failure.context(&doing))? {
                Decision::Leave => return Ok(()),
                _ => update(glue, database, wanted.input(None)?, table.version_id()).await,
            },
        };
        match changed {
            Ok(()) => return Ok(()),
            // Glue does not find the database
            Err(failure) if found.is_none() && failure.kind == FailureKind::NotFound => {
                return Err(failure.context(doing));
            }
            Err(failure) if is_lost_race(&failure) => {}
            Err(failure) => return Err(failure.context(doing)),
        }
    }
    Err(Failure::unavailable(format!("{doing}: others changed it {ATTEMPTS} times in between")))
}

/// Points the table, as it was last seen, at the run. What was there before is kept in the publication, for [`put_back`].
pub async fn publish(
    glue: &Client,
    publication: &mut Publication,
    mut seen: Option<Option<GlueTable>>,
) -> Result<(), Failure> {
    let doing = format!("publishing table `{}`", publication.name());
    for attempt in 0..ATTEMPTS {
        pause(attempt).await;
        let found = match seen.take() {
            Some(found) => found,
            None => get_table(glue, publication).await?,
        };
        let decision = decide(found.as_ref(), publication)?;
        // A change that was made although its answer was lost shows as our own location at the next look: then what is
        // there now is not what was there before.
        if publication.table_before.is_none() || !found.as_ref().is_some_and(|table| publication.is_at(table)) {
            publication.table_before = Some(match &found {
                Some(table) => TableBefore::Was(Box::new(table.clone())),
                None => TableBefore::Absent,
            });
        }
        let changed = match decision {
            Decision::Leave => return Ok(()),
            Decision::LeaveNewer => {
                publication.action = PublishAction::Superseded;
                return Ok(());
            }
            Decision::LeaveWithdrawn => {
                publication.action = PublishAction::Withdrawn;
                return Ok(());
            }
            Decision::Create => {
                publication.action = PublishAction::Created;
                create(glue, &publication.database, input(publication, None)?).await
            }
            Decision::Update | Decision::Flip => {
                publication.action = PublishAction::Updated;
                let input = input(publication, found.as_ref())?;
                update(glue, &publication.database, input, found.as_ref().and_then(|table| table.version_id())).await
            }
        };
        match changed {
            Ok(()) => return Ok(()),
            // Glue does not find the database
            Err(failure) if decision == Decision::Create && failure.kind == FailureKind::NotFound => {
                return Err(failure.context(doing));
            }
            Err(failure) if is_lost_race(&failure) => {
                tracing::info!(table = publication.wanted.table, error = %failure, "table changed meanwhile, reading it again");
            }
            Err(failure) => return Err(failure.context(doing)),
        }
    }
    Err(Failure::unavailable(format!("{doing}: others changed it {ATTEMPTS} times in between")))
}

/// What is to be done about a table that Glue has like this.
pub fn decide(found: Option<&GlueTable>, publication: &Publication) -> Result<Decision, Failure> {
    let Some(table) = found else { return Ok(Decision::Create) };
    if publication.is_older_than(table) {
        return Ok(Decision::LeaveNewer);
    }
    if publication.is_withdrawn(table) {
        return Ok(Decision::LeaveWithdrawn);
    }
    compare(table, &publication.definition)
        .map_err(|failure| failure.context(format!("publishing table `{}`", publication.name())))
}

/// Whether a table in Glue is to be left or updated. Fails where it cannot become the wanted one.
fn compare(table: &GlueTable, wanted: &TableDefinition) -> Result<Decision, Failure> {
    let conflict = |reason| Err(Failure::conflict(reason));
    let mut current = TableDefinition::of(table);
    if current.table_type != EXTERNAL_TABLE {
        return conflict(format!(
            "something else has this name, of the type `{}` where `{EXTERNAL_TABLE}` was expected; \
             rename or drop it, or rename the table in the metadata",
            current.table_type
        ));
    }
    // The partitions that are registered have values for the columns of then.
    let keys = |definition: &TableDefinition| -> Vec<String> {
        definition.partition_keys.iter().map(|column| column.name.clone()).collect()
    };
    if keys(&current) != keys(wanted) {
        return conflict(format!(
            "its partition columns are {:?} in Glue and {:?} in the metadata; drop the table in Glue (its files stay) \
             and run again, or give the new one another name",
            keys(&current),
            keys(wanted)
        ));
    }
    if same_location(&current.storage_descriptor.location, &wanted.storage_descriptor.location) {
        current.storage_descriptor.location.clone_from(&wanted.storage_descriptor.location);
    }
    Ok(if wanted.describes(&current) {
        Decision::Leave
    } else if wanted.describes(&current.at_run_of(wanted)) {
        Decision::Flip
    } else {
        Decision::Update
    })
}

/// The definition as Glue takes it, with the way back; and which run was taken back by hand, if one was that this one does
/// not come after.
fn input(publication: &Publication, found: Option<&GlueTable>) -> Result<TableInput, Failure> {
    let mut input = publication.definition.input(found.and_then(|table| way_back(table, publication)))?;
    let now = found.and_then(|table| RunId::of_location(location_of(table)));
    let earlier = found.and_then(rolled_back_from).or_else(|| publication.rolled_back_from.clone());
    let newest = now.into_iter().chain(earlier).max();
    if let (Some(newest), Some(parameters)) = (newest, &mut input.parameters)
        && newest > publication.run
    {
        parameters.insert(ROLLED_BACK_FROM.into(), newest.as_str().into());
    }
    Ok(input)
}

/// Where a table pointed before this run, if anywhere.
fn way_back<'a>(table: &'a GlueTable, publication: &Publication) -> Option<&'a str> {
    if publication.is_at(table) {
        table.parameters().and_then(|parameters| parameters.get(PREVIOUS_LOCATION)).map(String::as_str)
    } else {
        Some(location_of(table)).filter(|location| !location.is_empty())
    }
}

/// Takes the table back to what it was, unless a newer run was published over it meanwhile.
///
/// `wrong` says that this run's data is known to be wrong, and not only that its publication failed. Then the run goes
/// even where an earlier invocation had published it; of that one's way back only the location is known, and whether that
/// was so is the answer.
pub async fn put_back(glue: &Client, publication: &Publication, wrong: bool) -> Result<bool, Failure> {
    let Some(before) = &publication.table_before else { return Ok(false) };
    let doing = format!("putting table `{}` back", publication.name());
    for attempt in 0..ATTEMPTS {
        pause(attempt).await;
        let Some(found) = get_table(glue, publication).await? else { return Ok(false) };
        if !publication.is_at(&found) {
            return Ok(false);
        }
        let input = earlier(before, publication, wrong)?;
        let by_location = input.is_some() && matches!(before, TableBefore::Was(table) if publication.is_at(table));
        let changed = match input {
            Some(input) if input == table_input::input_of(&found)? => return Ok(false),
            Some(input) => update(glue, &publication.database, input, found.version_id()).await,
            // DeleteTable knows no version: a newer run that takes the table over between the look and this call loses
            // it until the next run.
            None => delete(glue, publication).await,
        };
        match changed {
            Ok(()) => {
                tracing::warn!(table = publication.wanted.table, run = publication.run.as_str(), "table put back");
                return Ok(by_location && wrong);
            }
            Err(failure) if is_lost_race(&failure) => {}
            Err(failure) => return Err(failure.context(doing)),
        }
    }
    Err(Failure::unavailable(format!("{doing}: others changed it {ATTEMPTS} times in between")))
}

/// What a table is to be again; `None` when it is to be gone.
fn earlier(before: &TableBefore, publication: &Publication, wrong: bool) -> Result<Option<TableInput>, Failure> {
    let TableBefore::Was(table) = before else { return Ok(None) };
    let mut input = table_input::input_of(table)?;
    if !wrong || !publication.is_at(table) {
        return Ok(Some(input));
    }
    let Some(location) = way_back(table, publication) else { return Ok(None) };
    if let Some(storage) = &mut input.storage_descriptor {
        storage.location = Some(location.to_owned());
    }
    if let Some(parameters) = &mut input.parameters {
        parameters.remove(PREVIOUS_LOCATION);
        match RunId::of_location(location) {
            Some(run) => parameters.insert(table_input::RUN.into(), run.as_str().into()),
            None => parameters.remove(table_input::RUN),
        };
    }
    Ok(Some(input))
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
        // a version a run would reach Glue's limit of versions
        .skip_archive(true);
    update.send().await.map(drop).map_err(|error| boot::aws::failure(&error))
}

async fn delete(glue: &Client, publication: &Publication) -> Result<(), Failure> {
    let delete = glue.delete_table().database_name(&publication.database).name(&publication.wanted.table);
    delete.send().await.map(drop).map_err(|error| boot::aws::failure(&error))
}

/// Somebody else created, changed or deleted the table since it was read.
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
    const NEWER: &str = "s3://curated/database/random_postcodes/20261124T034500123Z-0000/";

    /// A table in Glue like the wanted one, at another location.
    fn table_at(publication: &Publication, location: &str) -> GlueTable {
        let mut definition = publication.definition.clone();
        definition.storage_descriptor.location = location.into();
        example::glue_table(&definition.input(None).unwrap(), "7")
    }

    fn decision(publication: &Publication, found: Option<&GlueTable>) -> Decision {
        decide(found, publication).unwrap()
    }

    #[test]
    fn a_table_is_created_updated_or_left() {
        let publication = example::publication("random_postcodes");
        let decision = |table: Option<GlueTable>| decision(&publication, table.as_ref());
        let ours = publication.wanted.location.clone();
        assert_eq!(decision(None), Decision::Create);
        assert_eq!(decision(Some(table_at(&publication, OLDER))), Decision::Flip);
        assert_eq!(decision(Some(table_at(&publication, NEWER))), Decision::LeaveNewer);
        assert_eq!(decision(Some(table_at(&publication, &ours))), Decision::Leave);
        assert_eq!(decision(Some(table_at(&publication, ours.trim_end_matches('/')))), Decision::Leave);
        assert_eq!(decision(Some(table_at(&publication, "s3://curated/database/random_postcodes/"))), Decision::Flip);

        let mut described_otherwise = table_at(&publication, &ours);
        described_otherwise.description = Some("by hand".into());
        assert_eq!(decision(Some(described_otherwise)), Decision::Update);
    }

    #[test]
    fn a_run_that_is_asked_for_goes_over_a_newer_one_which_then_stays_away() {
        let mut publication = example::publication("random_postcodes");
        let newer = table_at(&publication, NEWER);
        publication.asked_for = true;
        assert_eq!(decision(&publication, Some(&newer)), Decision::Flip);
        let back = input(&publication, Some(&newer)).unwrap();
        assert_eq!(back.parameters().unwrap()[ROLLED_BACK_FROM], RunId::of_location(NEWER).unwrap().as_str());
        let back = example::glue_table(&back, "8");

        // the run that was taken back, tried once more
        let mut again = publication.clone();
        again.asked_for = false;
        again.run = RunId::of_location(NEWER).unwrap();
        again.wanted.location = NEWER.into();
        assert_eq!(decision(&again, Some(&back)), Decision::LeaveWithdrawn);
        // the one that is there now, tried once more, leaves the mark
        publication.asked_for = false;
        assert_eq!(decision(&publication, Some(&back)), Decision::Leave);
        publication.definition.description = "otherwise".into();
        assert_eq!(decision(&publication, Some(&back)), Decision::Update);
        assert!(input(&publication, Some(&back)).unwrap().parameters().unwrap().contains_key(ROLLED_BACK_FROM));

        // the next run is published as ever, and nothing is left of it all
        again.run = RunId::parse("20261125T034500123Z-0000").unwrap();
        again.wanted.location = NEWER.replace("20261124T", "20261125T");
        again.definition.storage_descriptor.location = again.wanted.location.clone();
        assert_eq!(decision(&again, Some(&back)), Decision::Flip);
        assert!(!input(&again, Some(&back)).unwrap().parameters().unwrap().contains_key(ROLLED_BACK_FROM));
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
        table.parameters.as_mut().unwrap().insert(PREVIOUS_LOCATION.into(), OLDER.into());
        assert_eq!(decision(&publication, Some(&table)), Decision::Leave);
    }

    #[test]
    fn what_cannot_be_replaced_is_refused() {
        let publication = example::publication("calculated");
        let refused = |table: &GlueTable| {
            let failure = decide(Some(table), &publication).unwrap_err();
            assert_eq!(failure.kind, FailureKind::Conflict);
            failure.message
        };
        let mut view = table_at(&publication, "");
        view.table_type = Some("VIRTUAL_VIEW".into());
        assert!(refused(&view).contains("`VIRTUAL_VIEW`"));

        let mut other_keys = table_at(&publication, "s3://curated/database/calculated/");
        other_keys.partition_keys = None;
        assert!(refused(&other_keys).contains("[] in Glue and [\"dea_snapshot_date\"] in the metadata"));
    }

    #[test]
    fn the_way_back_leads_to_what_was_there() {
        let publication = example::publication("random_postcodes");
        let (ours, older) = (publication.wanted.location.as_str(), table_at(&publication, OLDER));
        let was = |table: &GlueTable| TableBefore::Was(Box::new(table.clone()));
        let back = |before: &TableBefore, wrong| earlier(before, &publication, wrong).unwrap();
        let location = |input: &TableInput| input.storage_descriptor().unwrap().location().unwrap().to_owned();

        assert_eq!(back(&TableBefore::Absent, false), None);
        assert_eq!(back(&was(&older), true), Some(table_input::input_of(&older).unwrap()));

        // an earlier invocation had pointed the table at this run already
        let mut flipped = table_at(&publication, ours);
        assert_eq!(back(&was(&flipped), false).map(|i| location(&i)), Some(ours.into()), "only the publication failed");
        assert_eq!(back(&was(&flipped), true), None, "this run had created it");
        flipped.parameters.as_mut().unwrap().insert(PREVIOUS_LOCATION.into(), OLDER.into());
        let input = back(&was(&flipped), true).unwrap();
        assert_eq!(location(&input), OLDER);
        assert_eq!(input.parameters().unwrap()["landfall_run"], "20261122T034500123Z-zzzz");
        assert!(!input.parameters().unwrap().contains_key(PREVIOUS_LOCATION));

        assert_eq!(way_back(&older, &publication), Some(OLDER));
        assert_eq!(way_back(&flipped, &publication), Some(OLDER));
    }
}

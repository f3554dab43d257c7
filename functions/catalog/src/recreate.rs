//! Deletion of tables that the metadata no longer describes. To recreate everything, all tables of the pipeline are
//! deleted with their database. The files stay. Foreign tables are left alone, and so is a database that contains any.

use aws_sdk_glue::Client;
use contract::{Failure, FailureKind, MetaData};

use crate::lookup;
use crate::lookup::{is_ours, tables_of};
use crate::partitions;

/// The most tables that BatchDeleteTable accepts in a call.
const BATCH: usize = 100;

/// Deletes tables of the pipeline. Tables that no longer exist are ignored.
pub(crate) async fn drop_tables(glue: &Client, database: &str, tables: &[String]) -> Result<(), Failure> {
    let doing = |tables: &str| format!("dropping {tables} of database `{database}`");
    for batch in tables.chunks(BATCH) {
        let delete = glue.batch_delete_table().database_name(database).set_tables_to_delete(Some(batch.to_vec()));
        let answer =
            delete.send().await.map_err(|error| boot::aws::failure(&error).context(doing(&batch.join(", "))))?;
        for refused in answer.errors() {
            let detail = refused.error_detail();
            let code = detail.and_then(|detail| detail.error_code()).unwrap_or_default();
            if code != "EntityNotFoundException" {
                let message = detail.and_then(|detail| detail.error_message()).unwrap_or("Glue gave no reason");
                let table = refused.table_name().unwrap_or_default();
                return Err(Failure::unavailable(format!("{}: {code}: {message}", doing(&format!("table `{table}`")))));
            }
        }
        tracing::warn!(database, tables = batch.join(", "), "tables dropped");
    }
    Ok(())
}

/// Deletes tables that a run has created. Their partitions are deleted first, as they would outlive the tables for a
/// while.
pub(crate) async fn drop_with_partitions(glue: &Client, database: &str, tables: &[String]) -> Result<(), Failure> {
    let mut ours = Vec::new();
    for table in tables {
        if lookup::find_table(glue, database, table).await?.is_some_and(|found| is_ours(&found)) {
            partitions::remove_all(glue, database, table).await?;
            ours.push(table.clone());
        }
    }
    drop_tables(glue, database, &ours).await
}

/// Deletes the pipeline's tables, and the database if it has no other tables. Queries fail until everything is created
/// again.
pub(crate) async fn delete_all(glue: &Client, metadata: &MetaData) -> Result<(), Failure> {
    let database = &metadata.database.name;
    let Some(tables) = tables_of(glue, database).await? else { return Ok(()) };
    let (ours, foreign): (Vec<_>, Vec<_>) = tables.iter().partition(|table| is_ours(table));
    let ours: Vec<String> = ours.into_iter().map(|table| table.name().to_owned()).collect();
    drop_tables(glue, database, &ours).await?;
    if !foreign.is_empty() {
        return Ok(());
    }
    match glue.delete_database().name(database).send().await {
        Ok(_) => {
            tracing::warn!(database, "database deleted");
            Ok(())
        }
        Err(error) => match boot::aws::failure(&error) {
            failure if failure.kind == FailureKind::NotFound => Ok(()),
            failure => Err(failure.context(format!("deleting database `{database}`"))),
        },
    }
}

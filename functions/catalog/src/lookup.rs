//! Lookup: reads the tables of a database from Glue and recognises the pipeline's own.

use aws_sdk_glue::Client;
use aws_sdk_glue::types::Table as GlueTable;
use contract::{Failure, FailureKind};

use crate::definition::RUN;
use crate::publication::Publication;

/// Whether catalog made a table: it has the run parameter.
pub(crate) fn is_ours(table: &GlueTable) -> bool {
    table.parameters().is_some_and(|parameters| parameters.contains_key(RUN))
}

/// Returns every table of the database; `None` if the database does not exist.
pub(crate) async fn tables_of(glue: &Client, database: &str) -> Result<Option<Vec<GlueTable>>, Failure> {
    let mut pages = glue.get_tables().database_name(database).into_paginator().send();
    let mut tables = Vec::new();
    while let Some(page) = pages.next().await {
        match page {
            Ok(page) => tables.extend(page.table_list.unwrap_or_default()),
            Err(error) => match boot::aws::failure(&error) {
                failure if failure.kind == FailureKind::NotFound => return Ok(None),
                failure => return Err(failure.context(format!("reading the tables of database `{database}`"))),
            },
        }
    }
    Ok(Some(tables))
}

/// Returns a publication's table; `None` if it does not exist.
pub(crate) async fn get_table(glue: &Client, publication: &Publication) -> Result<Option<GlueTable>, Failure> {
    find_table(glue, &publication.database, &publication.wanted.table).await
}

/// Returns a table by its name; `None` if it does not exist.
pub(crate) async fn find_table(glue: &Client, database: &str, table: &str) -> Result<Option<GlueTable>, Failure> {
    match glue.get_table().database_name(database).name(table).send().await {
        Ok(found) => Ok(found.table),
        Err(error) => match boot::aws::failure(&error) {
            failure if failure.kind == FailureKind::NotFound => Ok(None),
            failure => Err(failure.context(format!("reading table `{database}.{table}`"))),
        },
    }
}

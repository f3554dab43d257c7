//! Which run of a table analysts see: what a run that only adds to the table starts from.

use aws_sdk_glue::Client;
use contract::{Failure, FailureKind, Manifest, MetaData, RunId};

use crate::area::Area;

/// Where it is known what is published.
#[derive(Clone, Debug)]
pub enum Published {
    /// In the catalog.
    Glue(Client),
    /// On this machine nothing is: the last run stands for it.
    LastRun,
}

impl Published {
    /// The manifest of the run that a table is at; `None` where it is at none that could be added to.
    pub async fn manifest(
        &self,
        metadata: &MetaData,
        curated: &Area,
        table: &str,
    ) -> Result<Option<Manifest>, Failure> {
        let folder = metadata.database.manifests();
        match self {
            Self::Glue(glue) => match location(glue, &metadata.database.name, table).await? {
                Some(location) => match RunId::of_location(&location) {
                    Some(run) => read(curated, &format!("{folder}{run}.json")).await,
                    None => Ok(None),
                },
                None => Ok(None),
            },
            Self::LastRun => {
                let mut keys: Vec<_> = curated.list(&folder).await?.into_iter().map(|object| object.key).collect();
                keys.sort();
                for key in keys.iter().rev() {
                    let manifest = read(curated, key).await?;
                    if manifest.as_ref().is_some_and(|found| found.tables.iter().any(|output| output.table == table)) {
                        return Ok(manifest);
                    }
                }
                Ok(None)
            }
        }
    }
}

async fn location(glue: &Client, database: &str, table: &str) -> Result<Option<String>, Failure> {
    match glue.get_table().database_name(database).name(table).send().await {
        Ok(found) => {
            let storage = found.table().and_then(|table| table.storage_descriptor());
            Ok(storage.and_then(|storage| storage.location()).map(str::to_owned))
        }
        Err(error) => match boot::aws::failure(&error) {
            failure if failure.kind == FailureKind::NotFound => Ok(None),
            failure => Err(failure.context(format!("asking where `{database}.{table}` is"))),
        },
    }
}

async fn read(curated: &Area, key: &str) -> Result<Option<Manifest>, Failure> {
    let Some(text) = curated.read_whole(key).await? else { return Ok(None) };
    let manifest = serde_json::from_slice(&text);
    manifest.map(Some).map_err(|error| Failure::bad_data(format!("{} cannot be read: {error}", curated.url(key))))
}

//! What Glue is told about the tables of a metadata folder, for the person who wants to see it before it is published:
//! what `landfall define` does. Locations are in the bucket and base folder of database.json. A deployed stack has
//! buckets of its own, and each run has a folder of its own, which here is called `<run>`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use contract::{Database, Failure, MetaData, Table};
use serde::Serialize;

use crate::definition::TableDefinition;

/// Stands for what only a run knows.
const OF_RUN: &str = "<run>";
const OF_VERSION: &str = "<version>";

/// What is asked.
#[derive(Debug, PartialEq, Eq)]
pub struct Request {
    /// The table; all of them where none is named.
    pub table: Option<String>,
    /// Whether it is one of the raw database.
    pub raw: bool,
    /// The metadata.
    pub meta_data: PathBuf,
}

/// The input of Glue's CreateTable.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct CreateTable {
    database_name: String,
    table_input: TableDefinition,
}

/// What Glue is told, as JSON, and the warnings of the metadata.
///
/// # Errors
/// Where the metadata is wrong, or has no such table.
pub fn define(request: &Request) -> Result<(String, Vec<String>), String> {
    let metadata = MetaData::read(&request.meta_data).map_err(|problems| problems.to_string())?;
    let no_raw_database =
        || format!("there is no raw/database.json in {}: raw tables are not in Glue", request.meta_data.display());
    let (database, tables) = if request.raw {
        (metadata.raw_database.as_ref().ok_or_else(no_raw_database)?, &metadata.raw)
    } else {
        (&metadata.database, &metadata.curated)
    };
    let text = match &request.table {
        Some(name) if request.raw => json(&create(database, metadata.raw_table(name)?, true)?),
        Some(name) => json(&create(database, metadata.curated_table(name)?, false)?),
        None => json(&all(database, tables, request.raw)?),
    };
    Ok((text.map_err(|error| error.to_string())?, metadata.warnings.lines()))
}

fn all(database: &Database, tables: &BTreeMap<String, Table>, raw: bool) -> Result<Vec<CreateTable>, String> {
    tables.values().map(|table| create(database, table, raw)).collect()
}

fn create(database: &Database, table: &Table, raw: bool) -> Result<CreateTable, String> {
    let bucket = &database.bucket;
    let definition: Result<_, Failure> = if raw {
        TableDefinition::raw(table, bucket, &database.base_folder)
    } else {
        let location = format!("s3://{bucket}/{}{}/{OF_RUN}/", database.base(), table.location);
        TableDefinition::curated(table, &location, OF_RUN, OF_VERSION)
    };
    let table_input = definition.map_err(|failure| failure.message)?;
    Ok(CreateTable { database_name: database.name.clone(), table_input })
}

fn json(value: &impl Serialize) -> serde_json::Result<String> {
    serde_json::to_string_pretty(value).map(|text| text + "\n")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn what_is_not_described_is_named() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../meta_data");
        let ask =
            |table: &str, raw: bool| define(&Request { table: Some(table.into()), raw, meta_data: folder.clone() });
        assert!(ask("calculatd", false).unwrap_err().contains("did you mean `calculated`?"));
        assert!(ask("calculated", true).unwrap_err().contains("no raw table `calculated`"));
        let nowhere = Request { table: None, raw: false, meta_data: "nowhere".into() };
        assert!(define(&nowhere).unwrap_err().contains("nowhere"));
    }
}

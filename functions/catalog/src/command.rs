//! The implementation of `landfall define`: the Glue definitions of the tables of a metadata folder, to be read before
//! they are published. Locations are in the bucket and base folder of database.json. A deployed stack has its own
//! buckets, and each run has its own folder, which is `<run>` here.

use std::collections::BTreeMap;
use std::path::PathBuf;

use contract::{Database, Failure, MetaData, Table};
use serde::Serialize;

use crate::definition::TableDefinition;

/// Placeholder for a value that only a run has.
const OF_RUN: &str = "<run>";
const OF_VERSION: &str = "<version>";

/// The tables to define.
#[derive(Debug, PartialEq, Eq)]
pub struct Request {
    /// The table; `None` for all of them.
    pub table: Option<String>,
    /// Whether raw tables are defined, as in the raw database, or curated ones.
    pub raw: bool,
    /// The metadata folder.
    pub meta_data: PathBuf,
}

/// The input of Glue's CreateTable.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct CreateTable {
    database_name: String,
    table_input: TableDefinition,
}

/// Returns the input of Glue's CreateTable as JSON, and the warnings of the metadata.
///
/// # Errors
/// If the metadata is invalid or has no such table.
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

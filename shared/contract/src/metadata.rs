//! The reader of a metadata folder:
//!
//! ```text
//! raw/<table>.json                                     files that land
//! raw/database.json                                    Glue database over raw-hist (optional)
//! processed/<table>.json, <table>.sql                  clean files made from raw ones by SQL (optional)
//! curated/database.json, <table>.json, <table>.sql     tables that analysts query
//! ```
//!
//! The reader accepts two formats, etl_manager's and mojap-metadata's, and tells them apart by their keys. It is
//! strict, and reports every problem of every file at once, each with its file and JSON path. Unknown keys belong to
//! other programs. One that looks like a typo is a warning.

mod column;
mod database;
mod folder;
pub(crate) mod keys;
mod table_file;
#[cfg(test)]
mod tests;

pub use database::Database;

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::metadata::folder::{Reader, files, names, unknown_files, unknown_folders};
use crate::metadata::table_file::{Area, TableReader};
use crate::problem::{Problems, suggestion};
use crate::table::{ReadFrom, Table};
use crate::words::hexadecimal;

/// The content of a metadata folder.
#[derive(Clone, Debug, PartialEq)]
pub struct MetaData {
    /// The curated database.
    pub database: Database,
    /// The database over the raw tables in raw-hist, if there is one.
    pub raw_database: Option<Database>,
    /// The raw tables by name.
    pub raw: BTreeMap<String, Table>,
    /// The processed tables by name. Each has the name of its raw table.
    pub processed: BTreeMap<String, Table>,
    /// The curated tables by name.
    pub curated: BTreeMap<String, Table>,
    /// SHA-256 of all files, in hexadecimal. It identifies the description that a run used.
    pub sha256: String,
    /// Parts that are read as they are but may not mean what was intended.
    pub warnings: Problems,
}

impl MetaData {
    /// Reads the whole folder.
    ///
    /// # Errors
    /// Returns every problem of every file, each with its file and JSON path.
    pub fn read(folder: &Path) -> Result<Self, Problems> {
        let mut problems = Problems::default();
        let mut digest = Sha256::new();
        let raw_files = files(&folder.join("raw"), &mut problems);
        let processed = folder.join("processed");
        let processed_files = if processed.exists() { files(&processed, &mut problems) } else { Vec::new() };
        let curated_files = files(&folder.join("curated"), &mut problems);
        unknown_folders(folder, &mut problems);
        for (files, with_sql) in [(&raw_files, false), (&processed_files, true), (&curated_files, true)] {
            unknown_files(files, with_sql, &mut problems);
        }
        let raw_names = names(&raw_files);
        let mut warnings = Problems::default();
        let mut reader = Reader { problems: &mut problems, warnings: &mut warnings, digest: &mut digest };

        let mut raw = reader.tables(&raw_files, Area::Raw);
        let processed = reader.tables_with_sql(&processed_files);
        let curated = reader.tables_with_sql(&curated_files);
        let database = reader.database(&folder.join("curated/database.json"));
        let raw_database = folder.join("raw/database.json");
        let raw_database =
            if raw_database.exists() { reader.raw_database(&raw_database, database.as_ref(), &raw) } else { None };
        for table in processed.values() {
            reader.check_processed(table, &mut raw, &raw_names);
        }
        let processed_names = names(&processed_files);
        for table in raw.values() {
            reader.check_raw(table, &processed_names);
        }
        for table in curated.values() {
            reader.check_curated(table, &raw, &raw_names);
        }
        reader.check_locations(&curated);
        match database {
            Some(database) if problems.is_empty() => {
                let sha256 = hexadecimal(&digest.finalize());
                Ok(Self { database, raw_database, raw, processed, curated, sha256, warnings })
            }
            _ => Err(problems),
        }
    }

    /// Parses the description of a raw table, without the checks that involve other files.
    ///
    /// # Errors
    /// Returns every problem of the description.
    ///
    /// ```
    /// use contract::MetaData;
    ///
    /// let text = r#"{"name": "orders", "location": "orders", "data_format": "json",
    ///     "columns": [{"name": "id", "type": "long"}]}"#;
    /// let table = MetaData::parse_raw_table("raw/orders.json".as_ref(), text)?;
    /// assert_eq!(table.columns[0].column_type.glue(), "bigint");
    /// # Ok::<(), contract::Problems>(())
    /// ```
    pub fn parse_raw_table(file: &Path, text: &str) -> Result<Table, Problems> {
        let mut problems = Problems::default();
        let table = match serde_json::from_str(text) {
            Ok(Value::Object(object)) => {
                let (area, mut warnings) = (Area::Raw, Problems::default());
                TableReader { file, area, problems: &mut problems, warnings: &mut warnings }.table(&object)
            }
            Ok(_) => {
                problems.add(file, "", "expected a JSON object");
                None
            }
            Err(error) => {
                problems.add(file, "", format!("is not JSON: {error}"));
                None
            }
        };
        table.ok_or(problems)
    }

    /// Returns a raw table.
    ///
    /// # Errors
    /// Returns a message that suggests the nearest name.
    pub fn raw_table(&self, name: &str) -> Result<&Table, String> {
        find(&self.raw, name, "raw table")
    }

    /// Returns a raw table in the form in which curate reads it: if it is processed, the processed table.
    ///
    /// # Errors
    /// Returns a message that suggests the nearest name.
    pub fn source_table(&self, name: &str) -> Result<&Table, String> {
        let raw = self.raw_table(name)?;
        Ok(match raw.read_from {
            ReadFrom::RawHist | ReadFrom::Raw => raw,
            ReadFrom::Processed => self.processed.get(name).unwrap_or(raw),
        })
    }

    /// Returns a curated table.
    ///
    /// # Errors
    /// Returns a message that suggests the nearest name.
    pub fn curated_table(&self, name: &str) -> Result<&Table, String> {
        find(&self.curated, name, "curated table")
    }
}

fn find<'a>(tables: &'a BTreeMap<String, Table>, name: &str, what: &str) -> Result<&'a Table, String> {
    tables.get(name).ok_or_else(|| {
        let names: Vec<&str> = tables.keys().map(String::as_str).collect();
        format!("no {what} `{name}` in the metadata{}", suggestion(name, &names))
    })
}

//! The record of an extract, which later stages rely on: the one attempt whose rows a table has for a scheduled time,
//! and the files with these rows.
//!
//! The record is written once, under its own key, before any of its files is in land. The first attempt to write it has
//! decided, and every other attempt for the same time follows it. So an extract is complete or absent, however many
//! files it has and wherever a process dies.

use serde::{Deserialize, Serialize};

use crate::key::{FILE_LAND_TIMESTAMP, partition_prefix, table_prefix};

/// The prefix in the land bucket of files that were fetched and have not landed yet. No base folder and no notification
/// covers it.
pub const STAGED: &str = "_extracts/";

/// The record; see the [module](self).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extract {
    /// The raw table's name.
    pub table: String,
    /// The scheduled time in Unix seconds.
    pub file_land_timestamp: u64,
    /// The attempt that fetched the rows.
    pub attempt: String,
    /// The files, in the order of their rows. The first one lands last. Once it is in land, the others are or were
    /// there too.
    pub files: Vec<ExtractFile>,
    /// Whether all files have been in land. Nothing is staged any more then.
    pub landed: bool,
}

/// A file of an extract.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExtractFile {
    /// The key in land.
    pub key: String,
    /// The key in the land bucket before the file lands.
    pub staged: String,
    /// The number of rows.
    pub rows: u64,
    /// The compressed size.
    pub bytes: u64,
}

impl Extract {
    /// Returns the record's key in the reports bucket.
    pub fn record_key(base_folder: &str, table: &str, file_land_timestamp: u64) -> String {
        format!("extracts/{}{FILE_LAND_TIMESTAMP}={file_land_timestamp}.json", table_prefix(base_folder, table))
    }

    /// Returns the prefix in the land bucket of the files that one attempt has fetched.
    pub fn staged_prefix(base_folder: &str, table: &str, file_land_timestamp: u64, attempt: &str) -> String {
        format!("{STAGED}{}{attempt}/", partition_prefix(base_folder, table, file_land_timestamp))
    }

    /// The compressed size of all files.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }

    /// The number of rows in all files.
    pub fn rows(&self) -> u64 {
        self.files.iter().map(|file| file.rows).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_staged_lies_outside_the_tables() {
        assert_eq!(Extract::record_key("a/b", "t", 7), "extracts/a/b/t/file_land_timestamp=7.json");
        assert_eq!(Extract::staged_prefix("/a/b/", "t", 7, "x"), "_extracts/a/b/t/file_land_timestamp=7/x/");
        assert_eq!(Extract::staged_prefix("", "t", 7, "x"), "_extracts/t/file_land_timestamp=7/x/");
    }
}

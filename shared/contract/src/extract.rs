//! What an extract is, for those who come after it: the one attempt whose rows a table has for a scheduled time, and
//! the files that these rows are in.
//!
//! The record is written once, under a key of its own, before any of its files is in land: whoever writes it first has
//! decided. Every other attempt for the same time, at once or later, goes by it. So an extract is whole or not there,
//! however many files it has and wherever a process dies.

use serde::{Deserialize, Serialize};

use crate::key::{FILE_LAND_TIMESTAMP, partition_prefix, table_prefix};

/// What extract has fetched and not yet landed lies in the land bucket under this prefix, which no base folder and no
/// notification covers.
pub const STAGED: &str = "_extracts/";

/// See the [module](self).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extract {
    /// The raw table.
    pub table: String,
    /// The scheduled time in Unix seconds.
    pub file_land_timestamp: u64,
    /// The attempt that fetched the rows.
    pub attempt: String,
    /// Its files in the order of their rows. The first one lands last: where it is, the others are or have been.
    pub files: Vec<ExtractFile>,
    /// Whether all files have been in land: nothing is staged any more.
    pub landed: bool,
}

/// A file of an extract.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExtractFile {
    /// Its key in land.
    pub key: String,
    /// Its key in the land bucket until it lands.
    pub staged: String,
    /// Rows in it.
    pub rows: u64,
    /// Compressed bytes.
    pub bytes: u64,
}

impl Extract {
    /// The record's key in the reports bucket.
    pub fn record_key(base_folder: &str, table: &str, file_land_timestamp: u64) -> String {
        format!("extracts/{}{FILE_LAND_TIMESTAMP}={file_land_timestamp}.json", table_prefix(base_folder, table))
    }

    /// The prefix of what one attempt has fetched, in the land bucket.
    pub fn staged_prefix(base_folder: &str, table: &str, file_land_timestamp: u64, attempt: &str) -> String {
        format!("{STAGED}{}{attempt}/", partition_prefix(base_folder, table, file_land_timestamp))
    }

    /// Compressed bytes in all files.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }

    /// Rows in all files.
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

//! Glue databases in the metadata.

use crate::manifest::RunId;

/// The content of `curated/database.json` or `raw/database.json`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Database {
    /// The name in Glue.
    pub name: String,
    /// The bucket that etl_manager's metadata names. The bucket of a deployed stack takes precedence.
    pub bucket: String,
    /// The prefix of the tables, without slashes at either end. For raw tables, the stack's setting takes precedence.
    pub base_folder: String,
    /// For people.
    pub description: String,
}

impl Database {
    /// Returns the prefix of everything in the curated bucket. It ends with `/` or is empty.
    pub fn base(&self) -> String {
        match self.base_folder.as_str() {
            "" => String::new(),
            folder => format!("{folder}/"),
        }
    }

    /// Returns the prefix of the runs' manifests. Each is called `<run>.json`.
    pub fn manifests(&self) -> String {
        format!("{}_manifests/", self.base())
    }

    /// Returns the key of a run's manifest.
    pub fn manifest(&self, run: &RunId) -> String {
        format!("{}{run}.json", self.manifests())
    }

    /// Returns the prefix of the decision and of the journal.
    pub fn publications(&self) -> String {
        format!("{}_publications/", self.base())
    }
}

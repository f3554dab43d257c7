//! A database of Glue.

use crate::manifest::RunId;

/// `curated/database.json` or `raw/database.json`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Database {
    /// The Glue database.
    pub name: String,
    /// The bucket by etl_manager's word; a deployed stack's own bucket comes before it.
    pub bucket: String,
    /// The folder of the tables, without slashes at the ends. Where raw tables lie is the stack's to say, and comes
    /// before it.
    pub base_folder: String,
    /// For people.
    pub description: String,
}

impl Database {
    /// The prefix of everything in the curated bucket, ending with `/`, or nothing.
    pub fn base(&self) -> String {
        match self.base_folder.as_str() {
            "" => String::new(),
            folder => format!("{folder}/"),
        }
    }

    /// The prefix of the runs' manifests, each `<run>.json`.
    pub fn manifests(&self) -> String {
        format!("{}_manifests/", self.base())
    }

    /// The key of a run's manifest.
    pub fn manifest(&self, run: &RunId) -> String {
        format!("{}{run}.json", self.manifests())
    }

    /// The prefix of what catalog has published, an entry each time.
    pub fn publications(&self) -> String {
        format!("{}_publications/", self.base())
    }
}

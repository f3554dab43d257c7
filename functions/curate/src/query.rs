//! The query of a curated table, parsed from its SQL.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use contract::Table;
use datafusion::sql::parser::Statement;

/// A curated table's query with the tables that it reads.
#[derive(Clone, Debug)]
pub struct Query {
    /// The curated table.
    pub table: Table,
    /// The file of its SQL, or of its metadata if it has no SQL.
    pub file: PathBuf,
    /// Its SQL, parsed with the values of all variables.
    pub statement: Statement,
    /// How the SQL names columns.
    pub said: Said,
    /// The tables that it reads, by their name in the SQL.
    pub reads: BTreeMap<String, ReadTable>,
}

/// The table that a name in the SQL of a curated table stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadTable {
    /// The raw table, with everything that landed.
    Raw,
    /// The curated table as this run builds it.
    Curated,
}

/// How a query names columns, as far as planning loses it.
#[derive(Clone, Debug, Default)]
pub struct Said {
    /// Columns that are named together with their table: `t.id`.
    pub qualified: BTreeSet<(String, String)>,
    /// Tables whose columns are all selected: `t.*`.
    pub whole: BTreeSet<String>,
    /// Whether all columns are selected somewhere: `*`.
    pub all: bool,
}

impl Said {
    /// Whether the query names this table's own column somewhere, rather than the merged one of a join with USING.
    pub fn names(&self, table: &str, column: &str) -> bool {
        self.whole.contains(table) || self.qualified.contains(&(table.to_owned(), column.to_owned()))
    }
}

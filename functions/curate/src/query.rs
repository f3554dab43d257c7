//! The query of a curated table, as its SQL says it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use contract::Table;
use datafusion::sql::parser::Statement;

/// A curated table's query, parsed, with the tables that it reads.
#[derive(Clone, Debug)]
pub struct Query {
    /// The curated table.
    pub table: Table,
    /// Where its SQL is, or its description where it has none.
    pub file: PathBuf,
    /// Its SQL with all variables put in, parsed.
    pub statement: Statement,
    /// What the SQL says of its columns.
    pub said: Said,
    /// What it reads, by the name in the SQL.
    pub reads: BTreeMap<String, Source>,
}

/// What a name in the SQL of a curated table stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Everything that landed of the raw table.
    Raw,
    /// The curated table as this run builds it.
    Curated,
}

/// What a query says of its columns, as far as it is lost when it is planned.
#[derive(Clone, Debug, Default)]
pub struct Said {
    /// Columns that are named together with their table: `t.id`.
    pub qualified: BTreeSet<(String, String)>,
    /// Tables whose columns are all asked for: `t.*`.
    pub whole: BTreeSet<String>,
    /// All columns are asked for somewhere: `*`.
    pub all: bool,
}

impl Said {
    /// Whether the column of this table is meant somewhere, and not the one that a join with USING made.
    pub fn names(&self, table: &str, column: &str) -> bool {
        self.whole.contains(table) || self.qualified.contains(&(table.to_owned(), column.to_owned()))
    }
}

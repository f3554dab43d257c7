//! What may not be told of a table's rows: values of columns that are marked sensitive, and of what is made of them.

use std::collections::BTreeMap;

/// Why a value is not told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Secret {
    /// Its column is marked.
    Marked,
    /// It is made of a column that is.
    MadeOf,
}

impl Secret {
    /// In place of the value.
    pub fn told(self) -> &'static str {
        match self {
            Self::Marked => "a value (hidden: the column is sensitive)",
            Self::MadeOf => "a value (hidden: it is made of a sensitive column)",
        }
    }
}

/// See the [module](self).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Secrets {
    /// By column.
    pub(crate) columns: BTreeMap<String, Secret>,
    /// Columns whose raw values would tell that of a curated column that is marked.
    pub(crate) marked: Vec<String>,
    /// What the engine says of a failure may have values of a sensitive column in it.
    pub(crate) in_words: bool,
}

impl Secrets {
    /// Why a column's values are not told, if they are not.
    pub fn column(&self, name: &str) -> Option<Secret> {
        self.columns.get(name).copied()
    }

    /// Whether not even the raw values are told that a column's value is made of.
    pub fn hides_what_makes(&self, column: &str) -> bool {
        self.marked.iter().any(|name| name == column)
    }

    /// Whether the words of the engine may have a value in them that is not told.
    pub fn in_words(&self) -> bool {
        self.in_words
    }

    /// Whether any of the columns is not told.
    pub fn any_of<'a>(&self, mut columns: impl Iterator<Item = &'a String>) -> bool {
        columns.any(|name| self.columns.contains_key(name))
    }
}

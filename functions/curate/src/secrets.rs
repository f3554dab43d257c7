//! The values of a table's rows that must stay hidden: those of columns that are marked sensitive, and those made from
//! such columns.

use std::collections::BTreeMap;

/// Why a value is hidden.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Secret {
    /// Its column is marked sensitive.
    Marked,
    /// It is made from a column that is marked sensitive.
    MadeOf,
}

impl Secret {
    /// Returns the text that a message shows instead of the value.
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
    /// The hidden columns, by name.
    pub(crate) columns: BTreeMap<String, Secret>,
    /// Columns whose raw values are hidden too, because they would reveal the value of a marked curated column.
    pub(crate) marked: Vec<String>,
    /// Whether the engine's error messages may contain values of a sensitive column.
    pub(crate) in_words: bool,
}

impl Secrets {
    /// Returns why a column's values are hidden, or `None` if they may be shown.
    pub fn column(&self, name: &str) -> Option<Secret> {
        self.columns.get(name).copied()
    }

    /// Whether even the raw values that a column is made from are hidden.
    pub fn hides_what_makes(&self, column: &str) -> bool {
        self.marked.iter().any(|name| name == column)
    }

    /// Whether the engine's error messages may contain a hidden value.
    pub fn in_words(&self) -> bool {
        self.in_words
    }

    /// Whether any of the columns is hidden.
    pub fn any_of<'a>(&self, mut columns: impl Iterator<Item = &'a String>) -> bool {
        columns.any(|name| self.columns.contains_key(name))
    }
}

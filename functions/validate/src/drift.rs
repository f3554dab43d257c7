//! Drift: the differences between a file's columns and the metadata's, whether allowed or not. A person reads it when a
//! source has changed.

use contract::{Column, FieldNames, Table, key, quoted};
use rows::{Batch, MisfitKind, Summary};
use serde::Serialize;

use crate::figures::percent;

/// The most names of each kind that a summary lists.
const SUMMARISED: usize = 3;

/// See the [module](self).
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Drift {
    /// Columns of the file that the metadata does not describe.
    pub new: Vec<NewColumn>,
    /// Described columns that no row has.
    pub gone: Vec<Unfilled>,
    /// Described columns that some rows have, but always as null.
    pub always_null: Vec<Unfilled>,
}

/// A column that the metadata does not describe.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct NewColumn {
    column: String,
    count: u64,
    percent: f64,
    /// Its description, to be pasted into the table's columns.
    #[serde(skip_serializing_if = "Option::is_none")]
    snippet: Option<Snippet>,
}

/// A column as metadata describes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Snippet {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_name: Option<String>,
    #[serde(skip_serializing_if = "FieldNames::is_empty")]
    source_names: FieldNames,
    #[serde(rename = "type")]
    type_name: String,
    description: String,
    nullable: bool,
}

/// A described column without values.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Unfilled {
    pub column: String,
    count: u64,
}

/// The columns that have had no value so far.
#[derive(Debug)]
pub(crate) struct Empty {
    places: Vec<usize>,
}

impl Empty {
    /// Starts with all columns, before the first row.
    pub(crate) fn new(table: &Table) -> Self {
        Self { places: (0..table.data_columns().len()).collect() }
    }

    /// Takes the rows of a batch into account. A value of the wrong type counts as a value, although it reads as null.
    pub(crate) fn add(&mut self, batch: &Batch) {
        self.places.retain(|place| {
            let array = batch.batch.column(*place);
            array.null_count() == array.len() && batch.gaps(*place).iter().all(|gap| gap.missing)
        });
    }
}

impl Drift {
    /// Derives the drift of a file, or of the part of it that could be read.
    pub(crate) fn new(table: &Table, read: &Summary, empty: &Empty) -> Self {
        if read.rows == 0 {
            return Self::default();
        }
        let mut drift = Self::default();
        for tally in read.tallies.iter().filter(|tally| tally.kind == MisfitKind::UnexpectedColumn) {
            let column = tally.column.as_deref().unwrap_or("(more)").to_owned();
            // a field inside another column, or a column whose name was cut, cannot be pasted
            let is_whole = !column.ends_with('…') && tally.column.is_some() && !is_inside(table, &column);
            let snippet = tally.inferred.as_ref().filter(|_| is_whole).and_then(|inferred| {
                let taken = |name: &str| {
                    let new = drift.new.iter().filter_map(|new: &NewColumn| new.snippet.as_ref());
                    name == key::FILE_LAND_TIMESTAMP
                        || table.column(name).is_some()
                        || new.into_iter().any(|snippet| snippet.name == name)
                };
                let name = key::described_name(&column, taken);
                // the reader then finds the name in any letter case
                let same = name == column || table.checks.ignore_header_case && name == column.to_lowercase();
                let nullable = inferred.saw_null() || tally.count < read.rows;
                let source_name = (!same).then(|| column.clone());
                let type_name = inferred.column_type()?.name(table.dialect);
                let source_names = inferred.field_names();
                Some(Snippet { name, source_name, source_names, type_name, description: String::new(), nullable })
            });
            drift.new.push(NewColumn { column, count: tally.count, percent: percent(tally.count, read.rows), snippet });
        }
        let missing = |column: &Column| {
            let of_column = |name: &Option<_>| name.as_deref() == Some(column.name.as_str());
            let kind = MisfitKind::MissingColumn;
            read.tallies.iter().find(|tally| tally.kind == kind && of_column(&tally.column)).map(|tally| tally.count)
        };
        for place in &empty.places {
            let column = &table.data_columns()[*place];
            let unfilled = Unfilled { column: column.name.clone(), count: read.rows };
            if missing(column) == Some(read.rows) {
                drift.gone.push(unfilled);
            } else {
                drift.always_null.push(unfilled);
            }
        }
        drift
    }

    /// Returns the snippets as JSON.
    pub(crate) fn snippets(&self) -> impl Iterator<Item = String> {
        self.new.iter().filter_map(|new| serde_json::to_string(new.snippet.as_ref()?).ok())
    }

    /// Describes the drift briefly; `None` if there is none.
    pub(crate) fn describe(&self) -> Option<String> {
        let unfilled = |columns: &[Unfilled]| columns.iter().map(|c| c.column.clone()).collect::<Vec<_>>();
        let said = [
            ("new", self.new.iter().map(|new| new.column.clone()).collect()),
            ("gone", unfilled(&self.gone)),
            ("always null", unfilled(&self.always_null)),
        ];
        let said: Vec<String> =
            said.iter().filter_map(|(what, names)| Some(format!("{what}: {}", list(names)?))).collect();
        (!said.is_empty()).then(|| said.join("; "))
    }
}

/// Whether a name is that of a field inside a described column.
fn is_inside(table: &Table, name: &str) -> bool {
    let within =
        |column: &Column| name.strip_prefix(column.name.as_str()).is_some_and(|rest| rest.starts_with(['.', '[']));
    table.data_columns().iter().any(within)
}

fn list(names: &[String]) -> Option<String> {
    let more = names.len().saturating_sub(SUMMARISED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    (!names.is_empty()).then(|| format!("{}{more}", quoted(names.iter().take(SUMMARISED))))
}

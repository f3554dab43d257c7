//! What may not be told of a table's rows: values of columns that are marked sensitive, and of what is made of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use contract::Table;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::dataframe::DataFrame;
use datafusion::logical_expr::LogicalPlan;

use crate::lineage::{self, Made};
use crate::source::RawTable;
use crate::tables::{self, from_files, nothing_written};
use crate::transform::Plan;

/// The queries are only looked at.
const MEMORY_BYTES: usize = 1 << 20;

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
    columns: BTreeMap<String, Secret>,
    /// Columns whose raw values would tell that of a curated column that is marked.
    marked: Vec<String>,
    /// What the engine says of a failure may have values of a sensitive column in it.
    in_words: bool,
}

impl Secrets {
    /// Those of a table's query.
    pub fn of(plan: &Plan, raw: &BTreeMap<String, Arc<RawTable>>, table: &Table, frame: &DataFrame) -> Self {
        let tables = Tables { plan, raw };
        if !tables.any_secret() {
            return Self::default();
        }
        let mut secrets = Self { in_words: tables.in_words(table, frame), ..Self::default() };
        let made = lineage::columns(frame.logical_plan(), &|name| tables.curated(name));
        for (field, made) in frame.schema().fields().iter().zip(&made) {
            if made.unknown && secrets.in_words || made.marked || made.of.iter().any(|origin| tables.is_secret(origin))
            {
                secrets.columns.insert(field.name().clone(), Secret::MadeOf);
            }
            if made.marked {
                secrets.marked.push(field.name().clone());
            }
        }
        for column in table.columns.iter().filter(|column| column.sensitive) {
            secrets.columns.insert(column.name.clone(), Secret::Marked);
            secrets.marked.push(column.name.clone());
        }
        secrets
    }

    /// Those of a table of which no more is known than the tables that there are.
    pub fn of_all(plan: &Plan, raw: &BTreeMap<String, Arc<RawTable>>, table: &Table) -> Self {
        if !(Tables { plan, raw }).any_secret() {
            return Self::default();
        }
        let names = || table.columns.iter().map(|column| column.name.clone());
        Self {
            columns: names().map(|name| (name, Secret::MadeOf)).collect(),
            marked: names().collect(),
            in_words: true,
        }
    }

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

impl Secrets {
    /// Those of a table of a plan.
    pub async fn of_table(plan: &Plan, raw: &BTreeMap<String, Arc<RawTable>>, table: &Table) -> Self {
        if !(Tables { plan, raw }).any_secret() {
            return Self::default();
        }
        let planned = tables::frames(plan, from_files(raw), nothing_written, MEMORY_BYTES).await;
        match planned.and_then(|planned| planned.take(&table.name)).ok().flatten() {
            Some(frame) => Self::of(plan, raw, table, &frame),
            None => Self::of_all(plan, raw, table),
        }
    }
}

/// A table that was made of another by a query, marked as what its columns are made of.
pub async fn marked(plan: &Plan, made_of: &Arc<RawTable>, table: &Table) -> Table {
    let raw = BTreeMap::from([(made_of.table().name.clone(), Arc::clone(made_of))]);
    let secrets = Secrets::of_table(plan, &raw, table).await;
    let mut table = table.clone();
    for column in &mut table.columns {
        column.sensitive |= secrets.column(&column.name).is_some();
    }
    table
}

/// The tables that a query may read.
struct Tables<'a> {
    plan: &'a Plan,
    raw: &'a BTreeMap<String, Arc<RawTable>>,
}

impl<'a> Tables<'a> {
    fn curated(&self, name: &str) -> Option<&'a Table> {
        self.plan.order.iter().map(|query| &query.table).find(|table| table.name == name)
    }

    fn any_secret(&self) -> bool {
        let raw = self.raw.values().map(|raw| raw.table());
        let curated = self.plan.order.iter().map(|query| &query.table);
        raw.chain(curated).any(has_secrets)
    }

    fn is_secret(&self, (table, column): &(String, String)) -> bool {
        match self.raw.get(table) {
            Some(raw) => raw.table().column(column).is_some_and(|column| column.sensitive),
            // no raw table: nothing is known of it
            None => true,
        }
    }

    /// Whether a column is sensitive that the query reads, for whatever it does with it.
    fn in_words(&self, table: &Table, frame: &DataFrame) -> bool {
        let curated = &|name: &str| self.curated(name);
        let Ok(plan) = frame.clone().into_optimized_plan() else { return true };
        let mut read = false;
        let seen = plan.apply_with_subqueries(|node| {
            if let LogicalPlan::TableScan(_) = node {
                let columns = lineage::columns(node, curated);
                read |= columns.iter().any(|Made { of, .. }| of.iter().any(|origin| self.is_secret(origin)));
            }
            Ok(TreeNodeRecursion::Continue)
        });
        // other curated tables are seen in the plan as it was written
        let by_name = frame.logical_plan().apply_with_subqueries(|node| {
            if let LogicalPlan::SubqueryAlias(alias) = node {
                read |= self.curated(alias.alias.table()).is_some_and(has_secrets);
            }
            Ok(TreeNodeRecursion::Continue)
        });
        read || has_secrets(table) || seen.is_err() || by_name.is_err()
    }
}

/// Whether a table has a column that is marked.
pub fn has_secrets(table: &Table) -> bool {
    table.columns.iter().any(|column| column.sensitive)
}

/// The raw columns that are read for a query.
pub fn read_columns(frame: &DataFrame) -> Vec<String> {
    let mut columns = Vec::new();
    let Ok(plan) = frame.clone().into_optimized_plan() else { return columns };
    let seen = plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node {
            columns.extend(scan.projected_schema.fields().iter().map(|field| field.name().clone()));
        }
        Ok(TreeNodeRecursion::Continue)
    });
    if seen.is_err() {
        columns.clear();
    }
    columns
}

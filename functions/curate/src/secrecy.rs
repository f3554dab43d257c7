//! Finds the columns of a query whose values must be hidden: those made from columns that are marked sensitive.

use std::collections::BTreeMap;
use std::sync::Arc;

use contract::Table;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::dataframe::DataFrame;
use datafusion::logical_expr::LogicalPlan;

use crate::lineage::{self, Made};
use crate::queries::{self, from_files, nothing_written};
use crate::secrets::{Secret, Secrets};
use crate::source::RawTable;
use crate::transform::BuildPlan;

/// Small, because the queries are planned but not run.
const MEMORY_BYTES: usize = 1 << 20;

/// Returns the secrets of a table's query.
pub(crate) fn of_query(
    plan: &BuildPlan,
    raw: &BTreeMap<String, Arc<RawTable>>,
    table: &Table,
    frame: &DataFrame,
) -> Secrets {
    let tables = Tables { plan, raw };
    if !tables.any_secret() {
        return Secrets::default();
    }
    let mut secrets = Secrets { in_words: tables.in_words(table, frame), ..Secrets::default() };
    let made = lineage::columns(frame.logical_plan(), &|name| tables.curated(name));
    for (field, made) in frame.schema().fields().iter().zip(&made) {
        if made.unknown && secrets.in_words || made.marked || made.of.iter().any(|origin| tables.is_secret(origin)) {
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

/// Returns the secrets of a table whose query cannot be planned. If any table has a sensitive column, all columns are
/// hidden.
pub(crate) fn of_all(plan: &BuildPlan, raw: &BTreeMap<String, Arc<RawTable>>, table: &Table) -> Secrets {
    if !(Tables { plan, raw }).any_secret() {
        return Secrets::default();
    }
    let names = || table.columns.iter().map(|column| column.name.clone());
    Secrets { columns: names().map(|name| (name, Secret::MadeOf)).collect(), marked: names().collect(), in_words: true }
}

/// Plans a table's query and returns its secrets.
pub(crate) async fn of_table(plan: &BuildPlan, raw: &BTreeMap<String, Arc<RawTable>>, table: &Table) -> Secrets {
    if !(Tables { plan, raw }).any_secret() {
        return Secrets::default();
    }
    let planned = queries::frames(plan, from_files(raw), nothing_written, MEMORY_BYTES).await;
    match planned.and_then(|planned| planned.take(&table.name)).ok().flatten() {
        Some(frame) => of_query(plan, raw, table, &frame),
        None => of_all(plan, raw, table),
    }
}

/// Returns the table with those columns marked sensitive that are made from sensitive columns of `made_of`.
pub(crate) async fn marked(plan: &BuildPlan, made_of: &Arc<RawTable>, table: &Table) -> Table {
    let raw = BTreeMap::from([(made_of.table().name.clone(), Arc::clone(made_of))]);
    let secrets = of_table(plan, &raw, table).await;
    let mut table = table.clone();
    for column in &mut table.columns {
        column.sensitive |= secrets.column(&column.name).is_some();
    }
    table
}

/// The tables that a query may read.
struct Tables<'a> {
    plan: &'a BuildPlan,
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
            // not a raw table: nothing is known about it, so it counts as secret
            None => true,
        }
    }

    /// Whether the query reads a sensitive column for any purpose, or its own table has one.
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
        // other curated tables appear only in the plan before it is optimised
        let by_name = frame.logical_plan().apply_with_subqueries(|node| {
            if let LogicalPlan::SubqueryAlias(alias) = node {
                read |= self.curated(alias.alias.table()).is_some_and(has_secrets);
            }
            Ok(TreeNodeRecursion::Continue)
        });
        read || has_secrets(table) || seen.is_err() || by_name.is_err()
    }
}

/// Whether a table has a column that is marked sensitive.
pub(crate) fn has_secrets(table: &Table) -> bool {
    table.columns.iter().any(|column| column.sensitive)
}

/// Returns the names of the raw columns that the query reads, or none if they cannot be determined.
pub(crate) fn read_columns(frame: &DataFrame) -> Vec<String> {
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

//! Traces each column of a query to the raw columns that its values come from, through projections, joins, groups,
//! windows, unions, subqueries and other curated tables.

use std::collections::BTreeSet;

use contract::Table;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema};
use datafusion::logical_expr::utils::grouping_set_to_exprlist;
use datafusion::logical_expr::{Distinct, Expr, Join, JoinType, LogicalPlan};

/// The origin of a column's values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Made {
    /// The raw columns, each by its table and name.
    pub of: BTreeSet<(String, String)>,
    /// Whether a column of a curated table on the way is marked sensitive.
    pub marked: bool,
    /// The origin is unknown. It may be any column that the query reads.
    pub unknown: bool,
}

impl Made {
    fn unknown() -> Self {
        Self { unknown: true, ..Self::default() }
    }

    /// Adds another origin.
    fn add(&mut self, other: &Self) {
        self.of.extend(other.of.iter().cloned());
        self.marked |= other.marked;
        self.unknown |= other.unknown;
    }
}

/// Looks up a curated table by its name.
pub(crate) type Curated<'a> = &'a dyn Fn(&str) -> Option<&'a Table>;

/// Returns the origin of each column of a plan, in order.
pub(crate) fn columns(plan: &LogicalPlan, curated: Curated) -> Vec<Made> {
    let made = match plan {
        LogicalPlan::TableScan(scan) => {
            let table = scan.table_name.table();
            let columns = scan.projected_schema.fields().iter();
            let of = |name: &String| BTreeSet::from([(table.to_owned(), name.clone())]);
            columns.map(|field| Made { of: of(field.name()), ..Made::default() }).collect()
        }
        LogicalPlan::Projection(node) => expressions(node.expr.iter(), &node.input, curated),
        LogicalPlan::Window(node) => {
            let mut made = columns(&node.input, curated);
            made.extend(expressions(node.window_expr.iter(), &node.input, curated));
            made
        }
        LogicalPlan::Aggregate(node) => {
            let Ok(groups) = grouping_set_to_exprlist(&node.group_expr) else { return unknown(plan) };
            let of_sets = matches!(node.group_expr.first(), Some(Expr::GroupingSet(_)));
            let mut made = expressions(groups.into_iter(), &node.input, curated);
            // the column that says which of the sets a row belongs to
            made.extend(of_sets.then(Made::default));
            made.extend(expressions(node.aggr_expr.iter(), &node.input, curated));
            made
        }
        LogicalPlan::Distinct(Distinct::On(node)) => expressions(node.select_expr.iter(), &node.input, curated),
        LogicalPlan::Distinct(Distinct::All(input)) => columns(input, curated),
        LogicalPlan::Filter(node) => columns(&node.input, curated),
        LogicalPlan::Sort(node) => columns(&node.input, curated),
        LogicalPlan::Limit(node) => columns(&node.input, curated),
        LogicalPlan::Repartition(node) => columns(&node.input, curated),
        LogicalPlan::Subquery(node) => columns(&node.subquery, curated),
        LogicalPlan::SubqueryAlias(node) => {
            let mut made = columns(&node.input, curated);
            // in a plan, another curated table is an alias with its name
            if let Some(table) = curated(node.alias.table()) {
                for (made, field) in made.iter_mut().zip(node.schema.fields()) {
                    made.marked |= table.column(field.name()).is_some_and(|column| column.sensitive);
                }
            }
            made
        }
        LogicalPlan::Join(node) => joined(node, curated),
        LogicalPlan::Union(node) => {
            let mut inputs = node.inputs.iter().map(|input| columns(input, curated));
            let mut made = inputs.next().unwrap_or_default();
            for input in inputs {
                made.iter_mut().zip(&input).for_each(|(made, other)| made.add(other));
            }
            made
        }
        LogicalPlan::Unnest(node) => {
            let inner = columns(&node.input, curated);
            let made = node.dependency_indices.iter().map(|n| inner.get(*n).cloned().unwrap_or_else(Made::unknown));
            made.collect()
        }
        LogicalPlan::EmptyRelation(_) => plan.schema().fields().iter().map(|_| Made::default()).collect(),
        _ => return unknown(plan),
    };
    // another number of columns means that a case was overlooked
    if made.len() == plan.schema().fields().len() { made } else { unknown(plan) }
}

fn unknown(plan: &LogicalPlan) -> Vec<Made> {
    vec![Made::unknown(); plan.schema().fields().len()]
}

fn joined(join: &Join, curated: Curated) -> Vec<Made> {
    let (left, right) = (|| columns(&join.left, curated), || columns(&join.right, curated));
    match join.join_type {
        JoinType::Inner | JoinType::Left | JoinType::Right | JoinType::Full => {
            left().into_iter().chain(right()).collect()
        }
        JoinType::LeftSemi | JoinType::LeftAnti => left(),
        JoinType::RightSemi | JoinType::RightAnti => right(),
        // the mark says whether a row has a match
        JoinType::LeftMark => left().into_iter().chain([Made::default()]).collect(),
        JoinType::RightMark => right().into_iter().chain([Made::default()]).collect(),
    }
}

fn expressions<'a>(expressions: impl Iterator<Item = &'a Expr>, input: &LogicalPlan, curated: Curated) -> Vec<Made> {
    let inner = columns(input, curated);
    expressions.map(|one| expression(one, input.schema(), &inner, curated)).collect()
}

/// Returns the origin of an expression: every column anywhere in it.
fn expression(expression: &Expr, schema: &DFSchema, inner: &[Made], curated: Curated) -> Made {
    let mut made = Made::default();
    let seen = expression.apply(|part| {
        let subquery = match part {
            Expr::Column(column) => {
                let mut found = places(column, schema).filter_map(|n| inner.get(n)).peekable();
                made.unknown |= found.peek().is_none();
                found.for_each(|found| made.add(found));
                None
            }
            Expr::ScalarSubquery(subquery) => Some(subquery),
            Expr::Exists(exists) => Some(&exists.subquery),
            Expr::InSubquery(within) => Some(&within.subquery),
            Expr::SetComparison(comparison) => Some(&comparison.subquery),
            Expr::OuterReferenceColumn(..) | Expr::ScalarVariable(..) | Expr::Placeholder(_) => {
                made.unknown = true;
                None
            }
            _ => None,
        };
        if let Some(subquery) = subquery {
            columns(&subquery.subquery, curated).iter().for_each(|of| made.add(of));
        }
        Ok(TreeNodeRecursion::Continue)
    });
    made.unknown |= seen.is_err();
    made
}

/// Returns the positions of a column in a schema. There are several if the name is ambiguous.
fn places<'a>(column: &'a Column, schema: &'a DFSchema) -> impl Iterator<Item = usize> + 'a {
    let here = move |qualifier: Option<&datafusion::common::TableReference>| match (&column.relation, qualifier) {
        (None, _) => true,
        (Some(wanted), Some(found)) => wanted.resolved_eq(found),
        (Some(_), None) => false,
    };
    let fields = schema.iter().enumerate();
    fields.filter(move |(_, (qualifier, field))| *field.name() == column.name && here(*qualifier)).map(|(n, _)| n)
}

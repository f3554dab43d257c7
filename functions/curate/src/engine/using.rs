//! The columns of outer joins with USING and of NATURAL ones. DataFusion resolves `id` to the left table's `id`, and
//! `*` to either's, which is null in a row that only the other table has. Here both tables' columns are the one column
//! that the join makes, as in Spark. If the SQL also names one table's own column, as in `u.id`, the join is refused. A
//! LEFT JOIN without `*` is right as it is.

use std::sync::Arc;

use datafusion::common::tree_node::Transformed;
use datafusion::common::{Column, JoinConstraint, JoinType, Result, plan_err};
use datafusion::functions::expr_fn::coalesce;
use datafusion::logical_expr::{Expr, ExprSchemable, Join, LogicalPlan, Projection};

use crate::query::Said;

/// Corrects the columns of such joins.
pub(super) fn mend(plan: LogicalPlan, said: &Said) -> Result<LogicalPlan> {
    let mended = plan.transform_up_with_subqueries(|plan| match plan {
        LogicalPlan::Join(join) if is_at_risk(&join) => one_column(join, said),
        plan => Ok(Transformed::no(plan)),
    })?;
    if mended.transformed {
        mended.data.transform_up_with_subqueries(|plan| plan.recompute_schema().map(Transformed::yes)).map(|p| p.data)
    } else {
        Ok(mended.data)
    }
}

fn is_at_risk(join: &Join) -> bool {
    let outer = matches!(join.join_type, JoinType::Left | JoinType::Right | JoinType::Full);
    outer && join.join_constraint == JoinConstraint::Using
}

/// Puts the same value in the joined columns of both sides.
fn one_column(join: Join, said: &Said) -> Result<Transformed<LogicalPlan>> {
    let mut columns: Vec<Expr> = join.schema.columns().into_iter().map(Expr::Column).collect();
    let mut changed = false;
    for (left, right) in &join.on {
        let (Some(left), Some(right)) = (left.get_as_join_column(), right.get_as_join_column()) else { continue };
        let (left_said, right_said) = (is_said(said, left), is_said(said, right));
        let of = |column: &Column| Expr::Column(column.clone());
        let (value, side_said) = match join.join_type {
            JoinType::Left => (of(left), right_said),
            JoinType::Right => (of(right), left_said),
            _ => (coalesce(vec![of(left), of(right)]), left_said || right_said),
        };
        let same_type = of(left).get_type(&join.schema)? == of(right).get_type(&join.schema)?;
        // in a LEFT JOIN, `id` already is the left table's; only `*` may be the other's
        if join.join_type == JoinType::Left && (side_said || !same_type) && !said.all {
            continue;
        }
        if side_said || !same_type {
            return refuse(&join, left, right, same_type);
        }
        for column in [left, right] {
            if let Some(index) = join.schema.maybe_index_of_column(column) {
                columns[index] = value.clone().alias_qualified(column.relation.clone(), &column.name);
            }
        }
        changed = true;
    }
    if changed {
        Ok(Transformed::yes(LogicalPlan::Projection(Projection::try_new(columns, Arc::new(LogicalPlan::Join(join)))?)))
    } else {
        Ok(Transformed::no(LogicalPlan::Join(join)))
    }
}

fn is_said(said: &Said, column: &Column) -> bool {
    column.relation.as_ref().is_some_and(|table| said.names(table.table(), &column.name))
}

fn refuse<T>(join: &Join, left: &Column, right: &Column, same_type: bool) -> Result<T> {
    let table = |column: &Column| match &column.relation {
        Some(relation) => relation.table().to_owned(),
        None => String::new(),
    };
    let (name, one, other) = (&left.name, table(left), table(right));
    let kind = match join.join_type {
        JoinType::Left => "LEFT",
        JoinType::Right => "RIGHT",
        _ => "FULL",
    };
    let (why, then) = match (join.join_type, same_type) {
        (_, false) => ("the two tables have it in different types".to_owned(), ""),
        (JoinType::Left, _) => (format!("with `*`, and `{other}.{name}` beside it"), ", and name the columns"),
        _ => (format!("and one table's own `{name}` beside it"), ""),
    };
    plan_err!(
        "{kind} JOIN … USING ({name}), {why}: write ON {one}.{name} = {other}.{name}, and \
         coalesce({one}.{name}, {other}.{name}) AS {name}{then}"
    )
}

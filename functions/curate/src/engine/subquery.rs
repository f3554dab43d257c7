//! Refuses subqueries that DataFusion turns into a join with another meaning: if a null of `IN` matters, or if a
//! subquery returns a row though it found none.

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::expr::InSubquery;
use datafusion::logical_expr::{BinaryExpr, Expr, LogicalPlan, Operator, Subquery};

/// Fails if the plan has such a subquery.
pub(super) fn check(plan: &LogicalPlan) -> Result<()> {
    plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expression| {
            match node {
                LogicalPlan::Filter(_) => condition(expression, Place::Top)?,
                LogicalPlan::Join(_) => condition(expression, Place::Part)?,
                _ => condition(expression, Place::Value)?,
            }
            Ok(TreeNodeRecursion::Continue)
        })
    })
    .map(|_| ())
}

/// The position of an expression in a WHERE.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// The WHERE itself, or a part joined by AND. Null is the same as false, and NOT IN handles its nulls.
    Top,
    /// Below OR, in a condition of a CASE, or in the ON of a join. Null is the same as false.
    Part,
    /// Anywhere else. Null differs from false.
    Value,
}

fn condition(expression: &Expr, place: Place) -> Result<()> {
    match expression {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::And, right }) => {
            condition(left, place)?;
            condition(right, place)
        }
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Or, right }) => {
            let place = if place == Place::Top { Place::Part } else { place };
            condition(left, place)?;
            condition(right, place)
        }
        Expr::Alias(alias) => condition(&alias.expr, place),
        Expr::Not(of) => match of.as_ref() {
            Expr::InSubquery(of) => is_in(of, !of.negated, place),
            Expr::Exists(of) => has_rows(&of.subquery, "EXISTS"),
            of => condition(of, Place::Value),
        },
        Expr::InSubquery(of) => is_in(of, of.negated, place),
        Expr::Exists(of) => has_rows(&of.subquery, "EXISTS"),
        Expr::ScalarSubquery(of) => counts_rows(of),
        Expr::Case(case) if case.expr.is_none() => {
            for (when, then) in &case.when_then_expr {
                condition(when, if place == Place::Top { Place::Part } else { place })?;
                condition(then, Place::Value)?;
            }
            case.else_expr.iter().try_for_each(|of| condition(of, Place::Value))
        }
        other => {
            let mut first = true;
            other.apply(|part| {
                if std::mem::take(&mut first) {
                    return Ok(TreeNodeRecursion::Continue);
                }
                condition(part, Place::Value)?;
                Ok(TreeNodeRecursion::Jump)
            })?;
            Ok(())
        }
    }
}

fn is_in(of: &InSubquery, negated: bool, place: Place) -> Result<()> {
    let correlated = !of.subquery.outer_ref_columns.is_empty();
    match (negated, place) {
        (true, _) if correlated => plan_err!(
            "NOT IN (SELECT …) of a subquery that reads a column from outside of it would miss its nulls: write NOT \
             EXISTS (SELECT 1 FROM … WHERE … AND it = x)"
        ),
        (true, Place::Part | Place::Value) => plan_err!(
            "NOT IN (SELECT …) beside OR, or inside of another expression, would miss its nulls: write NOT EXISTS \
             (SELECT 1 FROM … WHERE it = x), which has none, or two queries with UNION ALL"
        ),
        (false, Place::Value) => plan_err!(
            "IN (SELECT …) whose null is something else than false would miss it: write EXISTS (SELECT 1 FROM … WHERE \
             it = x), which has none"
        ),
        _ => has_rows(&of.subquery, "IN"),
    }
}

/// Fails if the subquery computes totals without GROUP BY of the rows that belong to one outer row. There is a total
/// even of no rows, but a join finds none.
fn has_rows(subquery: &Subquery, of: &str) -> Result<()> {
    if subquery.outer_ref_columns.is_empty() {
        return Ok(());
    }
    counts_rows(subquery)?;
    let mut found = false;
    subquery.subquery.apply(|node| {
        if let LogicalPlan::Aggregate(aggregate) = node {
            let all = aggregate.group_expr.iter().all(|of| matches!(of, Expr::GroupingSet(_)));
            found |= all && reads_outside(&aggregate.input)?;
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    if found {
        plan_err!(
            "{of} (SELECT …) of totals without GROUP BY, which are there for no rows too: compare the total, as in \
         (SELECT count(*) FROM … WHERE …) > 0"
        )
    } else {
        Ok(())
    }
}

/// Fails if the subquery counts the rows that belong to one outer row. A join selects them only after counting.
fn counts_rows(subquery: &Subquery) -> Result<()> {
    if subquery.outer_ref_columns.is_empty() {
        return Ok(());
    }
    let mut found = None;
    subquery.subquery.apply(|node| {
        let (what, input) = match node {
            LogicalPlan::Window(window) => ("a window", &window.input),
            LogicalPlan::Limit(limit) if limit.skip.is_some() => ("OFFSET", &limit.input),
            _ => return Ok(TreeNodeRecursion::Continue),
        };
        if reads_outside(input)? {
            found = Some(what);
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    match found {
        Some(what) => plan_err!(
            "{what} in a subquery, over rows that are looked up by a column from outside of it, would be over all \
             rows: write a join, with PARTITION BY that column"
        ),
        None => Ok(()),
    }
}

fn reads_outside(plan: &LogicalPlan) -> Result<bool> {
    plan.exists(|node| {
        let mut found = false;
        node.apply_expressions(|expression| {
            found |= expression.exists(|of| Ok(matches!(of, Expr::OuterReferenceColumn(..))))?;
            Ok(TreeNodeRecursion::Continue)
        })?;
        Ok(found)
    })
}

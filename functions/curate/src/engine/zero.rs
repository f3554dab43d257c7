//! Makes the two zeros of doubles one value in windows, in ORDER BY, in `count(DISTINCT x)`, and in `CASE x WHEN 0.0`.
//! DataFusion takes them for two values there, though for one in `=`, GROUP BY and joins.

use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::expr::Case;
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan};

use crate::engine::canonical::One;

/// Normalizes -0.0 to +0.0 in the keys of a sort.
pub(super) fn sort(plan: LogicalPlan) -> Result<LogicalPlan> {
    let LogicalPlan::Sort(mut sort) = plan else { return Ok(plan) };
    with_one_zero(sort.expr.iter_mut().map(|key| &mut key.expr), sort.input.schema())?;
    Ok(LogicalPlan::Sort(sort))
}

/// Normalizes zeros in windows, in ordered or distinct aggregates, and in CASEs.
pub(super) fn check(expression: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    match expression {
        Expr::WindowFunction(mut call) => {
            let params = &mut call.params;
            let order_by = params.order_by.iter_mut().map(|sort| &mut sort.expr);
            let distinct = params.args.iter_mut().filter(|_| params.distinct);
            let changed = with_one_zero(params.partition_by.iter_mut().chain(order_by).chain(distinct), schema)?;
            Ok(Transformed::new_transformed(Expr::WindowFunction(call), changed))
        }
        Expr::AggregateFunction(mut call) => {
            let params = &mut call.params;
            let order_by = params.order_by.iter_mut().map(|sort| &mut sort.expr);
            let distinct = params.args.iter_mut().filter(|_| params.distinct);
            let changed = with_one_zero(order_by.chain(distinct), schema)?;
            Ok(Transformed::new_transformed(Expr::AggregateFunction(call), changed))
        }
        Expr::Case(Case { expr: Some(of), when_then_expr, else_expr }) if of.get_type(schema)?.is_floating() => {
            let is = |when: Box<Expr>| Box::new(of.as_ref().clone().eq(*when));
            let when_then_expr = when_then_expr.into_iter().map(|(when, then)| (is(when), then)).collect();
            Ok(Transformed::yes(Expr::Case(Case { expr: None, when_then_expr, else_expr })))
        }
        expression => Ok(Transformed::no(expression)),
    }
}

/// Normalizes zeros in the keys that are floats. Returns whether there are any.
fn with_one_zero<'a>(keys: impl Iterator<Item = &'a mut Expr>, schema: &DFSchema) -> Result<bool> {
    let mut any = false;
    for key in keys {
        if key.get_type(schema)?.is_floating() {
            *key = One::Zero.of(std::mem::take(key));
            any = true;
        }
    }
    Ok(any)
}

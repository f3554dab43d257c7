//! One NaN. Processors make it with a sign (x86 with a minus). Such a NaN would be less than all numbers, or differ
//! from one that was read. In SQL, as in Spark, NaN is greater than all numbers and equal to itself. So every
//! expression that may make a NaN returns the one without a sign.

use std::sync::Arc;

use datafusion::common::{Column, DFSchema, Result};
use datafusion::logical_expr::{BinaryExpr, Expr, ExprSchemable, LogicalPlan, Operator, Projection};

use crate::engine::canonical::One;

/// Whether an expression may make a NaN from other values, or change its sign.
pub(super) fn is_made_by(expression: &Expr, schema: &DFSchema) -> Result<bool> {
    let may = match expression {
        Expr::BinaryExpr(BinaryExpr { op, .. }) => {
            matches!(op, Operator::Plus | Operator::Minus | Operator::Multiply | Operator::Divide | Operator::Modulo)
        }
        Expr::Negative(_) => true,
        Expr::ScalarFunction(call) => !PASS_ON.contains(&call.func.name()),
        _ => false,
    };
    Ok(may && expression.get_type(schema)?.is_floating())
}

/// Normalizes NaN in the columns that an aggregate or a window adds.
pub(super) fn above(plan: LogicalPlan) -> Result<LogicalPlan> {
    let passed_on = match &plan {
        LogicalPlan::Aggregate(aggregate) => aggregate.schema.fields().len() - aggregate.aggr_expr.len(),
        LogicalPlan::Window(window) => window.input.schema().fields().len(),
        _ => return Ok(plan),
    };
    let columns = plan.schema().iter().enumerate().map(|(n, (qualifier, field))| {
        let column = Expr::Column(Column::from((qualifier, field)));
        if n >= passed_on && field.data_type().is_floating() {
            (true, One::Nan.of(column).alias_qualified(qualifier.cloned(), field.name()))
        } else {
            (false, column)
        }
    });
    let (added, columns): (Vec<_>, Vec<_>) = columns.unzip();
    if !added.contains(&true) {
        return Ok(plan);
    }
    Ok(LogicalPlan::Projection(Projection::try_new(columns, Arc::new(plan))?))
}

/// Functions that pass on one of their arguments and compute no number.
const PASS_ON: &[&str] =
    &[One::Nan.name(), "apart", "coalesce", "nullif", "nvl", "nvl2", "greatest", "least", "get_field"];

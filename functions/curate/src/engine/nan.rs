//! One NaN. A processor makes it with a sign, x86 with a minus, and by that it would be less than all numbers, or
//! another value than one that was read; in SQL, as in Spark, it is greater than all, and equal to itself. So whatever
//! may make one gives the one without a sign.

use std::sync::Arc;

use datafusion::common::{Column, DFSchema, Result};
use datafusion::logical_expr::{BinaryExpr, Expr, ExprSchemable, LogicalPlan, Operator, Projection};

use crate::engine::canonical::One;

/// Whether an expression may make a NaN of what is none, or turn its sign.
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

/// A plan with one NaN in the columns that it adds, if it aggregates.
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

/// Functions that give what they are given, and make no number.
const PASS_ON: &[&str] =
    &[One::Nan.name(), "apart", "coalesce", "nullif", "nvl", "nvl2", "greatest", "least", "get_field"];

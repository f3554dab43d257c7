//! Decimals beside doubles where one of several values is chosen: in `coalesce`, CASE, UNION and the like. Both become
//! doubles, as in Spark. DataFusion casts both to decimals with 15 decimal places, which cuts digits off a double. A
//! double that is a literal (`coalesce(n, 0.0)`) takes the decimal's type instead.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{Column, DFSchema, Result};
use datafusion::logical_expr::expr::Case;
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan, Projection, Union, cast};

use crate::engine::rewrite::rewrite;

/// Functions that return one of their arguments, or an array of all of them.
const TAKE_ONE: &[&str] = &["coalesce", "nvl", "ifnull", "greatest", "least", "make_array"];

/// Casts decimals to double where a double stands beside them.
pub(super) fn mend(plan: LogicalPlan) -> Result<LogicalPlan> {
    rewrite(plan, in_one, |plan, _| in_union(plan))
}

fn in_one(expression: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    match expression {
        Expr::ScalarFunction(mut call) if TAKE_ONE.contains(&call.func.name()) => {
            let changed = as_doubles(call.args.iter_mut(), schema)?;
            let call = Expr::ScalarFunction(call);
            Ok(Transformed::new_transformed(call, changed))
        }
        Expr::Case(Case { expr, mut when_then_expr, mut else_expr }) => {
            let thens = when_then_expr.iter_mut().map(|(_, then)| then.as_mut());
            let changed = as_doubles(thens.chain(else_expr.as_deref_mut()), schema)?;
            let case = Expr::Case(Case { expr, when_then_expr, else_expr });
            Ok(Transformed::new_transformed(case, changed))
        }
        expression => Ok(Transformed::no(expression)),
    }
}

/// Casts the decimals to double if there is a double among the values. Returns whether it did.
fn as_doubles<'a>(values: impl Iterator<Item = &'a mut Expr>, schema: &DFSchema) -> Result<bool> {
    let mut decimals = Vec::new();
    let mut beside_doubles = false;
    for value in values {
        match value.get_type(schema)? {
            DataType::Float32 | DataType::Float64 => beside_doubles |= !is_written_out(value),
            of if of.is_decimal() => decimals.push(value),
            _ => {}
        }
    }
    if !beside_doubles || decimals.is_empty() {
        return Ok(false);
    }
    for value in decimals {
        *value = cast(std::mem::take(value), DataType::Float64);
    }
    Ok(true)
}

fn in_union(plan: LogicalPlan) -> Result<LogicalPlan> {
    let LogicalPlan::Union(Union { inputs, schema }) = plan else { return Ok(plan) };
    let types =
        |n: usize| inputs.iter().filter_map(move |input| Some((input, input.schema().fields().get(n)?.data_type())));
    let mixed = (0..schema.fields().len()).map(|n| {
        let doubles = types(n).any(|(input, of)| {
            matches!(of, DataType::Float32 | DataType::Float64) && !gives_what_is_written_out(input, n)
        });
        doubles && types(n).any(|(_, of)| of.is_decimal())
    });
    let mixed: Vec<_> = mixed.collect();
    if !mixed.contains(&true) {
        return Ok(LogicalPlan::Union(Union { inputs, schema }));
    }
    let inputs = inputs.into_iter().map(|input| {
        let columns = input.schema().iter().zip(&mixed).map(|((qualifier, field), mixed)| {
            let column = Expr::Column(Column::from((qualifier, field)));
            if *mixed && field.data_type().is_decimal() {
                cast(column, DataType::Float64).alias_qualified(qualifier.cloned(), field.name())
            } else {
                column
            }
        });
        let columns = columns.collect();
        Ok(Arc::new(LogicalPlan::Projection(Projection::try_new(columns, input)?)))
    });
    Ok(LogicalPlan::Union(Union::try_new_with_loose_types(inputs.collect::<Result<_>>()?)?))
}

fn is_written_out(value: &Expr) -> bool {
    match value {
        Expr::Literal(..) => true,
        Expr::Negative(of) => is_written_out(of),
        Expr::Alias(alias) => is_written_out(&alias.expr),
        _ => false,
    }
}

fn gives_what_is_written_out(input: &LogicalPlan, n: usize) -> bool {
    match input {
        LogicalPlan::Projection(projection) => projection.expr.get(n).is_some_and(is_written_out),
        LogicalPlan::SubqueryAlias(alias) => gives_what_is_written_out(&alias.input, n),
        _ => false,
    }
}

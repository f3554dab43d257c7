//! A decimal beside a double where one of them is taken: in coalesce, CASE, UNION and their like. Both become doubles, as in
//! Spark; DataFusion makes decimals of 15 places of them, and cuts what a double has more. A number that is written out
//! (`coalesce(n, 0.0)`) is what the decimal needs it to be.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, DFSchema, Result};
use datafusion::logical_expr::expr::Case;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan, Projection, Union, cast};

/// Functions that give one of their arguments, or hold all of them.
const TAKE_ONE: &[&str] = &["coalesce", "nvl", "ifnull", "greatest", "least", "make_array"];

/// A plan in which decimals are doubles where a double is beside them.
pub fn mend(plan: LogicalPlan) -> Result<LogicalPlan> {
    let mended = plan.transform_up_with_subqueries(|plan| {
        let schema = merge_schema(&plan.inputs());
        let names = NamePreserver::new(&plan);
        let mended = plan
            .map_expressions(|expression| {
                let name = names.save(&expression);
                let mended = expression.transform_up(|expression| in_one(expression, &schema))?;
                Ok(mended.update_data(|expression| name.restore(expression)))
            })?
            .map_data(LogicalPlan::recompute_schema)?;
        mended.transform_data(in_union)
    });
    mended.map(|mended| mended.data)
}

fn in_one(expression: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    match expression {
        Expr::ScalarFunction(mut call) if TAKE_ONE.contains(&call.func.name()) => {
            let changed = as_doubles(call.args.iter_mut(), schema)?;
            let call = Expr::ScalarFunction(call);
            Ok(if changed { Transformed::yes(call) } else { Transformed::no(call) })
        }
        Expr::Case(Case { expr, mut when_then_expr, mut else_expr }) => {
            let thens = when_then_expr.iter_mut().map(|(_, then)| then.as_mut());
            let changed = as_doubles(thens.chain(else_expr.as_deref_mut()), schema)?;
            let case = Expr::Case(Case { expr, when_then_expr, else_expr });
            Ok(if changed { Transformed::yes(case) } else { Transformed::no(case) })
        }
        expression => Ok(Transformed::no(expression)),
    }
}

/// Makes doubles of the decimals, if there is a double among the values.
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

fn in_union(plan: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    let LogicalPlan::Union(Union { inputs, schema }) = plan else { return Ok(Transformed::no(plan)) };
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
        return Ok(Transformed::no(LogicalPlan::Union(Union { inputs, schema })));
    }
    let inputs = inputs.into_iter().map(|input| {
        let columns = input.schema().iter().zip(&mixed).map(|((qualifier, field), mixed)| {
            let column = Expr::Column(Column::from((qualifier, field)));
            match *mixed && field.data_type().is_decimal() {
                true => cast(column, DataType::Float64).alias_qualified(qualifier.cloned(), field.name()),
                false => column,
            }
        });
        let columns = columns.collect();
        Ok(Arc::new(LogicalPlan::Projection(Projection::try_new(columns, input)?)))
    });
    let union = Union::try_new_with_loose_types(inputs.collect::<Result<_>>()?)?;
    Ok(Transformed::yes(LogicalPlan::Union(union)))
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

//! The two zeros of doubles, which are one value: in windows, in ORDER BY, in
//! `count(DISTINCT x)`, and in `CASE x WHEN 0.0`. DataFusion's own take them for two
//! there, though for one in `=`, GROUP BY and joins.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Float32Array, Float64Array};
use arrow::datatypes::{DataType, Float32Type, Float64Type};
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, DataFusionError, Result};
use datafusion::logical_expr::expr::{Case, ScalarFunction};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ExprSchemable, LogicalPlan, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};

/// A sort with one zero.
pub fn sort(plan: LogicalPlan) -> Result<LogicalPlan> {
    let LogicalPlan::Sort(mut sort) = plan else { return Ok(plan) };
    for key in &mut sort.expr {
        if key.expr.get_type(sort.input.schema())?.is_floating() {
            key.expr = one_zero(std::mem::take(&mut key.expr));
        }
    }
    Ok(LogicalPlan::Sort(sort))
}

/// Windows, aggregates in an order or of distinct values, and CASEs with one zero.
pub fn check(expression: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    match expression {
        Expr::WindowFunction(mut call) => {
            let params = &mut call.params;
            let order_by = params.order_by.iter_mut().map(|sort| &mut sort.expr);
            let mut changed = false;
            let distinct = if params.distinct { params.args.as_mut_slice() } else { &mut [] };
            for key in params.partition_by.iter_mut().chain(order_by).chain(distinct) {
                if key.get_type(schema)?.is_floating() {
                    *key = one_zero(std::mem::take(key));
                    changed = true;
                }
            }
            let call = Expr::WindowFunction(call);
            Ok(if changed { Transformed::yes(call) } else { Transformed::no(call) })
        }
        Expr::AggregateFunction(mut call) => {
            let mut changed = false;
            let distinct = if call.params.distinct { call.params.args.as_mut_slice() } else { &mut [] };
            for key in call.params.order_by.iter_mut().map(|sort| &mut sort.expr).chain(distinct) {
                if key.get_type(schema)?.is_floating() {
                    *key = one_zero(std::mem::take(key));
                    changed = true;
                }
            }
            let call = Expr::AggregateFunction(call);
            Ok(if changed { Transformed::yes(call) } else { Transformed::no(call) })
        }
        Expr::Case(Case { expr: Some(of), when_then_expr, else_expr }) if of.get_type(schema)?.is_floating() => {
            let is = |when: Box<Expr>| Box::new(of.as_ref().clone().eq(*when));
            let when_then_expr = when_then_expr.into_iter().map(|(when, then)| (is(when), then)).collect();
            Ok(Transformed::yes(Expr::Case(Case { expr: None, when_then_expr, else_expr })))
        }
        expression => Ok(Transformed::no(expression)),
    }
}

fn one_zero(of: Expr) -> Expr {
    let signature = Signature::any(1, Volatility::Immutable);
    Expr::ScalarFunction(ScalarFunction::new_udf(Arc::new(ScalarUDF::from(OneZero { signature })), vec![of]))
}

/// A float with +0.0 for -0.0.
#[derive(Debug, PartialEq, Eq, Hash)]
struct OneZero {
    signature: Signature,
}

impl ScalarUDFImpl for OneZero {
    fn name(&self) -> &str {
        "one_zero"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        types.first().cloned().ok_or_else(|| DataFusionError::Internal("one_zero has one value".into()))
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [of] = arguments.args.as_slice() else {
            return Err(DataFusionError::Internal("one_zero has one value".into()));
        };
        let floats = of.to_array(arguments.number_rows)?;
        let floats: ArrayRef = match floats.data_type() {
            DataType::Float64 => {
                let one: Float64Array = floats.as_primitive::<Float64Type>().unary(|double| double + 0.0);
                Arc::new(one)
            }
            DataType::Float32 => {
                let one: Float32Array = floats.as_primitive::<Float32Type>().unary(|float| float + 0.0);
                Arc::new(one)
            }
            _ => floats,
        };
        Ok(ColumnarValue::Array(floats))
    }
}

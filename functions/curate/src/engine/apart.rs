//! Keeps expressions apart from each other, or from a literal, where DataFusion would combine them wrongly:
//!
//! - `x IN (1) AND x IN (2)` becomes one empty list, which is false where `x` is null.
//! - `x IN (7, 3) AND x NOT IN (7, NULL)` becomes `x IN (3)`, which can be true.
//! - `CAST(n AS INT) = 1` becomes `n = 1.00`, which does not hold for 1.25.
//! - The items of a list are evaluated for no rows. An item that is then a scalar, such as a CASE, is used for all
//!   rows.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, DataFusionError, Result};
use datafusion::logical_expr::expr::{InList, ScalarFunction};
use datafusion::logical_expr::{
    BinaryExpr, Cast, ColumnarValue, Expr, ExprSchemable, Operator, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl,
    Signature, TryCast, Volatility,
};

/// Wraps the items of an IN list that are neither literals nor columns.
pub(super) fn items(expression: Expr) -> Result<Transformed<Expr>> {
    let Expr::InList(InList { expr, list, negated }) = expression else { return Ok(Transformed::no(expression)) };
    let mut kept_apart = false;
    let list = list.into_iter().map(|item| match item {
        item @ (Expr::Literal(..) | Expr::Column(_)) => item,
        item => {
            kept_apart = true;
            Apart::call(item, 0)
        }
    });
    let list = list.collect();
    let expression = Expr::InList(InList { expr, list, negated });
    Ok(Transformed::new_transformed(expression, kept_apart))
}

/// Wraps the right side's IN lists of an AND or OR if the left side looks up the same expression.
pub(super) fn check(expression: Expr) -> Result<Transformed<Expr>> {
    let Expr::BinaryExpr(BinaryExpr { left, op: op @ (Operator::And | Operator::Or), right }) = &expression else {
        return Ok(Transformed::no(expression));
    };
    let before = lists(left)?;
    if before.is_empty() || !lists(right)?.iter().any(|list| before.contains(list)) {
        return Ok(Transformed::no(expression));
    }
    let number = before.len();
    let apart = right.as_ref().clone().transform_down(|part| match part {
        Expr::InList(InList { expr, list, negated }) if before.contains(&expr.as_ref()) => {
            let expr = Box::new(Apart::call(*expr, number));
            Ok(Transformed::new(Expr::InList(InList { expr, list, negated }), true, TreeNodeRecursion::Jump))
        }
        part => Ok(Transformed::no(part)),
    })?;
    Ok(Transformed::yes(Expr::BinaryExpr(BinaryExpr { left: left.clone(), op: *op, right: apart.data.into() })))
}

/// Wraps a CAST that can lose information, and every TRY_CAST. Otherwise `TRY_CAST(s AS INT) IS DISTINCT FROM NULL`
/// would become `s IS DISTINCT FROM NULL`.
pub(super) fn cast(expression: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let (of, to) = match &expression {
        Expr::Cast(Cast { expr, field }) => (expr, field.data_type()),
        Expr::TryCast(TryCast { .. }) => return Ok(Transformed::yes(Apart::call(expression, 0))),
        _ => return Ok(Transformed::no(expression)),
    };
    let loses = match (of.get_type(schema)?, to) {
        (from, to) if from.is_string() => !to.is_string(),
        (DataType::Decimal128(_, from) | DataType::Decimal256(_, from), DataType::Decimal128(_, to))
        | (DataType::Decimal128(_, from), DataType::Decimal256(_, to)) => from > *to,
        (DataType::Timestamp(from, _), DataType::Timestamp(to, _)) => from > *to,
        (from, to) => from.is_decimal() && to.is_integer(),
    };
    Ok(if loses { Transformed::yes(Apart::call(expression, 0)) } else { Transformed::no(expression) })
}

/// Returns the expressions that the conditions look up in IN lists.
fn lists(of: &Expr) -> Result<Vec<&Expr>> {
    let mut found = Vec::new();
    of.apply(|part| {
        Ok(match part {
            Expr::BinaryExpr(BinaryExpr { op: Operator::And | Operator::Or, .. }) | Expr::Not(_) => {
                TreeNodeRecursion::Continue
            }
            Expr::InList(InList { expr, .. }) => {
                found.push(expr.as_ref());
                TreeNodeRecursion::Jump
            }
            _ => TreeNodeRecursion::Jump,
        })
    })?;
    Ok(found)
}

/// Returns its argument unchanged, always as an array. Calls with different numbers are different expressions.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Apart {
    number: usize,
    signature: Signature,
}

impl Apart {
    fn call(of: Expr, number: usize) -> Expr {
        let function = Self { number, signature: Signature::any(1, Volatility::Immutable) };
        Expr::ScalarFunction(ScalarFunction::new_udf(Arc::new(ScalarUDF::from(function)), vec![of]))
    }
}

impl ScalarUDFImpl for Apart {
    fn name(&self) -> &'static str {
        "apart"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        types.first().cloned().ok_or_else(|| DataFusionError::Internal("apart has one value".into()))
    }

    fn invoke_with_args(&self, mut arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let of = arguments.args.pop().ok_or_else(|| DataFusionError::Internal("apart has one value".into()))?;
        Ok(ColumnarValue::Array(of.into_array(arguments.number_rows)?))
    }
}

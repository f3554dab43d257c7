//! One NaN. A processor makes it with a sign, x86 with a minus, and by that it would be less than all numbers, or another
//! value than one that was read; in SQL, as in Spark, it is greater than all, and equal to itself. So whatever may make one
//! gives the one without a sign.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Float32Array, Float64Array};
use arrow::datatypes::{DataType, Float32Type, Float64Type};
use datafusion::common::{Column, DFSchema, DataFusionError, Result};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    BinaryExpr, ColumnarValue, Expr, ExprSchemable, LogicalPlan, Operator, Projection, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature, Volatility,
};

/// Whether an expression may make a NaN of what is none, or turn its sign.
pub fn is_made_by(expression: &Expr, schema: &DFSchema) -> Result<bool> {
    let may = match expression {
        Expr::BinaryExpr(BinaryExpr { op, .. }) => {
            matches!(op, Operator::Plus | Operator::Minus | Operator::Multiply | Operator::Divide | Operator::Modulo)
        }
        Expr::Negative(_) => true,
        Expr::ScalarFunction(call) => !PASS_ON.contains(&call.func.name()),
        _ => false,
    };
    Ok(may && is_float(&expression.get_type(schema)?))
}

/// A plan with one NaN in the columns that it adds, if it aggregates.
pub fn above(plan: LogicalPlan) -> Result<LogicalPlan> {
    let passed_on = match &plan {
        LogicalPlan::Aggregate(aggregate) => aggregate.schema.fields().len() - aggregate.aggr_expr.len(),
        LogicalPlan::Window(window) => window.input.schema().fields().len(),
        _ => return Ok(plan),
    };
    let columns = plan.schema().iter().enumerate().map(|(n, (qualifier, field))| {
        let column = Expr::Column(Column::from((qualifier, field)));
        match n >= passed_on && is_float(field.data_type()) {
            true => (true, one(column).alias_qualified(qualifier.cloned(), field.name())),
            false => (false, column),
        }
    });
    let (added, columns): (Vec<_>, Vec<_>) = columns.unzip();
    if !added.contains(&true) {
        return Ok(plan);
    }
    Ok(LogicalPlan::Projection(Projection::try_new(columns, Arc::new(plan))?))
}

fn is_float(of: &DataType) -> bool {
    matches!(of, DataType::Float64 | DataType::Float32)
}

/// Functions that give what they are given, and make no number.
const PASS_ON: &[&str] = &[NAME, "apart", "coalesce", "nullif", "nvl", "nvl2", "greatest", "least", "get_field"];

const NAME: &str = "one_nan";

/// An expression, with one NaN.
pub fn one(of: Expr) -> Expr {
    let signature = Signature::any(1, Volatility::Immutable);
    Expr::ScalarFunction(ScalarFunction::new_udf(Arc::new(ScalarUDF::from(OneNan { signature })), vec![of]))
}

/// Floats with one NaN.
#[derive(Debug, PartialEq, Eq, Hash)]
struct OneNan {
    signature: Signature,
}

impl ScalarUDFImpl for OneNan {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        types.first().cloned().ok_or_else(|| DataFusionError::Internal("one_nan has one value".into()))
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [of] = arguments.args.as_slice() else {
            return Err(DataFusionError::Internal("one_nan has one value".into()));
        };
        let floats = of.to_array(arguments.number_rows)?;
        let floats: ArrayRef = match floats.data_type() {
            DataType::Float64 => {
                let one: Float64Array = floats.as_primitive::<Float64Type>().unary(double);
                Arc::new(one)
            }
            DataType::Float32 => {
                let one = |float: f32| if float.is_nan() { f32::NAN } else { float };
                let one: Float32Array = floats.as_primitive::<Float32Type>().unary(one);
                Arc::new(one)
            }
            _ => floats,
        };
        Ok(ColumnarValue::Array(floats))
    }
}

/// A double, with one NaN.
pub fn double(double: f64) -> f64 {
    if double.is_nan() { f64::NAN } else { double }
}

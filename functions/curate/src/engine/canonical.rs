//! A function that normalizes floats, so that equal values have one representation. Our rules wrap expressions in it.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Float32Array, Float64Array};
use arrow::datatypes::{DataType, Float32Type, Float64Type};
use datafusion::common::{DataFusionError, Result};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

/// The value that gets one representation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum One {
    /// -0.0 becomes +0.0.
    Zero,
    /// Every NaN becomes the one without a sign.
    Nan,
}

impl One {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Zero => "one_zero",
            Self::Nan => "one_nan",
        }
    }

    /// Wraps an expression of floats in the function.
    pub(super) fn of(self, of: Expr) -> Expr {
        let function = Canonical { one: self, signature: Signature::any(1, Volatility::Immutable) };
        Expr::ScalarFunction(ScalarFunction::new_udf(Arc::new(ScalarUDF::from(function)), vec![of]))
    }

    fn double(self, double: f64) -> f64 {
        match self {
            Self::Zero => double + 0.0,
            Self::Nan if double.is_nan() => f64::NAN,
            Self::Nan => double,
        }
    }

    fn float(self, float: f32) -> f32 {
        match self {
            Self::Zero => float + 0.0,
            Self::Nan if float.is_nan() => f32::NAN,
            Self::Nan => float,
        }
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Canonical {
    one: One,
    signature: Signature,
}

impl ScalarUDFImpl for Canonical {
    fn name(&self) -> &str {
        self.one.name()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        types.first().cloned().ok_or_else(|| DataFusionError::Internal(format!("{} has one value", self.name())))
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [of] = arguments.args.as_slice() else {
            return Err(DataFusionError::Internal(format!("{} has one value", self.name())));
        };
        let floats = of.to_array(arguments.number_rows)?;
        let floats: ArrayRef = match floats.data_type() {
            DataType::Float64 => {
                let one: Float64Array = floats.as_primitive::<Float64Type>().unary(|double| self.one.double(double));
                Arc::new(one)
            }
            DataType::Float32 => {
                let one: Float32Array = floats.as_primitive::<Float32Type>().unary(|float| self.one.float(float));
                Arc::new(one)
            }
            _ => floats,
        };
        Ok(ColumnarValue::Array(floats))
    }
}

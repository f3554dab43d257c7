//! `round` and `trunc` of doubles by the text of the number, as in Spark: round(1.005, 2) is 1.01, and trunc(8.41, 2) is
//! 8.41. Those of other numbers are DataFusion's.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float32Array, Float64Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, FieldRef, Float64Type, Int64Type};
use datafusion::common::{Result, ScalarValue};
use datafusion::functions::math;
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
};

use crate::engine::decimal::{self, Round};

/// Both.
pub fn functions() -> [ScalarUDF; 2] {
    [
        ScalarUDF::from(Rounding { inner: math::round(), how: Round::HalfUp }),
        ScalarUDF::from(Rounding { inner: math::trunc(), how: Round::Down }),
    ]
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Rounding {
    inner: Arc<ScalarUDF>,
    how: Round,
}

impl ScalarUDFImpl for Rounding {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.inner.return_type(types)
    }

    fn return_field_from_args(&self, arguments: ReturnFieldArgs) -> Result<FieldRef> {
        self.inner.return_field_from_args(arguments)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        self.inner.coerce_types(types)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let of = match arguments.args.first() {
            Some(of) if of.data_type().is_floating() => of.to_array(arguments.number_rows)?,
            _ => return self.inner.invoke_with_args(arguments),
        };
        let places = match arguments.args.get(1) {
            None => ColumnarValue::Scalar(ScalarValue::Int64(Some(0))),
            Some(places) => places.cast_to(&DataType::Int64, None)?,
        };
        let rounded: ArrayRef = match of.data_type() {
            DataType::Float32 => {
                let wide = cast(&of, &DataType::Float64)?;
                let rounded = self.all(wide.as_primitive::<Float64Type>(), &places)?;
                let narrow: Float32Array = rounded.unary(|double| double as f32);
                Arc::new(narrow)
            }
            _ => Arc::new(self.all(of.as_primitive::<Float64Type>(), &places)?),
        };
        Ok(ColumnarValue::Array(rounded))
    }
}

impl Rounding {
    fn all(&self, doubles: &Float64Array, places: &ColumnarValue) -> Result<Float64Array> {
        let round = |double: f64, places: i64| {
            let places = places.clamp(i64::from(i32::MIN), i64::from(i32::MAX)) as i32;
            decimal::round(double, places, self.how)
        };
        Ok(match places {
            ColumnarValue::Scalar(ScalarValue::Int64(Some(places))) => doubles.unary(|double| round(double, *places)),
            places => {
                let places = places.to_array(doubles.len())?;
                arrow::compute::binary(doubles, places.as_primitive::<Int64Type>(), round)?
            }
        })
    }
}

//! `round` and `trunc` of doubles by the text of the number, as in Spark: round(1.005, 2) is 1.01, and trunc(8.41, 2)
//! is 8.41. Other numbers use DataFusion's.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float32Array, Float64Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use datafusion::common::{Result, ScalarValue};
use datafusion::functions::math;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF};

use crate::engine::decimal::{self, Round};
use crate::engine::scalar::called;

pub(super) fn functions() -> [ScalarUDF; 2] {
    [
        called(math::round(), |function, arguments| rounded(function, arguments, Round::HalfUp)),
        called(math::trunc(), |function, arguments| rounded(function, arguments, Round::Down)),
    ]
}

fn rounded(function: &ScalarUDF, arguments: ScalarFunctionArgs, how: Round) -> Result<ColumnarValue> {
    let of = match arguments.args.first() {
        Some(of) if of.data_type().is_floating() => of.to_array(arguments.number_rows)?,
        _ => return function.invoke_with_args(arguments),
    };
    let places = match arguments.args.get(1) {
        None => ColumnarValue::Scalar(ScalarValue::Int64(Some(0))),
        Some(places) => places.cast_to(&DataType::Int64, None)?,
    };
    let rounded: ArrayRef = match of.data_type() {
        DataType::Float32 => {
            let wide = cast(&of, &DataType::Float64)?;
            let rounded = all(wide.as_primitive::<Float64Type>(), &places, how)?;
            let narrow: Float32Array = rounded.unary(|double| double as f32);
            Arc::new(narrow)
        }
        _ => Arc::new(all(of.as_primitive::<Float64Type>(), &places, how)?),
    };
    Ok(ColumnarValue::Array(rounded))
}

fn all(doubles: &Float64Array, places: &ColumnarValue, how: Round) -> Result<Float64Array> {
    let round = |double: f64, places: i64| {
        let places = places.clamp(i64::from(i32::MIN), i64::from(i32::MAX)) as i32;
        decimal::round(double, places, how)
    };
    Ok(match places {
        ColumnarValue::Scalar(ScalarValue::Int64(Some(places))) => doubles.unary(|double| round(double, *places)),
        places => {
            let places = places.to_array(doubles.len())?;
            arrow::compute::binary(doubles, places.as_primitive::<Int64Type>(), round)?
        }
    })
}

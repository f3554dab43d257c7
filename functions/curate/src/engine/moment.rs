//! Conversions between timestamps and numbers by functions that name their unit, as in Spark: `unix_seconds(ts)`,
//! `unix_millis(ts)`, `unix_micros(ts)`, `timestamp_seconds(n)`, `timestamp_millis(n)`, `timestamp_micros(n)`.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Int64Type, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
    TimestampSecondType,
};
use arrow::error::ArrowError;
use datafusion::common::{DataFusionError, Result, plan_err};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

/// The unit that a number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Unit {
    Seconds,
    Millis,
    Micros,
}

const UNITS: [Unit; 3] = [Unit::Seconds, Unit::Millis, Unit::Micros];
/// The type of timestamps made from numbers.
const MICROS: DataType = DataType::Timestamp(TimeUnit::Microsecond, None);

impl Unit {
    fn a_second(self) -> i64 {
        match self {
            Self::Seconds => 1,
            Self::Millis => 1_000,
            Self::Micros => 1_000_000,
        }
    }
}

pub(super) fn functions() -> impl Iterator<Item = ScalarUDF> {
    let signature = || Signature::user_defined(Volatility::Immutable);
    let numbers = UNITS.map(|unit| ScalarUDF::from(NumberOf { unit, signature: signature() }));
    let timestamps = UNITS.map(|unit| ScalarUDF::from(TimestampOf { unit, signature: signature() }));
    numbers.into_iter().chain(timestamps)
}

/// Converts a timestamp to the number of whole units since 1970, negative before 1970.
pub(super) fn number_of(unit: Unit, timestamp: Expr) -> Expr {
    let function = NumberOf { unit, signature: Signature::user_defined(Volatility::Immutable) };
    Expr::ScalarFunction(ScalarFunction::new_udf(Arc::new(ScalarUDF::from(function)), vec![timestamp]))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct NumberOf {
    unit: Unit,
    signature: Signature,
}

impl ScalarUDFImpl for NumberOf {
    fn name(&self) -> &str {
        match self.unit {
            Unit::Seconds => "unix_seconds",
            Unit::Millis => "unix_millis",
            Unit::Micros => "unix_micros",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        match types {
            [of @ DataType::Timestamp(..)] => Ok(vec![of.clone()]),
            [DataType::Date32 | DataType::Date64 | DataType::Null] => Ok(vec![MICROS]),
            _ => plan_err!("{}() is of a timestamp: CAST(… AS TIMESTAMP)", self.name()),
        }
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int64)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let of = only(&arguments)?;
        let (ticks, a_second) = ticks(&of)?;
        let wanted = self.unit.a_second();
        let number: Int64Array = if a_second >= wanted {
            ticks.unary(|tick| tick.div_euclid(a_second / wanted))
        } else {
            ticks.try_unary(|tick| product(tick, wanted / a_second))?
        };
        Ok(ColumnarValue::Array(Arc::new(number)))
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct TimestampOf {
    unit: Unit,
    signature: Signature,
}

impl ScalarUDFImpl for TimestampOf {
    fn name(&self) -> &str {
        match self.unit {
            Unit::Seconds => "timestamp_seconds",
            Unit::Millis => "timestamp_millis",
            Unit::Micros => "timestamp_micros",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        match types {
            [of] if of.is_integer() || of.is_null() => Ok(vec![DataType::Int64]),
            _ => plan_err!("{}() is of a whole number: CAST(… AS BIGINT)", self.name()),
        }
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(MICROS)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let of = only(&arguments)?;
        let factor = Unit::Micros.a_second() / self.unit.a_second();
        let micros: Int64Array = of.as_primitive::<Int64Type>().try_unary(|number| product(number, factor))?;
        Ok(ColumnarValue::Array(cast(&micros, &MICROS)?))
    }
}

fn only(arguments: &ScalarFunctionArgs) -> Result<ArrayRef> {
    let [of] = arguments.args.as_slice() else {
        return Err(DataFusionError::Internal("a function of one value".into()));
    };
    of.to_array(arguments.number_rows)
}

/// Returns the integers that store the timestamps, and how many of them make a second.
fn ticks(timestamps: &ArrayRef) -> Result<(Int64Array, i64)> {
    let DataType::Timestamp(unit, _) = timestamps.data_type() else {
        return Err(DataFusionError::Internal("no timestamp".into()));
    };
    Ok(match unit {
        TimeUnit::Second => (timestamps.as_primitive::<TimestampSecondType>().reinterpret_cast(), 1),
        TimeUnit::Millisecond => (timestamps.as_primitive::<TimestampMillisecondType>().reinterpret_cast(), 1_000),
        TimeUnit::Microsecond => (timestamps.as_primitive::<TimestampMicrosecondType>().reinterpret_cast(), 1_000_000),
        TimeUnit::Nanosecond => {
            (timestamps.as_primitive::<TimestampNanosecondType>().reinterpret_cast(), 1_000_000_000)
        }
    })
}

fn product(number: i64, factor: i64) -> Result<i64, ArrowError> {
    let product = number.checked_mul(factor);
    product.ok_or_else(|| ArrowError::ArithmeticOverflow(format!("{number} is beyond the timestamps")))
}

//! CASTs that DataFusion evaluates differently from what people mean. A double becomes the decimal that its text shows.
//! Between times and numbers, DataFusion counts days, milliseconds or nanoseconds, depending on how the value is
//! stored. Here they are seconds, as in Spark, and a CAST without an obvious unit is refused.

use std::sync::Arc;

use arrow::datatypes::{DECIMAL128_MAX_PRECISION, DataType, TimeUnit};
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, DataFusionError, Result, plan_err};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    Cast, ColumnarValue, Expr, ExprSchemable, LogicalPlan, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    TryCast, Volatility, cast, lit,
};

use crate::engine::decimal;
use crate::engine::moment::{Unit, number_of};
use crate::engine::rewrite::{rewrite, same_step};

/// Rewrites the CASTs of the SQL text. Runs before type coercion adds others.
pub(super) fn mend(plan: LogicalPlan) -> Result<LogicalPlan> {
    rewrite(plan, time, same_step)
}

/// The kind of value that a type holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Whole,
    Fraction,
    Boolean,
    Date,
    Timestamp,
    /// A time of day or an interval.
    Span,
    Other,
}

fn kind(of: &DataType) -> Kind {
    match of {
        of if of.is_integer() => Kind::Whole,
        of if of.is_numeric() => Kind::Fraction,
        DataType::Boolean => Kind::Boolean,
        DataType::Date32 | DataType::Date64 => Kind::Date,
        DataType::Timestamp(..) => Kind::Timestamp,
        DataType::Time32(_) | DataType::Time64(_) | DataType::Duration(_) | DataType::Interval(_) => Kind::Span,
        _ => Kind::Other,
    }
}

/// Rewrites or refuses a CAST between a time and a number.
fn time(expression: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let (of, to, tried) = match &expression {
        Expr::Cast(Cast { expr, field }) => (expr, field.data_type(), false),
        Expr::TryCast(TryCast { expr, field }) => (expr, field.data_type(), true),
        Expr::ScalarFunction(call) if matches!(call.func.name(), "arrow_cast" | "arrow_try_cast" | "to_date") => {
            let from = call.args.first().map(|of| of.get_type(schema)).transpose()?;
            let to = expression.get_type(schema)?;
            if let Some(from) = from {
                refused(&from, &to)?;
                if kind(&from) == Kind::Timestamp && is_number(kind(&to)) {
                    return refuse(&from, &to, "unix_millis(ts), or unix_seconds(ts)");
                }
            }
            return Ok(Transformed::no(expression));
        }
        _ => return Ok(Transformed::no(expression)),
    };
    let from = of.get_type(schema)?;
    refused(&from, to)?;
    let again =
        |of: Expr| if tried { Expr::TryCast(TryCast::new(of.into(), to.clone())) } else { cast(of, to.clone()) };
    match (kind(&from), kind(to)) {
        (Kind::Timestamp, Kind::Whole) => Ok(Transformed::yes(again(number_of(Unit::Seconds, of.as_ref().clone())))),
        (Kind::Timestamp, Kind::Fraction) if matches!(to, DataType::Float32 | DataType::Float64) => {
            let micros = cast(number_of(Unit::Micros, of.as_ref().clone()), DataType::Float64);
            Ok(Transformed::yes(again(micros / lit(1e6))))
        }
        (Kind::Whole, Kind::Timestamp) if !matches!(to, DataType::Timestamp(TimeUnit::Second, _)) => {
            let DataType::Timestamp(_, zone) = to else { return Ok(Transformed::no(expression)) };
            let seconds = cast(of.as_ref().clone(), DataType::Int64);
            Ok(Transformed::yes(again(cast(seconds, DataType::Timestamp(TimeUnit::Second, zone.clone())))))
        }
        _ => Ok(Transformed::no(expression)),
    }
}

fn is_number(kind: Kind) -> bool {
    matches!(kind, Kind::Whole | Kind::Fraction)
}

/// Fails for a CAST that would have to guess a unit, at any depth of lists and structs.
fn refused(from: &DataType, to: &DataType) -> Result<()> {
    match (from, to) {
        (
            DataType::List(from) | DataType::LargeList(from) | DataType::FixedSizeList(from, _),
            DataType::List(to) | DataType::LargeList(to) | DataType::FixedSizeList(to, _),
        ) => {
            return if inner_times(from.data_type(), to.data_type()) {
                refuse(from.data_type(), to.data_type(), "a CAST of each element")
            } else {
                refused(from.data_type(), to.data_type())
            };
        }
        (DataType::Struct(from), DataType::Struct(to)) => {
            return from.iter().zip(to).try_for_each(|(from, to)| {
                if inner_times(from.data_type(), to.data_type()) {
                    refuse(from.data_type(), to.data_type(), "a CAST of each field")
                } else {
                    refused(from.data_type(), to.data_type())
                }
            });
        }
        _ => {}
    }
    let way = match (kind(from), kind(to)) {
        (Kind::Date, to) if is_number(to) => "d - DATE '1970-01-01', which are days",
        (from, Kind::Date) if is_number(from) => {
            "DATE '1970-01-01' + n for days, make_date(n / 10000, n / 100 % 100, n % 100) for yyyymmdd"
        }
        (Kind::Span, to) if is_number(to) => "unix_micros(b) - unix_micros(a) of two timestamps",
        (from, Kind::Span) if is_number(from) => "INTERVAL '1' SECOND * n",
        (Kind::Fraction, Kind::Timestamp) => "timestamp_micros(CAST(x * 1000000 AS BIGINT))",
        (Kind::Timestamp, Kind::Fraction) if !matches!(to, DataType::Float32 | DataType::Float64) => {
            "CAST(CAST(ts AS DOUBLE) AS DECIMAL(20,6)), or unix_micros(ts)"
        }
        (Kind::Boolean, Kind::Date | Kind::Timestamp | Kind::Span)
        | (Kind::Date | Kind::Timestamp | Kind::Span, Kind::Boolean) => "CASE WHEN … THEN … END",
        _ => return Ok(()),
    };
    refuse(from, to, way)
}

/// Whether one type is a timestamp and the other a number. [`time`] rewrites such a CAST only at the top level.
fn inner_times(from: &DataType, to: &DataType) -> bool {
    let (from, to) = (kind(from), kind(to));
    from == Kind::Timestamp && is_number(to) || is_number(from) && to == Kind::Timestamp
}

fn refuse<T>(from: &DataType, to: &DataType, way: &str) -> Result<T> {
    plan_err!("a CAST of {} to {} would have to guess a unit: write {way}", said(from), said(to))
}

fn said(of: &DataType) -> &'static str {
    match (kind(of), of) {
        (Kind::Whole | Kind::Fraction, _) => "a number",
        (Kind::Boolean, _) => "a boolean",
        (Kind::Date, _) => "a date",
        (Kind::Timestamp, _) => "a timestamp",
        (Kind::Span, DataType::Time32(_) | DataType::Time64(_)) => "a time",
        (Kind::Span, _) => "an interval",
        (Kind::Other, _) => "a value",
    }
}

/// Makes a CAST of a double or float to a decimal exact, whoever added the CAST. Refuses a CAST between a date and a
/// number: DataFusion adds one, to days since 1970, where the SQL has a date beside a number.
pub(super) fn check(expression: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let (of, to, tried) = match &expression {
        Expr::Cast(Cast { expr, field }) => (expr, field.data_type(), false),
        Expr::TryCast(TryCast { expr, field }) => (expr, field.data_type(), true),
        _ => return Ok(Transformed::no(expression)),
    };
    match (kind(&of.get_type(schema)?), kind(to)) {
        (Kind::Date, number) | (number, Kind::Date) if is_number(number) => {
            return plan_err!(
                "a date and a number cannot be combined: write the date as DATE '2024-01-31', or the number as a \
                 date, as in make_date(n / 10000, n / 100 % 100, n % 100) for yyyymmdd"
            );
        }
        _ => {}
    }
    let DataType::Decimal128(precision, scale) = *to else { return Ok(Transformed::no(expression)) };
    if !of.get_type(schema)?.is_floating() || precision > DECIMAL128_MAX_PRECISION {
        return Ok(Transformed::no(expression));
    }
    let signature = Signature::any(1, Volatility::Immutable);
    let function = Arc::new(ScalarUDF::from(DecimalOfFloat { precision, scale, tried, signature }));
    Ok(Transformed::yes(Expr::ScalarFunction(ScalarFunction::new_udf(function, vec![of.as_ref().clone()]))))
}

/// CAST of a double or float to a decimal.
#[derive(Debug, PartialEq, Eq, Hash)]
struct DecimalOfFloat {
    precision: u8,
    scale: i8,
    tried: bool,
    signature: Signature,
}

impl ScalarUDFImpl for DecimalOfFloat {
    fn name(&self) -> &str {
        if self.tried { "try_decimal_of_float" } else { "decimal_of_float" }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Decimal128(self.precision, self.scale))
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [of] = arguments.args.as_slice() else {
            return Err(DataFusionError::Internal("a CAST has one value".into()));
        };
        let floats = of.to_array(arguments.number_rows)?;
        Ok(ColumnarValue::Array(decimal::of_floats(&floats, self.precision, self.scale, self.tried)?))
    }
}

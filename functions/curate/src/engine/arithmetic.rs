//! `+`, `-`, `*`, `/`, `<<` and negation that fail if the result overflows its type. DataFusion's own wrap around, or
//! return decimals with too many digits: a number past the largest one would silently become a small one. Spark and
//! Athena fail too. Decimals divide as in Spark: rounded half up, to the number of digits that Spark returns.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Datum, Decimal128Array, PrimitiveArray};
use arrow::compute::kernels::arity::try_binary;
use arrow::compute::kernels::numeric::{add, mul, neg, sub};
use arrow::datatypes::{
    ArrowPrimitiveType, DECIMAL128_MAX_PRECISION, DECIMAL256_MAX_PRECISION, DataType, Decimal128Type, Decimal256Type,
    Int32Type, Int64Type, UInt64Type, i256,
};
use arrow::error::ArrowError;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, DataFusionError, Result};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    BinaryExpr, ColumnarValue, Expr, ExprSchemable, LogicalPlan, Operator, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature, Volatility,
};
use datafusion::optimizer::AnalyzerRule;
use datafusion::physical_expr_common::datum::apply;

use crate::engine::canonical::One;
use crate::engine::decimal::divide_half_up;
use crate::engine::rewrite::rewrite;
use crate::engine::{apart, cast, nan, zero};

/// Replaces the operators by [`Checked`]. Runs after type coercion.
#[derive(Debug)]
pub(super) struct CheckArithmetic;

impl AnalyzerRule for CheckArithmetic {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        rewrite(plan, check, |plan, _| zero::sort(nan::above(plan)?))
    }

    fn name(&self) -> &'static str {
        "check_arithmetic"
    }
}

fn check(expression: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    if nan::is_made_by(&expression, schema)? {
        return Ok(Transformed::yes(One::Nan.of(expression)));
    }
    match &expression {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
            let Some(operation) = Operation::of(*op) else { return apart::check(expression) };
            let types = (left.get_type(schema)?, right.get_type(schema)?);
            let checked = match types {
                (left, right) if left.is_integer() => left == right,
                (DataType::Decimal128(..), DataType::Decimal128(..)) => operation != Operation::ShiftLeft,
                (DataType::Decimal256(..), DataType::Decimal256(..)) => operation.is_exact(),
                _ => false,
            };
            if checked && !(operation == Operation::Divide && left.get_type(schema)?.is_integer()) {
                let result = result_type(operation, &expression, schema)?;
                let sides = vec![left.as_ref().clone(), right.as_ref().clone()];
                Ok(Transformed::yes(Checked::call(operation, result, sides)))
            } else {
                Ok(Transformed::no(expression))
            }
        }
        Expr::Negative(of) => {
            let result = of.get_type(schema)?;
            if result.is_integer() || matches!(result, DataType::Duration(_)) {
                Ok(Transformed::yes(Checked::call(Operation::Negate, result, vec![of.as_ref().clone()])))
            } else {
                Ok(Transformed::no(expression))
            }
        }
        Expr::WindowFunction(_) | Expr::AggregateFunction(_) | Expr::Case(_) => zero::check(expression, schema),
        Expr::InList(_) => apart::items(expression),
        _ => cast::check(expression, schema)?.transform_sibling(|expression| apart::cast(expression, schema)),
    }
}

fn result_type(operation: Operation, expression: &Expr, schema: &DFSchema) -> Result<DataType> {
    match (operation, expression) {
        (Operation::Divide, Expr::BinaryExpr(BinaryExpr { left, right, .. })) => {
            Ok(quotient(&left.get_type(schema)?, &right.get_type(schema)?))
        }
        _ => expression.get_type(schema),
    }
}

/// Returns Spark's type of the quotient of two decimals.
fn quotient(left: &DataType, right: &DataType) -> DataType {
    let (DataType::Decimal128(p1, s1), DataType::Decimal128(p2, s2)) = (left, right) else { return left.clone() };
    let [p1, s1, p2, s2] = [i32::from(*p1), i32::from(*s1), i32::from(*p2), i32::from(*s2)];
    let scale = (s1 + p2 + 1).max(6);
    let precision = p1 - s1 + s2 + scale;
    let most = i32::from(DECIMAL128_MAX_PRECISION);
    // if there are too many digits, those after the point are dropped first, down to six
    let scale = if precision > most { scale.min(6).max(most - (precision - scale)) } else { scale };
    DataType::Decimal128(precision.min(most) as u8, scale.min(most) as i8)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Operation {
    Add,
    Subtract,
    Multiply,
    Divide,
    ShiftLeft,
    Negate,
}

impl Operation {
    fn of(operator: Operator) -> Option<Self> {
        Some(match operator {
            Operator::Plus => Self::Add,
            Operator::Minus => Self::Subtract,
            Operator::Multiply => Self::Multiply,
            Operator::Divide => Self::Divide,
            Operator::BitwiseShiftLeft => Self::ShiftLeft,
            _ => return None,
        })
    }

    fn is_exact(self) -> bool {
        matches!(self, Self::Add | Self::Subtract | Self::Multiply)
    }
}

/// An arithmetic operator that fails on overflow.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Checked {
    operation: Operation,
    result: DataType,
    signature: Signature,
}

impl Checked {
    fn call(operation: Operation, result: DataType, sides: Vec<Expr>) -> Expr {
        let signature = Signature::any(sides.len(), Volatility::Immutable);
        let function = Arc::new(ScalarUDF::from(Self { operation, result, signature }));
        Expr::ScalarFunction(ScalarFunction::new_udf(function, sides))
    }
}

impl ScalarUDFImpl for Checked {
    fn name(&self) -> &str {
        match self.operation {
            Operation::Add => "checked_add",
            Operation::Subtract => "checked_subtract",
            Operation::Multiply => "checked_multiply",
            Operation::Divide => "checked_divide",
            Operation::ShiftLeft => "checked_shift_left",
            Operation::Negate => "checked_negate",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.result.clone())
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        match (self.operation, arguments.args.as_slice()) {
            (Operation::Negate, [of]) => {
                let array = of.to_array(arguments.number_rows)?;
                Ok(ColumnarValue::Array(neg(&array)?))
            }
            (Operation::Add, [left, right]) => self.exact(left, right, add),
            (Operation::Subtract, [left, right]) => self.exact(left, right, sub),
            (Operation::Multiply, [left, right]) => self.exact(left, right, mul),
            (Operation::Divide, [left, right]) => {
                let sides = ColumnarValue::values_to_arrays(&[left.clone(), right.clone()])?;
                Ok(ColumnarValue::Array(divide(&sides[0], &sides[1], &self.result)?))
            }
            (Operation::ShiftLeft, [left, right]) => {
                let sides = ColumnarValue::values_to_arrays(&[left.clone(), right.clone()])?;
                Ok(ColumnarValue::Array(shift_left(&sides[0], &sides[1])?))
            }
            _ => Err(DataFusionError::Internal("an operator has two sides".into())),
        }
    }
}

impl Checked {
    fn exact(
        &self,
        left: &ColumnarValue,
        right: &ColumnarValue,
        operate: fn(&dyn Datum, &dyn Datum) -> Result<ArrayRef, ArrowError>,
    ) -> Result<ColumnarValue> {
        let result = apply(left, right, operate)?;
        // only a type that was capped at the maximum precision can be too small for the result
        if let DataType::Decimal128(DECIMAL128_MAX_PRECISION, _) | DataType::Decimal256(DECIMAL256_MAX_PRECISION, _) =
            self.result
        {
            check_digits(result.to_array(1)?.as_ref())?;
        }
        Ok(result)
    }
}

/// Fails if a decimal has more digits than its type.
pub(super) fn check_digits(decimals: &dyn Array) -> Result<(), ArrowError> {
    match decimals.data_type() {
        DataType::Decimal128(precision, _) => {
            decimals.as_primitive::<Decimal128Type>().validate_decimal_precision(*precision)
        }
        DataType::Decimal256(precision, _) => {
            decimals.as_primitive::<Decimal256Type>().validate_decimal_precision(*precision)
        }
        _ => Ok(()),
    }
}

fn divide(left: &dyn Array, right: &dyn Array, to: &DataType) -> Result<ArrayRef, ArrowError> {
    let (DataType::Decimal128(_, s1), DataType::Decimal128(_, s2), DataType::Decimal128(precision, scale)) =
        (left.data_type(), right.data_type(), to)
    else {
        return Err(ArrowError::InvalidArgumentError("decimals divide decimals".into()));
    };
    let ten = i256::from_i128(10);
    // the power of ten to scale the left side by, or the right side if it is negative
    let shift = i32::from(*scale) - i32::from(*s1) + i32::from(*s2);
    let power = ten.checked_pow(shift.unsigned_abs()).unwrap_or(i256::MAX);
    let (more, of_right) = if shift >= 0 { (power, i256::ONE) } else { (i256::ONE, power) };
    let overflow = || ArrowError::ArithmeticOverflow(format!("the quotient does not fit decimal({precision},{scale})"));
    let quotients: Decimal128Array =
        try_binary(left.as_primitive::<Decimal128Type>(), right.as_primitive::<Decimal128Type>(), |left, right| {
            if right == 0 {
                return Err(ArrowError::DivideByZero);
            }
            let left = i256::from_i128(left).checked_mul(more).ok_or_else(overflow)?;
            let right = i256::from_i128(right).checked_mul(of_right).ok_or_else(overflow)?;
            divide_half_up(left, right).and_then(i256::to_i128).ok_or_else(overflow)
        })?;
    let quotients = quotients.with_precision_and_scale(*precision, *scale)?;
    quotients.validate_decimal_precision(*precision)?;
    Ok(Arc::new(quotients))
}

fn shift_left(left: &dyn Array, by: &dyn Array) -> Result<ArrayRef, ArrowError> {
    match left.data_type() {
        DataType::Int32 => shifted::<Int32Type>(left, by, |number, by| back(number << by, by, number)),
        DataType::Int64 => shifted::<Int64Type>(left, by, |number, by| back(number << by, by, number)),
        DataType::UInt64 => shifted::<UInt64Type>(left, by, |number, by| back(number << by, by, number)),
        other => Err(ArrowError::NotYetImplemented(format!("<< of {other}: CAST it AS BIGINT"))),
    }
}

/// Returns the shifted number, or `None` if bits were lost.
fn back<T: Copy + PartialEq + std::ops::Shr<u32, Output = T>>(shifted: T, by: u32, number: T) -> Option<T> {
    (shifted >> by == number).then_some(shifted)
}

fn shifted<T: ArrowPrimitiveType<Native: TryInto<u32> + std::fmt::Display>>(
    left: &dyn Array,
    by: &dyn Array,
    shift: fn(T::Native, u32) -> Option<T::Native>,
) -> Result<ArrayRef, ArrowError> {
    let bits = 8 * size_of::<T::Native>() as u32;
    let shifted: PrimitiveArray<T> = try_binary(left.as_primitive::<T>(), by.as_primitive::<T>(), |number, by| {
        let places = by.try_into().ok().filter(|places| *places < bits);
        let shifted = places.and_then(|places| shift(number, places));
        shifted.ok_or_else(|| ArrowError::ArithmeticOverflow(format!("Overflow happened on: {number} << {by}")))
    })?;
    Ok(Arc::new(shifted))
}

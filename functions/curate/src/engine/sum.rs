//! `sum` of integers, decimals and durations that fails if the result overflows its type. DataFusion's own wraps
//! around. Values are added up in more bits, so that only the result counts and not the order of the rows.

use std::fmt::Display;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, Decimal128Array, PrimitiveArray};
use arrow::compute::cast;
use arrow::datatypes::{
    ArrowPrimitiveType, DECIMAL256_MAX_PRECISION, DataType, Decimal128Type, Decimal256Type, DecimalType, Field,
    FieldRef, Int64Type, UInt64Type, i256,
};
use datafusion::common::{Result, ScalarValue, exec_err, plan_err};
use datafusion::functions_aggregate::sum::Sum;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{
    Accumulator, AggregateUDFImpl, EmitTo, GroupsAccumulator, ReversedUDAF, SetMonotonicity, Signature,
};

use crate::engine::frame::{Doubles, Frame};

/// `sum`. Doubles use DataFusion's, except over moving windows.
#[derive(Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct CheckedSum(Sum);

/// Returns the type to add values up in, if their sum may overflow its own type.
fn wide_of(of: &DataType, to: &DataType) -> Option<DataType> {
    match (of, to) {
        (_, DataType::Int64 | DataType::UInt64 | DataType::Duration(_)) => Some(DataType::Decimal128(38, 0)),
        // a sum has ten digits more than its values, up to the maximum
        (DataType::Decimal128(precision, _), DataType::Decimal128(_, scale)) if *precision > 28 => {
            Some(DataType::Decimal256(DECIMAL256_MAX_PRECISION, *scale))
        }
        _ => None,
    }
}

impl AggregateUDFImpl for CheckedSum {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn signature(&self) -> &Signature {
        self.0.signature()
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        match types {
            [DataType::Interval(_)] => plan_err!("sum of intervals: sum the numbers of seconds, days or months"),
            types => self.0.return_type(types),
        }
    }

    fn accumulator(&self, arguments: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        let to = arguments.return_field.data_type().clone();
        let Some(wide) = arguments.expr_fields.first().and_then(|of| wide_of(of.data_type(), &to)) else {
            return self.0.accumulator(arguments);
        };
        let return_field = widened(&arguments.return_field, &wide);
        let sum = self.0.accumulator(AccumulatorArgs { return_field, ..arguments })?;
        Ok(Box::new(Checked { sum, wide, to }))
    }

    fn state_fields(&self, arguments: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let to = arguments.return_field.data_type().clone();
        let Some(wide) = arguments.input_fields.first().and_then(|of| wide_of(of.data_type(), &to)) else {
            return self.0.state_fields(arguments);
        };
        self.0.state_fields(StateFieldsArgs { return_field: widened(&arguments.return_field, &wide), ..arguments })
    }

    fn groups_accumulator_supported(&self, arguments: AccumulatorArgs) -> bool {
        self.0.groups_accumulator_supported(arguments)
    }

    fn create_groups_accumulator(&self, arguments: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        let to = arguments.return_field.data_type().clone();
        let Some(wide) = arguments.expr_fields.first().and_then(|of| wide_of(of.data_type(), &to)) else {
            return self.0.create_groups_accumulator(arguments);
        };
        let return_field = widened(&arguments.return_field, &wide);
        let sums = self.0.create_groups_accumulator(AccumulatorArgs { return_field, ..arguments })?;
        Ok(Box::new(CheckedGroups { sums, wide, to }))
    }

    fn create_sliding_accumulator(&self, arguments: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        // DataFusion's slides only over distinct 64-bit values, and wraps around
        if arguments.is_distinct {
            return Ok(Box::new(Frame::of(arguments, |arguments| Self::default().accumulator(arguments))));
        }
        let to = arguments.return_field.data_type().clone();
        if to == DataType::Float64 {
            return Ok(Box::new(Doubles::sum()));
        }
        let Some(wide) = arguments.expr_fields.first().and_then(|of| wide_of(of.data_type(), &to)) else {
            return self.0.create_sliding_accumulator(arguments);
        };
        let return_field = widened(&arguments.return_field, &wide);
        let sum = self.0.create_sliding_accumulator(AccumulatorArgs { return_field, ..arguments })?;
        Ok(Box::new(Checked { sum, wide, to }))
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        self.0.reverse_expr()
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        self.0.order_sensitivity()
    }

    fn set_monotonicity(&self, data_type: &DataType) -> SetMonotonicity {
        self.0.set_monotonicity(data_type)
    }
}

fn widened(field: &FieldRef, wide: &DataType) -> FieldRef {
    Field::new(field.name(), wide.clone(), field.is_nullable()).into()
}

fn too_large<T>(sum: impl Display, to: &DataType) -> Result<T> {
    match to {
        DataType::Decimal128(..) => exec_err!("the sum is beyond {to}: it has more than 38 digits"),
        DataType::Duration(_) => exec_err!("the sum of the intervals is beyond {to}"),
        _ => {
            exec_err!("the sum is {sum}, which does not fit {to}: sum decimals, as in sum(CAST(n AS DECIMAL(20,0)))")
        }
    }
}

/// The accumulator of one sum.
#[derive(Debug)]
struct Checked {
    sum: Box<dyn Accumulator>,
    wide: DataType,
    to: DataType,
}

impl Accumulator for Checked {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.sum.update_batch(&widen(values, &self.wide)?)
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let sum = match (self.sum.evaluate()?, &self.to) {
            (ScalarValue::Decimal128(Some(sum), ..), DataType::Int64) => match i64::try_from(sum) {
                Ok(sum) => return Ok(ScalarValue::from(sum)),
                Err(_) => return too_large(sum, &self.to),
            },
            (sum, _) => sum,
        };
        ScalarValue::try_from_array(&narrow(&sum.to_array()?, &self.to)?, 0)
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.sum.size()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        self.sum.state()
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.sum.merge_batch(states)
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.sum.retract_batch(&widen(values, &self.wide)?)
    }

    fn supports_retract_batch(&self) -> bool {
        self.sum.supports_retract_batch()
    }
}

/// The accumulator of the sums of many groups.
struct CheckedGroups {
    sums: Box<dyn GroupsAccumulator>,
    wide: DataType,
    to: DataType,
}

impl GroupsAccumulator for CheckedGroups {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        count: usize,
    ) -> Result<()> {
        self.sums.update_batch(&widen(values, &self.wide)?, groups, filter, count)
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        narrow(&self.sums.evaluate(emit_to)?, &self.to)
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        self.sums.state(emit_to)
    }

    fn merge_batch(&mut self, states: &[ArrayRef], groups: &[usize], count: usize) -> Result<()> {
        self.sums.merge_batch(states, groups, count)
    }

    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        self.sums.convert_to_state(&widen(values, &self.wide)?, filter)
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.sums.size()
    }
}

fn widen(values: &[ArrayRef], wide: &DataType) -> Result<Vec<ArrayRef>> {
    let widen = |values: &ArrayRef| match values.data_type() {
        DataType::Duration(_) => cast(&cast(values, &DataType::Int64)?, wide),
        _ => cast(values, wide),
    };
    values.iter().map(|values| Ok(widen(values)?)).collect()
}

fn narrow(sums: &ArrayRef, to: &DataType) -> Result<ArrayRef> {
    match to {
        DataType::UInt64 => whole::<UInt64Type>(sums, to),
        DataType::Decimal128(precision, scale) => {
            let sums = sums.as_primitive::<Decimal256Type>();
            let narrow = |sum: i256| match sum.to_i128() {
                Some(narrow) if Decimal128Type::is_valid_decimal_precision(narrow, *precision) => Ok(narrow),
                _ => too_large(sum, to),
            };
            let narrowed: Decimal128Array = sums.try_unary(narrow)?;
            Ok(Arc::new(narrowed.with_precision_and_scale(*precision, *scale)?))
        }
        DataType::Duration(_) => Ok(cast(&whole::<Int64Type>(sums, to)?, to)?),
        _ => whole::<Int64Type>(sums, to),
    }
}

fn whole<T: ArrowPrimitiveType<Native: TryFrom<i128>>>(sums: &ArrayRef, to: &DataType) -> Result<ArrayRef> {
    let sums = sums.as_primitive::<Decimal128Type>();
    let narrow = |sum: i128| T::Native::try_from(sum).or_else(|_| too_large(sum, to));
    let narrowed: PrimitiveArray<T> = sums.try_unary(narrow)?;
    Ok(Arc::new(narrowed))
}

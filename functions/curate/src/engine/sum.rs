//! `sum` of whole numbers that stops where the result is none of 64 bits. DataFusion's own wraps around. Numbers are added
//! up in 128 bits, so that only the result counts and not the order of the rows.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, PrimitiveArray};
use arrow::compute::cast;
use arrow::datatypes::{ArrowPrimitiveType, DataType, Decimal128Type, Field, FieldRef, Int64Type, UInt64Type};
use datafusion::common::{Result, ScalarValue, exec_err};
use datafusion::functions_aggregate::sum::Sum;
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{
    Accumulator, AggregateUDFImpl, EmitTo, Expr, GroupsAccumulator, Operator, ReversedUDAF, SetMonotonicity, Signature,
};

/// As whole numbers are added up.
const WIDE: DataType = DataType::Decimal128(38, 0);

/// `sum`. That of other numbers is DataFusion's.
#[derive(Debug, Default, PartialEq, Eq, Hash)]
pub struct CheckedSum(Sum);

impl AggregateUDFImpl for CheckedSum {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn signature(&self) -> &Signature {
        self.0.signature()
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.0.return_type(types)
    }

    fn accumulator(&self, arguments: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        let to = arguments.return_field.data_type().clone();
        if !to.is_integer() {
            return self.0.accumulator(arguments);
        }
        let wide =
            self.0.accumulator(AccumulatorArgs { return_field: widened(&arguments.return_field), ..arguments })?;
        Ok(Box::new(Checked { wide, to }))
    }

    fn state_fields(&self, arguments: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        if !arguments.return_field.data_type().is_integer() {
            return self.0.state_fields(arguments);
        }
        self.0.state_fields(StateFieldsArgs { return_field: widened(&arguments.return_field), ..arguments })
    }

    fn groups_accumulator_supported(&self, arguments: AccumulatorArgs) -> bool {
        self.0.groups_accumulator_supported(arguments)
    }

    fn create_groups_accumulator(&self, arguments: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        let to = arguments.return_field.data_type().clone();
        if !to.is_integer() {
            return self.0.create_groups_accumulator(arguments);
        }
        let return_field = widened(&arguments.return_field);
        let wide = self.0.create_groups_accumulator(AccumulatorArgs { return_field, ..arguments })?;
        Ok(Box::new(CheckedGroups { wide, to }))
    }

    fn create_sliding_accumulator(&self, arguments: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        let to = arguments.return_field.data_type().clone();
        // DataFusion's slides over distinct values of 64 bits only
        if !to.is_integer() || arguments.is_distinct {
            return self.0.create_sliding_accumulator(arguments);
        }
        let return_field = widened(&arguments.return_field);
        let wide = self.0.create_sliding_accumulator(AccumulatorArgs { return_field, ..arguments })?;
        Ok(Box::new(Checked { wide, to }))
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

    fn simplify_expr_op_literal(
        &self,
        function: &AggregateFunction,
        argument: &Expr,
        operator: Operator,
        literal: &Expr,
        argument_is_left: bool,
    ) -> Result<Option<Expr>> {
        self.0.simplify_expr_op_literal(function, argument, operator, literal, argument_is_left)
    }
}

fn widened(field: &FieldRef) -> FieldRef {
    Field::new(field.name(), WIDE, field.is_nullable()).into()
}

fn too_large<T>(sum: i128, to: &DataType) -> Result<T> {
    exec_err!("the sum is {sum}, beyond the numbers of {to}: sum decimals, as in sum(CAST(n AS DECIMAL(20,0)))")
}

/// One sum.
#[derive(Debug)]
struct Checked {
    wide: Box<dyn Accumulator>,
    to: DataType,
}

impl Accumulator for Checked {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.wide.update_batch(&wide(values)?)
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let ScalarValue::Decimal128(sum, ..) = self.wide.evaluate()? else {
            return exec_err!("a sum of whole numbers that is none");
        };
        let Some(sum) = sum else { return ScalarValue::try_from(&self.to) };
        match self.to {
            DataType::UInt64 => u64::try_from(sum).map(ScalarValue::from).or_else(|_| too_large(sum, &self.to)),
            _ => i64::try_from(sum).map(ScalarValue::from).or_else(|_| too_large(sum, &self.to)),
        }
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.wide.size()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        self.wide.state()
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.wide.merge_batch(states)
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.wide.retract_batch(&wide(values)?)
    }

    fn supports_retract_batch(&self) -> bool {
        self.wide.supports_retract_batch()
    }
}

/// The sums of many groups.
struct CheckedGroups {
    wide: Box<dyn GroupsAccumulator>,
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
        self.wide.update_batch(&wide(values)?, groups, filter, count)
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let sums = self.wide.evaluate(emit_to)?;
        match self.to {
            DataType::UInt64 => narrow::<UInt64Type>(&sums),
            _ => narrow::<Int64Type>(&sums),
        }
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        self.wide.state(emit_to)
    }

    fn merge_batch(&mut self, states: &[ArrayRef], groups: &[usize], count: usize) -> Result<()> {
        self.wide.merge_batch(states, groups, count)
    }

    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        self.wide.convert_to_state(&wide(values)?, filter)
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.wide.size()
    }
}

fn wide(values: &[ArrayRef]) -> Result<Vec<ArrayRef>> {
    values.iter().map(|values| Ok(cast(values, &WIDE)?)).collect()
}

fn narrow<T: ArrowPrimitiveType<Native: TryFrom<i128>>>(sums: &dyn Array) -> Result<ArrayRef> {
    let sums = sums.as_primitive::<Decimal128Type>();
    let narrow = |sum: i128| T::Native::try_from(sum).or_else(|_| too_large(sum, &T::DATA_TYPE));
    let narrowed: PrimitiveArray<T> = sums.try_unary(narrow)?;
    Ok(Arc::new(narrowed))
}

//! `min` and `max` of doubles by group. DataFusion's start from the greatest and the least finite number, and a group
//! of only infinities or NaNs never gets past it. These compare integers in the order of the doubles, with NaN
//! greatest, as in Spark.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, Float32Array, Float64Array, Int64Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Float64Type, Int64Type};
use datafusion::common::Result;
use datafusion::logical_expr::function::AccumulatorArgs;
use datafusion::logical_expr::{AggregateUDF, EmitTo, GroupsAccumulator};

/// Returns the groups accumulator of `min` or `max`.
pub(super) fn groups(function: &AggregateUDF, arguments: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
    let of = arguments.return_field.data_type().clone();
    if !matches!(of, DataType::Float32 | DataType::Float64) {
        return function.create_groups_accumulator(arguments);
    }
    let return_field = Arc::new(Field::new(arguments.return_field.name(), DataType::Int64, true));
    let keys = function.create_groups_accumulator(AccumulatorArgs { return_field, ..arguments })?;
    Ok(Box::new(ByKeys { keys, of }))
}

/// The extremes of many groups, kept as integer keys.
struct ByKeys {
    keys: Box<dyn GroupsAccumulator>,
    of: DataType,
}

impl ByKeys {
    fn doubles(&self, keys: &ArrayRef) -> Result<ArrayRef> {
        let doubles: Float64Array = keys.as_primitive::<Int64Type>().unary(|key| f64::from_bits(turned(key) as u64));
        Ok(match self.of {
            DataType::Float32 => {
                let floats: Float32Array = doubles.unary(|double| double as f32);
                Arc::new(floats)
            }
            _ => Arc::new(doubles),
        })
    }
}

impl GroupsAccumulator for ByKeys {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        count: usize,
    ) -> Result<()> {
        self.keys.update_batch(&keys(values)?, groups, filter, count)
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let keys = self.keys.evaluate(emit_to)?;
        self.doubles(&keys)
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        self.keys.state(emit_to)?.iter().map(|keys| self.doubles(keys)).collect()
    }

    fn merge_batch(&mut self, states: &[ArrayRef], groups: &[usize], count: usize) -> Result<()> {
        self.keys.merge_batch(&keys(states)?, groups, count)
    }

    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let states = self.keys.convert_to_state(&keys(values)?, filter)?;
        states.iter().map(|keys| self.doubles(keys)).collect()
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.keys.size()
    }
}

/// Maps doubles to integers of the same order.
fn keys(doubles: &[ArrayRef]) -> Result<Vec<ArrayRef>> {
    let keys = |doubles: &ArrayRef| {
        let doubles = cast(doubles, &DataType::Float64)?;
        let keys: Int64Array = doubles.as_primitive::<Float64Type>().unary(|double| turned(double.to_bits() as i64));
        Ok(Arc::new(keys) as ArrayRef)
    };
    doubles.iter().map(keys).collect()
}

/// Maps bits as [`f64::total_cmp`] does. Applied twice, it returns the original bits.
fn turned(bits: i64) -> i64 {
    bits ^ (((bits >> 63) as u64) >> 1) as i64
}

//! `percentile_cont`, interpolated as in Spark and DuckDB. DataFusion's cuts the position between two values off to a
//! millionth of their distance, and returns no value if one of them is infinite.

use std::collections::HashSet;
use std::mem::size_of;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, FieldRef, Float64Type, Schema};
use datafusion::common::{Result, ScalarValue, exec_err};
use datafusion::functions_aggregate::percentile_cont::PercentileCont;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{Accumulator, AggregateUDF, AggregateUDFImpl, ColumnarValue, Signature};

use crate::engine::frame::Frame;

/// Returns the function to register in place of DataFusion's.
pub(super) fn function() -> AggregateUDF {
    AggregateUDF::from(Percentile(PercentileCont::new()))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Percentile(PercentileCont);

impl AggregateUDFImpl for Percentile {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn aliases(&self) -> &[String] {
        self.0.aliases()
    }

    fn signature(&self) -> &Signature {
        self.0.signature()
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.0.return_type(types)
    }

    fn state_fields(&self, arguments: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        self.0.state_fields(arguments)
    }

    fn supports_within_group_clause(&self) -> bool {
        self.0.supports_within_group_clause()
    }

    fn accumulator(&self, arguments: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        accumulator(&self.0, arguments)
    }

    fn create_sliding_accumulator(&self, arguments: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(Frame::of(arguments, |arguments| accumulator(&PercentileCont::new(), arguments))))
    }
}

fn accumulator(function: &PercentileCont, arguments: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
    let of = arguments.expr_fields.first().map_or(DataType::Null, |field| field.data_type().clone());
    if of.is_null() {
        return function.accumulator(arguments);
    }
    // DataFusion's own refuses an invalid percentile
    drop(function.accumulator(arguments.clone())?);
    let nothing = RecordBatch::new_empty(Arc::new(Schema::empty()));
    let share = match arguments.exprs.get(1).map(|share| share.evaluate(&nothing)).transpose()? {
        Some(ColumnarValue::Scalar(share)) => share.cast_to(&DataType::Float64)?,
        _ => ScalarValue::Float64(None),
    };
    let ScalarValue::Float64(Some(share)) = share else {
        return exec_err!("percentile_cont takes a number from 0 to 1");
    };
    let descending = arguments.order_bys.first().is_some_and(|order| order.options.descending);
    let share = if descending { 1.0 - share } else { share };
    Ok(Box::new(Values { of, share, distinct: arguments.is_distinct, values: Vec::new() }))
}

/// The values of a group.
#[derive(Debug)]
struct Values {
    of: DataType,
    share: f64,
    distinct: bool,
    values: Vec<f64>,
}

impl Values {
    fn take(&mut self, values: &dyn Array) -> Result<()> {
        let values = cast(values, &DataType::Float64)?;
        self.values.extend(values.as_primitive::<Float64Type>().iter().flatten());
        Ok(())
    }
}

impl Accumulator for Values {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        values.first().map_or(Ok(()), |values| self.take(values))
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let lists = states.first().and_then(|states| states.as_list_opt::<i32>());
        lists.into_iter().flat_map(|lists| lists.iter().flatten()).try_for_each(|values| self.take(&values))
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        if self.distinct {
            let mut seen = HashSet::new();
            self.values.retain(|value| seen.insert(key(*value)));
        }
        let value = between(&mut self.values, self.share);
        ScalarValue::Float64(value).cast_to(&self.of)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let values: Vec<ScalarValue> = self.values.iter().map(|value| ScalarValue::Float64(Some(*value))).collect();
        let list = ScalarValue::new_list(&values, &DataType::Float64, true);
        let of = DataType::new_list(self.of.clone(), true);
        Ok(vec![ScalarValue::List(list).cast_to(&of)?])
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.values.capacity() * size_of::<f64>()
    }
}

/// Returns one key for both zeros, and one for every NaN.
fn key(value: f64) -> u64 {
    match value {
        0.0 => 0,
        value if value.is_nan() => f64::NAN.to_bits(),
        value => value.to_bits(),
    }
}

/// Returns the value at `share` of the way from the least value to the greatest. NaN is the greatest.
fn between(values: &mut [f64], share: f64) -> Option<f64> {
    let last = values.len().checked_sub(1)?;
    let place = share * last as f64;
    let (lower, upper) = (place.floor(), place.ceil());
    let order = |one: &f64, other: &f64| one.partial_cmp(other).unwrap_or_else(|| one.is_nan().cmp(&other.is_nan()));
    let mut at = |place: f64| *values.select_nth_unstable_by((place as usize).min(last), order).1;
    let (low, high) = (at(lower), at(upper));
    // equal neighbours need no interpolation, infinite or not
    Some(if lower == upper || low == high { low } else { (upper - place) * low + (place - lower) * high })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_between_its_neighbours() {
        const INF: f64 = f64::INFINITY;
        for (values, share, expected) in [
            (&[][..], 0.5, None),
            (&[7.0], 0.3, Some(7.0)),
            (&[3.0, 1.0, 2.0], 0.5, Some(2.0)),
            (&[0.0, 3_000_000.0], 1.0 / 3.0, Some(1_000_000.0)),
            (&[INF, INF], 0.5, Some(INF)),
            (&[1.0, INF], 0.5, Some(INF)),
            (&[-INF, 1.0], 0.25, Some(-INF)),
            (&[f64::MAX, f64::MAX], 0.5, Some(f64::MAX)),
            (&[-f64::MAX, f64::MAX], 0.5, Some(0.0)),
            (&[f64::NAN, 1.0, 2.0], 0.0, Some(1.0)),
            (&[0.5, 0.25], 1.0, Some(0.5)),
        ] {
            assert_eq!(between(&mut values.to_vec(), share), expected, "{values:?} {share}");
        }
        assert!(between(&mut [1.0, f64::NAN], 1.0).is_some_and(f64::is_nan));
    }
}

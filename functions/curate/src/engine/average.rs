//! `avg` of decimals and durations, rounded half up, as in Spark. DataFusion's cuts digits off: the average of 0, 1 and
//! 1 would be 0.6666. Doubles use DataFusion's `avg`, except over moving windows.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Decimal128Array, Decimal256Array, Int64Array, UInt64Array};
use arrow::compute::cast;
use arrow::datatypes::{
    DECIMAL256_MAX_PRECISION, DataType, Decimal128Type, Decimal256Type, Field, FieldRef, Int64Type, UInt64Type, i256,
};
use datafusion::common::{Result, ScalarValue, exec_err, plan_err};
use datafusion::functions_aggregate::average::Avg;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::format_state_name;
use datafusion::logical_expr::{Accumulator, AggregateUDFImpl, EmitTo, GroupsAccumulator, ReversedUDAF, Signature};

use crate::engine::arithmetic::check_digits;
use crate::engine::decimal::divide_half_up;
use crate::engine::frame::{Doubles, Frame};

/// The type of sums: 256 bits, without decimal places.
const WIDE: DataType = DataType::Decimal256(DECIMAL256_MAX_PRECISION, 0);

#[derive(Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Average(Avg);

fn is_exact(of: &DataType) -> bool {
    matches!(of, DataType::Decimal128(..) | DataType::Duration(_))
}

impl AggregateUDFImpl for Average {
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
        match types {
            [DataType::Interval(_)] => plan_err!("avg of intervals: average the numbers of seconds or months"),
            types => self.0.return_type(types),
        }
    }

    fn accumulator(&self, arguments: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        match (of_decimals(&arguments), arguments.is_distinct) {
            (None, _) => self.0.accumulator(arguments),
            (Some(to), false) => Ok(Box::new(Exact { to, sum: i256::ZERO, count: 0 })),
            (Some(to), true) => Ok(Box::new(Distinct { values: self.0.accumulator(arguments)?, to })),
        }
    }

    fn state_fields(&self, arguments: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let exact = arguments.input_fields.first().is_some_and(|field| is_exact(field.data_type()));
        if !exact || arguments.is_distinct {
            return self.0.state_fields(arguments);
        }
        let field = |name: &str, of: DataType| Arc::new(Field::new(format_state_name(arguments.name, name), of, true));
        Ok(vec![field("count", DataType::UInt64), field("sum", WIDE)])
    }

    fn groups_accumulator_supported(&self, arguments: AccumulatorArgs) -> bool {
        self.0.groups_accumulator_supported(arguments)
    }

    fn create_groups_accumulator(&self, arguments: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        match of_decimals(&arguments) {
            None => self.0.create_groups_accumulator(arguments),
            Some(to) => Ok(Box::new(ExactGroups { to, sums: Vec::new(), counts: Vec::new() })),
        }
    }

    fn create_sliding_accumulator(&self, arguments: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        if !arguments.is_distinct {
            return match of_decimals(&arguments) {
                None if arguments.return_field.data_type() == &DataType::Float64 => Ok(Box::new(Doubles::average())),
                _ => self.accumulator(arguments),
            };
        }
        Ok(Box::new(Frame::of(arguments, |arguments| Self::default().accumulator(arguments))))
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        self.0.reverse_expr()
    }
}

/// Computes an exact average from a sum and a count.
#[derive(Clone, Debug)]
struct To {
    of: DataType,
    result: DataType,
    /// The power of ten by which the average's scale exceeds that of the values.
    more: i256,
}

fn of_decimals(arguments: &AccumulatorArgs) -> Option<To> {
    let of = arguments.expr_fields.first()?.data_type().clone();
    let result = arguments.return_field.data_type().clone();
    let more = match (&of, &result) {
        (DataType::Decimal128(_, from), DataType::Decimal128(_, to)) => u32::try_from(to - from).ok()?,
        (DataType::Duration(_), DataType::Duration(_)) => 0,
        _ => return None,
    };
    Some(To { of, result, more: i256::from_i128(10).checked_pow(more)? })
}

impl To {
    fn average(&self, sum: i256, count: u64) -> Result<Option<i128>> {
        if count == 0 {
            return Ok(None);
        }
        let average = sum.checked_mul(self.more).and_then(|sum| divide_half_up(sum, i256::from_i128(count.into())));
        if let Some(average) = average.and_then(i256::to_i128) {
            Ok(Some(average))
        } else {
            exec_err!("the average does not fit {}", self.result)
        }
    }

    fn array(&self, averages: Vec<Option<i128>>) -> Result<ArrayRef> {
        if let DataType::Decimal128(precision, scale) = self.result {
            let averages = Decimal128Array::from(averages).with_precision_and_scale(precision, scale)?;
            check_digits(&averages)?;
            return Ok(Arc::new(averages));
        }
        // an average is never outside the range of its values
        let averages: Int64Array = averages.into_iter().map(|average| average.map(|average| average as i64)).collect();
        Ok(cast(&averages, &self.result)?)
    }

    /// Returns the values as integers, without their decimal point. A null is `None`.
    fn numbers(&self, values: &ArrayRef) -> Result<Vec<Option<i128>>> {
        Ok(if let DataType::Decimal128(..) = self.of {
            values.as_primitive::<Decimal128Type>().iter().collect()
        } else {
            let numbers = cast(values, &DataType::Int64)?;
            numbers.as_primitive::<Int64Type>().iter().map(|number| number.map(i128::from)).collect()
        })
    }
}

/// The accumulator of one average.
#[derive(Debug)]
struct Exact {
    to: To,
    // no number of rows makes a sum of decimals overflow 256 bits
    sum: i256,
    count: u64,
}

impl Accumulator for Exact {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        for number in self.to.numbers(&values[0])?.into_iter().flatten() {
            self.sum = self.sum.wrapping_add(i256::from_i128(number));
            self.count += 1;
        }
        Ok(())
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        for number in self.to.numbers(&values[0])?.into_iter().flatten() {
            self.sum = self.sum.wrapping_sub(i256::from_i128(number));
            self.count -= 1;
        }
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let average = self.to.average(self.sum, self.count)?;
        ScalarValue::try_from_array(&self.to.array(vec![average])?, 0)
    }

    fn size(&self) -> usize {
        size_of_val(self)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let DataType::Decimal256(precision, scale) = WIDE else { return exec_err!("no sum") };
        Ok(vec![ScalarValue::from(self.count), ScalarValue::Decimal256(Some(self.sum), precision, scale)])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let counts = states[0].as_primitive::<UInt64Type>().iter().flatten();
        let sums = states[1].as_primitive::<Decimal256Type>().iter().flatten();
        self.count += counts.sum::<u64>();
        self.sum = sums.fold(self.sum, i256::wrapping_add);
        Ok(())
    }
}

/// The accumulator of one average of distinct values.
#[derive(Debug)]
struct Distinct {
    /// Collects the distinct values.
    values: Box<dyn Accumulator>,
    to: To,
}

impl Accumulator for Distinct {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.values.update_batch(values)
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let mut exact = Exact { to: self.to.clone(), sum: i256::ZERO, count: 0 };
        for state in self.values.state()? {
            let ScalarValue::List(list) = state else { return exec_err!("no list of values") };
            exact.update_batch(&[list.value(0)])?;
        }
        exact.evaluate()
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.values.size()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        self.values.state()
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.values.merge_batch(states)
    }
}

/// The accumulator of the averages of many groups.
struct ExactGroups {
    to: To,
    sums: Vec<i256>,
    counts: Vec<u64>,
}

impl ExactGroups {
    fn grow(&mut self, count: usize) {
        self.sums.resize(count.max(self.sums.len()), i256::ZERO);
        self.counts.resize(count.max(self.counts.len()), 0);
    }
}

impl GroupsAccumulator for ExactGroups {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        count: usize,
    ) -> Result<()> {
        self.grow(count);
        let numbers = self.to.numbers(&values[0])?;
        for (row, (number, group)) in numbers.into_iter().zip(groups).enumerate() {
            let passes = filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row));
            if let (Some(number), true) = (number, passes) {
                self.sums[*group] = self.sums[*group].wrapping_add(i256::from_i128(number));
                self.counts[*group] += 1;
            }
        }
        Ok(())
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let (sums, counts) = (emit_to.take_needed(&mut self.sums), emit_to.take_needed(&mut self.counts));
        let averages = sums.into_iter().zip(counts).map(|(sum, count)| self.to.average(sum, count));
        self.to.array(averages.collect::<Result<_>>()?)
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        let (sums, counts) = (emit_to.take_needed(&mut self.sums), emit_to.take_needed(&mut self.counts));
        state(sums, counts)
    }

    fn merge_batch(&mut self, states: &[ArrayRef], groups: &[usize], count: usize) -> Result<()> {
        self.grow(count);
        let (counts, sums) = (states[0].as_primitive::<UInt64Type>(), states[1].as_primitive::<Decimal256Type>());
        for ((count, sum), group) in counts.iter().zip(sums).zip(groups) {
            self.counts[*group] += count.unwrap_or(0);
            self.sums[*group] = self.sums[*group].wrapping_add(sum.unwrap_or(i256::ZERO));
        }
        Ok(())
    }

    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let numbers = self.to.numbers(&values[0])?;
        let passes = |row: usize| filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row));
        let kept: Vec<_> =
            numbers.into_iter().enumerate().map(|(row, number)| number.filter(|_| passes(row))).collect();
        let counts = kept.iter().map(|number| u64::from(number.is_some())).collect();
        state(kept.into_iter().map(|number| number.map_or(i256::ZERO, i256::from_i128)).collect(), counts)
    }

    fn size(&self) -> usize {
        self.sums.capacity() * size_of::<i256>() + self.counts.capacity() * size_of::<u64>()
    }
}

fn state(sums: Vec<i256>, counts: Vec<u64>) -> Result<Vec<ArrayRef>> {
    let sums = Decimal256Array::from_iter_values(sums).with_data_type(WIDE);
    Ok(vec![Arc::new(UInt64Array::from(counts)), Arc::new(sums)])
}

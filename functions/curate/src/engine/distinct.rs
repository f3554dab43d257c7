//! `count(DISTINCT …)` by group. DataFusion counts whole numbers in one set for all groups, and any other type in a set
//! of its own for each group, row by row. Here values of other types become ids first, and the ids are counted.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int64Array, ListArray, new_empty_array};
use arrow::buffer::OffsetBuffer;
use arrow::compute::{self, not, nullif, take};
use arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::Result;
use datafusion::logical_expr::function::AccumulatorArgs;
use datafusion::logical_expr::{AggregateUDF, EmitTo, GroupsAccumulator};
use datafusion::physical_plan::aggregates::group_values::{GroupValues, new_group_values};
use datafusion::physical_plan::aggregates::order::GroupOrdering;

/// Returns whether `count` has a groups accumulator for these arguments.
pub(super) fn is_supported(function: &AggregateUDF, arguments: AccumulatorArgs) -> bool {
    counts_by_ids(&arguments) || function.groups_accumulator_supported(arguments)
}

/// Returns the groups accumulator of `count`.
pub(super) fn groups(function: &AggregateUDF, arguments: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
    if !counts_by_ids(&arguments) {
        return function.create_groups_accumulator(arguments);
    }
    let of = arguments.expr_fields[0].data_type().clone();
    let schema = Arc::new(Schema::new(vec![Field::new("value", of.clone(), true)]));
    let values = new_group_values(schema, &GroupOrdering::None)?;
    let expr_fields = &[Arc::new(Field::new("id", DataType::Int64, true))];
    let ids = function.create_groups_accumulator(AccumulatorArgs { expr_fields, ..arguments })?;
    Ok(Box::new(ByIds { ids, values, of, places: Vec::new() }))
}

/// Whether the values are compared byte for byte. Doubles are not: they have two zeros and many NaNs.
fn counts_by_ids(arguments: &AccumulatorArgs) -> bool {
    arguments.is_distinct
        && arguments.exprs.len() == 1
        && matches!(
            arguments.expr_fields[0].data_type(),
            DataType::Boolean
                | DataType::Date32
                | DataType::Timestamp(..)
                | DataType::Decimal128(..)
                | DataType::Decimal256(..)
                | DataType::Utf8
                | DataType::LargeUtf8
                | DataType::Utf8View
                | DataType::Binary
                | DataType::LargeBinary
                | DataType::BinaryView
        )
}

/// The distinct values of many groups. The state of a group is a list of its values, as with DataFusion's accumulator
/// of single groups.
struct ByIds {
    ids: Box<dyn GroupsAccumulator>,
    /// All values of all groups. A value's id is its place.
    values: Box<dyn GroupValues>,
    of: DataType,
    /// Reused between batches.
    places: Vec<usize>,
}

impl ByIds {
    /// Returns the ids of values, with null for null.
    fn ids_of(&mut self, values: &ArrayRef) -> Result<ArrayRef> {
        self.values.intern(std::slice::from_ref(values), &mut self.places)?;
        let ids = self.places.iter().map(|place| *place as i64).collect::<Vec<_>>();
        Ok(Arc::new(Int64Array::new(ids.into(), values.logical_nulls())))
    }

    /// Returns all values in the order of their ids, and forgets them.
    fn take_values(&mut self) -> Result<ArrayRef> {
        let mut values = if self.values.is_empty() { Vec::new() } else { self.values.emit(EmitTo::All)? };
        self.values.clear_shrink(0);
        Ok(values.pop().unwrap_or_else(|| new_empty_array(&self.of)))
    }
}

impl GroupsAccumulator for ByIds {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        count: usize,
    ) -> Result<()> {
        // a value of rows that the filter leaves out needs no id
        let ids = match filter {
            Some(filter) => self.ids_of(&nullif(&values[0], &not(filter)?)?)?,
            None => self.ids_of(&values[0])?,
        };
        self.ids.update_batch(&[ids], groups, filter, count)
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let counts = self.ids.evaluate(emit_to)?;
        if matches!(emit_to, EmitTo::All) {
            self.take_values()?;
        }
        Ok(counts)
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        let states = self.ids.state(emit_to)?;
        let ids = states[0].as_list::<i32>();
        let values = self.take_values()?;
        let item = Arc::new(Field::new_list_field(self.of.clone(), true));
        let of_groups = take(&values, ids.values(), None)?;
        let lists = ListArray::new(item, ids.offsets().clone(), of_groups, None);
        if !matches!(emit_to, EmitTo::All) && !values.is_empty() {
            // in the same order they get the same ids
            self.values.intern(&[values], &mut self.places)?;
        }
        Ok(vec![Arc::new(lists)])
    }

    fn merge_batch(&mut self, states: &[ArrayRef], groups: &[usize], count: usize) -> Result<()> {
        let lists = states[0].as_list::<i32>();
        let ids = self.ids_of(lists.values())?;
        let item = Arc::new(Field::new_list_field(DataType::Int64, true));
        let lists = ListArray::new(item, lists.offsets().clone(), ids, lists.nulls().cloned());
        self.ids.merge_batch(&[Arc::new(lists)], groups, count)
    }

    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        // rows that do not count have an empty list
        let takes = |row: usize| filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row));
        let counts = |row: usize| values[0].is_valid(row) && takes(row);
        let lengths = (0..values[0].len()).map(|row| usize::from(counts(row)));
        let offsets = OffsetBuffer::from_lengths(lengths);
        let kept: BooleanArray = (0..values[0].len()).map(|row| Some(counts(row))).collect();
        let item = Arc::new(Field::new_list_field(self.of.clone(), true));
        Ok(vec![Arc::new(ListArray::new(item, offsets, compute::filter(&values[0], &kept)?, None))])
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.ids.size() + self.values.size() + self.places.capacity() * size_of::<usize>()
    }
}

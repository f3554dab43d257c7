//! Aggregates over a moving window, recomputed from the rows in it, as in Spark. DataFusion's subtract what leaves the
//! window. With doubles, a rounding error stays behind, and a NaN or an infinity stays forever.

use std::collections::VecDeque;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::concat;
use arrow::datatypes::{FieldRef, Float64Type, Schema};
use datafusion::common::{Result, ScalarValue, not_impl_err};
use datafusion::logical_expr::Accumulator;
use datafusion::logical_expr::function::AccumulatorArgs;
use datafusion::physical_expr::{PhysicalExpr, PhysicalSortExpr};

/// Aggregates that DataFusion computes by subtracting doubles, or that cannot subtract.
pub(super) const NAMES: &[&str] = &[
    "stddev",
    "stddev_pop",
    "var",
    "var_pop",
    "covar_samp",
    "covar_pop",
    "corr",
    "regr_slope",
    "regr_intercept",
    "regr_count",
    "regr_r2",
    "regr_avgx",
    "regr_avgy",
    "regr_sxx",
    "regr_syy",
    "regr_sxy",
    "bool_and",
    "bool_or",
    "bit_and",
    "bit_or",
];

type Fresh = Box<dyn Fn(AccumulatorArgs) -> Result<Box<dyn Accumulator>> + Send + Sync>;

/// The rows of a window frame.
pub(super) struct Frame {
    fresh: Fresh,
    of: Of,
    /// The rows in order, as batches.
    pieces: VecDeque<Vec<ArrayRef>>,
    /// How many of the last pieces have not been merged yet.
    small: usize,
}

/// The number of small pieces that are merged into one.
const SMALL: usize = 64;

/// The arguments of an accumulator, owned.
struct Of {
    return_field: FieldRef,
    schema: Schema,
    ignore_nulls: bool,
    order_bys: Vec<PhysicalSortExpr>,
    is_reversed: bool,
    name: String,
    is_distinct: bool,
    exprs: Vec<Arc<dyn PhysicalExpr>>,
    expr_fields: Vec<FieldRef>,
}

impl Frame {
    /// Creates an empty frame. For each row, `fresh` makes an accumulator, which is filled with the rows of the frame.
    pub(super) fn of(
        arguments: AccumulatorArgs,
        fresh: impl Fn(AccumulatorArgs) -> Result<Box<dyn Accumulator>> + Send + Sync + 'static,
    ) -> Self {
        let of = Of {
            return_field: Arc::clone(&arguments.return_field),
            schema: arguments.schema.clone(),
            ignore_nulls: arguments.ignore_nulls,
            order_bys: arguments.order_bys.to_vec(),
            is_reversed: arguments.is_reversed,
            name: arguments.name.to_owned(),
            is_distinct: arguments.is_distinct,
            exprs: arguments.exprs.to_vec(),
            expr_fields: arguments.expr_fields.to_vec(),
        };
        Self { fresh: Box::new(fresh), of, pieces: VecDeque::new(), small: 0 }
    }

    /// Merges the small pieces at the end into one.
    fn compact(&mut self) -> Result<()> {
        let small: Vec<_> = self.pieces.drain(self.pieces.len() - self.small..).collect();
        self.small = 0;
        let columns = small.first().map_or(0, Vec::len);
        let whole = |column: usize| {
            let pieces: Vec<&dyn Array> = small.iter().map(|piece| piece[column].as_ref()).collect();
            Ok(concat(&pieces)?)
        };
        self.pieces.push_back((0..columns).map(whole).collect::<Result<_>>()?);
        Ok(())
    }
}

impl std::fmt::Debug for Frame {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Frame").field("name", &self.of.name).field("pieces", &self.pieces.len()).finish()
    }
}

impl Accumulator for Frame {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        if values.first().is_none_or(arrow::array::Array::is_empty) {
            return Ok(());
        }
        self.pieces.push_back(values.to_vec());
        self.small += 1;
        if self.small == SMALL { self.compact() } else { Ok(()) }
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let mut left = values.first().map_or(0, arrow::array::Array::len);
        while left > 0 {
            let Some(piece) = self.pieces.front_mut() else {
                return not_impl_err!("more left a window than was in it");
            };
            let rows = piece.first().map_or(0, arrow::array::Array::len);
            if rows > left {
                *piece = piece.iter().map(|values| values.slice(left, rows - left)).collect();
                break;
            }
            left -= rows;
            self.pieces.pop_front();
            self.small = self.small.min(self.pieces.len());
        }
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let of = &self.of;
        let mut fresh = (self.fresh)(AccumulatorArgs {
            return_field: Arc::clone(&of.return_field),
            schema: &of.schema,
            ignore_nulls: of.ignore_nulls,
            order_bys: &of.order_bys,
            is_reversed: of.is_reversed,
            name: &of.name,
            is_distinct: of.is_distinct,
            exprs: &of.exprs,
            expr_fields: &of.expr_fields,
        })?;
        for piece in &self.pieces {
            fresh.update_batch(piece)?;
        }
        fresh.evaluate()
    }

    fn size(&self) -> usize {
        let of_piece =
            |piece: &Vec<ArrayRef>| piece.iter().map(arrow::array::Array::get_array_memory_size).sum::<usize>();
        size_of_val(self) + self.pieces.iter().take(1).map(of_piece).sum::<usize>()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        not_impl_err!("{} of a window has no state", self.of.name)
    }

    fn merge_batch(&mut self, _: &[ArrayRef]) -> Result<()> {
        not_impl_err!("{} of a window has no state", self.of.name)
    }
}

/// The sum or the average of the doubles of a window frame, added up in order.
#[derive(Debug)]
pub(super) struct Doubles {
    values: VecDeque<f64>,
    average: bool,
}

impl Doubles {
    pub(super) fn sum() -> Self {
        Self { values: VecDeque::new(), average: false }
    }

    pub(super) fn average() -> Self {
        Self { values: VecDeque::new(), average: true }
    }
}

impl Accumulator for Doubles {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.values.extend(values[0].as_primitive::<Float64Type>().iter().flatten());
        Ok(())
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let leave = values[0].len() - values[0].null_count();
        self.values.drain(..leave.min(self.values.len()));
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        if self.values.is_empty() {
            return Ok(ScalarValue::Float64(None));
        }
        let sum = self.values.iter().fold(0.0, |sum, value| sum + value);
        let count = self.values.len() as f64;
        Ok(ScalarValue::from(if self.average { sum / count } else { sum }))
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.values.capacity() * size_of::<f64>()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        not_impl_err!("a window has no state")
    }

    fn merge_batch(&mut self, _: &[ArrayRef]) -> Result<()> {
        not_impl_err!("a window has no state")
    }
}

//! DataFusion's aggregates, each with one behaviour replaced.

use std::sync::Arc;

use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::{Result, ScalarValue};
use datafusion::functions_aggregate::all_default_aggregate_functions;
use datafusion::functions_aggregate::count::count_udaf;
use datafusion::functions_aggregate::min_max::{max_udaf, min_udaf};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, GroupsAccumulator, ReversedUDAF, Signature,
};

use crate::engine::frame::{self, Frame};
use crate::engine::{distinct, extreme};

/// Returns the aggregates to register in place of DataFusion's.
pub(super) fn functions() -> impl Iterator<Item = AggregateUDF> {
    let all = all_default_aggregate_functions().into_iter();
    let moving = all.filter(|function| frame::NAMES.contains(&function.name()));
    let extremes = [min_udaf(), max_udaf()].map(|function| Change::Groups.of(function));
    let counts = Change::Distinct.of(count_udaf());
    moving.map(|function| Change::Windows.of(function)).chain(extremes).chain([counts])
}

/// The behaviour that is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Change {
    /// Moving windows, computed by [`Frame`].
    Windows,
    /// Groups, computed by [`extreme`].
    Groups,
    /// Distinct values of groups, counted by [`distinct`].
    Distinct,
}

impl Change {
    fn of(self, function: Arc<AggregateUDF>) -> AggregateUDF {
        AggregateUDF::from(Changed { function, change: self })
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Changed {
    function: Arc<AggregateUDF>,
    change: Change,
}

impl AggregateUDFImpl for Changed {
    fn name(&self) -> &str {
        self.function.name()
    }

    fn aliases(&self) -> &[String] {
        self.function.aliases()
    }

    fn signature(&self) -> &Signature {
        self.function.signature()
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.function.return_type(types)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        self.function.coerce_types(types)
    }

    fn accumulator(&self, arguments: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        self.function.accumulator(arguments)
    }

    fn state_fields(&self, arguments: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        self.function.state_fields(arguments)
    }

    fn groups_accumulator_supported(&self, arguments: AccumulatorArgs) -> bool {
        match self.change {
            Change::Distinct => distinct::is_supported(&self.function, arguments),
            Change::Windows | Change::Groups => self.function.groups_accumulator_supported(arguments),
        }
    }

    fn create_groups_accumulator(&self, arguments: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        match self.change {
            Change::Groups => extreme::groups(&self.function, arguments),
            Change::Distinct => distinct::groups(&self.function, arguments),
            Change::Windows => self.function.create_groups_accumulator(arguments),
        }
    }

    fn create_sliding_accumulator(&self, arguments: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        match self.change {
            Change::Groups | Change::Distinct => self.function.create_sliding_accumulator(arguments),
            Change::Windows => {
                let function = Arc::clone(&self.function);
                Ok(Box::new(Frame::of(arguments, move |arguments| function.accumulator(arguments))))
            }
        }
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        self.function.order_sensitivity()
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        ReversedUDAF::Identical
    }

    fn is_nullable(&self) -> bool {
        self.function.is_nullable()
    }

    fn default_value(&self, data_type: &DataType) -> Result<ScalarValue> {
        self.function.default_value(data_type)
    }
}

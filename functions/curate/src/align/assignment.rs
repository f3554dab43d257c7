//! Store assignment as a SQL function, for tables that read another curated table's query instead of its written rows.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use contract::{Column, ColumnType};
use datafusion::common::{Result, exec_datafusion_err, plan_datafusion_err};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use crate::align::unfit::inside;
use crate::align::way::{Halt, Way};

/// Wraps an expression of the type `found` so that it has the column's described type.
pub fn stored(expression: Expr, found: &DataType, column: &Column) -> Expr {
    let to = rows::arrow_type(&column.column_type);
    if *found == to {
        expression
    } else {
        let store = Store {
            column: column.name.clone(),
            column_type: column.column_type.clone(),
            to,
            signature: Signature::any(1, Volatility::Immutable),
        };
        Expr::ScalarFunction(ScalarFunction::new_udf(Arc::new(ScalarUDF::from(store)), vec![expression]))
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Store {
    column: String,
    column_type: ColumnType,
    to: DataType,
    signature: Signature,
}

impl Hash for Store {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.column.hash(state);
        self.to.hash(state);
    }
}

impl ScalarUDFImpl for Store {
    fn name(&self) -> &'static str {
        "store"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.to.clone())
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&arguments.args)?;
        arrays.first().map_or_else(|| Err(plan_datafusion_err!("nothing to store")), |array| self.store(array))
    }
}

impl Store {
    fn store(&self, values: &ArrayRef) -> Result<ColumnarValue> {
        let refused = |reason: String| plan_datafusion_err!("column `{}` {reason}", self.column);
        let way = Way::new(values.data_type(), &self.to).map_err(|error| refused(error.path + " " + &error.reason))?;
        match way.convert(values, None) {
            Ok(stored) => Ok(ColumnarValue::Array(stored)),
            Err(Halt::Engine(error)) => Err(error.into()),
            Err(Halt::Misfit(misfit)) => {
                let to = inside(&self.column_type, &misfit.path);
                Err(exec_datafusion_err!("`{}` cannot become {to}{}", misfit.value, misfit.why.hint(to)))
            }
        }
    }
}

//! `date_bin` that stops where DataFusion's gives a null: it reckons in nanoseconds, which go from 1677 to 2262.

use std::sync::Arc;

use arrow::array::Array;
use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::{Result, exec_err};
use datafusion::functions::datetime;
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
};

/// The function.
pub fn function() -> ScalarUDF {
    ScalarUDF::from(Bin(datetime::date_bin()))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Bin(Arc<ScalarUDF>);

impl ScalarUDFImpl for Bin {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn signature(&self) -> &Signature {
        self.0.signature()
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.0.return_type(types)
    }

    fn return_field_from_args(&self, arguments: ReturnFieldArgs) -> Result<FieldRef> {
        self.0.return_field_from_args(arguments)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        self.0.coerce_types(types)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = arguments.number_rows;
        let of = arguments.args.get(1).cloned();
        let bins = self.0.invoke_with_args(arguments)?;
        let nulls = |of: &ColumnarValue| -> Result<usize> { Ok(of.to_array(rows)?.logical_null_count()) };
        match of {
            Some(of) if nulls(&bins)? > nulls(&of)? => exec_err!(
                "date_bin has timestamps from 1677-09-21 to 2262-04-11 here: write date_trunc(…), or a CASE for others"
            ),
            _ => Ok(bins),
        }
    }
}

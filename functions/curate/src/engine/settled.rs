//! A function that hides a value from DataFusion's planner.

use arrow::datatypes::DataType;
use datafusion::common::{Result, internal_err};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};

/// Returns its argument. It is volatile, so that DataFusion does not evaluate it while planning.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Settled {
    signature: Signature,
}

impl Default for Settled {
    fn default() -> Self {
        Self { signature: Signature::any(1, Volatility::Volatile) }
    }
}

impl ScalarUDFImpl for Settled {
    fn name(&self) -> &'static str {
        "settled"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        if let [one] = types { Ok(one.clone()) } else { internal_err!("one value is settled") }
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        if let Some(value) = arguments.args.into_iter().next() {
            Ok(value)
        } else {
            internal_err!("one value is settled")
        }
    }
}

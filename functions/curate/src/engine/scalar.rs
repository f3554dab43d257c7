//! DataFusion's scalar functions with another evaluation, and everything else unchanged.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::Result;
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
};

/// Evaluates a function, given DataFusion's own.
pub(super) type Call = fn(&ScalarUDF, ScalarFunctionArgs) -> Result<ColumnarValue>;

/// Returns a function to register in place of DataFusion's.
pub(super) fn called(function: Arc<ScalarUDF>, call: Call) -> ScalarUDF {
    ScalarUDF::from(Changed { function, call })
}

#[derive(Debug)]
struct Changed {
    function: Arc<ScalarUDF>,
    call: Call,
}

// each function has one `call`, so the functions alone identify it
impl PartialEq for Changed {
    fn eq(&self, other: &Self) -> bool {
        self.function == other.function
    }
}

impl Eq for Changed {}

impl Hash for Changed {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.function.hash(state);
    }
}

impl ScalarUDFImpl for Changed {
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

    fn return_field_from_args(&self, arguments: ReturnFieldArgs) -> Result<FieldRef> {
        self.function.return_field_from_args(arguments)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        self.function.coerce_types(types)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        (self.call)(&self.function, arguments)
    }
}

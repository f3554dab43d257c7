//! `date_bin` that fails where DataFusion's returns null. DataFusion computes in nanoseconds, which range from 1677 to
//! 2262.

use arrow::array::Array;
use datafusion::common::{Result, exec_err};
use datafusion::functions::datetime;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF};

use crate::engine::scalar::called;

pub(super) fn function() -> ScalarUDF {
    called(datetime::date_bin(), bin)
}

fn bin(function: &ScalarUDF, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
    let rows = arguments.number_rows;
    let of = arguments.args.get(1).cloned();
    let bins = function.invoke_with_args(arguments)?;
    let nulls = |of: &ColumnarValue| -> Result<usize> { Ok(of.to_array(rows)?.logical_null_count()) };
    match of {
        Some(of) if nulls(&bins)? > nulls(&of)? => exec_err!(
            "date_bin has timestamps from 1677-09-21 to 2262-04-11 here: write date_trunc(…), or a CASE for others"
        ),
        _ => Ok(bins),
    }
}

//! `repeat`, `lpad` and `rpad` that fail if they would make more text than fits in memory. The length often comes from
//! a column, and so from a supplier. DataFusion allocates all of it at once, and the process dies if there is too
//! little memory.

use arrow::array::{Array, AsArray, Int64Array};
use arrow::datatypes::{DataType, Int64Type};
use datafusion::common::{Result, exec_err};
use datafusion::functions::{string, unicode};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF};

use crate::engine::scalar::called;

/// The most bytes of text for a batch of rows.
const MOST_BYTES: u128 = 256 << 20;
/// The most bytes of one UTF-8 character.
const MOST_UTF8_BYTES: u128 = 4;

pub(super) fn functions() -> [ScalarUDF; 3] {
    [string::repeat(), unicode::lpad(), unicode::rpad()].map(|function| called(function, bounded))
}

fn bounded(function: &ScalarUDF, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
    let (name, rows) = (function.name(), arguments.number_rows);
    let bytes = match arguments.args.as_slice() {
        [text, number, ..] if name == "repeat" => bytes(number, rows, &lengths(text, rows)?)?,
        [_, number] => bytes(number, rows, &[1])?,
        [_, number, ..] => bytes(number, rows, &[MOST_UTF8_BYTES])?,
        _ => 0,
    };
    if bytes > MOST_BYTES {
        let megabytes = MOST_BYTES >> 20;
        return exec_err!(
            "{name}(…) would make more than {megabytes} MiB of text of {rows} rows: bound its number, with least(n, \
             1000)"
        );
    }
    function.invoke_with_args(arguments)
}

/// Returns the total bytes: each row's number times its length. A single length is that of all rows.
fn bytes(number: &ColumnarValue, rows: usize, of: &[u128]) -> Result<u128> {
    let numbers = number.to_array(if matches!(number, ColumnarValue::Scalar(_)) { rows } else { 1 })?;
    let numbers = arrow::compute::cast(&numbers, &DataType::Int64)?;
    let numbers: &Int64Array = numbers.as_primitive::<Int64Type>();
    let each = numbers.iter().enumerate().map(|(row, number)| {
        let length = of.get(row).or(of.first()).copied().unwrap_or(0);
        number.unwrap_or(0).max(0) as u128 * length
    });
    Ok(each.sum())
}

/// Returns the length of each text in bytes.
fn lengths(text: &ColumnarValue, rows: usize) -> Result<Vec<u128>> {
    let texts = text.to_array(rows)?;
    let texts = arrow::compute::cast(&texts, &DataType::LargeUtf8)?;
    let texts = texts.as_string::<i64>();
    Ok((0..texts.len()).map(|row| if texts.is_null(row) { 0 } else { texts.value(row).len() as u128 }).collect())
}

//! `regexp_replace` with the replacements of Spark: `$1g` is the first group followed by a `g`. DataFusion reads it as
//! a group named `1g`, which does not exist, and inserts nothing.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, StringArray};
use arrow::datatypes::DataType;
use datafusion::common::{DataFusionError, Result, ScalarValue, exec_err};
use datafusion::functions::regex;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF};

use crate::engine::scalar::called;

pub(super) fn function() -> ScalarUDF {
    called(regex::regexp_replace(), replace)
}

fn replace(function: &ScalarUDF, mut arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
    if let Some(replacement) = arguments.args.get_mut(2) {
        *replacement = meant(replacement)?;
    }
    function.invoke_with_args(arguments)
}

/// Translates the replacement to DataFusion's syntax.
fn meant(replacement: &ColumnarValue) -> Result<ColumnarValue> {
    let of = replacement.data_type();
    let texts = match replacement {
        ColumnarValue::Array(texts) => Arc::clone(texts),
        ColumnarValue::Scalar(text) => text.to_array()?,
    };
    let texts = arrow::compute::cast(&texts, &DataType::Utf8)?;
    let texts = texts.as_string::<i32>();
    if texts.iter().flatten().all(|text| !text.contains('$')) {
        return Ok(replacement.clone());
    }
    let meant = texts.iter().map(|text| text.map(groups).transpose()).collect::<Result<StringArray>>()?;
    let meant: ArrayRef = arrow::compute::cast(&meant, &of)?;
    match replacement {
        ColumnarValue::Array(_) => Ok(ColumnarValue::Array(meant)),
        ColumnarValue::Scalar(_) => Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&meant, 0)?)),
    }
}

/// Translates the groups `$1` and `${1}`. Any other `$` is an error, as in Spark.
fn groups(text: &str) -> Result<String, DataFusionError> {
    let mut out = String::with_capacity(text.len() + 4);
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        let (braced, number) = match after.strip_prefix('{') {
            Some(inner) => (true, inner),
            None => (false, after),
        };
        let digits = number.bytes().take_while(u8::is_ascii_digit).count();
        let (group, after) = number.split_at(digits);
        let after = if braced { after.strip_prefix('}') } else { Some(after) };
        match (group.is_empty(), after) {
            (false, Some(after)) => {
                out.push_str(&format!("${{{group}}}"));
                rest = after;
            }
            _ => {
                return exec_err!(
                    "the replacement `{text}` has a `$` that names no group: $1 to $9 are the groups of the \
                     expression; for a dollar sign write replace(…, '…', '$')"
                );
            }
        }
    }
    out.push_str(rest);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_end_where_their_number_ends() {
        for (text, means) in [
            ("$1g", "${1}g"),
            ("$1_kg", "${1}_kg"),
            ("${1}g", "${1}g"),
            ("<$1$2>", "<${1}${2}>"),
            ("$0", "${0}"),
            ("none", "none"),
        ] {
            assert_eq!(groups(text).unwrap(), means, "{text}");
        }
        for text in ["$", "US$", "$a", "${name}", "${1", "$$1"] {
            assert!(groups(text).is_err(), "{text}");
        }
    }
}

//! Hashes of texts and bytes, under Spark's names: `md5(s)`, `sha2(s, 256)`. The result is lower-case hexadecimal.

use contract::hexadecimal;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, StringArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use datafusion::common::{DataFusionError, Result, ScalarValue, plan_err};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use sha2::Digest;

pub(super) fn functions() -> [ScalarUDF; 2] {
    let signature = || Signature::user_defined(Volatility::Immutable);
    [false, true].map(|sha2| ScalarUDF::from(Hash { sha2, signature: signature() }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Hash {
    /// True for `sha2(s, bits)`, false for `md5(s)`.
    sha2: bool,
    signature: Signature,
}

impl ScalarUDFImpl for Hash {
    fn name(&self) -> &str {
        if self.sha2 { "sha2" } else { "md5" }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let (of, bits) = match types {
            [of] if !self.sha2 => (of, None),
            [of, bits] if self.sha2 && (bits.is_integer() || bits.is_null()) => (of, Some(DataType::Int64)),
            _ if self.sha2 => return plan_err!("sha2() is of a text and a number of bits: sha2(s, 256)"),
            _ => return plan_err!("md5() is of one text: md5(s)"),
        };
        let of = match of {
            DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => {
                DataType::Binary
            }
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Null => DataType::Utf8,
            _ => return plan_err!("{}() is of a text: CAST(… AS STRING)", self.name()),
        };
        Ok([Some(of), bits].into_iter().flatten().collect())
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let digest = match arguments.args.get(1) {
            None => md5,
            Some(ColumnarValue::Scalar(ScalarValue::Int64(Some(0 | 256)))) => of::<sha2::Sha256>,
            Some(ColumnarValue::Scalar(ScalarValue::Int64(Some(224)))) => of::<sha2::Sha224>,
            Some(ColumnarValue::Scalar(ScalarValue::Int64(Some(384)))) => of::<sha2::Sha384>,
            Some(ColumnarValue::Scalar(ScalarValue::Int64(Some(512)))) => of::<sha2::Sha512>,
            Some(_) => return plan_err!("sha2() has 224, 256, 384 or 512 bits: sha2(s, 256)"),
        };
        let Some(values) = arguments.args.first() else {
            return Err(DataFusionError::Internal("a hash of nothing".into()));
        };
        let values = cast(&values.to_array(arguments.number_rows)?, &DataType::Binary)?;
        let hashes: StringArray = values.as_binary::<i32>().iter().map(|value| value.map(digest)).collect();
        let hashes: ArrayRef = Arc::new(hashes);
        Ok(ColumnarValue::Array(hashes))
    }
}

fn of<D: Digest>(value: &[u8]) -> String {
    hexadecimal(&D::digest(value))
}

fn md5(value: &[u8]) -> String {
    use md5::Digest;
    hexadecimal(&md5::Md5::digest(value))
}

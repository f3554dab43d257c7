//! What the conversions of single values have in common: a value of one type that is, or isn't, one of another. Values
//! under a null are not looked at.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, PrimitiveArray};
use arrow::datatypes::DataType;
use arrow::error::ArrowError;

use crate::align::unfit::Why;

/// Why an array isn't converted.
#[derive(Debug)]
pub(super) enum Stop {
    /// The value of a row isn't one of the type.
    Unfit(usize, Why),
    /// Arrow gave up, which no value should make it do.
    Engine(ArrowError),
}

impl From<ArrowError> for Stop {
    fn from(error: ArrowError) -> Self {
        Self::Engine(error)
    }
}

/// Makes an array of another type of a plain one.
pub(super) type Kernel = fn(&ArrayRef, &DataType) -> Result<ArrayRef, Stop>;

/// Every value by itself. The result has the type `to`.
pub(super) fn each<S: ArrowPrimitiveType, T: ArrowPrimitiveType>(
    from: &PrimitiveArray<S>,
    to: &DataType,
    value: impl Fn(S::Native) -> Result<T::Native, Why>,
) -> Result<ArrayRef, Stop> {
    let mut values = Vec::with_capacity(from.len());
    match from.nulls().filter(|nulls| nulls.null_count() > 0) {
        None => {
            for (row, found) in from.values().iter().enumerate() {
                values.push(value(*found).map_err(|why| Stop::Unfit(row, why))?);
            }
        }
        Some(nulls) => {
            for (row, found) in from.values().iter().enumerate() {
                values.push(if nulls.is_valid(row) {
                    value(*found).map_err(|why| Stop::Unfit(row, why))?
                } else {
                    T::Native::default()
                });
            }
        }
    }
    let array = PrimitiveArray::<T>::try_new(values.into(), from.nulls().cloned())?;
    Ok(Arc::new(array.with_data_type(to.clone())))
}

/// The array itself, if all of its values fit.
pub(super) fn checked<T: ArrowPrimitiveType>(
    array: &PrimitiveArray<T>,
    why: Why,
    fits: impl Fn(T::Native) -> bool,
) -> Result<ArrayRef, Stop> {
    let values = array.values();
    // without a branch, so that several are compared at once; what lies under a null is sorted out below
    if !values.iter().fold(true, |all, value| all & fits(*value)) {
        let unfit = (0..values.len()).find(|row| array.is_valid(*row) && !fits(values[*row]));
        if let Some(row) = unfit {
            return Err(Stop::Unfit(row, why));
        }
    }
    Ok(Arc::new(array.clone()))
}

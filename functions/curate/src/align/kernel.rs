//! The common parts of the conversions of scalar arrays. Each value either is a value of the other type or does not
//! fit. Values under a null are ignored.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, PrimitiveArray};
use arrow::datatypes::DataType;
use arrow::error::ArrowError;

use crate::align::unfit::Why;

/// Why an array is not converted.
#[derive(Debug)]
pub(super) enum Stop {
    /// The value of this row does not fit the type.
    Unfit(usize, Why),
    /// Arrow failed, which no value should cause.
    Engine(ArrowError),
}

impl From<ArrowError> for Stop {
    fn from(error: ArrowError) -> Self {
        Self::Engine(error)
    }
}

/// Converts an array of scalars to another type.
pub(super) type Kernel = fn(&ArrayRef, &DataType) -> Result<ArrayRef, Stop>;

/// Converts each value by itself. The result has the type `to`.
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

/// Returns the array unchanged if all of its values fit.
pub(super) fn checked<T: ArrowPrimitiveType>(
    array: &PrimitiveArray<T>,
    why: Why,
    fits: impl Fn(T::Native) -> bool,
) -> Result<ArrayRef, Stop> {
    let values = array.values();
    // without a branch, so that several values are compared at once; values under a null are excluded below
    if !values.iter().fold(true, |all, value| all & fits(*value)) {
        let unfit = (0..values.len()).find(|row| array.is_valid(*row) && !fits(values[*row]));
        if let Some(row) = unfit {
            return Err(Stop::Unfit(row, why));
        }
    }
    Ok(Arc::new(array.clone()))
}

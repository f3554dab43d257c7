//! Values of one type, from their text into Arrow arrays and back.

pub(crate) mod column;
pub(crate) mod datetime;
pub(crate) mod expected;
pub(crate) mod number;
pub(crate) mod points;
pub(crate) mod scalar;
pub(crate) mod schema;
pub(crate) mod shown;
pub mod spelling;
pub(crate) mod time;
pub(crate) mod why;

//! Values of one type: parsed from text into Arrow arrays, and formatted as text.

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

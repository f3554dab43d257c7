//! Why something is no value of a type.

/// Why something is no value of a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// It does not look like one.
    Other,
    /// A second has more decimals than the column.
    TooFine,
    /// A day or point in time is beyond what the column holds.
    OutOfRange,
    /// A day is expected, and this is a time of it.
    TimeOfDay,
    /// Months, days and milliseconds, which no described type is.
    Interval,
    /// A map where no list of its entries is described.
    Map,
    /// A cell of a workbook that has an error for a value.
    CellError,
    /// A cell of a workbook whose whole number has more digits than Excel keeps.
    CellRounded,
}

/// Returns the value, or notes why there is none.
pub(crate) fn noted<T>(read: Result<T, Why>, why: &mut Why) -> Option<T> {
    read.map_err(|told| *why = told).ok()
}

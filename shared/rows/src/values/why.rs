//! The reason why something is not a value of a type.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// It does not look like one.
    Other,
    /// Its seconds have more decimals than the column.
    TooFine,
    /// The day or point in time is outside of the column's range.
    OutOfRange,
    /// It has a time of day, but a day is expected.
    TimeOfDay,
    /// It is an INTERVAL (months, days and milliseconds), for which there is no described type.
    Interval,
    /// It is a map, but the column is not described as a list of the map's entries.
    Map,
    /// It is a workbook cell that holds an error.
    CellError,
    /// It is a workbook cell whose whole number has more digits than Excel keeps.
    CellRounded,
}

/// Returns the value, or stores the reason why there is none.
pub(crate) fn noted<T>(read: Result<T, Why>, why: &mut Why) -> Option<T> {
    read.map_err(|told| *why = told).ok()
}

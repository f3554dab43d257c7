//! The expected form of a value, and why another value does not have it, for the person who repairs the file.

use std::fmt;

use contract::{ColumnType, TimestampUnit};

use crate::values::datetime::DatetimeFormat;
use crate::values::why::Why;

/// The expected form of a value, and why the value found does not have it.
pub(crate) struct Expected<'a> {
    pub(crate) column_type: &'a ColumnType,
    pub(crate) format: Option<&'a DatetimeFormat>,
    pub(crate) why: Why,
}

impl fmt::Display for Expected<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let column_type = self.column_type;
        match (self.why, column_type) {
            (Why::TooFine, ColumnType::Timestamp(unit)) => {
                write!(f, "{column_type}: nothing below the {}; {}", unit.noun(), finer(*unit))
            }
            (Why::OutOfRange, ColumnType::Timestamp(TimestampUnit::Nanosecond)) => {
                write!(f, "{column_type}: a point in time of the years 1677 to 2262; `timestamp(us)` takes 1 to 9999")
            }
            (Why::OutOfRange, ColumnType::Date) => write!(f, "date: a day from 0001-01-01 to 9999-12-31"),
            (Why::OutOfRange, _) => write!(f, "{column_type}: a point in time of the years 1 to 9999"),
            (Why::TimeOfDay, _) => write!(f, "{column_type}: a day without a time of day"),
            (Why::Interval, _) => {
                self.usual(f)?;
                write!(f, "; an INTERVAL has no described type: write it as a text, or as a number of one unit")
            }
            (Why::Map, _) => {
                self.usual(f)?;
                write!(f, "; a MAP is described as a list of its entries, of a struct of `key` and `value`")
            }
            (Why::CellError, _) => {
                self.usual(f)?;
                write!(f, ", not a cell whose formula failed; `nullValues` of the dialect can say that it is no value")
            }
            (Why::CellRounded, _) => {
                self.usual(f)?;
                write!(f, ", not a number of which Excel keeps no more than 15 digits: it is to be a text there")
            }
            _ => self.usual(f),
        }
    }
}

impl Expected<'_> {
    fn usual(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let column_type = self.column_type;
        let whole = |f: &mut fmt::Formatter<'_>, least: i64, greatest: i64| {
            write!(f, "{column_type}: a whole number from {least} to {greatest}")
        };
        match column_type {
            ColumnType::String => write!(f, "string: a text"),
            ColumnType::Int8 => whole(f, i8::MIN.into(), i8::MAX.into()),
            ColumnType::Int16 => whole(f, i16::MIN.into(), i16::MAX.into()),
            ColumnType::Int32 => whole(f, i32::MIN.into(), i32::MAX.into()),
            ColumnType::Int64 => whole(f, i64::MIN, i64::MAX),
            ColumnType::Float32 | ColumnType::Float64 => write!(f, "{column_type}: a finite number"),
            ColumnType::Decimal { precision, scale } => write!(
                f,
                "{column_type}: a number with at most {} digits before and {scale} after the point",
                precision - scale
            ),
            ColumnType::Date | ColumnType::Timestamp(_) if let Some(format) = self.format => {
                let a = if format.is_number() { "" } else { "a text as " };
                write!(f, "{column_type}: {a}{format}")
            }
            ColumnType::Date => write!(f, "date: a text YYYY-MM-DD"),
            ColumnType::Timestamp(unit) => {
                let decimals = "f".repeat(unit.decimals());
                write!(f, "{column_type}: a text YYYY-MM-DD HH:MM:SS[.{decimals}] without a zone")
            }
            ColumnType::Boolean => write!(f, "boolean: true or false"),
            ColumnType::Binary => write!(f, "binary: a text in base64"),
            ColumnType::Struct(_) => write!(f, "{column_type}: an object"),
            ColumnType::List(_) => write!(f, "{column_type}: an array"),
        }
    }
}

/// Returns a hint at the types that hold more decimals.
fn finer(unit: TimestampUnit) -> &'static str {
    match unit {
        TimestampUnit::Millisecond => "`timestamp(us)` takes 6 decimals, `timestamp(ns)` 9",
        TimestampUnit::Microsecond => "`timestamp(ns)` takes 9 decimals",
        TimestampUnit::Nanosecond => "a column of texts takes more",
    }
}

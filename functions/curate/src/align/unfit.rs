//! Why values cannot be stored as another type: either no value of their type can, or a single value does not fit.

use arrow::array::Array;
use arrow::datatypes::DataType;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use contract::ColumnType;

/// The most characters of a value that are shown.
const SHOWN_CHARACTERS: usize = 80;

/// The refusal to convert one type to another, whatever the values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The place inside the column, such as `[].price`.
    pub path: String,
    /// The reason and, if there is one, the alternative.
    pub reason: String,
}

/// Why a value does not fit a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// A text that doesn't spell a value of the type.
    Spelling,
    /// A number with more digits after the point than the type has.
    Fraction,
    /// A number with more digits than a floating-point number holds.
    Digits,
    /// A number outside the range of the type.
    Range,
    /// NaN or an infinity.
    NotFinite,
    /// A point in time that isn't midnight.
    TimeOfDay,
    /// A point in time with digits below the type's unit.
    Finer,
    /// A date or a timestamp outside of the years 1 to 9999.
    Years,
    /// Bytes that are not UTF-8.
    NotUtf8,
    /// More list items than a batch can hold.
    Items,
}

impl Why {
    /// Returns the reason for a message, and what to write in the SQL instead.
    pub fn hint(self, to: &ColumnType) -> String {
        match self {
            Self::Spelling => String::new(),
            Self::Fraction => format!(": it has digits that would be lost; write {} to round or cut it", cast(to)),
            Self::Digits => format!(": it has more digits than the type holds; write {} to round it", cast(to)),
            Self::Range => ": it is beyond the numbers of the type".into(),
            Self::NotFinite => ": it is not a finite number; `nullif` makes it null".into(),
            Self::TimeOfDay => ": it isn't midnight; write CAST(… AS DATE) to drop the time of day".into(),
            Self::Finer => {
                ": it has digits below the column's unit; `date_trunc('millisecond', …)` cuts them off".into()
            }
            Self::Years => ": it is outside of the years 0001 to 9999".into(),
            Self::NotUtf8 => ": it isn't UTF-8; `encode(…, 'base64')` makes a text of any bytes".into(),
            Self::Items => ": a list of too many items".into(),
        }
    }
}

fn cast(to: &ColumnType) -> String {
    format!("CAST(… AS {})", to.to_string().to_uppercase())
}

/// A value that does not fit, with its place in the array to convert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit {
    /// The row within the array, from 0.
    pub row: usize,
    /// The place inside the value, such as `[2].price`.
    pub path: String,
    /// The value as text, truncated.
    pub value: String,
    /// Why it does not fit.
    pub why: Why,
}

/// Returns a value as text, truncated. It is never the text of an error.
pub fn shown(array: &dyn Array, row: usize) -> String {
    let options = FormatOptions::default().with_display_error(false).with_timestamp_format(Some(TIMESTAMP));
    let text = ArrayFormatter::try_new(array, &options).and_then(|formatter| formatter.value(row).try_to_string());
    let text = text.unwrap_or_else(|_| match array.data_type() {
        DataType::Date32 | DataType::Date64 | DataType::Timestamp(..) => "a point in time beyond all years".into(),
        data_type => format!("a value of the type {data_type}"),
    });
    match text.char_indices().nth(SHOWN_CHARACTERS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// SQL's spelling of a timestamp.
const TIMESTAMP: &str = "%Y-%m-%d %H:%M:%S%.f";

/// Returns the type of the part of a column that `path` names.
pub fn inside<'a>(column_type: &'a ColumnType, path: &str) -> &'a ColumnType {
    let (mut found, mut rest) = (column_type, path);
    while let Some(next) = rest.get(1..).filter(|next| !next.is_empty()) {
        let end = next.find(['.', '[']).unwrap_or(next.len());
        found = match found {
            ColumnType::List(item) => item,
            ColumnType::Struct(fields) => {
                fields.iter().find(|(name, _)| *name == next[..end]).map_or(found, |(_, t)| t)
            }
            _ => found,
        };
        rest = &next[end..];
    }
    found
}

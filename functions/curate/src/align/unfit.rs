//! Why values are not stored as another type: the type can't be had at all, or a value is none of it.

use arrow::array::Array;
use arrow::datatypes::DataType;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use contract::ColumnType;

/// The longest piece of a value that is shown, in characters.
const SHOWN_CHARACTERS: usize = 80;

/// A type whose values never become those of another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Where inside of the column, such as `[].price`.
    pub path: String,
    /// What is the matter.
    pub reason: String,
}

/// What keeps a value from being one of another type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// A text that doesn't spell a value of the type.
    Spelling,
    /// A number with more digits after the point than the type has.
    Fraction,
    /// A number with more digits than a floating-point number holds.
    Digits,
    /// A number beyond the largest or the least of the type.
    Range,
    /// NaN or an infinity.
    NotFinite,
    /// A point in time that isn't midnight.
    TimeOfDay,
    /// A point in time with digits below the type's unit.
    Finer,
    /// Outside of the years 1 to 9999.
    Years,
    /// Bytes that are no UTF-8.
    NotUtf8,
    /// More list items than a batch can hold.
    Items,
}

impl Why {
    /// What is the matter, and what to write in the SQL instead.
    pub fn hint(self, to: &ColumnType) -> String {
        match self {
            Self::Spelling => String::new(),
            Self::Fraction => format!(": it has digits that would be lost; write {} to round or cut it", cast(to)),
            Self::Digits => format!(": it has more digits than the type holds; write {} to round it", cast(to)),
            Self::Range => ": it is beyond the numbers of the type".into(),
            Self::NotFinite => ": it is no finite number; `nullif` makes it null".into(),
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

/// A value that doesn't fit, with its place in the array that was to be converted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit {
    /// The row.
    pub row: usize,
    /// Where inside of the value, such as `[2].price`.
    pub path: String,
    /// The value, cut.
    pub value: String,
    /// What keeps it from fitting.
    pub why: Why,
}

/// A value as a text, cut: never the words of an error.
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

/// As SQL writes it.
const TIMESTAMP: &str = "%Y-%m-%d %H:%M:%S%.f";

/// The type of a part of a column.
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

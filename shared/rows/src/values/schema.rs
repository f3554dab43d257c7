//! The Arrow types of a table's columns.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use contract::{ColumnType, Table, TimestampUnit};

/// Returns the schema of the columns in a table's files, in the metadata's order. All are nullable: the checks decide
/// whether null is allowed.
pub fn schema(table: &Table) -> SchemaRef {
    let fields = table.data_columns().iter().map(|c| Field::new(&c.name, arrow_type(&c.column_type), true));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// Returns the Arrow type that holds a column's values. Written to Parquet, it keeps its logical type.
pub fn arrow_type(column_type: &ColumnType) -> DataType {
    match column_type {
        ColumnType::String => DataType::Utf8,
        ColumnType::Int8 => DataType::Int8,
        ColumnType::Int16 => DataType::Int16,
        ColumnType::Int32 => DataType::Int32,
        ColumnType::Int64 => DataType::Int64,
        ColumnType::Float32 => DataType::Float32,
        ColumnType::Float64 => DataType::Float64,
        // contract limits precision and scale to 38
        ColumnType::Decimal { precision, scale } => DataType::Decimal128(*precision, *scale as i8),
        ColumnType::Date => DataType::Date32,
        ColumnType::Timestamp(TimestampUnit::Millisecond) => DataType::Timestamp(TimeUnit::Millisecond, None),
        ColumnType::Timestamp(TimestampUnit::Microsecond) => DataType::Timestamp(TimeUnit::Microsecond, None),
        ColumnType::Timestamp(TimestampUnit::Nanosecond) => DataType::Timestamp(TimeUnit::Nanosecond, None),
        ColumnType::Boolean => DataType::Boolean,
        ColumnType::Binary => DataType::Binary,
        ColumnType::Struct(fields) => {
            DataType::Struct(fields.iter().map(|(name, inner)| Field::new(name, arrow_type(inner), true)).collect())
        }
        ColumnType::List(inner) => DataType::List(Arc::new(Field::new_list_field(arrow_type(inner), true))),
    }
}

/// Returns the metadata's type for a scalar Arrow type, or `None` if there is none.
pub(crate) fn column_type(data_type: &DataType) -> Option<ColumnType> {
    Some(match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => ColumnType::String,
        DataType::Int8 => ColumnType::Int8,
        DataType::Int16 | DataType::UInt8 => ColumnType::Int16,
        DataType::Int32 | DataType::UInt16 => ColumnType::Int32,
        DataType::Int64 | DataType::UInt32 => ColumnType::Int64,
        DataType::Float16 | DataType::Float32 => ColumnType::Float32,
        DataType::Float64 => ColumnType::Float64,
        DataType::Decimal32(precision, scale)
        | DataType::Decimal64(precision, scale)
        | DataType::Decimal128(precision, scale) => {
            ColumnType::Decimal { precision: *precision, scale: u8::try_from(*scale).ok()? }
        }
        DataType::Date32 | DataType::Date64 => ColumnType::Date,
        DataType::Timestamp(unit, _) => ColumnType::Timestamp(match unit {
            TimeUnit::Second | TimeUnit::Millisecond => TimestampUnit::Millisecond,
            TimeUnit::Microsecond => TimestampUnit::Microsecond,
            TimeUnit::Nanosecond => TimestampUnit::Nanosecond,
        }),
        DataType::Boolean => ColumnType::Boolean,
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => {
            ColumnType::Binary
        }
        // read as its text
        DataType::Time32(_) | DataType::Time64(_) => ColumnType::String,
        _ => return None,
    })
}

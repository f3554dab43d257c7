//! The Arrow types of a table's columns.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use contract::{ColumnType, Table};

/// The columns that are in the files, in the metadata's order. All may be null: whether null is right is for the checks.
pub fn schema(table: &Table) -> SchemaRef {
    let fields = table.data_columns().iter().map(|c| Field::new(&c.name, arrow_type(&c.column_type), true));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// The Arrow type that holds a column's values in memory, and in Parquet without losing its logical type.
pub fn arrow_type(column_type: &ColumnType) -> DataType {
    match column_type {
        ColumnType::String => DataType::Utf8,
        ColumnType::Int8 => DataType::Int8,
        ColumnType::Int16 => DataType::Int16,
        ColumnType::Int32 => DataType::Int32,
        ColumnType::Int64 => DataType::Int64,
        ColumnType::Float32 => DataType::Float32,
        ColumnType::Float64 => DataType::Float64,
        // contract reads precision and scale as 1 to 38
        ColumnType::Decimal { precision, scale } => DataType::Decimal128(*precision, *scale as i8),
        ColumnType::Date => DataType::Date32,
        ColumnType::Timestamp => DataType::Timestamp(TimeUnit::Millisecond, None),
        ColumnType::Boolean => DataType::Boolean,
        ColumnType::Binary => DataType::Binary,
        ColumnType::Struct(fields) => {
            DataType::Struct(fields.iter().map(|(name, inner)| Field::new(name, arrow_type(inner), true)).collect())
        }
        ColumnType::List(inner) => DataType::List(Arc::new(Field::new_list_field(arrow_type(inner), true))),
    }
}

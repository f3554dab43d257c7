//! The type of a column of a Parquet file, as far as the reader distinguishes types: by Arrow's types and, where these
//! are not specific enough, by Parquet's own.

use std::sync::Arc;

use arrow::datatypes::DataType;
use contract::{ColumnType, FieldNames, TimestampUnit};
use parquet::basic::{ConvertedType, LogicalType, Type as Physical};
use parquet::errors::ParquetError;
use parquet::schema::types::{ColumnDescriptor, SchemaDescPtr, SchemaDescriptor, Type, TypePtr};

use crate::describe::inferred::{described_fields, name_each};
use crate::values::schema::column_type;

/// The type of a column or of a part of one.
#[derive(Debug)]
pub(crate) enum Found {
    Leaf(DataType, Origin),
    /// Fields in order.
    Struct(Vec<(String, Found)>),
    List(Box<Found>),
    /// A list of entries, each a struct of `key` and `value`.
    Map(Box<Found>),
}

/// The origin of bytes of a fixed length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Exactly what Arrow's type says.
    Plain,
    /// A point in time, to the nanosecond and in any year.
    Int96,
    Uuid,
    /// Months, days and milliseconds.
    Interval,
}

impl Found {
    /// Converts an Arrow type. `leaves` yields the origins of its leaves in order.
    pub(crate) fn new(data_type: &DataType, leaves: &mut dyn Iterator<Item = Origin>) -> Self {
        let mut fields = |fields: &arrow::datatypes::Fields, names: Option<[&str; 2]>| {
            let name = |n: usize, name: &str| names.and_then(|names| names.get(n).copied()).unwrap_or(name).to_owned();
            let fields = fields.iter().enumerate();
            fields.map(|(n, field)| (name(n, field.name()), Self::new(field.data_type(), leaves))).collect()
        };
        match data_type {
            DataType::Struct(there) => Self::Struct(fields(there, None)),
            DataType::Map(entries, _) => match entries.data_type() {
                DataType::Struct(there) => Self::Map(Box::new(Self::Struct(fields(there, Some(["key", "value"]))))),
                other => Self::Map(Box::new(Self::new(other, leaves))),
            },
            DataType::List(item) => Self::List(Box::new(Self::new(item.data_type(), leaves))),
            leaf => Self::Leaf(leaf.clone(), leaves.next().unwrap_or(Origin::Plain)),
        }
    }

    /// Returns the metadata's type for it, or `None` if there is none.
    pub(crate) fn column_type(&self) -> Option<ColumnType> {
        Some(match self {
            // Spark is the usual writer of INT96, and its timestamps are in microseconds
            Self::Leaf(_, Origin::Int96) => ColumnType::Timestamp(TimestampUnit::Microsecond),
            Self::Leaf(_, Origin::Uuid) => ColumnType::String,
            Self::Leaf(_, Origin::Interval) => return None,
            Self::Leaf(data_type, Origin::Plain) => column_type(data_type)?,
            Self::Struct(fields) => {
                let names = described_fields(fields.iter().map(|(name, _)| name.as_str()));
                let fields = names.into_iter().zip(fields).map(|(name, (_, field))| Some((name, field.column_type()?)));
                ColumnType::Struct(fields.collect::<Option<_>>()?)
            }
            Self::List(item) | Self::Map(item) => ColumnType::List(Box::new(item.column_type()?)),
        })
    }

    /// Returns the names in the file of the fields of [`Self::column_type`].
    pub(crate) fn field_names(&self) -> FieldNames {
        let mut names = FieldNames::default();
        self.name_fields("", &mut names);
        names
    }

    fn name_fields(&self, path: &str, names: &mut FieldNames) {
        match self {
            Self::Leaf(..) => {}
            Self::List(item) | Self::Map(item) => item.name_fields(path, names),
            Self::Struct(fields) => name_each(fields, path, names, Self::name_fields),
        }
    }
}

impl Origin {
    pub(crate) fn of(leaf: &ColumnDescriptor) -> Self {
        match (leaf.physical_type(), leaf.logical_type_ref(), leaf.converted_type()) {
            (Physical::INT96, None, ConvertedType::NONE) => Self::Int96,
            (Physical::FIXED_LEN_BYTE_ARRAY, Some(LogicalType::Uuid), _) => Self::Uuid,
            (Physical::FIXED_LEN_BYTE_ARRAY, None, ConvertedType::INTERVAL) => Self::Interval,
            _ => Self::Plain,
        }
    }
}

/// Returns a file's schema with INT96 and INTERVAL as plain bytes, which the parquet crate passes on unchanged. It
/// would cut an INT96 to 64 bits, and drop the months of an INTERVAL.
pub(crate) fn as_bytes(schema: &SchemaDescPtr) -> Result<SchemaDescPtr, ParquetError> {
    let is_plain = |leaf: usize| matches!(Origin::of(&schema.column(leaf)), Origin::Plain | Origin::Uuid);
    if (0..schema.num_columns()).all(is_plain) {
        return Ok(Arc::clone(schema));
    }
    Ok(Arc::new(SchemaDescriptor::new(type_as_bytes(&schema.root_schema_ptr())?)))
}

fn type_as_bytes(found: &TypePtr) -> Result<TypePtr, ParquetError> {
    let info = found.get_basic_info();
    let id = info.has_id().then(|| info.id());
    match found.as_ref() {
        Type::PrimitiveType { physical_type, type_length, .. } => {
            let plain_int96 = *physical_type == Physical::INT96
                && info.logical_type_ref().is_none()
                && info.converted_type() == ConvertedType::NONE;
            let interval = *physical_type == Physical::FIXED_LEN_BYTE_ARRAY
                && info.logical_type_ref().is_none()
                && info.converted_type() == ConvertedType::INTERVAL;
            if !plain_int96 && !interval {
                return Ok(Arc::clone(found));
            }
            let length = if plain_int96 { 12 } else { *type_length };
            let bytes = Type::primitive_type_builder(info.name(), Physical::FIXED_LEN_BYTE_ARRAY);
            let bytes = bytes.with_repetition(info.repetition()).with_length(length).with_id(id);
            Ok(Arc::new(bytes.build()?))
        }
        Type::GroupType { fields, .. } => {
            let fields = fields.iter().map(type_as_bytes).collect::<Result<Vec<_>, _>>()?;
            let mut group = Type::group_type_builder(info.name())
                .with_logical_type(info.logical_type_ref().cloned())
                .with_converted_type(info.converted_type())
                .with_fields(fields)
                .with_id(id);
            if info.has_repetition() {
                group = group.with_repetition(info.repetition());
            }
            Ok(Arc::new(group.build()?))
        }
    }
}

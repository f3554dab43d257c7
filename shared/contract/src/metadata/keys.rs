//! All keys of the metadata.

// These lists hold every key that is read, or known to belong to another program. docs/schema describes each of them
// and must have the same keys. `make reference` generates docs/metadata.md from docs/schema. tests/schema/examples.rs
// has a table with all keys.
pub(crate) const DATABASE_KEYS: &[&str] = &["$schema", "name", "bucket", "base_folder", "description"];
pub(crate) const COLUMN_KEYS: &[&str] = &[
    "name",
    "type",
    "type_category",
    "description",
    "pattern",
    "enum",
    "nullable",
    "sensitivity",
    "sensitive",
    "redacted",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "unique",
    "datetime_format",
    "source_name",
    "source_names",
    "source_position",
    "nullValues",
    "decimalChar",
    "groupChar",
    "bareNumber",
    "trueValues",
    "falseValues",
    "proposed",
    "earlier_types",
];
pub(crate) const EARLIER_KEYS: &[&str] = &["before", "type", "type_category", "datetime_format"];
pub(crate) const TABLE_KEYS: &[&str] = &[
    "$schema",
    "name",
    "description",
    "location",
    "data_format",
    "columns",
    "partitions",
    "primary_key",
    "glue_specific",
    "file_format",
    "table_location",
    "database_name",
    "glue_table_properties",
    "sensitive",
    "sensitivity",
    "checks",
    "dialect",
    "source",
    "copy_to_raw",
    "delete_raw",
    "read_from",
    "lines",
    "mode",
    "self_contained",
    "partition_projection",
    "compression",
];

/// Parameters of Glue tables that mojap-metadata ignores in `glue_table_properties`, because Glue and Athena use them
/// themselves. `glue_specific` may set them.
pub(crate) const PROTECTED_PROPERTIES: &[&str] = &[
    "recordCount",
    "skip.header.line.count",
    "CrawlerSchemaSerializerVersion",
    "classification",
    "CrawlerSchemaDeserializerVersion",
    "sizeKey",
    "averageRecordSize",
    "compressionType",
    "typeOfData",
    "objectCount",
    "aws:RawTableLastAltered",
    "ViewOriginalText",
    "ViewExpandedText",
    "ExternalTable:S3Location",
    "ExternalTable:FileFormat",
    "aws:RawType",
    "aws:RawColumnComment",
    "aws:RawTableComment",
    "has_encrypted_data",
    "orc.compress",
    "parquet.compression",
    "write.compression",
    "compression_level",
    "projection.*",
    "storage.location.template",
    "primary_key",
];

/// Our own keys that hold an object of plain values.
pub(crate) const OBJECTS: &[&str] = &["checks", "source"];
/// Our own keys that hold one of several words.
pub(crate) const WORDS: &[&str] = &["mode", "read_from", "compression"];

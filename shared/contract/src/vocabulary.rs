//! Every key of the metadata files, and all that is said of it: the reader knows a slip by these names, docs/metadata.md has a
//! row for each, and docs/schema says of each what its value may be. To add a key, add it here, read it in
//! [`metadata`](crate::MetaData::read), and run `make reference`.

/// A key of an object in a metadata file.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// The key.
    pub name: &'static str,
    /// Whose word it is.
    pub of: Owner,
    /// What it may hold, for people.
    pub value: &'static str,
    /// What holds where it is left out.
    pub default: &'static str,
    /// Which stages go by it.
    pub used_by: &'static str,
    /// What it says.
    pub meaning: &'static str,
    /// What it may hold, as a JSON Schema.
    pub schema: &'static str,
}

/// Whose word a key is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// etl_manager's.
    EtlManager,
    /// mojap-metadata's.
    Mojap,
    /// That of both.
    Both,
    /// data_linter's, which reads mojap-metadata's files.
    DataLinter,
    /// JSON Schema's.
    JsonSchema,
    /// Ours.
    Landfall,
}

impl Owner {
    /// For people.
    pub fn name(self) -> &'static str {
        match self {
            Self::EtlManager => "etl_manager",
            Self::Mojap => "mojap-metadata",
            Self::Both => "both",
            Self::DataLinter => "data_linter",
            Self::JsonSchema => "JSON Schema",
            Self::Landfall => "Landfall",
        }
    }
}

/// What the default of a key is called that must be there.
pub const REQUIRED: &str = "required";

const fn key(
    of: Owner,
    name: &'static str,
    value: &'static str,
    default: &'static str,
    used_by: &'static str,
    meaning: &'static str,
    schema: &'static str,
) -> Key {
    Key { name, of, value, default, used_by, meaning, schema }
}

use Owner::{Both, DataLinter, EtlManager, JsonSchema, Landfall, Mojap};

const FLAG: &str = "true or false";
/// What may be null in the other programs' files.
const NULLABLE_FLAG: &str = r#"{"type": ["boolean", "null"]}"#;
const NULLABLE_TEXT: &str = r#"{"type": ["string", "null"]}"#;
const OWN_FLAG: &str = r#"{"type": "boolean"}"#;
const WHOLE: &str = r#"{"type": "integer", "minimum": 0}"#;
const NULLABLE_WHOLE: &str = r#"{"type": ["integer", "null"], "minimum": 0}"#;
const POSITIVE: &str = r#"{"type": "integer", "minimum": 1}"#;
const NAMES: &str = r#"{"type": ["array", "null"], "items": {"type": "string"}, "uniqueItems": true}"#;
const SENSITIVITY: &str = r##"{"anyOf": [{"$ref": "#/$defs/sensitivity"}, {"type": "null"}, {"type": "array", "items": {"$ref": "#/$defs/sensitivity"}}]}"##;
const FORMAT: &str = "`csv`, `csv_quoted_nodate`, `json` (or `jsonl`, `ndjson`), `parquet`, `orc`, `avro`, `regex`";
const THEIRS: &str = "not read";

/// The keys of `database.json`.
pub const DATABASE: &[Key] = &[
    key(Both, "name", "a name: lower-case letters, digits and `_`", REQUIRED, "all", "the Glue database", r##"{"$ref": "#/$defs/name"}"##),
    key(EtlManager, "bucket", "a text", REQUIRED, "`make definition`",
        "the bucket; a deployed stack has its own, which comes before it", r#"{"type": "string", "minLength": 1}"#),
    key(EtlManager, "base_folder", "a folder, or `\"\"`", REQUIRED, "all",
        "the folder of the tables; of `raw/database.json` the folder in land, raw-hist and raw",
        r#"{"type": "string", "pattern": "^/*(?:(?!\\.{1,2}(?:/|$))[^/\\u0000-\\u001f\\u007f]+(?:/(?!\\.{1,2}(?:/|$))[^/\\u0000-\\u001f\\u007f]+)*)?/*$"}"#),
    key(EtlManager, "description", "a text, or `\"\"`", REQUIRED, "catalog", "for people; Glue's description", r#"{"type": "string"}"#),
];

/// The keys of a table.
pub const TABLE: &[Key] = &[
    key(JsonSchema, "$schema", "a URL or path", "", "editors", "which schema an editor completes and checks by", "{}"),
    key(Both, "name", "a name that is the file's: lower-case letters, digits and `_`, none at the beginning", REQUIRED, "all",
        "the table, and the folder in which its files land", r##"{"$ref": "#/$defs/table_name"}"##),
    key(Both, "description", "a text", "`\"\"`", "catalog", "for people; cut to 2,048 characters in Glue", NULLABLE_TEXT),
    key(EtlManager, "location", "a folder: letters, digits, `_`, `-` and single `/`; no folder begins with `_`",
        "required in etl_manager's format, else the name", "curate, catalog",
        "the folder of a curated table, under the base folder. A raw table's files lie in the folder of its name",
        r##"{"$ref": "#/$defs/location"}"##),
    key(EtlManager, "data_format", FORMAT, "required in etl_manager's format", "process, catalog",
        "what the files are: of a raw table to Glue only (what a file is, its name says), of a processed one `json` or \
         `parquet`, of a curated one `parquet`", r##"{"$ref": "#/$defs/format"}"##),
    key(Mojap, "file_format", "the same, or `\"\"`", "`data_format`, else `parquet`", "process, catalog",
        "mojap-metadata's word for `data_format`", r##"{"anyOf": [{"$ref": "#/$defs/format"}, {"const": ""}]}"##),
    key(Both, "columns", "a list of [columns](#columns), one at least", REQUIRED, "all", "the columns, in order",
        r##"{"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/column"}}"##),
    key(Both, "partitions", "a list of names of columns", "`[]`", "curate, catalog",
        "the columns in the folders' names, in this order; they become the last ones. Of a raw table `file_land_timestamp` at \
         most; none of a processed one", NAMES),
    key(Both, "primary_key", "a list of names of columns", "`[]`", "validate, catalog",
        "the columns that identify a row: checked by `unique_primary_key`, told to Glue", NAMES),
    key(Both, "sensitivity", "`personal_data`, `special_category_data`, or a list of them", "", "all",
        "personal data in each column: values appear in no message; Glue is told which", SENSITIVITY),
    key(Mojap, "sensitive", FLAG, "`false`", "all", "personal data in each column, of no kind that is said", NULLABLE_FLAG),
    key(EtlManager, "glue_specific", "an object", "`{}`", "catalog", "[merged](definitions.md) into the table's definition in Glue",
        r#"{"type": ["object", "null"]}"#),
    key(Mojap, "glue_table_properties", "an object of texts", "`{}`", "catalog",
        "parameters of the table in Glue, but for those that are Glue's own",
        r#"{"type": ["object", "null"], "additionalProperties": {"type": "string"}}"#),
    key(Mojap, "database_name", "anything", "", THEIRS, "the database is that of `database.json`", "{}"),
    key(Mojap, "table_location", "anything", "", THEIRS, "the place is base folder and `location`; says that the words are mojap-metadata's", "{}"),
    key(Landfall, "checks", "an [object](#checks)", "`{}`", "validate, curate", "what a file that lands must satisfy as a whole",
        r##"{"$ref": "#/$defs/checks"}"##),
    key(Landfall, "source", "an [object](#source)", "", "extract", "the HTTP API that the table is fetched from",
        r##"{"$ref": "#/$defs/source"}"##),
    key(Landfall, "lines", FLAG, "`false`", "validate, process, catalog",
        "raw: each line of a file is a row of one column of text; a second column, a long, is its number", OWN_FLAG),
    key(Landfall, "copy_to_raw", FLAG, "`false`", "validate", "raw: what passes is copied to the raw area too", OWN_FLAG),
    key(Landfall, "read_from", "`raw-hist`, `raw`, `processed`", "`raw-hist`; with a `processed/<table>.json` `processed`", "curate",
        "raw: where the SQL finds the table's files", r#"{"enum": ["raw-hist", "raw", "processed"]}"#),
    key(Landfall, "delete_raw", FLAG, "`false`", "process", "processed: the raw copy is deleted once it is processed", OWN_FLAG),
    key(Landfall, "mode", "`rebuild`, `partition`, `append`", "`rebuild`", "curate, catalog",
        "curated: [how much of the table a run replaces](tables.md#how-much-of-the-table-a-run-replaces)",
        r#"{"enum": ["rebuild", "partition", "append"]}"#),
    key(Landfall, "self_contained", FLAG, "`false`", "curate, catalog",
        "curated, of mode `partition` or `append`: [each run is whole](reading.md#self_contained)", OWN_FLAG),
    key(Landfall, "partition_projection", FLAG, "`false`", "catalog",
        "curated: Athena [computes the partitions](catalog.md), and none is registered", OWN_FLAG),
    key(Landfall, "compression", "`snappy`, `zstd`", "`snappy`", "process, curate, catalog",
        "processed and curated: how Parquet is compressed", r#"{"enum": ["snappy", "zstd"]}"#),
];

/// The keys of a column.
pub const COLUMN: &[Key] = &[
    key(Both, "name", "a name: lower-case letters, digits and `_`", REQUIRED, "all", "the column", r##"{"$ref": "#/$defs/name"}"##),
    key(Both, "type", "a [type](#types)", "required; mojap-metadata: or `type_category`", "all", "what its values are", r##"{"type": "string"}"##),
    key(Mojap, "type_category", "`integer`, `float`, `string`, `timestamp`, `binary`, `boolean`", "", "all",
        "`int64`, `float64`, `string`, `timestamp(ms)`, `binary` or `bool`, where there is no `type`", "{}"),
    key(Both, "description", "a text", "`\"\"`", "catalog", "for people; Glue's comment, cut to 255 characters", NULLABLE_TEXT),
    key(Both, "nullable", FLAG, "`true`", "validate, curate", "whether a row may have no value", NULLABLE_FLAG),
    key(Both, "enum", "a list of values", "", "validate", "the only values, besides null; of a column that is not nested",
        r#"{"type": ["array", "null"]}"#),
    key(Both, "pattern", "a regular expression", "", "validate", "what a text must match; see `pattern_anchor`. Of another column it is not applied",
        r#"{"type": ["string", "null"], "format": "regex"}"#),
    key(Mojap, "minLength", "a whole number", "", "validate", "the least length of a text, in characters. Of another column it is not applied", NULLABLE_WHOLE),
    key(Mojap, "maxLength", "a whole number", "", "validate", "the greatest length of a text. Of another column it is not applied", NULLABLE_WHOLE),
    key(Mojap, "minimum", "a number; for a decimal or a time a text like the column's values", "", "validate",
        "the least value, inclusive", r#"{"type": ["number", "string", "null"]}"#),
    key(Mojap, "maximum", "the same", "", "validate", "the greatest value, inclusive", r#"{"type": ["number", "string", "null"]}"#),
    key(Mojap, "unique", FLAG, "`false`", "validate", "whether a value may be in a file only once; of a column that is not nested", NULLABLE_FLAG),
    key(DataLinter, "datetime_format", "a text in the words of strptime", "`%Y-%m-%d`, `%Y-%m-%d %H:%M:%S`", "validate, curate",
        "how text files write the column's dates or timestamps", NULLABLE_TEXT),
    key(Both, "sensitivity", "as of the table", "", "all", "which personal data it holds", SENSITIVITY),
    key(EtlManager, "redacted", FLAG, "`false`", "all", "personal data, left out of versions of the table for more people", NULLABLE_FLAG),
    key(Mojap, "sensitive", FLAG, "`false`", "all", "personal data", NULLABLE_FLAG),
    key(Landfall, "earlier_types", "a list of [objects](#earlier_types)", "`[]`", "validate, curate",
        "raw: the [types that the column had](tables.md#when-a-columns-type-changes)",
        r##"{"type": "array", "items": {"$ref": "#/$defs/earlier_type"}}"##),
];

/// The keys of an entry of `earlier_types`.
pub const EARLIER_TYPE: &[Key] = &[
    key(Landfall, "before", "Unix seconds", REQUIRED, "validate, curate",
        "in files whose `file_land_timestamp` is less the column is of this type", WHOLE),
    key(Landfall, "type", "a [type](#types)", "required; mojap-metadata: or `type_category`", "validate, curate", "the type", r#"{"type": "string"}"#),
    key(Landfall, "type_category", "as of a column", "", "validate, curate", "the type", "{}"),
    key(Landfall, "datetime_format", "as of a column", "as of a column", "validate, curate", "how dates or timestamps were written", NULLABLE_TEXT),
];

/// The keys of `checks`.
pub const CHECKS: &[Key] = &[
    key(Landfall, "minimum_rows", "a whole number", "`1`", "validate", "the least number of rows in a file", WHOLE),
    key(Landfall, "maximum_rows", "a whole number", "", "validate", "the greatest", NULLABLE_WHOLE),
    key(Landfall, "minimum_bytes", "a whole number", "`1`", "validate", "the least size of a file as it lands", WHOLE),
    key(Landfall, "maximum_bytes", "a whole number", "", "validate", "the greatest", NULLABLE_WHOLE),
    key(Landfall, "required", FLAG, "`false`", "validate, curate",
        "a sweep by hand must find a file, and a curated table that reads it waits for the first one", OWN_FLAG),
    key(Landfall, "allow_missing_columns", FLAG, "`false`", "validate", "a column that is not in the file reads as null", OWN_FLAG),
    key(Landfall, "allow_unexpected_columns", FLAG, "`false`", "validate", "a column that is not described is not read", OWN_FLAG),
    key(Landfall, "ignore_header_case", FLAG, "`false`", "validate, curate", "names in a file may differ in upper and lower case", OWN_FLAG),
    key(Landfall, "header", FLAG, "`true`", "validate, curate, catalog", "the first record of a CSV file names its columns", OWN_FLAG),
    key(Landfall, "unique_primary_key", FLAG, "`false`", "validate", "no two rows agree in all columns of `primary_key`, and none of these is null", OWN_FLAG),
    key(Landfall, "file_name_pattern", "a regular expression", "", "validate", "the whole file name, in place of `<table>[_<chunk>]_<unix seconds>`",
        r#"{"type": ["string", "null"], "format": "regex"}"#),
    key(Landfall, "repeated_files", "`ignore`, `keep`", "`ignore`", "validate", "whether a file that lands again without a folder of its own counts each time",
        r#"{"enum": ["ignore", "keep"]}"#),
    key(Landfall, "pattern_anchor", "`start`, `whole`", "`start`", "validate", "where a column's `pattern` must match: from the start, like `re.match`, or the whole value",
        r#"{"enum": ["start", "whole"]}"#),
    key(Landfall, "examples", "a whole number", "`5`", "validate", "rows that a report shows for each rule of each column, at most 100",
        r#"{"type": "integer", "minimum": 0, "maximum": 100}"#),
];

/// The keys of `source`.
pub const SOURCE: &[Key] = &[
    key(Landfall, "url", "a URL", REQUIRED, "extract", "what to GET: `https`, or `http` on this machine", r#"{"type": "string"}"#),
    key(Landfall, "requests", "a whole number", "`1`", "extract", "how many requests make one extract", POSITIVE),
    key(Landfall, "records", "a JSON pointer", "`\"\"`", "extract", "where the record, or the list of records, is in an answer",
        r#"{"type": "string", "pattern": "^(?:/|$)"}"#),
    key(Landfall, "flatten_separator", "a text", "`\"_\"`", "extract", "joins the names of nested objects", r#"{"type": "string"}"#),
    key(Landfall, "index_column", "the name of a column", "", "extract", "the column that numbers the rows of an extract, from 0", NULLABLE_TEXT),
    key(Landfall, "concurrency", "a whole number", "`4`", "extract", "requests under way at once", POSITIVE),
    key(Landfall, "requests_per_second", "a whole number", "`20`", "extract", "requests begun per second at most",
        r#"{"type": "integer", "minimum": 1, "maximum": 4294967295}"#),
    key(Landfall, "attempts", "a whole number", "`5`", "extract", "attempts per request, the first included",
        r#"{"type": "integer", "minimum": 1, "maximum": 4294967295}"#),
    key(Landfall, "timeout_seconds", "a whole number", "`10`", "extract", "until an attempt is given up", POSITIVE),
    key(Landfall, "maximum_file_bytes", "a whole number", "`1000000000`", "extract", "compressed bytes after which the next file is begun", POSITIVE),
];

/// A type of columns, by all of its names.
#[derive(Clone, Copy, Debug)]
pub struct TypeNames {
    /// What it holds.
    pub meaning: &'static str,
    /// In etl_manager's format.
    pub etl_manager: &'static [&'static str],
    /// In mojap-metadata's.
    pub mojap: &'static [&'static str],
    /// In Glue and Athena.
    pub glue: &'static str,
}

const fn names(
    meaning: &'static str,
    etl_manager: &'static [&'static str],
    mojap: &'static [&'static str],
    glue: &'static str,
) -> TypeNames {
    TypeNames { meaning, etl_manager, mojap, glue }
}

/// The types. Letters in brackets stand for numbers, and `type` for a type.
pub const TYPES: &[TypeNames] = &[
    names("text", &["character"], &["string", "utf8", "large_string", "large_utf8"], "string"),
    names("whole number of 8 bits", &[], &["int8"], "tinyint"),
    names("of 16 bits", &[], &["int16", "uint8"], "smallint"),
    names("of 32 bits", &["int"], &["int32", "uint16"], "int"),
    names("of 64 bits", &["long"], &["int64", "uint32"], "bigint"),
    names("floating point of 32 bits", &["float"], &["float32", "float16"], "float"),
    names("of 64 bits", &["double"], &["float64"], "double"),
    names("exact number of p digits, s of them after the point; p is 38 at most", &["decimal(p,s)"],
        &["decimal128(p,s)", "decimal(p,s)"], "decimal(p,s)"),
    names("day", &["date"], &["date32", "date64"], "date"),
    names("time to the millisecond, without a zone", &["datetime"], &["timestamp(ms)", "timestamp(s)"], "timestamp"),
    names("to the microsecond or nanosecond", &["timestamp(us)", "timestamp(ns)"], &["timestamp(us)", "timestamp(ns)"], "timestamp"),
    names("true or false", &["boolean"], &["bool", "bool_"], "boolean"),
    names("bytes", &["binary"], &["binary", "binary(n)", "large_binary"], "binary"),
    names("named values", &["struct<name:type,…>"], &["struct<name:type,…>"], "struct<name:type,…>"),
    names("list", &["array<type>"], &["list<type>", "list_<type>", "large_list<type>"], "array<type>"),
];

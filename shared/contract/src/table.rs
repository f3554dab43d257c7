//! A table as its metadata describes it: its columns, partitions, source and rules.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ColumnType;
use crate::Dialect;
use crate::FileDialect;
use crate::Written;

/// Hive's replacement for null in the name of a partition folder.
pub const NULL_PARTITION: &str = "__HIVE_DEFAULT_PARTITION__";

/// A described table: raw, processed or curated.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// The metadata file of the table.
    pub file: PathBuf,
    /// The vocabulary of that file.
    pub dialect: Dialect,
    /// Lower case, digits and `_`.
    pub name: String,
    /// For people. Cut to Glue's limit in the table's definition.
    pub description: String,
    /// The table's folder under the base folder, without slashes at either end.
    pub location: String,
    /// The format of the table's files.
    pub data_format: DataFormat,
    /// All columns. The partition columns come last, in the order of `partitions`.
    pub columns: Vec<Column>,
    /// The names of the partition columns.
    pub partitions: Vec<String>,
    /// The names of the columns that identify a row.
    pub primary_key: Vec<String>,
    /// An object that is merged into the table's Glue definition.
    pub glue_specific: Value,
    /// The dialect of a raw table's files.
    pub file_dialect: FileDialect,
    /// The rules for a landed file as a whole.
    pub checks: Checks,
    /// The source from which extract fetches the table, if there is one.
    pub source: Option<Source>,
    /// Whether validate also copies files to the raw area.
    pub copy_to_raw: bool,
    /// Whether a raw file is deleted once it has been processed. Only for processed tables.
    pub delete_raw: bool,
    /// The area in which curate finds a raw table's files.
    pub read_from: ReadFrom,
    /// Whether files are read line by line, whatever their extension. The first column holds the unchanged line. A
    /// second one, if described, holds the line number.
    pub lines: bool,
    /// The compression of the pages of the table's Parquet files.
    pub compression: ParquetCompression,
    /// How much of a curated table each run replaces.
    pub mode: Mode,
    /// Whether the folder of each run holds the whole table, in the modes `partition` and `append`. Partitions that
    /// stay are copied into it. The table can then be read by its location alone.
    pub self_contained: bool,
    /// Whether Athena computes the locations of a curated table's partitions instead of looking them up in Glue. A run
    /// is then published by one call, however many partitions it has.
    pub partition_projection: bool,
    /// The curated table's SQL. If it is absent, the table is a copy of the raw table of the same name.
    pub sql: Option<String>,
}

/// A described column.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// Lower case, digits and `_`.
    pub name: String,
    /// The type of its values.
    pub column_type: ColumnType,
    /// For people. Cut to Glue's limit in the table's definition.
    pub description: String,
    /// Whether a row may lack a value.
    pub nullable: bool,
    /// A regular expression that text values must match; see [`Checks::pattern_anchor`].
    pub pattern: Option<String>,
    /// The allowed values, as text. Null is allowed as well if the column is nullable.
    pub enumeration: Option<Vec<String>>,
    /// The smallest allowed value, as text. A date or timestamp is written in the column's format.
    pub minimum: Option<String>,
    /// The greatest allowed value, as text.
    pub maximum: Option<String>,
    /// The shortest allowed text, in characters.
    pub min_length: Option<u64>,
    /// The longest allowed text, in characters.
    pub max_length: Option<u64>,
    /// Whether each value may occur only once in a file. Nulls do not count.
    pub unique: bool,
    /// The format of dates and timestamps in text files, in strptime's notation (data_linter's `datetime_format`). If
    /// it is absent, `%Y-%m-%d` and `%Y-%m-%d %H:%M:%S`.
    pub datetime_format: Option<String>,
    /// The column's name in the files, if it differs.
    pub source_name: Option<String>,
    /// The names of the struct fields in the files.
    pub source_names: FieldNames,
    /// The position of the field in a record, from 1. It distinguishes fields of the same name.
    pub source_position: Option<usize>,
    /// The notation of its values in text files.
    pub written: Written,
    /// The types that the column had in files that landed earlier, the oldest first.
    pub earlier_types: Vec<EarlierType>,
    /// Whether `sensitive`, `sensitivity` or `redacted` marks the column or its table. Its values appear in no log,
    /// report, metric or payload.
    pub sensitive: bool,
    /// The kind of personal data, if the metadata states it.
    pub sensitivity: Option<Sensitivity>,
    /// Whether the column is left out of versions of the table for a wider audience. Landfall itself does not create
    /// such versions.
    pub redacted: bool,
}

/// The names that the fields of a column's structs have in the files, if they differ. They are keyed by path: the field
/// names from the outermost struct on, joined by dots. The items of a list add nothing to the path.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct FieldNames(BTreeMap<String, String>);

impl FieldNames {
    /// Returns the path of a field. `of_struct` is the path of its struct, and empty for the column's own.
    pub fn path(of_struct: &str, field: &str) -> String {
        if of_struct.is_empty() { field.into() } else { format!("{of_struct}.{field}") }
    }

    /// Returns the name in the files of a field. `of_struct` is the path of its struct.
    pub fn in_files<'a>(&'a self, of_struct: &str, field: &'a str) -> &'a str {
        self.0.get(&Self::path(of_struct, field)).map_or(field, String::as_str)
    }

    /// Sets the name in the files of the field at a path.
    pub fn insert(&mut self, path: String, name: String) {
        self.0.insert(path, name);
    }

    /// Whether all fields have their described names in the files.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Iterates over paths and names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(path, name)| (path.as_str(), name.as_str()))
    }
}

/// A type that a column had in the past.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EarlierType {
    /// Unix seconds. The type applies to files with a smaller `file_land_timestamp`.
    pub before: u64,
    /// The type of the values at that time.
    pub column_type: ColumnType,
    /// The format of dates and timestamps at that time.
    pub datetime_format: Option<String>,
}

impl Table {
    /// Returns the table as it was described for files of this time. A column that had another type then keeps no rules
    /// but `nullable`.
    pub fn at(&self, file_land_timestamp: u64) -> Cow<'_, Self> {
        let earlier =
            |column: &Column| column.earlier_types.iter().find(|earlier| file_land_timestamp < earlier.before).cloned();
        if self.columns.iter().all(|column| earlier(column).is_none()) {
            return Cow::Borrowed(self);
        }
        let mut then = self.clone();
        for column in &mut then.columns {
            let Some(EarlierType { column_type, datetime_format, .. }) = earlier(column) else { continue };
            *column = Column {
                column_type,
                datetime_format,
                pattern: None,
                enumeration: None,
                minimum: None,
                maximum: None,
                min_length: None,
                max_length: None,
                unique: false,
                ..column.clone()
            };
        }
        Cow::Owned(then)
    }

    /// Returns the times at which the type of some column changed.
    pub fn changed_at(&self) -> BTreeSet<u64> {
        self.columns.iter().flat_map(|column| &column.earlier_types).map(|earlier| earlier.before).collect()
    }
}

/// etl_manager's kinds of personal data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sensitivity {
    /// Identifies a person.
    PersonalData,
    /// Data of a category that the law protects more strictly: health, religion, origin and so on.
    SpecialCategoryData,
}

impl Column {
    /// The column's name in the files.
    pub fn name_in_files(&self) -> &str {
        self.source_name.as_deref().unwrap_or(&self.name)
    }
}

impl Sensitivity {
    /// Parses etl_manager's name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::PersonalData, Self::SpecialCategoryData].into_iter().find(|one| one.name() == name)
    }

    /// Returns etl_manager's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::PersonalData => "personal_data",
            Self::SpecialCategoryData => "special_category_data",
        }
    }
}

/// The format of a table's files, named as in etl_manager.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataFormat {
    /// Comma-separated values. Athena reads them as unquoted (LazySimpleSerDe).
    Csv,
    /// Comma-separated values with quotes. Athena reads them with OpenCSVSerde.
    CsvQuotedNodate,
    /// JSON Lines.
    Json,
    /// Apache Parquet.
    Parquet,
    /// Apache ORC.
    Orc,
    /// Apache Avro.
    Avro,
    /// Text lines that a regular expression splits into columns.
    Regex,
}

impl DataFormat {
    /// The names in etl_manager.
    pub const NAMES: &[&str] = &["csv", "csv_quoted_nodate", "json", "parquet", "orc", "avro", "regex"];

    /// Parses etl_manager's name. mojap-metadata's `jsonl`, and `ndjson`, mean the same as `json`.
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "csv" => Self::Csv,
            "csv_quoted_nodate" => Self::CsvQuotedNodate,
            "json" | "jsonl" | "ndjson" => Self::Json,
            "parquet" => Self::Parquet,
            "orc" => Self::Orc,
            "avro" => Self::Avro,
            "regex" => Self::Regex,
            _ => return None,
        })
    }
}

/// How much of a curated table a run replaces.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// The whole table.
    #[default]
    Rebuild,
    /// The partitions that the run writes. The others stay.
    Partition,
    /// Nothing: the run adds the rows of files that the table does not have yet.
    Append,
}

/// The area in which curate finds a raw table's files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReadFrom {
    /// The immutable history.
    #[default]
    RawHist,
    /// The transient copies.
    Raw,
    /// The processed files, which the process stage makes from the raw copies.
    Processed,
}

/// The compression of the pages of a Parquet file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ParquetCompression {
    /// Fast to write and to read.
    #[default]
    Snappy,
    /// Smaller, so that Athena scans, and bills, less.
    Zstd,
}

/// The rules for a landed file besides those of its columns.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Checks {
    /// The smallest allowed number of rows.
    pub minimum_rows: u64,
    /// The greatest allowed number of rows.
    pub maximum_rows: Option<u64>,
    /// The smallest allowed size of a file as it lands, in bytes.
    pub minimum_bytes: u64,
    /// The greatest allowed size of a file as it lands, in bytes.
    pub maximum_bytes: Option<u64>,
    /// Whether a sweep of land by hand must find a file of the table.
    pub required: bool,
    /// Whether columns of the metadata may be missing from the file. They are then read as null.
    pub allow_missing_columns: bool,
    /// Whether the file may have columns that are not in the metadata. They are not read.
    pub allow_unexpected_columns: bool,
    /// Whether column names in a file may differ from the metadata's in letter case.
    pub ignore_header_case: bool,
    /// Whether the first record of a CSV file names its columns. Otherwise they are in the metadata's order.
    pub header: bool,
    /// Whether rows must differ in the primary key. Its columns may not be null then.
    pub unique_primary_key: bool,
    /// A regular expression for the whole file name, instead of `<table>[_<chunk>]_<unix seconds>`.
    pub file_name_pattern: Option<String>,
    /// What happens to a repeated file that lands without a folder of its own. It has the table, name and bytes of a
    /// file that is already in history.
    pub repeated_files: RepeatedFiles,
    /// Where a column's `pattern` must match.
    pub pattern_anchor: Anchor,
    /// The number of examples that a report shows for each rule of each column.
    pub examples: usize,
}

impl Default for Checks {
    fn default() -> Self {
        Self {
            minimum_rows: 1,
            maximum_rows: None,
            minimum_bytes: 1,
            maximum_bytes: None,
            required: false,
            allow_missing_columns: false,
            allow_unexpected_columns: false,
            ignore_header_case: false,
            header: true,
            unique_primary_key: false,
            file_name_pattern: None,
            repeated_files: RepeatedFiles::Ignore,
            pattern_anchor: Anchor::Start,
            examples: 5,
        }
    }
}

/// What happens to a repeated file that lands without a folder of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RepeatedFiles {
    /// It is a repeated upload: its rows count once.
    #[default]
    Ignore,
    /// The source had the same content on another day: its rows count each time, under the time of each landing.
    Keep,
}

/// The position at which a column's `pattern` must match.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Anchor {
    /// At the start of the value, like Python's `re.match` and data_linter. Write `$` for the end.
    #[default]
    Start,
    /// The whole value.
    Whole,
}

/// The source from which extract fetches a table, and the conversion of its answers into rows.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// The URL to GET: `https`, or `http` on a loopback address.
    pub url: String,
    /// The number of requests of one extract.
    #[serde(default = "one")]
    pub requests: u64,
    /// A JSON pointer (RFC 6901) to the record or to the array of records in an answer.
    #[serde(default)]
    pub records: String,
    /// Joins the names of nested objects into one column name.
    #[serde(default = "underscore")]
    pub flatten_separator: String,
    /// The column that numbers the rows of an extract from 0.
    #[serde(default)]
    pub index_column: Option<String>,
    /// The most requests in flight at once.
    #[serde(default = "four")]
    pub concurrency: usize,
    /// The most requests started per second.
    #[serde(default = "twenty")]
    pub requests_per_second: u32,
    /// The most attempts per request, including the first.
    #[serde(default = "five")]
    pub attempts: u32,
    /// The timeout of an attempt.
    #[serde(default = "ten")]
    pub timeout_seconds: u64,
    /// The compressed size at which a file is closed and the next chunk begun.
    #[serde(default = "one_gigabyte")]
    pub maximum_file_bytes: u64,
}

fn one() -> u64 {
    1
}
fn underscore() -> String {
    "_".into()
}
fn four() -> usize {
    4
}
fn twenty() -> u32 {
    20
}
fn five() -> u32 {
    5
}
fn ten() -> u64 {
    10
}
fn one_gigabyte() -> u64 {
    1_000_000_000
}

impl Table {
    /// The columns in the files: all but the partition columns.
    pub fn data_columns(&self) -> &[Column] {
        &self.columns[..self.columns.len() - self.partitions.len()]
    }

    /// The partition columns, in the order of the path.
    pub fn partition_columns(&self) -> &[Column] {
        &self.columns[self.columns.len() - self.partitions.len()..]
    }

    /// Whether Athena can read a raw table's files unchanged: they follow RFC 4180 or JSON Lines, and their columns
    /// have the table's names.
    pub fn is_written_as_usual(&self) -> bool {
        let by_name = matches!(self.data_format, DataFormat::Json | DataFormat::Parquet);
        let usual = |column: &Column| {
            column.written == Written::default()
                && column.source_position.is_none()
                && column.source_names.is_empty()
                && (column.source_name.is_none() || !by_name)
        };
        self.file_dialect == FileDialect::default() && self.data_columns().iter().all(usual)
    }

    /// Finds a column by its name.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }
}

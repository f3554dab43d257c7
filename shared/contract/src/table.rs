//! A table as its metadata describes it: columns, partitions, where it comes from, what it must satisfy.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ColumnType;
use crate::Dialect;
use crate::FileDialect;
use crate::Written;

/// In place of a null in the name of a partition's folder, as Hive has it.
pub const NULL_PARTITION: &str = "__HIVE_DEFAULT_PARTITION__";

/// A described table, raw or curated.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// The file that describes it.
    pub file: PathBuf,
    /// In whose words that file is written.
    pub dialect: Dialect,
    /// Lower case, digits and `_`.
    pub name: String,
    /// For people; cut to Glue's limit when it goes there.
    pub description: String,
    /// Its folder under the base folder, without slashes at the ends.
    pub location: String,
    /// How its files are written.
    pub data_format: DataFormat,
    /// All columns; those of `partitions` come last, in the order listed there.
    pub columns: Vec<Column>,
    /// The names of the partition columns.
    pub partitions: Vec<String>,
    /// The names of the columns that identify a row.
    pub primary_key: Vec<String>,
    /// Merged into the table's Glue definition.
    pub glue_specific: Value,
    /// How the program that makes a raw table's files writes them.
    pub file_dialect: FileDialect,
    /// What a landed file must satisfy as a whole.
    pub checks: Checks,
    /// Where extract fetches the table, if it does.
    pub source: Option<Source>,
    /// Whether validate copies files to the raw area too.
    pub copy_to_raw: bool,
    /// Of a processed table: whether a raw file goes once it has been processed.
    pub delete_raw: bool,
    /// Where curate finds a raw table's files.
    pub read_from: ReadFrom,
    /// Whether a file, whatever its extension, is read line by line: its only column is the line as it is, and a second
    /// one, if described, the line's number.
    pub lines: bool,
    /// How the pages of the table's Parquet files are compressed.
    pub compression: ParquetCompression,
    /// How much of a curated table a run replaces.
    pub mode: Mode,
    /// Whether each run of a table of mode `partition` or `append` holds all of it: partitions that stay are copied
    /// into its folder. Then the table can be read by its location alone.
    pub self_contained: bool,
    /// Whether Athena computes the places of a curated table's partitions, in place of looking them up in Glue: then a
    /// run is published by one call, however many partitions it has.
    pub partition_projection: bool,
    /// The curated table's SQL; a straight copy of the raw table of the same name when absent.
    pub sql: Option<String>,
}

/// A described column.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// Lower case, digits and `_`.
    pub name: String,
    /// Its type.
    pub column_type: ColumnType,
    /// For people; cut to Glue's limit when it goes there.
    pub description: String,
    /// Whether a row may have no value.
    pub nullable: bool,
    /// A regular expression that text values match; see [`Checks::pattern_anchor`].
    pub pattern: Option<String>,
    /// The only values allowed (as text), besides null in a nullable column.
    pub enumeration: Option<Vec<String>>,
    /// The least value allowed, inclusive: a number's text; for a date or timestamp its text in the column's format.
    pub minimum: Option<String>,
    /// The greatest value allowed, inclusive.
    pub maximum: Option<String>,
    /// The least length of a text, in characters.
    pub min_length: Option<u64>,
    /// The greatest length of a text, in characters.
    pub max_length: Option<u64>,
    /// Whether a value may be in a file only once. Nulls do not count.
    pub unique: bool,
    /// How dates and timestamps are written in text files, in the words of strptime (data_linter's `datetime_format`);
    /// `%Y-%m-%d` and `%Y-%m-%d %H:%M:%S` when absent.
    pub datetime_format: Option<String>,
    /// What the column is called in the files, where that is another name.
    pub source_name: Option<String>,
    /// What the fields of its structs are called in the files.
    pub source_names: FieldNames,
    /// Which field of a record it is, from 1: tells two of one name apart.
    pub source_position: Option<usize>,
    /// How its values are written in text files.
    pub written: Written,
    /// Types that the column had before, the oldest first: in files that landed by then.
    pub earlier_types: Vec<EarlierType>,
    /// Personal data by any of the metadata's words: values appear in no log, report, metric or payload.
    pub sensitive: bool,
    /// What kind of personal data, where the metadata says it.
    pub sensitivity: Option<Sensitivity>,
    /// Whether the column is left out of versions of the table that may be seen by more people. Landfall makes no such
    /// versions itself.
    pub redacted: bool,
}

/// What fields of a column's structs are called in the files, where that is another name: by path, which is the names
/// from the outermost struct on with points between them. The items of a list add nothing to it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct FieldNames(BTreeMap<String, String>);

impl FieldNames {
    /// The path of a field of the struct at a path, which is empty for a column's own.
    pub fn path(of_struct: &str, field: &str) -> String {
        if of_struct.is_empty() { field.into() } else { format!("{of_struct}.{field}") }
    }

    /// What a field of the struct at a path is called in the files.
    pub fn in_files<'a>(&'a self, of_struct: &str, field: &'a str) -> &'a str {
        self.0.get(&Self::path(of_struct, field)).map_or(field, String::as_str)
    }

    /// Says what the field at a path is called.
    pub fn insert(&mut self, path: String, name: String) {
        self.0.insert(path, name);
    }

    /// Whether all fields are called as they are described.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Paths and names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(path, name)| (path.as_str(), name.as_str()))
    }
}

/// A type that a column had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EarlierType {
    /// Unix seconds: in files whose `file_land_timestamp` is less.
    pub before: u64,
    /// The type.
    pub column_type: ColumnType,
    /// How dates and timestamps were written.
    pub datetime_format: Option<String>,
}

impl Table {
    /// The table as files of a time are written, by their `file_land_timestamp`. Of a column that had another type then
    /// no other rule is known.
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

    /// The times before which some column had another type.
    pub fn changed_at(&self) -> BTreeSet<u64> {
        self.columns.iter().flat_map(|column| &column.earlier_types).map(|earlier| earlier.before).collect()
    }
}

/// etl_manager's kinds of personal data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sensitivity {
    /// Identifies a person.
    PersonalData,
    /// Of the kinds that the law protects more: health, religion, origin and so on.
    SpecialCategoryData,
}

impl Column {
    /// What it is called in the files.
    pub fn name_in_files(&self) -> &str {
        self.source_name.as_deref().unwrap_or(&self.name)
    }
}

impl Sensitivity {
    /// By etl_manager's name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::PersonalData, Self::SpecialCategoryData].into_iter().find(|one| one.name() == name)
    }

    /// etl_manager's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::PersonalData => "personal_data",
            Self::SpecialCategoryData => "special_category_data",
        }
    }
}

/// The format of a table's files, as etl_manager names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataFormat {
    /// Comma-separated, unquoted.
    Csv,
    /// Comma-separated with quotes, read by OpenCSVSerde.
    CsvQuotedNodate,
    /// JSON Lines.
    Json,
    /// Apache Parquet.
    Parquet,
    /// Apache ORC.
    Orc,
    /// Apache Avro.
    Avro,
    /// Text lines taken apart by a regular expression.
    Regex,
}

impl DataFormat {
    /// etl_manager's names.
    pub const NAMES: &[&str] = &["csv", "csv_quoted_nodate", "json", "parquet", "orc", "avro", "regex"];

    /// By etl_manager's name; mojap-metadata's `jsonl` is the same as `json`.
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
    /// Everything: the table is what this run wrote.
    #[default]
    Rebuild,
    /// The partitions that this run wrote; older ones stay.
    Partition,
    /// What was published before and the rows of files that it does not have yet.
    Append,
}

/// Where curate finds a raw table's files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReadFrom {
    /// The immutable history.
    #[default]
    RawHist,
    /// The transient copies.
    Raw,
    /// What the process stage made of the raw copies.
    Processed,
}

/// How the pages of a Parquet file are compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ParquetCompression {
    /// Quick to write and read.
    #[default]
    Snappy,
    /// Smaller: Athena scans, and bills, less.
    Zstd,
}

/// What a landed file must satisfy besides its columns.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Checks {
    /// The least number of rows in a file.
    pub minimum_rows: u64,
    /// The greatest number of rows in a file.
    pub maximum_rows: Option<u64>,
    /// The least size of a file as it lands, in bytes.
    pub minimum_bytes: u64,
    /// The greatest size of a file as it lands, in bytes.
    pub maximum_bytes: Option<u64>,
    /// Whether a sweep by hand over land must find a file of the table.
    pub required: bool,
    /// Whether a column of the metadata may be absent from the file; it then reads as null.
    pub allow_missing_columns: bool,
    /// Whether the file may have columns that the metadata does not; they are not read.
    pub allow_unexpected_columns: bool,
    /// Whether the names of columns in a file may differ from the metadata's in upper and lower case.
    pub ignore_header_case: bool,
    /// Whether the first record of a CSV file names its columns; else they come in the metadata's order.
    pub header: bool,
    /// Whether no two rows of a file may agree in all columns of the primary key, which then may not be null.
    pub unique_primary_key: bool,
    /// A regular expression for the whole file name, in place of `<table>[_<chunk>]_<unix seconds>`.
    pub file_name_pattern: Option<String>,
    /// What becomes of a file without a folder of its own that is in history already: same table, name and bytes.
    pub repeated_files: RepeatedFiles,
    /// Where a column's `pattern` must match.
    pub pattern_anchor: Anchor,
    /// How many offending rows a report shows for each rule of each column.
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

/// What becomes of a file without a folder of its own that lands again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RepeatedFiles {
    /// An upload that was repeated: its rows count once.
    #[default]
    Ignore,
    /// Another day on which the source had the same to say: its rows count each time, under the time of each landing.
    Keep,
}

/// Where a column's `pattern` must match.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Anchor {
    /// From the start of the value, like Python's `re.match` and data_linter. Write `$` for the end.
    #[default]
    Start,
    /// The whole value.
    Whole,
}

/// Where extract fetches a table and how it makes rows of the answers.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// What to GET. `https`, or `http` on a loopback address.
    pub url: String,
    /// How many requests make one extract.
    #[serde(default = "one")]
    pub requests: u64,
    /// A JSON pointer (RFC 6901) to the record, or to the array of records, in an answer.
    #[serde(default)]
    pub records: String,
    /// Joins the names of nested objects into one column name.
    #[serde(default = "underscore")]
    pub flatten_separator: String,
    /// The column that numbers the rows of an extract from 0.
    #[serde(default)]
    pub index_column: Option<String>,
    /// Requests under way at once.
    #[serde(default = "four")]
    pub concurrency: usize,
    /// Requests begun per second at most.
    #[serde(default = "twenty")]
    pub requests_per_second: u32,
    /// Attempts per request, the first included.
    #[serde(default = "five")]
    pub attempts: u32,
    /// Seconds until an attempt is given up.
    #[serde(default = "ten")]
    pub timeout_seconds: u64,
    /// A file is closed, and the next chunk begun, after this many compressed bytes.
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
    /// The columns that are in the files: all but the partition columns.
    pub fn data_columns(&self) -> &[Column] {
        &self.columns[..self.columns.len() - self.partitions.len()]
    }

    /// The columns that are in the path, in order.
    pub fn partition_columns(&self) -> &[Column] {
        &self.columns[self.columns.len() - self.partitions.len()..]
    }

    /// Whether Athena reads a raw table's files as they are: they are written as RFC 4180 and JSON Lines have it, and
    /// their columns are called as the table's are.
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

    /// The column of a name.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }
}

//! A table's definition in Glue, derived from its metadata and the location of its files. Pure and synchronous.
//!
//! The definition equals etl_manager's or mojap-metadata's for the same metadata, plus our own parameters. A table's
//! own `glue_specific` is merged over it, but cannot change what publishing relies on.

mod format;

use std::collections::{BTreeMap, HashMap};

use aws_sdk_glue::types::{Column as GlueColumn, Order, SerDeInfo, StorageDescriptor, Table as GlueTable, TableInput};
use contract::{Column, DataFormat, Dialect, Failure, Table, key};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::definition::format::{Format, Serde, parameters};
use crate::manifest::{Manifest, TableOutput};
use crate::projection;

/// The most characters that Glue accepts in a column's comment.
const COMMENT_LENGTH: usize = 255;
/// The most characters that Glue accepts in the description of a table or database.
const DESCRIPTION_LENGTH: usize = 2048;

/// The only type of table that catalog creates and changes.
pub(crate) const EXTERNAL_TABLE: &str = "EXTERNAL_TABLE";

/// Parameters of columns that hold personal data, under the metadata's own names. `sensitivity` is the kind of data
/// (`personal_data` or `special_category_data`). `redacted` columns are left out of versions for more people.
/// `sensitive` is set if the metadata says nothing more specific.
const SENSITIVITY: &str = "sensitivity";
const REDACTED: &str = "redacted";
const SENSITIVE: &str = "sensitive";

/// The prefix of our parameters.
const OURS: &str = "landfall_";
/// Parameter: the run that the table points at.
pub(crate) const RUN: &str = contract::RUN_PARAMETER;
/// Parameter: the version of the pipeline that built the run.
const VERSION: &str = "landfall_version";
/// Parameter of CSV tables: the number of lines before the rows. Athena reads it here.
const SKIP_HEADER: &str = "skip.header.line.count";
/// Parameter of tables and partitions that earlier versions published: where they pointed before.
pub(crate) const PREVIOUS_LOCATION: &str = "landfall_previous_location";
/// Parameter of tables that earlier versions published: the newest run that was rolled back.
pub(crate) const ROLLED_BACK_FROM: &str = "landfall_rolled_back_from";

/// A table as catalog defines it: the keys of Glue's TableInput that apply to an external table, under Glue's names.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields, default)]
pub(crate) struct TableDefinition {
    pub name: String,
    /// For people.
    pub description: String,
    /// Always `owner`, as with etl_manager, unless `glue_specific` says otherwise.
    pub owner: String,
    /// Days; 0 is forever.
    pub retention: i32,
    /// Columns, location and format.
    pub storage_descriptor: Storage,
    /// The columns in the path.
    pub partition_keys: Vec<ColumnDefinition>,
    /// [`EXTERNAL_TABLE`].
    pub table_type: String,
    /// Table properties.
    pub parameters: BTreeMap<String, String>,
}

/// Glue's StorageDescriptor.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields, default)]
pub(crate) struct Storage {
    /// The columns in the files.
    pub columns: Vec<ColumnDefinition>,
    /// `s3://…/`
    pub location: String,
    /// Java class.
    pub input_format: String,
    /// Java class.
    pub output_format: String,
    /// Whether the files are compressed as a whole.
    pub compressed: bool,
    /// -1 for a table without buckets.
    pub number_of_buckets: i32,
    /// The SerDe that reads rows.
    pub serde_info: Serde,
    /// Hive bucketing.
    pub bucket_columns: Vec<String>,
    /// Hive sorting.
    pub sort_columns: Vec<SortColumn>,
    /// Storage properties.
    pub parameters: BTreeMap<String, String>,
    /// For skewed tables.
    pub stored_as_sub_directories: bool,
}

/// Glue's Column.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields, default)]
pub(crate) struct ColumnDefinition {
    /// Column name.
    pub name: String,
    /// Glue type.
    #[serde(rename = "Type")]
    pub column_type: String,
    /// For people.
    pub comment: String,
    /// What personal data the column holds, if any: `sensitivity`, `redacted`, `sensitive`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, String>,
}

/// Glue's Order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields, default)]
pub(crate) struct SortColumn {
    /// Column name.
    pub column: String,
    /// 1 ascending, 0 descending.
    pub sort_order: i32,
}

impl TableDefinition {
    /// Returns the definition of a table whose files a run wrote to `output.location`.
    pub(crate) fn new(table: &Table, output: &TableOutput, manifest: &Manifest) -> Result<Self, Failure> {
        let projection = projection::parameters(table, output);
        let mut definition = Self::curated(table, &output.location, manifest.run.as_str(), &manifest.dea_version)?;
        for (name, value) in projection {
            // a parameter from `glue_specific` takes precedence
            definition.parameters.entry(name).or_insert(value);
        }
        Ok(definition)
    }

    /// Returns the definition of a curated table whose files are at a location, without the parameters for partition
    /// projection.
    pub(crate) fn curated(table: &Table, location: &str, run: &str, version: &str) -> Result<Self, Failure> {
        let columns: Vec<&Column> = table.data_columns().iter().collect();
        let keys = table.partition_columns().iter().map(ColumnDefinition::new).collect();
        let ours = parameters([(RUN, run), (VERSION, version)]);
        Self::described(table, table.data_format, location, &columns, keys, ours)
    }

    /// Returns the definition of a raw table over its files in raw-hist, where each folder is a partition. The only
    /// partition column is the landing time. Columns that the metadata places in the path are left out, as they are not
    /// in the path there.
    pub(crate) fn raw(table: &Table, bucket: &str, base_folder: &str) -> Result<Self, Failure> {
        let location = format!("s3://{bucket}/{}", key::table_prefix(base_folder, &table.name));
        let mut columns: Vec<&Column> = table.data_columns().iter().collect();
        let mut data_format = table.data_format;
        if table.lines {
            // a line is any text; Athena cannot compute the column with the line number
            data_format = DataFormat::Regex;
            columns.truncate(1);
        }
        let described = table.column(key::FILE_LAND_TIMESTAMP).map(|column| column.description.as_str());
        let keys = vec![ColumnDefinition {
            name: key::FILE_LAND_TIMESTAMP.into(),
            column_type: "bigint".into(),
            comment: comment(described.unwrap_or("When the file landed, in Unix seconds")),
            parameters: BTreeMap::new(),
        }];
        let is_csv = matches!(data_format, DataFormat::Csv | DataFormat::CsvQuotedNodate);
        let header = if is_csv && table.checks.header { parameters([(SKIP_HEADER, "1")]) } else { parameters([]) };
        Self::described(table, data_format, &location, &columns, keys, header)
    }

    fn described(
        table: &Table,
        data_format: DataFormat,
        location: &str,
        columns: &[&Column],
        partition_keys: Vec<ColumnDefinition>,
        mut parameters: BTreeMap<String, String>,
    ) -> Result<Self, Failure> {
        let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
        let format = Format::new(table, data_format, &names);
        parameters.insert("EXTERNAL".into(), "TRUE".into());
        parameters.extend(format.table_parameters);
        if table.dialect == Dialect::Mojap && !table.primary_key.is_empty() {
            // a list as Python prints it, which mojap-metadata can read back
            let names: Vec<String> = table.primary_key.iter().map(|name| format!("'{name}'")).collect();
            parameters.insert("primary_key".into(), format!("[{}]", names.join(", ")));
        }
        let base = Self {
            name: table.name.clone(),
            description: description(&table.description),
            owner: "owner".into(),
            retention: 0,
            storage_descriptor: Storage {
                columns: columns.iter().map(|column| ColumnDefinition::new(column)).collect(),
                location: location.into(),
                input_format: format.input_format,
                output_format: format.output_format,
                compressed: format.compressed,
                number_of_buckets: -1,
                serde_info: format.serde,
                bucket_columns: Vec::new(),
                sort_columns: Vec::new(),
                parameters: format.storage_parameters,
                stored_as_sub_directories: false,
            },
            partition_keys,
            table_type: EXTERNAL_TABLE.into(),
            parameters,
        };
        base.merged_with(&table.glue_specific)
            .map_err(|reason| Failure::bad_metadata(format!("{}: glue_specific{reason}", table.file.display())))
    }

    /// Deep-merges JSON over this definition: objects by key, anything else replaces. Fails if this changes what
    /// publishing relies on.
    fn merged_with(&self, specific: &Value) -> Result<Self, String> {
        let mut merged = serde_json::to_value(self).map_err(|error| format!(": {error}"))?;
        merge(&mut merged, specific);
        let merged: Self =
            serde_path_to_error::deserialize(merged).map_err(|error| match error.path().to_string() {
                path if path == "." => format!(": {}", error.inner()),
                path => format!(".{path}: {}", error.inner()),
            })?;
        let ours = |definition: &Self| -> BTreeMap<String, String> {
            definition.parameters.clone().into_iter().filter(|(name, _)| name.starts_with(OURS)).collect()
        };
        let fixed = [
            ("Name", merged.name == self.name, "the table's name is its `name`"),
            ("TableType", merged.table_type == self.table_type, "only external tables are published"),
            (
                "StorageDescriptor.Location",
                merged.storage_descriptor.location == self.storage_descriptor.location,
                "where the files are is not the table's to say",
            ),
            (
                "StorageDescriptor.Columns",
                merged.storage_descriptor.columns == self.storage_descriptor.columns,
                "columns are described in `columns`",
            ),
            (
                "PartitionKeys",
                merged.partition_keys == self.partition_keys,
                "partition columns are named in `partitions`",
            ),
            (
                "Parameters",
                ours(&merged) == ours(self),
                "parameters that begin with `landfall_` are the pipeline's own",
            ),
        ];
        match fixed.into_iter().find(|(_, kept, _)| !kept) {
            Some((path, _, why)) => Err(format!(".{path}: cannot be set here: {why}")),
            None => Ok(merged),
        }
    }

    /// Reads the part of a table in Glue that catalog manages. Absent and empty are the same.
    pub(crate) fn of(table: &GlueTable) -> Self {
        let storage = table.storage_descriptor().map(Storage::of).unwrap_or_default();
        Self {
            name: table.name().into(),
            description: table.description().unwrap_or_default().into(),
            owner: table.owner().unwrap_or_default().into(),
            retention: table.retention(),
            storage_descriptor: storage,
            partition_keys: table.partition_keys().iter().map(ColumnDefinition::of).collect(),
            table_type: table.table_type().unwrap_or_default().into(),
            parameters: sorted(table.parameters()),
        }
    }

    /// Whether a table in Glue already matches this definition. Parameters that Glue, Athena or a crawler added are
    /// ignored.
    pub(crate) fn describes(&self, found: &TableDefinition) -> bool {
        let mut comparable = found.clone();
        comparable.parameters.retain(|name, _| self.parameters.contains_key(name));
        comparable.partition_keys.iter_mut().for_each(ColumnDefinition::keep_ours);
        comparable.storage_descriptor.columns.iter_mut().for_each(ColumnDefinition::keep_ours);
        comparable == *self
    }

    /// Returns this definition with another one's location, run and version.
    pub(crate) fn at_run_of(&self, other: &TableDefinition) -> Self {
        let mut moved = self.clone();
        moved.storage_descriptor.location.clone_from(&other.storage_descriptor.location);
        for name in [RUN, VERSION] {
            if let Some(value) = other.parameters.get(name) {
                moved.parameters.insert(name.into(), value.clone());
            }
        }
        moved
    }

    /// Returns Glue's TableInput for this definition.
    pub(crate) fn input(&self) -> Result<TableInput, Failure> {
        TableInput::builder()
            .name(&self.name)
            .description(&self.description)
            .owner(&self.owner)
            .retention(self.retention)
            .storage_descriptor(self.storage_descriptor.descriptor(&self.storage_descriptor.location)?)
            .set_partition_keys(Some(glue_columns(&self.partition_keys)?))
            .table_type(&self.table_type)
            .set_parameters(Some(self.parameters.clone().into_iter().collect()))
            .build()
            .map_err(Failure::internal)
    }
}

impl Storage {
    /// Reads the storage of a table or partition in Glue. Absent and empty are the same.
    pub(crate) fn of(found: &StorageDescriptor) -> Self {
        let text = |found: Option<&str>| found.unwrap_or_default().to_owned();
        Self {
            columns: found.columns().iter().map(ColumnDefinition::of).collect(),
            location: text(found.location()),
            input_format: text(found.input_format()),
            output_format: text(found.output_format()),
            compressed: found.compressed(),
            number_of_buckets: found.number_of_buckets(),
            serde_info: found.serde_info().map_or_else(Serde::default, |serde| Serde {
                name: text(serde.name()),
                serialization_library: text(serde.serialization_library()),
                parameters: sorted(serde.parameters()),
            }),
            bucket_columns: found.bucket_columns().to_vec(),
            sort_columns: found
                .sort_columns()
                .iter()
                .map(|order| SortColumn { column: order.column().into(), sort_order: order.sort_order() })
                .collect(),
            parameters: sorted(found.parameters()),
            stored_as_sub_directories: found.stored_as_sub_directories(),
        }
    }

    /// Whether the storage of a partition in Glue already matches this one, at the partition's own location.
    pub(crate) fn describes_partition(&self, found: &StorageDescriptor, location: &str) -> bool {
        let mut comparable = Self::of(found);
        comparable.columns.iter_mut().for_each(ColumnDefinition::keep_ours);
        comparable == Self { location: location.into(), ..self.clone() }
    }

    /// Returns Glue's StorageDescriptor, at the location of the table or of one of its partitions.
    pub(crate) fn descriptor(&self, location: &str) -> Result<StorageDescriptor, Failure> {
        let serde = SerDeInfo::builder()
            .set_name(Some(self.serde_info.name.clone()).filter(|name| !name.is_empty()))
            .serialization_library(&self.serde_info.serialization_library)
            .set_parameters(Some(self.serde_info.parameters.clone().into_iter().collect()))
            .build();
        let order = |sort: &SortColumn| Order::builder().column(&sort.column).sort_order(sort.sort_order).build();
        let sort_columns = self.sort_columns.iter().map(order).collect::<Result<_, _>>().map_err(Failure::internal)?;
        Ok(StorageDescriptor::builder()
            .set_columns(Some(glue_columns(&self.columns)?))
            .location(location)
            .input_format(&self.input_format)
            .output_format(&self.output_format)
            .compressed(self.compressed)
            .number_of_buckets(self.number_of_buckets)
            .serde_info(serde)
            .set_bucket_columns(Some(self.bucket_columns.clone()))
            .set_sort_columns(Some(sort_columns))
            .set_parameters(Some(self.parameters.clone().into_iter().collect()))
            .stored_as_sub_directories(self.stored_as_sub_directories)
            .build())
    }
}

impl ColumnDefinition {
    fn new(column: &Column) -> Self {
        let words = [
            (SENSITIVITY, column.sensitivity.map(contract::Sensitivity::name)),
            (REDACTED, column.redacted.then_some("true")),
            (SENSITIVE, (column.sensitive && column.sensitivity.is_none() && !column.redacted).then_some("true")),
        ];
        let said = words.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())));
        Self {
            name: column.name.clone(),
            column_type: column.column_type.glue(),
            comment: comment(&column.description),
            parameters: said.collect(),
        }
    }

    fn of(found: &GlueColumn) -> Self {
        Self {
            name: found.name().into(),
            column_type: found.r#type().unwrap_or_default().into(),
            comment: found.comment().unwrap_or_default().into(),
            parameters: sorted(found.parameters()),
        }
    }

    /// Removes parameters that others added.
    fn keep_ours(&mut self) {
        self.parameters.retain(|name, _| [SENSITIVITY, REDACTED, SENSITIVE].contains(&name.as_str()));
    }
}

/// Returns the description of a table or database, cut to Glue's limit.
pub(crate) fn description(text: &str) -> String {
    let allowed: String = text.chars().map(|c| if c.is_control() && !"\r\n\t".contains(c) { ' ' } else { c }).collect();
    cut(&allowed, DESCRIPTION_LENGTH)
}

/// Returns a column's comment, cut to Glue's limit and on one line, as Glue requires.
fn comment(text: &str) -> String {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    cut(&line, COMMENT_LENGTH)
}

/// Returns the longest prefix of a text that Glue accepts. Counted in UTF-16 units, the stricter reading of
/// "characters".
fn cut(text: &str, length: usize) -> String {
    let mut units = 0;
    text.chars()
        .take_while(|c| {
            units += c.len_utf16();
            units <= length
        })
        .collect()
}

fn merge(base: &mut Value, over: &Value) {
    match (base, over) {
        (Value::Object(base), Value::Object(over)) => {
            for (key, value) in over {
                merge(base.entry(key).or_insert(Value::Null), value);
            }
        }
        (base, over) => *base = over.clone(),
    }
}

fn glue_columns(columns: &[ColumnDefinition]) -> Result<Vec<GlueColumn>, Failure> {
    let column = |column: &ColumnDefinition| {
        let parameters = column.parameters.clone().into_iter().collect();
        GlueColumn::builder()
            .name(&column.name)
            .r#type(&column.column_type)
            .comment(&column.comment)
            .set_parameters(Some(parameters).filter(|parameters: &HashMap<_, _>| !parameters.is_empty()))
            .build()
    };
    columns.iter().map(column).collect::<Result<_, _>>().map_err(Failure::internal)
}

fn sorted(found: Option<&HashMap<String, String>>) -> BTreeMap<String, String> {
    found.into_iter().flatten().map(|(name, value)| (name.clone(), value.clone())).collect()
}

#[cfg(test)]
mod tests;

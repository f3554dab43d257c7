//! Schemas: derives a new table from another program's description instead of from a sample. This is a Table Schema or
//! Data Package of Frictionless, a data contract of ODCS, or a Glue table as `aws glue get-table` prints it. Notes list
//! the parts of a description for which Landfall has no equivalent.

use std::path::Path;

use contract::{ColumnType, DataFormat, Dialect, FieldNames, FileFormat, key};
use rows::Profile;
use serde_json::{Map, Value, json};

use crate::describe::columns::{Found, FoundColumn, name_for};
use crate::describe::sniffed::Sniffed;

/// The types of a Table Schema's fields; a type may be left out.
const KINDS: &[&str] = &[
    "",
    "any",
    "array",
    "boolean",
    "date",
    "datetime",
    "duration",
    "geojson",
    "geopoint",
    "integer",
    "list",
    "number",
    "object",
    "string",
    "time",
    "year",
    "yearmonth",
];
/// The keys of a Table Schema.
const SCHEMA_KEYS: &[&str] = &[
    "$schema",
    "description",
    "fields",
    "fieldsMatch",
    "foreignKeys",
    "missingValues",
    "name",
    "primaryKey",
    "profile",
    "title",
    "uniqueKeys",
];
/// Longer files are treated as data.
const LONGEST_BYTES: u64 = 16 << 20;

/// A table that another program has described.
pub(super) struct Schema {
    pub name: Option<String>,
    /// The standard or program that the description belongs to, for people.
    pub of: &'static str,
    pub sniffed: Sniffed,
    pub found: Found,
}

/// Returns the description in a file, if it is one. If it describes several tables, returns the named one.
///
/// # Errors
/// If it describes several tables and does not have the named one, or if a description has no equivalent here.
pub(super) fn read(path: &Path, table: Option<&str>) -> Result<Option<Schema>, String> {
    let is_json = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"));
    if !is_json || std::fs::metadata(path).map_or(true, |about| about.len() > LONGEST_BYTES) {
        return Ok(None);
    }
    let cannot = |error: String| format!("{}: {error}", path.display());
    let text = std::fs::read(path).map_err(|error| cannot(error.to_string()))?;
    let Ok(Value::Object(said)) = serde_json::from_slice(&text) else { return Ok(None) };
    parse(&said, table).map_err(cannot)
}

fn parse(said: &Map<String, Value>, table: Option<&str>) -> Result<Option<Schema>, String> {
    let objects = |key: &str| said.get(key).and_then(Value::as_array).filter(|all| all.iter().all(Value::is_object));
    if let Some(glue) = said.get("Table").and_then(Value::as_object).or(Some(said))
        && glue.get("StorageDescriptor").is_some_and(Value::is_object)
    {
        return glue_table(glue).map(Some);
    }
    let is_field = |field: &Value| field["name"].is_string() && KINDS.contains(&&*text(field, "type"));
    let is_schema = said.keys().all(|key| SCHEMA_KEYS.contains(&&**key));
    if let Some(fields) = objects("fields").filter(|fields| is_schema && fields.iter().all(is_field)) {
        return frictionless(&json!({"schema": {"fields": fields, "missingValues": said.get("missingValues"),
            "primaryKey": said.get("primaryKey")}}))
        .map(Some);
    }
    let is_resource = |resource: &Value| resource.get("schema").is_some() || resource.get("path").is_some();
    if let Some(resources) = objects("resources").filter(|all| !all.is_empty() && all.iter().all(is_resource)) {
        return frictionless(one_of(resources, table)?).map(Some);
    }
    if let Some(schemas) = objects("schema").filter(|_| said.get("kind") == Some(&json!("DataContract"))) {
        return data_contract(one_of(schemas, table)?).map(Some);
    }
    Ok(None)
}

fn one_of<'a>(tables: &'a [Value], named: Option<&str>) -> Result<&'a Value, String> {
    let fits = |table: &&Value| named.is_none_or(|named| name_of(table).as_deref() == Some(named));
    let fitting: Vec<&Value> = tables.iter().filter(fits).collect();
    match (&fitting[..], tables) {
        ([one], _) => Ok(one),
        ([], [one]) => Ok(one),
        _ => {
            let names: Vec<String> = tables.iter().filter_map(name_of).map(|name| format!("`{name}`")).collect();
            Err(format!("it describes several tables; name one by --table: {}", names.join(", ")))
        }
    }
}

/// The table that is derived from a description.
struct Making {
    columns: Vec<FoundColumn>,
    notes: Vec<String>,
    leaves_out: bool,
}

impl Making {
    fn new() -> Self {
        Self { columns: Vec::new(), notes: Vec::new(), leaves_out: false }
    }

    /// Adds a column whose type Landfall has.
    fn add(&mut self, source: &str, column_type: ColumnType, about: &Value, rules: Vec<(&'static str, Value)>) {
        let name = name_for(source, &self.columns);
        let mut described = Profile::new(true).conclude();
        (described.column_type, described.nullable) = (column_type, !is_true(about, "required"));
        self.columns.push(FoundColumn {
            source_name: (name != source).then(|| source.to_owned()),
            name,
            source_names: FieldNames::default(),
            source_position: None,
            described,
            description: text(about, "description"),
            rules,
        });
    }

    fn leave_out(&mut self, source: &str, why: &str) {
        self.leaves_out = true;
        self.notes.push(format!("`{}` is left out: {why}", contract::visible(source)));
    }

    fn finish(self, data_format: DataFormat, dialect: Vec<(&'static str, Value)>) -> Result<(Sniffed, Found), String> {
        if self.columns.is_empty() {
            return Err("it describes no column that there may be here".into());
        }
        let format = match data_format {
            DataFormat::Parquet => FileFormat::Parquet,
            DataFormat::Json => FileFormat::JsonLines,
            _ => FileFormat::Csv,
        };
        let (columns, notes) = (self.columns, self.notes);
        let found = Found { columns, notes, leaves_out: self.leaves_out, ..Found::default() };
        Ok((Sniffed::told(format, data_format, dialect), found))
    }
}

fn is_true(about: &Value, key: &str) -> bool {
    about.get(key).and_then(Value::as_bool).unwrap_or(false)
}

fn text(about: &Value, key: &str) -> String {
    about.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// Returns the keys of a description that have the same name here.
fn rules_of(said: &Value, keys: &[&'static str]) -> Vec<(&'static str, Value)> {
    let known = keys.iter().filter_map(|key| Some((*key, said.get(key)?.clone())));
    known.filter(|(_, value)| !value.is_null() && *value != json!(false)).collect()
}

/// Reads a resource of a Data Package. <https://datapackage.org/standard/table-schema/>
fn frictionless(resource: &Value) -> Result<Schema, String> {
    let schema = resource.get("schema").filter(|schema| schema.is_object());
    let schema = schema.ok_or("its resource has no schema of its own: give the schema's file")?;
    let mut making = Making::new();
    for field in schema.get("fields").and_then(Value::as_array).into_iter().flatten() {
        let source = text(field, "name");
        let format = text(field, "format");
        let constraints = field.get("constraints").cloned().unwrap_or_default();
        let mut rules = rules_of(field, &["decimalChar", "groupChar", "bareNumber", "trueValues", "falseValues"]);
        if is_false(field, "bareNumber") {
            rules.push(("bareNumber", json!(false)));
        }
        let missing = texts(field.get("missingValues"));
        if !missing.is_empty() {
            rules.push(("nullValues", json!(missing)));
        }
        let column_type = match &*text(field, "type") {
            "integer" => ColumnType::Int64,
            "number" => ColumnType::Float64,
            "boolean" => ColumnType::Boolean,
            "year" => ColumnType::Int32,
            "date" => {
                rules.extend(time_format(&format, &mut making.notes, &source));
                ColumnType::Date
            }
            "datetime" => {
                let usual = matches!(&*format, "" | "default");
                rules.extend(if usual { Some(("datetime_format", json!("iso8601"))) } else { None });
                rules.extend(time_format(&format, &mut making.notes, &source));
                ColumnType::Timestamp(contract::TimestampUnit::Millisecond)
            }
            kind @ ("object" | "array" | "list" | "geojson") => {
                making.leave_out(&source, &format!("a Table Schema does not say what is in one of type `{kind}`"));
                continue;
            }
            _ => ColumnType::String,
        };
        rules.extend(constraints_of(&constraints, &column_type, &rules));
        let mut about = field.clone();
        about["required"] = constraints.get("required").cloned().unwrap_or_default();
        making.add(&source, column_type, &about, rules);
    }
    let mut dialect = rules_of(resource, &["encoding"]);
    dialect.retain(|(_, encoding)| encoding.as_str().is_some_and(|name| !name.eq_ignore_ascii_case("utf-8")));
    if let Some(said) = resource.get("dialect") {
        let keys = ["delimiter", "quoteChar", "escapeChar", "commentChar", "headerRows", "skipInitialSpace"];
        dialect.extend(rules_of(said, &keys));
        dialect.extend(
            ["header", "doubleQuote"].into_iter().filter(|key| is_false(said, key)).map(|key| (key, json!(false))),
        );
    }
    let missing = texts(schema.get("missingValues"));
    if !missing.is_empty() {
        dialect.push(("nullValues", json!(missing)));
    }
    let path =
        resource.get("path").and_then(|path| path.as_str().or_else(|| path.get(0)?.as_str())).unwrap_or_default();
    let data_format = match key::extension(path) {
        Some((FileFormat::JsonLines | FileFormat::Json, _)) => DataFormat::Json,
        Some((FileFormat::Parquet, _)) => DataFormat::Parquet,
        _ => DataFormat::Csv,
    };
    let key = schema.get("primaryKey").map(|key| key.as_array().map_or(std::slice::from_ref(key), Vec::as_slice));
    let key: Vec<&str> = key.into_iter().flatten().filter_map(Value::as_str).collect();
    let (sniffed, mut found) = making.finish(data_format, dialect)?;
    found.primary_key = found.called(&key);
    Ok(Schema { name: name_of(resource), of: "Frictionless", sniffed, found })
}

/// Returns the texts of a list that are not empty.
fn texts(list: Option<&Value>) -> Vec<&str> {
    let all = list.and_then(Value::as_array).into_iter().flatten();
    all.filter_map(Value::as_str).filter(|text| !text.is_empty()).collect()
}

fn is_false(about: &Value, key: &str) -> bool {
    about.get(key).and_then(Value::as_bool) == Some(false)
}

fn name_of(table: &Value) -> Option<String> {
    Some(text(table, "name")).filter(|name| !name.is_empty()).map(|name| key::described_name(&name, |_| false))
}

/// Converts a format in strptime's notation, which Frictionless uses too.
fn time_format(format: &str, notes: &mut Vec<String>, column: &str) -> Option<(&'static str, Value)> {
    match format {
        "" | "default" => None,
        format if format.contains('%') => Some(("datetime_format", json!(format))),
        other => {
            let column = contract::visible(column);
            notes.push(format!("`{column}`: say by a `datetime_format` how it is written; `{other}` says it not"));
            None
        }
    }
}

/// Returns the constraints that Landfall has too, if they apply to values of the type.
fn constraints_of(
    said: &Value,
    column_type: &ColumnType,
    written: &[(&'static str, Value)],
) -> Vec<(&'static str, Value)> {
    let mut rules = Vec::new();
    if *column_type == ColumnType::String {
        let texts = rules_of(said, &["pattern", "minLength", "maxLength"]);
        rules.extend(texts.into_iter().map(|(key, value)| match value.as_str() {
            // Frictionless matches the whole text, and Landfall from its start only
            Some(pattern) if key == "pattern" => (key, json!(format!("(?:{pattern})$"))),
            _ => (key, value),
        }));
    } else if column_type.is_number() {
        let bounds = rules_of(said, &["minimum", "maximum"]).into_iter();
        rules.extend(bounds.filter_map(|(key, value)| {
            let number = value.as_str().map_or(Some(value.clone()), |text| serde_json::from_str(text).ok());
            Some((key, number.filter(Value::is_number)?))
        }));
    } else if !written.iter().any(|(key, _)| *key == "datetime_format") && *column_type != ColumnType::Boolean {
        let bounds = rules_of(said, &["minimum", "maximum"]);
        rules.extend(bounds.into_iter().filter(|(_, value)| value.is_string()));
    }
    rules.extend(rules_of(said, &["enum", "unique"]));
    rules
}

/// Reads a table of an ODCS data contract, version 3. <https://bitol-io.github.io/open-data-contract-standard/>
fn data_contract(table: &Value) -> Result<Schema, String> {
    let (mut making, mut key) = (Making::new(), Vec::new());
    for property in table.get("properties").and_then(Value::as_array).into_iter().flatten() {
        let source = Some(text(property, "physicalName")).filter(|name| !name.is_empty());
        let source = source.unwrap_or_else(|| text(property, "name"));
        let physical = sql_type(&text(property, "physicalType"));
        let logical = match &*text(property, "logicalType") {
            "string" | "time" => Some(ColumnType::String),
            "integer" => Some(ColumnType::Int64),
            "number" => Some(ColumnType::Float64),
            "boolean" => Some(ColumnType::Boolean),
            "date" => Some(ColumnType::Date),
            "timestamp" => Some(ColumnType::Timestamp(contract::TimestampUnit::Millisecond)),
            _ => None,
        };
        let Some(column_type) = physical.or(logical) else {
            making.leave_out(&source, "neither `physicalType` nor `logicalType` says a type that there is here");
            continue;
        };
        let options = property.get("logicalTypeOptions").cloned().unwrap_or_default();
        let mut rules = constraints_of(&options, &column_type, &[]);
        rules.extend(rules_of(property, &["unique"]));
        if options.get("format").is_some() && !column_type.is_number() && column_type != ColumnType::String {
            let column = contract::visible(&source);
            making.notes.push(format!("`{column}`: say by a `datetime_format` how it is written"));
        }
        if is_true(property, "primaryKey") {
            key.push(source.clone());
        }
        making.add(&source, column_type, property, rules);
    }
    let (sniffed, mut found) = making.finish(DataFormat::Csv, Vec::new())?;
    found.primary_key = found.called(&key.iter().map(String::as_str).collect::<Vec<_>>());
    Ok(Schema { name: name_of(table), of: "ODCS", sniffed, found })
}

/// Reads a table of Glue.
fn glue_table(table: &Map<String, Value>) -> Result<Schema, String> {
    let storage = &table["StorageDescriptor"];
    let serde = storage.get("SerdeInfo").cloned().unwrap_or_default();
    let library = text(&serde, "SerializationLibrary").to_lowercase();
    let data_format = if library.contains("parquet") {
        DataFormat::Parquet
    } else if library.contains("json") {
        DataFormat::Json
    } else {
        DataFormat::Csv
    };
    let mut making = Making::new();
    for column in storage.get("Columns").and_then(Value::as_array).into_iter().flatten() {
        let (source, type_name) = (text(column, "Name"), text(column, "Type"));
        let Some(column_type) = sql_type(&type_name) else {
            making.leave_out(&source, &format!("there is no type `{type_name}` here"));
            continue;
        };
        let about = json!({"description": column.get("Comment")});
        making.add(&source, column_type, &about, Vec::new());
    }
    for column in table.get("PartitionKeys").and_then(Value::as_array).into_iter().flatten() {
        // left out, as no file has such a column
        let name = text(column, "Name");
        let name = contract::visible(&name);
        let why = "it is a partition's, which is in the path; partition the curated table by it";
        making.notes.push(format!("`{name}` is left out: {why}"));
    }
    let mut dialect = Vec::new();
    let parameters = [serde.get("Parameters"), table.get("Parameters")].map(|found| found.cloned().unwrap_or_default());
    let of_serde =
        |keys: [&str; 2]| keys.into_iter().map(|key| text(&parameters[0], key)).find(|found| !found.is_empty());
    if data_format == DataFormat::Csv {
        let usual = [("delimiter", ","), ("quoteChar", "\""), ("escapeChar", "")];
        let said = [["separatorChar", "field.delim"], ["quoteChar", "quoteChar"], ["escapeChar", "escape.delim"]];
        for ((key, usual), keys) in usual.into_iter().zip(said) {
            dialect.extend(of_serde(keys).filter(|found| found != usual).map(|found| (key, json!(found))));
        }
        let skipped = parameters.iter().map(|of| text(of, "skip.header.line.count")).find(|count| !count.is_empty());
        match skipped.and_then(|count| count.parse::<u64>().ok()) {
            None | Some(0) => dialect.push(("header", json!(false))),
            Some(1) => {}
            Some(lines) => dialect.push(("headerRows", json!([lines]))),
        }
        if library.contains("lazysimple") {
            let marker = text(&parameters[0], "serialization.null.format");
            dialect.push(("nullValues", json!([if marker.is_empty() { "\\N" } else { &*marker }])));
        }
    }
    let (sniffed, found) = making.finish(data_format, dialect)?;
    let name = table.get("Name").and_then(Value::as_str).map(|name| key::described_name(name, |_| false));
    Ok(Schema { name, of: "Glue", sniffed, found })
}

/// Parses a type in the notation of Hive and SQL, at any depth.
fn sql_type(name: &str) -> Option<ColumnType> {
    let mut words = String::new();
    let mut rest = name.trim();
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        let is_field = after.trim_start().starts_with(':');
        let lower = word.to_lowercase();
        let ours = match &*lower {
            _ if is_field || word.is_empty() => word,
            "string" | "varchar" | "char" | "text" => "string",
            "tinyint" => "int8",
            "smallint" => "int16",
            "int" | "integer" => "int32",
            "bigint" => "int64",
            "float" | "real" => "float32",
            "double" => "float64",
            "date" => "date32",
            "timestamp" => "timestamp(ms)",
            "boolean" | "bool" => "bool_",
            "decimal" | "numeric" if !after.trim_start().starts_with('(') => "decimal128(10,0)",
            "decimal" | "numeric" => "decimal128",
            "array" => "list_",
            _ => &lower,
        };
        words.push_str(ours);
        rest = after;
        // skip the length of a text
        if matches!(&*lower, "varchar" | "char") && !is_field && rest.starts_with('(') {
            rest = rest.split_once(')').map_or("", |(_, rest)| rest);
        }
        let other = rest.find(|c: char| c.is_alphanumeric() || c == '_').unwrap_or(rest.len());
        let (between, after) = rest.split_at(other);
        words.push_str(between);
        rest = after;
    }
    ColumnType::parse(&words, Dialect::Mojap).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_of_sql_are_ours() {
        for (theirs, ours) in [
            ("string", "character"),
            ("VARCHAR(20)", "character"),
            ("bigint", "long"),
            ("decimal(10,2)", "decimal(10,2)"),
            ("NUMERIC(5, 0)", "decimal(5,0)"),
            ("timestamp", "datetime"),
            ("array<struct<date:date,int:bigint>>", "array<struct<date:date,int:long>>"),
            ("boolean", "boolean"),
            ("decimal", "decimal(10,0)"),
        ] {
            let found = sql_type(theirs).map(|found| found.name(Dialect::EtlManager));
            assert_eq!(found.as_deref(), Some(ours), "{theirs}");
        }
        assert_eq!(sql_type("map<string,int>"), None);
        assert_eq!(sql_type("uniontype<int>"), None);
        assert_eq!(sql_type(""), None);
    }
}

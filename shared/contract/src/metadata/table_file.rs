//! The reader of one table's metadata file.

use std::path::Path;

use serde_json::{Map, Value};

use crate::column_type::Dialect;
use crate::files::{FileDialect, SaidOfFiles, SaidOfValues};
use crate::key::is_table_name;
use crate::metadata::keys::{OBJECTS, PROTECTED_PROPERTIES, TABLE_KEYS, WORDS};
use crate::problem::{Problems, nearest, suggestion};
use crate::table::{Checks, Column, DataFormat, Source, Table};
use crate::visible;
use crate::words::quoted;

/// More examples of a broken rule would not help the reader of a report.
const MAXIMUM_EXAMPLES: usize = 100;

/// More fields than any file has. A distant position would cost memory for all fields before it.
pub(super) const MAXIMUM_POSITION: usize = 1_000_000;

/// The origin of a table's files.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Area {
    /// Files land and are checked.
    Raw,
    /// The pipeline writes the files.
    Built,
}

/// Reads one table and reports its problems. Returns a table only if there are none.
pub(super) struct TableReader<'a> {
    pub(super) file: &'a Path,
    pub(super) area: Area,
    pub(super) problems: &'a mut Problems,
    pub(super) warnings: &'a mut Problems,
}

impl TableReader<'_> {
    pub(super) fn problem(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.problems.add(self.file, path, message);
    }

    pub(super) fn warning(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.warnings.add(self.file, path, message);
    }

    /// Reads a required text, which may be empty.
    pub(super) fn text(&mut self, object: &Map<String, Value>, key: &str) -> Option<String> {
        match object.get(key) {
            Some(Value::String(text)) => Some(text.clone()),
            Some(other) => {
                self.problem(key, format!("expected a text, found {other}"));
                None
            }
            None => {
                self.problem(key, "is missing");
                None
            }
        }
    }

    pub(super) fn required_text(&mut self, object: &Map<String, Value>, key: &str) -> Option<String> {
        match object.get(key) {
            Some(Value::String(text)) if !text.is_empty() => Some(text.clone()),
            Some(other) => {
                self.problem(key, format!("expected a text that is not empty, found {other}"));
                None
            }
            None => {
                self.problem(key, "is missing");
                None
            }
        }
    }

    /// Checks that a base folder means the same everywhere. S3 has no `..`, but a program that copies to a disk does.
    pub(super) fn check_base_folder(&mut self, folder: &str) {
        let shown = visible(folder);
        if *shown != *folder {
            self.problem("base_folder", format!("`{shown}`: no control characters, and nothing that cannot be seen"));
        }
        let inside = folder.trim_matches('/');
        if !inside.is_empty() && inside.split('/').any(|segment| matches!(segment, "" | "." | "..")) {
            self.problem(
                "base_folder",
                format!("`{shown}`: folders joined by single `/`, and none called `.` or `..`"),
            );
        }
    }

    pub(super) fn table(&mut self, object: &Map<String, Value>) -> Option<Table> {
        let before = self.problems.0.len();
        self.misspelt(object, TABLE_KEYS, "");
        let dialect = dialect(object);
        let name = self.required_text(object, "name").unwrap_or_default();
        if !name.is_empty() && !is_table_name(&name) {
            self.problem(
                "name",
                format!("`{name}` is not a Glue name: lower-case letters, digits and `_`, at most 255"),
            );
        }
        if name.starts_with('_') {
            let message = format!("`{name}`: files in folders that begin with `_` are skipped; begin with a letter");
            self.problem("name", message);
        }
        let stem = self.file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if !name.is_empty() && name != stem {
            self.problem("name", format!("is `{name}` but the file is called `{stem}.json`; the two must agree"));
        }
        let location = self.location(object, dialect, &name);
        let data_format = self.data_format(object, dialect);
        let (said_of_files, of_values) = self.said_of_files(object);
        let mut columns = self.columns(object, dialect, &of_values);
        let partitions = self.names(object, "partitions", &columns);
        let primary_key = self.names(object, "primary_key", &columns);
        // partition columns come last, in the order of the path, which is the order of the list
        columns.sort_by_key(|column| partitions.iter().position(|name| *name == column.name).map_or(0, |n| n + 1));
        for column in columns.iter().filter(|c| partitions.contains(&c.name) && !c.column_type.may_partition()) {
            self.problem(
                "partitions",
                format!("`{}` is a {}, which cannot partition a table", column.name, column.column_type),
            );
        }
        if partitions.len() == columns.len() && !columns.is_empty() {
            self.problem("partitions", "every column is a partition column; Glue needs at least one other");
        }
        self.sensitive_as_a_whole(object, &mut columns);
        let mut checks: Checks = self.own(object, "checks").unwrap_or_default();
        let data_columns = &columns[..columns.len() - partitions.len()];
        let file_dialect = self.file_dialect(object, said_of_files, &mut checks, data_columns);
        self.checks(&checks, data_columns, &primary_key);
        let source: Option<Source> = self.own(object, "source");
        if let Some(source) = &source {
            self.source(source, &columns);
        }
        let mode = self.own(object, "mode").unwrap_or_default();
        let self_contained = self.own(object, "self_contained").unwrap_or_default();
        let partition_projection = self.own(object, "partition_projection").unwrap_or_default();
        let copy_to_raw = self.own(object, "copy_to_raw").unwrap_or_default();
        let delete_raw = self.own(object, "delete_raw").unwrap_or_default();
        let read_from = self.own(object, "read_from").unwrap_or_default();
        let lines = self.own(object, "lines").unwrap_or_default();
        let compression = self.own(object, "compression").unwrap_or_default();
        let table = Table {
            file: self.file.to_owned(),
            dialect,
            name,
            description: self.description(object, ""),
            location,
            data_format,
            columns,
            partitions,
            primary_key,
            glue_specific: self.glue_specific(object),
            file_dialect,
            checks,
            source,
            copy_to_raw,
            delete_raw,
            read_from,
            lines,
            compression,
            mode,
            self_contained,
            partition_projection,
            sql: None,
        };
        (self.problems.0.len() == before).then_some(table)
    }

    /// Checks that the rules for a whole file can be satisfied.
    pub(super) fn checks(&mut self, checks: &Checks, data_columns: &[Column], primary_key: &[String]) {
        if let Some(pattern) = &checks.file_name_pattern {
            self.regex("checks.file_name_pattern", pattern);
        }
        for (key, least, most) in [
            ("minimum_rows", checks.minimum_rows, checks.maximum_rows),
            ("minimum_bytes", checks.minimum_bytes, checks.maximum_bytes),
        ] {
            if let Some(most) = most.filter(|most| least > *most) {
                let message = format!("is {least}, more than the maximum of {most}: no file can pass");
                self.problem(format!("checks.{key}"), message);
            }
        }
        if checks.examples > MAXIMUM_EXAMPLES {
            let message = format!("must be at most {MAXIMUM_EXAMPLES}, found {}", checks.examples);
            self.problem("checks.examples", message);
        }
        if !checks.unique_primary_key {
            return;
        }
        let key: Vec<&Column> = data_columns.iter().filter(|column| primary_key.contains(&column.name)).collect();
        if key.is_empty() {
            self.problem("checks.unique_primary_key", "needs a `primary_key` of columns that are in the files");
        }
        for column in key.iter().filter(|column| !column.column_type.is_scalar()) {
            let message = format!("values of `{}` ({}) are not compared", column.name, column.column_type);
            self.problem("checks.unique_primary_key", message);
        }
    }

    pub(super) fn description(&mut self, object: &Map<String, Value>, path: &str) -> String {
        match object.get("description") {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(text)) => text.clone(),
            Some(other) => {
                self.problem(inside(path, "description"), format!("expected a text, found {other}"));
                String::new()
            }
        }
    }

    /// Warns about an unknown key that resembles one of ours. All other unknown keys belong to other programs.
    pub(super) fn misspelt(&mut self, object: &Map<String, Value>, known: &[&str], path: &str) {
        for key in object.keys().filter(|key| !known.contains(&key.as_str())) {
            if let Some(meant) =
                nearest(key, known.iter().copied()).filter(|meant| strsim::osa_distance(key, meant) <= 2)
            {
                self.warning(format!("{path}{key}"), format!("is not read; did you mean `{meant}`?"));
            }
        }
    }

    /// Reads the value of one of our own keys. An unknown key within it is a problem.
    pub(super) fn own<T: serde::de::DeserializeOwned>(&mut self, object: &Map<String, Value>, key: &str) -> Option<T> {
        let value = object.get(key)?;
        if let Some((path, message)) = not_plain(key, value) {
            self.problem(path, message);
            return None;
        }
        match T::deserialize(value) {
            Ok(read) => Some(read),
            Err(error) => {
                self.problem(key, error.to_string());
                None
            }
        }
    }

    pub(super) fn location(&mut self, object: &Map<String, Value>, dialect: Dialect, name: &str) -> String {
        if dialect == Dialect::Mojap && !object.contains_key("location") {
            return name.to_owned();
        }
        let location = self.required_text(object, "location").unwrap_or_default();
        if location.starts_with('/') {
            self.problem("location", "must not begin with `/`: it is relative to the database's base folder");
        }
        let allowed = |c: char| c.is_alphanumeric() || "_/-".contains(c);
        if !location.chars().all(allowed) || location.split('/').rev().skip(1).any(str::is_empty) {
            self.problem("location", format!("`{location}`: letters, digits, `_`, `-` and single `/` only"));
        }
        if location.split('/').any(|folder| folder.starts_with('_')) {
            let message =
                format!("`{location}`: files in folders that begin with `_` are skipped; begin with a letter");
            self.problem("location", message);
        }
        location.trim_matches('/').to_owned()
    }

    /// Returns the object that is merged into the table's Glue definition: etl_manager's `glue_specific`.
    /// mojap-metadata's `glue_table_properties` are added to its `Parameters`, and `glue_specific` takes precedence.
    pub(super) fn glue_specific(&mut self, object: &Map<String, Value>) -> Value {
        let mut specific = Map::new();
        match object.get("glue_specific") {
            None | Some(Value::Null) => {}
            Some(Value::Object(found)) => specific.clone_from(found),
            Some(other) => self.problem("glue_specific", format!("expected an object, found {other}")),
        }
        let mut properties = Map::new();
        match object.get("glue_table_properties") {
            None | Some(Value::Null) => {}
            Some(Value::Object(found)) => properties.clone_from(found),
            Some(other) => self.problem("glue_table_properties", format!("expected an object, found {other}")),
        }
        for (name, value) in properties.iter().filter(|(_, value)| !value.is_string()) {
            self.problem(format!("glue_table_properties.{name}"), format!("expected a text, found {value}"));
        }
        properties.retain(|name, _| !PROTECTED_PROPERTIES.contains(&name.as_str()));
        if !properties.is_empty() {
            // if it is not an object, catalog reports that
            let parameters = specific.entry("Parameters").or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(parameters) = parameters {
                properties.append(parameters);
                *parameters = properties;
            }
        }
        Value::Object(specific)
    }

    /// Reads the format. mojap-metadata's `file_format` takes precedence unless it is empty: mojap-metadata writes `""`
    /// if nobody has set it.
    pub(super) fn data_format(&mut self, object: &Map<String, Value>, dialect: Dialect) -> DataFormat {
        let said = |key: &str| object.get(key).is_some_and(|said| key != "file_format" || said != "");
        let file_format = said("file_format").then(|| self.format(object, "file_format"));
        let is_needed = said("data_format") || dialect == Dialect::EtlManager;
        let data_format = is_needed.then(|| self.format(object, "data_format"));
        file_format.or(data_format).unwrap_or(DataFormat::Parquet)
    }

    pub(super) fn format(&mut self, object: &Map<String, Value>, key: &str) -> DataFormat {
        let name = self.required_text(object, key).unwrap_or_default();
        DataFormat::parse(&name).unwrap_or_else(|| {
            if name == "par" {
                self.problem(key, "`par` has no Glue template in etl_manager either; did you mean `parquet`?");
            } else if !name.is_empty() {
                self.problem(key, format!("unknown format `{name}`{}", suggestion(&name, DataFormat::NAMES)));
            }
            DataFormat::Parquet
        })
    }

    /// Reads `dialect`, and returns the part about values separately.
    pub(super) fn said_of_files(&mut self, object: &Map<String, Value>) -> (SaidOfFiles, SaidOfValues) {
        let said = match object.get("dialect") {
            None => SaidOfFiles::default(),
            Some(Value::Object(keys)) => {
                for key in keys.keys().filter(|key| !SaidOfFiles::KEYS.contains(&key.as_str())) {
                    let message = format!("unknown key{}", suggestion(key, SaidOfFiles::KEYS));
                    self.problem(format!("dialect.{key}"), message);
                }
                SaidOfFiles::read(keys, &mut |key, message| self.problem(format!("dialect.{key}"), message))
            }
            Some(other) => {
                self.problem("dialect", format!("expected an object, found {other}"));
                SaidOfFiles::default()
            }
        };
        let of_values = said.of_values();
        of_values.clone().resolve(&mut |key, message| self.problem(format!("dialect.{key}"), message));
        (said, of_values)
    }

    /// Resolves the dialect of the files, and checks that each column can be found in them.
    pub(super) fn file_dialect(
        &mut self,
        object: &Map<String, Value>,
        said: SaidOfFiles,
        checks: &mut Checks,
        columns: &[Column],
    ) -> FileDialect {
        let in_checks = object.get("checks").and_then(|checks| checks.get("header")).and_then(Value::as_bool);
        if let Some(header) = said.header {
            if in_checks.is_some_and(|other| other != header) {
                self.problem("dialect.header", format!("is {header}, and checks.header is {}", !header));
            }
            checks.header = header;
        }
        let any_case = checks.ignore_header_case;
        for (n, column) in columns.iter().enumerate() {
            let name = column.name_in_files();
            let is_same = |other: &str| other == name || any_case && other.to_lowercase() == name.to_lowercase();
            let same = columns[..n].iter().find(|other| is_same(other.name_in_files()));
            if let Some(other) = same.filter(|other| column.name != other.name)
                && (column.source_position.is_none() || other.source_position.is_none())
            {
                let message = format!(
                    "column `{}` of the file is `{}` already; say by `source_position` which field is which",
                    visible(name),
                    other.name
                );
                self.problem(format!("source_name of column `{}`", column.name), message);
            }
            if let Some(other) = columns[..n]
                .iter()
                .find(|other| column.source_position.is_some() && other.source_position == column.source_position)
            {
                let message = format!("is that of column `{}` too", other.name);
                self.problem(format!("source_position of column `{}`", column.name), message);
            }
            if column.source_position.is_some() && !checks.header {
                let message = "tells fields of one name apart, and `header` says that fields have no names: without \
                               one the columns come in the order of the metadata";
                self.problem(format!("source_position of column `{}`", column.name), message);
            }
        }
        said.resolve(checks.header, &mut |key, message| self.problem(format!("dialect.{key}"), message))
    }

    pub(super) fn regex(&mut self, path: &str, pattern: &str) {
        if let Err(error) = regex::Regex::new(pattern) {
            let reason = error.to_string();
            let reason = reason.lines().last().unwrap_or_default().trim().trim_start_matches("error: ");
            self.problem(path, format!("is not a regular expression that the checks can use: {reason}"));
        }
    }

    pub(super) fn names(&mut self, object: &Map<String, Value>, key: &str, columns: &[Column]) -> Vec<String> {
        let items = match object.get(key) {
            None | Some(Value::Null) => return Vec::new(),
            Some(Value::Array(items)) => items,
            Some(other) => {
                self.problem(key, format!("expected a list of column names, found {other}"));
                return Vec::new();
            }
        };
        let mut names: Vec<String> = Vec::with_capacity(items.len());
        for (n, item) in items.iter().enumerate() {
            let name = item.as_str().unwrap_or_default();
            if !columns.iter().any(|column| column.name == name) {
                let there: Vec<&str> = columns.iter().map(|c| c.name.as_str()).collect();
                self.problem(
                    format!("{key}[{n}]"),
                    format!("there is no column {item}; the columns are {}", quoted(&there)),
                );
            } else if names.iter().any(|other| other == name) {
                self.problem(format!("{key}[{n}]"), format!("`{name}` is listed twice"));
            } else {
                names.push(name.to_owned());
            }
        }
        names
    }

    pub(super) fn source(&mut self, source: &Source, columns: &[Column]) {
        if !(source.records.is_empty() || source.records.starts_with('/')) {
            self.problem("source.records", format!("`{}` is not a JSON pointer: it begins with `/`", source.records));
        }
        if let Some(index) = source.index_column.as_deref().filter(|i| !columns.iter().any(|c| c.name == *i)) {
            let there: Vec<&str> = columns.iter().map(|c| c.name.as_str()).collect();
            self.problem("source.index_column", format!("there is no column `{index}`{}", suggestion(index, &there)));
        }
        for (key, zero) in [
            ("requests", source.requests == 0),
            ("concurrency", source.concurrency == 0),
            ("requests_per_second", source.requests_per_second == 0),
            ("attempts", source.attempts == 0),
            ("timeout_seconds", source.timeout_seconds == 0),
            ("maximum_file_bytes", source.maximum_file_bytes == 0),
        ] {
            if zero {
                self.problem(format!("source.{key}"), "must be at least 1");
            }
        }
    }
}

/// Tells the vocabularies apart. Tables of etl_manager have a `location` and a `data_format`. Tables of mojap-metadata
/// have neither, but may have keys of their own. One that has both kinds counts as mojap-metadata's.
pub(super) fn dialect(object: &Map<String, Value>) -> Dialect {
    let etl_manager = ["data_format", "location"].iter().any(|key| object.contains_key(*key));
    let mojap = ["file_format", "table_location", "glue_table_properties"].iter().any(|key| object.contains_key(*key))
        || has_type_category(object);
    if etl_manager && !mojap { Dialect::EtlManager } else { Dialect::Mojap }
}

pub(super) fn has_type_category(object: &Map<String, Value>) -> bool {
    object.get("columns").and_then(Value::as_array).is_some_and(|c| c.iter().any(|c| c.get("type_category").is_some()))
}

/// Returns a value of an `enum` as a file would hold it.
pub(super) fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Returns the place and the problem if a value has a form that only serde accepts: a list instead of an object, or an
/// object with one key instead of a word.
pub(super) fn not_plain(key: &str, value: &Value) -> Option<(String, String)> {
    let is_plain = |value: &Value| !value.is_object() && !value.is_array();
    let expected = |value: &Value| format!("expected a plain value, found {value}");
    match value {
        Value::Object(inner) if OBJECTS.contains(&key) => {
            let (name, odd) = inner.iter().find(|(_, value)| !is_plain(value))?;
            Some((inside(key, name), expected(odd)))
        }
        other if OBJECTS.contains(&key) => Some((key.to_owned(), format!("expected an object, found {other}"))),
        other if WORDS.contains(&key) && !is_plain(other) => Some((key.to_owned(), expected(other))),
        _ => None,
    }
}

/// Returns the path of a key within the object at `path`, which is empty for the whole file.
pub(super) fn inside(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

//! The files of the metadata folder, and the conditions that involve several of them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::column_type::ColumnType;
use crate::files::{FileDialect, Written};
use crate::key::{FILE_LAND_TIMESTAMP, is_table_name};
use crate::metadata::database::Database;
use crate::metadata::keys::DATABASE_KEYS;
use crate::metadata::table_file::{Area, TableReader};
use crate::problem::{Problems, nearest, suggestion};
use crate::table::{Column, DataFormat, Mode, ReadFrom, Table};
use crate::words::quoted;

fn has_extension(file: &Path, extension: &str) -> bool {
    file.extension().is_some_and(|found| found == extension)
}

/// Lists the files of a folder by name, so that the results are equal on every machine.
pub(super) fn files(folder: &Path, problems: &mut Problems) -> Vec<PathBuf> {
    match fs::read_dir(folder).and_then(|entries| entries.map(|e| e.map(|e| e.path())).collect::<Result<Vec<_>, _>>()) {
        Ok(mut files) => {
            files.sort();
            files
        }
        Err(error) => {
            problems.add(folder, "", format!("cannot be read: {error}"));
            Vec::new()
        }
    }
}

/// Returns the names of the tables that the files describe, even if the descriptions are wrong.
pub(super) fn names(files: &[PathBuf]) -> BTreeSet<String> {
    let described = files.iter().filter(|file| has_extension(file, "json"));
    described.filter_map(|file| Some(file.file_stem()?.to_string_lossy().into_owned())).collect()
}

/// The folders that are read.
const FOLDERS: &[&str] = &["raw", "processed", "curated"];

/// Reports a folder whose name is close to one of these. It would silently not be read.
pub(super) fn unknown_folders(folder: &Path, problems: &mut Problems) {
    for path in fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()) {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir()
            && !FOLDERS.contains(&name.as_str())
            && let Some(meant) = nearest(&name, FOLDERS.iter().copied())
        {
            problems.add(&path, "", format!("the folder is not read; did you mean `{meant}`?"));
        }
    }
}

/// Reports files that are not read. A table would silently be built without them. Hidden files and notes (`.md`) are
/// allowed.
pub(super) fn unknown_files(files: &[PathBuf], with_sql: bool, problems: &mut Problems) {
    let known: &[&str] = if with_sql { &["json", "sql"] } else { &["json"] };
    for file in files {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let extension = file.extension().unwrap_or_default().to_string_lossy().into_owned();
        let written = extension.to_lowercase();
        if name.starts_with('.') {
            continue;
        }
        if file.is_dir() {
            problems.add(file, "", "is a folder, and folders in here are not read");
        } else if known.contains(&written.as_str()) && extension != written {
            let stem = file.file_stem().unwrap_or_default().to_string_lossy();
            problems.add(file, "", format!("is not read under this name; call it `{stem}.{written}`"));
        } else if written == "sql" && !with_sql {
            problems.add(file, "", "raw tables have no SQL; that of a curated table lies in `curated`");
        } else if !known.contains(&written.as_str()) && written != "md" {
            let expected = if with_sql { "neither `.json` nor `.sql`" } else { "not `.json`" };
            problems.add(file, "", format!("is {expected}, and is not read; move it out of here"));
        }
    }
}

/// `; raw tables are …`
fn there_are(raw: &BTreeSet<String>) -> String {
    let names: Vec<&String> = raw.iter().filter(|name| *name != "database").collect();
    if names.is_empty() { "; there are none".into() } else { format!("; raw tables are {}", quoted(&names)) }
}

/// Returns the message for a file whose bytes are not UTF-8 from `at` on.
fn not_utf8(bytes: &[u8], at: usize) -> String {
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return "is UTF-16; save it as UTF-8".into();
    }
    let line = 1 + bytes[..at].iter().filter(|byte| **byte == b'\n').count();
    format!("is not UTF-8: line {line} has the byte 0x{:02X}; save it as UTF-8", bytes[at])
}

pub(super) struct Reader<'a> {
    pub(super) problems: &'a mut Problems,
    pub(super) warnings: &'a mut Problems,
    pub(super) digest: &'a mut Sha256,
}

impl Reader<'_> {
    pub(super) fn text(&mut self, file: &Path) -> Option<String> {
        let bytes = match fs::read(file) {
            Ok(bytes) => bytes,
            Err(error) => {
                self.problems.add(file, "", format!("cannot be read: {error}"));
                return None;
            }
        };
        self.digest.update(file.file_name().map(std::ffi::OsStr::as_encoded_bytes).unwrap_or_default());
        self.digest.update((bytes.len() as u64).to_le_bytes());
        self.digest.update(&bytes);
        match String::from_utf8(bytes) {
            // Windows editors begin files with a byte order mark
            Ok(text) => Some(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text)),
            Err(error) => {
                self.problems.add(file, "", not_utf8(error.as_bytes(), error.utf8_error().valid_up_to()));
                None
            }
        }
    }

    pub(super) fn object(&mut self, file: &Path) -> Option<Map<String, Value>> {
        let text = self.text(file)?;
        match serde_json::from_str(&text) {
            Ok(Value::Object(object)) => Some(object),
            Ok(_) => {
                self.problems.add(file, "", "expected a JSON object");
                None
            }
            Err(error) => {
                self.problems.add(file, "", format!("is not JSON: {error}"));
                None
            }
        }
    }

    pub(super) fn inside<'a>(&'a mut self, file: &'a Path, area: Area) -> TableReader<'a> {
        TableReader { file, area, problems: self.problems, warnings: self.warnings }
    }

    pub(super) fn tables(&mut self, files: &[PathBuf], area: Area) -> BTreeMap<String, Table> {
        let mut tables = BTreeMap::new();
        for file in files.iter().filter(|f| has_extension(f, "json") && !f.ends_with("database.json")) {
            let Some(object) = self.object(file) else { continue };
            if let Some(table) = self.inside(file, area).table(&object) {
                tables.insert(table.name.clone(), table);
            }
        }
        tables
    }

    pub(super) fn tables_with_sql(&mut self, files: &[PathBuf]) -> BTreeMap<String, Table> {
        let mut tables = self.tables(files, Area::Built);
        let described = names(files);
        for sql in files.iter().filter(|file| has_extension(file, "sql")) {
            self.sql(sql, &mut tables, &described);
        }
        tables
    }

    pub(super) fn sql(&mut self, file: &Path, tables: &mut BTreeMap<String, Table>, described: &BTreeSet<String>) {
        // an unreadable file is already reported; for the other checks it is enough that it exists
        let text = self.text(file).unwrap_or_default();
        let name = file.file_stem().unwrap_or_default().to_string_lossy();
        match tables.get_mut(name.as_ref()) {
            Some(table) => table.sql = Some(text),
            // the problems of the description are already reported
            None if described.contains(name.as_ref()) => {}
            None => {
                let names: Vec<&str> = described.iter().map(String::as_str).filter(|n| *n != "database").collect();
                let message = format!("there is no `{name}.json` beside it{}", suggestion(&name, &names));
                self.problems.add(file, "", message);
            }
        }
    }

    pub(super) fn database(&mut self, file: &Path) -> Option<Database> {
        let object = self.object(file)?;
        let mut reader = self.inside(file, Area::Built);
        reader.misspelt(&object, DATABASE_KEYS, "");
        let name = reader.required_text(&object, "name");
        let bucket = reader.required_text(&object, "bucket");
        // etl_manager always writes these two, empty if they are not used
        let base_folder = reader.text(&object, "base_folder");
        let description = reader.text(&object, "description");
        if let Some(name) = name.as_deref().filter(|name| !is_table_name(name)) {
            reader.problem("name", format!("`{name}` is not a Glue name: lower-case letters, digits and `_`"));
        }
        if let Some(folder) = &base_folder {
            reader.check_base_folder(folder);
        }
        Some(Database {
            name: name?,
            bucket: bucket?,
            base_folder: base_folder?.trim_matches('/').to_owned(),
            description: description?,
        })
    }

    /// Reads the raw database. It must not be the curated one, because raw and curated tables may have equal names.
    pub(super) fn raw_database(
        &mut self,
        file: &Path,
        curated: Option<&Database>,
        raw: &BTreeMap<String, Table>,
    ) -> Option<Database> {
        let database = self.database(file)?;
        if curated.is_some_and(|curated| curated.name == database.name) {
            let message = format!("`{}` is the curated database; raw tables need one of their own", database.name);
            self.problems.add(file, "name", message);
        }
        for table in raw.values().filter(|table| table.data_columns().iter().any(|c| c.name == FILE_LAND_TIMESTAMP)) {
            let message = format!(
                "there is a column `{FILE_LAND_TIMESTAMP}`, and in the raw database (raw/database.json) each table has \
                 its folders under this name; rename the column, or list it among the `partitions` if it is the \
                 folders'"
            );
            self.problems.add(&table.file, "columns", message);
        }
        Some(database)
    }

    pub(super) fn check_raw(&mut self, table: &Table, processed: &BTreeSet<String>) {
        match table.read_from {
            ReadFrom::RawHist => {}
            ReadFrom::Raw if !table.copy_to_raw => {
                self.problems.add(&table.file, "read_from", "is `raw`, where nothing comes without `copy_to_raw`");
            }
            ReadFrom::Raw => {}
            ReadFrom::Processed if !processed.contains(&table.name) => {
                let message = format!("is `processed`, but there is no `processed/{}.json`", table.name);
                self.problems.add(&table.file, "read_from", message);
            }
            ReadFrom::Processed => {}
        }
        for name in table.partitions.iter().filter(|name| *name != FILE_LAND_TIMESTAMP) {
            let message = format!(
                "`{name}`: of a raw table only `{FILE_LAND_TIMESTAMP}` is in the folders' names; if the files hold the \
                 column, take it out of `partitions` (the curated table may list it there), else out of `columns` too"
            );
            self.problems.add(&table.file, "partitions", message);
        }
        let types: Vec<&ColumnType> = table.columns.iter().map(|column| &column.column_type).collect();
        if table.lines && !matches!(types[..], [ColumnType::String] | [ColumnType::String, ColumnType::Int64]) {
            let message = "needs one column, a text: the line; a second one, a long, is the line's number";
            self.problems.add(&table.file, "lines", message);
        }
    }

    /// Checks a processed table, and makes curate read its raw table from the processed area.
    pub(super) fn check_processed(
        &mut self,
        table: &Table,
        raw: &mut BTreeMap<String, Table>,
        described: &BTreeSet<String>,
    ) {
        if !matches!(table.data_format, DataFormat::Json | DataFormat::Parquet) {
            self.problems.add(&table.file, "data_format", "processed tables are written as `json` or `parquet`");
        }
        self.check_no_dialect(table);
        if !table.partitions.is_empty() {
            self.problems.add(&table.file, "partitions", "a processed file keeps the key of its raw file");
        }
        let Some(raw) = raw.get_mut(&table.name) else {
            if !described.contains(&table.name) {
                let message = format!("there is no raw table `{}` to process{}", table.name, there_are(described));
                self.problems.add(&table.file, "", message);
            }
            return;
        };
        if !raw.copy_to_raw {
            let message = "is processed from the raw area, where nothing comes without `copy_to_raw`";
            self.problems.add(&raw.file, "copy_to_raw", message);
        }
        raw.read_from = ReadFrom::Processed;
    }

    pub(super) fn check_curated(&mut self, table: &Table, raw: &BTreeMap<String, Table>, described: &BTreeSet<String>) {
        if table.data_format != DataFormat::Parquet {
            self.problems.add(&table.file, "data_format", "curated tables are written as `parquet`");
        }
        if table.sql.is_none() && !raw.contains_key(&table.name) && !described.contains(&table.name) {
            let message = format!(
                "it has no `{0}.sql` beside it and there is no raw table `{0}` to copy{1}",
                table.name,
                there_are(described)
            );
            self.problems.add(&table.file, "", message);
        }
        if table.mode == Mode::Partition && table.partitions.is_empty() {
            self.problems.add(&table.file, "mode", "`partition` needs `partitions`");
        }
        self.check_no_dialect(table);
        for column in table.columns.iter().filter(|column| !column.earlier_types.is_empty()) {
            let message = "is for columns of raw tables: a curated table has the types of now in all of its files";
            self.problems.add(&table.file, format!("earlier_types of column `{}`", column.name), message);
        }
        if table.self_contained && table.mode == Mode::Rebuild {
            let message = "is for the modes `partition` and `append`: of mode `rebuild` each run is whole";
            self.problems.add(&table.file, "self_contained", message);
        }
        if table.partition_projection {
            self.check_projection(table);
        }
    }

    /// Checks that a table which the pipeline writes has no dialect: its files are always written in one way.
    pub(super) fn check_no_dialect(&mut self, table: &Table) {
        if table.file_dialect != FileDialect::default() {
            let message = "is for raw tables: it says how a supplier's files are written";
            self.problems.add(&table.file, "dialect", message);
        }
        let foreign = |column: &&Column| {
            column.source_name.is_some()
                || !column.source_names.is_empty()
                || column.source_position.is_some()
                || column.written != Written::default()
        };
        for column in table.columns.iter().filter(foreign) {
            let message = "how it is written or called in a supplier's file is for its raw table to say";
            self.problems.add(&table.file, format!("column `{}`", column.name), message);
        }
    }

    /// Checks that curated tables have different locations. Two tables in one folder would be read as one.
    pub(super) fn check_locations(&mut self, curated: &BTreeMap<String, Table>) {
        let mut owners: BTreeMap<&str, &Table> = BTreeMap::new();
        for table in curated.values() {
            if let Some(owner) = owners.get(table.location.as_str()) {
                let message = format!(
                    "`{}` is the location of curated table `{}` too ({})",
                    table.location,
                    owner.name,
                    owner.file.display()
                );
                self.problems.add(&table.file, "location", message);
            } else {
                owners.insert(&table.location, table);
            }
        }
    }

    /// Checks the conditions of partition projection. Athena computes all locations from one template, so all
    /// partitions must belong to a single run. It supports only some types:
    /// <https://docs.aws.amazon.com/athena/latest/ug/partition-projection-supported-types.html>
    pub(super) fn check_projection(&mut self, table: &Table) {
        if table.partitions.is_empty() || (table.mode != Mode::Rebuild && !table.self_contained) {
            let message =
                "needs `partitions`, and the mode `rebuild` or `self_contained`: all partitions must be of one run";
            self.problems.add(&table.file, "partition_projection", message);
        }
        for (n, column) in table.partition_columns().iter().enumerate() {
            let known = matches!(
                column.column_type,
                ColumnType::String
                    | ColumnType::Date
                    | ColumnType::Int8
                    | ColumnType::Int16
                    | ColumnType::Int32
                    | ColumnType::Int64
            );
            if !known {
                let message = format!(
                    "column `{}` cannot be projected: Athena does so for texts, whole numbers and dates",
                    column.name
                );
                self.problems.add(&table.file, format!("partitions[{n}]"), message);
            }
        }
    }
}

//! The reader of a metadata folder:
//!
//! ```text
//! raw/<table>.json                                     what lands
//! raw/database.json                                    where what landed can be queried (optional)
//! processed/<table>.json, <table>.sql                  what is made clean of a raw table first (optional)
//! curated/database.json, <table>.json, <table>.sql     what analysts query
//! ```
//!
//! Both formats are read, etl_manager's and mojap-metadata's, told apart by their own keys. The reader is strict: it
//! reports every problem of every file at once, each with its file and JSON path. Keys of other programs are theirs:
//! one that looks like a slip is a warning.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::column_type::{ColumnType, Dialect};
use crate::files::Written;
use crate::files::{FileDialect, SaidOfFiles, SaidOfValues};
use crate::key::{FILE_LAND_TIMESTAMP, is_table_name};
use crate::problem::{Problems, nearest, quoted, suggestion};
use crate::table::{Checks, Column, DataFormat, EarlierType, FieldNames, Mode, ReadFrom, Sensitivity, Source, Table};
use crate::visible;

/// Everything that the metadata folder describes.
#[derive(Clone, Debug, PartialEq)]
pub struct MetaData {
    /// The curated database.
    pub database: Database,
    /// The database over the immutable history of the raw tables, if there is to be one.
    pub raw_database: Option<Database>,
    /// The raw tables by name.
    pub raw: BTreeMap<String, Table>,
    /// The processed tables by name, each of the raw table of the same name.
    pub processed: BTreeMap<String, Table>,
    /// The curated tables by name.
    pub curated: BTreeMap<String, Table>,
    /// SHA-256 over all files, hexadecimal: which description a run went by.
    pub sha256: String,
    /// What is read as it is, and may not be what was meant.
    pub warnings: Problems,
}

/// `curated/database.json` or `raw/database.json`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Database {
    /// The Glue database.
    pub name: String,
    /// The bucket by etl_manager's word; a deployed stack's own bucket comes before it.
    pub bucket: String,
    /// The folder of the tables, without slashes at the ends. Where raw tables lie is the stack's to say, and comes
    /// before it.
    pub base_folder: String,
    /// For people.
    pub description: String,
}

impl Database {
    /// The prefix of everything in the curated bucket, ending with `/`, or nothing.
    pub fn base(&self) -> String {
        match self.base_folder.as_str() {
            "" => String::new(),
            folder => format!("{folder}/"),
        }
    }

    /// The prefix of the runs' manifests, each `<run>.json`.
    pub fn manifests(&self) -> String {
        format!("{}_manifests/", self.base())
    }

    /// The prefix of what catalog has published, an entry each time.
    pub fn publications(&self) -> String {
        format!("{}_publications/", self.base())
    }
}

impl MetaData {
    /// Reads the folder whole. Fails with every problem of every file.
    pub fn read(folder: &Path) -> Result<Self, Problems> {
        let mut problems = Problems::default();
        let mut digest = Sha256::new();
        let raw_files = files(&folder.join("raw"), &mut problems);
        let processed = folder.join("processed");
        let processed_files = if processed.exists() { files(&processed, &mut problems) } else { Vec::new() };
        let curated_files = files(&folder.join("curated"), &mut problems);
        unknown_folders(folder, &mut problems);
        for (files, with_sql) in [(&raw_files, false), (&processed_files, true), (&curated_files, true)] {
            unknown_files(files, with_sql, &mut problems);
        }
        let raw_names = names(&raw_files);
        let mut warnings = Problems::default();
        let mut reader = Reader { problems: &mut problems, warnings: &mut warnings, digest: &mut digest };

        let mut raw = reader.tables(&raw_files, Area::Raw);
        let processed = reader.tables_with_sql(&processed_files);
        let curated = reader.tables_with_sql(&curated_files);
        let database = reader.database(&folder.join("curated/database.json"));
        let raw_database = folder.join("raw/database.json");
        let raw_database =
            if raw_database.exists() { reader.raw_database(&raw_database, database.as_ref(), &raw) } else { None };
        for table in processed.values() {
            reader.check_processed(table, &mut raw, &raw_names);
        }
        let processed_names = names(&processed_files);
        for table in raw.values() {
            reader.check_raw(table, &processed_names);
        }
        for table in curated.values() {
            reader.check_curated(table, &raw, &raw_names);
        }
        reader.check_locations(&curated);
        match database {
            Some(database) if problems.is_empty() => {
                let sha256 = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
                Ok(Self { database, raw_database, raw, processed, curated, sha256, warnings })
            }
            _ => Err(problems),
        }
    }

    /// A raw table as a file would describe it, with all that is wrong with it by itself.
    ///
    /// # Errors
    /// Every problem of the description.
    pub fn parse_raw_table(file: &Path, text: &str) -> Result<Table, Problems> {
        let mut problems = Problems::default();
        let table = match serde_json::from_str(text) {
            Ok(Value::Object(object)) => {
                let (area, mut warnings) = (Area::Raw, Problems::default());
                TableReader { file, area, problems: &mut problems, warnings: &mut warnings }.table(&object)
            }
            Ok(_) => {
                problems.add(file, "", "expected a JSON object");
                None
            }
            Err(error) => {
                problems.add(file, "", format!("is not JSON: {error}"));
                None
            }
        };
        table.ok_or(problems)
    }

    /// A raw table, or a message that names the nearest.
    pub fn raw_table(&self, name: &str) -> Result<&Table, String> {
        find(&self.raw, name, "raw table")
    }

    /// A raw table as curate reads it: a processed one by the description of what was made of it.
    pub fn source_table(&self, name: &str) -> Result<&Table, String> {
        let raw = self.raw_table(name)?;
        Ok(match raw.read_from {
            ReadFrom::RawHist | ReadFrom::Raw => raw,
            ReadFrom::Processed => self.processed.get(name).unwrap_or(raw),
        })
    }

    /// A curated table, or a message that names the nearest.
    pub fn curated_table(&self, name: &str) -> Result<&Table, String> {
        find(&self.curated, name, "curated table")
    }
}

/// `; raw tables are …`
fn there_are(raw: &BTreeSet<String>) -> String {
    let names: Vec<&String> = raw.iter().filter(|name| *name != "database").collect();
    if names.is_empty() { "; there are none".into() } else { format!("; raw tables are {}", quoted(&names)) }
}

fn find<'a>(tables: &'a BTreeMap<String, Table>, name: &str, what: &str) -> Result<&'a Table, String> {
    tables.get(name).ok_or_else(|| {
        let names: Vec<&str> = tables.keys().map(String::as_str).collect();
        format!("no {what} `{name}` in the metadata{}", suggestion(name, &names))
    })
}

fn has_extension(file: &Path, extension: &str) -> bool {
    file.extension().is_some_and(|found| found == extension)
}

/// The files of a folder by name, so that everything after is the same on every machine.
fn files(folder: &Path, problems: &mut Problems) -> Vec<PathBuf> {
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

/// The tables that the files of a folder describe, well or not.
fn names(files: &[PathBuf]) -> BTreeSet<String> {
    let described = files.iter().filter(|file| has_extension(file, "json"));
    described.filter_map(|file| Some(file.file_stem()?.to_string_lossy().into_owned())).collect()
}

/// The folders that are read.
const FOLDERS: &[&str] = &["raw", "processed", "curated"];

/// A folder that is all but one of ours would go unread without a word.
fn unknown_folders(folder: &Path, problems: &mut Problems) {
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

/// What lies in a folder of ours and is not read: a table would be built without it, and nobody would be told. Hidden
/// files and notes (`.md`) may be there.
fn unknown_files(files: &[PathBuf], with_sql: bool, problems: &mut Problems) {
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

// Every key that is read, or known as another program's. docs/schema says of each what it holds, and has to have the
// same; `make reference` makes docs/metadata.md of that; tests/schema/examples.rs has a table with all of them.
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

/// Parameters of Glue tables that mojap-metadata does not take from `glue_table_properties`: they are Glue's and
/// Athena's own. `glue_specific` may set them.
const PROTECTED_PROPERTIES: &[&str] = &[
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

/// The keys of ours that hold an object of plain values.
const OBJECTS: &[&str] = &["checks", "source"];
/// The keys of ours that hold one of several words.
const WORDS: &[&str] = &["mode", "read_from", "compression"];

/// A report that shows more examples of a broken rule is no help to anybody.
const MAXIMUM_EXAMPLES: usize = 100;

/// No file has so many fields; one that is far behind would cost memory for all before it.
const MAXIMUM_POSITION: usize = 1_000_000;

/// What is told of a file whose bytes are no UTF-8 from `at` on.
fn not_utf8(bytes: &[u8], at: usize) -> String {
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return "is UTF-16; save it as UTF-8".into();
    }
    let line = 1 + bytes[..at].iter().filter(|byte| **byte == b'\n').count();
    format!("is not UTF-8: line {line} has the byte 0x{:02X}; save it as UTF-8", bytes[at])
}

struct Reader<'a> {
    problems: &'a mut Problems,
    warnings: &'a mut Problems,
    digest: &'a mut Sha256,
}

impl Reader<'_> {
    fn text(&mut self, file: &Path) -> Option<String> {
        let bytes = match fs::read(file) {
            Ok(bytes) => bytes,
            Err(error) => {
                self.problems.add(file, "", format!("cannot be read: {error}"));
                return None;
            }
        };
        self.digest.update(file.file_name().map(|n| n.as_encoded_bytes()).unwrap_or_default());
        self.digest.update((bytes.len() as u64).to_le_bytes());
        self.digest.update(&bytes);
        match String::from_utf8(bytes) {
            // editors of Windows put a byte order mark in front
            Ok(text) => Some(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text)),
            Err(error) => {
                self.problems.add(file, "", not_utf8(error.as_bytes(), error.utf8_error().valid_up_to()));
                None
            }
        }
    }

    fn object(&mut self, file: &Path) -> Option<Map<String, Value>> {
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

    fn inside<'a>(&'a mut self, file: &'a Path, area: Area) -> TableReader<'a> {
        TableReader { file, area, problems: self.problems, warnings: self.warnings }
    }

    fn tables(&mut self, files: &[PathBuf], area: Area) -> BTreeMap<String, Table> {
        let mut tables = BTreeMap::new();
        for file in files.iter().filter(|f| has_extension(f, "json") && !f.ends_with("database.json")) {
            let Some(object) = self.object(file) else { continue };
            if let Some(table) = self.inside(file, area).table(&object) {
                tables.insert(table.name.clone(), table);
            }
        }
        tables
    }

    fn tables_with_sql(&mut self, files: &[PathBuf]) -> BTreeMap<String, Table> {
        let mut tables = self.tables(files, Area::Built);
        let described = names(files);
        for sql in files.iter().filter(|file| has_extension(file, "sql")) {
            self.sql(sql, &mut tables, &described);
        }
        tables
    }

    fn sql(&mut self, file: &Path, tables: &mut BTreeMap<String, Table>, described: &BTreeSet<String>) {
        // that it cannot be read is told; that it is there is all the others need to know then
        let text = self.text(file).unwrap_or_default();
        let name = file.file_stem().unwrap_or_default().to_string_lossy();
        match tables.get_mut(name.as_ref()) {
            Some(table) => table.sql = Some(text),
            // what is wrong with the description is told already
            None if described.contains(name.as_ref()) => {}
            None => {
                let names: Vec<&str> = described.iter().map(String::as_str).filter(|n| *n != "database").collect();
                let message = format!("there is no `{name}.json` beside it{}", suggestion(&name, &names));
                self.problems.add(file, "", message);
            }
        }
    }

    fn database(&mut self, file: &Path) -> Option<Database> {
        let object = self.object(file)?;
        let mut reader = self.inside(file, Area::Built);
        reader.misspelt(&object, DATABASE_KEYS, "");
        let name = reader.required_text(&object, "name");
        let bucket = reader.required_text(&object, "bucket");
        // etl_manager has both, empty where there is nothing to say
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

    /// The curated tables are found by their names: those of the raw ones, which may be the same, need a database of
    /// their own.
    fn raw_database(
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
                 its folders under this name; rename the column, or list it among the `partitions` if it is the folders'"
            );
            self.problems.add(&table.file, "columns", message);
        }
        Some(database)
    }

    fn check_raw(&mut self, table: &Table, processed: &BTreeSet<String>) {
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

    /// A raw table of which another is made is read as that one, if it does not say otherwise.
    fn check_processed(&mut self, table: &Table, raw: &mut BTreeMap<String, Table>, described: &BTreeSet<String>) {
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

    fn check_curated(&mut self, table: &Table, raw: &BTreeMap<String, Table>, described: &BTreeSet<String>) {
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

    /// What we write ourselves is written in one way.
    fn check_no_dialect(&mut self, table: &Table) {
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

    /// Two tables in one folder would be read as one.
    fn check_locations(&mut self, curated: &BTreeMap<String, Table>) {
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

    /// Athena computes the places of all partitions from one template, so all must be a single run's; and it does so
    /// for some types only. <https://docs.aws.amazon.com/athena/latest/ug/partition-projection-supported-types.html>
    fn check_projection(&mut self, table: &Table) {
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

/// Where a table's files come from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Area {
    /// They land, and are checked.
    Raw,
    /// They are made.
    Built,
}

/// Reads one table and notes what is wrong on the way; gives a table only when nothing is.
struct TableReader<'a> {
    file: &'a Path,
    area: Area,
    problems: &'a mut Problems,
    warnings: &'a mut Problems,
}

impl TableReader<'_> {
    fn problem(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.problems.add(self.file, path, message);
    }

    fn warning(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.warnings.add(self.file, path, message);
    }

    /// A text that must be there, and may be empty.
    fn text(&mut self, object: &Map<String, Value>, key: &str) -> Option<String> {
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

    fn required_text(&mut self, object: &Map<String, Value>, key: &str) -> Option<String> {
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

    /// A folder that is what it says: S3 has no `..`, but whatever copies to a disk does.
    fn check_base_folder(&mut self, folder: &str) {
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

    fn table(&mut self, object: &Map<String, Value>) -> Option<Table> {
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
        // partition columns go last, in the order in which they are listed: that is the order of the path
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

    /// What the checks of a whole file ask for must be possible.
    fn checks(&mut self, checks: &Checks, data_columns: &[Column], primary_key: &[String]) {
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

    fn description(&mut self, object: &Map<String, Value>, path: &str) -> String {
        match object.get("description") {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(text)) => text.clone(),
            Some(other) => {
                self.problem(inside(path, "description"), format!("expected a text, found {other}"));
                String::new()
            }
        }
    }

    /// Unknown keys are other programs' business; that one is all but one of ours is told.
    fn misspelt(&mut self, object: &Map<String, Value>, known: &[&str], path: &str) {
        for key in object.keys().filter(|key| !known.contains(&key.as_str())) {
            if let Some(meant) =
                nearest(key, known.iter().copied()).filter(|meant| strsim::osa_distance(key, meant) <= 2)
            {
                self.warning(format!("{path}{key}"), format!("is not read; did you mean `{meant}`?"));
            }
        }
    }

    /// An object of ours, where every key counts.
    fn own<T: serde::de::DeserializeOwned>(&mut self, object: &Map<String, Value>, key: &str) -> Option<T> {
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

    fn location(&mut self, object: &Map<String, Value>, dialect: Dialect, name: &str) -> String {
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

    /// What is merged into the table's definition in Glue: etl_manager's `glue_specific`, over mojap-metadata's
    /// `glue_table_properties`, which are the table's parameters there.
    fn glue_specific(&mut self, object: &Map<String, Value>) -> Value {
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
            // where it is no object, catalog says so
            let parameters = specific.entry("Parameters").or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(parameters) = parameters {
                properties.append(parameters);
                *parameters = properties;
            }
        }
        Value::Object(specific)
    }

    /// mojap-metadata's word comes first, if it says anything: it writes "" where nobody has said it.
    fn data_format(&mut self, object: &Map<String, Value>, dialect: Dialect) -> DataFormat {
        let said = |key: &str| object.get(key).is_some_and(|said| key != "file_format" || said != "");
        let file_format = said("file_format").then(|| self.format(object, "file_format"));
        let is_needed = said("data_format") || dialect == Dialect::EtlManager;
        let data_format = is_needed.then(|| self.format(object, "data_format"));
        file_format.or(data_format).unwrap_or(DataFormat::Parquet)
    }

    fn format(&mut self, object: &Map<String, Value>, key: &str) -> DataFormat {
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

    fn columns(&mut self, object: &Map<String, Value>, dialect: Dialect, of_values: &SaidOfValues) -> Vec<Column> {
        let Some(Value::Array(items)) = object.get("columns") else {
            self.problem("columns", "expected a list of columns");
            return Vec::new();
        };
        if items.is_empty() {
            self.problem("columns", "expected at least one column");
        }
        let mut columns: Vec<Column> = Vec::with_capacity(items.len());
        for (n, item) in items.iter().enumerate() {
            let path = format!("columns[{n}]");
            let Value::Object(item) = item else {
                self.problem(path, "expected an object");
                continue;
            };
            let column = self.column(item, dialect, of_values, &path);
            if let Some(first) = columns.iter().position(|other| other.name == column.name) {
                self.problem(
                    format!("{path}.name"),
                    format!("`{}` is already the name of columns[{first}]", column.name),
                );
            }
            columns.push(column);
        }
        columns
    }

    fn column(&mut self, item: &Map<String, Value>, dialect: Dialect, of_values: &SaidOfValues, path: &str) -> Column {
        self.misspelt(item, COLUMN_KEYS, &format!("{path}."));
        let name = match item.get("name") {
            Some(Value::String(name)) if is_table_name(name) => name.clone(),
            Some(Value::String(name)) => {
                self.problem(
                    format!("{path}.name"),
                    format!("`{name}`: lower-case letters, digits and `_`, at most 255"),
                );
                name.clone()
            }
            _ => {
                self.problem(format!("{path}.name"), "expected a text");
                String::new()
            }
        };
        let before = self.problems.0.len();
        let column_type = self.column_type(item, dialect, path);
        // of a column whose type cannot be read, nothing is said that depends on the type
        let is_read = self.problems.0.len() == before;
        let pattern = item.get("pattern").and_then(|value| match value {
            Value::String(pattern) => {
                self.regex(&format!("{path}.pattern"), pattern);
                Some(pattern.clone())
            }
            Value::Null => None,
            other => {
                self.problem(format!("{path}.pattern"), format!("expected a regular expression, found {other}"));
                None
            }
        });
        let enumeration = item.get("enum").and_then(|value| match value {
            Value::Array(values) => Some(values.iter().filter(|v| !v.is_null()).map(plain).collect()),
            Value::Null => None,
            other => {
                self.problem(format!("{path}.enum"), format!("expected a list of values, found {other}"));
                None
            }
        });
        let (mut minimum, mut maximum, mut datetime_format) = (None, None, None);
        if is_read {
            minimum = self.bound(item, "minimum", path, &column_type);
            maximum = self.bound(item, "maximum", path, &column_type);
            datetime_format = self.datetime_format(item, path, &column_type);
        }
        let length = |reader: &mut Self, key: &str| {
            let number = reader.number(item, key, path)?;
            if number < 0.0 || number.fract() != 0.0 {
                reader.problem(
                    format!("{path}.{key}"),
                    format!("expected a whole number that is not negative, found {number}"),
                );
            }
            Some(number as u64)
        };
        let (min_length, max_length) = (length(self, "minLength"), length(self, "maxLength"));
        if let (Some(least), Some(most)) = (min_length, max_length)
            && least > most
        {
            let message = format!("is {least}, more than the maxLength of {most}: no value can pass");
            self.problem(format!("{path}.minLength"), message);
        }
        let unique = self.flag(item, "unique", path).unwrap_or(false);
        let rules =
            [("pattern", pattern.is_some()), ("minLength", min_length.is_some()), ("maxLength", max_length.is_some())];
        let is_text = column_type == ColumnType::String;
        let is_unchecked = self.area == Area::Raw && is_read && !is_text;
        for (key, _) in rules.iter().filter(|(_, given)| *given && is_unchecked) {
            let what = if *key == "pattern" { "pattern" } else { "length" };
            let message = format!(
                "is not checked: the column's type is {column_type}, and only texts have a {what}; for numbers and times \
                 there are `minimum`, `maximum` and `enum`"
            );
            self.warning(format!("{path}.{key}"), message);
        }
        // a value of another type has no text of its own: one number may be written in several ways, and in Parquet in
        // none
        let (pattern, min_length, max_length) =
            if is_text { (pattern, min_length, max_length) } else { (None, None, None) };
        if !column_type.is_scalar() {
            for (key, given) in [("unique", unique), ("enum", enumeration.is_some())] {
                if given {
                    let message = format!("the column's type is {column_type}, whose values are not compared");
                    self.problem(format!("{path}.{key}"), message);
                }
            }
        }
        let is_truth = column_type == ColumnType::Boolean;
        let redacted = self.flag(item, "redacted", path).unwrap_or(false);
        let sensitivity = self.sensitivity(item, path);
        let source_names = self.source_names(item, &column_type, path);
        Column {
            name,
            column_type,
            description: self.description(item, path),
            nullable: self.flag(item, "nullable", path).unwrap_or(true),
            pattern,
            enumeration,
            minimum,
            maximum,
            min_length,
            max_length,
            unique,
            datetime_format,
            source_name: self.source_name(item, path),
            source_names,
            source_position: self.source_position(item, path),
            written: self.written(item, of_values, path, is_truth),
            earlier_types: self.earlier_types(item, dialect, path),
            sensitive: self.flag(item, "sensitive", path).unwrap_or(false) || redacted || sensitivity.is_some(),
            sensitivity,
            redacted,
        }
    }

    /// What the column is called in the files.
    fn source_name(&mut self, item: &Map<String, Value>, path: &str) -> Option<String> {
        match item.get("source_name")? {
            Value::String(name) => Some(name.clone()),
            other => {
                let message = format!("expected the column's name in the file, a text, found {other}");
                self.problem(format!("{path}.source_name"), message);
                None
            }
        }
    }

    /// What the fields of its structs are called in the files.
    fn source_names(&mut self, item: &Map<String, Value>, column_type: &ColumnType, path: &str) -> FieldNames {
        let mut names = FieldNames::default();
        let Some(said) = item.get("source_names") else { return names };
        let place = format!("{path}.source_names");
        let texts = said.as_object().and_then(|said| {
            said.iter().map(|(field, name)| Some((field, name.as_str()?))).collect::<Option<Vec<_>>>()
        });
        let Some(texts) = texts else {
            let message = format!("expected an object of texts, by field of the column's structs, found {said}");
            self.problem(place, message);
            return names;
        };
        let fields = column_type.fields();
        for (field, name) in texts {
            if !fields.iter().flatten().any(|known| known == field) {
                let known: Vec<String> = fields.iter().flatten().map(|field| format!("`{field}`")).collect();
                let known = if known.is_empty() { "has no struct".into() } else { format!("has {}", known.join(", ")) };
                self.problem(&place, format!("there is no field `{}`; the type {known}", visible(field)));
            }
            names.insert(field.clone(), name.to_owned());
        }
        for of_one in &fields {
            let name = |field: &str| {
                let (of_struct, name) = field.rsplit_once('.').unwrap_or(("", field));
                names.in_files(of_struct, name).to_owned()
            };
            for (n, field) in of_one.iter().enumerate() {
                if let Some(other) = of_one[..n].iter().find(|other| name(other) == name(field)) {
                    let message = format!("`{field}` and `{other}` are both `{}` in the files", visible(&name(field)));
                    self.problem(&place, message);
                }
            }
        }
        names
    }

    /// Which field of a record it is.
    fn source_position(&mut self, item: &Map<String, Value>, path: &str) -> Option<usize> {
        let value = item.get("source_position")?;
        let position = value.as_u64().and_then(|n| usize::try_from(n).ok());
        position.filter(|n| (1..=MAXIMUM_POSITION).contains(n)).or_else(|| {
            let message = format!("expected the number of the field, from 1 to {MAXIMUM_POSITION}, found {value}");
            self.problem(format!("{path}.source_position"), message);
            None
        })
    }

    /// How the column's values are written: in its own words, and for the rest in those of the table's `dialect`.
    fn written(&mut self, item: &Map<String, Value>, of_values: &SaidOfValues, path: &str, is_truth: bool) -> Written {
        if !SaidOfValues::KEYS.iter().any(|key| item.contains_key(*key)) {
            // what is wrong with the table's is told there
            return of_values.clone().resolve(&mut |_, _| ());
        }
        let mut told = Vec::new();
        of_values.clone().resolve(&mut |key, message| told.push((key.to_owned(), message)));
        let mut problem = |key: &str, message: String| {
            // the table's truth values are nothing to a column of texts
            let is_its = is_truth || !matches!(key, "trueValues" | "falseValues");
            if item.contains_key(key) || is_its && !told.contains(&(key.to_owned(), message.clone())) {
                self.problem(format!("{path}.{key}"), message);
            }
        };
        SaidOfValues::read(item, &mut problem).over(of_values).resolve(&mut problem)
    }

    /// What the table says under `dialect`, and of that what concerns values.
    fn said_of_files(&mut self, object: &Map<String, Value>) -> (SaidOfFiles, SaidOfValues) {
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

    /// How the files are written, and that the columns can be found in such.
    fn file_dialect(
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

    /// The types that a column had, the oldest first.
    fn earlier_types(&mut self, item: &Map<String, Value>, dialect: Dialect, path: &str) -> Vec<EarlierType> {
        let path = format!("{path}.earlier_types");
        let Some(said) = item.get("earlier_types") else { return Vec::new() };
        let Some(said) = said.as_array() else {
            self.problem(path, "expected a list such as [{\"before\": 1700000000, \"type\": \"long\"}]");
            return Vec::new();
        };
        let mut found: Vec<EarlierType> = Vec::new();
        for (n, one) in said.iter().enumerate() {
            let path = format!("{path}[{n}]");
            match (one, one.get("before").and_then(Value::as_u64)) {
                (Value::Object(one), Some(before)) => {
                    for key in one.keys().filter(|key| !EARLIER_KEYS.contains(&key.as_str())) {
                        let message = format!("unknown key; valid are {}", quoted(EARLIER_KEYS));
                        self.problem(format!("{path}.{key}"), message);
                    }
                    let column_type = self.column_type(one, dialect, &path);
                    let datetime_format = self.datetime_format(one, &path, &column_type);
                    found.push(EarlierType { before, column_type, datetime_format });
                }
                _ => self.problem(path, "expected `before`, in Unix seconds, and `type`"),
            }
        }
        found.sort_by_key(|earlier| earlier.before);
        if found.windows(2).any(|two| two[0].before == two[1].before) {
            self.problem(path, "two types before the same time");
        }
        found
    }

    fn column_type(&mut self, item: &Map<String, Value>, dialect: Dialect, path: &str) -> ColumnType {
        let (key, read) = match (item.get("type"), item.get("type_category")) {
            (Some(Value::String(text)), _) => ("type", ColumnType::parse(text, dialect)),
            (None, Some(Value::String(text))) if dialect == Dialect::Mojap => {
                ("type_category", ColumnType::of_category(text))
            }
            _ => ("type", Err("expected the name of a type".into())),
        };
        read.unwrap_or_else(|message| {
            self.problem(format!("{path}.{key}"), message);
            ColumnType::String
        })
    }

    /// What is said of the table is said of each of its columns.
    fn sensitive_as_a_whole(&mut self, object: &Map<String, Value>, columns: &mut [Column]) {
        let sensitivity = self.sensitivity(object, "");
        if self.flag(object, "sensitive", "").unwrap_or(false) || sensitivity.is_some() {
            for column in columns {
                column.sensitive = true;
                column.sensitivity = column.sensitivity.or(sensitivity);
            }
        }
    }

    /// The metadata's words for personal data, one or a list of them: the one that the law protects more.
    fn sensitivity(&mut self, item: &Map<String, Value>, path: &str) -> Option<Sensitivity> {
        let said = match item.get("sensitivity")? {
            Value::Null => return None,
            Value::Array(said) => said.as_slice(),
            one => std::slice::from_ref(one),
        };
        let mut found = None;
        for one in said {
            match one.as_str().and_then(Sensitivity::parse) {
                Some(Sensitivity::PersonalData) => found = found.or(Some(Sensitivity::PersonalData)),
                special @ Some(Sensitivity::SpecialCategoryData) => found = special,
                None => {
                    let message = format!("expected `personal_data` or `special_category_data`, found {one}");
                    self.problem(inside(path, "sensitivity"), message);
                }
            }
        }
        found
    }

    fn flag(&mut self, item: &Map<String, Value>, key: &str, path: &str) -> Option<bool> {
        match item.get(key)? {
            Value::Bool(flag) => Some(*flag),
            Value::Null => None,
            other => {
                self.problem(inside(path, key), format!("expected true or false, found {other}"));
                None
            }
        }
    }

    /// A bound as text. Whether the text is a value of the column is for the checks, which read the files' values.
    fn bound(&mut self, item: &Map<String, Value>, key: &str, path: &str, column_type: &ColumnType) -> Option<String> {
        let is_time = column_type.is_time();
        let expected = match item.get(key)? {
            Value::Null => return None,
            Value::Number(number) if column_type.is_number() => return Some(number.to_string()),
            Value::String(text) if is_time || matches!(column_type, ColumnType::Decimal { .. }) => {
                return Some(text.clone());
            }
            _ if column_type.is_number() => "a number",
            _ if is_time => "a text like the column's values",
            _ => {
                let message =
                    format!("bounds are for numbers, dates and timestamps; the column's type is {column_type}");
                self.problem(format!("{path}.{key}"), message);
                return None;
            }
        };
        self.problem(format!("{path}.{key}"), format!("expected {expected}, found {}", item[key]));
        None
    }

    fn datetime_format(&mut self, item: &Map<String, Value>, path: &str, column_type: &ColumnType) -> Option<String> {
        let path = format!("{path}.datetime_format");
        match item.get("datetime_format")? {
            Value::Null => None,
            Value::String(format) if column_type.is_time() => Some(format.clone()),
            Value::String(_) => {
                self.problem(path, format!("is for dates and timestamps; the column's type is {column_type}"));
                None
            }
            other => {
                self.problem(path, format!("expected a text in the words of strptime, found {other}"));
                None
            }
        }
    }

    fn number(&mut self, item: &Map<String, Value>, key: &str, path: &str) -> Option<f64> {
        match item.get(key)? {
            Value::Null => None,
            value => value.as_f64().or_else(|| {
                self.problem(format!("{path}.{key}"), format!("expected a number, found {value}"));
                None
            }),
        }
    }

    fn regex(&mut self, path: &str, pattern: &str) {
        if let Err(error) = regex::Regex::new(pattern) {
            let reason = error.to_string();
            let reason = reason.lines().last().unwrap_or_default().trim().trim_start_matches("error: ");
            self.problem(path, format!("is not a regular expression that the checks can use: {reason}"));
        }
    }

    fn names(&mut self, object: &Map<String, Value>, key: &str, columns: &[Column]) -> Vec<String> {
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

    fn source(&mut self, source: &Source, columns: &[Column]) {
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

/// etl_manager's tables have a `location` and a `data_format`; mojap-metadata's have neither, but may have keys of
/// their own.
fn dialect(object: &Map<String, Value>) -> Dialect {
    let etl_manager = ["data_format", "location"].iter().any(|key| object.contains_key(*key));
    let mojap = ["file_format", "table_location", "glue_table_properties"].iter().any(|key| object.contains_key(*key))
        || has_type_category(object);
    if etl_manager && !mojap { Dialect::EtlManager } else { Dialect::Mojap }
}

fn has_type_category(object: &Map<String, Value>) -> bool {
    object.get("columns").and_then(Value::as_array).is_some_and(|c| c.iter().any(|c| c.get("type_category").is_some()))
}

/// A value of an `enum` as a file would hold it.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Where and why a value of ours is not what its key takes, though serde would have it: a list in place of an object,
/// or an object of one key in place of a word.
fn not_plain(key: &str, value: &Value) -> Option<(String, String)> {
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

/// The place of a key in an object that is at `path`, or is the whole file.
fn inside(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const DATABASE: &str = r#"{"name": "d", "bucket": "b", "base_folder": "/f/", "description": "d"}"#;

    fn read(files: &[(&str, &str)]) -> Result<MetaData, Vec<String>> {
        let folder = tempfile::tempdir().unwrap();
        for name in ["raw", "curated"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        for (path, text) in files {
            fs::write(folder.path().join(path), text).unwrap();
        }
        MetaData::read(folder.path()).map_err(|problems| {
            let inside = |problem: &crate::Problem| {
                let file = problem.file.strip_prefix(folder.path()).unwrap();
                format!("{}: {}: {}", file.display(), problem.path, problem.message)
            };
            problems.0.iter().map(inside).collect()
        })
    }

    fn one_raw(table: &str) -> Result<Table, Vec<String>> {
        let files = [("curated/database.json", DATABASE), ("raw/t.json", table)];
        read(&files).map(|metadata| metadata.raw["t"].clone())
    }

    fn one_curated(table: &str) -> Result<Table, Vec<String>> {
        let files = [("curated/database.json", DATABASE), ("curated/t.json", table), ("curated/t.sql", "SELECT 1")];
        read(&files).map(|metadata| metadata.curated["t"].clone())
    }

    #[test]
    fn the_example_reads() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../meta_data");
        let metadata = MetaData::read(&folder).unwrap();
        let raw = &metadata.raw["random_postcodes"];
        assert_eq!(raw.columns.len(), 71);
        assert_eq!(raw.columns[70].name, "index");
        assert_eq!(raw.checks.minimum_rows, 10);
        let calculated = &metadata.curated["calculated"];
        assert_eq!(
            (calculated.mode, calculated.partition_columns()[0].name.as_str()),
            (Mode::Partition, "dea_snapshot_date")
        );
        assert!(calculated.sql.is_some());
    }

    #[test]
    fn etl_manager_tables_read_and_partitions_go_last() {
        let table = one_curated(
            r#"{"$schema": "https://x", "name": "t", "location": "t/", "data_format": "parquet", "description": "d",
                "columns": [
                    {"name": "p2", "type": "character", "description": "", "sensitivity": "personal_data"},
                    {"name": "a", "type": "struct<longitude:double>", "description": "", "nullable": false},
                    {"name": "p1", "type": "date", "description": "", "enum": ["x", 1, null]}],
                "partitions": ["p1", "p2"], "primary_key": ["a"], "other_program": {"its": "own"}}"#,
        )
        .unwrap();
        let names: Vec<_> = table.columns.iter().map(|column| column.name.as_str()).collect();
        assert_eq!(names, ["a", "p1", "p2"]);
        assert_eq!(table.data_columns().len(), 1);
        assert_eq!(table.columns[0].column_type.glue(), "struct<longitude:double>");
        assert!(!table.columns[0].nullable && table.columns[2].sensitive);
        assert_eq!(table.columns[1].enumeration.as_deref(), Some(&["x".to_owned(), "1".to_owned()][..]));
    }

    #[test]
    fn mojap_tables_read() {
        let table = one_raw(
            r#"{"name": "t", "file_format": "jsonl", "sensitive": true, "partitions": [],
                "columns": [
                    {"name": "a", "type_category": "integer", "minimum": 1, "maximum": 9},
                    {"name": "b", "type": "timestamp(ns)"},
                    {"name": "c", "type": "large_string", "minLength": 2, "maxLength": 3, "pattern": "^x"}]}"#,
        )
        .unwrap();
        let types: Vec<_> = table.columns.iter().map(|column| column.column_type.glue()).collect();
        assert_eq!(types, ["bigint", "timestamp", "string"]);
        assert_eq!((table.columns[0].minimum.clone(), table.columns[2].max_length), (Some("1".to_owned()), Some(3)));
        assert!(table.columns.iter().all(|column| column.sensitive));
        assert_eq!(table.data_format, DataFormat::Json);
    }

    #[test]
    fn only_partitions_of_one_run_are_projected_and_only_of_some_types() {
        let table = |mode: &str, partitions: &str| {
            let text = format!(
                r#"{{"name": "c", "location": "c", "data_format": "parquet", "mode": "{mode}", "partition_projection": true,
                    "columns": [
                        {{"name": "a", "type": "int", "description": ""}}, {{"name": "d", "type": "date", "description": ""}},
                        {{"name": "r", "type": "character", "description": ""}}, {{"name": "x", "type": "double", "description": ""}}],
                    "partitions": {partitions}}}"#
            );
            let sql = ("curated/c.sql", "SELECT 1");
            let database = r#"{"name": "db", "bucket": "b", "base_folder": "f", "description": "d"}"#;
            read(&[("curated/database.json", database), ("curated/c.json", &text), sql, ("raw/.keep", "")])
        };
        assert!(table("rebuild", r#"["d", "r"]"#).unwrap().curated["c"].partition_projection);
        let problems = table("partition", r#"["d", "x"]"#).unwrap_err();
        assert_eq!(problems.len(), 2, "{problems:?}");
        assert!(
            problems[0]
                .contains("partition_projection: needs `partitions`, and the mode `rebuild` or `self_contained`"),
            "{problems:?}"
        );
        assert!(problems[1].contains("partitions[1]: column `x` cannot be projected"), "{problems:?}");
        assert!(table("rebuild", "[]").unwrap_err()[0].contains("partition_projection: needs `partitions`"));
    }

    #[test]
    fn what_is_said_of_a_table_is_said_of_each_of_its_columns() {
        let (personal, special) = (Some(Sensitivity::PersonalData), Some(Sensitivity::SpecialCategoryData));
        for (said, expected) in [
            (r#""sensitive": true"#, [(true, None), (true, special)]),
            (r#""sensitive": false"#, [(false, None), (true, special)]),
            (r#""sensitivity": "personal_data""#, [(true, personal), (true, special)]),
            (r#""sensitivity": ["personal_data"]"#, [(true, personal), (true, special)]),
            (r#""sensitivity": ["special_category_data", "personal_data"]"#, [(true, special), (true, special)]),
            (r#""sensitivity": []"#, [(false, None), (true, special)]),
            (r#""sensitivity": null, "sensitive": null"#, [(false, None), (true, special)]),
        ] {
            let table = |words: &str| {
                format!(
                    r#"{{"name": "t", "location": "t", "data_format": "json", {words}, "columns": [
                        {{"name": "a", "type": "int"}},
                        {{"name": "b", "type": "int", "sensitivity": ["special_category_data"]}}]}}"#
                )
            };
            let found = one_raw(&table(said)).unwrap();
            let found: Vec<_> = found.columns.iter().map(|column| (column.sensitive, column.sensitivity)).collect();
            assert_eq!(found, expected, "{said}");
        }
        for (said, problem) in [
            (r#""sensitivity": "secret""#, "sensitivity: expected `personal_data` or `special_category_data`"),
            (r#""sensitivity": ["personal_data", 1]"#, "sensitivity: expected `personal_data` or"),
            (r#""sensitive": "yes""#, "sensitive: expected true or false, found \"yes\""),
        ] {
            let text = format!(
                r#"{{"name": "t", "location": "t", "data_format": "json", {said},
                    "columns": [{{"name": "a", "type": "int"}}]}}"#
            );
            let problems = read(&[("raw/t.json", &text), ("curated/.keep", "")]).unwrap_err();
            assert!(problems.iter().any(|found| found.contains(&format!("raw/t.json: {problem}"))), "{problems:?}");
        }
    }

    #[test]
    fn the_words_for_personal_data_are_kept() {
        let table = one_raw(
            r#"{"name": "t", "location": "t", "data_format": "json", "columns": [
                {"name": "a", "type": "int", "sensitivity": "special_category_data"},
                {"name": "b", "type": "int", "redacted": true, "sensitivity": null},
                {"name": "c", "type": "int", "sensitive": true},
                {"name": "d", "type": "int", "sensitive": false, "redacted": false}]}"#,
        )
        .unwrap();
        let found: Vec<_> = table.columns.iter().map(|c| (c.sensitive, c.sensitivity, c.redacted)).collect();
        let special = Some(Sensitivity::SpecialCategoryData);
        assert_eq!(found, [(true, special, false), (true, None, true), (true, None, false), (false, None, false)]);
    }

    #[test]
    fn a_column_has_the_type_of_the_time() {
        let table = |earlier: &str| {
            one_raw(&format!(
                r#"{{"name": "t", "location": "t", "data_format": "json", "columns": [
                    {{"name": "a", "type": "character", "pattern": "x", "earlier_types": {earlier}}},
                    {{"name": "b", "type": "int", "minimum": 1}}]}}"#
            ))
        };
        let earlier =
            r#"[{"before": 20, "type": "date", "datetime_format": "%d/%m/%Y"}, {"before": 10, "type": "long"}]"#;
        let found = table(earlier).unwrap();
        let at = |time: u64| {
            let then = found.at(time);
            let column = &then.columns[0];
            (column.column_type.glue().to_string(), column.datetime_format.clone(), column.pattern.is_some())
        };
        assert_eq!(at(9), ("bigint".into(), None, false));
        assert_eq!(at(10), ("date".into(), Some("%d/%m/%Y".into()), false));
        assert_eq!(at(20), ("string".into(), None, true));
        assert_eq!(found.at(9).columns[1], found.columns[1], "the others are as they are");
        assert_eq!(found.changed_at().into_iter().collect::<Vec<_>>(), [10, 20]);
        for (earlier, part) in [
            ("{}", "expected a list such as"),
            (r#"[{"type": "long"}]"#, "earlier_types[0]: expected `before`"),
            (r#"[{"before": 1, "type": "lnog"}]"#, "earlier_types[0].type: "),
            (r#"[{"before": 1, "tpye": "long", "type": "long"}]"#, "tpye"),
            (r#"[{"before": 1, "type": "long"}, {"before": 1, "type": "int"}]"#, "two types before the same time"),
        ] {
            let problems = table(earlier).unwrap_err();
            assert!(problems[0].contains(part), "{problems:?}");
        }
        let curated = r#"{"name": "c", "location": "c", "data_format": "parquet", "columns": [
            {"name": "a", "type": "int", "earlier_types": [{"before": 1, "type": "long"}]}]}"#;
        let files = [("curated/database.json", DATABASE), ("curated/c.json", curated), ("curated/c.sql", "SELECT 1")];
        assert!(read(&files).unwrap_err()[0].contains("is for columns of raw tables"));
    }

    #[test]
    fn only_what_replaces_some_partitions_can_be_self_contained() {
        let table = |mode: &str, more: &str| {
            let table = format!(
                r#"{{"name": "c", "location": "c", "data_format": "parquet", "mode": "{mode}", "self_contained": true{more},
                    "partitions": ["d"], "columns": [{{"name": "a", "type": "int"}}, {{"name": "d", "type": "int"}}]}}"#
            );
            read(&[("curated/database.json", DATABASE), ("curated/c.json", &table), ("curated/c.sql", "SELECT 1")])
        };
        for mode in ["partition", "append"] {
            assert!(table(mode, "").unwrap().curated["c"].self_contained);
            assert!(table(mode, r#", "partition_projection": true"#).unwrap().curated["c"].partition_projection);
        }
        assert!(
            table("rebuild", "").unwrap_err()[0].contains("self_contained: is for the modes `partition` and `append`")
        );
    }

    #[test]
    fn what_is_said_for_glue_alone_is_kept() {
        let specific = |keys: &str| {
            one_raw(&format!(r#"{{"name": "t", "columns": [{{"name": "a", "type": "int64"}}]{keys}}}"#))
                .map(|table| table.glue_specific)
        };
        assert_eq!(specific("").unwrap(), serde_json::json!({}));
        assert_eq!(specific(r#", "glue_specific": null"#).unwrap(), serde_json::json!({}));
        let both = r#", "glue_table_properties": {"owner": "x", "team": "y", "classification": "z"},
                        "glue_specific": {"Owner": "o", "Parameters": {"owner": "w"}}"#;
        let expected = serde_json::json!({"Owner": "o", "Parameters": {"owner": "w", "team": "y"}});
        assert_eq!(specific(both).unwrap(), expected);
        let wrong = r#", "glue_table_properties": {"n": 1}, "glue_specific": []"#;
        let problems = specific(wrong).unwrap_err();
        assert_eq!(problems[0], "raw/t.json: glue_specific: expected an object, found []");
        assert_eq!(problems[1], "raw/t.json: glue_table_properties.n: expected a text, found 1");
    }

    #[test]
    fn a_raw_database_is_optional_and_has_its_own_name() {
        let table = |columns: &str| {
            format!(r#"{{"name": "t", "location": "t", "data_format": "json", "columns": [{columns}]}}"#)
        };
        let a = table(r#"{"name": "a", "type": "int"}"#);
        let raw_database = DATABASE.replace(r#""d", "bucket""#, r#""raw_d", "bucket""#);
        let with = |raw_database: &str, table: &str| {
            read(&[("curated/database.json", DATABASE), ("raw/database.json", raw_database), ("raw/t.json", table)])
        };
        assert_eq!(read(&[("curated/database.json", DATABASE), ("raw/t.json", &a)]).unwrap().raw_database, None);
        let metadata = with(&raw_database, &a).unwrap();
        let database = metadata.raw_database.unwrap();
        assert_eq!((database.name.as_str(), database.base_folder.as_str()), ("raw_d", "f"));
        assert_eq!(metadata.raw.len(), 1);

        let problems = with(DATABASE, &table(r#"{"name": "file_land_timestamp", "type": "long"}"#)).unwrap_err();
        assert!(problems[0].starts_with("raw/database.json: name: `d` is the curated database"), "{problems:?}");
        assert!(
            problems[1].starts_with("raw/t.json: columns: there is a column `file_land_timestamp`"),
            "{problems:?}"
        );
        assert_eq!(problems.len(), 2);
        let problems = with("{}", &a).unwrap_err();
        assert_eq!(problems[0], "raw/database.json: name: is missing");
    }

    #[test]
    fn every_problem_of_every_file_is_reported_at_once() {
        let problems = read(&[
            ("curated/database.json", r#"{"name": "My-Db", "bucket": "b", "base_folder": "f"}"#),
            (
                "curated/c.json",
                r#"{"name": "c", "location": "/c", "data_format": "parquett", "mode": "partition",
                    "columns": [{"name": "a", "type": "string", "nulable": true}], "partitions": ["b"]}"#,
            ),
            ("curated/lost.sql", "SELECT 1"),
            ("raw/r.json", "{"),
            (
                "raw/s.json",
                r#"{"name": "S", "location": "s", "data_format": "json", "checks": {"minimum_row": 1},
                    "source": {"url": "https://x", "requests": 0, "index_column": "indx", "records": "result"},
                    "columns": [
                        {"name": "index", "type": "int", "pattern": "(?=x)", "sensitivity": "secret"},
                        {"name": "index", "type": "decimal(3)", "minimum": "1", "nullable": "yes"},
                        {"name": "t", "type": "character", "maximum": 3, "minLength": -1},
                        {"name": "u", "type": "int", "minimum": "1", "maxLength": 3},
                        {"name": "v", "type": "character", "minLength": 3, "maxLength": 2, "datetime_format": "%Y"},
                        {"name": "w", "type": "array<int>", "unique": true, "enum": [[1]]},
                        {"name": "x", "type": "character", "pattern": "(\\w{500}){500}"}]}"#,
            ),
            (
                "raw/k.json",
                r#"{"name": "k", "location": "k", "data_format": "json", "primary_key": ["p", "l"], "partitions": ["p"],
                    "checks": {"minimum_rows": 3, "maximum_rows": 2, "maximum_bytes": 0, "examples": 101,
                               "unique_primary_key": true},
                    "columns": [{"name": "l", "type": "array<int>"}, {"name": "p", "type": "int"}]}"#,
            ),
            (
                "raw/n.json",
                r#"{"name": "n", "location": "n", "data_format": "json", "checks": {"unique_primary_key": true},
                    "columns": [{"name": "a", "type": "int"}]}"#,
            ),
        ])
        .unwrap_err();
        for expected in [
            "raw/r.json: : is not JSON",
            "raw/s.json: name: `S` is not a Glue name",
            "raw/s.json: checks: unknown field `minimum_row`, expected one of `minimum_rows`",
            "raw/s.json: columns[0].pattern: is not a regular expression that the checks can use: look-around",
            "raw/s.json: columns[0].sensitivity: expected `personal_data` or `special_category_data`, found \"secret\"",
            "raw/s.json: columns[1].type: `,` was expected after `decimal`, found `)`",
            "raw/s.json: columns[1].name: `index` is already the name of columns[0]",
            "raw/s.json: columns[1].nullable: expected true or false, found \"yes\"",
            "raw/s.json: columns[2].maximum: bounds are for numbers, dates and timestamps; the column's type is string",
            "raw/s.json: columns[3].minimum: expected a number, found \"1\"",
            "raw/s.json: columns[4].minLength: is 3, more than the maxLength of 2: no value can pass",
            "raw/s.json: columns[4].datetime_format: is for dates and timestamps; the column's type is string",
            "raw/s.json: columns[5].unique: the column's type is array<int>, whose values are not compared",
            "raw/s.json: columns[5].enum: the column's type is array<int>, whose values are not compared",
            "raw/s.json: columns[6].pattern: is not a regular expression that the checks can use: Compiled regex exceeds",
            "raw/k.json: checks.minimum_rows: is 3, more than the maximum of 2: no file can pass",
            "raw/k.json: checks.minimum_bytes: is 1, more than the maximum of 0: no file can pass",
            "raw/k.json: checks.examples: must be at most 100, found 101",
            "raw/k.json: checks.unique_primary_key: values of `l` (array<int>) are not compared",
            "raw/n.json: checks.unique_primary_key: needs a `primary_key` of columns that are in the files",
            "raw/s.json: columns[2].minLength: expected a whole number that is not negative, found -1",
            "raw/s.json: source.requests: must be at least 1",
            "raw/s.json: source.index_column: there is no column `indx`; did you mean `index`?",
            "raw/s.json: source.records: `result` is not a JSON pointer",
            "curated/c.json: columns[0].type: unknown type `string`; did you mean `character`?",
            "curated/c.json: location: must not begin with `/`",
            "curated/c.json: data_format: unknown format `parquett`; did you mean `parquet`?",
            "curated/c.json: partitions[0]: there is no column \"b\"; the columns are `a`",
            "curated/lost.sql: : there is no `lost.json` beside it",
            "curated/database.json: description: is missing",
            "curated/database.json: name: `My-Db` is not a Glue name",
        ] {
            assert!(
                problems.iter().any(|problem| problem.starts_with(expected)),
                "{expected}\nin\n{}",
                problems.join("\n")
            );
        }
    }

    #[test]
    fn a_curated_table_needs_sql_or_a_raw_table_of_its_name() {
        let table =
            r#"{"name": "c", "location": "c", "data_format": "parquet", "columns": [{"name": "a", "type": "int"}]}"#;
        let problems = read(&[("curated/database.json", DATABASE), ("curated/c.json", table)]).unwrap_err();
        assert_eq!(problems.len(), 1);
        assert!(problems[0].contains("no `c.sql` beside it"), "{}", problems[0]);
        let raw = table.replace("parquet", "json");
        assert!(read(&[("curated/database.json", DATABASE), ("curated/c.json", table), ("raw/c.json", &raw)]).is_ok());
    }

    fn table(name: &str, format: &str) -> String {
        format!(
            r#"{{"name": "{name}", "location": "{name}", "data_format": "{format}", "columns": [{{"name": "a", "type": "int"}}]}}"#
        )
    }

    #[test]
    fn files_that_are_not_read_are_named() {
        let problems = read(&[
            ("curated/database.json", DATABASE),
            ("curated/t.json", &table("t", "parquet")),
            ("curated/t.SQL", "SELECT 1"),
            ("curated/t_old.sql.bak", "SELECT 1"),
            ("curated/.DS_Store", ""),
            ("curated/README.md", "notes"),
            ("raw/t.json", &table("t", "json")),
            ("raw/t.sql", "SELECT 1"),
            ("raw/u.JSON", "{}"),
        ])
        .unwrap_err();
        assert_eq!(
            problems,
            [
                "raw/t.sql: : raw tables have no SQL; that of a curated table lies in `curated`",
                "raw/u.JSON: : is not read under this name; call it `u.json`",
                "curated/t.SQL: : is not read under this name; call it `t.sql`",
                "curated/t_old.sql.bak: : is neither `.json` nor `.sql`, and is not read; move it out of here",
            ]
        );
        let folder = tempfile::tempdir().unwrap();
        for name in ["raw", "curated/old", "procesed", "notes"] {
            fs::create_dir_all(folder.path().join(name)).unwrap();
        }
        fs::write(folder.path().join("curated/database.json"), DATABASE).unwrap();
        let problems = MetaData::read(folder.path()).unwrap_err().to_string();
        assert!(problems.contains("procesed: the folder is not read; did you mean `processed`?"), "{problems}");
        assert!(problems.contains("old: is a folder, and folders in here are not read"), "{problems}");
        assert!(problems.starts_with("2 problems"), "{problems}");
    }

    #[test]
    fn one_mistake_is_one_problem() {
        let misspelt = table("t", "parquett");
        let files = [
            ("curated/database.json", DATABASE),
            ("curated/t.json", misspelt.as_str()),
            ("curated/t.sql", "SELECT 1"),
            ("curated/r.json", &table("r", "parquet")),
            ("raw/r.json", "{"),
        ];
        let problems = read(&files).unwrap_err();
        assert_eq!(problems.len(), 2, "{problems:?}");
        assert!(problems[0].starts_with("raw/r.json: : is not JSON"), "{problems:?}");
        assert!(problems[1].starts_with("curated/t.json: data_format: "), "{problems:?}");
        // none is offered where there is none
        let lost = read(&[("curated/database.json", DATABASE), ("curated/lost.sql", "SELECT 1")]).unwrap_err();
        assert_eq!(lost, ["curated/lost.sql: : there is no `lost.json` beside it"]);
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_a_file_and_other_encodings_are_one_problem() {
        let database = format!("\u{feff}{DATABASE}");
        let t = format!("\u{feff}{}", table("t", "parquet"));
        let files = [
            ("curated/database.json", database.as_str()),
            ("curated/t.json", &t),
            ("curated/t.sql", "\u{feff}SELECT 1 AS a"),
        ];
        assert_eq!(read(&files).unwrap().curated["t"].sql.as_deref(), Some("SELECT 1 AS a"));

        let folder = tempfile::tempdir().unwrap();
        for name in ["raw", "curated"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        for name in ["t", "u"] {
            fs::write(folder.path().join(format!("curated/{name}.json")), table(name, "parquet")).unwrap();
        }
        fs::write(folder.path().join("curated/database.json"), DATABASE).unwrap();
        fs::write(folder.path().join("curated/t.sql"), b"SELECT 1 AS a\n-- \xa3").unwrap();
        fs::write(folder.path().join("curated/u.sql"), b"\xff\xfeS\0").unwrap();
        let problems = MetaData::read(folder.path()).unwrap_err();
        let messages: Vec<_> = problems.0.iter().map(|problem| problem.message.as_str()).collect();
        let expected = ["is not UTF-8: line 2 has the byte 0xA3; save it as UTF-8", "is UTF-16; save it as UTF-8"];
        assert_eq!(messages, expected);
    }

    #[test]
    fn two_tables_in_one_folder_and_folders_that_are_not_what_they_say_are_refused() {
        let database =
            |folder: &str| json!({"name": "d", "bucket": "b", "base_folder": folder, "description": "d"}).to_string();
        let curated = |name: &str, location: &str| {
            let columns = json!([{"name": "a", "type": "int", "description": ""}]);
            let table = json!({"name": name, "location": location, "data_format": "parquet", "columns": columns});
            table.to_string()
        };
        let problems = |folder: &str, one: &str, other: &str| {
            let files = [
                ("curated/database.json", database(folder)),
                ("curated/one.json", curated("one", one)),
                ("curated/one.sql", "SELECT 1 AS a".to_owned()),
                ("curated/other.json", curated("other", other)),
                ("curated/other.sql", "SELECT 1 AS a".to_owned()),
            ];
            let files: Vec<_> = files.iter().map(|(path, text)| (*path, text.as_str())).collect();
            read(&files).err().unwrap_or_default().join("\n")
        };
        assert_eq!(problems("f/g_1/", "one", "other/new/"), "");
        assert_eq!(problems("/", "one", "one/new"), "");
        for (one, other) in [("one", "one"), ("one/x", "one/x/")] {
            let found = problems("f", one, other);
            assert!(found.contains("other.json: location: `") && found.contains("of curated table `one`"), "{found}");
        }
        for location in ["_manifests", "_publications/x", "x/_y"] {
            let found = problems("f", location, "other");
            assert!(found.contains("one.json: location: ") && found.contains("begin with `_`"), "{found}");
        }
        for folder in ["../x", "a/../b", "a//b", "a/./b", "x\n", "x\u{202e}y"] {
            let found = problems(folder, "one", "other");
            assert!(found.contains("curated/database.json: base_folder: `"), "{folder:?}: {found}");
            assert!(!found.contains(|c: char| c != '\n' && c.is_control() || c == '\u{202e}'), "{found:?}");
        }
    }

    #[test]
    fn a_name_whose_folder_nobody_would_look_into_is_refused() {
        let problems = one_raw(&table("_t", "json")).unwrap_err();
        assert!(problems[0].contains("files in folders that begin with `_` are skipped"), "{problems:?}");
    }
}

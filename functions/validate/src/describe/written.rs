//! Output: writes the findings as metadata files and as a table for people.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use contract::{ColumnType, DataFormat, Dialect, Written, key};
use serde_json::{Value, json};

use crate::describe::columns::{Found, FoundColumn, quoted};
use crate::describe::sniffed::Sniffed;

/// The most distinct values of a column for which an `enum` is proposed.
const FEW_VALUES: usize = 12;
/// The fewest values of a column from which rules are proposed.
const CLEAR_ROWS: u64 = 20;

/// The files of a table.
pub(super) struct Files {
    pub raw: PathBuf,
    curated: PathBuf,
    sql: PathBuf,
}

impl Files {
    pub(super) fn of(meta_data: &Path, table: &str) -> Self {
        Self {
            raw: meta_data.join(format!("raw/{table}.json")),
            curated: meta_data.join(format!("curated/{table}.json")),
            sql: meta_data.join(format!("curated/{table}.sql")),
        }
    }

    fn all(&self) -> [&Path; 3] {
        [&self.raw, &self.curated, &self.sql]
    }

    /// Checks that none of the files exists, so that none is overwritten.
    pub(super) fn check_free(&self) -> Result<(), String> {
        match self.all().into_iter().find(|file| file.exists()) {
            Some(file) => Err(format!("{} is there already: name another table by --table", file.display())),
            None => Ok(()),
        }
    }

    pub(super) fn write(&self, raw: &str, curated: &str, sql: &str) -> Result<(), String> {
        for (file, text) in self.all().into_iter().zip([raw, curated, sql]) {
            let folder = file.parent().unwrap_or_else(|| Path::new("."));
            let written = fs::create_dir_all(folder).and_then(|()| {
                let mut new = fs::OpenOptions::new().write(true).create_new(true).open(file)?;
                std::io::Write::write_all(&mut new, text.as_bytes())
            });
            written.map_err(|error| format!("{}: {error}", file.display()))?;
        }
        Ok(())
    }

    /// Returns the next steps for a person, with the sample if there is one.
    pub(super) fn next_steps(&self, table: &str, sample: Option<&Path>) -> String {
        let [raw, curated, sql] = self.all().map(Path::display);
        let look = match sample {
            Some(_) => "Look at them; what stands under `proposed` counts once it stands beside it.",
            None => "Look at them: how files are written (`data_format`, `dialect`) is for you to say.",
        };
        let file = sample.map_or("…".into(), |sample| format!("'{}'", sample.display()));
        format!("\nWritten: {raw}, {curated} and {sql}\n{look} Then:\n  make validate FILE={file} TABLE={table}\n")
    }
}

/// Returns the text of `raw/<table>.json`.
pub(super) fn raw(table: &str, file_name: Option<&str>, sniffed: &Sniffed, found: &Found) -> String {
    let format = match sniffed.data_format {
        DataFormat::Json => "json",
        DataFormat::Parquet => "parquet",
        _ => "csv",
    };
    let shared = shared(found);
    let mut dialect = sniffed.dialect.clone();
    dialect.extend(of_values(&shared));
    let mut checks: Vec<(&str, Value)> = Vec::new();
    let pattern = file_name.and_then(|name| name_pattern(table, name));
    checks.extend(pattern.map(|pattern| ("file_name_pattern", json!(pattern))));
    if found.lacks {
        checks.push(("allow_missing_columns", json!(true)));
    }
    if found.leaves_out {
        checks.push(("allow_unexpected_columns", json!(true)));
    }
    let columns = found.columns.iter().map(|column| {
        let found = &column.described;
        let mut keys = vec![("name", json!(column.name))];
        keys.extend(column.source_name.as_ref().map(|name| ("source_name", json!(name))));
        if !column.source_names.is_empty() {
            keys.push(("source_names", json!(column.source_names)));
        }
        keys.extend(column.source_position.map(|position| ("source_position", json!(position))));
        keys.push(("type", json!(found.column_type.name(Dialect::EtlManager))));
        keys.extend(found.datetime_format.as_ref().map(|format| ("datetime_format", json!(format))));
        let own = Written { decimal: '.', group: None, bare_number: true, ..found.written.clone() };
        let written = if numbers_as(&found.written) == numbers_as(&shared) { own } else { found.written.clone() };
        keys.extend(of_values(&written));
        keys.push(("description", json!(column.description)));
        if !found.nullable {
            keys.push(("nullable", json!(false)));
        }
        keys.extend(column.rules.iter().cloned());
        let proposed = proposed(column);
        let mut line = object(&keys);
        if !proposed.is_empty() {
            line.truncate(line.len() - 1);
            let _ = write!(line, ", \"proposed\": {}}}", object(&proposed));
        }
        line
    });
    let mut text = format!(
        "{{\n  \"name\": {},\n  \"description\": \"\",\n  \"data_format\": \"{format}\",\n  \"location\": \
         \"{table}/\",\n",
        quoted(table)
    );
    for (key, keys) in [("dialect", &dialect), ("checks", &checks)] {
        if !keys.is_empty() {
            let _ = writeln!(text, "  \"{key}\": {},", object(keys));
        }
    }
    if !found.primary_key.is_empty() {
        let _ = writeln!(text, "  \"primary_key\": {},", json!(found.primary_key));
    }
    let columns: Vec<String> = columns.map(|column| format!("    {column}")).collect();
    let _ = write!(text, "  \"columns\": [\n{}\n  ]\n}}\n", columns.join(",\n"));
    text
}

/// Returns the text of `curated/<table>.json`.
pub(super) fn curated(table: &str, found: &Found) -> String {
    let mut columns: Vec<String> = found
        .columns
        .iter()
        .map(|column| {
            let name = column.described.column_type.name(Dialect::EtlManager);
            let about = json!(column.description);
            let mut keys = vec![("name", json!(column.name)), ("type", json!(name)), ("description", about)];
            if !column.described.nullable {
                keys.push(("nullable", json!(false)));
            }
            format!("    {}", object(&keys))
        })
        .collect();
    if !has_version(found) {
        let version = object(&[
            ("name", json!(VERSION)),
            ("type", json!("character")),
            ("description", json!("Version of the pipeline that made the row")),
        ]);
        columns.push(format!("    {version}"));
    }
    format!(
        "{{\n  \"name\": {},\n  \"description\": \"\",\n  \"data_format\": \"parquet\",\n  \"location\": \
         \"{table}/\",\n  \"columns\": [\n{}\n  ]\n}}\n",
        quoted(table),
        columns.join(",\n")
    )
}

/// Returns the text of `curated/<table>.sql`.
pub(super) fn sql(table: &str, found: &Found) -> String {
    let mut columns: Vec<String> =
        found.columns.iter().map(|column| format!("  {}", name_in_sql(&column.name))).collect();
    if !has_version(found) {
        columns.push(format!("  '${{dea_version}}' AS {VERSION}"));
    }
    format!("SELECT\n{}\nFROM {}\n", columns.join(",\n"), name_in_sql(table))
}

const VERSION: &str = "dea_version";

fn has_version(found: &Found) -> bool {
    found.columns.iter().any(|column| column.name == VERSION)
}

/// Quotes a name for SQL, unless it is a plain word. A name that begins with a digit or is a word of SQL needs quotes.
fn name_in_sql(name: &str) -> String {
    let plain = name.starts_with(|c: char| c.is_ascii_lowercase()) && !WORDS.contains(&name);
    if plain { name.to_owned() } else { format!("\"{name}\"") }
}

/// Words of SQL that are common as names of columns.
const WORDS: &[&str] = &[
    "all",
    "and",
    "any",
    "array",
    "as",
    "asc",
    "between",
    "by",
    "case",
    "cast",
    "cross",
    "current",
    "date",
    "default",
    "desc",
    "distinct",
    "else",
    "end",
    "except",
    "exists",
    "extract",
    "false",
    "filter",
    "following",
    "for",
    "from",
    "full",
    "group",
    "grouping",
    "having",
    "if",
    "in",
    "inner",
    "intersect",
    "interval",
    "into",
    "is",
    "join",
    "lateral",
    "left",
    "like",
    "limit",
    "natural",
    "not",
    "null",
    "of",
    "offset",
    "on",
    "or",
    "order",
    "outer",
    "over",
    "partition",
    "position",
    "primary",
    "range",
    "replace",
    "right",
    "row",
    "rows",
    "select",
    "set",
    "some",
    "table",
    "then",
    "time",
    "timestamp",
    "to",
    "true",
    "union",
    "unique",
    "unnest",
    "user",
    "using",
    "values",
    "when",
    "where",
    "window",
    "with",
    "year",
    "month",
    "day",
    "hour",
    "minute",
    "second",
];

/// Returns the number format that all columns with numbers share; the default if they differ.
fn shared(found: &Found) -> Written {
    let numbers = found.columns.iter().filter(|column| column.described.column_type.is_number());
    // an integer without thousands separators is the same in every format
    let said = numbers.filter(|column| numbers_as(&column.described.written) != numbers_as(&Written::default()));
    let mut said: Vec<_> = said.map(|column| numbers_as(&column.described.written)).collect();
    said.dedup();
    let plain_fractions = found.columns.iter().any(|column| {
        let is_fraction = matches!(column.described.column_type, ColumnType::Float64 | ColumnType::Decimal { .. });
        is_fraction && column.described.written.decimal == '.'
    });
    match said[..] {
        [(decimal, group, bare_number)] if decimal == '.' || !plain_fractions => {
            Written { decimal, group, bare_number, ..Written::default() }
        }
        _ => Written::default(),
    }
}

fn numbers_as(written: &Written) -> (char, Option<char>, bool) {
    (written.decimal, written.group, written.bare_number)
}

/// Returns the keys that state how values are written, where that differs from the defaults.
fn of_values(written: &Written) -> Vec<(&'static str, Value)> {
    let usual = Written::default();
    let mut keys = Vec::new();
    let mut differs = |key, is: bool, value: Value| {
        if is {
            keys.push((key, value));
        }
    };
    differs("decimalChar", written.decimal != usual.decimal, json!(written.decimal));
    differs("groupChar", written.group.is_some(), json!(written.group));
    differs("bareNumber", !written.bare_number, json!(false));
    differs("nullValues", !written.null_values.is_empty(), json!(written.null_values));
    differs("trueValues", !written.true_values.is_empty(), json!(written.true_values));
    differs("falseValues", !written.false_values.is_empty(), json!(written.false_values));
    keys
}

/// Returns rules that the sample satisfies, if it has enough values.
fn proposed(column: &FoundColumn) -> Vec<(&'static str, Value)> {
    let found = &column.described;
    let mut rules = Vec::new();
    if found.values < CLEAR_ROWS {
        return rules;
    }
    let is_text = found.column_type == ColumnType::String;
    if let Some(distinct) = &found.distinct
        && is_text
        && !distinct.is_empty()
        && distinct.len() <= FEW_VALUES
        && found.values >= 5 * distinct.len() as u64
    {
        rules.push(("enum", json!(distinct)));
    } else if is_text {
        rules.extend(found.pattern.as_ref().map(|pattern| ("pattern", json!(pattern))));
    }
    let may_be_key = matches!(found.column_type, ColumnType::String | ColumnType::Int32 | ColumnType::Int64);
    if found.unique && may_be_key && !found.nullable {
        rules.push(("unique", json!(true)));
    }
    if found.not_negative && found.column_type.is_number() {
        rules.push(("minimum", json!(0)));
    }
    rules
}

/// Returns a JSON object on one line, with its keys in the order given.
fn object(keys: &[(&str, Value)]) -> String {
    let keys: Vec<String> = keys.iter().map(|(key, value)| format!("\"{key}\": {value}")).collect();
    format!("{{{}}}", keys.join(", "))
}

/// Returns the findings about a file as text for people.
pub(super) fn shown(file: &Path, of: Option<&str>, table: &str, sniffed: &Sniffed, found: &Found) -> String {
    let mut text = format!("{} as table `{table}`\n", file.display());
    let mut written: Vec<String> = of.map(|of| format!("a description of {of}'s")).into_iter().collect();
    written.push(sniffed.format.to_string());
    written.extend(sniffed.dialect.iter().map(|(key, value)| format!("{key} {value}")));
    let _ = writeln!(text, "  {}", contract::visible(&written.join(", ")));
    let mut lines = vec![["COLUMN", "IN THE FILE", "TYPE", "WRITTEN", "NULLS"].map(str::to_owned)];
    for column in &found.columns {
        let place = column.source_position.map(|position| format!(" (field {position})")).unwrap_or_default();
        let source = column.source_name.as_ref().map(|name| format!("`{}`{place}", contract::visible(name)));
        let mut how: Vec<String> = column.described.datetime_format.iter().cloned().collect();
        how.extend(column.rules.iter().map(|(key, value)| format!("{key} {value}")));
        how.extend(of_values(&column.described.written).iter().map(|(key, value)| format!("{key} {value}")));
        lines.push([
            column.name.clone(),
            source.unwrap_or_default(),
            column.described.column_type.name(Dialect::EtlManager),
            contract::visible(&how.join(", ")).into_owned(),
            if column.described.nullable { "yes".into() } else { String::new() },
        ]);
    }
    let width = |n: usize| lines.iter().map(|line| line[n].chars().count()).max().unwrap_or(0);
    let widths: [usize; 5] = std::array::from_fn(width);
    text.push('\n');
    for line in &lines {
        let cells: Vec<String> = line.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        let _ = writeln!(text, "{}", cells.join("  ").trim_end());
    }
    if !found.notes.is_empty() {
        text.push('\n');
        for note in &found.notes {
            let _ = writeln!(text, "Note: {note}");
        }
    }
    text
}

/// Returns a pattern for a file's name, with any digits; `None` if the name already is `<table>_<unix seconds>`.
fn name_pattern(table: &str, file: &str) -> Option<String> {
    let (format, compression) = key::extension(file)?;
    let land =
        key::LandKey { table: table.into(), file_land_timestamp: None, file_name: file.into(), format, compression };
    if land.check_name().is_ok() {
        return None;
    }
    let mut pattern = String::new();
    let mut in_digits = false;
    for letter in file.chars() {
        if letter.is_ascii_digit() {
            if !std::mem::replace(&mut in_digits, true) {
                pattern.push_str("[0-9]+");
            }
            continue;
        }
        in_digits = false;
        pattern.push_str(&regex::escape(&letter.to_string()));
    }
    Some(pattern)
}

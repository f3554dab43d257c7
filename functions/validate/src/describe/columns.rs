//! The columns of a sample: their names, and their types, which are derived from all values.

use std::collections::BTreeSet;

use arrow::array::{Array, AsArray};
use contract::{ColumnType, DataFormat, FieldNames, FileFormat, Table, key};
use rows::{Described, MisfitKind, Options, Profile, RowReader, Summary};

use crate::describe::sample::{Sample, looking};
use crate::describe::sniffed::Sniffed;

/// The findings about a sample.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub columns: Vec<FoundColumn>,
    /// Notes about what a person has to know or decide.
    pub notes: Vec<String>,
    /// Whether a part of the file cannot be described and is left out.
    pub leaves_out: bool,
    /// Whether some rows lack a column that others have.
    pub lacks: bool,
    /// Whether a line is not UTF-8.
    pub not_utf8: bool,
    pub primary_key: Vec<String>,
    pub rows: u64,
}

/// A column of the sample.
#[derive(Debug)]
pub(super) struct FoundColumn {
    pub name: String,
    /// Its name in the file, if that differs.
    pub source_name: Option<String>,
    /// The names in the file of the fields of its structs.
    pub source_names: FieldNames,
    /// Its position, if another column has the same name.
    pub source_position: Option<usize>,
    pub described: Described,
    pub description: String,
    /// Further keys of its metadata, in order.
    pub rules: Vec<(&'static str, serde_json::Value)>,
}

impl Found {
    /// Returns the names of the columns that have one of these names in the files.
    pub(super) fn called(&self, sources: &[&str]) -> Vec<String> {
        let is_one = |column: &&FoundColumn| sources.contains(&column.source_name.as_deref().unwrap_or(&column.name));
        self.columns.iter().filter(is_one).map(|column| column.name.clone()).collect()
    }
}

/// Reads the sample to its end.
pub(super) fn find(sample: &Sample<'_>, sniffed: &Sniffed) -> Result<Found, String> {
    match &sniffed.header {
        Some(header) => in_records(sample, sniffed, header),
        None => by_name(sample, sniffed),
    }
}

/// Finds the columns of delimited values or of a sheet.
fn in_records(sample: &Sample<'_>, sniffed: &Sniffed, header: &[String]) -> Result<Found, String> {
    check_width(sample, header.len())?;
    let mut columns: Vec<FoundColumn> = Vec::with_capacity(header.len());
    for (n, source) in header.iter().enumerate() {
        let called = if source.is_empty() { format!("column_{}", n + 1) } else { source.clone() };
        let name = name_for(&called, &columns);
        let twice = header.iter().filter(|other| *other == source).count() > 1;
        columns.push(FoundColumn {
            source_name: (sniffed.has_header && name != *source).then(|| source.clone()),
            source_names: FieldNames::default(),
            source_position: (sniffed.has_header && twice).then_some(n + 1),
            described: Profile::new(false).conclude(),
            description: String::new(),
            rules: Vec::new(),
            name,
        });
    }
    let table = as_texts(sniffed, &columns)?;
    let (profiles, summary) = profiles(sample, sniffed, &table, false)?;
    for (column, profile) in columns.iter_mut().zip(&profiles) {
        column.described = profile.conclude();
    }
    // only other columns show whether the point of `1.200` is a decimal point or separates thousands
    let clear = columns.iter().zip(&profiles).filter(|(_, profile)| !profile.is_of_thousands());
    let fractions = clear
        .filter(|(column, _)| matches!(column.described.column_type, ColumnType::Float64 | ColumnType::Decimal { .. }));
    let decimals: BTreeSet<char> = fractions.map(|(column, _)| column.described.written.decimal).collect();
    let semicolons = sniffed.dialect.iter().any(|(key, value)| *key == "delimiter" && value == ";");
    if semicolons || decimals.contains(&',') {
        let decimal = if decimals.len() == 1 { decimals.first().copied() } else { None };
        for (column, profile) in columns.iter_mut().zip(&profiles).filter(|(_, profile)| profile.is_of_thousands()) {
            column.described = profile.conclude_among(Some(decimal));
        }
    }
    let notes = notes(&columns);
    Ok(Found { columns, notes, not_utf8: is_not_utf8(&summary), rows: summary.rows, ..Found::default() })
}

/// Finds the columns of a format that has its own names and types.
fn by_name(sample: &Sample<'_>, sniffed: &Sniffed) -> Result<Found, String> {
    let mut found = Found::default();
    // the reader reports columns that are not described with their types, but only a limited number in each pass
    loop {
        let table = as_found(sniffed, &found.columns)?;
        let summary = read(sample, sniffed, &table, &mut |_| ())?;
        (found.rows, found.not_utf8) = (summary.rows, is_not_utf8(&summary));
        check_width(sample, found.columns.len())?;
        let new = summary.tallies.iter().filter(|tally| tally.kind == MisfitKind::UnexpectedColumn);
        let before = (found.columns.len(), found.notes.len());
        for tally in new {
            let Some(source) = tally.column.as_deref() else { continue };
            let column_type = tally.inferred.as_ref().and_then(rows::Inferred::column_type);
            let Some(column_type) = column_type.filter(|_| !source.ends_with('…')) else {
                found.leaves_out = true;
                let note = format!(
                    "`{}` is left out: its values are of several types, or of one that no column has",
                    contract::visible(source)
                );
                if !found.notes.contains(&note) {
                    found.notes.push(note);
                }
                continue;
            };
            let name = name_for(source, &found.columns);
            let nullable = tally.inferred.as_ref().is_some_and(rows::Inferred::saw_null) || tally.count < summary.rows;
            found.lacks |= tally.count < summary.rows;
            let mut described = Profile::new(true).conclude();
            (described.column_type, described.nullable) = (column_type, nullable);
            let source_name = (name != source).then(|| source.to_owned());
            let source_names = tally.inferred.as_ref().map(rows::Inferred::field_names).unwrap_or_default();
            found.columns.push(FoundColumn {
                name,
                source_name,
                source_names,
                source_position: None,
                described,
                description: String::new(),
                rules: Vec::new(),
            });
        }
        if (found.columns.len(), found.notes.len()) == before {
            break;
        }
    }
    if found.columns.is_empty() {
        return Err(format!("{}: no row of it has a column that can be described", sample.path.display()));
    }
    if sniffed.data_format == DataFormat::Json {
        let table = as_found(sniffed, &found.columns)?;
        let (profiles, _) = profiles(sample, sniffed, &table, true)?;
        for (column, profile) in found.columns.iter_mut().zip(profiles) {
            if column.described.column_type == ColumnType::String {
                let nullable = column.described.nullable;
                column.described = profile.conclude();
                column.described.nullable |= nullable;
            }
        }
        found.notes.extend(notes(&found.columns));
    }
    Ok(found)
}

/// The most columns. A larger number most likely means that values are in the place of names.
const MOST_COLUMNS: usize = 1_000;

fn check_width(sample: &Sample<'_>, columns: usize) -> Result<(), String> {
    if columns > MOST_COLUMNS {
        let what = "most likely values stand where names are expected; describe by hand what you need of it";
        return Err(format!("{}: more than {MOST_COLUMNS} columns: {what}", sample.path.display()));
    }
    Ok(())
}

fn is_not_utf8(summary: &Summary) -> bool {
    summary.tallies.iter().any(|tally| tally.kind == MisfitKind::NotUtf8)
}

fn notes(columns: &[FoundColumn]) -> Vec<String> {
    let mut notes = Vec::new();
    let is_text = |column: &FoundColumn| column.described.column_type == ColumnType::String;
    let of_others: BTreeSet<&String> =
        columns.iter().filter(|column| !is_text(column)).flat_map(|column| &column.described.nulls).collect();
    for FoundColumn { name, described, .. } in columns {
        if !described.ambiguous.is_empty() {
            let ways = described.ambiguous.join(" or as ");
            notes.push(format!(
                "`{name}` may be written as {ways}: it is described as text; say which by a `datetime_format`"
            ));
        }
        if let Some(unit) = &described.unit {
            notes.push(format!("`{name}`: `{unit}` stands beside each of its numbers, and is left out"));
        }
        let is_text = described.column_type == ColumnType::String;
        let is_kept = |null: &&String| !described.written.null_values.contains(null) && of_others.contains(null);
        if let Some(null) = described.nulls.iter().find(is_kept).filter(|_| is_text) {
            notes.push(format!(
                "`{name}` has the text `{null}`, which is no value in other columns: say so by `nullValues` if it is \
                 none"
            ));
        }
    }
    notes
}

/// Returns a column's name that no other column has and that is not reserved in raw tables.
pub(super) fn name_for(source: &str, columns: &[FoundColumn]) -> String {
    let is_taken = |name: &str| name == key::FILE_LAND_TIMESTAMP || columns.iter().any(|column| column.name == name);
    key::described_name(source, is_taken)
}

/// Returns the sample's table with every column as text.
fn as_texts(sniffed: &Sniffed, columns: &[FoundColumn]) -> Result<Table, String> {
    let columns: Vec<String> = columns.iter().map(|column| described(column, "character")).collect();
    looking(sniffed.data_format, &sniffed.dialect_json(), &columns.join(", "), LENIENT)
}

/// Returns the sample's table with the columns found so far. Other columns are allowed.
fn as_found(sniffed: &Sniffed, columns: &[FoundColumn]) -> Result<Table, String> {
    let name = |column: &FoundColumn| column.described.column_type.name(contract::Dialect::EtlManager);
    let columns: Vec<String> = columns.iter().map(|column| described(column, &name(column))).collect();
    // a table needs at least one column
    let columns = if columns.is_empty() {
        "{\"name\": \"a\", \"source_name\": \"\\u0000\", \"type\": \"character\"}".to_owned()
    } else {
        columns.join(", ")
    };
    looking(sniffed.data_format, &sniffed.dialect_json(), &columns, LENIENT)
}

const LENIENT: &str = "{\"allow_missing_columns\": true, \"allow_unexpected_columns\": true}";

fn described(column: &FoundColumn, type_name: &str) -> String {
    let mut keys = vec![format!("\"name\": {}", quoted(&column.name))];
    keys.extend(column.source_name.as_ref().map(|name| format!("\"source_name\": {}", quoted(name))));
    if !column.source_names.is_empty() && type_name.contains('<') {
        let names: serde_json::Map<_, _> =
            column.source_names.iter().map(|(path, name)| (path.into(), name.into())).collect();
        keys.push(format!("\"source_names\": {}", serde_json::Value::from(names)));
    }
    keys.extend(column.source_position.map(|position| format!("\"source_position\": {position}")));
    keys.push(format!("\"type\": {}", quoted(type_name)));
    format!("{{{}}}", keys.join(", "))
}

pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Profiles the texts of each column.
fn profiles(
    sample: &Sample<'_>,
    sniffed: &Sniffed,
    table: &Table,
    typed: bool,
) -> Result<(Vec<Profile>, Summary), String> {
    let mut profiles: Vec<Profile> = table.data_columns().iter().map(|_| Profile::new(typed)).collect();
    let summary = read(sample, sniffed, table, &mut |batch| {
        for (profile, column) in profiles.iter_mut().zip(batch.batch.columns()) {
            let Some(texts) = column.as_string_opt::<i32>() else { continue };
            (0..texts.len()).for_each(|row| profile.see(texts.is_valid(row).then(|| texts.value(row))));
        }
    })?;
    Ok((profiles, summary))
}

fn read(
    sample: &Sample<'_>,
    sniffed: &Sniffed,
    table: &Table,
    take: &mut dyn FnMut(&rows::Batch),
) -> Result<Summary, String> {
    let format = if sniffed.format == FileFormat::Described { FileFormat::Csv } else { sniffed.format };
    let reader = RowReader::new(sample.ranges.clone(), format, sniffed.compression, table, Options::default());
    let mut reader = reader.map_err(|error| sample.cannot(&error))?;
    while let Some(batch) = reader.next_batch().map_err(|error| sample.cannot(&error))? {
        take(&batch);
    }
    Ok(reader.summary())
}

//! A contestant's output, described so that it can be compared with another's, whatever the files, their order, and the
//! order of their rows.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Float64Type, Int32Type, Int64Type};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use serde_json::{Value, json};

use crate::Fault;

/// The table that is a copy of the raw one with the version column.
pub const STRAIGHT: &str = "postcodes";
/// The table that counts rows by region.
pub const COUNTED: &str = "calculated";
/// The partition column of the table that counts.
pub const PARTITION: &str = "dea_snapshot_date";

/// Describes both tables. Descriptions are equal if and only if the tables are, apart from hash collisions. A
/// description has the type, the number of nulls and the sum of the values' hashes of every column, the sum of the
/// whole rows' hashes, and the counts themselves.
pub fn describe(folder: &Path) -> Result<Value, Fault> {
    let mut files = Vec::new();
    find(folder, &mut files)?;
    files.sort();
    let of = |table: &str| -> Vec<&PathBuf> {
        files.iter().filter(|file| file.components().any(|part| part.as_os_str() == table)).collect()
    };
    let mut straight = Straight::default();
    for file in of(STRAIGHT) {
        read(file, |batch| straight.add(batch))?;
    }
    let mut counted = Vec::new();
    for file in of(COUNTED) {
        let partition = format!("{PARTITION}=");
        let date = file.iter().find_map(|part| part.to_str()?.strip_prefix(&partition)).unwrap_or("none");
        read(file, |batch| add_rows(batch, date, &mut counted))?;
    }
    counted.sort();
    Ok(json!({STRAIGHT: straight.described(), COUNTED: counted}))
}

/// Returns the total size of the files of both tables.
pub fn parquet_bytes(folder: &Path) -> io::Result<u64> {
    let mut files = Vec::new();
    find(folder, &mut files)?;
    files.iter().map(|file| Ok(fs::metadata(file)?.len())).sum()
}

/// Lists the places at which two descriptions differ.
pub fn differences(one: &Value, other: &Value) -> Vec<String> {
    fn visit(place: &str, one: &Value, other: &Value, found: &mut Vec<String>) {
        match (one, other) {
            (Value::Object(one), Value::Object(other)) => {
                let names: std::collections::BTreeSet<&String> = one.keys().chain(other.keys()).collect();
                for name in names {
                    let of = |object: &serde_json::Map<String, Value>| object.get(name).cloned().unwrap_or_default();
                    visit(&format!("{place}{name}."), &of(one), &of(other), found);
                }
            }
            (one, other) if one != other => {
                found.push(format!("{}: {other} in place of {one}", place.trim_end_matches('.')));
            }
            _ => {}
        }
    }
    let mut found = Vec::new();
    visit("", one, other, &mut found);
    found
}

/// Finds the Parquet files, without those that Hive and Spark ignore by their names.
fn find(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let (path, name) = (entry.path(), entry.file_name());
        if name.to_string_lossy().starts_with(['.', '_']) {
            continue;
        }
        if entry.file_type()?.is_dir() {
            find(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "parquet") {
            files.push(path);
        }
    }
    Ok(())
}

fn read(file: &Path, mut take: impl FnMut(&RecordBatch) -> Result<(), Fault>) -> Result<(), Fault> {
    // use Parquet's own types, as Athena does
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    for batch in ParquetRecordBatchReaderBuilder::try_new_with_options(File::open(file)?, options)?.build()? {
        take(&batch?)?;
    }
    Ok(())
}

#[derive(Default)]
struct Straight {
    rows: u64,
    /// By name: the type, the number of nulls and the sum of the hashes.
    columns: BTreeMap<String, (String, u64, u64)>,
    whole: u64,
}

impl Straight {
    fn add(&mut self, batch: &RecordBatch) -> Result<(), Fault> {
        self.rows += batch.num_rows() as u64;
        let mut whole = vec![0_u64; batch.num_rows()];
        let mut columns: Vec<_> = batch.schema().fields().iter().cloned().zip(batch.columns()).collect();
        columns.sort_by(|(one, _), (other, _)| one.name().cmp(other.name()));
        for (field, array) in columns {
            let hashes = hashes(array)?;
            let data_type = field.data_type().to_string();
            let entry = self.columns.entry(field.name().clone()).or_insert((data_type.clone(), 0, 0));
            if entry.0 != data_type {
                return Err(format!("`{}` is {} in one file and {data_type} in another", field.name(), entry.0).into());
            }
            entry.1 += array.null_count() as u64;
            for (whole, hash) in whole.iter_mut().zip(hashes) {
                entry.2 = entry.2.wrapping_add(hash);
                *whole = (*whole ^ hash).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(23);
            }
        }
        self.whole = whole.into_iter().fold(self.whole, u64::wrapping_add);
        Ok(())
    }

    fn described(self) -> Value {
        let columns = self
            .columns
            .into_iter()
            .map(|(name, (data_type, nulls, sum))| (name, json!({"type": data_type, "nulls": nulls, "sum": sum})));
        json!({"rows": self.rows, "columns": Value::Object(columns.collect()), "sum": self.whole})
    }
}

fn hashes(array: &ArrayRef) -> Result<Vec<u64>, Fault> {
    fn all<T: Hash>(values: impl Iterator<Item = Option<T>>) -> Vec<u64> {
        let hash = |value: Option<T>| {
            let mut hasher = DefaultHasher::new();
            value.hash(&mut hasher);
            hasher.finish()
        };
        values.map(hash).collect()
    }
    Ok(match array.data_type() {
        DataType::Utf8 => all(array.as_string::<i32>().iter()),
        DataType::Int32 => all(array.as_primitive::<Int32Type>().iter()),
        DataType::Int64 => all(array.as_primitive::<Int64Type>().iter()),
        DataType::Float64 => all(array.as_primitive::<Float64Type>().iter().map(|value| value.map(f64::to_bits))),
        other => return Err(format!("there is no column of {other} in the table").into()),
    })
}

/// Appends one line per row: `region (type) | n (type) | version (type) | date`.
fn add_rows(batch: &RecordBatch, date: &str, rows: &mut Vec<String>) -> Result<(), Fault> {
    let options = FormatOptions::default().with_null("NULL");
    let mut columns = Vec::new();
    for (field, array) in batch.schema().fields().iter().zip(batch.columns()) {
        // some engines write the partition column into the file too
        if field.name() != PARTITION {
            columns.push((field.name().clone(), field.data_type().clone(), ArrayFormatter::try_new(array, &options)?));
        }
    }
    for row in 0..batch.num_rows() {
        let values = columns.iter().map(|(name, data_type, value)| format!("{name} {} {data_type}", value.value(row)));
        rows.push(format!("{}, {PARTITION} {date}", values.collect::<Vec<_>>().join(", ")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{floor, postcodes};

    #[test]
    fn tables_are_the_same_or_it_is_told_where_they_differ() {
        let folder = tempfile::tempdir().unwrap();
        let described = |name: &str, files, rows, version: &str, date: &str| {
            let history = postcodes::history(folder.path(), files, rows).unwrap();
            let to = folder.path().join(name);
            floor::build(&history.folder, &to, version, date).unwrap();
            describe(&to).unwrap()
        };
        let one = described("one", 3, 400, "v1", "2026-11-23");
        assert_eq!(one[STRAIGHT]["rows"], 1_200);
        assert_eq!(one[STRAIGHT]["columns"].as_object().unwrap().len(), 37);
        assert_eq!(one[STRAIGHT]["columns"]["quality"]["type"], "Int32");
        let counts = one[COUNTED].as_array().unwrap();
        assert!(counts.iter().any(|row| row.as_str().unwrap().contains("european_electoral_region NULL ")));
        assert!(counts[0].as_str().unwrap().ends_with("dea_version v1 Utf8, dea_snapshot_date 2026-11-23"));

        assert_eq!(differences(&one, &described("two", 3, 400, "v1", "2026-11-23")), Vec::<String>::new());
        let version = differences(&one, &described("three", 3, 400, "v2", "2026-11-23"));
        assert!(version.iter().any(|place| place.starts_with("postcodes.columns.dea_version.sum")), "{version:?}");
        let date = differences(&one, &described("four", 3, 400, "v1", "2026-11-24"));
        assert!(matches!(&date[..], [place] if place.starts_with("calculated: ")), "{date:?}");
        let fewer = differences(&one, &described("five", 2, 400, "v1", "2026-11-23"));
        assert!(fewer.iter().any(|place| place == "postcodes.rows: 800 in place of 1200"), "{fewer:?}");
    }

    #[test]
    fn another_order_of_rows_is_the_same_and_values_in_other_rows_are_not() {
        let batch = |texts: [&str; 2], numbers: [i32; 2]| {
            let texts: ArrayRef = std::sync::Arc::new(arrow::array::StringArray::from(texts.to_vec()));
            let numbers: ArrayRef = std::sync::Arc::new(arrow::array::Int32Array::from(numbers.to_vec()));
            let mut straight = Straight::default();
            straight.add(&RecordBatch::try_from_iter([("texts", texts), ("numbers", numbers)]).unwrap()).unwrap();
            straight.described()
        };
        let one = batch(["a", "b"], [1, 2]);
        assert_eq!(one, batch(["b", "a"], [2, 1]));
        let swapped = differences(&one, &batch(["a", "b"], [2, 1]));
        assert!(matches!(&swapped[..], [sum] if sum.starts_with("sum: ")), "{swapped:?}");
    }
}

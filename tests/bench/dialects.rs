//! The same rows as delimited values in two dialects: RFC 4180 in UTF-8, and semicolons in windows-1252, as Excel
//! writes them in much of Europe.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;
use serde_json::{Map, Value, json};

use crate::postcodes::DataFile;
use crate::{Fault, META_DATA};

/// A file in one dialect.
pub struct Written {
    /// The dialect's name in the tables of figures.
    pub name: &'static str,
    /// The path of the delimited file.
    pub file: PathBuf,
    /// The metadata folder that describes the file in this dialect.
    pub meta_data: PathBuf,
    /// The size of the file.
    pub bytes: u64,
}

/// Writes the rows of a file in both dialects, below `folder`.
pub fn written(folder: &Path, rows: &DataFile) -> Result<[Written; 2], Fault> {
    let utf8 = one(folder, rows, "comma", &json!({}))?;
    let other = one(folder, rows, "semicolon", &json!({"delimiter": ";", "encoding": "windows-1252"}))?;
    Ok([utf8, other])
}

fn one(folder: &Path, rows: &DataFile, name: &'static str, dialect: &Value) -> Result<Written, Fault> {
    let folder = folder.join(format!("{name}-{}", rows.rows));
    let meta_data = folder.join("meta_data");
    for area in ["raw", "curated"] {
        fs::create_dir_all(meta_data.join(area))?;
        for entry in fs::read_dir(Path::new(META_DATA).join(area))? {
            let entry = entry?;
            fs::copy(entry.path(), meta_data.join(area).join(entry.file_name()))?;
        }
    }
    let raw = meta_data.join("raw/postcodes.json");
    let mut table: Value = serde_json::from_slice(&fs::read(&raw)?)?;
    (table["data_format"], table["dialect"]) = ("csv".into(), dialect.clone());
    fs::write(&raw, table.to_string())?;
    let columns: Vec<&str> =
        table["columns"].as_array().into_iter().flatten().filter_map(|column| column["name"].as_str()).collect();

    let file = folder.join("postcodes_1.csv");
    let delimiter = dialect["delimiter"].as_str().unwrap_or(",");
    let mut out = BufWriter::new(File::create(&file)?);
    writeln!(out, "{}", columns.join(delimiter))?;
    for line in BufReader::new(MultiGzDecoder::new(BufReader::new(File::open(&rows.path)?))).lines() {
        let row: Map<String, Value> = serde_json::from_str(&line?)?;
        let fields: Vec<String> = columns.iter().map(|column| field(row.get(*column), delimiter)).collect();
        // ŷ does not exist in windows-1252
        let line = fields.join(delimiter).replace('ŷ', "y");
        match dialect.get("encoding") {
            Some(_) => out.write_all(&encoding_rs::WINDOWS_1252.encode(&line).0)?,
            None => out.write_all(line.as_bytes())?,
        }
        out.write_all(b"\n")?;
    }
    out.flush()?;
    let bytes = fs::metadata(&file)?.len();
    Ok(Written { name, file, meta_data, bytes })
}

fn field(value: Option<&Value>, delimiter: &str) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) if text.is_empty() || text.contains([',', ';', '"', '\n']) => {
            format!("\"{}\"", text.replace('"', "\"\""))
        }
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string().replace(delimiter, ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::postcodes;

    #[test]
    fn both_ways_hold_the_same_rows() {
        let folder = tempfile::tempdir().unwrap();
        let rows = postcodes::file(folder.path(), 200, None).unwrap();
        let [utf8, other] = written(folder.path(), &rows).unwrap();
        let utf8 = fs::read_to_string(utf8.file).unwrap();
        let bytes = fs::read(other.file).unwrap();
        let (other, _, _) = encoding_rs::WINDOWS_1252.decode(&bytes);
        assert_eq!(utf8.lines().count(), 201);
        assert_eq!(utf8.lines().count(), other.lines().count());
        assert!(!other.contains("&#"), "what the encoding has not");
    }
}

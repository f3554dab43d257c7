//! How a sample is written: its encoding, what ends its lines and parts its fields, and where its header is. Each way is
//! tried by the reader's own code.

use contract::{Compression, DataFormat, FileFormat};
use rows::{Peeked, Profile};
use serde_json::{Value, json};

use crate::describe::{Sample, looking};

/// Records that are looked at.
const PEEKED: usize = 1_000;
/// Records that may stand above the header.
const MOST_ABOVE: usize = 50;
/// What most records must have in common.
const MOST: f64 = 0.8;

/// How the sample is written.
#[derive(Debug)]
pub struct Sniffed {
    pub format: FileFormat,
    pub compression: Compression,
    pub data_format: DataFormat,
    /// The keys of the dialect that are not as usual, in their order.
    pub dialect: Vec<(&'static str, Value)>,
    /// The names of the fields, empty ones where there is no header; none in a format that names them in each row.
    pub header: Option<Vec<String>>,
    pub has_header: bool,
}

impl Sniffed {
    /// What somebody says, in place of a look at a sample.
    pub fn told(format: FileFormat, data_format: DataFormat, dialect: Vec<(&'static str, Value)>) -> Self {
        Self { format, compression: Compression::None, data_format, dialect, header: None, has_header: true }
    }

    pub fn of(sample: &Sample<'_>) -> Result<Self, String> {
        let usual = looking(guess(sample), "{}", COLUMN, "{}")?;
        let (format, compression) = rows::peek_format(&sample.ranges, sample.format, sample.compression, &usual)
            .map_err(|e| sample.cannot(&e))?;
        let mut sniffed = Self {
            format,
            compression,
            data_format: DataFormat::Csv,
            dialect: Vec::new(),
            header: None,
            has_header: true,
        };
        match format {
            FileFormat::Parquet => sniffed.data_format = DataFormat::Parquet,
            FileFormat::Excel => sniffed.records(sample)?,
            FileFormat::JsonLines | FileFormat::Json => {
                sniffed.data_format = DataFormat::Json;
                sniffed.text(sample)?;
            }
            FileFormat::Csv | FileFormat::Tsv | FileFormat::Described => {
                let text = sniffed.text(sample)?;
                let first = text.trim_ascii_start().first();
                if format == FileFormat::Described && matches!(first, Some(b'{' | b'[')) {
                    (sniffed.data_format, sniffed.format) = (DataFormat::Json, FileFormat::Json);
                    return Ok(sniffed);
                }
                sniffed.delimiter(sample, &text)?;
                sniffed.records(sample)?;
            }
        }
        Ok(sniffed)
    }

    /// The dialect as JSON.
    pub fn dialect_json(&self) -> String {
        let keys: Vec<String> = self.dialect.iter().map(|(key, value)| format!("\"{key}\": {value}")).collect();
        format!("{{{}}}", keys.join(", "))
    }

    /// Sets the encoding, and gives the first part of the text.
    fn text(&mut self, sample: &Sample<'_>) -> Result<Vec<u8>, String> {
        let usual = looking(self.data_format, "{}", COLUMN, "{}")?;
        let text = rows::peek_text(&sample.ranges, self.format, self.compression, &usual);
        let text = text.map_err(|error| sample.cannot(&error))?;
        if let Some(encoding) = encoding(&text) {
            self.dialect.push(("encoding", json!(encoding)));
        }
        Ok(text)
    }

    /// The dialect's encoding is another one than was thought: some byte later in the file says so.
    pub fn set_encoding(&mut self, encoding: &str) {
        self.dialect.retain(|(key, _)| *key != "encoding");
        self.dialect.push(("encoding", json!(encoding)));
    }

    /// Whether the dialect has said an encoding.
    pub fn has_encoding(&self) -> bool {
        self.dialect.iter().any(|(key, _)| *key == "encoding")
    }

    /// What ends lines and parts fields.
    fn delimiter(&mut self, sample: &Sample<'_>, text: &[u8]) -> Result<(), String> {
        if text.contains(&b'\r') && !text.contains(&b'\n') {
            self.dialect.push(("lineTerminator", json!("\r")));
        }
        let usual = if self.format == FileFormat::Tsv { '\t' } else { ',' };
        let mut best = (usual, 0.0, 1);
        for delimiter in [usual, ';', '\t', '|', ',', '\u{1}'] {
            let records = self.peek(sample, &[("delimiter", json!(delimiter))])?;
            let (fields, share) = most(&records);
            if fields > 1 && (share > best.1 + 0.1 || share >= best.1 - 0.1 && fields > best.2) {
                best = (delimiter, share, fields);
            }
        }
        if best.0 != usual {
            self.dialect.push(("delimiter", json!(best.0)));
        }
        // some programs put a space behind each
        let spaced = format!("{} \"", best.0);
        if has(text, spaced.as_bytes()) {
            self.dialect.push(("skipInitialSpace", json!(true)));
        }
        // and a backslash before a quote
        if has(text, b"\\\"") {
            let share = |records: &[Peeked]| most(records).1;
            if share(&self.peek(sample, &[("escapeChar", json!("\\"))])?) > share(&self.peek(sample, &[])?) {
                self.dialect.push(("escapeChar", json!("\\")));
            }
        }
        Ok(())
    }

    /// Where the header is, and what it names.
    fn records(&mut self, sample: &Sample<'_>) -> Result<(), String> {
        let mut records = self.peek(sample, &[])?;
        if records.first().and_then(|record| record.fields.first()).is_some_and(|first| first.starts_with('#'))
            && records.first().map(|record| record.fields.len()) != Some(most(&records).0)
        {
            self.dialect.push(("commentChar", json!("#")));
            records = self.peek(sample, &[])?;
        }
        let (fields, share) = most(&records);
        let Some(at) = records.iter().position(|record| record.fields.len() == fields) else {
            return Err(format!("{}: there is no record in it", sample.path.display()));
        };
        if share < MOST || at > MOST_ABOVE {
            let other = records[at..].iter().find(|record| record.fields.len() != fields);
            return Err(format!(
                "{}: its records have no number of fields in common (line {} differs); where it is made for people, read \
                 it by lines (docs/tables.md)",
                sample.path.display(),
                other.map_or(1, |record| record.line)
            ));
        }
        // a sheet's title is a row of one cell
        let body: Vec<&Peeked> = records[at + 1..].iter().filter(|record| record.fields.len() == fields).collect();
        let first = &records[at];
        self.has_header = is_header(&first.fields, &body);
        let is_first = records.first().map(|record| record.line) == Some(first.line);
        if self.has_header && !is_first {
            self.dialect.push(("headerRows", json!([first.line])));
        } else if !self.has_header {
            self.dialect.push(("header", json!(false)));
            let above: Vec<u64> = records[..at].iter().map(|record| record.line).collect();
            if !above.is_empty() {
                self.dialect.push(("commentRows", json!(above)));
            }
        }
        self.header = Some(if self.has_header { first.fields.clone() } else { vec![String::new(); fields] });
        Ok(())
    }

    /// The first records, by the dialect so far and more.
    fn peek(&self, sample: &Sample<'_>, more: &[(&'static str, Value)]) -> Result<Vec<Peeked>, String> {
        let keys = self.dialect.iter().chain(more).map(|(key, value)| format!("\"{key}\": {value}"));
        let dialect = format!("{{{}}}", keys.collect::<Vec<_>>().join(", "));
        let Ok(table) = looking(DataFormat::Csv, &dialect, COLUMN, "{\"header\": false}") else {
            return Ok(Vec::new());
        };
        let records = rows::peek_records(&sample.ranges, self.format, self.compression, &table, PEEKED);
        records.map_err(|error| sample.cannot(&error))
    }
}

const COLUMN: &str = "{\"name\": \"a\", \"type\": \"character\"}";

/// What the name alone says of a file whose extension says nothing: a table must have some format.
fn guess(sample: &Sample<'_>) -> DataFormat {
    match sample.format {
        FileFormat::JsonLines | FileFormat::Json => DataFormat::Json,
        FileFormat::Parquet => DataFormat::Parquet,
        _ => DataFormat::Csv,
    }
}

/// The encoding of a text that is not UTF-8.
fn encoding(text: &[u8]) -> Option<&'static str> {
    let zeros = |parity: usize| text.iter().skip(parity).step_by(2).filter(|byte| **byte == 0).count();
    let half = text.len() / 2;
    // most of what is written in it is of the first 256 characters
    if half > 1 && zeros(1) > half / 2 && zeros(0) <= half / 10 {
        return Some("utf-16le");
    }
    if half > 1 && zeros(0) > half / 2 && zeros(1) <= half / 10 {
        return Some("utf-16be");
    }
    match std::str::from_utf8(text) {
        Ok(_) => None,
        // the last character is cut off
        Err(error) if error.error_len().is_none() => None,
        Err(_) => Some("windows-1252"),
    }
}

/// The number of fields that most records have, and how many have it of those from the first one on.
fn most(records: &[Peeked]) -> (usize, f64) {
    let mut counts = std::collections::BTreeMap::new();
    for record in records.iter().filter(|record| !record.fields.is_empty()) {
        *counts.entry(record.fields.len()).or_insert(0_usize) += 1;
    }
    let Some((fields, count)) = counts.into_iter().max_by_key(|(fields, count)| (*count, *fields)) else {
        return (0, 0.0);
    };
    let above = records.iter().take_while(|record| record.fields.len() != fields).count();
    (fields, count as f64 / (records.len() - above) as f64)
}

/// Whether a record names what the others have: no value of it is one of a column that has types, and there is such a
/// column; or all are texts that no other record has.
fn is_header(first: &[String], body: &[&Peeked]) -> bool {
    let mut typed = false;
    let mut repeated = false;
    for (n, name) in first.iter().enumerate() {
        let mut profile = Profile::new(false);
        body.iter().for_each(|record| profile.see(record.fields.get(n).map(String::as_str)));
        let of_body = profile.conclude();
        if of_body.column_type != contract::ColumnType::String {
            profile.see(Some(name));
            typed |= profile.conclude().column_type != of_body.column_type;
        }
        repeated |= !name.is_empty() && body.iter().any(|record| record.fields.get(n) == Some(name));
    }
    let is_name = |name: &String| {
        let mut profile = Profile::new(false);
        profile.see(Some(name));
        profile.conclude().column_type == contract::ColumnType::String
    };
    typed || !repeated && first.iter().all(is_name)
}

fn has(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

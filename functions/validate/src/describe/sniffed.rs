//! Sniffing: determines how a sample is written, i.e. its encoding, line terminator, delimiter and the place of its
//! header. The reader's own code tries each possibility.

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use contract::{Compression, DataFormat, FileFormat};
use rows::{Peeked, Profile};
use serde_json::{Value, json};

use crate::describe::sample::{Sample, looking};
use crate::figures::counted;

/// The records that are examined.
const PEEKED: usize = 1_000;
/// The most records above the header.
const MOST_ABOVE: usize = 50;
/// The least share of records that must have the same number of fields.
const MOST: f64 = 0.8;

/// How the sample is written.
#[derive(Clone, Debug)]
pub(super) struct Sniffed {
    pub format: FileFormat,
    pub compression: Compression,
    pub data_format: DataFormat,
    /// The keys of the dialect that differ from the defaults, in order.
    pub dialect: Vec<(&'static str, Value)>,
    /// The names of the fields, empty ones if there is no header; `None` for a format that has names in each row.
    pub header: Option<Vec<String>>,
    pub has_header: bool,
    /// Notes for a person.
    pub notes: Vec<String>,
}

impl Sniffed {
    /// Describes a file from another program's description, without a sample.
    pub(super) fn told(format: FileFormat, data_format: DataFormat, dialect: Vec<(&'static str, Value)>) -> Self {
        let (compression, notes) = (Compression::None, Vec::new());
        Self { format, compression, data_format, dialect, header: None, has_header: true, notes }
    }

    pub(super) fn of(sample: &Sample<'_>) -> Result<Self, String> {
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
            notes: Vec::new(),
        };
        match format {
            FileFormat::Parquet => sniffed.data_format = DataFormat::Parquet,
            FileFormat::Excel => sniffed.records(sample)?,
            FileFormat::JsonLines | FileFormat::Json => {
                sniffed.data_format = DataFormat::Json;
                let text = sniffed.text(sample)?;
                if ["NaN", "Infinity"].iter().any(|word| is_bare(&text, word.as_bytes())) {
                    sniffed.take_nan();
                }
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

    pub(super) fn dialect_json(&self) -> String {
        let keys: Vec<String> = self.dialect.iter().map(|(key, value)| format!("\"{key}\": {value}")).collect();
        format!("{{{}}}", keys.join(", "))
    }

    /// Sets the encoding, and returns the first part of the text.
    fn text(&mut self, sample: &Sample<'_>) -> Result<Vec<u8>, String> {
        let usual = looking(self.data_format, "{}", COLUMN, "{}")?;
        let text = rows::peek_text(&sample.ranges, self.format, self.compression, &usual);
        let text = text.map_err(|error| sample.cannot(&error))?;
        if let Some(encoding) = encoding(&text) {
            self.set_encoding(encoding);
        }
        Ok(text)
    }

    /// Lets the dialect read NaN and the infinities as null.
    pub(super) fn take_nan(&mut self) {
        self.dialect.push(("nan", json!("null")));
        self.notes.push("NaN and the infinities are read as no value: `\"nan\": \"keep\"` keeps them".into());
    }

    /// Sets an encoding other than UTF-8.
    pub(super) fn set_encoding(&mut self, encoding: &str) {
        self.dialect.retain(|(key, _)| *key != "encoding");
        self.dialect.push(("encoding", json!(encoding)));
        if !encoding.starts_with("utf-16") {
            self.notes.push(format!(
                "`{encoding}` is a guess, as no file says its encoding: look at its letters beyond ASCII, and say \
                 another one by `encoding`"
            ));
        }
    }

    /// Whether the dialect has an encoding.
    pub(super) fn has_encoding(&self) -> bool {
        self.dialect.iter().any(|(key, _)| *key == "encoding")
    }

    /// Determines the line terminator, the delimiter and its surroundings.
    fn delimiter(&mut self, sample: &Sample<'_>, text: &[u8]) -> Result<(), String> {
        if text.contains(&b'\r') && !text.contains(&b'\n') {
            self.dialect.push(("lineTerminator", json!("\r")));
        }
        let usual = if self.format == FileFormat::Tsv { '\t' } else { ',' };
        // Excel's own first line, which states the delimiter
        if let [b's', b'e', b'p', b'=', delimiter, b'\r' | b'\n', ..] = text {
            self.dialect.push(("delimiter", json!(char::from(*delimiter))));
            self.dialect.push(("commentRows", json!([1])));
            return Ok(());
        }
        let mut ways = Vec::new();
        for delimiter in [usual, ';', '\t', '|', ',', '\u{1}'] {
            let found = most(&self.peek(sample, &[("delimiter", json!(delimiter))])?);
            if found.fields > 1 && !ways.iter().any(|(other, _)| *other == delimiter) {
                ways.push((delimiter, found));
            }
        }
        // commas that occur only between digits are decimal commas, if another delimiter splits the fields clearly
        let is_clear = |(other, found): &(char, Common)| *other != ',' && found.share >= 0.9 && found.above == 0;
        if only_between_digits(text, b',') && ways.iter().any(is_clear) {
            ways.retain(|(delimiter, _)| *delimiter != ',');
        }
        let best = ways.into_iter().reduce(|best, other| if other.1.is_better_than(&best.1) { other } else { best });
        let best = best.map_or(usual, |(delimiter, _)| delimiter);
        if best != usual {
            self.dialect.push(("delimiter", json!(best)));
        }
        // some programs put a space after each delimiter
        let spaced = format!("{best} \"");
        if has(text, spaced.as_bytes()) {
            self.dialect.push(("skipInitialSpace", json!(true)));
        }
        // some put a backslash before a quote
        if has(text, b"\\\"") {
            let read = |records: &[Peeked]| {
                let fields = most(records).fields;
                records.iter().filter(|record| record.fields.len() == fields).count()
            };
            if read(&self.peek(sample, &[("escapeChar", json!("\\"))])?) > read(&self.peek(sample, &[])?) {
                self.dialect.push(("escapeChar", json!("\\")));
            }
        }
        Ok(())
    }

    /// Finds the header and its names.
    fn records(&mut self, sample: &Sample<'_>) -> Result<(), String> {
        let mut records = self.peek(sample, &[])?;
        if has_comments(&records) {
            self.dialect.push(("commentChar", json!("#")));
            records = self.peek(sample, &[])?;
        }
        if self.format == FileFormat::Excel {
            // empty cells at the end of a row are missing
            let width = records.iter().map(|record| record.fields.len()).max().unwrap_or(0);
            records.iter_mut().for_each(|record| record.fields.resize(width, String::new()));
        }
        let Common { fields, share, .. } = most(&records);
        let at = first_of_table(&records, fields);
        let at = at.ok_or_else(|| format!("{}: there is no record in it", sample.path.display()))?;
        let above = records[..at].iter().find(|record| !is_title(record, fields));
        let other = records[at..].iter().find(|record| record.fields.len() != fields);
        if share < MOST || at > MOST_ABOVE || above.is_some() {
            let differs = above.or(other);
            let has = match differs.map(|record| record.fields.len()) {
                Some(0) => "is no record".to_owned(),
                Some(other) => format!("has {}, others have {fields}", counted(other as u64, "field")),
                None => "is too far from its start".to_owned(),
            };
            return Err(format!(
                "{}: its records have no number of fields in common (line {} {has}); say by `header`, `headerRows` and \
                 `commentRows` of a dialect what is there, or, where it is made for people, read it by lines \
                 (docs/tables.md)",
                sample.path.display(),
                differs.map_or(1, |record| record.line)
            ));
        }
        let body: Vec<&Peeked> = records[at + 1..].iter().filter(|record| record.fields.len() == fields).collect();
        let first = &records[at];
        self.has_header = is_header(&first.fields, &body);
        let left_out: Vec<u64> = records[..at].iter().map(|record| record.line).collect();
        if self.has_header && !left_out.is_empty() {
            self.dialect.push(("headerRows", json!([first.line])));
        } else if !self.has_header {
            self.dialect.push(("header", json!(false)));
            if !left_out.is_empty() {
                self.dialect.push(("commentRows", json!(left_out)));
            }
        }
        if !left_out.is_empty() {
            let lines: Vec<String> = left_out.iter().map(u64::to_string).collect();
            self.notes.push(format!("what stands above the rows is left out: line {}", lines.join(", ")));
        }
        self.header = Some(if self.has_header { first.fields.clone() } else { vec![String::new(); fields] });
        Ok(())
    }

    /// Returns the first records, read with the dialect so far and `more` keys.
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

/// Returns a format by the file's name alone. If that states none, returns CSV, as a table must have a format.
fn guess(sample: &Sample<'_>) -> DataFormat {
    match sample.format {
        FileFormat::JsonLines | FileFormat::Json => DataFormat::Json,
        FileFormat::Parquet => DataFormat::Parquet,
        _ => DataFormat::Csv,
    }
}

/// Returns the encoding of a text that is not UTF-8; `None` if it is.
fn encoding(text: &[u8]) -> Option<&'static str> {
    let zeros = |parity: usize| text.iter().skip(parity).step_by(2).filter(|byte| **byte == 0).count();
    let half = text.len() / 2;
    // most UTF-16 text consists of the first 256 characters, whose high byte is zero
    if half > 1 && zeros(1) > half / 2 && zeros(0) <= half / 10 {
        return Some("utf-16le");
    }
    if half > 1 && zeros(0) > half / 2 && zeros(1) <= half / 10 {
        return Some("utf-16be");
    }
    match std::str::from_utf8(text) {
        Ok(_) => None,
        // the last character was cut off
        Err(error) if error.error_len().is_none() => None,
        Err(_) => {
            let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
            detector.feed(text, true);
            Some(detector.guess(None, Utf8Detection::Deny).name())
        }
    }
}

/// The number of fields that most records have.
struct Common {
    fields: usize,
    /// The share of records that have it, from the first such record on.
    share: f64,
    /// The number of records before the first such record.
    above: usize,
}

impl Common {
    /// Whether a delimiter splits a file better than another one. It does with more equal records, with fewer records
    /// above the first equal one, or with more fields.
    fn is_better_than(&self, other: &Self) -> bool {
        let as_good = self.share >= other.share - 0.1;
        let fewer_above = self.above < other.above || self.above == other.above && self.fields > other.fields;
        self.share > other.share + 0.1 || as_good && fewer_above
    }
}

fn most(records: &[Peeked]) -> Common {
    let mut counts = std::collections::BTreeMap::new();
    for record in records.iter().filter(|record| !record.fields.is_empty()) {
        *counts.entry(record.fields.len()).or_insert(0_usize) += 1;
    }
    let Some((fields, count)) = counts.into_iter().max_by_key(|(fields, count)| (*count, *fields)) else {
        return Common { fields: 0, share: 0.0, above: 0 };
    };
    let above = records.iter().take_while(|record| record.fields.len() != fields).count();
    Common { fields, share: count as f64 / (records.len() - above) as f64, above }
}

fn filled(record: &Peeked) -> usize {
    record.fields.iter().filter(|field| !field.is_empty()).count()
}

/// Returns the index of the first record that is not a title. A title fills a single field of a row with room for more.
fn first_of_table(records: &[Peeked], fields: usize) -> Option<usize> {
    let is_alone = |n: usize| {
        let (record, next) = (&records[n], records.get(n + 1));
        match fields {
            0 | 1 => false,
            // in a header, a column without a name has an empty field
            2 => record.fields[1].is_empty() && next.is_some_and(|next| filled(next) == 2),
            _ => filled(record) <= 1,
        }
    };
    (0..records.len()).find(|n| records[*n].fields.len() == fields && !is_alone(*n))
}

/// Whether a record above the header is a title for people: it begins with `#`, or has values in at most half of the
/// fields of a row.
fn is_title(record: &Peeked, fields: usize) -> bool {
    let is_comment = record.fields.first().is_some_and(|first| first.starts_with('#'));
    !record.fields.is_empty() && (is_comment || filled(record) <= (fields / 2).max(1))
}

/// Whether lines that begin with `#` are comments: there are several, one of them is first, and none is a row.
fn has_comments(records: &[Peeked]) -> bool {
    let fields = most(records).fields;
    let is_marked = |record: &&Peeked| record.fields.first().is_some_and(|first| first.starts_with('#'));
    let marked: Vec<&Peeked> = records.iter().filter(is_marked).collect();
    let begins = records.first().as_ref().is_some_and(is_marked);
    begins && marked.len() > 1 && marked.iter().all(|record| record.fields.len() != fields)
}

/// Whether a byte occurs, and only between two digits.
fn only_between_digits(text: &[u8], sign: u8) -> bool {
    let mut places = text.iter().enumerate().filter(|(_, byte)| **byte == sign).map(|(n, _)| n).peekable();
    let is_digit = |n: Option<usize>| n.and_then(|n| text.get(n)).is_some_and(u8::is_ascii_digit);
    places.peek().is_some() && places.all(|n| is_digit(n.checked_sub(1)) && is_digit(Some(n + 1)))
}

/// Whether a word occurs as an unquoted JSON value, which is not valid JSON.
fn is_bare(text: &[u8], word: &[u8]) -> bool {
    text.windows(word.len()).enumerate().any(|(at, found)| {
        found == word && text[..at].trim_ascii_end().last().is_some_and(|before| b":[,-".contains(before))
    })
}

/// Whether a record is a header. It is if one of its values is not of the type that the column has in the other
/// records. It also is if all its values are texts that no other record repeats.
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

//! The grammar of object keys. A file keeps its key from land through raw-hist, raw and processed. Only the bucket
//! changes:
//!
//! `<base folder>/<table>/file_land_timestamp=<unix seconds>/<table>[_<chunk>]_<unix seconds>.<extension>`
//!
//! The extension states the format of the rows ([`FileFormat`]), and a second one the compression ([`Compression`]), in
//! any letter case.

use crate::words::hexadecimal;
use std::fmt;

use sha2::{Digest, Sha256};

/// The format of a file's rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FileFormat {
    /// One JSON object per line: `.jsonl`, `.ndjson`.
    JsonLines,
    /// JSON in any form, as an array of objects or one object after another: `.json`.
    Json,
    /// Comma-separated values: `.csv`.
    Csv,
    /// Tab-separated values: `.tsv`, `.tab`.
    Tsv,
    /// Apache Parquet: `.parquet`.
    Parquet,
    /// An Excel workbook (Office Open XML): `.xlsx`, `.xlsm`.
    Excel,
    /// The extension does not tell (`.txt`, `.dat`, or none). The table's metadata does.
    Described,
}

/// The compression of a file as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Compression {
    /// Not compressed. Parquet compresses its pages instead.
    None,
    /// gzip: `.gz`.
    Gzip,
    /// A ZIP archive of a single file: `.zip`.
    Zip,
    /// Zstandard: `.zst`.
    Zstd,
    /// bzip2: `.bz2`.
    Bzip2,
}

impl Compression {
    /// The compressions by extension.
    const EXTENSIONS: &[(&str, Self)] =
        &[("gz", Self::Gzip), ("zip", Self::Zip), ("zst", Self::Zstd), ("bz2", Self::Bzip2)];
}

impl FileFormat {
    /// The formats by extension.
    const EXTENSIONS: &[(&str, Self)] = &[
        ("jsonl", Self::JsonLines),
        ("ndjson", Self::JsonLines),
        ("json", Self::Json),
        ("csv", Self::Csv),
        ("tsv", Self::Tsv),
        ("tab", Self::Tsv),
        ("parquet", Self::Parquet),
        ("xlsx", Self::Excel),
        ("xlsm", Self::Excel),
        ("txt", Self::Described),
        ("dat", Self::Described),
    ];
}

/// A file in land, as far as its key describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LandKey {
    /// The raw table that the file belongs to.
    pub table: String,
    /// The time in the name of its partition folder, if it is in one.
    pub file_land_timestamp: Option<u64>,
    /// The last segment of the key.
    pub file_name: String,
    /// The format, from the extension.
    pub format: FileFormat,
    /// The compression, from the extension.
    pub compression: Compression,
}

/// A file's complete key, which is the same in every area.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataKey {
    /// The raw table.
    pub table: String,
    /// The time in the name of its partition folder, in Unix seconds.
    pub file_land_timestamp: u64,
    /// The last segment of the key.
    pub file_name: String,
}

/// The reason why a key does not follow the grammar. The message states what was expected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("key `{key}`: {reason}")]
pub struct KeyError {
    /// The key, as it was passed in.
    pub key: String,
    /// What is wrong with it, and what was expected.
    pub reason: String,
}

/// The name of the column in the partition folders' names.
pub const FILE_LAND_TIMESTAMP: &str = "file_land_timestamp";

/// The latest time that a key can have. Ten digits of Unix seconds reach the year 2286. Eleven would be milliseconds by
/// mistake.
pub const MAX_TIMESTAMP: u64 = 9_999_999_999;

/// The longest key that S3 accepts, in bytes: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html>.
pub const MAXIMUM_KEY: usize = 1024;

impl LandKey {
    /// Parses a decoded key of the land area.
    ///
    /// # Errors
    /// Fails if the key does not follow the grammar. The reason names the part that is wrong and the expected form.
    ///
    /// ```
    /// use contract::LandKey;
    ///
    /// let key = LandKey::parse("base", "base/orders/file_land_timestamp=1534978800/orders_1534978800.jsonl.gz")?;
    /// assert_eq!((key.table.as_str(), key.file_land_timestamp), ("orders", Some(1_534_978_800)));
    ///
    /// let error = LandKey::parse("base", "base/orders/2018-08-23/orders.jsonl.gz").unwrap_err();
    /// assert_eq!(error.reason, "expected a folder `file_land_timestamp=<unix seconds>`, found `2018-08-23`");
    /// # Ok::<(), contract::KeyError>(())
    /// ```
    pub fn parse(base_folder: &str, key: &str) -> Result<Self, KeyError> {
        let fail = |reason: String| KeyError { key: key.to_owned(), reason };
        let base = base_folder.trim_matches('/');
        let inside = key
            .strip_prefix(base)
            .and_then(|rest| if base.is_empty() { Some(rest) } else { rest.strip_prefix('/') })
            .ok_or_else(|| fail(format!("expected it to begin with the base folder `{base}/`")))?;
        if key.chars().any(char::is_control) {
            return Err(fail("it holds a control character".into()));
        }
        let segments: Vec<&str> = inside.split('/').collect();
        if segments.iter().any(|s| s.is_empty() || *s == "." || *s == "..") {
            return Err(fail("it holds an empty, `.` or `..` segment".into()));
        }
        let (table, partition, file_name) = match segments[..] {
            [table, file_name] => (table, None, file_name),
            [table, partition, file_name] => (table, Some(partition), file_name),
            _ => {
                return Err(fail(format!(
                    "expected `{base}/<table>/{FILE_LAND_TIMESTAMP}=<unix seconds>/<file>`, or the same without the \
                     folder"
                )));
            }
        };
        if !is_table_name(table) {
            return Err(fail(format!("`{table}` is not a table name: lower-case letters, digits and `_`")));
        }
        let file_land_timestamp = match partition {
            None => None,
            Some(partition) => {
                let value = partition
                    .strip_prefix(FILE_LAND_TIMESTAMP)
                    .and_then(|rest| rest.strip_prefix('='))
                    .ok_or_else(|| {
                        fail(format!("expected a folder `{FILE_LAND_TIMESTAMP}=<unix seconds>`, found `{partition}`"))
                    })?;
                Some(timestamp(value).ok_or_else(|| {
                    fail(format!("`{value}` is not a time in Unix seconds (such as 1534978800, never ISO)"))
                })?)
            }
        };
        let (format, compression) = extension(file_name)
            .ok_or_else(|| fail(format!("`{file_name}` has none of the extensions {}", extensions())))?;
        Ok(Self { table: table.into(), file_land_timestamp, file_name: file_name.into(), format, compression })
    }

    /// Returns the key under which the file is promoted: in its own folder or, without one, in that of the time at
    /// which it landed.
    pub fn filed(&self, landed: u64) -> DataKey {
        DataKey {
            table: self.table.clone(),
            file_land_timestamp: self.file_land_timestamp.unwrap_or(landed),
            file_name: self.file_name.clone(),
        }
    }

    /// Returns the chunk number of a canonical name, `<table>_<chunk>_<unix seconds>`, if its time is that of the
    /// file's folder.
    pub fn chunk(&self) -> Option<u32> {
        let (chunk, named) = self.named()?;
        chunk.filter(|_| self.file_land_timestamp == Some(named))
    }

    /// Returns the chunk number and the time of a canonical name, `<table>[_<chunk>]_<unix seconds>`.
    pub fn named(&self) -> Option<(Option<u32>, u64)> {
        let stem = self.file_name.split('.').next()?;
        let rest = stem.strip_prefix(self.table.as_str())?.strip_prefix('_')?;
        let Some((chunk, seconds)) = rest.split_once('_') else { return Some((None, timestamp(rest)?)) };
        let chunk = chunk.parse().ok().filter(|number: &u32| number.to_string() == chunk)?;
        Some((Some(chunk), timestamp(seconds)?))
    }

    /// Checks that the file name is `<table>[_<chunk>]_<unix seconds>`, with the time of the file's folder if it has
    /// one.
    ///
    /// # Errors
    /// Returns a message with the expected name.
    pub fn check_name(&self) -> Result<(), String> {
        let expected = || format!("`{}[_<chunk>]_<unix seconds>.<extension>`", self.table);
        let stem = self.file_name.split('.').next().unwrap_or_default();
        let rest = stem
            .strip_prefix(self.table.as_str())
            .and_then(|rest| rest.strip_prefix('_'))
            .ok_or_else(|| format!("file name `{}`: expected {}", self.file_name, expected()))?;
        let (chunk, seconds) = match rest.split_once('_') {
            Some((chunk, seconds)) => (Some(chunk), seconds),
            None => (None, rest),
        };
        if chunk.is_some_and(|chunk| chunk.is_empty() || !chunk.bytes().all(|b| b.is_ascii_digit())) {
            return Err(format!("file name `{}`: expected {}", self.file_name, expected()));
        }
        let named = timestamp(seconds)
            .ok_or_else(|| format!("file name `{}`: `{seconds}` is not a time in Unix seconds", self.file_name))?;
        match self.file_land_timestamp {
            Some(folder) if folder != named => Err(format!(
                "file name `{}` says {named}, its folder says {FILE_LAND_TIMESTAMP}={folder}; the two must agree",
                self.file_name
            )),
            _ => Ok(()),
        }
    }
}

impl DataKey {
    /// Builds the canonical name of a table's file that lands at a given time. `chunk` is `None` if it is the only one.
    ///
    /// ```
    /// let key = contract::DataKey::new("orders", 1_534_978_800, Some(2), "jsonl.gz");
    /// assert_eq!(key.format("base"), "base/orders/file_land_timestamp=1534978800/orders_2_1534978800.jsonl.gz");
    /// ```
    pub fn new(table: &str, file_land_timestamp: u64, chunk: Option<u32>, extension: &str) -> Self {
        let chunk = chunk.map(|n| format!("_{n}")).unwrap_or_default();
        Self {
            table: table.into(),
            file_land_timestamp,
            file_name: format!("{table}{chunk}_{file_land_timestamp}.{extension}"),
        }
    }

    /// Returns the object key, without the bucket.
    pub fn format(&self, base_folder: &str) -> String {
        format!("{}{}", partition_prefix(base_folder, &self.table, self.file_land_timestamp), self.file_name)
    }
}

impl FileFormat {
    /// Returns the format's usual extension, or `described` if no extension states the format.
    pub fn extension(self) -> &'static str {
        match self {
            Self::JsonLines => "jsonl",
            Self::Json => "json",
            Self::Csv => "csv",
            Self::Tsv => "tsv",
            Self::Parquet => "parquet",
            Self::Excel => "xlsx",
            Self::Described => "described",
        }
    }
}

impl fmt::Display for FileFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.extension())
    }
}

/// Returns the prefix of all files of a table. It ends with `/`, so that `table` does not match `table_unprocessed`.
pub fn table_prefix(base_folder: &str, table: &str) -> String {
    match base_folder.trim_matches('/') {
        "" => format!("{table}/"),
        base => format!("{base}/{table}/"),
    }
}

/// Returns the prefix of the files of a table that landed at one time.
pub fn partition_prefix(base_folder: &str, table: &str, file_land_timestamp: u64) -> String {
    format!("{}{FILE_LAND_TIMESTAMP}={file_land_timestamp}/", table_prefix(base_folder, table))
}

/// Reads the format and the compression from a file name's extensions, in any letter case. Returns `None` for other
/// extensions. A name without extension is [`FileFormat::Described`].
pub fn extension(file_name: &str) -> Option<(FileFormat, Compression)> {
    let last = |name: &str| name.rsplit_once('.').map(|(stem, last)| (stem.len(), last.to_ascii_lowercase()));
    let of = |stem: usize| stem > 0;
    let Some((stem, first)) = last(file_name) else {
        return (!file_name.is_empty()).then_some((FileFormat::Described, Compression::None));
    };
    if !of(stem) {
        return None;
    }
    let named = |name: &str| FileFormat::EXTENSIONS.iter().find(|(known, _)| *known == name).map(|(_, format)| *format);
    if let Some(format) = named(&first) {
        return Some((format, Compression::None));
    }
    let (_, compression) = Compression::EXTENSIONS.iter().find(|(known, _)| *known == first)?;
    let format = match last(&file_name[..stem]) {
        Some((stem, inner)) if of(stem) => named(&inner).unwrap_or(FileFormat::Described),
        Some(_) => return None,
        None => FileFormat::Described,
    };
    // these two compress their content themselves
    (!matches!(format, FileFormat::Parquet | FileFormat::Excel)).then_some((format, *compression))
}

/// Lists all extensions, for messages.
pub fn extensions() -> String {
    let formats: Vec<String> = FileFormat::EXTENSIONS.iter().map(|(name, _)| format!(".{name}")).collect();
    let compressions: Vec<String> = Compression::EXTENSIONS.iter().map(|(name, _)| format!(".{name}")).collect();
    format!(
        "{} (each but .parquet, .xlsx and .xlsm with {} behind it, if compressed)",
        formats.join(", "),
        compressions.join(", ")
    )
}

/// Returns why a file is not data, if it is one that other programs leave beside data. Such a file stays where it is.
/// Spark, Hadoop and Databricks write success markers, file managers leave notes, and uploads in progress have names of
/// their own.
pub fn is_no_data(key: &str) -> Option<&'static str> {
    let (folders, name) = key.rsplit_once('/').unwrap_or(("", key));
    let is_one_of = |names: &[&str]| names.contains(&name);
    let begins = |starts: &[&str]| starts.iter().any(|start| name.starts_with(start));
    let ends = |ends: &[&str]| ends.iter().any(|end| name.len() > end.len() && name.ends_with(end));
    if name.is_empty() || ends(&["_$folder$"]) {
        Some("the marker of a folder, not a file")
    } else if is_one_of(&["_SUCCESS", "_metadata", "_common_metadata"]) || begins(&["_committed_", "_started_"]) {
        Some("what Spark writes beside its files")
    } else if name.starts_with('.') && ends(&[".crc"]) {
        Some("a checksum of Hadoop's")
    } else if folders.split('/').any(|folder| matches!(folder, "_temporary" | "_spark_metadata")) {
        Some("a temporary file of Spark")
    } else if is_one_of(&[".DS_Store", "Thumbs.db", "desktop.ini"]) || begins(&["._", "~$"]) {
        Some("a note of a file manager or an editor")
    } else if ends(&[".filepart", ".part", ".partial", ".crdownload", ".tmp"]) {
        Some("an upload under way")
    } else {
        None
    }
}

/// Whether Glue and the key grammar accept a table or database name.
pub fn is_table_name(name: &str) -> bool {
    (1..=255).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

/// Derives the name of a column or table from its name in a file. The result is lower-case, with `_` for any characters
/// other than ASCII letters and digits. A number is appended if the name is `taken`.
pub fn described_name(name: &str, taken: impl Fn(&str) -> bool) -> String {
    let mut described = String::new();
    for letter in name.trim().chars() {
        match letter.to_ascii_lowercase() {
            letter if letter.is_ascii_alphanumeric() => described.push(letter),
            _ if described.is_empty() || described.ends_with('_') => {}
            _ => described.push('_'),
        }
    }
    let described = described.trim_end_matches('_');
    let described = if described.is_empty() { "column" } else { &described[..described.len().min(200)] };
    if !taken(described) {
        return described.into();
    }
    let numbered = (2_u32..).map(|n| format!("{described}_{n}"));
    numbered.into_iter().find(|name| !taken(name)).unwrap_or_default()
}

/// Decodes a key of an S3 event, in which `+` is a space and `%XX` a byte.
///
/// # Errors
/// Fails if the key is not URL-encoded UTF-8.
///
/// ```
/// use contract::key::decode_event_key;
///
/// assert_eq!(decode_event_key("orders/file_land_timestamp%3D1534978800/May+2018.csv")?,
///     "orders/file_land_timestamp=1534978800/May 2018.csv");
/// # Ok::<(), contract::KeyError>(())
/// ```
pub fn decode_event_key(key: &str) -> Result<String, KeyError> {
    let fail = |reason: &str| KeyError { key: key.to_owned(), reason: reason.to_owned() };
    let mut bytes = Vec::with_capacity(key.len());
    let mut rest = key.bytes();
    while let Some(b) = rest.next() {
        match b {
            b'+' => bytes.push(b' '),
            b'%' => {
                let digits = [rest.next(), rest.next()].map(|d| d.and_then(|d| (d as char).to_digit(16)));
                let [Some(high), Some(low)] = digits else {
                    return Err(fail("`%` is not followed by two hexadecimal digits"));
                };
                bytes.push((high * 16 + low) as u8);
            }
            b => bytes.push(b),
        }
    }
    String::from_utf8(bytes).map_err(|_| fail("it is not UTF-8 once decoded"))
}

fn timestamp(text: &str) -> Option<u64> {
    let canonical =
        !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|seconds| canonical && *seconds <= MAX_TIMESTAMP)
}

/// Appends a suffix to a key. If the result would be too long for S3, the key is cut and a digest keeps it unique.
pub fn with_suffix(key: &str, suffix: &str) -> String {
    if key.len() + suffix.len() <= MAXIMUM_KEY {
        return format!("{key}{suffix}");
    }
    let digest = hexadecimal(&Sha256::digest(key)[..8]);
    let mut end = MAXIMUM_KEY - suffix.len() - digest.len() - 1;
    while !key.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}-{digest}{suffix}", &key[..end])
}

#[cfg(test)]
mod tests;

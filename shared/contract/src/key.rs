//! The grammar of object keys. A file keeps its key from land through raw-hist, raw and processed; only the bucket
//! changes:
//!
//! `<base folder>/<table>/file_land_timestamp=<unix seconds>/<table>[_<chunk>]_<unix seconds>.<jsonl|csv|parquet>[.gz]`

use std::fmt;

use sha2::{Digest, Sha256};

/// How the rows of a file are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FileFormat {
    /// One JSON object per line.
    JsonLines,
    /// Comma-separated values.
    Csv,
    /// Apache Parquet.
    Parquet,
}

/// How the bytes of a file are compressed as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Compression {
    /// Not at all (Parquet compresses inside).
    None,
    /// gzip, by the suffix `.gz`.
    Gzip,
}

/// What a file in land is called, as far as the key alone tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LandKey {
    /// The raw table that the file belongs to.
    pub table: String,
    /// The partition folder, if the file lies in one.
    pub file_land_timestamp: Option<u64>,
    /// The last segment.
    pub file_name: String,
    /// From the extension.
    pub format: FileFormat,
    /// From the extension.
    pub compression: Compression,
}

/// A file's key in every area, complete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataKey {
    /// The raw table.
    pub table: String,
    /// Unix seconds.
    pub file_land_timestamp: u64,
    /// The last segment.
    pub file_name: String,
}

/// Why a key is not one of ours. The message says what was expected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("key `{key}`: {reason}")]
pub struct KeyError {
    /// The key as it was given.
    pub key: String,
    /// What is wrong with it.
    pub reason: String,
}

/// The name of the partition folder's column.
pub const FILE_LAND_TIMESTAMP: &str = "file_land_timestamp";

/// Ten digits of Unix seconds reach the year 2286; eleven would be milliseconds by mistake.
pub const MAX_TIMESTAMP: u64 = 9_999_999_999;

/// The most bytes that a key of S3 may have: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html>.
pub const MAXIMUM_KEY: usize = 1024;

impl LandKey {
    /// Reads a decoded key of the land area.
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
                    "expected `{base}/<table>/{FILE_LAND_TIMESTAMP}=<unix seconds>/<file>`, or the same without the folder"
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
        let (format, compression) = extension(file_name).ok_or_else(|| {
            fail(format!("`{file_name}` has none of the extensions .jsonl, .jsonl.gz, .csv, .csv.gz, .parquet"))
        })?;
        Ok(Self { table: table.into(), file_land_timestamp, file_name: file_name.into(), format, compression })
    }

    /// The key under which the file goes on: its own folder, or the one of the time at which it landed.
    pub fn filed(&self, landed: u64) -> DataKey {
        DataKey {
            table: self.table.clone(),
            file_land_timestamp: self.file_land_timestamp.unwrap_or(landed),
            file_name: self.file_name.clone(),
        }
    }

    /// The number in a canonical name `<table>_<chunk>_<unix seconds>` of the file's own folder.
    pub fn chunk(&self) -> Option<u32> {
        let (chunk, named) = self.named()?;
        chunk.filter(|_| self.file_land_timestamp == Some(named))
    }

    /// Chunk and time in a canonical name `<table>[_<chunk>]_<unix seconds>`.
    pub fn named(&self) -> Option<(Option<u32>, u64)> {
        let stem = self.file_name.split('.').next()?;
        let rest = stem.strip_prefix(self.table.as_str())?.strip_prefix('_')?;
        let Some((chunk, seconds)) = rest.split_once('_') else { return Some((None, timestamp(rest)?)) };
        let chunk = chunk.parse().ok().filter(|number: &u32| number.to_string() == chunk)?;
        Some((Some(chunk), timestamp(seconds)?))
    }

    /// Whether the file name follows the grammar `<table>[_<chunk>]_<unix seconds>`, with the folder's own time.
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
    /// The canonical name of the `chunk`-th file (or of the only one) of a table that lands at a time.
    pub fn new(table: &str, file_land_timestamp: u64, chunk: Option<u32>, extension: &str) -> Self {
        let chunk = chunk.map(|n| format!("_{n}")).unwrap_or_default();
        Self {
            table: table.into(),
            file_land_timestamp,
            file_name: format!("{table}{chunk}_{file_land_timestamp}.{extension}"),
        }
    }

    /// The object key, without the bucket.
    pub fn format(&self, base_folder: &str) -> String {
        format!("{}{}", partition_prefix(base_folder, &self.table, self.file_land_timestamp), self.file_name)
    }
}

impl fmt::Display for FileFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::JsonLines => "jsonl",
            Self::Csv => "csv",
            Self::Parquet => "parquet",
        })
    }
}

/// The prefix under which all files of a table lie. Ends with `/`: `table` must not match `table_unprocessed` too.
pub fn table_prefix(base_folder: &str, table: &str) -> String {
    match base_folder.trim_matches('/') {
        "" => format!("{table}/"),
        base => format!("{base}/{table}/"),
    }
}

/// The prefix of the files of a table that landed at one time.
pub fn partition_prefix(base_folder: &str, table: &str, file_land_timestamp: u64) -> String {
    format!("{}{FILE_LAND_TIMESTAMP}={file_land_timestamp}/", table_prefix(base_folder, table))
}

/// Format and compression by a file name's extension.
pub fn extension(file_name: &str) -> Option<(FileFormat, Compression)> {
    let (name, compression) = match file_name.strip_suffix(".gz") {
        Some(name) => (name, Compression::Gzip),
        None => (file_name, Compression::None),
    };
    let (stem, extension) = name.rsplit_once('.')?;
    match (extension, compression) {
        _ if stem.is_empty() => None,
        ("jsonl", _) => Some((FileFormat::JsonLines, compression)),
        ("csv", _) => Some((FileFormat::Csv, compression)),
        ("parquet", Compression::None) => Some((FileFormat::Parquet, compression)),
        _ => None,
    }
}

/// Whether Glue and the key grammar take this as a table or database name.
pub fn is_table_name(name: &str) -> bool {
    (1..=255).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

/// `+` is a space and `%XX` a byte in the keys of S3 events.
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

/// A key with something after it. One that would be too long for S3 is cut, and told apart by its digest.
pub fn with_suffix(key: &str, suffix: &str) -> String {
    if key.len() + suffix.len() <= MAXIMUM_KEY {
        return format!("{key}{suffix}");
    }
    let digest: String = Sha256::digest(key).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    let mut end = MAXIMUM_KEY - suffix.len() - digest.len() - 1;
    while !key.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}-{digest}{suffix}", &key[..end])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BASE: &str = "open_data/postcodes_example";

    fn parse(inside: &str) -> Result<LandKey, String> {
        LandKey::parse(BASE, &format!("{BASE}/{inside}")).map_err(|e| e.reason)
    }

    #[test]
    fn the_grammar_by_example() {
        let key =
            parse("random_postcodes/file_land_timestamp=1665425864/random_postcodes_1665425864.jsonl.gz").unwrap();
        assert_eq!(key.table, "random_postcodes");
        assert_eq!(key.file_land_timestamp, Some(1_665_425_864));
        assert_eq!((key.format, key.compression), (FileFormat::JsonLines, Compression::Gzip));
        assert_eq!(key.check_name(), Ok(()));

        let loose = parse("t/t_0_5.csv").unwrap();
        assert_eq!(loose.filed(77).format(BASE), format!("{BASE}/t/file_land_timestamp=77/t_0_5.csv"));
        assert_eq!(loose.check_name(), Ok(()));
    }

    #[test]
    fn what_is_not_a_key_says_why() {
        for (inside, reason) in [
            ("t/../t_1.csv", "segment"),
            ("t//t_1.csv", "segment"),
            ("T/t_1.csv", "not a table name"),
            ("t/file_land_timestamp=2018-01-01T00:00:00/t_1.csv", "Unix seconds"),
            ("t/file_land_timestamp=1534978800000/t_1.csv", "Unix seconds"),
            ("t/file_land_timestamp=007/t_1.csv", "Unix seconds"),
            ("t/year=2018/t_1.csv", "expected a folder"),
            ("t/file_land_timestamp=1/t_1.xlsx", "extensions"),
            ("t/file_land_timestamp=1/t_1.parquet.gz", "extensions"),
            ("t/file_land_timestamp=1/.jsonl", "extensions"),
            ("t/a/b/c.csv", "expected `"),
            ("t/file_land_timestamp=1/t\n_1.csv", "control character"),
        ] {
            let found = parse(inside).unwrap_err();
            assert!(found.contains(reason), "{inside}: {found}");
        }
        assert!(LandKey::parse(BASE, "open_data/postcodes_example_old/t/t_1.csv").is_err());
        assert!(parse("t/file_land_timestamp=1/t_2.csv").unwrap().check_name().unwrap_err().contains("must agree"));
        assert!(parse("t/file_land_timestamp=1/data_1.csv").unwrap().check_name().is_err());
        assert!(parse("t/file_land_timestamp=1/t_x_1.csv").unwrap().check_name().is_err());
        for other in ["t/t_0_1.csv", "t/file_land_timestamp=1/t_0_2.csv", "t/file_land_timestamp=1/t_00_1.csv"] {
            assert_eq!(parse(other).unwrap().chunk(), None, "{other}");
        }
        assert_eq!(parse("t/t_3_1.csv").unwrap().named(), Some((Some(3), 1)));
        assert_eq!(parse("t/export.csv").unwrap().named(), None);
    }

    #[test]
    fn keys_stay_within_s3_s_limit() {
        assert_eq!(with_suffix("a/b", ".json"), "a/b.json");
        let long = "é".repeat(512);
        let (one, other) =
            (with_suffix(&long, ".report.json"), with_suffix(&format!("{}e", &long[2..]), ".report.json"));
        assert!(one.len() <= MAXIMUM_KEY && one.ends_with(".report.json") && one != other, "{one}");
    }

    #[test]
    fn event_keys_are_form_encoded() {
        assert_eq!(decode_event_key("a/file_land_timestamp%3D1/b+c%2B.gz").unwrap(), "a/file_land_timestamp=1/b c+.gz");
        assert!(decode_event_key("a%3").is_err());
        assert!(decode_event_key("a%ff").is_err());
    }

    proptest! {
        #[test]
        fn format_then_parse_is_the_same(
            table in "[a-z][a-z0-9_]{0,20}",
            seconds in 0u64..=MAX_TIMESTAMP,
            chunk in proptest::option::of(0u32..5_000),
            extension in proptest::sample::select(vec!["jsonl", "jsonl.gz", "csv", "csv.gz", "parquet"]),
            base in proptest::sample::select(vec!["", "a", "a/b/c"]),
        ) {
            let key = DataKey::new(&table, seconds, chunk, extension);
            let parsed = LandKey::parse(base, &key.format(base)).unwrap();
            prop_assert_eq!(parsed.check_name(), Ok(()));
            prop_assert_eq!((parsed.chunk(), parsed.named()), (chunk, Some((chunk, seconds))));
            prop_assert_eq!(parsed.filed(1), key);
        }

        #[test]
        fn any_key_is_parsed_or_refused_without_a_panic(key in "\\PC{0,60}") {
            if let Ok(parsed) = LandKey::parse(BASE, &format!("{BASE}/{key}"))
                && parsed.file_land_timestamp.is_some()
            {
                prop_assert_eq!(parsed.filed(0).format(BASE), format!("{BASE}/{key}"));
            }
            let _ = decode_event_key(&key);
        }
    }
}

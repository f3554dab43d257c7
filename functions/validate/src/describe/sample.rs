//! A sample: a file without a description, and means to look into it.

use std::fs;
use std::path::Path;

use contract::{DataFormat, FileFormat, MetaData, Table, key};
use rows::Ranges;

/// A sample with the format and compression that its name states.
pub(super) struct Sample<'a> {
    pub path: &'a Path,
    pub name: String,
    pub ranges: Ranges,
    pub format: FileFormat,
    pub compression: contract::Compression,
}

impl<'a> Sample<'a> {
    pub(super) fn open(path: &'a Path) -> Result<Self, String> {
        let cannot_read = |error: std::io::Error| format!("{}: {error}", path.display());
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let (format, compression) = key::extension(&name)
            .ok_or_else(|| format!("{}: none of the extensions {}", path.display(), key::extensions()))?;
        if !fs::metadata(path).map_err(cannot_read)?.is_file() {
            return Err(format!("{} is not a file", path.display()));
        }
        let ranges = Ranges::file(path).map_err(cannot_read)?;
        Ok(Self { path, name, ranges, format, compression })
    }

    pub(super) fn cannot(&self, error: &rows::ReadError) -> String {
        format!("{}: {error}", self.path.display())
    }
}

/// Returns a table to read a file by before it is described.
pub(super) fn looking(data_format: DataFormat, dialect: &str, columns: &str, checks: &str) -> Result<Table, String> {
    let format = match data_format {
        DataFormat::Json => "json",
        DataFormat::Parquet => "parquet",
        _ => "csv",
    };
    let text = format!(
        "{{\"name\": \"t\", \"data_format\": \"{format}\", \"location\": \"t\", \"dialect\": {dialect}, \"checks\": \
         {checks}, \"columns\": [{columns}]}}"
    );
    MetaData::parse_raw_table(Path::new("t.json"), &text).map_err(|problems| problems.to_string())
}

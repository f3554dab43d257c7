//! Opens a file: its name, its first bytes and the table's metadata decide how it is read.

use contract::{Compression, DataFormat, FileFormat, Table};

use crate::batch::Options;
use crate::cells::csv::{self, Records, Sheet};
use crate::cells::workbook::SheetRows;
use crate::input::archive;
use crate::input::encoding::Charset;
use crate::input::lines::{Form, Lines};
use crate::input::magic::{MAGIC_BYTES, Magic};
use crate::input::ranges::Input;
use crate::read_error::ReadError;

/// Opens a file as lines of text.
pub(crate) fn text(
    input: Input,
    format: FileFormat,
    compression: Compression,
    table: &Table,
    charset: Option<Charset>,
    options: &Options,
) -> Result<Lines, ReadError> {
    let extension = if format == FileFormat::Described { "txt" } else { format.extension() };
    let newline = table.file_dialect.line_terminator;
    let form = Form { newline, charset, extension, any_text: table.lines };
    let reader = match (compression, input) {
        (Compression::Zip, Input::Ranges(ranges)) => archive::single(ranges)?,
        (Compression::Zip, Input::Stream(_)) => return Err(as_ranges("zip")),
        (_, input) => input.into_reader(),
    };
    Lines::new(reader, compression, form, options.maximum_line_bytes, options.maximum_bytes)
}

/// Opens a file of delimited values, or a sheet of a workbook, as records.
pub(crate) fn records(
    input: Input,
    format: FileFormat,
    compression: Compression,
    table: &Table,
    options: &Options,
) -> Result<csv::RecordSource, ReadError> {
    let dialect = &table.file_dialect;
    if format == FileFormat::Excel {
        let Input::Ranges(ranges) = input else { return Err(as_ranges("xlsx")) };
        return Ok(csv::RecordSource::Sheet(Sheet::new(SheetRows::open(ranges, &dialect.sheet, options)?, dialect)));
    }
    let delimiter = if format == FileFormat::Tsv { b'\t' } else { b',' };
    let lines = text(input, format, compression, table, charset_of(table)?, options)?;
    Ok(csv::RecordSource::Text(Records::new(lines, options.maximum_line_bytes, dialect, delimiter)))
}

pub(crate) fn charset_of(table: &Table) -> Result<Option<Charset>, ReadError> {
    let charset = table.file_dialect.encoding.as_deref().map(Charset::named).transpose();
    charset.map_err(|reason| ReadError::Encoding { reason })
}

/// Determines the format and compression of a file whose name does not tell them. Its first bytes decide, and for text
/// the metadata.
pub(crate) fn resolve(
    input: Input,
    format: FileFormat,
    compression: Compression,
    table: &Table,
) -> Result<(Input, FileFormat, Compression), ReadError> {
    if format != FileFormat::Described {
        return Ok((input, format, compression));
    }
    let described = match table.data_format {
        DataFormat::Json => FileFormat::Json,
        DataFormat::Parquet if compression == Compression::None => FileFormat::Parquet,
        _ => FileFormat::Csv,
    };
    let (Input::Ranges(ranges), Compression::None) = (&input, compression) else {
        return Ok((input, described, compression));
    };
    let length = usize::try_from(ranges.length()).unwrap_or(usize::MAX).min(MAGIC_BYTES);
    let first = ranges.get(0, length).map_err(|error| ReadError::Io {
        line: 1,
        byte: 0,
        kind: error.kind(),
        message: error.to_string(),
    })?;
    let (format, compression) = match Magic::of(&first) {
        Some(Magic::Gzip) => (described, Compression::Gzip),
        Some(Magic::Zip) => (described, Compression::Zip),
        Some(Magic::Zstd) => (described, Compression::Zstd),
        Some(Magic::Bzip2) => (described, Compression::Bzip2),
        Some(Magic::Parquet) => (FileFormat::Parquet, Compression::None),
        Some(Magic::Excel) => (FileFormat::Excel, Compression::None),
        // an empty file is left to the Parquet reader, which refuses it
        _ if described == FileFormat::Parquet && !first.is_empty() => {
            let reason = "expected a Parquet file, as the table's data_format has it: it does not begin like one";
            return Err(ReadError::Format { reason: reason.into() });
        }
        Some(Magic::OldExcel | Magic::Other(_)) | None => (described, Compression::None),
    };
    Ok((input, format, compression))
}

/// Whether a file needs [`Ranges`](crate::Ranges): its directory is at its end, or its name does not tell its format.
pub fn needs_ranges(format: FileFormat, compression: Compression) -> bool {
    let anywhere = matches!(format, FileFormat::Parquet | FileFormat::Excel | FileFormat::Described);
    anywhere || compression == Compression::Zip
}

pub(crate) fn as_ranges(format: &str) -> ReadError {
    let reason = format!("{format}: its description is at its end: it must come as ranges, not as a stream");
    ReadError::Format { reason }
}

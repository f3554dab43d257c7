//! Reads the rows of a Parquet file, one row group after the other.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::FieldRef;
use contract::Table;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use parquet::arrow::{ProjectionMask, parquet_to_arrow_schema_by_columns};
use parquet::basic::{Compression, Type};
use parquet::file::metadata::{
    ColumnChunkMetaData, FileMetaData, ParquetMetaData, ParquetMetaDataOptions, ParquetMetaDataReader,
    ParquetStatisticsPolicy, RowGroupMetaData,
};
use parquet::schema::types::{SchemaDescPtr, SchemaDescriptor};

use crate::batch::{Options, Rows};
use crate::describe::inferred::Inferred;
use crate::input::ranges::{Blocks, Ranges};
use crate::misfit::MisfitKind;
use crate::parquet::convert::{Conversion, as_it_is};
use crate::parquet::found::{Found, Origin, as_bytes};
use crate::parquet::pages::{Chunk, Failure, Ledger, Pages, in_column};
use crate::parquet::thrift::{Torn, check_footer, renumbered};
use crate::read_error::ReadError;
use crate::values::column::{Fault, Place};

/// Larger footers are refused.
const LARGEST_FOOTER_BYTES: u64 = 32 << 20;
/// The footer's length, and the magic bytes.
const TAIL_BYTES: u64 = 8;
/// The most bytes of text in a batch, if every row has the longest text of each dictionary.
const DICTIONARY_TEXT_BYTES: usize = 128 << 20;

/// A Parquet file being read.
#[derive(Debug)]
pub(crate) struct Parquet {
    blocks: Arc<Blocks>,
    ledger: Arc<Ledger>,
    metadata: ParquetMetaData,
    /// The file's schema, as the crate gets it.
    schema: SchemaDescPtr,
    mask: ProjectionMask,
    columns: Vec<ColumnSource>,
    batch_rows: usize,
    batch_bytes: usize,
    next_group: usize,
    group: Option<Group>,
    rows: u64,
}

/// The source of a column's values.
#[derive(Debug)]
enum ColumnSource {
    Missing,
    Twice,
    /// The column's index in the crate's batches, and its conversion.
    At(usize, Conversion),
}

/// The current row group.
struct Group {
    reader: ParquetRecordBatchReader,
    rows_left: u64,
}

impl std::fmt::Debug for Group {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Group").field("rows_left", &self.rows_left).finish_non_exhaustive()
    }
}

impl Parquet {
    /// Reads the footer and finds the table's columns in it.
    pub(crate) fn open(
        ranges: Ranges,
        table: &Table,
        rows: &mut Rows,
        options: &Options,
        batch_rows: usize,
    ) -> Result<Self, ReadError> {
        let failed = |failure: Failure| read_error(failure, 1, 0, options.maximum_bytes);
        let (metadata, encrypted) = read_metadata(&ranges).map_err(failed)?;
        let ledger = Arc::new(Ledger::new(ranges.length(), options.maximum_bytes, encrypted));
        let schema = metadata.file_metadata().schema_descr_ptr();
        let crate_failed = |error: &dyn std::fmt::Display| failed(Failure::File(reason(error)));
        let origins: Vec<Origin> = (0..schema.num_columns()).map(|leaf| Origin::of(&schema.column(leaf))).collect();
        let schema = as_bytes(&schema).map_err(|error| crate_failed(&error))?;
        let roots = schema.root_schema().get_fields();

        let mut places = vec![None; rows.columns.len()];
        let mut twice = vec![false; places.len()];
        for (nth, root) in roots.iter().enumerate() {
            match rows.names.find(nth, root.name()) {
                None => {
                    let place = rows.tallies.unexpected_everywhere(root.name());
                    rows.tallies.unexpected_type(place, || {
                        // a column whose type the crate does not know needs none: it is not read
                        let field = field(&schema, nth).ok()?;
                        let found = Found::new(field.data_type(), &mut origins_of(&schema, &origins, nth));
                        Some(Inferred::declared(found.column_type(), found.field_names(), field.is_nullable()))
                    });
                }
                Some(column) if places[column].is_some() => twice[column] = true,
                Some(column) => places[column] = Some(nth),
            }
        }
        let mut read: Vec<usize> = places.iter().flatten().copied().collect();
        read.sort_unstable();
        let mut found = Vec::with_capacity(read.len());
        for nth in &read {
            let name = in_column(roots[*nth].name());
            let field = field(&schema, *nth).map_err(|error| failed(Failure::File(name + &error)))?;
            found.push(Found::new(field.data_type(), &mut origins_of(&schema, &origins, *nth)));
        }
        let mask = match (read.is_empty(), schema.num_columns()) {
            (true, 0) => ProjectionMask::leaves(&schema, []),
            // if the file has none of the table's columns, any one is read to count the rows
            (true, _) => {
                let simple_first = roots.iter().enumerate().map(|(n, root)| (root.is_group(), n));
                let mut candidates: Vec<(bool, usize)> = simple_first.collect();
                candidates.sort_unstable();
                let any = candidates.into_iter().find(|(_, n)| field(&schema, *n).is_ok());
                let (_, any) = any.ok_or_else(|| failed("none of its columns is of a type that can be read".into()))?;
                ProjectionMask::roots(&schema, [any])
            }
            (false, _) => ProjectionMask::roots(&schema, read.iter().copied()),
        };

        let columns = table.data_columns().iter().zip(&places).zip(&twice).map(|((column, place), twice)| {
            let at = place.and_then(|place| read.binary_search(&place).ok());
            match at.zip(at.and_then(|at| found.get(at))) {
                None => ColumnSource::Missing,
                Some(_) if *twice => ColumnSource::Twice,
                Some((at, found)) => {
                    ColumnSource::At(at, Conversion::new(&column.column_type, &column.source_names, found))
                }
            }
        });
        let leaves = (0..schema.num_columns()).filter(|leaf| mask.leaf_included(*leaf)).count();
        Ok(Self {
            columns: columns.collect(),
            blocks: Arc::new(Blocks::new(ranges, leaves)),
            ledger,
            schema: Arc::clone(&schema),
            mask,
            batch_rows,
            batch_bytes: options.batch_bytes,
            next_group: 0,
            group: None,
            rows: 0,
            metadata,
        })
    }

    /// Reports the columns that are wrong in a file without rows.
    pub(crate) fn without_rows(&self, rows: &mut Rows) {
        for (n, source) in self.columns.iter().enumerate() {
            match source {
                ColumnSource::Missing => rows.tallies.missing_without_rows(n),
                ColumnSource::Twice => rows.tallies.duplicate_without_rows(n),
                ColumnSource::At(..) => {}
            }
        }
        rows.tallies.unexpected_without_rows();
    }

    /// Rows read.
    pub(crate) fn rows(&self) -> u64 {
        self.rows
    }

    /// Decompressed bytes of the pages read.
    pub(crate) fn bytes(&self) -> u64 {
        self.ledger.bytes()
    }

    /// Appends the next rows, as many as are decoded at once. Returns false at the end.
    pub(crate) fn take(&mut self, rows: &mut Rows, options: &Options) -> Result<bool, ReadError> {
        match self.next() {
            Ok(None) => Ok(false),
            Ok(Some(batch)) => {
                self.append(&batch, rows);
                Ok(true)
            }
            Err(failure) => {
                let failure = self.ledger.failure().unwrap_or(failure);
                Err(read_error(failure, self.rows + 1, self.bytes(), options.maximum_bytes))
            }
        }
    }

    fn next(&mut self) -> Result<Option<RecordBatch>, Failure> {
        loop {
            let group = match &mut self.group {
                Some(group) => group,
                None if self.next_group == self.metadata.num_row_groups() => return Ok(None),
                None => {
                    let group = self.open_group(self.next_group)?;
                    self.next_group += 1;
                    self.group.insert(group)
                }
            };
            self.ledger.start_batch();
            match group.reader.next() {
                Some(Ok(batch)) => {
                    let rows = batch.num_rows() as u64;
                    if rows > group.rows_left {
                        return Err("a row group has more rows than its description says".into());
                    }
                    group.rows_left -= rows;
                    if rows > 0 {
                        return Ok(Some(batch));
                    }
                }
                Some(Err(error)) => return Err(reason(&error).into()),
                None if group.rows_left > 0 => {
                    return Err("a row group has fewer rows than its description says".into());
                }
                None => self.group = None,
            }
        }
    }

    /// Opens a row group as a file of its own for the crate, with the pages that `pages` writes.
    fn open_group(&self, n: usize) -> Result<Group, Failure> {
        let group = self.metadata.row_group(n);
        let rows = u64::try_from(group.num_rows()).map_err(|_| "a row group with a negative number of rows")?;
        let schema = Arc::clone(&self.schema);
        if rows > 0 && schema.num_columns() == 0 {
            return Err("rows without columns".into());
        }
        self.ledger.start_batch();
        let mut chunks = Vec::with_capacity(group.columns().len());
        let mut columns = Vec::with_capacity(group.columns().len());
        // every row may have a dictionary's longest text
        let mut text_bytes = 0_usize;
        for (leaf, column) in group.columns().iter().enumerate() {
            let read = self.mask.leaf_included(leaf);
            let chunk = read.then(|| Chunk::new(column, &self.blocks, &self.ledger)).transpose();
            let mut chunk = chunk.map_err(|failure| failure.in_column(column.column_descr()))?;
            let described = chunk.as_ref().map_or((0, 0), |chunk| chunk.space(leaf));
            if let Some(chunk) = &mut chunk
                && schema.column(leaf).max_rep_level() == 0
                && column.column_type() == Type::BYTE_ARRAY
            {
                let longest = chunk.longest_text();
                let longest = longest.map_err(|failure| self.ledger.failure_of(failure, column.column_descr()))?;
                text_bytes = text_bytes.saturating_add(longest);
            }
            chunks.push(chunk);
            columns.push(
                ColumnChunkMetaData::builder(schema.column(leaf))
                    .set_num_values(column.num_values())
                    .set_compression(Compression::UNCOMPRESSED)
                    .set_data_page_offset(described.0 as i64)
                    .set_total_compressed_size(described.1 as i64)
                    .set_total_uncompressed_size(described.1 as i64)
                    .build()
                    .map_err(|error| reason(&error))?,
            );
        }
        // as many rows as fill a batch, by the sizes that the file states
        let bytes = u64::try_from(group.total_byte_size()).unwrap_or_default() / rows.max(1);
        let by_bytes = usize::try_from(self.batch_bytes as u64 / bytes.max(1)).unwrap_or(usize::MAX);
        let by_text = DICTIONARY_TEXT_BYTES / text_bytes.max(1);
        let batch_rows = self.batch_rows.min(by_bytes).min(by_text).max(1);

        let group = RowGroupMetaData::builder(Arc::clone(&schema))
            .set_num_rows(group.num_rows())
            .set_total_byte_size(0)
            .set_column_metadata(columns)
            .build()
            .map_err(|error| reason(&error))?;
        let file = FileMetaData::new(1, group.num_rows(), None, None, schema, None);
        let metadata = Arc::new(ParquetMetaData::new(file, vec![group]));
        // ignore the Arrow schema that a file may have, as other readers do
        let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
        let metadata = ArrowReaderMetadata::try_new(metadata, options).map_err(|error| reason(&error))?;
        let pages = Pages::new(&self.ledger, chunks);
        let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(pages, metadata)
            .with_projection(self.mask.clone())
            .with_batch_size(batch_rows)
            .build()
            .map_err(|error| reason(&error))?;
        Ok(Group { reader, rows_left: rows })
    }

    fn append(&mut self, batch: &RecordBatch, rows: &mut Rows) {
        let mut values: Vec<Option<&ArrayRef>> = Vec::with_capacity(self.columns.len());
        for (n, source) in self.columns.iter().enumerate() {
            let array = match source {
                ColumnSource::At(at, _) => batch.columns().get(*at),
                ColumnSource::Missing | ColumnSource::Twice => None,
            };
            let ready = match (array, source) {
                (Some(array), ColumnSource::At(_, plan)) => as_it_is(array, &rows.columns[n].column_type, plan),
                _ => None,
            };
            values.push(if ready.is_some() { None } else { array });
            rows.ready[n] = ready;
        }
        for row in 0..batch.num_rows() {
            self.rows += 1;
            let line = self.rows;
            for (n, source) in self.columns.iter().enumerate() {
                match (source, values[n]) {
                    (ColumnSource::At(_, plan), Some(array)) => {
                        let shown = rows.tallies.shows(MisfitKind::WrongType, n);
                        let (column, tallies) = (&mut rows.columns[n], &mut rows.tallies);
                        let mut tell = |fault: Fault<'_>| tallies.fault(line, n, fault);
                        if !column.append_arrow(plan, array, row, Place::Value, shown, &mut tell) {
                            rows.gap(n, false);
                        }
                    }
                    (ColumnSource::At(..), None) => {}
                    (ColumnSource::Missing, _) => {
                        rows.columns[n].append_null();
                        rows.tallies.missing(line, n);
                        rows.gap(n, true);
                    }
                    (ColumnSource::Twice, _) => {
                        rows.columns[n].append_null();
                        rows.tallies.duplicate(line, n);
                        rows.gap(n, false);
                    }
                }
            }
            rows.row(line, "");
        }
    }
}

fn read_metadata(ranges: &Ranges) -> Result<(ParquetMetaData, bool), Failure> {
    let length = ranges.length();
    let before_tail = length.checked_sub(TAIL_BYTES).ok_or("it is too short for a Parquet file")?;
    let tail = ranges.get(before_tail, TAIL_BYTES as usize)?;
    let (size, magic) = tail.split_first_chunk::<4>().ok_or("it is too short for a Parquet file")?;
    match magic {
        b"PAR1" => {}
        b"PARE" => return Err("it is encrypted".into()),
        _ => return Err("it does not end like a Parquet file: it is cut off, or of another format".into()),
    }
    let size = u64::from(u32::from_le_bytes(*size));
    let start = before_tail.checked_sub(size).ok_or("its description is longer than the file")?;
    if size > LARGEST_FOOTER_BYTES {
        return Err(format!("its description is longer than {LARGEST_FOOTER_BYTES} bytes").into());
    }
    let footer = ranges.get(start, size as usize)?;
    let damaged = |what: &str| Failure::from(format!("its description is damaged: {what}"));
    let torn = |torn: Torn| match torn {
        Torn::End => damaged("it ends too early"),
        Torn::Bad(what) => damaged(what),
    };
    let encrypted = check_footer(&footer).map_err(torn)?;
    let footer = renumbered(&footer).map_err(torn)?;
    let options = ParquetMetaDataOptions::new()
        .with_column_stats_policy(ParquetStatisticsPolicy::SkipAll)
        .with_encoding_stats_policy(ParquetStatisticsPolicy::SkipAll)
        .with_size_stats_policy(ParquetStatisticsPolicy::SkipAll);
    let metadata = ParquetMetaDataReader::decode_metadata_with_options(&footer, Some(&options));
    Ok((metadata.map_err(|error| damaged(&reason(&error)))?, encrypted))
}

/// Returns a column of the file as the crate reads it.
fn field(schema: &SchemaDescriptor, root: usize) -> Result<FieldRef, String> {
    let arrow = parquet_to_arrow_schema_by_columns(schema, ProjectionMask::roots(schema, [root]), None);
    let arrow = arrow.map_err(|error| reason(&error))?;
    arrow.fields().first().cloned().ok_or_else(|| "a group without fields".into())
}

/// Returns the origins of a column's leaves.
fn origins_of<'a>(
    schema: &'a SchemaDescriptor,
    origins: &'a [Origin],
    root: usize,
) -> impl Iterator<Item = Origin> + 'a {
    let leaves = (0..schema.num_columns()).filter(move |leaf| schema.get_column_root_idx(*leaf) == root);
    leaves.map(|leaf| origins[leaf])
}

/// Returns the crate's message without its prefix.
fn reason(error: &dyn std::fmt::Display) -> String {
    let mut text = error.to_string();
    for prefix in ["Parquet argument error: ", "Parquet error: ", "External: "] {
        if let Some(rest) = text.strip_prefix(prefix) {
            text = rest.to_owned();
        }
    }
    text.chars().take(500).collect()
}

fn read_error(failure: Failure, row: u64, byte: u64, maximum_bytes: u64) -> ReadError {
    match failure {
        Failure::Io(error) => ReadError::Io { line: row, byte, kind: error.kind(), message: error.to_string() },
        Failure::TooLarge => ReadError::TooLarge { line: row, limit: maximum_bytes },
        Failure::File(reason) => ReadError::Parquet { row, reason },
    }
}

//! The floor of curate: the least time for this work with our own reader and the Parquet library's writer, but without
//! an SQL engine.
//!
//! The files of the raw table are read as one gzip stream of many members, in the order of their keys, so many small
//! files cost no more than one. Three threads work in parallel. One inflates (the reader's own), one parses into Arrow
//! and counts the regions in a hash map, and one encodes Parquet with the settings of curate's `parquet_file.rs`.
//! Unlike curate, the floor has no SQL, casts to the metadata's types, handling of misfits, file columns, checksums or
//! manifest.

use std::collections::{HashMap, VecDeque};
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use contract::{Compression, FileFormat, MetaData};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::Compression as PageCompression;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;
use rows::{Options, RowReader};

use crate::postcodes::TABLE;
use crate::{Fault, META_DATA, curated};

/// As in curate's `parquet_file.rs`.
const ROW_GROUP_ROWS: usize = 262_144;
/// The columns that curate writes without a dictionary, as it decides from the first rows.
const NO_DICTIONARY: &[&str] =
    &["postcode", "eastings", "northings", "longitude", "latitude", "lsoa", "codes_lsoa", "index"];
/// Larger batches are slower to parse, smaller ones slower to encode.
const BATCH_ROWS: usize = 1024;
/// The most batches parsed ahead of the encoder.
const BATCHES_AHEAD: usize = 64;
const COUNTED: &str = "european_electoral_region";

/// Numbers of rows by region, where `None` is a region too.
type Counts = HashMap<Option<String>, i64>;

/// Builds both tables from the files under a folder.
pub fn build(raw_hist: &Path, to: &Path, dea_version: &str, snapshot_date: &str) -> Result<(), Fault> {
    let metadata = MetaData::read(META_DATA.as_ref())?;
    let table = metadata.raw_table(TABLE)?;
    let files = Files { left: files(&raw_hist.join(TABLE))?.into(), open: None };
    let options = Options { batch_rows: BATCH_ROWS, maximum_bytes: u64::MAX, ..Options::default() };
    let mut reader = RowReader::new(files, FileFormat::JsonLines, Compression::Gzip, table, options)?;
    let read = reader.schema();
    let mut fields = read.fields().to_vec();
    fields.push(Arc::new(Field::new("dea_version", DataType::Utf8, true)));
    let schema = Arc::new(Schema::new(fields));
    let version: ArrayRef = Arc::new(StringArray::from_iter_values(std::iter::repeat_n(dea_version, BATCH_ROWS)));

    let (batches, encoded) = sync_channel(BATCHES_AHEAD);
    let straight = Arc::clone(&schema);
    let parse = move || parse(&mut reader, &straight, &version, &batches);
    let (counts, rows) = thread::scope(|scope| -> Result<(Counts, usize), Fault> {
        let parsing = scope.spawn(parse);
        let mut writer = writer(&to.join(curated::STRAIGHT), &schema)?;
        let mut rows = 0;
        for batch in encoded {
            rows += batch.num_rows();
            writer.write(&batch)?;
        }
        writer.close()?;
        let counts = parsing.join().map_err(|_| "the thread that parses has stopped")??;
        Ok((counts, rows))
    })?;
    let counted = counted(counts, dea_version)?;
    let folder = to.join(curated::COUNTED).join(format!("{}={snapshot_date}", curated::PARTITION));
    let mut writer = writer(&folder, &counted.schema())?;
    writer.write(&counted)?;
    writer.close()?;
    println!("{rows} rows");
    Ok(())
}

fn parse(
    reader: &mut RowReader,
    schema: &SchemaRef,
    version: &ArrayRef,
    to: &SyncSender<RecordBatch>,
) -> Result<Counts, Fault> {
    let region = schema.index_of(COUNTED)?;
    let mut counts: HashMap<String, i64, ahash::RandomState> = HashMap::default();
    let mut nulls = 0;
    while let Some(batch) = reader.next_batch()? {
        if let Some(misfit) = batch.misfits.first() {
            return Err(misfit.to_string().into());
        }
        for value in batch.batch.column(region).as_string::<i32>() {
            match value {
                None => nulls += 1,
                Some(value) => match counts.get_mut(value) {
                    Some(count) => *count += 1,
                    None => drop(counts.insert(value.to_owned(), 1)),
                },
            }
        }
        let mut columns = batch.batch.columns().to_vec();
        columns.push(version.slice(0, batch.batch.num_rows()));
        if to.send(RecordBatch::try_new(Arc::clone(schema), columns)?).is_err() {
            break;
        }
    }
    let mut lower: Counts = HashMap::new();
    for (value, count) in counts {
        *lower.entry(Some(value.to_lowercase())).or_default() += count;
    }
    if nulls > 0 {
        lower.insert(None, nulls);
    }
    Ok(lower)
}

fn counted(counts: Counts, dea_version: &str) -> Result<RecordBatch, Fault> {
    let (regions, counts): (Vec<_>, Vec<_>) = counts.into_iter().unzip();
    let versions: ArrayRef = Arc::new(StringArray::from(vec![dea_version; counts.len()]));
    let columns: [(_, ArrayRef, _); 3] = [
        (COUNTED, Arc::new(StringArray::from(regions)), true),
        ("n", Arc::new(Int64Array::from(counts)), true),
        ("dea_version", versions, true),
    ];
    Ok(RecordBatch::try_from_iter_with_nullable(columns)?)
}

fn writer(folder: &Path, schema: &SchemaRef) -> Result<ArrowWriter<File>, Fault> {
    fs::create_dir_all(folder)?;
    let mut properties = WriterProperties::builder()
        .set_compression(PageCompression::SNAPPY)
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_created_by("landfall".into());
    for column in NO_DICTIONARY {
        properties = properties.set_column_dictionary_enabled(ColumnPath::new(vec![(*column).into()]), false);
    }
    let options = ArrowWriterOptions::new().with_properties(properties.build()).with_skip_arrow_metadata(true);
    let file = File::create(folder.join("data-part-0.parquet"))?;
    Ok(ArrowWriter::try_new_with_options(file, Arc::clone(schema), options)?)
}

/// Lists the files of a table's partition folders, in the order of their keys.
fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for partition in fs::read_dir(folder)? {
        for file in fs::read_dir(partition?.path())? {
            files.push(file?.path());
        }
    }
    files.sort();
    Ok(files)
}

/// Files read one after another as one stream.
struct Files {
    left: VecDeque<PathBuf>,
    open: Option<File>,
}

impl Read for Files {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            if let Some(open) = &mut self.open {
                match open.read(into)? {
                    0 => self.open = None,
                    n => return Ok(n),
                }
            }
            match self.left.pop_front() {
                None => return Ok(0),
                Some(next) => self.open = Some(File::open(next)?),
            }
        }
    }
}

//! Encoding columns in parallel produces the same file as the library's own writer, byte for byte.

use std::fs;
use std::sync::Arc;

use crate::place::random;
use arrow::array::{
    ArrayRef, BooleanArray, Float64Array, Int32Array, Int64Array, ListArray, RecordBatch, StringArray, StructArray,
};
use arrow::datatypes::{Field, Fields, Int32Type};
use bytes::Bytes;
use contract::ParquetCompression;
use curate::area::Area;
use curate::parquet_file::{ParquetFile, properties};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use tokio::runtime::Builder;

/// Returns the file of our writer, on a number of threads and given `together` batches at once, and the file of the
/// library's.
fn written(batches: &[RecordBatch], threads: usize, together: usize) -> (Vec<u8>, Vec<u8>) {
    let schema = batches[0].schema();
    let properties = properties(ParquetCompression::Snappy, &schema, &batches[..1]).unwrap();

    let folder = tempfile::tempdir().unwrap();
    let area = Area::Folder(folder.path().to_owned());
    let runtime = Builder::new_multi_thread().worker_threads(threads).build().unwrap();
    let ours = runtime.block_on(async {
        let mut file = ParquetFile::create(&area, "ours.parquet".into(), &schema, &properties).await.unwrap();
        for batches in batches.chunks(together) {
            file.write(batches.to_vec()).await.unwrap();
        }
        file.finish().await.unwrap()
    });
    let bytes = fs::read(folder.path().join("ours.parquet")).unwrap();
    assert_eq!(ours.bytes, bytes.len() as u64);
    assert_eq!(ours.rows, batches.iter().map(|batch| batch.num_rows() as u64).sum::<u64>());

    let limited = properties.into_builder();
    let limited = limited.set_max_row_group_row_count(Some(262_144)).set_max_row_group_bytes(Some(64 << 20)).build();
    let options = ArrowWriterOptions::new().with_properties(limited).with_skip_arrow_metadata(true);
    let mut library = ArrowWriter::try_new_with_options(Vec::new(), schema, options).unwrap();
    for batch in batches {
        library.write(batch).unwrap();
    }
    (bytes, library.into_inner().unwrap())
}

fn row_groups(file: Vec<u8>) -> Vec<i64> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(file)).unwrap();
    reader.metadata().row_groups().iter().map(parquet::file::metadata::RowGroupMetaData::num_rows).collect()
}

/// Returns rows of eleven columns, two of which have several leaves, numbered from `from`.
fn rows(from: i64, count: usize) -> RecordBatch {
    let numbers = || (from..).take(count);
    let known = |n: &i64| n % 5 != 0;
    let long: ArrayRef = Arc::new(Int64Array::from_iter_values(numbers()));
    let int: ArrayRef = Arc::new(Int32Array::from_iter(numbers().map(|n| known(&n).then_some(n as i32 % 77))));
    let double: ArrayRef = Arc::new(Float64Array::from_iter_values(numbers().map(|n| n as f64 / 7.0)));
    let truth: ArrayRef = Arc::new(BooleanArray::from_iter(numbers().map(|n| Some(n % 3 == 0))));
    let word: ArrayRef =
        Arc::new(StringArray::from_iter(numbers().map(|n| known(&n).then(|| format!("w{}", n % 999)))));
    let text: ArrayRef = Arc::new(StringArray::from_iter_values(numbers().map(|n| format!("text {n}"))));
    let list: ArrayRef = Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>(
        numbers().map(|n| known(&n).then(|| (0..n as i32 % 4).map(Some))),
    ));
    let fields = Fields::from(vec![
        Field::new("word", word.data_type().clone(), true),
        Field::new("list", list.data_type().clone(), true),
    ]);
    let nested: ArrayRef = Arc::new(StructArray::new(fields, vec![word.clone(), list.clone()], None));
    let columns = [long.clone(), list, int, double, truth.clone(), nested, word, text.clone(), long, truth, text];
    let named = columns.into_iter().enumerate().map(|(n, column)| (format!("c{n}"), column, true));
    RecordBatch::try_from_iter_with_nullable(named).unwrap()
}

#[test]
fn a_row_group_ends_with_its_last_row() {
    let mut batches = Vec::new();
    let mut from = 0;
    for size in [8_192, 1, 1_024, 0, 255, 256, 40_000].repeat(6) {
        batches.push(rows(from, size));
        from += size as i64;
    }
    let (ours, library) = written(&batches, 4, 3);
    assert!(ours == library);
    assert!(ours == written(&batches, 1, 1).0);
    let groups = row_groups(ours);
    assert_eq!(groups[0], 262_144);
    assert_eq!(groups.iter().sum::<i64>(), from);
}

#[test]
fn no_rows_are_no_row_group() {
    let (ours, library) = written(&[rows(0, 0), rows(0, 0)], 2, 1);
    assert!(ours == library);
    assert_eq!(row_groups(ours), [0; 0]);
}

#[test]
fn a_row_group_ends_with_its_last_byte() {
    // random letters, as compressible text would not fill a row group
    let mut state = 1;
    let mut letter = || char::from(b' ' + (random(&mut state) >> 58) as u8);
    let mut text = || -> String { (0..40_000).map(|_| letter()).collect() };
    let texts: Vec<String> = (0..300).map(|_| text()).collect();
    let batches: Vec<_> = (0..12)
        .map(|n| {
            let values = texts.iter().map(|text| format!("{n}{text}"));
            let column: ArrayRef = Arc::new(StringArray::from_iter_values(values));
            RecordBatch::try_from_iter([("text", column)]).unwrap()
        })
        .collect();
    let (ours, library) = written(&batches, 2, 1);
    assert!(ours == library);
    let groups = row_groups(ours);
    assert!(groups.len() > 1 && groups.iter().sum::<i64>() == 3_600, "{groups:?}");
}

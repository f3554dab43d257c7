//! Tests of the reader over Parquet, by example and by property, and against the other formats.

use std::io::{self, Cursor};
use std::sync::{Arc, Mutex};

use arrow::array::{
    Array, ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, FixedSizeBinaryArray, Float32Array,
    Float64Array, Int8Array, Int16Array, Int32Array, Int64Array, LargeStringArray, ListArray, NullArray, RecordBatch,
    StringArray, StringDictionaryBuilder, StringViewArray, StructArray, TimestampMicrosecondArray,
    TimestampMillisecondArray, TimestampNanosecondArray, UInt8Array, UInt64Array,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, Fields, Int32Type};
use bytes::Bytes;
use contract::{ColumnType, Compression, FileFormat, Table, TimestampUnit};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression as Codec, Encoding, GzipLevel, ZstdLevel};
use parquet::data_type::{Int96, Int96Type};
use parquet::file::properties::{WriterProperties, WriterVersion};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use proptest::prelude::*;

use crate::MisfitKind;
use crate::Options;
use crate::Ranges;
use crate::ReadError;
use crate::RowReader;
use crate::tests::{Reading, Value, drain, json, one, rows_of_a_table, table, values};

fn write_with(batch: &RecordBatch, properties: WriterProperties) -> Bytes {
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties)).unwrap();
    writer.write(batch).unwrap();
    writer.into_inner().unwrap().into()
}

fn write(batch: &RecordBatch) -> Bytes {
    write_with(batch, WriterProperties::default())
}

fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true))).unwrap()
}

fn open(bytes: Bytes, table: &Table, options: Options) -> Result<RowReader, ReadError> {
    RowReader::new(Ranges::from(bytes), FileFormat::Parquet, Compression::None, table, options)
}

fn read_with(bytes: Bytes, table: &Table, options: Options) -> Reading {
    match open(bytes, table, options) {
        Ok(reader) => drain(reader),
        Err(error) => Reading { batches: Vec::new(), summary: Default::default(), error: Some(error) },
    }
}

fn read(bytes: Bytes, table: &Table) -> Reading {
    read_with(bytes, table, Options::default())
}

/// Reads one column. Returns its values and the misfits as text.
fn column(array: ArrayRef, column_type: ColumnType) -> (Vec<Value>, Vec<String>) {
    let reading = read(write(&batch(vec![("c", array)])), &one("c", column_type));
    assert_eq!(reading.error, None);
    let shown = reading.shown().iter().map(|misfit| misfit.replace(", column `c`", "")).collect();
    (values(&reading.batches).into_iter().map(|mut row| row.remove(0)).collect(), shown)
}

#[test]
fn values_of_other_types_are_read_as_their_json_would_be() {
    use Value::{Days, Milliseconds, Null, Number, Text, Truth, Units, Whole};
    let decimal = |precision, scale| ColumnType::Decimal { precision, scale };
    let units = |values: Vec<i128>, precision, scale| -> ArrayRef {
        Arc::new(Decimal128Array::from(values).with_precision_and_scale(precision, scale).unwrap())
    };
    let mut dictionary = StringDictionaryBuilder::<Int32Type>::new();
    dictionary.append_value("x");
    let fixed = FixedSizeBinaryArray::try_from_iter([[1_u8, 2]].iter()).unwrap();
    let utc = TimestampMicrosecondArray::from(vec![1_000_000]).with_timezone("UTC");
    let array = |array: ArrayRef| array;
    for (array, column_type, expected) in [
        (array(Arc::new(Int64Array::from(vec![127, 128, -129]))), ColumnType::Int8, vec![Whole(127), Null, Null]),
        (Arc::new(Int8Array::from(vec![-7])), ColumnType::Int64, vec![Whole(-7)]),
        (Arc::new(Int16Array::from(vec![-7])), ColumnType::Int32, vec![Whole(-7)]),
        (Arc::new(UInt64Array::from(vec![u64::MAX, 1])), ColumnType::Int64, vec![Null, Whole(1)]),
        (Arc::new(UInt8Array::from(vec![255])), ColumnType::Int32, vec![Whole(255)]),
        (
            Arc::new(Int64Array::from(vec![9_007_199_254_740_993])),
            ColumnType::Float64,
            vec![Number(9_007_199_254_740_992.0)],
        ),
        (Arc::new(Int32Array::from(vec![15, 1500])), decimal(4, 1), vec![Units(150), Null]),
        (Arc::new(Float64Array::from(vec![1.0, 1.5, 3e9])), ColumnType::Int32, vec![Whole(1), Null, Null]),
        (Arc::new(Float64Array::from(vec![0.1, 0.15, 1e300])), decimal(4, 1), vec![Units(1), Null, Null]),
        (Arc::new(Float32Array::from(vec![0.1, f32::NAN])), ColumnType::Float64, vec![Number(0.1), Null]),
        (
            Arc::new(Float64Array::from(vec![1.5, f64::NAN, f64::INFINITY])),
            ColumnType::Float64,
            vec![Number(1.5), Null, Null],
        ),
        (units(vec![150, 155], 9, 2), decimal(4, 1), vec![Units(15), Null]),
        (units(vec![150], 9, 2), decimal(38, 10), vec![Units(15_000_000_000)]),
        (units(vec![150], 9, 2), ColumnType::Float64, vec![Number(1.5)]),
        (units(vec![150], 9, 0), ColumnType::Int32, vec![Whole(150)]),
        (units(vec![100, 101], 9, 2), ColumnType::Int32, vec![Whole(1), Null]),
        (units(vec![1000, 999], 38, 1), decimal(3, 1), vec![Null, Units(999)]),
        (Arc::new(StringArray::from(vec!["1.50", "x"])), decimal(4, 1), vec![Units(15), Null]),
        (Arc::new(StringArray::from(vec!["2024-02-29", "29/02/2024"])), ColumnType::Date, vec![Days(19_782), Null]),
        (
            Arc::new(StringArray::from(vec!["1970-01-01 00:00:01"])),
            ColumnType::Timestamp(TimestampUnit::Millisecond),
            vec![Milliseconds(1000)],
        ),
        (Arc::new(StringArray::from(vec!["AQI=", "?"])), ColumnType::Binary, vec![Value::Bytes(vec![1, 2]), Null]),
        (Arc::new(StringArray::from(vec![Some("1"), None])), ColumnType::Int32, vec![Null, Null]),
        (Arc::new(LargeStringArray::from(vec!["x"])), ColumnType::String, vec![Text("x".into())]),
        (Arc::new(StringViewArray::from(vec!["x"])), ColumnType::String, vec![Text("x".into())]),
        (Arc::new(dictionary.finish()), ColumnType::String, vec![Text("x".into())]),
        (Arc::new(BinaryArray::from(vec![&b"x"[..], b"\xff"])), ColumnType::String, vec![Text("x".into()), Null]),
        (Arc::new(fixed), ColumnType::Binary, vec![Value::Bytes(vec![1, 2])]),
        (Arc::new(Int32Array::from(vec![1])), ColumnType::String, vec![Null]),
        (Arc::new(BooleanArray::from(vec![true])), ColumnType::Int32, vec![Null]),
        (Arc::new(BooleanArray::from(vec![true])), ColumnType::Boolean, vec![Truth(true)]),
        (Arc::new(NullArray::new(2)), ColumnType::Int32, vec![Null, Null]),
        (
            Arc::new(TimestampMicrosecondArray::from(vec![1_500_000, -1000, 1])),
            ColumnType::Timestamp(TimestampUnit::Millisecond),
            vec![Milliseconds(1500), Milliseconds(-1), Null],
        ),
        (
            Arc::new(TimestampNanosecondArray::from(vec![-1_000_000, 1])),
            ColumnType::Timestamp(TimestampUnit::Millisecond),
            vec![Milliseconds(-1), Null],
        ),
        (Arc::new(utc), ColumnType::Timestamp(TimestampUnit::Millisecond), vec![Milliseconds(1000)]),
        (
            Arc::new(TimestampMillisecondArray::from(vec![-86_400_000, 0, 1])),
            ColumnType::Date,
            vec![Days(-1), Days(0), Null],
        ),
        (Arc::new(Date32Array::from(vec![1])), ColumnType::Timestamp(TimestampUnit::Millisecond), vec![Null]),
        (Arc::new(Date32Array::from(vec![1])), ColumnType::String, vec![Text("1970-01-02".into())]),
    ] {
        let data_type = array.data_type().clone();
        let filled = array.len() - array.logical_null_count();
        let (found, shown) = column(array, column_type.clone());
        assert_eq!(found, expected, "{data_type} as {column_type}: {shown:?}");
        let fitting = expected.iter().filter(|value| **value != Null).count();
        assert_eq!(shown.len(), filled - fitting, "{data_type} as {column_type}: {shown:?}");
    }
}

#[test]
fn what_does_not_fit_is_shown() {
    for (array, column_type, expected) in [
        (
            Arc::new(Int64Array::from(vec![Some(1), None, Some(300)])) as ArrayRef,
            ColumnType::Int8,
            "line 3: expected tinyint: a whole number from -128 to 127, found `300`",
        ),
        (
            Arc::new(Float64Array::from(vec![f64::NAN])),
            ColumnType::Float64,
            "line 1: expected double: a finite number, found `NaN`",
        ),
        (
            Arc::new(StringArray::from(vec!["a\"b"])),
            ColumnType::Int32,
            "line 1: expected int: a whole number from -2147483648 to 2147483647, found `\"a\\\"b\"`",
        ),
        (
            Arc::new(Date32Array::from(vec![19_782])),
            ColumnType::Boolean,
            "line 1: expected boolean: true or false, found `2024-02-29`",
        ),
        (Arc::new(Int32Array::from(vec![7])), ColumnType::String, "line 1: expected string: a text, found `7`"),
        (
            Arc::new(TimestampMicrosecondArray::from(vec![1])),
            ColumnType::Timestamp(TimestampUnit::Millisecond),
            "line 1: expected timestamp: nothing below the millisecond; `timestamp(us)` takes 6 decimals, \
             `timestamp(ns)` 9, found `1970-01-01T00:00:00.000001`",
        ),
    ] {
        assert_eq!(column(array, column_type).1, [expected]);
    }
    let mut table = one("c", ColumnType::Int32);
    table.columns[0].sensitive = true;
    let reading = read(write(&batch(vec![("c", Arc::new(StringArray::from(vec!["secret"])))])), &table);
    assert_eq!(reading.counts(), [(MisfitKind::WrongType, Some("c"), 1)]);
    assert!(!format!("{:?}", reading.summary).contains("secret"));
}

#[test]
fn inside_structs_and_lists_fields_are_found_by_name() {
    let x: ArrayRef = Arc::new(Int64Array::from(vec![1, 300]));
    let y: ArrayRef = Arc::new(StringArray::from(vec!["a", "b"]));
    let field = |name: &str, data_type: DataType| Field::new(name, data_type, true);
    let inner = StructArray::new(
        Fields::from(vec![field("y", DataType::Utf8), field("x", DataType::Int64)]),
        vec![y, x],
        Some(vec![true, true].into()),
    );
    let item = Arc::new(field("element", inner.data_type().clone()));
    let list = ListArray::new(item, OffsetBuffer::from_lengths([2, 0]), Arc::new(inner.clone()), None);
    let fields =
        |second: &str| ColumnType::Struct(vec![("x".into(), ColumnType::Int8), (second.into(), ColumnType::String)]);
    let table = table(&[("s", fields("z")), ("l", ColumnType::List(Box::new(fields("y"))))]);
    let reading = read(write(&batch(vec![("s", Arc::new(inner)), ("l", Arc::new(list))])), &table);
    assert_eq!(
        reading.shown(),
        [
            "line 2, column `s.x`: expected tinyint: a whole number from -128 to 127, found `300`",
            "line 1, column `l[1].x`: expected tinyint: a whole number from -128 to 127, found `300`",
            "line 1, column `s.y`: expected no column that the metadata does not describe",
            "line 2, column `s.y`: expected no column that the metadata does not describe",
        ]
    );
    let [first, second] = &values(&reading.batches)[..] else { panic!() };
    assert_eq!(first[0], Value::Fields(vec![Value::Whole(1), Value::Null]));
    assert_eq!(second[0], Value::Fields(vec![Value::Null, Value::Null]));
    let text = |text: &str| Value::Text(text.into());
    let items = [vec![Value::Whole(1), text("a")], vec![Value::Null, text("b")]].map(Value::Fields);
    assert_eq!((&first[1], &second[1]), (&Value::Items(items.to_vec()), &Value::Items(vec![])));
}

#[test]
fn columns_are_found_missing_or_unexpected_in_every_row() {
    use MisfitKind::{MissingColumn, UnexpectedColumn};
    let mut table = table(&[("a", ColumnType::Int32), ("b", ColumnType::Int32)]);
    let numbers = || -> ArrayRef { Arc::new(Int32Array::from((0..3000).collect::<Vec<_>>())) };
    let reading = read(write(&batch(vec![("z", numbers()), ("A", numbers()), ("b", numbers())])), &table);
    assert_eq!(
        reading.counts(),
        [(MissingColumn, Some("a"), 3000), (UnexpectedColumn, Some("z"), 3000), (UnexpectedColumn, Some("A"), 3000)]
    );
    let last = reading.batches.last().unwrap();
    assert_eq!((last.line(last.batch.num_rows() - 1), reading.summary.lines), (3000, 3000));
    assert_eq!(last.gaps(0).len(), last.batch.num_rows());
    assert!(last.gaps(0).iter().all(|gap| gap.missing) && last.gaps(1).is_empty() && last.misfits.is_empty());
    table.checks.ignore_header_case = true;
    let reading = read(write(&batch(vec![("B", numbers()), ("A", numbers())])), &table);
    assert_eq!((reading.rows(), reading.summary.tallies), (3000, vec![]));
    // the file has none of the columns, but its rows are still there
    let reading = read(write(&batch(vec![("x", numbers()), ("y", numbers())])), &table);
    assert_eq!((reading.rows(), reading.counts().len()), (3000, 4));
}

#[test]
fn spark_s_int96_is_read_to_the_millisecond() {
    let schema = Arc::new(parse_message_type("message m { optional int96 t; required int32 n; }").unwrap());
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, Arc::new(WriterProperties::default())).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let point = |day: u32, nanoseconds: u64| {
        let mut point = Int96::new();
        point.set_data(nanoseconds as u32, (nanoseconds >> 32) as u32, day);
        point
    };
    // 1970-01-01 is Julian day 2440588; nanoseconds do not reach 1500-01-01
    let points = [point(2_440_588, 1_000_000), point(2_268_933, 0), point(2_440_588, 1_000)];
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<Int96Type>().write_batch(&points, Some(&[1, 1, 1]), None).unwrap();
    column.close().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<parquet::data_type::Int32Type>().write_batch(&[1, 2, 3], None, None).unwrap();
    column.close().unwrap();
    group.close().unwrap();
    let bytes: Bytes = writer.into_inner().unwrap().into();
    let table = table(&[("n", ColumnType::Int32), ("t", ColumnType::Timestamp(TimestampUnit::Millisecond))]);
    let reading = read(bytes, &table);
    assert_eq!(reading.error, None);
    let found: Vec<Value> = values(&reading.batches).into_iter().map(|mut row| row.remove(1)).collect();
    let day = -171_655_i64;
    assert_eq!(found, [Value::Milliseconds(1), Value::Milliseconds(day * 86_400_000), Value::Null]);
    assert_eq!(reading.counts(), [(MisfitKind::WrongType, Some("t"), 1)]);
}

/// Enough rows for several pages and row groups, in every way to write values.
fn many_rows() -> (RecordBatch, Table) {
    let n = 5_000_i32;
    let texts: StringArray =
        (0..n).map(|n| (n % 7 > 0).then(|| format!("prefix-{}-{}", n % 50, n * 7919 % 1000))).collect();
    let lengths = OffsetBuffer::from_lengths((0..n).map(|n| (n % 4) as usize));
    let items =
        Int64Array::from_iter((0..lengths.last().copied().unwrap_or(0)).map(|n| (n % 5 > 0).then_some(n.into())));
    let item = Arc::new(Field::new_list_field(DataType::Int64, true));
    let list = ListArray::new(item, lengths.clone(), Arc::new(items), None);
    let words: StringArray = (0..lengths.last().copied().unwrap_or(0)).map(|n| Some(format!("w{}", n % 9))).collect();
    let word = Arc::new(Field::new_list_field(DataType::Utf8, true));
    let words = ListArray::new(word, lengths, Arc::new(words), None);
    let batch = batch(vec![
        ("i", Arc::new(Int32Array::from_iter((0..n).map(|n| (n % 3 > 0).then_some(n * 31))))),
        ("l", Arc::new(Int64Array::from_iter_values((0..n).map(|n| i64::from(n) * -1_000_003)))),
        ("d", Arc::new(Float64Array::from_iter_values((0..n).map(|n| f64::from(n) / 7.0)))),
        ("s", Arc::new(texts)),
        ("b", Arc::new(BooleanArray::from_iter((0..n).map(|n| Some(n % 11 < 4))))),
        ("a", Arc::new(list)),
        ("w", Arc::new(words)),
        (
            "m",
            Arc::new(
                Decimal128Array::from_iter_values((0..n).map(i128::from)).with_precision_and_scale(38, 2).unwrap(),
            ),
        ),
    ]);
    let list = |inner| ColumnType::List(Box::new(inner));
    let table = table(&[
        ("i", ColumnType::Int32),
        ("l", ColumnType::Int64),
        ("d", ColumnType::Float64),
        ("s", ColumnType::String),
        ("b", ColumnType::Boolean),
        ("a", list(ColumnType::Int64)),
        ("w", list(ColumnType::String)),
        ("m", ColumnType::Decimal { precision: 38, scale: 2 }),
    ]);
    (batch, table)
}

fn rows_of(batch: &RecordBatch) -> Vec<Vec<Value>> {
    (0..batch.num_rows())
        .map(|row| batch.columns().iter().map(|column| crate::tests::value_of(column, row)).collect())
        .collect()
}

#[test]
fn every_encoding_and_compression_is_read() {
    let (batch, table) = many_rows();
    let expected = rows_of(&batch);
    let small = || {
        WriterProperties::builder()
            .set_data_page_row_count_limit(300)
            .set_write_batch_size(100)
            .set_max_row_group_row_count(Some(1700))
    };
    let mut files = Vec::new();
    for codec in [
        Codec::UNCOMPRESSED,
        Codec::SNAPPY,
        Codec::GZIP(GzipLevel::default()),
        Codec::ZSTD(ZstdLevel::default()),
        Codec::LZ4,
        Codec::LZ4_RAW,
    ] {
        for version in [WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0] {
            files.push(small().set_compression(codec).set_writer_version(version));
        }
    }
    for version in [WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0] {
        let plain = || small().set_dictionary_enabled(false).set_writer_version(version);
        files.push(plain());
        files.push(plain().set_column_encoding("s".into(), Encoding::DELTA_BYTE_ARRAY));
        files.push(plain().set_column_encoding("s".into(), Encoding::DELTA_LENGTH_BYTE_ARRAY));
        files.push(
            plain()
                .set_column_encoding("i".into(), Encoding::DELTA_BINARY_PACKED)
                .set_column_encoding("l".into(), Encoding::DELTA_BINARY_PACKED)
                .set_column_encoding("d".into(), Encoding::BYTE_STREAM_SPLIT)
                .set_column_encoding("b".into(), Encoding::RLE)
                .set_column_encoding("m".into(), Encoding::DELTA_BYTE_ARRAY),
        );
        // dictionaries that the writer abandons halfway
        files.push(small().set_dictionary_page_size_limit(300).set_writer_version(version));
    }
    for properties in files {
        let properties = properties.build();
        let what = format!("{properties:?}");
        let reading = read(write_with(&batch, properties), &table);
        assert_eq!(reading.error, None, "{what}");
        assert_eq!(reading.summary.tallies, [], "{what}");
        assert!(values(&reading.batches) == expected, "{what}");
    }
}

#[test]
fn batches_are_bounded_in_rows() {
    let (batch, table) = many_rows();
    let options = Options { batch_rows: 333, ..Options::default() };
    let reading = read_with(write(&batch), &table, options);
    assert!(reading.batches.iter().all(|batch| batch.batch.num_rows() <= 333));
    assert_eq!(values(&reading.batches), rows_of(&batch));
    // every row may have a long text of the dictionary
    let long: StringArray = vec![Some("x".repeat(1 << 20)); 600].into_iter().collect();
    let reading = read(write(&self::batch(vec![("c", Arc::new(long))])), &one("c", ColumnType::String));
    assert_eq!((reading.rows(), reading.error), (600, None));
    assert!(reading.batches.iter().all(|batch| batch.batch.num_rows() <= 128));
}

#[test]
fn a_file_is_read_in_pieces() {
    let (batch, table) = many_rows();
    let bytes = write(&batch);
    let asked = Arc::new(Mutex::new(Vec::new()));
    let (from, log) = (bytes.clone(), Arc::clone(&asked));
    let ranges = Ranges::new(bytes.len() as u64, move |offset, length| {
        log.lock().unwrap().push(length);
        Ok(from.slice(offset as usize..offset as usize + length))
    });
    let reader = RowReader::new(ranges, FileFormat::Parquet, Compression::None, &table, Options::default()).unwrap();
    assert_eq!(drain(reader).rows(), 5_000);
    // the tail, the footer, and the rest at once
    assert!(asked.lock().unwrap().len() <= 3, "{asked:?}");
}

#[test]
fn a_failing_source_is_not_the_file_s_fault() {
    let (batch, table) = many_rows();
    let bytes = write(&batch);
    for working in 0..3 {
        let (from, calls) = (bytes.clone(), Mutex::new(0));
        let ranges = Ranges::new(bytes.len() as u64, move |offset, length| {
            let mut calls = calls.lock().unwrap();
            *calls += 1;
            if *calls > working {
                Err(io::Error::new(io::ErrorKind::ConnectionReset, "connection lost"))
            } else {
                Ok(from.slice(offset as usize..offset as usize + length))
            }
        });
        let error = match RowReader::new(ranges, FileFormat::Parquet, Compression::None, &table, Options::default()) {
            Ok(reader) => drain(reader).error,
            Err(error) => Some(error),
        };
        assert!(matches!(error, Some(ReadError::Io { kind: io::ErrorKind::ConnectionReset, .. })), "{error:?}");
    }
}

#[test]
fn what_is_no_parquet_file_is_said() {
    let (batch, table) = many_rows();
    let whole = write(&batch);
    let reason = |bytes: Bytes| match read(bytes, &table).error {
        Some(ReadError::Parquet { reason, .. }) => reason,
        other => panic!("{other:?}"),
    };
    assert!(reason(Bytes::new()).contains("too short"));
    assert!(reason(Bytes::from_static(b"{\"a\":1}\n")).contains("does not end like a Parquet file"));
    assert!(reason(whole.slice(..whole.len() - 1)).contains("cut off"));
    let with_tail =
        |size: u32, magic: &[u8]| -> Bytes { [&whole[..whole.len() - 8], &size.to_le_bytes(), magic].concat().into() };
    assert!(reason(with_tail(u32::MAX, b"PAR1")).contains("longer than the file"));
    assert!(reason(with_tail(100, b"PAR1")).contains("damaged"));
    assert!(reason(with_tail(0, b"PAR1")).contains("damaged"));
    assert!(reason(with_tail(100, b"PARE")).contains("encrypted"));

    let stream =
        RowReader::new(Cursor::new(whole.to_vec()), FileFormat::Parquet, Compression::None, &table, Options::default());
    assert!(stream.unwrap_err().to_string().contains("it must come as ranges"));
    let packed =
        RowReader::new(Ranges::from(whole), FileFormat::Parquet, Compression::Gzip, &table, Options::default());
    assert!(packed.unwrap_err().to_string().starts_with("parquet is already compressed"));
}

#[test]
fn limits_hold() {
    let (batch, table) = many_rows();
    let options = Options { maximum_bytes: 10_000, ..Options::default() };
    let error = read_with(write(&batch), &table, options).error;
    assert!(matches!(error, Some(ReadError::TooLarge { limit: 10_000, .. })), "{error:?}");

    let names: Vec<String> = (0..20_000).map(|n| format!("k{n}")).collect();
    let columns = names.iter().map(|name| (name.as_str(), Arc::new(Int32Array::from(vec![1])) as ArrayRef));
    let reading = read(write(&self::batch(columns.collect())), &one("k7", ColumnType::Int32));
    assert_eq!((reading.rows(), reading.summary.tallies.len(), reading.error), (1, 101, None));
}

/// Formats a value as a field of a CSV file.
fn csv_field(column_type: &ColumnType, value: &Value) -> String {
    let text = match (column_type, value) {
        (_, Value::Null) => return String::new(),
        (_, Value::Text(text)) => text.clone(),
        (ColumnType::Struct(_) | ColumnType::List(_), _) => json(column_type, value),
        _ => json(column_type, value).trim_matches('"').to_owned(),
    };
    format!("\"{}\"", text.replace('"', "\"\""))
}

/// Narrows the types of numbers, so that some values fit in no format.
fn narrowed(column_type: &ColumnType) -> ColumnType {
    match column_type {
        ColumnType::Int64 => ColumnType::Int16,
        ColumnType::Int32 => ColumnType::Int8,
        ColumnType::Decimal { precision, scale } if precision > scale => {
            ColumnType::Decimal { precision: precision - 1, scale: *scale }
        }
        ColumnType::Struct(fields) => {
            ColumnType::Struct(fields.iter().map(|(name, inner)| (name.clone(), narrowed(inner))).collect())
        }
        ColumnType::List(inner) => ColumnType::List(Box::new(narrowed(inner))),
        other => other.clone(),
    }
}

proptest! {
    #[test]
    fn the_same_rows_read_as_the_same_in_all_formats(
        (types, rows) in rows_of_a_table(),
        batch_rows in 1_usize..10,
        narrow in any::<bool>(),
        page_rows in 1_usize..10,
        second in any::<bool>(),
    ) {
        let names: Vec<String> = (0..types.len()).map(|n| format!("c{n}")).collect();
        let columns: Vec<_> = names.iter().map(String::as_str).zip(types.iter().cloned()).collect();
        let mut described: Vec<_> =
            columns.iter().map(|(name, kind)| (*name, if narrow { narrowed(kind) } else { kind.clone() })).collect();
        // so that a CSV record is never a blank line
        let counter = ("n", ColumnType::Int32);
        described.push(counter.clone());
        let written = table(&[&columns[..], &[counter]].concat());
        let described = table(&described);

        let (mut lines, mut records) = (String::new(), format!("{},n\n", names.join(",")));
        for (n, (row, _)) in rows.iter().enumerate() {
            let fields = columns.iter().zip(row).map(|((name, kind), value)| format!("\"{name}\":{}", json(kind, value)));
            lines += &format!("{{{},\"n\":{n}}}\n", fields.collect::<Vec<_>>().join(","));
            let fields = columns.iter().zip(row).map(|((_, kind), value)| csv_field(kind, value));
            records += &format!("{},{n}\n", fields.collect::<Vec<_>>().join(","));
        }
        let open = |text: &str, format, table: &Table, options| {
            let reader = RowReader::new(Cursor::new(text.to_owned()), format, Compression::None, table, options);
            drain(reader.unwrap())
        };
        let source = open(&lines, FileFormat::JsonLines, &written, Options { batch_rows: 1000, ..Options::default() });
        prop_assert_eq!(&source.summary.tallies, &[]);
        let properties = WriterProperties::builder()
            .set_data_page_row_count_limit(page_rows)
            .set_write_batch_size(page_rows)
            .set_writer_version(if second { WriterVersion::PARQUET_2_0 } else { WriterVersion::PARQUET_1_0 })
            .build();
        let mut writer = ArrowWriter::try_new(Vec::new(), crate::schema(&written), Some(properties)).unwrap();
        for batch in &source.batches {
            writer.write(&batch.batch).unwrap();
        }
        let file: Bytes = writer.into_inner().unwrap().into();

        let options = || Options { batch_rows, examples: 1000, ..Options::default() };
        let from_json = open(&lines, FileFormat::JsonLines, &described, options());
        let from_csv = open(&records, FileFormat::Csv, &described, options());
        let from_parquet = read_with(file, &described, options());
        prop_assert_eq!(&from_csv.error, &None);
        prop_assert_eq!(&from_parquet.error, &None);
        if !narrow {
            prop_assert_eq!(&from_json.summary.tallies, &[]);
        }
        prop_assert_eq!(values(&from_csv.batches), values(&from_json.batches));
        prop_assert_eq!(values(&from_parquet.batches), values(&from_json.batches));
        prop_assert_eq!(from_csv.counts(), from_json.counts());
        prop_assert_eq!(from_parquet.counts(), from_json.counts());
        for batch in &from_parquet.batches {
            prop_assert_eq!(batch.batch.schema(), crate::schema(&described));
        }
        // the reader's own nulls, by row and column
        let gaps = |reading: &Reading| -> Vec<(usize, usize)> {
            let mut before = 0;
            let mut gaps = Vec::new();
            for batch in &reading.batches {
                for column in 0..batch.batch.num_columns() {
                    gaps.extend(batch.gaps(column).iter().map(|gap| (before + gap.row, column)));
                }
                before += batch.batch.num_rows();
            }
            gaps.sort_unstable();
            gaps
        };
        prop_assert_eq!(gaps(&from_csv), gaps(&from_json));
        prop_assert_eq!(gaps(&from_parquet), gaps(&from_json));
    }
}

/// Files to damage: each is small, and together they have every encoding.
fn small_files() -> Vec<(Bytes, Table)> {
    let (batch, table) = many_rows();
    let batch = batch.slice(0, 200);
    let base = |version| {
        WriterProperties::builder()
            .set_writer_version(version)
            .set_data_page_row_count_limit(64)
            .set_write_batch_size(32)
    };
    let mut files = Vec::new();
    for version in [WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0] {
        for codec in [Codec::UNCOMPRESSED, Codec::SNAPPY, Codec::ZSTD(ZstdLevel::default()), Codec::LZ4_RAW] {
            files.push(base(version).set_compression(codec).build());
        }
        let plain = || base(version).set_dictionary_enabled(false).set_compression(Codec::UNCOMPRESSED);
        files.push(plain().build());
        files.push(
            plain()
                .set_column_encoding("s".into(), Encoding::DELTA_BYTE_ARRAY)
                .set_column_encoding("i".into(), Encoding::DELTA_BINARY_PACKED)
                .set_column_encoding("d".into(), Encoding::BYTE_STREAM_SPLIT)
                .set_column_encoding("b".into(), Encoding::RLE)
                .build(),
        );
    }
    files.into_iter().map(|properties| (write_with(&batch, properties), table.clone())).collect()
}

static SMALL_FILES: std::sync::LazyLock<Vec<(Bytes, Table)>> = std::sync::LazyLock::new(small_files);

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn no_damage_makes_it_panic(
        file in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), any::<bool>()), 1..6),
        cut in prop::option::of((any::<prop::sample::Index>(), any::<prop::sample::Index>())),
    ) {
        let (whole, table) = file.get(&SMALL_FILES);
        let mut bytes = whole.to_vec();
        let footer = u32::from_le_bytes(bytes[bytes.len() - 8..bytes.len() - 4].try_into().unwrap()) as usize;
        for (at, value, in_footer) in changes {
            let n = if in_footer { bytes.len() - 8 - footer + at.index(footer) } else { at.index(bytes.len()) };
            bytes[n] = value;
        }
        if let Some((from, to)) = cut {
            let (from, to) = (from.index(bytes.len()), to.index(bytes.len()));
            bytes.drain(from.min(to)..from.max(to));
        }
        let reading = read_with(bytes.into(), table, Options { batch_rows: 7, ..Options::default() });
        prop_assert_eq!(reading.rows() as u64, reading.summary.rows);
    }
}

/// `[1, 2, 3]` in a column `a` of INT32, as pyarrow 26 writes them with `write_page_checksum`.
const WITH_CHECKSUM: &str = "5041523115001524152415fdb789b50e1c15061500150615061c0000000200000006010100000002000000030000001504192c3500\
    1806736368656d6115020015022502180161001606191c191c26001c1502192506001918016115001606165616562608491c15001500150200\
    3c2906192600060000001656160626081656002820706172717565742d6370702d6172726f772076657273696f6e2032362e302e31191c1c00\
    00007a00000050415231";

/// The same, with Brotli.
const WITH_BROTLI: &str = "504152311500152415202c15061500150615061c0000001b11000084716c9412c596002b1e01061504192c35001806736368656d6115\
    020015022502180161001606191c191c26001c1502192506001918016115081606164a16462608491c150015001502003c2906192600060000\
    00164a160626081646002820706172717565742d6370702d6172726f772076657273696f6e2032362e302e31191c1c0000007a000000504152\
    31";

fn bytes_of(hex: &str) -> Vec<u8> {
    let digits: Vec<char> = hex.chars().filter(char::is_ascii_hexdigit).collect();
    digits.chunks(2).map(|two| u8::from_str_radix(&two.iter().collect::<String>(), 16).unwrap()).collect()
}

fn numbers_of(bytes: Vec<u8>) -> Result<Vec<Vec<Value>>, String> {
    let reading = read(bytes.into(), &one("a", ColumnType::Int32));
    reading.error.map_or_else(|| Ok(values(&reading.batches)), |error| Err(error.to_string()))
}

fn one_two_three() -> Result<Vec<Vec<Value>>, String> {
    Ok((1..=3).map(|number| vec![Value::Whole(number)]).collect())
}

#[test]
fn a_page_is_held_to_its_checksum() {
    assert_eq!(numbers_of(bytes_of(WITH_CHECKSUM)), one_two_three());
    let mut damaged = bytes_of(WITH_CHECKSUM);
    let value = damaged.windows(4).position(|bytes| bytes == [3, 0, 0, 0]).unwrap();
    damaged[value] = 4;
    let reason = "column `a`: a page whose checksum does not match its bytes: the file is damaged";
    assert_eq!(numbers_of(damaged), Err(format!("row 1: {reason}")));
}

#[test]
fn brotli_is_read_and_is_no_bomb() {
    assert_eq!(numbers_of(bytes_of(WITH_BROTLI)), one_two_three());
    for at in 20..45 {
        let mut damaged = bytes_of(WITH_BROTLI);
        damaged[at] ^= 0x55;
        let _ = numbers_of(damaged);
    }
}

/// Dremio wrote such a field. <https://issues.apache.org/jira/browse/ARROW-5322>
#[test]
fn a_field_of_the_footer_that_another_program_uses_otherwise_is_passed_over() {
    let mut bytes = bytes_of(WITH_CHECKSUM);
    let statistics = [0x49, 0x1c, 0x15, 0, 0x15, 0, 0x15, 2, 0];
    let end = bytes.windows(9).position(|found| found == statistics).unwrap() + 9;
    bytes.splice(end..end, [0x29, 0x13, 7]); // field 15 as a list of one byte
    let length = bytes.len() - 8;
    bytes[length] += 3;
    assert_eq!(numbers_of(bytes), one_two_three());
}

#[test]
fn fields_of_structs_are_found_by_what_the_file_calls_them() {
    let field = |name: &str| Arc::new(Field::new(name, DataType::Utf8, true));
    let text = |text: &str| Arc::new(StringArray::from(vec![text])) as ArrayRef;
    let parts = StructArray::from(vec![(field("Post Code"), text("X")), (field("list.price"), text("7"))]);
    let bytes = write(&batch(vec![("a", Arc::new(parts))]));
    let described =
        ColumnType::Struct(vec![("post_code".into(), ColumnType::String), ("price".into(), ColumnType::String)]);
    let mut table = one("a", described);
    for (path, name) in [("post_code", "Post Code"), ("price", "list.price")] {
        table.columns[0].source_names.insert(path.into(), name.into());
    }
    let reading = read(bytes.clone(), &table);
    let both = Value::Fields(vec![Value::Text("X".into()), Value::Text("7".into())]);
    assert_eq!((values(&reading.batches), reading.counts()), (vec![vec![both]], vec![]));

    let inferred = read(bytes, &one("b", ColumnType::Int32)).summary.tallies.swap_remove(1).inferred.unwrap();
    assert_eq!(
        (inferred.column_type().unwrap().to_string(), inferred.field_names().iter().count()),
        ("struct<post_code:string,list_price:string>".into(), 2)
    );
}

//! Tests of every type's boundary values in every format: the verdict and the value are the same in each.

use std::io::Cursor;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, Date32Array, Decimal128Array, FixedSizeBinaryArray, Float64Array, Int32Array, Int32Builder,
    MapBuilder, RecordBatch, StringArray, StringBuilder, Time32MillisecondArray, Time64MicrosecondArray,
    TimestampMicrosecondArray, TimestampMillisecondArray, TimestampNanosecondArray,
};
use arrow::datatypes::DataType;
use bytes::Bytes;
use contract::{ColumnType, Compression, FileFormat, TimestampUnit};
use parquet::arrow::ArrowWriter;
use parquet::data_type::{FixedLenByteArray, FixedLenByteArrayType, Int96, Int96Type};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;

use crate::Options;
use crate::Ranges;
use crate::RowReader;
use crate::tests::{Reading, Value, drain, one, values};
use crate::values::points::Point;

fn file(array: ArrayRef) -> Bytes {
    let batch = RecordBatch::try_from_iter_with_nullable([("c", array, true)]).unwrap();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.into_inner().unwrap().into()
}

fn parquet(bytes: Bytes, column_type: &ColumnType) -> Reading {
    let table = one("c", column_type.clone());
    let options = Options::default();
    drain(RowReader::new(Ranges::from(bytes), FileFormat::Parquet, Compression::None, &table, options).unwrap())
}

fn text(text: String, format: FileFormat, column_type: &ColumnType) -> Reading {
    let table = one("c", column_type.clone());
    drain(RowReader::new(Cursor::new(text), format, Compression::None, &table, Options::default()).unwrap())
}

/// Returns the only value, and its misfit if it does not fit.
fn verdict(reading: &Reading) -> (Value, Option<String>) {
    assert_eq!(reading.error, None);
    (values(&reading.batches)[0][0].clone(), reading.shown().first().cloned())
}

/// Returns a file of one INT96.
fn int96(point: Point) -> Bytes {
    let schema = Arc::new(parse_message_type("message m { optional int96 c; }").unwrap());
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, Arc::default()).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    let (day, second) = (point.seconds.div_euclid(86_400), point.seconds.rem_euclid(86_400));
    let nanoseconds = second as u64 * 1_000_000_000 + u64::from(point.nanoseconds);
    let mut value = Int96::new();
    value.set_data(nanoseconds as u32, (nanoseconds >> 32) as u32, (day + 2_440_588) as u32);
    column.typed::<Int96Type>().write_batch(&[value], Some(&[1]), None).unwrap();
    column.close().unwrap();
    group.close().unwrap();
    writer.into_inner().unwrap().into()
}

fn fixed(schema: &str, bytes: &[u8]) -> Bytes {
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, Arc::default()).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    let value = FixedLenByteArray::from(bytes.to_vec());
    column.typed::<FixedLenByteArrayType>().write_batch(&[value], Some(&[1]), None).unwrap();
    column.close().unwrap();
    group.close().unwrap();
    writer.into_inner().unwrap().into()
}

const UNITS: [TimestampUnit; 3] = [TimestampUnit::Millisecond, TimestampUnit::Microsecond, TimestampUnit::Nanosecond];

#[test]
fn a_point_in_time_has_one_verdict_in_every_format_and_physical_type() {
    let least = -62_135_596_800;
    let greatest = 253_402_300_799;
    for seconds in [least - 1, least, -9_223_372_037, -9_223_372_036, -1, 0, 9_223_372_036, greatest, greatest + 1] {
        for nanoseconds in [0, 1, 1_000, 500_000_000, 123_456_000, 145_224_192, 854_775_807, 999_000_000, 999_999_999] {
            let point = Point { seconds, nanoseconds };
            let mut files = vec![int96(point)];
            let units = |per: i64| {
                let value =
                    i128::from(seconds) * i128::from(per) + i128::from(nanoseconds) * i128::from(per) / 1_000_000_000;
                i64::try_from(value).ok().filter(|value| Point::of(*value, per) == point)
            };
            if let Some(value) = units(1_000) {
                files.push(file(Arc::new(TimestampMillisecondArray::from(vec![value]))));
            }
            if let Some(value) = units(1_000_000) {
                files.push(file(Arc::new(TimestampMicrosecondArray::from(vec![value]))));
                files.push(file(Arc::new(TimestampMicrosecondArray::from(vec![value]).with_timezone("UTC"))));
            }
            if let Some(value) = units(1_000_000_000) {
                files.push(file(Arc::new(TimestampNanosecondArray::from(vec![value]))));
            }
            for column_type in UNITS.map(ColumnType::Timestamp).into_iter().chain([ColumnType::Date]) {
                let json = text(format!("{{\"c\":\"{point}\"}}\n"), FileFormat::JsonLines, &column_type);
                let (value, _) = verdict(&json);
                let csv = text(format!("c\n{point}\n"), FileFormat::Csv, &column_type);
                assert_eq!(verdict(&csv).0, value, "{point} as {column_type}");
                if let ColumnType::Timestamp(unit) = column_type {
                    let expected = point.in_unit(unit).map_or(Value::Null, |value| Value::point(unit, value));
                    assert_eq!(value, expected, "{point} as {column_type}");
                }
                for bytes in &files {
                    let (found, shown) = verdict(&parquet(bytes.clone(), &column_type));
                    assert_eq!(found, value, "{point} as {column_type}");
                    assert_eq!(shown.is_some(), value == Value::Null, "{point} as {column_type}");
                    assert!(shown.is_none_or(|shown| shown.ends_with(&format!("found `{point}`"))));
                }
            }
            // as a string, it is the text that JSON has
            let within = (least..=greatest).contains(&seconds);
            for bytes in files {
                let found = verdict(&parquet(bytes, &ColumnType::String)).0;
                assert_eq!(found, if within { Value::Text(point.to_string()) } else { Value::Null }, "{point}");
            }
        }
    }
}

#[test]
fn days_beyond_the_calendar_are_misfits_and_shown_as_days() {
    for (days, shown) in [
        (-719_163, "0000-12-31"),
        (2_932_897, "+10000-01-01"),
        (i32::MAX, "+5881580-07-11"),
        (i32::MIN, "-5877641-06-23"),
    ] {
        for column_type in [ColumnType::Date, ColumnType::String] {
            let (value, misfit) = verdict(&parquet(file(Arc::new(Date32Array::from(vec![days]))), &column_type));
            assert_eq!(value, Value::Null);
            assert!(misfit.unwrap().ends_with(&format!("found `{shown}`")));
        }
    }
    for days in [-719_162, 2_932_896] {
        let found = verdict(&parquet(file(Arc::new(Date32Array::from(vec![days]))), &ColumnType::Date));
        assert_eq!(found, (Value::Days(days), None));
    }
}

#[test]
fn a_decimal_with_more_digits_than_the_file_declares_is_never_cut() {
    // 12345.67 in a column of DECIMAL(5,2), which pyarrow writes without complaint
    let array =
        || -> ArrayRef { Arc::new(Decimal128Array::from(vec![1_234_567]).with_data_type(DataType::Decimal128(5, 2))) };
    let decimal = |precision, scale| ColumnType::Decimal { precision, scale };
    for (column_type, expected) in [
        (decimal(5, 2), Value::Null),
        (decimal(6, 2), Value::Null),
        (decimal(7, 2), Value::Units(1_234_567)),
        (decimal(8, 3), Value::Units(12_345_670)),
        (decimal(38, 2), Value::Units(1_234_567)),
        (ColumnType::Float64, Value::Number(12_345.67)),
        (ColumnType::Int32, Value::Null),
    ] {
        let (found, shown) = verdict(&parquet(file(array()), &column_type));
        assert_eq!(found, expected, "{column_type}");
        assert!(shown.is_none_or(|shown| shown.ends_with("found `12345.67`")));
    }
}

#[test]
fn what_is_a_text_in_json_is_one_in_parquet() {
    let of = |text: &str| (Value::Text(text.into()), None);
    let string = ColumnType::String;
    let time = Time64MicrosecondArray::from(vec![48_251_123_456]);
    assert_eq!(verdict(&parquet(file(Arc::new(time)), &string)), of("13:24:11.123456"));
    let time = Time32MillisecondArray::from(vec![48_251_000]);
    assert_eq!(verdict(&parquet(file(Arc::new(time)), &string)), of("13:24:11"));
    let beyond = verdict(&parquet(file(Arc::new(Time32MillisecondArray::from(vec![86_400_000]))), &string));
    assert_eq!(beyond, (Value::Null, Some("line 1, column `c`: expected string: a text, found `86400000`".into())));
    let letters = FixedSizeBinaryArray::try_from_iter([b"ABCDEFGH"].iter()).unwrap();
    assert_eq!(verdict(&parquet(file(Arc::new(letters)), &string)), of("ABCDEFGH"));
    let bytes: Vec<u8> = (0..16).map(|n| n * 17).collect();
    let uuid = || fixed("message m { optional fixed_len_byte_array(16) c (UUID); }", &bytes);
    assert_eq!(verdict(&parquet(uuid(), &string)), of("00112233-4455-6677-8899-aabbccddeeff"));
    assert_eq!(verdict(&parquet(uuid(), &ColumnType::Binary)), (Value::Bytes(bytes.clone()), None));
}

#[test]
fn an_interval_and_a_map_say_the_way() {
    let bytes = [1_u32, 2, 3].map(u32::to_le_bytes).concat();
    let interval = fixed("message m { optional fixed_len_byte_array(12) c (INTERVAL); }", &bytes);
    let (_, shown) = verdict(&parquet(interval, &ColumnType::String));
    let shown = shown.unwrap();
    assert!(
        shown.contains("an INTERVAL has no described type") && shown.ends_with("`1 months 2 days 3 ms`"),
        "{shown}"
    );

    let mut map = MapBuilder::new(None, StringBuilder::new(), Int32Builder::new());
    map.keys().append_value("x");
    map.values().append_value(7);
    map.keys().append_value("y");
    map.values().append_null();
    map.append(true).unwrap();
    let map = file(Arc::new(map.finish()));
    let fields = |names: [&str; 2], types: [ColumnType; 2]| {
        let fields = names.map(str::to_owned).into_iter().zip(types).collect();
        ColumnType::List(Box::new(ColumnType::Struct(fields)))
    };
    let entry = |key: &str, value| Value::Fields(vec![Value::Text(key.into()), value]);
    let expected = Value::Items(vec![entry("x", Value::Whole(7)), entry("y", Value::Null)]);
    for value in [ColumnType::Int32, ColumnType::Int64] {
        let described = fields(["key", "value"], [ColumnType::String, value]);
        assert_eq!(verdict(&parquet(map.clone(), &described)), (expected.clone(), None));
    }
    let turned = fields(["value", "key"], [ColumnType::Int32, ColumnType::String]);
    assert_eq!(verdict(&parquet(map.clone(), &turned)).1, None);
    let (_, shown) = verdict(&parquet(map.clone(), &ColumnType::String));
    assert!(shown.unwrap().contains("a MAP is described as a list of its entries"));
    // the file has none of the table's columns, and its only one is a map
    let table = one("d", ColumnType::Int32);
    let options = Options::default();
    let reader = RowReader::new(Ranges::from(map), FileFormat::Parquet, Compression::None, &table, options);
    assert_eq!(drain(reader.unwrap()).counts().len(), 2);
}

#[test]
fn a_parquet_file_without_rows_has_the_described_columns_too() {
    let empty: ArrayRef = Arc::new(Int32Array::from(Vec::<i32>::new()));
    let reading = parquet(file(Arc::clone(&empty)), &ColumnType::Int32);
    assert_eq!((reading.rows(), reading.summary.tallies), (0, vec![]));
    let table = one("d", ColumnType::Int32);
    let options = Options::default();
    let bytes = file(empty);
    let reader = RowReader::new(Ranges::from(bytes), FileFormat::Parquet, Compression::None, &table, options);
    let reading = drain(reader.unwrap());
    assert_eq!(
        reading.counts().iter().map(|(_, name, count)| (*name, *count)).collect::<Vec<_>>(),
        [(Some("d"), 0), (Some("c"), 0)]
    );
}

#[test]
fn a_failure_names_its_column() {
    let long: StringArray = vec![Some("x".repeat(65 << 20))].into_iter().collect();
    let reading = parquet(file(Arc::new(long)), &ColumnType::String);
    let error = reading.error.unwrap().to_string();
    assert!(error.contains("column `c`: a page of more than") && error.contains("write_batch_size"), "{error}");
}

#[test]
fn a_number_that_is_none_is_what_the_dialect_takes_it_for() {
    use contract::Nan;
    let floats = Float64Array::from(vec![f64::NAN, f64::INFINITY, 1.5]);
    let written = file(Arc::new(floats));
    let lines = "{\"c\": NaN}\n{\"c\": Infinity}\n{\"c\": 1.5}\n";
    for (column_type, nan, misfits, nulls) in [
        (ColumnType::Float64, Nan::Null, 0, 2),
        (ColumnType::Float64, Nan::Keep, 0, 0),
        (ColumnType::Float32, Nan::Keep, 0, 0),
        // strings, whole numbers and lists have no NaN
        (ColumnType::String, Nan::Keep, 3, 3),
        (ColumnType::Int32, Nan::Null, 3, 3),
        (ColumnType::Decimal { precision: 4, scale: 1 }, Nan::Keep, 2, 2),
        (ColumnType::List(Box::new(ColumnType::String)), Nan::Null, 3, 3),
    ] {
        let mut table = one("c", column_type.clone());
        table.file_dialect.nan = nan;
        let options = Options::default();
        let ranges = Ranges::from(written.clone());
        let parquet = RowReader::new(ranges, FileFormat::Parquet, Compression::None, &table, options);
        let options = Options::default();
        let json = RowReader::new(Cursor::new(lines), FileFormat::JsonLines, Compression::None, &table, options);
        for reading in [drain(parquet.unwrap()), drain(json.unwrap())] {
            let count: u64 = reading.summary.tallies.iter().map(|tally| tally.count).sum();
            assert_eq!((reading.rows(), count), (3, misfits), "{column_type} {nan:?}: {:?}", reading.shown());
            assert_eq!(reading.batches[0].batch.column(0).null_count(), nulls, "{column_type} {nan:?}");
            assert!(!reading.shown().concat().contains("e999"), "{:?}", reading.shown());
        }
    }
}

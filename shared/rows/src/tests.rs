//! Tests of the reader over JSON Lines, by example and by property.

mod csv;
mod files;
mod parquet;
mod types;

use std::io::{self, Cursor, Read, Write};
use std::path::PathBuf;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Date32Type, Decimal128Type, Float64Type, Int8Type, Int32Type, Int64Type};
use arrow::datatypes::{
    Float32Type, Int16Type, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use contract::{
    Checks, Column, ColumnType, Compression, DataFormat, FileDialect, FileFormat, Mode, Table, TimestampUnit, Written,
};
use flate2::write::GzEncoder;
use proptest::prelude::*;

use crate::Batch;
use crate::MisfitKind;
use crate::Options;
use crate::ReadError;
use crate::RowReader;
use crate::Summary;
use crate::Tally;

pub(crate) fn table(columns: &[(&str, ColumnType)]) -> Table {
    let columns = columns.iter().map(|(name, column_type)| Column {
        name: (*name).into(),
        column_type: column_type.clone(),
        description: String::new(),
        nullable: true,
        pattern: None,
        enumeration: None,
        minimum: None,
        maximum: None,
        min_length: None,
        max_length: None,
        unique: false,
        datetime_format: None,
        sensitive: false,
        sensitivity: None,
        redacted: false,
        source_name: None,
        source_names: Default::default(),
        source_position: None,
        written: Written::default(),
        earlier_types: Vec::new(),
    });
    Table {
        file: PathBuf::new(),
        dialect: contract::Dialect::EtlManager,
        name: "t".into(),
        description: String::new(),
        location: "t".into(),
        data_format: DataFormat::Json,
        columns: columns.collect(),
        partitions: Vec::new(),
        primary_key: Vec::new(),
        glue_specific: serde_json::Value::Null,
        checks: Checks::default(),
        source: None,
        copy_to_raw: false,
        delete_raw: false,
        read_from: Default::default(),
        lines: false,
        file_dialect: FileDialect::default(),
        compression: Default::default(),
        mode: Mode::Rebuild,
        self_contained: false,
        partition_projection: false,
        sql: None,
    }
}

#[derive(Debug)]
pub(crate) struct Reading {
    pub(crate) batches: Vec<Batch>,
    pub(crate) summary: Summary,
    pub(crate) error: Option<ReadError>,
}

impl Reading {
    pub(crate) fn rows(&self) -> usize {
        self.batches.iter().map(|batch| batch.batch.num_rows()).sum()
    }

    pub(crate) fn counts(&self) -> Vec<(MisfitKind, Option<&str>, u64)> {
        self.summary.tallies.iter().map(|tally| (tally.kind, tally.column.as_deref(), tally.count)).collect()
    }

    pub(crate) fn shown(&self) -> Vec<String> {
        self.summary.tallies.iter().flat_map(|tally| tally.examples.iter().map(ToString::to_string)).collect()
    }
}

fn read_from(source: impl Read + Send + 'static, compression: Compression, table: &Table, options: Options) -> Reading {
    drain(RowReader::new(source, FileFormat::JsonLines, compression, table, options).unwrap())
}

pub(crate) fn drain(mut reader: RowReader) -> Reading {
    let mut batches = Vec::new();
    let error = loop {
        match reader.next_batch() {
            Ok(Some(batch)) => batches.push(batch),
            Ok(None) => break None,
            Err(error) => break Some(error),
        }
    };
    let summary = reader.summary();
    Reading { batches, summary, error }
}

fn read(text: &[u8], table: &Table) -> Reading {
    read_from(Cursor::new(text.to_vec()), Compression::None, table, Options::default())
}

fn read_gzip(bytes: &[u8], table: &Table) -> Reading {
    read_from(Cursor::new(bytes.to_vec()), Compression::Gzip, table, Options::default())
}

pub(crate) fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn one(name: &str, column_type: ColumnType) -> Table {
    table(&[(name, column_type)])
}

#[test]
fn each_type_takes_its_own_json_and_no_other() {
    let decimal = ColumnType::Decimal { precision: 4, scale: 1 };
    let list = ColumnType::List(Box::new(ColumnType::Int32));
    let structure = ColumnType::Struct(vec![("x".into(), ColumnType::Int32)]);
    for (column_type, fitting, unfitting) in [
        (ColumnType::String, vec![r#""""#, r#""1""#, r#""\u0000\n""#], vec!["1", "true", "{}", "[]", r#""\ud800""#]),
        (
            ColumnType::Int8,
            vec!["127", "-128", "-0", "1.0", "1e0", "12.70e1"],
            vec!["128", "1.5", "1e-1", "\"1\"", "true", "[1]"],
        ),
        (ColumnType::Int16, vec!["32767"], vec!["32768"]),
        (ColumnType::Int32, vec!["2147483647"], vec!["2147483648", "-2147483649"]),
        (ColumnType::Int64, vec!["9223372036854775807"], vec!["9223372036854775808", "1e19"]),
        (ColumnType::Float32, vec!["1", "3.4e38"], vec!["3.5e38", "\"1\""]),
        (ColumnType::Float64, vec!["1", "-0.5", "1e308", "1e-999"], vec!["1e400", "\"NaN\"", "\"1\"", "false"]),
        (decimal, vec!["1", "999.9", "\"1.5\"", "1.50"], vec!["1000", "0.05", "\"x\"", "true"]),
        (ColumnType::Date, vec!["\"2024-02-29\""], vec!["\"2023-02-29\"", "\"29/02/2024\"", "20240229", "\"\""]),
        (
            ColumnType::Timestamp(TimestampUnit::Millisecond),
            vec!["\"2024-02-29 23:59:59\"", "\"2024-02-29T23:59:59.999\""],
            vec!["\"2024-02-29\"", "0"],
        ),
        (ColumnType::Boolean, vec!["true", "false"], vec!["1", "\"true\"", "\"\""]),
        (ColumnType::Binary, vec!["\"AQI=\"", "\"\""], vec!["\"AQI\"", "\"?\"", "[1]"]),
        (list, vec!["[]", "[1, 2]", "[null]"], vec!["{}", "1", "[1.5]", "[\"a\"]"]),
        (structure, vec!["{}", r#"{"x":1}"#, r#"{"x":null}"#], vec!["[]", r#"{"x":"1"}"#, r#"{"x":1,"x":1}"#]),
    ] {
        let table = one("c", column_type.clone());
        for (values, misfits) in [(fitting, 0), (unfitting, 1)] {
            for value in values {
                let reading = read(format!("{{\"c\": {value} }}").as_bytes(), &table);
                assert_eq!(reading.rows(), 1, "{column_type}: {value}");
                assert_eq!(reading.summary.tallies.len(), misfits, "{column_type}: {value} {:?}", reading.shown());
            }
        }
        assert!(read(b"{\"c\":null}", &table).summary.tallies.is_empty());
    }
}

#[test]
fn what_is_not_json_makes_no_row() {
    let table = one("c", ColumnType::Float64);
    for line in [
        "{\"c\":NaN}",
        "{\"c\":01}",
        "{\"c\":1",
        "{\"c\":1}}",
        "{\"c\":1} {\"c\":2}",
        "{'c':1}",
        "{\"c\":+1}",
        "{\"c\":\"\t\"}",
        "{c:1}",
    ] {
        let reading = read(line.as_bytes(), &table);
        assert_eq!(reading.counts(), [(MisfitKind::NotJson, None, 1)], "{line}");
        assert_eq!((reading.rows(), reading.summary.lines), (0, 1), "{line}");
    }
    for line in ["[{\"c\":1}]", "1", "null", "\"c\"", "c\n"] {
        assert_eq!(read(line.as_bytes(), &table).counts(), [(MisfitKind::NotAnObject, None, 1)], "{line}");
    }
    let reading = read(b"{\"c\":1}\n{\"c\":\"\xff\"}\n{\"c\":2}\n", &table);
    assert_eq!(reading.rows(), 2);
    assert_eq!(reading.shown(), ["line 2: expected UTF-8, found `{\"c\":\"\u{fffd}\"}`"]);
    assert_eq!(
        read(b"{\"c\":}", &table).shown(),
        ["line 1: expected JSON: expected value at character 6, found `{\"c\":}`"]
    );
}

#[test]
fn lines_may_end_and_begin_as_other_systems_write_them() {
    let table = one("c", ColumnType::Int32);
    let text = b"\xEF\xBB\xBF{\"c\":1}\r\n\r\n  \n{\"c\":2}\n\n{\"c\":\"x\"}";
    let reading = read(text, &table);
    assert_eq!((reading.rows(), reading.summary.lines), (3, 6));
    assert_eq!(reading.summary.bytes, text.len() as u64);
    let batch = &reading.batches[0];
    assert_eq!([batch.line(0), batch.line(1), batch.line(2)], [1, 4, 6]);
    assert_eq!(
        reading.shown(),
        ["line 6, column `c`: expected int: a whole number from -2147483648 to 2147483647, found `\"x\"`"]
    );
    assert!(batch.batch.column(0).is_null(2) && batch.gaps(0).len() == 1 && batch.gaps(0)[0].row == 2);
}

#[test]
fn columns_are_found_missing_unexpected_or_twice() {
    let table = table(&[("a", ColumnType::Int32), ("b", ColumnType::Int32)]);
    let reading =
        read(b"{\"b\":1}\n{\"a\":2,\"b\":3,\"z\":{\"a\":[1]}}\n{\"a\":4,\"b\":5,\"a\":4}\n{\"b\":6,\"a\":7}\n", &table);
    use MisfitKind::{DuplicateColumn, MissingColumn, UnexpectedColumn};
    assert_eq!(
        reading.counts(),
        [(MissingColumn, Some("a"), 1), (DuplicateColumn, Some("a"), 1), (UnexpectedColumn, Some("z"), 1)]
    );
    let a = reading.batches[0].batch.column(0).as_primitive::<Int32Type>();
    assert_eq!(a.iter().collect::<Vec<_>>(), [None, Some(2), None, Some(7)]);
    let gaps: Vec<_> = reading.batches[0].gaps(0).iter().map(|gap| (gap.row, gap.missing)).collect();
    assert_eq!(gaps, [(0, true), (2, false)]);
    // the columns of a line that turns out not to be a row do not count
    assert_eq!(read(b"{\"a\":1,\"b\":1,\"z\":1,}", &table).counts(), [(MisfitKind::NotJson, None, 1)]);
}

#[test]
fn the_type_of_an_unexpected_column_is_inferred_from_rows_alone() {
    let table = one("a", ColumnType::Int32);
    // of a key that occurs twice, only the first value counts; a line that is not a row does not count
    let text =
        b"{\"z\":1,\"a\":1,\"z\":\"x\"}\n{\"a\":1,\"z\":\"x\",}\n{\"z\":4294967296}\n{\"z\":null,\"y\":{\"z\":true}}\n";
    let reading = read(text, &table);
    let inferred: Vec<_> = reading.summary.tallies.iter().filter_map(|tally| tally.inferred.as_ref()).collect();
    let types: Vec<_> = inferred.iter().map(|inferred| (inferred.column_type(), inferred.saw_null())).collect();
    let structure = ColumnType::Struct(vec![("z".into(), ColumnType::Boolean)]);
    assert_eq!(types, [(Some(ColumnType::Int64), true), (Some(structure), false)]);
    // an undescribed field inside a described column is reported, but its type is not inferred
    let reading = read(br#"{"c":{"m":1}}"#, &one("c", ColumnType::Struct(vec![("n".into(), ColumnType::Int32)])));
    assert_eq!(reading.summary.tallies[0].inferred, None);
}

#[test]
fn inside_a_value_the_place_is_told() {
    let inner = ColumnType::Struct(vec![("n".into(), ColumnType::List(Box::new(ColumnType::Int32)))]);
    let table = one("c", inner);
    let reading = read(br#"{"c":{"n":[1,2,"x","y"],"m":1}}"#, &table);
    assert_eq!(
        reading.shown(),
        [
            "line 1, column `c.n[2]`: expected int: a whole number from -2147483648 to 2147483647, found `\"x\"`",
            "line 1, column `c.m`: expected no column that the metadata does not describe",
        ]
    );
    let items = reading.batches[0].batch.column(0).as_struct().column(0).as_list::<i32>().value(0);
    assert_eq!(items.as_primitive::<Int32Type>().iter().collect::<Vec<_>>(), [Some(1), Some(2), None, None]);
}

#[test]
fn a_sensitive_column_shows_no_value() {
    let mut table = table(&[("a", ColumnType::Int32), ("b", ColumnType::Int32)]);
    table.columns[0].sensitive = true;
    let text = b"{\"a\":\"secret\",\"b\":\"open\"}\n{\"a\":\"secret\"\n\"secret\"\n{\"a\":\"secret\xff\"}\n";
    let reading = read(text, &table);
    assert_eq!(reading.summary.tallies.len(), 5, "{:?}", reading.shown());
    let shown = format!("{:?}", reading.summary);
    assert!(!shown.contains("secret") && shown.contains("open"), "{shown}");
}

#[test]
fn fields_inside_a_sensitive_column_have_no_names() {
    let mut table = one("a", ColumnType::Struct(vec![("x".into(), ColumnType::Int32)]));
    table.columns[0].sensitive = true;
    let reading = read(b"{\"a\":{\"x\":1,\"secret\":2}}", &table);
    assert_eq!(reading.counts(), [(MisfitKind::UnexpectedColumn, Some("a.…"), 1)]);
}

#[test]
fn gzip_is_whole_or_an_error() {
    let table = one("c", ColumnType::Int32);
    let text: String = (0..10_000).map(|n| format!("{{\"c\":{n}}}\n")).collect();
    let whole = gzip(text.as_bytes());
    assert_eq!(read_gzip(&whole, &table).rows(), 10_000);

    let members = [gzip(b"{\"c\":1}\n{\"c"), gzip(b""), gzip(b"\":2}\n")].concat();
    assert_eq!(read_gzip(&members, &table).rows(), 2);

    let reason = |bytes: &[u8]| match read_gzip(bytes, &table).error {
        Some(ReadError::Compressed { reason, .. }) => reason,
        other => panic!("{other:?}"),
    };
    for cut in [0, 1, 9, 10, 11, whole.len() / 2, whole.len() - 8, whole.len() - 1] {
        assert!(reason(&whole[..cut]).contains("cut off"), "{cut}: {}", reason(&whole[..cut]));
    }
    let mut damaged = whole.clone();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 0xff;
    assert!(reason(&damaged).contains("damaged"));
    let mut checksum = whole.clone();
    let at = checksum.len() - 8;
    checksum[at] ^= 1;
    assert!(reason(&checksum).contains("damaged"));
    assert!(reason(&[&whole[..], b"trailing garbage"].concat()).contains("follows"));
    assert!(reason(text.as_bytes()).contains("invalid gzip header"));

    // rows before the damage are still read, and their lines counted
    let torn = read_gzip(&whole[..whole.len() - 1], &table);
    assert_eq!((torn.rows(), torn.summary.rows), (10_000, 10_000));
}

#[test]
fn a_failing_source_is_not_the_file_s_fault() {
    struct Broken(Vec<u8>);
    impl Read for Broken {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            if self.0.is_empty() {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "connection lost"));
            }
            let n = self.0.len().min(into.len());
            into[..n].copy_from_slice(&self.0.drain(..n).collect::<Vec<_>>());
            Ok(n)
        }
    }
    let table = one("c", ColumnType::Int32);
    let whole = gzip(b"{\"c\":1}\n{\"c\":2}\n");
    for (bytes, compression) in
        [(whole[..whole.len() - 9].to_vec(), Compression::Gzip), (b"{\"c\":1}\n{\"".to_vec(), Compression::None)]
    {
        let error = read_from(Broken(bytes), compression, &table, Options::default()).error;
        assert!(matches!(error, Some(ReadError::Io { kind: io::ErrorKind::UnexpectedEof, .. })), "{error:?}");
    }
}

#[test]
fn limits_hold() {
    let table = one("c", ColumnType::String);
    let options = || Options { maximum_line_bytes: 100, ..Options::default() };
    let long = format!("{{\"c\":\"a\"}}\n{{\"c\":\"{}\"}}\n{{\"c\":\"b\"}}\n", "x".repeat(92));
    let reading = read_from(Cursor::new(long.clone()), Compression::None, &table, options());
    assert_eq!(reading.rows(), 3);
    let long = long.replacen('x', "xx", 1);
    let reading = read_from(Cursor::new(long.clone()), Compression::None, &table, options());
    assert_eq!(reading.rows(), 1);
    assert_eq!(reading.error, Some(ReadError::LineTooLong { line: 2, byte: 10, limit: 100 }));
    // an endless line is given up before it fills the memory
    let reading = read_from(io::repeat(b'x'), Compression::None, &table, Options::default());
    assert!(matches!(reading.error, Some(ReadError::LineTooLong { line: 1, byte: 0, .. })));

    let bomb = gzip(&vec![b'\n'; 4 << 20]);
    let options = Options { maximum_bytes: 1 << 20, ..Options::default() };
    let reading = read_from(Cursor::new(bomb), Compression::Gzip, &table, options);
    assert!(matches!(reading.error, Some(ReadError::TooLarge { limit: 1_048_576, .. })), "{:?}", reading.error);

    // any number of blank lines is not the end
    let gap = format!("{{\"c\":\"a\"}}\n{}{{\"c\":\"b\"}}\n", "\n".repeat(20 << 20));
    assert_eq!(read(gap.as_bytes(), &table).rows(), 2);
    let wrong = format!("{}1\n{{\"c\":\"b\"}}\n", "\n".repeat(20 << 20));
    assert_eq!(read(wrong.as_bytes(), &table).rows(), 1);

    // a small file of endless blank lines: members that are all the same
    let mut member = GzEncoder::new(Vec::new(), flate2::Compression::best());
    member.write_all(&vec![b'\n'; 64 << 20]).unwrap();
    let bomb = member.finish().unwrap().repeat(40);
    let reading = read_from(Cursor::new(bomb), Compression::Gzip, &table, Options::default());
    assert!(
        matches!(&reading.error, Some(ReadError::Compressed { reason, .. }) if reason.contains("500 times")),
        "{:?}",
        reading.error
    );
    assert!(reading.summary.bytes < 2 << 30, "{}", reading.summary.bytes);

    let deep = format!("{{\"c\":{}{}}}", "[".repeat(1_000_000), "]".repeat(1_000_000));
    assert_eq!(read(deep.as_bytes(), &table).counts(), [(MisfitKind::WrongType, Some("c"), 1)]);

    let many: String = (0..100_000).map(|n| format!(",\"k{n}\":{n}")).collect();
    let reading = read(format!("{{\"c\":\"\"{many}}}").as_bytes(), &table);
    assert_eq!(reading.summary.tallies.len(), 101);
    assert_eq!(reading.counts().last(), Some(&(MisfitKind::UnexpectedColumn, None, 1)));
}

#[test]
fn misfits_are_counted_and_the_first_are_shown() {
    let table = one("c", ColumnType::Int32);
    let text = "{\"c\":\"x\"}\n".repeat(5_000) + &format!("{{\"c\":\"{}\"}}\n", "y".repeat(5_000));
    let reading = read(text.as_bytes(), &table);
    assert_eq!(reading.counts(), [(MisfitKind::WrongType, Some("c"), 5_001)]);
    assert_eq!(reading.summary.tallies[0].examples.len(), 5);
    // each batch reports its new examples, and none twice
    let told: Vec<_> = reading.batches.iter().map(|batch| batch.misfits.len()).collect();
    assert_eq!(told, [5, 0, 0, 0, 0]);
    let long = read(format!("{{\"c\":\"{}\"}}", "é".repeat(500)).as_bytes(), &table);
    let text = long.summary.tallies[0].examples[0].text.clone().unwrap();
    assert_eq!((text.chars().count(), text.chars().last()), (81, Some('…')));
}

/// A value in a form that tests compare.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Null,
    Text(String),
    Whole(i64),
    Number(f64),
    Units(i128),
    Truth(bool),
    Bytes(Vec<u8>),
    Days(i32),
    Milliseconds(i64),
    Microseconds(i64),
    Nanoseconds(i64),
    Fields(Vec<Value>),
    Items(Vec<Value>),
}

impl Value {
    pub(crate) fn point(unit: TimestampUnit, value: i64) -> Self {
        match unit {
            TimestampUnit::Millisecond => Self::Milliseconds(value),
            TimestampUnit::Microsecond => Self::Microseconds(value),
            TimestampUnit::Nanosecond => Self::Nanoseconds(value),
        }
    }
}

pub(crate) fn column_type() -> impl Strategy<Value = ColumnType> {
    let scalar = prop_oneof![
        Just(ColumnType::String),
        Just(ColumnType::Int8),
        Just(ColumnType::Int32),
        Just(ColumnType::Int64),
        Just(ColumnType::Float64),
        Just(ColumnType::Date),
        Just(ColumnType::Timestamp(TimestampUnit::Millisecond)),
        Just(ColumnType::Timestamp(TimestampUnit::Microsecond)),
        Just(ColumnType::Timestamp(TimestampUnit::Nanosecond)),
        Just(ColumnType::Boolean),
        Just(ColumnType::Binary),
        (1_u8..=38)
            .prop_flat_map(|p| (Just(p), 0..=p))
            .prop_map(|(precision, scale)| ColumnType::Decimal { precision, scale }),
    ];
    scalar.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(|inner| ColumnType::List(Box::new(inner))),
            prop::collection::vec(inner, 1..4).prop_map(|inner| {
                ColumnType::Struct(inner.into_iter().enumerate().map(|(n, inner)| (format!("f{n}"), inner)).collect())
            }),
        ]
    })
}

pub(crate) fn value(column_type: &ColumnType) -> BoxedStrategy<Value> {
    let whole = |least: i64, greatest: i64| (least..=greatest).prop_map(Value::Whole).boxed();
    let some = match column_type {
        ColumnType::Int8 => whole(i8::MIN.into(), i8::MAX.into()),
        ColumnType::Int32 => whole(i32::MIN.into(), i32::MAX.into()),
        ColumnType::Int64 => whole(i64::MIN, i64::MAX),
        ColumnType::Float64 => (prop::num::f64::NORMAL | prop::num::f64::ZERO).prop_map(Value::Number).boxed(),
        ColumnType::Decimal { precision, .. } => {
            let limit = 10_i128.pow(u32::from(*precision)) - 1;
            (-limit..=limit).prop_map(Value::Units).boxed()
        }
        // years 1 to 9999
        ColumnType::Date => (-719_162..=2_932_896).prop_map(Value::Days).boxed(),
        ColumnType::Timestamp(unit) => {
            let (least, greatest) = crate::values::points::range(unit.per_second());
            let (unit, ends) = (*unit, prop::sample::select(vec![least, -1, 0, greatest]));
            prop_oneof![9 => least..=greatest, 1 => ends].prop_map(move |value| Value::point(unit, value)).boxed()
        }
        ColumnType::Boolean => any::<bool>().prop_map(Value::Truth).boxed(),
        ColumnType::Binary => any::<Vec<u8>>().prop_map(Value::Bytes).boxed(),
        ColumnType::List(inner) => prop::collection::vec(value(inner), 0..4).prop_map(Value::Items).boxed(),
        ColumnType::Struct(fields) => {
            fields.iter().map(|(_, inner)| value(inner)).collect::<Vec<_>>().prop_map(Value::Fields).boxed()
        }
        _ => any::<String>().prop_map(Value::Text).boxed(),
    };
    prop_oneof![1 => Just(Value::Null), 5 => some].boxed()
}

pub(crate) fn json(column_type: &ColumnType, value: &Value) -> String {
    match (column_type, value) {
        (_, Value::Null) => "null".into(),
        (_, Value::Text(text)) => serde_json::to_string(text).unwrap(),
        (_, Value::Whole(number)) => number.to_string(),
        (_, Value::Number(number)) => serde_json::to_string(number).unwrap(),
        (_, Value::Truth(truth)) => truth.to_string(),
        (_, Value::Bytes(bytes)) => format!("\"{}\"", BASE64_STANDARD.encode(bytes)),
        (_, Value::Days(days)) => format!("\"{}\"", date(i64::from(*days) * 86_400_000).format("%Y-%m-%d")),
        (_, Value::Milliseconds(time)) => format!("\"{}\"", date(*time).format("%Y-%m-%d %H:%M:%S%.3f")),
        (_, Value::Microseconds(time)) => point(*time, 1_000_000),
        (_, Value::Nanoseconds(time)) => point(*time, 1_000_000_000),
        (ColumnType::Decimal { scale, .. }, Value::Units(units)) => {
            let sign = if *units < 0 { "-" } else { "" };
            let digits = format!("{:0>width$}", units.unsigned_abs(), width = usize::from(*scale) + 1);
            let (whole, fraction) = digits.split_at(digits.len() - usize::from(*scale));
            if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
        }
        (ColumnType::List(inner), Value::Items(items)) => {
            format!("[{}]", items.iter().map(|item| json(inner, item)).collect::<Vec<_>>().join(" , "))
        }
        (ColumnType::Struct(fields), Value::Fields(values)) => {
            let fields =
                fields.iter().zip(values).map(|((name, inner), value)| format!("\"{name}\":{}", json(inner, value)));
            format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
        }
        other => panic!("{other:?}"),
    }
}

/// Formats a point in time with all nine decimals.
fn point(value: i64, per_second: i64) -> String {
    let nanoseconds = value.rem_euclid(per_second) * (1_000_000_000 / per_second);
    let point = chrono::DateTime::from_timestamp(value.div_euclid(per_second), nanoseconds as u32).unwrap();
    format!("\"{}\"", point.format("%Y-%m-%dT%H:%M:%S%.9f"))
}

pub(crate) fn date(milliseconds: i64) -> chrono::NaiveDateTime {
    chrono::DateTime::from_timestamp_millis(milliseconds).unwrap().naive_utc()
}

pub(crate) fn value_of(array: &dyn Array, row: usize) -> Value {
    if array.is_null(row) {
        return Value::Null;
    }
    match array.data_type() {
        DataType::Utf8 => Value::Text(array.as_string::<i32>().value(row).into()),
        DataType::Int8 => Value::Whole(array.as_primitive::<Int8Type>().value(row).into()),
        DataType::Int32 => Value::Whole(array.as_primitive::<Int32Type>().value(row).into()),
        DataType::Int64 => Value::Whole(array.as_primitive::<Int64Type>().value(row)),
        DataType::Float64 => Value::Number(array.as_primitive::<Float64Type>().value(row)),
        DataType::Decimal128(..) => Value::Units(array.as_primitive::<Decimal128Type>().value(row)),
        DataType::Date32 => Value::Days(array.as_primitive::<Date32Type>().value(row)),
        DataType::Timestamp(TimeUnit::Microsecond, None) => {
            Value::Microseconds(array.as_primitive::<TimestampMicrosecondType>().value(row))
        }
        DataType::Timestamp(TimeUnit::Nanosecond, None) => {
            Value::Nanoseconds(array.as_primitive::<TimestampNanosecondType>().value(row))
        }
        DataType::Timestamp(..) => Value::Milliseconds(array.as_primitive::<TimestampMillisecondType>().value(row)),
        DataType::Boolean => Value::Truth(array.as_boolean().value(row)),
        DataType::Binary => Value::Bytes(array.as_binary::<i32>().value(row).into()),
        DataType::Struct(_) => {
            Value::Fields(array.as_struct().columns().iter().map(|child| value_of(child, row)).collect())
        }
        DataType::List(_) => {
            let items = array.as_list::<i32>().value(row);
            Value::Items((0..items.len()).map(|n| value_of(&items, n)).collect())
        }
        other => panic!("{other}"),
    }
}

pub(crate) fn values(batches: &[Batch]) -> Vec<Vec<Value>> {
    let row = |batch: &RecordBatch, row| batch.columns().iter().map(|column| value_of(column, row)).collect();
    batches.iter().flat_map(|batch| (0..batch.batch.num_rows()).map(|n| row(&batch.batch, n))).collect()
}

/// Returns its bytes in reads of these sizes, over and over.
pub(crate) struct Pieces {
    pub(crate) bytes: Cursor<Vec<u8>>,
    pub(crate) sizes: std::iter::Cycle<std::vec::IntoIter<usize>>,
}

impl Read for Pieces {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let size = self.sizes.next().unwrap().min(into.len());
        self.bytes.read(&mut into[..size])
    }
}

pub(crate) fn rows_of_a_table() -> impl Strategy<Value = (Vec<ColumnType>, Vec<(Vec<Value>, usize)>)> {
    prop::collection::vec(column_type(), 1..5).prop_flat_map(|types| {
        let row: Vec<_> = types.iter().map(value).collect();
        // each row has the key that it begins with, so that the order varies
        (Just(types), prop::collection::vec((row, any::<usize>()), 0..20))
    })
}

proptest! {
    #[test]
    fn rows_written_as_json_read_as_the_same_rows(
        (types, rows) in rows_of_a_table(),
        sizes in prop::collection::vec(1_usize..200, 1..10),
        batch_rows in 1_usize..10,
    ) {
        let names: Vec<String> = (0..types.len()).map(|n| format!("c{n}")).collect();
        let columns: Vec<_> = names.iter().map(String::as_str).zip(types.iter().cloned()).collect();
        let table = table(&columns);
        let mut text = String::new();
        for (row, first) in &rows {
            let mut fields: Vec<_> =
                columns.iter().zip(row).map(|((name, kind), value)| format!("\"{name}\": {}", json(kind, value))).collect();
            let length = fields.len();
            fields.rotate_left(first % length);
            text += &format!("{{{}}}\n", fields.join(", "));
        }
        let options = Options { batch_rows, ..Options::default() };
        let packed = gzip(text.as_bytes());
        let source = Pieces { bytes: Cursor::new(packed), sizes: sizes.into_iter().cycle() };
        let reading = read_from(source, Compression::Gzip, &table, options);
        prop_assert_eq!(reading.error, None);
        prop_assert_eq!(reading.summary.tallies, Vec::<Tally>::new());
        prop_assert!(reading.batches.iter().all(|batch| batch.batch.num_rows() <= batch_rows));
        let expected: Vec<Vec<Value>> = rows.into_iter().map(|(row, _)| row).collect();
        prop_assert_eq!(values(&reading.batches), expected);
    }

    #[test]
    fn a_line_is_a_row_exactly_when_serde_json_reads_an_object(
        line in r#"[{]?("[ab]":(1|-?0|1\.5|"x"|"\\u[0d]800"|null|[\[]1,?[\]]|[{]"a":1[}]|nul|01),?){0,3}[}]?[}\] ]?"#,
    ) {
        let table = table(&[("a", ColumnType::Float64), ("b", ColumnType::String)]);
        let reading = read(line.as_bytes(), &table);
        // half of a surrogate pair concerns the value here, not the line
        let whole = line.replace("\\ud800", "x");
        let expected = matches!(serde_json::from_str(&whole), Ok(serde_json::Value::Object(_)));
        prop_assert_eq!(reading.rows() == 1, expected, "{:?}", reading.shown());
    }

    #[test]
    fn no_bytes_make_it_panic(
        bytes in prop::collection::vec(prop_oneof![3 => any::<u8>(), 1 => prop::sample::select(b"{}[]\":,\n\\u1ae.-".to_vec())], 0..400),
        cut in any::<prop::sample::Index>(),
        flip in any::<prop::sample::Index>(),
    ) {
        let table = table(&[("a", ColumnType::Int32), ("b", ColumnType::List(Box::new(ColumnType::String)))]);
        let options = || Options { maximum_line_bytes: 64, batch_rows: 3, ..Options::default() };
        let reading = read_from(Cursor::new(bytes.clone()), Compression::None, &table, options());
        prop_assert_eq!(reading.rows() as u64, reading.summary.rows);
        let mut packed = gzip(&bytes);
        packed.truncate(cut.index(packed.len()) + 1);
        let at = flip.index(packed.len());
        packed[at] ^= 1;
        read_from(Cursor::new(packed), Compression::Gzip, &table, options());
        read_gzip(&bytes, &table);
    }
}

#[test]
fn narrow_numbers_have_arrays_of_their_own() {
    let table = table(&[("s", ColumnType::Int16), ("f", ColumnType::Float32)]);
    let reading = read(b"{\"s\":-7,\"f\":0.1}", &table);
    let batch = &reading.batches[0].batch;
    assert_eq!(batch.schema(), crate::schema(&table));
    assert_eq!(batch.column(0).as_primitive::<Int16Type>().value(0), -7);
    assert_eq!(batch.column(1).as_primitive::<Float32Type>().value(0), 0.1);
}

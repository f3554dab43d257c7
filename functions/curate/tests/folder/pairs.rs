//! Which values may be stored as which types: every pair of types, at both ends of their range and beyond, plain and
//! nested in lists and structs. A value arrives unchanged or is an error. It never becomes null or another value.
//! Values are compared as texts with all their digits, independently of the alignment's own code.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float32Array, Float64Array, Int8Array,
    Int16Array, Int32Array, Int64Array, LargeStringArray, ListArray, RecordBatch, StringArray, StringViewArray,
    StructArray, TimestampMicrosecondArray, TimestampMillisecondArray, TimestampNanosecondArray, TimestampSecondArray,
    UInt64Array,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, TimeUnit};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use contract::{FailureKind, MetaData, Table};
use curate::align::Align;
use curate::secrets::Secrets;
use serde_json::json;

use crate::place::Place;

/// The types of the metadata, with their kind.
const DESCRIBED: &[(&str, Kind)] = &[
    ("int8", Kind::Number),
    ("int16", Kind::Number),
    ("int32", Kind::Number),
    ("int64", Kind::Number),
    ("float32", Kind::Number),
    ("float64", Kind::Number),
    ("decimal128(5,2)", Kind::Number),
    ("decimal128(38,0)", Kind::Number),
    ("decimal128(38,38)", Kind::Number),
    ("string", Kind::Text),
    ("bool", Kind::Truth),
    ("binary", Kind::Bytes),
    ("date32", Kind::Time),
    ("timestamp(ms)", Kind::Time),
    ("timestamp(us)", Kind::Time),
    ("timestamp(ns)", Kind::Time),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Number,
    Text,
    Truth,
    Bytes,
    Time,
}

/// Whether values of one kind may be stored as another.
fn may_become(found: Kind, described: Kind) -> bool {
    match (found, described) {
        (Kind::Text, Kind::Bytes) => false,
        (Kind::Text, _) | (_, Kind::Text) => true,
        (found, described) => found == described,
    }
}

/// Returns arrays that a query may return, with values at the ends of their type and others.
fn found() -> Vec<(Kind, ArrayRef)> {
    let whole = [0, 1, -1, 127, 128, -128, -129, 32_767, 32_768, 2_147_483_647, 2_147_483_648, -2_147_483_649];
    let wide = [9_007_199_254_740_992, 9_007_199_254_740_993, i64::MAX, i64::MIN, 20_240_131, 16_777_217];
    let wide: Vec<i64> = whole.into_iter().chain(wide).collect();
    let narrow = |least: i64, most: i64| wide.iter().copied().filter(move |n| (least..=most).contains(n));
    let doubles = [
        0.0,
        -0.0,
        0.1,
        0.29,
        1.005,
        1.5,
        -2.5,
        3.0,
        127.0,
        128.0,
        999.99,
        1000.0,
        16_777_217.0,
        1e15,
        1e22,
        1e38,
        1e39,
        3.4e38,
        3.5e38,
        1e300,
        5e-324,
        0.123_456_789,
        9_223_372_036_854_775_807.0,
        f64::NAN,
        f64::INFINITY,
        f64::MIN,
    ];
    let floats: Vec<f32> = doubles.iter().map(|double| *double as f32).collect();
    let decimals = |precision: u8, scale: i8, values: &[i128]| {
        let most = 10_i128.pow(u32::from(precision)) - 1;
        let values = values.iter().copied().chain([0, 1, -1, most, -most]).filter(|value| value.abs() <= most);
        let array = Decimal128Array::from_iter_values(values).with_precision_and_scale(precision, scale);
        (Kind::Number, Arc::new(array.unwrap()) as ArrayRef)
    };
    let texts = [
        "",
        " 1",
        "1",
        "-1",
        "+1",
        "007",
        "1.0",
        "1.5",
        "1e2",
        "127",
        "128",
        "999.99",
        "1000.00",
        "0.1",
        "12,50",
        "x",
        "NaN",
        "true",
        "TRUE",
        "t",
        "2024-02-29",
        "2023-02-29",
        "2024-1-5",
        "20240229",
        "0001-01-01",
        "9999-12-31",
        "10000-01-01",
        "2024-02-29 12:34:56",
        "2024-02-29T12:34:56.789",
        "2024-02-29 12:34:56.789123",
        "2024-02-29 12:34:56.000",
        "2024-02-29 12:34:56Z",
        "2024-02-29 00:00:00",
        "9007199254740993",
        "1700-01-01 00:00:00",
        "9223372036854775808",
        "0.123456789",
        "1e39",
        "1600-01-01 00:00:00",
    ];
    let seconds =
        [0_i64, -1, 86_400, 1_709_210_096, -62_135_596_800, -62_135_596_801, 253_402_300_799, 253_402_300_800];
    let points = |per_second: i64| -> Vec<i64> {
        let of = |seconds: &i64| seconds.checked_mul(per_second);
        let fractions = [1, 789 * per_second / 1_000, 86_400 * per_second + per_second / 2, i64::MAX, i64::MIN];
        seconds.iter().filter_map(of).chain(fractions).collect()
    };
    let array = |array: ArrayRef| (Kind::Number, array);
    let text = |array: ArrayRef| (Kind::Text, array);
    let time = |array: ArrayRef| (Kind::Time, array);
    vec![
        array(Arc::new(Int8Array::from_iter_values(narrow(-128, 127).map(|n| n as i8)))),
        array(Arc::new(Int16Array::from_iter_values(narrow(-32_768, 32_767).map(|n| n as i16)))),
        array(Arc::new(Int32Array::from_iter_values(narrow(i32::MIN.into(), i32::MAX.into()).map(|n| n as i32)))),
        array(Arc::new(Int64Array::from(wide.clone()))),
        array(Arc::new(UInt64Array::from(vec![0, 1, 127, 128, i64::MAX as u64, i64::MAX as u64 + 1, u64::MAX]))),
        array(Arc::new(Float32Array::from(floats))),
        array(Arc::new(Float64Array::from(doubles.to_vec()))),
        decimals(5, 2, &[150, 100, 12_800]),
        decimals(38, 10, &[10_000_000_000, 15_000_000_000, 1_000_000_000, 9_007_199_254_740_993 * 10_i128.pow(10)]),
        decimals(38, 0, &[127, 128, 1_000, i64::MAX.into(), i128::from(i64::MAX) + 1]),
        decimals(38, 38, &[10_i128.pow(37), 5 * 10_i128.pow(37)]),
        text(Arc::new(StringArray::from(texts.to_vec()))),
        text(Arc::new(LargeStringArray::from(texts.to_vec()))),
        text(Arc::new(StringViewArray::from(texts.to_vec()))),
        (Kind::Truth, Arc::new(BooleanArray::from(vec![true, false]))),
        (Kind::Bytes, Arc::new(BinaryArray::from(vec![&b"abc"[..], b"", b"\xff", "é".as_bytes()]))),
        time(Arc::new(Date32Array::from(vec![
            0,
            -1,
            -719_162,
            -719_163,
            2_932_896,
            2_932_897,
            i32::MAX,
            i32::MIN,
            19_782,
        ]))),
        time(Arc::new(TimestampSecondArray::from(points(1)))),
        time(Arc::new(TimestampMillisecondArray::from(points(1_000)))),
        time(Arc::new(TimestampMicrosecondArray::from(points(1_000_000)))),
        time(Arc::new(TimestampNanosecondArray::from(points(1_000_000_000)))),
    ]
}

/// The types that values are nested in.
const NESTS: &[&str] = &["{}", "list<{}>", "struct<p:{}>", "list<struct<p:{}>>"];

fn nested(nest: &str, array: ArrayRef) -> ArrayRef {
    let lists = |items: ArrayRef| -> ArrayRef {
        let field = Arc::new(Field::new("item", items.data_type().clone(), true));
        // an empty list first, then a list of all items
        let offsets = OffsetBuffer::from_lengths([0, items.len()]);
        Arc::new(ListArray::new(field, offsets, items, None))
    };
    let structs = |fields: ArrayRef| -> ArrayRef {
        let field = Arc::new(Field::new("p", fields.data_type().clone(), true));
        Arc::new(StructArray::from(vec![(field, fields)]))
    };
    match nest {
        "{}" => array,
        "list<{}>" => lists(array),
        "struct<p:{}>" => structs(array),
        _ => lists(structs(array)),
    }
}

/// Returns the innermost array.
fn unnested(array: &ArrayRef) -> ArrayRef {
    match array.data_type() {
        DataType::List(_) => unnested(array.as_any().downcast_ref::<ListArray>().unwrap().values()),
        DataType::Struct(_) => unnested(array.as_any().downcast_ref::<StructArray>().unwrap().column(0)),
        _ => Arc::clone(array),
    }
}

fn tables() -> Vec<(Kind, Vec<Table>)> {
    let tables = DESCRIBED.iter().map(|(name, kind)| {
        let place = Place::new();
        let columns = NESTS.iter().enumerate().map(|(n, nest)| {
            let column_type = nest.replace("{}", name);
            let table = json!({
                "name": format!("c{n}"), "file_format": "parquet", "location": format!("c{n}"),
                "columns": [{"name": "v", "type": column_type, "description": ""}]
            });
            place.write(&format!("meta_data/curated/c{n}.json"), table.to_string());
            place.sql("curated", &format!("c{n}"), "SELECT 1 AS v");
            format!("c{n}")
        });
        let names: Vec<String> = columns.collect();
        let metadata = MetaData::read(&place.path("meta_data")).unwrap();
        (*kind, names.iter().map(|name| metadata.curated[name].clone()).collect())
    });
    tables.collect()
}

/// Returns texts that distinguish a value from all others. A float has two: its shortest digits, and all its digits.
fn meanings(array: &ArrayRef, kind: Kind) -> BTreeSet<String> {
    assert!(!array.is_null(0), "a value became a null");
    let text = ArrayFormatter::try_new(array, &FormatOptions::default()).unwrap().value(0).try_to_string();
    let text = text.unwrap_or_else(|_| "out of all calendars".into());
    match (array.data_type(), kind) {
        (DataType::Float32, _) => {
            let float = array.as_any().downcast_ref::<Float32Array>().unwrap().value(0);
            [number(&format!("{float:e}")), number(&format!("{:.1100}", f64::from(float)))].into()
        }
        (DataType::Float64, _) => {
            let double = array.as_any().downcast_ref::<Float64Array>().unwrap().value(0);
            [number(&format!("{double:e}")), number(&format!("{double:.1100}"))].into()
        }
        (DataType::Date32 | DataType::Timestamp(..), _) => [point(array)].into(),
        (DataType::Binary, _) => {
            [array.as_any().downcast_ref::<BinaryArray>().unwrap().value(0).escape_ascii().to_string()].into()
        }
        (_, Kind::Number) => [number(&text)].into(),
        (_, Kind::Time) => [point_of(&text)].into(),
        (_, Kind::Bytes) => [text.as_bytes().escape_ascii().to_string()].into(),
        (_, Kind::Truth) => [text.to_lowercase()].into(),
        (_, Kind::Text) => [text].into(),
    }
}

/// Returns the digits of a number without zeros around them, and the power of ten of the last digit.
fn number(text: &str) -> String {
    let lower = text.to_lowercase();
    let (mantissa, exponent) = lower.split_once('e').unwrap_or((&lower, "0"));
    let Ok(exponent) = exponent.parse::<i64>() else { return lower };
    let (sign, digits) = match mantissa.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", mantissa),
    };
    if !digits.starts_with(|c: char| c.is_ascii_digit()) {
        return lower;
    }
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all = format!("{whole}{fraction}");
    let kept = all.trim_start_matches('0').trim_end_matches('0');
    if kept.is_empty() {
        return "0".into();
    }
    let zeros = (all.len() - all.trim_end_matches('0').len()) as i64;
    format!("{sign}{kept}e{}", exponent - fraction.len() as i64 + zeros)
}

/// Returns nanoseconds since 1970.
fn point(array: &ArrayRef) -> String {
    let value = |per_second: i128, value: i64| (i128::from(value) * (1_000_000_000 / per_second)).to_string();
    let any = array.as_any();
    match array.data_type() {
        DataType::Date32 => {
            let days = any.downcast_ref::<Date32Array>().unwrap().value(0);
            (i128::from(days) * 86_400 * 1_000_000_000).to_string()
        }
        DataType::Timestamp(TimeUnit::Second, _) => {
            value(1, any.downcast_ref::<TimestampSecondArray>().unwrap().value(0))
        }
        DataType::Timestamp(TimeUnit::Millisecond, _) => {
            value(1_000, any.downcast_ref::<TimestampMillisecondArray>().unwrap().value(0))
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            value(1_000_000, any.downcast_ref::<TimestampMicrosecondArray>().unwrap().value(0))
        }
        _ => value(1_000_000_000, any.downcast_ref::<TimestampNanosecondArray>().unwrap().value(0)),
    }
}

/// Returns the same for a text `YYYY-MM-DD[ HH:MM:SS[.f]]`.
fn point_of(text: &str) -> String {
    let (day, time) = text.split_at(10.min(text.len()));
    let Ok(day) = chrono::NaiveDate::parse_from_str(day, "%Y-%m-%d") else { return format!("no point: {text}") };
    let time = if time.is_empty() { "T00:00:00" } else { time };
    let time = chrono::NaiveTime::parse_from_str(&time[1..], "%H:%M:%S%.f");
    let Ok(time) = time else { return format!("no point: {text}") };
    let at = day.and_time(time).and_utc();
    (i128::from(at.timestamp()) * 1_000_000_000 + i128::from(at.timestamp_subsec_nanos())).to_string()
}

/// Returns the kind as which values of two kinds can be compared.
fn common(found: Kind, described: Kind) -> Kind {
    if found == Kind::Text { described } else { found }
}

#[test]
fn a_value_arrives_as_it_is_or_is_an_error() {
    let (mut stored, mut refused) = (0, 0);
    for (described, tables) in tables() {
        for (kind, array) in found() {
            for (table, nest) in tables.iter().zip(NESTS) {
                for row in 0..array.len() {
                    let one = nested(nest, array.slice(row, 1));
                    let batch = RecordBatch::try_from_iter([("v", one)]).unwrap();
                    let pair = format!("{} as {}", array.data_type(), table.columns[0].column_type);
                    let align = Align::new(table, &batch.schema());
                    if !may_become(kind, described) {
                        let failure = align.expect_err(&pair);
                        assert_eq!(failure.kind, FailureKind::BadMetadata, "{pair}: {failure}");
                        break;
                    }
                    match align.expect(&pair).batch(&batch) {
                        Ok(aligned) => {
                            stored += 1;
                            let inside = unnested(aligned.column(0));
                            let words = common(kind, described);
                            let (before, after) = (meanings(&array.slice(row, 1), words), meanings(&inside, words));
                            assert!(!before.is_disjoint(&after), "{pair}: {before:?} became {after:?}");
                        }
                        Err(failure) => {
                            let failure = failure.told(&Secrets::default());
                            refused += 1;
                            assert_eq!(failure.kind, FailureKind::BadData, "{pair}: {failure}");
                            assert!(failure.message.contains("cannot become"), "{pair}: {failure}");
                            assert!(!failure.message.contains("ERROR"), "{pair}: {failure}");
                        }
                    }
                }
            }
        }
    }
    assert!(stored > 5_000 && refused > 2_000, "{stored} stored, {refused} refused");
}

#[test]
fn what_fits_is_not_refused() {
    for (described, tables) in tables() {
        for (kind, array) in found() {
            // every permitted pair has a value that fits, plain and nested
            if !may_become(kind, described) || kind == Kind::Bytes && described != Kind::Bytes {
                continue;
            }
            for (table, nest) in tables.iter().zip(NESTS) {
                let fits = (0..array.len()).any(|row| {
                    let batch = RecordBatch::try_from_iter([("v", nested(nest, array.slice(row, 1)))]).unwrap();
                    Align::new(table, &batch.schema()).unwrap().batch(&batch).is_ok()
                });
                assert!(fits, "nothing of {} becomes {}", array.data_type(), table.columns[0].column_type);
            }
        }
    }
}

//! Fuzz tests of the complete check of a file. A valid file is damaged at random. Its check must then return findings,
//! never a failure or a panic, and a file that passes must be readable again without a misfit.
//!
//! `PROPTEST_CASES=10000 cargo test -p landfall-validate --lib fuzz` runs longer.

use std::io::{self, Cursor, Read, Write};

use contract::{Compression, LandKey};
use flate2::write::GzEncoder;
use parquet::arrow::ArrowWriter;
use proptest::prelude::*;
use proptest::sample::Index;
use rows::{Input, Ranges, RowReader};
use serde_json::{Value, json};

use crate::check::Dataset;
use crate::check::tests::dataset_of;
use crate::report::Findings;

fn dataset() -> Dataset {
    let columns = json!([
        {"name": "id", "type": "long", "nullable": false, "minimum": 0},
        {"name": "name", "type": "character", "pattern": "^[^<]*$", "maxLength": 50},
        {"name": "size", "type": "double", "maximum": 1e9},
        {"name": "price", "type": "decimal(10,2)"},
        {"name": "day", "type": "date", "minimum": "1900-01-01"},
        {"name": "seen", "type": "datetime"},
        {"name": "good", "type": "boolean"},
        {"name": "kind", "type": "character", "enum": ["a", "b"]},
        {"name": "more", "type": "struct<x:int,y:array<character>>"},
    ]);
    let checks = json!({"unique_primary_key": true});
    dataset_of(&json!({"columns": columns, "primary_key": ["id"], "checks": checks})).unwrap()
}

/// Valid rows.
fn rows() -> impl Strategy<Value = Vec<Value>> {
    let maybe = |value: BoxedStrategy<Value>| prop_oneof![1 => Just(Value::Null), 4 => value];
    let row = (
        maybe("[a-zé😀, \"\\\\]{0,10}".prop_map(Value::from).boxed()),
        maybe((-1e9..1e9).prop_map(Value::from).boxed()),
        maybe((0..9_999_999_i64).prop_map(|pence| json!(format!("{}.{:02}", pence / 100, pence % 100))).boxed()),
        maybe("(19|20)[0-9]{2}-(0[1-9]|1[0-2])-[12][0-8]".prop_map(Value::from).boxed()),
        maybe("20[0-9]{2}-01-01 [01][0-9]:[0-5][0-9]:[0-5][0-9]".prop_map(Value::from).boxed()),
        maybe(any::<bool>().prop_map(Value::from).boxed()),
        maybe("[ab]".prop_map(Value::from).boxed()),
        maybe(
            (any::<i32>(), prop::collection::vec("[a-z]{0,3}", 0..3))
                .prop_map(|(x, y)| json!({"x": x, "y": y}))
                .boxed(),
        ),
    );
    prop::collection::vec(row, 1..30).prop_map(|rows| {
        let row = |(id, (name, size, price, day, seen, good, kind, more))| {
            json!({
                "id": id, "name": name, "size": size, "price": price,
                "day": day, "seen": seen, "good": good, "kind": kind, "more": more,
            })
        };
        rows.into_iter().enumerate().map(row).collect()
    })
}

/// Writes the rows as a file of the format that the extension names.
fn file(rows: &[Value], extension: &str) -> Vec<u8> {
    let text = match extension.trim_end_matches(".gz") {
        "csv" => {
            let names: Vec<&String> = rows[0].as_object().unwrap().keys().collect();
            let header = names.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(",");
            let cell = |value: &Value| match value {
                Value::Null => String::new(),
                Value::String(text) => format!("\"{}\"", text.replace('"', "\"\"")),
                Value::Object(_) => format!("\"{}\"", value.to_string().replace('"', "\"\"")),
                other => other.to_string(),
            };
            let line = |row: &Value| names.iter().map(|name| cell(&row[name.as_str()])).collect::<Vec<_>>().join(",");
            format!("{header}\r\n{}\r\n", rows.iter().map(line).collect::<Vec<_>>().join("\r\n"))
        }
        _ => rows.iter().map(|row| format!("{row}\n")).collect(),
    };
    if !extension.ends_with(".gz") {
        return text.into_bytes();
    }
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

/// A reader that returns its bytes in pieces of varying sizes.
struct Pieces(Cursor<Vec<u8>>, std::iter::Cycle<std::vec::IntoIter<usize>>);

impl Read for Pieces {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let size = self.1.next().unwrap().min(into.len());
        self.0.read(&mut into[..size])
    }
}

fn key(extension: &str) -> LandKey {
    LandKey::parse("b", &format!("b/t/file_land_timestamp=7/t_7.{extension}")).unwrap()
}

/// Asserts that a report can be made of the findings.
fn make_sense(findings: &Findings) {
    for broken in &findings.failures {
        assert!(broken.count.is_none_or(|count| count > 0 && count <= findings.lines.max(findings.rows)), "{broken:?}");
        assert!(broken.percent.is_none_or(|percent| (0.0..=100.0).contains(&percent)), "{broken:?}");
        serde_json::to_string(broken).unwrap();
    }
}

/// Asserts that a file that passed reads again without a misfit.
fn reads_again(dataset: &Dataset, input: impl Into<Input>, key: &LandKey, rows: u64) {
    let mut reader =
        RowReader::new(input, key.format, key.compression, &dataset.table, rows::Options::default()).unwrap();
    while let Some(batch) = reader.next_batch().unwrap() {
        assert_eq!(batch.misfits, []);
    }
    assert_eq!(reader.summary().rows, rows);
}

proptest! {
    #[test]
    fn text_that_something_happened_to(
        rows in rows(),
        extension in prop::sample::select(vec!["jsonl", "jsonl.gz", "csv", "csv.gz"]),
        damages in prop::collection::vec(damage(), 0..4),
        sizes in prop::collection::vec(1_usize..500, 1..10),
    ) {
        let (dataset, key) = (dataset(), key(extension));
        let good = file(&rows, extension);
        let mut bytes = good.clone();
        // a compressed file is damaged either inside or outside
        let inside = key.compression == Compression::Gzip && sizes[0] % 2 == 0;
        if inside {
            bytes = file(&rows, extension.trim_end_matches(".gz"));
        }
        damages.iter().for_each(|damage| happens(damage, &mut bytes));
        if inside {
            let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(&bytes).unwrap();
            bytes = encoder.finish().unwrap();
        }
        let findings = dataset.check_rows(Input::Stream(Box::new(Cursor::new(bytes.clone()))), &key).unwrap();
        make_sense(&findings);
        if damages.is_empty() {
            prop_assert_eq!(&findings.failures, &[]);
            prop_assert_eq!(findings.rows, rows.len() as u64);
        }
        let pieces = Pieces(Cursor::new(bytes.clone()), sizes.into_iter().cycle());
        let in_pieces = dataset.check_rows(Input::Stream(Box::new(pieces)), &key).unwrap();
        prop_assert_eq!(findings.failures.is_empty(), in_pieces.failures.is_empty());
        // how much of a damaged stream can be read depends on the size of the pieces
        let torn = |findings: &Findings| findings.failures.iter().any(|broken| broken.rule == "gzip");
        if !torn(&findings) && !torn(&in_pieces) {
            prop_assert_eq!(&findings.failures, &in_pieces.failures);
        }
        if findings.failures.is_empty() {
            reads_again(&dataset, Input::Stream(Box::new(Cursor::new(bytes))), &key, findings.rows);
        }
    }

    #[test]
    fn parquet_that_something_happened_to(rows in rows(), damages in prop::collection::vec(damage(), 0..4)) {
        let (dataset, key) = (dataset(), key("parquet"));
        let mut bytes = parquet(&dataset, &rows);
        damages.iter().for_each(|damage| happens(damage, &mut bytes));
        let findings = dataset.check_rows(Ranges::from(bytes.clone()), &key).unwrap();
        make_sense(&findings);
        if damages.is_empty() {
            prop_assert_eq!(&findings.failures, &[]);
            prop_assert_eq!(findings.rows, rows.len() as u64);
        }
        if findings.failures.is_empty() {
            reads_again(&dataset, Ranges::from(bytes), &key, findings.rows);
        }
    }
}

/// Writes the rows as a Parquet file.
fn parquet(dataset: &Dataset, rows: &[Value]) -> Vec<u8> {
    let text = Input::Stream(Box::new(Cursor::new(file(rows, "jsonl"))));
    let key = key("jsonl");
    let mut reader =
        RowReader::new(text, key.format, key.compression, &dataset.table, rows::Options::default()).unwrap();
    let mut writer = ArrowWriter::try_new(Vec::new(), reader.schema(), None).unwrap();
    while let Some(batch) = reader.next_batch().unwrap() {
        writer.write(&batch.batch).unwrap();
    }
    writer.into_inner().unwrap()
}

/// A random damage to a file.
#[derive(Clone, Debug)]
enum Damage {
    Flip(Index, u8),
    Delete(Index, Index),
    Repeat(Index, Index, usize),
    Move(Index, Index, Index),
    Insert(Index, Vec<u8>),
    Cut(Index),
}

fn damage() -> impl Strategy<Value = Damage> {
    let place = any::<Index>;
    let tokens: Vec<&[u8]> = vec![
        b"\"",
        b"\\",
        b"\n",
        b"\r\n",
        b",",
        b",,",
        b"\"\"",
        b"{",
        b"}",
        b"[",
        b"]",
        b":",
        b"null",
        b"1e400",
        b"-0",
        b"\0",
        b"\xff",
        b"\xef\xbb\xbf",
        b"9223372036854775808",
        b"\\ud800",
        b"\x1f\x8b\x08",
        b"PAR1",
        b"\xff\xff\xff\x7f",
        b"\x80\x80\x80\x80\x10",
    ];
    prop_oneof![
        4 => (place(), 1_u8..).prop_map(|(at, bits)| Damage::Flip(at, bits)),
        1 => (place(), place()).prop_map(|(from, to)| Damage::Delete(from, to)),
        1 => (place(), place(), 1_usize..4).prop_map(|(from, to, times)| Damage::Repeat(from, to, times)),
        1 => (place(), place(), place()).prop_map(|(from, to, at)| Damage::Move(from, to, at)),
        4 => (place(), prop::sample::select(tokens)).prop_map(|(at, token)| Damage::Insert(at, token.to_vec())),
        1 => (place(), prop::collection::vec(any::<u8>(), 1..20)).prop_map(|(at, bytes)| Damage::Insert(at, bytes)),
        1 => place().prop_map(Damage::Cut),
    ]
}

fn happens(damage: &Damage, bytes: &mut Vec<u8>) {
    if bytes.is_empty() {
        return;
    }
    let length = bytes.len();
    let range = |from: &Index, to: &Index| {
        let (from, to) = (from.index(length), to.index(length));
        from.min(to)..from.max(to)
    };
    match damage {
        Damage::Flip(at, bits) => bytes[at.index(length)] ^= bits,
        Damage::Delete(from, to) => drop(bytes.drain(range(from, to))),
        Damage::Repeat(from, to, times) => {
            let range = range(from, to);
            let piece = bytes[range.clone()].repeat(*times);
            bytes.splice(range.end..range.end, piece);
        }
        Damage::Move(from, to, at) => {
            let piece: Vec<u8> = bytes.drain(range(from, to)).collect();
            let at = at.index(bytes.len() + 1);
            bytes.splice(at..at, piece);
        }
        Damage::Insert(at, piece) => {
            let at = at.index(length);
            bytes.splice(at..at, piece.iter().copied());
        }
        Damage::Cut(at) => bytes.truncate(at.index(length)),
    }
}

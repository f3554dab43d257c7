//! Tests of files as other programs compress and write them.

use std::io::{Cursor, Read, Write};

use contract::{ColumnType, Compression, FileFormat, Sheet, Table, TimestampUnit};
use proptest::prelude::*;
use rust_xlsxwriter::{ExcelDateTime, Format, Formula, Workbook};
use zip::write::SimpleFileOptions;

use crate::Options;
use crate::Ranges;
use crate::ReadError;
use crate::RowReader;
use crate::shown_value;
use crate::tests::{Reading, drain, one, table};

fn open(bytes: &[u8], format: FileFormat, compression: Compression, table: &Table) -> Result<Reading, ReadError> {
    Ok(drain(RowReader::new(Ranges::from(bytes.to_vec()), format, compression, table, Options::default())?))
}

fn read(bytes: &[u8], format: FileFormat, compression: Compression, table: &Table) -> Reading {
    open(bytes, format, compression, table).unwrap()
}

/// Returns the values of all rows as text.
fn values(reading: &Reading) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    for batch in &reading.batches {
        for row in 0..batch.batch.num_rows() {
            let value = |column: &arrow::array::ArrayRef| {
                if column.is_null(row) { "null".to_owned() } else { shown_value(column, row) }
            };
            rows.push(batch.batch.columns().iter().map(value).collect());
        }
    }
    rows
}

fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in files {
        writer.start_file(*name, SimpleFileOptions::default()).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::stream::encode_all(bytes, 3).unwrap()
}

fn bzip2(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn every_compression_gives_the_same_rows() {
    let table = table(&[("a", ColumnType::Int32), ("b", ColumnType::String)]);
    let text: String = "a,b\n".to_owned() + &(0..200_000).map(|n| format!("{n},text {n}\n")).collect::<String>();
    let (first, second) = text.as_bytes().split_at(text.len() / 2);
    for (compression, bytes) in [
        (Compression::Zstd, zstd(text.as_bytes())),
        (Compression::Zstd, [zstd(first), zstd(second)].concat()),
        (Compression::Bzip2, [bzip2(first), bzip2(second)].concat()),
        (Compression::Zip, archive(&[("data/t.csv", text.as_bytes()), ("__MACOSX/data/._t.csv", b"x")])),
    ] {
        let whole = read(&bytes, FileFormat::Csv, compression, &table);
        assert_eq!((whole.rows(), whole.summary.tallies.len()), (200_000, 0), "{compression:?}: {:?}", whole.error);
        // cut off anywhere
        for part in [1, 2, 3] {
            let cut = open(&bytes[..bytes.len() * part / 4], FileFormat::Csv, compression, &table);
            let error = cut.map_or_else(Some, |reading| reading.error);
            assert!(matches!(error, Some(ReadError::Compressed { .. })), "{compression:?} {part}: {error:?}");
        }
        // if a file's name does not tell its format, its magic bytes do
        let found = read(&bytes, FileFormat::Described, Compression::None, &csv(&table));
        assert_eq!(found.rows(), 200_000, "{compression:?}");
    }
    let mut damaged = archive(&[("t.csv", text.as_bytes())]);
    let middle = damaged.len() / 2;
    damaged[middle..middle + 8].fill(0x55);
    let error = read(&damaged, FileFormat::Csv, Compression::Zip, &table).error;
    assert!(matches!(error, Some(ReadError::Compressed { format: "zip", .. })), "{error:?}");
}

fn csv(table: &Table) -> Table {
    Table { data_format: contract::DataFormat::Csv, ..table.clone() }
}

#[test]
fn an_archive_has_one_file() {
    let table = one("a", ColumnType::Int32);
    for (files, expected) in [
        (
            &[("a.csv", &b"a\n1\n"[..]), ("b.csv", b"a\n2\n")][..],
            "it has 2 files in it, the first two `a.csv` and `b.csv`",
        ),
        (&[], "it has no file in it"),
        (&[(".DS_Store", b"x")], "it has no file in it"),
    ] {
        let error = open(&archive(files), FileFormat::Csv, Compression::Zip, &table).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
    let error = open(b"PK\x03\x04", FileFormat::Csv, Compression::Zip, &table).unwrap_err();
    assert!(matches!(error, ReadError::Compressed { format: "zip", .. }), "{error}");
}

#[test]
fn what_has_another_name_is_told_by_what_it_is() {
    let table = one("a", ColumnType::Int32);
    let gzip = crate::tests::gzip(b"a\n1\n");
    for (bytes, format, expected) in [
        (gzip.as_slice(), FileFormat::Csv, "gzip inside .csv: name it `….csv.gz`"),
        (&zstd(b"a\n1\n"), FileFormat::JsonLines, "a Zstandard stream inside .jsonl: name it `….jsonl.zst`"),
        (&workbook(), FileFormat::Csv, "an Excel workbook inside .csv: name it `….xlsx`"),
        (b"<html><body>Sign in</body></html>", FileFormat::Json, "an HTML page inside .json"),
        (b"PAR1....", FileFormat::Tsv, "a Parquet file inside .tsv: name it `….parquet`"),
    ] {
        let error = match open(bytes, format, Compression::None, &table) {
            Ok(reading) => reading.error.unwrap(),
            Err(error) => error,
        };
        assert!(matches!(&error, ReadError::Format { reason } if reason.starts_with(expected)), "{error:?}");
    }
}

/// A title, a header in the third row, values of every kind, an empty row, and a second sheet.
fn workbook() -> Vec<u8> {
    let mut workbook = Workbook::new();
    let (day, time) = (Format::new().set_num_format("yyyy-mm-dd"), Format::new().set_num_format("yyyy-mm-dd hh:mm:ss"));
    let length = Format::new().set_num_format("[h]:mm:ss");
    let sheet = workbook.add_worksheet();
    sheet.write(0, 0, "Sales, 2024").unwrap();
    for (n, name) in ["id", "name", "day", "at", "took", "ok", "price"].iter().enumerate() {
        sheet.write(2, n as u16, *name).unwrap();
    }
    sheet.write(3, 0, 1).unwrap();
    sheet.write(3, 1, "Ada, \"the\" first").unwrap();
    sheet.write_with_format(3, 2, ExcelDateTime::parse_from_str("2024-02-29").unwrap(), &day).unwrap();
    sheet.write_with_format(3, 3, ExcelDateTime::parse_from_str("2024-02-29T23:59:59.123").unwrap(), &time).unwrap();
    sheet.write_with_format(3, 4, 1.5, &length).unwrap();
    sheet.write(3, 5, true).unwrap();
    sheet.write(3, 6, 0.1).unwrap();
    sheet.write(5, 0, 12_345_678_901_234_f64).unwrap();
    sheet.write(5, 6, Formula::new("=1+1").set_result("2")).unwrap();
    sheet.write(6, 0, 3).unwrap();
    sheet.write(6, 1, Formula::new("=NA()").set_result("#N/A")).unwrap();
    workbook.add_worksheet().set_name("Other").unwrap().write(0, 0, "a").unwrap().write(1, 0, 7).unwrap();
    workbook.save_to_buffer().unwrap()
}

#[test]
fn a_workbook_is_read_as_its_cells_are() {
    let mut described = table(&[
        ("id", ColumnType::Int64),
        ("name", ColumnType::String),
        ("day", ColumnType::Date),
        ("at", ColumnType::Timestamp(TimestampUnit::Millisecond)),
        ("took", ColumnType::String),
        ("ok", ColumnType::Boolean),
        ("price", ColumnType::Decimal { precision: 5, scale: 1 }),
    ]);
    described.columns[2].datetime_format = Some("%d/%m/%Y".into());
    described.file_dialect.header_rows = vec![3];
    let bytes = workbook();
    let reading = read(&bytes, FileFormat::Excel, Compression::None, &described);
    let expected = [
        ["1", "\"Ada, \\\"the\\\" first\"", "2024-02-29", "2024-02-29T23:59:59.123", "\"36:00:00\"", "true", "0.1"],
        ["12345678901234", "null", "null", "null", "null", "null", "2.0"],
        ["3", "null", "null", "null", "null", "null", "null"],
    ];
    assert_eq!(values(&reading), expected, "{:?} {:?}", reading.error, reading.shown());
    // a cell whose formula failed is not a text
    let [tally] = &reading.summary.tallies[..] else { panic!("{:?}", reading.shown()) };
    assert_eq!((tally.column.as_deref(), tally.examples[0].line), (Some("name"), 7));
    assert_eq!(tally.examples[0].text.as_deref(), Some("#N/A"));
    described.columns[1].written.null_values = vec!["#N/A".into()];
    assert!(read(&bytes, FileFormat::Excel, Compression::None, &described).summary.tallies.is_empty());
    // recognised by its magic bytes
    assert_eq!(read(&bytes, FileFormat::Described, Compression::None, &described).rows(), 3);

    let mut other = one("a", ColumnType::Int32);
    for sheet in [Sheet::Number(2), Sheet::Name("Other".into())] {
        other.file_dialect.sheet = sheet;
        assert_eq!(values(&read(&bytes, FileFormat::Excel, Compression::None, &other)), [["7"]]);
    }
    other.file_dialect.sheet = Sheet::Name("Third".into());
    let error = read(&bytes, FileFormat::Excel, Compression::None, &other).error.unwrap();
    assert_eq!(error.to_string(), "there is no sheet `Third`; the sheets are `Sheet1`, `Other`");
    for cut in [bytes.len() / 3, bytes.len() - 1] {
        let error = open(&bytes[..cut], FileFormat::Excel, Compression::None, &other).unwrap_err();
        assert!(matches!(error, ReadError::Workbook { .. }), "{error:?}");
    }
}

/// A dialect describes how text is written. A number, a boolean or a date in a cell needs no dialect.
#[test]
fn a_dialect_says_nothing_of_a_cell_that_is_no_text() {
    let mut workbook = Workbook::new();
    let sheet = workbook.add_worksheet();
    for (n, name) in ["n", "m", "ok", "id"].iter().enumerate() {
        sheet.write(0, n as u16, *name).unwrap();
    }
    sheet.write(1, 0, 1.234).unwrap().write(1, 1, 999).unwrap().write(1, 2, true).unwrap();
    sheet.write(2, 0, "1.234,50").unwrap().write(2, 1, "999").unwrap().write(2, 2, "ja").unwrap();
    sheet.write(3, 3, 9_007_199_254_740_993_f64).unwrap();
    let bytes = workbook.save_to_buffer().unwrap();
    let double = ColumnType::Float64;
    let columns = [("n", double.clone()), ("m", double), ("ok", ColumnType::Boolean), ("id", ColumnType::Int64)];
    let mut described = table(&columns);
    for column in &mut described.columns {
        (column.written.decimal, column.written.group) = (',', Some('.'));
        column.written.null_values = vec!["999".into()];
        column.written.true_values = vec!["ja".into()];
    }
    let reading = read(&bytes, FileFormat::Excel, Compression::None, &described);
    let expected =
        [["1.234", "999.0", "true", "null"], ["1234.5", "null", "true", "null"], ["null", "null", "null", "null"]];
    assert_eq!(values(&reading), expected);
    let [tally] = &reading.summary.tallies[..] else { panic!("{:?}", reading.shown()) };
    assert!(tally.examples[0].to_string().contains("Excel keeps no more than 15 digits"), "{}", tally.examples[0]);
}

#[test]
fn a_workbook_that_takes_too_much_memory_is_refused_before() {
    let mut workbook = Workbook::new();
    workbook.add_worksheet().write(0, 0, "a").unwrap();
    let whole = workbook.save_to_buffer().unwrap();
    let mut archive = zip::ZipArchive::new(Cursor::new(whole)).unwrap();
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for n in 0..archive.len() {
        let mut file = archive.by_index(n).unwrap();
        let name = file.name().unwrap().into_owned();
        let mut text = String::new();
        file.read_to_string(&mut text).unwrap();
        if name.ends_with("sharedStrings.xml") {
            text = text.replace(">a<", &format!(">{}<", "a".repeat(100 << 20)));
        }
        writer.start_file(name, SimpleFileOptions::default()).unwrap();
        writer.write_all(text.as_bytes()).unwrap();
    }
    let bytes = writer.finish().unwrap().into_inner();
    assert!(bytes.len() < 1 << 20);
    let error = open(&bytes, FileFormat::Excel, Compression::None, &one("a", ColumnType::String)).unwrap_err();
    assert!(error.to_string().starts_with("a cell has more than 8388608 bytes"), "{error}");
}

#[test]
fn a_document_may_be_as_long_as_it_likes() {
    let table = table(&[("a", ColumnType::Int32), ("b", ColumnType::String)]);
    let row = |n: usize| format!("{{\"a\": {n}, \"b\": \"{}]}}\\\"{{\"}}", "x".repeat(n % 300));
    let rows: Vec<String> = (0..100_000).map(row).collect();
    for text in
        [format!("[{}]", rows.join(",")), rows.concat(), format!("{{\"n\":[1],\"rows\":[{}]}}", rows.join("\n,"))]
    {
        let mut table = table.clone();
        table.file_dialect.property = text.starts_with("{\"n\"").then(|| "rows".into());
        let reading = read(text.as_bytes(), FileFormat::Json, Compression::None, &table);
        assert_eq!((reading.rows(), reading.summary.tallies.len()), (100_000, 0), "{:?}", reading.error);
    }
    let long = format!("[{{\"a\": 1, \"b\": \"{}\"}}]", "x".repeat(9 << 20));
    let reading = read(long.as_bytes(), FileFormat::Json, Compression::None, &table);
    assert!(matches!(reading.error, Some(ReadError::LineTooLong { line: 1, .. })), "{:?}", reading.error);
}

proptest! {
    /// However a document is laid out, its rows are those of JSON Lines.
    #[test]
    fn documents_have_the_rows_of_json_lines(
        rows in prop::collection::vec((any::<i32>(), "[a-z\\[\\]{}\"\\\\, ]{0,9}"), 0..9),
        space in "[ \n\r\t]{0,3}",
        pretty in any::<bool>(),
        array in any::<bool>(),
    ) {
        let table = table(&[("a", ColumnType::Int32), ("b", ColumnType::String)]);
        let objects: Vec<serde_json::Value> =
            rows.iter().map(|(a, b)| serde_json::json!({"a": a, "b": b})).collect();
        let one = |row: &serde_json::Value| if pretty { serde_json::to_string_pretty(row).unwrap() } else { row.to_string() };
        let lines: String = objects.iter().map(|row| format!("{row}\n")).collect();
        let texts: Vec<String> = objects.iter().map(one).collect();
        let text = if array { format!("{space}[{space}{}{space}]{space}", texts.join(&format!("{space},{space}"))) } else { format!("{space}{}{space}", texts.join(&space)) };
        let expected = read(lines.as_bytes(), FileFormat::JsonLines, Compression::None, &table);
        let found = read(text.as_bytes(), FileFormat::Json, Compression::None, &table);
        prop_assert_eq!(values(&found), values(&expected), "{:?}", text);
        prop_assert!(found.error.is_none() && found.summary.tallies.is_empty(), "{:?} {:?}", text, found.error);
    }

    #[test]
    fn no_bytes_make_the_reader_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..300),
        start in prop::sample::select(vec![&b""[..], b"[{\"a\":", b"PK\x03\x04", b"\x28\xb5\x2f\xfd", b"BZh9", b"\xff\xfe"]),
        format in prop::sample::select(vec![FileFormat::Json, FileFormat::Csv, FileFormat::Excel, FileFormat::Described]),
        compression in prop::sample::select(vec![Compression::None, Compression::Zip, Compression::Zstd, Compression::Bzip2]),
    ) {
        let mut table = one("a", ColumnType::Int32);
        table.data_format = contract::DataFormat::Json;
        let _ = open(&[start, &bytes[..]].concat(), format, compression, &table);
    }

    /// Values that a dialect quotes and escapes are read back unchanged.
    #[test]
    fn records_of_a_dialect_come_back(
        rows in prop::collection::vec(prop::collection::vec("[ab;,'\"\\\\ \t|\n]{0,6}", 2), 0..6),
        delimiter in prop::sample::select(vec![b';', b'\t', b'|']),
        quote in prop::sample::select(vec![b'"', b'\'']),
        escape in prop::option::of(Just(b'\\')),
        quote_all in any::<bool>(),
    ) {
        let mut table = table(&[("x", ColumnType::String), ("y", ColumnType::String)]);
        table.file_dialect.delimiter = Some(delimiter);
        table.file_dialect.quote = Some(quote);
        table.file_dialect.escape = escape;
        table.file_dialect.double_quote = escape.is_none();
        let (d, q) = (char::from(delimiter), char::from(quote));
        let field = |text: &String| {
            let plain = !quote_all && !text.is_empty() && !text.contains([d, q, '\n', '\\']);
            let inner: String = text.chars().map(|letter| match (letter, escape) {
                (letter, Some(_)) if letter == q || letter == '\\' => format!("\\{letter}"),
                (letter, None) if letter == q => format!("{q}{q}"),
                (letter, _) => letter.to_string(),
            }).collect();
            if plain { text.clone() } else { format!("{q}{inner}{q}") }
        };
        let line = |row: &Vec<String>| row.iter().map(field).collect::<Vec<_>>().join(&d.to_string()) + "\n";
        let text = format!("x{d}y\n") + &rows.iter().map(line).collect::<String>();
        let reading = read(text.as_bytes(), FileFormat::Csv, Compression::None, &table);
        let found: Vec<Vec<String>> = values(&reading);
        let shown = |text: &String| serde_json::Value::from(text.as_str()).to_string();
        let expected: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(shown).collect()).collect();
        prop_assert_eq!(found, expected, "{:?} {:?}", text, reading.shown());
    }
}

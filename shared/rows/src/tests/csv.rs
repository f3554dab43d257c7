//! Tests of the reader over CSV, by example and by property.

use std::io::{self, Cursor};

use arrow::array::{Array, AsArray};
use arrow::datatypes::{Int32Type, Int64Type};
use contract::{ColumnType, Compression, FileFormat, Table, TimestampUnit};
use proptest::prelude::*;

use crate::MisfitKind;
use crate::Options;
use crate::ReadError;
use crate::RowReader;
use crate::tests::{Pieces, Reading, Value, drain, gzip, one, table, values};

fn read_with(text: &[u8], table: &Table, options: Options) -> Reading {
    drain(RowReader::new(Cursor::new(text.to_vec()), FileFormat::Csv, Compression::None, table, options).unwrap())
}

fn read(text: &[u8], table: &Table) -> Reading {
    read_with(text, table, Options::default())
}

fn texts(text: &str) -> Vec<Vec<Option<String>>> {
    let table = table(&[("a", ColumnType::String), ("b", ColumnType::String)]);
    let reading = read(text.as_bytes(), &table);
    assert_eq!(reading.summary.tallies, [], "{text:?}");
    let text = |value: Value| match value {
        Value::Text(text) => Some(text),
        _ => None,
    };
    values(&reading.batches).into_iter().map(|row| row.into_iter().map(text).collect()).collect()
}

#[test]
fn records_are_taken_apart() {
    let some = |text: &str| Some(text.to_owned());
    for (record, expected) in [
        ("x,y\n", [some("x"), some("y")]),
        ("x,y", [some("x"), some("y")]),
        ("x,y\r\n", [some("x"), some("y")]),
        ("\"x\",\"y\"\r\n", [some("x"), some("y")]),
        ("x,\"y\"", [some("x"), some("y")]),
        (",\n", [None, None]),
        ("\"\",\"\"\n", [some(""), some("")]),
        (" x , \n", [some(" x "), some(" ")]),
        ("\"a\"\"b\",\"\"\"\"\n", [some("a\"b"), some("\"")]),
        ("\"a,b\",\"c\nd\"\n", [some("a,b"), some("c\nd")]),
        ("\"a\r\n\r\nb\",\"\n\"\r\n", [some("a\r\n\r\nb"), some("\n")]),
        ("\\N,NULL\n", [some("\\N"), some("NULL")]),
        ("é\u{0},😀\r\r\n", [some("é\u{0}"), some("😀\r")]),
    ] {
        assert_eq!(texts(&format!("a,b\n{record}")), [expected], "{record:?}");
    }
    assert_eq!(texts("\u{feff}a,b\r\n\r\nx,y\n\n\nz,\n").len(), 2);
    assert_eq!(texts("\u{feff}\"b\",\"a\"\nx,y\n"), [[some("y"), some("x")]]);
    assert_eq!(texts("a,b\n"), Vec::<Vec<_>>::new());
    assert_eq!(texts(""), Vec::<Vec<_>>::new());
}

#[test]
fn each_type_takes_its_own_text_and_no_other() {
    let decimal = ColumnType::Decimal { precision: 4, scale: 1 };
    let list = ColumnType::List(Box::new(ColumnType::Int32));
    let structure = ColumnType::Struct(vec![("x".into(), ColumnType::Int32)]);
    for (column_type, fitting, unfitting) in [
        (ColumnType::String, vec!["x", "null", "\"\""], vec![]),
        (
            ColumnType::Int8,
            vec!["127", "-128", "-0", "\"1\"", "\"\"", "1.0", "1e0", "1."],
            vec!["128", "1.5", "+1", "007", "07.0", " 1", "x", ".", "-"],
        ),
        (ColumnType::Int16, vec!["32767"], vec!["32768"]),
        (ColumnType::Int32, vec!["2147483647"], vec!["2147483648", "0x1", "1_000", "\"1,000\""]),
        (ColumnType::Int64, vec!["9223372036854775807"], vec!["9223372036854775808", "1e19", "null", "-"]),
        (ColumnType::Float32, vec!["1", "3.4e38", "1.", ".5", "-.25e1"], vec!["3.5e38", ".", "inf", "NaN"]),
        (ColumnType::Float64, vec!["1", "-0.5", "1e308", "1e-999"], vec!["1e400", "NaN", "Infinity", "+1", "1 "]),
        (decimal, vec!["1", "999.9", "1.50", "15e-1", "\"1.5\""], vec!["1000", "0.05", "x", "\"\"\"1\"\"\"", "£1"]),
        (
            ColumnType::Date,
            vec!["2024-02-29", "2024-02-29T00:00:00.000", "\"\""],
            vec!["2023-02-29", "29/02/2024", "2024-02-29 00:00:01"],
        ),
        (
            ColumnType::Timestamp(TimestampUnit::Millisecond),
            vec!["2024-02-29 23:59:59", "2024-02-29T23:59:59.999"],
            vec!["2024-02-29", "0", "2024-02-29 23:59:59Z"],
        ),
        (ColumnType::Boolean, vec!["true", "FALSE", "True", "\"\""], vec!["1", "yes", "t", " true"]),
        (ColumnType::Binary, vec!["AQI=", "\"\""], vec!["AQI", "?"]),
        (list, vec!["[]", "\"[1, 2]\"", "[null]"], vec!["{}", "1", "[1.5]", "\"[1,]\"", " []", "[", "\"\"\"[]\"\"\""]),
        (structure, vec!["{}", "\"{\"\"x\"\":1}\""], vec!["[]", "\"{\"\"x\"\":\"\"1\"\"}\"", "{", "x"]),
    ] {
        let table = table(&[("c", column_type.clone()), ("n", ColumnType::Int32)]);
        for (fields, misfits) in [(fitting, 0), (unfitting, 1)] {
            for field in fields {
                let reading = read(format!("c,n\n{field},7\n").as_bytes(), &table);
                assert_eq!(reading.rows(), 1, "{column_type}: {field}");
                assert_eq!(reading.summary.tallies.len(), misfits, "{column_type}: {field} {:?}", reading.shown());
                assert!(reading.batches[0].gaps(1).is_empty(), "{field}");
            }
        }
        let reading = read(b"c,n\n,7\n", &table);
        assert!(reading.summary.tallies.is_empty() && reading.batches[0].batch.column(0).is_null(0));
        let empty = read(b"c,n\n\"\",7\n", &table);
        let is_value = matches!(column_type, ColumnType::String | ColumnType::Binary);
        assert_eq!(empty.batches[0].batch.column(0).is_valid(0), is_value, "{column_type}");
    }
}

#[test]
fn what_is_not_csv_makes_no_row() {
    let table = table(&[("a", ColumnType::String), ("b", ColumnType::String)]);
    for (record, kind, shown) in [
        ("x\"y,z", MisfitKind::NotCsv, "CSV: a field with a quote in it to be in quotes, found `x\"y,z`"),
        ("x,y\"", MisfitKind::NotCsv, "CSV: a field with a quote in it to be in quotes, found `x,y\"`"),
        ("\"x\"y,z", MisfitKind::NotCsv, "CSV: a comma or the end of the line after closing quotes, found `\"x\"y,z`"),
        ("\"x\" ,z", MisfitKind::NotCsv, "CSV: a comma or the end of the line after closing quotes, found `\"x\" ,z`"),
        ("x", MisfitKind::RaggedRow, "2 fields, as the header has; here are 1, found `x`"),
        (" ", MisfitKind::RaggedRow, "2 fields, as the header has; here are 1, found ` `"),
        ("x,y,", MisfitKind::RaggedRow, "2 fields, as the header has; here are 3, found `x,y,`"),
        ("\"x\ny\"", MisfitKind::RaggedRow, "2 fields, as the header has; here are 1, found `\"x\\ny\"`"),
    ] {
        let reading = read(format!("a,b\n1,2\n{record}\n3,4\n").as_bytes(), &table);
        assert_eq!(reading.counts(), [(kind, None, 1)], "{record}");
        assert_eq!(reading.rows(), 2, "{record}");
        assert_eq!(reading.shown(), [format!("line 3: expected {shown}")]);
    }
    let reading = read(b"a,b\nx,\"y\nz,\"\"w\n", &table);
    assert_eq!(reading.rows(), 0);
    assert_eq!(
        reading.shown(),
        ["line 2: expected CSV: closing quotes before the end of the file, found `x,\"y\\nz,\"\"w`"]
    );
    // a record with bytes that are not UTF-8 is still a record, and the next one begins where it ends
    let reading = read(b"a,b\n\"\xff\n\",2\n3,4\n", &table);
    assert_eq!((reading.rows(), reading.counts()), (1, vec![(MisfitKind::NotUtf8, None, 1)]));
    // two halves of a character in two fields are not a character
    let reading = read(b"a,b\n\xc3,\xa9\n", &table);
    assert_eq!((reading.rows(), reading.counts()), (0, vec![(MisfitKind::NotUtf8, None, 1)]));
}

#[test]
fn a_record_is_of_the_line_on_which_it_begins() {
    let table = table(&[("a", ColumnType::String), ("n", ColumnType::Int32)]);
    let reading = read(b"\na,n\n\"x\ny\n\nz\",1\n\nw,x\n\"\n\",3", &table);
    let batch = &reading.batches[0];
    assert_eq!((0..3).map(|row| batch.line(row)).collect::<Vec<_>>(), [3, 8, 9]);
    assert_eq!(reading.summary.lines, 10);
    assert_eq!(
        reading.shown(),
        ["line 8, column `n`: expected int: a whole number from -2147483648 to 2147483647, found `x`"]
    );
    assert_eq!(batch.gaps(1).iter().map(|gap| (gap.row, gap.missing)).collect::<Vec<_>>(), [(1, false)]);
}

#[test]
fn columns_are_found_missing_unexpected_or_twice() {
    use MisfitKind::{DuplicateColumn, MissingColumn, UnexpectedColumn};
    let table = table(&[("a", ColumnType::Int32), ("b", ColumnType::Int32), ("c", ColumnType::Int32)]);
    let reading = read(b"z,b,c,z,c,,c\n1,2,3,4,5,6,7\n,,,,,,\n", &table);
    assert_eq!(
        reading.counts(),
        [
            (MissingColumn, Some("a"), 2),
            (DuplicateColumn, Some("c"), 2),
            (UnexpectedColumn, Some("z"), 2),
            (UnexpectedColumn, Some(""), 2)
        ]
    );
    let batch = &reading.batches[0];
    assert_eq!(batch.batch.column(1).as_primitive::<Int32Type>().iter().collect::<Vec<_>>(), [Some(2), None]);
    let gaps = |column| batch.gaps(column).iter().map(|gap| (gap.row, gap.missing)).collect::<Vec<_>>();
    assert_eq!((gaps(0), gaps(1), gaps(2)), (vec![(0, true), (1, true)], vec![], vec![(0, false), (1, false)]));
    // later batches have them too, but do not report them again
    let options = Options { batch_rows: 1, ..Options::default() };
    let reading = read_with(b"z,b,c\n1,2,3\n1,2,3\n1,2,3\n1,2,3\n1,2,3\n1,2,3\n", &table, options);
    assert_eq!(reading.counts(), [(MissingColumn, Some("a"), 6), (UnexpectedColumn, Some("z"), 6)]);
    assert_eq!(reading.batches[5].misfits, []);
}

#[test]
fn without_a_header_columns_come_in_order() {
    let mut table = table(&[("a", ColumnType::Int32), ("b", ColumnType::Int32)]);
    table.checks.header = false;
    let reading = read(b"1,2\n3\n", &table);
    assert_eq!(values(&reading.batches), [[Value::Whole(1), Value::Whole(2)]]);
    assert_eq!(reading.counts(), [(MisfitKind::RaggedRow, None, 1)]);
}

#[test]
fn names_may_differ_in_case_where_that_is_allowed() {
    let mut table = table(&[("a", ColumnType::Int32), ("b", ColumnType::Int32)]);
    assert_eq!(read(b"A,b\n1,2\n", &table).summary.tallies.len(), 2);
    table.checks.ignore_header_case = true;
    let reading = read(b"B,a\n1,2\n", &table);
    assert_eq!(reading.summary.tallies, []);
    assert_eq!(values(&reading.batches), [[Value::Whole(2), Value::Whole(1)]]);
    assert_eq!(read(b"a,A,b\n1,2,3\n", &table).counts(), [(MisfitKind::DuplicateColumn, Some("a"), 1)]);
    let json = |text: &'static str| {
        drain(
            RowReader::new(text.as_bytes(), FileFormat::JsonLines, Compression::None, &table, Options::default())
                .unwrap(),
        )
    };
    let reading = json("{\"A\":1,\"b\":2}\n{\"a\":3,\"B\":4}\n{\"A\":5,\"a\":6,\"b\":7}\n");
    assert_eq!(reading.counts(), [(MisfitKind::DuplicateColumn, Some("a"), 1)]);
    assert_eq!(reading.rows(), 3);
}

#[test]
fn dates_are_read_by_the_column_s_own_format() {
    let mut table = table(&[("d", ColumnType::Date), ("t", ColumnType::Timestamp(TimestampUnit::Millisecond))]);
    table.columns[0].datetime_format = Some("%d/%m/%Y %H:%M".into());
    table.columns[1].datetime_format = Some("%Y-%m-%dT%H:%M:%S.%f".into());
    let text = b"d,t\n29/02/2024 00:00,2024-02-29T01:02:03.004\n29/02/2024 00:01,2024-02-29T01:02:03.0045\n";
    let expected = [Value::Days(19_782), Value::Milliseconds(1_709_168_523_004)];
    let reading = read(text, &table);
    assert_eq!(values(&reading.batches), [expected.to_vec(), vec![Value::Null, Value::Null]]);
    assert_eq!(
        reading.shown(),
        [
            "line 3, column `d`: expected date: a text as `%d/%m/%Y %H:%M`, found `29/02/2024 00:01`",
            "line 3, column `t`: expected timestamp: nothing below the millisecond; `timestamp(us)` takes 6 decimals, \
             `timestamp(ns)` 9, found `2024-02-29T01:02:03.0045`"
        ]
    );
    let json = b"{\"d\":\"29/02/2024 00:00\",\"t\":\"2024-02-29T01:02:03.004\"}\n{\"d\":\"2024-02-29\",\"t\":null}";
    let reader =
        RowReader::new(&json[..], FileFormat::JsonLines, Compression::None, &table, Options::default()).unwrap();
    let reading = drain(reader);
    assert_eq!(values(&reading.batches)[0], expected);
    assert_eq!(reading.counts(), [(MisfitKind::WrongType, Some("d"), 1)]);

    table.columns[0].datetime_format = Some("%d/%m".into());
    let error =
        RowReader::new(io::empty(), FileFormat::Csv, Compression::None, &table, Options::default()).unwrap_err();
    assert_eq!(error.to_string(), "datetime_format of column `d`: says no year (%Y or %y)");
}

#[test]
fn a_sensitive_column_shows_no_value() {
    let mut table = table(&[("a", ColumnType::Int32), ("b", ColumnType::Int32)]);
    table.columns[0].sensitive = true;
    let reading = read(b"a,b\nsecret,open\nsecret\n\"secret\"x,1\n\xffsecret,1\nsecret\",1\n", &table);
    assert_eq!(reading.summary.tallies.len(), 5, "{:?}", reading.shown());
    let shown = format!("{:?}", reading.summary);
    assert!(!shown.contains("secret") && shown.contains("open"), "{shown}");
}

#[test]
fn limits_hold() {
    let table = one("c", ColumnType::String);
    let options = || Options { maximum_line_bytes: 100, ..Options::default() };
    for (text, error) in [
        (format!("c\n{}\n", "x".repeat(100)), None),
        (format!("c\nx\n{}\n", "x".repeat(101)), Some(ReadError::LineTooLong { line: 3, byte: 4, limit: 100 })),
        (format!("c\n\n\"{}\"\n", "x\n".repeat(49)), None),
        (format!("c\n\n\"{}\"\n", "x\n".repeat(50)), Some(ReadError::LineTooLong { line: 3, byte: 3, limit: 100 })),
    ] {
        assert_eq!(read_with(text.as_bytes(), &table, options()).error, error, "{text}");
    }
    // an endless field in quotes is given up before it fills the memory, whatever it contains
    for endless in [&b"\n"[..], b"\"\"", b"x", b"x\n", b",\r\n"] {
        let text = [b"c\n\"", endless.repeat((9 << 20) / endless.len()).as_slice()].concat();
        let error = read(&text, &table).error;
        assert!(matches!(error, Some(ReadError::LineTooLong { line: 2, byte: 2, .. })), "{error:?}");
    }
    let reading = read(format!("c\n{}\n", ",".repeat(7 << 20)).as_bytes(), &table);
    assert_eq!(reading.counts(), [(MisfitKind::RaggedRow, None, 1)]);

    let many: Vec<String> = (0..100_000).map(|n| format!("k{n}")).collect();
    let record = vec!["1"; 100_000].join(",");
    let reading = read(format!("c,{}\nx,{}\n", many.join(","), record).as_bytes(), &table);
    assert_eq!(reading.summary.tallies.len(), 101);
    assert_eq!(reading.counts().last(), Some(&(MisfitKind::UnexpectedColumn, None, 1)));
}

#[test]
fn a_header_that_cannot_be_read_ends_the_reading() {
    let table = one("c", ColumnType::String);
    for (text, message) in [
        (&b"\nc,\"d\nx\n"[..], "line 2: the header cannot be read: expected closing quotes before the end of the file"),
        (b"c,\xff\nx\n", "line 1: the header cannot be read: expected UTF-8"),
    ] {
        let reading = read(text, &table);
        assert_eq!((reading.rows(), reading.error.map(|error| error.to_string())), (0, Some(message.to_owned())));
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(
        bytes in prop::collection::vec(
            prop_oneof![1 => any::<u8>(), 4 => prop::sample::select(b"\"\"\",,\n\r\nab1\xc3\xa9".to_vec())], 0..300),
        sizes in prop::collection::vec(1_usize..50, 1..10),
        header in any::<bool>(),
    ) {
        let mut table = table(&[("a", ColumnType::Int32), ("b", ColumnType::String)]);
        table.checks.header = header;
        let options = || Options { maximum_line_bytes: 64, batch_rows: 3, ..Options::default() };
        let whole = read_with(&bytes, &table, options());
        prop_assert_eq!(whole.rows() as u64, whole.summary.rows);
        // the result does not depend on how the bytes arrive
        let pieces = Pieces { bytes: Cursor::new(gzip(&bytes)), sizes: sizes.into_iter().cycle() };
        let reader = RowReader::new(pieces, FileFormat::Csv, Compression::Gzip, &table, options());
        let again = drain(reader.unwrap());
        prop_assert_eq!(values(&whole.batches), values(&again.batches));
        prop_assert_eq!(whole.summary.tallies, again.summary.tallies);
        prop_assert_eq!(whole.error, again.error);
    }

    #[test]
    fn records_read_as_they_were_written(
        rows in prop::collection::vec(prop::collection::vec(prop::option::of("[a,\"\r\n é]{0,4}"), 2), 1..10),
        newline in prop::sample::select(vec!["\n", "\r\n"]),
    ) {
        let field = |value: &Option<String>| value.as_ref().map_or(String::new(), |text| format!("\"{}\"", text.replace('"', "\"\"")));
        let record = |row: &Vec<Option<String>>| row.iter().map(field).collect::<Vec<_>>().join(",") + newline;
        let written: String = rows.iter().map(record).collect();
        prop_assert_eq!(texts(&format!("a,b{newline}{written}")), rows);
    }
}

#[test]
fn a_table_of_lines_has_them_as_they_are() {
    let lines = |columns| Table { lines: true, ..table(columns) };
    let text = b"\xEF\xBB\xBFid,\"name\r\n\n 1,a,,\"\n{\"x\"\xFF\nlast\0";
    let reading = read(text, &lines(&[("line", ColumnType::String), ("n", ColumnType::Int64)]));
    let expected = [("id,\"name", 1), ("", 2), (" 1,a,,\"", 3), ("last\0", 5)];
    let batch = &reading.batches[0].batch;
    let texts = batch.column(0).as_string::<i32>().iter().flatten();
    let numbers = batch.column(1).as_primitive::<Int64Type>().iter().flatten();
    assert_eq!(texts.zip(numbers).collect::<Vec<_>>(), expected);
    assert_eq!(reading.counts(), [(MisfitKind::NotUtf8, None, 1)]);
    assert_eq!(read(text, &lines(&[("line", ColumnType::String)])).rows(), 4);
}

#[test]
fn an_empty_line_of_a_single_field_is_a_null() {
    use Value::{Null, Whole};
    let mut table = one("a", ColumnType::Int32);
    // as pyarrow, polars and DuckDB write 1, null, 3 and 1, null
    for (text, expected, lines) in [
        ("a\n1\n\n3\n", vec![Whole(1), Null, Whole(3)], vec![2, 3, 4]),
        ("\n\"a\"\r\n1\r\n\r\n3", vec![Whole(1), Null, Whole(3)], vec![3, 4, 5]),
        ("a\n1\n\n", vec![Whole(1), Null], vec![2, 3]),
        ("a\n\n\n", vec![Null, Null], vec![2, 3]),
        ("a\n\"\"\n1", vec![Null, Whole(1)], vec![2, 3]),
        ("a\n1\n", vec![Whole(1)], vec![2]),
        ("a\n", vec![], vec![]),
    ] {
        let reading = read(text.as_bytes(), &table);
        assert_eq!(reading.summary.tallies, [], "{text:?}");
        assert_eq!(values(&reading.batches).concat(), expected, "{text:?}");
        let found = reading.batches.iter().flat_map(|batch| (0..batch.batch.num_rows()).map(|row| batch.line(row)));
        assert_eq!(found.collect::<Vec<_>>(), lines, "{text:?}");
    }
    table.checks.header = false;
    assert_eq!(values(&read(b"\n1\n\n", &table).batches).concat(), [Null, Whole(1), Null]);
    let two = self::table(&[("a", ColumnType::Int32), ("b", ColumnType::Int32)]);
    assert_eq!(read(b"a,b\n1,2\n\n3,4\n\n", &two).rows(), 2);
}

#[test]
fn a_wrong_header_is_told_though_no_row_follows() {
    let table = table(&[("a", ColumnType::Int32), ("b", ColumnType::Int32)]);
    let reading = read(b"b,b,c\n", &table);
    use MisfitKind::{DuplicateColumn, MissingColumn, UnexpectedColumn};
    let expected = [(MissingColumn, Some("a"), 0), (DuplicateColumn, Some("b"), 0), (UnexpectedColumn, Some("c"), 0)];
    assert_eq!(reading.counts(), expected);
    assert_eq!(reading.shown()[0], "line 1, column `a`: expected the column to be there; no row follows");
    assert_eq!(read(b"a,b\n", &table).summary.tallies, []);
}

#[test]
fn carriage_returns_alone_make_no_file_of_no_rows() {
    let mut table = table(&[("a", ColumnType::String), ("b", ColumnType::Int32)]);
    for text in [&b"a,b\r1,2\r3,4\r"[..], b"a,b\r1,2", b"a\r1\r"] {
        let error = read(text, &table).error;
        assert_eq!(error, Some(ReadError::LineEnds { line: 1 }), "{text:?}");
    }
    table.checks.header = false;
    assert_eq!(read(b"x,2\ry,4\r", &table).error, Some(ReadError::LineEnds { line: 1 }));
    // inside quotes, it is a character like any other
    assert_eq!(values(&read(b"\"x\ry\",2", &table).batches)[0][0], Value::Text("x\ry".into()));
    assert_eq!(read(b"x,2\r\ny,4\r\n", &table).rows(), 2);
}

#[test]
fn names_of_a_header_that_may_be_a_row_are_not_told_where_columns_are_sensitive() {
    let mut table = table(&[("id", ColumnType::Int32), ("mail", ColumnType::String)]);
    let names = |table: &Table, text: &str| -> Vec<String> {
        let summary = read(text.as_bytes(), table).summary;
        let unexpected = summary.tallies.iter().filter(|tally| tally.kind == MisfitKind::UnexpectedColumn);
        unexpected.map(|tally| tally.column.as_deref().unwrap_or_default().to_owned()).collect()
    };
    for (sensitive, text, expected) in [
        (false, "7,ada@example.org\n8,bo@example.org\n", ["7", "ada@example.org"].as_slice()),
        (true, "7,ada@example.org\n8,bo@example.org\n", &["(field 1)", "(field 2)"]),
        (true, "7,ada@example.org\n", &["(field 1)", "(field 2)"]),
        (true, "id,mail,town\n7,ada@example.org,x\n", &["town"]),
        (true, "ID,Mail\n7,ada@example.org\n", &["ID", "Mail"]),
        // a quote that is closed too late
        (true, "id,mail,\"town\n7,ada@example.org,x\"\n8,bo@example.org,y\n", &["(field 3)"]),
    ] {
        table.columns[1].sensitive = sensitive;
        assert_eq!(names(&table, text), expected, "{text:?}");
    }
}

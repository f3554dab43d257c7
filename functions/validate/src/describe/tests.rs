//! Samples as programs write them, and the metadata that is derived from them.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use super::*;

struct Desk {
    folder: tempfile::TempDir,
}

impl Desk {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn describe(&self, name: &str, bytes: &[u8]) -> (String, bool) {
        let file = self.folder.path().join(name);
        fs::write(&file, bytes).unwrap();
        let meta_data = self.meta_data();
        run(&Request { file, table: None, meta_data, dry_run: false }).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    fn meta_data(&self) -> PathBuf {
        self.folder.path().join("meta_data")
    }

    fn read(&self, file: &str) -> String {
        fs::read_to_string(self.meta_data().join(file)).unwrap()
    }

    /// Returns the keys of a column as text.
    fn column(&self, table: &str, n: usize) -> String {
        let raw: Value = serde_json::from_str(&self.read(&format!("raw/{table}.json"))).unwrap();
        raw["columns"][n].to_string()
    }
}

#[test]
fn a_csv_of_german_excel_becomes_a_table() {
    let desk = Desk::new();
    let text = "Bestell-Nr.;Kunde;Datum;Betrag (€);Bezahlt\r\nA-0001;Müller;29.02.2024;1.234,50;J\r\n\
                A-0002;Käßbohrer;01.03.2024;0,5;N\r\nA-0003;;02.03.2024;-;J\r\n";
    let (bytes, (), ()) = encoding(text);
    let (said, passes) = desk.describe("bestellungen_2024-03.csv", &bytes);
    assert!(passes, "{said}");
    let expected = r#"{
  "name": "bestellungen",
  "description": "",
  "data_format": "csv",
  "location": "bestellungen/",
  "dialect": {"encoding": "windows-1252", "delimiter": ";", "decimalChar": ",", "groupChar": "."},
  "checks": {"file_name_pattern": "bestellungen_[0-9]+\\-[0-9]+\\.csv"},
  "columns": [
    {"name": "bestell_nr", "source_name": "Bestell-Nr.", "type": "character", "description": "", "nullable": false},
    {"name": "kunde", "source_name": "Kunde", "type": "character", "description": ""},
    {"name": "datum", "source_name": "Datum", "type": "date", "datetime_format": "%d.%m.%Y", "description": "", "nullable": false},
    {"name": "betrag", "source_name": "Betrag (€)", "type": "double", "nullValues": ["-"], "description": ""},
    {"name": "bezahlt", "source_name": "Bezahlt", "type": "boolean", "trueValues": ["J"], "falseValues": ["N"], "description": "", "nullable": false}
  ]
}
"#;
    assert_eq!(desk.read("raw/bestellungen.json"), expected);
    let sql = "SELECT\n  bestell_nr,\n  kunde,\n  datum,\n  betrag,\n  bezahlt,\n  '${dea_version}' AS dea_version\n\
               FROM bestellungen\n";
    assert_eq!(desk.read("curated/bestellungen.sql"), sql);
    assert!(said.contains("The sample passes: 3 rows."), "{said}");
    // nothing is overwritten
    let again = Request {
        file: desk.folder.path().join("bestellungen_2024-03.csv"),
        table: None,
        meta_data: desk.meta_data(),
        dry_run: false,
    };
    assert!(run(&again).unwrap_err().contains("is there already"));
    assert!(run(&Request { dry_run: true, ..again }).is_ok());
}

/// Returns a text in windows-1252.
fn encoding(text: &str) -> (Vec<u8>, (), ()) {
    let byte = |letter: char| match letter {
        '€' => 0x80,
        letter => u8::try_from(letter).unwrap(),
    };
    (text.chars().map(byte).collect(), (), ())
}

#[test]
fn samples_of_other_programs_pass_as_they_are_described() {
    let many: String = (0..30).map(|n| format!("{n},AB-{n:04},{}\n", ["red", "green"][n % 2])).collect();
    for (name, bytes, column, expected) in [
        ("r_1.csv", &b"\"a\",\"b\"\n1,NA\nNA,\"x\"\n"[..], 0, r#""nullValues":["NA"]"#),
        ("tabs_1.tsv", b"a\tb\n1\t2\n", 0, r#""type":"int""#),
        ("wide_1.txt", b"a|b\n1|2\n", 1, r#""type":"int""#),
        ("title_1.csv", b"Sales report\n\nid,name\n1,x\n2,y\n", 0, r#""name":"id""#),
        ("noheader_1.csv", b"1,2024-01-01\n2,2024-01-02\n", 1, r#""name":"column_2""#),
        ("twice_1.csv", b"a,x,x\n1,2,3\n", 2, r#""source_position":3"#),
        ("index_1.csv", b",a\n0,1.5\n1,2.5\n", 0, r#""source_name":"""#),
        ("macs_1.csv", b"a,b\r1,2\r3,4\r", 0, r#""type":"int""#),
        ("iso_1.jsonl", b"{\"at\": \"2024-01-01T10:00:00Z\"}\n", 0, r#""datetime_format":"iso8601""#),
        (
            "array_1.json",
            b"[{\"First Name\": \"x\", \"n\": {\"a\": 1}}, {\"n\": null}]",
            1,
            r#""type":"struct<a:int>""#,
        ),
        ("mixed_1.jsonl", b"{\"a\": 1, \"b\": 1}\n{\"a\": \"x\", \"b\": 2}\n", 0, r#""name":"b""#),
        ("one_1.csv", b"a\n1\n2\n", 0, r#""type":"int""#),
        ("row_1.csv", b"1,2.5,x\n", 1, r#""name":"column_2""#),
        ("stata_1.csv", b"a\n0.1234567890123456789\n1.5e-07\n", 0, r#""type":"double""#),
        ("utf16_1.csv", b"a\0,\0b\0\n\x001\0,\x002\0\n\0", 1, r#""type":"int""#),
        ("mysql_1.csv", b"a,b\n1,\"say \\\"no\\\"\"\n2,\"x\"\n", 1, r#""type":"character""#),
        ("quoted_1.csv", b"a, b\n1, \"x, y\"\n2, \"z\"\n", 1, r#""name":"b""#),
        ("rules_1.csv", format!("id,code,colour\n{many}").as_bytes(), 1, r#""pattern":"^[A-Z]{2}-[0-9]{4}$""#),
        ("enum_1.csv", format!("id,code,colour\n{many}").as_bytes(), 2, r#""enum":["green","red"]"#),
        ("ambiguous_1.csv", b"d\n01/02/2024\n03/04/2024\n", 0, r#""type":"character""#),
        ("percent_1.csv", b"p,q\n\"5 %\",x\n\"7 %\",y\n", 0, r#""type":"int""#),
    ] {
        let desk = Desk::new();
        let (said, passes) = desk.describe(name, bytes);
        let table = name.split_once("_1").unwrap().0;
        let raw = desk.read(&format!("raw/{table}.json"));
        assert!(passes, "{name}: {said}\n{raw}");
        let found = desk.column(table, column);
        assert!(found.contains(expected), "{name}: {found}\n{raw}");
        // the written files are complete metadata
        let database = r#"{"name": "d", "bucket": "b", "base_folder": "f", "description": "d"}"#;
        fs::write(desk.meta_data().join("curated/database.json"), database).unwrap();
        let read = MetaData::read(&desk.meta_data()).unwrap_or_else(|problems| panic!("{name}: {problems}"));
        assert_eq!(read.curated[table].columns.len(), read.raw[table].columns.len() + 1, "{name}");
    }
    let desk = Desk::new();
    let (said, _) = desk.describe("ambiguous_1.csv", b"d\n01/02/2024\n03/04/2024\n");
    assert!(said.contains("`d` may be written as %d/%m/%Y or as %m/%d/%Y"), "{said}");
    let (said, _) = desk.describe("mixed_1.jsonl", b"{\"a\": 1, \"b\": 1}\n{\"a\": \"x\", \"b\": 2}\n");
    assert!(said.contains("`a` is left out"), "{said}");
}

#[test]
fn what_cannot_be_described_says_why() {
    let desk = Desk::new();
    for (name, bytes, expected) in [
        ("t.pdf", &b"x"[..], "none of the extensions"),
        ("t.csv", b"", "there is no record"),
        ("t.jsonl", b"", "no row of it has a column"),
        ("t.parquet", b"PAR1", "too short"),
        ("t.csv", b"\x1f\x8b\x08\0", "gzip inside .csv"),
        (
            "t.csv",
            b"dear all\nplease, find\nattached, our, numbers, of\n\nlast, year\n",
            "no number of fields in common",
        ),
    ] {
        let file = desk.folder.path().join(name);
        fs::write(&file, bytes).unwrap();
        let error = run(&Request { file, table: None, meta_data: desk.meta_data(), dry_run: false }).unwrap_err();
        assert!(error.contains(expected), "{name}: {error}");
    }
    for (file, expected) in [
        ("orders_2024-03-01.csv", "orders"),
        ("Orders Export (2).csv", "orders_export"),
        ("2024.csv", "2024"),
        ("customers.jsonl.gz", "customers"),
        ("part-00000-ab.snappy.parquet", "part_00000_ab"),
    ] {
        assert_eq!(table_name(file), expected, "{file}");
    }
}

#[test]
fn a_table_schema_of_frictionless_is_a_table() {
    let desk = Desk::new();
    let package = r#"{"name": "shop", "resources": [
        {"name": "customers", "path": "c.csv", "schema": {"fields": [{"name": "id", "type": "integer"}]}},
        {"name": "Orders-2024", "path": "data/orders.csv", "encoding": "windows-1252", "dialect": {"delimiter": ";"},
         "schema": {"primaryKey": "Order No", "missingValues": ["", "NA"], "fields": [
            {"name": "Order No", "type": "integer", "description": "Number", "constraints": {"required": true, "minimum": 1}},
            {"name": "day", "type": "date", "format": "%d/%m/%Y"},
            {"name": "at", "type": "datetime"},
            {"name": "when", "type": "date", "format": "any"},
            {"name": "country", "type": "string", "constraints": {"pattern": "[A-Z]{2}", "enum": ["GB", "FR"]}},
            {"name": "paid", "type": "boolean", "trueValues": ["Y"], "falseValues": ["N"]},
            {"name": "where", "type": "geojson"}]}}]}"#;
    let file = desk.folder.path().join("datapackage.json");
    fs::write(&file, package).unwrap();
    let mut request = Request { file, table: None, meta_data: desk.meta_data(), dry_run: false };
    assert!(run(&request).unwrap_err().ends_with("name one by --table: `customers`, `orders_2024`"));
    request.table = Some("orders_2024".into());
    let (said, passes) = run(&request).unwrap();
    assert!(passes);
    for note in ["`where` is left out: ", "`when`: say by a `datetime_format`"] {
        assert!(said.contains(note), "{said}");
    }
    let expected = r#"{
  "name": "orders_2024",
  "description": "",
  "data_format": "csv",
  "location": "orders_2024/",
  "dialect": {"encoding": "windows-1252", "delimiter": ";", "nullValues": ["NA"]},
  "checks": {"allow_unexpected_columns": true},
  "primary_key": ["order_no"],
  "columns": [
    {"name": "order_no", "source_name": "Order No", "type": "long", "description": "Number", "nullable": false, "minimum": 1},
    {"name": "day", "type": "date", "description": "", "datetime_format": "%d/%m/%Y"},
    {"name": "at", "type": "datetime", "description": "", "datetime_format": "iso8601"},
    {"name": "when", "type": "date", "description": ""},
    {"name": "country", "type": "character", "description": "", "pattern": "(?:[A-Z]{2})$", "enum": ["GB","FR"]},
    {"name": "paid", "type": "boolean", "description": "", "trueValues": ["Y"], "falseValues": ["N"]}
  ]
}
"#;
    assert_eq!(desk.read("raw/orders_2024.json"), expected);
}

#[test]
fn a_data_contract_is_a_table() {
    let desk = Desk::new();
    let contract = r#"{"apiVersion": "v3.0.2", "kind": "DataContract", "id": "x", "schema": [{"name": "orders", "properties": [
        {"name": "id", "logicalType": "integer", "primaryKey": true, "required": true, "unique": true},
        {"name": "price", "logicalType": "number", "physicalType": "DECIMAL(10,2)"},
        {"name": "code", "physicalName": "Code", "logicalType": "string", "logicalTypeOptions": {"maxLength": 4}},
        {"name": "lines", "logicalType": "array"}]}]}"#;
    let (said, _) = desk.describe("contract.json", contract.as_bytes());
    assert!(said.contains("`lines` is left out"), "{said}");
    let raw = desk.read("raw/orders.json");
    for part in [
        r#""primary_key": ["id"]"#,
        r#"{"name": "id", "type": "long", "description": "", "nullable": false, "unique": true}"#,
        r#"{"name": "price", "type": "decimal(10,2)", "description": ""}"#,
        r#"{"name": "code", "source_name": "Code", "type": "character", "description": "", "maxLength": 4}"#,
    ] {
        assert!(raw.contains(part), "{raw}");
    }
}

#[test]
fn a_table_of_glue_is_a_table() {
    let desk = Desk::new();
    let table = r#"{"Table": {"Name": "sales", "DatabaseName": "old", "PartitionKeys": [{"Name": "day", "Type": "date"}],
        "Parameters": {"skip.header.line.count": "1"}, "StorageDescriptor": {
        "SerdeInfo": {"SerializationLibrary": "org.apache.hadoop.hive.serde2.OpenCSVSerde",
            "Parameters": {"separatorChar": ";", "quoteChar": "\""}},
        "Columns": [{"Name": "id", "Type": "bigint", "Comment": "Number"}, {"Name": "name", "Type": "varchar(20)"},
            {"Name": "tags", "Type": "array<struct<k:string,v:int>>"}, {"Name": "m", "Type": "map<string,string>"}]}}}"#;
    let (said, _) = desk.describe("sales.json", table.as_bytes());
    assert!(said.contains("`m` is left out: there is no type `map<string,string>` here"), "{said}");
    assert!(said.contains("`day` is left out: it is a partition's"), "{said}");
    let raw = desk.read("raw/sales.json");
    for part in [
        r#""dialect": {"delimiter": ";"}"#,
        r#"{"name": "id", "type": "long", "description": "Number"}"#,
        r#"{"name": "tags", "type": "array<struct<k:character,v:int>>", "description": ""}"#,
    ] {
        assert!(raw.contains(part), "{raw}");
    }
}

#[test]
fn odd_names_inside_of_json_are_described() {
    let desk = Desk::new();
    let (said, passes) = desk.describe(
        "docs_1.jsonl",
        b"{\"_id\":{\"$oid\":\"5f\"},\"addr\":[{\"Post Code\":\"X\",\"post_code\":\"Y\"}]}\n{\"_id\":{\"$oid\":\"60\"},\"addr\":[]}\n",
    );
    assert!(passes, "{said}");
    assert!(desk.column("docs", 0).contains(r#""source_names":{"oid":"$oid"}"#), "{}", desk.column("docs", 0));
    let addresses = desk.column("docs", 1);
    assert!(addresses.contains("array<struct<post_code:character,post_code_2:character>>"), "{addresses}");
    assert!(addresses.contains(r#""source_names":{"post_code":"Post Code","post_code_2":"post_code"}"#), "{addresses}");
}

/// For each file: a part of its metadata, and its number of rows.
#[test]
fn a_guess_is_no_loss() {
    let escaped = b"\"1\",\"say \\\"hi\\\"\",\\N\n\"2\",\"a\\\\b\",\"2.5\"\n";
    for (n, (bytes, part, rows)) in [
        (&b"id;montant\n1;1,5\n2;2,5\n"[..], r#""delimiter": ";", "decimalChar": ",""#, 2),
        (b"lat;lon\n51,5;0,1\n50,5;0,2\n", r#""source_name": "#, 0),
        (b"1,5;2,5\n3,5;4,5\n", r#""delimiter": ";", "header": false, "decimalChar": ",""#, 2),
        (b"id,tags\n1,a;b;c\n2,d;e;f\n3,g;h;i\n", r#""name": "tags""#, 3),
        (b"id;name\n1;Smith, John\n2;Doe, Jane\n3;Roe, Richard\n", r#""delimiter": ";""#, 3),
        (escaped, r#""escapeChar": "\\""#, 2),
        (b"# generated by x\ncolour,n\n#ff0000,1\nred,2\n", r#""headerRows": [2]"#, 2),
        (b"# by x\n# at noon\ncolour,n\nblue,1\nred,2\n", r##""commentChar": "#""##, 2),
        (b"Artikel;Menge;Preis\nA;1.200;1,50\nB;3.500;2,25\n", r#""source_name": "Menge", "type": "int""#, 2),
        (b"Artikel;Menge\nA;1.200\nB;3.500\n", r#""source_name": "Menge", "type": "character""#, 2),
        (b"sep=;\r\na;b\r\n1;x\r\n", r#""delimiter": ";", "commentRows": [1]"#, 1),
        (b"Sales report 2024,,\n,,\nid,amount,note\n1,2,x\n2,3,y\n", r#""headerRows": [3]"#, 2),
        (b"id,name,age\n1,bob,5\n2,\\N,\\N\n", r#""name": "name", "type": "character", "nullValues": ["\\N"]"#, 2),
        (
            b"file_land_timestamp,a\n5,6\n",
            r#""name": "file_land_timestamp_2", "source_name": "file_land_timestamp""#,
            1,
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let desk = Desk::new();
        let (said, passes) = desk.describe(&format!("t_{n}.csv"), bytes);
        assert!(passes, "{said}");
        let raw = desk.read("raw/t.json");
        if rows > 0 {
            assert!(raw.contains(part), "{raw}");
            assert!(said.contains(&format!("The sample passes: {rows} row")), "{said}");
        } else {
            assert!(raw.contains(r#""name": "lat", "type": "double""#), "{raw}");
        }
    }
}

#[test]
fn a_row_is_no_title() {
    for text in [
        "alice,london,uk,extra\nbob,paris,fr\ncarol,rome,it\n",
        "a,b\n1,2,\n3,4,\n",
        "\"a\",\"b\"\n\"1\",2,3\n\"2\",4,5\n",
        "1,5\" nail,x\n2,foo,y\n3,bar,z\n",
    ] {
        let desk = Desk::new();
        let file = desk.folder.path().join("t_1.csv");
        fs::write(&file, text).unwrap();
        let refused = run(&Request { file, table: None, meta_data: desk.meta_data(), dry_run: false }).unwrap_err();
        assert!(refused.contains("no number of fields in common (line 1 "), "{refused}");
    }
}

#[test]
fn what_is_guessed_or_left_out_is_said() {
    let desk = Desk::new();
    for (name, bytes, note) in [
        ("polish_1.csv", &b"id,name\n1,Z\xf3\xb3w i \xa3\xf3d\xbc \xbfaba\n2,G\xea\xb6 za wod\xb1\n"[..], "is a guess"),
        ("price_1.csv", "id,price\n1,£5\n2,£6\n".as_bytes(), "`£` stands beside each of its numbers"),
        (
            "nulls_1.csv",
            b"id,name,age\n1,bob,5\n2,NULL,NULL\n",
            "`name` has the text `NULL`, which is no value in other",
        ),
        ("nan_1.jsonl", b"{\"id\":1,\"v\":NaN}\n{\"id\":2,\"v\":0.5}\n", "NaN and the infinities are read as no value"),
    ] {
        let (said, _) = desk.describe(name, bytes);
        assert!(said.contains(note), "{said}");
    }
}

#[test]
fn names_by_the_thousand_are_refused_at_once() {
    let desk = Desk::new();
    let rows: String = (0..2_000).map(|n| format!("{{\"k{n}\":1}}\n")).collect();
    let header: Vec<String> = (0..5_000).map(|n| format!("c{n}")).collect();
    for (name, text) in [("keys_1.jsonl", rows), ("wide_1.csv", format!("{}\n", header.join(",")))] {
        let file = desk.folder.path().join(name);
        fs::write(&file, text).unwrap();
        let refused = run(&Request { file, table: None, meta_data: desk.meta_data(), dry_run: false }).unwrap_err();
        assert!(refused.contains("more than 1000 columns"), "{refused}");
    }
}

#[test]
fn data_is_no_schema() {
    let desk = Desk::new();
    for (name, text) in [
        ("things_1.json", r#"{"resources":[{"id":1,"name":"a"},{"id":2,"name":"b"}],"n":2}"#),
        (
            "arcgis_1.json",
            r#"{"fields":[{"name":"id","type":"esriFieldTypeOID"}],"features":[{"attributes":{"id":1}}]}"#,
        ),
        ("avro_1.json", r#"{"type":"record","name":"x","fields":[{"name":"a","type":"long"}]}"#),
    ] {
        let (said, _) = desk.describe(name, text.as_bytes());
        assert!(!said.contains("a description of"), "{said}");
    }
}

use arrow::array::{Int64Array, StringArray};
use arrow::datatypes::DataType;
use contract::{Checks, ColumnType, DataFormat, Mode};

use super::*;
use crate::secrets::Secrets;

fn table(columns: &[(&str, ColumnType, bool)]) -> Table {
    let columns = columns.iter().map(|(name, column_type, sensitive)| Column {
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
        sensitive: *sensitive,
        sensitivity: None,
        redacted: false,
        source_name: None,
        source_names: Default::default(),
        source_position: None,
        written: Default::default(),
        earlier_types: Vec::new(),
    });
    Table {
        file: "t.json".into(),
        dialect: contract::Dialect::EtlManager,
        name: "t".into(),
        description: String::new(),
        location: "t".into(),
        data_format: DataFormat::Parquet,
        columns: columns.collect(),
        partitions: Vec::new(),
        primary_key: Vec::new(),
        glue_specific: serde_json::json!({}),
        checks: Checks::default(),
        source: None,
        copy_to_raw: false,
        delete_raw: false,
        read_from: Default::default(),
        lines: false,
        file_dialect: Default::default(),
        compression: Default::default(),
        mode: Mode::Rebuild,
        self_contained: false,
        partition_projection: false,
        sql: None,
    }
}

fn query(texts: &[Option<&str>]) -> RecordBatch {
    let n: ArrayRef = Arc::new(Int64Array::from_iter_values(0..texts.len() as i64));
    let text: ArrayRef = Arc::new(StringArray::from(texts.to_vec()));
    RecordBatch::try_from_iter([("n", n), ("text", text)]).unwrap()
}

#[test]
fn columns_take_the_order_and_types_of_the_metadata() {
    let table = table(&[("text", ColumnType::Date, false), ("n", ColumnType::Int32, false)]);
    let batch = query(&[Some("1969-12-31"), None]);
    let mut align = Align::new(&table, &batch.schema()).unwrap();
    let aligned = align.batch(&batch).unwrap();
    let types: Vec<_> = aligned.schema().fields().iter().map(|f| f.data_type().clone()).collect();
    assert_eq!(types, [DataType::Date32, DataType::Int32]);
    assert_eq!(aligned.column(0).null_count(), 1);
}

#[test]
fn what_does_not_fit_is_named() {
    let batch = query(&[Some("1"), None, Some("x7")]);
    let mut align = Align::new(&table(&[("text", ColumnType::Int32, false)]), &batch.schema()).unwrap();
    align.batch(&query(&[Some("5")])).unwrap();
    let failure = align.batch(&batch).unwrap_err();
    let message = failure.told(&Secrets::default()).message;
    assert_eq!(message, "table `t`, column `text`, row 3 of the query: `x7` cannot become int");
}

#[test]
fn a_value_does_not_become_a_list_nor_a_list_a_text() {
    let list = ColumnType::List(Box::new(ColumnType::String));
    let failure = Align::new(&table(&[("text", list.clone(), false)]), &query(&[]).schema()).unwrap_err();
    assert!(failure.message.contains("column `text` is Utf8 in the query, which cannot become array<"), "{failure}");
    let lists = Schema::new(vec![Field::new("text", rows::arrow_type(&list), true)]);
    assert!(Align::new(&table(&[("text", ColumnType::String, false)]), &lists).is_err());
    assert!(Align::new(&table(&[("text", list, false)]), &lists).is_ok());
}

#[test]
fn a_missing_column_is_named_with_those_there_are() {
    let failure = Align::new(&table(&[("gone", ColumnType::Int32, false)]), &query(&[]).schema()).unwrap_err();
    assert_eq!(failure.message, "table `t`: the query has no column `gone`; the query's columns are `n`, `text`");
}

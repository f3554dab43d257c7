//! Makes the rows of a query fit the metadata: every described column, in order, of its type. What does not fit is an
//! error that names table, column, row and value.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::compute::{CastOptions, can_cast_types, cast_with_options};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use contract::{Column, Failure, Table};

/// Aligns the batches of one query, in order.
#[derive(Debug)]
pub struct Align {
    table: Table,
    /// For each column of the metadata, where the query has it.
    from: Vec<usize>,
    schema: SchemaRef,
    rows: u64,
}

impl Align {
    /// Checks that the query has every described column, of a type that can become the described one.
    pub fn new(table: &Table, query: &Schema) -> Result<Self, Failure> {
        let mut problems = Vec::new();
        let mut from = Vec::with_capacity(table.columns.len());
        let mut fields = Vec::with_capacity(table.columns.len());
        for column in &table.columns {
            let wanted = rows::arrow_type(&column.column_type);
            let found: Vec<usize> =
                (0..query.fields().len()).filter(|n| *query.field(*n).name() == column.name).collect();
            match found[..] {
                [n] if can_become(query.field(n).data_type(), &wanted) => from.push(n),
                [n] => problems.push(format!(
                    "column `{}` is {} in the query, which cannot become {}",
                    column.name,
                    query.field(n).data_type(),
                    column.column_type
                )),
                [] => problems.push(format!("the query has no column `{}`", column.name)),
                _ => problems.push(format!("the query has several columns `{}`", column.name)),
            }
            fields.push(Field::new(&column.name, wanted, column.nullable));
        }
        if !problems.is_empty() {
            let names: Vec<_> = query.fields().iter().map(|field| format!("`{}`", field.name())).collect();
            return Err(Failure::bad_metadata(format!(
                "table `{}`: {}; the query's columns are {}",
                table.name,
                problems.join("; "),
                names.join(", ")
            )));
        }
        Ok(Self { table: table.clone(), from, schema: Arc::new(Schema::new(fields)), rows: 0 })
    }

    /// The described columns, partition columns last.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The batch as the metadata has it.
    pub fn batch(&mut self, batch: &RecordBatch) -> Result<RecordBatch, Failure> {
        let mut columns = Vec::with_capacity(self.from.len());
        for ((column, from), field) in self.table.columns.iter().zip(&self.from).zip(self.schema.fields()) {
            columns.push(self.column(column, batch.column(*from), field.data_type())?);
        }
        self.rows += batch.num_rows() as u64;
        RecordBatch::try_new(Arc::clone(&self.schema), columns).map_err(Failure::internal)
    }

    fn column(&self, column: &Column, from: &ArrayRef, to: &DataType) -> Result<ArrayRef, Failure> {
        // a value that cannot be cast becomes null, and so is found, with its row
        let options = CastOptions { safe: true, ..CastOptions::default() };
        let cast = cast_with_options(from, to, &options).map_err(Failure::internal)?;
        if cast.null_count() != from.logical_null_count() {
            let row = (0..from.len()).find(|row| cast.is_null(*row) && !logically_null(from, *row)).unwrap_or(0);
            let what = format!("{} cannot become {}", shown(column, from, row), column.column_type);
            return Err(self.unfit(column, row, &what));
        }
        if !column.nullable && cast.null_count() > 0 {
            let row = (0..cast.len()).find(|row| cast.is_null(*row)).unwrap_or(0);
            return Err(self.unfit(column, row, "null in a column that is not nullable"));
        }
        Ok(cast)
    }

    fn unfit(&self, column: &Column, row: usize, what: &str) -> Failure {
        Failure::bad_data(format!(
            "table `{}`, column `{}`, row {} of the query: {what}",
            self.table.name,
            column.name,
            self.rows + row as u64
        ))
    }
}

/// Arrow would also make a list of one of any value, and a text of any list: no metadata means that.
fn can_become(found: &DataType, wanted: &DataType) -> bool {
    let same_shape = match (found, wanted) {
        (DataType::Null, _) => true,
        (
            DataType::List(found) | DataType::LargeList(found) | DataType::FixedSizeList(found, _),
            DataType::List(wanted),
        ) => can_become(found.data_type(), wanted.data_type()),
        (DataType::Struct(_), DataType::Struct(_)) => true,
        (found, wanted) => !found.is_nested() && !wanted.is_nested(),
    };
    same_shape && can_cast_types(found, wanted)
}

fn logically_null(array: &ArrayRef, row: usize) -> bool {
    array.logical_nulls().is_some_and(|nulls| nulls.is_null(row))
}

/// A value, unless it may not be seen.
pub fn shown(column: &Column, array: &ArrayRef, row: usize) -> String {
    if column.sensitive {
        return "a value (hidden: the column is sensitive)".into();
    }
    match ArrayFormatter::try_new(array, &FormatOptions::default()) {
        Ok(formatter) => {
            let text: String = formatter.value(row).to_string().chars().take(80).collect();
            format!("`{text}`")
        }
        Err(_) => "a value".into(),
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{Int64Array, StringArray};
    use contract::{Checks, ColumnType, DataFormat, Mode};

    use super::*;

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
            compression: Default::default(),
            mode: Mode::Rebuild,
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
    fn what_does_not_fit_is_named_and_sensitive_values_are_not_shown() {
        for (sensitive, value) in [(false, "`x7`"), (true, "hidden")] {
            let batch = query(&[Some("1"), None, Some("x7")]);
            let mut align = Align::new(&table(&[("text", ColumnType::Int32, sensitive)]), &batch.schema()).unwrap();
            align.batch(&query(&[Some("5")])).unwrap();
            let message = align.batch(&batch).unwrap_err().message;
            assert!(message.starts_with("table `t`, column `text`, row 3 of the query: "), "{message}");
            assert!(message.contains(value) && message.ends_with("cannot become int"), "{message}");
            assert_eq!(message.contains("x7"), !sensitive);
        }
    }

    #[test]
    fn a_value_does_not_become_a_list_nor_a_list_a_text() {
        let list = ColumnType::List(Box::new(ColumnType::String));
        let failure = Align::new(&table(&[("text", list.clone(), false)]), &query(&[]).schema()).unwrap_err();
        assert!(
            failure.message.contains("column `text` is Utf8 in the query, which cannot become array<"),
            "{failure}"
        );
        let lists = Schema::new(vec![Field::new("text", rows::arrow_type(&list), true)]);
        assert!(Align::new(&table(&[("text", ColumnType::String, false)]), &lists).is_err());
        assert!(Align::new(&table(&[("text", list, false)]), &lists).is_ok());
    }

    #[test]
    fn a_missing_column_is_named_with_those_there_are() {
        let failure = Align::new(&table(&[("gone", ColumnType::Int32, false)]), &query(&[]).schema()).unwrap_err();
        assert_eq!(failure.message, "table `t`: the query has no column `gone`; the query's columns are `n`, `text`");
    }
}

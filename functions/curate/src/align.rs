//! Makes the rows of a query fit the metadata: every described column, in order, of its type. It is a store assignment
//! and no cast: a value arrives as it is, or is an error that names table, column, row and value.

mod kernel;
mod number;
pub mod store;
mod text;
mod time;
pub mod unfit;
mod way;

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use contract::{Column, ColumnType, Failure, FailureKind, Table};

use crate::align::way::{Halt, Way};
use crate::query_failure::{Place, QueryFailure, Reason};

/// Aligns the batches of one query, in order.
#[derive(Debug)]
pub struct Align {
    table: Table,
    /// For each column of the metadata, where the query has it.
    from: Vec<From>,
    schema: SchemaRef,
    rows: u64,
}

/// Where the query has a column, of which type, and how that becomes the described one.
#[derive(Debug)]
struct From {
    index: usize,
    found: DataType,
    way: Way,
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
                [index] => {
                    let found = query.field(index).data_type().clone();
                    match way(column, &found, &wanted) {
                        Ok(way) => from.push(From { index, found, way }),
                        Err(problem) => problems.push(problem),
                    }
                }
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
    pub fn batch(&mut self, batch: &RecordBatch) -> Result<RecordBatch, Box<QueryFailure>> {
        self.follow(batch).map_err(|failure| self.known(failure))?;
        let mut columns = Vec::with_capacity(self.from.len());
        for (column, From { index, way, .. }) in self.table.columns.iter().zip(&self.from) {
            columns.push(self.column(column, way, batch.column(*index))?);
        }
        self.rows += batch.num_rows() as u64;
        RecordBatch::try_new(Arc::clone(&self.schema), columns).map_err(|error| self.known(Failure::internal(error)))
    }

    /// A failure that has no value in it.
    fn known(&self, failure: Failure) -> Box<QueryFailure> {
        Box::new(QueryFailure::new(&self.table.name, Reason::Known(failure)))
    }

    /// Rules that change a plan may change the types of its columns: the values count, not what was planned.
    fn follow(&mut self, batch: &RecordBatch) -> Result<(), Failure> {
        for (n, (column, from)) in self.table.columns.iter().zip(&mut self.from).enumerate() {
            let found = batch.column(from.index).data_type();
            if *found != from.found {
                let wrong = |problem| Failure::bad_metadata(format!("table `{}`: {problem}", self.table.name));
                from.way = way(column, found, self.schema.field(n).data_type()).map_err(wrong)?;
                from.found = found.clone();
            }
        }
        Ok(())
    }

    fn column(&self, column: &Column, way: &Way, from: &ArrayRef) -> Result<ArrayRef, Box<QueryFailure>> {
        let aligned = match way.convert(from, None) {
            Ok(aligned) => aligned,
            Err(Halt::Misfit(misfit)) => {
                let to = inside(&column.column_type, &misfit.path).clone();
                return Err(self.unfit(column, misfit.row, Reason::Unfit { misfit, to }));
            }
            Err(Halt::Engine(error)) => {
                let words = error.to_string();
                return Err(self.unfit(column, 0, Reason::Engine { kind: FailureKind::Internal, words, way: "" }));
            }
        };
        if !column.nullable && aligned.null_count() > 0 {
            let row = (0..aligned.len()).find(|row| aligned.is_null(*row)).unwrap_or(0);
            return Err(self.unfit(column, row, Reason::Null));
        }
        Ok(aligned)
    }

    fn unfit(&self, column: &Column, row: usize, reason: Reason) -> Box<QueryFailure> {
        let mut failure = QueryFailure::new(&self.table.name, reason);
        failure.column = Some(column.name.clone());
        failure.place = Place::Row(self.rows + row as u64);
        Box::new(failure)
    }
}

fn way(column: &Column, found: &DataType, wanted: &DataType) -> Result<Way, String> {
    Way::new(found, wanted).map_err(|refused| format!("column `{}{}` {}", column.name, refused.path, refused.reason))
}

/// Values as another type has them, if they all fit.
pub fn stored(values: &ArrayRef, wanted: &DataType) -> Option<ArrayRef> {
    Way::new(values.data_type(), wanted).ok()?.convert(values, None).ok()
}

/// The type of a part of a column.
fn inside<'a>(column_type: &'a ColumnType, path: &str) -> &'a ColumnType {
    let (mut found, mut rest) = (column_type, path);
    while let Some(next) = rest.get(1..).filter(|next| !next.is_empty()) {
        let end = next.find(['.', '[']).unwrap_or(next.len());
        found = match found {
            ColumnType::List(item) => item,
            ColumnType::Struct(fields) => {
                fields.iter().find(|(name, _)| *name == next[..end]).map_or(found, |(_, t)| t)
            }
            _ => found,
        };
        rest = &next[end..];
    }
    found
}

#[cfg(test)]
mod tests {
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

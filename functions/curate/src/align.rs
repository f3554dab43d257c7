//! Makes the rows of a query fit the metadata: every described column, in order, of its type. It is a store assignment
//! and no cast: a value arrives as it is, or is an error that names table, column, row and value.

pub mod assignment;
mod kernel;
mod number;
mod text;
mod time;
pub mod unfit;
mod way;

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use contract::{Column, Failure, FailureKind, Table, quoted};

use crate::align::unfit::inside;
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
    ///
    /// # Errors
    /// Columns that the query does not give, or whose values can never become what is described.
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
            let names = quoted(query.fields().iter().map(|field| field.name()));
            return Err(Failure::bad_metadata(format!(
                "table `{}`: {}; the query's columns are {}",
                table.name,
                problems.join("; "),
                names
            )));
        }
        Ok(Self { table: table.clone(), from, schema: Arc::new(Schema::new(fields)), rows: 0 })
    }

    /// The described columns, partition columns last.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The batch as the metadata has it.
    ///
    /// # Errors
    /// The first value that does not fit, and its row.
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

#[cfg(test)]
mod tests;

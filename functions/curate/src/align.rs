//! Aligns the rows of a query with the metadata: every described column, in order, with its type. This is store
//! assignment, not a cast. A value is stored unchanged, or it is an error that names table, column, row and value.

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
    /// For each column of the metadata, its source in the query.
    from: Vec<From>,
    schema: SchemaRef,
    rows: u64,
}

/// A column's index and type in the query, and its conversion to the described type.
#[derive(Debug)]
struct From {
    index: usize,
    found: DataType,
    way: Way,
}

impl Align {
    /// Checks that the query has every described column once, with a type that can become the described one.
    ///
    /// # Errors
    /// Fails with every column that the query lacks, that it has twice, or whose type can never become the described
    /// one.
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

    /// Returns the described columns, partition columns last.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Converts a batch to the described columns.
    ///
    /// # Errors
    /// Fails at the first value that does not fit, with its row.
    pub fn batch(&mut self, batch: &RecordBatch) -> Result<RecordBatch, Box<QueryFailure>> {
        self.follow(batch).map_err(|failure| self.known(failure))?;
        let mut columns = Vec::with_capacity(self.from.len());
        for (column, From { index, way, .. }) in self.table.columns.iter().zip(&self.from) {
            columns.push(self.column(column, way, batch.column(*index))?);
        }
        self.rows += batch.num_rows() as u64;
        RecordBatch::try_new(Arc::clone(&self.schema), columns).map_err(|error| self.known(Failure::internal(error)))
    }

    /// Wraps a failure whose message contains no value.
    fn known(&self, failure: Failure) -> Box<QueryFailure> {
        Box::new(QueryFailure::new(&self.table.name, Reason::Known(failure)))
    }

    /// Adapts to the types that the batch has. Optimiser rules may change the types that were planned.
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

/// Converts values to another type, or returns `None` if one of them does not fit.
pub fn stored(values: &ArrayRef, wanted: &DataType) -> Option<ArrayRef> {
    Way::new(values.data_type(), wanted).ok()?.convert(values, None).ok()
}

#[cfg(test)]
mod tests;

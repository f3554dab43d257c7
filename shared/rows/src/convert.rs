//! Arrow values of other types than a column's, read as their JSON text would be.

use std::fmt::{self, Write};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, ListArray, PrimitiveArray, StructArray, TimestampMicrosecondArray,
    TimestampMillisecondArray, TimestampNanosecondArray, TimestampSecondArray,
};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, Decimal128Type, Decimal256Type, Float16Type, Float32Type, Float64Type,
    Int8Type, Int16Type, Int32Type, Int64Type, TimeUnit, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use contract::ColumnType;

use crate::column::{ColumnBuilder, Fault, Place, Values};
use crate::misfit::MAXIMUM_UNEXPECTED_NAMES;
use crate::scalar;
use crate::schema::arrow_type;

/// How the values of an Arrow type become those of a column: found out once for all of them.
#[derive(Debug)]
pub(crate) enum Plan {
    /// Values without parts.
    Scalar,
    /// By field of the column, and the fields that it does not have.
    Struct(Vec<Child>, Vec<Box<str>>),
    List(Box<Plan>),
    /// No value ever fits.
    Unfit,
}

/// Where a field of a column is.
#[derive(Debug)]
pub(crate) enum Child {
    Absent,
    Twice,
    At(usize, Plan),
}

impl Plan {
    pub(crate) fn new(column_type: &ColumnType, data_type: &DataType) -> Self {
        match (column_type, data_type) {
            (ColumnType::Struct(fields), DataType::Struct(there)) => {
                let child = |(name, inner): &(String, ColumnType)| {
                    let mut found = there.iter().enumerate().filter(|(_, field)| field.name() == name);
                    match (found.next(), found.next()) {
                        (None, _) => Child::Absent,
                        (Some((n, field)), None) => Child::At(n, Self::new(inner, field.data_type())),
                        (Some(_), Some(_)) => Child::Twice,
                    }
                };
                let children = fields.iter().map(child).collect();
                let known = |name: &str| fields.iter().any(|(field, _)| field == name);
                let others =
                    there.iter().filter(|field| !known(field.name())).map(|field| field.name().as_str().into());
                // more are not told apart
                Self::Struct(children, others.take(MAXIMUM_UNEXPECTED_NAMES + 1).collect())
            }
            (ColumnType::List(inner), DataType::List(item)) => Self::List(Box::new(Self::new(inner, item.data_type()))),
            (ColumnType::Struct(_) | ColumnType::List(_), _) => Self::Unfit,
            (_, inner) if inner.is_nested() => Self::Unfit,
            _ => Self::Scalar,
        }
    }
}

/// An array as a column has it, if all of its values are the column's own and only names of fields differ, or what may
/// be null.
pub(crate) fn as_it_is(array: &ArrayRef, column_type: &ColumnType) -> Option<ArrayRef> {
    let target = arrow_type(column_type);
    match (column_type, &target, array.data_type()) {
        (ColumnType::Struct(inner), DataType::Struct(fields), DataType::Struct(there)) => {
            if fields.len() != there.len()
                || fields.iter().zip(there).any(|(field, found)| field.name() != found.name())
            {
                return None;
            }
            let children = array.as_struct().columns().iter().zip(inner);
            let children = children.map(|(child, (_, inner))| as_it_is(child, inner)).collect::<Option<_>>()?;
            let array = StructArray::try_new(fields.clone(), children, array.nulls().cloned()).ok()?;
            Some(Arc::new(array))
        }
        (ColumnType::List(inner), DataType::List(item), DataType::List(_)) => {
            let list = array.as_list::<i32>();
            let items = as_it_is(list.values(), inner)?;
            let list =
                ListArray::try_new(Arc::clone(item), list.offsets().clone(), items, list.nulls().cloned()).ok()?;
            Some(Arc::new(list))
        }
        (_, wanted, found) if wanted == found => {
            let fits = match column_type {
                ColumnType::Float32 => all::<Float32Type>(array, |value| value.is_finite()),
                ColumnType::Float64 => all::<Float64Type>(array, |value| value.is_finite()),
                ColumnType::Decimal { precision, .. } => {
                    let limit = 10_u128.pow(u32::from(*precision));
                    all::<Decimal128Type>(array, |value| value.unsigned_abs() < limit)
                }
                _ => true,
            };
            fits.then(|| Arc::clone(array))
        }
        _ => None,
    }
}

fn all<T: ArrowPrimitiveType>(array: &ArrayRef, fits: impl Fn(T::Native) -> bool) -> bool {
    let array: &PrimitiveArray<T> = array.as_primitive();
    match array.null_count() {
        0 => array.values().iter().all(|value| fits(*value)),
        _ => array.iter().flatten().all(fits),
    }
}

impl ColumnBuilder {
    /// Adds a value of an array. Where it is none of the type, adds a null, tells, and gives false; its text is only
    /// made where it is `shown`.
    pub(crate) fn append_arrow(
        &mut self,
        plan: &Plan,
        array: &dyn Array,
        row: usize,
        place: Place<'_>,
        shown: bool,
        tell: &mut dyn FnMut(Fault<'_>),
    ) -> bool {
        if array.is_null(row) || *array.data_type() == DataType::Null {
            self.append_null();
            return true;
        }
        match (plan, &mut self.values) {
            (Plan::Struct(children, others), Values::Struct(values)) => {
                let parts = array.as_struct();
                for name in others {
                    tell(Fault::Unexpected { place: Place::Field(&place, name) });
                }
                for ((child, builder), field) in children.iter().zip(&mut values.children).zip(&values.fields) {
                    let place = Place::Field(&place, field.name());
                    match child {
                        Child::At(n, plan) => {
                            builder.append_arrow(plan, parts.column(*n), row, place, shown, tell);
                        }
                        Child::Absent => builder.append_null(),
                        Child::Twice => {
                            builder.append_null();
                            tell(Fault::Duplicate { place });
                        }
                    }
                }
                values.valid.append_non_null();
                true
            }
            (Plan::List(plan), Values::List(values)) => {
                let list = array.as_list::<i32>();
                let range = list.value_offsets()[row] as usize..list.value_offsets()[row + 1] as usize;
                for (n, item) in range.clone().enumerate() {
                    values.items.append_arrow(plan, list.values(), item, Place::Item(&place, n), shown, tell);
                }
                values.lengths.push(range.len());
                values.valid.append_non_null();
                true
            }
            (Plan::Scalar, _) => self.append_scalar(array, row, place, shown, tell),
            _ => {
                self.append_unfit(&text_of(array, row, shown), place, tell);
                false
            }
        }
    }

    fn append_scalar(
        &mut self,
        array: &dyn Array,
        row: usize,
        place: Place<'_>,
        shown: bool,
        tell: &mut dyn FnMut(Fault<'_>),
    ) -> bool {
        let format = self.format.as_ref();
        let fits = match (array.data_type(), &mut self.values) {
            (DataType::Utf8, values) => {
                let text = array.as_string::<i32>().value(row);
                match (values, &self.column_type) {
                    (Values::String(values), _) => {
                        values.append_value(text);
                        Some(())
                    }
                    (Values::Decimal(values), ColumnType::Decimal { precision, scale }) => {
                        scalar::decimal_of(text, *precision, *scale).map(|value| values.append_value(value))
                    }
                    (Values::Date(values), _) => scalar::date_of(text, format).map(|value| values.append_value(value)),
                    (Values::Timestamp(values), _) => {
                        scalar::timestamp_of(text, format).map(|value| values.append_value(value))
                    }
                    (Values::Binary(values), _) => scalar::binary_of(text).map(|value| values.append_value(value)),
                    _ => None,
                }
            }
            // older writers leave it to the reader to know which bytes are text
            (DataType::Binary, Values::String(values)) => {
                std::str::from_utf8(array.as_binary::<i32>().value(row)).ok().map(|text| values.append_value(text))
            }
            (DataType::Binary, Values::Binary(values)) => {
                values.append_value(array.as_binary::<i32>().value(row));
                Some(())
            }
            (DataType::FixedSizeBinary(_), Values::Binary(values)) => {
                values.append_value(array.as_fixed_size_binary().value(row));
                Some(())
            }
            (DataType::Date32, Values::Date(values)) => {
                values.append_value(array.as_primitive::<Date32Type>().value(row));
                Some(())
            }
            (DataType::Timestamp(unit, _), Values::Timestamp(values)) => {
                milliseconds(array, *unit, row).map(|value| values.append_value(value))
            }
            (DataType::Timestamp(unit, _), Values::Date(values)) => {
                let value = milliseconds(array, *unit, row).filter(|value| value % MILLISECONDS_OF_A_DAY == 0);
                let days = value.and_then(|value| i32::try_from(value / MILLISECONDS_OF_A_DAY).ok());
                days.map(|days| values.append_value(days))
            }
            _ => match json(array, row) {
                // as its JSON text, with the same verdict
                Some(json) => return self.append(&json, place, tell),
                None => None,
            },
        };
        if fits.is_none() {
            self.append_unfit(&text_of(array, row, shown), place, tell);
        }
        fits.is_some()
    }
}

const MILLISECONDS_OF_A_DAY: i64 = 86_400_000;

/// A point in time in milliseconds, if nothing is lost. One in UTC is taken as a time of day without a zone: so Spark
/// writes those.
fn milliseconds(array: &dyn Array, unit: TimeUnit, row: usize) -> Option<i64> {
    let any = array.as_any();
    let exact = |value: i64, units: i64| (value % units == 0).then_some(value / units);
    match unit {
        TimeUnit::Second => any.downcast_ref::<TimestampSecondArray>()?.value(row).checked_mul(1000),
        TimeUnit::Millisecond => Some(any.downcast_ref::<TimestampMillisecondArray>()?.value(row)),
        TimeUnit::Microsecond => exact(any.downcast_ref::<TimestampMicrosecondArray>()?.value(row), 1000),
        TimeUnit::Nanosecond => exact(any.downcast_ref::<TimestampNanosecondArray>()?.value(row), 1_000_000),
    }
}

/// The JSON text of a number or a truth value; None where JSON has none.
fn json(array: &dyn Array, row: usize) -> Option<String> {
    fn number<T: ArrowPrimitiveType>(array: &dyn Array, row: usize) -> T::Native {
        array.as_primitive::<T>().value(row)
    }
    Some(match array.data_type() {
        DataType::Int8 => number::<Int8Type>(array, row).to_string(),
        DataType::Int16 => number::<Int16Type>(array, row).to_string(),
        DataType::Int32 => number::<Int32Type>(array, row).to_string(),
        DataType::Int64 => number::<Int64Type>(array, row).to_string(),
        DataType::UInt8 => number::<UInt8Type>(array, row).to_string(),
        DataType::UInt16 => number::<UInt16Type>(array, row).to_string(),
        DataType::UInt32 => number::<UInt32Type>(array, row).to_string(),
        DataType::UInt64 => number::<UInt64Type>(array, row).to_string(),
        // the shortest text that reads as the same number
        DataType::Float16 => finite(number::<Float16Type>(array, row).to_f32())?,
        DataType::Float32 => finite(number::<Float32Type>(array, row))?,
        DataType::Float64 => {
            let number = number::<Float64Type>(array, row);
            number.is_finite().then(|| format!("{number:?}"))?
        }
        DataType::Decimal128(..) => array.as_primitive::<Decimal128Type>().value_as_string(row),
        DataType::Decimal256(..) => array.as_primitive::<Decimal256Type>().value_as_string(row),
        DataType::Boolean => array.as_any().downcast_ref::<BooleanArray>()?.value(row).to_string(),
        _ => return None,
    })
}

fn finite(number: f32) -> Option<String> {
    number.is_finite().then(|| format!("{number:?}"))
}

/// What a person sees of a value that does not fit.
fn text_of(array: &dyn Array, row: usize, shown: bool) -> String {
    if !shown {
        return String::new();
    }
    let mut text = Cut(String::new());
    let written = match array.data_type() {
        DataType::Utf8 => {
            let value = array.as_string::<i32>().value(row);
            let start = value.char_indices().nth(SHOWN_CHARACTERS).map_or(value, |(end, _)| &value[..end]);
            text.write_str(&serde_json::to_string(start).unwrap_or_default())
        }
        _ => ArrayFormatter::try_new(array, &FormatOptions::default())
            .map_err(|_| fmt::Error)
            .and_then(|formatter| write!(text, "{}", formatter.value(row))),
    };
    // what is cut off is an error to who writes
    written.unwrap_or_default();
    text.0
}

/// More than a misfit shows.
const SHOWN_CHARACTERS: usize = 100;

/// A text that ends when it is long enough.
struct Cut(String);

impl Write for Cut {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let there = self.0.chars().count();
        self.0.extend(text.chars().take((4 * SHOWN_CHARACTERS).saturating_sub(there)));
        if there > 3 * SHOWN_CHARACTERS { Err(fmt::Error) } else { Ok(()) }
    }
}

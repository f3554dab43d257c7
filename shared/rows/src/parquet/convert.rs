//! Converts Arrow values to a column's type, if the types differ, as if from their JSON text.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int64Array, ListArray, PrimitiveArray, StructArray};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, Decimal128Type, Float16Type, Float32Type, Float64Type, Int8Type,
    Int16Type, Int32Type, Int64Type, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
    UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use contract::{ColumnType, FieldNames, TimestampUnit};

use crate::misfit::MAXIMUM_UNEXPECTED_NAMES;
use crate::parquet::found::{Found, Origin};
use crate::values::column::{ColumnBuilder, Fault, Place, Values};
use crate::values::points::{self, Day, Point};
use crate::values::schema::arrow_type;
use crate::values::shown::{clock, decimal, items, point, shown_value, units};
use crate::values::why::{Why, noted};
use crate::values::{number, scalar};

/// How the values of a file's column become those of a described one, determined once for all of them.
#[derive(Debug)]
pub(crate) enum Conversion {
    /// Values without parts, with their origin.
    Scalar(Origin),
    /// The place of each of the column's fields, and the names of the other fields in the file.
    Struct(Vec<Child>, Vec<Box<str>>),
    List(Box<Conversion>),
    /// No value ever fits.
    Unfit(Why),
}

/// The place of a column's field in the file.
#[derive(Debug)]
pub(crate) enum Child {
    Absent,
    Twice,
    At(usize, Conversion),
}

impl Conversion {
    pub(crate) fn new(column_type: &ColumnType, names: &FieldNames, found: &Found) -> Self {
        Self::at(column_type, names, "", found)
    }

    /// Plans for the part of a column at `path`.
    fn at(column_type: &ColumnType, names: &FieldNames, path: &str, found: &Found) -> Self {
        match (column_type, found) {
            (ColumnType::Struct(fields), Found::Struct(there)) => {
                let child = |(name, inner): &(String, ColumnType)| {
                    let called = names.in_files(path, name);
                    let mut found = there.iter().enumerate().filter(|(_, (found, _))| found == called);
                    match (found.next(), found.next()) {
                        (None, _) => Child::Absent,
                        (Some((n, (_, field))), None) => {
                            Child::At(n, Self::at(inner, names, &FieldNames::path(path, name), field))
                        }
                        (Some(_), Some(_)) => Child::Twice,
                    }
                };
                let children = fields.iter().map(child).collect();
                let known = |name: &str| fields.iter().any(|(field, _)| names.in_files(path, field) == name);
                let others = there.iter().filter(|(name, _)| !known(name)).map(|(name, _)| name.as_str().into());
                // names beyond the limit are counted together
                Self::Struct(children, others.take(MAXIMUM_UNEXPECTED_NAMES + 1).collect())
            }
            (ColumnType::List(inner), Found::List(item)) => Self::List(Box::new(Self::at(inner, names, path, item))),
            (ColumnType::List(inner), Found::Map(entry)) if matches!(**inner, ColumnType::Struct(_)) => {
                Self::List(Box::new(Self::at(inner, names, path, entry)))
            }
            (_, Found::Map(_)) => Self::Unfit(Why::Map),
            (_, Found::Leaf(_, Origin::Interval)) => Self::Unfit(Why::Interval),
            (ColumnType::Struct(_) | ColumnType::List(_), _) => Self::Unfit(Why::Other),
            (_, Found::Leaf(_, origin)) => Self::Scalar(*origin),
            _ => Self::Unfit(Why::Other),
        }
    }
}

/// Returns an array in the column's type if every value fits as it is. Only the names of fields, nullability and the
/// unit of timestamps may differ.
pub(crate) fn as_it_is(array: &ArrayRef, column_type: &ColumnType, plan: &Conversion) -> Option<ArrayRef> {
    let target = arrow_type(column_type);
    match (plan, column_type, &target) {
        (Conversion::Struct(children, others), ColumnType::Struct(inner), DataType::Struct(fields)) => {
            let parts = array.as_struct_opt()?;
            let in_order = |(n, child): (usize, &Child)| matches!(child, Child::At(place, _) if *place == n);
            if !others.is_empty() || !children.iter().enumerate().all(in_order) {
                return None;
            }
            let children =
                parts.columns().iter().zip(inner).zip(children).map(|((part, (_, inner)), child)| match child {
                    Child::At(_, plan) => as_it_is(part, inner, plan),
                    _ => None,
                });
            let array = StructArray::try_new(fields.clone(), children.collect::<Option<_>>()?, array.nulls().cloned());
            Some(Arc::new(array.ok()?))
        }
        (Conversion::List(plan), ColumnType::List(inner), DataType::List(item)) => {
            let (values, offsets) = if let Some(list) = array.as_list_opt::<i32>() {
                (Arc::clone(list.values()), list.offsets().clone())
            } else {
                let map = array.as_map_opt()?;
                (Arc::new(map.entries().clone()) as ArrayRef, map.offsets().clone())
            };
            let items = as_it_is(&values, inner, plan)?;
            let list = ListArray::try_new(Arc::clone(item), offsets, items, array.nulls().cloned()).ok()?;
            Some(Arc::new(list))
        }
        (Conversion::Scalar(origin), ColumnType::Timestamp(unit), _) => points_as_they_are(array, *unit, *origin),
        (Conversion::Scalar(Origin::Plain), _, wanted) if wanted == array.data_type() => {
            let fits = match column_type {
                ColumnType::Float32 => all::<Float32Type>(array, f32::is_finite),
                ColumnType::Float64 => all::<Float64Type>(array, f64::is_finite),
                ColumnType::Decimal { precision, .. } => {
                    let limit = 10_u128.pow(u32::from(*precision));
                    all::<Decimal128Type>(array, |value| value.unsigned_abs() < limit)
                }
                ColumnType::Date => {
                    all::<Date32Type>(array, |value| (points::FIRST_DAY..=points::LAST_DAY).contains(&value))
                }
                _ => true,
            };
            fits.then(|| Arc::clone(array))
        }
        _ => None,
    }
}

/// Returns points in time in a column's unit, if the column may hold every one of them.
fn points_as_they_are(array: &ArrayRef, unit: TimestampUnit, origin: Origin) -> Option<ArrayRef> {
    let wanted = unit.per_second();
    let values = match (units(array), origin) {
        (Some((values, found)), _) if found == wanted => {
            let (least, greatest) = points::range(wanted);
            let fits = |value: i64| value >= least && value <= greatest;
            fits_all(&values, fits).then_some(values)?
        }
        (Some((values, found)), _) if found > wanted => {
            let (ratio, (least, greatest)) = (found / wanted, points::range(found));
            let fits = |value: i64| value % ratio == 0 && value >= least && value <= greatest;
            fits_all(&values, fits).then(|| values.unary::<_, Int64Type>(|value| value / ratio))?
        }
        (Some((values, found)), _) => {
            let ratio = wanted / found;
            // the coarser unit reaches further than the finer one
            let (least, greatest) = points::range(wanted);
            let (least, greatest) = (least / ratio, greatest / ratio);
            let fits = |value: i64| value >= least && value <= greatest;
            fits_all(&values, fits).then(|| values.unary::<_, Int64Type>(|value| value.wrapping_mul(ratio)))?
        }
        (None, Origin::Int96) => {
            let point = |bytes: Option<&[u8]>| match bytes {
                None => Some(None),
                Some(bytes) => Point::of_int96(bytes)?.in_unit(unit).ok().map(Some),
            };
            array.as_fixed_size_binary_opt()?.iter().map(point).collect::<Option<Int64Array>>()?
        }
        _ => return None,
    };
    Some(match unit {
        TimestampUnit::Millisecond => Arc::new(values.reinterpret_cast::<TimestampMillisecondType>()),
        TimestampUnit::Microsecond => Arc::new(values.reinterpret_cast::<TimestampMicrosecondType>()),
        TimestampUnit::Nanosecond => Arc::new(values.reinterpret_cast::<TimestampNanosecondType>()),
    })
}

fn all<T: ArrowPrimitiveType>(array: &ArrayRef, fits: impl Fn(T::Native) -> bool) -> bool {
    fits_all(array.as_primitive::<T>(), fits)
}

fn fits_all<T: ArrowPrimitiveType>(array: &PrimitiveArray<T>, fits: impl Fn(T::Native) -> bool) -> bool {
    // without a branch, so that several values are compared at once; the value under a null is mostly zero
    array.values().iter().fold(true, |all, value| all & fits(*value))
        || array.null_count() > 0 && array.iter().flatten().all(fits)
}

impl ColumnBuilder {
    /// Appends a value of an array. If it is not a value of the type, appends null, reports it and returns false. Its
    /// text is built only if it is `shown`.
    pub(crate) fn append_arrow(
        &mut self,
        plan: &Conversion,
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
            (Conversion::Struct(children, others), Values::Struct(values)) => {
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
            (Conversion::List(plan), Values::List(values)) => {
                let Some((items, range)) = items(array, row) else {
                    self.append_unfit(Why::Other, &text_of(array, row, Origin::Plain, shown), place, tell);
                    return false;
                };
                for (n, item) in range.clone().enumerate() {
                    values.items.append_arrow(plan, items, item, Place::Item(&place, n), shown, tell);
                }
                values.lengths.push(range.len());
                values.valid.append_non_null();
                true
            }
            (Conversion::Scalar(origin), _) => self.append_scalar(array, row, *origin, place, shown, tell),
            (plan, _) => {
                let why = if let Conversion::Unfit(why) = plan { *why } else { Why::Other };
                let origin = if why == Why::Interval { Origin::Interval } else { Origin::Plain };
                self.append_unfit(why, &text_of(array, row, origin, shown), place, tell);
                false
            }
        }
    }

    fn append_scalar(
        &mut self,
        array: &dyn Array,
        row: usize,
        origin: Origin,
        place: Place<'_>,
        shown: bool,
        tell: &mut dyn FnMut(Fault<'_>),
    ) -> bool {
        let format = self.format.as_ref();
        let mut why = Why::Other;
        let time = match array.data_type() {
            DataType::FixedSizeBinary(_) if origin == Origin::Int96 => {
                Point::of_int96(array.as_fixed_size_binary().value(row))
            }
            _ => point(array, row),
        };
        let fits = match (array.data_type(), &mut self.values) {
            (DataType::Utf8, values) => {
                let text = array.as_string::<i32>().value(row);
                match (values, &self.column_type) {
                    (Values::String(values), _) => {
                        values.append_value(text);
                        Some(())
                    }
                    (Values::Decimal(values), ColumnType::Decimal { precision, scale }) => {
                        number::decimal_of(text, *precision, *scale).map(|value| values.append_value(value))
                    }
                    (Values::Date(values), _) => {
                        noted(scalar::date_of(text, format), &mut why).map(|value| values.append_value(value))
                    }
                    (Values::Timestamp(values, unit), _) => {
                        let point = noted(scalar::timestamp_of(text, format, *unit), &mut why);
                        point.map(|value| values.append_value(value))
                    }
                    (Values::Binary(values), _) => scalar::binary_of(text).map(|value| values.append_value(value)),
                    _ => None,
                }
            }
            (_, Values::Timestamp(values, unit)) if let Some(time) = time => {
                noted(time.in_unit(*unit), &mut why).map(|value| values.append_value(value))
            }
            (_, Values::Date(values)) if let Some(time) = time => {
                noted(time.midnight(), &mut why).map(|value| values.append_value(value))
            }
            (_, Values::String(values)) => {
                noted(text(array, row, origin, time), &mut why).map(|text| values.append_value(text))
            }
            (DataType::Binary, Values::Binary(values)) => {
                values.append_value(array.as_binary::<i32>().value(row));
                Some(())
            }
            (DataType::FixedSizeBinary(_), Values::Binary(values)) if origin != Origin::Int96 => {
                values.append_value(array.as_fixed_size_binary().value(row));
                Some(())
            }
            (DataType::Date32, Values::Date(values)) => {
                let day = points::day(array.as_primitive::<Date32Type>().value(row));
                noted(day, &mut why).map(|value| values.append_value(value))
            }
            _ => match json(array, row) {
                // treated as its JSON text would be
                Some(json) => return self.append(&json, place, tell),
                None => double(array, row).and_then(|number| self.append_nan(number)),
            },
        };
        if fits.is_none() {
            self.append_unfit(why, &text_of(array, row, origin, shown), place, tell);
        }
        fits.is_some()
    }
}

/// Returns the text of a value that is a string in JSON: dates, times, and bytes that are UTF-8. Older writers do not
/// declare which bytes are text.
fn text(array: &dyn Array, row: usize, origin: Origin, time: Option<Point>) -> Result<String, Why> {
    let utf8 = |bytes: &[u8]| std::str::from_utf8(bytes).map(str::to_owned).map_err(|_| Why::Other);
    match (array.data_type(), origin) {
        (_, Origin::Uuid) => Ok(uuid(array.as_fixed_size_binary().value(row))),
        _ if let Some(time) = time => Ok(time.in_range()?.to_string()),
        (DataType::Date32, _) => {
            let day = points::day(array.as_primitive::<Date32Type>().value(row))?;
            Ok(Day(day.into()).to_string())
        }
        (DataType::Time32(_) | DataType::Time64(_), _) => {
            clock(array, row).map(|clock| clock.to_string()).map_err(|_| Why::Other)
        }
        (DataType::Binary, _) => utf8(array.as_binary::<i32>().value(row)),
        (DataType::FixedSizeBinary(_), Origin::Plain) => utf8(array.as_fixed_size_binary().value(row)),
        _ => Err(Why::Other),
    }
}

/// `01234567-89ab-cdef-0123-456789abcdef`
fn uuid(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(36);
    for (n, byte) in bytes.iter().enumerate() {
        if matches!(n, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.push_str(&format!("{byte:02x}"));
    }
    text
}

/// Returns the JSON text of a number or a boolean, or `None` if JSON cannot express it.
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
        DataType::Decimal128(..) | DataType::Decimal256(..) => decimal(array, row)?,
        DataType::Boolean => array.as_any().downcast_ref::<BooleanArray>()?.value(row).to_string(),
        _ => return None,
    })
}

/// Returns the number of a floating-point type.
fn double(array: &dyn Array, row: usize) -> Option<f64> {
    Some(match array.data_type() {
        DataType::Float16 => array.as_primitive::<Float16Type>().value(row).to_f64(),
        DataType::Float32 => array.as_primitive::<Float32Type>().value(row).into(),
        DataType::Float64 => array.as_primitive::<Float64Type>().value(row),
        _ => return None,
    })
}

fn finite(number: f32) -> Option<String> {
    number.is_finite().then(|| format!("{number:?}"))
}

/// Returns what people see of a value that does not fit.
fn text_of(array: &dyn Array, row: usize, origin: Origin, shown: bool) -> String {
    if !shown {
        return String::new();
    }
    let bytes = array.as_fixed_size_binary_opt().map(|array| array.value(row));
    match (origin, bytes) {
        (Origin::Int96, Some(bytes)) => Point::of_int96(bytes).map(|point| point.to_string()),
        (Origin::Uuid, Some(bytes)) => Some(uuid(bytes)),
        (Origin::Interval, Some(bytes)) => interval(bytes),
        _ => None,
    }
    .unwrap_or_else(|| shown_value(array, row))
}

/// Formats an INTERVAL, which is three numbers of 32 bits.
fn interval(bytes: &[u8]) -> Option<String> {
    let ([months, days, milliseconds], []) = bytes.as_chunks::<4>() else { return None };
    let number = |bytes: &[u8; 4]| u32::from_le_bytes(*bytes);
    Some(format!("{} months {} days {} ms", number(months), number(days), number(milliseconds)))
}

//! The conversion of values of one type to another, chosen once for all batches. docs/tables.md lists the possible
//! conversions for people.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, FixedSizeListArray, ListArray, StructArray, UInt64Array, make_array, new_null_array,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::{CastOptions, cast_with_options, take};
use arrow::datatypes::{DataType, FieldRef, Fields};
use contract::nearest;

use crate::align::kernel::{Kernel, Stop};
use crate::align::unfit::{Misfit, Refused, Why, shown};
use crate::align::{number, text, time};

/// See the [module](self).
#[derive(Debug)]
pub(super) enum Way {
    /// The values already have the type, and every value of the type is valid.
    Same,
    /// All values are null.
    Nulls(DataType),
    /// Scalars. They become values of the type `plain` first, if they are not.
    Plain { plain: DataType, to: DataType, kernel: Kernel },
    /// Lists, converted item by item.
    List { item: Box<Way>, field: FieldRef },
    /// Structs: for each described field, its index in the query's struct and its conversion.
    Struct { from: Vec<(usize, Way)>, fields: Fields },
}

/// Why an array is not converted.
#[derive(Debug)]
pub(super) enum Halt {
    /// A value does not fit.
    Misfit(Misfit),
    /// Arrow failed, which no value should cause.
    Engine(arrow::error::ArrowError),
}

impl From<arrow::error::ArrowError> for Halt {
    fn from(error: arrow::error::ArrowError) -> Self {
        Self::Engine(error)
    }
}

impl Way {
    /// Returns the conversion from `found` to `wanted`.
    pub(super) fn new(found: &DataType, wanted: &DataType) -> Result<Self, Refused> {
        let refused = |reason: String| Refused { path: String::new(), reason };
        match (found, wanted) {
            (DataType::Null, _) => Ok(Self::Nulls(wanted.clone())),
            (DataType::Dictionary(_, values), _) if values.is_nested() => Err(refused(cannot(found, wanted, ""))),
            (
                DataType::List(item)
                | DataType::LargeList(item)
                | DataType::FixedSizeList(item, _)
                | DataType::ListView(item)
                | DataType::LargeListView(item),
                DataType::List(field),
            ) => {
                let inner = Self::new(item.data_type(), field.data_type()).map_err(|refused| refused.inside("[]"))?;
                match inner {
                    Self::Same if found == wanted => Ok(Self::Same),
                    inner => Ok(Self::List { item: Box::new(inner), field: Arc::clone(field) }),
                }
            }
            (DataType::Struct(there), DataType::Struct(fields)) => Self::by_name(there, fields, found == wanted),
            (found, wanted) if is_nested(found) || wanted.is_nested() => {
                let instead = match (found, wanted) {
                    (_, DataType::List(_)) if !is_nested(found) => "`[…]` makes a list of values",
                    (DataType::Map(..), DataType::List(_)) => "`map_entries(…)` makes a list of a map",
                    (DataType::List(_), DataType::Utf8) => "`array_to_string(…, ',')` makes a text of a list",
                    _ => "",
                };
                Err(refused(cannot(found, wanted, instead)))
            }
            (found, wanted) => Self::plain(found, wanted),
        }
    }

    fn by_name(there: &Fields, fields: &Fields, same: bool) -> Result<Self, Refused> {
        let names = |fields: &Fields| fields.iter().map(|field| format!("`{}`", field.name())).collect::<Vec<_>>();
        let refused = |name: &str, reason: &str| {
            let near = nearest(name, there.iter().map(|field| field.name().as_str()));
            let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
            let reason = format!(
                "{reason}{near}; the query's struct has {}, the described one {}: `named_struct('a', …, 'b', …)` says \
                 which is which",
                names(there).join(", "),
                names(fields).join(", ")
            );
            Refused { path: String::new(), reason }
        };
        let mut from = Vec::with_capacity(fields.len());
        for field in fields {
            let mut found = there.iter().enumerate().filter(|(_, there)| there.name() == field.name());
            let (n, inner) = match (found.next(), found.next()) {
                (Some(found), None) => found,
                (Some(_), Some(_)) => return Err(refused("", &format!("has several fields `{}`", field.name()))),
                (None, _) => return Err(refused(field.name(), &format!("has no field `{}`", field.name()))),
            };
            let way = Self::new(inner.data_type(), field.data_type());
            from.push((n, way.map_err(|refused| refused.inside(&format!(".{}", field.name())))?));
        }
        let other = there.iter().find(|there| !fields.iter().any(|field| field.name() == there.name()));
        if let Some(other) = other {
            return Err(refused("", &format!("has a field `{}` that isn't described", other.name())));
        }
        if same && from.iter().all(|(_, way)| matches!(way, Self::Same)) {
            Ok(Self::Same)
        } else {
            Ok(Self::Struct { from, fields: fields.clone() })
        }
    }

    fn plain(found: &DataType, wanted: &DataType) -> Result<Self, Refused> {
        let plain = plainer(found, wanted);
        let kernel = kernel(&plain, wanted)
            .map_err(|instead| Refused { path: String::new(), reason: cannot(found, wanted, instead) })?;
        Ok(match kernel {
            None if found == wanted => Self::Same,
            None => Self::Plain { plain, to: wanted.clone(), kernel: |from, _| Ok(ArrayRef::clone(from)) },
            Some(kernel) => Self::Plain { plain, to: wanted.clone(), kernel },
        })
    }

    /// Converts an array. Values under a null, in the array or in `outer`, are ignored.
    pub(super) fn convert(&self, array: &ArrayRef, outer: Option<&NullBuffer>) -> Result<ArrayRef, Halt> {
        match self {
            Self::Same => Ok(Arc::clone(array)),
            Self::Nulls(to) => Ok(new_null_array(to, array.len())),
            Self::Plain { plain, to, kernel } => {
                let plain = masked(made_plain(array, plain)?, outer)?;
                kernel(&plain, to).map_err(|stop| match stop {
                    Stop::Engine(error) => Halt::Engine(error),
                    Stop::Unfit(row, why) => {
                        Halt::Misfit(Misfit { row, path: String::new(), value: shown(array, row), why })
                    }
                })
            }
            Self::List { item, field } => {
                let (items, offsets, nulls) = lists(array, outer)?;
                let items = item.convert(&items, None).map_err(|halt| {
                    halt.inside(|misfit| {
                        let row = offsets.partition_point(|offset| *offset as usize <= misfit.row) - 1;
                        let path = format!("[{}]{}", misfit.row - offsets[row] as usize, misfit.path);
                        Misfit { row, path, ..misfit }
                    })
                })?;
                Ok(Arc::new(ListArray::try_new(Arc::clone(field), offsets, items, nulls)?))
            }
            Self::Struct { from, fields } => {
                let there = array.as_struct();
                let nulls = NullBuffer::union(there.nulls(), outer);
                let mut columns = Vec::with_capacity(fields.len());
                for ((n, way), field) in from.iter().zip(fields) {
                    let column = way.convert(there.column(*n), nulls.as_ref());
                    columns.push(column.map_err(|halt| {
                        halt.inside(|misfit| Misfit { path: format!(".{}{}", field.name(), misfit.path), ..misfit })
                    })?);
                }
                Ok(Arc::new(StructArray::try_new_with_length(fields.clone(), columns, nulls, array.len())?))
            }
        }
    }
}

impl Halt {
    fn inside(self, place: impl FnOnce(Misfit) -> Misfit) -> Self {
        match self {
            Self::Misfit(misfit) => Self::Misfit(place(misfit)),
            engine => engine,
        }
    }
}

impl Refused {
    fn inside(self, place: &str) -> Self {
        Self { path: format!("{place}{}", self.path), ..self }
    }
}

fn is_nested(found: &DataType) -> bool {
    found.is_nested() && !matches!(found, DataType::RunEndEncoded(..) | DataType::Dictionary(..))
        || matches!(found, DataType::Union(..))
}

fn cannot(found: &DataType, wanted: &DataType, instead: &str) -> String {
    let instead = if instead.is_empty() { String::new() } else { format!(": {instead}") };
    format!("is {found} in the query, which cannot become {}{instead}", described(wanted))
}

/// Returns a described type by the name that analysts know.
fn described(wanted: &DataType) -> String {
    match wanted {
        DataType::Utf8 => "string".into(),
        DataType::Int8 => "tinyint".into(),
        DataType::Int16 => "smallint".into(),
        DataType::Int32 => "int".into(),
        DataType::Int64 => "bigint".into(),
        DataType::Float32 => "float".into(),
        DataType::Float64 => "double".into(),
        DataType::Decimal128(precision, scale) => format!("decimal({precision},{scale})"),
        DataType::Date32 => "date".into(),
        DataType::Timestamp(..) => "timestamp".into(),
        DataType::Boolean => "boolean".into(),
        DataType::Binary => "binary".into(),
        DataType::List(item) => format!("array<{}>", described(item.data_type())),
        DataType::Struct(fields) => {
            let fields = fields.iter().map(|field| format!("{}:{}", field.name(), described(field.data_type())));
            format!("struct<{}>", fields.collect::<Vec<_>>().join(","))
        }
        other => other.to_string(),
    }
}

/// Returns the type whose kernels convert the values of `found`. It holds all of them, except decimals of more than 38
/// digits, which are checked.
fn plainer(found: &DataType, wanted: &DataType) -> DataType {
    use DataType::{
        Binary, BinaryView, Date64, Decimal32, Decimal64, Decimal128, Decimal256, Dictionary, FixedSizeBinary, Float16,
        Float32, Int8, Int16, Int32, Int64, LargeBinary, LargeUtf8, RunEndEncoded, Timestamp, UInt8, UInt16, UInt32,
        UInt64, Utf8, Utf8View,
    };
    match found {
        same if same == wanted => same.clone(),
        Dictionary(_, values) => plainer(values, wanted),
        RunEndEncoded(_, values) => plainer(values.data_type(), wanted),
        Int8 | Int16 | Int32 | UInt8 | UInt16 | UInt32 => Int64,
        UInt64 => Decimal128(20, 0),
        Float16 => Float32,
        Decimal32(precision, scale) | Decimal64(precision, scale) => Decimal128(*precision, *scale),
        Decimal256(_, scale) => Decimal128(38, (*scale).min(38)),
        Date64 => Timestamp(arrow::datatypes::TimeUnit::Millisecond, None),
        LargeUtf8 | Utf8View => Utf8,
        LargeBinary | BinaryView | FixedSizeBinary(_) => Binary,
        other => other.clone(),
    }
}

/// Returns the kernel that converts plain values, or `None` if they stay as they are. The error says what to write
/// instead.
fn kernel(plain: &DataType, wanted: &DataType) -> Result<Option<Kernel>, &'static str> {
    use DataType::{
        Binary, Boolean, Date32, Decimal128, Duration, Float32, Float64, Int8, Int16, Int32, Int64, Interval, Time32,
        Time64, Timestamp, Utf8,
    };
    let kernel: Kernel = match (plain, wanted) {
        (Int64, Int64) | (Float32, Float32) | (Float64, Float64) | (Boolean, Boolean) => return Ok(None),
        (Int8, Int8) | (Int16, Int16) | (Int32, Int32) | (Utf8, Utf8) | (Binary, Binary) => return Ok(None),
        (Int64, Int8 | Int16 | Int32) => number::whole_as_whole,
        (Int64, Float32 | Float64) => number::whole_as_double,
        (Int64, Decimal128(..)) => number::whole_as_decimal,
        (Decimal128(..), Int8 | Int16 | Int32 | Int64) => number::decimal_as_whole,
        (Decimal128(..), Float32 | Float64) => number::decimal_as_double,
        (Decimal128(..), Decimal128(..)) => number::decimal_as_decimal,
        (Float32 | Float64, Int8 | Int16 | Int32 | Int64) => number::double_as_whole,
        (Float32 | Float64, Float32 | Float64) => number::double_as_double,
        (Float32 | Float64, Decimal128(..)) => number::double_as_decimal,
        (Date32, Date32) => time::days,
        (Date32, Timestamp(..)) => time::day_as_point,
        (Timestamp(_, zone), Date32 | Timestamp(..)) if !is_utc(zone.as_deref()) => {
            return Err("`to_local_time(…)` gives what the clocks of its zone show");
        }
        (Timestamp(..), Date32) => time::point_as_day,
        (Timestamp(..), Timestamp(..)) => time::point_as_point,
        (Binary, Utf8) => text::of_bytes,
        (
            Int64 | Decimal128(..) | Float32 | Float64 | Boolean | Date32 | Timestamp(..) | Time32(_) | Time64(_)
            | Duration(_) | Interval(_),
            Utf8,
        ) => text::written,
        (Utf8, Binary) => return Err("`CAST(… AS BYTEA)` takes its bytes, `decode(…, 'base64')` what it spells"),
        (Utf8, to) => match text::reader(to) {
            Some(reader) => reader,
            None => return Err(""),
        },
        (Int64 | Decimal128(..) | Float32 | Float64, Date32) => {
            return Err("`to_date(CAST(… AS STRING), '%Y%m%d')` reads 20240131");
        }
        (Int64 | Decimal128(..) | Float32 | Float64, Timestamp(..)) => {
            return Err("`to_timestamp_seconds(…)` takes Unix seconds, `to_timestamp_millis(…)` milliseconds");
        }
        (Int64 | Decimal128(..) | Float32 | Float64, Boolean) => return Err("write `… <> 0`"),
        (Boolean, Int8 | Int16 | Int32 | Int64 | Float32 | Float64 | Decimal128(..)) => {
            return Err("write `CASE WHEN … THEN 1 WHEN NOT … THEN 0 END`");
        }
        (Date32 | Timestamp(..), Int8 | Int16 | Int32 | Int64 | Float32 | Float64 | Decimal128(..)) => {
            return Err("`date_part('epoch', …)` gives Unix seconds");
        }
        _ => return Err(""),
    };
    Ok(Some(kernel))
}

fn is_utc(zone: Option<&str>) -> bool {
    zone.is_none_or(|zone| matches!(zone, "UTC" | "Etc/UTC" | "Z" | "+00:00" | "+00" | "+0000"))
}

fn made_plain(array: &ArrayRef, plain: &DataType) -> Result<ArrayRef, Halt> {
    match array.data_type() {
        found if found == plain => Ok(Arc::clone(array)),
        DataType::Decimal256(..) => number::wide_decimal(array).map_err(|stop| match stop {
            Stop::Engine(error) => Halt::Engine(error),
            Stop::Unfit(row, why) => Halt::Misfit(Misfit { row, path: String::new(), value: shown(array, row), why }),
        }),
        _ => Ok(cast_with_options(array, plain, &CastOptions { safe: false, ..CastOptions::default() })?),
    }
}

/// Returns the array with nulls wherever an enclosing value is null.
fn masked(array: ArrayRef, outer: Option<&NullBuffer>) -> Result<ArrayRef, Halt> {
    match outer.filter(|nulls| nulls.null_count() > 0) {
        None => Ok(array),
        Some(outer) => {
            let nulls = NullBuffer::union(array.nulls(), Some(outer));
            Ok(make_array(array.to_data().into_builder().nulls(nulls).build()?))
        }
    }
}

type Lists = (ArrayRef, OffsetBuffer<i32>, Option<NullBuffer>);

/// Returns the items of lists of any layout, without those under a null, with the offsets and the nulls of the lists.
fn lists(array: &ArrayRef, outer: Option<&NullBuffer>) -> Result<Lists, Halt> {
    let nulls = NullBuffer::union(array.nulls(), outer);
    let null = |row: usize| nulls.as_ref().is_some_and(|nulls| nulls.is_null(row));
    let (items, parts): (&ArrayRef, Vec<(usize, usize)>) = match array.data_type() {
        DataType::LargeList(_) => {
            let lists = array.as_list::<i64>();
            let offsets = lists.offsets().windows(2).map(|ends| (ends[0] as usize, (ends[1] - ends[0]) as usize));
            (lists.values(), offsets.collect())
        }
        DataType::FixedSizeList(..) => {
            let lists: &FixedSizeListArray = array.as_fixed_size_list();
            let length = lists.value_length() as usize;
            (lists.values(), (0..lists.len()).map(|row| (row * length, length)).collect())
        }
        DataType::ListView(_) => {
            let lists = array.as_list_view::<i32>();
            let parts = lists.offsets().iter().zip(lists.sizes().iter());
            (lists.values(), parts.map(|(offset, size)| (*offset as usize, *size as usize)).collect())
        }
        DataType::LargeListView(_) => {
            let lists = array.as_list_view::<i64>();
            let parts = lists.offsets().iter().zip(lists.sizes().iter());
            (lists.values(), parts.map(|(offset, size)| (*offset as usize, *size as usize)).collect())
        }
        _ => {
            let lists = array.as_list::<i32>();
            let offsets = lists.offsets();
            if nulls.is_none() || (0..lists.len()).all(|row| !null(row) || offsets[row] == offsets[row + 1]) {
                let (first, last) = (offsets[0], offsets[lists.len()]);
                let items = lists.values().slice(first as usize, (last - first) as usize);
                let offsets = OffsetBuffer::new(offsets.iter().map(|offset| offset - first).collect());
                return Ok((items, offsets, nulls));
            }
            let offsets = offsets.windows(2).map(|ends| (ends[0] as usize, (ends[1] - ends[0]) as usize));
            (lists.values(), offsets.collect())
        }
    };
    let (mut places, mut offsets) = (Vec::new(), vec![0_i32]);
    for (row, (start, length)) in parts.into_iter().enumerate() {
        let length = if null(row) { 0 } else { length };
        places.extend((start..start + length).map(|place| place as u64));
        let unfit = |_| Misfit { row, path: String::new(), value: "a list".into(), why: Why::Items };
        offsets.push(i32::try_from(places.len()).map_err(unfit).map_err(Halt::Misfit)?);
    }
    Ok((take(items, &UInt64Array::from(places), None)?, OffsetBuffer::new(offsets.into()), nulls))
}

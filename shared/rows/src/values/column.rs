//! A column under construction: takes values as text and builds an Arrow array.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayBuilder, ArrayRef, BinaryBuilder, BooleanBuilder, Date32Builder, Decimal128Builder, Float32Builder,
    Float64Builder, Int8Builder, Int16Builder, Int32Builder, Int64Builder, ListArray, NullBufferBuilder, StringBuilder,
    StructArray,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{
    DataType, FieldRef, Fields, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
};
use arrow::error::ArrowError;
use contract::{ColumnType, FieldNames, Nan, TimestampUnit, Written};
use serde_json::value::RawValue;

use crate::json::nan::as_in_line;
use crate::json::split::{Names, Slot, Unexpected, split};
use crate::values::datetime::DatetimeFormat;
use crate::values::expected::Expected;
use crate::values::schema::arrow_type;
use crate::values::why::{Why, noted};
use crate::values::{number, scalar};

#[derive(Debug)]
pub(crate) struct ColumnBuilder {
    pub(crate) column_type: ColumnType,
    /// The format of dates and timestamps, if not the default.
    pub(crate) format: Option<DatetimeFormat>,
    /// How values are written in text, if not in the default way.
    pub(crate) written: Option<Box<Written>>,
    pub(crate) nan: Nan,
    /// Whether values are cells of a workbook: a date that is not a text cell comes as ISO 8601, not in `format`.
    pub(crate) of_cells: bool,
    pub(crate) values: Values,
}

#[derive(Debug)]
pub(crate) enum Values {
    String(StringBuilder),
    Int8(Int8Builder),
    Int16(Int16Builder),
    Int32(Int32Builder),
    Int64(Int64Builder),
    Float32(Float32Builder),
    Float64(Float64Builder),
    Decimal(Decimal128Builder),
    Date(Date32Builder),
    /// Counts of the unit since 1970-01-01 00:00:00.
    Timestamp(Int64Builder, TimestampUnit),
    Boolean(BooleanBuilder),
    Binary(BinaryBuilder),
    Struct(Box<StructValues>),
    List(Box<ListValues>),
}

#[derive(Debug)]
pub(crate) struct StructValues {
    pub(crate) fields: Fields,
    names: Names,
    slots: Vec<Slot>,
    pub(crate) children: Vec<ColumnBuilder>,
    pub(crate) valid: NullBufferBuilder,
}

#[derive(Debug)]
pub(crate) struct ListValues {
    item: FieldRef,
    pub(crate) items: ColumnBuilder,
    pub(crate) lengths: Vec<usize>,
    pub(crate) valid: NullBufferBuilder,
}

/// A text of a dialect, translated.
enum AsWritten<'a> {
    /// Stands for null.
    Null,
    /// The same value, as the default dialect writes it.
    Text(Cow<'a, str>),
}

/// A part of a value that is not as described.
pub(crate) enum Fault<'a> {
    /// The text is not a value of the type that is expected at the place.
    WrongType { place: Place<'a>, text: &'a str, expected: &'a dyn fmt::Display },
    /// An object has a field twice.
    Duplicate { place: Place<'a> },
    /// An object has a field that its type lacks.
    Unexpected { place: Place<'a> },
}

/// A place inside a column's value. It is displayed as `.field[3]`, and as nothing for the value itself.
#[derive(Clone, Copy)]
pub(crate) enum Place<'a> {
    Value,
    Field(&'a Place<'a>, &'a str),
    Item(&'a Place<'a>, usize),
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value => Ok(()),
            Self::Field(parent, name) => write!(f, "{parent}.{name}"),
            Self::Item(parent, n) => write!(f, "{parent}[{n}]"),
        }
    }
}

impl ColumnBuilder {
    pub(crate) fn new(column_type: &ColumnType) -> Self {
        let data_type = arrow_type(column_type);
        let values = match (column_type, &data_type) {
            (ColumnType::Int8, _) => Values::Int8(Int8Builder::new()),
            (ColumnType::Int16, _) => Values::Int16(Int16Builder::new()),
            (ColumnType::Int32, _) => Values::Int32(Int32Builder::new()),
            (ColumnType::Int64, _) => Values::Int64(Int64Builder::new()),
            (ColumnType::Float32, _) => Values::Float32(Float32Builder::new()),
            (ColumnType::Float64, _) => Values::Float64(Float64Builder::new()),
            (ColumnType::Decimal { .. }, _) => Values::Decimal(Decimal128Builder::new().with_data_type(data_type)),
            (ColumnType::Date, _) => Values::Date(Date32Builder::new()),
            (ColumnType::Timestamp(unit), _) => Values::Timestamp(Int64Builder::new(), *unit),
            (ColumnType::Boolean, _) => Values::Boolean(BooleanBuilder::new()),
            (ColumnType::Binary, _) => Values::Binary(BinaryBuilder::new()),
            (ColumnType::Struct(inner), DataType::Struct(fields)) => Values::Struct(Box::new(StructValues {
                fields: fields.clone(),
                names: Names::new(inner.iter().map(|(name, _)| name.as_str())),
                slots: vec![Slot::Absent; inner.len()],
                children: inner.iter().map(|(_, inner)| Self::new(inner)).collect(),
                valid: NullBufferBuilder::new(0),
            })),
            (ColumnType::List(inner), DataType::List(item)) => Values::List(Box::new(ListValues {
                item: Arc::clone(item),
                items: Self::new(inner),
                lengths: Vec::new(),
                valid: NullBufferBuilder::new(0),
            })),
            _ => Values::String(StringBuilder::new()),
        };
        Self {
            column_type: column_type.clone(),
            format: None,
            written: None,
            nan: Nan::Refuse,
            of_cells: false,
            values,
        }
    }

    /// Reads dates and timestamps in a format other than the default.
    pub(crate) fn with_format(self, format: Option<DatetimeFormat>) -> Self {
        Self { format, ..self }
    }

    /// Reads values as a dialect writes them.
    pub(crate) fn with_written(self, written: &Written) -> Self {
        Self { written: (*written != Written::default()).then(|| Box::new(written.clone())), ..self }
    }

    /// Finds the fields of structs, at every depth, by their names in the files.
    pub(crate) fn with_field_names(self, names: &FieldNames) -> Self {
        if names.is_empty() { self } else { self.with_field_names_at(names, "") }
    }

    fn with_field_names_at(mut self, names: &FieldNames, path: &str) -> Self {
        self.values = match self.values {
            Values::Struct(mut values) => {
                values.names = Names::new(values.fields.iter().map(|field| names.in_files(path, field.name())));
                let children = values.children.into_iter().zip(&values.fields);
                values.children = children
                    .map(|(child, field)| child.with_field_names_at(names, &FieldNames::path(path, field.name())))
                    .collect();
                Values::Struct(values)
            }
            Values::List(mut values) => {
                values.items = values.items.with_field_names_at(names, path);
                Values::List(values)
            }
            scalar => scalar,
        };
        self
    }

    /// Sets how NaN and the infinities are treated, at every depth.
    pub(crate) fn with_nan(mut self, nan: Nan) -> Self {
        self.nan = nan;
        self.values = match self.values {
            Values::Struct(mut values) => {
                values.children = values.children.into_iter().map(|child| child.with_nan(nan)).collect();
                Values::Struct(values)
            }
            Values::List(mut values) => {
                values.items = values.items.with_nan(nan);
                Values::List(values)
            }
            scalar => scalar,
        };
        self
    }

    /// Appends NaN or an infinity as `nan` says. Returns `None` if the column does not accept it.
    pub(crate) fn append_nan(&mut self, number: f64) -> Option<()> {
        match (&mut self.values, self.nan) {
            (Values::Float32(_) | Values::Float64(_), Nan::Null) => self.append_null(),
            (Values::Float32(values), Nan::Keep) => values.append_value(number as f32),
            (Values::Float64(values), Nan::Keep) => values.append_value(number),
            _ => return None,
        }
        Some(())
    }

    /// Appends the value of a JSON text, which must be valid JSON. If it is not a value of the type, appends null,
    /// reports it and returns false.
    pub(crate) fn append(&mut self, json: &str, place: Place<'_>, tell: &mut dyn FnMut(Fault<'_>)) -> bool {
        if json == "null" {
            self.append_null();
            return true;
        }
        let mut why = Why::Other;
        let fits = match &mut self.values {
            Values::String(values) => scalar::text(json).map(|value| values.append_value(value)),
            Values::Int8(values) => number::integer(json).map(|value| values.append_value(value)),
            Values::Int16(values) => number::integer(json).map(|value| values.append_value(value)),
            Values::Int32(values) => number::integer(json).map(|value| values.append_value(value)),
            Values::Int64(values) => number::integer(json).map(|value| values.append_value(value)),
            Values::Float32(values) => number::float(json).map(|value| values.append_value(value)),
            Values::Float64(values) => number::double(json).map(|value| values.append_value(value)),
            Values::Decimal(values) => match self.column_type {
                ColumnType::Decimal { precision, scale } => {
                    scalar::decimal(json, precision, scale).map(|value| values.append_value(value))
                }
                _ => None,
            },
            Values::Date(values) => {
                let day = noted(scalar::date(json, self.format.as_ref()), &mut why);
                day.map(|value| values.append_value(value))
            }
            Values::Timestamp(values, unit) => {
                let point = noted(scalar::timestamp(json, self.format.as_ref(), *unit), &mut why);
                point.map(|value| values.append_value(value))
            }
            Values::Boolean(values) => scalar::boolean(json).map(|value| values.append_value(value)),
            Values::Binary(values) => scalar::binary(json).map(|value| values.append_value(value)),
            Values::Struct(values) => values.append(json, place, tell),
            Values::List(values) => values.append(json, place, tell),
        };
        let fits = fits.or_else(|| self.append_text(json));
        if fits.is_none() {
            self.append_unfit(why, as_in_line(json), place, tell);
        }
        fits.is_some()
    }

    /// Appends the value of a JSON text that fits only by the dialect: NaN, or a string that stands for a number, a
    /// boolean or null.
    fn append_text(&mut self, json: &str) -> Option<()> {
        let is_float = matches!(self.values, Values::Float32(_) | Values::Float64(_));
        if is_float && let Some(number) = number::nan(as_in_line(json)) {
            return self.append_nan(number);
        }
        let is_text = matches!(self.values, Values::String(_) | Values::Binary(_));
        let is_nested = matches!(self.values, Values::Struct(_) | Values::List(_));
        if is_text || is_nested || self.written.is_none() && !(is_float && self.nan != Nan::Refuse) {
            return None;
        }
        let text = scalar::text(json)?;
        match self.as_written(&text, true)? {
            AsWritten::Null => {
                self.append_null();
                Some(())
            }
            AsWritten::Text(plain) => self.take_field(&plain, &mut Why::Other),
        }
    }

    /// Appends null in place of a text that is not a value of the type, and reports it.
    pub(crate) fn append_unfit(&mut self, why: Why, text: &str, place: Place<'_>, tell: &mut dyn FnMut(Fault<'_>)) {
        self.append_null();
        let expected = Expected { column_type: &self.column_type, format: self.format.as_ref(), why };
        tell(Fault::WrongType { place, text, expected: &expected });
    }

    /// Like [`Self::append`], but takes the field of a CSV record. Values are written as in JSON, except that strings
    /// have no quotes and escapes, numbers are read by [`number::number`], and `true` and `false` may have any letter
    /// case. A struct or an array is JSON.
    pub(crate) fn append_field(&mut self, text: &str, place: Place<'_>, tell: &mut dyn FnMut(Fault<'_>)) -> bool {
        let mut why = Why::Other;
        let fits = match &mut self.values {
            Values::String(values) => {
                values.append_value(text);
                return true;
            }
            Values::Struct(values) => scalar::nested(text).and_then(|json| values.append(json, place, tell)),
            Values::List(values) => scalar::nested(text).and_then(|json| values.append(json, place, tell)),
            _ => self.take_field(text, &mut why),
        };
        if fits.is_none() {
            self.append_unfit(why, text, place, tell);
        }
        fits.is_some()
    }

    /// Appends the scalar that a field's text stands for. Returns `None` if it is not a value of the type.
    #[inline(always)]
    fn take_field(&mut self, text: &str, why: &mut Why) -> Option<()> {
        let number = || number::number(text);
        let format = self.format.as_ref();
        match &mut self.values {
            Values::String(values) => {
                values.append_value(text);
                Some(())
            }
            Values::Int8(values) => number().and_then(number::integer).map(|value| values.append_value(value)),
            Values::Int16(values) => number().and_then(number::integer).map(|value| values.append_value(value)),
            Values::Int32(values) => number().and_then(number::integer).map(|value| values.append_value(value)),
            Values::Int64(values) => number().and_then(number::integer).map(|value| values.append_value(value)),
            Values::Float32(values) => {
                if let Some(value) = number().and_then(number::float) {
                    values.append_value(value);
                    return Some(());
                }
                number::nan(text).and_then(|number| self.append_nan(number))
            }
            Values::Float64(values) => {
                if let Some(value) = number().and_then(number::double) {
                    values.append_value(value);
                    return Some(());
                }
                number::nan(text).and_then(|number| self.append_nan(number))
            }
            Values::Decimal(values) => match self.column_type {
                ColumnType::Decimal { precision, scale } => {
                    number::decimal_of(text, precision, scale).map(|value| values.append_value(value))
                }
                _ => None,
            },
            Values::Date(values) => {
                let day = match scalar::date_of(text, format) {
                    Err(_) if self.of_cells => scalar::date_of(text, None),
                    day => day,
                };
                noted(day, why).map(|value| values.append_value(value))
            }
            Values::Timestamp(values, unit) => {
                let point = match scalar::timestamp_of(text, format, *unit) {
                    Err(_) if self.of_cells => scalar::timestamp_of(text, None, *unit),
                    point => point,
                };
                noted(point, why).map(|value| values.append_value(value))
            }
            Values::Boolean(values) => scalar::boolean_of(text).map(|value| values.append_value(value)),
            Values::Binary(values) => scalar::binary_of(text).map(|value| values.append_value(value)),
            Values::Struct(_) | Values::List(_) => None,
        }
    }

    /// Appends a large number of a workbook, which Excel may have rounded. Only a floating-point column accepts it.
    pub(crate) fn append_rounded(&mut self, text: &str, place: Place<'_>, tell: &mut dyn FnMut(Fault<'_>)) -> bool {
        if matches!(self.values, Values::Float32(_) | Values::Float64(_)) {
            return self.append_field(text, place, tell);
        }
        self.append_unfit(Why::CellRounded, text, place, tell);
        false
    }

    /// Appends a workbook cell that holds an error. It is a misfit, unless the dialect lists it as a null value.
    pub(crate) fn append_error(&mut self, text: &str, place: Place<'_>, tell: &mut dyn FnMut(Fault<'_>)) -> bool {
        if matches!(self.as_written(text, false), Some(AsWritten::Null)) {
            self.append_null();
            return true;
        }
        self.append_unfit(Why::CellError, text, place, tell);
        false
    }

    /// Like [`Self::append_field`], but for values as a dialect writes them.
    pub(crate) fn append_written(
        &mut self,
        text: &str,
        quoted: bool,
        place: Place<'_>,
        tell: &mut dyn FnMut(Fault<'_>),
    ) -> bool {
        match self.as_written(text, quoted) {
            Some(AsWritten::Null) => self.append_null(),
            Some(AsWritten::Text(plain)) => {
                // report the text as it is in the file
                let mut tell = |fault: Fault<'_>| match fault {
                    Fault::WrongType { place: Place::Value, expected, .. } => {
                        tell(Fault::WrongType { place, text, expected });
                    }
                    fault => tell(fault),
                };
                return self.append_field(&plain, place, &mut tell);
            }
            None => {
                self.append_unfit(Why::Other, text, place, tell);
                return false;
            }
        }
        true
    }

    /// Translates a text of the dialect into the default one. Returns `None` if it is not a value.
    fn as_written<'a>(&self, text: &'a str, quoted: bool) -> Option<AsWritten<'a>> {
        let Some(written) = &self.written else { return Some(AsWritten::Text(text.into())) };
        let is_text = matches!(self.values, Values::String(_));
        if written.null_values.iter().any(|null| null == text) && !(quoted && is_text) {
            return Some(AsWritten::Null);
        }
        Some(AsWritten::Text(match &self.values {
            Values::Int8(_)
            | Values::Int16(_)
            | Values::Int32(_)
            | Values::Int64(_)
            | Values::Float32(_)
            | Values::Float64(_)
            | Values::Decimal(_) => match number::nan(text) {
                Some(_) => text.into(),
                None => number::plain_number(text, written)?,
            },
            Values::Boolean(_) => {
                let (yes, no) = (&written.true_values, &written.false_values);
                let is_one = |values: &[String]| values.iter().any(|value| value == text);
                if is_one(yes) {
                    "true".into()
                } else if is_one(no) {
                    "false".into()
                } else if yes.is_empty() && text.eq_ignore_ascii_case("true")
                    || no.is_empty() && text.eq_ignore_ascii_case("false")
                {
                    text.into()
                } else {
                    return None;
                }
            }
            _ => text.into(),
        }))
    }

    /// Whether the empty text is a value, and not null.
    pub(crate) fn has_empty_value(&self) -> bool {
        matches!(self.values, Values::String(_) | Values::Binary(_))
    }

    /// Appends a string without quotes and escapes, if this is a string column. Returns whether it is.
    pub(crate) fn append_plain(&mut self, text: &str) -> bool {
        match &mut self.values {
            Values::String(values) => {
                values.append_value(text);
                true
            }
            _ => false,
        }
    }

    pub(crate) fn append_null(&mut self) {
        match &mut self.values {
            Values::String(values) => values.append_null(),
            Values::Int8(values) => values.append_null(),
            Values::Int16(values) => values.append_null(),
            Values::Int32(values) => values.append_null(),
            Values::Int64(values) => values.append_null(),
            Values::Float32(values) => values.append_null(),
            Values::Float64(values) => values.append_null(),
            Values::Decimal(values) => values.append_null(),
            Values::Date(values) => values.append_null(),
            Values::Timestamp(values, _) => values.append_null(),
            Values::Boolean(values) => values.append_null(),
            Values::Binary(values) => values.append_null(),
            Values::Struct(values) => {
                values.children.iter_mut().for_each(Self::append_null);
                values.valid.append_null();
            }
            Values::List(values) => {
                values.lengths.push(0);
                values.valid.append_null();
            }
        }
    }

    /// Returns the values so far. The next ones begin a new array.
    pub(crate) fn finish(&mut self) -> Result<ArrayRef, ArrowError> {
        Ok(match &mut self.values {
            Values::String(values) => {
                let array = StringBuilder::finish(values);
                // the next batch is most likely as large, and a buffer that grows step by step copies its values again
                // and again
                let bytes = array.value_data().len();
                *values = StringBuilder::with_capacity(Array::len(&array), bytes + bytes / 8);
                Arc::new(array)
            }
            Values::Int8(values) => ArrayBuilder::finish(values),
            Values::Int16(values) => ArrayBuilder::finish(values),
            Values::Int32(values) => ArrayBuilder::finish(values),
            Values::Int64(values) => ArrayBuilder::finish(values),
            Values::Float32(values) => ArrayBuilder::finish(values),
            Values::Float64(values) => ArrayBuilder::finish(values),
            Values::Decimal(values) => ArrayBuilder::finish(values),
            Values::Date(values) => ArrayBuilder::finish(values),
            Values::Timestamp(values, unit) => {
                let values = Int64Builder::finish(values);
                match unit {
                    TimestampUnit::Millisecond => Arc::new(values.reinterpret_cast::<TimestampMillisecondType>()),
                    TimestampUnit::Microsecond => Arc::new(values.reinterpret_cast::<TimestampMicrosecondType>()),
                    TimestampUnit::Nanosecond => Arc::new(values.reinterpret_cast::<TimestampNanosecondType>()),
                }
            }
            Values::Boolean(values) => ArrayBuilder::finish(values),
            Values::Binary(values) => ArrayBuilder::finish(values),
            Values::Struct(values) => {
                let children: Result<Vec<_>, _> = values.children.iter_mut().map(Self::finish).collect();
                Arc::new(StructArray::try_new(values.fields.clone(), children?, values.valid.finish())?)
            }
            Values::List(values) => {
                let offsets = OffsetBuffer::from_lengths(std::mem::take(&mut values.lengths));
                let items = values.items.finish()?;
                Arc::new(ListArray::try_new(Arc::clone(&values.item), offsets, items, values.valid.finish())?)
            }
        })
    }
}

impl StructValues {
    /// Returns `None` if the text is not an object.
    fn append(&mut self, json: &str, place: Place<'_>, tell: &mut dyn FnMut(Fault<'_>)) -> Option<()> {
        let mut unexpected = |unexpected: Unexpected<'_>| match unexpected {
            Unexpected::Name(name) => tell(Fault::Unexpected { place: Place::Field(&place, name) }),
            Unexpected::Value(_) => {}
        };
        if !json.starts_with('{') {
            return None;
        }
        split(json, &mut self.names, &mut self.slots, &mut unexpected).ok()?;
        for ((child, slot), field) in self.children.iter_mut().zip(&self.slots).zip(&self.fields) {
            let place = Place::Field(&place, field.name());
            match slot {
                Slot::Value(range) => drop(child.append(&json[range.clone()], place, tell)),
                Slot::Text(range) => drop(child.append(&json[(range.start - 1)..=range.end], place, tell)),
                Slot::Absent => child.append_null(),
                Slot::Twice => {
                    child.append_null();
                    tell(Fault::Duplicate { place });
                }
            }
        }
        self.valid.append_non_null();
        Some(())
    }
}

impl ListValues {
    /// Returns `None` if the text is not an array.
    fn append(&mut self, json: &str, place: Place<'_>, tell: &mut dyn FnMut(Fault<'_>)) -> Option<()> {
        if !json.starts_with('[') {
            return None;
        }
        let items: Vec<&RawValue> = serde_json::from_str(json).ok()?;
        for (n, item) in items.iter().enumerate() {
            self.items.append(item.get(), Place::Item(&place, n), tell);
        }
        self.lengths.push(items.len());
        self.valid.append_non_null();
        Some(())
    }
}

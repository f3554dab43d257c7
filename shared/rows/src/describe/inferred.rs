//! The type of an undescribed column: the narrowest one that reads all of its values. Keeps types only, never a value,
//! and its size is bounded whatever the file contains.

use std::fmt;

use contract::key::described_name;
use contract::{ColumnType, FieldNames, TimestampUnit};
use serde::de::{Deserializer as _, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::values::{number, scalar, time};

/// The type of the values seen so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inferred {
    /// The type and the names of fields that the file declares, if its format does so. Values are then ignored.
    declared: Option<(Option<ColumnType>, FieldNames)>,
    root: Seen,
    /// Fields and items kept so far.
    nodes: usize,
}

/// The most fields and items of one column, at any depth, that are examined.
const MAXIMUM_NODES: usize = 200;
/// The deepest level that is examined: each one scans its text once more.
const MAXIMUM_DEPTH: usize = 8;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Seen {
    null: bool,
    kind: Kind,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Kind {
    /// Nothing but null.
    #[default]
    Nothing,
    Boolean,
    Number(Number),
    Date,
    /// In the finest unit of them.
    Timestamp(TimestampUnit),
    Text,
    Struct(Vec<(String, Seen)>),
    List(Box<Seen>),
    /// Values that no single type reads, or a structure beyond the limits.
    Mixed,
}

/// What the numbers have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Number {
    kind: NumberKind,
    /// The most digits before the point.
    whole: usize,
    /// The most digits after the point.
    scale: usize,
}

/// From narrow to wide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum NumberKind {
    Int32,
    Int64,
    /// Whole, and beyond 64 bits.
    Large,
    /// With a fraction, and a double prints it as it was written.
    Double,
    /// With more digits than a double keeps.
    Exact,
    /// With an exponent, so that the number of digits is unknown.
    Exponent,
}

impl Inferred {
    /// Describes a column whose file declares its type.
    pub(crate) fn declared(column_type: Option<ColumnType>, names: FieldNames, nullable: bool) -> Self {
        let root = Seen { null: nullable, ..Seen::default() };
        Self { declared: Some((column_type, names)), root, nodes: 0 }
    }

    /// Returns the narrowest type that reads every value, or string if all of them were null. Returns `None` if there
    /// is no such type, or if metadata cannot name it.
    pub fn column_type(&self) -> Option<ColumnType> {
        let declared = self.declared.as_ref().map(|(column_type, _)| column_type.clone());
        declared.unwrap_or_else(|| self.root.column_type())
    }

    /// Returns the names in the file of the fields of [`Self::column_type`].
    pub fn field_names(&self) -> FieldNames {
        if let Some((_, names)) = &self.declared {
            return names.clone();
        }
        let mut names = FieldNames::default();
        self.root.name_fields("", &mut names);
        names
    }

    /// Whether a value was null, or the file declares that it may be.
    pub fn saw_null(&self) -> bool {
        self.root.null
    }

    /// Takes a value's JSON text into account.
    pub(crate) fn see(&mut self, json: &str) {
        self.root.see(json, &mut self.nodes, 0);
    }

    /// Takes a field of a CSV file into account. Its text may look like a value of another type.
    pub(crate) fn see_field(&mut self, text: &str, quoted: bool) {
        self.root.see_field(text, quoted);
    }
}

impl Seen {
    fn column_type(&self) -> Option<ColumnType> {
        Some(match &self.kind {
            Kind::Nothing | Kind::Text => ColumnType::String,
            Kind::Boolean => ColumnType::Boolean,
            Kind::Number(number) => number.column_type(),
            Kind::Date => ColumnType::Date,
            Kind::Timestamp(unit) => ColumnType::Timestamp(*unit),
            Kind::Struct(fields) => {
                if fields.is_empty() {
                    return None;
                }
                let names = described_fields(fields.iter().map(|(name, _)| name.as_str()));
                let types = names.into_iter().zip(fields).map(|(name, (_, seen))| Some((name, seen.column_type()?)));
                ColumnType::Struct(types.collect::<Option<_>>()?)
            }
            Kind::List(item) => ColumnType::List(Box::new(item.column_type()?)),
            Kind::Mixed => return None,
        })
    }

    fn name_fields(&self, path: &str, names: &mut FieldNames) {
        match &self.kind {
            Kind::List(item) => item.name_fields(path, names),
            Kind::Struct(fields) => name_each(fields, path, names, Self::name_fields),
            _ => {}
        }
    }

    fn see(&mut self, json: &str, nodes: &mut usize, depth: usize) {
        match json.as_bytes().first() {
            Some(b'n') => self.null = true,
            Some(b't' | b'f') => self.become_or_mix(Kind::Boolean),
            Some(b'"') => self.see_text(json),
            Some(b'{' | b'[') if depth == MAXIMUM_DEPTH => self.kind = Kind::Mixed,
            Some(b'{') => {
                if self.kind == Kind::Nothing {
                    self.kind = Kind::Struct(Vec::new());
                }
                let Kind::Struct(fields) = &mut self.kind else { return self.kind = Kind::Mixed };
                // the text has been parsed as JSON before, so this does not fail
                let _ = serde_json::Deserializer::from_str(json).deserialize_map(Fields { fields, nodes, depth });
                if *nodes >= MAXIMUM_NODES {
                    self.kind = Kind::Mixed;
                }
            }
            Some(b'[') => {
                if self.kind == Kind::Nothing {
                    *nodes += 1;
                    self.kind = Kind::List(Box::default());
                }
                let Kind::List(item) = &mut self.kind else { return self.kind = Kind::Mixed };
                let _ = serde_json::Deserializer::from_str(json).deserialize_seq(Items { item, nodes, depth });
            }
            _ => {
                let seen = Number::of(json);
                match &mut self.kind {
                    Kind::Number(number) => number.widen(seen),
                    kind @ Kind::Nothing => *kind = Kind::Number(seen),
                    kind => *kind = Kind::Mixed,
                }
            }
        }
    }

    fn see_text(&mut self, json: &str) {
        self.kind = match &self.kind {
            Kind::Text => return,
            kind @ (Kind::Nothing | Kind::Date | Kind::Timestamp(_)) => {
                let seen = scalar::text(json).map_or(Kind::Text, |text| time_of(&text, kind));
                if *kind == Kind::Nothing { seen } else { together(kind, seen) }
            }
            _ => Kind::Mixed,
        };
    }

    fn see_field(&mut self, text: &str, quoted: bool) {
        if text.is_empty() && !quoted {
            self.null = true;
            return;
        }
        if self.kind == Kind::Text {
            return;
        }
        let seen = if let Some(number) = number::number(text) {
            Kind::Number(Number::of(number))
        } else if scalar::boolean_of(text).is_some() {
            Kind::Boolean
        } else {
            time_of(text, &self.kind)
        };
        match (&mut self.kind, seen) {
            (Kind::Number(number), Kind::Number(other)) => number.widen(other),
            (kind @ Kind::Nothing, seen) => *kind = seen,
            // every field can be read as text
            (kind, seen) => *kind = together(kind, seen),
        }
    }

    fn become_or_mix(&mut self, kind: Kind) {
        self.kind = if self.kind == Kind::Nothing || self.kind == kind { kind } else { Kind::Mixed };
    }
}

/// Returns the names of a struct's fields in its type: their own, or derived ones where the type cannot have them.
pub(crate) fn described_fields<'a>(names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut described: Vec<String> = Vec::new();
    for name in names {
        let taken = |name: &str| described.iter().any(|other| other.eq_ignore_ascii_case(name));
        // Glue has all names in lower case, also inside structs
        let is_word = |c: char| c.is_alphanumeric() && !c.is_uppercase() || c == '_';
        let is_word = !name.is_empty() && name.chars().all(is_word);
        let name = if is_word && !taken(name) { name.to_owned() } else { described_name(name, taken) };
        described.push(name);
    }
    described
}

/// Adds the name in the file of each field whose name in the type differs, and of the fields inside it.
pub(crate) fn name_each<T>(
    fields: &[(String, T)],
    path: &str,
    names: &mut FieldNames,
    inside: impl Fn(&T, &str, &mut FieldNames),
) {
    let described = described_fields(fields.iter().map(|(name, _)| name.as_str()));
    for (described, (name, field)) in described.iter().zip(fields) {
        let path = FieldNames::path(path, described);
        inside(field, &path, names);
        if name != described {
            names.insert(path, name.clone());
        }
    }
}

/// Returns whether a text is a day, a point in time or any other text. A point in time is read in the unit of a `known`
/// one, or a finer one.
fn time_of(text: &str, known: &Kind) -> Kind {
    use TimestampUnit::{Microsecond, Millisecond, Nanosecond};
    if time::is_day(text) {
        return Kind::Date;
    }
    let known = if let Kind::Timestamp(unit) = known { *unit } else { Millisecond };
    let units = [Millisecond, Microsecond, Nanosecond].into_iter().filter(|unit| *unit >= known);
    let unit = units.into_iter().find(|unit| scalar::timestamp_of(text, None, *unit).is_ok());
    unit.map_or(Kind::Text, Kind::Timestamp)
}

/// Returns the kind that reads both of two texts.
fn together(one: &Kind, other: Kind) -> Kind {
    match (one, other) {
        (Kind::Timestamp(one), Kind::Timestamp(other)) => Kind::Timestamp(other.max(*one)),
        (one, other) if *one == other => other,
        _ => Kind::Text,
    }
}

impl Number {
    fn of(json: &str) -> Self {
        let digits = json.trim_start_matches('-');
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let has_exponent = json.contains(['e', 'E']);
        let kind = if has_exponent {
            NumberKind::Exponent
        } else if !json.contains('.') {
            match (json.parse::<i32>(), json.parse::<i64>()) {
                (Ok(_), _) => NumberKind::Int32,
                (_, Ok(_)) => NumberKind::Int64,
                _ => NumberKind::Large,
            }
        } else {
            let printed = json.parse::<f64>().unwrap_or_default().to_string();
            let written = json.trim_end_matches('0').trim_end_matches('.');
            if printed == written { NumberKind::Double } else { NumberKind::Exact }
        };
        Self { kind, whole: whole.len(), scale: if has_exponent { 0 } else { fraction.len() } }
    }

    fn widen(&mut self, other: Self) {
        self.kind = self.kind.max(other.kind);
        self.whole = self.whole.max(other.whole);
        self.scale = self.scale.max(other.scale);
    }

    fn column_type(self) -> ColumnType {
        let digits = self.whole + self.scale;
        match self.kind {
            NumberKind::Int32 => ColumnType::Int32,
            NumberKind::Int64 => ColumnType::Int64,
            NumberKind::Large | NumberKind::Exact if digits <= 38 => {
                ColumnType::Decimal { precision: digits as u8, scale: self.scale as u8 }
            }
            _ => ColumnType::Float64,
        }
    }
}

struct Fields<'a> {
    fields: &'a mut Vec<(String, Seen)>,
    nodes: &'a mut usize,
    depth: usize,
}

impl<'de> Visitor<'de> for Fields<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some((name, value)) = map.next_entry::<String, &'de RawValue>()? {
            let place = match self.fields.iter().position(|(other, _)| *other == name) {
                Some(place) => place,
                None if *self.nodes >= MAXIMUM_NODES => continue,
                None => {
                    *self.nodes += 1;
                    self.fields.push((name, Seen::default()));
                    self.fields.len() - 1
                }
            };
            self.fields[place].1.see(value.get(), self.nodes, self.depth + 1);
        }
        Ok(())
    }
}

struct Items<'a> {
    item: &'a mut Seen,
    nodes: &'a mut usize,
    depth: usize,
}

impl<'de> Visitor<'de> for Items<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while let Some(value) = items.next_element::<&'de RawValue>()? {
            self.item.see(value.get(), self.nodes, self.depth + 1);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;

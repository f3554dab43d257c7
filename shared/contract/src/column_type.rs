//! The type of a column: one type for the names in both metadata formats (etl_manager and mojap-metadata) and for the
//! Glue type that Athena uses.

use std::fmt;

use crate::FieldNames;
use crate::problem::suggestion;

/// The metadata format that a type name is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// etl_manager: `character`, `long`, `datetime`, …
    EtlManager,
    /// mojap-metadata: `string`, `int64`, `timestamp(ms)`, …
    Mojap,
}

/// A column's type, limited to what Glue and Athena can hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ColumnType {
    /// Text.
    String,
    /// 8-bit integer.
    Int8,
    /// 16-bit integer.
    Int16,
    /// 32-bit integer.
    Int32,
    /// 64-bit integer.
    Int64,
    /// 32-bit floating point.
    Float32,
    /// 64-bit floating point.
    Float64,
    /// Exact decimal.
    Decimal {
        /// The number of all digits, 1 to 38.
        precision: u8,
        /// The number of digits after the point, at most `precision`.
        scale: u8,
    },
    /// Calendar date.
    Date,
    /// Point in time without a time zone.
    Timestamp(TimestampUnit),
    /// True or false.
    Boolean,
    /// Bytes.
    Binary,
    /// Named fields in order.
    Struct(Vec<(String, ColumnType)>),
    /// Any number of values of one type.
    List(Box<ColumnType>),
}

/// The resolution of a timestamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TimestampUnit {
    /// Thousandths of a second.
    Millisecond,
    /// Millionths of a second.
    Microsecond,
    /// Billionths of a second. The range is limited to 1677-09-21 to 2262-04-11.
    Nanosecond,
}

impl TimestampUnit {
    /// The number of decimals of a second.
    pub fn decimals(self) -> usize {
        match self {
            Self::Millisecond => 3,
            Self::Microsecond => 6,
            Self::Nanosecond => 9,
        }
    }

    /// The number of units in a second.
    pub fn per_second(self) -> i64 {
        10_i64.pow(self.decimals() as u32)
    }

    /// The name of one unit.
    pub fn noun(self) -> &'static str {
        match self {
            Self::Millisecond => "millisecond",
            Self::Microsecond => "microsecond",
            Self::Nanosecond => "nanosecond",
        }
    }
}

pub(crate) const ETL_MANAGER: &[&str] = &[
    "character",
    "int",
    "long",
    "float",
    "double",
    "decimal(p,s)",
    "date",
    "datetime",
    "timestamp(us)",
    "timestamp(ns)",
    "boolean",
    "binary",
    "struct<name:type,…>",
    "array<type>",
];
pub(crate) const MOJAP: &[&str] = &[
    "string",
    "int8",
    "int16",
    "int32",
    "int64",
    "uint8",
    "uint16",
    "uint32",
    "float16",
    "float32",
    "float64",
    "decimal128(p,s)",
    "date32",
    "date64",
    "timestamp(ms)",
    "timestamp(us)",
    "timestamp(ns)",
    "bool",
    "bool_",
    "binary",
    "utf8",
    "large_string",
    "large_utf8",
    "large_binary",
    "struct<name:type,…>",
    "list<type>",
    "large_list<type>",
];
/// Type names that people know from other systems, with the name in each dialect: (foreign, etl_manager,
/// mojap-metadata).
const ALIASES: &[(&str, &str, &str)] = &[
    ("string", "character", "string"),
    ("character", "character", "string"),
    ("varchar", "character", "string"),
    ("text", "character", "string"),
    ("utf8", "character", "utf8"),
    ("str", "character", "string"),
    ("integer", "int", "int32"),
    ("int", "int", "int32"),
    ("int32", "int", "int32"),
    ("int64", "long", "int64"),
    ("long", "long", "int64"),
    ("bigint", "long", "int64"),
    ("float32", "float", "float32"),
    ("float64", "double", "float64"),
    ("double", "double", "float64"),
    ("float", "float", "float32"),
    ("decimal", "decimal(p,s)", "decimal128(p,s)"),
    ("numeric", "decimal(p,s)", "decimal128(p,s)"),
    ("timestamp", "datetime", "timestamp(ms)"),
    ("datetime", "datetime", "timestamp(ms)"),
    ("date", "date", "date32"),
    ("date32", "date", "date32"),
    ("bool", "boolean", "bool"),
    ("boolean", "boolean", "bool"),
    ("list", "array<type>", "list<type>"),
    ("array", "array<type>", "list<type>"),
];

impl ColumnType {
    /// Parses a type name of the given metadata format.
    ///
    /// # Errors
    /// Returns a message that says what is wrong and suggests the nearest valid name.
    ///
    /// ```
    /// use contract::{ColumnType, Dialect};
    ///
    /// let parsed = ColumnType::parse("list<decimal128(10,2)>", Dialect::Mojap)?;
    /// assert_eq!(parsed.glue(), "array<decimal(10,2)>");
    /// # Ok::<(), String>(())
    /// ```
    pub fn parse(text: &str, dialect: Dialect) -> Result<Self, String> {
        let mut parser = Parser { rest: text.trim(), dialect, depth: 0 };
        let parsed = parser.column_type()?;
        match parser.rest.trim() {
            "" => Ok(parsed),
            rest => Err(format!("`{rest}` after the end of the type in `{text}`")),
        }
    }

    /// Returns the type of a mojap-metadata `type_category`, which is used if a column has no `type`.
    ///
    /// # Errors
    /// Fails for an unknown category, and lists the valid ones. Fails for a category whose fields cannot be guessed.
    pub fn of_category(category: &str) -> Result<Self, String> {
        match category {
            "integer" => Ok(Self::Int64),
            "float" => Ok(Self::Float64),
            "string" => Ok(Self::String),
            "timestamp" | "datetime" => Ok(Self::Timestamp(TimestampUnit::Millisecond)),
            "binary" => Ok(Self::Binary),
            "boolean" => Ok(Self::Boolean),
            "struct" | "list" => {
                Err(format!("type_category `{category}` needs a `type`: its fields cannot be guessed"))
            }
            other => {
                let valid = ["integer", "float", "string", "timestamp", "binary", "boolean"];
                Err(format!("unknown type_category `{other}`{}", suggestion(other, &valid)))
            }
        }
    }

    /// Returns the name in the Glue Data Catalog.
    pub fn glue(&self) -> String {
        match self {
            Self::String => "string".into(),
            Self::Int8 => "tinyint".into(),
            Self::Int16 => "smallint".into(),
            Self::Int32 => "int".into(),
            Self::Int64 => "bigint".into(),
            Self::Float32 => "float".into(),
            Self::Float64 => "double".into(),
            Self::Decimal { precision, scale } => format!("decimal({precision},{scale})"),
            Self::Date => "date".into(),
            Self::Timestamp(_) => "timestamp".into(),
            Self::Boolean => "boolean".into(),
            Self::Binary => "binary".into(),
            Self::Struct(fields) => {
                let fields: Vec<_> = fields.iter().map(|(name, inner)| format!("{name}:{}", inner.glue())).collect();
                format!("struct<{}>", fields.join(","))
            }
            Self::List(inner) => format!("array<{}>", inner.glue()),
        }
    }

    /// Returns the paths of the fields, grouped by struct: see [`crate::FieldNames`].
    pub fn fields(&self) -> Vec<Vec<String>> {
        let mut found = Vec::new();
        self.fields_at("", &mut found);
        found
    }

    fn fields_at(&self, path: &str, found: &mut Vec<Vec<String>>) {
        match self {
            Self::List(item) => item.fields_at(path, found),
            Self::Struct(fields) => {
                found.push(fields.iter().map(|(name, _)| FieldNames::path(path, name)).collect());
                fields.iter().for_each(|(name, inner)| inner.fields_at(&FieldNames::path(path, name), found));
            }
            _ => {}
        }
    }

    /// Returns the name in a metadata format, which [`ColumnType::parse`] reads back. etl_manager has no integers below
    /// 32 bits, so these become wider.
    pub fn name(&self, dialect: Dialect) -> String {
        let etl_manager = dialect == Dialect::EtlManager;
        let of = |etl: &str, mojap: &str| if etl_manager { etl.to_owned() } else { mojap.to_owned() };
        match self {
            Self::String => of("character", "string"),
            Self::Int8 => of("int", "int8"),
            Self::Int16 => of("int", "int16"),
            Self::Int32 => of("int", "int32"),
            Self::Int64 => of("long", "int64"),
            Self::Float32 => of("float", "float32"),
            Self::Float64 => of("double", "float64"),
            Self::Decimal { precision, scale } => format!("{}({precision},{scale})", of("decimal", "decimal128")),
            Self::Date => of("date", "date32"),
            Self::Timestamp(TimestampUnit::Millisecond) => of("datetime", "timestamp(ms)"),
            Self::Timestamp(TimestampUnit::Microsecond) => "timestamp(us)".into(),
            Self::Timestamp(TimestampUnit::Nanosecond) => "timestamp(ns)".into(),
            Self::Boolean => of("boolean", "bool"),
            Self::Binary => "binary".into(),
            Self::Struct(fields) => {
                let fields: Vec<_> =
                    fields.iter().map(|(name, inner)| format!("{name}:{}", inner.name(dialect))).collect();
                format!("struct<{}>", fields.join(","))
            }
            Self::List(inner) => format!("{}<{}>", of("array", "list"), inner.name(dialect)),
        }
    }

    /// Whether a partition column of a Glue table may have this type. Athena's timestamps end at milliseconds, so it
    /// would mistake a finer partition for another one.
    pub fn may_partition(&self) -> bool {
        !matches!(
            self,
            Self::Struct(_)
                | Self::List(_)
                | Self::Binary
                | Self::Timestamp(TimestampUnit::Microsecond | TimestampUnit::Nanosecond)
        )
    }

    /// Whether rules can compare two values of the type: true for all types except structs and lists.
    pub fn is_scalar(&self) -> bool {
        !matches!(self, Self::Struct(_) | Self::List(_))
    }

    /// Whether the type is a date or a point in time.
    pub fn is_time(&self) -> bool {
        matches!(self, Self::Date | Self::Timestamp(_))
    }

    /// Whether the type is a number.
    pub fn is_number(&self) -> bool {
        matches!(
            self,
            Self::Int8 | Self::Int16 | Self::Int32 | Self::Int64 | Self::Float32 | Self::Float64 | Self::Decimal { .. }
        )
    }
}

impl fmt::Display for ColumnType {
    /// Writes the Glue name, which analysts know. For a timestamp finer than a millisecond, which Glue cannot express,
    /// writes the metadata's name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Timestamp(TimestampUnit::Microsecond | TimestampUnit::Nanosecond) => {
                f.write_str(&self.name(Dialect::Mojap))
            }
            Self::Struct(fields) => {
                f.write_str("struct<")?;
                for (n, (name, inner)) in fields.iter().enumerate() {
                    write!(f, "{}{name}:{inner}", if n == 0 { "" } else { "," })?;
                }
                f.write_str(">")
            }
            Self::List(inner) => write!(f, "array<{inner}>"),
            _ => f.write_str(&self.glue()),
        }
    }
}

/// Deeper than the nesting of any real table. It bounds the recursion on hostile metadata.
const MAX_DEPTH: usize = 32;

struct Parser<'a> {
    rest: &'a str,
    dialect: Dialect,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn column_type(&mut self) -> Result<ColumnType, String> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(format!("nested deeper than {MAX_DEPTH} levels"));
        }
        let name = self.word();
        let parsed = match (self.dialect, name) {
            (_, "struct") => self.structure()?,
            (Dialect::EtlManager, "array") | (Dialect::Mojap, "list" | "list_" | "large_list") => {
                self.expect('<', name)?;
                let inner = self.column_type()?;
                self.expect('>', name)?;
                ColumnType::List(Box::new(inner))
            }
            (Dialect::EtlManager, "decimal") | (Dialect::Mojap, "decimal128" | "decimal") => self.decimal(name)?,
            (_, "binary") => {
                if self.dialect == Dialect::Mojap && self.eat('(') {
                    self.number("binary")?;
                    self.expect(')', "binary")?;
                }
                ColumnType::Binary
            }
            (Dialect::EtlManager, _) => match name {
                "character" => ColumnType::String,
                "int" => ColumnType::Int32,
                "long" => ColumnType::Int64,
                "float" => ColumnType::Float32,
                "double" => ColumnType::Float64,
                "date" => ColumnType::Date,
                "datetime" => ColumnType::Timestamp(TimestampUnit::Millisecond),
                // these are names of mojap-metadata, as etl_manager has no such type
                "timestamp" if self.rest.trim_start().starts_with('(') => match self.timestamp_unit()? {
                    Some(TimestampUnit::Millisecond) | None => {
                        return Err("a timestamp to the millisecond is `datetime` here".into());
                    }
                    Some(unit) => ColumnType::Timestamp(unit),
                },
                "boolean" => ColumnType::Boolean,
                other => return Err(self.unknown(other)),
            },
            (Dialect::Mojap, _) => match name {
                "string" | "utf8" | "large_string" | "large_utf8" => ColumnType::String,
                "int8" => ColumnType::Int8,
                "int16" | "uint8" => ColumnType::Int16,
                "int32" | "uint16" => ColumnType::Int32,
                "int64" | "uint32" => ColumnType::Int64,
                "uint64" => return Err("`uint64` does not fit Glue's bigint; use `int64` or `decimal128(20,0)`".into()),
                "float16" | "float32" => ColumnType::Float32,
                "float64" => ColumnType::Float64,
                "date32" | "date64" => ColumnType::Date,
                "timestamp" => ColumnType::Timestamp(self.timestamp_unit()?.unwrap_or(TimestampUnit::Millisecond)),
                "bool" | "bool_" => ColumnType::Boolean,
                "large_binary" => ColumnType::Binary,
                "time32" | "time64" | "null" => {
                    return Err(format!(
                        "`{name}` has no Glue type; use `string`, or `timestamp(ms)` for a point in time"
                    ));
                }
                other => return Err(self.unknown(other)),
            },
        };
        self.depth -= 1;
        Ok(parsed)
    }

    /// Parses the parentheses after `timestamp`. Returns `None` for seconds, which Parquet does not have.
    fn timestamp_unit(&mut self) -> Result<Option<TimestampUnit>, String> {
        self.expect('(', "timestamp")?;
        let unit = match self.word() {
            "s" => None,
            "ms" => Some(TimestampUnit::Millisecond),
            "us" => Some(TimestampUnit::Microsecond),
            "ns" => Some(TimestampUnit::Nanosecond),
            unit => return Err(format!("unknown timestamp unit `{unit}`; valid are `s`, `ms`, `us`, `ns`")),
        };
        self.expect(')', "timestamp")?;
        Ok(unit)
    }

    fn unknown(&self, name: &str) -> String {
        let (valid, alias) = match self.dialect {
            Dialect::EtlManager => (ETL_MANAGER, ALIASES.iter().find(|a| a.0 == name.to_lowercase()).map(|a| a.1)),
            Dialect::Mojap => (MOJAP, ALIASES.iter().find(|a| a.0 == name.to_lowercase()).map(|a| a.2)),
        };
        match alias {
            Some(alias) => format!("unknown type `{name}`; did you mean `{alias}`?"),
            None => format!("unknown type `{name}`{}", suggestion(name, valid)),
        }
    }

    fn structure(&mut self) -> Result<ColumnType, String> {
        self.expect('<', "struct")?;
        let mut fields: Vec<(String, ColumnType)> = Vec::new();
        loop {
            let name = self.word().to_owned();
            if name.is_empty() {
                return Err(format!("a field name was expected in the struct before `{}`", self.rest));
            }
            if fields.iter().any(|(other, _)| other.eq_ignore_ascii_case(&name)) {
                return Err(format!("the struct has two fields named `{name}`"));
            }
            self.expect(':', &name)?;
            fields.push((name, self.column_type()?));
            if !self.eat(',') {
                break;
            }
        }
        self.expect('>', "struct")?;
        Ok(ColumnType::Struct(fields))
    }

    fn decimal(&mut self, name: &str) -> Result<ColumnType, String> {
        self.expect('(', name)?;
        let precision = self.number(name)?;
        self.expect(',', name)?;
        let scale = self.number(name)?;
        self.expect(')', name)?;
        if !(1..=38).contains(&precision) || scale > precision {
            return Err(format!("{name}({precision},{scale}): precision is 1 to 38 and scale at most the precision"));
        }
        Ok(ColumnType::Decimal { precision: precision as u8, scale: scale as u8 })
    }

    fn word(&mut self) -> &'a str {
        let text = self.rest.trim_start();
        let end = text.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(text.len());
        let (word, rest) = text.split_at(end);
        self.rest = rest;
        word
    }

    fn number(&mut self, of: &str) -> Result<u32, String> {
        let word = self.word();
        word.parse().map_err(|_| format!("a number was expected in `{of}(…)`, found `{word}`"))
    }

    fn eat(&mut self, c: char) -> bool {
        match self.rest.trim_start().strip_prefix(c) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn expect(&mut self, c: char, of: &str) -> Result<(), String> {
        if self.eat(c) {
            return Ok(());
        }
        let found = self.rest.trim_start().chars().next().map_or("the end".into(), |c| format!("`{c}`"));
        Err(format!("`{c}` was expected after `{of}`, found {found}"))
    }
}

#[cfg(test)]
mod tests;

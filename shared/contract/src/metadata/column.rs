//! The columns in a table's file.

use serde_json::{Map, Value};

use crate::column_type::{ColumnType, Dialect};
use crate::files::{SaidOfValues, Written};
use crate::key::is_table_name;
use crate::metadata::keys::{COLUMN_KEYS, EARLIER_KEYS};
use crate::metadata::table_file::{Area, MAXIMUM_POSITION, TableReader, inside, plain};
use crate::table::{Column, EarlierType, FieldNames, Sensitivity};
use crate::visible::visible;
use crate::words::quoted;

impl TableReader<'_> {
    pub(super) fn columns(
        &mut self,
        object: &Map<String, Value>,
        dialect: Dialect,
        of_values: &SaidOfValues,
    ) -> Vec<Column> {
        let Some(Value::Array(items)) = object.get("columns") else {
            self.problem("columns", "expected a list of columns");
            return Vec::new();
        };
        if items.is_empty() {
            self.problem("columns", "expected at least one column");
        }
        let mut columns: Vec<Column> = Vec::with_capacity(items.len());
        for (n, item) in items.iter().enumerate() {
            let path = format!("columns[{n}]");
            let Value::Object(item) = item else {
                self.problem(path, "expected an object");
                continue;
            };
            let column = self.column(item, dialect, of_values, &path);
            if let Some(first) = columns.iter().position(|other| other.name == column.name) {
                self.problem(
                    format!("{path}.name"),
                    format!("`{}` is already the name of columns[{first}]", column.name),
                );
            }
            columns.push(column);
        }
        columns
    }

    pub(super) fn column(
        &mut self,
        item: &Map<String, Value>,
        dialect: Dialect,
        of_values: &SaidOfValues,
        path: &str,
    ) -> Column {
        self.misspelt(item, COLUMN_KEYS, &format!("{path}."));
        let name = match item.get("name") {
            Some(Value::String(name)) if is_table_name(name) => name.clone(),
            Some(Value::String(name)) => {
                self.problem(
                    format!("{path}.name"),
                    format!("`{name}`: lower-case letters, digits and `_`, at most 255"),
                );
                name.clone()
            }
            _ => {
                self.problem(format!("{path}.name"), "expected a text");
                String::new()
            }
        };
        let before = self.problems.0.len();
        let column_type = self.column_type(item, dialect, path);
        // problems that depend on the type are not reported if the type cannot be read
        let is_read = self.problems.0.len() == before;
        let pattern = item.get("pattern").and_then(|value| match value {
            Value::String(pattern) => {
                self.regex(&format!("{path}.pattern"), pattern);
                Some(pattern.clone())
            }
            Value::Null => None,
            other => {
                self.problem(format!("{path}.pattern"), format!("expected a regular expression, found {other}"));
                None
            }
        });
        let enumeration = item.get("enum").and_then(|value| match value {
            Value::Array(values) => Some(values.iter().filter(|v| !v.is_null()).map(plain).collect()),
            Value::Null => None,
            other => {
                self.problem(format!("{path}.enum"), format!("expected a list of values, found {other}"));
                None
            }
        });
        let (mut minimum, mut maximum, mut datetime_format) = (None, None, None);
        if is_read {
            minimum = self.bound(item, "minimum", path, &column_type);
            maximum = self.bound(item, "maximum", path, &column_type);
            datetime_format = self.datetime_format(item, path, &column_type);
        }
        let length = |reader: &mut Self, key: &str| {
            let number = reader.number(item, key, path)?;
            if number < 0.0 || number.fract() != 0.0 {
                reader.problem(
                    format!("{path}.{key}"),
                    format!("expected a whole number that is not negative, found {number}"),
                );
            }
            Some(number as u64)
        };
        let (min_length, max_length) = (length(self, "minLength"), length(self, "maxLength"));
        if let (Some(least), Some(most)) = (min_length, max_length)
            && least > most
        {
            let message = format!("is {least}, more than the maxLength of {most}: no value can pass");
            self.problem(format!("{path}.minLength"), message);
        }
        let unique = self.flag(item, "unique", path).unwrap_or(false);
        let rules =
            [("pattern", pattern.is_some()), ("minLength", min_length.is_some()), ("maxLength", max_length.is_some())];
        let is_text = column_type == ColumnType::String;
        let is_unchecked = self.area == Area::Raw && is_read && !is_text;
        for (key, _) in rules.iter().filter(|(_, given)| *given && is_unchecked) {
            let what = if *key == "pattern" { "pattern" } else { "length" };
            let message = format!(
                "is not checked: the column's type is {column_type}, and only texts have a {what}; for numbers and \
                 times there are `minimum`, `maximum` and `enum`"
            );
            self.warning(format!("{path}.{key}"), message);
        }
        // other types have no text of their own: a number can be written in several ways, and Parquet stores no text at
        // all
        let (pattern, min_length, max_length) =
            if is_text { (pattern, min_length, max_length) } else { (None, None, None) };
        if !column_type.is_scalar() {
            for (key, given) in [("unique", unique), ("enum", enumeration.is_some())] {
                if given {
                    let message = format!("the column's type is {column_type}, whose values are not compared");
                    self.problem(format!("{path}.{key}"), message);
                }
            }
        }
        let is_truth = column_type == ColumnType::Boolean;
        let redacted = self.flag(item, "redacted", path).unwrap_or(false);
        let sensitivity = self.sensitivity(item, path);
        let source_names = self.source_names(item, &column_type, path);
        Column {
            name,
            column_type,
            description: self.description(item, path),
            nullable: self.flag(item, "nullable", path).unwrap_or(true),
            pattern,
            enumeration,
            minimum,
            maximum,
            min_length,
            max_length,
            unique,
            datetime_format,
            source_name: self.source_name(item, path),
            source_names,
            source_position: self.source_position(item, path),
            written: self.written(item, of_values, path, is_truth),
            earlier_types: self.earlier_types(item, dialect, path),
            sensitive: self.flag(item, "sensitive", path).unwrap_or(false) || redacted || sensitivity.is_some(),
            sensitivity,
            redacted,
        }
    }

    pub(super) fn source_name(&mut self, item: &Map<String, Value>, path: &str) -> Option<String> {
        match item.get("source_name")? {
            Value::String(name) => Some(name.clone()),
            other => {
                let message = format!("expected the column's name in the file, a text, found {other}");
                self.problem(format!("{path}.source_name"), message);
                None
            }
        }
    }

    /// Reads the names of struct fields in the files, and checks that they are unique within each struct.
    pub(super) fn source_names(
        &mut self,
        item: &Map<String, Value>,
        column_type: &ColumnType,
        path: &str,
    ) -> FieldNames {
        let mut names = FieldNames::default();
        let Some(said) = item.get("source_names") else { return names };
        let place = format!("{path}.source_names");
        let texts = said.as_object().and_then(|said| {
            said.iter().map(|(field, name)| Some((field, name.as_str()?))).collect::<Option<Vec<_>>>()
        });
        let Some(texts) = texts else {
            let message = format!("expected an object of texts, by field of the column's structs, found {said}");
            self.problem(place, message);
            return names;
        };
        let fields = column_type.fields();
        for (field, name) in texts {
            if !fields.iter().flatten().any(|known| known == field) {
                let known: Vec<String> = fields.iter().flatten().map(|field| format!("`{field}`")).collect();
                let known = if known.is_empty() { "has no struct".into() } else { format!("has {}", known.join(", ")) };
                self.problem(&place, format!("there is no field `{}`; the type {known}", visible(field)));
            }
            names.insert(field.clone(), name.to_owned());
        }
        for of_one in &fields {
            let name = |field: &str| {
                let (of_struct, name) = field.rsplit_once('.').unwrap_or(("", field));
                names.in_files(of_struct, name).to_owned()
            };
            for (n, field) in of_one.iter().enumerate() {
                if let Some(other) = of_one[..n].iter().find(|other| name(other) == name(field)) {
                    let message = format!("`{field}` and `{other}` are both `{}` in the files", visible(&name(field)));
                    self.problem(&place, message);
                }
            }
        }
        names
    }

    pub(super) fn source_position(&mut self, item: &Map<String, Value>, path: &str) -> Option<usize> {
        let value = item.get("source_position")?;
        let position = value.as_u64().and_then(|n| usize::try_from(n).ok());
        position.filter(|n| (1..=MAXIMUM_POSITION).contains(n)).or_else(|| {
            let message = format!("expected the number of the field, from 1 to {MAXIMUM_POSITION}, found {value}");
            self.problem(format!("{path}.source_position"), message);
            None
        })
    }

    /// Reads the notation of the column's values. The table's `dialect` fills the gaps.
    pub(super) fn written(
        &mut self,
        item: &Map<String, Value>,
        of_values: &SaidOfValues,
        path: &str,
        is_truth: bool,
    ) -> Written {
        if !SaidOfValues::KEYS.iter().any(|key| item.contains_key(*key)) {
            // the table's own problems are reported at the table
            return of_values.clone().resolve(&mut |_, _| ());
        }
        let mut told = Vec::new();
        of_values.clone().resolve(&mut |key, message| told.push((key.to_owned(), message)));
        let mut problem = |key: &str, message: String| {
            // the table's texts for true and false do not concern other columns
            let is_its = is_truth || !matches!(key, "trueValues" | "falseValues");
            if item.contains_key(key) || is_its && !told.contains(&(key.to_owned(), message.clone())) {
                self.problem(format!("{path}.{key}"), message);
            }
        };
        SaidOfValues::read(item, &mut problem).over(of_values).resolve(&mut problem)
    }

    /// Reads the types that the column had, and sorts them by time.
    pub(super) fn earlier_types(
        &mut self,
        item: &Map<String, Value>,
        dialect: Dialect,
        path: &str,
    ) -> Vec<EarlierType> {
        let path = format!("{path}.earlier_types");
        let Some(said) = item.get("earlier_types") else { return Vec::new() };
        let Some(said) = said.as_array() else {
            self.problem(path, "expected a list such as [{\"before\": 1700000000, \"type\": \"long\"}]");
            return Vec::new();
        };
        let mut found: Vec<EarlierType> = Vec::new();
        for (n, one) in said.iter().enumerate() {
            let path = format!("{path}[{n}]");
            match (one, one.get("before").and_then(Value::as_u64)) {
                (Value::Object(one), Some(before)) => {
                    for key in one.keys().filter(|key| !EARLIER_KEYS.contains(&key.as_str())) {
                        let message = format!("unknown key; valid are {}", quoted(EARLIER_KEYS));
                        self.problem(format!("{path}.{key}"), message);
                    }
                    let column_type = self.column_type(one, dialect, &path);
                    let datetime_format = self.datetime_format(one, &path, &column_type);
                    found.push(EarlierType { before, column_type, datetime_format });
                }
                _ => self.problem(path, "expected `before`, in Unix seconds, and `type`"),
            }
        }
        found.sort_by_key(|earlier| earlier.before);
        if found.windows(2).any(|two| two[0].before == two[1].before) {
            self.problem(path, "two types before the same time");
        }
        found
    }

    pub(super) fn column_type(&mut self, item: &Map<String, Value>, dialect: Dialect, path: &str) -> ColumnType {
        let (key, read) = match (item.get("type"), item.get("type_category")) {
            (Some(Value::String(text)), _) => ("type", ColumnType::parse(text, dialect)),
            (None, Some(Value::String(text))) if dialect == Dialect::Mojap => {
                ("type_category", ColumnType::of_category(text))
            }
            _ => ("type", Err("expected the name of a type".into())),
        };
        read.unwrap_or_else(|message| {
            self.problem(format!("{path}.{key}"), message);
            ColumnType::String
        })
    }

    /// Marks all columns of a table that is marked as a whole.
    pub(super) fn sensitive_as_a_whole(&mut self, object: &Map<String, Value>, columns: &mut [Column]) {
        let sensitivity = self.sensitivity(object, "");
        if self.flag(object, "sensitive", "").unwrap_or(false) || sensitivity.is_some() {
            for column in columns {
                column.sensitive = true;
                column.sensitivity = column.sensitivity.or(sensitivity);
            }
        }
    }

    /// Reads the kind of personal data, given as a word or a list of words. The kind that the law protects more
    /// strictly wins.
    pub(super) fn sensitivity(&mut self, item: &Map<String, Value>, path: &str) -> Option<Sensitivity> {
        let said = match item.get("sensitivity")? {
            Value::Null => return None,
            Value::Array(said) => said.as_slice(),
            one => std::slice::from_ref(one),
        };
        let mut found = None;
        for one in said {
            match one.as_str().and_then(Sensitivity::parse) {
                Some(Sensitivity::PersonalData) => found = found.or(Some(Sensitivity::PersonalData)),
                special @ Some(Sensitivity::SpecialCategoryData) => found = special,
                None => {
                    let message = format!("expected `personal_data` or `special_category_data`, found {one}");
                    self.problem(inside(path, "sensitivity"), message);
                }
            }
        }
        found
    }

    pub(super) fn flag(&mut self, item: &Map<String, Value>, key: &str, path: &str) -> Option<bool> {
        match item.get(key)? {
            Value::Bool(flag) => Some(*flag),
            Value::Null => None,
            other => {
                self.problem(inside(path, key), format!("expected true or false, found {other}"));
                None
            }
        }
    }

    /// Reads a bound as text. Whether the text is a value of the column is checked later, with the reader of the files'
    /// values.
    pub(super) fn bound(
        &mut self,
        item: &Map<String, Value>,
        key: &str,
        path: &str,
        column_type: &ColumnType,
    ) -> Option<String> {
        let is_time = column_type.is_time();
        let expected = match item.get(key)? {
            Value::Null => return None,
            Value::Number(number) if column_type.is_number() => return Some(number.to_string()),
            Value::String(text) if is_time || matches!(column_type, ColumnType::Decimal { .. }) => {
                return Some(text.clone());
            }
            _ if column_type.is_number() => "a number",
            _ if is_time => "a text like the column's values",
            _ => {
                let message =
                    format!("bounds are for numbers, dates and timestamps; the column's type is {column_type}");
                self.problem(format!("{path}.{key}"), message);
                return None;
            }
        };
        self.problem(format!("{path}.{key}"), format!("expected {expected}, found {}", item[key]));
        None
    }

    pub(super) fn datetime_format(
        &mut self,
        item: &Map<String, Value>,
        path: &str,
        column_type: &ColumnType,
    ) -> Option<String> {
        let path = format!("{path}.datetime_format");
        match item.get("datetime_format")? {
            Value::Null => None,
            Value::String(format) if column_type.is_time() => Some(format.clone()),
            Value::String(_) => {
                self.problem(path, format!("is for dates and timestamps; the column's type is {column_type}"));
                None
            }
            other => {
                self.problem(path, format!("expected a text in the words of strptime, found {other}"));
                None
            }
        }
    }

    pub(super) fn number(&mut self, item: &Map<String, Value>, key: &str, path: &str) -> Option<f64> {
        match item.get(key)? {
            Value::Null => None,
            value => value.as_f64().or_else(|| {
                self.problem(format!("{path}.{key}"), format!("expected a number, found {value}"));
                None
            }),
        }
    }
}

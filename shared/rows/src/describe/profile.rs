//! Profiles the texts of an undescribed column, as far as a dialect can describe them: the narrowest type that reads
//! all of them with the reader's own code, and how they are written. Keeps only a few values.

use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeSet, HashSet};
use std::hash::{Hash, Hasher};

use contract::{ColumnType, TimestampUnit, Written};

use crate::describe::inferred::Inferred;
use crate::values::column::{ColumnBuilder, Place};
use crate::values::datetime::DatetimeFormat;
use crate::values::{number, scalar};

/// Texts that programs write for null.
const NULLS: &[&str] = &[
    "NA", "N/A", "n/a", "#N/A", "NULL", "null", "Null", "None", "none", "NaN", "nan", "nil", "-", "--", "?", ".", "\\N",
];
/// Pairs for true and false, besides `true` and `false`, which need no description.
const BOOLEANS: &[(&str, &str)] = &[
    ("Y", "N"),
    ("y", "n"),
    ("Yes", "No"),
    ("yes", "no"),
    ("YES", "NO"),
    ("T", "F"),
    ("t", "f"),
    ("J", "N"),
    ("Ja", "Nein"),
    ("ja", "nein"),
    ("WAHR", "FALSCH"),
    ("on", "off"),
];
const DAYS: &[&str] = &[
    "%d.%m.%Y",
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%Y/%m/%d",
    "%d-%m-%Y",
    "%m-%d-%Y",
    "%Y.%m.%d",
    "%d %b %Y",
    "%d-%b-%Y",
    "%d-%b-%y",
    "%d %B %Y",
    "%b %d, %Y",
    "%B %d, %Y",
    "%d.%m.%y",
    "%d/%m/%y",
    "%m/%d/%y",
];
/// Formats that follow a day. The first five follow `%Y-%m-%d`. The others, and the first two, follow any of [`DAYS`].
const TIMES: &[&str] = &[
    " %H:%M",
    "T%H:%M",
    " %H:%M:%S %z",
    " %H:%M:%S%z",
    " %H:%M:%S.%f %z",
    "T%H:%M:%S",
    " %H:%M:%S",
    " %H:%M:%S.%f",
    " %I:%M %p",
    " %I:%M:%S %p",
];
/// The most distinct values that are kept.
const MOST_DISTINCT: usize = 30;
/// The most bytes of a text that is kept.
const LONGEST_KEPT: usize = 100;
/// The most hashes that are kept. Beyond that, a column does not count as unique.
const MOST_HASHES: usize = 1 << 20;
/// The most parts in the shape of a code.
const MOST_PARTS: usize = 12;

/// The texts of a column seen so far.
#[derive(Debug)]
pub struct Profile {
    numbers: Vec<(Written, Inferred)>,
    /// Absent before the first value, because there are many.
    times: Option<Vec<Time>>,
    booleans: Vec<Option<(&'static str, &'static str)>>,
    /// Texts for null that were seen.
    nulls: BTreeSet<&'static str>,
    /// Rows without text.
    empty: u64,
    /// Rows with a text that is not one for null.
    values: u64,
    distinct: BTreeSet<String>,
    more: bool,
    is_text: bool,
    /// The hash of each value, until one occurs twice or there are too many.
    hashes: Option<HashSet<u64>>,
    /// The shape that all values share: letters, digits and signs.
    shape: Shape,
    negative: bool,
    /// The unit beside the numbers, if all have the same one.
    unit: Unit,
    /// How many values are like `12e45`, which is as likely a code as a number.
    exponents: u64,
    /// Whether some value has a point.
    points: bool,
    /// Whether all values are like `1.200`, which has either a fraction or thousands.
    thousands: bool,
}

#[derive(Debug, PartialEq)]
enum Unit {
    Unknown,
    Same(String),
    Different,
}

#[derive(Debug, PartialEq)]
enum Shape {
    Unknown,
    /// Classes of characters, each with the number of characters.
    Of(Vec<(char, usize)>),
    None,
}

/// A way to write dates or timestamps.
#[derive(Debug)]
struct Time {
    format: Option<String>,
    column_type: ColumnType,
    builder: Box<ColumnBuilder>,
}

/// The description of a column that its texts suggest.
#[derive(Clone, Debug, PartialEq)]
pub struct Described {
    /// The narrowest type that reads every value.
    pub column_type: ColumnType,
    /// The format of dates or timestamps, if not the default.
    pub datetime_format: Option<String>,
    /// How values are written, for the dialect.
    pub written: Written,
    /// Whether some row has no value.
    pub nullable: bool,
    /// The formats that read all of the texts, if there are several. The column is then a string column.
    pub ambiguous: Vec<String>,
    /// The distinct values, if there are few.
    pub distinct: Option<Vec<String>>,
    /// The number of rows with a value.
    pub values: u64,
    /// Whether no value occurs twice. Also false if there are too many values to tell.
    pub unique: bool,
    /// A regular expression for the shape that all texts share.
    pub pattern: Option<String>,
    /// Whether the values are numbers, and none is negative.
    pub not_negative: bool,
    /// The unit beside each number, which is left out.
    pub unit: Option<String>,
    /// Texts for null that were seen. In a string column they remain strings, except `\N`.
    pub nulls: Vec<String>,
}

impl Profile {
    /// Starts a profile. If the file has types of its own (`typed`), a text is never a number or a boolean. Otherwise
    /// it is one if it looks like one.
    pub fn new(typed: bool) -> Self {
        let plain = Written::default();
        let separated = |decimal, group| Written { decimal, group, ..plain.clone() };
        let numbers = [plain.clone(), separated('.', Some(',')), separated(',', None), separated(',', Some('.'))];
        let spaced = [separated(',', Some(' ')), separated(',', Some('\u{a0}')), separated('.', Some('\''))];
        let bare = |written: Written| [written.clone(), Written { bare_number: false, ..written }];
        let numbers = numbers.into_iter().chain(spaced).flat_map(bare);
        let numbers = numbers.map(|written| (written, Inferred::default()));
        Self {
            numbers: if typed { Vec::new() } else { numbers.collect() },
            times: None,
            booleans: if typed {
                Vec::new()
            } else {
                [None].into_iter().chain(BOOLEANS.iter().copied().map(Some)).collect()
            },
            nulls: BTreeSet::new(),
            empty: 0,
            values: 0,
            distinct: BTreeSet::new(),
            more: false,
            is_text: false,
            hashes: Some(HashSet::new()),
            shape: Shape::Unknown,
            negative: false,
            unit: Unit::Unknown,
            exponents: 0,
            points: false,
            thousands: true,
        }
    }

    /// Takes a row's text into account. `None` and the empty text are rows without a value.
    pub fn see(&mut self, text: Option<&str>) {
        let Some(text) = text.filter(|text| !text.is_empty()) else {
            self.empty += 1;
            return;
        };
        if let Some(null) = NULLS.iter().find(|null| **null == text) {
            self.nulls.insert(null);
            self.keep(text);
            return;
        }
        self.values += 1;
        self.keep(text);
        self.note(text);
        if self.is_text {
            return;
        }
        self.numbers.retain_mut(|(written, inferred)| {
            let plain = number::plain_number(text, written).filter(|plain| number::number(plain).is_some());
            if let Some(plain) = &plain {
                inferred.see_field(plain, false);
            }
            plain.is_some()
        });
        self.booleans.retain(|pair| match pair {
            None => scalar::boolean_of(text).is_some(),
            Some((yes, no)) => text == *yes || text == *no,
        });
        let times = self.times.get_or_insert_with(times);
        times.retain_mut(|time| time.builder.append_field(text, Place::Value, &mut |_| ()));
        if self.values.is_multiple_of(1024) {
            times.iter_mut().for_each(|time| drop(time.builder.finish()));
        }
        self.is_text = self.numbers.is_empty() && self.booleans.is_empty() && times.is_empty();
    }

    /// Notes what does not depend on a type.
    fn note(&mut self, text: &str) {
        self.negative |= text.contains('-');
        let unit = number::with_unit(text).map_or("", |(_, unit)| unit);
        self.unit = match std::mem::replace(&mut self.unit, Unit::Different) {
            Unit::Unknown => Unit::Same(unit.into()),
            Unit::Same(known) if known == unit => Unit::Same(known),
            _ => Unit::Different,
        };
        let is_code = |(whole, power): (&str, &str)| {
            let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            digits(whole) && digits(power)
        };
        self.points |= text.contains('.');
        self.exponents += u64::from(text.split_once(['e', 'E']).is_some_and(is_code));
        self.thousands &= is_in_thousands(text);
        if let Some(hashes) = &mut self.hashes {
            let mut hasher = DefaultHasher::new();
            text.hash(&mut hasher);
            if hashes.len() == MOST_HASHES || !hashes.insert(hasher.finish()) {
                self.hashes = None;
            }
        }
        self.shape = match std::mem::replace(&mut self.shape, Shape::None) {
            Shape::Unknown => shape(text),
            known if known != Shape::None && shape(text) == known => known,
            _ => Shape::None,
        };
    }

    fn keep(&mut self, text: &str) {
        if self.more || self.distinct.contains(text) {
            return;
        }
        self.more = self.distinct.len() == MOST_DISTINCT || text.len() > LONGEST_KEPT;
        if self.more {
            self.distinct.clear();
        } else {
            self.distinct.insert(text.into());
        }
    }

    /// Whether all values are like `1.200`, so that only other columns show what the point is.
    pub fn is_of_thousands(&self) -> bool {
        self.thousands && self.values > 0
    }

    /// Returns the description of the texts seen so far.
    pub fn conclude(&self) -> Described {
        self.conclude_among(None)
    }

    /// Like [`Self::conclude`], but with the decimal sign of other columns. If that is a comma, `1.200` is in
    /// thousands. If it is unknown (`Some(None)`), the column is a string column.
    pub fn conclude_among(&self, decimal: Option<Option<char>>) -> Described {
        let usual = Written::default();
        let mut described = Described {
            column_type: ColumnType::String,
            datetime_format: None,
            written: usual.clone(),
            nullable: self.empty > 0,
            ambiguous: Vec::new(),
            distinct: (!self.more).then(|| self.distinct.iter().cloned().collect()),
            values: self.values,
            unique: self.hashes.is_some() && self.values > 0,
            pattern: None,
            not_negative: false,
            unit: None,
            nulls: self.nulls.iter().map(|null| (*null).to_owned()).collect(),
        };
        if let Shape::Of(parts) = &self.shape {
            described.pattern = Some(pattern(parts));
        }
        // in a string column these may be values, except the `\N` of databases
        if self.nulls.contains("\\N") {
            described.written.null_values = vec!["\\N".into()];
            described.nullable = true;
        }
        let mixed = self.unit == Unit::Different && !self.numbers.iter().any(|(written, _)| written.bare_number);
        let codes = self.exponents > 0 && self.exponents < self.values && !self.points;
        if self.values == 0 || self.is_text || mixed || codes {
            return described;
        }
        let both = |(yes, no): (&str, &str)| self.distinct.contains(yes) && self.distinct.contains(no);
        let boolean = self.booleans.iter().find(|pair| pair.is_none_or(both));
        if let Some(pair) = boolean {
            described.column_type = ColumnType::Boolean;
            if let Some((yes, no)) = pair {
                described.written.true_values = vec![(*yes).into()];
                described.written.false_values = vec![(*no).into()];
            }
        } else if let Some((written, inferred)) = self.number(decimal) {
            let Some(column_type) = inferred.column_type().filter(|found| *found != ColumnType::String) else {
                return described;
            };
            described.column_type = column_type;
            described.written = written.clone();
            described.not_negative = !self.negative;
            described.unit = match &self.unit {
                Unit::Same(unit) if !written.bare_number => Some(unit.clone()),
                _ => None,
            };
        } else if let Some(first) = self.times.as_ref().and_then(|times| times.first()) {
            let times = self.times.iter().flatten();
            let mut formats: Vec<&Time> = times.filter(|time| time.format.is_some()).collect();
            formats.dedup_by_key(|time| time.format.clone());
            if first.format.is_some() && formats.len() > 1 {
                described.ambiguous = formats.iter().filter_map(|time| time.format.clone()).collect();
                return described;
            }
            described.column_type = first.column_type.clone();
            described.datetime_format.clone_from(&first.format);
        } else {
            return described;
        }
        described.pattern = None;
        described.nullable |= !self.nulls.is_empty();
        described.written.null_values = self.nulls.iter().map(|null| (*null).to_owned()).collect();
        described.distinct = described.distinct.map(|mut distinct| {
            distinct.retain(|text| !self.nulls.contains(text.as_str()));
            distinct
        });
        described
    }

    /// Returns the plainest way in which all texts are numbers; `None` if two ways read different numbers, as in
    /// `1,234`.
    fn number(&self, decimal: Option<Option<char>>) -> Option<&(Written, Inferred)> {
        let first = self.numbers.first()?;
        if self.thousands
            && let Some(decimal) = decimal
        {
            return self.numbers.iter().find(|(written, _)| Some(written.decimal) == decimal);
        }
        let is_plain = first.0 == Written::default();
        let differs = |(written, inferred): &(Written, Inferred)| {
            written.decimal != first.0.decimal && inferred.column_type() != first.1.column_type()
        };
        let others = self.numbers.iter().filter(|other| other.0.bare_number == first.0.bare_number);
        (is_plain || !others.into_iter().any(differs)).then_some(first)
    }
}

/// Whether a text is a whole number with points between its thousands.
fn is_in_thousands(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let mut groups = digits.split('.');
    let first = groups.next().unwrap_or_default();
    let is_first = (1..=3).contains(&first.len()) && !first.starts_with('0');
    let mut rest = groups.peekable();
    let is_number = |group: &str| group.bytes().all(|byte| byte.is_ascii_digit());
    is_first && is_number(first) && rest.peek().is_some() && rest.all(|group| group.len() == 3 && is_number(group))
}

/// Returns the classes of a text's characters, if it looks like a code.
fn shape(text: &str) -> Shape {
    let mut parts: Vec<(char, usize)> = Vec::new();
    for letter in text.chars() {
        let class = match letter {
            'A'..='Z' => 'A',
            'a'..='z' => 'a',
            '0'..='9' => '0',
            '-' | '_' | '/' | '.' | ':' | ' ' | '#' => letter,
            _ => return Shape::None,
        };
        let full = parts.len() == MOST_PARTS;
        match parts.last_mut() {
            Some((last, count)) if *last == class => *count += 1,
            _ if full => return Shape::None,
            _ => parts.push((class, 1)),
        }
    }
    // a word without digits is not a code
    if parts.iter().any(|(class, _)| *class == '0') { Shape::Of(parts) } else { Shape::None }
}

fn pattern(parts: &[(char, usize)]) -> String {
    let part = |(class, count): &(char, usize)| {
        let class = match class {
            'A' => "[A-Z]".to_owned(),
            'a' => "[a-z]".to_owned(),
            '0' => "[0-9]".to_owned(),
            '.' => "\\.".to_owned(),
            sign => sign.to_string(),
        };
        if *count == 1 { class } else { format!("{class}{{{count}}}") }
    };
    format!("^{}$", parts.iter().map(part).collect::<String>())
}

fn times() -> Vec<Time> {
    let millisecond = ColumnType::Timestamp(TimestampUnit::Millisecond);
    let usual = [
        (ColumnType::Date, None),
        (millisecond.clone(), None),
        (ColumnType::Timestamp(TimestampUnit::Microsecond), None),
        (ColumnType::Timestamp(TimestampUnit::Nanosecond), None),
        (millisecond.clone(), Some("iso8601".to_owned())),
        (ColumnType::Timestamp(TimestampUnit::Microsecond), Some("iso8601".to_owned())),
    ];
    let days = DAYS.iter().map(|day| (ColumnType::Date, Some((*day).to_owned())));
    let of_iso = TIMES[..5].iter().map(|time| format!("%Y-%m-%d{time}"));
    let of_others =
        DAYS.iter().flat_map(|day| TIMES[5..].iter().chain(&TIMES[..2]).map(move |time| format!("{day}{time}")));
    let points = of_iso.chain(of_others).flat_map(|format| {
        let units = [TimestampUnit::Millisecond, TimestampUnit::Microsecond];
        units.into_iter().map(move |unit| (ColumnType::Timestamp(unit), Some(format.clone())))
    });
    let all = usual.into_iter().chain(days).chain(points);
    all.filter_map(|(column_type, format)| {
        let read = format.as_deref().map(DatetimeFormat::new).transpose().ok()?;
        let builder = Box::new(ColumnBuilder::new(&column_type).with_format(read));
        Some(Time { format, column_type, builder })
    })
    .collect()
}

#[cfg(test)]
mod tests;

//! Misfits: the values, rows and columns that do not fit their description, and how often they occur.

use std::collections::HashMap;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use contract::{Column, visible};

use crate::describe::inferred::Inferred;
use crate::values::column::Fault;

/// The kind of a misfit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum MisfitKind {
    /// A line is not valid in its encoding, which is UTF-8 unless the dialect names another. It makes no row.
    NotUtf8,
    /// A line is not JSON. It makes no row.
    NotJson,
    /// A line does not begin like a JSON object. It makes no row.
    NotAnObject,
    /// A CSV record has misplaced quotes or escapes, or quotes that never close. It makes no row.
    NotCsv,
    /// A CSV record has fewer or more fields than the header. It makes no row.
    RaggedRow,
    /// A row lacks a column, which then reads as null.
    MissingColumn,
    /// A row has a column that is not described. The column is not read.
    UnexpectedColumn,
    /// A row has a column, or an object a field, twice. It reads as null.
    DuplicateColumn,
    /// A value is not of the column's type. It reads as null.
    WrongType,
}

/// A single thing that does not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit {
    /// Its kind.
    pub kind: MisfitKind,
    /// The line, from 1: for CSV the one on which the record begins, for Parquet the number of the row.
    pub line: u64,
    /// The column; for an unexpected one its name in the file, shortened. `None` for a whole line, and for unexpected
    /// columns that are counted together ([`Tally::column`]).
    pub column: Option<Arc<str>>,
    /// The place inside the column's value, such as `.a[3]`. Empty for the whole value.
    pub path: String,
    /// The offending text as the file has it, shortened. Absent for a sensitive column, and for a whole line of a table
    /// that has one.
    pub text: Option<String>,
    /// What was expected, for people.
    pub expected: String,
}

impl Misfit {
    /// Returns the name of its column, if it has one.
    pub fn column(&self) -> Option<&str> {
        self.column.as_deref()
    }

    /// Whether a row lacks a column.
    pub fn is_missing_column(&self) -> bool {
        self.kind == MisfitKind::MissingColumn
    }

    /// Whether a row has a column that is not described.
    pub fn is_unexpected_column(&self) -> bool {
        self.kind == MisfitKind::UnexpectedColumn
    }
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}", self.line)?;
        if let Some(column) = &self.column {
            write!(f, ", column `{}{}`", visible(column), visible(&self.path))?;
        }
        write!(f, ": expected {}", visible(&self.expected))?;
        match &self.text {
            Some(text) => write!(f, ", found `{}`", visible(text)),
            None => Ok(()),
        }
    }
}

/// The number of misfits of one kind in one column, over the whole file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally {
    /// The kind of misfit.
    pub kind: MisfitKind,
    /// The column. `None` for whole lines, and for unexpected columns beyond the first 100 different names.
    pub column: Option<Arc<str>>,
    /// Rows (or lines) with the misfit. A row counts once, however many of its values do not fit. Zero if the file has
    /// no rows, but its header or schema does not fit.
    pub count: u64,
    /// The first few of them, at most [`Options::examples`](crate::Options::examples).
    pub examples: Vec<Misfit>,
    /// The type of an unexpected column's values. Absent for an unexpected field inside a column's value.
    pub inferred: Option<Inferred>,
    last_line: u64,
}

/// Unexpected columns beyond this many names are counted together, because a hostile file may have any number.
pub(crate) const MAXIMUM_UNEXPECTED_NAMES: usize = 100;
/// The most characters that a misfit shows of a file's text.
const SHOWN_CHARACTERS: usize = 80;

/// The counts of the current file. The metadata bounds their size, not the file.
#[derive(Debug)]
pub(crate) struct Tallies {
    columns: Vec<Known>,
    lines_shown: bool,
    examples: usize,
    whole_lines: [Tally; 5],
    /// Per column: missing, duplicate, wrong type.
    known: Vec<[Tally; 3]>,
    unexpected: Vec<Tally>,
    unexpected_names: HashMap<Box<str>, usize>,
    /// The unexpected columns of the current row, by index in `unexpected`, each with its value's place. The line may
    /// still turn out not to be a row.
    unexpected_in_row: Vec<(usize, Option<Range<usize>>)>,
    /// Whether the next value belongs to the last of them.
    awaits_value: bool,
    /// The unexpected columns that every row of the file has.
    unexpected_in_all: Vec<usize>,
    fresh: Vec<Misfit>,
}

#[derive(Debug)]
struct Known {
    name: Arc<str>,
    /// Its name in the files.
    in_files: Box<str>,
    sensitive: bool,
}

impl Known {
    /// Returns what was expected of a row that lacks the column.
    fn missing(&self, when: &str) -> String {
        if *self.name == *self.in_files {
            format!("the column {when}")
        } else {
            format!("the column, which is `{}` there, {when}", self.in_files)
        }
    }
}

impl Tally {
    fn new(kind: MisfitKind, column: Option<Arc<str>>) -> Self {
        Self { kind, column, count: 0, examples: Vec::new(), inferred: None, last_line: 0 }
    }
}

impl Tallies {
    pub(crate) fn new(columns: &[Column], examples: usize) -> Self {
        use MisfitKind::{DuplicateColumn, MissingColumn, NotAnObject, NotCsv, NotJson, NotUtf8, RaggedRow, WrongType};
        let names = columns.iter().map(|column| Known {
            name: column.name.as_str().into(),
            in_files: column.name_in_files().into(),
            sensitive: column.sensitive,
        });
        let names: Vec<Known> = names.collect();
        let tallies = |column: &Known| {
            [MissingColumn, DuplicateColumn, WrongType].map(|kind| Tally::new(kind, Some(Arc::clone(&column.name))))
        };
        Self {
            known: names.iter().map(tallies).collect(),
            lines_shown: !columns.iter().any(|column| column.sensitive),
            columns: names,
            examples,
            whole_lines: [NotUtf8, NotJson, NotAnObject, NotCsv, RaggedRow].map(|kind| Tally::new(kind, None)),
            unexpected: Vec::new(),
            unexpected_names: HashMap::new(),
            unexpected_in_row: Vec::new(),
            unexpected_in_all: Vec::new(),
            awaits_value: false,
            fresh: Vec::new(),
        }
    }

    /// Whether misfits may show whole lines.
    pub(crate) fn shows_lines(&self) -> bool {
        self.lines_shown
    }

    /// Whether misfits may show the names of a header. If the table has sensitive columns, a header that names none of
    /// its columns may be a row of a file without a header.
    pub(crate) fn shows_names<'a>(&self, mut header: impl Iterator<Item = &'a str>) -> bool {
        let is_described = |name: &str| {
            let name = name.trim();
            !name.is_empty() && self.columns.iter().any(|column| column.in_files.trim().eq_ignore_ascii_case(name))
        };
        self.lines_shown || header.any(is_described)
    }

    /// Counts a line that makes no row.
    pub(crate) fn line(&mut self, kind: MisfitKind, line: u64, text: &[u8], expected: impl fmt::Display) {
        self.unexpected_in_row.clear();
        let shown = self.lines_shown;
        let tally = match kind {
            MisfitKind::NotUtf8 => &mut self.whole_lines[0],
            MisfitKind::NotJson => &mut self.whole_lines[1],
            MisfitKind::NotCsv => &mut self.whole_lines[3],
            MisfitKind::RaggedRow => &mut self.whole_lines[4],
            _ => &mut self.whole_lines[2],
        };
        tally.add(line, self.examples, &mut self.fresh, || Misfit {
            kind,
            line,
            column: None,
            path: String::new(),
            // a character has at most four bytes
            text: shown.then(|| cut(&String::from_utf8_lossy(&text[..text.len().min(4 * SHOWN_CHARACTERS + 4)]))),
            expected: expected.to_string(),
        });
    }

    /// Counts a column that a row lacks.
    pub(crate) fn missing(&mut self, line: u64, column: usize) {
        let known = &self.columns[column];
        self.known[column][0].add(line, self.examples, &mut self.fresh, || Misfit {
            kind: MisfitKind::MissingColumn,
            line,
            column: Some(Arc::clone(&known.name)),
            path: String::new(),
            text: None,
            expected: known.missing("to be in every row"),
        });
    }

    /// Counts a value that does not fit.
    pub(crate) fn value(
        &mut self,
        kind: MisfitKind,
        line: u64,
        column: usize,
        path: &dyn fmt::Display,
        text: &str,
        expected: &dyn fmt::Display,
    ) {
        let Known { name, sensitive, .. } = &self.columns[column];
        let tally = match kind {
            MisfitKind::DuplicateColumn => &mut self.known[column][1],
            _ => &mut self.known[column][2],
        };
        tally.add(line, self.examples, &mut self.fresh, || Misfit {
            kind,
            line,
            column: Some(Arc::clone(name)),
            path: path.to_string(),
            text: (!sensitive && !text.is_empty()).then(|| cut(text)),
            expected: expected.to_string(),
        });
    }

    /// Whether the next misfit of a column will show its text, so that the text is worth building.
    pub(crate) fn shows(&self, kind: MisfitKind, column: usize) -> bool {
        let of_kind = |tally: &&Tally| tally.kind == kind;
        let shown = self.known[column].iter().find(of_kind).map_or(0, |tally| tally.examples.len());
        !self.columns[column].sensitive && shown < self.examples
    }

    /// Counts a fault inside a value.
    pub(crate) fn fault(&mut self, line: u64, column: usize, fault: Fault<'_>) {
        match fault {
            Fault::WrongType { place, text, expected } => {
                self.value(MisfitKind::WrongType, line, column, &place, text, expected);
            }
            Fault::Duplicate { place } => {
                self.value(MisfitKind::DuplicateColumn, line, column, &place, "", &"the field once");
            }
            Fault::Unexpected { place } => self.unexpected_inside(line, column, &place),
        }
    }

    /// Notes a column that a file without rows lacks.
    pub(crate) fn missing_without_rows(&mut self, column: usize) {
        self.known[column][0].note(&self.columns[column].missing("to be there; no row follows"));
    }

    /// Notes a column that a file without rows has twice.
    pub(crate) fn duplicate_without_rows(&mut self, column: usize) {
        self.known[column][1].note("the column once; here it is twice, and no row follows");
    }

    /// Notes the undescribed columns of a file without rows.
    pub(crate) fn unexpected_without_rows(&mut self) {
        for n in &self.unexpected_in_all {
            self.unexpected[*n].note("no column that the metadata does not describe; no row follows");
        }
    }

    /// Counts a column that a row has twice.
    pub(crate) fn duplicate(&mut self, line: u64, column: usize) {
        self.value(MisfitKind::DuplicateColumn, line, column, &"", "", &"the column once in a row");
    }

    /// Notes a name that is not described. It counts once the line proves to be a row.
    pub(crate) fn unexpected(&mut self, line: u64, name: &str) {
        let n = self.unexpected_place(name);
        // once per row: a hostile line may repeat a name any number of times
        self.awaits_value = self.unexpected[n].last_line != line;
        if self.awaits_value {
            self.unexpected[n].last_line = line;
            self.unexpected_in_row.push((n, None));
        }
    }

    /// Notes a name that is not described and that every row of the file has. Returns its place for
    /// [`Self::unexpected_field`].
    pub(crate) fn unexpected_everywhere(&mut self, name: &str) -> usize {
        let n = self.unexpected_place(name);
        if !self.unexpected_in_all.contains(&n) {
            self.unexpected_in_all.push(n);
        }
        n
    }

    /// Takes a row's field of such a column into account.
    pub(crate) fn unexpected_field(&mut self, place: usize, text: &str, quoted: bool) {
        let tally = &mut self.unexpected[place];
        // names beyond the limit share one tally, which has no single type
        if tally.column.is_some() {
            tally.inferred.get_or_insert_default().see_field(text, quoted);
        }
    }

    /// Sets the type that the file itself declares for the undescribed column at `place`. `declared` is called once per
    /// name, and not for names beyond the limit, which share one tally without a single type.
    pub(crate) fn unexpected_type(&mut self, place: usize, declared: impl FnOnce() -> Option<Inferred>) {
        let tally = &mut self.unexpected[place];
        if tally.column.is_some() && tally.inferred.is_none() {
            tally.inferred = declared();
        }
    }

    fn unexpected_place(&mut self, name: &str) -> usize {
        let shown = shown_part(name);
        if let Some(n) = self.unexpected_names.get(shown) {
            *n
        } else {
            if self.unexpected.len() < MAXIMUM_UNEXPECTED_NAMES {
                self.unexpected_names.insert(shown.into(), self.unexpected.len());
                self.unexpected.push(Tally::new(MisfitKind::UnexpectedColumn, Some(cut(name).into())));
            } else if self.unexpected.len() == MAXIMUM_UNEXPECTED_NAMES {
                self.unexpected.push(Tally::new(MisfitKind::UnexpectedColumn, None));
            }
            self.unexpected.len() - 1
        }
    }

    /// Notes the value of the last unexpected name. `json` is a part of the row's `text`.
    pub(crate) fn unexpected_value(&mut self, text: &str, json: &str) {
        if let (true, Some((_, value))) = (self.awaits_value, self.unexpected_in_row.last_mut()) {
            let start = json.as_ptr().addr() - text.as_ptr().addr();
            *value = Some(start..start + json.len());
        }
    }

    /// Notes an undescribed field inside a column's value. Names of fields may be data, so those of a sensitive column
    /// are not shown.
    pub(crate) fn unexpected_inside(&mut self, line: u64, column: usize, place: &dyn fmt::Display) {
        let Known { name, sensitive, .. } = &self.columns[column];
        let name = if *sensitive { format!("{name}.…") } else { format!("{name}{place}") };
        self.unexpected(line, &name);
    }

    /// Completes a row: its unexpected columns now count.
    pub(crate) fn row(&mut self, line: u64, text: &str) {
        for (n, _) in &self.unexpected_in_row {
            self.unexpected[*n].last_line = 0;
        }
        let in_all = self.unexpected_in_all.iter().map(|n| (*n, None));
        for (n, value) in self.unexpected_in_row.drain(..).chain(in_all) {
            let tally = &mut self.unexpected[n];
            // names beyond the limit share one tally, which has no single type
            if let Some(value) = value.filter(|_| tally.column.is_some()) {
                tally.inferred.get_or_insert_default().see(&text[value]);
            }
            let column = tally.column.clone();
            tally.add(line, self.examples, &mut self.fresh, || Misfit {
                kind: MisfitKind::UnexpectedColumn,
                line,
                column,
                path: String::new(),
                text: None,
                expected: "no column that the metadata does not describe".into(),
            });
        }
    }

    /// Whether there are examples for [`Self::take_fresh`].
    pub(crate) fn has_fresh(&self) -> bool {
        !self.fresh.is_empty()
    }

    /// Returns the examples since the last call.
    pub(crate) fn take_fresh(&mut self) -> Vec<Misfit> {
        std::mem::take(&mut self.fresh)
    }

    /// Returns every tally that is not empty: whole lines, then columns in the metadata's order, then unexpected ones.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Tally> {
        let known = self.known.iter().flatten();
        self.whole_lines
            .iter()
            .chain(known)
            .chain(&self.unexpected)
            .filter(|tally| !tally.examples.is_empty() || tally.count > 0)
    }
}

impl Tally {
    /// Adds an example from a file without rows, and does not count it.
    fn note(&mut self, expected: &str) {
        let (kind, column) = (self.kind, self.column.clone());
        let misfit = Misfit { kind, line: 1, column, path: String::new(), text: None, expected: expected.to_owned() };
        self.examples.push(misfit);
    }

    fn add(&mut self, line: u64, most: usize, fresh: &mut Vec<Misfit>, misfit: impl FnOnce() -> Misfit) {
        if self.last_line == line {
            return;
        }
        self.last_line = line;
        self.count += 1;
        if self.examples.len() < most {
            let misfit = misfit();
            fresh.push(misfit.clone());
            self.examples.push(misfit);
        }
    }
}

fn cut(text: &str) -> String {
    let shown = shown_part(text);
    if shown.len() < text.len() { format!("{shown}…") } else { shown.to_owned() }
}

fn shown_part(text: &str) -> &str {
    text.char_indices().nth(SHOWN_CHARACTERS).map_or(text, |(end, _)| &text[..end])
}

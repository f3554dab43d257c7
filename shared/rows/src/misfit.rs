//! What does not fit its description, and how often.

use std::collections::HashMap;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use contract::{Column, visible};

use crate::describe::inferred::Inferred;
use crate::values::column::Fault;

/// In what way something does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum MisfitKind {
    /// A line is not UTF-8. It makes no row.
    NotUtf8,
    /// A line is not JSON. It makes no row.
    NotJson,
    /// A line is JSON, or begins like it, but not an object. It makes no row.
    NotAnObject,
    /// A record of a CSV file has quotes where they mean nothing, or that do not end. It makes no row.
    NotCsv,
    /// A record of a CSV file has fewer or more fields than the header names. It makes no row.
    RaggedRow,
    /// A row lacks a column. It reads as null.
    MissingColumn,
    /// A row has a column that is not described. It is not read.
    UnexpectedColumn,
    /// A row has a column twice. It reads as null.
    DuplicateColumn,
    /// A value is not one of the column's type. It reads as null.
    WrongType,
}

/// One thing that does not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit {
    /// In what way.
    pub kind: MisfitKind,
    /// Counted from 1: the line, or the one on which a CSV record begins, or the row of a Parquet file.
    pub line: u64,
    /// The column; for an unexpected one its name in the file, cut. None for a line as a whole.
    pub column: Option<Arc<str>>,
    /// Where inside the column's value, such as `.a[3]`, if not the whole of it.
    pub path: String,
    /// The offending text as the file has it, cut. Never there for a sensitive column, and not for a whole line of a
    /// table that has one.
    pub text: Option<String>,
    /// What should have been there.
    pub expected: String,
}

impl Misfit {
    /// The column's name.
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

/// How often one kind of misfit was seen in one column over the whole file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally {
    /// In what way.
    pub kind: MisfitKind,
    /// The column; None for lines as a whole, and for the unexpected columns beyond the first
    /// [`MAXIMUM_UNEXPECTED_NAMES`] of different names.
    pub column: Option<Arc<str>>,
    /// Rows (or lines) with it; a row counts once, however many values inside it do not fit. None of a file that has no
    /// rows, and whose own description of its columns does not fit.
    pub count: u64,
    /// The first of them.
    pub examples: Vec<Misfit>,
    /// What the values look like; of an unexpected column that is one of the row's own.
    pub inferred: Option<Inferred>,
    last_line: u64,
}

/// Unexpected columns of more names are counted together: a hostile file has no end of them.
pub(crate) const MAXIMUM_UNEXPECTED_NAMES: usize = 100;
/// Longest piece of a file that a misfit shows, in characters.
const SHOWN_CHARACTERS: usize = 80;

/// The counts of a file under way. Bounded by the metadata, not by the file.
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
    /// Those of the row under way, by place in `unexpected`: the row may yet turn out not to be one.
    unexpected_in_row: Vec<(usize, Option<Range<usize>>)>,
    /// Whether the last of them is the one whose value comes next.
    awaits_value: bool,
    /// Those that every row of the file has.
    unexpected_in_all: Vec<usize>,
    fresh: Vec<Misfit>,
}

#[derive(Debug)]
struct Known {
    name: Arc<str>,
    /// What it is called in the files.
    in_files: Box<str>,
    sensitive: bool,
}

impl Known {
    /// What is expected of a row that lacks it.
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

    /// Whether a line as it is may be seen.
    pub(crate) fn shows_lines(&self) -> bool {
        self.lines_shown
    }

    /// Whether the names of a header may be seen. Where there are sensitive columns, a header that names none of the
    /// columns is taken for a row of a file without one.
    pub(crate) fn shows_names<'a>(&self, mut header: impl Iterator<Item = &'a str>) -> bool {
        let is_described = |name: &str| {
            let name = name.trim();
            !name.is_empty() && self.columns.iter().any(|column| column.in_files.trim().eq_ignore_ascii_case(name))
        };
        self.lines_shown || header.any(is_described)
    }

    /// A line that makes no row.
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
            // four bytes a character at most
            text: shown.then(|| cut(&String::from_utf8_lossy(&text[..text.len().min(4 * SHOWN_CHARACTERS + 4)]))),
            expected: expected.to_string(),
        });
    }

    /// A column that a row lacks.
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

    /// A value that does not fit.
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

    /// Whether the text of the next misfit of a column is worth making.
    pub(crate) fn shows(&self, kind: MisfitKind, column: usize) -> bool {
        let of_kind = |tally: &&Tally| tally.kind == kind;
        let shown = self.known[column].iter().find(of_kind).map_or(0, |tally| tally.examples.len());
        !self.columns[column].sensitive && shown < self.examples
    }

    /// Something inside a value that does not fit.
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

    /// A column that a file without rows lacks.
    pub(crate) fn missing_without_rows(&mut self, column: usize) {
        self.known[column][0].note(&self.columns[column].missing("to be there; no row follows"));
    }

    /// A column that a file without rows has twice.
    pub(crate) fn duplicate_without_rows(&mut self, column: usize) {
        self.known[column][1].note("the column once; here it is twice, and no row follows");
    }

    /// The columns that a file without rows has, and that are not described.
    pub(crate) fn unexpected_without_rows(&mut self) {
        for n in &self.unexpected_in_all {
            self.unexpected[*n].note("no column that the metadata does not describe; no row follows");
        }
    }

    /// A column that a row has twice.
    pub(crate) fn duplicate(&mut self, line: u64, column: usize) {
        self.value(MisfitKind::DuplicateColumn, line, column, &"", "", &"the column once in a row");
    }

    /// A name that is not described; counts when the row turns out to be one.
    pub(crate) fn unexpected(&mut self, line: u64, name: &str) {
        let n = self.unexpected_place(name);
        // once per row: a hostile line repeats a name without end
        self.awaits_value = self.unexpected[n].last_line != line;
        if self.awaits_value {
            self.unexpected[n].last_line = line;
            self.unexpected_in_row.push((n, None));
        }
    }

    /// A name that is not described, in every row of the file. Returns the place for [`Self::unexpected_field`].
    pub(crate) fn unexpected_everywhere(&mut self, name: &str) -> usize {
        let n = self.unexpected_place(name);
        if !self.unexpected_in_all.contains(&n) {
            self.unexpected_in_all.push(n);
        }
        n
    }

    /// A row's field of such a name.
    pub(crate) fn unexpected_field(&mut self, place: usize, text: &str, quoted: bool) {
        let tally = &mut self.unexpected[place];
        // the names beyond the limit share one tally, which is of no one type
        if tally.column.is_some() {
            tally.inferred.get_or_insert_default().see_field(text, quoted);
        }
    }

    /// What the file itself says of a column that is not described, given by its place. Asked for once a name: those
    /// beyond the limit share one tally, which is of no one type.
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

    /// The value of the last of them, which is a part of the row's text.
    pub(crate) fn unexpected_value(&mut self, text: &str, json: &str) {
        if let (true, Some((_, value))) = (self.awaits_value, self.unexpected_in_row.last_mut()) {
            let start = json.as_ptr().addr() - text.as_ptr().addr();
            *value = Some(start..start + json.len());
        }
    }

    /// A field that is not described, inside a column's value. The names of fields may be data: those of a sensitive
    /// column are not told.
    pub(crate) fn unexpected_inside(&mut self, line: u64, column: usize, place: &dyn fmt::Display) {
        let Known { name, sensitive, .. } = &self.columns[column];
        let name = if *sensitive { format!("{name}.…") } else { format!("{name}{place}") };
        self.unexpected(line, &name);
    }

    /// The line was a row: what was unexpected in it counts.
    pub(crate) fn row(&mut self, line: u64, text: &str) {
        for (n, _) in &self.unexpected_in_row {
            self.unexpected[*n].last_line = 0;
        }
        let in_all = self.unexpected_in_all.iter().map(|n| (*n, None));
        for (n, value) in self.unexpected_in_row.drain(..).chain(in_all) {
            let tally = &mut self.unexpected[n];
            // the names beyond the limit share one tally, which is of no one type
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

    /// Whether there is something for [`Self::take_fresh`].
    pub(crate) fn has_fresh(&self) -> bool {
        !self.fresh.is_empty()
    }

    /// The examples that came since the last call.
    pub(crate) fn take_fresh(&mut self) -> Vec<Misfit> {
        std::mem::take(&mut self.fresh)
    }

    /// Everything that was seen, lines first, then in the order of the columns.
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
    /// Something of a file without rows.
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

//! The layout of a report in a terminal.

use std::fmt;

use contract::{visible, visible_lines};

use crate::drift::Unfilled;
use crate::figures::{broken, counted};
use crate::report::{Example, Report, Violation};

/// The longest cell, in characters, except in the last column of a row.
const CELL_CHARACTERS: usize = 60;
/// The most examples that are printed for a rule.
const PRINTED_EXAMPLES: usize = 3;
const HEADINGS: [&str; 6] = ["RULE", "COLUMN", "ROWS", "SHARE", "EXPECTED", "FIRST ROWS"];
/// Whether a column is aligned to the right, as numbers are.
const RIGHT: [bool; 6] = [false, false, true, true, false, false];

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = visible(&self.object.key);
        let table = self.table.as_ref().map(|table| format!(" as `{table}`")).unwrap_or_default();
        match self.failures.len() {
            0 => writeln!(f, "{key} passes{table}")?,
            rules => writeln!(f, "{key} does not pass{table}: {}", broken(rules))?,
        }
        writeln!(
            f,
            "{}, {}, {} of text, {} in the file",
            counted(self.rows, "row"),
            counted(self.lines, "line"),
            counted(self.inflated_bytes, "byte"),
            counted(self.object.bytes, "byte")
        )?;
        if !self.failures.is_empty() {
            writeln!(f)?;
            let rows: Vec<[String; 6]> = self.failures.iter().map(row).collect();
            write_table(f, &rows)?;
        }

        let snippets: Vec<String> = self.drift.snippets().collect();
        if !snippets.is_empty() {
            writeln!(f, "\nNew columns, to paste among the table's columns in the metadata:")?;
            writeln!(f, "  {}", visible_lines(&snippets.join(",\n  ")))?;
        }
        write_names(f, "Described columns that no row has", &self.drift.gone)?;
        write_names(f, "Described columns without a value in any row", &self.drift.always_null)
    }
}

fn row(broken: &Violation) -> [String; 6] {
    let count = broken.count.map(|count| count.to_string()).unwrap_or_default();
    let percent = broken.percent.map(|percent| format!("{percent}%")).unwrap_or_default();
    let examples: Vec<String> = broken.examples.iter().take(PRINTED_EXAMPLES).map(example).collect();
    let column = broken.column.as_deref().map(name).unwrap_or_default();
    let expected = visible(&broken.expected).into_owned();
    // the last column may be longer than a cell, and a rule about the whole file has nothing there
    let expected = if broken.count.is_some() { cut(&expected) } else { expected };
    [broken.rule.into(), cut(&column), count, percent, expected, examples.join("; ")]
}

fn example(example: &Example) -> String {
    let mut text = format!("line {}", example.line);
    if let Some(path) = &example.path {
        text += &format!(" at {}", visible(path));
    }
    if let Some(value) = &example.value {
        text += &format!(": `{}`", visible(value));
    }
    if let Some(first) = example.first_line {
        text += &format!(" as on line {first}");
    }
    text
}

fn write_table(f: &mut fmt::Formatter<'_>, rows: &[[String; 6]]) -> fmt::Result {
    let width = |n: usize| {
        let cells = rows.iter().map(|row| row[n].chars().count()).filter(|width| *width <= CELL_CHARACTERS);
        cells.chain([HEADINGS[n].len()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..HEADINGS.len()).map(width).collect();
    let rules = widths.iter().map(|width| "-".repeat(*width));
    let lines = [HEADINGS.map(str::to_owned).to_vec(), rules.collect()].into_iter();
    for line in lines.chain(rows.iter().map(|row| row.to_vec())) {
        let cells =
            line.iter().zip(&widths).zip(RIGHT).map(|((cell, width), right)| {
                if right { format!("{cell:>width$}") } else { format!("{cell:<width$}") }
            });
        writeln!(f, "{}", cells.collect::<Vec<_>>().join("  ").trim_end())?;
    }
    Ok(())
}

fn write_names(f: &mut fmt::Formatter<'_>, what: &str, columns: &[Unfilled]) -> fmt::Result {
    if columns.is_empty() {
        return Ok(());
    }
    let names: Vec<String> = columns.iter().map(|unfilled| format!("`{}`", visible(&unfilled.column))).collect();
    writeln!(f, "\n{what}: {}", names.join(", "))
}

/// Returns the name of a column, quoted if its ends would not be visible.
fn name(column: &str) -> String {
    let shown = visible(column);
    if column.is_empty() || column.starts_with(' ') || column.ends_with(' ') {
        format!("`{shown}`")
    } else {
        shown.into_owned()
    }
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(CELL_CHARACTERS - 1) {
        Some((end, c)) if end + c.len_utf8() < text.len() => format!("{}…", &text[..end]),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_s_name_is_seen_whole() {
        for (column, shown) in [("n", "n"), ("n ", "`n `"), (" n", "` n`"), ("", "``"), ("n\u{a0}", "n\\u{a0}")] {
            assert_eq!(name(column), shown);
        }
        assert_eq!(cut(&"é".repeat(60)), "é".repeat(60));
        assert_eq!(cut(&"é".repeat(61)), "é".repeat(59) + "…");
    }
}

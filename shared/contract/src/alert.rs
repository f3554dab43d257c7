//! What people are told of files that were rejected: the text of a mail, whoever sends it.

use std::fmt::Write;

use crate::visible;

/// Files that a mail describes.
const DESCRIBED: usize = 10;
/// Longest description of a file, in characters. SNS takes 256 KiB in all.
const DESCRIPTION_CHARACTERS: usize = 2_000;

/// A file that was rejected.
pub struct Rejected<'a> {
    /// The key that it had.
    pub key: &'a str,
    /// Why, in a sentence or two.
    pub summary: &'a str,
    /// Where its report is.
    pub report: &'a str,
}

/// The first files with why and where the report is, and how many more there are. Nothing unseen is in it.
pub fn describe<'a>(rejected: impl ExactSizeIterator<Item = Rejected<'a>>) -> String {
    let more = rejected.len().saturating_sub(DESCRIBED);
    let mut text = String::new();
    for Rejected { key, summary, report } in rejected.take(DESCRIBED) {
        let whole = visible(summary);
        let mut summary: String = whole.chars().take(DESCRIPTION_CHARACTERS).collect();
        if summary.len() < whole.len() {
            summary.push('…');
        }
        let _ = write!(text, "{}\n  {summary}\n  Report: {}\n\n", visible(key), visible(report));
    }
    if more > 0 {
        let files = if more == 1 { "file" } else { "files" };
        let _ = write!(text, "And {more} {files} more: see the log or the reports bucket.\n\n");
    }
    text
}

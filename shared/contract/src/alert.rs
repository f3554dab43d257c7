//! The text of a notification about rejected files, whichever function sends it.

use std::fmt::Write;

use crate::visible;

/// The most files that one message describes.
const DESCRIBED: usize = 10;
/// The longest description of a file, in characters. SNS accepts 256 KiB in total.
const DESCRIPTION_CHARACTERS: usize = 2_000;

/// A file that was rejected.
pub struct Rejected<'a> {
    /// The key that the file had in its area.
    pub key: &'a str,
    /// The reason, in a sentence or two.
    pub summary: &'a str,
    /// The location of its report.
    pub report: &'a str,
}

/// Describes the first files, each with reason and report, and counts the rest. The text contains no invisible
/// characters.
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

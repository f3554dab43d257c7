//! Problems in metadata files: the file, the place in it and the repair. They are collected, so that a person can
//! repair all files in one go.

use crate::words::quoted;
use std::fmt;
use std::path::{Path, PathBuf};

use crate::Failure;

/// A problem in one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The metadata or SQL file.
    pub file: PathBuf,
    /// The place in the file: a JSON path such as `columns[3].type`, or empty for the file as a whole.
    pub path: String,
    /// What is wrong, and what was expected.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.file.display())?;
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)
    }
}

/// The problems of all files that were read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl Problems {
    /// Returns each problem as a line of its own.
    pub fn lines(&self) -> Vec<String> {
        self.0.iter().map(ToString::to_string).collect()
    }

    /// Adds a problem.
    pub fn add(&mut self, file: &Path, path: impl Into<String>, message: impl Into<String>) {
        self.0.push(Problem { file: file.to_owned(), path: path.into(), message: message.into() });
    }

    /// Whether there are no problems.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} problem{} in the metadata", self.0.len(), if self.0.len() == 1 { "" } else { "s" })?;
        for problem in &self.0 {
            write!(f, "\n  {problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

impl From<Problems> for Failure {
    fn from(problems: Problems) -> Self {
        Failure::bad_metadata(problems)
    }
}

/// Returns the candidate that `word` most likely means, if one is similar enough.
///
/// ```
/// assert_eq!(contract::nearest("postocde", ["postcode", "country"]), Some("postcode"));
/// assert_eq!(contract::nearest("x", ["postcode", "country"]), None);
/// ```
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(&word.to_lowercase(), candidate), candidate))
        .filter(|(score, _)| *score >= 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

/// Returns `; did you mean …?`, or the valid choices if none is similar.
pub(crate) fn suggestion(word: &str, candidates: &[&str]) -> String {
    match nearest(word, candidates.iter().copied()) {
        Some(found) => format!("; did you mean `{found}`?"),
        None if candidates.is_empty() => String::new(),
        None => format!("; valid are {}", quoted(candidates)),
    }
}

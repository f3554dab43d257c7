//! Tests docs/schema against the reader. Both accept the same files, except for the rules that docs/metadata.md lists
//! as not expressed by the schema.
//!
//! - `judge`: the verdicts of both on a file, and the places of problems
//! - `unsaid`: the rules that no schema expresses
//! - `examples`: valid and invalid files
//! - `agreement`: the tests, with examples and thousands of changes to them

#[cfg(test)]
mod agreement;
#[cfg(test)]
mod examples;
#[cfg(test)]
mod judge;
#[cfg(test)]
mod unsaid;

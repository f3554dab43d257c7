//! docs/schema against the reader: what the one takes the other takes, but for the rules that docs/metadata.md lists as
//! said by no schema.
//!
//! - `judge`: what either says of a file, and where
//! - `unsaid`: the rules that no schema says
//! - `examples`: good and bad files
//! - `agreement`: the tests; examples, and thousands of changes to them

#[cfg(test)]
mod agreement;
#[cfg(test)]
mod examples;
#[cfg(test)]
mod judge;
#[cfg(test)]
mod unsaid;

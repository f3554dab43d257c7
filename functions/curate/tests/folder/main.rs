//! Builds tables from a local folder, with everything of the function except S3.

#![expect(clippy::unwrap_used, reason = "a test that meets what it did not expect has failed")]

mod order;
mod pairs;
mod place;
mod points;
mod privacy;

mod answers;
mod append;
mod arithmetic;
mod assignment;
mod between;
mod claims;
mod clauses;
mod constants;
mod distinct;
mod forms;
mod guards;
mod misfits;
mod process;
mod refusals;
mod reproducible;
mod row_groups;
mod tables;
mod trouble;
mod verify;

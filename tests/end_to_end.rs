//! The whole pipeline on the local cloud: real function processes, real notifications, the state machine, Athena. Run
//! by `make test`, which builds the functions first.
//!
//! - [`journey`]: from schedule to query, as a user sees it
//! - [`landing`]: landing files and their verdicts
//! - [`hostile`]: files that were made to do harm
//! - [`interrupted`]: processes killed in the middle of their work
//! - [`catalog`]: plans, rollback, expiry
//! - [`others`]: tables of other owners that have a described name
//! - [`partitions`]: calls to publish many partitions
//! - [`overlap`]: publications, rollbacks and expiry at the same time
//! - [`explorer`]: each invocation runs at every call of another one, and dies or is refused at every call of its own
//! - [`refused`]: calls that AWS refuses, and lost answers
//! - [`readers`]: concurrent queries see one published run after the other
//! - [`reading`]: the tables, read by analysts' libraries
//! - [`retyped`]: columns whose type changes
//! - [`datasets`]: a new dataset, without Rust
//! - [`raw_history`]: the database over raw-hist
//! - [`slow`]: services that answer late, never or in part
//! - [`stages`]: the process stage, appending, verifying
//! - [`template`]: the settings that the deployed template gives the functions
//! - [`trouble`]: one faulty table beside others

#![expect(clippy::unwrap_used, reason = "a test that meets what it did not expect has failed")]

#[path = "catalog.rs"]
mod catalog;
#[path = "datasets.rs"]
mod datasets;
#[path = "explorer/mod.rs"]
mod explorer;
#[path = "hostile.rs"]
mod hostile;
#[path = "interrupted.rs"]
mod interrupted;
#[path = "journey.rs"]
mod journey;
#[path = "landing.rs"]
mod landing;
#[path = "others.rs"]
mod others;
#[path = "overlap.rs"]
mod overlap;
#[path = "partitions.rs"]
mod partitions;
#[path = "raw_history.rs"]
mod raw_history;
#[path = "readers.rs"]
mod readers;
#[path = "reading.rs"]
mod reading;
#[path = "refused.rs"]
mod refused;
#[path = "retyped.rs"]
mod retyped;
#[path = "slow.rs"]
mod slow;
#[path = "stages.rs"]
mod stages;
#[path = "template.rs"]
mod template;
#[path = "trouble.rs"]
mod trouble;

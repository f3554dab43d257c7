//! The decision: one object for each database that states what is published. It is changed only by a write that is
//! conditional on the version that was read. That write is the publication, the rollback, the revert after a failed
//! review, or the promise of expiry. The same invocation, or a later one, then brings Glue in line with it.
//!
//! This module is pure: a decision depends only on the one before it and on a run's manifest.

mod decide;
#[cfg(test)]
mod model;
mod places;
mod record;
#[cfg(test)]
mod tests;

#[cfg(test)]
use decide::Refusal;
pub(crate) use decide::{Outcome, Proposal, Proposed, drop_tables, expire, publish, roll_back, take_back, take_over};
pub(crate) use places::Places;
pub(crate) use record::{Decided, Decision, ENTRY_TIME, PartitionState, TableState, same_location};

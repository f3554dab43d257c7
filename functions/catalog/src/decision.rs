//! The decision: one object for each database says what is published, and is changed only by a write over exactly what
//! was read. That write is the publication, the rollback, the way back of a review that fails, the promise of expiry.
//! Glue is brought in line with it afterwards, by whoever comes.
//!
//! All of this module is pure: what is decided follows from what was decided before, from a run's manifest, and from
//! nothing else.

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

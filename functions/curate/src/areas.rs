//! The areas of a pipeline.

use crate::area::Area;
use crate::published::Published;
use crate::quarantine::Quarantine;

/// The areas of a pipeline, as far as tables are built in them.
#[derive(Clone, Debug)]
pub struct Areas {
    /// The immutable history.
    pub raw_hist: Area,
    /// Copies of what landed, for as long as somebody needs them.
    pub raw: Area,
    /// What was made clean of raw files.
    pub processed: Area,
    /// What catalog points at.
    pub curated: Area,
    /// Where raw files go that cannot be processed; on this machine they stay where they are.
    pub quarantine: Option<Quarantine>,
    /// Where it is known what catalog points at.
    pub published: Published,
}

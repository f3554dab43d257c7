//! The areas of a pipeline that curate uses.

use crate::area::Area;
use crate::published::Published;
use crate::quarantine::Quarantine;

/// The areas that a stage reads and writes.
#[derive(Clone, Debug)]
pub struct Areas {
    /// The immutable history.
    pub raw_hist: Area,
    /// Transient copies of landed files.
    pub raw: Area,
    /// Clean files made from raw ones.
    pub processed: Area,
    /// The tables that catalog publishes.
    pub curated: Area,
    /// Receives raw files that cannot be processed. `None` on local folders, where such files stay in place.
    pub quarantine: Option<Quarantine>,
    /// The place to look up the published run of a table.
    pub published: Published,
}

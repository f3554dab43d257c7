//! The tasks of actors, and how they end.

use contract::RunId;

/// The task of an actor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Task {
    /// Builds a run and publishes it.
    Run,
    /// The same, but the review fails for a reason other than the data.
    RunThatFails,
    /// Rolls back to the first run.
    RollBack,
    /// Deletes what is not published.
    Expire,
}

/// How an actor ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum End {
    Published(RunId),
    LeftAlone,
    Failed,
    RolledBack,
    Refused,
    Expired,
}

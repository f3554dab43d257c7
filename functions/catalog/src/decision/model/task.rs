//! What actors are to do, and how they end.

use contract::RunId;

/// What an actor does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Task {
    /// Curate, and catalog.
    Run,
    /// The same, and the review fails, for no reason that lies in the data.
    RunThatFails,
    /// Back to the first run.
    RollBack,
    /// Deletes what is not published.
    Expire,
}

/// How it has ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum End {
    Published(RunId),
    LeftAlone,
    Failed,
    RolledBack,
    Refused,
    Expired,
}

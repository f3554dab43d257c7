//! A watch: checks, while Glue is brought in line, whether the decision is still the current one.

use std::time::Duration;

use contract::Failure;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::journal::{Current, Journal};

/// The least time between two checks while many calls are made.
const PAUSE: Duration = Duration::from_secs(2);

/// How far Glue has been brought in line with a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// It was already in line.
    InLine,
    /// It was brought in line.
    Changed,
    /// Another decision has been made meanwhile.
    Overtaken,
}

/// Watches a decision.
#[derive(Debug)]
pub(crate) struct Watch<'a> {
    journal: Journal<'a>,
    current: &'a Current,
    seen: Mutex<Instant>,
}

impl<'a> Watch<'a> {
    /// Watches a decision that was read or written just now.
    pub(crate) fn new(journal: Journal<'a>, current: &'a Current) -> Self {
        Self { journal, current, seen: Mutex::new(Instant::now()) }
    }

    /// Whether the decision is still the current one.
    pub(crate) async fn is_current(&self) -> Result<bool, Failure> {
        *self.seen.lock().await = Instant::now();
        self.journal.is_current(self.current).await
    }

    /// As [`Watch::is_current`], but without a request if the last check was less than two seconds ago.
    pub(crate) async fn was_current(&self) -> Result<bool, Failure> {
        if self.seen.lock().await.elapsed() < PAUSE { Ok(true) } else { self.is_current().await }
    }
}

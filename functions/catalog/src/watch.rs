//! A look at whether a decision is still the one, for whoever brings Glue in line with it.

use std::time::Duration;

use contract::Failure;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::journal::{Current, Journal};

/// Between two looks while many calls go out.
const PAUSE: Duration = Duration::from_secs(2);

/// How far Glue has been brought in line with a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// It was in line.
    InLine,
    /// It is in line now.
    Changed,
    /// There is another decision by now.
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
    /// Of a decision that was read or written right now.
    pub(crate) fn new(journal: Journal<'a>, current: &'a Current) -> Self {
        Self { journal, current, seen: Mutex::new(Instant::now()) }
    }

    /// Whether nobody has decided anything else.
    pub(crate) async fn is_current(&self) -> Result<bool, Failure> {
        *self.seen.lock().await = Instant::now();
        self.journal.is_current(self.current).await
    }

    /// As [`Watch::is_current`], but where the last look is not long ago.
    pub(crate) async fn was_current(&self) -> Result<bool, Failure> {
        if self.seen.lock().await.elapsed() < PAUSE { Ok(true) } else { self.is_current().await }
    }
}

//! Windows: time spans whose files are built together, however soon a rebuild could begin.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chrono::{DateTime, SecondsFormat};
use contract::Failure;

use crate::rebuild::state::Next;

/// The longest name of an execution, in characters.
/// <https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html>
const MAXIMUM_NAME: usize = 80;
/// A window that ends sooner than this counts as over.
const MARGIN: Duration = Duration::from_millis(250);

/// A time span that ends at a multiple of its length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window {
    /// The current time, since 1970.
    now: Duration,
    /// Unix seconds, exclusive.
    end: u64,
}

impl Window {
    /// Returns the window that contains a given time, or the next one if it is about to end. Windows begin at multiples
    /// of their length, which is at least 1.
    pub(super) fn of(now: SystemTime, seconds: u64) -> Self {
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { now, end: ((now + MARGIN).as_secs() / seconds + 1) * seconds }
    }

    /// Returns an execution that waits for the window's end. Its name is valid for Step Functions and has not been used
    /// before, as Step Functions does not accept a name twice within 90 days.
    pub(super) fn execution(self, database: &str) -> Result<Next, Failure> {
        let suffix = format!("-{}-{:x}", self.end, self.now.as_nanos());
        let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        let database = database.chars().map(|c| if allowed(c) { c } else { '-' });
        let name = database.take(MAXIMUM_NAME - suffix.len()).chain(suffix.chars()).collect();
        let end = i64::try_from(self.end).ok().and_then(|end| DateTime::from_timestamp(end, 0));
        let end = end.ok_or_else(|| Failure::internal(format!("{} is no time in Unix seconds", self.end)))?;
        Ok(Next { name, window_ends_at: end.to_rfc3339_opts(SecondsFormat::Secs, true) })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(millis: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(millis)
    }

    #[test]
    fn an_execution_is_named_after_database_window_and_moment() {
        let next = Window::of(at(1_800_000_000), 60).execution("example_postcodes_db").unwrap();
        assert_eq!(next.name, "example_postcodes_db-1800060-6651728988000");
        assert_eq!(next.window_ends_at, "1970-01-21T20:01:00Z");
        assert_eq!(Window::of(at(1_800_059_700), 60).end, 1_800_060);
        assert_eq!(Window::of(at(1_800_059_751), 60).end, 1_800_120);
        let long = Window::of(at(4_000_000_000_000), 60).execution(&"é".repeat(255)).unwrap().name;
        assert!(long.len() == 80 && long.contains("--4000000020-"), "{long}");
    }

    proptest! {
        #[test]
        fn a_window_ends_after_the_moment(millis in 0_u64..4_000_000_000_000, seconds in 1_u64..100_000) {
            let end = Window::of(at(millis), seconds).end;
            prop_assert!(at(end * 1000) > at(millis) + MARGIN);
            prop_assert!(at(end * 1000) <= at(millis) + MARGIN + Duration::from_secs(seconds));
            prop_assert_eq!(end % seconds, 0);
        }
    }
}

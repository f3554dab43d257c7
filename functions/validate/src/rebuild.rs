//! Asks for a rebuild of the curated tables. Executions are named after the database and a window of time: files that
//! pass within one window share its execution, and the execution waits for the window's end before it looks which
//! files there are. So 10,000 files that land together cause one or two rebuilds.
//!
//! The promise: some execution starts whose window ends after the file was promoted.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_sdk_sfn::Client;
use chrono::{DateTime, SecondsFormat};
use contract::message::RebuildRequest;
use contract::{Failure, FailureKind};

/// <https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html>
const MAXIMUM_NAME: usize = 80;
/// This function's clock and the state machine's differ. A window that ends sooner than this may have ended already,
/// and its execution may have listed the files already: the next window is asked for instead.
const CLOCK_MARGIN: Duration = Duration::from_millis(250);
/// Windows tried. The execution of a window that has not ended is running, unless somebody stopped it.
const ATTEMPTS: u32 = 5;

/// How to ask for a rebuild.
#[derive(Clone, Debug)]
pub struct Rebuild {
    client: Client,
    state_machine: String,
    database: String,
    window_seconds: u64,
}

/// A stretch of time whose files are built together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Window {
    /// Unix seconds.
    start: u64,
    /// Unix seconds; belongs to the next window.
    end: u64,
}

impl Window {
    /// The window in which a moment lies, or the next when it is about to end. Windows begin at multiples of their
    /// length, so that all invocations agree on them.
    fn of(now: SystemTime, seconds: u64) -> Self {
        let moment = now.duration_since(UNIX_EPOCH).unwrap_or_default() + CLOCK_MARGIN;
        let start = moment.as_secs() / seconds * seconds;
        Self { start, end: start + seconds }
    }

    fn next(self) -> Self {
        Self { start: self.end, end: self.end + (self.end - self.start) }
    }

    /// The execution's name, within what Step Functions allows.
    fn name(self, database: &str) -> String {
        let suffix = format!("-{}", self.start);
        let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        let database = database.chars().map(|c| if allowed(c) { c } else { '-' });
        database.take(MAXIMUM_NAME - suffix.len()).chain(suffix.chars()).collect()
    }

    /// The execution's input. The same window has the same bytes: a second request with the same name and input is the
    /// same request to Step Functions.
    fn input(self) -> Result<String, Failure> {
        let end = i64::try_from(self.end).ok().and_then(|end| DateTime::from_timestamp(end, 0));
        let end = end.ok_or_else(|| Failure::internal(format!("{} is no time in Unix seconds", self.end)))?;
        let window_ends_at = Some(end.to_rfc3339_opts(SecondsFormat::Secs, true));
        serde_json::to_string(&RebuildRequest { window_ends_at, ..RebuildRequest::default() })
            .map_err(Failure::internal)
    }
}

impl Rebuild {
    /// `window_seconds` is at least 1.
    pub fn new(client: Client, state_machine: String, database: String, window_seconds: u64) -> Self {
        Self { client, state_machine, database, window_seconds: window_seconds.max(1) }
    }

    /// Makes sure that an execution will list the files that are there now; gives its ARN.
    pub async fn ask(&self) -> Result<String, Failure> {
        let mut window = Window::of(SystemTime::now(), self.window_seconds);
        let mut attempt = 1;
        loop {
            let name = window.name(&self.database);
            let start = self.client.start_execution().state_machine_arn(&self.state_machine).name(&name);
            match start.input(window.input()?).send().await {
                Ok(started) => return Ok(started.execution_arn),
                Err(error) => {
                    let failure = boot::aws::failure(&error);
                    // closed before its window ended, so somebody stopped it or it failed: it lists nothing any more
                    if failure.kind != FailureKind::Conflict || attempt == ATTEMPTS {
                        return Err(failure.context(format!("starting execution `{name}` of {}", self.state_machine)));
                    }
                    tracing::info!(execution = name, "execution of this window is closed, asking for the next");
                }
            }
            attempt += 1;
            let now = Window::of(SystemTime::now(), self.window_seconds);
            window = if now.start > window.start { now } else { window.next() };
        }
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
    fn all_files_of_a_window_name_the_same_execution() {
        let first = Window::of(at(1_800_000_000), 60);
        assert_eq!(first, Window { start: 1_800_000, end: 1_800_060 });
        assert_eq!(Window::of(at(1_800_059_700), 60), first);
        assert_eq!(Window::of(at(1_800_059_751), 60), first.next());
        assert_eq!(first.name("example_postcodes_db"), "example_postcodes_db-1800000");
        assert_eq!(first.input().unwrap(), r#"{"window_ends_at":"1970-01-21T20:01:00Z"}"#);
        let long = first.name(&"é".repeat(255));
        assert!(long.len() == 80 && long.ends_with("--1800000"), "{long}");
    }

    proptest! {
        #[test]
        fn a_window_ends_after_the_moment(millis in 0_u64..4_000_000_000_000, seconds in 1_u64..100_000) {
            let window = Window::of(at(millis), seconds);
            prop_assert!(at(window.end * 1000) >= at(millis) + CLOCK_MARGIN);
            prop_assert_eq!((window.start % seconds, window.end - window.start), (0, seconds));
            prop_assert_eq!(Window::of(at(window.end * 1000), seconds), window.next());
        }
    }
}

//! Rebuilds of the curated tables: one at a time, and no more than needed. Files that are promoted share the execution
//! that waits for its turn; it lists them when its turn comes. So 10,000 files that land together cause two or three
//! rebuilds, however long one takes.
//!
//! What holds, whatever dies or comes twice: an execution takes its turn, and thereby stops being the one that waits,
//! before it lists any file. Whoever has promoted a file and then reads that an execution waits knows that it will list
//! the file.

mod state;
mod turn;
mod window;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use aws_sdk_sfn::Client;
use contract::message::RebuildRequest;
use contract::{Failure, FailureKind};

pub(crate) use crate::rebuild::state::StateObject;
use crate::rebuild::state::{Known, Next, State};
use crate::rebuild::window::Window;

/// Attempts to name the execution that waits; all but a few invocations find that another one has named it.
const ATTEMPTS: u32 = 10;

/// For how long a running execution is taken for one that still runs.
const REMEMBERED: Duration = Duration::from_secs(2);

/// How to ask for a rebuild.
#[derive(Clone, Debug)]
pub(crate) struct Rebuild {
    /// Step Functions.
    pub client: Client,
    /// ARN of the state machine.
    pub state_machine: String,
    /// The database, which executions are named after.
    pub database: String,
    /// The length of a window, at least 1.
    pub window_seconds: u64,
    /// Where it is written down whose turn it is.
    pub state: StateObject,
    /// What this process has started last.
    pub started: Arc<Mutex<Option<Started>>>,
}

/// An execution that was started, or found to be running.
#[derive(Clone, Debug)]
pub(crate) struct Started {
    name: String,
    arn: String,
    at: Instant,
}

impl Rebuild {
    /// Makes sure that an execution will list the files that are there now; returns its ARN.
    pub(crate) async fn request(&self) -> Result<String, Failure> {
        let mut closed = None;
        let mut attempt = 1;
        loop {
            let failure = match self.named(closed.as_deref()).await {
                Ok(next) => match self.start(&next).await {
                    // closed without having had its turn: somebody stopped it
                    Err(failure) if failure.kind == FailureKind::Conflict => {
                        tracing::info!(execution = next.name, "this execution is closed, asking for another one");
                        closed = Some(next.name);
                        failure
                    }
                    started => return started,
                },
                // somebody else has named another one
                Err(failure) if failure.kind == FailureKind::Conflict => failure,
                Err(failure) => return Err(failure),
            };
            if attempt == ATTEMPTS {
                return Err(failure);
            }
            attempt += 1;
        }
    }

    /// The execution that waits; one to be started where there is none, or it is known to be closed.
    async fn named(&self, closed: Option<&str>) -> Result<Next, Failure> {
        let Known { state, etag } = self.state.read().await?;
        if let Some(next) = state.next.as_ref().filter(|next| Some(next.name.as_str()) != closed) {
            return Ok(next.clone());
        }
        let next = Window::of(SystemTime::now(), self.window_seconds).execution(&self.database)?;
        self.state.write(&State { next: Some(next.clone()), ..state }, etag.as_deref()).await?;
        Ok(next)
    }

    /// Starts it, unless it is running: the same name and the same input are the same request to Step Functions. What
    /// was asked a moment ago is not asked again: 10,000 files at once would be more requests than there may be.
    async fn start(&self, next: &Next) -> Result<String, Failure> {
        let known = self.started.lock().ok().and_then(|started| started.clone());
        if let Some(known) = known.filter(|known| known.name == next.name && known.at.elapsed() < REMEMBERED) {
            return Ok(known.arn);
        }
        let window_ends_at = Some(next.window_ends_at.clone());
        let input = serde_json::to_string(&RebuildRequest { window_ends_at, ..RebuildRequest::default() });
        let input = input.map_err(Failure::internal)?;
        let start = self.client.start_execution().state_machine_arn(&self.state_machine).name(&next.name);
        let started = start.input(input).send().await.map_err(|error| {
            let doing = format!("starting execution `{}` of {}", next.name, self.state_machine);
            boot::aws::failure(&error).context(doing)
        })?;
        let arn = started.execution_arn;
        if let Ok(mut started) = self.started.lock() {
            *started = Some(Started { name: next.name.clone(), arn: arn.clone(), at: Instant::now() });
        }
        Ok(arn)
    }
}

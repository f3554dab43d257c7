//! Rebuilds of the curated tables: one at a time, and no more than needed. Promoted files share the execution that
//! waits for its turn. It lists them when its turn comes, so 10,000 files that land together cause two or three
//! rebuilds, however long one takes.
//!
//! One invariant survives crashes and repeated events: an execution takes its turn, and thereby stops being the waiting
//! one, before it lists any file. If an invocation promotes a file and then reads that an execution waits, that
//! execution will list the file.

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

/// Attempts to name the waiting execution. All but a few invocations find that another one has named it.
const ATTEMPTS: u32 = 10;

/// How long an execution that was found running is assumed to be still running.
const REMEMBERED: Duration = Duration::from_secs(2);

/// Requests rebuilds, and grants executions their turn.
#[derive(Clone, Debug)]
pub(crate) struct Rebuild {
    pub client: Client,
    /// ARN of the state machine.
    pub state_machine: String,
    /// The database, which executions are named after.
    pub database: String,
    /// The length of a window, at least 1.
    pub window_seconds: u64,
    /// The object that records which execution has its turn.
    pub state: StateObject,
    /// The execution that this process started last.
    pub started: Arc<Mutex<Option<Started>>>,
}

/// An execution that was started, or found running.
#[derive(Clone, Debug)]
pub(crate) struct Started {
    name: String,
    arn: String,
    at: Instant,
}

impl Rebuild {
    /// Makes sure that an execution will list the files that are there now. Returns its ARN.
    pub(crate) async fn request(&self) -> Result<String, Failure> {
        let mut closed = None;
        let mut attempt = 1;
        loop {
            let failure = match self.named(closed.as_deref()).await {
                Ok(next) => match self.start(&next).await {
                    // closed without having had its turn: it was stopped
                    Err(failure) if failure.kind == FailureKind::Conflict => {
                        tracing::info!(execution = next.name, "this execution is closed, asking for another one");
                        closed = Some(next.name);
                        failure
                    }
                    started => return started,
                },
                // another invocation has named another one
                Err(failure) if failure.kind == FailureKind::Conflict => failure,
                Err(failure) => return Err(failure),
            };
            if attempt == ATTEMPTS {
                return Err(failure);
            }
            attempt += 1;
        }
    }

    /// Returns the waiting execution. If there is none, or it is known to be closed, names another one, which is to be
    /// started.
    async fn named(&self, closed: Option<&str>) -> Result<Next, Failure> {
        let Known { state, etag } = self.state.read().await?;
        if let Some(next) = state.next.as_ref().filter(|next| Some(next.name.as_str()) != closed) {
            return Ok(next.clone());
        }
        let next = Window::of(SystemTime::now(), self.window_seconds).execution(&self.database)?;
        self.state.write(&State { next: Some(next.clone()), ..state }, etag.as_deref()).await?;
        Ok(next)
    }

    /// Starts the execution, unless it is running: to Step Functions, the same name and input are the same request. A
    /// request made a moment ago is not repeated, as 10,000 files at once would exceed the request limit.
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

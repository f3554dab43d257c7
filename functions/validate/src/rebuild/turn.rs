//! An execution of the state machine asks for its turn before it does anything.

use aws_sdk_sfn::types::ExecutionStatus;
use contract::message::{RebuildRequest, Turn, TurnRequest, TurnResponse};
use contract::{Failure, FailureKind};
use serde_json::Value;

use crate::rebuild::state::{Known, State};
use crate::rebuild::{ATTEMPTS, Rebuild};

/// Between two questions of an execution that waits, in seconds: a quarter of a window, within these.
const SECONDS: (u64, u64) = (1, 15);

impl Rebuild {
    /// Says whether it is an execution's turn; if so, it is from now on, until the execution ends. Asked again by the
    /// same one, it still is.
    pub async fn turn(&self, asked: &TurnRequest) -> Result<TurnResponse, Failure> {
        let mut attempt = 1;
        loop {
            let known = self.state.read().await?;
            match self.decide(asked, known).await {
                Err(failure) if failure.kind == FailureKind::Conflict && attempt < ATTEMPTS => attempt += 1,
                decided => return decided,
            }
        }
    }

    async fn decide(&self, asked: &TurnRequest, Known { state, etag }: Known) -> Result<TurnResponse, Failure> {
        let seconds = (self.window_seconds / 4).clamp(SECONDS.0, SECONDS.1);
        let answer = |turn, by| Ok(TurnResponse { turn, by, seconds });
        let me = &asked.execution;
        if state.turn_of.as_ref() == Some(me) {
            return answer(Turn::Take, None);
        }
        if let Some(other) = state.turn_of.as_ref()
            && self.is_running(other).await?
        {
            let next = state.next.as_ref().map(|next| self.arn(&next.name)).filter(|next| next != me);
            return match next {
                // it will do all that this one would, a little later
                Some(next) if is_whole(&asked.request) && self.is_running(&next).await? => {
                    answer(Turn::Covered, Some(next))
                }
                _ => answer(Turn::Wait, Some(other.clone())),
            };
        }
        let next = state.next.filter(|next| self.arn(&next.name) != *me);
        self.state.write(&State { turn_of: Some(me.clone()), next }, etag.as_deref()).await?;
        answer(Turn::Take, None)
    }

    /// The ARN of an execution:
    /// <https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsstepfunctions.html>
    fn arn(&self, name: &str) -> String {
        format!("{}:{name}", self.state_machine.replacen(":stateMachine:", ":execution:", 1))
    }

    async fn is_running(&self, execution: &str) -> Result<bool, Failure> {
        match self.client.describe_execution().execution_arn(execution).send().await {
            Ok(described) => Ok(described.status == ExecutionStatus::Running),
            Err(error) => match boot::aws::failure(&error) {
                // it ended 90 days ago, or was never started
                failure if failure.kind == FailureKind::NotFound => Ok(false),
                failure => Err(failure.context(format!("looking at execution {execution}"))),
            },
        }
    }
}

/// Whether it is a rebuild of all tables as they are now.
fn is_whole(request: &Value) -> bool {
    let request = serde_json::from_value::<RebuildRequest>(request.clone());
    request.is_ok_and(|request| RebuildRequest { window_ends_at: None, ..request } == RebuildRequest::default())
}

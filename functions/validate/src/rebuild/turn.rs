//! An execution of the state machine asks for its turn before it does anything.

use std::time::{SystemTime, UNIX_EPOCH};

use aws_sdk_sfn::types::ExecutionStatus;
use contract::message::{RebuildRequest, Turn, TurnRequest, TurnResponse};
use contract::{Failure, FailureKind};
use serde_json::Value;

use crate::rebuild::state::{Known, State};
use crate::rebuild::{ATTEMPTS, Rebuild};

/// Between two questions of an execution that waits, in seconds: a quarter of a window, within these.
const SECONDS: (u64, u64) = (1, 15);
/// Of the time that the other one has had already, the part that is waited until the next question, up to a minute: an
/// execution has a history of 25,000 events, and a question makes some nine of them.
/// <https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html>
const PART_OF_ITS_TIME: u64 = 20;
const MOST_SECONDS: u64 = 60;

impl Rebuild {
    /// Says whether it is an execution's turn; if so, it is from now on, until the execution ends. Asked again by the
    /// same one, it still is.
    pub(crate) async fn turn(&self, asked: &TurnRequest) -> Result<TurnResponse, Failure> {
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
        let least = (self.window_seconds / 4).clamp(SECONDS.0, SECONDS.1);
        let answer = |turn, by, running_for| Ok(TurnResponse { turn, by, seconds: pause(least, running_for) });
        let me = &asked.execution;
        if state.turn_of.as_ref() == Some(me) {
            return answer(Turn::Take, None, 0);
        }
        if let Some(other) = state.turn_of.as_ref()
            && let Some(running_for) = self.running_for(other).await?
        {
            let next = state.next.as_ref().map(|next| self.arn(&next.name)).filter(|next| next != me);
            return match next {
                // it will do all that this one would, a little later
                Some(next) if is_whole(&asked.request) && self.running_for(&next).await?.is_some() => {
                    answer(Turn::Covered, Some(next), running_for)
                }
                _ => answer(Turn::Wait, Some(other.clone()), running_for),
            };
        }
        let next = state.next.filter(|next| self.arn(&next.name) != *me);
        self.state.write(&State { turn_of: Some(me.clone()), next }, etag.as_deref()).await?;
        answer(Turn::Take, None, 0)
    }

    /// The ARN of an execution:
    /// <https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsstepfunctions.html>
    fn arn(&self, name: &str) -> String {
        format!("{}:{name}", self.state_machine.replacen(":stateMachine:", ":execution:", 1))
    }

    /// How long an execution has been running, in seconds; `None` of one that does not run.
    async fn running_for(&self, execution: &str) -> Result<Option<u64>, Failure> {
        match self.client.describe_execution().execution_arn(execution).send().await {
            Ok(described) if described.status == ExecutionStatus::Running => {
                let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
                Ok(Some(now.saturating_sub(described.start_date.secs().max(0) as u64)))
            }
            Ok(_) => Ok(None),
            Err(error) => match boot::aws::failure(&error) {
                // it ended 90 days ago, or was never started
                failure if failure.kind == FailureKind::NotFound => Ok(None),
                failure => Err(failure.context(format!("looking at execution {execution}"))),
            },
        }
    }
}

/// Seconds until the next question, to an execution that waits for one that has been running for so long.
fn pause(seconds: u64, running_for: u64) -> u64 {
    seconds.max((running_for / PART_OF_ITS_TIME).min(MOST_SECONDS))
}

/// Whether it is a rebuild of all tables as they are now.
fn is_whole(request: &Value) -> bool {
    let request = serde_json::from_value::<RebuildRequest>(request.clone());
    request.is_ok_and(|request| RebuildRequest { window_ends_at: None, ..request } == RebuildRequest::default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_of_waiting_fits_into_the_history_of_an_execution() {
        let (mut waited, mut questions) = (0, 0);
        while waited < 24 * 60 * 60 {
            waited += pause(1, waited);
            questions += 1;
        }
        assert!(questions * 9 < 25_000, "{questions}");
        assert_eq!(pause(15, 10), 15);
    }
}

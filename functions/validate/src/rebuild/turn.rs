//! Turns: an execution of the state machine asks for its turn before it does anything.

use std::time::{SystemTime, UNIX_EPOCH};

use aws_sdk_sfn::types::ExecutionStatus;
use contract::message::{RebuildRequest, Turn, TurnRequest, TurnResponse};
use contract::{Failure, FailureKind};
use serde_json::Value;

use crate::rebuild::state::{Known, State};
use crate::rebuild::{ATTEMPTS, Rebuild};

/// The least and the greatest pause between two requests of a waiting execution, in seconds. Within these, it is a
/// quarter of a window.
const SECONDS: (u64, u64) = (1, 15);
/// If the other execution has been running for long, the pause is this fraction of its running time, up to a minute. An
/// execution has a history of at most 25,000 events, and a request takes about nine of them.
/// <https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html>
const PART_OF_ITS_TIME: u64 = 20;
const MOST_SECONDS: u64 = 60;

impl Rebuild {
    /// Answers whether it is an execution's turn. If so, the turn is its own until it ends, also if it asks again.
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
                // it will do everything that this one would, a little later
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

    /// Returns the ARN of an execution:
    /// <https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsstepfunctions.html>
    fn arn(&self, name: &str) -> String {
        format!("{}:{name}", self.state_machine.replacen(":stateMachine:", ":execution:", 1))
    }

    /// Returns how long an execution has been running, in seconds; `None` if it is not running.
    async fn running_for(&self, execution: &str) -> Result<Option<u64>, Failure> {
        match self.client.describe_execution().execution_arn(execution).send().await {
            Ok(described) if described.status == ExecutionStatus::Running => {
                let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
                Ok(Some(now.saturating_sub(described.start_date.secs().max(0) as u64)))
            }
            Ok(_) => Ok(None),
            Err(error) => match boot::aws::failure(&error) {
                // it ended more than 90 days ago, or was never started
                failure if failure.kind == FailureKind::NotFound => Ok(None),
                failure => Err(failure.context(format!("looking at execution {execution}"))),
            },
        }
    }
}

/// Returns the seconds until the next request of an execution that waits for one that has been running for this long.
fn pause(seconds: u64, running_for: u64) -> u64 {
    seconds.max((running_for / PART_OF_ITS_TIME).min(MOST_SECONDS))
}

/// Whether the request is for a rebuild of all tables from all current files.
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

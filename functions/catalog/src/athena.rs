//! Athena: runs one query at a time to its end, within a time limit. A query that fails, is cancelled or does not end
//! in time is a failure with Athena's own reason, never an empty answer.

use std::time::Duration;

use aws_sdk_athena::Client;
use aws_sdk_athena::types::{QueryExecutionContext, QueryExecutionState, QueryExecutionStatus, Row};
use contract::{Failure, FailureKind};
use tokio::time::Instant;

/// The first pause between two status requests; each further one is half as long again.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The longest pause between two status requests.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// How long an answer about a query is awaited after the query's own time is up.
pub(crate) const LAST_ANSWER: Duration = Duration::from_secs(5);

/// A client of Athena with the pipeline's settings.
#[derive(Clone, Debug)]
pub(crate) struct Athena {
    pub client: Client,
    /// The workgroup, which also determines where results are stored.
    pub workgroup: String,
    /// How long one query may take, including its time in the queue.
    pub timeout: Duration,
}

impl Athena {
    /// Runs a statement to its end, or until the deadline at the latest. Returns the query's id, by which its result is
    /// read.
    pub(crate) async fn run(&self, database: &str, sql: &str, deadline: Instant) -> Result<String, Failure> {
        let started = Instant::now();
        let give_up = deadline.min(started + self.timeout);
        // The client gives each start its own request token and repeats it on retries: a start whose answer is lost
        // runs once. A token that outlives the call would give a later review the counts of an earlier one.
        let start = self
            .client
            .start_query_execution()
            .work_group(&self.workgroup)
            .query_execution_context(QueryExecutionContext::builder().database(database).build())
            .query_string(sql)
            .send()
            .await
            .map_err(|error| boot::aws::failure(&error).context(format!("starting the query `{sql}`")))?;
        let id = start.query_execution_id().unwrap_or_default().to_owned();
        let ended = self.wait(&id, give_up).await;
        match ended {
            Ok(()) => {
                let ms = started.elapsed().as_millis() as u64;
                tracing::debug!(query = id, sql, ms, "query succeeded");
                Ok(id)
            }
            Err(failure) => Err(failure.context(format!("query {id} `{sql}`"))),
        }
    }

    /// Runs a SELECT to its end and returns all its rows, each value as text.
    pub(crate) async fn rows(
        &self,
        database: &str,
        sql: &str,
        deadline: Instant,
    ) -> Result<Vec<Vec<Option<String>>>, Failure> {
        let id = self.run(database, sql, deadline).await?;
        let mut pages = self.client.get_query_results().query_execution_id(&id).into_paginator().send();
        let mut rows = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| {
                boot::aws::failure(&error).context(format!("reading the result of query {id} `{sql}`"))
            })?;
            let found = page.result_set.and_then(|set| set.rows).unwrap_or_default().into_iter();
            let values = |row: Row| row.data.unwrap_or_default().into_iter().map(|cell| cell.var_char_value).collect();
            rows.extend(found.map(values));
        }
        // the first row holds the names
        if !rows.is_empty() {
            rows.remove(0);
        }
        Ok(rows)
    }

    async fn wait(&self, id: &str, give_up: Instant) -> Result<(), Failure> {
        let mut pause = FIRST_PAUSE;
        loop {
            // a call that hangs must not outlast the query's time
            let patience = give_up.saturating_duration_since(Instant::now()).max(LAST_ANSWER);
            let ask = self.client.get_query_execution().query_execution_id(id).send();
            let state = match tokio::time::timeout(patience, ask).await {
                Ok(Ok(found)) => {
                    let status = found.query_execution().and_then(|query| query.status());
                    if let Some(end) = status.and_then(ended) {
                        return end;
                    }
                    status
                        .and_then(|status| status.state())
                        .map_or("in no known state", |state| state.as_str())
                        .to_owned()
                }
                Ok(Err(error)) => {
                    self.stop(id).await;
                    return Err(boot::aws::failure(&error).context("asking for its state"));
                }
                Err(_) => "of unknown state (Athena did not answer)".to_owned(),
            };
            let left = give_up.saturating_duration_since(Instant::now());
            if left.is_zero() {
                self.stop(id).await;
                return Err(Failure::timeout(format!(
                    "was still {state} when its time was up; Athena was asked to stop it"
                )));
            }
            tokio::time::sleep(pause.min(left)).await;
            pause = (pause * 3 / 2).min(LONGEST_PAUSE);
        }
    }

    /// Stops a query, because it costs money even if nobody waits for it. If that fails, it is only logged: the query's
    /// own failure is the one to report.
    async fn stop(&self, id: &str) {
        let stop = self.client.stop_query_execution().query_execution_id(id).send();
        let problem = match tokio::time::timeout(LAST_ANSWER, stop).await {
            Ok(Ok(_)) => return,
            Ok(Err(error)) => boot::aws::failure(&error),
            Err(_) => Failure::timeout("Athena did not answer in time"),
        };
        tracing::warn!(query = id, error = %problem, "query cannot be stopped");
    }
}

/// Returns how a query ended; `None` while it runs.
fn ended(status: &QueryExecutionStatus) -> Option<Result<(), Failure>> {
    let reason = status.state_change_reason().unwrap_or("Athena gave no reason");
    match status.state()? {
        QueryExecutionState::Succeeded => Some(Ok(())),
        QueryExecutionState::Failed => {
            let retryable = status.athena_error().is_some_and(aws_sdk_athena::types::AthenaError::retryable);
            Some(Err(Failure { kind: kind(reason, retryable), message: format!("failed: {reason}") }))
        }
        // by a person or by the workgroup's limits: in neither case should it be retried at once
        QueryExecutionState::Cancelled => Some(Err(Failure::internal(format!("was cancelled: {reason}")))),
        _ => None,
    }
}

/// Returns the failure kind of a failed query. Athena has no codes, so its message is searched for known words.
fn kind(reason: &str, retryable: bool) -> FailureKind {
    let says = |words: &[&str]| words.iter().any(|word| reason.contains(word));
    if says(&["Throttl", "throttl", "Rate exceeded", "SlowDown", "Slow Down", "TooManyRequests", "exhausted resources"])
    {
        FailureKind::Throttled
    } else if says(&["Query timeout", "EXCEEDED_TIME_LIMIT"]) {
        FailureKind::Timeout
    } else if retryable {
        FailureKind::Unavailable
    } else if reason.contains("HIVE_") {
        FailureKind::BadData
    } else {
        FailureKind::Internal
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_athena::types::AthenaError;

    use super::*;

    fn end_of(state: QueryExecutionState, reason: &str, retryable: bool) -> Option<Result<(), Failure>> {
        let error = AthenaError::builder().retryable(retryable).build();
        ended(&QueryExecutionStatus::builder().state(state).state_change_reason(reason).athena_error(error).build())
    }

    #[test]
    fn only_success_is_success() {
        assert_eq!(end_of(QueryExecutionState::Succeeded, "", false), Some(Ok(())));
        assert_eq!(end_of(QueryExecutionState::Queued, "", false), None);
        assert_eq!(end_of(QueryExecutionState::Running, "", false), None);
        let cancelled = end_of(QueryExecutionState::Cancelled, "by the user", false).unwrap().unwrap_err();
        assert_eq!(cancelled, Failure::internal("was cancelled: by the user"));
        let failed = end_of(QueryExecutionState::Failed, "HIVE_BAD_DATA: Field n", false).unwrap().unwrap_err();
        assert_eq!(failed, Failure::bad_data("failed: HIVE_BAD_DATA: Field n"));
    }

    #[test]
    fn the_reason_says_whether_to_try_again() {
        for (reason, retryable, expected) in [
            ("HIVE_PARTITION_SCHEMA_MISMATCH: There is a mismatch", false, FailureKind::BadData),
            ("HIVE_CANNOT_OPEN_SPLIT: Error opening: SlowDown (Status Code: 503)", false, FailureKind::Throttled),
            ("HIVE_METASTORE_ERROR: Rate exceeded", false, FailureKind::Throttled),
            ("Query exhausted resources at this scale factor", false, FailureKind::Throttled),
            ("Query timeout", false, FailureKind::Timeout),
            ("GENERIC_INTERNAL_ERROR: io", true, FailureKind::Unavailable),
            ("GENERIC_INTERNAL_ERROR: io", false, FailureKind::Internal),
            ("SYNTAX_ERROR: line 1:8: Column 'x' cannot be resolved", false, FailureKind::Internal),
        ] {
            assert_eq!(kind(reason, retryable), expected, "{reason}");
        }
    }
}

//! The main loop of a function: set up once, then answer invocations. Failures reach Lambda under stable names.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_config::SdkConfig;
use contract::{Failure, MetaData, Problem};
use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tracing::Instrument;

use crate::Env;
use crate::answer;
use crate::aws;
use crate::env;
use crate::metrics;
use crate::panics;
use crate::telemetry;

/// The parts from which a function's application is built.
pub struct Boot {
    /// The function's settings.
    pub env: Env,
    /// The configuration of the AWS clients.
    pub aws: SdkConfig,
}

impl Boot {
    /// Reads the description of all datasets, and logs the warnings about it.
    ///
    /// # Errors
    /// Fails with all problems of the settings or, if there are none, of the metadata.
    pub fn metadata(&mut self) -> Result<MetaData, Failure> {
        let folder = self.env.metadata_folder();
        self.env.check()?;
        let metadata = MetaData::read(&folder)?;
        for Problem { file, path, message } in &metadata.warnings.0 {
            tracing::warn!(file = %file.display(), path, reason = message, "metadata may not mean what was intended");
        }
        Ok(metadata)
    }
}

/// The context of an invocation, besides its event.
#[derive(Clone, Debug)]
pub struct Invocation {
    /// Lambda's request id.
    pub request_id: String,
    /// The time at which Lambda will end the invocation.
    pub deadline: SystemTime,
}

impl Invocation {
    /// Returns the time until the deadline, less a reserve for cleaning up and answering.
    pub fn time_left(&self, reserve: Duration) -> Duration {
        self.deadline.duration_since(SystemTime::now()).unwrap_or_default().saturating_sub(reserve)
    }

    /// Awaits `work` until `reserve` before the deadline. `advice` is appended to the message of a timeout.
    ///
    /// # Errors
    /// Returns the failure of `work`, or [`FailureKind::Timeout`](contract::FailureKind::Timeout) if time runs out.
    pub async fn in_time<T>(
        &self,
        reserve: Duration,
        work: impl Future<Output = Result<T, Failure>>,
        advice: &str,
    ) -> Result<T, Failure> {
        let limit = self.time_left(reserve);
        tokio::time::timeout(limit, work).await.unwrap_or_else(|_| {
            let seconds = limit.as_secs();
            Err(Failure::timeout(format!("not done within the function's time ({seconds} s){advice}")))
        })
    }
}

/// The time kept back for answering, capped at a twentieth of the remaining time. Functions that clean up before they
/// answer keep back more.
const TO_ANSWER: Duration = Duration::from_secs(2);

/// Awaits `work` until shortly before Lambda would end the process. Lambda could not report a reason then.
async fn before_the_end<T>(
    invocation: &Invocation,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let reserve = TO_ANSWER.min(invocation.time_left(Duration::ZERO) / 20);
    invocation.in_time(reserve, work, "; the next invocation continues from there").await
}

/// A failure in the form that Lambda reports.
#[derive(Debug)]
struct Reported(Failure);

impl From<Reported> for Diagnostic {
    fn from(Reported(failure): Reported) -> Self {
        let error_message = answer::cut(failure.to_string(), answer::MOST_TEXT_BYTES);
        Diagnostic { error_type: failure.kind.name().into(), error_message }
    }
}

/// Sets the function up and answers invocations until Lambda stops the process.
///
/// A failed setup (wrong metadata, a missing setting) does not end the process. Every invocation then answers with that
/// failure, so the caller reads the reason instead of `Runtime.ExitError`.
///
/// # Errors
/// Fails if the runtime API cannot be reached. A failed invocation is not an error here: the failure is its answer.
pub async fn serve<App, Setup, Handler, Request, Response, Answer>(
    setup: Setup,
    handler: Handler,
) -> Result<(), crate::Error>
where
    Setup: FnOnce(&mut Boot) -> Result<App, Failure>,
    Handler: Fn(Arc<App>, Request, Invocation) -> Answer,
    Answer: Future<Output = Result<Response, Failure>>,
    Request: DeserializeOwned,
    Response: Serialize,
{
    panics::tell_places();
    let env = Env::of_process();
    telemetry::start(env.optional(env::AWS_LAMBDA_LOG_LEVEL));
    metrics::name_function(env.optional(env::AWS_LAMBDA_FUNCTION_NAME).unwrap_or_default());
    let mut boot = Boot { env, aws: aws::config().await };
    let app = setup(&mut boot).map(Arc::new);
    metrics::emit(None, &[("ColdStart", metrics::Unit::Count, 1.0)]);
    let (app, handler) = (&app, &handler);
    lambda_runtime::run(service_fn(move |event: LambdaEvent<Value>| async move {
        let invocation = Invocation {
            request_id: event.context.request_id.clone(),
            deadline: UNIX_EPOCH + Duration::from_millis(event.context.deadline),
        };
        let span = tracing::info_span!("invocation", request_id = %invocation.request_id);
        let answer = panics::caught(async {
            let app = app.as_ref().map_err(Failure::clone)?;
            let request = serde_json::from_value(event.payload)
                .map_err(|error| Failure::bad_input(format!("the event: {error}")))?;
            let answered = before_the_end(&invocation, handler(Arc::clone(app), request, invocation.clone())).await?;
            serde_json::to_value(answered).map(answer::bounded).map_err(Failure::internal)
        });
        answer.instrument(span.clone()).await.map_err(|failure| {
            span.in_scope(|| tracing::error!(error_type = failure.kind.name(), error = %failure, "invocation failed"));
            Reported(failure)
        })
    }))
    .await
}

#[cfg(test)]
mod tests {
    use contract::FailureKind;

    use super::*;

    #[tokio::test]
    async fn work_that_does_not_end_fails_before_lambda_ends_it() {
        let deadline = SystemTime::now() + Duration::from_millis(500);
        let invocation = Invocation { request_id: "r".into(), deadline };
        let failure = before_the_end(&invocation, std::future::pending::<Result<(), Failure>>()).await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::Timeout, "{failure}");
        assert!(SystemTime::now() < deadline);
        assert_eq!(before_the_end(&invocation, async { Ok(1) }).await, Ok(1));
    }
}

//! The configuration of the AWS clients, and the translation of their errors into failures.

use std::time::Duration;

use aws_config::{BehaviorVersion, ConfigLoader, SdkConfig, retry::RetryConfig, timeout::TimeoutConfig};
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use contract::{Failure, FailureKind};

/// How long a connection attempt may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// How long a response may take to begin. Without a value the SDKs wait forever.
const READ_TIMEOUT: Duration = Duration::from_secs(15);

/// Returns the configuration of all clients, read from the environment that Lambda provides.
pub async fn config() -> SdkConfig {
    loader().load().await
}

/// Returns the settings that all clients share, wherever they run: TLS, timeouts and retries.
pub fn loader() -> ConfigLoader {
    let http = aws_smithy_http_client::Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
    aws_config::defaults(BehaviorVersion::latest())
        .http_client(http)
        .retry_config(RetryConfig::standard().with_max_attempts(5))
        .timeout_config(TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT).read_timeout(READ_TIMEOUT).build())
}

/// Translates a client's error into a failure. The caller adds the operation and the object with [`Failure::context`].
pub fn failure<E>(error: &SdkError<E, HttpResponse>) -> Failure
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let status = error.raw_response().map(|response| response.status().as_u16());
    match error {
        SdkError::TimeoutError(_) => Failure::timeout("the service did not answer in time"),
        SdkError::DispatchFailure(dispatch) => {
            let cause = dispatch.as_connector_error().map(|error| chain(error)).unwrap_or_default();
            Failure::unavailable(format!("the service cannot be reached: {cause}"))
        }
        SdkError::ResponseError(response) => {
            let what = format!("the answer (status {}) cannot be read", response.raw().status().as_u16());
            Failure::unavailable(what)
        }
        SdkError::ServiceError(service) => {
            let code = service.err().code().unwrap_or_default();
            let message = service.err().message().unwrap_or("no message");
            let code_and_status = if code.is_empty() { format!("status {}", status.unwrap_or(0)) } else { code.into() };
            Failure { kind: kind(code, status), message: format!("{code_and_status}: {message}") }
        }
        other => Failure::internal(chain(other)),
    }
}

/// Maps an error code of S3, Glue, Athena or Step Functions to a failure kind.
fn kind(code: &str, status: Option<u16>) -> FailureKind {
    match code {
        "Throttling"
        | "ThrottlingException"
        | "ThrottledException"
        | "TooManyRequestsException"
        | "SlowDown"
        | "RequestLimitExceeded"
        | "RequestThrottled"
        | "RequestThrottledException"
        | "BandwidthLimitExceeded" => FailureKind::Throttled,
        "RequestTimeout" | "RequestTimeoutException" | "OperationTimeoutException" => FailureKind::Timeout,
        "NoSuchKey"
        | "NoSuchVersion"
        | "NoSuchBucket"
        | "NoSuchUpload"
        | "NotFound"
        | "EntityNotFoundException"
        | "StateMachineDoesNotExist"
        | "ExecutionDoesNotExist" => FailureKind::NotFound,
        "PreconditionFailed"
        | "ConditionalRequestConflict"
        | "AlreadyExistsException"
        | "ExecutionAlreadyExists"
        | "ConcurrentModificationException"
        | "VersionMismatchException" => FailureKind::Conflict,
        _ => match status {
            Some(404) => FailureKind::NotFound,
            Some(409 | 412) => FailureKind::Conflict,
            Some(429) => FailureKind::Throttled,
            Some(500..) => FailureKind::Unavailable,
            _ => FailureKind::Internal,
        },
    }
}

/// Joins an error and all of its causes. The SDK keeps the actual reason in the innermost one.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_may_pass_is_retryable() {
        for (code, status, expected) in [
            ("SlowDown", Some(503), FailureKind::Throttled),
            ("InternalError", Some(500), FailureKind::Unavailable),
            ("NoSuchKey", Some(404), FailureKind::NotFound),
            ("", Some(404), FailureKind::NotFound),
            ("PreconditionFailed", Some(412), FailureKind::Conflict),
            ("AccessDenied", Some(403), FailureKind::Internal),
        ] {
            assert_eq!(kind(code, status), expected, "{code}");
        }
        assert!(FailureKind::Throttled.is_retryable() && !FailureKind::Conflict.is_retryable());
    }
}

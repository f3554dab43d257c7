//! Retry: whether a failed request is repeated, and when.

use std::time::{Duration, SystemTime};

use contract::FailureKind;
use reqwest::StatusCode;

/// The upper bound of the first wait. It doubles with each further wait.
const BASE: Duration = Duration::from_millis(500);
/// The longest wait, unless the source asks for a longer one.
const CEILING: Duration = Duration::from_secs(20);
/// The longest wait that a source can ask for. After that it is called again anyway; the attempts are bounded.
const RETRY_AFTER_CEILING: Duration = Duration::from_mins(1);

/// What may follow a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Retry {
    /// Nothing: the same request would fail the same way.
    Never,
    /// Another attempt, after a wait of our own choice.
    Backoff,
    /// Another attempt, after the wait that the source asked for.
    After(Duration),
}

/// Classifies a status other than success.
pub(super) fn judge(status: StatusCode, retry_after: Option<Duration>) -> (FailureKind, Retry) {
    let retry = retry_after.map_or(Retry::Backoff, Retry::After);
    match status.as_u16() {
        429 => (FailureKind::Throttled, retry),
        500.. => (FailureKind::Unavailable, retry),
        404 | 410 => (FailureKind::NotFound, Retry::Never),
        // a redirect that was not followed, or a request that the source rejects: the URL is wrong
        _ => (FailureKind::BadMetadata, Retry::Never),
    }
}

/// Exponential backoff with full jitter. The wait is anything up to the bound, so that requests that failed together do
/// not return together. `unit` is a random number in [0, 1).
/// <https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/>
pub(super) fn backoff(failed_attempts: u32, unit: f64) -> Duration {
    let bound = BASE.saturating_mul(2_u32.saturating_pow(failed_attempts.saturating_sub(1))).min(CEILING);
    bound.mul_f64(unit)
}

/// Reads a `Retry-After` header: seconds, or an HTTP date. Any other value is ignored.
/// <https://www.rfc-editor.org/rfc/rfc9110#field.retry-after>
pub(super) fn retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    let wait = if !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit()) {
        // parsing fails only above 64 bits
        Duration::from_secs(value.parse().unwrap_or(u64::MAX))
    } else {
        httpdate::parse_http_date(value).ok()?.duration_since(now).unwrap_or_default()
    };
    Some(wait.min(RETRY_AFTER_CEILING))
}

#[cfg(test)]
mod tests;

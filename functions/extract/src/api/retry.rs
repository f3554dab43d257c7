//! Whether to ask again, and when.

use std::time::{Duration, SystemTime};

use contract::FailureKind;
use reqwest::StatusCode;

/// The first wait is up to this long, the next up to twice as long, and so on.
const BASE: Duration = Duration::from_millis(500);
/// No wait of our own is longer.
const CEILING: Duration = Duration::from_secs(20);
/// A source that asks for more is asked again after this long all the same; the attempts are bounded.
const RETRY_AFTER_CEILING: Duration = Duration::from_mins(1);

/// What may be done after a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Retry {
    /// The same request would fail the same way.
    Never,
    /// Ask again after a while of our own choice.
    Backoff,
    /// The source said when.
    After(Duration),
}

/// What a status other than success means.
pub(super) fn judge(status: StatusCode, retry_after: Option<Duration>) -> (FailureKind, Retry) {
    let retry = retry_after.map_or(Retry::Backoff, Retry::After);
    match status.as_u16() {
        429 => (FailureKind::Throttled, retry),
        500.. => (FailureKind::Unavailable, retry),
        404 | 410 => (FailureKind::NotFound, Retry::Never),
        // a redirect that was not followed, or a request that the source refuses: the URL is wrong
        _ => (FailureKind::BadMetadata, Retry::Never),
    }
}

/// Exponential backoff with full jitter: anything up to the bound, so that requests that failed together do not come
/// back together. `unit` is a random number in [0, 1).
/// <https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/>
pub(super) fn backoff(failed_attempts: u32, unit: f64) -> Duration {
    let bound = BASE.saturating_mul(2_u32.saturating_pow(failed_attempts.saturating_sub(1))).min(CEILING);
    bound.mul_f64(unit)
}

/// A `Retry-After` header: seconds, or an HTTP date. What is neither says nothing.
/// <https://www.rfc-editor.org/rfc/rfc9110#field.retry-after>
pub(super) fn retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    let wait = if !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit()) {
        // only a number beyond 64 bits does not parse
        Duration::from_secs(value.parse().unwrap_or(u64::MAX))
    } else {
        httpdate::parse_http_date(value).ok()?.duration_since(now).unwrap_or_default()
    };
    Some(wait.min(RETRY_AFTER_CEILING))
}

#[cfg(test)]
mod tests;

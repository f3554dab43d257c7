//! The source: an HTTP API, called at its pace and with retries. Answers arrive in the order of the requests. A bounded
//! number of them is fetched ahead of the rows that were taken.

mod pace;
mod retry;

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use contract::{Failure, FailureKind, visible};
use futures::stream::{self, BoxStream, StreamExt};
use reqwest::header::{LOCATION, RETRY_AFTER};
use reqwest::{Client, Response, StatusCode, redirect};
use tokio::time::{Instant, sleep};
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument;

use self::pace::Pacer;
use self::retry::{Retry, backoff, judge, retry_after};
use crate::config::FetchPlan;
use crate::row::{BodyError, Records, Row, Shape, excerpt};

/// The largest body that is accepted.
const MAX_BODY_BYTES: usize = 6 << 20;
/// How much of a failed response's body is read, for the message.
const MAX_ERROR_BODY_BYTES: usize = 1 << 10;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const MAX_REDIRECTS: usize = 5;
/// Identifies the caller to the source.
const USER_AGENT: &str = concat!("landfall/", env!("CARGO_PKG_VERSION"));

/// The HTTP client of all sources. It keeps connections open from one invocation to the next.
#[derive(Clone, Debug)]
pub struct Api {
    client: Client,
}

/// The answers of a plan's requests, some of them still to come.
pub struct Fetch {
    answers: BoxStream<'static, Result<Answer, Failure>>,
    requester: Arc<Requester>,
}

/// The successful response to one request.
#[derive(Debug)]
pub struct Answer {
    records: Records,
    number: u64,
    status: StatusCode,
    requester: Arc<Requester>,
}

impl Answer {
    /// The size of the body, in bytes.
    pub fn bytes(&self) -> u64 {
        self.records.bytes()
    }

    /// Returns the next row, in the order of the body.
    pub fn next_row(&mut self) -> Option<Result<Row, Failure>> {
        let row = self.records.next_row(&self.requester.shape)?;
        Some(row.map_err(|reason| {
            let body = self.records.body().as_bytes();
            let trouble = self.requester.not_rows(self.status, BodyError::BadRecord(reason), body);
            trouble.failure.context(self.requester.doing(self.number))
        }))
    }
}

impl Api {
    /// Creates the HTTP client.
    ///
    /// # Errors
    /// Fails if there are no root certificates to trust.
    pub fn new() -> Result<Self, Failure> {
        // this fails only if a provider is already installed, and that one serves as well
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .user_agent(USER_AGENT)
            .connect_timeout(CONNECT_TIMEOUT)
            .redirect(redirect::Policy::custom(|attempt| {
                let within = attempt.previous().first().is_some_and(|first| first.origin() == attempt.url().origin());
                // a redirect that is not followed is returned as is, and so counts as a failure
                if within && attempt.previous().len() <= MAX_REDIRECTS { attempt.follow() } else { attempt.stop() }
            }))
            .build()
            .map_err(|error| Failure::internal(format!("setting up the HTTP client: {}", causes(&error))))?;
        Ok(Self { client })
    }

    /// Starts the plan's requests. None is repeated after the deadline. The caller has to enforce the deadline on the
    /// answers.
    pub fn fetch(&self, plan: &FetchPlan, deadline: Instant) -> Fetch {
        let source = &plan.source;
        let requester = Arc::new(Requester {
            client: self.client.clone(),
            plan: plan.clone(),
            shape: Shape {
                records: source.records.clone(),
                separator: source.flatten_separator.clone(),
                index_column: source.index_column.clone(),
            },
            deadline,
            pacer: Pacer::new(source.requests_per_second, Instant::now()),
            retries: AtomicU64::new(0),
            retries_allowed: retries_allowed(plan.requests, source.attempts, source.concurrency),
        });
        // Each request is a task of its own. It continues, and does not time out, while earlier rows are being sent to
        // S3. At most `concurrency` requests are open, including answers whose rows were not taken yet. This bounds the
        // memory.
        let each = Arc::clone(&requester);
        let answers = stream::iter(0..plan.requests)
            .map(move |number| {
                let requester = Arc::clone(&each);
                // reserved here, so that requests start in order
                let turn = requester.pacer.reserve();
                let request = async move { requester.answer(number, turn).await };
                AbortOnDropHandle::new(tokio::spawn(request.in_current_span()))
            })
            .buffered(source.concurrency)
            .map(|ended| ended.unwrap_or_else(|error| Err(Failure::internal(format!("a request's task: {error}")))))
            .boxed();
        Fetch { answers, requester }
    }
}

impl Fetch {
    /// Returns the answer to the next request. The first failure ends the fetch.
    pub async fn next(&mut self) -> Option<Result<Answer, Failure>> {
        self.answers.next().await
    }

    /// The number of repeated attempts so far.
    pub fn retries(&self) -> u64 {
        self.requester.retries.load(Ordering::Relaxed)
    }
}

/// Returns the retry budget: one retry per request on average, and on top of that the most that the requests in flight
/// can use. A source that fails more often is down or rejects the requests. Five times the traffic would not help it.
fn retries_allowed(requests: u64, attempts: u32, concurrency: usize) -> u64 {
    requests.saturating_add(u64::from(attempts).saturating_mul(concurrency as u64))
}

/// The state that the requests of a fetch share.
#[derive(Debug)]
struct Requester {
    client: Client,
    plan: FetchPlan,
    shape: Shape,
    deadline: Instant,
    pacer: Pacer,
    retries: AtomicU64,
    retries_allowed: u64,
}

/// A failed attempt.
struct Trouble {
    failure: Failure,
    retry: Retry,
}

impl Requester {
    async fn answer(self: Arc<Self>, number: u64, first_turn: Instant) -> Result<Answer, Failure> {
        let mut failed_attempts = 0;
        let mut turn = first_turn;
        loop {
            self.pacer.wait_for(turn).await;
            let Trouble { failure, retry } = match self.attempt().await {
                Ok((records, status)) => {
                    let requester = Arc::clone(&self);
                    return Ok(Answer { records, number, status, requester });
                }
                Err(trouble) => trouble,
            };
            failed_attempts += 1;
            let wait = match retry {
                Retry::Never => Err(String::new()),
                Retry::Backoff => self.wait(failed_attempts, Duration::ZERO),
                Retry::After(asked) => self.wait(failed_attempts, asked),
            };
            let wait = wait.map_err(|reason| {
                let failure = failure.context(self.doing(number));
                Failure { message: format!("{}{reason}", failure.message), ..failure }
            })?;
            if let Retry::After(asked) = retry {
                self.pacer.pause_until(Instant::now() + asked);
            }
            sleep(wait).await;
            turn = self.pacer.reserve();
        }
    }

    fn doing(&self, number: u64) -> String {
        format!("request {} of {}, GET {}", number + 1, self.plan.requests, self.plan.url)
    }

    /// Returns how long to wait before the next attempt. If there is none, returns the reason, as the end of a message.
    fn wait(&self, failed_attempts: u32, asked: Duration) -> Result<Duration, String> {
        let attempts = self.plan.source.attempts;
        if failed_attempts >= attempts {
            return Err(format!("; given up after {attempts} attempts"));
        }
        let wait = backoff(failed_attempts, fastrand::f64()).max(asked);
        if Instant::now() + wait >= self.deadline {
            let seconds = wait.as_secs();
            return Err(format!("; given up after {failed_attempts} attempts, as no time is left to wait {seconds} s"));
        }
        if self.retries.fetch_add(1, Ordering::Relaxed) >= self.retries_allowed {
            self.retries.fetch_sub(1, Ordering::Relaxed);
            let allowed = self.retries_allowed;
            return Err(format!("; given up, as all requests together have been repeated {allowed} times by now"));
        }
        Ok(wait)
    }

    async fn attempt(&self) -> Result<(Records, StatusCode), Trouble> {
        let timeout = Duration::from_secs(self.plan.source.timeout_seconds);
        let request = self.client.get(self.plan.url.clone()).timeout(timeout);
        let response = request.send().await.map_err(|error| self.no_answer(&error))?;
        if !response.status().is_success() {
            return Err(self.refused(response).await);
        }
        let status = response.status();
        let body = match body(response, MAX_BODY_BYTES).await.map_err(|error| self.no_answer(&error))? {
            Body::Whole(body) => body,
            Body::Cut(_) => {
                let message =
                    format!("the body is larger than {MAX_BODY_BYTES} bytes; let the source answer less at once");
                return Err(Trouble { failure: Failure::bad_data(message), retry: Retry::Never });
            }
        };
        match self.shape.records(body) {
            Ok(records) => Ok((records, status)),
            Err((error, body)) => Err(self.not_rows(status, error, &body)),
        }
    }

    fn no_answer(&self, error: &reqwest::Error) -> Trouble {
        let failure = if error.is_timeout() {
            let seconds = self.plan.source.timeout_seconds;
            Failure::timeout(format!("no answer within {seconds} s ({})", causes(error)))
        } else {
            Failure::unavailable(format!("no answer: {}", causes(error)))
        };
        Trouble { failure, retry: Retry::Backoff }
    }

    async fn refused(&self, response: Response) -> Trouble {
        let status = response.status();
        let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
        let wait = header(RETRY_AFTER).and_then(|value| retry_after(value, SystemTime::now()));
        let (kind, retry) = judge(status, wait);
        let mut message = format!("status {status}");
        if status.is_redirection() {
            let to = header(LOCATION).unwrap_or_default();
            let file = self.plan.file.display();
            message = format!(
                "{message}, a redirect to `{}` that is not followed (another host, or one too many); name the final \
                 URL in {file}",
                visible(to)
            );
        }
        // the status is enough if the body cannot be read
        let (Body::Whole(body) | Body::Cut(body)) = body(response, MAX_ERROR_BODY_BYTES).await.unwrap_or_default();
        Trouble { failure: Failure { kind, message: format!("{message}, {}", self.excerpt(&body)) }, retry }
    }

    fn not_rows(&self, status: StatusCode, error: BodyError, body: &[u8]) -> Trouble {
        // A body that is not JSON comes from a proxy, or was cut short. Without a record, the source did answer, and it
        // may have a record the next time. A record that cannot be a row stays that way.
        let (kind, retry, reason) = match error {
            BodyError::NotJson(reason) => (FailureKind::Unavailable, Retry::Backoff, format!("not JSON: {reason}")),
            BodyError::NoRecord(reason) => (FailureKind::BadData, Retry::Backoff, format!("no record: {reason}")),
            BodyError::BadRecord(reason) => (FailureKind::BadData, Retry::Never, format!("not a row: {reason}")),
        };
        Trouble {
            failure: Failure {
                kind,
                message: format!("status {status}, {}; {}", visible(&reason), self.excerpt(body)),
            },
            retry,
        }
    }

    /// Returns the beginning of a body, unless the body may hold sensitive values.
    fn excerpt(&self, body: &[u8]) -> String {
        if self.plan.sensitive && !body.is_empty() {
            return format!("the body of {} bytes is not shown: the table has sensitive columns", body.len());
        }
        excerpt(body)
    }
}

/// A body, as far as it was read.
enum Body {
    Whole(Vec<u8>),
    Cut(Vec<u8>),
}

impl Default for Body {
    fn default() -> Self {
        Self::Whole(Vec::new())
    }
}

/// Reads a body up to `limit` bytes, whatever length its header declares.
async fn body(mut response: Response, limit: usize) -> Result<Body, reqwest::Error> {
    // the declared length saves the memory that growth by doubling would waste
    let expected = response.content_length().and_then(|length| usize::try_from(length).ok()).unwrap_or(0);
    let mut body = Vec::with_capacity(expected.min(limit));
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > limit {
            body.extend_from_slice(&chunk[..limit - body.len()]);
            return Ok(Body::Cut(body));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Body::Whole(body))
}

/// Returns the reason of an error. reqwest keeps it in the causes; the error itself repeats the URL, which the message
/// already has.
fn causes(error: &reqwest::Error) -> String {
    let mut texts = Vec::new();
    let mut next = error.source();
    while let Some(cause) = next {
        texts.push(cause.to_string());
        next = cause.source();
    }
    texts.dedup();
    if texts.is_empty() { error.to_string() } else { texts.join(": ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn requester(attempts: u32, time_left: Duration) -> Requester {
        let source = serde_json::json!({"url": "https://h/", "attempts": attempts, "concurrency": 1});
        let plan = FetchPlan {
            table: "t".into(),
            file: "meta_data/raw/t.json".into(),
            file_land_timestamp: 0,
            url: "https://h/".parse().unwrap(),
            requests: 3,
            source: serde_json::from_value(source).unwrap(),
            sensitive: false,
        };
        let Fetch { requester, .. } = Api::new().unwrap().fetch(&plan, Instant::now() + time_left);
        Arc::into_inner(requester).unwrap()
    }

    #[test]
    fn attempts_time_and_budget_are_bounded() {
        let plenty = Duration::from_secs(1000);
        let patient = requester(4, plenty);
        assert!(patient.wait(3, Duration::ZERO).is_ok());
        assert!(patient.wait(4, Duration::ZERO).unwrap_err().contains("after 4 attempts"));
        assert_eq!(patient.wait(1, Duration::from_secs(30)), Ok(Duration::from_secs(30)));

        let hurried = requester(4, Duration::from_secs(5));
        assert!(hurried.wait(1, Duration::from_secs(6)).unwrap_err().contains("no time is left"));
        assert_eq!(hurried.retries.into_inner(), 0, "what is not repeated does not count");

        // 3 requests, and 1 in flight with 4 attempts
        let unlucky = requester(4, plenty);
        for _ in 0..7 {
            assert!(unlucky.wait(1, Duration::ZERO).is_ok());
        }
        assert!(unlucky.wait(1, Duration::ZERO).unwrap_err().contains("repeated 7 times"));
    }
}

//! An in-memory AWS account over HTTP for the functions' tests: S3 with versions, conditional requests and multipart
//! uploads, StartExecution and DescribeExecution of Step Functions, and Publish of SNS. It answers as AWS does unless a
//! test makes a request fail ([`Fault`]) or remain unanswered.

mod fault;
mod http;
mod s3;
mod services;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_s3::config::Credentials;
use tokio::net::TcpListener;
use tokio::sync::Notify;

pub use fault::Fault;
pub use s3::ObjectVersion;

use fault::Planned;
use s3::{Under, Version};

/// The time of every write unless a test sets [`Account::clock`]: 2026-11-23T06:00:04Z.
pub const CLOCK: u64 = 1_795_413_604;

/// Objects per page of a listing, as in S3.
const PAGE_SIZE: usize = 1000;

/// The account's content, and the faults that a test plans. A request is named as a step, `<operation> <object>`, such
/// as `put reports/k`. The operations are `list`, `head`, `get`, `put`, `copy`, `delete`, `create`, `part`, `complete`
/// and `abort` (multipart uploads), `describe`, `start` and `publish`. A test may plan a fault for a step by the
/// beginning of its name.
#[derive(Clone)]
pub struct Account {
    /// Versions by bucket and key, oldest first.
    objects: BTreeMap<(String, String), Vec<Version>>,
    /// Multipart uploads in progress, by id.
    uploads: BTreeMap<String, Under>,
    /// The inputs of executions, by name.
    pub executions: BTreeMap<String, String>,
    /// Names of closed executions.
    pub closed: Vec<String>,
    /// Subjects and texts of published messages.
    pub messages: Vec<(String, String)>,
    /// The steps of all requests, in order.
    pub requests: Vec<String>,
    /// The steps of all requests that changed something, in order.
    pub done: Vec<String>,
    /// The number of requests before the one that is never answered.
    pub stop_after: Option<usize>,
    /// Whether that request takes effect nevertheless.
    pub stop_late: bool,
    /// The number of requests before the one that is held until [`Aws::release`], and whether it takes effect before
    /// that.
    pub hold_after: Option<(usize, bool)>,
    /// The beginning of a step's name, and the delay of answers to such steps.
    pub slow: Option<(String, Duration)>,
    /// The byte ranges that UploadPartCopy has copied, in the order of the requests.
    pub copied: Vec<std::ops::Range<u64>>,
    /// Whether S3 returns checksums of objects.
    pub checksums: bool,
    /// The most objects per page of a listing.
    pub page_size: usize,
    /// The time of writes, in Unix seconds.
    pub clock: u64,
    planned: Option<Planned>,
    puts_after: VecDeque<PutAfter>,
    under_way: BTreeMap<String, AtOnce>,
    next_id: u64,
}

/// An object that somebody else writes right after a step.
#[derive(Clone)]
struct PutAfter {
    step: String,
    bucket: String,
    key: String,
    bytes: bytes::Bytes,
}

/// The requests of one operation that wait for their answers.
#[derive(Clone, Copy, Default)]
struct AtOnce {
    now: usize,
    most: usize,
}

impl Default for Account {
    fn default() -> Self {
        Self {
            objects: BTreeMap::new(),
            uploads: BTreeMap::new(),
            executions: BTreeMap::new(),
            closed: Vec::new(),
            messages: Vec::new(),
            requests: Vec::new(),
            done: Vec::new(),
            stop_after: None,
            stop_late: false,
            hold_after: None,
            slow: None,
            copied: Vec::new(),
            checksums: true,
            page_size: PAGE_SIZE,
            clock: CLOCK,
            planned: None,
            puts_after: VecDeque::new(),
            under_way: BTreeMap::new(),
            next_id: 0,
        }
    }
}

impl Account {
    /// Returns the most requests of an operation, such as `part`, that waited for their answers at the same time.
    pub fn most_at_once(&self, operation: &str) -> usize {
        self.under_way.get(operation).map_or(0, |at_once| at_once.most)
    }

    /// Returns the number of requests of an operation that wait for their answers now.
    pub fn under_way(&self, operation: &str) -> usize {
        self.under_way.get(operation).map_or(0, |at_once| at_once.now)
    }

    /// Makes somebody else write an object right after the next step that begins with `step`.
    pub fn put_after(&mut self, step: &str, bucket: &str, key: &str, bytes: impl Into<bytes::Bytes>) {
        let (step, bucket, key) = (step.to_owned(), bucket.to_owned(), key.to_owned());
        self.puts_after.push_back(PutAfter { step, bucket, key, bytes: bytes.into() });
    }

    /// Lists the objects of one operation's steps that changed something.
    pub fn done_of(&self, operation: &str) -> Vec<String> {
        let of = |step: &String| Some(step.strip_prefix(operation)?.strip_prefix(' ')?.to_owned());
        self.done.iter().filter_map(of).collect()
    }

    fn next_id(&mut self, letter: char) -> String {
        self.next_id += 1;
        format!("{letter}{}", self.next_id)
    }
}

/// The account's endpoint. It serves as long as the test's runtime lives.
#[derive(Clone)]
pub struct Aws {
    /// `http://127.0.0.1:<port>`.
    pub endpoint: String,
    account: Arc<Mutex<Account>>,
    stopped: Arc<Notify>,
    held: Arc<Notify>,
    released: Arc<Notify>,
}

impl Aws {
    /// Starts the endpoint of an empty account.
    pub async fn start() -> Self {
        Self::start_with(Account::default()).await
    }

    /// Starts the endpoint of an account with the given content.
    pub async fn start_with(account: Account) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
        let (stopped, held, released) = Default::default();
        let aws = Self { endpoint, account: Arc::new(Mutex::new(account)), stopped, held, released };
        let this = aws.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let this = this.clone();
                tokio::spawn(async move { this.converse(stream).await });
            }
        });
        aws
    }

    /// Locks the account. No request is answered until the guard is dropped.
    pub fn account(&self) -> MutexGuard<'_, Account> {
        self.account.lock().expect("no panic")
    }

    /// Waits until a request has arrived that is never answered.
    pub async fn stopped(&self) {
        self.stopped.notified().await;
    }

    /// Waits until a request is held.
    pub async fn held(&self) {
        self.held.notified().await;
    }

    /// Releases the held request.
    pub fn release(&self) {
        self.released.notify_one();
    }

    /// Returns the configuration of this account's clients. They do not retry.
    pub async fn config(&self) -> SdkConfig {
        self.config_with(RetryConfig::disabled()).await
    }

    /// Returns the configuration of clients that make up to `attempts` attempts, with short pauses.
    pub async fn config_with_attempts(&self, attempts: u32) -> SdkConfig {
        let retry = RetryConfig::standard().with_max_attempts(attempts);
        let soon = Duration::from_millis(1);
        self.config_with(retry.with_initial_backoff(soon).with_max_backoff(soon)).await
    }

    async fn config_with(&self, retry: RetryConfig) -> SdkConfig {
        // Clients of one region share their retry quota in the whole process, so each account has a region of its own.
        let port = self.endpoint.rsplit(':').next().unwrap_or_default();
        aws_config::defaults(BehaviorVersion::latest())
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .retry_config(retry)
            .endpoint_url(&self.endpoint)
            .region(Region::new(format!("fake-{port}")))
            .credentials_provider(Credentials::new("id", "secret", None, None, "fake"))
            .load()
            .await
    }
}

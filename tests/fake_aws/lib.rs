//! An AWS account in memory, over HTTP, for the functions' tests: S3 with versions, conditional requests and uploads in
//! parts, StartExecution of Step Functions, Publish of SNS. It answers as AWS does, until a test wants a request to
//! fail ([`Fault`]) or never to be answered.

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

/// When everything is written unless a test sets [`Account::clock`]: 2026-11-23T06:00:04Z.
pub const CLOCK: u64 = 1_795_413_604;

/// Objects of one page of a listing, as in S3.
const PAGE_SIZE: usize = 1000;

/// What the account holds, and what it is to do. Steps are named `<operation> <object>`, such as `put reports/k`:
/// `list`, `head`, `get`, `put`, `copy`, `delete`, `create`, `part`, `complete` and `abort` (an upload in parts),
/// `start`, `publish`. A step that something is to happen to may be given by its beginning.
#[derive(Clone)]
pub struct Account {
    /// Versions by bucket and key, oldest first.
    objects: BTreeMap<(String, String), Vec<Version>>,
    /// Uploads in parts by their id.
    uploads: BTreeMap<String, Under>,
    /// Executions by name, with their input.
    pub executions: BTreeMap<String, String>,
    /// Names of executions that are closed.
    pub closed: Vec<String>,
    /// Messages that were published: subject and text.
    pub messages: Vec<(String, String)>,
    /// Every request, in order, as a step.
    pub requests: Vec<String>,
    /// Every request that changed something, in order, as a step.
    pub done: Vec<String>,
    /// Requests until the one that is never answered.
    pub stop_after: Option<usize>,
    /// Whether that one takes effect all the same.
    pub stop_late: bool,
    /// Requests until the one that is held until [`Aws::release`], and whether it takes effect before.
    pub hold_after: Option<(usize, bool)>,
    /// Steps that begin so are answered this much later.
    pub slow: Option<(String, Duration)>,
    /// Bytes that uploads in parts have copied, one range a part, in the order of the requests.
    pub copied: Vec<std::ops::Range<u64>>,
    /// Whether objects have checksums.
    pub checksums: bool,
    /// The most objects that a page of a listing has.
    pub page_size: usize,
    /// When objects are written, in Unix seconds.
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

/// Requests of one operation that wait for their answer.
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
    /// The most requests of an operation (`part`, say) that waited for their answers at the same time.
    pub fn most_at_once(&self, operation: &str) -> usize {
        self.under_way.get(operation).map_or(0, |at_once| at_once.most)
    }

    /// The requests of an operation that wait for their answers now.
    pub fn under_way(&self, operation: &str) -> usize {
        self.under_way.get(operation).map_or(0, |at_once| at_once.now)
    }

    /// Somebody else writes an object right after the next step that begins so.
    pub fn put_after(&mut self, step: &str, bucket: &str, key: &str, bytes: impl Into<bytes::Bytes>) {
        let (step, bucket, key) = (step.to_owned(), bucket.to_owned(), key.to_owned());
        self.puts_after.push_back(PutAfter { step, bucket, key, bytes: bytes.into() });
    }

    /// The steps of one operation, each by what comes after it.
    pub fn done_of(&self, operation: &str) -> Vec<String> {
        let of = |step: &String| Some(step.strip_prefix(operation)?.strip_prefix(' ')?.to_owned());
        self.done.iter().filter_map(of).collect()
    }

    fn next_id(&mut self, letter: char) -> String {
        self.next_id += 1;
        format!("{letter}{}", self.next_id)
    }
}

/// The account's endpoint. It lives as long as the test's runtime.
#[derive(Clone)]
pub struct Aws {
    /// `http://127.0.0.1:<port>`
    pub endpoint: String,
    account: Arc<Mutex<Account>>,
    stopped: Arc<Notify>,
    held: Arc<Notify>,
    released: Arc<Notify>,
}

impl Aws {
    /// An empty account.
    pub async fn start() -> Self {
        Self::start_with(Account::default()).await
    }

    /// An account that goes on from here.
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

    /// The account, as it is now. No request is answered while it is held.
    pub fn account(&self) -> MutexGuard<'_, Account> {
        self.account.lock().expect("no panic")
    }

    /// Ends when a request came that is never answered.
    pub async fn stopped(&self) {
        self.stopped.notified().await;
    }

    /// Ends when a request came that is held.
    pub async fn held(&self) {
        self.held.notified().await;
    }

    /// Lets the request go on that is held.
    pub fn release(&self) {
        self.released.notify_one();
    }

    /// What clients of this account are made from. Nothing is tried twice.
    pub async fn config(&self) -> SdkConfig {
        self.config_with(RetryConfig::disabled()).await
    }

    /// As [`Aws::config`], for clients that try up to so many times, and do not wait long in between.
    pub async fn config_with_attempts(&self, attempts: u32) -> SdkConfig {
        let retry = RetryConfig::standard().with_max_attempts(attempts);
        let soon = Duration::from_millis(1);
        self.config_with(retry.with_initial_backoff(soon).with_max_backoff(soon)).await
    }

    async fn config_with(&self, retry: RetryConfig) -> SdkConfig {
        // Clients of one region share their allowance of retries, in the whole process: each account is in a region of
        // its own.
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

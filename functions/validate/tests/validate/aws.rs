//! S3 with versions and conditional writes, StartExecution and Publish, over HTTP and in memory.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

/// What the account holds.
#[derive(Default)]
pub struct Account {
    /// Versions by bucket and key, oldest first.
    objects: BTreeMap<(String, String), Vec<Version>>,
    /// Executions by name, with their input.
    pub executions: BTreeMap<String, String>,
    /// Messages that were published: subject and text.
    pub messages: Vec<(String, String)>,
    /// Whether nothing can be published.
    pub refuse_messages: bool,
    /// Every request that changed something, in order: `copy raw-hist/k`, `start name`, …
    pub done: Vec<String>,
    /// Requests until the one that is never answered.
    pub stop_after: Option<usize>,
    /// Whether that one takes effect all the same.
    pub stop_late: bool,
    /// Names of executions that are closed.
    pub closed: Vec<String>,
    /// Requests that begin so fail with this status.
    pub fail: Option<(&'static str, u16)>,
    /// Whether objects have checksums.
    pub checksums: bool,
    next_version: u64,
}

#[derive(Clone)]
struct Version {
    id: String,
    bytes: Vec<u8>,
}

/// The account's endpoint.
#[derive(Clone)]
pub struct Aws {
    pub endpoint: String,
    account: Arc<Mutex<Account>>,
    stopped: Arc<Notify>,
}

struct Request {
    method: String,
    bucket: String,
    key: String,
    query: BTreeMap<String, String>,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

struct Reply {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

impl Aws {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
        let aws = Self { endpoint, account: Arc::default(), stopped: Arc::default() };
        aws.account().checksums = true;
        let this = aws.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let this = this.clone();
                tokio::spawn(async move { this.converse(stream).await });
            }
        });
        aws
    }

    pub fn account(&self) -> MutexGuard<'_, Account> {
        self.account.lock().expect("no panic")
    }

    /// Ends when a request came that is never answered.
    pub async fn stopped(&self) {
        self.stopped.notified().await;
    }

    async fn converse(&self, stream: TcpStream) {
        let mut stream = BufReader::new(stream);
        while let Some(request) = read(&mut stream).await {
            let reply = {
                let mut account = self.account();
                let stop = account.stop_after == Some(0);
                account.stop_after = account.stop_after.map(|left| left.saturating_sub(1));
                if stop {
                    if account.stop_late {
                        account.answer(&request);
                    }
                    account.stop_after = None;
                    None
                } else {
                    Some(account.answer(&request))
                }
            };
            let Some(reply) = reply else {
                self.stopped.notify_one();
                return std::future::pending().await;
            };
            let length = reply.body.len().to_string();
            let mut head = format!("HTTP/1.1 {} x\r\n", reply.status);
            let length =
                if reply.headers.iter().any(|(name, _)| *name == "content-length") { None } else { Some(length) };
            for (name, value) in reply.headers.iter().cloned().chain(length.map(|length| ("content-length", length))) {
                head += &format!("{name}: {value}\r\n");
            }
            let bytes = [head.as_bytes(), b"\r\n", &reply.body].concat();
            if stream.write_all(&bytes).await.is_err() {
                return;
            }
        }
    }
}

impl Account {
    /// Adds a version; gives its id.
    pub fn put(&mut self, bucket: &str, key: &str, bytes: impl Into<Vec<u8>>) -> String {
        self.next_version += 1;
        let id = format!("v{}", self.next_version);
        let versions = self.objects.entry((bucket.into(), key.into())).or_default();
        versions.push(Version { id: id.clone(), bytes: bytes.into() });
        id
    }

    /// The newest bytes under a key.
    pub fn read(&self, bucket: &str, key: &str) -> Option<Vec<u8>> {
        Some(self.version(bucket, key, None)?.bytes.clone())
    }

    /// Everything that is there: `bucket/key`, and how many versions.
    pub fn inventory(&self) -> Vec<(String, usize)> {
        self.objects.iter().map(|((bucket, key), versions)| (format!("{bucket}/{key}"), versions.len())).collect()
    }

    fn version(&self, bucket: &str, key: &str, id: Option<&str>) -> Option<&Version> {
        let versions = self.objects.get(&(bucket.to_owned(), key.to_owned()))?;
        match id {
            Some(id) => versions.iter().find(|version| version.id == id),
            None => versions.last(),
        }
    }

    fn answer(&mut self, request: &Request) -> Reply {
        let Request { method, bucket, key, query, headers, body } = request;
        let place = format!("{bucket}/{key}");
        if let Some((start, status)) = self.fail
            && format!("{method} {place}").starts_with(start)
        {
            return error(status, "ServiceUnavailable");
        }
        let version_id = query.get("versionId").map(String::as_str);
        let taken = headers.contains_key("if-none-match") && self.version(bucket, key, None).is_some();
        match method.as_str() {
            "POST" if body.starts_with(b"Action=Publish") => self.publish(body),
            "POST" => self.start(body),
            "GET" if key.is_empty() => self.list(bucket, query.get("prefix").map_or("", String::as_str)),
            "HEAD" | "GET" => match self.version(bucket, key, version_id) {
                None => error(404, if method == "GET" { "NoSuchKey" } else { "" }),
                Some(version) if headers.get("if-match").is_some_and(|etag| *etag != version.etag()) => {
                    error(412, "PreconditionFailed")
                }
                Some(version) => {
                    let mut headers = vec![
                        ("etag", version.etag()),
                        ("x-amz-version-id", version.id.clone()),
                        ("last-modified", "Mon, 23 Nov 2026 06:00:04 GMT".into()),
                        ("content-length", version.bytes.len().to_string()),
                    ];
                    if self.checksums {
                        headers.push(("x-amz-checksum-sha256", version.checksum()));
                    }
                    let body = if method == "GET" { version.bytes.clone() } else { Vec::new() };
                    Reply { status: 200, headers, body }
                }
            },
            "PUT" if taken => error(412, "PreconditionFailed"),
            "PUT" => match headers.get("x-amz-copy-source").map(|source| decode(source)) {
                None => {
                    self.done.push(format!("put {place}"));
                    self.put(bucket, key, body.clone());
                    Reply { status: 200, headers: vec![("etag", "\"e\"".into())], body: Vec::new() }
                }
                Some(source) => {
                    let (path, id) = source.split_once("?versionId=").expect("a version");
                    let (from, key_from) = path.trim_start_matches('/').split_once('/').expect("a key");
                    let Some(version) = self.version(from, key_from, Some(id)).cloned() else {
                        return error(404, "NoSuchVersion");
                    };
                    if headers.get("x-amz-copy-source-if-match") != Some(&version.etag()) {
                        return error(412, "PreconditionFailed");
                    }
                    self.done.push(format!("copy {place}"));
                    self.put(bucket, key, version.bytes);
                    ok("<CopyObjectResult><ETag>e</ETag></CopyObjectResult>")
                }
            },
            "DELETE" => {
                let id = version_id.expect("exactly one version is deleted");
                self.done.push(format!("delete {place}"));
                let place = (bucket.clone(), key.clone());
                if let Some(versions) = self.objects.get_mut(&place) {
                    versions.retain(|version| version.id != id);
                    if versions.is_empty() {
                        self.objects.remove(&place);
                    }
                }
                Reply { status: 204, headers: Vec::new(), body: Vec::new() }
            }
            other => panic!("{other} {place}"),
        }
    }

    fn start(&mut self, body: &[u8]) -> Reply {
        let asked: serde_json::Value = serde_json::from_slice(body).expect("JSON");
        let (name, input) = (asked["name"].as_str().expect("a name"), asked["input"].as_str().expect("an input"));
        if self.closed.iter().any(|closed| closed == name) || self.executions.get(name).is_some_and(|i| i != input) {
            let body = r#"{"__type":"com.amazonaws.swf.service.v2.model#ExecutionAlreadyExists","message":"it does"}"#;
            return Reply { status: 400, headers: Vec::new(), body: body.into() };
        }
        self.done.push(format!("start {name}"));
        self.executions.insert(name.into(), input.into());
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs();
        let body = format!(r#"{{"executionArn":"arn:aws:states:x:1:execution:m:{name}","startDate":{now}}}"#);
        Reply { status: 200, headers: vec![("content-type", "application/x-amz-json-1.0".into())], body: body.into() }
    }

    fn publish(&mut self, body: &[u8]) -> Reply {
        if self.refuse_messages {
            return error(500, "InternalError");
        }
        let form = String::from_utf8(body.to_vec()).expect("UTF-8");
        let field = |name: &str| {
            let found = form.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
            contract::key::decode_event_key(found.expect("the field")).expect("URL-encoded UTF-8")
        };
        let subject = field("Subject");
        self.done.push(format!("publish {subject}"));
        self.messages.push((subject, field("Message")));
        ok("<PublishResponse><PublishResult><MessageId>m</MessageId></PublishResult></PublishResponse>")
    }

    fn list(&self, bucket: &str, prefix: &str) -> Reply {
        let keys = self.objects.keys().filter(|(b, key)| b == bucket && key.starts_with(prefix));
        let entries: String =
            keys.map(|(_, key)| format!("<Contents><Key>{key}</Key><Size>1</Size></Contents>")).collect();
        ok(&format!("<ListBucketResult><IsTruncated>false</IsTruncated>{entries}</ListBucketResult>"))
    }
}

impl Version {
    fn etag(&self) -> String {
        format!("\"{}\"", self.checksum().replace(['+', '/', '='], "x"))
    }

    fn checksum(&self) -> String {
        use base64::Engine;
        use sha2::Digest;
        base64::prelude::BASE64_STANDARD.encode(sha2::Sha256::digest(&self.bytes))
    }
}

fn ok(xml: &str) -> Reply {
    Reply { status: 200, headers: vec![("content-type", "application/xml".into())], body: xml.into() }
}

fn error(status: u16, code: &str) -> Reply {
    let xml = if code.is_empty() { String::new() } else { format!("<Error><Code>{code}</Code></Error>") };
    Reply { status, headers: Vec::new(), body: xml.into() }
}

fn decode(text: &str) -> String {
    contract::key::decode_event_key(&text.replace('+', "%2B")).expect("URL-encoded UTF-8")
}

async fn read(stream: &mut BufReader<TcpStream>) -> Option<Request> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let mut words = lines.first()?.split(' ');
    let (method, path) = (words.next()?.to_owned(), words.next()?);
    let headers: BTreeMap<String, String> = lines[1..]
        .iter()
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let mut body = vec![0; headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0)];
    stream.read_exact(&mut body).await.ok()?;
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let (bucket, key) = path.trim_start_matches('/').split_once('/').unwrap_or((path.trim_start_matches('/'), ""));
    let query = query.split('&').filter_map(|pair| pair.split_once('='));
    Some(Request {
        method,
        bucket: bucket.to_owned(),
        key: decode(key),
        query: query.map(|(name, value)| (name.to_owned(), decode(value))).collect(),
        headers,
        body,
    })
}

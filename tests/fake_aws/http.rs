//! The HTTP server: reads requests and writes answers.

use std::collections::BTreeMap;

use bytes::Bytes;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use crate::fault::Way;
use crate::{Account, Aws};

/// An HTTP request.
pub(crate) struct Request {
    pub method: String,
    pub bucket: String,
    pub key: String,
    pub query: BTreeMap<String, String>,
    pub headers: BTreeMap<String, String>,
    pub body: Bytes,
}

/// An HTTP response.
pub(crate) struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Bytes,
}

/// The part of a reply that reaches the client.
enum Sent {
    All(Reply),
    Half(Reply),
    Nothing,
    Never,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        self.query.get(name).map(String::as_str)
    }
}

impl Reply {
    pub(crate) fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Bytes::new() }
    }

    pub(crate) fn xml(root: &str, inside: &str) -> Self {
        let body = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<{root}>{inside}</{root}>").into();
        Self { status: 200, headers: Vec::new(), body }.header("content-type", "application/xml")
    }

    pub(crate) fn error(status: u16, code: &str) -> Self {
        let inside = format!("<Code>{code}</Code><Message>as the test has it</Message>");
        Self { status, ..Self::xml("Error", &inside) }
    }

    pub(crate) fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }
}

impl Aws {
    pub(crate) async fn converse(&self, stream: TcpStream) {
        // otherwise the body of a small answer waits until the client has acknowledged the head
        stream.set_nodelay(true).expect("a socket");
        let mut stream = BufReader::new(stream);
        while let Some(request) = read(&mut stream).await {
            let step = request.step();
            let operation = step.split(' ').next().unwrap_or_default().to_owned();
            let hold = self.account().hold();
            if hold == Some(false) {
                self.hold().await;
            }
            let (sent, delay) = {
                let mut account = self.account();
                let at_once = account.under_way.entry(operation.clone()).or_default();
                at_once.now += 1;
                at_once.most = at_once.most.max(at_once.now);
                let sent = account.receive(&request, &step);
                let slow = account.slow.as_ref().filter(|(start, _)| step.starts_with(start));
                (sent, slow.map(|(_, delay)| *delay))
            };
            if let Some(delay) = delay {
                tokio::time::sleep(delay).await;
            }
            if hold == Some(true) {
                self.hold().await;
            }
            self.account().under_way.entry(operation).or_default().now -= 1;
            let (reply, whole) = match sent {
                Sent::All(reply) => (reply, true),
                Sent::Half(reply) => (reply, false),
                Sent::Nothing => return,
                Sent::Never => {
                    self.stopped.notify_one();
                    return std::future::pending().await;
                }
            };
            let mut head = format!("HTTP/1.1 {} x\r\ncontent-length: {}\r\n", reply.status, reply.body.len());
            for (name, value) in &reply.headers {
                head += &format!("{name}: {value}\r\n");
            }
            head += "\r\n";
            let body = match (request.method.as_str(), whole) {
                ("HEAD", _) => &[][..],
                (_, true) => &reply.body[..],
                (_, false) => &reply.body[..reply.body.len() / 2],
            };
            let written = async {
                stream.write_all(head.as_bytes()).await?;
                stream.write_all(body).await?;
                stream.flush().await
            };
            if written.await.is_err() || !whole {
                return;
            }
        }
    }
}

impl Aws {
    async fn hold(&self) {
        self.held.notify_one();
        self.released.notified().await;
    }
}

impl Account {
    /// Returns whether the current request takes effect before it is held, or `None` if it is not held.
    fn hold(&mut self) -> Option<bool> {
        let (left, late) = self.hold_after?;
        self.hold_after = left.checked_sub(1).map(|left| (left, late));
        (left == 0).then_some(late)
    }

    fn receive(&mut self, request: &Request, step: &str) -> Sent {
        self.requests.push(step.to_owned());
        let stop = self.stop_after == Some(0);
        self.stop_after = self.stop_after.map(|left| left.saturating_sub(1));
        if stop {
            if self.stop_late {
                self.answer(request);
            }
            self.stop_after = None;
            return Sent::Never;
        }
        let fault = self.fault(step);
        let sent = match fault {
            None => Sent::All(self.answer(request)),
            Some(Way::Refused(status)) => Sent::All(refusal(step, status)),
            Some(Way::Closed) => Sent::Nothing,
            Some(Way::Lost) => {
                self.answer(request);
                Sent::Nothing
            }
            Some(Way::Cut) => match self.answer(request) {
                reply if reply.body.is_empty() || request.method == "HEAD" => Sent::All(reply),
                reply => Sent::Half(reply),
            },
        };
        if let Some(at) = self.puts_after.iter().position(|put| step.starts_with(&put.step))
            && let Some(put) = self.puts_after.remove(at)
        {
            self.put(&put.bucket, &put.key, put.bytes);
        }
        sent
    }
}

/// Returns the service's error for this status.
fn refusal(step: &str, status: u16) -> Reply {
    let of_s3 = !step.starts_with("start ") && !step.starts_with("publish ");
    let code = match status {
        403 => "AccessDenied",
        409 => "ConditionalRequestConflict",
        500 => "InternalError",
        503 if of_s3 => "SlowDown",
        _ => "ServiceUnavailable",
    };
    Reply::error(status, code)
}

/// Decodes a key or query of a URL: `%XX` is a byte, and `+` stands for itself.
pub(crate) fn decode(text: &str) -> String {
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
    assert!(!headers.contains_key("transfer-encoding"), "bodies come with their length");
    let mut body = vec![0; headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0)];
    stream.read_exact(&mut body).await.ok()?;
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let (bucket, key) = path.trim_start_matches('/').split_once('/').unwrap_or((path.trim_start_matches('/'), ""));
    let query = query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    Some(Request {
        method,
        bucket: bucket.to_owned(),
        key: decode(key),
        query: query.map(|(name, value)| (name.to_owned(), decode(value))).collect(),
        headers,
        body: body.into(),
    })
}

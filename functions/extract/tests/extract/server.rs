//! An HTTP/1.1 server for tests. A function answers, and every request is recorded.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

/// A request that came in.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// Counted from 0, in the order of arrival.
    pub number: usize,
    pub method: String,
    /// Includes the query string.
    pub path: String,
    /// The lines as received.
    pub headers: Vec<String>,
    pub at: Instant,
}

/// The answer to a request.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
    pub after: Duration,
    /// Bytes that the header promises but the body lacks.
    pub missing: usize,
}

impl Reply {
    pub(crate) fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { status, headers: Vec::new(), body: body.into(), after: Duration::ZERO, missing: 0 }
    }

    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(crate) fn after(self, millis: u64) -> Self {
        Self { after: Duration::from_millis(millis), ..self }
    }

    pub(crate) fn missing(self, missing: usize) -> Self {
        Self { missing, ..self }
    }
}

/// A server that lives as long as the test's runtime.
#[derive(Clone)]
pub(crate) struct Server {
    /// `http://127.0.0.1:<port>`
    pub origin: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    most_at_once: Arc<AtomicUsize>,
}

impl Server {
    pub(crate) async fn start(answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let origin = format!("http://{}", listener.local_addr().expect("an address"));
        let server = Self { origin, asked: Arc::default(), most_at_once: Arc::default() };
        let (this, answer, at_once) = (server.clone(), Arc::new(answer), Arc::new(AtomicUsize::new(0)));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (this, answer, at_once) = (this.clone(), Arc::clone(&answer), Arc::clone(&at_once));
                tokio::spawn(async move { this.converse(stream, &*answer, &at_once).await });
            }
        });
        server
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().expect("no panic").clone()
    }

    pub(crate) fn most_at_once(&self) -> usize {
        self.most_at_once.load(Ordering::SeqCst)
    }

    async fn converse(
        &self,
        stream: TcpStream,
        answer: &(dyn Fn(&Asked) -> Reply + Send + Sync),
        at_once: &AtomicUsize,
    ) {
        let mut stream = BufReader::new(stream);
        while let Some(mut asked) = read(&mut stream).await {
            self.most_at_once.fetch_max(at_once.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            {
                let mut all = self.asked.lock().expect("no panic");
                asked.number = all.len();
                all.push(asked.clone());
            }
            let reply = answer(&asked);
            tokio::time::sleep(reply.after).await;
            at_once.fetch_sub(1, Ordering::SeqCst);
            let mut head =
                format!("HTTP/1.1 {} x\r\ncontent-length: {}\r\n", reply.status, reply.body.len() + reply.missing);
            for (name, value) in &reply.headers {
                head += &format!("{name}: {value}\r\n");
            }
            let bytes = [head.as_bytes(), b"\r\n", &reply.body].concat();
            if stream.write_all(&bytes).await.is_err() || reply.missing > 0 {
                return;
            }
        }
    }
}

async fn read(stream: &mut BufReader<TcpStream>) -> Option<Asked> {
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
    let first = lines.remove(0);
    let mut words = first.split(' ').map(str::to_owned);
    let length = lines.iter().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).await.ok()?;
    let (method, path) = (words.next()?, words.next()?);
    Some(Asked { number: 0, method, path, headers: lines, at: Instant::now() })
}

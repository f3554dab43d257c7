//! The landing side: suppliers, extracts, the process stage and executions. At every call of one event another one runs
//! to its end, or the process dies, loses the answer or is refused. No landed byte may be lost, and every row must be
//! in its table once.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tests::{Api, Options, Stack, gzip};

use crate::explorer::schedule::{Error, Place, apart};

const BASE: &str = "open_data/postcodes_example";
/// The requests of an extract: enough for several files.
const REQUESTS: u64 = 400;
/// The longest wait until the pipeline is idle.
const PATIENCE: Duration = Duration::from_secs(90);
/// The longest wait for another event while a call is held. That event may itself wait for the held call.
const MEANWHILE: Duration = Duration::from_secs(8);

/// An event that can happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Event {
    /// A supplier's file lands.
    Lands,
    /// A different file lands under the same key.
    OtherLands,
    /// The same file lands without its partition folder.
    LooseLands,
    /// A file that needs processing lands.
    MessyLands,
    /// extract fetches a source.
    Extract,
    /// extract fetches the source again, for another scheduled time.
    NextExtract,
    /// Somebody has validate sweep land.
    Sweep,
    /// curate processes raw files.
    Process,
    /// The state machine runs.
    Execution,
}

impl Event {
    /// The events whose calls are interrupted.
    pub(super) const OUTER: [Self; 5] = [Self::Lands, Self::LooseLands, Self::MessyLands, Self::Extract, Self::Process];
    const INNER: [Self; 9] = [
        Self::Lands,
        Self::OtherLands,
        Self::LooseLands,
        Self::MessyLands,
        Self::Extract,
        Self::NextExtract,
        Self::Sweep,
        Self::Process,
        Self::Execution,
    ];

    /// Returns the functions whose calls are interrupted.
    fn functions(self) -> &'static [&'static str] {
        match self {
            Self::Extract => &["extract", "validate"],
            Self::Process => &["curate"],
            _ => &["validate"],
        }
    }

    /// Returns key and bytes of the file that the event puts into land.
    fn file(self) -> Option<(String, Vec<u8>)> {
        match self {
            Self::Lands => Some((visits(2), gzip("{\"n\":2}\n{\"n\":2}\n"))),
            Self::OtherLands => Some((visits(2), gzip("{\"n\":3}\n{\"n\":3}\n{\"n\":3}\n"))),
            Self::LooseLands => Some((format!("{BASE}/visits/visits_2.jsonl.gz"), gzip("{\"n\":2}\n{\"n\":2}\n"))),
            Self::MessyLands => Some((orders(2), b"id,name\n2,\"Ash,,\n".to_vec())),
            _ => None,
        }
    }
}

/// A fault, or another event, at a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    Meanwhile(Event),
    Dies { when: &'static str },
    Lost,
    Refused { error: Error, times: u64 },
}

impl Trouble {
    fn all() -> Vec<Self> {
        let meanwhile = Event::INNER.into_iter().map(Self::Meanwhile);
        let dies = ["before", "after"].map(|when| Self::Dies { when });
        // five failures use up all attempts of a client within one invocation
        let refused = [1, 5].map(|times| Self::Refused { error: Error::Internal, times });
        meanwhile.chain(dies).chain([Self::Lost]).chain(refused).collect()
    }
}

/// An event, one of its calls, and the trouble at that call.
#[derive(Clone, Debug)]
pub(super) struct Schedule {
    outer: Event,
    place: Place,
    trouble: Trouble,
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Place { function, operation, at_call } = &self.place;
        write!(f, "{:?} at {function} {operation} {at_call}: {:?}", self.outer, self.trouble)
    }
}

/// A pipeline with a file of each of two datasets in its tables, and a third file in raw that is not processed yet.
pub(super) struct Landing {
    stack: Stack,
    beginning: String,
    _api: Api,
}

impl Landing {
    pub(super) async fn new(name: &str) -> Self {
        let api = Api::start(&[]);
        let metadata = metadata();
        let parameters = vec![("SourceOrigin", api.origin.clone())];
        let options = Options { parameters, metadata: Some(metadata.path().to_owned()) };
        let stack = Stack::deploy(name, options).await;
        let mut landing = Self { stack, beginning: String::new(), _api: api };
        landing.stack.land(&visits(1), gzip("{\"n\":1}\n")).await;
        landing.stack.land(&orders(1), b"id,name\n1,Bar\n".to_vec()).await;
        landing.quiet().await.unwrap();
        // an earlier invocation of validate has left this
        let bytes = b"id,name\n3,Cam\n".to_vec();
        landing.stack.put_history(&orders(3), bytes.clone()).await;
        let put = landing.stack.s3.put_object().bucket(landing.stack.bucket("raw")).key(orders(3));
        put.body(bytes.into()).send().await.unwrap();
        landing.beginning = landing.stack.snapshot().await;
        landing
    }

    /// Lists every schedule of an event.
    pub(super) async fn schedules(&self, outer: Event) -> Vec<Schedule> {
        self.stack.restore(&self.beginning).await;
        for function in outer.functions() {
            self.stack.forget_calls(function).await;
        }
        self.start(outer).await.unwrap();
        self.quiet().await.unwrap();
        let mut schedules = Vec::new();
        for function in outer.functions() {
            for (operation, calls) in self.stack.calls(function).await {
                for at_call in apart(&operation, calls) {
                    let place = Place { function, operation: operation.clone(), at_call };
                    let with = |trouble| Schedule { outer, place: place.clone(), trouble };
                    schedules.extend(Trouble::all().into_iter().map(with));
                }
            }
        }
        schedules
    }

    /// Runs a schedule from the beginning. The error describes a violated condition.
    pub(super) async fn try_out(&self, schedule: &Schedule) -> Result<(), String> {
        self.stack.restore(&self.beginning).await;
        let before: BTreeSet<String> = self.stack.executions().await.into_iter().map(|(name, _)| name).collect();
        let Place { function, operation, at_call } = &schedule.place;
        let arm = |when: &str| json!({"operation": operation, "at_call": at_call, "when": when});
        let mut events = vec![schedule.outer];
        let answered = match schedule.trouble {
            Trouble::Meanwhile(inner) => {
                self.stack.crash(function, arm("hold")).await;
                let ended = Cell::new(false);
                let outer = async {
                    let answer = self.start(schedule.outer).await;
                    // the file that it has put into land is processed asynchronously
                    ended.set(schedule.outer.file().is_none());
                    answer
                };
                let meanwhile = async {
                    let started = Instant::now();
                    while !ended.get() && self.stack.struck(function).await.is_none() && started.elapsed() < MEANWHILE {
                        tokio::time::sleep(Duration::from_millis(20)).await;
                    }
                    let answer = self.meanwhile(inner).await;
                    self.stack.go_on(function).await;
                    answer
                };
                events.push(inner);
                let (outer, inner) = tokio::join!(outer, meanwhile);
                outer.and(inner)
            }
            Trouble::Dies { when } => {
                self.stack.crash(function, arm(when)).await;
                self.start(schedule.outer).await
            }
            Trouble::Lost => {
                self.stack.fault(function, json!({"operation": operation, "after": at_call - 1, "lost": true})).await;
                self.start(schedule.outer).await
            }
            Trouble::Refused { error, times } => {
                let (error, status) = error.of(operation);
                let fault = json!({"operation": operation, "after": at_call - 1, "error": error, "status": status, "times": times});
                self.stack.fault(function, fault).await;
                self.start(schedule.outer).await
            }
        };
        let quiet = self.quiet().await;
        self.stack.go_on(function).await;
        self.stack.forget_faults(function).await;
        answered?;
        quiet?;
        let executions = self.stack.executions().await.into_iter().filter(|(name, _)| !before.contains(name));
        for (name, status) in executions {
            if status != "SUCCEEDED" {
                return Err(format!("execution {name} has {status}"));
            }
        }
        self.check(&events).await
    }

    /// Starts an event. A function that fails is invoked up to three times, as the platform does.
    async fn start(&self, event: Event) -> Result<(), String> {
        if let Some((key, bytes)) = event.file() {
            self.stack.land(&key, bytes).await;
            return Ok(());
        }
        let (function, request) = match event {
            Event::Extract => ("extract", json!({"scheduled_time": "2023-11-14T22:13:20Z"})),
            Event::NextExtract => ("extract", json!({"scheduled_time": "2023-11-15T22:13:20Z"})),
            Event::Sweep => ("validate", json!({})),
            Event::Process => ("curate", json!({"stage": "process"})),
            _ => {
                self.stack.start_execution("{}").await;
                return Ok(());
            }
        };
        let mut answer = Ok(Value::Null);
        for _ in 0..3 {
            answer = self.stack.invoke(function, request.clone()).await;
            if answer.is_ok() {
                return Ok(());
            }
        }
        answer.map(drop).map_err(|failure| format!("{event:?}: {failure:?}"))
    }

    /// Starts another event and waits until it ends, for at most [`MEANWHILE`].
    async fn meanwhile(&self, event: Event) -> Result<(), String> {
        let started = Instant::now();
        let running = self.start(event);
        // wait for an extract to end: dropping its future would cancel the request
        running.await?;
        let pending = async || match event.file() {
            Some((key, _)) => self.stack.keys("land").await.contains(&key),
            None => event == Event::Execution && self.is_running().await,
        };
        while started.elapsed() < MEANWHILE && pending().await {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    async fn is_running(&self) -> bool {
        self.stack.executions().await.iter().any(|(_, status)| status == "RUNNING")
    }

    /// Waits until nothing runs and land is empty.
    async fn quiet(&self) -> Result<(), String> {
        let started = Instant::now();
        // an event that waits for its retry is invisible for some tenths of a second
        let mut times = 0;
        loop {
            let mut going_on: Vec<String> = self.stack.keys("land").await;
            going_on.retain(|key| !key.starts_with(contract::STAGED));
            for function in ["extract", "validate", "curate", "catalog"] {
                if self.stack.is_busy(function).await {
                    going_on.push(function.to_owned());
                }
            }
            let executions = self.stack.executions().await.into_iter().filter(|(_, status)| status == "RUNNING");
            going_on.extend(executions.map(|(name, _)| name));
            times = if going_on.is_empty() { times + 1 } else { 0 };
            if times == 4 {
                return Ok(());
            }
            if started.elapsed() > PATIENCE {
                return Err(format!("it does not end: {going_on:?}"));
            }
            tokio::time::sleep(Duration::from_millis(150)).await;
        }
    }

    async fn check(&self, events: &[Event]) -> Result<(), String> {
        // every byte is where it belongs
        let mut history = BTreeMap::new();
        for key in self.stack.keys("raw-hist").await.into_iter().filter(|key| key.starts_with(BASE)) {
            let bytes = self.stack.read("raw-hist", &key).await;
            history.insert(key, bytes);
        }
        let mut kept: Vec<Vec<u8>> = history.values().cloned().collect();
        let quarantined = self.stack.keys("quarantine").await;
        for key in &quarantined {
            kept.push(self.stack.read("quarantine", key).await);
        }
        for (key, bytes) in events.iter().filter_map(|event| event.file()) {
            if !kept.contains(&bytes) {
                return Err(format!("the bytes of {key} are nowhere"));
            }
        }
        let conflict = events.contains(&Event::OtherLands) && events.contains(&Event::Lands);
        if !quarantined.is_empty() && !conflict {
            return Err(format!("in quarantine: {quarantined:?}"));
        }
        for (key, versions) in self.versions("raw-hist").await {
            if versions != 1 {
                return Err(format!("history has {versions} versions of {key}"));
            }
        }
        // every row is in its table, once
        let of = |table: &str| history.keys().filter(|key| key.contains(&format!("/{table}/"))).count() as u64;
        let mut visits = 0;
        for (key, bytes) in history.iter().filter(|(key, _)| key.contains("/visits/")) {
            let rows = lines(bytes);
            if rows == 0 {
                return Err(format!("no rows in {key}"));
            }
            visits += rows;
        }
        // a file without a folder counts as repeated only if the same file in a folder was there first
        let same = [Event::Lands, Event::LooseLands];
        if same.iter().all(|event| events.contains(event)) && ![3, 5].contains(&visits) {
            return Err(format!("a file that landed twice: {visits} rows of visits in {:?}", history.keys()));
        }
        if events.contains(&Event::MessyLands) && of("orders") != 3 {
            return Err(format!("{} files of orders", of("orders")));
        }
        // a file that was processed by hand reaches its table with the next rebuild
        if events.contains(&Event::Process) {
            self.stack.start_execution("{}").await;
            self.quiet().await?;
        }
        let extracts = [Event::Extract, Event::NextExtract].iter().filter(|one| events.contains(one)).count() as u64;
        let counts = [("visits", visits), ("random_postcodes", extracts * REQUESTS)];
        let database = self.stack.database();
        for (table, rows) in counts {
            let found = self.stack.ask(&format!("SELECT COUNT(*) FROM {database}.{table}")).await?;
            if found != [[rows.to_string()]] {
                return Err(format!("{table}: {found:?}, expected {rows} rows of {:?}", history.keys()));
            }
        }
        if extracts > 0 {
            let sql = format!("SELECT COUNT(DISTINCT index), MAX(index) FROM {database}.random_postcodes");
            let found = self.stack.ask(&sql).await?;
            if found != [[REQUESTS.to_string(), (REQUESTS - 1).to_string()]] {
                return Err(format!("random_postcodes: {found:?} of {REQUESTS} requests"));
            }
        }
        // if nothing was promoted, nothing has requested to process the waiting file
        if self.stack.keys("raw").await.is_empty() {
            let found = self.stack.ask(&format!("SELECT COUNT(*), COUNT(DISTINCT id) FROM {database}.orders")).await?;
            let rows = of("orders").to_string();
            if found != [[rows.clone(), rows.clone()]] {
                return Err(format!("orders: {found:?}, expected {rows} rows"));
            }
        } else if events.iter().any(|event| *event != Event::Sweep) {
            return Err(format!("in raw: {:?}", self.stack.keys("raw").await));
        }
        Ok(())
    }

    async fn versions(&self, area: &str) -> BTreeMap<String, usize> {
        let listed = self.stack.s3.list_object_versions().bucket(self.stack.bucket(area)).send().await.unwrap();
        let mut versions = BTreeMap::new();
        for version in listed.versions() {
            *versions.entry(version.key().unwrap_or_default().to_owned()).or_default() += 1;
        }
        versions
    }
}

fn lines(bytes: &[u8]) -> u64 {
    let mut text = String::new();
    std::io::Read::read_to_string(&mut flate2::read::MultiGzDecoder::new(bytes), &mut text).unwrap();
    text.lines().count() as u64
}

fn visits(file: u64) -> String {
    format!("{BASE}/visits/file_land_timestamp={file}/visits_{file}.jsonl.gz")
}

fn orders(file: u64) -> String {
    format!("{BASE}/orders/file_land_timestamp={file}/orders_{file}.csv")
}

fn metadata() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| tests::write(folder.path(), path, text);
    let column = |name: &str, kind: &str| json!({"name": name, "type": kind, "description": ""});
    let table = |name: &str, format: &str, columns: &[Value], more: Value| {
        let mut table = json!({"name": name, "location": name, "data_format": format, "columns": columns});
        for (key, value) in more.as_object().unwrap() {
            table[key] = value.clone();
        }
        table.to_string()
    };
    let database = json!({"name": "landed", "bucket": "b", "base_folder": "landed", "description": "Landed"});
    write("curated/database.json", &database.to_string());
    let n = [column("n", "long")];
    write("raw/visits.json", &table("visits", "json", &n, json!({})));
    write("curated/visits.json", &table("visits", "parquet", &n, json!({})));
    write("curated/visits.sql", "SELECT n FROM visits");
    let text = [column("line", "character"), column("line_number", "long")];
    write("raw/orders.json", &table("orders", "csv", &text, json!({"lines": true, "copy_to_raw": true})));
    let id = [column("id", "long")];
    write("processed/orders.json", &table("orders", "json", &id, json!({"delete_raw": true})));
    let sql = "SELECT CAST(split_part(line, ',', 1) AS BIGINT) AS id FROM orders WHERE line_number > 1";
    write("processed/orders.sql", sql);
    write("curated/orders.json", &table("orders", "parquet", &id, json!({"mode": "append"})));
    let raw = std::fs::read(tests::repository().join("meta_data/raw/random_postcodes.json")).unwrap();
    let mut raw: Value = serde_json::from_slice(&raw).unwrap();
    for (name, value) in [("requests", REQUESTS), ("requests_per_second", 10_000), ("maximum_file_bytes", 20_000)] {
        raw["source"][name] = value.into();
    }
    write("raw/random_postcodes.json", &raw.to_string());
    let index = [column("index", "long")];
    write("curated/random_postcodes.json", &table("random_postcodes", "parquet", &index, json!({})));
    write("curated/random_postcodes.sql", "SELECT index FROM random_postcodes");
    folder
}

//! Analysts query while tables are rebuilt. No query may fail, mix two runs or go back in time, whatever happens to the
//! pipeline meanwhile.

use std::cell::{Cell, RefCell};
use std::time::Instant;

use serde_json::{Value, json};
use tests::{Options, Stack, gzip};

/// The fewest rebuilds while readers query.
const REBUILDS: u64 = 30;
/// The most calls of a function at which it dies.
const PLACES: usize = 24;
/// One run in this many is published at the same time as the next one.
const CONCURRENT_EVERY: u64 = 7;
/// One run in this many is rolled back before the next one is built.
const ROLLBACK_EVERY: u64 = 6;
/// The calls of a rollback at which catalog dies.
const ROLLBACKS: [(&str, u64); 5] = [
    ("UpdateTable", 1),
    ("UpdateTable", 2),
    ("BatchUpdatePartition", 1),
    ("StartQueryExecution", 1),
    ("GetQueryResults", 1),
];
/// Fixed, so that `by_shop` has one partition even if midnight passes during the test.
const SNAPSHOT_DATE: &str = "2026-11-25";

const SALES: &str = "SELECT shop, price, '${dea_version}' AS dea_version FROM sales";
const BY_SHOP: &str = "
SELECT shop, count(*) AS n, CAST('${snapshot_date}' AS DATE) AS dea_snapshot_date FROM sales GROUP BY shop";

const BY_CLASS: &str = "SELECT price, CAST(price % 5 AS INT) AS class FROM sales";
const CLASSES: u64 = 5;

/// The history's files 1 to n. File n has n sales of shop n at n pounds each, so no two runs give the same answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Files(u64);

impl Files {
    fn key(self) -> String {
        let n = self.0;
        format!("open_data/postcodes_example/sales/file_land_timestamp={n}/sales_{n}.jsonl.gz")
    }

    fn newest(self) -> Vec<u8> {
        let n = self.0;
        gzip(&format!("{{\"shop\":\"shop {n}\",\"price\":{n}}}\n").repeat(n as usize))
    }

    /// Returns count and sum of a table that is built from all files, or from those of one class.
    fn answer(self, table: Table, class: Option<u64>) -> [String; 2] {
        let files = (1..=self.0).filter(|n| class.is_none_or(|class| n % CLASSES == class));
        let sales: u64 = files.clone().sum();
        let pounds: u64 = files.map(|n| n * n).sum();
        let (count, sum) = match table {
            Table::ByShop => (self.0, sales),
            _ => (sales, pounds),
        };
        [count.to_string(), sum.to_string()]
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Table {
    /// Has no partitions and is replaced completely.
    Sales,
    /// Has one partition, which each run replaces.
    ByShop,
    /// Has all its partitions replaced. Athena computes their locations.
    ByClass,
    /// Has all its partitions replaced. They are registered in Glue.
    Registered,
    /// Has no partitions. Runs append to it.
    Log,
    /// Has some of its partitions appended to.
    LogByClass,
}

impl Table {
    const ALL: [Self; 6] = [Self::Sales, Self::ByShop, Self::ByClass, Self::Registered, Self::Log, Self::LogByClass];

    fn name(self) -> &'static str {
        match self {
            Self::Sales => "sales",
            Self::ByShop => "by_shop",
            Self::ByClass => "by_class",
            Self::Registered => "registered",
            Self::Log => "log",
            Self::LogByClass => "log_by_class",
        }
    }

    /// Whether a reader may see partitions of two runs while many of them move. No partition is ever missing.
    fn moves_in_steps(self) -> bool {
        matches!(self, Self::Registered | Self::LogByClass)
    }

    fn sql(self, database: &str) -> String {
        let (name, price) = (self.name(), if self == Self::ByShop { "n" } else { "price" });
        if self.moves_in_steps() {
            format!("SELECT class, COUNT(*), SUM({price}) FROM {database}.{name} GROUP BY class")
        } else {
            format!("SELECT COUNT(*), SUM({price}) FROM {database}.{name}")
        }
    }

    /// Returns the parts of the table that readers see change at one moment: the table itself, or each of its classes.
    fn parts(self) -> Vec<Option<u64>> {
        if self.moves_in_steps() { (0..CLASSES).map(Some).collect() } else { vec![None] }
    }
}

/// The call at which a process dies: the operation of AWS and its count within the invocation.
type Place = (String, u64);

/// The state that readers see from `started` on, at the latest when catalog has answered.
#[derive(Debug)]
struct Publication {
    files: Files,
    started: Instant,
    /// The time of catalog's answer.
    ended: Option<Instant>,
}

/// A query's result, as a reader saw it.
#[derive(Debug)]
struct Answer {
    table: Table,
    /// The class queried, or `None` for the whole table.
    class: Option<u64>,
    started: Instant,
    ended: Instant,
    values: Vec<String>,
}

/// Queries all tables in turn, without a pause, until `stop` is set.
async fn read(stack: &Stack, stop: &Cell<bool>) -> Vec<Answer> {
    let mut answers = Vec::new();
    while !stop.get() {
        for table in Table::ALL {
            let started = Instant::now();
            let rows = stack.query(&table.sql(stack.database())).await;
            let ended = Instant::now();
            answers.extend(table.parts().into_iter().map(|class| {
                let values = match class {
                    None => rows[0].clone(),
                    Some(class) => {
                        let row = rows.iter().find(|row| row[0] == class.to_string());
                        row.map_or_else(|| vec!["0".into(); 2], |row| row[1..].to_vec())
                    }
                };
                Answer { table, class, started, ended, values }
            }));
        }
    }
    answers
}

/// Checks that each answer matches one publication that had begun when the answer came. That publication is not older
/// than the newest one complete when the query started, nor than that of the reader's previous answer.
fn check(answers: &[Answer], publications: &[Publication]) {
    for (table, class) in
        Table::ALL.into_iter().flat_map(|table| table.parts().into_iter().map(move |class| (table, class)))
    {
        let mut least = 0;
        for answer in answers.iter().filter(|answer| (answer.table, answer.class) == (table, class)) {
            let complete = |publication: &Publication| publication.ended.is_some_and(|ended| ended < answer.started);
            least = least.max(publications.iter().rposition(complete).expect("the first one is complete"));
            let told = |publication: &Publication| {
                answer.values == publication.files.answer(table, class) && publication.started < answer.ended
            };
            let found = publications[least..].iter().position(told);
            let seen = &publications[least];
            least += found.unwrap_or_else(|| panic!("{answer:?}, expected that of {seen:?} or of a later one"));
        }
    }
}

/// Rebuilds a stack's tables while others query them.
struct Rebuilder<'a> {
    stack: &'a Stack,
    publications: &'a RefCell<Vec<Publication>>,
}

impl Rebuilder<'_> {
    /// Adds a file to the history, builds the tables, and returns curate's answer.
    async fn curate(&self, files: Files, place: Option<Place>) -> Value {
        let stack = self.stack;
        stack.put_history(&files.key(), files.newest()).await;
        let request = json!({"snapshot_date": SNAPSHOT_DATE});
        self.invoke("curate", request, place).await.expect("curate is never stale")
    }

    /// Publishes a run and returns the id of the published run. A run that is stale because another one was faster is
    /// built again.
    async fn catalog(&self, files: Files, event: Value, place: Option<Place>) -> Value {
        let started = Instant::now();
        let publication = self.publications.borrow().len();
        self.publications.borrow_mut().push(Publication { files, started, ended: None });
        let mut answer = self.invoke("catalog", event, place).await;
        while answer.is_none() {
            let event = self.build().await;
            answer = self.invoke("catalog", event, None).await;
        }
        self.publications.borrow_mut()[publication].ended = Some(Instant::now());
        answer.expect("an answer")["run"].clone()
    }

    async fn build(&self) -> Value {
        self.invoke("curate", json!({"snapshot_date": SNAPSHOT_DATE}), None).await.expect("curate is never stale")
    }

    /// Invokes a function, and repeats that when it is killed, as the state machine does. The first process to reach
    /// `place` is killed after its call there took effect. Returns `None` if the run is stale.
    async fn invoke(&self, function: &str, event: Value, place: Option<Place>) -> Option<Value> {
        if let Some(place) = &place {
            self.crash(function, place).await;
        }
        for _ in 0..3 {
            match self.stack.invoke(function, event.clone()).await {
                Ok(answer) => {
                    let died = place.is_none() || self.stack.struck(function).await.is_some();
                    assert!(died, "{function} was not killed at {place:?}");
                    return Some(answer);
                }
                Err((kind, _)) if kind == "Runtime.ExitError" => {}
                Err((kind, _)) if kind == "Stale" => return None,
                Err(failure) => panic!("{function}: {failure:?}\n{}", self.stack.logs()),
            }
        }
        panic!("{function} was killed three times, once was asked for")
    }

    /// Kills the first process that reaches the place, after its call there took effect.
    async fn crash(&self, function: &str, (operation, at_call): &Place) {
        let crash = json!({"operation": operation, "at_call": at_call, "when": "after"});
        self.stack.crash(function, crash).await;
    }

    /// Returns at most [`PLACES`] calls of a rebuild, spread from the first to the last. The explorer covers every
    /// call. The number of GetQueryExecution calls varies, so the first one represents them all.
    async fn places(&self, function: &str) -> Vec<Place> {
        let calls = self.stack.calls(function).await;
        let calls = calls.into_iter().map(|(name, n)| if name == "GetQueryExecution" { (name, 1) } else { (name, n) });
        let all: Vec<Place> = calls.flat_map(|(name, n)| (1..=n).map(move |at_call| (name.clone(), at_call))).collect();
        let step = all.len().div_ceil(PLACES);
        all.into_iter().step_by(step).collect()
    }

    /// Rebuilds until curate and catalog have died at all of their places.
    async fn all(&self) {
        let mut n = 1;
        let mut run = Value::Null;
        // once every class is there, each rebuild makes the same calls as the one before
        while n <= CLASSES {
            n += 1;
            for function in ["curate", "catalog"] {
                self.stack.forget_calls(function).await;
            }
            let event = self.curate(Files(n), None).await;
            run = self.catalog(Files(n), event, None).await;
        }
        let mut before = (Files(n), run);
        let (of_curate, of_catalog) = (self.places("curate").await, self.places("catalog").await);
        for (places, known) in [(&of_curate, "PutObject"), (&of_catalog, "UpdateTable")] {
            assert!(places.iter().any(|(operation, _)| operation == known), "{places:?}");
        }
        let (mut of_curate, mut of_catalog) = (of_curate.into_iter(), of_catalog.into_iter());
        let place = |&(operation, at_call): &(&str, u64)| (operation.to_owned(), at_call);
        let mut of_rollbacks = ROLLBACKS.iter().map(place);
        while n < REBUILDS || of_catalog.len() > 0 || of_curate.len() > 0 {
            n += 1;
            let event = self.curate(Files(n), of_curate.next()).await;
            let run = if n.is_multiple_of(CONCURRENT_EVERY) {
                let next = self.curate(Files(n + 1), None).await;
                // the first invocation to publish a table, whichever it is, dies before it has published the other
                // table
                self.crash("catalog", &place(&("UpdateTable", 1))).await;
                let both = (self.catalog(Files(n), event, None), self.catalog(Files(n + 1), next, None));
                let (_, run) = tokio::join!(both.0, both.1);
                assert!(self.stack.struck("catalog").await.is_some(), "neither catalog was killed");
                n += 1;
                run
            } else {
                self.catalog(Files(n), event, of_catalog.next()).await
            };
            if n.is_multiple_of(ROLLBACK_EVERY) {
                let (files, run) = before;
                self.catalog(files, json!({"publish": run}), of_rollbacks.next()).await;
            }
            before = (Files(n), run);
        }
        assert_eq!(of_rollbacks.next(), None, "rollbacks are left");
    }
}

/// Metadata of a table of every mode.
fn metadata() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| tests::write(folder.path(), path, text);
    let column = |name: &str, column_type: &str| json!({"name": name, "type": column_type, "description": ""});
    let table = |name: &str, format: &str, columns: &[Value]| {
        let mut table = json!({"name": name, "location": name, "data_format": format});
        table["columns"] = columns.into();
        table
    };
    let (shop, price, class) = (column("shop", "character"), column("price", "long"), column("class", "int"));
    let database = json!({"name": "trade", "bucket": "b", "base_folder": "trade", "description": "Trade"});
    write("curated/database.json", &database.to_string());
    write("raw/sales.json", &table("sales", "json", &[shop.clone(), price.clone()]).to_string());
    let curated = |of: Table, columns: &[Value], sql: &str, more: Value| {
        let mut described = table(of.name(), "parquet", columns);
        for (key, value) in more.as_object().unwrap() {
            described[key] = value.clone();
        }
        write(&format!("curated/{}.json", of.name()), &described.to_string());
        write(&format!("curated/{}.sql", of.name()), sql);
    };
    let sales = [shop.clone(), price.clone(), column("dea_version", "character")];
    curated(Table::Sales, &sales, SALES, json!({}));
    curated(Table::Log, &sales, SALES, json!({"mode": "append"}));
    let by_shop = [shop, column("n", "long"), column("dea_snapshot_date", "date")];
    curated(Table::ByShop, &by_shop, BY_SHOP, json!({"mode": "partition", "partitions": ["dea_snapshot_date"]}));
    let by_class = [price, class];
    let partitions = json!(["class"]);
    let projected = json!({"partition_projection": true, "partitions": partitions});
    curated(Table::ByClass, &by_class, BY_CLASS, projected);
    curated(Table::Registered, &by_class, BY_CLASS, json!({"partitions": partitions}));
    curated(Table::LogByClass, &by_class, BY_CLASS, json!({"mode": "append", "partitions": partitions}));
    folder
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_see_one_published_run_after_the_other() {
    let folder = metadata();
    let options = Options { metadata: Some(folder.path().to_owned()), ..Options::default() };
    let stack = Stack::deploy("readers", options).await;
    let publications = RefCell::new(Vec::new());
    let rebuilder = Rebuilder { stack: &stack, publications: &publications };
    let event = rebuilder.curate(Files(1), None).await;
    rebuilder.catalog(Files(1), event, None).await;

    let stop = Cell::new(false);
    let rebuilding = async {
        rebuilder.all().await;
        stop.set(true);
    };
    let (one, other, third, ()) =
        tokio::join!(read(&stack, &stop), read(&stack, &stop), read(&stack, &stop), rebuilding);
    let publications = publications.into_inner();
    for answers in [one, other, third] {
        check(&answers, &publications);
        assert!(answers.len() > publications.len(), "{} answers: the reader hardly read", answers.len());
    }
}

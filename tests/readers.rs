//! Analysts who query while tables are rebuilt: a query that fails, mixes two runs or goes back in time is a broken
//! promise, whatever happens to the pipeline meanwhile.

use std::cell::{Cell, RefCell};
use std::time::Instant;

use serde_json::{Value, json};
use tests::{Options, Stack, gzip};

/// At least so many, while readers ask.
const REBUILDS: u64 = 30;
/// Each so many-th is published at the same moment as the next one.
const CONCURRENT_EVERY: u64 = 7;
/// Each so many-th is taken back before the next one comes.
const ROLLBACK_EVERY: u64 = 6;
/// Where catalog dies in the rollbacks.
const ROLLBACKS: [(&str, u64); 5] = [
    ("UpdateTable", 1),
    ("UpdateTable", 2),
    ("BatchUpdatePartition", 1),
    ("StartQueryExecution", 1),
    ("GetQueryResults", 1),
];
/// Fixed: `by_shop` has one partition, also when the test runs over midnight.
const SNAPSHOT_DATE: &str = "2026-11-25";

const SALES: &str = "SELECT shop, price, '${dea_version}' AS dea_version FROM sales";
const BY_SHOP: &str = "
SELECT shop, count(*) AS n, CAST('${snapshot_date}' AS DATE) AS dea_snapshot_date FROM sales GROUP BY shop";

const BY_CLASS: &str = "SELECT price, CAST(price % 5 AS INT) AS class FROM sales";

/// What the history holds: file 1 a sale of shop 1 at 1 pound, file 2 two sales of shop 2 at 2 pounds, and so on. So no
/// two runs answer the same.
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

    /// Count and sum of a table that is built from all of them.
    fn answer(self, table: Table) -> [String; 2] {
        let sales: u64 = (1..=self.0).sum();
        let pounds: u64 = (1..=self.0).map(|n| n * n).sum();
        let (count, sum) = match table {
            Table::Sales | Table::ByClass => (sales, pounds),
            Table::ByShop => (self.0, sales),
        };
        [count.to_string(), sum.to_string()]
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Table {
    /// Without partitions: replaced whole.
    Sales,
    /// One partition of it is replaced.
    ByShop,
    /// All its partitions are replaced, which Athena computes.
    ByClass,
}

impl Table {
    const ALL: [Self; 3] = [Self::Sales, Self::ByShop, Self::ByClass];

    fn sql(self, database: &str) -> String {
        match self {
            Self::Sales => format!("SELECT COUNT(*), SUM(price) FROM {database}.sales"),
            Self::ByShop => format!("SELECT COUNT(*), SUM(n) FROM {database}.by_shop"),
            Self::ByClass => format!("SELECT COUNT(*), SUM(price) FROM {database}.by_class"),
        }
    }
}

/// Where a process dies: the operation of AWS, and how many of it into its invocation.
type Place = (String, u64);

/// What the readers are to see from now on.
#[derive(Debug)]
struct Publication {
    files: Files,
    started: Instant,
    /// When catalog had answered.
    ended: Option<Instant>,
}

/// What a reader was told.
#[derive(Debug)]
struct Answer {
    table: Table,
    started: Instant,
    ended: Instant,
    values: Vec<String>,
}

/// Asks for all tables by turns, without a pause, until it is told to stop.
async fn read(stack: &Stack, stop: &Cell<bool>) -> Vec<Answer> {
    let mut answers = Vec::new();
    while !stop.get() {
        for table in Table::ALL {
            let started = Instant::now();
            let rows = stack.query(&table.sql(stack.database())).await;
            answers.push(Answer {
                table,
                started,
                ended: Instant::now(),
                values: rows.into_iter().flatten().collect(),
            });
        }
    }
    answers
}

/// Each answer is that of one publication: one that had begun when the answer came, none from before another that was
/// complete when the question was asked, and none from before the reader's last answer.
fn check(answers: &[Answer], publications: &[Publication]) {
    for table in Table::ALL {
        let mut least = 0;
        for answer in answers.iter().filter(|answer| answer.table == table) {
            let complete = |publication: &Publication| publication.ended.is_some_and(|ended| ended < answer.started);
            least = least.max(publications.iter().rposition(complete).expect("the first one is complete"));
            let told = |publication: &Publication| {
                answer.values == publication.files.answer(table) && publication.started < answer.ended
            };
            let found = publications[least..].iter().position(told);
            let seen = &publications[least];
            least += found.unwrap_or_else(|| panic!("{answer:?}, expected that of {seen:?} or of a later one"));
        }
    }
}

/// Rebuilds a stack's tables while others read them.
struct Rebuilder<'a> {
    stack: &'a Stack,
    publications: &'a RefCell<Vec<Publication>>,
}

impl Rebuilder<'_> {
    /// Adds a file to the history and builds the tables: what curate answers.
    async fn curate(&self, files: Files, place: Option<Place>) -> Value {
        let stack = self.stack;
        let body = files.newest().into();
        stack.s3.put_object().bucket(stack.bucket("raw-hist")).key(files.key()).body(body).send().await.unwrap();
        self.invoke("curate", json!({"snapshot_date": SNAPSHOT_DATE}), place).await
    }

    async fn catalog(&self, files: Files, event: Value, place: Option<Place>) {
        let started = Instant::now();
        let publication = self.publications.borrow().len();
        self.publications.borrow_mut().push(Publication { files, started, ended: None });
        self.invoke("catalog", event, place).await;
        self.publications.borrow_mut()[publication].ended = Some(Instant::now());
    }

    /// Invokes a function, and again when it is killed, as the state machine does. The first process to come to the
    /// place is: after its call there took effect.
    async fn invoke(&self, function: &str, event: Value, place: Option<Place>) -> Value {
        if let Some(place) = &place {
            self.crash(function, place).await;
        }
        for _ in 0..3 {
            match self.stack.invoke(function, event.clone()).await {
                Ok(answer) => {
                    let died = place.is_none() || self.stack.struck(function).await.is_some();
                    assert!(died, "{function} was not killed at {place:?}");
                    return answer;
                }
                Err((kind, _)) if kind == "Runtime.ExitError" => {}
                Err(failure) => panic!("{function}: {failure:?}\n{}", self.stack.logs()),
            }
        }
        panic!("{function} was killed three times, once was asked for")
    }

    /// Kills the first process that comes to the place, after its call there took effect.
    async fn crash(&self, function: &str, (operation, at_call): &Place) {
        let crash = json!({"operation": operation, "at_call": at_call, "when": "after"});
        self.stack.crash(function, crash).await;
    }

    /// Every place of a rebuild. The state of a query is asked for as often as it takes: the first time stands for all.
    async fn places(&self, function: &str) -> Vec<Place> {
        let calls = self.stack.calls(function).await;
        let calls = calls.into_iter().map(|(name, n)| if name == "GetQueryExecution" { (name, 1) } else { (name, n) });
        calls.flat_map(|(name, n)| (1..=n).map(move |at_call| (name.clone(), at_call))).collect()
    }

    /// The rebuilds, until curate and catalog have died at each of their places.
    async fn all(&self) {
        for function in ["curate", "catalog"] {
            self.stack.forget_calls(function).await;
        }
        let event = self.curate(Files(2), None).await;
        let mut before = (Files(2), event["run"].clone());
        self.catalog(Files(2), event, None).await;
        let (of_curate, of_catalog) = (self.places("curate").await, self.places("catalog").await);
        for (places, known) in [(&of_curate, ("PutObject", 3)), (&of_catalog, ("UpdateTable", 3))] {
            assert!(places.contains(&(known.0.into(), known.1)), "{places:?}");
        }
        let (mut of_curate, mut of_catalog) = (of_curate.into_iter(), of_catalog.into_iter());
        let place = |&(operation, at_call): &(&str, u64)| (operation.to_owned(), at_call);
        let mut of_rollbacks = ROLLBACKS.iter().map(place);
        let mut n = 2;
        while n < REBUILDS || of_catalog.len() > 0 || of_curate.len() > 0 {
            n += 1;
            let event = self.curate(Files(n), of_curate.next()).await;
            let mut run = event["run"].clone();
            if n.is_multiple_of(CONCURRENT_EVERY) {
                let next = self.curate(Files(n + 1), None).await;
                run = next["run"].clone();
                // the first to publish a table, whichever it is, dies before it has published the other
                self.crash("catalog", &place(&("UpdateTable", 1))).await;
                tokio::join!(self.catalog(Files(n), event, None), self.catalog(Files(n + 1), next, None));
                assert!(self.stack.struck("catalog").await.is_some(), "neither catalog was killed");
                n += 1;
            } else {
                self.catalog(Files(n), event, of_catalog.next()).await;
            }
            if n.is_multiple_of(ROLLBACK_EVERY) {
                let (files, run) = before;
                self.catalog(files, json!({"publish": run}), of_rollbacks.next()).await;
            }
            before = (Files(n), run);
        }
        assert_eq!(of_rollbacks.next(), None, "rollbacks are left");
    }
}

/// Metadata of the three tables.
fn metadata() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| tests::write(folder.path(), path, text);
    let column = |name: &str, column_type: &str| json!({"name": name, "type": column_type, "description": ""});
    let table = |name: &str, format: &str, columns: &[Value]| {
        let mut table = json!({"name": name, "location": name, "data_format": format});
        table["columns"] = columns.into();
        table
    };
    let (shop, price) = (column("shop", "character"), column("price", "long"));
    let database = json!({"name": "trade", "bucket": "b", "base_folder": "trade", "description": "Trade"});
    write("curated/database.json", &database.to_string());
    write("raw/sales.json", &table("sales", "json", &[shop.clone(), price.clone()]).to_string());
    let columns = [shop.clone(), price, column("dea_version", "character")];
    write("curated/sales.json", &table("sales", "parquet", &columns).to_string());
    write("curated/sales.sql", SALES);
    let mut by_shop = table("by_shop", "parquet", &[shop, column("n", "long"), column("dea_snapshot_date", "date")]);
    by_shop["mode"] = "partition".into();
    by_shop["partitions"] = json!(["dea_snapshot_date"]);
    write("curated/by_shop.json", &by_shop.to_string());
    write("curated/by_shop.sql", BY_SHOP);
    let mut by_class = table("by_class", "parquet", &[column("price", "long"), column("class", "int")]);
    by_class["partition_projection"] = true.into();
    by_class["partitions"] = json!(["class"]);
    write("curated/by_class.json", &by_class.to_string());
    write("curated/by_class.sql", BY_CLASS);
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

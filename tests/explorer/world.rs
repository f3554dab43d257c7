//! The state in which schedules begin: tables of every mode, some published runs, some unpublished ones, and a snapshot
//! of all of that.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use aws_sdk_lambda::types::Environment;
use serde_json::{Value, json};
use tests::{Options, Stack, gzip};

/// The days of each file's rows, one row per day.
const FILES: [&[u64]; 4] = [&[1, 2], &[2, 3], &[1, 3, 5], &[2, 4]];
/// The snapshot date of all runs.
const SNAPSHOT_DATE: &str = "2026-11-25";

/// A curated table, its mode and its partition column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Table {
    pub name: &'static str,
    mode: &'static str,
    partition: Option<&'static str>,
    projected: bool,
    copied: bool,
}

impl Table {
    /// Tables of every mode.
    pub(super) const ALL: [Self; 7] = [
        Self { name: "flat", mode: "rebuild", partition: None, projected: false, copied: false },
        Self { name: "parts", mode: "rebuild", partition: Some("day"), projected: false, copied: false },
        Self { name: "projected", mode: "rebuild", partition: Some("day"), projected: true, copied: false },
        Self { name: "log", mode: "append", partition: None, projected: false, copied: false },
        Self { name: "log_parts", mode: "append", partition: Some("day"), projected: false, copied: false },
        Self { name: "log_copied", mode: "append", partition: Some("day"), projected: false, copied: true },
        Self { name: "daily", mode: "partition", partition: Some("snapshot"), projected: false, copied: false },
    ];

    /// Whether a publication of the table takes several Glue calls to become visible.
    pub(super) fn moves_in_steps(self) -> bool {
        self.partition == Some("day") && !self.projected
    }

    /// Returns the number of rows, and their sum, of a partition in a run of these files, or of the whole table if it
    /// has no partitions.
    fn rows(self, files: &BTreeSet<usize>, partition: &str) -> (u64, u64) {
        let day = self.partition.filter(|column| *column == "day").map(|_| partition.parse::<u64>().unwrap());
        let of_file =
            |file: &usize| FILES[file - 1].iter().filter(|of_row| day.is_none_or(|day| day == **of_row)).count();
        files
            .iter()
            .map(|file| (of_file(file) as u64, of_file(file) as u64 * weight(*file)))
            .fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1))
    }

    /// Returns the partitions in a run of these files.
    fn partitions(self, files: &BTreeSet<usize>) -> BTreeSet<String> {
        match self.partition {
            None => [String::new()].into(),
            Some("day") => files.iter().flat_map(|file| FILES[file - 1]).map(u64::to_string).collect(),
            Some(_) => [SNAPSHOT_DATE.to_owned()].into(),
        }
    }

    /// Returns the expected result of a query for a run of these files.
    pub(super) fn all(self, files: &BTreeSet<usize>) -> Rows {
        self.partitions(files).into_iter().map(|partition| (partition.clone(), self.rows(files, &partition))).collect()
    }

    fn sql(self, database: &str) -> String {
        let (name, column) = (self.name, self.partition);
        let value = column.map_or_else(|| "''".to_owned(), |column| format!("CAST({column} AS varchar)"));
        let group = column.map(|column| format!(" GROUP BY {column}")).unwrap_or_default();
        format!("SELECT '{name}', {value}, COUNT(*), SUM(n) FROM {database}.{name}{group}")
    }
}

/// Returns the value that each row of a file adds to the sum, chosen so that the sum shows how often each file is
/// included.
fn weight(file: usize) -> u64 {
    16_u64.pow(file as u32 - 1)
}

/// A query's result: by partition, the number of rows and their sum.
pub(super) type Rows = BTreeMap<String, (u64, u64)>;
/// The result for each table.
pub(super) type Seen = BTreeMap<&'static str, Rows>;

/// The state from which a schedule begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Beginning {
    /// Two runs were published, one after the other.
    Published,
    /// Nothing was published: there is neither a decision nor a database.
    Empty,
}

/// A stack with snapshots of both beginnings.
pub(super) struct World {
    pub stack: Stack,
    beginnings: [String; 2],
    /// The files in each run, by run id.
    runs: RefCell<BTreeMap<String, BTreeSet<usize>>>,
    /// The answers of curate for runs that are not published yet.
    pub built: BTreeMap<&'static str, Value>,
    /// The first published run.
    pub first: String,
}

impl World {
    /// Publishes two runs and builds others without publishing them: an older and a newer one, a wrong one, and so on.
    pub(super) async fn new(name: &str) -> Self {
        let metadata = metadata();
        let stack =
            Stack::deploy(name, Options { metadata: Some(metadata.path().to_owned()), ..Options::default() }).await;
        let mut world = Self {
            stack,
            beginnings: Default::default(),
            runs: RefCell::default(),
            built: BTreeMap::new(),
            first: String::new(),
        };
        world.land(1).await;
        let head =
            world.stack.s3.head_object().bucket(world.stack.bucket("raw-hist")).key(key(1)).send().await.unwrap();
        let as_of = head.last_modified().unwrap().secs();
        let first = world.build(json!({}), 1).await;
        world.first = first["run"].as_str().unwrap().to_owned();
        world.stack.invoke("catalog", first).await.unwrap();
        std::fs::remove_file(world.stack.metadata().join("curated/obsolete.json")).unwrap();
        std::fs::remove_file(world.stack.metadata().join("curated/obsolete.sql")).unwrap();
        restart(&world.stack).await;
        // S3 reports the time of a write to the second
        tokio::time::sleep(Duration::from_millis(1100)).await;
        world.land(2).await;
        let second = world.build(json!({}), 2).await;
        world.stack.invoke("catalog", second).await.unwrap();
        world.land(3).await;
        let mut built = BTreeMap::new();
        built.insert("older", world.build(json!({}), 3).await);
        let wrong = world.build(json!({}), 3).await;
        world.spoil(&wrong).await;
        built.insert("wrong", wrong);
        world.land(4).await;
        built.insert("newer", world.build(json!({}), 4).await);
        built.insert("some", world.build(json!({"tables": ["parts", "log", "log_copied", "daily"]}), 4).await);
        built.insert("scratch", world.build(json!({"from_scratch": true}), 4).await);
        built.insert("as_of", world.build(json!({"as_of": as_of}), 1).await);
        world.built = built;
        let published = world.stack.snapshot().await;
        world.unpublish().await;
        world.beginnings = [published, world.stack.snapshot().await];
        world
    }

    /// Restores the beginning.
    pub(super) async fn begin(&self, beginning: Beginning) {
        self.stack.restore(&self.beginnings[beginning as usize]).await;
    }

    /// Deletes the decision and the journal, and the database that shows the published tables.
    async fn unpublish(&self) {
        self.stack.glue.delete_database().name(self.stack.database()).send().await.unwrap();
        for key in self.stack.keys("curated").await.into_iter().filter(|key| key.contains("/_publications/")) {
            self.stack.s3.delete_object().bucket(self.stack.bucket("curated")).key(key).send().await.unwrap();
        }
    }

    async fn land(&self, file: usize) {
        let rows: String =
            FILES[file - 1].iter().map(|day| format!("{{\"n\":{},\"day\":{day}}}\n", weight(file))).collect();
        self.stack.put_history(&key(file), gzip(&rows)).await;
    }

    async fn build(&self, mut request: Value, files: usize) -> Value {
        request["snapshot_date"] = SNAPSHOT_DATE.into();
        let built = self.stack.invoke("curate", request).await.unwrap();
        self.runs.borrow_mut().insert(built["run"].as_str().unwrap().to_owned(), (1..=files).collect());
        built
    }

    /// Gives two tables of a run's manifest wrong row counts.
    async fn spoil(&self, built: &Value) {
        let key = built["manifest"]["key"].as_str().unwrap();
        let mut manifest = self.stack.read_json("curated", key).await;
        for table in manifest["tables"].as_array_mut().unwrap() {
            if ["flat", "log"].contains(&table["table"].as_str().unwrap()) {
                table["rows"] = 99.into();
            }
        }
        let put = self.stack.s3.put_object().bucket(self.stack.bucket("curated")).key(key);
        put.body(manifest.to_string().into_bytes().into()).send().await.unwrap();
    }

    /// Adds the snapshot date to a rebuild's request.
    pub(super) fn request(&self, mut request: Value) -> Value {
        request["snapshot_date"] = SNAPSHOT_DATE.into();
        request
    }

    /// Returns the files of a run: those recorded for it, or all files if a schedule built it.
    fn files_of(&self, run: &str) -> BTreeSet<usize> {
        self.runs.borrow().get(run).cloned().unwrap_or_else(|| (1..=FILES.len()).collect())
    }

    /// Returns the expected final state.
    pub(super) fn everything(&self) -> Seen {
        Table::ALL.iter().map(|table| (table.name, table.all(&(1..=FILES.len()).collect()))).collect()
    }

    /// Returns every result that a table may have, from the fewest files to the most.
    pub(super) fn known(&self, table: Table) -> Vec<Rows> {
        let mut files: Vec<BTreeSet<usize>> = self.runs.borrow().values().cloned().collect();
        files.sort_by_key(BTreeSet::len);
        files.dedup();
        files.iter().map(|files| table.all(files)).collect()
    }

    /// Returns the result of each table according to a decision.
    pub(super) fn decided(&self, decision: &Value) -> Seen {
        let mut seen = Seen::new();
        for table in Table::ALL {
            let Some(decided) = find(decision, table.name) else { continue };
            let partitions = decided["partitions"].as_array().unwrap();
            let rows = match table.partition {
                None => table.all(&self.files_of(&run_of(decided))),
                Some(_) => partitions
                    .iter()
                    .map(|partition| {
                        let value = partition["values"][0].as_str().unwrap();
                        (value.to_owned(), table.rows(&self.files_of(&run_of(partition)), value))
                    })
                    .collect(),
            };
            seen.insert(table.name, rows);
        }
        seen
    }

    /// Queries all tables.
    pub(super) async fn look(&self) -> Result<Seen, String> {
        self.look_at(&Table::ALL).await
    }

    /// Queries these tables.
    pub(super) async fn look_at(&self, tables: &[Table]) -> Result<Seen, String> {
        let queries: Vec<String> = tables.iter().map(|table| table.sql(self.stack.database())).collect();
        let mut seen: Seen = tables.iter().map(|table| (table.name, Rows::new())).collect();
        for row in self.stack.ask(&queries.join(" UNION ALL ")).await? {
            let rows = seen.iter_mut().find(|(name, _)| **name == row[0]).unwrap().1;
            rows.insert(row[1].clone(), (row[2].parse().unwrap(), row[3].parse().unwrap_or_default()));
        }
        Ok(seen)
    }

    /// Returns the current decision, or null if nothing was published.
    pub(super) async fn current(&self) -> Value {
        let key = "explored/_publications/current.json";
        if self.stack.keys("curated").await.iter().any(|there| there == key) {
            self.stack.read_json("curated", key).await
        } else {
            Value::Null
        }
    }
}

/// Finds a table in a decision.
pub(super) fn find<'a>(decision: &'a Value, name: &str) -> Option<&'a Value> {
    decision["tables"].as_array()?.iter().find(|table| table["table"] == name)
}

/// Returns the run in the location of a table or partition.
fn run_of(decided: &Value) -> String {
    let location = decided["location"].as_str().unwrap();
    location.trim_start_matches("s3://").split('/').nth(3).unwrap().to_owned()
}

fn key(file: usize) -> String {
    format!("open_data/postcodes_example/visits/file_land_timestamp={file}/visits_{file}.jsonl.gz")
}

/// Metadata of tables of every mode, and of `obsolete`, whose metadata is deleted later.
fn metadata() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| tests::write(folder.path(), path, text);
    let column = |name: &str, kind: &str| json!({"name": name, "type": kind, "description": ""});
    let table = |name: &str, format: &str, columns: &[Value]| json!({"name": name, "location": name, "data_format": format, "columns": columns});
    let database = json!({"name": "explored", "bucket": "b", "base_folder": "explored", "description": "Explored"});
    write("curated/database.json", &database.to_string());
    let columns = [column("n", "long"), column("day", "long")];
    write("raw/visits.json", &table("visits", "json", &columns).to_string());
    let obsolete = Table { name: "obsolete", mode: "rebuild", partition: None, projected: false, copied: false };
    for described in Table::ALL.into_iter().chain([obsolete]) {
        let is_daily = described.partition == Some("snapshot");
        let columns = if is_daily { [column("n", "long"), column("snapshot", "date")] } else { columns.clone() };
        let mut table = table(described.name, "parquet", &columns);
        table["mode"] = described.mode.into();
        if let Some(partition) = described.partition {
            table["partitions"] = json!([partition]);
        }
        if described.projected {
            table["partition_projection"] = true.into();
        }
        if described.copied {
            table["self_contained"] = true.into();
        }
        write(&format!("curated/{}.json", described.name), &table.to_string());
        let sql = if is_daily {
            "SELECT n, CAST('${snapshot_date}' AS DATE) AS snapshot FROM visits"
        } else {
            "SELECT n, day FROM visits"
        };
        write(&format!("curated/{}.sql", described.name), sql);
    }
    folder
}

/// Makes curate and catalog read the metadata again, and lets runs expire at once.
async fn restart(stack: &Stack) {
    for function in ["curate", "catalog"] {
        let name = stack.function(function);
        let settings = stack.lambda.get_function_configuration().function_name(&name).send().await.unwrap();
        let variables = settings.environment().and_then(|environment| environment.variables()).unwrap().clone();
        let more: HashMap<String, String> = [("KEEP_RUNS_DAYS".into(), "0".into())].into();
        let environment = Environment::builder().set_variables(Some(variables.into_iter().chain(more).collect()));
        let change = stack.lambda.update_function_configuration().function_name(&name).environment(environment.build());
        change.send().await.unwrap();
    }
}

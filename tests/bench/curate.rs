//! Measures the speed of curate beside other engines. `make bench` runs this; `--help` lists the options.
//!
//! The contestants build two tables of `meta_data` beside this file from the same gzipped JSON Lines, each as a whole
//! process. `postcodes` is a copy with a version column. `calculated` counts rows by region, in a partition folder of
//! the snapshot date. Both are Parquet compressed with Snappy.
//!
//! - `curate`: ours, `landfall tables`
//! - `floor`: our reader and the same Parquet without an SQL engine, [`bench::floor`]
//! - `polars`, `duckdb`, `pyarrow`, `spark`: scripts that receive the types, `tests/compare/curate_*.py`
//! - `spark-infer`: Spark as the job of the MoJ ETL pipeline example uses it. It infers the types itself and reads
//!   everything a second time for the count.
//!
//! The output of each contestant is read back after its first run. A contestant whose output differs from the floor's
//! is reported and not ranked.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::thread::available_parallelism;

use bench::contestant::{self, Contestant};
use bench::figures::{self, Measured};
use bench::postcodes::{self, History};
use bench::process::{Run, Spread, run};
use bench::{CHECKOUT, Fault, META_DATA, curated, floor, options};
use serde_json::{Value, json};

const HELP: &str = "usage: cargo bench -p landfall-bench --bench curate -- [OPTION]…
  --sizes N,N            S, M, L, or files x rows a file, such as 8x1000 [S,M,L]
                         S is 130x10, M is 20x50000 (1 GB of JSON), L is 10x500000 (5 GB)
  --rounds N             how often each contestant runs [5]
  --landfall PATH        our binary [target/release/landfall]
  --python PATH          a Python with tests/compare/requirements.txt [.venv-compare/bin/python]
  --spark-python PATH    a Python with pyspark [.venv-spark/bin/python]
";
/// Inside the target folder.
const SCRATCH: &str = env!("CARGO_TARGET_TMPDIR");
const OURS: &str = "curate";
const FLOOR: &str = "floor";
const VERIFY: &str = "verify";
/// Spark takes a minute for more rows than this, so it runs once.
const SLOW_ROWS: u64 = 100_000;
const DEA_VERSION: &str = "v0.1.0";
const SNAPSHOT_DATE: &str = "2026-11-23";
/// The memory limit that the memory probe gives ours.
const MEMORY_MB: u64 = 512;
const STARTS: usize = 25;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let ended = match &arguments[..] {
        [mode, raw_hist, to] if mode == FLOOR => {
            floor::build(raw_hist.as_ref(), to.as_ref(), DEA_VERSION, SNAPSHOT_DATE)
        }
        [mode, folder] if mode == VERIFY => curated::describe(folder.as_ref()).map(|described| println!("{described}")),
        _ => Settings::parse(arguments).and_then(|settings| settings.map_or(Ok(()), |settings| bench(&settings))),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("{fault}");
            ExitCode::FAILURE
        }
    }
}

struct Settings {
    sizes: Vec<Size>,
    rounds: usize,
    landfall: PathBuf,
    python: PathBuf,
    spark_python: PathBuf,
}

#[derive(Clone)]
struct Size {
    name: String,
    files: u64,
    rows_each: u64,
}

impl Size {
    fn parse(name: &str) -> Result<Self, Fault> {
        let (files, rows_each) = match name {
            "S" => (130, 10),
            "M" => (20, 50_000),
            "L" => (10, 500_000),
            other => {
                let (files, rows) = other.split_once('x').ok_or("expected S, M, L, or files x rows a file")?;
                (files.parse()?, rows.parse()?)
            }
        };
        Ok(Self { name: name.into(), files, rows_each })
    }
}

impl Settings {
    /// Parses the options. Returns `None` if `--help` is among them.
    fn parse(arguments: Vec<String>) -> Result<Option<Self>, Fault> {
        let mut settings = Self {
            sizes: ["S", "M", "L"].into_iter().map(Size::parse).collect::<Result<_, _>>()?,
            rounds: 5,
            landfall: Path::new(SCRATCH).join("../release/landfall"),
            python: Path::new(CHECKOUT).join(".venv-compare/bin/python"),
            spark_python: Path::new(CHECKOUT).join(".venv-spark/bin/python"),
        };
        let go_on = options::parse(arguments, HELP, |option, value| {
            match option {
                "--sizes" => settings.sizes = value.split(',').map(Size::parse).collect::<Result<_, _>>()?,
                "--rounds" => settings.rounds = value.parse::<usize>()?.max(1),
                "--landfall" => settings.landfall = value.into(),
                "--python" => settings.python = value.into(),
                "--spark-python" => settings.spark_python = value.into(),
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(go_on.then_some(settings))
    }
}

/// The files to build from, and the output folder.
struct Job {
    name: String,
    history: History,
    to: PathBuf,
}

impl Job {
    fn new(size: &Size) -> Result<Self, Fault> {
        let history = postcodes::history(&Path::new(SCRATCH).join("postcodes"), size.files, size.rows_each)?;
        Ok(Self { name: size.name.clone(), history, to: Path::new(SCRATCH).join("curated") })
    }

    /// Runs a contestant once, with an empty output folder.
    fn pass(&self, contestant: &Contestant<Self>) -> Result<Run, Fault> {
        self.clear()?;
        contestant.pass(self)
    }

    /// Empties the output folder. Files that are deleted before they reach the disk do not slow down the next run.
    fn clear(&self) -> Result<(), Fault> {
        if self.to.exists() {
            fs::remove_dir_all(&self.to)?;
        }
        fs::create_dir_all(&self.to)?;
        Ok(())
    }

    /// Describes the output folder's content, in a separate process because this one must stay small.
    fn made(&self) -> Result<Value, Fault> {
        let output = Path::new(SCRATCH).join("verify.out");
        let verified = run(Command::new(std::env::current_exe()?).arg(VERIFY).arg(&self.to), &output)?;
        let printed = fs::read_to_string(&output)?;
        match verified.exit {
            Some(0) => Ok(serde_json::from_str(&printed)?),
            _ => Err(format!("reading {} back: {printed}", self.to.display()).into()),
        }
    }
}

fn ours(settings: &Settings, name: &'static str, options: &'static [&'static str]) -> Contestant<Job> {
    let program = settings.landfall.clone();
    Contestant::new(name, Path::new(SCRATCH), move |job: &Job| {
        let mut command = Command::new(&program);
        command.args(["tables", "--meta-data", META_DATA, "--dea-version", DEA_VERSION]);
        command.args(["--snapshot-date", SNAPSHOT_DATE]).args(options);
        command.arg("--raw-hist").arg(&job.history.folder).arg("--curated").arg(&job.to);
        command
    })
}

/// Returns the installed contestants, the floor first, and prints how to install the others.
fn contestants(settings: &Settings) -> Result<Vec<Contestant<Job>>, Fault> {
    let scratch = Path::new(SCRATCH);
    let this = std::env::current_exe()?;
    let mut all = vec![Contestant::new(FLOOR, scratch, move |job: &Job| {
        let mut command = Command::new(&this);
        command.arg(FLOOR).arg(&job.history.folder).arg(&job.to);
        command
    })];
    if settings.landfall.exists() {
        all.push(ours(settings, OURS, &[]));
    } else {
        println!("left out: {OURS}, for want of {} (cargo build --release -p landfall)", settings.landfall.display());
    }
    let script = |name: &'static str, python: &Path| {
        let python = python.to_owned();
        Contestant::new(name, scratch, move |job: &Job| {
            let (program, option) = name.split_once('-').map_or((name, None), |(program, way)| (program, Some(way)));
            let mut command = contestant::script(&format!("curate_{program}.py"), &python);
            command.arg(&job.history.folder).arg(&job.to).args([META_DATA, DEA_VERSION, SNAPSHOT_DATE]).args(option);
            command
        })
    };
    if settings.python.exists() {
        all.extend(["polars", "duckdb", "pyarrow"].map(|name| script(name, &settings.python)));
    } else {
        let python = settings.python.display();
        println!("left out: polars, duckdb and pyarrow, for want of {python} (`make compare` makes it)");
    }
    if imports(&settings.spark_python, "pyspark") {
        all.extend(["spark", "spark-infer"].map(|name| script(name, &settings.spark_python).slow()));
    } else {
        let python = settings.spark_python.display();
        println!("left out: spark, for want of {python} with pyspark (`make compare-spark` makes it)");
    }
    Ok(all)
}

fn imports(python: &Path, package: &str) -> bool {
    let mut command = Command::new(python);
    command.arg("-c").arg(format!("import {package}")).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

fn bench(settings: &Settings) -> Result<(), Fault> {
    fs::create_dir_all(SCRATCH)?;
    let contestants = contestants(settings)?;
    let cores = available_parallelism()?;
    println!("{cores} cores, {} rounds, medians (least to greatest)\n", settings.rounds);
    let mut sizes = Vec::new();
    for size in &settings.sizes {
        let job = Job::new(size)?;
        let History { files, rows, json_bytes, gzip_bytes, .. } = job.history;
        println!(
            "{}: {rows} rows in {files} files, {:.1} MB of JSON, {:.1} MB as gzip",
            job.name,
            json_bytes as f64 / 1e6,
            gzip_bytes as f64 / 1e6
        );
        let mut verified = Verified::default();
        let measured = figures::rounds(&contestants, settings.rounds, rows > SLOW_ROWS, |one| match job.pass(one) {
            Ok(run) => Ok(verified.agrees(one.name, &job)?.then_some(run)),
            Err(fault) if [FLOOR, OURS].contains(&one.name) => Err(fault),
            Err(fault) => {
                verified.different.push(json!({"contestant": one.name, "differences": [fault.to_string()]}));
                Ok(None)
            }
        })?;
        verified.print();
        figures::print_table(&measured, json_bytes, &[OURS, FLOOR]);
        sizes.push((job, measured, verified));
    }
    let mut probes = json!({});
    if settings.landfall.exists() {
        probes["starts"] = starts(&contestants)?;
        if let Some((job, ..)) = sizes.last() {
            probes["memory"] = memory(settings, job)?;
        }
        if let Some((job, measured, _)) = sizes.last() {
            print_for_cost(job, measured);
        }
    }
    if let Some((job, ..)) = sizes.last() {
        job.clear()?;
    }
    let report = json!({
        "command": std::env::args().collect::<Vec<_>>(),
        "cores": cores.get(),
        "rounds": settings.rounds,
        "sizes": sizes.iter().map(json_of).collect::<Vec<_>>(),
        "probes": probes,
    });
    figures::keep(Path::new(SCRATCH), OURS, &report)?;
    Ok(())
}

fn json_of((job, measured, verified): &(Job, Vec<Measured>, Verified)) -> Value {
    json!({
        "size": job.name,
        "files": job.history.files,
        "rows": job.history.rows,
        "json_bytes": job.history.json_bytes,
        "gzip_bytes": job.history.gzip_bytes,
        "equal": verified.equal,
        "parquet_bytes": verified.parquet_bytes,
        "different": verified.different,
        "contestants": figures::json_of(measured),
    })
}

/// The contestants whose tables equal the floor's, and those whose tables differ.
#[derive(Default)]
struct Verified {
    floor: Option<Value>,
    equal: Vec<&'static str>,
    different: Vec<Value>,
    /// The size of the output of each contestant in `equal`.
    parquet_bytes: Vec<u64>,
}

impl Verified {
    /// Checks a contestant's output the first time, and returns whether it equals the floor's.
    fn agrees(&mut self, name: &'static str, job: &Job) -> Result<bool, Fault> {
        if self.equal.contains(&name) {
            return Ok(true);
        }
        let made = job.made()?;
        let Some(floor) = &self.floor else {
            if made[curated::STRAIGHT]["rows"] != job.history.rows {
                let rows = &made[curated::STRAIGHT]["rows"];
                return Err(format!("the floor has made {rows} rows of {}", job.history.rows).into());
            }
            self.floor = Some(made);
            return self.equals(name, job);
        };
        let differences = curated::differences(floor, &made);
        if differences.is_empty() {
            return self.equals(name, job);
        }
        self.different.push(json!({"contestant": name, "differences": differences}));
        Ok(false)
    }

    fn equals(&mut self, name: &'static str, job: &Job) -> Result<bool, Fault> {
        self.equal.push(name);
        self.parquet_bytes.push(curated::parquet_bytes(&job.to)?);
        Ok(true)
    }

    fn print(&self) {
        for other in &self.different {
            println!(
                "  not ranked: {} has not made the same tables:",
                other["contestant"].as_str().unwrap_or_default()
            );
            for difference in other["differences"].as_array().into_iter().flatten() {
                println!("    {}", difference.as_str().unwrap_or_default());
            }
        }
        let sizes = self.equal.iter().zip(&self.parquet_bytes);
        let sizes: Vec<_> = sizes.map(|(name, bytes)| format!("{name} {:.2}", *bytes as f64 / 1e6)).collect();
        println!("  equal tables (rows, types, hashes of all columns and rows, counts), MB: {}", sizes.join(", "));
    }
}

/// Measures the run time of ours and of the floor on next to no data.
fn starts(contestants: &[Contestant<Job>]) -> Result<Value, Fault> {
    let job = Job::new(&Size::parse("S")?)?;
    let mut report = json!({});
    for one in contestants.iter().filter(|one| [FLOOR, OURS].contains(&one.name)) {
        let runs: Result<Vec<f64>, Fault> = (0..STARTS).map(|_| Ok(job.pass(one)?.wall.as_secs_f64() * 1e3)).collect();
        let start = Spread::of(runs?);
        let (median, least, most) = (start.median, start.least, start.most);
        println!("start to end of {} on S: {median:.1} ms ({least:.1}–{most:.1}) of {STARTS}", one.name);
        report[one.name] = figures::spread(&start);
    }
    Ok(report)
}

/// Measures the peak memory of ours under a memory limit.
fn memory(settings: &Settings, job: &Job) -> Result<Value, Fault> {
    const { assert!(MEMORY_MB == 512, "the option below") };
    let run = job.pass(&ours(settings, "curate-memory", &["--memory", "512"]))?;
    let (wall, peak) = (run.wall.as_secs_f64(), run.peak_bytes as f64 / f64::from(1 << 20));
    println!("{OURS} --memory {MEMORY_MB} on {}: peak {peak:.0} MiB, {wall:.2} s", job.name);
    Ok(json!({"size": job.name, "memory_mb": MEMORY_MB, "peak_bytes": run.peak_bytes, "wall_s": wall}))
}

/// Prints the measured values of docs/cost.md.
fn print_for_cost(job: &Job, measured: &[Measured]) {
    let Some(ours) = measured.iter().find(|measured| measured.name == OURS) else { return };
    let (rows, gigabytes) = (job.history.rows as f64 / 1e6, job.history.json_bytes as f64 / 1e9);
    println!(
        "for docs/cost.md, on {}: {:.2} s a million rows, {:.2} s a GB of JSON; CPU {:.2} s a million rows, {:.2} s a \
         GB\n",
        job.name,
        ours.wall.median / rows,
        ours.wall.median / gigabytes,
        ours.cpu.median / rows,
        ours.cpu.median / gigabytes
    );
}

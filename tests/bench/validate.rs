//! How fast is validate, and next to what? `make bench` runs this; `--help` tells the options.
//!
//! The contestants check the same gzipped JSON Lines against the same metadata (`meta_data/raw/postcodes.json`: types,
//! nullable, enum, pattern, bounds, lengths), each as a whole process:
//!
//! - `validate`: ours, `validate check`
//! - `reader`: the floor, inflate and the row reader without a rule
//! - `inflate`: the floor below that
//! - `polars`, `duckdb`: scripts with equal checks, `tests/compare/*_check.py`
//! - `data_linter`: the Python checker that users compare with, `tests/compare/data_linter_check.py`
//!
//! First each checker is shown files with one defect; one that overlooks it is told, so that nobody is fast by not
//! looking. Then come the rounds.

use std::fs::{self, File};
use std::hint::black_box;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::thread::available_parallelism;

use bench::postcodes::{self, DataFile, Defect};
use bench::process::{Run, Spread, run};
use contract::{Compression, FileFormat, MetaData};
use flate2::bufread::MultiGzDecoder;
use rows::{Options, RowReader};
use serde_json::{Value, json};

const HELP: &str = "usage: cargo bench -p bench --bench validate -- [OPTION]…
  --rows N,N        rows of the files [1000,50000,500000]
  --rounds N        how often each contestant runs [5]
  --validate PATH   our binary [target/release/validate]
  --python PATH     a Python with tests/compare/requirements.txt [.venv-compare/bin/python]
";
const META_DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/meta_data");
const CHECKOUT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
/// Inside the target folder.
const SCRATCH: &str = env!("CARGO_TARGET_TMPDIR");
const OURS: &str = "validate";
const READER: &str = "reader";
/// data_linter takes a minute for files larger than this, so it runs once.
const SLOW_ROWS: u64 = 100_000;
const MEMORY_BUDGET_BYTES: f64 = 64e6;
/// What a row may have, less the newline.
const LONGEST_LINE_BYTES: usize = contract::MAXIMUM_ROW_BYTES - 1;
const LONG_LINES: u64 = 6;
const STARTS: usize = 25;

type Fault = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let ended = match &arguments[..] {
        [floor, file] if floor == READER => read(Path::new(file)),
        [floor, file] if floor == "inflate" => inflate(Path::new(file)),
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

/// The floor: every row of the file as Arrow, and no rule.
fn read(file: &Path) -> Result<(), Fault> {
    let metadata = MetaData::read(META_DATA.as_ref())?;
    let table = metadata.raw_table("postcodes")?;
    let source = File::open(file)?;
    let mut reader = RowReader::new(source, FileFormat::JsonLines, Compression::Gzip, table, Options::default())?;
    while let Some(batch) = reader.next_batch()? {
        black_box(&batch);
    }
    println!("{} rows", reader.summary().rows);
    Ok(())
}

fn inflate(file: &Path) -> Result<(), Fault> {
    const BUFFER_BYTES: usize = 256 << 10;
    let mut source = MultiGzDecoder::new(BufReader::with_capacity(BUFFER_BYTES, File::open(file)?));
    let (mut buffer, mut bytes) = (vec![0; BUFFER_BYTES], 0);
    loop {
        match source.read(&mut buffer)? {
            0 => break,
            n => bytes += black_box(&buffer[..n]).len(),
        }
    }
    println!("{bytes} bytes");
    Ok(())
}

struct Settings {
    rows: Vec<u64>,
    rounds: usize,
    validate: PathBuf,
    python: PathBuf,
}

impl Settings {
    /// None when only help was wanted.
    fn parse(arguments: Vec<String>) -> Result<Option<Self>, Fault> {
        let mut settings = Self {
            rows: vec![1_000, 50_000, 500_000],
            rounds: 5,
            validate: Path::new(SCRATCH).join("../release/validate"),
            python: Path::new(CHECKOUT).join(".venv-compare/bin/python"),
        };
        let mut arguments = arguments.into_iter();
        while let Some(option) = arguments.next() {
            // cargo says so to every bench
            if option == "--bench" {
                continue;
            }
            if option == "--help" {
                print!("{HELP}");
                return Ok(None);
            }
            let value = arguments.next().ok_or_else(|| format!("{option}: a value is missing\n{HELP}"))?;
            let wrong = |error| format!("{option} {value}: {error}");
            match option.as_str() {
                "--rows" => {
                    let rows: Result<Vec<u64>, _> = value.split(',').map(str::parse).collect();
                    settings.rows = rows.map_err(wrong)?;
                    settings.rows.sort_unstable();
                }
                "--rounds" => settings.rounds = value.parse::<usize>().map_err(wrong)?.max(1),
                "--validate" => settings.validate = value.into(),
                "--python" => settings.python = value.into(),
                _ => return Err(format!("unknown option {option}\n{HELP}").into()),
            }
        }
        Ok(Some(settings))
    }
}

/// A way to check (or only to read) a file. Exits with 0 for a good file and, if it checks, 1 for a broken one.
struct Contestant {
    name: &'static str,
    program: PathBuf,
    before: Vec<String>,
    after: Vec<String>,
    checks: bool,
}

impl Contestant {
    fn floor(name: &'static str) -> io::Result<Self> {
        let before = vec![name.into()];
        Ok(Self { name, program: std::env::current_exe()?, before, after: Vec::new(), checks: false })
    }

    fn script(name: &'static str, python: &Path) -> Self {
        let script = Path::new(CHECKOUT).join(format!("tests/compare/{name}_check.py"));
        let before = vec![script.display().to_string()];
        let table = format!("{META_DATA}/raw/postcodes.json");
        Self { name, program: python.to_owned(), before, after: vec![table], checks: true }
    }

    fn run(&self, file: &DataFile) -> Result<Run, Fault> {
        let mut command = Command::new(&self.program);
        command.args(&self.before).arg(&file.path).args(&self.after);
        run(&mut command, &self.output()).map_err(|error| format!("{}: {error}", self.program.display()).into())
    }

    /// A run that must find the file good.
    fn pass(&self, file: &DataFile) -> Result<Run, Fault> {
        let run = self.run(file)?;
        if run.exit == Some(0) {
            return Ok(run);
        }
        let output = fs::read_to_string(self.output()).unwrap_or_default();
        Err(format!("{} ended with {:?} on {}:\n{output}", self.name, run.exit, file.path.display()).into())
    }

    fn output(&self) -> PathBuf {
        Path::new(SCRATCH).join(format!("{}.out", self.name))
    }
}

/// Those that are here, and what to do for the others.
fn contestants(settings: &Settings) -> Result<Vec<Contestant>, Fault> {
    let mut all = Vec::new();
    if settings.validate.exists() {
        let after = ["--table", "postcodes", "--meta-data", META_DATA, "--json"].map(str::to_owned).to_vec();
        let (program, before) = (settings.validate.clone(), vec!["check".into()]);
        all.push(Contestant { name: OURS, program, before, after, checks: true });
    } else {
        println!("left out: {OURS}, for want of {} (cargo build --release -p validate)", settings.validate.display());
    }
    all.push(Contestant::floor(READER)?);
    all.push(Contestant::floor("inflate")?);
    if settings.python.exists() {
        all.extend(["polars", "duckdb", "data_linter"].map(|name| Contestant::script(name, &settings.python)));
    } else {
        let python = settings.python.display();
        println!("left out: polars, duckdb and data_linter, for want of {python} (`make compare` makes it)");
    }
    Ok(all)
}

fn bench(settings: &Settings) -> Result<(), Fault> {
    let data = Path::new(SCRATCH).join("postcodes");
    fs::create_dir_all(&data)?;
    let contestants = contestants(settings)?;
    let cores = available_parallelism()?;
    println!("{cores} cores, {} rounds, medians (least to greatest)\n", settings.rounds);

    let overlooked = inspect(&contestants, &data)?;
    let mut files = Vec::new();
    for rows in &settings.rows {
        let file = postcodes::file(&data, *rows, None)?;
        let measured = measure(&contestants, &file, settings.rounds)?;
        print_table(&file, &measured);
        files.push((file, measured));
    }
    let ours = contestants.iter().find(|contestant| contestant.name == OURS);
    let probes = ours.map(|ours| probe(ours, &data, &files)).transpose()?;
    let report = json!({
        "command": std::env::args().collect::<Vec<_>>(),
        "cores": cores.get(),
        "rounds": settings.rounds,
        "overlooked": overlooked,
        "files": files.iter().map(|(file, measured)| json_of(file, measured)).collect::<Vec<_>>(),
        "probes": probes,
    });
    let to = Path::new(SCRATCH).join("../bench/validate.json");
    fs::create_dir_all(Path::new(SCRATCH).join("../bench"))?;
    fs::write(&to, format!("{report:#}\n"))?;
    println!("all figures: {}", to.canonicalize()?.display());
    Ok(())
}

/// Shows every checker every defect; tells which it overlooks.
fn inspect(contestants: &[Contestant], data: &Path) -> Result<Vec<Value>, Fault> {
    let mut overlooked = Vec::new();
    let checkers: Vec<_> = contestants.iter().filter(|contestant| contestant.checks).collect();
    for defect in Defect::ALL {
        let file = postcodes::file(data, 1_000, Some(*defect))?;
        for checker in &checkers {
            let exit = checker.run(&file)?.exit;
            if exit != Some(1) {
                println!("{} overlooks a defect: {defect} (exit {exit:?})", checker.name);
                overlooked.push(json!({"contestant": checker.name, "defect": defect.to_string(), "exit": exit}));
            }
        }
    }
    let names: Vec<_> = checkers.iter().map(|checker| checker.name).collect();
    if overlooked.is_empty() && !names.is_empty() {
        let rules: Vec<_> = Defect::ALL.iter().map(Defect::to_string).collect();
        println!("equal checks: {} each find a file broken by {}\n", names.join(", "), rules.join(", "));
    }
    Ok(overlooked)
}

struct Measured {
    name: &'static str,
    wall: Spread,
    cpu: Spread,
    peak_bytes: Spread,
    runs: usize,
}

fn measure(contestants: &[Contestant], file: &DataFile, rounds: usize) -> Result<Vec<Measured>, Fault> {
    let mut runs: Vec<Vec<Run>> = contestants.iter().map(|_| Vec::new()).collect();
    for round in 0..rounds {
        for (contestant, runs) in contestants.iter().zip(&mut runs) {
            if round == 0 || contestant.name != "data_linter" || file.rows <= SLOW_ROWS {
                runs.push(contestant.pass(file)?);
            }
        }
    }
    let measured = |(contestant, runs): (&Contestant, Vec<Run>)| Measured {
        name: contestant.name,
        wall: Spread::of(runs.iter().map(|run| run.wall.as_secs_f64())),
        cpu: Spread::of(runs.iter().map(|run| run.cpu.as_secs_f64())),
        peak_bytes: Spread::of(runs.iter().map(|run| run.peak_bytes as f64)),
        runs: runs.len(),
    };
    Ok(contestants.iter().zip(runs).map(measured).collect())
}

fn wall_of(measured: &[Measured], name: &str) -> Option<f64> {
    measured.iter().find(|measured| measured.name == name).map(|measured| measured.wall.median)
}

fn print_table(file: &DataFile, all: &[Measured]) {
    let megabytes = file.json_bytes as f64 / 1e6;
    println!("{} rows, {megabytes:.1} MB of JSON", file.rows);
    println!(
        "  {:<12} {:>9} {:>19} {:>9} {:>8} {:>8} {:>11} {:>10} {:>10}",
        "", "wall s", "", "CPU s", "peak MB", "MB/s", "MB/s a core", "× validate", "× reader"
    );
    for Measured { name, wall, cpu, peak_bytes, .. } in all {
        let ratio = |to| wall_of(all, to).map_or("–".into(), |to| format!("{:.2}", wall.median / to));
        println!(
            "  {name:<12} {:>9.4} {:>19} {:>9.3} {:>8.1} {:>8.0} {:>11.0} {:>10} {:>10}",
            wall.median,
            format!("({:.4}–{:.4})", wall.least, wall.most),
            cpu.median,
            peak_bytes.median / 1e6,
            megabytes / wall.median,
            megabytes / cpu.median,
            ratio(OURS),
            ratio(READER),
        );
    }
    println!();
}

fn json_of(file: &DataFile, all: &[Measured]) -> Value {
    let spread = |spread: &Spread| json!({"median": spread.median, "least": spread.least, "most": spread.most});
    let measured = all.iter().map(|measured| {
        json!({
            "contestant": measured.name,
            "runs": measured.runs,
            "wall_s": spread(&measured.wall),
            "cpu_s": spread(&measured.cpu),
            "peak_bytes": spread(&measured.peak_bytes),
        })
    });
    json!({"rows": file.rows, "json_bytes": file.json_bytes, "contestants": measured.collect::<Vec<_>>()})
}

/// Whether our memory depends on the file, and how long a start takes.
fn probe(ours: &Contestant, data: &Path, files: &[(DataFile, Vec<Measured>)]) -> Result<Value, Fault> {
    println!("peak memory of {OURS}, at most {:.0} MB by its budget", MEMORY_BUDGET_BYTES / 1e6);
    let mut peaks = Vec::new();
    let mut peak = |what: String, bytes: f64| {
        let kept = if bytes <= MEMORY_BUDGET_BYTES { "" } else { "  too much" };
        println!("  {what:<40} {:>7.1} MB{kept}", bytes / 1e6);
        peaks.push(json!({"file": what, "peak_bytes": bytes}));
    };
    for (file, measured) in files {
        for ours in measured.iter().filter(|measured| measured.name == OURS) {
            peak(format!("{} rows", file.rows), ours.peak_bytes.most);
        }
    }
    let long = postcodes::long_lines(data, LONG_LINES, LONGEST_LINE_BYTES)?;
    peak(format!("{LONG_LINES} lines of {LONGEST_LINE_BYTES} bytes"), ours.pass(&long)?.peak_bytes as f64);

    let small = postcodes::file(data, 1_000, None)?;
    let starts: Result<Vec<f64>, Fault> =
        (0..STARTS).map(|_| Ok(ours.pass(&small)?.wall.as_secs_f64() * 1e3)).collect();
    let start = Spread::of(starts?);
    println!(
        "start to end of {OURS} on {} rows: {:.1} ms ({:.1}–{:.1}) of {STARTS}\n",
        small.rows, start.median, start.least, start.most
    );
    Ok(json!({"peaks": peaks, "start_ms": {"median": start.median, "least": start.least, "most": start.most}}))
}

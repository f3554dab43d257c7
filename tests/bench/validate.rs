//! Measures the speed of validate beside other checkers. `make bench` runs this; `--help` lists the options.
//!
//! The contestants check the same gzipped JSON Lines against the same metadata (`meta_data/raw/postcodes.json`: types,
//! nullable, enum, pattern, bounds, lengths), each as a whole process:
//!
//! - `validate`: ours, `landfall validate`
//! - `reader`: the floor, decompression and the row reader without any rule
//! - `inflate`: the floor below that, decompression alone
//! - `polars`, `duckdb`: scripts with equal checks, `tests/compare/*_check.py`
//! - `data_linter`: the Python checker that users compare with, `tests/compare/data_linter_check.py`
//!
//! At the end, the same rows are checked as delimited values, in the default dialect and with semicolons in
//! windows-1252 (budget: 1.3 times as long). With `--before`, another binary of ours checks the default dialect too.
//!
//! Before the rounds, each checker receives files with one defect each. A checker that overlooks one is reported, so
//! that none is fast because it does not check.

use std::ffi::OsString;
use std::fs::{self, File};
use std::hint::black_box;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::thread::available_parallelism;

use bench::contestant::{self, Contestant};
use bench::dialects::Written;
use bench::figures::{self, Measured};
use bench::postcodes::{self, DataFile, Defect};
use bench::process::Spread;
use bench::{CHECKOUT, Fault, META_DATA, options};
use contract::{Compression, FileFormat, MetaData};
use flate2::bufread::MultiGzDecoder;
use rows::{Options, RowReader};
use serde_json::{Value, json};

const HELP: &str = "usage: cargo bench -p landfall-bench --bench validate -- [OPTION]…
  --rows N,N        rows of the files [1000,50000,500000]
  --rounds N        how often each contestant runs [5]
  --landfall PATH   our binary [target/release/landfall]
  --before PATH     another binary of ours, for the default dialect
  --python PATH     a Python with tests/compare/requirements.txt [.venv-compare/bin/python]
";
/// Inside the target folder.
const SCRATCH: &str = env!("CARGO_TARGET_TMPDIR");
const OURS: &str = "validate";
const READER: &str = "reader";
/// data_linter takes a minute for files larger than this, so it runs once.
const SLOW_ROWS: u64 = 100_000;
const MEMORY_BUDGET_BYTES: f64 = 64e6;
/// The longest allowed row, without the newline.
const LONGEST_LINE_BYTES: usize = contract::MAXIMUM_ROW_BYTES - 1;
const LONG_LINES: u64 = 6;
const STARTS: usize = 25;

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

/// Reads every row of the file into Arrow, without any rule. This is the floor.
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
    landfall: PathBuf,
    before: Option<PathBuf>,
    python: PathBuf,
}

impl Settings {
    /// Parses the options. Returns `None` if `--help` is among them.
    fn parse(arguments: Vec<String>) -> Result<Option<Self>, Fault> {
        let mut settings = Self {
            rows: vec![1_000, 50_000, 500_000],
            rounds: 5,
            landfall: Path::new(SCRATCH).join("../release/landfall"),
            before: None,
            python: Path::new(CHECKOUT).join(".venv-compare/bin/python"),
        };
        let go_on = options::parse(arguments, HELP, |option, value| {
            match option {
                "--rows" => {
                    settings.rows = value.split(',').map(str::parse).collect::<Result<_, _>>()?;
                    settings.rows.sort_unstable();
                }
                "--rounds" => settings.rounds = value.parse::<usize>()?.max(1),
                "--landfall" => settings.landfall = value.into(),
                "--before" => settings.before = Some(value.into()),
                "--python" => settings.python = value.into(),
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(go_on.then_some(settings))
    }
}

/// Programs that exit with 0 for a valid file. The checkers exit with 1 for an invalid one.
struct Contestants {
    checkers: Vec<Contestant<DataFile>>,
    floors: Vec<Contestant<DataFile>>,
}

/// Returns the installed contestants, and prints how to install the others.
fn contestants(settings: &Settings) -> Result<Contestants, Fault> {
    let scratch = Path::new(SCRATCH);
    let mut checkers = Vec::new();
    if settings.landfall.exists() {
        let program = settings.landfall.clone();
        checkers.push(Contestant::new(OURS, scratch, move |file: &DataFile| {
            let mut command = Command::new(&program);
            command.arg("validate").arg(&file.path).args(["--table", "postcodes", "--meta-data", META_DATA, "--json"]);
            command
        }));
    } else {
        println!("left out: {OURS}, for want of {} (cargo build --release -p landfall)", settings.landfall.display());
    }
    if settings.python.exists() {
        for name in ["polars", "duckdb", "data_linter"] {
            let python = settings.python.clone();
            let checker = Contestant::new(name, scratch, move |file: &DataFile| {
                let mut command = contestant::script(&format!("{name}_check.py"), &python);
                command.arg(&file.path).arg(format!("{META_DATA}/raw/postcodes.json"));
                command
            });
            checkers.push(if name == "data_linter" { checker.slow() } else { checker });
        }
    } else {
        let python = settings.python.display();
        println!("left out: polars, duckdb and data_linter, for want of {python} (`make compare` makes it)");
    }
    let this = std::env::current_exe()?;
    let floor = |name: &'static str| {
        let this = this.clone();
        Contestant::new(name, scratch, move |file: &DataFile| {
            let mut command = Command::new(&this);
            command.arg(name).arg(&file.path);
            command
        })
    };
    Ok(Contestants { checkers, floors: vec![floor(READER), floor("inflate")] })
}

fn bench(settings: &Settings) -> Result<(), Fault> {
    let data = Path::new(SCRATCH).join("postcodes");
    fs::create_dir_all(&data)?;
    let Contestants { checkers, floors } = contestants(settings)?;
    let cores = available_parallelism()?;
    println!("{cores} cores, {} rounds, medians (least to greatest)\n", settings.rounds);

    let overlooked = inspect(&checkers, &data)?;
    let contestants: Vec<_> = floors.into_iter().chain(checkers).collect();
    let mut files = Vec::new();
    for rows in &settings.rows {
        let file = postcodes::file(&data, *rows, None)?;
        let large = file.rows > SLOW_ROWS;
        let measured = figures::rounds(&contestants, settings.rounds, large, |one| one.pass(&file).map(Some))?;
        println!("{} rows, {:.1} MB of JSON", file.rows, file.json_bytes as f64 / 1e6);
        figures::print_table(&measured, file.json_bytes, &[OURS, READER]);
        files.push((file, measured));
    }
    let ours = contestants.iter().find(|contestant| contestant.name == OURS);
    let probes = ours.map(|ours| probe(ours, &data, &files)).transpose()?;
    let dialects = files.last().map(|(file, _)| dialects(settings, &data, file)).transpose()?;
    let report = json!({
        "command": std::env::args().collect::<Vec<_>>(),
        "cores": cores.get(),
        "rounds": settings.rounds,
        "overlooked": overlooked,
        "files": files.iter().map(json_of).collect::<Vec<_>>(),
        "probes": probes,
        "dialects": dialects,
    });
    figures::keep(Path::new(SCRATCH), OURS, &report)?;
    Ok(())
}

/// Measures delimited values in the default dialect and in another one.
fn dialects(settings: &Settings, data: &Path, rows: &DataFile) -> Result<Value, Fault> {
    let [comma, semicolon] = bench::dialects::written(data, rows)?;
    let reading = |name: &'static str, program: &Path, written: &Written| {
        let program = program.to_owned();
        let arguments = [written.file.clone().into(), "--meta-data".into(), written.meta_data.clone().into_os_string()];
        Contestant::new(name, Path::new(SCRATCH), move |(): &()| {
            let mut command = Command::new(&program);
            command.arg(contestant::verb(&program, "validate", "check")).args::<_, &OsString>(&arguments).args([
                "--table",
                "postcodes",
                "--json",
            ]);
            command
        })
    };
    let mut contestants = vec![reading(comma.name, &settings.landfall, &comma)];
    contestants.extend(settings.before.as_ref().map(|before| reading("before", before, &comma)));
    contestants.push(reading(semicolon.name, &settings.landfall, &semicolon));
    let measured = figures::rounds(&contestants, settings.rounds, false, |one| one.pass(&()).map(Some))?;
    println!("{} rows, {:.1} MB of delimited values", rows.rows, comma.bytes as f64 / 1e6);
    figures::print_table(&measured, comma.bytes, &[comma.name]);
    Ok(json!({"rows": rows.rows, "bytes": comma.bytes, "contestants": figures::json_of(&measured)}))
}

fn json_of((file, measured): &(DataFile, Vec<Measured>)) -> Value {
    json!({"rows": file.rows, "json_bytes": file.json_bytes, "contestants": figures::json_of(measured)})
}

/// Gives every checker every defect, and reports those that it overlooks.
fn inspect(checkers: &[Contestant<DataFile>], data: &Path) -> Result<Vec<Value>, Fault> {
    let mut overlooked = Vec::new();
    for defect in Defect::ALL {
        let file = postcodes::file(data, 1_000, Some(*defect))?;
        for checker in checkers {
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

/// Measures the peak memory of ours for several files, and the time of a start.
fn probe(ours: &Contestant<DataFile>, data: &Path, files: &[(DataFile, Vec<Measured>)]) -> Result<Value, Fault> {
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
    Ok(json!({"peaks": peaks, "start_ms": figures::spread(&start)}))
}

//! The measurements of each contestant, as a table for people and as JSON for programs.

use std::fs;
use std::io;
use std::path::Path;

use serde_json::{Value, json};

use crate::Fault;
use crate::contestant::Contestant;
use crate::process::{Run, Spread};

/// The measurements of one contestant on one job.
pub struct Measured {
    /// The contestant's name.
    pub name: &'static str,
    /// Wall time in seconds.
    pub wall: Spread,
    /// CPU time of all threads, in seconds.
    pub cpu: Spread,
    /// The peak resident memory of each run, in bytes.
    pub peak_bytes: Spread,
    /// The number of runs.
    pub runs: usize,
}

impl Measured {
    fn of(name: &'static str, runs: &[Run]) -> Self {
        Self {
            name,
            wall: Spread::of(runs.iter().map(|run| run.wall.as_secs_f64())),
            cpu: Spread::of(runs.iter().map(|run| run.cpu.as_secs_f64())),
            peak_bytes: Spread::of(runs.iter().map(|run| run.peak_bytes as f64)),
            runs: runs.len(),
        }
    }
}

/// Runs all contestants in turns, where `turn` runs one of them once. A contestant for which it returns `None` is left
/// out.
pub fn rounds<J>(
    contestants: &[Contestant<J>],
    rounds: usize,
    large: bool,
    mut turn: impl FnMut(&Contestant<J>) -> Result<Option<Run>, Fault>,
) -> Result<Vec<Measured>, Fault> {
    let mut all: Vec<(&Contestant<J>, Option<Vec<Run>>)> =
        contestants.iter().map(|contestant| (contestant, Some(Vec::new()))).collect();
    for round in 0..rounds {
        for (contestant, runs) in &mut all {
            if round > 0 && contestant.slow && large {
                continue;
            }
            if let Some(so_far) = runs {
                match turn(contestant)? {
                    Some(run) => so_far.push(run),
                    None => *runs = None,
                }
            }
        }
    }
    let measured = |(contestant, runs): (&Contestant<J>, Option<Vec<Run>>)| {
        runs.filter(|runs| !runs.is_empty()).map(|runs| Measured::of(contestant.name, &runs))
    };
    Ok(all.into_iter().filter_map(measured).collect())
}

/// Prints the table, with wall times as multiples of that of each contestant in `against`.
pub fn print_table(all: &[Measured], json_bytes: u64, against: &[&str]) {
    let megabytes = json_bytes as f64 / 1e6;
    print!(
        "  {:<12} {:>9} {:>19} {:>9} {:>8} {:>8} {:>11}",
        "", "wall s", "", "CPU s", "peak MB", "MB/s", "MB/s a core"
    );
    let heads: Vec<String> = against.iter().map(|name| format!("× {name}")).collect();
    println!("{}", heads.iter().map(|head| format!(" {head:>10}")).collect::<String>());
    for Measured { name, wall, cpu, peak_bytes, .. } in all {
        print!(
            "  {name:<12} {:>9.4} {:>19} {:>9.3} {:>8.1} {:>8.0} {:>11.0}",
            wall.median,
            format!("({:.4}–{:.4})", wall.least, wall.most),
            cpu.median,
            peak_bytes.median / 1e6,
            megabytes / wall.median,
            megabytes / cpu.median,
        );
        for to in against {
            let to = all.iter().find(|measured| measured.name == *to).map(|measured| measured.wall.median);
            print!(" {:>10}", to.map_or("–".into(), |to| format!("{:.2}", wall.median / to)));
        }
        println!();
    }
    println!();
}

/// Returns the measurements as JSON, unrounded.
pub fn json_of(all: &[Measured]) -> Value {
    let measured = all.iter().map(|measured| {
        json!({
            "contestant": measured.name,
            "runs": measured.runs,
            "wall_s": spread(&measured.wall),
            "cpu_s": spread(&measured.cpu),
            "peak_bytes": spread(&measured.peak_bytes),
        })
    });
    measured.collect()
}

/// Returns a spread as a JSON object.
pub fn spread(spread: &Spread) -> Value {
    json!({"median": spread.median, "least": spread.least, "most": spread.most})
}

/// Writes all figures of a bench into the target folder and prints the file's path.
pub fn keep(scratch: &Path, bench: &str, report: &Value) -> io::Result<()> {
    let folder = scratch.join("../bench");
    fs::create_dir_all(&folder)?;
    let to = folder.join(format!("{bench}.json"));
    fs::write(&to, format!("{report:#}\n"))?;
    println!("all figures: {}", to.canonicalize()?.display());
    Ok(())
}

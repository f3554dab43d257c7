//! One process from start to end: wall time, CPU time and peak memory.

use std::fs::File;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use wait4::Wait4;

/// The measurements of one process.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    /// The time from before its start to after its end.
    pub wall: Duration,
    /// User and system time of all its threads.
    pub cpu: Duration,
    /// The peak resident memory. It is at least that of the parent, because Linux includes a child's memory from before
    /// its `exec`. Therefore the measuring process stays small.
    pub peak_bytes: u64,
    /// The exit code, or `None` if a signal ended the process.
    pub exit: Option<i32>,
}

/// Runs a command to its end, with its output in a file.
pub fn run(command: &mut Command, output: &Path) -> io::Result<Run> {
    let output = File::create(output)?;
    command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
    let start = Instant::now();
    let ended = command.spawn()?.wait4()?;
    Ok(Run {
        wall: start.elapsed(),
        cpu: ended.rusage.utime + ended.rusage.stime,
        peak_bytes: ended.rusage.maxrss,
        exit: ended.status.code(),
    })
}

/// The median, minimum and maximum of some measurements.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// The median; the mean of the middle two for an even number of values.
    pub median: f64,
    /// The smallest value.
    pub least: f64,
    /// The largest value.
    pub most: f64,
}

impl Spread {
    /// Computes the spread of at least one value. Panics if there is none.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let n = values.len();
        let median = f64::midpoint(values[(n - 1) / 2], values[n / 2]);
        Self { median, least: values[0], most: values[n - 1] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_measured() {
        let output = tempfile::NamedTempFile::new().unwrap();
        let run = run(Command::new("sh").args(["-c", "echo out; echo err >&2; exit 3"]), output.path()).unwrap();
        assert_eq!(run.exit, Some(3));
        assert!(run.wall >= Duration::from_micros(1) && run.peak_bytes > 100_000, "{run:?}");
        assert_eq!(std::fs::read_to_string(output.path()).unwrap(), "out\nerr\n");
    }

    #[test]
    fn the_middle_of_measurements() {
        assert_eq!(Spread::of([3.0, 1.0, 2.0]), Spread { median: 2.0, least: 1.0, most: 3.0 });
        assert_eq!(Spread::of([4.0, 1.0, 2.0, 8.0]), Spread { median: 3.0, least: 1.0, most: 8.0 });
        assert_eq!(Spread::of([5.0]).median, 5.0);
    }
}

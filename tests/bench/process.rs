//! A process from start to end: how long it took, of how many cores, and how much memory.

use std::fs::File;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use wait4::Wait4;

/// What one process took.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    /// From before its start to after its end.
    pub wall: Duration,
    /// User and system time of all its threads.
    pub cpu: Duration,
    /// The most memory that was resident. At least this process's own: Linux counts a child's memory from before its
    /// `exec`, which is why whoever measures stays small.
    pub peak_bytes: u64,
    /// The exit code; None when a signal ended it.
    pub exit: Option<i32>,
}

/// Runs a command to its end; what it prints goes to a file.
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

/// The median, least and greatest of some measurements.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// In the middle; of an even number the mean of the two there.
    pub median: f64,
    /// The least.
    pub least: f64,
    /// The greatest.
    pub most: f64,
}

impl Spread {
    /// Of at least one value.
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

//! Checks whether a run can finish in its time. A run that cannot is refused before anything is read. Otherwise Lambda
//! would stop it at the deadline, at every retry.

use std::sync::Arc;
use std::time::Duration;

use contract::Failure;

use crate::settings::Settings;
use crate::source::RawTable;

/// Compressed bytes that one CPU reads in a second, at best: 48 MB of `jsonl.gz` was measured, including building the
/// tables (docs/cost.md). A run below this limit is allowed, and may still take too long.
const BYTES_A_CPU_SECOND: u64 = 64_000_000;
/// Files that are fetched in a second, at best: 16 at once, 20 ms each.
const FILES_A_SECOND: u64 = 800;
/// Memory that a listed file takes, with its key, version and checksum.
const BYTES_A_FILE: u64 = 1024;
/// The bytes of memory for which Lambda allots one CPU:
/// <https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html>.
const MEMORY_OF_A_CPU: u64 = 1769 << 20;
/// The most raw tables that a message names.
const NAMED: usize = 5;

/// Fails with [`contract::FailureKind::TooLarge`] if the files cannot be read in the available time. Without a time
/// limit it always succeeds.
pub(crate) fn check<'a>(raw: impl Iterator<Item = &'a Arc<RawTable>>, settings: &Settings) -> Result<(), Failure> {
    let Some(time) = settings.time else { return Ok(()) };
    let mut tables: Vec<_> = raw.map(|raw| (raw.bytes(), raw.table().name.as_str(), raw.keys().len())).collect();
    let bytes = tables.iter().map(|(bytes, ..)| bytes).sum();
    let files: u64 = tables.iter().map(|(_, _, files)| *files as u64).sum();
    let most = readable(time, settings.memory_bytes as u64);
    let most_files = fetchable(time, settings.memory_bytes as u64);
    if bytes <= most && files <= most_files {
        return Ok(());
    }
    tables.sort_by(|one, other| other.cmp(one));
    let named = tables
        .iter()
        .take(NAMED)
        .map(|(bytes, name, files)| format!("`{name}` {} in {files} files", gigabytes(*bytes)));
    Err(Failure::too_large(format!(
        "there are {} to read in {files} files ({}), and in the {} s that there are curate reads {} and {most_files} \
         files at best: give it more time or memory (the template's CurateTimeout and CurateMemory), build fewer \
         tables at once ({{\"tables\": […]}}), or let runs only add what is new (\"mode\": \"append\")",
        gigabytes(bytes),
        named.collect::<Vec<_>>().join(", "),
        time.as_secs(),
        gigabytes(most),
    )))
}

fn readable(time: Duration, memory_bytes: u64) -> u64 {
    let cpu_seconds = time.as_secs_f64() * memory_bytes as f64 / MEMORY_OF_A_CPU as f64;
    (cpu_seconds * BYTES_A_CPU_SECOND as f64) as u64
}

/// Returns the number of files that fit into the time and into half of the memory. The other half is for their rows.
fn fetchable(time: Duration, memory_bytes: u64) -> u64 {
    (time.as_secs() * FILES_A_SECOND).min(memory_bytes / 2 / BYTES_A_FILE)
}

fn gigabytes(bytes: u64) -> String {
    format!("{:.1} GB", bytes as f64 / 1e9)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_read_goes_by_time_and_memory() {
        let of = |seconds, megabytes: u64| gigabytes(readable(Duration::from_secs(seconds), megabytes << 20));
        assert_eq!(of(834, 2048), "61.8 GB");
        assert_eq!(of(834, 10_240), "309.0 GB");
        assert_eq!(of(0, 2048), "0.0 GB");
        assert_eq!(fetchable(Duration::from_secs(834), 2048 << 20), 667_200);
        assert_eq!(fetchable(Duration::from_secs(1794), 1024 << 20), 524_288);
    }
}

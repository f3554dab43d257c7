//! Settings: every environment variable that a function reads, and the reader that reports all that is missing or
//! wrong at once. The only file that calls `std::env::var`.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use contract::Failure;

/// The folder of the metadata; a relative path is under [`LAMBDA_TASK_ROOT`].
pub const META_DATA: &str = "META_DATA";
/// The folder of all tables in land, raw-hist and raw.
pub const BASE_FOLDER: &str = "BASE_FOLDER";
/// Where files land.
pub const LAND_BUCKET: &str = "LAND_BUCKET";
/// The immutable history.
pub const RAW_HIST_BUCKET: &str = "RAW_HIST_BUCKET";
/// The transient copy for tables with `copy_to_raw`.
pub const RAW_BUCKET: &str = "RAW_BUCKET";
/// What the process stage makes of raw files.
pub const PROCESSED_BUCKET: &str = "PROCESSED_BUCKET";
/// Where rejected files go.
pub const QUARANTINE_BUCKET: &str = "QUARANTINE_BUCKET";
/// Where validation reports go, and the records of extracts.
pub const REPORTS_BUCKET: &str = "REPORTS_BUCKET";
/// What catalog points at.
pub const CURATED_BUCKET: &str = "CURATED_BUCKET";
/// The pipeline's state machine.
pub const STATE_MACHINE_ARN: &str = "STATE_MACHINE_ARN";
/// Seconds whose files are rebuilt together.
pub const REBUILD_WINDOW_SECONDS: &str = "REBUILD_WINDOW_SECONDS";
/// The SNS topic for people.
pub const ALERTS_TOPIC_ARN: &str = "ALERTS_TOPIC_ARN";
/// Replaces scheme, host and port of the sources' URLs; empty for the metadata's own.
pub const SOURCE_ORIGIN: &str = "SOURCE_ORIGIN";
/// The version that the version column holds.
pub const DEA_VERSION: &str = "DEA_VERSION";
/// The Athena workgroup of catalog's queries.
pub const ATHENA_WORKGROUP: &str = "ATHENA_WORKGROUP";
/// Seconds until a query of catalog is given up.
pub const ATHENA_TIMEOUT_SECONDS: &str = "ATHENA_TIMEOUT_SECONDS";
/// Days for which a run stays that nobody can see any more.
pub const KEEP_RUNS_DAYS: &str = "KEEP_RUNS_DAYS";

/// Set by Lambda: the folder of the code package.
pub const LAMBDA_TASK_ROOT: &str = "LAMBDA_TASK_ROOT";
/// Where Lambda's runtime API is; absent outside of Lambda.
pub const AWS_LAMBDA_RUNTIME_API: &str = "AWS_LAMBDA_RUNTIME_API";
/// Set by Lambda: the level of the log lines.
pub const AWS_LAMBDA_LOG_LEVEL: &str = "AWS_LAMBDA_LOG_LEVEL";
/// Set by Lambda: the function's name.
pub const AWS_LAMBDA_FUNCTION_NAME: &str = "AWS_LAMBDA_FUNCTION_NAME";
/// Set by Lambda: the function's memory in MB.
pub const AWS_LAMBDA_FUNCTION_MEMORY_SIZE: &str = "AWS_LAMBDA_FUNCTION_MEMORY_SIZE";

/// The settings that the template gives, by function.
pub const BY_FUNCTION: &[(&str, &[&str])] = &[
    ("extract", &[META_DATA, BASE_FOLDER, LAND_BUCKET, RAW_HIST_BUCKET, REPORTS_BUCKET, SOURCE_ORIGIN]),
    (
        "validate",
        &[
            META_DATA,
            BASE_FOLDER,
            LAND_BUCKET,
            RAW_HIST_BUCKET,
            RAW_BUCKET,
            QUARANTINE_BUCKET,
            REPORTS_BUCKET,
            STATE_MACHINE_ARN,
            REBUILD_WINDOW_SECONDS,
            ALERTS_TOPIC_ARN,
        ],
    ),
    (
        "curate",
        &[
            META_DATA,
            BASE_FOLDER,
            RAW_HIST_BUCKET,
            RAW_BUCKET,
            PROCESSED_BUCKET,
            QUARANTINE_BUCKET,
            REPORTS_BUCKET,
            CURATED_BUCKET,
            DEA_VERSION,
        ],
    ),
    (
        "catalog",
        &[
            META_DATA,
            BASE_FOLDER,
            RAW_HIST_BUCKET,
            CURATED_BUCKET,
            ATHENA_WORKGROUP,
            ATHENA_TIMEOUT_SECONDS,
            KEEP_RUNS_DAYS,
        ],
    ),
];

/// Where settings come from.
type Lookup = Box<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// Reads settings and remembers what is wrong until [`Env::check`].
pub struct Env {
    lookup: Lookup,
    problems: Vec<String>,
}

impl Env {
    /// The process's own environment.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
    pub fn of_process() -> Self {
        Self::new(|name| std::env::var(name).ok())
    }

    /// Any other source of settings.
    pub fn new(lookup: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        Self { lookup: Box::new(lookup), problems: Vec::new() }
    }

    /// A setting that must be there and not be empty.
    pub fn text(&mut self, name: &str) -> String {
        self.optional(name).unwrap_or_else(|| {
            self.problems.push(format!("{name} is not set"));
            String::new()
        })
    }

    /// A setting that may be absent or empty.
    pub fn optional(&self, name: &str) -> Option<String> {
        (self.lookup)(name).filter(|value| !value.is_empty())
    }

    /// A number that must be there.
    pub fn number<T: FromStr + Default>(&mut self, name: &str) -> T {
        let text = self.text(name);
        if text.is_empty() {
            return T::default();
        }
        text.parse().unwrap_or_else(|_| {
            self.problems.push(format!("{name} is `{text}`, expected a number"));
            T::default()
        })
    }

    /// The metadata's folder.
    pub fn metadata_folder(&mut self) -> PathBuf {
        let folder = self.text(META_DATA);
        match self.optional(LAMBDA_TASK_ROOT) {
            Some(root) => Path::new(&root).join(folder),
            None => folder.into(),
        }
    }

    /// Fails with all that was missing or wrong.
    ///
    /// # Errors
    /// All that is missing or wrong, at once: [`contract::FailureKind::BadInput`].
    pub fn check(&mut self) -> Result<(), Failure> {
        if self.problems.is_empty() {
            return Ok(());
        }
        Err(Failure::bad_input(format!("the function's environment: {}", self.problems.join("; "))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_wrong_is_reported_at_once() {
        let mut env = Env::new(|name| match name {
            LAND_BUCKET => Some("land".into()),
            REBUILD_WINDOW_SECONDS => Some("soon".into()),
            SOURCE_ORIGIN => Some(String::new()),
            _ => None,
        });
        assert_eq!(env.text(LAND_BUCKET), "land");
        assert_eq!(env.optional(SOURCE_ORIGIN), None);
        assert_eq!(env.text(RAW_BUCKET), "");
        assert_eq!(env.number::<u64>(REBUILD_WINDOW_SECONDS), 0);
        let message = env.check().unwrap_err().message;
        assert_eq!(
            message,
            "the function's environment: RAW_BUCKET is not set; REBUILD_WINDOW_SECONDS is `soon`, expected a number"
        );
    }
}

//! Settings: every environment variable that a function reads, and a reader that reports all missing or wrong ones at
//! once. No other file calls `std::env::var`.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use contract::Failure;

/// The metadata folder. A relative path is relative to [`LAMBDA_TASK_ROOT`].
pub const META_DATA: &str = "META_DATA";
/// The prefix of all tables in land, raw-hist, raw and processed.
pub const BASE_FOLDER: &str = "BASE_FOLDER";
/// The bucket in which files land.
pub const LAND_BUCKET: &str = "LAND_BUCKET";
/// The bucket of the immutable history.
pub const RAW_HIST_BUCKET: &str = "RAW_HIST_BUCKET";
/// The bucket of the transient copies, for tables with `copy_to_raw`.
pub const RAW_BUCKET: &str = "RAW_BUCKET";
/// The bucket of the processed files, which the process stage makes from raw ones.
pub const PROCESSED_BUCKET: &str = "PROCESSED_BUCKET";
/// The bucket of rejected files.
pub const QUARANTINE_BUCKET: &str = "QUARANTINE_BUCKET";
/// The bucket of validation reports and of the records of extracts.
pub const REPORTS_BUCKET: &str = "REPORTS_BUCKET";
/// The bucket of the tables that catalog publishes.
pub const CURATED_BUCKET: &str = "CURATED_BUCKET";
/// The ARN of the state machine that rebuilds tables.
pub const STATE_MACHINE_ARN: &str = "STATE_MACHINE_ARN";
/// The length of a window, in seconds. The files of one window share one rebuild.
pub const REBUILD_WINDOW_SECONDS: &str = "REBUILD_WINDOW_SECONDS";
/// The ARN of the SNS topic on which people are notified.
pub const ALERTS_TOPIC_ARN: &str = "ALERTS_TOPIC_ARN";
/// Replaces the scheme, host and port of the sources' URLs. If it is empty, the URLs of the metadata apply.
pub const SOURCE_ORIGIN: &str = "SOURCE_ORIGIN";
/// The value of the version column.
pub const DEA_VERSION: &str = "DEA_VERSION";
/// The Athena workgroup in which catalog runs its queries.
pub const ATHENA_WORKGROUP: &str = "ATHENA_WORKGROUP";
/// How long catalog waits for a query, in seconds.
pub const ATHENA_TIMEOUT_SECONDS: &str = "ATHENA_TIMEOUT_SECONDS";
/// How many days the files of an unreachable run are kept.
pub const KEEP_RUNS_DAYS: &str = "KEEP_RUNS_DAYS";

/// Set by Lambda: the folder of the deployment package.
pub const LAMBDA_TASK_ROOT: &str = "LAMBDA_TASK_ROOT";
/// Set by Lambda: the address of the runtime API. It is absent outside of Lambda.
pub const AWS_LAMBDA_RUNTIME_API: &str = "AWS_LAMBDA_RUNTIME_API";
/// Set by Lambda: the log level.
pub const AWS_LAMBDA_LOG_LEVEL: &str = "AWS_LAMBDA_LOG_LEVEL";
/// Set by Lambda: the function's name.
pub const AWS_LAMBDA_FUNCTION_NAME: &str = "AWS_LAMBDA_FUNCTION_NAME";
/// Set by Lambda: the function's memory in MB.
pub const AWS_LAMBDA_FUNCTION_MEMORY_SIZE: &str = "AWS_LAMBDA_FUNCTION_MEMORY_SIZE";

/// The settings that the template passes to each function.
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

/// A source of settings.
type Lookup = Box<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// Reads settings, and collects the problems until [`Env::check`].
pub struct Env {
    lookup: Lookup,
    problems: Vec<String>,
}

impl Env {
    /// Reads the environment of this process.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
    pub fn of_process() -> Self {
        Self::new(|name| std::env::var(name).ok())
    }

    /// Reads settings from any other source.
    pub fn new(lookup: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        Self { lookup: Box::new(lookup), problems: Vec::new() }
    }

    /// Returns a required setting. If it is missing or empty, records a problem and returns an empty text.
    pub fn text(&mut self, name: &str) -> String {
        self.optional(name).unwrap_or_else(|| {
            self.problems.push(format!("{name} is not set"));
            String::new()
        })
    }

    /// Returns an optional setting. An empty one counts as absent.
    pub fn optional(&self, name: &str) -> Option<String> {
        (self.lookup)(name).filter(|value| !value.is_empty())
    }

    /// Returns a required number. If it is missing or not a number, records a problem and returns the default.
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

    /// Returns the metadata folder, relative to the deployment package if there is one.
    pub fn metadata_folder(&mut self) -> PathBuf {
        let folder = self.text(META_DATA);
        match self.optional(LAMBDA_TASK_ROOT) {
            Some(root) => Path::new(&root).join(folder),
            None => folder.into(),
        }
    }

    /// Reports the problems found so far.
    ///
    /// # Errors
    /// Returns all problems in one failure of the kind [`contract::FailureKind::BadInput`].
    ///
    /// ```
    /// use boot::Env;
    ///
    /// let mut env = Env::new(|name| (name == "LAND_BUCKET").then(|| "land".to_owned()));
    /// assert_eq!(env.text("LAND_BUCKET"), "land");
    /// let _: u64 = env.number("MEMORY_MB");
    /// assert_eq!(env.check().unwrap_err().message, "the function's environment: MEMORY_MB is not set");
    /// ```
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

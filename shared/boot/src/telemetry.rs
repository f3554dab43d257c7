//! Log lines as JSON on standard output, which Lambda forwards to CloudWatch.

use tracing_subscriber::EnvFilter;

/// Starts logging at the level of [`crate::env::AWS_LAMBDA_LOG_LEVEL`]. Libraries log at WARN and above, or at ERROR if
/// that is the level.
pub(crate) fn start(level: Option<String>) {
    let level = match level.unwrap_or_default().to_ascii_lowercase().as_str() {
        "trace" => "trace",
        "debug" => "debug",
        "warn" => "warn",
        "error" | "fatal" => "error",
        _ => "info",
    };
    let libraries = if level == "error" { "error" } else { "warn" };
    let ours = ["boot", "catalog", "contract", "curate", "extract", "rows", "store", "validate"];
    let filter = ours.iter().fold(EnvFilter::new(libraries), |filter, name| match format!("{name}={level}").parse() {
        Ok(directive) => filter.add_directive(directive),
        Err(_) => filter,
    });
    // this target would log every failure a second time
    let filter = match "lambda_runtime::layers::panic=off".parse() {
        Ok(directive) => filter.add_directive(directive),
        Err(_) => filter,
    };
    // if a process starts twice (in tests), the first subscriber stays
    let _ = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(true)
        .with_span_list(false)
        .with_env_filter(filter)
        .with_writer(std::io::stdout)
        .try_init();
}

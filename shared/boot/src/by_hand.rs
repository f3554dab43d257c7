//! Runs of a function's binary outside of Lambda. There is nothing to serve, so the binary checks the metadata beside
//! it instead. A deployment uses this to find out first whether the function would start with that metadata.

use std::path::Path;
use std::process::ExitCode;

use crate::env::{self, Env};
use crate::panics;

/// Returns `None` in Lambda. Elsewhere, prints the result of `check` on the metadata folder and returns the exit code.
pub fn by_hand(check: impl FnOnce(&Path) -> Result<String, String>) -> Option<ExitCode> {
    let env = Env::of_process();
    if env.optional(env::AWS_LAMBDA_RUNTIME_API).is_some() {
        return None;
    }
    panics::tell_places();
    let folder = env.optional(env::META_DATA).unwrap_or_else(|| "meta_data".into());
    Some(match check(Path::new(&folder)) {
        Ok(said) => {
            println!("{said}");
            ExitCode::SUCCESS
        }
        Err(said) => {
            eprintln!("{}", contract::visible_lines(&said));
            ExitCode::FAILURE
        }
    })
}

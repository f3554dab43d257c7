//! A function's program that somebody starts outside of Lambda has nothing to serve. It says of the metadata beside it
//! whether the function would start with that, which is what a deployment wants to know first.

use std::path::Path;
use std::process::ExitCode;

use crate::env::{self, Env};
use crate::panics;

/// `None` in Lambda. Elsewhere what `check` says of the metadata, and how the program is to end.
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

//! curate: rebuilds the tables that analysts query from everything in raw-hist. With arguments: from files of this
//! machine.

use std::ffi::OsString;
use std::process::ExitCode;

use curate::{Curate, command};

fn main() -> Result<ExitCode, boot::Error> {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    if !arguments.is_empty() {
        return Ok(command::run(&arguments));
    }
    serve()?;
    Ok(ExitCode::SUCCESS)
}

#[tokio::main]
async fn serve() -> Result<(), boot::Error> {
    boot::serve(Curate::new, |curate, request, invocation| async move { curate.answer(request, invocation).await })
        .await
}

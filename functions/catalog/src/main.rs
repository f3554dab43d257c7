//! catalog: the manifest of a run becomes Glue tables and partitions, reviewed through Athena. With arguments: what
//! Glue is told about a table, without asking it.

use std::ffi::OsString;
use std::process::ExitCode;

use catalog::{App, command};

#[tokio::main]
async fn main() -> Result<ExitCode, boot::Error> {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    if !arguments.is_empty() {
        return Ok(command::run(&arguments));
    }
    boot::serve(App::new, |app, event, invocation| Box::pin(async move { app.answer(event, &invocation).await }))
        .await?;
    Ok(ExitCode::SUCCESS)
}

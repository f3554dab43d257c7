//! validate: land → raw-hist or quarantine. With arguments: the same checks on a file of this machine.

use std::ffi::OsString;
use std::process::ExitCode;

use validate::{App, command};

#[tokio::main]
async fn main() -> Result<ExitCode, boot::Error> {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    if !arguments.is_empty() {
        boot::panics::tell_places();
        return Ok(command::run(&arguments));
    }
    boot::serve(App::new, |app, event, invocation| Box::pin(async move { app.answer(event, &invocation).await }))
        .await?;
    Ok(ExitCode::SUCCESS)
}

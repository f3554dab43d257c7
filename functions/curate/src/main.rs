//! curate: rebuilds the tables that analysts query from everything in raw-hist.

use std::path::Path;
use std::process::ExitCode;

use curate::{App, command, stack};

fn main() -> Result<ExitCode, boot::Error> {
    if let Some(end) = boot::by_hand(check) {
        return Ok(end);
    }
    stack::with_room(serve)??;
    Ok(ExitCode::SUCCESS)
}

fn check(folder: &Path) -> Result<String, String> {
    let checked = command::check(folder, &[]).map_err(|failure| failure.message)?;
    if checked.failed.is_empty() { Ok(checked.said()) } else { Err(checked.problems().join("\n")) }
}

fn serve() -> Result<(), boot::Error> {
    stack::runtime(None)?.block_on(boot::serve(App::new, |app, request, invocation| async move {
        app.answer(request, invocation).await
    }))
}

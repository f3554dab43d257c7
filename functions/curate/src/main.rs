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
    let checked = stack::with_room(|| command::check(folder, &[])).and_then(|checked| checked);
    let checked = checked.map_err(|failure| failure.message)?;
    let failed = checked.failed.iter().map(|failed| format!("table `{}`: {}", failed.table, failed.message));
    match failed.collect::<Vec<_>>() {
        none if none.is_empty() => {
            Ok(format!("{} tables: the SQL gives what the metadata describes", checked.tables.len()))
        }
        failed => Err(failed.join("\n")),
    }
}

fn serve() -> Result<(), boot::Error> {
    stack::runtime(None)?.block_on(boot::serve(App::new, |app, request, invocation| async move {
        app.answer(request, invocation).await
    }))
}

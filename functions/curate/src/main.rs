//! curate: rebuilds the tables that analysts query from everything in raw-hist. With arguments: from files of this
//! machine.

use std::ffi::OsString;
use std::process::ExitCode;

use curate::{App, command, stack};

fn main() -> Result<ExitCode, boot::Error> {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    if !arguments.is_empty() {
        boot::panics::tell_places();
        return Ok(stack::with_room(|| command::run(&arguments))?);
    }
    stack::with_room(serve)??;
    Ok(ExitCode::SUCCESS)
}

fn serve() -> Result<(), boot::Error> {
    stack::runtime(None)?.block_on(boot::serve(App::new, |curate, request, invocation| async move {
        curate.answer(request, invocation).await
    }))
}

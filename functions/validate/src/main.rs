//! validate: checks landed files and moves them to raw-hist or quarantine.

use std::process::ExitCode;

use validate::{App, command};

#[tokio::main]
async fn main() -> Result<ExitCode, boot::Error> {
    if let Some(end) = boot::by_hand(|folder| command::check_metadata(folder).map(|(said, _)| said)) {
        return Ok(end);
    }
    boot::serve(App::new, |app, event, invocation| Box::pin(async move { app.answer(event, &invocation).await }))
        .await?;
    Ok(ExitCode::SUCCESS)
}

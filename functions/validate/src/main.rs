//! validate: land → raw-hist or quarantine.

use validate::App;

#[tokio::main]
async fn main() -> Result<(), boot::Error> {
    boot::serve(App::new, |app, event, invocation| Box::pin(async move { app.handle(event, &invocation).await })).await
}

//! catalog: publishes the manifest of a run as Glue tables and partitions, and reviews them through Athena.

use catalog::App;

#[tokio::main]
async fn main() -> Result<(), boot::Error> {
    boot::serve(App::new, |app, event, invocation| Box::pin(async move { app.answer(event, &invocation).await })).await
}

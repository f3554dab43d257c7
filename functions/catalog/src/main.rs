//! catalog: the manifest of a run becomes Glue tables and partitions, reviewed through Athena.

use catalog::App;

#[tokio::main]
async fn main() -> Result<(), boot::Error> {
    boot::serve(App::new, |app, event, invocation| Box::pin(async move { app.answer(event, &invocation).await })).await
}

//! extract: source → land.

#[tokio::main]
async fn main() -> Result<(), boot::Error> {
    boot::serve(extract::App::new, |app, request, invocation| async move { app.extract(request, &invocation).await })
        .await
}

//! curate: rebuilds the tables that analysts query from everything in raw-hist.

use curate::Curate;

#[tokio::main]
async fn main() -> Result<(), boot::Error> {
    boot::serve(Curate::new, |curate, request, invocation| async move { curate.handle(request, invocation).await })
        .await
}

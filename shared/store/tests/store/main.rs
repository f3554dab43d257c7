//! The store on an in-memory AWS account.

mod copy;
mod upload;
mod write;

use contract::{Failure, FailureKind};
use fake_aws::Aws;
use store::Store;

/// Returns a store that tries each request up to `attempts` times.
async fn store(aws: &Aws, attempts: u32) -> Store {
    Store::new(&aws.config_with_attempts(attempts).await)
}

fn assert_fails<T: std::fmt::Debug>(found: Result<T, Failure>, kind: FailureKind, url: &str) {
    let failure = found.expect_err("a failure");
    assert_eq!(failure.kind, kind, "{failure}");
    assert!(failure.message.contains(url), "{failure}");
}

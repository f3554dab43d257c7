//! The store over an AWS account in memory.

mod copy;
mod upload;
mod write;

use contract::{Failure, FailureKind};
use fake_aws::Aws;
use store::Store;

/// The client tries each request up to so many times.
async fn store(aws: &Aws, attempts: u32) -> Store {
    Store::new(&aws.config_with_attempts(attempts).await)
}

fn assert_fails<T: std::fmt::Debug>(found: Result<T, Failure>, kind: FailureKind, url: &str) {
    let failure = found.expect_err("a failure");
    assert_eq!(failure.kind, kind, "{failure}");
    assert!(failure.message.contains(url), "{failure}");
}

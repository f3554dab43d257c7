use std::time::Duration;

use contract::FailureKind;
use fake_aws::{Aws, Fault};
use store::{Copied, Object};

use crate::{assert_fails, store};

/// Returns an object whose description claims a size of `bytes`. The account in memory does not compare.
async fn object(aws: &Aws, bytes: u64) -> Object {
    aws.account().put("from", "k", "the bytes");
    let found = store(aws, 1).await.head("from", "k", None).await.expect("an answer").expect("an object");
    Object { bytes, ..found }
}

#[tokio::test]
async fn what_is_too_large_for_one_request_is_copied_in_parts_together() {
    for bytes in [5_000_000_001, 12 << 30] {
        let aws = Aws::start().await;
        aws.account().slow = Some(("part ".into(), Duration::from_millis(1)));
        let object = object(&aws, bytes).await;
        let copied = store(&aws, 2).await.copy_if_absent(&object, "to", "k").await.unwrap();
        assert_eq!(copied, Copied::Now);
        let mut ranges = aws.account().copied.clone();
        ranges.sort_by_key(|range| range.start);
        assert_eq!((ranges[0].start, ranges.last().unwrap().end), (0, bytes));
        assert!(ranges.is_sorted_by(|one, next| one.end == next.start), "{bytes}");
        assert!((2..=8).contains(&aws.account().most_at_once("part")), "{bytes}");
        assert_eq!(aws.account().uploads(), [""; 0]);
    }
}

#[tokio::test]
async fn a_copy_in_parts_that_fails_leaves_nothing() {
    for step in ["part to/k", "complete to/k", "create to/k"] {
        let aws = Aws::start().await;
        let object = object(&aws, 6 << 30).await;
        aws.account().fail_step(step, Fault::refused(500).for_good());
        let copied = store(&aws, 2).await.copy_if_absent(&object, "to", "k").await;
        assert_fails(copied, FailureKind::Unavailable, "copying s3://from/k to s3://to/k");
        assert_eq!(aws.account().uploads(), [""; 0]);
        assert_eq!(aws.account().keys("to"), [""; 0]);
    }
}

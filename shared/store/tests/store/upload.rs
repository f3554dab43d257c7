use std::time::{Duration, Instant};

use contract::FailureKind;
use fake_aws::{Aws, Fault};
use store::{PART_BYTES, PARTS_AT_ONCE, Write};

use crate::{assert_fails, store};

/// Returns bytes without two equal parts.
fn noise(bytes: usize) -> Vec<u8> {
    (0..bytes / 8).flat_map(|n| (n as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes()).collect()
}

/// Waits until no upload is left, and checks that no object is.
async fn nothing_is_left(aws: &Aws) {
    let started = Instant::now();
    while !aws.account().uploads().is_empty() {
        assert!(started.elapsed() < Duration::from_secs(5), "an upload is left");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(aws.account().inventory(), []);
}

#[tokio::test]
async fn parts_go_out_together_and_make_the_object_in_their_order() {
    let aws = Aws::start().await;
    // the first part is repeated and so arrives after later ones
    aws.account().fail_step("part ", Fault::refused(503));
    aws.account().slow = Some(("part ".into(), Duration::from_millis(100)));
    let body = noise(6 * PART_BYTES + 8);
    let mut upload = store(&aws, 2).await.upload("b", "k", "text/plain");
    for piece in body.chunks(3_000_000) {
        upload.write(piece).await.unwrap();
    }
    assert_eq!(aws.account().inventory(), []);
    let done = upload.finish(Write::IfAbsent).await.unwrap();
    assert_eq!(done.bytes, body.len() as u64);
    assert!(aws.account().read("b", "k").unwrap() == body);
    assert_eq!(aws.account().done_of("part").len(), 7);
    assert!((2..=PARTS_AT_ONCE).contains(&aws.account().most_at_once("part")));
    assert_eq!(aws.account().uploads(), [""; 0]);
}

#[tokio::test]
async fn all_writes_of_a_store_share_the_parts_on_their_way() {
    let aws = Aws::start().await;
    aws.account().slow = Some(("part ".into(), Duration::from_millis(200)));
    let store = store(&aws, 1).await;
    let body = vec![1; 2 * PART_BYTES];
    let mut uploads: Vec<_> = (0..4).map(|n| store.upload("b", &format!("k{n}"), "text/plain")).collect();
    for upload in &mut uploads {
        upload.write(&body).await.unwrap();
    }
    for upload in uploads {
        upload.finish(Write::IfAbsent).await.unwrap();
    }
    assert!((2..=PARTS_AT_ONCE).contains(&aws.account().most_at_once("part")));
    assert_eq!(aws.account().keys("b"), ["k0", "k1", "k2", "k3"]);
}

#[tokio::test]
async fn a_part_that_fails_fails_the_write_and_leaves_nothing() {
    for finish in [true, false] {
        let aws = Aws::start().await;
        aws.account().fail_step("part ", Fault::refused(500).for_good());
        let mut upload = store(&aws, 2).await.upload("b", "k", "text/plain");
        let part = vec![1; PART_BYTES];
        let mut written = Ok(());
        for _ in 0..10 {
            written = upload.write(&part).await;
            if written.is_err() {
                break;
            }
        }
        assert_fails(written, FailureKind::Unavailable, "writing s3://b/k: InternalError");
        // the object must not be completed without the missing part
        aws.account().heal();
        assert_fails(upload.write(b"more").await, FailureKind::Unavailable, "s3://b/k");
        assert_fails(upload.seal().await, FailureKind::Unavailable, "s3://b/k");
        if finish {
            assert_fails(upload.finish(Write::Replace).await, FailureKind::Unavailable, "s3://b/k");
            assert_eq!(aws.account().uploads(), [""; 0]);
        } else {
            drop(upload);
        }
        nothing_is_left(&aws).await;
        assert_eq!(aws.account().done_of("complete"), [""; 0]);
    }
}

#[tokio::test]
async fn an_upload_that_cannot_begin_is_no_smaller_object() {
    let aws = Aws::start().await;
    aws.account().fail_step("create ", Fault::refused(500));
    let mut upload = store(&aws, 1).await.upload("b", "k", "text/plain");
    assert_fails(upload.write(&vec![1; PART_BYTES + 1]).await, FailureKind::Unavailable, "s3://b/k");
    assert_fails(upload.finish(Write::Replace).await, FailureKind::Unavailable, "s3://b/k");
    nothing_is_left(&aws).await;
}

#[tokio::test]
async fn the_last_part_fails_where_it_is_waited_for() {
    for seal in [true, false] {
        let aws = Aws::start().await;
        let mut upload = store(&aws, 1).await.upload("b", "k", "text/plain");
        upload.write(&vec![1; PART_BYTES + 1]).await.unwrap();
        aws.account().fail_step("part ", Fault::closed().for_good());
        if seal {
            assert_fails(upload.seal().await, FailureKind::Unavailable, "s3://b/k");
            upload.abandon().await;
        } else {
            assert_fails(upload.finish(Write::Replace).await, FailureKind::Unavailable, "s3://b/k");
        }
        assert_eq!(aws.account().uploads(), [""; 0]);
        nothing_is_left(&aws).await;
    }
}

#[tokio::test]
async fn a_sealed_write_has_sent_all_of_its_bytes_and_shows_none() {
    for bytes in [0, 100, 2 * PART_BYTES, 2 * PART_BYTES + 100] {
        let aws = Aws::start().await;
        aws.account().slow = Some(("part ".into(), Duration::from_millis(20)));
        let body = noise(bytes);
        let mut upload = store(&aws, 1).await.upload("b", "k", "text/plain");
        upload.write(&body).await.unwrap();
        upload.seal().await.unwrap();
        assert_eq!(aws.account().done_of("part").len(), bytes.div_ceil(PART_BYTES).max(1));
        assert_eq!(aws.account().under_way("part"), 0);
        assert_eq!(aws.account().inventory(), []);
        upload.finish(Write::IfAbsent).await.unwrap();
        assert_eq!(aws.account().read("b", "k").unwrap().len(), body.len());
    }
}

#[tokio::test]
async fn a_write_that_is_given_up_does_not_wait_for_its_parts() {
    for abandon in [true, false] {
        let aws = Aws::start().await;
        aws.account().slow = Some(("part ".into(), Duration::from_mins(1)));
        let mut upload = store(&aws, 1).await.upload("b", "k", "text/plain");
        upload.write(&vec![1; 3 * PART_BYTES]).await.unwrap();
        while aws.account().under_way("part") < 3 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert_eq!(aws.account().uploads(), ["b/k"]);
        if abandon {
            upload.abandon().await;
            assert_eq!(aws.account().uploads(), [""; 0]);
        } else {
            drop(upload);
        }
        nothing_is_left(&aws).await;
    }
}

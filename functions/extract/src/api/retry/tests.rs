use std::time::UNIX_EPOCH;

use proptest::prelude::*;

use super::*;

#[test]
fn only_what_may_pass_is_asked_again() {
    let judge = |status| judge(StatusCode::from_u16(status).unwrap(), None);
    for (status, kind) in [
        (429, FailureKind::Throttled),
        (500, FailureKind::Unavailable),
        (503, FailureKind::Unavailable),
        (599, FailureKind::Unavailable),
    ] {
        assert_eq!(judge(status), (kind, Retry::Backoff), "{status}");
    }
    for (status, kind) in [
        (302, FailureKind::BadMetadata),
        (400, FailureKind::BadMetadata),
        (401, FailureKind::BadMetadata),
        (404, FailureKind::NotFound),
        (410, FailureKind::NotFound),
    ] {
        assert_eq!(judge(status), (kind, Retry::Never), "{status}");
    }
}

#[test]
fn retry_after_is_seconds_or_a_date() {
    let now = UNIX_EPOCH + Duration::from_secs(1_445_412_470);
    let wait = |value| retry_after(value, now);
    assert_eq!(wait("0"), Some(Duration::ZERO));
    assert_eq!(wait(" 7 "), Some(Duration::from_secs(7)));
    assert_eq!(wait("Wed, 21 Oct 2015 07:28:00 GMT"), Some(Duration::from_secs(10)));
    assert_eq!(wait("Wed, 21 Oct 2015 07:27:00 GMT"), Some(Duration::ZERO), "past");
    assert_eq!(wait("3600"), Some(RETRY_AFTER_CEILING));
    assert_eq!(wait("99999999999999999999999"), Some(RETRY_AFTER_CEILING));
    assert_eq!(wait("Wed, 21 Oct 2099 07:28:00 GMT"), Some(RETRY_AFTER_CEILING));
    for nothing in ["", "soon", "-1", "1.5", "2015-10-21T07:28:00Z"] {
        assert_eq!(wait(nothing), None, "{nothing}");
    }
}

proptest! {
    #[test]
    fn backoff_grows_to_its_ceiling_and_covers_the_whole_range(failed in 1u32..100, unit in 0.0..1.0f64) {
        let wait = backoff(failed, unit);
        let bound = backoff(failed, 1.0);
        prop_assert!(wait <= bound && bound <= CEILING);
        prop_assert!(backoff(failed + 1, 1.0) >= bound);
        prop_assert_eq!(backoff(failed, 0.0), Duration::ZERO);
        prop_assert!(failed > 1 || bound == BASE);
        prop_assert!(failed < 7 || bound == CEILING);
    }

    #[test]
    fn any_header_is_read_without_a_panic(value in "\\PC{0,40}") {
        let wait = retry_after(&value, SystemTime::now());
        prop_assert!(wait.is_none_or(|wait| wait <= RETRY_AFTER_CEILING));
    }
}

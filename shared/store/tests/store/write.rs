use contract::FailureKind;
use fake_aws::{Aws, Fault};
use store::{PART_BYTES, Store, Write};

use crate::{assert_fails, store};

/// The ways to write an object: in one call, or as a stream that is shorter or longer than a part.
#[derive(Clone, Copy, Debug)]
enum Way {
    Put,
    Short,
    Long,
}

const WAYS: [Way; 3] = [Way::Put, Way::Short, Way::Long];

impl Way {
    fn body(self) -> Vec<u8> {
        vec![7; if matches!(self, Self::Long) { PART_BYTES + 1 } else { 100 }]
    }

    fn step(self) -> &'static str {
        if matches!(self, Self::Long) { "complete b/k" } else { "put b/k" }
    }

    async fn write(self, store: &Store, write: Write) -> Result<(), contract::Failure> {
        if matches!(self, Self::Put) {
            return store.put("b", "k", self.body(), "text/plain", write).await;
        }
        let mut upload = store.upload("b", "k", "text/plain");
        upload.write(&self.body()).await?;
        upload.finish(write).await.map(drop)
    }
}

#[tokio::test]
async fn a_write_whose_answer_was_lost_is_known_again() {
    for way in WAYS {
        for write in [Write::IfAbsent, Write::Replace] {
            let aws = Aws::start().await;
            aws.account().fail_step(way.step(), Fault::lost());
            way.write(&store(&aws, 3).await, write).await.unwrap();
            assert_eq!(aws.account().failed_step(), Some(way.step()));
            assert_eq!(aws.account().read("b", "k"), Some(way.body()), "{way:?}");
            assert_eq!(aws.account().uploads(), [""; 0]);
        }
    }
}

#[tokio::test]
async fn a_key_that_is_taken_is_a_conflict() {
    for way in WAYS {
        let aws = Aws::start().await;
        // equal bytes from another write are a conflict too
        aws.account().put("b", "k", way.body());
        assert_fails(way.write(&store(&aws, 3).await, Write::IfAbsent).await, FailureKind::Conflict, "s3://b/k");
        assert_eq!(aws.account().inventory(), [("b/k".to_owned(), 1)]);
        assert_eq!(aws.account().uploads(), [""; 0]);
        way.write(&store(&aws, 3).await, Write::Replace).await.unwrap();
        assert_eq!(aws.account().inventory(), [("b/k".to_owned(), 2)]);
    }
}

#[tokio::test]
async fn what_others_wrote_over_a_write_is_not_taken_for_it() {
    for (way, kind) in [(Way::Put, FailureKind::Conflict), (Way::Long, FailureKind::NotFound)] {
        let aws = Aws::start().await;
        aws.account().fail_step(way.step(), Fault::lost());
        aws.account().put_after(way.step(), "b", "k", "theirs");
        assert_fails(way.write(&store(&aws, 3).await, Write::IfAbsent).await, kind, "s3://b/k");
    }
}

#[tokio::test]
async fn a_listing_of_many_pages_is_whole_and_describes_what_is_there() {
    let aws = Aws::start().await;
    aws.account().page_size = 3;
    for n in 0..10 {
        aws.account().put("b", &format!("t/{n}"), vec![0; n]);
    }
    aws.account().put("b", "u/0", "");
    let store = store(&aws, 1).await;
    let listed = store.list("b", "t/").await.unwrap();
    assert_eq!(aws.account().requests, ["list b/t/"; 4]);
    let described: Vec<_> = listed.iter().map(|object| (object.key.clone(), object.bytes)).collect();
    assert_eq!(described, (0..10).map(|n| (format!("t/{n}"), n)).collect::<Vec<_>>());
    for object in listed {
        let head = store.head("b", &object.key, None).await.unwrap().unwrap();
        assert_eq!((head.etag, head.bytes, head.last_modified), (object.etag, object.bytes, fake_aws::CLOCK));
    }
}

#[tokio::test]
async fn a_write_over_a_known_state_is_made_once_and_over_no_other() {
    let aws = Aws::start().await;
    let store = store(&aws, 3).await;
    let put = async |text: &str, before: Option<&str>| {
        store.put_over("b", "k", text.into(), "text/plain", before).await.map(|etag| (etag, text.to_owned()))
    };
    let (first, _) = put("1", None).await.unwrap();
    assert_fails(put("1", None).await, FailureKind::Conflict, "s3://b/k");
    let (second, _) = put("2", Some(&first)).await.unwrap();
    assert_fails(put("3", Some(&first)).await, FailureKind::Conflict, "s3://b/k");
    let (text, etag) = store.read_tagged("b", "k").await.unwrap().unwrap();
    assert_eq!((text, etag.as_str()), (b"2".to_vec(), second.as_str()));

    // the response is lost, and the repeated request is refused
    aws.account().fail_step("put b/k", Fault::lost());
    let (third, _) = put("3", Some(&second)).await.unwrap();
    assert_eq!(store.read_tagged("b", "k").await.unwrap().unwrap(), (b"3".to_vec(), third.clone()));

    // an object that is gone has changed
    let gone = store.put_over("b", "gone", Vec::new(), "text/plain", Some(&third)).await;
    assert_fails(gone.map(drop), FailureKind::Conflict, "s3://b/gone");
    assert_eq!(store.read_tagged("b", "gone").await.unwrap(), None);
}

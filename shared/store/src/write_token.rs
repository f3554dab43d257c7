//! A token tells one write from every other under its key, by a line of the object's metadata.
//!
//! A write may come through while its answer is lost. The client then asks again, and is refused: the key is taken, or
//! the upload is no more. Only the token tells whether it is this very write that is in the way.

use std::hash::{BuildHasher, Hasher, RandomState};

use aws_sdk_s3::Client;
use contract::{Failure, FailureKind};

use crate::object::url;

/// A word that no other write has.
#[derive(Debug)]
pub(crate) struct WriteToken(String);

impl WriteToken {
    /// Its name among the object's metadata.
    pub(crate) const NAME: &str = "landfall-write";

    pub(crate) fn new() -> Self {
        // the standard library takes their keys from the system's random numbers
        let [one, other] = [(); 2].map(|()| RandomState::new().build_hasher().finish());
        Self(format!("{one:016x}{other:016x}"))
    }

    pub(crate) fn word(&self) -> &str {
        &self.0
    }

    /// The word of the write that an object comes of, if it has one; `None` when there is no object.
    pub(crate) async fn of(client: &Client, bucket: &str, key: &str) -> Result<Option<Option<String>>, Failure> {
        match client.head_object().bucket(bucket).key(key).send().await {
            Ok(head) => Ok(Some(head.metadata().and_then(|of| of.get(Self::NAME)).cloned())),
            Err(error) => match boot::aws::failure(&error) {
                failure if failure.kind == FailureKind::NotFound => Ok(None),
                failure => Err(failure.context(format!("reading the head of {}", url(bucket, key)))),
            },
        }
    }

    /// Whether a write that was refused came through all the same: the object's entity tag then, else the refusal.
    pub(crate) async fn settle(
        &self,
        client: &Client,
        bucket: &str,
        key: &str,
        refused: Failure,
    ) -> Result<String, Failure> {
        if !matches!(refused.kind, FailureKind::Conflict | FailureKind::NotFound) {
            return Err(refused);
        }
        match client.head_object().bucket(bucket).key(key).send().await {
            Ok(head) if head.metadata().and_then(|of| of.get(Self::NAME)) == Some(&self.0) => {
                Ok(head.e_tag().unwrap_or_default().to_owned())
            }
            Ok(_) => Err(refused),
            Err(error) => match boot::aws::failure(&error) {
                // outcome unknown; a retry may find out
                unknown if unknown.kind.is_retryable() => {
                    Err(unknown.context(format!("asking whether {} was written", url(bucket, key))))
                }
                _ => Err(refused),
            },
        }
    }
}

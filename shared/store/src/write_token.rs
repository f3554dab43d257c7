//! Write tokens: a random line of an object's metadata identifies the write that created the object.
//!
//! A write may succeed although its response is lost. The client then repeats the request and is refused, because the
//! key is taken or the upload no longer exists. Only the token shows whether the object is this client's own.

use std::hash::{BuildHasher, Hasher, RandomState};

use aws_sdk_s3::Client;
use contract::{Failure, FailureKind};

use crate::object::url;

/// A word that no other write has.
#[derive(Debug)]
pub(crate) struct WriteToken(String);

impl WriteToken {
    /// The token's key in the object's metadata.
    pub(crate) const NAME: &str = "landfall-write";

    pub(crate) fn new() -> Self {
        // the standard library seeds these from the system's random numbers
        let [one, other] = [(); 2].map(|()| RandomState::new().build_hasher().finish());
        Self(format!("{one:016x}{other:016x}"))
    }

    pub(crate) fn word(&self) -> &str {
        &self.0
    }

    /// Returns the token of the object under a key, if it has one. The outer `None` means that there is no object.
    pub(crate) async fn of(client: &Client, bucket: &str, key: &str) -> Result<Option<Option<String>>, Failure> {
        match client.head_object().bucket(bucket).key(key).send().await {
            Ok(head) => Ok(Some(head.metadata().and_then(|of| of.get(Self::NAME)).cloned())),
            Err(error) => match boot::aws::failure(&error) {
                failure if failure.kind == FailureKind::NotFound => Ok(None),
                failure => Err(failure.context(format!("reading the head of {}", url(bucket, key)))),
            },
        }
    }

    /// Finds out whether a refused write succeeded nevertheless. Returns the object's entity tag if it did, otherwise
    /// the refusal.
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

//! A server-side copy of exactly one version of an object, only where the target key is free.

use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use contract::{Failure, FailureKind};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::{Object, Store, url};

/// CopyObject takes sources up to 5 GB; larger ones are copied in parts.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html>
const COPY_OBJECT_LIMIT: u64 = 5_000_000_000;
/// Parts of 1 GiB: 5 TB, the largest object, stays under 10,000 parts.
const COPY_PART_BYTES: u64 = 1 << 30;

/// `CopySource` is URL-encoded but for the slashes.
const SOURCE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// How a copy came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Copied {
    /// The object is new under the target key.
    Now,
    /// Something was there before; whether it is the same is for the caller to find out.
    TargetExists,
}

impl Store {
    /// Copies `from` to another key without reading it. Fails with [`FailureKind::Conflict`] when the source has
    /// other bytes by now, and with [`FailureKind::NotFound`] when that version is gone.
    pub async fn copy_if_absent(&self, from: &Object, bucket: &str, key: &str) -> Result<Copied, Failure> {
        let doing = || format!("copying {} to {}", from.url(), url(bucket, key));
        // A precondition of the source and one of the target both answer 412: ask first, so that the answer is clear.
        // The write itself is conditional all the same: between the two requests another copy may finish.
        if self.head(bucket, key, None).await?.is_some() {
            return Ok(Copied::TargetExists);
        }
        let copied = match from.bytes {
            0..=COPY_OBJECT_LIMIT => self.copy_at_once(from, bucket, key).await,
            _ => self.copy_in_parts(from, bucket, key).await,
        };
        match copied {
            Ok(()) => Ok(Copied::Now),
            Err(failure) if failure.kind == FailureKind::Conflict => match self.head(bucket, key, None).await? {
                Some(_) => Ok(Copied::TargetExists),
                None => Err(failure.context(doing())),
            },
            Err(failure) => Err(failure.context(doing())),
        }
    }

    async fn copy_at_once(&self, from: &Object, bucket: &str, key: &str) -> Result<(), Failure> {
        self.repeat_conflicts(|| {
            let copy = self.client.copy_object().bucket(bucket).key(key).copy_source(source(from));
            copy.copy_source_if_match(&from.etag).if_none_match("*").send()
        })
        .await?;
        Ok(())
    }

    async fn copy_in_parts(&self, from: &Object, bucket: &str, key: &str) -> Result<(), Failure> {
        let created = self.client.create_multipart_upload().bucket(bucket).key(key).send().await;
        let created = created.map_err(|error| boot::aws::failure(&error))?;
        let id = created.upload_id().unwrap_or_default();
        let copied = self.copy_parts(from, bucket, key, id).await;
        if copied.is_err() {
            let abort = self.client.abort_multipart_upload().bucket(bucket).key(key).upload_id(id);
            if let Err(error) = abort.send().await {
                tracing::warn!(key, error = %boot::aws::failure(&error), "copy not aborted, left to the lifecycle rule");
            }
        }
        copied
    }

    async fn copy_parts(&self, from: &Object, bucket: &str, key: &str, id: &str) -> Result<(), Failure> {
        let mut parts = Vec::new();
        for start in (0..from.bytes).step_by(COPY_PART_BYTES as usize) {
            let end = (start + COPY_PART_BYTES).min(from.bytes) - 1;
            let number = parts.len() as i32 + 1;
            let part = self.client.upload_part_copy().bucket(bucket).key(key).upload_id(id).part_number(number);
            let part = part.copy_source(source(from)).copy_source_if_match(&from.etag);
            let part = part.copy_source_range(format!("bytes={start}-{end}")).send().await;
            let part = part.map_err(|error| boot::aws::failure(&error))?;
            let etag = part.copy_part_result().and_then(|result| result.e_tag()).map(str::to_owned);
            parts.push(CompletedPart::builder().part_number(number).set_e_tag(etag).build());
        }
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        let complete = self.client.complete_multipart_upload().bucket(bucket).key(key).upload_id(id);
        let complete = complete.multipart_upload(parts).if_none_match("*").send().await;
        complete.map_err(|error| boot::aws::failure(&error)).map(drop)
    }
}

fn source(from: &Object) -> String {
    let path = format!("{}/{}", from.bucket, from.key);
    let version = from.version_id.as_ref().map(|id| format!("?versionId={id}")).unwrap_or_default();
    format!("{}{version}", utf8_percent_encode(&path, SOURCE))
}

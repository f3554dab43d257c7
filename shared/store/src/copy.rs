//! A server-side copy of exactly one version of an object, only where the target key is free.

use aws_sdk_s3::types::{ChecksumAlgorithm, ChecksumType, CompletedMultipartUpload, CompletedPart};
use contract::{Failure, FailureKind};
use futures::stream::{self, StreamExt, TryStreamExt};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::client::Store;
use crate::object::{Object, url};
use crate::patience::patient;

/// CopyObject takes sources up to 5 GB; larger ones are copied in parts.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html>
const COPY_OBJECT_LIMIT: u64 = 5_000_000_000;
/// The least size of a part: S3 copies one in a few seconds.
const PART_BYTES: u64 = 256 << 20;
/// The most parts that an object may have.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>
const MOST_PARTS: u64 = 10_000;
/// Parts of a copy that are on their way at once: no byte of them comes here.
const PARTS_AT_ONCE: usize = 8;

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
    ///
    /// # Errors
    /// Where S3 refuses or does not answer; the failure names the object.
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
            let copy = copy.copy_source_if_match(&from.etag).if_none_match("*");
            copy.customize().config_override(patient()).send()
        })
        .await?;
        Ok(())
    }

    async fn copy_in_parts(&self, from: &Object, bucket: &str, key: &str) -> Result<(), Failure> {
        let of = self.client.head_object().bucket(&from.bucket).key(&from.key);
        let of = of.set_version_id(from.version_id.clone()).if_match(&from.etag).send().await;
        let of = of.map_err(|error| boot::aws::failure(&error))?;
        let create = self.client.create_multipart_upload().bucket(bucket).key(key);
        // CopyObject keeps these; parts know nothing of them
        let create = create.set_metadata(of.metadata).set_content_type(of.content_type);
        let create = create.checksum_algorithm(checksum_algorithm(from)).checksum_type(ChecksumType::FullObject);
        let created = create.send().await.map_err(|error| boot::aws::failure(&error))?;
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
        let part_bytes = part_bytes(from.bytes);
        let parts = (0..from.bytes.div_ceil(part_bytes)).map(|n| async move {
            let (number, start) = (n as i32 + 1, n * part_bytes);
            let end = (start + part_bytes).min(from.bytes) - 1;
            let part = self.client.upload_part_copy().bucket(bucket).key(key).upload_id(id).part_number(number);
            let part = part.copy_source(source(from)).copy_source_if_match(&from.etag);
            let part = part.copy_source_range(format!("bytes={start}-{end}"));
            let part = part.customize().config_override(patient()).send().await;
            let done = part.map_err(|error| boot::aws::failure(&error))?.copy_part_result;
            let part = CompletedPart::builder().part_number(number);
            Ok::<_, Failure>(match done {
                Some(done) => part
                    .set_e_tag(done.e_tag)
                    .set_checksum_crc64_nvme(done.checksum_crc64_nvme)
                    .set_checksum_crc32(done.checksum_crc32)
                    .set_checksum_crc32_c(done.checksum_crc32_c)
                    .build(),
                None => part.build(),
            })
        });
        let parts = stream::iter(parts).buffered(PARTS_AT_ONCE).try_collect().await?;
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        let complete = self.client.complete_multipart_upload().bucket(bucket).key(key).upload_id(id);
        let complete = complete.multipart_upload(parts).checksum_type(ChecksumType::FullObject).if_none_match("*");
        let complete = complete.customize().config_override(patient()).send().await;
        complete.map_err(|error| boot::aws::failure(&error)).map(drop)
    }
}

/// The size of a copy's parts.
fn part_bytes(bytes: u64) -> u64 {
    bytes.div_ceil(MOST_PARTS).max(PART_BYTES)
}

/// The source's own, where S3 computes it of whole objects: the two can be compared.
fn checksum_algorithm(from: &Object) -> ChecksumAlgorithm {
    match from.checksum.as_deref().and_then(|checksum| checksum.split_once(':')) {
        Some(("crc32", _)) => ChecksumAlgorithm::Crc32,
        Some(("crc32c", _)) => ChecksumAlgorithm::Crc32C,
        _ => ChecksumAlgorithm::Crc64Nvme,
    }
}

fn source(from: &Object) -> String {
    let path = format!("{}/{}", from.bucket, from.key);
    let version = from.version_id.as_ref().map(|id| format!("?versionId={id}")).unwrap_or_default();
    format!("{}{version}", utf8_percent_encode(&path, SOURCE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_object_has_too_many_parts_nor_one_that_is_too_large() {
        for bytes in [COPY_OBJECT_LIMIT + 1, PART_BYTES * MOST_PARTS, PART_BYTES * MOST_PARTS + 1, 5 << 40, 48 << 40] {
            let part = part_bytes(bytes);
            assert!(bytes.div_ceil(part) <= MOST_PARTS && (PART_BYTES..=5 << 30).contains(&part), "{bytes}");
        }
    }
}

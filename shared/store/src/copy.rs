//! A server-side copy of exactly one version of an object, made only if the target key is free.

use aws_sdk_s3::types::{ChecksumAlgorithm, ChecksumType, CompletedMultipartUpload, CompletedPart};
use contract::{Failure, FailureKind};
use futures::stream::{self, StreamExt, TryStreamExt};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::client::Store;
use crate::object::{Object, url};
use crate::patience::patient;

/// CopyObject accepts sources of up to 5 GB. Larger ones are copied in parts.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html>
const COPY_OBJECT_LIMIT: u64 = 5_000_000_000;
/// The smallest part. S3 copies a part of this size in a few seconds.
const PART_BYTES: u64 = 256 << 20;
/// The most parts that an object can have.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>
const MOST_PARTS: u64 = 10_000;
/// Parts of one copy that are in flight at once. Their bytes do not pass through this process.
const PARTS_AT_ONCE: usize = 8;

/// The characters to escape in `CopySource`, which is URL-encoded except for its slashes.
const SOURCE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// The outcome of a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Copied {
    /// The copy created the object.
    Now,
    /// The target key was taken. The caller has to find out whether it holds the same object.
    TargetExists,
}

impl Store {
    /// Copies `from` to another key within S3. Fails with [`FailureKind::Conflict`] if the source has other bytes by
    /// now, and with [`FailureKind::NotFound`] if its version is gone.
    ///
    /// # Errors
    /// Fails if S3 refuses the request or does not answer. The failure names the object.
    ///
    /// ```no_run
    /// # async fn example(store: store::Store) -> Result<(), contract::Failure> {
    /// use store::Copied;
    ///
    /// let Some(landed) = store.head("land", "orders/orders.csv", None).await? else { return Ok(()) };
    /// match store.copy_if_absent(&landed, "raw-hist", &landed.key).await? {
    ///     Copied::Now => store.delete(&landed).await?,
    ///     Copied::TargetExists => println!("compare the two before anything is deleted"),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn copy_if_absent(&self, from: &Object, bucket: &str, key: &str) -> Result<Copied, Failure> {
        let doing = || format!("copying {} to {}", from.url(), url(bucket, key));
        // A failed precondition is answered with 412, whether on the source or on the target. This check first makes
        // the answer clear. The write is conditional anyway, since another copy may finish between the two requests.
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
        // CopyObject copies these; UploadPartCopy does not
        let create = create.set_metadata(of.metadata).set_content_type(of.content_type);
        let create = create.checksum_algorithm(checksum_algorithm(from)).checksum_type(ChecksumType::FullObject);
        let created = create.send().await.map_err(|error| boot::aws::failure(&error))?;
        let id = created.upload_id().unwrap_or_default();
        let copied = self.copy_parts(from, bucket, key, id).await;
        if copied.is_err() {
            let abort = self.client.abort_multipart_upload().bucket(bucket).key(key).upload_id(id);
            if let Err(error) = abort.send().await {
                let error = boot::aws::failure(&error);
                tracing::warn!(key, %error, "copy not aborted, left to the lifecycle rule");
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

/// Returns the size of a copy's parts.
fn part_bytes(bytes: u64) -> u64 {
    bytes.div_ceil(MOST_PARTS).max(PART_BYTES)
}

/// Returns the source's own algorithm, so that the checksums of source and copy can be compared. If S3 cannot compute
/// that one for a whole multipart object, returns CRC-64/NVME.
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

//! Promotion: the copy of a file from land to raw-hist or quarantine. Every step may be repeated after a crash at any
//! point, and two invocations may take the same steps at once. Copies are therefore conditional, existing objects are
//! compared, and the version in land is deleted last.

use contract::Failure;
use contract::key::with_suffix;
use contract::message::ObjectName;
use sha2::{Digest, Sha256};
use store::{Copied, Object, Store, Write};

use crate::report::{Report, report_key};

/// The buckets that a file in land may go to.
#[derive(Debug)]
pub(crate) struct Areas {
    pub store: Store,
    /// Immutable history.
    pub raw_hist: String,
    /// Transient copies for tables with `copy_to_raw`.
    pub raw: String,
    /// Rejected files with their reports.
    pub quarantine: String,
    /// Reports.
    pub reports: String,
}

/// The result of filing a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Filed {
    /// The file is there, whether copied now or earlier.
    Done(ObjectName),
    /// Another object, with other bytes, has the key.
    Conflict(Object),
    /// The version is no longer in land: whoever removed it had filed it first.
    SourceGone,
}

impl Areas {
    /// Copies a file to history, and to raw if asked.
    pub(crate) async fn promote(&self, object: &Object, key: &str, to_raw: bool) -> Result<Filed, Failure> {
        let filed = self.file(object, &self.raw_hist, key).await?;
        if !to_raw || !matches!(filed, Filed::Done(_)) {
            return Ok(filed);
        }
        match self.file(object, &self.raw, key).await? {
            Filed::Done(_) => Ok(filed),
            Filed::SourceGone => Ok(Filed::SourceGone),
            // raw is not history, so this is no reason to reject the file; but an unprocessed file must not be replaced
            // either
            Filed::Conflict(other) => Err(Failure::conflict(format!(
                "{} has other bytes than {}, which is in history; process or remove it",
                other.url(),
                object.url()
            ))),
        }
    }

    /// Copies a rejected file to quarantine. If another file has the key there, that one stays and this file's key gets
    /// its version as a suffix.
    pub(crate) async fn quarantine(&self, object: &Object) -> Result<Filed, Failure> {
        match self.file(object, &self.quarantine, &object.key).await? {
            Filed::Conflict(_) => {
                let key = with_suffix(&object.key, &format!(".{}", object.version_word()));
                self.file(object, &self.quarantine, &key).await
            }
            filed => Ok(filed),
        }
    }

    /// Writes the report, and also beside the file if that is in quarantine. Returns the report's location as `s3://…`.
    pub(crate) async fn report(
        &self,
        object: &Object,
        report: &Report,
        filed_at: &ObjectName,
    ) -> Result<String, Failure> {
        let json = report.json()?;
        if filed_at.bucket == self.quarantine {
            let beside = with_suffix(&filed_at.key, ".report.json");
            let put = self.store.put(&self.quarantine, &beside, json.clone(), "application/json", Write::Replace);
            put.await?;
        }
        let key = report_key(object);
        self.store.put(&self.reports, &key, json, "application/json", Write::Replace).await?;
        Ok(store::url(&self.reports, &key))
    }

    async fn file(&self, object: &Object, bucket: &str, key: &str) -> Result<Filed, Failure> {
        let copied = match self.store.copy_if_absent(object, bucket, key).await {
            Ok(copied) => copied,
            Err(failure) => {
                // the source may have been deleted, or overwritten in a bucket without versions; otherwise the failure
                // stands
                return if self.is_in_land(object).await? { Err(failure) } else { Ok(Filed::SourceGone) };
            }
        };
        let Some(target) = self.store.head(bucket, key, None).await? else {
            let what = format!("{} is not there, although it was just copied", store::url(bucket, key));
            return Err(Failure::unavailable(what));
        };
        if copied == Copied::Now && compare(object, &target) == Comparison::Unknown {
            return Ok(Filed::Done(ObjectName { bucket: target.bucket, key: target.key }));
        }
        Ok(match (self.same(object, &target).await?, copied) {
            (Some(true), _) => Filed::Done(ObjectName { bucket: target.bucket, key: target.key }),
            (Some(false), Copied::TargetExists) => Filed::Conflict(target),
            (Some(false), Copied::Now) => {
                // two invocations may have overlapped: the next attempt compares again
                let what = format!("{} is not what was copied there from {}", target.url(), object.url());
                return Err(Failure::unavailable(what));
            }
            (None, _) => Filed::SourceGone,
        })
    }

    /// Returns the object that history has under a key, if it is not the file: promoting the file would be a conflict.
    pub(crate) async fn other_in_history(&self, object: &Object, key: &str) -> Result<Option<Object>, Failure> {
        let Some(target) = self.store.head(&self.raw_hist, key, None).await? else { return Ok(None) };
        Ok((self.same(object, &target).await? == Some(false)).then_some(target))
    }

    /// Whether two objects have the same bytes; `None` if the one in land was deleted.
    pub(crate) async fn same(&self, object: &Object, target: &Object) -> Result<Option<bool>, Failure> {
        match compare(object, target) {
            Comparison::Same => Ok(Some(true)),
            Comparison::Different => Ok(Some(false)),
            Comparison::Unknown => {
                let Some(here) = self.digest(object).await? else { return Ok(None) };
                Ok(Some(Some(here) == self.digest(target).await?))
            }
        }
    }

    /// Whether exactly this version is still in land.
    pub(crate) async fn is_in_land(&self, object: &Object) -> Result<bool, Failure> {
        let found = self.store.head(&object.bucket, &object.key, object.version_id.as_deref()).await?;
        Ok(found.is_some_and(|found| found.etag == object.etag))
    }

    /// Returns the SHA-256 of an object's bytes; `None` if the object was deleted.
    pub(crate) async fn digest(&self, object: &Object) -> Result<Option<[u8; 32]>, Failure> {
        let mut body = match self.store.read(object).await {
            Ok(body) => body,
            Err(failure) => {
                return if self.is_in_land(object).await? { Err(failure) } else { Ok(None) };
            }
        };
        let mut digest = Sha256::new();
        while let Some(bytes) = body.next().await {
            let bytes = bytes.map_err(|error| Failure::unavailable(format!("reading {}: {error}", object.url())))?;
            digest.update(&bytes);
        }
        Ok(Some(digest.finalize().into()))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    Same,
    Different,
    /// Only a comparison of the bytes can decide.
    Unknown,
}

/// Compares sizes and checksums. Entity tags are of no use, as that of a multipart upload changes when it is copied.
fn compare(one: &Object, other: &Object) -> Comparison {
    if one.bytes != other.bytes {
        return Comparison::Different;
    }
    let (Some(a), Some(b)) = (&one.checksum, &other.checksum) else { return Comparison::Unknown };
    // a checksum of the parts' checksums ends in `-<parts>` and depends on how the upload was split
    let of_parts = a.contains('-') || b.contains('-');
    match (a == b, a.split(':').next() == b.split(':').next()) {
        (true, _) => Comparison::Same,
        (false, true) if !of_parts => Comparison::Different,
        _ => Comparison::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(bytes: u64, checksum: Option<&str>) -> Object {
        Object {
            bucket: "b".into(),
            key: "k".into(),
            version_id: None,
            etag: "\"e\"".into(),
            bytes,
            last_modified: 0,
            checksum: checksum.map(str::to_owned),
        }
    }

    #[test]
    fn checksums_decide_only_where_they_can() {
        use Comparison::{Different, Same, Unknown};
        for (a, b, expected) in [
            (Some("crc64nvme:AA=="), Some("crc64nvme:AA=="), Same),
            (Some("crc64nvme:AA=="), Some("crc64nvme:AB=="), Different),
            (Some("crc64nvme:AA=="), Some("sha256:AA=="), Unknown),
            (Some("crc32:AA==-2"), Some("crc32:AB=="), Unknown),
            (Some("crc32:AA==-2"), Some("crc32:AA==-2"), Same),
            (Some("crc32:AA=="), None, Unknown),
            (None, None, Unknown),
        ] {
            assert_eq!(compare(&object(1, a), &object(1, b)), expected, "{a:?} {b:?}");
            assert_eq!(compare(&object(1, a), &object(2, b)), Different);
        }
    }
}

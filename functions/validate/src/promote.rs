//! How a file goes from land to where it belongs. Every step may be repeated after a crash at any point, and two
//! invocations may take the same steps at once: copies are conditional, what is there already is compared, and the
//! version in land is deleted last.

use contract::Failure;
use contract::key::with_suffix;
use contract::message::ObjectName;
use sha2::{Digest, Sha256};
use store::{Copied, Object, Store, Write};

use crate::report::{Report, report_key};

/// The buckets that a file in land may go to.
#[derive(Debug)]
pub(crate) struct Areas {
    /// S3.
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

/// How the filing of a file came out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Filed {
    /// The file is there, now or since before.
    Done(ObjectName),
    /// Other bytes have the key.
    Conflict(Object),
    /// The version is no longer in land: whoever removed it had filed it.
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
            // no history, so no reason to reject the file; but not to replace what nobody has processed yet either
            Filed::Conflict(other) => Err(Failure::conflict(format!(
                "{} has other bytes than {}, which is in history; process or remove it",
                other.url(),
                object.url()
            ))),
        }
    }

    /// Copies a rejected file to quarantine. A file of the same name that lies there already stays: this one is told
    /// apart by its version.
    pub(crate) async fn quarantine(&self, object: &Object) -> Result<Filed, Failure> {
        match self.file(object, &self.quarantine, &object.key).await? {
            Filed::Conflict(_) => {
                let key = with_suffix(&object.key, &format!(".{}", object.version_word()));
                self.file(object, &self.quarantine, &key).await
            }
            filed => Ok(filed),
        }
    }

    /// Writes the report; beside the file too if that is in quarantine. Returns where it is, as `s3://…`.
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
                // the source may be gone, or overwritten where versions are not kept; or it is another failure
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
                // two invocations may have crossed: the next look tells what is there
                let what = format!("{} is not what was copied there from {}", target.url(), object.url());
                return Err(Failure::unavailable(what));
            }
            (None, _) => Filed::SourceGone,
        })
    }

    /// What history has under a key, if it is not the file: promoting the file would be a conflict.
    pub(crate) async fn other_in_history(&self, object: &Object, key: &str) -> Result<Option<Object>, Failure> {
        let Some(target) = self.store.head(&self.raw_hist, key, None).await? else { return Ok(None) };
        Ok((self.same(object, &target).await? == Some(false)).then_some(target))
    }

    /// Whether two objects have the same bytes; `None` when the one in land is gone.
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

    /// Whether exactly this version is still there.
    pub(crate) async fn is_in_land(&self, object: &Object) -> Result<bool, Failure> {
        let found = self.store.head(&object.bucket, &object.key, object.version_id.as_deref()).await?;
        Ok(found.is_some_and(|found| found.etag == object.etag))
    }

    /// SHA-256 of the bytes; `None` when the object is gone.
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
    /// Only the bytes can tell.
    Unknown,
}

/// What size and checksum say. Entity tags say nothing: that of a multipart upload changes with its copy.
fn compare(one: &Object, other: &Object) -> Comparison {
    if one.bytes != other.bytes {
        return Comparison::Different;
    }
    let (Some(a), Some(b)) = (&one.checksum, &other.checksum) else { return Comparison::Unknown };
    // a checksum of the parts' checksums ends in `-<parts>`, and depends on how they were cut
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

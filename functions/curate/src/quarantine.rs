//! Moves raw files that cannot be processed to quarantine, each with a report, like files that do not pass their
//! checks. Raw-hist has the file as it landed. Only the waiting copy in raw is moved. Every step may be repeated after
//! a crash at any point, and the raw file is deleted last.

use chrono::{DateTime, SecondsFormat};
use contract::key::with_suffix;
use contract::message::{ObjectName, QuarantinedFile};
use contract::{Failure, Table, visible};
use serde_json::{Value, json};
use store::{Copied, Object, Store, Write};

/// The buckets that rejected files and reports go to.
#[derive(Clone, Debug)]
pub struct Quarantine {
    /// The S3 client.
    pub store: Store,
    /// The bucket of rejected files with their reports.
    pub bucket: String,
    /// The bucket of all reports.
    pub reports: String,
}

/// The version of the report's schema, which is also that of validate's reports.
const REPORT_VERSION: u32 = 1;

impl Quarantine {
    /// Moves a raw file to quarantine with a report of its failure.
    pub async fn take(
        &self,
        table: &Table,
        raw: &Object,
        failure: &Failure,
        metadata_sha256: &str,
    ) -> Result<QuarantinedFile, Failure> {
        let store = &self.store;
        // with its checksum and version, which a listing does not have
        let found = store.head(&raw.bucket, &raw.key, None).await?.filter(|found| found.etag == raw.etag);
        let Some(found) = found else {
            return Err(Failure::conflict(format!("{}: it has changed since it was listed", raw.url())));
        };
        let filed_at = self.copy(&found).await?;
        let summary = format!("quarantined: it cannot be processed: {}", visible(&failure.message));
        let report = report(table, &found, &filed_at, failure, &summary, metadata_sha256);
        let mut report = serde_json::to_vec_pretty(&report).map_err(Failure::internal)?;
        report.push(b'\n');
        let beside = with_suffix(&filed_at.key, ".report.json");
        store.put(&self.bucket, &beside, report.clone(), "application/json", Write::Replace).await?;
        let key = with_suffix(&format!("processing/{}", found.key), &format!(".{}.json", found.version_word()));
        store.put(&self.reports, &key, report, "application/json", Write::Replace).await?;
        store.delete(&found).await?;
        Ok(QuarantinedFile {
            table: table.name.clone(),
            raw_key: found.key,
            summary,
            filed_at: store::url(&filed_at.bucket, &filed_at.key),
            report: store::url(&self.reports, &key),
        })
    }

    /// Copies the file under its own key. If another file has that key, the copy's key includes the file's version.
    async fn copy(&self, raw: &Object) -> Result<ObjectName, Failure> {
        let named = |key: String| ObjectName { bucket: self.bucket.clone(), key };
        if self.store.copy_if_absent(raw, &self.bucket, &raw.key).await? == Copied::Now {
            return Ok(named(raw.key.clone()));
        }
        let there = self.store.head(&self.bucket, &raw.key, None).await?;
        let same =
            |there: &Object| there.bytes == raw.bytes && raw.checksum.is_some() && there.checksum == raw.checksum;
        if there.as_ref().is_some_and(same) {
            return Ok(named(raw.key.clone()));
        }
        let key = with_suffix(&raw.key, &format!(".{}", raw.version_word()));
        // an object that already has this key is the same version
        self.store.copy_if_absent(raw, &self.bucket, &key).await?;
        Ok(named(key))
    }
}

/// Returns the report. The same file, metadata and SQL give the same bytes, so a report that is written again after a
/// crash replaces itself.
fn report(
    table: &Table,
    raw: &Object,
    filed_at: &ObjectName,
    failure: &Failure,
    summary: &str,
    metadata_sha256: &str,
) -> Value {
    let landed_at = DateTime::from_timestamp(raw.last_modified as i64, 0).unwrap_or_default();
    json!({
        "report_version": REPORT_VERSION,
        "verdict": "quarantined",
        "summary": summary,
        "table": table.name,
        "object": {
            "bucket": raw.bucket,
            "key": raw.key,
            "version_id": raw.version_id,
            "etag": raw.etag,
            "bytes": raw.bytes,
            "checksum": raw.checksum,
            "landed_at": landed_at.to_rfc3339_opts(SecondsFormat::Secs, true),
        },
        "filed_at": filed_at,
        "failures": [{"rule": "process", "column": null, "expected": visible(&failure.message)}],
        "metadata_sha256": metadata_sha256,
    })
}

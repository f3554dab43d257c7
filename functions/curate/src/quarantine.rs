//! Raw files that cannot be processed: each goes to quarantine with a report, as a file does that does not pass its
//! checks. History has the file as it landed; what is moved is the copy that waits in raw. Every step may be repeated
//! after a crash at any point, and the raw file goes last.

use chrono::{DateTime, SecondsFormat};
use contract::key::with_suffix;
use contract::message::{ObjectName, QuarantinedFile};
use contract::{Failure, Table, visible};
use serde_json::{Value, json};
use store::{Copied, Object, Store, Write};

/// Where rejected files and reports go.
#[derive(Clone, Debug)]
pub struct Quarantine {
    /// S3.
    pub store: Store,
    /// Rejected files with their reports.
    pub bucket: String,
    /// All reports.
    pub reports: String,
}

/// The version of the report's schema, which is that of validate's.
const REPORT_VERSION: u32 = 1;

impl Quarantine {
    /// Moves a raw file that fails so.
    pub async fn take(
        &self,
        table: &Table,
        raw: &Object,
        failure: &Failure,
        metadata_sha256: &str,
    ) -> Result<QuarantinedFile, Failure> {
        let store = &self.store;
        // with its checksum and its version, which a listing does not have
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

    /// Copies the file under its own key; under one that its version is a part of, where there is another one.
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
        // who is there is the same version
        self.store.copy_if_absent(raw, &self.bucket, &key).await?;
        Ok(named(key))
    }
}

/// The same file, metadata and SQL give the same bytes: a report that is written again after a crash replaces itself.
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

//! S3 objects, and the conditions under which they are written.

/// One version of an object, as S3 described it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// Bucket name.
    pub bucket: String,
    /// Key, not encoded.
    pub key: String,
    /// `None` in listings, and if the bucket is not versioned.
    pub version_id: Option<String>,
    /// Entity tag, including its quotes.
    pub etag: String,
    /// Size in bytes.
    pub bytes: u64,
    /// Time of the write, in Unix seconds.
    pub last_modified: u64,
    /// The checksum that S3 stores, as `algorithm:base64`. `None` in listings.
    pub checksum: Option<String>,
}

impl Object {
    /// Returns `s3://bucket/key`.
    pub fn url(&self) -> String {
        url(&self.bucket, &self.key)
    }

    /// Returns an identifier of this version: its version id or, without versioning, its entity tag without quotes.
    pub fn version_word(&self) -> &str {
        self.version_id.as_deref().unwrap_or(self.etag.trim_matches('"'))
    }
}

/// Returns `s3://bucket/key`.
pub fn url(bucket: &str, key: &str) -> String {
    format!("s3://{bucket}/{key}")
}

/// Whether a write may replace an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Write {
    /// The newest write wins.
    Replace,
    /// Fails with [`FailureKind::Conflict`](contract::FailureKind::Conflict) if the key is taken.
    IfAbsent,
}

impl Write {
    pub(crate) fn if_none_match(self) -> Option<String> {
        (self == Self::IfAbsent).then(|| "*".to_owned())
    }
}

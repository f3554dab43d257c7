//! Objects of S3, and how they may be written.

/// One version of one object, as S3 described it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// Bucket name.
    pub bucket: String,
    /// Key, not encoded.
    pub key: String,
    /// Absent where the bucket has no versions, and in listings.
    pub version_id: Option<String>,
    /// Entity tag with its quotes.
    pub etag: String,
    /// Size in bytes.
    pub bytes: u64,
    /// When it was written, in Unix seconds.
    pub last_modified: u64,
    /// The checksum that S3 keeps, as `algorithm:base64`.
    pub checksum: Option<String>,
}

impl Object {
    /// `s3://bucket/key`
    pub fn url(&self) -> String {
        url(&self.bucket, &self.key)
    }

    /// What tells it from other versions of the key: the version, or the entity tag where there are none.
    pub fn version_word(&self) -> &str {
        self.version_id.as_deref().unwrap_or(self.etag.trim_matches('"'))
    }
}

/// `s3://bucket/key`
pub fn url(bucket: &str, key: &str) -> String {
    format!("s3://{bucket}/{key}")
}

/// Whether a write may replace an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Write {
    /// The newest write wins.
    Replace,
    /// Fails with [`FailureKind::Conflict`] when the key is taken.
    IfAbsent,
}

impl Write {
    pub(crate) fn if_none_match(self) -> Option<String> {
        (self == Self::IfAbsent).then(|| "*".to_owned())
    }
}

//! S3: its content and its answers.

use std::collections::BTreeMap;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::{Bytes, BytesMut};
use sha2::{Digest, Sha256};

use crate::http::{Reply, Request, decode};
use crate::{Account, services};

/// The minimum size of every part except the last.
const PART_MINIMUM_BYTES: usize = 5 << 20;

/// The prefix of headers with user metadata.
const USER_METADATA: &str = "x-amz-meta-";

/// One version of an object.
#[derive(Clone)]
pub(crate) struct Version {
    id: String,
    bytes: Bytes,
    sha256: [u8; 32],
    etag: String,
    last_modified: u64,
    metadata: BTreeMap<String, String>,
}

/// A multipart upload in progress.
#[derive(Clone)]
pub(crate) struct Under {
    bucket: String,
    key: String,
    parts: BTreeMap<u32, Part>,
    metadata: BTreeMap<String, String>,
    /// The checksum algorithm of CreateMultipartUpload, as the end of a header's name: `crc64nvme`.
    algorithm: Option<String>,
}

/// An uploaded or copied part.
#[derive(Clone)]
struct Part {
    etag: String,
    bytes: Bytes,
    /// Its value in the upload's algorithm.
    checksum: Option<String>,
    /// Whether the part was copied. The bytes of a copied part are not kept, as it may be large.
    is_copy: bool,
}

/// A part as CompleteMultipartUpload names it.
struct NamedPart {
    number: u32,
    etag: String,
    /// Algorithms, as the end of a header's name, and values.
    checksums: Vec<(String, String)>,
}

/// The identity of one version of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectVersion {
    /// `bucket/key`.
    pub place: String,
    /// The version id that S3 assigned.
    pub version_id: String,
    /// The digest of the bytes, in hexadecimal digits.
    pub sha256: String,
}

impl Account {
    /// Adds a version and returns its id.
    pub fn put(&mut self, bucket: &str, key: &str, bytes: impl Into<Bytes>) -> String {
        self.add(bucket, key, bytes.into(), None, BTreeMap::new())
    }

    /// Removes all versions of an object. This is not recorded in [`Account::done`].
    pub fn remove(&mut self, bucket: &str, key: &str) {
        self.objects.remove(&(bucket.to_owned(), key.to_owned()));
    }

    /// Returns the newest version's bytes.
    pub fn read(&self, bucket: &str, key: &str) -> Option<Vec<u8>> {
        Some(self.version(bucket, key, None)?.bytes.to_vec())
    }

    /// Lists every object as `bucket/key`, with its number of versions.
    pub fn inventory(&self) -> Vec<(String, usize)> {
        self.objects.iter().map(|((bucket, key), versions)| (format!("{bucket}/{key}"), versions.len())).collect()
    }

    /// Lists the keys of a bucket.
    pub fn keys(&self, bucket: &str) -> Vec<String> {
        self.objects.keys().filter(|(of, _)| of == bucket).map(|(_, key)| key.clone()).collect()
    }

    /// Lists every version of every object.
    pub fn versions(&self) -> Vec<ObjectVersion> {
        let mut all = Vec::new();
        for ((bucket, key), versions) in &self.objects {
            all.extend(versions.iter().map(|version| ObjectVersion {
                place: format!("{bucket}/{key}"),
                version_id: version.id.clone(),
                sha256: version.sha256.iter().map(|byte| format!("{byte:02x}")).collect(),
            }));
        }
        all
    }

    /// Lists multipart uploads that are neither complete nor aborted, as `bucket/key`.
    pub fn uploads(&self) -> Vec<String> {
        self.uploads.values().map(|under| format!("{}/{}", under.bucket, under.key)).collect()
    }

    fn version(&self, bucket: &str, key: &str, id: Option<&str>) -> Option<&Version> {
        let versions = self.objects.get(&(bucket.to_owned(), key.to_owned()))?;
        match id {
            Some(id) => versions.iter().find(|version| version.id == id),
            None => versions.last(),
        }
    }

    /// Adds a version. The entity tag of a multipart upload ends with the number of parts.
    fn add(
        &mut self,
        bucket: &str,
        key: &str,
        bytes: Bytes,
        parts: Option<usize>,
        metadata: BTreeMap<String, String>,
    ) -> String {
        let sha256: [u8; 32] = Sha256::digest(&bytes).into();
        let parts = parts.map(|parts| format!("-{parts}")).unwrap_or_default();
        let etag = etag(&sha256, &parts);
        let version = Version { id: self.next_id('v'), bytes, sha256, etag, last_modified: self.clock, metadata };
        let id = version.id.clone();
        self.objects.entry((bucket.into(), key.into())).or_default().push(version);
        id
    }

    pub(crate) fn answer(&mut self, request: &Request) -> Reply {
        if request.bucket.is_empty() {
            return self.serve(request);
        }
        match request.operation() {
            "list" => self.list(request),
            "head" | "get" => self.get(request),
            "put" => self.put_object(request),
            "copy" => self.copy(request),
            "delete" => self.delete(request),
            "create" => self.create(request),
            "part" => self.part(request),
            "complete" => self.complete(request),
            "abort" => self.abort(request),
            other => panic!("{other} {}", request.place()),
        }
    }

    fn list(&self, request: &Request) -> Reply {
        assert_eq!(request.parameter("list-type"), Some("2"), "ListObjectsV2");
        let prefix = request.parameter("prefix").unwrap_or_default();
        let after = request.parameter("continuation-token").or(request.parameter("start-after")).unwrap_or_default();
        let asked = request.parameter("max-keys").and_then(|keys| keys.parse().ok());
        let most = self.page_size.min(asked.unwrap_or(self.page_size));
        let mut found = self.objects.iter().filter(|((bucket, key), _)| {
            *bucket == request.bucket && key.starts_with(prefix) && (after.is_empty() || key.as_str() > after)
        });
        let (mut inside, mut last, mut count) = (String::new(), "", 0);
        for ((_, key), versions) in found.by_ref().take(most) {
            let Some(newest) = versions.last() else { continue };
            let time = time(newest.last_modified).format("%Y-%m-%dT%H:%M:%S.000Z");
            inside += &format!(
                "<Contents><Key>{}</Key><LastModified>{time}</LastModified><ETag>{}</ETag><Size>{}</Size></Contents>",
                escape(key),
                escape(&newest.etag),
                newest.bytes.len()
            );
            (last, count) = (key, count + 1);
        }
        let truncated = found.next().is_some();
        inside += &format!("<IsTruncated>{truncated}</IsTruncated><KeyCount>{count}</KeyCount>");
        if truncated {
            inside += &format!("<NextContinuationToken>{}</NextContinuationToken>", escape(last));
        }
        Reply::xml("ListBucketResult", &inside)
    }

    fn get(&self, request: &Request) -> Reply {
        let id = request.parameter("versionId");
        let Some(version) = self.version(&request.bucket, &request.key, id) else {
            return Reply::error(404, if id.is_some() { "NoSuchVersion" } else { "NoSuchKey" });
        };
        if request.header("if-match").is_some_and(|etag| etag != version.etag) {
            return Reply::error(412, "PreconditionFailed");
        }
        if request.header("if-none-match").is_some_and(|etag| etag == version.etag) {
            return Reply::empty(304);
        }
        let mut reply = Reply { body: version.bytes.clone(), ..Reply::empty(200) }
            .header("etag", &version.etag)
            .header("x-amz-version-id", &version.id)
            .header("last-modified", time(version.last_modified).format("%a, %d %b %Y %H:%M:%S GMT").to_string());
        for (name, value) in &version.metadata {
            reply = reply.header(name, value);
        }
        if let Some(asked) = request.header("range") {
            let length = version.bytes.len();
            let Some((start, end)) = range(asked, length) else {
                return Reply::error(416, "InvalidRange");
            };
            reply.status = 206;
            reply.body = version.bytes.slice(start..end);
            return reply.header("content-range", format!("bytes {start}-{}/{length}", end - 1));
        }
        if self.checksums && request.header("x-amz-checksum-mode") == Some("ENABLED") {
            reply = reply.header("x-amz-checksum-sha256", BASE64_STANDARD.encode(version.sha256));
        }
        reply
    }

    /// Checks the conditions of a write and returns the error if one does not hold.
    fn check_target(&self, request: &Request) -> Result<(), Reply> {
        let there = self.version(&request.bucket, &request.key, None);
        if let Some(condition) = request.header("if-none-match") {
            assert_eq!(condition, "*", "S3 takes nothing else for a write");
            if there.is_some() {
                return Err(Reply::error(412, "PreconditionFailed"));
            }
        }
        match (request.header("if-match"), there) {
            (Some(_), None) => Err(Reply::error(404, "NoSuchKey")),
            (Some(etag), Some(version)) if etag != version.etag => Err(Reply::error(412, "PreconditionFailed")),
            _ => Ok(()),
        }
    }

    fn put_object(&mut self, request: &Request) -> Reply {
        if let Err(refused) = self.check_target(request) {
            return refused;
        }
        self.done.push(request.step());
        let id = self.add(&request.bucket, &request.key, request.body.clone(), None, request.metadata());
        self.written(request, id, Reply::empty(200))
    }

    fn copy(&mut self, request: &Request) -> Reply {
        if let Err(refused) = self.check_target(request) {
            return refused;
        }
        let source = decode(request.header("x-amz-copy-source").unwrap_or_default());
        let (path, id) = match source.split_once("?versionId=") {
            Some((path, id)) => (path, Some(id)),
            None => (source.as_str(), None),
        };
        let (bucket, key) = path.trim_start_matches('/').split_once('/').expect("a bucket and a key");
        let Some(version) = self.version(bucket, key, id).cloned() else {
            return Reply::error(404, if id.is_some() { "NoSuchVersion" } else { "NoSuchKey" });
        };
        if request.header("x-amz-copy-source-if-match").is_some_and(|etag| etag != version.etag) {
            return Reply::error(412, "PreconditionFailed");
        }
        self.done.push(request.step());
        let id = self.add(&request.bucket, &request.key, version.bytes, None, version.metadata);
        let etag = self.version(&request.bucket, &request.key, Some(&id)).map_or("", |version| &version.etag);
        let inside = format!("<ETag>{}</ETag>", escape(etag));
        self.written(request, id, Reply::xml("CopyObjectResult", &inside))
    }

    fn written(&self, request: &Request, id: String, reply: Reply) -> Reply {
        let etag = self.version(&request.bucket, &request.key, Some(&id)).map_or("", |version| &version.etag);
        reply.header("etag", etag).header("x-amz-version-id", id)
    }

    fn delete(&mut self, request: &Request) -> Reply {
        let id = request.parameter("versionId").expect("exactly one version is deleted");
        self.done.push(request.step());
        let place = (request.bucket.clone(), request.key.clone());
        if let Some(versions) = self.objects.get_mut(&place) {
            versions.retain(|version| version.id != id);
            if versions.is_empty() {
                self.objects.remove(&place);
            }
        }
        Reply::empty(204)
    }

    fn create(&mut self, request: &Request) -> Reply {
        let id = self.next_id('u');
        let (bucket, key) = (request.bucket.clone(), request.key.clone());
        let algorithm = request.header("x-amz-checksum-algorithm").map(str::to_ascii_lowercase);
        let under = Under { bucket, key, parts: BTreeMap::new(), metadata: request.metadata(), algorithm };
        self.uploads.insert(id.clone(), under);
        self.done.push(request.step());
        Reply::xml("InitiateMultipartUploadResult", &format!("<UploadId>{id}</UploadId>"))
    }

    /// Accepts a part. Its checksum is ignored if the upload has no algorithm.
    fn part(&mut self, request: &Request) -> Reply {
        let number = request.parameter("partNumber").and_then(|number| number.parse().ok()).expect("a number");
        assert!((1..=10_000).contains(&number), "part {number}");
        let Some(under) = request.parameter("uploadId").and_then(|id| self.uploads.get_mut(id)) else {
            return Reply::error(404, "NoSuchUpload");
        };
        let etag = etag(&Sha256::digest(&request.body), "");
        let algorithm = under.algorithm.clone();
        if let Some(asked) = request.header("x-amz-copy-source-range") {
            let (start, end) = asked.trim_start_matches("bytes=").split_once('-').expect("a range");
            let (start, end) = (start.parse().expect("a number"), end.parse::<u64>().expect("a number") + 1);
            assert!(end - start <= 5 << 30, "a part of {} bytes", end - start);
            let checksum = algorithm.as_ref().map(|_| format!("{start}"));
            let of_copy = Part { etag: etag.clone(), bytes: Bytes::new(), checksum: checksum.clone(), is_copy: true };
            under.parts.insert(number, of_copy);
            self.copied.push(start..end);
            self.done.push(request.step());
            let mut inside = format!("<ETag>{}</ETag>", escape(&etag));
            if let (Some(algorithm), Some(checksum)) = (algorithm, checksum) {
                let name = algorithm.to_ascii_uppercase();
                inside += &format!("<Checksum{name}>{checksum}</Checksum{name}>");
            }
            return Reply::xml("CopyPartResult", &inside);
        }
        let sent = request.headers.iter().find(|(name, _)| {
            name.strip_prefix("x-amz-checksum-").is_some_and(|name| name.starts_with("crc") || name.starts_with("sha"))
        });
        let checksum = match (sent, &algorithm) {
            (Some((name, value)), Some(algorithm)) if name.ends_with(algorithm.as_str()) => Some(value.clone()),
            (Some(_), Some(_)) => return Reply::error(400, "InvalidRequest"),
            _ => None,
        };
        let bytes = request.body.clone();
        under.parts.insert(number, Part { etag: etag.clone(), bytes, checksum, is_copy: false });
        self.done.push(request.step());
        let reply = Reply::empty(200).header("etag", etag);
        match sent {
            Some((name, value)) => reply.header(name, value),
            None => reply,
        }
    }

    /// Joins the parts that the request names. A second request for the same upload gets `NoSuchUpload`.
    fn complete(&mut self, request: &Request) -> Reply {
        let id = request.parameter("uploadId").unwrap_or_default();
        let Some(under) = self.uploads.get(id) else { return Reply::error(404, "NoSuchUpload") };
        let named = named_parts(&String::from_utf8_lossy(&request.body));
        if named.is_empty() {
            return Reply::error(400, "MalformedXML");
        }
        if !named.is_sorted_by(|one, next| one.number < next.number) {
            return Reply::error(400, "InvalidPartOrder");
        }
        let mut whole = BytesMut::new();
        for (n, one) in named.iter().enumerate() {
            let Some(part) = under.parts.get(&one.number).filter(|part| part.is(one, under.algorithm.as_deref()))
            else {
                return Reply::error(400, "InvalidPart");
            };
            if n + 1 < named.len() && part.bytes.len() < PART_MINIMUM_BYTES && !part.is_copy {
                return Reply::error(400, "EntityTooSmall");
            }
            whole.extend_from_slice(&part.bytes);
        }
        if let Err(refused) = self.check_target(request) {
            return refused;
        }
        let metadata = under.metadata.clone();
        self.uploads.remove(id);
        self.done.push(request.step());
        let id = self.add(&request.bucket, &request.key, whole.freeze(), Some(named.len()), metadata);
        let etag = self.version(&request.bucket, &request.key, Some(&id)).map_or("", |version| &version.etag);
        let inside = format!("<ETag>{}</ETag>", escape(etag));
        Reply::xml("CompleteMultipartUploadResult", &inside).header("x-amz-version-id", id)
    }

    fn abort(&mut self, request: &Request) -> Reply {
        if self.uploads.remove(request.parameter("uploadId").unwrap_or_default()).is_none() {
            return Reply::error(404, "NoSuchUpload");
        }
        self.done.push(request.step());
        Reply::empty(204)
    }
}

impl Part {
    /// Whether it is the named part by S3's rules: a checksum matches only in the upload's algorithm.
    /// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompletedPart.html>
    fn is(&self, named: &NamedPart, algorithm: Option<&str>) -> bool {
        self.etag == named.etag
            && named
                .checksums
                .iter()
                .all(|(of, value)| algorithm == Some(of.as_str()) && self.checksum.as_deref() == Some(value.as_str()))
    }
}

impl Request {
    fn operation(&self) -> &'static str {
        let upload = self.query.contains_key("uploadId");
        match self.method.as_str() {
            "GET" if self.key.is_empty() => "list",
            "GET" => "get",
            "HEAD" => "head",
            "PUT" if upload => "part",
            "PUT" if self.headers.contains_key("x-amz-copy-source") => "copy",
            "PUT" => "put",
            "POST" if upload => "complete",
            "POST" if self.query.contains_key("uploads") => "create",
            "DELETE" if upload => "abort",
            "DELETE" => "delete",
            _ => "unknown",
        }
    }

    fn place(&self) -> String {
        let key = if self.key.is_empty() { self.parameter("prefix").unwrap_or_default() } else { &self.key };
        format!("{}/{key}", self.bucket)
    }

    /// Returns the request's step, by which tests name it.
    pub(crate) fn step(&self) -> String {
        if self.bucket.is_empty() {
            return services::step(self);
        }
        format!("{} {}", self.operation(), self.place())
    }

    fn metadata(&self) -> BTreeMap<String, String> {
        let own = self.headers.iter().filter(|(name, _)| name.starts_with(USER_METADATA));
        own.map(|(name, value)| (name.clone(), value.clone())).collect()
    }
}

/// Returns the bytes of a `Range` header that exist.
fn range(asked: &str, length: usize) -> Option<(usize, usize)> {
    let (start, end) = asked.strip_prefix("bytes=")?.split_once('-')?;
    let (start, end) = match (start.parse::<usize>().ok(), end.parse::<usize>().ok()) {
        (Some(start), end) => (start, end.map_or(length, |end| (end + 1).min(length))),
        (None, Some(last)) => (length.saturating_sub(last), length),
        (None, None) => return None,
    };
    (start < end).then_some((start, end))
}

/// Reads the parts of a CompleteMultipartUpload.
fn named_parts(xml: &str) -> Vec<NamedPart> {
    let inside = |part: &str, tag: &str| {
        let (_, rest) = part.split_once(&format!("<{tag}>"))?;
        Some(rest.split_once('<')?.0.replace("&quot;", "\""))
    };
    let checksums = |part: &str| {
        let tags = part.split("<Checksum").skip(1).filter_map(|rest| rest.split_once('>'));
        tags.filter_map(|(tag, rest)| Some((tag.to_ascii_lowercase(), rest.split_once('<')?.0.to_owned()))).collect()
    };
    let part = |part: &str| {
        let number = inside(part, "PartNumber")?.parse().ok()?;
        Some(NamedPart { number, etag: inside(part, "ETag")?, checksums: checksums(part) })
    };
    xml.split("<Part>").skip(1).filter_map(part).collect()
}

/// Formats an entity tag, which has 16 bytes like those of S3.
fn etag(digest: &[u8], parts: &str) -> String {
    let digits: String = digest[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("\"{digits}{parts}\"")
}

fn time(seconds: u64) -> chrono::DateTime<chrono::Utc> {
    chrono::DateTime::from_timestamp(seconds as i64, 0).unwrap_or_default()
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

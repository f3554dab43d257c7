//! The client of S3.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_s3::Client;
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::operation::get_object::builders::GetObjectFluentBuilder;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::ChecksumMode;
use bytes::Bytes;
use contract::{Failure, FailureKind};
use serde::de::DeserializeOwned;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

use crate::object::{Object, Write, url};
use crate::upload::{PARTS_AT_ONCE, Upload};
use crate::write_token::WriteToken;

/// S3, reduced to the operations that the pipeline needs.
#[derive(Clone, Debug)]
pub struct Store {
    pub(crate) client: Client,
    /// One permit for each part in flight.
    sending: Arc<Semaphore>,
}

/// The read buffer for streamed JSON.
const JSON_BUFFER_BYTES: usize = 256 << 10;

/// The number of attempts at an operation that S3 answers with 409, because a concurrent one came first.
const CONFLICT_ATTEMPTS: u32 = 5;

impl Store {
    /// Creates a client from the configuration that all clients share. A custom endpoint is addressed by path, because
    /// `bucket.127.0.0.1` is not a host.
    pub fn new(config: &SdkConfig) -> Self {
        let s3 = aws_sdk_s3::config::Builder::from(config).force_path_style(config.endpoint_url().is_some()).build();
        Self { client: Client::from_conf(s3), sending: Arc::new(Semaphore::new(PARTS_AT_ONCE)) }
    }

    /// Returns the description of an object, or of one of its versions. Returns `None` if it does not exist.
    ///
    /// # Errors
    /// Fails if S3 refuses the request or does not answer. The failure names the object.
    pub async fn head(&self, bucket: &str, key: &str, version_id: Option<&str>) -> Result<Option<Object>, Failure> {
        let answer = self
            .client
            .head_object()
            .bucket(bucket)
            .key(key)
            .set_version_id(version_id.map(str::to_owned))
            .checksum_mode(ChecksumMode::Enabled)
            .send()
            .await;
        match answer {
            Ok(head) => {
                let sums = [
                    ("crc64nvme", head.checksum_crc64_nvme()),
                    ("sha256", head.checksum_sha256()),
                    ("crc32", head.checksum_crc32()),
                    ("crc32c", head.checksum_crc32_c()),
                    ("sha1", head.checksum_sha1()),
                ];
                Ok(Some(Object {
                    bucket: bucket.into(),
                    key: key.into(),
                    version_id: version(head.version_id()),
                    etag: head.e_tag().unwrap_or_default().to_owned(),
                    bytes: head.content_length().unwrap_or(0).max(0) as u64,
                    last_modified: head.last_modified().map_or(0, |time| time.secs().max(0) as u64),
                    checksum: checksum(sums),
                }))
            }
            Err(error) => match boot::aws::failure(&error) {
                failure if failure.kind == FailureKind::NotFound => Ok(None),
                // a request for the version of a delete marker is answered with 405
                _ if error.raw_response().is_some_and(|r| r.status().as_u16() == 405) => Ok(None),
                failure => Err(failure.context(format!("reading the head of {}", url(bucket, key)))),
            },
        }
    }

    /// Lists all objects under a prefix, sorted by key. The prefix of a folder must end with `/`.
    ///
    /// # Errors
    /// Fails if S3 refuses the request or does not answer. The failure names the object.
    pub async fn list(&self, bucket: &str, prefix: &str) -> Result<Vec<Object>, Failure> {
        let mut objects = Vec::new();
        self.visit(bucket, prefix, |object| objects.push(object)).await?;
        Ok(objects)
    }

    /// Like [`Store::list`], but passes each object to `visit`, so only one page of a thousand objects is in memory.
    ///
    /// # Errors
    /// Fails if S3 refuses the request or does not answer. The failure names the object.
    pub async fn visit(&self, bucket: &str, prefix: &str, mut visit: impl FnMut(Object)) -> Result<(), Failure> {
        let mut pages = self.client.list_objects_v2().bucket(bucket).prefix(prefix).into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|e| boot::aws::failure(&e).context(format!("listing {}", url(bucket, prefix))))?;
            page.contents().iter().for_each(|object| {
                visit(Object {
                    bucket: bucket.into(),
                    key: object.key().unwrap_or_default().to_owned(),
                    version_id: None,
                    etag: object.e_tag().unwrap_or_default().to_owned(),
                    bytes: object.size().unwrap_or(0).max(0) as u64,
                    last_modified: object.last_modified().map_or(0, |time| time.secs().max(0) as u64),
                    checksum: None,
                });
            });
        }
        Ok(())
    }

    /// Returns the bytes of exactly this version. Fails with [`FailureKind::Conflict`] if the key has other bytes by
    /// now.
    ///
    /// # Errors
    /// Fails if S3 refuses the request or does not answer. The failure names the object.
    pub async fn read(&self, object: &Object) -> Result<ByteStream, Failure> {
        Ok(self.open(object).await?.1)
    }

    /// Like [`Store::read`], and also returns the object with its version and checksum. A listing does not contain
    /// these.
    ///
    /// # Errors
    /// Fails if S3 refuses the request or does not answer. The failure names the object.
    pub async fn open(&self, object: &Object) -> Result<(Object, ByteStream), Failure> {
        let answer = self.get(object).checksum_mode(ChecksumMode::Enabled).send().await;
        match answer {
            Ok(found) => {
                let sums = [
                    ("crc64nvme", found.checksum_crc64_nvme()),
                    ("sha256", found.checksum_sha256()),
                    ("crc32", found.checksum_crc32()),
                    ("crc32c", found.checksum_crc32_c()),
                    ("sha1", found.checksum_sha1()),
                ];
                let opened =
                    Object { version_id: version(found.version_id()), checksum: checksum(sums), ..object.clone() };
                Ok((opened, found.body))
            }
            Err(error) => Err(boot::aws::failure(&error).context(format!("reading {}", object.url()))),
        }
    }

    /// Returns a blocking function that fetches a byte range of exactly this version, given an offset and a length
    /// within the object. It is for decoders that run beside the async runtime (`tokio::task::spawn_blocking`). Call
    /// this method inside the runtime that is to carry out the requests.
    pub fn ranges(&self, object: &Object) -> impl Fn(u64, usize) -> io::Result<Bytes> + Send + Sync + 'static + use<> {
        let (store, object, runtime) = (self.clone(), object.clone(), Handle::current());
        move |offset, length| {
            runtime.block_on(store.read_range(&object, offset, length)).map_err(|f| io::Error::other(f.to_string()))
        }
    }

    async fn read_range(&self, object: &Object, offset: u64, length: usize) -> Result<Bytes, Failure> {
        if length == 0 {
            return Ok(Bytes::new());
        }
        let end = offset + length as u64 - 1;
        let answer = self.get(object).range(format!("bytes={offset}-{end}")).send().await;
        let doing = || format!("reading bytes {offset} to {end} of {}", object.url());
        let found = answer.map_err(|error| boot::aws::failure(&error).context(doing()))?;
        let body = found.body.collect().await.map_err(|error| Failure::unavailable(error).context(doing()))?;
        Ok(body.into_bytes())
    }

    /// Builds a request for exactly this version.
    fn get(&self, object: &Object) -> GetObjectFluentBuilder {
        let get = self.client.get_object().bucket(&object.bucket).key(&object.key);
        get.set_version_id(object.version_id.clone()).if_match(&object.etag)
    }

    /// Reads a small object into memory. Returns `None` if it does not exist.
    ///
    /// # Errors
    /// Fails if S3 refuses the request or does not answer. The failure names the object.
    pub async fn read_whole(&self, bucket: &str, key: &str) -> Result<Option<Vec<u8>>, Failure> {
        Ok(self.read_tagged(bucket, key).await?.map(|(body, _)| body))
    }

    /// Parses a JSON object while it is streamed, so fields that `T` lacks take no memory. Returns `None` if the object
    /// does not exist. Fails with [`FailureKind::BadInput`] if it cannot be read as `what`.
    ///
    /// # Errors
    /// Fails if S3 refuses the request or does not answer. The failure names the object.
    pub async fn read_json<T: DeserializeOwned + Send + 'static>(
        &self,
        bucket: &str,
        key: &str,
        what: &str,
    ) -> Result<Option<T>, Failure> {
        let url = url(bucket, key);
        let Some(found) = self.newest(bucket, key).await? else { return Ok(None) };
        let reader = io::BufReader::with_capacity(JSON_BUFFER_BYTES, blocking_reader(found.body));
        let read = tokio::task::spawn_blocking(move || serde_json::from_reader(reader)).await;
        match read.map_err(Failure::internal)? {
            Ok(value) => Ok(Some(value)),
            Err(error) if error.is_io() => Err(Failure::unavailable(error).context(format!("reading {url}"))),
            Err(error) => Err(Failure::bad_input(format!("{url} cannot be read as {what}: {error}"))),
        }
    }

    /// Like [`Store::read_whole`], and also returns the entity tag, for [`Store::put_over`].
    ///
    /// # Errors
    /// Fails if S3 refuses the request or does not answer. The failure names the object.
    pub async fn read_tagged(&self, bucket: &str, key: &str) -> Result<Option<(Vec<u8>, String)>, Failure> {
        let Some(found) = self.newest(bucket, key).await? else { return Ok(None) };
        let etag = found.e_tag().unwrap_or_default().to_owned();
        let doing = || format!("reading {}", url(bucket, key));
        let body = found.body.collect().await.map_err(|error| Failure::unavailable(error).context(doing()))?;
        Ok(Some((body.to_vec(), etag)))
    }

    /// Opens the current version under a key, without reading its body. Returns `None` if there is none.
    async fn newest(&self, bucket: &str, key: &str) -> Result<Option<GetObjectOutput>, Failure> {
        match self.client.get_object().bucket(bucket).key(key).send().await {
            Ok(found) => Ok(Some(found)),
            Err(error) => match boot::aws::failure(&error) {
                failure if failure.kind == FailureKind::NotFound => Ok(None),
                failure => Err(failure.context(format!("reading {}", url(bucket, key)))),
            },
        }
    }

    /// Writes a small object.
    ///
    /// # Errors
    /// Fails if S3 refuses the request or does not answer. The failure names the object. It is
    /// [`FailureKind::Conflict`] if the key is taken and `write` is [`Write::IfAbsent`].
    pub async fn put(
        &self,
        bucket: &str,
        key: &str,
        body: Vec<u8>,
        content_type: &str,
        write: Write,
    ) -> Result<(), Failure> {
        self.put_where(bucket, key, body, content_type, (write.if_none_match(), None)).await.map(drop)
    }

    /// Writes a small object, on condition that the key still has the entity tag `before`, or still has no object.
    /// Returns the new entity tag. Fails with [`FailureKind::Conflict`] if another write came first.
    ///
    /// # Errors
    /// Fails if S3 refuses the request or does not answer. The failure names the object.
    ///
    /// Changes an object only if nobody else has changed it meanwhile:
    ///
    /// ```no_run
    /// # async fn example(store: store::Store) -> Result<(), contract::Failure> {
    /// let read = store.read_tagged("curated", "_publications/current.json").await?;
    /// let (body, etag) = read.map_or((b"{}".to_vec(), None), |(body, etag)| (body, Some(etag)));
    /// store.put_over("curated", "_publications/current.json", body, "application/json", etag.as_deref()).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn put_over(
        &self,
        bucket: &str,
        key: &str,
        body: Vec<u8>,
        content_type: &str,
        before: Option<&str>,
    ) -> Result<String, Failure> {
        let conditions = match before {
            Some(etag) => (None, Some(etag.to_owned())),
            None => (Write::IfAbsent.if_none_match(), None),
        };
        let written = self.put_where(bucket, key, body, content_type, conditions).await;
        // S3's answer to `If-Match` if the object is gone
        written.map_err(|failure| match failure.kind {
            FailureKind::NotFound if before.is_some() => Failure { kind: FailureKind::Conflict, ..failure },
            _ => failure,
        })
    }

    /// Writes under the conditions `If-None-Match` and `If-Match`, and returns the new entity tag.
    async fn put_where(
        &self,
        bucket: &str,
        key: &str,
        body: Vec<u8>,
        content_type: &str,
        (if_none_match, if_match): (Option<String>, Option<String>),
    ) -> Result<String, Failure> {
        let (body, token) = (Bytes::from(body), WriteToken::new());
        let written = self
            .repeat_conflicts(|| {
                let put = self.client.put_object().bucket(bucket).key(key).content_type(content_type);
                let put = put.metadata(WriteToken::NAME, token.word()).set_if_none_match(if_none_match.clone());
                put.set_if_match(if_match.clone()).body(body.clone().into()).send()
            })
            .await;
        match written.map_err(|failure| failure.context(format!("writing {}", url(bucket, key)))) {
            Ok(written) => Ok(written.e_tag().unwrap_or_default().to_owned()),
            Err(refused) => token.settle(&self.client, bucket, key, refused).await,
        }
    }

    /// Begins a streaming write. Nothing is visible under the key before [`Upload::finish`].
    pub fn upload(&self, bucket: &str, key: &str, content_type: &str) -> Upload {
        Upload::new(self.client.clone(), Arc::clone(&self.sending), bucket, key, content_type)
    }

    /// Returns whether the object under a key comes from the same write as `object`. A copy does, because it keeps the
    /// write token. Returns `None` if there is no object under the key.
    ///
    /// # Errors
    /// Fails if S3 refuses the request or does not answer. The failure names the object.
    pub async fn is_same_write(&self, object: &Object, bucket: &str, key: &str) -> Result<Option<bool>, Failure> {
        let Some(there) = WriteToken::of(&self.client, bucket, key).await? else { return Ok(None) };
        let ours = WriteToken::of(&self.client, &object.bucket, &object.key).await?;
        Ok(Some(there.is_some() && ours == Some(there)))
    }

    /// Deletes exactly this version, and succeeds if it is already gone. Later versions of the key stay.
    ///
    /// # Errors
    /// Fails if S3 refuses the request or does not answer. The failure names the object.
    pub async fn delete(&self, object: &Object) -> Result<(), Failure> {
        let delete = self.client.delete_object().bucket(&object.bucket).key(&object.key);
        let delete = match &object.version_id {
            Some(version) => delete.version_id(version),
            None => delete.if_match(&object.etag),
        };
        match delete.send().await {
            Ok(_) => Ok(()),
            Err(error) => match boot::aws::failure(&error) {
                failure if matches!(failure.kind, FailureKind::NotFound) => Ok(()),
                failure => Err(failure.context(format!("deleting {}", object.url()))),
            },
        }
    }

    /// Repeats a request that S3 answers with 409: two writes of a key overlapped, and this one lost. 412 is final.
    pub(crate) async fn repeat_conflicts<T, E, Sent>(&self, send: impl Fn() -> Sent) -> Result<T, Failure>
    where
        E: aws_sdk_s3::error::ProvideErrorMetadata + std::error::Error + 'static,
        Sent: Future<Output = Result<T, aws_sdk_s3::error::SdkError<E>>>,
    {
        let mut attempt = 1;
        loop {
            match send().await {
                Ok(answer) => return Ok(answer),
                Err(error) => {
                    let crossed = error.raw_response().is_some_and(|response| response.status().as_u16() == 409);
                    if !crossed || attempt == CONFLICT_ATTEMPTS {
                        return Err(boot::aws::failure(&error));
                    }
                }
            }
            tokio::time::sleep(Duration::from_millis(100 << attempt)).await;
            attempt += 1;
        }
    }
}

/// Returns a blocking reader of an object's bytes, for decoders that run beside the async runtime
/// (`tokio::task::spawn_blocking`).
pub fn blocking_reader(body: ByteStream) -> impl std::io::Read + Send + 'static {
    tokio_util::io::SyncIoBridge::new(body.into_async_read())
}

/// Without versioning, S3 reports the version `null`.
fn version(id: Option<&str>) -> Option<String> {
    id.filter(|id| *id != "null").map(str::to_owned)
}

fn checksum(sums: [(&str, Option<&str>); 5]) -> Option<String> {
    sums.into_iter().find_map(|(name, sum)| Some(format!("{name}:{}", sum?)))
}

//! A streaming write: parts are sent in the background while bytes arrive.

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_sdk_s3::Client;
use aws_sdk_s3::types::{ChecksumAlgorithm, ChecksumType, CompletedMultipartUpload, CompletedPart};
use contract::{Failure, FailureKind};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::object::{Write, url};
use crate::patience::patient;
use crate::write_token::WriteToken;

/// The size of a part. S3 accepts at most 10,000 parts, which limits an object to 78 GiB.
pub const PART_BYTES: usize = 8 << 20;

/// The parts in flight at once, over all writes of a [`Store`](crate::Store). Each write also holds the part that it is
/// filling. So one write holds five parts in memory, and each further write one more.
pub const PARTS_AT_ONCE: usize = 4;

/// The checksum of a multipart upload. It covers the whole object, so it does not depend on how the object is split. S3
/// accepts the checksums of parts on completion only if the upload was created with the algorithm.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html>
const CHECKSUM: ChecksumAlgorithm = ChecksumAlgorithm::Crc64Nvme;

/// A write in progress. Up to one part is sent as a single request, more than that as a multipart upload. Dropping the
/// write aborts it in the background, unless the runtime is gone.
#[derive(Debug)]
pub struct Upload {
    client: Client,
    sending: Arc<Semaphore>,
    bucket: String,
    key: String,
    content_type: String,
    token: WriteToken,
    buffer: Vec<u8>,
    bytes: u64,
    multipart: Option<Multipart>,
    /// The failure of every later call: bytes are missing.
    failed: Option<Failure>,
}

#[derive(Debug)]
struct Multipart {
    id: String,
    /// The number of the last part that was started.
    begun: i32,
    under_way: JoinSet<Result<CompletedPart, Failure>>,
    /// By part number, since parts may finish in any order.
    sent: BTreeMap<i32, CompletedPart>,
}

/// The object that a finished write created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uploaded {
    /// Size of the object.
    pub bytes: u64,
    /// Entity tag, including its quotes.
    pub etag: String,
}

impl Upload {
    pub(crate) fn new(client: Client, sending: Arc<Semaphore>, bucket: &str, key: &str, content_type: &str) -> Self {
        Self {
            client,
            sending,
            bucket: bucket.into(),
            key: key.into(),
            content_type: content_type.into(),
            token: WriteToken::new(),
            buffer: Vec::new(),
            bytes: 0,
            multipart: None,
            failed: None,
        }
    }

    /// The object key.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Bytes accepted so far.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Adds bytes. A full part is sent in the background. This waits only if [`PARTS_AT_ONCE`] parts are already in
    /// flight. If a part cannot be sent, the next call and all calls after it fail.
    ///
    /// # Errors
    /// Fails if a part could not be sent. The upload is then lost.
    pub async fn write(&mut self, mut bytes: &[u8]) -> Result<(), Failure> {
        self.check()?;
        self.bytes += bytes.len() as u64;
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(PART_BYTES - self.buffer.len()));
            self.buffer.extend_from_slice(now);
            bytes = later;
            if self.buffer.len() == PART_BYTES {
                self.send_part().await?;
            }
        }
        Ok(())
    }

    /// Sends the buffered bytes as the last part, however few they are, and waits for all parts. A sealed write holds
    /// no bytes, so many of them can wait to be finished together. Only [`Upload::finish`] or [`Upload::abandon`] may
    /// follow.
    ///
    /// # Errors
    /// Fails if a part could not be sent. The upload is then lost.
    pub async fn seal(&mut self) -> Result<(), Failure> {
        self.check()?;
        if !self.buffer.is_empty() || self.multipart.is_none() {
            self.send_part().await?;
        }
        while let Some(multipart) = &mut self.multipart
            && let Some(part) = multipart.under_way.join_next().await
        {
            self.sent(part.map_err(Failure::internal).flatten())?;
        }
        Ok(())
    }

    /// Makes the whole object visible. If that fails, the write is abandoned.
    ///
    /// # Errors
    /// Fails if a part could not be sent, or the object cannot be completed. Fails with [`FailureKind::Conflict`] if
    /// the key is taken and `write` is [`Write::IfAbsent`].
    ///
    /// ```no_run
    /// # async fn example(store: store::Store) -> Result<(), contract::Failure> {
    /// let mut upload = store.upload("land", "orders/orders.jsonl.gz", "application/gzip");
    /// upload.write(b"...").await?;
    /// // until here nothing is visible under the key
    /// upload.finish(store::Write::IfAbsent).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn finish(mut self, write: Write) -> Result<Uploaded, Failure> {
        let finished = match (&self.failed, &self.multipart) {
            (None, None) => self.put(write).await,
            _ => self.complete(write).await,
        };
        match finished {
            Ok(etag) => {
                self.multipart = None;
                Ok(Uploaded { bytes: self.bytes, etag })
            }
            Err(failure) => {
                self.abandon().await;
                Err(failure)
            }
        }
    }

    /// Gives up the write: nothing becomes visible, and S3 keeps no parts. If the process dies before that, the
    /// bucket's lifecycle rule removes the parts.
    pub async fn abandon(mut self) {
        if let Some(stopped) = self.stop() {
            stopped.await;
        }
    }

    /// Collects finished parts, and fails if one could not be sent.
    fn check(&mut self) -> Result<(), Failure> {
        while let Some(multipart) = &mut self.multipart
            && let Some(part) = multipart.under_way.try_join_next()
        {
            self.sent(part.map_err(Failure::internal).flatten())?;
        }
        self.failed.clone().map_or(Ok(()), Err)
    }

    /// Records a part that was sent. If it could not be sent, cancels the others too.
    fn sent(&mut self, part: Result<CompletedPart, Failure>) -> Result<(), Failure> {
        match (part, &mut self.multipart) {
            (Ok(part), Some(multipart)) => {
                multipart.sent.insert(part.part_number().unwrap_or_default(), part);
                Ok(())
            }
            (Ok(_), None) => Ok(()),
            (Err(failure), _) => Err(self.fail(failure)),
        }
    }

    fn fail(&mut self, failure: Failure) -> Failure {
        if let Some(multipart) = &mut self.multipart {
            multipart.under_way.abort_all();
        }
        self.failed.get_or_insert(self.context(failure)).clone()
    }

    /// Starts to send the buffered bytes. The buffer is taken after the last await point, so a cancelled call loses
    /// nothing.
    async fn send_part(&mut self) -> Result<(), Failure> {
        if self.multipart.is_none() {
            let create = self.client.create_multipart_upload().bucket(&self.bucket).key(&self.key);
            let create = create.content_type(&self.content_type).metadata(WriteToken::NAME, self.token.word());
            let create = create.checksum_algorithm(CHECKSUM).checksum_type(ChecksumType::FullObject);
            match create.send().await {
                Ok(created) => {
                    self.multipart = Some(Multipart {
                        id: created.upload_id().unwrap_or_default().to_owned(),
                        begun: 0,
                        under_way: JoinSet::new(),
                        sent: BTreeMap::new(),
                    });
                }
                Err(error) => return Err(self.fail(boot::aws::failure(&error))),
            }
        }
        let turn = Arc::clone(&self.sending).acquire_owned().await.map_err(Failure::internal)?;
        let Some(multipart) = &mut self.multipart else { return Ok(()) };
        multipart.begun += 1;
        let number = multipart.begun;
        let part = bytes::Bytes::from(std::mem::take(&mut self.buffer));
        let upload = self.client.upload_part().bucket(&self.bucket).key(&self.key).upload_id(&multipart.id);
        let upload = upload.part_number(number).checksum_algorithm(CHECKSUM).body(part.into());
        multipart.under_way.spawn(async move {
            let sent = upload.send().await;
            drop(turn);
            let sent = sent.map_err(|error| boot::aws::failure(&error))?;
            let part = CompletedPart::builder().part_number(number).set_e_tag(sent.e_tag().map(str::to_owned));
            Ok(part.set_checksum_crc64_nvme(sent.checksum_crc64_nvme().map(str::to_owned)).build())
        });
        Ok(())
    }

    /// Completes the upload and returns the object's entity tag.
    async fn complete(&mut self, write: Write) -> Result<String, Failure> {
        self.seal().await?;
        let Some(multipart) = &self.multipart else { return self.put(write).await };
        let parts = multipart.sent.values().cloned().collect();
        let completed = self
            .client
            .complete_multipart_upload()
            .bucket(&self.bucket)
            .key(&self.key)
            .upload_id(&multipart.id)
            .multipart_upload(CompletedMultipartUpload::builder().set_parts(Some(parts)).build())
            .checksum_type(ChecksumType::FullObject)
            .set_if_none_match(write.if_none_match())
            .customize()
            .config_override(patient())
            .send()
            .await;
        match completed {
            Ok(done) => Ok(done.e_tag().unwrap_or_default().to_owned()),
            Err(error) => self.settle(boot::aws::failure(&error)).await,
        }
    }

    /// Writes the object with a single request and returns its entity tag.
    async fn put(&mut self, write: Write) -> Result<String, Failure> {
        let put = self.client.put_object().bucket(&self.bucket).key(&self.key).content_type(&self.content_type);
        let put = put.metadata(WriteToken::NAME, self.token.word()).set_if_none_match(write.if_none_match());
        let body = bytes::Bytes::from(std::mem::take(&mut self.buffer));
        match put.body(body.into()).send().await {
            Ok(done) => Ok(done.e_tag().unwrap_or_default().to_owned()),
            Err(error) => self.settle(boot::aws::failure(&error)).await,
        }
    }

    async fn settle(&self, refused: Failure) -> Result<String, Failure> {
        self.token.settle(&self.client, &self.bucket, &self.key, self.context(refused)).await
    }

    /// Takes the multipart upload, if there is one, and returns a future that cancels its parts and aborts it.
    fn stop(&mut self) -> Option<impl Future<Output = ()> + Send + 'static + use<>> {
        let mut multipart = self.multipart.take()?;
        let abort = self.client.abort_multipart_upload().bucket(&self.bucket).key(&self.key).upload_id(multipart.id);
        let key = self.key.clone();
        Some(async move {
            // a part that arrives after the abort would be kept
            multipart.under_way.shutdown().await;
            match abort.send().await.map_err(|error| boot::aws::failure(&error)) {
                Err(error) if error.kind != FailureKind::NotFound => {
                    tracing::warn!(key, %error, "upload not aborted, left to the lifecycle rule");
                }
                _ => {}
            }
        })
    }

    fn context(&self, failure: Failure) -> Failure {
        failure.context(format!("writing {}", url(&self.bucket, &self.key)))
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if let Ok(runtime) = Handle::try_current()
            && let Some(stopped) = self.stop()
        {
            runtime.spawn(stopped);
        }
    }
}

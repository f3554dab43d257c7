//! A streaming write: parts go out while bytes come in, and memory holds one part.

use aws_sdk_s3::Client;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use contract::Failure;

use crate::{Write, url};

/// The size of a part. 10,000 parts are the most that S3 takes: 78 GiB an object.
pub const PART_BYTES: usize = 8 << 20;

/// A write under way. One part or less goes up as a single request, more as a multipart upload.
#[derive(Debug)]
pub struct Upload {
    client: Client,
    bucket: String,
    key: String,
    content_type: String,
    buffer: Vec<u8>,
    bytes: u64,
    multipart: Option<Multipart>,
}

#[derive(Debug)]
struct Multipart {
    id: String,
    parts: Vec<CompletedPart>,
}

/// What a finished write left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uploaded {
    /// Size of the object.
    pub bytes: u64,
    /// Its entity tag with quotes.
    pub etag: String,
}

impl Upload {
    pub(crate) fn new(client: Client, bucket: &str, key: &str, content_type: &str) -> Self {
        Self {
            client,
            bucket: bucket.into(),
            key: key.into(),
            content_type: content_type.into(),
            buffer: Vec::new(),
            bytes: 0,
            multipart: None,
        }
    }

    /// The object key.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Bytes given so far.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Adds bytes, and sends every part that is full.
    pub async fn write(&mut self, mut bytes: &[u8]) -> Result<(), Failure> {
        self.bytes += bytes.len() as u64;
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(PART_BYTES - self.buffer.len()));
            self.buffer.extend_from_slice(now);
            bytes = later;
            if self.buffer.len() == PART_BYTES {
                let part = std::mem::replace(&mut self.buffer, Vec::with_capacity(PART_BYTES));
                self.send_part(part).await?;
            }
        }
        Ok(())
    }

    /// Sends what is buffered as the last part, even if the object is smaller than a part: a sealed write holds no
    /// bytes, so that many can wait to be finished together. Only [`Upload::finish`] or [`Upload::abandon`] may follow.
    pub async fn seal(&mut self) -> Result<(), Failure> {
        if self.buffer.is_empty() && self.multipart.is_some() {
            return Ok(());
        }
        let part = std::mem::take(&mut self.buffer);
        self.send_part(part).await
    }

    /// Makes the object visible, whole. A write that cannot be finished is abandoned.
    pub async fn finish(mut self, write: Write) -> Result<Uploaded, Failure> {
        if self.multipart.is_none() {
            return self.put(write).await;
        }
        if let Err(failure) = self.seal().await {
            self.abandon().await;
            return Err(failure);
        }
        let Some(multipart) = self.multipart.take() else { return self.put(write).await };
        let parts = CompletedMultipartUpload::builder().set_parts(Some(multipart.parts)).build();
        let completed = self
            .client
            .complete_multipart_upload()
            .bucket(&self.bucket)
            .key(&self.key)
            .upload_id(&multipart.id)
            .multipart_upload(parts)
            .set_if_none_match(write.if_none_match())
            .send()
            .await;
        match completed {
            Ok(done) => Ok(Uploaded { bytes: self.bytes, etag: done.e_tag().unwrap_or_default().to_owned() }),
            Err(error) => {
                let failure = self.context(boot::aws::failure(&error));
                self.multipart = Some(Multipart { id: multipart.id, parts: Vec::new() });
                self.abandon().await;
                Err(failure)
            }
        }
    }

    /// Gives the write up: nothing becomes visible, and S3 keeps no parts. An upload that is not even abandoned (the
    /// process died) goes by the bucket's lifecycle rule.
    pub async fn abandon(self) {
        let Some(multipart) = self.multipart else { return };
        let abort = self.client.abort_multipart_upload().bucket(&self.bucket).key(&self.key).upload_id(multipart.id);
        if let Err(error) = abort.send().await {
            let error = boot::aws::failure(&error);
            tracing::warn!(key = self.key, %error, "upload not aborted, left to the lifecycle rule");
        }
    }

    async fn put(self, write: Write) -> Result<Uploaded, Failure> {
        let put = self.client.put_object().bucket(&self.bucket).key(&self.key).content_type(&self.content_type);
        let body = bytes::Bytes::from(self.buffer);
        let answer = put.set_if_none_match(write.if_none_match()).body(body.into()).send().await;
        match answer {
            Ok(done) => Ok(Uploaded { bytes: self.bytes, etag: done.e_tag().unwrap_or_default().to_owned() }),
            Err(error) => {
                let doing = format!("writing {}", url(&self.bucket, &self.key));
                Err(boot::aws::failure(&error).context(doing))
            }
        }
    }

    async fn send_part(&mut self, part: Vec<u8>) -> Result<(), Failure> {
        if self.multipart.is_none() {
            let create = self.client.create_multipart_upload().bucket(&self.bucket).key(&self.key);
            let created = create.content_type(&self.content_type).send().await;
            let created = created.map_err(|error| self.context(boot::aws::failure(&error)))?;
            self.multipart =
                Some(Multipart { id: created.upload_id().unwrap_or_default().to_owned(), parts: Vec::new() });
        }
        let Some(multipart) = &mut self.multipart else { return Ok(()) };
        let number = multipart.parts.len() as i32 + 1;
        let upload = self.client.upload_part().bucket(&self.bucket).key(&self.key).upload_id(&multipart.id);
        match upload.part_number(number).body(bytes::Bytes::from(part).into()).send().await {
            Ok(sent) => {
                let part = CompletedPart::builder().part_number(number).set_e_tag(sent.e_tag().map(str::to_owned));
                let part = part
                    .set_checksum_crc32(sent.checksum_crc32().map(str::to_owned))
                    .set_checksum_crc64_nvme(sent.checksum_crc64_nvme().map(str::to_owned));
                multipart.parts.push(part.build());
                Ok(())
            }
            Err(error) => Err(self.context(boot::aws::failure(&error))),
        }
    }

    fn context(&self, failure: Failure) -> Failure {
        failure.context(format!("writing {}", url(&self.bucket, &self.key)))
    }
}

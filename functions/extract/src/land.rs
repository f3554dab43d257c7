//! Landing: rows become compressed objects in land, all at once or not at all.
//!
//! A small extract is one object, `<table>_<time>.jsonl.gz`, sent as a single request when the last row is in. A larger
//! one goes up in parts while rows come in, so memory holds a few parts and not the extract. An upload in parts has its key
//! from the start, when nobody knows whether a second file will be needed; so whatever does not fit in one part is
//! numbered, `<table>_0_<time>.jsonl.gz` and on, even if one file turns out to be all.
//!
//! Uploads are finished only after the last row, chunk 0 last of all. S3 shows no object before its upload is
//! finished; so the presence of the plain file or of chunk 0 means that the whole extract is there, and nothing else does.
//! What a process leaves that dies while it finishes (some chunks, not chunk 0) is overwritten by the retry.

use std::io::Write as _;

use contract::message::ExtractedFile;
use contract::{DataKey, Failure, key};
use flate2::write::GzEncoder;
use flate2::{Compression, GzBuilder};
use store::{Object, PART_BYTES, Store, Upload, Write};

const EXTENSION: &str = "jsonl.gz";
const CONTENT_TYPE: &str = "application/gzip";
/// Compressed bytes that are gathered before they go to an upload under way.
const HAND_OVER_BYTES: usize = 64 << 10;

/// Where an extract lands.
#[derive(Clone, Debug)]
pub struct Destination {
    /// The land bucket.
    pub bucket: String,
    /// The folder of all tables.
    pub base_folder: String,
    /// The raw table.
    pub table: String,
    /// The scheduled time in Unix seconds.
    pub file_land_timestamp: u64,
}

impl Destination {
    fn key(&self, chunk: Option<u32>) -> String {
        DataKey::new(&self.table, self.file_land_timestamp, chunk, EXTENSION).format(&self.base_folder)
    }

    /// The object that shows that this time has been extracted. The areas are asked one after the other in the order
    /// in which files move: a file that leaves the first meanwhile is in the second by then.
    pub async fn find(&self, store: &Store, areas: [&str; 2]) -> Result<Option<Object>, Failure> {
        let prefix = key::partition_prefix(&self.base_folder, &self.table, self.file_land_timestamp);
        let whole = [self.key(None), self.key(Some(0))];
        for bucket in areas {
            let objects = store.list(bucket, &prefix).await?;
            if let Some(found) = objects.into_iter().find(|object| whole.contains(&object.key)) {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }
}

/// An extract on its way to land.
#[derive(Debug)]
pub struct Landing<'a> {
    store: &'a Store,
    destination: Destination,
    maximum_file_bytes: u64,
    sealed: Vec<Sealed>,
    current: Chunk,
}

/// A chunk that is sent, but not to be seen yet.
#[derive(Debug)]
struct Sealed {
    upload: Upload,
    rows: u64,
}

/// A chunk that takes rows.
#[derive(Debug)]
struct Chunk {
    gzip: GzEncoder<Vec<u8>>,
    /// Begun once the chunk does not fit in one part, or is not the only one.
    upload: Option<Upload>,
    rows: u64,
}

impl Chunk {
    fn new() -> Self {
        // no time and no name in the header: the same rows make the same bytes
        Self { gzip: GzBuilder::new().mtime(0).write(Vec::new(), Compression::default()), upload: None, rows: 0 }
    }

    fn compressed_bytes(&self) -> u64 {
        self.upload.as_ref().map_or(0, Upload::bytes) + self.gzip.get_ref().len() as u64
    }
}

impl<'a> Landing<'a> {
    /// Begins a file of at most about so many compressed bytes, and another whenever one is full.
    pub fn new(store: &'a Store, destination: Destination, maximum_file_bytes: u64) -> Self {
        Self { store, destination, maximum_file_bytes, sealed: Vec::new(), current: Chunk::new() }
    }

    /// Adds a row, given as a line with its line feed.
    pub async fn write(&mut self, line: &str) -> Result<(), Failure> {
        // only once there is a row for the next one, so that no chunk is empty
        if self.current.compressed_bytes() >= self.maximum_file_bytes {
            self.seal().await?;
        }
        self.current.gzip.write_all(line.as_bytes()).map_err(Failure::internal)?;
        self.current.rows += 1;
        let gathered = self.current.gzip.get_ref().len();
        if gathered >= PART_BYTES || (gathered >= HAND_OVER_BYTES && self.current.upload.is_some()) {
            self.hand_over().await?;
        }
        Ok(())
    }

    /// Makes the extract visible. When it fails, chunks may be left that are not the whole; chunk 0 is not among them.
    pub async fn publish(mut self) -> Result<Vec<ExtractedFile>, Failure> {
        if self.sealed.is_empty() && self.current.upload.is_none() {
            return self.publish_small().await.map(|file| vec![file]);
        }
        if let Err(failure) = self.seal().await {
            self.abandon().await;
            return Err(failure);
        }
        let mut files = Vec::with_capacity(self.sealed.len());
        while let Some(Sealed { upload, rows }) = self.sealed.pop() {
            let key = upload.key().to_owned();
            match upload.finish(Write::Replace).await {
                Ok(done) => {
                    files.push(ExtractedFile { bucket: self.destination.bucket.clone(), key, rows, bytes: done.bytes })
                }
                Err(failure) => {
                    self.abandon().await;
                    return Err(failure);
                }
            }
        }
        files.reverse();
        Ok(files)
    }

    /// Gives the extract up: nothing becomes visible.
    pub async fn abandon(self) {
        for upload in self.sealed.into_iter().map(|chunk| chunk.upload).chain(self.current.upload) {
            upload.abandon().await;
        }
    }

    async fn publish_small(self) -> Result<ExtractedFile, Failure> {
        let Chunk { gzip, rows, .. } = self.current;
        let body = gzip.finish().map_err(Failure::internal)?;
        let (bucket, key, bytes) = (self.destination.bucket.clone(), self.destination.key(None), body.len() as u64);
        self.store.put(&bucket, &key, body, CONTENT_TYPE, Write::Replace).await?;
        Ok(ExtractedFile { bucket, key, rows, bytes })
    }

    /// Sends all of the current chunk, and begins the next.
    async fn seal(&mut self) -> Result<(), Failure> {
        self.current.gzip.try_finish().map_err(Failure::internal)?;
        self.hand_over().await?.seal().await?;
        let Chunk { upload, rows, .. } = std::mem::replace(&mut self.current, Chunk::new());
        self.sealed.extend(upload.map(|upload| Sealed { upload, rows }));
        Ok(())
    }

    /// Passes what is compressed on to the chunk's upload.
    async fn hand_over(&mut self) -> Result<&mut Upload, Failure> {
        let upload = self.current.upload.get_or_insert_with(|| {
            let key = self.destination.key(Some(self.sealed.len() as u32));
            self.store.upload(&self.destination.bucket, &key, CONTENT_TYPE)
        });
        let compressed = self.current.gzip.get_mut();
        upload.write(compressed).await?;
        compressed.clear();
        Ok(upload)
    }
}

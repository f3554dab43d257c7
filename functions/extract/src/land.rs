//! Landing: turns rows into compressed objects in land, all of them or none.
//!
//! Rows are staged first, outside the prefix whose events reach validate ([`contract::STAGED`]). Each attempt has a
//! folder of its own. After the last row, one conditional write decides that this attempt is the extract
//! ([`decide`](crate::decide)). Only then are its files copied into land.
//!
//! A small extract is one object, `<table>_<time>.jsonl.gz`, sent as a single request after the last row. A larger one
//! is uploaded in parts while rows arrive, so memory holds a few parts and not the whole extract. An upload in parts
//! needs its key from the start, before it is known whether there will be a second file. Therefore every extract that
//! exceeds one part is numbered, from `<table>_0_<time>.jsonl.gz`, even if a single file is enough.

use std::io::Write as _;

use contract::{DataKey, Extract, ExtractFile, Failure};
use flate2::write::GzEncoder;
use flate2::{Compression, GzBuilder};
use store::{PART_BYTES, Store, Upload, Write};

const EXTENSION: &str = "jsonl.gz";
const CONTENT_TYPE: &str = "application/gzip";
/// Compressed bytes that are collected before they are passed to an upload in progress.
const HAND_OVER_BYTES: usize = 64 << 10;

/// The place where an extract lands.
#[derive(Clone, Debug)]
pub struct Destination {
    /// The land bucket.
    pub land: String,
    /// The bucket to which validate promotes files.
    pub raw_hist: String,
    /// The bucket of the records of extracts.
    pub reports: String,
    /// The prefix of all tables.
    pub base_folder: String,
    /// The raw table.
    pub table: String,
    /// The scheduled time in Unix seconds.
    pub file_land_timestamp: u64,
}

impl Destination {
    pub(crate) fn key(&self, chunk: Option<u32>) -> String {
        DataKey::new(&self.table, self.file_land_timestamp, chunk, EXTENSION).format(&self.base_folder)
    }
}

/// An extract that is being written.
#[derive(Debug)]
pub struct Landing<'a> {
    store: &'a Store,
    destination: Destination,
    /// Unique to this attempt.
    attempt: String,
    maximum_file_bytes: u64,
    sealed: Vec<Sealed>,
    current: Chunk,
}

/// A chunk that was sent completely but is not visible yet.
#[derive(Debug)]
struct Sealed {
    upload: Upload,
    rows: u64,
}

/// The chunk that receives rows.
#[derive(Debug)]
struct Chunk {
    gzip: GzEncoder<Vec<u8>>,
    /// Begun once the chunk exceeds one part, or if it is not the first one.
    upload: Option<Upload>,
    rows: u64,
}

impl Chunk {
    fn new() -> Self {
        // no time and no name in the gzip header: equal rows give equal bytes
        Self { gzip: GzBuilder::new().mtime(0).write(Vec::new(), Compression::default()), upload: None, rows: 0 }
    }

    fn compressed_bytes(&self) -> u64 {
        self.upload.as_ref().map_or(0, Upload::bytes) + self.gzip.get_ref().len() as u64
    }
}

impl<'a> Landing<'a> {
    /// Creates an empty extract. A file is closed at about `maximum_file_bytes` compressed bytes, and the next one
    /// begun.
    pub fn new(store: &'a Store, destination: Destination, maximum_file_bytes: u64) -> Self {
        let attempt = format!("{:016x}{:016x}", fastrand::u64(..), fastrand::u64(..));
        Self { store, destination, attempt, maximum_file_bytes, sealed: Vec::new(), current: Chunk::new() }
    }

    /// Adds a row, given as a line that ends with a line feed.
    ///
    /// # Errors
    /// Fails if S3 refuses the request or does not answer. The failure names the object.
    pub async fn write(&mut self, line: &str) -> Result<(), Failure> {
        // checked only when there is another row, so that no chunk is empty
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

    /// Completes the staged files and returns them as an extract. On failure, some of them may be left to the lifecycle
    /// rule.
    ///
    /// # Errors
    /// Fails if S3 refuses the request or does not answer. The failure names the object.
    pub async fn finish(mut self) -> Result<Extract, Failure> {
        let staged = if self.sealed.is_empty() && self.current.upload.is_none() {
            self.finish_small().await.map(|file| vec![file])
        } else {
            self.finish_chunks().await
        };
        match staged {
            Ok(files) => Ok(Extract {
                table: self.destination.table,
                file_land_timestamp: self.destination.file_land_timestamp,
                attempt: self.attempt,
                files,
                landed: false,
            }),
            Err(failure) => {
                self.abandon().await;
                Err(failure)
            }
        }
    }

    /// Gives up the extract: nothing becomes visible.
    pub async fn abandon(self) {
        for upload in self.sealed.into_iter().map(|chunk| chunk.upload).chain(self.current.upload) {
            upload.abandon().await;
        }
    }

    async fn finish_small(&mut self) -> Result<ExtractFile, Failure> {
        let Chunk { gzip, rows, .. } = std::mem::replace(&mut self.current, Chunk::new());
        let body = gzip.finish().map_err(Failure::internal)?;
        let file = self.file(None, rows, body.len() as u64);
        self.store.put(&self.destination.land, &file.staged, body, CONTENT_TYPE, Write::IfAbsent).await?;
        Ok(file)
    }

    async fn finish_chunks(&mut self) -> Result<Vec<ExtractFile>, Failure> {
        self.seal().await?;
        let mut files = Vec::with_capacity(self.sealed.len());
        while let Some(Sealed { upload, rows }) = self.sealed.pop() {
            let chunk = self.sealed.len() as u32;
            let done = upload.finish(Write::IfAbsent).await?;
            files.push(self.file(Some(chunk), rows, done.bytes));
        }
        files.reverse();
        Ok(files)
    }

    fn file(&self, chunk: Option<u32>, rows: u64, bytes: u64) -> ExtractFile {
        ExtractFile { key: self.destination.key(chunk), staged: self.staged(chunk), rows, bytes }
    }

    fn staged(&self, chunk: Option<u32>) -> String {
        let Destination { base_folder, table, file_land_timestamp: time, .. } = &self.destination;
        let name = DataKey::new(table, *time, chunk, EXTENSION).file_name;
        Extract::staged_prefix(base_folder, table, *time, &self.attempt) + &name
    }

    /// Sends the rest of the current chunk, and begins the next one.
    async fn seal(&mut self) -> Result<(), Failure> {
        self.current.gzip.try_finish().map_err(Failure::internal)?;
        self.hand_over().await?.seal().await?;
        let Chunk { upload, rows, .. } = std::mem::replace(&mut self.current, Chunk::new());
        self.sealed.extend(upload.map(|upload| Sealed { upload, rows }));
        Ok(())
    }

    /// Passes the compressed bytes to the chunk's upload.
    async fn hand_over(&mut self) -> Result<&mut Upload, Failure> {
        if self.current.upload.is_none() {
            let key = self.staged(Some(self.sealed.len() as u32));
            self.current.upload = Some(self.store.upload(&self.destination.land, &key, CONTENT_TYPE));
        }
        let (compressed, Some(upload)) = (self.current.gzip.get_mut(), &mut self.current.upload) else {
            return Err(Failure::internal("an upload that was just begun is gone"));
        };
        upload.write(compressed).await?;
        compressed.clear();
        Ok(upload)
    }
}

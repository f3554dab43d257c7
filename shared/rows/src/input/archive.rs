//! The only file of a ZIP archive, as a stream of bytes.

use std::io::{self, Read, Seek, SeekFrom};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use zip::ZipArchive;

use crate::input::inflate::{BOMB_BYTES, BOMB_RATIO, CHUNK_BYTES};
use crate::input::ranges::{Blocks, Ranges};
use crate::read_error::ReadError;

/// The most chunks that wait to be read.
const AHEAD: usize = 2;

/// The bytes of a file, readable from any place.
#[derive(Debug)]
pub(crate) struct Seekable {
    blocks: Blocks,
    at: u64,
}

impl Seekable {
    pub(crate) fn new(ranges: Ranges) -> Self {
        Self { blocks: Blocks::new(ranges, 1), at: 0 }
    }
}

impl Read for Seekable {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let rest = self.blocks.length().saturating_sub(self.at);
        let length = usize::try_from(rest).unwrap_or(usize::MAX).min(into.len());
        into[..length].copy_from_slice(&self.blocks.get(self.at, length)?);
        self.at += length as u64;
        Ok(length)
    }
}

impl Seek for Seekable {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.blocks.length().checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = at.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "before the start of the file"))?;
        Ok(self.at)
    }
}

/// Opens the only file of an archive. A thread of its own decompresses it.
pub(crate) fn single(ranges: Ranges) -> Result<Box<dyn Read + Send>, ReadError> {
    let failed = |reason: String| ReadError::Compressed { format: "zip", line: 1, byte: 0, reason };
    let archive = ZipArchive::new(Seekable::new(ranges));
    let mut archive = archive.map_err(|error| match error {
        zip::result::ZipError::Io(error) if error.kind() != io::ErrorKind::UnexpectedEof => {
            ReadError::Io { line: 1, byte: 0, kind: error.kind(), message: error.to_string() }
        }
        error => failed(format!("it is not a ZIP archive, or it is damaged: {error}")),
    })?;
    let mut files = Vec::new();
    for n in 0..archive.len() {
        let name = archive.name_for_index(n).and_then(Result::ok).unwrap_or_default().into_owned();
        // files that macOS and Windows add
        let is_note = name.starts_with("__MACOSX/") || contract::key::is_no_data(&name).is_some();
        if !is_note {
            files.push((n, name));
        }
    }
    let (n, compressed) = match &files[..] {
        [(n, _)] => {
            let file = archive.by_index_raw(*n).map_err(|error| failed(error.to_string()))?;
            if file.encrypted() {
                return Err(failed("its file is encrypted: expected one without a password".into()));
            }
            (*n, file.compressed_size())
        }
        [] => return Err(failed("it has no file in it: expected one".into())),
        more => {
            let reason = format!(
                "it has {} files in it, the first two `{}` and `{}`: expected one; land each by itself",
                more.len(),
                contract::visible(&more[0].1),
                contract::visible(&more[1].1)
            );
            return Err(failed(reason));
        }
    };
    let (filled, pieces) = sync_channel(AHEAD);
    let inflate = move || {
        if let Err(error) = send(&mut archive, n, compressed, &filled) {
            // a receiver that has hung up does not need the error
            drop(filled.send(Err(error)));
        }
    };
    let started = thread::Builder::new().name("unzip".into()).spawn(inflate);
    started.map_err(|error| ReadError::Io { line: 1, byte: 0, kind: error.kind(), message: error.to_string() })?;
    Ok(Box::new(Pieces { pieces, piece: Vec::new(), at: 0, ended: false }))
}

/// Decompresses a file of the archive. The library verifies its checksum.
fn send(
    archive: &mut ZipArchive<Seekable>,
    n: usize,
    compressed: u64,
    to: &SyncSender<io::Result<Vec<u8>>>,
) -> io::Result<()> {
    let mut file = archive.by_index(n)?;
    let mut bytes = 0;
    loop {
        let mut piece = Vec::with_capacity(CHUNK_BYTES);
        file.by_ref().take(CHUNK_BYTES as u64).read_to_end(&mut piece)?;
        bytes += piece.len() as u64;
        if bytes > BOMB_BYTES && bytes / compressed.max(1) > BOMB_RATIO {
            let what = format!("it inflates to more than {BOMB_RATIO} times its size: a decompression bomb");
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, what));
        }
        let last = piece.is_empty();
        if to.send(Ok(piece)).is_err() || last {
            return Ok(());
        }
    }
}

/// The chunks that the thread has decompressed. An empty one marks the end.
struct Pieces {
    pieces: Receiver<io::Result<Vec<u8>>>,
    piece: Vec<u8>,
    at: usize,
    ended: bool,
}

impl Read for Pieces {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.at == self.piece.len() && !self.ended {
            // the file made the thread panic, and would again at the next attempt
            let stopped = || Err(io::Error::new(io::ErrorKind::InvalidData, "it cannot be inflated to its end"));
            self.piece = self.pieces.recv().unwrap_or_else(|_| stopped())?;
            self.at = 0;
            self.ended = self.piece.is_empty();
        }
        let length = into.len().min(self.piece.len() - self.at);
        into[..length].copy_from_slice(&self.piece[self.at..self.at + length]);
        self.at += length;
        Ok(length)
    }
}

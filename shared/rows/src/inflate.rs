//! Inflates on a thread of its own, a few chunks ahead of whoever reads the text: fetching and inflating go on beside
//! the reading where there is more than one core.

use std::io::{self, BufReader, Read};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use flate2::bufread::MultiGzDecoder;

/// Bytes that are fetched, and inflated, at once.
pub(crate) const CHUNK_BYTES: usize = 512 << 10;
/// The first chunk is so large, and each after it [`GROWTH`] times the one before: a small file costs little memory.
pub(crate) const FIRST_CHUNK_BYTES: usize = 16 << 10;
pub(crate) const GROWTH: usize = 4;
/// Room at the start of a chunk, before its text: for the beginning of a line whose end is in the chunk, so that the
/// text itself need not be moved.
pub(crate) const HEADROOM: usize = 16 << 10;
/// Chunks of text that wait to be read.
const AHEAD: usize = 4;
/// A stream that has given [`BOMB_BYTES`] of text, and this many times its own size, is a decompression bomb: DEFLATE
/// packs up to 1,032 bytes into one, JSON rows that differ at all come to 10 or 50.
const BOMB_RATIO: u64 = 500;
const BOMB_BYTES: u64 = 1 << 30;

/// The text of a gzip stream, of any number of members.
#[derive(Debug)]
pub(crate) struct Inflating {
    pieces: Receiver<Result<Piece, Torn>>,
    /// Chunks that were read, to be filled again.
    spent: SyncSender<Vec<u8>>,
}

#[derive(Debug)]
enum Piece {
    Text(Vec<u8>),
    /// Said and not concluded: a thread that only stops has not come to the end.
    End,
}

/// Why there is no more text although the stream has not come to its end.
#[derive(Debug)]
pub(crate) struct Torn {
    pub(crate) error: io::Error,
    /// The bytes could not be fetched, which says nothing about them.
    pub(crate) source_failed: bool,
}

impl Inflating {
    /// Starts the thread. It stops when this is dropped, or with the source.
    pub(crate) fn start(source: Box<dyn Read + Send>) -> io::Result<Self> {
        let (filled, pieces) = sync_channel(AHEAD);
        // room for all chunks that there ever are: those that wait, the one being filled and the one being read
        let (spent, empty) = sync_channel(AHEAD + 2);
        let inflate = move || {
            let source = Source { reader: source, bytes: 0, failed: false };
            let mut decoder = MultiGzDecoder::new(BufReader::with_capacity(CHUNK_BYTES, source));
            let (mut inflated, mut size) = (0, FIRST_CHUNK_BYTES);
            loop {
                let mut chunk: Vec<u8> = empty.try_recv().unwrap_or_default();
                chunk.resize(HEADROOM + size, 0);
                size = (size * GROWTH).min(CHUNK_BYTES);
                let (length, mut end) = fill(&mut decoder, &mut chunk[HEADROOM..]);
                inflated += length as u64;
                if inflated > BOMB_BYTES && inflated / decoder.get_ref().get_ref().bytes.max(1) > BOMB_RATIO {
                    let what = format!("it inflates to more than {BOMB_RATIO} times its size: a decompression bomb");
                    end = Some(Err(io::Error::new(io::ErrorKind::FileTooLarge, what)));
                }
                chunk.truncate(HEADROOM + length);
                if length > 0 && filled.send(Ok(Piece::Text(chunk))).is_err() {
                    return;
                }
                let last = match end {
                    None => continue,
                    Some(Ok(())) => Ok(Piece::End),
                    Some(Err(error)) => Err(Torn { error, source_failed: decoder.get_ref().get_ref().failed }),
                };
                // who has stopped listening does not want it
                drop(filled.send(last));
                return;
            }
        };
        thread::Builder::new().name("inflate".into()).spawn(inflate)?;
        Ok(Self { pieces, spent })
    }

    /// The next chunk, whose text begins at [`HEADROOM`]; `None` at the end, after which there is nothing to ask for.
    pub(crate) fn next(&mut self) -> Result<Option<Vec<u8>>, Torn> {
        match self.pieces.recv() {
            Ok(Ok(Piece::Text(chunk))) => Ok(Some(chunk)),
            Ok(Ok(Piece::End)) => Ok(None),
            Ok(Err(torn)) => Err(torn),
            Err(_) => {
                let error = io::Error::other("the thread that inflates has stopped");
                Err(Torn { error, source_failed: true })
            }
        }
    }

    /// Takes back a chunk that was read.
    pub(crate) fn give_back(&mut self, chunk: Vec<u8>) {
        // one that has grown is not kept; and the thread may have come to its end
        if (HEADROOM + CHUNK_BYTES..2 * CHUNK_BYTES).contains(&chunk.capacity()) {
            drop(self.spent.try_send(chunk));
        }
    }
}

/// Fills a chunk as far as the stream goes, and tells how it ends, if it does.
fn fill(decoder: &mut impl Read, chunk: &mut [u8]) -> (usize, Option<io::Result<()>>) {
    let mut length = 0;
    while length < chunk.len() {
        match decoder.read(&mut chunk[length..]) {
            Ok(0) => return (length, Some(Ok(()))),
            Ok(n) => length += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return (length, Some(Err(error))),
        }
    }
    (length, None)
}

/// Remembers whether it was the source that failed: a decoder's errors look the same.
#[derive(Debug)]
struct Source<R> {
    reader: R,
    bytes: u64,
    failed: bool,
}

impl<R: Read> Read for Source<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(into);
        self.bytes += *read.as_ref().unwrap_or(&0) as u64;
        self.failed |= read.as_ref().is_err_and(|error| error.kind() != io::ErrorKind::Interrupted);
        read
    }
}

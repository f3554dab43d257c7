//! Decompresses, and decodes other encodings, a few chunks ahead of the reader. Unless the file is small, this happens
//! on a thread of its own. With more than one core, fetching and decompressing overlap with reading.

use std::fmt;
use std::io::{self, BufReader, Cursor, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use bzip2::bufread::MultiBzDecoder;
use contract::Compression;
use flate2::bufread::MultiGzDecoder;

use crate::input::encoding::{Charset, Decoding};

/// Bytes that are fetched, and decompressed, at once.
pub(crate) const CHUNK_BYTES: usize = 512 << 10;
/// The size of the first chunk. Each later one is [`GROWTH`] times as large as the previous one, up to [`CHUNK_BYTES`]:
/// a small file costs little memory.
pub(crate) const FIRST_CHUNK_BYTES: usize = 16 << 10;
pub(crate) const GROWTH: usize = 4;
/// Room at the start of a chunk, before its text, for the beginning of a line that ends in the chunk. So the chunk's
/// text need not be moved.
pub(crate) const HEADROOM: usize = 16 << 10;
/// The most chunks of text that wait to be read.
const AHEAD: usize = 4;
/// A stream is a decompression bomb once it has produced more than [`BOMB_BYTES`] of text and more than this many times
/// its own size. DEFLATE packs up to 1,032 bytes into one; JSON rows that differ at all reach 10 or 50.
pub(crate) const BOMB_RATIO: u64 = 500;
pub(crate) const BOMB_BYTES: u64 = 1 << 30;

/// A source that ends before this many bytes is not worth a thread.
const SMALL_BYTES: usize = 64 << 10;

/// The text of a compressed stream, which may have several members.
#[derive(Debug)]
pub(crate) enum Inflating {
    /// A small stream, decompressed on demand.
    Here(Box<Inflater>),
    /// A larger stream, decompressed by a thread of its own.
    Ahead {
        pieces: Receiver<Result<Piece, Torn>>,
        /// Chunks that were read, to be filled again.
        spent: SyncSender<Vec<u8>>,
    },
}

#[derive(Debug)]
pub(crate) enum Piece {
    Text(Vec<u8>),
    /// Sent explicitly, so that a dead thread is not mistaken for the end of the stream.
    End,
}

/// The reason why there is no more text before the stream's end.
#[derive(Debug)]
pub(crate) struct Torn {
    pub(crate) error: io::Error,
    /// Whether the bytes could not be fetched, which says nothing about the file.
    pub(crate) source_failed: bool,
}

impl Inflating {
    /// Fetches the first bytes and, if there are more, starts the thread. The thread stops when this is dropped or the
    /// source ends.
    pub(crate) fn start(
        mut source: Box<dyn Read + Send>,
        compression: Compression,
        charset: Option<Charset>,
    ) -> io::Result<Self> {
        let mut first = Vec::new();
        let fetched = source.by_ref().take(SMALL_BYTES as u64).read_to_end(&mut first);
        let whole = fetched.as_ref().is_ok_and(|bytes| *bytes < SMALL_BYTES);
        let first = Cursor::new(first);
        if whole {
            let inflater = Inflater::new(Box::new(first), SMALL_BYTES, compression, charset)?;
            return Ok(Self::Here(Box::new(inflater)));
        }
        let source: Box<dyn Read + Send> = match fetched {
            Ok(_) => Box::new(first.chain(source)),
            Err(error) => Box::new(first.chain(Failed(Some(error)))),
        };
        let mut inflater = Inflater::new(source, CHUNK_BYTES, compression, charset)?;
        let (filled, pieces) = sync_channel(AHEAD);
        // room for every chunk that exists: those that wait, the one being filled and the one being read
        let (spent, empty) = sync_channel(AHEAD + 2);
        let inflate = move || {
            loop {
                let piece = match inflater.next(empty.try_recv().unwrap_or_default()) {
                    Ok(Some(chunk)) => Ok(Piece::Text(chunk)),
                    Ok(None) => Ok(Piece::End),
                    Err(torn) => Err(torn),
                };
                let last = !matches!(piece, Ok(Piece::Text(_)));
                // sending fails if the receiver has hung up
                if filled.send(piece).is_err() || last {
                    return;
                }
            }
        };
        thread::Builder::new().name("inflate".into()).spawn(inflate)?;
        Ok(Self::Ahead { pieces, spent })
    }

    /// Returns the next chunk, whose text begins at [`HEADROOM`], or `None` at the end. Not to be called after that.
    pub(crate) fn next(&mut self) -> Result<Option<Vec<u8>>, Torn> {
        match self {
            Self::Here(inflater) => inflater.next(Vec::new()),
            Self::Ahead { pieces, .. } => match pieces.recv() {
                Ok(Ok(Piece::Text(chunk))) => Ok(Some(chunk)),
                Ok(Ok(Piece::End)) => Ok(None),
                Ok(Err(torn)) => Err(torn),
                Err(_) => {
                    let error = io::Error::other("the thread that inflates has stopped");
                    Err(Torn { error, source_failed: true })
                }
            },
        }
    }

    /// Takes back a chunk that was read, for reuse.
    pub(crate) fn give_back(&mut self, chunk: Vec<u8>) {
        // a chunk that has grown is dropped, and so is any chunk if the thread has ended
        if let Self::Ahead { spent, .. } = self
            && (HEADROOM + CHUNK_BYTES..2 * CHUNK_BYTES).contains(&chunk.capacity())
        {
            drop(spent.try_send(chunk));
        }
    }
}

/// Decompresses chunk by chunk.
pub(crate) struct Inflater {
    decoder: Decoding<Box<dyn Read + Send>>,
    fetched: Arc<Fetched>,
    bytes: u64,
    /// The size of the next chunk's text.
    size: usize,
    /// How the stream has ended, if it has.
    end: Option<io::Result<()>>,
}

impl fmt::Debug for Inflater {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inflater").field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

impl Inflater {
    fn new(
        reader: Box<dyn Read + Send>,
        fetch_bytes: usize,
        compression: Compression,
        charset: Option<Charset>,
    ) -> io::Result<Self> {
        let fetched = Arc::new(Fetched::default());
        let source = Fetching { reader, fetched: Arc::clone(&fetched), inflated: compression == Compression::Zip };
        let decoder = decoder(compression, BufReader::with_capacity(fetch_bytes, source))?;
        Ok(Self { decoder: Decoding::new(decoder, charset), fetched, bytes: 0, size: FIRST_CHUNK_BYTES, end: None })
    }

    /// Returns the next text in `chunk`, which may be a used chunk.
    fn next(&mut self, mut chunk: Vec<u8>) -> Result<Option<Vec<u8>>, Torn> {
        if self.end.is_none() {
            chunk.resize(HEADROOM + self.size, 0);
            self.size = (self.size * GROWTH).min(CHUNK_BYTES);
            let (length, mut end) = fill(&mut self.decoder, &mut chunk[HEADROOM..]);
            self.bytes += length as u64;
            if self.bytes > BOMB_BYTES && self.bytes / self.fetched.bytes.load(Ordering::Relaxed).max(1) > BOMB_RATIO {
                let what = format!("it inflates to more than {BOMB_RATIO} times its size: a decompression bomb");
                end = Some(Err(io::Error::new(io::ErrorKind::FileTooLarge, what)));
            }
            self.end = end;
            if length > 0 {
                chunk.truncate(HEADROOM + length);
                return Ok(Some(chunk));
            }
        }
        match self.end.take() {
            None | Some(Ok(())) => Ok(None),
            Some(Err(error)) => Err(Torn { error, source_failed: self.fetched.failed.load(Ordering::Relaxed) }),
        }
    }
}

/// Returns the decoder of a compression. A stream may have several members, one after the other.
fn decoder(compression: Compression, source: BufReader<Fetching>) -> io::Result<Box<dyn Read + Send>> {
    Ok(match compression {
        Compression::Gzip => Box::new(MultiGzDecoder::new(source)),
        Compression::Zstd => Box::new(zstd::stream::read::Decoder::with_buffer(source)?),
        Compression::Bzip2 => Box::new(MultiBzDecoder::new(source)),
        // an archive's file comes decompressed
        Compression::None | Compression::Zip => Box::new(source),
    })
}

/// Fills a chunk as far as the stream goes. Also returns how the stream has ended, if it has.
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

/// Counts the bytes, and records whether the source failed: a decoder's own errors look the same.
struct Fetching {
    reader: Box<dyn Read + Send>,
    fetched: Arc<Fetched>,
    /// Whether the source decompresses, so that its errors may mean that the stream is damaged.
    inflated: bool,
}

#[derive(Default)]
struct Fetched {
    bytes: AtomicU64,
    failed: AtomicBool,
}

impl Read for Fetching {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(into);
        match &read {
            Ok(bytes) => {
                self.fetched.bytes.fetch_add(*bytes as u64, Ordering::Relaxed);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if self.inflated && is_damage(error) => {}
            Err(_) => self.fetched.failed.store(true, Ordering::Relaxed),
        }
        read
    }
}

fn is_damage(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, InvalidData, InvalidInput, UnexpectedEof};
    matches!(error.kind(), FileTooLarge | InvalidData | InvalidInput | UnexpectedEof)
}

/// Words an error of a decoder, for people. `byte` is the number of bytes that were decompressed before it.
pub(super) fn damage(error: &io::Error, format: &str, byte: u64) -> String {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => {
            format!("the {format} stream ends too early: the file is cut off or damaged")
        }
        io::ErrorKind::InvalidInput if error.to_string() == "invalid gzip header" && byte > 0 => {
            "something that is not gzip follows the end of the gzip stream".into()
        }
        io::ErrorKind::FileTooLarge => error.to_string(),
        _ => format!("the {format} stream is damaged: {error}"),
    }
}

/// A source that has failed. It returns the error where the fetched bytes end.
struct Failed(Option<io::Error>);

impl Read for Failed {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(self.0.take().unwrap_or_else(|| io::Error::other("the source has failed before")))
    }
}

//! The digest of bytes that are read for another purpose.

use std::io::{self, Read};
use std::sync::{Arc, Mutex, PoisonError};

use sha2::{Digest, Sha256};

/// The digest and the number of the bytes read so far.
#[derive(Clone, Default)]
pub(crate) struct Hashed(Arc<Mutex<(Sha256, u64)>>);

impl Hashed {
    /// Returns a reader whose bytes are added to the digest.
    pub(crate) fn reader<R: Read>(&self, inner: R) -> impl Read + use<R> {
        Reader { inner, hashed: self.clone() }
    }

    /// Returns the SHA-256 if exactly this many bytes were read, i.e. if the file was read to its end.
    pub(crate) fn of(&self, bytes: u64) -> Option<[u8; 32]> {
        let (digest, read) = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        (read == bytes).then(|| digest.finalize().into())
    }
}

struct Reader<R> {
    inner: R,
    hashed: Hashed,
}

impl<R: Read> Read for Reader<R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(to)?;
        let mut hashed = self.hashed.0.lock().unwrap_or_else(PoisonError::into_inner);
        hashed.0.update(&to[..read]);
        hashed.1 += read as u64;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_read_whole_has_a_digest() {
        let hashed = Hashed::default();
        let mut reader = hashed.reader(&b"abcdef"[..]);
        let mut three = [0; 3];
        reader.read_exact(&mut three).unwrap();
        assert_eq!((hashed.of(6), hashed.of(3)), (None, Some(Sha256::digest(b"abc").into())));
        reader.read_to_end(&mut Vec::new()).unwrap();
        assert_eq!(hashed.of(6), Some(Sha256::digest(b"abcdef").into()));
    }
}

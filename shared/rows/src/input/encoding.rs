//! Text of any encoding as UTF-8. Bytes without a character in the encoding become [`BROKEN`], which UTF-8 does not
//! allow either. So they are found where every line is checked for valid UTF-8.

use std::io::{self, Read};

use encoding_rs::{Decoder, DecoderResult, Encoding, UTF_8, UTF_16BE, UTF_16LE};

/// A byte that never occurs in UTF-8.
const BROKEN: u8 = 0xff;
/// Undecoded bytes read at once.
const RAW_BYTES: usize = 128 << 10;
/// Room for the longest character in UTF-8 and for [`BROKEN`].
const ROOM: usize = 8;

/// An encoding by its name in the metadata.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Charset {
    encoding: &'static Encoding,
    /// Whether it is one of ISO 8859, in which bytes 0x80 to 0x9F are control characters. Browsers read them as
    /// Windows' characters, and so does encoding_rs.
    iso_8859: bool,
}

impl Charset {
    /// Finds an encoding by any of its names in the WHATWG's standard
    /// (<https://encoding.spec.whatwg.org/#names-and-labels>) or in Python.
    pub(crate) fn named(name: &str) -> Result<Self, String> {
        let plain = name.trim().to_ascii_lowercase().replace('_', "-");
        let label = match plain.as_str() {
            "utf-8-sig" | "utf8-sig" | "ascii" | "us-ascii" => "utf-8",
            "latin-1" => "latin1",
            "mac-roman" | "macroman" => "macintosh",
            "utf-16-le" => "utf-16le",
            "utf-16-be" => "utf-16be",
            "windows-1252" | "cp-1252" => "windows-1252",
            other => other,
        };
        let unknown = || {
            format!(
                "`{}` is not a known encoding; known are utf-8, windows-1252, iso-8859-1, utf-16le, utf-16be and the \
                 others of https://encoding.spec.whatwg.org/#names-and-labels",
                contract::visible(name)
            )
        };
        let encoding = Encoding::for_label(label.as_bytes()).ok_or_else(unknown)?;
        // encodings that the standard has only for web pages
        if matches!(encoding.name(), "replacement" | "x-user-defined") {
            return Err(unknown());
        }
        let iso = ["iso-8859", "iso8859", "latin", "l1", "l2", "l3", "l4", "l5", "l6", "csisolatin"];
        Ok(Self { encoding, iso_8859: iso.iter().any(|start| label.starts_with(start)) })
    }

    /// Returns its name, for messages.
    pub(crate) fn name(self) -> &'static str {
        match self.encoding.name() {
            "windows-1252" if self.iso_8859 => "ISO-8859-1",
            name => name,
        }
    }

    fn is_utf8(self) -> bool {
        self.encoding == UTF_8
    }

    /// Whether every byte is a character by itself.
    fn is_single_byte(self) -> bool {
        self.encoding.is_single_byte()
    }
}

/// Checks the name of an encoding.
///
/// # Errors
/// The reason, for people, if the name is not known.
pub fn check_encoding(name: &str) -> Result<(), String> {
    Charset::named(name).map(drop)
}

/// Returns the UTF-16 encoding of a byte order mark. No other text begins with one.
pub(crate) fn marked(bytes: &[u8]) -> Option<&'static Encoding> {
    match bytes {
        // UTF-32 is not supported
        [0xff, 0xfe, 0, 0, ..] => None,
        [0xff, 0xfe, ..] => Some(UTF_16LE),
        [0xfe, 0xff, ..] => Some(UTF_16BE),
        _ => None,
    }
}

/// A stream of text, read as UTF-8.
pub(crate) struct Decoding<R> {
    source: R,
    charset: Option<Charset>,
    /// Absent before the first bytes, and for UTF-8, which passes unchanged.
    decoder: Option<Box<State>>,
    begun: bool,
    /// The first bytes of text in UTF-8, until they are returned.
    head: Vec<u8>,
}

struct State {
    decoder: Decoder,
    charset: Charset,
    raw: Vec<u8>,
    start: usize,
    end: usize,
    ended: bool,
    finished: bool,
    /// Decoded bytes not yet returned, because the caller asked for less than a character.
    left: Vec<u8>,
}

impl<R: Read> Decoding<R> {
    /// `charset` is the metadata's encoding. A byte order mark overrides it.
    pub(crate) fn new(source: R, charset: Option<Charset>) -> Self {
        Self { source, charset, decoder: None, begun: false, head: Vec::new() }
    }

    /// Reads the first bytes and determines the encoding.
    fn begin(&mut self) -> io::Result<()> {
        // enough for a byte order mark, and to tell UTF-16's from UTF-32's
        let mut head = [0; 4];
        let mut length = 0;
        while length < head.len() {
            match self.source.read(&mut head[length..]) {
                Ok(0) => break,
                Ok(n) => length += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.begun = true;
        let head = &head[..length];
        let marked = marked(head).map(|encoding| Charset { encoding, iso_8859: false });
        let is_utf8 = head.starts_with(b"\xEF\xBB\xBF");
        let Some(charset) = marked.or(self.charset.filter(|charset| !charset.is_utf8() && !is_utf8)) else {
            self.head = head.to_vec();
            return Ok(());
        };
        let mut raw = head.to_vec();
        raw.resize(RAW_BYTES, 0);
        self.decoder = Some(Box::new(State {
            // a byte order mark is not part of the text
            decoder: charset.encoding.new_decoder_with_bom_removal(),
            charset,
            raw,
            start: 0,
            end: length,
            ended: false,
            finished: false,
            left: Vec::new(),
        }));
        Ok(())
    }
}

impl<R: Read> Read for Decoding<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if into.is_empty() {
            return Ok(0);
        }
        if !self.begun {
            self.begin()?;
        }
        match &mut self.decoder {
            None if !self.head.is_empty() => {
                let length = self.head.len().min(into.len());
                into[..length].copy_from_slice(&self.head[..length]);
                self.head.drain(..length);
                Ok(length)
            }
            None => self.source.read(into),
            Some(state) => state.read(&mut self.source, into),
        }
    }
}

impl State {
    fn read(&mut self, source: &mut impl Read, into: &mut [u8]) -> io::Result<usize> {
        if into.len() < ROOM || !self.left.is_empty() {
            if self.left.is_empty() {
                let mut some = vec![0; 64];
                let length = self.decode(source, &mut some)?;
                some.truncate(length);
                self.left = some;
            }
            let length = self.left.len().min(into.len());
            into[..length].copy_from_slice(&self.left[..length]);
            self.left.drain(..length);
            return Ok(length);
        }
        self.decode(source, into)
    }

    /// Decodes some text into at least [`ROOM`] bytes. Returns 0 only at the end.
    fn decode(&mut self, source: &mut impl Read, into: &mut [u8]) -> io::Result<usize> {
        while !self.finished {
            if self.start == self.end && !self.ended {
                self.end = source.read(&mut self.raw)?;
                self.start = 0;
                self.ended = self.end == 0;
            }
            let control = |byte: &u8| (0x80..=0x9f).contains(byte);
            let raw = &self.raw[self.start..self.end];
            let plain =
                if self.charset.iso_8859 { raw.iter().position(control).unwrap_or(raw.len()) } else { raw.len() };
            if plain == 0 && !raw.is_empty() {
                into[0] = BROKEN;
                self.start += 1;
                return Ok(1);
            }
            let most = into.len() - 1;
            let (result, read, mut written) =
                self.decoder.decode_to_utf8_without_replacement(&raw[..plain], &mut into[..most], self.ended);
            self.start += read;
            if self.charset.is_single_byte() {
                break_controls(&mut into[..written]);
            }
            match result {
                DecoderResult::InputEmpty => self.finished = self.ended,
                DecoderResult::OutputFull => {}
                DecoderResult::Malformed(..) => {
                    into[written] = BROKEN;
                    written += 1;
                }
            }
            if written > 0 {
                return Ok(written);
            }
        }
        Ok(0)
    }
}

/// Replaces control characters by [`BROKEN`]: an encoding of single bytes decodes a byte without a character as the
/// control character of the same number.
fn break_controls(text: &mut [u8]) {
    let mut at = 0;
    while let Some(lead) = memchr::memchr(0xc2, &text[at..]) {
        let lead = at + lead;
        if text.get(lead + 1).is_some_and(|next| (0x80..=0x9f).contains(next)) {
            text[lead..lead + 2].fill(BROKEN);
        }
        at = lead + 1;
    }
}

#[cfg(test)]
mod tests;

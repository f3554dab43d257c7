//! Recognises what a file is by its first bytes.

/// The bytes that are examined.
pub(crate) const MAGIC_BYTES: usize = 4096;

/// A kind of file that is not text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Magic {
    Gzip,
    Zip,
    Zstd,
    Bzip2,
    Parquet,
    /// In Office Open XML.
    Excel,
    /// From before 2007, or with a password.
    OldExcel,
    Other(&'static str),
}

impl Magic {
    /// Examines the first [`MAGIC_BYTES`], or fewer if the file is shorter.
    pub(crate) fn of(bytes: &[u8]) -> Option<Self> {
        let begins = |start: &[u8]| bytes.starts_with(start);
        let has = |part: &[u8]| memchr::memmem::find(bytes, part).is_some();
        Some(match bytes {
            _ if begins(b"\x1f\x8b") => Self::Gzip,
            _ if begins(b"PK\x03\x04") && (has(b"[Content_Types].xml") || has(b"xl/")) => Self::Excel,
            _ if begins(b"PK\x03\x04") || begins(b"PK\x05\x06") => Self::Zip,
            _ if begins(b"\x28\xb5\x2f\xfd") => Self::Zstd,
            [b'B', b'Z', b'h', b'1'..=b'9', 0x31 | 0x17, ..] => Self::Bzip2,
            _ if begins(b"PAR1") || begins(b"PARE") => Self::Parquet,
            _ if begins(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1") => Self::OldExcel,
            _ if begins(b"Obj\x01") => Self::Other("an Avro file"),
            _ if begins(b"ORC") && has(b"\0") => Self::Other("an ORC file"),
            _ if begins(b"%PDF-") => Self::Other("a PDF document"),
            _ if begins(b"7z\xbc\xaf\x27\x1c") => Self::Other("a 7z archive"),
            _ if begins(b"Rar!\x1a\x07") => Self::Other("a RAR archive"),
            _ if begins(b"\xfd7zXZ\0") => Self::Other("an xz stream"),
            _ if begins(b"\x04\x22\x4d\x18") => Self::Other("an LZ4 stream"),
            _ if begins(b"\xff\x06\0\0sNaPpY") => Self::Other("a Snappy stream"),
            _ if begins(b"ARROW1") => Self::Other("an Arrow (Feather) file"),
            _ if begins(b"SQLite format 3\0") => Self::Other("an SQLite database"),
            _ if bytes.get(257..262) == Some(b"ustar") => Self::Other("a tar archive"),
            [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => Self::Other("UTF-32"),
            _ => return None,
        })
    }

    /// Like [`Self::of`], but also recognises HTML and XML, which are text but not data.
    pub(crate) fn of_text(bytes: &[u8]) -> Option<Self> {
        Self::of(bytes).or_else(|| {
            let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii_start();
            let begins = |tag: &[u8]| text.get(..tag.len()).is_some_and(|start| start.eq_ignore_ascii_case(tag));
            if begins(b"<!doctype html") || begins(b"<html") {
                Some(Self::Other("an HTML page"))
            } else if begins(b"<?xml") {
                Some(Self::Other("an XML document"))
            } else {
                None
            }
        })
    }

    /// Returns its name, for messages.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zip => "a ZIP archive",
            Self::Zstd => "a Zstandard stream",
            Self::Bzip2 => "a bzip2 stream",
            Self::Parquet => "a Parquet file",
            Self::Excel => "an Excel workbook",
            Self::OldExcel => "an Excel workbook of the years before 2007, or one with a password,",
            Self::Other(name) => name,
        }
    }

    /// Returns the extension under which it can be read, if there is one.
    pub(crate) fn extension(self) -> Option<&'static str> {
        match self {
            Self::Gzip => Some("gz"),
            Self::Zip => Some("zip"),
            Self::Zstd => Some("zst"),
            Self::Bzip2 => Some("bz2"),
            Self::Parquet => Some("parquet"),
            Self::Excel => Some("xlsx"),
            Self::OldExcel | Self::Other(_) => None,
        }
    }

    /// Returns the message for such a file whose name promises text with this extension.
    pub(crate) fn inside(self, extension: &str) -> String {
        let (found, this) = (self.name(), self.extension());
        match this {
            Some(this) if self.is_compression() => {
                format!("{found} inside .{extension}: name it `….{extension}.{this}`, or land it uncompressed")
            }
            Some(this) => format!("{found} inside .{extension}: name it `….{this}`, or land it as .{extension}"),
            None => {
                format!(
                    "{found} inside .{extension}: expected text; did the source return an error page instead of data?"
                )
            }
        }
    }

    /// Whether it is a compression, which may contain what the name promises.
    pub(crate) fn is_compression(self) -> bool {
        matches!(self, Self::Gzip | Self::Zip | Self::Zstd | Self::Bzip2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_told_by_their_first_bytes() {
        for (bytes, expected) in [
            (&b"\x1f\x8b\x08\0"[..], Some("gzip")),
            (b"PK\x03\x04\x14\0\0\0", Some("a ZIP archive")),
            (b"PK\x03\x04......[Content_Types].xml", Some("an Excel workbook")),
            (b"BZh91AY&SY", Some("a bzip2 stream")),
            (b"BZh9 is a column", None),
            (b"PAR1\x15", Some("a Parquet file")),
            (b"ORC,a\n1,2\n", None),
            (b"%PDF-1.7", Some("a PDF document")),
            (b"a,b\n1,2\n", None),
            (b"", None),
            (b"  <!DOCTYPE HTML><html>", Some("an HTML page")),
            (b"\xef\xbb\xbf<?xml version='1.0'?>", Some("an XML document")),
            (b"\xff\xfe\0\0a\0\0\0", Some("UTF-32")),
        ] {
            assert_eq!(Magic::of_text(bytes).map(Magic::name), expected, "{bytes:?}");
        }
        assert_eq!(Magic::of(b"<html>"), None);
    }
}

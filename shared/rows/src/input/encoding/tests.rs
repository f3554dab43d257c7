use std::io::Cursor;

use proptest::prelude::*;

use super::*;

/// Limits every read to a number of bytes.
struct Bits(Cursor<Vec<u8>>, usize);

impl Read for Bits {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let most = into.len().min(self.1);
        self.0.read(&mut into[..most])
    }
}

fn decoded(bytes: &[u8], name: Option<&str>, at_once: usize, buffer: usize) -> Vec<u8> {
    let charset = name.map(|name| Charset::named(name).unwrap());
    let mut decoding = Decoding::new(Bits(Cursor::new(bytes.to_vec()), at_once), charset);
    let (mut all, mut some) = (Vec::new(), vec![0; buffer]);
    loop {
        match decoding.read(&mut some).unwrap() {
            0 => return all,
            n => all.extend_from_slice(&some[..n]),
        }
    }
}

fn utf16(text: &str, little: bool) -> Vec<u8> {
    text.encode_utf16().flat_map(|unit| if little { unit.to_le_bytes() } else { unit.to_be_bytes() }).collect()
}

#[test]
fn texts_of_other_encodings() {
    for (name, bytes, expected) in [
        (Some("windows-1252"), &b"\xa31 \x80 caf\xe9 \x93x\x94"[..], "£1 € café “x”"),
        (Some("CP1252"), b"\xe4", "ä"),
        (Some("latin-1"), b"caf\xe9 \xa3", "café £"),
        (Some("iso_8859_1"), b"\xff", "ÿ"),
        (Some("iso-8859-15"), b"\xa4", "€"),
        (Some("mac_roman"), b"\x8e", "é"),
        (Some("shift_jis"), b"\x83e\x83X\x83g", "テスト"),
        (Some("utf-8"), "é".as_bytes(), "é"),
        (None, b"\xff\xfea\0\xac\x20", "a€"),
        (None, b"\xfe\xff\0a\x20\xac", "a€"),
        // the mark overrides the metadata
        (Some("windows-1252"), b"\xff\xfea\0", "a"),
        (Some("windows-1252"), b"\xef\xbb\xbf\xc3\xa9", "\u{feff}é"),
        (Some("utf-16le"), b"a\0\xac\x20", "a€"),
        (Some("utf-16"), b"a\0", "a"),
        (Some("utf-16be"), b"\0a", "a"),
        (None, b"", ""),
        (Some("utf-16le"), b"", ""),
    ] {
        for (at_once, buffer) in [(1, 1), (1, 9), (3, 3), (100, 4096)] {
            let found = decoded(bytes, name, at_once, buffer);
            assert_eq!(String::from_utf8_lossy(&found), expected, "{name:?} {at_once} {buffer}");
        }
    }
}

#[test]
fn what_is_no_character_is_no_utf8() {
    for (name, bytes) in [
        ("windows-1252", &b"a\x81b"[..]),
        ("iso-8859-1", b"a\x93b"),
        ("utf-16le", b"a\0\x00\xd8b\0"),
        ("utf-16le", b"a\0b"),
        ("shift_jis", b"a\x83"),
    ] {
        for (at_once, buffer) in [(1, 1), (100, 4096)] {
            let found = decoded(bytes, Some(name), at_once, buffer);
            assert!(std::str::from_utf8(&found).is_err() && found[0] == b'a', "{name}: {found:?}");
        }
    }
    for wrong in ["", "utf-7", "cp437", "iso-2022-kr", "windows1252x"] {
        assert!(check_encoding(wrong).unwrap_err().contains("not a known encoding"), "{wrong}");
    }
}

proptest! {
    #[test]
    fn every_text_comes_back(text in "\\PC{0,200}", little in any::<bool>(), at_once in 1_usize..9, buffer in 1_usize..40) {
        let name = if little { "utf-16le" } else { "utf-16be" };
        // the decoder would take it for a byte order mark
        prop_assume!(!text.starts_with(['\u{feff}', '\u{fffe}']));
        prop_assert_eq!(decoded(&utf16(&text, little), Some(name), at_once, buffer), text.as_bytes());
        let encoding = encoding_rs::WINDOWS_1252;
        let (bytes, _, lost) = encoding.encode(&text);
        if !lost && !bytes.starts_with(b"\xef\xbb\xbf") && marked(&bytes).is_none() {
            prop_assert_eq!(decoded(&bytes, Some("windows-1252"), at_once, buffer), text.as_bytes());
        }
    }
}

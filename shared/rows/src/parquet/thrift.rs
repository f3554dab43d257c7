//! Thrift's compact protocol, as far as Parquet's footer and page headers use it. The parquet crate has a reader of its
//! own, which trusts its input. This one checks the bytes before that: lists are no longer than their bytes, and
//! nothing is nested deeply.

use std::borrow::Cow;
use std::ops::Range;

/// The reason why something cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Torn {
    /// It continues beyond the end of the bytes.
    End,
    /// It is not valid.
    Bad(&'static str),
}

/// The codes of the types that a field or element can have.
pub(crate) const TRUE: u8 = 1;
pub(crate) const FALSE: u8 = 2;
const I16: u8 = 4;
pub(crate) const I32: u8 = 5;
const I64: u8 = 6;
pub(crate) const BINARY: u8 = 8;
pub(crate) const LIST: u8 = 9;
pub(crate) const STRUCT: u8 = 12;

const DEEPEST: usize = 24;

/// A reader of bytes.
#[derive(Debug)]
pub(crate) struct Thrift<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// The state of a struct whose fields are being read.
#[derive(Debug, Default)]
pub(crate) struct Fields {
    last: i16,
}

impl<'a> Thrift<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Returns how many bytes were read.
    pub(crate) fn position(&self) -> usize {
        self.at
    }

    fn byte(&mut self) -> Result<u8, Torn> {
        let byte = *self.bytes.get(self.at).ok_or(Torn::End)?;
        self.at += 1;
        Ok(byte)
    }

    fn varint(&mut self) -> Result<u64, Torn> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(Torn::Bad("a number of more than 64 bits"))
    }

    pub(crate) fn i64(&mut self) -> Result<i64, Torn> {
        let number = self.varint()?;
        Ok((number >> 1) as i64 ^ -((number & 1) as i64))
    }

    pub(crate) fn i32(&mut self) -> Result<i32, Torn> {
        i32::try_from(self.i64()?).map_err(|_| Torn::Bad("a number of more than 32 bits"))
    }

    pub(crate) fn binary(&mut self) -> Result<&'a [u8], Torn> {
        let length = usize::try_from(self.varint()?).map_err(|_| Torn::End)?;
        let end = self.at.checked_add(length).ok_or(Torn::End)?;
        let bytes = self.bytes.get(self.at..end).ok_or(Torn::End)?;
        self.at = end;
        Ok(bytes)
    }

    /// Returns the id and type of the next field, or `None` at the end of the struct.
    pub(crate) fn field(&mut self, fields: &mut Fields) -> Result<Option<(i16, u8)>, Torn> {
        let byte = self.byte()?;
        let kind = byte & 0x0f;
        if kind == 0 {
            return Ok(None);
        }
        let id = match byte >> 4 {
            0 => i16::try_from(self.i64()?).ok(),
            delta => fields.last.checked_add(i16::from(delta)),
        };
        fields.last = id.ok_or(Torn::Bad("a field number of more than 16 bits"))?;
        Ok(Some((fields.last, kind)))
    }

    /// Returns the type and number of a list's elements.
    pub(crate) fn list(&mut self) -> Result<(u8, usize), Torn> {
        let byte = self.byte()?;
        let count = match byte >> 4 {
            15 => usize::try_from(self.varint()?).unwrap_or(usize::MAX),
            count => usize::from(count),
        };
        if count > self.bytes.len() - self.at {
            return Err(Torn::Bad("a list with more elements than there are bytes"));
        }
        Ok((byte & 0x0f, count))
    }

    /// Skips a value.
    pub(crate) fn skip(&mut self, kind: u8) -> Result<(), Torn> {
        self.skip_at(kind, 0)
    }

    fn skip_at(&mut self, kind: u8, depth: usize) -> Result<(), Torn> {
        if depth > DEEPEST {
            return Err(Torn::Bad("values nested too deep"));
        }
        match kind {
            TRUE | FALSE => {}
            3 => drop(self.byte()?),
            4..=6 => drop(self.varint()?),
            7 => {
                self.at = self.at.checked_add(8).filter(|end| *end <= self.bytes.len()).ok_or(Torn::End)?;
            }
            BINARY => drop(self.binary()?),
            LIST | 10 => {
                let (kind, count) = self.list()?;
                if matches!(kind, TRUE | FALSE) {
                    return Err(Torn::Bad("a list of booleans"));
                }
                for _ in 0..count {
                    self.skip_at(kind, depth + 1)?;
                }
            }
            STRUCT => {
                let mut fields = Fields::default();
                while let Some((_, kind)) = self.field(&mut fields)? {
                    self.skip_at(kind, depth + 1)?;
                }
            }
            _ => return Err(Torn::Bad("a value of a type that Parquet does not use")),
        }
        Ok(())
    }
}

/// The limits of a footer: far beyond any real one, and small enough to fit in memory.
const DEEPEST_COLUMN: usize = 64;
const MOST_COLUMNS: usize = 100_000;
const MOST_CHUNKS: usize = 1 << 18;
const MOST_PATH_BYTES: usize = 64 << 20;
const LONGEST_FIXED_BYTES: i32 = 1 << 20;
/// Parquet's code for byte arrays of a fixed length.
const FIXED_LEN_BYTE_ARRAY: i32 = 7;

/// Checks a footer for anything that would make the parquet crate take unbounded memory, recurse without end, or panic.
/// Returns whether columns may be encrypted.
pub(crate) fn check_footer(bytes: &[u8]) -> Result<bool, Torn> {
    let mut thrift = Thrift::new(bytes);
    let mut fields = Fields::default();
    let (mut columns, mut encrypted) = (None, false);
    while let Some((id, kind)) = thrift.field(&mut fields)? {
        match (id, kind) {
            (2, LIST) => {
                if columns.is_some() {
                    return Err(Torn::Bad("two schemas"));
                }
                columns = Some(check_schema(&mut thrift)?);
            }
            (4, LIST) => {
                let (kind, groups) = thrift.list()?;
                let columns = columns.ok_or(Torn::Bad("row groups before the schema"))?;
                if kind != STRUCT && groups > 0 {
                    return Err(Torn::Bad("row groups that are not structs"));
                }
                if groups.saturating_mul(columns) > MOST_CHUNKS {
                    return Err(Torn::Bad("more than 262144 column chunks"));
                }
                for _ in 0..groups {
                    thrift.skip(STRUCT)?;
                }
            }
            // the encryption algorithm
            (8, STRUCT) => {
                encrypted = true;
                thrift.skip(kind)?;
            }
            (2 | 4, _) => return Err(Torn::Bad("a schema or row groups that are not lists")),
            _ => thrift.skip(kind)?,
        }
    }
    Ok(encrypted)
}

/// The fields of a struct, with their types. A struct, or a list of structs, can have its own shape.
struct Shape(&'static [(i16, u8, Option<&'static Shape>)]);

/// As in Parquet's definition:
/// <https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift>.
static FILE: Shape = Shape(&[
    (1, I32, None),
    (2, LIST, None),
    (3, I64, None),
    (4, LIST, Some(&ROW_GROUP)),
    (5, LIST, None),
    (6, BINARY, None),
    (7, LIST, None),
    (8, STRUCT, None),
    (9, BINARY, None),
]);
static ROW_GROUP: Shape = Shape(&[
    (1, LIST, Some(&COLUMN_CHUNK)),
    (2, I64, None),
    (3, I64, None),
    (4, LIST, None),
    (5, I64, None),
    (6, I64, None),
    (7, I16, None),
]);
static COLUMN_CHUNK: Shape = Shape(&[
    (1, BINARY, None),
    (2, I64, None),
    (3, STRUCT, Some(&COLUMN)),
    (4, I64, None),
    (5, I32, None),
    (6, I64, None),
    (7, I32, None),
    (8, STRUCT, None),
    (9, BINARY, None),
]);
static COLUMN: Shape = Shape(&[
    (1, I32, None),
    (2, LIST, None),
    (3, LIST, None),
    (4, I32, None),
    (5, I64, None),
    (6, I64, None),
    (7, I64, None),
    (8, LIST, None),
    (9, I64, None),
    (10, I64, None),
    (11, I64, None),
    (12, STRUCT, None),
    (13, LIST, None),
    (14, I64, None),
    (15, I32, None),
    (16, STRUCT, None),
    (17, STRUCT, None),
]);

/// A field id that none of these structs has, or will have soon.
const NO_FIELD: i16 = 1000;

/// Rewrites a checked footer for the parquet crate, which identifies a field by its id alone. One with a known id but
/// another type is a different field (Dremio wrote a list as 15), which every other reader skips. It gets an id that
/// the crate skips too.
pub(crate) fn renumbered(footer: &[u8]) -> Result<Cow<'_, [u8]>, Torn> {
    let mut changes = Vec::new();
    renumber(&mut Thrift::new(footer), &FILE, &mut changes)?;
    if changes.is_empty() {
        return Ok(footer.into());
    }
    let (mut bytes, mut at) = (Vec::with_capacity(footer.len() + changes.len() * 4), 0);
    for (header, id, kind) in changes {
        bytes.extend_from_slice(&footer[at..header.start]);
        bytes.push(kind);
        push_varint(&mut bytes, (i64::from(id) << 1) as u64);
        at = header.end;
    }
    bytes.extend_from_slice(&footer[at..]);
    Ok(bytes.into())
}

/// Collects the headers of fields that must be rewritten, with their new ids. The field after a changed one is among
/// them, because a header holds the difference from the previous id.
fn renumber(thrift: &mut Thrift<'_>, shape: &Shape, changes: &mut Vec<(Range<usize>, i16, u8)>) -> Result<(), Torn> {
    let mut fields = Fields::default();
    let mut after_changed = false;
    loop {
        let start = thrift.position();
        let Some((id, kind)) = thrift.field(&mut fields)? else { return Ok(()) };
        let header = start..thrift.position();
        let known = shape.0.iter().find(|(known, ..)| *known == id);
        let other = known.is_some_and(|(_, known, _)| *known != kind);
        if other || after_changed {
            changes.push((header, if other { NO_FIELD } else { id }, kind));
        }
        after_changed = other;
        match known {
            Some((_, LIST, Some(shape))) if !other => {
                let (kind, count) = thrift.list()?;
                for _ in 0..count {
                    if kind == STRUCT { renumber(thrift, shape, changes)? } else { thrift.skip(kind)? }
                }
            }
            Some((_, _, Some(shape))) if !other => renumber(thrift, shape, changes)?,
            _ => thrift.skip(kind)?,
        }
    }
}

fn push_varint(into: &mut Vec<u8>, mut rest: u64) {
    while rest >= 0x80 {
        into.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    into.push(rest as u8);
}

/// Checks the schema and returns the number of its leaves.
fn check_schema(thrift: &mut Thrift<'_>) -> Result<usize, Torn> {
    let (kind, elements) = thrift.list()?;
    if kind != STRUCT || elements == 0 {
        return Err(Torn::Bad("a schema that is not a list of structs"));
    }
    // for each open group: the children still to come, and the length of its path in bytes
    let mut groups: Vec<(usize, usize)> = Vec::new();
    let (mut leaves, mut path_bytes) = (0, 0_usize);
    for n in 0..elements {
        let element = Element::read(thrift)?;
        while groups.last().is_some_and(|(children, _)| *children == 0) {
            groups.pop();
        }
        let above = match groups.last_mut() {
            Some((children, path)) => {
                *children -= 1;
                *path
            }
            None if n == 0 => 0,
            None => return Err(Torn::Bad("a schema with more elements than its groups have")),
        };
        let path = above + element.name_bytes + 1;
        match element.children {
            0 if n == 0 => {}
            0 => {
                let Some(kind) = element.kind else { return Err(Torn::Bad("a group without fields in the schema")) };
                if kind == FIXED_LEN_BYTE_ARRAY && !(1..=LONGEST_FIXED_BYTES).contains(&element.length) {
                    return Err(Torn::Bad("a column of fixed length without a length that can be"));
                }
                leaves += 1;
                path_bytes = path_bytes.saturating_add(path);
            }
            children if children > elements - n - 1 => {
                return Err(Torn::Bad("a group with more fields than the schema has"));
            }
            children => groups.push((children, if n == 0 { 0 } else { path })),
        }
        if groups.len() > DEEPEST_COLUMN {
            return Err(Torn::Bad("a schema nested more than 64 deep"));
        }
    }
    if groups.iter().any(|(children, _)| *children > 0) {
        return Err(Torn::Bad("a group with more fields than the schema has"));
    }
    if leaves > MOST_COLUMNS {
        return Err(Torn::Bad("more than 100000 columns"));
    }
    if path_bytes > MOST_PATH_BYTES {
        return Err(Torn::Bad("names of columns that are too long"));
    }
    Ok(leaves)
}

#[derive(Default)]
struct Element {
    kind: Option<i32>,
    length: i32,
    name_bytes: usize,
    children: usize,
}

impl Element {
    fn read(thrift: &mut Thrift<'_>) -> Result<Self, Torn> {
        let mut element = Self::default();
        let mut fields = Fields::default();
        while let Some(field) = thrift.field(&mut fields)? {
            match field {
                (1, I32) => element.kind = Some(thrift.i32()?),
                (2, I32) => element.length = thrift.i32()?,
                (4, BINARY) => element.name_bytes = thrift.binary()?.len(),
                (5, I32) => {
                    let children = thrift.i32()?;
                    element.children =
                        usize::try_from(children).map_err(|_| Torn::Bad("a group with a negative number of fields"))?;
                }
                (1 | 2 | 4 | 5, _) => return Err(Torn::Bad("an element of the schema of another type")),
                (_, kind) => thrift.skip(kind)?,
            }
        }
        Ok(element)
    }
}

/// The header of a page, with the sizes that it claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PageHeader {
    pub(crate) bytes: usize,
    pub(crate) uncompressed: usize,
    pub(crate) compressed: usize,
    /// CRC-32 of the bytes after the header, as they are in the file.
    pub(crate) checksum: Option<u32>,
    pub(crate) kind: PageKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PageKind {
    /// Any other page, such as an index page, which no known writer produces.
    Other,
    Dictionary {
        values: usize,
        encoding: i32,
    },
    Data {
        values: usize,
        encoding: i32,
        definition_encoding: i32,
        repetition_encoding: i32,
    },
    DataV2 {
        values: usize,
        encoding: i32,
        definition_bytes: usize,
        repetition_bytes: usize,
        compressed: bool,
    },
}

impl PageHeader {
    /// Returns [`Torn::End`] if more bytes may help.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, Torn> {
        let mut thrift = Thrift::new(bytes);
        let mut fields = Fields::default();
        let (mut kind, mut uncompressed, mut compressed) = (None, None, None);
        let (mut data, mut dictionary, mut data_v2) = (None, None, None);
        let mut checksum = None;
        while let Some(field) = thrift.field(&mut fields)? {
            match field {
                (1, I32) => kind = Some(thrift.i32()?),
                (2, I32) => uncompressed = Some(size(thrift.i32()?)?),
                (3, I32) => compressed = Some(size(thrift.i32()?)?),
                (4, I32) => checksum = Some(thrift.i32()? as u32),
                (5, STRUCT) => data = Some(Numbers::read(&mut thrift)?),
                (7, STRUCT) => dictionary = Some(Numbers::read(&mut thrift)?),
                (8, STRUCT) => data_v2 = Some(Numbers::read(&mut thrift)?),
                (_, kind) => thrift.skip(kind)?,
            }
        }
        let missing = Torn::Bad("a page header without a required field");
        let kind = match (kind.ok_or(missing)?, data, dictionary, data_v2) {
            (0, Some(data), _, _) => PageKind::Data {
                values: data.size(1)?,
                encoding: data.number(2)?,
                definition_encoding: data.number(3)?,
                repetition_encoding: data.number(4)?,
            },
            (2, _, Some(dictionary), _) => {
                PageKind::Dictionary { values: dictionary.size(1)?, encoding: dictionary.number(2)? }
            }
            (3, _, _, Some(data)) => PageKind::DataV2 {
                values: data.size(1)?,
                encoding: data.number(4)?,
                definition_bytes: data.size(5)?,
                repetition_bytes: data.size(6)?,
                compressed: !data.not_compressed,
            },
            (0 | 2 | 3, ..) => return Err(missing),
            _ => PageKind::Other,
        };
        let (uncompressed, compressed) = (uncompressed.ok_or(missing)?, compressed.ok_or(missing)?);
        Ok(Self { bytes: thrift.position(), uncompressed, compressed, checksum, kind })
    }
}

fn size(number: i32) -> Result<usize, Torn> {
    usize::try_from(number).map_err(|_| Torn::Bad("a page header with a negative size"))
}

/// The integers of a struct, by field id.
#[derive(Default)]
struct Numbers {
    found: [Option<i32>; 7],
    /// Whether field 7 is present and false.
    not_compressed: bool,
}

impl Numbers {
    fn read(thrift: &mut Thrift<'_>) -> Result<Self, Torn> {
        let mut numbers = Self::default();
        let mut fields = Fields::default();
        while let Some((id, kind)) = thrift.field(&mut fields)? {
            match (usize::try_from(id), kind) {
                (Ok(id), I32) if id < numbers.found.len() => numbers.found[id] = Some(thrift.i32()?),
                (Ok(7), TRUE | FALSE) => numbers.not_compressed = kind == FALSE,
                _ => thrift.skip(kind)?,
            }
        }
        Ok(numbers)
    }

    fn number(&self, field: usize) -> Result<i32, Torn> {
        self.found[field].ok_or(Torn::Bad("a page header without a required field"))
    }

    fn size(&self, field: usize) -> Result<usize, Torn> {
        size(self.number(field)?)
    }
}

/// Writes a page header that [`PageHeader::read`] and the parquet crate can read.
#[derive(Debug, Default)]
pub(crate) struct HeaderWriter {
    bytes: Vec<u8>,
    last: Vec<u8>,
}

impl HeaderWriter {
    pub(crate) fn new() -> Self {
        Self { bytes: Vec::new(), last: vec![0] }
    }

    fn field(&mut self, id: u8, kind: u8) {
        let last = self.last.last_mut().map(|last| std::mem::replace(last, id)).unwrap_or_default();
        self.bytes.push((id - last) << 4 | kind);
    }

    pub(crate) fn number(&mut self, id: u8, number: u32) {
        self.field(id, I32);
        // the zigzag encoding of a number that is not negative is twice the number
        push_varint(&mut self.bytes, u64::from(number) << 1);
    }

    pub(crate) fn open(&mut self, id: u8) {
        self.field(id, STRUCT);
        self.last.push(0);
    }

    pub(crate) fn close(&mut self) {
        self.bytes.push(0);
        self.last.pop();
    }

    /// Ends the header and returns it.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        self.bytes.push(0);
        self.bytes
    }
}

#[cfg(test)]
mod tests;

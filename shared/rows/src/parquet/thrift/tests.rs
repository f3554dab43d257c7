use proptest::prelude::*;

use super::*;

/// Returns a footer with only a schema. An element is its name, its number of children, and whether it is a leaf.
fn footer(elements: &[(&str, u32, bool)]) -> Vec<u8> {
    let mut bytes = vec![0x29, 0xfc];
    let mut count = elements.len();
    while count >= 0x80 {
        bytes.push(count as u8 | 0x80);
        count >>= 7;
    }
    bytes.push(count as u8);
    for (name, children, leaf) in elements {
        let mut element = HeaderWriter::new();
        if *leaf {
            element.number(1, 1);
        }
        element.field(4, BINARY);
        assert!(name.len() < 0x80);
        element.bytes.push(name.len() as u8);
        element.bytes.extend_from_slice(name.as_bytes());
        if *children > 0 {
            element.number(5, *children);
        }
        bytes.extend(element.finish());
    }
    bytes.push(0);
    bytes
}

fn refused(elements: &[(&str, u32, bool)]) -> &'static str {
    match check_footer(&footer(elements)) {
        Err(Torn::Bad(what)) => what,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_footer_is_refused_before_it_costs_anything() {
    assert_eq!(check_footer(&footer(&[("m", 2, false), ("a", 0, true), ("g", 1, false), ("b", 0, true)])), Ok(false));
    assert_eq!(check_footer(&footer(&[("m", 0, false)])), Ok(false));
    let mut encrypted = footer(&[("m", 0, false)]);
    // field 8, six after the schema's, before the end of the footer: a struct without fields
    encrypted.splice(encrypted.len() - 1.., [0x6c, 0, 0]);
    assert_eq!(check_footer(&encrypted), Ok(true));
    assert_eq!(refused(&[("m", 1, false)]), "a group with more fields than the schema has");
    assert_eq!(refused(&[("m", u32::MAX >> 1, false), ("a", 0, true)]), "a group with more fields than the schema has");
    assert_eq!(
        refused(&[("m", 1, false), ("a", 0, true), ("b", 0, true)]),
        "a schema with more elements than its groups have"
    );
    assert_eq!(refused(&[("m", 1, false), ("a", 0, false)]), "a group without fields in the schema");
    let mut deep = vec![("g", 1, false); 100_000];
    deep.push(("a", 0, true));
    assert_eq!(refused(&deep), "a schema nested more than 64 deep");
    let mut wide = vec![("m", 100_001, false)];
    wide.resize(100_002, ("a", 0, true));
    assert_eq!(refused(&wide), "more than 100000 columns");
    let name = "x".repeat(120);
    let mut long = vec![(&*name, 1, false); 60];
    long.push((&name, 50_000, false));
    long.resize(50_061, (&name, 0, true));
    assert_eq!(refused(&long), "names of columns that are too long");

    // two billion row groups, key-value pairs, or elements of an unknown field
    for list in [[0x49, 0xfc], [0x59, 0xfc], [0xb9, 0xfc]] {
        let mut bytes = footer(&[("m", 1, false), ("a", 0, true)]);
        bytes.pop();
        bytes.push(list[0] - 0x20);
        bytes.extend([list[1], 0xff, 0xff, 0xff, 0xff, 0x07, 0]);
        assert_eq!(check_footer(&bytes), Err(Torn::Bad("a list with more elements than there are bytes")));
    }
    let nested = [vec![0x19; 1000], vec![0; 1000]].concat();
    assert_eq!(check_footer(&nested), Err(Torn::Bad("values nested too deep")));
}

#[test]
fn what_has_a_field_s_number_and_another_type_is_passed_over() {
    // metadata of a column chunk: the number of values, a list in place of a filter's length, and a field after it
    let column = [0x56, 0x06, 0xa9, 0x23, 1, 2, 0x1c, 0, 0];
    let file = |column: &[u8]| [&[0x49, 0x1c, 0x19, 0x1c, 0x3c], column, &[0, 0, 0]].concat();
    let expected = [0x56, 0x06, 0x09, 0xd0, 0x0f, 0x23, 1, 2, 0x0c, 0x20, 0, 0];
    assert_eq!(*renumbered(&file(&column)).unwrap(), *file(&expected));
    let right = file(&[0x56, 0x06, 0xa5, 0x02, 0x1c, 0, 0]);
    assert!(matches!(renumbered(&right), Ok(Cow::Borrowed(bytes)) if bytes == right));
}

#[test]
fn a_page_header_reads_as_it_was_written() {
    let mut writer = HeaderWriter::new();
    writer.number(1, 3);
    writer.number(2, 300);
    writer.number(3, 7);
    writer.number(4, 9);
    writer.open(8);
    for (field, number) in [(1, 70_000), (2, 1), (3, 2), (4, 8), (5, 6), (6, 5)] {
        writer.number(field, number);
    }
    writer.close();
    let bytes = writer.finish();
    let kind =
        PageKind::DataV2 { values: 70_000, encoding: 8, definition_bytes: 6, repetition_bytes: 5, compressed: true };
    let header = PageHeader { bytes: bytes.len(), uncompressed: 300, compressed: 7, checksum: Some(9), kind };
    assert_eq!(PageHeader::read(&bytes), Ok(header));
    for end in 0..bytes.len() {
        assert_eq!(PageHeader::read(&bytes[..end]), Err(Torn::End));
    }
    // a compressed size of -1 bytes
    assert_eq!(PageHeader::read(&[0x15, 0, 0x15, 2, 0x15, 1, 0]), Err(Torn::Bad("a page header with a negative size")));
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(
        prop_oneof![any::<u8>(), prop::sample::select(vec![0x15, 0x19, 0x1c, 0x29, 0x49, 0x2c, 0])], 0..200)) {
        if check_footer(&bytes).is_ok() {
            prop_assert!(!bytes.is_empty());
            let _ = renumbered(&bytes).map(|mended| assert!(mended.len() >= bytes.len()));
        }
        if let Ok(header) = PageHeader::read(&bytes) {
            prop_assert!(header.bytes <= bytes.len());
        }
    }
}

//! Parquet's packed integers, checked before the parquet crate decodes them: levels and dictionary indices (runs of
//! equal or bit-packed values), and the delta encodings.

/// What is wrong with a page.
pub(crate) type Fault = &'static str;

const CUT_OFF: Fault = "a page ends before its values";

/// A sequence of values.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Run<'a> {
    /// A value, and how often it repeats.
    Same(u32, usize),
    /// The packed bytes, the bits of each value, and the number of values.
    Packed(&'a [u8], u8, usize),
}

impl Run<'_> {
    /// Calls `value` with every value and its count. Equal values come together.
    pub(crate) fn each(self, mut value: impl FnMut(u32, usize)) {
        match self {
            Run::Same(same, count) => value(same, count),
            Run::Packed(_, 0, count) => value(0, count),
            Run::Packed(bytes, width, count) => {
                let mask = (1_u64 << width) - 1;
                let (mut bits, mut there, mut bytes) = (0_u64, 0, bytes.iter());
                for _ in 0..count {
                    while there < u32::from(width) {
                        bits |= u64::from(*bytes.next().unwrap_or(&0)) << there;
                        there += 8;
                    }
                    value((bits & mask) as u32, 1);
                    bits >>= width;
                    there -= u32::from(width);
                }
            }
        }
    }
}

/// Goes through the runs that hold `count` values of `width` bits, at most 32. Returns the bytes that they take.
pub(crate) fn runs(bytes: &[u8], width: u8, count: usize, mut each: impl FnMut(Run<'_>)) -> Result<usize, Fault> {
    if width > 32 {
        return Err("a page with values of more than 32 bits");
    }
    let (mut at, mut left) = (0, count);
    while left > 0 {
        let header = varint(bytes, &mut at)?;
        let length = usize::try_from(header >> 1).map_err(|_| "a run that is too long")?;
        if length == 0 {
            return Err("a run without values");
        }
        if header & 1 == 0 {
            let value_bytes = usize::from(width).div_ceil(8);
            let value = bytes.get(at..at + value_bytes).ok_or(CUT_OFF)?;
            at += value_bytes;
            let value = value.iter().rev().fold(0_u64, |value, byte| value << 8 | u64::from(*byte));
            let value = u32::try_from(value).map_err(|_| "a run of a value that is too large")?;
            let here = length.min(left);
            each(Run::Same(value, here));
            left -= here;
        } else {
            // groups of eight; writers may omit the end of the last one
            let packed = length.checked_mul(usize::from(width)).ok_or("a run that is too long")?;
            let packed = &bytes[at..bytes.len().min(at.saturating_add(packed))];
            let there = match width {
                0 => left,
                width => packed.len() * 8 / usize::from(width),
            };
            let here = length.saturating_mul(8).min(left);
            if here > there {
                return Err(CUT_OFF);
            }
            at += packed.len();
            each(Run::Packed(packed, width, here));
            left -= here;
        }
    }
    Ok(at)
}

fn varint(bytes: &[u8], at: &mut usize) -> Result<u64, Fault> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let byte = *bytes.get(*at).ok_or(CUT_OFF)?;
        *at += 1;
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(number);
        }
    }
    Err("a number of more than 64 bits")
}

/// Decodes DELTA_BINARY_PACKED, which must hold exactly `count` numbers. Also returns the bytes that they take.
pub(crate) fn deltas(bytes: &[u8], count: usize) -> Result<(Vec<i64>, usize), Fault> {
    const WRONG: Fault = "a page of deltas with blocks that cannot be";
    let mut at = 0;
    let mut number = || varint(bytes, &mut at);
    let (block, miniblocks, total, first) = (number()?, number()?, number()?, zigzag(number()?));
    if total != count as u64 {
        return Err("a page of deltas with more or fewer values than it should have");
    }
    let block = usize::try_from(block).ok().filter(|block| *block <= 1 << 20).ok_or(WRONG)?;
    let miniblocks = usize::try_from(miniblocks).ok().filter(|n| (1..=1 << 12).contains(n)).ok_or(WRONG)?;
    let in_miniblock = block / miniblocks;
    if block % miniblocks != 0 || in_miniblock == 0 || in_miniblock % 8 != 0 {
        return Err(WRONG);
    }
    let mut values = Vec::new();
    if count > 0 {
        values.push(first);
    }
    let mut last = first;
    while values.len() < count {
        let least = zigzag(varint(bytes, &mut at)?);
        let widths = bytes.get(at..at + miniblocks).ok_or(CUT_OFF)?;
        at += miniblocks;
        for width in widths {
            // miniblocks after the last value are not stored
            let here = in_miniblock.min(count - values.len());
            if here == 0 {
                break;
            }
            if *width > 64 {
                return Err("a page with values of more than 64 bits");
            }
            let packed = bytes.get(at..at + in_miniblock / 8 * usize::from(*width)).ok_or(CUT_OFF)?;
            at += packed.len();
            let (mut bits, mut there, mut packed) = (0_u128, 0, packed.iter());
            let mask = (1_u128 << width) - 1;
            for _ in 0..here {
                while there < u32::from(*width) {
                    bits |= u128::from(*packed.next().unwrap_or(&0)) << there;
                    there += 8;
                }
                last = last.wrapping_add(least).wrapping_add((bits & mask) as i64);
                values.push(last);
                bits >>= width;
                there -= u32::from(*width);
            }
        }
    }
    Ok((values, at))
}

fn zigzag(number: u64) -> i64 {
    (number >> 1) as i64 ^ -((number & 1) as i64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn runs_are_counted_and_end_where_they_end() {
        let mut seen = Vec::new();
        // three times 5, then eight values of 3 bits: 0 to 7
        let bytes = [6, 5, 3, 0b1000_1000, 0b1100_0110, 0b1111_1010, 0xff];
        let used = runs(&bytes, 3, 10, |run| run.each(|value, count| seen.extend(vec![value; count])));
        assert_eq!((used, seen), (Ok(6), vec![5, 5, 5, 0, 1, 2, 3, 4, 5, 6]));
        for torn in [&[][..], &[6], &[0, 5], &[3, 0x88], &[0xff; 11]] {
            assert!(runs(torn, 3, 10, |_| ()).is_err(), "{torn:?}");
        }
        assert!(runs(&[6, 5], 33, 1, |_| ()).is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_make_them_panic(
            bytes in prop::collection::vec(any::<u8>(), 0..100),
            width in 0_u8..40,
            count in prop_oneof![0_usize..100, Just(1 << 24)],
        ) {
            let mut seen = 0;
            let read = runs(&bytes, width, count, |run| match run {
                Run::Same(_, n) | Run::Packed(_, _, n) => seen += n,
            });
            prop_assert!(read.is_err() || seen == count);
            if let Ok((values, used)) = deltas(&bytes, count.min(1000)) {
                prop_assert!(values.len() == count.min(1000) && used <= bytes.len());
            }
        }
    }
}

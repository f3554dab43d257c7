use std::sync::Arc;

use arrow::array::{Float64Array, StringArray};
use proptest::prelude::*;

use super::*;

fn repeats(values: &[u8], hashes: usize, most: usize) -> (u64, Vec<(u64, Option<u64>, bool)>) {
    let mut distinct = Distinct::new(hashes, most);
    for (n, value) in values.iter().enumerate() {
        // neighbouring values share the first half
        let digest = Digest(u64::from(value / 2), (value % 2).into());
        distinct.see(digest, n as u64 + 1, || Some(value.to_string())).unwrap();
    }
    let (count, examples) = distinct.finish().unwrap();
    (count, examples.into_iter().map(|example| (example.line, example.first_line, example.value.is_some())).collect())
}

proptest! {
    #[test]
    fn runs_on_disk_find_what_memory_finds(values in proptest::collection::vec(0u8..200, 0..600), most in 0usize..8) {
        let (in_memory, on_disk) = (repeats(&values, 1 << 10, most), repeats(&values, 64, most));
        prop_assert_eq!(in_memory.0, on_disk.0);
        let lines = |found: &[(u64, Option<u64>, bool)]| -> Vec<_> { found.iter().map(|e| (e.0, e.1)).collect() };
        prop_assert_eq!(lines(&in_memory.1), lines(&on_disk.1));
        prop_assert!(in_memory.1.iter().all(|example| example.2));

        let mut first = std::collections::HashMap::new();
        let expected: Vec<(u64, Option<u64>)> = (1..).zip(&values).filter_map(|(line, value)| {
            let first_line = *first.entry(value).or_insert(line);
            (first_line != line).then_some((line, Some(first_line)))
        }).collect();
        prop_assert_eq!(in_memory.0, expected.len() as u64);
        prop_assert_eq!(lines(&in_memory.1), &expected[..most.min(expected.len())]);
    }
}

#[test]
fn equal_values_have_equal_hashes_and_others_others() {
    let keyed = Keyed::new();
    let of = |columns: &[ArrayRef]| {
        let mut found = Vec::new();
        keyed
            .each(columns, |row, digest| {
                found.push((row, digest));
                Ok(())
            })
            .unwrap();
        found
    };
    let numbers: ArrayRef = Arc::new(Float64Array::from(vec![Some(0.0), Some(-0.0), None, Some(1.0)]));
    let found = of(&[numbers]);
    assert_eq!(found.iter().map(|(row, _)| *row).collect::<Vec<_>>(), [0, 1, 3]);
    assert!(found[0].1 == found[1].1 && found[0].1 != found[2].1);
    // the boundary between columns counts
    let one: ArrayRef = Arc::new(StringArray::from(vec!["a", "ab", "ab"]));
    let other: ArrayRef = Arc::new(StringArray::from(vec!["bc", "c", "c"]));
    let found = of(&[one, other]);
    assert!(found[0].1 != found[1].1 && found[1].1 == found[2].1);
}

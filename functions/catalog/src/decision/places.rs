//! Places: the locations in S3 that a decision, the journal or Glue points at.

use std::collections::BTreeSet;

use contract::RunId;

/// A set of locations, each with a slash at its end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Places(BTreeSet<String>);

impl Places {
    /// Adds a location. An empty one is ignored.
    pub(crate) fn add(&mut self, location: &str) {
        if !location.is_empty() {
            self.0.insert(format!("{}/", location.trim_end_matches('/')));
        }
    }

    pub(crate) fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// Whether a location is this folder, inside it, or a folder that contains it.
    pub(crate) fn covers(&self, folder: &str) -> bool {
        let within = self.0.range(folder.to_owned()..).next().is_some_and(|place| place.starts_with(folder));
        within || self.holds(folder)
    }

    /// Whether this folder is one of the locations or inside one.
    pub(crate) fn holds(&self, folder: &str) -> bool {
        folder.match_indices('/').map(|(at, _)| &folder[..=at]).any(|above| self.0.contains(above))
    }

    /// Returns the runs whose folders the locations are in.
    pub(crate) fn runs(&self) -> BTreeSet<RunId> {
        self.0.iter().flat_map(|place| place.split('/')).filter_map(RunId::parse).collect()
    }
}

impl<'a> FromIterator<&'a str> for Places {
    fn from_iter<T: IntoIterator<Item = &'a str>>(locations: T) -> Self {
        let mut places = Self::default();
        locations.into_iter().for_each(|location| places.add(location));
        places
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_points_anywhere_near_a_folder_keeps_it() {
        let places = Places::from_iter(["s3://b/t/r1", "s3://b/t/r2/d=1/", "s3://b/u/", ""]);
        for (folder, expected) in [
            ("s3://b/t/r1/", true),
            ("s3://b/t/r2/", true),
            ("s3://b/u/r1/", true),
            ("s3://b/t/r/", false),
            ("s3://b/t/r11/", false),
            ("s3://b/t/r3/", false),
            ("s3://b/v/r1/", false),
        ] {
            assert_eq!(places.covers(folder), expected, "{folder}");
        }
        assert!(places.holds("s3://b/t/r1/d=1/") && !places.holds("s3://b/t/r2/"));
    }

    #[test]
    fn places_name_the_runs_that_they_are_of() {
        let places = Places::from_iter(["s3://b/t/20261123T034500123Z-aaaa/d=1/", "s3://b/u/"]);
        assert_eq!(places.runs(), [RunId::parse("20261123T034500123Z-aaaa").unwrap()].into());
    }
}

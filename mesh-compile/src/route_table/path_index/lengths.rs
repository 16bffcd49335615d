//! Which beginnings of a path are worth a look: those of lengths that occur.

use crate::route_table::text_hash::{HashedPath, NOTED, Places};

/// Lengths of prefixes. Most prefixes end with a slash: for them the slashes of the path tell which lengths to try.
#[derive(Debug, Clone, Default)]
pub(super) struct Lengths {
    /// Last bytes of prefixes that end with a slash.
    slashes: Places,
    /// Last bytes of others.
    others: Places,
    /// Beyond the places noted, longest first.
    long: Vec<usize>,
    /// Whether there is an empty prefix.
    has_empty: bool,
}

impl Lengths {
    /// Adds the length of a prefix.
    pub(super) fn add(&mut self, prefix: &[u8]) {
        match (prefix.len(), prefix.last()) {
            (0, _) => self.has_empty = true,
            (length @ 1..=NOTED, Some(b'/')) => self.slashes.add(length - 1),
            (length @ 1..=NOTED, _) => self.others.add(length - 1),
            (length, _) => self.long.push(length),
        }
    }

    /// To be called once, after the last `add`.
    pub(super) fn seal(&mut self) {
        self.long.sort_unstable_by(|a, b| b.cmp(a));
        self.long.dedup();
        self.long.shrink_to_fit();
    }

    /// Whether prefixes reach beyond the places noted.
    #[inline]
    pub(super) fn has_long(&self) -> bool {
        !self.long.is_empty()
    }

    /// Where slashes are worth noting.
    #[inline]
    pub(super) fn slashes(&self) -> Places {
        self.slashes
    }

    /// Where a prefix of this path may end, apart from the empty one and from long ones.
    #[inline]
    pub(super) fn places(&self, path: &HashedPath<'_>) -> Places {
        path.slashes().and(self.slashes).or(self.others.before(path.path().len()))
    }

    /// Lengths that a prefix of this path may have, longest first.
    #[inline]
    pub(super) fn of<'l>(&'l self, path: &HashedPath<'_>) -> impl Iterator<Item = usize> + use<'l> {
        let end = path.path().len();
        // Most hosts have none.
        let long = self.long.iter().copied().filter(move |length| *length <= end);
        let mut places = self.places(path);
        let noted = std::iter::from_fn(move || places.pop_last().map(|place| place + 1));
        long.chain(noted).chain(self.has_empty.then_some(0))
    }
}

//! Hosts that overlap with a host, found without looking at each.

use std::collections::BTreeMap;
use std::ops::Bound;

/// Owners by host; hosts may start with a wildcard.
pub(super) struct Overlaps {
    /// What follows the star of a wildcard, or a whole host, backwards: hosts of one ending are neighbours.
    exact: BTreeMap<String, Vec<usize>>,
    wildcards: BTreeMap<String, Vec<usize>>,
}

impl Overlaps {
    /// Indexes hosts with their owners.
    pub(super) fn new<'h>(hosts: impl Iterator<Item = (&'h str, usize)>) -> Self {
        let mut overlaps = Self { exact: BTreeMap::new(), wildcards: BTreeMap::new() };
        for (host, owner) in hosts {
            let (map, text) = match host.strip_prefix('*') {
                Some(suffix) => (&mut overlaps.wildcards, suffix),
                None => (&mut overlaps.exact, host),
            };
            let owners = map.entry(backwards(text)).or_default();
            if owners.last() != Some(&owner) {
                owners.push(owner);
            }
        }
        overlaps
    }

    /// The first few owners, `me` excepted, of hosts that share a name with `host`.
    pub(super) fn owners(&self, host: &str, me: usize, max: usize) -> Vec<usize> {
        let mut found = Vec::new();
        let mut add = |owners: &[usize]| {
            for owner in owners.iter().copied().filter(|owner| *owner != me) {
                if found.len() < max && !found.contains(&owner) {
                    found.push(owner);
                }
            }
            found.len() < max
        };
        let suffix = host.strip_prefix('*');
        let text = backwards(suffix.unwrap_or(host));
        if suffix.is_none() && !self.exact.get(&text).is_none_or(|owners| add(owners)) {
            return found;
        }
        // Wildcards that are as wide or wider.
        let ends = text.char_indices().map(|(end, _)| end).chain([text.len()]);
        for wider in ends.filter_map(|end| text.get(..end)) {
            if !self.wildcards.get(wider).is_none_or(|owners| add(owners)) {
                return found;
            }
        }
        // Hosts that this wildcard covers.
        if suffix.is_some() {
            for map in [&self.exact, &self.wildcards] {
                let from = (Bound::Included(text.clone()), Bound::Unbounded);
                for (_, owners) in map.range(from).take_while(|(covered, _)| covered.starts_with(&text)) {
                    if !add(owners) {
                        return found;
                    }
                }
            }
        }
        found
    }
}

fn backwards(text: &str) -> String {
    text.chars().rev().collect()
}

#[cfg(test)]
mod tests {
    use mesh_model::name::host_matches;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_index_finds_what_a_scan_finds(
            hosts in proptest::collection::vec(r"\*?[a.]{0,4}", 0..12),
            wanted in r"\*?[a.]{0,4}",
        ) {
            let index = Overlaps::new(hosts.iter().enumerate().map(|(owner, host)| (host.as_str(), owner)));
            let mut found = index.owners(&wanted, 0, 100);
            found.sort_unstable();
            let scanned: Vec<usize> =
                (1..hosts.len()).filter(|owner| host_matches(&hosts[*owner], &wanted)).collect();
            prop_assert_eq!(found, scanned);
        }
    }
}

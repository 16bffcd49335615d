//! Hosts that may start with a wildcard: overlap, cover, precedence (T-030..T-033).
//!
//! The functions take `&str` because configuration is full of hosts that were never checked; [`HostPattern`] is
//! the checked form. Comparisons are on bytes: case counts (E-030).

use std::borrow::Borrow;
use std::cmp::{Ordering, Reverse};
use std::collections::BTreeMap;

use super::NameError;
use super::dns::{check_labels, check_length, is_plain_name, is_wildcard_label, name_type};

fn check(text: &str) -> Result<(), NameError> {
    if is_plain_name(text) {
        return Ok(());
    }
    check_length(text)?;
    let (first, rest) = text.split_once('.').map_or((text, None), |(first, rest)| (first, Some(rest)));
    if !is_wildcard_label(first) {
        return Err(NameError::BadLabel { label: first.to_owned() });
    }
    rest.map_or(Ok(()), check_labels)
}

name_type! {
    /// A DNS name whose first label may be `*`, `*label` or `*-label` (T-047). Addresses are not patterns.
    ///
    /// ```
    /// # use mesh_model::name::HostPattern;
    /// let wildcard = HostPattern::parse("*.foo.com")?;
    /// let exact = HostPattern::parse("x.y.foo.com")?;
    /// assert!(wildcard.matches(&exact) && exact.matches(&wildcard));
    /// assert!(exact.is_subset_of(&wildcard) && !wildcard.is_subset_of(&exact));
    /// # Ok::<(), mesh_model::name::NameError>(())
    /// ```
    HostPattern, check
}

impl HostPattern {
    /// Whether it starts with `*` (T-030).
    pub fn is_wildcard(&self) -> bool {
        is_wildcard(self.as_str())
    }

    /// Whether the two overlap (T-031).
    pub fn matches(&self, other: &Self) -> bool {
        host_matches(self.as_str(), other.as_str())
    }

    /// Whether `other` covers this one (T-031).
    pub fn is_subset_of(&self, other: &Self) -> bool {
        host_subset_of(self.as_str(), other.as_str())
    }

    /// `Less` when this one is the more specific (T-032).
    pub fn compare_specificity(&self, other: &Self) -> Ordering {
        compare_specificity(self.as_str(), other.as_str())
    }
}

/// What a wildcard must be followed by: `.foo.com` for `*.foo.com`; `None` for an exact host (T-030).
fn suffix_of(host: &str) -> Option<&str> {
    host.strip_prefix('*')
}

/// Whether the first byte is `*` (T-030).
pub fn is_wildcard(host: &str) -> bool {
    suffix_of(host).is_some()
}

/// Whether two hosts overlap; symmetric (T-031).
///
/// ```
/// # use mesh_model::name::host_matches;
/// assert!(host_matches("*.com", "*.foo.com"));
/// assert!(!host_matches("*.foo.com", "foo.com"));
/// ```
pub fn host_matches(left: &str, right: &str) -> bool {
    match (suffix_of(left), suffix_of(right)) {
        (Some(left), Some(right)) => left.ends_with(right) || right.ends_with(left),
        (Some(left), None) => right.ends_with(left),
        (None, Some(right)) => left.ends_with(right),
        (None, None) => left == right,
    }
}

/// Whether every host of `inner` is a host of `outer` (T-031).
pub fn host_subset_of(inner: &str, outer: &str) -> bool {
    match (suffix_of(inner), suffix_of(outer)) {
        (Some(inner), Some(outer)) => inner.ends_with(outer),
        (Some(_), None) => false,
        (None, Some(outer)) => inner.ends_with(outer),
        (None, None) => inner == outer,
    }
}

/// The narrower of two hosts when one covers the other (T-416).
pub fn host_intersection<'h>(left: &'h str, right: &'h str) -> Option<&'h str> {
    if host_subset_of(left, right) {
        Some(left)
    } else if host_subset_of(right, left) {
        Some(right)
    } else {
        None
    }
}

/// Orders hosts from the most specific: exact, then longer, then by text (T-032).
///
/// ```
/// # use mesh_model::name::compare_specificity;
/// let mut hosts = ["*", "*.com", "b.io", "a.io", "*.foo.com"];
/// hosts.sort_by(|left, right| compare_specificity(left, right));
/// assert_eq!(hosts, ["a.io", "b.io", "*.foo.com", "*.com", "*"]);
/// ```
pub fn compare_specificity(left: &str, right: &str) -> Ordering {
    let rank = |host: &str| (is_wildcard(host), Reverse(host.len()));
    rank(left).cmp(&rank(right)).then_with(|| left.cmp(right))
}

/// The entry that applies to `needle`: its own, else the most specific wildcard that covers it (T-033).
///
/// Exact entries never match a wildcard needle. Cost: one look-up, then a scan of the wildcards; where they are many,
/// a look-up for each end of the needle.
pub fn most_specific_match<'m, K, V>(
    needle: &str,
    exact: &'m BTreeMap<K, V>,
    wildcards: &'m BTreeMap<K, V>,
) -> Option<(&'m K, &'m V)>
where
    K: Borrow<str> + Ord,
{
    let own_entries = if is_wildcard(needle) { wildcards } else { exact };
    if let Some(entry) = own_entries.get_key_value(needle) {
        return Some(entry);
    }
    let covered = suffix_of(needle).unwrap_or(needle);
    if wildcards.len() > SCANNED_MAX {
        let ends = covered.char_indices().map(|(start, _)| start).chain([covered.len()]);
        return ends
            .filter_map(|start| covered.get(start..))
            .find_map(|end| wildcards.get_key_value(format!("*{end}").as_str()));
    }
    scan(covered, wildcards)
}

/// Wildcards up to this number are scanned.
const SCANNED_MAX: usize = 64;

/// The longest wildcard that covers a text.
fn scan<'m, K, V>(covered: &str, wildcards: &'m BTreeMap<K, V>) -> Option<(&'m K, &'m V)>
where
    K: Borrow<str> + Ord,
{
    wildcards
        .iter()
        .filter(|(host, _)| suffix_of((*host).borrow()).is_some_and(|suffix| covered.ends_with(suffix)))
        .min_by(|(left, _), (right, _)| compare_specificity((*left).borrow(), (*right).borrow()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn wildcards_compare_by_suffix() {
        for (left, right, overlap) in [
            ("foo.com", "foo.com", true),
            ("foo.com", "bar.com", false),
            ("*.com", "foo.com", true),
            ("*.foo.com", "foo.com", false),
            ("*.foo.com", "x.y.foo.com", true),
            ("*", "foo.com", true),
            ("*", "*.com", true),
            ("*foo.com", "barfoo.com", true),
            ("*foo.com", "foo.com", true),
            ("*-foo.com", "x-foo.com", true),
            ("*.foo.com", "*.bar.com", false),
            ("*.FOO.com", "x.foo.com", false),
            ("", "*", true),
        ] {
            assert_eq!(host_matches(left, right), overlap, "{left} {right}");
            assert_eq!(host_matches(right, left), overlap, "{right} {left}");
        }
    }

    #[test]
    fn an_exact_host_never_covers_a_wildcard() {
        assert!(!host_subset_of("*.foo.com", "foo.com"));
        assert!(!host_subset_of("*.com", "*.foo.com"));
        assert!(host_subset_of("*.foo.com", "*.com"));
        assert!(host_subset_of("*.foo.com", "*.foo.com"));
    }

    #[test]
    fn the_narrower_host_is_the_intersection() {
        assert_eq!(host_intersection("foo.com", "*.com"), Some("foo.com"));
        assert_eq!(host_intersection("*.net", "*.bar.net"), Some("*.bar.net"));
        assert_eq!(host_intersection("foo.com", "bar.com"), None);
    }

    fn table(hosts: &[&str]) -> BTreeMap<String, ()> {
        hosts.iter().map(|host| ((*host).to_owned(), ())).collect()
    }

    #[test]
    fn the_longest_covering_wildcard_wins() {
        let exact = table(&["a.foo.com", "b.io"]);
        let wildcards = table(&["*", "*.com", "*.foo.com"]);
        for (needle, expected) in [
            ("a.foo.com", "a.foo.com"),
            ("b.foo.com", "*.foo.com"),
            ("foo.com", "*.com"),
            ("*.foo.com", "*.foo.com"),
            ("*.x.foo.com", "*.foo.com"),
            ("*.io", "*"),
            ("A.foo.com", "*.foo.com"),
        ] {
            let found = most_specific_match(needle, &exact, &wildcards).map(|(host, ())| host.as_str());
            assert_eq!(found, Some(expected), "{needle}");
        }
        assert_eq!(most_specific_match("x.org", &exact, &table(&["*.com"])), None);
    }

    #[test]
    fn only_the_first_label_may_hold_the_star() {
        for good in ["*", "*.com", "*foo.com", "*-foo.com", "foo.com.", "123"] {
            assert!(HostPattern::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "a.*.com", "a*.com", "*.*.com", "1.2.3.4", "foo..com", &"a.".repeat(130)] {
            assert!(HostPattern::parse(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn many_wildcards_are_found_as_few_are(
            hosts in proptest::collection::btree_set(r"\*[ab.é]{2,6}", 65..90),
            needle in r"\*?[ab.é]{0,7}",
        ) {
            let wildcards: BTreeMap<String, ()> = hosts.into_iter().map(|host| (host, ())).collect();
            let exact = BTreeMap::new();
            let found = most_specific_match(&needle, &exact, &wildcards);
            let own = wildcards.get_key_value(&needle);
            let expected = own.or_else(|| scan(suffix_of(&needle).unwrap_or(&needle), &wildcards));
            prop_assert_eq!(found, expected);
        }

        #[test]
        fn overlap_is_cover_in_either_direction(left in r"\*?[a.]{0,6}", right in r"\*?[a.]{0,6}") {
            let covers = host_subset_of(&left, &right) || host_subset_of(&right, &left);
            prop_assert_eq!(host_matches(&left, &right), covers);
        }
    }
}

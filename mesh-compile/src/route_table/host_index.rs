//! Which virtual host answers for an authority: exact, suffix wildcards, prefix wildcards, `*` (T-035, E-008).

use std::borrow::Cow;
use std::sync::Arc;

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use super::key_table::{KeyTable, Sort, mark};
use super::text_hash::Seed;

type ByName = HashMap<Box<[u8]>, u32, RandomState>;

/// Names without a colon.
const PLAIN: Sort = Sort::First;
/// Others.
const COLON: Sort = Sort::Second;

/// At most so many names are compared one by one.
const FEW: usize = 4;

/// Domains of a table, each pointing at the position of its virtual host.
#[derive(Debug, Clone)]
pub(super) struct HostIndex {
    seed: Seed,
    /// Names, where they are few.
    few: Vec<(Box<[u8]>, Sort, u32)>,
    /// Names, where they are many.
    names: KeyTable,
    suffixes: Wildcards,
    prefixes: Wildcards,
    any: Option<u32>,
}

/// Wildcards of one kind: what stands beside the `*`, and the lengths that occur, longest first.
#[derive(Debug, Clone, Default)]
struct Wildcards {
    by_text: ByName,
    lengths: Vec<usize>,
}

/// The four shapes of a domain; the text is what stands beside the `*`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DomainShape<'d> {
    /// A name.
    Exact(&'d str),
    /// `*.x`, `*-x`, `*x`.
    Suffix(&'d str),
    /// `x.*`.
    Prefix(&'d str),
    /// `*`.
    Any,
}

/// How well a wildcard covers a host: the greater one wins (T-035).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum WildcardRank {
    /// `*`.
    Any,
    /// `x.*`, with the length of what is written.
    Prefix(usize),
    /// `*.x`, with the length of what is written.
    Suffix(usize),
}

impl<'d> DomainShape<'d> {
    /// The shape of a domain.
    pub(super) fn of(domain: &'d str) -> Self {
        match (domain, domain.strip_prefix('*'), domain.strip_suffix('*')) {
            ("*", ..) => Self::Any,
            (_, Some(suffix), _) => Self::Suffix(suffix),
            (_, None, Some(prefix)) => Self::Prefix(prefix),
            (_, None, None) => Self::Exact(domain),
        }
    }
}

impl HostIndex {
    /// Indexes domains in order; of equal domains the first keeps its place (T-039).
    pub(super) fn new<'d>(domains: impl IntoIterator<Item = (u32, &'d Arc<str>)>) -> Self {
        let domains: Vec<(u32, Cow<'d, str>)> =
            domains.into_iter().map(|(host, domain)| (host, canonical_case(domain))).collect();
        let (mut suffixes, mut prefixes) = (Wildcards::default(), Wildcards::default());
        let mut any = None;
        let mut names = Vec::new();
        for (host, domain) in &domains {
            match DomainShape::of(domain) {
                DomainShape::Exact(name) => names.push((name.as_bytes(), sort_of(name), *host)),
                DomainShape::Suffix(text) => suffixes.insert(text, *host),
                DomainShape::Prefix(text) => prefixes.insert(text, *host),
                DomainShape::Any => {
                    any.get_or_insert(*host);
                }
            }
        }
        suffixes.seal();
        prefixes.seal();
        let seed = Seed::random();
        let mut few = Vec::new();
        if names.len() <= FEW {
            few.extend(names.drain(..).map(|(name, sort, host)| (name.into(), sort, host)));
        }
        Self { seed, few, names: KeyTable::new(seed, names), suffixes, prefixes, any }
    }

    /// The position of the virtual host for an authority as received.
    #[inline]
    pub(super) fn find(&self, authority: &str) -> Option<u32> {
        // A name without colon and upper case is its own canonical form.
        let is_it =
            |(name, sort, _): &&(Box<[u8]>, Sort, u32)| *sort == PLAIN && **name == *authority.as_bytes();
        match self.few.iter().find(is_it) {
            Some((.., host)) => Some(*host),
            None => self.find_among_many(authority),
        }
    }

    #[inline(never)]
    fn find_among_many(&self, authority: &str) -> Option<u32> {
        let plain = if self.few.is_empty() { self.named(authority.as_bytes(), PLAIN) } else { None };
        plain.or_else(|| self.find_canonical(authority))
    }

    fn find_canonical(&self, authority: &str) -> Option<u32> {
        let host = canonical_host(authority);
        self.named_canonical(authority, &host)
            .or_else(|| self.covering(&host, Some).map(|(_, position)| position))
    }

    fn named_canonical(&self, authority: &str, host: &str) -> Option<u32> {
        // The text that came was looked for already.
        let plain = if host == authority { None } else { self.named(host.as_bytes(), PLAIN) };
        plain.or_else(|| self.named(host.as_bytes(), COLON))
    }

    /// The same as [`find`](Self::find) where a name is the authority's, and no wildcard.
    pub(super) fn find_name(&self, authority: &str) -> Option<u32> {
        let plain = self.named(authority.as_bytes(), PLAIN);
        plain.or_else(|| self.named_canonical(authority, &canonical_host(authority)))
    }

    /// The best wildcard that covers a canonical host, among those whose virtual hosts have a place; with that place.
    pub(super) fn covering(
        &self,
        host: &str,
        place: impl Fn(u32) -> Option<u32>,
    ) -> Option<(WildcardRank, u32)> {
        let host = host.as_bytes();
        let any = || Some((WildcardRank::Any, place(self.any?)?));
        self.suffixes
            .longest(host, |length| host.get(host.len() - length..), &place)
            .map(|(length, found)| (WildcardRank::Suffix(length), found))
            .or_else(|| {
                let (length, found) = self.prefixes.longest(host, |length| host.get(..length), &place)?;
                Some((WildcardRank::Prefix(length), found))
            })
            .or_else(any)
    }

    /// The virtual host that has this very domain, in lower case.
    pub(super) fn holder(&self, domain: &str) -> Option<u32> {
        match DomainShape::of(domain) {
            DomainShape::Exact(name) => self.named(name.as_bytes(), sort_of(name)),
            DomainShape::Suffix(text) => self.suffixes.by_text.get(text.as_bytes()).copied(),
            DomainShape::Prefix(text) => self.prefixes.by_text.get(text.as_bytes()).copied(),
            DomainShape::Any => self.any,
        }
    }

    #[inline]
    fn named(&self, name: &[u8], sort: Sort) -> Option<u32> {
        if !self.few.is_empty() {
            let found = self.few.iter().find(|(few, its_sort, _)| *its_sort == sort && &**few == name);
            return found.map(|(.., host)| *host);
        }
        let hash = self.seed.hash(name, mark(name.len(), sort));
        self.names.get(hash, name, sort)
    }
}

impl Wildcards {
    fn insert(&mut self, text: &str, host: u32) {
        self.by_text.entry(text.as_bytes().into()).or_insert(host);
        self.lengths.push(text.len());
    }

    fn seal(&mut self) {
        self.lengths.sort_unstable_by(|a, b| b.cmp(a));
        self.lengths.dedup();
    }

    /// The longest wildcard that leaves at least one character for its `*` and whose virtual host has a place; with that.
    fn longest<'h>(
        &self,
        host: &'h [u8],
        part: impl Fn(usize) -> Option<&'h [u8]>,
        place: impl Fn(u32) -> Option<u32>,
    ) -> Option<(usize, u32)> {
        let found = |length: &usize| Some((*length, place(*self.by_text.get(part(*length)?)?)?));
        self.lengths.iter().filter(|length| **length < host.len()).find_map(found)
    }
}

fn sort_of(name: &str) -> Sort {
    if name.contains(':') { COLON } else { PLAIN }
}

/// The host that domains are compared with: no port (T-035, T-038), lower case. Allocates only where a letter changes.
pub(super) fn canonical_host(authority: &str) -> Cow<'_, str> {
    canonical_case(without_port(authority))
}

fn canonical_case(host: &str) -> Cow<'_, str> {
    if has_byte(host, |byte| byte.is_ascii_uppercase()) {
        Cow::Owned(host.to_ascii_lowercase())
    } else {
        Cow::Borrowed(host)
    }
}

/// Without an early exit, so that the compiler looks at many bytes at once.
fn has_byte(text: &str, is_one: impl Fn(u8) -> bool) -> bool {
    text.bytes().fold(false, |has, byte| has | is_one(byte))
}

/// Cuts at the last `:`, unless it stands inside the brackets of an IPv6 literal.
fn without_port(authority: &str) -> &str {
    if !has_byte(authority, |byte| byte == b':') {
        return authority;
    }
    match authority.rsplit_once(':') {
        Some((host, rest)) if !rest.contains(']') => host,
        _ => authority,
    }
}

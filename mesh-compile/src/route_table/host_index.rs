//! Which virtual host answers for an authority: exact, suffix wildcards, prefix wildcards, `*` (T-035, E-008).

use std::borrow::Cow;
use std::sync::Arc;

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use super::key_table::KeyTable;
use super::text_hash::Seed;

type ByName = HashMap<Box<[u8]>, u32, RandomState>;

/// Domains of a table, each pointing at the position of its virtual host.
#[derive(Debug, Clone)]
pub(super) struct HostIndex {
    seed: Seed,
    /// Names without a colon: an authority that is one of them is looked up as it came.
    plain: KeyTable,
    /// Other names.
    others: KeyTable,
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
        let (mut plain, mut others) = (Vec::new(), Vec::new());
        for (host, domain) in &domains {
            match DomainShape::of(domain) {
                DomainShape::Exact(name) => {
                    let names = if name.contains(':') { &mut others } else { &mut plain };
                    names.push((name.as_bytes(), *host));
                }
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
        let [plain, others] = [plain, others].map(|names| KeyTable::new(seed, names));
        Self { seed, plain, others, suffixes, prefixes, any }
    }

    /// The position of the virtual host for an authority as received.
    #[inline]
    pub(super) fn find(&self, authority: &str) -> Option<u32> {
        let text = authority.as_bytes();
        // A name without colon and upper case is its own canonical form.
        self.plain.get(self.seed.hash(text), text).or_else(|| self.find_canonical(authority))
    }

    fn find_canonical(&self, authority: &str) -> Option<u32> {
        let host = canonical_host(authority);
        let host = host.as_bytes();
        let hash = self.seed.hash(host);
        self.plain
            .get(hash, host)
            .or_else(|| self.others.get(hash, host))
            .or_else(|| self.suffixes.longest(host, |length| host.get(host.len() - length..)))
            .or_else(|| self.prefixes.longest(host, |length| host.get(..length)))
            .or(self.any)
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

    /// The longest wildcard that leaves at least one character for its `*`.
    fn longest<'h>(&self, host: &'h [u8], part: impl Fn(usize) -> Option<&'h [u8]>) -> Option<u32> {
        self.lengths
            .iter()
            .filter(|length| **length < host.len())
            .find_map(|length| self.by_text.get(part(*length)?).copied())
    }
}

/// The host that domains are compared with: no port (T-035, T-038), lower case. Allocates only where a letter changes.
pub(super) fn canonical_host(authority: &str) -> Cow<'_, str> {
    canonical_case(without_port(authority))
}

fn canonical_case(host: &str) -> Cow<'_, str> {
    // Without an early exit, so that the compiler looks at many bytes at once.
    if host.bytes().fold(false, |upper, byte| upper | byte.is_ascii_uppercase()) {
        Cow::Owned(host.to_ascii_lowercase())
    } else {
        Cow::Borrowed(host)
    }
}

/// Cuts at the last `:`, unless it stands inside the brackets of an IPv6 literal.
fn without_port(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, rest)) if !rest.contains(']') => host,
        _ => authority,
    }
}

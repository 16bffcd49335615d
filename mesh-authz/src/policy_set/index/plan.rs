//! Which keys are worth looking for: what rules ask for, by subject.

use std::collections::{BTreeMap, HashMap};

use super::Hashed;
use super::fingerprint::{high_half, kind_number, of_subject};
use super::key::{Key, Shape, Subject};

/// What is looked up in a request.
#[derive(Debug, Clone, Default)]
pub(super) struct Plan {
    pub(super) source_ip: Blocks,
    pub(super) remote_ip: Blocks,
    pub(super) destination_ip: Blocks,
    pub(super) has_ports: bool,
    pub(super) has_accounts: bool,
    pub(super) sni: Texts,
    pub(super) identity: Texts,
    /// What stands before a slash and after the one before.
    pub(super) identity_segment: Texts,
    /// What follows `/ns/` in the identity.
    pub(super) after_namespace: Texts,
    pub(super) issuer: Texts,
    pub(super) subject: Texts,
    /// By the first key of the claim's path.
    pub(super) claims: BTreeMap<Box<str>, BTreeMap<Vec<String>, Texts>>,
    pub(super) headers: Headers,
    /// Lower case.
    pub(super) host: Texts,
    pub(super) method: Texts,
    pub(super) path: Texts,
    /// Positions in `path.split('/')`, ascending.
    pub(super) segments: Vec<usize>,
    /// While rules are filed: all kinds of keys, by their numbers.
    kinds: Kinds,
}

/// Kinds of keys that rules could be filed under.
#[derive(Debug, Clone, Default)]
struct Kinds {
    by_number: HashMap<u64, u32, Hashed>,
    all: Vec<Kind>,
}

/// What one look-up in a request finds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    Text(Subject, Cut),
    Account,
    Segment(usize),
    Port,
    /// Whether it is IPv4, and the bits of the prefix.
    Block(Subject, bool, u8),
}

/// Which part of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    Whole,
    /// So many bytes from the start.
    Start(u32),
    /// Up to a slash, the last of so many.
    StartSlash(u32),
    /// So many bytes from the end.
    End(u32),
    /// From a slash, the first of so many.
    EndSlash(u32),
}

/// Deeper slashes are looked up as lengths.
const DEPTH_MAX: usize = 32;

impl Cut {
    pub(super) fn of(shape: Shape, text: &[u8]) -> Self {
        let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
        let slashes = text.iter().filter(|byte| **byte == b'/').count();
        // At most 32.
        let depth = (slashes <= DEPTH_MAX).then_some(slashes as u32);
        match (shape, depth) {
            (Shape::Exact, _) => Self::Whole,
            (Shape::Start, Some(depth)) if text.ends_with(b"/") => Self::StartSlash(depth),
            (Shape::Start, _) => Self::Start(length),
            (Shape::End, Some(depth)) if text.starts_with(b"/") => Self::EndSlash(depth),
            (Shape::End, _) => Self::End(length),
        }
    }
}

/// Texts of one subject: the parts that are looked up, each list ascending.
#[derive(Debug, Clone, Default)]
pub(super) struct Texts {
    pub(super) subject: u64,
    pub(super) has_exact: bool,
    pub(super) starts: Vec<u32>,
    pub(super) start_slashes: Vec<u32>,
    pub(super) ends: Vec<u32>,
    pub(super) end_slashes: Vec<u32>,
}

/// Address blocks of one subject.
#[derive(Debug, Clone, Default)]
pub(super) struct Blocks {
    pub(super) subject: u64,
    /// Lengths of prefixes, each with its mask and its half of the number (`high_half`).
    pub(super) ipv4: Vec<(u8, u32, u64)>,
    /// Lengths of prefixes.
    pub(super) ipv6: Vec<u8>,
}

/// Headers by lower-case name.
#[derive(Debug, Clone, Default)]
pub(super) struct Headers {
    names: BTreeMap<Box<str>, Texts>,
    /// A bit for each length that a name has, modulo 64: most headers of a request are nobody's.
    lengths: u64,
}

impl Headers {
    pub(super) fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Whether a header of this name, in any letter case, may be asked for.
    pub(super) fn may_have(&self, name: &str) -> bool {
        self.lengths & bit(name) != 0
    }

    /// By lower-case name.
    pub(super) fn get(&self, name: &str) -> Option<&Texts> {
        self.names.get(name)
    }
}

fn bit(name: &str) -> u64 {
    1 << (name.len() % 64)
}

impl Texts {
    pub(super) fn is_empty(&self) -> bool {
        !self.has_exact
            && self.starts.is_empty()
            && self.start_slashes.is_empty()
            && self.ends.is_empty()
            && self.end_slashes.is_empty()
    }

    /// Whether places of slashes are needed.
    pub(super) fn has_slashes(&self) -> bool {
        !self.start_slashes.is_empty() || !self.end_slashes.is_empty()
    }

    fn insert(&mut self, subject: &Subject, cut: Cut) {
        self.subject = of_subject(subject);
        match cut {
            Cut::Whole => self.has_exact = true,
            Cut::Start(length) => insert_sorted(&mut self.starts, length),
            Cut::StartSlash(depth) => insert_sorted(&mut self.start_slashes, depth),
            Cut::End(length) => insert_sorted(&mut self.ends, length),
            Cut::EndSlash(depth) => insert_sorted(&mut self.end_slashes, depth),
        }
    }
}

/// Few lengths occur, so finding the place is cheap.
fn insert_sorted<T: Ord>(list: &mut Vec<T>, value: T) {
    if let Err(at) = list.binary_search(&value) {
        list.insert(at, value);
    }
}

impl Plan {
    /// The kind of a key, by number; the same key always has the same.
    pub(super) fn kind(&mut self, key: &Key) -> u32 {
        let number = kind_number(key);
        if let Some(known) = self.kinds.by_number.get(&number) {
            return *known;
        }
        let kind = match key {
            Key::Text(subject, shape, text) => Kind::Text(subject.clone(), Cut::of(*shape, text)),
            Key::Account(..) => Kind::Account,
            Key::Segment(at, _) => Kind::Segment(*at),
            Key::Port(_) => Kind::Port,
            Key::Block(subject, block) => {
                Kind::Block(subject.clone(), block.network().is_ipv4(), block.prefix_bits())
            }
        };
        // Fewer than 2^32: each has a key in a rule.
        let at = u32::try_from(self.kinds.all.len()).unwrap_or(u32::MAX);
        self.kinds.all.push(kind);
        self.kinds.by_number.insert(number, at);
        at
    }

    /// How many kinds there are.
    pub(super) fn kinds(&self) -> usize {
        self.kinds.all.len()
    }

    pub(super) fn is_account(&self, kind: u32) -> bool {
        self.kinds.all.get(kind as usize) == Some(&Kind::Account)
    }

    /// Looks for these kinds, and forgets the others.
    pub(super) fn only(mut self, used: &[bool]) -> Self {
        let kinds = std::mem::take(&mut self.kinds);
        let used = kinds.all.iter().zip(used).filter(|(_, used)| **used);
        used.for_each(|(kind, _)| self.look_for(kind));
        self
    }

    fn look_for(&mut self, kind: &Kind) {
        match kind {
            Kind::Port => self.has_ports = true,
            Kind::Account => self.has_accounts = true,
            Kind::Segment(at) => insert_sorted(&mut self.segments, *at),
            Kind::Block(subject, is_ipv4, bits) => {
                let blocks = match subject {
                    Subject::SourceIp => &mut self.source_ip,
                    Subject::RemoteIp => &mut self.remote_ip,
                    _ => &mut self.destination_ip,
                };
                blocks.subject = of_subject(subject);
                if *is_ipv4 {
                    let mask = u32::MAX.checked_shl(32 - u32::from(*bits).min(32)).unwrap_or(0);
                    insert_sorted(&mut blocks.ipv4, (*bits, mask, high_half(blocks.subject, true, *bits, 0)));
                } else {
                    insert_sorted(&mut blocks.ipv6, *bits);
                }
            }
            Kind::Text(subject, cut) => self.texts(subject).insert(subject, *cut),
        }
    }

    fn texts(&mut self, subject: &Subject) -> &mut Texts {
        match subject {
            Subject::Sni => &mut self.sni,
            Subject::AfterNamespace => &mut self.after_namespace,
            Subject::IdentitySegment => &mut self.identity_segment,
            Subject::Iss => &mut self.issuer,
            Subject::Sub => &mut self.subject,
            Subject::Header(name) => {
                self.headers.lengths |= bit(name);
                self.headers.names.entry(name.as_str().into()).or_default()
            }
            Subject::Host => &mut self.host,
            Subject::Method => &mut self.method,
            Subject::Path => &mut self.path,
            Subject::Claim(claim) => {
                let first = claim.first().map_or("", String::as_str);
                self.claims.entry(first.into()).or_default().entry(claim.clone()).or_default()
            }
            Subject::Identity | Subject::SourceIp | Subject::RemoteIp | Subject::DestinationIp => {
                &mut self.identity
            }
        }
    }
}

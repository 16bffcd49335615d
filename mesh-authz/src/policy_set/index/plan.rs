//! Which keys are worth looking for: what rules ask for, by subject.

use std::collections::BTreeMap;

use super::fingerprint::of_subject;
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
}

/// Texts of one subject, as the lengths in which they come, ascending.
#[derive(Debug, Clone, Default)]
pub(super) struct Texts {
    pub(super) subject: u64,
    pub(super) has_exact: bool,
    pub(super) starts: Vec<u32>,
    pub(super) ends: Vec<u32>,
}

/// Address blocks of one subject.
#[derive(Debug, Clone, Default)]
pub(super) struct Blocks {
    pub(super) subject: u64,
    /// Lengths of prefixes.
    pub(super) ipv4: Vec<u8>,
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
        !self.has_exact && self.starts.is_empty() && self.ends.is_empty()
    }

    fn insert(&mut self, subject: &Subject, shape: Shape, text: &[u8]) {
        self.subject = of_subject(subject);
        let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
        match shape {
            Shape::Exact => self.has_exact = true,
            Shape::Start => insert_sorted(&mut self.starts, length),
            Shape::End => insert_sorted(&mut self.ends, length),
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
    /// Makes sure that the key is looked for.
    pub(super) fn insert(&mut self, key: &Key) {
        match key {
            Key::Port(_) => self.has_ports = true,
            Key::Account(..) => self.has_accounts = true,
            Key::Segment(at, _) => insert_sorted(&mut self.segments, *at),
            Key::Block(subject, block) => {
                let blocks = match subject {
                    Subject::SourceIp => &mut self.source_ip,
                    Subject::RemoteIp => &mut self.remote_ip,
                    _ => &mut self.destination_ip,
                };
                blocks.subject = of_subject(subject);
                let lengths = if block.network().is_ipv4() { &mut blocks.ipv4 } else { &mut blocks.ipv6 };
                insert_sorted(lengths, block.prefix_bits());
            }
            Key::Text(subject, shape, text) => self.texts(subject).insert(subject, *shape, text),
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

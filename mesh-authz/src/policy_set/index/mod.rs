//! Which rules of one action can match a request, at a cost that stays flat as rules grow.
//!
//! Each rule is filed under the values of the one part that it shares with the fewest other rules (`choose`): one of
//! its keys must be found in a request that the rule matches (`key`). A request looks up what it has (`lookup`), and
//! the rules found are asked as `linear` would ask them. Rules that only exclude are in `always`.

mod blocks;
mod choose;
mod distinct;
mod key;
mod lookup;
mod prefixes;
mod text;

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasherDefault, DefaultHasher};

use self::blocks::BlockIndex;
use self::key::{Key, Subject};
use self::text::TextIndex;
use super::rule::{Condition, Rule};
use crate::verdict::Facts;

/// Lists of at most this many rules are walked.
const WALKED_MAX: usize = 16;

/// The keys come from configuration, so nobody who sends requests chooses them; no random state is needed.
type Hashed<K, V> = HashMap<K, V, BuildHasherDefault<DefaultHasher>>;

/// Positions of rules, ascending.
type Positions = Vec<u32>;

/// The index of one list of rules.
#[derive(Debug, Clone, Default)]
pub(super) struct RuleIndex {
    /// Rules without any value that a request must have.
    always: Positions,
    source_ip: BlockIndex,
    remote_ip: BlockIndex,
    destination_ip: BlockIndex,
    port: Hashed<u16, Positions>,
    sni: TextIndex,
    identity: TextIndex,
    /// What stands before a slash and after the one before.
    identity_segment: TextIndex,
    /// What follows `/ns/` in the identity.
    after_namespace: TextIndex,
    /// By account, then by namespace, both without a slash.
    account: Hashed<Box<str>, Hashed<Box<str>, Positions>>,
    /// All rules of `account`, for identities that do not have the usual form.
    accounts: Positions,
    issuer: TextIndex,
    subject: TextIndex,
    /// By the first key of the claim's path.
    claims: Hashed<Box<str>, BTreeMap<Vec<String>, TextIndex>>,
    /// By lower-case name.
    headers: Hashed<Box<str>, TextIndex>,
    /// Lower case.
    host: TextIndex,
    method: TextIndex,
    path: TextIndex,
    /// By position in `path.split('/')`.
    segments: Vec<(usize, Hashed<Box<str>, Positions>)>,
}

impl RuleIndex {
    /// Indexes rules; `None`: there are too few to gain anything, or too many to number.
    pub(super) fn new(rules: &[Rule]) -> Option<Self> {
        let fits = u32::try_from(rules.len()).is_ok();
        (fits && rules.len() > WALKED_MAX).then(|| Self::of(rules))
    }

    /// Indexes rules, however few.
    pub(super) fn of(rules: &[Rule]) -> Self {
        let mut index = Self::default();
        let distinct = distinct::distinct(rules);
        for ((position, keys), is_distinct) in (0u32..).zip(choose::keys(rules)).zip(distinct) {
            match keys {
                _ if !is_distinct => {}
                None => index.always.push(position),
                Some(keys) => keys.into_iter().for_each(|key| index.insert(key, position)),
            }
        }
        index.seal();
        index
    }

    /// The rule that `linear` would name: the first that matches, and one in dry-run mode only where no other does.
    pub(super) fn first<'s>(&self, rules: &'s [Rule], facts: &Facts<'_>) -> Option<&'s Rule> {
        let mut best: Option<(bool, u32)> = None;
        let mut found = None;
        lookup::candidates(self, facts, &mut |positions| {
            for position in positions {
                if best.is_some_and(|best| best <= (false, *position)) {
                    // Positions ascend: nothing that follows can be named.
                    break;
                }
                let Some(rule) = rules.get(*position as usize) else { continue };
                let rank = (rule.dry_run, *position);
                if best.is_none_or(|best| rank < best) && rule.mismatch(facts).is_none() {
                    best = Some(rank);
                    found = Some(rule);
                }
            }
        });
        found
    }

    /// The rules that may be asked.
    #[cfg(test)]
    pub(super) fn candidates(&self, facts: &Facts<'_>) -> std::collections::BTreeSet<u32> {
        let mut found = std::collections::BTreeSet::new();
        lookup::candidates(self, facts, &mut |positions| found.extend(positions));
        found
    }

    fn insert(&mut self, key: Key, position: u32) {
        match key {
            Key::Block(Subject::SourceIp, block) => self.source_ip.insert(block, position),
            Key::Block(Subject::RemoteIp, block) => self.remote_ip.insert(block, position),
            Key::Block(_, block) => self.destination_ip.insert(block, position),
            Key::Port(port) => push(self.port.entry(port).or_default(), position),
            Key::Account(namespace, account) => {
                push(self.account.entry(account).or_default().entry(namespace).or_default(), position);
                push(&mut self.accounts, position);
            }
            Key::Segment(at, text) => {
                let known = self.segments.iter().position(|(known, _)| *known == at);
                if known.is_none() {
                    self.segments.push((at, Hashed::default()));
                }
                if let Some((_, by_text)) = self.segments.iter_mut().find(|(known, _)| *known == at) {
                    push(by_text.entry(text).or_default(), position);
                }
            }
            Key::Text(subject, shape, text) => self.text(subject).insert(shape, text, position),
        }
    }

    fn text(&mut self, subject: Subject) -> &mut TextIndex {
        match subject {
            Subject::Sni => &mut self.sni,
            Subject::AfterNamespace => &mut self.after_namespace,
            Subject::IdentitySegment => &mut self.identity_segment,
            Subject::Iss => &mut self.issuer,
            Subject::Sub => &mut self.subject,
            Subject::Header(name) => self.headers.entry(name.into()).or_default(),
            Subject::Host => &mut self.host,
            Subject::Method => &mut self.method,
            Subject::Path => &mut self.path,
            Subject::Claim(claim) => {
                let first = claim.first().map_or("", String::as_str);
                self.claims.entry(first.into()).or_default().entry(claim).or_default()
            }
            Subject::Identity | Subject::SourceIp | Subject::RemoteIp | Subject::DestinationIp => {
                &mut self.identity
            }
        }
    }

    fn seal(&mut self) {
        let single = [
            &mut self.sni,
            &mut self.identity,
            &mut self.after_namespace,
            &mut self.identity_segment,
            &mut self.issuer,
            &mut self.subject,
            &mut self.host,
            &mut self.method,
            &mut self.path,
        ];
        let claims = self.claims.values_mut().flat_map(BTreeMap::values_mut);
        single.into_iter().chain(claims).chain(self.headers.values_mut()).for_each(TextIndex::seal);
    }
}

/// A rule comes once for each of its values; they come in order, so equal ones are neighbours.
fn push(positions: &mut Positions, position: u32) {
    if positions.last() != Some(&position) {
        positions.push(position);
    }
}

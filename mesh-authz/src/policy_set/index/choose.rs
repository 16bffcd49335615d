//! Under which of its keys a rule is filed.
//!
//! A request pays for each kind of key that any rule is filed under (one look-up each), and for each rule that is filed
//! under a key it has. So of the parts that tell a rule apart well enough, that one is taken whose kinds serve most rules.

use std::collections::HashMap;

use smallvec::SmallVec;

use super::fingerprint::of_key;
use super::key;
use super::plan::Plan;
use super::table::PLACES_MAX;
use super::{Condition, Hashed, Rule, RuleIndex};
use crate::policy_set::rule::Field;

/// Rules that may share a key without it counting as worse than one of its own.
const SHARED_FEW: u32 = 4;

/// Combinations of kinds that are weighed against each other; there are seldom more than a dozen.
const GROUPS_MAX: usize = 256;

/// Rules with all keys that they could be filed under.
#[derive(Debug, Default)]
pub(in crate::policy_set) struct Filing {
    plan: Plan,
    rules: Vec<Filed>,
    keys: Vec<Possible>,
}

#[derive(Debug, Clone, Copy)]
struct Filed {
    place: u32,
    /// Where its keys end.
    keys_end: usize,
}

/// A key of a value.
#[derive(Debug, Clone, Copy)]
struct Possible {
    number: u64,
    kind: u32,
    /// `from`, `to`, and each condition.
    part: u32,
    alternative: u32,
    field: u32,
    value: u32,
}

/// Nothing is known of requests that the value, the field or the alternative fits.
const NO_KIND: u32 = u32::MAX;

impl Filing {
    /// Adds a rule; places ascend.
    pub(in crate::policy_set) fn push(&mut self, place: u32, rule: &Rule<'_>) {
        if let Condition::When { from, to, when } = &rule.condition {
            self.part(0, from);
            self.part(1, to);
            for (part, field) in (2..).zip(when) {
                self.alternative(part, 0, std::slice::from_ref(field));
            }
        }
        self.rules.push(Filed { place, keys_end: self.keys.len() });
    }

    fn part(&mut self, part: u32, alternatives: &[Vec<Field<'_>>]) {
        for (alternative, fields) in (0..).zip(alternatives) {
            self.alternative(part, alternative, fields);
        }
    }

    fn alternative(&mut self, part: u32, alternative: u32, fields: &[Field<'_>]) {
        let start = self.keys.len();
        for (field, compiled) in (0..).zip(fields) {
            let start = self.keys.len();
            for (value, pattern) in (0..).zip(&compiled.any) {
                let keys = key::of(&compiled.attribute, pattern);
                if keys.is_empty() {
                    // One value without a key, and the field tells nothing.
                    self.keys.truncate(start);
                    break;
                }
                for key in keys {
                    let kind = self.plan.kind(&key);
                    self.keys.push(Possible { number: of_key(&key), kind, part, alternative, field, value });
                }
            }
        }
        if self.keys.len() == start {
            let number = 0;
            self.keys.push(Possible { number, kind: NO_KIND, part, alternative, field: 0, value: 0 });
        }
    }

    /// The keys of each rule.
    fn each(&self) -> impl Iterator<Item = (u32, &[Possible])> {
        let mut start = 0;
        self.rules.iter().map(move |rule| {
            let keys = self.keys.get(start..rule.keys_end).unwrap_or_default();
            start = rule.keys_end;
            (rule.place, keys)
        })
    }

    /// Files every rule; `None`: there are too many bytes of rules to number.
    pub(in crate::policy_set) fn index(self) -> Option<RuleIndex> {
        if self.rules.last().is_some_and(|rule| rule.place > PLACES_MAX) {
            return None;
        }
        let shared = Shared::of(&self.keys);
        let mut groups: HashMap<SmallVec<[u64; 4]>, u32, Hashed> = HashMap::default();
        let mut options = Vec::new();
        for (_, keys) in self.each() {
            good_options(keys, &shared, &mut options);
            let mut kinds: SmallVec<[u64; 4]> = options.iter().map(|option| option.kinds).collect();
            kinds.sort_unstable();
            kinds.dedup();
            *groups.entry(kinds).or_default() += 1;
        }
        let wanted = cover(groups);
        let mut index = RuleIndex::default();
        let mut pairs = Vec::with_capacity(self.rules.len() * 2);
        let mut used = vec![false; self.plan.kinds()];
        for (place, keys) in self.each() {
            good_options(keys, &shared, &mut options);
            let more = |option: &Choice| (option.kinds & !wanted).count_ones();
            let best = options.iter().min_by_key(|option| (more(option), option.shared, option.keys.len()));
            let Some(best) = best else {
                index.always.push(place);
                continue;
            };
            for key in &best.keys {
                pairs.push((key.number, place));
                if let Some(used) = used.get_mut(key.kind as usize) {
                    *used = true;
                }
                let is_account = self.plan.is_account(key.kind);
                if is_account && index.accounts.last() != Some(&place) {
                    index.accounts.push(place);
                }
            }
        }
        index.table = super::Table::new(pairs);
        index.plan = self.plan.only(&used);
        Some(index)
    }
}

/// About how many rules have a key: a count for each of many numbers, never too small.
struct Shared {
    counts: Vec<u32>,
}

impl Shared {
    fn of(keys: &[Possible]) -> Self {
        let mut shared = Self { counts: vec![0; (keys.len() * 4).next_power_of_two()] };
        for key in keys {
            let at = shared.at(key.number);
            if let Some(count) = shared.counts.get_mut(at) {
                *count = count.saturating_add(1);
            }
        }
        shared
    }

    fn at(&self, number: u64) -> usize {
        // A power of two: the lowest bits.
        number as usize & (self.counts.len() - 1)
    }

    fn count(&self, key: &Possible) -> u32 {
        self.counts.get(self.at(key.number)).copied().unwrap_or(u32::MAX)
    }
}

/// Keys one of which is found in every request that the rule matches.
#[derive(Debug, Default, Clone)]
struct Choice {
    /// How many rules the most shared of them has.
    shared: u32,
    /// A bit for each kind of key; kinds beyond the last bit share it.
    kinds: u64,
    keys: SmallVec<[Possible; 4]>,
}

impl Choice {
    fn add(&mut self, key: Possible, shared: &Shared) {
        self.shared = self.shared.max(shared.count(&key));
        self.kinds |= 1 << key.kind.min(63);
        self.keys.push(key);
    }

    fn merge(&mut self, other: Self) {
        self.shared = self.shared.max(other.shared);
        self.kinds |= other.kinds;
        self.keys.extend(other.keys);
    }
}

/// The choices of a rule that tell it apart about as well as the best one does.
fn good_options(keys: &[Possible], shared: &Shared, options: &mut Vec<Choice>) {
    options.clear();
    for part in keys.chunk_by(|a, b| a.part == b.part) {
        let mut alternatives = part.chunk_by(|a, b| a.alternative == b.alternative);
        match (alternatives.next(), alternatives.next()) {
            (Some(only), None) => options.extend(fields(only, shared)),
            _ => options.extend(every(part, shared)),
        }
    }
    let least = options.iter().map(|option| option.shared).min().unwrap_or(0).max(SHARED_FEW);
    options.retain(|option| option.shared <= least);
}

/// One choice for each field of an alternative.
fn fields<'k>(alternative: &'k [Possible], shared: &'k Shared) -> impl Iterator<Item = Choice> {
    let fields = alternative.chunk_by(|a, b| a.field == b.field);
    fields.filter(|field| field.iter().all(|key| key.kind != NO_KIND)).map(|field| {
        let mut choice = Choice::default();
        for value in field.chunk_by(|a, b| a.value == b.value) {
            let least = value.iter().min_by_key(|key| shared.count(key));
            least.into_iter().for_each(|key| choice.add(*key, shared));
        }
        choice
    })
}

/// The best field of each alternative together; `None`: one of them has none.
fn every(part: &[Possible], shared: &Shared) -> Option<Choice> {
    let mut all = Choice::default();
    for alternative in part.chunk_by(|a, b| a.alternative == b.alternative) {
        all.merge(fields(alternative, shared).min_by_key(|choice| (choice.shared, choice.keys.len()))?);
    }
    Some(all)
}

/// Kinds of keys that together serve every rule, found greedily: again and again those that serve the most rules for
/// each kind that is added.
fn cover(groups: HashMap<SmallVec<[u64; 4]>, u32, Hashed>) -> u64 {
    let mut open: Vec<_> = groups.into_iter().filter(|(kinds, _)| !kinds.is_empty()).collect();
    // The order of a map is none.
    open.sort_unstable_by(|a, b| (b.1, &a.0).cmp(&(a.1, &b.0)));
    open.truncate(GROUPS_MAX);
    let mut wanted = 0u64;
    loop {
        open.retain(|(kinds, _)| kinds.iter().all(|kinds| kinds & !wanted != 0));
        let serves = |more: u64| {
            let served =
                open.iter().filter(|(kinds, _)| kinds.iter().any(|kinds| kinds & !(wanted | more) == 0));
            served.map(|(_, rules)| u64::from(*rules)).sum::<u64>()
        };
        let additions = open.iter().flat_map(|(kinds, _)| kinds).map(|kinds| kinds & !wanted);
        let best = additions.max_by_key(|more| (serves(*more) * 1024 / u64::from(more.count_ones()), *more));
        let Some(best) = best else { return wanted };
        wanted |= best;
    }
}

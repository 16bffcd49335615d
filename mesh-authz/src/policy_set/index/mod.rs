//! Which rules of a list can match a request, at a cost that stays flat as rules grow.
//!
//! Each rule is filed under the values of the one part that it shares with the fewest other rules (`choose`): one of
//! its keys must be found in a request that the rule matches (`key`). Keys are kept as numbers (`fingerprint`) in one
//! `table`; a request looks up what it has and some rule asks for (`plan`, `lookup`), and the rules found are asked as
//! `linear` would ask them. Rules that only exclude are in `always`.

mod choose;
mod distinct;
mod fingerprint;
mod key;
mod lookup;
mod plan;
mod table;

use std::hash::{BuildHasherDefault, DefaultHasher};

use self::key::Key;
use self::plan::Plan;
use self::table::Table;
use super::rule::{Condition, Rule};
use crate::verdict::Facts;

/// Lists of at most this many rules are walked.
const WALKED_MAX: usize = 8;

/// The keys come from configuration, so nobody who sends requests chooses them; no random state is needed.
type Hashed = BuildHasherDefault<DefaultHasher>;

/// The index of one list of rules.
#[derive(Debug, Clone, Default)]
pub(super) struct RuleIndex {
    /// Rules without any value that a request must have, ascending.
    always: Vec<u32>,
    table: Table,
    plan: Plan,
    /// All rules of accounts, for identities that do not have the usual form.
    accounts: Vec<u32>,
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
        let mut pairs = Vec::with_capacity(rules.len());
        let distinct = distinct::distinct(rules);
        for ((position, keys), is_distinct) in (0u32..).zip(choose::keys(rules)).zip(distinct) {
            match keys {
                _ if !is_distinct => {}
                None => index.always.push(position),
                Some(keys) => {
                    for key in &keys {
                        index.plan.insert(key);
                        pairs.push((fingerprint::of_key(key), position));
                        let is_account = matches!(key, Key::Account(..));
                        if is_account && index.accounts.last() != Some(&position) {
                            index.accounts.push(position);
                        }
                    }
                }
            }
        }
        index.table = Table::new(pairs);
        index
    }

    /// The rule that `linear` would name: the first that matches, and one in dry-run mode only where no other does.
    pub(super) fn first<'s>(&self, rules: &'s [Rule], facts: &Facts<'_>) -> Option<(usize, &'s Rule)> {
        let mut best: Option<(bool, u32)> = None;
        let mut found = None;
        lookup::candidates(self, facts, |positions| {
            for position in positions {
                if best.is_some_and(|best| best <= (false, *position)) {
                    // Positions ascend: nothing that follows can be named.
                    break;
                }
                let at = *position as usize;
                let Some(rule) = rules.get(at) else { continue };
                let rank = (rule.dry_run, *position);
                if best.is_none_or(|best| rank < best) && rule.matches(facts) {
                    best = Some(rank);
                    found = Some((at, rule));
                }
            }
        });
        found
    }

    /// The rules that may be asked.
    #[cfg(test)]
    pub(super) fn candidates(&self, facts: &Facts<'_>) -> std::collections::BTreeSet<u32> {
        let mut found = std::collections::BTreeSet::new();
        lookup::candidates(self, facts, |positions| found.extend(positions));
        found
    }
}

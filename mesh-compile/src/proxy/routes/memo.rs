//! What the entries of one VirtualService ask again and again: the cluster of a destination, the rule for its host.
//!
//! Most VirtualServices name one host in every route. Answers are looked for one by one, so only a few are kept.

use std::cell::RefCell;
use std::sync::Arc;

use mesh_model::part::Destination;
use smallvec::SmallVec;

use crate::merge::destination_rule::MergedDestinationRule;

/// Answers that are kept, of each kind.
const KEPT: usize = 8;

type Rule = Option<Arc<MergedDestinationRule>>;

/// A few keys and what was found for them.
type Few<K, V, const N: usize> = RefCell<SmallVec<[(K, V); N]>>;

/// Answers so far.
#[derive(Debug, Default)]
pub(super) struct Memo<'e> {
    clusters: Few<&'e Destination, Arc<str>, 4>,
    rules: Few<&'e str, Rule, 2>,
}

impl<'e> Memo<'e> {
    /// The name of the cluster of a destination, or what `find` says.
    pub(super) fn cluster(&self, destination: &'e Destination, find: impl FnOnce() -> Arc<str>) -> Arc<str> {
        let mut known = self.clusters.borrow_mut();
        if let Some((_, name)) = known.iter().find(|(other, _)| *other == destination) {
            return Arc::clone(name);
        }
        let name = find();
        if known.len() < KEPT {
            known.push((destination, Arc::clone(&name)));
        }
        name
    }

    /// The rule for a host, or what `find` says.
    pub(super) fn rule(&self, host: &'e str, find: impl FnOnce() -> Rule) -> Rule {
        let mut known = self.rules.borrow_mut();
        if let Some((_, rule)) = known.iter().find(|(other, _)| *other == host) {
            return rule.clone();
        }
        let rule = find();
        if known.len() < KEPT {
            known.push((host, rule.clone()));
        }
        rule
    }
}

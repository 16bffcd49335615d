//! Which rules of a list can match a request, at a cost that stays flat as rules grow.
//!
//! Each rule is filed under the values of one part that tells it apart well, chosen so that all rules together need few
//! look-ups (`choose`): one of its keys must be found in a request that the rule matches (`key`). Keys are kept as numbers
//! (`fingerprint`) in one `table`; a request looks up what it has and some rule asks for (`plan`, `lookup`), and the rules
//! found are asked as they would be asked in turn. Rules that only exclude are in `always`.

mod choose;
mod fingerprint;
mod key;
mod lookup;
mod plan;
mod table;

pub(super) use self::choose::Filing;
use self::plan::Plan;
use self::table::Table;
use super::packed::{Asked, Found, Packed};
use super::rule::{Condition, Rule};

/// The keys come from configuration, so nobody who sends requests chooses them; no random state is needed.
type Hashed = foldhash::fast::FixedState;

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
    /// The rule that `linear` would name: the first that matches and counts, and one in dry-run mode only where no other
    /// does.
    pub(super) fn first(
        &self,
        rules: &Packed,
        asked: &Asked<'_>,
        counts: impl Fn(&Found) -> bool,
    ) -> Option<Found> {
        let mut best: Option<Found> = None;
        lookup::candidates(self, asked, |places| {
            for place in places {
                if best.is_some_and(|best| !best.dry_run && best.place <= *place) {
                    // Places ascend: nothing that follows can be named.
                    break;
                }
                if let Some(found) = rules.matching(*place, asked)
                    && counts(&found)
                    && best.is_none_or(|best| (found.dry_run, found.place) < (best.dry_run, best.place))
                {
                    best = Some(found);
                }
            }
        });
        best
    }

    /// Whether one of the places that may fit does.
    pub(super) fn any(&self, asked: &Asked<'_>, mut fits: impl FnMut(u32) -> bool) -> bool {
        let mut found = false;
        lookup::candidates(self, asked, |places| found = found || places.iter().any(|place| fits(*place)));
        found
    }

    /// The rules that may be asked.
    #[cfg(test)]
    pub(super) fn candidates(&self, asked: &Asked<'_>) -> std::collections::BTreeSet<u32> {
        let mut found = std::collections::BTreeSet::new();
        lookup::candidates(self, asked, |places| found.extend(places));
        found
    }
}

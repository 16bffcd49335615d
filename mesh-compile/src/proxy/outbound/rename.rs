//! Tables of one proxy made those of another, which knows some services by other names (T-040).

use std::sync::Arc;

use foldhash::fast::RandomState;
use hashbrown::{HashMap, HashSet};

use super::domains::{Known, Name, with_port};
use super::rewrite::Rewritten;
use super::tables::{PortTables, Wanted};
use crate::view::View;

impl PortTables {
    /// Takes in that this proxy knows services by other names than the one whose tables these were. The services are the
    /// same, and so are their addresses.
    pub(super) fn rename(&mut self, view: &View<'_>, hostnames: &[Arc<str>], known: &mut Known) -> Rewritten {
        let Some(egress) = view.egress_for(u32::from(self.port), &self.bind) else {
            return Rewritten::Untouched;
        };
        let mut concerned = hostnames.iter().filter_map(|host| self.services.get(host)).peekable();
        if concerned.peek().is_none() {
            return Rewritten::Untouched;
        }
        let Some(port) = self.port_of(egress) else { return Rewritten::PlanAnew };
        // What each has, and what it wants.
        let mut renamed: Vec<(usize, Arc<[Name]>)> = Vec::new();
        for service in concerned {
            let name = with_port(&service.hostname, port);
            if self.contended.contains(name.as_str()) {
                return Rewritten::PlanAnew;
            }
            if let Ok(position) = self.position(&name) {
                renamed.push((position, known.of_service(service, view)));
            }
        }
        // Looked up by text: counting who shares one costs more than the look-up.
        let room = renamed.iter().map(|(_, wanted)| wanted.len()).sum();
        let mut freed: HashSet<&str, RandomState> =
            HashSet::with_capacity_and_hasher(room, RandomState::default());
        for (draft, wanted) in renamed.iter().filter_map(|(at, wanted)| Some((self.drafts.get(*at)?, wanted)))
        {
            let is_contended = |name: &Arc<str>| self.contended.contains(name);
            let names = || draft.host.domains.iter().chain(wanted.iter().map(|it| &it.lower));
            if !self.contended.is_empty() && names().any(is_contended) {
                return Rewritten::PlanAnew;
            }
            freed.extend(draft.host.domains.iter().map(|domain| &**domain));
        }
        // None of them may meet another's, nor one that stays as it is.
        let mut owner: HashMap<&str, usize, RandomState> =
            HashMap::with_capacity_and_hasher(room, RandomState::default());
        let mut drafts = Vec::with_capacity(renamed.len());
        for (position, wanted) in &renamed {
            let Some(draft) = self.drafts.get(*position) else { continue };
            let mut taken: Vec<&Name> = Vec::with_capacity(wanted.len());
            for name in wanted.iter() {
                match owner.insert(&name.lower, *position) {
                    None => taken.push(name),
                    Some(earlier) if earlier == *position => continue,
                    Some(_) => return Rewritten::PlanAnew,
                }
                if !freed.contains(&*name.lower) && self.all.holder(&name.lower).is_some() {
                    return Rewritten::PlanAnew;
                }
            }
            drafts.push((*position, Arc::new(draft.with_domains(&taken))));
        }
        let changed: Vec<_> =
            drafts.iter().map(|(at, draft)| (*at, Arc::clone(&draft.host), draft.near.to_vec())).collect();
        let all = Arc::new(self.all.with_renamed(changed));
        let touched: Vec<Arc<str>> = if self.wanted.iter().any(Wanted::is_of_service) {
            let now = drafts.iter().flat_map(|(_, draft)| &draft.host.domains);
            now.cloned().chain(freed.iter().map(|domain| Arc::from(*domain))).collect()
        } else {
            Vec::new()
        };
        drop(freed);
        let slots = Arc::make_mut(&mut self.drafts);
        for (position, draft) in drafts {
            if let Some(slot) = slots.get_mut(position) {
                *slot = draft;
            }
        }
        self.all = all;
        self.follow(&touched);
        Rewritten::Changed
    }
}

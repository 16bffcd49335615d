//! Compiled units with the questions that were asked for each: routes of one owner, clusters and listeners of one service.

use std::sync::Arc;

use foldhash::fast::RandomState;
use hashbrown::{HashMap, HashSet};
use mesh_model::diagnostic::Report;
use mesh_model::name::{host_subset_of, is_wildcard};
use smallvec::SmallVec;

use super::layered::{Layered, PART};
use crate::merge::virtual_service::MergedVirtualService;
use crate::proxy::outbound::{RouteCache, RouteKey, RouteOwner};
use crate::route_table::{Route, RouteList};
use crate::view::{Asked, Lookup, Recorder};

/// What a unit is of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum UnitKey {
    /// Routes of a VirtualService, by namespace and name, in the tables of a port or path.
    Routes(u16, Arc<str>, Arc<str>, Arc<str>),
    /// The default routes of a service port, by hostname.
    DefaultRoute(u16, Arc<str>, Arc<str>, u16),
    /// The clusters of a service, by hostname.
    Clusters(Arc<str>),
    /// What a service asks of listeners, by hostname.
    Listeners(Arc<str>),
}

/// Units by the questions that were asked for them.
#[derive(Debug, Default)]
pub(super) struct Questions {
    /// Shared with other classes of proxies.
    base: Option<Arc<Maps>>,
    /// Units that are not as in `base`.
    hidden: HashSet<Arc<UnitKey>, RandomState>,
    own: Maps,
}

/// Questions by unit, units by question.
#[derive(Debug, Clone, Default)]
struct Maps {
    asked: HashMap<Arc<UnitKey>, Asked, RandomState>,
    units: HashMap<Lookup, Units, RandomState>,
}

/// Units that asked one question: one or two of most, all of some.
#[derive(Debug, Clone, Default)]
struct Units {
    few: SmallVec<[Arc<UnitKey>; 2]>,
    /// All of them, once they are many.
    many: HashSet<Arc<UnitKey>, RandomState>,
}

/// More units than this are hashed.
const FEW: usize = 8;

impl Units {
    /// Adds a unit that is not there.
    fn insert(&mut self, unit: Arc<UnitKey>) {
        if !self.many.is_empty() {
            self.many.insert(unit);
            return;
        }
        self.few.push(unit);
        if self.few.len() > FEW {
            self.many.extend(self.few.drain(..));
        }
    }

    fn remove(&mut self, unit: &UnitKey) {
        self.few.retain(|other| **other != *unit);
        self.many.remove(unit);
    }

    fn is_empty(&self) -> bool {
        self.few.is_empty() && self.many.is_empty()
    }
}

impl Maps {
    fn insert(&mut self, unit: Arc<UnitKey>, asked: Asked) {
        for question in asked.iter() {
            match self.units.get_mut(question) {
                Some(units) => units.insert(Arc::clone(&unit)),
                None => {
                    let mut units = Units::default();
                    units.insert(Arc::clone(&unit));
                    self.units.insert(question.clone(), units);
                }
            }
        }
        self.asked.insert(unit, asked);
    }

    fn remove(&mut self, unit: &UnitKey) {
        for question in self.asked.remove(unit).into_iter().flatten() {
            if let Some(units) = self.units.get_mut(&question) {
                units.remove(unit);
                if units.is_empty() {
                    self.units.remove(&question);
                }
            }
        }
    }

    fn units(&self, question: &Lookup) -> impl Iterator<Item = &Arc<UnitKey>> {
        self.units.get(question).into_iter().flat_map(|units| units.few.iter().chain(&units.many))
    }
}

impl Questions {
    /// Remembers what was asked for a unit, in place of what was before.
    pub(super) fn remember(&mut self, unit: &UnitKey, asked: Asked) {
        self.forget(unit);
        self.own.insert(Arc::new(unit.clone()), asked);
    }

    /// Forgets a unit.
    pub(super) fn forget(&mut self, unit: &UnitKey) {
        self.own.remove(unit);
        if let Some((unit, _)) = self.base.as_ref().and_then(|base| base.asked.get_key_value(unit)) {
            self.hidden.insert(Arc::clone(unit));
        }
    }

    /// Units that asked this.
    pub(super) fn units(&self, question: &Lookup) -> impl Iterator<Item = &UnitKey> {
        let base = self.base.iter().flat_map(|base| base.units(question));
        let base = base.filter(|unit| !self.hidden.contains(*unit));
        base.chain(self.own.units(question)).map(|unit| &**unit)
    }

    fn is_asked(&self, question: &Lookup) -> bool {
        self.units(question).next().is_some()
    }

    /// Every question about the rules of a host that `host`, perhaps a wildcard, covers.
    pub(super) fn about_rules(&self, host: &Arc<str>, hashes: bool) -> Vec<Lookup> {
        if !is_wildcard(host) {
            let plain = [Lookup::DestinationRule(Arc::clone(host))];
            let hashing = hashes.then(|| Lookup::ConsistentHash(Arc::clone(host)));
            return plain.into_iter().chain(hashing).filter(|it| self.is_asked(it)).collect();
        }
        let is_covered = |question: &&Lookup| match question {
            Lookup::DestinationRule(asked) => host_subset_of(asked, host),
            Lookup::ConsistentHash(asked) => hashes && host_subset_of(asked, host),
            _ => false,
        };
        let base = self.base.iter().flat_map(|base| base.units.keys());
        let covered = base
            .filter(|question| !self.own.units.contains_key(*question))
            .chain(self.own.units.keys())
            .filter(is_covered);
        covered.filter(|question| self.is_asked(question)).cloned().collect()
    }

    /// The same questions for another class. Both share what they have in common from now on.
    pub(super) fn fork(&mut self) -> Self {
        let shared = self.base.as_ref().map_or(0, |base| base.asked.len());
        if self.base.is_none() || self.own.asked.len() + self.hidden.len() > shared / PART {
            let own = std::mem::take(&mut self.own);
            let base = match self.base.take().map(Arc::unwrap_or_clone) {
                None => own,
                Some(mut base) => {
                    self.hidden.drain().for_each(|unit| base.remove(&unit));
                    own.asked.into_iter().for_each(|(unit, asked)| base.insert(unit, asked));
                    base
                }
            };
            self.base = Some(Arc::new(base));
            self.hidden = HashSet::default();
        }
        Self { base: self.base.clone(), hidden: self.hidden.clone(), own: self.own.clone() }
    }
}

/// Routes that were made, with what they were made from.
#[derive(Debug, Clone)]
struct Made {
    /// `None`: a service's default.
    virtual_service: Option<Arc<MergedVirtualService>>,
    routes: RouteList,
    report: Report,
}

/// Routes of the tables of one class of proxies.
#[derive(Debug, Default)]
pub(super) struct Routes {
    made: Layered<UnitKey, Made>,
}

impl Routes {
    /// Forgets units: they are made anew when they are asked for.
    pub(super) fn forget(&mut self, unit: &UnitKey) {
        self.made.remove(unit);
    }

    /// The same routes for another class.
    pub(super) fn fork(&mut self) -> Self {
        Self { made: self.made.fork() }
    }

    /// The VirtualService that a unit was made from.
    pub(super) fn virtual_service(&self, unit: &UnitKey) -> Option<&Arc<MergedVirtualService>> {
        self.made.get(unit)?.virtual_service.as_ref()
    }

    /// What is wrong with the routes.
    pub(super) fn problems(&self) -> impl Iterator<Item = &Report> {
        let mut made: Vec<_> = self.made.iter().collect();
        made.sort_unstable_by_key(|(unit, _)| *unit);
        made.into_iter().map(|(_, made)| &made.report)
    }
}

/// Routes as the tables ask for them: those that are known, and those that are made now while someone listens.
pub(super) struct Remembering<'r> {
    pub(super) routes: &'r mut Routes,
    pub(super) questions: &'r mut Questions,
    pub(super) recorder: &'r Recorder,
}

impl RouteCache for Remembering<'_> {
    fn routes(
        &mut self,
        key: RouteKey,
        make: &mut dyn FnMut(&mut Report) -> Vec<Route>,
        report: &mut Report,
    ) -> RouteList {
        let (unit, virtual_service) = unit_of(key);
        if let Some(made) = self.routes.made.get(&unit) {
            let is_same = match (&made.virtual_service, &virtual_service) {
                (Some(old), Some(new)) => Arc::ptr_eq(old, new),
                (old, new) => old.is_none() && new.is_none(),
            };
            if is_same {
                return made.routes.clone();
            }
        }
        let mut own = Report::new();
        self.recorder.begin();
        let routes: RouteList = make(&mut own).into();
        self.questions.remember(&unit, self.recorder.end());
        report.merge(own.clone());
        self.routes.made.insert(unit, Made { virtual_service, routes: routes.clone(), report: own });
        routes
    }
}

fn unit_of(key: RouteKey) -> (UnitKey, Option<Arc<MergedVirtualService>>) {
    match key.owner {
        RouteOwner::VirtualService(it) => {
            (UnitKey::Routes(key.port, key.bind, Arc::clone(&it.namespace), Arc::clone(&it.name)), Some(it))
        }
        RouteOwner::Service(hostname, port) => {
            (UnitKey::DefaultRoute(key.port, key.bind, hostname, port), None)
        }
    }
}

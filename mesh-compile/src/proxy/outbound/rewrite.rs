//! Tables in which the routes of some virtual hosts are others, and everything else stays.

use std::collections::BTreeMap;
use std::sync::Arc;

use mesh_model::diagnostic::Report;
use mesh_model::origin::Origin;

use super::cache::RouteCache;
use super::domains::with_port;
use super::owners::{Source, as_in_table};
use super::tables::{PortTables, name_of};
use crate::merge::virtual_service::MergedVirtualService;
use crate::registry::service::{Service, ServicePort};
use crate::route_table::RouteList;
use crate::view::{EgressScope, View};

/// What became of the tables of a port when a VirtualService was rewritten.
/// Ours: a table whose plan holds is mended in place of being made anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rewritten {
    /// They are the same.
    Untouched,
    /// Some virtual hosts are others.
    Changed,
    /// They must be planned anew.
    PlanAnew,
}

impl Rewritten {
    /// What a further step makes of it; nothing where all is planned anew anyway.
    #[must_use]
    pub fn then(self, step: impl FnOnce() -> Self) -> Self {
        if self == Self::PlanAnew {
            return self;
        }
        match step() {
            Self::Untouched => self,
            other => other,
        }
    }
}

impl PortTables {
    /// Takes in another version of a VirtualService whose hosts, age and visibility are those of the version before.
    pub(super) fn rewrite(
        &mut self,
        view: &View<'_>,
        virtual_service: &Arc<MergedVirtualService>,
        cache: &mut dyn RouteCache,
        report: &mut Report,
    ) -> Rewritten {
        let Some(egress) = view.egress_for(u32::from(self.port), &self.bind) else {
            return Rewritten::Untouched;
        };
        let source =
            Source { view, egress, services: &self.services, port: self.port_of(egress), bind: &self.bind };
        let owners = if source.considers(virtual_service) {
            source.owned_by(virtual_service, cache, report)
        } else {
            Vec::new()
        };
        let key = name_of(virtual_service);
        if self.contributing.contains(&key) == owners.is_empty() {
            return Rewritten::PlanAnew;
        }
        let mut changed: BTreeMap<usize, (RouteList, Origin)> = BTreeMap::new();
        for owner in owners {
            for (hostname, origin) in owner.hostnames() {
                let name = with_port(hostname, owner.port);
                let Ok(position) = self.position(&name) else { continue };
                let is_own =
                    self.drafts.get(position).is_some_and(|draft| draft.owner.as_ref() == Some(&key));
                if is_own {
                    changed.entry(position).or_insert_with(|| (owner.routes.clone(), origin.clone()));
                }
            }
        }
        if changed.is_empty() {
            return Rewritten::Untouched;
        }
        let positions: Vec<usize> = changed.keys().copied().collect();
        let drafts = Arc::make_mut(&mut self.drafts);
        for (position, (routes, origin)) in changed {
            if let Some(draft) = drafts.get_mut(position) {
                *draft = Arc::new(draft.with_routes(routes, origin));
            }
        }
        self.replace_hosts(&positions)
    }

    /// Takes in another version of a service with the same ports, addresses and names.
    pub(super) fn rewrite_service(
        &mut self,
        view: &View<'_>,
        service: &Arc<Service>,
        cache: &mut dyn RouteCache,
        report: &mut Report,
    ) -> Rewritten {
        let Some(egress) = view.egress_for(u32::from(self.port), &self.bind) else {
            return Rewritten::Untouched;
        };
        let port = self.port_of(egress);
        let Some(own) = as_in_table(service, port) else { return Rewritten::Untouched };
        let Some(slot) = Arc::make_mut(&mut self.services).get_mut(&own.hostname) else {
            return Rewritten::Untouched;
        };
        *slot = Arc::clone(&own);
        self.route_by_default(view, egress, &own.hostname, cache, report)
    }

    /// Makes the default routes of a service again.
    pub(super) fn rewrite_defaults(
        &mut self,
        view: &View<'_>,
        hostname: &str,
        cache: &mut dyn RouteCache,
        report: &mut Report,
    ) -> Rewritten {
        match view.egress_for(u32::from(self.port), &self.bind) {
            Some(egress) => self.route_by_default(view, egress, hostname, cache, report),
            None => Rewritten::Untouched,
        }
    }

    fn route_by_default(
        &mut self,
        view: &View<'_>,
        egress: &EgressScope,
        hostname: &str,
        cache: &mut dyn RouteCache,
        report: &mut Report,
    ) -> Rewritten {
        let port = self.port_of(egress);
        let Some((hostname, own)) = self.services.get_key_value(hostname) else {
            return Rewritten::Untouched;
        };
        // Where a VirtualService has the host, its routes stand, and where they were written.
        let position_of = |port: &ServicePort| {
            let position = self.position(&with_port(&own.hostname, port.number)).ok()?;
            self.drafts.get(position).is_some_and(|draft| draft.owner.is_none()).then_some(position)
        };
        let positions: Vec<usize> = own.ports.iter().filter_map(position_of).collect();
        if positions.is_empty() {
            return Rewritten::Untouched;
        }
        let source = Source { view, egress, services: &self.services, port, bind: &self.bind };
        let owners = source.defaults_of(hostname, own, cache, report);
        let drafts = Arc::make_mut(&mut self.drafts);
        for owner in owners {
            for (hostname, origin) in owner.hostnames() {
                let name = with_port(hostname, owner.port);
                for position in &positions {
                    if let Some(draft) = drafts.get_mut(*position).filter(|it| *it.host.name == *name) {
                        *draft = Arc::new(draft.with_routes(owner.routes.clone(), origin.clone()));
                    }
                }
            }
        }
        self.replace_hosts(&positions)
    }

    /// Makes the tables with other virtual hosts of the same domains at these positions of the drafts.
    fn replace_hosts(&mut self, positions: &[usize]) -> Rewritten {
        let drafts = || positions.iter().filter_map(|at| Some((*at, self.drafts.get(*at)?)));
        let Some(all) = self.all.with_replaced(drafts().map(|(at, draft)| (at, Arc::clone(&draft.host))))
        else {
            return Rewritten::PlanAnew;
        };
        let touched: Vec<Arc<str>> =
            drafts().flat_map(|(_, draft)| draft.host.domains.iter().cloned()).collect();
        self.all = Arc::new(all);
        self.follow(&touched);
        Rewritten::Changed
    }
}

//! Tables in which some services and VirtualServices come, go, or take another shape, and everything else stays.
//!
//! The virtual hosts of whoever is concerned are taken out, and made again as if the table were planned anew. That holds as
//! long as nobody else wants, or wanted, one of their names or domains; otherwise the table is planned anew.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use foldhash::fast::RandomState;
use hashbrown::HashSet;
use mesh_model::diagnostic::Report;
use mesh_model::name::is_wildcard;

use super::cache::RouteCache;
use super::domains::{Known, with_port};
use super::drafts::{Draft, drafts};
use super::owners::{Services, Source, as_in_table};
use super::rewrite::Rewritten;
use super::tables::{PortTables, name_of};
use crate::merge::virtual_service::MergedVirtualService;
use crate::registry::HostKey;
use crate::registry::service::Resolution;
use crate::view::{EgressScope, View};

/// What of a scope was exchanged since tables were planned. Ours: what changes by itself is made again by itself. The scope has one listener, whose services have each a
/// hostname of their own in lower case.
#[derive(Debug, Default)]
pub struct Exchanged {
    /// Hostnames of services, without wildcards.
    pub services: BTreeSet<Arc<str>>,
    /// VirtualServices by namespace and name.
    pub virtual_services: BTreeSet<HostKey>,
    /// Hosts that these have, or had: no wildcards, and none covers them.
    pub hosts: BTreeSet<Arc<str>>,
}

impl Exchanged {
    /// Whether nothing was.
    pub fn is_empty(&self) -> bool {
        self.services.is_empty() && self.virtual_services.is_empty()
    }
}

/// Who is concerned.
struct Concerned<'v> {
    /// VirtualServices that are there, in no order.
    virtual_services: Vec<&'v Arc<MergedVirtualService>>,
    /// Those and the ones that are gone.
    names: BTreeSet<HostKey>,
    /// All hosts of theirs, and of the services.
    hosts: BTreeSet<Arc<str>>,
}

impl<'v> Concerned<'v> {
    fn of(view: &View<'v>, egress: &EgressScope, exchanged: &Exchanged) -> Self {
        let mut hosts: BTreeSet<Arc<str>> = exchanged.services.union(&exchanged.hosts).cloned().collect();
        let mut found: BTreeMap<HostKey, &Arc<MergedVirtualService>> = BTreeMap::new();
        for host in &hosts {
            found.extend(view.virtual_services_with_host(egress, host).map(|it| (name_of(it), it)));
        }
        let mut names = exchanged.virtual_services.clone();
        names.extend(found.keys().cloned());
        for virtual_service in found.values() {
            hosts.extend(virtual_service.spec.hosts.iter().map(|host| Arc::from(host.to_ascii_lowercase())));
        }
        Self { virtual_services: found.into_values().collect(), names, hosts }
    }
}

impl PortTables {
    /// Takes in what was exchanged.
    pub(super) fn exchange(
        &mut self,
        view: &View<'_>,
        exchanged: &Exchanged,
        cache: &mut dyn RouteCache,
        report: &mut Report,
    ) -> Rewritten {
        let Some(egress) = view.egress_for(u32::from(self.port), &self.bind) else {
            return Rewritten::Untouched;
        };
        let concerned = Concerned::of(view, egress, exchanged);
        if !self.is_concerned(view, egress, &concerned) {
            return Rewritten::Untouched;
        }
        let Some(port) = self.port_of(egress) else { return Rewritten::PlanAnew };
        if concerned.hosts.iter().any(|host| is_wildcard(host)) {
            return Rewritten::PlanAnew;
        }
        for host in &exchanged.services {
            exchange_service(Arc::make_mut(&mut self.services), view, egress, port, host);
        }
        let (gone, kept) = self.drafts_of(port, &concerned);
        let Some(made) = self.draft_again(view, egress, port, &concerned, &kept, cache, report) else {
            return Rewritten::PlanAnew;
        };
        self.put(&gone, made)
    }

    /// Whether the tables of this port have, had or get anything of theirs. Hosts without a service are in table 80.
    fn is_concerned(&self, view: &View<'_>, egress: &EgressScope, concerned: &Concerned<'_>) -> bool {
        let port = self.port_of(egress);
        let comes = |host: &Arc<str>| {
            view.scope().place_of(host).is_some_and(|(_, service)| as_in_table(service, port).is_some())
        };
        let has = |host: &Arc<str>| self.services.contains_key(host) || comes(host);
        port.is_none_or(|port| port == 80)
            || concerned.hosts.iter().any(has)
            || concerned.names.iter().any(|name| self.contributing.contains(name))
    }

    /// Positions of the virtual hosts of whoever is concerned, and names at which others stand.
    fn drafts_of(
        &self,
        port: u16,
        concerned: &Concerned<'_>,
    ) -> (Vec<usize>, HashSet<Arc<str>, RandomState>) {
        let mut gone = Vec::new();
        let mut kept = HashSet::default();
        for host in &concerned.hosts {
            let Ok(position) = self.position(&with_port(host, port)) else { continue };
            let Some(draft) = self.drafts.get(position) else { continue };
            if draft.owner.as_ref().is_none_or(|owner| concerned.names.contains(owner)) {
                gone.push(position);
            } else {
                kept.insert(Arc::clone(host));
            }
        }
        gone.sort_unstable();
        (gone, kept)
    }

    /// The virtual hosts that whoever is concerned has now, by name. `None`: they want what others want.
    #[expect(clippy::too_many_arguments, reason = "what a table is planned with, and whom for")]
    fn draft_again(
        &mut self,
        view: &View<'_>,
        egress: &EgressScope,
        port: u16,
        concerned: &Concerned<'_>,
        kept: &HashSet<Arc<str>, RandomState>,
        cache: &mut dyn RouteCache,
        report: &mut Report,
    ) -> Option<Vec<Draft>> {
        let source = Source { view, egress, services: &self.services, port: Some(port), bind: &self.bind };
        let mut owners = Vec::new();
        let mut contributing = BTreeSet::new();
        let mut ordered = concerned.virtual_services.clone();
        ordered.sort_by_key(|it| egress.position(it));
        for virtual_service in ordered {
            if source.considers(virtual_service) {
                let own = source.owned_by(virtual_service, cache, report);
                if !own.is_empty() {
                    contributing.insert(name_of(virtual_service));
                }
                owners.extend(own);
            }
        }
        let owned: HashSet<Arc<str>, RandomState> = owners
            .iter()
            .flat_map(|owner| owner.services.iter().map(|(service, _)| Arc::clone(&service.hostname)))
            .collect();
        for host in &concerned.hosts {
            let Some((name, service)) = self.services.get_key_value(host) else { continue };
            let has_own = owned.contains(name) || kept.contains(name);
            if !has_own && service.resolution != Resolution::Alias {
                owners.extend(source.defaults_of(name, service, cache, report));
            }
        }
        let (mut made, contended) = drafts(view, &owners, Some(port), &mut Known::default());
        if !contended.is_empty() {
            return None;
        }
        made.sort_by(|a, b| a.host.name.cmp(&b.host.name));
        let known = Arc::make_mut(&mut self.contributing);
        known.retain(|name| !concerned.names.contains(name));
        known.extend(contributing);
        Some(made)
    }

    /// Puts virtual hosts, in order of name, in the place of those at positions in order.
    fn put(&mut self, gone: &[usize], made: Vec<Draft>) -> Rewritten {
        let old: Vec<Arc<Draft>> = gone.iter().filter_map(|at| self.drafts.get(*at)).cloned().collect();
        if self.meets_others(&old, &made) {
            return Rewritten::PlanAnew;
        }
        // What comes out the same stays where it is.
        let stays = |draft: &Draft| made.iter().any(|it| it.is_same_as(draft));
        let gone: Vec<usize> =
            gone.iter().zip(&old).filter(|(_, it)| !stays(it)).map(|(at, _)| *at).collect();
        let come: Vec<Draft> =
            made.into_iter().filter(|draft| !old.iter().any(|it| it.is_same_as(draft))).collect();
        if gone.is_empty() && come.is_empty() {
            return Rewritten::Untouched;
        }
        let going = gone.iter().filter_map(|at| self.drafts.get(*at)).map(|draft| &draft.host);
        let coming = come.iter().map(|draft| &draft.host);
        let touched: Vec<Arc<str>> =
            going.chain(coming).flat_map(|host| host.domains.iter().cloned()).collect();
        let drafts = Arc::make_mut(&mut self.drafts);
        for at in gone.iter().rev() {
            drafts.remove(*at);
        }
        let mut placed = Vec::with_capacity(come.len());
        for draft in come {
            let place = drafts.partition_point(|it| it.host.name < draft.host.name);
            placed.push((place, Arc::clone(&draft.host)));
            drafts.insert(place, Arc::new(draft));
        }
        match self.all.with_exchanged(&gone, placed) {
            Some(all) => self.all = Arc::new(all),
            None => self.index(None),
        }
        self.follow(&touched);
        Rewritten::Changed
    }

    /// Whether virtual hosts that come want what others have or want, or those that go leave what others wanted.
    fn meets_others(&self, old: &[Arc<Draft>], made: &[Draft]) -> bool {
        let texts = old.iter().flat_map(|draft| draft.host.domains.iter().chain([&draft.host.name]));
        let freed: HashSet<&str, RandomState> = texts.map(|text| &**text).collect();
        let is_contended = |name: &str| self.contended.contains(name);
        let is_taken = |domain: &str| !freed.contains(domain) && self.all.holder(domain).is_some();
        // A name that is derived gives way to that of a service.
        let is_of_other_service =
            |draft: &Draft, domain: &str| self.services.contains_key(domain) && !draft.is_of(domain);
        let meets_others = |draft: &Draft| {
            let name = &*draft.host.name;
            is_contended(name)
                || (!freed.contains(name) && self.position(name).is_ok())
                || draft.host.domains.iter().any(|domain| {
                    is_contended(domain) || is_taken(domain) || is_of_other_service(draft, domain)
                })
        };
        freed.iter().any(|name| is_contended(name)) || made.iter().any(meets_others)
    }
}

/// Takes a service out of those of a table, and in again where the scope has it.
fn exchange_service(
    services: &mut Services,
    view: &View<'_>,
    egress: &EgressScope,
    port: u16,
    host: &Arc<str>,
) {
    services.shift_remove(host);
    let Some((place, service)) = view.scope().place_of(host) else { return };
    let Some(own) = as_in_table(service, Some(port)) else { return };
    let before = egress.services.iter().take(place).rev();
    let behind = before.filter_map(|it| services.get_index_of(&it.hostname)).next();
    services.shift_insert(behind.map_or(0, |at| at + 1), Arc::clone(&own.hostname), own);
}

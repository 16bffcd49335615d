//! Virtual hosts before they stand in a table: who gets which domain.

use std::sync::Arc;

use foldhash::fast::RandomState;
use hashbrown::HashSet;
use mesh_model::origin::Origin;
use smallvec::SmallVec;

use super::domains::{self, Known, Name, Taken, name_of_host};
use super::earlier::is_unchanged;
use super::owners::Owner;
use super::tables::name_of;
use crate::route_table::{RouteList, VirtualHost};
use crate::view::View;

/// A virtual host with what it takes to change it.
#[derive(Debug, Clone)]
pub(super) struct Draft {
    /// The VirtualService whose routes it has.
    pub(super) owner: Option<(Arc<str>, Arc<str>)>,
    pub(super) host: Arc<VirtualHost>,
    /// Those of its domains that clients of one namespace alone know: they are indexed apart.
    pub(super) near: SmallVec<[Arc<str>; 1]>,
}

impl Draft {
    /// The virtual host with other domains.
    pub(super) fn answering(&self, domains: Vec<Arc<str>>) -> Arc<VirtualHost> {
        Arc::new(VirtualHost { domains, ..VirtualHost::clone(&self.host) })
    }

    pub(super) fn with_routes(&self, routes: RouteList, origin: Origin) -> Self {
        let host = VirtualHost { routes, origin, ..VirtualHost::clone(&self.host) };
        Self { host: Arc::new(host), ..self.clone() }
    }

    pub(super) fn with_domains(&self, names: &[&Name]) -> Self {
        let host = self.answering(names.iter().map(|name| Arc::clone(&name.lower)).collect());
        Self { host, near: near(names), ..self.clone() }
    }

    /// Whether this is the virtual host of a service or host of this name.
    pub(super) fn is_of(&self, host: &str) -> bool {
        self.host.name.strip_prefix(host).is_some_and(|rest| rest.starts_with(':'))
    }

    /// Whether both are the same, the place they were written at included.
    pub(super) fn is_same_as(&self, other: &Self) -> bool {
        self.owner == other.owner && self.near == other.near && is_unchanged(&self.host, &other.host)
    }
}

fn near(names: &[&Name]) -> SmallVec<[Arc<str>; 1]> {
    names.iter().filter(|name| name.is_near).map(|name| Arc::clone(&name.lower)).collect()
}

/// Virtual hosts of all owners, each domain given once (T-039), and what was wanted in vain.
pub(super) fn drafts(
    view: &View<'_>,
    owners: &[Owner],
    port: Option<u16>,
    known: &mut Known,
) -> (Vec<Draft>, HashSet<Arc<str>, RandomState>) {
    let mut taken = Taken::new(owners, port);
    let mut drafts = Vec::with_capacity(owners.len());
    for owner in owners {
        let virtual_service = owner.virtual_service.as_deref().map(name_of);
        let foreign = owner.hosts.iter().map(|(host, origin)| (host.as_str(), None, origin));
        let own = owner.services.iter().map(|(service, origin)| (&*service.hostname, Some(service), origin));
        for (hostname, service, origin) in foreign.chain(own) {
            let wanted = match (service, port) {
                (None, _) => domains::of_host(hostname).into(),
                (Some(service), Some(_)) => known.of_service(service, view),
                (Some(service), None) => domains::of_service(service, Some(owner.port), view).into(),
            };
            let name = name_of_host(hostname, owner.port);
            if !taken.take_name(&name) {
                taken.refuse(&wanted);
                continue;
            }
            let mut names = taken.take(&wanted);
            // A table of one port holds that port's hosts alone; in those of all ports hosts of ports other than 80 are
            // known with their port only (T-041).
            match port {
                Some(port) if owner.port != port => continue,
                None if owner.port != 80 => names.retain(|name| name.lower.contains(':')),
                _ => {}
            }
            if names.is_empty() {
                continue;
            }
            drafts.push(Draft {
                owner: virtual_service.clone(),
                near: near(&names),
                host: Arc::new(VirtualHost {
                    name,
                    domains: names.iter().map(|name| Arc::clone(&name.lower)).collect(),
                    require_tls: false,
                    routes: owner.routes.clone(),
                    origin: origin.clone(),
                }),
            });
        }
    }
    (drafts, taken.into_contended())
}

//! Route look-up: hosts, then routes, first match wins. Knows nothing of namespaces, resources or proxies.
//!
//! `action` and `matcher` are the data; `host_index` finds the virtual host, `path_index` the first matching route
//! at a cost that stays flat as routes grow; `linear` is the slow readable oracle of both.

pub mod action;
mod apart;
mod bucket;
mod candidates;
mod exchange;
pub mod few;
mod folded_tree;
pub mod header_value;
mod host_index;
mod key_table;
pub mod linear;
mod look_up;
pub mod matcher;
mod path_index;
pub mod pattern;
mod predicate;
mod regex_group;
mod regex_set;
mod substitution;
mod text_hash;

#[cfg(test)]
mod tests;

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use mesh_model::origin::Origin;

use action::{HeaderOps, RouteAction};
use host_index::HostIndex;
use matcher::RouteMatch;
use path_index::PathIndex;

/// One route of a virtual host. Spec: Envoy, config.route.v3.Route (T-115).
#[derive(Debug, Clone)]
pub struct Route {
    /// `http.name`, joined with `match.name` (T-122); `default` for default service routes.
    pub name: Arc<str>,
    /// What it asks.
    pub matcher: RouteMatch,
    /// What it does.
    pub action: RouteAction,
    /// Route-level request header operations.
    pub request_headers: HeaderOps,
    /// Route-level response header operations.
    pub response_headers: HeaderOps,
    /// The `http[i].match[j]` it was made from.
    pub origin: Origin,
}

/// Hosts that share routes. Spec: Envoy, config.route.v3.VirtualHost (T-035).
#[derive(Debug, Clone)]
pub struct VirtualHost {
    /// `reviews.default.svc.cluster.local:9080`.
    pub name: Arc<str>,
    /// Exact names, `*.x`, `*-x`, `x.*` or `*`; lower case.
    pub domains: Vec<Arc<str>>,
    /// Plaintext requests are redirected to https (T-422).
    pub require_tls: bool,
    /// In order; the first that matches wins.
    pub routes: RouteList,
    /// What it was made from.
    pub origin: Origin,
}

/// Routes with their index. Cheap to clone: virtual hosts with the same routes share them (T-115).
#[derive(Clone)]
pub struct RouteList {
    shared: Arc<Indexed>,
}

#[repr(C)]
struct Indexed {
    index: Option<PathIndex>,
    routes: Vec<Route>,
}

impl RouteList {
    /// Whether both are the very same list, in memory.
    pub fn is_shared_with(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }

    fn index(&self) -> Option<&PathIndex> {
        self.shared.index.as_ref()
    }
}

impl From<Vec<Route>> for RouteList {
    fn from(routes: Vec<Route>) -> Self {
        let index = PathIndex::new(&routes);
        Self { shared: Arc::new(Indexed { routes, index }) }
    }
}

/// The routes alone: the index is made from them, and its maps have no order.
impl fmt::Debug for RouteList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl Deref for RouteList {
    type Target = [Route];
    fn deref(&self) -> &[Route] {
        &self.shared.routes
    }
}

/// A route table: virtual hosts with an index over their domains.
/// Spec: Envoy, config.route.v3.RouteConfiguration; looked up as T-035 says.
#[derive(Debug, Clone)]
pub struct RouteTable {
    /// `80`, `http.8080`, `inbound|http|8080`, ...
    pub name: Arc<str>,
    /// In order; of two equal domains the first counts (T-039). Not changed after [`RouteTable::new`].
    pub virtual_hosts: Vec<Arc<VirtualHost>>,
    hosts: Arc<HostIndex>,
    /// Domains that are not in `hosts`.
    apart: Option<Arc<apart::Apart>>,
    /// Where virtual hosts stand that `hosts` knows by other numbers.
    places: Option<Arc<exchange::Places>>,
}

impl VirtualHost {
    /// A virtual host with an index over its routes.
    pub fn new(
        name: impl Into<Arc<str>>,
        domains: Vec<Arc<str>>,
        require_tls: bool,
        routes: Vec<Route>,
        origin: Origin,
    ) -> Self {
        Self { name: name.into(), domains, require_tls, routes: routes.into(), origin }
    }
}

impl RouteTable {
    /// A table with an index over its domains, which are compared without case; the first of equal ones keeps its place.
    pub fn new(name: impl Into<Arc<str>>, virtual_hosts: Vec<VirtualHost>) -> Self {
        Self::of_shared(name, virtual_hosts.into_iter().map(Arc::new).collect())
    }

    /// The same with virtual hosts that other tables, or earlier revisions of this one, may share.
    pub fn of_shared(name: impl Into<Arc<str>>, virtual_hosts: Vec<Arc<VirtualHost>>) -> Self {
        let domains = (0..)
            .zip(&virtual_hosts)
            .flat_map(|(id, host)| host.domains.iter().map(move |domain| (id, domain)));
        let hosts = HostIndex::new(domains);
        Self { name: name.into(), virtual_hosts, hosts: Arc::new(hosts), apart: None, places: None }
    }

    /// The table with other virtual hosts of the same domains at some positions; the index over domains stays as it is.
    ///
    /// `None`: a position is not there, or its domains are others.
    pub fn with_replaced(
        &self,
        replacements: impl IntoIterator<Item = (usize, Arc<VirtualHost>)>,
    ) -> Option<Self> {
        let mut virtual_hosts = self.virtual_hosts.clone();
        for (position, host) in replacements {
            let slot = virtual_hosts.get_mut(position).filter(|slot| slot.domains == host.domains)?;
            *slot = host;
        }
        Some(Self { name: Arc::clone(&self.name), virtual_hosts, ..self.clone() })
    }

    /// Whether two tables say the same, written at the same places. Reads both whole: for small tables.
    pub fn is_same_as(&self, other: &Self) -> bool {
        self.name == other.name && format!("{:?}", self.virtual_hosts) == format!("{:?}", other.virtual_hosts)
    }

    /// The virtual host that answers for an authority as received (T-035, E-008); there is no fall-back to another (T-036).
    pub fn virtual_host<'t>(&'t self, authority: &str) -> Option<&'t Arc<VirtualHost>> {
        let position = match (&self.apart, &self.places) {
            (None, None) => self.hosts.find(authority),
            (Some(apart), None) => apart.find(authority).or_else(|| self.hosts.find(authority)),
            (_, Some(places)) => self.find_moved(places, authority),
        };
        self.virtual_hosts.get(position? as usize)
    }

    /// Where the virtual host stands that has this very domain, in lower case.
    pub fn holder(&self, domain: &str) -> Option<usize> {
        let apart = self.apart.as_ref().and_then(|apart| apart.holder(domain));
        let position = apart.or_else(|| {
            let number = self.hosts.holder(domain)?;
            self.places.as_ref().map_or(Some(number), |places| places.position(number))
        });
        position.map(|position| position as usize)
    }
}

//! Route look-up: hosts, then routes, first match wins. Knows nothing of namespaces, resources or proxies.
//!
//! `action` and `matcher` are the data; `host_index` finds the virtual host, `path_index` the first matching route
//! at a cost that stays flat as routes grow; `linear` is the slow readable oracle of both.

pub mod action;
mod bucket;
mod candidates;
pub mod header_value;
mod host_index;
pub mod linear;
mod look_up;
pub mod matcher;
mod path_index;
pub mod pattern;
mod predicate;
mod prefix_tree;
mod regex_set;
mod substitution;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use mesh_model::origin::Origin;

use action::{HeaderOps, RouteAction};
use host_index::HostIndex;
use matcher::RouteMatch;
use path_index::PathIndex;

/// One route of a virtual host.
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

/// Hosts that share routes. Made with [`VirtualHost::new`], which indexes the routes; not changed afterwards.
#[derive(Debug, Clone)]
pub struct VirtualHost {
    /// `reviews.default.svc.cluster.local:9080`.
    pub name: Arc<str>,
    /// Exact names, `*.x`, `*-x`, `x.*` or `*`; lower case.
    pub domains: Vec<Arc<str>>,
    /// Plaintext requests are redirected to https (T-422).
    pub require_tls: bool,
    /// In order; the first that matches wins.
    pub routes: Vec<Route>,
    /// What it was made from.
    pub origin: Origin,
    index: Option<Arc<PathIndex>>,
}

/// A route table: virtual hosts with an index over their domains.
#[derive(Debug, Clone)]
pub struct RouteTable {
    /// `80`, `http.8080`, `inbound|http|8080`, ...
    pub name: Arc<str>,
    /// In order; of two equal domains the first counts (T-039). Not changed after [`RouteTable::new`].
    pub virtual_hosts: Vec<Arc<VirtualHost>>,
    hosts: HostIndex,
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
        let index = PathIndex::new(&routes).map(Arc::new);
        Self { name: name.into(), domains, require_tls, routes, origin, index }
    }
}

impl RouteTable {
    /// A table with an index over its domains, which are compared without case; the first of equal ones keeps its place.
    pub fn new(name: impl Into<Arc<str>>, virtual_hosts: Vec<VirtualHost>) -> Self {
        let virtual_hosts: Vec<Arc<VirtualHost>> = virtual_hosts.into_iter().map(Arc::new).collect();
        let domains = (0..)
            .zip(&virtual_hosts)
            .flat_map(|(id, host)| host.domains.iter().map(move |domain| (id, domain)));
        let hosts = HostIndex::new(domains);
        Self { name: name.into(), virtual_hosts, hosts }
    }

    /// The virtual host that answers for an authority as received (T-035, E-008); there is no fall-back to another (T-036).
    pub fn virtual_host<'t>(&'t self, authority: &str) -> Option<&'t Arc<VirtualHost>> {
        self.virtual_hosts.get(self.hosts.find(authority)? as usize)
    }
}

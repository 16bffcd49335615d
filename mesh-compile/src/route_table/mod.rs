//! Route look-up: hosts, then routes, first match wins. Knows nothing of namespaces, resources or proxies.
//!
//! `action` and `matcher` are the data; `host_index` finds the virtual host, `path_index` the first matching route
//! at a cost that stays flat as routes grow; `linear` is the slow readable oracle of both.

pub mod action;
pub mod matcher;
pub mod pattern;

use std::sync::Arc;

use mesh_model::origin::Origin;

use action::{HeaderOps, RouteAction};
use matcher::RouteMatch;

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

/// Hosts that share routes.
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
}

/// A route table: virtual hosts with an index over their domains.
#[derive(Debug, Clone)]
pub struct RouteTable {
    /// `80`, `http.8080`, `inbound|http|8080`, ...
    pub name: Arc<str>,
    /// INVARIANT: no domain occurs twice.
    pub virtual_hosts: Vec<Arc<VirtualHost>>,
}

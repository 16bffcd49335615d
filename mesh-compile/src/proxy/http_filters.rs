//! The HTTP filters of a chain where they are not those that Istio puts there: what EnvoyFilters added, moved or took
//! away.

use std::sync::Arc;

use mesh_model::origin::Origin;

use crate::route_table::action::{HeaderOps, LocalRateLimit};

/// Filters in the order in which requests meet them.
/// Spec: Envoy, HttpConnectionManager.http_filters; Istio's order is S-077.
#[derive(Debug, Clone, Default)]
pub struct HttpFilters {
    /// Istio's own and those of patches.
    pub order: Vec<HttpFilter>,
}

/// One filter. Spec: Envoy, HttpConnectionManager.http_filters; Istio's order is S-077.
#[derive(Debug, Clone)]
pub struct HttpFilter {
    /// Its name.
    pub name: Arc<str>,
    /// What it does.
    pub does: FilterEffect,
    /// The patch that put it there; for Istio's own, a built-in.
    pub origin: Origin,
}

/// What a filter does to a request. Ours: what a filter does to a request is told apart from how it is configured.
#[derive(Debug, Clone)]
pub enum FilterEffect {
    /// One of Istio's own: what it does is in the chain and in its routes.
    Own,
    /// Requests over a limit are answered by the proxy; `None`: only where a route says so.
    RateLimit(Option<Arc<LocalRateLimit>>),
    /// Headers are changed before those operations that routes have.
    Headers {
        /// Of requests.
        request: HeaderOps,
        /// Of responses.
        response: HeaderOps,
    },
    /// Requests are held until they are whole; larger ones are answered with 413.
    Buffer {
        /// The most bytes of a body.
        max_request_bytes: u32,
    },
    /// Nothing here does what it does; it is told of where it is patched in.
    Unknown,
}

impl HttpFilters {
    /// The filter for faults.
    pub const FAULT: &str = "envoy.filters.http.fault";
    /// The filter for cross-origin requests.
    pub const CORS: &str = "envoy.filters.http.cors";
    /// The filter for tokens.
    pub const JWT: &str = "envoy.filters.http.jwt_authn";
    /// The filter for policies.
    pub const RBAC: &str = "envoy.filters.http.rbac";
    /// The last filter, which chooses clusters.
    pub const ROUTER: &str = "envoy.filters.http.router";

    /// Whether a filter of this name is there.
    pub fn has(&self, name: &str) -> bool {
        self.order.iter().any(|filter| *filter.name == *name)
    }

    /// The local rate limits that a request meets, where its route says `own`: the route's in place of each filter's.
    pub fn rate_limits<'f>(
        &'f self,
        own: Option<&'f Arc<LocalRateLimit>>,
    ) -> impl Iterator<Item = &'f Arc<LocalRateLimit>> {
        let limits = self.order.iter().filter_map(move |filter| match &filter.does {
            FilterEffect::RateLimit(limit) => own.or(limit.as_ref()),
            _ => None,
        });
        limits.filter(|limit| limit.is_enforced())
    }

    /// The smallest body that no filter accepts is one byte larger.
    pub fn max_request_bytes(&self) -> Option<u32> {
        let limits = self.order.iter().filter_map(|filter| match filter.does {
            FilterEffect::Buffer { max_request_bytes } => Some(max_request_bytes),
            _ => None,
        });
        limits.min()
    }
}

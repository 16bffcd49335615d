//! Whether a part of a new revision is that of the one before: then the old one stays, and so do connections and pools.
//!
//! Stricter than equality: where things were written counts, so that an explanation never points at an old text.

use std::sync::Arc;

use mesh_model::origin::Origin;

use super::ProxyConfig;
use super::cluster::Cluster;
use super::listener::{FilterChain, HttpManager, Listener, Network, TcpProxy};
use crate::route_table::action::{Destination, Destinations};

impl ProxyConfig {
    /// Whether both hold the very same parts, in memory.
    pub fn is_shared_with(&self, other: &Self) -> bool {
        self.listeners.len() == other.listeners.len()
            && self.listeners.iter().zip(&other.listeners).all(|(a, b)| Arc::ptr_eq(a, b))
            && self.route_tables.len() == other.route_tables.len()
            && self
                .route_tables
                .iter()
                .zip(&other.route_tables)
                .all(|((name, a), (other, b))| name == other && Arc::ptr_eq(a, b))
            && self.clusters.is_alike(&other.clusters, Arc::ptr_eq)
            && Arc::ptr_eq(&self.telemetry, &other.telemetry)
            && Arc::ptr_eq(&self.settings, &other.settings)
            && Arc::ptr_eq(&self.extensions, &other.extensions)
            && Arc::ptr_eq(&self.envoy_filters, &other.envoy_filters)
            && Arc::ptr_eq(&self.peer_modes, &other.peer_modes)
    }
}

impl Cluster {
    /// Whether two clusters are the same, written at the same places.
    pub fn is_same_as(&self, other: &Self) -> bool {
        self == other && self.origins.are_same_places(&other.origins)
    }
}

impl Listener {
    /// Whether two listeners are the same, written at the same places and with the very same policies.
    pub fn is_same_as(&self, other: &Self) -> bool {
        let Self {
            name,
            direction,
            address,
            port,
            catch_all,
            binds_port,
            http_inspector,
            http10,
            proxy_protocol,
            buffer_bytes,
            filter_chains,
            default_chain,
            origin,
        } = self;
        *name == other.name
            && (direction, address, port) == (&other.direction, &other.address, &other.port)
            && (catch_all, http_inspector, http10) == (&other.catch_all, &other.http_inspector, &other.http10)
            && (binds_port, proxy_protocol, buffer_bytes)
                == (&other.binds_port, &other.proxy_protocol, &other.buffer_bytes)
            && filter_chains.len() == other.filter_chains.len()
            && filter_chains.iter().zip(&other.filter_chains).all(|(a, b)| a.is_same_as(b))
            && both(default_chain.as_ref(), other.default_chain.as_ref(), FilterChain::is_same_as)
            && origin.is_same_place(&other.origin)
    }
}

impl FilterChain {
    fn is_same_as(&self, other: &Self) -> bool {
        let Self { name, matches, tls, network, max_connections, origin } = self;
        let same_network = match (network, &other.network) {
            (Network::Http(a), Network::Http(b)) => a.is_same_as(b),
            (Network::Tcp(a), Network::Tcp(b)) => a.is_same_as(b),
            _ => false,
        };
        (name, matches, tls, max_connections)
            == (&other.name, &other.matches, &other.tls, &other.max_connections)
            && same_network
            && origin.is_same_place(&other.origin)
    }
}

impl HttpManager {
    fn is_same_as(&self, other: &Self) -> bool {
        let Self {
            route_table,
            authn,
            authz,
            normalization,
            http10,
            use_remote_address,
            trusted_hops,
            headers,
            limits,
            filters,
        } = self;
        (route_table, normalization, http10) == (&other.route_table, &other.normalization, &other.http10)
            && (use_remote_address, trusted_hops) == (&other.use_remote_address, &other.trusted_hops)
            && *limits == other.limits
            && *headers == other.headers
            && both(filters.as_ref(), other.filters.as_ref(), Arc::ptr_eq)
            && both(authn.as_ref(), other.authn.as_ref(), Arc::ptr_eq)
            && both(authz.as_ref(), other.authz.as_ref(), Arc::ptr_eq)
    }
}

impl TcpProxy {
    fn is_same_as(&self, other: &Self) -> bool {
        let Self {
            destinations,
            hash_policy,
            authz,
            idle_timeout_ms,
            max_connection_ms,
            sni_cluster,
            tunnel,
        } = self;
        let is_weighted = |it: &Destinations| matches!(it, Destinations::Weighted(_));
        let of_other = other.destinations.iter();
        (hash_policy, idle_timeout_ms, max_connection_ms, sni_cluster)
            == (&other.hash_policy, &other.idle_timeout_ms, &other.max_connection_ms, &other.sni_cluster)
            && both(authz.as_ref(), other.authz.as_ref(), Arc::ptr_eq)
            && both(tunnel.as_ref(), other.tunnel.as_ref(), |a, b| {
                a == b && a.origin.is_same_place(&b.origin)
            })
            && is_weighted(destinations) == is_weighted(&other.destinations)
            && destinations.iter().len() == of_other.len()
            && destinations.iter().zip(of_other).all(|(a, b)| a.is_same_as(b))
    }
}

impl Destination {
    fn is_same_as(&self, other: &Self) -> bool {
        let Self { cluster, weight, request_headers, response_headers, authority, origin } = self;
        (cluster, weight, authority) == (&other.cluster, &other.weight, &other.authority)
            && (request_headers, response_headers) == (&other.request_headers, &other.response_headers)
            && Origin::is_same_place(origin, &other.origin)
    }
}

/// Whether both are absent, or both are there and alike.
fn both<T>(one: Option<&T>, other: Option<&T>, alike: impl Fn(&T, &T) -> bool) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => alike(one, other),
        (one, other) => one.is_none() && other.is_none(),
    }
}

//! A small builder of compiled configurations.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use mesh_compile::proxy::ProxyConfig;
use mesh_compile::proxy::cluster::{Cluster, Discovery, LbPolicy};
use mesh_compile::proxy::listener::{
    ChainMatch, ClientCertificate, Direction, DownstreamTls, FilterChain, HttpManager, Listener, Network,
    PathNormalization, TcpProxy,
};
use mesh_compile::route_table::action::{Destination, Destinations, Forward, HeaderOps, RouteAction};
use mesh_compile::route_table::few::Few;
use mesh_compile::route_table::matcher::{Case, PathMatch, RouteMatch};
use mesh_compile::route_table::{Route, RouteTable, VirtualHost};
use mesh_model::facts::{ConnectionFacts, Headers, HttpVersion, RequestFacts, TlsFacts};
use mesh_model::origin::Origin;
use serde_json::Value;

use crate::decide::{decide, explain};
use crate::query::Query;

pub(super) fn origin() -> Origin {
    Origin::built_in("test")
}

pub(super) fn manager(table: &str) -> HttpManager {
    HttpManager {
        route_table: table.into(),
        authn: None,
        authz: None,
        normalization: PathNormalization::Base,
        http10: false,
        use_remote_address: false,
        trusted_hops: 0,
        ..HttpManager::bare("")
    }
}

pub(super) fn chain(name: &str, matches: ChainMatch, network: Network) -> FilterChain {
    FilterChain { name: name.into(), matches, tls: None, network, max_connections: None, origin: origin() }
}

pub(super) fn http(table: &str) -> Network {
    Network::Http(Box::new(manager(table)))
}

pub(super) fn tcp(cluster: &str) -> Network {
    Network::Tcp(Box::new(TcpProxy::to(cluster, origin())))
}

pub(super) fn tls(client_certificate: ClientCertificate) -> DownstreamTls {
    DownstreamTls {
        client_certificate,
        trust_domains: Vec::new(),
        subject_alt_names: Vec::new(),
        certificates: Vec::new(),
        root: None,
        alpn: Vec::new(),
        min_version: "".into(),
        max_version: "".into(),
        cipher_suites: Vec::new(),
        crl: None,
        ecdh_curves: Vec::new(),
        key_hashes: Vec::new(),
        certificate_hashes: Vec::new(),
    }
}

pub(super) fn listener(direction: Direction, address: &str, port: u16, chains: Vec<FilterChain>) -> Listener {
    Listener {
        name: format!("{address}_{port}").into(),
        direction,
        address: address.parse().unwrap(),
        port,
        catch_all: false,
        binds_port: false,
        http_inspector: false,
        http10: false,
        proxy_protocol: false,
        buffer_bytes: None,
        filter_chains: chains,
        default_chain: None,
        origin: origin(),
    }
}

pub(super) fn cluster(name: &str) -> Cluster {
    Cluster {
        connect_timeout_ms: 10_000,
        origins: [("lb", origin())].into_iter().collect(),
        ..Cluster::bare(name, Discovery::Eds, LbPolicy::LeastRequest)
    }
}

pub(super) fn destination(cluster: &str, weight: u32) -> Destination {
    Destination {
        cluster: cluster.into(),
        weight,
        request_headers: HeaderOps::default(),
        response_headers: HeaderOps::default(),
        authority: None,
        origin: origin(),
    }
}

pub(super) fn forward(destinations: Destinations) -> Forward {
    Forward {
        destinations,
        timeout_ms: 0,
        timeout_origin: None,
        retries: None,
        path_rewrite: None,
        authority_rewrite: None,
        tells_authority: false,
        mirrors: Few::default(),
        hash_policy: Few::default(),
        fault: None,
        cors: None,
        rate_limit: None,
        no_cluster_status: 503,
    }
}

pub(super) fn to(cluster: &str) -> Forward {
    forward(Destinations::Single(Box::new(destination(cluster, 100))))
}

pub(super) fn route(prefix: &str, action: RouteAction) -> Route {
    Route {
        name: "".into(),
        matcher: RouteMatch::path(PathMatch::Prefix(prefix.into(), Case::Sensitive)),
        action,
        request_headers: HeaderOps::default(),
        response_headers: HeaderOps::default(),
        origin: origin(),
    }
}

pub(super) fn host(domain: &str, require_tls: bool, routes: Vec<Route>) -> VirtualHost {
    VirtualHost::new(domain, vec![domain.into()], require_tls, routes, origin())
}

pub(super) fn config(listeners: Vec<Listener>, hosts: Vec<VirtualHost>, clusters: &[&str]) -> ProxyConfig {
    ProxyConfig {
        listeners: listeners.into_iter().map(Arc::new).collect(),
        route_tables: BTreeMap::from([("80".into(), Arc::new(RouteTable::new("80", hosts)))]),
        clusters: clusters.iter().map(|name| ((*name).into(), Arc::new(cluster(name)))).collect(),
        ..ProxyConfig::default()
    }
}

/// A gateway with one plaintext port 80 and these virtual hosts.
pub(super) fn gateway(hosts: Vec<VirtualHost>, clusters: &[&str]) -> ProxyConfig {
    let chains = vec![chain("http", ChainMatch::default(), http("80"))];
    config(vec![listener(Direction::Gateway, "0.0.0.0", 80, chains)], hosts, clusters)
}

pub(super) fn to_address(direction: Direction, address: &str, port: u16) -> Query<'static> {
    Query {
        direction,
        connection: ConnectionFacts {
            src_ip: "10.1.2.3".parse().unwrap(),
            dst_ip: address.parse().unwrap(),
            dst_port: port,
            tls: None,
            proxied_ip: None,
        },
        request: None,
        now: 0,
    }
}

pub(super) fn over_tls(
    query: Query<'static>,
    sni: &'static str,
    alpn: &[&'static str],
    peer: Option<&'static str>,
) -> Query<'static> {
    let tls = TlsFacts {
        sni: Some(Cow::Borrowed(sni)),
        alpn: alpn.iter().map(|name| Cow::Borrowed(*name)).collect(),
        peer: peer.map(Cow::Borrowed),
    };
    Query { connection: ConnectionFacts { tls: Some(tls), ..query.connection }, ..query }
}

pub(super) fn asking(query: Query<'static>, authority: &'static str, path: &'static str) -> Query<'static> {
    let request = RequestFacts {
        version: HttpVersion::Http11,
        method: Cow::Borrowed("GET"),
        scheme: Cow::Borrowed("http"),
        authority: Cow::Borrowed(authority),
        path: Cow::Borrowed(path),
        headers: Headers::default(),
    };
    Query { request: Some(request), ..query }
}

pub(super) fn get(authority: &'static str, path: &'static str) -> Query<'static> {
    asking(to_address(Direction::Gateway, "10.0.0.1", 80), authority, path)
}

/// The decision as JSON; `explain` must say the same.
pub(super) fn answer(config: &ProxyConfig, query: &Query<'_>) -> Value {
    let decision = decide(config, query, &mut ());
    let (mut explained, _) = explain(config, query);
    explained.why.clear();
    assert_eq!(decision, explained);
    serde_json::to_value(decision).unwrap()
}

/// `result` and `reason`.
pub(super) fn reason(config: &ProxyConfig, query: &Query<'_>) -> String {
    let answer = answer(config, query);
    match answer.get("reason") {
        Some(reason) => reason.as_str().unwrap().to_owned(),
        None => answer["clusters"][0]["cluster"].as_str().unwrap().to_owned(),
    }
}

//! The server side of a sidecar: the virtual inbound listener and its chains per workload port.
//!
//! `ports` says which ports have chains of their own, `chains` which chains a mode and a protocol give,
//! `policies` what runs on them. Ports that no Service names pass through (T-490).

mod chains;
mod ports;
#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::sync::Arc;

use mesh_authz::peer::{Mode, PeerModes};
use mesh_model::diagnostic::Report;
use mesh_model::name::Protocol;
use mesh_model::origin::Origin;

use super::Fragment;
use super::clusters::names;
use super::listener::{
    ChainMatch, Direction, DownstreamTls, FilterChain, HttpLimits, HttpManager, Listener, Network, TcpProxy,
};
use super::policies::Policies;
use super::proxy_headers::ProxyHeaders;
use super::settings;
use crate::proxy::listener::ClientCertificate;
use crate::route_table::action::{Destination, Forward, HeaderOps, RouteAction};
use crate::route_table::{Route, RouteTable, VirtualHost};
use crate::view::View;
use chains::{Class, Shape, Speaks, shapes};
use ports::{InboundPort, own_ports, ports};

/// Inbound listener and route tables of a sidecar.
pub fn compile(view: &View<'_>) -> (Fragment, Report) {
    let mut report = Report::new();
    let policies = Policies::compile(view, &mut report);
    let (fragment, problems) = compile_with(view, policies);
    report.merge(problems);
    (fragment, report)
}

/// The same with policies that were compiled before.
pub fn compile_with(view: &View<'_>, policies: Policies) -> (Fragment, Report) {
    let modes = peer_modes(view);
    let mut builder = Builder {
        view,
        policies,
        modes,
        tables: Vec::new(),
        http10: settings::http10(view),
        headers: settings::headers(view, Direction::Inbound),
    };
    let listeners = builder.listeners();
    (Fragment { listeners, route_tables: builder.tables }, Report::new())
}

/// What the ports of the proxy's workload accept (S-001 to S-011).
pub fn peer_modes(view: &View<'_>) -> PeerModes {
    view.asked_peers_of(&view.proxy().namespace);
    PeerModes::resolve(
        view.peer_authentications().iter().map(|object| &**object),
        view.mesh().root_namespace(),
        &view.proxy().namespace,
        &view.proxy().labels,
    )
}

struct Builder<'b, 's> {
    view: &'b View<'s>,
    policies: Policies,
    modes: PeerModes,
    tables: Vec<Arc<RouteTable>>,
    http10: bool,
    headers: Arc<ProxyHeaders>,
}

/// What a set of chains leads to.
struct Target {
    /// `None`: any port.
    port: Option<u16>,
    service_port: u16,
    protocol: Protocol,
    cluster: Arc<str>,
    name: Arc<str>,
    origin: Origin,
}

impl Builder<'_, '_> {
    fn listeners(&mut self) -> Vec<Listener> {
        let ports = ports(self.view);
        let mut virtual_chains = vec![self.blackhole()];
        self.passthrough(&ports, &mut virtual_chains);
        let mut bound = Vec::new();
        for port in ports.values() {
            let target = Target {
                port: Some(port.number),
                service_port: port.service_port,
                protocol: port.protocol,
                cluster: names::inbound(port.number),
                name: format!("{}_{}", port.bind, port.number).into(),
                origin: port.origin.clone(),
            };
            let mode = self.modes.for_port(port.number);
            let (mode, mode_origin) = (*mode.value(), mode.origin().clone());
            let chains = self.chains(&target, mode, &mode_origin);
            if port.binds_port {
                bound.push(listener(&target.name, port.bind, port.number, false, chains, &port.origin));
            } else {
                virtual_chains.extend(chains);
            }
        }
        let mut listeners = Vec::new();
        if settings::captures(self.view) {
            let [_, number] = own_ports(self.view);
            let origin = Origin::built_in("virtual inbound listener (T-490)");
            let any = self.view.proxy().families().wildcard();
            listeners.push(listener("virtualInbound", any, number, true, virtual_chains, &origin));
        }
        listeners.extend(bound);
        listeners
    }

    /// Traffic that was dialled to the listener's own port would come back to it for ever.
    fn blackhole(&self) -> FilterChain {
        let [_, number] = own_ports(self.view);
        let origin = Origin::built_in("virtual inbound blackhole (T-488)");
        FilterChain {
            name: "virtualInbound-blackhole".into(),
            matches: ChainMatch { destination_port: Some(number), ..ChainMatch::default() },
            tls: None,
            network: Network::Tcp(Box::new(TcpProxy::to(names::BLACK_HOLE, origin.clone()))),
            max_connections: None,
            origin,
        }
    }

    /// Chains for ports without a Service, and for ports that only `portLevelMtls` names (S-013).
    fn passthrough(
        &mut self,
        ports: &std::collections::BTreeMap<u16, InboundPort>,
        chains: &mut Vec<FilterChain>,
    ) {
        let default = &self.modes.default;
        let mut wanted = vec![(None, *default.value(), default.origin().clone())];
        for (port, mode) in &self.modes.ports {
            if !ports.contains_key(port) {
                wanted.push((Some(*port), *mode.value(), mode.origin().clone()));
            }
        }
        for (port, mode, origin) in wanted {
            let target = Target {
                port,
                service_port: 0,
                protocol: Protocol::parse(""),
                cluster: names::INBOUND_PASSTHROUGH.into(),
                name: "virtualInbound".into(),
                origin: Origin::built_in("inbound passthrough (T-490)"),
            };
            chains.extend(self.chains(&target, mode, &origin));
        }
    }

    fn chains(&mut self, target: &Target, mode: Mode, mode_origin: &Origin) -> Vec<FilterChain> {
        let shapes = shapes(mode, Class::of(target.protocol));
        shapes.iter().map(|shape| self.chain(target, *shape, mode, mode_origin)).collect()
    }

    fn chain(&mut self, target: &Target, shape: Shape, mode: Mode, mode_origin: &Origin) -> FilterChain {
        let network = match shape.speaks {
            Speaks::Http => Network::Http(Box::new(self.http(target))),
            Speaks::Bytes => {
                let mut proxy = TcpProxy::to(Arc::clone(&target.cluster), target.origin.clone());
                proxy.authz.clone_from(&self.policies.tcp);
                Network::Tcp(Box::new(proxy))
            }
        };
        let tls = shape.terminates.then(|| Arc::new(mesh_tls(self.view, shape.speaks)));
        FilterChain {
            name: format!("{} {}{}", target.name, mode.as_str(), if shape.terminates { " mTLS" } else { "" })
                .into(),
            matches: shape.matches(target.port, self.http10),
            tls,
            network,
            max_connections: None,
            origin: mode_origin.clone(),
        }
    }

    fn http(&mut self, target: &Target) -> HttpManager {
        let name: Arc<str> = format!("inbound|{}|{}", target.service_port, target.port.unwrap_or(0)).into();
        if !self.tables.iter().any(|table| table.name == name) {
            self.tables.push(Arc::new(self.table(&name, target)));
        }
        HttpManager {
            route_table: name,
            authn: self.policies.authn.clone(),
            authz: self.policies.http.clone(),
            normalization: settings::path_normalization(self.view),
            http10: self.http10,
            use_remote_address: false,
            // S-221: a sidecar trusts none, whatever `gatewayTopology` says.
            trusted_hops: 0,
            headers: Arc::clone(&self.headers),
            limits: HttpLimits::default(),
            filters: None,
        }
    }

    /// One virtual host for every authority, one route for every path (T-491).
    fn table(&self, name: &Arc<str>, target: &Target) -> RouteTable {
        let destination = Destination {
            cluster: Arc::clone(&target.cluster),
            weight: 100,
            request_headers: HeaderOps::default(),
            response_headers: HeaderOps::default(),
            authority: None,
            origin: target.origin.clone(),
        };
        // Retries do not work well for gRPC streams (T-169).
        let retries = (!target.protocol.is_grpc()).then(super::routes::retries::inbound).map(Arc::new);
        let forward = Forward { retries, ..Forward::to(destination) };
        let action = RouteAction::Forward(Box::new(forward));
        let route = Route::to_everything("default", action, target.origin.clone());
        let host = VirtualHost::new(
            format!("inbound|http|{}", target.service_port),
            vec!["*".into()],
            false,
            vec![route],
            target.origin.clone(),
        );
        RouteTable::new(Arc::clone(name), vec![host])
    }
}

/// Workload certificate, client certificate required, accepted trust domains (S-040, S-041).
fn mesh_tls(view: &View<'_>, speaks: Speaks) -> DownstreamTls {
    let mesh = view.mesh();
    let mut trust_domains: Vec<Arc<str>> = vec![mesh.trust_domain().into()];
    trust_domains.extend(mesh.trust_domain_aliases.iter().map(|alias| Arc::from(alias.as_str())));
    for authority in &mesh.ca_certificates {
        trust_domains.extend(authority.trust_domains.iter().map(|domain| Arc::from(domain.as_str())));
    }
    let settings = mesh.mesh_mtls.as_ref();
    let version_13 = settings.is_some_and(|tls| tls.min_protocol_version.as_str() == "TLSV1_3");
    let alpn: &[&str] = match speaks {
        Speaks::Http => &["h2", "http/1.1"],
        Speaks::Bytes => &["istio-peer-exchange", "h2", "http/1.1"],
    };
    DownstreamTls {
        client_certificate: ClientCertificate::Required,
        trust_domains,
        subject_alt_names: Vec::new(),
        certificates: vec!["default".into()],
        root: Some("ROOTCA".into()),
        alpn: alpn.iter().map(|name| Arc::from(*name)).collect(),
        min_version: if version_13 { "TLSv1_3" } else { "TLSv1_2" }.into(),
        max_version: "TLSv1_3".into(),
        cipher_suites: settings.map_or_else(Vec::new, |tls| {
            tls.cipher_suites.iter().map(|name| Arc::from(name.as_str())).collect()
        }),
        crl: None,
        ecdh_curves: Vec::new(),
        key_hashes: Vec::new(),
        certificate_hashes: Vec::new(),
    }
}

fn listener(
    name: &str,
    address: IpAddr,
    port: u16,
    catch_all: bool,
    filter_chains: Vec<FilterChain>,
    origin: &Origin,
) -> Listener {
    Listener {
        name: name.into(),
        direction: Direction::Inbound,
        address,
        port,
        catch_all,
        binds_port: true,
        http_inspector: true,
        http10: false,
        proxy_protocol: false,
        buffer_bytes: None,
        filter_chains,
        default_chain: None,
        origin: origin.clone(),
    }
}

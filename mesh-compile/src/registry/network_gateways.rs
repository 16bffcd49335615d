//! Gateways between networks: from MeshNetworks, labelled Services and labelled Gateways of the Gateway API (T-309, T-315).

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use mesh_model::config_set::ConfigSet;
use mesh_model::diagnostic::{Code, Diagnostic, Place, Report};
use mesh_model::gateway_api::{KubernetesGateway, Listener};
use mesh_model::kubernetes::service::ServiceType;
use mesh_model::kubernetes::{Node, Service};
use mesh_model::name::StringMap;
use mesh_model::object::Object;

use super::kubernetes_service::hostname;
use super::locality::NETWORK_LABEL;
use super::namespaces::Namespaces;

/// The label with the port for other networks, where it is not [`PORT`].
const PORT_LABEL: &str = "networking.istio.io/gatewayPort";
/// The port for other networks.
const PORT: u16 = 15443;
/// The port for tunnels from other networks.
const TUNNEL_PORT: u16 = 15008;
/// Makes the nodes' addresses those of a `NodePort` service.
const NODE_SELECTOR: &str = "traffic.istio.io/nodeSelector";
const ACCOUNT: &str = "gateway.istio.io/service-account";
const REMOTE_CLASS: &str = "istio-remote";
const LISTENER_OPTION: &str = "gateway.istio.io/listener-protocol";
const AUTO_PASSTHROUGH: &str = "auto-passthrough";

/// An entry to a network. The order is that in which proxies list them (T-315).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct NetworkGateway {
    /// An IP, or a name that is not looked up here.
    pub address: Arc<str>,
    /// The port that forwards mesh TLS by its server name; 0: there is none.
    pub port: u16,
    /// The network behind it.
    pub network: Arc<str>,
    /// The cluster it is in; empty: unknown.
    pub cluster: Arc<str>,
    /// The port for tunnels; 0: there is none.
    tunnel_port: u16,
    /// The account it runs as, where a Gateway says so: gateways that differ in it alone are two.
    account: Option<(Arc<str>, Arc<str>)>,
}

type List = Vec<Arc<NetworkGateway>>;

/// Gateways by what they lead to (T-315).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct GatewayTable {
    by_network: BTreeMap<Arc<str>, List>,
    by_cluster: BTreeMap<(Arc<str>, Arc<str>), List>,
    scale: u32,
}

/// All gateways between networks (T-309, T-315).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct NetworkGateways {
    addresses: GatewayTable,
    all: GatewayTable,
}

impl GatewayTable {
    fn of(gateways: impl Iterator<Item = Arc<NetworkGateway>>) -> Self {
        let mut table = Self::default();
        for gateway in gateways {
            let place = (Arc::clone(&gateway.network), Arc::clone(&gateway.cluster));
            table.by_network.entry(Arc::clone(&gateway.network)).or_default().push(Arc::clone(&gateway));
            table.by_cluster.entry(place).or_default().push(gateway);
        }
        let counts = table.by_network.values().chain(table.by_cluster.values()).map(Vec::len);
        table.scale = counts.fold(1, common_multiple);
        table
    }

    /// Whether there is none: networks do not matter then.
    pub fn is_empty(&self) -> bool {
        self.by_network.is_empty()
    }

    /// What weights are multiplied with, so that they can be split among the gateways of any network or cluster.
    pub fn scale(&self) -> u32 {
        self.scale.max(1)
    }

    /// The gateways towards endpoints of a network in a cluster: those of that cluster, else all of the network.
    pub fn towards(&self, network: &Arc<str>, cluster: &Arc<str>) -> &[Arc<NetworkGateway>] {
        let place = (Arc::clone(network), Arc::clone(cluster));
        let found = self.by_cluster.get(&place).or_else(|| self.by_network.get(network));
        found.map_or(&[], Vec::as_slice)
    }
}

impl NetworkGateways {
    /// Those that a proxy can dial: names are for proxies that look them up themselves.
    pub fn dialled(&self, by_name: bool) -> &GatewayTable {
        if by_name { &self.all } else { &self.addresses }
    }
}

/// The least common multiple, or the greatest number where it does not fit.
fn common_multiple(one: u32, other: usize) -> u32 {
    let Ok(other) = u32::try_from(other) else { return u32::MAX };
    let (mut divisor, mut rest) = (one, other);
    while rest > 0 {
        (divisor, rest) = (rest, divisor % rest);
    }
    one.checked_div(divisor).and_then(|part| part.checked_mul(other)).unwrap_or(u32::MAX)
}

/// A listener for other networks of the mesh: told by an option, or by label and port.
pub(crate) fn is_auto_passthrough(labels: &StringMap, listener: &Listener) -> bool {
    let Some(tls) = &listener.tls else { return false };
    if tls.options.get(LISTENER_OPTION).is_some_and(|mode| mode == AUTO_PASSTHROUGH) {
        return true;
    }
    let port = labels.get(PORT_LABEL).map(str::to_owned).unwrap_or_else(|| PORT.to_string());
    labels.contains_key(NETWORK_LABEL) && listener.port.to_string() == port
}

/// Finds the gateways of all networks.
pub(super) fn discover(config: &ConfigSet, namespaces: &Namespaces, report: &mut Report) -> NetworkGateways {
    let mut found = BTreeSet::new();
    for (name, network) in &config.mesh_networks.networks {
        for gateway in &network.gateways {
            let address = gateway.address.as_deref().filter(|address| !address.is_empty());
            if let (Some(address), Ok(port)) = (address, u16::try_from(gateway.port)) {
                found.insert(Arc::new(NetworkGateway { port, ..entry(name, "", address) }));
            }
        }
    }
    let registered = registered(config);
    for service in config.services.iter() {
        if namespaces.is_discovered(&service.meta.cluster, &service.meta.namespace) {
            let new = of_service(service, config, &registered);
            tell_of_names(&new, service, "status.loadBalancer", report);
            found.extend(new);
        }
    }
    for gateway in config.kubernetes_gateways.iter() {
        if namespaces.is_discovered(&gateway.meta.cluster, &gateway.meta.namespace) {
            let new = of_gateway(gateway);
            tell_of_names(&new, gateway, "spec.addresses", report);
            found.extend(new);
        }
    }
    let is_address = |gateway: &&Arc<NetworkGateway>| gateway.address.parse::<IpAddr>().is_ok();
    let addresses = GatewayTable::of(found.iter().filter(is_address).cloned());
    NetworkGateways { addresses, all: GatewayTable::of(found.iter().cloned()) }
}

fn entry(network: &str, cluster: &str, address: &str) -> NetworkGateway {
    NetworkGateway {
        address: address.into(),
        port: 0,
        network: network.into(),
        cluster: cluster.into(),
        tunnel_port: 0,
        account: None,
    }
}

/// A control plane looks the names of gateways up; here nobody does.
fn tell_of_names<S>(gateways: &[Arc<NetworkGateway>], object: &Object<S>, path: &str, report: &mut Report) {
    for gateway in gateways.iter().filter(|gateway| gateway.address.parse::<IpAddr>().is_err()) {
        let message = format!(
            "`{}`, the gateway of network `{}`, is a name, which is not looked up here: it is left out",
            gateway.address, gateway.network
        );
        let finding = Diagnostic::new(Code::EndpointUnused, Place::of(&object.provenance, path), message);
        report.push(finding.help("give it an IP address, or write one in MeshNetworks"));
    }
}

/// Networks and ports of the services that MeshNetworks names, by cluster and hostname: a network's services count in
/// the clusters that it takes endpoints from.
fn registered(config: &ConfigSet) -> BTreeMap<(&str, &str), Vec<(&str, u16)>> {
    let mut out: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for (name, network) in &config.mesh_networks.networks {
        let clusters: BTreeSet<&str> =
            network.endpoints.iter().filter_map(|endpoints| endpoints.from_registry.as_deref()).collect();
        for gateway in &network.gateways {
            let host = gateway.registry_service_name.as_deref().unwrap_or_default();
            let Ok(port) = u16::try_from(gateway.port) else { continue };
            for cluster in clusters.iter().filter(|_| !host.is_empty()) {
                out.entry((*cluster, host)).or_default().push((name.as_str(), port));
            }
        }
    }
    out
}

/// The gateways that a Service is: one per external address, and per network that it leads to.
fn of_service(
    service: &Object<Service>,
    config: &ConfigSet,
    registered: &BTreeMap<(&str, &str), Vec<(&str, u16)>>,
) -> Vec<Arc<NetworkGateway>> {
    let meta = &service.meta;
    // (network, port, tunnel port)
    let leads_to: Vec<(&str, u16, u16)> = match meta.labels.get(NETWORK_LABEL).filter(|it| !it.is_empty()) {
        Some(network) => {
            labelled_ports(service).map(|(port, tunnel)| (network, port, tunnel)).into_iter().collect()
        }
        None => {
            let host = hostname(&meta.name, &meta.namespace);
            let found = registered.get(&(&*meta.cluster, &*host)).map_or(&[][..], Vec::as_slice);
            found.iter().map(|(network, port)| (*network, *port, 0)).collect()
        }
    };
    if leads_to.is_empty() {
        return Vec::new();
    }
    let mut out = Vec::new();
    for address in external_addresses(service, config) {
        for (network, port, tunnel_port) in &leads_to {
            let port = node_port(service, *port).unwrap_or(*port);
            let gateway = entry(network, &meta.cluster, &address);
            out.push(Arc::new(NetworkGateway { port, tunnel_port: *tunnel_port, ..gateway }));
        }
    }
    out
}

/// The port for other networks and that for tunnels, 0 for one that the service does not have; `None`: neither.
fn labelled_ports(service: &Object<Service>) -> Option<(u16, u16)> {
    let written = service.meta.labels.get(PORT_LABEL).and_then(|port| port.parse::<i64>().ok());
    let wanted = written.unwrap_or_else(|| PORT.into());
    let has = |wanted: i64| service.spec.spec.ports.iter().any(|port| i64::from(port.port) == wanted);
    let port = u16::try_from(wanted).ok().filter(|_| has(wanted)).unwrap_or_default();
    let tunnel = if has(TUNNEL_PORT.into()) { TUNNEL_PORT } else { 0 };
    (port != 0 || tunnel != 0).then_some((port, tunnel))
}

fn is_on_nodes(service: &Object<Service>) -> bool {
    service.spec.spec.r#type == ServiceType::NodePort && service.meta.annotations.contains_key(NODE_SELECTOR)
}

/// The node port in place of a port, of services that are reached through nodes.
fn node_port(service: &Object<Service>, port: u16) -> Option<u16> {
    let mut ports = service.spec.spec.ports.iter().filter(|_| is_on_nodes(service));
    // The last of a number counts.
    let found = ports.rfind(|it| it.port == i32::from(port))?;
    u16::try_from(found.node_port).ok()
}

/// Where a Service is reached from outside its cluster (T-309).
fn external_addresses(service: &Object<Service>, config: &ConfigSet) -> BTreeSet<String> {
    let spec = &service.spec.spec;
    let mut found: BTreeSet<String> = spec.external_ips.iter().cloned().collect();
    if spec.r#type == ServiceType::LoadBalancer {
        for ingress in &service.spec.status.load_balancer.ingress {
            let address = if ingress.ip.is_empty() { &ingress.hostname } else { &ingress.ip };
            found.extend(Some(address).filter(|address| !address.is_empty()).cloned());
        }
    }
    if found.is_empty() && is_on_nodes(service) {
        let written = service.meta.annotations.get(NODE_SELECTOR).unwrap_or_default();
        // What cannot be read selects every node.
        let selector: StringMap = serde_json::from_str(written).unwrap_or_default();
        let fits = |node: &Object<Node>| {
            node.meta.cluster == service.meta.cluster
                && selector.iter().all(|(key, value)| node.meta.labels.get(key) == Some(value))
        };
        found
            .extend(config.nodes.iter().filter(|node| fits(node)).filter_map(|node| external_ip(&node.spec)));
    }
    found
}

fn external_ip(node: &Node) -> Option<String> {
    let mut addresses = node.status.addresses.iter();
    addresses.find(|it| it.r#type == "ExternalIP" && !it.address.is_empty()).map(|it| it.address.clone())
}

/// The gateways that a labelled Gateway is: one per address and listener for other networks.
fn of_gateway(gateway: &Object<KubernetesGateway>) -> Vec<Arc<NetworkGateway>> {
    let meta = &gateway.meta;
    let spec = &gateway.spec.spec;
    let Some(network) = meta.labels.get(NETWORK_LABEL).filter(|network| !network.is_empty()) else {
        return Vec::new();
    };
    let account = match meta.annotations.get(ACCOUNT).filter(|account| !account.is_empty()) {
        Some(account) => account.to_owned(),
        None if spec.gateway_class_name == REMOTE_CLASS => format!("{}-{REMOTE_CLASS}", meta.name),
        None => meta.name.to_string(),
    };
    let account = Some((Arc::clone(&meta.namespace), account.into()));
    let mut out = Vec::new();
    for address in &spec.addresses {
        if !matches!(address.r#type.as_deref(), Some("IPAddress" | "Hostname")) {
            continue;
        }
        for listener in &spec.listeners {
            let gateway = NetworkGateway {
                port: listener.port,
                account: account.clone(),
                ..entry(network, &meta.cluster, &address.value)
            };
            if is_auto_passthrough(&meta.labels, listener) {
                out.push(Arc::new(gateway.clone()));
            }
            if listener.protocol == "HBONE" {
                out.push(Arc::new(NetworkGateway { tunnel_port: listener.port, ..gateway }));
            }
        }
    }
    out
}

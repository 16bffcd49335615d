//! ServiceEntries as services of the mesh, with their endpoints (T-320 to T-332, T-340).

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use mesh_model::diagnostic::Report;
use mesh_model::document::Node;
use mesh_model::name::{Protocol, StringMap, Transport};
use mesh_model::networking::service_entry::spec::{
    Location, Resolution as WrittenResolution, ServiceEntry, ServicePort as WrittenPort,
};
use mesh_model::object::Object;

use super::endpoint::Endpoint;
use super::room::{ENDPOINT_BYTES, Room, service_bytes};
use super::service::{RegistryKind, Resolution, Service, ServicePort};
use super::sources::Sources;
use super::workload::{Workload, Workloads, is_reachable, of_written_endpoint, plain_endpoint, unix_path};
use super::{EndpointMap, NO_ADDRESS, export_to, traffic_distribution};
use crate::workload_names::WorkloadNames;

const CONNECT_STRATEGY: &str = "istio.io/connect-strategy";
const NO_ALLOCATION_LABEL: &str = "networking.istio.io/enable-autoallocate-ip";

/// Auto-allocated addresses of a host: `(v4, v6)`.
type AutoVips = (Option<Arc<str>>, Option<Arc<str>>);

/// The services of all ServiceEntries: one per host and address (T-320). Their endpoints are added to `endpoints`.
pub(super) fn services(
    sources: &Sources<'_>,
    workloads: &Workloads,
    endpoints: &mut EndpointMap,
    room: &mut Room,
    report: &mut Report,
) -> Vec<Service> {
    let mut out = Vec::new();
    let mut single_address_ports = BTreeSet::new();
    let mut entries = sources.part.objects(&sources.config.service_entries);
    entries.sort_by(|a, b| a.precedence().cmp(&b.precedence()));
    for entry in entries {
        let is_read = |host: &&String| sources.part.takes(host, &entry.meta.namespace);
        if !sources.sees(&entry.meta) || !entry.spec.hosts.iter().any(|host| is_read(&host)) {
            continue;
        }
        let instances = instances(entry, sources, workloads, report);
        let allocated = allocated_addresses(entry);
        let addresses = addresses(entry);
        let hosts = entry.spec.hosts.iter().filter(is_read);
        // One at a time: hosts times addresses may be many.
        for (host, address) in hosts.flat_map(|host| addresses.iter().map(move |address| (host, address))) {
            let auto_vips = allocated.get(host.as_str()).cloned().unwrap_or_default();
            let service = Service { auto_vips, ..service(entry, host, address, sources) };
            if !room.take(service_bytes(&service), &entry.provenance, report) {
                break;
            }
            // An entry with several addresses gives each endpoint as often: its clusters list it as often too.
            let key = (Arc::clone(&service.hostname), Arc::clone(&service.namespace));
            let bytes = service.ports.len().saturating_mul(ENDPOINT_BYTES);
            let mut found = Vec::new();
            for instance in &instances {
                if !room.take(bytes, &entry.provenance, report) {
                    break;
                }
                found.extend(with_ports(instance, &service));
            }
            if is_own_endpoint(entry) && room.take(bytes, &entry.provenance, report) {
                found = host_endpoints(entry, &service);
            }
            if service.resolution == Resolution::DnsRoundRobin {
                // T-321: only the oldest endpoint of a host and port counts.
                found.retain(|endpoint| {
                    single_address_ports.insert((key.clone(), endpoint.service_port_number))
                });
            }
            endpoints.entry(key).or_default().extend(found.into_iter().map(Arc::new));
            out.push(service);
        }
    }
    out
}

/// The addresses that an entry has services for: those that are written, or the one of a service without.
fn addresses(entry: &Object<ServiceEntry>) -> Vec<String> {
    if entry.spec.addresses.is_empty() {
        return vec![NO_ADDRESS.to_owned()];
    }
    entry.spec.addresses.iter().filter_map(|address| plain_address(address)).collect()
}

fn service(entry: &Object<ServiceEntry>, host: &str, address: &str, sources: &Sources<'_>) -> Service {
    let meta = &entry.meta;
    let spec = &entry.spec;
    let resolution = match spec.resolution {
        WrittenResolution::None => Resolution::Passthrough,
        WrittenResolution::Static => Resolution::ClientSide,
        WrittenResolution::Dns => Resolution::Dns,
        WrittenResolution::DnsRoundRobin => Resolution::DnsRoundRobin,
        WrittenResolution::DynamicDns => Resolution::DynamicDns,
    };
    let race_connections = meta
        .annotations
        .get(CONNECT_STRATEGY)
        .is_some_and(|strategy| strategy.eq_ignore_ascii_case("RACE_FIRST_TCP_CONNECT"));
    let namespace_labels = sources.namespaces.labels(&meta.cluster, &meta.namespace);
    let written = export_to::or_default(spec.export_to.iter().cloned().collect(), sources.mesh);
    Service {
        hostname: host.into(),
        namespace: Arc::clone(&meta.namespace),
        name: host.into(),
        registry: RegistryKind::External,
        created: meta.created,
        resolution,
        mesh_external: spec.location == Location::MeshExternal,
        ports: spec.ports.iter().enumerate().filter_map(|(index, port)| convert_port(index, port)).collect(),
        default_address: address.into(),
        cluster_vips: BTreeMap::new(),
        in_clusters: BTreeMap::new(),
        auto_vips: (None, None),
        export_to: export_to::narrow(written, &meta.namespace, namespace_labels, sources.mesh),
        labels: meta.labels.clone(),
        selector: spec.workload_selector.as_ref().map(|selector| selector.labels.clone()).unwrap_or_default(),
        extra_identities: spec.subject_alt_names.iter().map(|name| name.as_str().into()).collect(),
        external_name: None,
        aliases: Vec::new(),
        node_local: false,
        publish_not_ready: false,
        traffic_distribution: traffic_distribution::read(
            "",
            &meta.annotations,
            sources.namespaces.annotations(&meta.cluster, &meta.namespace),
        ),
        logical_dns: resolution == Resolution::DnsRoundRobin
            || (resolution == Resolution::Dns && race_connections),
        race_connections,
        no_gateway_port_translation: false,
        provenance: Arc::clone(&entry.provenance),
    }
}

fn convert_port(index: usize, port: &WrittenPort) -> Option<ServicePort> {
    let number = port_number(port.number)?;
    Some(ServicePort {
        name: port.name.as_str().into(),
        number,
        protocol: Protocol::parse(&port.protocol),
        target_port: port_number(port.target_port),
        target_port_name: None,
        transport: Transport::Tcp,
        index,
    })
}

fn port_number(number: u32) -> Option<u16> {
    u16::try_from(number).ok().filter(|number| *number > 0)
}

/// An address without a prefix length that says nothing; `None` for what is no address (T-320).
fn plain_address(address: &str) -> Option<String> {
    if address.parse::<IpAddr>().is_ok() {
        return Some(address.to_owned());
    }
    let block: IpNet = address.parse().ok()?;
    let is_one_address = block.prefix_len() == block.max_prefix_len();
    Some(if is_one_address { block.addr().to_string() } else { address.to_owned() })
}

/// Addresses that the control plane allocated, by host: `(v4, v6)`; none where the entry does not qualify (T-340).
fn allocated_addresses(entry: &Object<ServiceEntry>) -> BTreeMap<&str, AutoVips> {
    let mut out: BTreeMap<&str, AutoVips> = BTreeMap::new();
    let opted_out =
        entry.meta.labels.get(NO_ALLOCATION_LABEL).is_some_and(|value| value.eq_ignore_ascii_case("false"));
    let is_allocated =
        entry.spec.addresses.is_empty() && entry.spec.resolution != WrittenResolution::None && !opted_out;
    let status = entry.document().status().and_then(|status| status.get("addresses"));
    for node in status.filter(|_| is_allocated).into_iter().flat_map(Node::items) {
        let value = node.get("value").and_then(Node::as_str).and_then(|value| value.parse::<IpAddr>().ok());
        let host = node.get("host").and_then(Node::as_str).unwrap_or_default();
        let slot = out.entry(host).or_default();
        match value {
            Some(address @ IpAddr::V4(_)) => slot.0 = Some(address.to_string().into()),
            Some(address @ IpAddr::V6(_)) => slot.1 = Some(address.to_string().into()),
            None => {}
        }
    }
    out
}

/// What stands behind an entry: the selected workloads, or the written endpoints.
fn instances<'w>(
    entry: &'w Object<ServiceEntry>,
    sources: &Sources<'_>,
    workloads: &'w Workloads,
    report: &mut Report,
) -> Vec<Cow<'w, Workload>> {
    if let Some(selector) = &entry.spec.workload_selector {
        let takes_names = resolves_names(entry);
        let selected = workloads.selected(&entry.meta.namespace, &selector.labels);
        return selected.filter(|workload| takes_names || !workload.dns_only).map(Cow::Borrowed).collect();
    }
    let mut out = Vec::new();
    for (index, written) in entry.spec.endpoints.iter().enumerate() {
        let workload = of_written_endpoint(written, index, &entry.meta, &entry.provenance, sources);
        if is_reachable(&workload, &format!("spec.endpoints[{index}]"), sources, report) {
            out.push(Cow::Owned(workload));
        }
    }
    out
}

/// Whether the hosts of an entry are its endpoints (T-322).
fn is_own_endpoint(entry: &Object<ServiceEntry>) -> bool {
    resolves_names(entry) && entry.spec.endpoints.is_empty() && entry.spec.workload_selector.is_none()
}

fn resolves_names(entry: &Object<ServiceEntry>) -> bool {
    matches!(entry.spec.resolution, WrittenResolution::Dns | WrittenResolution::DnsRoundRobin)
}

/// One endpoint per service port (T-323): a Unix path has none, else the workload's port of that name, else
/// `targetPort`, else the service's number.
fn with_ports(workload: &Workload, service: &Service) -> Vec<Endpoint> {
    let path = unix_path(&workload.endpoint.address);
    let ports = service.ports.iter();
    ports
        .map(|port| {
            let named = workload.ports.get(&*port.name).copied().and_then(port_number);
            Endpoint {
                address: path.map_or_else(|| Arc::clone(&workload.endpoint.address), Arc::from),
                port: match path {
                    Some(_) => 0,
                    None => named.or(port.target_port).unwrap_or(port.number),
                },
                service_port_name: Arc::clone(&port.name),
                service_port_number: Some(port.number),
                registry: RegistryKind::External,
                ..workload.endpoint.clone()
            }
        })
        .collect()
}

/// The host as its own endpoint (T-322).
fn host_endpoints(entry: &Object<ServiceEntry>, service: &Service) -> Vec<Endpoint> {
    let name = Arc::clone(&entry.meta.name);
    let (none, cluster) = (StringMap::new(), &entry.meta.cluster);
    let names = Arc::new(WorkloadNames::of(name, &service.namespace, &none, cluster));
    let ports = service.ports.iter();
    ports
        .map(|port| Endpoint {
            port: port.target_port.unwrap_or(port.number),
            service_port_name: Arc::clone(&port.name),
            service_port_number: Some(port.number),
            registry: RegistryKind::External,
            namespace: Arc::clone(&service.namespace),
            workload: Some(Arc::clone(&names)),
            ..plain_endpoint(&service.hostname, &entry.meta.cluster, &entry.provenance)
        })
        .collect()
}

//! Endpoints of Kubernetes services: from EndpointSlices and their Pods (T-310 to T-314), and from WorkloadEntries
//! that a Service selects (T-333).

use std::collections::{BTreeMap, BTreeSet};

use std::sync::Arc;

use mesh_model::diagnostic::{Code, Diagnostic, Place, Report, did_you_mean};
use mesh_model::kubernetes::EndpointSlice;
use mesh_model::kubernetes::endpoint_slice::{
    AddressType, Endpoint as WrittenEndpoint, EndpointConditions, SERVICE_NAME_LABEL,
};
use mesh_model::name::StringMap;
use mesh_model::object::Object;

use super::endpoint::{Endpoint, Health};
use super::kubernetes_service::{hostname, without_slices};
use super::locality::{Whereabouts, augment};
use super::room::{ENDPOINT_BYTES, Room};
use super::service::{Resolution, Service, ServicePort};
use super::sources::Sources;
use super::workload::{Workload, Workloads, of_pod, plain_endpoint};
use super::{EndpointMap, HostKey};
use crate::workload_names::WorkloadNames;

/// Slices of multi-cluster services are not those of the Service itself.
const MULTICLUSTER_LABEL: &str = "multicluster.kubernetes.io/service-name";
const PERSISTENT_SESSION_LABELS: [&str; 2] =
    ["istio.io/persistent-session", "istio.io/persistent-session-header"];

/// Adds the endpoints of all slices. An address that several slices have counts once per service port name.
pub(super) fn add_slices(
    services: &BTreeMap<HostKey, &Service>,
    sources: &Sources<'_>,
    endpoints: &mut EndpointMap,
    room: &mut Room,
    report: &mut Report,
) {
    let mut seen = BTreeSet::new();
    let hidden = without_slices(sources);
    for slice in sources.part.objects(&sources.config.endpoint_slices) {
        let Some(key) = service_of(slice).filter(|_| sources.sees(&slice.meta)) else { continue };
        if hidden.contains(&key) || !sources.part.takes(&key.0, &key.1) {
            continue;
        }
        let service = services.get(&key).copied();
        if service.is_none() {
            let names = services.keys().filter(|(_, namespace)| *namespace == slice.meta.namespace);
            let names = names.map(|(host, _)| host.split('.').next().unwrap_or(host));
            let help = did_you_mean(service_name(slice), names, "services of the namespace");
            let mut finding = Diagnostic::new(
                Code::EndpointUnused,
                Place::of(&slice.provenance, "metadata.labels[\"kubernetes.io/service-name\"]"),
                format!("no Service `{}` of this namespace is known", service_name(slice)),
            );
            finding.help = help.or_else(|| Some("read the Service together with its endpoints".to_owned()));
            report.push(finding);
        }
        let found = slice_endpoints(slice, service, sources, room, report);
        let new = found.into_iter().filter(|endpoint| {
            let (host, namespace) = &key;
            let cluster = Arc::clone(&endpoint.cluster);
            let join = (Arc::clone(&endpoint.address), Arc::clone(&endpoint.service_port_name));
            seen.insert((Arc::clone(host), Arc::clone(namespace), cluster, join))
        });
        endpoints.entry(key.clone()).or_default().extend(new.map(Arc::new));
    }
}

fn service_name(slice: &Object<EndpointSlice>) -> &str {
    slice.meta.labels.get(SERVICE_NAME_LABEL).unwrap_or_default()
}

/// Whether an endpoint of a slice names a Pod of another namespace.
pub(super) fn names_foreign_pods(slice: &Object<EndpointSlice>) -> bool {
    let targets = slice.spec.endpoints.iter().filter_map(|endpoint| endpoint.target_ref.as_ref());
    targets
        .filter(|target| target.kind == "Pod" && !target.namespace.is_empty())
        .any(|target| *target.namespace != *slice.meta.namespace)
}

/// The hostname and namespace of the Service that a slice is of; `None`: it does not count.
pub(crate) fn service_of(slice: &Object<EndpointSlice>) -> Option<HostKey> {
    let name = service_name(slice);
    let counts = !name.is_empty()
        && !slice.meta.labels.contains_key(MULTICLUSTER_LABEL)
        && slice.spec.address_type != AddressType::Fqdn;
    counts.then(|| (hostname(name, &slice.meta.namespace), Arc::clone(&slice.meta.namespace)))
}

fn slice_endpoints(
    slice: &Object<EndpointSlice>,
    service: Option<&Service>,
    sources: &Sources<'_>,
    room: &mut Room,
    report: &mut Report,
) -> Vec<Endpoint> {
    let mut out = Vec::new();
    for (index, written) in slice.spec.endpoints.iter().enumerate() {
        let health = health(&written.conditions, service);
        for address in &written.addresses {
            let Some(plain) = without_ports(slice, written, address, sources) else {
                let target = written.target_ref.as_ref().map_or("", |target| &target.name);
                report.push(
                    Diagnostic::new(
                        Code::EndpointWithoutPod,
                        Place::of(&slice.provenance, &format!("endpoints[{index}].targetRef")),
                        format!("no Pod `{target}` is known: the endpoint `{address}` is left out"),
                    )
                    .help("read the Pod together with its endpoints: its labels and identity count"),
                );
                continue;
            };
            let ports = slice.spec.ports.len();
            if !room.take(ports.saturating_mul(ENDPOINT_BYTES), &slice.provenance, report) {
                return out;
            }
            out.extend(slice.spec.ports.iter().map(|port| Endpoint {
                port: port.port.and_then(|port| u16::try_from(port).ok()).unwrap_or_default(),
                service_port_name: port.name.as_str().into(),
                health,
                ..plain.clone()
            }));
        }
    }
    out
}

/// The endpoint at an address, without ports. `None`: it names a Pod that is not known, so that its identity
/// and labels are not known either.
fn without_ports(
    slice: &Object<EndpointSlice>,
    written: &WrittenEndpoint,
    address: &str,
    sources: &Sources<'_>,
) -> Option<Endpoint> {
    let cluster = &slice.meta.cluster;
    let pod = match written.target_ref.as_ref().filter(|target| target.kind == "Pod") {
        Some(target) => Some(sources.pod(cluster, &target.namespace, &target.name)?),
        // The best guess for endpoints that are kept by hand.
        None => sources.pod_at(cluster, &slice.meta.namespace, address),
    };
    let plain = plain_endpoint(address, cluster, &slice.provenance);
    Some(match pod {
        Some(pod) => {
            Endpoint { address: plain.address, provenance: plain.provenance, ..of_pod(pod, sources).endpoint }
        }
        None => {
            let none = StringMap::new();
            let network = sources.network(cluster, address, &none);
            let place = Whereabouts { locality: "", cluster, node: "", network };
            Endpoint {
                labels: Arc::new(augment(&none, place)),
                network: network.into(),
                workload: Some(Arc::new(WorkloadNames::in_cluster(cluster))),
                ..plain
            }
        }
    })
}

/// Health by conditions, where an unset condition counts as true (T-311).
fn health(conditions: &EndpointConditions, service: Option<&Service>) -> Health {
    if conditions.ready.unwrap_or(true) {
        return Health::Healthy;
    }
    let Some(service) = service else { return Health::Unhealthy };
    let keeps_sessions = PERSISTENT_SESSION_LABELS
        .iter()
        .any(|label| service.labels.get(*label).is_some_and(|value| !value.is_empty()));
    let is_terminating = conditions.terminating.unwrap_or(true);
    if keeps_sessions && conditions.serving.unwrap_or(true) && is_terminating {
        return Health::Draining;
    }
    if is_terminating { Health::Terminating } else { Health::Unhealthy }
}

/// Adds the WorkloadEntries that ordinary Kubernetes services select in their namespace (T-333).
pub(super) fn add_selected_entries(
    services: &[Service],
    workloads: &Workloads,
    endpoints: &mut EndpointMap,
    room: &mut Room,
    report: &mut Report,
) {
    for service in services {
        if service.resolution != Resolution::ClientSide || service.selector.is_empty() {
            continue;
        }
        let selected: Vec<_> = workloads
            .selected_entries(&service.namespace, &service.selector)
            .filter(|workload| !workload.dns_only)
            .collect();
        for port in &service.ports {
            let bytes = selected.len().saturating_mul(ENDPOINT_BYTES);
            if !room.take(bytes, &service.provenance, report) {
                return;
            }
            let found = selected.iter().filter_map(|workload| {
                Some(Endpoint {
                    port: entry_port(workload, port)?,
                    service_port_name: Arc::clone(&port.name),
                    ..workload.endpoint.clone()
                })
            });
            let key = (Arc::clone(&service.hostname), Arc::clone(&service.namespace));
            let found: Vec<_> = found.map(Arc::new).collect();
            if !found.is_empty() {
                endpoints.entry(key).or_default().extend(found);
            }
        }
    }
}

/// The port of a WorkloadEntry behind a Kubernetes service port. A number in `targetPort` gives way to the entry's
/// port of the service port's name; a name must be among the entry's ports.
fn entry_port(workload: &Workload, port: &ServicePort) -> Option<u16> {
    let named = |name: &str| {
        workload.ports.get(name).and_then(|port| u16::try_from(*port).ok()).filter(|port| *port > 0)
    };
    match (&port.target_port_name, port.target_port) {
        (Some(name), _) => named(name),
        (None, Some(number)) => Some(named(&port.name).unwrap_or(number)),
        (None, None) => Some(port.number),
    }
}

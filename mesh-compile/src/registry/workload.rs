//! Workloads: Pods and WorkloadEntries as instances that services and slices take as endpoints.

use std::collections::BTreeMap;
use std::sync::Arc;

use mesh_model::diagnostic::{Code, Diagnostic, Place, Report};
use mesh_model::document::Node;
use mesh_model::kubernetes::pod::{Container, PodPhase};
use mesh_model::kubernetes::{Pod, Protocol};
use mesh_model::name::StringMap;
use mesh_model::name::labels_subset_of;
use mesh_model::networking::workload_entry::spec::WorkloadEntry;
use mesh_model::object::{Object, ObjectMeta};
use mesh_model::origin::Provenance;

use super::endpoint::{Endpoint, Health};
use super::locality::{self, Whereabouts, augment};
use super::service::RegistryKind;
use super::sources::Sources;
use crate::workload_names::{self, WorkloadNames};

const TLS_MODE_LABEL: &str = "security.istio.io/tlsMode";
const HEALTH_CHECK_ANNOTATION: &str = "proxy.istio.io/health-checks-enabled";
const UNIX_SCHEME: &str = "unix://";

/// What stands behind an endpoint, before a service gives it ports.
#[derive(Debug, Clone)]
pub(super) struct Workload {
    /// Ports by name.
    pub(super) ports: BTreeMap<String, u32>,
    /// Only DNS ServiceEntries can use it: the address is a host name or a Unix path (T-332).
    pub(super) dns_only: bool,
    /// The endpoint without ports.
    pub(super) endpoint: Endpoint,
}

/// Pods and WorkloadEntries that selectors choose from.
#[derive(Debug, Default)]
pub(super) struct Workloads {
    pods: Selectable,
    entries: Selectable,
}

/// Pods and WorkloadEntries that are ready to be selected. Pods are read only where a ServiceEntry may ask for them.
pub(super) fn selectable(sources: &Sources<'_>, report: &mut Report) -> Workloads {
    let mut out = Workloads::default();
    let part = sources.part;
    let entries = part.objects(&sources.config.service_entries);
    if entries.iter().any(|entry| entry.spec.workload_selector.is_some()) {
        let pods = part.objects(&sources.config.pods).into_iter();
        for pod in pods.filter(|pod| sources.sees(&pod.meta) && takes_traffic(pod)) {
            out.pods.add(of_pod(pod, sources));
        }
    }
    let entries = part.objects(&sources.config.workload_entries).into_iter();
    for entry in entries.filter(|entry| sources.sees(&entry.meta) && is_healthy(entry)) {
        let workload = of_workload_entry(entry, sources);
        if is_reachable(&workload, "spec", sources, report) {
            out.entries.add(workload);
        }
    }
    out
}

/// Whether a workload can be dialled: it has an address, or its network has gateways.
pub(super) fn is_reachable(
    workload: &Workload,
    path: &str,
    sources: &Sources<'_>,
    report: &mut Report,
) -> bool {
    let Endpoint { address, network, cluster, provenance, .. } = &workload.endpoint;
    let gateways = sources.networks.gateways.dialled(true);
    let is_reachable = !address.is_empty() || !gateways.towards(network, cluster).is_empty();
    if !is_reachable {
        let place = Place::of(provenance, path);
        report.push(
            Diagnostic::new(Code::EndpointUnused, place, "an endpoint without an address is left out")
                .help("add `address`, or the `network` of a gateway through which it is reached"),
        );
    }
    is_reachable
}

impl Workloads {
    /// The workloads of a namespace that a ServiceEntry's selector takes: Pods, then WorkloadEntries (T-332).
    pub(super) fn selected<'w>(
        &'w self,
        namespace: &str,
        selector: &'w StringMap,
    ) -> impl Iterator<Item = &'w Workload> {
        self.pods.selected(namespace, selector).chain(self.entries.selected(namespace, selector))
    }

    /// The WorkloadEntries among them.
    pub(super) fn selected_entries<'w>(
        &'w self,
        namespace: &str,
        selector: &'w StringMap,
    ) -> impl Iterator<Item = &'w Workload> {
        self.entries.selected(namespace, selector)
    }
}

/// Workloads by namespace, in order of their keys, with their positions by label.
#[derive(Debug, Default)]
struct Selectable {
    by_namespace: BTreeMap<Arc<str>, Group>,
}

#[derive(Debug, Default)]
struct Group {
    workloads: Vec<Workload>,
    by_label: BTreeMap<String, BTreeMap<String, Vec<usize>>>,
}

impl Selectable {
    fn add(&mut self, workload: Workload) {
        let group = self.by_namespace.entry(Arc::clone(&workload.endpoint.namespace)).or_default();
        let position = group.workloads.len();
        for (label, value) in workload.endpoint.labels.iter() {
            let values = group.by_label.entry(label.to_owned()).or_default();
            values.entry(value.to_owned()).or_default().push(position);
        }
        group.workloads.push(workload);
    }

    /// The workloads that a selector takes (T-008), looked for among those with the rarest of its labels.
    fn selected<'w>(
        &'w self,
        namespace: &str,
        selector: &'w StringMap,
    ) -> Box<dyn Iterator<Item = &'w Workload> + 'w> {
        let Some(group) = self.by_namespace.get(namespace) else { return Box::new(std::iter::empty()) };
        let positions = selector.iter().map(|(label, value)| {
            group.by_label.get(label).and_then(|values| values.get(value)).map_or(&[][..], Vec::as_slice)
        });
        match positions.min_by_key(|positions| positions.len()) {
            None => Box::new(group.workloads.iter()),
            Some(positions) => Box::new(
                positions
                    .iter()
                    .filter_map(|position| group.workloads.get(*position))
                    .filter(|workload| labels_subset_of(selector, &workload.endpoint.labels)),
            ),
        }
    }
}

/// A Pod as a workload.
pub(super) fn of_pod(pod: &Object<Pod>, sources: &Sources<'_>) -> Workload {
    Workload { ports: container_ports(&pod.spec), dns_only: false, endpoint: pod_endpoint(pod, sources) }
}

fn pod_endpoint(pod: &Object<Pod>, sources: &Sources<'_>) -> Endpoint {
    let meta = &pod.meta;
    let locality = locality::from_workload_labels(&meta.labels)
        .unwrap_or_else(|| sources.node_locality(&meta.cluster, &pod.spec.spec.node_name));
    let network = sources.network(&meta.cluster, &pod.spec.status.pod_ip, &meta.labels);
    let place =
        Whereabouts { locality: &locality, cluster: &meta.cluster, node: &pod.spec.spec.node_name, network };
    let subdomain = pod.spec.spec.subdomain.as_str();
    let hostname = match pod.spec.spec.hostname.as_str() {
        _ if subdomain.is_empty() => "",
        "" => &meta.name,
        hostname => hostname,
    };
    let (name, _) = workload_names::of_pod(meta);
    let names = WorkloadNames::of(name, &meta.namespace, &meta.labels, &meta.cluster);
    Endpoint {
        labels: Arc::new(augment(&meta.labels, place)),
        namespace: Arc::clone(&meta.namespace),
        identity: sources.identity(&meta.namespace, pod.spec.spec.service_account()),
        mtls: meta.labels.get(TLS_MODE_LABEL).is_some_and(|mode| mode == "istio"),
        network: network.into(),
        node: pod.spec.spec.node_name.as_str().into(),
        hostname: hostname.into(),
        subdomain: subdomain.into(),
        workload: Some(Arc::new(names)),
        locality,
        ..plain_endpoint(&pod.spec.status.pod_ip, &meta.cluster, &pod.provenance)
    }
}

/// An endpoint of which nothing but the address is known.
pub(super) fn plain_endpoint(address: &str, cluster: &Arc<str>, provenance: &Arc<Provenance>) -> Endpoint {
    let none: Arc<str> = Arc::from("");
    Endpoint {
        address: address.into(),
        more_addresses: Vec::new(),
        port: 0,
        service_port_name: Arc::clone(&none),
        service_port_number: None,
        registry: RegistryKind::Kubernetes,
        labels: Arc::default(),
        namespace: Arc::clone(&none),
        identity: Arc::clone(&none),
        mtls: false,
        locality: Arc::clone(&none),
        weight: 1,
        health: Health::Healthy,
        network: Arc::clone(&none),
        cluster: Arc::clone(cluster),
        node: Arc::clone(&none),
        hostname: Arc::clone(&none),
        subdomain: none,
        workload: None,
        provenance: Arc::clone(provenance),
    }
}

/// Whether a Pod may be behind an endpoint that does not name it: it has an address, is ready, and is not ending.
pub(super) fn takes_traffic(pod: &Object<Pod>) -> bool {
    let status = &pod.spec.status;
    let has_ended = matches!(status.phase, Some(PodPhase::Succeeded | PodPhase::Failed));
    !status.pod_ip.is_empty() && !has_ended && !pod.document().is_ending() && status.is_ready()
}

/// Named TCP ports of containers and native sidecars; the first of a name counts.
fn container_ports(pod: &Pod) -> BTreeMap<String, u32> {
    let is_sidecar = |container: &&Container| container.restart_policy == "Always";
    let containers = pod.spec.containers.iter().chain(pod.spec.init_containers.iter().filter(is_sidecar));
    let mut out = BTreeMap::new();
    for port in containers.flat_map(|container| &container.ports) {
        if let (false, Protocol::Tcp, Ok(number)) =
            (port.name.is_empty(), &port.protocol, u32::try_from(port.container_port))
        {
            out.entry(port.name.clone()).or_insert(number);
        }
    }
    out
}

fn of_workload_entry(object: &Object<WorkloadEntry>, sources: &Sources<'_>) -> Workload {
    let mut labels = object.spec.labels.clone();
    labels.extend(&object.meta.labels);
    from_entry(&object.spec, &labels, &object.meta, &object.provenance, sources)
}

/// Endpoint `index` of a ServiceEntry as a workload.
pub(super) fn of_written_endpoint(
    entry: &WorkloadEntry,
    index: usize,
    meta: &ObjectMeta,
    provenance: &Arc<Provenance>,
    sources: &Sources<'_>,
) -> Workload {
    let meta = ObjectMeta {
        name: format!("{}-{index}", meta.name).into(),
        namespace: Arc::clone(&meta.namespace),
        cluster: Arc::clone(&meta.cluster),
        ..ObjectMeta::default()
    };
    from_entry(entry, &entry.labels, &meta, provenance, sources)
}

fn from_entry(
    entry: &WorkloadEntry,
    labels: &StringMap,
    meta: &ObjectMeta,
    provenance: &Arc<Provenance>,
    sources: &Sources<'_>,
) -> Workload {
    let identity = match entry.service_account.as_str() {
        "" => Arc::from(""),
        account => sources.identity(&meta.namespace, account),
    };
    // T-334: the field wins over the label.
    let locality = match entry.locality.as_str() {
        "" => locality::from_workload_labels(labels).unwrap_or_default(),
        written => locality::tidy(written),
    };
    let network = match entry.network.as_str() {
        "" => sources.network(&meta.cluster, &entry.address, labels),
        network => network,
    };
    let place = Whereabouts { locality: &locality, cluster: &meta.cluster, node: "", network };
    let mtls = match labels.get(TLS_MODE_LABEL) {
        Some(mode) => mode == "istio",
        None => !entry.service_account.is_empty(),
    };
    let address = entry.address.as_str();
    let name = workload_names::of_workload_entry(meta);
    let names = WorkloadNames::of(name, &meta.namespace, labels, &meta.cluster);
    Workload {
        ports: entry.ports.clone(),
        dns_only: !address.is_empty() && address.parse::<std::net::IpAddr>().is_err(),
        endpoint: Endpoint {
            labels: Arc::new(augment(labels, place)),
            namespace: Arc::clone(&meta.namespace),
            identity,
            mtls,
            weight: entry.weight.max(1),
            network: entry.network.as_str().into(),
            workload: Some(Arc::new(names)),
            locality,
            ..plain_endpoint(address, &meta.cluster, provenance)
        },
    }
}

/// The path of a Unix address.
pub(super) fn unix_path(address: &str) -> Option<&str> {
    address.strip_prefix(UNIX_SCHEME)
}

/// Whether a WorkloadEntry takes traffic: with health checks, only once its status says so (T-335, E-044).
fn is_healthy(entry: &Object<WorkloadEntry>) -> bool {
    let is_checked = entry.meta.annotations.get(HEALTH_CHECK_ANNOTATION).is_some_and(|value| {
        // Go's words for true.
        matches!(value, "1" | "t" | "T" | "true" | "TRUE" | "True")
    });
    if !is_checked {
        return true;
    }
    let conditions = entry.document().status().and_then(|status| status.get("conditions"));
    let text = |condition: Node<'_>, key: &str| condition.get(key).and_then(Node::as_str).map(str::to_owned);
    conditions
        .into_iter()
        .flat_map(Node::items)
        .find(|condition| text(*condition, "type").as_deref() == Some("Healthy"))
        .is_some_and(|condition| {
            text(condition, "status").is_some_and(|status| status.eq_ignore_ascii_case("true"))
        })
}

//! Kubernetes Services as services of the mesh (T-300 to T-308).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use mesh_model::kubernetes::service::{ServicePort as WrittenPort, ServiceType};
use mesh_model::kubernetes::{IntOrString, Protocol as WrittenTransport, Service as WrittenService};
use mesh_model::name::StringMap;
use mesh_model::name::{Protocol, Transport};
use mesh_model::object::Object;

use super::service::{RegistryKind, Resolution, Service, ServicePort};
use super::sources::Sources;
use super::{HostKey, NO_ADDRESS, export_to, traffic_distribution};

const EXPORT_TO: &str = "networking.istio.io/exportTo";
const CANONICAL_ACCOUNTS: &str = "alpha.istio.io/canonical-serviceaccounts";
const KUBERNETES_ACCOUNTS: &str = "alpha.istio.io/kubernetes-serviceaccounts";
const NO_PORT_TRANSLATION: &str = "experimental.istio.io/disable-gateway-port-translation";

/// All Kubernetes services, those of one name in several clusters merged (T-305).
pub(super) fn services(sources: &Sources<'_>) -> Vec<Service> {
    let mut out: Vec<Service> = Vec::new();
    let mut positions: BTreeMap<Arc<str>, usize> = BTreeMap::new();
    for object in sources.part.objects(&sources.config.services) {
        let meta = &object.meta;
        if !sources.sees(meta) || !sources.part.takes(&hostname(&meta.name, &meta.namespace), &meta.namespace)
        {
            continue;
        }
        let service = convert(object, sources);
        match positions.get(&service.hostname).and_then(|position| out.get_mut(*position)) {
            Some(first) => merge(first, service),
            None => {
                positions.insert(Arc::clone(&service.hostname), out.len());
                out.push(service);
            }
        }
    }
    out
}

/// The hostname of a Kubernetes service.
pub(crate) fn hostname(name: &str, namespace: &str) -> Arc<str> {
    format!("{name}.{namespace}.svc.{}", super::DOMAIN).into()
}

/// Services that their annotation hides from everyone: the control plane never takes in their slices, so that a
/// cluster that is made for one after all (E-040) has no endpoints. A mesh default of `~` does not do that.
pub(super) fn without_slices(sources: &Sources<'_>) -> BTreeSet<HostKey> {
    let hidden = sources
        .part
        .objects(&sources.config.services)
        .into_iter()
        .filter(|object| written_export_to(&object.meta.annotations).contains("~"));
    hidden
        .map(|object| {
            (hostname(&object.meta.name, &object.meta.namespace), Arc::clone(&object.meta.namespace))
        })
        .collect()
}

/// A further cluster adds its addresses and identities; all else is as the first cluster says (T-305), but to its own Pods.
fn merge(first: &mut Service, other: Service) {
    let cluster = other.cluster_vips.keys().next();
    if let Some(cluster) =
        cluster.filter(|_| (&other.ports, &other.selector) != (&first.ports, &first.selector))
    {
        first.in_clusters.entry(Arc::clone(cluster)).or_insert_with(|| Arc::new(other.clone()));
    }
    for (cluster, addresses) in other.cluster_vips {
        first.cluster_vips.entry(cluster).or_insert(addresses);
    }
    for identity in other.extra_identities {
        if !first.extra_identities.contains(&identity) {
            first.extra_identities.push(identity);
        }
    }
}

fn convert(object: &Object<WrittenService>, sources: &Sources<'_>) -> Service {
    let meta = &object.meta;
    let spec = &object.spec.spec;
    let external_name: Option<Arc<str>> = (spec.r#type == ServiceType::ExternalName
        && !spec.external_name.is_empty())
    .then(|| spec.external_name.as_str().into());
    let resolution = match (&*spec.cluster_ip, &external_name) {
        ("None", _) => Resolution::Passthrough,
        (_, Some(_)) => Resolution::Alias,
        _ => Resolution::ClientSide,
    };
    let addresses: Vec<Arc<str>> = match &*spec.cluster_ip {
        "" | "None" => vec![NO_ADDRESS.into()],
        _ if spec.cluster_ips.len() > 1 => spec.cluster_ips.iter().map(|ip| ip.as_str().into()).collect(),
        address => vec![address.into()],
    };
    Service {
        hostname: hostname(&meta.name, &meta.namespace),
        namespace: Arc::clone(&meta.namespace),
        name: Arc::clone(&meta.name),
        registry: RegistryKind::Kubernetes,
        created: meta.created,
        resolution,
        mesh_external: external_name.is_some(),
        ports: spec.ports.iter().enumerate().filter_map(|(index, port)| convert_port(index, port)).collect(),
        default_address: addresses.first().cloned().unwrap_or_else(|| NO_ADDRESS.into()),
        cluster_vips: BTreeMap::from([(Arc::clone(&meta.cluster), addresses)]),
        in_clusters: BTreeMap::new(),
        auto_vips: (None, None),
        export_to: export_to::or_default(written_export_to(&meta.annotations), sources.mesh),
        labels: meta.labels.clone(),
        selector: spec.selector.clone(),
        extra_identities: annotated_identities(object, sources),
        external_name,
        aliases: Vec::new(),
        node_local: spec.internal_traffic_policy == "Local",
        publish_not_ready: spec.publish_not_ready_addresses,
        traffic_distribution: traffic_distribution::read(
            &spec.traffic_distribution,
            &meta.annotations,
            sources.namespaces.annotations(&meta.cluster, &meta.namespace),
        ),
        logical_dns: false,
        race_connections: false,
        no_gateway_port_translation: meta.labels.contains_key(NO_PORT_TRANSLATION),
        provenance: Arc::clone(&object.provenance),
    }
}

/// A port; `None` for a number that no port can have.
fn convert_port(index: usize, port: &WrittenPort) -> Option<ServicePort> {
    let number = u16::try_from(port.port).ok().filter(|number| *number > 0)?;
    let transport = match port.protocol {
        WrittenTransport::Udp => Transport::Udp,
        WrittenTransport::Sctp => Transport::Sctp,
        WrittenTransport::Tcp | WrittenTransport::Other(_) => Transport::Tcp,
    };
    let (target_port, target_port_name) = match &port.target_port {
        Some(IntOrString::Int(target)) => (u16::try_from(*target).ok().filter(|target| *target > 0), None),
        Some(IntOrString::String(name)) if !name.is_empty() => (None, Some(name.as_str().into())),
        Some(IntOrString::String(_)) | None => (None, None),
    };
    let app_protocol = port.app_protocol.as_deref();
    Some(ServicePort {
        name: port.name.as_str().into(),
        number,
        protocol: Protocol::from_name_and_app_protocol(&port.name, app_protocol, transport, number),
        target_port,
        target_port_name,
        transport,
        index,
    })
}

fn written_export_to(annotations: &StringMap) -> BTreeSet<String> {
    match annotations.get(EXPORT_TO) {
        None | Some("") => BTreeSet::new(),
        Some(list) => list.split(',').map(|value| value.trim().to_owned()).collect(),
    }
}

/// Identities that annotations add: whole ones, and service accounts of the Service's namespace (T-009).
fn annotated_identities(object: &Object<WrittenService>, sources: &Sources<'_>) -> Vec<Arc<str>> {
    let list = |annotation: &str| {
        let text = object.meta.annotations.get(annotation).filter(|text| !text.is_empty());
        text.map(|text| text.split(',')).into_iter().flatten()
    };
    let whole = list(CANONICAL_ACCOUNTS).map(Arc::from);
    let accounts = list(KUBERNETES_ACCOUNTS).map(|account| sources.identity(&object.meta.namespace, account));
    whole.chain(accounts).collect()
}

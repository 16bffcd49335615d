//! A service of the mesh, wherever it was defined.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use mesh_model::name::StringMap;
use mesh_model::name::{Protocol, Transport};
use mesh_model::origin::Provenance;

/// A service: one hostname of one namespace (and, for ServiceEntries, one address of it: T-320).
#[derive(Debug, Clone, PartialEq)]
pub struct Service {
    /// `reviews.default.svc.cluster.local`, or a ServiceEntry host as written.
    pub hostname: Arc<str>,
    /// Namespace of the defining object.
    pub namespace: Arc<str>,
    /// Name of the defining object (Service name; for ServiceEntries the host).
    pub name: Arc<str>,
    /// Where it was defined.
    pub registry: RegistryKind,
    /// Age of the defining object, seconds since 1970; `None`: not written.
    pub created: Option<i64>,
    /// How its endpoints are found.
    pub resolution: Resolution,
    /// Outside the mesh (T-324).
    pub mesh_external: bool,
    /// Ports in order of definition.
    pub ports: Vec<ServicePort>,
    /// The address clients dial where they have no better one: an IP, a CIDR, or `0.0.0.0` (none).
    pub default_address: Arc<str>,
    /// Addresses by cluster of the client (T-305); the first is the default.
    pub cluster_vips: BTreeMap<Arc<str>, Vec<Arc<str>>>,
    /// What further clusters say of it, where its ports or its selector are others there: it holds for their own Pods.
    pub in_clusters: BTreeMap<Arc<str>, Arc<Service>>,
    /// Auto-allocated addresses (T-340, T-341): `(v4, v6)`.
    pub auto_vips: (Option<Arc<str>>, Option<Arc<str>>),
    /// Namespaces it is exported to, as written or by the mesh default (T-025, T-026).
    pub export_to: BTreeSet<String>,
    /// Labels of the defining object.
    pub labels: StringMap,
    /// Labels that select its workloads; empty: none.
    pub selector: StringMap,
    /// Extra identities: `subjectAltNames` of a ServiceEntry, annotations of a Service (T-009, T-286).
    pub extra_identities: Vec<Arc<str>>,
    /// For `ExternalName` services: the name they stand for.
    pub external_name: Option<Arc<str>>,
    /// Hostnames of ExternalName services that end here, with their namespaces (T-308).
    pub aliases: Vec<(Arc<str>, Arc<str>)>,
    /// Only endpoints on the client's node (`internalTrafficPolicy: Local`, T-304).
    pub node_local: bool,
    /// Not-ready endpoints count (`publishNotReadyAddresses`).
    pub publish_not_ready: bool,
    /// `PreferClose`, `PreferSameZone`, `PreferSameNode`: from the field or annotations (T-259).
    pub traffic_distribution: TrafficDistribution,
    /// Lookup of one address per new connection (DNS_ROUND_ROBIN, or the race annotation: T-321).
    pub logical_dns: bool,
    /// `istio.io/connect-strategy: RACE_FIRST_TCP_CONNECT`: all addresses of both families are raced (T-321).
    pub race_connections: bool,
    /// No `port` to `targetPort` translation at gateways (T-009).
    pub no_gateway_port_translation: bool,
    /// Where it was written.
    pub provenance: Arc<Provenance>,
}

impl Service {
    /// The service as the cluster of a proxy defines it for the Pods that serve it.
    // Facts: Istio's pilot/pkg/serviceregistry/aggregate/controller.go, GetProxyServiceTargets.
    pub fn for_pods_of<'s>(self: &'s Arc<Self>, cluster: &str) -> &'s Arc<Self> {
        self.in_clusters.get(cluster).unwrap_or(self)
    }
}

/// Who defined a service (T-343).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RegistryKind {
    /// A Kubernetes Service.
    Kubernetes,
    /// A ServiceEntry.
    External,
}

/// How the endpoints of a service are found (T-301, T-321).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Resolution {
    /// Listed; the client balances.
    ClientSide,
    /// DNS, all addresses.
    Dns,
    /// DNS, one address at a time.
    DnsRoundRobin,
    /// The address the client dialled (headless, NONE).
    Passthrough,
    /// From the request's host.
    DynamicDns,
    /// Another name for another service (ExternalName).
    Alias,
}

/// A port of a service (T-300, T-320).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServicePort {
    /// Join key with endpoints; may be empty for a single port.
    pub name: Arc<str>,
    /// The number clients dial.
    pub number: u16,
    /// What is spoken (T-195 to T-198).
    pub protocol: Protocol,
    /// `targetPort` where it is a number (ServiceEntry, Service); `None`: the same, or a name.
    pub target_port: Option<u16>,
    /// `targetPort` where it is a name of a container port.
    pub target_port_name: Option<Arc<str>>,
    /// Transport as written; a container port is found by name only where it has the same (E-046).
    pub transport: Transport,
    /// Position in the defining object's port list, for origins.
    pub index: usize,
}

/// Topology preference of a service (T-259).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum TrafficDistribution {
    /// None.
    #[default]
    Any,
    /// Network, region, zone.
    PreferClose,
    /// Network, region, zone, subzone, host.
    PreferSameNode,
}

impl Service {
    /// The port with this number.
    pub fn port(&self, number: u16) -> Option<&ServicePort> {
        self.ports.iter().find(|port| port.number == number)
    }

    /// The port with this name.
    pub fn port_named(&self, name: &str) -> Option<&ServicePort> {
        self.ports.iter().find(|port| &*port.name == name)
    }

    /// Older first; ties by name, then namespace (T-006).
    pub fn precedence(&self) -> (i64, &str, &str) {
        (self.created.unwrap_or(i64::MIN), &self.name, &self.namespace)
    }

    /// Whether another version says the same of the service, and only stands in another text.
    pub(crate) fn is_rewritten_as(&self, other: &Self) -> bool {
        let moved = Self { provenance: Arc::clone(&other.provenance), ..self.clone() };
        moved == *other
    }

    /// Whether this is a headless Kubernetes service or a NONE ServiceEntry.
    pub fn is_passthrough(&self) -> bool {
        self.resolution == Resolution::Passthrough
    }

    /// Whether a client in `namespace` may see it: `*` wins, then `~`, then the list (T-302).
    pub fn visible_from(&self, namespace: &str) -> bool {
        if self.export_to.contains("*") {
            return true;
        }
        if self.export_to.contains("~") {
            return false;
        }
        self.export_to.contains(namespace) || (self.export_to.contains(".") && &*self.namespace == namespace)
    }
}

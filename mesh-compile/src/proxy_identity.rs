//! The proxy that configuration is compiled for: who it is, before anything is known of what it runs.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use mesh_model::config_set::ConfigSet;
use mesh_model::kubernetes::{Node, Pod};
use mesh_model::name::StringMap;
use mesh_model::object::Object;
use serde::Deserialize;

use crate::workload_names;

/// The proxy that is asked (`proxy.json` of FORMAT.md).
/// Ours: what a proxy says of itself is all that its configuration depends on beside the mesh.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proxy {
    /// Sidecar or gateway.
    #[serde(rename = "type")]
    pub kind: ProxyKind,
    /// Its namespace.
    pub namespace: Arc<str>,
    /// Pod name.
    #[serde(default)]
    pub name: Arc<str>,
    /// Pod labels.
    #[serde(default)]
    pub labels: StringMap,
    /// Pod address; `None`: unknown.
    #[serde(default)]
    pub ip: Option<IpAddr>,
    /// Service account.
    #[serde(default)]
    pub service_account: Arc<str>,
    /// `region/zone/subzone`; empty: unknown.
    #[serde(default)]
    pub locality: Arc<str>,
    /// The cluster it runs in.
    #[serde(default = "default_cluster")]
    pub cluster_id: Arc<str>,
    /// Proxy metadata (`DNS_CAPTURE`, `HTTP10`, `NETWORK`, ...).
    #[serde(default)]
    pub metadata: BTreeMap<String, String>,
}

/// Proxy metadata: all addresses of the Pod, with commas between them.
pub(crate) const INSTANCE_IPS: &str = "INSTANCE_IPS";
/// Proxy metadata: the network it is in.
const NETWORK: &str = "NETWORK";
/// The same as a variable of the proxy's container, and as a label of its Pod.
const NETWORK_VARIABLE: &str = "ISTIO_META_NETWORK";
const NETWORK_LABEL: &str = "topology.istio.io/network";
/// Proxy metadata: what telemetry calls its workload, as injection tells it.
pub(crate) const WORKLOAD_NAME: &str = "WORKLOAD_NAME";
/// Proxy metadata: what made its Pod, as injection tells it.
pub(crate) const OWNER: &str = "OWNER";
const PROXY_CONTAINER: &str = "istio-proxy";

impl Proxy {
    /// The network it is in, from its metadata; empty: unknown.
    pub fn network(&self) -> &str {
        self.metadata.get(NETWORK).map_or("", String::as_str)
    }

    /// What telemetry calls its workload: `WORKLOAD_NAME` of its metadata, else the name of its Pod.
    pub fn workload(&self) -> &str {
        self.metadata.get(WORKLOAD_NAME).filter(|name| !name.is_empty()).map_or(&*self.name, String::as_str)
    }

    /// The kind of what made its Pod, in lower case (`deployment`), from its metadata; `None`: unknown.
    pub fn workload_kind(&self) -> Option<&str> {
        let (path, _) = self.metadata.get(OWNER)?.rsplit_once('/')?;
        path.rsplit('/').next()?.strip_suffix('s')
    }

    /// The proxy of a Pod, as the Pod and its Node describe it; `None`: the configuration has no such Pod.
    ///
    /// Of Pods with one name in several clusters the first cluster's is taken; [`of_pod_in`](Self::of_pod_in) tells them apart.
    pub fn of_pod(kind: ProxyKind, namespace: &str, name: &str, config: &ConfigSet) -> Option<Self> {
        let named =
            |object: &&Arc<Object<Pod>>| &*object.meta.namespace == namespace && &*object.meta.name == name;
        let pod = config.pods.iter().find(named)?;
        Some(Self::of(kind, pod, config))
    }

    /// The same for a Pod of one cluster.
    pub fn of_pod_in(
        kind: ProxyKind,
        cluster: &str,
        namespace: &str,
        name: &str,
        config: &ConfigSet,
    ) -> Option<Self> {
        let named = |object: &&Arc<Object<Pod>>| {
            let meta = &object.meta;
            &*meta.cluster == cluster && &*meta.namespace == namespace && &*meta.name == name
        };
        let pod = config.pods.iter().find(named)?;
        Some(Self::of(kind, pod, config))
    }

    fn of(kind: ProxyKind, pod: &Object<Pod>, config: &ConfigSet) -> Self {
        let all: Vec<_> = pod.spec.status.pod_ips.iter().map(|address| address.ip.as_str()).collect();
        let all = (all.len() > 1).then(|| (INSTANCE_IPS.to_owned(), all.join(",")));
        let network = network_of(pod).map(|network| (NETWORK.to_owned(), network));
        let (workload, owner) = workload_names::of_pod(&pod.meta);
        let owner =
            format!("kubernetes://apis/apps/v1/namespaces/{}/{owner}s/{workload}", pod.meta.namespace);
        let workload = [(WORKLOAD_NAME.to_owned(), workload.to_string()), (OWNER.to_owned(), owner)];
        Self {
            kind,
            namespace: Arc::clone(&pod.meta.namespace),
            name: Arc::clone(&pod.meta.name),
            labels: pod.meta.labels.clone(),
            ip: pod.spec.status.pod_ip.parse().ok(),
            service_account: pod.spec.spec.service_account_name.as_str().into(),
            locality: locality(&pod.spec.spec.node_name, &pod.meta.cluster, config),
            cluster_id: Arc::clone(&pod.meta.cluster),
            metadata: network.into_iter().chain(all).chain(workload).collect(),
        }
    }

    /// Its addresses: those in `INSTANCE_IPS` of its metadata, else [`ip`](Self::ip); none: unknown.
    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        let written = self.metadata.get(INSTANCE_IPS).map_or("", String::as_str);
        let mut written = written.split(',').filter_map(|address| address.trim().parse().ok()).peekable();
        let own = if written.peek().is_none() { self.ip } else { None };
        written.chain(own)
    }

    /// The address families it has addresses of.
    pub fn families(&self) -> Families {
        self.addresses().fold(Families::default(), |found, address| Families {
            v4: found.v4 || address.is_ipv4(),
            v6: found.v6 || address.is_ipv6(),
        })
    }

    /// The first of its addresses that others can dial; none of loopback, link-local and the like.
    pub(crate) fn unicast_address(&self) -> Option<IpAddr> {
        self.addresses().find(|address| match address {
            IpAddr::V4(ip) => {
                let special = ip.is_unspecified() || ip.is_loopback() || ip.is_multicast();
                !(special || ip.is_link_local() || ip.is_broadcast())
            }
            IpAddr::V6(ip) => {
                let special = ip.is_unspecified() || ip.is_loopback() || ip.is_multicast();
                !(special || ip.is_unicast_link_local())
            }
        })
    }
}

/// Address families of a proxy; neither: nothing is known of its addresses.
/// Spec: istio/istio, pilot/pkg/model/context.go, `DiscoverIPMode`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Families {
    /// It has an IPv4 address.
    pub v4: bool,
    /// It has an IPv6 address.
    pub v6: bool,
}

impl Families {
    /// Whether it listens on and dials addresses of IPv6 alone; a proxy of unknown addresses is taken for IPv4.
    pub fn is_v6_only(self) -> bool {
        self.v6 && !self.v4
    }

    /// Whether an address is of one of its families; a proxy of unknown addresses is taken for IPv4.
    pub fn has(self, address: IpAddr) -> bool {
        if address.is_ipv6() { self.v6 } else { !self.is_v6_only() }
    }

    /// Any address: IPv4's where it has one, since listeners have one address each.
    pub fn wildcard(self) -> IpAddr {
        if self.is_v6_only() { Ipv6Addr::UNSPECIFIED.into() } else { Ipv4Addr::UNSPECIFIED.into() }
    }

    /// The loopback address, likewise.
    pub fn localhost(self) -> IpAddr {
        if self.is_v6_only() { Ipv6Addr::LOCALHOST.into() } else { Ipv4Addr::LOCALHOST.into() }
    }
}

/// The network that a Pod's proxy is told of: by a variable, which is written from the Pod's label when it is injected.
fn network_of(pod: &Object<Pod>) -> Option<String> {
    let spec = &pod.spec.spec;
    let containers = spec.containers.iter().chain(&spec.init_containers);
    let variables = containers.filter(|it| it.name == PROXY_CONTAINER).flat_map(|it| &it.env);
    let mut told = variables.filter(|it| it.name == NETWORK_VARIABLE).map(|it| it.value.as_str());
    let found = told.next().or_else(|| pod.meta.labels.get(NETWORK_LABEL));
    found.filter(|network| !network.is_empty()).map(str::to_owned)
}

/// `region/zone/subzone` of a Node; empty where it is not known.
fn locality(node: &str, cluster: &str, config: &ConfigSet) -> Arc<str> {
    let named = |object: &&Arc<Object<Node>>| &*object.meta.name == node && &*object.meta.cluster == cluster;
    let Some(node) = config.nodes.iter().find(named) else { return "".into() };
    let label = |name: &str| node.meta.labels.get(name).unwrap_or_default();
    let parts = [
        label("topology.kubernetes.io/region"),
        label("topology.kubernetes.io/zone"),
        label("topology.istio.io/subzone"),
    ];
    parts.join("/").trim_end_matches('/').into()
}

fn default_cluster() -> Arc<str> {
    "Kubernetes".into()
}

/// Role of a proxy (T-371, T-401).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProxyKind {
    /// Beside a workload, traffic is captured.
    Sidecar,
    /// At the edge, traffic is addressed to it.
    Gateway,
}

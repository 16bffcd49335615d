//! Services, subsets, workloads and gateways as nodes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use mesh_authz::peer::PeerModes;
use mesh_model::name::StringMap;
use mesh_model::name::labels_subset_of;
use mesh_model::networking::gateway::spec::{Gateway, Server};
use mesh_model::object::Object;
use mesh_model::origin::Origin;

use super::{Edge, EdgeKind, Fact, MeshGraph, Node, NodeKind, policies, routes, text, written};
use crate::registry::endpoint::Endpoint;
use crate::registry::service::{Resolution, Service};
use crate::snapshot::MeshSnapshot;
use crate::workload_names::{canonical_revision, canonical_service};

/// A graph while it is drawn.
pub(super) struct Draft<'s> {
    pub(super) snapshot: &'s MeshSnapshot,
    pub(super) nodes: BTreeMap<String, Node>,
    edges: BTreeMap<(String, String, EdgeKind), Edge>,
    /// Nodes of services by hostname; the first namespace wins, as it does for clients without a preference.
    pub(super) by_host: BTreeMap<Arc<str>, String>,
    /// Nodes of workloads by identity.
    pub(super) by_identity: BTreeMap<Arc<str>, BTreeSet<String>>,
    /// Labels of workloads, those of one endpoint each.
    pub(super) labels: BTreeMap<String, Arc<StringMap>>,
    /// Nodes of services by the nodes of their workloads.
    pub(super) services_of: BTreeMap<String, BTreeSet<String>>,
    /// Who routes the requests of a node: by node, as they are told.
    pub(super) routed_by: BTreeMap<String, BTreeSet<String>>,
}

/// Draws a mesh.
pub(super) fn graph(snapshot: &MeshSnapshot) -> MeshGraph {
    let mut draft = Draft {
        snapshot,
        nodes: BTreeMap::new(),
        edges: BTreeMap::new(),
        by_host: BTreeMap::new(),
        by_identity: BTreeMap::new(),
        labels: BTreeMap::new(),
        services_of: BTreeMap::new(),
        routed_by: BTreeMap::new(),
    };
    snapshot.gateways.iter().for_each(|gateway| draft.gateway(gateway));
    snapshot.registry.services.iter().for_each(|service| draft.service(service));
    draft.gateway_workloads();
    routes::draw(&mut draft);
    policies::draw(&mut draft);
    MeshGraph { nodes: draft.nodes.into_values().collect(), edges: draft.edges.into_values().collect() }
}

impl Draft<'_> {
    /// Adds an edge, or a way to one that is there.
    pub(super) fn edge(&mut self, from: &str, to: &str, kind: EdgeKind, way: Option<super::Way>) {
        let edge = self.edges.entry((from.to_owned(), to.to_owned(), kind)).or_insert_with(|| Edge {
            from: from.to_owned(),
            to: to.to_owned(),
            kind,
            ways: Vec::new(),
        });
        edge.ways.extend(way);
    }

    fn gateway(&mut self, gateway: &Object<Gateway>) {
        let id = gateway_id(&gateway.meta.namespace, &gateway.meta.name);
        let binding = self.snapshot.gateway_binding(gateway);
        let servers = gateway.spec.servers.iter().enumerate();
        let mut facts: Vec<_> = servers
            .map(|(index, server)| {
                let origin = gateway.origin(written::server_field(gateway, binding, index));
                Fact { label: "server", value: server_text(server), origin: Some(origin) }
            })
            .collect();
        if written::is_made(gateway) {
            let origin = Some(gateway.origin("metadata.name"));
            facts.push(Fact { label: "written as", value: written::object(&gateway.provenance), origin });
        }
        let selector: Vec<_> =
            gateway.spec.selector.iter().map(|(key, value)| format!("{key}={value}")).collect();
        if !selector.is_empty() {
            let origin = (!written::is_made(gateway)).then(|| gateway.origin("spec.selector"));
            facts.push(Fact { label: "selector", value: selector.join(", "), origin });
        }
        let node = Node {
            id: id.clone(),
            kind: NodeKind::Gateway,
            name: written::gateway_name(gateway),
            namespace: gateway.provenance.namespace.to_string(),
            parent: None,
            mtls: None,
            endpoints: 0,
            policies: 0,
            facts,
        };
        self.nodes.insert(id, node);
    }

    /// Hangs the workloads that a Gateway selects, or that the Services of a listener have, under it.
    fn gateway_workloads(&mut self) {
        let snapshot = self.snapshot;
        for gateway in &snapshot.gateways {
            let Some(binding) = snapshot.gateway_binding(gateway) else { continue };
            let id = gateway_id(&gateway.meta.namespace, &gateway.meta.name);
            let services: BTreeSet<&String> =
                binding.services.iter().filter_map(|host| self.by_host.get(host.as_str())).collect();
            let behind = |services_of: &BTreeSet<String>| services_of.iter().any(|id| services.contains(id));
            let workloads: Vec<_> = self
                .services_of
                .iter()
                .filter(|(_, of)| behind(of))
                .map(|(workload, _)| workload.clone())
                .collect();
            workloads.iter().for_each(|workload| self.edge(&id, workload, EdgeKind::Has, None));
        }
        for gateway in snapshot.gateways.iter().filter(|gateway| !gateway.spec.selector.is_empty()) {
            let id = gateway_id(&gateway.meta.namespace, &gateway.meta.name);
            let selected: Vec<_> = self
                .labels
                .iter()
                .filter(|(_, labels)| labels_subset_of(&gateway.spec.selector, labels))
                .map(|(workload, _)| workload.clone())
                .collect();
            for workload in selected {
                self.edge(&id, &workload, EdgeKind::Has, None);
            }
        }
    }

    fn service(&mut self, service: &Arc<Service>) {
        let id = format!("service:{}@{}", service.hostname, service.namespace);
        self.by_host.entry(Arc::clone(&service.hostname)).or_insert_with(|| id.clone());
        let origin = Some(Origin::written(&service.provenance, "metadata.name"));
        let mut facts = vec![Fact { label: "host", value: service.hostname.to_string(), origin }];
        for port in &service.ports {
            let origin = Some(Origin::written(&service.provenance, format!("spec.ports[{}]", port.index)));
            let value = format!("{} {} {}", port.number, port.protocol, port.name);
            facts.push(Fact { label: "port", value, origin });
        }
        if service.resolution == Resolution::Alias
            && let Some(target) = &service.external_name
        {
            let origin = Some(Origin::written(&service.provenance, "spec.externalName"));
            facts.push(Fact { label: "stands for", value: target.to_string(), origin });
        }
        let endpoints = self.snapshot.registry.endpoints(service);
        let kind = if service.mesh_external { NodeKind::External } else { NodeKind::Service };
        let workloads = self.workloads(service, endpoints);
        let modes: BTreeSet<_> = workloads.keys().filter_map(|id| self.nodes.get(id)?.mtls).collect();
        let mut modes = modes.into_iter();
        let mtls = match (modes.next(), modes.next()) {
            (Some(mode), None) => Some(mode),
            (Some(_), Some(_)) => Some("MIXED"),
            (None, _) => None,
        };
        let addresses: BTreeSet<&str> = endpoints.iter().map(|endpoint| &*endpoint.address).collect();
        self.nodes.insert(
            id.clone(),
            Node {
                id: id.clone(),
                kind,
                name: short_name(service),
                namespace: service.namespace.to_string(),
                parent: None,
                mtls,
                endpoints: addresses.len(),
                policies: 0,
                facts,
            },
        );
        let covered = self.subsets(service, &id, &workloads);
        for workload in workloads.keys() {
            self.services_of.entry(workload.clone()).or_default().insert(id.clone());
            if !covered.contains(workload) {
                self.edge(&id, workload, EdgeKind::Has, None);
            }
        }
    }

    /// Workloads behind a service with their labels.
    fn workloads(
        &mut self,
        service: &Service,
        endpoints: &[Arc<Endpoint>],
    ) -> BTreeMap<String, Vec<Arc<StringMap>>> {
        let mut found: BTreeMap<String, Vec<Arc<StringMap>>> = BTreeMap::new();
        let mut addresses: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
        if service.mesh_external {
            return found;
        }
        for endpoint in endpoints {
            let (name, version) = identity_of(endpoint);
            let id = format!("workload:{}/{name}/{version}", endpoint.namespace);
            if !self.nodes.contains_key(&id) {
                self.workload(&id, &name, &version, endpoint);
            }
            if !endpoint.identity.is_empty() {
                self.by_identity.entry(Arc::clone(&endpoint.identity)).or_default().insert(id.clone());
            }
            addresses.entry(id.clone()).or_default().insert(&endpoint.address);
            let labels = found.entry(id).or_default();
            if !labels.contains(&endpoint.labels) {
                labels.push(Arc::clone(&endpoint.labels));
            }
        }
        for (id, addresses) in addresses {
            if let Some(node) = self.nodes.get_mut(&id) {
                node.endpoints = node.endpoints.max(addresses.len());
            }
        }
        found
    }

    fn workload(&mut self, id: &str, name: &str, version: &str, endpoint: &Endpoint) {
        let snapshot = self.snapshot;
        let policies = snapshot.peer_authentications.iter().map(Arc::as_ref);
        let root = snapshot.mesh.root_namespace();
        let modes = PeerModes::resolve(policies, root, &endpoint.namespace, &endpoint.labels);
        let (mode, origin) = (modes.default.value(), modes.default.origin());
        let is_mixed = modes.ports.values().any(|of_port| of_port.value() != mode);
        let mut facts =
            vec![Fact { label: "mutual TLS", value: mode.as_str().to_owned(), origin: Some(origin.clone()) }];
        for (port, mode) in &modes.ports {
            let value = format!("port {port}: {}", mode.value().as_str());
            facts.push(Fact { label: "mutual TLS", value, origin: Some(mode.origin().clone()) });
        }
        if !endpoint.identity.is_empty() {
            facts.push(Fact { label: "identity", value: endpoint.identity.to_string(), origin: None });
        }
        let labels: Vec<_> = endpoint.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let origin = Some(Origin::written(&endpoint.provenance, "metadata.labels"));
        facts.push(Fact { label: "labels", value: labels.join(", "), origin });
        let node = Node {
            id: id.to_owned(),
            kind: NodeKind::Workload,
            name: if version.is_empty() { name.to_owned() } else { format!("{name} {version}") },
            namespace: endpoint.namespace.to_string(),
            parent: None,
            mtls: Some(if is_mixed { "MIXED" } else { mode.as_str() }),
            endpoints: 0,
            policies: 0,
            facts,
        };
        self.labels.insert(id.to_owned(), Arc::clone(&endpoint.labels));
        self.nodes.insert(id.to_owned(), node);
    }

    /// Subsets of a service; gives the workloads that they hold.
    fn subsets(
        &mut self,
        service: &Service,
        id: &str,
        workloads: &BTreeMap<String, Vec<Arc<StringMap>>>,
    ) -> BTreeSet<String> {
        let mut covered = BTreeSet::new();
        let rules =
            self.snapshot.destination_rules.find(&service.namespace, &service.hostname, &service.namespace);
        for rule in rules {
            if let (Some(origin), Some(node)) = (&rule.policy_origin, self.nodes.get_mut(id)) {
                let value = format!("{}/{}", rule.namespace, rule.name);
                node.facts.push(Fact { label: "traffic policy", value, origin: Some(origin.clone()) });
            }
            for (subset, origin) in rule.spec.subsets.iter().zip(&rule.subset_origins) {
                let subset_id = subset_id(id, &subset.name);
                let labels: Vec<_> =
                    subset.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
                let held: Vec<_> = workloads
                    .iter()
                    .filter(|(_, labels)| {
                        labels.iter().any(|labels| labels_subset_of(&subset.labels, labels))
                    })
                    .map(|(workload, _)| workload.clone())
                    .collect();
                let endpoints =
                    held.iter().filter_map(|id| self.nodes.get(id)).map(|node| node.endpoints).sum();
                let node = Node {
                    id: subset_id.clone(),
                    kind: NodeKind::Subset,
                    name: subset.name.clone(),
                    namespace: service.namespace.to_string(),
                    parent: Some(id.to_owned()),
                    mtls: None,
                    endpoints,
                    policies: 0,
                    facts: vec![Fact {
                        label: "labels",
                        value: labels.join(", "),
                        origin: Some(origin.clone()),
                    }],
                };
                self.nodes.insert(subset_id.clone(), node);
                self.edge(id, &subset_id, EdgeKind::Has, None);
                for workload in held {
                    self.edge(&subset_id, &workload, EdgeKind::Has, None);
                    covered.insert(workload);
                }
            }
        }
        covered
    }
}

pub(super) fn gateway_id(namespace: &str, name: &str) -> String {
    format!("gateway:{namespace}/{name}")
}

pub(super) fn subset_id(service: &str, name: &str) -> String {
    format!("subset:{}/{name}", service.strip_prefix("service:").unwrap_or(service))
}

fn short_name(service: &Service) -> String {
    let suffix = format!(".{}.svc.{}", service.namespace, crate::registry::DOMAIN);
    text::short(service.hostname.strip_suffix(suffix.as_str()).unwrap_or(&service.hostname))
}

/// Application and version, as Istio's telemetry names them.
fn identity_of(endpoint: &Endpoint) -> (String, String) {
    let version = canonical_revision(&endpoint.labels).unwrap_or_default().to_owned();
    let names = endpoint.workload.as_deref();
    let name = canonical_service(&endpoint.labels).or(names.map(|names| &*names.workload));
    (name.filter(|name| !name.is_empty()).unwrap_or(&endpoint.address).to_owned(), version)
}

fn server_text(server: &Server) -> String {
    let port =
        server.port.as_ref().map(|port| format!("{} {}", port.number, port.protocol)).unwrap_or_default();
    let tls = server.tls.as_ref().map(|tls| match tls.https_redirect {
        true => " redirects to HTTPS".to_owned(),
        false => format!(" TLS {}", tls.mode),
    });
    text::short(&format!("{port}{} {}", tls.unwrap_or_default(), server.hosts.join(", ")))
}

//! Routes of merged VirtualServices as edges.

use std::sync::Arc;

use mesh_model::name::MESH_GATEWAY;
use mesh_model::origin::Origin;
use mesh_model::part::Destination;

use super::build::{Draft, gateway_id, subset_id};
use super::written::{self, ROUTED_BY};
use super::{EdgeKind, Fact, Node, NodeKind, Way, text};
use crate::merge::virtual_service::{MergedVirtualService, RouteSemantics, l4_destination_origin};

/// Names of VirtualServices that a node lists.
const LISTED_MAX: usize = 32;

/// One route.
struct Route<'a> {
    label: String,
    /// What is done to its requests on the way.
    acts: Vec<String>,
    /// Destination, weight, origin.
    to: Vec<(&'a Destination, Option<u32>, Origin)>,
    mirrors: Vec<(&'a Destination, Origin)>,
    /// Answered by the proxy itself.
    answer: Option<(&'static str, Origin)>,
}

pub(super) fn draw(draft: &mut Draft<'_>) {
    let services: Vec<_> = draft.snapshot.virtual_services.clone();
    for service in &services {
        let routes = routes(service);
        for entry in entries(draft, service) {
            note(draft, &entry, service);
            for route in &routes {
                draw_route(draft, &entry, route, service);
            }
        }
    }
}

/// Where requests of a VirtualService come in: its gateways, and the hosts that it has in the mesh.
fn entries(draft: &mut Draft<'_>, service: &MergedVirtualService) -> Vec<String> {
    let mut entries = Vec::new();
    let gateways = &service.spec.gateways;
    for (namespace, name) in written::gateways_of(&service.namespace, gateways) {
        let id = gateway_id(namespace, name);
        if draft.nodes.contains_key(&id) {
            entries.push(id);
        } else if service.semantics == RouteSemantics::Istio {
            // What is made for a listener or an Ingress names only what was made with it.
            let origin = Origin::written(&service.provenance, "spec.gateways");
            entries.push(missing(draft, id, (name, namespace, None), ("no such gateway", origin)));
        }
    }
    if gateways.is_empty() || gateways.iter().any(|name| name == MESH_GATEWAY) {
        for (index, host) in service.spec.hosts.iter().enumerate() {
            entries.push(host_node(draft, service, host, service.host_origin(index)));
        }
    }
    entries
}

/// The service of a host, or a node of its own.
fn host_node(draft: &mut Draft<'_>, service: &MergedVirtualService, host: &str, origin: Origin) -> String {
    if let Some(id) = draft.by_host.get(host) {
        return id.clone();
    }
    let id = format!("host:{host}@{}", service.namespace);
    draft.nodes.entry(id.clone()).or_insert_with(|| Node {
        id: id.clone(),
        kind: NodeKind::Host,
        name: text::short(host),
        namespace: service.namespace.to_string(),
        parent: None,
        mtls: None,
        endpoints: 0,
        policies: 0,
        facts: vec![Fact { label: "host", value: host.to_owned(), origin: Some(origin) }],
    });
    id
}

/// Tells of a node which VirtualService, or route of the Gateway API, is asked for its requests.
fn note(draft: &mut Draft<'_>, entry: &str, service: &MergedVirtualService) {
    let value = written::object(&service.provenance);
    let told = draft.routed_by.entry(entry.to_owned()).or_default();
    if told.len() >= LISTED_MAX || !told.insert(value.clone()) {
        return;
    }
    if let Some(node) = draft.nodes.get_mut(entry) {
        let origin = Some(Origin::written(&service.provenance, "metadata.name"));
        node.facts.push(Fact { label: ROUTED_BY, value, origin });
    }
}

fn draw_route(draft: &mut Draft<'_>, entry: &str, route: &Route<'_>, service: &MergedVirtualService) {
    for (destination, weight, origin) in &route.to {
        let to = target(draft, destination, origin, service);
        let way = Way {
            label: route.label.clone(),
            weight: *weight,
            acts: route.acts.clone(),
            origin: origin.clone(),
        };
        // A service that leads to itself as a whole, with nothing done on the way, needs no arrow.
        if to != entry || !way.text().is_empty() {
            draft.edge(entry, &to, EdgeKind::Route, Some(way));
        }
    }
    for (destination, origin) in &route.mirrors {
        let to = target(draft, destination, origin, service);
        let way = Way { label: route.label.clone(), weight: None, acts: Vec::new(), origin: origin.clone() };
        draft.edge(entry, &to, EdgeKind::Mirror, Some(way));
    }
    if let (Some((what, origin)), Some(node)) = (&route.answer, draft.nodes.get_mut(entry)) {
        let value = if route.label.is_empty() { "everything".to_owned() } else { route.label.clone() };
        node.facts.push(Fact { label: what, value, origin: Some(origin.clone()) });
    }
}

/// The node of a destination; of what is not there, a node that says so.
fn target(
    draft: &mut Draft<'_>,
    destination: &Destination,
    origin: &Origin,
    by: &MergedVirtualService,
) -> String {
    let host = destination.host.as_str();
    if host.is_empty() {
        // A backend of the Gateway API that is not there, or that no grant covers, leaves its share behind.
        let id = format!("missing:@{}", by.namespace);
        let place = ("unusable backend", &*by.namespace, None);
        return missing(draft, id, place, ("not there, or not granted", origin.clone()));
    }
    let Some(service) = draft.by_host.get(host).cloned() else {
        // `name.namespace.svc.cluster.local` would be of that namespace, anything else is told where it is named.
        let suffix = format!(".svc.{}", crate::registry::DOMAIN);
        let in_cluster = host.strip_suffix(suffix.as_str()).and_then(|host| host.split_once('.'));
        let (name, namespace) = in_cluster.unwrap_or((host, &by.namespace));
        let id = format!("missing:{host}@{namespace}");
        return missing(draft, id, (name, namespace, None), ("no such service", origin.clone()));
    };
    if destination.subset.is_empty() {
        return service;
    }
    let subset = subset_id(&service, &destination.subset);
    if draft.nodes.contains_key(&subset) {
        return subset;
    }
    let namespace = draft.nodes.get(&service).map(|node| node.namespace.clone()).unwrap_or_default();
    let place = (destination.subset.as_str(), namespace.as_str(), Some(service));
    missing(draft, subset, place, ("no such subset", origin.clone()))
}

/// A node for something that is named and is not there: name, namespace and service of it, what it lacks and where
/// it is named.
fn missing(
    draft: &mut Draft<'_>,
    id: String,
    (name, namespace, parent): (&str, &str, Option<String>),
    (what, origin): (&'static str, Origin),
) -> String {
    draft.nodes.entry(id.clone()).or_insert_with(|| Node {
        id: id.clone(),
        kind: NodeKind::Missing,
        name: text::short(name),
        namespace: namespace.to_owned(),
        parent,
        mtls: None,
        endpoints: 0,
        policies: 0,
        facts: vec![Fact { label: what, value: name.to_owned(), origin: Some(origin) }],
    });
    id
}

fn routes(service: &MergedVirtualService) -> Vec<Route<'_>> {
    let mut routes = Vec::new();
    for (route, origin) in service.spec.http.iter().zip(&service.http_origins) {
        let at =
            |suffix: &str| Origin::written(&origin.object, Arc::from(format!("{}{suffix}", origin.path)));
        let total: i64 = route.route.iter().map(|one| i64::from(one.weight)).sum();
        let to = route.route.iter().enumerate().filter_map(|(index, one)| {
            let share = share(one.weight, total, route.route.len());
            Some((one.destination.as_ref()?, share, at(&format!(".route[{index}]"))))
        });
        let mirror = route.mirror.as_deref().into_iter().map(|destination| (destination, at(".mirror")));
        let mirrors = route.mirrors.iter().enumerate().filter_map(|(index, mirror)| {
            Some((mirror.destination.as_ref()?, at(&format!(".mirrors[{index}]"))))
        });
        let redirect = route.redirect.as_ref().map(|_| ("redirects", at(".redirect")));
        let response = route.direct_response.as_ref().map(|_| ("answers itself", at(".directResponse")));
        routes.push(Route {
            label: text::http(route),
            acts: text::acts(route),
            to: to.collect(),
            mirrors: mirror.chain(mirrors).collect(),
            answer: redirect.or(response),
        });
    }
    let tls = service.spec.tls.iter().enumerate();
    let tls = tls.map(|(index, route)| (text::tls(&route.r#match), &route.route, service.tls_origin(index)));
    let tcp = service.spec.tcp.iter().enumerate();
    let tcp = tcp.map(|(index, route)| (text::tcp(&route.r#match), &route.route, service.tcp_origin(index)));
    for (label, destinations, origin) in tls.chain(tcp) {
        let total: i64 = destinations.iter().map(|one| i64::from(one.weight)).sum();
        let to = destinations.iter().enumerate().filter_map(|(index, one)| {
            let share = share(one.weight, total, destinations.len());
            Some((one.destination.as_ref()?, share, l4_destination_origin(&origin, index)))
        });
        routes.push(Route { label, acts: Vec::new(), to: to.collect(), mirrors: Vec::new(), answer: None });
    }
    routes
}

/// Percent of the requests of a route; a single destination takes all.
fn share(weight: i32, total: i64, destinations: usize) -> Option<u32> {
    if destinations == 1 {
        return Some(100);
    }
    let percent = (i64::from(weight) * 100 + total / 2).checked_div(total)?;
    u32::try_from(percent).ok()
}

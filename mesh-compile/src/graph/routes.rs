//! Routes of merged VirtualServices as edges.

use std::sync::Arc;

use mesh_model::origin::Origin;
use mesh_model::part::Destination;

use super::build::{Draft, gateway_id, subset_id};
use super::{EdgeKind, Fact, Node, NodeKind, Way, text};
use crate::merge::virtual_service::{MergedVirtualService, l4_destination_origin};

/// One route.
struct Route<'a> {
    label: String,
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
            for route in &routes {
                draw_route(draft, &entry, route);
            }
        }
    }
}

/// Where requests of a VirtualService come in: its gateways, and the hosts that it has in the mesh.
fn entries(draft: &mut Draft<'_>, service: &MergedVirtualService) -> Vec<String> {
    let mut entries = Vec::new();
    let gateways = &service.spec.gateways;
    for name in gateways.iter().filter(|name| *name != "mesh") {
        let (namespace, name) = name.split_once('/').unwrap_or((&service.namespace, name));
        let id = gateway_id(namespace, name);
        if draft.nodes.contains_key(&id) {
            entries.push(id);
        }
    }
    if gateways.is_empty() || gateways.iter().any(|name| name == "mesh") {
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

fn draw_route(draft: &mut Draft<'_>, entry: &str, route: &Route<'_>) {
    for (destination, weight, origin) in &route.to {
        let Some(to) = target(draft, destination) else { continue };
        // A service that leads to itself as a whole needs no arrow.
        if to != entry {
            let way = Way { label: route.label.clone(), weight: *weight, origin: origin.clone() };
            draft.edge(entry, &to, EdgeKind::Route, Some(way));
        }
    }
    for (destination, origin) in &route.mirrors {
        if let Some(to) = target(draft, destination).filter(|to| to != entry) {
            let way = Way { label: route.label.clone(), weight: None, origin: origin.clone() };
            draft.edge(entry, &to, EdgeKind::Mirror, Some(way));
        }
    }
    if let (Some((what, origin)), Some(node)) = (&route.answer, draft.nodes.get_mut(entry)) {
        let value = if route.label.is_empty() { "everything".to_owned() } else { route.label.clone() };
        node.facts.push(Fact { label: what, value, origin: Some(origin.clone()) });
    }
}

/// The node of a destination; `None`: there is no such service.
fn target(draft: &Draft<'_>, destination: &Destination) -> Option<String> {
    let service = draft.by_host.get(destination.host.as_str())?;
    if destination.subset.is_empty() {
        return Some(service.clone());
    }
    let subset = subset_id(service, &destination.subset);
    draft.nodes.contains_key(&subset).then_some(subset)
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
        routes.push(Route { label, to: to.collect(), mirrors: Vec::new(), answer: None });
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

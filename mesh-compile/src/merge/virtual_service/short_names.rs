//! Hosts and gateways of a VirtualService in full (T-020 to T-024).

use mesh_model::name::{resolve_gateway_name, resolve_short_name};
use mesh_model::networking::virtual_service::spec::VirtualService;
use mesh_model::part::Destination;

use crate::registry::DOMAIN;

/// Completes every name with the namespace of the object that holds it (T-021, T-023).
pub(in crate::merge) fn resolve(spec: &mut VirtualService, namespace: &str) {
    for host in &mut spec.hosts {
        complete_host(host, namespace);
    }
    complete_gateways(&mut spec.gateways, namespace);
    for route in &mut spec.http {
        for matched in &mut route.r#match {
            complete_gateways(&mut matched.gateways, namespace);
        }
        let weighted = route.route.iter_mut().filter_map(|entry| entry.destination.as_mut());
        let mirrored = route.mirrors.iter_mut().filter_map(|entry| entry.destination.as_mut());
        weighted
            .chain(route.mirror.as_deref_mut())
            .chain(mirrored)
            .for_each(|found| complete(found, namespace));
    }
    for route in &mut spec.tcp {
        for matched in &mut route.r#match {
            complete_gateways(&mut matched.gateways, namespace);
        }
        let destinations = route.route.iter_mut().filter_map(|entry| entry.destination.as_mut());
        destinations.for_each(|found| complete(found, namespace));
    }
    for route in &mut spec.tls {
        for matched in &mut route.r#match {
            complete_gateways(&mut matched.gateways, namespace);
        }
        let destinations = route.route.iter_mut().filter_map(|entry| entry.destination.as_mut());
        destinations.for_each(|found| complete(found, namespace));
    }
}

fn complete(destination: &mut Destination, namespace: &str) {
    complete_host(&mut destination.host, namespace);
}

fn complete_host(host: &mut String, namespace: &str) {
    *host = resolve_short_name(host, namespace, DOMAIN).into_owned();
}

fn complete_gateways(gateways: &mut [String], namespace: &str) {
    for gateway in gateways {
        *gateway = resolve_gateway_name(gateway, namespace).into_owned();
    }
}

//! Destinations of VirtualServices: hosts that exist, ports that they have.

use std::collections::{BTreeMap, BTreeSet};

use mesh_model::diagnostic::{Code, Diagnostic, Missing, Place};
use mesh_model::networking::virtual_service::spec::VirtualService;
use mesh_model::object::Object;

use crate::analyze::analyzers::destinations::{Destined, mirrors, routes};
use crate::analyze::context::Context;
use crate::analyze::findings::{Findings, full_name, listed, short};
use crate::analyze::hosts::fqdn;

/// Names that are kept for messages about one host.
const NAMES_MAX: usize = 16;

pub(in crate::analyze) fn run(context: &Context<'_>, found: &mut Findings) {
    let with_subsets = with_subsets(context);
    for service in context.objects(&context.config.virtual_services) {
        for destined in routes(&service.spec).chain(mirrors(&service.spec)) {
            check(context, service, &destined, found);
        }
        at_gateways(service, &with_subsets, found);
    }
}

fn check(
    context: &Context<'_>,
    service: &Object<VirtualService>,
    destined: &Destined<'_>,
    found: &mut Findings,
) {
    let namespace = &*service.meta.namespace;
    let Some(destination) = destined.destination.filter(|destination| !destination.host.is_empty()) else {
        let help = "name a host: the route leads nowhere";
        found.add(service, &destined.path, Code::HostUnknown, "the destination has no host", help);
        return;
    };
    let written = &destination.host;
    let path = format!("{}.host", destined.path);
    let Some(host) = context.hosts.find(written, namespace, &service.spec.export_to) else {
        let message = format!("no service `{}` is visible from namespace `{namespace}`", short(written));
        let help = match context.hosts.suggestion(written, namespace) {
            Some(name) => format!("did you mean `{name}`?"),
            None => "add a Service or ServiceEntry of this host, or correct the name".to_owned(),
        };
        let at = Place::of(&service.provenance, &path);
        let missing = Missing::Host(fqdn(written, namespace));
        found.push(Diagnostic::new(Code::HostUnknown, at, message).help(help).missing(missing));
        return;
    };
    let known = || host.ports.iter().take(16).map(ToString::to_string).collect::<Vec<_>>().join(", ");
    match &destination.port {
        None if host.ports.len() > 1 => {
            let message = format!("`{}` has several ports, and the destination names none", short(written));
            let help = format!("add `port: {{number: ...}}`, one of {}", known());
            found.add(service, &path, Code::PortRequired, message, help);
        }
        Some(port) if !host.ports.contains(&port.number) => {
            let message = format!("`{}` has no port {}", short(written), port.number);
            let help = match known().as_str() {
                "" => "it has no ports at all".to_owned(),
                known => format!("it has {known}"),
            };
            found.add(service, &format!("{}.port.number", destined.path), Code::PortUnknown, message, help);
        }
        _ => {}
    }
}

/// Hosts that a VirtualService of that host splits into subsets, with the names of those VirtualServices.
fn with_subsets<'a>(context: &Context<'a>) -> BTreeMap<&'a str, BTreeSet<String>> {
    let mut hosts: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for service in context.objects(&context.config.virtual_services) {
        let own: BTreeSet<&str> = service.spec.hosts.iter().map(String::as_str).collect();
        for destination in service.spec.http.iter().flat_map(|http| &http.route) {
            let Some(destination) = &destination.destination else { continue };
            if !destination.subset.is_empty() && own.contains(destination.host.as_str()) {
                let names = hosts.entry(&destination.host).or_default();
                if names.len() < NAMES_MAX {
                    names.insert(full_name(service));
                }
            }
        }
    }
    hosts
}

/// A gateway's route to a whole host does not go through the routes that split the host for the mesh.
fn at_gateways(
    service: &Object<VirtualService>,
    with_subsets: &BTreeMap<&str, BTreeSet<String>>,
    found: &mut Findings,
) {
    if service.spec.gateways.is_empty() {
        return;
    }
    for (route, http) in service.spec.http.iter().enumerate() {
        for (index, one) in http.route.iter().enumerate() {
            let Some(destination) =
                one.destination.as_ref().filter(|destination| destination.subset.is_empty())
            else {
                continue;
            };
            let Some(names) = with_subsets.get(destination.host.as_str()) else { continue };
            let path = format!("spec.http[{route}].route[{index}].destination.host");
            let message = format!(
                "the subsets that {} choose for `{}` do not count at a gateway",
                listed(names),
                short(&destination.host)
            );
            let help = "name the subsets here too, or bind the routes of the host to the gateway";
            found.add(service, &path, Code::IngressRouteUnaffected, message, help);
        }
    }
}

//! Gateways: Pods that they run on, and ports that a service brings to those Pods.

use std::collections::{BTreeMap, BTreeSet};

use mesh_model::diagnostic::{Code, Diagnostic, Missing, Place, nearest};
use mesh_model::kubernetes::{IntOrString, Protocol, Service};
use mesh_model::name::StringMap;
use mesh_model::object::Object;

use crate::analyze::context::Context;
use crate::analyze::findings::{Findings, selector_text};

type Labels = StringMap;

/// Ports of a workload, those of its Pods and those of its services.
type Ports = BTreeSet<u32>;

pub(in crate::analyze) fn run(context: &Context<'_>, found: &mut Findings) {
    let mut workloads: BTreeMap<&Labels, Option<Ports>> = BTreeMap::new();
    for gateway in context.objects(&context.config.gateways) {
        let selector = &gateway.spec.selector;
        let text = selector_text(selector);
        let Some(ports) = workloads.entry(selector).or_insert_with(|| ports_of(context, selector)) else {
            if context.is_elsewhere(selector) {
                continue;
            }
            let message = format!("no Pod has the labels `{text}`");
            let finding = Diagnostic::new(
                Code::SelectorUnmatched,
                Place::of(&gateway.provenance, "spec.selector"),
                message,
            );
            let help = selector_help(context, selector);
            found.push(finding.help(help).missing(Missing::pods(None, selector)));
            continue;
        };
        // One finding for each port, as in Istio.
        let mut told = BTreeSet::new();
        for (index, server) in gateway.spec.servers.iter().enumerate() {
            let Some(port) = &server.port else { continue };
            if ports.contains(&port.number) || !told.insert(port.number) {
                continue;
            }
            let message = format!("no service of the Pods with `{text}` has port {}", port.number);
            let known: Vec<_> = ports.iter().take(8).map(ToString::to_string).collect();
            let help = if known.is_empty() {
                "add the port to a Service that selects these Pods".to_owned()
            } else {
                format!("add it to a Service that selects these Pods; there are: {}", known.join(", "))
            };
            let path = format!("spec.servers[{index}].port.number");
            found.add(gateway, &path, Code::GatewayPortUnknown, message, help);
        }
    }
}

/// A selector that Pods do have, where one is near.
pub(super) fn selector_help(context: &Context<'_>, selector: &Labels) -> String {
    for (key, value) in selector.iter().take(4) {
        let values = context.pods.iter().take(1_000).filter_map(|pod| pod.meta.labels.get(key));
        if let Some(near) = nearest(value, values).filter(|near| *near != value) {
            return format!("did you mean `{key}={near}`?");
        }
    }
    "correct the labels, or deploy Pods that have them".to_owned()
}

/// `None`: there is no such Pod.
fn ports_of(context: &Context<'_>, selector: &Labels) -> Option<Ports> {
    let mut ports = None;
    let mut seen = BTreeSet::new();
    for pod in context.pods.matching(selector) {
        let ports = ports.get_or_insert_with(Ports::new);
        let namespace = &*pod.meta.namespace;
        // Pods with the same labels have the same services.
        if !seen.insert((namespace, &pod.meta.labels)) {
            continue;
        }
        for service in context.services.selecting(namespace, &pod.meta.labels) {
            add(service, ports);
        }
        for service in context.services.without_selector(namespace) {
            add(service, ports);
        }
    }
    ports
}

fn add(service: &Object<Service>, ports: &mut Ports) {
    for port in service.spec.spec.ports.iter().filter(|port| port.protocol == Protocol::Tcp) {
        let target = match &port.target_port {
            Some(IntOrString::Int(number)) => *number,
            Some(IntOrString::String(name)) => name.parse().unwrap_or(0),
            None => 0,
        };
        ports.extend(
            [port.port, target].iter().filter_map(|port| u32::try_from(*port).ok()).filter(|port| *port > 0),
        );
    }
}

//! Deployments behind several services that disagree about a port.

use std::collections::{BTreeMap, BTreeSet};

use mesh_model::diagnostic::Code;
use mesh_model::kubernetes::{IntOrString, Service};
use mesh_model::object::Object;

use crate::analyze::context::Context;
use crate::analyze::findings::{Findings, full_name, listed};
use crate::analyze::in_mesh::{MANAGED, deployment_is_in_mesh};

pub(in crate::analyze) fn run(context: &Context<'_>, found: &mut Findings) {
    for deployment in context.objects(&context.config.deployments) {
        let is_waypoint =
            deployment.meta.labels.get(MANAGED).is_some_and(|value| value == "istio.io-mesh-controller");
        let namespace = context.namespaces.get(&*deployment.meta.namespace).copied();
        if is_waypoint || !deployment_is_in_mesh(deployment, namespace) {
            continue;
        }
        let labels = &deployment.spec.spec.template.metadata.labels;
        let services = context.services.selecting(&deployment.meta.namespace, labels);
        for (port, protocols) in protocols(&services) {
            if protocols.len() > 1 {
                let names: BTreeSet<_> = protocols.values().flatten().collect();
                let message = format!("port {port} has different protocols in {}", listed(names));
                let help = "a sidecar can serve a port with one protocol: use one, or different ports";
                found.add(deployment, "metadata.name", Code::DeploymentPortProtocols, message, help);
            }
        }
        for (target, ports) in target_ports(&services) {
            if ports.len() > 1 {
                let numbers: Vec<_> = ports.keys().map(ToString::to_string).collect();
                let names: BTreeSet<_> = ports.values().collect();
                let message =
                    format!("ports {} of {} lead to target port {target}", numbers.join(", "), listed(names));
                let help = "give the services the same port for one target port";
                found.add(deployment, "metadata.name", Code::DeploymentPortConflict, message, help);
            }
        }
    }
}

/// Service port, transport, services.
fn protocols<'a>(services: &[&'a Object<Service>]) -> BTreeMap<i32, BTreeMap<&'a str, Vec<String>>> {
    let mut ports: BTreeMap<i32, BTreeMap<&str, Vec<String>>> = BTreeMap::new();
    for service in services {
        for port in &service.spec.spec.ports {
            let protocols = ports.entry(port.port).or_default();
            protocols.entry(port.protocol.as_str()).or_default().push(full_name(service));
        }
    }
    ports
}

/// Target port, service port, one service.
fn target_ports(services: &[&Object<Service>]) -> BTreeMap<String, BTreeMap<i32, String>> {
    let mut targets: BTreeMap<String, BTreeMap<i32, String>> = BTreeMap::new();
    for service in services {
        for port in &service.spec.spec.ports {
            let target = match &port.target_port {
                None | Some(IntOrString::Int(0)) => port.port.to_string(),
                Some(IntOrString::String(name)) if name.is_empty() || name == "0" => port.port.to_string(),
                Some(target) => target.to_string(),
            };
            targets.entry(target).or_default().insert(port.port, full_name(service));
        }
    }
    targets
}

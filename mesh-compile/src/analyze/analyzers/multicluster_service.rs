//! Services that several clusters have, in different forms.

use std::collections::BTreeMap;

use mesh_model::diagnostic::Code;
use mesh_model::kubernetes::Service;
use mesh_model::kubernetes::service::ServicePort;
use mesh_model::object::Object;

use crate::analyze::context::Context;
use crate::analyze::findings::{Findings, listed};

pub(in crate::analyze) fn run(context: &Context<'_>, found: &mut Findings) {
    let mut services: BTreeMap<(&str, &str), Vec<&Object<Service>>> = BTreeMap::new();
    for service in context.config.services.iter() {
        services.entry((&service.meta.namespace, &service.meta.name)).or_default().push(service);
    }
    for of_one_name in services.values() {
        let Some((first, others)) = of_one_name.split_first() else { continue };
        let mut clusters = vec![&*first.meta.cluster];
        let mut differing = None;
        let mut fields = Vec::new();
        for other in others {
            let differences = differences(first, other);
            if !differences.is_empty() {
                clusters.push(&other.meta.cluster);
                differing.get_or_insert(*other);
            }
            for (path, what) in differences {
                if !fields.contains(&(path, what)) {
                    fields.push((path, what));
                }
            }
        }
        let (Some(differing), Some((path, _))) = (differing, fields.first()) else { continue };
        let what: Vec<_> = fields.iter().map(|(_, what)| *what).collect();
        let message = format!("clusters {} differ in {}", listed(&clusters), what.join(", "));
        let help = "clients of both clusters use one of the forms: make them the same";
        found.add(differing, path, Code::ServiceInconsistent, message, help);
    }
}

fn differences(first: &Object<Service>, other: &Object<Service>) -> Vec<(&'static str, &'static str)> {
    let (first, other) = (&first.spec.spec, &other.spec.spec);
    let is_headless = |address: &str| address == "None";
    let mut fields = Vec::new();
    if is_headless(&first.cluster_ip) != is_headless(&other.cluster_ip) {
        fields.push(("spec.clusterIP", "being headless"));
    }
    if first.r#type != other.r#type {
        fields.push(("spec.type", "type"));
    }
    if ports(&first.ports) != ports(&other.ports) {
        fields.push(("spec.ports", "ports"));
    }
    fields
}

/// By name. Ports on nodes are left out: every cluster hands out its own.
fn ports(ports: &[ServicePort]) -> Vec<ServicePort> {
    let mut ports: Vec<_> = ports.iter().map(|port| ServicePort { node_port: 0, ..port.clone() }).collect();
    ports.sort_by(|a, b| a.name.cmp(&b.name));
    ports
}

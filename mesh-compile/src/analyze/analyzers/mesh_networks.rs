//! Networks of the mesh: registries that exist.

use std::collections::BTreeSet;

use mesh_model::diagnostic::{Code, Diagnostic, Place, ResourceRef, nearest};
use mesh_model::document::join_key;

use crate::analyze::context::Context;
use crate::analyze::findings::{Findings, short};
use crate::analyze::in_mesh::CONTROL_PLANE;

/// The label of Secrets that give access to other clusters, named by their keys.
const MULTI_CLUSTER: &str = "istio/multiCluster";

pub(in crate::analyze) fn run(context: &Context<'_>, found: &mut Findings) {
    let Some(given) = context.networks else { return };
    let mut registries: BTreeSet<&str> = ["Mock", "Kubernetes", "External"].into();
    registries.extend(context.clusters.iter().map(|cluster| &**cluster));
    for secret in context.config.secrets.iter() {
        if secret.meta.labels.get(MULTI_CLUSTER).is_some_and(|value| value == "true") {
            registries
                .extend(secret.spec.data.keys().chain(secret.spec.string_data.keys()).map(String::as_str));
        }
    }
    for (name, network) in &given.networks.networks {
        for (index, endpoints) in network.endpoints.iter().enumerate() {
            let Some(registry) = &endpoints.from_registry else { continue };
            if registries.contains(registry.as_str()) {
                continue;
            }
            let path = format!("{}.endpoints[{index}].fromRegistry", join_key("networks", name));
            let resource = ResourceRef {
                kind: "MeshNetworks".to_owned(),
                namespace: CONTROL_PLANE.to_owned(),
                name: "meshnetworks".to_owned(),
            };
            let message = format!("no cluster is called `{}`", short(registry));
            let help = match nearest(registry, registries.iter().copied().take(1_000)) {
                Some(name) => format!("did you mean `{name}`?"),
                None => format!("add a Secret with the label `{MULTI_CLUSTER}: \"true\"` for the cluster"),
            };
            let at = Place::in_document(given.document, resource, &path);
            found.push(Diagnostic::new(Code::RegistryUnknown, at, message).help(help));
        }
    }
}

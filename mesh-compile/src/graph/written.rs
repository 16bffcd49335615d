//! What a person wrote, where the snapshot has something that was made from it.

use mesh_model::name::MESH_GATEWAY;
use mesh_model::networking::gateway::spec::Gateway;
use mesh_model::object::Object;
use mesh_model::origin::Provenance;

use crate::merge::gateway_api::GatewayBinding;

/// The label of the fact that names what routes the requests of a node.
pub(super) const ROUTED_BY: &str = "routed by";

/// An object as a person speaks of it: `HTTPRoute shop/reviews`.
pub(super) fn object(of: &Provenance) -> String {
    if of.namespace.is_empty() {
        return format!("{} {}", of.kind, of.name);
    }
    format!("{} {}/{}", of.kind, of.namespace, of.name)
}

/// Whether a Gateway was made from a listener or an Ingress: its name is then not the name that was written.
pub(super) fn is_made(gateway: &Object<Gateway>) -> bool {
    gateway.provenance.name != gateway.meta.name || gateway.provenance.kind != "Gateway"
}

/// The name of a Gateway: its own, that of the Ingress, or that of the Gateway API's object with the listener's.
pub(super) fn gateway_name(gateway: &Object<Gateway>) -> String {
    let written = &gateway.provenance.name;
    // The name that is made ends with the listener's, which holds no `~`.
    match gateway.meta.name.rsplit_once('~') {
        Some((_, listener)) if is_made(gateway) => format!("{written} ({listener})"),
        _ => written.to_string(),
    }
}

/// The field that a server was made from.
pub(super) fn server_field(
    gateway: &Object<Gateway>,
    binding: Option<&GatewayBinding>,
    index: usize,
) -> String {
    match binding {
        Some(binding) => binding.field.to_string(),
        // The last server of an Ingress is port 80 for all of its rules.
        None if gateway.provenance.kind == "Ingress" && index + 1 < gateway.spec.servers.len() => {
            "spec.tls".to_owned()
        }
        None if gateway.provenance.kind == "Ingress" => "spec.rules".to_owned(),
        None => format!("spec.servers[{index}]"),
    }
}

/// The gateways that a VirtualService of a namespace names, as namespace and name.
pub(super) fn gateways_of<'a>(
    namespace: &'a str,
    names: &'a [String],
) -> impl Iterator<Item = (&'a str, &'a str)> {
    let written = names.iter().filter(|name| *name != MESH_GATEWAY);
    written.map(move |name| name.split_once('/').unwrap_or((namespace, name)))
}

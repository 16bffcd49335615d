//! References to Gateways become `namespace/name` (T-023).

use std::borrow::Cow;

/// The reserved gateway that means all sidecars (T-023, T-024).
pub const MESH_GATEWAY: &str = "mesh";

/// `namespace/name` of the Gateway that `gateway` means in a VirtualService of `namespace` (T-023).
///
/// ```
/// # use mesh_model::name::resolve_gateway_name;
/// assert_eq!(resolve_gateway_name("mesh", "shop"), "mesh");
/// assert_eq!(resolve_gateway_name("edge", "shop"), "shop/edge");
/// assert_eq!(resolve_gateway_name("./edge", "shop"), "shop/edge");
/// assert_eq!(resolve_gateway_name("infra/edge", "shop"), "infra/edge");
/// assert_eq!(resolve_gateway_name("edge.infra.svc.cluster.local", "shop"), "infra/edge");
/// ```
pub fn resolve_gateway_name<'g>(gateway: &'g str, namespace: &str) -> Cow<'g, str> {
    if gateway == MESH_GATEWAY {
        return Cow::Borrowed(gateway);
    }
    match gateway.split_once('/') {
        Some((".", name)) => Cow::Owned(format!("{namespace}/{name}")),
        Some(_) => Cow::Borrowed(gateway),
        None => Cow::Owned(resolve_without_slash(gateway, namespace)),
    }
}

/// A bare name, or the legacy `name.namespace[.svc...]`.
fn resolve_without_slash(gateway: &str, namespace: &str) -> String {
    match gateway.split_once('.') {
        None => format!("{namespace}/{gateway}"),
        Some((name, rest)) => {
            let legacy_namespace = rest.split('.').next().unwrap_or_default();
            format!("{legacy_namespace}/{name}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::resolve_gateway_name;

    #[test]
    fn only_a_lone_dot_is_the_own_namespace() {
        assert_eq!(resolve_gateway_name("edge.infra", "ns"), "infra/edge");
        assert_eq!(resolve_gateway_name("ns2/a.b", "ns"), "ns2/a.b");
        assert_eq!(resolve_gateway_name("", "ns"), "ns/");
    }
}

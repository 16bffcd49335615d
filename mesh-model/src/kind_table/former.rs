//! Kinds and versions that clusters no longer serve, and what took their place.
//!
//! Old guides are full of them, and the API server says no more than `no matches for kind`.

#[cfg(test)]
mod tests;

/// A kind of a group and version that was served once.
pub(super) struct Former {
    group: &'static str,
    /// Empty: every version.
    versions: &'static [&'static str],
    /// Empty: every kind.
    kinds: &'static [&'static str],
    /// The last release that served it, so to say: where it was removed.
    pub(super) removed_in: &'static str,
    /// What to write instead.
    pub(super) instead: &'static str,
}

const ANY: &[&str] = &[];
const V1BETA1: &[&str] = &["v1beta1"];
const ALPHA2: &[&str] = &["v1alpha2"];

/// The most exact row of a kind comes first. Sources: Istio's release notes (1.0, 1.6, 1.8), Kubernetes' deprecation guide, the
/// Gateway API's release notes (0.4 to 1.2).
const FORMER: &[Former] = &[
    row(
        "networking.istio.io",
        &["v1alpha1", "v1alpha2"],
        ANY,
        "Istio 1.0",
        "write `apiVersion: networking.istio.io/v1`",
    ),
    row(
        "authentication.istio.io",
        ANY,
        &["MeshPolicy"],
        "Istio 1.6",
        "write a PeerAuthentication (`security.istio.io/v1`) in the root namespace; its `mtls` says what `peers` said",
    ),
    row(
        "authentication.istio.io",
        ANY,
        ANY,
        "Istio 1.6",
        "write a PeerAuthentication (`security.istio.io/v1`) for `peers` and a RequestAuthentication with an AuthorizationPolicy for `origins`",
    ),
    row(
        "rbac.istio.io",
        ANY,
        &["ClusterRbacConfig", "RbacConfig"],
        "Istio 1.6",
        "remove it: AuthorizationPolicies (`security.istio.io/v1`) are in force wherever there are any; one with an empty `spec` denies what no other allows",
    ),
    row(
        "rbac.istio.io",
        ANY,
        ANY,
        "Istio 1.6",
        "write an AuthorizationPolicy (`security.istio.io/v1`): the role's rules become `to` and `when`, the binding's subjects `from`",
    ),
    row(
        "config.istio.io",
        ANY,
        &["RouteRule"],
        "Istio 1.0",
        "write a VirtualService (`networking.istio.io/v1`)",
    ),
    row(
        "config.istio.io",
        ANY,
        &["EgressRule"],
        "Istio 1.0",
        "write a ServiceEntry (`networking.istio.io/v1`)",
    ),
    row(
        "config.istio.io",
        ANY,
        &["DestinationPolicy"],
        "Istio 1.0",
        "write a DestinationRule (`networking.istio.io/v1`)",
    ),
    row(
        "config.istio.io",
        ANY,
        &["QuotaSpec", "QuotaSpecBinding", "quota", "memquota", "redisquota"],
        "Istio 1.8",
        "limit rates with an EnvoyFilter that inserts Envoy's `local_ratelimit` or `ratelimit` filter",
    ),
    row(
        "config.istio.io",
        ANY,
        ANY,
        "Istio 1.8",
        "Mixer is gone: write a Telemetry (`telemetry.istio.io/v1`) for metrics, logs and traces, an AuthorizationPolicy with `action: CUSTOM` for checks",
    ),
    row("security.istio.io", &["v1alpha1"], ANY, "Istio 1.6", "write `apiVersion: security.istio.io/v1`"),
    row(
        "extensions",
        V1BETA1,
        &["Ingress"],
        "Kubernetes 1.22",
        "write `apiVersion: networking.k8s.io/v1`, `pathType` for each path, and `backend.service.name` and `backend.service.port.number` for `serviceName` and `servicePort`",
    ),
    row(
        "networking.k8s.io",
        V1BETA1,
        &["Ingress"],
        "Kubernetes 1.22",
        "write `apiVersion: networking.k8s.io/v1`, `pathType` for each path, and `backend.service.name` and `backend.service.port.number` for `serviceName` and `servicePort`",
    ),
    row(
        "networking.k8s.io",
        V1BETA1,
        &["IngressClass"],
        "Kubernetes 1.22",
        "write `apiVersion: networking.k8s.io/v1`",
    ),
    row(
        "extensions",
        V1BETA1,
        &["NetworkPolicy"],
        "Kubernetes 1.16",
        "write `apiVersion: networking.k8s.io/v1`",
    ),
    row(
        "extensions",
        V1BETA1,
        ANY,
        "Kubernetes 1.16",
        "write `apiVersion: apps/v1`, and the `selector` that it requires",
    ),
    row(
        "apps",
        &["v1beta1", "v1beta2"],
        ANY,
        "Kubernetes 1.16",
        "write `apiVersion: apps/v1`, and the `selector` that it requires",
    ),
    row(
        "gateway.networking.k8s.io",
        ALPHA2,
        &["ReferencePolicy"],
        "Gateway API 0.6",
        "write a ReferenceGrant of `apiVersion: gateway.networking.k8s.io/v1beta1`",
    ),
    row(
        "gateway.networking.k8s.io",
        ALPHA2,
        &["GatewayClass", "Gateway", "HTTPRoute"],
        "Gateway API 1.0",
        "write `apiVersion: gateway.networking.k8s.io/v1`",
    ),
    row(
        "gateway.networking.k8s.io",
        ALPHA2,
        &["ReferenceGrant"],
        "Gateway API 1.2",
        "write `apiVersion: gateway.networking.k8s.io/v1beta1`",
    ),
    row(
        "gateway.networking.k8s.io",
        ALPHA2,
        &["GRPCRoute"],
        "Gateway API 1.2",
        "write `apiVersion: gateway.networking.k8s.io/v1`",
    ),
    row(
        "gateway.networking.k8s.io",
        ALPHA2,
        &["BackendTLSPolicy"],
        "Gateway API 1.1",
        "write `apiVersion: gateway.networking.k8s.io/v1`; `validation` says what `tls` said, and `targetRefs` is a list",
    ),
    row(
        "networking.x-k8s.io",
        ANY,
        ANY,
        "Gateway API 0.4",
        "write `apiVersion: gateway.networking.k8s.io/v1`; routes name their Gateways in `parentRefs`",
    ),
];

const fn row(
    group: &'static str,
    versions: &'static [&'static str],
    kinds: &'static [&'static str],
    removed_in: &'static str,
    instead: &'static str,
) -> Former {
    Former { group, versions, kinds, removed_in, instead }
}

/// What became of a kind; `None`: it is not known that it was ever served.
pub(super) fn find(group: &str, version: &str, kind: &str) -> Option<&'static Former> {
    let has = |list: &[&str], wanted: &str| list.is_empty() || list.contains(&wanted);
    FORMER.iter().find(|row| row.group == group && has(row.versions, version) && has(row.kinds, kind))
}

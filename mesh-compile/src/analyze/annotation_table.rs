//! Istio's annotations: how settled each is and what it may stand on (istio/api `annotation/annotations.yaml`).

/// How settled an annotation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Maturity {
    /// May change or go.
    Alpha,
    /// Will stay in some form, or says nothing of itself.
    Settled,
}

/// One annotation of Istio's.
#[derive(Debug)]
pub(super) struct Annotation {
    /// Its key.
    pub(super) name: &'static str,
    /// How settled it is.
    pub(super) maturity: Maturity,
    /// Whether it should no longer be used.
    pub(super) is_deprecated: bool,
    /// Kinds that it may stand on; `Any`: all.
    pub(super) kinds: &'static [&'static str],
}

/// The annotation of a key.
pub(super) fn annotation(name: &str) -> Option<&'static Annotation> {
    let index = ANNOTATIONS.binary_search_by(|one| one.name.cmp(name)).ok()?;
    ANNOTATIONS.get(index)
}

/// Keys of all annotations.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    ANNOTATIONS.iter().map(|one| one.name)
}

const fn row(
    name: &'static str,
    maturity: Maturity,
    is_deprecated: bool,
    kinds: &'static [&'static str],
) -> Annotation {
    Annotation { name, maturity, is_deprecated, kinds }
}

use Maturity::{Alpha, Settled};

/// Sorted by name.
#[rustfmt::skip]
const ANNOTATIONS: &[Annotation] = &[
    row("alpha.istio.io/canonical-serviceaccounts", Alpha, true, &["Service"]),
    row("alpha.istio.io/kubernetes-serviceaccounts", Alpha, true, &["Service"]),
    row("ambient.istio.io/bypass-inbound-capture", Alpha, false, &["Pod"]),
    row("ambient.istio.io/dns-capture", Alpha, false, &["Pod"]),
    row("ambient.istio.io/redirection", Settled, false, &["Pod"]),
    row("ambient.istio.io/waypoint-inbound-binding", Alpha, false, &["GatewayClass", "Gateway"]),
    row("galley.istio.io/analyze-suppress", Alpha, false, &["Any"]),
    row("gateway.istio.io/controller-version", Alpha, false, &["Any"]),
    row("gateway.istio.io/name-override", Alpha, false, &["Gateway"]),
    row("gateway.istio.io/service-account", Alpha, false, &["Gateway"]),
    row("inject.istio.io/templates", Alpha, false, &["Pod"]),
    row("istio.io/autoRegistrationGroup", Alpha, false, &["WorkloadEntry"]),
    row("istio.io/connectedAt", Alpha, false, &["WorkloadEntry"]),
    row("istio.io/disconnectedAt", Alpha, false, &["WorkloadEntry"]),
    row("istio.io/dry-run", Alpha, false, &["AuthorizationPolicy"]),
    row("istio.io/reroute-virtual-interfaces", Alpha, false, &["Pod"]),
    row("istio.io/rev", Alpha, false, &["Pod"]),
    row("istio.io/use-waypoint-canary-weight", Alpha, false, &["Service", "ServiceEntry", "Namespace"]),
    row("istio.io/workloadController", Alpha, false, &["WorkloadEntry"]),
    row("kubernetes.io/ingress.class", Settled, false, &["Ingress"]),
    row("networking.istio.io/exportTo", Alpha, false, &["Service"]),
    row("networking.istio.io/service-type", Alpha, false, &["Gateway"]),
    row("networking.istio.io/traffic-distribution", Alpha, false, &["Namespace", "Service", "ServiceEntry"]),
    row("prometheus.istio.io/merge-metrics", Alpha, false, &["Pod"]),
    row("proxy.istio.io/config", Settled, false, &["Pod"]),
    row("proxy.istio.io/overrides", Alpha, false, &["Pod"]),
    row("readiness.status.sidecar.istio.io/applicationPorts", Alpha, false, &["Pod"]),
    row("readiness.status.sidecar.istio.io/failureThreshold", Alpha, false, &["Pod"]),
    row("readiness.status.sidecar.istio.io/initialDelaySeconds", Alpha, false, &["Pod"]),
    row("readiness.status.sidecar.istio.io/periodSeconds", Alpha, false, &["Pod"]),
    row("sidecar.istio.io/agentLogLevel", Alpha, false, &["Pod"]),
    row("sidecar.istio.io/bootstrapOverride", Alpha, false, &["Pod"]),
    row("sidecar.istio.io/componentLogLevel", Alpha, false, &["Pod"]),
    row("sidecar.istio.io/discoveryAddress", Alpha, true, &["Pod"]),
    row("sidecar.istio.io/extraStatTags", Alpha, true, &["Pod"]),
    row("sidecar.istio.io/inject", Settled, true, &["Pod"]),
    row("sidecar.istio.io/interceptionMode", Alpha, false, &["Pod"]),
    row("sidecar.istio.io/logLevel", Alpha, false, &["Pod"]),
    row("sidecar.istio.io/nativeSidecar", Alpha, false, &["Pod"]),
    row("sidecar.istio.io/proxyCPU", Alpha, false, &["Pod"]),
    row("sidecar.istio.io/proxyCPULimit", Alpha, false, &["Pod"]),
    row("sidecar.istio.io/proxyImage", Alpha, false, &["Pod"]),
    row("sidecar.istio.io/proxyImageType", Alpha, false, &["Pod"]),
    row("sidecar.istio.io/proxyMemory", Alpha, false, &["Pod"]),
    row("sidecar.istio.io/proxyMemoryLimit", Settled, false, &["Pod"]),
    row("sidecar.istio.io/rewriteAppHTTPProbers", Alpha, false, &["Pod"]),
    row("sidecar.istio.io/statsCompression", Alpha, true, &["Pod"]),
    row("sidecar.istio.io/statsEvictionInterval", Alpha, false, &["Pod"]),
    row("sidecar.istio.io/statsFlushInterval", Alpha, false, &["Pod"]),
    row("sidecar.istio.io/statsHistogramBins", Alpha, false, &["Pod"]),
    row("sidecar.istio.io/statsHistogramBuckets", Alpha, false, &["Pod"]),
    row("sidecar.istio.io/statsInclusionPrefixes", Alpha, true, &["Pod"]),
    row("sidecar.istio.io/statsInclusionRegexps", Alpha, true, &["Pod"]),
    row("sidecar.istio.io/statsInclusionSuffixes", Alpha, true, &["Pod"]),
    row("sidecar.istio.io/status", Alpha, false, &["Pod"]),
    row("sidecar.istio.io/userVolume", Alpha, false, &["Pod"]),
    row("sidecar.istio.io/userVolumeMount", Settled, false, &["Pod"]),
    row("status.sidecar.istio.io/port", Alpha, false, &["Pod"]),
    row("topology.istio.io/controlPlaneClusters", Alpha, false, &["Namespace"]),
    row("traffic.istio.io/nodeSelector", Settled, false, &["Service"]),
    row("traffic.sidecar.istio.io/excludeInboundPorts", Alpha, false, &["Pod"]),
    row("traffic.sidecar.istio.io/excludeInterfaces", Alpha, false, &["Pod"]),
    row("traffic.sidecar.istio.io/excludeOutboundIPRanges", Alpha, false, &["Pod"]),
    row("traffic.sidecar.istio.io/excludeOutboundPorts", Alpha, false, &["Pod"]),
    row("traffic.sidecar.istio.io/includeInboundPorts", Settled, false, &["Pod"]),
    row("traffic.sidecar.istio.io/includeOutboundIPRanges", Alpha, false, &["Pod"]),
    row("traffic.sidecar.istio.io/includeOutboundPorts", Alpha, false, &["Pod"]),
    row("traffic.sidecar.istio.io/kubevirtInterfaces", Alpha, true, &["Pod"]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_so_that_it_can_be_searched() {
        assert!(ANNOTATIONS.is_sorted_by_key(|one| one.name));
        assert!(annotation("sidecar.istio.io/inject").is_some_and(|one| one.is_deprecated));
        assert!(annotation("sidecar.istio.io/injekt").is_none());
    }
}

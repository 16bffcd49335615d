//! The one table of analyzers. Spec: istio/istio, pkg/config/analysis/analyzers/all.go.

use std::fmt;

use super::analyzers as a;
use super::context::Context;
use super::findings::Findings;

/// What an analyzer looks at in one go. Ours: clusters that know nothing of each other cannot contradict each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reach {
    /// The objects of one cluster.
    Cluster,
    /// Those of all clusters.
    Mesh,
}

/// One analyzer. Spec: istio/istio, pkg/config/analysis/analyzers/all.go.
#[derive(Clone, Copy)]
pub struct Analyzer {
    /// Istio's name for it.
    pub name: &'static str,
    /// Kinds that it looks at.
    pub inputs: &'static [&'static str],
    /// Kinds of the running cluster without which it could only guess.
    pub compares_with: &'static [&'static str],
    /// What it looks at in one go.
    pub reach: Reach,
    /// Whether it runs where no analyzer is named.
    pub is_default: bool,
    pub(super) run: fn(&Context<'_>, &mut Findings),
}

impl fmt::Debug for Analyzer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Analyzer")
            .field("name", &self.name)
            .field("inputs", &self.inputs)
            .finish_non_exhaustive()
    }
}

/// One that runs by default on the objects of one cluster and needs nothing to compare with.
const fn row(
    name: &'static str,
    inputs: &'static [&'static str],
    run: fn(&Context<'_>, &mut Findings),
) -> Analyzer {
    Analyzer { name, inputs, compares_with: &[], reach: Reach::Cluster, is_default: true, run }
}

impl Analyzer {
    const fn needs(self, compares_with: &'static [&'static str]) -> Self {
        Self { compares_with, ..self }
    }

    const fn mesh_wide(self) -> Self {
        Self { reach: Reach::Mesh, ..self }
    }

    const fn on_demand(self) -> Self {
        Self { is_default: false, ..self }
    }
}

/// Every analyzer: Istio's in its order, then ours. Istio's analyzers of single resources (`schema.ValidationAnalyzer`) are the
/// validation that every object goes through when it is read.
#[rustfmt::skip]
pub const ANALYZERS: &[Analyzer] = &[
    row("annotations.K8sAnalyzer", &["Namespace", "Service", "Pod", "Deployment"], a::annotations::run),
    row("annotations.AlphaAnalyzer", &["Namespace", "Service", "Pod", "Deployment"], a::alpha_annotations::run).on_demand(),
    row("authn.BlockedCIDRsAnalyzer", &["RequestAuthentication", "Deployment"], a::blocked_cidrs::run),
    row("auth.AuthorizationPoliciesAnalyzer", &["MeshConfig", "AuthorizationPolicy", "Namespace", "Pod"], a::authorization_policies::run).needs(&["Namespace"]),
    row("conditions.ConditionAnalyzer", &["Service", "ServiceEntry", "WorkloadEntry", "AuthorizationPolicy", "KubernetesGateway", "HTTPRoute", "GRPCRoute"], a::conditions::run),
    row("deployment.MultiServiceAnalyzer", &["Service", "Deployment", "Namespace"], a::multi_service::run),
    row("applicationUID.Analyzer", &["Pod", "Deployment"], a::application_uid::run),
    row("destinationrule.CaCertificateAnalyzer", &["DestinationRule"], a::ca_certificate::run),
    row("destinationrule.SubsetSelectPodAnalyzer", &["DestinationRule", "Pod", "Service", "ServiceEntry", "Node"], a::subset_pods::run).needs(&["Service"]),
    row("deprecation.DeprecationAnalyzer", &["VirtualService", "Sidecar", "CustomResourceDefinition"], a::deprecation::run),
    row("envoyfilter.EnvoyPatchAnalyzer", &["EnvoyFilter"], a::envoy_patch::run),
    row("externalcontrolplane.ExternalControlPlaneAnalyzer", &["ValidatingWebhookConfiguration", "MutatingWebhookConfiguration"], a::external_control_plane::run),
    row("gateway.IngressGatewayPortAnalyzer", &["Gateway", "Pod", "Service"], a::gateway_port::run).needs(&["Pod", "Service"]),
    row("gateway.CertificateAnalyzer", &["Gateway"], a::gateway_certificate::run),
    row("gateway.SecretAnalyzer", &["Gateway", "Pod", "Secret"], a::gateway_secret::run).needs(&["Pod", "Secret"]),
    row("gateway.ConflictingGatewayAnalyzer", &["Gateway", "Pod"], a::gateway_conflict::run),
    row("injection.Analyzer", &["Namespace", "Pod", "ConfigMap"], a::injection::run),
    row("injection.ImageAnalyzer", &["Namespace", "Pod", "ConfigMap", "MeshConfig", "ProxyConfig"], a::injection_image::run),
    row("injection.ImageAutoAnalyzer", &["Namespace", "Pod", "Deployment", "MutatingWebhookConfiguration"], a::image_auto::run).needs(&["MutatingWebhookConfiguration"]),
    row("k8sgateway.SelectorAnalyzer", &["AuthorizationPolicy", "RequestAuthentication", "Telemetry", "WasmPlugin", "Pod"], a::gateway_selector::run),
    row("k8sgateway.CRDVersionAnalyzer", &["CustomResourceDefinition"], a::crd_version::run),
    row("precheck.GatewayAPI", &["CustomResourceDefinition"], a::gateway_api_versions::run),
    row("meshnetworks.MeshNetworksAnalyzer", &["MeshNetworks", "Secret"], a::mesh_networks::run).mesh_wide(),
    row("services.MultiClusterServiceAnalyzer", &["Service"], a::multicluster_service::run).mesh_wide(),
    row("service.PortNameAnalyzer", &["Service"], a::port_name::run),
    row("sidecar.SelectorAnalyzer", &["Sidecar", "Pod", "Namespace"], a::sidecar_selector::run),
    row("virtualservice.ConflictingMeshGatewayHostsAnalyzer", &["VirtualService"], a::virtual_service_hosts::run),
    row("virtualservice.DestinationHostAnalyzer", &["ServiceEntry", "VirtualService", "Service"], a::destination_hosts::run).needs(&["Service"]),
    row("virtualservice.DestinationRuleAnalyzer", &["VirtualService", "DestinationRule"], a::destination_subsets::run),
    row("virtualservice.GatewayAnalyzer", &["Gateway", "KubernetesGateway", "VirtualService"], a::virtual_service_gateways::run),
    row("virtualservice.JWTClaimRouteAnalyzer", &["VirtualService", "RequestAuthentication", "Gateway", "Pod"], a::jwt_claims::run),
    row("serviceentry.Analyzer", &["ServiceEntry", "MeshConfig"], a::service_entry_addresses::run),
    row("serviceentry.ConflictingServiceEntryProtocolAnalyzer", &["ServiceEntry"], a::service_entry_conflict::run),
    row("webhook.Analyzer", &["MutatingWebhookConfiguration", "Service"], a::webhook::run).needs(&["Service"]),
    row("telemetry.ProviderAnalyzer", &["Telemetry", "MeshConfig"], a::telemetry_providers::run),
    row("telemetry.SelectorAnalyzer", &["Telemetry", "Pod"], a::telemetry_selector::run).needs(&["Pod"]),
    row("telemetry.DefaultSelectorAnalyzer", &["Telemetry"], a::telemetry_default::run),
    row("telemetry.LightstepAnalyzer", &["Telemetry", "MeshConfig"], a::telemetry_lightstep::run),
    // Ours: what loses against an older object of its kind; names to which Tencent Cloud Mesh gives a meaning.
    row("destinationrule.ShadowedAnalyzer", &["DestinationRule"], a::rule_shadowed::run),
    row("authn.ShadowedAnalyzer", &["PeerAuthentication", "Pod", "MeshConfig"], a::peer_shadowed::run),
    row("gateway.OffloadAnalyzer", &["Gateway"], a::gateway_offload::run),
    // Ours: what meets objects of other namespaces, other services, other clusters.
    row("virtualservice.ForeignHostAnalyzer", &["VirtualService", "Service", "MeshConfig"], a::foreign_hosts::run),
    row("networking.ListenerConflictAnalyzer", &["Service", "ServiceEntry"], a::listener_conflict::run),
    row("networking.ClustersDifferAnalyzer", &["VirtualService", "DestinationRule", "Gateway", "ServiceEntry", "Sidecar", "EnvoyFilter", "AuthorizationPolicy", "PeerAuthentication", "RequestAuthentication"], a::clusters_differ::run).mesh_wide(),
    // Ours: names of what does not exist, which Istio passes over.
    row("telemetry.UnknownProviderAnalyzer", &["Telemetry", "MeshConfig"], a::telemetry_unknown::run),
    row("ingress.ClassAnalyzer", &["Ingress", "IngressClass", "MeshConfig"], a::ingress_class::run).needs(&["IngressClass"]),
    // Ours: what security resources say of workloads that only the workloads and services can tell.
    row("auth.SeveralAuthorizersAnalyzer", &["AuthorizationPolicy", "Pod", "MeshConfig"], a::several_authorizers::run),
    row("auth.ServicePortAnalyzer", &["AuthorizationPolicy", "PeerAuthentication", "Service", "Pod", "Deployment"], a::service_ports::run),
    row("auth.ClientAddressAnalyzer", &["AuthorizationPolicy", "Pod", "Deployment", "Gateway", "MeshConfig"], a::client_addresses::run),
];

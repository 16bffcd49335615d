//! Definitions of the Gateway API: served in the versions that Istio asks for (istio/istio `istioctl/pkg/precheck`).

use mesh_model::diagnostic::Code;

use crate::analyze::context::Context;
use crate::analyze::findings::Findings;

pub(in crate::analyze) fn run(context: &Context<'_>, found: &mut Findings) {
    for definition in context.objects(&context.config.custom_resource_definitions) {
        let spec = &definition.spec.spec;
        if spec.group != "gateway.networking.k8s.io" {
            continue;
        }
        let served: Vec<_> = spec
            .versions
            .iter()
            .filter(|version| version.served)
            .map(|version| version.name.as_str())
            .collect();
        let kind = spec.names.kind.as_str();
        let has = if served.is_empty() { "none".to_owned() } else { served.join(", ") };
        let is_beta = matches!(kind, "Gateway" | "GatewayClass" | "HTTPRoute" | "ReferenceGrant");
        let is_stable = matches!(kind, "Gateway" | "GatewayClass" | "HTTPRoute" | "GRPCRoute");
        let help = "install newer definitions of the Gateway API";
        if is_beta && !served.contains(&"v1beta1") {
            let message = format!("`{kind}` is not served in version `v1beta1`, only in: {has}");
            found.add(definition, "spec.versions", Code::GatewayApiVersion, message, help);
        }
        if is_stable && !served.contains(&"v1") {
            let message = format!("`{kind}` is not served in version `v1`, only in: {has}");
            found.add(definition, "spec.versions", Code::GatewayApiVersionSoon, message, help);
        }
    }
}

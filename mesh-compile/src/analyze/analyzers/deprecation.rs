//! Fields and kinds that are deprecated or gone.

use mesh_model::diagnostic::Code;

use crate::analyze::context::Context;
use crate::analyze::findings::Findings;

/// Kinds of `rbac.istio.io`, which AuthorizationPolicy replaced.
const REMOVED: [&str; 4] = ["ClusterRbacConfig", "RbacConfig", "ServiceRole", "ServiceRoleBinding"];

pub(in crate::analyze) fn run(context: &Context<'_>, found: &mut Findings) {
    for service in context.objects(&context.config.virtual_services) {
        for (index, route) in service.spec.http.iter().enumerate() {
            let delay = route.fault.as_ref().and_then(|fault| fault.delay.as_ref());
            if delay.is_some_and(|delay| delay.percent > 0) {
                let path = format!("spec.http[{index}].fault.delay.percent");
                let message = "`percent` of a delay is deprecated";
                found.add(service, &path, Code::DeprecatedUse, message, "write `percentage: {value: ...}`");
            }
        }
    }
    for sidecar in context.objects(&context.config.sidecars) {
        let policy = sidecar.spec.outbound_traffic_policy.as_ref();
        if policy.is_some_and(|policy| policy.egress_proxy.is_some()) {
            let path = "spec.outboundTrafficPolicy.egressProxy";
            let message = "`egressProxy` is no longer supported";
            let help = "send traffic to an egress gateway by a VirtualService instead";
            found.add(sidecar, path, Code::DeprecatedUse, message, help);
        }
    }
    for definition in context.objects(&context.config.custom_resource_definitions) {
        let kind = definition.spec.spec.names.kind.as_str();
        if definition.spec.spec.group == "rbac.istio.io" && REMOVED.contains(&kind) {
            let message = format!("kind `{kind}` was removed from Istio");
            let help = "write AuthorizationPolicies, then remove the definition";
            found.add(definition, "spec.names.kind", Code::DeprecatedUse, message, help);
        }
    }
}

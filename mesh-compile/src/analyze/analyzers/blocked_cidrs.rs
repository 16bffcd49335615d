//! A control plane that fetches keys from wherever a RequestAuthentication says.

use mesh_model::diagnostic::Code;

use crate::analyze::context::Context;
use crate::analyze::findings::{Findings, full_name, listed};

const VARIABLE: &str = "BLOCKED_CIDRS_IN_JWKS_URIS";

pub(in crate::analyze) fn run(context: &Context<'_>, found: &mut Findings) {
    let names: Vec<_> = context.objects(&context.config.request_authentications).map(full_name).collect();
    if names.is_empty() {
        return;
    }
    for deployment in context.objects(&context.config.deployments) {
        let is_istiod = deployment.meta.labels.get("app").is_some_and(|app| app == "istiod");
        let mut variables =
            deployment.spec.spec.template.spec.containers.iter().flat_map(|container| &container.env);
        if !is_istiod || variables.any(|variable| variable.name == VARIABLE && !variable.value.is_empty()) {
            continue;
        }
        let message = format!(
            "keys for {} are fetched from any address, those inside the cluster included",
            listed(&names)
        );
        let help = format!("set `{VARIABLE}` to the address blocks that keys must not come from");
        found.add(deployment, "spec.template.spec.containers", Code::JwksUnrestricted, message, help);
    }
}

//! Telemetries that log to no provider.

use mesh_model::diagnostic::Code;

use crate::analyze::context::Context;
use crate::analyze::findings::Findings;

pub(in crate::analyze) fn run(context: &Context<'_>, found: &mut Findings) {
    let defaults = context.mesh.default_providers.as_ref();
    if defaults.is_some_and(|defaults| !defaults.access_logging.is_empty()) {
        return;
    }
    for telemetry in context.objects(&context.config.telemetries) {
        for (index, logging) in telemetry.spec.access_logging.iter().enumerate() {
            if logging.disabled == Some(true) || !logging.providers.is_empty() {
                continue;
            }
            let message = "the access log goes to no provider, and the mesh has no default one";
            let help = "name one under `providers`, or set `defaultProviders.accessLogging` of the mesh";
            let path = format!("spec.accessLogging[{index}]");
            found.add(telemetry, &path, Code::TelemetryProviderMissing, message, help);
        }
    }
}

//! Telemetries that send spans to a Lightstep provider, which is deprecated.

use std::collections::BTreeSet;

use mesh_model::diagnostic::Code;

use crate::analyze::context::Context;
use crate::analyze::findings::{Findings, short};

pub(in crate::analyze) fn run(context: &Context<'_>, found: &mut Findings) {
    let providers = &context.mesh.extension_providers;
    let lightstep: BTreeSet<&str> = providers
        .iter()
        .filter(|provider| provider.lightstep.is_some())
        .map(|provider| provider.name.as_str())
        .collect();
    if lightstep.is_empty() {
        return;
    }
    for telemetry in context.objects(&context.config.telemetries) {
        for (route, tracing) in telemetry.spec.tracing.iter().enumerate() {
            for (index, provider) in tracing.providers.iter().enumerate() {
                if lightstep.contains(provider.name.as_str()) {
                    let message = format!(
                        "provider `{}` is a Lightstep provider, which is deprecated",
                        short(&provider.name)
                    );
                    let help = "send spans to Lightstep through an `opentelemetry` provider";
                    let path = format!("spec.tracing[{route}].providers[{index}].name");
                    found.add(telemetry, &path, Code::DeprecatedUse, message, help);
                }
            }
        }
    }
}

//! Telemetries without a selector: one for a namespace.

use std::collections::BTreeMap;

use mesh_model::diagnostic::Code;
use mesh_model::object::Object;
use mesh_model::telemetry::Telemetry;

use crate::analyze::context::Context;
use crate::analyze::findings::{Findings, listed};

pub(in crate::analyze) fn run(context: &Context<'_>, found: &mut Findings) {
    let mut defaults: BTreeMap<&str, Vec<&Object<Telemetry>>> = BTreeMap::new();
    for telemetry in context.objects(&context.config.telemetries).filter(|one| one.spec.selector.is_none()) {
        defaults.entry(&telemetry.meta.namespace).or_default().push(telemetry);
    }
    for telemetries in defaults.values().filter(|telemetries| telemetries.len() > 1) {
        for telemetry in telemetries {
            let message =
                format!("{} have no `selector`", listed(telemetries.iter().map(|one| &one.meta.name)));
            let help = "keep one as the default of the namespace: the oldest is used, the others are not";
            found.add(*telemetry, "metadata.name", Code::TelemetryDefaultConflict, message, help);
        }
    }
}

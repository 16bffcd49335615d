//! Telemetries: Pods that they select, one each.

use std::collections::BTreeMap;

use mesh_model::diagnostic::{Code, Diagnostic, Missing, Place};
use mesh_model::object::Object;
use mesh_model::telemetry::Telemetry;

use super::gateway_port::selector_help;
use crate::analyze::context::Context;
use crate::analyze::findings::{Findings, listed, selector_text};

pub(in crate::analyze) fn run(context: &Context<'_>, found: &mut Findings) {
    let mut of_pod: BTreeMap<(&str, &str), Vec<&Object<Telemetry>>> = BTreeMap::new();
    for telemetry in context.objects(&context.config.telemetries) {
        let Some(selector) =
            telemetry.spec.selector.as_ref().map(|one| &one.match_labels).filter(|labels| !labels.is_empty())
        else {
            continue;
        };
        let namespace = &*telemetry.meta.namespace;
        let mut selects = false;
        for pod in context.pods.matching_in(namespace, selector) {
            selects = true;
            of_pod.entry((namespace, &pod.meta.name)).or_default().push(telemetry);
        }
        if !selects {
            let message = format!("no Pod of the namespace has the labels `{}`", selector_text(selector));
            let help = selector_help(context, selector);
            let at = Place::of(&telemetry.provenance, "spec.selector.matchLabels");
            let missing = Missing::pods(Some(namespace), selector);
            found.push(Diagnostic::new(Code::SelectorUnmatched, at, message).help(help).missing(missing));
        }
    }
    for ((_, pod), telemetries) in of_pod.iter().filter(|(_, telemetries)| telemetries.len() > 1) {
        for telemetry in telemetries {
            let message = format!(
                "Pod `{pod}` is selected by {}",
                listed(telemetries.iter().map(|one| &one.meta.name))
            );
            let help = "let one Telemetry select a Pod: the others are not used";
            found.add(*telemetry, "spec.selector", Code::TelemetryConflict, message, help);
        }
    }
}

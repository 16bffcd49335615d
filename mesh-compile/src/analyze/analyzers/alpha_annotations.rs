//! Istio annotations that may still change. Runs where it is asked for only, as Istio's runs before an upgrade only.

use mesh_model::diagnostic::Code;
use mesh_model::document::join_key;
use mesh_model::object::Object;

use super::annotations::{SET_BY_ISTIO, is_istio};
use crate::analyze::annotation_table::{Maturity, annotation};
use crate::analyze::context::Context;
use crate::analyze::findings::Findings;

/// Set by the injector where the CNI plugin captures traffic.
const SET_WITH_CNI: [&str; 4] = [
    "sidecar.istio.io/interceptionMode",
    "traffic.sidecar.istio.io/includeInboundPorts",
    "traffic.sidecar.istio.io/excludeInboundPorts",
    "traffic.sidecar.istio.io/includeOutboundIPRanges",
];

pub(in crate::analyze) fn run(context: &Context<'_>, found: &mut Findings) {
    context.objects(&context.config.namespaces).for_each(|object| check(object, &[], found));
    context.objects(&context.config.services).for_each(|object| check(object, &[], found));
    for pod in context.objects(&context.config.pods) {
        let has_cni = pod.spec.spec.init_containers.iter().all(|container| container.name != "istio-init");
        check(pod, if has_cni { &SET_WITH_CNI } else { &[] }, found);
    }
    context.objects(&context.config.deployments).for_each(|object| check(object, &[], found));
}

fn check<S>(object: &Object<S>, ignored: &[&str], found: &mut Findings) {
    for key in object.meta.annotations.keys().filter(|key| is_istio(key)) {
        let is_alpha = annotation(key).is_some_and(|known| known.maturity == Maturity::Alpha);
        if !is_alpha || SET_BY_ISTIO.contains(&key) || ignored.contains(&key) {
            continue;
        }
        let path = join_key("metadata.annotations", key);
        let message = format!("`{key}` is an alpha feature");
        found.add(
            object,
            &path,
            Code::AnnotationAlpha,
            message,
            "check that it still works after an upgrade",
        );
    }
}

//! Istio annotations: known, not deprecated, on the right kind, with a value that is accepted.

use mesh_model::diagnostic::{Code, nearest};
use mesh_model::document::join_key;
use mesh_model::object::Object;

use super::annotation_value;
use crate::analyze::annotation_table::{annotation, names};
use crate::analyze::context::Context;
use crate::analyze::findings::{Findings, short};
use crate::analyze::in_mesh::INJECT;

/// Annotations that Istio sets itself, or that installers set for it.
pub(super) const SET_BY_ISTIO: [&str; 3] =
    ["sidecar.istio.io/status", "gateway.istio.io/controller-version", "istio.io/rev"];

pub(in crate::analyze) fn run(context: &Context<'_>, found: &mut Findings) {
    context.objects(&context.config.namespaces).for_each(|object| check(object, found));
    context.objects(&context.config.services).for_each(|object| check(object, found));
    context.objects(&context.config.pods).for_each(|object| check(object, found));
    context.objects(&context.config.deployments).for_each(|object| check(object, found));
}

/// Whether a key is one of Istio's.
pub(super) fn is_istio(key: &str) -> bool {
    key == "kubernetes.io/ingress.class"
        || key.split('/').next().is_some_and(|prefix| prefix.ends_with("istio.io"))
}

fn check<S>(object: &Object<S>, found: &mut Findings) {
    for (key, value) in &object.meta.annotations {
        if !is_istio(key) || SET_BY_ISTIO.contains(&key) {
            continue;
        }
        let path = join_key("metadata.annotations", key);
        let Some(known) = annotation(key) else {
            let help = match nearest(key, names()) {
                Some(name) => format!("did you mean `{name}`?"),
                None => "remove it: Istio does not look at it".to_owned(),
            };
            found.add(
                object,
                &path,
                Code::AnnotationUnknown,
                format!("no annotation of Istio is called `{}`", short(key)),
                help,
            );
            continue;
        };
        if known.is_deprecated && !(key == INJECT && object.meta.labels.contains_key(INJECT)) {
            let help = match key {
                INJECT => format!("use the label `{INJECT}` instead"),
                _ => "look for its successor in the Telemetry, ProxyConfig and MeshConfig APIs".to_owned(),
            };
            found.add(object, &path, Code::AnnotationDeprecated, format!("`{key}` is deprecated"), help);
        }
        if known.kinds.contains(&"Any") {
            continue;
        }
        if !known.kinds.contains(&object.provenance.kind) {
            let message = format!("`{key}` has no effect on a {}", object.provenance.kind);
            let help = format!("it belongs on: {}", known.kinds.join(", "));
            found.add(object, &path, Code::AnnotationMisplaced, message, help);
            continue;
        }
        if let Some(expected) = annotation_value::problem(key, value) {
            let message = format!("`{key}` cannot be `{}`", short(value));
            found.add(object, &path, Code::AnnotationInvalid, message, format!("expected {expected}"));
        }
    }
}

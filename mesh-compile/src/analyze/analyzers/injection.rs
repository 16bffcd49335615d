//! Namespaces and Pods: who gets a sidecar, and who was meant to.

use std::collections::BTreeSet;

use mesh_model::diagnostic::Code;
use mesh_model::kubernetes::{ConfigMap, Namespace};
use mesh_model::object::Object;
use serde_json::Value;

use crate::analyze::context::Context;
use crate::analyze::findings::{Findings, listed};
use crate::analyze::in_mesh::{
    CONTROL_PLANE, DATAPLANE_MODE, INJECT, INJECTION, REVISION, injector_config_map, proxy_image,
};

pub(in crate::analyze) fn run(context: &Context<'_>, found: &mut Findings) {
    let mut injected = BTreeSet::new();
    for namespace in context.objects(&context.config.namespaces) {
        if &*namespace.meta.name != CONTROL_PLANE && check_namespace(context, namespace, found) {
            injected.insert(&*namespace.meta.name);
        }
    }
    for pod in context.objects(&context.config.pods).filter(|pod| injected.contains(&*pod.meta.namespace)) {
        let wish = pod.meta.labels.get(INJECT).or_else(|| pod.meta.annotations.get(INJECT));
        let is_declined = wish.is_some_and(|wish| wish.eq_ignore_ascii_case("false"));
        let containers = pod.spec.spec.containers.iter().chain(&pod.spec.spec.init_containers);
        if is_declined || pod.spec.spec.host_network || proxy_image(containers).is_some() {
            continue;
        }
        let message =
            format!("namespace `{}` has injection on, and the Pod has no sidecar", pod.meta.namespace);
        let help = format!("restart the Pod, or give it the label `{INJECT}: \"false\"`");
        found.add(pod, "metadata.name", Code::PodWithoutProxy, message, help);
    }
}

/// Whether Pods of the namespace get a sidecar by its injection label.
fn check_namespace(context: &Context<'_>, namespace: &Object<Namespace>, found: &mut Findings) -> bool {
    let label = |name: &str| namespace.meta.labels.get(name);
    let injection = label(INJECTION);
    let mut wishes: Vec<_> = injection.iter().map(|value| format!("{INJECTION}={value}")).collect();
    if injection.is_none_or(|value| value == "enabled") {
        let others = [REVISION, DATAPLANE_MODE];
        wishes.extend(others.iter().filter_map(|name| label(name).map(|value| format!("{name}={value}"))));
    }
    if wishes.len() > 1 {
        let message = format!("the labels {} ask for different things", listed(&wishes));
        let help = "keep one of them";
        found.add(namespace, "metadata.labels", Code::InjectionLabelsConflict, message, help);
    }
    if label(DATAPLANE_MODE) == Some("ambient") {
        return false;
    }
    if injection.is_none_or(str::is_empty) && label(REVISION).is_none() {
        let name = injector_config_map("");
        let maps = context.objects(&context.config.config_maps);
        if maps.filter(|map| *map.meta.name == *name).any(is_default) {
            let message = "Pods of the namespace get sidecars, because injection is on by default";
            let help = format!("add the label `{INJECTION}: disabled` if that is not wanted");
            found.add(namespace, "metadata.name", Code::InjectedByDefault, message, help);
        } else {
            let message = "the namespace does not say whether its Pods get sidecars, so they get none";
            let help = format!("add the label `{INJECTION}: enabled`, or `disabled` to silence this");
            found.add(namespace, "metadata.name", Code::NamespaceNotInjected, message, help);
        }
        return false;
    }
    injection == Some("enabled")
}

/// Whether the injector's settings turn injection on for namespaces without a label.
fn is_default(map: &Object<ConfigMap>) -> bool {
    let values = map.spec.data.get("values").and_then(|text| serde_json::from_str::<Value>(text).ok());
    let flag = values
        .as_ref()
        .and_then(|values| values.pointer("/sidecarInjectorWebhook/enableNamespacesByDefault"));
    flag == Some(&Value::Bool(true))
}

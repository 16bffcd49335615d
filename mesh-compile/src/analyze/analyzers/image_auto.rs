//! `image: auto`, which only injection replaces.

use mesh_model::diagnostic::Code;
use mesh_model::kubernetes::pod::PodSpec;
use mesh_model::name::LabelSelector;
use mesh_model::part::LabelSelector as Written;

use crate::analyze::context::Context;
use crate::analyze::findings::Findings;
use crate::analyze::in_mesh::PROXY;

pub(in crate::analyze) fn run(context: &Context<'_>, found: &mut Findings) {
    // A selector that is not well-formed takes nothing, so its webhook is as good as not there.
    let webhooks: Vec<(LabelSelector, LabelSelector)> = context
        .objects(&context.config.mutating_webhooks)
        .flat_map(|configuration| &configuration.spec.webhooks)
        .filter(|webhook| webhook.name.ends_with("istio.io"))
        .filter_map(|webhook| {
            let compiled = |selector: &Option<Written>| {
                selector.as_ref().map_or(Some(LabelSelector::default()), Written::compiled)
            };
            compiled(&webhook.namespace_selector).zip(compiled(&webhook.object_selector))
        })
        .collect();
    for pod in context.objects(&context.config.pods) {
        if let Some(index) = auto_container(&pod.spec.spec) {
            let message = "`image: auto` was not replaced, so that the Pod cannot start";
            let help = "see to it that an injection webhook selects the Pod, then create it again";
            found.add(pod, &format!("spec.containers[{index}].image"), Code::PodWithAutoImage, message, help);
        }
    }
    for deployment in context.objects(&context.config.deployments) {
        let template = &deployment.spec.spec.template;
        let Some(index) = auto_container(&template.spec) else { continue };
        let empty = Default::default();
        let namespace = context
            .namespaces
            .get(&*deployment.meta.namespace)
            .map_or(&empty, |namespace| &namespace.meta.labels);
        let labels = &template.metadata.labels;
        if webhooks
            .iter()
            .any(|(of_namespace, of_pod)| of_namespace.matches(namespace) && of_pod.matches(labels))
        {
            continue;
        }
        let path = format!("spec.template.spec.containers[{index}].image");
        let message = "`image: auto` needs injection, and no injection webhook selects the Pods";
        let help =
            "label the namespace `istio-injection: enabled`, or the Pods `sidecar.istio.io/inject: \"true\"`";
        found.add(deployment, &path, Code::AutoImageNotInjected, message, help);
    }
}

fn auto_container(pod: &PodSpec) -> Option<usize> {
    pod.containers.iter().position(|container| container.name == PROXY && container.image == "auto")
}

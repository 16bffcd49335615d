//! Whether a workload is part of the mesh (istio/istio `analyzers/util/in_mesh.go`).

use mesh_model::kubernetes::{Deployment, Namespace, Pod, pod::Container};
use mesh_model::name::StringMap;
use mesh_model::object::Object;

/// Where the control plane lives, for analyzers to which Istio gives no other place.
pub(super) const CONTROL_PLANE: &str = "istio-system";
/// The sidecar's container.
pub(super) const PROXY: &str = "istio-proxy";
/// The label of a namespace that asks for injection.
pub(super) const INJECTION: &str = "istio-injection";
/// The label that names a revision of the control plane.
pub(super) const REVISION: &str = "istio.io/rev";
/// Label and annotation of a Pod that ask for injection, or against it.
pub(super) const INJECT: &str = "sidecar.istio.io/inject";
/// The label that chooses between sidecars and ambient mode.
pub(super) const DATAPLANE_MODE: &str = "istio.io/dataplane-mode";
/// The label of what Istio deploys for a Kubernetes Gateway.
pub(super) const MANAGED: &str = "gateway.istio.io/managed";

/// Whether a Pod has a sidecar, or would get one.
pub(super) fn pod_is_in_mesh(pod: &Object<Pod>, namespace: Option<&Object<Namespace>>) -> bool {
    let containers = pod.spec.spec.containers.iter().chain(&pod.spec.spec.init_containers);
    is_in_mesh(containers, &pod.meta.labels, &pod.meta.annotations, namespace)
}

/// Whether the Pods of a Deployment would get a sidecar.
pub(super) fn deployment_is_in_mesh(
    deployment: &Object<Deployment>,
    namespace: Option<&Object<Namespace>>,
) -> bool {
    let template = &deployment.spec.spec.template;
    let metadata = &template.metadata;
    is_in_mesh(template.spec.containers.iter(), &metadata.labels, &metadata.annotations, namespace)
}

fn is_in_mesh<'c>(
    containers: impl Iterator<Item = &'c Container>,
    labels: &StringMap,
    annotations: &StringMap,
    namespace: Option<&Object<Namespace>>,
) -> bool {
    if proxy_image(containers).is_some() {
        return true;
    }
    let own = labels.get(INJECT).or_else(|| annotations.get(INJECT));
    own.map_or_else(
        || {
            namespace
                .is_some_and(|namespace| namespace.meta.labels.get(INJECTION).is_some_and(|v| v == "enabled"))
        },
        |own| own == "true",
    )
}

/// The image of the sidecar among some containers.
pub(super) fn proxy_image<'c>(mut containers: impl Iterator<Item = &'c Container>) -> Option<&'c str> {
    containers
        .find(|container| container.name == PROXY)
        .map(|container| container.image.as_str())
        .filter(|image| !image.is_empty())
}

/// Whether a Pod's traffic goes through the node's proxy.
pub(super) fn pod_is_ambient(pod: &Object<Pod>) -> bool {
    pod.meta.annotations.get("ambient.istio.io/redirection").is_some_and(|value| value == "enabled")
}

/// Whether the Pods of a namespace are in ambient mode, as far as the namespace tells.
pub(super) fn namespace_is_ambient(namespace: &Object<Namespace>) -> bool {
    let label = |name: &str| namespace.meta.labels.get(name).unwrap_or_default();
    label(INJECTION) != "enabled" && label(REVISION).is_empty() && label(DATAPLANE_MODE) == "ambient"
}

/// Whether an object belongs to Istio itself.
pub(super) fn is_control_plane(labels: &StringMap) -> bool {
    labels.contains_key("istio") || labels.get("release").is_some_and(|release| release == "istio")
}

/// The ConfigMap that holds the injector's settings of a revision.
pub(super) fn injector_config_map(revision: &str) -> String {
    match revision {
        "" | "default" => "istio-sidecar-injector".to_owned(),
        revision => format!("istio-sidecar-injector-{revision}"),
    }
}

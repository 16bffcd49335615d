//! Applications under the user id that the sidecar's traffic is told apart by.

use mesh_model::diagnostic::Code;
use mesh_model::kubernetes::pod::PodSpec;
use mesh_model::object::Object;

use crate::analyze::context::Context;
use crate::analyze::findings::{Findings, listed};
use crate::analyze::in_mesh::{PROXY, is_control_plane};

/// The sidecar's user id: what runs under it is not captured.
const PROXY_USER: Option<i64> = Some(1337);

pub(in crate::analyze) fn run(context: &Context<'_>, found: &mut Findings) {
    for pod in context.objects(&context.config.pods) {
        check(pod, "spec", &pod.spec.spec, found);
    }
    for deployment in context.objects(&context.config.deployments) {
        check(deployment, "spec.template.spec", &deployment.spec.spec.template.spec, found);
    }
}

fn check<S>(object: &Object<S>, path: &str, pod: &PodSpec, found: &mut Findings) {
    if is_control_plane(&object.meta.labels) {
        return;
    }
    let help = "give the application another user id: traffic of user 1337 passes the sidecar by";
    if pod.security_context.run_as_user == PROXY_USER {
        let path = format!("{path}.securityContext.runAsUser");
        found.add(object, &path, Code::ProxyUserId, "the Pod runs under the sidecar's user id", help);
        return;
    }
    let is_istio = |name: &str| name == PROXY || name == "istio-operator";
    let under_it = pod.containers.iter().enumerate().filter(|(_, container)| {
        !is_istio(&container.name) && container.security_context.run_as_user == PROXY_USER
    });
    let (places, names): (Vec<usize>, Vec<&String>) =
        under_it.map(|(index, container)| (index, &container.name)).unzip();
    // One finding an object, as in Istio.
    if let Some(index) = places.first() {
        let path = format!("{path}.containers[{index}].securityContext.runAsUser");
        let what = if names.len() == 1 { "container" } else { "containers" };
        let runs = if names.len() == 1 { "runs" } else { "run" };
        let message = format!("{what} {} {runs} under the sidecar's user id", listed(names));
        found.add(object, &path, Code::ProxyUserId, message, help);
    }
}

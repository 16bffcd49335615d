//! Workloads as far as files tell of them: Pods, and Deployments that make Pods.

use mesh_model::kubernetes::pod::{Container, PodSpec};
use mesh_model::kubernetes::{Deployment, Namespace};
use mesh_model::name::StringMap;
use mesh_model::object::Object;

use super::context::Context;
use super::in_mesh;
use super::pods::Pods;

/// A Pod, or what the Pods of a Deployment will be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Workload<'a> {
    /// `Pod` or `Deployment`.
    pub(super) kind: &'static str,
    /// Its own name.
    pub(super) name: &'a str,
    /// Labels of the Pod.
    pub(super) labels: &'a StringMap,
    /// Its containers and so on.
    pub(super) spec: &'a PodSpec,
    /// Whether it has a proxy, or would get one.
    pub(super) is_in_mesh: bool,
}

impl<'a> Workload<'a> {
    /// All containers.
    pub(super) fn containers(&self) -> impl Iterator<Item = &'a Container> + use<'a> {
        self.spec.containers.iter().chain(&self.spec.init_containers)
    }

    /// Whether its proxy stands beside an application.
    pub(super) fn has_sidecar(&self) -> bool {
        let mut containers = self.spec.containers.iter().peekable();
        self.is_in_mesh
            && (containers.peek().is_none() || containers.any(|container| container.name != in_mesh::PROXY))
    }
}

/// The workloads of a cluster, found by selector.
pub(super) struct Workloads<'c, 'a> {
    context: &'c Context<'a>,
    deployments: Pods<'a, Deployment>,
}

impl<'c, 'a> Workloads<'c, 'a> {
    pub(super) fn of(context: &'c Context<'a>) -> Self {
        let all = context.objects(&context.config.deployments).collect();
        let deployments = Pods::by(all, |deployment| &deployment.spec.spec.template.metadata.labels);
        Self { context, deployments }
    }

    /// Those with all labels of a selector, of one namespace or of all; Pods first.
    pub(super) fn matching<'s>(
        &'s self,
        namespace: Option<&'s str>,
        selector: &'s StringMap,
    ) -> impl Iterator<Item = Workload<'a>> + use<'s, 'c, 'a> {
        let pods = &self.context.pods;
        let here = namespace.map(|name| pods.matching_in(name, selector)).into_iter().flatten();
        let anywhere = namespace.is_none().then(|| pods.matching(selector)).into_iter().flatten();
        let pods = here.chain(anywhere).map(|pod| Workload {
            kind: "Pod",
            name: &pod.meta.name,
            labels: &pod.meta.labels,
            spec: &pod.spec.spec,
            is_in_mesh: in_mesh::pod_is_in_mesh(pod, self.namespace(&pod.meta.namespace)),
        });
        let made = &self.deployments;
        let here = namespace.map(|name| made.matching_in(name, selector)).into_iter().flatten();
        let anywhere = namespace.is_none().then(|| made.matching(selector)).into_iter().flatten();
        let made = here.chain(anywhere).map(|deployment| Workload {
            kind: "Deployment",
            name: &deployment.meta.name,
            labels: &deployment.spec.spec.template.metadata.labels,
            spec: &deployment.spec.spec.template.spec,
            is_in_mesh: in_mesh::deployment_is_in_mesh(
                deployment,
                self.namespace(&deployment.meta.namespace),
            ),
        });
        pods.chain(made)
    }

    fn namespace(&self, name: &str) -> Option<&'a Object<Namespace>> {
        self.context.namespaces.get(name).copied()
    }
}
